//! Puts blocks together, as `block` lays them out.

use super::{
    block::{AGAIN, COUNT, CRC, HEAD_LEN, HEADER_LEN, LEN, OFFSET_LEN, RESERVED, SLOT_LEN, VALUE_LEN_SHIFT},
    format::{checksum, head, put_varint, seed, varint_len},
    index,
};
use crate::tree::entry::{Entry, Kind};

/// Collects the entries of the next block.
#[derive(Debug, Default)]
pub(super) struct BlockBuilder {
    keys: Vec<u8>,
    values: Vec<u8>,
    entries: Vec<Staged>,
    prefix_len: usize,
    /// Lengths of all keys, values, tags and offsets: what the block would take without heads, deltas and a prefix.
    plain_len: usize,
    min_version: u64,
    max_version: u64,
}

#[derive(Debug)]
struct Staged {
    key_end: usize,
    value_end: usize,
    version: u64,
    kind: Kind,
    again: bool,
}

fn tag(entry_kind: Kind, again: bool, value_len: usize) -> u64 {
    (value_len as u64) << VALUE_LEN_SHIFT | if again { AGAIN } else { 0 } | u64::from(entry_kind as u8)
}

/// Bytes that a delta up to `spread` needs.
const fn delta_len(spread: u64) -> usize {
    (u64::BITS - spread.leading_zeros()).div_ceil(8) as usize
}

impl BlockBuilder {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// About what the block takes as it is.
    pub(super) fn len(&self) -> usize {
        HEADER_LEN + self.plain_len
    }

    /// What the block would take at most with `entry`, whose key shares `shared` bytes with the one before.
    pub(super) fn len_with(&self, entry: &Entry<'_>, shared: usize) -> usize {
        let plain = self.plain_len + plain_len(entry);
        let version = entry.version.get();
        let (count, prefix, spread) = if self.is_empty() {
            (1, entry.key.len(), 0)
        } else {
            let spread = self.max_version.max(version) - self.min_version.min(version);
            (self.entries.len() + 1, self.prefix_len.min(shared), spread)
        };
        HEADER_LEN + prefix + plain + count * (HEAD_LEN + delta_len(spread)) - count * prefix
    }

    /// Is a block of at least a quarter of `target` better closed before an entry that shares `shared` bytes with the
    /// last key? If the prefix that its keys would lose is longer than what one more block takes: the end of a
    /// partition. Apart, both are smaller, and heads tell more keys apart.
    pub(super) fn ends_before(&self, shared: usize, target: usize) -> bool {
        let lost = self.prefix_len.saturating_sub(shared) * self.entries.len();
        self.entries.len() > 1
            && lost > HEADER_LEN + index::SLOT_LEN + 2 * self.prefix_len
            && self.len() * 4 >= target
    }

    pub(super) fn push(&mut self, entry: &Entry<'_>, shared: usize, again: bool) {
        let version = entry.version.get();
        if self.is_empty() {
            self.prefix_len = entry.key.len();
            (self.min_version, self.max_version) = (version, version);
        } else {
            self.prefix_len = self.prefix_len.min(shared);
            self.min_version = self.min_version.min(version);
            self.max_version = self.max_version.max(version);
        }
        self.plain_len += plain_len(entry);
        self.keys.extend_from_slice(entry.key);
        self.values.extend_from_slice(entry.value);
        let (key_end, value_end) = (self.keys.len(), self.values.len());
        self.entries.push(Staged { key_end, value_end, version, kind: entry.kind, again });
    }

    /// Appends the block to `out` and forgets its entries. Returns its checksum.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>, id: u64, offset: u64) -> u32 {
        let (start, count, prefix) = (out.len(), self.entries.len(), self.prefix_len);
        let delta_len = delta_len(self.max_version - self.min_version);
        put_header(out, self.min_version, count, prefix, delta_len);
        out.extend_from_slice(&self.keys[..prefix]);
        let slots = out.len();
        out.resize(slots + count * SLOT_LEN, 0);
        let entries = out.len();
        let (mut key_start, mut value_start) = (0, 0);
        for (index, entry) in self.entries.iter().enumerate() {
            let entry_offset =
                u16::try_from(out.len() - entries).expect("a block of several entries is short (B5)");
            let suffix = &self.keys[key_start + prefix..entry.key_end];
            let on_disk = &mut out[slots + index * SLOT_LEN..][..SLOT_LEN];
            on_disk[..HEAD_LEN].copy_from_slice(&head::<HEAD_LEN>(suffix));
            on_disk[HEAD_LEN..].copy_from_slice(&entry_offset.to_le_bytes());
            let value = &self.values[value_start..entry.value_end];
            put_varint(out, suffix.len() as u64);
            put_varint(out, tag(entry.kind, entry.again, value.len()));
            out.extend_from_slice(&(entry.version - self.min_version).to_le_bytes()[..delta_len]);
            out.extend_from_slice(suffix.get(HEAD_LEN..).unwrap_or_default());
            out.extend_from_slice(value);
            (key_start, value_start) = (entry.key_end, entry.value_end);
        }
        self.keys.clear();
        self.values.clear();
        self.entries.clear();
        self.plain_len = 0;
        seal(out, start, &[], id, offset)
    }
}

fn plain_len(entry: &Entry<'_>) -> usize {
    OFFSET_LEN
        + varint_len(entry.key.len() as u64)
        + varint_len(tag(entry.kind, true, entry.value.len()))
        + entry.key.len()
        + entry.value.len()
}

/// Appends the front of a block of `entry` alone to `out`; the value is to follow. Returns the block's checksum.
pub(super) fn put_lone_front(out: &mut Vec<u8>, entry: &Entry<'_>, again: bool, id: u64, offset: u64) -> u32 {
    let start = out.len();
    put_header(out, entry.version.get(), 1, entry.key.len(), 0);
    out.extend_from_slice(entry.key);
    out.extend_from_slice(&[0; SLOT_LEN]);
    put_varint(out, 0);
    put_varint(out, tag(entry.kind, again, entry.value.len()));
    seal(out, start, entry.value, id, offset)
}

fn put_header(out: &mut Vec<u8>, base_version: u64, count: usize, prefix_len: usize, delta_len: usize) {
    out.extend_from_slice(&[0; COUNT]);
    let end = out.len();
    out[end - size_of::<u64>()..].copy_from_slice(&base_version.to_le_bytes());
    out.extend_from_slice(
        &u16::try_from(count).expect("a block of several entries is short (B5)").to_le_bytes(),
    );
    out.extend_from_slice(&u16::try_from(prefix_len).expect("the writer bounds keys").to_le_bytes());
    out.push(u8::try_from(delta_len).expect("at most eight"));
    out.extend_from_slice(&[0; HEADER_LEN - RESERVED]);
}

/// Fills in length and checksum of the block that begins at `start` and ends with `value`.
fn seal(out: &mut [u8], start: usize, value: &[u8], id: u64, offset: u64) -> u32 {
    let block = &mut out[start..];
    let len = u32::try_from(block.len() + value.len()).expect("the writer bounds values");
    block[LEN..][..size_of::<u32>()].copy_from_slice(&len.to_le_bytes());
    let crc = checksum(checksum(seed(id, offset), &block[LEN..]), value);
    block[CRC..LEN].copy_from_slice(&crc.to_le_bytes());
    crc
}
