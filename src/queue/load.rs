//! From keyspaces to the index: what is in flight, delayed or within the deduplication window is read, of the others only
//! where each group begins and ends.

use crate::error::Result;
use crate::queue::core::{Identity, State, checked, malformed};
use crate::queue::index::{Index, Lease};
use crate::queue::keys;
use crate::queue::record::{self, Counts, LeaseRecord};
use crate::queue::task::Task;
use crate::queue::tokens::{Token, Tokens};
use crate::{Store, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

impl State {
    /// Builds the index (I1).
    pub(super) fn load(&mut self, identity: &Identity, store: &Store, now: Timestamp) -> Result<()> {
        let mut index = Index::new(identity.is_fifo);
        if let Some(counts) = self.spaces.facts.get(store, keys::COUNTS)? {
            index.counts = checked(Counts::decode(&counts), identity)?;
        }
        self.load_lanes(&mut index, identity, store)?;
        self.load_leases(&mut index, identity, store, now)?;
        self.load_delays(&mut index, identity, store, now)?;
        if identity.is_fifo {
            self.load_tokens(&mut index, identity, store, now)?;
        }
        index.order_lanes();
        self.tasks = load_tasks(self, identity, store)?;
        store.raise_clock(keys::time_of(index.counts.last));
        self.index = index;
        Ok(())
    }

    /// Hops from group to group: the first message of each, and the last.
    fn load_lanes(&self, index: &mut Index, identity: &Identity, store: &Store) -> Result<()> {
        let mut from = Vec::new();
        let messages = &self.spaces.messages;
        loop {
            let mut range = messages.range(store, from.as_slice()..);
            if !range.advance()? {
                return Ok(());
            }
            let Some((group, first)) = keys::parse_message(range.key()) else {
                return Err(malformed(&identity.name, "key of a message", "group and number", "other bytes"));
            };
            let shared: Option<Arc<str>> = (!group.is_empty()).then(|| group.into());
            let start = keys::message(group, 0);
            let behind = keys::behind_group(group);
            let mut back = messages.range(store, start.as_ref()..behind.as_slice());
            let Some((key, value)) = back.next_back().transpose()? else {
                return Err(malformed(&identity.name, "last message of a group", "one", "none"));
            };
            let last = keys::parse_message(&key).map_or(first, |(_, last)| last);
            let lane = index.lane_of(shared.as_ref());
            index.lanes[lane].tail = last;
            index.set_oldest(lane, first);
            let ordinal = checked(record::decode_ordinal(&value), identity)?;
            index.counts.taken = index.counts.taken.max(ordinal);
            index.counts.last = index.counts.last.max(last);
            from = behind;
        }
    }

    fn load_leases(
        &self,
        index: &mut Index,
        identity: &Identity,
        store: &Store,
        now: Timestamp,
    ) -> Result<()> {
        let mut range = self.spaces.leases.range::<&[u8]>(store, ..);
        while range.advance()? {
            let Some(seq) = keys::parse_number(range.key()) else {
                return Err(malformed(&identity.name, "key of a lease", "a number", "other bytes"));
            };
            let record = checked(LeaseRecord::decode(&range.value()?), identity)?;
            let Some(lane) = index.find_lane(record.group.as_deref()) else { continue };
            index.counts.last = index.counts.last.max(seq);
            let LeaseRecord { until, received, first_received, count, .. } = record;
            let lease = Lease { lane, until, received, first_received, count, is_in_flight: false };
            index.lease(seq, lease, now);
        }
        Ok(())
    }

    fn load_delays(
        &self,
        index: &mut Index,
        identity: &Identity,
        store: &Store,
        now: Timestamp,
    ) -> Result<()> {
        let from = keys::delay(now, u64::MAX);
        let mut range = self.spaces.delays.range(store, &from[..]..);
        while range.advance()? {
            let Some((due, seq)) = keys::parse_delay(range.key()) else {
                return Err(malformed(&identity.name, "key of a delay", "time and number", "other bytes"));
            };
            let group = checked(record::decode_group(&range.value()?), identity)?;
            // One that expired before it was due has no lane any more, or is not in it.
            let lane = index.find_lane(group.as_deref());
            let is_there =
                |lane: &usize| (index.lanes[*lane].oldest..=index.lanes[*lane].tail).contains(&seq);
            if let Some(lane) = lane.filter(is_there) {
                index.delay(lane, seq, due);
            }
        }
        Ok(())
    }

    fn load_tokens(
        &self,
        index: &mut Index,
        identity: &Identity,
        store: &Store,
        now: Timestamp,
    ) -> Result<()> {
        let from = keys::number(Tokens::start(now));
        let mut range = self.spaces.tokens.range(store, &from[..]..);
        while range.advance()? {
            let Some(seq) = keys::parse_number(range.key()) else {
                return Err(malformed(&identity.name, "key of a token", "a number", "other bytes"));
            };
            index.tokens.insert(seq, checked(Token::decode(&range.value()?), identity)?);
            index.counts.last = index.counts.last.max(seq);
        }
        Ok(())
    }
}

/// The move tasks that are known.
pub(super) fn load_tasks(state: &State, identity: &Identity, store: &Store) -> Result<BTreeMap<u64, Task>> {
    let mut tasks = BTreeMap::new();
    let mut range = state.spaces.facts.prefix(store, keys::TASK);
    while range.advance()? {
        let number = range.key().get(1..).and_then(keys::parse_number);
        let task = checked(Task::decode(&range.value()?), identity)?;
        tasks.insert(number.unwrap_or_default(), task);
    }
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use crate::Store;
    use crate::queue::{BatchEntry, SendMessage};

    /// Messages in memory, and of those that are not: nothing.
    fn loaded(backlog: usize) -> (usize, usize, usize, u64) {
        let store = Store::in_memory();
        let queue = store.queues().create("queue").unwrap();
        for _ in 0..backlog / 10 {
            let entries = (0..10).map(|n| BatchEntry::new(n.to_string(), SendMessage::new("x")));
            queue.send_batch(entries.collect()).unwrap();
        }
        assert_eq!(queue.receive(5).unwrap().len(), 5);
        let fork = store.fork().unwrap();
        let copy = fork.queues().get("queue").unwrap();
        let state = copy.core.lock(&fork, fork.now()).unwrap();
        let lanes = || state.index.lanes.iter();
        let cached = lanes().map(|lane| lane.cache.len() + lane.returned.len()).sum();
        (cached, state.index.leases.len(), lanes().count(), state.index.len() - backlog as u64)
    }

    #[test]
    fn what_is_loaded_does_not_grow_with_the_backlog() {
        assert_eq!(loaded(100), (0, 5, 1, 0));
        assert_eq!(loaded(20_000), loaded(100));
    }
}
