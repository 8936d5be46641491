//! A keyspace as its users hold it, and walks over it.

use crate::error::{Error, Result};
use crate::limits::KEY_LEN_MAX;
use crate::position::Position;
use crate::storage::Media;
use crate::store::{Commit, Inner, Store};
use crate::tree::batch::{OpKind, full_key, op_head, too_long_key};
use crate::tree::entry::Kind;
use crate::tree::keyspaces::KeyspaceState;
use crate::tree::range::{Span, TreeRange, user_key};
use bytes::Bytes;
use std::fmt;
use std::ops::RangeBounds;
use std::sync::Arc;

/// An ordered map from byte strings to byte strings within a [`Store`].
///
/// Keys are ordered as bytes and at most [`KEY_LEN_MAX`] long; values are limited by what one batch can hold, a
/// little less than a log segment, and larger ones by the size of a blob segment. Cloning a handle is cheap; all
/// clones are the same keyspace.
///
/// ```
/// # fn main() -> fourfold::Result<()> {
/// let store = fourfold::Store::in_memory();
/// let fruits = store.keyspace("fruits")?;
/// fruits.put("apple", "green")?;
/// fruits.put("banana", "yellow")?;
/// assert_eq!(fruits.get("apple")?.as_deref(), Some(&b"green"[..]));
/// let keys: Vec<_> = fruits.range("b"..).map(|entry| entry.map(|(key, _)| key)).collect::<Result<_, _>>()?;
/// assert_eq!(keys, ["banana"]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Keyspace {
    store: Store,
    state: Arc<KeyspaceState>,
    name: Arc<str>,
}

