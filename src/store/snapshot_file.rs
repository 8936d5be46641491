//! A snapshot as one stream of bytes: the same on every machine, whatever kind of store it came from.
//!
//! F1. The stream is a prefix of blocks, each with a checksum over itself and all before it: damage, truncation, a block
//!     out of place, two streams joined into one are all found where they begin. What comes behind its end is not
//!     read.
//! F2. What names a resource comes last. A store into which an import did not finish has none.
//! F3. Positions and incarnations of the imported store are behind those of its origin, so what engines number by them
//!     goes on.
//!
//! The bytes are described in `docs/format.md`, "Snapshot file".

use crate::codec::{Malformed, Reader, Writer, checksums_agree};
use crate::error::{Corruption, Error, Result};
use crate::limits::KEY_LEN_MAX;
use bytes::Bytes;
use std::fmt;
use std::io::{self, Read, Write};

const MAGIC: &[u8; 8] = b"4FOLDSNP";
const FORMAT_VERSION: u32 = 1;
const PREFIX_LEN: usize = MAGIC.len() + size_of::<u32>();
/// How every file of this version begins.
#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
pub(crate) const PREFIX: [u8; PREFIX_LEN] = *b"4FOLDSNP\x01\0\0\0";
/// Kind, length, checksum.
const BLOCK_HEAD_LEN: usize = 1 + 2 * size_of::<u32>();
/// Bytes of entries from which on a block is full.
const BLOCK_LEN: usize = 256 << 10;
/// Where errors say that they were found.
const FILE: &str = "snapshot";
/// Above every position of a store that lives: 2^62.
const POSITION_MAX: u64 = 1 << 62;
/// Above every incarnation.
const EPOCH_MAX: u32 = 1 << 31;
/// The last millisecond of the year 9999.
const NOW_MAX: u64 = 253_402_300_799_999;
/// Above every id of a keyspace.
const KEYSPACE_MAX: u32 = 1 << 31;
/// Names of accounts and regions are short.
const NAME_LEN_MAX: usize = 64;

/// What a snapshot says of its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) epoch: u32,
    /// Where its log ended.
    pub(super) position: u64,
    /// What time it was, in milliseconds.
    pub(super) now: u64,
    /// Above all ids of keyspaces.
    pub(super) next_keyspace: u32,
    pub(super) account: String,
    pub(super) region: String,
}

/// What a block says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    Origin(Origin),
    /// A keyspace begins; its keys below the floor are gone.
    Keyspace {
        id: u32,
        floor: Bytes,
    },
    /// Entries of that keyspace, in the order of their keys.
    Entries(Vec<(Bytes, Bytes)>),
    /// There were so many.
    End {
        keyspaces: u64,
        entries: u64,
        bytes: u64,
    },
}

const ORIGIN: u8 = 1;
const KEYSPACE: u8 = 2;
const ENTRIES: u8 = 3;
const END: u8 = 4;

fn io_error(op: &'static str, source: io::Error) -> Error {
    Error::io(op, FILE, 0, source)
}

/// Writes blocks.
pub(super) struct BlockWriter<W> {
    to: W,
    chain: u32,
    entries: Writer,
}

impl<W: Write> BlockWriter<W> {
    /// Begins a stream.
    pub(super) fn new(mut to: W) -> Result<Self> {
        let mut prefix = Writer::with_capacity(PREFIX_LEN);
        prefix.raw(MAGIC);
        prefix.u32(FORMAT_VERSION);
        to.write_all(prefix.as_slice()).map_err(|error| io_error("write", error))?;
        Ok(Self { to, chain: crc32fast::hash(prefix.as_slice()), entries: Writer::new() })
    }

    pub(super) fn origin(&mut self, origin: &Origin) -> Result<()> {
        let mut writer = Writer::new();
        writer.u32(origin.epoch);
        writer.u64(origin.position);
        writer.u64(origin.now);
        writer.u32(origin.next_keyspace);
        writer.bytes(origin.account.as_bytes());
        writer.bytes(origin.region.as_bytes());
        self.block(ORIGIN, writer.as_slice())
    }

    pub(super) fn keyspace(&mut self, id: u32, floor: &[u8]) -> Result<()> {
        self.flush_entries()?;
        let mut writer = Writer::new();
        writer.u32(id);
        writer.bytes(floor);
        self.block(KEYSPACE, writer.as_slice())
    }

