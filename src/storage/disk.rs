//! The real disk: a directory of the file system.
//!
//! D1. Every call names the operation and the path when it fails; short and interrupted calls are finished below
//!     (`transfer`, and std for those that it repeats itself).
//! D2. The lock is an advisory lock (`flock`) on the file `LOCK`: it also refuses a second opener in the same process, and
//!     the system releases it when the process dies, however it dies. It is given back by a call and not by closing the
//!     file: a child that the process is starting just then holds a copy of the descriptor until it runs its program, and
//!     the lock would last as long.
//! D3. A directory made by [`Storage::create_dir`] is durable, with the ancestors that had to be made.
//!
//! Not here: caching, read-ahead, and any decision what to do about a failure.

#![expect(clippy::disallowed_methods, reason = "the one module that may touch the file system")]

use super::{Entry, File, LOCK_NAME, Storage, allocate, ends_early, map::Maps, transfer};
use crate::error::{Error, Result};
use bytes::Bytes;
use std::{
    fs::{self, OpenOptions, TryLockError},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A directory on the real disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    path: Arc<Path>,
}

impl Disk {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into().into() }
    }

    fn file(&self, op: &'static str, name: &str, options: &OpenOptions) -> Result<DiskFile> {
        let path = self.path.join(name);
        match options.open(&path) {
            Ok(file) => Ok(DiskFile { file, path, maps: Maps::default() }),
            Err(error) => Err(Error::io(op, path, 0, error)),
        }
    }

    fn copy_into(&self, name: &str, target: &Self) -> Result<()> {
        let from = self.open(name)?;
        let to = target.create(name)?;
        let copied = io::copy(&mut &from.file, &mut &to.file).and_then(|_| to.file.sync_data());
        copied.map_err(|error| {
            // Half a copy under the final name would be taken for the file; nothing more can be done if it stays.
            let _ = fs::remove_file(&to.path);
            Error::io("copy", &to.path, 0, error)
        })
    }
}

impl Storage for Disk {
    type File = DiskFile;
    type Lock = DiskLock;

    fn is_persistent(&self) -> bool {
        true
    }

    fn path(&self) -> PathBuf {
        self.path.to_path_buf()
    }

    fn create_dir(&self) -> Result<()> {
        let made: Vec<&Path> = self.path.ancestors().take_while(|path| !path.is_dir()).collect();
        fs::create_dir_all(&self.path)
            .map_err(|error| Error::io("create directory", &*self.path, 0, error))?;
        for path in made {
            sync_directory(path.parent().unwrap_or(Path::new("")))?;
        }
        Ok(())
    }

    fn lock(&self) -> Result<DiskLock> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let DiskFile { file, path, .. } = self.file("open", LOCK_NAME, &options)?;
        match file.try_lock() {
            Ok(()) => Ok(DiskLock { file }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path: self.path() }),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", path, 0, error)),
        }
    }

    fn list(&self) -> Result<Vec<Entry>> {
        let failed = |error| Error::io("list", &*self.path, 0, error);
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Of the entry itself: a link is not a file of the store.
            match entry.file_type() {
                _ if name == LOCK_NAME => {}
                Ok(kind) => entries.push(Entry { name, is_file: kind.is_file() }),
                // Removed since the directory was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("inspect", entry.path(), 0, error)),
            }
        }
        Ok(entries)
    }

    fn len(&self, name: &str) -> Result<u64> {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(Error::io("inspect", path, 0, error)),
        }
    }

    fn create(&self, name: &str) -> Result<DiskFile> {
        self.file("create", name, OpenOptions::new().read(true).write(true).create_new(true))
    }

    fn open(&self, name: &str) -> Result<DiskFile> {
        let opened = self.file("open", name, OpenOptions::new().read(true).write(true));
        match &opened {
            Err(Error::Io { source, .. })
                if matches!(
                    source.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                self.file("open", name, OpenOptions::new().read(true))
            }
            _ => opened,
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let from = self.path.join(from);
        fs::rename(&from, self.path.join(to)).map_err(|error| Error::io("rename", from, 0, error))
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.path.join(name);
        fs::remove_file(&path).map_err(|error| Error::io("remove", path, 0, error))
    }

    fn sync_dir(&self) -> Result<()> {
        sync_directory(&self.path)
    }

    fn link_into(&self, name: &str, target: &Self) -> Result<()> {
        let path = target.path.join(name);
        match fs::hard_link(self.path.join(name), &path) {
            Ok(()) => Ok(()),
            // Another device, a file system without links, a file with too many: each can still hold a copy.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::CrossesDevices
                        | io::ErrorKind::Unsupported
                        | io::ErrorKind::PermissionDenied
                        | io::ErrorKind::TooManyLinks
                ) =>
            {
                self.copy_into(name, target)
            }
            Err(error) => Err(Error::io("link", path, 0, error)),
        }
    }

    fn sibling(&self, path: PathBuf) -> Self {
        Self::new(path)
    }
}

