//! Handing published frames to their file.
//!
//! The system reads a page from the device before it changes a part of it, if the page is not in its cache; and the
//! pages of a prepared segment are not. Such a read takes as long as a flush.
//!
//! W1. The first write that touches a page covers all of it: behind the last frame stand zeros, as in the prepared file.
//!     From then on the page is in the cache, and parts of it are written as they come.

use super::{arena::Words, segment::Segment};
use crate::{error::Result, position::Position, storage::File};
use std::sync::Arc;

/// What the system reads before it changes a part of it.
const PAGE_LEN: u32 = 4096;
/// Up to here frames and zeros are put together for one call; what is longer is written from where it is.
const COPIED_MAX: u32 = 4 * PAGE_LEN;

/// How far frames were handed over, and to which files since the last sync.
#[derive(Debug)]
pub(super) struct Writing<F> {
    pub(super) unsynced: Vec<Arc<F>>,
    /// Where the last page ends that was written as a whole.
    whole: Position,
    /// Frames and zeros of one call.
    page: Vec<u8>,
}

impl<F> Default for Writing<F> {
    fn default() -> Self {
        Self { unsynced: Vec::new(), whole: Position::ZERO, page: Vec::new() }
    }
}

impl<F: File> Writing<F> {
    /// Writes the published bytes of `segment` from `first` to `end`; those before `first` were written.
    pub(super) fn write<T, W: Words>(
        &mut self,
        segment: &Segment<T, W>,
        file: &Arc<F>,
        first: u32,
        end: u32,
    ) -> Result<()> {
        if self.unsynced.last().is_none_or(|last| !Arc::ptr_eq(last, file)) {
            self.unsynced.push(Arc::clone(file));
        }
        let page_end = end.next_multiple_of(PAGE_LEN);
        let whole = Position::new(segment.base().get() + u64::from(page_end));
        if page_end == end || whole <= self.whole {
            return file.write_at(segment.value(first, end - first), first.into());
        }
        let begun = if end - first <= COPIED_MAX { first } else { end - end % PAGE_LEN };
        if begun > first {
            file.write_at(segment.value(first, begun - first), first.into())?;
        }
        self.page.clear();
        self.page.extend_from_slice(segment.value(begun, end - begun));
        self.page.resize((page_end - begun) as usize, 0);
        file.write_at(&self.page, begun.into())?;
        self.whole = whole;
        Ok(())
    }
}

#[cfg(test)]
#[cfg(not(fourfold_loom))]
mod tests {
    use super::super::{
        Segment, Table,
        arena::Pool,
        format::{Binding, Geometry},
        segment::RecoveredSegment,
    };
    use super::*;
    use crate::storage::{Storage as _, memory::Memory};

    #[derive(Debug)]
    struct Nothing;

    impl Table for Nothing {
        fn new(_base: Position) -> Self {
            Self
        }

        fn apply(&self, _payload: &[u8], _offset: u32, _at: Position) {}

        fn rebuild(_segment: &RecoveredSegment<'_>) -> Result<Self> {
            Ok(Self)
        }
    }

    #[test]
    fn whatever_the_steps_the_file_is_the_segment_and_zeros() {
        const SIZE: u32 = 1 << 16;
        let geometry = Geometry::new(16);
        let bytes: Vec<u8> = (0..SIZE).map(|at| u8::try_from(at % 251 + 1).unwrap()).collect();
        for steps in [&[1_u32][..], &[8], &[100, 4096], &[4096], &[16384, 8], &[16392], &[4088, 8, 30000]] {
            let mut arena = Pool::new(SIZE, 0, false).take().unwrap();
            arena.bytes_mut().copy_from_slice(&bytes);
            let segment = Segment::sealed(geometry, 3, Binding::new(7, 3, 1), arena, Nothing, SIZE);
            let file = Arc::new(Memory::new().create("file").unwrap());
            file.write_at(&vec![0; SIZE as usize], 0).unwrap();
            let mut writing = Writing::default();
            let mut at = PAGE_LEN;
            for step in steps.iter().cycle().take(40) {
                let end = (at + step).min(SIZE);
                writing.write(&segment, &file, at, end).unwrap();
                let found = file.slice(0, SIZE as usize).unwrap();
                assert_eq!(found[4096..end as usize], bytes[4096..end as usize], "{steps:?} at {at}");
                assert!(found[end as usize..].iter().all(|&byte| byte == 0), "{steps:?} at {at}");
                at = end;
            }
            assert_eq!(writing.unsynced.len(), 1);
        }
    }
}
