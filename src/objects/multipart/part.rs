//! Uploading parts.

use crate::objects::checksum::{Checksum, ChecksumAlgorithm, ChecksumError, ContentMd5};
use crate::objects::error::{Error, Result};
use crate::objects::extents::References;
use crate::objects::limits::{PART_NUMBER_MAX, PUT_LEN_MAX};
use crate::objects::multipart::{PartRecord, UploadRecord};
use crate::objects::sink::{Expected, Sink};
use crate::objects::staged::Pending;
use crate::objects::{Bucket, ETag, keys};
use crate::store::Batch;
use bytes::Bytes;

/// Which part of which upload.
///
/// ```
/// use fourfold::{Store, objects::{CompleteUpload, CreateUpload, UploadPart}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// let mut parts = CompleteUpload::new("a", id);
/// for (number, len) in [(1, 5 << 20), (2, 100)] {
///     let part = bucket.upload_part(UploadPart::new("a", id, number), vec![0; len])?;
///     parts = parts.part(number, part.etag);
/// }
/// let object = bucket.complete_upload(&parts)?;
/// assert_eq!(object.etag.parts(), Some(2));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct UploadPart {
    /// The key of the object.
    pub key: String,
    /// The upload, as text.
    pub upload_id: String,
    /// 1 to 10,000. Parts are put together in this order; numbers may be left out.
    pub part_number: u32,
    /// What the MD5 of the data must be.
    pub content_md5: Option<ContentMd5>,
    /// What the checksum of the data must be.
    pub checksum: Option<Checksum>,
    /// The algorithm of a checksum that is known only behind the data. Default: the upload's.
    pub checksum_algorithm: Option<ChecksumAlgorithm>,
    /// How long the data must be. Default: whatever comes.
    pub content_length: Option<u64>,
    /// The entity tag of the part is chance and not the MD5 of its data, which costs half as much.
    pub opaque_etag: bool,
}

impl UploadPart {
    /// A part of an upload.
    pub fn new(key: impl Into<String>, upload_id: impl Into<String>, part_number: u32) -> Self {
        Self { key: key.into(), upload_id: upload_id.into(), part_number, ..Self::default() }
    }
}

/// A part that was uploaded.
///
/// ```
/// use fourfold::objects::{CreateUpload, UploadPart};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// let part = bucket.upload_part(UploadPart::new("a", id, 1), "hello")?;
/// assert_eq!(part.etag, bucket.put("b", "hello")?.etag);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartOutput {
    /// Its entity tag, by which the upload is completed.
    pub etag: ETag,
    /// Its checksum, of the algorithm of the upload.
    pub checksum: Checksum,
}

/// A part that is being uploaded, a piece at a time: [`Bucket::part_writer`]. Dropped before it is finished, it leaves
/// nothing.
///
/// ```
/// use fourfold::objects::{CompleteUpload, CreateUpload, UploadPart};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// let mut writer = bucket.part_writer(UploadPart::new("a", id, 1))?;
/// for frame in 0..24_u8 {
///     writer.write(vec![frame; 100_000])?;
/// }
/// let part = writer.finish()?;
/// bucket.complete_upload(&CompleteUpload::new("a", id).part(1, part.etag))?;
/// assert_eq!(bucket.head("a")?.info.size, 2_400_000);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PartWriter {
    bucket: Bucket,
    request: UploadPart,
    sink: Sink,
}

impl PartWriter {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// `EntityTooLarge` over 5 GiB, `IncompleteBody` over the length that was said.
    pub fn write(&mut self, bytes: impl Into<Bytes>) -> Result<()> {
        self.sink.write(&bytes.into())
    }

    /// The checksum that the data must have, when it is known only behind the data: of the upload's algorithm.
    pub fn expect_checksum(&mut self, checksum: Checksum) {
        self.sink.expect(checksum);
    }

    /// The part is there when this returns.
    ///
    /// # Errors
    /// As for [`Bucket::upload_part`].
    pub fn finish(self) -> Result<PartOutput> {
        let bucket = self.bucket.clone();
        bucket.call("UploadPart", || Ok(self.stage()?.wait()?))
    }

