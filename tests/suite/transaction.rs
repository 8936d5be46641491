//! Transactions over all four engines: what they do, see, refuse and tell.

use fourfold::kv::{
    ConditionCheck, CreateTable, DeleteItem, GetItem, Item, PutItem, Query, ReturnValues, ScalarType, Tables,
    UpdateItem, item,
};
use fourfold::objects::{
    Bucket, DeleteObject, EventType, GetObject, ListVersions, NotificationConfiguration, NotificationRule,
    PutObject, Versioning,
};
use fourfold::queue::{Message, NewQueue, Queue, QueueAttributes, Receive, SendMessage};
use fourfold::stream::{CreateStream, PutRecord, Start, Stream};
use fourfold::transaction::{Cause, Engine, Error};
use fourfold::{ManualClock, Store};
use std::cell::Cell;
use std::time::Duration;

struct World {
    store: Store,
    clock: ManualClock,
    tables: Tables,
    queue: Queue,
    stream: Stream,
    bucket: Bucket,
}

fn world() -> World {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    let tables = store.tables();
    let table = CreateTable::new("table").hash("p", ScalarType::S).range("s", ScalarType::N);
    tables.create_table(table).unwrap();
    let queue = store.queues().create("queue").unwrap();
    let stream = store.streams().create("stream", CreateStream::default().shard_count(2)).unwrap();
    let bucket = store.buckets().create("bucket").unwrap();
    World { store, clock, tables, queue, stream, bucket }
}

impl World {
    fn item(&self, key: Item) -> Option<Item> {
        self.tables.get_item(&GetItem::new("table", key)).unwrap().item
    }

    fn records(&self) -> Vec<String> {
        records(&self.stream)
    }

    fn is_untouched(&self) -> bool {
        let page = self.tables.scan(&fourfold::kv::Scan::new("table")).unwrap();
        page.items.is_empty()
            && self.queue.stats().unwrap().messages() == 0
            && self.records().is_empty()
            && self.bucket.head("key").is_err()
    }
}

fn records(stream: &Stream) -> Vec<String> {
    let mut found = Vec::new();
    for shard in ["shardId-000000000000", "shardId-000000000001"] {
        let mut cursor = stream.cursor(shard, Start::TrimHorizon).unwrap();
        while let Some(record) = cursor.try_next().unwrap() {
            found.push(String::from_utf8(record.data().to_vec()).unwrap());
        }
    }
    found
}

fn key(p: &str, s: i32) -> Item {
    item! { "p" => p, "s" => s }
}

fn put(p: &str, s: i32, value: i32) -> PutItem {
    PutItem::new("table", item! { "p" => p, "s" => s, "v" => value })
}

fn add(p: &str, s: i32, value: i32) -> UpdateItem {
    UpdateItem::new("table", key(p, s)).update("ADD v :n").value(":n", value)
}

#[test]
fn all_of_it_happens_at_once() {
    let world = world();
    world.queue.send("work").unwrap();
    let work = world.queue.receive(1).unwrap().remove(0);
    let done = world
        .store
        .transaction()
        .run(|tx| {
            tx.put_item(put("a", 1, 1))?;
            tx.acknowledge(&world.queue, work.receipt_handle())?;
            let sent = tx.send(&world.queue, "more work")?;
            let put = tx.put_record(&world.stream, &PutRecord::new("k", "record"))?;
            tx.put_object(&world.bucket, PutObject::new("key"), vec![7; 300_000])?;
            Ok((sent, put))
        })
        .unwrap();
    assert!(done.position().is_some() && done.attempts == 1);
    let (sent, put) = done.value;
    let more = world.queue.receive(10).unwrap();
    assert_eq!(more.len(), 1);
    assert_eq!((more[0].body(), more[0].id()), ("more work", done.sent(sent).unwrap().id()));
    assert!(done.put(put).unwrap().shard_id.starts_with("shardId-"));
    assert_eq!(world.records(), ["record"]);
    assert_eq!(world.item(key("a", 1)).unwrap()["v"], 1.into());
    assert_eq!(world.bucket.get("key").unwrap().body.bytes().unwrap(), vec![7; 300_000]);
    assert_eq!(world.queue.stats().unwrap().messages(), 1);
    assert!(world.store.verify().unwrap().is_empty());
    world.store.buckets().audit().unwrap();
}