    pub(super) fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.entries.bytes(key);
        self.entries.bytes(value);
        if self.entries.len() >= BLOCK_LEN { self.flush_entries() } else { Ok(()) }
    }

    /// Ends the stream and gives back what it was written to.
    pub(super) fn end(mut self, keyspaces: u64, entries: u64, bytes: u64) -> Result<W> {
        self.flush_entries()?;
        let mut writer = Writer::new();
        for number in [keyspaces, entries, bytes] {
            writer.u64(number);
        }
        self.block(END, writer.as_slice())?;
        self.to.flush().map_err(|error| io_error("write", error))?;
        Ok(self.to)
    }

    fn flush_entries(&mut self) -> Result<()> {
        if self.entries.len() == 0 {
            return Ok(());
        }
        let entries = std::mem::take(&mut self.entries);
        self.block(ENTRIES, entries.as_slice())
    }

    fn block(&mut self, kind: u8, payload: &[u8]) -> Result<()> {
        let too_large = || Error::TooLarge {
            what: "snapshot block",
            len: payload.len() as u64,
            max: u64::from(u32::MAX),
        };
        let len = u32::try_from(payload.len()).map_err(|_| too_large())?;
        self.chain = chained(self.chain, kind, len, payload);
        let mut head = Writer::with_capacity(BLOCK_HEAD_LEN);
        head.u8(kind);
        head.u32(len);
        head.u32(self.chain);
        let written = self.to.write_all(head.as_slice()).and_then(|()| self.to.write_all(payload));
        written.map_err(|error| io_error("write", error))
    }
}

