//! Batches: many items, of many tables, without a transaction.

use super::Operation;
use super::attribute::{MORE_THAN_ONE, item_value};
use super::describe::all_consumed;
use super::items::{capacity, collection, metrics, names};
use super::wording::Wording;
use crate::fields::{Dialect, Fields};
use crate::refusal::Result;
use crate::value::Value;
use fourfold::kv::{
    BatchGetItem, BatchWriteItem, Expr, ItemCollectionMetrics, KeysAndAttributes, WriteRequest,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

impl Operation<'_> {
    pub(super) fn batch_get_item(&mut self) -> Result<Value> {
        let requests = requests(&mut self.input, |value| wanted(Fields::of(value, Dialect::Dynamo)?))?;
        let request = BatchGetItem { requests, return_consumed_capacity: capacity(&mut self.input)? };
        let output = self.tables.batch_get_item(&request)?;
        let responses = output.responses.iter();
        let responses =
            responses.map(|(table, items)| (table, items.iter().map(item_value).collect::<Vec<_>>().into()));
        let unprocessed = output.unprocessed.iter().map(|(table, keys)| (table, wanted_value(keys)));
        Ok(Value::map([
            ("Responses", Some(by_table(responses))),
            ("UnprocessedKeys", Some(by_table(unprocessed))),
            ("ConsumedCapacity", all_consumed(&output.consumed_capacity)),
        ]))
    }

    pub(super) async fn batch_write_item(&mut self) -> Result<Value> {
        let requests = requests(&mut self.input, writes)?;
        let request = BatchWriteItem {
            requests,
            return_consumed_capacity: capacity(&mut self.input)?,
            return_item_collection_metrics: metrics(&mut self.input)?,
        };
        let output = self.tables.batch_write_item_async(&request).await?;
        let unprocessed = output.unprocessed.iter();
        let unprocessed =
            unprocessed.map(|(table, all)| (table, all.iter().map(write_value).collect::<Vec<_>>().into()));
        Ok(Value::map([
            ("UnprocessedItems", Some(by_table(unprocessed))),
            ("ItemCollectionMetrics", collections(&output.item_collection_metrics)),
            ("ConsumedCapacity", all_consumed(&output.consumed_capacity)),
        ]))
    }
}

/// What is asked of each table.
fn requests<T>(input: &mut Fields, read: impl Fn(Value) -> Result<T>) -> Result<BTreeMap<String, T>> {
    let requests = input.map("RequestItems")?;
    let requests = input.required("RequestItems", requests)?;
    let there = requests.into_iter().filter(|(_, value)| *value != Value::Null);
    there.map(|(table, value)| Ok((table.into_owned(), read(value)?))).collect()
}

/// Sizes of partitions by table; nothing if there are none to tell.
pub(super) fn collections(all: &BTreeMap<String, Vec<ItemCollectionMetrics>>) -> Option<Value> {
    let tables =
        all.iter().map(|(table, all)| (table, all.iter().map(collection).collect::<Vec<_>>().into()));
    (!all.is_empty()).then(|| by_table(tables))
}

fn by_table<'a>(tables: impl Iterator<Item = (&'a String, Value)>) -> Value {
    Value::Map(tables.map(|(table, value)| (Cow::Owned(table.clone()), value)).collect())
}

fn wanted(mut input: Fields) -> Result<KeysAndAttributes> {
    let keys = input.list("Keys")?;
    let keys = input.required("Keys", keys)?;
    let may_repeat = are_written_apart(&keys);
    let key = |value| match value {
        Value::Map(members) => super::item(members, Wording::Newer),
        other => Err(Dialect::Dynamo.wrong_type(&other, "Map")),
    };
    Ok(KeysAndAttributes {
        keys: keys.into_iter().map(key).collect::<Result<_>>()?,
        consistent_read: input.flag("ConsistentRead")?.unwrap_or(false),
        projection: input.text("ProjectionExpression")?.map(Into::into),
        names: names(&mut input)?,
        attributes_to_get: input.texts("AttributesToGet")?,
        may_repeat,
    })
}

/// Is no key written as another one is?
fn are_written_apart(keys: &[Value]) -> bool {
    let mut seen = HashSet::with_capacity(keys.len());
    keys.iter().all(|key| match key {
        Value::Map(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by(|(first, _), (second, _)| first.cmp(second));
            let written: Vec<_> = members.into_iter().map(|(name, value)| (name, value.to_json())).collect();
            seen.insert(written)
        }
        _ => true,
    })
}

/// What is still wanted, in the form in which it was asked for.
fn wanted_value(wanted: &KeysAndAttributes) -> Value {
    let projection = wanted.projection.as_ref().and_then(|projection| match projection {
        Expr::Text(text) => Some(text.as_str().into()),
        Expr::Ready(_) => None,
    });
    let attributes = wanted.attributes_to_get.as_ref();
    Value::map([
        ("Keys", Some(wanted.keys.iter().map(item_value).collect::<Vec<_>>().into())),
        ("ConsistentRead", wanted.consistent_read.then(|| true.into())),
        ("ProjectionExpression", projection),
        ("ExpressionAttributeNames", wanted.names.clone().map(Value::texts)),
        (
            "AttributesToGet",
            attributes.map(|all| Value::List(all.iter().map(|name| name.as_str().into()).collect())),
        ),
    ])
}

fn writes(value: Value) -> Result<Vec<WriteRequest>> {
    match value {
        Value::List(items) => items.into_iter().map(write).collect(),
        other => Err(Dialect::Dynamo.wrong_type(&other, "List")),
    }
}

fn write(value: Value) -> Result<WriteRequest> {
    let mut input = Fields::of(value, Dialect::Dynamo)?;
    match (input.structure("PutRequest")?, input.structure("DeleteRequest")?) {
        (Some(mut put), None) => Ok(WriteRequest::Put(put.required_item("Item", Wording::Older)?)),
        (None, Some(mut delete)) => Ok(WriteRequest::Delete(delete.required_item("Key", Wording::Older)?)),
        // The service says the same of none as of both.
        (None, None) | (Some(_), Some(_)) => Err(Dialect::Dynamo.invalid(MORE_THAN_ONE)),
    }
}

fn write_value(write: &WriteRequest) -> Value {
    match write {
        WriteRequest::Put(item) => {
            Value::map([("PutRequest", Some(Value::map([("Item", Some(item_value(item)))])))])
        }
        WriteRequest::Delete(key) => {
            Value::map([("DeleteRequest", Some(Value::map([("Key", Some(item_value(key)))])))])
        }
    }
}
