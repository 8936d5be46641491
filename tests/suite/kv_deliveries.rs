//! Changes of tables that queues and streams are told of, in the commit of the change.

use fourfold::kv::{
    BatchWriteItem, ChangeKind, CreateTable, DELIVERIES_MAX, DeleteItem, Delivery, DestinationStatus, Item,
    PutItem, ScalarType, Scan, StreamViewType, Tables, TimePrecision, TransactWriteItems, UpdateItem,
    WriteRequest, item,
};
use fourfold::queue::{NewQueue, Queue, QueueAttributes, Receive};
use fourfold::stream::{CreateStream, ListShards, Start, Stream};
use fourfold::{ManualClock, Store};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[expect(dead_code, reason = "its main is for people")]
#[path = "../../examples/outbox.rs"]
mod outbox;

struct World {
    store: Store,
    clock: ManualClock,
    tables: Tables,
    queue: Queue,
    fifo: Queue,
    stream: Stream,
}

fn world() -> World {
    world_in(Store::builder())
}

fn world_in(builder: fourfold::Builder) -> World {
    let clock = ManualClock::default();
    let store = builder.clock(clock.clone()).open_in_memory();
    let tables = store.tables();
    tables
        .create_table(CreateTable::new("table").hash("p", ScalarType::S).range("s", ScalarType::N))
        .unwrap();
    let queue = store.queues().create("queue").unwrap();
    let fifo = store.queues().create(NewQueue::new("queue.fifo").fifo()).unwrap();
    let stream = store.streams().create("stream", CreateStream::default().shard_count(3)).unwrap();
    World { store, clock, tables, queue, fifo, stream }
}

impl World {
    fn tell_all(&self) {
        let deliveries = [self.queue.arn().to_owned(), self.fifo.arn().to_owned(), self.stream.arn()];
        self.tables.table("table").set_deliveries(deliveries.map(Delivery::new)).unwrap();
    }

    fn put(&self, item: Item) {
        self.tables.table("table").put(item).unwrap();
    }
}

/// Takes everything out of a queue.
fn drain(queue: &Queue) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let messages = queue.receive(Receive::new().max_messages(10)).unwrap();
        if messages.is_empty() {
            return all;
        }
        for message in messages {
            all.push(serde_json::from_str(message.body()).unwrap());
            queue.delete_message(message.receipt_handle()).unwrap();
        }
    }
}

/// All records, each with its partition key.
fn records(stream: &Stream) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for shard in stream.list_shards(&ListShards::default()).unwrap().shards {
        let mut cursor = stream.cursor(shard.shard_id.as_ref(), Start::TrimHorizon).unwrap();
        while let Some(record) = cursor.try_next().unwrap() {
            let data = serde_json::from_slice(record.data()).unwrap();
            all.push((record.partition_key().to_owned(), data));
        }
    }
    all
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["eventName"].as_str().unwrap()).collect()
}

