//! What a transaction sees: one moment of the store, and over it what the transaction itself is going to write. It keeps
//! in mind what was read of that moment, to ask later whether it is still so.
//!
//! O1. A read finds the transaction's own newest write of the key; else what the snapshot has.
//! O2. What was read of the snapshot, values as well as the absence of keys, is remembered. If all of it is the same in the
//!     present, and stays so while the batch is appended, whoever read might have read just then: the transaction stands
//!     in the order of all batches where its own is. It is values that are compared: what was changed and changed back is
//!     no conflict.
//! O3. Asking is up to whoever keeps others from writing what was read.

use crate::error::Result;
use crate::store::batch::Change;
use crate::store::space::Space;
use crate::store::{Batch, Snapshot, Store};
use crate::tree::entry::Kind;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

/// A key with the keyspace it is in.
type Place = (u32, Vec<u8>);

/// A walk over part of a keyspace.
#[derive(Debug)]
struct Walked {
    space: Space,
    lower: Vec<u8>,
    upper: Bound<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Reads {
    /// What was at a key, and the keyspace to look again.
    points: BTreeMap<Place, (Space, Option<Bytes>)>,
    walks: Vec<Walked>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Overlay {
    snapshot: Snapshot,
    /// What the transaction leaves at a key; none if nothing.
    own: BTreeMap<Place, Option<(Kind, Bytes)>>,
    reads: RefCell<Reads>,
}

impl Overlay {
    /// The present, with nothing over it.
    pub(crate) fn new(store: &Store) -> Self {
        Self { snapshot: store.snapshot(), own: BTreeMap::new(), reads: RefCell::default() }
    }

    /// The moment that is seen.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The transaction sets `key` to `value`, or removes it.
    pub(crate) fn set(&mut self, space: u32, key: &[u8], value: Option<Bytes>) {
        self.own.insert((space, key.to_vec()), value.map(|value| (Kind::Put, value)));
    }

    /// The transaction does what `batch` says.
    pub(crate) fn lay(&mut self, batch: &Batch) {
        for (space, key, change) in batch.changes() {
            let value = match change {
                Change::Put(kind, value) => Some((kind, Bytes::copy_from_slice(value))),
                Change::Delete => None,
            };
            self.own.insert((space, key.to_vec()), value);
        }
    }

    /// The value of `key`.
    pub(crate) fn get(&self, space: &Space, key: &[u8]) -> Result<Option<Bytes>> {
        let place = (space.id(), key.to_vec());
        if let Some(own) = self.own.get(&place) {
            return own.as_ref().map(|value| self.resolve(value)).transpose();
        }
        if let Some((_, known)) = self.reads.borrow().points.get(&place) {
            return Ok(known.clone());
        }
        let found = self.snapshot.get_in(space, key)?;
        self.reads.borrow_mut().points.insert(place, (space.clone(), found.clone()));
        Ok(found)
    }

    /// The first entry whose key begins with `prefix`.
    pub(crate) fn first(&self, space: &Space, prefix: &[u8]) -> Result<Option<(Bytes, Bytes)>> {
        let id = space.id();
        let from = (id, prefix.to_vec());
        let is_within = |place: &Place| place.0 == id && place.1.starts_with(prefix);
        let mut range = self.snapshot.prefix_in(space, prefix);
        let (mut found, mut until) = (None, None);
        while range.advance()? {
            until = Some(range.key().to_vec());
            if !self.own.contains_key(&(id, range.key().to_vec())) {
                found = Some((Bytes::copy_from_slice(range.key()), range.value()?));
                break;
            }
        }
        let upper = match (&found, until) {
            (Some(_), Some(until)) => Bound::Included(until),
            _ => after_prefix(prefix),
        };
        self.note_walk(space, prefix.to_vec(), upper);
        let mut own = self.own.range(from..).take_while(|(place, _)| is_within(place));
        let own = own.find_map(|(place, value)| Some((&place.1, value.as_ref()?)));
        match (found, own) {
            (Some((key, value)), Some((other, _))) if key[..] < other[..] => Ok(Some((key, value))),
            (_, Some((key, value))) => Ok(Some((Bytes::copy_from_slice(key), self.resolve(value)?))),
            (found, None) => Ok(found),
        }
    }

    /// What the transaction leaves at the keys from `lower` to before `upper`.
    pub(crate) fn own_between(
        &self,
        space: &Space,
        lower: &[u8],
        upper: Option<&[u8]>,
    ) -> Result<BTreeMap<Vec<u8>, Option<Bytes>>> {
        let id = space.id();
        let is_within = |place: &Place| place.0 == id && upper.is_none_or(|upper| place.1[..] < *upper);
        let own = self.own.range((id, lower.to_vec())..).take_while(|(place, _)| is_within(place));
        own.map(|((_, key), value)| {
            let value = value.as_ref().map(|value| self.resolve(value)).transpose()?;
            Ok((key.clone(), value))
        })
        .collect()
    }

    /// Everything within these bounds was read of the snapshot.
    pub(crate) fn note_walk(&self, space: &Space, lower: Vec<u8>, upper: Bound<Vec<u8>>) {
        self.reads.borrow_mut().walks.push(Walked { space: space.clone(), lower, upper });
    }

    /// A keyspace of which something was read that is not so any more; none if all is as it was (O2, O3).
    pub(crate) fn changed(&self, store: &Store) -> Result<Option<u32>> {
        let reads = self.reads.borrow();
        for ((id, key), (space, seen)) in &reads.points {
            if space.get(store, key)? != *seen {
                return Ok(Some(*id));
            }
        }
        for walked in &reads.walks {
            if !self.is_as_it_was(store, walked)? {
                return Ok(Some(walked.space.id()));
            }
        }
        Ok(None)
    }

    fn is_as_it_was(&self, store: &Store, walked: &Walked) -> Result<bool> {
        let bounds = || {
            let lower = Bound::Included(&walked.lower[..]);
            (lower, walked.upper.as_ref().map(|upper| &upper[..]))
        };
        let mut then = self.snapshot.range_in::<&[u8]>(&walked.space, bounds());
        let mut now = walked.space.range::<&[u8]>(store, bounds());
        loop {
            match (then.advance()?, now.advance()?) {
                (false, false) => return Ok(true),
                (true, true) if then.key() == now.key() && then.value()? == now.value()? => {}
                _ => return Ok(false),
            }
        }
    }

    /// A value of the transaction's own; a blob is in the blob log already, though no batch names it yet.
    fn resolve(&self, (kind, value): &(Kind, Bytes)) -> Result<Bytes> {
        self.snapshot.inner.tree.resolve(*kind, value.clone())
    }
}

/// Where the keys that begin with `prefix` end.
fn after_prefix(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store_with_space() -> (Store, Space) {
        let store = Store::in_memory();
        let mut batch = store.batch();
        let id = batch.create_space().unwrap();
        store.write(batch).unwrap();
        let space = store.space(id).unwrap();
        (store, space)
    }

    fn put(store: &Store, space: &Space, key: &str, value: &str) {
        space.put(store, key.as_bytes(), [value.as_bytes()]).unwrap().wait().unwrap();
    }

    #[test]
    fn own_writes_are_seen_over_one_moment() {
        let (store, space) = store_with_space();
        put(&store, &space, "a/1", "one");
        put(&store, &space, "a/2", "two");
        let mut overlay = Overlay::new(&store);
        put(&store, &space, "a/0", "too late");
        assert_eq!(overlay.first(&space, b"a/").unwrap().unwrap().1, "one");
        overlay.set(space.id(), b"a/1", None);
        assert_eq!(overlay.get(&space, b"a/1").unwrap(), None);
        assert_eq!(overlay.first(&space, b"a/").unwrap().unwrap().1, "two");
        let mut batch = store.batch();
        batch.put_in(space.id(), b"a/11", b"mine").unwrap();
        batch.put_blob_in(space.id(), b"b", b"a blob").unwrap();
        overlay.lay(&batch);
        assert_eq!(overlay.first(&space, b"a/").unwrap().unwrap(), ("a/11".into(), "mine".into()));
        assert_eq!(overlay.get(&space, b"b").unwrap().unwrap(), "a blob");
        let own = overlay.own_between(&space, b"a/", Some(b"b")).unwrap();
        assert_eq!(own.keys().collect::<Vec<_>>(), [&b"a/1"[..], b"a/11"]);
    }

    #[test]
    fn what_was_read_and_changed_is_found_and_nothing_else() {
        let (store, space) = store_with_space();
        put(&store, &space, "a", "1");
        put(&store, &space, "p/5", "5");
        let read = |what: &dyn Fn(&Overlay), key: &str, value: &str| {
            let overlay = Overlay::new(&store);
            what(&overlay);
            put(&store, &space, key, value);
            overlay.changed(&store).unwrap().is_some()
        };
        let point = |overlay: &Overlay| drop(overlay.get(&space, b"a").unwrap());
        let absent = |overlay: &Overlay| drop(overlay.get(&space, b"none").unwrap());
        let first = |overlay: &Overlay| drop(overlay.first(&space, b"p/").unwrap());
        assert!(read(&point, "a", "2") && !read(&point, "a", "2") && !read(&point, "b", "2"));
        assert!(!read(&absent, "non", "x") && read(&absent, "none", "x"));
        assert!(
            !read(&first, "p/6", "behind") && read(&first, "p/4", "before") && read(&first, "p/4", "other")
        );
        let all = |overlay: &Overlay| overlay.note_walk(&space, b"p/".to_vec(), after_prefix(b"p/"));
        assert!(read(&all, "p/7", "more") && !read(&all, "q", "outside"));
    }
}
