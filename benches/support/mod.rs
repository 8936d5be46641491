//! What the benches share: data from a fixed seed, and a clock that only runs while this thread does.
#![allow(dead_code, reason = "each bench uses a part of it")]

use criterion::Criterion;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use fourfold::kv::{Item, item};
use fourfold::{Keyspace, Store};
use std::time::Duration;

/// CPU time of the calling thread: what a single-threaded bench costs, whatever else the machine does.
pub(crate) struct ThreadTime(WallTime);

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        thread_time()
    }

    fn end(&self, start: Duration) -> Duration {
        thread_time().saturating_sub(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        self.0.add(a, b)
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    #[expect(clippy::cast_precision_loss, reason = "criterion calculates in f64")]
    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self.0.formatter()
    }
}

pub(crate) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.expect("not before the start"), nanos.expect("less than a second"))
}

pub(crate) fn cpu() -> Criterion<ThreadTime> {
    let samples = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2));
    samples
        .warm_up_time(Duration::from_millis(500))
        .with_measurement(ThreadTime(WallTime))
        .configure_from_args()
}

pub(crate) fn wall() -> Criterion {
    let samples = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2));
    samples.warm_up_time(Duration::from_millis(500)).configure_from_args()
}

/// Is this only to see that everything runs?
pub(crate) fn is_smoke() -> bool {
    std::env::args().any(|arg| arg == "--test") || !std::env::args().any(|arg| arg == "--bench")
}

/// `full`, or little enough for a smoke test.
pub(crate) fn sized(full: u64) -> u64 {
    if is_smoke() { full.min(2000) } else { full }
}

/// A permutation of all numbers: the finalizer of `SplitMix64`.
pub(crate) const fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Item `number`: a hundred to a partition, partitions in no order, as a table with a sort key has them.
pub(crate) fn key(number: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&scatter(number / 100).to_be_bytes());
    key[8..16].copy_from_slice(&scatter(!(number / 100)).to_be_bytes());
    key[16..].copy_from_slice(&(number % 100).to_be_bytes());
    key
}

pub(crate) fn value(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| scatter(at).to_le_bytes()[0]).collect()
}

pub(crate) fn put(store: &Store, keyspace: &Keyspace, key: &[u8], value: &[u8]) {
    let mut batch = store.batch();
    batch.put(keyspace, key, value).expect("a short key");
    store.write(batch).expect("written");
}

/// Puts `numbers` in batches of 1000.
pub(crate) fn load(store: &Store, keyspace: &Keyspace, numbers: &[u64], value: &[u8]) {
    for numbers in numbers.chunks(1000) {
        let mut batch = store.batch();
        for &number in numbers {
            batch.put(keyspace, key(number), value).expect("a short key");
        }
        store.write(batch).expect("written");
    }
}

/// The numbers below `count`, shuffled.
pub(crate) fn shuffled(count: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..count).collect();
    numbers.sort_unstable_by_key(|&number| scatter(number));
    numbers
}

/// A number that changes when anything that was read does.
pub(crate) fn fold_hash(hash: u64, bytes: &[u8]) -> u64 {
    hash.rotate_left(5) ^ xxhash_rust::xxh3::xxh3_64(bytes)
}

/// A hundred items to a partition.
pub(crate) fn key_item(number: u64) -> Item {
    item! { "p" => format!("{:016x}", scatter(number / 100)), "c" => number % 100 }
}

pub(crate) fn full_item(number: u64, len: usize) -> Item {
    let mut item = key_item(number);
    item.insert("y".into(), format!("{:02x}", scatter(number) % 256).into());
    item.insert("n".into(), 0.into());
    item.insert("v".into(), "v".repeat(len.saturating_sub(60)).into());
    item
}

/// [`full_item`] as it is at another turn: to put an item that is there already writes nothing.
pub(crate) fn changed_item(number: u64, len: usize, turn: u64) -> Item {
    let mut item = full_item(number, len);
    item.insert("n".into(), (turn + 1).into());
    item
}
