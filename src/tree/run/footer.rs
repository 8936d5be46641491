//! The end of a run: what it holds, where its sections are, their checksums.
//!
//! F1. The last sixteen bytes, the *seal*, are magic, format version and a checksum of both, in this and every later
//!     version, so that a file of a newer version is told from a damaged one.
//! F2. The footer holds a checksum of every section, of all block checksums in order, and of itself: its own checksum
//!     names the content of the whole file.

use super::{
    RunId,
    block::HEADER_LEN,
    filter::LINE_LEN,
    format::{FULL_KEY_LEN_MAX, Flaw, checksum, expect_checksum, u32_at, u64_at},
    index,
};
use crate::storage::File;
use std::ops::Range;

const MAGIC: [u8; 8] = *b"4foldRUN";
pub(super) const FORMAT_VERSION: u32 = 1;

const MIN_KEY_LEN: usize = 0;
const MAX_KEY_LEN: usize = MIN_KEY_LEN + size_of::<u32>();
const ID: usize = MAX_KEY_LEN + size_of::<u32>();
const ENTRIES: usize = ID + size_of::<u64>();
const DELETES: usize = ENTRIES + size_of::<u64>();
const KEYS: usize = DELETES + size_of::<u64>();
const BLOCKS: usize = KEYS + size_of::<u64>();
const MIN_VERSION: usize = BLOCKS + size_of::<u64>();
const MAX_VERSION: usize = MIN_VERSION + size_of::<u64>();
const FILTER: usize = MAX_VERSION + size_of::<u64>();
const INDEX: usize = FILTER + size_of::<u64>();
const FOOTER: usize = INDEX + size_of::<u64>();
const BLOCKS_CRC: usize = FOOTER + size_of::<u64>();
const FILTER_CRC: usize = BLOCKS_CRC + size_of::<u32>();
const INDEX_CRC: usize = FILTER_CRC + size_of::<u32>();
const FOOTER_CRC: usize = INDEX_CRC + size_of::<u32>();
const SEAL: usize = FOOTER_CRC + size_of::<u32>();
const SEAL_VERSION: usize = SEAL + MAGIC.len();
const SEAL_CRC: usize = SEAL_VERSION + size_of::<u32>();
/// Length of what follows the two keys.
pub(super) const TAIL_LEN: usize = SEAL_CRC + size_of::<u32>();
const _: () = assert!(TAIL_LEN == 120);
const _: () = assert!(TAIL_LEN - SEAL == 16, "F1");
const LEN_MAX: usize = TAIL_LEN + 2 * FULL_KEY_LEN_MAX;
/// What is read of the end of a file first: all of the footer, unless its keys are long.
pub(super) const FIRST_READ_LEN: usize = 2 << 10;

/// What a run says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) id: RunId,
    pub(super) entries: u64,
    pub(super) deletes: u64,
    /// Distinct keys.
    pub(super) keys: u64,
    pub(super) blocks: u64,
    pub(super) min_version: u64,
    pub(super) max_version: u64,
    /// Offsets: blocks end and the filter's section begins; the index; the footer.
    pub(super) filter_at: u64,
    pub(super) index_at: u64,
    pub(super) index_end: u64,
    /// Of the checksums of all blocks in order.
    pub(super) blocks_crc: u32,
    pub(super) filter_crc: u32,
    pub(super) index_crc: u32,
}

/// A footer as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) footer: Footer,
    pub(super) checksum: u32,
    /// In the bytes that were parsed.
    pub(super) min_key: Range<usize>,
    pub(super) max_key: Range<usize>,
}

/// Why a file has no footer that this build reads.
#[derive(Debug)]
pub(super) enum Refusal {
    Flaw(Flaw),
    /// The seal is whole and of this newer version.
    Version(u32),
}

