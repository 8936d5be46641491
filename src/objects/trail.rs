//! The trail of an object: all that there is of its key, what each version is made of, and what time will do to it.
//!
//! It is read from what is stored anyway: nothing is written for it. Of what was deleted for good nothing is known.

use crate::clock::Timestamp;
use crate::objects::error::Result;
use crate::objects::extents::Extents;
use crate::objects::id::Id;
use crate::objects::lifecycle::{Day, LifecycleConfiguration, Subject, What, facts};
use crate::objects::multipart::{PartRecord, UploadRecord};
use crate::objects::record::{Object, Version};
use crate::objects::{Bucket, ETag, LifecycleAction, StorageClass, Tags, UploadId, VersionId, keys};
use crate::store::{Snapshot, Store};
use std::fmt;

/// What there is of a key: versions, delete markers and unfinished uploads. As text it is a line for each.
///
/// ```
/// use fourfold::objects::{CopyObject, CopySource, LifecycleConfiguration, LifecycleRule, Versioning};
/// use fourfold::{ManualClock, Store};
/// # fn main() -> fourfold::objects::Result<()> {
/// let store = Store::builder().clock(ManualClock::default()).seed(1).open_in_memory();
/// let bucket = store.buckets().create("notes")?;
/// bucket.set_versioning(Versioning::Enabled)?;
/// let mut rule = LifecycleRule::default();
/// rule.id = Some("month".to_owned());
/// rule.expiration.days = Some(30);
/// bucket.set_lifecycle(LifecycleConfiguration::new([rule]))?;
/// bucket.put("june", vec![7; 100_000])?;
/// bucket.copy(CopyObject::new("july", CopySource::new("notes", "june")))?;
/// bucket.delete("june")?;
/// let trail = bucket.trail("june")?;
/// let (marker, object) = (&trail.versions[0], &trail.versions[1]);
/// assert_eq!(
///     trail.to_string(),
///     format!(
///         "notes/june\n  {} 2025-01-01T00:00:00.000Z delete marker, newest\
///          \n  {} 2025-01-01T00:00:00.000Z 100000 bytes, 100000 of them shared, STANDARD",
///         marker.version_id, object.version_id,
///     )
/// );
/// let july = bucket.trail("july")?.versions.remove(0);
/// assert_eq!(july.next.expect("a rule says so").to_string(), "to expire 2025-02-01T00:00:00.000Z by month");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trail {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Versions and delete markers, the newest first.
    pub versions: Vec<VersionTrail>,
    /// Uploads of this key that are neither completed nor aborted, the oldest first.
    pub uploads: Vec<UploadTrail>,
}

/// A version of an object, or a delete marker.
///
/// ```
/// use fourfold::objects::VersionId;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.put("a", "hello")?;
/// let version = bucket.trail("a")?.versions.remove(0);
/// assert_eq!((version.version_id, version.is_newest), (VersionId::NULL, true));
/// assert_eq!(version.next, None); // no rule will touch it
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionTrail {
    /// Its id.
    pub version_id: VersionId,
    /// When it was written.
    pub modified: Timestamp,
    /// Is it what a get without a version sees?
    pub is_newest: bool,
    /// What it is made of; none for a delete marker.
    pub object: Option<ObjectTrail>,
    /// What the bucket's rules will do to it next, if nothing changes before.
    pub next: Option<NextAction>,
}

/// What a version of an object is made of.
///
/// ```
/// use fourfold::objects::{CopyObject, CopySource};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.put("a", vec![7; 1 << 20])?;
/// bucket.copy(CopyObject::new("b", CopySource::new("films", "a")))?;
/// let object = bucket.trail("b")?.versions.remove(0).object.expect("no delete marker");
/// assert_eq!((object.size, object.shared_bytes), (1 << 20, 1 << 20)); // a copy copies no bytes
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectTrail {
    /// Bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: ETag,
    /// Its storage class.
    pub storage_class: StorageClass,
    /// Its tags.
    pub tags: Tags,
    /// Parts that it was uploaded in; 0 if it was put as a whole.
    pub parts: u64,
    /// Stretches of bytes that it is made of; 0 while it lies in its record, as short ones do.
    pub extents: u64,
    /// Bytes of them that other versions, copies or parts are made of as well.
    pub shared_bytes: u64,
}

