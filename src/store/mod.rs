//! The store: opens everything, commits batches, and hands out what reads them.

mod background;
mod batch;
mod builder;
pub(crate) mod catalog;
mod checkpoint;
mod keyspace;
mod repair;
mod report;
mod stats;
mod verify;

pub use batch::Batch;
pub use builder::Builder;
pub use keyspace::{Keyspace, Range, Snapshot};
#[cfg(fuzzing)]
pub(crate) use repair::repair_media;
pub use repair::{RepairReport, repair};
pub use report::{Cut, RecoveryReport};
pub use stats::Stats;

use crate::clock::monotone::MonotoneClock;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};
use crate::limits::KEYSPACE_NAME_LEN_MAX;
use crate::log::{Appended, Durability};
use crate::position::Position;
use crate::random::Random;
use crate::storage::{Media, Storage};
use crate::tree::Tree;
use crate::tree::batch::{OpKind, Ops};
use background::Background;
use catalog::ResourceKind;
use parking_lot::Mutex;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// An embedded store: one append-only log and everything folded from it.
///
/// A store lives in a directory ([`open`](Self::open)) or in memory ([`in_memory`](Self::in_memory)); both are this type,
/// so what is tested with the one runs with the other. Handles are cheap to clone and may be used from any thread. The
/// store closes cleanly when the last handle, [`Keyspace`], [`Batch`], [`Range`] and [`Snapshot`] is gone.
///
/// ```
/// # fn main() -> fourfold::Result<()> {
/// # let dir = tempfile::tempdir().expect("a temporary directory");
/// # let dir = dir.path().join("store");
/// use fourfold::Store;
/// {
///     let store = Store::open(&dir)?;
///     let words = store.keyspace("words")?;
///     let mut batch = store.batch();
///     batch.put(&words, "hello", "world")?;
///     store.write(batch)?; // durable when this returns
/// }
/// let store = Store::open(&dir)?;
/// assert_eq!(store.keyspace("words")?.get("hello")?.as_deref(), Some(&b"world"[..]));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// Where a batch went.
///
/// ```
/// # fn main() -> fourfold::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let ks = store.keyspace("ks")?;
/// # let put = |key: &str| { let mut batch = store.batch(); batch.put(&ks, key, "").unwrap(); batch };
/// let (first, second) = (store.write(put("a"))?, store.write(put("b"))?);
/// assert!(first.position() < second.position());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    at: Position,
}

impl Commit {
    /// The batch's place in the order of all batches; also the version of everything it wrote.
    pub fn position(&self) -> Position {
        self.at
    }
}

pub(crate) struct Inner {
    /// Stops before the tree closes: fields are dropped in order.
    background: Background,
    pub(crate) tree: Arc<Tree<Media>>,
    pub(crate) clock: MonotoneClock,
    pub(crate) random: Random,
    pub(crate) blob_threshold: usize,
    durability: Durability,
    /// Held while a resource is created or dropped, so that a name is given once.
    catalog: Mutex<()>,
    report: RecoveryReport,
    media: Media,
    /// Released last, when every file is closed.
    _lock: <Media as Storage>::Lock,
}

