//! What the table engine refuses, with the service's codes and texts.

use super::value::Item;
use crate::call::Refusal;
use crate::error::Fault;
use crate::faults::{Injected, Service};
use crate::store::Store;
use std::{borrow::Cow, fmt};

/// The result of an operation on tables.
pub type Result<T, E = Error> = std::result::Result<T, E>;

const CONDITION_FAILED: &str = "The conditional request failed";
const CONFLICT: &str = "Transaction is ongoing for the item";
const COLLECTION_TOO_LARGE: &str = "Collection size exceeded.";
const PROVISIONED: &str = "The level of configured provisioned throughput for the table was exceeded. \
                           Consider increasing your provisioning level with the UpdateTable API.";
const ON_DEMAND: &str = "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically \
                         scaling your table or index so please try again shortly.";

/// A refusal of the table engine. [`code`](Self::code) is the service's name of it, [`Display`](fmt::Display) its text.
///
/// Nothing was written when one is returned.
///
/// ```
/// use fourfold::kv::{Error, Number};
///
/// let error = "12 apples".parse::<Number>().unwrap_err();
/// assert_eq!(error.code(), "ValidationException");
/// assert_eq!(error.to_string(), "The parameter cannot be converted to a numeric value: 12 apples");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// `ValidationException`: the request is not one that could ever succeed as it is.
    Validation {
        /// The whole text.
        message: Cow<'static, str>,
        /// It was found in an expression or a value, before anything was looked up. Requests that write one item
        /// say so in front.
        in_request: bool,
    },
    /// `ConditionalCheckFailedException`: the condition of a write did not hold.
    ConditionalCheckFailed {
        /// The item as it is, if the request asked for it and there is one.
        item: Option<Box<Item>>,
    },
    /// `TransactionCanceledException`: at least one action could not be done, so none was.
    TransactionCanceled {
        /// One for every action, in the order of the request.
        reasons: Vec<CancellationReason>,
    },
    /// `TransactionConflictException`: another transaction is changing the item.
    TransactionConflict,
    /// `TransactionInProgressException`: a transaction with this token is not finished yet.
    TransactionInProgress,
    /// `IdempotentParameterMismatchException`: the token was used by another request.
    IdempotentParameterMismatch,
    /// `ResourceNotFoundException`: no such table, index, stream, shard.
    ResourceNotFound {
        /// The whole text.
        message: Cow<'static, str>,
    },
    /// `ResourceInUseException`: the table exists already, or is being changed.
    ResourceInUse {
        /// The whole text.
        message: Cow<'static, str>,
    },
    /// `LimitExceededException`: too many tables, or too many changes of them at once.
    LimitExceeded {
        /// The whole text.
        message: Cow<'static, str>,
    },
    /// `ProvisionedThroughputExceededException`: the table's throughput is used up for now. Try again.
    ProvisionedThroughputExceeded {
        /// What is used up; none if that is not known.
        reasons: Vec<ThrottlingReason>,
    },
    /// `RequestLimitExceeded`: the account's throughput is used up for now. Try again.
    RequestLimitExceeded {
        /// What is used up; none if that is not known.
        reasons: Vec<ThrottlingReason>,
    },
    /// `ThrottlingException`: an on-demand table grows faster than it can. Try again.
    Throttling {
        /// What is used up; none if that is not known.
        reasons: Vec<ThrottlingReason>,
    },
    /// `ItemCollectionSizeLimitExceededException`: a table with local indexes has more than 10 GB under one key.
    ItemCollectionSizeLimitExceeded,
    /// `IndexNotFoundException`: no such index.
    IndexNotFound,
    /// `ExpiredIteratorException`: the stream iterator is older than 15 minutes.
    ExpiredIterator,
    /// `TrimmedDataAccessException`: the stream records asked for are older than 24 hours.
    TrimmedDataAccess,
    /// The store below failed.
    Storage(crate::Error),
    /// A failure that a test asked for: see [`faults`](crate::faults).
    Injected(Injected),
}