/// An upload in parts that is neither completed nor aborted.
///
/// ```
/// use fourfold::objects::{CreateUpload, UploadPart};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let id = bucket.create_upload(CreateUpload::new("a"))?.upload_id;
/// bucket.upload_part(UploadPart::new("a", id, 1), "frames")?;
/// let upload = bucket.trail("a")?.uploads.remove(0);
/// assert_eq!((upload.upload_id, upload.parts, upload.bytes), (id, 1, 6));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadTrail {
    /// Its id.
    pub upload_id: UploadId,
    /// When it was begun.
    pub initiated: Timestamp,
    /// Parts that were uploaded.
    pub parts: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// When the bucket's rules will abort it.
    pub next: Option<NextAction>,
}

/// What a rule will do, and when.
///
/// ```
/// use fourfold::objects::{LifecycleConfiguration, LifecycleRule};
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let mut rule = LifecycleRule::default();
/// rule.id = Some("month".to_owned());
/// rule.expiration.days = Some(30);
/// bucket.set_lifecycle(LifecycleConfiguration::new([rule]))?;
/// bucket.put("a", "hello")?;
/// let version = bucket.trail("a")?.versions.remove(0);
/// let next = version.next.expect("a rule says so");
/// assert_eq!(next.rule_id, "month");
/// assert!(next.at > version.modified);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NextAction {
    /// The moment from which on it is due.
    pub at: Timestamp,
    /// What.
    pub action: LifecycleAction,
    /// The id of the rule; empty if it has none.
    pub rule_id: String,
}

impl Bucket {
    /// What there is of a key, at one moment; empty if there is nothing. It costs a read for each version, upload, part and
    /// stretch of bytes.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn trail(&self, key: &str) -> Result<Trail> {
        let (lifecycle, snapshot) = {
            let settings = self.bucket.settings()?;
            (settings.lifecycle.clone(), self.store.snapshot())
        };
        let day = self.state.dials.read().day;
        let rules = lifecycle.as_deref().map(|rules| (rules, day));
        Ok(Trail {
            bucket: self.name().to_owned(),
            key: key.to_owned(),
            versions: self.trail_of_versions(key, &snapshot, rules)?,
            uploads: self.trail_of_uploads(key, &snapshot, rules)?,
        })
    }

    fn trail_of_versions(
        &self,
        key: &str,
        snapshot: &Snapshot,
        rules: Option<(&LifecycleConfiguration, Day)>,
    ) -> Result<Vec<VersionTrail>> {
        let mut found = Vec::new();
        let mut range = snapshot.prefix_in(&self.bucket.versions, &keys::versions_of(key));
        while range.advance()? {
            let Some((_, place)) = keys::split_version(range.key()) else { continue };
            found.push(Version::decode(place, &range.value()?)?);
        }
        let mut trail = Vec::with_capacity(found.len());
        for (newer, version) in found.iter().enumerate() {
            let object = version.object.as_ref();
            let what = match (newer.checked_sub(1).map(|last| &found[last]), object.map(facts)) {
                (None, Some(object)) => What::Current(object, version.modified),
                (None, None) => What::Marker { created: version.modified, alone: found.len() == 1 },
                (Some(last), object) => {
                    let newer = u32::try_from(newer - 1).unwrap_or(u32::MAX);
                    What::Noncurrent { object, since: last.modified, newer }
                }
            };
            trail.push(VersionTrail {
                version_id: version.id(),
                modified: version.modified,
                is_newest: newer == 0,
                object: object
                    .map(|of| made_of(of, version, &self.state.extents, &self.store, snapshot))
                    .transpose()?,
                next: next(rules, &Subject { key, what }),
            });
        }
        Ok(trail)
    }

    fn trail_of_uploads(
        &self,
        key: &str,
        snapshot: &Snapshot,
        rules: Option<(&LifecycleConfiguration, Day)>,
    ) -> Result<Vec<UploadTrail>> {
        let mut trail = Vec::new();
        let mut range = snapshot.prefix_in(&self.bucket.uploads, &keys::uploads_of(key));
        while range.advance()? {
            let Some((_, seq)) = keys::split_upload(range.key()) else { continue };
            let upload = UploadRecord::decode(&range.value()?)?;
            let (mut parts, mut bytes) = (0, 0);
            let (from, to) = (keys::part(upload.nonce, 0), keys::part(upload.nonce, u32::MAX));
            let mut range = snapshot.range_in(&self.bucket.uploads, from..=to);
            while range.advance()? {
                parts += 1;
                bytes += PartRecord::decode(&range.value()?)?.len;
            }
            let what = What::Upload(upload.initiated);
            trail.push(UploadTrail {
                upload_id: UploadId(Id { seq, nonce: upload.nonce }),
                initiated: upload.initiated,
                parts,
                bytes,
                next: next(rules, &Subject { key, what }),
            });
        }
        Ok(trail)
    }
}

