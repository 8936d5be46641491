//! Shard iterators: the service's way to say where to read.

use crate::clock::Timestamp;
use crate::stream::Stream;
use crate::stream::error::{Error, Result};
use crate::stream::limits::ITERATOR_LEN_MAX;
use crate::stream::sequence::Parsed;
use crate::stream::shard::Shard;
use crate::stream::start::Start;
use crate::stream::token::{self, Head, Kind};
use std::fmt;

/// The service's five kinds of iterators. See [`Start`] for what they mean.
///
/// ```
/// use fourfold::stream::IteratorKind;
/// assert_eq!(IteratorKind::TrimHorizon.to_string(), "TRIM_HORIZON");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IteratorKind {
    /// `AT_SEQUENCE_NUMBER`
    AtSequenceNumber,
    /// `AFTER_SEQUENCE_NUMBER`
    AfterSequenceNumber,
    /// `TRIM_HORIZON`
    TrimHorizon,
    /// `LATEST`
    Latest,
    /// `AT_TIMESTAMP`
    AtTimestamp,
}

impl fmt::Display for IteratorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtSequenceNumber => "AT_SEQUENCE_NUMBER",
            Self::AfterSequenceNumber => "AFTER_SEQUENCE_NUMBER",
            Self::TrimHorizon => "TRIM_HORIZON",
            Self::Latest => "LATEST",
            Self::AtTimestamp => "AT_TIMESTAMP",
        })
    }
}

/// A request for an iterator as the service takes it, in which things may be missing or not fit together. In Rust,
/// [`Stream::shard_iterator`] takes a [`Start`].
///
/// ```
/// use fourfold::stream::{GetShardIterator, IteratorKind};
/// let mut request = GetShardIterator::new("shardId-000000000000", IteratorKind::AfterSequenceNumber);
/// request.starting_sequence_number = Some("49590338271490256608559692538361571095921575989136588898");
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GetShardIterator<'a> {
    /// The shard's id.
    pub shard_id: &'a str,
    /// The kind.
    pub kind: IteratorKind,
    /// For the two kinds that need it.
    pub starting_sequence_number: Option<&'a str>,
    /// For `AT_TIMESTAMP`.
    pub timestamp: Option<Timestamp>,
}

impl<'a> GetShardIterator<'a> {
    /// A request without number and time.
    pub fn new(shard_id: &'a str, kind: IteratorKind) -> Self {
        Self { shard_id, kind, starting_sequence_number: None, timestamp: None }
    }
}

/// Where an iterator is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Iterator {
    pub(crate) created: Timestamp,
    pub(crate) generation: u64,
    pub(crate) stream: String,
    pub(crate) shard: u32,
    pub(crate) place: u64,
}

impl Iterator {
    pub(crate) fn encode(&self) -> String {
        let head = Head { created: self.created, generation: self.generation };
        token::encode(Kind::Iterator, head, |writer| {
            writer.u32(self.shard);
            writer.u64(self.place);
            writer.bytes(self.stream.as_bytes());
            writer.bytes(PADDING.get(..padding_len(self.stream.len())).unwrap_or_default());
        })
    }

    /// The service takes an iterator in double quotes too.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let (head, (shard, place, stream)) = token::decode(Kind::Iterator, text, |reader| {
            let (shard, place) = (reader.u32("shard")?, reader.u64("place")?);
            let stream = token::text(reader, "stream")?.to_owned();
            reader.bytes("padding")?;
            Ok((shard, place, stream))
        })?;
        Some(Self { created: head.created, generation: head.generation, stream, shard, place })
    }

    /// The iterator that a caller hands in.
    pub(crate) fn from_caller(text: &str) -> Result<Self> {
        if text.is_empty() {
            let rule = "have length greater than or equal to 1";
            return Err(Error::constraint(Some(&text), "shardIterator", rule));
        }
        if text.len() > ITERATOR_LEN_MAX {
            let rule = format!("have length less than or equal to {ITERATOR_LEN_MAX}");
            return Err(Error::constraint(Some(&text), "shardIterator", rule));
        }
        Self::decode(text).ok_or_else(|| Error::invalid("Invalid ShardIterator."))
    }
}

/// What an iterator is filled up with: nobody should cut one short because all that were seen were so.
const PADDING: [u8; 128] = [0; 128];

/// Bytes of padding for which an iterator is as long as one of the service: 152, and 16 more for each 16 of the name, to
/// which 2 are added.
const fn padding_len(name_len: usize) -> usize {
    /// All else but the name.
    const REST: usize = 50;
    (152 + (name_len + 2) / 16 * 16).saturating_sub(REST + name_len)
}

