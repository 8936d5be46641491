//! Power cuts and kills after every call, over several lives.
//!
//! E1. After each call of a life, each state that [`SimDisk::crash_states`] yields is opened: it must show the state after the
//!     first so many changes, at least all that were promised by then, none that was not asked for; and `verify` must find
//!     nothing. So must the state that a killed process leaves.
//! E2. Opening is a part of a life: its calls are cut as well. It finds the same however often it is cut.
//! E3. A life goes on from what another left, three lives deep.

use crate::life::{DIR, History, Life, Outcome, Settings, Step, open, workload};
use crate::model::{Op, difference, digest};
use crate::random::Random;
use crate::report::{Budget, Counts};
use fourfold::sim::{CrashLimits, Faults, SimDisk, Survival};
use fourfold::{Durability, Error};

/// How many states of a life are looked at.
#[derive(Clone, Copy)]
enum Depth {
    /// After every call, every state that the disk enumerates; one in so many goes on to another life.
    All { next_one_in: usize },
    /// So many random ones; one in two goes on to another life.
    Some(usize),
}

/// What remains the same over the lives of one test.
struct Explorer<'a> {
    settings: Settings,
    random: Random,
    counts: &'a Counts,
    budget: &'a Budget,
}

impl Explorer<'_> {
    /// Lives `steps` on `disk` and looks at what power cuts leave; `lives` more lives follow on some of that.
    fn explore(
        &mut self,
        disk: &SimDisk,
        history: History,
        steps: &[Step],
        depth: Depth,
        lives: u32,
    ) -> Result<(), String> {
        let inherited = history.clone();
        let start = disk.calls();
        disk.record();
        let mut life = Life::begin(disk.clone(), history, self.settings)
            .map_err(|error| format!("opening for another life: {error}"))?;
        // The second life of a killed process begins in one of several states.
        let opened = digest(life.store()).map_err(|error| format!("reading: {error}"))?;
        let last = inherited.last();
        if inherited.find(opened, 0, last) != Some(last) {
            return Err(format!("a killed process left state {last}, and then it was not there"));
        }
        for (number, step) in steps.iter().enumerate() {
            match life.step(step) {
                Outcome::Done => {}
                outcome => return Err(format!("step {number} {step:?}: {outcome:?}")),
            }
        }
        life.check()?;
        let history = life.end();
        let images = disk.images();
        self.counts.images(images.len());
        let context = |image: usize| match (start + image as u64).checked_sub(1) {
            Some(call) => disk.describe(call),
            None => "before the first call".into(),
        };
        match depth {
            Depth::All { next_one_in } => {
                for (number, image) in images.iter().enumerate() {
                    let calls = start + number as u64;
                    self.look_at_all(image, &history, calls, next_one_in, lives)
                        .map_err(|error| format!("after {}:\n{error}", context(number)))?;
                    if self.budget.is_spent() {
                        break;
                    }
                }
            }
            Depth::Some(count) => {
                for _ in 0..count {
                    let number = self.random.below(images.len());
                    let calls = start + number as u64;
                    self.look_at_one(&images[number], &history, calls, lives)
                        .map_err(|error| format!("after {}:\n{error}", context(number)))?;
                }
            }
        }
        Ok(())
    }

    fn limits(&mut self) -> CrashLimits {
        let cut = *self.random.pick(&[512, 512, 64, 8]);
        CrashLimits {
            exhaustive_items: 4,
            exhaustive_states: 64,
            random: 6,
            torn: 3,
            cut,
            seed: self.random.next(),
        }
    }

    fn look_at_all(
        &mut self,
        image: &SimDisk,
        history: &History,
        calls: u64,
        next_one_in: usize,
        lives: u32,
    ) -> Result<(), String> {
        for survival in image.crash_states(self.limits()) {
            let (first, last) = history.after_power_cut(calls);
            let explain =
                |error: String| format!("a power cut that left\n{}{error}", image.explain(&survival));
            let found = self.look_at(&image.crash(&survival), history, first, last).map_err(explain)?;
            self.check_copies(&image.crash(&survival), history, calls).map_err(explain)?;
            let goes_on = lives > 0 && self.random.one_in(next_one_in);
            if goes_on && !history.is_ambiguous(found, first, last) {
                let next = history.goes_on_from(found);
                self.next_life(&image.crash(&survival), next, lives).map_err(explain)?;
            }
        }
        self.look_at_killed(image, history, calls, next_one_in, lives)
    }

    fn look_at_killed(
        &mut self,
        image: &SimDisk,
        history: &History,
        calls: u64,
        next_one_in: usize,
        lives: u32,
    ) -> Result<(), String> {
        let (first, last) = history.after_kill(calls);
        let found = self
            .look_at(&image.kill(), history, first, last)
            .map_err(|error| format!("the process was killed:\n{error}"))?;
        let goes_on = lives > 0 && self.random.one_in(next_one_in);
        if goes_on && !history.is_ambiguous(found, 0, last) {
            let next = history.goes_on_within(history.after_power_cut(calls).0, found);
            return self
                .next_life(&image.kill(), next, lives)
                .map_err(|error| format!("the process was killed:\n{error}"));
        }
        Ok(())
    }

    fn look_at_one(
        &mut self,
        image: &SimDisk,
        history: &History,
        calls: u64,
        lives: u32,
    ) -> Result<(), String> {
        if self.random.one_in(8) {
            return self.look_at_killed(image, history, calls, 2, lives);
        }
        let mut states: Vec<_> = image.crash_states(self.limits()).collect();
        let survival = states.swap_remove(self.random.below(states.len()));
        let explain = |error: String| format!("a power cut that left\n{}{error}", image.explain(&survival));
        let (first, last) = history.after_power_cut(calls);
        let found = self.look_at(&image.crash(&survival), history, first, last).map_err(explain)?;
        if lives > 0 && self.random.one_in(2) && !history.is_ambiguous(found, first, last) {
            let next = history.goes_on_from(found);
            return self.next_life(&image.crash(&survival), next, lives).map_err(explain);
        }
        Ok(())
    }

    fn next_life(&mut self, disk: &SimDisk, history: History, lives: u32) -> Result<(), String> {
        let count = self.random.below(6);
        let steps = workload(&mut self.random, count);
        self.counts.life();
        self.explore(disk, history, &steps, Depth::Some(4), lives - 1)
            .map_err(|error| format!("then another life of\n{}{error}", list(&steps)))
    }

    /// Opens what is left on `disk`: a state from `first` to `last`, and nothing else (E1).
    fn look_at(
        &mut self,
        disk: &SimDisk,
        history: &History,
        first: usize,
        last: usize,
    ) -> Result<usize, String> {
        self.counts.state();
        let store = open(disk, DIR, self.settings).map_err(|error| {
            format!("states {first} to {last} were possible, but opening failed: {error}")
        })?;
        let found = digest(&store).map_err(|error| format!("reading: {error}"))?;
        let Some(index) = history.find(found, first, last) else {
            let elsewhere = history.find(found, 0, history.last());
            let difference =
                difference(&store, history.state(first)).unwrap_or_else(|error| error.to_string());
            return Err(format!(
                "states {first} to {last} of {} were possible, found {elsewhere:?}; it differs from {first} by\n{difference}{:?}",
                history.last(),
                store.recovery(),
            ));
        };
        let problems = store.verify().map_err(|error| format!("verifying: {error}"))?;
        if !problems.is_empty() {
            return Err(format!("state {index} is there, but verify finds {problems:#?}"));
        }
        // How it closes is seen in the lives that follow; here it would only take time.
        disk.set_faults(Faults::new(0).stop_at(0));
        Ok(index)
    }

    /// Copies that were promised are there, whole.
    fn check_copies(&self, disk: &SimDisk, history: &History, calls: u64) -> Result<(), String> {
        for (number, index, promised) in &history.copies {
            if *promised > calls {
                continue;
            }
            let dir = format!("copy{number}");
            let store = open(disk, &dir, self.settings).map_err(|error| format!("opening {dir}: {error}"))?;
            let found = digest(&store).map_err(|error| format!("reading {dir}: {error}"))?;
            if found != history.digest(*index) {
                let difference = difference(&store, history.state(*index)).unwrap_or_default();
                return Err(format!("{dir} is not in state {index}:\n{difference}"));
            }
        }
        Ok(())
    }
}

