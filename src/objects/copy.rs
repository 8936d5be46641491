//! Copying objects, whole or as parts of an upload: records change, bytes stay where they are.

use crate::clock::Timestamp;
use crate::objects::EventType;
use crate::objects::checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher, ChecksumType};
use crate::objects::condition::{Conditions, WriteConditions};
use crate::objects::error::{Error, Result};
use crate::objects::extents::References;
use crate::objects::limits::{OBJECT_TAGS_MAX, PUT_LEN_MAX};
use crate::objects::multipart::{PartRecord, check_number};
use crate::objects::notify::Change;
use crate::objects::put::check_key;
use crate::objects::range::{self, ContentRange};
use crate::objects::record::{Content, Object, Piece, Version, cut};
use crate::objects::sink::{Expected, Sink, digest};
use crate::objects::staged::Pending;
use crate::objects::state::{Both, BucketState, Settings};
use crate::objects::versions::{Versions, View};
use crate::objects::{Bucket, ETag, Metadata, PartOutput, StorageClass, Tags, VersionId};
use crate::store::Snapshot;
use bytes::Bytes;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// How often a copy whose source changes while it is read begins anew.
const ATTEMPTS: usize = 3;

/// Bytes that a task reads before it lets others go first: a few milliseconds of hashing.
const REST_AFTER: usize = 2 << 20;

/// What is copied.
///
/// ```
/// use fourfold::objects::CopySource;
/// let source = CopySource::new("photos", "a/b").version("null");
/// assert_eq!(source.version_id.as_deref(), Some("null"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopySource {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Which version, as text; without, the current object.
    pub version_id: Option<String>,
    /// When not to copy. All of them are refused with `PreconditionFailed`.
    pub conditions: Conditions,
}

impl CopySource {
    /// The current object of a key.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into(), ..Self::default() }
    }

    /// This version.
    #[must_use]
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.version_id = Some(id.into());
        self
    }
}

/// A copy.
///
/// ```
/// use fourfold::{Store, objects::{CopyObject, CopySource, Metadata}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("photos")?;
/// bucket.put("a", vec![1; 1 << 20])?;
/// bucket.copy(CopyObject::new("b", CopySource::new("photos", "a")))?; // the bytes are shared
/// let onto_itself = CopyObject::new("b", CopySource::new("photos", "b"));
/// assert_eq!(bucket.copy(onto_itself.clone()).unwrap_err().code(), "InvalidRequest");
/// let mut other = Metadata::default();
/// other.content_type = Some("image/png".to_owned());
/// bucket.copy(onto_itself.metadata(other))?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyObject {
    /// The key of the copy.
    pub key: String,
    /// What is copied.
    pub source: CopySource,
    /// Metadata of the copy (`REPLACE`). Default: that of the source.
    pub metadata: Option<Metadata>,
    /// Tags of the copy (`REPLACE`). Default: those of the source.
    pub tags: Option<Tags>,
    /// Where the website redirects the copy to, if `metadata` is the source's, whose own is not copied.
    pub website_redirect: Option<String>,
    /// Attributes of the copy, if `metadata` is the source's, whose own are not copied.
    pub attributes: Vec<(String, String)>,
    /// The copy is encrypted otherwise than its source, so that a copy onto itself changes something.
    pub changes_encryption: bool,
    /// The storage class of the copy. Default: `STANDARD`, whatever the source has.
    pub storage_class: Option<StorageClass>,
    /// Which checksum the copy gets. Default: the source's.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
    /// Only if the object to be replaced has this entity tag.
    pub if_match: Option<String>,
    /// `*`: only if there is no object to be replaced.
    pub if_none_match: Option<String>,
}

impl CopyObject {
    /// A copy with this key.
    pub fn new(key: impl Into<String>, source: CopySource) -> Self {
        Self { key: key.into(), source, ..Self::default() }
    }

    /// With other metadata.
    #[must_use]
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// With other tags.
    #[must_use]
    pub fn tags(mut self, tags: Tags) -> Self {
        self.tags = Some(tags);
        self
    }

    /// Of another storage class.
    #[must_use]
    pub fn storage_class(mut self, class: StorageClass) -> Self {
        self.storage_class = Some(class);
        self
    }

