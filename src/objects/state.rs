//! What the buckets of a store share in memory: the buckets in use, locks, the extents. All of it follows from the
//! keyspaces.
//!
//! Locks are taken in this order: naming, settings of buckets (ascending), stripes of keys (ascending), stripes of extents
//! (ascending). None is held while waiting for the disk.

use crate::clock::Timestamp;
use crate::objects::Dials;
use crate::objects::bucket_record::BucketRecord;
use crate::objects::error::{Error, Result};
use crate::objects::extents::Extents;
use crate::objects::lifecycle::{LIFECYCLE, LifecycleConfiguration, Sweeper};
use crate::objects::names;
use crate::objects::notify::{Calls, Functions, NOTIFICATION, NotificationConfiguration};
use crate::objects::record::malformed;
use crate::objects::staged::Pending;
use crate::objects::throttle::Meter;
use crate::store::catalog::{Resource, ResourceKind, dangling};
use crate::store::engine::Engine;
use crate::store::space::Space;
use crate::store::{Batch, Store};
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Locks of keys. A power of two.
const STRIPES: u64 = 256;

/// The engine's state: see the module.
#[derive(Debug)]
pub(crate) struct State {
    /// Held while a bucket is created or deleted.
    pub(crate) naming: Mutex<()>,
    buckets: RwLock<HashMap<Arc<str>, Arc<BucketState>>>,
    stripes: Box<[Mutex<()>]>,
    pub(crate) extents: Extents,
    pub(crate) functions: Functions,
    pub(crate) sweeper: Sweeper,
    pub(crate) dials: RwLock<Dials>,
    /// The dial that every call looks at.
    pub(crate) is_throttled: AtomicBool,
}

/// A bucket in use.
#[derive(Debug)]
pub(crate) struct BucketState {
    pub(crate) name: Arc<str>,
    pub(crate) versions: Space,
    pub(crate) nulls: Space,
    pub(crate) uploads: Space,
    settings: RwLock<Settings>,
    pub(crate) meter: Meter,
}

/// What is held shared by every change of an object and alone by a change of the bucket.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) record: BucketRecord,
    pub(crate) is_deleted: bool,
    /// Of the record, decoded.
    pub(crate) lifecycle: Option<Arc<LifecycleConfiguration>>,
    pub(crate) notification: Option<Arc<NotificationConfiguration>>,
}

impl Settings {
    fn of(record: BucketRecord) -> crate::Result<Self> {
        let lifecycle = record.settings.get(&LIFECYCLE);
        let lifecycle = lifecycle.map(|stored| LifecycleConfiguration::decode(stored)).transpose();
        let lifecycle = lifecycle.map_err(|flaw| malformed(&flaw, "lifecycle configuration"))?;
        let notification = record.settings.get(&NOTIFICATION);
        let notification = notification.map(|stored| NotificationConfiguration::decode(stored)).transpose();
        let notification = notification.map_err(|flaw| malformed(&flaw, "notification configuration"))?;
        let (lifecycle, notification) = (lifecycle.map(Arc::new), notification.map(Arc::new));
        Ok(Self { record, is_deleted: false, lifecycle, notification })
    }
}

impl BucketState {
    /// Its settings, which stay as they are until the guard is gone.
    pub(crate) fn settings(&self) -> Result<RwLockReadGuard<'_, Settings>> {
        let settings = self.settings.read();
        if settings.is_deleted {
            return Err(self.missing());
        }
        Ok(settings)
    }

    fn missing(&self) -> Error {
        Error::NoSuchBucket { bucket: self.name.to_string() }
    }

    /// Its keyspaces, as the catalog names them.
    pub(crate) fn ids(&self) -> [u32; 3] {
        [self.versions.id(), self.nulls.id(), self.uploads.id()]
    }

    /// Changes its record: `change` says what to answer, or refuses. Durable when this returns.
    pub(crate) fn change<T>(
        &self,
        store: &Store,
        change: impl FnOnce(&mut BucketRecord) -> Result<T>,
    ) -> Result<Pending<T>> {
        self.change_and(store, change, |batch| Ok((store.commit(batch)?, Calls::default())))
    }

    /// [`change`](Self::change) whose batch is committed by `commit`, which may add to it.
    pub(crate) fn change_and<T>(
        &self,
        store: &Store,
        change: impl FnOnce(&mut BucketRecord) -> Result<T>,
        commit: impl FnOnce(Batch) -> crate::Result<(crate::store::pending::Pending<()>, Calls)>,
    ) -> Result<Pending<T>> {
        let mut settings = self.settings.write();
        if settings.is_deleted {
            return Err(self.missing());
        }
        let mut record = settings.record.clone();
        let answer = change(&mut record)?;
        let mut batch = store.batch();
        batch.put_resource(ResourceKind::Bucket, &self.name, &self.ids(), &record.encode())?;
        let changed = Settings::of(record)?;
        let (pending, calls) = commit(batch)?;
        *settings = changed;
        Ok(Pending::new(pending, calls).map(|()| answer))
    }

    /// Deletes it, if `check` agrees, in the batch that this makes.
    pub(crate) fn delete(
        &self,
        store: &Store,
        check: impl FnOnce(&BucketRecord, &mut Batch) -> Result<()>,
    ) -> Result<crate::store::pending::Pending<()>> {
        let mut settings = self.settings.write();
        if settings.is_deleted {
            return Err(self.missing());
        }
        let mut batch = store.batch();
        check(&settings.record, &mut batch)?;
        for id in self.ids() {
            batch.drop_space(id)?;
        }
        batch.delete_resource(ResourceKind::Bucket, &self.name)?;
        let pending = store.commit(batch)?;
        settings.is_deleted = true;
        Ok(pending)
    }

    /// The stripe of a key.
    pub(crate) fn stripe(&self, key: &str) -> usize {
        (xxh3_64_with_seed(key.as_bytes(), self.versions.id().into()) % STRIPES) as usize
    }
}

