//! Which messages a receive gets: from the lane whose turn it is, in order, without what has expired.
//!
//! What is taken is out of the index until it is leased, given up, or put back.

use crate::Store;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::queue::core::{Identity, State, checked};
use crate::queue::index::Place;
use crate::queue::keys;
use crate::queue::lane::Lane;
use crate::queue::record;
use crate::queue::stored::Shared;
use bytes::Bytes;
use std::time::Duration;

/// How far is read ahead in the lane of messages without a group, in messages and bytes of records.
const PAGE: usize = 256;
const PAGE_LEN: usize = 1 << 20;
/// How far in the lane of a group, of which there may be many.
const GROUP_PAGE: usize = 10;

/// A message on its way to a receiver.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) lane: usize,
    /// When its lane had been served last before.
    turn: u64,
    pub(super) message: Shared,
}

/// Where in the queue a receive has got to.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    lane: Option<Place>,
    /// Something was taken from this lane: in a FIFO queue it keeps its place until that is leased.
    has_given: bool,
    /// Lanes up to this place in the order have nothing to give any more.
    behind: Option<Place>,
    /// Only messages up to this number.
    last: Option<u64>,
}

impl Cursor {
    /// For messages up to a number.
    pub(super) fn up_to(last: u64) -> Self {
        Self { last: Some(last), ..Self::default() }
    }
}

impl State {
    /// The next message to be received, or to be given up, if there is one.
    pub(super) fn take(
        &mut self,
        identity: &Identity,
        store: &Store,
        now: Timestamp,
        cursor: &mut Cursor,
    ) -> Result<Option<Taken>> {
        loop {
            let place = if let Some(place) = cursor.lane {
                place
            } else {
                let Some(place) = self.index.next_lane(cursor.behind) else { return Ok(None) };
                if identity.is_fifo {
                    self.next_known(place.2, identity, store)?;
                    if self.index.rank_as_read(place.2) {
                        continue;
                    }
                }
                (cursor.lane, cursor.has_given) = (Some(place), false);
                place
            };
            let lane = place.2;
            let turn = self.index.lanes[lane].turn;
            if let Some(message) = self.take_from(lane, identity, store, now, cursor.last)? {
                cursor.has_given = true;
                if !identity.is_fifo {
                    self.index.served(lane);
                    cursor.lane = None;
                }
                return Ok(Some(Taken { lane, turn, message }));
            }
            if !cursor.has_given {
                self.index.rank(lane);
            }
            (cursor.lane, cursor.behind) = (None, Some(place));
        }
    }

    fn take_from(
        &mut self,
        at: usize,
        identity: &Identity,
        store: &Store,
        now: Timestamp,
        last: Option<u64>,
    ) -> Result<Option<Shared>> {
        let cutoff = self.cutoff(now);
        loop {
            let Some(seq) = self.next_known(at, identity, store)? else { return Ok(None) };
            let lane = &self.index.lanes[at];
            if lane.locked.first().is_some_and(|first| *first < seq) || last.is_some_and(|last| last < seq) {
                return Ok(None);
            }
            if seq < cutoff {
                // Expired: the sweep removes it from the keyspace.
                self.pop(at, seq);
                self.index.lanes[at].has_expired = true;
                continue;
            }
            if identity.is_fifo && self.live.settings.delay > 0 {
                let due = keys::time_of(seq) + Duration::from_secs(u64::from(self.live.settings.delay));
                if due > now {
                    self.index.wait(at, seq, due);
                    return Ok(None);
                }
            }
            match self.pop(at, seq) {
                Some(message) => return Ok(Some(message)),
                None => match self.read_one(at, seq, identity, store) {
                    Ok(Some(message)) => return Ok(Some(message)),
                    Ok(None) => {}
                    Err(error) => {
                        self.index.lanes[at].returned.insert(seq);
                        return Err(error);
                    }
                },
            }
        }
    }

    /// The number of the next ready message of a lane; reads on if none is known.
    fn next_known(&mut self, at: usize, identity: &Identity, store: &Store) -> Result<Option<u64>> {
        loop {
            let lane = &self.index.lanes[at];
            if let Some(seq) = lane.next_known() {
                return Ok(Some(seq));
            }
            if lane.is_read() {
                return Ok(None);
            }
            self.read_page(at, identity, store)?;
        }
    }

