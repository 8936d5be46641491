//! The bytes of a manifest, as `docs/format.md` has them.
//!
//! The header keeps its place and meaning in every version of the format, so that a reader can tell a newer file from a
//! damaged one.

use super::{BlobSegment, Keyspace, Manifest};
use crate::{
    clock::Timestamp,
    codec::{Malformed, Reader, Writer, checksums_agree},
    error::{Error, Result},
    limits::{KEY_LEN_MAX, SEGMENT_SHIFT_MAX, SEGMENT_SHIFT_MIN},
    position::Position,
    tree::run::{Meta, RunId},
};
use bytes::Bytes;
use std::{fmt, ops::Range, path::Path};

const MAGIC: &[u8; 8] = b"4FOLDMAN";
const FORMAT_VERSION: u32 = 1;
const VERSION_OFFSET: usize = MAGIC.len();
const CRC_OFFSET: usize = VERSION_OFFSET + size_of::<u32>();
const LEN_OFFSET: usize = CRC_OFFSET + size_of::<u32>();
pub(super) const HEADER_LEN: usize = LEN_OFFSET + size_of::<u64>();
const _: () = assert!(HEADER_LEN == 24);

/// A full key begins with its keyspace.
const KEYSPACE_LEN: usize = size_of::<u32>();
const RUN_LEN_MIN: usize = 7 * size_of::<u64>() + size_of::<u32>() + 2 * (size_of::<u32>() + KEYSPACE_LEN);
const KEYSPACE_LEN_MIN: usize = size_of::<u32>() + size_of::<u64>() + 1;
const BLOB_LEN: usize = 3 * size_of::<u64>();

/// The bytes begin a manifest of a file `file_len` bytes long.
pub(super) fn check_header(bytes: &[u8], file_len: u64) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let at = reader.clone();
    let magic = reader.raw(MAGIC.len(), "manifest magic")?;
    require(&at, magic == MAGIC, "manifest magic", MAGIC.escape_ascii(), magic.escape_ascii())?;
    reader.u32("manifest version")?;
    reader.u32("manifest checksum")?;
    let at = reader.clone();
    let len = reader.u64("manifest length")?;
    require(&at, len == file_len, "manifest length", len, file_len)
}

impl Manifest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(MAGIC);
        writer.u32(FORMAT_VERSION);
        writer.u32(0);
        writer.u64(0);
        self.encode_body(&mut writer);
        let len = writer.len() as u64;
        let mut bytes = writer.into_vec();
        bytes[LEN_OFFSET..HEADER_LEN].copy_from_slice(&len.to_le_bytes());
        let crc = checksum(&bytes);
        bytes[CRC_OFFSET..LEN_OFFSET].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn encode_body(&self, writer: &mut Writer) {
        writer.u128(self.store_id);
        writer.u64(self.created.as_millis());
        writer.u32(self.segment_shift);
        writer.u32(self.blob_shift);
        writer.u32(self.epoch);
        writer.u32(self.next_keyspace);
        writer.u64(self.log_start.get());
        writer.u64(self.durable.get());
        writer.u64(self.next_run);
        writer.u64(self.next_blob);
        writer.count(self.levels.len());
        for level in &self.levels {
            writer.count(level.len());
            for run in level {
                encode_run(run, writer);
            }
        }
        writer.count(self.keyspaces.len());
        for keyspace in &self.keyspaces {
            writer.u32(keyspace.id);
            writer.u64(keyspace.created.get());
            writer.u8(u8::from(keyspace.floor.is_some()));
            if let Some((since, key)) = &keyspace.floor {
                writer.u64(since.get());
                writer.bytes(key);
            }
        }
        writer.count(self.blobs.len());
        for blob in &self.blobs {
            writer.u64(blob.index);
            writer.u64(blob.len);
            writer.u64(blob.garbage);
        }
    }

    /// The manifest that `bytes`, the whole content of `file`, say.
    pub(crate) fn decode(bytes: &[u8], file: &Path) -> Result<Self> {
        let version = verify(bytes).map_err(|malformed| malformed.in_file(file))?;
        if version != FORMAT_VERSION {
            return Err(Error::Version { path: file.into(), found: version, supported: FORMAT_VERSION });
        }
        decode_body(bytes).map_err(|malformed| malformed.in_file(file))
    }
}

