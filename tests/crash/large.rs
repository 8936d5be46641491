//! Large bodies of messages over power cuts: in whatever state a cut leaves, every message has its body, and what is swept
//! then leaves no object without a message.

use crate::random::Random;
use crate::report::{Budget, Counts};
use crate::transaction::{Failure, look_at_all, open, start};
use fourfold::objects::{ListVersions, Versioning};
use fourfold::queue::{LargeBodies, NewQueue, QueueAttributes, Receive};
use fourfold::sim::{Faults, SimDisk};
use fourfold::{Store, Timestamp};
use std::time::Duration;

const QUEUES: [&str; 2] = ["queue", "failed"];

/// A body that says how long it is.
fn body(number: u64, len: usize) -> String {
    let head = format!("{number} {len} ");
    let rest = len - head.len();
    head + &"x".repeat(rest)
}

fn make(store: &Store, is_versioned: bool) -> Result<(), Failure> {
    let bucket = store.buckets().create("bodies")?;
    if is_versioned {
        bucket.set_versioning(Versioning::Enabled)?;
    }
    let failed = store.queues().create("failed")?;
    let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 2).visibility_timeout(0);
    let queue = store.queues().create(NewQueue::new("queue").attributes(attributes))?;
    queue.set_large_bodies(Some(LargeBodies::new("bodies").from(1000)))?;
    Ok(())
}

fn live(disk: &SimDisk, random: &mut Random) -> Result<Timestamp, Failure> {
    let (store, clock) = open(disk, start())?;
    make(&store, random.one_in(2))?;
    for number in 0..8 + random.below(8) as u64 {
        clock.advance(Duration::from_millis(1));
        let queue = store.queues().get(random.pick::<&str>(&QUEUES))?;
        match random.below(10) {
            0..=3 => {
                let len = *random.pick(&[100, 1_500, 5_000]);
                drop(store.queues().get("queue")?.send(body(number, len))?);
            }
            4..=7 => {
                for message in queue.receive(Receive::new().max_messages(2))? {
                    if random.one_in(2) {
                        queue.delete_message(message.receipt_handle())?;
                    }
                }
            }
            8 if random.one_in(2) => drop(queue.purge()),
            8 => clock.advance(Duration::from_hours(24 * 3)),
            _ if random.one_in(2) => store.fold()?,
            _ => store.maintain()?,
        }
    }
    Ok(store.now())
}

fn look_at(disk: &SimDisk, now: Timestamp) -> Result<(), Failure> {
    let (store, _) = open(disk, now)?;
    let mut large = 0;
    for name in QUEUES {
        let Ok(queue) = store.queues().get(name) else { continue };
        for seen in queue.peek(1000)? {
            let text = seen.message.body();
            let len: usize = text.split(' ').nth(1).and_then(|len| len.parse().ok()).unwrap_or(0);
            if text.len() != len {
                return Err(format!("a body of {len} bytes came as {text:?}").into());
            }
            large += usize::from(len >= 1000);
        }
    }
    store.maintain()?;
    if let Ok(bucket) = store.buckets().bucket("bodies") {
        let objects = bucket.list_versions(&ListVersions::default())?.versions.len();
        if objects != large {
            return Err(format!("{objects} objects for {large} large messages").into());
        }
    }
    store.buckets().audit()?;
    let problems = store.verify()?;
    if !problems.is_empty() {
        return Err(format!("verify finds {problems:?}").into());
    }
    disk.set_faults(Faults::new(0).stop_at(0));
    Ok(())
}

fn explore_seed(seed: u64, counts: &Counts, budget: &Budget) -> Result<(), String> {
    let mut random = Random::new(seed);
    let disk = SimDisk::new();
    let calls = disk.calls();
    disk.record();
    let context = |error: String| format!("FOURFOLD_CRASH_SEED={seed}\n{error}");
    let now = live(&disk, &mut random).map_err(|error| context(error.to_string()))?;
    look_at_all(&disk, calls, &mut random, (counts, budget), &|disk, _, _| look_at(disk, now))
        .map_err(context)
}

#[test]
fn no_message_without_its_body_and_no_body_without_its_message() {
    crate::report::run_seeds("large bodies", 6, explore_seed);
}
