//! Clocks and counters of one process, and the rates of the machine.

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::Result;

fn cpu(clock: libc::clockid_t) -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists and `time` is a valid place for its answer.
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

pub fn process_cpu() -> f64 {
    cpu(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn thread_cpu() -> f64 {
    cpu(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn proc_field(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Bytes this process has sent towards the device so far (dirtied pages count when they are dirtied).
pub fn written() -> u64 {
    proc_field("/proc/self/io", "write_bytes:")
}

/// Memory of this process that no file backs.
pub fn anon() -> u64 {
    proc_field("/proc/self/status", "RssAnon:") * 1024
}

/// Bytes the files below `dir` occupy: neither the holes of a sparse map count nor blocks reserved behind a file's end.
pub fn disk(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // A file may be dropped by a compaction while we look.
        let Ok(meta) = entry.metadata() else { continue };
        bytes += if meta.is_dir() { disk(&entry.path())? } else { meta.len().min(meta.blocks() * 512) };
    }
    Ok(bytes)
}

/// Waits until the engine's own threads have nothing left to do, as far as their CPU time tells.
pub fn settle() -> Duration {
    const LOOK: Duration = Duration::from_millis(20);
    let (start, mut last_busy) = (Instant::now(), Instant::now());
    while last_busy.elapsed() < 3 * LOOK && start.elapsed() < Duration::from_secs(300) {
        let before = process_cpu();
        thread::sleep(LOOK);
        if process_cpu() - before > 0.0005 {
            last_busy = Instant::now();
        }
    }
    last_busy - start
}

/// The end of a run, whichever comes first.
pub struct Until {
    /// All threads together.
    pub steps: u64,
    pub time: Duration,
}

impl Until {
    pub fn steps(steps: u64) -> Self {
        Self { steps, time: Duration::MAX }
    }

    pub fn time(time: Duration) -> Self {
        Self { steps: u64::MAX, time }
    }
}

pub struct Run {
    pub steps: u64,
    pub wall: f64,
    /// CPU time of the calling threads.
    pub foreground: f64,
    nanos: Vec<u64>,
}

impl Run {
    /// `nanos` are the times of calls, in any order.
    pub fn new(steps: u64, wall: f64, foreground: f64, mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        Self { steps, wall, foreground, nanos }
    }

    /// In microseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let at = (self.nanos.len() * percent / 100).min(self.nanos.len().saturating_sub(1));
        self.nanos.get(at).map_or(0.0, |nanos| *nanos as f64 / 1e3)
    }
}

/// Calls `step(thread, i)` from several threads. One call in `every` is timed: reading the clock costs as much as a
/// fast get.
pub fn drive<F>(threads: u64, until: &Until, every: u64, step: F) -> Result<Run>
where
    F: Fn(u64, u64) -> Result<()> + Sync,
{
    let barrier = Barrier::new(threads as usize);
    let one = |thread: u64| -> Result<Run> {
        barrier.wait();
        let (start, cpu) = (Instant::now(), thread_cpu());
        let mut nanos = Vec::with_capacity(1 << 16);
        let mut steps = 0;
        while steps < until.steps / threads && (steps % every != 0 || start.elapsed() < until.time) {
            if steps % every == 0 {
                let before = Instant::now();
                step(thread, steps)?;
                nanos.push(before.elapsed().as_nanos() as u64);
            } else {
                step(thread, steps)?;
            }
            steps += 1;
        }
        Ok(Run { steps, wall: start.elapsed().as_secs_f64(), foreground: thread_cpu() - cpu, nanos })
    };
    let runs: Vec<Result<Run>> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|t| scope.spawn(move || one(t))).collect();
        handles.into_iter().map(|handle| handle.join().expect("a step panicked")).collect()
    });
    let mut total = Run { steps: 0, wall: 0.0, foreground: 0.0, nanos: Vec::new() };
    for run in runs {
        let run = run?;
        total.steps += run.steps;
        total.wall = total.wall.max(run.wall);
        total.foreground += run.foreground;
        total.nanos.extend(run.nanos);
    }
    total.nanos.sort_unstable();
    Ok(total)
}

/// What a reader needs to compare this machine with theirs.
pub fn machine(dir: &Path) -> Result<String> {
    let cores = thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();

    let file = File::create(dir.join("sync"))?;
    file.write_all_at(&[1; 1 << 16], 0)?;
    file.sync_all()?;
    let run = drive(1, &Until::steps(500), 1, |_, i| {
        file.write_all_at(&[i as u8; 4096], i % 16 * 4096)?;
        Ok(file.sync_data()?)
    })?;
    fs::remove_file(dir.join("sync"))?;

    let from = vec![7u8; 8 << 20];
    let mut to = vec![0u8; from.len()];
    let copy = best_rate(from.len(), || black_box(&mut to).copy_from_slice(black_box(&from)));
    let crc = best_rate(from.len(), || {
        black_box(crc32fast::hash(black_box(&from)));
    });
    Ok(format!(
        "{cores} cores, load {load}; 4 KiB overwrite + fdatasync p50 {:.0} us, p99 {:.0} us; \
         memcpy 8 MiB {copy:.1} GB/s, CRC-32 {crc:.1} GB/s",
        run.percentile(50),
        run.percentile(99),
    ))
}

fn best_rate(bytes: usize, mut step: impl FnMut()) -> f64 {
    let times = (0..20).map(|_| {
        let start = Instant::now();
        step();
        start.elapsed().as_secs_f64()
    });
    bytes as f64 / 1e9 / times.fold(f64::MAX, f64::min)
}
