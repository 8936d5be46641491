//! Between the words of the `object_store` crate and those of a bucket.

use crate::clock::Timestamp;
use crate::objects::{Conditions, ETag, Error, Metadata, ObjectInfo, StorageClass, Tags, VersionId};
use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, GetOptions, GetRange, ObjectMeta, PutResult, Result, TagSet,
};

/// The name that errors carry.
const STORE: &str = "fourfold";

/// A refusal about an object at `path`.
pub(super) fn error(path: &Path, error: Error) -> object_store::Error {
    let path = path.to_string();
    match &error {
        Error::NoSuchKey { .. } | Error::NoSuchVersion { .. } | Error::MethodNotAllowed { .. } => {
            object_store::Error::NotFound { path, source: error.into() }
        }
        Error::PreconditionFailed { .. } => object_store::Error::Precondition { path, source: error.into() },
        Error::NotModified { .. } => object_store::Error::NotModified { path, source: error.into() },
        _ => generic(error),
    }
}

/// The same of a write that must find nothing there.
pub(super) fn create_error(path: &Path, refusal: Error) -> object_store::Error {
    match refusal {
        Error::PreconditionFailed { .. } => {
            object_store::Error::AlreadyExists { path: path.to_string(), source: refusal.into() }
        }
        other => error(path, other),
    }
}

/// The same of a write that must find a certain object there.
pub(super) fn update_error(path: &Path, refusal: Error) -> object_store::Error {
    match refusal {
        Error::NoSuchKey { .. } => {
            object_store::Error::Precondition { path: path.to_string(), source: refusal.into() }
        }
        other => error(path, other),
    }
}

/// Any other fault.
pub(super) fn generic(
    source: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> object_store::Error {
    object_store::Error::Generic { store: STORE, source: source.into() }
}

/// The id of a version that stays. The `null` version does not: the next write may replace it.
fn version(id: Option<VersionId>) -> Option<String> {
    id.filter(|id| !id.is_null()).map(|id| id.to_string())
}

pub(super) fn put_result(etag: ETag, version_id: Option<VersionId>) -> PutResult {
    PutResult {
        e_tag: Some(etag.to_string()),
        version: version(version_id),
        extensions: object_store::Extensions::default(),
    }
}

pub(super) fn date(at: Timestamp) -> DateTime<Utc> {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// No moment of an object is before the epoch.
fn timestamp(date: &DateTime<Utc>) -> Timestamp {
    Timestamp::from_millis(u64::try_from(date.timestamp_millis()).unwrap_or(0))
}

pub(super) fn conditions(options: &GetOptions) -> Conditions {
    Conditions {
        if_match: options.if_match.clone(),
        if_none_match: options.if_none_match.clone(),
        if_modified_since: options.if_modified_since.as_ref().map(timestamp),
        if_unmodified_since: options.if_unmodified_since.as_ref().map(timestamp),
    }
}

/// As a `Range` header.
pub(super) fn range_header(range: &GetRange) -> Result<String> {
    match range {
        GetRange::Bounded(bytes) if bytes.start < bytes.end => {
            Ok(format!("bytes={}-{}", bytes.start, bytes.end - 1))
        }
        GetRange::Bounded(bytes) => Err(generic(format!("the range {bytes:?} has no bytes"))),
        GetRange::Offset(start) => Ok(format!("bytes={start}-")),
        GetRange::Suffix(len) => Ok(format!("bytes=-{len}")),
    }
}

pub(super) fn object_meta(location: Path, info: &ObjectInfo) -> ObjectMeta {
    ObjectMeta {
        location,
        last_modified: date(info.last_modified),
        size: info.size,
        e_tag: Some(info.etag.to_string()),
        version: version(info.version_id),
    }
}

/// Headers, user metadata and storage class of attributes.
///
/// # Errors
/// `NotSupported` for an attribute that S3 does not have.
pub(super) fn metadata(attributes: &Attributes) -> Result<(Metadata, StorageClass)> {
    let (mut metadata, mut class) = (Metadata::default(), StorageClass::default());
    for (attribute, value) in attributes {
        let text = || Some(value.as_ref().to_owned());
        match attribute {
            Attribute::ContentType => metadata.content_type = text(),
            Attribute::CacheControl => metadata.cache_control = text(),
            Attribute::ContentDisposition => metadata.content_disposition = text(),
            Attribute::ContentEncoding => metadata.content_encoding = text(),
            Attribute::ContentLanguage => metadata.content_language = text(),
            Attribute::StorageClass => class = value.as_ref().parse().map_err(generic)?,
            Attribute::Metadata(name) => metadata.insert(name, value.as_ref()),
            other => {
                let source = format!("the attribute {other:?}").into();
                return Err(object_store::Error::NotSupported { source });
            }
        }
    }
    Ok((metadata, class))
}

/// What was given of attributes, and nothing that was not.
pub(super) fn attributes(info: &ObjectInfo) -> Attributes {
    let metadata = &info.metadata;
    let headers = [
        (Attribute::ContentType, &metadata.content_type),
        (Attribute::CacheControl, &metadata.cache_control),
        (Attribute::ContentDisposition, &metadata.content_disposition),
        (Attribute::ContentEncoding, &metadata.content_encoding),
        (Attribute::ContentLanguage, &metadata.content_language),
    ];
    let headers =
        headers.into_iter().filter_map(|(name, value)| Some((name, AttributeValue::from(value.clone()?))));
    let user = metadata
        .user
        .iter()
        .map(|(name, value)| (Attribute::Metadata(name.clone().into()), AttributeValue::from(value.clone())));
    let class = (info.storage_class != StorageClass::default())
        .then(|| (Attribute::StorageClass, AttributeValue::from(info.storage_class.name())));
    headers.chain(user).chain(class).collect()
}

/// Tags come as a query string.
pub(super) fn tags(tags: &TagSet) -> Tags {
    form_urlencoded::parse(tags.encoded().as_bytes()).collect()
}

/// The place of a key.
///
/// # Errors
/// `InvalidPath` for a key that is none, such as one with two slashes in a row.
pub(super) fn path(key: &str) -> Result<Path> {
    Ok(Path::parse(key)?)
}
