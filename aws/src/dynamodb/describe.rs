//! What a table is, and what an operation cost, as answers say it.

use crate::value::Value;
use fourfold::kv::{
    Capacity, ConsumedCapacity, IndexDescription, KeyElement, OnDemandThroughput, Projection,
    StreamSpecification, TableDescription, TableStatus, ThroughputDescription, WarmThroughput,
};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Units a second for reads and writes that a table paid by request has from the beginning.
const ON_DEMAND: (i64, i64) = (12_000, 4_000);

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
    let is_active = table.table_status == Some(TableStatus::Active);
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
        ("LocalSecondaryIndexes", Value::unless_empty(table.local_indexes.iter().map(local_index).collect())),
        (
            "GlobalSecondaryIndexes",
            Value::unless_empty(table.global_indexes.iter().map(global_index).collect()),
        ),
        ("StreamSpecification", table.stream.map(stream)),
        ("LatestStreamLabel", table.latest_stream_label.as_deref().map(Value::from)),
        ("LatestStreamArn", table.latest_stream_arn.as_deref().map(Value::from)),
        ("SSEDescription", table.sse.as_ref().and_then(|found| sse(found, table))),
        ("TableClassSummary", class),
        ("DeletionProtectionEnabled", Some(table.deletion_protection.into())),
        ("OnDemandThroughput", table.on_demand.as_ref().map(on_demand)),
        // What is dropped is told without its parts.
        (
            "WarmThroughput",
            table.creation_date_time.map(|_| warm(table.warm, Some(&table.throughput), is_active)),
        ),
    ])
}

fn local_index(description: &IndexDescription) -> Value {
    index(description, false)
}

fn global_index(description: &IndexDescription) -> Value {
    index(description, true)
}

fn index(index: &IndexDescription, is_global: bool) -> Value {
    let is_active = index.status == Some(TableStatus::Active);
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
        ("WarmThroughput", is_global.then(|| warm(index.warm, index.throughput.as_ref(), is_active))),
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

/// What is kept warm: no less than what is provisioned, or than every table has that is paid by request.
fn warm(warm: Option<WarmThroughput>, provisioned: Option<&ThroughputDescription>, is_active: bool) -> Value {
    let provisioned = provisioned.map(|units| (units.read, units.write)).filter(|units| *units != (0, 0));
    let (read, write) = provisioned.unwrap_or(ON_DEMAND);
    let (asked_read, asked_write) = warm.map_or((None, None), |warm| (warm.read, warm.write));
    Value::map([
        ("ReadUnitsPerSecond", Some(Value::Int(asked_read.unwrap_or(0).max(read)))),
        ("WriteUnitsPerSecond", Some(Value::Int(asked_write.unwrap_or(0).max(write)))),
        ("Status", Some(if is_active { "ACTIVE" } else { "UPDATING" }.into())),
    ])
}

fn stream(stream: StreamSpecification) -> Value {
    Value::map([
        ("StreamEnabled", Some(stream.enabled.into())),
        ("StreamViewType", stream.view_type.map(|kind| kind.name().into())),
    ])
}

/// Encryption by the service's own key is not told. The account's default key has a name of no meaning.
fn sse(sse: &fourfold::kv::SseSpecification, table: &TableDescription) -> Option<Value> {
    let key = sse.kms_key.as_deref().unwrap_or(&table.table_id);
    let place = table.table_arn.strip_prefix("arn:aws:dynamodb:").and_then(|arn| arn.split_once(":table/"));
    let arn = match place {
        Some((place, _)) if !key.starts_with("arn:") => format!("arn:aws:kms:{place}:key/{key}"),
        _ => key.to_owned(),
    };
    (sse.enabled == Some(true)).then(|| {
        Value::map([
            ("Status", Some("ENABLED".into())),
            ("SSEType", Some(sse.sse_type.as_deref().unwrap_or("KMS").into())),
            ("KMSMasterKeyArn", Some(arn.into())),
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
