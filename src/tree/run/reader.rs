//! An open run: lookups, and the verified parts that cursors walk over.

use super::{
    RunId,
    block::{self, Block, Item, Shape},
    filter::{self, Filter},
    footer::{self, Footer, Refusal, TAIL_LEN},
    format::{Flaw, checksum, expect_checksum, in_map, seed, shared_prefix},
    guide::{self, Guide},
    index::Index,
};
use crate::{
    Corruption, Error, Result,
    position::Position,
    storage::{File, Storage},
    tree::{entry::Kind, prefetch},
};
use bytes::Bytes;
use std::{
    ops::Range,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

/// As much of a block as a search in it looks at before it looks at entries, mostly.
pub(super) const SEARCHED_LEN: usize = 320;

/// Bytes read at once for a block that is not in memory, where the kernel might read megabytes.
const AROUND_LEN: usize = 64 << 10;

/// What is known of a run without reading its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) id: RunId,
    pub(crate) file_len: u64,
    /// Versions of keys, deletes included.
    pub(crate) entries: u64,
    pub(crate) deletes: u64,
    /// Distinct keys.
    pub(crate) keys: u64,
    pub(crate) min_key: Bytes,
    pub(crate) max_key: Bytes,
    pub(crate) min_version: Position,
    pub(crate) max_version: Position,
    /// Depends on every byte of the file: runs of equal id and checksum are the same.
    pub(crate) checksum: u32,
}

/// The newest version of a key that a lookup may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) version: Position,
    pub(crate) kind: Kind,
    /// A slice of the run's map.
    pub(crate) value: Bytes,
}

/// An immutable sorted file, open for reading.
#[derive(Debug)]
pub(crate) struct Run<F> {
    pub(super) file: F,
    /// The whole file.
    pub(super) map: Bytes,
    pub(super) footer: Footer,
    meta: Meta,
    filter: Range<usize>,
    index: Range<usize>,
    blocks: usize,
    common_len: usize,
    /// What has verified (R2). The bytes never change, so these only remember the result of a pure function: whoever
    /// reads a stale `false` computes it again, and `Relaxed` is enough.
    filter_verified: AtomicBool,
    index_verified: AtomicBool,
    blocks_verified: Box<[AtomicU64]>,
    /// Searches of the index before there was a guide; not exact.
    searches: AtomicUsize,
    guide: OnceLock<Guide>,
}

impl<F: File> Run<F> {
    /// Opens the run of this id in `storage`.
    pub(crate) fn open<S: Storage<File = F>>(storage: &S, id: RunId) -> Result<Self> {
        Self::from_file(storage.open(&id.file_name())?, id)
    }

    /// Has the system begin to read what [`from_file`](Self::from_file) reads of a run of `file_len` bytes.
    pub(crate) fn foresee(file: &F, file_len: u64) {
        let at = file_len.saturating_sub(footer::FIRST_READ_LEN as u64);
        file.will_need(at, file_len - at);
    }

