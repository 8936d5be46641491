//! Where things lie: keys of a table's keyspaces, in an order that answers queries by walking.
//!
//! | keyspace | key | value |
//! | --- | --- | --- |
//! | items | place, part(partition key), sort key | item |
//! | local index | place, part(partition key), ordered(index sort key), sort key | projected item |
//! | global index | place', part(each hash attribute), ordered(each range attribute), part(partition key), sort key | projected item |
//! | expiry | second (u64, big endian), item key | nothing |
//! | stream | sequence number (u64, big endian) | change |
//! | tokens | token | transaction |
//!
//! - *place*: the upper 4 bytes of a hash of the parts that follow it, big endian. Scans go by place, so segments are
//!   ranges of it, and one partition lies together. A global index has places of its own keys (place').
//! - *part*: the length (u16, big endian) and the bytes. Parts are compared for equality alone.
//! - *ordered*: the bytes with 0x00 as 0x00 0xff, ended by 0x00 0x01: in their order whatever follows.
//! - Bytes of a string are its UTF-8, of a number its ordered form (`number.rs`), of a byte string itself.

use crate::kv::number::Number;
use crate::kv::schema::ScalarType;
use crate::kv::value::AttributeValue;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of a place.
pub(crate) const PLACE_LEN: usize = 4;
const LEN_LEN: usize = 2;

/// The value of a key attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar<'a> {
    Bytes(&'a [u8]),
    Number(Number),
}

impl<'a> Scalar<'a> {
    /// The value if it has the type that the schema says.
    pub(crate) fn of(value: &'a AttributeValue, scalar_type: ScalarType) -> Option<Self> {
        match (value, scalar_type) {
            (AttributeValue::S(text), ScalarType::S) => Some(Self::Bytes(text.as_bytes())),
            (AttributeValue::B(bytes), ScalarType::B) => Some(Self::Bytes(bytes)),
            (AttributeValue::N(number), ScalarType::N) => Some(Self::Number(*number)),
            _ => None,
        }
    }

    /// Bytes as the service limits them.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Number(number) => number.size(),
        }
    }

    pub(crate) fn write(self, to: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => to.extend_from_slice(bytes),
            Self::Number(number) => number.write_key(to),
        }
    }
}

/// The key of an item, or the first part of one: where its partition is, and what comes after.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) bytes: Vec<u8>,
    /// The hash that its place is cut from.
    pub(crate) hash: u64,
}

impl Key {
    /// The partition of these values.
    pub(crate) fn partition<'a>(values: impl IntoIterator<Item = Scalar<'a>>) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&[0; PLACE_LEN]);
        for value in values {
            push_part(&mut bytes, value);
        }
        let hash = xxh3_64(&bytes[PLACE_LEN..]);
        bytes[..PLACE_LEN].copy_from_slice(&place_of(hash).to_be_bytes());
        Self { bytes, hash }
    }

    /// The key of an item from its values.
    pub(crate) fn of(partition: Scalar<'_>, sort: Option<Scalar<'_>>) -> Self {
        let mut key = Self::partition([partition]);
        if let Some(sort) = sort {
            sort.write(&mut key.bytes);
        }
        key
    }

    /// The partition that a key of a table is in.
    pub(crate) fn containing(key: &[u8]) -> Self {
        let len =
            key.get(PLACE_LEN..).and_then(<[u8]>::first_chunk).map_or(0, |len| u16::from_be_bytes(*len));
        let end = PLACE_LEN + LEN_LEN + usize::from(len);
        let bytes = key.get(..end).unwrap_or(key).to_vec();
        Self { hash: xxh3_64(bytes.get(PLACE_LEN..).unwrap_or_default()), bytes }
    }

    /// What follows the place: the same for an entry of any index of the item.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[PLACE_LEN..]
    }
}

fn place_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The place at the front of a key.
pub(crate) fn place(key: &[u8]) -> u32 {
    key.first_chunk().map_or(0, |place| u32::from_be_bytes(*place))
}

