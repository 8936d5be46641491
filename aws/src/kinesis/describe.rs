//! What streams there are, and what they are.

use super::Operation;
use super::shards::shard;
use crate::refusal::Result;
use crate::value::Value;
use fourfold::stream::{ListStreams, Mode, StreamSummary};

impl Operation {
    pub(super) fn describe_stream(&mut self) -> Result<Value> {
        let stream = self.stream()?;
        let start = self.input.text("ExclusiveStartShardId")?;
        let limit = self.count("Limit")?;
        let description = stream.describe(start.as_deref(), limit)?;
        let shards: Vec<Value> = description.shards.iter().map(shard).collect();
        let mut members = members(&description.summary);
        members.push(("Shards", shards.into()));
        members.push(("HasMoreShards", description.has_more_shards.into()));
        Ok(Value::map([("StreamDescription", Some(named(members)))]))
    }

    pub(super) fn describe_stream_summary(&mut self) -> Result<Value> {
        let summary = self.stream()?.summary()?;
        let mut members = members(&summary);
        members.push(("OpenShardCount", summary.open_shard_count.into()));
        members.push(("ConsumerCount", summary.consumer_count.into()));
        members.push(("MaxRecordSizeInKiB", summary.max_record_size_kib.into()));
        if summary.mode == Mode::OnDemand {
            members.push(("RecordDistributionStrategy", summary.distribution.to_string().into()));
        }
        Ok(Value::map([("StreamDescriptionSummary", Some(named(members)))]))
    }

    pub(super) fn describe_limits(&mut self) -> Result<Value> {
        let limits = self.streams.limits()?;
        Ok(Value::map([
            ("ShardLimit", Some(limits.shard_limit.into())),
            ("OpenShardCount", Some(limits.open_shard_count.into())),
            ("OnDemandStreamCount", Some(limits.on_demand_stream_count.into())),
            ("OnDemandStreamCountLimit", Some(limits.on_demand_stream_count_limit.into())),
        ]))
    }

    pub(super) fn list_streams(&mut self) -> Result<Value> {
        let (start, token) = (self.input.text("ExclusiveStartStreamName")?, self.input.text("NextToken")?);
        let mut request = ListStreams::default();
        request.limit = self.count("Limit")?;
        request.exclusive_start_stream_name = start.as_deref();
        request.next_token = token.as_deref();
        let page = self.streams.list(&request)?;
        let names: Vec<Value> = page.streams.iter().map(|stream| stream.name.as_str().into()).collect();
        let summaries: Vec<Value> = page.streams.iter().map(short).collect();
        Ok(Value::map([
            ("StreamNames", Some(names.into())),
            ("HasMoreStreams", Some(page.has_more_streams().into())),
            ("StreamSummaries", Some(summaries.into())),
            ("NextToken", page.next_token.map(Value::from)),
        ]))
    }
}

type Members = Vec<(&'static str, Value)>;

fn named(members: Members) -> Value {
    Value::Map(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn mode(summary: &StreamSummary) -> Value {
    Value::map([("StreamMode", Some(summary.mode.to_string().into()))])
}

fn short(summary: &StreamSummary) -> Value {
    Value::map([
        ("StreamName", Some(summary.name.as_str().into())),
        ("StreamARN", Some(summary.arn.as_str().into())),
        ("StreamStatus", Some(summary.status.to_string().into())),
        ("StreamModeDetails", Some(mode(summary))),
        ("StreamCreationTimestamp", Some(summary.created.into())),
    ])
}

/// What both descriptions have.
fn members(summary: &StreamSummary) -> Members {
    let metrics = Value::map([("ShardLevelMetrics", Some(Value::List(Vec::new())))]);
    vec![
        ("StreamName", summary.name.as_str().into()),
        ("StreamARN", summary.arn.as_str().into()),
        ("StreamStatus", summary.status.to_string().into()),
        ("StreamModeDetails", mode(summary)),
        ("RetentionPeriodHours", summary.retention_hours.into()),
        ("StreamCreationTimestamp", summary.created.into()),
        ("EnhancedMonitoring", Value::List(vec![metrics])),
        ("EncryptionType", "NONE".into()),
    ]
}
