//! What requests have in common: expressions as text or prepared, and what answers are to say.

use crate::kv::capacity::ReturnConsumedCapacity;
use crate::kv::error::{Error, Result};
use crate::kv::expr::legacy::{
    self, AttributeUpdate, ConditionalOperator, Expected, LegacyCondition, refuse_mixture,
};
use crate::kv::expr::{Condition, ExpressionKind, KeyCondition, Names, Placeholders, Projection, Update};
use crate::kv::names::named;
use crate::kv::search::query::Query;
use crate::kv::search::scan::Scan;
use crate::kv::search::target::{Select, check_select};
use crate::kv::value::Item;
use std::collections::BTreeMap;

named! {
    /// Which attributes a write returns.
    ///
    /// ```
    /// # use fourfold::kv::ReturnValues;
    /// assert_eq!(ReturnValues::from_name("ALL_OLD"), Some(ReturnValues::AllOld));
    /// ```
    pub enum ReturnValues {
        /// None.
        None = "NONE",
        /// The item as it was.
        AllOld = "ALL_OLD",
        /// What an update changed, as it was.
        UpdatedOld = "UPDATED_OLD",
        /// The item as it is now.
        AllNew = "ALL_NEW",
        /// What an update changed, as it is now.
        UpdatedNew = "UPDATED_NEW",
    }
}

/// An expression of a request: text, with the placeholders of the request, or one that was prepared before.
///
/// ```
/// use fourfold::kv::{DeleteItem, expr::attr, item};
/// let key = item! { "id" => "ann" };
/// let text = DeleteItem::new("users", key.clone()).condition("attribute_exists(id)");
/// let built = DeleteItem::new("users", key).condition(attr("id").exists());
/// assert!(text.when.condition.is_some() && built.when.condition.is_some());
/// ```
#[derive(Clone, Debug)]
pub enum Expr<T> {
    /// Text in the service's language.
    Text(String),
    /// Parsed, or built, with its names and values in it.
    Ready(T),
}

impl<T> From<&str> for Expr<T> {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T> From<String> for Expr<T> {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

macro_rules! ready {
    ($($Kind:ident),+) => {
        $(impl From<$Kind> for Expr<$Kind> {
            fn from(ready: $Kind) -> Self {
                Self::Ready(ready)
            }
        })+
    };
}

ready!(Condition, KeyCondition, Projection, Update);

impl<T: Clone> Expr<T> {
    /// The expression; `is_text` becomes true if there was something to parse.
    fn read(&self, is_text: &mut bool, parse: impl FnOnce(&str) -> Result<T>) -> Result<T> {
        match self {
            Self::Text(text) => {
                *is_text = true;
                parse(text)
            }
            Self::Ready(ready) => Ok(ready.clone()),
        }
    }
}

/// What must hold for a write, the placeholders of its expressions, and what is told if it does not hold.
///
/// ```
/// use fourfold::kv::ConditionParts;
/// let parts = ConditionParts { condition: Some("attribute_exists(id)".into()), ..Default::default() };
/// assert!(!parts.return_on_failure);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ConditionParts {
    /// The condition.
    pub condition: Option<Expr<Condition>>,
    /// What `#names` stand for.
    pub names: Option<Names>,
    /// What `:values` stand for.
    pub values: Option<Item>,
    /// The older form of a condition.
    pub expected: Option<BTreeMap<String, Expected>>,
    /// Must all that is expected be so, or is one enough?
    pub conditional_operator: Option<ConditionalOperator>,
    /// Is the item as it is in the error, if the condition does not hold?
    pub return_on_failure: bool,
}

/// What a write is a part of, on which depends how its expressions are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    /// Nothing: it is a request of its own.
    Alone,
    Transaction,
}

impl ConditionParts {
    /// Reads the condition, the only expression of its request.
    pub(crate) fn prepare(&self, within: Within) -> Result<Option<Condition>> {
        self.check_mixture(&[], &[])?;
        Ok(self.prepare_with(within, &[ExpressionKind::Condition], |_, _| Ok(()))?.1)
    }

