//! The workloads, as they run in a child process: one engine, one workload, one round.

mod objects;
mod queue;
mod stream;

use std::collections::BTreeMap;
use std::env;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::data::{self, KEY, Key, PER_PARTITION, Values};
use crate::engine::{Class, Engine, Family, Kv, Options, Result};
use crate::measure::{self, Run, Until, drive};

pub type Metrics = BTreeMap<&'static str, f64>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Appends of this many records each.
    Log(usize),
    /// All items in random order, 1000 in a batch; leaves its data, compacted, to the kinds of [`Kind::reads_load`].
    Load,
    Open,
    Get,
    Range,
    /// 80 % gets, 20 % puts, zipf.
    Mix,
    Put,
    /// Everything overwritten three times.
    Space,
    /// Gets and ranges through six sorted runs and a full memtable.
    GetRuns,
    RangeRuns,
    Durable,
    /// Open after the process ended in the middle, with at most 128 MiB in the log.
    Crash,
    /// Messages sent, received and deleted, this many per call; half of the threads send.
    Queue(usize),
    /// Puts of this many records each.
    StreamPut(usize),
    /// Reads of this many records each, copied out.
    StreamRead(usize),
    /// The same where the engine has them.
    StreamView(usize),
    ObjectPut,
    ObjectGet,
    /// Lists of 100 000 keys, 1000 below each of 100 prefixes: a page of one prefix, the prefixes, all.
    ListPage,
    ListPrefixes,
    ListAll,
}

impl Kind {
    pub fn family(self) -> Family {
        match self {
            Self::Log(_) => Family::Log,
            Self::Queue(_) => Family::Queue,
            Self::StreamPut(_) | Self::StreamRead(_) | Self::StreamView(_) => Family::Stream,
            Self::ObjectPut | Self::ObjectGet => Family::Objects,
            kind if kind.lists() => Family::Objects,
            _ => Family::Map,
        }
    }

    /// Leaves its data to the others of these.
    pub fn lists(self) -> bool {
        matches!(self, Self::ListPage | Self::ListPrefixes | Self::ListAll)
    }

    pub fn reads_load(self) -> bool {
        matches!(self, Self::Open | Self::Get | Self::Range | Self::Mix | Self::Put | Self::Space)
    }

    /// Rows in which weaker promises make a difference.
    pub fn writes(self) -> bool {
        matches!(
            self,
            Self::Log(_)
                | Self::Load
                | Self::Mix
                | Self::Put
                | Self::Queue(_)
                | Self::StreamPut(_)
                | Self::ObjectPut
        )
    }
}

pub struct Workload {
    pub name: &'static str,
    pub kind: Kind,
    pub value: usize,
    pub threads: u64,
    pub class: Class,
    /// The metrics its ratios are formed of.
    pub compare: &'static [&'static str],
}

const fn row(
    name: &'static str,
    kind: Kind,
    value: usize,
    threads: u64,
    class: Class,
    compare: &'static [&'static str],
) -> Workload {
    Workload { name, kind, value, threads, class, compare }
}

use Class::{Power, Process};

