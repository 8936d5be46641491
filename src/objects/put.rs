//! Writing objects.

use crate::objects::checksum::{Checksum, ChecksumAlgorithm, ContentMd5};
use crate::objects::condition::WriteConditions;
use crate::objects::error::{Error, Result};
use crate::objects::extents::References;
use crate::objects::limits::{KEY_LEN_MAX, OBJECT_TAGS_MAX, PUT_LEN_MAX};
use crate::objects::notify::Change;
use crate::objects::record::{Object, Version};
use crate::objects::sink::{Body as TakenIn, Expected, Sink};
use crate::objects::staged::Pending;
use crate::objects::state::Settings;
use crate::objects::versions::Versions;
use crate::objects::{Bucket, ETag, EventType, Metadata, StorageClass, Tags, VersionId};
use crate::store::{Batch, Store};
use bytes::Bytes;
use futures_core::Stream;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

/// What is to be written besides the bytes.
///
/// ```
/// use fourfold::{Store, objects::{PutObject, StorageClass}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("notes")?;
/// let mut request = PutObject::new("a").content_type("text/plain").storage_class(StorageClass::GlacierIr);
/// request.metadata.insert("author", "Ann");
/// bucket.put_object(request.if_none_match(), "hello")?;
/// let again = bucket.put_object(PutObject::new("a").if_none_match(), "hello").unwrap_err();
/// assert_eq!(again.code(), "PreconditionFailed");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PutObject {
    /// The key: 1 to 1,024 bytes of UTF-8.
    pub key: String,
    /// Headers and user metadata.
    pub metadata: Metadata,
    /// Tags, at most 10.
    pub tags: Tags,
    /// The storage class, a label.
    pub storage_class: StorageClass,
    /// What the MD5 of the data must be.
    pub content_md5: Option<ContentMd5>,
    /// What the checksum of the data must be. It is kept.
    pub checksum: Option<Checksum>,
    /// Which checksum to compute and keep if none is given. Default: CRC64NVME.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
    /// How long the data must be. Default: whatever comes.
    pub content_length: Option<u64>,
    /// Only if the current object has this entity tag.
    pub if_match: Option<String>,
    /// `*`: only if there is no current object.
    pub if_none_match: Option<String>,
    /// The entity tag is chance and not the MD5 of the data, as that of the service's objects encrypted by KMS: a write
    /// of much data costs half as much.
    pub opaque_etag: bool,
    /// It comes by an HTML form, as those hear who are told.
    pub by_form: bool,
}

impl PutObject {
    /// An object with this key.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// Its content type.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.metadata.content_type = Some(content_type.into());
        self
    }

    /// Its tags.
    #[must_use]
    pub fn tags(mut self, tags: Tags) -> Self {
        self.tags = tags;
        self
    }

    /// Its storage class.
    #[must_use]
    pub fn storage_class(mut self, class: StorageClass) -> Self {
        self.storage_class = class;
        self
    }

    /// What its checksum must be.
    #[must_use]
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// Only if there is no current object.
    #[must_use]
    pub fn if_none_match(mut self) -> Self {
        self.if_none_match = Some("*".to_owned());
        self
    }

    /// Only if the current object has this entity tag.
    #[must_use]
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.if_match = Some(etag.into());
        self
    }

    fn conditions(&self) -> WriteConditions {
        WriteConditions { if_match: self.if_match.clone(), if_none_match: self.if_none_match.clone() }
    }

    fn expected(&self) -> Expected {
        let given = self.checksum.map(|checksum| checksum.algorithm());
        Expected {
            algorithm: given.or(self.checksum_algorithm).unwrap_or_default(),
            opaque: self.opaque_etag,
            content_md5: self.content_md5,
            checksum: self.checksum,
            len: self.content_length,
            len_max: PUT_LEN_MAX,
        }
    }
}

