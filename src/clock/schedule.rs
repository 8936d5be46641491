//! Who waits for which moment: the alarms of one clock, in the order they ring.

use super::Timestamp;
use std::{collections::BTreeMap, task::Waker};

/// Names a registered alarm: deadline first, then the order of registration.
pub(super) type Key = (Timestamp, u64);

#[derive(Debug)]
pub(super) struct Schedule {
    alarms: BTreeMap<Key, Waker>,
    registered: u64,
}

impl Schedule {
    pub(super) const fn new() -> Self {
        Self { alarms: BTreeMap::new(), registered: 0 }
    }

    pub(super) fn add(&mut self, deadline: Timestamp, waker: Waker) -> Key {
        let key = (deadline, self.registered);
        self.registered += 1;
        self.alarms.insert(key, waker);
        key
    }

    /// Gives the waker back, for the caller to drop outside its lock (C4); none if the alarm has rung.
    pub(super) fn remove(&mut self, key: Key) -> Option<Waker> {
        self.alarms.remove(&key)
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.alarms.first_key_value().map(|(&(deadline, _), _)| deadline)
    }

    /// Takes out the first alarm if its deadline is not after `now`.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, Waker)> {
        let first = self.alarms.first_entry()?;
        let (deadline, _) = *first.key();
        (deadline <= now).then(|| (deadline, first.remove()))
    }
}
