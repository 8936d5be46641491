//! Receiving: take, lease, log, answer; what was received too often goes to the dead-letter queue instead.
//!
//! R1. A lease is logged and not waited for: after a crash a message may be delivered again, never lost.
//! R2. What was decided is logged in one batch, together with the messages given up; if that fails, everything taken is
//!     ready again.

use crate::clock::Timestamp;
use crate::queue::attempts::Delivery;
use crate::queue::core::{Core, Identity, State};
use crate::queue::dead_letter::Grave;
use crate::queue::dials::Dials;
use crate::queue::error::{Error, Result};
use crate::queue::index::Lease;
use crate::queue::keys;
use crate::queue::limits::{IN_FLIGHT_MAX, RECEIVE_MAX, VISIBILITY_SECONDS_MAX, WAIT_SECONDS_MAX};
use crate::queue::message::Message;
use crate::queue::stored::Shared;
use crate::queue::take::{Cursor, Taken};
use crate::queue::throttle::Action;
use crate::queue::{identify, receipt, rules};
use crate::{Batch, Store};
use std::sync::Arc;
use std::time::Duration;

/// Messages given up at once; what is beyond waits for the next receive.
const GRAVES_MAX: usize = 100;

/// What to receive, and how.
///
/// ```
/// use fourfold::queue::Receive;
/// let jobs = fourfold::Store::in_memory().queues().create("jobs")?;
/// jobs.send("hello")?;
/// let received = jobs.receive(Receive::new().max_messages(10).wait(20).visibility_timeout(60))?;
/// assert_eq!(received.len(), 1);
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "it says what to receive, and receives nothing"]
pub struct Receive {
    max_messages: Option<i32>,
    wait: Option<i32>,
    visibility_timeout: Option<i32>,
    attempt_id: Option<String>,
}

impl Receive {
    /// One message, if there is one now or within the queue's `ReceiveMessageWaitTimeSeconds`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Up to so many messages, 1 to 10. Default: 1.
    pub fn max_messages(mut self, count: i32) -> Self {
        self.max_messages = Some(count);
        self
    }

    /// Seconds to wait for a first message, 0 to 20. It comes as soon as it is there; more are not waited for. Default: the
    /// queue's `ReceiveMessageWaitTimeSeconds`.
    pub fn wait(mut self, seconds: i32) -> Self {
        self.wait = Some(seconds);
        self
    }

    /// Seconds until what is received and not deleted is visible again, 0 to 43,200; with 0 it stays visible. Default: the
    /// queue's `VisibilityTimeout`.
    pub fn visibility_timeout(mut self, seconds: i32) -> Self {
        self.visibility_timeout = Some(seconds);
        self
    }

    /// In a FIFO queue: the same id within five minutes gets the same messages, made invisible anew, as long as none of
    /// them was deleted, changed, or became visible.
    pub fn attempt_id(mut self, id: impl Into<String>) -> Self {
        self.attempt_id = Some(id.into());
        self
    }

    /// Checks it against a queue.
    pub(super) fn check(&self, is_fifo: bool) -> Result<()> {
        if let Some(max) = self.max_messages
            && !(1..=RECEIVE_MAX).contains(&max)
        {
            let reason = format_args!("Must be between 1 and {RECEIVE_MAX}, if provided.");
            return Err(Error::parameter(max, "MaxNumberOfMessages", reason));
        }
        rules::in_range(self.wait, 0..=WAIT_SECONDS_MAX, "WaitTimeSeconds")?;
        rules::in_range(self.visibility_timeout, 0..=VISIBILITY_SECONDS_MAX, "VisibilityTimeout")?;
        match &self.attempt_id {
            Some(id) if !is_fifo => Err(Error::parameter(
                id,
                "ReceiveRequestAttemptId",
                "The request include parameter that is not valid for this queue type.",
            )),
            Some(id) => rules::token(id, "ReceiveRequestAttemptId"),
            None => Ok(()),
        }
    }

