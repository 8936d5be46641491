//! Single items: putting, getting, updating and deleting them.

use super::attribute::item_value;
use super::describe::consumed;
use super::precheck::expression_values;
use super::wording::Wording;
use super::{Operation, constraint, legacy, word};
use crate::fields::Fields;
use crate::refusal::Result;
use crate::value::Value;
use fourfold::kv::expr::Names;
use fourfold::kv::{
    ConditionParts, DeleteItem, GetItem, ItemCollectionMetrics, PutItem, ReturnConsumedCapacity,
    ReturnValues, UpdateItem, WriteOutput,
};

impl Operation<'_> {
    pub(super) async fn put_item(&mut self) -> Result<Value> {
        let request = put(&mut self.input, self.writes)?;
        Ok(written(&self.tables.put_item_async(request).await?))
    }

    pub(super) fn get_item(&mut self) -> Result<Value> {
        let input = &mut self.input;
        let mut request =
            GetItem::new(input.required_text("TableName")?, input.required_item("Key", Wording::Newer)?);
        request.consistent_read = input.flag("ConsistentRead")?.unwrap_or(false);
        request.projection = input.text("ProjectionExpression")?.map(Into::into);
        request.names = names(input)?;
        request.attributes_to_get = input.texts("AttributesToGet")?;
        request.return_consumed_capacity = capacity(input)?;
        let output = self.tables.get_item(&request)?;
        Ok(Value::map([
            ("Item", output.item.as_ref().map(item_value)),
            ("ConsumedCapacity", output.consumed_capacity.as_ref().map(consumed)),
        ]))
    }

    pub(super) async fn update_item(&mut self) -> Result<Value> {
        let request = update(&mut self.input, self.writes)?;
        Ok(written(&self.tables.update_item_async(request).await?))
    }

    pub(super) async fn delete_item(&mut self) -> Result<Value> {
        let request = delete(&mut self.input, self.writes)?;
        Ok(written(&self.tables.delete_item_async(request).await?))
    }
}

/// A put, alone or in a transaction.
pub(super) fn put(input: &mut Fields, wording: Wording) -> Result<PutItem> {
    let mut request = PutItem::new(input.required_text("TableName")?, input.required_item("Item", wording)?);
    request.when = when(input, wording)?;
    request.return_values = word!(input, "ReturnValues", ReturnValues)?;
    request.return_consumed_capacity = capacity(input)?;
    request.return_item_collection_metrics = metrics(input)?;
    Ok(request)
}

/// A deletion, alone or in a transaction.
pub(super) fn delete(input: &mut Fields, wording: Wording) -> Result<DeleteItem> {
    let mut request =
        DeleteItem::new(input.required_text("TableName")?, input.required_item("Key", wording)?);
    request.when = when(input, wording)?;
    request.return_values = word!(input, "ReturnValues", ReturnValues)?;
    request.return_consumed_capacity = capacity(input)?;
    request.return_item_collection_metrics = metrics(input)?;
    Ok(request)
}

/// An update, alone or in a transaction.
pub(super) fn update(input: &mut Fields, wording: Wording) -> Result<UpdateItem> {
    let mut request =
        UpdateItem::new(input.required_text("TableName")?, input.required_item("Key", wording)?);
    request.update = input.text("UpdateExpression")?.map(Into::into);
    request.attribute_updates = legacy::updates(input, wording)?;
    request.when = when(input, wording)?;
    request.return_values = word!(input, "ReturnValues", ReturnValues)?;
    request.return_consumed_capacity = capacity(input)?;
    request.return_item_collection_metrics = metrics(input)?;
    Ok(request)
}

/// The condition of a write, with the placeholders of all its expressions.
pub(super) fn when(input: &mut Fields, wording: Wording) -> Result<ConditionParts> {
    let on_failure = input.text("ReturnValuesOnConditionCheckFailure")?;
    let return_on_failure = match on_failure.as_deref() {
        None | Some("NONE") => false,
        Some("ALL_OLD") => true,
        Some(other) => {
            let rule = "satisfy enum value set: [ALL_OLD, NONE]";
            return Err(constraint(other, "returnValuesOnConditionCheckFailure", rule));
        }
    };
    Ok(ConditionParts {
        condition: input.text("ConditionExpression")?.map(Into::into),
        expected: legacy::expected(input, wording)?,
        conditional_operator: legacy::conditional_operator(input)?,
        values: expression_values(input, wording)?,
        names: names(input)?,
        return_on_failure,
    })
}

pub(super) fn names(input: &mut Fields) -> Result<Option<Names>> {
    Ok(input.text_map("ExpressionAttributeNames")?.map(Names::from_iter))
}

pub(super) fn capacity(input: &mut Fields) -> Result<Option<ReturnConsumedCapacity>> {
    word!(input, "ReturnConsumedCapacity", ReturnConsumedCapacity)
}

/// Are sizes of partitions asked for?
pub(super) fn metrics(input: &mut Fields) -> Result<bool> {
    match input.text("ReturnItemCollectionMetrics")?.as_deref() {
        None | Some("NONE") => Ok(false),
        Some("SIZE") => Ok(true),
        Some(other) => {
            Err(constraint(other, "returnItemCollectionMetrics", "satisfy enum value set: [SIZE, NONE]"))
        }
    }
}

fn written(output: &WriteOutput) -> Value {
    Value::map([
        ("Attributes", output.attributes.as_ref().map(item_value)),
        ("ConsumedCapacity", output.consumed_capacity.as_ref().map(consumed)),
        ("ItemCollectionMetrics", output.item_collection_metrics.as_ref().map(collection)),
    ])
}

pub(super) fn collection(metrics: &ItemCollectionMetrics) -> Value {
    let (low, high) = metrics.size_estimate_range_gb;
    Value::map([
        ("ItemCollectionKey", Some(item_value(&metrics.item_collection_key))),
        ("SizeEstimateRangeGB", Some(Value::List(vec![Value::Float(low), Value::Float(high)]))),
    ])
}
