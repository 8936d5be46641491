//! To see inside: counts that agree with what is there, and trails of messages, items and objects.

use fourfold::kv::{ChangeKind, CreateTable, Index, ScalarType, StreamViewType, item};
use fourfold::objects::{
    CopyObject, CopySource, CreateUpload, DeleteObject, LifecycleAction, LifecycleConfiguration,
    LifecycleRule, UploadPart, Versioning,
};
use fourfold::queue::{MessageState, NewQueue, QueueAttributes, Receive, SendMessage};
use fourfold::stream::{CreateStream, Start, Tags};
use fourfold::{ManualClock, Store, Timestamp};
use std::time::Duration;

fn world() -> (ManualClock, Store) {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).seed(3).open_in_memory();
    (clock, store)
}

/// Records and bytes that a reader finds.
fn readable(stream: &fourfold::stream::Stream) -> (u64, u64) {
    let mut found = (0, 0);
    for shard in stream.stats().unwrap().shards {
        let mut cursor = stream.cursor(&shard.shard_id, Start::TrimHorizon).unwrap();
        while let Some(record) = cursor.try_next().unwrap() {
            found.0 += 1;
            found.1 += (record.partition_key().len() + record.data().len()) as u64;
        }
    }
    found
}

#[test]
fn a_stream_counts_what_can_be_read() {
    let (clock, store) = world();
    let stream = store.streams().create("clicks", CreateStream::default().shard_count(2)).unwrap();
    for step in 0..200_u64 {
        let data = vec![b'x'; (step * 37 % 500) as usize];
        stream.put(&format!("user-{}", step % 7), data).unwrap();
        clock.advance(Duration::from_secs(step * 53 % 1000));
        if step == 60 {
            let shard = stream.stats().unwrap().shards[0].shard_id;
            stream.split_shard(&shard, u128::MAX / 4).unwrap();
        }
        if step % 3 == 0 {
            let stats = stream.stats().unwrap();
            assert_eq!((stats.records, stats.bytes), readable(&stream), "in step {step}");
        }
    }
    assert!(stream.stats().unwrap().records < 200, "some have expired");
    // What was counted and what is counted anew agree.
    let fork = store.fork().unwrap();
    let again = fork.streams().stream("clicks").unwrap().stats().unwrap();
    assert_eq!(again, stream.stats().unwrap());
    clock.advance(Duration::from_hours(25));
    let stats = stream.stats().unwrap();
    assert_eq!((stats.records, stats.bytes, stats.oldest), (0, 0, None));
    assert_eq!((stats.open_shards, stats.closed_shards), (3, 0), "the one that was split has expired");
}

#[test]
fn a_record_in_parts_is_one_record() {
    let (_, store) = world();
    let settings = CreateStream::default().shard_count(1).max_record_size_kib(10 << 10);
    let stream = store.streams().create("large", settings).unwrap();
    stream.put("k", vec![7; 5 << 20]).unwrap();
    stream.put("k", "small").unwrap();
    let stats = stream.stats().unwrap();
    assert_eq!((stats.records, stats.bytes), (2, (5 << 20) + 1 + 6));
}

#[test]
fn a_subscription_lags_behind_what_it_was_not_given() {
    let (clock, store) = world();
    let streams = store.streams();
    let stream = streams.create("clicks", CreateStream::default().shard_count(1)).unwrap();
    let app = stream.register_consumer("app", &Tags::new()).unwrap();
    let lag = || stream.stats().unwrap().consumers[0].subscriptions[0].lag;
    let shard = stream.stats().unwrap().shards[0].shard_id;
    let mut subscription = streams.subscribe(&app.arn, &shard, Start::Latest).unwrap();
    assert_eq!(lag(), Duration::ZERO);
    for _ in 0..3 {
        stream.put("k", "v").unwrap();
        clock.advance(Duration::from_secs(2));
    }
    assert_eq!(lag(), Duration::from_secs(6));
    assert_eq!(subscription.next().unwrap().unwrap().records.len(), 3);
    assert_eq!(lag(), Duration::ZERO);
    clock.advance(Duration::from_mins(5));
    assert_eq!(stream.stats().unwrap().consumers[0].subscriptions, [], "it is over");
}

