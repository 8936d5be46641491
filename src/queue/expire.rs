//! Retention: what is older is gone at once for everybody who looks, and swept from the keyspaces piece by piece.

use crate::Store;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::queue::core::{Core, State};
use crate::queue::engine::QueueEngine;
use crate::queue::index::PLAIN;
use crate::queue::keys;
use crate::queue::lane::NOTHING;
use std::time::Duration;

/// Messages swept at once.
const STEP: usize = 1000;

impl State {
    /// Removes a bounded number of expired messages, and says whether there may be more.
    pub(super) fn expire(&mut self, core: &Core, store: &Store, now: Timestamp) -> Result<bool> {
        let cutoff = self.cutoff(now);
        let Some((oldest, lane)) = self.index.oldest().filter(|(oldest, _)| *oldest < cutoff) else {
            return Ok(false);
        };
        let expired = self.first_messages(lane, oldest, cutoff, store)?;
        if expired.is_empty() {
            self.index.lanes[lane].has_expired = false;
            self.find_oldest(lane, oldest, store)?;
            return Ok(true);
        }
        let group = self.index.lanes[lane].group.clone();
        let mut batch = store.batch();
        let mut counts = self.index.counts;
        counts.gone += expired.len() as u64;
        let last = expired.last().copied().unwrap_or(oldest);
        if lane == PLAIN {
            // One floor instead of many deletions: no other lane has keys below those of this one.
            counts.floor = counts.floor.max(last);
            batch.floor_in(self.spaces.messages.id(), keys::message("", last + 1).as_ref())?;
        }
        for seq in &expired {
            if let Some(due) = self.index.due_of(*seq) {
                batch.delete_in(self.spaces.delays.id(), &keys::delay(due, *seq))?;
            }
            if lane != PLAIN {
                self.delete_message(&mut batch, *seq, group.as_deref())?;
            } else if self.index.leases.contains_key(seq) {
                batch.delete_in(self.spaces.leases.id(), &keys::number(*seq))?;
            }
        }
        batch.put_in(self.spaces.facts.id(), keys::COUNTS, &counts.encode())?;
        store.commit(batch)?.forget();
        QueueEngine::of(store).note_orphans(store);
        self.index.counts.floor = counts.floor;
        self.index.set_oldest(lane, last + 1);
        for seq in expired {
            self.index.remove(seq, group.as_deref());
        }
        debug_assert_eq!(self.index.counts, counts, "{}", core.identity.name);
        Ok(true)
    }

    /// The first messages of a lane from `from` on, below `to`.
    fn first_messages(&self, lane: usize, from: u64, to: u64, store: &Store) -> Result<Vec<u64>> {
        let name = self.index.lanes[lane].name();
        let (from, to) = (keys::message(name, from), keys::message(name, to));
        let mut range = self.spaces.messages.range(store, from.as_ref()..to.as_ref());
        let mut found = Vec::new();
        while found.len() < STEP && range.advance()? {
            found.extend(keys::parse_message(range.key()).map(|(_, seq)| seq));
        }
        Ok(found)
    }

    /// Looks which message of a lane is its oldest; none is before `from`.
    pub(super) fn find_oldest(&mut self, lane: usize, from: u64, store: &Store) -> Result<u64> {
        let name = self.index.lanes[lane].name();
        let (first, last) = (keys::message(name, from), keys::message(name, u64::MAX));
        let mut range = self.spaces.messages.range(store, first.as_ref()..=last.as_ref());
        let found = if range.advance()? { keys::parse_message(range.key()) } else { None };
        let oldest = found.map_or(NOTHING, |(_, seq)| seq);
        drop(range);
        self.index.set_oldest(lane, oldest);
        if oldest == NOTHING {
            let lane_state = &mut self.index.lanes[lane];
            lane_state.read_to = lane_state.read_to.max(lane_state.tail);
            lane_state.has_expired = false;
            self.index.rank(lane);
            self.index.retire(lane);
        }
        Ok(oldest)
    }

    /// Removes everything that has expired.
    pub(super) fn expire_all(&mut self, core: &Core, store: &Store, now: Timestamp) -> Result<()> {
        while self.expire(core, store, now)? {}
        Ok(())
    }

    /// When sweeping is worth it: some time after the oldest message expired, so that many go at once.
    pub(super) fn next_sweep(&self) -> Option<Timestamp> {
        let (oldest, _) = self.index.oldest()?;
        let retention = u64::from(self.live.settings.retention);
        Some(keys::time_of(oldest) + Duration::from_secs(retention + (retention / 16).max(1)))
    }
}
