//! `Query`.

use crate::kv::Tables;
use crate::kv::capacity::Bill;
use crate::kv::error::Result;
use crate::kv::expr::legacy::LegacyCondition;
use crate::kv::expr::{Condition, KeyCondition, KeyRange, Path, Projection};
use crate::kv::keys::Key;
use crate::kv::layout::KeyAttribute;
use crate::kv::request::{Expr, SearchParts, prepare_query, search_methods};
use crate::kv::search::bounds;
use crate::kv::search::page::{Page, Search};
use crate::kv::search::start::Start;
use crate::kv::search::target::{Select, Target};
use crate::kv::state::Table;
use crate::kv::tables::validate::constraint;
use crate::kv::throttle;
use crate::kv::write::shape_of;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A search of one partition of a table or an index, in the order of its sort keys.
///
/// ```
/// use fourfold::kv::Query;
/// let query = Query::new("plays").key_condition("artist = :a").value(":a", "Miles").backward().limit(10);
/// assert_eq!(query.what.limit, Some(10));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The table.
    pub table: String,
    /// Which keys.
    pub key_condition: Option<Expr<KeyCondition>>,
    /// The older form of it.
    pub key_conditions: Option<BTreeMap<String, LegacyCondition>>,
    /// From the largest sort key to the smallest?
    pub is_backward: bool,
    /// What is kept and returned of the items.
    pub what: SearchParts,
}

impl Query {
    /// A search without a condition yet.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), ..Self::default() }
    }

    /// Which keys: the partition keys are equal to something, sort keys may be compared.
    #[must_use]
    pub fn key_condition(mut self, condition: impl Into<Expr<KeyCondition>>) -> Self {
        self.key_condition = Some(condition.into());
        self
    }

    /// From the largest sort key to the smallest.
    #[must_use]
    pub fn backward(mut self) -> Self {
        self.is_backward = true;
        self
    }

    search_methods!();
}

impl Tables {
    /// A page of the items with one partition key.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such table, `ValidationException` for an index it does not have and
    /// for conditions that do not parse or do not fit its keys.
    pub fn query(&self, request: &Query) -> Result<Page> {
        self.store
            .call("Query", &request.table, || self.query_by(request, |_, search| search.run(&self.store)))
    }

    /// [`query`](Self::query) whose page is read by `run`.
    pub(crate) fn query_by(
        &self,
        request: &Query,
        run: impl FnOnce(&Arc<Table>, &Search<'_>) -> Result<(Page, Bill)>,
    ) -> Result<Page> {
        let what = &request.what;
        check_limit(what.limit)?;
        let prepared = prepare_query(request)?;
        let table = self.state.table(&self.store, &request.table)?;
        let shape = shape_of(&self.store, &table)?;
        let target = Target::new(&self.store, &table, &shape, what.index.as_deref(), what.consistent_read)?;
        let hash: Vec<_> = target.hash().iter().map(KeyAttribute::for_conditions).collect();
        let range: Vec<_> = target.range().iter().map(KeyAttribute::for_conditions).collect();
        // What is wrong with the starting key and with the conditions is told in turns.
        let start = what.exclusive_start_key.as_ref().map(|key| Start::new(target, key));
        start.map_or(Ok(()), |start| start.check_hash())?;
        prepared.keys.check_hash(&hash, &range)?;
        start.map_or(Ok(()), |start| start.check_rest())?;
        let found = prepared.keys.resolve(&hash, &range)?;
        let is_raw = target.index.is_none();
        let mut bounds = bounds::of_query(&found, target.hash(), target.range(), is_raw)?;
        let partition = is_raw.then(|| Key::containing(&bounds.lower));
        let is_forward = !request.is_backward;
        if let Some(start) = start {
            let all = KeyRange { hash: found.hash.clone(), range: Vec::new(), last: None };
            let all = bounds::of_query(&all, target.hash(), target.range(), is_raw)?;
            bounds = bounds.behind(start.of_query(&found, &all)?, is_forward);
        }
        if let Some(filter) = &prepared.filter {
            let is_older = what.filter.is_none();
            target.check_filter(filter, if is_older { "QueryFilter" } else { "Filter Expression" })?;
        }
        let reads_table = target.needs_table(what.select, prepared.projection.as_ref())?;
        shape.check_scalars(paths(prepared.filter.as_ref(), prepared.projection.as_ref()))?;
        throttle::admit_read(self, &table, &shape, target.index.map(|index| &**index), None)?;
        let search = Search {
            target,
            bounds,
            is_forward,
            limit: what.limit,
            filter: prepared.filter,
            projection: prepared.projection,
            counts_only: what.select == Some(Select::Count),
            reads_table,
            is_consistent: what.consistent_read,
            by_partition: false,
        };
        let (mut page, bill) = run(&table, &search)?;
        throttle::charge_read(self, &table, &shape, &bill, partition.as_ref());
        page.consumed_capacity = bill.report(&table.name, what.return_consumed_capacity, None);
        Ok(page)
    }
}

/// All paths of a filter and a projection.
pub(crate) fn paths<'a>(
    filter: Option<&'a Condition>,
    projection: Option<&'a Projection>,
) -> impl Iterator<Item = &'a Path> {
    let filtered = filter.into_iter().flat_map(Condition::paths);
    filtered.chain(projection.into_iter().flat_map(Projection::paths))
}

pub(crate) fn check_limit(limit: Option<usize>) -> Result<()> {
    match limit {
        Some(0) => constraint("0", "limit", "Member must have value greater than or equal to 1"),
        _ => Ok(()),
    }
}
