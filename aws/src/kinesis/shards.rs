//! Shards: listing, splitting and merging them.

use super::{Operation, constraint, invalid_argument};
use crate::fields::Fields;
use crate::refusal::Result;
use crate::value::Value;
use fourfold::Timestamp;
use fourfold::stream::{ChildShard, ListShards, ShardDescription, ShardFilter, ShardList};
use std::ops::RangeInclusive;

const FILTERS: &str =
    "AFTER_SHARD_ID, AT_TRIM_HORIZON, FROM_TRIM_HORIZON, AT_LATEST, AT_TIMESTAMP, FROM_TIMESTAMP";

/// A filter as a request has it, which a [`ShardFilter`] borrows from.
struct Filter {
    kind: String,
    shard: Option<String>,
    time: Option<Timestamp>,
}

impl Filter {
    fn of(mut input: Fields) -> Result<Self> {
        let (kind, shard) = (input.text("Type")?, input.text("ShardId")?);
        Ok(Self { kind: input.required("shardFilter.type", kind)?, shard, time: input.time("Timestamp")? })
    }

    fn read(&self) -> Result<ShardFilter<'_>> {
        let needs =
            |what: &str| invalid_argument(format!("ShardFilter of type {} needs a {what}.", self.kind));
        let time = || self.time.ok_or_else(|| needs("Timestamp"));
        match &*self.kind {
            "AFTER_SHARD_ID" => {
                self.shard.as_deref().map(ShardFilter::AfterShardId).ok_or_else(|| needs("ShardId"))
            }
            "AT_TRIM_HORIZON" => Ok(ShardFilter::AtTrimHorizon),
            "FROM_TRIM_HORIZON" => Ok(ShardFilter::FromTrimHorizon),
            "AT_LATEST" => Ok(ShardFilter::AtLatest),
            "AT_TIMESTAMP" => time().map(ShardFilter::AtTimestamp),
            "FROM_TIMESTAMP" => time().map(ShardFilter::FromTimestamp),
            kind => {
                Err(constraint(kind, "shardFilter.type", &format!("satisfy enum value set: [{FILTERS}]")))
            }
        }
    }
}

impl Operation {
    pub(super) fn list_shards(&mut self) -> Result<Value> {
        let max = self.count("MaxResults")?;
        if let Some(token) = self.input.text("NextToken")? {
            let (name, arn) = (self.input.text("StreamName")?, self.input.text("StreamARN")?);
            let others = [
                ("StreamARN", arn.is_some()),
                ("StreamName", name.is_some()),
                ("StreamCreationTimestamp", self.input.time("StreamCreationTimestamp")?.is_some()),
                ("ExclusiveStartShardId", self.input.text("ExclusiveStartShardId")?.is_some()),
                ("ShardFilter", self.input.structure("ShardFilter")?.is_some()),
            ];
            if let Some((other, _)) = others.iter().find(|(_, is_given)| *is_given) {
                let message = format!("NextToken and {other} cannot be provided together.");
                return Err(invalid_argument(message));
            }
            return Ok(page(self.streams.list_more_shards(&token, max)?));
        }
        let names = self.names()?;
        if names == (None, None) {
            return Err(invalid_argument("Either NextToken or StreamName should be provided.".to_owned()));
        }
        let stream = self.find(names)?;
        let after = self.input.text("ExclusiveStartShardId")?;
        let filter = self.input.structure("ShardFilter")?.map(Filter::of).transpose()?;
        let mut request = ListShards::default();
        if let Some(max) = max {
            request = request.max_results(max);
        }
        if let Some(after) = &after {
            request = request.exclusive_start_shard_id(after);
        }
        if let Some(filter) = &filter {
            request = request.filter(filter.read()?);
        }
        if let Some(created) = self.input.time("StreamCreationTimestamp")? {
            request = request.stream_creation_timestamp(created);
        }
        Ok(page(stream.list_shards(&request)?))
    }

    pub(super) async fn split_shard(&mut self) -> Result<Value> {
        let shard = self.input.required_text("ShardToSplit")?;
        let at = self.input.required_text("NewStartingHashKey")?;
        let stream = self.stream_of(&[&shard])?;
        stream.split_shard_at_text_async(&shard, &at).await?;
        Ok(Value::empty())
    }

    pub(super) async fn merge_shards(&mut self) -> Result<Value> {
        let shard = self.input.required_text("ShardToMerge")?;
        let adjacent = self.input.required_text("AdjacentShardToMerge")?;
        let stream = self.stream_of(&[&shard, &adjacent])?;
        stream.merge_shards_async(&shard, &adjacent).await?;
        Ok(Value::empty())
    }

    pub(super) async fn update_shard_count(&mut self) -> Result<Value> {
        let stream = self.stream()?;
        let target = self.required_count("TargetShardCount")?;
        let kind = self.word("ScalingType", &[("UNIFORM_SCALING", ())])?;
        self.input.required("ScalingType", kind)?;
        let scaled = stream.update_shard_count_async(target).await?;
        Ok(Value::map([
            ("StreamName", Some(stream.name().into())),
            ("CurrentShardCount", Some(scaled.current_shard_count.into())),
            ("TargetShardCount", Some(scaled.target_shard_count.into())),
            ("StreamARN", Some(stream.arn().into())),
        ]))
    }
}

fn page(list: ShardList) -> Value {
    let shards: Vec<Value> = list.shards.iter().map(shard).collect();
    Value::map([("Shards", Some(shards.into())), ("NextToken", list.next_token.map(Value::from))])
}

pub(super) fn shard(shard: &ShardDescription) -> Value {
    let numbers = Value::map([
        ("StartingSequenceNumber", Some(shard.starting_sequence_number.to_string().into())),
        ("EndingSequenceNumber", shard.ending_sequence_number.map(|number| number.to_string().into())),
    ]);
    Value::map([
        ("ShardId", Some((&*shard.shard_id).into())),
        ("ParentShardId", shard.parent_shard_id.as_deref().map(Value::from)),
        ("AdjacentParentShardId", shard.adjacent_parent_shard_id.as_deref().map(Value::from)),
        ("HashKeyRange", Some(hash_keys(&shard.hash_key_range))),
        ("SequenceNumberRange", Some(numbers)),
    ])
}

pub(super) fn child(child: &ChildShard) -> Value {
    let parents: Vec<Value> = child.parent_shards.iter().map(|parent| (&**parent).into()).collect();
    Value::map([
        ("ShardId", Some((&*child.shard_id).into())),
        ("ParentShards", Some(parents.into())),
        ("HashKeyRange", Some(hash_keys(&child.hash_key_range))),
    ])
}

fn hash_keys(range: &RangeInclusive<u128>) -> Value {
    Value::map([
        ("StartingHashKey", Some(range.start().to_string().into())),
        ("EndingHashKey", Some(range.end().to_string().into())),
    ])
}
