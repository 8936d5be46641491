//! What takes minutes: tables, buckets and queues on disk that are larger than caches, each row measured once.
//!
//! ```sh
//! cargo bench --bench large                                  # all of it, about ten minutes and 12 GB of disk
//! cargo bench --bench large -- tables                        # only these: tables, list, queue
//! FOURFOLD_BENCH_ITEMS=10000000 cargo bench --bench large -- tables    # and FOURFOLD_BENCH_BYTES=1024: only these
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench: no store's clock or files, and it prints what it found, for people"
)]

mod support;

use bytes::Bytes;
use fourfold::kv::{
    BatchWriteItem, CreateTable, Index, Query, ScalarType, Scan, Table, Tables, WriteRequest,
};
use fourfold::objects::{ListObjects, PutObject};
use fourfold::queue::{BatchEntry, NewQueue, QueueAttributes};
use fourfold::{Durability, Store};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::{changed_item, full_item, key_item, scatter, sized};

fn process_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// KiB of memory that no file backs; 0 where the system does not say.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Runs `step` `count` times on each thread and prints thousands a second, of wall time and of the process's CPU time.
fn row(what: &str, threads: u64, count: u64, step: impl Fn(u64) + Sync) {
    let (cpu, start) = (process_time(), Instant::now());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let step = &step;
            scope.spawn(move || (0..count).for_each(|number| step(thread * count + number)));
        }
    });
    let (wall, cpu) = (start.elapsed(), process_time().saturating_sub(cpu));
    let all = (threads * count) as f64 / 1000.0;
    println!(
        "| {what} | {threads} | {:.1} | {:.1} |",
        all / wall.as_secs_f64(),
        all / cpu.as_secs_f64().max(1e-9)
    );
}

fn open(path: &Path, durability: Durability) -> Store {
    Store::builder().durability(durability).open(path).unwrap()
}

fn table(tables: &Tables, indexes: usize) -> Table {
    let mut table = CreateTable::new("things").hash("p", ScalarType::S).range("c", ScalarType::N);
    if indexes > 0 {
        table = table.attribute("y", ScalarType::S);
    }
    for number in 0..indexes {
        table = table.global_index(Index::new(format!("index{number}")).hash("y").range("c"));
    }
    tables.create_table(table).unwrap();
    tables.table("things")
}

/// Four in five of eight operations go to an eighth of the items.
fn skewed(random: u64, count: u64) -> u64 {
    if random % 10 < 8 { random / 16 % (count / 8).max(1) } else { random / 16 % count }
}

