//! Listing shards: filters and pages.

use crate::clock::Timestamp;
use crate::codec::Writer;
use crate::stream::change::Status;
use crate::stream::check;
use crate::stream::describe::{check_token_age, check_token_len, invalid_token};
use crate::stream::error::{Error, Result};
use crate::stream::limits::{PAGE_MAX, SHARDS_PER_LIST};
use crate::stream::sequence::SequenceNumber;
use crate::stream::shard::{Shard, ShardId};
use crate::stream::token::{self, Head, Kind};
use crate::stream::{Stream, Streams};
use std::ops::RangeInclusive;

/// What a shard is.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::{CreateStream, ListShards}};
/// let store = Store::in_memory();
/// let stream = store.streams().create("clicks", CreateStream::default().shard_count(2))?;
/// stream.merge_shards("shardId-000000000000", "shardId-000000000001")?;
/// let shards = stream.list_shards(&ListShards::default())?.shards;
/// assert!(shards[0].ending_sequence_number.is_some());
/// assert_eq!(shards[2].parent_shard_id, Some(shards[0].shard_id));
/// assert_eq!(shards[2].adjacent_parent_shard_id, Some(shards[1].shard_id));
/// assert_eq!(shards[2].hash_key_range, 0..=u128::MAX);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardDescription {
    /// Its id.
    pub shard_id: ShardId,
    /// The shard that was split, or the first of the two that were merged.
    pub parent_shard_id: Option<ShardId>,
    /// The second of the two that were merged.
    pub adjacent_parent_shard_id: Option<ShardId>,
    /// The hash keys whose records it takes.
    pub hash_key_range: RangeInclusive<u128>,
    /// All of its records are behind this number.
    pub starting_sequence_number: SequenceNumber,
    /// If it is closed: all of its records are before this number.
    pub ending_sequence_number: Option<SequenceNumber>,
}

impl ShardDescription {
    pub(crate) fn of(shard: &Shard) -> Self {
        let mut parents = shard.parents().iter().map(|parent| ShardId::new(*parent));
        Self {
            shard_id: shard.id(),
            parent_shard_id: parents.next(),
            adjacent_parent_shard_id: parents.next(),
            hash_key_range: shard.start()..=shard.end(),
            starting_sequence_number: shard.first_number(),
            ending_sequence_number: shard.last_number(),
        }
    }
}

/// Which shards to list.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::{CreateStream, ListShards, ShardFilter}};
/// let store = Store::in_memory();
/// let stream = store.streams().create("clicks", CreateStream::default().shard_count(1))?;
/// stream.split_shard("shardId-000000000000", 1000)?;
/// let open = ListShards::default().filter(ShardFilter::AtLatest);
/// assert_eq!(stream.list_shards(&open)?.shards.len(), 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardFilter<'a> {
    /// Those behind this one.
    AfterShardId(&'a str),
    /// Those that were open at the oldest moment that records are kept of.
    AtTrimHorizon,
    /// All whose records are kept. The default.
    FromTrimHorizon,
    /// Those that are open.
    AtLatest,
    /// Those that were open at this time.
    AtTimestamp(Timestamp),
    /// Those that were open at this time or later.
    FromTimestamp(Timestamp),
}

/// A request for shards of a stream.
///
/// ```
/// use fourfold::stream::ListShards;
/// let request = ListShards::default().max_results(10);
/// # drop(request);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a request does nothing until it is handed to `Stream::list_shards`"]
pub struct ListShards<'a> {
    filter: Option<ShardFilter<'a>>,
    max_results: Option<u32>,
    after: Option<&'a str>,
    created: Option<Timestamp>,
}

impl<'a> ListShards<'a> {
    /// Only these.
    pub fn filter(mut self, filter: ShardFilter<'a>) -> Self {
        self.filter = Some(filter);
        self
    }

    /// How many at most, from 1 to 10,000; never more than 1,000 come. Default: 1,000.
    pub fn max_results(mut self, count: u32) -> Self {
        self.max_results = Some(count);
        self
    }

    /// Only those behind this one.
    pub fn exclusive_start_shard_id(mut self, shard_id: &'a str) -> Self {
        self.after = Some(shard_id);
        self
    }

    /// Of the stream that was made then, in whole seconds, and not of another of its name.
    pub fn stream_creation_timestamp(mut self, created: Timestamp) -> Self {
        self.created = Some(created);
        self
    }
}

/// A page of shards.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::ListShards};
/// let store = Store::in_memory();
/// let streams = store.streams();
/// let stream = streams.create("clicks", Default::default())?;
/// let first = stream.list_shards(&ListShards::default().max_results(3))?;
/// let token = first.next_token.expect("there is one more");
/// assert_eq!(streams.list_more_shards(&token, None)?.shards.len(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardList {
    /// The shards, in the order of their ids.
    pub shards: Vec<ShardDescription>,
    /// Where to go on, if there are more. Honoured for five minutes.
    pub next_token: Option<String>,
}

/// A filter whose texts were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    After(u32),
    AtHorizon,
    FromHorizon,
    Open,
    At(Timestamp),
    From(Timestamp),
}

impl Filter {
    fn passes(self, shard: &Shard, horizon: Timestamp) -> bool {
        let was_open_at =
            |time: Timestamp| shard.opened() <= time && shard.closed().is_none_or(|at| at >= time);
        match self {
            Self::After(index) => shard.index > index,
            // A shard that is younger than the horizon of a young stream was open when the stream began.
            Self::AtHorizon => was_open_at(horizon),
            Self::FromHorizon => true,
            Self::Open => shard.closed().is_none(),
            Self::At(time) => was_open_at(time),
            Self::From(time) => shard.closed().is_none_or(|at| at >= time),
        }
    }

