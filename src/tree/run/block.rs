//! A data block: some neighbouring entries, the unit of checksums and of reading.
//!
//! ```text
//! header | prefix | slot * count | entry * count
//! slot  = head [u8; 4] | entry offset u16
//! entry = suffix_len varint | tag varint | version delta | rest of the suffix | value
//! tag   = value_len << 3 | again << 2 | kind
//! ```
//!
//! B1. The prefix is all that the keys of the block share; a suffix is what follows in one key. The first four bytes of
//!     each suffix are its *head*. Heads lie together, so that a search touches few cache lines before it touches
//!     the one entry it is after; the entry holds only the rest.
//! B2. Entries lie without gaps, in the order of the run.
//! B3. A version is the base of the block plus a delta of as many bytes as the largest of the block needs.
//! B4. `again` says that the key is that of the entry before, in this block or at the end of the one before. Cursors
//!     skip older versions without comparing keys.
//! B5. An entry over the target has a block of its own, whose prefix is the whole key. All that precedes its value, the
//!     *front*, fits in one chunk, so that a block can be judged without holding it whole.

use super::format::{
    CHUNK_LEN, FULL_KEY_LEN_MAX, Flaw, checksum, expect_checksum, head, seed, u16_at, u32_at, u64_at, varint,
};
use crate::{position::Position, tree::entry::Kind};
use std::cmp::Ordering;

pub(super) const CRC: usize = 0;
pub(super) const LEN: usize = CRC + size_of::<u32>();
const BASE_VERSION: usize = LEN + size_of::<u32>();
pub(super) const COUNT: usize = BASE_VERSION + size_of::<u64>();
const PREFIX_LEN: usize = COUNT + size_of::<u16>();
const DELTA_LEN: usize = PREFIX_LEN + size_of::<u16>();
pub(super) const RESERVED: usize = DELTA_LEN + size_of::<u8>();
pub(super) const HEADER_LEN: usize = RESERVED + 3;
const _: () = assert!(HEADER_LEN == 24);

pub(super) const HEAD_LEN: usize = 4;
pub(super) const OFFSET_LEN: usize = size_of::<u16>();
pub(super) const SLOT_LEN: usize = HEAD_LEN + OFFSET_LEN;
/// Longest target of a block's length: an offset is a `u16`.
pub(super) const TARGET_MAX: usize = 32 * 1024;
pub(super) const AGAIN: u64 = 1 << 2;
const KIND_MASK: u64 = AGAIN - 1;
pub(super) const VALUE_LEN_SHIFT: u32 = 3;
const _: () = assert!(HEADER_LEN + FULL_KEY_LEN_MAX + 64 < CHUNK_LEN, "B5");
const _: () = assert!(FULL_KEY_LEN_MAX <= u16::MAX as usize);

/// Where the parts of a block are, relative to its start. Small and free of lifetimes, so that a cursor keeps it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    pub(super) len: usize,
    pub(super) count: usize,
    slots: usize,
    entries: usize,
    base_version: u64,
    delta_len: usize,
    delta_mask: u64,
}

/// One entry, as numbers: places are relative to the start of the block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) head: [u8; HEAD_LEN],
    pub(super) suffix_len: usize,
    /// Where the rest of the suffix begins; it ends where the value begins.
    pub(super) rest: usize,
    pub(super) value: usize,
    pub(super) end: usize,
    pub(super) version: Position,
    pub(super) kind: Kind,
    pub(super) again: bool,
}

/// A block, or the front of one (B5), whose checksum verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    front: &'a [u8],
    pub(super) shape: Shape,
}

/// Does the checksum in a whole block hold for it, at this place?
pub(super) fn check(block: &[u8], id: u64, offset: u64) -> Result<(), Flaw> {
    let stored = stored_checksum(block)?;
    expect_checksum("block checksum", CRC, stored, checksum(seed(id, offset), &block[LEN..]))
}