/// Checks what every version of the format has and returns the version.
fn verify(bytes: &[u8]) -> Result<u32, Malformed> {
    check_header(bytes, bytes.len() as u64)?;
    let mut reader = Reader::new(bytes);
    reader.raw(VERSION_OFFSET, "manifest magic")?;
    let version = reader.u32("manifest version")?;
    let at = reader.clone();
    let (expected, found) = (reader.u32("manifest checksum")?, checksum(bytes));
    require(&at, checksums_agree(expected, found), "manifest checksum", hex(expected), hex(found))?;
    Ok(version)
}

fn hex(crc: u32) -> String {
    format!("{crc:08x}")
}

/// CRC-32 of everything but the checksum's own bytes. Shorter than a header, bytes have none.
fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(bytes.get(..CRC_OFFSET).unwrap_or_default());
    hasher.update(bytes.get(LEN_OFFSET..).unwrap_or_default());
    hasher.finalize()
}

fn decode_body(bytes: &[u8]) -> Result<Manifest, Malformed> {
    let mut reader = Reader::new(bytes);
    reader.raw(HEADER_LEN, "manifest header")?;
    let store_id = reader.u128("store id")?;
    let created = Timestamp::from_millis(reader.u64("creation time")?);
    let segment_shift = decode_shift(&mut reader, "segment shift")?;
    let blob_shift = decode_shift(&mut reader, "blob segment shift")?;
    let epoch = reader.u32("epoch")?;
    let next_keyspace = reader.u32("next keyspace")?;
    let log_start = Position::new(reader.u64("log start")?);
    let durable = Position::new(reader.u64("durable position")?);
    let next_run = reader.u64("next run")?;
    let next_blob = reader.u64("next blob segment")?;
    let levels = decode_levels(&mut reader, next_run)?;
    let keyspaces = decode_keyspaces(&mut reader, next_keyspace)?;
    let blobs = decode_blobs(&mut reader, 0..next_blob, 1 << blob_shift)?;
    reader.finish("manifest")?;
    Ok(Manifest {
        store_id,
        created,
        segment_shift,
        blob_shift,
        epoch,
        log_start,
        durable,
        next_run,
        next_keyspace,
        next_blob,
        levels,
        keyspaces,
        blobs,
    })
}

fn decode_shift(reader: &mut Reader<'_>, what: &'static str) -> Result<u32, Malformed> {
    let at = reader.clone();
    let shift = reader.u32(what)?;
    let range = SEGMENT_SHIFT_MIN..=SEGMENT_SHIFT_MAX;
    require(&at, range.contains(&shift), what, format_args!("{range:?}"), shift)?;
    Ok(shift)
}

fn decode_levels(reader: &mut Reader<'_>, next_run: u64) -> Result<Vec<Vec<Meta>>, Malformed> {
    let count = reader.count(size_of::<u32>(), "levels")?;
    let mut levels = Vec::with_capacity(count);
    for level in 0..count {
        let count = reader.count(RUN_LEN_MIN, "runs of a level")?;
        let mut runs = Vec::with_capacity(count);
        for _ in 0..count {
            let at = reader.clone();
            let run = decode_run(reader, next_run)?;
            check_order(&at, level, &runs, &run)?;
            runs.push(run);
        }
        levels.push(runs);
    }
    let mut ids: Vec<_> = levels.iter().flatten().map(|run: &Meta| run.id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(reader.malformed("run ids", "each once", format_args!("{} twice", pair[0]))),
        None => Ok(levels),
    }
}

/// M3 for a run that comes behind others in its level.
fn check_order(at: &Reader<'_>, level: usize, before: &[Meta], run: &Meta) -> Result<(), Malformed> {
    if level > 0 {
        let follows = before.last().is_none_or(|last| last.max_key < run.min_key);
        return require(at, follows, "order of runs", "a key behind the last run", run.id);
    }
    let overlaps = |older: &&Meta| older.min_key <= run.max_key && run.min_key <= older.max_key;
    let newer = before.iter().filter(overlaps).find(|older| older.max_version >= run.min_version);
    let is_newest = newer.is_none();
    require(at, is_newest, "order of runs", "versions above those of older runs", run.id)
}

fn encode_run(run: &Meta, writer: &mut Writer) {
    writer.u64(run.id.get());
    writer.u64(run.file_len);
    writer.u64(run.entries);
    writer.u64(run.deletes);
    writer.u64(run.keys);
    writer.u64(run.min_version.get());
    writer.u64(run.max_version.get());
    writer.u32(run.checksum);
    writer.bytes(&run.min_key);
    writer.bytes(&run.max_key);
}

