//! The blob log: values too large for the tree, in segments of their own.
//!
//! A value is written once, as one *chunk*: a frame as in the log, but written straight to its file and named by a
//! [`BlobRef`]. The order is kept by those who name chunks, so chunks of one segment are claimed in order and written
//! in any: a claim is all that happens under a lock.
//!
//! B1. *A chunk has its space before it is written*: a segment is reserved in full, and its header and its name are
//!     durable, before its first chunk. So only the write that starts a segment can find the disk full, and then
//!     nothing has happened. (A file system that breaks its word, or copies on writing, may be full later: then a place is
//!     claimed that nobody names, which is lost until its segment is cleared.)
//! B2. *A chunk is written once*: a place is claimed once, an index is used once, and each incarnation starts a segment
//!     of its own. So what `read` handed out never changes.
//! B3. *A chunk verifies only where it was written*, and never as a frame of the log: the two count segments apart.
//! B4. *What `write` returned before `sync` was called is durable once `sync` returned without an error.* One failed sync
//!     fails all later ones, because the system forgets what it could not write.
//!
//! Not here: who names a chunk, so when a segment may be removed. A segment may go once no chunk of it is named or is
//! about to be, *and* the manifest that no longer lists it is durable: from then on its file is dead if it comes back.

mod chunks;
mod pages;
mod segment;
#[cfg(test)]
#[cfg(not(fourfold_loom))]
mod tests;

use crate::{
    error::{Corruption, Error, Result},
    log::format::Geometry,
    storage::{File, Storage},
    sync::flaw,
};
use bytes::Bytes;
use chunks::Chunks;
use parking_lot::{Mutex, RwLock};
pub(crate) use segment::file_name;
use segment::{Segment, index_of_name};
use std::{collections::BTreeMap, io, mem, sync::Arc};

/// Bytes of a segment copied by one read and one write.
const COPIED_AT_ONCE: usize = 1 << 20;

const SEGMENT_AT: usize = 0;
const OFFSET_AT: usize = SEGMENT_AT + size_of::<u64>();
const LEN_AT: usize = OFFSET_AT + size_of::<u32>();

/// Where a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlobRef {
    pub(crate) segment: u64,
    /// Of the chunk's header within the segment.
    pub(crate) offset: u32,
    /// Of the value.
    pub(crate) len: u32,
}

impl BlobRef {
    /// Bytes of the encoded form.
    pub(crate) const LEN: usize = LEN_AT + size_of::<u32>();

    pub(crate) fn encode(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[SEGMENT_AT..OFFSET_AT].copy_from_slice(&self.segment.to_le_bytes());
        bytes[OFFSET_AT..LEN_AT].copy_from_slice(&self.offset.to_le_bytes());
        bytes[LEN_AT..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }

    /// The reference in an entry of the tree.
    pub(crate) fn decode_entry(value: &[u8]) -> Result<Self> {
        if let Ok(bytes) = value.try_into() {
            return Ok(Self::decode(bytes));
        }
        let (expected, found) = (format!("{} bytes", Self::LEN), format!("{} bytes", value.len()));
        Err(Corruption::new("", 0, "blob reference", expected, found).into())
    }

    /// Any bytes are a reference; whether to a chunk, [`BlobLog::read`] tells.
    pub(crate) fn decode(bytes: &[u8; Self::LEN]) -> Self {
        let fields = "the array has all fields";
        Self {
            segment: u64::from_le_bytes(*bytes[SEGMENT_AT..].first_chunk().expect(fields)),
            offset: u32::from_le_bytes(*bytes[OFFSET_AT..].first_chunk().expect(fields)),
            len: u32::from_le_bytes(*bytes[LEN_AT..].first_chunk().expect(fields)),
        }
    }
}

/// A stretch of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// A chunk as it was written.
    Whole(BlobRef),
    /// Bytes from `offset` up to `end` that are no chunk.
    Damage { offset: u32, end: u32 },
}

/// What the manifest keeps of the blob log, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlobSegments {
    pub(crate) segments: Vec<BlobSegment>,
    /// Files from this index on are newer than `segments`.
    pub(crate) next_index: u64,
}

