//! Bodies whose messages are gone go too (H2).

use super::record::{Entry, LargeBody};
use super::{BODIES, space_of};
use crate::error::Result as StoreResult;
use crate::queue::core::{Core, checked};
use crate::queue::engine::QueueEngine;
use crate::queue::{keys, record};
use crate::store::keep::Kept;
use crate::store::space::Space;
use crate::{Snapshot, Store};
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
        let orphans = self.orphans(store, &store.snapshot(), &space)?;
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

    /// Some of the entries of a moment just now whose messages are gone.
    fn orphans(&self, store: &Store, snapshot: &Snapshot, space: &Space) -> StoreResult<Vec<Orphan>> {
        // The moment is before the list: a queue that is not in the list is gone, with all that it had at that moment.
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
        // A message that went to another queue since that moment, before its own was purged or deleted, took its body along
        // and left no entry. One whose entry is there still was not moved, and is not any more (H3).
        let mut gone = Vec::with_capacity(found.len());
        for orphan in found {
            if space.get(store, &orphan.0)?.is_some() {
                gone.push(orphan);
            }
        }
        Ok(gone)
    }
}

#[cfg(all(test, not(fourfold_loom)))]
mod tests {
    use super::*;
    use crate::queue::{LargeBodies, QueueAttributes, Receive};

    #[test]
    fn a_body_that_moved_on_since_the_look_is_nobodys_orphan() {
        for is_purged in [false, true] {
            let store = Store::in_memory();
            let bucket = store.buckets().create("bodies").unwrap();
            let queues = store.queues();
            let [queue, failed] = ["queue", "failed"].map(|name| queues.create(name).unwrap());
            queue.set_attributes(&QueueAttributes::new().dead_letters_to(failed.arn(), 1)).unwrap();
            queue.set_large_bodies(Some(LargeBodies::new("bodies").from(10))).unwrap();
            queue.send("long enough").unwrap();
            let take = || queue.receive(Receive::new().visibility_timeout(0)).unwrap();
            assert_eq!(take().len(), 1);
            let before = store.snapshot();
            assert!(take().is_empty(), "it is a dead letter");
            if is_purged {
                queue.purge().unwrap()
            } else {
                queues.delete("queue").unwrap()
            }
            let space = space_of(&store).unwrap().unwrap();
            let orphans = QueueEngine::of(&store).orphans(&store, &before, &space).unwrap();
            assert!(orphans.is_empty(), "{orphans:?}");
            store.maintain().unwrap();
            assert_eq!(failed.receive(1).unwrap()[0].body(), "long enough");
            assert_eq!(bucket.list(&Default::default()).unwrap().objects.len(), 1);
        }
    }
}