    /// Reads another expression of the same request, then the condition. `kinds` are those that the request can have.
    pub(crate) fn prepare_with<T>(
        &self,
        within: Within,
        kinds: &[ExpressionKind],
        other: impl FnOnce(&mut Placeholders<'_>, &mut bool) -> Result<T>,
    ) -> Result<(T, Option<Condition>)> {
        let mut placeholders = Placeholders::new(self.names.as_ref(), self.values.as_ref())?;
        if within == Within::Transaction {
            placeholders.tell_sizes();
        }
        let mut is_text = false;
        let other = other(&mut placeholders, &mut is_text)?;
        let condition = read_condition(
            self.condition.as_ref(),
            ExpressionKind::Condition,
            &mut placeholders,
            &mut is_text,
        )?;
        finish(placeholders, is_text, kinds)?;
        Ok((other, condition.or(self.legacy()?)))
    }

    fn legacy(&self) -> Result<Option<Condition>> {
        let empty = BTreeMap::new();
        legacy::expected(self.expected.as_ref().unwrap_or(&empty), self.conditional_operator)
    }

    /// Are there parameters of both kinds? Others of the request are given by name.
    fn check_mixture(&self, legacy: &[(&str, bool)], expressions: &[(&str, bool)]) -> Result<()> {
        let older = [
            legacy,
            &[
                ("Expected", self.expected.is_some()),
                ("ConditionalOperator", self.conditional_operator.is_some()),
            ],
        ];
        let newer = [expressions, &[("ConditionExpression", self.condition.is_some())]];
        refuse_mixture(&older.concat(), &newer.concat())
    }
}

fn read_condition(
    condition: Option<&Expr<Condition>>,
    kind: ExpressionKind,
    placeholders: &mut Placeholders<'_>,
    is_text: &mut bool,
) -> Result<Option<Condition>> {
    let parse = |condition: &Expr<Condition>| {
        condition.read(is_text, |text| Condition::parse_with(kind, text, placeholders))
    };
    condition.map(parse).transpose()
}

fn read_projection(
    projection: Option<&Expr<Projection>>,
    attributes_to_get: Option<&[String]>,
    placeholders: &mut Placeholders<'_>,
    is_text: &mut bool,
) -> Result<Option<Projection>> {
    if let Some(names) = attributes_to_get {
        return Projection::attributes_to_get(names).map(Some);
    }
    let parse = |projection: &Expr<Projection>| {
        projection.read(is_text, |text| Projection::parse_with(text, placeholders))
    };
    projection.map(parse).transpose()
}

/// Every placeholder was used; without a text there is none.
fn finish(placeholders: Placeholders<'_>, is_text: bool, kinds: &[ExpressionKind]) -> Result<()> {
    if is_text { placeholders.finish() } else { placeholders.refuse_all(kinds) }
}

/// The projection of a request that has no other expression.
pub(crate) fn prepare_projection(
    projection: Option<&Expr<Projection>>,
    names: Option<&Names>,
    attributes_to_get: Option<&[String]>,
) -> Result<Option<Projection>> {
    refuse_mixture(
        &[("AttributesToGet", attributes_to_get.is_some())],
        &[("ProjectionExpression", projection.is_some())],
    )?;
    let mut placeholders = Placeholders::new(names, None)?;
    let mut is_text = false;
    let read = read_projection(projection, attributes_to_get, &mut placeholders, &mut is_text)?;
    finish(placeholders, is_text, &[ExpressionKind::Projection])?;
    Ok(read)
}

/// The update and the condition of a request.
pub(crate) fn prepare_update(
    update: Option<&Expr<Update>>,
    attribute_updates: Option<&BTreeMap<String, AttributeUpdate>>,
    when: &ConditionParts,
    within: Within,
) -> Result<(Update, Option<Condition>)> {
    when.check_mixture(
        &[("AttributeUpdates", attribute_updates.is_some())],
        &[("UpdateExpression", update.is_some())],
    )?;
    let kinds = [ExpressionKind::Update, ExpressionKind::Condition];
    when.prepare_with(within, &kinds, |placeholders, is_text| {
        let parse =
            |update: &Expr<Update>| update.read(is_text, |text| Update::parse_with(text, placeholders));
        match attribute_updates {
            Some(older) => legacy::attribute_updates(older),
            None => Ok(update.map(parse).transpose()?.unwrap_or_default()),
        }
    })
}

/// What queries and scans have in common.
///
/// ```
/// let what = fourfold::kv::SearchParts { limit: Some(10), ..Default::default() };
/// assert_eq!(what.index, None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SearchParts {
    /// The index to search; the table itself if there is none.
    pub index: Option<String>,
    /// What is returned.
    pub select: Option<Select>,
    /// Items to read, before the filter, at most; 1 MB at most in any case.
    pub limit: Option<usize>,
    /// Is the newest state needed? Refused for global indexes. The answer costs twice as much.
    pub consistent_read: bool,
    /// The last key of the page before.
    pub exclusive_start_key: Option<Item>,
    /// Which of the items that were read are kept.
    pub filter: Option<Expr<Condition>>,
    /// Which attributes are returned.
    pub projection: Option<Expr<Projection>>,
    /// What `#names` stand for.
    pub names: Option<Names>,
    /// What `:values` stand for.
    pub values: Option<Item>,
    /// The older form of a filter.
    pub legacy_filter: Option<BTreeMap<String, LegacyCondition>>,
    /// Must all conditions of the older filter hold, or is one enough?
    pub conditional_operator: Option<ConditionalOperator>,
    /// The older form of a projection: names of attributes.
    pub attributes_to_get: Option<Vec<String>>,
    /// Is the consumed capacity told?
    pub return_consumed_capacity: Option<ReturnConsumedCapacity>,
}

