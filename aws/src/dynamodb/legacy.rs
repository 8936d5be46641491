//! Conditions and updates from before there were expressions.

use super::attribute::{attribute, attributes};
use super::constraint;
use super::wording::Wording;
use crate::fields::{Dialect, Fields};
use crate::refusal::Result;
use crate::value::Value;
use fourfold::kv::expr::legacy::{
    AttributeUpdate, ComparisonOperator, ConditionalOperator, Expected, LegacyCondition, UpdateAction,
};
use std::collections::BTreeMap;

/// A map of structures, by names of attributes.
fn by_name<T>(
    input: &mut Fields,
    member: &str,
    read: impl Fn(Fields) -> Result<T>,
) -> Result<Option<BTreeMap<String, T>>> {
    let Some(members) = input.map(member)? else { return Ok(None) };
    let read = |value: Value| read(Fields::of(value, Dialect::Dynamo)?);
    members
        .into_iter()
        .map(|(name, value)| Ok((name.into_owned(), read(value)?)))
        .collect::<Result<_>>()
        .map(Some)
}

pub(super) fn expected(input: &mut Fields, wording: Wording) -> Result<Option<BTreeMap<String, Expected>>> {
    let one = |value| attribute(value, wording).map_err(|refusal| wording.counted(refusal));
    by_name(input, "Expected", |mut input| {
        Ok(Expected {
            value: input.value("Value").map(one).transpose()?,
            exists: input.flag("Exists")?,
            operator: operator(&mut input)?,
            values: attributes(&mut input, "AttributeValueList", wording)?,
        })
    })
}

pub(super) fn conditions(
    input: &mut Fields,
    member: &str,
    wording: Wording,
) -> Result<Option<BTreeMap<String, LegacyCondition>>> {
    by_name(input, member, |mut input| {
        let operator = operator(&mut input)?;
        let operator = input.required("ComparisonOperator", operator)?;
        let values = attributes(&mut input, "AttributeValueList", wording)?.unwrap_or_default();
        Ok(LegacyCondition { operator, values })
    })
}

pub(super) fn updates(
    input: &mut Fields,
    wording: Wording,
) -> Result<Option<BTreeMap<String, AttributeUpdate>>> {
    let one = |value| attribute(value, wording).map_err(|refusal| wording.counted(refusal));
    by_name(input, "AttributeUpdates", |mut input| {
        let action = match input.text("Action")?.as_deref() {
            None | Some("PUT") => UpdateAction::Put,
            Some("ADD") => UpdateAction::Add,
            Some("DELETE") => UpdateAction::Delete,
            Some(other) => {
                return Err(constraint(other, "action", "satisfy enum value set: [ADD, DELETE, PUT]"));
            }
        };
        Ok(AttributeUpdate { action, value: input.value("Value").map(one).transpose()? })
    })
}

pub(super) fn conditional_operator(input: &mut Fields) -> Result<Option<ConditionalOperator>> {
    match input.text("ConditionalOperator")?.as_deref() {
        None => Ok(None),
        Some("AND") => Ok(Some(ConditionalOperator::And)),
        Some("OR") => Ok(Some(ConditionalOperator::Or)),
        Some(other) => Err(constraint(other, "conditionalOperator", "satisfy enum value set: [OR, AND]")),
    }
}

fn operator(input: &mut Fields) -> Result<Option<ComparisonOperator>> {
    let Some(text) = input.text("ComparisonOperator")? else { return Ok(None) };
    let operators =
        "IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS";
    let rule = format!("satisfy enum value set: [{operators}]");
    let found = ComparisonOperator::parse(&text);
    found.map(Some).ok_or_else(|| constraint(&text, "comparisonOperator", &rule))
}
