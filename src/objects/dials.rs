//! Settings for those who test code that uses buckets.

use crate::objects::limits::PART_LEN_MIN;
use crate::objects::{Buckets, Day};

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
}

impl Default for Dials {
    fn default() -> Self {
        Self { part_len_min: PART_LEN_MIN, day: Day::default() }
    }
}

impl Buckets {
    /// Turns the dials, for all buckets of this store, until it is closed.
    pub fn set_dials(&self, dials: Dials) {
        *self.state.dials.write() = dials;
        self.state.sweeper.begin(&self.store);
    }
}
