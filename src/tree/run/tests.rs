//! Runs against a sorted vector, and against every flipped bit and every truncation.

use super::{
    Cursor, Run, RunId, RunOptions, RunWriter, Versions,
    format::{CHUNK_LEN, FULL_KEY_LEN_MAX, VALUE_LEN_MAX},
    fuzz_block,
};
use crate::{
    Corruption, Error,
    position::Position,
    storage::{
        File, Storage,
        disk::Disk,
        memory::{Memory, MemoryFile},
    },
    tree::entry::{Entry, Kind},
};
use std::sync::Arc;

const ID: RunId = RunId::new(0x1234_5678_9abc);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    key: Vec<u8>,
    version: u64,
    kind: Kind,
    value: Vec<u8>,
}

impl Owned {
    fn put(key: impl Into<Vec<u8>>, version: u64, value: impl Into<Vec<u8>>) -> Self {
        Self { key: key.into(), version, kind: Kind::Put, value: value.into() }
    }

    fn as_entry(&self) -> Entry<'_> {
        let version = Position::new(self.version);
        Entry { key: &self.key, version, kind: self.kind, value: &self.value }
    }
}

/// A generator whose whole state is its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// Sorted, distinct.
fn sorted(mut entries: Vec<Owned>) -> Vec<Owned> {
    entries.sort_by(|a, b| a.key.cmp(&b.key).then(b.version.cmp(&a.version)));
    entries.dedup_by(|a, b| a.key == b.key && a.version == b.version);
    entries
}

fn write<S: Storage>(storage: &S, entries: &[Owned], block_len: usize) -> Run<S::File> {
    let mut writer = RunWriter::create(storage, ID, RunOptions { block_len }).unwrap();
    for entry in entries {
        writer.add(entry.as_entry()).unwrap();
    }
    let run = writer.finish().unwrap();
    assert_eq!(run.meta().entries, entries.len() as u64);
    run
}

fn run_of(entries: &[Owned], block_len: usize) -> Arc<Run<MemoryFile>> {
    Arc::new(write(&Memory::new(), entries, block_len))
}

/// Keys that share prefixes, are prefixes of each other, and end in zeros.
fn random_key(random: &mut Random) -> Vec<u8> {
    let mut key = vec![0, 0, 0, u8::try_from(random.below(3)).unwrap()];
    key.extend_from_slice(&b"orders/2024/eu-central/"[..random.below(24)]);
    for _ in 0..random.below(7) {
        key.push([0, 0, 1, b'a', b'b', 0xff][random.below(6)]);
    }
    key
}

fn random_entries(random: &mut Random, keys: usize) -> Vec<Owned> {
    let mut entries = vec![];
    for _ in 0..keys {
        let key = random_key(random);
        let versions = if random.below(10) == 0 { random.below(60) } else { 1 + random.below(2) };
        for _ in 0..versions {
            let version = random.next() >> [0, 30, 50, 60][random.below(4)];
            let kind = [Kind::Put, Kind::Put, Kind::Delete, Kind::Blob][random.below(4)];
            let len = if random.below(40) == 0 { random.below(3000) } else { random.below(20) };
            let value = if kind == Kind::Delete { vec![] } else { random.bytes(len) };
            entries.push(Owned { key: key.clone(), version, kind, value });
        }
    }
    entries.push(Owned::put(random_key(random), 7, ""));
    sorted(entries)
}

/// What a cursor at `at` yields.
fn visible(entries: &[Owned], at: u64) -> Vec<&Owned> {
    let mut seen: Vec<&Owned> = vec![];
    for entry in entries.iter().filter(|entry| entry.version <= at) {
        if seen.last().is_none_or(|last| last.key != entry.key) {
            seen.push(entry);
        }
    }
    seen
}

fn findings<F: File>(run: &Run<F>) -> Vec<Corruption> {
    let mut findings = vec![];
    run.verify(&mut |corruption| findings.push(corruption)).unwrap();
    findings
}

