//! Listing objects: `ListObjectsV2`, and the first version of it.

use crate::clock::Timestamp;
use crate::objects::error::{Error, Result};
use crate::objects::keys;
use crate::objects::list::walk::{self, Walk};
use crate::objects::list::{Fold, page_len};
use crate::objects::record::Head;
use crate::objects::{Bucket, ChecksumAlgorithm, ChecksumType, ETag, StorageClass};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What stands before a key in a continuation token.
const TOKEN: u8 = 1;
/// The place of a version behind its key.
const PLACE_LEN: usize = size_of::<u64>();

/// Which objects to list. Keys come in the order of their bytes.
///
/// ```
/// use fourfold::{Store, objects::ListObjects};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("notes")?;
/// for key in ["a/1", "a/2", "b", "c/1"] {
///     bucket.put(key, "")?;
/// }
/// let mut request = ListObjects::new().delimiter("/").max_keys(2);
/// let page = bucket.list(&request)?;
/// assert_eq!((&page.common_prefixes[..], &*page.objects[0].key), (&["a/".to_owned()][..], "b"));
/// request.continuation_token = page.next_continuation_token;
/// let page = bucket.list(&request)?;
/// assert_eq!((&page.common_prefixes[..], page.is_truncated), (&["c/".to_owned()][..], false));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListObjects {
    /// Only keys that start so.
    pub prefix: Option<String>,
    /// Keys that have it behind the prefix are folded into one common prefix, through it. Empty is none.
    pub delimiter: Option<String>,
    /// Only keys and common prefixes greater than this; not looked at beside a token.
    pub start_after: Option<String>,
    /// Where the page before ended.
    pub continuation_token: Option<String>,
    /// Keys and common prefixes of a page, at most and by default 1,000.
    pub max_keys: Option<u32>,
}

impl ListObjects {
    /// All objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those whose keys start so.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Folded at this.
    #[must_use]
    pub fn delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.delimiter = Some(delimiter.into());
        self
    }

    /// Behind this.
    #[must_use]
    pub fn start_after(mut self, key: impl Into<String>) -> Self {
        self.start_after = Some(key.into());
        self
    }

    /// So many in a page.
    #[must_use]
    pub fn max_keys(mut self, count: u32) -> Self {
        self.max_keys = Some(count);
        self
    }
}

/// [`ListObjects`] as the first version of the operation has it: by marker.
///
/// ```
/// use fourfold::objects::ListObjectsV1;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// for key in ["a", "b"] {
///     bucket.put(key, "hello")?;
/// }
/// let request = ListObjectsV1 { marker: Some("a".into()), ..ListObjectsV1::default() };
/// assert_eq!(bucket.list_v1(&request)?.objects[0].key, "b");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListObjectsV1 {
    /// Only keys that start so.
    pub prefix: Option<String>,
    /// Keys that have it behind the prefix are folded into one common prefix, through it. Empty is none.
    pub delimiter: Option<String>,
    /// Only keys and common prefixes greater than this.
    pub marker: Option<String>,
    /// Keys and common prefixes of a page, at most and by default 1,000.
    pub max_keys: Option<u32>,
}

/// An object in a list.
///
/// ```
/// use fourfold::objects::ListObjects;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.put("a", "hello")?;
/// let entry = bucket.list(&ListObjects::new())?.objects.remove(0);
/// assert_eq!((&*entry.key, entry.size), ("a", 5));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectEntry {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// The entity tag.
    pub etag: ETag,
    /// When it was written.
    pub last_modified: Timestamp,
    /// The storage class.
    pub storage_class: StorageClass,
    /// Which checksum it has, and over what.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

/// A page of objects.
///
/// ```
/// use fourfold::objects::ListObjects;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.put("a", "hello")?;
/// bucket.put("b/c", "hello")?;
/// let page = bucket.list(&ListObjects::new().delimiter("/"))?;
/// assert_eq!((page.key_count(), page.is_truncated), (2, false));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectPage {
    /// The objects, in order.
    pub objects: Vec<ObjectEntry>,
    /// The common prefixes, in order.
    pub common_prefixes: Vec<String>,
    /// Is there more?
    pub is_truncated: bool,
    /// Where the next page begins, if there is more.
    pub next_continuation_token: Option<String>,
}

impl ObjectPage {
    /// `KeyCount`: objects and common prefixes.
    pub fn key_count(&self) -> usize {
        self.objects.len() + self.common_prefixes.len()
    }
}

