//! Aborting an upload.

use crate::objects::error::Result;
use crate::objects::extents::References;
use crate::objects::id::{Id, UploadId};
use crate::objects::multipart::{PartRecord, UploadRecord};
use crate::objects::staged::Pending;
use crate::objects::{Bucket, Error, keys};

impl Bucket {
    /// Aborts an upload: its parts are gone.
    ///
    /// # Errors
    /// `NoSuchUpload`, `NoSuchBucket`.
    ///
    /// ```
    /// use fourfold::{Store, objects::CreateUpload};
    /// # fn main() -> fourfold::objects::Result<()> {
    /// let bucket = Store::in_memory().buckets().create("films")?;
    /// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
    /// bucket.abort_upload("a", &id.to_string())?;
    /// assert_eq!(bucket.abort_upload("a", &id.to_string()).unwrap_err().code(), "NoSuchUpload");
    /// # Ok(()) }
    /// ```
    pub fn abort_upload(&self, key: &str, upload_id: &str) -> Result<()> {
        self.call("AbortMultipartUpload", || Ok(self.stage_abort(key, upload_id)?.wait()?))
    }

    /// [`abort_upload`](Self::abort_upload) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn abort_upload_async(&self, key: &str, upload_id: &str) -> Result<()> {
        self.call_async("AbortMultipartUpload", async { Ok(self.stage_abort(key, upload_id)?.done().await?) })
            .await
    }

    pub(crate) fn stage_abort(&self, key: &str, upload_id: &str) -> Result<Pending<()>> {
        let _settings = self.bucket.settings()?;
        let _key = self.state.lock(&self.bucket, key);
        let (id, _) = self.upload(key, upload_id)?;
        let (mut batch, mut references) = (self.store.batch(), References::default());
        let uploads = self.bucket.uploads.id();
        batch.delete_in(uploads, &keys::upload(key, id.seq))?;
        let mut parts = self.bucket.uploads.prefix(&self.store, &keys::parts_of(id.nonce));
        while parts.advance()? {
            references.drop(&PartRecord::decode(&parts.value()?)?.pieces);
            batch.delete_in(uploads, parts.key())?;
        }
        self.commit(batch, &references)
    }
}

/// Aborts all uploads of a bucket that is to be deleted.
pub(crate) fn drop_parts(bucket: &Bucket) -> Result<()> {
    for upload in bucket.bucket.uploads.prefix(&bucket.store, &keys::uploads("")) {
        let (key, record) = upload?;
        let Some((escaped, seq)) = keys::split_upload(&key) else { continue };
        let id = UploadId(Id { seq, nonce: UploadRecord::decode(&record)?.nonce });
        match bucket.stage_abort(&keys::unescape(escaped), &id.to_string()) {
            Ok(pending) => pending.forget(),
            // Somebody was faster.
            Err(Error::NoSuchUpload { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
