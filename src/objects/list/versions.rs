//! Listing versions.

use crate::clock::Timestamp;
use crate::objects::error::{Error, Result};
use crate::objects::keys;
use crate::objects::list::walk::{self, Walk};
use crate::objects::list::{Fold, page_len};
use crate::objects::record::Head;
use crate::objects::versions::{Versions, View};
use crate::objects::{Bucket, ChecksumAlgorithm, ChecksumType, ETag, StorageClass, VersionId};

/// Which versions to list: all of the keys that are wanted, by key, then the newest first.
///
/// ```
/// use fourfold::{Store, objects::{ListVersions, Versioning}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("papers")?;
/// bucket.put("a", "first")?;
/// bucket.set_versioning(Versioning::Enabled)?;
/// bucket.delete("a")?;
/// let versions = bucket.list_versions(&ListVersions::default())?.versions;
/// assert!(versions[0].is_latest && versions[0].object.is_none(), "a delete marker");
/// assert_eq!(versions[1].version_id.to_string(), "null");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListVersions {
    /// Only keys that start so.
    pub prefix: Option<String>,
    /// Keys that have it behind the prefix are folded into one common prefix, through it. Empty is none.
    pub delimiter: Option<String>,
    /// Only keys and common prefixes greater than this, or versions of it behind `version_id_marker`.
    pub key_marker: Option<String>,
    /// Of `key_marker`, only versions older than this.
    pub version_id_marker: Option<String>,
    /// Versions and common prefixes of a page, at most and by default 1,000.
    pub max_keys: Option<u32>,
}

/// A version in a list.
///
/// ```
/// use fourfold::objects::{ListVersions, Versioning};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.set_versioning(Versioning::Enabled)?;
/// bucket.put("a", "old")?;
/// let newest = bucket.put("a", "new")?.version_id;
/// let versions = bucket.list_versions(&ListVersions::default())?.versions;
/// assert_eq!((Some(versions[0].version_id), versions[0].is_latest), (newest, true));
/// assert!(!versions[1].is_latest);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionEntry {
    /// The key.
    pub key: String,
    /// The version; [`NULL`](VersionId::NULL) for what was written without versioning.
    pub version_id: VersionId,
    /// Is it the newest of its key?
    pub is_latest: bool,
    /// When it was written.
    pub last_modified: Timestamp,
    /// What it is; none for a delete marker.
    pub object: Option<VersionInfo>,
}

/// What a list shows of a version that is an object.
///
/// ```
/// use fourfold::objects::ListVersions;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.put("a", "hello")?;
/// let version = bucket.list_versions(&ListVersions::default())?.versions.remove(0);
/// assert_eq!(version.object.expect("no delete marker").size, 5);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionInfo {
    /// Bytes.
    pub size: u64,
    /// The entity tag.
    pub etag: ETag,
    /// The storage class.
    pub storage_class: StorageClass,
    /// Which checksum it has, and over what.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
}

/// A page of versions.
///
/// ```
/// use fourfold::objects::ListVersions;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// for key in ["a", "b"] {
///     bucket.put(key, "hello")?;
/// }
/// let mut request = ListVersions { max_keys: Some(1), ..ListVersions::default() };
/// let page = bucket.list_versions(&request)?;
/// request.key_marker = page.next_key_marker;
/// request.version_id_marker = page.next_version_id_marker.map(|id| id.to_string());
/// assert_eq!(bucket.list_versions(&request)?.versions[0].key, "b");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionPage {
    /// Versions and delete markers, in order.
    pub versions: Vec<VersionEntry>,
    /// The common prefixes, in order.
    pub common_prefixes: Vec<String>,
    /// Is there more?
    pub is_truncated: bool,
    /// Where the next page begins, if there is more.
    pub next_key_marker: Option<String>,
    /// The same within the key; none behind a common prefix.
    pub next_version_id_marker: Option<VersionId>,
}

