//! From events to targets, in the batch of the change.

use crate::error::Result;
use crate::objects::notify::message::{self, Event, Scene};
use crate::objects::notify::rule::TargetArn;
use crate::objects::notify::{Functions, NotificationConfiguration, NotificationError};
use crate::store::deliver::{Arrival, Arrivals, Deliver, Delivery, Woken, deliver_all};
use crate::store::pending::Pending;
use crate::store::{Batch, Store};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// A function of the program that is told of events.
pub(crate) type Function = Arc<dyn Fn(Bytes) + Send + Sync>;

/// Who takes deliveries for a service, if anybody does.
type Find<'a> = &'a dyn Fn(&str) -> Option<&'a dyn Deliver>;

/// What is to be told to whom.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    /// Bucket and key of what happened: what is told of one object stays in order.
    group: String,
    /// By ARN: the order of D3 in `store::deliver`.
    arrivals: Arrivals,
    /// Functions by name.
    calls: Vec<(String, Bytes)>,
}

impl Deliveries {
    /// What the rules of a bucket want told of these events, in order.
    pub(crate) fn of(
        configuration: &NotificationConfiguration,
        scene: &Scene<'_>,
        events: &[Event<'_>],
    ) -> Self {
        let key = events.first().map_or("", |event| event.key);
        let mut deliveries = Self { group: format!("{}/{key}", scene.bucket), ..Self::default() };
        let mut scene = *scene;
        for event in events {
            for rule in configuration.rules.iter().filter(|rule| rule.tells_of(event.kind, event.key)) {
                let id = rule.id.as_deref().unwrap_or_default();
                deliveries.add(&rule.arn, message::record(&scene, event, id));
            }
            // Two events of one key in one batch are in order as well.
            scene.sequence += 1;
        }
        deliveries
    }

    /// The test event for every queue and stream that the configuration names.
    pub(crate) fn of_tests(configuration: &NotificationConfiguration, scene: &Scene<'_>) -> Self {
        let mut deliveries = Self::default();
        for rule in &configuration.rules {
            let is_told = TargetArn::parse(&rule.arn).is_some_and(|arn| arn.function().is_none());
            if is_told && !deliveries.arrivals.contains_key(&rule.arn) {
                deliveries.add(&rule.arn, message::test_event(scene));
            }
        }
        deliveries
    }

    fn add(&mut self, arn: &str, body: Bytes) {
        if let Some(name) = TargetArn::parse(arn).and_then(TargetArn::function) {
            self.calls.push((name.to_owned(), body));
        } else {
            let arrival = Arrival::new(&self.group, body);
            self.arrivals.entry(arn.to_owned()).or_default().push(arrival);
        }
    }

    /// Commits `batch` together with the arrivals. What it returns besides is to be [run](Calls::run) once no lock is
    /// held.
    pub(crate) fn commit(
        self,
        store: &Store,
        functions: &Functions,
        batch: Batch,
    ) -> Result<(Pending<()>, Calls)> {
        self.commit_to(store, functions, batch, &crate::targets::find)
    }

    pub(super) fn commit_to(
        self,
        store: &Store,
        functions: &Functions,
        batch: Batch,
        find: Find<'_>,
    ) -> Result<(Pending<()>, Calls)> {
        let found = self.arrivals.iter().filter_map(|(arn, arrivals)| {
            // A service that nobody stands for is only in a configuration whose targets were not to be validated.
            let target = find(TargetArn::parse(arn)?.service)?;
            Some(Delivery { target, arn, arrivals })
        });
        let found: Vec<_> = found.collect();
        let mut pending = Pending::ready(store, ());
        let woken = deliver_all(store, &found, batch, &mut |batch| {
            pending = store.commit(batch)?;
            Ok(())
        })?;
        Ok((pending, Calls { woken, ..Self::resolve(self.calls, functions) }))
    }

    /// Who has the batch in hand delivers by itself: what arrives where, by ARN, and whom to call.
    pub(crate) fn into_parts(self, functions: &Functions) -> (Arrivals, Calls) {
        (self.arrivals, Self::resolve(self.calls, functions))
    }

    fn resolve(calls: Vec<(String, Bytes)>, functions: &Functions) -> Calls {
        let found = calls.into_iter().filter_map(|(name, body)| Some((functions.get(&name)?, body)));
        Calls { functions: found.collect(), woken: Woken::default() }
    }
}

/// Functions to be called, each with its message, and who waits for what arrived elsewhere.
#[must_use = "functions are told once the change is committed"]
#[derive(Default)]
pub(crate) struct Calls {
    functions: Vec<(Function, Bytes)>,
    woken: Woken,
}

impl Calls {
    /// These, and then `later`.
    pub(crate) fn then(mut self, later: Self) -> Self {
        self.functions.extend(later.functions);
        self.woken.append(later.woken);
        self
    }

    /// Wakes who waits for what arrived. The caller holds no lock.
    pub(crate) fn wake(&mut self) {
        drop(std::mem::take(&mut self.woken));
    }

    /// Calls them, in order. The caller holds no lock: a function may use the bucket.
    pub(crate) fn run(self) {
        for (function, body) in self.functions {
            function(body);
        }
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Calls").field(&self.functions.len()).finish()
    }
}

/// Can every target be told?
pub(crate) fn check_targets(
    store: &Store,
    functions: &Functions,
    configuration: &NotificationConfiguration,
) -> Result<Result<(), NotificationError>> {
    check_targets_of(store, functions, configuration, &crate::targets::find)
}

pub(super) fn check_targets_of(
    store: &Store,
    functions: &Functions,
    configuration: &NotificationConfiguration,
    find: Find<'_>,
) -> Result<Result<(), NotificationError>> {
    let mut targets = Vec::new();
    for rule in &configuration.rules {
        let Some(arn) = TargetArn::parse(&rule.arn) else {
            return Ok(Err(NotificationError::BadArn { given: rule.arn.clone() }));
        };
        if arn.region != store.region() {
            return Ok(Err(NotificationError::OtherRegion { arn: rule.arn.clone() }));
        }
        let refusal = match (arn.function(), find(arn.service)) {
            (Some(name), _) if functions.get(name).is_some() => None,
            (None, Some(target)) => target.refusal(store, &rule.arn, false)?,
            _ => Some(format!("The destination {} does not exist", what(arn.service))),
        };
        targets.extend(refusal.map(|reason| (rule.arn.clone(), reason)));
    }
    Ok(if targets.is_empty() { Ok(()) } else { Err(NotificationError::BadTargets { targets }) })
}

fn what(service: &str) -> &'static str {
    match service {
        "sqs" => "queue",
        "kinesis" => "stream",
        "sns" => "topic",
        _ => "Lambda function",
    }
}
