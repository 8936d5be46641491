//! Reading a page of records by an iterator.

use crate::clock::Timestamp;
use crate::stream::check;
use crate::stream::error::{Error, Result};
use crate::stream::iterator::Iterator;
use crate::stream::limits::{BYTES_PER_READ_MAX, ITERATOR_LIFE, RECORDS_PER_READ_MAX};
use crate::stream::reader::{self, Bounds, Reached};
use crate::stream::record::Record;
use crate::stream::shard::{Shard, ShardId};
use crate::stream::start::shard_gone;
use crate::stream::state::Inner;
use crate::stream::{Stream, Streams};
use std::ops::RangeInclusive;

/// A request for records.
///
/// ```
/// use fourfold::stream::GetRecords;
/// let request = GetRecords::new("AAAA").limit(100);
/// # drop(request);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a request does nothing until it is handed to `Streams::get_records`"]
pub struct GetRecords<'a> {
    iterator: &'a str,
    limit: u32,
    arn: Option<&'a str>,
}

impl<'a> GetRecords<'a> {
    /// Up to 10,000 records, and 10 MiB of them, from where `iterator` is.
    pub fn new(iterator: &'a str) -> Self {
        Self { iterator, limit: RECORDS_PER_READ_MAX, arn: None }
    }

    /// Up to so many records, 1 to 10,000.
    pub fn limit(mut self, records: u32) -> Self {
        self.limit = records;
        self
    }

    /// The ARN of the stream, which must be the iterator's.
    pub fn stream_arn(mut self, arn: &'a str) -> Self {
        self.arn = Some(arn);
        self
    }
}

/// A page of records.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::{GetRecords, Start}};
/// let store = Store::in_memory();
/// let streams = store.streams();
/// let stream = streams.create("clicks", Default::default())?;
/// let put = stream.put("user", "home")?;
/// let iterator = stream.shard_iterator(&put.shard_id, Start::TrimHorizon)?;
/// let page = streams.get_records(&GetRecords::new(&iterator))?;
/// assert_eq!((page.records.len(), page.millis_behind_latest), (1, 0));
/// let next = page.next_shard_iterator.expect("the shard is open");
/// assert!(streams.get_records(&GetRecords::new(&next))?.records.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GotRecords {
    /// The records, in order; there may be none although more will come.
    pub records: Vec<Record>,
    /// Where to go on; `None` at the end of a closed shard.
    pub next_shard_iterator: Option<String>,
    /// How far the page is behind the newest record, by the time of its last record; 0 when there is nothing behind it.
    pub millis_behind_latest: u64,
    /// At the end of a closed shard: the shards to read next.
    pub child_shards: Vec<ChildShard>,
}

/// A shard that was made from another. See [`GotRecords::child_shards`].
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::{CreateStream, GetRecords, Start}};
/// let store = Store::in_memory();
/// let streams = store.streams();
/// let stream = streams.create("clicks", CreateStream::default().shard_count(1))?;
/// stream.split_shard("shardId-000000000000", 1000)?;
/// let iterator = stream.shard_iterator("shardId-000000000000", Start::Latest)?;
/// let end = streams.get_records(&GetRecords::new(&iterator))?;
/// assert_eq!(&*end.child_shards[0].shard_id, "shardId-000000000001");
/// assert_eq!(end.child_shards[0].hash_key_range, 0..=999);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildShard {
    /// The shard.
    pub shard_id: ShardId,
    /// The shards that it was made from.
    pub parent_shards: Vec<ShardId>,
    /// The hash keys whose records it takes.
    pub hash_key_range: RangeInclusive<u128>,
}

impl Streams {
    /// The records from where an iterator is.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for a text that is no iterator, or of another stream than the request
    /// says; [`ExpiredIterator`](Error::ExpiredIterator) after five minutes; [`ShardGone`](Error::ShardGone) if its
    /// stream was deleted, or its shard has expired; [`ThroughputExceeded`](Error::ThroughputExceeded) if that was
    /// [asked for](super::Dials::throttle).
    pub fn get_records(&self, request: &GetRecords<'_>) -> Result<GotRecords> {
        self.store.call("GetRecords", "", || self.do_get_records(request))
    }

