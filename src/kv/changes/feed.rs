//! A stream of changes in memory: its shards, and where its end is.
//!
//! F1. Records are numbered without gaps over all shards of a stream, and a number is seen only when all before it
//!     are: the tail is locked from the choosing of a number to the append.
//! F2. A shard is a share of the partitions, from one number to another; two changes of one item are in one shard, or
//!     the later one is in its child.

use crate::Batch;
use crate::clock::Timestamp;
use crate::kv::changes::record::{self, Change};
use crate::kv::error::Result;
use crate::kv::feed_locks::Wakes;
use crate::kv::record as records;
use crate::kv::schema::{KeyElement, StreamViewType};
use crate::kv::state::{HIDDEN, State};
use crate::kv::stored::stored;
use crate::store::Store;
use crate::store::catalog::{ResourceKind, dangling};
use crate::store::space::Space;
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// How long a record can be read.
pub const CHANGE_RETENTION: Duration = Duration::from_hours(24);
/// How long a shard takes records.
const SHARD_AGE: Duration = Duration::from_hours(4);

/// What the catalog keeps of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FeedRecord {
    pub(crate) table: String,
    pub(crate) label: String,
    pub(crate) view: StreamViewType,
    pub(crate) keys: Vec<KeyElement>,
    pub(crate) created: Timestamp,
    /// When it stopped; it is forgotten a day later.
    pub(crate) ended: Option<Timestamp>,
    pub(crate) shards: Vec<Shard>,
    /// No record below has a number any more.
    pub(crate) trimmed: u64,
}

/// A shard of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) number: u32,
    pub(crate) parent: Option<u32>,
    /// Its first number.
    pub(crate) from: u64,
    /// The number behind its last, once it is closed.
    pub(crate) to: Option<u64>,
    pub(crate) opened: Timestamp,
}

stored!(FeedRecord { table, label, view, keys, created, ended, shards, trimmed });
stored!(Shard { number, parent, from, to, opened });

/// A stream.
pub(crate) struct Feed {
    pub(crate) table: String,
    pub(crate) label: String,
    pub(crate) view: StreamViewType,
    pub(crate) keys: Vec<KeyElement>,
    pub(crate) created: Timestamp,
    pub(crate) space: Space,
    pub(crate) tail: Mutex<Tail>,
    waiting: Mutex<Vec<Waker>>,
}

/// The end of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    /// The next number.
    pub(crate) next: u64,
    pub(crate) shards: Vec<Shard>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) trimmed: u64,
    /// When the newest record was written.
    newest: Timestamp,
    /// What `next` and `shards` are to be once the batch is logged.
    staged: (u64, Option<Vec<Shard>>),
}

impl Tail {
    pub(crate) fn begin(&mut self) {
        self.staged = (self.next, None);
    }

    pub(crate) fn apply(&mut self) {
        self.next = self.staged.0;
        if let Some(shards) = self.staged.1.take() {
            self.shards = shards;
        }
    }

    pub(crate) fn shard(&self, number: u32) -> Option<&Shard> {
        self.shards.iter().find(|shard| shard.number == number)
    }
}

/// The key of the record with this number.
pub(crate) fn key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The name of a stream in the catalog: behind all tables.
fn resource(table: &str, label: &str) -> String {
    format!("{HIDDEN}stream/{table}/{label}")
}

/// A new stream that is not yet there: its record is in the batch.
pub(crate) struct NewFeed {
    pub(crate) label: String,
    record: FeedRecord,
    space: u32,
}

/// Adds a new stream of `table` to a batch.
pub(crate) fn create(
    store: &Store,
    batch: &mut Batch,
    table: &str,
    keys: &[KeyElement],
    view: StreamViewType,
) -> Result<NewFeed> {
    let created = store.now();
    let label = label(store, table, created)?;
    let state = crate::kv::state_of(store);
    let count = state.dials.read().stream_shards.max(1);
    let open = |number| Shard { number, parent: None, from: 1, to: None, opened: created };
    let record = FeedRecord {
        table: table.to_owned(),
        label: label.clone(),
        view,
        keys: keys.to_vec(),
        created,
        ended: None,
        shards: (0..count).map(open).collect(),
        trimmed: 1,
    };
    let space = batch.create_space()?;
    batch.put_resource(ResourceKind::Table, &resource(table, &label), &[space], &records::encode(&record))?;
    Ok(NewFeed { label, record, space })
}

/// The time without its zone, later than that of any stream of the table.
fn label(store: &Store, table: &str, mut at: Timestamp) -> Result<String> {
    loop {
        let label = at.to_string().trim_end_matches('Z').to_owned();
        if store.find_resource(ResourceKind::Table, &resource(table, &label))?.is_none() {
            return Ok(label);
        }
        at += Duration::from_millis(1);
    }
}