/// The checksum that a block carries.
pub(super) fn stored_checksum(block: &[u8]) -> Result<u32, Flaw> {
    match u32_at(block, CRC) {
        Some(stored) if block.len() >= HEADER_LEN => Ok(stored),
        _ => Err(Flaw::new(0, "block length", format_args!("at least {HEADER_LEN}"), block.len())),
    }
}

/// The part of a block that its checksum covers, for those who compute it in pieces.
pub(super) const fn covered() -> usize {
    LEN
}

impl Shape {
    /// The shape of a block of `len` bytes that begins with `front`.
    pub(super) fn parse(front: &[u8], len: usize) -> Result<Self, Flaw> {
        let header: &[u8; HEADER_LEN] = front.first_chunk().ok_or_else(|| {
            Flaw::new(0, "block length", format_args!("at least {HEADER_LEN}"), front.len())
        })?;
        let short = || Flaw::new(0, "block header", "a whole header", "less");
        let stored_len = u32_at(header, LEN).ok_or_else(short)?;
        if stored_len as usize != len {
            return Err(Flaw::new(LEN, "block length", len, stored_len));
        }
        let count = usize::from(u16_at(header, COUNT).ok_or_else(short)?);
        if count == 0 {
            return Err(Flaw::new(COUNT, "block entry count", "at least 1", 0));
        }
        let delta_len = usize::from(header[DELTA_LEN]);
        if delta_len > size_of::<u64>() {
            return Err(Flaw::new(DELTA_LEN, "version delta length", "at most 8", delta_len));
        }
        if header[RESERVED..] != [0; 3] {
            return Err(Flaw::new(
                RESERVED,
                "reserved bytes",
                "zeros",
                format_args!("{:?}", &header[RESERVED..]),
            ));
        }
        let prefix_len = usize::from(u16_at(header, PREFIX_LEN).ok_or_else(short)?);
        let slots = HEADER_LEN + prefix_len;
        let entries = slots + count * SLOT_LEN;
        if entries > front.len() {
            return Err(Flaw::new(COUNT, "block length", format_args!("at least {entries}"), front.len()));
        }
        Ok(Self {
            len,
            count,
            slots,
            entries,
            base_version: u64_at(header, BASE_VERSION).ok_or_else(short)?,
            delta_len,
            delta_mask: if delta_len == 0 { 0 } else { u64::MAX >> (64 - 8 * delta_len) },
        })
    }

    /// The entry `index` of the block that begins with `front`; `None` past the last and where its bytes are not an entry.
    #[expect(
        clippy::inline_always,
        reason = "all of a cursor's step: with the call a step takes twice as long"
    )]
    #[inline(always)]
    pub(super) fn item(&self, front: &[u8], index: usize) -> Option<Item> {
        let Shape { count, slots, entries, base_version, delta_len, delta_mask, len } = *self;
        if index >= count {
            return None;
        }
        let &[a, b, c, d, low, high] = front.get(slots + index * SLOT_LEN..)?.first_chunk()?;
        let mut at = entries + usize::from(u16::from_le_bytes([low, high]));
        let suffix_len = usize::try_from(varint(front, &mut at)?).ok()?;
        let tag = varint(front, &mut at)?;
        let delta = match u64_at(front, at) {
            Some(word) => word & delta_mask,
            None => self.delta_at_end(front, at)?,
        };
        let rest = at + delta_len;
        let value = rest.checked_add(suffix_len.saturating_sub(HEAD_LEN))?;
        let end = value.checked_add(usize::try_from(tag >> VALUE_LEN_SHIFT).ok()?)?;
        if value > front.len() || end > len {
            return None;
        }
        Some(Item {
            head: [a, b, c, d],
            suffix_len,
            rest,
            value,
            end,
            version: Position::new(base_version.checked_add(delta)?),
            kind: Kind::from_byte(u8::try_from(tag & KIND_MASK).ok()?)?,
            again: tag & AGAIN != 0,
        })
    }

    /// A delta with less than eight bytes of the block behind its start.
    #[cold]
    fn delta_at_end(&self, front: &[u8], at: usize) -> Option<u64> {
        let bytes = front.get(at..at.checked_add(self.delta_len)?)?;
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        Some(u64::from_le_bytes(word))
    }

    /// Where the entries begin.
    pub(super) const fn entries(&self) -> usize {
        self.entries
    }
}

