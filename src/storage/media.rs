//! Whichever storage a store was opened on, as one type: the public store is not generic.
//!
//! Every call is passed on unchanged; the branch costs nothing next to a system call.

#[cfg(any(test, feature = "sim"))]
use super::sim::{SimDir, SimFile, SimLock};
use super::{
    Entry, File, Storage,
    disk::{Disk, DiskFile, DiskLock},
    memory::{Memory, MemoryFile},
};
use crate::error::{Error, Result};
use bytes::Bytes;
use std::path::PathBuf;

/// A directory of any kind.
#[derive(Clone, Debug)]
pub(crate) enum Media {
    Disk(Disk),
    Memory(Memory),
    #[cfg(any(test, feature = "sim"))]
    Sim(SimDir),
}

impl Media {
    /// The directory `path` of the real disk.
    pub(crate) fn disk(path: impl Into<PathBuf>) -> Self {
        Self::Disk(Disk::new(path))
    }

    /// No files.
    pub(crate) fn memory() -> Self {
        Self::Memory(Memory::new())
    }

    /// The directory `path` of a simulated disk.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn sim(disk: &crate::sim::SimDisk, path: impl AsRef<std::path::Path>) -> Self {
        Self::Sim(disk.dir(path))
    }
}

/// A file of any kind.
#[derive(Debug)]
pub(crate) enum MediaFile {
    Disk(DiskFile),
    Memory(MemoryFile),
    #[cfg(any(test, feature = "sim"))]
    Sim(SimFile),
}

/// A lock of any kind; held, never looked at.
#[derive(Debug)]
pub(crate) enum MediaLock {
    Disk {
        _lock: DiskLock,
    },
    Memory,
    #[cfg(any(test, feature = "sim"))]
    Sim {
        _lock: SimLock,
    },
}

/// Passes a call on to whichever `$type` it is.
macro_rules! delegate {
    ($type:ident, $value:expr, $inner:ident => $call:expr) => {
        match $value {
            $type::Disk($inner) => $call,
            $type::Memory($inner) => $call,
            #[cfg(any(test, feature = "sim"))]
            $type::Sim($inner) => $call,
        }
    };
}

impl Storage for Media {
    type File = MediaFile;
    type Lock = MediaLock;

    fn is_persistent(&self) -> bool {
        delegate!(Media, self, inner => inner.is_persistent())
    }

    fn path(&self) -> PathBuf {
        delegate!(Media, self, inner => inner.path())
    }

    fn create_dir(&self) -> Result<()> {
        delegate!(Media, self, inner => inner.create_dir())
    }

    fn lock(&self) -> Result<MediaLock> {
        Ok(match self {
            Self::Disk(disk) => MediaLock::Disk { _lock: disk.lock()? },
            Self::Memory(_) => MediaLock::Memory,
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(sim) => MediaLock::Sim { _lock: sim.lock()? },
        })
    }

    fn list(&self) -> Result<Vec<Entry>> {
        delegate!(Media, self, inner => inner.list())
    }

    fn len(&self, name: &str) -> Result<u64> {
        delegate!(Media, self, inner => Storage::len(inner, name))
    }

    fn create(&self, name: &str) -> Result<MediaFile> {
        Ok(match self {
            Self::Disk(disk) => MediaFile::Disk(disk.create(name)?),
            Self::Memory(memory) => MediaFile::Memory(memory.create(name)?),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(sim) => MediaFile::Sim(sim.create(name)?),
        })
    }

    fn open(&self, name: &str) -> Result<MediaFile> {
        Ok(match self {
            Self::Disk(disk) => MediaFile::Disk(disk.open(name)?),
            Self::Memory(memory) => MediaFile::Memory(memory.open(name)?),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(sim) => MediaFile::Sim(sim.open(name)?),
        })
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        delegate!(Media, self, inner => inner.rename(from, to))
    }

    fn remove(&self, name: &str) -> Result<()> {
        delegate!(Media, self, inner => inner.remove(name))
    }

    fn sync_dir(&self) -> Result<()> {
        delegate!(Media, self, inner => inner.sync_dir())
    }

    fn sync_parent(&self) -> Result<()> {
        delegate!(Media, self, inner => inner.sync_parent())
    }

    fn link_into(&self, name: &str, target: &Self) -> Result<()> {
        match (self, target) {
            (Self::Disk(from), Self::Disk(to)) => from.link_into(name, to),
            (Self::Memory(from), Self::Memory(to)) => from.link_into(name, to),
            #[cfg(any(test, feature = "sim"))]
            (Self::Sim(from), Self::Sim(to)) => from.link_into(name, to),
            _ => {
                let reason = format!(
                    "{} and {} are different kinds of storage",
                    self.path().display(),
                    target.path().display()
                );
                Err(Error::Unsupported { op: "link", reason })
            }
        }
    }

    fn sibling(&self, path: PathBuf) -> Self {
        match self {
            Self::Disk(disk) => Self::Disk(disk.sibling(path)),
            Self::Memory(memory) => Self::Memory(memory.sibling(path)),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(sim) => Self::Sim(sim.sibling(path)),
        }
    }
}

impl File for MediaFile {
    fn path(&self) -> PathBuf {
        delegate!(MediaFile, self, inner => inner.path())
    }

    fn len(&self) -> Result<u64> {
        delegate!(MediaFile, self, inner => inner.len())
    }

    fn allocate(&self, len: u64) -> Result<()> {
        delegate!(MediaFile, self, inner => inner.allocate(len))
    }

    fn reserve(&self, len: u64) -> Result<()> {
        delegate!(MediaFile, self, inner => inner.reserve(len))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        delegate!(MediaFile, self, inner => inner.write_at(bytes, offset))
    }

    fn rest(&self) {
        delegate!(MediaFile, self, inner => inner.rest());
    }

    fn will_need(&self, offset: u64, len: u64) {
        delegate!(MediaFile, self, inner => inner.will_need(offset, len));
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        delegate!(MediaFile, self, inner => inner.read_at(buffer, offset))
    }

    fn slice(&self, offset: u64, len: usize) -> Result<Bytes> {
        delegate!(MediaFile, self, inner => inner.slice(offset, len))
    }

    fn truncate(&self, len: u64) -> Result<()> {
        delegate!(MediaFile, self, inner => inner.truncate(len))
    }

    fn sync(&self) -> Result<()> {
        delegate!(MediaFile, self, inner => inner.sync())
    }
}