#[test]
fn it_is_one_frame() {
    let world = world();
    let before = world.store.snapshot().position();
    let done = world
        .store
        .transaction()
        .run(|tx| {
            tx.put_item(put("a", 1, 1))?;
            tx.send(&world.queue, "x")?;
            tx.put_record(&world.stream, &PutRecord::new("k", "r"))?;
            tx.put_object(&world.bucket, PutObject::new("key"), "o")
        })
        .unwrap();
    assert_eq!(done.position().unwrap(), before, "nothing was written before it");
}

#[test]
fn nothing_happens_if_one_is_refused() {
    let world = world();
    let parts = |tx: &mut fourfold::transaction::Transaction| {
        tx.put_item(put("a", 1, 1))?;
        tx.send(&world.queue, "x")?;
        tx.put_record(&world.stream, &PutRecord::new("k", "r"))?;
        tx.put_object(&world.bucket, PutObject::new("key"), vec![1; 100_000])
    };
    let refused = world.store.transaction().run(|tx| {
        parts(tx)?;
        tx.update_item(add("a", 2, 1).condition("attribute_exists(p)"))
    });
    let error = refused.unwrap_err();
    assert_eq!(error.code(), "ConditionalCheckFailedException");
    let Error::Refused { operation, verb, resource, cause } = &error else { panic!("{error}") };
    assert_eq!((*operation, *verb, &**resource), (4, "UpdateItem", "table"));
    assert_eq!(cause.engine(), Engine::Table);
    assert_eq!(
        error.to_string(),
        "operation 4 (UpdateItem, table table) was refused: ConditionalCheckFailedException: The conditional request failed"
    );
    assert!(world.is_untouched());

    let aborted = world.store.transaction().run(|tx| {
        parts(tx)?;
        Err::<(), _>(Error::abort("no"))
    });
    assert!(matches!(aborted.unwrap_err(), Error::Aborted { .. }));
    assert!(world.is_untouched());

    // Known only when everything is locked: a message of another queue, one that is gone.
    world.queue.send("gone").unwrap();
    let gone = world.queue.receive(1).unwrap().remove(0);
    world.queue.delete_message(gone.receipt_handle()).unwrap();
    let refused = world.store.transaction().run(|tx| {
        parts(tx)?;
        tx.acknowledge(&world.queue, gone.receipt_handle())
    });
    let error = refused.unwrap_err();
    assert_eq!(error.code(), "InvalidParameterValue");
    let Error::Refused { operation: 4, cause, .. } = &error else { panic!("{error}") };
    assert!(matches!(**cause, Cause::Queue(_)));
    assert!(world.is_untouched());
    let fine = world.store.transaction().run(|tx| tx.delete_message(&world.queue, gone.receipt_handle()));
    fine.unwrap(); // as with the service
    assert!(world.store.transaction().run(|tx| tx.delete_message(&world.queue, "nonsense")).is_err());
    world.store.buckets().audit().unwrap();
}

