//! The store: opens everything, commits batches, and hands out what reads them.

mod background;
pub(crate) mod batch;
mod builder;
pub(crate) mod catalog;
mod checkpoint;
pub(crate) mod deliver;
pub(crate) mod engine;
pub(crate) mod export;
pub(crate) mod keep;
mod keyspace;
pub(crate) mod overlay;
pub(crate) mod pending;
mod repair;
mod report;
mod snapshot_file;
pub(crate) mod space;
mod stats;
mod verify;

pub use batch::Batch;
pub use builder::Builder;
pub use export::Exported;
pub use keyspace::{Keyspace, Range, Snapshot};
#[cfg(fuzzing)]
pub(crate) use repair::repair_media;
pub use repair::{RepairReport, repair};
pub use report::{Cut, RecoveryReport};
#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
pub(crate) use snapshot_file::PREFIX as SNAPSHOT_PREFIX;
pub use stats::Stats;

use crate::clock::monotone::MonotoneClock;
use crate::clock::{Clock, Sleep, Timestamp};
use crate::error::{Error, Result};
use crate::faults::plan::Plan;
use crate::limits::KEYSPACE_NAME_LEN_MAX;
use crate::log::{Appended, Durability};
use crate::position::Position;
use crate::random::Random;
use crate::storage::{Media, Storage};
use crate::tree::Tree;
use crate::tree::batch::{Gathered, OpKind, Ops};
use background::Background;
use catalog::{Resource, ResourceKind};
use engine::Engines;
use parking_lot::Mutex;
use pending::Pending;
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
    /// Gone first, so that the threads end before the last handle closes the tree. None for those threads themselves.
    _users: Option<Arc<Users>>,
    pub(crate) inner: Arc<Inner>,
}

/// Ends the background threads when the last handle of a user is gone.
struct Users(Arc<Inner>);

