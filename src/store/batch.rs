//! A batch as its users build it.

use crate::error::Result;
use crate::storage::Media;
use crate::store::catalog::{self, ResourceKind};
use crate::store::{Inner, Keyspace, Store};
use crate::tree::Pending;
use crate::tree::batch::{self, OpKind, Ops};
use crate::tree::entry::Kind;
use crate::tree::range::user_key;
use std::fmt;
use std::sync::Arc;

/// Bytes of a batch from which on values are spilled.
const SPILL_FROM: usize = 1 << 20;
/// Bytes of a value that is worth spilling.
const SPILLED_MIN: usize = 1 << 10;

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
    /// Does it change the catalog?
    pub(super) names: bool,
}

/// What a batch does to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// It gets this value, or the blob that this names.
    Put(Kind, &'a [u8]),
    Delete,
}

impl Batch {
    pub(super) fn new(store: &Store) -> Self {
        Self { inner: Arc::clone(&store.inner), ops: Ops::default(), pending: Pending::new(), names: false }
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
        self.put_in(id, key, value)
    }

    /// Removes `key`; nothing happens if it is not there.
    ///
    /// # Errors
    /// As for [`put`](Self::put).
    pub fn delete(&mut self, keyspace: &Keyspace, key: impl AsRef<[u8]>) -> Result<()> {
        let key = key.as_ref();
        let id = keyspace.id_for(&self.inner, key)?;
        self.delete_in(id, key)
    }

    /// Removes every key below `floor`, for good: keys below it that are written later stay invisible too. A floor only
    /// rises; a lower one changes nothing. It costs the same however many keys it removes.
    ///
    /// # Errors
    /// As for [`put`](Self::put).
    pub fn floor(&mut self, keyspace: &Keyspace, floor: impl AsRef<[u8]>) -> Result<()> {
        let floor = floor.as_ref();
        let id = keyspace.id_for(&self.inner, floor)?;
        self.floor_in(id, floor)
    }

    /// How many operations it holds.
    pub fn len(&self) -> usize {
        self.ops.count()
    }

    /// Does it hold nothing? Writing it then changes nothing.
    pub fn is_empty(&self) -> bool {
        self.ops.count() == 0
    }
}

/// What engines do with keyspaces and resources of their own.
impl Batch {
    /// A new keyspace, which exists once the batch is applied.
    pub(crate) fn create_space(&mut self) -> Result<u32> {
        let id = self.inner.tree.new_keyspace_id();
        self.ops.push(OpKind::Create, id, &[], &[])?;
        Ok(id)
    }

    /// The keyspace and everything in it is gone.
    pub(crate) fn drop_space(&mut self, id: u32) -> Result<()> {
        self.ops.push(OpKind::Drop, id, &[], &[])
    }

    /// [`put`](Self::put) by the keyspace's id.
    pub(crate) fn put_in(&mut self, id: u32, key: &[u8], value: &[u8]) -> Result<()> {
        if value.len() > self.inner.blob_threshold {
            return self.pending.put(&self.inner.tree, &mut self.ops, id, key, value);
        }
        self.ops.push(OpKind::Entry(Kind::Put), id, key, value)
    }

    /// [`put_spilling_in`](Self::put_spilling_in) of a value that these slices are together.
    pub(crate) fn put_parts_in(&mut self, id: u32, key: &[u8], value: &[&[u8]]) -> Result<()> {
        let len = value.iter().map(|part| part.len()).sum::<usize>();
        if len > self.inner.blob_threshold || self.is_to_spill(len) {
            return self.pending.put(&self.inner.tree, &mut self.ops, id, key, &value.concat());
        }
        self.ops.push_parts(OpKind::Entry(Kind::Put), id, key, value)
    }

    /// Bytes that it takes in the log so far.
    pub(crate) fn byte_len(&self) -> usize {
        self.ops.payload().len()
    }

    /// [`put_in`](Self::put_in) of a value that goes to the blob log whatever its length.
    pub(crate) fn put_blob_in(&mut self, id: u32, key: &[u8], value: &[u8]) -> Result<()> {
        self.pending.put(&self.inner.tree, &mut self.ops, id, key, value)
    }

    /// [`put_in`](Self::put_in) of a batch that may become large: once it is, values that are not short go to the blob
    /// log, so that it still fits into a segment.
    pub(crate) fn put_spilling_in(&mut self, id: u32, key: &[u8], value: &[u8]) -> Result<()> {
        if self.is_to_spill(value.len()) {
            return self.pending.put(&self.inner.tree, &mut self.ops, id, key, value);
        }
        self.put_in(id, key, value)
    }

    fn is_to_spill(&self, len: usize) -> bool {
        len >= SPILLED_MIN && self.ops.payload().len() + len > SPILL_FROM
    }

    /// Everything that `other`, a batch of the same store, does comes behind what this one does.
    pub(crate) fn absorb(&mut self, other: Self) {
        let Self { ops, pending, names, .. } = other;
        self.ops.append(&ops);
        self.pending.take_over(pending);
        self.names |= names;
    }

    /// The keys that it changes, in order, each with its keyspace and what becomes of it.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (u32, &[u8], Change<'_>)> {
        batch::decode(self.ops.payload()).filter_map(|op| {
            let op = op.ok()?;
            let change = match op.kind {
                OpKind::Entry(Kind::Delete) => Change::Delete,
                OpKind::Entry(kind) => Change::Put(kind, op.value),
                _ => return None,
            };
            Some((op.keyspace(), user_key(op.key), change))
        })
    }

    /// [`delete`](Self::delete) by the keyspace's id.
    pub(crate) fn delete_in(&mut self, id: u32, key: &[u8]) -> Result<()> {
        self.ops.push(OpKind::Entry(Kind::Delete), id, key, &[])
    }

    /// [`floor`](Self::floor) by the keyspace's id.
    pub(crate) fn floor_in(&mut self, id: u32, floor: &[u8]) -> Result<()> {
        self.ops.push(OpKind::Floor, id, floor, &[])
    }

    /// Names a resource, or replaces what the catalog says of it. Its keyspaces are created in the same batch, or are
    /// there.
    pub(crate) fn put_resource(
        &mut self,
        kind: ResourceKind,
        name: &str,
        ids: &[u32],
        record: &[u8],
    ) -> Result<()> {
        self.names = true;
        catalog::put(&mut self.ops, kind, name, ids, record)
    }

    /// Forgets a resource's name; its keyspaces are dropped in the same batch.
    pub(crate) fn delete_resource(&mut self, kind: ResourceKind, name: &str) -> Result<()> {
        self.names = true;
        catalog::delete(&mut self.ops, kind, name)
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
