//! Walks over every version in a run, forwards, for whoever rewrites it.
//!
//! Reads neighbouring blocks by `pread` into one buffer: a pass over a cold run neither fills the map's pages nor dies of
//! a bad device, and each block is checked as it is on the disk now. Only a block longer than the buffer is read
//! through the map.

use super::{
    block::{self, Block, Shape},
    format::CHUNK_LEN,
    key::KeyBuffer,
    reader::Run,
};
use crate::{
    Error, Result,
    position::Position,
    storage::File,
    tree::entry::{Entry, Kind},
};
use std::{ops::Range, sync::Arc};

/// Yields every entry: keys ascending, versions of one key descending. Starts before the first entry. The first error
/// stays.
#[derive(Debug)]
pub(crate) struct Versions<F> {
    run: Arc<Run<F>>,
    failure: Option<Error>,
    /// Whole blocks as they are in the file from `buffer_at`.
    buffer: Vec<u8>,
    buffer_at: usize,
    /// The loaded block, where it begins, and the place of the entry to come in it.
    block: Option<usize>,
    /// The block that was last to be loaded.
    entering: usize,
    start: usize,
    shape: Shape,
    place: usize,
    current: Option<(Position, Kind, Range<usize>)>,
    key: KeyBuffer,
}

impl<F: File> Versions<F> {
    pub(crate) fn new(run: Arc<Run<F>>) -> Self {
        Self {
            run,
            failure: None,
            buffer: Vec::new(),
            buffer_at: 0,
            block: None,
            entering: 0,
            start: 0,
            shape: Shape::default(),
            place: 0,
            current: None,
            key: KeyBuffer::default(),
        }
    }

    /// The entry that the last step came to.
    #[inline]
    pub(crate) fn current(&self) -> Option<Entry<'_>> {
        let (version, kind, value) = self.current.clone()?;
        Some(Entry { key: self.key.get(), version, kind, value: &self.bytes()[value] })
    }

    /// Goes to the next entry.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<()> {
        self.walk(Self::step)
    }

    /// Forgets a failure and goes on behind the block that it was in, for who saves what can be saved. `false`: there is
    /// nothing behind it.
    pub(crate) fn skip_block(&mut self) -> bool {
        self.failure = None;
        self.current = None;
        self.block = Some(self.entering);
        self.shape = Shape::default();
        self.place = 0;
        self.entering + 1 < self.run.block_count()
    }

    #[inline]
    fn walk(&mut self, step: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let stepped = step(self);
        if let Err(failure) = &stepped {
            self.current = None;
            self.failure = Some(failure.clone());
        }
        stepped
    }

    #[inline]
    fn step(&mut self) -> Result<()> {
        if self.place >= self.shape.count {
            let next = self.block.map_or(0, |block| block + 1);
            if next == self.run.block_count() {
                self.current = None;
                return Ok(());
            }
            self.enter(next)?;
        }
        let bytes = block_bytes(&self.run, &self.buffer, self.buffer_at, self.start, self.shape.len);
        let Some(item) = self.shape.item(bytes, self.place) else {
            return Err(self.run.broken_entry(self.start, self.place));
        };
        self.key.set(&item, bytes);
        self.place += 1;
        self.current = Some((item.version, item.kind, item.value..item.end));
        Ok(())
    }

    /// The loaded block.
    #[inline]
    fn bytes(&self) -> &[u8] {
        block_bytes(&self.run, &self.buffer, self.buffer_at, self.start, self.shape.len)
    }

    /// Loads a block and stands before its first entry.
    fn enter(&mut self, number: usize) -> Result<()> {
        self.entering = number;
        let run = Arc::clone(&self.run);
        let index = run.index()?;
        let extent = run.extent(&index, number)?;
        let (start, len) = (extent.start, extent.len());
        if len > CHUNK_LEN {
            self.shape = run.block(&index, number)?.1.shape;
        } else {
            let buffered = self.buffer_at..self.buffer_at + self.buffer.len();
            if start < buffered.start || extent.end > buffered.end {
                self.fill(number, extent)?;
            }
            let bytes = &self.buffer[start - self.buffer_at..][..len];
            let shape = block::check(bytes, run.meta().id.get(), start as u64)
                .and_then(|()| Shape::parse(bytes, len));
            self.shape = shape.map_err(|flaw| run.corrupt(start as u64, flaw))?;
        }
        (self.block, self.start, self.place) = (Some(number), start, 0);
        let bytes = block_bytes(&self.run, &self.buffer, self.buffer_at, start, len);
        self.key.enter(Block::with_shape(bytes, self.shape).prefix());
        Ok(())
    }

    /// Reads the blocks from `number`, which takes `extent`, as far as they fit in the buffer.
    fn fill(&mut self, number: usize, extent: Range<usize>) -> Result<()> {
        let index = self.run.index()?;
        let mut end = extent.end;
        for next in number + 1..self.run.block_count() {
            let extent_of_next = self.run.extent(&index, next)?;
            if extent_of_next.end - extent.start > CHUNK_LEN {
                break;
            }
            end = extent_of_next.end;
        }
        self.buffer_at = extent.start;
        self.buffer.clear();
        self.buffer.resize(end - extent.start, 0);
        let read = self.run.file.read_at(&mut self.buffer, extent.start as u64);
        if read.is_err() {
            self.buffer.clear();
        }
        read
    }
}

/// A block from where `Versions` keeps one of its length.
#[inline]
fn block_bytes<'a, F>(
    run: &'a Run<F>,
    buffer: &'a [u8],
    buffer_at: usize,
    start: usize,
    len: usize,
) -> &'a [u8] {
    if len > CHUNK_LEN { &run.map[start..start + len] } else { &buffer[start - buffer_at..][..len] }
}
