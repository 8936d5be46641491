//! What a bucket refuses, in the service's words.

use crate::call::Refusal;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::faults::{Injected, Service};
use crate::objects::{ChecksumError, ETag, LifecycleError, NotificationError, VersionId};
use std::fmt;
use std::sync::Arc;

/// The result of an operation on buckets and objects.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal of the service, or a fault of the store below. Nothing was changed when one is returned.
///
/// [`code`](Self::code) is what a client of the service matches on, [`Display`](fmt::Display) the message,
/// [`details`](Self::details) what else stands in the body of the answer.
///
/// ```
/// use fourfold::{Fault, Store, objects::Error};
/// let error = Store::in_memory().buckets().bucket("photos").unwrap_err();
/// assert!(matches!(error, Error::NoSuchBucket { .. }));
/// assert_eq!((error.code(), error.status()), ("NoSuchBucket", 404));
/// assert_eq!(error.to_string(), "The specified bucket does not exist");
/// assert_eq!(error.details(), [("BucketName", "photos".to_owned())]);
/// assert_eq!(error.fault(), Fault::Caller);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// No bucket has this name, or it was deleted since the handle was made.
    NoSuchBucket {
        /// Its name.
        bucket: String,
    },
    /// Another account has a bucket of this name.
    BucketAlreadyExists {
        /// Its name.
        bucket: String,
    },
    /// The bucket exists, and is of this account.
    BucketAlreadyOwnedByYou {
        /// Its name.
        bucket: String,
    },
    /// The bucket has objects, versions or delete markers.
    BucketNotEmpty {
        /// Its name.
        bucket: String,
        /// Was it ever versioned?
        versioned: bool,
    },
    /// Not a name that a bucket may have.
    InvalidBucketName {
        /// What was given.
        name: String,
    },
    /// The account has as many buckets as it may have.
    TooManyBuckets {
        /// How many.
        limit: u32,
    },
    /// A location that does not go with the region whose endpoint was asked.
    IllegalLocationConstraint {
        /// What was given; none: the region needs one.
        given: Option<String>,
    },
    /// A location that is none, or that of the region where a bucket needs none.
    InvalidLocationConstraint {
        /// What was given.
        given: String,
    },
    /// The versioning of a bucket cannot be set to this.
    IllegalVersioningConfiguration,
    /// The key has no current object.
    NoSuchKey {
        /// The key.
        key: String,
        /// The newest version is this delete marker.
        marker: Option<VersionId>,
    },
    /// No version has this id.
    NoSuchVersion {
        /// The key.
        key: String,
        /// The id.
        version_id: String,
    },
    /// A delete marker can only be deleted.
    MethodNotAllowed {
        /// What was tried, as an HTTP method.
        method: &'static str,
        /// The delete marker.
        marker: VersionId,
        /// When it was made.
        modified: Timestamp,
    },
    /// No upload has this id: it never was, or is completed or aborted.
    NoSuchUpload {
        /// What was given.
        upload_id: String,
    },
    /// An argument is not what it must be.
    InvalidArgument {
        /// Its name on the wire.
        name: &'static str,
        /// What was given.
        value: String,
        /// The rule.
        message: String,
    },
    /// A request that contradicts itself, or what it is about.
    InvalidRequest {
        /// How.
        message: String,
    },
    /// A form that is broken: no keys, too many of them.
    MalformedXml,
    /// The range has no byte in the object.
    InvalidRange {
        /// As it was asked for.
        requested: String,
        /// Bytes of the object.
        size: u64,
    },
    /// The object has fewer parts.
    InvalidPartNumber {
        /// As it was asked for.
        requested: u32,
        /// How many it has.
        parts: u32,
    },
    /// A condition on the object does not hold.
    PreconditionFailed {
        /// The name of its header.
        condition: &'static str,
    },
    /// A read that was only wanted if the object had changed.
    NotModified {
        /// Of the object as it is.
        etag: ETag,
        /// When it was written.
        modified: Timestamp,
    },
    /// The object was changed while it was being copied, or since the upload that is to replace it was begun.
    ConditionalRequestConflict {
        /// The key.
        key: String,
        /// The name of the condition's header, if there was one.
        condition: Option<&'static str>,
    },
    /// Something else is being done with the bucket.
    OperationAborted {
        /// Its name.
        bucket: String,
    },
    /// A header that the service knows and does not take here.
    NotImplemented {
        /// Its name.
        header: &'static str,
        /// What is the matter with it.
        additional: &'static str,
    },
    /// The key is empty or over 1,024 bytes.
    KeyTooLong {
        /// Its bytes.
        len: usize,
    },
    /// User metadata is over 2 KB.
    MetadataTooLarge {
        /// Bytes of its names and values.
        len: usize,
    },
    /// A body over 5 GiB, or an object over 50 TB.
    EntityTooLarge {
        /// Its bytes, as far as they are known.
        len: u64,
        /// The limit.
        max: u64,
    },
    /// A part that is not the last one is under 5 MiB. The upload goes on.
    EntityTooSmall {
        /// Its bytes.
        len: u64,
        /// The limit.
        min: u64,
        /// Which part.
        part_number: u32,
        /// Of the part.
        etag: ETag,
    },
    /// A part to be completed is not there, or is another. The upload goes on.
    InvalidPart {
        /// Of which upload.
        upload_id: String,
        /// Which part.
        part_number: u32,
        /// What was given.
        etag: String,
    },
    /// The parts to be completed do not ascend. The upload goes on.
    InvalidPartOrder {
        /// Of which upload.
        upload_id: String,
    },
    /// Not a storage class.
    InvalidStorageClass {
        /// What was given.
        given: String,
    },
    /// More tags than an object or a bucket may have.
    TooManyTags {
        /// The limit.
        limit: usize,
    },
    /// A tag that cannot be.
    InvalidTag {
        /// The rule.
        message: &'static str,
        /// Its key.
        key: String,
        /// Its value, if that is the reason.
        value: Option<String>,
    },
    /// The bucket has no tags.
    NoSuchTagSet {
        /// Its name.
        bucket: String,
    },
    /// A setting of the bucket was never set, or was deleted.
    NoSuchSetting {
        /// The bucket's name.
        bucket: String,
        /// Which setting.
        setting: crate::objects::Setting,
    },
    /// The body broke off: its source failed, or ended early.
    IncompleteBody {
        /// Why.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A checksum is malformed, or is not that of the data.
    Checksum(ChecksumError),
    /// Lifecycle rules that cannot be, or are not there.
    Lifecycle(LifecycleError),
    /// Notification rules that cannot be.
    Notification(NotificationError),
    /// Too many requests; only with [`Dials::throttle`](crate::objects::Dials::throttle).
    SlowDown,
    /// A fault of the store below.
    Storage(crate::Error),
    /// A failure that a test asked for: see [`faults`](crate::faults).
    Injected(Injected),
}