/// What was written.
///
/// ```
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let put = bucket.put("a", "hello")?;
/// assert_eq!((put.size, put.version_id), (5, None));
/// assert_eq!(put.etag.to_string(), "\"5d41402abc4b2a76b9719d911017c592\""); // the MD5
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutOutput {
    /// The entity tag.
    pub etag: ETag,
    /// The version; none while the bucket was never versioned.
    pub version_id: Option<VersionId>,
    /// The checksum that is kept.
    pub checksum: Checksum,
    /// Bytes.
    pub size: u64,
}

/// Is it a key that an object may have?
pub(crate) fn check_key(key: &str) -> Result<()> {
    match key.len() {
        0 => Err(Error::argument("key", key, "User key must have a length greater than 0.")),
        1..=KEY_LEN_MAX => Ok(()),
        len => Err(Error::KeyTooLong { len }),
    }
}

/// An object that is being written, a piece at a time: [`Bucket::writer`]. Dropped before it is finished, it leaves
/// nothing.
///
/// ```
/// use fourfold::{Store, objects::PutObject};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("films")?;
/// let mut writer = bucket.writer(PutObject::new("a"))?;
/// for frame in 0..24_u8 {
///     writer.write(vec![frame; 100_000])?;
/// }
/// assert_eq!(writer.finish()?.size, 2_400_000);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ObjectWriter {
    bucket: Bucket,
    request: PutObject,
    sink: Sink,
}

impl ObjectWriter {
    /// Takes the next bytes. Long bodies go to the disk as they come; no more than about 1 MiB is kept in memory.
    ///
    /// # Errors
    /// `EntityTooLarge` over 5 GiB, `IncompleteBody` over the length that was said.
    pub fn write(&mut self, bytes: impl Into<Bytes>) -> Result<()> {
        self.sink.write(&bytes.into())
    }

    /// The checksum that the data must have, when it is known only behind the data: of the algorithm that the request
    /// named.
    pub fn expect_checksum(&mut self, checksum: Checksum) {
        self.sink.expect(checksum);
    }

    /// The object is there when this returns, as durable as the store was opened for.
    ///
    /// # Errors
    /// As for [`Bucket::put_object`].
    pub fn finish(self) -> Result<PutOutput> {
        let bucket = self.bucket.clone();
        bucket.call("PutObject", || Ok(self.stage()?.wait()?))
    }

    /// [`finish`](Self::finish) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn finish_async(self) -> Result<PutOutput> {
        let bucket = self.bucket.clone();
        bucket.call_async("PutObject", async { Ok(self.stage()?.done().await?) }).await
    }

    fn stage(self) -> Result<Pending<PutOutput>> {
        let Self { bucket, request, sink } = self;
        let body = sink.finish()?;
        let settings = bucket.bucket.settings()?;
        let _key = bucket.state.lock(&bucket.bucket, &request.key);
        let versions = bucket.versions(&settings, &request.key);
        let mut references = References::default();
        let Decided { batch, output, version } =
            request.decide(&bucket.store, &settings, &versions, body, &mut references)?;
        let kind = if request.by_form { EventType::ObjectCreatedPost } else { EventType::ObjectCreatedPut };
        let change = Change { kind, key: &request.key, version: &version };
        Ok(bucket.commit_and_tell(&settings, batch, &references, &[change])?.map(|()| output))
    }
}

/// What writing an object comes to.
pub(crate) struct Decided {
    pub(crate) batch: Batch,
    pub(crate) output: PutOutput,
    pub(crate) version: Version,
}

