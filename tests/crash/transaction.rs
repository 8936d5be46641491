//! Transactions over power cuts: after each call of a life of transactions over all four engines, each state that a cut
//! leaves is one that lies between two of them, and a consumer that goes on from there has counted everything once.

use crate::random::Random;
use crate::report::{Budget, Counts};
use fourfold::clock::ManualClock;
use fourfold::kv::{
    CreateTable, DeleteItem, Delivery, GetItem, PutItem, Query, ScalarType, Scan, StreamViewType, UpdateItem,
    item,
};
use fourfold::objects::{
    DeleteObject, EventType, GetObject, ListVersions, NotificationConfiguration, NotificationRule, PutObject,
};
use fourfold::queue::NewQueue;
use fourfold::sim::{CrashLimits, Faults, SimDisk};
use fourfold::stream::{CreateStream, PutRecord, Start};
use fourfold::transaction::{Error, Transaction};
use fourfold::{Store, Timestamp};
use std::time::Duration;
use xxhash_rust::xxh3::Xxh3;

#[expect(dead_code, reason = "its main is for people")]
#[path = "../../examples/exactly_once.rs"]
mod exactly_once;

#[expect(dead_code, reason = "its main is for people")]
#[path = "../../examples/outbox.rs"]
mod outbox;

const DIR: &str = "store";
const SEGMENT: u64 = 16 << 10;

pub(crate) type Failure = Box<dyn std::error::Error>;

#[derive(Clone, Copy, Debug)]
enum Act {
    Put(u64),
    Add(u64),
    Delete(u64),
    Send,
    Acknowledge,
    Record,
    Object(usize, usize),
    DeleteObject(usize),
}

/// One step: a transaction, which may be refused at its end, or something else.
#[derive(Clone, Debug)]
enum Step {
    Transact(Vec<Act>, bool),
    /// An item changes by itself, and tells a queue and a stream of it.
    Write(u64),
    Receive,
    Fold,
    Compact,
}

fn step(random: &mut Random) -> Step {
    match random.below(14) {
        0..=8 => {
            let count = 1 + random.below(6);
            let acts = (0..count).map(|_| act(random)).collect();
            Step::Transact(acts, random.one_in(6))
        }
        9 | 10 => Step::Receive,
        11 | 12 => Step::Write(random.below(3) as u64),
        _ if random.one_in(2) => Step::Fold,
        _ => Step::Compact,
    }
}

fn act(random: &mut Random) -> Act {
    let (id, key) = (random.below(3) as u64, random.below(3));
    match random.below(10) {
        0 | 1 => Act::Put(id),
        2 => Act::Add(id),
        3 => Act::Delete(id),
        4 => Act::Send,
        5 => Act::Acknowledge,
        6 => Act::Record,
        7 | 8 => Act::Object(key, [10, 2_000, 7_000, 15_000][random.below(4)]),
        _ => Act::DeleteObject(key),
    }
}

pub(crate) fn open(disk: &SimDisk, at: Timestamp) -> fourfold::Result<(Store, ManualClock)> {
    let clock = ManualClock::new(at);
    let store = Store::builder().segment_size(SEGMENT).seed(7).clock(clock.clone());
    Ok((store.open_simulated(disk, DIR)?, clock))
}

pub(crate) fn start() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

fn make(store: &Store) -> Result<(), Failure> {
    let table = CreateTable::new("table").hash("id", ScalarType::N).attribute("g", ScalarType::N);
    let index = fourfold::kv::Index::new("by-g").hash("g");
    store.tables().create_table(table.global_index(index).stream(StreamViewType::NewAndOldImages))?;
    store.queues().create("queue")?;
    let told = store.queues().create("told")?;
    let fifo = store.queues().create(NewQueue::new("told.fifo").fifo())?;
    let stream = store.streams().create("stream", CreateStream::default().shard_count(1))?;
    let deliveries = [Delivery::new(told.arn()), Delivery::new(fifo.arn()), Delivery::new(stream.arn())];
    store.tables().table("table").set_deliveries(deliveries)?;
    let bucket = store.buckets().create("bucket")?;
    let rule = NotificationRule::new(told.arn(), [EventType::ObjectCreated, EventType::ObjectRemoved]);
    bucket.set_notifications(NotificationConfiguration::new([rule]))?;
    Ok(())
}