#[test]
fn it_sees_its_own_writes_over_one_moment() {
    let world = world();
    world.tables.put_item(put("a", 1, 1)).unwrap();
    world.bucket.put("key", "old").unwrap();
    world
        .store
        .transaction()
        .run(|tx| {
            let get = |tx: &mut fourfold::transaction::Transaction, s| {
                Ok::<_, Error>(
                    tx.get_item(&GetItem::new("table", key("a", s)))?.item.map(|item| item["v"].clone()),
                )
            };
            assert_eq!(get(tx, 1)?, Some(1.into()));
            tx.update_item(add("a", 1, 5))?;
            let old = tx.update_item(add("a", 1, 5).return_values(ReturnValues::UpdatedOld))?;
            assert_eq!(old.attributes.unwrap()["v"], 6.into());
            assert_eq!(get(tx, 1)?, Some(11.into()));
            tx.delete_item(DeleteItem::new("table", key("a", 1)))?;
            assert_eq!(get(tx, 1)?, None);
            tx.put_item(put("a", 2, 2).condition("attribute_not_exists(p)"))?;
            assert!(tx.put_item(put("a", 2, 2).condition("attribute_not_exists(p)")).is_err());
            tx.put_item(put("a", 3, 3))?;
            tx.put_item(put("b", 3, 3))?;

            let query = Query::new("table").key_condition("p = :p").value(":p", "a");
            let found = tx.query(&query.clone().limit(1))?;
            assert_eq!((found.items[0]["v"].clone(), found.count), (2.into(), 1));
            let found = tx.query(&query.backward())?;
            let values: Vec<_> = found.items.iter().map(|item| item["v"].clone()).collect();
            assert_eq!(values, [3.into(), 2.into()]);

            assert_eq!(tx.get_object(&world.bucket, &GetObject::new("key"))?.body.bytes().unwrap(), "old");
            tx.put_object(&world.bucket, PutObject::new("key"), vec![9; 2_000_000])?;
            let ranged = GetObject::new("key").range("bytes=-3");
            assert_eq!(tx.get_object(&world.bucket, &ranged)?.body.bytes().unwrap(), vec![9; 3]);
            assert_eq!(tx.head_object(&world.bucket, &GetObject::new("key"))?.info.size, 2_000_000);
            tx.delete_object(&world.bucket, &DeleteObject::new("key"))?;
            let gone = tx.get_object(&world.bucket, &GetObject::new("key")).unwrap_err();
            assert_eq!(gone.code(), "NoSuchKey");
            tx.put_object(&world.bucket, PutObject::new("key").if_none_match(), "new")?;
            Ok(())
        })
        .unwrap();
    assert_eq!(world.item(key("a", 1)), None);
    assert_eq!(world.item(key("a", 3)).unwrap()["v"], 3.into());
    assert_eq!(world.bucket.get("key").unwrap().body.bytes().unwrap(), "new");
    world.store.maintain().unwrap();
    let audit = world.store.buckets().audit().unwrap();
    assert_eq!(audit.freed, 0, "what was put and deleted left nothing");
}

#[test]
fn versions_of_one_key_follow_each_other() {
    let world = world();
    world.bucket.set_versioning(Versioning::Enabled).unwrap();
    let done = world.store.transaction().run(|tx| {
        let first = tx.put_object(&world.bucket, PutObject::new("key"), "one")?.version_id.unwrap();
        let marker = tx.delete_object(&world.bucket, &DeleteObject::new("key"))?.version_id.unwrap();
        assert_eq!(tx.head_object(&world.bucket, &GetObject::new("key")).unwrap_err().code(), "NoSuchKey");
        let old = GetObject::new("key").version(first);
        assert_eq!(tx.get_object(&world.bucket, &old)?.body.bytes().unwrap(), "one");
        tx.delete_object(&world.bucket, &DeleteObject::new("key").version(marker))?;
        let last = tx.put_object(&world.bucket, PutObject::new("key"), "two")?.version_id.unwrap();
        Ok((first, last))
    });
    let (first, last) = done.unwrap().value;
    let versions = world.bucket.list_versions(&ListVersions::default()).unwrap().versions;
    assert_eq!(versions.iter().map(|version| version.version_id).collect::<Vec<_>>(), [last, first]);
    assert_eq!(world.bucket.get("key").unwrap().body.bytes().unwrap(), "two");
}