/// The places of a segment of a scan: from the first to before the second, which may be beyond the last.
pub(crate) fn segment(segment: u32, total: u32) -> (u64, u64) {
    let start = |segment: u32| (u64::from(segment) << 32).div_ceil(u64::from(total.max(1)));
    (start(segment), start(segment + 1))
}

fn push_part(to: &mut Vec<u8>, value: Scalar<'_>) {
    let at = to.len();
    to.extend_from_slice(&[0; LEN_LEN]);
    value.write(to);
    // Key values are at most 2,048 bytes long.
    let len = u16::try_from(to.len() - at - LEN_LEN).unwrap_or(u16::MAX);
    to[at..at + LEN_LEN].copy_from_slice(&len.to_be_bytes());
}

/// Appends a value in an order that holds whatever follows.
pub(crate) fn push_ordered(to: &mut Vec<u8>, value: Scalar<'_>) {
    push_escaped(to, value);
    to.extend_from_slice(&[0, 1]);
}

/// [`push_ordered`] without its end: what all values that begin with this one begin with.
pub(crate) fn push_escaped(to: &mut Vec<u8>, value: Scalar<'_>) {
    let from = to.len();
    value.write(to);
    if to[from..].contains(&0) {
        let raw = to.split_off(from);
        for byte in raw {
            to.push(byte);
            if byte == 0 {
                to.push(0xff);
            }
        }
    }
}

/// The first key that does not begin with `prefix`; none if all that follow do.
pub(crate) fn after_prefix(mut prefix: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = prefix.pop() {
        if last < u8::MAX {
            prefix.push(last + 1);
            return Some(prefix);
        }
    }
    None
}

/// The first key after `key`.
pub(crate) fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(bytes: &[u8]) -> Vec<u8> {
        let mut to = Vec::new();
        push_ordered(&mut to, Scalar::Bytes(bytes));
        to
    }

    #[test]
    fn ordered_bytes_keep_their_order_whatever_follows() {
        let words: Vec<&[u8]> =
            vec![b"", b"\0", b"\0\0", b"\0\x01", b"\0\xff", b"\x01", b"a", b"a\0", b"a\0b", b"b"];
        for pair in words.windows(2) {
            let (mut low, mut high) = (ordered(pair[0]), ordered(pair[1]));
            low.extend_from_slice(&[0xff; 4]);
            high.extend_from_slice(&[0; 4]);
            assert!(low < high, "{pair:?}");
        }
    }

    #[test]
    fn what_begins_with_a_value_begins_with_its_escaped_bytes() {
        let mut prefix = Vec::new();
        push_escaped(&mut prefix, Scalar::Bytes(b"a\0"));
        for (word, begins) in [(&b"a\0"[..], true), (b"a\0b", true), (b"a", false), (b"a\x01", false)] {
            assert_eq!(ordered(word).starts_with(&prefix), begins, "{word:?}");
        }
    }

    #[test]
    fn segments_are_disjoint_and_complete() {
        for total in [1, 2, 3, 7, 1000, 1_000_000] {
            let mut end = 0;
            for number in 0..total {
                let (from, to) = segment(number, total);
                assert_eq!(from, end);
                assert!(from < to);
                end = to;
            }
            assert_eq!(end, 1 << 32);
        }
    }

    #[test]
    fn a_prefix_ends_where_others_begin() {
        assert_eq!(after_prefix(vec![1, 2]), Some(vec![1, 3]));
        assert_eq!(after_prefix(vec![1, 0xff]), Some(vec![2]));
        assert_eq!(after_prefix(vec![0xff]), None);
    }

    #[test]
    fn a_partition_lies_together() {
        let number = |n: i64| Scalar::Number(Number::from(n));
        let keys: Vec<Key> = [-5, 0, 7, 70].map(|sort| Key::of(number(1), Some(number(sort)))).into();
        let prefix = Key::partition([number(1)]);
        assert!(keys.is_sorted());
        assert!(keys.iter().all(|key| key.bytes.starts_with(&prefix.bytes) && key.hash == prefix.hash));
        assert_eq!(place(&prefix.bytes), place_of(prefix.hash));
    }
}
