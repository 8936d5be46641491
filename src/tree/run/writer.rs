//! Writes a run from entries in order, in one sequential pass.
//!
//! W1. Memory is a chunk (2 MiB), a block, the index and eight bytes per key for the filter; values go through or past the chunk.
//!     Only where nothing outlives the process the file is written in one piece, which its map then shares.
//! W2. A failed call leaves the file as it is. Its name is in no manifest, so it means nothing; [`RunWriter::abandon`]
//!     removes it, as does whoever cleans up at open.

use super::{
    RunId,
    block::TARGET_MAX,
    builder::{self, BlockBuilder},
    filter,
    footer::{Footer, TAIL_LEN},
    format::{FULL_KEY_LEN_MAX, VALUE_LEN_MAX, checksum, seed, shared_prefix},
    index::IndexBuilder,
    reader::Run,
};
use crate::{
    Corruption, Error, Result,
    position::Position,
    storage::{File, Storage},
    tree::entry::{Entry, Kind},
};
use std::fmt;

/// Unit of writing. What a file system writes at once, from a multiple of it on, it may keep in one huge page of the file
/// cache: maps then miss the processor's cache of addresses (TLB) 512 times less often.
const CHUNK_LEN: usize = 2 * 1024 * 1024;

/// How a run is laid out. Readers do not need to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunOptions {
    /// Blocks are closed before they grow longer than this, in bytes. At most 32 KiB.
    pub(crate) block_len: usize,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { block_len: 4096 }
    }
}

/// A run being written.
#[derive(Debug)]
pub(crate) struct RunWriter<S: Storage> {
    storage: S,
    file: S::File,
    id: RunId,
    options: RunOptions,
    /// Bytes not yet written, and where they will be.
    chunk: Vec<u8>,
    chunk_at: u64,
    /// Length at which the chunk is written.
    chunk_len: usize,
    block: BlockBuilder,
    index: IndexBuilder,
    hashes: Vec<u64>,
    blocks_crc: crc32fast::Hasher,
    last: Last,
    entries: u64,
    deletes: u64,
    min_version: Position,
    max_version: Position,
}

/// The entry before.
#[derive(Debug, Default)]
struct Last {
    key: Vec<u8>,
    version: Position,
}

impl<S: Storage> RunWriter<S> {
    /// Creates the file of run `id`; fails if there is one.
    pub(crate) fn create(storage: &S, id: RunId, options: RunOptions) -> Result<Self> {
        assert!(options.block_len <= TARGET_MAX, "entry offsets have 16 bits");
        Ok(Self {
            file: storage.create(&id.file_name())?,
            storage: storage.clone(),
            id,
            options,
            chunk: Vec::with_capacity(CHUNK_LEN + CHUNK_LEN / 8),
            chunk_at: 0,
            chunk_len: if storage.is_persistent() { CHUNK_LEN } else { usize::MAX },
            block: BlockBuilder::default(),
            index: IndexBuilder::default(),
            hashes: Vec::new(),
            blocks_crc: crc32fast::Hasher::new(),
            last: Last::default(),
            entries: 0,
            deletes: 0,
            min_version: Position::MAX,
            max_version: Position::ZERO,
        })
    }

    pub(crate) fn id(&self) -> RunId {
        self.id
    }

    /// Takes the next entry. Keys ascend, versions of one key descend: that they do not is known of no entry that was
    /// written here, so it is what an earlier run said that is wrong.
    pub(crate) fn add(&mut self, entry: Entry<'_>) -> Result<()> {
        check_lengths(&entry)?;
        let shared = shared_prefix(&self.last.key, entry.key);
        let again = self.entries > 0 && shared == entry.key.len() && shared == self.last.key.len();
        if again {
            if entry.version >= self.last.version {
                return Err(self.refuse("order of versions", "below the last one", entry.version));
            }
        } else {
            let ascends = self.last.key[shared..].first() < entry.key[shared..].first();
            if self.entries > 0 && !ascends {
                return Err(self.refuse("order of keys", "above the last one", entry.key.escape_ascii()));
            }
            self.hashes.push(filter::hash(entry.key));
        }
        if entry.kind == Kind::Delete && !entry.value.is_empty() {
            return Err(self.refuse("delete", "without a value", entry.value.len()));
        }

        let target = self.options.block_len;
        let is_full =
            || self.block.len_with(&entry, shared) > target || self.block.ends_before(shared, target);
        if !self.block.is_empty() && is_full() {
            self.finish_block()?;
        }
        if self.block.is_empty() {
            let separator = if again { entry.version } else { Position::MAX };
            self.index.push(self.offset(), entry.key, separator);
        }
        if self.block.is_empty() && self.block.len_with(&entry, shared) > self.options.block_len {
            self.put_lone(&entry, again)?;
        } else {
            self.block.push(&entry, shared, again);
        }

        self.entries += 1;
        self.deletes += u64::from(entry.kind == Kind::Delete);
        self.min_version = self.min_version.min(entry.version);
        self.max_version = self.max_version.max(entry.version);
        self.last.key.truncate(shared);
        self.last.key.extend_from_slice(&entry.key[shared..]);
        self.last.version = entry.version;
        Ok(())
    }