/// Everything about one random workload follows from its seed.
fn explore_seed(seed: u64, counts: &Counts, budget: &Budget) -> Result<(), String> {
    let mut random = Random::new(seed);
    let durability = *random.pick(&[Durability::Synced, Durability::Written, Durability::Buffered]);
    let settings = Settings { durability, flush_bytes: *random.pick(&[1, 2000, 1 << 20]) };
    let count = 4 + random.below(36);
    let steps = workload(&mut random, count);
    let mut explorer = Explorer { settings, random, counts, budget };
    explorer
        .explore(&SimDisk::new(), History::new(), &steps, Depth::All { next_one_in: 40 }, 2)
        .map_err(|error| format!("FOURFOLD_CRASH_SEED={seed}\n{settings:?}\n{}{error}", list(&steps)))
}

/// Every short workload over a small alphabet.
fn explore_short(settings: Settings, steps: &[Step], counts: &Counts, budget: &Budget) -> Result<(), String> {
    let mut explorer = Explorer { settings, random: Random::new(1), counts, budget };
    explorer
        .explore(&SimDisk::new(), History::new(), steps, Depth::All { next_one_in: 100 }, 1)
        .map_err(|error| format!("{settings:?}\n{}{error}", list(steps)))
}

pub(crate) fn list(steps: &[Step]) -> String {
    let lines: Vec<_> =
        steps.iter().enumerate().map(|(number, step)| format!("  {number}: {step:?}\n")).collect();
    lines.concat()
}

