//! What a transaction over several engines does with objects.
//!
//! While it is being made up, nothing is locked: a verb reads the versions of its key as they were when the transaction
//! began, with its own over them, and what it decides goes into the transaction's batch at once; long bodies go to the blob
//! log as ever, and are given back if the batch is dropped. When it is committed, the keys are locked, what was read is
//! looked at once more (`store::overlay`), references are counted, and who is to be told of it is told in the same batch.

use crate::objects::error::{Error, Result};
use crate::objects::extents::{Counted, References};
use crate::objects::notify::{Calls, Change};
use crate::objects::put::{Decided as DecidedPut, check_key};
use crate::objects::record::{Content, Version};
use crate::objects::state::{Settings, State};
use crate::objects::versions::{Versions, View};
use crate::objects::{
    Body, Bucket, DeleteObject, DeleteOutput, EventType, GetObject, GetOutput, HeadOutput, PutObject,
    PutOutput, Versioning,
};
use crate::store::deliver::Arrivals;
use crate::store::overlay::Overlay;
use crate::store::{Batch, Store};
use bytes::Bytes;
use parking_lot::{MutexGuard, RwLockReadGuard};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Bucket {
    /// The store that it is in.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }
}

/// What the buckets of a store share.
pub(crate) fn state(store: &Store) -> Arc<State> {
    store.buckets().state
}

/// A bucket that a transaction uses.
struct Used {
    bucket: Bucket,
    versioning: Versioning,
    /// The number of the first operation on it.
    operation: usize,
    /// What happens in it, in order, by key.
    changes: BTreeMap<String, Vec<(EventType, Version)>>,
}

/// The objects of one transaction.
#[derive(Default)]
pub(crate) struct Objects {
    /// By the number by which buckets are locked.
    buckets: BTreeMap<u32, Used>,
    stripes: BTreeSet<usize>,
    references: References,
    /// Bodies that no snapshot has, by extent.
    bodies: BTreeMap<u64, Bytes>,
}

/// The settings of the buckets of a transaction, as they are while it is committed.
pub(crate) struct AllSettings<'a>(Vec<(&'a Used, RwLockReadGuard<'a, Settings>)>);

/// Why a transaction cannot be committed.
pub(crate) enum Stop {
    /// The operation of this number is refused.
    Refused(usize, Error),
    /// The bucket of this name is set to something else than when it was used.
    Changed(String),
}

impl Objects {
    /// The bucket that a keyspace is of, if it is one of these.
    pub(crate) fn bucket_of(&self, space: u32) -> Option<&str> {
        let used = self.buckets.values().find(|used| used.bucket.bucket.ids().contains(&space));
        used.map(|used| used.bucket.name())
    }

    fn touch(&mut self, operation: usize, bucket: &Bucket, settings: &Settings, key: &str) -> &mut Used {
        self.stripes.insert(bucket.bucket.stripe(key));
        self.buckets.entry(bucket.bucket.versions.id()).or_insert_with(|| Used {
            bucket: bucket.clone(),
            versioning: settings.record.versioning,
            operation,
            changes: BTreeMap::new(),
        })
    }

    /// Writes an object.
    pub(crate) fn put(
        &mut self,
        overlay: &mut Overlay,
        batch: &mut Batch,
        operation: usize,
        (bucket, request): (&Bucket, &PutObject),
        data: Bytes,
    ) -> Result<PutOutput> {
        let (output, version) = self.put_untold(overlay, batch, operation, (bucket, request), data)?;
        self.tell(bucket, &request.key, (EventType::ObjectCreatedPut, version));
        Ok(output)
    }

    /// Something happens in a bucket that is used.
    fn tell(&mut self, bucket: &Bucket, key: &str, what: (EventType, Version)) {
        if let Some(used) = self.buckets.get_mut(&bucket.bucket.versions.id()) {
            used.changes.entry(key.to_owned()).or_default().push(what);
        }
    }

    /// Writes an object, and tells nobody.
    pub(crate) fn put_untold(
        &mut self,
        overlay: &mut Overlay,
        batch: &mut Batch,
        operation: usize,
        (bucket, request): (&Bucket, &PutObject),
        data: Bytes,
    ) -> Result<(PutOutput, Version)> {
        let mut sink = bucket.sink(request)?;
        sink.write(&data)?;
        let body = sink.finish()?;
        let settings = bucket.bucket.settings()?;
        self.touch(operation, bucket, &settings, &request.key);
        let mut references = References::default();
        let versions = within(overlay, bucket, &settings, &request.key);
        let DecidedPut { batch: decided, output, version } =
            request.decide(&bucket.store, &settings, &versions, body, &mut references)?;
        if let Some(piece) = version.pieces().first() {
            self.bodies.insert(piece.extent, data);
        }
        overlay.lay(&decided);
        batch.absorb(decided);
        self.references.absorb(references);
        Ok((output, version))
    }

