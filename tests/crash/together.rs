//! All four engines in one store: a life of random operations from a seed, single and in transactions, while calls fail and
//! lose their answers, time passes (messages, records, items and objects expire), processes are killed and power is cut in
//! the middle of a write; after each of that the store is what small models say, and so are its file and a fork of that,
//! each of which goes its own way. The same seed is the same life.
//!
//! `FOURFOLD_TOGETHER_SEED=7` runs that seed alone, `FOURFOLD_TOGETHER_SEEDS=5000` so many.

use crate::random::Random;
use fourfold::clock::ManualClock;
use fourfold::faults::Chaos;
use fourfold::kv::{self, CreateTable, DeleteItem, Index, PutItem, Query, ScalarType, Scan, item};
use fourfold::objects::{
    self, DeleteObject, EventType, GetObject, LifecycleConfiguration, LifecycleRule, ListObjects,
    ListVersions, NotificationConfiguration, NotificationRule, PutObject, Versioning,
};
use fourfold::queue::{self, Receive};
use fourfold::sim::{Faults, SimDisk, Survival};
use fourfold::stream::{self, CreateStream, PutRecord, Start};
use fourfold::{Store, Timestamp, transaction};
use std::collections::BTreeMap;
use std::time::Duration;

const DIR: &str = "store";
const SHARD: &str = "shardId-000000000000";
const STEPS: u64 = 60;
const LIVES: u64 = 4;
const DAY: Duration = Duration::from_hours(24);
/// How long messages and records are kept.
const MESSAGES_KEPT: Duration = Duration::from_hours(4 * 24);
const RECORDS_KEPT: Duration = DAY;

/// An item: its group, its number, and the second in which it expires.
type Entry = (u64, u64, Option<u64>);

/// What the store should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct World {
    /// When each was sent.
    messages: BTreeMap<String, Timestamp>,
    /// When each came.
    records: Vec<(String, Timestamp)>,
    /// By id.
    items: BTreeMap<u64, Entry>,
    /// By key: all versions, the oldest first; a marker is none.
    objects: BTreeMap<String, Vec<Option<Vec<u8>>>>,
    /// When each change of those was told of: messages that are sent in the batch of the change.
    events: Vec<Timestamp>,
    /// Objects of the bucket whose rule lets them expire, and when they were put.
    passing: BTreeMap<String, (Vec<u8>, Timestamp)>,
}

#[derive(Clone, Debug)]
enum Op {
    Send(String),
    /// A receipt handle, and the message that it is of.
    Delete(String, String),
    Put(u64, Entry),
    /// An item is put if there is none, and a message sent.
    Claim(u64, u64),
    Remove(u64),
    Record(String),
    Object(String, Vec<u8>),
    DeleteObject(String),
    Passing(String, Vec<u8>),
    /// A message is acknowledged, an item, a record and an object put: all or nothing.
    Together(String, String, u64, u64),
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    NotDone,
    /// The disk failed on the way.
    Unknown,
}

/// What an error says of its operation.
fn outcome(is_storage: bool, injected: Option<bool>, code: &str) -> Outcome {
    match injected {
        _ if is_storage => Outcome::Unknown,
        Some(true) => Outcome::Done,
        Some(false) => Outcome::NotDone,
        None if code == "RequestThrottled" || code == "ProvisionedThroughputExceededException" => {
            Outcome::NotDone
        }
        None => panic!("refused: {code}"),
    }
}

macro_rules! outcomes {
    ($($name:ident: $Error:ty, $variant:path, $storage:path;)+) => {
        $(fn $name<T>(done: Result<T, $Error>) -> Outcome {
            let Err(error) = done else { return Outcome::Done };
            let injected = if let $variant(injected) = &error { Some(injected.is_lost_reply) } else { None };
            outcome(matches!(error, $storage(_)), injected, error.code())
        })+
    };
}

outcomes! {
    of_queue: queue::Error, queue::Error::Injected, queue::Error::Storage;
    of_stream: stream::Error, stream::Error::Injected, stream::Error::Storage;
    of_table: kv::Error, kv::Error::Injected, kv::Error::Storage;
    of_bucket: objects::Error, objects::Error::Injected, objects::Error::Storage;
}

