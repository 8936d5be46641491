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

use super::{
    Entry, File, LOCK_NAME, Storage, allocate, ends_early,
    map::{Maps, map},
    transfer,
};
use crate::error::{Error, Result};
use bytes::Bytes;
use parking_lot::RwLock;
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
            Ok(file) => Ok(DiskFile { file: RwLock::new(Some(file)), path, maps: Maps::default() }),
            Err(error) => Err(Error::io(op, path, 0, error)),
        }
    }

    fn copy_into(&self, name: &str, target: &Self) -> Result<()> {
        let from = self.open(name)?;
        let to = target.create(name)?;
        let copied =
            from.with(|mut from| to.with(|mut to| io::copy(&mut from, &mut to).and_then(|_| to.sync_data())));
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
        let file = file.into_inner().expect("a file that was just opened");
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
        let path = self.path.join(name);
        match open_existing(&path) {
            Ok(file) => Ok(DiskFile { file: RwLock::new(Some(file)), path, maps: Maps::default() }),
            Err(error) => Err(Error::io("open", path, 0, error)),
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

    fn sync_parent(&self) -> Result<()> {
        let Some(parent) = self.path.parent() else { return Ok(()) };
        match sync_directory(parent) {
            // Who may not look into it has not made the directory either; and where nothing can be written, as under a
            // mount point of an image, no name is at risk.
            Err(Error::Io { source, .. })
                if matches!(
                    source.kind(),
                    io::ErrorKind::PermissionDenied
                        | io::ErrorKind::InvalidInput
                        | io::ErrorKind::Unsupported
                        | io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                Ok(())
            }
            synced => synced,
        }
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

/// To read and to write, or to read alone where that is all one may.
fn open_existing(path: &Path) -> io::Result<fs::File> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            OpenOptions::new().read(true).open(path)
        }
        opened => opened,
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
    /// None while the file rests.
    file: RwLock<Option<fs::File>>,
    path: PathBuf,
    maps: Maps,
}

impl DiskFile {
    /// `call` with the file; one that rests is opened for the call.
    fn with<T>(&self, call: impl FnOnce(&fs::File) -> io::Result<T>) -> io::Result<T> {
        match &*self.file.read() {
            Some(file) => call(file),
            None => call(&open_existing(&self.path)?),
        }
    }

    fn failed(&self, op: &'static str, needed: u64, error: io::Error) -> Error {
        Error::io(op, &self.path, needed, error)
    }
}

impl File for DiskFile {
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    fn len(&self) -> Result<u64> {
        match self.with(fs::File::metadata) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(self.failed("inspect", 0, error)),
        }
    }

    fn allocate(&self, len: u64) -> Result<()> {
        self.with(|file| allocate::allocate(file, &self.path, len))
            .map_err(|error| self.failed("allocate", len, error))
    }

    fn reserve(&self, len: u64) -> Result<()> {
        match self.with(|file| allocate::reserve(file, len)) {
            Ok(true) => Ok(()),
            // Only what is written is sure to be there.
            Ok(false) => self.allocate(len),
            Err(error) => Err(self.failed("allocate", len, error)),
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.with(|file| transfer::write_all(bytes, offset, |bytes, offset| file.write_at(bytes, offset)))
            .map_err(|error| self.failed("write", bytes.len() as u64, error))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let end = offset.saturating_add(buffer.len() as u64);
        // No file is longer, and the system calls such an offset invalid instead of behind the end.
        if i64::try_from(end).is_err() {
            return Err(ends_early(&self.path, end, self.len()?));
        }
        let read = |file: &fs::File| {
            transfer::read_full(&mut *buffer, offset, |buffer, offset| file.read_at(buffer, offset))
        };
        let filled = self.with(read).map_err(|error| self.failed("read", 0, error))?;
        if filled < buffer.len() {
            return Err(ends_early(&self.path, end, self.len()?));
        }
        Ok(())
    }

    fn will_need(&self, offset: u64, len: u64) {
        if !self.maps.will_need(offset, len)
            && let Some(file) = &*self.file.read()
        {
            allocate::will_need(file, offset, len);
        }
    }

    fn slice(&self, offset: u64, len: usize) -> Result<Bytes> {
        let end = offset.saturating_add(len as u64);
        let slice = self.maps.slice(offset..end, |end| self.with(|file| Ok(map(file, end))));
        if let Some(slice) = slice.map_err(|error| self.failed("open", 0, error))? {
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
        self.with(|file| file.set_len(len)).map_err(|error| self.failed("truncate", 0, error))
    }

    fn sync(&self) -> Result<()> {
        self.with(fs::File::sync_data).map_err(|error| self.failed("sync", 0, error))
    }

    fn rest(&self) {
        // While somebody writes there is no hurry: nobody is to wait for that.
        if let Some(mut file) = self.file.try_write() {
            *file = None;
        }
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
    fn a_file_that_rests_does_all_that_it_did() {
        let (_dir, disk) = directory();
        let file = disk.create("file").unwrap();
        file.write_at(&[1; 10_000], 0).unwrap();
        file.sync().unwrap();
        let before = file.slice(0, 100).unwrap();
        file.rest();
        assert!(file.file.read().is_none());
        assert_eq!(file.slice(9000, 1000).unwrap(), [1; 1000][..]);
        file.will_need(0, 10_000);
        file.write_at(&[2; 10], 10_000).unwrap();
        file.sync().unwrap();
        let mut bytes = [0; 20];
        file.read_at(&mut bytes, 9990).unwrap();
        assert_eq!(bytes, [[1; 10], [2; 10]].concat()[..]);
        assert_eq!(
            (file.len().unwrap(), file.slice(10_000, 10).unwrap()),
            (10_010, Bytes::from_static(&[2; 10]))
        );
        file.truncate(5000).unwrap();
        assert_eq!(file.len().unwrap(), 5000);
        disk.remove("file").unwrap();
        // What is in the map stays; what needs the file says that it is gone.
        assert_eq!(file.slice(0, 100).unwrap(), before);
        assert!(matches!(file.read_at(&mut bytes, 0), Err(Error::Io { op: "read", .. })));
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