fn items(count: u64, len: usize) {
    println!(
        "\n{count} items of {len} B\n\n| row | threads | k/s | k per CPU second |\n| --- | --- | --- | --- |"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = open(&path, Durability::Buffered);
    let (tables, things) = (store.tables(), table(&store.tables(), 0));
    let steps = sized(200_000);
    let turns = AtomicU64::new(0);
    let turn = || turns.fetch_add(1, Ordering::Relaxed);
    // A prime: every item once, in no order.
    row("load in random order, buffered", 1, count, |number| {
        things.put(full_item(number * 0x9E37_79B1 % count, len)).unwrap();
    });
    store.compact().unwrap();
    for threads in [1, 2, 8] {
        row("get", threads, steps / threads, |number| {
            black_box(things.get(key_item(scatter(number) % count)).unwrap());
        });
    }
    row("query of up to 100", 1, steps / 20, |number| {
        let partition = key_item(scatter(number) % count).remove("p").unwrap();
        black_box(
            tables.query(&Query::new("things").key_condition("p = :p").value(":p", partition)).unwrap(),
        );
    });
    let mut scan = Scan::new("things");
    let (start, mut found) = (Instant::now(), 0);
    loop {
        let page = tables.scan(&scan).unwrap();
        found += page.count as u64;
        let Some(last) = page.last_evaluated_key else { break };
        scan = Scan::new("things").start(last);
    }
    println!("| items scanned | 1 | {:.1} | |", found as f64 / 1000.0 / start.elapsed().as_secs_f64());
    for threads in [1, 2, 8] {
        row("put over it, buffered", threads, steps / threads, |number| {
            things.put(changed_item(scatter(number) % count, len, turn())).unwrap();
        });
        row("mix of 80 gets and 20 puts, skewed, buffered", threads, steps / threads, |number| {
            let (random, turn) = (scatter(number), turn());
            let number = skewed(random >> 8, count);
            match random % 5 {
                0 => things.put(changed_item(number, len, turn)).unwrap(),
                _ => drop(black_box(things.get(key_item(number)).unwrap())),
            }
        });
    }
    drop((store, tables, things));
    let store = open(&path, Durability::Synced);
    let things = store.tables().table("things");
    for threads in [1, 8] {
        row("put over it, synced", threads, sized(8000) / threads, |number| {
            things.put(changed_item(scatter(number) % count, len, turn())).unwrap();
        });
    }
    println!("\nmemory without a file behind it at the end: {} MiB", memory() >> 10);
}

fn indexed(len: usize) {
    println!(
        "\nputs of {len} B, buffered, on disk\n\n| row | threads | k/s | k per CPU second |\n| --- | --- | --- | --- |"
    );
    for indexes in [0, 1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("store"), Durability::Buffered);
        let things = table(&store.tables(), indexes);
        row(&format!("{indexes} global indexes with all attributes"), 1, sized(200_000), |number| {
            things.put(full_item(number, len)).unwrap();
        });
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store"), Durability::Buffered);
    let tables = store.tables();
    table(&tables, 0);
    row("batches of 25", 1, sized(200_000) / 25, |number| {
        let mut batch = BatchWriteItem::default();
        let puts = (0..25).map(|item| WriteRequest::Put(full_item(number * 25 + item, len)));
        batch.requests.insert("things".into(), puts.collect());
        black_box(tables.batch_write_item(&batch).unwrap());
    });
}

/// Pages of a bucket with ten million keys cost what pages of a small one do.
fn list() {
    for count in [sized(100_000), sized(10_000_000)] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("store"), Durability::Buffered);
        let bucket = store.buckets().create("bucket").unwrap();
        let start = Instant::now();
        for number in 0..count {
            let mut put =
                PutObject::new(format!("{:03}/{:010}", number % 100, scatter(number) % 10_000_000_000));
            put.opaque_etag = true;
            bucket.put_object(put, Bytes::new()).unwrap();
        }
        store.compact().unwrap();
        println!(
            "\n{count} empty objects put in {:?}\n\n| row | threads | k/s | k per CPU second |\n| --- | --- | --- | --- |",
            start.elapsed()
        );
        row("page of 1000 by prefix", 1, sized(2000), |number| {
            // Either way there are about a thousand.
            let mut prefix = format!("{:03}/{:02}", scatter(number) % 100, scatter(number) / 128 % 100);
            prefix.truncate(if count < 1_000_000 { 4 } else { 6 });
            black_box(bucket.list(&ListObjects::new().prefix(prefix)).unwrap());
        });
        row("100 common prefixes", 1, sized(2000), |_| {
            black_box(bucket.list(&ListObjects::new().delimiter("/")).unwrap());
        });
    }
}

/// How long a queue takes to open, and what its waiting messages take of memory.
fn queue() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let body = String::from_utf8(vec![b'x'; 256]).unwrap();
    let mut sent = 0;
    for count in [sized(1_000_000), sized(10_000_000)] {
        {
            let store = open(&path, Durability::Buffered);
            let attributes = QueueAttributes::new().visibility_timeout(300);
            let queue = store.queues().create(NewQueue::new("queue").attributes(attributes)).unwrap();
            while sent < count {
                let entries = (0..10).map(|index| BatchEntry::new(index.to_string(), body.as_str().into()));
                queue.send_batch(entries.collect()).unwrap();
                sent += 10;
            }
        }
        let before = memory();
        let start = Instant::now();
        let store = open(&path, Durability::Buffered);
        let queue = store.queues().get("queue").unwrap();
        assert_eq!(queue.stats().unwrap().visible, sent);
        let received = queue.receive(10).unwrap().len();
        println!(
            "\n{sent} waiting messages: opened, counted and {received} received in {:?}, {} KiB of memory more",
            start.elapsed(),
            memory().saturating_sub(before)
        );
        // Those ten are waiting again.
        drop(queue);
    }
}

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|given| given == name);
    if wanted("tables") {
        let given = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let count = given("FOURFOLD_BENCH_ITEMS").unwrap_or_else(|| sized(1_000_000));
        let only = given("FOURFOLD_BENCH_BYTES");
        for len in [100, 1024].into_iter().filter(|len| only.is_none_or(|only| only == *len as u64)) {
            items(count, len);
        }
        indexed(100);
    }
    if wanted("list") {
        list();
    }
    if wanted("queue") {
        queue();
    }
}
