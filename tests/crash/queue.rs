//! Power cuts in the life of a queue: what was acknowledged is there once, what was deleted is gone, groups are in order,
//! and the counts are right.
//!
//! U1. A message whose send was acknowledged and whose deletion was not asked for is in the queue or in its dead-letter
//!     queue, in one of them, once. One whose deletion was acknowledged is in neither; one that was never sent neither.
//! U2. Messages of a group come in the order in which they were sent, and all of them can be received.
//! U3. What the queue counts is what it holds, and `verify` finds nothing.
//! U4. An id that was sent with an acknowledged message suppresses the same id.

use crate::life::{DIR, SEGMENT};
use crate::random::Random;
use crate::report::{Counts, run_seeds};
use fourfold::queue::{BatchEntry, Error, NewQueue, Queue, QueueAttributes, Queues, Receive, SendMessage};
use fourfold::sim::{CrashLimits, SimDisk};
use fourfold::{ManualClock, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const NEVER: u64 = u64::MAX;

/// What is known of a message: the calls to the disk by which something was asked for, and promised.
#[derive(Clone, Debug)]
struct Fate {
    group: usize,
    asked: u64,
    promised: u64,
    deletion_asked: u64,
    deletion_promised: u64,
}

/// A life of a queue on a simulated disk.
struct Life {
    disk: SimDisk,
    clock: ManualClock,
    store: Store,
    queue: Queue,
    is_fifo: bool,
    /// By the number in the body.
    fates: BTreeMap<u64, Fate>,
    handles: Vec<(u64, String)>,
    next: u64,
    created: u64,
}

fn open(disk: &SimDisk, clock: &ManualClock) -> fourfold::Result<Store> {
    let builder = Store::builder().segment_size(SEGMENT).clock(clock.clone()).seed(7);
    builder.open_simulated(disk, DIR)
}

fn names(is_fifo: bool) -> (&'static str, &'static str) {
    if is_fifo { ("queue.fifo", "failed.fifo") } else { ("queue", "failed") }
}

fn create(queues: &Queues, is_fifo: bool) -> Result<Queue, Error> {
    let (queue, failed) = names(is_fifo);
    let new = |name: &str| if is_fifo { NewQueue::new(name).fifo() } else { NewQueue::new(name) };
    let failed = queues.create(new(failed))?;
    let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 2).visibility_timeout(30);
    queues.create(new(queue).attributes(attributes))
}

fn number_of(body: &str) -> u64 {
    body.split(' ').next().unwrap().parse().unwrap()
}

impl Life {
    fn begin(disk: &SimDisk, clock: ManualClock, is_fifo: bool) -> Self {
        let store = open(disk, &clock).unwrap();
        // What the life before made is there from the first call on.
        let is_there = store.queues().get(names(is_fifo).0).is_ok();
        let queue = create(&store.queues(), is_fifo).unwrap();
        let created = if is_there { 0 } else { disk.calls() };
        Self {
            disk: disk.clone(),
            clock,
            store,
            queue,
            is_fifo,
            fates: BTreeMap::new(),
            handles: Vec::new(),
            next: 0,
            created,
        }
    }

    /// Another life, on what a power cut left of this one: what is there now has to stay.
    fn again(&self, disk: &SimDisk) -> Self {
        let clock = ManualClock::new(fourfold::Clock::now(&self.clock));
        let mut next = Self::begin(disk, clock, self.is_fifo);
        next.next = self.next;
        let failed = next.store.queues().get(names(self.is_fifo).1).unwrap();
        for number in bodies(&next.queue).into_iter().chain(bodies(&failed)) {
            let known = Fate { asked: 0, promised: 0, ..self.fates[&number].clone() };
            let fate = Fate { deletion_asked: NEVER, deletion_promised: NEVER, ..known };
            next.fates.insert(number, fate);
        }
        next
    }

    fn message(&mut self, random: &mut Random) -> SendMessage {
        self.next += 1;
        let group = random.below(3);
        let fate = Fate {
            group,
            asked: self.disk.calls() + 1,
            promised: NEVER,
            deletion_asked: NEVER,
            deletion_promised: NEVER,
        };
        self.fates.insert(self.next, fate);
        let message = SendMessage::new(format!("{} {}", self.next, "x".repeat(random.below(300))));
        if self.is_fifo {
            return message.group(group.to_string()).deduplication_id(self.next.to_string());
        }
        let message = if group == 0 { message } else { message.group(group.to_string()) };
        if random.one_in(4) { message.delay(10) } else { message }
    }

