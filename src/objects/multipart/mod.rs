//! Objects that are uploaded in parts.
//!
//! P1. An upload is a record, a part is a record with an extent of its own. Parts come in any order and at once; only the
//!     record of a part is written under the lock of the key.
//! P2. A part that comes again replaces the one before, which gives its extent back.
//! P3. Completing writes one record that refers to the extents of the parts in the order they were named, and removes those
//!     of the upload: in one batch, and without a byte of the data. Parts that were not named give theirs back.
//! P4. An object remembers which upload it came from, so that completing once more says the same again.

mod abort;
mod complete;
mod create;
mod part;
mod parts;
mod record;

pub(crate) use abort::drop_parts;
pub use complete::{CompleteOutput, CompleteUpload, CompletedPart};
pub use create::{CreateUpload, CreateUploadOutput};
pub(crate) use part::check_number;
pub use part::{PartOutput, PartWriter, UploadPart};
pub use parts::{ListParts, PartEntry, PartPage};
pub(crate) use record::{PartRecord, UploadRecord};

use crate::objects::error::{Error, Result};
use crate::objects::id::{Id, UploadId};
use crate::objects::{Bucket, keys};

impl Bucket {
    /// The upload that a text names, if it is one of this key.
    pub(crate) fn upload(&self, key: &str, upload_id: &str) -> Result<(Id, UploadRecord)> {
        let UploadId(id) = UploadId::parse(upload_id)?;
        let record = self.bucket.uploads.get(&self.store, &keys::upload(key, id.seq))?;
        let record = record.map(|record| UploadRecord::decode(&record)).transpose()?;
        match record.filter(|record| record.nonce == id.nonce) {
            Some(record) => Ok((id, record)),
            None => Err(Error::NoSuchUpload { upload_id: upload_id.to_owned() }),
        }
    }
}
