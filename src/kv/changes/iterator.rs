//! `GetShardIterator`.

use crate::clock::Timestamp;
use crate::kv::Tables;
use crate::kv::changes::describe::parse_sequence_number;
use crate::kv::changes::feed::Feed;
use crate::kv::error::{Error, Result};
use std::time::Duration;

/// How long an iterator can be used.
const ITERATOR_AGE: Duration = Duration::from_mins(15);
/// Hexadecimal digits of an iterator: shard, number, time.
const DIGITS: usize = 8 + 16 + 16;

/// Where in a shard to begin.
///
/// ```
/// use fourfold::kv::ShardPosition;
/// assert_ne!(ShardPosition::TrimHorizon, ShardPosition::Latest);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShardPosition {
    /// At the oldest record.
    TrimHorizon,
    /// Behind the newest record.
    Latest,
    /// At the record with this sequence number.
    AtSequenceNumber(String),
    /// Behind it.
    AfterSequenceNumber(String),
    /// At the first record that is not older.
    AtTimestamp(Timestamp),
}

/// A place in a shard, as its text says.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) shard: u32,
    pub(crate) number: u64,
    made: Timestamp,
}

impl Place {
    pub(crate) fn new(shard: u32, number: u64, made: Timestamp) -> Self {
        Self { shard, number, made }
    }

    pub(crate) fn text(&self, arn: &str) -> String {
        format!("{arn}|1|{:08x}{:016x}{:016x}", self.shard, self.number, self.made.as_millis())
    }

    /// The stream and the place.
    pub(crate) fn parse(text: &str) -> Option<(&str, Self)> {
        let (arn, digits) = text.rsplit_once("|1|")?;
        if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let shard = u32::from_str_radix(&digits[..8], 16).ok()?;
        let number = u64::from_str_radix(&digits[8..24], 16).ok()?;
        let made = Timestamp::from_millis(u64::from_str_radix(&digits[24..], 16).ok()?);
        Some((arn, Self { shard, number, made }))
    }

    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.made + ITERATOR_AGE
    }
}

impl Tables {
    /// A place to read a shard from, good for 15 minutes.
    ///
    /// # Errors
    /// `ResourceNotFoundException` for no such stream or shard, `TrimmedDataAccessException` for a sequence number that
    /// is too old, `ValidationException` for one that the shard never had.
    pub fn get_shard_iterator(&self, arn: &str, shard: &str, position: &ShardPosition) -> Result<String> {
        self.store.call("GetShardIterator", arn, || self.do_get_shard_iterator(arn, shard, position))
    }

    fn do_get_shard_iterator(&self, arn: &str, shard: &str, position: &ShardPosition) -> Result<String> {
        let store = &self.store;
        let feed = self.feed(arn)?;
        let tail = feed.tail.lock().clone();
        let found = tail.shard_by_id(shard).ok_or_else(|| Error::ResourceNotFound {
            message: format!("Requested resource not found: Shard: {shard} in Stream: {arn} not found")
                .into(),
        })?;
        let horizon = feed.horizon(store)?;
        let end = found.to.unwrap_or(tail.next);
        let number = match position {
            ShardPosition::TrimHorizon => horizon.max(found.from),
            ShardPosition::Latest => end,
            ShardPosition::AtTimestamp(at) => at_time(&feed, self, *at)?.clamp(found.from, end).max(horizon),
            ShardPosition::AtSequenceNumber(text) => within(text, found.from, end, horizon)?,
            ShardPosition::AfterSequenceNumber(text) => within(text, found.from, end, horizon)? + 1,
        };
        Ok(Place::new(found.number, number, store.now()).text(arn))
    }
}

fn at_time(feed: &Feed, tables: &Tables, at: Timestamp) -> Result<u64> {
    feed.number_at(&tables.store, at)
}

/// A sequence number of a shard.
fn within(text: &str, from: u64, end: u64, horizon: u64) -> Result<u64> {
    let number = parse_sequence_number(text).ok_or_else(|| {
        Error::validation(format!("Invalid SequenceNumber: {text} is not one of this shard"))
    })?;
    if number >= from && number < horizon {
        return Err(Error::TrimmedDataAccess);
    }
    if number < from || number >= end.max(from + 1) {
        return Err(Error::validation(format!(
            "Invalid SequenceNumber: {text} is not within the range of the shard"
        )));
    }
    Ok(number)
}