impl Store {
    /// Opens the store in `dir`, or creates it there if the directory is missing or empty. Writes are
    /// [`Synced`](Durability::Synced).
    ///
    /// # Errors
    /// [`Locked`](Error::Locked) while another opener, in this process or another, has it; [`NotAStore`](Error::NotAStore)
    /// for a directory with something else in it; [`Version`](Error::Version); [`Corrupt`](Error::Corrupt) if bytes
    /// that were durable are wrong, in which case nothing was changed; [`Io`](Error::Io).
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(dir)
    }

    /// A new store without files: the same code, fast to open, small, without a thread, gone when it is dropped.
    pub fn in_memory() -> Self {
        Self::builder().open_in_memory()
    }

    /// A store with other settings than the defaults.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The keyspace `name`, created if it is missing.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) for an empty name, [`TooLarge`](Error::TooLarge) for one over
    /// [`KEYSPACE_NAME_LEN_MAX`], and what a write can fail with if it is created.
    pub fn keyspace(&self, name: &str) -> Result<Keyspace> {
        if name.is_empty() {
            return Err(Error::invalid("keyspace name", "it is empty"));
        }
        if name.len() > KEYSPACE_NAME_LEN_MAX {
            return Err(Error::TooLarge {
                what: "keyspace name",
                len: name.len() as u64,
                max: KEYSPACE_NAME_LEN_MAX as u64,
            });
        }
        let mut dangling = None;
        loop {
            let id = match self.inner.resource(ResourceKind::Keyspace, name)? {
                Some(ids) => ids[0],
                None => self.inner.create_resource(ResourceKind::Keyspace, name, 1)?[0],
            };
            if let Some(state) = self.inner.tree.keyspace(id) {
                return Ok(Keyspace::new(Arc::clone(&self.inner), state, name));
            }
            // Dropped and forgotten since: then its name has gone, or names another. Ids are never used twice.
            if dangling.replace(id) == Some(id) {
                return Err(catalog::dangling(name, id));
            }
        }
    }

    /// The names of all keyspaces, in order.
    pub fn keyspaces(&self) -> Result<Vec<String>> {
        self.inner.resources(ResourceKind::Keyspace)
    }

    /// Drops the keyspace `name` and all that is in it, at the cost of one small batch; its space comes back as
    /// compaction passes by. Handles of it find nothing and write nothing from here on.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound) if there is none.
    pub fn drop_keyspace(&self, name: &str) -> Result<()> {
        self.inner.drop_resource(ResourceKind::Keyspace, name)
    }

    /// An empty batch.
    pub fn batch(&self) -> Batch {
        Batch::new(self)
    }

    /// Commits `batch`: all of it or nothing. Returns when it is visible and as durable as the store was opened for.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge) for a batch that does not fit into a log segment; [`StorageFull`](Error::StorageFull);
    /// either way nothing was written. [`Poisoned`](Error::Poisoned) if a write or sync failed, now or earlier: the
    /// batch may then be there or not after the store was reopened, as a whole.
    pub fn write(&self, batch: Batch) -> Result<Commit> {
        self.write_with(batch, self.inner.durability)
    }

    /// [`write`](Self::write) that waits for `durability`.
    pub fn write_with(&self, batch: Batch, durability: Durability) -> Result<Commit> {
        let appended = self.append(batch, durability)?;
        self.inner.tree.wait(appended.end, durability)?;
        Ok(Commit { at: appended.at })
    }

    /// [`write`](Self::write) whose wait for durability holds no thread. The batch is visible, and in its place in the
    /// order, once the future was first polled.
    pub async fn write_async(&self, batch: Batch) -> Result<Commit> {
        let appended = self.append(batch, self.inner.durability)?;
        self.inner.tree.log().wait_async(appended.end, self.inner.durability).await?;
        Ok(Commit { at: appended.at })
    }

    /// Returns when everything committed before the call is on the device.
    pub fn sync(&self) -> Result<()> {
        self.inner.tree.log().sync()
    }

    /// [`sync`](Self::sync) that holds no thread while it waits.
    pub async fn sync_async(&self) -> Result<()> {
        let log = self.inner.tree.log();
        log.wait_async(log.frontier(), Durability::Synced).await
    }

    /// A view of the present state that later writes do not change.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self)
    }

    /// Does the work that background threads do, until there is none left: folds, compacts, gives back space.
    pub fn maintain(&self) -> Result<()> {
        while self.inner.tree.maintain_step()? {}
        Ok(())
    }

    /// Folds everything written so far into sorted runs: the next open has nothing of it to replay, and its log
    /// segments can be used again.
    pub fn fold(&self) -> Result<()> {
        self.inner.tree.fold()
    }

    /// Folds everything and rewrites it into one level, without a trace of what is gone.
    pub fn compact(&self) -> Result<()> {
        self.inner.tree.compact()
    }

    /// An independent store in memory with the same content. It shares what is immutable with this one, so it costs at
    /// most a copy of the active segment.
    ///
    /// # Errors
    /// [`Unsupported`](Error::Unsupported) for a store on disk: use [`checkpoint`](Self::checkpoint).
    pub fn fork(&self) -> Result<Self> {
        builder::fork(self)
    }

    /// What opening the store found and did.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.report
    }

    /// The time by the store's clock, never before what it said earlier.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn append(&self, batch: Batch, durability: Durability) -> Result<Appended> {
        if !Arc::ptr_eq(&self.inner, &batch.inner) {
            return Err(Error::invalid("batch", "it was made by another store"));
        }
        if batch.is_empty() {
            let at = self.inner.tree.log().frontier();
            return Ok(Appended { at, end: at });
        }
        let appended = self.inner.append(&batch.ops, durability)?;
        batch.pending.named();
        Ok(appended)
    }
}

