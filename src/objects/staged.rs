//! A change that is visible and on its way to the disk, and whom to tell when it is there.

use crate::objects::notify::Calls;
use crate::store::Store;
use crate::store::pending;

/// The store's [`Pending`](pending::Pending), with the functions that are called once it is durable.
#[must_use = "a change is acknowledged by waiting for it"]
#[derive(Debug)]
pub(crate) struct Pending<T> {
    change: pending::Pending<T>,
    calls: Calls,
}

impl<T> Pending<T> {
    pub(crate) fn new(change: pending::Pending<T>, calls: Calls) -> Self {
        Self { change, calls }
    }

    /// Nothing was to be written, because of what is there, which is waited for.
    pub(crate) fn ready(store: &Store, output: T) -> Self {
        Self::new(pending::Pending::ready(store, output), Calls::default())
    }

    /// Nothing was to be written, as the call only read.
    pub(crate) fn read(store: &Store, output: T) -> Self {
        Self::new(pending::Pending::read(store, output), Calls::default())
    }

    /// The same change, another answer.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Pending<U> {
        Pending { change: self.change.map(change), calls: self.calls }
    }

    /// Blocks until the change is durable.
    pub(crate) fn wait(mut self) -> crate::Result<T> {
        // What arrived is visible already.
        self.calls.wake();
        let output = self.change.wait()?;
        self.calls.run();
        Ok(output)
    }

    /// [`wait`](Self::wait) that holds no thread.
    pub(crate) async fn done(mut self) -> crate::Result<T> {
        self.calls.wake();
        let output = self.change.done().await?;
        self.calls.run();
        Ok(output)
    }

    /// Does not wait, and tells nobody but those who are told in the batch.
    pub(crate) fn forget(self) -> T {
        self.change.forget()
    }

    /// `earlier` is durable when this is: whom it tells is told first.
    pub(crate) fn after(mut self, earlier: Pending<()>) -> Self {
        self.calls = earlier.calls.then(self.calls);
        self
    }
}
