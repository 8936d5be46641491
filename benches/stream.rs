//! Streams: what putting and reading costs, how long a waiting reader waits, what seeking takes.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench: no store's clock or files, and it prints what it read"
)]

mod support;

use criterion::measurement::Measurement;
use criterion::{BenchmarkId, Criterion, Throughput};
use fourfold::stream::{CreateStream, PutRecord, Start, Stream};
use fourfold::{Durability, Store};
use std::hint::black_box;
use std::time::{Duration, Instant};
use support::{cpu, fold_hash, is_smoke, scatter, sized, value, wall};

const SHARD: &str = "shardId-000000000000";
/// Bytes that a bench of puts may add to a store before it takes a new one.
const STORE_BYTES: u64 = 256 << 20;

fn keys() -> Vec<String> {
    (0..1000).map(|number| format!("user-{:08x}", scatter(number) >> 32)).collect()
}

fn stream(store: &Store, shards: u32) -> Stream {
    store.streams().create("stream", CreateStream::default().shard_count(shards)).unwrap()
}

/// A store that is replaced by a new one before it grows too large.
struct Fresh<'a> {
    open: Box<dyn Fn() -> (Store, Stream) + 'a>,
    stream: Option<(Store, Stream)>,
    bytes: u64,
}

impl<'a> Fresh<'a> {
    fn new(open: impl Fn() -> (Store, Stream) + 'a) -> Self {
        Self { open: Box::new(open), stream: None, bytes: STORE_BYTES }
    }

    fn get(&mut self, bytes: u64) -> &Stream {
        self.bytes += bytes;
        if self.bytes > STORE_BYTES {
            self.bytes = bytes;
            self.stream = None;
        }
        &self.stream.get_or_insert_with(|| (self.open)()).1
    }
}

fn puts<M: Measurement + 'static>(c: &mut Criterion<M>, name: &str, open: impl Fn(u32) -> (Store, Stream)) {
    let keys = keys();
    let mut group = c.benchmark_group(name);
    for len in [128, 1024, 64 << 10] {
        let data = value(len);
        for (shards, batch) in [(1, 1), (16, 1), (1, 100), (16, 100), (1, 500)] {
            if len == 64 << 10 && batch > 100 {
                continue;
            }
            let mut fresh = Fresh::new(|| open(shards));
            let mut number = 0;
            let bytes = (len * batch) as u64;
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(format!("{len} B x {batch}, {shards} shards"), |b| {
                b.iter(|| {
                    let stream = fresh.get(bytes);
                    if batch == 1 {
                        number = (number + 1) % keys.len();
                        return stream.put(&keys[number], &data).unwrap().sequence_number;
                    }
                    let records: Vec<_> =
                        keys[..batch].iter().map(|key| PutRecord::new(key, &data)).collect();
                    stream.put_many(&records).unwrap().records[0].clone().unwrap().sequence_number
                });
            });
        }
    }
    group.finish();
}

fn in_memory(shards: u32) -> (Store, Stream) {
    let store = Store::builder().segment_size(32 << 20).seed(1).open_in_memory();
    let stream = stream(&store, shards);
    (store, stream)
}

/// Four producers at once, records a second together.
fn producers(c: &mut Criterion, durability: Durability, shards: u32) {
    let keys = keys();
    let data = value(1024);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::builder().durability(durability).open(dir.path().join("store")).unwrap();
    let stream = stream(&store, shards);
    let mut group = c.benchmark_group("4 producers, 1024 B x 1");
    group.sample_size(10);
    group.throughput(Throughput::Elements(4));
    group.bench_function(BenchmarkId::new(format!("{durability:?}"), format!("{shards} shards")), |b| {
        b.iter_custom(|count| {
            let start = Instant::now();
            std::thread::scope(|scope| {
                for producer in 0..4 {
                    let (stream, keys, data) = (&stream, &keys, &data);
                    scope.spawn(move || {
                        for number in 0..count {
                            let key = &keys[(scatter(number + producer) % 1000) as usize];
                            stream.put(key, data).unwrap();
                        }
                    });
                }
            });
            start.elapsed()
        });
    });
    group.finish();
}

fn filled(records: u64, len: usize) -> (Store, Stream) {
    let (store, stream) = in_memory(1);
    let data = value(len);
    let many = vec![PutRecord::new("key", &data); 500];
    for _ in 0..records.div_ceil(500) {
        stream.put_many(&many).unwrap();
    }
    (store, stream)
}

fn reads<M: Measurement + 'static>(c: &mut Criterion<M>) {
    let records = sized(200_000);
    let mut group = c.benchmark_group("catch up");
    for len in [128, 1024] {
        for (state, is_folded) in [("in memory", false), ("folded", true)] {
            let (store, stream) = filled(records, len);
            if is_folded {
                store.fold().unwrap();
            }
            for batch in [1, 100] {
                let mut cursor = stream.cursor(SHARD, Start::TrimHorizon).unwrap();
                let mut found = Vec::with_capacity(batch);
                group.throughput(Throughput::Elements(batch as u64));
                group.bench_function(format!("{len} B x {batch}, {state}"), |b| {
                    b.iter(|| {
                        if batch == 1 {
                            if let Some(record) = cursor.try_next().unwrap() {
                                return record.data().len();
                            }
                        } else {
                            found.clear();
                            let count = cursor.try_batch(batch, &mut found).unwrap();
                            if count == batch {
                                return found[0].data().len();
                            }
                        }
                        cursor = stream.cursor(SHARD, Start::TrimHorizon).unwrap();
                        0
                    });
                });
            }
        }
    }
    group.finish();
}