    fn do_get_records(&self, request: &GetRecords<'_>) -> Result<GotRecords> {
        check::within(request.limit, &(1..=RECORDS_PER_READ_MAX), "limit")?;
        let iterator = Iterator::from_caller(request.iterator)?;
        let now = self.store.now();
        if iterator.created > now {
            return Err(Error::invalid("Invalid ShardIterator."));
        }
        if now - iterator.created > ITERATOR_LIFE {
            return Err(Error::ExpiredIterator { created: iterator.created, now });
        }
        if let Some(arn) = request.arn
            && self.store.arn("kinesis", &format!("stream/{}", iterator.stream)) != arn
        {
            return Err(Error::invalid(format_args!(
                "The ShardIterator is of stream {}, while it was used in a call with {arn}",
                iterator.stream
            )));
        }
        let gone = || shard_gone(&self.store, &iterator.stream, iterator.shard);
        let state = self.registry.find(&self.store, &iterator.stream)?;
        let state = state.filter(|state| state.generation == iterator.generation).ok_or_else(gone)?;
        Stream::new(self, state).page(iterator.shard, iterator.place, request.limit, now)
    }
}

impl Stream {
    fn page(&self, shard: u32, place: u64, limit: u32, now: Timestamp) -> Result<GotRecords> {
        let inner = self.usable(now).map_err(|_| self.shard_gone(shard))?;
        let shard = inner.shard(shard, now).ok_or_else(|| self.shard_gone(shard))?;
        let throttles = self.registry.active_dials().is_some_and(|dials| dials.throttle);
        if throttles && !shard.tail(&self.store)?.throttle.read(now) {
            return Err(self.throughput_exceeded(shard.id()));
        }
        let bounds = Bounds { records: limit as usize, bytes: BYTES_PER_READ_MAX };
        let mut records = Vec::new();
        let reached = reader::read(&self.store, shard, place, inner.horizon(now), bounds, &mut records)?;
        if throttles {
            let full =
                if reached.is_at_tip { reached.bytes } else { reached.bytes.max(full_size(&records, limit)) };
            shard.tail(&self.store)?.throttle.has_read(now, full);
        }
        let is_end = reached.is_at_tip && shard.closed().is_some();
        let next = (!is_end).then(|| self.iterator_at(shard.index, reached.place, now).encode());
        Ok(GotRecords {
            millis_behind_latest: behind(&records, reached, now),
            records,
            next_shard_iterator: next,
            child_shards: if is_end { child_shards(&inner, shard) } else { Vec::new() },
        })
    }
}

/// A page that ended before its number of records was reached was as large as can be.
fn full_size(records: &[Record], limit: u32) -> usize {
    if records.len() < limit as usize { BYTES_PER_READ_MAX } else { 0 }
}

/// How far a page is behind the tip, in milliseconds.
pub(crate) fn behind(records: &[Record], reached: Reached, now: Timestamp) -> u64 {
    if reached.is_at_tip {
        return 0;
    }
    // Not 0, which says that there is nothing more.
    let last = records.last().map_or(now, Record::arrival);
    now.as_millis().saturating_sub(last.as_millis()).max(1)
}

/// The shards that come after a closed one.
pub(crate) fn child_shards(inner: &Inner, shard: &Shard) -> Vec<ChildShard> {
    let children = inner.children(shard);
    let describe = |child: &std::sync::Arc<Shard>| ChildShard {
        shard_id: child.id(),
        parent_shards: child.parents().iter().map(|parent| ShardId::new(*parent)).collect(),
        hash_key_range: child.start()..=child.end(),
    };
    children.map(describe).collect()
}
