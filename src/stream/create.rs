//! Making and deleting streams.

use crate::store::Store;
use crate::store::pending::Pending;
use crate::stream::change::{Status, put_record, remove};
use crate::stream::check;
use crate::stream::error::{Error, Result};
use crate::stream::limits::{CREATING_MAX, ON_DEMAND_SHARDS, ON_DEMAND_STREAMS, RECORD_KIB, RETENTION_HOURS};
use crate::stream::meta::{Change, ChangeKind, Distribution, Mode, ShardRecord, StreamRecord, Tags};
use crate::stream::state::{self, Directory, Inner, Registry, StreamState};
use crate::stream::{Stream, Streams, hash, keys};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a stream is to be made like. By default it is on demand, with four shards.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::CreateStream};
/// let store = Store::in_memory();
/// let settings = CreateStream::default().shard_count(2).tag("team", "search");
/// let stream = store.streams().create("clicks", settings)?;
/// assert_eq!(stream.summary()?.open_shard_count, 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "settings do nothing until a stream is made by them"]
pub struct CreateStream {
    shard_count: Option<u32>,
    mode: Option<Mode>,
    tags: Tags,
    record_kib: Option<u32>,
    distribution: Option<Distribution>,
}

impl CreateStream {
    /// How many shards it has, from 1. A stream with a number of shards is provisioned.
    pub fn shard_count(mut self, count: u32) -> Self {
        self.shard_count = Some(count);
        self
    }

    /// The mode, if it shall not follow from whether there is a number of shards.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// A tag; up to 50.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// KiB of a record at most, key and data, from 1,024 (the default) to 10,240.
    pub fn max_record_size_kib(mut self, kib: u32) -> Self {
        self.record_kib = Some(kib);
        self
    }

    /// Which shard a record goes to; only for a stream on demand.
    pub fn distribution(mut self, distribution: Distribution) -> Self {
        self.distribution = Some(distribution);
        self
    }

    /// Mode and number of shards.
    fn shape(&self) -> Result<(Mode, u32)> {
        if let Some(count) = self.shard_count {
            check::within(count, &(1..=u32::MAX), "shardCount")?;
        }
        let shape = match (self.mode, self.shard_count) {
            (None | Some(Mode::Provisioned), Some(count)) => (Mode::Provisioned, count),
            (None | Some(Mode::OnDemand), None) => (Mode::OnDemand, ON_DEMAND_SHARDS),
            (Some(Mode::Provisioned), None) => {
                return Err(Error::Validation {
                    message: "ShardCount is required when StreamMode is PROVISIONED.".into(),
                });
            }
            (Some(Mode::OnDemand), Some(_)) => {
                return Err(Error::Validation {
                    message: "ShardCount is not expected when StreamMode is ON_DEMAND.".into(),
                });
            }
        };
        if shape.0 == Mode::Provisioned && self.distribution == Some(Distribution::Auto) {
            return Err(Error::invalid(
                "RecordDistributionStrategy AUTO is only supported for streams in ON_DEMAND mode.",
            ));
        }
        Ok(shape)
    }
}

impl Streams {
    /// Makes the stream `name`: 1 to 128 of `a-z A-Z 0-9 _ . -`.
    ///
    /// # Errors
    /// [`StreamExists`](Error::StreamExists); [`ShardLimit`](Error::ShardLimit) for more shards than the
    /// [dials](super::Dials::shard_limit) allow, [`LimitExceeded`](Error::LimitExceeded) for more than five streams in
    /// the making or 50 on demand; [`Validation`](Error::Validation) or [`InvalidArgument`](Error::InvalidArgument)
    /// for a name or setting that cannot be.
    pub fn create(&self, name: &str, settings: CreateStream) -> Result<Stream> {
        self.store.call("CreateStream", name, || Ok(self.stage_create(name, settings)?.wait()?))
    }