fn assert_current<F: File>(cursor: &Cursor<F>, expected: Option<&Owned>, context: &str) {
    assert_eq!(cursor.current(), expected.map(Owned::as_entry), "{context}");
    assert_eq!(cursor.value_bytes(), expected.map_or(&[][..], |entry| &entry.value), "{context}");
}

/// Cursor, gets and versions against the sorted vector.
fn check_model(entries: &[Owned], block_len: usize, random: &mut Random, context: &str) {
    let run = run_of(entries, block_len);
    assert_eq!(findings(&run), [], "{context}");
    check_meta(&run, entries);

    let mut versions = Versions::new(Arc::clone(&run));
    for entry in entries {
        versions.next().unwrap();
        assert_eq!(versions.current(), Some(entry.as_entry()), "{context}");
    }
    for _ in 0..2 {
        versions.next().unwrap();
        assert_eq!(versions.current(), None, "{context}");
    }

    for round in 0..6 {
        let at = match round {
            0 => u64::MAX,
            1 => 0,
            _ => entries[random.below(entries.len())].version.saturating_sub(random.next() & 1),
        };
        let context = format!("{context}, at {at}");
        let visible = visible(entries, at);
        let probe = |random: &mut Random| match random.below(3) {
            0 => random_key(random),
            _ => entries[random.below(entries.len())].key.clone(),
        };
        for _ in 0..60 {
            let key = probe(random);
            let found = run.get(&key, Run::<MemoryFile>::hash(&key), Position::new(at)).unwrap();
            let expected = visible.iter().find(|entry| entry.key == key);
            let found = found.map(|found| Owned {
                key: key.clone(),
                version: found.version.get(),
                kind: found.kind,
                value: found.value.to_vec(),
            });
            assert_eq!(found.as_ref(), expected.copied(), "{context}");
        }
        check_cursor(Cursor::new(Arc::clone(&run), Position::new(at)), &visible, random, probe, &context);
    }
}

fn check_cursor<F: File>(
    mut cursor: Cursor<F>,
    visible: &[&Owned],
    random: &mut Random,
    probe: impl Fn(&mut Random) -> Vec<u8>,
    context: &str,
) {
    assert_current(&cursor, None, context);
    // Gaps are counted like entries: 0 is before the first, len + 1 is after the last.
    let mut place = 0;
    for _ in 0..300 {
        let op = random.below(40);
        match op {
            0 => {
                cursor.seek_first().unwrap();
                place = 1;
            }
            1 => {
                cursor.seek_last().unwrap();
                place = visible.len();
            }
            2..6 => {
                let key = probe(random);
                if op.is_multiple_of(2) {
                    cursor.aim(&key, true);
                }
                cursor.seek_ge(&key).unwrap();
                place = visible.partition_point(|entry| entry.key < key) + 1;
            }
            6..10 => {
                let key = probe(random);
                if op.is_multiple_of(2) {
                    cursor.aim(&key, false);
                }
                cursor.seek_lt(&key).unwrap();
                place = visible.partition_point(|entry| entry.key < key);
            }
            10..26 => {
                cursor.next().unwrap();
                place = (place + 1).min(visible.len() + 1);
            }
            _ => {
                cursor.prev().unwrap();
                place = place.saturating_sub(1);
            }
        }
        let expected = place.checked_sub(1).and_then(|place| visible.get(place)).copied();
        assert_current(&cursor, expected, &format!("{context}, op {op}"));
    }
    for (walk, step) in [(true, Cursor::next as fn(&mut Cursor<F>) -> _), (false, Cursor::prev)] {
        if walk { cursor.seek_first() } else { cursor.seek_last() }.unwrap();
        let mut walked = vec![];
        while let Some(entry) = cursor.current() {
            walked.push((entry.key.to_vec(), entry.version.get()));
            step(&mut cursor).unwrap();
        }
        if !walk {
            walked.reverse();
        }
        assert!(
            walked
                .iter()
                .map(|(key, version)| (key, version))
                .eq(visible.iter().map(|e| (&e.key, &e.version)))
        );
    }
}

