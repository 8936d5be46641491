//! The blob log on every storage: what is written is read, what is damaged is told, what was synced survives.

mod gate;

use super::*;
use crate::{
    limits::SEGMENT_SHIFT_MIN,
    log::format::{
        Binding, FRAME_HEADER_LEN, FrameKind, HEADER_FIELDS_LEN, HEADER_LEN, LAG_UNKNOWN, frame_len, seal,
    },
    sim::{CrashLimits, Fault, Faults, SimDisk, Survival},
    storage::{File as _, disk::Disk, memory::Memory, sim::SimDir},
};
use std::{collections::BTreeSet, path::PathBuf, thread};
use xxhash_rust::xxh3::xxh3_64_with_seed;

const STORE_ID: u128 = 0x0123_4567_89ab_cdef;
const SIZE: u32 = 1 << SEGMENT_SHIFT_MIN;

fn geometry() -> Geometry {
    Geometry::new(SEGMENT_SHIFT_MIN)
}

fn open<S: Storage>(storage: S, next_index: u64, live: &[u64]) -> BlobLog<S> {
    storage.create_dir().unwrap();
    BlobLog::open(storage, geometry(), STORE_ID, next_index, live).unwrap()
}

fn sim() -> (SimDisk, BlobLog<SimDir>) {
    let disk = SimDisk::new();
    let log = open(disk.dir("d"), 0, &[]);
    (disk, log)
}

fn reopen(disk: &SimDisk) -> BlobLog<SimDir> {
    open(disk.dir("d"), 0, &[])
}

fn file(index: u64) -> PathBuf {
    PathBuf::from("d").join(file_name(index))
}

/// Bytes that tell places and seeds apart.
fn value(seed: u64, len: usize) -> Vec<u8> {
    let words = (0..len.div_ceil(8) as u64)
        .flat_map(|word| xxh3_64_with_seed(&word.to_le_bytes(), seed).to_le_bytes());
    words.take(len).collect()
}

fn corruption<T: std::fmt::Debug>(result: Result<T>) -> Corruption {
    match result {
        Err(Error::Corrupt(corruption)) => *corruption,
        other => panic!("not corrupt: {other:?}"),
    }
}

fn walk<S: Storage>(log: &BlobLog<S>, index: u64) -> Vec<Chunk> {
    log.chunks(index).unwrap().map(|chunk| chunk.unwrap()).collect()
}

