//! A change that is visible and on its way to the disk.

use crate::error::Result;
use crate::log::Durability;
use crate::position::Position;
use crate::store::Store;

/// What a verb answers once its batch is as durable as the store was opened for.
#[must_use = "a change is acknowledged by waiting for it"]
#[derive(Debug)]
pub(crate) struct Pending<T> {
    /// None if there is nothing to wait for: a handle costs more than many a verb, where several threads count it.
    store: Option<Store>,
    at: Position,
    end: Position,
    durability: Durability,
    output: T,
}

impl<T> Pending<T> {
    pub(super) fn new(store: &Store, at: Position, end: Position, durability: Durability, output: T) -> Self {
        let store = store.inner.tree.log().must_wait(end, durability).then(|| store.clone());
        Self { store, at, end, durability, output }
    }

    /// Nothing was to be written, because of what is there: it may be another call's that still waits, and what this one
    /// acknowledges must not be lost either.
    pub(crate) fn ready(store: &Store, output: T) -> Self {
        let end = store.frontier();
        Self::new(store, end, end, store.inner.durability, output)
    }

    /// Nothing was to be written, as the call only read: its answer stands.
    pub(crate) fn read(store: &Store, output: T) -> Self {
        let durability = store.inner.durability;
        Self { store: None, at: Position::ZERO, end: Position::ZERO, durability, output }
    }

    /// The batch's place in the order of all batches.
    pub(crate) fn position(&self) -> Position {
        self.at
    }

    /// The same batch, another answer.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Pending<U> {
        let Self { store, at, end, durability, output } = self;
        Pending { store, at, end, durability, output: change(output) }
    }

    /// Blocks until the batch is durable.
    pub(crate) fn wait(self) -> Result<T> {
        if let Some(store) = &self.store {
            store.inner.tree.wait(self.end, self.durability)?;
        }
        Ok(self.output)
    }

    /// [`wait`](Self::wait) that holds no thread.
    pub(crate) async fn done(self) -> Result<T> {
        if let Some(store) = &self.store {
            store.inner.tree.log().wait_async(self.end, self.durability).await?;
        }
        Ok(self.output)
    }

    /// Does not wait: the batch becomes durable with the next one that somebody waits for, or with the next flush.
    pub(crate) fn forget(self) -> T {
        if let Some(store) = &self.store {
            store.inner.background.wrote();
        }
        self.output
    }
}

#[cfg(test)]
#[cfg(feature = "sim")]
mod tests {
    use super::*;
    use crate::sim::{SimDisk, Survival};

    #[test]
    fn what_changes_nothing_promises_what_it_found() {
        let disk = SimDisk::new();
        let store = Store::builder().segment_size(16 << 10).background_threads(0);
        let store = store.open_simulated(&disk, "store").unwrap();
        let words = store.keyspace("words").unwrap();
        let is_there = || {
            let left = disk.crash(&Survival::nothing());
            let store = Store::builder().open_simulated(&left, "store").unwrap();
            store.keyspace("words").unwrap().get(b"a").unwrap().is_some()
        };
        let mut batch = store.batch();
        batch.put(&words, b"a", b"1").unwrap();
        store.commit(batch).unwrap().forget();
        Pending::read(&store, ()).wait().unwrap();
        assert!(!is_there(), "nobody has waited for it");
        Pending::ready(&store, ()).wait().unwrap();
        assert!(is_there());
    }
}
