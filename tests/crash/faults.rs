//! Every call fails once, in every way.
//!
//! F1. *Refused means untouched*: after [`Error::StorageFull`], or an error after which the store still writes, it shows what
//!     it showed before.
//! F2. *Poisoned means silent*: after the first failure of anything whose outcome is unknown no write is acknowledged, and
//!     reads go on.
//! F3. *Nothing that was promised is missing* afterwards: not when the store is opened again at once, on a system that
//!     takes pages for clean that it could not write, and not after a power cut, before or after that.

use crate::life::{DIR, History, Life, Outcome, SEGMENT, Settings, Step, open, workload};
use crate::model::{Op, digest};
use crate::random::Random;
use crate::report::{Budget, Counts, run_seeds};
use fourfold::sim::{CrashLimits, Fault, Faults, SimDisk};
use fourfold::{Durability, Error};

/// Shows whether the store writes. Its keyspace is there from the first step on and is never dropped.
fn probe() -> Step {
    Step::Write(vec![Op::Put("p", b"probe".to_vec(), 100)], Durability::Synced)
}

/// What became of a life.
enum End {
    /// It went on to the end.
    Alive,
    /// It stopped writing, or could not be opened.
    Stopped,
}

/// Lives `steps` on a disk that fails and checks F1 and F2.
fn suffer(life: &mut Life, steps: &[Step]) -> Result<End, String> {
    for (number, step) in steps.iter().enumerate() {
        let before = life.history.last();
        let context = |error: String| format!("step {number}, {step:?}: {error}");
        match life.step(step) {
            Outcome::Done => {}
            Outcome::Full if !life.is_open() => return Ok(End::Stopped),
            Outcome::Full => {
                life.check().map_err(|error| context(format!("refused for lack of space, but {error}")))?;
            }
            Outcome::Failed(error) if !life.is_open() => {
                return match error {
                    Error::Io { .. } | Error::StorageFull { .. } => Ok(End::Stopped),
                    error => Err(context(format!("opening failed: {error}"))),
                };
            }
            Outcome::Failed(error) => {
                if let End::Stopped = failed(life, before, &error).map_err(context)? {
                    return Ok(End::Stopped);
                }
            }
        }
    }
    life.check()?;
    Ok(End::Alive)
}

/// After an error in a change that began in state `before`.
fn failed(life: &mut Life, before: usize, error: &Error) -> Result<End, String> {
    // Of the changes of one step (keyspaces are created first) the last one failed; those before it were promised.
    let last = life.history.last();
    let before = before.max(last.saturating_sub(1));
    life.check_shows(before, last).map_err(|shows| format!("failed with: {error}; then {shows}"))?;
    let writes = match life.step(&probe()) {
        Outcome::Done => true,
        Outcome::Failed(Error::Poisoned { .. }) => false,
        outcome => return Err(format!("failed with: {error}; then a write came to {outcome:?}")),
    };
    if writes {
        // Not poisoned, so the failed change must have changed nothing (F1).
        if life.history.last() != before + 1 {
            life.history.forget(before, life.history.last() - 1);
        }
        life.check().map_err(|shows| format!("failed with: {error}; the store writes on, but {shows}"))?;
        return Ok(End::Alive);
    }
    // The probe was asked for and refused.
    life.history.take_back();
    // A sync has nothing to do if all that is visible was durable before.
    let stats = life.store().stats();
    if life.store().sync().is_ok() && stats.durable < stats.frontier {
        return Err(format!("poisoned by: {error}; then a sync succeeded: {stats:#?}"));
    }
    for step in [probe(), Step::Drop("a"), Step::Maintain, Step::Compact] {
        let last = life.history.last();
        match life.step(&step) {
            Outcome::Failed(Error::Poisoned { .. }) => {}
            // Nothing to drop, nothing to do; or it was to be made when the fault came.
            Outcome::Done | Outcome::Failed(Error::NotFound { .. }) if matches!(step, Step::Drop(_)) => {}
            outcome => return Err(format!("poisoned by: {error}; then {step:?} came to {outcome:?}")),
        }
        while life.history.last() > last {
            life.history.take_back();
        }
    }
    life.check_shows(before, life.history.last())
        .map_err(|shows| format!("poisoned by: {error}; then {shows}"))?;
    Ok(End::Stopped)
}

/// Checks F3.
fn nothing_is_missing(
    disk: &SimDisk,
    history: &History,
    settings: Settings,
    random: &mut Random,
) -> Result<(), String> {
    let calls = disk.calls();
    let look = |disk: &SimDisk, (first, last): (usize, usize)| {
        let store = open(disk, DIR, settings).map_err(|error| format!("opening: {error}"))?;
        let found = digest(&store).map_err(|error| format!("reading: {error}"))?;
        let index = history.find(found, first, last);
        let index = index.ok_or_else(|| format!("states {first} to {last} were possible, found another"))?;
        let problems = store.verify().map_err(|error| format!("verifying: {error}"))?;
        if problems.is_empty() { Ok((store, index)) } else { Err(format!("verify finds {problems:#?}")) }
    };
    let limits = CrashLimits {
        random: 4,
        torn: 2,
        exhaustive_states: 16,
        seed: random.next(),
        ..CrashLimits::default()
    };
    for survival in disk.crash_states(limits) {
        look(&disk.crash(&survival), history.after_power_cut(calls))
            .map_err(|error| format!("a power cut that left\n{}{error}", disk.explain(&survival)))?;
    }
    let (store, index) =
        look(disk, history.after_kill(calls)).map_err(|error| format!("opened again at once: {error}"))?;
    for survival in disk.crash_states(limits) {
        look(&disk.crash(&survival), (index, index)).map_err(|error| {
            format!("opened again at once, then a power cut that left\n{}{error}", disk.explain(&survival))
        })?;
    }
    drop(store);
    Ok(())
}

