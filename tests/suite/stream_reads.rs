//! Iterators and cursors: where they begin, how far they read, how they wait.

use crate::stream::{SHARD_0, all, clocked, refused, refused_with, stream};
use fourfold::stream::{CreateStream, GetRecords, GetShardIterator, IteratorKind, PutRecord, Start, Stream};
use fourfold::{Clock, ManualClock, Store, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

fn page(store: &Store, iterator: &str) -> (Vec<String>, Option<String>) {
    let page = store.streams().get_records(&GetRecords::new(iterator)).unwrap();
    let text = |record: &fourfold::stream::Record| String::from_utf8(record.data().to_vec()).unwrap();
    (page.records.iter().map(text).collect(), page.next_shard_iterator)
}

/// Puts ten records, a second apart.
fn ten(clock: &ManualClock, stream: &Stream) -> Vec<fourfold::stream::Put> {
    let put = |number: u32| {
        clock.advance(Duration::from_secs(1));
        stream.put("key", number.to_string()).unwrap()
    };
    (0..10).map(put).collect()
}

#[test]
fn the_five_kinds_begin_where_they_say() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    let start = clock.now();
    let puts = ten(&clock, &stream);
    let first = |start: Start| {
        let iterator = stream.shard_iterator(SHARD_0, start).unwrap();
        page(&store, &iterator).0.first().cloned()
    };
    let second = |secs: u64| start + Duration::from_secs(secs);
    let record = |number: usize| Some(number.to_string());
    assert_eq!(first(Start::TrimHorizon), record(0));
    assert_eq!(first(Start::Latest), None);
    assert_eq!(first(Start::AtSequenceNumber(puts[4].sequence_number)), record(4));
    assert_eq!(first(Start::AfterSequenceNumber(puts[4].sequence_number)), record(5));
    assert_eq!(first(Start::AfterSequenceNumber(puts[9].sequence_number)), None);
    assert_eq!(first(Start::AtTimestamp(second(5))), record(4), "the time itself");
    assert_eq!(first(Start::AtTimestamp(second(5) + Duration::from_millis(1))), record(5));
    assert_eq!(first(Start::AtTimestamp(Timestamp::UNIX_EPOCH)), record(0));
    assert_eq!(first(Start::AtTimestamp(second(10))), record(9));
    let shard = &stream.describe(None, None).unwrap().shards[0];
    assert_eq!(first(Start::AtSequenceNumber(shard.starting_sequence_number)), record(0));
}

#[test]
fn latest_is_where_the_end_was_when_it_was_asked_for() {
    let (_clock, store) = clocked();
    let stream = stream(&store, 1);
    stream.put("key", "before").unwrap();
    let iterator = stream.shard_iterator(SHARD_0, Start::Latest).unwrap();
    stream.put("key", "after").unwrap();
    assert_eq!(page(&store, &iterator).0, ["after"]);
}

