//! What is in memory of all streams: derived from the catalog and the streams' keyspaces, when it is first asked for.
//!
//! G1. Locks are taken in this order: the directory of streams, one stream, tails of its shards by rising index.
//! G2. Whoever puts records holds the stream shared until they are appended; whoever changes its shards or settings holds it
//!     alone. So a shard gets no record after it was closed.
//! G3. What is here is changed after the batch that says so was appended, under the lock that it was decided under.

use crate::clock::Timestamp;
use crate::codec::Malformed;
use crate::store::Store;
use crate::store::catalog::{Resource, ResourceKind};
use crate::store::deliver::Woken;
use crate::store::space::Space;
use crate::stream::Status;
use crate::stream::consumer::Consumer;
use crate::stream::dials::Dials;
use crate::stream::error::{Error, Result};
use crate::stream::keys;
use crate::stream::meta::{Change, ChangeKind, ConsumerRecord, ShardRecord, StreamRecord};
use crate::stream::shard::Shard;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::collections::BTreeMap;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

pub(crate) type Directory = BTreeMap<String, Arc<StreamState>>;

/// All streams of a store.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    directory: RwLock<Option<Directory>>,
    pub(crate) dials: RwLock<Arc<Dials>>,
    /// Is any of them set that matters to records?
    has_dials: AtomicBool,
    /// Tells waiters apart.
    waiters: AtomicU64,
    /// When the sweeper is to look again, in milliseconds; 0: at once.
    pub(crate) next_sweep: AtomicU64,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct StreamState {
    pub(crate) name: String,
    /// Tells it from other streams of its name.
    pub(crate) generation: u64,
    /// How often its retention was changed, so that readers know that what they hold may have expired.
    pub(crate) retentions: AtomicU64,
    pub(crate) inner: RwLock<Inner>,
}

/// What can change of a stream.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) record: StreamRecord,
    /// The keyspace of shards and consumers.
    pub(crate) meta: u32,
    pub(crate) shards: BTreeMap<u32, Arc<Shard>>,
    /// The shards that take records, by their hash keys.
    pub(crate) open: Vec<Arc<Shard>>,
    pub(crate) consumers: BTreeMap<String, Arc<Consumer>>,
    /// It was deleted.
    pub(crate) is_gone: bool,
    /// Who waited for what was closed or ended.
    pub(crate) woken: Vec<Waker>,
}

/// A stream that is held alone. Who waited for what is closed or ended meanwhile is woken when it is given back: a waker
/// may do anything, also ask for the stream.
#[derive(Debug)]
pub(crate) struct Alone<'a> {
    // Above `woken`, so that it is given back first.
    guard: RwLockWriteGuard<'a, Inner>,
    woken: Woken,
}

impl Deref for Alone<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.guard
    }
}

impl DerefMut for Alone<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.guard
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.woken = mem::take(&mut self.guard.woken).into();
    }
}

