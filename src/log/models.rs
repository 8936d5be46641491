//! Loom models of the log's protocols: every interleaving of their smallest interesting cases, on the code that ships.
//!
//! ```sh
//! RUSTFLAGS="--cfg fourfold_loom" cargo test --release --lib models --target-dir target/loom
//! ```
//!
//! Loom is not complete, so a model counts only with a mutant that it catches: with `FOURFOLD_MUTANT` set to the name
//! of one ([`mutant!`]) a model must fail. `.ci/loom` runs all of them.
//!
//! All models together take 5 seconds in release, at 2 preemptions for three threads that open segments and 3 otherwise;
//! each mutant is caught within 3.
//!
//! Segments have 64 bytes and no header here, so two frames with payloads of 16 bytes fill one.
#![expect(unsafe_code, reason = "memory whose accesses loom checks")]

use super::{
    arena::Words,
    commit::{Commit, Goal, Persist, Progress},
    format::{Binding, FrameKind, Geometry, LAG_UNKNOWN, step},
    poison::Poison,
    segment::{RecoveredSegment, Segment, Table},
    tail::{Appended, Tail},
};
use crate::{
    error::{Error, Result},
    position::Position,
    sync::{AtomicU32, AtomicU64, Ordering, UnsafeCell, mutant},
};
use loom::thread;
use std::sync::Arc;

const SHIFT: u32 = 6;
const SIZE: usize = 1 << SHIFT;

/// Memory whose length words are loom's and whose other bytes report their races, 8 at a time.
struct LoomArena {
    words: Vec<AtomicU32>,
    guards: Vec<UnsafeCell<()>>,
    memory: Box<std::cell::UnsafeCell<[u8; SIZE]>>,
}

// SAFETY: loom runs one thread at a time; `guards` finds what would race.
unsafe impl Send for LoomArena {}
// SAFETY: as above.
unsafe impl Sync for LoomArena {}

impl LoomArena {
    fn new() -> Self {
        Self {
            words: (0..SIZE / 8).map(|_| AtomicU32::new(0)).collect(),
            guards: (0..SIZE / 8).map(|_| UnsafeCell::new(())).collect(),
            memory: Box::new(std::cell::UnsafeCell::new([0; SIZE])),
        }
    }

    fn guards(&self, offset: u32, len: usize) -> &[UnsafeCell<()>] {
        let first = offset as usize / 8;
        &self.guards[first..(offset as usize + len).div_ceil(8).max(first)]
    }
}

impl Words for LoomArena {
    fn size(&self) -> u32 {
        u32::try_from(SIZE).expect("small")
    }

    fn load_len(&self, offset: u32) -> u32 {
        self.words[offset as usize / 8].load(Ordering::Acquire)
    }

    fn publish_len(&self, offset: u32, word: u32) {
        let order = if mutant!("relaxed_publish") { Ordering::Relaxed } else { Ordering::Release };
        self.words[offset as usize / 8].store(word, order);
    }

