//! Deleting objects, versions and delete markers.

use crate::objects::EventType;
use crate::objects::error::{Error, Result};
use crate::objects::extents::References;
use crate::objects::limits::DELETE_KEYS_MAX;
use crate::objects::notify::Change;
use crate::objects::put::check_key;
use crate::objects::record::Version;
use crate::objects::staged::Pending;
use crate::objects::state::Settings;
use crate::objects::versions::Versions;
use crate::objects::{Bucket, VersionId, Versioning};
use crate::store::{Batch, Store};

/// What is to be deleted.
///
/// ```
/// use fourfold::{Store, objects::{DeleteObject, Versioning}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("papers")?;
/// bucket.set_versioning(Versioning::Enabled)?;
/// bucket.put("a", "text")?;
/// let marker = bucket.delete("a")?.version_id.expect("a delete marker");
/// assert!(bucket.get("a").is_err());
/// bucket.delete_object(&DeleteObject::new("a").version(marker))?; // without the marker it is there again
/// assert_eq!(bucket.get("a")?.body.bytes()?, "text");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteObject {
    /// The key.
    pub key: String,
    /// Which version, as text; without, the current object, of which a versioned bucket keeps the version.
    pub version_id: Option<String>,
    /// Only if the current object has this entity tag; `*`: only if there is one.
    pub if_match: Option<String>,
}

impl DeleteObject {
    /// The current object with this key.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// This version, for good.
    #[must_use]
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.version_id = Some(id.into());
        self
    }

    /// Only if the current object has this entity tag.
    #[must_use]
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.if_match = Some(etag.into());
        self
    }
}

/// What a delete did.
///
/// ```
/// use fourfold::objects::Versioning;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.set_versioning(Versioning::Enabled)?;
/// bucket.put("a", "hello")?;
/// let deleted = bucket.delete("a")?;
/// assert!(deleted.delete_marker && deleted.version_id.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteOutput {
    /// A delete marker was added, or the version that was deleted was one.
    pub delete_marker: bool,
    /// The delete marker that was added, or the version that was asked for.
    pub version_id: Option<VersionId>,
}

/// What deleting comes to.
pub(crate) struct Decided {
    pub(crate) batch: Batch,
    pub(crate) output: DeleteOutput,
    /// What to tell of, and the version that it is about.
    pub(crate) changed: Option<(EventType, Version)>,
}

impl DeleteObject {
    /// Decides, given the versions that there are.
    pub(crate) fn decide(
        &self,
        store: &Store,
        settings: &Settings,
        versions: &Versions<'_>,
        references: &mut References,
    ) -> Result<Decided> {
        let id = self.version_id.as_deref().map(str::parse::<VersionId>).transpose()?;
        let newest = versions.newest()?;
        if let Some(tag) = &self.if_match {
            let current = newest.as_ref().and_then(|newest| newest.object.as_ref());
            let current = current.ok_or_else(|| Error::no_key(&self.key))?;
            if tag != "*" && !current.etag.matches(tag) {
                return Err(Error::PreconditionFailed { condition: "If-Match" });
            }
        }
        let mut batch = store.batch();
        let (output, changed) = match id {
            Some(id) => {
                let found = versions.with_id(id)?;
                let delete_marker = found.as_ref().is_some_and(|version| version.object.is_none());
                if let Some(version) = &found {
                    versions.remove(version, &mut batch, references)?;
                }
                let output = DeleteOutput { delete_marker, version_id: Some(id) };
                (output, found.map(|version| (EventType::ObjectRemovedDelete, version)))
            }
            None if settings.record.versioning == Versioning::Off => {
                if let Some(version) = &newest {
                    versions.remove(version, &mut batch, references)?;
                }
                (DeleteOutput::default(), newest.map(|version| (EventType::ObjectRemovedDelete, version)))
            }
            None => {
                let marker = versions.add(store, newest.as_ref(), None, &mut batch, references)?;
                let output = DeleteOutput { delete_marker: true, version_id: Some(marker.id()) };
                (output, Some((EventType::ObjectRemovedDeleteMarkerCreated, marker)))
            }
        };
        Ok(Decided { batch, output, changed })
    }
}