impl Registry {
    /// All streams, read from the store when they are first asked for.
    pub(crate) fn directory(&self, store: &Store) -> Result<impl Deref<Target = Directory> + '_> {
        loop {
            if let Ok(directory) = RwLockReadGuard::try_map(self.directory.read(), Option::as_ref) {
                return Ok(directory);
            }
            drop(self.directory_mut(store)?);
        }
    }

    /// The same, alone.
    pub(crate) fn directory_mut(&self, store: &Store) -> Result<impl DerefMut<Target = Directory> + '_> {
        let mut directory = self.directory.write();
        if directory.is_none() {
            *directory = Some(load(store)?);
        }
        Ok(RwLockWriteGuard::map(directory, |directory| directory.get_or_insert_default()))
    }

    /// The stream of this name, if it is there or in the making.
    pub(crate) fn find(&self, store: &Store, name: &str) -> Result<Option<Arc<StreamState>>> {
        let found = self.directory(store)?.get(name).cloned();
        let Some(stream) = found else { return Ok(None) };
        self.settle(store, &stream)?;
        let is_gone = stream.inner.read().is_gone;
        Ok((!is_gone).then_some(stream))
    }

    pub(crate) fn set_dials(&self, dials: Dials) {
        let has_dials = dials.throttle || dials.fail_one_in.is_some() || dials.count_hot_keys;
        let mut known = self.dials.write();
        *known = Arc::new(dials);
        // Relaxed: who sees it late sees the dials late.
        self.has_dials.store(has_dials, Ordering::Relaxed);
    }

    /// The dials, if there is one set that matters to records. They are not held: who asks may hold any lock.
    #[inline]
    pub(crate) fn active_dials(&self) -> Option<Arc<Dials>> {
        self.has_dials.load(Ordering::Relaxed).then(|| Arc::clone(&self.dials.read()))
    }

    /// A number for a waiter.
    pub(crate) fn next_waiter(&self) -> u64 {
        // Relaxed: only has to be different each time.
        self.waiters.fetch_add(1, Ordering::Relaxed)
    }

    /// The sweeper has something to do at `due`.
    pub(crate) fn sweep_at(&self, store: &Store, due: Timestamp) {
        // Relaxed: the sweeper looks under locks at what there is to do; this only tells it when.
        if self.next_sweep.fetch_min(due.as_millis(), Ordering::Relaxed) > due.as_millis() {
            store.wake_sweeper();
        }
    }
}

impl StreamState {
    pub(crate) fn new(name: &str, inner: Inner) -> Self {
        Self {
            name: name.to_owned(),
            generation: inner.record.generation,
            retentions: AtomicU64::new(0),
            inner: RwLock::new(inner),
        }
    }

    /// The stream, held alone.
    pub(crate) fn alone(&self) -> Alone<'_> {
        Alone { guard: self.inner.write(), woken: Woken::default() }
    }

    pub(crate) fn not_found(&self, store: &Store) -> Error {
        not_found(store, &self.name)
    }
}

#[cold]
pub(crate) fn not_found(store: &Store, name: &str) -> Error {
    Error::StreamNotFound { stream: name.to_owned(), account: store.account().to_owned() }
}

impl Inner {
    pub(crate) fn status(&self) -> Status {
        match self.record.change {
            None => Status::Active,
            Some(Change { kind: ChangeKind::Create, .. }) => Status::Creating,
            Some(Change { kind: ChangeKind::Delete, .. }) => Status::Deleting,
            Some(_) => Status::Updating,
        }
    }

    /// Is a change done by now, but not yet carried out?
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.record.change.is_some_and(|change| change.due <= now)
    }

    /// Does it take and give records?
    pub(crate) fn is_usable(&self) -> bool {
        !self.is_gone && matches!(self.status(), Status::Active | Status::Updating)
    }

    /// Records that came before are gone.
    pub(crate) fn horizon(&self, now: Timestamp) -> Timestamp {
        (now - hours(self.record.retention_hours)).max(self.record.hidden_before)
    }

    /// The open shard that `hash` belongs to.
    pub(crate) fn shard_for(&self, hash: u128) -> Option<&Arc<Shard>> {
        let behind = self.open.partition_point(|shard| shard.start() <= hash);
        self.open.get(behind.wrapping_sub(1)).filter(|shard| hash <= shard.end())
    }

    /// The shards that have not expired, by index.
    pub(crate) fn visible(&self, now: Timestamp) -> impl Iterator<Item = &Arc<Shard>> {
        let horizon = self.horizon(now);
        self.shards.values().filter(move |shard| !is_expired(shard, horizon))
    }

    /// The shard of this index, unless it has expired.
    pub(crate) fn shard(&self, index: u32, now: Timestamp) -> Option<&Arc<Shard>> {
        let horizon = self.horizon(now);
        self.shards.get(&index).filter(|shard| !is_expired(shard, horizon))
    }

    /// The shards that were made from `shard`.
    pub(crate) fn children(&self, shard: &Shard) -> impl Iterator<Item = &Arc<Shard>> {
        let index = shard.index;
        let behind = self.shards.range(index.saturating_add(1)..);
        behind.map(|(_, shard)| shard).filter(move |shard| shard.parents().contains(&index))
    }

    /// Which shards are open follows from all of them.
    pub(crate) fn find_open(&mut self) {
        self.open = self.shards.values().filter(|shard| shard.closed().is_none()).cloned().collect();
        self.open.sort_unstable_by_key(|shard| shard.start());
    }

    /// The keyspaces of the stream: its own, then those of its shards.
    pub(crate) fn spaces(&self) -> Vec<u32> {
        std::iter::once(self.meta).chain(self.shards.values().map(|shard| shard.space.id())).collect()
    }

    /// Nobody waits for records any more: the stream goes away.
    pub(crate) fn end_all(&mut self) {
        let shards = self.shards.values().flat_map(|shard| shard.end_all());
        let consumers = self.consumers.values().flat_map(|consumer| consumer.end_all());
        self.woken.extend(shards.chain(consumers));
    }
}

