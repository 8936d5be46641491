//! Why a transaction did not happen.

use crate::error::Fault;
use crate::{kv, objects, queue, stream};
use std::fmt;
use std::sync::Arc;

/// One of the four services.
///
/// ```
/// assert_eq!(fourfold::transaction::Engine::Table.to_string(), "table");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// [`queue`]
    Queue,
    /// [`stream`]
    Stream,
    /// [`kv`]
    Table,
    /// [`objects`]
    Bucket,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "queue",
            Self::Stream => "stream",
            Self::Table => "table",
            Self::Bucket => "bucket",
        })
    }
}

/// Why an operation was refused: the error of its engine, as the operation by itself would have failed with.
///
/// ```
/// use fourfold::{kv, transaction::{Cause, Engine}};
/// let cause = Cause::from(kv::Error::TransactionConflict);
/// assert_eq!((cause.engine(), cause.code()), (Engine::Table, "TransactionConflictException"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// Of a queue.
    Queue(queue::Error),
    /// Of a stream.
    Stream(stream::Error),
    /// Of a table.
    Table(kv::Error),
    /// Of a bucket.
    Bucket(objects::Error),
}

impl Cause {
    /// Which engine it is of.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Queue(_) => Engine::Queue,
            Self::Stream(_) => Engine::Stream,
            Self::Table(_) => Engine::Table,
            Self::Bucket(_) => Engine::Bucket,
        }
    }

    /// The service's code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Queue(error) => error.code(),
            Self::Stream(error) => error.code(),
            Self::Table(error) => error.code(),
            Self::Bucket(error) => error.code(),
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Queue(error) => error.fault(),
            Self::Stream(error) => error.fault(),
            Self::Table(error) => error.fault(),
            Self::Bucket(error) => error.fault(),
        }
    }

    fn error(&self) -> &(dyn std::error::Error + 'static) {
        match self {
            Self::Queue(error) => error,
            Self::Stream(error) => error,
            Self::Table(error) => error,
            Self::Bucket(error) => error,
        }
    }

    /// The store's fault below it, if it is that.
    pub(super) fn storage(&self) -> Option<&crate::Error> {
        match self {
            Self::Queue(queue::Error::Storage(fault))
            | Self::Stream(stream::Error::Storage(fault))
            | Self::Table(kv::Error::Storage(fault))
            | Self::Bucket(objects::Error::Storage(fault)) => Some(fault),
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.error())
    }
}

impl From<queue::Error> for Cause {
    fn from(error: queue::Error) -> Self {
        Self::Queue(error)
    }
}

impl From<stream::Error> for Cause {
    fn from(error: stream::Error) -> Self {
        Self::Stream(error)
    }
}

impl From<kv::Error> for Cause {
    fn from(error: kv::Error) -> Self {
        Self::Table(error)
    }
}

impl From<objects::Error> for Cause {
    fn from(error: objects::Error) -> Self {
        Self::Bucket(error)
    }
}

/// Why a transaction did not happen. Whatever it is, nothing of it was done; but for [`Storage`](Self::Storage), after which
/// the whole of it may be there when the store was reopened, as with any write.
///
/// ```
/// use fourfold::{Store, kv::{CreateTable, PutItem, ScalarType, item}, transaction::Error};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::in_memory();
/// store.tables().create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// let refused = store.transaction().run(|tx| {
///     tx.put_item(PutItem::new("users", item! { "id" => "ann" }))?;
///     tx.put_item(PutItem::new("users", item! { "id" => "bob" }).condition("attribute_exists(id)"))
/// });
/// let error = refused.unwrap_err();
/// assert!(matches!(&error, Error::Refused { operation: 1, verb: "PutItem", resource, .. } if resource == "users"));
/// assert_eq!(error.code(), "ConditionalCheckFailedException");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// An operation cannot be done.
    Refused {
        /// Which one, counted from 0 in the order in which the closure asked for them, reads among them.
        operation: usize,
        /// What it was, by the service's name for it.
        verb: &'static str,
        /// The name of the table, queue, stream or bucket.
        resource: String,
        /// Why.
        cause: Box<Cause>,
    },
    /// Somebody else changed what this transaction read or wrote, between its beginning and its end. Run again it may
    /// succeed: [`Runner::retries`](super::Runner::retries).
    Conflict {
        /// Where.
        engine: Engine,
        /// The name of the table or bucket.
        resource: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// It does not fit into a segment of the log. Long bodies of objects do not count.
    TooLarge {
        /// Bytes that it takes.
        len: u64,
        /// Bytes that there are.
        max: u64,
    },
    /// The closure changed its mind: [`Error::abort`].
    Aborted {
        /// What it said.
        reason: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The store failed.
    Storage(crate::Error),
}

/// What a transaction's verbs return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Ends a transaction without doing anything of it.
    ///
    /// ```
    /// # use fourfold::{Store, transaction::Error};
    /// let store = Store::in_memory();
    /// let ended = store.transaction().run(|_| Err::<(), _>(Error::abort("not today")));
    /// assert_eq!(ended.unwrap_err().to_string(), "the transaction was given up: not today");
    /// ```
    pub fn abort(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Aborted { reason: Arc::from(reason.into()) }
    }

    /// The service's code of what was refused. A conflict has that of `DynamoDB`; what no service has, a name of its own.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { cause, .. } => cause.code(),
            Self::Conflict { .. } => "TransactionConflictException",
            Self::TooLarge { .. } => "TransactionTooLarge",
            Self::Aborted { .. } => "TransactionAborted",
            Self::Storage(_) => "InternalServerError",
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Refused { cause, .. } => cause.fault(),
            Self::Storage(_) => Fault::Service,
            Self::Conflict { .. } | Self::TooLarge { .. } | Self::Aborted { .. } => Fault::Caller,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { operation, verb, resource, cause } => {
                let engine = cause.engine();
                write!(f, "operation {operation} ({verb}, {engine} {resource}) was refused: {cause}")
            }
            Self::Conflict { engine, resource, attempts } => {
                let times = if *attempts == 1 { "once" } else { "each time" };
                write!(f, "{engine} {resource} was changed meanwhile (tried {attempts}, conflicted {times})")
            }
            Self::TooLarge { len, max } => write!(
                f,
                "the transaction takes {len} bytes of the log, and a segment has room for {max}: use larger segments, or \
                 do less at once"
            ),
            Self::Aborted { reason } => write!(f, "the transaction was given up: {reason}"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused { cause, .. } => Some(cause.error()),
            Self::Aborted { reason } => Some(&**reason),
            Self::Storage(error) => Some(error),
            Self::Conflict { .. } | Self::TooLarge { .. } => None,
        }
    }
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        Self::Storage(error)
    }
}
