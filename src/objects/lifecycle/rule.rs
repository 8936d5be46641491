//! What a lifecycle configuration says: rules, what they apply to, what they do.

use crate::clock::Timestamp;
use crate::objects::lifecycle::LifecycleError;
use std::fmt;
use std::str::FromStr;

/// The lifecycle of a bucket's objects, set and replaced as a whole.
///
/// ```
/// use fourfold::objects::{LifecycleConfiguration, LifecycleRule};
/// let mut logs = LifecycleRule::for_prefix("logs/");
/// logs.expiration.days = Some(30);
/// let configuration = LifecycleConfiguration::new([logs]);
/// assert_eq!(configuration.validate(), Ok(()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LifecycleConfiguration {
    /// 1 to 1,000.
    pub rules: Vec<LifecycleRule>,
    /// Which objects are too small to change their storage class, where a rule does not say it itself.
    pub transition_minimum: TransitionMinimum,
}

impl LifecycleConfiguration {
    /// These rules, with everything else as the service has it by default.
    pub fn new(rules: impl IntoIterator<Item = LifecycleRule>) -> Self {
        Self { rules: rules.into_iter().collect(), transition_minimum: TransitionMinimum::default() }
    }
}

/// What happens to some of a bucket's objects, and when.
///
/// ```
/// use fourfold::objects::{LifecycleFilter, LifecycleRule, LifecycleStatus};
/// let mut rule = LifecycleRule::default(); // of all objects
/// rule.id = Some("keep five".into()); // a name is given if there is none
/// rule.noncurrent_expiration.days = Some(7);
/// rule.noncurrent_expiration.newer_versions = Some(5);
/// rule.abort_incomplete_upload_days = Some(1);
/// assert_eq!(rule.status, LifecycleStatus::Enabled);
/// assert_eq!(rule.filter, Some(LifecycleFilter::default()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LifecycleRule {
    /// Unique in its bucket, at most 255 characters.
    pub id: Option<String>,
    /// Whether it is applied.
    pub status: LifecycleStatus,
    /// The first form of the API: a prefix of the rule itself, instead of a filter. All rules of a bucket have the same
    /// form.
    pub prefix: Option<String>,
    /// What the rule applies to. The empty one is everything.
    pub filter: Option<LifecycleFilter>,
    /// When current versions expire.
    pub expiration: Expiration,
    /// When versions that are not current any more are deleted.
    pub noncurrent_expiration: NoncurrentExpiration,
    /// Days after which a multipart upload that was not completed is aborted; 1 or more.
    pub abort_incomplete_upload_days: Option<i32>,
    /// When current versions change their storage class.
    pub transitions: Vec<Transition>,
    /// When versions that are not current any more change their storage class.
    pub noncurrent_transitions: Vec<NoncurrentTransition>,
}

/// Enabled, of all objects, and doing nothing yet.
impl Default for LifecycleRule {
    fn default() -> Self {
        Self {
            id: None,
            status: LifecycleStatus::Enabled,
            prefix: None,
            filter: Some(LifecycleFilter::default()),
            expiration: Expiration::default(),
            noncurrent_expiration: NoncurrentExpiration::default(),
            abort_incomplete_upload_days: None,
            transitions: Vec::new(),
            noncurrent_transitions: Vec::new(),
        }
    }
}

impl LifecycleRule {
    /// A rule of the objects whose keys start with `prefix`, which does nothing yet.
    pub fn for_prefix(prefix: impl Into<String>) -> Self {
        Self { filter: Some(LifecycleFilter::prefix(prefix)), ..Self::default() }
    }

    /// Everything it applies to, as one conjunction.
    pub(crate) fn conditions(&self) -> Conditions<'_> {
        let filter = self.filter.as_ref();
        let and = filter.and_then(|filter| filter.and.as_ref());
        let tag = filter.and_then(|filter| filter.tag.as_ref());
        let prefix = [
            self.prefix.as_deref(),
            filter.and_then(|filter| filter.prefix.as_deref()),
            and.and_then(|and| and.prefix.as_deref()),
        ];
        Conditions {
            prefix: prefix.into_iter().flatten().next().unwrap_or_default(),
            tags: and.map_or_else(|| tag.map(std::slice::from_ref).unwrap_or_default(), |and| &and.tags),
            larger_than: filter.and_then(|filter| filter.larger_than).or(and.and_then(|and| and.larger_than)),
            smaller_than: filter
                .and_then(|filter| filter.smaller_than)
                .or(and.and_then(|and| and.smaller_than)),
        }
    }
}

