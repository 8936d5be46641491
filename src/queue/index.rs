//! What a queue knows of its messages without reading them: which are in flight, delayed, read ahead, and whose turn it is.
//!
//! I1. Everything here follows from the keyspaces and the clock; `load` builds it. What is read ahead is bounded, the rest
//!     grows with messages that are in flight or delayed, or came back from it, with groups, and with the deduplication
//!     window.
//! I2. A lane stands in `ready` exactly if `Lane::is_ready`; lanes are served in that order. In a FIFO queue it is the order
//!     in which their next messages were sent, or came back from being in flight, as far as those were read; in a
//!     standard one those with fewer messages in flight come first, then those that were served longest ago, so that no
//!     group waits for another's backlog.
//! I3. Nothing here writes: verbs change the keyspaces first, then this.

use crate::Timestamp;
use crate::queue::keys;
use crate::queue::lane::{Lane, NOTHING};
use crate::queue::record::{Counts, LeaseRecord};
use crate::queue::stored::Shared;
use crate::queue::tokens::Tokens;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Messages and bytes of bodies that are kept in memory from sending to receiving.
const CACHED_MAX: usize = 4096;
const CACHED_LEN_MAX: usize = 4 << 20;
/// How many delays that have ended make clearing the keyspace worth it.
const STALE_MAX: usize = 1024;

/// The last delivery of a message that was received and is still there. One that was ended before its time ends where it
/// began.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) lane: usize,
    pub(super) until: Timestamp,
    pub(super) received: Timestamp,
    pub(super) first_received: Timestamp,
    pub(super) count: u32,
    pub(super) is_in_flight: bool,
}

impl Lease {
    /// Was it ended by somebody, and not by the clock?
    pub(super) fn is_given_back(&self) -> bool {
        self.until <= self.received
    }

    pub(super) fn record(&self, group: Option<Arc<str>>) -> LeaseRecord {
        LeaseRecord {
            group,
            until: self.until,
            received: self.received,
            first_received: self.first_received,
            count: self.count,
        }
    }
}

/// What is known of a queue's messages.
#[derive(Debug)]
pub(super) struct Index {
    is_fifo: bool,
    pub(super) lanes: Vec<Lane>,
    free: Vec<usize>,
    by_group: BTreeMap<Arc<str>, usize>,
    /// Lanes that are ready (I2).
    ready: BTreeSet<Place>,
    turn: u64,
    pub(super) leases: BTreeMap<u64, Lease>,
    /// (end, message): messages in flight.
    pub(super) timers: BTreeSet<(Timestamp, u64)>,
    /// (due, message): delayed messages of a standard queue.
    pub(super) delays: BTreeSet<(Timestamp, u64)>,
    delayed: BTreeMap<u64, (Timestamp, usize)>,
    /// Delays that have ended and may still be in the keyspace.
    stale_delays: usize,
    /// (due, lane): lanes of a FIFO queue whose first message is delayed.
    waiting: BTreeSet<(Timestamp, usize)>,
    /// (no message is older, lane): where retention looks.
    ages: BTreeSet<(u64, usize)>,
    pub(super) counts: Counts,
    pub(super) tokens: Tokens,
    cached: usize,
    cached_len: usize,
}

/// Where a lane stands in the order of those that are ready: how many are in flight, the turn, and its number. In a FIFO
/// queue, the message sent last before its next one was ready, and 0 if that is the next one itself, or else the turn in
/// which that came back.
pub(super) type Place = (u64, u64, usize);

/// The lane of messages without a group.
pub(super) const PLAIN: usize = 0;

impl Index {
    pub(super) fn new(is_fifo: bool) -> Self {
        Self {
            is_fifo,
            lanes: vec![Lane::new(None)],
            free: Vec::new(),
            by_group: BTreeMap::new(),
            ready: BTreeSet::new(),
            turn: 0,
            leases: BTreeMap::new(),
            timers: BTreeSet::new(),
            delays: BTreeSet::new(),
            delayed: BTreeMap::new(),
            stale_delays: 0,
            waiting: BTreeSet::new(),
            ages: BTreeSet::new(),
            counts: Counts::default(),
            tokens: Tokens::default(),
            cached: 0,
            cached_len: 0,
        }
    }

    /// The number of a message sent now.
    pub(super) fn next_number(&self, now: Timestamp) -> u64 {
        keys::first_number(now).max(self.counts.last + 1)
    }

