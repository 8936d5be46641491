//! Streams of changes.

use super::attribute::item_value;
use super::describe::key;
use super::{Operation, constraint};
use crate::fields::{Dialect, Fields};
use crate::refusal::Result;
use crate::value::Value;
use fourfold::Timestamp;
use fourfold::kv::{
    ChangeRecord, DescribeStream, ListStreams, ShardDescription, ShardPosition, StreamSummary,
};

impl Operation<'_> {
    pub(super) fn list_streams(&mut self) -> Result<Value> {
        let request = ListStreams {
            table_name: self.input.text("TableName")?,
            limit: self.input.count("Limit", usize::MAX)?,
            exclusive_start: self.input.text("ExclusiveStartStreamArn")?,
        };
        let page = self.tables.list_streams(&request)?;
        let streams: Vec<Value> = page.streams.iter().map(summary).collect();
        Ok(Value::map([
            ("Streams", Some(streams.into())),
            ("LastEvaluatedStreamArn", page.last_evaluated.map(Value::from)),
        ]))
    }

    pub(super) fn describe_stream(&mut self) -> Result<Value> {
        let mut request = DescribeStream::new(self.input.required_text("StreamArn")?);
        request.limit = self.input.count("Limit", usize::MAX)?;
        request.exclusive_start_shard = self.input.text("ExclusiveStartShardId")?;
        request.children_of = self.input.structure("ShardFilter")?.map(parent).transpose()?;
        let stream = self.tables.describe_stream(&request)?;
        let shards: Vec<Value> = stream.shards.iter().map(shard).collect();
        let description = Value::map([
            ("StreamArn", Some(stream.arn.into())),
            ("StreamLabel", Some(stream.label.into())),
            ("StreamStatus", Some(stream.status.name().into())),
            ("StreamViewType", Some(stream.view_type.name().into())),
            ("CreationRequestDateTime", Some(stream.created.into())),
            ("TableName", Some(stream.table_name.into())),
            ("KeySchema", Some(stream.key_schema.iter().map(key).collect::<Vec<_>>().into())),
            ("Shards", Some(shards.into())),
            ("LastEvaluatedShardId", stream.last_evaluated_shard.map(Value::from)),
        ]);
        Ok(Value::map([("StreamDescription", Some(description))]))
    }

    pub(super) fn get_shard_iterator(&mut self) -> Result<Value> {
        let arn = self.input.required_text("StreamArn")?;
        let shard = self.input.required_text("ShardId")?;
        let position = position(&mut self.input)?;
        let iterator = self.tables.get_shard_iterator(&arn, &shard, &position)?;
        Ok(Value::map([("ShardIterator", Some(iterator.into()))]))
    }

    pub(super) fn get_records(&mut self) -> Result<Value> {
        let iterator = self.input.required_text("ShardIterator")?;
        let page = self.tables.get_records(&iterator, self.input.count("Limit", usize::MAX)?)?;
        let region = self.call.store.region();
        let records: Vec<Value> = page.records.iter().map(|record| change(record, region)).collect();
        Ok(Value::map([
            ("Records", Some(records.into())),
            ("NextShardIterator", page.next_iterator.map(Value::from)),
        ]))
    }
}

/// Of which shard the children are asked for.
fn parent(mut filter: Fields) -> Result<String> {
    match filter.text("Type")?.as_deref() {
        None | Some("CHILD_SHARDS") => {
            let shard = filter.text("ShardId")?;
            filter.required("shardFilter.shardId", shard)
        }
        Some(other) => Err(constraint(other, "shardFilter.type", "satisfy enum value set: [CHILD_SHARDS]")),
    }
}

fn position(input: &mut Fields) -> Result<ShardPosition> {
    let kind = input.required_text("ShardIteratorType")?;
    let (number, time) = (input.text("SequenceNumber")?, input.time("Timestamp")?);
    let needs = |what: &str| {
        let message = format!("One or more parameter values were invalid: {kind} needs a {what}");
        Dialect::Dynamo.invalid(&message)
    };
    if number.is_some() && matches!(&*kind, "TRIM_HORIZON" | "LATEST") {
        let message =
            format!("One or more parameter values were invalid: {kind} cannot have a SequenceNumber");
        return Err(Dialect::Dynamo.invalid(&message));
    }
    match &*kind {
        "TRIM_HORIZON" => Ok(ShardPosition::TrimHorizon),
        "LATEST" => Ok(ShardPosition::Latest),
        "AT_SEQUENCE_NUMBER" => {
            number.map(ShardPosition::AtSequenceNumber).ok_or_else(|| needs("SequenceNumber"))
        }
        "AFTER_SEQUENCE_NUMBER" => {
            number.map(ShardPosition::AfterSequenceNumber).ok_or_else(|| needs("SequenceNumber"))
        }
        "AT_TIMESTAMP" => time.map(ShardPosition::AtTimestamp).ok_or_else(|| needs("Timestamp")),
        other => Err(constraint(
            other,
            "shardIteratorType",
            "satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]",
        )),
    }
}

fn summary(stream: &StreamSummary) -> Value {
    Value::map([
        ("StreamArn", Some(stream.arn.as_str().into())),
        ("TableName", Some(stream.table_name.as_str().into())),
        ("StreamLabel", Some(stream.label.as_str().into())),
    ])
}

fn shard(shard: &ShardDescription) -> Value {
    let numbers = Value::map([
        ("StartingSequenceNumber", Some(shard.first_sequence_number.as_str().into())),
        ("EndingSequenceNumber", shard.last_sequence_number.as_deref().map(Value::from)),
    ]);
    Value::map([
        ("ShardId", Some(shard.id.as_str().into())),
        ("SequenceNumberRange", Some(numbers)),
        ("ParentShardId", shard.parent.as_deref().map(Value::from)),
    ])
}

fn change(record: &ChangeRecord, region: &str) -> Value {
    let by = record.by_service.then(|| {
        Value::map([("Type", Some("Service".into())), ("PrincipalId", Some("dynamodb.amazonaws.com".into()))])
    });
    // Whole seconds, as the service says them.
    let created = Timestamp::from_secs(record.created.as_secs());
    let change = Value::map([
        ("ApproximateCreationDateTime", Some(created.into())),
        ("Keys", Some(item_value(&record.keys))),
        ("NewImage", record.new_image.as_ref().map(item_value)),
        ("OldImage", record.old_image.as_ref().map(item_value)),
        ("SequenceNumber", Some(record.sequence_number.as_str().into())),
        ("SizeBytes", Some(record.size_bytes.into())),
        ("StreamViewType", Some(record.view_type.name().into())),
    ]);
    Value::map([
        ("eventID", Some(record.event_id.as_str().into())),
        ("eventName", Some(record.kind.name().into())),
        ("eventVersion", Some("1.1".into())),
        ("eventSource", Some("aws:dynamodb".into())),
        ("awsRegion", Some(region.into())),
        ("dynamodb", Some(change)),
        ("userIdentity", by),
    ])
}