#[test]
fn what_was_read_and_changed_is_a_conflict() {
    let world = world();
    world.tables.put_item(put("a", 1, 1)).unwrap();
    world.bucket.put("key", "old").unwrap();
    let get = GetItem::new("table", key("a", 1));
    // Somebody else comes in between, the first time.
    let run = |retries: u32,
               work: &dyn Fn(&mut fourfold::transaction::Transaction) -> Result<(), Error>,
               other: &dyn Fn()| {
        let is_first = Cell::new(true);
        world.store.transaction().retries(retries).run(|tx| {
            work(tx)?;
            if is_first.replace(false) {
                other();
            }
            tx.send(&world.queue, "done").map(drop)
        })
    };
    let read = |tx: &mut fourfold::transaction::Transaction| tx.get_item(&get).map(drop);
    let change = || drop(world.tables.update_item(add("a", 1, 1)).unwrap());
    let error = run(0, &read, &change).unwrap_err();
    assert!(
        matches!(&error, Error::Conflict { engine: Engine::Table, resource, attempts: 1 } if resource == "table"),
        "{error}"
    );
    assert_eq!(run(1, &read, &change).unwrap().attempts, 2);
    // Another item of the partition is not what was read; to read all of it is.
    let other = || drop(world.tables.put_item(put("a", 7, 7)).unwrap());
    assert_eq!(run(0, &read, &other).unwrap().attempts, 1);
    let query = Query::new("table").key_condition("p = :p").value(":p", "a");
    let all = |tx: &mut fourfold::transaction::Transaction| tx.query(&query).map(drop);
    let one = |tx: &mut fourfold::transaction::Transaction| tx.query(&query.clone().limit(1)).map(drop);
    let phantom = || drop(world.tables.put_item(put("a", 9, 9)).unwrap());
    assert!(run(0, &all, &phantom).is_err());
    let behind = || drop(world.tables.put_item(put("a", 10, 9)).unwrap());
    assert!(run(0, &one, &behind).is_ok(), "the page ended before");
    // Conditions and updates read, whole puts don't.
    let update = |tx: &mut fourfold::transaction::Transaction| tx.update_item(add("a", 1, 1)).map(drop);
    assert!(run(0, &update, &change).is_err());
    let check = |tx: &mut fourfold::transaction::Transaction| {
        let check = ConditionCheck::new("table", key("a", 1)).condition("v > :zero").value(":zero", 0);
        tx.check_item(check)
    };
    assert!(run(0, &check, &change).is_err());
    let blind = |tx: &mut fourfold::transaction::Transaction| tx.put_item(put("a", 1, 100)).map(drop);
    assert!(run(0, &blind, &change).is_ok());
    assert_eq!(world.item(key("a", 1)).unwrap()["v"], 100.into());
    // Objects.
    let write = |tx: &mut fourfold::transaction::Transaction| {
        tx.put_object(&world.bucket, PutObject::new("key"), "mine").map(drop)
    };
    let theirs = || {
        world.bucket.put("key", "theirs").unwrap();
    };
    let error = run(0, &write, &theirs).unwrap_err();
    assert!(matches!(error, Error::Conflict { engine: Engine::Bucket, .. }));
    assert_eq!(error.code(), "TransactionConflictException");
    let versioning = || world.bucket.set_versioning(Versioning::Enabled).unwrap();
    assert!(run(0, &write, &versioning).is_err());
    assert_eq!(run(3, &write, &versioning).unwrap().attempts, 1);
    // What only reads has its place where it began.
    let reader = world.store.transaction().run(|tx| {
        tx.get_item(&get)?;
        change();
        tx.get_item(&get)
    });
    assert_eq!(reader.unwrap().value.item.unwrap()["v"], 100.into());
    // What was given up left no body behind.
    world.store.buckets().audit().unwrap();
}

#[test]
fn of_two_workers_on_one_message_one_commits() {
    for fifo in [false, true] {
        let world = world();
        let queue = if fifo { NewQueue::new("jobs.fifo").fifo() } else { NewQueue::new("jobs") };
        let attributes = QueueAttributes::new().visibility_timeout(10);
        let jobs = world.store.queues().create(queue.attributes(attributes)).unwrap();
        let message = SendMessage::new("job");
        jobs.send(if fifo { message.group("g").deduplication_id("1") } else { message }).unwrap();
        let slow = jobs.receive(1).unwrap().remove(0);
        world.clock.advance(Duration::from_secs(11));
        let fast = jobs.receive(1).unwrap().remove(0);
        let work = |handle: &str| {
            world.store.transaction().run(|tx| {
                tx.update_item(add("total", 1, 1))?;
                tx.acknowledge(&jobs, handle)
            })
        };
        work(fast.receipt_handle()).unwrap();
        let late = work(slow.receipt_handle()).unwrap_err();
        assert_eq!(late.code(), "InvalidParameterValue", "{late}");
        assert_eq!(world.item(key("total", 1)).unwrap()["v"], 1.into());
        assert_eq!(jobs.stats().unwrap().messages(), 0);
    }
}

#[test]
fn messages_of_a_fifo_queue_keep_their_order_and_come_once() {
    let world = world();
    let queue =
        NewQueue::new("q.fifo").fifo().attributes(QueueAttributes::new().content_based_deduplication());
    let queue = world.store.queues().create(queue).unwrap();
    let done = world.store.transaction().run(|tx| {
        let tickets = ["a", "b", "a", "c"].map(|body| tx.send(&queue, SendMessage::new(body).group("g")));
        tickets.into_iter().collect::<Result<Vec<_>, _>>()
    });
    let done = done.unwrap();
    let ids: Vec<_> = done.value.iter().map(|ticket| done.sent(*ticket).unwrap().id()).collect();
    assert_eq!(ids[0], ids[2], "a duplicate");
    let bodies: Vec<_> = queue.receive(10).unwrap().iter().map(|message| message.body().to_owned()).collect();
    assert_eq!(bodies, ["a", "b", "c"]);
    let refused = world.store.transaction().run(|tx| tx.send(&queue, "without a group"));
    assert_eq!(refused.unwrap_err().code(), "MissingParameter");
}

