//! The log as a whole, on memory and on the simulated disk.

use super::{scan::Stop, *};
use crate::{
    limits::SEGMENT_SHIFT_MIN,
    storage::{
        memory::Memory,
        sim::{Fault, Faults, SimDir, SimDisk},
    },
};
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

pub(super) const OPTIONS: Options = Options {
    segment_shift: SEGMENT_SHIFT_MIN,
    buffered_max: 10_000,
    spares_max: 1,
    arenas_max: 1,
    huge_pages: false,
    read_only: false,
};

pub(super) const START: Start =
    Start { store_id: 42, log_start: Position::ZERO, epoch: 0, proven: Position::ZERO };

/// The frames of a segment, by version.
#[derive(Debug)]
pub(super) struct Frames(Mutex<BTreeMap<Position, (u32, u32)>>);

impl Table for Frames {
    fn new(_base: Position) -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    fn apply(&self, payload: &[u8], offset: u32, at: Position) {
        assert!(!payload.starts_with(b"panic"), "as the test wants");
        let len = u32::try_from(payload.len()).unwrap();
        assert!(self.0.lock().insert(at, (offset, len)).is_none(), "a position is used once");
    }

    fn rebuild(segment: &RecoveredSegment<'_>) -> Result<Self> {
        let table = Self::new(Position::ZERO);
        for frame in segment.frames {
            if segment.payload(frame).starts_with(b"bad") {
                return Err(segment.corrupt(frame, "payload", "good", "bad"));
            }
            table.apply(segment.payload(frame), frame.offset, frame.at);
        }
        Ok(table)
    }
}

pub(super) type SimLog = Log<SimDir, Frames>;

pub(super) fn open(disk: &SimDisk) -> Result<(SimLog, Recovered<Frames>)> {
    open_from(disk, START)
}

pub(super) fn open_from(disk: &SimDisk, start: Start) -> Result<(SimLog, Recovered<Frames>)> {
    let dir = disk.dir("log");
    dir.create_dir()?;
    Log::recover(dir, OPTIONS, start, Arc::new(NoHooks))
}

/// The data frames from `from` to the frontier that are not retired: position and payload.
fn frames<S: Storage>(log: &Log<S, Frames>, from: Position) -> Vec<(Position, Vec<u8>)> {
    let upto = log.frontier();
    let mut found = Vec::new();
    for Live { segment, .. } in &*log.live.lock() {
        let mut offset = HEADER_LEN;
        while let Some((at, frame)) = segment.frame_from(offset) {
            if (from..upto).contains(&frame.at) {
                found.push((frame.at, segment.value(frame.offset, frame.len).to_vec()));
            }
            offset = at + format::frame_len(frame.len);
        }
    }
    found
}

pub(super) fn payloads<S: Storage>(log: &Log<S, Frames>) -> Vec<Vec<u8>> {
    frames(log, Position::ZERO).into_iter().map(|(_, payload)| payload).collect()
}

fn put<S: Storage>(log: &Log<S, Frames>, payload: &[u8]) -> Result<Appended> {
    let appended = log.append(payload)?;
    log.wait(appended.end, Durability::Synced)?;
    Ok(appended)
}

/// A payload that tells its number and is easy to check.
pub(super) fn payload(number: u64, len: usize) -> Vec<u8> {
    let mut payload = number.to_le_bytes().to_vec();
    payload.extend((0..len).map(|byte| u8::try_from((byte as u64 + number) % 251).unwrap()));
    payload
}

pub(super) fn number(payload: &[u8]) -> u64 {
    let number = u64::from_le_bytes(*payload.first_chunk().unwrap());
    assert_eq!(payload, self::payload(number, payload.len() - 8));
    number
}

fn memory() -> Log<Memory, Frames> {
    Log::recover(Memory::new(), OPTIONS, START, Arc::new(NoHooks)).unwrap().0
}