#[test]
fn every_way_to_change_an_item_tells_once() {
    let world = world();
    world.tell_all();
    let (tables, store) = (&world.tables, &world.store);
    let key = |s: i32| item! { "p" => "a", "s" => s };
    world.put(item! { "p" => "a", "s" => 1, "x" => "one" });
    world.put(item! { "p" => "a", "s" => 1, "x" => "one" }); // nothing changes
    let update = UpdateItem::new("table", key(1)).update("SET x = :x").value(":x", "two");
    tables.update_item(update.clone()).unwrap();
    tables.update_item(update.clone()).unwrap(); // nothing changes
    tables.update_item(update.condition("x = :y").value(":y", "three")).unwrap_err();
    let mut batch = BatchWriteItem::default();
    let puts = [2, 3].map(|s| WriteRequest::Put(key(s)));
    batch.requests.insert("table".to_owned(), puts.into());
    tables.batch_write_item(&batch).unwrap();
    let transact = TransactWriteItems::new().action(PutItem::new("table", key(4)));
    tables.transact_write_items(&transact.action(DeleteItem::new("table", key(3)))).unwrap();
    let refused = TransactWriteItems::new().action(PutItem::new("table", key(9)));
    let refused = refused.action(PutItem::new("table", key(4)).condition("attribute_not_exists(p)"));
    tables.transact_write_items(&refused).unwrap_err();
    store
        .transaction()
        .run(|tx| {
            tx.put_item(PutItem::new("table", item! { "p" => "a", "s" => 5 }))?;
            tx.put_item(PutItem::new("table", item! { "p" => "a", "s" => 5, "x" => "last" }))?;
            tx.delete_item(DeleteItem::new("table", item! { "p" => "a", "s" => 2 }))
        })
        .unwrap();
    tables.table("table").delete(key(4)).unwrap();
    tables.table("table").delete(key(4)).unwrap(); // nothing is there
    let expected = ["INSERT", "MODIFY", "INSERT", "INSERT", "INSERT", "REMOVE", "REMOVE", "INSERT", "REMOVE"];
    let told = drain(&world.queue);
    assert_eq!(names(&told), expected);
    assert_eq!(told[7]["dynamodb"]["NewImage"]["x"], json!({ "S": "last" }), "one change of an item");
    assert_eq!(names(&drain(&world.fifo)).len(), expected.len());
    let recorded = records(&world.stream);
    assert_eq!(recorded.len(), expected.len());
    let ids: BTreeSet<_> = told.iter().map(|event| event["eventID"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), expected.len());
    assert!(recorded.iter().all(|(_, record)| ids.contains(record["eventID"].as_str().unwrap())));
    let numbers: Vec<_> =
        told.iter().map(|event| event["dynamodb"]["SequenceNumber"].as_str().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[test]
fn what_expires_is_told_as_the_services_doing() {
    let world = world();
    world.tell_all();
    world.tables.update_time_to_live("table", "until", true).unwrap();
    let until = world.store.now().as_millis() / 1000 + 60;
    world.put(item! { "p" => "a", "s" => 1, "until" => until });
    world.clock.advance(Duration::from_mins(2));
    world.store.maintain().unwrap();
    let told = drain(&world.queue);
    assert_eq!(names(&told), ["INSERT", "REMOVE"]);
    assert_eq!(told[0].get("userIdentity"), None);
    let service = json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" });
    assert_eq!(told[1]["userIdentity"], service);
    let recorded = records(&world.stream);
    assert_eq!((&recorded[0].1["userIdentity"], &recorded[1].1["userIdentity"]), (&Value::Null, &service));
}

#[test]
fn only_what_was_asked_for_is_told() {
    let world = world();
    let removed = Delivery::new(world.queue.arn()).kinds([ChangeKind::Remove]).view(StreamViewType::OldImage);
    let keys = Delivery::new(world.stream.arn()).view(StreamViewType::KeysOnly);
    let table = world.tables.table("table");
    table.set_deliveries([removed.clone(), keys.clone()]).unwrap();
    assert_eq!(table.deliveries().unwrap(), [removed, keys]);
    world.put(item! { "p" => "a", "s" => 1, "x" => "one" });
    table.delete(item! { "p" => "a", "s" => 1 }).unwrap();
    let told = drain(&world.queue);
    assert_eq!(names(&told), ["REMOVE"]);
    let shown = &told[0]["dynamodb"];
    assert_eq!(
        (shown["StreamViewType"].as_str(), &shown["OldImage"]["x"]),
        (Some("OLD_IMAGE"), &json!({"S": "one"}))
    );
    for (_, record) in records(&world.stream) {
        assert_eq!((record["dynamodb"].get("NewImage"), record["dynamodb"].get("OldImage")), (None, None));
        assert_eq!(record["tableName"], "table");
    }
    table.set_deliveries([]).unwrap();
    world.put(item! { "p" => "b", "s" => 1 });
    assert!(drain(&world.queue).is_empty() && table.deliveries().unwrap().is_empty());
}

#[test]
fn targets_that_cannot_be_are_refused() {
    let world = world();
    let small = QueueAttributes::new().set("MaximumMessageSize", "1024");
    let small = world.store.queues().create(NewQueue::new("small").attributes(small)).unwrap();
    let table = world.tables.table("table");
    let arn = world.queue.arn();
    let many = (0..=DELIVERIES_MAX).map(|n| Delivery::new(format!("{arn}{n}"))).collect::<Vec<_>>();
    for (deliveries, text) in [
        (
            vec![Delivery::new("arn:aws:sqs:us-east-1:000000000000:gone")],
            "The destination queue does not exist",
        ),
        (
            vec![Delivery::new("arn:aws:kinesis:us-east-1:000000000000:stream/gone")],
            "The destination stream does not exist",
        ),
        (vec![Delivery::new("arn:aws:sns:us-east-1:000000000000:topic")], "Neither a queue nor a stream"),
        (vec![Delivery::new("queue")], "Neither a queue nor a stream"),
        (vec![Delivery::new(arn), Delivery::new(arn)], "Two deliveries to one target"),
        (vec![Delivery::new(arn).kinds([])], "A delivery of no kind of change"),
        (vec![Delivery::new(small.arn())], "takes messages of 1024 bytes; 32768 are needed"),
        (many, "11 deliveries, 10 are allowed"),
    ] {
        let refused = table.set_deliveries(deliveries).unwrap_err();
        assert_eq!(refused.code(), "ValidationException");
        assert!(refused.to_string().contains(text), "{refused}");
    }
    assert!(table.deliveries().unwrap().is_empty());
    let nobody = world.tables.table("gone").set_deliveries([Delivery::new(arn)]).unwrap_err();
    assert_eq!(nobody.code(), "ResourceNotFoundException");
}

#[test]
fn a_target_that_is_gone_holds_up_no_write() {
    let world = world();
    world.tell_all();
    let (queues, streams) = (world.store.queues(), world.store.streams());
    queues.delete("queue").unwrap();
    streams.delete("stream", true).unwrap();
    world.put(item! { "p" => "a", "s" => 1 });
    world
        .store
        .transaction()
        .run(|tx| tx.put_item(PutItem::new("table", item! { "p" => "a", "s" => 2 })))
        .unwrap();
    assert_eq!(drain(&world.fifo).len(), 2, "others are told");
    world.clock.advance(Duration::from_secs(61));
    let again = queues.create("queue").unwrap();
    world.put(item! { "p" => "a", "s" => 3 });
    assert_eq!(names(&drain(&again)), ["INSERT"], "one of its name is told from now on");
}

#[test]
fn a_table_that_is_gone_leaves_no_deliveries_behind() {
    let world = world();
    world.tell_all();
    world.tables.delete_table("table").unwrap();
    world.tables.create_table(CreateTable::new("table").hash("p", ScalarType::S)).unwrap();
    assert!(world.tables.deliveries("table").unwrap().is_empty());
    world.put(item! { "p" => "a" });
    assert!(drain(&world.queue).is_empty());
}

#[test]
fn deliveries_are_there_after_opening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    {
        let store = Store::open(&path).unwrap();
        store.tables().create_table(CreateTable::new("table").hash("p", ScalarType::S)).unwrap();
        let queue = store.queues().create("queue").unwrap();
        store.tables().set_deliveries("table", vec![Delivery::new(queue.arn())]).unwrap();
        store.tables().table("table").put(item! { "p" => "a" }).unwrap();
    }
    let store = Store::open(&path).unwrap();
    store.tables().table("table").put(item! { "p" => "b" }).unwrap();
    let told = drain(&store.queues().get("queue").unwrap());
    assert_eq!(told.len(), 2);
    assert_ne!(told[0]["eventID"], told[1]["eventID"]);
}

#[test]
fn a_fork_tells_its_own() {
    let world = world();
    world.tell_all();
    world.put(item! { "p" => "a", "s" => 1 });
    let fork = world.store.fork().unwrap();
    fork.tables().table("table").put(item! { "p" => "b", "s" => 1 }).unwrap();
    assert_eq!(drain(&fork.queues().get("queue").unwrap()).len(), 2);
    assert_eq!(drain(&world.queue).len(), 1);
}

/// `examples/outbox.rs`, run again and again.
#[test]
fn an_outbox_ships_every_order_once() {
    let store = Store::builder().clock(ManualClock::default()).open_in_memory();
    for orders in [10, 25, 25] {
        outbox::make(&store).unwrap();
        outbox::place(&store, orders).unwrap();
        while outbox::ship(&store, 0).unwrap() {}
        let presents = orders.div_ceil(10);
        assert_eq!(outbox::count(&store).unwrap(), (usize::try_from(orders).unwrap(), orders + presents, 1));
    }
}

#[test]
fn images_that_do_not_fit_are_left_out_and_nothing_is_lost() {
    let world = world();
    let short = QueueAttributes::new().set("MaximumMessageSize", "32768");
    let short = world.store.queues().create(NewQueue::new("short").attributes(short)).unwrap();
    let targets = [Delivery::new(short.arn()), Delivery::new(world.queue.arn())];
    world.tables.table("table").set_deliveries(targets).unwrap();
    world.put(item! { "p" => "a", "s" => 1, "x" => "x".repeat(40_000) });
    let told = drain(&short);
    assert_eq!(told[0]["dynamodb"]["StreamViewType"], "KEYS_ONLY");
    assert_eq!(told[0]["dynamodb"].get("NewImage"), None);
    assert_eq!(told[0]["eventID"], drain(&world.queue)[0]["eventID"]);
    // The longest key there is, of letters that take the most bytes.
    let long = "\u{1}".repeat(2048);
    world.put(item! { "p" => long.as_str(), "s" => 1, "x" => "x".repeat(40_000) });
    assert_eq!(drain(&short)[0]["dynamodb"]["Keys"]["p"]["S"], json!(long));
}

#[test]
fn a_batch_of_many_large_items_tells_of_each() {
    let world = world();
    world.tell_all();
    let mut many = TransactWriteItems::new();
    for s in 0..100 {
        many = many.action(PutItem::new("table", item! { "p" => "a", "s" => s, "x" => "x".repeat(40_000) }));
    }
    world.tables.transact_write_items(&many).unwrap();
    assert_eq!(world.queue.stats().unwrap().messages(), 100);
    assert_eq!(records(&world.stream).len(), 100);
}

#[test]
fn what_does_not_fit_into_one_frame_is_refused_whole() {
    let world = world_in(Store::builder().segment_size(64 << 10));
    world.tell_all();
    let mut many = TransactWriteItems::new();
    for s in 0..60 {
        many = many.action(PutItem::new("table", item! { "p" => "a", "s" => s, "x" => "x".repeat(900) }));
    }
    let refused = world.tables.transact_write_items(&many).unwrap_err();
    assert!(refused.to_string().contains("bytes"), "{refused}");
    assert!(world.tables.scan(&Scan::new("table")).unwrap().items.is_empty());
    assert_eq!(world.queue.stats().unwrap().messages(), 0);
    assert!(records(&world.stream).is_empty());
    world.put(item! { "p" => "a", "s" => 1 });
    assert_eq!(drain(&world.queue).len(), 1);
}

#[test]
fn streams_as_destinations_by_the_services_operations() {
    let World { tables, stream, .. } = &world();
    let arn = &*stream.arn();
    let refused = |result: fourfold::kv::Result<_>| {
        let error = result.map(|_: fourfold::kv::Destination| ()).unwrap_err();
        (error.code(), error.to_string())
    };
    assert_eq!(
        refused(tables.enable_kinesis_streaming_destination("gone", arn, None)).0,
        "ResourceNotFoundException"
    );
    let gone = "arn:aws:kinesis:us-east-1:000000000000:stream/gone";
    assert_eq!(
        refused(tables.enable_kinesis_streaming_destination("table", gone, None)).1,
        "User does not have a permission to use kinesis stream"
    );
    assert_eq!(refused(tables.disable_kinesis_streaming_destination("table", arn)).0, "ValidationException");
    let status = || {
        let all = tables.describe_kinesis_streaming_destination("table").unwrap();
        all.iter().map(|one| (one.status, one.precision)).collect::<Vec<_>>()
    };
    assert_eq!(status(), []);
    tables.enable_kinesis_streaming_destination("table", arn, None).unwrap();
    assert_eq!(status(), [(DestinationStatus::Active, TimePrecision::Millisecond)]);
    assert!(
        refused(tables.enable_kinesis_streaming_destination("table", arn, None))
            .1
            .contains("must be DISABLED")
    );
    tables.table("table").put(item! { "p" => "a", "s" => 1 }).unwrap();
    let fine = TimePrecision::Microsecond;
    let updated = tables.update_kinesis_streaming_destination("table", arn, fine).unwrap();
    assert_eq!(updated.status, DestinationStatus::Updating);
    assert!(
        refused(tables.update_kinesis_streaming_destination("table", arn, fine)).1.contains("already set")
    );
    tables.table("table").put(item! { "p" => "a", "s" => 2 }).unwrap();
    tables.disable_kinesis_streaming_destination("table", arn).unwrap();
    assert_eq!(status(), [(DestinationStatus::Disabled, fine)]);
    tables.table("table").put(item! { "p" => "a", "s" => 3 }).unwrap();
    let told = records(stream);
    assert_eq!(told.len(), 2);
    let precisions: BTreeSet<_> = told
        .iter()
        .map(|(_, record)| record["dynamodb"]["ApproximateCreationDateTimePrecision"].to_string())
        .collect();
    assert_eq!(precisions, BTreeSet::from(["null".to_owned(), "\"MICROSECOND\"".to_owned()]));
}

/// What an event says became of which item, checked against what was known of it.
fn follow(table: &mut BTreeMap<String, Value>, event: &Value) {
    let shown = &event["dynamodb"];
    let key = shown["Keys"].to_string();
    let (old, new) = (shown.get("OldImage"), shown.get("NewImage"));
    assert_eq!(table.get(&key), old, "what was before, of {key}");
    let kind = match (old, new) {
        (None, Some(_)) => "INSERT",
        (Some(_), Some(_)) => "MODIFY",
        _ => "REMOVE",
    };
    assert_eq!(event["eventName"], kind);
    assert_ne!(old, new, "something changed");
    match new {
        Some(new) => drop(table.insert(key, new.clone())),
        None => drop(table.remove(&key)),
    }
}

fn follow_all<'a>(table: &mut BTreeMap<String, Value>, events: impl IntoIterator<Item = &'a Value>) {
    for event in events {
        follow(table, event);
    }
}

