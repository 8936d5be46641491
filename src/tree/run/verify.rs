//! Reads a run whole, from the disk and not from its map, and reports whatever is not as it was written.
//!
//! V1. Memory is one chunk, the index and the filter: of a block longer than a chunk only the front is kept.
//! V2. What a broken part would be needed for is left out; the rest is checked all the same.

use super::{
    block::{self, Block, Item},
    filter::{self, Filter},
    footer::{self, Footer},
    format::{CHUNK_LEN, Flaw, checksum, expect_checksum, in_map, seed},
    index::Index,
    key::KeyBuffer,
    reader::{Run, refused},
};
use crate::{
    Corruption, Error, Result,
    position::Position,
    storage::File,
    tree::entry::{Entry, Kind},
};
use std::{fmt::Display, ops::Range};

impl<F: File> Run<F> {
    /// Checks every byte, and that all that the run says of itself is so. Findings go to `report`; an error is what
    /// kept the check from going on, such as a device that does not read.
    pub(crate) fn verify(&self, report: &mut impl FnMut(Corruption)) -> Result<()> {
        if !reported(self.verify_footer(), report)? {
            return Ok(());
        }
        let Footer { filter_at, index_at, index_end, filter_crc, index_crc, .. } = self.footer;
        let filter_bytes = self.read_section("filter checksum", filter_at..index_at, filter_crc, report)?;
        let index_bytes = self.read_section("index checksum", index_at..index_end, index_crc, report)?;
        let Some(index_bytes) = index_bytes else { return Ok(()) };
        let index = self.parse_index(&index_bytes).map_err(|flaw| self.corrupt(self.footer.index_at, flaw));
        let Some(index) = told(index, report)? else { return Ok(()) };
        let filter = match &filter_bytes {
            Some(bytes) => {
                let padding =
                    usize::try_from(self.footer.filter_lines() - self.footer.filter_at).unwrap_or(0);
                let lines = bytes.get(padding..).unwrap_or_default();
                let clean = bytes.iter().take(padding).all(|&byte| byte == 0);
                let parsed = Filter::parse(lines);
                let parsed =
                    if clean { parsed } else { Err(Flaw::new(0, "filter padding", "zeros", "other")) };
                told(parsed.map_err(|flaw| self.corrupt(self.footer.filter_at, flaw)), report)?
            }
            None => None,
        };
        Walk { run: self, index, filter, seen: Seen::default(), key: KeyBuffer::default() }.all(report)
    }

    /// Is the footer still what it was at open?
    fn verify_footer(&self) -> Result<()> {
        let file_len = self.file.len()?;
        if file_len != self.meta().file_len {
            return Err(
                Corruption::new(self.file.path(), 0, "run length", self.meta().file_len, file_len).into()
            );
        }
        let (end_at, end) = footer::read_end(&self.file, self.map.len())?;
        let parsed = footer::parse(&end, file_len).map_err(|refusal| refused(&self.file, end_at, refusal))?;
        if parsed.footer == self.footer && parsed.checksum == self.meta().checksum {
            return Ok(());
        }
        let flaw = Flaw::new(
            0,
            "run footer",
            format_args!("{:?}", self.footer),
            format_args!("{:?}", parsed.footer),
        );
        Err(self.corrupt(self.footer.index_end, flaw))
    }

    fn read_section(
        &self,
        what: &'static str,
        range: Range<u64>,
        stored: u32,
        report: &mut impl FnMut(Corruption),
    ) -> Result<Option<Vec<u8>>> {
        // `from_file` found every section within the file, whose length is still the same.
        let Some(in_map) = in_map(range.clone()) else { return Ok(None) };
        let mut bytes = vec![0; in_map.len()];
        self.file.read_at(&mut bytes, range.start)?;
        let actual = checksum(seed(self.meta().id.get(), range.start), &bytes);
        let checked =
            expect_checksum(what, 0, stored, actual).map_err(|flaw| self.corrupt(range.start, flaw));
        Ok(reported(checked, report)?.then_some(bytes))
    }
}

