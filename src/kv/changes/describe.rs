//! `ListStreams`, `DescribeStream`.

use crate::clock::Timestamp;
use crate::kv::Tables;
use crate::kv::changes::feed::{Feed, Shard};
use crate::kv::error::{Error, Result};
use crate::kv::names::named;
use crate::kv::schema::{KeyElement, StreamViewType};
use crate::kv::tables::describe::table_arn;
use crate::kv::tables::validate::{check_name, constraint};
use crate::store::Store;
use std::sync::Arc;

/// Streams, or shards, in a page, at most, and by default.
pub const STREAM_PAGE_MAX: usize = 100;

named! {
    /// Where a stream stands.
    ///
    /// ```
    /// # use fourfold::kv::StreamStatus;
    /// assert_eq!(StreamStatus::Enabled.name(), "ENABLED");
    /// ```
    pub enum StreamStatus {
        /// It takes records.
        Enabled = "ENABLED",
        /// It takes no more; what it has can be read.
        Disabled = "DISABLED",
    }
}

/// A stream, in a list.
///
/// ```
/// # use fourfold::kv::{CreateTable, ListStreams, ScalarType, StreamViewType};
/// # let store = fourfold::Store::in_memory();
/// # let table = CreateTable::new("users").hash("id", ScalarType::S).stream(StreamViewType::KeysOnly);
/// store.tables().create_table(table)?;
/// let streams = store.tables().list_streams(&ListStreams::default())?.streams;
/// assert!(streams[0].arn.contains("table/users/stream/"));
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamSummary {
    /// `<ARN of the table>/stream/<label>`.
    pub arn: String,
    /// The table whose changes it has.
    pub table_name: String,
    /// When it was made, as text.
    pub label: String,
}

/// Which streams to list.
///
/// ```
/// let of_users = fourfold::kv::ListStreams { table_name: Some("users".into()), ..Default::default() };
/// assert_eq!(of_users.limit, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListStreams {
    /// Of this table alone.
    pub table_name: Option<String>,
    /// 1 to 100; by default 100.
    pub limit: Option<usize>,
    /// Behind this one.
    pub exclusive_start: Option<String>,
}

/// A page of streams.
///
/// ```
/// # let store = fourfold::Store::in_memory();
/// let page = store.tables().list_streams(&Default::default())?;
/// assert!(page.streams.is_empty() && page.last_evaluated.is_none());
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamPage {
    /// In the order of tables and labels.
    pub streams: Vec<StreamSummary>,
    /// Behind which the next page begins, if there is one.
    pub last_evaluated: Option<String>,
}

/// Which stream to describe, and which of its shards.
///
/// ```
/// let all = fourfold::kv::DescribeStream::new("arn:aws:dynamodb:...");
/// assert_eq!(all.limit, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribeStream {
    /// The stream.
    pub arn: String,
    /// Shards, 1 to 100; by default 100.
    pub limit: Option<usize>,
    /// Shards behind this one.
    pub exclusive_start_shard: Option<String>,
    /// Only the children of this shard.
    pub children_of: Option<String>,
}

impl DescribeStream {
    /// All of it.
    pub fn new(arn: impl Into<String>) -> Self {
        Self { arn: arn.into(), ..Self::default() }
    }
}

/// A stream and a page of its shards.
///
/// ```
/// # use fourfold::kv::{CreateTable, DescribeStream, ScalarType, StreamStatus, StreamViewType};
/// # let store = fourfold::Store::in_memory();
/// # let table = CreateTable::new("users").hash("id", ScalarType::S).stream(StreamViewType::KeysOnly);
/// let users = store.tables().create_table(table)?;
/// let arn = users.latest_stream_arn.expect("the stream was asked for");
/// let stream = store.tables().describe_stream(&DescribeStream::new(arn))?;
/// assert_eq!((stream.status, stream.shards.len()), (StreamStatus::Enabled, 1));
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamDescription {
    /// `<ARN of the table>/stream/<label>`.
    pub arn: String,
    /// When it was made, as text.
    pub label: String,
    /// Where it stands.
    pub status: StreamStatus,
    /// What its records show.
    pub view_type: StreamViewType,
    /// When it was made.
    pub created: Timestamp,
    /// The table whose changes it has.
    pub table_name: String,
    /// The keys of the table.
    pub key_schema: Vec<KeyElement>,
    /// In the order of their ids.
    pub shards: Vec<ShardDescription>,
    /// Behind which the next page begins, if there is one.
    pub last_evaluated_shard: Option<String>,
}

/// A shard of a stream: a share of its table's partitions for some hours.
///
/// ```
/// # fn show(shard: &fourfold::kv::ShardDescription) {
/// println!("{} from {}", shard.id, shard.first_sequence_number);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardDescription {
    /// 28 to 65 characters.
    pub id: String,
    /// The shard that had this share before.
    pub parent: Option<String>,
    /// The number of its first record, or what that will be.
    pub first_sequence_number: String,
    /// The number of its last record, if none can follow.
    pub last_sequence_number: Option<String>,
}