/// The table as events say it.
fn as_told(tables: &Tables) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for item in tables.scan(&Scan::new("table")).unwrap().items {
        let value = |name: &str| match item.get(name) {
            Some(value) if name == "p" => json!({ "S": value.as_str().unwrap() }),
            Some(value) => json!({ "N": value.as_number().unwrap().to_string() }),
            None => Value::Null,
        };
        let mut image = json!({ "p": value("p"), "s": value("s") });
        let keys = image.to_string();
        if item.contains_key("n") {
            image["n"] = value("n");
        }
        all.insert(keys, image);
    }
    all
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn change(store: &Store, tables: &Tables, chance: &mut Chance) {
    let key = item! { "p" => format!("p{}", chance.below(3)), "s" => chance.below(4) };
    let n = chance.below(3);
    let mut whole = key.clone();
    whole.insert("n".to_owned(), n.into());
    match chance.below(6) {
        0 => drop(tables.put_item(PutItem::new("table", whole)).unwrap()),
        1 => drop(tables.delete_item(DeleteItem::new("table", key)).unwrap()),
        2 => {
            let update = UpdateItem::new("table", key).update("SET n = :n").condition("attribute_exists(p)");
            drop(tables.update_item(update.value(":n", n)));
        }
        3 => {
            let other = item! { "p" => format!("p{}", chance.below(3)), "s" => 4 };
            let both = TransactWriteItems::new().action(PutItem::new("table", whole));
            drop(tables.transact_write_items(&both.action(DeleteItem::new("table", other))));
        }
        4 => {
            let put = WriteRequest::Put(item! { "p" => "p1", "s" => 4 });
            let mut batch = BatchWriteItem::default();
            batch.requests.insert("table".to_owned(), vec![put, WriteRequest::Delete(key)]);
            tables.batch_write_item(&batch).unwrap();
        }
        _ => {
            let done = store.transaction().retries(1000).run(|tx| {
                tx.put_item(PutItem::new("table", whole.clone()))?;
                let add = UpdateItem::new("table", item! { "p" => "p0", "s" => 0 });
                tx.update_item(add.update("ADD n :one").value(":one", 1))
            });
            done.unwrap();
        }
    }
}

