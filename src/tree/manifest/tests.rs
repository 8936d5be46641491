//! Manifests there and back, damaged in every bit, against every rule, and replaced while calls or the power fail.

use super::*;
use crate::{
    random::Random,
    storage::sim::{CrashLimits, Fault, Faults, SimDir, SimDisk},
    tree::run::RunId,
};
use std::path::Path;

fn run(id: u64, keys: (&str, &str), versions: (u64, u64)) -> Meta {
    let key = |key: &str| [b"\0\0\0\x01", key.as_bytes()].concat().into();
    Meta {
        id: RunId::new(id),
        file_len: 4096 + id,
        entries: 30,
        deletes: 7,
        keys: 20,
        min_key: key(keys.0),
        max_key: key(keys.1),
        min_version: Position::new(versions.0),
        max_version: Position::new(versions.1),
        checksum: 0xdead_beef,
    }
}

fn sample() -> Manifest {
    Manifest {
        store_id: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
        created: Timestamp::from_secs(1_735_689_600),
        segment_shift: 26,
        blob_shift: 24,
        epoch: 3,
        log_start: Position::new(1 << 26),
        durable: Position::new((1 << 26) + 8192),
        next_run: 100,
        next_keyspace: 9,
        next_blob: 6,
        levels: vec![
            vec![
                run(40, ("a", "m"), (500, 599)),
                run(41, ("c", "z"), (600, 700)),
                run(39, ("n", "p"), (510, 520)),
            ],
            vec![run(7, ("a", "c"), (1, 99)), run(3, ("d", "d"), (100, 100)), run(99, ("da", ""), (2, 98))],
            vec![],
            vec![run(0, ("b", "x"), (0, 0))],
        ],
        keyspaces: vec![
            Keyspace { id: 0, created: Position::ZERO, floor: None },
            Keyspace {
                id: 4,
                created: Position::new(80),
                floor: Some((Position::new(80), Bytes::from("k"))),
            },
            Keyspace { id: 8, created: Position::MAX, floor: None },
        ],
        blobs: vec![
            BlobSegment { index: 2, len: 1 << 24, garbage: 1 << 24 },
            BlobSegment { index: 5, len: 0, garbage: 0 },
        ],
    }
}

/// As [`sample`], with the order of its runs put right.
fn manifest() -> Manifest {
    let mut manifest = sample();
    manifest.levels[0].swap(1, 2);
    manifest.levels[1][2].max_key = manifest.levels[1][2].min_key.clone();
    manifest
}

fn decode(bytes: &[u8]) -> Result<Manifest> {
    Manifest::decode(bytes, Path::new(NAME))
}

fn corruption(result: Result<Manifest>) -> crate::Corruption {
    match result {
        Err(Error::Corrupt(corruption)) => *corruption,
        other => panic!("corruption expected: {other:?}"),
    }
}

#[test]
fn round_trip() {
    assert_eq!(decode(&manifest().encode()).unwrap(), manifest());
    let empty = Manifest { levels: vec![], keyspaces: vec![], blobs: vec![], ..manifest() };
    assert_eq!(decode(&empty.encode()).unwrap(), empty);
    assert_eq!(empty.encode().len(), 96 + 3 * 4);
}

#[test]
fn rejects_every_flipped_bit() {
    let bytes = manifest().encode();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        corruption(decode(&bytes));
    }
}

#[test]
fn rejects_every_truncation() {
    let mut bytes = manifest().encode();
    for len in 0..bytes.len() {
        corruption(decode(&bytes[..len]));
    }
    bytes.push(0);
    assert_eq!(corruption(decode(&bytes)).what, "manifest length");
}

/// With a right checksum, wrong content is refused by its own rules and never by a panic.
#[test]
fn survives_every_byte_under_a_right_checksum() {
    let bytes = manifest().encode();
    for at in 24..bytes.len() {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            seal(&mut bytes);
            if let Ok(manifest) = decode(&bytes) {
                assert_eq!(manifest.encode(), bytes, "what is accepted is what was written");
            }
        }
    }
    for seed in 0..200 {
        let random = Random::from_seed(seed);
        let below = |end: usize| usize::try_from(random.next_u64() % end as u64).unwrap();
        let mut bytes = bytes[..24 + below(bytes.len() - 24)].to_vec();
        let from = 24 + below(bytes.len() - 23);
        bytes[from..].fill_with(|| random.next_u64().to_le_bytes()[0]);
        seal(&mut bytes);
        if let Ok(manifest) = decode(&bytes) {
            assert_eq!(manifest.encode(), bytes, "seed {seed}");
        }
    }
}

/// Length and checksum of what the bytes have become.
fn seal(bytes: &mut [u8]) {
    let len = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&len.to_le_bytes());
    let crc = crc32fast::hash(&[&bytes[..12], &bytes[16..]].concat());
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_newer_version_is_told_from_damage() {
    let mut bytes = manifest().encode();
    bytes[8] = 2;
    assert_eq!(corruption(decode(&bytes)).what, "manifest checksum");
    bytes[40..].fill(0xa5);
    seal(&mut bytes);
    assert!(matches!(decode(&bytes), Err(Error::Version { found: 2, supported: 1, .. })));
}

