//! Bodies whose messages are gone go too (H2).

use super::record::{Entry, LargeBody};
use super::{BODIES, space_of};
use crate::Store;
use crate::error::Result as StoreResult;
use crate::queue::core::{Core, checked};
use crate::queue::engine::QueueEngine;
use crate::queue::{keys, record};
use crate::store::keep::Kept;
use crate::store::space::Space;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bodies removed at once.
const STEP: usize = 100;

/// An entry whose message is gone, with its key.
type Orphan = (Vec<u8>, LargeBody);

impl QueueEngine {
    /// Messages may have gone whose large bodies are there.
    pub(in crate::queue) fn note_orphans(&self, store: &Store) {
        if self.has_bodies.load(Ordering::Acquire) && !self.has_orphans.swap(true, Ordering::AcqRel) {
            store.wake_sweeper();
        }
    }

    /// Removes some bodies whose messages are gone, and says whether there may be more (H2).
    pub(in crate::queue) fn sweep_bodies(&self, store: &Store) -> StoreResult<bool> {
        if !self.has_orphans.swap(false, Ordering::AcqRel) {
            return Ok(false);
        }
        let swept = self.sweep_step(store);
        if !matches!(swept, Ok(false)) {
            self.has_orphans.store(true, Ordering::Release);
        }
        swept
    }

    fn sweep_step(&self, store: &Store) -> StoreResult<bool> {
        let Some(space) = space_of(store)? else { return Ok(false) };
        let orphans = self.orphans(store, &space)?;
        let going: Vec<Kept> = orphans.iter().map(|(_, body)| body.kept.clone()).collect();
        if going.is_empty() {
            return Ok(false);
        }
        let within = crate::targets::keeper().within(store, &[], &going, &mut |mut batch, _| {
            for (key, _) in &orphans {
                batch.delete_in(space.id(), key)?;
            }
            store.commit(batch)?.forget();
            Ok(())
        })?;
        // Nothing comes, so nothing is refused.
        debug_assert!(within.is_ok(), "{within:?}");
        Ok(true)
    }

    /// Some of the entries whose messages are gone.
    fn orphans(&self, store: &Store, space: &Space) -> StoreResult<Vec<Orphan>> {
        // The moment is before the list: a queue that is not in the list is gone, with all that it had at that moment.
        let snapshot = store.snapshot();
        let cores = self.list(store, "", "")?;
        let cores: BTreeMap<u32, &Arc<Core>> =
            cores.iter().map(|core| (core.identity.number, core)).collect();
        let mut found = Vec::new();
        let mut range = snapshot.prefix_in(space, Entry::PREFIX);
        while found.len() < STEP && range.advance()? {
            let Some((queue, seq)) = Entry::parse(range.key()) else { continue };
            let entry = Entry::decode(&range.value()?).map_err(|flaw| flaw.in_file(BODIES.as_ref()))?;
            let is_there = match cores.get(&queue) {
                Some(core) => {
                    let messages = core.lock_as_it_is().spaces.messages.clone();
                    let key = keys::message(&entry.group, seq);
                    match snapshot.get_in(&messages, key.as_ref())? {
                        Some(value) => {
                            let message: Bytes = value;
                            let message =
                                checked(record::decode_message(None, seq, &message), &core.identity)?;
                            message.large_key() == entry.body.kept.key
                        }
                        None => false,
                    }
                }
                None => false,
            };
            if !is_there {
                found.push((range.key().to_vec(), entry.body));
            }
        }
        Ok(found)
    }
}