impl<'a> Block<'a> {
    pub(super) fn parse(front: &'a [u8], len: usize) -> Result<Self, Flaw> {
        Ok(Self { front, shape: Shape::parse(front, len)? })
    }

    /// The same block as the one that `shape` was parsed from.
    pub(super) const fn with_shape(front: &'a [u8], shape: Shape) -> Self {
        Self { front, shape }
    }

    pub(super) fn prefix(&self) -> &'a [u8] {
        self.front.get(HEADER_LEN..self.shape.slots).unwrap_or_default()
    }

    /// See [`Shape::item`].
    pub(super) fn item(&self, index: usize) -> Option<Item> {
        self.shape.item(self.front, index)
    }

    /// Where the entry `index` begins.
    pub(super) fn item_start(&self, index: usize) -> Option<usize> {
        let offset = u16_at(self.front, self.shape.slots + index * SLOT_LEN + HEAD_LEN)?;
        Some(self.shape.entries + usize::from(offset))
    }

    /// The first entry that is not before `version` of `key`, and whether it has that key. `None` if an entry that
    /// had to be looked at is none.
    pub(super) fn lower_bound(&self, key: &[u8], version: Position) -> Option<(usize, bool)> {
        let prefix = self.prefix();
        let Some(suffix) = key.strip_prefix(prefix) else {
            return Some((if key < prefix { 0 } else { self.shape.count }, false));
        };
        let target = u32::from_be_bytes(head(suffix));
        let (slots, _) = self.front.get(self.shape.slots..self.shape.entries)?.as_chunks::<SLOT_LEN>();
        let head = |&[a, b, c, d, ..]: &[u8; SLOT_LEN]| u32::from_be_bytes([a, b, c, d]);
        let mut low = slots.partition_point(|slot| head(slot) < target);
        let ties = slots[low..].iter().take_while(|slot| head(slot) == target).count();
        let mut high = low + ties;
        let mut equal = false;
        while low < high {
            let middle = low + (high - low) / 2;
            let item = self.item(middle)?;
            let order = self.compare_suffix(&item, suffix)?;
            if order.then(version.cmp(&item.version)) == Ordering::Less {
                low = middle + 1;
            } else {
                high = middle;
                equal = order == Ordering::Equal;
            }
        }
        Some((low, equal))
    }

    /// The suffix of `item` against `suffix`, which has the same head.
    fn compare_suffix(&self, item: &Item, suffix: &[u8]) -> Option<Ordering> {
        let lens = item.suffix_len.min(HEAD_LEN).cmp(&suffix.len().min(HEAD_LEN));
        let rest = self.front.get(item.rest..item.value)?;
        Some(lens.then_with(|| rest.cmp(suffix.get(HEAD_LEN..).unwrap_or_default())))
    }
}

/// Every read of a block, over bytes that need not be one.
#[cfg(any(fuzzing, test))]
pub(super) fn exercise(bytes: &[u8]) {
    let _ = check(bytes, 0, 0);
    let Ok(block) = Block::parse(bytes, bytes.len()) else { return };
    let mut key = super::key::KeyBuffer::default();
    key.enter(block.prefix());
    for index in 0..block.shape.count {
        let Some(item) = block.item(index) else { continue };
        key.set(&item, bytes);
        let _ = block.lower_bound(key.get(), item.version);
        let _ = block.lower_bound(&key.get()[..key.get().len() / 2], Position::MAX);
    }
}