#[test]
fn rules_of_the_tree_are_checked() {
    let check = |what: &str, change: fn(&mut Manifest)| {
        let mut manifest = manifest();
        change(&mut manifest);
        assert_eq!(corruption(decode(&manifest.encode())).what, what);
    };
    check("order of runs", |m| m.levels[0].swap(0, 2));
    check("order of runs", |m| m.levels[1].swap(0, 1));
    check("order of runs", |m| m.levels[1][0].max_key = m.levels[1][1].min_key.clone());
    check("run ids", |m| m.levels[3][0].id = m.levels[0][0].id);
    check("run id", |m| m.next_run = 99);
    check("run length", |m| m.levels[0][0].file_len = 0);
    check("run entries", |m| m.levels[0][0].deletes = 31);
    check("run entries", |m| m.levels[0][0].keys = 31);
    check("run entries", |m| m.levels[0][0].keys = 0);
    check("run keys", |m| m.levels[1][2].max_key = m.levels[1][0].min_key.clone());
    check("run key", |m| m.levels[1][0].min_key = Bytes::from_static(b"abc"));
    check("run key", |m| m.levels[3][0].max_key = vec![9; 5 + crate::limits::KEY_LEN_MAX].into());
    check("run versions", |m| m.levels[3][0].min_version = Position::new(1));
    check("segment shift", |m| m.segment_shift = 13);
    check("blob segment shift", |m| m.blob_shift = 31);
    check("keyspace id", |m| m.keyspaces.swap(0, 1));
    check("keyspace id", |m| m.next_keyspace = 8);
    check("floor position", |m| m.keyspaces[1].created = Position::new(81));
    check("floor key", |m| m.keyspaces[1].floor = Some((Position::MAX, Bytes::new())));
    check("blob segment index", |m| m.blobs.swap(0, 1));
    check("blob segment index", |m| m.next_blob = 5);
    check("blob segment length", |m| m.blobs[1].len = (1 << 24) + 1);
    check("blob garbage", |m| m.blobs[1].garbage = 1);
}

fn dir() -> SimDir {
    let dir = SimDisk::new().dir("d");
    dir.create_dir().unwrap();
    dir
}

/// What the manifest of step `n` of a history is: each longer than the last, over page borders.
fn step(n: u64) -> Manifest {
    let runs = (0..n * 40).map(|id| {
        let key = format!("{id:08}");
        run(id, (&key, &key), (id, id))
    });
    Manifest { durable: Position::new(n), next_run: 1000, levels: vec![vec![], runs.collect()], ..manifest() }
}

#[test]
fn reads_what_was_written_over_what_was_left() {
    let dir = dir();
    assert_eq!(Manifest::read(&dir).unwrap(), None);
    step(2).write(&dir).unwrap();
    // A crash has left a longer one half-made.
    dir.create(NEXT_NAME).unwrap().write_at(&vec![7; 100_000], 0).unwrap();
    step(1).write(&dir).unwrap();
    assert_eq!(Manifest::read(&dir).unwrap(), Some(step(1)));
    let names: Vec<_> = dir.list().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, [NAME]);
}

#[test]
fn a_file_that_is_no_manifest_is_corrupt() {
    for content in [&b""[..], b"4FOLD", &[0; 24], &[0; 5000]] {
        let dir = dir();
        dir.create(NAME).unwrap().write_at(content, 0).unwrap();
        let corruption = corruption(Manifest::read(&dir).map(|_| manifest()));
        assert!(corruption.file.ends_with(NAME));
    }
}

/// After a crash at any point the manifest is the old or the new one, and the new one once `write` has returned.
#[test]
fn a_crash_leaves_the_old_or_the_new_one() {
    let mut states = 0;
    let limits = CrashLimits::default();
    let disk = SimDisk::new();
    disk.dir("d").create_dir().unwrap();
    for n in 1..=3 {
        disk.record();
        step(n).write(&disk.dir("d")).unwrap();
        let images = disk.images();
        let last = images.len() - 1;
        for (call, image) in images.iter().enumerate() {
            for survival in image.crash_states(limits) {
                let found = Manifest::read(&image.crash(&survival).dir("d")).unwrap();
                let durable = found.as_ref().map_or(0, |manifest| manifest.durable.get());
                let expected = if call == last { n..=n } else { n - 1..=n };
                assert!(expected.contains(&durable), "call {call}:\n{}", image.explain(&survival));
                assert!(found.is_none_or(|manifest| manifest == step(durable)));
                states += 1;
            }
        }
        // The next life starts from whatever; here, from a killed process with a leftover.
        disk.dir("d").create(NEXT_NAME).unwrap().write_at(b"leftover", 0).unwrap();
    }
    println!("{states} crash states");
    assert!(states > 100);
}

/// Whatever call fails, an error says so and a crash afterwards leaves the old or the new manifest; so does trying again.
#[test]
fn a_failed_write_leaves_the_old_or_the_new_one() {
    for fault in [Fault::Error, Fault::Full, Fault::Short] {
        for failing in 0.. {
            let disk = SimDisk::new();
            let dir = disk.dir("d");
            dir.create_dir().unwrap();
            step(1).write(&dir).unwrap();
            let call = disk.calls() + failing;
            disk.set_faults(Faults::new(1).fail_at(call, fault));
            let written = step(2).write(&dir);
            disk.set_faults(Faults::new(1));
            for survival in disk.crash_states(CrashLimits::default()) {
                let found = Manifest::read(&disk.crash(&survival).dir("d")).unwrap().unwrap();
                assert!(found == step(2) || written.is_err() && found == step(1), "{}", disk.describe(call));
            }
            if written.is_ok() {
                assert!(failing >= 4, "create, write, sync, rename and sync directory can fail");
                break;
            }
        }
    }
}
