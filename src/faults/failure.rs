//! Failures by what the service calls them.

use crate::Fault;
use std::fmt;

/// One of the four services.
///
/// ```
/// assert_eq!(fourfold::faults::Service::Queue.name(), "sqs");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// [Queues](crate::queue).
    Queue,
    /// [Streams](crate::stream).
    Stream,
    /// [Tables](crate::kv).
    Table,
    /// [Buckets](crate::objects).
    Bucket,
}

impl Service {
    /// Its name in ARNs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "sqs",
            Self::Stream => "kinesis",
            Self::Table => "dynamodb",
            Self::Bucket => "s3",
        }
    }
}

/// How a call fails.
///
/// ```
/// use fourfold::{Store, faults::Failure};
/// let store = Store::in_memory();
/// let bucket = store.buckets().create("photos")?;
/// store.faults().on("PutObject").nth(1).fail(Failure::Throttle);
/// assert_eq!(bucket.put("a.jpg", "...").unwrap_err().code(), "SlowDown");
/// bucket.put("a.jpg", "...")?;
/// # Ok::<(), fourfold::objects::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// Too many requests for this resource: `RequestThrottled`, `ProvisionedThroughputExceededException`, `SlowDown`.
    Throttle,
    /// Too many requests of this account: `RequestLimitExceeded`, `LimitExceededException`; where the service knows no
    /// such thing, as `Throttle`.
    Limit,
    /// The service failed: `InternalError`, `InternalFailureException`, `InternalServerError`.
    Internal,
    /// The service is not there for now: `ServiceUnavailable`.
    Unavailable,
    /// The key service is too busy for what is encrypted: `KmsThrottled`, `KMSThrottlingException`.
    Keys,
    /// Any other error.
    Code {
        /// The service's code.
        code: &'static str,
        /// The HTTP status that goes with it; from 500 on it is the service's fault.
        status: u16,
        /// The service's text.
        message: &'static str,
    },
}

/// The error of a call that failed because a test wanted it to: what the `Injected` variant of each service's error has.
///
/// ```
/// use fourfold::{Store, faults::Failure, kv};
/// let store = Store::in_memory();
/// store.faults().on("ListTables").fail(Failure::Internal);
/// let Err(kv::Error::Injected(error)) = store.tables().list_tables(None, None) else { panic!("it fails") };
/// assert_eq!((error.code, error.status, error.is_lost_reply), ("InternalServerError", 500, false));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Injected {
    /// The service's code.
    pub code: &'static str,
    /// The HTTP status that goes with it.
    pub status: u16,
    /// The service's text.
    pub message: &'static str,
    /// The operation was done; only its answer was lost. No client of a service could see this.
    pub is_lost_reply: bool,
}

impl Injected {
    /// The error of `service` for a failure.
    pub(crate) fn of(service: Service, failure: Failure) -> Self {
        let (code, status, message) = words(service, failure);
        Self { code, status, message, is_lost_reply: false }
    }

    /// The error of a reply that was lost.
    pub(crate) fn lost(service: Service, failure: Failure) -> Self {
        Self { is_lost_reply: true, ..Self::of(service, failure) }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        if self.status >= 500 { Fault::Service } else { Fault::Caller }
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

const TABLE_THROUGHPUT: &str = "The level of configured provisioned throughput for the table was exceeded. Consider \
                                increasing your provisioning level with the UpdateTable API.";
const ACCOUNT_THROUGHPUT: &str = "Throughput exceeds the current throughput limit for your account. Please contact AWS \
                                  Support at https://aws.amazon.com/support request a limit increase";
const KEYS_BUSY: &str = "The request was denied due to request throttling.";
const SLOW_DOWN: &str = "Please reduce your request rate.";
const UNAVAILABLE: &str = "The request has failed due to a temporary failure of the server.";
const INTERNAL_S3: &str = "We encountered an internal error. Please try again.";
const INTERNAL_SQS: &str = "We encountered an internal error. Please try again.";

/// Code, status and text by service and failure.
fn words(service: Service, failure: Failure) -> (&'static str, u16, &'static str) {
    use Failure::{Code, Internal, Keys, Limit, Throttle, Unavailable};
    use Service::{Bucket, Queue, Stream, Table};
    match (service, failure) {
        (_, Code { code, status, message }) => (code, status, message),
        (Queue, Throttle | Limit) => ("RequestThrottled", 403, "Request is throttled."),
        (Queue, Internal) => ("InternalError", 500, INTERNAL_SQS),
        (Queue, Keys) => ("KmsThrottled", 400, KEYS_BUSY),
        (Stream, Throttle) => ("ProvisionedThroughputExceededException", 400, "Rate exceeded."),
        (Stream, Limit) => ("LimitExceededException", 400, "Rate exceeded for the account."),
        (Stream, Internal) => ("InternalFailureException", 500, "Internal service failure."),
        (Stream, Keys) => ("KMSThrottlingException", 400, KEYS_BUSY),
        (Table, Throttle) => ("ProvisionedThroughputExceededException", 400, TABLE_THROUGHPUT),
        (Table, Limit) => ("RequestLimitExceeded", 400, ACCOUNT_THROUGHPUT),
        (Table, Internal) => ("InternalServerError", 500, "Internal server error"),
        (Table, Keys) => ("ThrottlingException", 400, "KMS request is throttled"),
        (Bucket, Throttle | Limit) => ("SlowDown", 503, SLOW_DOWN),
        (Bucket, Internal) => ("InternalError", 500, INTERNAL_S3),
        (Bucket, Keys) => ("KMS.ThrottlingException", 400, KEYS_BUSY),
        (Bucket, Unavailable) => ("ServiceUnavailable", 503, SLOW_DOWN),
        (Queue | Stream | Table, Unavailable) => ("ServiceUnavailable", 503, UNAVAILABLE),
    }
}