    fn changes_something(&self) -> bool {
        self.metadata.is_some()
            || self.storage_class.is_some()
            || self.website_redirect.is_some()
            || self.source.version_id.is_some()
            || self.changes_encryption
    }
}

/// A copy that was made.
///
/// ```
/// use fourfold::objects::{CopyObject, CopySource};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let original = bucket.put("a", "hello")?;
/// let copy = bucket.copy(CopyObject::new("b", CopySource::new("films", "a")))?;
/// assert_eq!((copy.etag, copy.source_version_id), (original.etag, None));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOutput {
    /// The entity tag of the copy; of a multipart source the MD5 of all its bytes.
    pub etag: ETag,
    /// When the copy was written.
    pub last_modified: Timestamp,
    /// The version of the copy; none while its bucket was never versioned.
    pub version_id: Option<VersionId>,
    /// The version that was copied; none while its bucket was never versioned.
    pub source_version_id: Option<VersionId>,
    /// The checksum that the copy keeps.
    pub checksum: Option<Checksum>,
}

/// Which part is copied from where.
///
/// ```
/// use fourfold::{Store, objects::{CompleteUpload, CopySource, CreateUpload, UploadPartCopy}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("films")?;
/// bucket.put("a", vec![1; 6 << 20])?;
/// let id = bucket.create_upload(CreateUpload::new("b"))?.upload_id;
/// let mut copy = UploadPartCopy::new("b", id, 1, CopySource::new("films", "a"));
/// copy.range = Some("bytes=0-5242879".to_owned());
/// let part = bucket.upload_part_copy(&copy)?;
/// bucket.complete_upload(&CompleteUpload::new("b", id).part(1, part.part.etag))?;
/// assert_eq!(bucket.head("b")?.info.size, 5 << 20);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadPartCopy {
    /// The key of the object.
    pub key: String,
    /// The upload, as text.
    pub upload_id: String,
    /// 1 to 10,000.
    pub part_number: u32,
    /// What is copied.
    pub source: CopySource,
    /// Which bytes of it: `bytes=first-last`. Default: all.
    pub range: Option<String>,
}

impl UploadPartCopy {
    /// A part that is a whole object.
    pub fn new(
        key: impl Into<String>,
        upload_id: impl Into<String>,
        part_number: u32,
        source: CopySource,
    ) -> Self {
        Self { key: key.into(), upload_id: upload_id.into(), part_number, source, range: None }
    }
}

/// A part that was copied.
///
/// ```
/// use fourfold::objects::{CopySource, CreateUpload, UploadPartCopy};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let original = bucket.put("a", "hello")?;
/// let id = bucket.create_upload(CreateUpload::new("b"))?.upload_id;
/// let copied = bucket.upload_part_copy(&UploadPartCopy::new("b", id, 1, CopySource::new("films", "a")))?;
/// assert_eq!(copied.part.etag, original.etag);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartCopyOutput {
    /// The part.
    pub part: PartOutput,
    /// When it was written.
    pub last_modified: Timestamp,
    /// The version that was copied; none while its bucket was never versioned.
    pub source_version_id: Option<VersionId>,
    /// Was a checksum chosen when the upload was begun? The service speaks of no other.
    pub chose_checksum: bool,
}

/// The source of a copy, as it was found.
struct Source {
    version: Version,
    object: Object,
    shown: Option<VersionId>,
}

impl Source {
    /// Is it still the same?
    fn is(&self, other: &Self) -> bool {
        self.version.id() == other.version.id()
            && self.version.place == other.version.place
            && self.version.modified == other.version.modified
            && self.object.etag == other.object.etag
            && self.object.content == other.object.content
    }
}

/// What a source is copied to.
#[derive(Clone, Copy)]
enum Purpose<'a> {
    Object,
    /// Of a range, if there is one.
    Part(Option<&'a str>),
}

/// What a copy has that its source does not say: its bytes had to be read for it.
#[derive(Clone, Copy)]
struct Digests {
    md5: Option<[u8; 16]>,
    checksum: Option<Checksum>,
}

