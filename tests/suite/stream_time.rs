//! What time does to streams: records and shards that expire, changes that take a while.

use crate::stream::{SHARD_0, all, clocked, refused, refused_with, stream};
use fourfold::stream::{CreateStream, Dials, GetRecords, ListShards, ListStreams, Start, Status, Tags};
use fourfold::{Clock, Durability, ManualClock, Store};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn records_expire_to_the_millisecond() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    stream.put("key", "old").unwrap();
    clock.advance(Duration::from_millis(1));
    stream.put("key", "new").unwrap();
    let mut cursor = stream.cursor(SHARD_0, Start::TrimHorizon).unwrap();
    let iterator = || stream.shard_iterator(SHARD_0, Start::TrimHorizon).unwrap();
    let first = |iterator: &str| {
        let page = store.streams().get_records(&GetRecords::new(iterator).limit(1)).unwrap();
        page.records.first().map(|record| record.data().to_vec())
    };
    clock.advance(Duration::from_millis(24 * 3_600_000 - 1));
    let before = iterator();
    assert_eq!(first(&before).unwrap(), b"old");
    clock.advance(Duration::from_millis(1));
    assert_eq!(first(&before).unwrap(), b"new", "an iterator of before");
    assert_eq!(first(&iterator()).unwrap(), b"new");
    assert_eq!(cursor.try_next().unwrap().unwrap().data(), b"new");
    clock.advance(Duration::from_millis(1));
    assert!(all(&stream, SHARD_0).is_empty());
    assert_eq!(first(&iterator()), None);
}

#[test]
fn what_a_cursor_has_read_ahead_expires_too() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    for number in 0..6 {
        stream.put("key", number.to_string()).unwrap();
        clock.advance(HOUR);
    }
    let mut cursor = stream.cursor(SHARD_0, Start::TrimHorizon).unwrap();
    assert_eq!(cursor.try_next().unwrap().unwrap().data(), b"0");
    clock.advance(20 * HOUR);
    assert_eq!(cursor.try_next().unwrap().unwrap().data(), b"2");
    stream.increase_retention(48).unwrap();
    assert_eq!(cursor.try_next().unwrap().unwrap().data(), b"3");
    clock.advance(2 * HOUR);
    stream.decrease_retention(24).unwrap();
    assert_eq!(cursor.try_next().unwrap().unwrap().data(), b"4", "a change is seen at once");
}

#[test]
fn a_longer_retention_does_not_bring_back_what_expired() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    stream.put("key", "gone").unwrap();
    clock.advance(20 * HOUR);
    stream.put("key", "kept").unwrap();
    clock.advance(10 * HOUR);
    stream.increase_retention(8760).unwrap();
    assert_eq!(all(&stream, SHARD_0), ["kept"]);
    clock.advance(100 * 24 * HOUR);
    assert_eq!(all(&stream, SHARD_0), ["kept"]);
    stream.decrease_retention(24).unwrap();
    assert!(all(&stream, SHARD_0).is_empty());
    stream.increase_retention(8760).unwrap();
    assert!(all(&stream, SHARD_0).is_empty());
}

#[test]
fn retention_has_bounds_and_directions() {
    let (_clock, store) = clocked();
    let stream = stream(&store, 1);
    let code = "InvalidArgumentException";
    let too_short =
        "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short.";
    let too_long = "Maximum allowed retention period is 8760 hours. Requested retention period (8761 hours) is too long.";
    refused(stream.increase_retention(23), code, too_short);
    refused(stream.decrease_retention(23), code, too_short);
    refused(stream.increase_retention(8761), code, too_long);
    refused(stream.decrease_retention(8761), code, too_long);
    stream.increase_retention(24).unwrap();
    stream.decrease_retention(24).unwrap();
    stream.increase_retention(48).unwrap();
    refused(
        stream.increase_retention(47),
        code,
        "Requested retention period (47 hours) for stream stream can not be shorter than existing retention period (48 \
         hours). Use DecreaseRetentionPeriod API.",
    );
    refused(
        stream.decrease_retention(49),
        code,
        "Requested retention period (49 hours) for stream stream can not be longer than existing retention period (48 \
         hours). Use IncreaseRetentionPeriod API.",
    );
}

