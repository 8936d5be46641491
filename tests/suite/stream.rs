//! Streams as the service has them: making, putting, settings, and what is refused with which words.

use fourfold::stream::{
    CreateStream, Distribution, Error, GetRecords, ListStreams, Mode, PutRecord, Result, Start, Status,
    Stream, Tags, hash_key,
};
use fourfold::{ManualClock, Store};

/// Twelve zeros: the account of a store.
pub(crate) const ACCOUNT: &str = "000000000000";
pub(crate) const SHARD_0: &str = "shardId-000000000000";

pub(crate) fn clocked() -> (ManualClock, Store) {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).seed(7).open_in_memory();
    (clock, store)
}

/// A stream with so many shards.
pub(crate) fn stream(store: &Store, shards: u32) -> Stream {
    store.streams().create("stream", CreateStream::default().shard_count(shards)).unwrap()
}

/// It was refused, with this code and these words.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T>, code: &str, text: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.code(), &*error.to_string()), (code, text));
}

/// It was refused, with this code and words that have these in them.
pub(crate) fn refused_with<T: std::fmt::Debug>(result: Result<T>, code: &str, part: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

/// All records of a shard.
pub(crate) fn all(stream: &Stream, shard: &str) -> Vec<String> {
    let mut cursor = stream.cursor(shard, Start::TrimHorizon).unwrap();
    let mut found = Vec::new();
    while let Some(record) = cursor.try_next().unwrap() {
        found.push(String::from_utf8(record.data().to_vec()).unwrap());
    }
    found
}

#[test]
fn names_are_given_once_and_can_be_given_again() {
    let store = Store::in_memory();
    let streams = store.streams();
    let first = streams.create("a", CreateStream::default()).unwrap();
    refused(
        streams.create("a", CreateStream::default()).map(drop),
        "ResourceInUseException",
        "Stream a under account 000000000000 already exists.",
    );
    streams.delete("a", false).unwrap();
    let gone = "Stream a under account 000000000000 not found.";
    refused(streams.delete("a", false), "ResourceNotFoundException", gone);
    refused(streams.stream("a").map(drop), "ResourceNotFoundException", gone);
    streams.create("a", CreateStream::default()).unwrap();
    refused(first.put("key", "data"), "ResourceNotFoundException", gone);
    refused(first.summary(), "ResourceNotFoundException", gone);
}

#[test]
fn what_cannot_be_a_stream_is_refused_before_anything_is_made() {
    let store = Store::in_memory();
    let streams = store.streams();
    let create = |settings| streams.create("a", settings).map(drop);
    refused_with(
        streams.create("a b", CreateStream::default()).map(drop),
        "ValidationException",
        "'streamName'",
    );
    refused(
        create(CreateStream::default().shard_count(0)),
        "ValidationException",
        "1 validation error detected: Value '0' at 'shardCount' failed to satisfy constraint: Member must have value \
         greater than or equal to 1",
    );
    refused(
        create(CreateStream::default().shard_count(100_000)),
        "LimitExceededException",
        "This request would exceed the shard limit for the account 000000000000 in us-east-1. Current shard count for the \
         account: 0. Limit: 20000. Number of additional shards that would have resulted from this request: 100000. Refer \
         to the AWS Service Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current \
         limits and how to request higher limits.",
    );
    refused_with(
        create(CreateStream::default().mode(Mode::Provisioned)),
        "ValidationException",
        "ShardCount",
    );
    let both = CreateStream::default().mode(Mode::OnDemand).shard_count(1);
    refused_with(create(both), "ValidationException", "ShardCount");
    let auto = CreateStream::default().shard_count(1).distribution(Distribution::Auto);
    refused_with(create(auto), "InvalidArgumentException", "ON_DEMAND");
    let small = CreateStream::default().max_record_size_kib(1023);
    refused_with(create(small), "ValidationException", "greater than or equal to 1024");
    assert!(streams.list(&ListStreams::default()).unwrap().streams.is_empty());
}

#[test]
fn there_are_so_many_streams_on_demand() {
    let store = Store::in_memory();
    let streams = store.streams();
    for number in 0..50 {
        streams.create(&format!("s{number}"), CreateStream::default()).unwrap();
    }
    refused_with(streams.create("more", CreateStream::default()).map(drop), "LimitExceededException", "50");
    streams.create("more", CreateStream::default().shard_count(1)).unwrap();
    assert_eq!(streams.limits().unwrap().on_demand_stream_count, 50);
    assert_eq!(streams.limits().unwrap().open_shard_count, 201);
}

#[test]
fn streams_are_listed_by_name_in_pages() {
    let (clock, store) = clocked();
    let streams = store.streams();
    for name in ["b", "a.2", "a-1", "B", "c"] {
        streams.create(name, CreateStream::default()).unwrap();
    }
    let names = |request: &ListStreams<'_>| -> Vec<String> {
        streams.list(request).unwrap().streams.into_iter().map(|stream| stream.name).collect()
    };
    assert_eq!(names(&ListStreams::default()), ["B", "a-1", "a.2", "b", "c"], "in the order of bytes");
    let mut request = ListStreams::default();
    request.limit = Some(2);
    let page = streams.list(&request).unwrap();
    let token = page.next_token.clone().unwrap();
    assert!(page.has_more_streams());
    request.next_token = Some(&token);
    assert_eq!(names(&request), ["a.2", "b"]);
    request.next_token = None;
    request.exclusive_start_stream_name = Some("b");
    assert_eq!(names(&request), ["c"]);
    request.limit = Some(0);
    refused_with(streams.list(&request), "ValidationException", "'limit'");
    clock.advance(std::time::Duration::from_millis(300_001));
    let mut late = ListStreams::default();
    late.next_token = Some(&token);
    refused_with(streams.list(&late), "ExpiredNextTokenException", "expired");
    late.next_token = Some("AAAA");
    refused_with(streams.list(&late), "InvalidArgumentException", "NextToken");
}