fn check_meta<F: File>(run: &Run<F>, entries: &[Owned]) {
    let meta = run.meta();
    assert_eq!(meta.id, ID);
    assert_eq!(meta.file_len, run.file.len().unwrap());
    assert_eq!(meta.entries, entries.len() as u64);
    assert_eq!(meta.deletes, entries.iter().filter(|entry| entry.kind == Kind::Delete).count() as u64);
    assert_eq!(meta.keys, visible(entries, u64::MAX).len() as u64);
    assert_eq!(meta.min_key, entries[0].key);
    assert_eq!(meta.max_key, entries[entries.len() - 1].key);
    assert_eq!(Some(meta.min_version.get()), entries.iter().map(|entry| entry.version).min());
    assert_eq!(Some(meta.max_version.get()), entries.iter().map(|entry| entry.version).max());
}

#[test]
fn agrees_with_a_sorted_vector() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let keys = [1, 3, 40, 300][random.below(4)];
        let entries = random_entries(&mut random, keys);
        let block_len = [0, 64, 100, 300, 1000, 4096, 32 * 1024][random.below(7)];
        check_model(&entries, block_len, &mut random, &format!("seed {seed}, blocks of {block_len}"));
    }
}

#[test]
fn one_key_with_versions_over_many_blocks() {
    let mut random = Random(1);
    for block_len in [0, 64, 200, 4096] {
        let mut entries: Vec<Owned> =
            (0..500).map(|version| Owned::put("middle", version * 2, "v")).collect();
        check_model(&sorted(entries.clone()), block_len, &mut random, "alone");
        entries.push(Owned::put("a", 3, ""));
        entries.push(Owned::put("middle\0", 3, ""));
        entries.push(Owned::put("z", 3, ""));
        check_model(&sorted(entries), block_len, &mut random, "between others");
    }
}

#[test]
fn the_longest_keys_and_long_values() {
    let mut random = Random(2);
    let longest = vec![7; FULL_KEY_LEN_MAX];
    let mut other = longest.clone();
    *other.last_mut().unwrap() = 8;
    let entries = sorted(vec![
        Owned::put("", 1, "the empty key"),
        Owned::put("a", 1, random.bytes(1 << 20)),
        Owned::put("a", 2, random.bytes(CHUNK_LEN - 60)),
        Owned::put("b", 1, ""),
        Owned::put(longest.clone(), 9, random.bytes(100)),
        Owned::put(longest, 8, random.bytes(2 * CHUNK_LEN)),
        Owned::put(other, 1, random.bytes(5000)),
        Owned { key: vec![9], version: u64::MAX, kind: Kind::Delete, value: vec![] },
        Owned::put([9], 0, random.bytes(10)),
    ]);
    for block_len in [0, 4096, 32 * 1024] {
        check_model(&entries, block_len, &mut random, "long");
    }
}

#[test]
fn lives_on_the_disk_under_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Disk::new(directory.path());
    let entries = random_entries(&mut Random(3), 3000);
    let written = write(&storage, &entries, 4096);
    let opened = Run::open(&storage, ID).unwrap();
    assert_eq!(written.meta(), opened.meta());
    assert_eq!(findings(&opened), []);
    check_meta(&opened, &entries);
    assert!(RunWriter::create(&storage, ID, RunOptions::default()).is_err(), "the name is taken");

    let other = RunId::new(7);
    storage.rename(&ID.file_name(), &other.file_name()).unwrap();
    assert!(matches!(Run::open(&storage, other), Err(Error::Corrupt(c)) if c.what == "run id"));

    let mut writer = RunWriter::create(&storage, ID, RunOptions::default()).unwrap();
    writer.add(entries[0].as_entry()).unwrap();
    writer.abandon().unwrap();
    assert!(matches!(Run::open(&storage, ID), Err(Error::Io { .. })), "abandoned");
}