    unsafe fn fill(&self, offset: u32, bytes: &[u8]) {
        self.guards(offset, bytes.len()).iter().for_each(|guard| guard.with_mut(|_| ()));
        // SAFETY: loom runs one thread at a time.
        let memory = unsafe { &mut *self.memory.get() };
        memory[offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    unsafe fn slice(&self, offset: u32, len: u32) -> &[u8] {
        self.guards(offset, len as usize).iter().for_each(|guard| guard.with(|_| ()));
        // SAFETY: loom runs one thread at a time.
        let memory = unsafe { &*self.memory.get() };
        &memory[offset as usize..][..len as usize]
    }

    fn leave(&mut self, _soiled: u32) {}
}

/// Counts the frames that were folded.
#[derive(Debug)]
struct Count(AtomicU32);

impl Table for Count {
    fn new(_base: Position) -> Self {
        Self(AtomicU32::new(0))
    }

    fn apply(&self, _payload: &[u8], _offset: u32, _at: Position) {
        // Relaxed: whoever reads it has seen the frontier pass.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn rebuild(_segment: &RecoveredSegment<'_>) -> Result<Self> {
        unreachable!("models recover nothing")
    }
}

/// A tail and all segments it opened.
struct Model {
    tail: Tail<Count, LoomArena>,
    opened: std::sync::Mutex<Vec<Arc<Segment<Count, LoomArena>>>>,
}

impl Model {
    fn new() -> Arc<Self> {
        let tail = Tail::new(Geometry::new(SHIFT), 0, Arc::new(Poison::new()));
        Arc::new(Self { tail, opened: std::sync::Mutex::default() })
    }

    fn open(&self, index: u64) -> Result<Arc<Segment<Count, LoomArena>>> {
        let binding = Binding::new(1, index, 1);
        let table = Count::new(Position::ZERO);
        let segment = Segment::open(Geometry::new(SHIFT), index, binding, LoomArena::new(), table);
        let segment = Arc::new(segment);
        self.opened.lock().expect("models do not panic").push(Arc::clone(&segment));
        Ok(segment)
    }

    fn append(&self, payload: &[u8]) -> Appended {
        let appended =
            self.tail.append(FrameKind::Data, &[payload], |_| LAG_UNKNOWN, |index| self.open(index));
        let appended = appended.expect("nothing fails here");
        assert!(self.tail.frontier() >= appended.end, "a writer leaves when its frame is visible (T4)");
        appended
    }

    /// Reads every frame below the frontier, and how many there are.
    fn read(&self) -> usize {
        let frontier = self.tail.frontier();
        let opened = self.opened.lock().expect("models do not panic").clone();
        let mut count = 0;
        for segment in opened {
            let mut offset = 0;
            while offset + 16 <= segment.ready() && segment.base().get() + u64::from(offset) < frontier.get()
            {
                let word = segment.words().load_len(offset);
                let (kind, len) = step(word);
                if kind == FrameKind::Data {
                    let payload = segment.value(offset + 16, super::format::payload_len(word));
                    let first = payload.first().copied().unwrap_or(1);
                    assert!(
                        first != 0 && payload.iter().all(|&byte| byte == first),
                        "{payload:?} is not whole (L7)"
                    );
                    count += 1;
                }
                offset += len;
            }
        }
        count
    }

    /// Reads twice: loom seldom lets another thread run before a thread's first access.
    fn read_twice(&self) {
        self.read();
        self.read();
    }
}

fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(run);
}

/// Two writers and a reader: what the reader sees is whole. The segment is open, so that claims race and not openings.
#[test]
fn claim_and_publish() {
    model(3, || {
        let model = Model::new();
        model.append(&[]);
        let writers: Vec<_> = (1..=2)
            .map(|byte| {
                let model = Arc::clone(&model);
                thread::spawn(move || model.append(&[byte; 3]))
            })
            .collect();
        model.read_twice();
        writers.into_iter().for_each(|writer| assert!(writer.join().is_ok()));
        assert_eq!(model.read(), 3);
    });
}

/// One role per thread, which is where loom sees most: one publishes, one moves the frontier, one reads.
#[test]
fn publish_scan_and_read() {
    model(3, || {
        let model = Model::new();
        model.append(&[]);
        let publisher = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                let open = |index| model.open(index);
                model.tail.place(FrameKind::Data, &[&[1; 4]], |_| LAG_UNKNOWN, open).map(drop)
            })
        };
        let scanner = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.tail.help())
        };
        model.read_twice();
        assert!(publisher.join().unwrap().is_ok());
        assert!(scanner.join().is_ok());
    });
}

/// Two writers over the end of a segment, each the one who crosses it or not: no frame is lost, nothing is torn.
#[test]
fn rotation() {
    model(2, || {
        let model = Model::new();
        model.append(&[9; 16]);
        let writers: Vec<_> = (1..=2)
            .map(|byte| {
                let model = Arc::clone(&model);
                thread::spawn(move || model.append(&[byte; 16]))
            })
            .collect();
        writers.into_iter().for_each(|writer| assert!(writer.join().is_ok()));
        assert_eq!(model.read(), 3);
        let folded: u32 = model
            .opened
            .lock()
            .unwrap()
            .iter()
            .map(|segment| segment.table().0.load(Ordering::Relaxed))
            .sum();
        assert_eq!(folded, 3);
    });
}

