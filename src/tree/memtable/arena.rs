//! A bump allocator that frees everything at once.
//!
//! It hands out memory by moving one word forward in the newest chunk. An arena that never gave anything has no
//! chunk; the first one is small, so a store of a few keys stays small, and each is twice as large as the one
//! before up to [`CHUNK_MAX`].
//!
//! Not here: what lies in the memory, and dropping it. Only things without a destructor may be placed.
#![expect(unsafe_code, reason = "memory by hand; the obligations are numbered in the parent module")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Size of an arena's first chunk.
const CHUNK_MIN: usize = 4 << 10;
/// Size from which chunks no longer grow.
const CHUNK_MAX: usize = 1 << 20;
/// Alignment of every chunk: a cache line, the most that anything in it asks for.
const CHUNK_ALIGN: usize = 64;

/// The head of a chunk; the memory it hands out follows.
struct Chunk {
    /// The chunk before, or null.
    older: *mut Chunk,
    /// Bytes of the chunk, this head included.
    size: usize,
    /// Bytes given away, this head included. Never more than `size`.
    used: AtomicUsize,
}

const _: () = assert!(align_of::<Chunk>() <= CHUNK_ALIGN);

#[derive(Debug)]
pub(super) struct Arena {
    newest: AtomicPtr<Chunk>,
    /// Held while a chunk is added.
    growing: Mutex<()>,
    allocated: AtomicUsize,
}

impl Arena {
    pub(super) const fn new() -> Self {
        Self {
            newest: AtomicPtr::new(ptr::null_mut()),
            growing: Mutex::new(()),
            allocated: AtomicUsize::new(0),
        }
    }

    /// Bytes taken from the system.
    pub(super) fn allocated(&self) -> usize {
        // Relaxed: a statistic.
        self.allocated.load(Ordering::Relaxed)
    }

    /// Uninitialised memory of `layout`, nobody else's until the arena is dropped (M1).
    pub(super) fn allocate(&self, layout: Layout) -> NonNull<u8> {
        assert!(layout.align() <= CHUNK_ALIGN);
        loop {
            // Acquire: pairs with the Release in `grow`, which publishes the head of the chunk.
            let chunk = self.newest.load(Ordering::Acquire);
            // SAFETY: M1, chunks stay until the arena is dropped; M2, the head was written before `newest` was.
            if let Some(head) = unsafe { chunk.as_ref() }
                && let Some(offset) = head.claim(layout)
            {
                // SAFETY: M1, `claim` keeps `offset + layout.size()` within the chunk's allocation.
                let place = unsafe { chunk.cast::<u8>().add(offset) };
                return NonNull::new(place).expect("inside an allocation");
            }
            self.grow(chunk, layout);
        }
    }

    /// Puts `value` where it stays until the arena is dropped. Its destructor is never run.
    pub(super) fn place<T>(&self, value: T) -> NonNull<T> {
        const { assert!(!std::mem::needs_drop::<T>()) };
        let place = self.allocate(Layout::new::<T>()).cast::<T>();
        // SAFETY: M1, fresh memory of `T`'s layout that nobody else knows of.
        unsafe { place.write(value) };
        place
    }

    /// Adds a chunk with room for `layout`, unless another thread has replaced `full` meanwhile.
    #[cold]
    fn grow(&self, full: *mut Chunk, layout: Layout) {
        let _growing = self.growing.lock();
        // Relaxed: only changed under the lock we hold.
        if self.newest.load(Ordering::Relaxed) != full {
            return;
        }
        // SAFETY: M1, M2 as in `allocate`.
        let doubled = unsafe { full.as_ref() }.map_or(CHUNK_MIN, |head| (head.size * 2).min(CHUNK_MAX));
        let size = doubled.max(size_of::<Chunk>() + CHUNK_ALIGN + layout.size());
        let chunk_layout = chunk_layout(size);
        // SAFETY: M1, the size is not zero.
        let memory = unsafe { alloc(chunk_layout) };
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(chunk_layout) };
        let chunk = memory.cast::<Chunk>();
        let head = Chunk { older: full, size, used: AtomicUsize::new(size_of::<Chunk>()) };
        // SAFETY: M1, fresh memory, larger than and aligned for the head.
        unsafe { chunk.write(head) };
        // Relaxed: a statistic.
        self.allocated.fetch_add(size, Ordering::Relaxed);
        // Release: pairs with the Acquire in `allocate`.
        self.newest.store(chunk.as_ptr(), Ordering::Release);
    }
}

impl Chunk {
    /// The offset of `layout` bytes that are now the caller's, if there is room.
    fn claim(&self, layout: Layout) -> Option<usize> {
        // Relaxed: the word only shares out addresses; what is written there is published by its owner (M2).
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let start = used.next_multiple_of(layout.align());
            let end = start.checked_add(layout.size()).filter(|&end| end <= self.size)?;
            match self.used.compare_exchange_weak(used, end, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(start),
                Err(now) => used = now,
            }
        }
    }
}

fn chunk_layout(size: usize) -> Layout {
    Layout::from_size_align(size, CHUNK_ALIGN).expect("a chunk is far smaller than the address space")
}

impl Drop for Arena {
    fn drop(&mut self) {
        let mut chunk = *self.newest.get_mut();
        // SAFETY: M1, `&mut self`: nobody holds anything of this arena any more.
        while let Some(head) = unsafe { chunk.as_ref() } {
            let (older, size) = (head.older, head.size);
            // SAFETY: M1, allocated by `grow` with this very layout, freed once, not used afterwards.
            unsafe { dealloc(chunk.cast(), chunk_layout(size)) };
            chunk = older;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_holds_nothing_and_grows_from_small() {
        let arena = Arena::new();
        assert_eq!(arena.allocated(), 0);
        arena.place(7_u64);
        assert_eq!(arena.allocated(), CHUNK_MIN);
        let big = Layout::from_size_align(3 * CHUNK_MAX, 8).unwrap();
        arena.allocate(big);
        assert!(arena.allocated() >= 3 * CHUNK_MAX);
    }

    #[test]
    fn placements_are_aligned_and_apart() {
        let arena = Arena::new();
        let mut spans = Vec::new();
        for step in 0..if cfg!(miri) { 100 } else { 5_000 } {
            let layout = Layout::from_size_align(1 + step % 97, 1 << (step % 7)).unwrap();
            let start = arena.allocate(layout).as_ptr().addr();
            assert!(start.is_multiple_of(layout.align()));
            spans.push((start, start + layout.size()));
        }
        spans.sort_unstable();
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    }
}