    /// Deletes an object, or a version of it.
    pub(crate) fn delete(
        &mut self,
        overlay: &mut Overlay,
        batch: &mut Batch,
        operation: usize,
        (bucket, request): (&Bucket, &DeleteObject),
    ) -> Result<DeleteOutput> {
        let (output, changed) = self.delete_untold(overlay, batch, operation, (bucket, request))?;
        if let Some(changed) = changed {
            self.tell(bucket, &request.key, changed);
        }
        Ok(output)
    }

    /// Deletes an object, or a version of it, and tells nobody.
    pub(crate) fn delete_untold(
        &mut self,
        overlay: &mut Overlay,
        batch: &mut Batch,
        operation: usize,
        (bucket, request): (&Bucket, &DeleteObject),
    ) -> Result<(DeleteOutput, Option<(EventType, Version)>)> {
        check_key(&request.key)?;
        let settings = bucket.bucket.settings()?;
        self.touch(operation, bucket, &settings, &request.key);
        let mut references = References::default();
        let versions = within(overlay, bucket, &settings, &request.key);
        let decided = request.decide(&bucket.store, &settings, &versions, &mut references)?;
        overlay.lay(&decided.batch);
        batch.absorb(decided.batch);
        self.references.absorb(references);
        Ok((decided.output, decided.changed))
    }

    /// What is known of an object.
    pub(crate) fn head(
        &mut self,
        overlay: &Overlay,
        operation: usize,
        (bucket, request): (&Bucket, &GetObject),
    ) -> Result<HeadOutput> {
        let settings = bucket.bucket.settings()?;
        self.touch(operation, bucket, &settings, &request.key);
        let found = bucket.find(&settings, request, "HEAD", View::Within(overlay))?;
        let content_length = found.range.map_or(found.info.size, |range| range.end - range.start);
        Ok(HeadOutput { info: found.info, content_range: found.range, content_length })
    }

    /// An object, or a range of it.
    pub(crate) fn get(
        &mut self,
        overlay: &Overlay,
        operation: usize,
        (bucket, request): (&Bucket, &GetObject),
    ) -> Result<GetOutput> {
        let settings = bucket.bucket.settings()?;
        self.touch(operation, bucket, &settings, &request.key);
        let found = bucket.find(&settings, request, "GET", View::Within(overlay))?;
        drop(settings);
        let (info, content_range) = (found.info, found.range);
        let own = match &found.object.content {
            Content::Pieces(pieces) => pieces.first().and_then(|piece| self.bodies.get(&piece.extent)),
            Content::Inline(_) => None,
        };
        let body = match (own, content_range) {
            (Some(own), None) => Body::inline(own.clone()),
            (Some(own), Some(range)) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(own.len());
                Body::inline(own.slice(place(range.start)..place(range.end)))
            }
            (None, _) => bucket.body(overlay.snapshot().again(), found.object, content_range)?,
        };
        Ok(GetOutput { info, content_range, body })
    }

    /// The first lock: buckets stay what they are.
    pub(crate) fn settings(&self) -> Result<AllSettings<'_>, Stop> {
        let mut all = Vec::with_capacity(self.buckets.len());
        for used in self.buckets.values() {
            let settings =
                used.bucket.bucket.settings().map_err(|error| Stop::Refused(used.operation, error))?;
            if settings.record.versioning != used.versioning {
                return Err(Stop::Changed(used.bucket.name().to_owned()));
            }
            all.push((used, settings));
        }
        Ok(AllSettings(all))
    }

    /// The second: keys stay what they are.
    pub(crate) fn lock<'a>(&self, state: &'a State) -> Vec<MutexGuard<'a, ()>> {
        state.lock_all(&self.stripes)
    }

    /// The third: counts of references, added to the batch.
    pub(crate) fn count<'a>(
        &self,
        store: &Store,
        state: &'a State,
        batch: &mut Batch,
    ) -> crate::Result<Counted<'a>> {
        state.extents.count(store, &self.references, batch)
    }
}

impl AllSettings<'_> {
    /// What is to be told of it all.
    pub(crate) fn tell(&self) -> (Vec<Arrivals>, Calls) {
        let (mut arrivals, mut calls) = (Vec::new(), Calls::default());
        for (used, settings) in &self.0 {
            let Some(configuration) = settings.notification.as_deref() else { continue };
            for (key, versions) in &used.changes {
                let changes: Vec<_> =
                    versions.iter().map(|(kind, version)| Change { kind: *kind, key, version }).collect();
                let deliveries = used.bucket.deliveries(settings, configuration, &changes);
                let (by_arn, more) = deliveries.into_parts(&used.bucket.state.functions);
                calls = calls.then(more);
                arrivals.push(by_arn);
            }
        }
        (arrivals, calls)
    }
}

/// The versions of a key as a transaction sees them.
fn within<'a>(overlay: &'a Overlay, bucket: &'a Bucket, settings: &Settings, key: &'a str) -> Versions<'a> {
    let versioning = settings.record.versioning;
    Versions { view: View::Within(overlay), bucket: &bucket.bucket, key, versioning }
}