#[test]
fn a_table_counts_items_entries_and_changes() {
    let (clock, store) = world();
    let table = CreateTable::new("users").hash("id", ScalarType::N).attribute("team", ScalarType::S);
    let table = table.global_index(Index::new("by-team").hash("team")).stream(StreamViewType::KeysOnly);
    store.tables().create_table(table).unwrap();
    let users = store.tables().table("users");
    for id in 0..10 {
        users.put(item! { "id" => id }).unwrap();
    }
    clock.advance(Duration::from_hours(20));
    for id in 0..5 {
        users.put(item! { "id" => id, "team" => "red" }).unwrap();
    }
    users.delete(item! { "id" => 9 }).unwrap();
    let stats = users.stats().unwrap();
    assert_eq!((stats.items, stats.indexes[0].items), (9, 5));
    assert_eq!(stats.bytes, store.tables().describe_table("users").unwrap().table_size_bytes);
    let changes = stats.changes.clone().unwrap();
    assert_eq!((changes.records, changes.oldest), (16, Some(Duration::from_hours(20))));
    let fork = store.fork().unwrap();
    assert_eq!(fork.tables().table("users").stats().unwrap(), stats);
    clock.advance(Duration::from_hours(5));
    let changes = users.stats().unwrap().changes.unwrap();
    assert_eq!((changes.records, changes.oldest), (6, Some(Duration::from_hours(5))));
    assert_eq!(stats.capacity, None);
    let mut dials = store.tables().dials();
    dials.count_partitions = true;
    store.tables().set_dials(dials);
    for id in 0..1000 {
        users.put(item! { "id" => id }).unwrap();
    }
    let used = users.stats().unwrap().capacity.unwrap();
    assert!((used.read_units, used.write_units) == (0.0, 1000.0), "{used:?}");
}

#[test]
fn a_bucket_counts_versions_markers_and_parts() {
    let (_, store) = world();
    let bucket = store.buckets().create("photos").unwrap();
    bucket.set_versioning(Versioning::Enabled).unwrap();
    for n in 0..10_usize {
        bucket.put(&format!("key-{}", n % 3), vec![7; 10 * n]).unwrap();
    }
    bucket.delete_object(&DeleteObject::new("key-1")).unwrap();
    bucket.put("large", vec![7; 3 << 20]).unwrap();
    let upload = bucket.create_upload(CreateUpload::new("film")).unwrap().upload_id;
    for part in [1, 2] {
        bucket.upload_part(UploadPart::new("film", upload, part), vec![7; 1000]).unwrap();
    }
    let stats = bucket.stats().unwrap();
    assert_eq!((stats.objects, stats.versions, stats.delete_markers), (3, 11, 1));
    assert_eq!(stats.bytes, 450 + (3 << 20));
    assert_eq!((stats.uploads, stats.parts, stats.part_bytes), (1, 2, 2000));
}

#[test]
fn an_inventory_counts_resources_and_starts_nothing() {
    let (clock, store) = world();
    assert_eq!(store.inventory().unwrap(), fourfold::Inventory::default());
    assert_eq!(store.next_deadline(), None);
    store.keyspace("mine").unwrap();
    for n in 0..3 {
        store.queues().create(format!("queue-{n}").as_str()).unwrap();
    }
    store.queues().delete("queue-1").unwrap();
    let table = CreateTable::new("users").hash("id", ScalarType::N).stream(StreamViewType::KeysOnly);
    store.tables().create_table(table).unwrap();
    let bucket = store.buckets().create("photos").unwrap();
    bucket.put("large", vec![7; 1 << 20]).unwrap();
    let found = store.inventory().unwrap();
    assert_eq!((found.keyspaces, found.queues, found.streams, found.tables, found.buckets), (1, 2, 0, 1, 1));
    clock.advance(Duration::from_mins(2));
    assert_eq!(store.fork().unwrap().inventory().unwrap(), found);
}