#[test]
fn references_round_trip() {
    for (segment, offset, len) in
        [(0, 0, 0), (1, 2, 3), (u64::MAX, u32::MAX, u32::MAX), (1 << 40, 4096, 1 << 29)]
    {
        let at = BlobRef { segment, offset, len };
        assert_eq!(BlobRef::decode(&at.encode()), at);
    }
    let at = BlobRef { segment: 0x0807_0605_0403_0201, offset: 0x0c0b_0a09, len: 0x100f_0e0d };
    assert_eq!(at.encode(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
}

#[test]
fn names_round_trip() {
    assert_eq!(file_name(26), "000000000000001a.blob");
    assert_eq!(index_of_name("000000000000001a.blob"), Some(26));
    for name in
        ["1a.blob", "000000000000001A.blob", "+00000000000001a.blob", "ffffffffffffffff.blob", ".blob", "x"]
    {
        assert_eq!(index_of_name(name), None, "{name}");
    }
}

#[test]
fn what_is_written_is_read_on_every_storage() {
    let dir = tempfile::tempdir().unwrap();
    check_round_trips(&open(Disk::new(dir.path()), 0, &[]));
    check_round_trips(&open(Memory::new(), 0, &[]));
    check_round_trips(&sim().1);
}

fn check_round_trips<S: Storage>(log: &BlobLog<S>) {
    let capacity = geometry().payload_max() as usize;
    let lens = [0, 1, 7, 8, 9, 100, 4080, 4096, capacity - 1, capacity, 1, capacity / 2, capacity / 2];
    let mut written = Vec::new();
    for (seed, len) in (0..).zip(lens) {
        let whole = value(seed, len);
        let (head, tail) = whole.split_at(len / 3);
        written.push((log.write(&[&whole]).unwrap(), whole.clone()));
        written.push((log.write(&[head, &[], tail]).unwrap(), whole));
    }
    for (at, whole) in &written {
        assert_eq!(log.read(*at).unwrap(), whole);
        assert!(log.is_whole(*at).unwrap());
    }
    let chunks: Vec<_> =
        log.segments().segments.iter().flat_map(|segment| walk(log, segment.index)).collect();
    assert_eq!(chunks, written.iter().map(|(at, _)| Chunk::Whole(*at)).collect::<Vec<_>>());

    let before = log.segments();
    let too_long = vec![0; capacity + 1];
    let error = log.write(&[&too_long]).unwrap_err();
    let expected = capacity as u64 + 1;
    assert!(
        matches!(error, Error::TooLarge { what: "blob", len, max } if len == expected && max == expected - 1)
    );
    assert_eq!(log.segments(), before);
    log.sync().unwrap();
}

/// Longer than what is gathered, so that header and parts are written one by one.
#[test]
fn long_values_of_any_parts_are_read_without_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    check_long_values(Disk::new(dir.path()));
    check_long_values(Memory::new());
}

fn check_long_values<S: Storage>(storage: S) {
    let log = BlobLog::open(storage, Geometry::new(20), STORE_ID, 0, &[]).unwrap();
    let whole = value(1, 300_001);
    let (head, tail) = whole.split_at(100_001);
    for parts in [&[&whole[..]][..], &[head, tail], &[&whole[..5], &whole[5..]]] {
        let at = log.write(parts).unwrap();
        let read = log.read(at).unwrap();
        assert_eq!(read, whole);
        assert_eq!(log.read(at).unwrap().as_ptr(), read.as_ptr());
    }
}

#[test]
fn a_full_segment_is_followed_by_another_and_gives_back_its_rest() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(Disk::new(dir.path()), 0, &[]);
    let refs: Vec<_> = (0..5).map(|seed| log.write(&[&value(seed, 5000)]).unwrap()).collect();
    let ends = HEADER_LEN + 2 * frame_len(5000);
    assert_eq!(refs.iter().map(|at| at.segment).collect::<Vec<_>>(), [0, 0, 1, 1, 2]);
    let read = log.read(refs[1]).unwrap();
    log.tidy().unwrap();
    let sizes = |log: &BlobLog<Disk>| -> Vec<_> {
        log.segments()
            .segments
            .iter()
            .map(|segment| (segment.used, segment.allocated, segment.active))
            .collect()
    };
    let last = HEADER_LEN + frame_len(5000);
    assert_eq!(sizes(&log), [(ends, ends, false), (ends, ends, false), (last, SIZE, true)]);
    assert_eq!(log.storage.open(&file_name(1)).unwrap().len().unwrap(), u64::from(ends));
    log.close().unwrap();
    assert_eq!(sizes(&log), [(ends, ends, false), (ends, ends, false), (last, last, false)]);
    assert_eq!(log.write(&[b"later"]).unwrap().segment, 3);
    drop(log);

    let log = open(Disk::new(dir.path()), 3, &[0, 1, 2]);
    for (seed, at) in (0..).zip(&refs) {
        assert_eq!(log.read(*at).unwrap(), value(seed, 5000));
    }
    assert_eq!(read, value(1, 5000));
    assert_eq!(log.segments().next_index, 4);
    assert_eq!(log.write(&[b"new"]).unwrap(), BlobRef { segment: 4, offset: HEADER_LEN, len: 3 });
}

#[test]
fn writers_on_four_threads_do_not_meet() {
    let dir = tempfile::tempdir().unwrap();
    check_concurrency(&open(Disk::new(dir.path()), 0, &[]));
    check_concurrency(&open(Memory::new(), 0, &[]));
}

