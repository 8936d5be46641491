//! Reading objects, and what is known of them.

use crate::clock::Timestamp;
use crate::objects::body::Body;
use crate::objects::checksum::Checksum;
use crate::objects::condition::Conditions;
use crate::objects::error::{Error, Result};
use crate::objects::limits::PART_NUMBER_MAX;
use crate::objects::range::{self, ContentRange};
use crate::objects::record::{Content, Object, Version, cut};
use crate::objects::state::Settings;
use crate::objects::versions::{Versions, View};
use crate::objects::{Bucket, ETag, Metadata, StorageClass, VersionId};
use crate::store::Snapshot;

/// Which object is read, and what of it.
///
/// ```
/// use fourfold::{Store, objects::GetObject};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("notes")?;
/// bucket.put("a", "hello")?;
/// assert_eq!(bucket.get_object(GetObject::new("a").range("bytes=-2"))?.body.bytes()?, "lo");
/// let error = bucket.get_object(GetObject::new("a").version("null2")).unwrap_err();
/// assert_eq!(error.code(), "InvalidArgument");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GetObject {
    /// The key.
    pub key: String,
    /// Which version, as text; without, the current object.
    pub version_id: Option<String>,
    /// A `Range` header, such as `bytes=0-99`. What is no range of bytes is ignored, as the service does.
    pub range: Option<String>,
    /// One part of a multipart object, counted from 1.
    pub part_number: Option<u32>,
    /// When not to read.
    pub conditions: Conditions,
}

impl GetObject {
    /// The current object with this key, whole.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// This version.
    #[must_use]
    pub fn version(mut self, id: impl Into<String>) -> Self {
        self.version_id = Some(id.into());
        self
    }

    /// This range.
    #[must_use]
    pub fn range(mut self, header: impl Into<String>) -> Self {
        self.range = Some(header.into());
        self
    }

    /// This part.
    #[must_use]
    pub fn part(mut self, number: u32) -> Self {
        self.part_number = Some(number);
        self
    }
}

/// What is known of an object besides its bytes.
///
/// ```
/// use fourfold::objects::PutObject;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let mut request = PutObject::new("a").content_type("text/plain");
/// request.metadata.insert("author", "Ann");
/// bucket.put_object(request, "hello")?;
/// let info = bucket.head("a")?.info;
/// assert_eq!((info.size, info.metadata.content_type.as_deref()), (5, Some("text/plain")));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// Bytes of the whole object.
    pub size: u64,
    /// The entity tag.
    pub etag: ETag,
    /// When it was written.
    pub last_modified: Timestamp,
    /// The version; none while the bucket was never versioned.
    pub version_id: Option<VersionId>,
    /// The storage class.
    pub storage_class: StorageClass,
    /// The checksum that is kept.
    pub checksum: Option<Checksum>,
    /// The checksum of the part, if one of a multipart object was asked for.
    pub part_checksum: Option<Checksum>,
    /// Headers and user metadata.
    pub metadata: Metadata,
    /// How many tags it has.
    pub tag_count: usize,
    /// Of a multipart object: how many parts it has.
    pub parts_count: Option<u32>,
}

/// An object that is known, and of which a range may have been asked for.
///
/// ```
/// use fourfold::objects::GetObject;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.put("a", "hello")?;
/// let head = bucket.head_object(&GetObject::new("a").range("bytes=1-3"))?;
/// assert_eq!((head.content_length, head.info.size), (3, 5));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadOutput {
    /// The object.
    pub info: ObjectInfo,
    /// The range or part that was asked for.
    pub content_range: Option<ContentRange>,
    /// Bytes of the range, or of the whole object.
    pub content_length: u64,
}

/// An object that is read.
///
/// ```
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.put("a", "hello")?;
/// let object = bucket.get("a")?;
/// assert_eq!((object.info.size, object.content_range), (5, None));
/// assert_eq!(object.body.bytes()?, "hello");
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct GetOutput {
    /// The object.
    pub info: ObjectInfo,
    /// The range or part that was asked for.
    pub content_range: Option<ContentRange>,
    /// The bytes of the range, or of the whole object.
    pub body: Body,
}

impl Bucket {
    /// The current object of a key.
    ///
    /// # Errors
    /// As for [`get_object`](Self::get_object).
    pub fn get(&self, key: &str) -> Result<GetOutput> {
        self.get_object(GetObject::new(key))
    }

    /// An object, or a range of it. Reading holds no lock: the body is that of this moment, whatever is written meanwhile.
    ///
    /// # Errors
    /// `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed` for a delete marker, `InvalidArgument` for an id that cannot be,
    /// `PreconditionFailed`, `NotModified`, `InvalidRange`, `InvalidPartNumber`, `NoSuchBucket`.
    #[expect(clippy::needless_pass_by_value, reason = "a request is made for one call")]
    pub fn get_object(&self, request: GetObject) -> Result<GetOutput> {
        self.call("GetObject", || self.do_get_object(&request))
    }

    pub(crate) fn do_get_object(&self, request: &GetObject) -> Result<GetOutput> {
        let settings = self.bucket.settings()?;
        let found = self.find(&settings, request, "GET", View::Now(&self.store))?;
        if let Content::Inline(bytes) = &found.object.content {
            let bytes = match &found.range {
                Some(range) => bytes.slice(place(range.start)..place(range.end)),
                None => bytes.clone(),
            };
            let (info, content_range) = (found.info, found.range);
            return Ok(GetOutput { info, content_range, body: Body::inline(bytes) });
        }
        // Once more, as of a moment that stays.
        let snapshot = self.store.snapshot();
        let found = self.find(&settings, request, "GET", View::Then(&snapshot))?;
        drop(settings);
        let (info, content_range) = (found.info, found.range);
        let body = self.body(snapshot, found.object, content_range)?;
        Ok(GetOutput { info, content_range, body })
    }

