//! Where the bytes of long objects are: extents, written once, in chunks.
//!
//! X1. An extent is written in the batch that first refers to it, so there is none without an owner, and a write that
//!     is dropped leaves nothing.
//! X2. A piece in a record is a reference. An extent with one reference has no count; more are counted, and the count
//!     is changed in the batch that makes or drops references, under the extent's lock.
//! X3. The last reference goes together with the chunks, or, if these are many, leaves a note by which
//!     [`sweep`](Extents::sweep) deletes them. Readers that began before have a snapshot and go on.
//! X4. The number of an extent is used again only if no trace of the first use is left.

use crate::codec::Malformed;
use crate::error::{Corruption, Result};
use crate::objects::keys;
use crate::objects::limits::{CHUNK_LEN_MAX, CHUNKS_FREED_AT_ONCE, INLINE_LEN_MAX};
use crate::objects::record::{Piece, malformed};
use crate::store::catalog::{ResourceKind, dangling};
use crate::store::space::Space;
use crate::store::{Batch, Snapshot, Store};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The name under which the catalog has the keyspaces of the extents; no bucket can have it.
const RESOURCE: &str = ".extents";
const STRIPES: u64 = 64;
/// Chunks that one step of the sweep deletes.
const SWEPT_AT_ONCE: u64 = 1024;

/// The extents of a store.
#[derive(Debug)]
pub(crate) struct Extents {
    spaces: OnceLock<Spaces>,
    creating: Mutex<()>,
    next: AtomicU64,
    stripes: Box<[Mutex<()>]>,
    sweeping: Mutex<()>,
    has_freed: AtomicBool,
    /// Bytes of a chunk of a new extent.
    chunk_len: usize,
}

#[derive(Clone, Debug)]
struct Spaces {
    data: Space,
    counts: Space,
    freed: Space,
}

/// References made and dropped, by extent.
#[derive(Debug, Default)]
pub(crate) struct References(BTreeMap<u64, (i64, u64)>);

impl References {
    /// One more reference to the extent of each piece.
    pub(crate) fn make(&mut self, pieces: &[Piece]) {
        self.add(pieces, 1);
    }

    /// One reference less.
    pub(crate) fn drop(&mut self, pieces: &[Piece]) {
        self.add(pieces, -1);
    }

    /// Those of another change, which comes into the same batch.
    pub(crate) fn absorb(&mut self, other: Self) {
        for (extent, (delta, chunks)) in other.0 {
            self.0.entry(extent).or_insert((0, chunks)).0 += delta;
        }
    }

    fn add(&mut self, pieces: &[Piece], delta: i64) {
        for piece in pieces {
            self.0.entry(piece.extent).or_insert((0, piece.chunks())).0 += delta;
        }
    }
}

impl Extents {
    pub(crate) fn new(store: &Store) -> Self {
        // Names and lengths of a chunk's entry and back reference stand beside it in a segment.
        let room = store.inner.tree.log().payload_max() as usize / 4;
        Self {
            spaces: OnceLock::new(),
            creating: Mutex::default(),
            next: AtomicU64::new(0),
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            sweeping: Mutex::default(),
            has_freed: AtomicBool::new(false),
            chunk_len: CHUNK_LEN_MAX.min(room),
        }
    }

    pub(crate) fn chunk_len(&self) -> usize {
        self.chunk_len
    }

    /// Longest body in a record.
    pub(crate) fn inline_len_max(&self) -> usize {
        INLINE_LEN_MAX.min(self.chunk_len)
    }

    /// The keyspaces, if there ever was an extent.
    fn spaces(&self, store: &Store) -> Result<Option<&Spaces>> {
        if let Some(spaces) = self.spaces.get() {
            return Ok(Some(spaces));
        }
        let _creating = self.creating.lock();
        self.find(store)
    }

