//! What can be wrong with a notification configuration, in the words of the service.

use crate::error::Fault;
use crate::objects::notify::EventType;
use std::fmt;

/// Why a notification configuration is refused. The one before stays.
///
/// ```
/// use fourfold::objects::{EventType, NotificationConfiguration, NotificationRule};
/// let rule = || NotificationRule::new("arn:aws:sqs:us-east-1:000000000000:q", [EventType::ObjectCreated]);
/// let refused = NotificationConfiguration::new([rule(), rule()]).validate().unwrap_err();
/// assert_eq!(refused.code(), "InvalidArgument");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotificationError {
    /// A rule without events, or with an event twice in its list.
    Malformed,
    /// Not an ARN of a queue, a stream, a function or a topic.
    BadArn {
        /// As it was given.
        given: String,
    },
    /// The target is in another region than the bucket.
    OtherRegion {
        /// The target.
        arn: String,
    },
    /// Targets that are not there, or do not take events, each with the reason.
    BadTargets {
        /// ARN and reason.
        targets: Vec<(String, String)>,
    },
    /// No event has this name.
    UnknownEvent {
        /// As it was given.
        given: String,
    },
    /// The name of a filter rule is neither `prefix` nor `suffix`.
    BadFilterName {
        /// As it was given.
        given: String,
    },
    /// A filter with two prefixes or two suffixes.
    RepeatedFilter {
        /// `prefix` or `suffix`.
        name: &'static str,
    },
    /// A prefix or suffix of more than 1,024 bytes.
    LongFilter {
        /// Bytes.
        len: usize,
    },
    /// Two rules without filters share an event.
    Overlap,
    /// Two rules share an event, and there are keys that pass the filters of both.
    AmbiguousFilters,
    /// Two rules have the same ID.
    DuplicateId {
        /// It.
        id: String,
    },
    /// An ID of more than 255 characters.
    IdTooLong {
        /// Characters.
        len: usize,
    },
    /// More rules than a bucket may have.
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// Delivery to an event bus, which is not there.
    NoEventBus,
}

/// What targets that cannot be are called in the answer's body; of more no one is told.
const TARGETS: [(&str, &str); 10] = [
    ("ArgumentName1", "ArgumentValue1"),
    ("ArgumentName2", "ArgumentValue2"),
    ("ArgumentName3", "ArgumentValue3"),
    ("ArgumentName4", "ArgumentValue4"),
    ("ArgumentName5", "ArgumentValue5"),
    ("ArgumentName6", "ArgumentValue6"),
    ("ArgumentName7", "ArgumentValue7"),
    ("ArgumentName8", "ArgumentValue8"),
    ("ArgumentName9", "ArgumentValue9"),
    ("ArgumentName10", "ArgumentValue10"),
];

impl NotificationError {
    /// The error code of S3.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "MalformedXML",
            Self::NoEventBus => "NotImplemented",
            _ => "InvalidArgument",
        }
    }

    /// Always the caller's.
    pub const fn fault(&self) -> Fault {
        Fault::Caller
    }

    /// What stands beside the message in the answer's body.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        let argument = |name: &str, value: &str| {
            vec![("ArgumentName", name.to_owned()), ("ArgumentValue", value.to_owned())]
        };
        match self {
            Self::BadArn { given } => argument("Queue", given),
            Self::OtherRegion { arn } => argument("Arn", arn),
            Self::UnknownEvent { given } => argument("Event", given),
            Self::BadFilterName { given } => argument("FilterRule.Name", given),
            Self::RepeatedFilter { name } => argument("FilterRule.Name", name),
            Self::LongFilter { len } => argument("FilterRule.Value", &len.to_string()),
            Self::DuplicateId { id } => argument("Id", id),
            Self::BadTargets { targets } => {
                let named = TARGETS.into_iter().zip(targets);
                named
                    .flat_map(|((name, value), (arn, why))| [(name, arn.clone()), (value, why.clone())])
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for NotificationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str(
                "The XML you provided was not well-formed or did not validate against our published schema",
            ),
            Self::BadArn { .. } => f.write_str("The ARN could not be parsed"),
            Self::OtherRegion { .. } => f.write_str(
                "The notification destination service region is not valid for the bucket location constraint",
            ),
            Self::BadTargets { .. } => {
                f.write_str("Unable to validate the following destination configurations")
            }
            Self::UnknownEvent { given } => {
                write!(f, "The event '{given}' is not supported for notifications")
            }
            Self::BadFilterName { .. } => f.write_str("filter rule name must be either prefix or suffix"),
            Self::RepeatedFilter { name } => {
                write!(f, "Cannot specify more than one {name} rule in a filter.")
            }
            Self::LongFilter { .. } => {
                f.write_str("Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation")
            }
            Self::Overlap => f.write_str(
                "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
            ),
            Self::AmbiguousFilters => f.write_str(
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the \
                 prefixes are overlapping for the same event type.",
            ),
            Self::DuplicateId { id } => {
                write!(f, "Same ID used for multiple configurations. IDs must be unique: {id}")
            }
            Self::IdTooLong { .. } => f.write_str("ID length should not exceed allowed limit of 255"),
            Self::TooMany { limit } => {
                write!(f, "A bucket cannot have more than {limit} event notifications.")
            }
            Self::NoEventBus => {
                f.write_str("A header you provided implies functionality that is not implemented")
            }
        }
    }
}

impl std::error::Error for NotificationError {}

/// As the service writes the names of events that two rules share.
pub(crate) fn share_an_event(one: &[EventType], other: &[EventType]) -> bool {
    one.iter().any(|event| other.iter().any(|other| event.overlaps(*other)))
}