#[test]
fn requests_that_do_not_fit_together_are_refused_as_the_service_does() {
    let (clock, store) = clocked();
    let stream = stream(&store, 2);
    let code = "InvalidArgumentException";
    let get = |kind, number: Option<&str>, timestamp| {
        let mut request = GetShardIterator::new(SHARD_0, kind);
        request.starting_sequence_number = number;
        request.timestamp = timestamp;
        stream.get_shard_iterator(&request)
    };
    let either = "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) \
                  TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified";
    let number = stream.describe(None, None).unwrap().shards[1].starting_sequence_number.to_string();
    refused(
        get(IteratorKind::Latest, Some(&number), None),
        code,
        &format!("{either} LATEST and also a StartingSequenceNumber."),
    );
    refused(
        get(IteratorKind::AtSequenceNumber, None, None),
        code,
        &format!("{either} AT_SEQUENCE_NUMBER and no StartingSequenceNumber."),
    );
    refused(
        get(IteratorKind::AtTimestamp, None, None),
        code,
        "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp \
         parameter.",
    );
    let now = clock.now().as_millis();
    refused(
        get(IteratorKind::AtTimestamp, None, Some(Timestamp::from_millis(now + 1))),
        code,
        &format!(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: {}, \
             currentTimestampInMillis: {now}",
            now + 1
        ),
    );
    refused(
        get(IteratorKind::AfterSequenceNumber, Some(&number), None),
        code,
        "Invalid StartingSequenceNumber. It encodes shardId-000000000001, while it was used in a call to a shard with \
         shardId-000000000000",
    );
    let used = "used in GetShardIterator on shard shardId-000000000000 in stream stream under account 000000000000 is invalid";
    let garbage = "1234567890123456789012345678901234567890123456789012";
    refused(
        get(IteratorKind::AtSequenceNumber, Some(garbage), None),
        code,
        &format!("StartingSequenceNumber {garbage} {used}."),
    );
    let of_2015 = "49546986683135544286507457935754639466300920667981217794";
    for number in ["0", of_2015] {
        refused(
            get(IteratorKind::AtSequenceNumber, Some(number), None),
            code,
            &format!("StartingSequenceNumber {number} {used} because it did not come from this stream."),
        );
    }
}

#[test]
fn shards_are_named_as_the_service_lets_them_be() {
    let (_clock, store) = clocked();
    let stream = stream(&store, 1);
    stream.put("key", "data").unwrap();
    for name in ["0", "shard-0", "anything-000"] {
        let iterator = stream.shard_iterator(name, Start::TrimHorizon).unwrap();
        assert_eq!(page(&store, &iterator).0, ["data"], "{name}");
    }
    let code = "ResourceNotFoundException";
    refused(
        stream.shard_iterator("first", Start::Latest),
        code,
        "Could not find shard first in stream stream under account 000000000000.",
    );
    refused(
        stream.shard_iterator("shard-7", Start::Latest),
        code,
        "Shard shardId-000000000007 in stream stream under account 000000000000 does not exist",
    );
    refused_with(stream.shard_iterator("a b", Start::Latest), "ValidationException", "'shardId'");
}

#[test]
fn iterators_expire_after_five_minutes() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    let iterator = stream.shard_iterator(SHARD_0, Start::TrimHorizon).unwrap();
    clock.advance(Duration::from_mins(5));
    page(&store, &iterator);
    clock.advance(Duration::from_millis(1));
    refused(
        store.streams().get_records(&GetRecords::new(&iterator)),
        "ExpiredIteratorException",
        "Iterator expired. The iterator was created at time Wed Jan 01 00:00:00 UTC 2025 while right now it is Wed Jan 01 \
         00:05:00 UTC 2025 which is further in the future than the tolerated delay of 300000 milliseconds.",
    );
}

#[test]
fn iterators_that_are_none_are_refused() {
    let (_clock, store) = clocked();
    let stream = stream(&store, 1);
    let streams = store.streams();
    let good = stream.shard_iterator(SHARD_0, Start::TrimHorizon).unwrap();
    assert_eq!(page(&store, &format!("\"{good}\"")).0, Vec::<String>::new(), "the service takes quotes");
    for bad in ["x", "AAAA", &good[1..], &good[..good.len() - 4], &good.to_lowercase()] {
        refused(
            streams.get_records(&GetRecords::new(bad)),
            "InvalidArgumentException",
            "Invalid ShardIterator.",
        );
    }
    refused_with(streams.get_records(&GetRecords::new("")), "ValidationException", "'shardIterator'");
    refused_with(streams.get_records(&GetRecords::new(&"A".repeat(513))), "ValidationException", "512");
    for limit in [0, 10_001] {
        refused_with(
            streams.get_records(&GetRecords::new(&good).limit(limit)),
            "ValidationException",
            "'limit'",
        );
    }
    let other = GetRecords::new(&good).stream_arn("arn:aws:kinesis:us-east-1:000000000000:stream/other");
    refused_with(streams.get_records(&other), "InvalidArgumentException", "stream/other");
    streams.delete("stream", false).unwrap();
    let gone = "Shard shardId-000000000000 in stream stream under account 000000000000 does not exist";
    refused(streams.get_records(&GetRecords::new(&good)), "ResourceNotFoundException", gone);
    crate::stream::stream(&store, 1);
    refused(streams.get_records(&GetRecords::new(&good)), "ResourceNotFoundException", gone);
}

