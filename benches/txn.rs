//! Transactions: what one costs beside the single operations it is made of, and that those pay nothing for it.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench: no store's clock or files, and it prints what it found"
)]

mod support;

use criterion::{Criterion, Throughput};
use fourfold::faults::Failure;
use fourfold::kv::{CreateTable, GetItem, Item, PutItem, ScalarType, UpdateItem, item};
use fourfold::objects::{Bucket, PutObject};
use fourfold::queue::Queue;
use fourfold::stream::{CreateStream, PutRecord, Stream};
use fourfold::{Store, kv::Tables};
use std::time::Instant;
use support::{ThreadTime, cpu, scatter, sized, thread_time};

struct World {
    store: Store,
    tables: Tables,
    queue: Queue,
    stream: Stream,
    bucket: Bucket,
}

fn world() -> World {
    let store = Store::in_memory();
    let tables = store.tables();
    tables.create_table(CreateTable::new("table").hash("id", ScalarType::N)).unwrap();
    let queue = store.queues().create("queue").unwrap();
    let stream = store.streams().create("stream", CreateStream::default().shard_count(1)).unwrap();
    let bucket = store.buckets().create("bucket").unwrap();
    World { store, tables, queue, stream, bucket }
}

fn key(number: u64) -> Item {
    item! { "id" => scatter(number) % 1000 }
}

fn put(number: u64) -> PutItem {
    PutItem::new("table", item! { "id" => scatter(number) % 1000, "n" => number, "text" => "0123456789" })
}

fn add(number: u64) -> UpdateItem {
    UpdateItem::new("table", key(number)).update("ADD n :n").value(":n", 1)
}

/// A name, the operation by itself, and as a transaction.
type Pair = (&'static str, fn(&World, u64), fn(&World, u64));

const PUT_ITEM: Pair = (
    "put item",
    |world, number| drop(world.tables.put_item(put(number)).unwrap()),
    |world, number| drop(world.store.transaction().run(|tx| tx.put_item(put(number))).unwrap()),
);
const PUT_RECORD: Pair = (
    "put record",
    |world, _| {
        world.stream.put("key", "record").unwrap();
    },
    |world, _| {
        let record = PutRecord::new("key", "record");
        world.store.transaction().run(|tx| tx.put_record(&world.stream, &record)).unwrap();
    },
);

const PAIRS: [Pair; 5] = [
    PUT_ITEM,
    (
        "update item",
        |world, number| drop(world.tables.update_item(add(number)).unwrap()),
        |world, number| drop(world.store.transaction().run(|tx| tx.update_item(add(number))).unwrap()),
    ),
    (
        "send, receive, delete",
        |world, _| {
            world.queue.send("message").unwrap();
            for message in world.queue.receive(1).unwrap() {
                world.queue.delete_message(message.receipt_handle()).unwrap();
            }
        },
        |world, _| {
            world.store.transaction().run(|tx| tx.send(&world.queue, "message")).unwrap();
            for message in world.queue.receive(1).unwrap() {
                let handle = message.receipt_handle();
                world.store.transaction().run(|tx| tx.acknowledge(&world.queue, handle)).unwrap();
            }
        },
    ),
    PUT_RECORD,
    (
        "of all four engines",
        |world, number| {
            world.tables.put_item(put(number)).unwrap();
            world.stream.put("key", "record").unwrap();
            world.bucket.put(&format!("{}", number % 1000), "body").unwrap();
            world.queue.send("message").unwrap();
        },
        |world, number| {
            let done = world.store.transaction().run(|tx| {
                tx.put_item(put(number))?;
                tx.put_record(&world.stream, &PutRecord::new("key", "record"))?;
                tx.put_object(&world.bucket, PutObject::new(format!("{}", number % 1000)), "body")?;
                tx.send(&world.queue, "message")
            });
            done.unwrap();
        },
    ),
];

fn pairs(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("transaction");
    group.throughput(Throughput::Elements(1));
    for (name, single, together) in PAIRS {
        for (form, work) in [("single", single), ("transaction", together)] {
            let (world, mut number) = (world(), 0);
            group.bench_function(format!("{name}, {form}"), |b| {
                b.iter(|| {
                    number += 1;
                    work(&world, number);
                });
            });
        }
    }
    group.finish();
}

/// Operations of one verb.
const SINGLES: [Pair; 3] = [
    PUT_ITEM,
    (
        "send",
        |world, _| drop(world.queue.send("message").unwrap()),
        |world, _| drop(world.store.transaction().run(|tx| tx.send(&world.queue, "message")).unwrap()),
    ),
    PUT_RECORD,
];

/// What single verbs pay for what surrounds them: by themselves, with a fault planned that never comes, and as a transaction
/// of one operation. Ratios of CPU time within rounds that take turns, so that what else the machine does falls out; their
/// median, and in brackets the second lowest and highest.
fn guards() {
    const ROUNDS: usize = 25;
    let count = sized(20_000);
    for (name, single, together) in SINGLES {
        let mut took = vec![[0.0; 4]; ROUNDS];
        for round in &mut took {
            // The first form stands twice: how far its ratio is from one is noise.
            for (form, time) in round.iter_mut().enumerate() {
                let world = world();
                if form == 2 {
                    world.store.faults().on("DeleteTable").nth(u64::MAX).fail(Failure::Internal);
                }
                let work = if form == 3 { together } else { single };
                let start = thread_time();
                (0..count).for_each(|number| work(&world, number));
                *time = thread_time().saturating_sub(start).as_secs_f64();
            }
        }
        let ratio = |form: usize| {
            let mut ratios: Vec<f64> = took.iter().map(|round| round[form] / round[0]).collect();
            ratios.sort_by(f64::total_cmp);
            format!("{:.3} ({:.3}-{:.3})", ratios[ROUNDS / 2], ratios[1], ratios[ROUNDS - 2])
        };
        println!(
            "{name}: itself again {}, with faults armed {}, as a transaction {}",
            ratio(1),
            ratio(2),
            ratio(3),
        );
    }
}

/// Threads that read two items and write them, among few or many: how often they have to try.
fn conflicts() {
    for items in [2, 100, 10_000] {
        let world = world();
        for id in 0..items {
            world.tables.put_item(PutItem::new("table", item! { "id" => id, "n" => 0 })).unwrap();
        }
        let (each, start) = (sized(20_000), Instant::now());
        let work = |seed: u64| {
            let mut attempts = 0;
            for number in 0..each {
                let ids = [scatter(seed + number) % items, scatter(!(seed + number)) % items];
                let done = world.store.transaction().retries(u32::MAX).run(|tx| {
                    for id in ids {
                        let found = tx.get_item(&GetItem::new("table", item! { "id" => id }))?.item;
                        let mut item = found.unwrap_or_default();
                        item.insert("last".into(), number.into());
                        tx.put_item(PutItem::new("table", item))?;
                    }
                    Ok(())
                });
                attempts += u64::from(done.unwrap().attempts);
            }
            attempts
        };
        let attempts: u64 = std::thread::scope(|threads| {
            let work = &work;
            let threads: Vec<_> = (0..2).map(|seed| threads.spawn(move || work(seed << 32))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        println!(
            "two threads, two of {items} items: {:?} each, {attempts} attempts at {}",
            start.elapsed() / u32::try_from(2 * each).unwrap(),
            2 * each,
        );
    }
}

fn main() {
    let mut c = cpu();
    pairs(&mut c);
    c.final_summary();
    guards();
    conflicts();
}
