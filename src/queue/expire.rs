//! Retention: what is older is gone at once for everybody who looks, and swept from the keyspaces piece by piece.

use crate::Store;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::queue::core::{Core, State};
use crate::queue::engine::QueueEngine;
use crate::queue::index::PLAIN;
use crate::queue::keys;
use crate::queue::lane::NOTHING;
use crate::queue::load::load_tasks;
use std::time::Duration;

/// Messages swept at once.
const STEP: usize = 1000;
/// Groups that are looked at in a queue that is not loaded.
const GROUPS_SEEN_MAX: usize = 64;

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
        let first = expired.first().copied().unwrap_or(oldest);
        QueueEngine::of(store).note_expired(store, core.identity.number, first..=last);
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
        if !self.is_loaded() {
            return self.ahead;
        }
        self.index.oldest().map(|(oldest, _)| self.sweep_of(oldest))
    }

    fn sweep_of(&self, oldest: u64) -> Timestamp {
        let retention = u64::from(self.live.settings.retention);
        keys::time_of(oldest) + Duration::from_secs(retention + (retention / 16).max(1))
    }

    /// When there is something to sweep, by a look at the first message of each group. It may be at once, if there are many.
    fn first_sweep(&self, store: &Store) -> Result<Option<Timestamp>> {
        let (mut from, mut oldest) = (Vec::new(), None::<u64>);
        for _ in 0..GROUPS_SEEN_MAX {
            let mut range = self.spaces.messages.range(store, from.as_slice()..);
            if !range.advance()? {
                return Ok(oldest.map(|oldest| self.sweep_of(oldest)));
            }
            let Some((group, first)) = keys::parse_message(range.key()) else { break };
            oldest = Some(oldest.map_or(first, |oldest| oldest.min(first)));
            from = keys::behind_group(group);
        }
        Ok(Some(Timestamp::UNIX_EPOCH))
    }
}

impl Core {
    /// What time will bring about in a queue that is not loaded yet: sweeping, and the steps of a move task.
    pub(super) fn look_ahead(&self, store: &Store) {
        let mut state = self.lock_as_it_is();
        // What cannot be read is due at once: then it is found again, and reported.
        state.ahead = state.first_sweep(store).unwrap_or(Some(Timestamp::UNIX_EPOCH));
        if state.live.is_moving {
            match load_tasks(&state, &self.identity, store) {
                Ok(tasks) => state.tasks = tasks,
                Err(_) => state.ahead = Some(Timestamp::UNIX_EPOCH),
            }
        }
    }

    /// Is it not loaded, and has nothing to be swept?
    pub(super) fn is_asleep(&self, now: Timestamp) -> bool {
        let state = self.lock_as_it_is();
        !state.is_loaded() && state.ahead.is_none_or(|at| at > now)
    }
}