impl Bucket {
    /// A page of the versions and delete markers.
    ///
    /// # Errors
    /// `InvalidArgument` for a version marker without a key marker, or one that no version can have; `NoSuchBucket`.
    pub fn list_versions(&self, request: &ListVersions) -> Result<VersionPage> {
        self.call("ListObjectVersions", || self.do_list_versions(request))
    }

    pub(crate) fn do_list_versions(&self, request: &ListVersions) -> Result<VersionPage> {
        let settings = self.bucket.settings()?;
        let versioning = settings.record.versioning;
        drop(settings);
        let fold = Fold::new(request.prefix.as_deref(), request.delimiter.as_deref());
        let after = request.key_marker.as_deref().filter(|key| !key.is_empty());
        let behind = version_marker(request, after)?;
        let max = page_len(request.max_keys);
        let snapshot = self.store.snapshot();
        let mut start = walk::start(fold, after, &[], keys::behind_versions);
        // The newest version of the key in the middle of which the page begins.
        let mut resumed = None;
        if let (Some(key), Some(id)) = (after, behind)
            && fold.common(key).is_none()
            && key.starts_with(fold.prefix)
        {
            let versions = Versions { view: View::Then(&snapshot), bucket: &self.bucket, key, versioning };
            let place = id.0.map_or_else(|| versions.null_place(), |id| Ok(id.seq))?;
            start = keys::version(key, place);
            start.push(0);
            resumed = Some((key, versions.newest()?.map_or(0, |newest| newest.place)));
        }
        let mut all = Vec::new();
        keys::escape(fold.prefix.as_bytes(), &mut all);
        let walk = Walk::new(&snapshot, &self.bucket.versions, start, all);
        if max == 0 { Ok(VersionPage::default()) } else { collect(walk, fold, resumed, max) }
    }
}

/// Where within the key of the marker the page begins.
fn version_marker(request: &ListVersions, after: Option<&str>) -> Result<Option<VersionId>> {
    let name = "version-id-marker";
    match (request.version_id_marker.as_deref(), after) {
        (None, _) => Ok(None),
        (Some(text), None) => {
            let rule = "A version-id marker cannot be specified without a key marker.";
            Err(Error::argument(name, text, rule))
        }
        (Some(""), Some(_)) => Err(Error::argument(name, "", "A version-id marker cannot be empty.")),
        (Some(text), Some(_)) => match text.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(Error::argument(name, text, "Invalid version id specified")),
        },
    }
}

fn collect(
    mut walk: Walk<'_>,
    fold: Fold<'_>,
    resumed: Option<(&str, u64)>,
    max: usize,
) -> Result<VersionPage> {
    let mut page = VersionPage::default();
    let mut last_is_prefix = false;
    while walk.advance()? {
        let Some((escaped, place)) = keys::split_version(walk.key()) else { continue };
        if page.versions.len() + page.common_prefixes.len() == max {
            page.is_truncated = true;
            if last_is_prefix {
                page.next_key_marker = page.common_prefixes.last().cloned();
            } else if let Some(last) = page.versions.last() {
                page.next_key_marker = Some(last.key.clone());
                page.next_version_id_marker = Some(last.version_id);
            }
            break;
        }
        let key = keys::unescape(escaped);
        if let Some(common) = fold.common(&key) {
            walk.pass(|passed| keys::escape(common.as_bytes(), passed));
            page.common_prefixes.push(common.to_owned());
            last_is_prefix = true;
            continue;
        }
        let head = walk.with_value(|record| Head::decode(place, record))?;
        let is_latest = match (page.versions.last(), resumed) {
            (Some(last), _) if last.key == key => false,
            (_, Some((resumed, newest))) if resumed == key => newest == place,
            _ => true,
        };
        let object = head.object.map(|object| VersionInfo {
            size: object.len,
            etag: object.etag,
            storage_class: object.class,
            checksum: object.checksum.map(|checksum| (checksum.algorithm(), checksum.kind())),
        });
        let (version_id, last_modified) = (head.id(), head.modified);
        page.versions.push(VersionEntry { key, version_id, is_latest, last_modified, object });
        last_is_prefix = false;
    }
    Ok(page)
}