impl From<Flaw> for Refusal {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

impl Footer {
    pub(super) fn put(&self, out: &mut Vec<u8>, min_key: &[u8], max_key: &[u8]) {
        let start = out.len();
        out.extend_from_slice(min_key);
        out.extend_from_slice(max_key);
        for key in [min_key, max_key] {
            out.extend_from_slice(&u32::try_from(key.len()).expect("the writer bounds keys").to_le_bytes());
        }
        for word in [
            self.id.get(),
            self.entries,
            self.deletes,
            self.keys,
            self.blocks,
            self.min_version,
            self.max_version,
            self.filter_at,
            self.index_at,
            self.index_end,
        ] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        for crc in [self.blocks_crc, self.filter_crc, self.index_crc] {
            out.extend_from_slice(&crc.to_le_bytes());
        }
        let crc = checksum(0, &out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
        let seal = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        let crc = checksum(0, &out[seal..]);
        out.extend_from_slice(&crc.to_le_bytes());
    }

    /// Where the filter's lines begin: the section's first bytes are zeros up to a cache line.
    pub(super) fn filter_lines(&self) -> u64 {
        self.filter_at.next_multiple_of(LINE_LEN as u64)
    }

    /// Do the numbers fit each other, so that sections are where they can be?
    fn check(&self) -> Result<(), Flaw> {
        let demand = |holds: bool, at: usize, what: &'static str, expected: &'static str, found: u64| {
            if holds { Ok(()) } else { Err(Flaw::new(at, what, expected, found)) }
        };
        demand(self.blocks > 0, BLOCKS, "block count", "at least 1", self.blocks)?;
        demand(self.keys >= 1, KEYS, "key count", "at least 1", self.keys)?;
        demand(self.keys <= self.entries, KEYS, "key count", "at most the entries", self.keys)?;
        demand(self.blocks <= self.entries, BLOCKS, "block count", "at most the entries", self.blocks)?;
        demand(self.deletes <= self.entries, DELETES, "delete count", "at most the entries", self.deletes)?;
        demand(
            self.min_version <= self.max_version,
            MIN_VERSION,
            "version range",
            "in order",
            self.min_version,
        )?;
        let data = self.blocks.checked_mul(HEADER_LEN as u64);
        demand(
            data.is_some_and(|data| data <= self.filter_at),
            FILTER,
            "filter offset",
            "behind blocks",
            self.filter_at,
        )?;
        demand(self.index_at <= self.index_end, INDEX, "index offset", "before the footer", self.index_at)?;
        let lines = self.filter_at.checked_next_multiple_of(LINE_LEN as u64);
        demand(
            lines.is_some_and(|lines| lines < self.index_at),
            FILTER,
            "filter offset",
            "before the index",
            self.filter_at,
        )?;
        let index = self.blocks.checked_mul(index::SLOT_LEN as u64);
        demand(
            index.is_some_and(|index| index <= self.index_end - self.index_at),
            BLOCKS,
            "block count",
            "no more than the index holds",
            self.blocks,
        )
    }
}

/// Where the end of a file of `len` bytes begins that has all of its footer in it, and that end.
pub(super) fn read_end(file: &impl File, len: usize) -> crate::Result<(usize, Vec<u8>)> {
    let read = |wanted: usize| {
        let end_at = len.saturating_sub(wanted);
        let mut end = vec![0; len - end_at];
        file.read_at(&mut end, end_at as u64).map(|()| (end_at, end))
    };
    let (end_at, end) = read(FIRST_READ_LEN)?;
    // Not verified yet: if they are wrong, more is read than is needed, and the parser says what is wrong.
    let key_len = |at| Some(u32_at(&end, end.len().checked_sub(TAIL_LEN)? + at)? as usize);
    match key_len(MIN_KEY_LEN).zip(key_len(MAX_KEY_LEN)) {
        Some((min, max)) if min.saturating_add(max) > end.len() - TAIL_LEN => read(LEN_MAX),
        _ => Ok((end_at, end)),
    }
}

/// The footer of a file of `file_len` bytes that ends with `end`; flaws are relative to `end`.
pub(super) fn parse(end: &[u8], file_len: u64) -> Result<Parsed, Refusal> {
    let missing = || Flaw::new(0, "run length", format_args!("at least {TAIL_LEN}"), end.len());
    let tail_at = end.len().checked_sub(TAIL_LEN).ok_or_else(missing)?;
    let tail = &end[tail_at..];
    let word = |at| u64_at(tail, at).ok_or_else(missing);
    let half = |at| u32_at(tail, at).ok_or_else(missing);

    let magic = &tail[SEAL..SEAL_VERSION];
    if magic != MAGIC {
        let found = magic.escape_ascii();
        Err(Flaw::new(tail_at + SEAL, "run magic", MAGIC.escape_ascii(), found))?;
    }
    let seal_crc = checksum(0, &tail[SEAL..SEAL_CRC]);
    expect_checksum("seal checksum", tail_at + SEAL_CRC, half(SEAL_CRC)?, seal_crc)?;
    let version = half(SEAL_VERSION)?;
    if version > FORMAT_VERSION {
        return Err(Refusal::Version(version));
    }
    if version != FORMAT_VERSION {
        Err(Flaw::new(tail_at + SEAL_VERSION, "format version", FORMAT_VERSION, version))?;
    }

    let (min_len, max_len) = (half(MIN_KEY_LEN)? as usize, half(MAX_KEY_LEN)? as usize);
    let max_start = tail_at.checked_sub(max_len);
    let Some(min_start) = max_start.and_then(|start| start.checked_sub(min_len)) else {
        let fits = format_args!("at most {tail_at} together").to_string();
        return Err(Flaw::new(tail_at, "key lengths", fits, format_args!("{min_len} and {max_len}")).into());
    };
    let min_key = min_start..min_start + min_len;
    let max_key = min_key.end..tail_at;
    let crc = half(FOOTER_CRC)?;
    expect_checksum(
        "footer checksum",
        tail_at + FOOTER_CRC,
        crc,
        checksum(0, &end[min_start..tail_at + FOOTER_CRC]),
    )?;

    let footer = Footer {
        id: RunId::new(word(ID)?),
        entries: word(ENTRIES)?,
        deletes: word(DELETES)?,
        keys: word(KEYS)?,
        blocks: word(BLOCKS)?,
        min_version: word(MIN_VERSION)?,
        max_version: word(MAX_VERSION)?,
        filter_at: word(FILTER)?,
        index_at: word(INDEX)?,
        index_end: word(FOOTER)?,
        blocks_crc: half(BLOCKS_CRC)?,
        filter_crc: half(FILTER_CRC)?,
        index_crc: half(INDEX_CRC)?,
    };
    let footer_len = (end.len() - min_start) as u64;
    if footer.index_end.checked_add(footer_len) != Some(file_len) {
        let expected = file_len.saturating_sub(footer_len);
        Err(Flaw::new(tail_at + FOOTER, "footer offset", expected, footer.index_end))?;
    }
    footer.check().map_err(|flaw| Flaw { at: tail_at + flaw.at, ..flaw })?;
    if end[min_key.clone()] > end[max_key.clone()] {
        Err(Flaw::new(min_start, "key range", "in order", "reversed"))?;
    }
    Ok(Parsed { footer, checksum: crc, min_key, max_key })
}

#[cfg(any(fuzzing, test))]
pub(super) fn exercise(bytes: &[u8]) {
    if let Ok(parsed) = parse(bytes, bytes.len() as u64) {
        assert!(parsed.footer.filter_lines() < parsed.footer.index_at);
    }
}
