//! Putting records.

use crate::store::Batch;
use crate::store::pending::Pending;
use crate::stream::dials::Dials;
use crate::stream::error::{Error, Result};
use crate::stream::keys::RECORD_LEN;
use crate::stream::limits::{PARTITION_KEY_CHARS_MAX, RECORD_KIB};
use crate::stream::meta::Distribution;
use crate::stream::record::{self, Lengths};
use crate::stream::sequence::{Parsed, SequenceNumber};
use crate::stream::shard::{Shard, ShardId, Tail, wake_all};
use crate::stream::state::Inner;
use crate::stream::{Stream, hash, keys};
use crate::{Store, Timestamp};
use std::sync::Arc;

/// A record to be put.
///
/// ```
/// use fourfold::stream::PutRecord;
/// let record = PutRecord::new("user-7", "home").explicit_hash_key("0");
/// # drop(record);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a record is put by `Stream::put_record` or `Stream::put_many`"]
pub struct PutRecord<'a> {
    pub(crate) key: Option<&'a str>,
    pub(crate) data: &'a [u8],
    pub(crate) hash: Option<&'a str>,
    pub(crate) after: Option<&'a str>,
}

impl<'a> PutRecord<'a> {
    /// `data` under `partition_key`, which has 1 to 256 characters.
    pub fn new(partition_key: &'a str, data: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { key: Some(partition_key), data: data.as_ref(), hash: None, after: None }
    }

    /// `data` without a key; for streams that [distribute](Distribution::Auto) records themselves.
    pub fn unkeyed(data: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { key: None, data: data.as_ref(), hash: None, after: None }
    }

    /// The shard is the one that this hash key belongs to, whatever the partition key: a decimal number below 2^128.
    pub fn explicit_hash_key(mut self, hash_key: &'a str) -> Self {
        self.hash = Some(hash_key);
        self
    }

    /// Its number shall be above this one, which an earlier put answered with. It is anyway, if the two are put one
    /// after the other under one partition key; the number is only checked. Not for [`put_many`](Stream::put_many).
    pub fn sequence_number_for_ordering(mut self, number: &'a str) -> Self {
        self.after = Some(number);
        self
    }

    /// Bytes that limits count.
    pub(crate) fn size(&self) -> usize {
        self.key.map_or(0, str::len) + self.data.len()
    }

    pub(super) fn key_bytes(&self) -> &'a [u8] {
        self.key.unwrap_or_default().as_bytes()
    }

    /// How long key and data are, as it is stored. Both were checked before: they are far shorter than that can say.
    pub(super) fn lengths(&self) -> Result<Lengths> {
        let key = u16::try_from(self.key_bytes().len()).map_err(|_| long_key())?;
        let data = u32::try_from(self.data.len()).map_err(|_| long_record(u32::MAX as usize))?;
        Ok(Lengths { key, data })
    }
}

/// Where a record went.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// let store = fourfold::Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// let put = stream.put("user-7", "home")?;
/// assert!(put.shard_id.starts_with("shardId-"));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Put {
    /// The shard.
    pub shard_id: ShardId,
    /// Its number there.
    pub sequence_number: SequenceNumber,
}

impl Stream {
    /// Puts `data` under `partition_key`. It is visible and durable, as the store was opened for, when this returns.
    ///
    /// # Errors
    /// [`StreamNotFound`](Error::StreamNotFound), also while the stream is being made or deleted;
    /// [`Validation`](Error::Validation) for a key that is not 1 to 256 characters long and for a record over the
    /// stream's limit; [`ThroughputExceeded`](Error::ThroughputExceeded) if that was [asked for](Dials::throttle).
    pub fn put(&self, partition_key: &str, data: impl AsRef<[u8]>) -> Result<Put> {
        self.put_record(&PutRecord::new(partition_key, data.as_ref()))
    }