#[test]
fn file_names_round_trip() {
    for id in [0, 1, 0xdead_beef, u64::MAX] {
        let id = RunId::new(id);
        assert_eq!(RunId::from_file_name(&id.file_name()), Some(id));
    }
    for name in ["", ".run", "1.run", "000000000000000A.run", "+00000000000000a.run", "000000000000000a.log"]
    {
        assert_eq!(RunId::from_file_name(name), None, "{name}");
    }
}

#[test]
fn estimates_its_length() {
    let mut writer = RunWriter::create(&Memory::new(), ID, RunOptions::default()).unwrap();
    for key in 0..20_000_u64 {
        let entry = Owned::put(key.to_be_bytes(), key, [5; 90]);
        writer.add(entry.as_entry()).unwrap();
    }
    let estimate = writer.estimated_len();
    let len = writer.finish().unwrap().meta().file_len;
    assert!(estimate.abs_diff(len) < len / 20, "estimated {estimate}, is {len}");
}

#[test]
fn takes_little_more_than_its_entries() {
    let mut random = Random(4);
    let entry = |random: &mut Random| {
        Owned::put([&[0, 0, 0, 9][..], &random.bytes(24)].concat(), random.next() >> 38, random.bytes(100))
    };
    let entries = sorted((0..20_000).map(|_| entry(&mut random)).collect());
    let plain: usize = entries.iter().map(|entry| entry.key.len() + entry.value.len()).sum();
    let len = run_of(&entries, RunOptions::default().block_len).meta().file_len;
    assert!(len * 100 <= plain as u64 * 110, "{len} bytes for {plain}");
}

#[test]
fn blocks_end_with_partitions_where_that_takes_less() {
    let entries: Vec<Owned> = (0..40_u8)
        .flat_map(|partition| {
            let key = move |item: u8| [&[partition.wrapping_mul(77); 24][..], &[item]].concat();
            (0..50).map(move |item| Owned::put(key(item), 1, [item; 40]))
        })
        .collect();
    let entries = sorted(entries);
    let run = run_of(&entries, 1500);
    let index = run.index().unwrap();
    let inside =
        (0..index.blocks()).filter(|block| run.block(&index, *block).unwrap().1.prefix().len() >= 24);
    assert!(inside.count() * 10 > index.blocks() * 9, "nearly all blocks are of one partition");
    let plain: usize = entries.iter().map(|entry| entry.key.len() + entry.value.len()).sum();
    assert!(run.meta().file_len < plain as u64, "shared bytes are there once");
    // Small ones stay together: a block for each would take more.
    let small: Vec<Owned> =
        (0..200_u8).map(|partition| Owned::put([[partition; 24], [1; 24]].concat(), 1, [7; 40])).collect();
    let run = run_of(&small, 1500);
    assert!(run.block_count() <= 16, "{} blocks", run.block_count());
}

#[test]
fn refuses_what_is_too_long() {
    let mut writer = RunWriter::create(&Memory::new(), ID, RunOptions::default()).unwrap();
    let entry = Owned::put(vec![0; FULL_KEY_LEN_MAX + 1], 1, "");
    assert!(matches!(writer.add(entry.as_entry()), Err(Error::TooLarge { what: "key", .. })));
    let entry = Owned::put("", 1, vec![0; VALUE_LEN_MAX + 1]);
    assert!(matches!(writer.add(entry.as_entry()), Err(Error::TooLarge { what: "value", .. })));
}

/// Found by fuzzing: merging a run whose entries are out of order, under right checksums, panicked here.
#[test]
fn refuses_what_is_out_of_order() {
    let mut writer = RunWriter::create(&Memory::new(), ID, RunOptions::default()).unwrap();
    writer.add(Owned::put("b", 5, "").as_entry()).unwrap();
    let delete = Owned { kind: Kind::Delete, ..Owned::put("c", 6, "value") };
    for (entry, what) in [
        (Owned::put("a", 6, ""), "order of keys"),
        (Owned::put("b", 5, ""), "order of versions"),
        (Owned::put("b", 6, ""), "order of versions"),
        (delete, "delete"),
    ] {
        let Err(Error::Corrupt(found)) = writer.add(entry.as_entry()) else { panic!("{what}") };
        assert_eq!(found.what, what);
    }
    writer.add(Owned::put("b", 4, "").as_entry()).unwrap();
    assert_eq!(writer.finish().unwrap().meta().entries, 2);
}

