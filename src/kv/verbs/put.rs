//! `PutItem`.

use crate::kv::Tables;
use crate::kv::capacity::{ConsumedCapacity, ReturnConsumedCapacity};
use crate::kv::error::{Error, Result};
use crate::kv::request::{
    ConditionParts, ReturnValues, Within, check_return_values, condition_methods, return_values_method,
};
use crate::kv::state::Table;
use crate::kv::value::Item;
use crate::kv::verbs::decide::Write;
use crate::kv::verbs::metrics::ItemCollectionMetrics;
use crate::kv::verbs::update::WriteReports;
use crate::store::pending::Pending;
use std::sync::Arc;

/// A new item, or another in place of the one with its key.
///
/// ```
/// use fourfold::kv::{PutItem, item};
/// let put = PutItem::new("users", item! { "id" => "ann", "age" => 30 })
///     .condition("attribute_not_exists(id) OR age < :age")
///     .value(":age", 30);
/// assert_eq!(put.table, "users");
/// ```
#[derive(Clone, Debug, Default)]
pub struct PutItem {
    /// The table.
    pub table: String,
    /// The whole item, at most 400 KB.
    pub item: Item,
    /// What must hold, and its placeholders.
    pub when: ConditionParts,
    /// [`ReturnValues::None`] or [`ReturnValues::AllOld`].
    pub return_values: Option<ReturnValues>,
    /// Is the consumed capacity told?
    pub return_consumed_capacity: Option<ReturnConsumedCapacity>,
    /// Is the size of the item's partition told, if the table has local indexes?
    pub return_item_collection_metrics: bool,
}

impl PutItem {
    /// Puts `item`, whatever is there.
    pub fn new(table: impl Into<String>, item: Item) -> Self {
        Self { table: table.into(), item, ..Self::default() }
    }

    condition_methods!();
    return_values_method!();
}

/// An answer of [`Tables::put_item`], [`Tables::delete_item`] and [`Tables::update_item`].
///
/// ```
/// let output = fourfold::kv::WriteOutput::default();
/// assert_eq!(output.attributes, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct WriteOutput {
    /// The attributes that were asked for, if there are any.
    pub attributes: Option<Item>,
    /// What it cost, if that was asked for.
    pub consumed_capacity: Option<ConsumedCapacity>,
    /// The size of the item's partition, if that was asked for.
    pub item_collection_metrics: Option<ItemCollectionMetrics>,
}

impl Tables {
    /// Puts an item. It is durable when this returns.
    ///
    /// # Errors
    /// `ConditionalCheckFailedException`, `ResourceNotFoundException`, `ValidationException`.
    pub fn put_item(&self, request: PutItem) -> Result<WriteOutput> {
        let resource = self.store.call_name(&request.table);
        self.store.call("PutItem", &resource, || Ok(self.stage_put(request)?.wait()?))
    }

    /// [`put_item`](Self::put_item) that holds no thread while it waits.
    pub async fn put_item_async(&self, request: PutItem) -> Result<WriteOutput> {
        let resource = self.store.call_name(&request.table);
        self.store
            .call_async("PutItem", &resource, async { Ok(self.stage_put(request)?.done().await?) })
            .await
    }

    pub(crate) fn stage_put(&self, request: PutItem) -> Result<Pending<WriteOutput>> {
        let (table, write, reports) = self.prepare_put(request)?;
        self.stage_write(&table, write, &Item::new(), reports)
    }

    /// Reads the request.
    pub(crate) fn prepare_put(&self, request: PutItem) -> Result<(Arc<Table>, Write, WriteReports)> {
        let PutItem { table, item, when, .. } = request;
        check_return_values(request.return_values, &[ReturnValues::AllOld]).map_err(Error::in_request)?;
        let returns = request.return_values.unwrap_or(ReturnValues::None);
        // What is wrong with the item comes before what is wrong with the condition, and both before the table.
        let mut write = Write::put(item, None, when.return_on_failure, returns).map_err(Error::in_request)?;
        write.condition = when.prepare(Within::Alone).map_err(Error::in_request)?;
        let found = self.state.table(&self.store, &table)?;
        let reports = WriteReports {
            capacity: request.return_consumed_capacity,
            metrics: request.return_item_collection_metrics,
        };
        Ok((found, write, reports))
    }
}