    /// [`create`](Self::create) that holds no thread while it waits for the disk.
    pub async fn create_async(&self, name: &str, settings: CreateStream) -> Result<Stream> {
        self.store
            .call_async("CreateStream", name, async { Ok(self.stage_create(name, settings)?.done().await?) })
            .await
    }

    /// Deletes a stream with all its records. Its consumers go with it if `enforce_consumer_deletion`.
    ///
    /// # Errors
    /// [`StreamNotFound`](Error::StreamNotFound); [`ConsumersRegistered`](Error::ConsumersRegistered).
    pub fn delete(&self, name: &str, enforce_consumer_deletion: bool) -> Result<()> {
        self.store
            .call("DeleteStream", name, || Ok(self.stage_delete(name, enforce_consumer_deletion)?.wait()?))
    }

    /// [`delete`](Self::delete) that holds no thread while it waits for the disk.
    pub async fn delete_async(&self, name: &str, enforce_consumer_deletion: bool) -> Result<()> {
        self.store
            .call_async("DeleteStream", name, async {
                Ok(self.stage_delete(name, enforce_consumer_deletion)?.done().await?)
            })
            .await
    }

    fn stage_create(&self, name: &str, settings: CreateStream) -> Result<Pending<Stream>> {
        let (store, registry) = (&self.store, &*self.registry);
        check::name(name, "streamName")?;
        let (mode, count) = settings.shape()?;
        let record_kib = settings.record_kib.unwrap_or(*RECORD_KIB.start());
        check::within(record_kib, &RECORD_KIB, "maxRecordSizeInKiB")?;
        if !settings.tags.is_empty() {
            check::tags(&settings.tags, &Tags::new(), name, store.account())?;
        }
        registry.settle_all(store)?;
        let (delay, limit) = {
            let dials = registry.dials.read();
            (dials.create_delay, dials.shard_limit)
        };
        let mut directory = registry.directory_mut(store)?;
        check_room(store, &directory, name, mode, count, limit)?;
        let now = store.now();
        let due = (!delay.is_zero()).then(|| now + delay);
        let record = StreamRecord {
            generation: store.random().next_u64(),
            created: now,
            mode,
            distribution: settings.distribution.unwrap_or_default(),
            record_kib,
            retention_hours: *RETENTION_HOURS.start(),
            hidden_before: now,
            next_shard: count,
            change: due.map(|due| Change { due, kind: ChangeKind::Create }),
            scalings: Vec::new(),
            mode_changes: Vec::new(),
            tags: settings.tags,
        };
        let expires = now + state::hours(record.retention_hours);
        let pending = make(store, name, record, count, &mut directory)?;
        registry.sweep_at(store, due.unwrap_or(expires));
        Ok(pending.map(|state| Stream::new(self, state)))
    }

    fn stage_delete(&self, name: &str, enforce: bool) -> Result<Pending<()>> {
        let (store, registry) = (&self.store, &*self.registry);
        check::name(name, "streamName")?;
        let stream = registry.find(store, name)?.ok_or_else(|| state::not_found(store, name))?;
        let delay = registry.dials.read().delete_delay;
        let mut directory = registry.directory_mut(store)?;
        let mut inner = stream.alone();
        if inner.is_gone {
            return Err(stream.not_found(store));
        }
        if !enforce && !inner.consumers.is_empty() {
            return Err(Error::ConsumersRegistered {
                stream: name.to_owned(),
                arn: store.arn("kinesis", &format!("stream/{name}")),
                count: inner.consumers.len(),
            });
        }
        if inner.status() == Status::Deleting {
            return Ok(Pending::ready(store, ()));
        }
        if delay.is_zero() {
            let pending = remove(store, &stream, &mut inner)?;
            directory.remove(name);
            // Before the stream, whose waiters are woken when it is given back.
            drop(directory);
            return Ok(pending);
        }
        let due = store.now() + delay;
        let mut record = inner.record.clone();
        record.change = Some(Change { due, kind: ChangeKind::Delete });
        let pending = super::change::store_record(store, &stream, &mut inner, record)?;
        inner.end_all();
        drop(directory);
        registry.sweep_at(store, due);
        Ok(pending)
    }
}

