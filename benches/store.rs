//! A store as a whole: opening, closing, copying it, and what an empty one costs.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench: no store's clock or files, and it prints what it read"
)]

mod support;

use criterion::{BatchSize, Criterion, Throughput};
use fourfold::kv::{CreateTable, ScalarType, item};
use fourfold::stream::CreateStream;
use fourfold::{Durability, Keyspace, Store};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;
use support::{key, load, shuffled, sized, value, wall};

/// Many empty stores in one process: none may cost a thread, or memory worth mentioning.
fn thousand() {
    let count = 1000_u64;
    let (memory, threads, start) = (status("RssAnon:"), status("Threads:"), Instant::now());
    let mut stores = Vec::new();
    for _ in 0..count {
        stores.push(Store::in_memory());
    }
    let opened = start.elapsed();
    let empty = status("RssAnon:").saturating_sub(memory);
    for store in &stores {
        let keyspace = store.keyspace("one").unwrap();
        support::put(store, &keyspace, b"key", b"value");
    }
    let used = status("RssAnon:").saturating_sub(memory);
    println!(
        "{count} stores in memory: {:?} each to open, {} KiB each empty, {} KiB with one entry, {} threads more",
        opened / u32::try_from(count).unwrap(),
        empty / count,
        used / count,
        status("Threads:") - threads,
    );
}

/// A number of the process as the system reports it, in KiB where it is memory; 0 where the system does not.
fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn open(c: &mut Criterion) {
    c.bench_function("open in memory", |b| b.iter_with_large_drop(Store::in_memory));
    c.bench_function("open in memory, one put, close", |b| {
        b.iter(|| {
            let store = Store::in_memory();
            let keyspace = store.keyspace("one").unwrap();
            support::put(&store, &keyspace, b"key", b"value");
        });
    });
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("store");
    {
        let store = Store::builder().segment_size(1 << 20).open(&dir).unwrap();
        let keyspace = store.keyspace("one").unwrap();
        load(&store, &keyspace, &shuffled(sized(50_000)), &value(100));
    }
    c.bench_function("open and close on disk", |b| b.iter(|| drop(Store::open(&dir).unwrap())));
    c.bench_function("open, one synced put, close on disk", |b| {
        b.iter(|| {
            let store = Store::open(&dir).unwrap();
            let keyspace = store.keyspace("one").unwrap();
            support::put(&store, &keyspace, b"key", b"value");
        });
    });
}

fn filled() -> (Store, Keyspace) {
    let store = Store::builder().segment_size(4 << 20).seed(1).open_in_memory();
    let keyspace = store.keyspace("one").unwrap();
    load(&store, &keyspace, &shuffled(sized(100_000)), &value(100));
    (store, keyspace)
}

fn copies(c: &mut Criterion) {
    let (store, keyspace) = filled();
    c.bench_function("fork 100 000 entries", |b| b.iter_with_large_drop(|| store.fork().unwrap()));
    c.bench_function("snapshot and get", |b| {
        b.iter(|| store.snapshot().get(&keyspace, key(7)).unwrap().map(|value| value.len()));
    });
    let dir = tempfile::tempdir().unwrap();
    let disk = Store::builder().segment_size(4 << 20).open(dir.path().join("store")).unwrap();
    let keyspace = disk.keyspace("one").unwrap();
    load(&disk, &keyspace, &shuffled(sized(100_000)), &value(100));
    disk.compact().unwrap();
    let mut number = 0;
    let mut group = c.benchmark_group("checkpoint");
    group.sample_size(10);
    group.bench_function("100 000 entries", |b| {
        b.iter_batched(
            || {
                number += 1;
                dir.path().join(format!("checkpoint-{number}"))
            },
            |to| disk.checkpoint(to).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Wakes the thread that blocks.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Synced writes of one put, one after the other and sixteen on the way at once, all from one thread.
fn async_writes(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::builder()
        .durability(Durability::Synced)
        .segment_size(8 << 20)
        .open(dir.path().join("store"))
        .unwrap();
    let keyspace = store.keyspace("one").unwrap();
    let value = value(100);
    let batch = |number: u64| {
        let mut batch = store.batch();
        batch.put(&keyspace, key(number), &value).unwrap();
        batch
    };
    let mut group = c.benchmark_group("async write");
    let mut number = 0;
    for at_once in [1, 16] {
        group.throughput(Throughput::Elements(at_once));
        group.bench_function(at_once.to_string(), |b| {
            b.iter(|| {
                let mut writes: Vec<_> = (0..at_once)
                    .map(|_| {
                        number += 1;
                        Box::pin(store.write_async(batch(number)))
                    })
                    .collect();
                block_on(std::future::poll_fn(|context| {
                    writes.retain_mut(|write| match write.as_mut().poll(context) {
                        Poll::Ready(commit) => {
                            black_box(commit.unwrap());
                            false
                        }
                        Poll::Pending => true,
                    });
                    if writes.is_empty() { Poll::Ready(()) } else { Poll::Pending }
                }));
            });
        });
    }
    group.finish();
}

/// A store with 100 MB in it, a quarter in each service.
fn full() -> Store {
    let store = Store::in_memory();
    let (value, quarter) = (value(1000), sized(25_000));
    let text: String = value.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    store.tables().create_table(CreateTable::new("table").hash("id", ScalarType::N)).unwrap();
    let table = store.tables().table("table");
    let queue = store.queues().create("queue").unwrap();
    let stream = store.streams().create("stream", CreateStream::default().shard_count(1)).unwrap();
    let bucket = store.buckets().create("bucket").unwrap();
    for number in 0..quarter {
        table.put(item! { "id" => number, "text" => &*text }).unwrap();
        queue.send(&*text).unwrap();
        stream.put("key", &value).unwrap();
    }
    for number in 0..quarter.div_ceil(1000) {
        bucket.put(&format!("object-{number}"), value.repeat(1000)).unwrap();
    }
    store
}

/// A thousand forks of a store with 100 MB in it over four services: what each costs in time and memory.
fn forks() {
    const FORKS: u32 = 1000;
    let store = full();
    let memory = status("RssAnon:");
    let start = Instant::now();
    let forks: Vec<Store> = (0..FORKS).map(|_| store.fork().unwrap()).collect();
    let took = start.elapsed();
    let used = status("RssAnon:").saturating_sub(memory);
    println!("{FORKS} forks of 100 MB: {:?} each, {} KiB each", took / FORKS, used / u64::from(FORKS));
    // Each goes its own way.
    let start = Instant::now();
    for (number, fork) in forks.iter().enumerate() {
        fork.tables().table("table").put(item! { "id" => 7, "own" => number as u64 }).unwrap();
        fork.queues().get("queue").unwrap().send("own").unwrap();
        fork.streams().stream("stream").unwrap().put("key", "own").unwrap();
        fork.buckets().bucket("bucket").unwrap().put("own", "own").unwrap();
    }
    let took = start.elapsed();
    let written = status("RssAnon:").saturating_sub(memory);
    println!(
        "  {:?} each for a first write to each of its services, {} KiB each behind them",
        took / FORKS,
        written / u64::from(FORKS),
    );
}

fn main() {
    thousand();
    forks();
    let mut wall = wall();
    open(&mut wall);
    copies(&mut wall);
    async_writes(&mut wall);
    wall.final_summary();
}
