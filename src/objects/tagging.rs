//! Tags of objects.

use crate::objects::EventType;
use crate::objects::error::{Error, Result};
use crate::objects::extents::References;
use crate::objects::limits::OBJECT_TAGS_MAX;
use crate::objects::notify::Change;
use crate::objects::record::{Object, Version};
use crate::objects::staged::Pending;
use crate::objects::{Bucket, Tags, VersionId};

/// Tags of an object, and which version they are of.
///
/// ```
/// use fourfold::objects::Tags;
/// # fn main() -> fourfold::objects::Result<()> {
/// # let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let tags = Tags(vec![("team".to_owned(), "search".to_owned())]);
/// bucket.put("a", "hello")?;
/// bucket.set_tagging("a", None, tags.clone())?;
/// assert_eq!(bucket.tagging("a", None)?.tags, tags);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tagging {
    /// The tags.
    pub tags: Tags,
    /// The version; none while the bucket was never versioned.
    pub version_id: Option<VersionId>,
}

impl Bucket {
    /// The tags of an object: the current one, or a version by the text of its id. An object without any has none.
    ///
    /// # Errors
    /// As for [`get_object`](Self::get_object).
    pub fn tagging(&self, key: &str, version_id: Option<&str>) -> Result<Tagging> {
        self.call("GetObjectTagging", || self.do_tagging(key, version_id))
    }

    fn do_tagging(&self, key: &str, version_id: Option<&str>) -> Result<Tagging> {
        let settings = self.bucket.settings()?;
        let (version, object) = self.versions(&settings, key).readable(version_id, "GET")?;
        Ok(Tagging { tags: object.tags, version_id: settings.shown(version.id()) })
    }

    /// Replaces the tags of an object. It stays the same version, written at the same time.
    ///
    /// # Errors
    /// As for [`tagging`](Self::tagging); `InvalidTag`, `BadRequest` for more than 10.
    pub fn set_tagging(&self, key: &str, version_id: Option<&str>, tags: Tags) -> Result<Tagging> {
        self.call("PutObjectTagging", || Ok(self.stage_tagging(key, version_id, tags, "PUT")?.wait()?))
    }

    /// [`set_tagging`](Self::set_tagging) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn set_tagging_async(
        &self,
        key: &str,
        version_id: Option<&str>,
        tags: Tags,
    ) -> Result<Tagging> {
        self.call_async("PutObjectTagging", async {
            Ok(self.stage_tagging(key, version_id, tags, "PUT")?.done().await?)
        })
        .await
    }

    /// Removes the tags of an object.
    ///
    /// # Errors
    /// As for [`tagging`](Self::tagging).
    pub fn delete_tagging(&self, key: &str, version_id: Option<&str>) -> Result<Tagging> {
        self.call("DeleteObjectTagging", || {
            Ok(self.stage_tagging(key, version_id, Tags::default(), "DELETE")?.wait()?)
        })
    }

    /// [`delete_tagging`](Self::delete_tagging) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn delete_tagging_async(&self, key: &str, version_id: Option<&str>) -> Result<Tagging> {
        self.call_async("DeleteObjectTagging", async {
            Ok(self.stage_tagging(key, version_id, Tags::default(), "DELETE")?.done().await?)
        })
        .await
    }

    /// Sets an [attribute](crate::objects::Metadata::attributes) of an object, or removes it. It stays the same version,
    /// written at the same time, and nobody is told.
    ///
    /// # Errors
    /// As for [`tagging`](Self::tagging); `InvalidRequest` over [64 KiB](crate::objects::limits::ATTRIBUTES_LEN_MAX).
    pub fn set_attribute(
        &self,
        key: &str,
        version_id: Option<&str>,
        name: &str,
        value: Option<&str>,
    ) -> Result<Option<VersionId>> {
        Ok(self.stage_attribute(key, version_id, name, value)?.wait()?)
    }

    /// [`set_attribute`](Self::set_attribute) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn set_attribute_async(
        &self,
        key: &str,
        version_id: Option<&str>,
        name: &str,
        value: Option<&str>,
    ) -> Result<Option<VersionId>> {
        Ok(self.stage_attribute(key, version_id, name, value)?.done().await?)
    }

    fn stage_attribute(
        &self,
        key: &str,
        version_id: Option<&str>,
        name: &str,
        value: Option<&str>,
    ) -> Result<Pending<Option<VersionId>>> {
        let settings = self.bucket.settings()?;
        let _key = self.state.lock(&self.bucket, key);
        let versions = self.versions(&settings, key);
        let (version, mut object) = versions.readable(version_id, "PUT")?;
        let attributes = &mut object.metadata.attributes;
        attributes.retain(|(known, _)| known != name);
        attributes.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        object.metadata.check()?;
        let shown = settings.shown(version.id());
        let mut batch = self.store.batch();
        versions.put(&Version { object: Some(object), ..version }, &mut batch)?;
        Ok(self.commit(batch, &References::default())?.map(|()| shown))
    }

    fn stage_tagging(
        &self,
        key: &str,
        version_id: Option<&str>,
        tags: Tags,
        method: &'static str,
    ) -> Result<Pending<Tagging>> {
        tags.check(OBJECT_TAGS_MAX)?;
        let settings = self.bucket.settings()?;
        let _key = self.state.lock(&self.bucket, key);
        let versions = self.versions(&settings, key);
        let (version, object) = versions.readable(version_id, method)?;
        let output = Tagging { tags: tags.clone(), version_id: settings.shown(version.id()) };
        let mut batch = self.store.batch();
        let version = Version { object: Some(Object { tags, ..object }), ..version };
        versions.put(&version, &mut batch)?;
        let kind = if method == "PUT" { EventType::ObjectTaggingPut } else { EventType::ObjectTaggingDelete };
        let change = Change { kind, key, version: &version };
        Ok(self.commit_and_tell(&settings, batch, &References::default(), &[change])?.map(|()| output))
    }
}

impl Error {
    /// The delete marker that a refusal is about.
    pub fn delete_marker(&self) -> Option<VersionId> {
        match self {
            Self::NoSuchKey { marker, .. } => *marker,
            Self::MethodNotAllowed { marker, .. } => Some(*marker),
            _ => None,
        }
    }
}
