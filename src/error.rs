//! What can go wrong below the engines, and what the caller can do about it.
//!
//! Refusals with a service's meaning (a condition that failed, a queue that does not exist) belong to the engines;
//! these are the faults of the world: the disk, its content, the caller's arguments, the state of the store.

use std::{fmt, io, path::PathBuf, sync::Arc};

/// The result of an operation on the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A fault of the store or of a request to it. Cheap to clone: the first cause of a poisoned store is handed to every
/// later caller.
///
/// ```
/// use fourfold::{Error, Store};
/// let store = Store::in_memory();
/// let error = store.keyspace("").unwrap_err();
/// assert!(matches!(error, Error::Invalid { field: "keyspace name", .. }));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// Another opener holds the store. Close it there first; a killed owner does not hold the lock.
    Locked {
        /// The directory of the store.
        path: PathBuf,
    },
    /// The directory holds no store, or something else than a store.
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// What was found or missed.
        reason: String,
    },
    /// A file was written by a version of the format that this build does not read.
    Version {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest version this build reads.
        supported: u32,
    },
    /// Bytes that were durable are not what was written. Nothing was changed; restore a copy or run `repair`.
    Corrupt(Box<Corruption>),
    /// No space (or no quota) for what was asked. Nothing was written; free space and try again.
    StorageFull {
        /// The file or directory that could not grow.
        path: PathBuf,
        /// Bytes that were needed.
        needed: u64,
    },
    /// An earlier write or sync failed, so the store no longer knows what the disk holds. Reads go on; to write again,
    /// reopen the store, which recovers it.
    Poisoned {
        /// The first failure.
        cause: Arc<Error>,
    },
    /// The operating system refused an operation on a file.
    Io {
        /// What was tried, such as `write` or `sync directory`.
        op: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: Arc<io::Error>,
    },
    /// Something is longer than its limit.
    TooLarge {
        /// What, such as `key` or `batch`.
        what: &'static str,
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// An argument is not of the form it must have.
    Invalid {
        /// Which argument.
        field: &'static str,
        /// The offending value and the rule it breaks.
        reason: String,
    },
    /// The named thing does not exist.
    NotFound {
        /// Its kind, such as `keyspace`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The operation needs a store of another kind, such as `fork` of a store on disk.
    Unsupported {
        /// Which operation.
        op: &'static str,
        /// Why it cannot be done here.
        reason: String,
    },
}

/// Whose fault a refusal is; it decides whether trying again as it is can help.
///
/// ```
/// use fourfold::Fault;
/// assert_ne!(Fault::Caller, Fault::Service);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The request cannot be met as it is (AWS: a 4xx status).
    Caller,
    /// The service could not meet it (AWS: a 5xx status).
    Service,
}

/// Where durable bytes are wrong, and how one can tell.
///
/// ```
/// use fourfold::{Corruption, Error};
/// let error = Error::from(Corruption::new("0000000000000003.log", 4096, "frame checksum", "1a2b3c4d", "00000000"));
/// assert_eq!(
///     error.to_string(),
///     "corrupt frame checksum in 0000000000000003.log at offset 4096: expected 1a2b3c4d, found 00000000"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The file.
    pub file: PathBuf,
    /// Byte offset in the file.
    pub offset: u64,
    /// What was checked.
    pub what: &'static str,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

impl Corruption {
    /// A finding at `offset` of `file`.
    pub fn new(
        file: impl Into<PathBuf>,
        offset: u64,
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self { file: file.into(), offset, what, expected: expected.to_string(), found: found.to_string() }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "corrupt {} in {} at offset {}: expected {}, found {}",
            self.what,
            self.file.display(),
            self.offset,
            self.expected,
            self.found
        )
    }
}

impl From<Corruption> for Error {
    #[cold]
    fn from(corruption: Corruption) -> Self {
        Self::Corrupt(Box::new(corruption))
    }
}

impl Error {
    /// An I/O failure in context. A full disk or an exhausted quota becomes [`Error::StorageFull`].
    #[cold]
    pub(crate) fn io(op: &'static str, path: impl Into<PathBuf>, needed: u64, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::StorageFull { path: path.into(), needed }
            }
            _ => Self::Io { op, path: path.into(), source: Arc::new(source) },
        }
    }

    #[cold]
    pub(crate) fn invalid(field: &'static str, reason: impl fmt::Display) -> Self {
        Self::Invalid { field, reason: reason.to_string() }
    }

    /// Does it say that the device cannot read what is there? Other failures of a read may be over the next time.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Io { op: "read", source, .. } if source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()))
    }

    /// What later writers are told once this error has poisoned the store; the first cause is kept.
    pub(crate) fn into_poison(self) -> Self {
        match self {
            Self::Poisoned { .. } => self,
            cause => Self::Poisoned { cause: Arc::new(cause) },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { path } => write!(f, "the store in {} is open elsewhere", path.display()),
            Self::NotAStore { path, reason } => write!(f, "{} is not a store: {reason}", path.display()),
            Self::Version { path, found, supported } => write!(
                f,
                "{} has format version {found}, this build reads versions up to {supported}",
                path.display()
            ),
            Self::Corrupt(corruption) => corruption.fmt(f),
            Self::StorageFull { path, needed } => {
                write!(f, "no space left for {needed} bytes at {}", path.display())
            }
            Self::Poisoned { cause } => {
                write!(f, "the store stopped writing after a failure, reopen it to recover: {cause}")
            }
            Self::Io { op, path, source } => write!(f, "could not {op} {}: {source}", path.display()),
            Self::TooLarge { what, len, max } => {
                write!(f, "{what} of {len} bytes is over the limit of {max} bytes")
            }
            Self::Invalid { field, reason } => write!(f, "invalid {field}: {reason}"),
            Self::NotFound { kind, name } => write!(f, "no {kind} named {name:?}"),
            Self::Unsupported { op, reason } => write!(f, "{op} is not possible here: {reason}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Poisoned { cause } => Some(cause),
            Self::Corrupt(corruption) => Some(corruption.as_ref()),
            _ => None,
        }
    }
}

impl std::error::Error for Corruption {}