impl Error {
    pub(crate) fn no_key(key: &str) -> Self {
        Self::NoSuchKey { key: key.to_owned(), marker: None }
    }

    pub(crate) fn argument(name: &'static str, value: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidArgument { name, value: value.into(), message: message.into() }
    }

    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::InvalidRequest { message: message.into() }
    }

    /// The error code of S3.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchBucket { .. } => "NoSuchBucket",
            Self::BucketAlreadyExists { .. } => "BucketAlreadyExists",
            Self::BucketAlreadyOwnedByYou { .. } => "BucketAlreadyOwnedByYou",
            Self::BucketNotEmpty { .. } => "BucketNotEmpty",
            Self::InvalidBucketName { .. } => "InvalidBucketName",
            Self::TooManyBuckets { .. } => "TooManyBuckets",
            Self::IllegalLocationConstraint { .. } => "IllegalLocationConstraintException",
            Self::InvalidLocationConstraint { .. } => "InvalidLocationConstraint",
            Self::IllegalVersioningConfiguration => "IllegalVersioningConfigurationException",
            Self::NoSuchKey { .. } => "NoSuchKey",
            Self::NoSuchVersion { .. } => "NoSuchVersion",
            Self::MethodNotAllowed { .. } => "MethodNotAllowed",
            Self::NoSuchUpload { .. } => "NoSuchUpload",
            Self::InvalidArgument { .. } => "InvalidArgument",
            Self::InvalidRequest { .. } => "InvalidRequest",
            Self::MalformedXml => "MalformedXML",
            Self::InvalidRange { .. } => "InvalidRange",
            Self::InvalidPartNumber { .. } => "InvalidPartNumber",
            Self::PreconditionFailed { .. } => "PreconditionFailed",
            Self::NotModified { .. } => "NotModified",
            Self::ConditionalRequestConflict { .. } => "ConditionalRequestConflict",
            Self::OperationAborted { .. } => "OperationAborted",
            Self::NotImplemented { .. } => "NotImplemented",
            Self::KeyTooLong { .. } => "KeyTooLongError",
            Self::MetadataTooLarge { .. } => "MetadataTooLarge",
            Self::EntityTooLarge { .. } => "EntityTooLarge",
            Self::EntityTooSmall { .. } => "EntityTooSmall",
            Self::InvalidPart { .. } => "InvalidPart",
            Self::InvalidPartOrder { .. } => "InvalidPartOrder",
            Self::InvalidStorageClass { .. } => "InvalidStorageClass",
            Self::TooManyTags { .. } => "BadRequest",
            Self::InvalidTag { .. } => "InvalidTag",
            Self::NoSuchTagSet { .. } => "NoSuchTagSet",
            Self::NoSuchSetting { setting, .. } => setting.missing().0,
            Self::IncompleteBody { .. } => "IncompleteBody",
            Self::Checksum(error) => error.code(),
            Self::Lifecycle(error) => error.code(),
            Self::Notification(error) => error.code(),
            Self::Injected(injected) => injected.code,
            Self::SlowDown => "SlowDown",
            Self::Storage(_) => "InternalError",
        }
    }

    /// Whose fault it is: the store's for [`Storage`](Self::Storage), the service's for [`SlowDown`](Self::SlowDown), the caller's for
    /// all others.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Storage(_) | Self::SlowDown => Fault::Service,
            Self::Injected(injected) => injected.fault(),
            _ => Fault::Caller,
        }
    }

    /// The HTTP status that the service answers with.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotModified { .. } => 304,
            Self::NoSuchBucket { .. }
            | Self::NoSuchKey { .. }
            | Self::NoSuchVersion { .. }
            | Self::NoSuchUpload { .. }
            | Self::NoSuchTagSet { .. }
            | Self::NoSuchSetting { .. }
            | Self::Lifecycle(LifecycleError::Missing { .. }) => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::BucketAlreadyExists { .. }
            | Self::BucketAlreadyOwnedByYou { .. }
            | Self::BucketNotEmpty { .. }
            | Self::OperationAborted { .. }
            | Self::ConditionalRequestConflict { .. } => 409,
            Self::PreconditionFailed { .. } => 412,
            Self::InvalidRange { .. } | Self::InvalidPartNumber { .. } => 416,
            Self::NotImplemented { .. } | Self::Notification(NotificationError::NoEventBus) => 501,
            Self::SlowDown => 503,
            Self::Storage(_) => 500,
            Self::Injected(injected) => injected.status,
            _ => 400,
        }
    }

    /// The elements that the body of the service's answer has besides code and message, by name.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NoSuchBucket { bucket }
            | Self::BucketAlreadyExists { bucket }
            | Self::BucketAlreadyOwnedByYou { bucket }
            | Self::BucketNotEmpty { bucket, .. }
            | Self::OperationAborted { bucket }
            | Self::NoSuchTagSet { bucket }
            | Self::NoSuchSetting { bucket, .. } => vec![("BucketName", bucket.clone())],
            Self::InvalidLocationConstraint { given } => vec![("LocationConstraint", given.clone())],
            Self::InvalidBucketName { name } => vec![("BucketName", name.clone())],
            Self::IllegalLocationConstraint { .. } | Self::IllegalVersioningConfiguration => Vec::new(),
            Self::NoSuchKey { key, .. } => vec![("Key", key.clone())],
            Self::ConditionalRequestConflict { key, condition } => {
                let condition = condition.map(|condition| ("Condition", condition.to_owned()));
                condition.into_iter().chain([("Key", key.clone())]).collect()
            }
            Self::NoSuchVersion { key, version_id } => {
                vec![("Key", key.clone()), ("VersionId", version_id.clone())]
            }
            Self::MethodNotAllowed { method, .. } => {
                vec![("Method", (*method).to_owned()), ("ResourceType", "DeleteMarker".to_owned())]
            }
            Self::NoSuchUpload { upload_id } | Self::InvalidPartOrder { upload_id } => {
                vec![("UploadId", upload_id.clone())]
            }
            Self::InvalidArgument { name, value, .. } => {
                vec![("ArgumentName", (*name).to_owned()), ("ArgumentValue", value.clone())]
            }
            Self::InvalidRange { requested, size } => {
                vec![("RangeRequested", requested.clone()), ("ActualObjectSize", size.to_string())]
            }
            Self::InvalidPartNumber { requested, parts } => {
                vec![("ActualPartCount", parts.to_string()), ("PartNumberRequested", requested.to_string())]
            }
            Self::PreconditionFailed { condition } => vec![("Condition", (*condition).to_owned())],
            Self::NotImplemented { header, additional } => {
                vec![("Header", (*header).to_owned()), ("additionalMessage", (*additional).to_owned())]
            }
            _ => self.details_of_values(),
        }
    }

    /// The details of refusals of what was sent.
    fn details_of_values(&self) -> Vec<(&'static str, String)> {
        let sizes =
            |len: u64, max: u64| vec![("ProposedSize", len.to_string()), ("MaxSizeAllowed", max.to_string())];
        match self {
            Self::KeyTooLong { len } => vec![
                ("Size", len.to_string()),
                ("MaxSizeAllowed", crate::objects::limits::KEY_LEN_MAX.to_string()),
            ],
            Self::MetadataTooLarge { len } => vec![
                ("Size", len.to_string()),
                ("MaxSizeAllowed", crate::objects::limits::USER_METADATA_LEN_MAX.to_string()),
            ],
            Self::EntityTooLarge { len, max } => sizes(*len, *max),
            Self::EntityTooSmall { len, min, part_number, etag } => vec![
                ("ETag", etag.unquoted()),
                ("MinSizeAllowed", min.to_string()),
                ("PartNumber", part_number.to_string()),
                ("ProposedSize", len.to_string()),
            ],
            Self::InvalidPart { upload_id, part_number, etag } => vec![
                ("ETag", etag.trim_matches('"').to_owned()),
                ("PartNumber", part_number.to_string()),
                ("UploadId", upload_id.clone()),
            ],
            Self::InvalidStorageClass { given } => vec![("StorageClassRequested", given.clone())],
            Self::InvalidTag { key, value, .. } => {
                let value = value.iter().map(|value| ("TagValue", value.clone()));
                std::iter::once(("TagKey", key.clone())).chain(value).collect()
            }
            Self::Checksum(error) => error.details(),
            Self::Lifecycle(error) => error.details(),
            Self::Notification(error) => error.details(),
            _ => Vec::new(),
        }
    }
}

