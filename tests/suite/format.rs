//! `docs/format.md` against the bytes of `tests/golden/`: a decoder that knows nothing but the document.
//!
//! It takes every offset and size from the document's tables, so that a table which does not say what is on the disk
//! fails here; and it must arrive at the same content as the store.
#![expect(clippy::disallowed_methods, reason = "reads the files of a store that is not open")]

use crate::golden::{Content, directory, expected};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use xxhash_rust::xxh3::xxh3_64;

/// The fields of one table of the document.
struct Layout {
    fields: BTreeMap<String, (usize, usize)>,
    end: usize,
}

impl Layout {
    /// The table of fields under `heading`. Fields follow each other without gaps.
    fn of(heading: &str) -> Self {
        let document = include_str!("../../docs/format.md");
        let title = |line: &str| line.trim_start_matches('#').trim().to_owned();
        let section =
            document.lines().skip_while(|line| !(line.starts_with('#') && title(line) == heading)).skip(1);
        let mut fields = BTreeMap::new();
        let mut end = None;
        for line in section.take_while(|line| !line.starts_with('#')) {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [_, offset, size, field, ..] = cells[..] else { continue };
            let (Ok(offset), Ok(size)) = (offset.parse::<usize>(), size.parse::<usize>()) else { continue };
            assert!(end.is_none_or(|end| end == offset), "a gap before {field:?} in {heading:?}");
            end = Some(offset + size);
            assert!(
                fields.insert(field.to_owned(), (offset, size)).is_none(),
                "{field:?} twice in {heading:?}"
            );
        }
        Self { fields, end: end.unwrap_or_else(|| panic!("docs/format.md has no table {heading:?}")) }
    }

    fn raw<'a>(&self, bytes: &'a [u8], field: &str) -> &'a [u8] {
        let (offset, size) = self.fields[field];
        &bytes[offset..offset + size]
    }

    fn get(&self, bytes: &[u8], field: &str) -> u64 {
        self.raw(bytes, field).iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn index(&self, bytes: &[u8], field: &str) -> usize {
        usize::try_from(self.get(bytes, field)).unwrap()
    }
}

fn crc(seed: u32, parts: &[&[u8]]) -> u64 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn low32(x: u64) -> u32 {
    u32::try_from(x & 0xffff_ffff).unwrap()
}

fn files(extension: &str) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if let Some(digits) = name.strip_suffix(extension) {
            assert_eq!(digits.len(), 16);
            found.push((u64::from_str_radix(digits, 16).unwrap(), fs::read(entry.path()).unwrap()));
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no {extension} in the golden directory");
    found
}

/// Entries by full key and version, and what else the log says.
#[derive(Default)]
struct Found {
    entries: BTreeMap<(Vec<u8>, u64), (u64, Vec<u8>)>,
    floors: BTreeMap<u64, Vec<u8>>,
    live: BTreeSet<u64>,
}