/// What must be true of an object for a rule to apply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) tags: &'a [LifecycleTag],
    pub(crate) larger_than: Option<u64>,
    pub(crate) smaller_than: Option<u64>,
}

/// Is a rule applied?
///
/// ```
/// use fourfold::objects::LifecycleStatus;
/// assert_eq!("Disabled".parse(), Ok(LifecycleStatus::Disabled));
/// assert_eq!("enabled".parse::<LifecycleStatus>().unwrap_err().code(), "MalformedXML");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LifecycleStatus {
    /// It is.
    Enabled,
    /// It is kept, and does nothing.
    Disabled,
}

impl LifecycleStatus {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
        }
    }
}

/// Exactly by its name on the wire.
impl FromStr for LifecycleStatus {
    type Err = LifecycleError;

    fn from_str(text: &str) -> Result<Self, LifecycleError> {
        match text {
            "Enabled" => Ok(Self::Enabled),
            "Disabled" => Ok(Self::Disabled),
            _ => Err(LifecycleError::Malformed),
        }
    }
}

/// A key and a value that an object must be tagged with.
///
/// ```
/// use fourfold::objects::{LifecycleFilter, LifecycleTag};
/// let filter = LifecycleFilter { tag: Some(LifecycleTag::new("stage", "test")), ..LifecycleFilter::default() };
/// assert_eq!(filter.tag.unwrap().key, "stage");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LifecycleTag {
    /// 1 to 128 characters.
    pub key: String,
    /// At most 256 characters.
    pub value: String,
}

impl LifecycleTag {
    /// This key and value.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }

    pub(crate) fn is_among(&self, tags: &[(String, String)]) -> bool {
        tags.iter().any(|(key, value)| *key == self.key && *value == self.value)
    }
}

/// One condition, or several under [`and`](Self::and), or none.
///
/// ```
/// use fourfold::objects::{LifecycleAnd, LifecycleFilter, LifecycleRule};
/// let mut rule = LifecycleRule::default();
/// rule.expiration.days = Some(1);
/// let and = LifecycleAnd { prefix: Some("in/".into()), larger_than: Some(1 << 20), ..LifecycleAnd::default() };
/// rule.filter = Some(LifecycleFilter { and: Some(and), ..LifecycleFilter::default() });
/// assert_eq!(fourfold::objects::LifecycleConfiguration::new([rule]).validate(), Ok(()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LifecycleFilter {
    /// Of the key.
    pub prefix: Option<String>,
    /// Of the object.
    pub tag: Option<LifecycleTag>,
    /// `ObjectSizeGreaterThan`, in bytes: of objects that are larger.
    pub larger_than: Option<u64>,
    /// `ObjectSizeLessThan`, in bytes: of objects that are smaller.
    pub smaller_than: Option<u64>,
    /// Several conditions, and nothing beside them.
    pub and: Option<LifecycleAnd>,
}

impl LifecycleFilter {
    /// Of objects whose keys start so.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into()), ..Self::default() }
    }
}

/// Two or more conditions that must all be true. See [`LifecycleFilter`].
///
/// ```
/// use fourfold::objects::{LifecycleAnd, LifecycleTag};
/// let both = LifecycleAnd {
///     tags: vec![LifecycleTag::new("a", "1"), LifecycleTag::new("b", "2")],
///     ..LifecycleAnd::default()
/// };
/// assert!(both.prefix.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LifecycleAnd {
    /// Of the key.
    pub prefix: Option<String>,
    /// Of the object; each of them, no key twice.
    pub tags: Vec<LifecycleTag>,
    /// `ObjectSizeGreaterThan`, in bytes.
    pub larger_than: Option<u64>,
    /// `ObjectSizeLessThan`, in bytes.
    pub smaller_than: Option<u64>,
}

/// When current versions expire: one of the three, or none. In a bucket without versions they are then deleted; with
/// versions they get a delete marker in front.
///
/// ```
/// use fourfold::objects::{LifecycleConfiguration, LifecycleRule};
/// let mut rule = LifecycleRule::default();
/// rule.expiration.days = Some(0);
/// let refused = LifecycleConfiguration::new([rule]).validate().unwrap_err();
/// assert_eq!(refused.to_string(), "'Days' for Expiration action must be a positive integer");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expiration {
    /// Days after creation; 1 or more.
    pub days: Option<i32>,
    /// From this midnight on.
    pub date: Option<Timestamp>,
    /// Are delete markers removed that are all that is left of their object?
    pub expired_object_delete_marker: Option<bool>,
}