impl World {
    fn apply(&mut self, op: &Op, at: Timestamp) {
        match op.clone() {
            Op::Send(body) => drop(self.messages.insert(body, at)),
            Op::Delete(_, body) => drop(self.messages.remove(&body)),
            Op::Put(id, entry) => drop(self.items.insert(id, entry)),
            Op::Claim(id, number) => {
                self.items.insert(id, (0, number, None));
                self.messages.insert(format!("claimed {number}"), at);
            }
            Op::Remove(id) => drop(self.items.remove(&id)),
            Op::Record(data) => self.records.push((data, at)),
            Op::Object(key, body) => self.change(key, Some(body), at),
            Op::DeleteObject(key) => self.change(key, None, at),
            Op::Passing(key, body) => drop(self.passing.insert(key, (body, at))),
            Op::Together(_, body, id, number) => {
                self.messages.remove(&body);
                self.items.insert(id, (number % 3, number, None));
                self.records.push((format!("together {number}"), at));
                self.change(format!("key-{id}"), Some(format!("together {number}").into_bytes()), at);
            }
        }
    }

    fn change(&mut self, key: String, body: Option<Vec<u8>>, at: Timestamp) {
        self.objects.entry(key).or_default().push(body);
        self.events.push(at);
    }

    /// Without what has expired by now.
    fn settled(&self, now: Timestamp) -> Self {
        let mut world = self.clone();
        world.messages.retain(|_, sent| now - *sent < MESSAGES_KEPT);
        world.events.retain(|sent| now - *sent < MESSAGES_KEPT);
        world.records.retain(|(_, at)| now - *at <= RECORDS_KEPT);
        world.items.retain(|_, (.., until)| until.is_none_or(|until| until > now.as_secs()));
        world.passing.retain(|_, (_, put)| passes(*put) > now);
        world
    }

    /// What the store holds; it is not changed. What is due and not swept yet is there after a crash: it is left out.
    fn read(store: &Store) -> Self {
        let world = Self::read_all(store);
        let now = store.now();
        Self { items: world.settled(now).items, passing: world.settled(now).passing, ..world }
    }

    fn read_all(store: &Store) -> Self {
        let mut world = Self::default();
        let messages = store.queues().get("queue").unwrap().peek(100_000).unwrap();
        let sent = messages.iter().map(|seen| (seen.message.body().to_owned(), seen.message.sent()));
        world.messages = sent.collect();
        assert_eq!(world.messages.len(), messages.len(), "no message twice");
        let events = store.queues().get("events").unwrap().peek(100_000).unwrap();
        world.events = events.iter().map(|seen| seen.message.sent()).collect();
        let mut cursor = store.streams().stream("stream").unwrap().cursor(SHARD, Start::TrimHorizon).unwrap();
        while let Some(record) = cursor.try_next().unwrap() {
            world.records.push((String::from_utf8(record.data().to_vec()).unwrap(), record.arrival()));
        }
        let number = |item: &kv::Item, name: &str| -> Option<u64> {
            item.get(name)?.as_number()?.to_i128()?.try_into().ok()
        };
        for item in store.tables().scan(&Scan::new("table")).unwrap().items {
            let entry = (number(&item, "g").unwrap(), number(&item, "n").unwrap(), number(&item, "until"));
            world.items.insert(number(&item, "id").unwrap(), entry);
        }
        let bucket = store.buckets().bucket("bucket").unwrap();
        let page = bucket.list_versions(&ListVersions::default()).unwrap();
        assert!(!page.is_truncated, "a life has fewer versions than a page");
        for version in page.versions.iter().rev() {
            let body = version.object.as_ref().map(|_| {
                let get = GetObject::new(&version.key).version(version.version_id.to_string());
                bucket.get_object(get).unwrap().body.bytes().unwrap().to_vec()
            });
            world.objects.entry(version.key.clone()).or_default().push(body);
        }
        let bucket = store.buckets().bucket("passing").unwrap();
        for object in bucket.list(&ListObjects::default()).unwrap().objects {
            let body = bucket.get(&object.key).unwrap().body.bytes().unwrap().to_vec();
            world.passing.insert(object.key, (body, object.last_modified));
        }
        world
    }
}

/// When an object of the bucket with a rule of a day is gone: at the first midnight later than a day after it was put.
fn passes(put: Timestamp) -> Timestamp {
    let day = u64::try_from(DAY.as_millis()).unwrap();
    Timestamp::from_millis(((put.as_millis() + day) / day + 1) * day)
}

fn open(disk: &SimDisk, clock: &ManualClock, seed: u64) -> fourfold::Result<Store> {
    let builder = Store::builder().segment_size(64 << 10).blob_threshold(2 << 10).seed(seed);
    builder.clock(clock.clone()).open_simulated(disk, DIR)
}

