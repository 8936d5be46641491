//! Queries and scans.

use super::attribute::item_value;
use super::describe::consumed;
use super::items::{capacity, names};
use super::precheck::{expression_values, of_starting_key};
use super::{Operation, legacy, word};
use crate::fields::Fields;
use crate::refusal::Result;
use crate::value::Value;
use fourfold::kv::{Page, Query, Scan, SearchParts, Select};
use std::collections::BTreeSet;

impl Operation<'_> {
    pub(super) fn query(&mut self) -> Result<Value> {
        let input = &mut self.input;
        let mut request = Query::new(input.required_text("TableName")?);
        request.key_condition = input.text("KeyConditionExpression")?.map(Into::into);
        request.key_conditions = legacy::conditions(input, "KeyConditions")?;
        request.is_backward = !input.flag("ScanIndexForward")?.unwrap_or(true);
        request.what = parts(input, "QueryFilter")?;
        let is_count = request.what.select == Some(Select::Count);
        Ok(found(&self.tables.query(&request)?, is_count))
    }

    pub(super) fn scan(&mut self) -> Result<Value> {
        let input = &mut self.input;
        let mut request = Scan::new(input.required_text("TableName")?);
        request.segment = input.count("Segment", u32::MAX)?;
        request.total_segments = input.count("TotalSegments", u32::MAX)?;
        request.what = parts(input, "ScanFilter")?;
        let is_count = request.what.select == Some(Select::Count);
        Ok(found(&self.tables.scan(&request)?, is_count))
    }
}

fn parts(input: &mut Fields, filter: &str) -> Result<SearchParts> {
    Ok(SearchParts {
        index: input.text("IndexName")?,
        select: word!(input, "Select", Select)?,
        limit: input.count("Limit", usize::MAX)?,
        consistent_read: input.flag("ConsistentRead")?.unwrap_or(false),
        legacy_filter: legacy::conditions(input, filter)?,
        conditional_operator: legacy::conditional_operator(input)?,
        attributes_to_get: attributes_to_get(input)?,
        exclusive_start_key: input.item("ExclusiveStartKey").map_err(of_starting_key)?,
        filter: input.text("FilterExpression")?.map(Into::into),
        projection: input.text("ProjectionExpression")?.map(Into::into),
        values: expression_values(input, false)?,
        names: names(input)?,
        return_consumed_capacity: capacity(input)?,
    })
}

/// Names of attributes, none twice.
fn attributes_to_get(input: &mut Fields) -> Result<Option<Vec<String>>> {
    let Some(names) = input.texts("AttributesToGet")? else { return Ok(None) };
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        None => Ok(Some(names)),
        Some(twice) => Err(input.dialect().invalid(&format!(
            "One or more parameter values were invalid: Duplicate value in attribute name: {twice}"
        ))),
    }
}

/// A page; one that counts has no items.
fn found(page: &Page, is_count: bool) -> Value {
    let items = || Value::List(page.items.iter().map(item_value).collect());
    Value::map([
        ("Items", (!is_count).then(items)),
        ("Count", Some(number(page.count))),
        ("ScannedCount", Some(number(page.scanned_count))),
        ("LastEvaluatedKey", page.last_evaluated_key.as_ref().map(item_value)),
        ("ConsumedCapacity", page.consumed_capacity.as_ref().map(consumed)),
    ])
}

fn number(count: usize) -> Value {
    u64::try_from(count).unwrap_or(u64::MAX).into()
}
