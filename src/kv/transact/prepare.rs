//! Reading a transaction before anything is locked.

use crate::kv::Tables;
use crate::kv::error::{CancellationReason, Error, Result};
use crate::kv::keys::Key;
use crate::kv::request::{ReturnValues, prepare_update};
use crate::kv::state::Table;
use crate::kv::tables::validate::constraint;
use crate::kv::transact::write::TransactWrite;
use crate::kv::value::Item;
use crate::kv::verbs::decide::{Action, Write};
use crate::kv::write::shape_of;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Actions of a transaction, at most.
pub const TRANSACTION_ACTIONS_MAX: usize = 100;
/// Bytes of the items, keys and values of a transaction, at most.
pub const TRANSACTION_BYTES_MAX: usize = 4 << 20;

/// An action whose expressions were read.
pub(crate) struct Prepared {
    pub(crate) table: Arc<Table>,
    pub(crate) write: Write,
    /// The key, but for a put.
    pub(crate) given: Item,
}

pub(crate) fn check_count(count: usize) -> Result<()> {
    if count == 0 {
        return constraint("[]", "transactItems", "Member must have length greater than or equal to 1");
    }
    if count > TRANSACTION_ACTIONS_MAX {
        let count = format!("[{count} members]");
        return constraint(&count, "transactItems", "Member must have length less than or equal to 100");
    }
    Ok(())
}

/// A transaction in which one action can never be done.
pub(crate) fn cancelled(error: Error, number: usize, count: usize) -> Error {
    let Error::Validation { message, .. } = error else { return error };
    let mut reasons = vec![CancellationReason::None; count];
    if let Some(reason) = reasons.get_mut(number) {
        *reason = CancellationReason::Validation { message };
    }
    Error::TransactionCanceled { reasons }
}

impl Tables {
    /// Reads all actions; what is wrong with an expression refuses the request.
    pub(crate) fn prepare_actions(&self, actions: &[TransactWrite]) -> Result<Vec<Prepared>> {
        check_count(actions.len())?;
        let size: usize = actions.iter().map(TransactWrite::size).sum();
        if size > TRANSACTION_BYTES_MAX {
            return Err(Error::validation(format!(
                "Transaction request size exceeded: the request has {size} bytes, the limit is \
                 {TRANSACTION_BYTES_MAX}"
            )));
        }
        let mut prepared = Vec::with_capacity(actions.len());
        for (number, action) in actions.iter().enumerate() {
            let when = action.when();
            let returns = ReturnValues::None;
            let (write, given) = match action {
                TransactWrite::Put(put) => {
                    let condition = when.prepare()?;
                    let write = Write::put(put.item.clone(), condition, when.return_on_failure, returns);
                    (write.map_err(|error| cancelled(error, number, actions.len()))?, Item::new())
                }
                TransactWrite::Delete(delete) => {
                    let write = Write::delete(when.prepare()?, when.return_on_failure, returns);
                    (write, delete.key.clone())
                }
                TransactWrite::Update(update) => {
                    let (change, condition) = prepare_update(update.update.as_ref(), None, when)?;
                    let shows_failed = when.return_on_failure;
                    let action = Action::Update(change);
                    (Write { action, condition, shows_failed, returns }, update.key.clone())
                }
                TransactWrite::Check(check) => {
                    let condition = when.prepare()?;
                    if condition.is_none() {
                        return constraint(
                            "null",
                            &format!(
                                "transactItems.{}.member.conditionCheck.conditionExpression",
                                number + 1
                            ),
                            "Member must not be null",
                        );
                    }
                    let shows_failed = when.return_on_failure;
                    (Write { action: Action::Check, condition, shows_failed, returns }, check.key.clone())
                }
            };
            let table = self.state.table(&self.store, action.table())?;
            prepared.push(Prepared { table, write, given });
        }
        Ok(prepared)
    }

    /// The keys of all actions, no two of one item.
    pub(crate) fn keys_of(&self, prepared: &[Prepared]) -> Result<Vec<(u32, Key)>> {
        let mut keys = Vec::with_capacity(prepared.len());
        let mut seen = BTreeSet::new();
        for (number, action) in prepared.iter().enumerate() {
            let shape = shape_of(&self.store, &action.table)?;
            let key = action.write.key(&shape, &action.given).and_then(|key| {
                action.write.check_keys(&shape)?;
                Ok(key)
            });
            let key = key.map_err(|error| cancelled(error, number, prepared.len()))?;
            if !seen.insert((shape.items.id(), key.clone())) {
                return Err(Error::validation(
                    "Transaction request cannot include multiple operations on one item",
                ));
            }
            keys.push((shape.items.id(), key));
        }
        Ok(keys)
    }
}