impl Feed {
    fn open(store: &Store, record: FeedRecord, space: u32) -> Result<Self> {
        let name = resource(&record.table, &record.label);
        let space = store.space(space).ok_or_else(|| dangling(&name, space))?;
        let mut all = space.range::<&[u8]>(store, ..);
        let (mut next, mut newest) = (record.trimmed.max(1), record.created);
        if let Some(last) = all.next_back() {
            let (key, value) = last?;
            next = next.max(key.first_chunk().map_or(0, |key| u64::from_be_bytes(*key)).saturating_add(1));
            newest = newest.max(record::head(&value).map_err(|flaw| flaw.in_file(name.as_ref()))?.at);
        }
        store.raise_clock(newest);
        let tail = Tail {
            next,
            shards: record.shards,
            ended: record.ended,
            trimmed: record.trimmed,
            newest,
            staged: (next, None),
        };
        let FeedRecord { table, label, view, keys, created, .. } = record;
        Ok(Self {
            table,
            label,
            view,
            keys,
            created,
            space,
            tail: Mutex::new(tail),
            waiting: Mutex::default(),
        })
    }

    /// Adds the record of a change to the batch, behind what was staged before.
    pub(crate) fn stage(
        &self,
        store: &Store,
        state: &State,
        batch: &mut Batch,
        tail: &mut Tail,
        change: &Change,
    ) -> Result<()> {
        let now = store.now().max(tail.newest);
        let number = tail.staged.0;
        self.renew_shards(state, batch, tail, now)?;
        let shards = tail.staged.1.as_ref().unwrap_or(&tail.shards);
        let open: Vec<u32> = shards.iter().filter(|s| s.to.is_none()).map(|s| s.number).collect();
        // The share of a partition is a matter of its hash alone, so it is the same in every generation (F2).
        let part = (u128::from(change.hash) * open.len() as u128) >> 64;
        let shard = usize::try_from(part).ok().and_then(|part| open.get(part)).copied().unwrap_or(0);
        batch.put_spilling_in(self.space.id(), &key(number), &change.encode(now, shard))?;
        tail.staged.0 = number + 1;
        tail.newest = now;
        Ok(())
    }

    /// Closes shards that are old enough, and opens their children.
    fn renew_shards(&self, state: &State, batch: &mut Batch, tail: &mut Tail, now: Timestamp) -> Result<()> {
        let shards = tail.staged.1.as_ref().unwrap_or(&tail.shards);
        let age = Some(state.dials.read().stream_shard_age).filter(|age| !age.is_zero()).unwrap_or(SHARD_AGE);
        if shards.iter().all(|shard| shard.to.is_some() || now < shard.opened + age) {
            return Ok(());
        }
        let mut shards = shards.clone();
        let mut children = Vec::new();
        let next = shards.iter().map(|shard| shard.number + 1).max().unwrap_or(0);
        for (shard, number) in shards.iter_mut().filter(|shard| shard.to.is_none()).zip(next..) {
            shard.to = Some(tail.staged.0);
            let parent = Some(shard.number);
            children.push(Shard { number, parent, from: tail.staged.0, to: None, opened: now });
        }
        shards.extend(children);
        self.put(batch, tail, &shards, tail.ended)?;
        tail.staged.1 = Some(shards);
        Ok(())
    }

    /// Replaces what the catalog says.
    fn put(&self, batch: &mut Batch, tail: &Tail, shards: &[Shard], ended: Option<Timestamp>) -> Result<()> {
        let record = FeedRecord {
            table: self.table.clone(),
            label: self.label.clone(),
            view: self.view,
            keys: self.keys.clone(),
            created: self.created,
            ended,
            shards: shards.to_vec(),
            trimmed: tail.trimmed,
        };
        let name = resource(&self.table, &self.label);
        batch.put_resource(ResourceKind::Table, &name, &[self.space.id()], &records::encode(&record))?;
        Ok(())
    }

    /// Adds the end of the stream to a batch: no record follows. The table is locked, so that none can.
    pub(crate) fn stage_end(&self, store: &Store, batch: &mut Batch) -> Result<()> {
        let mut tail = self.tail.lock();
        tail.begin();
        let mut shards = tail.shards.clone();
        shards.iter_mut().filter(|shard| shard.to.is_none()).for_each(|shard| shard.to = Some(tail.next));
        self.put(batch, &tail, &shards, Some(store.now()))?;
        tail.staged.1 = Some(shards);
        Ok(())
    }

    /// The end is logged.
    pub(crate) fn apply_end(&self, store: &Store, wakes: &mut Wakes) {
        let mut tail = self.tail.lock();
        tail.apply();
        tail.ended = Some(store.now());
        drop(tail);
        wakes.add(self);
    }

    /// Takes whoever waits for records.
    pub(crate) fn take_waiting(&self) -> Vec<Waker> {
        std::mem::take(&mut *self.waiting.lock())
    }

    /// Wakes `waker` when there is something behind `number`; false if there already is.
    pub(crate) fn wait_behind(&self, number: u64, waker: &Waker) -> bool {
        let tail = self.tail.lock();
        if tail.next > number || tail.ended.is_some() {
            return false;
        }
        let mut waiting = self.waiting.lock();
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
        true
    }