fn settings(random: &mut Random) -> Settings {
    let durability = *random.pick(&[Durability::Synced, Durability::Written, Durability::Buffered]);
    Settings { durability, flush_bytes: *random.pick(&[1, 2000, 1 << 20]) }
}

/// How many calls a workload makes.
fn count_calls(settings: Settings, steps: &[Step]) -> Result<u64, String> {
    let mut life =
        Life::begin(SimDisk::new(), History::new(), settings).map_err(|error| error.to_string())?;
    for step in steps {
        let Outcome::Done = life.step(step) else { return Err(format!("{step:?} fails without a fault")) };
    }
    let disk = life.disk.clone();
    life.end();
    Ok(disk.calls())
}

fn explore_faults(seed: u64, counts: &Counts, budget: &Budget) -> Result<(), String> {
    let mut random = Random::new(seed ^ 0xfa17);
    let settings = settings(&mut random);
    let count = 4 + random.below(24);
    let steps: Vec<Step> = [probe()].into_iter().chain(workload(&mut random, count)).collect();
    let calls = count_calls(settings, &steps)?;
    for call in 0..calls {
        for fault in [Fault::Error, Fault::Full, Fault::Short] {
            if budget.is_spent() {
                return Ok(());
            }
            counts.state();
            let disk = SimDisk::new();
            disk.set_faults(Faults::new(random.next()).fail_at(call, fault));
            fail_once(&disk, settings, &steps, &mut random).map_err(|error| {
                let (list, what) = (crate::enumerate::list(&steps), disk.describe(call));
                format!("FOURFOLD_CRASH_SEED={seed}\n{settings:?}\n{list}{fault:?} at {what}\n{error}")
            })?;
        }
    }
    counts.images(usize::try_from(calls).unwrap());
    Ok(())
}

fn fail_once(disk: &SimDisk, settings: Settings, steps: &[Step], random: &mut Random) -> Result<(), String> {
    let mut life = match Life::begin(disk.clone(), History::new(), settings) {
        Ok(life) => life,
        Err(Error::Io { .. } | Error::StorageFull { .. }) => {
            // It failed to be created; the next attempt succeeds.
            return Life::begin(disk.clone(), History::new(), settings)
                .map(|life| drop(life.end()))
                .map_err(|error| format!("creating it again: {error}"));
        }
        Err(error) => return Err(format!("creating it: {error}")),
    };
    life.expect_faults();
    suffer(&mut life, steps)?;
    let history = life.end();
    nothing_is_missing(disk, &history, settings, random)
}

#[test]
fn every_call_fails_once() {
    run_seeds("faults at every call", 2, explore_faults);
}

/// A disk of every size fills up, is given room, and the same store goes on.
fn explore_full(seed: u64, counts: &Counts, budget: &Budget) -> Result<(), String> {
    let mut random = Random::new(seed ^ 0xf011);
    let settings = settings(&mut random);
    let count = 10 + random.below(40);
    let steps: Vec<Step> =
        workload(&mut random, count).into_iter().filter(|step| !matches!(step, Step::Reopen)).collect();
    for part in 1..16 {
        let quota = part * SEGMENT / 2 + random.next() % SEGMENT;
        if budget.is_spent() {
            return Ok(());
        }
        counts.state();
        let disk = SimDisk::new();
        fill(&disk, quota, settings, &steps, &mut random).map_err(|error| {
            let list = crate::enumerate::list(&steps);
            format!("FOURFOLD_CRASH_SEED={seed}\n{settings:?}\n{list}a disk of {quota} bytes\n{error}")
        })?;
    }
    Ok(())
}

fn fill(
    disk: &SimDisk,
    quota: u64,
    settings: Settings,
    steps: &[Step],
    random: &mut Random,
) -> Result<(), String> {
    let mut life = Life::begin(disk.clone(), History::new(), settings).map_err(|error| error.to_string())?;
    life.expect_faults();
    disk.set_quota(Some(quota));
    for (number, step) in steps.iter().enumerate() {
        match life.step(step) {
            Outcome::Done => {}
            Outcome::Full => {
                life.check().map_err(|error| format!("step {number}, {step:?}: full, but {error}"))?;
            }
            Outcome::Failed(error) => return Err(format!("step {number}, {step:?} failed: {error}")),
        }
    }
    nothing_is_missing(&disk.kill(), &life.history.inherited(disk.calls()), settings, random)
        .map_err(|error| format!("on the full disk: {error}"))?;
    disk.set_quota(None);
    for (number, step) in steps.iter().chain([&probe(), &Step::Maintain, &Step::Compact]).enumerate() {
        let outcome = life.step(step);
        if !matches!(outcome, Outcome::Done) {
            return Err(format!("with room again, step {number}, {step:?} came to {outcome:?}"));
        }
    }
    life.check()?;
    let history = life.end();
    nothing_is_missing(disk, &history, settings, random)
}

#[test]
fn full_disks_refuse_and_go_on() {
    run_seeds("full disks", 10, explore_full);
}
