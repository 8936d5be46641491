//! A batch as its users build it.

use crate::error::Result;
use crate::storage::Media;
use crate::store::{Inner, Keyspace, Store};
use crate::tree::Pending;
use crate::tree::batch::{OpKind, Ops};
use crate::tree::entry::Kind;
use std::fmt;
use std::sync::Arc;

/// Changes that become visible and durable together, or not at all.
///
/// Operations on one key act in order: the last one wins. A value over the store's blob threshold is written to the
/// blob log when it is put here, everything else when the batch is [written](Store::write). A batch that is dropped
/// changes nothing.
///
/// ```
/// # fn main() -> fourfold::Result<()> {
/// let store = fourfold::Store::in_memory();
/// let (accounts, log) = (store.keyspace("accounts")?, store.keyspace("log")?);
/// let mut batch = store.batch();
/// batch.put(&accounts, "alice", "90")?;
/// batch.put(&accounts, "bob", "110")?;
/// batch.put(&log, "0001", "alice paid bob 10")?;
/// let commit = store.write(batch)?;
/// assert!(store.snapshot().position() > commit.position());
/// # Ok(()) }
/// ```
pub struct Batch {
    pub(super) inner: Arc<Inner>,
    pub(super) ops: Ops,
    /// Values already in the blob log that `ops` names.
    pub(super) pending: Pending<Media>,
}

impl Batch {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            inner: Arc::clone(&store.inner),
            ops: Ops::default(),
            pending: Pending::new(&store.inner.tree),
        }
    }

    /// Sets `key` to `value`.
    ///
    /// # Errors
    /// [`TooLarge`](crate::Error::TooLarge) for a key over [`KEY_LEN_MAX`](crate::limits::KEY_LEN_MAX) or a value
    /// that no segment could hold, [`NotFound`](crate::Error::NotFound) for a dropped keyspace,
    /// [`Invalid`](crate::Error::Invalid) for one of another store. The batch is then as it was before.
    pub fn put(&mut self, keyspace: &Keyspace, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        let (key, value) = (key.as_ref(), value.as_ref());
        let id = keyspace.id_for(&self.inner, key)?;
        if value.len() > self.inner.blob_threshold {
            return self.pending.put(&mut self.ops, id, key, value);
        }
        self.ops.push(OpKind::Entry(Kind::Put), id, key, value)
    }

    /// Removes `key`; nothing happens if it is not there.
    ///
    /// # Errors
    /// As for [`put`](Self::put).
    pub fn delete(&mut self, keyspace: &Keyspace, key: impl AsRef<[u8]>) -> Result<()> {
        let key = key.as_ref();
        let id = keyspace.id_for(&self.inner, key)?;
        self.ops.push(OpKind::Entry(Kind::Delete), id, key, &[])
    }

    /// Removes every key below `floor`, for good: keys below it that are written later stay invisible too. A floor only
    /// rises; a lower one changes nothing. It costs the same however many keys it removes.
    ///
    /// # Errors
    /// As for [`put`](Self::put).
    pub fn floor(&mut self, keyspace: &Keyspace, floor: impl AsRef<[u8]>) -> Result<()> {
        let floor = floor.as_ref();
        let id = keyspace.id_for(&self.inner, floor)?;
        self.ops.push(OpKind::Floor, id, floor, &[])
    }

    /// How many operations it holds.
    pub fn len(&self) -> usize {
        self.ops.count()
    }

    /// Does it hold nothing? Writing it then changes nothing.
    pub fn is_empty(&self) -> bool {
        self.ops.count() == 0
    }

    /// Forgets its operations and keeps its memory.
    pub fn clear(&mut self) {
        self.ops.clear();
        self.pending = Pending::new(&self.inner.tree);
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("len", &self.len())
            .field("bytes", &self.ops.payload().len())
            .finish_non_exhaustive()
    }
}
