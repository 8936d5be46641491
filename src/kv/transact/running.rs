//! Which items transactions are at work on.
//!
//! A transaction names its items before it waits for their locks, and takes the names back when it is logged or refused.
//! Another one that finds an item named meanwhile is cancelled: a conflict is reported if, and only if, there is one.
//! Writes of single items wait instead.

use crate::kv::keys::Key;
use parking_lot::Mutex;
use std::collections::HashSet;

/// An item: its table's keyspace and its key.
pub(crate) type ItemId = (u32, Key);

/// The items of all transactions under way.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashSet<ItemId>>);

/// The items of one transaction; others may have them again when it is dropped.
pub(crate) struct Named<'a> {
    running: &'a Running,
    items: Vec<ItemId>,
}

impl Running {
    /// Names all items, or says which are named already.
    pub(crate) fn name(&self, items: Vec<ItemId>) -> Result<Named<'_>, Vec<bool>> {
        let mut running = self.0.lock();
        let taken: Vec<bool> = items.iter().map(|item| running.contains(item)).collect();
        if taken.contains(&true) {
            return Err(taken);
        }
        running.extend(items.iter().cloned());
        Ok(Named { running: self, items })
    }
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        let mut running = self.running.0.lock();
        for item in &self.items {
            running.remove(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::keys::Scalar;

    fn item(name: &str) -> ItemId {
        (7, Key::of(Scalar::Bytes(name.as_bytes()), None))
    }

    #[test]
    fn an_item_is_of_one_transaction_at_a_time() {
        let running = Running::default();
        let first = running.name(vec![item("a"), item("b")]).ok().unwrap();
        assert_eq!(running.name(vec![item("c"), item("b")]).err(), Some(vec![false, true]));
        let other = running.name(vec![item("c")]).ok().unwrap();
        drop(first);
        assert!(running.name(vec![item("b")]).is_ok());
        assert!(running.name(vec![item("c")]).is_err());
        drop(other);
        assert!(running.0.lock().is_empty());
    }
}