/// Was it closed so long ago that all its records are gone?
pub(crate) fn is_expired(shard: &Shard, horizon: Timestamp) -> bool {
    shard.closed().is_some_and(|at| at < horizon)
}

pub(crate) fn hours(hours: u32) -> Duration {
    Duration::from_hours(hours.into())
}

/// All streams that the catalog knows.
fn load(store: &Store) -> Result<Directory> {
    let mut directory = Directory::new();
    for resource in store.list_resources(ResourceKind::Stream, "") {
        let (name, resource) = resource?;
        let stream = load_stream(store, &name, &resource)?;
        directory.insert(name, Arc::new(stream));
    }
    Ok(directory)
}

fn load_stream(store: &Store, name: &str, resource: &Resource) -> Result<StreamState> {
    let malformed = |flaw: Malformed| flaw.in_file(format!("record of stream {name}").as_ref());
    let record = StreamRecord::decode(&resource.record).map_err(malformed)?;
    let meta = *resource.ids.first().ok_or_else(|| dangling(name, 0))?;
    let space = store.space(meta).ok_or_else(|| dangling(name, meta))?;
    let mut inner = Inner {
        record,
        meta,
        shards: BTreeMap::new(),
        open: Vec::new(),
        consumers: BTreeMap::new(),
        is_gone: false,
        woken: Vec::new(),
    };
    let mut range = space.range::<&[u8]>(store, ..);
    while range.advance()? {
        let value = range.value()?;
        if let Some(index) = keys::shard_of(range.key()) {
            let record = ShardRecord::decode(&value).map_err(malformed)?;
            let shard = shard(store, name, index, record)?;
            inner.shards.insert(index, Arc::new(shard));
        } else if let Some(consumer) = keys::consumer_of(range.key()) {
            let record = ConsumerRecord::decode(&value).map_err(malformed)?;
            inner.consumers.insert(consumer.to_owned(), Arc::new(Consumer::new(consumer, record)));
        }
    }
    inner.find_open();
    Ok(StreamState::new(name, inner))
}

/// A shard whose keyspace exists.
pub(crate) fn shard(store: &Store, stream: &str, index: u32, record: ShardRecord) -> Result<Shard> {
    let space = space(store, stream, record.space)?;
    Ok(Shard::new(index, record, space))
}

fn space(store: &Store, stream: &str, id: u32) -> Result<Space> {
    store.space(id).ok_or_else(|| dangling(stream, id))
}

#[cold]
fn dangling(stream: &str, id: u32) -> Error {
    crate::store::catalog::dangling(stream, id).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_can_be_set_while_somebody_goes_by_them() {
        let registry = Registry::default();
        registry.set_dials(Dials { throttle: true, ..Dials::default() });
        let dials = registry.active_dials().unwrap();
        registry.set_dials(Dials::default());
        assert!(dials.throttle && registry.active_dials().is_none());
    }
}