/// Corruption is a finding; any other error is one. True if there was neither.
fn reported(result: Result<()>, report: &mut impl FnMut(Corruption)) -> Result<bool> {
    Ok(told(result, report)?.is_some())
}

fn told<T>(result: Result<T>, report: &mut impl FnMut(Corruption)) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Corrupt(corruption)) => {
            report(*corruption);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What the blocks so far contained.
#[derive(Debug, Default)]
struct Seen {
    entries: u64,
    deletes: u64,
    keys: u64,
    versions: Option<(Position, Position)>,
    blocks_crc: crc32fast::Hasher,
    /// The last entry of the block before; `None` after a block that did not verify.
    last: Option<(Vec<u8>, Position)>,
}

struct Walk<'a, F> {
    run: &'a Run<F>,
    index: Index<'a>,
    filter: Option<Filter<'a>>,
    seen: Seen,
    key: KeyBuffer,
}

impl<F: File> Walk<'_, F> {
    fn all(mut self, report: &mut impl FnMut(Corruption)) -> Result<()> {
        let mut front = Vec::new();
        let mut whole = true;
        let mut end = 0;
        for number in 0..self.index.blocks() {
            let Some(extent) = told(self.run.extent(&self.index, number), report)? else {
                whole = false;
                self.seen.last = None;
                continue;
            };
            let start = extent.start as u64;
            let gap = (extent.start != end).then(|| Flaw::new(0, "block offset", end, extent.start));
            end = extent.end;
            let flaw = match gap {
                Some(gap) => Err(gap),
                None => {
                    self.read(&mut front, &extent)?.and_then(|()| self.block(number, &front, extent.len()))
                }
            };
            if let Err(flaw) = flaw {
                whole = false;
                self.seen.last = None;
                report(self.run.corruption(start, flaw));
            }
        }
        let run = self.run;
        if whole && let Err(flaw) = self.totals() {
            report(run.corruption(run.footer.index_end, flaw));
        }
        Ok(())
    }

    /// Reads the front of a block and checks the checksum of all of it.
    fn read(&mut self, front: &mut Vec<u8>, extent: &Range<usize>) -> Result<Result<(), Flaw>> {
        let file = &self.run.file;
        let read = |at: usize, buffer: &mut Vec<u8>| {
            buffer.clear();
            buffer.resize((extent.end - at).min(CHUNK_LEN), 0);
            file.read_at(buffer, at as u64)
        };
        read(extent.start, front)?;
        let stored = match block::stored_checksum(front) {
            Ok(stored) => stored,
            Err(flaw) => return Ok(Err(flaw)),
        };
        let seed = seed(self.run.meta().id.get(), extent.start as u64);
        let mut actual = checksum(seed, &front[block::covered()..]);
        let mut at = extent.start + front.len();
        let mut more = Vec::new();
        while at < extent.end {
            read(at, &mut more)?;
            actual = checksum(actual, &more);
            at += more.len();
        }
        self.seen.blocks_crc.update(&stored.to_le_bytes());
        Ok(expect_checksum("block checksum", block::CRC, stored, actual))
    }

    fn block(&mut self, number: usize, front: &[u8], len: usize) -> Result<(), Flaw> {
        let block = Block::parse(front, len)?;
        self.key.enter(block.prefix());
        let mut end = block.shape.entries();
        for place in 0..block.shape.count {
            let broken = || Flaw::new(end, "block entry", "within its block", format_args!("entry {place}"));
            let item = block.item(place).ok_or_else(broken)?;
            let start = block.item_start(place).ok_or_else(broken)?;
            expect(end, "entry offset", end, start)?;
            let padding = item.head.get(item.suffix_len..).unwrap_or_default();
            if padding.iter().any(|&byte| byte != 0) {
                return Err(Flaw::new(start, "padding of a key head", "zeros", format_args!("{padding:?}")));
            }
            self.key.set(&item, front);
            if place == 0 {
                self.first(number, &item)?;
            }
            self.entry(start, &item)?;
            end = item.end;
        }
        expect(end, "end of entries", len, end)
    }

    /// Does the index say what a block begins with?
    fn first(&self, number: usize, item: &Item) -> Result<(), Flaw> {
        let version = if item.again { item.version } else { Position::MAX };
        let separator = self.index.separator(number);
        if separator != Some((self.key.get(), version)) {
            return Err(Flaw::new(
                0,
                "first key in the index",
                show(self.key.get()),
                format_args!("{separator:?}"),
            ));
        }
        if self.index.head(number) != Some(self.index.head_of(self.key.get())) {
            return Err(Flaw::new(0, "key head in the index", show(self.key.get()), "another"));
        }
        Ok(())
    }

    fn entry(&mut self, at: usize, item: &Item) -> Result<(), Flaw> {
        let entry = Entry { key: self.key.get(), version: item.version, kind: item.kind, value: &[] };
        if let Some((key, version)) = &self.seen.last {
            let again = entry.key == key.as_slice();
            expect(at, "same key as before", again, item.again)?;
            let ordered = if again { entry.version < *version } else { entry.key > key.as_slice() };
            if !ordered {
                return Err(Flaw::new(at, "entry order", "ascending", show(entry.key)));
            }
        }
        if let Some(filter) = &self.filter
            && !filter.may_contain(filter::hash(entry.key))
        {
            return Err(Flaw::new(at, "filter", format_args!("contains {}", show(entry.key)), "does not"));
        }
        if entry.kind == Kind::Delete && item.end > item.value {
            return Err(Flaw::new(at, "value of a delete", "empty", item.end - item.value));
        }
        self.seen.entries += 1;
        self.seen.deletes += u64::from(entry.kind == Kind::Delete);
        self.seen.keys += u64::from(!item.again);
        let (low, high) = self.seen.versions.unwrap_or((entry.version, entry.version));
        self.seen.versions = Some((low.min(entry.version), high.max(entry.version)));
        match &mut self.seen.last {
            Some((key, version)) => {
                key.clear();
                key.extend_from_slice(entry.key);
                *version = entry.version;
            }
            last @ None => *last = Some((entry.key.to_vec(), entry.version)),
        }
        Ok(())
    }

    /// Do the blocks add up to what the footer says? Only asked when every block was fine.
    fn totals(self) -> Result<(), Flaw> {
        let (footer, meta, seen) = (&self.run.footer, self.run.meta(), self.seen);
        expect(0, "entry count", footer.entries, seen.entries)?;
        expect(0, "delete count", footer.deletes, seen.deletes)?;
        expect(0, "key count", footer.keys, seen.keys)?;
        let versions = seen.versions.unwrap_or_default();
        expect(0, "lowest version", meta.min_version, versions.0)?;
        expect(0, "highest version", meta.max_version, versions.1)?;
        let first = self.index.separator(0).map_or(&[][..], |(key, _)| key);
        let last = seen.last.map_or(Vec::new(), |(key, _)| key);
        for (what, expected, found) in
            [("lowest key", &meta.min_key, first), ("highest key", &meta.max_key, last.as_slice())]
        {
            if *expected != *found {
                return Err(Flaw::new(0, what, show(expected), show(found)));
            }
        }
        expect(0, "end of index", true, self.index.keys_end_with_the_section())?;
        expect_checksum("checksum of blocks", 0, footer.blocks_crc, seen.blocks_crc.finalize())
    }
}

fn expect<T: PartialEq + Display>(at: usize, what: &'static str, expected: T, found: T) -> Result<(), Flaw> {
    if expected == found { Ok(()) } else { Err(Flaw::new(at, what, expected, found)) }
}

fn show(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}
