//! The manifest: what the files of a store are, in one small file that is replaced as a whole.
//!
//! M1. A file that no durable manifest names means nothing, and a file is removed only after a manifest that does not
//!     name it is durable.
//! M2. The new manifest is durable under another name before it takes the name of the old one, so a crash leaves one of
//!     the two, whole.
//! M3. What was decoded obeys the rules that the tree relies on: runs of level 1 and deeper are sorted and disjoint, runs
//!     of level 0 that overlap are in the order of their versions, ids are unique and below the next one.
//!
//! Not here: what is in a run or a segment, and when it may go.

mod codec;
#[cfg(test)]
mod tests;

use super::run::Meta;
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    position::Position,
    storage::{File, Storage},
    sync::flaw,
};
use bytes::Bytes;
use std::{io, sync::Arc};

/// The file.
pub(crate) const NAME: &str = "MANIFEST";
/// The next one, until it is durable. One that is found at open is left over and is overwritten.
pub(crate) const NEXT_NAME: &str = "MANIFEST.tmp";

/// The state of a store's files at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) store_id: u128,
    /// When the store was made.
    pub(crate) created: Timestamp,
    /// Log segments are `1 << segment_shift` bytes long.
    pub(crate) segment_shift: u32,
    /// Blob segments are `1 << blob_shift` bytes long.
    pub(crate) blob_shift: u32,
    /// The newest incarnation that this manifest knows.
    pub(crate) epoch: u32,
    /// The log is needed from here on; everything below is in runs.
    pub(crate) log_start: Position,
    /// The log was durable up to here, at least, when this was written.
    pub(crate) durable: Position,
    /// Above the id of every run there ever was.
    pub(crate) next_run: u64,
    /// Above the id of every keyspace there ever was.
    pub(crate) next_keyspace: u32,
    /// Above the index of every blob segment there ever was.
    pub(crate) next_blob: u64,
    /// Level 0 in the order of age, newest last; the others by key.
    pub(crate) levels: Vec<Vec<Meta>>,
    /// The live ones, by id. What a dropped one held is garbage.
    pub(crate) keyspaces: Vec<Keyspace>,
    /// By index.
    pub(crate) blobs: Vec<BlobSegment>,
}

/// A live keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keyspace {
    pub(crate) id: u32,
    pub(crate) created: Position,
    /// Keys below this one, without the keyspace's prefix, are gone since this position.
    pub(crate) floor: Option<(Position, Bytes)>,
}

/// A segment of the blob log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlobSegment {
    pub(crate) index: u64,
    /// Bytes written to it.
    pub(crate) len: u64,
    /// How many of them nothing refers to any more.
    pub(crate) garbage: u64,
}

impl Manifest {
    /// The manifest in `storage`; `None` if there is no such file: a new store, or none at all.
    pub(crate) fn read<S: Storage>(storage: &S) -> Result<Option<Self>> {
        let file = match storage.open(NAME) {
            Ok(file) => file,
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (path, len) = (file.path(), file.len()?);
        // The header first, so that no more is read than a manifest says it has.
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(codec::HEADER_LEN)];
        file.read_at(&mut bytes, 0)?;
        codec::check_header(&bytes, len).map_err(|malformed| malformed.in_file(&path))?;
        bytes.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
        file.read_at(&mut bytes, 0)?;
        Self::decode(&bytes, &path).map(Some)
    }

    /// Puts this manifest in place of the one in `storage`. When this returns it is durable, and with it every creation,
    /// renaming and removal of files that came before.
    ///
    /// After [`Error::StorageFull`] the old manifest is in place. After any other error it may or may not be the one a
    /// crash would leave: the caller stops writing.
    pub(crate) fn write<S: Storage>(&self, storage: &S) -> Result<()> {
        let bytes = self.encode();
        let file = match storage.create(NEXT_NAME) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                storage.remove(NEXT_NAME)?;
                storage.create(NEXT_NAME)?
            }
            created => created?,
        };
        // A manifest that cannot be read is worse than no new one.
        let read = Self::decode(&bytes, &file.path())?;
        assert!(read == *self, "a manifest reads as it was written: {read:?}");
        file.write_at(&bytes, 0)?;
        if !flaw!("manifest_not_synced") {
            file.sync()?;
        }
        // The files that it names first: nothing else keeps a crash from leaving the new manifest without them.
        if !flaw!("manifest_before_its_files") {
            storage.sync_dir()?;
        }
        storage.rename(NEXT_NAME, NAME)?;
        storage.sync_dir().map_err(|error| match error {
            // Too late to say that nothing has changed.
            Error::StorageFull { path, .. } => {
                Error::Io { op: "sync directory", path, source: Arc::new(io::ErrorKind::StorageFull.into()) }
            }
            error => error,
        })
    }
}
