//! What a queue refuses, in the service's words.

use crate::Fault;
use crate::call::Refusal;
use crate::faults::{Injected, Service};
use crate::queue::limits::{BATCH_ENTRIES_MAX, BATCH_LEN_MAX, STATEMENTS_MAX};
use crate::store::Store;
use std::borrow::Cow;
use std::fmt;

/// The result of an operation on a queue.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal of the service, or a fault of the store below.
///
/// Nothing was changed when one is returned. [`code`](Self::code) is what an AWS client matches on, [`Display`](fmt::Display)
/// the service's message.
///
/// ```
/// use fourfold::{Fault, Store, queue::Error};
/// let error = Store::in_memory().queues().get("jobs").unwrap_err();
/// assert!(matches!(error, Error::QueueDoesNotExist));
/// assert_eq!(error.code(), "QueueDoesNotExist");
/// assert_eq!(error.query_code(), "AWS.SimpleQueueService.NonExistentQueue");
/// assert_eq!(error.to_string(), "The specified queue does not exist.");
/// assert_eq!((error.fault(), error.status()), (Fault::Caller, 400));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// No queue has this name, or it was deleted since the handle was made.
    QueueDoesNotExist,
    /// A queue with this name exists and differs.
    QueueNameExists {
        /// The attribute in which it differs.
        attribute: String,
    },
    /// The name was in use until less than 60 seconds ago.
    QueueDeletedRecently,
    /// The queue was purged less than 60 seconds ago.
    PurgeQueueInProgress {
        /// Its name.
        queue: String,
    },
    /// Too many messages of a standard queue are in flight.
    OverLimit {
        /// How many there may be.
        limit: usize,
    },
    /// An access policy would have too many statements.
    PolicyTooLong {
        /// How many.
        statements: usize,
    },
    /// The message waits to be received: its visibility cannot be changed.
    MessageNotInflight,
    /// Not a receipt handle of this queue.
    ReceiptHandleIsInvalid {
        /// What was given.
        handle: String,
    },
    /// Two entries of a batch have the same id.
    BatchEntryIdsNotDistinct {
        /// The id.
        id: String,
    },
    /// The messages of a batch are too long together.
    BatchRequestTooLong {
        /// Their bytes.
        len: usize,
    },
    /// A batch without entries.
    EmptyBatchRequest {
        /// The service's name for its entries.
        entry: &'static str,
    },
    /// A batch entry's id is not 1 to 80 of `A-Z a-z 0-9 _ -`.
    InvalidBatchEntryId,
    /// More than ten entries.
    TooManyEntriesInBatchRequest {
        /// How many.
        count: usize,
    },
    /// The queue has no such attribute, or not this kind of queue.
    InvalidAttributeName {
        /// The service's message.
        message: String,
    },
    /// An attribute cannot have this value.
    InvalidAttributeValue {
        /// The service's message.
        message: String,
    },
    /// A body or attribute has a character that XML 1.0 has not.
    InvalidMessageContents,
    /// A parameter is out of range, malformed, or out of place.
    InvalidParameterValue {
        /// The service's message, with the offending value.
        message: String,
    },
    /// A parameter that must be there is not.
    MissingParameter {
        /// Which.
        parameter: Cow<'static, str>,
    },
    /// Not possible in this state.
    UnsupportedOperation {
        /// The service's message.
        message: String,
    },
    /// What an ARN or a task handle names does not exist.
    ResourceNotFound {
        /// The service's message.
        message: String,
    },
    /// Too many requests; only with [`Dials::throttle`](crate::queue::Dials::throttle).
    RequestThrottled,
    /// The store below could not do it.
    Storage(crate::Error),
    /// A failure that a test asked for: see [`faults`](crate::faults).
    Injected(Injected),
}

impl Error {
    /// `InvalidParameterValue` in the form that the service gives it for ranges and formats.
    #[cold]
    pub(super) fn parameter(value: impl fmt::Display, name: &str, reason: impl fmt::Display) -> Self {
        let message = format!("Value {value} for parameter {name} is invalid. Reason: {reason}");
        Self::InvalidParameterValue { message }
    }