/// Whoever follows what is told has the table, after each of many changes: what a queue tells, in order, and what a stream
/// and a FIFO queue tell of each item.
#[test]
fn who_follows_what_is_told_has_the_table() {
    let world = world();
    world.tell_all();
    let mut chance = Chance(17);
    let (mut by_queue, mut by_fifo) = (BTreeMap::new(), BTreeMap::new());
    let mut told = 0;
    for step in 0..20_000 {
        change(&world.store, &world.tables, &mut chance);
        if step % 50 == 0 {
            let events = drain(&world.queue);
            follow_all(&mut by_queue, &events);
            follow_all(&mut by_fifo, &drain(&world.fifo));
            told += events.len();
            assert_eq!(by_queue, as_told(&world.tables));
            assert_eq!(by_fifo, by_queue);
        }
    }
    told += drain(&world.queue).len();
    let mut by_stream = BTreeMap::new();
    let recorded = records(&world.stream);
    follow_all(&mut by_stream, recorded.iter().map(|(_, record)| record));
    assert_eq!((recorded.len(), by_stream), (told, as_told(&world.tables)));
    let mut keys = BTreeMap::new();
    for (partition, record) in &recorded {
        let key = record["dynamodb"]["Keys"].to_string();
        assert_eq!(keys.entry(key).or_insert(partition), &partition);
    }
}

#[test]
fn many_threads_tell_in_order() {
    let world = world();
    world.tell_all();
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (store, tables) = (&world.store, &world.tables);
            scope.spawn(move || {
                let mut chance = Chance(seed);
                (0..500).for_each(|_| change(store, tables, &mut chance));
            });
        }
    });
    let (mut by_queue, mut by_fifo, mut by_stream) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let events = drain(&world.queue);
    follow_all(&mut by_queue, &events);
    follow_all(&mut by_fifo, &drain(&world.fifo));
    let recorded = records(&world.stream);
    follow_all(&mut by_stream, recorded.iter().map(|(_, record)| record));
    assert_eq!((&by_queue, &by_queue), (&by_fifo, &by_stream));
    assert_eq!(by_queue, as_told(&world.tables));
    let numbers: Vec<_> =
        events.iter().map(|event| event["dynamodb"]["SequenceNumber"].to_string()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "what is told to one queue is in the order of its numbers");
    assert_eq!(events.len(), recorded.len());
}