/// A page of objects, in the first version.
///
/// ```
/// use fourfold::objects::ListObjectsV1;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// for key in ["a/b", "c"] {
///     bucket.put(key, "hello")?;
/// }
/// let mut request = ListObjectsV1::default();
/// (request.delimiter, request.max_keys) = (Some("/".into()), Some(1));
/// assert_eq!(bucket.list_v1(&request)?.next_marker.as_deref(), Some("a/"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectPageV1 {
    /// The objects, in order.
    pub objects: Vec<ObjectEntry>,
    /// The common prefixes, in order.
    pub common_prefixes: Vec<String>,
    /// Is there more?
    pub is_truncated: bool,
    /// Where the next page begins, if there is more and there was a delimiter. Without one it is the last key.
    pub next_marker: Option<String>,
}

/// What both versions find.
#[derive(Debug, Default)]
struct Found {
    objects: Vec<ObjectEntry>,
    common_prefixes: Vec<String>,
    /// The last item, if there is more behind it.
    next: Option<String>,
}

impl Bucket {
    /// A page of the current objects.
    ///
    /// # Errors
    /// `InvalidArgument` for a token that is none, `NoSuchBucket`.
    pub fn list(&self, request: &ListObjects) -> Result<ObjectPage> {
        self.call("ListObjectsV2", || self.do_list(request))
    }

    fn do_list(&self, request: &ListObjects) -> Result<ObjectPage> {
        let after = match &request.continuation_token {
            Some(token) => Some(decode_token(token)?),
            None => request.start_after.clone(),
        };
        let fold = Fold::new(request.prefix.as_deref(), request.delimiter.as_deref());
        let found = self.find_objects(fold, after.as_deref(), page_len(request.max_keys))?;
        Ok(ObjectPage {
            objects: found.objects,
            common_prefixes: found.common_prefixes,
            is_truncated: found.next.is_some(),
            next_continuation_token: found.next.map(|last| encode_token(&last)),
        })
    }

    /// A page of the current objects, by marker.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn list_v1(&self, request: &ListObjectsV1) -> Result<ObjectPageV1> {
        self.call("ListObjects", || self.do_list_v1(request))
    }

    fn do_list_v1(&self, request: &ListObjectsV1) -> Result<ObjectPageV1> {
        let fold = Fold::new(request.prefix.as_deref(), request.delimiter.as_deref());
        // An empty marker is none.
        let after = request.marker.as_deref().filter(|marker| !marker.is_empty());
        let found = self.find_objects(fold, after, page_len(request.max_keys))?;
        Ok(ObjectPageV1 {
            objects: found.objects,
            common_prefixes: found.common_prefixes,
            is_truncated: found.next.is_some(),
            next_marker: found.next.filter(|_| fold.delimiter.is_some()),
        })
    }

    fn find_objects(&self, fold: Fold<'_>, after: Option<&str>, max: usize) -> Result<Found> {
        drop(self.bucket.settings()?);
        let mut found = Found::default();
        if max == 0 {
            return Ok(found);
        }
        let snapshot = self.store.snapshot();
        let start = walk::start(fold, after, &[], keys::behind_versions);
        let mut all = Vec::new();
        keys::escape(fold.prefix.as_bytes(), &mut all);
        let mut walk = Walk::new(&snapshot, &self.bucket.versions, start, all);
        let mut last_is_prefix = false;
        while walk.advance()? {
            let Some((escaped, place)) = keys::split_version(walk.key()) else { continue };
            let head = walk.with_value(|record| Head::decode(place, record))?;
            let Some(object) = head.object else {
                walk.pass_key(PLACE_LEN);
                continue;
            };
            if found.objects.len() + found.common_prefixes.len() == max {
                let last = if last_is_prefix {
                    found.common_prefixes.last().cloned()
                } else {
                    found.objects.last().map(|object| object.key.clone())
                };
                found.next = last;
                break;
            }
            let key = keys::unescape(escaped);
            if let Some(common) = fold.common(&key) {
                walk.pass(|passed| keys::escape(common.as_bytes(), passed));
                found.common_prefixes.push(common.to_owned());
                last_is_prefix = true;
                continue;
            }
            if place != 0 {
                walk.pass_key(PLACE_LEN);
            }
            found.objects.push(ObjectEntry {
                key,
                size: object.len,
                etag: object.etag,
                last_modified: head.modified,
                storage_class: object.class,
                checksum: object.checksum.map(|checksum| (checksum.algorithm(), checksum.kind())),
            });
            last_is_prefix = false;
        }
        Ok(found)
    }
}

/// The token of the page behind an item.
fn encode_token(last: &str) -> String {
    let mut token = vec![TOKEN];
    token.extend_from_slice(last.as_bytes());
    URL_SAFE_NO_PAD.encode(token)
}

fn decode_token(token: &str) -> Result<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let key = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(&[TOKEN]));
    let key = key.and_then(|key| std::str::from_utf8(key).ok());
    let wrong =
        || Error::argument("continuation-token", token, "The continuation token provided is incorrect");
    key.map(str::to_owned).ok_or_else(wrong)
}