impl Bucket {
    /// Deletes the current object of a key. In a versioned bucket it stays as a version, behind a delete marker; this is
    /// added even if there is nothing to delete. In others nothing happens then.
    ///
    /// # Errors
    /// `NoSuchBucket`, `KeyTooLongError`, `InvalidArgument` for an empty key.
    pub fn delete(&self, key: &str) -> Result<DeleteOutput> {
        self.delete_object(&DeleteObject::new(key))
    }

    /// [`delete`](Self::delete), or deletes a version for good. A version that is not there is no error.
    ///
    /// # Errors
    /// `NoSuchBucket`, `KeyTooLongError`, `InvalidArgument` for an empty key or an id that cannot be, `PreconditionFailed` if the object is
    /// another than must match, `NoSuchKey` if there is none.
    pub fn delete_object(&self, request: &DeleteObject) -> Result<DeleteOutput> {
        self.call("DeleteObject", || Ok(self.stage_delete(request)?.wait()?))
    }

    /// [`delete_object`](Self::delete_object) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn delete_object_async(&self, request: &DeleteObject) -> Result<DeleteOutput> {
        self.call_async("DeleteObject", async { Ok(self.stage_delete(request)?.done().await?) }).await
    }

    pub(crate) fn stage_delete(&self, request: &DeleteObject) -> Result<Pending<DeleteOutput>> {
        check_key(&request.key)?;
        let settings = self.bucket.settings()?;
        let _key = self.state.lock(&self.bucket, &request.key);
        let versions = self.versions(&settings, &request.key);
        let mut references = References::default();
        let Decided { batch, output, changed } =
            request.decide(&self.store, &settings, &versions, &mut references)?;
        let change =
            changed.as_ref().map(|(kind, version)| Change { kind: *kind, key: &request.key, version });
        Ok(self.commit_and_tell(&settings, batch, &references, change.as_slice())?.map(|()| output))
    }

    /// Deletes up to [1,000](DELETE_KEYS_MAX) objects or versions, each by itself: the answers are in the order of the
    /// requests, and a refusal concerns one of them.
    ///
    /// # Errors
    /// `MalformedXML` for no or too many requests, `NoSuchBucket`; faults of the store.
    pub fn delete_many(&self, requests: &[DeleteObject]) -> Result<Vec<Result<DeleteOutput>>> {
        self.call("DeleteObjects", || self.do_delete_many(requests))
    }

    fn do_delete_many(&self, requests: &[DeleteObject]) -> Result<Vec<Result<DeleteOutput>>> {
        let (last, outputs) = self.stage_delete_many(requests)?;
        if let Some(last) = last {
            last.wait()?;
        }
        Ok(outputs)
    }

    /// [`delete_many`](Self::delete_many) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn delete_many_async(&self, requests: &[DeleteObject]) -> Result<Vec<Result<DeleteOutput>>> {
        self.call_async("DeleteObjects", self.do_delete_many_async(requests)).await
    }

    async fn do_delete_many_async(&self, requests: &[DeleteObject]) -> Result<Vec<Result<DeleteOutput>>> {
        let (last, outputs) = self.stage_delete_many(requests)?;
        if let Some(last) = last {
            last.done().await?;
        }
        Ok(outputs)
    }

    /// All of them, and what the last waits for: then the others are durable too.
    #[expect(clippy::type_complexity, reason = "one caller in two forms")]
    fn stage_delete_many(
        &self,
        requests: &[DeleteObject],
    ) -> Result<(Option<Pending<()>>, Vec<Result<DeleteOutput>>)> {
        if !(1..=DELETE_KEYS_MAX).contains(&requests.len()) {
            return Err(Error::MalformedXml);
        }
        drop(self.bucket.settings()?);
        let (mut last, mut outputs) = (None::<Pending<()>>, Vec::with_capacity(requests.len()));
        for request in requests {
            match self.stage_delete(request) {
                Ok(pending) => {
                    let mut output = DeleteOutput::default();
                    let pending = pending.map(|done| output = done);
                    last = Some(match last {
                        Some(earlier) => pending.after(earlier),
                        None => pending,
                    });
                    outputs.push(Ok(output));
                }
                Err(Error::Storage(fault)) => return Err(fault.into()),
                Err(refusal) => outputs.push(Err(refusal)),
            }
        }
        Ok((last, outputs))
    }
}