    /// The lane of a group, if it has one.
    pub(super) fn find_lane(&self, group: Option<&str>) -> Option<usize> {
        group.map_or(Some(PLAIN), |group| self.by_group.get(group).copied())
    }

    /// The lane of a group; a new one if it has none.
    pub(super) fn lane_of(&mut self, group: Option<&Arc<str>>) -> usize {
        let Some(group) = group else { return PLAIN };
        if let Some(lane) = self.by_group.get(group) {
            return *lane;
        }
        let mut lane = Lane::new(Some(Arc::clone(group)));
        lane.turn = self.turn;
        let at = self.free.pop().unwrap_or(self.lanes.len());
        if at == self.lanes.len() {
            self.lanes.push(lane);
        } else {
            self.lanes[at] = lane;
        }
        self.by_group.insert(Arc::clone(group), at);
        at
    }

    /// The group as its lane has it, so that many messages share one text.
    pub(super) fn share(&self, group: String) -> Arc<str> {
        match self.by_group.get_key_value(group.as_str()) {
            Some((shared, _)) => Arc::clone(shared),
            None => group.into(),
        }
    }

    /// Lanes with messages, in the order of their groups.
    pub(super) fn occupied(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().take(1).chain(self.by_group.values().map(|lane| &self.lanes[*lane]))
    }