fn alphabet() -> [Step; 6] {
    let (key, other) = (b"key".to_vec(), b"lock".to_vec());
    let big = crate::life::BLOB_THRESHOLD + 500;
    [
        Step::Write(
            vec![Op::Put("a", key.clone(), 9000), Op::Put("b", other.clone(), 10)],
            Durability::Written,
        ),
        Step::Write(vec![Op::Put("a", key.clone(), big), Op::Delete("a", other.clone())], Durability::Synced),
        Step::Write(
            vec![Op::Floor("a", other), Op::Delete("b", key), Op::Put("b", b"counter".to_vec(), 16)],
            Durability::Buffered,
        ),
        Step::Compact,
        Step::Drop("a"),
        Step::Reopen,
    ]
}

#[test]
fn every_short_workload_survives_every_power_cut() {
    let (counts, budget) = (Counts::default(), Budget::unlimited());
    let alphabet = alphabet();
    let depth = if cfg!(debug_assertions) { 2 } else { 3 };
    let mut workloads = vec![Vec::new()];
    for _ in 0..depth {
        let longer: Vec<_> = workloads
            .iter()
            .flat_map(|steps| alphabet.iter().map(|step| [&steps[..], std::slice::from_ref(step)].concat()))
            .collect();
        workloads = longer;
        for steps in &workloads {
            let settings = Settings { durability: Durability::Written, flush_bytes: 1 << 20 };
            if let Err(failure) = explore_short(settings, steps, &counts, &budget) {
                panic!("{failure}");
            }
        }
    }
    counts.print("short workloads");
}

#[test]
fn random_workloads_survive_every_power_cut() {
    crate::report::run_seeds("random workloads", 8, explore_seed);
}

/// A hole in one segment gives up the segments behind it. They stay on disk until something is written; folding the
/// segment with the hole once made them the beginning of the log.
#[test]
fn what_recovery_gave_up_stays_given_up() {
    let (counts, budget) = (Counts::default(), Budget::unlimited());
    let settings = Settings { durability: Durability::Written, flush_bytes: 1 << 20 };
    let mut explorer = Explorer { settings, random: Random::new(1), counts: &counts, budget: &budget };
    let disk = SimDisk::new();
    let mut life = Life::begin(disk.clone(), History::new(), settings).unwrap();
    for number in 0..14_u8 {
        let ops = vec![Op::Put("a", vec![number], 1200), Op::Put("a", vec![number, 0], 1200)];
        assert!(matches!(life.step(&Step::Write(ops, Durability::Written)), Outcome::Done));
    }
    let (calls, history) = (disk.calls(), life.history.clone());
    let (first, last) = history.after_power_cut(calls);
    for survival in disk.crash_states(CrashLimits { random: 400, torn: 0, ..CrashLimits::default() }) {
        let index = explorer.look_at(&disk.crash(&survival), &history, first, last).unwrap();
        let left = disk.crash(&survival);
        let mut second = Life::begin(left.clone(), history.goes_on_from(index), settings).unwrap();
        assert!(matches!(second.step(&Step::Maintain), Outcome::Done));
        explorer
            .look_at(&left.crash(&Survival::everything()), &history, index, index)
            .unwrap_or_else(|error| panic!("{}{error}", disk.explain(&survival)));
    }
    counts.print("given up");
}

/// A process that was killed as soon as the first manifest had its name left that name not durable. The next one made a
/// segment, and a power cut once left that and no manifest.
#[test]
fn the_first_manifest_is_there_before_what_stands_on_it() {
    let settings = Settings { durability: Durability::Synced, flush_bytes: 0 };
    let disk = SimDisk::new();
    disk.record();
    drop(open(&disk, DIR, settings).unwrap());
    let mut states = 0;
    for image in disk.images() {
        let killed = image.kill();
        killed.record();
        open(&killed, DIR, settings).unwrap().keyspace("a").unwrap().put("key", "value").unwrap();
        for image in killed.images() {
            for survival in image.crash_states(CrashLimits::default()) {
                let opened = open(&image.crash(&survival), DIR, settings);
                assert!(opened.is_ok(), "{}{opened:?}", image.explain(&survival));
                states += 1;
            }
        }
    }
    assert!(states > 100, "{states}");
}

#[test]
fn a_directory_without_a_manifest_is_no_store() {
    let disk = SimDisk::new();
    let settings = Settings { durability: Durability::Synced, flush_bytes: 0 };
    disk.write("store/0000000000000001.log", b"something").unwrap();
    assert!(matches!(open(&disk, DIR, settings), Err(Error::NotAStore { .. })));
}
