//! The memory of a segment: bytes that many threads fill, each its own range, and that never change once published.
//!
//! Everything unsafe about shared memory is behind [`Words`], so that loom and Miri run the protocol that ships.
//! Obligations, cited by every `SAFETY:` comment:
//!
//! A1. `memory` is `size` bytes, initialised, aligned to at least 8, and lives as long as the arena.
//! A2. The length word of a frame is only ever accessed atomically until the frame is below the frontier; from then on
//!     it is only read.
//! A3. Other bytes are written once, by the thread that claimed them, before it publishes the frame's length word with
//!     Release; other threads read them only after an Acquire load of that word (or of something stored after one), and
//!     nobody writes them again while anybody holds the arena.
//! A4. Offsets are checked against `size` on every access, so a wrong one is a panic and never a stray access.
//!
//! Arenas are recycled: faulting fresh pages in costs more than zeroing old ones. One comes back when its last owner
//! is gone and is zeroed by whoever takes it next, which is the background preparation of a segment.
//!
//! Not here: who may claim what (`tail`).
#![expect(unsafe_code, reason = "memory that is shared while parts of it are written")]

use crate::{
    error::{Error, Result},
    sync::{AtomicU32, Mutex, Ordering, mutant},
};
use std::{fmt, ptr::NonNull, sync::Arc};

/// Memory of a segment as the append protocol sees it.
pub(crate) trait Words: Send + Sync + 'static {
    /// Bytes of the segment.
    fn size(&self) -> u32;

    /// The length word at `offset`, a multiple of 8; zero if nothing is published there. Acquire: what the publisher
    /// filled before is visible after a non-zero answer.
    fn load_len(&self, offset: u32) -> u32;

    /// Publishes the frame at `offset`. Release: pairs with `load_len`.
    fn publish_len(&self, offset: u32, word: u32);

    /// Copies `bytes` to `offset`.
    ///
    /// # Safety
    /// The caller has claimed the range and not published it (A3), and it holds no length word of a frame (A2).
    unsafe fn fill(&self, offset: u32, bytes: &[u8]);

    /// `len` bytes at `offset`.
    ///
    /// # Safety
    /// The caller has claimed and filled the range itself, or knows that it is below the frontier (A3).
    unsafe fn slice(&self, offset: u32, len: u32) -> &[u8];

    /// The last owner is leaving: only the bytes below `soiled` may differ from zero.
    fn leave(&mut self, soiled: u32);
}

/// Anonymous memory, touched lazily.
pub(crate) struct Arena {
    memory: NonNull<u8>,
    size: u32,
    /// Bytes that may not be zero, for the next user.
    soiled: u32,
    /// `None` only while the arena is dropped.
    owner: Option<imp::Memory>,
    pool: Arc<Pool>,
}

// SAFETY: the memory belongs to this arena alone (A1) and is shared under A2 and A3.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Arena {
    fn at(&self, offset: u32, len: u32) -> NonNull<u8> {
        assert!(offset <= self.size, "an offset in the segment (A4)");
        assert!(len <= self.size - offset, "a range in the segment (A4)");
        // SAFETY: A4 was just checked, so the result stays in the allocation of A1.
        unsafe { self.memory.add(offset as usize) }
    }

    fn word(&self, offset: u32) -> &AtomicU32 {
        assert!(offset.is_multiple_of(8), "length words are aligned");
        let word = self.at(offset, 4).cast::<AtomicU32>();
        // SAFETY: in bounds by A4, aligned by A1, and A2 keeps other kinds of writes away.
        unsafe { word.as_ref() }
    }

    /// All of the memory, for whoever holds the arena alone: recovery fills it from a file.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.soiled = self.size;
        // SAFETY: A1, and `&mut self` says that nobody else looks.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr(), self.size as usize) }
    }

    /// Faults in `len` bytes from `offset` on, or up to the end, without changing them.
    pub(crate) fn touch(&self, offset: u32, len: u64) {
        let len = u32::try_from(len).unwrap_or(u32::MAX).min(self.size.saturating_sub(offset));
        if self.pool.huge && len > 0 {
            self.owner.iter().for_each(|memory| memory.touch(offset as usize, len as usize));
        }
    }

    /// All of the memory, as above.
    pub(crate) fn bytes(&mut self) -> &[u8] {
        // SAFETY: A1, and `&mut self` says that nobody else writes.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), self.size as usize) }
    }
}