    fn step(&mut self, random: &mut Random) {
        match random.below(12) {
            0..=2 => {
                let message = self.message(random);
                self.queue.send(message).unwrap();
                self.promise(self.next);
            }
            3 => {
                let first = self.next;
                let entries = (0..=random.below(6)).map(|id| (id, self.message(random)));
                let entries = entries.map(|(id, message)| BatchEntry::new(id.to_string(), message));
                let entries: Vec<_> = entries.collect();
                self.queue.send_batch(entries).unwrap();
                (first + 1..=self.next).for_each(|number| self.promise(number));
            }
            4..=6 => {
                let count = i32::try_from(1 + random.below(5)).unwrap();
                let request = Receive::new().max_messages(count);
                let request = if random.one_in(3) { request.visibility_timeout(0) } else { request };
                for message in self.queue.receive(request).unwrap() {
                    self.handles.push((number_of(message.body()), message.receipt_handle().to_owned()));
                }
            }
            7 | 8 => self.delete(random),
            9 => self.clock.advance(Duration::from_secs(31)),
            10 if random.one_in(2) => self.store.fold().unwrap(),
            _ => {
                if let Some((_, handle)) = self.handles.last() {
                    // Refused if the delivery is over.
                    let _ = self.queue.change_visibility(handle, 60);
                }
            }
        }
    }

    fn promise(&mut self, number: u64) {
        self.fates.get_mut(&number).unwrap().promised = self.disk.calls();
    }