#[test]
fn many_threads_leave_no_hole() {
    let log = memory();
    let (threads, rounds) = if cfg!(miri) { (3, 12) } else { (8, 3000) };
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let log = &log;
            scope.spawn(move || {
                for round in 0..rounds {
                    let number = thread * 1_000_000 + round;
                    let len = usize::try_from(number * 31 % if cfg!(miri) { 4000 } else { 300 }).unwrap();
                    let payload = payload(number, len);
                    let appended = log.append_parts(&[&payload[..3], &payload[3..]]).unwrap();
                    assert!(log.frontier() >= appended.end);
                    log.wait(appended.end, Durability::Synced).unwrap();
                    if round % 500 == 499 {
                        log.rotate().unwrap();
                        log.prepare_ahead().unwrap();
                    }
                }
            });
        }
    });
    let mut next = vec![0; usize::try_from(threads).unwrap()];
    let mut folded = BTreeMap::new();
    let mut last = Position::ZERO;
    for (at, payload) in frames(&log, Position::ZERO) {
        assert!(at > last);
        last = at;
        let number = number(&payload);
        let thread = usize::try_from(number / 1_000_000).unwrap();
        assert_eq!(number % 1_000_000, next[thread], "a thread's frames are in its order");
        next[thread] += 1;
        folded.insert(at, payload);
    }
    assert!(next.iter().all(|&next| next == rounds));
    for live in log.live.lock().iter() {
        for (at, &(offset, len)) in live.segment.table().0.lock().iter() {
            assert_eq!(folded.remove(at).unwrap(), live.segment.value(offset, len));
        }
    }
    assert!(folded.is_empty());
}

#[test]
fn an_empty_log_in_memory_is_nothing() {
    let log = memory();
    assert_eq!(log.frontier(), Position::ZERO);
    assert_eq!(log.allocated(), 0);
    assert!(!log.prepare_ahead().unwrap());
    log.rotate().unwrap();
    log.sync().unwrap();
    assert_eq!(frames(&log, Position::ZERO), []);
    log.close().unwrap();
}

#[test]
fn a_frame_fills_a_segment_at_most() {
    let log = memory();
    let max = log.payload_max() as usize;
    let error = log.append(&vec![1; max + 1]).unwrap_err();
    assert!(matches!(error, Error::TooLarge { what: "batch", .. }));
    assert_eq!(log.frontier(), Position::ZERO);
    for len in [max, max, 1, max, max - 7, max - 8, max - 16, 3] {
        let appended = log.append(&vec![1; len]).unwrap();
        assert!(log.frontier() >= appended.end);
    }
    let lens: Vec<_> = payloads(&log).iter().map(Vec::len).collect();
    assert_eq!(lens, [max, max, 1, max, max - 7, max - 8, max - 16, 3]);
    assert_eq!(frames(&log, log.frontier()), []);
}

#[test]
fn a_panic_in_the_fold_poisons() {
    let log = memory();
    log.append(b"first").unwrap();
    let panicked = std::thread::scope(|scope| scope.spawn(|| log.append(b"panic")).join());
    assert!(panicked.is_err());
    assert!(matches!(log.append(b"next"), Err(Error::Poisoned { .. })));
    assert_eq!(payloads(&log), [b"first"]);
}

#[test]
fn a_closed_log_opens_clean() {
    let disk = SimDisk::new();
    for life in 0..4 {
        let (log, recovered) = open(&disk).unwrap();
        assert_eq!(payloads(&log).len(), life * 30);
        assert_eq!(recovered.report.frames, 30 * life as u64);
        assert!(recovered.report.clean, "{:?}", recovered.report);
        assert_eq!(recovered.report.cut, None);
        assert_eq!(log.frontier(), recovered.report.end);
        for frame in 0..30 {
            put(&log, &payload(frame + 30 * life as u64, 700)).unwrap();
        }
        assert_eq!(log.verify().unwrap(), []);
        log.close().unwrap();
    }
}

#[test]
fn sealing_does_not_wait_for_the_first_frame_of_a_segment() {
    let (log, _) = open(&SimDisk::new()).unwrap();
    // As an append does that comes to a halt before its claim.
    log.tail.rotate(log.tail.next(), &|index| log.open_segment(index)).unwrap();
    log.rotate().unwrap();
    log.append(b"it goes on").unwrap();
}

