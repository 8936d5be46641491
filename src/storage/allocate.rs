//! Giving a new file its space before it is needed.
//!
//! A write into space that is only reserved makes the next sync convert the extent, which doubles its latency and makes
//! its tail ten times longer. So the zeros are really written, and past the page cache: zeros written through it in big
//! pieces leave large folios there, and a small append into such a folio writes all of it (1 MiB for 128 bytes).
//!
//! A1. After success, every byte of the file is zero and its extents are initialised.
//! A2. Nothing of the zeros stays in the page cache in pieces larger than a page.
//!
//! Not promised: that the file survives a power cut. The caller syncs it.

use super::transfer;
#[cfg(all(target_os = "linux", not(miri)))]
use std::num::NonZeroU64;
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// What direct writes must be aligned to; every file system in use accepts the size of a page.
const BLOCK_LEN: usize = 4096;
/// One direct write.
const DIRECT_LEN: usize = 1 << 20;

/// Makes the new file `file`, which is at `path`, `len` bytes long.
pub(super) fn allocate(file: &File, path: &Path, len: u64) -> io::Result<()> {
    // Where it cannot be reserved, writing the zeros is all there is.
    let _is_reserved = reserve(file, len)?;
    let zeroed = zero_directly(file, path, len)?;
    if zeroed < len { zero_through_cache(file, zeroed, len) } else { Ok(()) }
}

/// Takes the space, so that a full disk is known at once and the extents are contiguous: the file is `len` zero bytes
/// long, in extents that the first write initialises. `false` where the file system cannot.
#[cfg(all(target_os = "linux", not(miri)))]
pub(super) fn reserve(file: &File, len: u64) -> io::Result<bool> {
    use rustix::{
        fs::{FallocateFlags, fallocate},
        io::{Errno, retry_on_intr},
    };
    if len == 0 {
        return Ok(true);
    }
    match retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, len)) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
pub(super) fn reserve(_file: &File, _len: u64) -> io::Result<bool> {
    Ok(false)
}

/// Writes zeros from the start past the page cache; returns how far it came before the file system refused to be
/// written that way.
#[cfg(all(target_os = "linux", not(miri)))]
#[expect(clippy::disallowed_methods, reason = "part of the one module that may open files")]
fn zero_directly(file: &File, path: &Path, len: u64) -> io::Result<u64> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let whole_blocks = len - len % BLOCK_LEN as u64;
    if whole_blocks == 0 {
        return Ok(0);
    }
    let flags = OFlags::DIRECT.bits().cast_signed();
    let Ok(direct) = std::fs::OpenOptions::new().write(true).custom_flags(flags).open(path) else {
        return Ok(0);
    };
    // The name could have been given to another file since; that one is none of our business.
    let (ours, opened) = (file.metadata()?, direct.metadata()?);
    if (ours.dev(), ours.ino()) != (opened.dev(), opened.ino()) {
        return Ok(0);
    }
    let buffer = vec![0; DIRECT_LEN + BLOCK_LEN];
    let aligned = buffer.as_ptr().align_offset(BLOCK_LEN);
    let zeros = &buffer[aligned..][..DIRECT_LEN];
    let mut offset = 0;
    while offset < whole_blocks {
        let piece = piece(zeros, whole_blocks - offset);
        match direct.write_at(piece, offset) {
            Ok(moved) if moved > 0 && moved % BLOCK_LEN == 0 => offset += moved as u64,
            // Written in a way that direct writes cannot go on from: the rest goes through the cache.
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
            Err(error) => return Err(error),
        }
    }
    Ok(offset)
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn zero_directly(_file: &File, _path: &Path, _len: u64) -> io::Result<u64> {
    Ok(0)
}

/// Writes the zeros of `start..end` page by page, makes the device have them and the cache forget them.
fn zero_through_cache(file: &File, start: u64, end: u64) -> io::Result<()> {
    let zeros = [0; BLOCK_LEN];
    let mut offset = start;
    while offset < end {
        let piece = piece(&zeros, end - offset);
        transfer::write_all(piece, offset, |bytes, offset| file.write_at(bytes, offset))?;
        offset += piece.len() as u64;
    }
    file.sync_data()?;
    forget(file);
    Ok(())
}

/// As many of `zeros` as `left` asks for.
fn piece(zeros: &[u8], left: u64) -> &[u8] {
    &zeros[..usize::try_from(left).map_or(zeros.len(), |left| left.min(zeros.len()))]
}

/// Drops the clean pages of the file from the page cache. Only advice: a file system that ignores it costs speed.
#[cfg(all(target_os = "linux", not(miri)))]
fn forget(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn forget(_file: &File) {}

/// Has the kernel begin to read what of these bytes is not in the page cache. Only advice, as above.
#[cfg(all(target_os = "linux", not(miri)))]
pub(super) fn will_need(file: &File, offset: u64, len: u64) {
    if let Some(len) = NonZeroU64::new(len) {
        let _ = rustix::fs::fadvise(file, offset, Some(len), rustix::fs::Advice::WillNeed);
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
pub(super) fn will_need(_file: &File, _offset: u64, _len: u64) {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways must give the same file; which one `allocate` takes depends on the file system under the test.
    #[test]
    fn zeros_of_any_length_by_either_way() {
        for len in [0, 1, 4095, 4096, 4097, 3 * DIRECT_LEN as u64 + 4096 + 17] {
            let file = tempfile::NamedTempFile::new().unwrap();
            allocate(file.as_file(), file.path(), len).unwrap();
            assert_zeros(file.as_file(), len);
            let file = tempfile::NamedTempFile::new().unwrap();
            zero_through_cache(file.as_file(), 0, len).unwrap();
            assert_zeros(file.as_file(), len);
            let file = tempfile::NamedTempFile::new().unwrap();
            if reserve(file.as_file(), len).unwrap() {
                assert_zeros(file.as_file(), len);
            }
        }
    }

    #[test]
    fn a_name_that_moved_on_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
        let stranger = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
        allocate(file.as_file(), stranger.path(), 8192).unwrap();
        assert_zeros(file.as_file(), 8192);
        assert_zeros(stranger.as_file(), 0);
    }

    /// Only the reservation: where it is not supported, writing so many zeros would fill the disk.
    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn more_than_the_disk_holds_is_refused_at_once() {
        let file = tempfile::tempfile().unwrap();
        let Err(error) = reserve(&file, 1 << 62) else { return };
        assert!(matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::FileTooLarge), "{error}");
    }

    fn assert_zeros(file: &File, len: u64) {
        assert_eq!(file.metadata().unwrap().len(), len);
        let mut bytes = vec![1; usize::try_from(len).unwrap()];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0));
    }
}