impl Stream {
    /// An iterator at `start` of a shard, for [`Streams::get_records`](super::Streams::get_records) within five
    /// minutes. It survives a reopening of the store, but not a deletion of the stream.
    ///
    /// # Errors
    /// [`ShardNotFound`](Error::ShardNotFound) for what is no id of a shard, [`ShardGone`](Error::ShardGone) for a
    /// shard that is not there; [`InvalidArgument`](Error::InvalidArgument) for a sequence number of another shard and
    /// for a time in the future.
    pub fn shard_iterator(&self, shard_id: &str, start: Start) -> Result<String> {
        self.store.call("GetShardIterator", self.name(), || self.do_shard_iterator(shard_id, start))
    }

    fn do_shard_iterator(&self, shard_id: &str, start: Start) -> Result<String> {
        self.make_iterator(shard_id, |_| Ok(start))
    }

    /// [`shard_iterator`](Self::shard_iterator) by a request of the service's form.
    ///
    /// # Errors
    /// Those of [`shard_iterator`](Self::shard_iterator); [`InvalidArgument`](Error::InvalidArgument) also for numbers
    /// and times that are missing, not wanted, or no numbers.
    pub fn get_shard_iterator(&self, request: &GetShardIterator<'_>) -> Result<String> {
        self.store.call("GetShardIterator", self.name(), || self.do_get_shard_iterator(request))
    }

    fn do_get_shard_iterator(&self, request: &GetShardIterator<'_>) -> Result<String> {
        self.make_iterator(request.shard_id, |shard| self.start_of(request, shard))
    }

    fn make_iterator(&self, shard_id: &str, start: impl FnOnce(&Shard) -> Result<Start>) -> Result<String> {
        crate::stream::check::name(shard_id, "shardId")?;
        let now = self.store.now();
        let inner = self.usable(now)?;
        let shard = self.shard_to_read(&inner, shard_id, now)?;
        let place = self.place_of(&inner, shard, start(shard)?, now)?;
        Ok(self.iterator_at(shard.index, place, now).encode())
    }

    pub(crate) fn iterator_at(&self, shard: u32, place: u64, now: Timestamp) -> Iterator {
        let (generation, stream) = (self.state.generation, self.state.name.clone());
        Iterator { created: now, generation, stream, shard, place }
    }

    fn start_of(&self, request: &GetShardIterator<'_>, shard: &Shard) -> Result<Start> {
        let kind = request.kind;
        match (kind, request.starting_sequence_number) {
            (IteratorKind::TrimHorizon | IteratorKind::Latest, Some(_)) => {
                Err(mismatch(kind, "and also a StartingSequenceNumber"))
            }
            (IteratorKind::AtSequenceNumber | IteratorKind::AfterSequenceNumber, None) => {
                Err(mismatch(kind, "and no StartingSequenceNumber"))
            }
            (IteratorKind::TrimHorizon, None) => Ok(Start::TrimHorizon),
            (IteratorKind::Latest, None) => Ok(Start::Latest),
            (IteratorKind::AtTimestamp, _) => request.timestamp.map(Start::AtTimestamp).ok_or_else(|| {
                Error::invalid(
                    "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has \
                     no timestamp parameter.",
                )
            }),
            (IteratorKind::AtSequenceNumber | IteratorKind::AfterSequenceNumber, Some(text)) => {
                let parsed =
                    Parsed::from_text(text).ok_or_else(|| self.invalid_number(shard, &text, ""))?;
                self.check_number(shard, parsed, &text)?;
                match (parsed, kind) {
                    (Parsed::Current(number), IteratorKind::AtSequenceNumber) => {
                        Ok(Start::AtSequenceNumber(number))
                    }
                    (Parsed::Current(number), _) => Ok(Start::AfterSequenceNumber(number)),
                    (Parsed::Old { .. }, _) => Err(self.invalid_number(shard, &text, "")),
                }
            }
        }
    }
}

#[cold]
fn mismatch(kind: IteratorKind, what: &str) -> Error {
    Error::invalid(format_args!(
        "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) \
         TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {kind} {what}."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn iterators_fit_into_what_the_service_allows() {
        let iterator = Iterator {
            created: Timestamp::from_secs(5),
            generation: u64::MAX,
            stream: "s".repeat(128),
            shard: u32::MAX,
            place: u64::MAX,
        };
        let text = iterator.encode();
        assert!(text.len() <= ITERATOR_LEN_MAX, "{}", text.len());
        assert_eq!(Iterator::decode(&text), Some(iterator.clone()));
        assert_eq!(Iterator::decode(&format!("\"{text}\"")), Some(iterator));
        assert_eq!(Iterator::decode(&format!("\"{text}")), None);
    }

    #[test]
    fn iterators_look_like_the_services() {
        for name_len in 1..=128 {
            let (created, stream) = (Timestamp::from_secs(5), "s".repeat(name_len));
            let iterator = Iterator { created, generation: 1, stream, shard: 0, place: 7 };
            let bytes = STANDARD.decode(iterator.encode()).unwrap();
            assert_eq!(bytes.len(), 152 + (name_len + 2) / 16 * 16, "{name_len}");
            assert_eq!(bytes[..8], 1_u64.to_be_bytes());
        }
    }
}