fn next(rules: Option<(&LifecycleConfiguration, Day)>, subject: &Subject<'_>) -> Option<NextAction> {
    let (rules, day) = rules?;
    let due = rules.next(subject, day)?;
    let rule_id = due.rule.id.clone().unwrap_or_default();
    Some(NextAction { at: due.at, action: due.action, rule_id })
}

fn made_of(
    object: &Object,
    version: &Version,
    extents: &Extents,
    store: &Store,
    snapshot: &Snapshot,
) -> Result<ObjectTrail> {
    let pieces = version.pieces();
    let mut shared_bytes = 0;
    if let Some([_, counts, _]) = extents.keyspaces(store)? {
        for piece in pieces {
            // Only what is referred to more than once has a count (X2 in `extents`).
            if snapshot.get_in(counts, &keys::extent(piece.extent))?.is_some() {
                shared_bytes += piece.len;
            }
        }
    }
    Ok(ObjectTrail {
        size: object.len,
        etag: object.etag,
        storage_class: object.class,
        tags: object.tags.clone(),
        parts: object.parts.len() as u64,
        extents: pieces.len() as u64,
        shared_bytes,
    })
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)?;
        if self.versions.is_empty() && self.uploads.is_empty() {
            f.write_str("\n  not there")?;
        }
        for version in &self.versions {
            write!(f, "\n  {version}")?;
        }
        for upload in &self.uploads {
            write!(f, "\n  {upload}")?;
        }
        Ok(())
    }
}

impl fmt::Display for VersionTrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.version_id, self.modified)?;
        match &self.object {
            Some(object) => write!(f, "{object}")?,
            None => f.write_str("delete marker")?,
        }
        if self.is_newest {
            f.write_str(", newest")?;
        }
        self.next.iter().try_for_each(|next| write!(f, ", {next}"))
    }
}

impl fmt::Display for ObjectTrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.size)?;
        if self.parts > 0 {
            write!(f, " uploaded in {} parts", self.parts)?;
        }
        if self.shared_bytes > 0 {
            write!(f, ", {} of them shared", self.shared_bytes)?;
        }
        write!(f, ", {}", self.storage_class)?;
        self.tags.0.iter().try_for_each(|(key, value)| write!(f, ", {key}={value}"))
    }
}

impl fmt::Display for UploadTrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { upload_id, initiated, parts, bytes, next } = self;
        write!(f, "upload {upload_id} {initiated} {parts} parts, {bytes} bytes")?;
        next.iter().try_for_each(|next| write!(f, ", {next}"))
    }
}

impl fmt::Display for NextAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            LifecycleAction::Expire => f.write_str("to expire")?,
            LifecycleAction::Delete => f.write_str("to be deleted")?,
            LifecycleAction::RemoveMarker => f.write_str("to be removed")?,
            LifecycleAction::Abort => f.write_str("to be aborted")?,
            LifecycleAction::Transition(class) => write!(f, "to become {class}")?,
        }
        write!(f, " {}", self.at)?;
        if self.rule_id.is_empty() { Ok(()) } else { write!(f, " by {}", self.rule_id) }
    }
}