impl Expiration {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// When versions are deleted that are not current any more.
///
/// ```
/// use fourfold::objects::NoncurrentExpiration;
/// let keep_two = NoncurrentExpiration { days: Some(1), newer_versions: Some(2) };
/// assert_ne!(keep_two, NoncurrentExpiration::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoncurrentExpiration {
    /// `NoncurrentDays`: days after a newer version came; 1 or more.
    pub days: Option<i32>,
    /// `NewerNoncurrentVersions`: so many of them are kept whatever their age; 1 to 100, together with days only.
    pub newer_versions: Option<i32>,
}

impl NoncurrentExpiration {
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// When a current version gets another storage class, which is a label here: one of days or date.
///
/// ```
/// use fourfold::objects::{Transition, TransitionClass};
/// let archive = Transition { days: Some(0), date: None, class: TransitionClass::Glacier };
/// assert_eq!(archive.class.name(), "GLACIER");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Days after creation; 0 or more, 30 or more for the two classes of infrequent access.
    pub days: Option<i32>,
    /// From this midnight on.
    pub date: Option<Timestamp>,
    /// The class from then on.
    pub class: TransitionClass,
}

/// When a version that is not current any more gets another storage class.
///
/// ```
/// use fourfold::objects::{NoncurrentTransition, TransitionClass};
/// let cold = NoncurrentTransition { days: Some(30), newer_versions: None, class: TransitionClass::DeepArchive };
/// assert_eq!(cold.days, Some(30));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoncurrentTransition {
    /// `NoncurrentDays`: days after a newer version came; 0 or more.
    pub days: Option<i32>,
    /// `NewerNoncurrentVersions`: so many of them stay as they are; 1 to 100.
    pub newer_versions: Option<i32>,
    /// The class from then on.
    pub class: TransitionClass,
}

/// A storage class that objects can change to, from the warmest to the coldest. They change only to colder ones.
///
/// ```
/// use fourfold::objects::TransitionClass;
/// assert!(TransitionClass::StandardIa < TransitionClass::Glacier);
/// assert_eq!("DEEP_ARCHIVE".parse(), Ok(TransitionClass::DeepArchive));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TransitionClass {
    /// `STANDARD_IA`.
    StandardIa,
    /// `INTELLIGENT_TIERING`.
    IntelligentTiering,
    /// `ONEZONE_IA`.
    OnezoneIa,
    /// `GLACIER_IR`.
    GlacierIr,
    /// `GLACIER`.
    Glacier,
    /// `DEEP_ARCHIVE`.
    DeepArchive,
}

impl TransitionClass {
    pub(crate) const ALL: [Self; 6] = [
        Self::StandardIa,
        Self::IntelligentTiering,
        Self::OnezoneIa,
        Self::GlacierIr,
        Self::Glacier,
        Self::DeepArchive,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StandardIa => "STANDARD_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::OnezoneIa => "ONEZONE_IA",
            Self::GlacierIr => "GLACIER_IR",
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
        }
    }

    /// Does an object have to be thirty days old?
    pub(crate) const fn is_infrequent_access(self) -> bool {
        matches!(self, Self::StandardIa | Self::OnezoneIa)
    }
}

impl fmt::Display for TransitionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Exactly by its name on the wire.
impl FromStr for TransitionClass {
    type Err = LifecycleError;

    fn from_str(text: &str) -> Result<Self, LifecycleError> {
        Self::ALL.into_iter().find(|class| class.name() == text).ok_or(LifecycleError::Malformed)
    }
}

/// `TransitionDefaultMinimumObjectSize`: which objects are too small to change their storage class.
///
/// ```
/// use fourfold::objects::TransitionMinimum;
/// assert_eq!(TransitionMinimum::default().name(), "all_storage_classes_128K");
/// assert_eq!("varies_by_storage_class".parse(), Ok(TransitionMinimum::VariesByStorageClass));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TransitionMinimum {
    /// Those under 128 KiB, whatever the class.
    #[default]
    AllStorageClasses128K,
    /// Those under 128 KiB, but any size can go to `GLACIER` and `DEEP_ARCHIVE`.
    VariesByStorageClass,
}

impl TransitionMinimum {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AllStorageClasses128K => "all_storage_classes_128K",
            Self::VariesByStorageClass => "varies_by_storage_class",
        }
    }
}

/// Exactly by its name on the wire.
impl FromStr for TransitionMinimum {
    type Err = LifecycleError;

    fn from_str(text: &str) -> Result<Self, LifecycleError> {
        match text {
            "all_storage_classes_128K" => Ok(Self::AllStorageClasses128K),
            "varies_by_storage_class" => Ok(Self::VariesByStorageClass),
            _ => Err(LifecycleError::BadTransitionMinimum { given: text.to_owned() }),
        }
    }
}