#[test]
fn a_record_goes_to_the_shard_of_its_hash_key() {
    let store = Store::in_memory();
    let stream = stream(&store, 3);
    let shards = stream.describe(None, None).unwrap().shards;
    for number in 0..200 {
        let key = format!("key {number}");
        let put = stream.put(&key, "data").unwrap();
        let shard = shards.iter().find(|shard| shard.hash_key_range.contains(&hash_key(&key))).unwrap();
        assert_eq!(put.shard_id, shard.shard_id);
    }
    for shard in &shards {
        for bound in [shard.hash_key_range.start(), shard.hash_key_range.end()] {
            let text = bound.to_string();
            let put = stream.put_record(&PutRecord::new("any", "data").explicit_hash_key(&text)).unwrap();
            assert_eq!(put.shard_id, shard.shard_id, "both bounds belong to it");
        }
    }
}

#[test]
fn records_are_checked() {
    let store = Store::in_memory();
    let stream = stream(&store, 1);
    refused_with(stream.put("", "data"), "ValidationException", "'partitionKey'");
    refused_with(stream.put(&"k".repeat(257), "data"), "ValidationException", "less than or equal to 256");
    stream.put(&"\u{1f600}".repeat(256), "").unwrap();
    refused_with(stream.put(&"\u{e9}".repeat(257), "data"), "ValidationException", "256");
    refused_with(stream.put_record(&PutRecord::unkeyed("data")), "ValidationException", "not be null");
    let mib = vec![0; 1 << 20];
    stream.put("k", &mib[1..]).unwrap();
    refused_with(stream.put("k", &mib), "ValidationException", "less than or equal to 1048576");
    stream.update_max_record_size(10_240).unwrap();
    stream.put("k", vec![1; (10 << 20) - 1]).unwrap();
    let record = stream.cursor(SHARD_0, Start::TrimHorizon).unwrap();
    assert_eq!(read_all(record), [0, (1 << 20) - 1, (10 << 20) - 1]);
}