    /// How many messages are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.timers.len()
    }

    /// Messages that are there, in whatever state.
    pub(super) fn len(&self) -> u64 {
        self.counts.taken.saturating_sub(self.counts.gone)
    }

    /// Is the message in flight or delayed?
    pub(super) fn is_held(&self, seq: u64) -> bool {
        self.delayed.contains_key(&seq) || self.leases.get(&seq).is_some_and(|lease| lease.is_in_flight)
    }

    /// When a delayed message of a standard queue is due.
    pub(super) fn due_of(&self, seq: u64) -> Option<Timestamp> {
        self.delayed.get(&seq).map(|(due, _)| *due)
    }

    /// The lane whose turn it is, of those behind a place in the order.
    pub(super) fn next_lane(&self, behind: Option<Place>) -> Option<Place> {
        match behind {
            None => self.ready.first().copied(),
            Some((weight, turn, lane)) => self.ready.range((weight, turn, lane + 1)..).next().copied(),
        }
    }

    /// Puts a lane where it belongs in the order (I2).
    pub(super) fn rank(&mut self, at: usize) {
        let crowded = !self.is_fifo && !self.by_group.is_empty();
        let lane = &mut self.lanes[at];
        let wanted = lane.is_ready().then(|| match lane.rank {
            Some(rank) if self.is_fifo => rank,
            None if self.is_fifo => lane.place_in_line(),
            _ if crowded => (lane.in_flight as u64, lane.turn),
            _ => (0, 0),
        });
        if wanted == lane.rank {
            return;
        }
        self.unrank(at);
        if let Some((weight, turn)) = wanted {
            self.ready.insert((weight, turn, at));
        }
        self.lanes[at].rank = wanted;
    }

    /// A lane of a FIFO queue whose next message has been read: moves it to where that was sent, if it was taken to have been
    /// sent earlier.
    pub(super) fn rank_as_read(&mut self, at: usize) -> bool {
        let lane = &self.lanes[at];
        let is_too_early = lane.rank.is_some_and(|rank| rank.1 == 0 && rank < lane.place_in_line());
        if is_too_early {
            self.unrank(at);
            self.rank(at);
        }
        is_too_early
    }

    /// All lanes in the order of their first messages, as after loading.
    pub(super) fn order_lanes(&mut self) {
        self.ready.clear();
        let lanes: Vec<usize> = self.ages.iter().map(|(_, lane)| *lane).collect();
        for at in lanes {
            self.lanes[at].rank = None;
            self.rank(at);
        }
    }

    /// A standard queue's lane was served: the others come first now.
    pub(super) fn served(&mut self, at: usize) {
        if !self.is_fifo && !self.by_group.is_empty() {
            self.turn += 1;
            self.lanes[at].turn = self.turn;
        }
        self.rank(at);
    }

    /// A message was sent, or came from another queue. With `due` it is delayed until then.
    pub(super) fn insert(&mut self, message: &Shared, due: Option<Timestamp>) {
        let seq = message.seq;
        let at = self.lane_of(message.group.as_ref());
        let has_room = self.cached < CACHED_MAX && self.cached_len < CACHED_LEN_MAX;
        let lane = &mut self.lanes[at];
        if seq <= lane.read_to {
            self.cached -= lane.cache.len();
            self.cached_len -= lane.cache.iter().map(|message| message.body.as_bytes().len()).sum::<usize>();
            lane.rewind(seq - 1);
        } else if lane.is_read() && (due.is_some() || has_room) {
            lane.read_to = seq;
            if due.is_none() {
                self.cached += 1;
                self.cached_len += message.body.as_bytes().len();
                lane.cache.push_back(message.clone());
            }
        }
        lane.tail = lane.tail.max(seq);
        self.counts.taken = self.counts.taken.max(message.ordinal);
        self.counts.last = self.counts.last.max(seq);
        if seq < self.lanes[at].oldest {
            self.set_oldest(at, seq);
        }
        if let Some(due) = due {
            self.delay(at, seq, due);
        }
        self.rank(at);
    }

    pub(super) fn delay(&mut self, at: usize, seq: u64, due: Timestamp) {
        self.delays.insert((due, seq));
        self.delayed.insert(seq, (due, at));
        self.lanes[at].delayed += 1;
    }

    /// Takes in what was read behind `read_to`, up to `end`.
    pub(super) fn read(&mut self, at: usize, messages: Vec<Shared>, end: u64) {
        self.cached += messages.len();
        self.cached_len += messages.iter().map(|message| message.body.as_bytes().len()).sum::<usize>();
        let lane = &mut self.lanes[at];
        lane.cache.extend(messages);
        lane.read_to = end;
    }

    /// Takes the first message that was read ahead.
    pub(super) fn pop_cached(&mut self, at: usize) -> Option<Shared> {
        let message = self.lanes[at].cache.pop_front()?;
        self.cached -= 1;
        self.cached_len -= message.body.as_bytes().len();
        Some(message)
    }

    /// What was taken and not leased is ready again (N1), as if its lane had not been served since `turn`.
    pub(super) fn put_back(&mut self, at: usize, seq: u64, turn: u64) {
        let lane = &mut self.lanes[at];
        lane.returned.insert(seq);
        lane.turn = lane.turn.min(turn);
        self.rank(at);
    }

    /// A message that was taken is leased.
    pub(super) fn lease(&mut self, seq: u64, mut lease: Lease, now: Timestamp) {
        let (at, until) = (lease.lane, lease.until);
        lease.is_in_flight = until > now;
        self.leases.insert(seq, lease);
        if until > now {
            self.hold(at, seq, until);
        } else {
            self.give_back(at, seq);
            // A group that had its turn is behind those that wait, though nothing of it is in flight.
            self.unrank(at);
        }
        self.rank(at);
    }

    /// A message is not in flight any more.
    fn give_back(&mut self, at: usize, seq: u64) {
        self.lanes[at].give_back(seq);
        if self.is_fifo {
            self.turn += 1;
            self.lanes[at].came_back = (self.counts.last, self.turn);
        }
    }

    fn unrank(&mut self, at: usize) {
        if let Some((weight, turn)) = self.lanes[at].rank.take() {
            self.ready.remove(&(weight, turn, at));
        }
    }

    fn hold(&mut self, at: usize, seq: u64, until: Timestamp) {
        self.timers.insert((until, seq));
        let lane = &mut self.lanes[at];
        lane.in_flight += 1;
        if self.is_fifo {
            lane.locked.insert(seq);
        }
    }

    fn unhold(&mut self, at: usize, seq: u64, until: Timestamp) {
        self.timers.remove(&(until, seq));
        let lane = &mut self.lanes[at];
        lane.in_flight -= 1;
        if self.is_fifo {
            lane.locked.remove(&seq);
        }
    }

    /// The end of a lease is another, perhaps now.
    pub(super) fn extend(&mut self, seq: u64, until: Timestamp, now: Timestamp) {
        let Some(lease) = self.leases.get_mut(&seq).filter(|lease| lease.is_in_flight) else { return };
        let (at, before) = (lease.lane, lease.until);
        (lease.until, lease.is_in_flight) = (until, until > now);
        self.unhold(at, seq, before);
        if until > now {
            self.hold(at, seq, until);
        } else {
            self.give_back(at, seq);
        }
        self.rank(at);
    }

    /// A message is gone, in whatever state it was. `group` where no lease knows it.
    pub(super) fn remove(&mut self, seq: u64, group: Option<&str>) {
        self.counts.gone += 1;
        let lease = self.leases.remove(&seq);
        let at = lease.as_ref().map(|lease| lease.lane).or_else(|| self.find_lane(group));
        let Some(at) = at else { return };
        if let Some(lease) = lease.filter(|lease| lease.is_in_flight) {
            self.unhold(at, seq, lease.until);
        } else if let Some((due, _)) = self.delayed.remove(&seq) {
            self.delays.remove(&(due, seq));
            self.lanes[at].delayed -= 1;
        } else {
            self.forget(at, seq);
        }
        self.rank(at);
        self.retire(at);
    }

    fn forget(&mut self, at: usize, seq: u64) {
        let lane = &mut self.lanes[at];
        let found = lane.cache.binary_search_by_key(&seq, |message| message.seq);
        if let Some(message) = found.ok().map(|index| &lane.cache[index]) {
            self.cached -= 1;
            self.cached_len -= message.body.as_bytes().len();
        }
        lane.forget(seq);
    }

    /// Gives up the lane of a group without messages.
    pub(super) fn retire(&mut self, at: usize) {
        if at == PLAIN || !self.lanes[at].is_done() {
            return;
        }
        self.set_oldest(at, NOTHING);
        if let Some((due, _)) = self.lanes[at].due.take() {
            self.waiting.remove(&(due, at));
        }
        self.rank(at);
        if let Some(group) = self.lanes[at].group.take() {
            self.by_group.remove(&group);
            self.free.push(at);
        }
    }

    pub(super) fn set_oldest(&mut self, at: usize, oldest: u64) {
        let known = std::mem::replace(&mut self.lanes[at].oldest, oldest);
        self.ages.remove(&(known, at));
        if oldest != NOTHING {
            self.ages.insert((oldest, at));
        }
    }

    /// The lane that may have the oldest message, and what is not older than it.
    pub(super) fn oldest(&self) -> Option<(u64, usize)> {
        self.ages.first().copied()
    }

    /// A message of a FIFO lane, and so all behind it, is delayed until `due`.
    pub(super) fn wait(&mut self, at: usize, seq: u64, due: Timestamp) {
        if let Some((before, _)) = self.lanes[at].due.replace((due, seq)) {
            self.waiting.remove(&(before, at));
        }
        self.waiting.insert((due, at));
        self.rank(at);
    }

    /// The delay of a FIFO queue was changed: every lane is looked at anew.
    pub(super) fn stop_waiting(&mut self) {
        for (_, at) in std::mem::take(&mut self.waiting) {
            self.lanes[at].due = None;
            self.rank(at);
        }
    }

    /// What the clock brings about: leases and delays end.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some(&(until, seq)) = self.timers.first().filter(|(until, _)| *until <= now) {
            self.start_lanes(until);
            if let Some(lease) = self.leases.get_mut(&seq) {
                lease.is_in_flight = false;
                let at = lease.lane;
                self.unhold(at, seq, until);
                self.give_back(at, seq);
                self.rank(at);
            } else {
                self.timers.pop_first();
            }
        }
        while let Some(&(due, seq)) = self.delays.first().filter(|(due, _)| *due <= now) {
            self.delays.remove(&(due, seq));
            self.stale_delays += 1;
            if let Some((_, at)) = self.delayed.remove(&seq) {
                let lane = &mut self.lanes[at];
                lane.delayed -= 1;
                lane.give_back(seq);
                self.rank(at);
            }
        }
        self.start_lanes(now);
    }

    fn start_lanes(&mut self, now: Timestamp) {
        while let Some(&(due, at)) = self.waiting.first().filter(|(due, _)| *due <= now) {
            self.waiting.remove(&(due, at));
            self.lanes[at].due = None;
            self.rank(at);
        }
    }

    /// Before which the keyspace of delays may be cleared, if it is worth it.
    pub(super) fn delay_floor(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.stale_delays < STALE_MAX {
            return None;
        }
        self.stale_delays = 0;
        Some(self.delays.first().map_or(now, |(due, _)| *due))
    }

    /// When the clock next makes a message ready.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let timer = self.timers.first().map(|(until, _)| *until);
        let delay = self.delays.first().map(|(due, _)| *due);
        let lane = self.waiting.first().map(|(due, _)| *due);
        [timer, delay, lane].into_iter().flatten().min()
    }
}