#[test]
fn closed_shards_leave_when_their_records_have_expired() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    stream.put("key", "data").unwrap();
    clock.advance(HOUR);
    stream.split_shard(SHARD_0, 1 << 127).unwrap();
    let count = || stream.list_shards(&ListShards::default()).unwrap().shards.len();
    clock.advance(24 * HOUR);
    assert_eq!(count(), 3, "it was closed a day ago, and that belongs to it");
    clock.advance(Duration::from_millis(1));
    assert_eq!(count(), 2);
    assert_eq!(stream.describe(None, None).unwrap().shards.len(), 2);
    let gone = "Shard shardId-000000000000 in stream stream under account 000000000000 does not exist";
    refused(stream.shard_iterator(SHARD_0, Start::TrimHorizon), "ResourceNotFoundException", gone);
    store.maintain().unwrap();
    assert_eq!(count(), 2);
    assert!(store.verify().unwrap().is_empty());
    stream.merge_shards("1", "2").unwrap();
    let last = stream.list_shards(&ListShards::default()).unwrap().shards.pop().unwrap();
    assert_eq!(&*last.shard_id, "shardId-000000000003", "indexes are not used again");
}

/// Space comes back without a rewrite of what stays, and the numbers go on.
#[test]
fn the_sweeper_gives_back_space() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::default();
    let open = || {
        let builder = Store::builder()
            .clock(clock.clone())
            .segment_size(1 << 20)
            .background_threads(0)
            .durability(Durability::Buffered);
        builder.open(dir.path().join("store")).unwrap()
    };
    let store = open();
    let stream = stream(&store, 1);
    let data = vec![0; 50_000];
    let mut sizes = Vec::new();
    let mut last = None;
    for _ in 0..20 {
        for _ in 0..40 {
            let number = stream.put("key", &data).unwrap().sequence_number;
            assert!(last < Some(number));
            last = Some(number);
            clock.advance(Duration::from_mins(6));
        }
        store.maintain().unwrap();
        sizes.push(disk_bytes(dir.path()));
    }
    // 24 hours are 240 records of 50 kB.
    assert!(sizes[19] < 40_000_000, "{sizes:?}");
    assert!(sizes[19] <= sizes[9] * 3 / 2, "{sizes:?}");
    assert_eq!(all(&stream, SHARD_0).len(), 240);
    clock.advance(25 * HOUR);
    store.maintain().unwrap();
    drop((stream, store));
    let store = open();
    let stream = store.streams().stream("stream").unwrap();
    let number = stream.put("key", "after everything has gone").unwrap().sequence_number;
    assert!(last < Some(number));
    assert_eq!(all(&stream, SHARD_0).len(), 1);
    assert!(store.verify().unwrap().is_empty());
}

