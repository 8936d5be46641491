//! What is set of a bucket: versioning, tags, and texts that are kept and returned as given.

use crate::clock::Timestamp;
use crate::objects::buckets::DEFAULT_REGION;
use crate::objects::error::{Error, Result};
use crate::objects::limits::{BUCKET_TAGS_MAX, SETTING_LEN_MAX};
use crate::objects::staged::Pending;
use crate::objects::{Bucket, Tags};
use bytes::Bytes;

/// Does a bucket keep versions? Once enabled it can only be suspended, never be as before.
///
/// ```
/// use fourfold::{Store, objects::Versioning};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("papers")?;
/// assert_eq!(bucket.versioning()?, Versioning::Off);
/// bucket.set_versioning(Versioning::Enabled)?;
/// assert_eq!(bucket.versioning()?.status(), Some("Enabled"));
/// let refused = bucket.set_versioning(Versioning::Off).unwrap_err();
/// assert_eq!(refused.code(), "IllegalVersioningConfigurationException");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Versioning {
    /// It never did. A write replaces the object.
    #[default]
    Off = 0,
    /// Every write makes a version.
    Enabled = 1,
    /// Versions stay; a write replaces the `null` version only.
    Suspended = 2,
}

impl Versioning {
    pub(crate) const ALL: [Self; 3] = [Self::Off, Self::Enabled, Self::Suspended];

    /// `Status` on the wire; a bucket that was never versioned has none.
    pub const fn status(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Enabled => Some("Enabled"),
            Self::Suspended => Some("Suspended"),
        }
    }
}

/// A text that a bucket keeps and returns as it was given. Nothing here acts on it.
///
/// ```
/// use fourfold::{Store, objects::Setting};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("papers")?;
/// assert_eq!(bucket.setting(Setting::Cors).unwrap_err().code(), "NoSuchCORSConfiguration");
/// bucket.set(Setting::Cors, "<CORSConfiguration/>")?;
/// assert_eq!(bucket.setting(Setting::Cors)?, "<CORSConfiguration/>");
/// bucket.unset(Setting::Cors)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Setting {
    /// The CORS configuration.
    Cors = 1,
    /// The bucket policy.
    Policy = 2,
    /// The access control list.
    Acl = 3,
    /// The default encryption.
    Encryption = 4,
    /// The ownership controls.
    Ownership = 5,
    /// The public access block.
    PublicAccessBlock = 6,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Cors, Self::Policy, Self::Acl, Self::Encryption, Self::Ownership, Self::PublicAccessBlock];

    /// Code and message of the refusal when it is not set.
    pub(crate) const fn missing(self) -> (&'static str, &'static str) {
        match self {
            Self::Cors => ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
            Self::Policy => ("NoSuchBucketPolicy", "The bucket policy does not exist"),
            Self::Acl => ("NoSuchAccessControlList", "The access control list does not exist"),
            Self::Encryption => (
                "ServerSideEncryptionConfigurationNotFoundError",
                "The server side encryption configuration was not found",
            ),
            Self::Ownership => {
                ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")
            }
            Self::PublicAccessBlock => (
                "NoSuchPublicAccessBlockConfiguration",
                "The public access block configuration was not found",
            ),
        }
    }
}

/// Each change comes in a blocking and an async form, which holds no thread while it waits for the disk.
impl Bucket {
    /// When it was created.
    ///
    /// # Errors
    /// `NoSuchBucket`, as for all that follow: the bucket was deleted since the handle was made.
    pub fn created(&self) -> Result<Timestamp> {
        Ok(self.bucket.settings()?.record.created)
    }