struct Manifest {
    store_id: Vec<u8>,
    log_start: u64,
    blob_shift: u64,
    next_blob: u64,
    /// Level, id, footer checksum.
    runs: Vec<(usize, u64, u64)>,
    /// Index and end of the chunks.
    blobs: Vec<(u64, u64)>,
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn raw(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn word(&mut self, size: usize) -> u64 {
        self.raw(size).iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn string(&mut self) -> Vec<u8> {
        let len = self.word(4);
        self.raw(usize::try_from(len).unwrap()).to_vec()
    }

    fn varint(&mut self) -> usize {
        let mut value = 0;
        for place in 0.. {
            let byte = self.word(1);
            value |= (byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                break;
            }
        }
        usize::try_from(value).unwrap()
    }
}

fn manifest(found: &mut Found) -> Manifest {
    let bytes = fs::read(directory().join("MANIFEST")).unwrap();
    let header = Layout::of("Manifest header");
    assert_eq!(header.raw(&bytes, "magic"), b"4FOLDMAN");
    assert_eq!(header.get(&bytes, "format version"), 1);
    assert_eq!(header.index(&bytes, "length"), bytes.len());
    let (at, size) = header.fields["checksum"];
    assert_eq!(header.get(&bytes, "checksum"), crc(0, &[&bytes[..at], &bytes[at + size..]]));
    let body = Layout::of("Manifest body");
    assert_eq!(body.get(&bytes, "segment shift"), 14);
    assert_eq!(body.get(&bytes, "created"), 1_000_000);
    assert!(body.get(&bytes, "epoch") >= 1 && body.get(&bytes, "durable") >= body.get(&bytes, "log start"));
    let mut cursor = Cursor(&bytes[body.end..]);
    let mut runs = Vec::new();
    for level in 0..usize::try_from(cursor.word(4)).unwrap() {
        for _ in 0..cursor.word(4) {
            let id = cursor.word(8);
            assert!(id < body.get(&bytes, "next run"));
            cursor.raw(6 * 8);
            runs.push((level, id, cursor.word(4)));
            let (min, max) = (cursor.string(), cursor.string());
            assert!(min <= max);
        }
    }
    for _ in 0..cursor.word(4) {
        let id = cursor.word(4);
        assert!(id >= 16 && id < body.get(&bytes, "next keyspace"));
        found.live.insert(id);
        let created = cursor.word(8);
        if cursor.word(1) == 1 {
            assert!(cursor.word(8) >= created);
            found.floors.insert(id, cursor.string());
        }
    }
    let mut blobs = Vec::new();
    for _ in 0..cursor.word(4) {
        let (index, end, unreferenced) = (cursor.word(8), cursor.word(8), cursor.word(8));
        assert!(index < body.get(&bytes, "next blob segment") && unreferenced <= end);
        blobs.push((index, end));
    }
    assert!(cursor.0.is_empty());
    Manifest {
        store_id: body.raw(&bytes, "store id").to_vec(),
        log_start: body.get(&bytes, "log start"),
        blob_shift: body.get(&bytes, "blob shift"),
        next_blob: body.get(&bytes, "next blob segment"),
        runs,
        blobs,
    }
}

/// What a segment's header says.
struct Header {
    epoch: u64,
    predecessor_end: u64,
}

fn segment_header(bytes: &[u8], kind: u64, store_id: &[u8], index: u64) -> Header {
    let header = Layout::of("Segment header");
    assert_eq!(header.raw(bytes, "magic"), [0x34, 0x66, 0x6f, 0x6c, 0x64, 0x0d, 0x73, 0x67]);
    assert_eq!(header.get(bytes, "format version"), 1);
    assert_eq!(header.get(bytes, "kind"), kind);
    assert_eq!(header.raw(bytes, "store id"), store_id);
    assert_eq!(header.get(bytes, "shift"), 14);
    assert_eq!(header.get(bytes, "base"), index << 14);
    assert_eq!(header.get(bytes, "checksum"), crc(0, &[&bytes[..header.fields["checksum"].0]]));
    assert!(bytes[header.end..4096].iter().all(|byte| *byte == 0));
    let predecessor_end = header.get(bytes, "predecessor end");
    assert!(predecessor_end <= index << 14);
    Header { epoch: header.get(bytes, "epoch"), predecessor_end }
}

struct Frame<'a> {
    kind: u64,
    payload: &'a [u8],
    lag: u64,
    end: usize,
}

/// The frame at `offset`, if one verifies. `hashed` is the segment's index as it is hashed.
fn frame<'a>(bytes: &'a [u8], offset: usize, epoch: u64, store_id: &[u8], hashed: u64) -> Option<Frame<'a>> {
    let layout = Layout::of("Frame header");
    let header = bytes.get(offset..offset + layout.end)?;
    let word = layout.get(header, "length word");
    let (kind, len) = (word >> 30, usize::try_from(word & 0x3fff_ffff).unwrap());
    if word == 0 || len < layout.end || layout.get(header, "epoch") != epoch {
        return None;
    }
    let payload = if kind == 1 { &[][..] } else { bytes.get(offset + layout.end..offset + len)? };
    let place = low32(xxh3_64(&[store_id, &(hashed >> 32).to_le_bytes()].concat()))
        .wrapping_add(low32(hashed).wrapping_mul(0x9E37_79B1));
    let seed = place ^ low32(offset as u64).wrapping_mul(0x85EB_CA6B);
    let fields = ["length word", "epoch", "lag"].map(|field| layout.raw(header, field));
    if layout.get(header, "checksum") != crc(seed, &[fields[0], fields[1], fields[2], payload]) {
        return None;
    }
    let end = (offset + len).next_multiple_of(8);
    assert!(kind == 1 || bytes[offset + len..end].iter().all(|byte| *byte == 0), "alignment");
    assert!(kind != 1 || end == bytes.len(), "a pad covers the rest");
    Some(Frame { kind, payload, lag: layout.get(header, "lag"), end })
}

