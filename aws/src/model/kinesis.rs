//! The shapes of requests to Kinesis, with the constraints of its model in the order in which the service reports them.

use super::{
    ANY, List, Map, NAME, Pattern, Shape, TEXT, Text, list, may, must, structure, text, unless, words,
};

/// The shape of the input of an operation.
pub(super) fn input(operation: &str) -> Option<&'static Shape> {
    Some(match operation {
        "AddTagsToStream" => &ADD_TAGS,
        "CreateStream" => &CREATE_STREAM,
        "DecreaseStreamRetentionPeriod" | "IncreaseStreamRetentionPeriod" => &RETENTION,
        "DeleteStream" => &DELETE_STREAM,
        "DeregisterStreamConsumer" | "DescribeStreamConsumer" => &OF_CONSUMER,
        "DescribeLimits" => &NOTHING,
        "DescribeStream" => &DESCRIBE_STREAM,
        "DescribeStreamSummary" => &OF_STREAM,
        "GetRecords" => &GET_RECORDS,
        "GetShardIterator" => &GET_SHARD_ITERATOR,
        "ListShards" => &LIST_SHARDS,
        "ListStreamConsumers" => &LIST_CONSUMERS,
        "ListStreams" => &LIST_STREAMS,
        "ListTagsForResource" => &OF_RESOURCE,
        "ListTagsForStream" => &LIST_TAGS,
        "MergeShards" => &MERGE_SHARDS,
        "PutRecord" => &PUT_RECORD,
        "PutRecords" => &PUT_RECORDS,
        "RegisterStreamConsumer" => &REGISTER_CONSUMER,
        "RemoveTagsFromStream" => &REMOVE_TAGS,
        "SplitShard" => &SPLIT_SHARD,
        "SubscribeToShard" => &SUBSCRIBE_TO_SHARD,
        "TagResource" => &TAG_RESOURCE,
        "UntagResource" => &UNTAG_RESOURCE,
        "UpdateMaxRecordSize" => &UPDATE_MAX_RECORD_SIZE,
        "UpdateShardCount" => &UPDATE_SHARD_COUNT,
        "UpdateStreamMode" => &UPDATE_MODE,
        "UpdateStreamRecordDistributionStrategy" => &UPDATE_DISTRIBUTION,
        _ => return None,
    })
}

/// Records of the service may be so long; a stream's own limit comes later.
const DATA_MAX: usize = 10_485_760;
const HASH_KEY: Pattern = Pattern { text: r"0|([1-9]\d{0,38})", matches: |text| is_number(text, 39) };
const SEQUENCE_NUMBER: Pattern =
    Pattern { text: r"0|([1-9]\d{0,128})", matches: |text| is_number(text, 129) };
const STREAM_ARN: Pattern = Pattern {
    text: r"arn:aws.*:kinesis:.*:\d{12}:stream/\S+",
    matches: |text| is_arn(text, |resource| resource.starts_with("stream/") && resource.len() > 7),
};
const CONSUMER_ARN: Pattern = Pattern {
    text: r"^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+",
    matches: |text| is_arn(text, |resource| resource.contains("stream/") && resource.contains("/consumer/")),
};
const RESOURCE_ARN: Pattern = Pattern {
    text: r"arn:aws.*:kinesis:.*:\d{12}:.*(stream|channel|queue)/\S+",
    matches: |text| {
        is_arn(text, |resource| ["stream/", "channel/", "queue/"].iter().any(|kind| resource.contains(kind)))
    },
};

const ID: Pattern = Pattern { text: "[a-z0-9]{20}-[a-z0-9]{3}", matches: is_id };