impl Bucket {
    /// Copies an object, from this or another bucket of the store. Its bytes are shared and not written again; they are
    /// read if the copy has a checksum or, of a multipart object, an entity tag that the source does not have.
    ///
    /// # Errors
    /// `NoSuchKey`, `NoSuchVersion` or `NoSuchBucket` for the source; `InvalidRequest` for a source that is a delete marker or
    /// over 5 GiB, or a copy onto itself that changes nothing; `PreconditionFailed`; those of a put. `ConditionalRequestConflict`
    /// if the source changes again and again while it is read.
    pub fn copy(&self, request: CopyObject) -> Result<CopyOutput> {
        self.call("CopyObject", || Ok(at_once(self.stage_copy(request, Pace::Thread))?.wait()?))
    }

    /// [`copy`](Self::copy) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn copy_async(&self, request: CopyObject) -> Result<CopyOutput> {
        self.call_async("CopyObject", async { Ok(self.stage_copy(request, Pace::Task).await?.done().await?) })
            .await
    }

    async fn stage_copy(&self, request: CopyObject, pace: Pace) -> Result<Pending<CopyOutput>> {
        check_key(&request.key)?;
        request.metadata.iter().try_for_each(Metadata::check)?;
        request.tags.iter().try_for_each(|tags| tags.check(OBJECT_TAGS_MAX))?;
        let conditions = WriteConditions {
            if_match: request.if_match.clone(),
            if_none_match: request.if_none_match.clone(),
        };
        conditions.check_form()?;
        drop(self.bucket.settings()?);
        let from = self.state.bucket(&self.store, &request.source.bucket)?;
        let is_itself = from.versions.id() == self.bucket.versions.id() && request.source.key == request.key;
        for _ in 0..ATTEMPTS {
            let (seen, digests) = self
                .examine(&from, &request.source, request.checksum_algorithm, Purpose::Object, pace)
                .await?;
            if is_itself && !request.changes_something() {
                return Err(Error::request(
                    "This copy request is illegal because it is trying to copy an object to itself without \
                     changing the object's metadata, storage class, website redirect location or encryption \
                     attributes.",
                ));
            }
            if let Some(copied) = self.copy_seen(&from, &request, &conditions, &seen, digests)? {
                return Ok(copied);
            }
        }
        Err(Error::ConditionalRequestConflict { key: request.source.key, condition: None })
    }

    /// Copies a source that was looked at, if it still is what it was.
    fn copy_seen(
        &self,
        from: &BucketState,
        request: &CopyObject,
        conditions: &WriteConditions,
        seen: &Source,
        digests: Digests,
    ) -> Result<Option<Pending<CopyOutput>>> {
        let settings = Both::of(from, &self.bucket)?;
        let _keys = self.state.lock_both((from, &request.source.key), (&self.bucket, &request.key));
        let now = self.store.now();
        let source = find(from, settings.one(), &request.source, View::Now(&self.store), now)?;
        if !source.is(seen) {
            return Ok(None);
        }
        self.write_copy(request.clone(), conditions, settings.other(), source, digests).map(Some)
    }

    fn write_copy(
        &self,
        request: CopyObject,
        conditions: &WriteConditions,
        settings: &Settings,
        source: Source,
        digests: Digests,
    ) -> Result<Pending<CopyOutput>> {
        let versions = self.versions(settings, &request.key);
        let newest = versions.newest()?;
        conditions.check(&request.key, newest.as_ref())?;
        let Source { object, shown, .. } = source;
        let mut references = References::default();
        references.make(object.content.pieces());
        let (website_redirect, attributes) = (request.website_redirect, request.attributes);
        let copied = |metadata| Metadata { website_redirect, attributes, ..metadata };
        let object = Object {
            etag: digests.md5.map_or(object.etag, |md5| ETag::new(md5, 0)),
            class: request.storage_class.unwrap_or_default(),
            checksum: digests.checksum.or(object.checksum),
            upload: None,
            metadata: request.metadata.unwrap_or_else(|| copied(object.metadata)),
            tags: request.tags.unwrap_or(object.tags),
            parts: Vec::new(),
            ..object
        };
        let (etag, checksum) = (object.etag, object.checksum);
        let mut batch = self.store.batch();
        let version =
            versions.add(&self.store, newest.as_ref(), Some(object), &mut batch, &mut references)?;
        let output = CopyOutput {
            etag,
            last_modified: version.modified,
            version_id: settings.shown(version.id()),
            source_version_id: shown,
            checksum,
        };
        let change = Change { kind: EventType::ObjectCreatedCopy, key: &request.key, version: &version };
        Ok(self.commit_and_tell(settings, batch, &references, &[change])?.map(|()| output))
    }

    /// Copies an object, or a range of it, as a part of an upload. The bytes are shared; they are read for their MD5 and
    /// checksum.
    ///
    /// # Errors
    /// `NoSuchUpload`; for the source as for [`copy`](Self::copy); `InvalidArgument` for a range that is not within the source.
    pub fn upload_part_copy(&self, request: &UploadPartCopy) -> Result<PartCopyOutput> {
        self.call("UploadPartCopy", || Ok(at_once(self.stage_part_copy(request, Pace::Thread))?.wait()?))
    }

    /// [`upload_part_copy`](Self::upload_part_copy) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn upload_part_copy_async(&self, request: &UploadPartCopy) -> Result<PartCopyOutput> {
        self.call_async("UploadPartCopy", async {
            Ok(self.stage_part_copy(request, Pace::Task).await?.done().await?)
        })
        .await
    }

    async fn stage_part_copy(&self, request: &UploadPartCopy, pace: Pace) -> Result<Pending<PartCopyOutput>> {
        check_number(request.part_number)?;
        drop(self.bucket.settings()?);
        let (_, upload) = self.upload(&request.key, &request.upload_id)?;
        let from = self.state.bucket(&self.store, &request.source.bucket)?;
        let range = request.range.as_deref();
        for _ in 0..ATTEMPTS {
            let (seen, digests) = self
                .examine(&from, &request.source, Some(upload.algorithm), Purpose::Part(range), pace)
                .await?;
            if let Some(copied) = self.copy_part_seen(&from, request, &seen, digests)? {
                return Ok(copied);
            }
        }
        Err(Error::ConditionalRequestConflict { key: request.source.key.clone(), condition: None })
    }

    /// Copies a part from a source that was looked at, if it still is what it was.
    fn copy_part_seen(
        &self,
        from: &BucketState,
        request: &UploadPartCopy,
        seen: &Source,
        digests: Digests,
    ) -> Result<Option<Pending<PartCopyOutput>>> {
        let (Some(md5), Some(checksum)) = (digests.md5, digests.checksum) else { return Ok(None) };
        let settings = Both::of(from, &self.bucket)?;
        let _keys = self.state.lock_both((from, &request.source.key), (&self.bucket, &request.key));
        let now = self.store.now();
        let source = find(from, settings.one(), &request.source, View::Now(&self.store), now)?;
        if !source.is(seen) {
            return Ok(None);
        }
        let (id, upload) = self.upload(&request.key, &request.upload_id)?;
        let (start, end) = stretch(request.range.as_deref(), source.object.len)?;
        let mut references = References::default();
        let mut batch = self.store.batch();
        let pieces = match &source.object.content {
            Content::Pieces(pieces) => {
                let pieces = cut(pieces, start, end - start);
                references.make(&pieces);
                pieces
            }
            Content::Inline(bytes) => {
                let (written, pieces) = self.outline(bytes, start, end)?;
                batch = written;
                pieces
            }
        };
        let modified = self.store.now();
        let part = PartRecord { modified, len: end - start, digest: md5, checksum, pieces };
        let output = PartCopyOutput {
            part: PartOutput { etag: ETag::new(md5, 0), checksum },
            last_modified: modified,
            source_version_id: source.shown,
            chose_checksum: upload.is_chosen,
        };
        let batch = self.put_part(id.nonce, request.part_number, &part, batch, &mut references)?;
        Ok(Some(self.commit(batch, &references)?.map(|()| output)))
    }

    /// A short body as an extent, which parts need.
    fn outline(&self, bytes: &Bytes, start: u64, end: u64) -> Result<(crate::store::Batch, Vec<Piece>)> {
        let expected = Expected { opaque: true, len_max: PUT_LEN_MAX, ..Expected::default() };
        let mut sink = Sink::new(&self.store, &self.state, expected, false)?;
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        sink.write(&bytes.slice(place(start)..place(end)))?;
        let body = sink.finish()?;
        Ok((body.batch, body.content.pieces().to_vec()))
    }

    /// The source, and what of it has to be computed: for a part, everything.
    async fn examine(
        &self,
        from: &Arc<BucketState>,
        source: &CopySource,
        algorithm: Option<ChecksumAlgorithm>,
        purpose: Purpose<'_>,
        pace: Pace,
    ) -> Result<(Source, Digests)> {
        let snapshot = self.store.snapshot();
        let found = look_at(from, source, &snapshot, self.store.now())?;
        let object = &found.object;
        let (is_part, range) = match purpose {
            Purpose::Object => (false, None),
            Purpose::Part(range) => (true, range),
        };
        let (start, end) = stretch(range, object.len)?;
        if end - start > PUT_LEN_MAX {
            let rule =
                "The specified copy source is larger than the maximum allowable size for a copy source";
            return Err(Error::request(format!("{rule}: {PUT_LEN_MAX}")));
        }
        let kept = object.checksum.filter(|checksum| checksum.kind() == ChecksumType::FullObject);
        let wanted = algorithm.or(object.checksum.map(|checksum| checksum.algorithm())).unwrap_or_default();
        let needs_checksum = is_part || kept.is_none_or(|kept| kept.algorithm() != wanted);
        let needs_md5 = is_part || object.etag.parts().is_some();
        let mut md5 = needs_md5.then(|| ChecksumHasher::new(ChecksumAlgorithm::Md5));
        let mut checksum = needs_checksum.then(|| ChecksumHasher::new(wanted));
        if md5.is_some() || checksum.is_some() {
            let range = is_part.then_some(ContentRange { start, end, size: object.len });
            let mut since_rest = 0;
            for bytes in self.body(snapshot, object.clone(), range)? {
                let bytes = bytes?;
                md5.iter_mut().chain(&mut checksum).for_each(|hasher| hasher.update(&bytes));
                since_rest += bytes.len();
                if since_rest >= REST_AFTER {
                    since_rest = 0;
                    pace.rest().await;
                }
            }
        }
        let digests = Digests {
            md5: md5.map(|md5| digest(&md5.finish())),
            checksum: checksum.map(ChecksumHasher::finish),
        };
        Ok((found, digests))
    }
}