impl Error {
    /// A `ValidationException` with this text.
    pub(crate) fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Validation { message: message.into(), in_request: false }
    }

    /// A `ValidationException` about an expression or a value, found before anything was looked up.
    pub(crate) fn request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Validation { message: message.into(), in_request: true }
    }

    /// The same with the words that requests to write one item (put, update, delete) put in front of what is wrong
    /// with an expression or a value. Batches don't, and of reads only what they say of `Select`.
    #[must_use]
    pub(crate) fn in_request(self) -> Self {
        match self {
            Self::Validation { message, in_request: true } => {
                Self::validation(format!("1 validation error detected: {message}"))
            }
            other => other,
        }
    }

    /// `ResourceNotFoundException` of a request for items.
    pub(crate) fn no_resource() -> Self {
        Self::ResourceNotFound { message: "Requested resource not found".into() }
    }

    /// `ResourceNotFoundException` of a request about a table.
    pub(crate) fn no_table(name: &str) -> Self {
        Self::ResourceNotFound {
            message: format!("Requested resource not found: Table: {name} not found").into(),
        }
    }

    /// `ResourceInUseException` of a table that exists.
    pub(crate) fn table_exists(name: &str) -> Self {
        Self::ResourceInUse { message: format!("Table already exists: {name}").into() }
    }

    /// The service's name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Validation { .. } => "ValidationException",
            Self::ConditionalCheckFailed { .. } => "ConditionalCheckFailedException",
            Self::TransactionCanceled { .. } => "TransactionCanceledException",
            Self::TransactionConflict => "TransactionConflictException",
            Self::TransactionInProgress => "TransactionInProgressException",
            Self::IdempotentParameterMismatch => "IdempotentParameterMismatchException",
            Self::ResourceNotFound { .. } => "ResourceNotFoundException",
            Self::ResourceInUse { .. } => "ResourceInUseException",
            Self::LimitExceeded { .. } => "LimitExceededException",
            Self::ProvisionedThroughputExceeded { .. } => "ProvisionedThroughputExceededException",
            Self::RequestLimitExceeded { .. } => "RequestLimitExceeded",
            Self::Throttling { .. } => "ThrottlingException",
            Self::ItemCollectionSizeLimitExceeded => "ItemCollectionSizeLimitExceededException",
            Self::IndexNotFound => "IndexNotFoundException",
            Self::ExpiredIterator => "ExpiredIteratorException",
            Self::TrimmedDataAccess => "TrimmedDataAccessException",
            Self::Injected(injected) => injected.code,
            Self::Storage(_) => "InternalServerError",
        }
    }

    /// Whose fault it is: the caller's, but for a failing store.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Storage(_) => Fault::Service,
            Self::Injected(injected) => injected.fault(),
            _ => Fault::Caller,
        }
    }
}

impl Refusal for Error {
    const SERVICE: Service = Service::Table;