/// The settings of two buckets, which may be the same.
pub(crate) struct Both<'a> {
    /// Of the bucket with the lower number.
    low: RwLockReadGuard<'a, Settings>,
    high: Option<RwLockReadGuard<'a, Settings>>,
    one_is_low: bool,
}

impl<'a> Both<'a> {
    /// In the order of the buckets: locks that are taken in two orders wait for each other.
    pub(crate) fn of(one: &'a BucketState, other: &'a BucketState) -> Result<Self> {
        let one_is_low = one.versions.id() <= other.versions.id();
        let (low, high) = if one_is_low { (one, other) } else { (other, one) };
        let is_same = low.versions.id() == high.versions.id();
        let low = low.settings()?;
        Ok(Self { low, high: if is_same { None } else { Some(high.settings()?) }, one_is_low })
    }

    /// Of the first bucket that was given.
    pub(crate) fn one(&self) -> &Settings {
        self.high.as_deref().filter(|_| !self.one_is_low).unwrap_or(&self.low)
    }

    /// Of the second.
    pub(crate) fn other(&self) -> &Settings {
        self.high.as_deref().filter(|_| self.one_is_low).unwrap_or(&self.low)
    }
}

impl State {
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            naming: Mutex::default(),
            buckets: RwLock::default(),
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            extents: Extents::new(store),
            functions: Functions::default(),
            sweeper: Sweeper::default(),
            dials: RwLock::default(),
            is_throttled: AtomicBool::new(false),
        }
    }

    /// The bucket of this name.
    pub(crate) fn bucket(&self, store: &Store, name: &str) -> Result<Arc<BucketState>> {
        if let Some(bucket) = self.buckets.read().get(name) {
            return Ok(Arc::clone(bucket));
        }
        if !names::is_valid(name) {
            return Err(Error::NoSuchBucket { bucket: name.to_owned() });
        }
        // Under the naming lock: a bucket that is found is not being deleted, and is remembered once.
        let _naming = self.naming.lock();
        self.known_or_opened(store, name)
    }

    /// The same while the naming lock is held.
    pub(crate) fn known_or_opened(&self, store: &Store, name: &str) -> Result<Arc<BucketState>> {
        if let Some(bucket) = self.buckets.read().get(name) {
            return Ok(Arc::clone(bucket));
        }
        let missing = || Error::NoSuchBucket { bucket: name.to_owned() };
        let resource = store.find_resource(ResourceKind::Bucket, name)?.ok_or_else(missing)?;
        self.open(store, name, &resource)
    }

    /// Remembers a bucket that the catalog has.
    fn open(&self, store: &Store, name: &str, resource: &Resource) -> Result<Arc<BucketState>> {
        let space = |index: usize| {
            let id = resource.ids.get(index).copied().unwrap_or_default();
            store.space(id).ok_or_else(|| dangling(name, id))
        };
        let record = BucketRecord::decode(&resource.record)?;
        let bucket = Arc::new(BucketState {
            name: name.into(),
            versions: space(0)?,
            nulls: space(1)?,
            uploads: space(2)?,
            settings: RwLock::new(Settings::of(record)?),
            meter: Meter::default(),
        });
        self.buckets.write().insert(Arc::clone(&bucket.name), Arc::clone(&bucket));
        Ok(bucket)
    }

    /// Forgets a bucket that was deleted.
    pub(crate) fn forget(&self, name: &str) {
        self.buckets.write().remove(name);
    }

    /// Nobody else changes this key, or what belongs to it, until the guard is gone.
    pub(crate) fn lock(&self, bucket: &BucketState, key: &str) -> MutexGuard<'_, ()> {
        self.stripes[bucket.stripe(key)].lock()
    }

    /// The same for many, by their stripes.
    pub(crate) fn lock_all(&self, stripes: &BTreeSet<usize>) -> Vec<MutexGuard<'_, ()>> {
        stripes.iter().map(|stripe| self.stripes[*stripe].lock()).collect()
    }

    /// The same for two keys.
    pub(crate) fn lock_both(
        &self,
        one: (&BucketState, &str),
        other: (&BucketState, &str),
    ) -> (MutexGuard<'_, ()>, Option<MutexGuard<'_, ()>>) {
        let (one, other) = (one.0.stripe(one.1), other.0.stripe(other.1));
        let first = self.stripes[one.min(other)].lock();
        let second = (one != other).then(|| self.stripes[one.max(other)].lock());
        (first, second)
    }
}

impl Engine for State {
    fn maintain(&self, store: &Store) -> crate::Result<bool> {
        // The dials are not locked while objects are changed and functions are called.
        let day = self.dials.read().day;
        let rules = match self.sweeper.sweep(store, day) {
            Ok(more) => more,
            Err(Error::Storage(fault)) => return Err(fault),
            // A refusal is of an object that changed meanwhile: the next run looks at it again.
            Err(_) => false,
        };
        Ok(self.extents.sweep(store)? || rules)
    }

    fn find_deadline(&self, store: &Store) -> crate::Result<()> {
        // What was freed and not deleted before the store was opened is found with the keyspaces.
        self.extents.keyspaces(store)?;
        match self.sweeper.find_deadline(store) {
            Err(Error::Storage(fault)) => Err(fault),
            _ => Ok(()),
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let freed = self.extents.has_freed().then_some(Timestamp::UNIX_EPOCH);
        [freed, self.sweeper.next_deadline()].into_iter().flatten().min()
    }
}