/// Whose time it takes to read what is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// The caller's thread.
    Thread,
    /// That of an executor, which others want too.
    Task,
}

impl Pace {
    /// Lets others go first.
    async fn rest(self) {
        let mut is_rested = self == Self::Thread;
        poll_fn(|context| {
            if is_rested {
                return Poll::Ready(());
            }
            is_rested = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// The outcome of a copy at the [pace of a thread](Pace::Thread), which never waits.
fn at_once<T>(copy: impl Future<Output = T>) -> T {
    let mut copy = pin!(copy);
    loop {
        if let Poll::Ready(outcome) = copy.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return outcome;
        }
    }
}

/// The source of a copy as of a snapshot.
fn look_at(from: &BucketState, source: &CopySource, snapshot: &Snapshot, now: Timestamp) -> Result<Source> {
    let settings = from.settings()?;
    find(from, &settings, source, View::Then(snapshot), now)
}

/// The source of a copy as it is.
fn find(
    from: &BucketState,
    settings: &Settings,
    source: &CopySource,
    view: View<'_>,
    now: Timestamp,
) -> Result<Source> {
    let versioning = settings.record.versioning;
    let versions = Versions { view, bucket: from, key: &source.key, versioning };
    let found = versions.readable(source.version_id.as_deref(), "GET");
    let (version, object) = found.map_err(|error| match error {
        Error::MethodNotAllowed { .. } => Error::request(
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        other => other,
    })?;
    source.conditions.check_source(&object.etag, version.modified, now)?;
    let shown = settings.shown(version.id());
    Ok(Source { version, object, shown })
}

/// The bytes that a part is copied from.
fn stretch(range: Option<&str>, len: u64) -> Result<(u64, u64)> {
    range.map_or(Ok((0, len)), |header| range::of_copy(header, len))
}