impl Inner {
    /// Logs and applies a batch whose writer is going to wait for `durability`.
    pub(crate) fn append(&self, ops: &Ops, durability: Durability) -> Result<Appended> {
        let appended = self.tree.write(ops)?;
        if durability == Durability::Buffered {
            self.background.wrote();
        }
        Ok(appended)
    }

    /// The keyspaces of a resource.
    pub(crate) fn resource(&self, kind: ResourceKind, name: &str) -> Result<Option<Vec<u32>>> {
        let key = catalog::full_key(kind, name);
        match self.tree.get(&self.tree.catalog(), &key, None)? {
            Some(record) => catalog::decode(&record[..], name).map(Some),
            None => Ok(None),
        }
    }

    /// Creates a resource with `count` new keyspaces, or finds that somebody just did.
    pub(crate) fn create_resource(&self, kind: ResourceKind, name: &str, count: usize) -> Result<Vec<u32>> {
        let once = self.catalog.lock();
        if let Some(ids) = self.resource(kind, name)? {
            return Ok(ids);
        }
        let ids: Vec<u32> = (0..count).map(|_| self.tree.new_keyspace_id()).collect();
        let mut ops = Ops::default();
        for id in &ids {
            ops.push(OpKind::Create, *id, &[], &[])?;
        }
        catalog::put(&mut ops, kind, name, &ids)?;
        let appended = self.append(&ops, self.durability)?;
        drop(once); // whoever finds it from here on writes behind it
        self.tree.wait(appended.end, self.durability)?;
        Ok(ids)
    }

    pub(crate) fn drop_resource(&self, kind: ResourceKind, name: &str) -> Result<()> {
        let once = self.catalog.lock();
        let Some(ids) = self.resource(kind, name)? else {
            return Err(Error::NotFound { kind: "keyspace", name: name.to_owned() });
        };
        let mut ops = Ops::default();
        for id in ids {
            ops.push(OpKind::Drop, id, &[], &[])?;
        }
        catalog::delete(&mut ops, kind, name)?;
        let appended = self.append(&ops, self.durability)?;
        drop(once);
        self.tree.wait(appended.end, self.durability)
    }

    pub(crate) fn resources(&self, kind: ResourceKind) -> Result<Vec<String>> {
        let catalog = self.tree.catalog();
        let mut range = self.tree.range(&catalog, catalog::span(kind), None);
        let mut names = Vec::new();
        while let Some(entry) = range.next()? {
            names.push(catalog::name_of(entry.key));
        }
        Ok(names)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.background.stop();
        // A store that cannot be closed cleanly is recovered by the next open; there is nobody left to tell.
        let _ = self.tree.close();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.media.path()).finish_non_exhaustive()
    }
}