// ---- damage ----

fn small_entries() -> Vec<Owned> {
    let mut entries: Vec<Owned> =
        (0..24_u8).map(|key| Owned::put([b'k', key], 100 + u64::from(key), [key; 5])).collect();
    entries.extend((0..6).map(|version| Owned::put([b'k', 9], version, "old")));
    entries.push(Owned { key: vec![b'k', 77], version: 3, kind: Kind::Delete, value: vec![] });
    sorted(entries)
}

fn content<F: File>(run: &Run<F>) -> Vec<u8> {
    run.file.slice(0, usize::try_from(run.meta().file_len).unwrap()).unwrap().to_vec()
}

fn open(bytes: &[u8]) -> Result<Arc<Run<MemoryFile>>, Error> {
    let file = Memory::new().create("run").unwrap();
    file.write_at(bytes, 0).unwrap();
    Run::from_file(file, ID).map(Arc::new)
}

/// Every read gives the right answer or `Error::Corrupt`; verification finds something. Returns how many reads failed.
fn check_damaged(bytes: &[u8], entries: &[Owned], context: &str) -> usize {
    let run = match open(bytes) {
        Ok(run) => run,
        Err(Error::Corrupt(_)) => return 1,
        Err(error) => panic!("{context}: {error}"),
    };
    assert_ne!(findings(&run), [], "{context}");
    let mut failures = 0;
    let mut fails = |error| match error {
        Error::Corrupt(_) => failures += 1,
        error => panic!("{context}: {error}"),
    };
    for at in [u64::MAX, 4] {
        let visible = visible(entries, at);
        for key in entries.iter().map(|entry| entry.key.as_slice()).chain([&b"k\x09\0"[..], b"a"]) {
            match run.get(key, Run::<MemoryFile>::hash(key), Position::new(at)) {
                Ok(found) => {
                    let expected = visible.iter().find(|entry| entry.key == key);
                    assert_eq!(
                        found.map(|found| found.value.to_vec()),
                        expected.map(|e| e.value.clone()),
                        "{context}"
                    );
                }
                Err(error) => fails(error),
            }
        }
        for forwards in [true, false] {
            let mut cursor = Cursor::new(Arc::clone(&run), Position::new(at));
            let mut walked = 0;
            loop {
                let step = match (forwards, walked) {
                    (true, _) => cursor.next(),
                    (false, 0) => cursor.seek_last(),
                    (false, _) => cursor.prev(),
                };
                if let Err(error) = step {
                    assert_eq!(cursor.current(), None);
                    assert!(cursor.next().is_err(), "errors stay");
                    fails(error);
                    break;
                }
                let place = if forwards { Some(walked) } else { visible.len().checked_sub(walked + 1) };
                let expected = place.and_then(|place| visible.get(place)).copied();
                assert_current(&cursor, expected, context);
                if expected.is_none() {
                    break;
                }
                walked += 1;
            }
        }
    }
    let mut versions = Versions::new(run);
    for expected in entries.iter().map(Some).chain([None]) {
        if let Err(error) = versions.next() {
            fails(error);
            break;
        }
        assert_eq!(versions.current(), expected.map(Owned::as_entry), "{context}");
    }
    failures
}

#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let entries = small_entries();
    let whole = content(&run_of(&entries, 150));
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let failures = check_damaged(&bytes, &entries, &format!("bit {bit}"));
        assert_ne!(failures, 0, "bit {bit}: some read needs every part of so small a run");
    }
}

