//! Buckets of objects, as S3 keeps them.
//!
//! A [`Bucket`] maps keys to objects: bytes, from none to more than memory holds, with headers, user metadata, tags and
//! checksums. It can keep every version of an object. Keys are listed in order of their bytes, a page at a time, folded at a
//! delimiter if wanted. Big objects are uploaded in parts, in parallel.
//!
//! ```
//! use fourfold::{Store, objects::ListObjects};
//!
//! # fn main() -> fourfold::objects::Result<()> {
//! let bucket = Store::in_memory().buckets().create("photos")?; // or Store::open(path)?
//! bucket.put("2026/summer/lake.jpg", vec![0xff; 100_000])?;
//! bucket.put("2026/summer/hill.jpg", "...")?;
//! bucket.put("readme", "what lies here")?;
//!
//! let page = bucket.list(&ListObjects::new().delimiter("/"))?;
//! assert_eq!(page.common_prefixes, ["2026/"]);
//! assert_eq!(page.objects[0].key, "readme");
//!
//! let object = bucket.get("readme")?;
//! assert_eq!(object.info.etag.to_string(), "\"bd8c96098c8bfcbd618bec472e06d14e\"");
//! assert_eq!(object.body.bytes()?, "what lies here");
//! # Ok(()) }
//! ```
//!
//! # How it is kept
//!
//! O1. What a verb changes is one batch: an object is there whole or not at all, before and after a crash. A writer that
//!     is dropped, or fails, leaves nothing.
//! O2. A short body lies in the object's record. A longer one lies in an *extent*, in chunks in the blob log, which are
//!     durable before the record that names them. Copies share the extent; it goes with its last owner.
//! O3. A verb decides under the lock of its key, commits, and waits for the disk without it. Readers take no lock: what
//!     they read is the state of one moment.
//! O4. Listing seeks: what is folded into a common prefix, and old versions, are jumped over and not walked.
//!
//! # What is S3's and what is not here
//!
//! Names of operations are shorter here ([`Bucket::put_object`] is `PutObject`, [`Bucket::list`] `ListObjectsV2`). Every refusal is
//! an [`Error`] with the service's code, message and details. Not here: who may do what. Policies, ACLs, CORS, encryption and the
//! like are [settings](Setting) that are kept and returned, and nothing acts on them. Storage classes are labels.

mod attributes;
mod audit;
mod body;
mod bucket_record;
mod buckets;
pub(crate) mod checksum;
mod condition;
mod copy;
mod delete;
mod dials;
mod error;
mod etag;
mod extents;
pub(crate) mod fields;
#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
pub(crate) mod fuzz;
mod get;
mod id;
mod keep;
mod keys;
pub(crate) mod lifecycle;
pub mod limits;
mod list;
mod md5;
mod metadata;
mod multipart;
mod names;
pub(crate) mod notify;
#[cfg(feature = "object_store")]
pub mod object_store;
pub(crate) mod participant;
mod put;
mod range;
mod record;
mod settings;
mod sink;
pub(crate) mod staged;
mod state;
mod stats;
mod tagging;
mod throttle;
mod trail;
mod versions;

pub use attributes::{Attributes, GetAttributes, ObjectPart, ObjectParts, PartsPage};
pub use audit::Audit;
pub use body::Body;
pub use buckets::{BucketInfo, BucketPage, Buckets, CreateBucket, ListBuckets};
pub use checksum::{
    Checksum, ChecksumAlgorithm, ChecksumError, ChecksumHasher, ChecksumOfParts, ChecksumType, ContentMd5,
};
pub use condition::Conditions;
pub use copy::{CopyObject, CopyOutput, CopySource, PartCopyOutput, UploadPartCopy};
pub use delete::{DeleteObject, DeleteOutput};
pub use dials::Dials;
pub use error::{Error, Result};
pub use etag::ETag;
pub use get::{GetObject, GetOutput, HeadOutput, ObjectInfo};
pub use id::{UploadId, VersionId};
pub(crate) use keep::InBuckets;
pub use lifecycle::{
    Action as LifecycleAction, Day, Expiration, LifecycleAnd, LifecycleConfiguration, LifecycleError,
    LifecycleFilter, LifecycleRule, LifecycleStatus, LifecycleTag, NoncurrentExpiration,
    NoncurrentTransition, ObjectExpiration, Transition, TransitionClass, TransitionMinimum,
};
pub use list::{
    ListObjects, ListObjectsV1, ListUploads, ListVersions, ObjectEntry, ObjectPage, ObjectPageV1,
    UploadEntry, UploadPage, VersionEntry, VersionInfo, VersionPage,
};
pub use metadata::{DEFAULT_CONTENT_TYPE, Metadata, StorageClass, Tags};
pub use multipart::{
    CompleteOutput, CompleteUpload, CompletedPart, CreateUpload, CreateUploadOutput, ListParts, PartEntry,
    PartOutput, PartPage, PartWriter, UploadPart,
};
pub use notify::{EventType, KeyFilter, NotificationConfiguration, NotificationError, NotificationRule};
pub use put::{ObjectWriter, PutObject, PutOutput};
pub use range::ContentRange;
pub use settings::{Setting, Versioning};
pub use stats::BucketStats;
pub use tagging::Tagging;
pub use trail::{NextAction, ObjectTrail, Trail, UploadTrail, VersionTrail};

use crate::objects::extents::References;
use crate::objects::notify::Calls;
use crate::objects::staged::Pending;
use crate::objects::state::{BucketState, Settings, State};
use crate::objects::versions::{Versions, View};
use crate::store::{Batch, Store};
use std::sync::Arc;

/// A bucket. Handles are cheap to clone; they are of this bucket and not of a later one of the same name.
///
/// ```
/// use fourfold::objects::ListObjects;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.put("2026/lake", "hello")?;
/// assert_eq!(bucket.get("2026/lake")?.body.bytes()?, "hello");
/// assert_eq!(bucket.list(&ListObjects::new().prefix("2026/"))?.objects.len(), 1);
/// bucket.delete("2026/lake")?;
/// assert_eq!(bucket.get("2026/lake").unwrap_err().code(), "NoSuchKey");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "its state in memory is that of a bucket")]
pub struct Bucket {
    store: Store,
    state: Arc<State>,
    bucket: Arc<BucketState>,
}

impl Bucket {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.bucket.name
    }

    /// The versions of a key, now.
    fn versions<'a>(&'a self, settings: &Settings, key: &'a str) -> Versions<'a> {
        let versioning = settings.record.versioning;
        Versions { view: View::Now(&self.store), bucket: &self.bucket, key, versioning }
    }

    /// Commits what a verb decided, with the references that it makes and drops.
    fn commit(&self, mut batch: Batch, references: &References) -> Result<Pending<()>> {
        let counted = self.state.extents.count(&self.store, references, &mut batch)?;
        let pending = self.store.commit(batch)?;
        if counted.is_left_to_sweep {
            self.state.extents.freed(&self.store);
        }
        Ok(Pending::new(pending, Calls::default()))
    }
}

impl Settings {
    /// The id of a version as it is shown: a bucket that was never versioned shows none.
    fn shown(&self, id: VersionId) -> Option<VersionId> {
        (self.record.versioning != Versioning::Off).then_some(id)
    }
}