#[test]
fn opening_writes_nothing_when_clean() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    put(&log, b"a").unwrap();
    log.close().unwrap();
    drop(log);
    let disk = disk.kill();
    let calls = disk.calls();
    for _ in 0..3 {
        let (log, _) = open(&disk).unwrap();
        log.rotate().unwrap();
        log.prepare_ahead().unwrap();
        log.close().unwrap();
    }
    assert_eq!(disk.calls(), calls, "{}", disk.describe(calls));
}

#[test]
fn a_full_disk_claims_nothing() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    put(&log, b"first").unwrap();
    log.rotate().unwrap();
    disk.set_quota(Some(disk.used() + 100));
    for _ in 0..3 {
        let before = log.frontier();
        assert!(matches!(put(&log, b"no room"), Err(Error::StorageFull { .. })));
        assert_eq!(log.frontier(), before);
    }
    disk.set_quota(None);
    put(&log, b"second").unwrap();
    assert_eq!(payloads(&log), [&b"first"[..], b"second"]);
}

#[test]
fn the_host_can_refuse_a_segment() {
    struct Refusing(AtomicBool);
    impl Hooks<Frames> for Refusing {
        fn opening(&self, _: &Arc<Segment<Frames>>) -> Result<()> {
            if self.0.load(Ordering::SeqCst) { Err(Error::invalid("test", "not now")) } else { Ok(()) }
        }
    }
    let disk = SimDisk::new();
    disk.dir("log").create_dir().unwrap();
    let hooks = Arc::new(Refusing(AtomicBool::new(true)));
    let (log, _) = Log::<_, Frames>::recover(disk.dir("log"), OPTIONS, START, hooks.clone()).unwrap();
    assert!(log.append(b"a").is_err());
    hooks.0.store(false, Ordering::SeqCst);
    put(&log, b"b").unwrap();
    assert_eq!(payloads(&log), [b"b"]);
}

/// While a host held an opening back, the background made the same segment again and its file replaced the one in use.
#[test]
fn a_segment_that_is_being_opened_is_not_made_again() {
    #[derive(Default)]
    struct Preparing(std::sync::OnceLock<std::sync::Weak<SimLog>>);
    impl Hooks<Frames> for Preparing {
        fn opening(&self, _: &Arc<Segment<Frames>>) -> Result<()> {
            let log = self.0.get().unwrap().upgrade().unwrap();
            assert!(!log.prepare_ahead()?);
            Ok(())
        }
    }
    let disk = SimDisk::new();
    disk.dir("log").create_dir().unwrap();
    let hooks = Arc::new(Preparing::default());
    let log = Log::recover(disk.dir("log"), OPTIONS, START, hooks.clone()).unwrap().0;
    let log = Arc::new(log);
    hooks.0.set(Arc::downgrade(&log)).unwrap();
    for frame in 0..40 {
        put(&log, &payload(frame, 900)).unwrap();
    }
    let (log, _) = open(&disk.crash(&crate::storage::sim::Survival::nothing())).unwrap();
    assert_eq!(payloads(&log).len(), 40);
}

#[test]
fn retired_files_are_recycled_and_what_was_in_them_stays_dead() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    let mut start = START;
    for round in 0..6_u64 {
        for frame in 0..20 {
            put(&log, &payload(round * 20 + frame, 900)).unwrap();
        }
        log.rotate().unwrap();
        start.log_start = Position::new(log.frontier().get() - 1);
        start.log_start = log.geometry.base(log.geometry.index(start.log_start) + 1);
        start.proven = log.durable();
        log.retire(start.log_start).unwrap();
        log.prepare_ahead().unwrap();
        // The prepared segment, and a spare at most.
        assert!(disk.files().len() <= 3, "{:?}", disk.files());
    }
    put(&log, b"last one").unwrap();
    start.epoch = log.epoch();
    drop(log);
    let (log, recovered) = open_from(&disk.kill(), start).unwrap();
    assert_eq!(payloads(&log), [b"last one"]);
    assert_eq!(recovered.report.frames, 1);
}