#[test]
fn the_trail_of_a_message_leads_through_its_queues() {
    let (clock, store) = world();
    let start = store.now();
    let queues = store.queues();
    let dead = queues.create("dead").unwrap();
    let attributes = QueueAttributes::new().dead_letters_to(dead.arn(), 2).visibility_timeout(30);
    let jobs = queues.create(NewQueue::new("jobs").attributes(attributes)).unwrap();
    let id = jobs.send(SendMessage::new("a").delay(10)).unwrap().id();
    let stay = jobs.trail(&id).unwrap().unwrap().stay.unwrap();
    assert_eq!(stay.state, MessageState::Delayed { until: start + Duration::from_secs(10) });
    assert_eq!((stay.receives, stay.gives_up.as_ref().unwrap().receives_left), (0, 2));
    assert_eq!(stay.expires, start + Duration::from_hours(96));
    clock.advance(Duration::from_secs(10));
    for _ in 0..2 {
        jobs.receive(1).unwrap();
        clock.advance(Duration::from_secs(30));
    }
    let trail = jobs.trail(&id).unwrap().unwrap();
    let stay = trail.stay.unwrap();
    assert_eq!((trail.sent, &*stay.queue, stay.receives), (start, "jobs", 2));
    let times = [stay.first_received, stay.last_received];
    assert_eq!(times, [10, 40].map(|seconds| Some(start + Duration::from_secs(seconds))));
    assert!(jobs.receive(1).unwrap().is_empty(), "it is given up");
    for from in [&jobs, &dead] {
        let trail = from.trail(&id).unwrap().unwrap();
        let given_up = trail.given_up.unwrap();
        assert_eq!((&*given_up.by, given_up.receives, trail.sent), ("jobs", 2, start));
        let stay = trail.stay.unwrap();
        assert_eq!((&*stay.queue, stay.receives, stay.state), ("dead", 0, MessageState::Visible));
        assert_eq!(stay.expires, start + Duration::from_hours(96), "as it was sent");
    }
    let message = dead.receive(1).unwrap().remove(0);
    dead.delete_message(message.receipt_handle()).unwrap();
    let trail = jobs.trail(&id).unwrap().unwrap();
    assert!(trail.stay.is_none() && trail.to_string().contains("gone"), "{trail}");
    assert!(dead.trail(&id).unwrap().is_none(), "it did not give this id");
    assert!(jobs.trail("no id").unwrap().is_none());
}

#[test]
fn queues_that_give_up_to_each_other_end_a_trail() {
    let (_, store) = world();
    let queues = store.queues();
    let (one, other) = (queues.create("one").unwrap(), queues.create("other").unwrap());
    for (from, to) in [(&one, &other), (&other, &one)] {
        from.set_attributes(&QueueAttributes::new().dead_letters_to(to.arn(), 1)).unwrap();
    }
    let message = one.send("a").unwrap().id();
    one.purge().unwrap();
    assert!(one.trail(&message).unwrap().unwrap().stay.is_none());
}

#[test]
fn a_message_waits_for_another_one_of_its_group() {
    let (_, store) = world();
    let queue = store.queues().create(NewQueue::new("orders.fifo").fifo()).unwrap();
    let order = |n: u32| SendMessage::new(n.to_string()).group("ann").deduplication_id(n.to_string());
    let ids: Vec<_> = (0..3).map(|n| queue.send(order(n)).unwrap().id()).collect();
    queue.receive(Receive::new().max_messages(1)).unwrap();
    let trail = queue.trail(&ids[2]).unwrap().unwrap();
    let stay = trail.stay.as_ref().unwrap();
    assert_eq!((&stay.state, stay.blocked_by.as_deref()), (&MessageState::Blocked, Some(&*ids[0])));
    assert!(trail.to_string().contains(&format!("behind {} of its group", ids[0])), "{trail}");
}

