//! Streams.

use super::{Answer, Known, Refused, answer, check, front, is, list, no, pass, told};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ScalingType, ShardIteratorType};
use fourfold::Store;
use fourfold::stream::{
    CreateStream, Error, GetRecords, GetShardIterator, IteratorKind, ListShards, ListStreams, PutRecord, Tags,
};

/// A request. Records go by their data, once they were put.
#[derive(Debug)]
enum Do {
    Create(&'static str, u32),
    Delete(&'static str),
    Streams,
    Summary(&'static str),
    Shards(&'static str),
    Put(&'static str, &'static str, &'static str),
    /// With a hash key of its own.
    PutAt(&'static str, &'static str, &'static str),
    PutAll(&'static str, &'static [(&'static str, &'static str)]),
    /// Where the next reading begins: stream, shard, kind, record.
    Begin(&'static str, &'static str, IteratorKind, Option<&'static str>),
    Read(Option<u32>),
    ReadBy(&'static str),
    Split(&'static str, &'static str, &'static str),
    Merge(&'static str, &'static str, &'static str),
    Scale(&'static str, u32),
    Longer(&'static str, u32),
    Shorter(&'static str, u32),
    Tag(&'static str, &'static str, &'static str),
    Untag(&'static str, &'static str),
    Tags(&'static str),
    Register(&'static str, &'static str),
    Consumers(&'static str),
    Deregister(&'static str, &'static str),
}

const FIRST: &str = "shardId-000000000000";
const SECOND: &str = "shardId-000000000001";
/// The middle of all hash keys.
const MIDDLE: &str = "170141183460469231731687303715884105728";
const UNKNOWN: &str = "ResourceNotFoundException";
const INVALID: &str = "InvalidArgumentException";
const IN_USE: &str = "ResourceInUseException";

#[tokio::test]
async fn streams_answer_alike() {
    use Do::*;
    use IteratorKind::{AfterSequenceNumber, AtSequenceNumber, Latest, TrimHorizon};
    let rows = vec![
        is(Create("clicks", 2), ""),
        no(Create("clicks", 1), IN_USE),
        is(Create("other", 1), ""),
        is(Streams, "clicks other"),
        is(Summary("clicks"), "ACTIVE 2 24"),
        no(Summary("nope"), UNKNOWN),
        is(Shards("clicks"), "shardId-000000000001"),
        no(Shards("nope"), UNKNOWN),
        // Records.
        is(Put("other", "k", "home"), FIRST),
        is(Put("other", "k", "cart"), FIRST),
        is(Put("clicks", "a", "somewhere"), "shardId-"),
        no(Put("nope", "k", "home"), UNKNOWN),
        is(PutAt("clicks", MIDDLE, "second half"), SECOND),
        is(PutAt("clicks", "0", "first half"), FIRST),
        no(PutAt("clicks", "340282366920938463463374607431768211456", "beyond"), INVALID),
        is(PutAll("other", &[("k", "one"), ("l", "two"), ("m", "three")]), FIRST),
        no(PutAll("nope", &[("k", "one")]), UNKNOWN),
        is(Begin("other", FIRST, TrimHorizon, None), ""),
        is(Read(Some(2)), "home"),
        is(Read(Some(2)), "one"),
        is(Read(None), "three"),
        is(Read(None), " 0"),
        is(Begin("other", FIRST, AtSequenceNumber, Some("cart")), ""),
        is(Read(Some(1)), "cart"),
        is(Begin("other", FIRST, AfterSequenceNumber, Some("cart")), ""),
        is(Read(Some(1)), "one"),
        is(Begin("other", FIRST, Latest, None), ""),
        is(Read(None), " 0"),
        is(Put("other", "k", "later"), FIRST),
        is(Read(None), "later"),
        no(Begin("other", SECOND, TrimHorizon, None), UNKNOWN),
        front(Begin("nope", FIRST, TrimHorizon, None), UNKNOWN),
        no(Begin("other", FIRST, AtSequenceNumber, None), INVALID),
        no(Begin("other", FIRST, AtSequenceNumber, Some("7")), INVALID),
        no(ReadBy("nonsense"), INVALID),
        // Iterators last five minutes, records a day.
        is(Begin("other", FIRST, TrimHorizon, None), ""),
        pass(301),
        no(Read(None), "ExpiredIteratorException"),
        pass(86_400),
        is(Begin("other", FIRST, TrimHorizon, None), ""),
        is(Read(None), " 0"),
        // Retention.
        is(Longer("other", 48), ""),
        is(Summary("other"), "ACTIVE 1 48"),
        no(Longer("other", 47), INVALID),
        no(Longer("nope", 48), UNKNOWN),
        is(Shorter("other", 24), ""),
        no(Shorter("other", 30), INVALID),
        // Shards.
        is(Split("other", FIRST, MIDDLE), ""),
        no(Split("other", FIRST, MIDDLE), INVALID),
        no(Split("other", SECOND, "0"), INVALID),
        no(Split("other", SECOND, MIDDLE), INVALID),
        no(Split("nope", FIRST, MIDDLE), UNKNOWN),
        is(Shards("other"), "shardId-000000000002"),
        is(Merge("other", SECOND, "shardId-000000000002"), ""),
        no(Merge("other", SECOND, "shardId-000000000002"), INVALID),
        no(Merge("other", FIRST, "shardId-000000000009"), UNKNOWN),
        is(Summary("other"), "ACTIVE 1 24"),
        is(Scale("clicks", 4), "2 4"),
        no(Scale("clicks", 1), "LimitExceededException"),
        is(Summary("clicks"), "ACTIVE 4 24"),
        // Tags.
        is(Tag("clicks", "team", "a"), ""),
        is(Tag("clicks", "stage", "test"), ""),
        is(Tags("clicks"), "stage=test team=a"),
        is(Untag("clicks", "stage"), ""),
        is(Tags("clicks"), "team=a"),
        no(Tags("nope"), UNKNOWN),
        // Consumers.
        is(Register("clicks", "app"), "app ACTIVE"),
        no(Register("clicks", "app"), IN_USE),
        no(Register("nope", "app"), UNKNOWN),
        is(Consumers("clicks"), "app"),
        no(Delete("clicks"), IN_USE),
        is(Deregister("clicks", "app"), ""),
        no(Deregister("clicks", "app"), UNKNOWN),
        is(Delete("clicks"), ""),
        no(Delete("clicks"), UNKNOWN),
        is(Streams, "other"),
    ];
    check(&rows, native, |config| Client::new(config), by_sdk).await;
}

fn native(store: &Store, known: &mut Known, request: &Do) -> Answer {
    by_library(store, known, request).map_err(|error| Refused::new(error.code(), &error))
}

fn by_library(store: &Store, known: &mut Known, request: &Do) -> Result<String, Error> {
    let streams = store.streams();
    let nothing = |()| String::new();
    match *request {
        Do::Create(name, shards) => {
            streams.create(name, CreateStream::default().shard_count(shards)).map(|_| String::new())
        }
        Do::Delete(name) => streams.delete(name, false).map(nothing),
        Do::Streams => {
            Ok(list(streams.list(&ListStreams::default())?.streams.iter().map(|stream| &stream.name)))
        }
        Do::Summary(name) => {
            let summary = streams.stream(name)?.summary()?;
            Ok(format!("{} {} {}", summary.status, summary.open_shard_count, summary.retention_hours))
        }
        Do::Shards(name) => {
            let found = streams.stream(name)?.list_shards(&ListShards::default())?;
            Ok(list(found.shards.iter().map(|shard| {
                told([
                    Some(shard.shard_id.to_string()),
                    shard.parent_shard_id.map(|id| id.to_string()),
                    shard.adjacent_parent_shard_id.map(|id| id.to_string()),
                    Some(format!("{}-{}", shard.hash_key_range.start(), shard.hash_key_range.end())),
                    Some(shard.starting_sequence_number.to_string()),
                    shard.ending_sequence_number.map(|number| number.to_string()),
                ])
            })))
        }
        Do::Put(name, key, data) => {
            let put = streams.stream(name)?.put(key, data)?;
            known.keep(data, put.sequence_number.to_string());
            Ok(format!("{} {}", put.shard_id, put.sequence_number))
        }
        Do::PutAt(name, hash, data) => {
            let record = PutRecord::new("k", data).explicit_hash_key(hash);
            let put = streams.stream(name)?.put_record(&record)?;
            Ok(format!("{} {}", put.shard_id, put.sequence_number))
        }
        Do::PutAll(name, records) => {
            let records: Vec<_> = records.iter().map(|(key, data)| PutRecord::new(key, *data)).collect();
            let put = streams.stream(name)?.put_many(&records)?;
            Ok(list(put.records.into_iter().map(|put| {
                let put = put.unwrap();
                format!("{} {}", put.shard_id, put.sequence_number)
            })))
        }
        Do::Begin(name, shard, kind, record) => {
            let mut request = GetShardIterator::new(shard, kind);
            let number = record.map(|record| known.get(record).to_owned());
            request.starting_sequence_number = number.as_deref();
            let iterator = streams.stream(name)?.get_shard_iterator(&request)?;
            known.keep("iterator", iterator);
            Ok(String::new())
        }
        Do::Read(limit) => {
            let iterator = known.get("iterator").to_owned();
            let mut request = GetRecords::new(&iterator);
            if let Some(limit) = limit {
                request = request.limit(limit);
            }
            let got = streams.get_records(&request)?;
            let records = got.records.iter().map(|record| {
                let data = String::from_utf8_lossy(record.data()).into_owned();
                format!("{} {} {data}", record.sequence_number(), record.partition_key())
            });
            let records = list(records);
            known.keep("iterator", got.next_shard_iterator.unwrap());
            Ok(format!("{records} {}", got.millis_behind_latest))
        }
        Do::ReadBy(iterator) => streams.get_records(&GetRecords::new(iterator)).map(|_| String::new()),
        Do::Split(name, shard, hash) => streams.stream(name)?.split_shard_at_text(shard, hash).map(nothing),
        Do::Merge(name, one, other) => streams.stream(name)?.merge_shards(one, other).map(nothing),
        Do::Scale(name, count) => {
            let scaled = streams.stream(name)?.update_shard_count(count)?;
            Ok(format!("{} {}", scaled.current_shard_count, scaled.target_shard_count))
        }
        Do::Longer(name, hours) => streams.stream(name)?.increase_retention(hours).map(nothing),
        Do::Shorter(name, hours) => streams.stream(name)?.decrease_retention(hours).map(nothing),
        Do::Tag(name, key, value) => {
            let tags = Tags::from([(key.to_owned(), value.to_owned())]);
            streams.stream(name)?.add_tags(&tags).map(nothing)
        }
        Do::Untag(name, key) => streams.stream(name)?.remove_tags(&[key]).map(nothing),
        Do::Tags(name) => {
            let found = streams.stream(name)?.list_tags(None, None)?;
            Ok(list(found.tags.iter().map(|(key, value)| format!("{key}={value}"))))
        }
        Do::Register(name, consumer) => {
            let made = streams.stream(name)?.register_consumer(consumer, &Tags::new())?;
            Ok(format!("{} ACTIVE {}", made.name, made.arn))
        }
        Do::Consumers(name) => {
            let found = streams.stream(name)?.list_consumers(None, None)?;
            Ok(list(found.consumers.iter().map(|one| format!("{} {} {}", one.name, one.status, one.arn))))
        }
        Do::Deregister(name, consumer) => streams.stream(name)?.deregister_consumer(consumer).map(nothing),
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:kinesis:us-east-1:000000000000:stream/{name}")
}

async fn by_sdk(kinesis: &Client, known: &mut Known, request: &Do) -> Answer {
    let nothing = String::new();
    let int = |number: u32| i32::try_from(number).unwrap();
    Ok(match *request {
        Do::Create(name, shards) => {
            answer!(kinesis.create_stream().stream_name(name).shard_count(int(shards))).map(|_| nothing)?
        }
        Do::Delete(name) => answer!(kinesis.delete_stream().stream_name(name)).map(|_| nothing)?,
        Do::Streams => list(answer!(kinesis.list_streams())?.stream_names()),
        Do::Summary(name) => {
            let found = answer!(kinesis.describe_stream_summary().stream_name(name))?;
            let summary = found.stream_description_summary().unwrap();
            let (status, hours) = (summary.stream_status(), summary.retention_period_hours());
            format!("{status} {} {hours}", summary.open_shard_count())
        }
        Do::Shards(name) => {
            let found = answer!(kinesis.list_shards().stream_name(name))?;
            list(found.shards().iter().map(|shard| {
                let (keys, numbers) =
                    (shard.hash_key_range().unwrap(), shard.sequence_number_range().unwrap());
                told([
                    Some(shard.shard_id().to_owned()),
                    shard.parent_shard_id.clone(),
                    shard.adjacent_parent_shard_id.clone(),
                    Some(format!("{}-{}", keys.starting_hash_key(), keys.ending_hash_key())),
                    Some(numbers.starting_sequence_number().to_owned()),
                    numbers.ending_sequence_number.clone(),
                ])
            }))
        }
        Do::Put(name, key, data) => {
            let put = kinesis.put_record().stream_name(name).partition_key(key).data(Blob::new(data));
            let put = answer!(put)?;
            known.keep(data, put.sequence_number());
            format!("{} {}", put.shard_id(), put.sequence_number())
        }
        Do::PutAt(name, hash, data) => {
            let put = kinesis.put_record().stream_name(name).partition_key("k").data(Blob::new(data));
            let put = answer!(put.explicit_hash_key(hash))?;
            format!("{} {}", put.shard_id(), put.sequence_number())
        }
        Do::PutAll(name, records) => {
            let records = records.iter().map(|(key, data)| {
                PutRecordsRequestEntry::builder().partition_key(*key).data(Blob::new(*data)).build().unwrap()
            });
            let put = answer!(kinesis.put_records().stream_name(name).set_records(Some(records.collect())))?;
            assert_eq!(put.failed_record_count(), Some(0));
            list(
                put.records()
                    .iter()
                    .map(|put| format!("{} {}", put.shard_id().unwrap(), put.sequence_number().unwrap())),
            )
        }
        Do::Begin(name, shard, kind, record) => {
            let get = kinesis.get_shard_iterator().stream_name(name).shard_id(shard);
            let get = get.shard_iterator_type(ShardIteratorType::from(kind.to_string().as_str()));
            let number = record.map(|record| known.get(record).to_owned());
            let got = answer!(get.set_starting_sequence_number(number))?;
            known.keep("iterator", got.shard_iterator().unwrap());
            nothing
        }
        Do::Read(limit) => {
            let get = kinesis.get_records().shard_iterator(known.get("iterator"));
            let got = answer!(get.set_limit(limit.map(int)))?;
            let records = list(got.records().iter().map(|record| {
                let data = String::from_utf8_lossy(record.data().as_ref()).into_owned();
                format!("{} {} {data}", record.sequence_number(), record.partition_key().unwrap())
            }));
            known.keep("iterator", got.next_shard_iterator().unwrap());
            format!("{records} {}", got.millis_behind_latest().unwrap())
        }
        Do::ReadBy(iterator) => answer!(kinesis.get_records().shard_iterator(iterator)).map(|_| nothing)?,
        Do::Split(name, shard, hash) => {
            let split = kinesis.split_shard().stream_name(name).shard_to_split(shard);
            answer!(split.new_starting_hash_key(hash)).map(|_| nothing)?
        }
        Do::Merge(name, one, other) => {
            let merge = kinesis.merge_shards().stream_name(name).shard_to_merge(one);
            answer!(merge.adjacent_shard_to_merge(other)).map(|_| nothing)?
        }
        Do::Scale(name, count) => {
            let scale = kinesis.update_shard_count().stream_name(name).target_shard_count(int(count));
            let scaled = answer!(scale.scaling_type(ScalingType::UniformScaling))?;
            let (current, target) = (scaled.current_shard_count(), scaled.target_shard_count());
            format!("{} {}", current.unwrap(), target.unwrap())
        }
        Do::Longer(name, hours) => {
            let change = kinesis.increase_stream_retention_period().stream_name(name);
            answer!(change.retention_period_hours(int(hours))).map(|_| nothing)?
        }
        Do::Shorter(name, hours) => {
            let change = kinesis.decrease_stream_retention_period().stream_name(name);
            answer!(change.retention_period_hours(int(hours))).map(|_| nothing)?
        }
        Do::Tag(name, key, value) => {
            answer!(kinesis.add_tags_to_stream().stream_name(name).tags(key, value)).map(|_| nothing)?
        }
        Do::Untag(name, key) => {
            answer!(kinesis.remove_tags_from_stream().stream_name(name).tag_keys(key)).map(|_| nothing)?
        }
        Do::Tags(name) => {
            let found = answer!(kinesis.list_tags_for_stream().stream_name(name))?;
            list(found.tags().iter().map(|tag| format!("{}={}", tag.key(), tag.value().unwrap())))
        }
        Do::Register(name, consumer) => {
            let register = kinesis.register_stream_consumer().stream_arn(arn(name)).consumer_name(consumer);
            let made = answer!(register)?.consumer.unwrap();
            format!("{} {} {}", made.consumer_name, made.consumer_status, made.consumer_arn)
        }
        Do::Consumers(name) => {
            let found = answer!(kinesis.list_stream_consumers().stream_arn(arn(name)))?;
            list(found.consumers().iter().map(|one| {
                format!("{} {} {}", one.consumer_name(), one.consumer_status(), one.consumer_arn())
            }))
        }
        Do::Deregister(name, consumer) => {
            let gone = kinesis.deregister_stream_consumer().stream_arn(arn(name)).consumer_name(consumer);
            answer!(gone).map(|_| nothing)?
        }
    })
}
