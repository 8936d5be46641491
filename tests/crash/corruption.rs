//! Damage to files that were durable: never another answer, never a panic.
//!
//! D1. *Right or refused*: after any one damage the store opens and shows what it showed, or fails with an error that names
//!     the file. What opens and reads may still be found by `verify`, which names the file too.
//! D2. *A closed store has no ambiguous end*: no damage takes its last batches in silence. A store that crashed may lose its
//!     newest frames to damage, because one copy cannot tell them from a torn tail; then it says so.
//! D3. *Every bit counts*, but for those that say nothing: what [`is_unused`] lists.

use crate::life::{BLOB_THRESHOLD, DIR, History, Life, Outcome, Settings, Step, open};
use crate::model::{Op, digest};
use crate::random::Random;
use fourfold::sim::{SimDisk, Survival};
use fourfold::{Durability, Error, Store};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SETTINGS: Settings = Settings { durability: Durability::Synced, flush_bytes: 0 };
/// Meaningful bytes at the start of a segment, and where its frames start.
const HEADER_FIELDS: u64 = 60;
const HEADER_PAGE: u64 = 4096;
const FRAME_HEADER: u64 = 16;

/// A store with all there is: runs in two levels, blobs, a keyspace with a floor, and an unfolded log of two segments
/// unless it was closed. With the states it went through.
struct Victim {
    disk: SimDisk,
    history: History,
    closed: bool,
}

fn steps(round: u8) -> Vec<Step> {
    let write = |ops: Vec<Op>| Step::Write(ops, Durability::Synced);
    let key = |number: u8| format!("{round}{number:02}").into_bytes();
    let mut steps: Vec<Step> = (0..6)
        .map(|number| {
            write(vec![
                Op::Put("a", key(number), 700),
                Op::Put("b", vec![number], 30),
                Op::Put("b", key(number), if number == 3 { BLOB_THRESHOLD + 900 } else { 1200 }),
                Op::Delete("a", format!("{}{number:02}", round.wrapping_sub(1)).into_bytes()),
            ])
        })
        .collect();
    steps.push(write(vec![Op::Floor("b", vec![0]), Op::Put("a", b"counter".to_vec(), 8)]));
    steps
}

impl Victim {
    fn new(id: u64, closed: bool, rounds: u8) -> Self {
        let disk = SimDisk::new();
        // The seed makes the store's id.
        drop(builder(id).open_simulated(&disk, DIR).unwrap());
        let mut life = Life::begin(disk.clone(), History::new(), SETTINGS).unwrap();
        let folded = [steps(0), vec![Step::Compact], steps(1), vec![Step::Maintain]].concat();
        let tail: Vec<Step> = (2..2 + rounds).flat_map(steps).collect();
        for step in folded.iter().chain(&tail) {
            let outcome = life.step(step);
            assert!(matches!(outcome, Outcome::Done), "{step:?}: {outcome:?}");
        }
        let left = disk.crash(&Survival::everything());
        let history = life.end();
        let disk = if closed { disk.crash(&Survival::nothing()) } else { left };
        Self { disk, history, closed }
    }

    fn files(&self) -> Vec<(PathBuf, u64)> {
        self.disk.files()
    }

    fn copy(&self) -> SimDisk {
        self.disk.kill()
    }

    /// Opens, reads and verifies a damaged copy, and judges what it says (D1, D2).
    fn judge(&self, damaged: &SimDisk, file: &Path) -> Result<Verdict, String> {
        let refused = |error: Error| {
            if names(&error, file) {
                Ok(Verdict::Refused)
            } else {
                Err(format!("refused, but not for {}: {error}", file.display()))
            }
        };
        let store = match open(damaged, DIR, SETTINGS) {
            Ok(store) => store,
            Err(error) => return refused(error),
        };
        let verdict = self.judge_open(&store, file, refused);
        damaged.set_faults(fourfold::sim::Faults::new(0).stop_at(0));
        verdict
    }

    fn judge_open(
        &self,
        store: &Store,
        file: &Path,
        refused: impl Fn(Error) -> Result<Verdict, String>,
    ) -> Result<Verdict, String> {
        let found = match digest(store) {
            Ok(found) => found,
            Err(error) => return refused(error),
        };
        let last = self.history.last();
        let Some(index) = self.history.find(found, 0, last) else {
            let difference = crate::model::difference(store, self.history.state(last));
            return Err(format!("shows what never was:\n{}", difference.unwrap_or_default()));
        };
        let problems = match store.verify() {
            Ok(problems) => problems,
            Err(error) => return refused(error),
        };
        if let Some(problem) = problems.iter().find(|problem| !is_about(&problem.file, file)) {
            return Err(format!("verify blames another file than {}: {problem}", file.display()));
        }
        if index < last {
            let report = store.recovery();
            let told = report.ambiguous_tail && !report.clean;
            let is_log = file.extension().is_some_and(|extension| extension == "log");
            return if told && is_log && !self.closed {
                Ok(Verdict::Cut)
            } else {
                Err(format!("lost states {index} to {last} in silence: {report:?}"))
            };
        }
        Ok(if problems.is_empty() { Verdict::Unnoticed } else { Verdict::Reported })
    }