#[test]
fn who_waits_is_woken() {
    let world = world();
    let waiting = std::thread::scope(|threads| {
        let receiver = threads.spawn(|| world.queue.receive(Receive::new().wait(20)).unwrap());
        while world.queue.stats().unwrap().waiting == 0 {
            std::thread::yield_now();
        }
        world.store.transaction().run(|tx| tx.send(&world.queue, "hello")).unwrap();
        receiver.join().unwrap()
    });
    assert_eq!(waiting[0].body(), "hello");
    let mut cursor = world.stream.cursor("shardId-000000000000", Start::TrimHorizon).unwrap();
    let record = std::thread::scope(|threads| {
        let reader = threads.spawn(move || cursor.next().unwrap());
        world
            .store
            .transaction()
            .run(|tx| tx.put_record(&world.stream, &PutRecord::new("k", "r").explicit_hash_key("0")))
            .unwrap();
        reader.join().unwrap()
    });
    assert_eq!(record.unwrap().data(), b"r");
}

#[test]
fn events_of_objects_arrive_in_the_same_commit() {
    let world = world();
    let arns = [world.queue.arn().to_owned(), world.stream.arn()];
    let rules = [
        NotificationRule::new(&*arns[0], [EventType::ObjectCreated]),
        NotificationRule::new(&*arns[1], [EventType::ObjectRemoved]),
    ];
    world.bucket.set_notifications(NotificationConfiguration::new(rules)).unwrap();
    let tests = world.queue.receive(10).unwrap();
    world.queue.delete_message(tests[0].receipt_handle()).unwrap();
    let told = world.records().len();
    let refused = world.store.transaction().run(|tx| {
        tx.put_object(&world.bucket, PutObject::new("key"), "o")?;
        tx.put_item(put("a", 1, 1).condition("attribute_exists(p)"))
    });
    refused.unwrap_err();
    assert_eq!((world.queue.stats().unwrap().messages(), world.records().len()), (0, told));
    world
        .store
        .transaction()
        .run(|tx| {
            tx.put_object(&world.bucket, PutObject::new("key"), "o")?;
            tx.put_object(&world.bucket, PutObject::new("other"), "o")?;
            tx.delete_object(&world.bucket, &DeleteObject::new("other"))?;
            tx.put_record(&world.stream, &PutRecord::new("k", "mine"))?;
            tx.send(&world.queue, "mine") // to the queue that is told as well
        })
        .unwrap();
    let messages = world.queue.receive(10).unwrap();
    let bodies: Vec<_> = messages.iter().map(Message::body).collect();
    assert_eq!(bodies.len(), 3);
    assert!(
        bodies[0] == "mine" && bodies[1].contains(r#""key":"key""#) && bodies[2].contains(r#""key":"other""#)
    );
    assert_eq!(world.records().len(), told + 2);
}

#[test]
fn a_table_tells_of_one_change_for_each_item() {
    use fourfold::kv::{ChangeKind, StreamViewType};
    let world = world();
    let table = CreateTable::new("told").hash("p", ScalarType::S).attribute("g", ScalarType::S);
    let index = fourfold::kv::Index::new("by_g").hash("g");
    world.tables.create_table(table.global_index(index).stream(StreamViewType::NewAndOldImages)).unwrap();
    let mut changes = world.tables.subscribe("told").unwrap();
    world
        .store
        .transaction()
        .run(|tx| {
            tx.put_item(PutItem::new("told", item! { "p" => "a", "g" => "x" }))?;
            tx.put_item(PutItem::new("told", item! { "p" => "a", "g" => "y" }))?;
            tx.put_item(PutItem::new("told", item! { "p" => "b", "g" => "y" }))?;
            tx.put_item(PutItem::new("told", item! { "p" => "c", "g" => "y" }))?;
            tx.delete_item(DeleteItem::new("told", item! { "p" => "c" }))
        })
        .unwrap();
    let mut kinds = Vec::new();
    while let Some(change) = changes.try_next().unwrap() {
        kinds.push((change.kind, change.new_image.unwrap()["g"].clone()));
    }
    assert_eq!(kinds, [(ChangeKind::Insert, "y".into()), (ChangeKind::Insert, "y".into())]);
    let query = Query::new("told").index("by_g").key_condition("g = :g");
    assert_eq!(world.tables.query(&query.clone().value(":g", "y")).unwrap().count, 2);
    assert_eq!(world.tables.query(&query.value(":g", "x")).unwrap().count, 0);
    assert!(world.tables.verify().unwrap().is_empty());
    let refused = world
        .store
        .transaction()
        .run(|tx| tx.query(&Query::new("told").index("by_g").key_condition("g = :g").value(":g", "y")));
    assert_eq!(refused.unwrap_err().code(), "ValidationException");
}

#[test]
fn what_does_not_fit_says_so_and_leaves_nothing() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock).segment_size(64 << 10).open_in_memory();
    let stream = store.streams().create("s", CreateStream::default().shard_count(1)).unwrap();
    let bucket = store.buckets().create("bucket").unwrap();
    let large = store.transaction().run(|tx| {
        tx.put_object(&bucket, PutObject::new("key"), vec![1; 500_000])?;
        (0..100).try_for_each(|_| tx.put_record(&stream, &PutRecord::new("k", &[0; 1000])).map(drop))
    });
    let error = large.unwrap_err();
    let Error::TooLarge { len, max } = error else { panic!("{error}") };
    assert!(len > 100_000 && max < 65_536);
    assert!(error.to_string().contains(&max.to_string()));
    assert!(bucket.head("key").is_err());
    store.transaction().run(|tx| tx.put_object(&bucket, PutObject::new("key"), vec![1; 500_000])).unwrap();
    assert_eq!(bucket.get("key").unwrap().body.bytes().unwrap().len(), 500_000);
}

