//! Why a stream refuses, in the service's words.

use crate::call::Refusal;
use crate::clock::Timestamp;
use crate::error::{Corruption, Fault};
use crate::faults::{Injected, Service};
use crate::store::Store;
use crate::stream::Status;
use crate::stream::time::day_and_time;
use std::fmt;

/// The result of an operation on streams.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on streams was refused or failed. [`code`](Self::code) is the service's; the text of
/// [`Display`](fmt::Display) is the service's message where it is known.
///
/// ```
/// use fourfold::{Store, stream::Error};
/// let store = Store::in_memory();
/// let error = store.streams().stream("clicks").unwrap_err();
/// assert_eq!(error.code(), "ResourceNotFoundException");
/// assert_eq!(error.to_string(), "Stream clicks under account 000000000000 not found.");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// No stream has this name, or it is not yet or no longer there.
    StreamNotFound {
        /// The name asked for.
        stream: String,
        /// The account of the store.
        account: String,
    },
    /// What was given is not the id of a shard of the stream.
    ShardNotFound {
        /// What was given.
        shard: String,
        /// The stream.
        stream: String,
        /// The account of the store.
        account: String,
    },
    /// The shard to read is not there: never, not any more, or not in this generation of the stream.
    ShardGone {
        /// The shard's id.
        shard: String,
        /// The stream.
        stream: String,
        /// The account of the store.
        account: String,
    },
    /// No consumer has this name or ARN.
    ConsumerNotFound {
        /// What was given.
        consumer: String,
        /// The account of the store.
        account: String,
    },
    /// A stream of this name is there already.
    StreamExists {
        /// The name.
        stream: String,
        /// The account of the store.
        account: String,
    },
    /// The stream is changing; it takes changes only while it is active.
    StreamNotActive {
        /// The stream.
        stream: String,
        /// The account of the store.
        account: String,
        /// What it is instead.
        status: Status,
    },
    /// Consumers are registered with the stream that was to be deleted.
    ConsumersRegistered {
        /// The stream.
        stream: String,
        /// Its ARN.
        arn: String,
        /// How many.
        count: usize,
    },
    /// A consumer of this name is registered already.
    ConsumerExists {
        /// The consumer.
        consumer: String,
        /// The stream.
        stream: String,
        /// The account of the store.
        account: String,
    },
    /// The consumer is still being made.
    ConsumerNotActive {
        /// The consumer.
        consumer: String,
        /// When it was registered.
        created: Timestamp,
        /// The stream.
        stream: String,
        /// The account of the store.
        account: String,
    },
    /// The consumer subscribed to this shard less than five seconds ago, or another subscription has taken over.
    Subscribed {
        /// The consumer.
        consumer: String,
        /// The shard.
        shard: String,
        /// The stream.
        stream: String,
        /// The account of the store.
        account: String,
    },
    /// The account has no room for so many shards.
    ShardLimit {
        /// The account of the store.
        account: String,
        /// The region of the store.
        region: String,
        /// Shards that are open now.
        current: u64,
        /// How many there may be.
        limit: u64,
        /// How many more there would be.
        additional: u64,
    },
    /// Another limit of the service.
    LimitExceeded {
        /// Which, and the offending value.
        message: String,
    },
    /// An argument that cannot be met, given the state of things.
    InvalidArgument {
        /// Which, and why.
        message: String,
    },
    /// An argument that no state of things could meet.
    Validation {
        /// Which, and the rule it breaks.
        message: String,
    },
    /// The iterator is older than five minutes. Get another.
    ExpiredIterator {
        /// When it was made.
        created: Timestamp,
        /// What time it is.
        now: Timestamp,
    },
    /// The token of a list is older than five minutes. Begin the list anew.
    ExpiredNextToken {
        /// When it was made.
        created: Timestamp,
        /// What time it is.
        now: Timestamp,
    },
    /// The shard is written to or read from faster than it may be ([`Dials::throttle`](super::Dials::throttle)). Try
    /// again later.
    ThroughputExceeded {
        /// The shard.
        shard: String,
        /// The stream.
        stream: String,
        /// The account of the store.
        account: String,
    },
    /// A failure that was asked for ([`Dials::fail_one_in`](super::Dials::fail_one_in)). Try again.
    InternalFailure,
    /// A fault of the store below.
    Storage(crate::Error),
    /// A failure that a test asked for: see [`faults`](crate::faults).
    Injected(Injected),
}

