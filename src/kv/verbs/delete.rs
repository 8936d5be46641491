//! `DeleteItem`.

use crate::kv::Tables;
use crate::kv::capacity::ReturnConsumedCapacity;
use crate::kv::error::Result;
use crate::kv::request::{
    ConditionParts, ReturnValues, Within, check_return_values, condition_methods, return_values_method,
};
use crate::kv::state::Table;
use crate::kv::value::Item;
use crate::kv::verbs::decide::Write;
use crate::kv::verbs::put::WriteOutput;
use crate::kv::verbs::update::WriteReports;
use crate::store::pending::Pending;
use std::sync::Arc;

/// An item goes, if it is there.
///
/// ```
/// use fourfold::kv::{DeleteItem, ReturnValues, item};
/// let delete = DeleteItem::new("users", item! { "id" => "ann" }).return_values(ReturnValues::AllOld);
/// assert_eq!(delete.return_values, Some(ReturnValues::AllOld));
/// ```
#[derive(Clone, Debug, Default)]
pub struct DeleteItem {
    /// The table.
    pub table: String,
    /// The key attributes and nothing else.
    pub key: Item,
    /// What must hold, and its placeholders.
    pub when: ConditionParts,
    /// [`ReturnValues::None`] or [`ReturnValues::AllOld`].
    pub return_values: Option<ReturnValues>,
    /// Is the consumed capacity told?
    pub return_consumed_capacity: Option<ReturnConsumedCapacity>,
    /// Is the size of the item's partition told, if the table has local indexes?
    pub return_item_collection_metrics: bool,
}

impl DeleteItem {
    /// Deletes the item with this key.
    pub fn new(table: impl Into<String>, key: Item) -> Self {
        Self { table: table.into(), key, ..Self::default() }
    }

    condition_methods!();
    return_values_method!();
}

impl Tables {
    /// Deletes an item. Nothing happens if it is not there, unless the condition asks for it.
    ///
    /// # Errors
    /// `ConditionalCheckFailedException`, `ResourceNotFoundException`, `ValidationException`.
    #[expect(clippy::needless_pass_by_value, reason = "all writes take their request alike")]
    pub fn delete_item(&self, request: DeleteItem) -> Result<WriteOutput> {
        self.store.call("DeleteItem", &request.table, || Ok(self.stage_delete(&request)?.wait()?))
    }

    /// [`delete_item`](Self::delete_item) that holds no thread while it waits.
    pub async fn delete_item_async(&self, request: DeleteItem) -> Result<WriteOutput> {
        self.store
            .call_async("DeleteItem", &request.table, async {
                Ok(self.stage_delete(&request)?.done().await?)
            })
            .await
    }

    fn stage_delete(&self, request: &DeleteItem) -> Result<Pending<WriteOutput>> {
        let (table, write, reports) = self.prepare_delete(request)?;
        self.stage_write(&table, write, &request.key, reports)
    }

    /// Reads the request.
    pub(crate) fn prepare_delete(&self, request: &DeleteItem) -> Result<(Arc<Table>, Write, WriteReports)> {
        check_return_values(request.return_values, &[ReturnValues::AllOld])
            .map_err(crate::kv::Error::in_request)?;
        let condition = request.when.prepare(Within::Alone).map_err(crate::kv::Error::in_request)?;
        let table = self.state.table(&self.store, &request.table)?;
        let returns = request.return_values.unwrap_or(ReturnValues::None);
        let write = Write::delete(condition, request.when.return_on_failure, returns);
        let reports = WriteReports {
            capacity: request.return_consumed_capacity,
            metrics: request.return_item_collection_metrics,
        };
        Ok((table, write, reports))
    }
}
