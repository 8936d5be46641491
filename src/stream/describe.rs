//! What streams are: descriptions, lists, limits.

use crate::clock::Timestamp;
use crate::stream::change::Status;
use crate::stream::check;
use crate::stream::create::{on_demand_streams, open_shards};
use crate::stream::error::{Error, Result};
use crate::stream::limits::{ITERATOR_LIFE, NEXT_TOKEN_LEN_MAX, ON_DEMAND_STREAMS, PAGE, PAGE_MAX};
use crate::stream::list_shards::ShardDescription;
use crate::stream::meta::{Distribution, Mode};
use crate::stream::shard::ShardId;
use crate::stream::state::Inner;
use crate::stream::token::{self, Head, Kind};
use crate::stream::{Stream, Streams};
use std::ops::Bound;

/// What a stream is, in short.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::{Mode, Status}};
/// let store = Store::in_memory();
/// let summary = store.streams().create("clicks", Default::default())?.summary()?;
/// assert_eq!((summary.status, summary.mode), (Status::Active, Mode::OnDemand));
/// assert_eq!((summary.open_shard_count, summary.retention_hours), (4, 24));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamSummary {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// What it is doing.
    pub status: Status,
    /// How its capacity is set.
    pub mode: Mode,
    /// When it was made.
    pub created: Timestamp,
    /// Hours for which it keeps records.
    pub retention_hours: u32,
    /// Shards that take records; none while it is being made.
    pub open_shard_count: u32,
    /// Registered consumers.
    pub consumer_count: u32,
    /// KiB of a record at most.
    pub max_record_size_kib: u32,
    /// Which shard a record goes to. The service says so for streams on demand only.
    pub distribution: Distribution,
}

/// What a stream is, with a page of its shards.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// let store = fourfold::Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// let description = stream.describe(None, Some(3))?;
/// assert_eq!((description.shards.len(), description.has_more_shards), (3, true));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamDescription {
    /// All but the shards.
    pub summary: StreamSummary,
    /// Shards by their ids, closed ones too; none while the stream is being made.
    pub shards: Vec<ShardDescription>,
    /// There are more behind the last.
    pub has_more_shards: bool,
}

/// Which streams to list.
///
/// ```
/// use fourfold::stream::ListStreams;
/// let mut request = ListStreams::default();
/// request.limit = Some(10);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ListStreams<'a> {
    /// How many at most, from 1 to 10,000. Default: 100.
    pub limit: Option<u32>,
    /// Names behind this one.
    pub exclusive_start_stream_name: Option<&'a str>,
    /// Names behind an earlier page.
    pub next_token: Option<&'a str>,
}

/// A page of streams, by name.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::ListStreams};
/// let store = Store::in_memory();
/// let streams = store.streams();
/// for name in ["b", "a"] {
///     streams.create(name, Default::default())?;
/// }
/// let page = streams.list(&ListStreams::default())?;
/// assert_eq!(page.streams.iter().map(|stream| &*stream.name).collect::<Vec<_>>(), ["a", "b"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamList {
    /// The streams, in the order of their names.
    pub streams: Vec<StreamSummary>,
    /// Where to go on, if there are more. Honoured for five minutes.
    pub next_token: Option<String>,
}

impl StreamList {
    /// Are there more?
    pub fn has_more_streams(&self) -> bool {
        self.next_token.is_some()
    }
}

/// How much there is and may be.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// let store = fourfold::Store::in_memory();
/// let streams = store.streams();
/// streams.create("clicks", Default::default())?;
/// let limits = streams.limits()?;
/// assert_eq!((limits.open_shard_count, limits.on_demand_stream_count), (4, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Open shards that there may be.
    pub shard_limit: u64,
    /// Open shards that there are.
    pub open_shard_count: u64,
    /// Streams on demand.
    pub on_demand_stream_count: u64,
    /// Streams on demand that there may be.
    pub on_demand_stream_count_limit: u64,
}

impl Streams {
    /// The streams by name, a page at a time.
    ///
    /// # Errors
    /// [`Validation`](Error::Validation) for a limit that is not 1 to 10,000; [`InvalidArgument`](Error::InvalidArgument)
    /// for a token that is none; [`ExpiredNextToken`](Error::ExpiredNextToken).
    pub fn list(&self, request: &ListStreams<'_>) -> Result<StreamList> {
        self.store.call("ListStreams", "", || self.do_list(request))
    }

    fn do_list(&self, request: &ListStreams<'_>) -> Result<StreamList> {
        let limit = check::within(request.limit.unwrap_or(PAGE), &(1..=PAGE_MAX), "limit")?;
        let now = self.store.now();
        let start = match (request.next_token, request.exclusive_start_stream_name) {
            (Some(token), _) => {
                let (_, name) = page_token(Kind::Streams, token, now)?;
                Some(name)
            }
            (None, Some(name)) => {
                check::name(name, "exclusiveStartStreamName")?;
                Some(name.to_owned())
            }
            (None, None) => None,
        };
        self.registry.settle_all(&self.store)?;
        let directory = self.registry.directory(&self.store)?;
        let from = start.map_or(Bound::Unbounded, Bound::Excluded);
        let mut behind = directory.range((from, Bound::Unbounded));
        let describe = |(name, state): (&String, &std::sync::Arc<_>)| {
            let stream = Stream::new(self, std::sync::Arc::clone(state));
            let inner = state.inner.read();
            stream.summary_of(name, &inner)
        };
        let streams: Vec<_> = behind.by_ref().take(limit as usize).map(describe).collect();
        let next_token = match (behind.next(), streams.last()) {
            (Some(_), Some(last)) => Some(next_page(Kind::Streams, now, 0, &last.name)),
            _ => None,
        };
        Ok(StreamList { streams, next_token })
    }