    /// How long it waits at a queue.
    pub(super) fn wait_of(&self, state: &State) -> Duration {
        let seconds = self.wait.map_or(state.live.settings.wait, i32::cast_unsigned);
        Duration::from_secs(u64::from(seconds))
    }

    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            max: usize::try_from(self.max_messages.unwrap_or(1)).unwrap_or(1),
            visibility: self.visibility_timeout.map(i32::cast_unsigned),
            attempt_id: self.attempt_id.clone(),
        }
    }
}

/// Up to so many messages.
impl From<i32> for Receive {
    fn from(max_messages: i32) -> Self {
        Self::new().max_messages(max_messages)
    }
}

/// A checked request.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) max: usize,
    pub(super) visibility: Option<u32>,
    pub(super) attempt_id: Option<String>,
}

/// What a queue has for a receiver.
#[derive(Debug)]
pub(super) enum Answer {
    Messages(Vec<Message>),
    /// Messages have to be given up first, which takes the lock of the dead-letter queue too.
    NeedsGrave,
}

/// Everything that a receive decides by, the state aside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    pub(super) core: &'a Core,
    pub(super) store: &'a Store,
    pub(super) dials: &'a Dials,
    pub(super) now: Timestamp,
}

impl State {
    /// Receives what there is. Messages received too often go to `grave`; if there are some and it is not at hand, nothing
    /// happens.
    pub(super) fn receive(
        &mut self,
        setting: Setting<'_>,
        wanted: &Wanted,
        mut grave: Option<&mut Grave<'_>>,
    ) -> Result<Answer> {
        if let Some(messages) = self.repeat(setting, wanted)? {
            return Ok(Answer::Messages(messages));
        }
        let room = IN_FLIGHT_MAX.saturating_sub(self.index.in_flight());
        if room == 0 {
            if setting.core.identity.is_fifo {
                return Ok(Answer::Messages(Vec::new()));
            }
            return Err(Error::OverLimit { limit: IN_FLIGHT_MAX });
        }
        let max = wanted.max.min(room);
        loop {
            let Some((taken, dead)) = self.choose(setting, max, grave.as_deref())? else {
                return Ok(Answer::NeedsGrave);
            };
            let has_buried = !dead.is_empty();
            let messages = self.hand_out(setting, wanted, taken, dead, grave.as_deref_mut())?;
            if !(messages.is_empty() && has_buried) {
                return Ok(Answer::Messages(messages));
            }
        }
    }

    /// Takes up to `max` messages, and those on the way that are to be given up; None if that takes a grave that is not at
    /// hand.
    fn choose(
        &mut self,
        setting: Setting<'_>,
        max: usize,
        grave: Option<&Grave<'_>>,
    ) -> Result<Option<(Vec<Taken>, Vec<Taken>)>> {
        let Setting { core, store, now, .. } = setting;
        let limit = self.give_up_after(grave.is_none_or(Grave::is_open));
        let (mut taken, mut dead, mut cursor) = (Vec::with_capacity(max), Vec::new(), Cursor::default());
        while taken.len() < max && dead.len() < GRAVES_MAX {
            match self.take(&core.identity, store, now, &mut cursor) {
                Ok(None) => break,
                Ok(Some(next)) if limit.is_some_and(|limit| self.receive_count(&next) >= limit) => {
                    dead.push(next);
                }
                Ok(Some(next)) => taken.push(next),
                Err(error) => {
                    self.put_back(taken);
                    self.put_back(dead);
                    return Err(error.into());
                }
            }
        }
        if !dead.is_empty() && grave.is_none() {
            self.put_back(taken);
            self.put_back(dead);
            return Ok(None);
        }
        if let Err(error) = self.reorder(setting, &mut taken, &mut cursor) {
            self.put_back(taken);
            self.put_back(dead);
            return Err(error);
        }
        Ok(Some((taken, dead)))
    }

    /// After how many receives a message is given up; never if there is nowhere to put it.
    fn give_up_after(&self, has_grave: bool) -> Option<u32> {
        let policy = self.live.settings.redrive.as_ref()?;
        has_grave.then_some(policy.max_receive_count)
    }