fn apply(payload: &[u8], version: u64, found: &mut Found) {
    let layout = Layout::of("Operation header");
    let mut rest = payload;
    while !rest.is_empty() {
        let (kind, key_len, value_len) =
            (layout.get(rest, "kind"), layout.index(rest, "key length"), layout.index(rest, "value length"));
        let key = rest[layout.end..][..key_len].to_vec();
        let value = rest[layout.end + key_len..][..value_len].to_vec();
        rest = &rest[layout.end + key_len + value_len..];
        let id = keyspace(&key);
        match kind {
            1..=3 => drop(found.entries.insert((key, version), (kind, value))),
            4 => {
                let floor = found.floors.entry(id).or_default();
                *floor = floor.clone().max(key[4..].to_vec());
            }
            5 => drop(found.live.insert(id)),
            6 => drop(found.live.remove(&id)),
            _ => panic!("operation {kind}"),
        }
    }
}

fn keyspace(key: &[u8]) -> u64 {
    key[..4].iter().fold(0, |id, byte| id << 8 | u64::from(*byte))
}

/// Walks the chain and applies its frames.
fn log(manifest: &Manifest, found: &mut Found) -> (usize, bool) {
    let logs: BTreeMap<u64, Vec<u8>> = files(".log").into_iter().collect();
    let mut members = Vec::new();
    let (mut index, mut limit) = (*logs.last_key_value().unwrap().0, 1 << 14);
    loop {
        let header = segment_header(&logs[&index], 1, &manifest.store_id, index);
        let (end, epoch) = (header.predecessor_end, header.epoch);
        members.push((index, limit, epoch));
        if end <= manifest.log_start {
            break;
        }
        (index, limit) = ((end - 1) >> 14, usize::try_from(end - ((end - 1) >> 14 << 14)).unwrap());
    }
    members.reverse();
    assert!(members.windows(2).all(|pair| pair[0].2 <= pair[1].2), "epochs never fall");
    let mut sealed = false;
    for (index, limit, epoch) in &members {
        let bytes = &logs[index];
        assert_eq!(bytes.len(), 1 << 14);
        let mut offset = 4096;
        while *limit - offset >= 16 {
            let Some(frame) = frame(bytes, offset, *epoch, &manifest.store_id, *index) else { break };
            let at = index << 14 | offset as u64;
            assert!(frame.lag == 0xffff_ffff || frame.lag <= at);
            if frame.kind == 0 && at >= manifest.log_start {
                apply(frame.payload, at, found);
            }
            sealed = frame.kind == 2;
            offset = frame.end;
        }
    }
    let epochs: BTreeSet<_> = members.iter().map(|(_, _, epoch)| *epoch).collect();
    (epochs.len(), sealed)
}