    fn code(&self) -> &'static str {
        self.code()
    }

    fn injected(injected: Injected) -> Self {
        Self::Injected(injected)
    }

    fn throttled(_: &Store, _: &str) -> Self {
        Self::ProvisionedThroughputExceeded { reasons: Vec::new() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validation { message, .. }
            | Self::ResourceNotFound { message }
            | Self::ResourceInUse { message }
            | Self::LimitExceeded { message } => f.write_str(message),
            Self::ConditionalCheckFailed { .. } => f.write_str(CONDITION_FAILED),
            Self::TransactionCanceled { reasons } => {
                let codes: Vec<_> = reasons.iter().map(CancellationReason::code).collect();
                let codes = codes.join(", ");
                write!(
                    f,
                    "Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
                )
            }
            Self::TransactionConflict => f.write_str(CONFLICT),
            Self::TransactionInProgress => {
                f.write_str("Transaction with the given request token is already in progress")
            }
            Self::IdempotentParameterMismatch => f.write_str(
                "The request uses the same client token as a previous, but non-identical request. Do not reuse a \
                 client token with different requests, unless the requests are identical",
            ),
            Self::ProvisionedThroughputExceeded { .. } => f.write_str(PROVISIONED),
            Self::RequestLimitExceeded { .. } => {
                f.write_str("Throughput exceeds the current throughput limit for your account.")
            }
            Self::Throttling { .. } => f.write_str(ON_DEMAND),
            Self::ItemCollectionSizeLimitExceeded => f.write_str(COLLECTION_TOO_LARGE),
            Self::IndexNotFound => f.write_str("The operation tried to access a nonexistent index."),
            Self::ExpiredIterator => f.write_str(
                "Iterator expired. The iterator was created more than 15 minutes ago and can no longer be used.",
            ),
            Self::TrimmedDataAccess => f.write_str(
                "The operation attempted to read past the oldest stream record in a shard.",
            ),
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

/// Why one action of a transaction was not done.
///
/// ```
/// use fourfold::kv::CancellationReason;
/// assert_eq!(CancellationReason::Conflict.code(), "TransactionConflict");
/// assert_eq!(CancellationReason::None.message(), None);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CancellationReason {
    /// Nothing is wrong with this action; another one failed.
    None,
    /// Its condition did not hold.
    ConditionalCheckFailed {
        /// The item as it is, if the action asked for it and there is one.
        item: Option<Box<Item>>,
    },
    /// Another request is changing the item.
    Conflict,
    /// The item does not fit its table.
    Validation {
        /// The whole text.
        message: Cow<'static, str>,
    },
    /// A table with local indexes would have more than 10 GB under one key.
    ItemCollectionSizeLimitExceeded,
    /// The table's throughput is used up for now.
    ProvisionedThroughputExceeded,
    /// An on-demand table grows faster than it can.
    Throttling,
}

impl CancellationReason {
    /// The service's name of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::ConditionalCheckFailed { .. } => "ConditionalCheckFailed",
            Self::Conflict => "TransactionConflict",
            Self::Validation { .. } => "ValidationError",
            Self::ItemCollectionSizeLimitExceeded => "ItemCollectionSizeLimitExceeded",
            Self::ProvisionedThroughputExceeded => "ProvisionedThroughputExceeded",
            Self::Throttling => "ThrottlingError",
        }
    }

    /// The service's text, none if nothing is wrong.
    pub fn message(&self) -> Option<&str> {
        Some(match self {
            Self::None => return None,
            Self::ConditionalCheckFailed { .. } => CONDITION_FAILED,
            Self::Conflict => CONFLICT,
            Self::Validation { message } => message,
            Self::ItemCollectionSizeLimitExceeded => COLLECTION_TOO_LARGE,
            Self::ProvisionedThroughputExceeded => PROVISIONED,
            Self::Throttling => ON_DEMAND,
        })
    }
}

/// What throughput was used up.
///
/// ```
/// use fourfold::kv::ThrottlingReason;
/// let reason = ThrottlingReason {
///     reason: "TableReadProvisionedThroughputExceeded",
///     resource: "arn:aws:dynamodb:us-east-1:000000000000:table/users".to_owned(),
/// };
/// assert!(reason.resource.ends_with("users"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottlingReason {
    /// The service's name of the limit: `Table` or `Index`, `Read` or `Write`, and
    /// `ProvisionedThroughputExceeded`, `AccountLimitExceeded`, `KeyRangeThroughputExceeded` or
    /// `MaxOnDemandThroughputExceeded`.
    pub reason: &'static str,
    /// The ARN of the table or index.
    pub resource: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_findings_in_the_request_are_counted() {
        let check = |error: Error, text: &str| assert_eq!(error.in_request().to_string(), text);
        check(Error::request("a"), "1 validation error detected: a");
        check(Error::request("a").in_request(), "1 validation error detected: a");
        check(Error::validation("a"), "a");
        check(Error::TransactionConflict, CONFLICT);
    }

    #[test]
    fn a_cancelled_transaction_says_why() {
        let reasons =
            vec![CancellationReason::None, CancellationReason::ConditionalCheckFailed { item: None }];
        assert_eq!(
            Error::TransactionCanceled { reasons }.to_string(),
            "Transaction cancelled, please refer cancellation reasons for specific reasons \
             [None, ConditionalCheckFailed]"
        );
    }
}