    /// Out of memory's lists; the message itself if it was read already.
    fn pop(&mut self, at: usize, seq: u64) -> Option<Shared> {
        if self.index.lanes[at].returned.remove(&seq) { None } else { self.index.pop_cached(at) }
    }

    /// Reads the next messages of a lane (N1).
    fn read_page(&mut self, at: usize, identity: &Identity, store: &Store) -> Result<()> {
        let lane = &self.index.lanes[at];
        let (count, group) = (if lane.group.is_none() { PAGE } else { GROUP_PAGE }, lane.group.clone());
        let mut end = lane.tail;
        let (mut messages, mut len, mut seen) = (Vec::new(), 0, 0);
        let mut range = unread(lane, self, store);
        while range.advance()? {
            let Some((_, seq)) = keys::parse_message(range.key()) else { continue };
            seen += 1;
            if !self.index.is_held(seq) {
                // Copied, so that what waits here does not keep a whole segment in memory.
                let value = match range.value_ref() {
                    Some(value) => Bytes::copy_from_slice(value),
                    None => range.value()?,
                };
                len += value.len();
                let message = checked(record::decode_message(group.clone(), seq, &value), identity)?;
                messages.push(message.into());
            }
            if seen >= count.max(1) * 4 || messages.len() >= count || len >= PAGE_LEN {
                end = seq;
                break;
            }
        }
        self.index.read(at, messages, end);
        Ok(())
    }

    /// A message that came back.
    fn read_one(&self, at: usize, seq: u64, identity: &Identity, store: &Store) -> Result<Option<Shared>> {
        let lane = &self.index.lanes[at];
        let key = keys::message(lane.name(), seq);
        let Some(value) = self.spaces.messages.get(store, key.as_ref())? else { return Ok(None) };
        checked(record::decode_message(lane.group.clone(), seq, &value), identity).map(|m| Some(m.into()))
    }

    /// These messages are ready again, and the order of lanes is what it was.
    pub(super) fn put_back(&mut self, taken: Vec<Taken>) {
        for taken in taken {
            self.index.put_back(taken.lane, taken.message.seq, taken.turn);
        }
    }
}

/// A walk over what a lane has in the keyspace and nobody has read.
fn unread(lane: &Lane, state: &State, store: &Store) -> crate::Range {
    let from = keys::message(lane.name(), lane.read_to + 1);
    let to = keys::message(lane.name(), lane.tail);
    state.spaces.messages.range(store, from.as_ref()..=to.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Receive;

    #[test]
    fn what_could_not_be_read_is_not_lost() {
        let store = Store::in_memory();
        let queue = store.queues().create("queue").unwrap();
        queue.send("x").unwrap();
        assert_eq!(queue.receive(Receive::new().visibility_timeout(0)).unwrap().len(), 1);
        let whole = queue.core.overwrite_first(&store, b"");
        queue.receive(1).unwrap_err();
        queue.core.overwrite_first(&store, &whole);
        assert_eq!(queue.receive(1).unwrap().len(), 1);
    }

    #[test]
    fn what_was_to_come_out_of_order_and_could_not_be_read_is_not_lost() {
        let store = Store::in_memory();
        let queues = store.queues();
        queues.set_dials(crate::queue::Dials { reorder_per_mille: 1000, ..Default::default() });
        let queue = queues.create("queue").unwrap();
        for body in ["one", "two", "three"] {
            queue.send(body).unwrap();
        }
        let seqs =
            || queue.peek(10).unwrap().into_iter().map(|seen| seen.message.stored.seq).collect::<Vec<_>>();
        let last = seqs()[2];
        assert_eq!(queue.receive(Receive::new().max_messages(3).visibility_timeout(0)).unwrap().len(), 3);
        let whole = queue.core.overwrite(&store, last, b"");
        // Two are taken, and the third, instead of one of them, is not to be read.
        queue.receive(2).unwrap_err();
        assert_eq!(queue.core.lock(&store, store.now()).unwrap().index.in_flight(), 0);
        queue.core.overwrite(&store, last, &whole);
        assert_eq!(queue.receive(3).unwrap().len(), 3);
    }
}
