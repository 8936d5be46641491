//! Faults by script: the third put fails.

use crate::faults::Faults;
use crate::faults::failure::{Failure, Service};
use crate::faults::plan::{Fate, Outcome};
use std::time::Duration;

/// A fault that is being planned: [`Faults::on`] begins it, [`fail`](Self::fail), [`lose_reply`](Self::lose_reply) or
/// [`delay`](Self::delay) plan it. Without more it is for every call of the operation.
///
/// ```
/// use fourfold::{Store, faults::Failure};
/// let store = Store::in_memory();
/// let jobs = store.queues().create("jobs")?;
/// store.faults().on("SendMessage").of("jobs").nth(2).times(2).fail(Failure::Unavailable);
/// let sent: Vec<bool> = (0..5).map(|_| jobs.send("hello").is_ok()).collect();
/// assert_eq!(sent, [true, false, false, true, true]);
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a fault is planned by saying what happens"]
pub struct On<'a> {
    faults: &'a Faults,
    rule: Rule,
}

/// A planned fault.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    service: Option<Service>,
    /// None: any.
    operation: Option<String>,
    resource: Option<String>,
    /// The first call that is hit, counted from one.
    first: u64,
    /// Every how many calls from there.
    step: u64,
    /// How many calls are hit.
    times: u64,
    /// Calls that could have been.
    seen: u64,
    effect: Effect,
}

#[derive(Clone, Copy, Debug)]
enum Effect {
    Fail(Failure),
    LoseReply(Failure),
    Delay(Duration),
}

impl Rule {
    /// Does to the call what it says, if it is one of its own.
    pub(super) fn apply(&mut self, service: Service, operation: &str, resource: &str, fate: &mut Fate) {
        let is_meant = self.service.is_none_or(|of| of == service)
            && self.operation.as_deref().is_none_or(|of| of == operation)
            && self.resource.as_deref().is_none_or(|of| of == resource);
        if !is_meant {
            return;
        }
        self.seen += 1;
        let Some(behind) = self.seen.checked_sub(self.first) else { return };
        if behind % self.step != 0 || behind / self.step >= self.times {
            return;
        }
        match self.effect {
            Effect::Delay(delay) => fate.delay = fate.delay.saturating_add(delay),
            _ if fate.outcome != Outcome::Pass => {}
            Effect::Fail(failure) => fate.outcome = Outcome::Refuse(failure),
            Effect::LoseReply(failure) => fate.outcome = Outcome::LoseReply(failure),
        }
    }
}

impl<'a> On<'a> {
    pub(super) fn new(faults: &'a Faults, operation: &str) -> Self {
        let operation = (operation != "*").then(|| operation.to_owned());
        let effect = Effect::Fail(Failure::Internal);
        let (first, step, times, seen) = (1, 1, u64::MAX, 0);
        Self {
            faults,
            rule: Rule { service: None, operation, resource: None, first, step, times, seen, effect },
        }
    }

    /// Only in this service: some operations are called the same in two.
    pub fn service(mut self, service: Service) -> Self {
        self.rule.service = Some(service);
        self
    }

    /// Only on the queue, stream, table or bucket of this name.
    pub fn of(mut self, resource: impl Into<String>) -> Self {
        self.rule.resource = Some(resource.into());
        self
    }

    /// Only the `number`th call from now on, counted from one; with [`times`](Self::times) also some behind it.
    pub fn nth(mut self, number: u64) -> Self {
        self.rule.first = number.max(1);
        self.rule.times = 1;
        self
    }

    /// Every `count`th call from now on.
    pub fn every(mut self, count: u64) -> Self {
        self.rule.first = count.max(1);
        self.rule.step = count.max(1);
        self
    }

    /// Only so many calls, from the first one that is meant.
    pub fn times(mut self, count: u64) -> Self {
        self.rule.times = count;
        self
    }

    /// The call fails, and does nothing.
    pub fn fail(self, failure: Failure) {
        self.plan(Effect::Fail(failure));
    }

    /// The call is done, and its caller is told that the service failed. Whoever does it again does it twice.
    pub fn lose_reply(self) {
        self.plan(Effect::LoseReply(Failure::Internal));
    }

    /// The call takes so long before it does anything, by the store's clock: a blocking one holds its thread until the
    /// clock was moved.
    pub fn delay(self, delay: Duration) {
        self.plan(Effect::Delay(delay));
    }

    fn plan(mut self, effect: Effect) {
        self.rule.effect = effect;
        self.faults.plan().add(self.rule);
    }
}