/// What one act asks for.
fn ask(
    store: &Store,
    tx: &mut Transaction,
    act: Act,
    number: u64,
    received: &mut Vec<String>,
) -> Result<(), Error> {
    let queue = store.queues().get("queue").map_err(Error::abort)?;
    let stream = store.streams().stream("stream").map_err(Error::abort)?;
    let bucket = store.buckets().bucket("bucket").map_err(Error::abort)?;
    match act {
        Act::Put(id) => {
            drop(tx.put_item(PutItem::new("table", item! { "id" => id, "g" => number % 3, "n" => number }))?);
        }
        Act::Add(id) => {
            let update =
                UpdateItem::new("table", item! { "id" => id }).update("ADD n :n").value(":n", number);
            drop(tx.update_item(update)?);
        }
        Act::Delete(id) => drop(tx.delete_item(DeleteItem::new("table", item! { "id" => id }))?),
        Act::Send => drop(tx.send(&queue, format!("message {number}"))?),
        Act::Acknowledge => {
            if let Some(handle) = received.pop() {
                tx.delete_message(&queue, &handle)?;
            }
        }
        Act::Record => drop(tx.put_record(&stream, &PutRecord::new("k", &format!("record {number}")))?),
        Act::Object(key, len) => {
            let body = vec![u8::try_from(number % 251).unwrap(); len];
            tx.put_object(&bucket, PutObject::new(format!("key-{key}")), body)?;
        }
        Act::DeleteObject(key) => {
            tx.delete_object(&bucket, &DeleteObject::new(format!("key-{key}")))?;
        }
    }
    Ok(())
}

/// Everything that callers see of all four engines; 0 until all is made.
fn digest(store: &Store) -> Result<u64, Failure> {
    let mut digest = Xxh3::new();
    let mut add = |text: String| digest.update(format!("{text};").as_bytes());
    let Ok(bucket) = store.buckets().bucket("bucket") else { return Ok(0) };
    if bucket.notifications()?.rules.is_empty() {
        return Ok(0);
    }
    let tables = store.tables();
    add(format!("{:?}", tables.scan(&Scan::new("table"))?.items));
    for g in 0..3 {
        let query = Query::new("table").index("by-g").key_condition("g = :g").value(":g", g);
        add(format!("{:?}", tables.query(&query)?.items));
    }
    let mut changes = tables.subscribe("table")?;
    while let Some(change) = changes.try_next()? {
        add(format!("{:?} {:?} {:?}", change.kind, change.old_image, change.new_image));
    }
    for name in ["queue", "told", "told.fifo"] {
        let queue = store.queues().get(name)?;
        let bodies: Vec<_> = queue.peek(1000)?.iter().map(|seen| seen.message.body().to_owned()).collect();
        let stats = queue.stats()?;
        add(format!("{bodies:?} {}", stats.messages()));
    }
    let mut cursor = store.streams().stream("stream")?.cursor("shardId-000000000000", Start::TrimHorizon)?;
    while let Some(record) = cursor.try_next()? {
        add(format!("{:?}", record.data()));
    }
    for version in bucket.list_versions(&ListVersions::default())?.versions {
        let body = bucket.get_object(GetObject::new(&*version.key))?.body.bytes()?;
        add(format!("{version:?} {}", xxhash_rust::xxh3::xxh3_64(&body)));
    }
    Ok(digest.digest())
}

/// The states of a life, and the calls of the disk between which each came about.
#[derive(Default)]
struct History(Vec<(u64, u64, u64)>);

impl History {
    fn add(&mut self, asked: u64, told: u64, digest: u64) {
        self.0.push((asked, told, digest));
    }

    /// States that a power cut after so many calls may leave.
    fn possible(&self, calls: u64) -> &[(u64, u64, u64)] {
        let first = self.0.iter().rposition(|(_, told, _)| *told <= calls).unwrap_or(0);
        let last = self.0.iter().rposition(|(asked, ..)| *asked < calls).unwrap_or(0);
        &self.0[first..=last.max(first)]
    }
}