    /// [`put`](Self::put) that holds no thread while it waits for the disk.
    pub async fn put_async(&self, partition_key: &str, data: impl AsRef<[u8]>) -> Result<Put> {
        self.store
            .call_async("PutRecord", self.name(), async {
                Ok(self.stage_put(&PutRecord::new(partition_key, data.as_ref()))?.done().await?)
            })
            .await
    }

    /// [`put`](Self::put) with more to say about the record.
    ///
    /// # Errors
    /// Those of [`put`](Self::put); [`InvalidArgument`](Error::InvalidArgument) for a hash key of 2^128 or more, and
    /// for a sequence number of the future or of no stream.
    pub fn put_record(&self, record: &PutRecord<'_>) -> Result<Put> {
        self.store.call("PutRecord", self.name(), || Ok(self.stage_put(record)?.wait()?))
    }

    /// [`put_record`](Self::put_record) that holds no thread while it waits for the disk.
    pub async fn put_record_async(&self, record: &PutRecord<'_>) -> Result<Put> {
        self.store
            .call_async("PutRecord", self.name(), async { Ok(self.stage_put(record)?.done().await?) })
            .await
    }

    fn stage_put(&self, record: &PutRecord<'_>) -> Result<Pending<Put>> {
        let store = &self.store;
        let now = store.now();
        let dials = self.registry.active_dials();
        let inner = self.usable(now)?;
        check_record(record, &inner)?;
        let hash = hash_of(store, record, &inner, dials.as_deref())?;
        if let Some(number) = record.after {
            self.check_ordering(number, now)?;
        }
        let shard = self.shard_for(&inner, hash)?;
        let mut tail = shard.tail(store)?;
        if let Some(dials) = &dials {
            self.admit(dials, shard, &mut tail, record, hash, now)?;
        }
        let (place, arrival) = (tail.next, now.max(tail.newest));
        let pending = write(store, shard, &keys::record(place, arrival), record)?;
        tail.newest = arrival;
        shard.set_next(&mut tail, place + 1);
        let waiting = tail.take_waiting();
        drop(tail);
        let put = Put { shard_id: shard.id(), sequence_number: shard.number(place, arrival) };
        drop(inner);
        wake_all(waiting);
        Ok(pending.map(|()| put))
    }

    pub(super) fn shard_for<'a>(&self, inner: &'a Inner, hash: u128) -> Result<&'a Arc<Shard>> {
        inner.shard_for(hash).ok_or_else(|| self.state.not_found(&self.store))
    }

    /// What the dials have to say about a record that is about to be written.
    pub(super) fn admit(
        &self,
        dials: &Dials,
        shard: &Shard,
        tail: &mut Tail,
        record: &PutRecord<'_>,
        hash: u128,
        now: Timestamp,
    ) -> Result<()> {
        if let Some(chances) = dials.fail_one_in
            && self.store.random().below(chances.get().into()) == 0
        {
            return Err(Error::InternalFailure);
        }
        if dials.throttle && !tail.throttle.write(now, record.size()) {
            return Err(self.throughput_exceeded(shard.id()));
        }
        if dials.count_hot_keys
            && let Some(key) = record.key
        {
            tail.hot.get_or_insert_default().count(key, hash, record.size());
        }
        Ok(())
    }

    pub(super) fn throughput_exceeded(&self, shard: ShardId) -> Error {
        Error::ThroughputExceeded {
            shard: shard.to_string(),
            stream: self.state.name.clone(),
            account: self.store.account().to_owned(),
        }
    }

    /// A number that this record's is to be above: any that a shard can have given out by now.
    pub(super) fn check_ordering(&self, number: &str, now: Timestamp) -> Result<()> {
        let secs = match Parsed::from_text(number) {
            Some(Parsed::Current(number)) => Some(number.secs()),
            Some(Parsed::Old { secs, .. }) => Some(secs.unwrap_or(0)),
            None => None,
        };
        if secs.is_some_and(|secs| secs <= now.as_secs()) {
            return Ok(());
        }
        Err(Error::invalid(format_args!(
            "ExclusiveMinimumSequenceNumber {number} used in PutRecord on stream {} under account {} is invalid.",
            self.state.name,
            self.store.account()
        )))
    }
}

