//! What fuzz targets call (`fuzz/`): each decoder on any bytes, as if their checksum had verified where there is one.
//!
//! Each function panics if a rule of its decoder is broken; that it returns at all is the first rule. The unit test
//! below keeps them alive where nobody fuzzes.

#[cfg(fuzzing)]
use crate::sim::SimDisk;
use crate::{
    blob::BlobRef,
    codec::Reader,
    error::{Error, Result},
    log::format::{self, FRAME_HEADER_LEN, FrameKind, Geometry, HEADER_LEN, Header, LogKind},
    position::Position,
    storage::{File, Storage, memory::Memory},
    store::catalog,
    tree::{batch, manifest::Manifest, run},
};
use std::{path::Path, sync::atomic::AtomicBool};

/// While this is set, no checksum of a log, manifest or run is wrong: damage gets to the decoders behind.
pub static CHECKSUMS_AGREE: AtomicBool = AtomicBool::new(false);

const SHIFT: u32 = 14;
const SIZE: u32 = 1 << SHIFT;
const STORE_ID: u128 = 42;

/// A segment header of any bytes, and the frames of a segment that is `bytes` behind its header.
pub fn frame(bytes: &[u8]) {
    let geometry = Geometry::new(SHIFT);
    for kind in [LogKind::Main, LogKind::Blob] {
        if let Ok(header) = Header::decode(bytes, Path::new("log"), kind, STORE_ID, geometry, 3) {
            let again = Header::decode(&header.encode(), Path::new("log"), kind, STORE_ID, geometry, 3);
            assert_eq!(again.expect("what was decoded is sound"), header);
        }
    }
    let header = Header {
        kind: LogKind::Main,
        store_id: STORE_ID,
        geometry,
        epoch: 1,
        base: geometry.base(3),
        predecessor_end: geometry.base(3),
    };
    let binding = header.binding();
    let mut segment = vec![0; HEADER_LEN as usize];
    segment.extend_from_slice(bytes);
    segment.truncate(SIZE as usize);
    let mut offset = HEADER_LEN;
    let mut flaws = 0;
    while (offset as usize) < segment.len() {
        match format::check(&segment, offset, SIZE, binding) {
            Ok(frame) => {
                assert!(frame.end > offset && frame.end <= SIZE, "a frame is behind the one before");
                if frame.kind != FrameKind::Pad {
                    let body = (offset + FRAME_HEADER_LEN) as usize..;
                    assert!(segment[body].len() >= frame.payload_len as usize, "a payload is inside");
                    assert!(format::frame_len(frame.payload_len) == frame.end - offset);
                }
                let _ = frame.proves(Position::new(u64::from(offset)));
                offset = frame.end;
            }
            Err(flaw) => {
                // Words are for people, who read the first.
                flaws += 1;
                assert!(flaws > 1 || !flaw.explain().0.is_empty());
                offset += format::FRAME_ALIGNMENT;
            }
        }
    }
}

/// The payload of a data frame.
pub fn batch(bytes: &[u8]) {
    let mut again = batch::Ops::default();
    for op in batch::decode(bytes) {
        let Ok(op) = op else { return };
        let value_at = op.value_offset as usize;
        assert_eq!(&bytes[value_at..value_at + op.value.len()], op.value);
        let key = &op.key[batch::KEYSPACE_ID_LEN..];
        again.push(op.kind, op.keyspace(), key, op.value).expect("it fits as it was");
    }
    assert_eq!(again.payload(), bytes, "what is accepted is what was written");
}

/// A manifest, with a right length and checksum.
pub fn manifest(bytes: &[u8]) {
    let file = Path::new("MANIFEST");
    let _ = Manifest::decode(bytes, file);
    // Magic, version, checksum, length: 24 bytes, then what the target is about.
    let mut sealed = b"4FOLDMAN\x01\0\0\0".to_vec();
    let len = 24 + bytes.len() as u64;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&sealed);
    hasher.update(&len.to_le_bytes());
    hasher.update(bytes);
    sealed.extend_from_slice(&hasher.finalize().to_le_bytes());
    sealed.extend_from_slice(&len.to_le_bytes());
    sealed.extend_from_slice(bytes);
    match Manifest::decode(&sealed, file) {
        Ok(manifest) => assert_eq!(manifest.encode(), sealed, "what is accepted is what was written"),
        Err(Error::Corrupt(flaw)) => {
            assert!(
                !["manifest magic", "manifest checksum", "manifest length"].contains(&flaw.what),
                "{flaw}"
            );
        }
        Err(error) => panic!("{error}"),
    }
}