impl PutObject {
    /// Decides, given the versions that there are: adds the object to the batch that has its body.
    pub(crate) fn decide(
        &self,
        store: &Store,
        settings: &Settings,
        versions: &Versions<'_>,
        body: TakenIn,
        references: &mut References,
    ) -> Result<Decided> {
        let newest = versions.newest()?;
        self.conditions().check(&self.key, newest.as_ref())?;
        let TakenIn { mut batch, len, digest, checksum, content } = body;
        let etag = ETag::new(digest, 0);
        let object = Object {
            len,
            etag,
            class: self.storage_class,
            checksum: Some(checksum),
            upload: None,
            metadata: self.metadata.clone(),
            tags: self.tags.clone(),
            parts: Vec::new(),
            content,
        };
        let version = versions.add(store, newest.as_ref(), Some(object), &mut batch, references)?;
        let output = PutOutput { etag, version_id: settings.shown(version.id()), checksum, size: len };
        Ok(Decided { batch, output, version })
    }
}

impl Bucket {
    /// Writes an object with nothing but a key and its bytes.
    ///
    /// # Errors
    /// As for [`put_object`](Self::put_object).
    pub fn put(&self, key: &str, data: impl Into<Bytes>) -> Result<PutOutput> {
        self.put_object(PutObject::new(key), data)
    }

    /// Writes an object: it replaces the one there is, or becomes its newest version. All of it or nothing.
    ///
    /// # Errors
    /// `KeyTooLongError`, `InvalidArgument` for an empty key, `MetadataTooLarge`, `InvalidTag`, `BadRequest` (too many tags), `EntityTooLarge`,
    /// `IncompleteBody`, `BadDigest`, `PreconditionFailed`, `NoSuchKey` for a tag that must match where there is nothing,
    /// `NotImplemented` for conditions that the service does not take, `NoSuchBucket`.
    pub fn put_object(&self, request: PutObject, data: impl Into<Bytes>) -> Result<PutOutput> {
        let mut writer = self.writer(request)?;
        writer.write(data)?;
        writer.finish()
    }

    /// [`put_object`](Self::put_object) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn put_object_async(&self, request: PutObject, data: impl Into<Bytes>) -> Result<PutOutput> {
        let mut writer = self.writer(request)?;
        writer.write(data)?;
        writer.finish_async().await
    }

    /// [`put_object`](Self::put_object) of what an iterator yields, which is never whole in memory.
    ///
    /// # Errors
    /// The same; `IncompleteBody` if the iterator fails.
    pub fn put_from<E>(
        &self,
        request: PutObject,
        data: impl IntoIterator<Item = Result<Bytes, E>>,
    ) -> Result<PutOutput>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let mut writer = self.writer(request)?;
        for bytes in data {
            writer.write(bytes.map_err(broken_off)?)?;
        }
        writer.finish()
    }

    /// [`put_object`](Self::put_object) of what a stream yields, which is never whole in memory.
    ///
    /// # Errors
    /// The same; `IncompleteBody` if the stream fails.
    pub async fn put_stream<E>(
        &self,
        request: PutObject,
        data: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<PutOutput>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let mut writer = self.writer(request)?;
        let mut data = pin!(data);
        while let Some(bytes) = poll_fn(|context| data.as_mut().poll_next(context)).await {
            writer.write(bytes.map_err(broken_off)?)?;
        }
        writer.finish_async().await
    }

    /// Begins an object whose bytes come a piece at a time.
    ///
    /// # Errors
    /// Of [`put_object`](Self::put_object), what can be said before the first byte.
    pub fn writer(&self, request: PutObject) -> Result<ObjectWriter> {
        let sink = self.sink(&request)?;
        Ok(ObjectWriter { bucket: self.clone(), request, sink })
    }

    /// What takes in the body of an object.
    pub(crate) fn sink(&self, request: &PutObject) -> Result<Sink> {
        check_key(&request.key)?;
        request.metadata.check()?;
        request.tags.check(OBJECT_TAGS_MAX)?;
        request.conditions().check_form()?;
        drop(self.bucket.settings()?);
        Sink::new(&self.store, &self.state, request.expected(), true)
    }
}

/// The source of a body failed.
pub(crate) fn broken_off(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::IncompleteBody { source: Arc::new(error) }
}
