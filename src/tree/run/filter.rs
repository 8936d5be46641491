//! Which keys a run may contain: a Bloom filter over full keys, cut into cache lines so that a probe touches one.
//!
//! The high half of a key's hash chooses the line; six nine-bit fields of a product of the hash choose bits in it.
//! With ten bits to a key about one absent key in a hundred passes.

use super::format::{CHUNK_LEN, Flaw};
use xxhash_rust::xxh3::xxh3_64;

pub(super) const LINE_LEN: usize = 64;
const BITS_PER_KEY: usize = 10;
const PROBES: u32 = 6;
/// Bits of a bit number within a line.
const FIELD_BITS: u32 = 9;
const _: () = assert!(1 << FIELD_BITS == LINE_LEN * 8);
const _: () = assert!(PROBES * FIELD_BITS <= u64::BITS);
const _: () = assert!(CHUNK_LEN.is_multiple_of(LINE_LEN));

pub(super) fn hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// The line of `hash` among `lines`.
#[inline]
fn line_of(hash: u64, lines: usize) -> usize {
    let product = u128::from(hash >> 32) * lines as u128;
    usize::try_from(product >> 32).unwrap_or(0)
}

/// The bits of `hash` in its line.
#[inline]
fn fields(hash: u64) -> impl Iterator<Item = (usize, u8)> {
    let fields = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..PROBES).map(move |probe| {
        let field = (fields >> (probe * FIELD_BITS)) & ((1 << FIELD_BITS) - 1);
        let [low, ..] = field.to_le_bytes();
        ((field >> 3) as usize, 1 << (low & 7))
    })
}

/// The lines of a filter for these keys.
pub(super) fn build(hashes: &[u64]) -> Vec<u8> {
    let lines = (hashes.len() * BITS_PER_KEY).div_ceil(LINE_LEN * 8).max(1);
    let mut bytes = vec![0; lines * LINE_LEN];
    for &hash in hashes {
        let line = &mut bytes[line_of(hash, lines) * LINE_LEN..][..LINE_LEN];
        for (byte, bit) in fields(hash) {
            line[byte] |= bit;
        }
    }
    bytes
}

/// A filter as it lies in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter<'a> {
    lines: &'a [[u8; LINE_LEN]],
}

impl<'a> Filter<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Flaw> {
        match bytes.as_chunks() {
            (lines @ [_, ..], []) => Ok(Self { lines }),
            _ => Err(Flaw::new(0, "filter length", "whole lines of 64 bytes", bytes.len())),
        }
    }

    /// False means that no entry of the run has this key.
    #[inline]
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        let Some(line) = self.lines.get(line_of(hash, self.lines.len())) else { return true };
        fields(hash).all(|(byte, bit)| line[byte] & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_what_was_added_and_little_else() {
        for keys in [0_u64, 1, 2, 100, 50_000] {
            let hashes: Vec<u64> = (0..keys).map(|key| hash(&key.to_be_bytes())).collect();
            let bytes = build(&hashes);
            let filter = Filter::parse(&bytes).unwrap();
            assert!(hashes.iter().all(|&hash| filter.may_contain(hash)));
            let absent = 100_000;
            let passed =
                (keys..keys + absent).filter(|key| filter.may_contain(hash(&key.to_be_bytes()))).count();
            assert!(passed < 2000, "{passed} of {absent} absent keys passed a filter of {keys}");
        }
    }

    #[test]
    fn refuses_broken_lengths() {
        for len in [0, 1, 63, 65, 127] {
            assert!(Filter::parse(&vec![0; len]).is_err());
        }
    }
}
