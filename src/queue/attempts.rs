//! Receive request attempts: what a FIFO queue gave to whom, so that the same request gets the same answer.
//!
//! Kept in memory only: after a crash or a reopening an attempt is a new one, as it is after five minutes.

use crate::Timestamp;
use crate::queue::limits::DEDUPLICATION_WINDOW;
use std::collections::{BTreeMap, VecDeque};

/// A message that was delivered: its number, and the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) seq: u64,
    pub(super) received: Timestamp,
    pub(super) count: u32,
    pub(super) until: Timestamp,
}

/// Attempts of the last five minutes.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    given: BTreeMap<String, (Timestamp, Vec<Delivery>)>,
    order: VecDeque<(Timestamp, String)>,
}

impl Attempts {
    /// What was given to this attempt.
    pub(super) fn find(&mut self, id: &str, now: Timestamp) -> Option<&[Delivery]> {
        self.forget(now);
        self.given.get(id).map(|(_, deliveries)| deliveries.as_slice())
    }

    pub(super) fn remember(&mut self, id: &str, deliveries: Vec<Delivery>, now: Timestamp) {
        self.forget(now);
        self.order.push_back((now, id.to_owned()));
        self.given.insert(id.to_owned(), (now, deliveries));
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((at, id)) = self.order.pop_front_if(|(at, _)| *at + DEDUPLICATION_WINDOW <= now) {
            if self.given.get(&id).is_some_and(|(given, _)| *given == at) {
                self.given.remove(&id);
            }
        }
    }
}