fn live(disk: &SimDisk, steps: &[Step]) -> Result<(History, Timestamp), Failure> {
    let mut history = History::default();
    history.add(0, 0, 0);
    let (store, clock) = open(disk, start())?;
    let asked = disk.calls();
    make(&store)?;
    history.add(asked, disk.calls(), digest(&store)?);
    let mut received = Vec::new();
    for (number, step) in (1..).zip(steps) {
        clock.advance(Duration::from_millis(1));
        let asked = disk.calls();
        match step {
            Step::Transact(acts, is_refused) => {
                let done = store.transaction().run(|tx| {
                    for act in acts {
                        ask(&store, tx, *act, number, &mut received)?;
                    }
                    if *is_refused {
                        let put = PutItem::new("table", item! { "id" => 99 });
                        tx.put_item(put.condition("attribute_exists(id)"))?;
                    }
                    Ok(())
                });
                match done {
                    Err(Error::Refused { .. }) if *is_refused => {}
                    // A segment is small here; that is known before anything is written, too.
                    Err(Error::TooLarge { .. }) => {}
                    done => drop(done?),
                }
            }
            Step::Write(id) => {
                let key = item! { "id" => *id };
                if number % 3 == 0 {
                    store.tables().delete_item(DeleteItem::new("table", key))?;
                } else {
                    let add = UpdateItem::new("table", key).update("ADD n :n").value(":n", number);
                    store.tables().update_item(add)?;
                }
            }
            Step::Receive => {
                let queue = store.queues().get("queue")?;
                received.extend(queue.receive(2)?.iter().map(|message| message.receipt_handle().to_owned()));
            }
            Step::Fold => store.fold()?,
            Step::Compact => store.compact()?,
        }
        history.add(asked, disk.calls(), digest(&store)?);
    }
    Ok((history, store.now()))
}

/// What is left on `disk` is one of the possible states, and whole.
fn look_at(
    disk: &SimDisk,
    history: &History,
    calls: u64,
    now: Timestamp,
    verifies: bool,
) -> Result<(), Failure> {
    let (store, _) = open(disk, now)?;
    let found = digest(&store)?;
    let possible = history.possible(calls);
    if !possible.iter().any(|(.., digest)| *digest == found) {
        let elsewhere = history.0.iter().position(|(.., digest)| *digest == found);
        return Err(format!("found state {elsewhere:?}, {} others were possible", possible.len()).into());
    }
    if verifies {
        store.buckets().audit()?;
        let problems = (store.verify()?, store.tables().verify()?);
        if !(problems.0.is_empty() && problems.1.is_empty()) {
            return Err(format!("verify finds {problems:?}").into());
        }
    }
    // How it closes is not looked at.
    disk.set_faults(Faults::new(0).stop_at(0));
    Ok(())
}

/// Looks at the states that power cuts and kills leave after each call of what is recorded on `disk`.
pub(crate) fn look_at_all(
    disk: &SimDisk,
    start: u64,
    random: &mut Random,
    (counts, budget): (&Counts, &Budget),
    look: &dyn Fn(&SimDisk, u64, bool) -> Result<(), Failure>,
) -> Result<(), String> {
    let images = disk.images();
    counts.images(images.len());
    for (number, image) in images.iter().enumerate() {
        let calls = start + number as u64;
        let limits = CrashLimits {
            exhaustive_items: 2,
            exhaustive_states: 8,
            random: 3,
            torn: 1,
            cut: 512,
            seed: random.next(),
        };
        for survival in image.crash_states(limits) {
            counts.state();
            look(&image.crash(&survival), calls, random.one_in(4))
                .map_err(|error| format!("after call {calls}, left\n{}{error}", image.explain(&survival)))?;
        }
        counts.state();
        look(&image.kill(), calls, true).map_err(|error| format!("killed after call {calls}: {error}"))?;
        if budget.is_spent() {
            break;
        }
    }
    Ok(())
}

fn explore_seed(seed: u64, counts: &Counts, budget: &Budget) -> Result<(), String> {
    let mut random = Random::new(seed);
    let count = 4 + random.below(8);
    let steps: Vec<Step> = (0..count).map(|_| step(&mut random)).collect();
    let disk = SimDisk::new();
    let start = disk.calls();
    disk.record();
    let context = |error: String| format!("FOURFOLD_CRASH_SEED={seed}\n{steps:?}\n{error}");
    let (history, now) = live(&disk, &steps).map_err(|error| context(error.to_string()))?;
    look_at_all(&disk, start, &mut random, (counts, budget), &|disk, calls, verifies| {
        look_at(disk, &history, calls, now, verifies)
    })
    .map_err(context)
}

/// X1.
#[test]
fn transactions_are_all_or_nothing_across_the_engines() {
    crate::report::run_seeds("transactions", 6, explore_seed);
}

const PAYMENTS: u64 = 7;