    /// Whether nobody needs byte `at` of `file` (D3).
    fn is_unused(&self, file: &Path, at: u64) -> bool {
        let name = file.file_name().unwrap().to_str().unwrap();
        let bytes = self.disk.read(file).unwrap();
        if name.starts_with("spare-") {
            return true; // overwritten before it is used
        }
        let is_segment = matches!(name.rsplit_once('.'), Some((_, "log" | "blob")));
        // The rest of the header's page is there for alignment.
        is_segment && ((HEADER_FIELDS..HEADER_PAGE).contains(&at) || at >= frames_end(&bytes, at))
    }
}

/// Behind the last frame of a segment, or of what a padding frame covers.
fn frames_end(bytes: &[u8], upto: u64) -> u64 {
    let mut offset = HEADER_PAGE;
    let size = bytes.len() as u64;
    while offset <= upto && offset + FRAME_HEADER <= size {
        let at = usize::try_from(offset).unwrap();
        let word = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let (kind, len) = (word >> 30, u64::from(word & ((1 << 30) - 1)));
        match (kind, len) {
            (_, 0) => return offset,
            (1, _) => return offset + FRAME_HEADER,
            _ => offset += len.next_multiple_of(8),
        }
    }
    offset.max(upto + 1).min(if offset > upto { upto + 1 } else { offset })
}

fn builder(id: u64) -> fourfold::Builder {
    Store::builder().segment_size(crate::life::SEGMENT).blob_threshold(BLOB_THRESHOLD).seed(id)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Opening or reading failed.
    Refused,
    /// `verify` found it.
    Reported,
    /// The newest frames were taken for a torn tail, and recovery said that they may be.
    Cut,
    Unnoticed,
}

/// Does `error` say that `file` is wrong?
fn names(error: &Error, file: &Path) -> bool {
    match error {
        Error::Corrupt(corruption) => is_about(&corruption.file, file),
        Error::Version { path, .. } => is_about(path, file),
        Error::NotAStore { .. } => is_about(Path::new("MANIFEST"), file),
        Error::Poisoned { cause } => names(cause, file),
        _ => false,
    }
}

fn is_about(named: &Path, file: &Path) -> bool {
    let is_log = file.extension().is_some_and(|extension| extension == "log");
    let is_manifest = file.file_name().is_some_and(|name| name == "MANIFEST");
    // Whether it is the manifest or the file that comes from elsewhere nobody can say; and a log that lost its last
    // file has none to name.
    named.file_name() == file.file_name() || is_manifest || (is_log && named == Path::new(DIR))
}

#[derive(Default)]
struct Tally {
    verdicts: BTreeMap<(String, Verdict), u64>,
}

impl Tally {
    fn count(&mut self, file: &Path, verdict: Verdict) {
        let kind =
            file.extension().map_or("MANIFEST".into(), |extension| extension.to_string_lossy().into_owned());
        *self.verdicts.entry((kind, verdict)).or_default() += 1;
    }

    fn print(&self, what: &str) {
        for ((kind, verdict), count) in &self.verdicts {
            println!("{what}: {kind}: {count} {verdict:?}");
        }
    }
}

/// In debug builds, a sample.
fn stride() -> usize {
    if cfg!(debug_assertions) { 499 } else { crate::report::setting("FOURFOLD_CRASH_STRIDE").unwrap_or(7) }
}

fn every_flipped_bit(victim: &Victim, what: &str) {
    let mut tally = Tally::default();
    let mut unnoticed: BTreeMap<PathBuf, Vec<u64>> = BTreeMap::new();
    for (file, len) in victim.files() {
        for bit in (0..len * 8).step_by(stride()) {
            let damaged = victim.copy();
            damaged.flip_bit(&file, bit).unwrap();
            let verdict = victim
                .judge(&damaged, &file)
                .unwrap_or_else(|failure| panic!("{what}, bit {bit} of {}: {failure}", file.display()));
            tally.count(&file, verdict);
            if verdict == Verdict::Unnoticed && !victim.is_unused(&file, bit / 8) {
                unnoticed.entry(file.clone()).or_default().push(bit);
            }
        }
    }
    tally.print(what);
    assert!(unnoticed.is_empty(), "{what}: nobody noticed {unnoticed:?}");
}

#[test]
fn every_flipped_bit_of_a_closed_store_is_noticed() {
    every_flipped_bit(&Victim::new(1, true, 2), "bits of a closed store");
}

#[test]
fn every_flipped_bit_of_a_crashed_store_is_noticed() {
    every_flipped_bit(&Victim::new(1, false, 2), "bits of a crashed store");
}

/// Runs `damage` on copies of `victim`; whatever it is, D1 and D2 hold.
fn every_damage(victim: &Victim, what: &str, damages: Vec<Damage>) {
    let mut tally = Tally::default();
    for (file, what_happened, inflict) in damages {
        let copy = victim.copy();
        inflict(&copy);
        let verdict = victim
            .judge(&copy, &file)
            .unwrap_or_else(|failure| panic!("{what}, {what_happened} {}: {failure}", file.display()));
        tally.count(&file, verdict);
    }
    tally.print(what);
}