/// A segment of the blob log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlobSegment {
    pub(crate) index: u64,
    /// Where its chunks end; of a segment that a crash left and that was not tidied yet, no more than a bound.
    pub(crate) used: u32,
    /// What its file takes; 0 if there is none.
    pub(crate) allocated: u32,
    /// Is it the one being written?
    pub(crate) active: bool,
}

/// The blob log of a store.
#[derive(Debug)]
pub(crate) struct BlobLog<S: Storage> {
    storage: S,
    geometry: Geometry,
    store_id: u128,
    segments: RwLock<BTreeMap<u64, Arc<Segment<S>>>>,
    /// Locked before `segments`.
    tail: Mutex<Tail<S>>,
    /// Segments with chunks that no sync has begun to cover.
    unsynced: Mutex<Vec<Arc<Segment<S>>>>,
    /// Chunks of an earlier incarnation that the device may not have.
    doubtful: Mutex<Vec<BlobRef>>,
    /// Held during a sync, with the first failure. Locked before `unsynced`.
    syncing: Mutex<Option<Error>>,
    /// Files that no manifest and no frame names any more.
    dead: Mutex<Vec<String>>,
}

/// Where the next chunk goes.
#[derive(Debug)]
struct Tail<S: Storage> {
    active: Option<Arc<Segment<S>>>,
    next_index: u64,
}

impl<S: Storage> BlobLog<S> {
    /// The blob log as the last manifest lists it, and whatever was started since: a file from `next_index` on belongs to
    /// frames that are newer than the manifest. Reads names only and changes nothing; a listed file that is missing or
    /// damaged is [`Error::Corrupt`] when it is first touched.
    pub(crate) fn open(
        storage: S,
        geometry: Geometry,
        store_id: u128,
        next_index: u64,
        live: &[u64],
    ) -> Result<Self> {
        let mut lens: BTreeMap<u64, u64> = live.iter().map(|&index| (index, 0)).collect();
        let mut dead = Vec::new();
        for entry in storage.list()?.into_iter().filter(|entry| entry.is_file) {
            match index_of_name(&entry.name) {
                Some(index) if index >= next_index || lens.contains_key(&index) => {
                    lens.insert(index, storage.len(&entry.name)?);
                }
                Some(_) => dead.push(entry.name),
                None => {}
            }
        }
        let next_index = lens.last_key_value().map_or(next_index, |(&last, _)| next_index.max(last + 1));
        let segments = lens.into_iter().map(|(index, len)| {
            (index, Arc::new(Segment::found(storage.clone(), geometry, store_id, index, len)))
        });
        Ok(Self {
            segments: RwLock::new(segments.collect()),
            storage,
            geometry,
            store_id,
            tail: Mutex::new(Tail { active: None, next_index }),
            unsynced: Mutex::default(),
            doubtful: Mutex::default(),
            syncing: Mutex::default(),
            dead: Mutex::new(dead),
        })
    }

    /// Writes the concatenation of `parts` as one chunk: handed to the system, not synced. After
    /// [`Error::StorageFull`] and [`Error::TooLarge`] nothing has changed; after any other error nobody knows what the
    /// disk holds, and the store must not write on.
    pub(crate) fn write(&self, parts: &[&[u8]]) -> Result<BlobRef> {
        let len = parts.iter().map(|part| part.len() as u64).sum();
        let max = self.geometry.payload_max();
        let Some(len) = u32::try_from(len).ok().filter(|len| *len <= max) else {
            return Err(Error::TooLarge { what: "blob", len, max: max.into() });
        };
        let (segment, at) = self.claim(len)?;
        segment.write(at, parts)?;
        if self.storage.is_persistent() {
            self.has_unsynced(segment);
        }
        Ok(at)
    }