fn make(store: &Store) {
    store.queues().create("queue").unwrap();
    store.streams().create("stream", CreateStream::default().shard_count(1)).unwrap();
    let table = CreateTable::new("table").hash("id", ScalarType::N).attribute("g", ScalarType::N);
    store.tables().create_table(table.global_index(Index::new("by-g").hash("g"))).unwrap();
    store.tables().update_time_to_live("table", "until", true).unwrap();
    let bucket = store.buckets().create("bucket").unwrap();
    bucket.set_versioning(Versioning::Enabled).unwrap();
    let events = store.queues().create("events").unwrap();
    let told = [EventType::ObjectCreated, EventType::ObjectRemoved];
    let rule = NotificationRule::new(events.arn(), told);
    bucket.set_notifications(NotificationConfiguration::new([rule])).unwrap();
    // Without the one that says that it will be told.
    events.purge().unwrap();
    let mut rule = LifecycleRule::default();
    rule.expiration.days = Some(1);
    let passing = store.buckets().create("passing").unwrap();
    passing.set_lifecycle(LifecycleConfiguration::new([rule])).unwrap();
}

fn run(store: &Store, op: &Op) -> Outcome {
    let queue = store.queues().get("queue").unwrap();
    let stream = store.streams().stream("stream").unwrap();
    let (tables, bucket) = (store.tables(), store.buckets().bucket("bucket").unwrap());
    match op {
        Op::Send(body) => of_queue(queue.send(body.as_str())),
        Op::Delete(handle, _) => of_queue(queue.delete_message(handle)),
        Op::Put(id, (group, number, until)) => {
            let mut item = item! { "id" => *id, "g" => *group, "n" => *number };
            item.extend(until.map(|until| ("until".to_owned(), until.into())));
            of_table(tables.table("table").put(item))
        }
        Op::Claim(id, number) => {
            let item = item! { "id" => *id, "g" => 0, "n" => *number };
            let put = PutItem::new("table", item).condition("attribute_not_exists(id)");
            of_transaction(&store.transaction().run(|tx| {
                tx.put_item(put.clone())?;
                tx.send(&queue, format!("claimed {number}"))
            }))
        }
        Op::Remove(id) => of_table(tables.delete_item(DeleteItem::new("table", item! { "id" => *id }))),
        Op::Record(data) => of_stream(stream.put("k", data)),
        Op::Object(key, body) => of_bucket(bucket.put(key, body.clone())),
        Op::DeleteObject(key) => of_bucket(bucket.delete_object(&DeleteObject::new(key))),
        Op::Passing(key, body) => {
            of_bucket(store.buckets().bucket("passing").unwrap().put(key, body.clone()))
        }
        Op::Together(handle, _, id, number) => {
            let text = format!("together {number}");
            of_transaction(&store.transaction().run(|tx| {
                tx.delete_message(&queue, handle)?;
                let item = item! { "id" => *id, "g" => number % 3, "n" => *number };
                tx.put_item(PutItem::new("table", item))?;
                tx.put_record(&stream, &PutRecord::new("k", &text))?;
                tx.put_object(&bucket, PutObject::new(format!("key-{id}")), text.clone())
            }))
        }
    }
}

fn of_transaction<T>(done: &transaction::Result<T>) -> Outcome {
    match done {
        Ok(_) => Outcome::Done,
        Err(transaction::Error::Storage(_)) => Outcome::Unknown,
        // Refused within, by a fault or by its condition: nothing is logged.
        Err(_) => Outcome::NotDone,
    }
}

fn next_op(random: &mut Random, number: u64, now: Timestamp, held: &mut Vec<(String, String)>) -> Op {
    let id = random.below(6) as u64;
    let lens = [5, 300, 3_000, 9_000];
    match random.below(17) {
        0 | 1 => Op::Send(format!("message {number}")),
        2 | 3 if !held.is_empty() => {
            let (handle, body) = held.swap_remove(random.below(held.len()));
            Op::Delete(handle, body)
        }
        4..=6 if !held.is_empty() => {
            let (handle, body) = held.swap_remove(random.below(held.len()));
            Op::Together(handle, body, id, number)
        }
        7 => Op::Remove(id),
        8 => Op::Record(format!("record {number}")),
        9 | 10 => {
            let len = lens[random.below(lens.len())];
            Op::Object(format!("key-{id}"), vec![u8::try_from(number % 251).unwrap(); len])
        }
        11 => Op::DeleteObject(format!("key-{id}")),
        12 => Op::Passing(format!("key-{id}"), vec![7; lens[random.below(lens.len())]]),
        13 | 14 => Op::Claim(id, number),
        _ => {
            let until = now.as_secs() + 1 + random.below(7200) as u64;
            Op::Put(id, (number % 3, number, random.one_in(2).then_some(until)))
        }
    }
}