    /// The bytes of an object as of a snapshot.
    pub(crate) fn body(
        &self,
        snapshot: Snapshot,
        object: Object,
        range: Option<ContentRange>,
    ) -> Result<Body> {
        let pieces = match (object.content, range) {
            (Content::Inline(bytes), None) => return Ok(Body::inline(bytes)),
            (Content::Inline(bytes), Some(range)) => {
                return Ok(Body::inline(bytes.slice(place(range.start)..place(range.end))));
            }
            (Content::Pieces(pieces), None) => pieces,
            (Content::Pieces(pieces), Some(range)) => cut(&pieces, range.start, range.end - range.start),
        };
        let Some(data) = self.state.extents.reader(&self.store)? else {
            return Ok(Body::inline(bytes::Bytes::new()));
        };
        let checksum = object.checksum.filter(|_| range.is_none());
        Ok(Body::pieces(snapshot, data, pieces, checksum))
    }

    /// What [`get`](Self::get) says of an object, without its bytes.
    ///
    /// # Errors
    /// The same.
    pub fn head(&self, key: &str) -> Result<HeadOutput> {
        self.head_object(&GetObject::new(key))
    }

    /// What [`get_object`](Self::get_object) says of an object, without its bytes.
    ///
    /// # Errors
    /// The same.
    pub fn head_object(&self, request: &GetObject) -> Result<HeadOutput> {
        self.call("HeadObject", || self.do_head_object(request))
    }

    fn do_head_object(&self, request: &GetObject) -> Result<HeadOutput> {
        let settings = self.bucket.settings()?;
        let found = self.find(&settings, request, "HEAD", View::Now(&self.store))?;
        let content_length = found.range.map_or(found.info.size, |range| range.end - range.start);
        Ok(HeadOutput { info: found.info, content_range: found.range, content_length })
    }

    pub(crate) fn find(
        &self,
        settings: &Settings,
        request: &GetObject,
        method: &'static str,
        view: View<'_>,
    ) -> Result<Found> {
        if request.part_number.is_some() && request.range.is_some() {
            return Err(Error::request("Cannot specify both Range header and partNumber query parameter"));
        }
        let versions = Versions { view, ..self.versions(settings, &request.key) };
        let (version, object) = versions.readable(request.version_id.as_deref(), method)?;
        request.conditions.check(&object.etag, version.modified)?;
        let range = match (request.part_number, &request.range) {
            (Some(number), _) => of_part(number, &object)?,
            (None, Some(header)) => range::resolve(header, object.len)?,
            (None, None) => None,
        };
        let info = ObjectInfo {
            size: object.len,
            etag: object.etag,
            last_modified: version.modified,
            version_id: settings.shown(version.id()),
            storage_class: object.class,
            checksum: object.checksum,
            part_checksum: request.part_number.and_then(|number| {
                object.parts.get((number as usize).checked_sub(1)?).and_then(|part| part.checksum)
            }),
            metadata: object.metadata.clone(),
            tag_count: object.tags.len(),
            parts_count: object.etag.parts(),
        };
        Ok(Found { info, object, range })
    }
}

pub(crate) struct Found {
    pub(crate) info: ObjectInfo,
    pub(crate) object: Object,
    pub(crate) range: Option<ContentRange>,
}

impl Versions<'_> {
    /// The object that a reader asks for by the text of a version id, or without.
    pub(crate) fn readable(&self, id: Option<&str>, method: &'static str) -> Result<(Version, Object)> {
        let mut version = match id {
            None => self.newest()?.ok_or_else(|| Error::no_key(self.key))?,
            Some(text) => {
                let missing =
                    || Error::NoSuchVersion { key: self.key.to_owned(), version_id: text.to_owned() };
                self.with_id(text.parse()?)?.ok_or_else(missing)?
            }
        };
        match (version.object.take(), id) {
            (Some(object), _) => Ok((version, object)),
            (None, None) if method != "PUT" => {
                Err(Error::NoSuchKey { key: self.key.to_owned(), marker: Some(version.id()) })
            }
            (None, _) => {
                let (marker, modified) = (version.id(), version.modified);
                Err(Error::MethodNotAllowed { method, marker, modified })
            }
        }
    }
}

/// Where a part is within its object; an object that was put whole is its only part.
fn of_part(number: u32, object: &Object) -> Result<Option<ContentRange>> {
    if !(1..=PART_NUMBER_MAX).contains(&number) {
        let rule = "Part number must be an integer between 1 and 10000, inclusive";
        return Err(Error::argument("partNumber", number.to_string(), rule));
    }
    let count = object.parts.len().max(1);
    if number as usize > count {
        let parts = u32::try_from(count).unwrap_or(u32::MAX);
        return Err(Error::InvalidPartNumber { requested: number, parts });
    }
    if object.len == 0 {
        return Ok(None);
    }
    let Some(part) = object.parts.get(number as usize - 1) else {
        return Ok(Some(ContentRange { start: 0, end: object.len, size: object.len }));
    };
    let start = object.parts.iter().take(number as usize - 1).map(|part| part.len).sum();
    Ok(Some(ContentRange { start, end: start + part.len, size: object.len }))
}

/// A place within what is in memory.
fn place(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
