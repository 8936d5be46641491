//! What the parts of a run share: little-endian words, variable-length integers, seeded checksums, key heads.

use crate::codec::checksums_agree;
use std::{fmt, ops::Range};

/// Values up to this long fit in a block, whose length is a `u32`.
pub(super) const VALUE_LEN_MAX: usize = 1 << 30;
/// Keys of a run are full keys: the keyspace id and the longest key within it.
pub(super) const FULL_KEY_LEN_MAX: usize = size_of::<u32>() + crate::limits::KEY_LEN_MAX;
/// Unit of sequential reading.
pub(super) const CHUNK_LEN: usize = 256 * 1024;

/// Decoded bytes that cannot be right, before it is known which file they are from.
#[derive(Debug)]
pub(super) struct Flaw {
    /// Offset within the decoded bytes.
    pub(super) at: usize,
    pub(super) what: &'static str,
    pub(super) expected: String,
    pub(super) found: String,
}

impl Flaw {
    #[cold]
    pub(super) fn new(
        at: usize,
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self { at, what, expected: expected.to_string(), found: found.to_string() }
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Longest variable-length integer that is written: 35 bits, room for a value length and the flags beside it.
const VARINT_LEN_MAX: usize = 5;
const _: () = assert!((VALUE_LEN_MAX as u64) << 3 < 1 << (7 * VARINT_LEN_MAX));

pub(super) const fn varint_len(value: u64) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

/// Seven bits to a byte, low bits first, the high bit says that more follow.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    debug_assert!(value < 1 << (7 * VARINT_LEN_MAX), "wider than any length");
    loop {
        let [low, ..] = value.to_le_bytes();
        if value < 0x80 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
        value >>= 7;
    }
}

/// The integer at `at`, which moves past it.
#[inline]
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    match *bytes.get(*at..)? {
        [only, ..] if only < 0x80 => {
            *at += 1;
            Some(u64::from(only))
        }
        [low, high, ..] if high < 0x80 => {
            *at += 2;
            Some(u64::from(low & 0x7f) | u64::from(high) << 7)
        }
        _ => long_varint(bytes, at),
    }
}

#[cold]
fn long_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for place in 0..VARINT_LEN_MAX {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Where a checksum starts from. A CRC of ids and offsets, because a CRC maps inputs that differ within 32 adjacent
/// bits to different outputs: within 4 GiB of one run no two places share a seed, and seeds that differ keep
/// checksums of equal bytes apart.
pub(super) fn seed(id: u64, offset: u64) -> u32 {
    let mut place = [0; 16];
    place[..8].copy_from_slice(&id.to_le_bytes());
    place[8..].copy_from_slice(&offset.to_le_bytes());
    crc32fast::hash(&place)
}

pub(super) fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

pub(super) fn expect_checksum(what: &'static str, at: usize, stored: u32, actual: u32) -> Result<(), Flaw> {
    if checksums_agree(stored, actual) {
        return Ok(());
    }
    Err(Flaw::new(at, what, format_args!("{stored:08x}"), format_args!("{actual:08x}")))
}

/// The first `N` bytes, zeros behind a shorter end. Heads order as their bytes do, except that ends are lost: equal
/// heads leave the order open.
pub(super) fn head<const N: usize>(bytes: &[u8]) -> [u8; N] {
    if let Some(head) = bytes.first_chunk() {
        return *head;
    }
    let mut head = [0; N];
    head[..bytes.len()].copy_from_slice(bytes);
    head
}

/// Length of the longest prefix that both have.
pub(crate) fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    for (place, (a, b)) in a_words.iter().zip(b_words).enumerate() {
        let difference = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if difference != 0 {
            return place * 8 + difference.trailing_zeros() as usize / 8;
        }
    }
    let whole = a_words.len().min(b_words.len()) * 8;
    whole + a[whole..].iter().zip(&b[whole..]).take_while(|(a, b)| a == b).count()
}

/// `range` of the file as a range of its map.
pub(super) fn in_map(range: Range<u64>) -> Option<Range<usize>> {
    Some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip() {
        for bits in 0..35 {
            for value in [1 << bits, (1 << bits) - 1, (1 << bits) | 1] {
                let mut out = vec![];
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value));
                let mut at = 0;
                assert_eq!(varint(&out, &mut at), Some(value));
                assert_eq!(at, out.len());
                for cut in 0..out.len() {
                    assert_eq!(varint(&out[..cut], &mut 0), None);
                }
            }
        }
        assert_eq!(varint(&[0xff; 9], &mut 0), None, "longer than anything that is written");
    }

    #[test]
    fn shared_prefixes() {
        let long = [7; 40];
        for len in 0..40 {
            let mut other = long;
            other[len] = 8;
            assert_eq!(shared_prefix(&long, &other), len);
            assert_eq!(shared_prefix(&long[..len], &long), len);
            assert_eq!(shared_prefix(&long, &long[..len]), len);
        }
    }

    #[test]
    fn seeds_of_neighbours_differ() {
        let mut seeds: Vec<u32> = (0..1000).map(|place| seed(5, place * 4096)).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 1000);
    }
}