impl Refusal for Error {
    const SERVICE: Service = Service::Bucket;

    fn code(&self) -> &'static str {
        self.code()
    }

    fn injected(injected: Injected) -> Self {
        Self::Injected(injected)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidArgument { message, .. } | Self::InvalidRequest { message } => f.write_str(message),
            Self::InvalidTag { message, .. } => f.write_str(message),
            Self::BucketNotEmpty { versioned: true, .. } => f.write_str(
                "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
            ),
            Self::IllegalLocationConstraint { given } => write!(
                f,
                "The {} location constraint is incompatible for the region specific endpoint this request was \
                 sent to.",
                given.as_deref().unwrap_or("unspecified")
            ),
            Self::TooManyTags { limit } => {
                let is_objects = *limit == crate::objects::limits::OBJECT_TAGS_MAX;
                let what = if is_objects { "Object tags" } else { "Bucket tag count" };
                write!(f, "{what} cannot be greater than {limit}")
            }
            Self::NoSuchSetting { setting, .. } => f.write_str(setting.missing().1),
            Self::Checksum(error) => error.fmt(f),
            Self::Lifecycle(error) => error.fmt(f),
            Self::Notification(error) => error.fmt(f),
            Self::Injected(injected) => injected.fmt(f),
            Self::Storage(error) => error.fmt(f),
            _ => f.write_str(self.text()),
        }
    }
}

