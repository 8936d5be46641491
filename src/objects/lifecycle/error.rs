//! What can be wrong with a lifecycle configuration, in the words of the service.

use crate::clock::Timestamp;
use crate::error::Fault;
use crate::objects::lifecycle::TransitionClass;
use std::fmt;

/// Why a lifecycle configuration is refused. The one before stays.
///
/// ```
/// use fourfold::objects::{LifecycleConfiguration, LifecycleRule};
/// let refused = LifecycleConfiguration::new([LifecycleRule::default()]).validate().unwrap_err();
/// assert_eq!(refused.code(), "InvalidRequest");
/// assert_eq!(refused.to_string(), "At least one action needs to be specified in a rule");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LifecycleError {
    /// No rules or too many, a rule without a filter or with two conditions beside each other, days together with a
    /// date: what the schema of the document does not allow.
    Malformed,
    /// An ID of more than 255 characters.
    IdTooLong {
        /// Characters.
        len: usize,
    },
    /// Two rules have the same ID.
    DuplicateId {
        /// It.
        id: String,
    },
    /// A number of days, or of versions, that must be 1 or more.
    NotPositive {
        /// Its name on the wire.
        field: &'static str,
        /// The action that it is of.
        action: &'static str,
        /// As it was given.
        given: i32,
    },
    /// A number of days that must be 0 or more.
    Negative {
        /// Its name on the wire.
        field: &'static str,
        /// The action that it is of.
        action: &'static str,
        /// As it was given.
        given: i32,
    },
    /// More than 100 newer versions to keep.
    TooManyVersions {
        /// The action that it is of.
        action: &'static str,
        /// As it was given.
        given: i32,
    },
    /// Objects go to infrequent access after 30 days at the earliest.
    TooEarly {
        /// `Days` or `NoncurrentDays`.
        field: &'static str,
        /// The action that it is of.
        action: &'static str,
        /// Where they should go.
        class: TransitionClass,
    },
    /// A date that is no midnight.
    NotMidnight {
        /// As it was given.
        date: Timestamp,
    },
    /// A rule that expires objects before, or when, it moves them.
    ExpiresFirst {
        /// The rule's filter, as the service writes it.
        filter: String,
    },
    /// A transition to the next class less than 30 days after that to infrequent access.
    TransitionsTooClose {
        /// The rule's filter, as the service writes it.
        filter: String,
        /// The later one.
        class: TransitionClass,
        /// The earlier one.
        after: TransitionClass,
    },
    /// Days here and dates there, in one rule.
    MixedDaysAndDates {
        /// The rule's filter, as the service writes it.
        filter: String,
    },
    /// Two transitions to one class in a rule.
    DuplicateTransition {
        /// The rule's filter, as the service writes it.
        filter: String,
    },
    /// A rule that does nothing.
    NoAction,
    /// A prefix of the rule beside its filter.
    PrefixBesideFilter,
    /// Rules of both forms in one configuration.
    MixedForms,
    /// An action that no filter by tags goes with.
    TagsNotAllowed {
        /// Its name on the wire.
        action: &'static str,
    },
    /// An action that no filter by size goes with.
    SizeNotAllowed {
        /// Its name on the wire.
        action: &'static str,
    },
    /// A filter with a tag key twice.
    DuplicateTags,
    /// A tag whose key or value is too long or empty.
    InvalidTag {
        /// Its key.
        key: String,
    },
    /// A filter that no size passes.
    NoSizeBetween {
        /// `ObjectSizeGreaterThan`.
        larger_than: u64,
        /// `ObjectSizeLessThan`.
        smaller_than: u64,
    },
    /// In the first form of the API: two rules with the same action whose prefixes overlap.
    OverlappingPrefixes {
        /// The shorter one.
        outer: String,
        /// The longer one.
        inner: String,
        /// The action's name on the wire.
        action: &'static str,
    },
    /// No such minimum size.
    BadTransitionMinimum {
        /// As it was given.
        given: String,
    },
    /// The bucket has no lifecycle configuration.
    Missing {
        /// Its name.
        bucket: String,
    },
}