    #[cold]
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidParameterValue { message: message.into() }
    }

    #[cold]
    pub(super) fn missing(parameter: impl Into<Cow<'static, str>>) -> Self {
        Self::MissingParameter { parameter: parameter.into() }
    }

    #[cold]
    pub(super) fn unknown_attribute(name: &str) -> Self {
        Self::InvalidAttributeName { message: format!("Unknown Attribute {name}.") }
    }

    #[cold]
    pub(super) fn attribute_value(name: &str) -> Self {
        Self::InvalidAttributeValue { message: format!("Invalid value for the parameter {name}.") }
    }

    /// The error's name: what a failed batch entry carries, and by which the service's documents speak of it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::QueueDoesNotExist => "QueueDoesNotExist",
            Self::QueueNameExists { .. } => "QueueNameExists",
            Self::QueueDeletedRecently => "QueueDeletedRecently",
            Self::PurgeQueueInProgress { .. } => "PurgeQueueInProgress",
            Self::OverLimit { .. } | Self::PolicyTooLong { .. } => "OverLimit",
            Self::MessageNotInflight => "MessageNotInflight",
            Self::ReceiptHandleIsInvalid { .. } => "ReceiptHandleIsInvalid",
            Self::BatchEntryIdsNotDistinct { .. } => "BatchEntryIdsNotDistinct",
            Self::BatchRequestTooLong { .. } => "BatchRequestTooLong",
            Self::EmptyBatchRequest { .. } => "EmptyBatchRequest",
            Self::InvalidBatchEntryId => "InvalidBatchEntryId",
            Self::TooManyEntriesInBatchRequest { .. } => "TooManyEntriesInBatchRequest",
            Self::InvalidAttributeName { .. } => "InvalidAttributeName",
            Self::InvalidAttributeValue { .. } => "InvalidAttributeValue",
            Self::InvalidMessageContents => "InvalidMessageContents",
            Self::InvalidParameterValue { .. } => "InvalidParameterValue",
            Self::MissingParameter { .. } => "MissingParameter",
            Self::UnsupportedOperation { .. } => "UnsupportedOperation",
            Self::ResourceNotFound { .. } => "ResourceNotFoundException",
            Self::RequestThrottled => "RequestThrottled",
            Self::Injected(injected) => injected.code,
            Self::Storage(_) => "InternalError",
        }
    }

    /// The error's type in the JSON protocol (`__type`).
    pub fn shape(&self) -> &'static str {
        match self {
            Self::InvalidParameterValue { .. } => "InvalidParameterValueException",
            Self::MissingParameter { .. } => "MissingRequiredParameterException",
            other => other.code(),
        }
    }

    /// The error's name in the older query protocol: what clients of today find in `x-amzn-query-error`.
    pub fn query_code(&self) -> &'static str {
        match self {
            Self::QueueDoesNotExist => "AWS.SimpleQueueService.NonExistentQueue",
            Self::QueueNameExists { .. } => "QueueAlreadyExists",
            Self::QueueDeletedRecently => "AWS.SimpleQueueService.QueueDeletedRecently",
            Self::PurgeQueueInProgress { .. } => "AWS.SimpleQueueService.PurgeQueueInProgress",
            Self::MessageNotInflight => "AWS.SimpleQueueService.MessageNotInflight",
            Self::BatchEntryIdsNotDistinct { .. } => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            Self::BatchRequestTooLong { .. } => "AWS.SimpleQueueService.BatchRequestTooLong",
            Self::EmptyBatchRequest { .. } => "AWS.SimpleQueueService.EmptyBatchRequest",
            Self::InvalidBatchEntryId => "AWS.SimpleQueueService.InvalidBatchEntryId",
            Self::TooManyEntriesInBatchRequest { .. } => {
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
            }
            Self::UnsupportedOperation { .. } => "AWS.SimpleQueueService.UnsupportedOperation",
            other => other.code(),
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> u16 {
        match self {
            Self::PurgeQueueInProgress { .. }
            | Self::OverLimit { .. }
            | Self::PolicyTooLong { .. }
            | Self::RequestThrottled => 403,
            Self::ResourceNotFound { .. } => 404,
            Self::Storage(_) => 500,
            Self::Injected(injected) => injected.status,
            _ => 400,
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Storage(_) => Fault::Service,
            Self::Injected(injected) => injected.fault(),
            _ => Fault::Caller,
        }
    }
}

impl Refusal for Error {
    const SERVICE: Service = Service::Queue;

    fn code(&self) -> &'static str {
        self.code()
    }

    fn injected(injected: Injected) -> Self {
        Self::Injected(injected)
    }

    fn throttled(_: &Store, _: &str) -> Self {
        Self::RequestThrottled
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueDoesNotExist => f.write_str("The specified queue does not exist."),
            Self::QueueNameExists { attribute } => write!(
                f,
                "A queue already exists with the same name and a different value for attribute {attribute}"
            ),
            Self::QueueDeletedRecently => f.write_str(
                "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
            ),
            Self::PurgeQueueInProgress { queue } => {
                write!(f, "Only one PurgeQueue operation on {queue} is allowed every 60 seconds.")
            }
            Self::OverLimit { limit } => {
                write!(f, "The maximum number of in flight messages is reached: {limit}.")
            }
            Self::PolicyTooLong { statements } => {
                write!(f, "{statements} Statements were found, maximum allowed is {STATEMENTS_MAX}.")
            }
            Self::MessageNotInflight => f.write_str("The specified message isn't in flight."),
            Self::ReceiptHandleIsInvalid { handle } => {
                write!(f, "The input receipt handle \"{handle}\" is not a valid receipt handle.")
            }
            Self::BatchEntryIdsNotDistinct { id } => write!(f, "Id {id} repeated."),
            Self::BatchRequestTooLong { len } => write!(
                f,
                "Batch requests cannot be longer than {BATCH_LEN_MAX} bytes. You have sent {len} bytes."
            ),
            Self::EmptyBatchRequest { entry } => {
                write!(f, "There should be at least one {entry} in the request.")
            }
            Self::InvalidBatchEntryId => f.write_str(
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most \
                 80 letters long.",
            ),
            Self::TooManyEntriesInBatchRequest { count } => write!(
                f,
                "Maximum number of entries per request are {BATCH_ENTRIES_MAX}. You have sent {count}."
            ),
            Self::InvalidAttributeName { message }
            | Self::InvalidAttributeValue { message }
            | Self::InvalidParameterValue { message }
            | Self::UnsupportedOperation { message }
            | Self::ResourceNotFound { message } => f.write_str(message),
            Self::InvalidMessageContents => f.write_str(
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to \
                 #xFFFD | #x10000 to #x10FFFF",
            ),
            Self::MissingParameter { parameter } => {
                write!(f, "The request must contain the parameter {parameter}.")
            }
            Self::RequestThrottled => f.write_str("Rate exceeded"),
            Self::Injected(injected) => injected.fmt(f),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        Self::Storage(error)
    }
}

/// The fault of the store in an error of work that nobody asked for; refusals there are nobody's.
pub(super) fn storage(error: Error) -> crate::Error {
    match error {
        Error::Storage(error) => error,
        refusal => crate::Error::invalid("queue", refusal),
    }
}
