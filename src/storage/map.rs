//! Read-only maps of files, handed out as [`Bytes`] that keep the map alive.
//!
//! A file is mapped once, as a whole, when the first slice of it is asked for; every slice shares that map and costs one
//! reference count. A file that has grown since is mapped again. Where the system refuses a map (too many of them, a
//! file system without maps, Miri) there is none, and the caller reads instead.
//!
//! A map is memory that the compiler is told not to change. That holds because of the following, which the one `unsafe`
//! block below cites:
//!
//! M1. *The memory stays.* A map lives as long as any `Bytes` of it (it is their owner), and the file stays as long as
//!     the map even if its names are removed.
//! M2. *The file never shrinks under what was handed out.* That is S5: what is cut off, nobody has a slice of; and once
//!     it is cut off, the maps of that file no longer hand it out. Somebody else who shortens a file of an open store
//!     makes the system end the process (`SIGBUS`); no wrong byte is read.
//! M3. *Bytes that were handed out do not change.* That is S4: whoever asks for a slice does not write that range again.
//!     Sealed segments, runs and manifests are immutable; a log or blob segment hands out only what is published and
//!     written.
//! M4. *Bytes that were not handed out may change*, by `pwrite` into the same file, and no reference to them exists then:
//!     a `Bytes` is an address and a length, and dereferencing is limited to its own range. The `Bytes` of the whole map
//!     stays inside this module, which only asks for its length and slices it, never looks into it (so no `Debug` of it
//!     either). `Bytes::from_owner` takes its address through a reference to the whole, through which nothing is read.
//! M5. *What is written shows.* The map is shared, so bytes written by `pwrite` after the map was made are seen in it: file
//!     cache and map are the same pages on the systems that are supported.
//!
//! Not here: writing through a map, and advice on how it is read.

use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    fmt,
    fs::File,
    ops::Range,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The maps of one file: none, one, or one more made after it grew.
pub(super) struct Maps {
    /// Found without a lock by every slice of a file that was complete when it was first sliced.
    first: OnceLock<Map>,
    /// The newest of a file that has grown since.
    later: Mutex<Option<Map>>,
    /// Where the file was cut off; a map made before is longer (M2).
    end: AtomicU64,
}

impl Default for Maps {
    fn default() -> Self {
        Self { first: OnceLock::new(), later: Mutex::default(), end: AtomicU64::new(u64::MAX) }
    }
}

impl Maps {
    /// Hands out nothing behind `end` from now on.
    pub(super) fn cut(&self, end: u64) {
        // Relaxed: nothing else is passed on with it, and who asks for a range behind a cut while it is made breaks S5.
        self.end.fetch_min(end, Relaxed);
    }

    /// The bytes of `range`, unless the file ends before or cannot be mapped. `make` maps all of a file that has at least
    /// so many bytes; an error of it is one of opening the file.
    pub(super) fn slice<E>(
        &self,
        range: Range<u64>,
        make: impl FnOnce(usize) -> Result<Option<Map>, E>,
    ) -> Result<Option<Bytes>, E> {
        if range.end > self.end.load(Relaxed) {
            return Ok(None);
        }
        let Some(range) = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok()) else {
            return Ok(None);
        };
        let range = range.0..range.1;
        if let Some(first) = self.first.get()
            && range.end <= first.bytes.len()
        {
            return Ok(Some(first.bytes.slice(range)));
        }
        // Making maps is rare: one at a time, so that a race does not map a file twice.
        let mut later = self.later.lock();
        if let Some(known) =
            self.first.get().into_iter().chain(&*later).find(|map| range.end <= map.bytes.len())
        {
            return Ok(Some(known.bytes.slice(range)));
        }
        let Some(whole) = make(range.end)? else { return Ok(None) };
        if self.first.get().is_none() {
            return Ok(Some(self.first.get_or_init(|| whole).bytes.slice(range)));
        }
        Ok(Some(later.insert(whole).bytes.slice(range)))
    }

    /// Has the system begin to read what of these bytes is not in memory; `false` if the first map has not all of them.
    pub(super) fn will_need(&self, offset: u64, len: u64) -> bool {
        let (Some(first), Ok(offset), Ok(len)) =
            (self.first.get(), usize::try_from(offset), usize::try_from(len))
        else {
            return false;
        };
        if offset.saturating_add(len) > first.bytes.len() {
            return false;
        }
        first.will_need(offset, len);
        true
    }
}