impl Tables {
    /// The streams of all tables, or of one, running or over.
    ///
    /// # Errors
    /// `ValidationException` for a limit out of range.
    pub fn list_streams(&self, request: &ListStreams) -> Result<StreamPage> {
        self.store.call("ListStreams", "", || self.do_list_streams(request))
    }

    fn do_list_streams(&self, request: &ListStreams) -> Result<StreamPage> {
        let limit = check_limit(request.limit)?;
        if let Some(name) = &request.table_name {
            check_name(name, "tableName")?;
        }
        self.state.load(&self.store)?;
        let mut streams: Vec<StreamSummary> = self
            .state
            .feeds
            .all()
            .into_iter()
            .filter(|feed| request.table_name.as_ref().is_none_or(|name| *name == feed.table))
            .map(|feed| StreamSummary {
                arn: feed.arn(&self.store),
                table_name: feed.table.clone(),
                label: feed.label.clone(),
            })
            .collect();
        if let Some(start) = &request.exclusive_start {
            let start = parse_arn(start)?;
            streams.retain(|stream| (&*stream.table_name, &*stream.label) > start);
        }
        let last_evaluated = (streams.len() > limit).then(|| streams[limit - 1].arn.clone());
        streams.truncate(limit);
        Ok(StreamPage { streams, last_evaluated })
    }

    /// What a stream is.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such stream, `ValidationException` for a limit or an ARN that cannot
    /// be.
    pub fn describe_stream(&self, request: &DescribeStream) -> Result<StreamDescription> {
        self.store.call("DescribeStream", &request.arn, || self.do_describe_stream(request))
    }

    fn do_describe_stream(&self, request: &DescribeStream) -> Result<StreamDescription> {
        let limit = check_limit(request.limit)?;
        let feed = self.feed(&request.arn)?;
        let tail = feed.tail.lock().clone();
        let mut shards: Vec<ShardDescription> = tail
            .shards
            .iter()
            .filter(|shard| match &request.children_of {
                Some(parent) => tail.parent_id(shard).as_ref() == Some(parent),
                None => true,
            })
            .map(|shard| ShardDescription {
                id: shard.id(),
                parent: tail.parent_id(shard),
                first_sequence_number: sequence_number(shard.from),
                last_sequence_number: shard
                    .to
                    .map(|to| sequence_number(to.saturating_sub(1).max(shard.from))),
            })
            .collect();
        shards.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(start) = &request.exclusive_start_shard {
            shards.retain(|shard| shard.id > *start);
        }
        let last_evaluated_shard = (shards.len() > limit).then(|| shards[limit - 1].id.clone());
        shards.truncate(limit);
        Ok(StreamDescription {
            arn: feed.arn(&self.store),
            label: feed.label.clone(),
            status: if tail.ended.is_some() { StreamStatus::Disabled } else { StreamStatus::Enabled },
            view_type: feed.view,
            created: feed.created,
            table_name: feed.table.clone(),
            key_schema: feed.keys.clone(),
            shards,
            last_evaluated_shard,
        })
    }

    /// The stream with this ARN.
    pub(crate) fn feed(&self, arn: &str) -> Result<Arc<Feed>> {
        let (table, label) = parse_arn(arn)?;
        self.state.load(&self.store)?;
        self.state.feeds.find(table, label).ok_or_else(|| Error::ResourceNotFound {
            message: format!("Requested resource not found: Stream: {arn} not found").into(),
        })
    }
}

fn check_limit(limit: Option<usize>) -> Result<usize> {
    let limit = limit.unwrap_or(STREAM_PAGE_MAX);
    if limit < 1 {
        return constraint("0", "limit", "Member must have value greater than or equal to 1");
    }
    Ok(limit.min(STREAM_PAGE_MAX))
}

/// The table and the label of a stream.
fn parse_arn(arn: &str) -> Result<(&str, &str)> {
    let parts = arn.split_once(":table/").and_then(|(_, rest)| rest.split_once("/stream/"));
    parts
        .filter(|_| arn.starts_with("arn:"))
        .ok_or_else(|| Error::validation(format!("Invalid StreamArn: {arn}")))
}

impl Feed {
    pub(crate) fn arn(&self, store: &Store) -> String {
        format!("{}/stream/{}", table_arn(store, &self.table), self.label)
    }
}

impl Shard {
    /// Sorts by age.
    pub(crate) fn id(&self) -> String {
        format!("shardId-{:020}-{:08x}", self.opened.as_millis(), self.number)
    }
}

impl crate::kv::changes::feed::Tail {
    /// The id of a shard's parent, if that is still known.
    fn parent_id(&self, shard: &Shard) -> Option<String> {
        self.shard(shard.parent?).map(Shard::id)
    }

    pub(crate) fn shard_by_id(&self, id: &str) -> Option<&Shard> {
        self.shards.iter().find(|shard| shard.id() == id)
    }
}

/// A number as the service writes it: at least 21 digits.
pub(crate) fn sequence_number(number: u64) -> String {
    format!("1{number:020}")
}

/// The number that a text of the service says.
pub(crate) fn parse_sequence_number(text: &str) -> Option<u64> {
    let digits = text.trim_start_matches('0').strip_prefix('1')?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}
