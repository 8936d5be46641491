//! Values in the blob log: who refers to them, and how their space comes back.
//!
//! O1. A blob has one owner: the entry that names it. Another key in `BLOB_OWNERS`, (segment, offset) → full key of the
//!     owner, is written in the same batch. An owner that is overwritten or deleted leaves its back reference behind;
//!     it is judged by looking at the owner.
//! O2. Folds and merges count the bytes of the references they drop, by segment: that is what makes a segment worth a
//!     look. The count decides nothing else. It misses what a batch overwrote itself and what a crash left without a
//!     batch; a full compaction counts anew by looking at all owners.
//! O3. A segment is cleared by moving what is live: copy the blob, then name the copy by owner and back reference in
//!     one batch, while no other batch is being written (`gate`), so that no newer write of the owner is overtaken.
//! O4. The file goes only when no reader can still come with an old reference: every snapshot and walk that began before
//!     the move has ended. A point read that comes too late looks its key up again.

use crate::blob::BlobRef;
use crate::error::{Error, Result};
use crate::log::format::{HEADER_LEN, frame_len};
use crate::position::Position;
use crate::storage::Storage;
use crate::sync::flaw;
use crate::tree::batch::{OpKind, Ops, full_key, keyspace_of};
use crate::tree::entry::{Entry, Kind};
use crate::tree::keyspaces::BLOB_OWNERS;
use crate::tree::manifest::Manifest;
use crate::tree::range::{Span, TreeRange, user_key};
use crate::tree::{Garbage, Tree};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A sealed segment with more dead bytes than one in this many is cleared.
const SPARSE_ONE_IN: u64 = 2;
/// What a batch needs at most to rename one blob, besides twice the back reference and twice the owner.
const NAMING_LEN: usize = 64;
/// Blob bytes moved between two looks at other work.
const MOVED_PER_STEP: u64 = 4 << 20;

/// The key of a blob's back reference: segment, then offset, in order of place.
#[expect(clippy::big_endian_bytes, reason = "back references are ordered by place")]
pub(crate) fn owner_key(blob: BlobRef) -> Vec<u8> {
    let mut key = blob.segment.to_be_bytes().to_vec();
    key.extend_from_slice(&blob.offset.to_be_bytes());
    full_key(BLOB_OWNERS, &key)
}

impl Garbage {
    /// An entry is dropped: if it named a blob, that is garbage now.
    pub(crate) fn note(&mut self, entry: &Entry<'_>) {
        if entry.kind == Kind::Blob
            && let Ok(blob) = BlobRef::decode_entry(entry.value)
        {
            self.count(blob);
        }
    }

    fn count(&mut self, blob: BlobRef) {
        *self.0.entry(blob.segment).or_default() += u64::from(frame_len(blob.len));
    }

    /// Adds the count to the manifest that forgets the entries.
    pub(crate) fn add_to(self, manifest: &mut Manifest) {
        for (index, bytes) in self.0 {
            if let Some(segment) = manifest.blobs.iter_mut().find(|segment| segment.index == index) {
                segment.garbage = segment.len.min(segment.garbage + bytes);
            }
        }
    }
}

/// A blob that is moved out of a segment.
struct Move {
    /// Its back reference, under which the key that owns it was found.
    reference: Vec<u8>,
    owner: Bytes,
    /// The blob and its copy; none if the owner is gone already.
    copy: Option<(BlobRef, BlobRef)>,
}

/// The copies, as garbage.
fn copies(moves: &[Move]) -> Garbage {
    let mut garbage = Garbage::default();
    moves.iter().filter_map(|moved| moved.copy).for_each(|(_, copy)| garbage.count(copy));
    garbage
}

/// Chunks of the blob log that a batch is about to name: their segments are not cleared meanwhile. Chunks that were not
/// named when this is dropped are garbage.
#[derive(Debug)]
pub(crate) struct Pending<S: Storage> {
    /// Known once there are chunks.
    tree: Option<Arc<Tree<S>>>,
    chunks: Vec<BlobRef>,
}

impl<S: Storage> Pending<S> {
    pub(crate) fn new() -> Self {
        Self { tree: None, chunks: Vec::new() }
    }

    /// Writes `value` to the blob log and adds the entry that names it, and its back reference, to `ops`.
    pub(crate) fn put(
        &mut self,
        tree: &Arc<Tree<S>>,
        ops: &mut Ops,
        keyspace: u32,
        key: &[u8],
        value: &[u8],
    ) -> Result<()> {
        self.tree.get_or_insert_with(|| Arc::clone(tree));
        {
            // Shared: between the chunk's write and its pin no clearing may choose its segment.
            let _unpinned = tree.pinning.read();
            let blob = tree.write_blob(value)?;
            *tree.pins.lock().entry(blob.segment).or_default() += 1;
            self.chunks.push(blob);
        }
        let blob = self.chunks[self.chunks.len() - 1];
        name(ops, blob, &full_key(keyspace, key))
    }

