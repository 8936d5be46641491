//! `UpdateItem`, and what all writes of one item share.

use crate::kv::Tables;
use crate::kv::capacity::{Bill, ReturnConsumedCapacity};
use crate::kv::error::Result;
use crate::kv::expr::Update;
use crate::kv::expr::legacy::AttributeUpdate;
use crate::kv::feed_locks::Wakes;
use crate::kv::request::{
    ConditionParts, Expr, ReturnValues, Within, check_return_values, condition_methods, prepare_update,
    return_values_method,
};
use crate::kv::state::Table;
use crate::kv::throttle;
use crate::kv::value::Item;
use crate::kv::verbs::decide::{Action, Decided, Write};
use crate::kv::verbs::metrics::item_collection_metrics;
use crate::kv::verbs::put::WriteOutput;
use crate::kv::write::{Before, commit, shape_of};
use crate::store::pending::Pending;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A change of some attributes of an item, which is made if it is not there.
///
/// ```
/// use fourfold::kv::{UpdateItem, item};
/// let update = UpdateItem::new("users", item! { "id" => "ann" })
///     .update("SET age = if_not_exists(age, :zero) + :one REMOVE nickname")
///     .value(":zero", 0)
///     .value(":one", 1);
/// assert!(update.update.is_some());
/// ```
#[derive(Clone, Debug, Default)]
pub struct UpdateItem {
    /// The table.
    pub table: String,
    /// The key attributes and nothing else.
    pub key: Item,
    /// What is to change; without one the item is made with its key alone.
    pub update: Option<Expr<Update>>,
    /// The older form of an update.
    pub attribute_updates: Option<BTreeMap<String, AttributeUpdate>>,
    /// What must hold, and the placeholders of both expressions.
    pub when: ConditionParts,
    /// What is returned of the item.
    pub return_values: Option<ReturnValues>,
    /// Is the consumed capacity told?
    pub return_consumed_capacity: Option<ReturnConsumedCapacity>,
    /// Is the size of the item's partition told, if the table has local indexes?
    pub return_item_collection_metrics: bool,
}

impl UpdateItem {
    /// Makes the item with this key if it is not there, and changes nothing else yet.
    pub fn new(table: impl Into<String>, key: Item) -> Self {
        Self { table: table.into(), key, ..Self::default() }
    }

    /// What is to change.
    #[must_use]
    pub fn update(mut self, update: impl Into<Expr<Update>>) -> Self {
        self.update = Some(update.into());
        self
    }

    condition_methods!();
    return_values_method!();
}

impl Tables {
    /// Updates an item.
    ///
    /// # Errors
    /// `ConditionalCheckFailedException`, `ResourceNotFoundException`, `ValidationException`.
    #[expect(clippy::needless_pass_by_value, reason = "all writes take their request alike")]
    pub fn update_item(&self, request: UpdateItem) -> Result<WriteOutput> {
        self.store.call("UpdateItem", &request.table, || Ok(self.stage_update(&request)?.wait()?))
    }

    /// [`update_item`](Self::update_item) that holds no thread while it waits.
    pub async fn update_item_async(&self, request: UpdateItem) -> Result<WriteOutput> {
        self.store
            .call_async("UpdateItem", &request.table, async {
                Ok(self.stage_update(&request)?.done().await?)
            })
            .await
    }

    fn stage_update(&self, request: &UpdateItem) -> Result<Pending<WriteOutput>> {
        let (table, write, reports) = self.prepare_update(request)?;
        self.stage_write(&table, write, &request.key, reports)
    }

    /// Reads the request.
    pub(crate) fn prepare_update(&self, request: &UpdateItem) -> Result<(Arc<Table>, Write, WriteReports)> {
        use ReturnValues::{AllNew, AllOld, UpdatedNew, UpdatedOld};
        check_return_values(request.return_values, &[AllOld, UpdatedOld, AllNew, UpdatedNew])?;
        let (update, condition) = prepare_update(
            request.update.as_ref(),
            request.attribute_updates.as_ref(),
            &request.when,
            Within::Alone,
        )
        .map_err(crate::kv::Error::in_request)?;
        let table = self.state.table(&self.store, &request.table)?;
        let action = Action::Update(update);
        let returns = request.return_values.unwrap_or(ReturnValues::None);
        let mut write = Write::of(action, condition, request.when.return_on_failure, returns);
        write.counts_changes = true;
        let reports = WriteReports {
            capacity: request.return_consumed_capacity,
            metrics: request.return_item_collection_metrics,
        };
        Ok((table, write, reports))
    }

    /// One item changes.
    pub(crate) fn stage_write(
        &self,
        table: &Table,
        write: Write,
        given: &Item,
        reports: WriteReports,
    ) -> Result<Pending<WriteOutput>> {
        let (store, state) = (&self.store, &*self.state);
        let mut wakes = Wakes::default();
        let shape = shape_of(store, table)?;
        let key = write.key(&shape, given)?;
        write.check_keys(&shape)?;
        throttle::admit_write(self, table, &shape, Some(&key))?;
        let returns = write.returns;
        let lock = state.lock(state.stripe(shape.items.id(), key.hash));
        let mut batch = store.batch();
        let decided = write.decide(store, table, &shape, &mut batch, &key, given)?;
        let pending = commit(store, state, batch, std::slice::from_ref(&decided.effect), &mut wakes)?;
        drop(lock);
        let bill = Bill::of_write(&decided.effect);
        throttle::charge_write(self, table, &shape, &bill, Some(&key));
        let consumed_capacity = bill.report(&table.name, reports.capacity, None);
        let item_collection_metrics = reports
            .metrics
            .then(|| {
                let (before, after) = (decided.before.as_ref(), decided.after.as_ref());
                item_collection_metrics(store, &shape, &key, before, after)
            })
            .transpose()?
            .flatten();
        let attributes = decided.returned(returns)?;
        Ok(pending.map(|()| WriteOutput { attributes, consumed_capacity, item_collection_metrics }))
    }
}

/// What the answer to a write says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriteReports {
    pub(crate) capacity: Option<ReturnConsumedCapacity>,
    pub(crate) metrics: bool,
}

impl Decided<'_> {
    /// The attributes that were asked for.
    fn returned(self, values: ReturnValues) -> Result<Option<Item>> {
        returned(values, self.before, self.after.map(|after| after.item), self.parts)
    }
}

/// The attributes that were asked for; none rather than no attributes.
pub(crate) fn returned(
    values: ReturnValues,
    before: Option<Before>,
    after: Option<Item>,
    parts: Option<Item>,
) -> Result<Option<Item>> {
    Ok(match values {
        ReturnValues::None => None,
        ReturnValues::AllOld => before.map(Before::into_item).transpose()?,
        ReturnValues::AllNew => after,
        ReturnValues::UpdatedOld | ReturnValues::UpdatedNew => parts.filter(|parts| !parts.is_empty()),
    })
}
