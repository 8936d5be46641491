//! `GetObjectAttributes`: what is known of an object, and of its parts.

use crate::clock::Timestamp;
use crate::objects::checksum::ChecksumType;
use crate::objects::error::Result;
use crate::objects::limits::PAGE_MAX;
use crate::objects::record::Object;
use crate::objects::{Bucket, Checksum, ETag, StorageClass, VersionId};

/// Which object, and which of its parts.
///
/// ```
/// use fourfold::{Store, objects::GetAttributes};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("notes")?;
/// bucket.put("a", "hello")?;
/// let attributes = bucket.attributes(&GetAttributes::new("a"))?;
/// assert_eq!((attributes.size, attributes.parts.is_none()), (5, true));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetAttributes {
    /// The key.
    pub key: String,
    /// Which version, as text; without, the current object.
    pub version_id: Option<String>,
    /// Only parts behind this one.
    pub part_number_marker: Option<u32>,
    /// Parts of a page, at most and by default 1,000.
    pub max_parts: Option<u32>,
}

impl GetAttributes {
    /// The current object with this key.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }
}

/// What is known of an object.
///
/// ```
/// use fourfold::objects::GetAttributes;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.put("a", "hello")?;
/// let attributes = bucket.attributes(&GetAttributes::new("a"))?;
/// assert_eq!((attributes.size, attributes.etag), (5, bucket.head("a")?.info.etag));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// The entity tag.
    pub etag: ETag,
    /// The checksum that is kept.
    pub checksum: Option<Checksum>,
    /// Bytes.
    pub size: u64,
    /// The storage class.
    pub storage_class: StorageClass,
    /// When it was written.
    pub last_modified: Timestamp,
    /// The version; none while the bucket was never versioned.
    pub version_id: Option<VersionId>,
    /// Of a multipart object.
    pub parts: Option<ObjectParts>,
}

/// The parts of a multipart object.
///
/// ```
/// use fourfold::objects::{CompleteUpload, CreateUpload, GetAttributes, UploadPart};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// let part = bucket.upload_part(UploadPart::new("a", id, 5), "frames")?;
/// bucket.complete_upload(&CompleteUpload::new("a", id).part(5, part.etag))?;
/// let parts = bucket.attributes(&GetAttributes::new("a"))?.parts.expect("it came in parts");
/// assert_eq!((parts.total, parts.page), (1, None)); // its checksum is that of the whole
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectParts {
    /// How many there are.
    pub total: u32,
    /// A page of them, if the object has a composite checksum; the service lists no others.
    pub page: Option<PartsPage>,
}

/// A page of the parts of an object.
///
/// ```
/// # use fourfold::objects::{ChecksumAlgorithm, CompleteUpload, CompletedPart, CreateUpload, GetAttributes, UploadPart};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let mut upload = CreateUpload::new("a");
/// upload.checksum_algorithm = Some(ChecksumAlgorithm::Sha256);
/// let id = bucket.create_upload(upload)?.upload_id;
/// let part = bucket.upload_part(UploadPart::new("a", id, 5), "frames")?;
/// let mut whole = CompleteUpload::new("a", id);
/// let (etag, checksum) = (part.etag.to_string(), Some(part.checksum));
/// whole.parts.push(CompletedPart { part_number: 5, etag, checksum });
/// bucket.complete_upload(&whole)?;
/// let parts = bucket.attributes(&GetAttributes::new("a"))?.parts.and_then(|parts| parts.page);
/// let page = parts.expect("a checksum of checksums");
/// assert_eq!((page.parts.len(), page.next_part_number_marker, page.is_truncated), (1, 5, false));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartsPage {
    /// The parts, in order.
    pub parts: Vec<ObjectPart>,
    /// Behind which part the page begins.
    pub part_number_marker: u32,
    /// Its last part.
    pub next_part_number_marker: u32,
    /// How many it may have.
    pub max_parts: u32,
    /// Is there more?
    pub is_truncated: bool,
}

/// A part of an object.
///
/// ```
/// # use fourfold::objects::{ChecksumAlgorithm, CompleteUpload, CompletedPart, CreateUpload, GetAttributes, UploadPart};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let mut upload = CreateUpload::new("a");
/// upload.checksum_algorithm = Some(ChecksumAlgorithm::Sha256);
/// let id = bucket.create_upload(upload)?.upload_id;
/// let part = bucket.upload_part(UploadPart::new("a", id, 5), "frames")?;
/// let mut whole = CompleteUpload::new("a", id);
/// let (etag, checksum) = (part.etag.to_string(), Some(part.checksum));
/// whole.parts.push(CompletedPart { part_number: 5, etag, checksum });
/// bucket.complete_upload(&whole)?;
/// let page = bucket.attributes(&GetAttributes::new("a"))?.parts.and_then(|parts| parts.page);
/// let first = page.expect("a checksum of checksums").parts[0];
/// assert_eq!((first.part_number, first.size, first.checksum), (5, 6, Some(part.checksum)));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectPart {
    /// The number that it was uploaded with.
    pub part_number: u32,
    /// Bytes.
    pub size: u64,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

impl Bucket {
    /// What is known of an object and its parts.
    ///
    /// # Errors
    /// As for [`get_object`](Self::get_object).
    pub fn attributes(&self, request: &GetAttributes) -> Result<Attributes> {
        self.call("GetObjectAttributes", || self.do_attributes(request))
    }

    fn do_attributes(&self, request: &GetAttributes) -> Result<Attributes> {
        let settings = self.bucket.settings()?;
        let (version, object) =
            self.versions(&settings, &request.key).readable(request.version_id.as_deref(), "GET")?;
        let parts = object.etag.parts().map(|total| ObjectParts { total, page: page(&object, request) });
        Ok(Attributes {
            etag: object.etag,
            checksum: object.checksum,
            size: object.len,
            storage_class: object.class,
            last_modified: version.modified,
            version_id: settings.shown(version.id()),
            parts,
        })
    }
}

fn page(object: &Object, request: &GetAttributes) -> Option<PartsPage> {
    if object.checksum.map(|checksum| checksum.kind()) != Some(ChecksumType::Composite) {
        return None;
    }
    let part_number_marker = request.part_number_marker.unwrap_or(0);
    let max_parts = request.max_parts.unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let mut behind = object.parts.iter().filter(|part| part.number > part_number_marker);
    let parts: Vec<ObjectPart> = behind
        .by_ref()
        .take(max_parts as usize)
        .map(|part| ObjectPart { part_number: part.number, size: part.len, checksum: part.checksum })
        .collect();
    let next_part_number_marker = parts.last().map_or(part_number_marker, |last| last.part_number);
    let is_truncated = behind.next().is_some();
    Some(PartsPage { parts, part_number_marker, next_part_number_marker, max_parts, is_truncated })
}