#[test]
fn every_truncation_is_refused() {
    let whole = content(&run_of(&small_entries(), 150));
    for len in 0..whole.len() {
        assert!(matches!(open(&whole[..len]), Err(Error::Corrupt(_))), "cut to {len}");
        let zeros = [&whole[..len], &vec![0; whole.len() - len][..]].concat();
        if zeros != whole {
            assert!(matches!(open(&zeros), Err(Error::Corrupt(_))), "zeros from {len}");
        }
        let longer = [&whole[..], &vec![0; len + 1][..]].concat();
        assert!(matches!(open(&longer), Err(Error::Corrupt(_))), "grown by {}", len + 1);
    }
}

#[test]
fn swapped_blocks_do_not_verify() {
    // Blocks of equal length, so that only their place gives them away.
    let entries: Vec<Owned> = (0..40_u8).map(|key| Owned::put([b'k', key], 9, [key; 40])).collect();
    let run = run_of(&entries, 0);
    let whole = content(&run);
    let index = run.index().unwrap();
    let [a, b] = [3, 8].map(|block| run.extent(&index, block).unwrap());
    assert_eq!(a.len(), b.len());
    let mut bytes = whole.clone();
    bytes[a.clone()].copy_from_slice(&whole[b.clone()]);
    bytes[b].copy_from_slice(&whole[a]);
    assert_ne!(check_damaged(&bytes, &entries, "swapped"), 0);
    assert_eq!(findings(&open(&bytes).unwrap()).len(), 2);
}

/// Bytes of the format are a promise: what changes them changes the format version and `docs/format.md`.
#[test]
fn the_format_is_pinned() {
    let bytes = content(&run_of(&small_entries(), 150));
    assert_eq!((bytes.len(), crc32fast::hash(&bytes)), (932, 27_029_660));
}

#[test]
fn a_newer_version_is_not_corruption() {
    let mut bytes = content(&run_of(&small_entries(), 150));
    let seal = bytes.len() - 16;
    bytes[seal + 8] = 2;
    let crc = crc32fast::hash(&bytes[seal..seal + 12]);
    bytes[seal + 12..].copy_from_slice(&crc.to_le_bytes());
    assert!(matches!(open(&bytes), Err(Error::Version { found: 2, supported: 1, .. })));
}

#[test]
fn decoders_survive_any_bytes() {
    let run = run_of(&small_entries(), 150);
    let whole = content(&run);
    let index = run.index().unwrap();
    let block = &whole[run.extent(&index, 1).unwrap()];
    let index_end = usize::try_from(run.footer.index_end).unwrap();
    let index_at = usize::try_from(run.footer.index_at).unwrap();
    let blocks = u8::try_from(index.blocks()).unwrap();
    let samples = [
        [&[0][..], block].concat(),
        [&[1, blocks, 0][..], &whole[index_at..index_end]].concat(),
        [&[2][..], &whole[index_end..]].concat(),
    ];
    let mut random = Random(5);
    for sample in &samples {
        for len in 0..sample.len() {
            fuzz_block(&sample[..len]);
        }
        for _ in 0..20_000 {
            let mut bytes = sample.clone();
            for _ in 0..=random.below(4) {
                let at = 1 + random.below(bytes.len() - 1);
                bytes[at] = [0, 1, 0x7f, 0x80, 0xff, random.next().to_le_bytes()[0]][random.below(6)];
            }
            fuzz_block(&bytes);
        }
    }
}

/// Blocks whose checksums were made right again: never a panic, and verification notices what does not fit.
#[test]
fn forged_blocks_are_read_without_a_panic() {
    let entries = small_entries();
    let run = run_of(&entries, 150);
    let whole = content(&run);
    let mut random = Random(6);
    for _ in 0..5000 {
        let mut bytes = whole.clone();
        let extent = run.extent(&run.index().unwrap(), random.below(run.block_count())).unwrap();
        let at = extent.start + 4 + random.below(extent.len() - 4);
        bytes[at] = bytes[at].wrapping_add(1 + random.next().to_le_bytes()[0] % 255);
        let crc = super::format::checksum(
            super::format::seed(ID.get(), extent.start as u64),
            &bytes[extent.start + 4..extent.end],
        );
        bytes[extent.start..extent.start + 4].copy_from_slice(&crc.to_le_bytes());
        let forged = open(&bytes).unwrap();
        assert_ne!(findings(&forged), []);
        for at in [Position::new(4), Position::MAX] {
            for entry in &entries {
                let _ = forged.get(&entry.key, Run::<MemoryFile>::hash(&entry.key), at);
                let mut cursor = Cursor::new(Arc::clone(&forged), at);
                let _ = cursor.seek_lt(&entry.key);
                let _ = cursor.next();
                let _ = cursor.seek_ge(&entry.key).and_then(|()| cursor.prev());
            }
        }
    }
}

