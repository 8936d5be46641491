//! Settings for those who test code that uses buckets.

use crate::objects::limits::PART_LEN_MIN;
use crate::objects::{Buckets, Day};
use std::sync::atomic::Ordering;

/// What a test may turn: [`Buckets::set_dials`]. By default everything is as the service has it.
///
/// ```
/// use fourfold::{Store, objects::{CompleteUpload, CreateUpload, Dials, UploadPart}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let buckets = Store::in_memory().buckets();
/// let mut dials = Dials::default();
/// dials.part_len_min = 1; // uploads in parts, without megabytes
/// buckets.set_dials(dials);
/// let bucket = buckets.create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// let one = bucket.upload_part(UploadPart::new("a", id, 1), "hello ")?;
/// let two = bucket.upload_part(UploadPart::new("a", id, 2), "world")?;
/// bucket.complete_upload(&CompleteUpload::new("a", id).part(1, one.etag).part(2, two.etag))?;
/// assert_eq!(bucket.get("a")?.body.bytes()?, "hello world");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dials {
    /// Bytes of the shortest part of a completed upload, but for the last. Default: 5 MiB.
    pub part_len_min: u64,
    /// How long a day of lifecycle rules is. Default: 24 hours.
    pub day: Day,
    /// Buckets refuse with [`SlowDown`](crate::objects::Error::SlowDown) what goes over the rates of one partition of the
    /// service: [reads](crate::objects::limits::READS_PER_SECOND) and
    /// [writes](crate::objects::limits::WRITES_PER_SECOND) of a second. Default: no limits.
    pub throttle: bool,
}

impl Default for Dials {
    fn default() -> Self {
        Self { part_len_min: PART_LEN_MIN, day: Day::default(), throttle: false }
    }
}

impl Buckets {
    /// Turns the dials, for all buckets of this store, until it is closed.
    pub fn set_dials(&self, dials: Dials) {
        self.state.is_throttled.store(dials.throttle, Ordering::Relaxed);
        *self.state.dials.write() = dials;
        self.state.sweeper.begin(&self.store);
    }
}
