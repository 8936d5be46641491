//! Records: as they are stored, and as readers hold them.
//!
//! Records of a shard that come in one call stand together, in *groups* of one or more neighbours of one time of arrival:
//!
//! | size | field | value |
//! | ---: | --- | --- |
//! | 1 | format | 1; 2 if more of the data stands under the keys behind: then it is a group of one |
//! | 2 | count | how many records, from 1 |
//! | 6 each | lengths | of each: bytes of its partition key `u16`, of its data `u32` |
//! | | partition keys | UTF-8, one behind the other |
//! | | data | likewise |
//!
//! What says where records are stands before all of the data, so that whoever looks for them touches few cache lines.

use crate::clock::Timestamp;
use crate::codec::{Malformed, Reader};
use crate::stream::sequence::SequenceNumber;
use bytes::Bytes;
use std::fmt;
use std::ops::Range;

const WHOLE: u8 = 1;
const PARTED: u8 = 2;
const COUNT_LEN: usize = size_of::<u16>();
pub(crate) const LENGTHS_LEN: usize = size_of::<u16>() + size_of::<u32>();
const FRONT_LEN: usize = size_of::<u8>() + COUNT_LEN;
/// What stands before the partition key of a record that is alone in its group.
pub(crate) const HEAD_LEN: usize = FRONT_LEN + LENGTHS_LEN;

/// Bytes of a partition key and of the data under it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    pub(crate) key: u16,
    pub(crate) data: u32,
}

impl Lengths {
    fn to_bytes(self) -> [u8; LENGTHS_LEN] {
        let ([k0, k1], [d0, d1, d2, d3]) = (self.key.to_le_bytes(), self.data.to_le_bytes());
        [k0, k1, d0, d1, d2, d3]
    }

    fn from_bytes([k0, k1, d0, d1, d2, d3]: [u8; LENGTHS_LEN]) -> Self {
        Self { key: u16::from_le_bytes([k0, k1]), data: u32::from_le_bytes([d0, d1, d2, d3]) }
    }
}

/// What stands before the partition key of a record that is alone in its group.
pub(crate) fn head(lengths: Lengths, is_parted: bool) -> [u8; HEAD_LEN] {
    let mut head = [0; HEAD_LEN];
    let (front, rest) = head.split_at_mut(FRONT_LEN);
    front.copy_from_slice(&front_of(1, is_parted));
    rest.copy_from_slice(&lengths.to_bytes());
    head
}

/// Adds to `head` what stands before the partition keys of a group of at most 65,535 records, whose lengths these are.
pub(crate) fn put_head<E>(
    head: &mut Vec<u8>,
    lengths: impl ExactSizeIterator<Item = Result<Lengths, E>>,
) -> Result<(), E> {
    let count = u16::try_from(lengths.len()).unwrap_or(u16::MAX);
    head.extend_from_slice(&front_of(count, false));
    for lengths in lengths.take(count.into()) {
        head.extend_from_slice(&lengths?.to_bytes());
    }
    Ok(())
}

fn front_of(count: u16, is_parted: bool) -> [u8; FRONT_LEN] {
    let [low, high] = count.to_le_bytes();
    [if is_parted { PARTED } else { WHOLE }, low, high]
}

/// Does more of the data stand under the keys behind?
pub(crate) fn is_parted(value: &[u8]) -> bool {
    value.first() == Some(&PARTED)
}

/// How many records a group says that it has, and bytes of them that stand here.
pub(crate) fn measure(value: &[u8]) -> (usize, usize) {
    let count = value.get(1..FRONT_LEN).map_or(0, |count| usize::from(u16_of(count)));
    (count, value.len().saturating_sub(FRONT_LEN + count * LENGTHS_LEN))
}

fn u16_of(bytes: &[u8]) -> u16 {
    bytes.first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

/// Where a group's records are: the shard's second and index, the place of the last one, and when they came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) created: u64,
    pub(crate) shard: u32,
    pub(crate) last: u64,
    pub(crate) arrival: Timestamp,
}

/// The records of a group that were not taken yet.
#[derive(Debug)]
pub(crate) struct Group {
    value: Bytes,
    at: Place,
    /// Where the lengths of the next record stand, and where those of the last one end.
    lengths: usize,
    keys: usize,
    /// Where the key and the data of the next record begin.
    key_at: u32,
    data_at: u32,
    /// The place of the next record.
    next: u64,
}