    /// Tag and operand, for tokens.
    fn encode(self, writer: &mut Writer) {
        let (tag, operand) = match self {
            Self::After(index) => (1, u64::from(index)),
            Self::AtHorizon => (2, 0),
            Self::FromHorizon => (3, 0),
            Self::Open => (4, 0),
            Self::At(time) => (5, time.as_millis()),
            Self::From(time) => (6, time.as_millis()),
        };
        writer.u8(tag);
        writer.u64(operand);
    }

    fn decode(tag: u8, operand: u64) -> Option<Self> {
        Some(match tag {
            1 => Self::After(u32::try_from(operand).ok()?),
            2 => Self::AtHorizon,
            3 => Self::FromHorizon,
            4 => Self::Open,
            5 => Self::At(Timestamp::from_millis(operand)),
            6 => Self::From(Timestamp::from_millis(operand)),
            _ => return None,
        })
    }
}

impl Stream {
    /// The stream's shards, a page at a time: closed ones too, until their records have expired.
    ///
    /// # Errors
    /// [`StreamNotFound`](Error::StreamNotFound), also for another time of creation;
    /// [`StreamNotActive`](Error::StreamNotActive) while it is being made; [`Validation`](Error::Validation) for a
    /// number out of bounds; [`InvalidArgument`](Error::InvalidArgument) for a time in the future.
    pub fn list_shards(&self, request: &ListShards<'_>) -> Result<ShardList> {
        self.store.call("ListShards", self.name(), || self.do_list_shards(request))
    }

    fn do_list_shards(&self, request: &ListShards<'_>) -> Result<ShardList> {
        let max =
            check::within(request.max_results.unwrap_or(SHARDS_PER_LIST), &(1..=PAGE_MAX), "maxResults")?;
        let after = request.after.map(|id| self.index_of(id)).transpose()?;
        let now = self.store.now();
        let filter = match request.filter.unwrap_or(ShardFilter::FromTrimHorizon) {
            ShardFilter::AfterShardId(id) => Filter::After(self.index_of(id)?),
            ShardFilter::AtTrimHorizon => Filter::AtHorizon,
            ShardFilter::FromTrimHorizon => Filter::FromHorizon,
            ShardFilter::AtLatest => Filter::Open,
            ShardFilter::AtTimestamp(time) => Filter::At(past(time, now)?),
            ShardFilter::FromTimestamp(time) => Filter::From(past(time, now)?),
        };
        if let Some(created) = request.created
            && created.as_secs() != self.present()?.record.created.as_secs()
        {
            return Err(self.state.not_found(&self.store));
        }
        self.shard_page(filter, after, max, now)
    }

    fn shard_page(&self, filter: Filter, after: Option<u32>, max: u32, now: Timestamp) -> Result<ShardList> {
        let inner = self.present()?;
        if inner.status() == Status::Creating {
            let (stream, account) = (self.state.name.clone(), self.store.account().to_owned());
            return Err(Error::StreamNotActive { stream, account, status: Status::Creating });
        }
        let horizon = inner.horizon(now);
        let mut behind = inner
            .visible(now)
            .filter(|shard| after.is_none_or(|after| shard.index > after) && filter.passes(shard, horizon));
        let count = max.min(SHARDS_PER_LIST) as usize;
        let mut last = 0;
        let describe = |shard: &std::sync::Arc<Shard>| {
            last = shard.index;
            ShardDescription::of(shard)
        };
        let shards: Vec<_> = behind.by_ref().take(count).map(describe).collect();
        let next_token = behind.next().is_some().then(|| {
            let head = Head { created: now, generation: self.state.generation };
            token::encode(Kind::Shards, head, |writer| {
                filter.encode(writer);
                writer.u32(last);
                writer.bytes(self.state.name.as_bytes());
            })
        });
        Ok(ShardList { shards, next_token })
    }
}

impl Streams {
    /// The shards behind an earlier page of [`Stream::list_shards`]. The token knows the stream and the filter.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for a token that is none;
    /// [`ExpiredNextToken`](Error::ExpiredNextToken) after five minutes; [`StreamNotFound`](Error::StreamNotFound).
    pub fn list_more_shards(&self, next_token: &str, max_results: Option<u32>) -> Result<ShardList> {
        self.store.call("ListShards", "", || self.do_list_more_shards(next_token, max_results))
    }

    fn do_list_more_shards(&self, next_token: &str, max_results: Option<u32>) -> Result<ShardList> {
        let max = check::within(max_results.unwrap_or(SHARDS_PER_LIST), &(1..=PAGE_MAX), "maxResults")?;
        check_token_len(next_token)?;
        let decoded = token::decode(Kind::Shards, next_token, |reader| {
            let (tag, operand) = (reader.u8("filter")?, reader.u64("filter")?);
            let last = reader.u32("shard")?;
            Ok((Filter::decode(tag, operand), last, token::text(reader, "stream")?.to_owned()))
        });
        let Some((head, (Some(filter), last, name))) = decoded else { return Err(invalid_token()) };
        let now = self.store.now();
        check_token_age(head.created, now)?;
        let stream = self.stream(&name)?;
        if stream.state.generation != head.generation {
            return Err(stream.state.not_found(&self.store));
        }
        stream.shard_page(filter, Some(last), max, now)
    }
}

fn past(time: Timestamp, now: Timestamp) -> Result<Timestamp> {
    if time <= now {
        return Ok(time);
    }
    Err(Error::invalid(format_args!(
        "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: {}, \
         currentTimestampInMillis: {}",
        time.as_millis(),
        now.as_millis()
    )))
}
