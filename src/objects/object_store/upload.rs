//! An upload in parts, as writers of the `object_store` crate use it.

use crate::objects::object_store::convert;
use crate::objects::object_store::multipart::{abort, begin, complete, put_part};
use crate::objects::{Bucket, PartOutput};
use ::object_store::path::Path;
use ::object_store::{MultipartUpload, PutMultipartOptions, PutPayload, PutResult, Result, UploadPart};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::sync::Arc;

/// Parts are numbered as they are handed over, and come in whatever order they are polled.
#[derive(Debug)]
pub(super) struct Upload {
    bucket: Bucket,
    location: Path,
    id: String,
    /// Parts that were handed over.
    count: u32,
    /// Parts that are there.
    done: Arc<Mutex<Vec<(u32, String)>>>,
}

impl Upload {
    pub(super) async fn begin(
        bucket: &Bucket,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Self> {
        let id = begin(bucket, location, options).await?;
        Ok(Self { bucket: bucket.clone(), location: location.clone(), id, count: 0, done: Arc::default() })
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.count += 1;
        let (bucket, location, id, number) =
            (self.bucket.clone(), self.location.clone(), self.id.clone(), self.count);
        let done = Arc::clone(&self.done);
        Box::pin(async move {
            let PartOutput { etag, .. } = put_part(&bucket, &location, &id, number, data).await?;
            done.lock().push((number, etag.to_string()));
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let mut parts = std::mem::take(&mut *self.done.lock());
        if parts.len() != self.count as usize {
            return Err(convert::generic(format!("{} of {} parts are there", parts.len(), self.count)));
        }
        parts.sort_unstable();
        complete(&self.bucket, &self.location, &self.id, parts).await
    }

    async fn abort(&mut self) -> Result<()> {
        abort(&self.bucket, &self.location, &self.id).await
    }
}