    /// How often a message was received in this queue.
    fn receive_count(&self, taken: &Taken) -> u32 {
        self.index.leases.get(&taken.message.seq).map_or(0, |lease| lease.count)
    }

    /// Logs leases and removals, then applies them (R2).
    fn hand_out(
        &mut self,
        setting: Setting<'_>,
        wanted: &Wanted,
        taken: Vec<Taken>,
        dead: Vec<Taken>,
        mut grave: Option<&mut Grave<'_>>,
    ) -> Result<Vec<Message>> {
        let Setting { core, store, now, .. } = setting;
        if taken.is_empty() && dead.is_empty() {
            return Ok(Vec::new());
        }
        let visibility = u64::from(wanted.visibility.unwrap_or(self.live.settings.visibility));
        let until = now + Duration::from_secs(visibility);
        let leases: Vec<Lease> = taken.iter().map(|next| self.lease_of(setting, next, until)).collect();
        let mut batch = store.batch();
        let mut moved = Vec::new();
        let logged = (|| {
            for (next, lease) in taken.iter().zip(&leases) {
                let record = lease.record(next.message.group.clone()).encode();
                batch.put_in(self.spaces.leases.id(), &keys::number(next.message.seq), &record)?;
            }
            if let Some(grave) = &mut grave {
                moved = self.bury(core, store, now, &dead, grave, &mut batch)?;
            }
            store.commit(batch)
        })();
        match logged {
            Ok(pending) => pending.forget(),
            Err(error) => {
                self.put_back(taken);
                self.put_back(dead);
                return Err(error.into());
            }
        }
        let messages = self.lend(&core.identity, taken, leases, now);
        for next in dead {
            self.index.remove(next.message.seq, next.message.group.as_deref());
        }
        if let Some(grave) = grave {
            grave.take_in(moved);
        }
        if let Some(id) = &wanted.attempt_id
            && !messages.is_empty()
        {
            let given = messages.iter().filter_map(|message| self.delivery(message.stored.seq));
            let given = given.collect();
            self.attempts.remember(id, given, now);
        }
        Ok(messages)
    }

    /// The lease of a message about to be received.
    fn lease_of(&self, setting: Setting<'_>, taken: &Taken, until: Timestamp) -> Lease {
        let now = setting.now;
        let known = self.index.leases.get(&taken.message.seq);
        let (store, identity) = (setting.store, &setting.core.identity);
        let is_twice = !identity.is_fifo
            && (chance(store, setting.dials.duplicates_per_mille)
                || store.plan().duplicates(&identity.name, now));
        Lease {
            lane: taken.lane,
            until: if is_twice { now } else { until },
            received: now,
            first_received: known.map_or(now, |lease| lease.first_received),
            count: known.map_or(1, |lease| lease.count.saturating_add(1)),
            is_in_flight: false,
        }
    }

    fn lend(
        &mut self,
        identity: &Identity,
        taken: Vec<Taken>,
        leases: Vec<Lease>,
        now: Timestamp,
    ) -> Vec<Message> {
        let mut messages = Vec::with_capacity(taken.len());
        for (next, lease) in taken.into_iter().zip(leases) {
            messages.push(deliver(identity, &next.message, Some(&lease)));
            self.index.lease(next.message.seq, lease, now);
        }
        messages
    }