/// Writes a record by itself.
#[inline]
fn write(store: &Store, shard: &Shard, at: &[u8; RECORD_LEN], record: &PutRecord<'_>) -> Result<Pending<()>> {
    if record.size() > part_max(store) {
        let mut batch = store.batch();
        add(store, &mut batch, shard, at, record)?;
        return Ok(store.commit(batch)?);
    }
    let head = record::head(record.lengths()?, false);
    Ok(shard.space.put(store, at, [&head, record.key_bytes(), record.data])?)
}

/// Adds a record to a batch: in parts, if no segment holds it.
pub(super) fn add(
    store: &Store,
    batch: &mut Batch,
    shard: &Shard,
    at: &[u8; RECORD_LEN],
    record: &PutRecord<'_>,
) -> Result<()> {
    let (space, part_max) = (shard.space.id(), part_max(store));
    let key = record.key_bytes();
    let is_parted = record.size() > part_max;
    let here = if is_parted { part_max.saturating_sub(key.len()) } else { record.data.len() };
    let (data, rest) = record.data.split_at(here);
    batch.put_parts_in(space, at, &[&record::head(record.lengths()?, is_parted), key, data])?;
    for (part, number) in rest.chunks(part_max).zip(1..=u8::MAX) {
        batch.put_in(space, &keys::part(at, number), part)?;
    }
    Ok(())
}

/// Bytes of a record that stand in one place. A record has 255 parts at most, so that the least is what a record of
/// the greatest length needs.
pub(super) fn part_max(store: &Store) -> usize {
    const LEAST: usize = (*RECORD_KIB.end() as usize * 1024).div_ceil(u8::MAX as usize);
    (store.batch_bytes_max() / 2).max(LEAST)
}

/// Key and length of a record.
pub(super) fn check_record(record: &PutRecord<'_>, inner: &Inner) -> Result<()> {
    match record.key {
        None if inner.record.distribution == Distribution::Auto => {}
        None => return Err(Error::constraint(None, "partitionKey", "not be null")),
        Some("") => {
            let rule = "have length greater than or equal to 1";
            return Err(Error::constraint(Some(&""), "partitionKey", rule));
        }
        // So many bytes are not more characters.
        Some(key) if key.len() <= PARTITION_KEY_CHARS_MAX => {}
        Some(key) if key.chars().count() <= PARTITION_KEY_CHARS_MAX => {}
        Some(_) => return Err(long_key()),
    }
    let max = inner.record.record_kib as usize * 1024;
    if record.size() > max {
        return Err(long_record(max));
    }
    Ok(())
}

#[cold]
fn long_record(max: usize) -> Error {
    Error::constraint(None, "data", format!("have length less than or equal to {max}"))
}

#[cold]
fn long_key() -> Error {
    let rule = format!("have length less than or equal to {PARTITION_KEY_CHARS_MAX}");
    Error::constraint(None, "partitionKey", rule)
}

/// The hash key that decides where a record goes. Where a single shard takes every record, and nobody wants to know whose
/// they are, that of a partition key decides nothing: then it is not computed, which takes a tenth of a put.
pub(super) fn hash_of(
    store: &Store,
    record: &PutRecord<'_>,
    inner: &Inner,
    dials: Option<&Dials>,
) -> Result<u128> {
    let is_moot = inner.open.len() == 1 && !dials.is_some_and(|dials| dials.count_hot_keys);
    match (inner.record.distribution, record.hash, record.key) {
        (Distribution::Auto, ..) => Ok(store.random().next_u128()),
        (_, Some(explicit), _) => hash::explicit(explicit),
        (_, None, Some(_)) if is_moot => Ok(0),
        (_, None, Some(key)) => Ok(hash::hash_key(key)),
        (_, None, None) => Err(Error::constraint(None, "partitionKey", "not be null")),
    }
}