/// A record of 10 MiB, where segments have 8: it stands in parts, which nobody sees.
#[test]
fn records_may_be_longer_than_a_segment() {
    let (clock, store) = clocked();
    let streams = store.streams();
    let stream = stream(&store, 1);
    stream.update_max_record_size(10_240).unwrap();
    let long: Vec<u8> = (0..(10 << 20) - 3_u32).map(|at| (at / 1000 % 251).to_le_bytes()[0]).collect();
    for number in 0..3 {
        stream.put("key", number.to_string()).unwrap();
        clock.advance(std::time::Duration::from_secs(1));
        let put = stream.put_many(&[PutRecord::new("key", &long)]).unwrap().records[0].clone().unwrap();
        let at =
            stream.cursor(SHARD_0, Start::AtSequenceNumber(put.sequence_number)).unwrap().try_next().unwrap();
        assert!(at.unwrap().data() == long);
        let time =
            stream.cursor(SHARD_0, Start::AtTimestamp(store.now())).unwrap().try_next().unwrap().unwrap();
        assert_eq!(time.sequence_number(), put.sequence_number);
    }
    assert_eq!(read_all(cursor(&stream, SHARD_0)), [1, long.len(), 1, long.len(), 1, long.len()]);
    let iterator = stream.shard_iterator(SHARD_0, Start::TrimHorizon).unwrap();
    let page = streams.get_records(&GetRecords::new(&iterator)).unwrap();
    assert_eq!(page.records.len(), 1, "10 MiB");
    let page = streams.get_records(&GetRecords::new(&page.next_shard_iterator.unwrap())).unwrap();
    assert!(page.records.len() == 1 && page.records[0].data() == long);
}

fn read_all(mut cursor: fourfold::stream::Cursor) -> Vec<usize> {
    let mut sizes = Vec::new();
    while let Some(record) = cursor.try_next().unwrap() {
        sizes.push(record.data().len());
    }
    sizes
}

#[test]
fn hash_keys_and_numbers_of_a_record_are_checked() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    let hashed = |hash| stream.put_record(&PutRecord::new("k", "").explicit_hash_key(hash));
    refused(
        hashed("340282366920938463463374607431768211456"),
        "InvalidArgumentException",
        "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was \
         340282366920938463463374607431768211456",
    );
    refused_with(hashed("01"), "ValidationException", "'explicitHashKey'");
    let ordered =
        |number: &str| stream.put_record(&PutRecord::new("k", "").sequence_number_for_ordering(number));
    let first = stream.put("k", "").unwrap().sequence_number;
    let second = ordered(&first.to_string()).unwrap().sequence_number;
    assert!(second > first);
    ordered("0").unwrap();
    let refused_as = |number: &str| {
        let words = format!(
            "ExclusiveMinimumSequenceNumber {number} used in PutRecord on stream stream under account {ACCOUNT} is invalid."
        );
        refused(ordered(number), "InvalidArgumentException", &words);
    };
    refused_as("1234567890123456789012345678901234567890123456789012");
    let (later, other) = clocked();
    later.advance(std::time::Duration::from_secs(1));
    let future = self::stream(&other, 1).put("k", "").unwrap().sequence_number.to_string();
    refused_as(&future);
    clock.advance(std::time::Duration::from_secs(1));
    ordered(&future).unwrap();
}