impl Drop for Users {
    fn drop(&mut self) {
        self.0.background.stop();
    }
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
    background: Background,
    engines: Engines,
    /// What is to fail.
    pub(crate) plan: Plan,
    account: String,
    region: String,
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
                Some(resource) => catalog::bare(&resource, name)?,
                None => self.inner.create_keyspace(name)?,
            };
            if let Some(state) = self.inner.tree.keyspace(id) {
                return Ok(Keyspace::new(self.clone(), state, name));
            }
            // Dropped and forgotten since: then its name has gone, or names another. Ids are never used twice.
            if dangling.replace(id) == Some(id) {
                return Err(catalog::dangling(name, id));
            }
        }
    }

    /// The names of all keyspaces, in order.
    pub fn keyspaces(&self) -> Result<Vec<String>> {
        Ok(self.inner.names_from(ResourceKind::Keyspace, "")?.collect())
    }

    /// Drops the keyspace `name` and all that is in it, at the cost of one small batch; its space comes back as
    /// compaction passes by. Handles of it find nothing and write nothing from here on.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound) if there is none.
    pub fn drop_keyspace(&self, name: &str) -> Result<()> {
        self.inner.drop_keyspace(name)
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
        let appended = self.append(batch, &Gathered::default(), durability)?;
        self.inner.tree.wait(appended.end, durability)?;
        Ok(Commit { at: appended.at })
    }

    /// [`write`](Self::write) whose wait for durability holds no thread. The batch is visible, and in its place in the
    /// order, once the future was first polled.
    pub async fn write_async(&self, batch: Batch) -> Result<Commit> {
        let appended = self.append(batch, &Gathered::default(), self.inner.durability)?;
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

    /// Does the work that background threads do, until there is none left: what is due by the clock, then folds, compacts,
    /// gives back space.
    pub fn maintain(&self) -> Result<()> {
        let outcome = loop {
            let (more, outcome) = self.maintain_engines();
            if !more {
                break outcome;
            }
        };
        outcome?;
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

    /// Ready once the store's clock has reached `deadline`: with a manual clock, when a test has advanced it so far. It needs
    /// no runtime and holds no thread.
    ///
    /// ```
    /// use fourfold::Store;
    /// use std::time::Duration;
    /// async fn pause(store: &Store) {
    ///     store.sleep_until(store.now() + Duration::from_secs(5)).await;
    /// }
    /// # drop(pause(&Store::in_memory()));
    /// ```
    pub fn sleep_until(&self, deadline: Timestamp) -> Sleep<'_> {
        self.inner.clock.sleep_until(deadline)
    }

    /// The account that resources belong to, twelve digits.
    pub fn account(&self) -> &str {
        &self.inner.account
    }

    /// The region that resources seem to be in.
    pub fn region(&self) -> &str {
        &self.inner.region
    }

    /// Commits `batch` and does not wait for the disk: it is visible when this returns, in its place in the order.
    pub(crate) fn commit(&self, batch: Batch) -> Result<Pending<()>> {
        self.commit_gathered(batch, &Gathered::default())
    }

    /// [`commit`](Self::commit) of `batch` and of what was gathered, as one batch.
    pub(crate) fn commit_gathered(&self, batch: Batch, gathered: &Gathered<'_>) -> Result<Pending<()>> {
        let durability = self.inner.durability;
        let appended = self.append(batch, gathered, durability)?;
        Ok(Pending::new(self, appended.at, appended.end, durability, ()))
    }

    /// What the catalog says of a resource.
    pub(crate) fn find_resource(&self, kind: ResourceKind, name: &str) -> Result<Option<Resource>> {
        self.inner.resource(kind, name)
    }

    /// The resources of a kind in the order of their names, from the name `from` on, as of now.
    pub(crate) fn list_resources(
        &self,
        kind: ResourceKind,
        from: &str,
    ) -> impl Iterator<Item = Result<(String, Resource)>> + use<> {
        let catalog = self.inner.tree.catalog();
        let range = Range::over(&self.inner, &catalog, catalog::span(kind, from), None);
        range.map(|entry| {
            let (key, value) = entry?;
            let name = catalog::name_of_user_key(&key);
            let resource = catalog::decode(&value, &name)?;
            Ok((name, resource))
        })
    }

    /// Where the log ends: behind everything that is visible.
    pub(crate) fn frontier(&self) -> Position {
        self.inner.tree.log().frontier()
    }

    /// The store's clock, which never goes back.
    pub(crate) fn clock(&self) -> &MonotoneClock {
        &self.inner.clock
    }

    /// Time is `at` at least: a stored time was found.
    pub(crate) fn raise_clock(&self, at: Timestamp) {
        self.inner.clock.raise(at);
    }

    /// Bytes that a batch can have at most.
    pub(crate) fn batch_bytes_max(&self) -> usize {
        self.inner.tree.log().payload_max() as usize
    }

    /// Bytes of a value that does not go to the blob log at most.
    pub(crate) fn inline_max(&self) -> usize {
        self.inner.blob_threshold
    }

    /// Is it a handle of the same open store?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The number of this opening of the store: above those of all earlier ones that wrote something.
    pub(crate) fn incarnation(&self) -> u32 {
        self.inner.tree.log().epoch()
    }

    /// The source of ids and jitter.
    pub(crate) fn random(&self) -> &Random {
        &self.inner.random
    }

    /// The name of a resource in the form of AWS: `arn:aws:<service>:<region>:<account>:<resource>`.
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.inner.region, self.inner.account)
    }

    fn new(inner: Inner) -> Self {
        let inner = Arc::new(inner);
        Self { _users: Some(Arc::new(Users(Arc::clone(&inner)))), inner }
    }

    /// A handle for a background thread, which does not keep the store open.
    fn unguarded(&self) -> Self {
        Self::of_inner(Arc::clone(&self.inner))
    }

    fn of_inner(inner: Arc<Inner>) -> Self {
        Self { _users: None, inner }
    }

    fn append(&self, batch: Batch, gathered: &Gathered<'_>, durability: Durability) -> Result<Appended> {
        if !Arc::ptr_eq(&self.inner, &batch.inner) {
            return Err(Error::invalid("batch", "it was made by another store"));
        }
        if batch.is_empty() && gathered.byte_len() == 0 {
            let at = self.inner.tree.log().frontier();
            return Ok(Appended { at, end: at });
        }
        // Whoever looks for a name finds it, or adds it behind this batch.
        let _once = batch.names.then(|| self.inner.catalog.lock());
        let mut payload = vec![batch.ops.payload()];
        gathered.append_to(&mut payload);
        let appended = self.inner.append_parts(&payload, durability)?;
        batch.pending.named();
        Ok(appended)
    }
}