/// A query whose expressions were read.
pub(crate) struct PreparedQuery {
    pub(crate) keys: KeyCondition,
    pub(crate) filter: Option<Condition>,
    pub(crate) projection: Option<Projection>,
}

/// A scan whose expressions were read.
pub(crate) struct PreparedScan {
    pub(crate) filter: Option<Condition>,
    pub(crate) projection: Option<Projection>,
}

pub(crate) fn prepare_query(request: &Query) -> Result<PreparedQuery> {
    let what = &request.what;
    // Older conditions on keys may stand beside newer filters and projections.
    what.check_mixture(
        &[("QueryFilter", what.legacy_filter.is_some())],
        &[("KeyConditionExpression", request.key_condition.is_some())],
    )?;
    refuse_mixture(
        &[("KeyConditions", request.key_conditions.is_some())],
        &[("KeyConditionExpression", request.key_condition.is_some())],
    )?;
    check_select(what)?;
    let mut placeholders = Placeholders::new(what.names.as_ref(), what.values.as_ref())?;
    let mut is_text = false;
    // All expressions are read before it is asked whether the first one is a condition on keys.
    let keys = match (&request.key_condition, &request.key_conditions) {
        (Some(Expr::Text(text)), _) => {
            is_text = true;
            Keys::Text(Condition::parse_with(ExpressionKind::KeyCondition, text, &mut placeholders)?)
        }
        (Some(Expr::Ready(keys)), _) => Keys::Ready(keys.clone()),
        (None, Some(older)) => Keys::Ready(older_keys(older, what.index.is_some())?),
        (None, None) => {
            return Err(Error::validation(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
            ));
        }
    };
    let (filter, projection) = what.read(&mut placeholders, &mut is_text)?;
    finish(placeholders, is_text, &[ExpressionKind::Filter, ExpressionKind::KeyCondition])?;
    let keys = match keys {
        Keys::Text(condition) => KeyCondition::from_condition(&condition)?,
        Keys::Ready(keys) => keys,
    };
    Ok(PreparedQuery { keys, filter, projection })
}

/// A condition on keys, which may have turned out to be none.
enum Keys {
    Text(Condition),
    Ready(KeyCondition),
}

/// The older form of a condition on keys. A table has two key attributes at most; an index can have more.
fn older_keys(older: &BTreeMap<String, LegacyCondition>, of_index: bool) -> Result<KeyCondition> {
    let keys = legacy::key_conditions(older)?;
    if !of_index && older.len() > 2 {
        return Err(Error::request("Conditions can be of length 1 or 2 only"));
    }
    Ok(keys)
}

pub(crate) fn prepare_scan(request: &Scan) -> Result<PreparedScan> {
    let what = &request.what;
    what.check_mixture(&[("ScanFilter", what.legacy_filter.is_some())], &[])?;
    check_select(what)?;
    let mut placeholders = Placeholders::new(what.names.as_ref(), what.values.as_ref())?;
    placeholders.tell_sizes();
    let mut is_text = false;
    let (filter, projection) = what.read(&mut placeholders, &mut is_text)?;
    finish(placeholders, is_text, &[ExpressionKind::Filter])?;
    Ok(PreparedScan { filter, projection })
}

impl SearchParts {
    fn read(
        &self,
        placeholders: &mut Placeholders<'_>,
        is_text: &mut bool,
    ) -> Result<(Option<Condition>, Option<Projection>)> {
        let filter = read_condition(self.filter.as_ref(), ExpressionKind::Filter, placeholders, is_text)?;
        let empty = BTreeMap::new();
        let older = self.legacy_filter.as_ref().unwrap_or(&empty);
        let filter = filter.or(legacy::filter(older, self.conditional_operator)?);
        let names = self.attributes_to_get.as_deref();
        Ok((filter, read_projection(self.projection.as_ref(), names, placeholders, is_text)?))
    }
}