    /// How many shards and streams there are and may be.
    pub fn limits(&self) -> Result<Limits> {
        self.store.call("DescribeLimits", "", || self.do_limits())
    }

    fn do_limits(&self) -> Result<Limits> {
        self.registry.settle_all(&self.store)?;
        let shard_limit = self.registry.dials.read().shard_limit;
        let directory = self.registry.directory(&self.store)?;
        Ok(Limits {
            shard_limit,
            open_shard_count: open_shards(&directory),
            on_demand_stream_count: on_demand_streams(&directory),
            on_demand_stream_count_limit: ON_DEMAND_STREAMS,
        })
    }
}

impl Stream {
    /// What the stream is, in short.
    ///
    /// # Errors
    /// [`StreamNotFound`](Error::StreamNotFound).
    pub fn summary(&self) -> Result<StreamSummary> {
        self.store.call("DescribeStreamSummary", self.name(), || self.do_summary())
    }

    fn do_summary(&self) -> Result<StreamSummary> {
        let inner = self.present()?;
        Ok(self.summary_of(&self.state.name, &inner))
    }

    /// What the stream is, with up to `limit` (1 to 10,000, by default 100) of the shards behind
    /// `exclusive_start_shard_id`.
    ///
    /// # Errors
    /// [`StreamNotFound`](Error::StreamNotFound); [`Validation`](Error::Validation) for a limit out of bounds.
    pub fn describe(
        &self,
        exclusive_start_shard_id: Option<&str>,
        limit: Option<u32>,
    ) -> Result<StreamDescription> {
        self.store.call("DescribeStream", self.name(), || self.do_describe(exclusive_start_shard_id, limit))
    }

    fn do_describe(
        &self,
        exclusive_start_shard_id: Option<&str>,
        limit: Option<u32>,
    ) -> Result<StreamDescription> {
        let limit = check::within(limit.unwrap_or(PAGE), &(1..=PAGE_MAX), "limit")?;
        let start = exclusive_start_shard_id.map(|id| self.index_of(id)).transpose()?;
        let now = self.store.now();
        let inner = self.present()?;
        let summary = self.summary_of(&self.state.name, &inner);
        let is_shown = summary.status != Status::Creating;
        let mut behind =
            inner.visible(now).filter(|shard| is_shown && start.is_none_or(|start| shard.index > start));
        let shards = behind.by_ref().take(limit as usize).map(|shard| ShardDescription::of(shard)).collect();
        let has_more_shards = behind.next().is_some();
        Ok(StreamDescription { summary, shards, has_more_shards })
    }

    pub(super) fn index_of(&self, shard_id: &str) -> Result<u32> {
        check::name(shard_id, "exclusiveStartShardId")?;
        ShardId::index_of(shard_id).ok_or_else(|| self.shard_not_found(shard_id))
    }

    fn summary_of(&self, name: &str, inner: &Inner) -> StreamSummary {
        let status = inner.status();
        let shards = if status == Status::Creating { 0 } else { inner.open.len() };
        StreamSummary {
            name: name.to_owned(),
            arn: self.arn(),
            status,
            mode: inner.record.mode,
            created: inner.record.created,
            retention_hours: inner.record.retention_hours,
            open_shard_count: u32::try_from(shards).unwrap_or(u32::MAX),
            consumer_count: u32::try_from(inner.consumers.len()).unwrap_or(u32::MAX),
            max_record_size_kib: inner.record.record_kib,
            distribution: inner.record.distribution,
        }
    }
}

/// A token for what stands behind `last` in a list.
pub(crate) fn next_page(kind: Kind, now: Timestamp, generation: u64, last: &str) -> String {
    token::encode(kind, Head { created: now, generation }, |writer| writer.bytes(last.as_bytes()))
}

/// Whose list a token goes on with, and behind what.
pub(crate) fn page_token(kind: Kind, text: &str, now: Timestamp) -> Result<(u64, String)> {
    check_token_len(text)?;
    let decoded = token::decode(kind, text, |reader| token::text(reader, "last").map(str::to_owned));
    let (head, last) = decoded.ok_or_else(invalid_token)?;
    check_token_age(head.created, now)?;
    Ok((head.generation, last))
}

pub(crate) fn check_token_len(text: &str) -> Result<()> {
    if text.is_empty() {
        let rule = "have length greater than or equal to 1";
        return Err(Error::constraint(Some(&text), "nextToken", rule));
    }
    if text.len() > NEXT_TOKEN_LEN_MAX {
        let rule = format!("have length less than or equal to {NEXT_TOKEN_LEN_MAX}");
        return Err(Error::constraint(None, "nextToken", rule));
    }
    Ok(())
}

pub(crate) fn check_token_age(created: Timestamp, now: Timestamp) -> Result<()> {
    if created > now {
        return Err(invalid_token());
    }
    if now - created > ITERATOR_LIFE {
        return Err(Error::ExpiredNextToken { created, now });
    }
    Ok(())
}

#[cold]
pub(crate) fn invalid_token() -> Error {
    Error::invalid("Invalid NextToken.")
}
