//! Uploads in parts, by the names that the `object_store` crate has for their steps.

use crate::objects::object_store::{BucketStore, convert};
use crate::objects::{Bucket, CompleteUpload, CreateUpload, PartOutput, UploadPart};
use ::object_store::multipart::{MultipartStore, PartId};
use ::object_store::path::Path;
use ::object_store::{MultipartId, PutMultipartOptions, PutPayload, PutResult, Result};
use async_trait::async_trait;

pub(super) async fn begin(bucket: &Bucket, location: &Path, options: PutMultipartOptions) -> Result<String> {
    let mut request = CreateUpload::new(location.as_ref());
    (request.metadata, request.storage_class) = convert::metadata(&options.attributes)?;
    request.tags = convert::tags(&options.tags);
    let begun = bucket.create_upload_async(request).await;
    begun.map(|upload| upload.upload_id.to_string()).map_err(|error| convert::error(location, error))
}

pub(super) async fn put_part(
    bucket: &Bucket,
    location: &Path,
    id: &str,
    number: u32,
    data: PutPayload,
) -> Result<PartOutput> {
    let wrong = |error| convert::error(location, error);
    let request = UploadPart::new(location.as_ref(), id, number);
    let mut writer = bucket.part_writer(request).map_err(wrong)?;
    for bytes in data {
        writer.write(bytes).map_err(wrong)?;
    }
    writer.finish_async().await.map_err(wrong)
}

/// Of parts in order, by number and entity tag.
pub(super) async fn complete(
    bucket: &Bucket,
    location: &Path,
    id: &str,
    parts: impl IntoIterator<Item = (u32, String)>,
) -> Result<PutResult> {
    let request = CompleteUpload::new(location.as_ref(), id);
    let mut request = parts.into_iter().fold(request, |request, (number, etag)| request.part(number, etag));
    if request.parts.is_empty() {
        // The service knows no upload without parts; an object without bytes has an empty one.
        let empty = put_part(bucket, location, id, 1, PutPayload::default()).await?;
        request = request.part(1, empty.etag);
    }
    let completed = bucket.complete_upload_async(&request).await;
    let completed = completed.map_err(|error| convert::error(location, error))?;
    Ok(convert::put_result(completed.etag, completed.version_id))
}

pub(super) async fn abort(bucket: &Bucket, location: &Path, id: &str) -> Result<()> {
    bucket.abort_upload_async(location.as_ref(), id).await.map_err(|error| convert::error(location, error))
}

#[async_trait]
impl MultipartStore for BucketStore {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        begin(&self.bucket, path, PutMultipartOptions::default()).await
    }

    async fn create_multipart_opts(&self, path: &Path, opts: PutMultipartOptions) -> Result<MultipartId> {
        begin(&self.bucket, path, opts).await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let number = u32::try_from(part_idx + 1).unwrap_or(u32::MAX);
        let part = put_part(&self.bucket, path, id, number, data).await?;
        Ok(PartId { content_id: part.etag.to_string() })
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        complete(&self.bucket, path, id, (1..).zip(parts.into_iter().map(|part| part.content_id))).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        abort(&self.bucket, path, id).await
    }
}