impl SearchParts {
    /// Are there parameters of both kinds? Others of the request are given by name.
    fn check_mixture(&self, older: &[(&str, bool)], newer: &[(&str, bool)]) -> Result<()> {
        let older = [
            &[("AttributesToGet", self.attributes_to_get.is_some())],
            older,
            &[("ConditionalOperator", self.conditional_operator.is_some())],
        ];
        let given = [
            ("ProjectionExpression", self.projection.is_some()),
            ("FilterExpression", self.filter.is_some()),
        ];
        refuse_mixture(&older.concat(), &[&given, newer].concat())
    }
}

/// Can a write return these? `others` besides none.
pub(crate) fn check_return_values(values: Option<ReturnValues>, others: &[ReturnValues]) -> Result<()> {
    match values {
        None | Some(ReturnValues::None) => Ok(()),
        Some(values) if others.contains(&values) => Ok(()),
        Some(_) => Err(Error::request("ReturnValues can only be ALL_OLD or NONE")),
    }
}

/// Builder methods of requests with a condition in `when`.
macro_rules! condition_methods {
    () => {
        /// What must hold.
        #[must_use]
        pub fn condition(
            mut self,
            condition: impl Into<crate::kv::request::Expr<crate::kv::expr::Condition>>,
        ) -> Self {
            self.when.condition = Some(condition.into());
            self
        }

        /// What a `#name` stands for.
        #[must_use]
        pub fn name(mut self, placeholder: impl Into<String>, name: impl Into<String>) -> Self {
            self.when.names.get_or_insert_default().insert(placeholder.into(), name.into());
            self
        }

        /// What a `:value` stands for.
        #[must_use]
        pub fn value(
            mut self,
            placeholder: impl Into<String>,
            value: impl Into<crate::kv::value::AttributeValue>,
        ) -> Self {
            self.when.values.get_or_insert_default().insert(placeholder.into(), value.into());
            self
        }

        /// If the condition does not hold, the error has the item as it is.
        #[must_use]
        pub fn return_on_failure(mut self) -> Self {
            self.when.return_on_failure = true;
            self
        }
    };
}

/// Builder methods of searches, with `what`.
macro_rules! search_methods {
    () => {
        /// The index to search.
        #[must_use]
        pub fn index(mut self, name: impl Into<String>) -> Self {
            self.what.index = Some(name.into());
            self
        }

        /// Which of the items that were read are kept.
        #[must_use]
        pub fn filter(
            mut self,
            filter: impl Into<crate::kv::request::Expr<crate::kv::expr::Condition>>,
        ) -> Self {
            self.what.filter = Some(filter.into());
            self
        }

        /// Which attributes are returned.
        #[must_use]
        pub fn projection(
            mut self,
            projection: impl Into<crate::kv::request::Expr<crate::kv::expr::Projection>>,
        ) -> Self {
            self.what.projection = Some(projection.into());
            self
        }

        /// What a `#name` stands for.
        #[must_use]
        pub fn name(mut self, placeholder: impl Into<String>, name: impl Into<String>) -> Self {
            self.what.names.get_or_insert_default().insert(placeholder.into(), name.into());
            self
        }

        /// What a `:value` stands for.
        #[must_use]
        pub fn value(
            mut self,
            placeholder: impl Into<String>,
            value: impl Into<crate::kv::value::AttributeValue>,
        ) -> Self {
            self.what.values.get_or_insert_default().insert(placeholder.into(), value.into());
            self
        }

        /// Reads this many items at most, before the filter.
        #[must_use]
        pub fn limit(mut self, limit: usize) -> Self {
            self.what.limit = Some(limit);
            self
        }

        /// Begins behind the last key of the page before.
        #[must_use]
        pub fn start(mut self, key: crate::kv::value::Item) -> Self {
            self.what.exclusive_start_key = Some(key);
            self
        }

        /// What is returned.
        #[must_use]
        pub fn select(mut self, select: crate::kv::search::target::Select) -> Self {
            self.what.select = Some(select);
            self
        }
    };
}

/// What a write returns.
macro_rules! return_values_method {
    () => {
        /// What is returned of the item.
        #[must_use]
        pub fn return_values(mut self, values: crate::kv::request::ReturnValues) -> Self {
            self.return_values = Some(values);
            self
        }
    };
}

pub(crate) use {condition_methods, return_values_method, search_methods};
