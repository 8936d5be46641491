//! Bodies whose messages are gone go too (H2).
//!
//! The sweep goes round: through the entries of all queues, piece by piece, from where it was. Who makes an orphan notes it
//! afterwards; so a round that begins later meets it, and one that is under way is followed by another.

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
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bodies removed at once.
const STEP: usize = 100;
/// Entries looked at in a piece.
const SEEN_MAX: usize = 1000;

/// An entry whose message is gone, with its key.
type Orphan = (Vec<u8>, LargeBody);

impl QueueEngine {
    /// Messages may have gone whose large bodies are there.
    pub(in crate::queue) fn note_orphans(&self, store: &Store) {
        if self.has_bodies.load(Ordering::Acquire) && !self.has_orphans.swap(true, Ordering::AcqRel) {
            store.wake_sweeper();
        }
    }

    /// Messages of a queue have gone without a look, all with numbers in this range: there may be bodies of theirs.
    pub(in crate::queue) fn note_expired(&self, store: &Store, queue: u32, seqs: RangeInclusive<u64>) {
        if !self.has_bodies.load(Ordering::Acquire) {
            return;
        }
        let (from, to) = (Entry::key(queue, *seqs.start(), ""), Entry::key(queue, seqs.end() + 1, ""));
        let has_some = || match space_of(store)? {
            Some(space) => space.range(store, from..to).advance(),
            None => Ok(false),
        };
        // What cannot be read is found again, and reported, by the sweep.
        if !matches!(has_some(), Ok(false)) {
            self.note_orphans(store);
        }
    }

    /// Is there something to be swept?
    pub(in crate::queue) fn may_have_orphans(&self) -> bool {
        self.has_orphans.load(Ordering::Acquire) || self.round.lock().is_some()
    }

    /// Removes some bodies whose messages are gone, and says whether there may be more (H2).
    pub(in crate::queue) fn sweep_bodies(&self, store: &Store) -> StoreResult<bool> {
        let under_way = self.round.lock().clone();
        let from = match under_way {
            Some(from) => from,
            // What is noted from here on is for the round after this one.
            None if self.has_orphans.swap(false, Ordering::AcqRel) => {
                let first = Entry::PREFIX.to_vec();
                *self.round.lock() = Some(first.clone());
                first
            }
            None => return Ok(false),
        };
        // A piece that fails is tried again.
        let next = self.sweep_piece(store, &from)?;
        *self.round.lock() = next;
        Ok(self.may_have_orphans())
    }

    /// One piece of a round, and from where it goes on.
    fn sweep_piece(&self, store: &Store, from: &[u8]) -> StoreResult<Option<Vec<u8>>> {
        let Some(space) = space_of(store)? else { return Ok(None) };
        let (orphans, next) = self.orphans(store, &store.snapshot(), &space, from)?;
        let mut left = &orphans[..];
        let mut step = left.len();
        while !left.is_empty() {
            let (now, later) = left.split_at(step.min(left.len()));
            match remove(store, &space, now) {
                Ok(()) => left = later,
                // Segments may be small.
                Err(crate::Error::TooLarge { .. }) if now.len() > 1 => step = now.len() / 2,
                Err(fault) => return Err(fault),
            }
        }
        Ok(next)
    }

    /// Some of the entries of a moment just now, from a key on, whose messages are gone; and where to look further.
    fn orphans(
        &self,
        store: &Store,
        snapshot: &Snapshot,
        space: &Space,
        from: &[u8],
    ) -> StoreResult<(Vec<Orphan>, Option<Vec<u8>>)> {
        // The moment is before the list: a queue that is not in the list is gone, with all that it had at that moment.
        let cores = self.list(store, "", "")?;
        let cores: BTreeMap<u32, &Arc<Core>> =
            cores.iter().map(|core| (core.identity.number, core)).collect();
        let (mut found, mut seen, mut next) = (Vec::new(), 0, None);
        let mut range = snapshot.range_in(space, from..Entry::END);
        while range.advance()? {
            if found.len() == STEP || seen == SEEN_MAX {
                next = Some(range.key().to_vec());
                break;
            }
            seen += 1;
            let Some((queue, seq)) = Entry::parse(range.key()) else { continue };
            let entry = Entry::decode(&range.value()?).map_err(|flaw| flaw.in_file(BODIES.as_ref()))?;
            let is_there = match cores.get(&queue) {
                Some(core) => is_there(core, snapshot, seq, &entry)?,
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
        Ok((gone, next))
    }
}

/// Was the message of an entry there at a moment?
fn is_there(core: &Core, snapshot: &Snapshot, seq: u64, entry: &Entry) -> StoreResult<bool> {
    let messages = core.lock_as_it_is().spaces.messages.clone();
    let found: Option<Bytes> = snapshot.get_in(&messages, keys::message(&entry.group, seq).as_ref())?;
    let Some(message) = found else { return Ok(false) };
    let message = checked(record::decode_message(None, seq, &message), &core.identity)?;
    Ok(message.large_key() == entry.body.kept.key)
}

/// Removes bodies and their entries, in one batch.
fn remove(store: &Store, space: &Space, orphans: &[Orphan]) -> StoreResult<()> {
    let going: Vec<Kept> = orphans.iter().map(|(_, body)| body.kept.clone()).collect();
    let within = crate::targets::keeper().within(store, &[], &going, &mut |mut batch, _| {
        for (key, _) in orphans {
            batch.delete_in(space.id(), key)?;
        }
        store.commit(batch)?.forget();
        Ok(())
    })?;
    // Nothing comes, so nothing is refused. If it is all the same, they are there for the next round.
    debug_assert!(within.is_ok(), "{within:?}");
    Ok(())
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
                queue.purge().unwrap();
            } else {
                queues.delete("queue").unwrap();
            }
            let space = space_of(&store).unwrap().unwrap();
            let (orphans, _) =
                QueueEngine::of(&store).orphans(&store, &before, &space, Entry::PREFIX).unwrap();
            assert!(orphans.is_empty(), "{orphans:?}");
            store.maintain().unwrap();
            assert_eq!(failed.receive(1).unwrap()[0].body(), "long enough");
            assert_eq!(bucket.list(&crate::objects::ListObjects::default()).unwrap().objects.len(), 1);
        }
    }
}