    /// The first number whose record is not older than `at`; that behind the last if all are.
    pub(crate) fn number_at(&self, store: &Store, at: Timestamp) -> Result<u64> {
        let (mut low, mut high) = {
            let tail = self.tail.lock();
            (tail.trimmed, tail.next)
        };
        while low < high {
            let middle = low + (high - low) / 2;
            match self.space.get(store, &key(middle))? {
                Some(record) if self.head(&record)?.at >= at => high = middle,
                // Trimmed since: it is older than anything that is asked for.
                _ => low = middle + 1,
            }
        }
        Ok(low)
    }

    /// The first number that can still be read.
    pub(crate) fn horizon(&self, store: &Store) -> Result<u64> {
        let now = store.now().as_millis();
        let retention = u64::try_from(CHANGE_RETENTION.as_millis()).unwrap_or(u64::MAX);
        match now.checked_sub(retention) {
            Some(oldest) => self.number_at(store, Timestamp::from_millis(oldest)),
            None => Ok(self.tail.lock().trimmed),
        }
    }

    /// When the record with this number was written, if it is there.
    pub(crate) fn written(&self, store: &Store, number: u64) -> Result<Option<Timestamp>> {
        let record = self.space.get(store, &key(number))?;
        record.map(|record| Ok(self.head(&record)?.at)).transpose()
    }

    pub(crate) fn head(&self, bytes: &[u8]) -> Result<record::Head> {
        Ok(record::head(bytes).map_err(|flaw| flaw.in_file(resource(&self.table, &self.label).as_ref()))?)
    }

    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<record::Recorded> {
        Ok(record::decode(bytes).map_err(|flaw| flaw.in_file(resource(&self.table, &self.label).as_ref()))?)
    }

    /// Forgets records that are too old, and shards that have none left.
    fn trim(&self, store: &Store) -> Result<()> {
        let horizon = self.horizon(store)?;
        let oldest = store.now();
        let mut tail = self.tail.lock();
        if horizon <= tail.trimmed {
            return Ok(());
        }
        tail.begin();
        let mut shards = tail.shards.clone();
        shards.retain(|shard| {
            shard.to.is_none_or(|to| to > horizon || oldest < shard.opened + CHANGE_RETENTION)
        });
        let mut batch = store.batch();
        batch.floor_in(self.space.id(), &key(horizon))?;
        let trimmed = Tail { trimmed: horizon, ..tail.clone() };
        self.put(&mut batch, &trimmed, &shards, trimmed.ended)?;
        store.commit(batch)?.forget();
        tail.trimmed = horizon;
        tail.shards = shards;
        Ok(())
    }
}

/// All streams, by table and label.
#[derive(Default)]
pub(crate) struct Feeds(RwLock<BTreeMap<(String, String), Arc<Feed>>>);

impl Feeds {
    /// Reads the catalog.
    pub(crate) fn load(&self, store: &Store) -> Result<()> {
        let prefix = format!("{HIDDEN}stream/");
        for found in store.list_resources(ResourceKind::Table, &prefix) {
            let (name, found) = found?;
            if !name.starts_with(&prefix) {
                break;
            }
            let record: FeedRecord = records::decode(&found.record, "record of a stream")
                .map_err(|flaw| flaw.in_file(name.as_ref()))?;
            let [space] = found.ids[..] else { return Err(dangling(&name, 0).into()) };
            let feed = Feed::open(store, record, space)?;
            self.0.write().insert((feed.table.clone(), feed.label.clone()), Arc::new(feed));
        }
        Ok(())
    }

    /// A stream whose batch was logged.
    pub(crate) fn insert(&self, store: &Store, new: NewFeed) -> Result<()> {
        let feed = Feed::open(store, new.record, new.space)?;
        self.0.write().insert((feed.table.clone(), feed.label.clone()), Arc::new(feed));
        Ok(())
    }

    pub(crate) fn find(&self, table: &str, label: &str) -> Option<Arc<Feed>> {
        self.0.read().get(&(table.to_owned(), label.to_owned())).cloned()
    }

    /// All streams in the order of their ARNs.
    pub(crate) fn all(&self) -> Vec<Arc<Feed>> {
        self.0.read().values().cloned().collect()
    }

    /// Forgets what is over: records, then streams. When there is something to do again.
    pub(crate) fn sweep(&self, store: &Store) -> Result<()> {
        for feed in self.all() {
            feed.trim(store)?;
            let ended = feed.tail.lock().ended;
            if ended.is_some_and(|ended| store.now() >= ended + CHANGE_RETENTION) {
                let mut batch = store.batch();
                batch.drop_space(feed.space.id())?;
                batch.delete_resource(ResourceKind::Table, &resource(&feed.table, &feed.label))?;
                store.commit(batch)?.forget();
                self.0.write().remove(&(feed.table.clone(), feed.label.clone()));
            }
        }
        Ok(())
    }
}