    /// Room for a value of `len` bytes, in a new segment if there is none in the active one.
    fn claim(&self, len: u32) -> Result<(Arc<Segment<S>>, BlobRef)> {
        let mut tail = self.tail.lock();
        if let Some(active) = &tail.active
            && let Some(at) = active.claim(len)?
        {
            return Ok((Arc::clone(active), at));
        }
        let index = tail.next_index;
        // Used up even if this fails: a file that cannot be removed now must not be in the way of the next attempt.
        tail.next_index += 1;
        let segment = Arc::new(Segment::create(self.storage.clone(), self.geometry, self.store_id, index)?);
        let at = segment.claim(len)?.expect("checked against the longest payload");
        self.segments.write().insert(index, Arc::clone(&segment));
        let ended = tail.active.replace(Arc::clone(&segment));
        if let Some(ended) = ended.filter(|_| self.storage.is_persistent()) {
            // The next sync finds that it has ended, and lets its file rest.
            self.has_unsynced(ended);
        }
        Ok((segment, at))
    }

    fn has_unsynced(&self, segment: Arc<Segment<S>>) {
        let mut unsynced = self.unsynced.lock();
        if !unsynced.iter().any(|known| Arc::ptr_eq(known, &segment)) {
            unsynced.push(segment);
        }
    }

    /// Makes every chunk durable whose `write` has returned, or which [`is_whole`](Self::is_whole) has found (B4).
    pub(crate) fn sync(&self) -> Result<()> {
        // One at a time: who finds nothing to sync must not return before the sync that took it has succeeded.
        let mut failed = self.syncing.lock();
        if let Some(cause) = &*failed {
            return Err(cause.clone());
        }
        self.sync_all().inspect_err(|error| *failed = Some(error.clone().into_poison()))
    }

    fn sync_all(&self) -> Result<()> {
        for at in mem::take(&mut *self.doubtful.lock()) {
            let segment = self.segment(at.segment)?;
            if !flaw!("trust_the_page_cache") {
                segment.write_again(at)?;
            }
            self.has_unsynced(segment);
        }
        // Taken before they are synced: a chunk written meanwhile puts its segment back for the next sync.
        let unsynced = mem::take(&mut *self.unsynced.lock());
        for segment in &unsynced {
            match segment.sync() {
                // Removed meanwhile: nobody has a name for what is in it.
                Err(_) if !self.segments.read().contains_key(&segment.index()) => {}
                synced => synced?,
            }
        }
        let active = self.tail.lock().active.as_ref().map(|active| active.index());
        unsynced.iter().filter(|segment| Some(segment.index()) != active).for_each(|segment| segment.rest());
        Ok(())
    }

    /// The value of a chunk, shared with the map of its file; verified each time.
    pub(crate) fn read(&self, at: BlobRef) -> Result<Bytes> {
        self.segment(at.segment)?.read(at)
    }

    /// [`read`](Self::read) for who compares the bytes with a checksum of its own, and gives none out before.
    pub(crate) fn read_unchecked(&self, at: BlobRef) -> Result<Bytes> {
        self.segment(at.segment)?.read_unchecked(at)
    }

    /// [`read`](Self::read) past the map, for who looks at what nobody asked for: a device that cannot be read is an error.
    pub(crate) fn load(&self, at: BlobRef) -> Result<Bytes> {
        self.segment(at.segment)?.load(at)
    }