/// `path` as a parent is empty where the current directory is meant.
fn sync_directory(path: &Path) -> Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    fs::File::open(path)
        // Miri cannot sync a directory, and has no power cuts.
        .and_then(|directory| if cfg!(miri) { Ok(()) } else { directory.sync_all() })
        .map_err(|error| Error::io("sync directory", path, 0, error))
}

/// Given back when dropped (D2).
#[derive(Debug)]
pub(crate) struct DiskLock {
    file: fs::File,
}

impl Drop for DiskLock {
    fn drop(&mut self) {
        // Should the call fail, closing the file does the same as soon as no child has a copy of it.
        let _ = self.file.unlock();
    }
}

/// An open file on the real disk.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: fs::File,
    path: PathBuf,
    maps: Maps,
}

impl DiskFile {
    fn failed(&self, op: &'static str, needed: u64, error: io::Error) -> Error {
        Error::io(op, &self.path, needed, error)
    }
}

impl File for DiskFile {
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    fn len(&self) -> Result<u64> {
        match self.file.metadata() {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(self.failed("inspect", 0, error)),
        }
    }

    fn allocate(&self, len: u64) -> Result<()> {
        allocate::allocate(&self.file, &self.path, len).map_err(|error| self.failed("allocate", len, error))
    }

    fn reserve(&self, len: u64) -> Result<()> {
        match allocate::reserve(&self.file, len) {
            Ok(true) => Ok(()),
            // Only what is written is sure to be there.
            Ok(false) => self.allocate(len),
            Err(error) => Err(self.failed("allocate", len, error)),
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        transfer::write_all(bytes, offset, |bytes, offset| self.file.write_at(bytes, offset))
            .map_err(|error| self.failed("write", bytes.len() as u64, error))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let end = offset.saturating_add(buffer.len() as u64);
        // No file is longer, and the system calls such an offset invalid instead of behind the end.
        if i64::try_from(end).is_err() {
            return Err(ends_early(&self.path, end, self.len()?));
        }
        let filled = transfer::read_full(buffer, offset, |buffer, offset| self.file.read_at(buffer, offset))
            .map_err(|error| self.failed("read", 0, error))?;
        if filled < buffer.len() {
            return Err(ends_early(&self.path, end, self.len()?));
        }
        Ok(())
    }

    fn will_need(&self, offset: u64, len: u64) {
        allocate::will_need(&self.file, offset, len);
    }

    fn slice(&self, offset: u64, len: usize) -> Result<Bytes> {
        let end = offset.saturating_add(len as u64);
        if let Some(slice) = self.maps.slice(&self.file, offset..end) {
            return Ok(slice);
        }
        // Checked first: `len` may come from damaged bytes, and nothing is allocated for what is not there.
        let found = self.len()?;
        if found < end {
            return Err(ends_early(&self.path, end, found));
        }
        let mut buffer = vec![0; len];
        self.read_at(&mut buffer, offset)?;
        Ok(buffer.into())
    }

    fn truncate(&self, len: u64) -> Result<()> {
        if self.len()? <= len {
            return Ok(());
        }
        // Before the file is shorter: a slice behind its end could not be read.
        self.maps.cut(len);
        self.file.set_len(len).map_err(|error| self.failed("truncate", 0, error))
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| self.failed("sync", 0, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        (dir, disk)
    }

    #[test]
    fn missing_ancestors_are_made() {
        let (_dir, disk) = directory();
        let deep = disk.sibling(disk.path().join("a/b/c"));
        deep.create_dir().unwrap();
        deep.create_dir().unwrap();
        deep.create("file").unwrap();
    }

    #[test]
    fn errors_name_operation_and_path() {
        let (_dir, disk) = directory();
        let missing = disk.path().join("missing");
        for (op, result) in [
            ("open", disk.open("missing").map(drop)),
            ("remove", disk.remove("missing")),
            ("rename", disk.rename("missing", "other")),
        ] {
            let Err(Error::Io { op: found, path, source }) = result else { panic!("{op}: {result:?}") };
            assert_eq!((found, path), (op, missing.clone()));
            assert_eq!(source.kind(), io::ErrorKind::NotFound);
        }
    }

    /// As a child has it between `fork` and `exec`.
    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_the_lock() {
        let (_dir, disk) = directory();
        let lock = disk.lock().unwrap();
        let copy = lock.file.try_clone().unwrap();
        assert!(matches!(disk.lock(), Err(Error::Locked { .. })));
        drop(lock);
        drop(disk.lock().unwrap());
        drop(copy);
    }

    #[test]
    fn what_is_not_a_file_is_listed_and_cannot_be_opened() {
        let (_dir, disk) = directory();
        fs::create_dir(disk.path().join("folder")).unwrap();
        disk.create("file").unwrap().write_at(b"abc", 0).unwrap();
        std::os::unix::fs::symlink("file", disk.path().join("link")).unwrap();
        let mut entries = disk.list().unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let found: Vec<_> = entries.iter().map(|entry| (&*entry.name, entry.is_file)).collect();
        assert_eq!(found, [("file", true), ("folder", false), ("link", false)]);
        assert!(disk.open("folder").and_then(|file| file.read_at(&mut [0; 1], 0)).is_err());
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri does not know the system call that copies")]
    fn a_copy_stands_in_for_a_link() {
        let (_dir, disk) = directory();
        let target = disk.sibling(disk.path().join("target"));
        target.create_dir().unwrap();
        disk.create("file").unwrap().write_at(&[9; 10_000], 0).unwrap();
        disk.copy_into("file", &target).unwrap();
        assert_eq!(target.open("file").unwrap().slice(0, 10_000).unwrap(), [9; 10_000][..]);
        let error = disk.copy_into("file", &target).unwrap_err();
        assert!(matches!(error, Error::Io { op: "create", .. }), "{error}");
        assert_eq!(target.open("file").unwrap().len().unwrap(), 10_000);
    }

    /// A real file system that is full. Needs the right to mount one; the simulated quota covers the rest everywhere.
    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn a_full_disk_is_an_error_that_ends_when_there_is_room() {
        struct Mounted(tempfile::TempDir);
        impl Drop for Mounted {
            fn drop(&mut self) {
                let _ = std::process::Command::new("umount").arg(self.0.path()).status();
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(dir.path());
        if !mount.output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: may not mount a small file system");
            return;
        }
        let mounted = Mounted(dir);
        let disk = Disk::new(mounted.0.path());
        let small = disk.create("small").unwrap();
        small.allocate(32 * 1024).unwrap();
        let big = disk.create("big").unwrap();
        for result in [big.allocate(64 * 1024), small.write_at(&vec![1; 64 * 1024], 32 * 1024)] {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::StorageFull { needed: 65536, .. }), "{error}");
        }
        drop(small);
        disk.remove("small").unwrap();
        big.allocate(48 * 1024).unwrap();
        big.write_at(&vec![1; 48 * 1024], 0).unwrap();
    }
}
