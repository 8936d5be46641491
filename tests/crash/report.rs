//! How long random tests go on, and what they did.
//!
//! By default each test tries its own number of seeds, which takes a few seconds: the same ones on every machine, however
//! fast it is. `FOURFOLD_CRASH_SCALE`: so many times as many. `FOURFOLD_CRASH_SECONDS`: so long instead.
//! `FOURFOLD_CRASH_STATES`: until so many states were seen instead. `FOURFOLD_CRASH_THREADS`: by so many threads (default:
//! one). `FOURFOLD_CRASH_FIRST`: the first seed (default: 1). `FOURFOLD_CRASH_SEED`: only this one.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(crate) fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[expect(clippy::disallowed_methods, reason = "how long a test goes on is not part of what it tests")]
fn now() -> Instant {
    Instant::now()
}

#[derive(Debug)]
pub(crate) struct Counts {
    begun: Instant,
    states: AtomicU64,
    images: AtomicU64,
    lives: AtomicU64,
    workloads: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            begun: now(),
            states: AtomicU64::new(0),
            images: AtomicU64::new(0),
            lives: AtomicU64::new(0),
            workloads: AtomicU64::new(0),
        }
    }
}

impl Counts {
    pub(crate) fn state(&self) {
        self.states.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn images(&self, count: usize) {
        self.workloads.fetch_add(1, Ordering::Relaxed);
        self.images.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn life(&self) {
        self.lives.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn print(&self, what: &str) {
        let [states, images, lives, workloads] = [&self.states, &self.images, &self.lives, &self.workloads]
            .map(|count| count.load(Ordering::Relaxed));
        let milliseconds = u64::try_from(self.begun.elapsed().as_millis()).unwrap().max(1);
        let seconds = Duration::from_millis(milliseconds).as_secs_f32();
        println!(
            "{what}: {states} crash states after {images} calls of {workloads} lives ({lives} of them second or later), \
             {seconds:.1} s, {} states/s",
            states * 1000 / milliseconds
        );
    }
}

/// When to stop.
#[derive(Debug)]
pub(crate) struct Budget {
    until: Option<Instant>,
}

impl Budget {
    pub(crate) fn unlimited() -> Self {
        Self { until: None }
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.until.is_some_and(|until| until < now())
    }
}

/// Runs `explore` on one seed after another, on `seeds` of them if nothing else is asked for.
pub(crate) fn run_seeds(
    what: &str,
    seeds: u64,
    explore: impl Fn(u64, &Counts, &Budget) -> Result<(), String> + Sync,
) {
    let counts = Counts::default();
    if let Some(seed) = setting("FOURFOLD_CRASH_SEED") {
        explore(seed, &counts, &Budget::unlimited()).unwrap_or_else(|failure| panic!("{failure}"));
        counts.print(what);
        return;
    }
    let states: Option<u64> = setting("FOURFOLD_CRASH_STATES");
    let seconds: Option<u64> = setting("FOURFOLD_CRASH_SECONDS");
    let budget = Budget { until: seconds.map(|seconds| now() + Duration::from_secs(seconds)) };
    let first = setting("FOURFOLD_CRASH_FIRST").unwrap_or(1);
    let end = match (states, seconds) {
        (None, None) => first + seeds * setting("FOURFOLD_CRASH_SCALE").unwrap_or(1),
        _ => u64::MAX,
    };
    let next = AtomicU64::new(first);
    let run = || {
        while !budget.is_spent() && states.is_none_or(|states| counts.states.load(Ordering::Relaxed) < states)
        {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return;
            }
            explore(seed, &counts, &budget).unwrap_or_else(|failure| panic!("{failure}"));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..setting("FOURFOLD_CRASH_THREADS").unwrap_or(1) {
            scope.spawn(run);
        }
        run();
    });
    counts.print(what);
}
