//! Tables: what the semantics cost over the raw tree, operation by operation.
#![allow(clippy::unwrap_used, reason = "a bench: what fails ends it")]

mod support;

use criterion::{BatchSize, BenchmarkId, Criterion};
use fourfold::Store;
use fourfold::kv::expr::{Names, PreparedCondition, PreparedUpdate};
use fourfold::kv::{
    CreateTable, Index, Projection, PutItem, Query, ScalarType, Scan, StreamViewType, Tables,
    TransactWriteItems, UpdateItem, item,
};
use std::hint::black_box;
use support::{ThreadTime, changed_item, cpu, full_item, key, key_item, scatter, sized, value, wall};

const LENS: [usize; 2] = [100, 1024];

fn table(indexes: usize) -> (Store, Tables) {
    let store = Store::builder().segment_size(16 << 20).seed(1).open_in_memory();
    let tables = store.tables();
    let mut table = CreateTable::new("things").hash("p", ScalarType::S).range("c", ScalarType::N);
    if indexes > 0 {
        table = table.attribute("y", ScalarType::S);
    }
    for number in 0..indexes {
        let projection = if number == 0 { Projection::all() } else { Projection::keys_only() };
        table = table.global_index(
            Index::new(format!("index {number}").replace(' ', "_")).hash("y").project(projection),
        );
    }
    tables.create_table(table).unwrap();
    (store, tables)
}

fn loaded(count: u64, len: usize) -> (Store, Tables) {
    let (store, tables) = table(0);
    let things = tables.table("things");
    for number in 0..count {
        things.put(full_item(number, len)).unwrap();
    }
    (store, tables)
}

fn put(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("kv put");
    for len in LENS {
        let (bytes, raw) = (value(len), Store::builder().segment_size(16 << 20).seed(1).open_in_memory());
        let keyspace = raw.keyspace("raw").unwrap();
        let mut number = 0;
        group.bench_function(BenchmarkId::new("raw keyspace", len), |b| {
            b.iter(|| {
                number += 1;
                keyspace.put(key(number), &bytes).unwrap()
            });
        });
        for indexes in [0, 1, 3] {
            let (_store, tables) = table(indexes);
            let things = tables.table("things");
            let mut number = 0;
            group.bench_function(BenchmarkId::new(format!("{indexes} indexes"), len), |b| {
                b.iter_batched(
                    || {
                        number += 1;
                        full_item(number, len)
                    },
                    |item| things.put(item).unwrap(),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    let store = Store::builder().segment_size(16 << 20).seed(1).open_in_memory();
    let tables = store.tables();
    let definition = CreateTable::new("things").hash("p", ScalarType::S).range("c", ScalarType::N);
    tables.create_table(definition.stream(StreamViewType::NewAndOldImages)).unwrap();
    let (things, mut number) = (tables.table("things"), 0);
    group.bench_function("with a stream/100", |b| {
        b.iter_batched(
            || {
                number += 1;
                full_item(number, 100)
            },
            |item| things.put(item).unwrap(),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn get(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("kv get");
    let count = sized(100_000);
    for len in LENS {
        let (store, tables) = loaded(count, len);
        let raw = store.keyspace("raw").unwrap();
        support::load(&store, &raw, &(0..count).collect::<Vec<_>>(), &value(len));
        store.compact().unwrap();
        let mut number = 0;
        group.bench_function(BenchmarkId::new("raw keyspace", len), |b| {
            b.iter(|| {
                number += 1;
                black_box(raw.get(key(scatter(number) % count)).unwrap())
            });
        });
        let things = tables.table("things");
        group.bench_function(BenchmarkId::new("table", len), |b| {
            b.iter_batched(
                || {
                    number += 1;
                    key_item(scatter(number) % count)
                },
                |key| things.get(key).unwrap(),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn update(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("kv conditional update");
    let count = sized(100_000);
    let (_store, tables) = loaded(count, 100);
    let mut number = 0;
    let text = |number: u64| {
        UpdateItem::new("things", key_item(scatter(number) % count))
            .update("ADD n :one")
            .condition("n >= :zero")
            .value(":one", 1)
            .value(":zero", 0)
    };
    group.bench_function("text", |b| {
        b.iter_batched(
            || {
                number += 1;
                text(number)
            },
            |update| tables.update_item(update).unwrap(),
            BatchSize::SmallInput,
        );
    });
    let condition = PreparedCondition::new("n >= :zero", &Names::default()).unwrap();
    let change = PreparedUpdate::new("ADD n :one", &Names::default()).unwrap();
    group.bench_function("prepared", |b| {
        b.iter_batched(
            || {
                number += 1;
                key_item(scatter(number) % count)
            },
            |key| {
                let update = UpdateItem::new("things", key)
                    .update(change.bind(&item! { ":one" => 1 }).unwrap())
                    .condition(condition.bind(&item! { ":zero" => 0 }).unwrap());
                tables.update_item(update).unwrap()
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn search(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("kv search");
    let count = sized(100_000);
    let (store, tables) = loaded(count, 100);
    store.compact().unwrap();
    let mut number = 0;
    group.bench_function("query of 100", |b| {
        b.iter(|| {
            number += 1;
            let partition = key_item(scatter(number) % count).remove("p").unwrap();
            let page =
                tables.query(&Query::new("things").key_condition("p = :p").value(":p", partition)).unwrap();
            assert_eq!(page.count, 100);
        });
    });
    let scan = Scan::new("things").filter("n > :n").value(":n", 5);
    group.bench_function("scan of 1 MB with a filter", |b| b.iter(|| black_box(tables.scan(&scan).unwrap())));
    group.finish();
}

fn transact(c: &mut Criterion<ThreadTime>) {
    let count = sized(100_000);
    let (_store, tables) = loaded(count, 100);
    let mut number = 0;
    c.bench_function("kv transaction of 4", |b| {
        b.iter_batched(
            || {
                number += 4;
                (0..4).fold(TransactWriteItems::new(), |all, n| {
                    let item = changed_item((number + n) % count, 100, number);
                    all.action(PutItem::new("things", item))
                })
            },
            |transaction| tables.transact_write_items(&transaction).unwrap(),
            BatchSize::SmallInput,
        );
    });
}

/// 80 of 100 are gets, by two threads; one in eight goes to a few items.
fn mix(c: &mut Criterion) {
    let count = sized(100_000);
    let (_store, tables) = loaded(count, 100);
    let mut turn = 0;
    c.bench_function("kv mix 80/20, 2 threads, 1000 each", |b| {
        b.iter(|| {
            turn += 1;
            std::thread::scope(|scope| {
                for thread in 0..2_u64 {
                    let things = tables.table("things");
                    scope.spawn(move || {
                        for step in 0..1000 {
                            let random = scatter(thread << 32 | step);
                            let number = if random.is_multiple_of(8) { random % 100 } else { random % count };
                            match random >> 32 & 7 {
                                0 | 1 => things.put(changed_item(number, 100, turn)).unwrap(),
                                _ => drop(black_box(things.get(key_item(number)).unwrap())),
                            }
                        }
                    });
                }
            });
        });
    });
}

fn main() {
    let mut c = cpu();
    put(&mut c);
    get(&mut c);
    update(&mut c);
    search(&mut c);
    transact(&mut c);
    c.final_summary();
    let mut c = wall();
    mix(&mut c);
    c.final_summary();
}