#[test]
fn damage_below_proven_is_corruption_and_repair_keeps_it() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    for frame in 0..40 {
        put(&log, &payload(frame, 900)).unwrap();
    }
    log.close().unwrap();
    let start = Start { proven: log.durable(), ..START };
    drop(log);
    let disk = disk.kill();
    let (file, _) = disk.files().remove(1);
    disk.flip_bit(&file, 9000 * 8 + 3).unwrap();
    let calls = disk.calls();
    let Err(Error::Corrupt(corruption)) = open_from(&disk, start) else { panic!("found") };
    assert_eq!(corruption.what, "frame checksum");
    assert_eq!(corruption.file, file);
    assert_eq!(disk.calls(), calls, "a failed open changes nothing");
    let dir = disk.dir("log");
    let repaired = repair::<_, Frames>(&dir, &OPTIONS, &start).unwrap().unwrap();
    assert!(repaired.kept.len() >= 2);
    let kept = disk.read(dir.path().join(&repaired.kept[0])).unwrap();
    let from = usize::try_from(repaired.end.get() & ((1 << SEGMENT_SHIFT_MIN) - 1)).unwrap();
    assert_eq!(kept, disk.read(&file).unwrap()[from..]);
    let (log, _) = open_from(&disk, start).unwrap();
    let left = payloads(&log);
    assert!(left.len() > 12 && left.len() < 40);
    assert!(left.iter().enumerate().all(|(at, payload)| number(payload) == at as u64));
    put(&log, b"goes on!").unwrap();
    drop(log);
    let (log, _) = open_from(&disk.kill(), start).unwrap();
    assert_eq!(payloads(&log).len(), left.len() + 1);
    // Nothing is wrong any more.
    assert!(repair::<_, Frames>(&disk.dir("log"), &OPTIONS, &start).unwrap().is_err());
}

#[test]
fn a_missing_segment_is_named_and_can_be_repaired() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    for frame in 0..60 {
        put(&log, &payload(frame, 900)).unwrap();
    }
    let start = Start { proven: log.durable(), ..START };
    drop(log);
    let disk = disk.kill();
    let (gone, _) = disk.files().remove(2);
    disk.remove(&gone).unwrap();
    let Err(Error::Corrupt(corruption)) = open_from(&disk, start) else { panic!("found") };
    assert_eq!((corruption.what, &corruption.file), ("segment chain", &gone));
    repair::<_, Frames>(&disk.dir("log"), &OPTIONS, &start).unwrap().unwrap();
    let (log, _) = open_from(&disk, start).unwrap();
    let left = payloads(&log);
    assert!(left.len() > 20 && left.len() < 30, "{}", left.len());
}

#[test]
fn bit_rot_is_never_wrong_data() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    let count = 12;
    for frame in 0..count {
        put(&log, &payload(frame, 20)).unwrap();
    }
    log.close().unwrap();
    let start = Start { proven: log.durable(), ..START };
    drop(log);
    let disk = disk.kill();
    let (file, _) = disk.files().remove(0);
    let step = if cfg!(miri) { 1009 } else { 1 };
    for bit in (0..(4096 + 16 + 48 * usize::try_from(count).unwrap()) * 8).step_by(step) {
        let header_page = format::HEADER_FIELDS_LEN..HEADER_LEN as usize;
        if header_page.contains(&(bit / 8)) {
            continue;
        }
        disk.flip_bit(&file, bit as u64).unwrap();
        assert!(
            matches!(open_from(&disk, start), Err(Error::Corrupt(_) | Error::Version { .. })),
            "bit {bit}"
        );
        disk.flip_bit(&file, bit as u64).unwrap();
    }
    let (log, _) = open_from(&disk, start).unwrap();
    assert_eq!(payloads(&log).len() as u64, count);
}

#[test]
fn frames_whose_blobs_are_gone_are_the_torn_tail() {
    struct Blobs;
    impl Hooks<Frames> for Blobs {
        fn validate(&self, payload: &[u8], _at: Position) -> Result<bool> {
            Ok(number(payload) < 7)
        }
    }
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    for frame in 0..10 {
        log.append(&payload(frame, 100)).unwrap();
    }
    log.flush().unwrap();
    drop(log);
    let disk = disk.kill();
    let hooks = Arc::new(Blobs);
    let (log, recovered) = Log::<_, Frames>::recover(disk.dir("log"), OPTIONS, START, hooks).unwrap();
    assert_eq!(payloads(&log).len(), 7);
    let cut = recovered.report.cut.unwrap();
    assert_eq!((cut.reason, cut.frames), (Stop::Refused, 3));
    put(&log, &payload(7, 100)).unwrap();
    drop(log);
    let (log, _) = open(&disk.kill()).unwrap();
    assert_eq!(payloads(&log).len(), 8, "what was cut stays cut");
}