/// A whole run with one block changed and every checksum made right again.
fn forge(whole: &[u8], number: usize, change: impl FnOnce(&mut [u8], usize)) -> Vec<u8> {
    let run = open(whole).unwrap();
    let index = run.index().unwrap();
    let mut bytes = whole.to_vec();
    let extent = run.extent(&index, number).unwrap();
    let entries = run.block(&index, number).unwrap().1.shape.entries();
    change(&mut bytes[extent.clone()], entries);
    let seed = super::format::seed(ID.get(), extent.start as u64);
    let crc = super::format::checksum(seed, &bytes[extent.start + 4..extent.end]);
    bytes[extent.start..extent.start + 4].copy_from_slice(&crc.to_le_bytes());
    let mut crcs = crc32fast::Hasher::new();
    for block in 0..index.blocks() {
        let start = run.extent(&index, block).unwrap().start;
        crcs.update(&bytes[start..start + 4]);
    }
    let tail = bytes.len() - 120;
    bytes[tail + 88..tail + 92].copy_from_slice(&crcs.finalize().to_le_bytes());
    let footer_at = usize::try_from(run.footer.index_end).unwrap();
    let crc = super::format::checksum(0, &bytes[footer_at..tail + 100]);
    bytes[tail + 100..tail + 104].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn verification_understands_what_it_reads() {
    // Three entries to a block, each `suffix_len | tag | value`: versions are equal, so deltas take no byte.
    let entries: Vec<Owned> = (0..30_u8).map(|key| Owned::put([b'k', key, 0, 0], 9, [b'v'; 5])).collect();
    let whole = content(&run_of(&entries, 80));
    let check = |what: &str, change: &dyn Fn(&mut [u8], usize)| {
        let findings = findings(&open(&forge(&whole, 2, change)).unwrap());
        let found: Vec<&str> = findings.iter().map(|finding| finding.what).collect();
        assert_eq!(found, [what]);
    };
    let slots = |entries: usize| entries - 3 * 6;
    check("same key as before", &|block, entries| block[entries + 7 + 1] |= 4);
    check("delete count", &|block, entries| {
        // The second entry becomes a delete without a value; the third moves up behind it and grows to the end.
        block[entries + 7 + 1] = 2;
        block.copy_within(entries + 14..entries + 16, entries + 9);
        let next = slots(entries) + 2 * 6 + 4;
        block[next] = 9;
        block[entries + 10] = 10 << 3 | 1;
    });
    check("value of a delete", &|block, entries| block[entries + 7 + 1] = 5 << 3 | 2);
    check("entry order", &|block, entries| block[slots(entries) + 6] = 0);
    check("filter", &|block, entries| block[slots(entries) + 6 + 2] = 1);
    check("padding of a key head", &|block, entries| block[slots(entries) + 6 + 3] = 1);
    check("first key in the index", &|block, entries| block[slots(entries) + 2] = 1);
    check("lowest version", &|block, _| block[8] = 8);
    check("highest version", &|block, _| block[8] = 10);
    check("entry offset", &|block, entries| block[slots(entries) + 6 + 4] = 0);
    check("block entry", &|block, entries| block[entries + 14 + 1] = 6 << 3 | 1);
    check("end of entries", &|block, entries| block[entries + 14 + 1] = 4 << 3 | 1);
    check("reserved bytes", &|block, _| block[23] = 1);
    check("version delta length", &|block, _| block[20] = 9);
    check("block entry count", &|block, _| block[16] = 0);
}