#[expect(clippy::disallowed_methods, reason = "measures the files of a store")]
fn disk_bytes(dir: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(dir.join("store")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

fn slow(store: &Store) {
    let mut dials = Dials::default();
    dials.create_delay = Duration::from_secs(10);
    dials.update_delay = Duration::from_secs(20);
    dials.delete_delay = Duration::from_secs(30);
    dials.consumer_delay = Duration::from_secs(5);
    store.streams().set_dials(dials);
}

#[test]
fn changes_take_as_long_as_they_are_told_to() {
    let (clock, store) = clocked();
    slow(&store);
    let streams = store.streams();
    let stream = stream(&store, 2);
    let status = || stream.summary().unwrap().status;
    let not_found = "Stream stream under account 000000000000 not found.";
    assert_eq!((status(), stream.summary().unwrap().open_shard_count), (Status::Creating, 0));
    assert!(stream.describe(None, None).unwrap().shards.is_empty());
    refused(stream.put("key", "data"), "ResourceNotFoundException", not_found);
    refused_with(stream.list_shards(&ListShards::default()), "ResourceInUseException", "CREATING");
    clock.advance(Duration::from_secs(10));
    assert_eq!(status(), Status::Active);

    stream.split_shard(SHARD_0, 1000).unwrap();
    assert_eq!(status(), Status::Updating);
    let early =
        stream.put_record(&fourfold::stream::PutRecord::new("k", "early").explicit_hash_key("0")).unwrap();
    assert_eq!(&*early.shard_id, SHARD_0, "the new shards come at the end");
    refused(
        stream.split_shard("shardId-000000000001", u128::MAX - 9),
        "ResourceInUseException",
        "Stream stream under account 000000000000 not ACTIVE, instead in state UPDATING",
    );
    clock.advance(Duration::from_secs(20));
    let late =
        stream.put_record(&fourfold::stream::PutRecord::new("k", "late").explicit_hash_key("0")).unwrap();
    assert_eq!(&*late.shard_id, "shardId-000000000002");
    assert_eq!(all(&stream, SHARD_0), ["early"]);

    stream.update_max_record_size(2048).unwrap();
    assert_eq!((status(), stream.summary().unwrap().max_record_size_kib), (Status::Updating, 2048));
    clock.advance(Duration::from_secs(20));
    streams.delete("stream", false).unwrap();
    assert_eq!(status(), Status::Deleting);
    refused(stream.put("key", "data"), "ResourceNotFoundException", not_found);
    streams.delete("stream", false).unwrap();
    clock.advance(Duration::from_secs(30));
    refused(stream.summary(), "ResourceNotFoundException", not_found);
    assert!(streams.list(&ListStreams::default()).unwrap().streams.is_empty());
    assert!(store.verify().unwrap().is_empty());
}

#[test]
fn changes_under_way_outlast_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::default();
    let open = || Store::builder().clock(clock.clone()).open(dir.path().join("store")).unwrap();
    {
        let store = open();
        slow(&store);
        let stream = stream(&store, 4);
        clock.advance(Duration::from_secs(10));
        stream.update_shard_count(5).unwrap();
    }
    let store = open();
    let stream = store.streams().stream("stream").unwrap();
    assert_eq!(
        (stream.summary().unwrap().status, stream.summary().unwrap().open_shard_count),
        (Status::Updating, 4)
    );
    clock.advance(Duration::from_secs(20));
    store.maintain().unwrap();
    assert_eq!(
        (stream.summary().unwrap().status, stream.summary().unwrap().open_shard_count),
        (Status::Active, 5)
    );
    slow(&store);
    store.streams().delete("stream", false).unwrap();
    drop((stream, store));
    clock.advance(Duration::from_secs(30));
    let store = open();
    assert!(store.streams().stream("stream").is_err());
    assert!(store.verify().unwrap().is_empty());
}

#[test]
fn only_five_streams_are_made_at_once() {
    let (clock, store) = clocked();
    slow(&store);
    let streams = store.streams();
    let create = |name: &str| streams.create(name, CreateStream::default().shard_count(1)).map(drop);
    for name in ["a", "b", "c", "d", "e"] {
        create(name).unwrap();
    }
    refused_with(create("f"), "LimitExceededException", "CREATING");
    streams.delete("a", false).unwrap();
    create("f").unwrap();
    clock.advance(Duration::from_secs(10));
    create("g").unwrap();
}

#[test]
fn consumers_take_a_while_too() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    slow(&store);
    let streams = store.streams();
    let consumer = stream.register_consumer("app", &Tags::new()).unwrap();
    let created = store.now().as_secs();
    refused(
        streams.subscribe(&consumer.arn, SHARD_0, Start::Latest).map(drop),
        "ResourceInUseException",
        &format!(
            "Consumer app with creation timestamp {created} under stream: stream , account 000000000000 is not in ACTIVE \
             status."
        ),
    );
    for number in 0..4 {
        stream.register_consumer(&format!("c{number}"), &Tags::new()).unwrap();
    }
    refused_with(stream.register_consumer("more", &Tags::new()), "LimitExceededException", "CREATING");
    clock.advance(Duration::from_secs(5));
    drop(streams.subscribe(&consumer.arn, SHARD_0, Start::Latest).unwrap());
    stream.register_consumer("more", &Tags::new()).unwrap();
}

/// A background thread does it all, woken by the clock.
#[test]
fn a_thread_sweeps_when_it_is_time() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).background_threads(1).open_in_memory();
    let mut dials = Dials::default();
    dials.delete_delay = Duration::from_secs(30);
    store.streams().set_dials(dials);
    let stream = stream(&store, 1);
    store.streams().delete("stream", false).unwrap();
    assert_eq!(stream.summary().unwrap().status, Status::Deleting);
    let keyspaces = |store: &Store| store.stats().keyspaces;
    let before = keyspaces(&store);
    clock.advance(Duration::from_secs(30));
    while keyspaces(&store) == before {
        std::thread::yield_now();
    }
    assert!(clock.now() > fourfold::Timestamp::UNIX_EPOCH);
}
