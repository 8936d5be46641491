//! What a table holds, counted.

use crate::clock::Timestamp;
use crate::kv::Tables;
use crate::kv::changes::feed::Feed;
use crate::kv::error::Result;
use crate::kv::handle::Table as Handle;
use crate::store::Store;
use std::time::Duration;

/// What a table holds at a moment.
///
/// ```
/// use fourfold::kv::{CreateTable, Index, ScalarType, StreamViewType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// let table = CreateTable::new("users").hash("id", ScalarType::S).attribute("team", ScalarType::S);
/// let table = table.global_index(Index::new("by-team").hash("team")).stream(StreamViewType::KeysOnly);
/// store.tables().create_table(table)?;
/// let users = store.tables().table("users");
/// users.put(item! { "id" => "ann", "team" => "red" })?;
/// users.put(item! { "id" => "bob" })?;
/// let stats = users.stats()?;
/// assert_eq!((stats.items, stats.bytes), (2, 17));
/// assert_eq!((&*stats.indexes[0].name, stats.indexes[0].items), ("by-team", 1));
/// assert_eq!(stats.changes.expect("they are recorded").records, 2);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TableStats {
    /// Items. Exact, as all counts here; those that have expired and were not yet deleted are among them.
    pub items: u64,
    /// Their bytes, as the service counts them.
    pub bytes: u64,
    /// Local and global indexes, as they were created.
    pub indexes: Vec<IndexStats>,
    /// The running stream of changes, if there is one.
    pub changes: Option<ChangeStats>,
    /// When the next item expires, if one does.
    pub expires: Option<Timestamp>,
    /// What gets, writes and queries have cost since the dial [`count_partitions`](crate::kv::Dials::count_partitions) was turned on; none
    /// before anything was counted.
    pub capacity: Option<CapacityUsed>,
}

/// What an index holds at a moment.
///
/// ```
/// use fourfold::kv::{CreateTable, Index, ScalarType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// let table = CreateTable::new("users").hash("id", ScalarType::S).attribute("team", ScalarType::S);
/// let table = table.global_index(Index::new("by-team").hash("team"));
/// store.tables().create_table(table)?;
/// let users = store.tables().table("users");
/// users.put(item! { "id" => "ann", "team" => "red" })?;
/// let index = users.stats()?.indexes.remove(0);
/// assert_eq!((&*index.name, index.items, index.is_building), ("by-team", 1, false));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexStats {
    /// Its name.
    pub name: String,
    /// Its entries.
    pub items: u64,
    /// Their bytes, as the service counts them.
    pub bytes: u64,
    /// Are items from before it still being entered?
    pub is_building: bool,
}

/// The changes of a table that can be read.
///
/// ```
/// use fourfold::kv::{CreateTable, ScalarType, StreamViewType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// let table = CreateTable::new("users").hash("id", ScalarType::S).stream(StreamViewType::KeysOnly);
/// store.tables().create_table(table)?;
/// let users = store.tables().table("users");
/// users.put(item! { "id" => "ann" })?;
/// let changes = users.stats()?.changes.expect("they are recorded");
/// assert_eq!((changes.records, changes.oldest.is_some()), (1, true));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeStats {
    /// Records.
    pub records: u64,
    /// How long ago the oldest of them was written, if there is one.
    pub oldest: Option<Duration>,
    /// Shards, open or closed.
    pub shards: usize,
}

/// Capacity that requests for items of a table have used, in units of the service.
///
/// ```
/// use fourfold::kv::{CreateTable, Dials, ScalarType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let tables = fourfold::Store::in_memory().tables();
/// tables.create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// let mut dials = Dials::default();
/// dials.count_partitions = true;
/// tables.set_dials(dials);
/// tables.table("users").put(item! { "id" => "ann" })?;
/// let used = tables.table("users").stats()?.capacity.expect("something was counted");
/// assert_eq!((used.read_units, used.write_units), (0.0, 1.0));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CapacityUsed {
    /// Read units.
    pub read_units: f64,
    /// Write units.
    pub write_units: f64,
}

impl Handle {
    /// What the table holds now.
    ///
    /// Items and bytes are counters, for which the table is walked through once after the store was opened (some 100 ns an
    /// item); the rest costs a few reads.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such table.
    pub fn stats(&self) -> Result<TableStats> {
        let Tables { store, state } = self.tables();
        let table = state.table(store, self.name())?;
        table.count(store)?;
        let shape = table.shape.read();
        let (items, bytes) = table.counts.get();
        let indexes = shape.indexes.iter().map(|index| {
            let (items, bytes) = index.counts.get();
            IndexStats { name: index.layout.name.clone(), items, bytes, is_building: index.is_building }
        });
        let used = table.hot.used();
        Ok(TableStats {
            items,
            bytes,
            indexes: indexes.collect(),
            changes: shape.feed.as_ref().map(|feed| feed.stats(store)).transpose()?,
            expires: state.next_expiry(store, &shape)?,
            capacity: used.map(|[read_units, write_units]| CapacityUsed { read_units, write_units }),
        })
    }
}

impl Feed {
    fn stats(&self, store: &Store) -> Result<ChangeStats> {
        let first = self.horizon(store)?;
        let (next, shards) = {
            let tail = self.tail.lock();
            (tail.next, tail.shards.len())
        };
        // Numbers have no gaps (F1 in `feed`).
        let records = next.saturating_sub(first);
        let oldest = if records > 0 { self.written(store, first)? } else { None };
        Ok(ChangeStats { records, oldest: oldest.map(|at| store.now() - at), shards })
    }
}

impl Tables {
    /// How many there are.
    pub(crate) fn how_many(&self) -> Result<usize> {
        self.state.load(&self.store)?;
        Ok(self.state.names().len())
    }
}