    /// The run that `file` holds whole.
    pub(crate) fn from_file(file: F, id: RunId) -> Result<Self> {
        let file_len = file.len()?;
        let refuse = |what, expected: u64| Corruption::new(file.path(), 0, what, expected, file_len);
        let len = usize::try_from(file_len).map_err(|_| refuse("run length", usize::MAX as u64))?;
        if len < TAIL_LEN {
            return Err(refuse("run length", TAIL_LEN as u64).into());
        }
        let map = file.slice(0, len)?;
        // Not by the map: where nothing of the file is in memory, looking at a page of it reads megabytes around.
        let (end_at, end) = footer::read_end(&file, len)?;
        let parsed = footer::parse(&end, file_len).map_err(|refusal| refused(&file, end_at, refusal))?;
        let footer = parsed.footer;
        let corrupt =
            |what, expected, found| Corruption::new(file.path(), end_at as u64, what, expected, found);
        if footer.id != id {
            return Err(corrupt("run id", id.to_string(), footer.id.to_string()).into());
        }
        let in_file = |range| in_map(range).filter(|range| range.start <= range.end && range.end <= len);
        let sections =
            in_file(footer.filter_at..footer.index_at).zip(in_file(footer.index_at..footer.index_end));
        let Some(((filter, index), blocks)) = sections.zip(usize::try_from(footer.blocks).ok()) else {
            return Err(corrupt("section offsets", "within the file".into(), format!("{footer:?}")).into());
        };
        // All is in the map, or was read. A merge or a check, which reads past it, is of a run that still has its name.
        file.rest();
        let key = |range: Range<usize>| Bytes::copy_from_slice(&end[range]);
        let (min_key, max_key) = (key(parsed.min_key), key(parsed.max_key));
        Ok(Self {
            common_len: shared_prefix(&min_key, &max_key),
            meta: Meta {
                id,
                file_len,
                entries: footer.entries,
                deletes: footer.deletes,
                keys: footer.keys,
                min_key,
                max_key,
                min_version: Position::new(footer.min_version),
                max_version: Position::new(footer.max_version),
                checksum: parsed.checksum,
            },
            blocks_verified: (0..blocks.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            filter_verified: AtomicBool::new(false),
            index_verified: AtomicBool::new(false),
            searches: AtomicUsize::new(0),
            guide: OnceLock::new(),
            file,
            map,
            footer,
            filter,
            index,
            blocks,
        })
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.meta
    }

    /// What [`get`](Self::get) and [`may_contain`](Self::may_contain) want of a key; the same for all runs.
    pub(crate) fn hash(key: &[u8]) -> u64 {
        filter::hash(key)
    }

    /// False means that the run has no entry of the key with this hash.
    #[inline]
    pub(crate) fn may_contain(&self, hash: u64) -> Result<bool> {
        Ok(self.filter()?.may_contain(hash))
    }

    /// The newest entry of `key` whose version is at most `at`; `hash` is the key's.
    pub(crate) fn get(&self, key: &[u8], hash: u64, at: Position) -> Result<Option<Found>> {
        if !self.may_contain(hash)? {
            return Ok(None);
        }
        let index = self.index()?;
        let Some(number) = self.find(&index, key, at)? else { return Ok(None) };
        let (mut start, mut block) = self.block(&index, number)?;
        let (mut place, equal) = self.lower_bound(start, &block, key, at)?;
        if !equal {
            // The key's visible version can also be the first entry of the next block, if that goes on with the key
            // that this one ends with.
            if place < block.shape.count || !index.continues(number + 1, key) {
                return Ok(None);
            }
            (start, block) = self.block(&index, number + 1)?;
            place = 0;
        }
        let item = self.item(start, &block, place)?;
        if item.version > at {
            return Ok(None);
        }
        let value = self.map.slice(start + item.value..start + item.end);
        Ok(Some(Found { version: item.version, kind: item.kind, value }))
    }

    pub(super) fn block_count(&self) -> usize {
        self.blocks
    }

    #[inline]
    fn filter(&self) -> Result<Filter<'_>> {
        if !self.filter_verified.load(Ordering::Relaxed) {
            let section = &self.map[self.filter.clone()];
            self.verify_section("filter checksum", section, self.footer.filter_at, self.footer.filter_crc)?;
            self.filter_verified.store(true, Ordering::Relaxed);
        }
        let padding = usize::try_from(self.footer.filter_lines() - self.footer.filter_at).unwrap_or(0);
        let lines = &self.map[self.filter.start + padding..self.filter.end];
        Filter::parse(lines).map_err(|flaw| self.corrupt(self.footer.filter_lines(), flaw))
    }