impl Keyspace {
    pub(super) fn new(store: Store, state: Arc<KeyspaceState>, name: &str) -> Self {
        Self { store, state, name: name.into() }
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The newest value of `key`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Io`] if it cannot be read.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        self.get_at(key.as_ref(), None)
    }

    /// The entries within `bounds`, in key order from either end, as of now.
    pub fn range<K: AsRef<[u8]>>(&self, bounds: impl RangeBounds<K>) -> Range {
        self.range_at(&bounds, None)
    }

    /// The entries whose key starts with `prefix`, in key order from either end, as of now.
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Range {
        self.walk(Span::prefix(self.state.id(), prefix.as_ref()), None)
    }

    /// Sets `key` to `value`: a [`Batch`](crate::Batch) of one, which costs less than building one.
    ///
    /// # Errors
    /// As for [`Batch::put`](crate::Batch::put) and [`Store::write`].
    pub fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<Commit> {
        let (key, value) = (key.as_ref(), value.as_ref());
        if value.len() > self.store.inner.blob_threshold {
            let mut batch = self.store.batch();
            batch.put(self, key, value)?;
            return self.store.write(batch);
        }
        self.write(Kind::Put, key, value)
    }

    /// Removes `key`; nothing happens if it is not there. A batch of one as well.
    ///
    /// # Errors
    /// As for [`put`](Self::put).
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<Commit> {
        self.write(Kind::Delete, key.as_ref(), &[])
    }

    fn write(&self, kind: Kind, key: &[u8], value: &[u8]) -> Result<Commit> {
        let inner = &self.store.inner;
        let id = self.id_for(inner, key)?;
        let head = op_head(OpKind::Entry(kind), id, key.len(), value.len())?;
        let appended = inner.append_parts(&[&head, key, value], inner.durability)?;
        inner.tree.wait(appended.end, inner.durability)?;
        Ok(Commit { at: appended.at })
    }

    pub(super) fn get_at(&self, key: &[u8], at: Option<Position>) -> Result<Option<Bytes>> {
        if key.len() > KEY_LEN_MAX {
            return Ok(None);
        }
        self.store.inner.tree.get(&self.state, &full_key(self.state.id(), key), at)
    }

    pub(super) fn range_at<K: AsRef<[u8]>>(
        &self,
        bounds: &impl RangeBounds<K>,
        at: Option<Position>,
    ) -> Range {
        let bounds = (bounds.start_bound().map(AsRef::as_ref), bounds.end_bound().map(AsRef::as_ref));
        self.walk(Span::new(self.state.id(), bounds), at)
    }

    pub(super) fn prefix_at(&self, prefix: &[u8], at: Option<Position>) -> Range {
        self.walk(Span::prefix(self.state.id(), prefix), at)
    }

    fn walk(&self, span: Span, at: Option<Position>) -> Range {
        Range::over(&self.store.inner, &self.state, span, at)
    }

    /// Is it a keyspace of the store `inner`?
    fn check_store(&self, inner: &Arc<Inner>) -> Result<()> {
        if Arc::ptr_eq(&self.store.inner, inner) {
            return Ok(());
        }
        Err(Error::invalid("keyspace", format_args!("{:?} belongs to another store", self.name)))
    }

    /// The id that stands before its keys, once `key` and the store it is to be written to are checked.
    pub(super) fn id_for(&self, store: &Arc<Inner>, key: &[u8]) -> Result<u32> {
        self.check_store(store)?;
        if key.len() > KEY_LEN_MAX {
            return Err(too_long_key(key.len()));
        }
        if self.state.is_dropped() {
            return Err(Error::NotFound { kind: "keyspace", name: self.name.to_string() });
        }
        Ok(self.state.id())
    }
}

impl fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyspace")
            .field("name", &self.name)
            .field("id", &self.state.id())
            .finish_non_exhaustive()
    }
}

/// A walk over part of a [`Keyspace`], as of the moment it was made.
///
/// It is an iterator over `Result<(key, value)>` from both ends. Hot loops use [`advance`](Self::advance) with
/// [`key`](Self::key) and [`value`](Self::value), which copy and allocate nothing. After an error it only repeats the
/// error.
///
/// ```
/// # fn main() -> fourfold::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let numbers = store.keyspace("numbers")?;
/// # let mut batch = store.batch();
/// # for i in 0..10u8 { batch.put(&numbers, [i], [i * i])?; }
/// # store.write(batch)?;
/// let mut range = numbers.range([3]..=[5]);
/// let mut sum = 0;
/// while range.advance()? {
///     sum += u32::from(range.value()?[0]);
/// }
/// assert_eq!(sum, 9 + 16 + 25);
/// let last = numbers.range::<&[u8]>(..).next_back().expect("there are ten")?;
/// assert_eq!(last.1[..], [81]);
/// # Ok(()) }
/// ```
pub struct Range {
    inner: Arc<Inner>,
    walk: TreeRange<Media>,
    at: Position,
    /// What every step says, for a walk that cannot be.
    refused: Option<Error>,
    done: bool,
}

impl Range {
    pub(super) fn over(inner: &Arc<Inner>, state: &KeyspaceState, span: Span, at: Option<Position>) -> Self {
        // Registered, so that blobs stay where this walk will look for them.
        let at = inner.tree.open_snapshot(at);
        let walk = inner.tree.range(state, span, Some(at));
        Self { inner: Arc::clone(inner), walk, at, refused: None, done: false }
    }

    /// Steps to the next entry from the front; `false` at the end.
    pub fn advance(&mut self) -> Result<bool> {
        self.check()?;
        self.walk.advance()
    }

    /// Steps to the next entry from the back; `false` when the ends have met.
    pub fn advance_back(&mut self) -> Result<bool> {
        self.check()?;
        Ok(self.walk.next_back()?.is_some())
    }

    fn check(&self) -> Result<()> {
        self.refused.clone().map_or(Ok(()), Err)
    }

    /// The key and the value that [`advance_back`](Self::advance_back) stepped to.
    fn back(&self) -> Option<Result<(Bytes, Bytes)>> {
        let entry = self.walk.back_entry()?;
        let key = Bytes::copy_from_slice(user_key(entry.key));
        Some(self.inner.tree.resolve(entry.kind, self.walk.back_value()).map(|value| (key, value)))
    }

    /// The key that [`advance`](Self::advance) stepped to; empty before the first step and after the last.
    pub fn key(&self) -> &[u8] {
        self.walk.front_entry().map_or(&[], |entry| user_key(entry.key))
    }

    /// Where the batch stands that wrote what [`advance`](Self::advance) stepped to; the beginning where there is no entry.
    pub(crate) fn position(&self) -> Position {
        self.walk.front_entry().map_or(Position::ZERO, |entry| entry.version)
    }

    /// The value that [`advance`](Self::advance) stepped to, as a slice that owns what it points into.
    pub fn value(&self) -> Result<Bytes> {
        let Some(entry) = self.walk.front_entry() else { return Ok(Bytes::new()) };
        self.inner.tree.resolve(entry.kind, self.walk.front_value())
    }

    /// The value that [`advance`](Self::advance) stepped to, borrowed; `None` if it lies in the blob log and takes a
    /// read, by [`value`](Self::value), and where there is no entry.
    pub fn value_ref(&self) -> Option<&[u8]> {
        let entry = self.walk.front_entry()?;
        (entry.kind == Kind::Put).then_some(entry.value)
    }
}

impl Iterator for Range {
    type Item = Result<(Bytes, Bytes)>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(false) => None,
            Ok(true) => Some(self.value().map(|value| (Bytes::copy_from_slice(self.key()), value))),
            Err(_) if self.done => None,
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}

impl DoubleEndedIterator for Range {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self.advance_back() {
            Ok(false) => None,
            Ok(true) => self.back(),
            Err(_) if self.done => None,
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        self.inner.tree.close_snapshot(self.at);
    }
}

impl fmt::Debug for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Range").field("key", &self.key()).finish_non_exhaustive()
    }
}

