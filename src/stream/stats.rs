//! What a stream holds, counted, and how far those behind it are who are subscribed.
//!
//! T1. A record is counted once, in the minute in which it came: a [`Tally`] knows how far it has seen. Minutes that have
//!     expired are dropped; of the one that the horizon lies in, what is left is counted again.

use crate::clock::Timestamp;
use crate::store::Store;
use crate::stream::consumer::Consumer;
use crate::stream::error::Result;
use crate::stream::limits::SUBSCRIPTION_LIFE;
use crate::stream::record::HEAD_LEN;
use crate::stream::shard::{Shard, ShardId};
use crate::stream::{Stream, Streams, keys, reader};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

const MINUTE_MILLIS: u64 = 60_000;

/// What a stream holds at a moment. All counts are exact: records that have expired are not in them.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::CreateStream};
/// let store = Store::in_memory();
/// let stream = store.streams().create("clicks", CreateStream::default().shard_count(2))?;
/// stream.put("user-7", "home")?;
/// let stats = stream.stats()?;
/// assert_eq!((stats.open_shards, stats.closed_shards, stats.records, stats.bytes), (2, 0, 1, 10));
/// assert!(stats.oldest.is_some() && stats.consumers.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamStats {
    /// Shards that take records.
    pub open_shards: usize,
    /// Shards that were split or merged, and whose records have not all expired.
    pub closed_shards: usize,
    /// Records that can be read.
    pub records: u64,
    /// Bytes of their partition keys and data.
    pub bytes: u64,
    /// How long ago the oldest of them came, if there is one.
    pub oldest: Option<Duration>,
    /// The same by shard, in the order of their ids.
    pub shards: Vec<ShardStats>,
    /// Registered consumers, in the order of their names.
    pub consumers: Vec<ConsumerStats>,
}

/// What a shard holds at a moment.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// let put = stream.put("user-7", "home")?;
/// let shards = stream.stats()?.shards;
/// let shard = shards.iter().find(|shard| shard.shard_id == put.shard_id).expect("it is there");
/// assert_eq!((shard.is_open, shard.records), (true, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardStats {
    /// Its id.
    pub shard_id: ShardId,
    /// Does it take records?
    pub is_open: bool,
    /// Records that can be read.
    pub records: u64,
    /// Bytes of their partition keys and data.
    pub bytes: u64,
    /// How long ago the oldest of them came, if there is one.
    pub oldest: Option<Duration>,
}

/// A consumer and where its subscriptions are.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{ManualClock, Store, stream::{Start, Tags}};
/// use std::time::Duration;
/// let clock = ManualClock::default();
/// let store = Store::builder().clock(clock.clone()).open_in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// let app = stream.register_consumer("app", &Tags::new())?;
/// let put = stream.put("user-7", "home")?;
/// let mut subscription = store.streams().subscribe(&app.arn, &put.shard_id, Start::TrimHorizon)?;
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(stream.stats()?.consumers[0].subscriptions[0].lag, Duration::from_secs(2));
/// subscription.next().expect("it was put")?;
/// assert_eq!(stream.stats()?.consumers[0].subscriptions[0].lag, Duration::ZERO);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerStats {
    /// Its name.
    pub name: String,
    /// Its newest subscription to each shard, in the order of the shards' ids, while that is not over by its time: five
    /// minutes. One that was dropped before is still here.
    pub subscriptions: Vec<SubscriptionStats>,
}

/// A subscription of a consumer to a shard.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{ManualClock, Store, stream::{Start, Tags}};
/// let clock = ManualClock::default();
/// let store = Store::builder().clock(clock.clone()).open_in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// let app = stream.register_consumer("app", &Tags::new())?;
/// let shard = stream.put("user-7", "home")?.shard_id;
/// let _subscription = store.streams().subscribe(&app.arn, &shard, Start::Latest)?;
/// let stats = stream.stats()?.consumers[0].subscriptions[0].clone();
/// assert_eq!((stats.shard_id, stats.since, stats.lag.as_secs()), (shard, store.now(), 0));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionStats {
    /// The shard.
    pub shard_id: ShardId,
    /// When it began.
    pub since: Timestamp,
    /// How long ago the first record came that it was not given yet: the service's `IteratorAgeMilliseconds`. Zero if it
    /// was given all there are.
    pub lag: Duration,
}

/// Records and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    records: u64,
    bytes: u64,
}

impl Sum {
    /// Adds an entry of a shard's keyspace: a record or a further part of one.
    fn add(&mut self, key: &[u8], value_len: usize) {
        let is_part = keys::is_part(key);
        self.records += u64::from(!is_part);
        self.bytes += (if is_part { value_len } else { value_len.saturating_sub(HEAD_LEN) }) as u64;
    }
}

/// The records of a shard by the minutes in which they came (T1).
#[derive(Debug, Default)]
pub(crate) struct Tally {
    minutes: VecDeque<Minute>,
    /// Places from here on were not seen.
    next: u64,
}

#[derive(Debug)]
struct Minute {
    /// Since 1970.
    number: u64,
    /// The place of its first record.
    first: u64,
    sum: Sum,
}

