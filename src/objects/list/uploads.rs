//! Listing uploads that are neither completed nor aborted.

use crate::clock::Timestamp;
use crate::objects::error::{Error, Result};
use crate::objects::id::Id;
use crate::objects::keys;
use crate::objects::list::walk::{self, Walk};
use crate::objects::list::{Fold, page_len};
use crate::objects::multipart::UploadRecord;
use crate::objects::{Bucket, ChecksumAlgorithm, ChecksumType, StorageClass, UploadId};

/// Which uploads to list: by key, then in the order in which they were begun.
///
/// ```
/// use fourfold::{Store, objects::{CreateUpload, ListUploads}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("films")?;
/// let upload_id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// let uploads = bucket.list_uploads(&ListUploads::default())?.uploads;
/// assert_eq!((&*uploads[0].key, uploads[0].upload_id), ("a", upload_id));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListUploads {
    /// Only keys that start so.
    pub prefix: Option<String>,
    /// Keys that have it behind the prefix are folded into one common prefix, through it. Empty is none.
    pub delimiter: Option<String>,
    /// Only keys and common prefixes greater than this, or uploads of it behind `upload_id_marker`.
    pub key_marker: Option<String>,
    /// Of `key_marker`, only uploads begun after this one; not looked at without it.
    pub upload_id_marker: Option<String>,
    /// Uploads and common prefixes of a page, at most and by default 1,000.
    pub max_uploads: Option<u32>,
}

/// An upload in a list.
///
/// ```
/// use fourfold::objects::{CreateUpload, ListUploads};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// let entry = bucket.list_uploads(&ListUploads::default())?.uploads.remove(0);
/// assert_eq!((&*entry.key, entry.upload_id), ("a", id));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadEntry {
    /// The key of the object to be.
    pub key: String,
    /// The upload.
    pub upload_id: UploadId,
    /// When it was begun.
    pub initiated: Timestamp,
    /// The storage class of the object to be.
    pub storage_class: StorageClass,
    /// Which checksum the object will have, and over what.
    pub checksum: (ChecksumAlgorithm, ChecksumType),
    /// Was the checksum chosen when the upload was begun? The service speaks of no other.
    pub chose_checksum: bool,
}

/// A page of uploads.
///
/// ```
/// use fourfold::objects::{CreateUpload, ListUploads};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// for key in ["a", "b"] {
///     bucket.create_upload(CreateUpload::new(key))?;
/// }
/// let mut request = ListUploads { max_uploads: Some(1), ..ListUploads::default() };
/// let page = bucket.list_uploads(&request)?;
/// request.key_marker = page.next_key_marker;
/// request.upload_id_marker = page.next_upload_id_marker.map(|id| id.to_string());
/// assert_eq!(bucket.list_uploads(&request)?.uploads[0].key, "b");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadPage {
    /// The uploads, in order.
    pub uploads: Vec<UploadEntry>,
    /// The common prefixes, in order.
    pub common_prefixes: Vec<String>,
    /// Is there more?
    pub is_truncated: bool,
    /// Where the next page begins, if there is more.
    pub next_key_marker: Option<String>,
    /// The same within the key; none behind a common prefix.
    pub next_upload_id_marker: Option<UploadId>,
}

impl Bucket {
    /// A page of the uploads that are neither completed nor aborted.
    ///
    /// # Errors
    /// `NoSuchBucket`; `InvalidArgument` for an `upload_id_marker` that is no upload's of `key_marker`.
    pub fn list_uploads(&self, request: &ListUploads) -> Result<UploadPage> {
        self.call("ListMultipartUploads", || self.do_list_uploads(request))
    }

    pub(crate) fn do_list_uploads(&self, request: &ListUploads) -> Result<UploadPage> {
        drop(self.bucket.settings()?);
        let fold = Fold::new(request.prefix.as_deref(), request.delimiter.as_deref());
        let after = request.key_marker.as_deref().filter(|key| !key.is_empty());
        let head = keys::uploads("");
        let mut start = walk::start(fold, after, &head, keys::behind_uploads);
        let marker = match (after, request.upload_id_marker.as_deref().filter(|id| !id.is_empty())) {
            (Some(key), Some(text)) => {
                let wrong = || Error::argument("upload-id-marker", text, "Invalid uploadId marker");
                Some((key, UploadId::parse_marker(text, key).ok_or_else(wrong)?))
            }
            _ => None,
        };
        if let Some((key, UploadId(id))) = marker
            && fold.common(key).is_none()
            && key.starts_with(fold.prefix)
        {
            start = keys::upload(key, id.seq);
            start.push(0);
        }
        let snapshot = self.store.snapshot();
        let walk = Walk::new(&snapshot, &self.bucket.uploads, start, keys::uploads(fold.prefix));
        let max = page_len(request.max_uploads);
        if max == 0 { Ok(UploadPage::default()) } else { collect(walk, fold, max) }
    }
}

fn collect(mut walk: Walk<'_>, fold: Fold<'_>, max: usize) -> Result<UploadPage> {
    let mut page = UploadPage::default();
    let mut last_is_prefix = false;
    while walk.advance()? {
        let Some((escaped, seq)) = keys::split_upload(walk.key()) else { continue };
        if page.uploads.len() + page.common_prefixes.len() == max {
            page.is_truncated = true;
            if last_is_prefix {
                page.next_key_marker = page.common_prefixes.last().cloned();
            } else if let Some(last) = page.uploads.last() {
                page.next_key_marker = Some(last.key.clone());
                page.next_upload_id_marker = Some(last.upload_id);
            }
            break;
        }
        let key = keys::unescape(escaped);
        if let Some(common) = fold.common(&key) {
            walk.pass(|passed| {
                passed.extend_from_slice(&keys::uploads(common));
            });
            page.common_prefixes.push(common.to_owned());
            last_is_prefix = true;
            continue;
        }
        let upload = UploadRecord::decode(&walk.value()?)?;
        page.uploads.push(UploadEntry {
            key,
            upload_id: UploadId(Id { seq, nonce: upload.nonce }),
            initiated: upload.initiated,
            storage_class: upload.class,
            checksum: (upload.algorithm, upload.kind),
            chose_checksum: upload.is_chosen,
        });
        last_is_prefix = false;
    }
    Ok(page)
}
