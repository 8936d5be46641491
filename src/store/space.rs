//! A keyspace as an engine holds it: by its id, without holding the store.

use crate::error::Result;
use crate::limits::KEY_LEN_MAX;
use crate::position::Position;
use crate::store::pending::Pending;
use crate::store::{Inner, Range, Snapshot, Store};
use crate::tree::batch::{OpKind, full_key, op_head};
use crate::tree::entry::Kind;
use crate::tree::keyspaces::KeyspaceState;
use crate::tree::range::Span;
use bytes::Bytes;
use std::ops::RangeBounds;
use std::sync::Arc;

/// A keyspace of one store; reads name the store.
#[derive(Clone, Debug)]
pub(crate) struct Space(Arc<KeyspaceState>);

impl Space {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// The newest value of `key`.
    pub(crate) fn get(&self, store: &Store, key: &[u8]) -> Result<Option<Bytes>> {
        self.get_at(&store.inner, key, None)
    }

    /// The entries within `bounds`, from either end, as of now.
    pub(crate) fn range<K: AsRef<[u8]>>(&self, store: &Store, bounds: impl RangeBounds<K>) -> Range {
        self.range_at(&store.inner, &bounds, None)
    }

    /// The entries whose key starts with `prefix`, from either end, as of now.
    pub(crate) fn prefix(&self, store: &Store, prefix: &[u8]) -> Range {
        Range::over(&store.inner, &self.0, Span::prefix(self.id(), prefix), None)
    }

    /// Sets `key` to the value that these slices are together: a batch of one, which costs less than building one. Visible
    /// when this returns.
    pub(crate) fn put<const N: usize>(
        &self,
        store: &Store,
        key: &[u8],
        value: [&[u8]; N],
    ) -> Result<Pending<()>> {
        let inner = &store.inner;
        let len = value.iter().map(|part| part.len()).sum();
        if len > inner.blob_threshold {
            let mut batch = store.batch();
            batch.put_parts_in(self.id(), key, &value)?;
            return store.commit(batch);
        }
        let head = op_head(OpKind::Entry(Kind::Put), self.id(), key.len(), len)?;
        let mut parts: [&[u8]; 8] = [&[]; 8];
        const { assert!(N + 2 <= 8, "head, key and the value's parts") };
        parts[0] = &head;
        parts[1] = key;
        parts[2..2 + N].copy_from_slice(&value);
        let appended = inner.append_parts(&parts[..2 + N], inner.durability)?;
        Ok(Pending::new(store, appended.at, appended.end, inner.durability, ()))
    }

    fn get_at(&self, inner: &Inner, key: &[u8], at: Option<Position>) -> Result<Option<Bytes>> {
        if key.len() > KEY_LEN_MAX {
            return Ok(None);
        }
        inner.tree.get(&self.0, &full_key(self.id(), key), at)
    }

    fn range_at<K: AsRef<[u8]>>(
        &self,
        inner: &Arc<Inner>,
        bounds: &impl RangeBounds<K>,
        at: Option<Position>,
    ) -> Range {
        let bounds = (bounds.start_bound().map(AsRef::as_ref), bounds.end_bound().map(AsRef::as_ref));
        Range::over(inner, &self.0, Span::new(self.id(), bounds), at)
    }
}

impl Store {
    /// The keyspace with this id, if it lives.
    pub(crate) fn space(&self, id: u32) -> Option<Space> {
        self.inner.tree.keyspace(id).filter(|state| !state.is_dropped()).map(Space)
    }
}

impl Snapshot {
    /// The value that `key` had.
    pub(crate) fn get_in(&self, space: &Space, key: &[u8]) -> Result<Option<Bytes>> {
        space.get_at(&self.inner, key, Some(self.at))
    }

    /// [`get_in`](Self::get_in) for who has a checksum of the value, and gives nothing of it out before it is compared: a
    /// value in the blob log is as it is.
    pub(crate) fn get_unchecked_in(&self, space: &Space, key: &[u8]) -> Result<Option<Bytes>> {
        self.inner.tree.get_unchecked(&space.0, &full_key(space.id(), key), Some(self.at))
    }

    /// The entries that were within `bounds`.
    pub(crate) fn range_in<K: AsRef<[u8]>>(&self, space: &Space, bounds: impl RangeBounds<K>) -> Range {
        space.range_at(&self.inner, &bounds, Some(self.at))
    }

    /// The entries whose key started with `prefix`.
    pub(crate) fn prefix_in(&self, space: &Space, prefix: &[u8]) -> Range {
        Range::over(&self.inner, &space.0, Span::prefix(space.id(), prefix), Some(self.at))
    }
}