/// The checksum of a block, which is also the seed of the next one's (F1).
fn chained(before: u32, kind: u8, len: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&before.to_le_bytes());
    hasher.update(&[kind]);
    hasher.update(&len.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Reads blocks.
pub(super) struct BlockReader<R> {
    from: R,
    chain: u32,
    /// Bytes read so far.
    offset: u64,
}

impl<R: Read> BlockReader<R> {
    /// Reads how a stream begins.
    pub(super) fn new(mut from: R) -> Result<Self> {
        let prefix = take(&mut from, PREFIX_LEN)?;
        let (magic, version) = prefix.split_at_checked(MAGIC.len()).unwrap_or((&prefix, &[]));
        if magic != MAGIC {
            let (expected, found) = (MAGIC.escape_ascii(), magic.escape_ascii());
            return Err(Corruption::new(FILE, 0, "snapshot magic", expected, found).into());
        }
        let Ok(version) = <[u8; 4]>::try_from(version) else {
            return Err(truncated(prefix.len() as u64, "snapshot version"));
        };
        let found = u32::from_le_bytes(version);
        if found != FORMAT_VERSION {
            return Err(Error::Version { path: FILE.into(), found, supported: FORMAT_VERSION });
        }
        Ok(Self { from, chain: crc32fast::hash(&prefix), offset: PREFIX_LEN as u64 })
    }

    /// The next block. A stream that ends without its last block is an error.
    pub(super) fn next(&mut self) -> Result<Block> {
        let head = take(&mut self.from, BLOCK_HEAD_LEN)?;
        let mut reader = Reader::new(&head);
        let fields = (|| Ok((reader.u8("kind")?, reader.u32("length")?, reader.u32("checksum")?)))();
        let (kind, len, expected) =
            fields.map_err(|_: Malformed| truncated(self.offset, "snapshot block"))?;
        let payload = take(&mut self.from, len as usize)?;
        if payload.len() < len as usize {
            return Err(truncated(self.offset, "snapshot block"));
        }
        let found = chained(self.chain, kind, len, &payload);
        if !checksums_agree(expected, found) {
            let (expected, found) = (format!("{expected:08x}"), format!("{found:08x}"));
            return Err(Corruption::new(FILE, self.offset, "snapshot block checksum", expected, found).into());
        }
        let block = decode(kind, &Bytes::from(payload)).map_err(|malformed| {
            let at = self.offset + BLOCK_HEAD_LEN as u64;
            Malformed { offset: at + malformed.offset, ..malformed }.in_file(FILE.as_ref())
        })?;
        self.chain = found;
        self.offset += BLOCK_HEAD_LEN as u64 + u64::from(len);
        Ok(block)
    }

    /// Something in the block just read cannot be.
    #[cold]
    pub(super) fn refuse(
        &self,
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Error {
        Corruption::new(FILE, self.offset, what, expected, found).into()
    }
}

/// Up to `len` bytes: fewer at the end. Room is made as bytes come, so a wrong length costs no memory.
fn take(from: &mut impl Read, len: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(len as u64).read_to_end(&mut bytes).map_err(|error| io_error("read", error))?;
    Ok(bytes)
}

#[cold]
fn truncated(at: u64, what: &'static str) -> Error {
    Corruption::new(FILE, at, what, "a whole one", "the end of the file").into()
}

fn decode(kind: u8, payload: &Bytes) -> Result<Block, Malformed> {
    let mut reader = Reader::new(payload);
    let block = match kind {
        ORIGIN => Block::Origin(decode_origin(&mut reader)?),
        KEYSPACE => {
            let id = reader.u32("keyspace id")?;
            let floor = bounded(&mut reader, "floor of a keyspace")?;
            Block::Keyspace { id, floor: Bytes::copy_from_slice(floor) }
        }
        ENTRIES => {
            let mut entries = Vec::new();
            while !reader.rest().is_empty() {
                let key = bounded(&mut reader, "key")?;
                entries.push((payload.slice_ref(key), payload.slice_ref(reader.bytes("value")?)));
            }
            Block::Entries(entries)
        }
        END => Block::End {
            keyspaces: reader.u64("keyspaces")?,
            entries: reader.u64("entries")?,
            bytes: reader.u64("bytes")?,
        },
        unknown => return Err(reader.malformed("kind of a snapshot block", "1 to 4", unknown)),
    };
    reader.finish("snapshot block")?;
    Ok(block)
}

/// A key or floor, no longer than they may be.
fn bounded<'a>(reader: &mut Reader<'a>, what: &'static str) -> Result<&'a [u8], Malformed> {
    let before = reader.clone();
    let key = reader.bytes(what)?;
    if key.len() > KEY_LEN_MAX {
        return Err(before.malformed(what, format_args!("at most {KEY_LEN_MAX} bytes"), key.len()));
    }
    Ok(key)
}

fn decode_origin(reader: &mut Reader<'_>) -> Result<Origin, Malformed> {
    let before = reader.clone();
    let (epoch, position, now) = (reader.u32("epoch")?, reader.u64("position")?, reader.u64("time")?);
    let next_keyspace = reader.u32("next keyspace")?;
    let is_large = epoch >= EPOCH_MAX || position >= POSITION_MAX;
    if is_large || now > NOW_MAX || next_keyspace >= KEYSPACE_MAX {
        return Err(before.malformed("origin of a snapshot", "numbers of a store", "larger ones"));
    }
    let mut name = |what| {
        let before = reader.clone();
        let text = reader.bytes(what)?;
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= NAME_LEN_MAX);
        text.map(str::to_owned).ok_or_else(|| before.malformed(what, "a short text", "something else"))
    };
    let (account, region) = (name("account")?, name("region")?);
    Ok(Origin { epoch, position, now, next_keyspace, account, region })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin {
            epoch: 3,
            position: 77,
            now: 5,
            next_keyspace: 20,
            account: "000000000000".into(),
            region: "eu-west-1".into(),
        }
    }

    fn sample() -> Vec<u8> {
        let mut writer = BlockWriter::new(Vec::new()).unwrap();
        writer.origin(&origin()).unwrap();
        writer.keyspace(16, b"a").unwrap();
        writer.entry(b"key", b"value").unwrap();
        writer.entry(b"kez", b"").unwrap();
        writer.keyspace(1, b"").unwrap();
        writer.end(2, 2, 11).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Block>> {
        let mut reader = BlockReader::new(bytes)?;
        let mut blocks = Vec::new();
        loop {
            let block = reader.next()?;
            let is_last = matches!(block, Block::End { .. });
            blocks.push(block);
            if is_last {
                return Ok(blocks);
            }
        }
    }

    #[test]
    fn blocks_come_back() {
        let entries = [("key", "value"), ("kez", "")];
        let entries = entries.map(|(key, value)| (Bytes::from(key), Bytes::from(value)));
        let expected = [
            Block::Origin(origin()),
            Block::Keyspace { id: 16, floor: Bytes::from("a") },
            Block::Entries(entries.to_vec()),
            Block::Keyspace { id: 1, floor: Bytes::new() },
            Block::End { keyspaces: 2, entries: 2, bytes: 11 },
        ];
        assert_eq!(read(&sample()).unwrap(), expected);
        assert_eq!(sample()[..12], *b"4FOLDSNP\x01\0\0\0");
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_found() {
        let bytes = sample();
        for len in 0..bytes.len() {
            assert!(matches!(read(&bytes[..len]), Err(Error::Corrupt(_))), "cut at {len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let error = read(&bytes).unwrap_err();
            assert!(matches!(error, Error::Corrupt(_) | Error::Version { .. }), "bit {bit}: {error}");
        }
    }

    #[test]
    fn blocks_out_of_place_are_found() {
        let bytes = sample();
        let joined = [&bytes[..bytes.len() - 20], &bytes[PREFIX_LEN..]].concat();
        assert!(matches!(read(&joined), Err(Error::Corrupt(_))));
    }
}
