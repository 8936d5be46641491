//! Reading a transaction before anything is locked.

use crate::kv::Tables;
use crate::kv::error::{CancellationReason, Error, Result};
use crate::kv::keys::Key;
use crate::kv::layout::is_empty_key;
use crate::kv::request::{ReturnValues, Within, prepare_update};
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
        // What can be known without a table is said of all actions before any table is looked for.
        let mut writes = Vec::with_capacity(actions.len());
        for (number, action) in actions.iter().enumerate() {
            writes.push(prepare_action(number, action)?);
        }
        let tables = actions.iter().map(|action| self.state.table(&self.store, action.table()));
        let prepared = tables.zip(writes);
        prepared.map(|(table, (write, given))| Ok(Prepared { table: table?, write, given })).collect()
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
            let key = key.map_err(|error| of_key(error, number, prepared.len()))?;
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

/// One action: what it writes, and the key that it was given, but for a put.
fn prepare_action(number: usize, action: &TransactWrite) -> Result<(Write, Item)> {
    let (when, returns) = (action.when(), ReturnValues::None);
    let shows_failed = when.return_on_failure;
    let condition = || when.prepare(Within::Transaction);
    Ok(match action {
        TransactWrite::Put(put) => {
            let mut write = Write::put(put.item.clone(), None, shows_failed, returns)?;
            write.condition = condition()?;
            (write, Item::new())
        }
        TransactWrite::Delete(delete) => {
            (Write::delete(condition()?, shows_failed, returns), checked(&delete.key)?)
        }
        TransactWrite::Update(update) => {
            let (change, condition) =
                prepare_update(update.update.as_ref(), None, when, Within::Transaction)?;
            (Write::of(Action::Update(change), condition, shows_failed, returns), checked(&update.key)?)
        }
        TransactWrite::Check(check) => {
            let condition = condition()?;
            if condition.is_none() {
                return constraint(
                    "null",
                    &format!("transactItems.{}.member.conditionCheck.conditionExpression", number + 1),
                    "Member must not be null",
                );
            }
            (Write::of(Action::Check, condition, shows_failed, returns), checked(&check.key)?)
        }
    })
}

/// A key whose values are not nested too deep.
fn checked(key: &Item) -> Result<Item> {
    key.validate_values()?;
    Ok(key.clone())
}

/// The refusal of a key: an empty one refuses the request, any other cancels the transaction.
pub(crate) fn of_key(error: Error, number: usize, count: usize) -> Error {
    if is_empty_key(&error) { error } else { cancelled(error, number, count) }
}