    /// Finds what the catalog has; under the lock.
    fn find(&self, store: &Store) -> Result<Option<&Spaces>> {
        if let Some(spaces) = self.spaces.get() {
            return Ok(Some(spaces));
        }
        let Some(resource) = store.find_resource(ResourceKind::Bucket, RESOURCE)? else { return Ok(None) };
        let space = |index: usize| {
            let id = resource.ids.get(index).copied().unwrap_or_default();
            store.space(id).ok_or_else(|| dangling(RESOURCE, id))
        };
        let spaces = Spaces { data: space(0)?, counts: space(1)?, freed: space(2)? };
        let last = |space: &Space| -> Result<u64> {
            let last = space.range::<&[u8]>(store, ..).next_back().transpose()?;
            Ok(last.and_then(|(key, _)| keys::extent_of(&key)).map_or(0, |extent| extent.saturating_add(1)))
        };
        let freed = last(&spaces.freed)?;
        self.next.store(last(&spaces.data)?.max(freed), Ordering::Relaxed);
        self.has_freed.store(freed > 0, Ordering::Relaxed);
        Ok(Some(self.spaces.get_or_init(|| spaces)))
    }

    /// The keyspaces, created if there never was an extent.
    fn create(&self, store: &Store) -> Result<&Spaces> {
        if let Some(spaces) = self.spaces(store)? {
            return Ok(spaces);
        }
        let _creating = self.creating.lock();
        if self.find(store)?.is_none() {
            let mut batch = store.batch();
            let ids = [batch.create_space()?, batch.create_space()?, batch.create_space()?];
            batch.put_resource(ResourceKind::Bucket, RESOURCE, &ids, &[])?;
            // Whatever is written to them is durable only after this is.
            store.commit(batch)?.forget();
        }
        self.find(store)?.ok_or_else(|| dangling(RESOURCE, 0))
    }

    /// A number for a new extent, and the keyspace that its chunks are put into.
    pub(crate) fn begin(&self, store: &Store) -> Result<(u64, u32)> {
        let data = self.create(store)?.data.id();
        // Relaxed: a number goes to one caller, and nothing else depends on it.
        Ok((self.next.fetch_add(1, Ordering::Relaxed), data))
    }

    /// What reads pieces.
    pub(crate) fn reader(&self, store: &Store) -> Result<Option<Space>> {
        Ok(self.spaces(store)?.map(|spaces| spaces.data.clone()))
    }

    /// Data, counts and notes, if there ever was an extent.
    pub(crate) fn keyspaces(&self, store: &Store) -> Result<Option<[&Space; 3]>> {
        Ok(self.spaces(store)?.map(|spaces| [&spaces.data, &spaces.counts, &spaces.freed]))
    }

    /// Counts references made and dropped into `batch`. They may not change until the guards are gone, which is when the
    /// batch was appended.
    pub(crate) fn count(
        &self,
        store: &Store,
        references: &References,
        batch: &mut Batch,
    ) -> Result<Counted<'_>> {
        let changed = || references.0.iter().filter(|(_, (delta, _))| *delta != 0);
        let mut stripes: Vec<usize> = changed().map(|(extent, _)| (*extent % STRIPES) as usize).collect();
        stripes.sort_unstable();
        stripes.dedup();
        let locks = stripes.into_iter().map(|stripe| self.stripes[stripe].lock()).collect();
        let mut counted = Counted { _locks: locks, is_left_to_sweep: false };
        if references.0.is_empty() {
            return Ok(counted);
        }
        let Some(spaces) = self.spaces(store)? else { return Ok(counted) };
        for (extent, (delta, chunks)) in changed() {
            let key = keys::extent(*extent);
            let known = spaces.counts.get(store, &key)?;
            let count = known.as_ref().map_or(Some(1), |count| keys::number(count));
            let count = count.and_then(|count| count.checked_add_signed(*delta));
            match count {
                None => return Err(miscounted(*extent, *delta)),
                Some(0) => counted.is_left_to_sweep |= free(spaces, *extent, *chunks, batch)?,
                Some(1) => {}
                Some(count) => batch.put_in(spaces.counts.id(), &key, &keys::extent(count))?,
            }
            if known.is_some() && count.is_some_and(|count| count < 2) {
                batch.delete_in(spaces.counts.id(), &key)?;
            }
        }
        Ok(counted)
    }

    /// A batch was appended that left something to sweep.
    pub(crate) fn freed(&self, store: &Store) {
        self.has_freed.store(true, Ordering::Relaxed);
        store.wake_sweeper();
    }

    /// May there be extents to sweep?
    pub(crate) fn has_freed(&self) -> bool {
        self.has_freed.load(Ordering::Relaxed)
    }

    /// Deletes some chunks of extents that nobody refers to. Are there more?
    pub(crate) fn sweep(&self, store: &Store) -> Result<bool> {
        let _one_at_a_time = self.sweeping.lock();
        let Some(spaces) = self.spaces(store)? else { return Ok(false) };
        if !self.has_freed() {
            return Ok(false);
        }
        // Before looking: what is freed meanwhile says so again.
        self.has_freed.store(false, Ordering::Relaxed);
        let Some((key, left)) = spaces.freed.range::<&[u8]>(store, ..).next().transpose()? else {
            return Ok(false);
        };
        self.has_freed.store(true, Ordering::Relaxed);
        let (Some(extent), Some(left)) = (keys::extent_of(&key), keys::number(&left)) else {
            return Err(misnoted(&key));
        };
        let kept = left.saturating_sub(SWEPT_AT_ONCE);
        let mut batch = store.batch();
        for chunk in kept..left {
            batch.delete_in(spaces.data.id(), &keys::chunk(extent, chunk))?;
        }
        if kept == 0 {
            batch.delete_in(spaces.freed.id(), &key)?;
        } else {
            batch.put_in(spaces.freed.id(), &key, &keys::extent(kept))?;
        }
        store.commit(batch)?.forget();
        Ok(true)
    }
}