    /// Takes over the chunks of a batch that is added to this one.
    pub(crate) fn take_over(&mut self, mut other: Self) {
        self.chunks.append(&mut other.chunks);
        self.tree = self.tree.take().or_else(|| other.tree.take());
    }

    /// The batch is in the log: the chunks are named.
    pub(crate) fn named(mut self) {
        self.unpin();
    }

    fn unpin(&mut self) -> Vec<BlobRef> {
        let chunks = std::mem::take(&mut self.chunks);
        if !chunks.is_empty()
            && let Some(tree) = &self.tree
        {
            let mut pins = tree.pins.lock();
            for blob in &chunks {
                if let Some(count) = pins.get_mut(&blob.segment) {
                    *count -= 1;
                    if *count == 0 {
                        pins.remove(&blob.segment);
                    }
                }
            }
        }
        chunks
    }
}

impl<S: Storage> Drop for Pending<S> {
    fn drop(&mut self) {
        let mut garbage = Garbage::default();
        for blob in self.unpin() {
            garbage.count(blob);
        }
        if !garbage.0.is_empty()
            && let Some(tree) = &self.tree
        {
            tree.add_garbage(garbage);
        }
    }
}

/// Adds the entry of `owner` that names `blob`, and its back reference.
fn name(ops: &mut Ops, blob: BlobRef, owner: &[u8]) -> Result<()> {
    ops.push(OpKind::Entry(Kind::Blob), keyspace_of(owner), user_key(owner), &blob.encode())?;
    ops.push(OpKind::Entry(Kind::Put), BLOB_OWNERS, user_key(&owner_key(blob)), owner)
}

impl<S: Storage> Tree<S> {
    pub(super) fn write_blob(&self, value: &[u8]) -> Result<BlobRef> {
        self.log.check()?;
        let written = self.blobs.write(&[value]);
        if let Err(error) = &written
            && !matches!(error, Error::StorageFull { .. } | Error::TooLarge { .. })
        {
            self.log.poison(error.clone());
        }
        written
    }

    /// Does a bit of clearing: removes a cleared segment, or moves some live blobs out of a sparse one. `false`: there is
    /// nothing to do, or it has to wait for readers.
    pub(crate) fn clear_blobs_step(&self) -> Result<bool> {
        let Some(_one_at_a_time) = self.clearing.try_lock() else { return Ok(false) };
        if self.remove_cleared()? {
            return Ok(true);
        }
        let Some(index) = self.sparse_segment() else { return Ok(false) };
        let cleared = self.clear_some(index);
        if let Err(error) = &cleared
            && (matches!(error, Error::Corrupt(_)) || error.is_unreadable())
        {
            // Said once; then the others get their turn, and this one stays as it is.
            self.cleared.lock().insert(index, Position::MAX);
        }
        cleared.map(|()| true)
    }

    /// Removes one segment that nobody can come for any more (O4).
    fn remove_cleared(&self) -> Result<bool> {
        let oldest = self.keep().oldest();
        let ready = self.cleared.lock().iter().find(|(_, at)| **at <= oldest).map(|(index, _)| *index);
        let Some(index) = ready else { return Ok(false) };
        if !flaw!("clear_before_durable") {
            // A crash must not undo the moves and deletes that emptied it.
            self.log.sync()?;
        }
        self.install(|manifest| manifest.blobs.retain(|segment| segment.index != index), |_| {})?;
        self.blobs.remove(index)?;
        self.cleared.lock().remove(&index);
        Ok(true)
    }

    /// A sealed segment that is worth clearing and that no batch in the making refers to.
    fn sparse_segment(&self) -> Option<u64> {
        let segments = self.blobs.segments().segments;
        let _all_pinned = self.pinning.write();
        let (pins, cleared) = (self.pins.lock(), self.cleared.lock());
        let structure = self.structure.lock();
        let worth = segments.iter().filter(|segment| {
            let known = structure.blobs.iter().find(|known| known.index == segment.index);
            let garbage = known.map_or(0, |known| known.garbage);
            !segment.active
                && !pins.contains_key(&segment.index)
                && !cleared.contains_key(&segment.index)
                && garbage * SPARSE_ONE_IN > u64::from(segment.used)
        });
        worth.map(|segment| segment.index).next()
    }

    /// Moves the first live blobs of segment `index` elsewhere; marks it cleared when there are none left.
    fn clear_some(&self, index: u64) -> Result<()> {
        let owners = self.keyspaces.get(BLOB_OWNERS).expect("built-in keyspaces are always there");
        let prefix = owner_key(BlobRef { segment: index, offset: 0, len: 0 });
        let span = Span::prefix(BLOB_OWNERS, &user_key(&prefix)[..size_of::<u64>()]);
        let mut range = self.range(&owners, span, None);
        let mut moves = Vec::new();
        let copied = self.copy_some(&mut range, &mut moves);
        drop(range);
        if let Err(error) = copied {
            self.add_garbage(copies(&moves));
            return Err(error);
        }
        if moves.is_empty() {
            self.cleared.lock().insert(index, self.newest());
            return Ok(());
        }
        self.rename_moved(&moves)
    }