impl Group {
    /// The group that `value` is, all of it: of one in parts, put together.
    pub(crate) fn decode(value: Bytes, at: Place) -> Result<Self, Malformed> {
        let mut reader = Reader::new(&value);
        let format = reader.u8("format of a record")?;
        if !matches!(format, WHOLE | PARTED) {
            return Err(Reader::new(&value).malformed("format of a record", "1 or 2", format));
        }
        let before = reader.clone();
        let count = u16_of(reader.raw(COUNT_LEN, "count of records")?);
        let ahead = u64::from(count).checked_sub(1).and_then(|ahead| at.last.checked_sub(ahead));
        let Some(next) = ahead else {
            return Err(before.malformed(
                "count of records",
                format_args!("1 to {}", at.last.saturating_add(1)),
                count,
            ));
        };
        let lengths = reader.raw(usize::from(count) * LENGTHS_LEN, "lengths of a record")?;
        let (keys_len, data_len) = all_of(lengths).fold((0_u64, 0_u64), |(keys, data), next| {
            (keys + u64::from(next.key), data + u64::from(next.data))
        });
        let (found, from) = (value.len() as u64, (FRONT_LEN + lengths.len()) as u64);
        let ends = (u32::try_from(from), u32::try_from(from + keys_len), u32::try_from(found));
        let (Ok(key_at), Ok(data_at), Ok(_)) = ends else {
            return Err(reader.malformed("length of a record", "below 4 GiB", found));
        };
        if found != from + keys_len + data_len {
            return Err(reader.malformed("length of a record", from + keys_len + data_len, found));
        }
        let keys = reader.raw((data_at - key_at) as usize, "partition key")?;
        if !are_text(keys, lengths) {
            return Err(reader.malformed("partition key", "UTF-8", "other bytes"));
        }
        Ok(Self { at, lengths: FRONT_LEN, keys: key_at as usize, key_at, data_at, next, value })
    }

    /// Leaves out the records before `place`.
    pub(crate) fn skip_to(&mut self, place: u64) {
        while self.next < place && self.step().is_some() {}
    }

    /// Passes over the next record and says how long it is.
    fn step(&mut self) -> Option<Lengths> {
        let lengths = self.value.get(self.lengths..self.keys)?.first_chunk()?;
        let lengths = Lengths::from_bytes(*lengths);
        self.lengths += LENGTHS_LEN;
        self.key_at += u32::from(lengths.key);
        self.data_at += lengths.data;
        self.next += 1;
        Some(lengths)
    }
}

impl Iterator for Group {
    type Item = Record;

    #[inline]
    fn next(&mut self) -> Option<Record> {
        let (place, key_at, data_at) = (self.next, self.key_at, self.data_at);
        let lengths = self.step()?;
        let Place { created, shard, arrival, .. } = self.at;
        Some(Record { group: self.value.clone(), key_at, data_at, lengths, place, arrival, created, shard })
    }
}

fn all_of(lengths: &[u8]) -> impl Iterator<Item = Lengths> {
    lengths.as_chunks().0.iter().copied().map(Lengths::from_bytes)
}

/// Is each of the keys with these lengths UTF-8, and not only all of them together?
fn are_text(keys: &[u8], lengths: &[u8]) -> bool {
    let Ok(keys) = std::str::from_utf8(keys) else { return false };
    let mut end = 0;
    all_of(lengths).all(|next| {
        end += usize::from(next.key);
        keys.is_char_boundary(end)
    })
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
    /// The group that it stands in, and where in it key and data begin.
    group: Bytes,
    key_at: u32,
    data_at: u32,
    lengths: Lengths,
    place: u64,
    arrival: Timestamp,
    /// The shard's second and index, which its numbers say.
    created: u64,
    shard: u32,
}

impl Record {
    /// Where the record stands in its shard.
    pub fn sequence_number(&self) -> SequenceNumber {
        SequenceNumber::new(self.created, self.shard, self.place, self.arrival)
    }

    /// The key that it was put under.
    pub fn partition_key(&self) -> &str {
        let key_at = self.key_at as usize;
        let key = self.group.get(key_at..key_at + usize::from(self.lengths.key));
        std::str::from_utf8(key.unwrap_or_default()).unwrap_or_default()
    }

    /// What was put.
    pub fn data(&self) -> &[u8] {
        self.group.get(self.data_range()).unwrap_or_default()
    }

    /// What was put, as a slice that owns what it points into.
    pub fn data_bytes(&self) -> Bytes {
        self.group.slice(self.data_range())
    }