/// Says the seed of a life that fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("it is the life of FOURFOLD_TOGETHER_SEED={}", self.0);
        }
    }
}

/// How far the clock moves at once: mostly seconds, now and then hours or days.
fn pause(random: &mut Random) -> Duration {
    match random.below(12) {
        0 => Duration::from_hours(random.below(5 * 24) as u64),
        1..=3 => Duration::from_mins(random.below(180) as u64),
        _ => Duration::from_secs(random.below(40) as u64),
    }
}

/// What is due is done when the clock has moved, unless the disk has stopped; and everything is counted right. Counting is
/// no call that a fault could hit.
fn check_counts(store: &Store, world: &World) {
    if store.maintain().is_err() {
        return;
    }
    let world = world.settled(store.now());
    let queue = |name: &str| store.queues().get(name).unwrap().stats().unwrap().messages();
    let objects = store.buckets().bucket("passing").unwrap().stats().unwrap().objects;
    let versions = store.buckets().bucket("bucket").unwrap().stats().unwrap();
    let stream = store.streams().stream("stream").unwrap().stats().unwrap();
    let table = store.tables().table("table").stats().unwrap();
    let found = [
        queue("queue"),
        queue("events"),
        stream.records,
        stream.bytes,
        table.items,
        table.indexes[0].items,
        versions.versions + versions.delete_markers,
        objects,
    ];
    let expected = [
        world.messages.len(),
        world.events.len(),
        world.records.len(),
        world.records.iter().map(|(data, _)| "k".len() + data.len()).sum(),
        world.items.len(),
        world.items.len(),
        world.objects.values().map(Vec::len).sum(),
        world.passing.len(),
    ];
    assert_eq!(found, expected.map(|count| count as u64), "counts, of what is not due");
}

/// Does an operation and says what the world is then: for sure, or perhaps.
fn step(store: &Store, op: &Op, world: &mut World) -> Option<World> {
    let at = store.now();
    let mut done = world.settled(at);
    let is_claimed = matches!(op, Op::Claim(id, _) if done.items.contains_key(id));
    done.apply(op, at);
    match run(store, op) {
        Outcome::Done => {
            assert!(!is_claimed, "there was one: {op:?}");
            *world = done;
            None
        }
        Outcome::NotDone => None,
        Outcome::Unknown if is_claimed => Some(world.clone()),
        Outcome::Unknown => Some(done),
    }
}

/// One process: opens, works until it ends or the disk stops. What the world may be besides what it is, if it stopped.
fn live_once(
    store: &Store,
    random: &mut Random,
    clock: &ManualClock,
    world: &mut World,
    number: &mut u64,
) -> Option<World> {
    let mut held: Vec<(String, String)> = Vec::new();
    for _ in 0..STEPS {
        *number += 1;
        match random.below(12) {
            0 => {
                clock.advance(pause(random));
                check_counts(store, world);
            }
            1 if random.one_in(4) && store.fold().is_err() => return None,
            2 if random.one_in(8) && store.compact().is_err() => return None,
            3..=5 => {
                let queue = store.queues().get("queue").unwrap();
                let known = world.settled(store.now()).messages;
                for message in queue.receive(Receive::new().max_messages(3)).unwrap_or_default() {
                    assert!(known.contains_key(message.body()), "{} is gone", message.body());
                    if !held.iter().any(|(_, body)| body == message.body()) {
                        held.push((message.receipt_handle().to_owned(), message.body().to_owned()));
                    }
                }
            }
            _ => {
                let op = next_op(random, *number, store.now(), &mut held);
                // Whoever is told that nothing was done still holds the message.
                let perhaps = step(store, &op, world);
                if perhaps.is_some() {
                    return perhaps;
                }
            }
        }
    }
    None
}