#[test]
fn an_unreadable_payload_is_corruption() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    put(&log, b"bad").unwrap();
    drop(log);
    let Err(Error::Corrupt(corruption)) = open(&disk.kill()) else { panic!("found") };
    assert_eq!((corruption.what, corruption.offset), ("payload", 4096 + 16));
}

#[test]
fn every_failing_call_stops_writing_or_changes_nothing() {
    let workload = |disk: &SimDisk| {
        let mut acked = 0;
        let Ok((log, _)) = open(disk) else { return acked };
        for frame in 0..25 {
            match put(&log, &payload(frame, 900)) {
                Ok(_) => {
                    assert_eq!(frame, acked, "nothing is acknowledged after a failure");
                    acked += 1;
                }
                Err(Error::Poisoned { .. } | Error::Io { .. } | Error::StorageFull { .. }) => {
                    if log.check().is_ok() {
                        // Nothing was claimed, so it can be tried again.
                        put(&log, &payload(frame, 900)).unwrap();
                        acked += 1;
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
        acked
    };
    let disk = SimDisk::new();
    assert_eq!(workload(&disk), 25);
    for call in 0..disk.calls() {
        for fault in [Fault::Error, Fault::Full, Fault::Short] {
            let disk = SimDisk::new();
            disk.set_faults(Faults::new(call).fail_at(call, fault));
            let acked = workload(&disk);
            let left = disk.kill();
            let (log, _) = open(&left).unwrap_or_else(|error| panic!("call {call}, {fault:?}: {error}"));
            let recovered: Vec<_> = payloads(&log).iter().map(|payload| number(payload)).collect();
            assert!(recovered.len() as u64 >= acked, "call {call}, {fault:?}: {} < {acked}", recovered.len());
            assert!(recovered.iter().enumerate().all(|(at, &number)| at as u64 == number));
            // What the reopened log shows survives a power cut, whatever an earlier sync did.
            let after = left.crash(&crate::storage::sim::Survival::nothing());
            let (log, _) = open(&after).unwrap();
            assert_eq!(payloads(&log).len(), recovered.len(), "call {call}, {fault:?}");
        }
    }
}

#[test]
fn buffered_frames_are_written_within_a_bound() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    for frame in 0..100 {
        let appended = log.append(&payload(frame, 500)).unwrap();
        log.wait(appended.end, Durability::Buffered).unwrap();
        assert!(log.frontier().get() - log.written().get().max(4096) <= OPTIONS.buffered_max + 4096);
    }
    assert!(log.durable() < log.written());
    log.sync().unwrap();
    assert_eq!(log.durable(), log.frontier());
}

#[test]
fn a_task_waits_without_a_runtime() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let appended = log.append(b"a").unwrap();
    let mut wait = pin!(log.wait_async(appended.end, Durability::Synced));
    assert!(matches!(wait.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
    assert!(log.durable() >= appended.end);

    let asked = Arc::new(AtomicUsize::new(0));
    let ask = Arc::clone(&asked);
    log.set_background(Box::new(move || {
        ask.fetch_add(1, Ordering::SeqCst);
    }));
    let appended = log.append(b"b").unwrap();
    let mut wait = pin!(log.wait_async(appended.end, Durability::Synced));
    assert!(wait.as_mut().poll(&mut context).is_pending());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(log.serve());
    assert!(matches!(wait.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
}

#[test]
fn many_threads_sync_together() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk).unwrap();
    let (threads, rounds) = if cfg!(miri) { (3, 4) } else { (8, 200) };
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let log = &log;
            scope.spawn(move || {
                for round in 0..rounds {
                    let appended = put(log, &payload(thread * 1000 + round, 64)).unwrap();
                    assert!(log.durable() >= appended.end);
                }
            });
        }
    });
    drop(log);
    let (log, _) = open(&disk.crash(&crate::storage::sim::Survival::nothing())).unwrap();
    assert_eq!(payloads(&log).len() as u64, threads * rounds);
}
