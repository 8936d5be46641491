//! Completing an upload.

use crate::objects::EventType;
use crate::objects::checksum::{
    Checksum, ChecksumAlgorithm, ChecksumError, ChecksumHasher, ChecksumOfParts, ChecksumType,
};
use crate::objects::condition::WriteConditions;
use crate::objects::error::{Error, Result};
use crate::objects::extents::References;
use crate::objects::id::UploadId;
use crate::objects::limits::OBJECT_LEN_MAX;
use crate::objects::multipart::{PartRecord, UploadRecord};
use crate::objects::notify::Change;
use crate::objects::record::{Content, Object, PartInfo, Version};
use crate::objects::sink::digest;
use crate::objects::staged::Pending;
use crate::objects::state::Settings;
use crate::objects::{Bucket, ETag, VersionId, keys};
use crate::store::Batch;
use std::collections::BTreeMap;

/// Which parts make the object, in which order.
///
/// ```
/// use fourfold::{Store, objects::{CompleteUpload, CreateUpload, UploadPart}};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// let part = bucket.upload_part(UploadPart::new("a", id, 3), "short, but the last")?;
/// bucket.complete_upload(&CompleteUpload::new("a", id).part(3, part.etag))?;
/// assert_eq!(bucket.get("a")?.body.bytes()?, "short, but the last");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompleteUpload {
    /// The key of the object.
    pub key: String,
    /// The upload, as text.
    pub upload_id: String,
    /// The parts, ascending by number.
    pub parts: Vec<CompletedPart>,
    /// What the checksum of the whole must be, of the upload's algorithm and type.
    pub checksum: Option<Checksum>,
    /// What the type of the upload's checksum must be.
    pub checksum_type: Option<ChecksumType>,
    /// `x-amz-mp-object-size`: how long the object must be.
    pub object_size: Option<u64>,
    /// Only if the current object has this entity tag.
    pub if_match: Option<String>,
    /// `*`: only if there is no current object.
    pub if_none_match: Option<String>,
}

/// A part as it is named when its upload is completed.
///
/// ```
/// use fourfold::objects::{ChecksumAlgorithm, CompleteUpload, CompletedPart, CreateUpload, UploadPart};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let mut upload = CreateUpload::new("a");
/// upload.checksum_algorithm = Some(ChecksumAlgorithm::Sha256);
/// let id = bucket.create_upload(upload)?.upload_id;
/// let part = bucket.upload_part(UploadPart::new("a", id, 1), "frames")?;
/// let mut request = CompleteUpload::new("a", id);
/// let checksum = Some(part.checksum);
/// request.parts.push(CompletedPart { part_number: 1, etag: part.etag.to_string(), checksum });
/// assert_eq!(bucket.complete_upload(&request)?.size, 6);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedPart {
    /// Its number.
    pub part_number: u32,
    /// Its entity tag, with or without quotes.
    pub etag: String,
    /// Its checksum, which must be that of the part that was uploaded. Of an upload whose creator chose a composite one it
    /// must be given, and of one whose creator chose none it must not.
    pub checksum: Option<Checksum>,
}

impl CompleteUpload {
    /// An upload, without parts so far.
    pub fn new(key: impl Into<String>, upload_id: impl Into<String>) -> Self {
        Self { key: key.into(), upload_id: upload_id.into(), ..Self::default() }
    }

    /// The next part.
    #[must_use]
    pub fn part(mut self, part_number: u32, etag: impl Into<String>) -> Self {
        self.parts.push(CompletedPart { part_number, etag: etag.into(), checksum: None });
        self
    }

    fn invalid(&self, part: &CompletedPart) -> Error {
        Error::InvalidPart {
            upload_id: self.upload_id.clone(),
            part_number: part.part_number,
            etag: part.etag.clone(),
        }
    }
}

/// The object that an upload became.
///
/// ```
/// use fourfold::objects::{CompleteUpload, CreateUpload, UploadPart};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// let part = bucket.upload_part(UploadPart::new("a", id, 1), "frames")?;
/// let whole = bucket.complete_upload(&CompleteUpload::new("a", id).part(1, part.etag))?;
/// assert_eq!((whole.size, whole.etag.parts()), (6, Some(1)));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompleteOutput {
    /// The entity tag: the MD5 of the MD5s of the parts, `-` and their number.
    pub etag: ETag,
    /// The version; none while the bucket was never versioned.
    pub version_id: Option<VersionId>,
    /// The checksum that is kept.
    pub checksum: Option<Checksum>,
    /// Bytes.
    pub size: u64,
}

