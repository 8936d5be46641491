//! Records: as they are stored, and as readers hold them.
//!
//! | size | field | value |
//! | ---: | --- | --- |
//! | 1 | format | 1; 2 if more of the data stands under the keys behind |
//! | 2 | key length | bytes of the partition key |
//! | | partition key | UTF-8 |
//! | | data | the rest |

use crate::clock::Timestamp;
use crate::codec::{Malformed, Reader};
use crate::stream::sequence::SequenceNumber;
use bytes::Bytes;
use std::fmt;

const WHOLE: u8 = 1;
const PARTED: u8 = 2;
pub(crate) const HEAD_LEN: usize = size_of::<u8>() + size_of::<u16>();

/// What stands before the partition key. The key's length is checked before: 256 characters of up to four bytes.
pub(crate) fn head(key_len: u16, is_parted: bool) -> [u8; HEAD_LEN] {
    let [low, high] = key_len.to_le_bytes();
    [if is_parted { PARTED } else { WHOLE }, low, high]
}

/// Does more of the data stand under the keys behind?
pub(crate) fn is_parted(value: &[u8]) -> bool {
    value.first() == Some(&PARTED)
}

/// Where the partition key ends in a stored record.
fn decode(value: &[u8]) -> Result<usize, Malformed> {
    let mut reader = Reader::new(value);
    let format = reader.u8("format of a record")?;
    if !matches!(format, WHOLE | PARTED) {
        return Err(Reader::new(value).malformed("format of a record", "1 or 2", format));
    }
    let length = reader.raw(size_of::<u16>(), "length of a partition key")?;
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let key = reader.raw(length, "partition key")?;
    if std::str::from_utf8(key).is_err() {
        return Err(reader.malformed("partition key", "UTF-8", "other bytes"));
    }
    Ok(HEAD_LEN + length)
}

/// A record of a stream, as it was put. It holds a slice of the store's memory or files, not a copy.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::Start};
/// let store = Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// let put = stream.put("user-7", "home")?;
/// let record = stream.cursor(&put.shard_id, Start::TrimHorizon)?.try_next()?.expect("it was put");
/// assert_eq!((record.partition_key(), record.data()), ("user-7", &b"home"[..]));
/// assert_eq!(record.sequence_number(), put.sequence_number);
/// assert_eq!(record.arrival(), store.now());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Record {
    value: Bytes,
    /// Where the partition key ends in it.
    key_end: usize,
    place: u64,
    arrival: Timestamp,
    /// The shard's second and index, which its numbers say.
    created: u64,
    shard: u32,
}

impl Record {
    pub(crate) fn decode(
        value: Bytes,
        place: u64,
        arrival: Timestamp,
        (created, shard): (u64, u32),
    ) -> Result<Self, Malformed> {
        let key_end = decode(&value)?;
        Ok(Self { value, key_end, place, arrival, created, shard })
    }

    /// Where the record stands in its shard.
    pub fn sequence_number(&self) -> SequenceNumber {
        SequenceNumber::new(self.created, self.shard, self.place, self.arrival)
    }

    /// The key that it was put under.
    pub fn partition_key(&self) -> &str {
        let key = self.value.get(HEAD_LEN..self.key_end).unwrap_or_default();
        std::str::from_utf8(key).unwrap_or_default()
    }

    /// What was put.
    pub fn data(&self) -> &[u8] {
        self.value.get(self.key_end..).unwrap_or_default()
    }

    /// What was put, as a slice that owns what it points into.
    pub fn data_bytes(&self) -> Bytes {
        self.value.slice(self.key_end..)
    }

    /// When it came, by the store's clock.
    pub fn arrival(&self) -> Timestamp {
        self.arrival
    }

    pub(crate) fn place(&self) -> u64 {
        self.place
    }

    /// Bytes of key and data, which limits count.
    pub(crate) fn size(&self) -> usize {
        self.value.len() - HEAD_LEN
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("sequence_number", &self.sequence_number())
            .field("partition_key", &self.partition_key())
            .field("arrival", &self.arrival)
            .field("data", &format_args!("{} bytes", self.data().len()))
            .finish_non_exhaustive()
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.sequence_number() == other.sequence_number()
            && self.arrival == other.arrival
            && self.value == other.value
    }
}

impl Eq for Record {}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(key: &str, data: &[u8]) -> Vec<u8> {
        let head = head(u16::try_from(key.len()).unwrap(), false);
        [&head[..], key.as_bytes(), data].concat()
    }

    fn decoded(value: &[u8]) -> Result<Record, Malformed> {
        Record::decode(Bytes::copy_from_slice(value), 1, Timestamp::UNIX_EPOCH, (0, 0))
    }

    #[test]
    fn round_trip() {
        for (key, data) in [("a", &b""[..]), ("\u{20ac}uro", b"data"), (&"k".repeat(1024), &[0; 3000])] {
            let record = decoded(&stored(key, data)).unwrap();
            assert_eq!((record.partition_key(), record.data()), (key, data));
            assert_eq!(record.size(), key.len() + data.len());
        }
    }

    #[test]
    fn rejects_every_truncation_of_the_key() {
        let value = stored("key", b"");
        for len in 0..value.len() {
            assert!(decoded(&value[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn rejects_other_formats_and_keys_that_are_not_text() {
        let mut value = stored("key", b"data");
        value[0] = 3;
        assert_eq!(decoded(&value).unwrap_err().what, "format of a record");
        value[0] = 1;
        value[HEAD_LEN] = 0xff;
        assert_eq!(decoded(&value).unwrap_err().what, "partition key");
    }
}