impl Inner {
    /// Logs and applies a batch whose writer is going to wait for `durability`.
    fn append(&self, ops: &Ops, durability: Durability) -> Result<Appended> {
        self.append_parts(&[ops.payload()], durability)
    }

    /// [`append`](Self::append) of the batch that these slices are together.
    fn append_parts(&self, payload: &[&[u8]], durability: Durability) -> Result<Appended> {
        let appended = self.tree.write_parts(payload)?;
        if durability == Durability::Buffered {
            self.background.wrote();
        }
        Ok(appended)
    }

    /// What the catalog says of a resource.
    fn resource(&self, kind: ResourceKind, name: &str) -> Result<Option<Resource>> {
        let key = catalog::full_key(kind, name);
        let found = self.tree.get(&self.tree.catalog(), &key, None)?;
        found.map(|value| catalog::decode(&value, name)).transpose()
    }

    /// Creates a keyspace, or finds that somebody just did.
    fn create_keyspace(&self, name: &str) -> Result<u32> {
        let once = self.catalog.lock();
        if let Some(resource) = self.resource(ResourceKind::Keyspace, name)? {
            return catalog::bare(&resource, name);
        }
        let id = self.tree.new_keyspace_id();
        let mut ops = Ops::default();
        ops.push(OpKind::Create, id, &[], &[])?;
        catalog::put(&mut ops, ResourceKind::Keyspace, name, &[id], &[])?;
        let appended = self.append(&ops, self.durability)?;
        drop(once); // whoever finds it from here on writes behind it
        self.tree.wait(appended.end, self.durability)?;
        Ok(id)
    }

    fn drop_keyspace(&self, name: &str) -> Result<()> {
        let once = self.catalog.lock();
        let Some(resource) = self.resource(ResourceKind::Keyspace, name)? else {
            return Err(Error::NotFound { kind: "keyspace", name: name.to_owned() });
        };
        let mut ops = Ops::default();
        ops.push(OpKind::Drop, catalog::bare(&resource, name)?, &[], &[])?;
        catalog::delete(&mut ops, ResourceKind::Keyspace, name)?;
        let appended = self.append(&ops, self.durability)?;
        drop(once);
        self.tree.wait(appended.end, self.durability)
    }

    /// The names of a kind of resources in order, from `from` on.
    fn names_from(&self, kind: ResourceKind, from: &str) -> Result<impl Iterator<Item = String> + use<>> {
        let catalog = self.tree.catalog();
        let mut range = self.tree.range(&catalog, catalog::span(kind, from), None);
        let mut names = Vec::new();
        while let Some(entry) = range.next()? {
            names.push(catalog::name_of(entry.key));
        }
        Ok(names.into_iter())
    }

    /// All resources, by kind and name.
    fn names(&self) -> Result<Vec<(ResourceKind, String)>> {
        let mut all = Vec::new();
        for kind in ResourceKind::ALL {
            all.extend(self.names_from(kind, "")?.map(|name| (kind, name)));
        }
        Ok(all)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A store that cannot be closed cleanly is recovered by the next open; there is nobody left to tell.
        let _ = self.tree.close();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.media.path()).finish_non_exhaustive()
    }
}