    /// When it came, by the store's clock.
    pub fn arrival(&self) -> Timestamp {
        self.arrival
    }

    fn data_range(&self) -> Range<usize> {
        let at = self.data_at as usize;
        at..at + self.lengths.data as usize
    }

    pub(crate) fn place(&self) -> u64 {
        self.place
    }

    /// Bytes of key and data, which limits count.
    pub(crate) fn size(&self) -> usize {
        usize::from(self.lengths.key) + self.lengths.data as usize
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
            && self.partition_key() == other.partition_key()
            && self.data() == other.data()
    }
}

impl Eq for Record {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::TryFromIntError;

    fn stored(records: &[(&str, &[u8])]) -> Vec<u8> {
        let lengths = records.iter().map(|(key, data)| {
            Ok::<_, TryFromIntError>(Lengths { key: key.len().try_into()?, data: data.len().try_into()? })
        });
        let mut value = Vec::new();
        put_head(&mut value, lengths).unwrap();
        value.extend(records.iter().flat_map(|(key, _)| key.as_bytes()));
        value.extend(records.iter().flat_map(|(_, data)| *data));
        value
    }

    fn decoded(value: &[u8]) -> Result<Group, Malformed> {
        let at = Place { created: 0, shard: 0, last: 9, arrival: Timestamp::UNIX_EPOCH };
        Group::decode(Bytes::copy_from_slice(value), at)
    }

    #[test]
    fn round_trip() {
        let long = "k".repeat(1024);
        let records = [("a", &b""[..]), ("\u{20ac}uro", b"data"), (&long, &[0; 3000])];
        for from in 0..records.len() {
            let records = &records[from..];
            let value = stored(records);
            let first = 10 - records.len() as u64;
            let found: Vec<_> = decoded(&value).unwrap().collect();
            assert_eq!(found.len(), records.len());
            for ((record, (key, data)), place) in found.iter().zip(records).zip(first..) {
                assert_eq!((record.partition_key(), record.data(), record.place()), (*key, *data, place));
                assert_eq!((record.size(), &record.data_bytes()[..]), (key.len() + data.len(), *data));
            }
            let sizes = found.iter().map(Record::size).sum();
            assert_eq!(measure(&value), (records.len(), sizes));
        }
    }

    #[test]
    fn a_head_of_one_is_that_of_a_group() {
        let (lengths, mut head_of_group) = (Lengths { key: 300, data: 70_000 }, Vec::new());
        put_head(&mut head_of_group, std::iter::once(Ok::<_, ()>(lengths))).unwrap();
        assert_eq!(head(lengths, false)[..], head_of_group);
        assert!(is_parted(&head(lengths, true)) && !is_parted(&head_of_group));
    }

    #[test]
    fn records_before_a_place_are_left_out() {
        let value = stored(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
        for (place, expected) in [(0, "abc"), (7, "abc"), (8, "bc"), (9, "c"), (10, ""), (99, "")] {
            let mut group = decoded(&value).unwrap();
            group.skip_to(place);
            let keys: String = group.map(|record| record.partition_key().to_owned()).collect();
            assert_eq!(keys, expected, "{place}");
        }
    }

    #[test]
    fn rejects_every_other_length() {
        let mut value = stored(&[("key", b"data"), ("other", b"")]);
        for len in 0..value.len() {
            assert!(decoded(&value[..len]).is_err(), "{len}");
        }
        value.push(0);
        assert_eq!(decoded(&value).unwrap_err().what, "length of a record");
    }

    #[test]
    fn rejects_other_formats_counts_and_keys_that_are_not_text() {
        let flaw = |value: &[u8]| decoded(value).unwrap_err().what;
        let mut value = stored(&[("key", b"data")]);
        value[0] = 3;
        assert_eq!(flaw(&value), "format of a record");
        value[0] = 1;
        value[HEAD_LEN] = 0xff;
        assert_eq!(flaw(&value), "partition key");
        value[1] = 0;
        assert_eq!(flaw(&value), "count of records");
        assert_eq!(flaw(&stored(&[("", &b""[..]); 11])), "count of records", "the first would have no place");
        // Together they are text, but a character is cut in two.
        let mut value = stored(&[("a", b""), ("\u{20ac}", b"")]);
        (value[FRONT_LEN], value[HEAD_LEN]) = (2, 2);
        assert_eq!(flaw(&value), "partition key");
    }
}