impl Words for Arena {
    fn size(&self) -> u32 {
        self.size
    }

    fn load_len(&self, offset: u32) -> u32 {
        // Acquire: pairs with the Release in `publish_len`.
        self.word(offset).load(Ordering::Acquire)
    }

    fn publish_len(&self, offset: u32, word: u32) {
        // Release: pairs with the Acquire in `load_len`.
        let order = if mutant!("relaxed_publish") { Ordering::Relaxed } else { Ordering::Release };
        self.word(offset).store(word, order);
    }

    unsafe fn fill(&self, offset: u32, bytes: &[u8]) {
        let len = u32::try_from(bytes.len()).expect("a frame fits its segment");
        let target = self.at(offset, len);
        // SAFETY: in bounds by A4; nobody else accesses the range by the caller's promise, so it does not overlap `bytes`.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target.as_ptr(), bytes.len()) }
    }

    unsafe fn slice(&self, offset: u32, len: u32) -> &[u8] {
        let start = self.at(offset, len);
        // SAFETY: in bounds by A4, initialised by A1, not written any more by the caller's promise.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), len as usize) }
    }

    fn leave(&mut self, soiled: u32) {
        self.soiled = self.soiled.max(soiled);
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let memory = self.owner.take().expect("an arena owns its memory until it is dropped");
        self.pool.put(Idle { memory, soiled: self.soiled });
    }
}

/// Arenas of one size that wait for their next use.
pub(crate) struct Pool {
    size: u32,
    /// Idle arenas kept at most.
    bound: usize,
    /// Ask for huge pages: for segments that will be filled, not for stores that stay tiny.
    huge: bool,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    memory: imp::Memory,
    soiled: u32,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.size).field("bound", &self.bound).finish_non_exhaustive()
    }
}

impl Pool {
    pub(crate) fn new(size: u32, bound: usize, huge: bool) -> Arc<Self> {
        Arc::new(Self { size, bound, huge, idle: Mutex::new(Vec::new()) })
    }

    /// An arena of zeros.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Arena> {
        let mut arena = self.take_soiled()?;
        let soiled = std::mem::take(&mut arena.soiled) as usize;
        arena.bytes_mut()[..soiled].fill(0);
        arena.soiled = 0;
        Ok(arena)
    }

    /// An arena with any content, for whoever overwrites all of it.
    pub(crate) fn take_soiled(self: &Arc<Self>) -> Result<Arena> {
        let idle = self.idle.lock().pop();
        let Idle { mut memory, soiled } = match idle {
            Some(idle) => idle,
            None => Idle { memory: imp::Memory::new(self.size, self.huge)?, soiled: 0 },
        };
        let start = memory.start();
        Ok(Arena { memory: start, size: self.size, soiled, owner: Some(memory), pool: Arc::clone(self) })
    }

    fn put(&self, arena: Idle) {
        let mut idle = self.idle.lock();
        if idle.len() < self.bound {
            idle.push(arena);
        } else {
            drop(idle);
            drop(arena); // unmapping takes a while, so after the lock
        }
    }
}

fn out_of_memory(size: u32, source: std::io::Error) -> Error {
    Error::Io {
        op: "reserve memory for a segment",
        path: format!("{size} bytes").into(),
        source: Arc::new(source),
    }
}

/// Reserved address space; the system gives pages, zeroed, as they are touched.
#[cfg(not(miri))]
mod imp {
    use super::{NonNull, Result, out_of_memory};
    use memmap2::{MmapMut, MmapOptions};

    pub(super) struct Memory(MmapMut);