/// In the order they run in: what changes the loaded data comes last.
pub const WORKLOADS: &[Workload] = &[
    row("log-100", Kind::Log(1), 100, 1, Process, &["fg k/s", "tot k/s"]),
    row("log-1k", Kind::Log(1), 1024, 1, Process, &["fg k/s", "tot k/s"]),
    row("log-durable-1", Kind::Log(1), 1024, 1, Power, &["k/s"]),
    row("log-durable-32", Kind::Log(1), 1024, 32, Power, &["k/s"]),
    row("log-durable-b100", Kind::Log(100), 1024, 1, Power, &["k/s"]),
    row("load-100", Kind::Load, 100, 1, Process, &["fg k/s", "tot k/s", "anon MB"]),
    row("open-100", Kind::Open, 100, 1, Process, &["open ms", "again ms"]),
    row("get-100", Kind::Get, 100, 1, Process, &["fg k/s"]),
    row("get2-100", Kind::Get, 100, 2, Process, &["fg k/s"]),
    row("range-100", Kind::Range, 100, 1, Process, &["fg k/s"]),
    row("mix-100", Kind::Mix, 100, 1, Process, &["fg k/s", "tot k/s"]),
    row("put-100", Kind::Put, 100, 1, Process, &["fg k/s", "tot k/s"]),
    row("space-100", Kind::Space, 100, 1, Process, &["space", "tot k/s"]),
    row("load-1k", Kind::Load, 1024, 1, Process, &["fg k/s", "tot k/s", "anon MB"]),
    row("open-1k", Kind::Open, 1024, 1, Process, &["open ms", "again ms"]),
    row("get-1k", Kind::Get, 1024, 1, Process, &["fg k/s"]),
    row("range-1k", Kind::Range, 1024, 1, Process, &["fg k/s"]),
    row("mix-1k", Kind::Mix, 1024, 1, Process, &["fg k/s", "tot k/s"]),
    row("put-1k", Kind::Put, 1024, 1, Process, &["fg k/s", "tot k/s"]),
    row("getruns-100", Kind::GetRuns, 100, 1, Process, &["fg k/s"]),
    row("rangeruns-100", Kind::RangeRuns, 100, 1, Process, &["fg k/s"]),
    row("getruns-1k", Kind::GetRuns, 1024, 1, Process, &["fg k/s"]),
    row("rangeruns-1k", Kind::RangeRuns, 1024, 1, Process, &["fg k/s"]),
    row("durable-1", Kind::Durable, 100, 1, Power, &["k/s"]),
    row("durable-8", Kind::Durable, 100, 8, Power, &["k/s"]),
    row("durable-32", Kind::Durable, 100, 32, Power, &["k/s"]),
    row("crash-100", Kind::Crash, 100, 1, Process, &["open ms"]),
    row("crash-1k", Kind::Crash, 1024, 1, Process, &["open ms"]),
    row("queue-b1", Kind::Queue(1), 256, 2, Process, &["tot k/s", "k/s"]),
    row("queue-b10", Kind::Queue(10), 256, 2, Process, &["tot k/s", "k/s"]),
    row("queue-b10-4x4", Kind::Queue(10), 256, 8, Process, &["tot k/s", "k/s"]),
    row("queue-b10-4k", Kind::Queue(10), 4096, 2, Process, &["tot k/s", "k/s"]),
    row("queue-durable-b1", Kind::Queue(1), 256, 2, Power, &["k/s"]),
    row("queue-durable-b10", Kind::Queue(10), 256, 2, Power, &["k/s"]),
    row("queue-durable-b10-4x4", Kind::Queue(10), 256, 8, Power, &["k/s"]),
    row("queue-durable-b10-4k", Kind::Queue(10), 4096, 2, Power, &["k/s"]),
    row("stream-put-b1", Kind::StreamPut(1), 1024, 1, Process, &["fg k/s", "tot k/s"]),
    row("stream-put-b100", Kind::StreamPut(100), 1024, 1, Process, &["fg k/s", "tot k/s"]),
    row("stream-read-b1", Kind::StreamRead(1), 1024, 1, Process, &["fg k/s"]),
    row("stream-read-b100", Kind::StreamRead(100), 1024, 1, Process, &["fg k/s"]),
    row("stream-view-b1", Kind::StreamView(1), 1024, 1, Process, &["fg k/s"]),
    row("stream-view-b100", Kind::StreamView(100), 1024, 1, Process, &["fg k/s"]),
    row("stream-durable-b1", Kind::StreamPut(1), 1024, 1, Power, &["k/s"]),
    row("stream-durable-b100", Kind::StreamPut(100), 1024, 1, Power, &["k/s"]),
    row("object-put-4k", Kind::ObjectPut, 4 << 10, 1, Process, &["fg k/s", "tot k/s"]),
    row("object-put-1m", Kind::ObjectPut, 1 << 20, 1, Process, &["fg k/s", "tot k/s"]),
    row("object-put-64m", Kind::ObjectPut, 64 << 20, 1, Process, &["fg k/s", "tot k/s"]),
    row("object-get-4k", Kind::ObjectGet, 4 << 10, 1, Process, &["fg k/s"]),
    row("object-get-1m", Kind::ObjectGet, 1 << 20, 1, Process, &["fg k/s"]),
    row("object-get-64m", Kind::ObjectGet, 64 << 20, 1, Process, &["fg k/s"]),
    row("object-list-page", Kind::ListPage, 0, 1, Process, &["fg k/s"]),
    row("object-list-prefixes", Kind::ListPrefixes, 0, 1, Process, &["fg k/s"]),
    row("object-list-all", Kind::ListAll, 0, 1, Process, &["fg k/s"]),
    row("object-durable-4k", Kind::ObjectPut, 4 << 10, 1, Power, &["p50 us", "p99 us", "k/s"]),
    row("object-durable-1m", Kind::ObjectPut, 1 << 20, 1, Power, &["p50 us", "k/s"]),
    row("object-durable-64m", Kind::ObjectPut, 64 << 20, 1, Power, &["p50 us", "k/s"]),
];