#[test]
fn iterators_outlast_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let clock = ManualClock::default();
    let open = || Store::builder().clock(clock.clone()).open(&path).unwrap();
    let iterator = {
        let store = open();
        let stream = stream(&store, 1);
        let first = stream.put("key", "a").unwrap();
        stream.put("key", "b").unwrap();
        stream.shard_iterator(SHARD_0, Start::AfterSequenceNumber(first.sequence_number)).unwrap()
    };
    let store = open();
    let (found, next) = page(&store, &iterator);
    assert_eq!(found, ["b"]);
    store.streams().stream("stream").unwrap().put("key", "c").unwrap();
    assert_eq!(page(&store, &next.unwrap()).0, ["c"]);
}

#[test]
fn pages_end_by_number_and_by_bytes() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    let streams = store.streams();
    let data = vec![0; 1_000_000];
    for _ in 0..25 {
        clock.advance(Duration::from_secs(1));
        stream.put("key", &data).unwrap();
    }
    clock.advance(Duration::from_secs(5));
    let mut iterator = stream.shard_iterator(SHARD_0, Start::TrimHorizon).unwrap();
    let mut pages = Vec::new();
    loop {
        let page = streams.get_records(&GetRecords::new(&iterator)).unwrap();
        pages.push((page.records.len(), page.millis_behind_latest));
        if page.records.is_empty() {
            break;
        }
        iterator = page.next_shard_iterator.unwrap();
    }
    assert_eq!(pages, [(10, 20_000), (10, 10_000), (5, 0), (0, 0)]);
    let iterator = stream.shard_iterator(SHARD_0, Start::TrimHorizon).unwrap();
    let page = streams.get_records(&GetRecords::new(&iterator).limit(3)).unwrap();
    assert_eq!((page.records.len(), page.millis_behind_latest), (3, 27_000));
}

#[test]
fn a_cursor_reads_on_where_it_stopped() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    ten(&clock, &stream);
    let mut cursor = stream.cursor(SHARD_0, Start::TrimHorizon).unwrap();
    let mut batch = Vec::new();
    assert_eq!(cursor.next().unwrap().unwrap().data(), b"0");
    assert_eq!(cursor.try_batch(4, &mut batch).unwrap(), 4);
    assert_eq!(cursor.try_batch(100, &mut batch).unwrap(), 5);
    assert_eq!(cursor.try_batch(100, &mut batch).unwrap(), 0);
    let found: Vec<_> =
        batch.iter().map(|record| String::from_utf8_lossy(record.data()).into_owned()).collect();
    assert_eq!(found, ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(cursor.try_next().unwrap(), None);
    stream.put("key", "10").unwrap();
    assert_eq!(cursor.try_next().unwrap().unwrap().data(), b"10");
    assert!(!cursor.is_at_end());
}

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_waiting_cursor_is_woken_by_the_put_it_waits_for() {
    let (_clock, store) = clocked();
    let stream = stream(&store, 2);
    let shards = stream.describe(None, None).unwrap().shards;
    let put = stream.put("key", "first").unwrap();
    let other = shards.iter().find(|shard| shard.shard_id != put.shard_id).unwrap();
    let mut cursor = stream.cursor(&put.shard_id, Start::Latest).unwrap();
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    let context = &mut Context::from_waker(&waker);
    assert!(cursor.poll_next(context).is_pending());
    let elsewhere = other.hash_key_range.start().to_string();
    stream
        .put_record(&fourfold::stream::PutRecord::new("key", "elsewhere").explicit_hash_key(&elsewhere))
        .unwrap();
    assert_eq!(counter.0.load(Ordering::SeqCst), 0, "another shard");
    stream.put("key", "second").unwrap();
    assert_eq!(counter.0.load(Ordering::SeqCst), 1);
    let Poll::Ready(Ok(Some(record))) = cursor.poll_next(context) else { panic!("it was put") };
    assert_eq!(record.data(), b"second");
    assert!(cursor.poll_next(context).is_pending());
    drop(cursor);
    stream.put("key", "third").unwrap();
    assert_eq!(counter.0.load(Ordering::SeqCst), 1, "nobody waits any more");
}