/// Lives a life, and gives what there is in the end, a hash of the file that it makes, and how many calls it took.
fn live(seed: u64) -> (World, u64, u64) {
    let _named = Named(seed);
    let mut random = Random::new(seed);
    let clock = ManualClock::new(Timestamp::from_secs(1_800_000_000));
    let mut disk = SimDisk::new();
    let mut world = World::default();
    let (mut number, mut calls) = (0, 0);
    for life in 0..LIVES {
        let store = open(&disk, &clock, seed ^ life).unwrap();
        if life == 0 {
            make(&store);
        }
        check(&store, &world, &clock, seed ^ life);
        if random.one_in(2) {
            store.faults().random(seed, Chaos::rough());
        }
        // In some lives the disk stops in the middle of something.
        if random.one_in(2) {
            let stop = disk.calls() + 1 + random.below(300) as u64;
            disk.set_faults(Faults::new(seed).stop_at(stop));
        }
        let perhaps = live_once(&store, &mut random, &clock, &mut world, &mut number);
        calls += disk.calls();
        drop(store);
        disk = match random.below(3) {
            0 => disk.kill(),
            1 => disk.crash(&Survival::nothing()),
            _ => disk.crash(&Survival::everything()),
        };
        if let Some(perhaps) = perhaps {
            let store = open(&disk, &clock, seed).unwrap();
            let now = store.now();
            let found = World::read(&store);
            assert!(
                found == world.settled(now) || found == perhaps.settled(now),
                "an operation is half done:\n{found:?}\nnot\n{world:?}\nnor\n{perhaps:?}"
            );
            world = found;
            drop(store);
            disk = disk.kill();
        }
    }
    let store = open(&disk, &clock, seed).unwrap();
    let file = check(&store, &world, &clock, seed);
    (world, xxhash_rust::xxh3::xxh3_64(&file), calls)
}

/// The store is what the model says, and so is its file; and a fork goes its own way.
fn check(store: &Store, world: &World, clock: &ManualClock, seed: u64) -> Vec<u8> {
    let world = world.settled(store.now());
    assert_eq!(World::read(store), world, "what was found");
    check_indexes(store, &world);
    let mut file = Vec::new();
    store.export(&mut file).unwrap();
    let builder = Store::builder().clock(clock.clone()).seed(seed).segment_size(64 << 10);
    let copy = builder.import_in_memory(&file[..]).unwrap();
    assert_eq!(World::read(&copy), world, "as a file");
    let (fork, mut own) = (copy.fork().unwrap(), world.clone());
    let (mut random, mut held) = (Random::new(seed), Vec::new());
    for number in 0..8 {
        let op = next_op(&mut random, 1_000_000 + number, fork.now(), &mut held);
        assert!(step(&fork, &op, &mut own).is_none(), "a store in memory does not fail");
    }
    assert_eq!(World::read(&fork), own, "a fork that went its own way");
    check_indexes(&fork, &own);
    assert_eq!(World::read(&copy), world, "what was forked");
    file
}

/// The second in which an item expires.
fn second_of(item: &kv::Item) -> Option<u64> {
    item.get("until")?.as_number()?.to_i128()?.try_into().ok()
}

/// The index shows what the table has, and all that refers to something finds it.
fn check_indexes(store: &Store, world: &World) {
    for group in 0..3_u64 {
        let query = Query::new("table").index("by-g").key_condition("g = :g").value(":g", group);
        let expected = world.items.values().filter(|(of, ..)| *of == group).count();
        let found = store.tables().query(&query).unwrap().items;
        // What is due and not swept yet is there.
        let is_due = |item: &kv::Item| second_of(item).is_some_and(|until| until <= store.now().as_secs());
        assert_eq!(found.iter().filter(|item| !is_due(item)).count(), expected);
    }
    assert!(store.tables().verify().unwrap().is_empty());
    assert!(store.verify().unwrap().is_empty());
    assert!(store.buckets().audit().is_ok());
}

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn all_four_engines_are_what_their_models_say() {
    if let Some(seed) = number_of("FOURFOLD_TOGETHER_SEED") {
        println!("{:?}", live(seed));
        return;
    }
    let seeds = number_of("FOURFOLD_TOGETHER_SEEDS").unwrap_or(400);
    let mut calls = 0;
    for seed in 0..seeds {
        calls += live(seed).2;
    }
    println!("{seeds} seeds, {LIVES} lives each, {calls} calls of the disk");
}

#[test]
fn a_seed_is_a_life() {
    for seed in 1000..1005 {
        assert_eq!(live(seed), live(seed), "seed {seed}");
    }
    assert_ne!(live(1000).0, live(1001).0);
}