    /// [`finish`](Self::finish) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn finish_async(self) -> Result<PartOutput> {
        let bucket = self.bucket.clone();
        bucket.call_async("UploadPart", async { Ok(self.stage()?.done().await?) }).await
    }

    fn stage(self) -> Result<Pending<PartOutput>> {
        let Self { bucket, request, sink } = self;
        let body = sink.finish()?;
        let part = PartRecord {
            modified: bucket.store.now(),
            len: body.len,
            digest: body.digest,
            checksum: body.checksum,
            pieces: body.content.pieces().to_vec(),
        };
        let _settings = bucket.bucket.settings()?;
        let _key = bucket.state.lock(&bucket.bucket, &request.key);
        let (id, _) = bucket.upload(&request.key, &request.upload_id)?;
        let output = PartOutput { etag: ETag::new(part.digest, 0), checksum: part.checksum };
        let mut references = References::default();
        let batch = bucket.put_part(id.nonce, request.part_number, &part, body.batch, &mut references)?;
        Ok(bucket.commit(batch, &references)?.map(|()| output))
    }
}

impl Bucket {
    /// Uploads a part. It replaces one with the same number.
    ///
    /// # Errors
    /// `NoSuchUpload`, `InvalidArgument` for a number that is none, `InvalidRequest` for a checksum of another algorithm than
    /// the upload's, `EntityTooLarge`, `IncompleteBody`, `BadDigest`, `NoSuchBucket`.
    pub fn upload_part(&self, request: UploadPart, data: impl Into<Bytes>) -> Result<PartOutput> {
        let mut writer = self.part_writer(request)?;
        writer.write(data)?;
        writer.finish()
    }

    /// [`upload_part`](Self::upload_part) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn upload_part_async(&self, request: UploadPart, data: impl Into<Bytes>) -> Result<PartOutput> {
        let mut writer = self.part_writer(request)?;
        writer.write(data)?;
        writer.finish_async().await
    }

    /// Begins a part whose bytes come a piece at a time. Any number of parts may be written at once.
    ///
    /// # Errors
    /// Of [`upload_part`](Self::upload_part), what can be said before the first byte.
    pub fn part_writer(&self, request: UploadPart) -> Result<PartWriter> {
        check_number(request.part_number)?;
        drop(self.bucket.settings()?);
        let (_, upload) = self.upload(&request.key, &request.upload_id)?;
        let given = request.checksum.map(|checksum| checksum.algorithm()).or(request.checksum_algorithm);
        check_algorithm(&upload, given)?;
        let expected = Expected {
            algorithm: upload.algorithm,
            opaque: request.opaque_etag,
            content_md5: request.content_md5,
            checksum: request.checksum,
            len: request.content_length,
            len_max: PUT_LEN_MAX,
        };
        let mut sink = Sink::new(&self.store, &self.state, expected, false)?;
        if let Some(algorithm) = given {
            sink.announce(algorithm);
        }
        Ok(PartWriter { bucket: self.clone(), request, sink })
    }

    /// Adds a part to a batch, and drops what it replaces.
    pub(crate) fn put_part(
        &self,
        upload: u128,
        number: u32,
        part: &PartRecord,
        mut batch: Batch,
        references: &mut References,
    ) -> Result<Batch> {
        let key = keys::part(upload, number);
        if let Some(replaced) = self.bucket.uploads.get(&self.store, &key)? {
            references.drop(&PartRecord::decode(&replaced)?.pieces);
        }
        batch.put_in(self.bucket.uploads.id(), &key, &part.encode())?;
        Ok(batch)
    }
}

/// 1 to 10,000.
pub(crate) fn check_number(number: u32) -> Result<()> {
    if (1..=PART_NUMBER_MAX).contains(&number) {
        return Ok(());
    }
    let rule = "Part number must be an integer between 1 and 10000, inclusive";
    Err(Error::argument("partNumber", number.to_string(), rule))
}

/// An upload whose creator chose an algorithm takes no other.
fn check_algorithm(upload: &UploadRecord, given: Option<ChecksumAlgorithm>) -> Result<()> {
    match given {
        Some(actual) if upload.is_chosen && actual != upload.algorithm => {
            Err(ChecksumError::OtherAlgorithm { expected: upload.algorithm, actual }.into())
        }
        _ => Ok(()),
    }
}
