//! Power cuts after every call of small random workloads, over three lives: what recovery finds is a prefix of the
//! history and holds everything that was acknowledged as durable.
//!
//! Each of `--cfg mutant="no_epoch"`, `"ack_before_sync"` and `"skip_hole"` must fail here.

use super::{
    tests::{SimLog, number, open, payload, payloads},
    *,
};
use crate::storage::sim::{CrashLimits, SimDisk, Survival};
use xxhash_rust::xxh3::xxh3_64;

/// What happened to one log so far.
#[derive(Clone, Debug, Default)]
struct History {
    /// The frames that were appended, by number, in order; a life begins after what it recovered.
    frames: Vec<u64>,
    /// The next number, so that a frame that was lost is never mistaken for a later one.
    next: u64,
    /// So many of the frames are acknowledged, from which number of calls on.
    acked: Vec<(u64, usize)>,
}

impl History {
    fn acked_at(&self, calls: u64) -> usize {
        self.acked.iter().filter(|(at, _)| *at <= calls).map(|(_, acked)| *acked).max().unwrap_or(0)
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = xxh3_64(&self.0.to_le_bytes());
        self.0 % bound
    }
}

/// A few operations on an open log.
fn live(log: &SimLog, disk: &SimDisk, history: &mut History, random: &mut Random, operations: u64) {
    for _ in 0..operations {
        match random.below(8) {
            0 => log.rotate().unwrap(),
            1 => drop(log.prepare_ahead().unwrap()),
            2 => log.flush().unwrap(),
            3 => {
                log.sync().unwrap();
                history.acked.push((disk.calls(), history.frames.len()));
            }
            _ => {
                let number = history.next;
                history.next += 1;
                history.frames.push(number);
                let len = if random.below(3) == 0 { 9000 } else { random.below(200) };
                let appended = log.append(&payload(number, usize::try_from(len).unwrap())).unwrap();
                if random.below(2) == 0 {
                    log.wait(appended.end, Durability::Synced).unwrap();
                    history.acked.push((disk.calls(), history.frames.len()));
                }
            }
        }
    }
}

/// Opens what is left and checks it; the log and how many frames it has.
fn check(disk: &SimDisk, history: &History, acked: usize, context: &dyn Fn() -> String) -> (SimLog, usize) {
    let (log, _) = open(disk).unwrap_or_else(|error| panic!("{error}\n{}", context()));
    let found: Vec<u64> = payloads(&log).iter().map(|payload| number(payload)).collect();
    let prefix = history.frames.get(..found.len());
    assert_eq!(Some(&found[..]), prefix, "not a prefix of {:?}\n{}", history.frames, context());
    assert!(found.len() >= acked, "{} of {acked} acknowledged frames\n{}", found.len(), context());
    (log, found.len())
}

/// Runs a life on `disk`, and crashes it after each call; then the next.
fn crash_everywhere(
    disk: &SimDisk,
    history: &History,
    acked: usize,
    seed: u64,
    lives: u32,
    states: &mut u64,
) {
    let mut history = History { acked: vec![(0, acked)], ..history.clone() };
    let mut random = Random(seed);
    disk.record();
    {
        let (log, found) = check(disk, &history, acked, &|| format!("seed {seed}"));
        history.frames.truncate(found);
        // What was recovered was shown, so it may not go away again.
        history.acked.push((disk.calls(), found));
        live(&log, disk, &mut history, &mut random, 8);
        if random.below(2) == 0 {
            log.close().unwrap();
            history.acked.push((disk.calls(), history.frames.len()));
        }
    }
    let limits = CrashLimits { exhaustive_states: 24, random: 2, torn: 1, seed, ..CrashLimits::default() };
    let images = disk.images();
    let last = images.len() - 1;
    for (calls, image) in images.iter().enumerate() {
        let acked = history.acked_at(calls as u64);
        for survival in image.crash_states(limits) {
            *states += 1;
            let left = image.crash(&survival);
            let context = || {
                format!(
                    "seed {seed}, life {lives}, {calls} calls, {}\n{}",
                    disk.describe(calls as u64),
                    image.explain(&survival)
                )
            };
            drop(check(&left, &history, acked, &context));
            // Recovery itself may be cut short.
            let again = left.crash(&Survival::nothing());
            drop(check(&again, &history, acked, &context));
            let go_on = calls == last || random.below(40) == 0;
            if lives > 1 && go_on && random.below(4) == 0 {
                crash_everywhere(&again.kill(), &history, acked, seed + *states, lives - 1, states);
            }
        }
    }
}

#[test]
fn what_was_acknowledged_survives_three_lives() {
    let mut states = 0;
    let seeds = if cfg!(miri) { 0..0 } else { 0..16 };
    for seed in seeds {
        crash_everywhere(&SimDisk::new(), &History::default(), 0, seed, 3, &mut states);
    }
    println!("{states} states");
}
