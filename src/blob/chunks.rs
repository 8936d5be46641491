//! Walking a segment of the blob log chunk by chunk, over damage if need be.
//!
//! K1. Every byte between header and end belongs to exactly one item. An item is a whole chunk or *damage*: what is between
//!     two whole chunks and is not one. A crash leaves damage where chunks were not synced, so damage is bad only where
//!     somebody names it.
//! K2. Everything is read by `pread`: a device that cannot be read is an error, and ends the walk.

use super::{
    Chunk,
    segment::{FrameHeader, Segment},
};
use crate::{
    error::Result,
    log::format::{FRAME_ALIGNMENT, FRAME_HEADER_LEN, HEADER_LEN, frame_len},
    storage::{File, Storage},
};
use std::sync::Arc;

/// What a search reads at once.
const WINDOW_LEN: u32 = 64 << 10;
const _: () = assert!(WINDOW_LEN > FRAME_HEADER_LEN && WINDOW_LEN.is_multiple_of(FRAME_ALIGNMENT));

/// The chunks of a segment in order.
#[derive(Debug)]
pub(crate) struct Chunks<S: Storage> {
    segment: Arc<Segment<S>>,
    offset: u32,
    end: u32,
}

impl<S: Storage> Chunks<S> {
    #[cfg(any(all(test, not(fourfold_loom)), fuzzing))]
    pub(super) fn new(segment: Arc<Segment<S>>) -> Result<Self> {
        segment.file()?;
        let end = segment.end()?;
        Ok(Self::within(segment, end))
    }

    /// Up to `end`, which is within the file.
    pub(super) fn within(segment: Arc<Segment<S>>, end: u32) -> Self {
        Self { segment, offset: HEADER_LEN, end }
    }

    /// Where the last whole chunk ends, or the last byte that is not zero if that is later.
    pub(super) fn find_end(self) -> Result<u32> {
        let (segment, end) = (Arc::clone(&self.segment), self.end);
        let mut found = last_nonzero(segment.file()?, end)?.next_multiple_of(FRAME_ALIGNMENT).min(end);
        if found == end {
            return Ok(end);
        }
        for chunk in self {
            if let Chunk::Whole(at) = chunk? {
                found = found.max(at.offset + frame_len(at.len));
            }
        }
        Ok(found)
    }

    fn step(&mut self) -> Result<Chunk> {
        if let Some(at) = self.segment.chunk_at(self.offset, self.end)? {
            self.offset = at.offset + frame_len(at.len);
            return Ok(Chunk::Whole(at));
        }
        let offset = self.offset;
        self.offset = self.search(offset.saturating_add(FRAME_ALIGNMENT))?;
        Ok(Chunk::Damage { offset, end: self.offset })
    }

    /// The first whole chunk at `from` or behind; the end if there is none. The header of a damaged chunk is not
    /// believed, so nothing is skipped because of a length that is wrong.
    fn search(&self, mut from: u32) -> Result<u32> {
        let mut window = vec![0; WINDOW_LEN as usize];
        while from < self.end && self.end - from >= FRAME_HEADER_LEN {
            let len = WINDOW_LEN.min(self.end - from);
            let bytes = &mut window[..len as usize];
            self.segment.file()?.read_at(bytes, from.into())?;
            // Up to the last place where a header fits in the window.
            let last = from + len - FRAME_HEADER_LEN;
            for offset in (from..=last).step_by(FRAME_ALIGNMENT as usize) {
                let header: &FrameHeader =
                    bytes[(offset - from) as usize..].first_chunk().expect("fits in the window");
                if self.segment.candidate(header, offset, self.end).is_some()
                    && self.segment.chunk_at(offset, self.end)?.is_some()
                {
                    return Ok(offset);
                }
            }
            from = last - last % FRAME_ALIGNMENT + FRAME_ALIGNMENT;
        }
        Ok(self.end)
    }
}

impl<S: Storage> Iterator for Chunks<S> {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.end {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.offset = self.end;
        }
        Some(step)
    }
}

/// Behind the last byte of the file's first `end` that is not zero; at least behind the header.
fn last_nonzero(file: &impl File, mut end: u32) -> Result<u32> {
    let mut window = vec![0; WINDOW_LEN as usize];
    while end > HEADER_LEN {
        let start = end.saturating_sub(WINDOW_LEN).max(HEADER_LEN);
        let bytes = &mut window[..(end - start) as usize];
        file.read_at(bytes, start.into())?;
        if let Some(last) = (start..end).rev().find(|at| bytes[(at - start) as usize] != 0) {
            return Ok(last + 1);
        }
        end = start;
    }
    Ok(HEADER_LEN)
}
