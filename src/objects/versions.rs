//! The versions of one key: finding one, adding the newest, removing one.
//!
//! N1. While a bucket was never versioned each key has one version, `null`, at place 0: it is found without a walk and
//!     replaced by writing over it.
//! N2. A `null` version that is written later, while versioning is suspended, has a place like all others, and the
//!     bucket's second keyspace says which.

use crate::error::Result;
use crate::objects::extents::References;
use crate::objects::keys;
use crate::objects::record::{Object, Version};
use crate::objects::state::BucketState;
use crate::objects::{VersionId, Versioning};
use crate::store::overlay::Overlay;
use crate::store::space::Space;
use crate::store::{Batch, Snapshot, Store};
use bytes::Bytes;

/// The present, a moment that stays, or what a transaction sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View<'a> {
    Now(&'a Store),
    Then(&'a Snapshot),
    Within(&'a Overlay),
}

impl View<'_> {
    fn get(self, space: &Space, key: &[u8]) -> Result<Option<Bytes>> {
        match self {
            View::Now(store) => space.get(store, key),
            View::Then(snapshot) => snapshot.get_in(space, key),
            View::Within(overlay) => overlay.get(space, key),
        }
    }

    /// The first entry whose key begins with `prefix`, as `take` makes it.
    fn first<T>(
        self,
        space: &Space,
        prefix: &[u8],
        take: impl FnOnce(&[u8], &Bytes) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut range = match self {
            View::Now(store) => space.prefix(store, prefix),
            View::Then(snapshot) => snapshot.prefix_in(space, prefix),
            View::Within(overlay) => {
                let found = overlay.first(space, prefix)?;
                return found.map(|(key, value)| take(&key, &value)).transpose();
            }
        };
        if range.advance()? { take(range.key(), &range.value()?).map(Some) } else { Ok(None) }
    }
}

/// The versions of a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Versions<'a> {
    pub(crate) view: View<'a>,
    pub(crate) bucket: &'a BucketState,
    pub(crate) key: &'a str,
    pub(crate) versioning: Versioning,
}

impl Versions<'_> {
    /// The newest version, be it a delete marker.
    pub(crate) fn newest(&self) -> Result<Option<Version>> {
        if self.versioning == Versioning::Off {
            return self.at(0);
        }
        let newest = self.view.first(&self.bucket.versions, &keys::versions_of(self.key), |key, value| {
            let place = keys::split_version(key).map(|(_, place)| place);
            place.map(|place| Version::decode(place, value)).transpose()
        });
        Ok(newest?.flatten())
    }

    /// The version at a place.
    pub(crate) fn at(&self, place: u64) -> Result<Option<Version>> {
        let record = self.view.get(&self.bucket.versions, &keys::version(self.key, place))?;
        record.map(|record| Version::decode(place, &record)).transpose()
    }

    /// The version with this id.
    pub(crate) fn with_id(&self, id: VersionId) -> Result<Option<Version>> {
        let place = match id.0 {
            Some(id) => id.seq,
            None => self.null_place()?,
        };
        Ok(self.at(place)?.filter(|version| version.id() == id))
    }

    /// Where the `null` version is, if there is one.
    pub(crate) fn null_place(&self) -> Result<u64> {
        if self.versioning == Versioning::Off {
            return Ok(0);
        }
        let place = self.view.get(&self.bucket.nulls, self.key.as_bytes())?;
        Ok(place.and_then(|place| keys::number(&place)).unwrap_or(0))
    }

    /// Makes an object, or a delete marker, the newest version. It replaces the `null` one unless the bucket is versioned.
    pub(crate) fn add(
        &self,
        store: &Store,
        newest: Option<&Version>,
        object: Option<Object>,
        batch: &mut Batch,
        references: &mut References,
    ) -> Result<Version> {
        let modified = store.now();
        if self.versioning == Versioning::Off {
            if let Some(replaced) = newest {
                references.drop(replaced.pieces());
            }
            let version = Version { place: 0, nonce: None, modified, object };
            self.put(&version, batch)?;
            return Ok(version);
        }
        let place = (modified.as_millis() << 16).max(newest.map_or(0, |newest| newest.place) + 1);
        let nonce = (self.versioning == Versioning::Enabled).then(|| store.random().next_u128());
        if nonce.is_none() {
            if let Some(replaced) = self.with_id(VersionId::NULL)? {
                references.drop(replaced.pieces());
                batch.delete_in(self.bucket.versions.id(), &keys::version(self.key, replaced.place))?;
            }
            batch.put_in(self.bucket.nulls.id(), self.key.as_bytes(), &keys::extent(place))?;
        }
        let version = Version { place, nonce, modified, object };
        self.put(&version, batch)?;
        Ok(version)
    }

    /// Writes a version to its place.
    pub(crate) fn put(&self, version: &Version, batch: &mut Batch) -> Result<()> {
        let key = keys::version(self.key, version.place);
        batch.put_in(self.bucket.versions.id(), &key, &version.encode())
    }

    /// Removes a version for good.
    pub(crate) fn remove(
        &self,
        version: &Version,
        batch: &mut Batch,
        references: &mut References,
    ) -> Result<()> {
        references.drop(version.pieces());
        batch.delete_in(self.bucket.versions.id(), &keys::version(self.key, version.place))?;
        if version.nonce.is_none() && version.place != 0 {
            batch.delete_in(self.bucket.nulls.id(), self.key.as_bytes())?;
        }
        Ok(())
    }
}
