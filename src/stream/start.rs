//! Where a reader begins.

use crate::clock::Timestamp;
use crate::store::Store;
use crate::stream::Stream;
use crate::stream::error::{Error, Result};
use crate::stream::reader;
use crate::stream::sequence::{self, Parsed, SequenceNumber};
use crate::stream::shard::{Shard, ShardId};
use crate::stream::state::Inner;
use std::sync::Arc;

/// Where in a shard to begin reading.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::Start};
/// let store = Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// let put = stream.put("user", "a")?;
/// let mut after = stream.cursor(&put.shard_id, Start::AfterSequenceNumber(put.sequence_number))?;
/// assert_eq!(after.try_next()?, None);
/// let mut at = stream.cursor(&put.shard_id, Start::AtSequenceNumber(put.sequence_number))?;
/// assert_eq!(at.try_next()?.expect("it is there").data(), b"a");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The oldest record there is.
    TrimHorizon,
    /// Behind the newest record there is.
    Latest,
    /// The first record that came at this time or later; it may not lie in the future.
    AtTimestamp(Timestamp),
    /// The record with this number, or the first behind it.
    AtSequenceNumber(SequenceNumber),
    /// The first record behind this number.
    AfterSequenceNumber(SequenceNumber),
}

impl Stream {
    /// The shard that a reader names.
    pub(crate) fn shard_to_read<'a>(
        &self,
        inner: &'a Inner,
        shard_id: &str,
        now: Timestamp,
    ) -> Result<&'a Arc<Shard>> {
        let index = ShardId::index_of(shard_id).ok_or_else(|| self.shard_not_found(shard_id))?;
        inner.shard(index, now).ok_or_else(|| self.shard_gone(index))
    }

    /// The text is not the id of a shard.
    #[cold]
    pub(crate) fn shard_not_found(&self, shard_id: &str) -> Error {
        Error::ShardNotFound {
            shard: shard_id.to_owned(),
            stream: self.state.name.clone(),
            account: self.store.account().to_owned(),
        }
    }

    #[cold]
    pub(crate) fn shard_gone(&self, index: u32) -> Error {
        shard_gone(&self.store, &self.state.name, index)
    }

    /// The place in `shard` that `start` means now.
    pub(crate) fn place_of(&self, inner: &Inner, shard: &Shard, start: Start, now: Timestamp) -> Result<u64> {
        let store = &self.store;
        match start {
            Start::TrimHorizon => reader::seek(store, shard, inner.horizon(now)),
            Start::Latest if shard.closed().is_some() => Ok(sequence::END),
            Start::Latest => shard.next(store),
            Start::AtTimestamp(time) if time > now => Err(Error::invalid(format_args!(
                "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. \
                 timestampInMillis: {}, currentTimestampInMillis: {}",
                time.as_millis(),
                now.as_millis()
            ))),
            Start::AtTimestamp(time) => reader::seek(store, shard, time.max(inner.horizon(now))),
            Start::AtSequenceNumber(number) => {
                self.check_number(shard, Parsed::Current(number), &number)?;
                Ok(number.place())
            }
            Start::AfterSequenceNumber(number) => {
                self.check_number(shard, Parsed::Current(number), &number)?;
                Ok(number.place().saturating_add(1))
            }
        }
    }

    /// Is it a number that `shard` gives out?
    pub(crate) fn check_number(
        &self,
        shard: &Shard,
        parsed: Parsed,
        text: &dyn std::fmt::Display,
    ) -> Result<()> {
        let (index, created) = match parsed {
            Parsed::Current(number) => (number.shard(), Some(number.created())),
            Parsed::Old { shard, .. } => (shard, None),
        };
        if index != shard.index {
            // The service has indexes with a sign, and shows it.
            return Err(Error::invalid(format_args!(
                "Invalid StartingSequenceNumber. It encodes shardId-{:012}, while it was used in a call to a shard with {}",
                index.cast_signed(),
                shard.id()
            )));
        }
        if created != Some(shard.second()) {
            return Err(self.invalid_number(shard, text, " because it did not come from this stream"));
        }
        Ok(())
    }

    #[cold]
    pub(crate) fn invalid_number(&self, shard: &Shard, text: &dyn std::fmt::Display, why: &str) -> Error {
        Error::invalid(format_args!(
            "StartingSequenceNumber {text} used in GetShardIterator on shard {} in stream {} under account {} is \
             invalid{why}.",
            shard.id(),
            self.state.name,
            self.store.account()
        ))
    }
}

#[cold]
pub(crate) fn shard_gone(store: &Store, stream: &str, index: u32) -> Error {
    Error::ShardGone {
        shard: ShardId::new(index).to_string(),
        stream: stream.to_owned(),
        account: store.account().to_owned(),
    }
}