impl Registry {
    /// Carries out whatever is due.
    pub(crate) fn settle_all(&self, store: &Store) -> Result<()> {
        let now = store.now();
        let due: Vec<Arc<StreamState>> = {
            let directory = self.directory(store)?;
            directory.values().filter(|stream| stream.inner.read().is_due(now)).cloned().collect()
        };
        due.iter().try_for_each(|stream| self.settle(store, stream))
    }
}

/// Open shards of all streams together.
pub(crate) fn open_shards(directory: &Directory) -> u64 {
    directory.values().map(|stream| stream.inner.read().open.len() as u64).sum()
}

pub(crate) fn on_demand_streams(directory: &Directory) -> u64 {
    directory.values().filter(|stream| stream.inner.read().record.mode == Mode::OnDemand).count() as u64
}

/// Refuses `additional` shards that are too many.
pub(crate) fn check_shard_limit(store: &Store, current: u64, additional: u64, limit: u64) -> Result<()> {
    if current + additional <= limit {
        return Ok(());
    }
    let (account, region) = (store.account().to_owned(), store.region().to_owned());
    Err(Error::ShardLimit { account, region, current, limit, additional })
}

/// May a stream of this name and shape be made?
fn check_room(
    store: &Store,
    directory: &Directory,
    name: &str,
    mode: Mode,
    count: u32,
    limit: u64,
) -> Result<()> {
    if directory.contains_key(name) {
        let account = store.account().to_owned();
        return Err(Error::StreamExists { stream: name.to_owned(), account });
    }
    let creating = |stream: &&Arc<StreamState>| stream.inner.read().status() == Status::Creating;
    if directory.values().filter(creating).count() >= CREATING_MAX {
        return Err(Error::limit(format_args!(
            "This request would exceed the limit of {CREATING_MAX} streams in CREATING state for the account {}.",
            store.account()
        )));
    }
    if mode == Mode::OnDemand && on_demand_streams(directory) >= ON_DEMAND_STREAMS {
        return Err(Error::limit(format_args!(
            "This request would exceed the limit of {ON_DEMAND_STREAMS} on-demand streams for the account {}.",
            store.account()
        )));
    }
    check_shard_limit(store, open_shards(directory), count.into(), limit)
}

/// Writes a new stream with `count` shards.
fn make(
    store: &Store,
    name: &str,
    record: StreamRecord,
    count: u32,
    directory: &mut Directory,
) -> Result<Pending<Arc<StreamState>>> {
    let mut batch = store.batch();
    let meta = batch.create_space()?;
    let mut spaces = vec![meta];
    let mut shards = Vec::with_capacity(count as usize);
    for (range, index) in hash::divide(count).zip(0..) {
        let space = batch.create_space()?;
        spaces.push(space);
        let (start, end) = range.into_inner();
        let shard = ShardRecord {
            space,
            second: record.created.as_secs(),
            opened: record.created,
            closed: None,
            start,
            end,
            parents: Vec::new(),
            floor: 0,
        };
        batch.put_in(meta, &keys::shard(index), &shard.encode())?;
        shards.push((index, shard));
    }
    put_record(&mut batch, name, &spaces, &record)?;
    let pending = store.commit(batch)?;
    let mut inner = Inner {
        record,
        meta,
        shards: BTreeMap::new(),
        open: Vec::new(),
        consumers: BTreeMap::new(),
        is_gone: false,
        woken: Vec::new(),
    };
    for (index, shard) in shards {
        inner.shards.insert(index, Arc::new(state::shard(store, name, index, shard)?));
    }
    inner.find_open();
    let stream = Arc::new(StreamState::new(name, inner));
    directory.insert(name.to_owned(), Arc::clone(&stream));
    Ok(pending.map(|()| stream))
}