#[test]
fn many_records_are_put_in_the_order_of_the_request() {
    let store = Store::in_memory();
    let stream = stream(&store, 2);
    let data: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    let records: Vec<_> = data.iter().map(|data| PutRecord::new(&data[..1], data)).collect();
    let answer = stream.put_many(&records).unwrap();
    assert_eq!((answer.records.len(), answer.failed_record_count()), (500, 0));
    let mut seen = 0;
    for shard in stream.describe(None, None).unwrap().shards {
        let numbers: Vec<u32> =
            all(&stream, &shard.shard_id).iter().map(|data| data.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        seen += numbers.len();
    }
    assert_eq!(seen, 500);
    refused_with(stream.put_many(&[]), "ValidationException", "'records'");
    let many = vec![records[0]; 501];
    refused_with(stream.put_many(&many), "ValidationException", "less than or equal to 500");
    let mib = vec![0; (1 << 20) - 1];
    let large = vec![PutRecord::new("k", &mib); 11];
    refused(stream.put_many(&large), "InvalidArgumentException", "Records size exceeds 10 MB limit");
    assert_eq!(stream.put_many(&large[1..]).unwrap().failed_record_count(), 0);
    let bad = [PutRecord::new("k", "fine"), PutRecord::new("", "not")];
    refused_with(stream.put_many(&bad), "ValidationException", "'records.2.member.partitionKey'");
    let last = stream.put("k", "last").unwrap();
    assert_eq!(all(&stream, &last.shard_id).last().unwrap(), "last");
    assert!(!all(&stream, &last.shard_id).contains(&"fine".to_owned()), "one bad record, and none is put");
}

/// More than a segment of a store in memory holds, in values that are not blobs.
#[test]
fn a_call_may_put_more_than_a_batch_holds() {
    let store = Store::builder().segment_size(1 << 20).open_in_memory();
    let stream = stream(&store, 2);
    let data = vec![7; 20_000];
    let keys: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    let records: Vec<_> = keys.iter().map(|key| PutRecord::new(key, &data)).collect();
    assert_eq!(stream.put_many(&records).unwrap().failed_record_count(), 0);
    let shards = stream.describe(None, None).unwrap().shards;
    let count: usize = shards.iter().map(|shard| read_all(cursor(&stream, &shard.shard_id)).len()).sum();
    assert_eq!(count, 500);
}

fn cursor(stream: &Stream, shard: &str) -> fourfold::stream::Cursor {
    stream.cursor(shard, Start::TrimHorizon).unwrap()
}

#[test]
fn records_without_keys_go_anywhere_where_that_is_set() {
    let store = Store::builder().seed(7).open_in_memory();
    let stream =
        store.streams().create("auto", CreateStream::default().distribution(Distribution::Auto)).unwrap();
    let mut shards = std::collections::BTreeSet::new();
    for _ in 0..100 {
        shards.insert(stream.put_record(&PutRecord::unkeyed("data")).unwrap().shard_id);
        shards.insert(stream.put("always the same", "data").unwrap().shard_id);
    }
    assert_eq!(shards.len(), 4);
    stream.update_distribution(Distribution::UserPartitionKey).unwrap();
    refused_with(stream.put_record(&PutRecord::unkeyed("data")), "ValidationException", "not be null");
}

#[test]
fn settings_can_be_changed_and_outlast_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let clock = ManualClock::default();
    let open = || Store::builder().clock(clock.clone()).open(&path).unwrap();
    let before = {
        let store = open();
        let stream = store.streams().create("s", CreateStream::default().tag("a", "1")).unwrap();
        stream.update_mode(Mode::Provisioned).unwrap();
        stream.update_max_record_size(2048).unwrap();
        stream.increase_retention(48).unwrap();
        refused_with(stream.update_mode(Mode::Provisioned), "InvalidArgumentException", "already");
        refused_with(stream.update_max_record_size(10_241), "ValidationException", "10240");
        refused_with(stream.update_distribution(Distribution::Auto), "InvalidArgumentException", "ON_DEMAND");
        stream.add_tags(&Tags::from([("b".into(), "2".into())])).unwrap();
        stream.remove_tags(&["a", "never there"]).unwrap();
        stream.split_shard(SHARD_0, 1000).unwrap();
        (stream.summary().unwrap(), stream.describe(None, None).unwrap())
    };
    let store = open();
    let stream = store.streams().stream("s").unwrap();
    assert_eq!((stream.summary().unwrap(), stream.describe(None, None).unwrap()), before);
    assert_eq!(
        (before.0.mode, before.0.max_record_size_kib, before.0.retention_hours),
        (Mode::Provisioned, 2048, 48)
    );
    assert_eq!((before.0.status, before.0.open_shard_count), (Status::Active, 5));
    assert_eq!(stream.list_tags(None, None).unwrap().tags, [("b".to_owned(), "2".to_owned())]);
    assert!(store.verify().unwrap().is_empty());
}