#[test]
fn handles_of_another_store_and_gone_resources_are_refused() {
    let (world, other) = (world(), world());
    let foreign = world.store.transaction().run(|tx| tx.send(&other.queue, "x"));
    assert!(matches!(foreign.unwrap_err(), Error::Storage(fourfold::Error::Invalid { .. })));
    let gone = world.store.transaction().run(|tx| {
        tx.put_item(put("a", 1, 1))?;
        tx.send(&world.queue, "x")?;
        world.store.queues().delete("queue").unwrap();
        Ok(())
    });
    let error = gone.unwrap_err();
    assert!(matches!(&error, Error::Refused { operation: 1, verb: "SendMessage", .. }), "{error}");
    assert_eq!(world.item(key("a", 1)), None);
    let gone = world.store.transaction().run(|tx| {
        tx.put_item(put("a", 1, 1))?;
        world.tables.delete_table("table").map(drop).unwrap();
        Ok(())
    });
    assert_eq!(gone.unwrap_err().code(), "ResourceNotFoundException");
}

#[test]
fn faults_hit_operations_within() {
    use fourfold::faults::Failure;
    let world = world();
    world.store.faults().on("PutRecord").nth(2).fail(Failure::Throttle);
    let work = || {
        world.store.transaction().run(|tx| {
            tx.send(&world.queue, "x")?;
            tx.put_records(&world.stream, &[PutRecord::new("k", "1"), PutRecord::new("k", "2")])
        })
    };
    let error = work().unwrap_err();
    assert!(matches!(&error, Error::Refused { operation: 2, verb: "PutRecord", .. }), "{error}");
    assert!(world.is_untouched());
    assert_eq!(work().unwrap().value.len(), 2);
    assert_eq!(world.records(), ["1", "2"]);
}

#[test]
fn a_future_commits_as_well() {
    let world = world();
    let runner = world.store.transaction().retries(1);
    let mut future = std::pin::pin!(runner.run_async(|tx| tx.send(&world.queue, "x")));
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    loop {
        if let std::task::Poll::Ready(done) = std::future::Future::poll(future.as_mut(), &mut context) {
            assert_eq!(done.unwrap().attempts, 1);
            break;
        }
        std::thread::yield_now();
    }
    assert_eq!(world.queue.stats().unwrap().messages(), 1);
}