impl Error {
    /// The service's code, as its clients know it.
    ///
    /// ```
    /// use fourfold::stream::Error;
    /// assert_eq!(Error::InternalFailure.code(), "InternalFailureException");
    /// ```
    pub fn code(&self) -> &'static str {
        match self {
            Self::StreamNotFound { .. }
            | Self::ShardNotFound { .. }
            | Self::ShardGone { .. }
            | Self::ConsumerNotFound { .. } => "ResourceNotFoundException",
            Self::StreamExists { .. }
            | Self::StreamNotActive { .. }
            | Self::ConsumersRegistered { .. }
            | Self::ConsumerExists { .. }
            | Self::ConsumerNotActive { .. }
            | Self::Subscribed { .. } => "ResourceInUseException",
            Self::ShardLimit { .. } | Self::LimitExceeded { .. } => "LimitExceededException",
            Self::InvalidArgument { .. } => "InvalidArgumentException",
            Self::Validation { .. } => "ValidationException",
            Self::ExpiredIterator { .. } => "ExpiredIteratorException",
            Self::ExpiredNextToken { .. } => "ExpiredNextTokenException",
            Self::ThroughputExceeded { .. } => "ProvisionedThroughputExceededException",
            Self::Injected(injected) => injected.code,
            Self::InternalFailure | Self::Storage(_) => "InternalFailureException",
        }
    }

    /// Whose fault it is: may the same request succeed later, without a change to it?
    ///
    /// ```
    /// use fourfold::{Fault, stream::Error};
    /// assert_eq!(Error::InternalFailure.fault(), Fault::Service);
    /// ```
    pub fn fault(&self) -> Fault {
        match self {
            Self::InternalFailure | Self::Storage(_) => Fault::Service,
            Self::Injected(injected) => injected.fault(),
            _ => Fault::Caller,
        }
    }

    #[cold]
    pub(crate) fn invalid(message: impl fmt::Display) -> Self {
        Self::InvalidArgument { message: message.to_string() }
    }

    #[cold]
    pub(crate) fn limit(message: impl fmt::Display) -> Self {
        Self::LimitExceeded { message: message.to_string() }
    }

    /// A constraint of the service's model that `member` breaks.
    #[cold]
    pub(crate) fn constraint(
        value: Option<&dyn fmt::Display>,
        member: &str,
        constraint: impl fmt::Display,
    ) -> Self {
        let value = value.map(|value| format!(" '{value}'")).unwrap_or_default();
        Self::Validation {
            message: format!(
                "1 validation error detected: Value{value} at '{member}' failed to satisfy constraint: Member must \
                 {constraint}"
            ),
        }
    }
}

impl Error {
    /// Where a member of a record breaks the model: in which of the records of a request.
    #[cold]
    pub(crate) fn of_record(self, number: usize) -> Self {
        match self {
            Self::Validation { message } => Self::Validation {
                message: message.replacen(" at '", &format!(" at 'records.{number}.member."), 1),
            },
            other => other,
        }
    }
}

impl Refusal for Error {
    const SERVICE: Service = Service::Stream;

    fn code(&self) -> &'static str {
        self.code()
    }

    fn injected(injected: Injected) -> Self {
        Self::Injected(injected)
    }

    fn throttled(store: &Store, resource: &str) -> Self {
        let (stream, account) = (resource.to_owned(), store.account().to_owned());
        Self::ThroughputExceeded { shard: "shardId-000000000000".to_owned(), stream, account }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StreamNotFound { stream, account } => {
                write!(f, "Stream {stream} under account {account} not found.")
            }
            Self::ShardNotFound { shard, stream, account } => {
                write!(f, "Could not find shard {shard} in stream {stream} under account {account}.")
            }
            Self::ShardGone { shard, stream, account } => {
                write!(f, "Shard {shard} in stream {stream} under account {account} does not exist")
            }
            Self::ConsumerNotFound { consumer, account } => {
                write!(f, "Consumer {consumer}, account {account} not found.")
            }
            Self::StreamExists { stream, account } => {
                write!(f, "Stream {stream} under account {account} already exists.")
            }
            Self::StreamNotActive { stream, account, status } => {
                write!(f, "Stream {stream} under account {account} not ACTIVE, instead in state {status}")
            }
            Self::ConsumersRegistered { stream, arn, .. } => write!(
                f,
                "DeleteStream can't delete {arn} because there are consumers associated with this data stream. To \
                 delete {stream} anyway, set the EnforceConsumerDeletion parameter to true to force the deletion of all \
                 the consumers that are associated with it."
            ),
            Self::ConsumerExists { consumer, stream, account } => {
                write!(f, "Consumer {consumer} under stream {stream} already exists for account {account}.")
            }
            Self::ConsumerNotActive { consumer, created, stream, account } => write!(
                f,
                "Consumer {consumer} with creation timestamp {} under stream: {stream} , account {account} is not in \
                 ACTIVE status.",
                created.as_secs()
            ),
            Self::Subscribed { consumer, shard, stream, account } => write!(
                f,
                "Another active subscription exists for this consumer: {account}:{stream}:{shard}:{consumer}"
            ),
            Self::ShardLimit { account, region, current, limit, additional } => write!(
                f,
                "This request would exceed the shard limit for the account {account} in {region}. Current shard count \
                 for the account: {current}. Limit: {limit}. Number of additional shards that would have resulted from \
                 this request: {additional}. Refer to the AWS Service Limits page \
                 (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to \
                 request higher limits."
            ),
            Self::LimitExceeded { message }
            | Self::InvalidArgument { message }
            | Self::Validation { message } => f.write_str(message),
            Self::ExpiredIterator { created, now } => write!(
                f,
                "Iterator expired. The iterator was created at time {} while right now it is {} which is further in \
                 the future than the tolerated delay of 300000 milliseconds.",
                day_and_time(*created),
                day_and_time(*now)
            ),
            Self::ExpiredNextToken { created, now } => write!(
                f,
                "The pagination token expired. It was created at time {} while right now it is {} which is further in \
                 the future than the tolerated delay of 300000 milliseconds.",
                day_and_time(*created),
                day_and_time(*now)
            ),
            Self::ThroughputExceeded { shard, stream, account } => {
                write!(f, "Rate exceeded for shard {shard} in stream {stream} under account {account}.")
            }
            Self::InternalFailure => f.write_str("Internal service failure."),
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

impl From<Corruption> for Error {
    fn from(corruption: Corruption) -> Self {
        Self::Storage(corruption.into())
    }
}