    /// What a receive request attempt got when it was made before, made invisible anew.
    fn repeat(&mut self, setting: Setting<'_>, wanted: &Wanted) -> Result<Option<Vec<Message>>> {
        let Setting { core, store, now, .. } = setting;
        let Some(id) = &wanted.attempt_id else { return Ok(None) };
        let Some(given) = self.attempts.find(id, now).map(<[_]>::to_vec) else { return Ok(None) };
        if given.iter().any(|given| self.delivery(given.seq) != Some(*given) || given.until <= now) {
            return Ok(None);
        }
        let visibility = u64::from(wanted.visibility.unwrap_or(self.live.settings.visibility));
        let until = now + Duration::from_secs(visibility);
        let mut batch = store.batch();
        let mut messages = Vec::new();
        for delivery in &given {
            let Some(lease) = self.index.leases.get(&delivery.seq) else { return Ok(None) };
            let group = self.index.lanes[lease.lane].group.clone();
            let Some(message) = self.read(core, store, delivery.seq, group.as_ref())? else {
                return Ok(None);
            };
            let lease = Lease { until, ..lease.clone() };
            self.put_lease(&mut batch, delivery.seq, &lease)?;
            messages.push(deliver(&core.identity, &message, Some(&lease)));
        }
        store.commit(batch)?.forget();
        for delivery in &given {
            self.index.extend(delivery.seq, until, now);
        }
        let given = given.into_iter().map(|delivery| Delivery { until, ..delivery }).collect();
        self.attempts.remember(id, given, now);
        Ok(Some(messages))
    }

    fn delivery(&self, seq: u64) -> Option<Delivery> {
        let lease = self.index.leases.get(&seq)?;
        Some(Delivery { seq, received: lease.received, count: lease.count, until: lease.until })
    }

    pub(super) fn put_lease(&self, batch: &mut Batch, seq: u64, lease: &Lease) -> crate::Result<()> {
        let group = self.index.lanes.get(lease.lane).and_then(|lane| lane.group.clone());
        batch.put_in(self.spaces.leases.id(), &keys::number(seq), &lease.record(group).encode())
    }

    /// As a dial says: some messages come before an older one.
    fn reorder(&mut self, setting: Setting<'_>, taken: &mut [Taken], cursor: &mut Cursor) -> Result<()> {
        let Setting { core, store, dials, now } = setting;
        if core.identity.is_fifo || (dials.reorder_per_mille == 0 && !store.plan().is_armed()) {
            return Ok(());
        }
        for place in taken {
            if !chance(store, dials.reorder_per_mille) && !store.plan().reorders(&core.identity.name, now) {
                continue;
            }
            if let Some(mut other) = self.take(&core.identity, store, now, cursor)? {
                // One that was received before may be due to be given up: it stays in its place.
                if self.receive_count(&other) == 0 {
                    std::mem::swap(place, &mut other);
                }
                self.put_back(vec![other]);
            }
        }
        Ok(())
    }

    /// Counts a request against the rate of the service, if a dial says so.
    pub(super) fn throttle(
        &mut self,
        core: &Core,
        dials: &Dials,
        action: Action,
        now: Timestamp,
    ) -> Result<()> {
        if !dials.throttle || !core.identity.is_fifo {
            return Ok(());
        }
        self.throttle.count(action, "", now)
    }
}

/// Does something happen that does so `per_mille` times of a thousand?
fn chance(store: &Store, per_mille: u16) -> bool {
    per_mille > 0 && store.random().below(1000) < u64::from(per_mille)
}

/// A message as a receiver gets it; without a lease, as somebody sees it who only looks.
pub(super) fn deliver(identity: &Identity, message: &Shared, lease: Option<&Lease>) -> Message {
    let origin = message.origin.as_deref();
    let group = message.group.as_deref().unwrap_or_default();
    let receipt =
        lease.map(|lease| receipt::encode(identity.salt, message.seq, lease.received, lease.count, group));
    // A standard dead-letter queue counts from when a message was first sent, a FIFO one from when it came.
    let sent = origin.filter(|_| !identity.is_fifo).map_or(keys::time_of(message.seq), |origin| origin.sent);
    Message {
        id: origin.map_or_else(|| identify::message_id(identity.salt, message.seq), |origin| origin.id),
        is_fifo: identity.is_fifo,
        sent,
        receive_count: lease.map_or(0, |lease| lease.count) + origin.map_or(0, |origin| origin.receive_count),
        first_received: origin
            .map(|origin| origin.first_received)
            .or_else(|| lease.map(|lease| lease.first_received)),
        receipt: receipt.unwrap_or_default(),
        sender: Arc::clone(&identity.account),
        arns: Arc::clone(&identity.arns),
        stored: message.clone(),
    }
}