/// What [`Extents::count`] found; holds the counts as they are.
#[derive(Debug)]
pub(crate) struct Counted<'a> {
    _locks: Vec<MutexGuard<'a, ()>>,
    pub(crate) is_left_to_sweep: bool,
}

/// Deletes an extent, or leaves it to the sweep.
fn free(spaces: &Spaces, extent: u64, chunks: u64, batch: &mut Batch) -> Result<bool> {
    if chunks > CHUNKS_FREED_AT_ONCE {
        batch.put_in(spaces.freed.id(), &keys::extent(extent), &keys::extent(chunks))?;
        return Ok(true);
    }
    for chunk in 0..chunks {
        batch.delete_in(spaces.data.id(), &keys::chunk(extent, chunk))?;
    }
    Ok(false)
}

/// The bytes of a piece from `at` on, as far as one chunk has them.
pub(crate) fn read(snapshot: &Snapshot, data: &Space, piece: &Piece, at: u64) -> Result<Bytes> {
    read_by(piece, at, |key| snapshot.get_in(data, key))
}

/// [`read`] for who has a checksum of them, and gives none out before it is compared.
pub(crate) fn read_unchecked(snapshot: &Snapshot, data: &Space, piece: &Piece, at: u64) -> Result<Bytes> {
    read_by(piece, at, |key| snapshot.get_unchecked_in(data, key))
}

fn read_by(piece: &Piece, at: u64, get: impl Fn(&[u8]) -> crate::Result<Option<Bytes>>) -> Result<Bytes> {
    let chunk_len = u64::from(piece.chunk_len);
    let start = piece.from + at;
    let (number, skipped) = (start / chunk_len, start % chunk_len);
    let expected = chunk_len.min(piece.extent_len - number * chunk_len);
    let chunk = get(&keys::chunk(piece.extent, number))?;
    let found = chunk.as_ref().map(|chunk| chunk.len() as u64);
    let Some(chunk) = chunk.filter(|_| found == Some(expected)) else {
        return Err(misfit(piece, number, expected, found));
    };
    let end = expected.min(skipped + piece.len - at);
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    Ok(chunk.slice(place(skipped)..place(end)))
}

#[cold]
fn misfit(piece: &Piece, number: u64, expected: u64, found: Option<u64>) -> crate::Error {
    let file = format!("extent {}", piece.extent);
    let found = found.map_or_else(|| "none".to_owned(), |len| format!("{len} bytes"));
    let offset = number * u64::from(piece.chunk_len);
    Corruption::new(file, offset, "chunk", format_args!("{expected} bytes"), found).into()
}

#[cold]
fn miscounted(extent: u64, delta: i64) -> crate::Error {
    let file = format!("extent {extent}");
    Corruption::new(file, 0, "count of references", format_args!("at least {}", -delta), "less").into()
}

#[cold]
fn misnoted(key: &[u8]) -> crate::Error {
    let flaw = Malformed {
        offset: 0,
        what: "freed extent",
        expected: "a number".to_owned(),
        found: format!("{key:02x?}"),
    };
    malformed(&flaw, "freed extents")
}