#[test]
fn a_waiting_cursor_is_woken_by_the_end_of_its_shard_or_stream() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    let waker = Waker::from(Arc::new(Counter::default()));
    let context = &mut Context::from_waker(&waker);
    let mut cursor = stream.cursor(SHARD_0, Start::Latest).unwrap();
    assert!(cursor.poll_next(context).is_pending());
    assert_eq!(cursor.next_timeout(Duration::ZERO).unwrap(), None);
    stream.split_shard(SHARD_0, 1 << 127).unwrap();
    assert!(matches!(cursor.poll_next(context), Poll::Ready(Ok(None))));
    assert!(cursor.is_at_end());
    assert_eq!(cursor.child_shards().unwrap().len(), 2);
    let mut cursor = stream.cursor("shardId-000000000001", Start::Latest).unwrap();
    let thread = std::thread::spawn(move || cursor.next().map(drop));
    store.streams().delete("stream", false).unwrap();
    assert_eq!(thread.join().unwrap().unwrap_err().code(), "ResourceNotFoundException");
    drop(clock);
}

#[test]
fn a_store_that_was_opened_again_goes_on_above_what_it_had() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let clock = ManualClock::default();
    let mut last = None;
    for life in 0..5 {
        let store = Store::builder().clock(clock.clone()).open(&path).unwrap();
        let streams = store.streams();
        let stream = if life == 0 {
            streams.create("stream", CreateStream::default().shard_count(1)).unwrap()
        } else {
            streams.stream("stream").unwrap()
        };
        for _ in 0..3 {
            let number = stream.put("key", "data").unwrap().sequence_number;
            assert!(last < Some(number), "{last:?} {number}");
            last = Some(number);
        }
        assert_eq!(all(&stream, SHARD_0).len(), 3 * (life + 1));
    }
}

#[test]
fn a_cursor_waits_behind_the_gap_that_opening_again_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::builder().clock(ManualClock::default()).open(dir.path().join("store")).unwrap();
    let last = stream(&open(), 1).put("key", "before").unwrap().sequence_number;
    let store = open();
    let stream = store.streams().stream("stream").unwrap();
    let mut cursor = stream.cursor(SHARD_0, Start::AfterSequenceNumber(last)).unwrap();
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    let context = &mut Context::from_waker(&waker);
    assert!(cursor.poll_next(context).is_pending());
    assert_eq!(cursor.next_timeout(Duration::ZERO).unwrap(), None);
    assert!(cursor.poll_next(context).is_pending());
    stream.put("key", "after").unwrap();
    assert_eq!(counter.0.load(Ordering::SeqCst), 1);
    let Poll::Ready(Ok(Some(record))) = cursor.poll_next(context) else { panic!("it was put") };
    assert_eq!(record.data(), b"after");
}

/// Asks for the stream when it is woken: nothing may be locked then.
struct Asks(Stream, Arc<Counter>);

