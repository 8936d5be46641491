//! One group's messages, in order: what of them is in memory, and how far.
//!
//! Messages without a group are a lane as well. A message is *ready* if it is there, not in flight and not delayed.
//!
//! N1. Ready messages up to `read_to` are in `returned` or in `cache`, in one of them; those above are in the keyspace
//!     only. So the next one is the first of `returned`, of `cache`, of the keyspace behind `read_to`, in this order.
//! N2. A lane of a FIFO queue gives out only what is before its first message in flight.

use crate::Timestamp;
use crate::queue::stored::Shared;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Above every message.
pub(super) const NOTHING: u64 = u64::MAX;

/// The messages of a group.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) group: Option<Arc<str>>,
    /// Read ahead, in order.
    pub(super) cache: VecDeque<Shared>,
    /// Came back to what was read already: a lease or a delay ended.
    pub(super) returned: BTreeSet<u64>,
    pub(super) in_flight: usize,
    /// Those in flight, in a FIFO queue.
    pub(super) locked: BTreeSet<u64>,
    pub(super) delayed: usize,
    /// How far the keyspace was read.
    pub(super) read_to: u64,
    /// The last message there ever was.
    pub(super) tail: u64,
    /// No message is before this one; `NOTHING` if there is none.
    pub(super) oldest: u64,
    /// Its place among the lanes that are ready.
    pub(super) rank: Option<(u64, u64)>,
    /// When it was served last, in turns.
    pub(super) turn: u64,
    /// In a FIFO queue: where it stands since a message came back to it last.
    pub(super) came_back: (u64, u64),
    /// In a FIFO queue with a delay: a message that is not due yet, and when it is.
    pub(super) due: Option<(Timestamp, u64)>,
    /// Some that expired were passed over, and may be in the keyspace until they are swept.
    pub(super) has_expired: bool,
}

impl Lane {
    pub(super) fn new(group: Option<Arc<str>>) -> Self {
        Self {
            group,
            cache: VecDeque::new(),
            returned: BTreeSet::new(),
            in_flight: 0,
            locked: BTreeSet::new(),
            delayed: 0,
            read_to: 0,
            tail: 0,
            oldest: NOTHING,
            rank: None,
            turn: 0,
            came_back: (0, 0),
            due: None,
            has_expired: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        self.group.as_deref().unwrap_or_default()
    }

    /// Has everything been read?
    pub(super) fn is_read(&self) -> bool {
        self.read_to >= self.tail
    }

    /// The next ready message that is known without reading (N1).
    pub(super) fn next_known(&self) -> Option<u64> {
        let cached = self.cache.front().map(|message| message.seq);
        let returned = self.returned.first().copied();
        returned.into_iter().chain(cached).min()
    }

    /// Where it belongs in a FIFO queue: where its next message was sent, or came back. Of a message that was not read yet
    /// it is not known how late it was sent.
    pub(super) fn place_in_line(&self) -> (u64, u64) {
        match self.next_known() {
            Some(seq) if self.returned.contains(&seq) => self.came_back,
            Some(seq) => (seq, 0),
            None => (self.oldest.max(self.read_to + 1), 0),
        }
    }

    /// May it have a message to give out (N2)? Whether one behind `read_to` is there takes a look.
    pub(super) fn is_ready(&self) -> bool {
        let next = match self.next_known() {
            Some(seq) => seq,
            None if self.is_read() => return false,
            None => self.read_to + 1,
        };
        self.due.is_none_or(|(_, waits)| next < waits)
            && self.locked.first().is_none_or(|first| next < *first)
    }

    /// Nothing is left that anybody could ask it for, or that is to be swept.
    pub(super) fn is_done(&self) -> bool {
        self.cache.is_empty()
            && self.returned.is_empty()
            && self.in_flight == 0
            && self.delayed == 0
            && !self.has_expired
            && self.is_read()
    }

    /// A message that is not in flight any more, or not delayed, is ready: here, or found by reading on (N1).
    pub(super) fn give_back(&mut self, seq: u64) {
        if seq <= self.read_to {
            self.returned.insert(seq);
        }
    }

    /// A ready message is gone.
    pub(super) fn forget(&mut self, seq: u64) {
        if !self.returned.remove(&seq)
            && let Ok(at) = self.cache.binary_search_by_key(&seq, |message| message.seq)
        {
            self.cache.remove(at);
        }
    }

    /// Reads again from behind `seq` on: a message came in between.
    pub(super) fn rewind(&mut self, seq: u64) {
        self.cache.clear();
        self.returned.split_off(&(seq + 1));
        self.read_to = seq;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::message::{Attributes, Text};
    use crate::queue::stored::Stored;

    fn message(seq: u64) -> Shared {
        Shared::from(Stored {
            seq,
            ordinal: 0,
            group: None,
            deduplication_id: None,
            trace: None,
            attributes: Attributes::new(),
            body: Text::from("x"),
            large: None,
            origin: None,
        })
    }

    #[test]
    fn what_came_back_is_before_what_was_read_ahead() {
        let mut lane = Lane::new(None);
        (lane.read_to, lane.tail) = (9, 9);
        lane.cache.extend([7, 9].map(message));
        assert_eq!(lane.next_known(), Some(7));
        lane.give_back(3);
        lane.give_back(11);
        assert_eq!(lane.next_known(), Some(3), "11 is found by reading");
        lane.forget(3);
        lane.forget(7);
        assert_eq!(lane.next_known(), Some(9));
        lane.rewind(4);
        assert!(lane.next_known().is_none() && lane.is_ready() && !lane.is_done());
    }

    #[test]
    fn a_group_gives_out_what_is_before_its_first_in_flight() {
        let mut lane = Lane::new(Some("g".into()));
        (lane.read_to, lane.tail) = (9, 9);
        lane.locked.extend([5, 6]);
        lane.cache.push_back(message(9));
        assert!(!lane.is_ready());
        lane.give_back(4);
        assert!(lane.is_ready());
    }
}
