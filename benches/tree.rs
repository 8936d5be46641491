//! The tree in memory, by CPU time of one thread: puts into the memtable, reads from it, from one run and from six.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench: no store's clock or files, and it prints what it read"
)]

mod support;

use criterion::{BatchSize, Criterion, Throughput};
use fourfold::{Keyspace, Store};
use support::{ThreadTime, cpu, fold_hash, key, load, scatter, shuffled, sized, value};

const VALUE_LEN: usize = 100;

fn store() -> (Store, Keyspace) {
    // No segment is folded unasked before it is full, and these are not filled; nor are their runs merged.
    let store = Store::builder().segment_size(256 << 20).seed(1).pile_up().open_in_memory();
    let keyspace = store.keyspace("tree").unwrap();
    (store, keyspace)
}

/// Puts in batches of ten, so that it is the memtable that is measured.
fn puts(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("put");
    let value = value(VALUE_LEN);
    let count = sized(200_000);
    group.throughput(Throughput::Elements(count)).sample_size(10);
    for (name, numbers) in [("random", shuffled(count)), ("ordered", (0..count).collect())] {
        let keys: Vec<_> = if name == "ordered" {
            let mut keys: Vec<_> = numbers.iter().map(|&number| key(number)).collect();
            keys.sort_unstable();
            keys
        } else {
            numbers.iter().map(|&number| key(number)).collect()
        };
        group.bench_function(name, |b| {
            b.iter_batched(
                store,
                |(store, keyspace)| {
                    for keys in keys.chunks(10) {
                        let mut batch = store.batch();
                        for key in keys {
                            batch.put(&keyspace, key, &value).unwrap();
                        }
                        store.write(batch).unwrap();
                    }
                    (store, keyspace)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn gets(c: &mut Criterion<ThreadTime>, name: &str, keyspace: &Keyspace, count: u64) {
    let mut group = c.benchmark_group("get");
    group.throughput(Throughput::Elements(1));
    let (mut number, mut hash) = (0_u64, 0);
    group.bench_function(name, |b| {
        b.iter(|| {
            number += 1;
            let found = keyspace.get(key(scatter(number) % count)).unwrap().unwrap();
            hash ^= u64::from(found[0]);
        });
    });
    group.bench_function(format!("{name}, absent"), |b| {
        b.iter(|| {
            number += 1;
            assert!(keyspace.get(key(count + 100 + scatter(number) % count)).unwrap().is_none());
        });
    });
    group.finish();
}

fn ranges(c: &mut Criterion<ThreadTime>, name: &str, keyspace: &Keyspace, count: u64) {
    let mut group = c.benchmark_group("range");
    let partitions = count / 100;
    let walk = |partition: u64| {
        let (mut seen, mut hash) = (0, 0);
        let mut range = keyspace.range(key(partition * 100)..=key(partition * 100 + 99));
        while range.advance().unwrap() {
            hash = fold_hash(hash, range.key());
            hash ^= range.value_ref().map_or(0, |value| u64::from(value[0]));
            seen += 1;
        }
        assert_eq!(seen, 100);
        hash
    };
    let mut number = 0;
    group.throughput(Throughput::Elements(100));
    group.bench_function(format!("100 from {name}"), |b| {
        b.iter(|| {
            number += 1;
            walk(scatter(number) % partitions)
        });
    });
    group.bench_function(format!("prefix of 100 from {name}"), |b| {
        b.iter(|| {
            number += 1;
            let prefix = key(scatter(number) % partitions * 100);
            assert_eq!(keyspace.prefix(&prefix[..16]).count(), 100);
        });
    });
    group.throughput(Throughput::Elements(count)).sample_size(10);
    group.bench_function(format!("all forwards from {name}"), |b| {
        b.iter(|| {
            let mut range = keyspace.range::<&[u8]>(..);
            let mut seen = 0;
            while range.advance().unwrap() {
                seen += 1;
            }
            assert_eq!(seen, count);
        });
    });
    group.bench_function(format!("all backwards from {name}"), |b| {
        b.iter(|| {
            let mut range = keyspace.range::<&[u8]>(..);
            let mut seen = 0;
            while range.advance_back().unwrap() {
                seen += 1;
            }
            assert_eq!(seen, count);
        });
    });
    group.finish();
    let hash = (0..partitions).fold(0, |hash, partition| hash ^ walk(partition));
    println!("range of {name}: content {hash:016x}");
}

fn reads(c: &mut Criterion<ThreadTime>) {
    let value = value(VALUE_LEN);
    let count = sized(200_000);
    let numbers = shuffled(count);
    {
        let (store, keyspace) = store();
        load(&store, &keyspace, &numbers, &value);
        gets(c, "memtable", &keyspace, count);
        ranges(c, "memtable", &keyspace, count);
        store.compact().unwrap();
        gets(c, "one run", &keyspace, count);
        ranges(c, "one run", &keyspace, count);
    }
    let (store, keyspace) = store();
    for part in numbers.chunks(numbers.len().div_ceil(7)).enumerate() {
        if part.0 > 0 {
            store.fold().unwrap();
        }
        load(&store, &keyspace, part.1, &value);
    }
    assert_eq!(store.stats().runs, 6);
    gets(c, "six runs and a memtable", &keyspace, count);
    ranges(c, "six runs and a memtable", &keyspace, count);
}

/// Everything that has to be done for data to come to rest: log, memtable, folds, merges.
fn settle(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("load and settle");
    let value = value(VALUE_LEN);
    let count = sized(300_000);
    let numbers = shuffled(count);
    group.throughput(Throughput::Elements(count)).sample_size(10);
    group.bench_function("random", |b| {
        b.iter_batched(
            || {
                let store = Store::builder().segment_size(4 << 20).seed(1).open_in_memory();
                let keyspace = store.keyspace("tree").unwrap();
                (store, keyspace)
            },
            |(store, keyspace)| {
                load(&store, &keyspace, &numbers, &value);
                store.maintain().unwrap();
                (store, keyspace)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn main() {
    let mut cpu = cpu();
    puts(&mut cpu);
    reads(&mut cpu);
    settle(&mut cpu);
    cpu.final_summary();
}