impl std::task::Wake for Asks {
    fn wake(self: Arc<Self>) {
        // Gone is an answer too; the listing takes the lock of all streams.
        drop(self.0.describe(None, None));
        drop(self.0.add_tags(&fourfold::stream::Tags::from([("woken".to_owned(), "1".to_owned())])));
        self.1.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn nothing_is_locked_when_somebody_is_woken() {
    let (clock, store) = clocked();
    let stream = stream(&store, 2);
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::new(Asks(stream.clone(), Arc::clone(&counter))));
    let context = &mut Context::from_waker(&waker);
    let mut wait = |shard: &str| {
        let mut cursor = stream.cursor(shard, Start::Latest).unwrap();
        assert!(cursor.poll_next(context).is_pending());
        cursor
    };
    let waiting = wait(SHARD_0);
    stream.split_shard(SHARD_0, 2).unwrap();
    assert_eq!(counter.0.load(Ordering::SeqCst), 1, "a split");
    let others = [wait("shardId-000000000001"), wait("shardId-000000000002")];
    let put = |tx: &mut fourfold::transaction::Transaction| {
        let record = fourfold::stream::PutRecord::new("key", "x").explicit_hash_key("0");
        tx.put_record(&stream, &record)
    };
    store.transaction().run(put).unwrap();
    assert_eq!(counter.0.load(Ordering::SeqCst), 2, "a transaction");
    store.streams().delete("stream", false).unwrap();
    assert_eq!(counter.0.load(Ordering::SeqCst), 3, "a deletion wakes the one that still waits");
    drop((clock, waiting, others));
}

/// Short ones, long ones and some that no segment keeps, under keys of both shards.
fn mixed(number: u8) -> (String, Vec<u8>) {
    let lengths = [0, 10, 100, 700, 100, 0, 40_000, 3, 70_000];
    (format!("key-{number}"), vec![number; lengths[usize::from(number) % lengths.len()]])
}

#[test]
fn records_that_came_together_are_read_from_each_of_them_on() {
    for (blob_threshold, segment_size) in
        [(64 << 10, 8 << 20), (300, 8 << 20), (64 << 10, 256 << 10), (0, 64 << 10)]
    {
        let clock = ManualClock::default();
        let builder = Store::builder().clock(clock.clone()).blob_threshold(blob_threshold);
        let store = builder.segment_size(segment_size).open_in_memory();
        let stream = stream(&store, 2);
        let data: Vec<_> = (0..200).map(mixed).collect();
        let records: Vec<_> = data.iter().map(|(key, data)| PutRecord::new(key, data)).collect();
        let mut expected = [const { Vec::new() }; 2];
        for (records, data) in records.chunks(100).zip(data.chunks(100)) {
            clock.advance(Duration::from_hours(1));
            let answer = stream.put_many(records).unwrap();
            for (put, (key, data)) in answer.records.into_iter().zip(data) {
                let put = put.unwrap();
                expected[usize::from(*put.shard_id != *SHARD_0)].push((put, key, data));
            }
        }
        for is_folded in [false, true] {
            for puts in &expected {
                for (index, (put, ..)) in puts.iter().enumerate() {
                    let mut cursor =
                        stream.cursor(&put.shard_id, Start::AtSequenceNumber(put.sequence_number)).unwrap();
                    let mut found = Vec::new();
                    cursor.try_batch(3, &mut found).unwrap();
                    assert_eq!(found.len(), 3.min(puts.len() - index), "{index}, folded: {is_folded}");
                    for (record, (put, key, data)) in found.iter().zip(&puts[index..]) {
                        assert_eq!(record.sequence_number(), put.sequence_number);
                        assert_eq!((record.partition_key(), record.data()), (&key[..], &data[..]));
                    }
                }
            }
            let stats = stream.stats().unwrap();
            let bytes: usize = data.iter().map(|(key, data)| key.len() + data.len()).sum();
            assert_eq!((stats.records, stats.bytes), (200, bytes as u64), "folded: {is_folded}");
            store.fold().unwrap();
        }
        // What came together expires together.
        clock.advance(Duration::from_hours(23) + Duration::from_millis(1));
        store.maintain().unwrap();
        assert_eq!(stream.stats().unwrap().records, 100);
    }
}
