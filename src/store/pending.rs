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

    /// Nothing was to be written: the answer stands already.
    pub(crate) fn ready(store: &Store, output: T) -> Self {
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