#[test]
fn the_mode_changes_twice_a_day() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    stream.update_mode(Mode::OnDemand).unwrap();
    stream.update_mode(Mode::Provisioned).unwrap();
    refused_with(stream.update_mode(Mode::OnDemand), "LimitExceededException", "2 times");
    clock.advance(std::time::Duration::from_hours(24));
    stream.update_mode(Mode::OnDemand).unwrap();
}

#[test]
fn tags_of_streams_and_consumers_by_their_arns() {
    let store = Store::in_memory();
    let streams = store.streams();
    let stream = stream(&store, 1);
    let consumer = stream.register_consumer("app", &Tags::new()).unwrap();
    let tags = Tags::from([("team".into(), "search".into())]);
    for arn in [stream.arn(), consumer.arn.clone()] {
        streams.tag_resource(&arn, &tags).unwrap();
        assert_eq!(streams.list_tags_for_resource(&arn).unwrap(), tags);
        streams.untag_resource(&arn, &["team"]).unwrap();
        assert!(streams.list_tags_for_resource(&arn).unwrap().is_empty());
    }
    refused_with(
        streams.list_tags_for_resource("arn:aws:sqs:x"),
        "InvalidArgumentException",
        "arn:aws:sqs:x",
    );
    let other = consumer.arn.replace("app", "other");
    refused_with(streams.tag_resource(&other, &tags), "ResourceNotFoundException", "other");
}

#[test]
fn throttled_shards_refuse_single_records() {
    let (clock, store) = clocked();
    let streams = store.streams();
    let mut dials = fourfold::stream::Dials::default();
    dials.throttle = true;
    streams.set_dials(dials);
    let stream = stream(&store, 1);
    let records = vec![PutRecord::new("k", "data"); 500];
    for _ in 0..2 {
        assert_eq!(stream.put_many(&records).unwrap().failed_record_count(), 0);
    }
    let answer = stream.put_many(&records).unwrap();
    assert_eq!(answer.failed_record_count(), 500);
    let rate = "Rate exceeded for shard shardId-000000000000 in stream stream under account 000000000000.";
    refused(answer.records[0].clone(), "ProvisionedThroughputExceededException", rate);
    refused(stream.put("k", "data"), "ProvisionedThroughputExceededException", rate);
    clock.advance(std::time::Duration::from_millis(250));
    assert_eq!(stream.put_many(&records).unwrap().failed_record_count(), 250);
    let iterator = stream.shard_iterator(SHARD_0, Start::TrimHorizon).unwrap();
    for _ in 0..5 {
        streams.get_records(&GetRecords::new(&iterator)).unwrap();
    }
    let code = "ProvisionedThroughputExceededException";
    refused(streams.get_records(&GetRecords::new(&iterator)), code, rate);
}

#[test]
fn failures_come_on_request() {
    let store = Store::builder().seed(7).open_in_memory();
    let streams = store.streams();
    let stream = stream(&store, 1);
    let mut dials = fourfold::stream::Dials::default();
    dials.fail_one_in = std::num::NonZeroU32::new(5);
    streams.set_dials(dials);
    let answer = stream.put_many(&vec![PutRecord::new("k", "data"); 500]).unwrap();
    let failed = answer.failed_record_count();
    assert!((60..140).contains(&failed), "{failed}");
    assert_eq!(all(&stream, SHARD_0).len(), 500 - failed);
    assert!(answer.records.iter().flatten().is_sorted_by_key(|put| put.sequence_number));
    assert!(matches!(answer.records.iter().find_map(|put| put.clone().err()), Some(Error::InternalFailure)));
}

#[test]
fn an_arn_finds_its_stream() {
    let store = Store::in_memory();
    let streams = store.streams();
    let made = stream(&store, 1);
    assert_eq!(made.arn(), format!("arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/stream"));
    assert_eq!(streams.stream_by_arn(&made.arn()).unwrap().name(), "stream");
    refused_with(streams.stream_by_arn("arn:aws:kinesis").map(drop), "InvalidArgumentException", "ARN");
}