/// Operations prepared for a time slice; it wraps around if an engine is faster.
const PREPARED: usize = 1 << 19;
const LOAD_BATCH: usize = 1000;
/// One timed call in this many, where a call takes less than a few microseconds.
const SAMPLE: u64 = 32;
const UNFOLDED: u64 = 128 << 20;
/// A log that is faster must not have to fill more of the page cache than the others.
const LOGGED: u64 = 512 << 20;

pub struct Child<'a> {
    pub engine: &'a Engine,
    pub workload: &'a Workload,
    pub dir: PathBuf,
    pub items: u64,
    pub slice: Duration,
}

impl Child<'_> {
    pub fn run(&self) -> Result<Metrics> {
        match self.workload.kind {
            Kind::Log(records) => self.log(records),
            Kind::Load => self.load(),
            Kind::Open => self.reopen(),
            Kind::Get => self.warm(|kv| self.get(kv)),
            Kind::Range => self.warm(|kv| self.range(kv)),
            Kind::Mix => self.warm(|kv| self.mix(kv)),
            Kind::Put => self.warm(|kv| self.put(kv)),
            Kind::Space => self.space(),
            Kind::GetRuns => self.runs(|kv| self.get(kv)),
            Kind::RangeRuns => self.runs(|kv| self.range(kv)),
            Kind::Durable => self.durable(),
            Kind::Crash => self.crash(),
            Kind::Queue(batch) => self.queue(batch),
            Kind::StreamPut(records) => self.stream_put(records),
            Kind::StreamRead(records) => self.stream_read(records, true),
            Kind::StreamView(records) => self.stream_read(records, false),
            Kind::ObjectPut => self.object_put(),
            Kind::ObjectGet => self.object_get(),
            Kind::ListPage | Kind::ListPrefixes | Kind::ListAll => self.list(),
        }
    }

    fn open(&self) -> Result<Box<dyn Kv>> {
        self.engine.kv(&self.dir, Options { class: self.workload.class, pile_up: false })
    }

    fn values(&self) -> Values {
        Values::new(self.workload.value, 3)
    }

    fn for_slice(&self) -> Until {
        Until::time(self.slice)
    }

    fn log(&self, records: usize) -> Result<Metrics> {
        let values = self.values();
        let groups: Vec<&[u8]> = (0..PREPARED as u64).map(|i| values.get(i)).collect();
        let log = self.engine.log(&self.dir, self.workload.class)?;
        let threads = self.workload.threads;
        let every = if self.workload.class == Power { 1 } else { SAMPLE };
        let until = Until { steps: LOGGED / (records * self.workload.value) as u64, time: self.slice };
        let meter = Meter::start(&self.dir);
        let run = drive(threads, &until, every, |thread, i| {
            let at = (i * threads + thread) as usize * records % (groups.len() - records);
            log.append(&groups[at..at + records])
        })?;
        meter.settled(&run, records as u64)
    }

    fn load(&self) -> Result<Metrics> {
        let meter = Meter::start(&self.dir);
        let kv = self.open()?;
        let mut metrics = self.write_all(kv.as_ref(), 1, 5, meter)?;
        metrics.insert("disk MB", measure::disk(&self.dir)? as f64 / 1e6);
        kv.compact()?;
        measure::settle();
        Ok(metrics)
    }

    /// Writes every item `times` times, each time in another random order.
    fn write_all(&self, kv: &dyn Kv, times: u64, seed: u64, mut meter: Meter) -> Result<Metrics> {
        let values = self.values();
        let keys: Vec<Key> = (0..times)
            .flat_map(|t| data::shuffled(self.items, seed + t).into_iter().map(data::key))
            .collect();
        let items: Vec<(&[u8], &[u8])> =
            keys.iter().zip(seed << 32..).map(|(key, i)| (key.as_slice(), values.get(i))).collect();
        let batches: Vec<_> = items.chunks(LOAD_BATCH).collect();
        let (before, peak) = (measure::anon(), AtomicU64::new(0));
        meter.restart();
        let run = drive(1, &Until::steps(batches.len() as u64), 1, |_, i| {
            if i % (batches.len() as u64 / 10).max(1) == 0 {
                peak.fetch_max(measure::anon(), Relaxed);
            }
            kv.write(batches[i as usize])
        })?;
        peak.fetch_max(measure::anon(), Relaxed);
        let mut metrics = meter.settled(&run, LOAD_BATCH as u64)?;
        metrics.insert("anon MB", peak.into_inner().saturating_sub(before) as f64 / 1e6);
        Ok(metrics)
    }

    /// Twice: the first time it depends on what of the files is still in memory, the second time all of it is.
    fn reopen(&self) -> Result<Metrics> {
        let once = || -> Result<f64> {
            let start = Instant::now();
            let kv = self.open()?;
            see(kv.as_ref(), &data::key(self.items / 2))?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        };
        Ok(Metrics::from([("open ms", once()?), ("again ms", once()?)]))
    }

    /// Opens what `load` left and reads all of it once, so that caches are full.
    fn warm(&self, then: impl FnOnce(&dyn Kv) -> Result<Metrics>) -> Result<Metrics> {
        let kv = self.open()?;
        for item in (0..self.items).step_by(PER_PARTITION as usize) {
            see_range(kv.as_ref(), &data::partition(item))?;
            see(kv.as_ref(), &data::key(item))?;
        }
        measure::settle();
        then(kv.as_ref())
    }

    fn get(&self, kv: &dyn Kv) -> Result<Metrics> {
        let keys: Vec<Key> = data::uniform(self.items, PREPARED, 7).map(data::key).collect();
        let threads = self.workload.threads;
        let meter = Meter::start(&self.dir);
        let run = drive(threads, &self.for_slice(), SAMPLE, |thread, i| {
            see(kv, &keys[(i * threads + thread) as usize % PREPARED])
        })?;
        Ok(meter.stop(&run, 1))
    }

    fn range(&self, kv: &dyn Kv) -> Result<Metrics> {
        let bounds: Vec<_> = data::uniform(self.items, PREPARED, 11).map(data::partition).collect();
        let meter = Meter::start(&self.dir);
        let run = drive(1, &self.for_slice(), 4, |_, i| see_range(kv, &bounds[i as usize % PREPARED]))?;
        Ok(meter.stop(&run, 1))
    }

    fn mix(&self, kv: &dyn Kv) -> Result<Metrics> {
        let values = self.values();
        let mut coin = data::Random(13);
        let steps: Vec<(Key, bool)> =
            data::zipf(self.items, PREPARED, 17).map(|item| (data::key(item), coin.below(5) == 0)).collect();
        let meter = Meter::start(&self.dir);
        let run = drive(1, &self.for_slice(), SAMPLE, |_, i| {
            let (key, put) = &steps[i as usize % PREPARED];
            if *put { kv.put(key, values.get(i)) } else { see(kv, key) }
        })?;
        meter.settled(&run, 1)
    }

    fn put(&self, kv: &dyn Kv) -> Result<Metrics> {
        let values = self.values();
        let keys: Vec<Key> = data::uniform(self.items, PREPARED, 19).map(data::key).collect();
        let meter = Meter::start(&self.dir);
        let run =
            drive(1, &self.for_slice(), SAMPLE, |_, i| kv.put(&keys[i as usize % PREPARED], values.get(i)))?;
        meter.settled(&run, 1)
    }

    fn space(&self) -> Result<Metrics> {
        let meter = Meter::start(&self.dir);
        let kv = self.open()?;
        let mut metrics = self.write_all(kv.as_ref(), 3, 23, meter)?;
        let disk = measure::disk(&self.dir)? as f64;
        metrics.insert("disk MB", disk / 1e6);
        metrics.insert("space", disk / (self.items as f64 * (KEY + self.workload.value) as f64));
        Ok(metrics)
    }

    /// Seven loads of a seventh each: six sealed, the last in memory.
    fn runs(&self, then: impl FnOnce(&dyn Kv) -> Result<Metrics>) -> Result<Metrics> {
        let kv = self.engine.kv(&self.dir, Options { class: self.workload.class, pile_up: true })?;
        let values = self.values();
        let order = data::shuffled(self.items, 29);
        for (n, part) in order.chunks(order.len().div_ceil(7)).enumerate() {
            if n > 0 {
                kv.seal()?;
            }
            for batch in part.chunks(LOAD_BATCH) {
                let keys: Vec<Key> = batch.iter().map(|&item| data::key(item)).collect();
                let items: Vec<(&[u8], &[u8])> =
                    keys.iter().zip(batch).map(|(key, &i)| (key.as_slice(), values.get(i))).collect();
                kv.write(&items)?;
            }
        }
        for item in (0..self.items).step_by(PER_PARTITION as usize) {
            see_range(kv.as_ref(), &data::partition(item))?;
        }
        measure::settle();
        then(kv.as_ref())
    }

    fn durable(&self) -> Result<Metrics> {
        let values = self.values();
        let keys: Vec<Key> = data::shuffled(self.items, 31).into_iter().map(data::key).collect();
        let kv = self.open()?;
        let threads = self.workload.threads;
        let meter = Meter::start(&self.dir);
        let run = drive(threads, &self.for_slice(), 1, |thread, i| {
            let n = i * threads + thread;
            kv.put(&keys[n as usize % keys.len()], values.get(n))
        })?;
        Ok(meter.stop(&run, 1))
    }

    fn unfolded(&self) -> Vec<u64> {
        let items = self.items.min(UNFOLDED / (KEY + self.workload.value) as u64);
        data::shuffled(items / LOAD_BATCH as u64 * LOAD_BATCH as u64, 37)
    }

    /// The writing half of `crash`, in a process of its own that does not come back.
    pub fn write_and_die(&self) -> Result<()> {
        let values = self.values();
        let kv = self.open()?;
        for batch in self.unfolded().chunks(LOAD_BATCH) {
            let keys: Vec<Key> = batch.iter().map(|&item| data::key(item)).collect();
            let items: Vec<(&[u8], &[u8])> =
                keys.iter().zip(batch).map(|(key, &i)| (key.as_slice(), values.get(i))).collect();
            kv.write(&items)?;
        }
        // SAFETY: ending the process without destructors is the purpose.
        unsafe { libc::_exit(0) }
    }

    fn crash(&self) -> Result<Metrics> {
        let died =
            Command::new(env::current_exe()?).arg("write-and-die").args(env::args_os().skip(2)).status()?;
        if !died.success() {
            return Err("the writing half failed".into());
        }
        let order = self.unfolded();
        let start = Instant::now();
        let kv = self.open()?;
        kv.get(&data::key(order[0]), &mut touch)?;
        let mut metrics = Metrics::from([("open ms", start.elapsed().as_secs_f64() * 1e3)]);
        let mut lost = 0.0;
        for &item in &order {
            lost += f64::from(!kv.get(&data::key(item), &mut touch)?);
        }
        metrics.insert("lost %", lost * 100.0 / order.len() as f64);
        Ok(metrics)
    }
}

