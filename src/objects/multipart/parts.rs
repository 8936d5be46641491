//! Listing the parts of an upload.

use crate::clock::Timestamp;
use crate::objects::error::Result;
use crate::objects::limits::PAGE_MAX;
use crate::objects::multipart::PartRecord;
use crate::objects::{Bucket, Checksum, ChecksumAlgorithm, ChecksumType, ETag, Metadata, StorageClass, keys};
use std::ops::Bound;

/// Which parts to list.
///
/// ```
/// use fourfold::{Store, objects::{CreateUpload, ListParts, UploadPart}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// bucket.upload_part(UploadPart::new("a", id, 7), "end")?;
/// let page = bucket.list_parts(&ListParts::new("a", id))?;
/// assert_eq!((page.parts[0].part_number, page.parts[0].size), (7, 3));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListParts {
    /// The key of the object.
    pub key: String,
    /// The upload, as text.
    pub upload_id: String,
    /// Only parts behind this one.
    pub part_number_marker: Option<u32>,
    /// Parts of a page, at most and by default 1,000.
    pub max_parts: Option<u32>,
}

impl ListParts {
    /// All parts of an upload.
    pub fn new(key: impl Into<String>, upload_id: impl Into<String>) -> Self {
        Self { key: key.into(), upload_id: upload_id.into(), ..Self::default() }
    }
}

/// A part of an upload.
///
/// ```
/// use fourfold::objects::{CreateUpload, ListParts, UploadPart};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// let part = bucket.upload_part(UploadPart::new("a", id, 7), "end")?;
/// let entry = bucket.list_parts(&ListParts::new("a", id))?.parts[0];
/// assert_eq!((entry.part_number, entry.size, entry.etag), (7, 3, part.etag));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartEntry {
    /// Its number.
    pub part_number: u32,
    /// Bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: ETag,
    /// When it was uploaded.
    pub last_modified: Timestamp,
    /// Its checksum.
    pub checksum: Checksum,
}

/// A page of the parts of an upload.
///
/// ```
/// use fourfold::objects::{CreateUpload, ListParts, UploadPart};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// for number in [1, 7] {
///     bucket.upload_part(UploadPart::new("a", id, number), "end")?;
/// }
/// let mut request = ListParts::new("a", id);
/// request.max_parts = Some(1);
/// let page = bucket.list_parts(&request)?;
/// assert!(page.is_truncated);
/// request.part_number_marker = Some(page.next_part_number_marker);
/// assert_eq!(bucket.list_parts(&request)?.parts[0].part_number, 7);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartPage {
    /// The parts, by number.
    pub parts: Vec<PartEntry>,
    /// Is there more?
    pub is_truncated: bool,
    /// The last part of the page; the marker that was given if it has none.
    pub next_part_number_marker: u32,
    /// The storage class of the object to be.
    pub storage_class: StorageClass,
    /// Which checksum the object will have, and over what.
    pub checksum: (ChecksumAlgorithm, ChecksumType),
    /// Was the checksum chosen when the upload was begun? The service speaks of no other.
    pub chose_checksum: bool,
}

impl Bucket {
    /// What the object of an upload will have besides bytes and tags, as it was given when it was begun.
    ///
    /// # Errors
    /// `NoSuchUpload`, `NoSuchBucket`.
    pub fn upload_metadata(&self, key: &str, upload_id: &str) -> Result<Metadata> {
        drop(self.bucket.settings()?);
        Ok(self.upload(key, upload_id)?.1.metadata)
    }

    /// A page of the parts of an upload.
    ///
    /// # Errors
    /// `NoSuchUpload`, `NoSuchBucket`.
    pub fn list_parts(&self, request: &ListParts) -> Result<PartPage> {
        self.call("ListParts", || self.do_list_parts(request))
    }

    fn do_list_parts(&self, request: &ListParts) -> Result<PartPage> {
        drop(self.bucket.settings()?);
        let (id, upload) = self.upload(&request.key, &request.upload_id)?;
        let max = request.max_parts.unwrap_or(PAGE_MAX).min(PAGE_MAX) as usize;
        let marker = request.part_number_marker.unwrap_or(0);
        let from = Bound::Excluded(keys::part(id.nonce, marker));
        let to = Bound::Included(keys::part(id.nonce, u32::MAX));
        let mut range = self.bucket.uploads.range(&self.store, (from, to));
        let mut page = PartPage {
            parts: Vec::new(),
            is_truncated: false,
            next_part_number_marker: marker,
            storage_class: upload.class,
            checksum: (upload.algorithm, upload.kind),
            chose_checksum: upload.is_chosen,
        };
        while max > 0 && range.advance()? {
            if page.parts.len() == max {
                page.is_truncated = true;
                break;
            }
            let Some(part_number) = keys::part_number(range.key()) else { continue };
            let part = PartRecord::decode(&range.value()?)?;
            page.next_part_number_marker = part_number;
            page.parts.push(PartEntry {
                part_number,
                size: part.len,
                etag: ETag::new(part.digest, 0),
                last_modified: part.modified,
                checksum: part.checksum,
            });
        }
        Ok(page)
    }
}