    /// Is there such a chunk, as it was written? For recovery: past the page cache's guesses, a device that cannot be read
    /// is an error, and a chunk that is whole is made durable by the next [`sync`](Self::sync), for a crash of the
    /// process alone leaves chunks that the device does not have yet.
    pub(crate) fn is_whole(&self, at: BlobRef) -> Result<bool> {
        match self.load(at) {
            Ok(_) => {
                self.doubtful.lock().push(at);
                Ok(true)
            }
            Err(Error::Corrupt(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All chunks of a segment, read from the device. In the active segment, one that is being written shows as damage.
    #[cfg(any(all(test, not(fourfold_loom)), fuzzing))]
    pub(crate) fn chunks(&self, index: u64) -> Result<Chunks<S>> {
        Chunks::new(self.segment(index)?)
    }

    pub(crate) fn segments(&self) -> BlobSegments {
        // With the tail, so that a segment that is just started is either listed or not below `next_index`.
        let tail = self.tail.lock();
        let active = tail.active.as_ref().map(|active| active.index());
        let segments = self.segments.read();
        let segments = segments.values().map(|segment| segment.describe(active)).collect();
        BlobSegments { segments, next_index: tail.next_index }
    }

    /// Removes a segment. Values that were read stay; the caller keeps to the rule in the module's description.
    pub(crate) fn remove(&self, index: u64) -> Result<()> {
        {
            let mut tail = self.tail.lock();
            tail.active.take_if(|active| active.index() == index);
            if self.segments.write().remove(&index).is_none() {
                return Ok(());
            }
        }
        self.unsynced.lock().retain(|segment| segment.index() != index);
        unless_missing(self.storage.remove(&file_name(index)))
    }

    /// Gives back space that nothing uses: removes dead files and cuts segments that are no longer written off behind their
    /// last chunk. May be called at any time, first when recovery has accepted what it found.
    pub(crate) fn tidy(&self) -> Result<()> {
        let dead = mem::take(&mut *self.dead.lock());
        for name in dead {
            unless_missing(self.storage.remove(&name))?;
        }
        if !self.storage.is_persistent() {
            // Nothing is reserved in memory; and a fork shares segments, of which one is still written by its origin.
            return Ok(());
        }
        let ended: Vec<_> = {
            let tail = self.tail.lock();
            let active = tail.active.as_ref().map(|active| active.index());
            self.segments.read().values().filter(|segment| Some(segment.index()) != active).cloned().collect()
        };
        ended.iter().try_for_each(Segment::settle)
    }

    /// Are there files that [`tidy`](Self::tidy) will remove?
    pub(crate) fn has_dead(&self) -> bool {
        !self.dead.lock().is_empty()
    }

    /// Ends the active segment, as a store does that is closed. A later write would start another.
    pub(crate) fn close(&self) -> Result<()> {
        self.tail.lock().active = None;
        self.tidy()
    }

    /// Puts these segments into `target`: sealed ones as links, what is written of the active one as a copy. Nothing may be
    /// removed or tidied meanwhile, and no chunk be still on its way into a sealed one: who opens the copy cuts its
    /// segments off behind the last chunk, and the file of a link is this one.
    pub(crate) fn copy_into(&self, target: &S, segments: Vec<BlobSegment>) -> Result<()> {
        for segment in segments {
            let name = file_name(segment.index);
            if !segment.active {
                self.storage.link_into(&name, target)?;
                continue;
            }
            let (from, to) = (self.storage.open(&name)?, target.create(&name)?);
            let used = u64::from(segment.used);
            let mut piece = vec![0; COPIED_AT_ONCE];
            let mut at = 0;
            while at < used {
                let len = (used - at).min(COPIED_AT_ONCE as u64);
                let piece = &mut piece[..usize::try_from(len).expect("no longer than a piece")];
                from.read_at(piece, at)?;
                to.write_at(piece, at)?;
                at += len;
            }
            to.sync()?;
        }
        Ok(())
    }

    /// A blob log in memory with the same chunks, which it shares with this one.
    pub(crate) fn fork(&self, storage: S) -> Self {
        let tail = self.tail.lock();
        Self {
            segments: RwLock::new(self.segments.read().clone()),
            storage,
            geometry: self.geometry,
            store_id: self.store_id,
            tail: Mutex::new(Tail { active: None, next_index: tail.next_index }),
            unsynced: Mutex::default(),
            doubtful: Mutex::default(),
            syncing: Mutex::default(),
            dead: Mutex::default(),
        }
    }

    fn segment(&self, index: u64) -> Result<Arc<Segment<S>>> {
        self.segments.read().get(&index).cloned().ok_or_else(|| {
            let path = self.storage.path().join(file_name(index));
            Corruption::new(path, 0, "blob segment", "a segment of this store", "none").into()
        })
    }
}

/// A file that is already gone was removed before a crash, or by somebody else.
fn unless_missing(removed: Result<()>) -> Result<()> {
    match removed {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