/// A put, and the record in the hands of who waited for it, on one thread.
fn tail<M: Measurement + 'static>(c: &mut Criterion<M>) {
    let data = value(1024);
    let mut fresh = Fresh::new(|| in_memory(1));
    let mut cursor = None;
    c.bench_function("put and read at the tip, 1024 B", |b| {
        b.iter(|| {
            let stream = fresh.get(1024);
            stream.put("key", &data).unwrap();
            let record = match &mut cursor {
                None => None,
                Some(cursor) => fourfold::stream::Cursor::try_next(cursor).ok().flatten(),
            };
            record.map_or_else(
                || {
                    cursor = Some(stream.cursor(SHARD, Start::Latest).unwrap());
                    0
                },
                |record| record.data().len(),
            )
        });
    });
}

/// From the put of one thread to the return of another that waited.
fn wake(c: &mut Criterion) {
    let (_store, stream) = in_memory(1);
    let mut cursor = stream.cursor(SHARD, Start::Latest).unwrap();
    c.bench_function("put to a waiting reader and back", |b| {
        b.iter_custom(|count| {
            let (answer, answers) = std::sync::mpsc::channel();
            std::thread::scope(|scope| {
                let cursor = &mut cursor;
                scope.spawn(move || {
                    for _ in 0..count {
                        black_box(cursor.next().unwrap());
                        answer.send(()).unwrap();
                    }
                });
                let start = Instant::now();
                for _ in 0..count {
                    stream.put("key", "x").unwrap();
                    answers.recv().unwrap();
                }
                start.elapsed()
            })
        });
    });
}

fn seeks<M: Measurement + 'static>(c: &mut Criterion<M>) {
    let clock = fourfold::ManualClock::default();
    let store = Store::builder().clock(clock.clone()).segment_size(32 << 20).seed(1).open_in_memory();
    let stream = stream(&store, 1);
    let count = sized(10_000_000);
    let many = vec![PutRecord::new("key", "data"); 500];
    let mut numbers = Vec::new();
    let mut times = Vec::new();
    for round in 0..count / 500 {
        clock.advance(Duration::from_millis(1));
        let answer = stream.put_many(&many).unwrap();
        if round % 64 == 0 {
            numbers.push(answer.records[7].clone().unwrap().sequence_number);
            times.push(store.now());
        }
    }
    println!("{count} records, hash {:x}", fold_hash(0, numbers[0].to_string().as_bytes()));
    let mut group = c.benchmark_group(format!("seek in {count} records"));
    let mut at = 0;
    group.bench_function("by number", |b| {
        b.iter(|| {
            at = (at + 7) % numbers.len();
            let start = Start::AtSequenceNumber(numbers[at]);
            stream.cursor(SHARD, start).unwrap().try_next().unwrap().map(|record| record.data().len())
        });
    });
    group.bench_function("by time", |b| {
        b.iter(|| {
            at = (at + 7) % times.len();
            let start = Start::AtTimestamp(times[at]);
            stream.cursor(SHARD, start).unwrap().try_next().unwrap().map(|record| record.data().len())
        });
    });
    group.finish();
}

/// What a shard costs that nothing was put into, and a million records.
fn memory() {
    let anon = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    let before = anon();
    let store = Store::builder().seed(1).open_in_memory();
    let shards = if is_smoke() { 100 } else { 10_000 };
    let stream = stream(&store, shards);
    let empty = anon().saturating_sub(before);
    for shard in stream.describe(None, Some(10_000)).unwrap().shards {
        drop(stream.cursor(&shard.shard_id, Start::Latest).unwrap());
    }
    let used = anon().saturating_sub(before);
    println!(
        "{shards} shards: {} B each, {} B once read",
        empty * 1024 / u64::from(shards),
        used * 1024 / u64::from(shards)
    );
}

fn main() {
    memory();
    let mut cpu = cpu();
    puts(&mut cpu, "put, in memory", in_memory);
    let dir = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    let on_disk = |durability| {
        let (dir, number) = (&dir, &number);
        move |shards| {
            number.set(number.get() + 1);
            let _ = std::fs::remove_dir_all(dir.path().join((number.get() - 1).to_string()));
            let path = dir.path().join(number.get().to_string());
            let store = Store::builder().durability(durability).open(path).unwrap();
            let stream = stream(&store, shards);
            (store, stream)
        }
    };
    puts(&mut cpu, "put, Buffered", on_disk(Durability::Buffered));
    reads(&mut cpu);
    tail(&mut cpu);
    seeks(&mut cpu);
    let mut wall = wall();
    puts(&mut wall, "put, Synced", on_disk(Durability::Synced));
    for durability in [Durability::Buffered, Durability::Synced] {
        for shards in [1, 16] {
            producers(&mut wall, durability, shards);
        }
    }
    wake(&mut wall);
    cpu.final_summary();
    wall.final_summary();
}
