//! Transactions.

use super::Operation;
use super::attribute::item_value;
use super::batch::collections;
use super::describe::all_consumed;
use super::items::{capacity, delete, metrics, names, put, update, when};
use super::wording::Wording;
use crate::fields::{Dialect, Fields};
use crate::refusal::Result;
use crate::value::Value;
use fourfold::kv::{ConditionCheck, TransactGet, TransactGetItems, TransactWrite, TransactWriteItems};

impl Operation<'_> {
    pub(super) fn transact_get_items(&mut self) -> Result<Value> {
        let gets = self.actions()?.into_iter().map(get).collect::<Result<Vec<_>>>()?;
        let mut request = TransactGetItems::new(gets);
        request.return_consumed_capacity = capacity(&mut self.input)?;
        let output = self.tables.transact_get_items(&request)?;
        let items = output.items.iter();
        let items =
            items.map(|item| Value::map([("Item", item.as_ref().map(item_value))])).collect::<Vec<_>>();
        Ok(Value::map([
            ("Responses", Some(items.into())),
            ("ConsumedCapacity", all_consumed(&output.consumed_capacity)),
        ]))
    }

    pub(super) async fn transact_write_items(&mut self) -> Result<Value> {
        let mut request = TransactWriteItems::new();
        request.actions = self.actions()?.into_iter().map(action).collect::<Result<Vec<_>>>()?;
        request.client_request_token = self.input.text("ClientRequestToken")?;
        request.return_consumed_capacity = capacity(&mut self.input)?;
        request.return_item_collection_metrics = metrics(&mut self.input)?;
        let output = self.tables.transact_write_items_async(&request).await?;
        Ok(Value::map([
            ("ConsumedCapacity", all_consumed(&output.consumed_capacity)),
            ("ItemCollectionMetrics", collections(&output.item_collection_metrics)),
        ]))
    }

    fn actions(&mut self) -> Result<Vec<Fields>> {
        let actions = self.input.structures("TransactItems")?;
        self.input.required("TransactItems", actions)
    }
}

fn get(mut input: Fields) -> Result<TransactGet> {
    let get = input.structure("Get")?;
    let mut input = input.required("transactItems.1.member.get", get)?;
    let mut get =
        TransactGet::new(input.required_text("TableName")?, input.required_item("Key", Wording::Older)?);
    get.projection = input.text("ProjectionExpression")?.map(Into::into);
    get.names = names(&mut input)?;
    Ok(get)
}

fn action(mut input: Fields) -> Result<TransactWrite> {
    let mut actions = Vec::with_capacity(1);
    if let Some(mut input) = input.structure("ConditionCheck")? {
        let mut check = ConditionCheck::new(
            input.required_text("TableName")?,
            input.required_item("Key", Wording::Older)?,
        );
        check.when = when(&mut input, Wording::Older)?;
        actions.push(TransactWrite::Check(check));
    }
    if let Some(mut input) = input.structure("Put")? {
        actions.push(TransactWrite::Put(put(&mut input, Wording::Older)?));
    }
    if let Some(mut input) = input.structure("Delete")? {
        actions.push(TransactWrite::Delete(delete(&mut input, Wording::Older)?));
    }
    if let Some(mut input) = input.structure("Update")? {
        actions.push(TransactWrite::Update(update(&mut input, Wording::Older)?));
    }
    match (actions.pop(), actions.is_empty()) {
        (Some(action), true) => Ok(action),
        (None, _) => Err(Dialect::Dynamo
            .invalid("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")),
        _ => {
            Err(Dialect::Dynamo.invalid("TransactItems can only contain one of Check, Put, Update or Delete"))
        }
    }
}