    #[inline]
    pub(super) fn index(&self) -> Result<Index<'_>> {
        let section = &self.map[self.index.clone()];
        if !self.index_verified.load(Ordering::Relaxed) {
            self.verify_section("index checksum", section, self.footer.index_at, self.footer.index_crc)?;
            self.index_verified.store(true, Ordering::Relaxed);
        }
        self.parse_index(section).map_err(|flaw| self.corrupt(self.footer.index_at, flaw))
    }

    /// `section` as the index of this run.
    pub(super) fn parse_index<'a>(&'a self, section: &'a [u8]) -> Result<Index<'a>, Flaw> {
        let common = &self.meta.min_key[..self.common_len];
        Index::parse(section, self.blocks, common, self.footer.filter_at)
    }

    fn verify_section(&self, what: &'static str, section: &[u8], offset: u64, stored: u32) -> Result<()> {
        // The filter's reader asks the index next, mostly: all that is behind comes along.
        self.file.will_need(offset, self.meta.file_len - offset);
        let actual = checksum(seed(self.meta.id.get(), offset), section);
        expect_checksum(what, 0, stored, actual).map_err(|flaw| self.corrupt(offset, flaw))
    }

    /// The last block that begins not after `version` of `key`.
    #[inline]
    pub(super) fn find(&self, index: &Index<'_>, key: &[u8], version: Position) -> Result<Option<usize>> {
        let found = match self.guide.get() {
            Some(guide) => guide.find(index, key, version),
            None => self.find_unguided(index, key, version),
        };
        found.map_err(|flaw| self.corrupt(self.footer.index_at, flaw))
    }

    #[inline(never)]
    fn find_unguided(&self, index: &Index<'_>, key: &[u8], version: Position) -> Result<Option<usize>, Flaw> {
        // Relaxed, and not in one step: some searches more or less do not matter.
        let searches = self.searches.load(Ordering::Relaxed);
        self.searches.store(searches + 1, Ordering::Relaxed);
        if searches < self.blocks / guide::PAYS_AFTER {
            return index.find(key, version);
        }
        match Guide::new(index)? {
            Some(guide) => self.guide.get_or_init(|| guide).find(index, key, version),
            None => index.find(key, version),
        }
    }

    /// The bytes of the file that a block takes.
    pub(super) fn extent(&self, index: &Index<'_>, number: usize) -> Result<Range<usize>> {
        index.extent(number).and_then(in_map).ok_or_else(|| {
            let flaw =
                Flaw::new(0, "block offset", "ascending, before the filter", format_args!("block {number}"));
            self.corrupt(self.footer.index_at, flaw)
        })
    }

    /// Where a block starts, and the block, verified.
    #[inline]
    pub(super) fn block(&self, index: &Index<'_>, number: usize) -> Result<(usize, Block<'_>)> {
        let extent = self.extent(index, number)?;
        let (start, bytes) = (extent.start, &self.map[extent.clone()]);
        prefetch::bytes(bytes, SEARCHED_LEN);
        let (word, bit) = (&self.blocks_verified[number / 64], 1 << (number % 64));
        let verified = word.load(Ordering::Relaxed);
        if verified & bit == 0 {
            if verified & (bit << 1 | bit >> 1) == 0 {
                // Not a step of a walk, which wants what comes next: then a little will do.
                let around = start & !(AROUND_LEN - 1);
                self.file.will_need(around as u64, (extent.end.max(around + AROUND_LEN) - around) as u64);
            }
            block::check(bytes, self.meta.id.get(), start as u64)
                .map_err(|flaw| self.corrupt(start as u64, flaw))?;
            word.fetch_or(bit, Ordering::Relaxed);
        }
        let block = Block::parse(bytes, bytes.len()).map_err(|flaw| self.corrupt(start as u64, flaw))?;
        Ok((start, block))
    }

    /// The block that [`block`](Self::block) gave this start and shape for.
    #[inline]
    pub(super) fn block_again(&self, start: usize, shape: Shape) -> Block<'_> {
        Block::with_shape(&self.map[start..start + shape.len], shape)
    }

    #[inline]
    pub(super) fn item(&self, start: usize, block: &Block<'_>, place: usize) -> Result<Item> {
        block.item(place).ok_or_else(|| self.broken_entry(start, place))
    }

    #[inline]
    pub(super) fn lower_bound(
        &self,
        start: usize,
        block: &Block<'_>,
        key: &[u8],
        version: Position,
    ) -> Result<(usize, bool)> {
        block.lower_bound(key, version).ok_or_else(|| self.broken_entry(start, 0))
    }

    #[cold]
    pub(super) fn broken_entry(&self, start: usize, place: usize) -> Error {
        let flaw = Flaw::new(0, "block entry", "within its block", format_args!("entry {place} or later"));
        self.corrupt(start as u64, flaw)
    }

    #[cold]
    pub(super) fn corrupt(&self, base: u64, flaw: Flaw) -> Error {
        self.corruption(base, flaw).into()
    }

    /// A flaw in bytes that begin at `base` of the file.
    #[cold]
    pub(super) fn corruption(&self, base: u64, flaw: Flaw) -> Corruption {
        Corruption::new(self.file.path(), base + flaw.at as u64, flaw.what, flaw.expected, flaw.found)
    }
}

#[cold]
pub(super) fn refused(file: &impl File, end_at: usize, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Flaw(flaw) => {
            let offset = (end_at + flaw.at) as u64;
            Corruption::new(file.path(), offset, flaw.what, flaw.expected, flaw.found).into()
        }
        Refusal::Version(found) => {
            Error::Version { path: file.path(), found, supported: footer::FORMAT_VERSION }
        }
    }
}
