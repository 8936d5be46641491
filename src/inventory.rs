//! How many resources of each service a store has.

use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::catalog::ResourceKind;
use crate::{kv, stream};

/// What a [`Store`] has of each service, by number. [`Store::stats`] says what it consists of below them, and the `stats` of
/// a [queue](crate::queue::Queue::stats), [stream](stream::Stream::stats), [table](kv::Table::stats) or
/// [bucket](crate::objects::Bucket::stats) what that holds.
///
/// ```
/// use fourfold::Store;
/// let store = Store::in_memory();
/// store.queues().create("jobs")?;
/// store.streams().create("clicks", Default::default())?;
/// let found = store.inventory()?;
/// assert_eq!((found.queues, found.streams, found.tables, found.buckets), (1, 1, 0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inventory {
    /// Keyspaces by a name; those of services have none.
    pub keyspaces: usize,
    /// Queues.
    pub queues: usize,
    /// Streams.
    pub streams: usize,
    /// Tables.
    pub tables: usize,
    /// Buckets.
    pub buckets: usize,
}

impl Store {
    /// How many resources of each service there are. It costs a look at their names, and for a service that was not used since
    /// the store was opened what it reads first.
    ///
    /// # Errors
    /// [`Corrupt`](Error::Corrupt) or [`Io`](Error::Io) if they cannot be read.
    pub fn inventory(&self) -> Result<Inventory> {
        // A service without resources is not started for this.
        let has = |kind| self.list_resources(kind, "").next().is_some();
        let mut found = Inventory { keyspaces: self.keyspaces()?.len(), ..Inventory::default() };
        if has(ResourceKind::Queue) {
            found.queues = self.queues().how_many()?;
        }
        if has(ResourceKind::Stream) {
            found.streams = self.streams().how_many().map_err(of_stream)?;
        }
        if has(ResourceKind::Table) {
            found.tables = self.tables().how_many().map_err(of_table)?;
        }
        if has(ResourceKind::Bucket) {
            found.buckets = self.buckets().how_many()?;
        }
        Ok(found)
    }
}

fn of_stream(error: stream::Error) -> Error {
    match error {
        stream::Error::Storage(error) => error,
        other => Error::invalid("stream", other),
    }
}

fn of_table(error: kv::Error) -> Error {
    match error {
        kv::Error::Storage(error) => error,
        other => Error::invalid("table", other),
    }
}
