//! Listing: objects, versions, uploads, in order of the bytes of their keys.
//!
//! I1. An item of a page is a key or a common prefix, and comes once: what is behind a marker is what is greater than it,
//!     so a marker within a common prefix passes all of that.
//! I2. A page costs what it returns: versions of one key and keys of one common prefix are passed by a seek when they are
//!     more than a few.
//! I3. A page is of one moment. Between pages keys may come and go: what was there all the time is listed once.

mod objects;
mod uploads;
mod versions;
mod walk;

pub use objects::{ListObjects, ListObjectsV1, ObjectEntry, ObjectPage, ObjectPageV1};
pub use uploads::{ListUploads, UploadEntry, UploadPage};
pub use versions::{ListVersions, VersionEntry, VersionInfo, VersionPage};

use crate::objects::limits::PAGE_MAX;

/// Which keys are wanted, and what is folded.
#[derive(Clone, Copy, Debug)]
struct Fold<'a> {
    prefix: &'a str,
    /// Not empty.
    delimiter: Option<&'a str>,
}

impl<'a> Fold<'a> {
    fn new(prefix: Option<&'a str>, delimiter: Option<&'a str>) -> Self {
        Self { prefix: prefix.unwrap_or_default(), delimiter: delimiter.filter(|text| !text.is_empty()) }
    }

    /// The common prefix that a key is folded into: through the first delimiter behind the prefix.
    fn common<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter?;
        let at = key.strip_prefix(self.prefix)?.find(delimiter)?;
        key.get(..self.prefix.len() + at + delimiter.len())
    }
}

/// Entries of a page.
fn page_len(given: Option<u32>) -> usize {
    given.unwrap_or(PAGE_MAX).min(PAGE_MAX) as usize
}