    #[cold]
    fn refuse(&self, what: &'static str, expected: &str, found: impl fmt::Display) -> Error {
        Corruption::new(self.file.path(), self.offset(), what, expected, found).into()
    }

    /// About how long the file would be if it were finished now.
    pub(crate) fn estimated_len(&self) -> u64 {
        let unwritten = self.block.len() + self.index.len() + self.hashes.len() * 5 / 4;
        self.offset() + (unwritten + TAIL_LEN + 2 * self.last.key.len()) as u64
    }

    /// Writes the rest and syncs the file; the directory is the caller's to sync. A run is never empty.
    pub(crate) fn finish(mut self) -> Result<Run<S::File>> {
        assert!(self.entries > 0, "a run is never empty");
        if !self.block.is_empty() {
            self.finish_block()?;
        }
        let mut footer = Footer {
            id: self.id,
            entries: self.entries,
            deletes: self.deletes,
            keys: self.hashes.len() as u64,
            blocks: self.index.blocks() as u64,
            min_version: self.min_version.get(),
            max_version: self.max_version.get(),
            filter_at: self.offset(),
            index_at: 0,
            index_end: 0,
            blocks_crc: std::mem::take(&mut self.blocks_crc).finalize(),
            filter_crc: 0,
            index_crc: 0,
        };
        let padding = footer.filter_lines() - footer.filter_at;
        let zeros = [0; filter::LINE_LEN];
        let mut section = zeros[..usize::try_from(padding).unwrap_or(0)].to_vec();
        section.extend_from_slice(&filter::build(&self.hashes));
        footer.filter_crc = self.put_section(&section)?;
        footer.index_at = self.offset();
        let common = shared_prefix(self.index.first_key(), &self.last.key);
        let section = self.index.finish(common);
        footer.index_crc = self.put_section(&section)?;
        footer.index_end = self.offset();
        footer.put(&mut self.chunk, self.index.first_key(), &self.last.key);
        self.write_chunk()?;
        self.file.sync()?;
        Run::from_file(self.file, self.id)
    }

    /// Removes the unfinished file.
    pub(crate) fn abandon(self) -> Result<()> {
        drop(self.file);
        self.storage.remove(&self.id.file_name())
    }

    /// Where the next byte goes.
    fn offset(&self) -> u64 {
        self.chunk_at + self.chunk.len() as u64
    }

    fn finish_block(&mut self) -> Result<()> {
        let offset = self.offset();
        let crc = self.block.finish(&mut self.chunk, self.id.get(), offset);
        self.blocks_crc.update(&crc.to_le_bytes());
        self.write_full_chunk()
    }

    /// An entry over the target becomes a block of its own, its value uncopied if it is long.
    fn put_lone(&mut self, entry: &Entry<'_>, again: bool) -> Result<()> {
        let offset = self.offset();
        let crc = builder::put_lone_front(&mut self.chunk, entry, again, self.id.get(), offset);
        self.blocks_crc.update(&crc.to_le_bytes());
        self.put(entry.value)
    }

    /// Writes a section that is checked as a whole; returns its checksum.
    fn put_section(&mut self, section: &[u8]) -> Result<u32> {
        let crc = checksum(seed(self.id.get(), self.offset()), section);
        self.put(section)?;
        Ok(crc)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() < self.chunk_len {
            self.chunk.extend_from_slice(bytes);
            return self.write_full_chunk();
        }
        self.write_chunk()?;
        self.file.write_at(bytes, self.chunk_at)?;
        self.chunk_at += bytes.len() as u64;
        Ok(())
    }

    fn write_full_chunk(&mut self) -> Result<()> {
        if self.chunk.len() < self.chunk_len {
            return Ok(());
        }
        self.file.write_at(&self.chunk[..self.chunk_len], self.chunk_at)?;
        self.chunk_at += self.chunk_len as u64;
        self.chunk.copy_within(self.chunk_len.., 0);
        self.chunk.truncate(self.chunk.len() - self.chunk_len);
        Ok(())
    }

    fn write_chunk(&mut self) -> Result<()> {
        self.file.write_at(&self.chunk, self.chunk_at)?;
        self.chunk_at += self.chunk.len() as u64;
        self.chunk.clear();
        Ok(())
    }
}

fn check_lengths(entry: &Entry<'_>) -> Result<()> {
    for (what, len, max) in
        [("key", entry.key.len(), FULL_KEY_LEN_MAX), ("value", entry.value.len(), VALUE_LEN_MAX)]
    {
        if len > max {
            return Err(Error::TooLarge { what, len: len as u64, max: max as u64 });
        }
    }
    Ok(())
}
