//! Beginning an upload.

use crate::objects::error::Result;
use crate::objects::extents::References;
use crate::objects::id::UploadId;
use crate::objects::limits::OBJECT_TAGS_MAX;
use crate::objects::multipart::UploadRecord;
use crate::objects::put::check_key;
use crate::objects::staged::Pending;
use crate::objects::{Bucket, ChecksumAlgorithm, ChecksumType, Metadata, StorageClass, Tags, keys};

/// What is said of an object that comes in parts: fixed when its upload begins.
///
/// ```
/// use fourfold::{Store, objects::{ChecksumAlgorithm, ChecksumType, CreateUpload}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("films")?;
/// let mut request = CreateUpload::new("a");
/// request.metadata.content_type = Some("video/mp4".to_owned());
/// request.checksum_algorithm = Some(ChecksumAlgorithm::Sha256);
/// let upload = bucket.create_upload(request)?;
/// assert_eq!(upload.checksum, (ChecksumAlgorithm::Sha256, ChecksumType::Composite));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateUpload {
    /// The key of the object.
    pub key: String,
    /// Headers and user metadata.
    pub metadata: Metadata,
    /// Tags, at most 10.
    pub tags: Tags,
    /// The storage class, a label.
    pub storage_class: StorageClass,
    /// Which checksum the object gets. Default: CRC64NVME.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
    /// Over what. Default: what the algorithm usually has.
    pub checksum_type: Option<ChecksumType>,
    /// The object keeps no checksum if no algorithm is named, as the service does with keys that only the caller has.
    pub without_default_checksum: bool,
}

impl CreateUpload {
    /// An object with this key.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }
}

/// An upload that was begun.
///
/// ```
/// use fourfold::objects::{ChecksumAlgorithm, CreateUpload};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let upload = bucket.create_upload(CreateUpload::new("a"))?;
/// assert_eq!(upload.checksum.0, ChecksumAlgorithm::Crc64Nvme);
/// bucket.abort_upload("a", &upload.upload_id.to_string())?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateUploadOutput {
    /// What its parts name it by.
    pub upload_id: UploadId,
    /// Which checksum the object will have, and over what.
    pub checksum: (ChecksumAlgorithm, ChecksumType),
}

impl Bucket {
    /// Begins an upload. The object is there once it is completed, and nothing of it before.
    ///
    /// # Errors
    /// `KeyTooLongError`, `InvalidArgument` for an empty key, `MetadataTooLarge`, `InvalidTag`, `BadRequest` (too many tags), `InvalidRequest` for checksums
    /// that cannot be, `NoSuchBucket`.
    pub fn create_upload(&self, request: CreateUpload) -> Result<CreateUploadOutput> {
        self.call("CreateMultipartUpload", || Ok(self.stage_create_upload(request)?.wait()?))
    }

    /// [`create_upload`](Self::create_upload) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn create_upload_async(&self, request: CreateUpload) -> Result<CreateUploadOutput> {
        self.call_async("CreateMultipartUpload", async {
            Ok(self.stage_create_upload(request)?.done().await?)
        })
        .await
    }

    fn stage_create_upload(&self, request: CreateUpload) -> Result<Pending<CreateUploadOutput>> {
        let key = &request.key;
        check_key(key)?;
        request.metadata.check()?;
        request.tags.check(OBJECT_TAGS_MAX)?;
        let is_chosen = request.checksum_algorithm.is_some();
        let (algorithm, kind) =
            ChecksumAlgorithm::of_upload(request.checksum_algorithm, request.checksum_type)?;
        let settings = self.bucket.settings()?;
        let _key = self.state.lock(&self.bucket, key);
        let mut others = self.bucket.uploads.prefix(&self.store, &keys::uploads_of(key));
        let last = others.next_back().transpose()?;
        let last = last.and_then(|(key, _)| keys::split_upload(&key).map(|(_, seq)| seq));
        let newest = self.versions(&settings, key).newest()?;
        let initiated = self.store.now();
        let seq = (initiated.as_millis() << 16).max(last.map_or(0, |last| last + 1));
        let UploadId(id) = UploadId::of_key(key, seq, self.store.random().next_u128());
        let record = UploadRecord {
            nonce: id.nonce,
            initiated,
            class: request.storage_class,
            algorithm,
            kind,
            is_chosen,
            keeps_none: !is_chosen && request.without_default_checksum,
            had_object: newest.is_some_and(|newest| newest.object.is_some()),
            metadata: request.metadata,
            tags: request.tags,
        };
        let mut batch = self.store.batch();
        batch.put_in(self.bucket.uploads.id(), &keys::upload(key, seq), &record.encode())?;
        let output = CreateUploadOutput { upload_id: UploadId(id), checksum: (algorithm, kind) };
        Ok(self.commit(batch, &References::default())?.map(|()| output))
    }
}