/// Blocks, index and footer of a run; the first byte chooses.
pub fn run(bytes: &[u8]) {
    run::fuzz_block(bytes);
}

/// A blob reference, and the chunks of a blob segment that is `bytes` behind its header.
pub fn blob(bytes: &[u8]) {
    if let Ok(reference) = BlobRef::decode_entry(bytes) {
        assert_eq!(reference.encode()[..], *bytes);
    }
    let walked = walk_blobs(bytes);
    assert!(walked.is_ok(), "damage is a finding: {walked:?}");
}

fn walk_blobs(bytes: &[u8]) -> Result<()> {
    let (geometry, storage) = (Geometry::new(SHIFT), Memory::new());
    let write = |parts: &[&[u8]]| -> Result<Vec<BlobRef>> {
        let log = crate::blob::BlobLog::open(storage.clone(), geometry, STORE_ID, 1, &[])?;
        parts.iter().map(|part| log.write(&[part])).collect()
    };
    // Chunks as they are written, damaged by the rest of the input: (offset, byte) pairs.
    let (values, damage) = bytes.split_at(bytes.len() / 2);
    let values: Vec<_> =
        values.chunks(usize::from(values.first().copied().unwrap_or(1)) + 1).take(64).collect();
    let written = write(&values)?;
    let file = storage.open(&crate::blob::file_name(1));
    let Ok(file) = file else { return Ok(()) };
    for pair in damage.chunks_exact(3) {
        let at = u32::from(u16::from_le_bytes([pair[0], pair[1]])) % (SIZE - HEADER_LEN);
        file.write_at(&pair[2..], u64::from(HEADER_LEN + at))?;
    }
    drop(file);
    let log = crate::blob::BlobLog::open(storage, geometry, STORE_ID, 1, &[1])?;
    let mut last = 0;
    for chunk in log.chunks(1)? {
        match chunk? {
            crate::blob::Chunk::Whole(at) => {
                assert!(at.offset >= last, "chunks come in order");
                last = at.offset + at.len;
                let value = log.read(at)?;
                let known = written.iter().position(|known| *known == at);
                assert!(known.is_none_or(|known| value == values[known]), "a value is what was written");
            }
            crate::blob::Chunk::Damage { offset, end } => {
                assert!(offset >= last && end > offset, "damage has a place");
                last = end;
            }
        }
    }
    for (at, value) in written.iter().zip(&values) {
        match log.read(*at) {
            Ok(found) => assert_eq!(found, *value, "wrong data has a right checksum"),
            Err(Error::Corrupt(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A record of the catalog, and every field that the codec knows.
pub fn record(bytes: &[u8]) {
    if let Ok(resource) = catalog::decode(&bytes::Bytes::copy_from_slice(bytes), "name") {
        assert_eq!(bytes.len(), 4 + 4 * resource.ids.len() + resource.record.len());
    }
    let Some((plan, bytes)) = bytes.split_first_chunk::<4>() else { return };
    let mut reader = Reader::new(bytes);
    for choice in plan {
        let result = match choice % 8 {
            0 => reader.u8("a").map(drop),
            1 => reader.u32("b").map(drop),
            2 => reader.u64("c").map(drop),
            3 => reader.u128("d").map(drop),
            4 => reader.bytes("e").map(drop),
            5 => reader.count(usize::from(choice / 8), "f").map(drop),
            6 => reader.raw(usize::from(choice / 8), "g").map(drop),
            _ => reader.finish("h"),
        };
        if let Err(malformed) = result {
            assert!(malformed.offset <= bytes.len() as u64);
            return;
        }
    }
}

/// Records, keys and receipt handles of queues.
pub fn queue_record(bytes: &[u8]) {
    crate::queue::fuzz_records(bytes);
}

/// Records, keys, tokens and numbers of streams; the first byte chooses.
pub fn stream(bytes: &[u8]) {
    crate::stream::fuzz::decode(bytes);
}

/// What is stored of a bucket's rules and of checksums, and the texts that callers give of the latter.
pub fn rules(bytes: &[u8]) {
    use crate::objects::{
        Checksum, ChecksumAlgorithm, ContentMd5, LifecycleConfiguration, NotificationConfiguration,
    };
    if let Ok(configuration) = LifecycleConfiguration::decode(bytes) {
        assert_eq!(configuration.encode(), bytes, "what is accepted is what was written");
        let _ = configuration.validate();
    }
    if let Ok(configuration) = NotificationConfiguration::decode(bytes) {
        assert_eq!(configuration.encode(), bytes, "what is accepted is what was written");
        let _ = configuration.validate();
    }
    let mut reader = Reader::new(bytes);
    if let Ok(checksum) = Checksum::decode(&mut reader) {
        let mut again = crate::codec::Writer::new();
        checksum.encode(&mut again);
        assert!(bytes.starts_with(again.as_slice()), "what is accepted is what was written");
        assert_eq!(Checksum::parse(checksum.algorithm(), &checksum.to_string()), Ok(checksum));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = ContentMd5::parse(text);
    for algorithm in ChecksumAlgorithm::ALL {
        if let Ok(checksum) = Checksum::parse(algorithm, text) {
            assert_eq!(checksum.base64().len(), algorithm.digest_len().div_ceil(3) * 4);
        }
    }
}

/// An item, whole and by attributes.
pub fn kv_item(bytes: &[u8]) {
    crate::kv::fuzz::item(bytes);
}

/// A number, as text and as key.
pub fn kv_number(bytes: &[u8]) {
    crate::kv::fuzz::number(bytes);
}

/// An expression of every kind, evaluated where it is one.
pub fn kv_expression(bytes: &[u8]) {
    crate::kv::fuzz::expression(bytes);
}

/// The records of tables, streams and changes, and the text of a shard iterator.
pub fn kv_records(bytes: &[u8]) {
    use crate::kv::changes::{feed::FeedRecord, iterator::Place, record as change};
    use crate::kv::record::{Definition, decode, encode};
    if let Ok(definition) = decode::<Definition>(bytes, "definition") {
        assert_eq!(encode(&definition), bytes, "what is accepted is what was written");
    }
    if let Ok(feed) = decode::<FeedRecord>(bytes, "stream") {
        assert_eq!(encode(&feed), bytes, "what is accepted is what was written");
    }
    crate::kv::deliveries::record::fuzz(bytes);
    if change::decode(bytes).is_ok() {
        assert!(change::head(bytes).is_ok(), "a change has a head");
    }
    if let Some((arn, place)) = std::str::from_utf8(bytes).ok().and_then(Place::parse) {
        assert!(Place::parse(&place.text(arn)).is_some(), "what is printed is parsed");
    }
}

/// Records of buckets, objects, uploads and parts, their keys, and the texts of ids and ranges.
pub fn objects(bytes: &[u8]) {
    crate::objects::fuzz::records(bytes);
}

/// A snapshot file of any bytes behind what is right: what is taken makes a store that gives the same snapshot.
pub fn snapshot(bytes: &[u8]) {
    let settings = || crate::Store::builder().segment_size(1 << SHIFT);
    let whole = [&crate::store::SNAPSHOT_PREFIX[..], bytes].concat();
    for file in [bytes, &whole] {
        let Ok(store) = settings().import_in_memory(file) else { continue };
        let mut again = Vec::new();
        store.export(&mut again).expect("what was taken can be given");
        let copy = settings().import_in_memory(&again[..]).expect("what was given can be taken");
        let mut third = Vec::new();
        copy.export(&mut third).expect("what was taken can be given");
        assert_eq!(again.len(), third.len(), "a copy is a copy");
    }
}

/// [`repair`](crate::repair) of a store on a simulated disk.
#[cfg(fuzzing)]
pub fn repair(disk: &SimDisk, dir: &str) -> Result<crate::RepairReport> {
    crate::store::repair_media(&crate::storage::Media::sim(disk, dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decoder_takes_any_bytes() {
        let mut state = 1_u64;
        for len in [0, 1, 4, 16, 61, 200, 1000, 5000] {
            let bytes: Vec<u8> = (0..len)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 60).to_le_bytes()[0]
                })
                .collect();
            let kv = [kv_item, kv_number, kv_expression, kv_records];
            for target in
                [frame, batch, manifest, run, blob, record, queue_record, stream, objects, rules, snapshot]
                    .into_iter()
                    .chain(kv)
            {
                target(&bytes);
            }
        }
    }
}
