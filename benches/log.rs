//! Appending to the log, one put in a batch: by how much, how safely, by how many threads. And finding it again.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench: no store's clock or files, and it prints what it read"
)]

mod support;

use criterion::{BenchmarkId, Criterion, Throughput};
use fourfold::{Durability, Store};
use std::hint::black_box;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use support::{ThreadTime, cpu, put, sized, value, wall};

fn builder(durability: Durability) -> fourfold::Builder {
    Store::builder().durability(durability).segment_size(8 << 20).seed(1)
}

/// One thread, by its CPU time; on disk the background threads' time comes on top.
fn append(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("append");
    for len in [100, 1 << 10, 64 << 10] {
        let value = value(len);
        group.throughput(Throughput::Bytes(len as u64));
        for class in ["memory", "buffered", "synced"] {
            let dir = tempfile::tempdir().unwrap();
            let store = match class {
                "memory" => builder(Durability::Synced).open_in_memory(),
                "buffered" => builder(Durability::Buffered).open(dir.path().join("store")).unwrap(),
                _ => builder(Durability::Synced).open(dir.path().join("store")).unwrap(),
            };
            let keyspace = store.keyspace("log").unwrap();
            let mut number = 0_u64;
            group.bench_function(BenchmarkId::new(class, len), |b| {
                b.iter(|| {
                    number += 1;

                    put(&store, &keyspace, &number.to_be_bytes(), &value);
                    if number.is_multiple_of(1024) {
                        // What is old goes: the bench is of appends, not of a store that grows for ever.
                        let mut batch = store.batch();

                        batch.floor(&keyspace, number.to_be_bytes()).unwrap();
                        store.write(batch).unwrap();
                    }
                });
            });
        }
    }
    group.finish();
}

/// Synced puts of 100 bytes by several threads, by the clock on the wall: syncs are shared.
fn group_commit(c: &mut Criterion) {
    let mut group = c.benchmark_group("group commit");
    group.throughput(Throughput::Elements(1));
    let value = value(100);
    for threads in [1, 8, 32] {
        let dir = tempfile::tempdir().unwrap();
        let store = builder(Durability::Synced).open(dir.path().join("store")).unwrap();
        let keyspace = store.keyspace("log").unwrap();
        group.bench_function(BenchmarkId::from_parameter(threads), |b| {
            b.iter_custom(|puts| {
                let each = puts.div_ceil(threads);
                let start = Barrier::new(usize::try_from(threads).unwrap() + 1);
                std::thread::scope(|scope| {
                    for thread in 0..threads {
                        let (store, keyspace, value, start) = (&store, &keyspace, &value, &start);
                        scope.spawn(move || {
                            start.wait();
                            for number in 0..each {
                                put(store, keyspace, &support::key(number * threads + thread), value);
                            }
                        });
                    }
                    start.wait();
                    Instant::now()
                })
                .elapsed()
            });
        });
    }
    group.finish();
}

/// Opening a store again: after its process ended with a whole segment in the log, and after it was closed.
fn reopen(c: &mut Criterion) {
    let mut group = c.benchmark_group("reopen");
    group.sample_size(10).measurement_time(Duration::from_secs(1));
    let value = value(100);
    for class in ["after a crash", "after a close"] {
        let dir = tempfile::tempdir().unwrap();
        let entries = sized(40_000);
        let store = builder(Durability::Buffered).open(dir.path().join("store")).unwrap();
        let keyspace = store.keyspace("log").unwrap();
        let numbers: Vec<u64> = (0..entries).collect();
        support::load(&store, &keyspace, &numbers, &value);
        store.sync().unwrap();
        let crashed = dir.path().join("crashed");
        copy(&dir.path().join("store"), &crashed);
        drop((store, keyspace));
        let copied = dir.path().join("copy");
        let source = if class == "after a crash" { crashed } else { dir.path().join("store") };
        let mut frames = 0;
        group.bench_function(class, |b| {
            b.iter_custom(|opens| {
                let mut spent = Duration::ZERO;
                for _ in 0..opens {
                    let _ = std::fs::remove_dir_all(&copied);
                    copy(&source, &copied);
                    let start = Instant::now();
                    let store = builder(Durability::Buffered).open(&copied).unwrap();
                    spent += start.elapsed();
                    frames = black_box(store.recovery().frames);
                }
                spent
            });
        });
        println!("reopen {class}: {frames} frames replayed");
    }
    group.finish();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn main() {
    append(&mut cpu());
    let mut wall = wall();
    group_commit(&mut wall);
    reopen(&mut wall);
    wall.final_summary();
}
