//! What a bucket holds, counted.

use crate::objects::{Bucket, ListUploads, ListVersions, Result};

/// A look at a [`Bucket`]: what it holds, counted by a walk over its listing.
///
/// ```
/// use fourfold::{Store, objects::Versioning};
/// let bucket = Store::in_memory().buckets().create("notes")?;
/// bucket.set_versioning(Versioning::Enabled)?;
/// bucket.put("may", "plant")?;
/// bucket.put("may", "plant more")?;
/// bucket.put("june", "water")?;
/// bucket.delete("june")?;
/// let stats = bucket.stats()?;
/// assert_eq!((stats.objects, stats.versions, stats.delete_markers, stats.bytes), (1, 3, 1, 20));
/// # Ok::<(), fourfold::objects::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketStats {
    /// Keys whose newest version is no delete marker: what a listing shows.
    pub objects: u64,
    /// Versions of objects, the newest included.
    pub versions: u64,
    /// Delete markers.
    pub delete_markers: u64,
    /// Bytes of all versions.
    pub bytes: u64,
    /// Uploads in parts that are neither completed nor aborted.
    pub uploads: u64,
}

impl Bucket {
    /// What the bucket holds now. The walk is as long as the bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn stats(&self) -> Result<BucketStats> {
        let mut stats = BucketStats::default();
        let mut request = ListVersions::default();
        loop {
            let page = self.do_list_versions(&request)?;
            for version in &page.versions {
                match &version.object {
                    Some(object) => {
                        stats.objects += u64::from(version.is_latest);
                        stats.versions += 1;
                        stats.bytes += object.size;
                    }
                    None => stats.delete_markers += 1,
                }
            }
            if !page.is_truncated {
                break;
            }
            request.version_id_marker = page.next_version_id_marker.map(|id| id.to_string());
            request.key_marker = page.next_key_marker;
        }
        let mut request = ListUploads::default();
        loop {
            let page = self.do_list_uploads(&request)?;
            stats.uploads += page.uploads.len() as u64;
            if !page.is_truncated {
                return Ok(stats);
            }
            request.upload_id_marker = page.next_upload_id_marker.map(|id| id.to_string());
            request.key_marker = page.next_key_marker;
        }
    }
}