type Damage = (PathBuf, String, Box<dyn Fn(&SimDisk)>);

fn damage(file: &Path, what: String, inflict: impl Fn(&SimDisk, &Path) + 'static) -> Damage {
    let path = file.to_path_buf();
    (file.to_path_buf(), what, Box::new(move |disk| inflict(disk, &path)))
}

fn pieces(victim: &Victim) -> Vec<Damage> {
    let mut damages = Vec::new();
    let mut random = Random::new(3);
    for (file, len) in victim.files() {
        let few = if cfg!(debug_assertions) { 24 } else { 600 };
        for len in
            [0, 1, len.saturating_sub(1)].into_iter().chain((0..few).map(|_| random.next() % len.max(1)))
        {
            damages.push(damage(&file, format!("cut to {len} bytes"), move |disk, file| {
                disk.truncate(file, len).unwrap();
            }));
        }
        for sector in 0..len.div_ceil(512) {
            damages.push(damage(&file, format!("zeroed sector {sector}"), move |disk, file| {
                disk.zero_sector(file, sector).unwrap();
            }));
        }
        let pages = len / 4096;
        for (first, second) in
            (0..pages).flat_map(|first| (first + 1..pages).map(move |second| (first, second)))
        {
            damages.push(damage(&file, format!("swapped pages {first} and {second}"), move |disk, file| {
                disk.swap_pages(file, first, second).unwrap();
            }));
        }
    }
    damages
}

/// Files that are gone, that stand in for each other, or that come from elsewhere.
fn strangers(victim: &Victim, other: &SimDisk, what: &'static str) -> Vec<Damage> {
    let mut damages = Vec::new();
    for (file, _) in victim.files() {
        damages.push(damage(&file, "removed".into(), |disk, file| disk.remove(file).unwrap()));
        for (twin, _) in victim.files().into_iter().filter(|(twin, _)| twin.extension() == file.extension()) {
            let bytes = victim.disk.read(&twin).unwrap();
            let message = format!("replaced by {}", twin.display());
            damages.push(damage(&file, message, move |disk, file| disk.write(file, &bytes).unwrap()));
        }
        if let Ok(bytes) = other.read(&file) {
            damages.push(damage(&file, what.into(), move |disk, file| disk.write(file, &bytes).unwrap()));
        }
    }
    damages
}

/// Copies under names that come next.
fn copies(victim: &Victim) -> Vec<Damage> {
    let mut damages = Vec::new();
    for (file, _) in victim.files() {
        let Some(extension) = file.extension().and_then(|extension| extension.to_str()) else { continue };
        for number in 0..20 {
            let copy = file.with_file_name(format!("{number:016x}.{extension}"));
            if victim.disk.read(&copy).is_err() {
                let (from, to) = (file.clone(), copy.clone());
                damages.push(damage(&copy, format!("a copy of {}", file.display()), move |disk, _| {
                    disk.copy(&from, &to).unwrap();
                }));
            }
        }
    }
    damages
}

#[test]
fn damaged_pieces_are_noticed() {
    for closed in [true, false] {
        let victim = Victim::new(1, closed, 2);
        every_damage(&victim, if closed { "pieces, closed" } else { "pieces, crashed" }, pieces(&victim));
    }
}

#[test]
fn missing_and_foreign_files_are_noticed() {
    for closed in [true, false] {
        let victim = Victim::new(1, closed, 2);
        let foreign = Victim::new(2, closed, 2);
        every_damage(&victim, "foreign files", strangers(&victim, &foreign.disk, "of another store"));
        for (rounds, what) in
            [(0, "of an earlier time"), (1, "of a somewhat earlier time"), (4, "of a later time")]
        {
            let other = Victim::new(1, closed, rounds);
            every_damage(&victim, "files of another time", strangers(&victim, &other.disk, what));
        }
        every_damage(&victim, "renamed copies", copies(&victim));
    }
}

#[test]
fn a_device_that_cannot_read_is_an_error() {
    for closed in [true, false] {
        let victim = Victim::new(1, closed, 2);
        for (file, len) in victim.files() {
            for sector in 0..len.div_ceil(512) {
                let damaged = victim.copy();
                damaged.break_sector(&file, sector).unwrap();
                let outcome = open(&damaged, DIR, SETTINGS).and_then(|store| {
                    let found = digest(&store)?;
                    let problems = store.verify();
                    damaged.set_faults(fourfold::sim::Faults::new(0).stop_at(0));
                    problems.map(|problems| (found, problems))
                });
                let last = victim.history.digest(victim.history.last());
                match outcome {
                    Ok((found, _)) => assert_eq!(found, last, "sector {sector} of {}", file.display()),
                    Err(Error::Io { path, .. }) => {
                        assert!(is_about(&path, &file), "{} for {}", path.display(), file.display());
                    }
                    Err(error) => panic!("sector {sector} of {}: {error}", file.display()),
                }
            }
        }
    }
}