impl LifecycleError {
    /// The error code of S3.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "MalformedXML",
            Self::IdTooLong { .. }
            | Self::DuplicateId { .. }
            | Self::NotPositive { .. }
            | Self::Negative { .. }
            | Self::TooManyVersions { .. }
            | Self::TooEarly { .. }
            | Self::NotMidnight { .. }
            | Self::ExpiresFirst { .. }
            | Self::TransitionsTooClose { .. } => "InvalidArgument",
            Self::MixedDaysAndDates { .. }
            | Self::DuplicateTransition { .. }
            | Self::NoAction
            | Self::PrefixBesideFilter
            | Self::MixedForms
            | Self::TagsNotAllowed { .. }
            | Self::SizeNotAllowed { .. }
            | Self::DuplicateTags
            | Self::NoSizeBetween { .. }
            | Self::OverlappingPrefixes { .. }
            | Self::BadTransitionMinimum { .. } => "InvalidRequest",
            Self::InvalidTag { .. } => "InvalidTag",
            Self::Missing { .. } => "NoSuchLifecycleConfiguration",
        }
    }

    /// Always the caller's.
    pub const fn fault(&self) -> Fault {
        Fault::Caller
    }

    /// What stands beside the message in the answer's body.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        let argument =
            |name: &str, value: String| vec![("ArgumentName", name.to_owned()), ("ArgumentValue", value)];
        match self {
            Self::DuplicateId { id } => argument("ID", id.clone()),
            Self::NotPositive { field, given, .. } | Self::Negative { field, given, .. } => {
                argument(field, given.to_string())
            }
            Self::TooManyVersions { given, .. } => argument("NewerNoncurrentVersions", given.to_string()),
            Self::NotMidnight { date } => argument("Date", date.to_string()),
            Self::InvalidTag { key } => vec![("TagKey", key.clone())],
            Self::Missing { bucket } => vec![("BucketName", bucket.clone())],
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for LifecycleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str(
                "The XML you provided was not well-formed or did not validate against our published schema",
            ),
            Self::IdTooLong { .. } => f.write_str("ID length should not exceed allowed limit of 255"),
            Self::DuplicateId { .. } => {
                f.write_str("Rule ID must be unique. Found same ID for more than one rule")
            }
            Self::NotPositive { field, action, .. } => {
                write!(f, "'{field}' for {action} action must be a positive integer")
            }
            Self::Negative { field, action, .. } => {
                write!(f, "'{field}' in {action} action must be nonnegative")
            }
            Self::TooManyVersions { action, .. } => {
                write!(f, "'NewerNoncurrentVersions' for {action} action must not exceed 100")
            }
            Self::TooEarly { field, action, class } => write!(
                f,
                "'{field}' in {action} action must be greater than or equal to 30 for storageClass '{class}'"
            ),
            Self::NotMidnight { .. } => f.write_str("'Date' must be at midnight GMT"),
            Self::ExpiresFirst { filter } => write!(
                f,
                "'Days' in the Expiration action for filter '{filter}' must be greater than 'Days' in the \
                 Transition action"
            ),
            Self::TransitionsTooClose { filter, class, after } => write!(
                f,
                "'Days' in the 'Transition' action for StorageClass '{class}' for filter '{filter}' must be 30 \
                 days more than 'filter '{filter}'' in the 'Transition' action for StorageClass '{after}'"
            ),
            _ => self.request(f),
        }
    }
}

impl LifecycleError {
    /// The texts of requests that contradict themselves or others.
    fn request(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MixedDaysAndDates { filter } => write!(
                f,
                "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for \
                 filter '{filter}'"
            ),
            Self::DuplicateTransition { filter } => write!(
                f,
                "'StorageClass' must be different for 'Transition' actions in same 'Rule' with filter '{filter}'"
            ),
            Self::NoAction => f.write_str("At least one action needs to be specified in a rule"),
            Self::PrefixBesideFilter => f.write_str(
                "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.",
            ),
            Self::MixedForms => f.write_str("Filter element can only be used in Lifecycle V2."),
            Self::TagsNotAllowed { action } => write!(f, "{action} cannot be specified with Tags."),
            Self::SizeNotAllowed { action } => write!(f, "{action} cannot be specified with Object Size."),
            Self::DuplicateTags => f.write_str("Duplicate Tag Keys are not allowed."),
            Self::InvalidTag { .. } => f.write_str("The TagKey you have provided is invalid"),
            Self::NoSizeBetween { .. } => {
                f.write_str("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
            }
            Self::OverlappingPrefixes { outer, inner, action } if outer == inner => {
                write!(f, "Found two rules with same prefix '{inner}' for same action type '{action}'")
            }
            Self::OverlappingPrefixes { outer, inner, action } => write!(
                f,
                "Found overlapping prefixes '{outer}' and '{inner}' for same action type '{action}'"
            ),
            Self::BadTransitionMinimum { given } => {
                write!(f, "Invalid TransitionDefaultMinimumObjectSize found: {given}")
            }
            _ => f.write_str("The lifecycle configuration does not exist"),
        }
    }
}

impl std::error::Error for LifecycleError {}