impl Tally {
    fn count(&mut self, store: &Store, shard: &Shard, horizon: Timestamp) -> Result<Sum> {
        self.see(store, shard)?;
        let expired = horizon.as_millis() / MINUTE_MILLIS;
        while self.minutes.front().is_some_and(|minute| minute.number < expired) {
            self.minutes.pop_front();
        }
        let end = self.minutes.get(1).map_or(self.next, |minute| minute.first);
        if let Some(front) = self.minutes.front_mut().filter(|minute| minute.number == expired) {
            front.first = reader::seek(store, shard, horizon)?;
            front.sum = Sum::default();
            walk(store, shard, front.first, end, |_, key, len| front.sum.add(key, len))?;
        }
        Ok(self.minutes.iter().fold(Sum::default(), |sum, minute| Sum {
            records: sum.records + minute.sum.records,
            bytes: sum.bytes + minute.sum.bytes,
        }))
    }

    /// Counts what came since the last time.
    fn see(&mut self, store: &Store, shard: &Shard) -> Result<()> {
        let next = shard.next(store)?;
        let minutes = &mut self.minutes;
        let seen = walk(store, shard, self.next, next, |(place, arrival), key, len| {
            let number = arrival.as_millis() / MINUTE_MILLIS;
            if minutes.back().is_none_or(|minute| minute.number < number) {
                minutes.push_back(Minute { number, first: place, sum: Sum::default() });
            }
            if let Some(minute) = minutes.back_mut() {
                minute.sum.add(key, len);
            }
        });
        if seen.is_err() {
            // Half of it is counted: all anew next time.
            *self = Self::default();
            return seen;
        }
        self.next = next.max(self.next);
        Ok(())
    }
}

/// Goes through the entries of a shard from a place on and before another: place and time, key, and length of the value.
fn walk(
    store: &Store,
    shard: &Shard,
    from: u64,
    to: u64,
    mut see: impl FnMut((u64, Timestamp), &[u8], usize),
) -> Result<()> {
    if from >= to {
        return Ok(());
    }
    let mut range = shard.space.range(store, &keys::place(from)[..]..&keys::place(to)[..]);
    while range.advance()? {
        let at = keys::record_of(range.key()).ok_or_else(|| reader::misplaced(shard.id(), range.key()))?;
        let len = match range.value_ref() {
            Some(value) => value.len(),
            None => range.value()?.len(),
        };
        see(at, range.key(), len);
    }
    Ok(())
}

impl Stream {
    /// What the stream holds now.
    ///
    /// It costs a step for each record that came since this was asked last (all that are kept, when it is asked first
    /// after the store was opened; some 50 ns each), and for those of the minute that is expiring.
    ///
    /// # Errors
    /// [`StreamNotFound`](crate::stream::Error::StreamNotFound).
    pub fn stats(&self) -> Result<StreamStats> {
        let (store, now) = (&self.store, self.store.now());
        let (horizon, shards, consumers) = {
            let inner = self.present()?;
            let shards: Vec<Arc<Shard>> = inner.visible(now).cloned().collect();
            let consumers: Vec<Arc<Consumer>> = inner.consumers.values().cloned().collect();
            (inner.horizon(now), shards, consumers)
        };
        let mut stats = StreamStats::default();
        for shard in &shards {
            let shard = shard_stats(store, shard, horizon, now)?;
            stats.open_shards += usize::from(shard.is_open);
            stats.closed_shards += usize::from(!shard.is_open);
            stats.records += shard.records;
            stats.bytes += shard.bytes;
            stats.oldest = stats.oldest.max(shard.oldest);
            stats.shards.push(shard);
        }
        for consumer in &consumers {
            stats.consumers.push(consumer_stats(store, consumer, &shards, horizon, now)?);
        }
        Ok(stats)
    }
}

impl Streams {
    /// How many there are.
    pub(crate) fn how_many(&self) -> Result<usize> {
        Ok(self.registry.directory(&self.store)?.len())
    }
}

fn shard_stats(store: &Store, shard: &Shard, horizon: Timestamp, now: Timestamp) -> Result<ShardStats> {
    let sum = shard.tally.lock().count(store, shard, horizon)?;
    let oldest = oldest_from(store, shard, 0, horizon)?;
    Ok(ShardStats {
        shard_id: shard.id(),
        is_open: shard.closed().is_none(),
        records: sum.records,
        bytes: sum.bytes,
        oldest: oldest.map(|at| now - at),
    })
}

/// When the first record came that stands at `place` or behind and has not expired.
fn oldest_from(store: &Store, shard: &Shard, place: u64, horizon: Timestamp) -> Result<Option<Timestamp>> {
    let from = place.max(reader::seek(store, shard, horizon)?);
    reader::arrival_from(store, shard, from)
}

fn consumer_stats(
    store: &Store,
    consumer: &Consumer,
    shards: &[Arc<Shard>],
    horizon: Timestamp,
    now: Timestamp,
) -> Result<ConsumerStats> {
    let subscribed: Vec<_> = {
        let subscriptions = consumer.subscriptions.lock();
        let current = subscriptions.by_shard.iter().filter(|(_, one)| now < one.since + SUBSCRIPTION_LIFE);
        current.map(|(index, one)| (*index, one.since, one.place)).collect()
    };
    let mut subscriptions = Vec::with_capacity(subscribed.len());
    for (index, since, place) in subscribed {
        // A shard that is not here has expired: nothing of it is left to be given.
        let Some(shard) = shards.iter().find(|shard| shard.index == index) else { continue };
        let oldest = oldest_from(store, shard, place, horizon)?;
        let lag = oldest.map_or(Duration::ZERO, |at| now - at);
        subscriptions.push(SubscriptionStats { shard_id: shard.id(), since, lag });
    }
    Ok(ConsumerStats { name: consumer.name().to_owned(), subscriptions })
}
