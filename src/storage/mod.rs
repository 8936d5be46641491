//! The one seam to the disk. Nothing outside this folder touches a file.
//!
//! A [`Storage`] is one flat directory of named files. Log, tree and store are generic over it, so a call costs what
//! the system call costs; the implementations are the real disk, memory, and a simulated disk that
//! keeps *written* and *synced* apart and yields crash images.
//!
//! What callers may rely on, and what every implementation keeps:
//!
//! S1. A name is durable (or durably gone) only after [`Storage::sync_dir`] returned; content only after
//!     [`File::sync`] returned. Either may also survive without.
//! S2. `rename` replaces atomically: after a crash the target is the old or the new file, never a mixture.
//! S3. Every call either does all that it says or returns an [`Error`] with operation and path; a short write is
//!     continued, an interrupted call is repeated, nothing else is retried.
//! S4. Bytes returned by [`File::slice`] never change as long as the caller does not write that range again.
//! S5. [`File::truncate`] leaves what is before the cut as it is, slices of it included. The caller cuts off only bytes
//!     of which nobody has a slice, and which nobody asks for by another handle that was open before.

mod allocate;
pub(crate) mod disk;
mod map;
pub(crate) mod media;
pub(crate) mod memory;
#[cfg(any(test, feature = "sim"))]
pub(crate) mod sim;
#[cfg(test)]
mod tests;
mod transfer;

pub(crate) use media::Media;

use crate::error::{Corruption, Error, Result};
use bytes::Bytes;
use std::{
    fmt::Debug,
    path::{Path, PathBuf},
};

/// The file whose lock marks a directory as open. It belongs to the seam: [`Storage::list`] leaves it out.
pub(crate) const LOCK_NAME: &str = "LOCK";

/// One directory of files.
pub(crate) trait Storage: Clone + Debug + Send + Sync + 'static {
    /// An open file.
    type File: File;
    /// Held while the store is open.
    type Lock: Debug + Send + Sync + 'static;

    /// Does anything outlive the process? A log over storage that says no keeps no files and commits nothing.
    fn is_persistent(&self) -> bool;
    /// The directory, for messages.
    fn path(&self) -> PathBuf;
    /// Creates the directory if it is missing, and makes it durable before any file is put into it.
    fn create_dir(&self) -> Result<()>;
    /// Takes the directory for one opener; fails with `Error::Locked` while another holds it.
    fn lock(&self) -> Result<Self::Lock>;
    /// Every entry but the lock, in no order.
    fn list(&self) -> Result<Vec<Entry>>;
    /// The length in bytes of the file of this name.
    fn len(&self, name: &str) -> Result<u64>;
    /// A new, empty file; fails if the name is taken.
    fn create(&self, name: &str) -> Result<Self::File>;
    /// An existing file. Where it may only be read, a later write is what fails.
    fn open(&self, name: &str) -> Result<Self::File>;
    /// Gives `from` the name `to`, replacing what had it. Handles stay valid.
    fn rename(&self, from: &str, to: &str) -> Result<()>;
    /// Removes a name; open handles and slices stay valid.
    fn remove(&self, name: &str) -> Result<()>;
    /// Makes all creations, renames and removals so far durable.
    fn sync_dir(&self) -> Result<()>;
    /// Makes the name of the directory itself durable, which whoever made it may not have come to.
    fn sync_parent(&self) -> Result<()>;
    /// Gives the file `name` the same name in `target`, sharing the content where the system can (a hard link), by a
    /// synced copy where not. Fails if the name is taken there; the name is durable after `target.sync_dir()`.
    fn link_into(&self, name: &str, target: &Self) -> Result<()>;
    /// The same kind of storage in another directory.
    fn sibling(&self, path: PathBuf) -> Self;
}

/// One open file. All methods take positions; there is no cursor.
pub(crate) trait File: Debug + Send + Sync + 'static {
    /// Where the file was when it was opened, for messages.
    fn path(&self) -> PathBuf;
    /// Its length in bytes.
    fn len(&self) -> Result<u64>;
    /// Makes a new file `len` zero bytes long with its extents *initialised*, so that a later write of this range can
    /// neither run out of space nor make a sync convert extents. `Error::StorageFull` if there is no room; what was
    /// allocated until then stays, and the caller removes the file.
    fn allocate(&self, len: u64) -> Result<()>;
    /// [`allocate`](Self::allocate) for a file that is written in long stretches, each once: the extents may stay to be
    /// initialised by these writes. Converting them with the next sync costs less than writing everything twice.
    fn reserve(&self, len: u64) -> Result<()> {
        self.allocate(len)
    }
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Fills `buffer` from `offset`; a file that ends before is an error (`Error::Corrupt`, what = "file length").
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()>;
    /// Says that these bytes are looked at next, so that what of them is not in memory is read in one go. Only advice.
    fn will_need(&self, offset: u64, len: u64) {
        let _ = (offset, len);
    }
    /// `len` bytes at `offset`, from a read-only map where there is one. A file that ends before is an error, as above.
    fn slice(&self, offset: u64, len: usize) -> Result<Bytes>;
    /// Cuts the file off at `len` and gives the space behind back (S5); a file that ends before stays as it is. Until the
    /// next [`File::sync`] a crash may leave either length.
    fn truncate(&self, len: u64) -> Result<()>;
    /// Makes all writes so far durable (`fdatasync`).
    fn sync(&self) -> Result<()>;
    /// From now on the file is hardly used but by its map, so it needs no descriptor, of which a process has few: a call
    /// that cannot do without opens the file again, by its name. To be called when all that was written is synced.
    /// Only advice.
    fn rest(&self) {}
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The name, without the directory. Names that are not UTF-8 are given lossily: no store writes such a name.
    pub(crate) name: String,
    /// Is it a regular file?
    pub(crate) is_file: bool,
}

/// The file at `path` has `len` bytes and was to be read up to `end`.
#[cold]
fn ends_early(path: &Path, end: u64, len: u64) -> Error {
    Corruption::new(path, len, "file length", format_args!("at least {end}"), len).into()
}