    /// Copies blobs that the back references in `range` lead to, and adds them to `moves`.
    fn copy_some(&self, range: &mut TreeRange<S>, moves: &mut Vec<Move>) -> Result<()> {
        let (mut moved_bytes, mut ops_bytes) = (0, 0);
        while moved_bytes < MOVED_PER_STEP {
            let Some(reference) = range.next()? else { break };
            let (reference, owner) = (reference.key.to_vec(), Bytes::copy_from_slice(reference.value));
            ops_bytes += NAMING_LEN + 2 * (reference.len() + owner.len());
            if ops_bytes > self.log.payload_max() as usize && !moves.is_empty() {
                break;
            }
            let copy = match self.blob_of(&owner)? {
                Some(blob) if owner_key(blob) == reference => {
                    Some((blob, self.write_blob(&self.blobs.load(blob)?)?))
                }
                _ => None,
            };
            moved_bytes += copy.map_or(0, |(blob, _)| u64::from(blob.len));
            moves.push(Move { reference, owner, copy });
        }
        Ok(())
    }

    /// Names the copies in the place of the originals, unless an owner has changed meanwhile (O3).
    fn rename_moved(&self, moves: &[Move]) -> Result<()> {
        let _alone = self.alone();
        let mut garbage = Garbage::default();
        let mut ops = Ops::default();
        for Move { owner, copy, .. } in moves {
            let Some((original, copy)) = copy else { continue };
            if self.blob_of(owner)? == Some(*original) {
                name(&mut ops, *copy, owner)?;
            } else {
                garbage.count(*copy);
            }
        }
        for Move { reference, .. } in moves {
            // Beside the longest of keys there is no room: then the reference is a stale one when it is met again.
            if ops.count() == 0
                || ops.payload().len() + NAMING_LEN + reference.len() <= self.log.payload_max() as usize
            {
                ops.push(OpKind::Entry(Kind::Delete), BLOB_OWNERS, user_key(reference), &[])?;
            }
        }
        let renamed = self.log.append(ops.payload());
        if renamed.is_err() {
            garbage = copies(moves);
        }
        if !garbage.0.is_empty() {
            self.add_garbage(garbage);
        }
        renamed.map(|_| ())
    }

    /// Counts what became garbage without a fold or a merge. A crash may forget it.
    fn add_garbage(&self, garbage: Garbage) {
        let mut structure = self.structure.lock();
        self.list_blobs(&mut structure);
        garbage.add_to(&mut structure);
    }

    /// Counts the garbage of all sealed segments anew (O2).
    pub(crate) fn count_garbage(&self) -> Result<()> {
        let _nothing_moves = self.clearing.lock();
        // What is sealed and not pinned now gets no new owners but by a move.
        let mut unknown: BTreeMap<u64, u64> = {
            let _all_pinned = self.pinning.write();
            let pins = self.pins.lock();
            let segments = self.blobs.segments().segments.into_iter();
            let sealed = segments.filter(|segment| !segment.active && !pins.contains_key(&segment.index));
            sealed
                .map(|segment| (segment.index, u64::from(segment.used.saturating_sub(HEADER_LEN))))
                .collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let owners = self.keyspaces.get(BLOB_OWNERS).expect("built-in keyspaces are always there");
        let mut range = self.range(&owners, Span::prefix(BLOB_OWNERS, &[]), None);
        while let Some(reference) = range.next()? {
            if let Some(blob) = self.blob_of(reference.value)?
                && owner_key(blob) == reference.key
                && let Some(unknown) = unknown.get_mut(&blob.segment)
            {
                *unknown = unknown.saturating_sub(frame_len(blob.len).into());
            }
        }
        let mut structure = self.structure.lock();
        self.list_blobs(&mut structure);
        for segment in &mut structure.blobs {
            if let Some(garbage) = unknown.get(&segment.index) {
                segment.garbage = segment.len.min(*garbage);
            }
        }
        Ok(())
    }

    /// The blob that the newest entry of `owner` names, if it names one and its keyspace lives.
    fn blob_of(&self, owner: &[u8]) -> Result<Option<BlobRef>> {
        let Some(keyspace) = self.keyspaces.get(keyspace_of(owner)) else { return Ok(None) };
        match self.find(&keyspace, owner, None)? {
            Some(found) if found.kind == Kind::Blob => BlobRef::decode_entry(&found.value).map(Some),
            _ => Ok(None),
        }
    }
}
