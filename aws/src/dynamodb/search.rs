//! Queries and scans.

use super::attribute::item_value;
use super::describe::consumed;
use super::items::{capacity, names};
use super::precheck::{expression_values, of_starting_key};
use super::wording::Wording;
use super::{Operation, legacy, word};
use crate::fields::Fields;
use crate::refusal::Result;
use crate::value::Value;
use fourfold::kv::expr::legacy::LegacyCondition;
use fourfold::kv::{Item, Page, Query, Scan, SearchParts, Select};
use std::collections::{BTreeMap, BTreeSet};

impl Operation<'_> {
    pub(super) fn query(&mut self) -> Result<Value> {
        let (input, wording) = (&mut self.input, Wording::Newer);
        let mut request = Query::new(input.required_text("TableName")?);
        request.key_condition = input.text("KeyConditionExpression")?.map(Into::into);
        request.is_backward = !input.flag("ScanIndexForward")?.unwrap_or(true);
        let what = &mut request.what;
        // In the order in which the service looks at them.
        what.legacy_filter = filter(input, "QueryFilter", wording)?;
        what.attributes_to_get = attributes_to_get(input)?;
        what.exclusive_start_key = start(input, wording)?;
        request.key_conditions = legacy::conditions(input, "KeyConditions", wording)?;
        rest(input, &mut request.what, wording)?;
        let is_count = request.what.select == Some(Select::Count);
        Ok(found(&self.tables.query(&request)?, is_count))
    }

    pub(super) fn scan(&mut self) -> Result<Value> {
        let (input, wording) = (&mut self.input, Wording::Older);
        let mut request = Scan::new(input.required_text("TableName")?);
        request.segment = input.count("Segment", u32::MAX)?;
        request.total_segments = input.count("TotalSegments", u32::MAX)?;
        let what = &mut request.what;
        what.attributes_to_get = attributes_to_get(input)?;
        what.legacy_filter = filter(input, "ScanFilter", wording)?;
        what.exclusive_start_key = start(input, wording)?;
        request.check_segment()?;
        rest(input, &mut request.what, wording)?;
        let is_count = request.what.select == Some(Select::Count);
        Ok(found(&self.tables.scan(&request)?, is_count))
    }
}

/// An older filter, each condition of which is right in itself.
fn filter(
    input: &mut Fields,
    member: &str,
    wording: Wording,
) -> Result<Option<BTreeMap<String, LegacyCondition>>> {
    let conditions = legacy::conditions(input, member, wording)?;
    if let Some(conditions) = &conditions {
        fourfold::kv::expr::legacy::filter(conditions, None)?;
    }
    Ok(conditions)
}

fn start(input: &mut Fields, wording: Wording) -> Result<Option<Item>> {
    input.item("ExclusiveStartKey", wording).map_err(of_starting_key)
}

/// What is looked at behind the older parameters and the starting key.
fn rest(input: &mut Fields, what: &mut SearchParts, wording: Wording) -> Result<()> {
    what.index = input.text("IndexName")?;
    what.select = word!(input, "Select", Select)?;
    what.limit = input.count("Limit", usize::MAX)?;
    what.consistent_read = input.flag("ConsistentRead")?.unwrap_or(false);
    what.conditional_operator = legacy::conditional_operator(input)?;
    what.filter = input.text("FilterExpression")?.map(Into::into);
    what.projection = input.text("ProjectionExpression")?.map(Into::into);
    what.values = expression_values(input, wording)?;
    what.names = names(input)?;
    what.return_consumed_capacity = capacity(input)?;
    Ok(())
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
