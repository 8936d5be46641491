//! Queues: what a message costs from being sent to being deleted, how fast one gets to a waiting receiver, what a waiting
//! message takes of memory, and whether a steady queue stays as small as it was.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench: no store's clock or files, and it prints what it found"
)]

mod support;

use criterion::{Criterion, Throughput};
use fourfold::queue::{BatchEntry, NewQueue, Queue, QueueAttributes, Receive, SendMessage};
use fourfold::{Durability, Store};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::{ThreadTime, cpu, sized};

fn body(len: usize) -> String {
    "x".repeat(len)
}

fn queue(store: &Store, name: &str) -> Queue {
    let attributes = QueueAttributes::new().visibility_timeout(300);
    let queue = NewQueue::new(name).attributes(attributes);
    let queue = if name.contains('.') { queue.fifo() } else { queue };
    store.queues().create(queue).unwrap()
}

fn message(body: &str, number: u64, groups: u64) -> SendMessage {
    let message = SendMessage::new(body);
    if groups == 0 {
        return message;
    }
    message.group(format!("g{}", number % groups)).deduplication_id(number.to_string())
}

/// Sends `batch` messages and receives and deletes as many; what the queue holds besides stays.
fn cycle(queue: &Queue, body: &str, batch: usize, groups: u64, number: &mut u64) {
    let mut next = || {
        *number += 1;
        message(body, *number, groups)
    };
    if batch == 1 {
        queue.send(next()).unwrap();
        for message in queue.receive(1).unwrap() {
            queue.delete_message(message.receipt_handle()).unwrap();
        }
        return;
    }
    let entries = (0..batch).map(|index| BatchEntry::new(index.to_string(), next())).collect();
    assert!(queue.send_batch(entries).unwrap().failed.is_empty());
    drain(queue, i32::try_from(batch).unwrap());
}

/// Receives and deletes once; says how many.
fn drain(queue: &Queue, max: i32) -> u64 {
    let messages = queue.receive(max).unwrap();
    let entries: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(index, message)| BatchEntry::new(index.to_string(), message.receipt_handle().to_owned()))
        .collect();
    let count = entries.len() as u64;
    if count > 0 {
        assert!(queue.delete_batch(entries).unwrap().failed.is_empty());
    }
    count
}

/// CPU time of one thread that does everything, in memory.
fn cycles(c: &mut Criterion<ThreadTime>) {
    let mut group = c.benchmark_group("send, receive, delete");
    for (len, batch) in [(256, 1), (256, 10), (4096, 1), (4096, 10)] {
        let store = Store::builder().seed(1).open_in_memory();
        let queue = queue(&store, "queue");
        let (body, mut number) = (body(len), 0);
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("{len} B, {batch} at once"), |b| {
            b.iter(|| cycle(&queue, &body, batch, 0, &mut number));
        });
    }
    for groups in [1, 100, 100_000] {
        let store = Store::builder().seed(1).open_in_memory();
        let queue = queue(&store, "queue.fifo");
        let (body, mut number) = (body(256), 0);
        // Each group has a message, so that the queue knows all of them.
        for _ in 0..sized(groups) {
            number += 1;
            queue.send(message(&body, number, groups)).unwrap();
        }
        group.throughput(Throughput::Elements(10));
        group.bench_function(format!("256 B, FIFO with {groups} groups, 10 at once"), |b| {
            b.iter(|| cycle(&queue, &body, 10, groups, &mut number));
        });
    }
    group.finish();
}

/// Producers and consumers at once, on disk: messages in a second, and in a second of the process's CPU time.
fn threads() {
    println!(
        "on disk: messages sent, received and deleted; k/s, k per CPU second, µs from send to its return (median)"
    );
    for (durability, count) in [(Durability::Buffered, sized(200_000)), (Durability::Synced, sized(10_000))] {
        for (len, batch, pairs) in [(256, 1, 1), (256, 10, 1), (256, 10, 4), (4096, 10, 1)] {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::builder().durability(durability).open(dir.path().join("store")).unwrap();
            let queue = queue(&store, "queue");
            let cpu = process_time();
            let (median, wall) = run(&queue, &body(len), batch, pairs, count);
            let cpu = process_time().saturating_sub(cpu);
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let per = |time: Duration| count as f64 / time.as_secs_f64() / 1000.0;
            println!(
                "{durability:?}, {len} B, {batch} at once, {pairs}+{pairs} threads: {:.1} k/s, {:.1} k/CPU s, send {median:?}",
                per(wall),
                per(cpu),
            );
        }
    }
}