/// The content would be read by a derived implementation (M4).
impl fmt::Debug for Maps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maps")
            .field("mapped", &self.first.get().map_or(0, |map| map.bytes.len()))
            .finish_non_exhaustive()
    }
}

/// A map of a whole file.
pub(super) struct Map {
    /// Only sliced (M4).
    bytes: Bytes,
    #[cfg(not(miri))]
    map: Arc<memmap2::Mmap>,
}

impl Map {
    /// Only advice.
    #[cfg(not(miri))]
    fn will_need(&self, offset: usize, len: usize) {
        let _ = self.map.advise_range(memmap2::Advice::WillNeed, offset, len);
    }

    #[cfg(miri)]
    fn will_need(&self, _offset: usize, _len: usize) {}
}

/// What the `Bytes` of a map own.
#[cfg(not(miri))]
struct Owned(Arc<memmap2::Mmap>);

#[cfg(not(miri))]
impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// All of `file`, if it has at least `end` bytes.
#[cfg(not(miri))]
#[expect(unsafe_code, reason = "the system calls a file map safe only under M1 to M5")]
pub(super) fn map(file: &File, end: usize) -> Option<Map> {
    let len = usize::try_from(file.metadata().ok()?.len()).ok()?;
    if len < end || len == 0 {
        return None;
    }
    let mut options = memmap2::MmapOptions::new();
    options.len(len);
    // SAFETY: `len` bytes are in the file and those handed out stay there (M2); the map is owned by the `Bytes` made of it here (M1), whose
    // slices are of ranges that are written no more (M3), and nothing else of it is looked at (M4).
    let map = Arc::new(unsafe { options.map(file) }.ok()?);
    Some(Map { bytes: Bytes::from_owner(Owned(Arc::clone(&map))), map })
}

/// Miri has no maps of files.
#[cfg(miri)]
pub(super) fn map(_file: &File, _end: usize) -> Option<Map> {
    None
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::os::unix::fs::FileExt;

    impl Maps {
        fn of(&self, file: &File, range: Range<u64>) -> Option<Bytes> {
            self.slice(range, |end| Ok::<_, Infallible>(map(file, end))).unwrap_or(None)
        }
    }

    #[test]
    fn slices_share_one_map() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[7; 8192], 0).unwrap();
        let maps = Maps::default();
        let (head, tail) = (maps.of(&file, 0..10).unwrap(), maps.of(&file, 8000..8192).unwrap());
        assert_eq!(tail.as_ptr() as usize - head.as_ptr() as usize, 8000);
        assert_eq!(tail, [7; 192][..]);
    }

    #[test]
    fn a_grown_file_is_mapped_again_and_old_slices_stay() {
        let file = tempfile::tempfile().unwrap();
        let maps = Maps::default();
        assert_eq!(maps.of(&file, 0..1), None);
        for pages in 1..=3_u8 {
            let start = u64::from(pages - 1) * 4096;
            assert_eq!(maps.of(&file, start..start + 1), None);
            file.write_all_at(&[pages; 4096], start).unwrap();
            assert_eq!(maps.of(&file, start..start + 4096).unwrap(), [pages; 4096][..]);
            assert_eq!(maps.of(&file, 0..4096).unwrap(), [1; 4096][..]);
        }
        let whole = maps.of(&file, 0..3 * 4096).unwrap();
        drop((maps, file));
        assert_eq!(whole[8192..], [3; 4096]);
    }

    #[test]
    fn what_is_written_behind_a_slice_shows_in_the_map() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        file.write_all_at(b"first", 0).unwrap();
        let maps = Maps::default();
        let first = maps.of(&file, 0..5).unwrap();
        file.write_all_at(b"second", 5).unwrap();
        assert_eq!(maps.of(&file, 5..11).unwrap(), b"second"[..]);
        assert_eq!(first, b"first"[..]);
    }

    #[test]
    fn what_was_cut_off_is_not_handed_out() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[7; 8192], 0).unwrap();
        let maps = Maps::default();
        let kept = maps.of(&file, 0..100).unwrap();
        maps.cut(100);
        file.set_len(100).unwrap();
        assert_eq!(maps.of(&file, 99..101), None);
        assert_eq!(maps.of(&file, 4096..4097), None);
        assert_eq!(maps.of(&file, 0..100).unwrap(), kept);
    }

    #[test]
    fn debug_does_not_look_into_the_map() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[1; 100], 0).unwrap();
        let maps = Maps::default();
        maps.of(&file, 0..1).unwrap();
        assert_eq!(format!("{maps:?}"), "Maps { mapped: 100, .. }");
    }
}