#[test]
fn the_trail_of_an_item_is_its_changes_and_where_it_is_found() {
    let (clock, store) = world();
    let start = store.now();
    let tables = store.tables();
    let table = CreateTable::new("users").hash("id", ScalarType::S).attribute("team", ScalarType::S);
    let table = table.global_index(Index::new("by-team").hash("team")).stream(StreamViewType::KeysOnly);
    tables.create_table(table).unwrap();
    tables.update_time_to_live("users", "until", true).unwrap();
    let users = tables.table("users");
    let key = || item! { "id" => "ann" };
    assert!(users.trail(key()).unwrap().to_string().contains("not there"));
    users.put(key()).unwrap();
    let first = users.trail(key()).unwrap().present.unwrap();
    assert_eq!((first.indexes.len(), first.expires), (0, None));
    for n in 0..2000 {
        users.put(item! { "id" => format!("other {n}") }).unwrap();
    }
    clock.advance(Duration::from_secs(1));
    let until = (start + Duration::from_mins(10)).as_secs();
    users.put(item! { "id" => "ann", "team" => "red", "until" => until }).unwrap();
    let trail = users.trail(key()).unwrap();
    let present = trail.present.unwrap();
    assert!(present.written > first.written);
    assert_eq!(present.expires, Some(Timestamp::from_secs(until)));
    assert_eq!(
        (&*present.indexes[0].index, &present.indexes[0].key),
        ("by-team", &item! { "team" => "red" })
    );
    clock.advance(Duration::from_hours(1));
    let trail = users.trail(key()).unwrap();
    assert!(trail.present.is_none());
    let kinds: Vec<_> = trail.changes.iter().map(|change| (change.kind, change.by_service)).collect();
    assert_eq!(kinds, [(ChangeKind::Insert, false), (ChangeKind::Modify, false), (ChangeKind::Remove, true)]);
    clock.advance(Duration::from_hours(24));
    assert_eq!(users.trail(key()).unwrap().changes, []);
    users.trail(item! { "other" => "ann" }).unwrap_err();
}

#[test]
fn the_trail_of_an_object_says_what_rules_will_do() {
    let (clock, store) = world();
    let start = store.now();
    let bucket = store.buckets().create("photos").unwrap();
    bucket.set_versioning(Versioning::Enabled).unwrap();
    let mut rule = LifecycleRule::default();
    rule.id = Some("tidy".to_owned());
    rule.expiration.days = Some(10);
    rule.noncurrent_expiration.days = Some(3);
    rule.abort_incomplete_upload_days = Some(1);
    bucket.set_lifecycle(LifecycleConfiguration::new([rule])).unwrap();
    bucket.put("a", vec![7; 100_000]).unwrap();
    bucket.copy(CopyObject::new("b", CopySource::new("photos", "a"))).unwrap();
    clock.advance(Duration::from_secs(1));
    bucket.put("a", "short").unwrap();
    let upload = bucket.create_upload(CreateUpload::new("a")).unwrap().upload_id;
    bucket.upload_part(UploadPart::new("a", upload, 1), "part").unwrap();
    let trail = bucket.trail("a").unwrap();
    let day = |days: u64| start + Duration::from_hours(24 * days);
    let next = |of: &fourfold::objects::NextAction| (of.action, of.at, of.rule_id.clone());
    let (newest, older) = (&trail.versions[0], &trail.versions[1]);
    assert!(newest.is_newest && !older.is_newest);
    assert_eq!(
        next(newest.next.as_ref().unwrap()),
        (LifecycleAction::Expire, day(11), "tidy".to_owned()),
        "a midnight later than ten days"
    );
    assert_eq!(next(older.next.as_ref().unwrap()), (LifecycleAction::Delete, day(4), "tidy".to_owned()));
    let object = older.object.as_ref().unwrap();
    assert_eq!((object.size, object.shared_bytes, object.extents), (100_000, 100_000, 1));
    assert_eq!(newest.object.as_ref().unwrap().extents, 0, "it lies in its record");
    let upload = &trail.uploads[0];
    assert_eq!((upload.parts, upload.bytes), (1, 4));
    assert_eq!(next(upload.next.as_ref().unwrap()), (LifecycleAction::Abort, day(2), "tidy".to_owned()));
    // What it says is what happens.
    clock.set(day(4));
    let trail = bucket.trail("a").unwrap();
    assert_eq!((trail.versions.len(), trail.uploads.len()), (1, 0));
    let shared = bucket.trail("b").unwrap().versions.remove(0).object.unwrap().shared_bytes;
    assert_eq!(shared, 0, "the copy is alone now");
    clock.set(day(11));
    let trail = bucket.trail("a").unwrap();
    assert!(trail.versions[0].object.is_none(), "a delete marker: {trail}");
    assert!(bucket.trail("nothing").unwrap().to_string().ends_with("not there"));
}