fn is_id(text: &str) -> bool {
    let is_part = |part: &str, len| {
        part.len() == len && part.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    text.split_once('-').is_some_and(|(first, second)| is_part(first, 20) && is_part(second, 3))
}

fn is_number(text: &str, digits: usize) -> bool {
    (1..=digits).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
}

/// `arn:aws:kinesis:<region>:<account>:<resource>`.
fn is_arn(text: &str, is_resource: impl Fn(&str) -> bool) -> bool {
    let mut parts = text.splitn(6, ':');
    let is_head = parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && parts.next() == Some("kinesis");
    let account = parts.nth(1).unwrap_or_default();
    let resource = parts.next().unwrap_or_default();
    is_head
        && account.len() == 12
        && account.bytes().all(|c| c.is_ascii_digit())
        && !resource.contains(char::is_whitespace)
        && is_resource(resource)
}

/// What the model has reserved: it is checked, and says nothing.
static STREAM_ID: Shape = text(1, 24, Some(ID));
static STREAM_NAME: Shape = text(1, 128, Some(NAME));
static STREAM: Shape = text(1, 2048, Some(STREAM_ARN));
static CONSUMER: Shape = text(1, 2048, Some(CONSUMER_ARN));
static RESOURCE: Shape = text(1, 2048, Some(RESOURCE_ARN));
static SHARD_ID: Shape = text(1, 128, Some(NAME));
static TOKEN: Shape = text(1, 1_048_576, None);
static NUMBER: Shape = Shape::Text(Text { pattern: Some(SEQUENCE_NUMBER), ..ANY });
static HASH: Shape = Shape::Text(Text { pattern: Some(HASH_KEY), ..ANY });
static PARTITION_KEY: Shape = text(1, 256, None);
static DATA: Shape = Shape::Blob(DATA_MAX);
static COUNT: Shape = Shape::Int("Integer", 1, i64::MAX);
static UP_TO_10_000: Shape = Shape::Int("Integer", 1, 10_000);
static RECORD_SIZE: Shape = Shape::Int("Integer", 1024, 10_240);
static WARM: Shape = Shape::Int("Integer", 0, i64::MAX);
static MODES: Shape = words(&["PROVISIONED", "ON_DEMAND"]);
static MODE: Shape = structure("StreamModeDetails", &[must("StreamMode", &MODES)]);
static DISTRIBUTION: Shape = words(&["AUTO", "USER_PARTITION_KEY"]);
static ITERATOR_TYPE: Shape =
    words(&["AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"]);
static TAG_KEY: Text = Text { min: 1, max: Some(128), ..ANY };
static TAGS: Shape =
    Shape::Map(Map { min: 1, max: 200, value: &TEXT, key: Some(&TAG_KEY), value_len: Some((0, 256)) });
static TAG_KEYS: Shape = Shape::List(List { min: 1, max: 50, item: &TEXT, item_len: Some((1, 128)) });

static NOTHING: Shape = structure("DescribeLimitsInput", &[]);
static ADD_TAGS: Shape = structure(
    "AddTagsToStreamInput",
    &[
        must("Tags", &TAGS),
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("StreamId", &STREAM_ID),
    ],
);
static CREATE_STREAM: Shape = structure(
    "CreateStreamInput",
    &[
        may("ShardCount", &COUNT),
        must("StreamName", &STREAM_NAME),
        may("StreamModeDetails", &MODE),
        may("Tags", &TAGS),
        may("WarmThroughputMiBps", &WARM),
        may("MaxRecordSizeInKiB", &RECORD_SIZE),
        may("RecordDistributionStrategy", &DISTRIBUTION),
    ],
);
static RETENTION: Shape = structure(
    "IncreaseStreamRetentionPeriodInput",
    &[
        must("RetentionPeriodHours", &Shape::Int("Integer", i64::MIN, i64::MAX)),
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("StreamId", &STREAM_ID),
    ],
);
static DELETE_STREAM: Shape = structure(
    "DeleteStreamInput",
    &[
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("EnforceConsumerDeletion", &Shape::Flag),
        may("StreamId", &STREAM_ID),
    ],
);
static OF_CONSUMER: Shape = structure(
    "DescribeStreamConsumerInput",
    &[
        may("StreamARN", &STREAM),
        may("ConsumerName", &STREAM_NAME),
        may("ConsumerARN", &CONSUMER),
        may("StreamId", &STREAM_ID),
    ],
);
static DESCRIBE_STREAM: Shape = structure(
    "DescribeStreamInput",
    &[
        may("Limit", &UP_TO_10_000),
        may("ExclusiveStartShardId", &SHARD_ID),
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("StreamId", &STREAM_ID),
    ],
);
static OF_STREAM: Shape = structure(
    "DescribeStreamSummaryInput",
    &[
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("StreamId", &STREAM_ID),
    ],
);
static GET_RECORDS: Shape = structure(
    "GetRecordsInput",
    &[
        may("Limit", &UP_TO_10_000),
        must("ShardIterator", &text(1, 512, None)),
        may("StreamARN", &STREAM),
        may("DryRun", &Shape::Flag),
        may("StreamId", &STREAM_ID),
    ],
);
static GET_SHARD_ITERATOR: Shape = structure(
    "GetShardIteratorInput",
    &[
        must("ShardId", &SHARD_ID),
        must("ShardIteratorType", &ITERATOR_TYPE),
        may("StartingSequenceNumber", &NUMBER),
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("Timestamp", &Shape::Time),
        may("DryRun", &Shape::Flag),
        may("StreamId", &STREAM_ID),
    ],
);
static FILTERS: Shape = words(&[
    "AFTER_SHARD_ID",
    "AT_TRIM_HORIZON",
    "FROM_TRIM_HORIZON",
    "AT_LATEST",
    "AT_TIMESTAMP",
    "FROM_TIMESTAMP",
]);
static SHARD_FILTER: Shape = structure(
    "ShardFilter",
    &[must("Type", &FILTERS), may("ShardId", &SHARD_ID), may("Timestamp", &Shape::Time)],
);
static LIST_SHARDS: Shape = structure(
    "ListShardsInput",
    &[
        may("ExclusiveStartShardId", &SHARD_ID),
        may("MaxResults", &UP_TO_10_000),
        may("NextToken", &TOKEN),
        may("ShardFilter", &SHARD_FILTER),
        may("StreamCreationTimestamp", &Shape::Time),
        may("StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("StreamId", &STREAM_ID),
    ],
);
static LIST_CONSUMERS: Shape = structure(
    "ListStreamConsumersInput",
    &[
        must("StreamARN", &STREAM),
        may("NextToken", &TOKEN),
        may("MaxResults", &UP_TO_10_000),
        may("StreamCreationTimestamp", &Shape::Time),
        may("StreamId", &STREAM_ID),
    ],
);
static LIST_STREAMS: Shape = structure(
    "ListStreamsInput",
    &[may("Limit", &UP_TO_10_000), may("ExclusiveStartStreamName", &STREAM_NAME), may("NextToken", &TOKEN)],
);
static OF_RESOURCE: Shape =
    structure("ListTagsForResourceInput", &[must("ResourceARN", &RESOURCE), may("StreamId", &STREAM_ID)]);
static LIST_TAGS: Shape = structure(
    "ListTagsForStreamInput",
    &[
        may("Limit", &Shape::Int("Integer", 1, 50)),
        may("ExclusiveStartTagKey", &text(1, 128, None)),
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("StreamId", &STREAM_ID),
    ],
);
static MERGE_SHARDS: Shape = structure(
    "MergeShardsInput",
    &[
        must("ShardToMerge", &SHARD_ID),
        must("AdjacentShardToMerge", &SHARD_ID),
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("StreamId", &STREAM_ID),
    ],
);
static PUT_RECORD: Shape = structure(
    "PutRecordInput",
    &[
        may("SequenceNumberForOrdering", &NUMBER),
        may("PartitionKey", &PARTITION_KEY),
        may("ExplicitHashKey", &HASH),
        must("Data", &DATA),
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("DryRun", &Shape::Flag),
        may("StreamId", &STREAM_ID),
    ],
);
static ENTRY: Shape = structure(
    "PutRecordsRequestEntry",
    &[may("PartitionKey", &PARTITION_KEY), may("ExplicitHashKey", &HASH), must("Data", &DATA)],
);
static ENTRIES: Shape = list(&ENTRY, 1, 500);
static PUT_RECORDS: Shape = structure(
    "PutRecordsInput",
    &[
        must("Records", &ENTRIES),
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("DryRun", &Shape::Flag),
        may("StreamId", &STREAM_ID),
    ],
);
static REGISTER_CONSUMER: Shape = structure(
    "RegisterStreamConsumerInput",
    &[
        must("StreamARN", &STREAM),
        must("ConsumerName", &STREAM_NAME),
        may("Tags", &TAGS),
        may("StreamId", &STREAM_ID),
    ],
);
static REMOVE_TAGS: Shape = structure(
    "RemoveTagsFromStreamInput",
    &[
        must("TagKeys", &TAG_KEYS),
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        may("StreamId", &STREAM_ID),
    ],
);
static SPLIT_SHARD: Shape = structure(
    "SplitShardInput",
    &[
        must("NewStartingHashKey", &HASH),
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        must("ShardToSplit", &SHARD_ID),
        may("StreamId", &STREAM_ID),
    ],
);
static STARTING_POSITION: Shape = structure(
    "StartingPosition",
    &[must("Type", &ITERATOR_TYPE), may("SequenceNumber", &NUMBER), may("Timestamp", &Shape::Time)],
);
static SUBSCRIBE_TO_SHARD: Shape = structure(
    "SubscribeToShardInput",
    &[
        must("ConsumerARN", &CONSUMER),
        must("ShardId", &SHARD_ID),
        must("StartingPosition", &STARTING_POSITION),
        may("DryRun", &Shape::Flag),
        may("StreamId", &STREAM_ID),
    ],
);
static TAG_RESOURCE: Shape = structure(
    "TagResourceInput",
    &[must("Tags", &TAGS), must("ResourceARN", &RESOURCE), may("StreamId", &STREAM_ID)],
);
static UNTAG_RESOURCE: Shape = structure(
    "UntagResourceInput",
    &[must("TagKeys", &TAG_KEYS), must("ResourceARN", &RESOURCE), may("StreamId", &STREAM_ID)],
);
static UPDATE_MAX_RECORD_SIZE: Shape = structure(
    "UpdateMaxRecordSizeInput",
    &[must("MaxRecordSizeInKiB", &RECORD_SIZE), may("StreamARN", &STREAM), may("StreamId", &STREAM_ID)],
);
static UPDATE_SHARD_COUNT: Shape = structure(
    "UpdateShardCountInput",
    &[
        must("ScalingType", &words(&["UNIFORM_SCALING"])),
        unless("StreamARN", "StreamName", &STREAM_NAME),
        may("StreamARN", &STREAM),
        must("TargetShardCount", &Shape::Int("Integer", 1, 100_000)),
        may("StreamId", &STREAM_ID),
    ],
);
static UPDATE_MODE: Shape = structure(
    "UpdateStreamModeInput",
    &[
        must("StreamARN", &STREAM),
        must("StreamModeDetails", &MODE),
        may("WarmThroughputMiBps", &WARM),
        may("StreamId", &STREAM_ID),
    ],
);
static UPDATE_DISTRIBUTION: Shape = structure(
    "UpdateStreamRecordDistributionStrategyInput",
    &[
        must("StreamARN", &STREAM),
        must("RecordDistributionStrategy", &DISTRIBUTION),
        may("StreamId", &STREAM_ID),
    ],
);
