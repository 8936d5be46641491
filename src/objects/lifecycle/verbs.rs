//! Setting the lifecycle of a bucket, and what its rules say of one object.

use crate::clock::Timestamp;
use crate::objects::Bucket;
use crate::objects::error::Result;
use crate::objects::lifecycle::due::Object;
use crate::objects::lifecycle::{HttpDate, LifecycleConfiguration, LifecycleError, Removal};
use crate::objects::notify::random_id;
use crate::objects::record::Object as Stored;
use crate::objects::staged::Pending;
use bytes::Bytes;
use std::fmt;

/// The number of the configuration among the settings of a bucket.
pub(crate) const LIFECYCLE: u8 = 100;

/// When a rule will remove something, and which: `x-amz-expiration` by its [text](fmt::Display).
///
/// ```
/// # fn main() -> fourfold::objects::Result<()> {
/// use fourfold::{Store, clock::ManualClock, objects::{LifecycleConfiguration, LifecycleRule}};
/// let store = Store::builder().clock(ManualClock::default()).open_in_memory();
/// let bucket = store.buckets().create("logs")?;
/// let mut rule = LifecycleRule::for_prefix("old/");
/// rule.id = Some("a month".into());
/// rule.expiration.days = Some(30);
/// bucket.set_lifecycle(LifecycleConfiguration::new([rule]))?;
/// bucket.put("old/1", "...")?; // at the beginning of 2025
/// let expiration = bucket.expiration("old/1", None)?.expect("the rule applies");
/// assert_eq!(
///     expiration.to_string(),
///     "expiry-date=\"Sat, 01 Feb 2025 00:00:00 GMT\", rule-id=\"a%20month\""
/// );
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectExpiration {
    /// When.
    pub at: Timestamp,
    /// The ID of the rule.
    pub rule_id: String,
}

impl ObjectExpiration {
    /// The moment as HTTP writes it: the value of `x-amz-abort-date`.
    pub fn http_date(&self) -> String {
        HttpDate(self.at).to_string()
    }
}

impl fmt::Display for ObjectExpiration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Removal { at: self.at, rule_id: self.rule_id.clone() }.header())
    }
}

impl From<Removal> for ObjectExpiration {
    fn from(removal: Removal) -> Self {
        Self { at: removal.at, rule_id: removal.rule_id }
    }
}

/// What rules ask of an object.
pub(crate) fn facts(object: &Stored) -> Object<'_> {
    // Classes that no rule leads to are as warm as the standard one.
    Object { size: object.len, tags: &object.tags.0, class: object.class.name().parse().ok() }
}

impl Bucket {
    /// The lifecycle of the objects here.
    ///
    /// # Errors
    /// `NoSuchLifecycleConfiguration` if none was set; `NoSuchBucket`.
    pub fn lifecycle(&self) -> Result<LifecycleConfiguration> {
        self.call("GetBucketLifecycleConfiguration", || self.do_lifecycle())
    }

    fn do_lifecycle(&self) -> Result<LifecycleConfiguration> {
        let settings = self.bucket.settings()?;
        let lifecycle = settings.lifecycle.as_deref().cloned();
        lifecycle.ok_or_else(|| LifecycleError::Missing { bucket: self.name().to_owned() }.into())
    }

    /// Sets the lifecycle of the objects here, in place of the one before. Rules without an ID get one. What is due by
    /// them is done by [`Store::maintain`](crate::Store::maintain), which a store on disk does by itself.
    ///
    /// ```
    /// # fn main() -> fourfold::objects::Result<()> {
    /// use fourfold::{Store, clock::ManualClock, objects::{LifecycleConfiguration, LifecycleRule}};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let store = Store::builder().clock(clock.clone()).open_in_memory();
    /// let bucket = store.buckets().create("logs")?;
    /// let mut rule = LifecycleRule::default();
    /// rule.expiration.days = Some(1);
    /// bucket.set_lifecycle(LifecycleConfiguration::new([rule]))?;
    ///
    /// bucket.put("a", "...")?;
    /// clock.advance(Duration::from_secs(2 * 86_400));
    /// store.maintain()?;
    /// assert_eq!(bucket.get("a").unwrap_err().code(), "NoSuchKey");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `MalformedXML`, `InvalidArgument`, `InvalidRequest`, `InvalidTag` for rules that the service would refuse;
    /// `NoSuchBucket`.
    pub fn set_lifecycle(&self, configuration: LifecycleConfiguration) -> Result<()> {
        self.call("PutBucketLifecycleConfiguration", || {
            Ok(self.stage_lifecycle(Some(configuration))?.wait()?)
        })
    }

    /// [`set_lifecycle`](Self::set_lifecycle), async.
    ///
    /// # Errors
    /// The same.
    pub async fn set_lifecycle_async(&self, configuration: LifecycleConfiguration) -> Result<()> {
        self.call_async("PutBucketLifecycleConfiguration", async {
            Ok(self.stage_lifecycle(Some(configuration))?.done().await?)
        })
        .await
    }

    /// Nothing becomes of the objects here by themselves any more.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn delete_lifecycle(&self) -> Result<()> {
        self.call("DeleteBucketLifecycle", || Ok(self.stage_lifecycle(None)?.wait()?))
    }

    /// [`delete_lifecycle`](Self::delete_lifecycle), async.
    ///
    /// # Errors
    /// The same.
    pub async fn delete_lifecycle_async(&self) -> Result<()> {
        self.call_async("DeleteBucketLifecycle", async { Ok(self.stage_lifecycle(None)?.done().await?) })
            .await
    }

    fn stage_lifecycle(&self, configuration: Option<LifecycleConfiguration>) -> Result<Pending<()>> {
        let stored = match configuration {
            Some(mut configuration) => {
                configuration.validate()?;
                configuration.name_rules(|| random_id(&self.store));
                Some(Bytes::from(configuration.encode()))
            }
            None => None,
        };
        let pending = self.bucket.change(&self.store, |record| {
            match stored {
                Some(stored) => record.settings.insert(LIFECYCLE, stored),
                None => record.settings.remove(&LIFECYCLE),
            };
            Ok(())
        })?;
        self.state.sweeper.begin(&self.store);
        Ok(pending)
    }

    /// When a rule will expire the current object of a key, if one will: of a version that is not the current one, none
    /// is said.
    ///
    /// # Errors
    /// As for [`head_object`](Self::head_object).
    pub fn expiration(&self, key: &str, version_id: Option<&str>) -> Result<Option<ObjectExpiration>> {
        let settings = self.bucket.settings()?;
        let Some(lifecycle) = &settings.lifecycle else { return Ok(None) };
        let versions = self.versions(&settings, key);
        let (version, object) = versions.readable(version_id, "HEAD")?;
        if version_id.is_some() && versions.newest()?.is_none_or(|newest| newest.place != version.place) {
            return Ok(None);
        }
        let day = self.state.dials.read().day;
        Ok(lifecycle.expiration_of(key, facts(&object), version.modified, day).map(Into::into))
    }

    /// When a rule will abort an upload of this key that was begun at `initiated`, if one will: `x-amz-abort-date` and
    /// `x-amz-abort-rule-id`.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn abortion(&self, key: &str, initiated: Timestamp) -> Result<Option<ObjectExpiration>> {
        let settings = self.bucket.settings()?;
        let Some(lifecycle) = &settings.lifecycle else { return Ok(None) };
        Ok(lifecycle.abortion_of(key, initiated, self.state.dials.read().day).map(Into::into))
    }
}
