//! Objects that belong to somebody else, who says when they come and go: large bodies of messages.
//!
//! They are objects as all others, to be read and listed by everybody. Their coming and going is not told: it is a part of
//! something that is told elsewhere.

use crate::error::Result as StoreResult;
use crate::objects::error::{Error, Result};
use crate::objects::participant::{Objects, Stop, state};
use crate::objects::{Bucket, DeleteObject, GetObject, PutObject, VersionId};
use crate::store::keep::{Coming, Keep, Kept};
use crate::store::overlay::Overlay;
use crate::store::{Batch, Store};
use bytes::Bytes;

/// The buckets of a store as places where large things are kept.
pub(crate) struct InBuckets;

impl Keep for InBuckets {
    fn refusal(&self, store: &Store, place: &str) -> StoreResult<Option<String>> {
        unless_refused(store.buckets().bucket(place)).map(|found| found.err().map(|error| error.to_string()))
    }

    fn within(
        &self,
        store: &Store,
        coming: &[Coming],
        going: &[Kept],
        append: &mut dyn FnMut(Batch, &[Kept]) -> StoreResult<()>,
    ) -> StoreResult<Result<(), String>> {
        loop {
            // Who makes it a conflict got something done, so this ends.
            match unless_refused(attempt(store, coming, going, append))? {
                Ok(true) => return Ok(Ok(())),
                Ok(false) => {}
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
    }

    fn read(&self, store: &Store, kept: &Kept) -> StoreResult<Option<Bytes>> {
        let read = || {
            let bucket = store.buckets().bucket(&kept.place)?;
            let request = GetObject::new(&*kept.key).version(&*kept.version);
            bucket.read_kept(&request)
        };
        unless_refused(read()).map(Result::ok)
    }
}

/// Faults of the store outside, refusals inside.
fn unless_refused<T>(result: Result<T>) -> StoreResult<Result<T>> {
    match result {
        Err(Error::Storage(fault)) => Err(fault),
        other => Ok(other),
    }
}

/// Does it once; false if somebody else changed one of the objects meanwhile.
fn attempt(
    store: &Store,
    coming: &[Coming],
    going: &[Kept],
    append: &mut dyn FnMut(Batch, &[Kept]) -> StoreResult<()>,
) -> Result<bool> {
    let buckets = store.buckets();
    let (mut overlay, mut objects, mut batch) = (Overlay::new(store), Objects::default(), store.batch());
    let mut kept = Vec::with_capacity(coming.len());
    for Coming { place, key, body } in coming {
        let bucket = buckets.bucket(place)?;
        let request = PutObject::new(&**key).content_type("text/plain; charset=utf-8");
        let put = objects.put_untold(&mut overlay, &mut batch, 0, (&bucket, &request), body.clone())?.0;
        let version = put.version_id.unwrap_or(VersionId::NULL).to_string();
        kept.push(Kept { place: place.clone(), key: key.clone(), version });
    }
    for Kept { place, key, version } in going {
        // What cannot be removed, because its bucket is gone or somebody holds on to it, is not the message's any more.
        let Ok(bucket) = unless_refused(buckets.bucket(place))? else { continue };
        let request = DeleteObject::new(&**key).version(&**version);
        drop(unless_refused(objects.delete_untold(&mut overlay, &mut batch, 0, (&bucket, &request)))?);
    }
    let state = state(store);
    let settings = match objects.settings() {
        Ok(settings) => settings,
        Err(Stop::Refused(_, Error::NoSuchBucket { .. }) | Stop::Changed(_)) => return Ok(false),
        Err(Stop::Refused(_, error)) => return Err(error),
    };
    let keys = objects.lock(&state);
    if overlay.changed(store)?.is_some() {
        return Ok(false);
    }
    let counted = objects.count(store, &state, &mut batch)?;
    append(batch, &kept)?;
    if counted.is_left_to_sweep {
        state.extents.freed(store);
    }
    drop((counted, keys, settings));
    Ok(true)
}

impl Bucket {
    /// The whole of an object, without being counted as a request for it.
    fn read_kept(&self, request: &GetObject) -> Result<Bytes> {
        self.do_get_object(request)?.body.bytes()
    }
}
