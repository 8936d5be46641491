//! Objects written, read and listed.

use std::fs;
use std::sync::Mutex;

use bytes::Bytes;

use super::{Child, Kind, Meter, Metrics, touch};
use crate::data::{self, Random};
use crate::engine::{Objects, Result};
use crate::measure::{self, Until, drive};

/// Bytes written for each item of the other workloads, at most, 2 GB in all: what is still dirty must not make the kernel
/// hold the writers.
const PUT: u64 = 2048;
const SHORT: usize = 64 << 10;
/// Bytes to read from, for each item of the other workloads.
const GET: u64 = 256;
const PREFIXES: u64 = 100;
const BELOW: u64 = 1000;

impl Child<'_> {
    pub(super) fn object_put(&self) -> Result<Metrics> {
        let data = Data::new(self.workload.value);
        let objects = self.engine.objects(&self.dir, self.workload.class)?;
        let steps = (PUT * self.items / self.workload.value as u64).max(2);
        // New keys: who writes over a file gets the pages back that it had, who appends to a log does not.
        let keys: Vec<String> = (0..steps).map(|i| format!("object-{i:06}")).collect();
        // What is prepared for the first one is not of this row.
        objects.put("first", &data.get(0))?;
        measure::settle();
        let meter = Meter::start(&self.dir);
        let run = drive(1, &Until { steps, time: self.slice }, self.often(), |_, i| {
            objects.put(&keys[i as usize], &data.get(i))
        })?;
        meter.settled(&run, 1)
    }

    pub(super) fn object_get(&self) -> Result<Metrics> {
        let data = Data::new(self.workload.value);
        let objects = self.engine.objects(&self.dir, self.workload.class)?;
        let count = (GET * self.items / self.workload.value as u64).max(2);
        let keys: Vec<String> = (0..count).map(|i| format!("object-{i:06}")).collect();
        for (key, i) in keys.iter().zip(0..) {
            objects.put(key, &data.get(i))?;
        }
        measure::settle();
        let order: Vec<u64> = data::uniform(count, 1 << 16, 43).collect();
        let to = Mutex::new(Vec::with_capacity(self.workload.value));
        let get = |key: &str| {
            let mut to = to.lock().expect("no step panicked");
            to.clear();
            let len = objects.get(key, &mut to)?;
            touch(&to);
            if len == self.workload.value { Ok(()) } else { Err(format!("{key} has {len} bytes").into()) }
        };
        keys.iter().try_for_each(|key| get(key))?;
        let meter = Meter::start(&self.dir);
        let run = drive(1, &self.for_slice(), self.often(), |_, i| {
            get(&keys[order[i as usize % order.len()] as usize])
        })?;
        Ok(meter.stop(&run, 1))
    }

    /// Calls that take longer are all timed.
    fn often(&self) -> u64 {
        if self.workload.value <= SHORT { self.sampled() } else { 1 }
    }

    pub(super) fn list(&self) -> Result<Metrics> {
        let is_filled = fs::read_dir(&self.dir)?.next().is_some();
        let objects = self.engine.objects(&self.dir, self.workload.class)?;
        if !is_filled {
            let mut random = Random(47);
            let prefixed = |i| format!("{:03}/{:08}-{i:06}", i % PREFIXES, random.below(100_000_000));
            let keys: Vec<String> = (0..PREFIXES * BELOW).map(prefixed).collect();
            objects.fill(&keys, &Bytes::from_static(b"a few bytes"))?;
        }
        self.look(objects.as_ref(), 0)?;
        measure::settle();
        let meter = Meter::start(&self.dir);
        let run = drive(1, &self.for_slice(), 1, |_, i| self.look(objects.as_ref(), i))?;
        Ok(meter.stop(&run, 1))
    }

    fn look(&self, objects: &dyn Objects, i: u64) -> Result<()> {
        let (found, expected) = match self.workload.kind {
            Kind::ListPage => (objects.page(&format!("{:03}/", i * 37 % PREFIXES))?, BELOW),
            Kind::ListPrefixes => (objects.prefixes()?, PREFIXES),
            _ => (objects.all()?, PREFIXES * BELOW),
        };
        if found as u64 == expected { Ok(()) } else { Err(format!("{found} of {expected} listed").into()) }
    }
}

/// Bodies of one length: slices of random bytes.
struct Data {
    pool: Bytes,
    len: usize,
}

impl Data {
    /// Places at which a body begins.
    const PLACES: u64 = 4096;

    fn new(len: usize) -> Self {
        let mut random = Random(53);
        let words = (len as u64 + Self::PLACES * 64).div_ceil(8);
        Self { pool: (0..words).flat_map(|_| random.next().to_le_bytes()).collect(), len }
    }

    fn get(&self, i: u64) -> Bytes {
        let at = (i % Self::PLACES) as usize * 64;
        self.pool.slice(at..at + self.len)
    }
}
