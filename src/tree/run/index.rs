//! Where each block begins, in the file and in the order of the run.
//!
//! ```text
//! heads: [u8; 16] * blocks | places: (offset u64, version u64, key_end u64) * blocks | first keys
//! ```
//!
//! X1. Block `i` is preceded in the order of the run by its *separator*: its first key, with the version of its first
//!     entry if the block before ends with the same key, with the highest version if not. So the block that can hold
//!     a version of a key is the last whose separator is not after it, and no other need be looked at for it but,
//!     where the key goes on, the next one.
//! X2. A head is the first 16 bytes of a first key behind what all keys of the run share. Heads lie in one flat array that
//!     stays in the processor's cache; whole keys settle ties.

use super::format::{Flaw, head, u64_at};
use crate::position::Position;
use std::{cmp::Ordering, ops::Range};

const HEAD_LEN: usize = 16;
const OFFSET: usize = 0;
const VERSION: usize = OFFSET + size_of::<u64>();
const KEY_END: usize = VERSION + size_of::<u64>();
const PLACE_LEN: usize = KEY_END + size_of::<u64>();
/// Bytes of the index per block, without its key.
pub(super) const SLOT_LEN: usize = HEAD_LEN + PLACE_LEN;
const _: () = assert!(SLOT_LEN == 40);

/// An index as it lies in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index<'a> {
    heads: &'a [[u8; HEAD_LEN]],
    places: &'a [[u8; PLACE_LEN]],
    keys: &'a [u8],
    /// What all keys of the run share.
    common: &'a [u8],
    /// Where the last block ends.
    data_end: u64,
}

impl<'a> Index<'a> {
    #[inline]
    pub(super) fn parse(
        bytes: &'a [u8],
        blocks: usize,
        common: &'a [u8],
        data_end: u64,
    ) -> Result<Self, Flaw> {
        let split = || {
            let (heads, rest) = bytes.split_at_checked(blocks.checked_mul(HEAD_LEN)?)?;
            let (places, keys) = rest.split_at_checked(blocks.checked_mul(PLACE_LEN)?)?;
            Some(Self { heads: heads.as_chunks().0, places: places.as_chunks().0, keys, common, data_end })
        };
        split().ok_or_else(|| Flaw::new(0, "index length", format_args!("{blocks} blocks"), bytes.len()))
    }

    pub(super) fn blocks(&self) -> usize {
        self.heads.len()
    }

    /// The bytes of the file that block `block` is said to take.
    #[inline]
    pub(super) fn extent(&self, block: usize) -> Option<Range<u64>> {
        let start = u64_at(self.places.get(block)?, OFFSET)?;
        let end = match self.places.get(block + 1) {
            Some(next) => u64_at(next, OFFSET)?,
            None => self.data_end,
        };
        (start < end && end <= self.data_end).then_some(start..end)
    }

    pub(super) fn head(&self, block: usize) -> Option<[u8; HEAD_LEN]> {
        self.heads.get(block).copied()
    }

    /// What the head of a block with this first key is (X2).
    pub(super) fn head_of(&self, key: &[u8]) -> [u8; HEAD_LEN] {
        head(key.get(self.common.len()..).unwrap_or_default())
    }

