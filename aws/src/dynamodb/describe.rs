//! What a table is, and what an operation cost, as answers say it.

use crate::value::Value;
use fourfold::kv::{
    Capacity, ConsumedCapacity, IndexDescription, KeyElement, OnDemandThroughput, Projection,
    StreamSpecification, TableDescription, ThroughputDescription, WarmThroughput,
};
use std::borrow::Cow;
use std::collections::BTreeMap;

pub(super) fn table(table: &TableDescription) -> Value {
    let billing = table.billing_mode.map(|mode| {
        Value::map([
            ("BillingMode", Some(mode.name().into())),
            ("LastUpdateToPayPerRequestDateTime", table.last_update_to_pay_per_request.map(Value::from)),
        ])
    });
    let class = table.table_class.map(|(class, at)| {
        Value::map([("TableClass", Some(class.name().into())), ("LastUpdateDateTime", at.map(Value::from))])
    });
    let attributes: Vec<Value> = table
        .attributes
        .iter()
        .map(|attribute| {
            Value::map([
                ("AttributeName", Some(attribute.name.as_str().into())),
                ("AttributeType", Some(attribute.scalar_type.name().into())),
            ])
        })
        .collect();
    Value::map([
        ("AttributeDefinitions", Value::unless_empty(attributes)),
        ("TableName", Some(table.table_name.as_str().into())),
        ("KeySchema", Value::unless_empty(table.key_schema.iter().map(key).collect())),
        ("TableStatus", table.table_status.map(|status| status.name().into())),
        ("CreationDateTime", table.creation_date_time.map(Value::from)),
        ("ProvisionedThroughput", Some(throughput(&table.throughput))),
        ("TableSizeBytes", Some(table.table_size_bytes.into())),
        ("ItemCount", Some(table.item_count.into())),
        ("TableArn", Some(table.table_arn.as_str().into())),
        ("TableId", Some(table.table_id.as_str().into())),
        ("BillingModeSummary", billing),
        ("LocalSecondaryIndexes", Value::unless_empty(table.local_indexes.iter().map(index).collect())),
        ("GlobalSecondaryIndexes", Value::unless_empty(table.global_indexes.iter().map(index).collect())),
        ("StreamSpecification", table.stream.map(stream)),
        ("LatestStreamLabel", table.latest_stream_label.as_deref().map(Value::from)),
        ("LatestStreamArn", table.latest_stream_arn.as_deref().map(Value::from)),
        ("SSEDescription", table.sse.as_ref().and_then(sse)),
        ("TableClassSummary", class),
        ("DeletionProtectionEnabled", Some(table.deletion_protection.into())),
        ("OnDemandThroughput", table.on_demand.as_ref().map(on_demand)),
        ("WarmThroughput", table.warm.as_ref().map(warm)),
    ])
}

fn index(index: &IndexDescription) -> Value {
    Value::map([
        ("IndexName", Some(index.name.as_str().into())),
        ("KeySchema", Value::unless_empty(index.key_schema.iter().map(key).collect())),
        ("Projection", Some(projection(&index.projection))),
        ("IndexStatus", index.status.map(|status| status.name().into())),
        ("Backfilling", index.backfilling.then(|| true.into())),
        ("ProvisionedThroughput", index.throughput.as_ref().map(throughput)),
        ("IndexSizeBytes", Some(index.size_bytes.into())),
        ("ItemCount", Some(index.item_count.into())),
        ("IndexArn", Some(index.arn.as_str().into())),
        ("OnDemandThroughput", index.on_demand.as_ref().map(on_demand)),
        ("WarmThroughput", index.warm.as_ref().map(warm)),
    ])
}

pub(super) fn key(element: &KeyElement) -> Value {
    Value::map([
        ("AttributeName", Some(element.name.as_str().into())),
        ("KeyType", Some(element.key_type.name().into())),
    ])
}

fn projection(projection: &Projection) -> Value {
    let names = projection.non_key_attributes.as_ref();
    let names = names.map(|names| names.iter().map(|name| name.as_str().into()).collect());
    Value::map([
        ("ProjectionType", projection.projection_type.map(|kind| kind.name().into())),
        ("NonKeyAttributes", names.map(Value::List)),
    ])
}

fn throughput(throughput: &ThroughputDescription) -> Value {
    Value::map([
        ("LastIncreaseDateTime", throughput.last_increase.map(Value::from)),
        ("LastDecreaseDateTime", throughput.last_decrease.map(Value::from)),
        ("NumberOfDecreasesToday", Some(throughput.decreases_today.into())),
        ("ReadCapacityUnits", Some(Value::Int(throughput.read))),
        ("WriteCapacityUnits", Some(Value::Int(throughput.write))),
    ])
}

fn on_demand(throughput: &OnDemandThroughput) -> Value {
    Value::map([
        ("MaxReadRequestUnits", throughput.max_read.map(Value::Int)),
        ("MaxWriteRequestUnits", throughput.max_write.map(Value::Int)),
    ])
}

fn warm(warm: &WarmThroughput) -> Value {
    Value::map([
        ("ReadUnitsPerSecond", warm.read.map(Value::Int)),
        ("WriteUnitsPerSecond", warm.write.map(Value::Int)),
        ("Status", Some("ACTIVE".into())),
    ])
}

fn stream(stream: StreamSpecification) -> Value {
    Value::map([
        ("StreamEnabled", Some(stream.enabled.into())),
        ("StreamViewType", stream.view_type.map(|kind| kind.name().into())),
    ])
}

/// Encryption by the service's own key is not told.
fn sse(sse: &fourfold::kv::SseSpecification) -> Option<Value> {
    (sse.enabled == Some(true)).then(|| {
        Value::map([
            ("Status", Some("ENABLED".into())),
            ("SSEType", Some(sse.sse_type.as_deref().unwrap_or("KMS").into())),
            ("KMSMasterKeyArn", sse.kms_key.as_deref().map(Value::from)),
        ])
    })
}

pub(super) fn consumed(consumed: &ConsumedCapacity) -> Value {
    Value::map([
        ("TableName", Some(consumed.table_name.as_str().into())),
        ("CapacityUnits", Some(Value::Float(consumed.total.units))),
        ("ReadCapacityUnits", consumed.total.read.map(Value::Float)),
        ("WriteCapacityUnits", consumed.total.write.map(Value::Float)),
        ("Table", consumed.table.as_ref().map(capacity)),
        ("LocalSecondaryIndexes", by_index(&consumed.local_indexes)),
        ("GlobalSecondaryIndexes", by_index(&consumed.global_indexes)),
    ])
}

/// What each table's part of an operation cost; nothing if nobody asked.
pub(super) fn all_consumed(all: &[ConsumedCapacity]) -> Option<Value> {
    Value::unless_empty(all.iter().map(consumed).collect())
}

fn capacity(capacity: &Capacity) -> Value {
    Value::map([
        ("CapacityUnits", Some(Value::Float(capacity.units))),
        ("ReadCapacityUnits", capacity.read.map(Value::Float)),
        ("WriteCapacityUnits", capacity.write.map(Value::Float)),
    ])
}

fn by_index(indexes: &BTreeMap<String, Capacity>) -> Option<Value> {
    let members = indexes.iter().map(|(name, used)| (Cow::Owned(name.clone()), capacity(used)));
    (!indexes.is_empty()).then(|| Value::Map(members.collect()))
}