/// One writer is slow while another fills two segments: the slot is not reused under the slow one.
#[test]
fn a_slot_is_reused_only_when_it_is_passed() {
    model(2, || {
        let model = Model::new();
        model.append(&[9; 16]);
        let slow = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.append(&[1; 16]))
        };
        model.append(&[2; 48]);
        model.append(&[3; 48]);
        slow.join().unwrap();
        assert_eq!(model.read(), 4);
    });
}

/// A segment is sealed while a frame is claimed and folded in it: once the seal returns the fold is complete.
#[test]
fn seal_while_applying() {
    model(3, || {
        let model = Model::new();
        model.append(&[9; 4]);
        let writer = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.append(&[1; 4]))
        };
        model.tail.seal(|_| LAG_UNKNOWN).unwrap();
        let first = Arc::clone(&model.opened.lock().unwrap()[0]);
        if model.tail.frontier() >= first.end() {
            let folded = first.table().0.load(Ordering::Relaxed);
            let frontier = model.tail.frontier();
            writer.join().unwrap();
            assert_eq!(first.table().0.load(Ordering::Relaxed), folded, "folded at {frontier} and later");
        } else {
            panic!("a sealed segment is passed");
        }
        assert_eq!(model.read(), 2);
    });
}

/// A disk whose `fails_at`-th commit fails, and every one after pretends to work, as kernels do.
struct Disk {
    frontier: AtomicU64,
    calls: AtomicU32,
    fails_at: u32,
    synced: AtomicU64,
}

impl Persist for Disk {
    fn persist(&self, _sync: bool) -> Result<Progress> {
        let call = self.calls.fetch_add(1, Ordering::AcqRel) + 1;
        let upto = Position::new(self.frontier.load(Ordering::Acquire));
        if call == self.fails_at {
            return Err(Error::invalid("test", "the disk fails"));
        }
        self.synced.store(if call < self.fails_at { upto.get() } else { 0 }, Ordering::Release);
        Ok(Progress { written: upto, durable: upto })
    }
}

fn commit_model(writers: u64, fails_at: u32, preemptions: usize) {
    model(preemptions, move || {
        let commit = Arc::new(Commit::new(Position::ZERO, Arc::new(Poison::new())));
        let disk = Arc::new(Disk {
            frontier: AtomicU64::new(0),
            calls: AtomicU32::new(0),
            fails_at,
            synced: AtomicU64::new(0),
        });
        let write = move |commit: &Commit, disk: &Disk| {
            let end = disk.frontier.fetch_add(1, Ordering::AcqRel) + 1;
            let outcome = commit.wait(Goal::Durable(Position::new(end)), disk);
            if outcome.is_ok() {
                assert!(
                    disk.synced.load(Ordering::Acquire) >= end,
                    "an acknowledged write is on the disk (C5)"
                );
            }
            outcome.is_ok()
        };
        let others: Vec<_> = (1..writers)
            .map(|_| {
                let (commit, disk) = (Arc::clone(&commit), Arc::clone(&disk));
                thread::spawn(move || write(&commit, &disk))
            })
            .collect();
        let mine = write(&commit, &disk);
        let acked = others
            .into_iter()
            .map(|other| other.join().unwrap())
            .chain([mine])
            .filter(|&acked| acked)
            .count();
        if fails_at == u32::MAX {
            assert_eq!(acked as u64, writers);
        } else if fails_at == 1 {
            assert_eq!(acked, 0, "nothing is acknowledged after a failure");
        }
    });
}

/// Leader and followers: everybody is woken, by a disk that works.
#[test]
fn group_commit() {
    commit_model(3, u32::MAX, 2);
}

/// Leader and follower on a disk that fails: everybody hears of it, and nobody tries again.
#[test]
fn group_commit_with_a_failing_sync() {
    commit_model(2, 1, 3);
    commit_model(2, 2, 3);
}