fn check_concurrency<S: Storage>(log: &BlobLog<S>) {
    let writer = |thread: u64| {
        let seeds = (0..300).map(move |number| thread * 1000 + number);
        let written = seeds.map(|seed| {
            let whole = value(seed, usize::try_from(seed * 7919 % 3000).unwrap());
            let at = log.write(&[&whole[..whole.len() / 2], &whole[whole.len() / 2..]]).unwrap();
            assert_eq!(log.read(at).unwrap(), whole);
            if seed.is_multiple_of(50) {
                log.sync().unwrap();
                log.tidy().unwrap();
            }
            (at, whole)
        });
        written.collect::<Vec<_>>()
    };
    let mut written: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || writer(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    written.sort();
    for (at, whole) in &written {
        assert_eq!(log.read(*at).unwrap(), whole);
    }
    let chunks: Vec<_> =
        log.segments().segments.iter().flat_map(|segment| walk(log, segment.index)).collect();
    assert_eq!(chunks, written.iter().map(|(at, _)| Chunk::Whole(*at)).collect::<Vec<_>>());
}

#[test]
fn every_flipped_bit_of_a_chunk_is_told() {
    let (disk, log) = sim();
    log.write(&[b"before"]).unwrap();
    let at = log.write(&[b"a value!"]).unwrap();
    let behind = log.write(&[b"behind"]).unwrap();
    let start = u64::from(at.offset) * 8;
    for bit in start..start + u64::from(frame_len(at.len)) * 8 {
        disk.flip_bit(file(0), bit).unwrap();
        let found = corruption(log.read(at));
        assert_eq!((found.file, found.offset), (file(0), at.offset.into()), "bit {bit}");
        assert!(!log.is_whole(at).unwrap(), "bit {bit}");
        let damage = Chunk::Damage { offset: at.offset, end: behind.offset };
        assert_eq!(walk(&log, 0)[1..], [damage, Chunk::Whole(behind)], "bit {bit}");
        disk.flip_bit(file(0), bit).unwrap();
    }
    assert_eq!(log.read(at).unwrap(), b"a value!"[..]);
}

#[test]
fn every_flipped_bit_of_the_header_is_told() {
    let (disk, log) = sim();
    let at = log.write(&[b"value"]).unwrap();
    for bit in 0..HEADER_FIELDS_LEN as u64 * 8 {
        disk.flip_bit(file(0), bit).unwrap();
        let log = reopen(&disk);
        assert!(matches!(log.read(at), Err(Error::Corrupt(_) | Error::Version { .. })), "bit {bit}");
        disk.flip_bit(file(0), bit).unwrap();
    }
    assert_eq!(reopen(&disk).read(at).unwrap(), b"value"[..]);
}

#[test]
fn a_truncated_file_is_told_and_left_alone() {
    let (disk, log) = sim();
    let at = log.write(&[b"a value"]).unwrap();
    let end = at.offset + FRAME_HEADER_LEN + at.len;
    for len in (0..u64::from(end)).filter(|len| *len < 80 || *len > 4080) {
        let disk = disk.kill();
        disk.truncate(file(0), len).unwrap();
        let log = reopen(&disk);
        assert_eq!(corruption(log.read(at)).file, file(0), "{len} bytes");
        assert!(!log.is_whole(at).unwrap(), "{len} bytes");
        log.tidy().unwrap();
        assert_eq!(disk.files()[0].1, len);
    }
    // Cut off behind the back of an open log.
    disk.truncate(file(0), u64::from(end) - 1).unwrap();
    assert_eq!(corruption(log.read(at)).what, "file length");
    assert!(!log.is_whole(at).unwrap());
}

#[test]
fn a_chunk_verifies_only_in_its_place() {
    let (disk, log) = sim();
    let refs: Vec<_> = (0..4).map(|seed| log.write(&[&value(seed, 6000)]).unwrap()).collect();
    assert_eq!(refs.iter().map(|at| (at.segment, at.offset)).collect::<BTreeSet<_>>().len(), 4);
    // Another segment under the name.
    let swapped = disk.kill();
    swapped.copy(file(0), file(1)).unwrap();
    assert_eq!(corruption(reopen(&swapped).read(refs[2])).what, "segment base");
    // Its chunks under the right header, and pages in the wrong order.
    let mut bytes = disk.read(file(1)).unwrap();
    bytes[HEADER_LEN as usize..].copy_from_slice(&disk.read(file(0)).unwrap()[HEADER_LEN as usize..]);
    swapped.write(file(1), &bytes).unwrap();
    assert_eq!(corruption(reopen(&swapped).read(refs[2])).what, "blob header");
    let moved = disk.kill();
    moved.swap_pages(file(0), 1, 2).unwrap();
    assert_eq!(corruption(reopen(&moved).read(refs[0])).what, "blob header");
    // Another store's.
    let other = BlobLog::open(disk.dir("d"), geometry(), STORE_ID + 1, 0, &[]).unwrap();
    assert_eq!(corruption(other.read(refs[0])).what, "store id of segment");
    // References that are not to chunks.
    for (offset, len) in
        [(0, 6000), (4088, 6000), (4100, 6000), (4096, 5999), (4096, u32::MAX), (u32::MAX - 7, 8)]
    {
        corruption(log.read(BlobRef { offset, len, ..refs[0] }));
        assert!(!log.is_whole(BlobRef { offset, len, ..refs[0] }).unwrap());
    }
}

#[test]
fn a_frame_of_the_log_is_no_chunk() {
    let (disk, log) = sim();
    let at = log.write(&[b"value"]).unwrap();
    let mut bytes = disk.read(file(0)).unwrap();
    let start = at.offset as usize;
    let tag = u32::from_le_bytes(bytes[start + 8..start + 12].try_into().unwrap());
    let frame =
        seal(Binding::new(STORE_ID, 0, tag), at.offset, FrameKind::Data, 21, LAG_UNKNOWN, &[b"value"]);
    bytes[start..start + 16].copy_from_slice(&frame);
    disk.write(file(0), &bytes).unwrap();
    assert_eq!(corruption(log.read(at)).what, "blob header");
}

#[test]
fn a_missing_file_is_named() {
    let (disk, log) = sim();
    let at = log.write(&[b"value"]).unwrap();
    disk.remove(file(0)).unwrap();
    let log = open(disk.dir("d"), 1, &[0]);
    let found = corruption(log.read(at));
    assert_eq!((found.what, found.file), ("blob segment", file(0)));
    assert!(!log.is_whole(at).unwrap());
    assert_eq!(log.segments().segments[0].allocated, 0);
    log.tidy().unwrap();
    assert_eq!(corruption(log.chunks(0)).file, file(0));
    assert_eq!(corruption(log.read(BlobRef { segment: 7, ..at })).file, file(7));
}

#[test]
fn a_device_that_cannot_be_read_is_an_error_not_damage() {
    let (disk, log) = sim();
    let at = log.write(&[&value(1, 3000)]).unwrap();
    disk.break_sector(file(0), u64::from(at.offset) / 512 + 2).unwrap();
    assert!(matches!(log.is_whole(at), Err(Error::Io { op: "read", .. })));
    assert!(matches!(log.read(at), Err(Error::Io { op: "read", .. })));
    let mut chunks = log.chunks(0).unwrap();
    assert!(matches!(chunks.next(), Some(Err(Error::Io { .. }))));
    assert!(chunks.next().is_none());
}

#[test]
fn a_full_disk_changes_nothing() {
    let (disk, log) = sim();
    disk.set_quota(Some(u64::from(SIZE) + 5000));
    let first = log.write(&[&value(0, 9000)]).unwrap();
    log.sync().unwrap();
    for _ in 0..3 {
        assert!(matches!(log.write(&[&value(1, 9000)]), Err(Error::StorageFull { .. })));
    }
    assert_eq!(disk.files(), [(file(0), SIZE.into())]);
    // What is smaller still has room in the segment that is there.
    let small = log.write(&[b"small"]).unwrap();
    assert_eq!(small.segment, 0);
    disk.set_quota(None);
    let second = log.write(&[&value(1, 9000)]).unwrap();
    assert!(second.segment > 0);
    log.sync().unwrap();
    let log = reopen(&disk.crash(&Survival::nothing()));
    for (at, expected) in [(first, value(0, 9000)), (small, b"small".into()), (second, value(1, 9000))] {
        assert_eq!(log.read(at).unwrap(), expected);
    }
}

/// Starting a segment is several calls; whichever fails, no chunk is in a file that could vanish.
#[test]
fn a_segment_that_cannot_be_started_holds_nothing() {
    for call in 0..5 {
        for fault in [Fault::Error, Fault::Full, Fault::Short] {
            let (disk, log) = sim();
            disk.set_faults(Faults::new(call).fail_at(disk.calls() + call, fault));
            log.write(&[b"value"]).unwrap_err();
            assert!(log.segments().segments.is_empty());
            disk.set_faults(Faults::new(0));
            let at = log.write(&[b"value"]).unwrap();
            log.sync().unwrap();
            assert_eq!(reopen(&disk.crash(&Survival::nothing())).read(at).unwrap(), b"value"[..]);
        }
    }
}

/// The first sync of a chunk has nothing else to wait for, and whoever finds the file can tell what it is.
#[test]
fn a_segment_is_durable_before_its_first_chunk() {
    let (disk, log) = sim();
    log.write(&[b"value"]).unwrap();
    let left = disk.crash(&Survival::nothing());
    assert_eq!(left.files(), [(file(0), SIZE.into())]);
    assert_eq!(walk(&reopen(&left), 0), []);
}

#[test]
fn a_failed_sync_fails_all_later_ones() {
    let (disk, log) = sim();
    log.write(&[b"first"]).unwrap();
    log.sync().unwrap();
    let calls = disk.calls();
    log.sync().unwrap();
    assert_eq!(disk.calls(), calls, "nothing was left to sync");

    let at = log.write(&[b"second"]).unwrap();
    disk.set_faults(Faults::new(0).fail_at(disk.calls(), Fault::Error));
    assert!(matches!(log.sync(), Err(Error::Io { op: "sync", .. })));
    disk.set_faults(Faults::new(0));
    for _ in 0..2 {
        let Err(Error::Poisoned { cause }) = log.sync() else { panic!("the disk may have lost it") };
        assert!(matches!(&*cause, Error::Io { op: "sync", .. }));
    }
    assert_eq!(log.read(at).unwrap(), b"second"[..]);
}

/// A sync that is not over yet holds back those that find nothing left to do, and a chunk that is written meanwhile is for
/// the next one: the sync may have passed it already.
#[test]
fn a_sync_under_way_is_waited_for_and_takes_nothing_new() {
    let disk = SimDisk::new();
    let storage = gate::Gated::new(&disk);
    let log = open(storage.clone(), 0, &[]);
    let first = log.write(&[b"first"]).unwrap();
    let (begun, go_on) = storage.stop_next_sync();
    let second = thread::scope(|scope| {
        // A failed assertion drops it, which ends the wait.
        let go_on = go_on;
        let syncing = scope.spawn(|| log.sync());
        begun.recv().unwrap();
        assert!(log.unsynced.lock().is_empty());
        assert!(log.syncing.is_locked());
        let second = log.write(&[b"second"]).unwrap();
        assert_eq!(log.unsynced.lock().len(), 1);
        go_on.send(()).unwrap();
        syncing.join().unwrap().unwrap();
        second
    });
    let survives = |at| reopen(&disk.crash(&Survival::nothing())).is_whole(at).unwrap();
    assert!(survives(first));
    assert!(!survives(second));
    log.sync().unwrap();
    assert!(survives(second));
}

/// Whoever's sync returned without an error finds its chunk after a power cut, also if another's sync took the segment
/// and failed.
#[test]
fn what_any_thread_was_promised_survives() {
    for seed in 0..40 {
        let (disk, log) = sim();
        log.write(&[b"the first segment is there"]).unwrap();
        disk.set_faults(Faults::new(seed).fail_one_in(if seed % 2 == 0 { 60 } else { 0 }));
        let promised: Vec<_> = thread::scope(|scope| {
            let writer = |thread: u64| {
                let log = &log;
                move || {
                    let mut promised = Vec::new();
                    for number in 0..12 {
                        let whole = value(thread * 100 + number, 1500);
                        let Ok(at) = log.write(&[&whole]) else { break };
                        if log.sync().is_err() {
                            break;
                        }
                        promised.push((at, whole));
                    }
                    promised
                }
            };
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(writer(thread))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let log = reopen(&disk.crash(&Survival::nothing()));
        for (at, whole) in promised {
            assert_eq!(log.read(at).unwrap(), whole, "seed {seed}");
        }
    }
}

/// Power is cut after every call; whatever pages survive, a synced chunk is whole and another one is whole or told.
#[test]
fn a_power_cut_spares_what_was_synced_and_never_shows_half_a_chunk() {
    let (disk, log) = sim();
    disk.record();
    // With the number of calls after which each chunk was durable, if it ever was.
    let mut written: Vec<(BlobRef, Vec<u8>, u64)> = Vec::new();
    for (seed, len) in (0..).zip([700, 5000, 100, 3000, 4000, 20, 9000, 1, 0]) {
        let whole = value(seed, len);
        written.push((log.write(&[&whole]).unwrap(), whole, u64::MAX));
        if seed % 3 == 1 {
            log.sync().unwrap();
            for (_, _, durable) in &mut written {
                *durable = disk.calls().min(*durable);
            }
        }
        if seed == 7 {
            log.tidy().unwrap();
        }
    }
    let limits = CrashLimits { random: 8, torn: 8, ..CrashLimits::default() };
    let mut states = 0;
    for (calls, image) in (0..).zip(disk.images()) {
        for survival in image.crash_states(limits) {
            let left = image.crash(&survival);
            let explain = || format!("after {calls} calls:\n{}", image.explain(&survival));
            check_survivors(&left, &written, calls, &explain);
            states += 1;
        }
    }
    assert!(states > 300, "{states}");
}

fn check_survivors(
    left: &SimDisk,
    written: &[(BlobRef, Vec<u8>, u64)],
    calls: u64,
    explain: &dyn Fn() -> String,
) {
    let log = reopen(left);
    let mut whole = Vec::new();
    for (at, expected, durable) in written {
        if log.is_whole(*at).unwrap() {
            assert_eq!(log.read(*at).unwrap(), expected, "{}", explain());
            whole.push(*at);
        } else {
            assert!(*durable > calls, "{at:?} is lost {}", explain());
        }
    }
    log.sync().unwrap();
    log.tidy().unwrap();
    let new = log.write(&[b"new"]).unwrap();
    assert!(log.segments().segments.iter().all(|segment| segment.index <= new.segment), "{}", explain());
    log.sync().unwrap();

    // Tidied, every chunk is still there, and nothing else became one.
    let log = reopen(&left.crash(&Survival::everything()));
    whole.push(new);
    let segments = log.segments().segments;
    let found = segments.iter().filter_map(|segment| log.chunks(segment.index).ok()).flatten();
    let found = found.filter_map(|chunk| match chunk.unwrap() {
        Chunk::Whole(at) => Some(at),
        Chunk::Damage { .. } => None,
    });
    assert_eq!(found.collect::<Vec<_>>(), whole, "{}", explain());
}

/// A killed process leaves chunks that the device does not have; recovery that relies on them makes them durable.
#[test]
fn what_recovery_found_whole_is_made_durable() {
    let (disk, log) = sim();
    let at = log.write(&[b"value"]).unwrap();
    let left = disk.kill();
    let log = reopen(&left);
    assert!(log.is_whole(at).unwrap());
    assert!(!reopen(&left.crash(&Survival::nothing())).is_whole(at).unwrap());
    log.sync().unwrap();
    assert!(reopen(&left.crash(&Survival::nothing())).is_whole(at).unwrap());
}

#[test]
fn files_are_listed_adopted_or_dead() {
    let (disk, log) = sim();
    let refs: Vec<_> = (0..6).map(|seed| log.write(&[&value(seed, 9000)]).unwrap()).collect();
    disk.write("d/0000000000000001.log", b"not ours").unwrap();
    disk.write("d/5.blob", b"not ours").unwrap();
    log.sync().unwrap();
    // The manifest lists 1 and 3, and knew nothing of 4 and 5.
    let log = open(disk.dir("d"), 4, &[1, 3]);
    let indexes = |log: &BlobLog<SimDir>| -> Vec<_> {
        log.segments().segments.iter().map(|segment| segment.index).collect()
    };
    assert_eq!(indexes(&log), [1, 3, 4, 5]);
    assert_eq!(log.segments().next_index, 6);
    corruption(log.read(refs[0]));
    assert_eq!(disk.files().len(), 8);
    log.tidy().unwrap();
    assert_eq!(disk.files().len(), 6);
    assert_eq!(log.read(refs[5]).unwrap(), value(5, 9000));

    let read = log.read(refs[3]).unwrap();
    log.remove(3).unwrap();
    log.remove(3).unwrap();
    assert_eq!(read, value(3, 9000));
    assert_eq!(indexes(&log), [1, 4, 5]);
    assert_eq!(disk.files().len(), 5);
    corruption(log.read(refs[3]));
    // Removing the active segment ends it.
    let at = log.write(&[b"active"]).unwrap();
    assert_eq!(at.segment, 6);
    log.remove(6).unwrap();
    assert_eq!(log.write(&[b"next"]).unwrap().segment, 7);
    log.sync().unwrap();
}

#[test]
fn a_walk_goes_on_behind_damage_and_does_not_believe_values() {
    let (disk, log) = sim();
    // Its value looks like chunks of this place: copied from the file, so everything fits but the place.
    let first = log.write(&[&value(1, 64)]).unwrap();
    let copied = &disk.read(file(0)).unwrap()[first.offset as usize..][..frame_len(64) as usize];
    let nested = log.write(&[copied, copied]).unwrap();
    let last = log.write(&[&[0; 500]]).unwrap();
    assert_eq!(walk(&log, 0), [first, nested, last].map(Chunk::Whole));
    for (at, next) in [(first, nested.offset), (nested, last.offset)] {
        let damaged = disk.kill();
        let start = u64::from(at.offset) * 8;
        for bit in [start, start + 31, start + 64, start + 200] {
            damaged.flip_bit(file(0), bit).unwrap();
            let log = reopen(&damaged);
            let chunks = walk(&log, 0);
            assert!(
                chunks.contains(&Chunk::Damage { offset: at.offset, end: next }),
                "bit {bit}: {chunks:?}"
            );
            assert_eq!(chunks.len(), 3);
            damaged.flip_bit(file(0), bit).unwrap();
        }
    }
    // Bytes that only align chunks are zero.
    let odd = log.write(&[b"value"]).unwrap();
    log.write(&[b"behind"]).unwrap();
    disk.flip_bit(file(0), u64::from(odd.offset + FRAME_HEADER_LEN + odd.len) * 8).unwrap();
    let damage = Chunk::Damage { offset: odd.offset, end: odd.offset + frame_len(odd.len) };
    assert_eq!(walk(&log, 0)[3], damage);
    // All that follows a hole is found, also with its header in two windows of the search.
    let wide = BlobLog::open(Memory::new(), Geometry::new(19), STORE_ID, 0, &[]).unwrap();
    let lens = [100_000, (64 << 10) - FRAME_HEADER_LEN as usize, 1000, 100_000];
    let mut refs: Vec<_> = lens.iter().map(|len| wide.write(&[&value(1, *len)]).unwrap()).collect();
    let hole = refs.remove(1);
    wide.segment(0).unwrap().file().unwrap().write_at(&[0; 16], hole.offset.into()).unwrap();
    let mut expected: Vec<_> = refs.iter().map(|at| Chunk::Whole(*at)).collect();
    expected.insert(1, Chunk::Damage { offset: hole.offset, end: refs[1].offset });
    assert_eq!(walk(&wide, 0), expected);
}

/// Zeros at the end of the last value are not free space, nor are bytes that are no chunk.
#[test]
fn a_segment_left_by_a_crash_is_cut_behind_its_last_byte() {
    let (disk, log) = sim();
    let at = log.write(&[&[0; 1000]]).unwrap();
    let end = at.offset + frame_len(1000);
    let left = disk.kill();
    let log = reopen(&left);
    assert_eq!(log.segments().segments[0].used, SIZE);
    log.tidy().unwrap();
    assert_eq!(left.files(), [(file(0), end.into())]);
    assert_eq!(log.read(at).unwrap(), [0; 1000][..]);
    assert_eq!(log.segments().segments[0].used, end);

    let left = disk.kill();
    left.flip_bit(file(0), u64::from(end + 777) * 8).unwrap();
    reopen(&left).tidy().unwrap();
    assert_eq!(left.files(), [(file(0), u64::from((end + 778).next_multiple_of(8)))]);
}

/// A write of a part of a page that is not in the cache would read it from the device.
#[test]
fn no_page_is_written_in_part_before_it_was_written_whole() {
    let disk = SimDisk::new();
    disk.dir("d").create_dir().unwrap();
    let log = BlobLog::open(disk.dir("d"), Geometry::new(18), STORE_ID, 0, &[]).unwrap();
    for (seed, len) in
        (0..).zip([1, 4079, 8000, 100, 70_000, 65_000, 4080, 90_001, 3, 8176, 100_000, 20, 70_000])
    {
        let whole = value(seed, len);
        let (head, tail) = whole.split_at(len / 5);
        let at = log.write(&[head, tail]).unwrap();
        assert_eq!(log.read(at).unwrap(), whole);
    }
    let mut whole = BTreeSet::new();
    let mut writes = 0;
    for call in (0..disk.calls()).map(|call| disk.describe(call)) {
        // As in "call 7: write d/0000000000000000.blob, 4096 bytes at 8192".
        let words: Vec<_> = call.split(' ').collect();
        let ["call", _, "write", path, len, "bytes", "at", offset] = words[..] else { continue };
        let (offset, len): (u64, u64) = (offset.parse().unwrap(), len.parse().unwrap());
        for page in offset / 4096..(offset + len).div_ceil(4096) {
            if offset <= page * 4096 && (page + 1) * 4096 <= offset + len {
                whole.insert((path.to_owned(), page));
            } else {
                assert!(whole.contains(&(path.to_owned(), page)), "{call}: page {page}");
            }
        }
        writes += 1;
    }
    assert!(writes > 30 && log.segments().segments.len() > 1);
}

/// It once cut the shared segments off behind what it saw of them, while their origin wrote on.
#[test]
fn a_fork_that_ends_leaves_alone_what_it_shares() {
    let log = open(Memory::new(), 0, &[]);
    let first = log.write(&[&value(1, 1000)]).unwrap();
    let allocated = |log: &BlobLog<Memory>| log.segments().segments[0].allocated;
    assert_eq!(allocated(&log), SIZE);
    let fork = log.fork(Memory::new());
    fork.close().unwrap();
    assert_eq!(fork.read(first).unwrap(), value(1, 1000));
    assert_eq!(allocated(&log), SIZE);
    let second = log.write(&[&value(2, 1000)]).unwrap();
    assert_eq!(log.read(second).unwrap(), value(2, 1000));
}