    /// The first key of `block`.
    pub(super) fn first_key(&self, block: usize) -> Result<&'a [u8], Flaw> {
        self.separator(block).map(|(key, _)| key).ok_or_else(|| Self::broken(block))
    }

    /// Does `block` begin with the newest version of its first key?
    pub(super) fn begins_with_newest(&self, block: usize) -> bool {
        self.places.get(block).and_then(|place| u64_at(place, VERSION)) == Some(Position::MAX.get())
    }

    /// Is the separator of `block` after `version` of `key`?
    pub(super) fn is_after(&self, block: usize, key: &[u8], version: Position) -> Result<bool, Flaw> {
        let (first, first_version) = self.separator(block).ok_or_else(|| Self::broken(block))?;
        Ok(first.cmp(key).then(version.cmp(&first_version)) == Ordering::Greater)
    }

    #[cold]
    fn broken(block: usize) -> Flaw {
        Flaw::new(block * PLACE_LEN, "index key", "within the index", "outside")
    }

    /// The separator of `block` (X1).
    pub(super) fn separator(&self, block: usize) -> Option<(&'a [u8], Position)> {
        let place = self.places.get(block)?;
        let end = usize::try_from(u64_at(place, KEY_END)?).ok()?;
        let start = match block.checked_sub(1) {
            Some(before) => usize::try_from(u64_at(self.places.get(before)?, KEY_END)?).ok()?,
            None => 0,
        };
        Some((self.keys.get(start..end)?, Position::new(u64_at(place, VERSION)?)))
    }

    /// Do the first keys take all the bytes that they should?
    pub(super) fn keys_end_with_the_section(&self) -> bool {
        self.places.last().and_then(|place| u64_at(place, KEY_END)) == Some(self.keys.len() as u64)
    }

    /// Does `block` begin with an entry of `key`, the last of the block before?
    pub(super) fn continues(&self, block: usize, key: &[u8]) -> bool {
        self.separator(block).is_some_and(|(first, version)| version != Position::MAX && first == key)
    }

    /// The last block whose separator is not after `version` of `key`; `None` if it is before the first. A broken
    /// index is a flaw.
    pub(super) fn find(&self, key: &[u8], version: Position) -> Result<Option<usize>, Flaw> {
        let Some(suffix) = key.strip_prefix(self.common) else {
            return Ok(if key < self.common { None } else { self.heads.len().checked_sub(1) });
        };
        let target = u128::from_be_bytes(head(suffix));
        let mut low = self.heads.partition_point(|&head| u128::from_be_bytes(head) < target);
        if self.heads.get(low).is_some_and(|&head| u128::from_be_bytes(head) == target) {
            let mut high =
                low + self.heads[low..].partition_point(|&head| u128::from_be_bytes(head) == target);
            while low < high {
                let middle = low + (high - low) / 2;
                if self.is_after(middle, key, version)? {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
        }
        Ok(low.checked_sub(1))
    }
}

/// Collects what the index says.
#[derive(Debug, Default)]
pub(super) struct IndexBuilder {
    keys: Vec<u8>,
    places: Vec<(u64, Position, usize)>,
}

impl IndexBuilder {
    pub(super) fn push(&mut self, offset: u64, first_key: &[u8], separator_version: Position) {
        self.keys.extend_from_slice(first_key);
        self.places.push((offset, separator_version, self.keys.len()));
    }

    pub(super) fn blocks(&self) -> usize {
        self.places.len()
    }

    /// The first key of the run; empty before the first block.
    pub(super) fn first_key(&self) -> &[u8] {
        self.places.first().map_or(&[], |&(_, _, key_end)| &self.keys[..key_end])
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() * SLOT_LEN + self.keys.len()
    }

    /// The section, for keys that all share `common_len` bytes.
    pub(super) fn finish(&self, common_len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        let mut start = 0;
        for &(_, _, end) in &self.places {
            out.extend_from_slice(&head::<HEAD_LEN>(&self.keys[start + common_len..end]));
            start = end;
        }
        for &(offset, version, key_end) in &self.places {
            for word in [offset, version.get(), key_end as u64] {
                out.extend_from_slice(&word.to_le_bytes());
            }
        }
        out.extend_from_slice(&self.keys);
        out
    }
}

/// Every read of an index, over bytes that need not be one: the first two give block count and common length.
#[cfg(any(fuzzing, test))]
pub(super) fn exercise(bytes: &[u8]) {
    let [blocks, common, bytes @ ..] = bytes else { return };
    let Some(common) = bytes.get(..usize::from(*common)) else { return };
    let Ok(index) = Index::parse(bytes, usize::from(*blocks), common, bytes.len() as u64) else { return };
    let guide = super::guide::Guide::new(&index);
    for block in 0..=index.blocks() {
        let _ = index.extent(block);
        let Some((key, version)) = index.separator(block) else { continue };
        let _ = index.find(key, version);
        if let Ok(Some(guide)) = &guide {
            let _ = guide.find(&index, key, version);
        }
        let _ = index.continues(block, key);
        let _ = index.head_of(key);
    }
    let _ = index.find(bytes, Position::MAX);
}