    fn delete(&mut self, random: &mut Random) {
        if self.handles.is_empty() {
            return;
        }
        let (number, handle) = self.handles.swap_remove(random.below(self.handles.len()));
        let before = self.disk.calls() + 1;
        // A dead letter is not deleted by a handle of the queue that gave it up.
        let is_here = bodies(&self.queue).contains(&number);
        let fate = self.fates.get_mut(&number).unwrap();
        match self.queue.delete_message(&handle) {
            Ok(()) if is_here => {
                fate.deletion_asked = fate.deletion_asked.min(before);
                fate.deletion_promised = fate.deletion_promised.min(self.disk.calls());
            }
            Ok(()) => {}
            Err(Error::InvalidParameterValue { .. }) if self.is_fifo => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn bodies(queue: &Queue) -> Vec<u64> {
    queue.peek(usize::MAX).unwrap().iter().map(|seen| number_of(seen.message.body())).collect()
}

/// Opens what a power cut after `calls` left, and looks whether it keeps the promises.
fn look(disk: &SimDisk, life: &Life, calls: u64) -> Result<(), String> {
    let clock = ManualClock::new(fourfold::Clock::now(&life.clock));
    let store = open(disk, &clock).map_err(|error| format!("opening: {error}"))?;
    let problems = store.verify().map_err(|error| format!("verifying: {error}"))?;
    if !problems.is_empty() {
        return Err(format!("verify: {problems:?}"));
    }
    let (queue, failed) = names(life.is_fifo);
    let queues = store.queues();
    let (queue, failed) = match (queues.get(queue), queues.get(failed)) {
        (Ok(queue), Ok(failed)) => (queue, failed),
        _ if calls < life.created => return Ok(()),
        other => return Err(format!("the queues are not there: {other:?}")),
    };
    let mut found = BTreeSet::new();
    for queue in [&queue, &failed] {
        let seen = queue.peek(usize::MAX).map_err(|error| error.to_string())?;
        let count = queue.stats().map_err(|error| error.to_string())?.messages();
        if count != seen.len() as u64 {
            return Err(format!("{} counts {count} messages and holds {}", queue.name(), seen.len()));
        }
        for seen in &seen {
            let number = number_of(seen.message.body());
            if !found.insert(number) {
                return Err(format!("message {number} is there twice"));
            }
        }
    }
    for (number, fate) in &life.fates {
        let must = fate.promised <= calls && fate.deletion_asked > calls;
        let may = fate.asked <= calls && fate.deletion_promised > calls;
        let is = found.contains(number);
        if (must && !is) || (is && !may) {
            return Err(format!("message {number} is there: {is}; {fate:?}, after {calls} calls"));
        }
    }
    receive_all(&queue, &clock, life, &found)?;
    if life.is_fifo {
        let known = life.fates.iter().rfind(|(_, fate)| fate.promised <= calls);
        // The window counts from when it was sent, five minutes; a life is shorter than its clock may be.
        if let Some((number, fate)) = known {
            let before = queue.stats().map_err(|error| error.to_string())?.messages();
            let again = SendMessage::new(format!("{number} again"));
            let again = again.group(fate.group.to_string()).deduplication_id(number.to_string());
            queue.send(again).map_err(|error| error.to_string())?;
            let after = queue.stats().map_err(|error| error.to_string())?.messages();
            let is_old = fourfold::Clock::now(&clock) - life_start() >= Duration::from_mins(5);
            if after != before && !is_old {
                return Err(format!("the id of message {number} was forgotten"));
            }
        }
    }
    Ok(())
}

fn life_start() -> fourfold::Timestamp {
    fourfold::Clock::now(&ManualClock::default())
}

/// Receives everything that the queue holds once leases and delays are over, in order, and deletes none of it.
fn receive_all(queue: &Queue, clock: &ManualClock, life: &Life, found: &BTreeSet<u64>) -> Result<(), String> {
    let before = fourfold::Clock::now(clock);
    let probe = clock.clone();
    probe.advance(Duration::from_secs(61));
    let mut last = BTreeMap::new();
    loop {
        let messages = queue.receive(10).map_err(|error| error.to_string())?;
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let number = number_of(message.body());
            if !found.contains(&number) {
                return Err(format!("message {number} came from nowhere"));
            }
            let group = life.fates[&number].group;
            let is_late = life.is_fifo && last.insert(group, number).is_some_and(|last| last > number);
            if is_late {
                return Err(format!("message {number} of group {group} came late: {last:?}"));
            }
            queue.delete_message(message.receipt_handle()).map_err(|error| error.to_string())?;
        }
    }
    let left = queue.stats().map_err(|error| error.to_string())?;
    if left.messages() > 0 {
        return Err(format!("since {before} {left:?} cannot be received"));
    }
    Ok(())
}

/// Lives, each on what a power cut, somewhere in the one before, left of it.
fn explore(seed: u64, counts: &Counts, is_fifo: bool, lives: usize) -> Result<(), String> {
    let mut random = Random::new(seed);
    let disk = SimDisk::new();
    disk.record();
    let mut life = Life::begin(&disk, ManualClock::default(), is_fifo);
    for number in 1..=lives {
        for _ in 0..25 {
            life.step(&mut random);
        }
        let images = life.disk.images();
        look_everywhere(&images, &life, counts, &mut random)
            .map_err(|error| format!("seed {seed}, FIFO: {is_fifo}, life {number}, {error}"))?;
        if number < lives {
            let image = &images[random.below(images.len())];
            let limits = CrashLimits {
                exhaustive_items: 0,
                exhaustive_states: 0,
                random: 1,
                torn: 1,
                cut: 512,
                seed: random.next(),
            };
            let survivals: Vec<_> = image.crash_states(limits).collect();
            let left = image.crash(&survivals[random.below(survivals.len())]);
            left.record();
            life = life.again(&left);
        }
    }
    Ok(())
}

fn look_everywhere(
    images: &[SimDisk],
    life: &Life,
    counts: &Counts,
    random: &mut Random,
) -> Result<(), String> {
    counts.images(images.len());
    for (calls, image) in (0..).zip(images) {
        let limits = CrashLimits {
            exhaustive_items: 3,
            exhaustive_states: 16,
            random: 3,
            torn: 1,
            cut: 512,
            seed: random.next(),
        };
        for survival in image.crash_states(limits) {
            counts.state();
            look(&image.crash(&survival), life, calls).map_err(|error| {
                format!("after {calls} calls, a power cut that left\n{}{error}", image.explain(&survival))
            })?;
        }
    }
    Ok(())
}

#[test]
fn a_standard_queue_keeps_its_promises_over_power_cuts() {
    run_seeds("standard queue", 40, |seed, counts, _| explore(seed, counts, false, 1));
}

#[test]
fn a_fifo_queue_keeps_its_promises_over_power_cuts() {
    run_seeds("FIFO queue", 40, |seed, counts, _| explore(seed, counts, true, 1));
}

#[test]
fn queues_keep_their_promises_through_three_lives() {
    run_seeds("three lives of a queue", 10, |seed, counts, _| explore(seed, counts, seed % 2 == 0, 3));
}