    /// Where it is: the store's region, or the one that it was created in.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn region(&self) -> Result<String> {
        Ok(self.bucket.settings()?.record.region(self.store.region()).to_owned())
    }

    /// `LocationConstraint` as the service returns it: the region, or nothing in us-east-1.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn location(&self) -> Result<Option<String>> {
        Ok(Some(self.region()?).filter(|region| region != DEFAULT_REGION))
    }

    /// Does it keep versions?
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn versioning(&self) -> Result<Versioning> {
        self.call("GetBucketVersioning", || self.do_versioning())
    }

    fn do_versioning(&self) -> Result<Versioning> {
        Ok(self.bucket.settings()?.record.versioning)
    }

    /// Enables or suspends versioning.
    ///
    /// # Errors
    /// `IllegalVersioningConfigurationException` for [`Off`](Versioning::Off).
    pub fn set_versioning(&self, versioning: Versioning) -> Result<()> {
        self.call("PutBucketVersioning", || Ok(self.stage_versioning(versioning)?.wait()?))
    }

    /// [`set_versioning`](Self::set_versioning), async.
    ///
    /// # Errors
    /// The same.
    pub async fn set_versioning_async(&self, versioning: Versioning) -> Result<()> {
        self.call_async("PutBucketVersioning", async { Ok(self.stage_versioning(versioning)?.done().await?) })
            .await
    }

    fn stage_versioning(&self, versioning: Versioning) -> Result<Pending<()>> {
        self.bucket.change(&self.store, |record| {
            if versioning == Versioning::Off {
                return Err(Error::IllegalVersioningConfiguration);
            }
            record.versioning = versioning;
            Ok(())
        })
    }

    /// The tags of the bucket.
    ///
    /// # Errors
    /// `NoSuchTagSet` if there are none.
    pub fn bucket_tags(&self) -> Result<Tags> {
        self.call("GetBucketTagging", || self.do_bucket_tags())
    }

    fn do_bucket_tags(&self) -> Result<Tags> {
        let tags = self.bucket.settings()?.record.tags.clone();
        if tags.is_empty() {
            return Err(Error::NoSuchTagSet { bucket: self.name().to_owned() });
        }
        Ok(tags)
    }

    /// Replaces the tags of the bucket, at most [50](BUCKET_TAGS_MAX); without any it has none.
    ///
    /// # Errors
    /// `InvalidTag`, `BadRequest` for too many.
    pub fn set_bucket_tags(&self, tags: Tags) -> Result<()> {
        self.call("PutBucketTagging", || Ok(self.stage_tags(tags)?.wait()?))
    }

    /// [`set_bucket_tags`](Self::set_bucket_tags), async.
    ///
    /// # Errors
    /// The same.
    pub async fn set_bucket_tags_async(&self, tags: Tags) -> Result<()> {
        self.call_async("PutBucketTagging", async { Ok(self.stage_tags(tags)?.done().await?) }).await
    }

    /// Changes the tags of the bucket, with nobody else changing them meanwhile: so `edit` must not use the bucket.
    ///
    /// # Errors
    /// `InvalidTag`, `BadRequest` for too many; then nothing has changed.
    pub async fn edit_bucket_tags_async(&self, edit: impl FnOnce(&mut Tags)) -> Result<()> {
        let edit = |tags: &mut Tags| {
            edit(tags);
            tags.check(BUCKET_TAGS_MAX)
        };
        let stage = async { Ok(self.stage_edited_tags(edit)?.done().await?) };
        self.call_async("PutBucketTagging", stage).await
    }

    fn stage_tags(&self, tags: Tags) -> Result<Pending<()>> {
        tags.check(BUCKET_TAGS_MAX)?;
        self.stage_edited_tags(|old| {
            *old = tags;
            Ok(())
        })
    }

    fn stage_edited_tags(&self, edit: impl FnOnce(&mut Tags) -> Result<()>) -> Result<Pending<()>> {
        self.bucket.change(&self.store, |record| edit(&mut record.tags))
    }

    /// A setting as it was given.
    ///
    /// # Errors
    /// The setting's own code, such as `NoSuchBucketPolicy`, if it was never set. What stands in front of the store, and has
    /// a default for a setting, keeps an empty text where somebody has taken that away.
    pub fn setting(&self, setting: Setting) -> Result<String> {
        let settings = self.bucket.settings()?;
        let text = settings.record.settings.get(&(setting as u8));
        let text = text.map(|text| String::from_utf8_lossy(text).into_owned());
        text.ok_or_else(|| Error::NoSuchSetting { bucket: self.name().to_owned(), setting })
    }

    /// Keeps a setting.
    ///
    /// # Errors
    /// `InvalidRequest` for a text over [64 KiB](SETTING_LEN_MAX).
    pub fn set(&self, setting: Setting, text: &str) -> Result<()> {
        Ok(self.stage_setting(setting, Some(text))?.wait()?)
    }

    /// [`set`](Self::set), async.
    ///
    /// # Errors
    /// The same.
    pub async fn set_async(&self, setting: Setting, text: &str) -> Result<()> {
        Ok(self.stage_setting(setting, Some(text))?.done().await?)
    }

    /// Forgets a setting; nothing happens if it is not set.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn unset(&self, setting: Setting) -> Result<()> {
        Ok(self.stage_setting(setting, None)?.wait()?)
    }

    /// [`unset`](Self::unset), async.
    ///
    /// # Errors
    /// The same.
    pub async fn unset_async(&self, setting: Setting) -> Result<()> {
        Ok(self.stage_setting(setting, None)?.done().await?)
    }

    fn stage_setting(&self, setting: Setting, text: Option<&str>) -> Result<Pending<()>> {
        if let Some(text) = text.filter(|text| text.len() > SETTING_LEN_MAX) {
            let len = text.len();
            let rule = format!("The configuration is {len} bytes long; the limit is {SETTING_LEN_MAX} bytes");
            return Err(Error::request(rule));
        }
        self.bucket.change(&self.store, |record| {
            let number = setting as u8;
            match text {
                Some(text) => record.settings.insert(number, Bytes::copy_from_slice(text.as_bytes())),
                None => record.settings.remove(&number),
            };
            Ok(())
        })
    }
}