    impl Memory {
        pub(super) fn new(size: u32, huge: bool) -> Result<Self> {
            let map = MmapOptions::new()
                .len(size as usize)
                .no_reserve_swap()
                .map_anon()
                .map_err(|source| out_of_memory(size, source))?;
            #[cfg(target_os = "linux")]
            if huge {
                // Advice: where the system does not know huge pages, small ones do.
                drop(map.advise(memmap2::Advice::HugePage));
            }
            Ok(Self(map))
        }

        pub(super) fn start(&mut self) -> NonNull<u8> {
            NonNull::new(self.0.as_mut_ptr()).expect("a map is not at address zero")
        }

        /// Only advice: where the system cannot, the first access faults the page in.
        pub(super) fn touch(&self, offset: usize, len: usize) {
            #[cfg(target_os = "linux")]
            drop(self.0.advise_range(memmap2::Advice::PopulateWrite, offset, len));
            #[cfg(not(target_os = "linux"))]
            let _ = (offset, len);
        }
    }
}

/// Miri knows no maps.
#[cfg(miri)]
mod imp {
    use super::{NonNull, Result, out_of_memory};
    use std::alloc::{Layout, alloc_zeroed, dealloc};

    pub(super) struct Memory(NonNull<u8>, Layout);

    // SAFETY: the allocation belongs to this value alone.
    unsafe impl Send for Memory {}

    impl Memory {
        pub(super) fn new(size: u32, _huge: bool) -> Result<Self> {
            let layout = Layout::from_size_align(size as usize, 4096).expect("a segment is not empty");
            // SAFETY: the layout is not empty.
            let start = NonNull::new(unsafe { alloc_zeroed(layout) });
            let start = start.ok_or_else(|| out_of_memory(size, std::io::ErrorKind::OutOfMemory.into()))?;
            Ok(Self(start, layout))
        }

        pub(super) fn start(&mut self) -> NonNull<u8> {
            self.0
        }

        #[expect(clippy::unused_self, reason = "as above")]
        pub(super) fn touch(&self, _offset: usize, _len: usize) {}
    }

    impl Drop for Memory {
        fn drop(&mut self) {
            // SAFETY: allocated in `new` with this layout.
            unsafe { dealloc(self.0.as_ptr(), self.1) }
        }
    }
}

#[cfg(test)]
#[cfg(not(fourfold_loom))]
mod tests {
    use super::*;

    #[test]
    fn recycled_memory_is_zero() {
        let pool = Pool::new(1 << 14, 1, true);
        let mut arena = pool.take().unwrap();
        assert!(arena.bytes().iter().all(|&byte| byte == 0));
        arena.bytes_mut().fill(7);
        let second = pool.take().unwrap();
        drop(arena);
        drop(second); // one too many: not kept
        assert_eq!(pool.idle.lock().len(), 1);
        let mut arena = pool.take().unwrap();
        assert!(arena.bytes().iter().all(|&byte| byte == 0));
        assert_eq!(pool.idle.lock().len(), 0);
    }

    #[test]
    fn published_bytes_are_seen_by_another_thread() {
        let pool = Pool::new(1 << 14, 0, false);
        let arena = Arc::new(pool.take().unwrap());
        let writer = Arc::clone(&arena);
        let thread = std::thread::spawn(move || {
            // SAFETY: this thread alone fills the range, before it publishes it.
            unsafe { writer.fill(68, b"hello") }
            writer.publish_len(64, 9);
        });
        let mut turn = 0;
        while arena.load_len(64) == 0 {
            crate::sync::relax(&mut turn);
        }
        // SAFETY: published.
        assert_eq!(unsafe { arena.slice(68, 5) }, b"hello");
        thread.join().unwrap();
    }

    #[test]
    #[should_panic(expected = "A4")]
    fn a_wrong_range_is_a_panic() {
        let pool = Pool::new(1 << 14, 0, false);
        let arena = pool.take().unwrap();
        // SAFETY: never gets to the access.
        let _ = unsafe { arena.slice((1 << 14) - 4, 5) };
    }
}