impl Bucket {
    /// Makes an object of the parts of an upload, without reading or writing their bytes. The upload is then gone, and so are
    /// parts that were not named. The same call again, while the object is the newest version, gives the same answer.
    ///
    /// # Errors
    /// `NoSuchUpload`, `InvalidRequest` for no parts, another size or another checksum type, `InvalidPartOrder`,
    /// `InvalidPart`, `EntityTooSmall`, `EntityTooLarge`, `BadDigest`; `PreconditionFailed`, `NoSuchKey` and
    /// `NotImplemented` as for a put; `ConditionalRequestConflict` for a condition that holds, of an object that was written
    /// or deleted since the upload was begun. The upload goes on.
    pub fn complete_upload(&self, request: &CompleteUpload) -> Result<CompleteOutput> {
        self.call("CompleteMultipartUpload", || Ok(self.stage_complete(request)?.wait()?))
    }

    /// [`complete_upload`](Self::complete_upload) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn complete_upload_async(&self, request: &CompleteUpload) -> Result<CompleteOutput> {
        self.call_async("CompleteMultipartUpload", async { Ok(self.stage_complete(request)?.done().await?) })
            .await
    }

    fn stage_complete(&self, request: &CompleteUpload) -> Result<Pending<CompleteOutput>> {
        let conditions = WriteConditions {
            if_match: request.if_match.clone(),
            if_none_match: request.if_none_match.clone(),
        };
        conditions.check_form()?;
        let settings = self.bucket.settings()?;
        let _key = self.state.lock(&self.bucket, &request.key);
        let (id, upload) = match self.upload(&request.key, &request.upload_id) {
            Ok(found) => found,
            Err(refusal @ Error::NoSuchUpload { .. }) => return self.completed(&settings, request, refusal),
            Err(error) => return Err(error),
        };
        let mut parts = self.all_parts(id.nonce)?;
        let part_len_min = self.state.dials.read().part_len_min;
        let object = object_of(request, (id.nonce, &upload), &mut parts, part_len_min)?;
        let versions = self.versions(&settings, &request.key);
        let newest = versions.newest()?;
        conditions.check(&request.key, newest.as_ref())?;
        check_conflict(request, &upload, newest.as_ref())?;
        let (mut batch, mut references) = (self.store.batch(), References::default());
        self.remove(&request.key, id.seq, id.nonce, &mut batch)?;
        // What is left was not named.
        for part in parts.values() {
            references.drop(&part.pieces);
        }
        let version =
            versions.add(&self.store, newest.as_ref(), Some(object), &mut batch, &mut references)?;
        let output = output_of(&settings, &version)?;
        let kind = EventType::ObjectCreatedCompleteMultipartUpload;
        let change = Change { kind, key: &request.key, version: &version };
        Ok(self.commit_and_tell(&settings, batch, &references, &[change])?.map(|()| output))
    }

    /// An upload that is gone may be completed already.
    fn completed(
        &self,
        settings: &Settings,
        request: &CompleteUpload,
        refusal: Error,
    ) -> Result<Pending<CompleteOutput>> {
        let UploadId(id) = UploadId::parse(&request.upload_id)?;
        let newest = self.versions(settings, &request.key).newest()?;
        let is_of_upload =
            |version: &Version| version.object.as_ref().is_some_and(|object| object.upload == Some(id.nonce));
        match newest.filter(is_of_upload) {
            Some(version) => Ok(Pending::ready(&self.store, output_of(settings, &version)?)),
            None => Err(refusal),
        }
    }

    fn all_parts(&self, upload: u128) -> Result<BTreeMap<u32, PartRecord>> {
        let mut parts = BTreeMap::new();
        let mut range = self.bucket.uploads.prefix(&self.store, &keys::parts_of(upload));
        while range.advance()? {
            if let Some(number) = keys::part_number(range.key()) {
                parts.insert(number, PartRecord::decode(&range.value()?)?);
            }
        }
        Ok(parts)
    }

    fn remove(&self, key: &str, seq: u64, nonce: u128, batch: &mut Batch) -> Result<()> {
        let uploads = self.bucket.uploads.id();
        batch.delete_in(uploads, &keys::upload(key, seq))?;
        let mut range = self.bucket.uploads.prefix(&self.store, &keys::parts_of(nonce));
        while range.advance()? {
            batch.delete_in(uploads, range.key())?;
        }
        Ok(())
    }
}

fn output_of(settings: &Settings, version: &Version) -> Result<CompleteOutput> {
    let Some(object) = &version.object else {
        return Err(Error::request("The upload was completed and its object deleted."));
    };
    Ok(CompleteOutput {
        etag: object.etag,
        version_id: settings.shown(version.id()),
        checksum: object.checksum,
        size: object.len,
    })
}