impl Error {
    /// The texts that are always the same.
    fn text(&self) -> &'static str {
        match self {
            Self::NoSuchBucket { .. } => "The specified bucket does not exist",
            Self::BucketAlreadyExists { .. } => {
                "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                 system. Please select a different name and try again."
            }
            Self::BucketAlreadyOwnedByYou { .. } => {
                "Your previous request to create the named bucket succeeded and you already own it."
            }
            Self::BucketNotEmpty { .. } => "The bucket you tried to delete is not empty",
            Self::InvalidBucketName { .. } => "The specified bucket is not valid.",
            Self::TooManyBuckets { .. } => "You have attempted to create more buckets than allowed",
            Self::InvalidLocationConstraint { .. } => "The specified location-constraint is not valid",
            Self::IllegalVersioningConfiguration => "The Versioning element must be specified",
            Self::NoSuchKey { .. } => "The specified key does not exist.",
            Self::NoSuchVersion { .. } => "The specified version does not exist.",
            Self::MethodNotAllowed { .. } => "The specified method is not allowed against this resource.",
            Self::NoSuchUpload { .. } => {
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
                 aborted or completed."
            }
            Self::MalformedXml => {
                "The XML you provided was not well-formed or did not validate against our published schema"
            }
            Self::InvalidRange { .. } => "The requested range is not satisfiable",
            Self::InvalidPartNumber { .. } => "The requested partnumber is not satisfiable",
            Self::PreconditionFailed { .. } => {
                "At least one of the pre-conditions you specified did not hold"
            }
            Self::NotModified { .. } => "Not Modified",
            Self::ConditionalRequestConflict { .. } => {
                "The conditional request cannot succeed due to a conflicting operation against this resource."
            }
            Self::OperationAborted { .. } => {
                "A conflicting conditional operation is currently in progress against this resource. Please try \
                 again."
            }
            Self::NotImplemented { .. } => {
                "A header you provided implies functionality that is not implemented"
            }
            Self::KeyTooLong { .. } => "Your key is too long",
            Self::MetadataTooLarge { .. } => "Your metadata headers exceed the maximum allowed metadata size",
            Self::EntityTooLarge { .. } => "Your proposed upload exceeds the maximum allowed size",
            Self::EntityTooSmall { .. } => "Your proposed upload is smaller than the minimum allowed size",
            Self::InvalidPart { .. } => {
                "One or more of the specified parts could not be found.  The part may not have been uploaded, or \
                 the specified entity tag may not match the part's entity tag."
            }
            Self::InvalidPartOrder { .. } => {
                "The list of parts was not in ascending order. Parts must be ordered by part number."
            }
            Self::InvalidStorageClass { .. } => "The storage class you specified is not valid",
            Self::NoSuchTagSet { .. } => "The TagSet does not exist",
            Self::SlowDown => "Please reduce your request rate.",
            _ => "The request body terminated unexpectedly",
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Checksum(error) => Some(error),
            Self::Lifecycle(error) => Some(error),
            Self::Notification(error) => Some(error),
            Self::IncompleteBody { source } => Some(source.as_ref()),
            _ => None,
        }
    }
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        Self::Storage(error)
    }
}

impl From<LifecycleError> for Error {
    fn from(error: LifecycleError) -> Self {
        Self::Lifecycle(error)
    }
}

impl From<NotificationError> for Error {
    fn from(error: NotificationError) -> Self {
        Self::Notification(error)
    }
}

impl From<ChecksumError> for Error {
    fn from(error: ChecksumError) -> Self {
        Self::Checksum(error)
    }
}