/// The state of a [`Store`] as of one moment, however it is changed afterwards.
///
/// It costs nothing but the space of versions that were overwritten since and that it still sees: drop it when done.
///
/// ```
/// # fn main() -> fourfold::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let ks = store.keyspace("ks")?;
/// let before = store.snapshot();
/// ks.put("key", "value")?;
/// assert_eq!(before.get(&ks, "key")?, None);
/// assert!(ks.get("key")?.is_some());
/// # Ok(()) }
/// ```
pub struct Snapshot {
    pub(super) inner: Arc<Inner>,
    /// The last position that it sees.
    pub(super) at: Position,
}

impl Snapshot {
    pub(super) fn new(store: &Store) -> Self {
        let inner = Arc::clone(&store.inner);
        let at = inner.tree.open_snapshot(None);
        Self { inner, at }
    }

    /// The same moment once more, for somebody who may stay longer.
    pub(crate) fn again(&self) -> Self {
        let at = self.inner.tree.open_snapshot(Some(self.at));
        Self { inner: Arc::clone(&self.inner), at }
    }

    /// Everything committed below this position is in it, nothing else.
    pub fn position(&self) -> Position {
        Position::new(self.at.get() + 1)
    }

    /// The value that `key` had.
    ///
    /// # Errors
    /// As for [`Keyspace::get`]; [`Invalid`](Error::Invalid) for a keyspace of another store.
    pub fn get(&self, keyspace: &Keyspace, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        keyspace.check_store(&self.inner)?;
        keyspace.get_at(key.as_ref(), Some(self.at))
    }

    /// The entries that were within `bounds`; an error at each step for a keyspace of another store.
    pub fn range<K: AsRef<[u8]>>(&self, keyspace: &Keyspace, bounds: impl RangeBounds<K>) -> Range {
        self.of_this_store(keyspace, |at| keyspace.range_at(&bounds, at))
    }

    /// The entries whose key started with `prefix`; an error at each step for a keyspace of another store.
    pub fn prefix(&self, keyspace: &Keyspace, prefix: impl AsRef<[u8]>) -> Range {
        self.of_this_store(keyspace, |at| keyspace.prefix_at(prefix.as_ref(), at))
    }

    /// A walk as of this snapshot, which means nothing to another store.
    fn of_this_store(&self, keyspace: &Keyspace, walk: impl FnOnce(Option<Position>) -> Range) -> Range {
        let refused = keyspace.check_store(&self.inner).err();
        let mut walk = walk(refused.is_none().then_some(self.at));
        walk.refused = refused;
        walk
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.inner.tree.close_snapshot(self.at);
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("at", &self.at).finish_non_exhaustive()
    }
}