fn process_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// Returns the median time of a send, and how long it took until the last message was deleted: the other consumers wait
/// for one more until their second is over, which nobody needs to count.
fn run(queue: &Queue, body: &str, batch: usize, pairs: u64, count: u64) -> (Duration, Duration) {
    let (received, begun, ended) = (AtomicU64::new(0), Instant::now(), OnceLock::new());
    let (received, ended) = (&received, &ended);
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        for _ in 0..pairs {
            scope.spawn(move || {
                while received.load(Ordering::Relaxed) < count {
                    let request = Receive::new().max_messages(i32::try_from(batch).unwrap()).wait(1);
                    let messages = queue.receive(request).unwrap();
                    let handles = messages.iter().map(|message| message.receipt_handle().to_owned());
                    let entries: Vec<_> = handles
                        .enumerate()
                        .map(|(index, handle)| BatchEntry::new(index.to_string(), handle))
                        .collect();
                    let len = entries.len() as u64;
                    if len == 1 {
                        queue.delete_message(messages[0].receipt_handle()).unwrap();
                    } else if len > 1 {
                        queue.delete_batch(entries).unwrap();
                    }
                    if received.fetch_add(len, Ordering::Relaxed) + len >= count {
                        ended.get_or_init(|| begun.elapsed());
                    }
                }
            });
        }
        let senders: Vec<_> = (0..pairs)
            .map(|_| {
                scope.spawn(move || {
                    let mut times = Vec::new();
                    for _ in 0..count / pairs / batch as u64 {
                        let start = Instant::now();
                        if batch == 1 {
                            queue.send(body).unwrap();
                        } else {
                            let entries = 0..batch;
                            let entries =
                                entries.map(|index| BatchEntry::new(index.to_string(), body.into()));
                            queue.send_batch(entries.collect()).unwrap();
                        }
                        times.push(start.elapsed());
                    }
                    times
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    times.sort_unstable();
    (times[times.len() / 2], *ended.get().unwrap())
}

/// From the start of a send to the return of a receive that waits for it, on another thread.
fn hand_over() {
    let store = Store::in_memory();
    let (there, back) = (queue(&store, "there"), queue(&store, "back"));
    let count = sized(20_000);
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let (inbox, outbox) = (there.clone(), back.clone());
        scope.spawn(move || {
            for _ in 0..count {
                let messages = inbox.receive(Receive::new().wait(20)).unwrap();
                inbox.delete_message(messages[0].receipt_handle()).unwrap();
                outbox.send("pong").unwrap();
            }
        });
        let ping = |_| {
            let start = Instant::now();
            there.send("ping").unwrap();
            let messages = back.receive(Receive::new().wait(20)).unwrap();
            back.delete_message(messages[0].receipt_handle()).unwrap();
            start.elapsed() / 2
        };
        (0..count).map(ping).collect()
    });
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 100];
    println!("from a send to a waiting receiver: median {:?}, 99 % within {:?}", at(50), at(99));
}

/// Memory of messages that wait, on disk, and how long such a queue takes to open.
fn backlog() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let count = sized(1_000_000);
    let builder = || Store::builder().durability(Durability::Buffered);
    {
        let store = builder().open(&path).unwrap();
        let queue = queue(&store, "queue");
        let (body, before) = (body(256), memory());
        for _ in 0..count / 10 {
            let entries = (0..10).map(|index| BatchEntry::new(index.to_string(), body.as_str().into()));
            queue.send_batch(entries.collect()).unwrap();
        }
        store.fold().unwrap();
        println!(
            "{count} waiting messages of 256 B: {} KiB of memory more, {} B each",
            memory().saturating_sub(before),
            memory().saturating_sub(before) * 1024 / count,
        );
    }
    let start = Instant::now();
    let store = builder().open(&path).unwrap();
    let queue = store.queues().get("queue").unwrap();
    assert_eq!(queue.stats().unwrap().visible, count);
    assert_eq!(queue.receive(10).unwrap().len(), 10);
    println!("opened with {count} waiting, counted and received ten: {:?}", start.elapsed());
}

/// Messages through a queue that always holds a thousand, a million of them or as many as `FOURFOLD_BENCH_MESSAGES` says:
/// memory and disk as it goes on.
fn steady() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::builder().durability(Durability::Buffered).open(dir.path().join("store")).unwrap();
    let queue = queue(&store, "queue");
    let (body, mut number) = (body(256), 0);
    let given = std::env::var("FOURFOLD_BENCH_MESSAGES").ok().and_then(|text| text.parse().ok());
    let total = given.unwrap_or_else(|| sized(1_000_000));
    for _ in 0..100 {
        let entries = (0..10).map(|index| BatchEntry::new(index.to_string(), body.as_str().into()));
        queue.send_batch(entries.collect()).unwrap();
    }
    for part in 1..=5 {
        while number < total / 5 * part {
            cycle(&queue, &body, 10, 0, &mut number);
        }
        let stats = store.stats();
        println!(
            "steady queue, {number} messages: {} MiB of memory, {} MiB of log, {} MiB of runs",
            memory() >> 10,
            stats.log_bytes >> 20,
            stats.run_bytes >> 20,
        );
    }
}

/// KiB of memory of the process that are its own; 0 where the system does not say.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn main() {
    let mut cpu = cpu();
    cycles(&mut cpu);
    cpu.final_summary();
    threads();
    hand_over();
    backlog();
    steady();
}