/// Reads one byte of each cache line, so that the value has to be there and not only its address.
fn touch(value: &[u8]) {
    black_box(value.iter().step_by(64).fold(0u8, |sum, byte| sum.wrapping_add(*byte)));
}

fn see(kv: &dyn Kv, key: &Key) -> Result<()> {
    if kv.get(key, &mut touch)? { Ok(()) } else { Err("a loaded key is missing".into()) }
}

fn see_range(kv: &dyn Kv, (from, to): &(Key, Key)) -> Result<()> {
    let mut seen = 0;
    kv.range(from, to, &mut |key, value| {
        seen += 1;
        touch(key);
        touch(value);
    })?;
    if seen == PER_PARTITION {
        Ok(())
    } else {
        Err(format!("{seen} items in a range of {PER_PARTITION}").into())
    }
}

/// The counters of this process from one moment on.
struct Meter<'a> {
    dir: &'a Path,
    cpu: f64,
    written: u64,
}

impl<'a> Meter<'a> {
    fn start(dir: &'a Path) -> Self {
        Self { dir, cpu: measure::process_cpu(), written: measure::written() }
    }

    fn restart(&mut self) {
        *self = Self::start(self.dir);
    }

    fn stop(&self, run: &Run, per_step: u64) -> Metrics {
        let thousands = (run.steps * per_step) as f64 / 1e3;
        Metrics::from([
            ("k/s", thousands / run.wall),
            ("fg k/s", thousands / run.foreground),
            ("tot k/s", thousands / (measure::process_cpu() - self.cpu)),
            ("p50 us", run.percentile(50)),
            ("p99 us", run.percentile(99)),
            ("B/op", (measure::written() - self.written) as f64 / thousands / 1e3),
        ])
    }

    /// As `stop`, with the background work that the run left behind.
    fn settled(&self, run: &Run, per_step: u64) -> Result<Metrics> {
        let settle = measure::settle();
        let mut metrics = self.stop(run, per_step);
        metrics.insert("settle s", settle.as_secs_f64());
        metrics.insert("disk MB", measure::disk(self.dir)? as f64 / 1e6);
        Ok(metrics)
    }
}