/// The object of the parts that are named, which are taken out of `parts`.
fn object_of(
    request: &CompleteUpload,
    (nonce, upload): (u128, &UploadRecord),
    parts: &mut BTreeMap<u32, PartRecord>,
    part_len_min: u64,
) -> Result<Object> {
    if request.parts.is_empty() {
        return Err(Error::request("You must specify at least one part"));
    }
    check_type(request, upload)?;
    if !request.parts.is_sorted_by(|one, next| one.part_number < next.part_number) {
        return Err(Error::InvalidPartOrder { upload_id: request.upload_id.clone() });
    }
    let mut named = Vec::with_capacity(request.parts.len());
    for part in &request.parts {
        let known = parts.remove(&part.part_number).ok_or_else(|| request.invalid(part))?;
        // Whose creator chose no checksum has none of parts.
        let has_checksum = |checksum| upload.is_chosen && checksum == known.checksum;
        let fits = ETag::new(known.digest, 0).matches(&part.etag) && part.checksum.is_none_or(has_checksum);
        if !fits {
            return Err(request.invalid(part));
        }
        if part.checksum.is_none() && upload.is_chosen && upload.kind == ChecksumType::Composite {
            let (algorithm, part_number) = (upload.algorithm, part.part_number);
            return Err(ChecksumError::MissingPartChecksum { algorithm, part_number }.into());
        }
        named.push((part.part_number, known));
    }
    check_lens(request, &named, part_len_min)?;
    let len = named.iter().map(|(_, part)| part.len).sum();
    let mut md5 = ChecksumHasher::new(ChecksumAlgorithm::Md5);
    let mut checksum = ChecksumOfParts::new(upload.algorithm, upload.kind);
    for (_, part) in &named {
        md5.update(&part.digest);
        if let Some(checksum) = &mut checksum {
            checksum.push(&part.checksum, part.len);
        }
    }
    let checksum = checksum.filter(|_| !upload.keeps_none).map(ChecksumOfParts::finish);
    if let (Some(given), Some(checksum)) = (&request.checksum, &checksum) {
        given.verify_completed(checksum)?;
    }
    let count = u32::try_from(named.len()).unwrap_or(u32::MAX);
    let info = |(number, part): &(u32, PartRecord)| PartInfo {
        number: *number,
        len: part.len,
        checksum: Some(part.checksum),
    };
    Ok(Object {
        len,
        etag: ETag::new(digest(&md5.finish()), count),
        class: upload.class,
        checksum,
        upload: Some(nonce),
        metadata: upload.metadata.clone(),
        tags: upload.tags.clone(),
        parts: named.iter().map(info).collect(),
        content: Content::Pieces(named.into_iter().flat_map(|(_, part)| part.pieces).collect()),
    })
}

fn check_type(request: &CompleteUpload, upload: &UploadRecord) -> Result<()> {
    let kind = upload.is_chosen.then_some(upload.kind);
    if request.checksum_type.is_none() || request.checksum_type == kind {
        return Ok(());
    }
    Err(Error::request(format!(
        "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
        kind.map_or("null", ChecksumType::name)
    )))
}

/// A condition that holds, of an object that was written or deleted since the upload was begun: who asks for it saw another
/// object then, and is told to begin again.
fn check_conflict(request: &CompleteUpload, upload: &UploadRecord, newest: Option<&Version>) -> Result<()> {
    let current = newest.filter(|newest| newest.object.is_some());
    let condition = match current {
        Some(object) if request.if_match.is_some() && object.modified > upload.initiated => "If-Match",
        None if request.if_none_match.is_some() && upload.had_object => "If-None-Match",
        _ => return Ok(()),
    };
    Err(Error::ConditionalRequestConflict { key: request.key.clone(), condition: Some(condition) })
}

/// All but the last part are long enough, and the whole is as long as it should and may be.
fn check_lens(request: &CompleteUpload, named: &[(u32, PartRecord)], part_len_min: u64) -> Result<()> {
    let others = named.split_last().map_or(&[][..], |(_, others)| others);
    let short = others.iter().find(|(_, part)| part.len < part_len_min);
    if let Some((part_number, part)) = short {
        return Err(Error::EntityTooSmall {
            len: part.len,
            min: part_len_min,
            part_number: *part_number,
            etag: ETag::new(part.digest, 0),
        });
    }
    let len = named.iter().map(|(_, part)| part.len).sum();
    if len > OBJECT_LEN_MAX {
        return Err(Error::EntityTooLarge { len, max: OBJECT_LEN_MAX });
    }
    match request.object_size {
        Some(said) if said != len => Err(Error::request(format!(
            "The provided 'x-amz-mp-object-size' header value {said} does not match what was computed: {len}"
        ))),
        _ => Ok(()),
    }
}
