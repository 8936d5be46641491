//! What a store consists of right now.

use crate::position::Position;
use crate::store::Store;

/// A look at a [`Store`] from outside. Counting is cheap; nothing is read from disk.
///
/// ```
/// let store = fourfold::Store::in_memory();
/// let stats = store.stats();
/// assert_eq!(stats.runs, 0);
/// assert_eq!(stats.frontier, stats.durable);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Every batch below is visible.
    pub frontier: Position,
    /// Every batch below is with the operating system. In memory: the frontier.
    pub written: Position,
    /// Every batch below survives a power cut. In memory: the frontier.
    pub durable: Position,
    /// Every batch below is folded into runs; what follows is replayed after a crash.
    pub folded: Position,
    /// The incarnation of the store: it grows each time a store is opened.
    pub epoch: u32,
    /// Memtables, the active one included.
    pub memtables: usize,
    /// Bytes of memory in memtables, log segments not counted.
    pub memtable_bytes: u64,
    /// Sorted runs in all levels.
    pub runs: usize,
    /// Runs by level.
    pub levels: Vec<usize>,
    /// Bytes of all runs.
    pub run_bytes: u64,
    /// Entries in all runs, old versions and deletes included.
    pub run_entries: u64,
    /// Bytes of log segments, prepared and recycled ones included.
    pub log_bytes: u64,
    /// Bytes of blob segments.
    pub blob_bytes: u64,
    /// Live keyspaces, two built-in ones included.
    pub keyspaces: usize,
    /// Open [`Snapshot`](crate::Snapshot)s and [`Range`](crate::Range)s.
    pub snapshots: usize,
}

impl Store {
    /// What the store consists of right now.
    pub fn stats(&self) -> Stats {
        self.inner.tree.stats()
    }
}