/// Every block of a run, every entry of every block.
fn run(id: u64, footer_checksum: u64, found: &mut Found) {
    let bytes = fs::read(directory().join(format!("{id:016x}.run"))).unwrap();
    let layout = Layout::of("Run tail");
    let tail_at = bytes.len() - layout.end;
    let tail = &bytes[tail_at..];
    let get = |field| layout.get(tail, field);
    let seed = |at: usize| low32(crc(0, &[&id.to_le_bytes(), &(at as u64).to_le_bytes()]));
    assert_eq!(layout.raw(tail, "magic"), b"4foldRUN");
    assert_eq!((get("format version"), get("id")), (1, id));
    let seal = &tail[layout.fields["magic"].0..layout.fields["seal checksum"].0];
    assert_eq!(get("seal checksum"), crc(0, &[seal]));
    let (filter_at, index_at, footer_at) =
        (layout.index(tail, "filter at"), layout.index(tail, "index at"), layout.index(tail, "footer at"));
    let (min_len, max_len) = (layout.index(tail, "min key length"), layout.index(tail, "max key length"));
    assert_eq!(footer_at + min_len + max_len, tail_at);
    let (min, max) = bytes[footer_at..tail_at].split_at(min_len);
    let covered = &bytes[footer_at..tail_at + layout.fields["footer checksum"].0];
    assert_eq!(get("footer checksum"), crc(0, &[covered]));
    assert_eq!(get("footer checksum"), footer_checksum);
    assert_eq!(get("filter checksum"), crc(seed(filter_at), &[&bytes[filter_at..index_at]]));
    assert_eq!(get("index checksum"), crc(seed(index_at), &[&bytes[index_at..footer_at]]));

    let blocks = layout.index(tail, "blocks");
    let place_layout = Layout::of("Index section");
    let (heads, rest) = bytes[index_at..footer_at].split_at(blocks * 16);
    let (places, first_keys) = rest.split_at(blocks * place_layout.end);
    let common = min.iter().zip(max).take_while(|(a, b)| a == b).count();
    let (mut checksums, mut entries, mut key_at, mut last) = (Vec::new(), Vec::new(), 0, Vec::new());
    for block in 0..blocks {
        let place = &places[block * place_layout.end..][..place_layout.end];
        let start = place_layout.index(place, "offset");
        let end = places.get((block + 1) * place_layout.end..).filter(|next| !next.is_empty());
        let end = end.map_or(filter_at, |next| place_layout.index(next, "offset"));
        let (checksum, found) = block_entries(&bytes[start..end], seed(start), &last);
        checksums.extend_from_slice(&checksum);
        let key_end = place_layout.index(place, "key end");
        let (first, first_version) = (&found[0].0, found[0].1);
        assert_eq!(&first_keys[key_at..key_end], &first[..]);
        let mut head = first[common..].to_vec();
        head.resize(16, 0);
        assert_eq!(&heads[block * 16..][..16], &head[..]);
        let separator = if *first == last { first_version } else { u64::MAX };
        assert_eq!(place_layout.get(place, "separator version"), separator);
        key_at = key_end;
        last.clone_from(&found.last().unwrap().0);
        entries.extend(found);
    }
    assert_eq!(key_at, first_keys.len());
    assert_eq!(get("blocks checksum"), crc(0, &[&checksums]));
    assert_eq!((min, max), (&entries[0].0[..], &last[..]));
    assert!(entries.windows(2).all(|pair| (&pair[0].0, !pair[0].1) < (&pair[1].0, !pair[1].1)), "order");
    let keys: BTreeSet<_> = entries.iter().map(|entry| &entry.0).collect();
    let deletes = entries.iter().filter(|entry| entry.2 == 2).count();
    assert_eq!((get("entries"), get("keys")), (entries.len() as u64, keys.len() as u64));
    assert_eq!(get("deletes"), deletes as u64);
    let versions = entries.iter().map(|entry| entry.1);
    assert_eq!(
        (Some(get("min version")), Some(get("max version"))),
        (versions.clone().min(), versions.max())
    );
    filter(&bytes[filter_at.next_multiple_of(64)..index_at], &keys);
    for (key, version, kind, value) in entries {
        found.entries.insert((key, version), (kind, value));
    }
}

fn filter(lines: &[u8], keys: &BTreeSet<&Vec<u8>>) {
    assert_eq!(lines.len(), (10 * keys.len()).div_ceil(512).max(1) * 64);
    for key in keys {
        let hash = xxh3_64(key);
        let line = usize::try_from((u128::from(hash >> 32) * (lines.len() / 64) as u128) >> 32).unwrap();
        let product = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for i in 0..6 {
            let field = product >> (9 * i) & 511;
            let byte = lines[line * 64 + usize::try_from(field >> 3).unwrap()];
            assert!(byte & 1 << (field & 7) != 0, "a key is not in the filter");
        }
    }
}

/// Key, version, kind, value.
type Entry = (Vec<u8>, u64, u64, Vec<u8>);

fn block_entries(block: &[u8], seed: u32, last: &[u8]) -> ([u8; 4], Vec<Entry>) {
    let (layout, slot_layout) = (Layout::of("Block header"), Layout::of("Block slot"));
    let checksum = layout.raw(block, "checksum");
    assert_eq!(layout.get(block, "checksum"), crc(seed, &[&block[layout.fields["length"].0..]]));
    assert_eq!(layout.index(block, "length"), block.len());
    assert_eq!(layout.get(block, "reserved"), 0);
    let (count, delta_len) = (layout.index(block, "count"), layout.index(block, "delta length"));
    let (prefix, rest) = block[layout.end..].split_at(layout.index(block, "prefix length"));
    let (slots, body) = rest.split_at(count * slot_layout.end);
    let mut cursor = Cursor(body);
    let mut entries: Vec<Entry> = Vec::new();
    for slot in slots.chunks(slot_layout.end) {
        assert_eq!(slot_layout.index(slot, "entry offset"), body.len() - cursor.0.len());
        let (suffix_len, tag) = (cursor.varint(), cursor.varint());
        let version = layout.get(block, "base version") + cursor.word(delta_len);
        let head = &slot_layout.raw(slot, "head")[..suffix_len.min(4)];
        let key = [prefix, head, cursor.raw(suffix_len.saturating_sub(4))].concat();
        let value = cursor.raw(tag >> 3).to_vec();
        let before = entries.last().map_or(last, |entry| &entry.0);
        assert_eq!(tag & 4 != 0, before == key, "again");
        entries.push((key, version, (tag & 3) as u64, value));
    }
    assert!(cursor.0.is_empty());
    (checksum.try_into().unwrap(), entries)
}