/// Goes on until everything is worked off, and looks whether it was once.
fn finish(disk: &SimDisk, at: Timestamp) -> Result<(), Failure> {
    let (store, clock) = open(disk, at)?;
    exactly_once::begin(&store, PAYMENTS)?;
    while exactly_once::step(&store, 0)? {
        clock.advance(Duration::from_secs(6));
    }
    let totals = exactly_once::totals(&store)?;
    let count: u64 = totals.iter().map(|(_, count, _)| count).sum();
    let sum: u64 = totals.iter().map(|(.., sum)| sum).sum();
    let mut cursor = store.streams().stream("ledger")?.cursor("shardId-000000000000", Start::TrimHorizon)?;
    let mut records = 0;
    while cursor.try_next()?.is_some() {
        records += 1;
    }
    let receipts =
        store.buckets().bucket("receipts")?.list_versions(&ListVersions::default())?.versions.len();
    let left = store.queues().get("payments")?.stats()?.messages();
    let found = (count, sum, records, receipts as u64, left);
    let expected = (PAYMENTS, exactly_once::expected(PAYMENTS), PAYMENTS, PAYMENTS, 0);
    if found != expected {
        return Err(format!("found {found:?}, expected {expected:?}").into());
    }
    let problems = store.verify()?;
    if !problems.is_empty() {
        return Err(format!("verify finds {problems:?}").into());
    }
    disk.set_faults(Faults::new(0).stop_at(0));
    Ok(())
}

fn consume(seed: u64, counts: &Counts, budget: &Budget) -> Result<(), String> {
    let mut random = Random::new(seed);
    let disk = SimDisk::new();
    let calls = disk.calls();
    disk.record();
    let context = |error: String| format!("FOURFOLD_CRASH_SEED={seed}\n{error}");
    finish(&disk, start()).map_err(|error| context(error.to_string()))?;
    let later = start() + Duration::from_hours(1);
    look_at_all(&disk, calls, &mut random, (counts, budget), &|disk, _, _| finish(disk, later))
        .map_err(context)
}

/// The consumer of `examples/exactly_once.rs`, cut after every call, has in the end done all work once.
#[test]
fn a_consumer_that_dies_anywhere_counts_everything_once() {
    crate::report::run_seeds("exactly once", 4, consume);
}

const ORDERS: u64 = 5;

/// Goes on until every order was shipped, and looks whether it was once.
fn ship_all(disk: &SimDisk, at: Timestamp) -> Result<(), Failure> {
    let (store, clock) = open(disk, at)?;
    outbox::make(&store)?;
    outbox::place(&store, ORDERS)?;
    while outbox::ship(&store, 0)? {
        clock.advance(Duration::from_secs(6));
    }
    let found = outbox::count(&store)?;
    let expected = (usize::try_from(ORDERS)?, ORDERS + ORDERS.div_ceil(10), 1);
    if found != expected {
        return Err(format!("found {found:?}, expected {expected:?}").into());
    }
    disk.set_faults(Faults::new(0).stop_at(0));
    Ok(())
}

fn place_and_ship(seed: u64, counts: &Counts, budget: &Budget) -> Result<(), String> {
    let mut random = Random::new(seed);
    let disk = SimDisk::new();
    let calls = disk.calls();
    disk.record();
    let context = |error: String| format!("FOURFOLD_CRASH_SEED={seed}\n{error}");
    ship_all(&disk, start()).map_err(|error| context(error.to_string()))?;
    let later = start() + Duration::from_hours(1);
    look_at_all(&disk, calls, &mut random, (counts, budget), &|disk, _, _| ship_all(disk, later))
        .map_err(context)
}

/// The outbox of `examples/outbox.rs`, cut after every call, has in the end shipped every order once.
#[test]
fn an_outbox_that_dies_anywhere_ships_every_order_once() {
    crate::report::run_seeds("outbox", 3, place_and_ship);
}

/// What was read before the crash is not confused by what came after: a message received and not acknowledged comes back.
#[test]
fn a_message_whose_transaction_did_not_happen_comes_back() {
    let disk = SimDisk::new();
    {
        let (store, _) = open(&disk, start()).unwrap();
        exactly_once::begin(&store, 1).unwrap();
        let queue = store.queues().get("payments").unwrap();
        let message = queue.receive(1).unwrap().remove(0);
        let given_up = store.transaction().run(|tx| {
            tx.acknowledge(&queue, message.receipt_handle())?;
            Err::<(), _>(Error::abort("the process dies here"))
        });
        assert!(given_up.is_err());
    }
    let (store, _) = open(&disk, start() + Duration::from_hours(1)).unwrap();
    assert_eq!(store.queues().get("payments").unwrap().receive(1).unwrap().len(), 1);
    let found = store.tables().get_item(&GetItem::new("totals", item! { "payer" => "ann" })).unwrap();
    assert_eq!(found.item, None);
}