fn decode_run(reader: &mut Reader<'_>, next_run: u64) -> Result<Meta, Malformed> {
    let at = reader.clone();
    let id = reader.u64("run id")?;
    let run = Meta {
        id: RunId::new(id),
        file_len: reader.u64("run length")?,
        entries: reader.u64("run entries")?,
        deletes: reader.u64("run deletes")?,
        keys: reader.u64("run keys")?,
        min_version: Position::new(reader.u64("run version")?),
        max_version: Position::new(reader.u64("run version")?),
        checksum: reader.u32("run checksum")?,
        min_key: decode_key(reader, KEYSPACE_LEN..=KEYSPACE_LEN + KEY_LEN_MAX, "run key")?,
        max_key: decode_key(reader, KEYSPACE_LEN..=KEYSPACE_LEN + KEY_LEN_MAX, "run key")?,
    };
    require(&at, id < next_run, "run id", format_args!("below {next_run}"), id)?;
    require(&at, run.file_len > 0, "run length", "more than 0", 0)?;
    let counts_hold = run.keys > 0 && run.keys <= run.entries && run.deletes <= run.entries;
    let counts = format_args!("{} entries, {} keys, {} deletes", run.entries, run.keys, run.deletes);
    require(&at, counts_hold, "run entries", "as many as keys and deletes", counts)?;
    require(&at, run.min_key <= run.max_key, "run keys", "in order", "the first above the last")?;
    let versions = format_args!("{} to {}", run.min_version, run.max_version);
    require(&at, run.min_version <= run.max_version, "run versions", "in order", versions)?;
    Ok(run)
}

fn decode_key(
    reader: &mut Reader<'_>,
    len: std::ops::RangeInclusive<usize>,
    what: &'static str,
) -> Result<Bytes, Malformed> {
    let at = reader.clone();
    let key = reader.bytes(what)?;
    require(&at, len.contains(&key.len()), what, format_args!("{len:?} bytes"), key.len())?;
    Ok(Bytes::copy_from_slice(key))
}

fn decode_keyspaces(reader: &mut Reader<'_>, next: u32) -> Result<Vec<Keyspace>, Malformed> {
    let count = reader.count(KEYSPACE_LEN_MIN, "keyspaces")?;
    let mut keyspaces = Vec::with_capacity(count);
    let mut free = 0..next;
    for _ in 0..count {
        let at = reader.clone();
        let id = reader.u32("keyspace id")?;
        require(&at, free.contains(&id), "keyspace id", format_args!("in {free:?}"), id)?;
        free.start = id + 1;
        let created = Position::new(reader.u64("keyspace creation")?);
        let floor = decode_floor(reader, created)?;
        keyspaces.push(Keyspace { id, created, floor });
    }
    Ok(keyspaces)
}

fn decode_floor(reader: &mut Reader<'_>, created: Position) -> Result<Option<(Position, Bytes)>, Malformed> {
    let at = reader.clone();
    match reader.u8("floor")? {
        0 => Ok(None),
        1 => {
            let at = reader.clone();
            let since = Position::new(reader.u64("floor position")?);
            require(&at, since >= created, "floor position", format_args!("{created} or later"), since)?;
            Ok(Some((since, decode_key(reader, 1..=KEY_LEN_MAX, "floor key")?)))
        }
        other => Err(at.malformed("floor", "0 or 1", other)),
    }
}

fn decode_blobs(
    reader: &mut Reader<'_>,
    mut free: Range<u64>,
    len_max: u64,
) -> Result<Vec<BlobSegment>, Malformed> {
    let count = reader.count(BLOB_LEN, "blob segments")?;
    let mut blobs = Vec::with_capacity(count);
    for _ in 0..count {
        let at = reader.clone();
        let blob = BlobSegment {
            index: reader.u64("blob segment index")?,
            len: reader.u64("blob segment length")?,
            garbage: reader.u64("blob garbage")?,
        };
        let index = blob.index;
        require(&at, free.contains(&index), "blob segment index", format_args!("in {free:?}"), index)?;
        free.start = index + 1;
        require(&at, blob.len <= len_max, "blob segment length", format_args!("up to {len_max}"), blob.len)?;
        require(
            &at,
            blob.garbage <= blob.len,
            "blob garbage",
            format_args!("up to {}", blob.len),
            blob.garbage,
        )?;
        blobs.push(blob);
    }
    Ok(blobs)
}

fn require(
    at: &Reader<'_>,
    holds: bool,
    what: &'static str,
    expected: impl fmt::Display,
    found: impl fmt::Display,
) -> Result<(), Malformed> {
    if holds { Ok(()) } else { Err(at.malformed(what, expected, found)) }
}