/// The values of all chunks, by segment and offset.
fn chunks(manifest: &Manifest) -> BTreeMap<(u64, u64), Vec<u8>> {
    let mut found = BTreeMap::new();
    for (index, bytes) in files(".blob") {
        let listed = manifest.blobs.iter().find(|(listed, _)| *listed == index);
        if listed.is_none() && index < manifest.next_blob {
            continue; // a stray
        }
        let header = segment_header(&bytes, 2, &manifest.store_id, index);
        let hashed = index | 1 << 63;
        let tag = low32(xxh3_64(&[&manifest.store_id[..], &hashed.to_le_bytes()].concat()));
        assert_eq!((header.epoch, header.predecessor_end), (tag.into(), 0));
        let size = 1 << manifest.blob_shift;
        assert!(bytes.len() as u64 <= size && listed.is_none_or(|(_, end)| *end <= size));
        let mut offset = 4096;
        while let Some(chunk) = frame(&bytes, offset, header.epoch, &manifest.store_id, hashed) {
            assert_eq!((chunk.kind, chunk.lag), (0, 0xffff_ffff));
            found.insert((index, offset as u64), chunk.payload.to_vec());
            offset = chunk.end;
        }
        assert_eq!(offset, bytes.len(), "cut off behind the last chunk");
    }
    found
}

#[test]
fn the_document_is_enough_to_read_a_store() {
    let mut found = Found::default();
    let manifest = manifest(&mut found);
    let levels: BTreeSet<_> = manifest.runs.iter().map(|(level, ..)| *level).collect();
    assert!(levels.len() >= 2, "runs on two levels");
    for (_, id, checksum) in &manifest.runs {
        run(*id, *checksum, &mut found);
    }
    let (epochs, sealed) = log(&manifest, &mut found);
    assert!(epochs >= 2 && sealed, "a crash and a clean close");
    let chunks = chunks(&manifest);

    // The newest version of each key is what is there.
    let newest: BTreeMap<Vec<u8>, (u64, Vec<u8>)> =
        found.entries.into_iter().map(|((key, _), entry)| (key, entry)).collect();
    let reference = Layout::of("Blob reference");
    let mut blobs = 0;
    let mut value = |key: &[u8], (kind, value): &(u64, Vec<u8>)| {
        if *kind != 3 {
            return value.clone();
        }
        blobs += 1;
        let (segment, offset) = (reference.get(value, "segment"), reference.get(value, "offset"));
        let blob = chunks[&(segment, offset)].clone();
        assert_eq!(reference.index(value, "length"), blob.len());
        let place =
            [&2u32.to_be_bytes()[..], &segment.to_be_bytes(), &u32::try_from(offset).unwrap().to_be_bytes()];
        assert_eq!(newest[&place.concat()].1, key, "the owner of a blob");
        blob
    };
    let mut content = Content::new();
    for (catalog_key, (kind, record)) in newest.range(vec![0, 0, 0, 1]..vec![0, 0, 0, 2]) {
        if *kind == 2 {
            continue;
        }
        assert_eq!(catalog_key[4], 1, "a bare keyspace");
        let (count, id) = record.split_at(4);
        assert_eq!(count, [1, 0, 0, 0]);
        let id = Cursor(id).word(4);
        assert!(found.live.remove(&id), "a name without its keyspace");
        let floor = found.floors.remove(&id).unwrap_or_default();
        let entries =
            newest.iter().filter(|(key, entry)| keyspace(key) == id && entry.0 != 2 && key[4..] >= floor[..]);
        let entries = entries.map(|(key, entry)| (key[4..].to_vec(), value(key, entry))).collect();
        content.insert(String::from_utf8(catalog_key[5..].to_vec()).unwrap(), entries);
    }
    assert!(found.live.is_empty(), "a keyspace without a name");
    assert!(blobs > 4);
    assert!(content == expected(), "not what was put in");
}
