//! Lists of buckets, objects, versions, uploads and parts.

use crate::body::Body;
use crate::s3::access::Caller;
use crate::s3::acl::owner;
use crate::s3::ask::Ask;
use crate::s3::document::{self, Naming, iso};
use crate::s3::error::{Error, Result};
use crate::s3::reply::set;
use crate::xml::Xml;
use fourfold::objects::{
    ChecksumAlgorithm, ChecksumType, ListBuckets, ListObjects, ListObjectsV1, ListParts, ListUploads,
    ListVersions, ObjectEntry, VersionEntry,
};
use http::Response;

fn flag(is: bool) -> &'static str {
    if is { "true" } else { "false" }
}

/// How names are to be shown.
fn naming(ask: &Ask<'_>) -> Result<Naming> {
    match ask.param("encoding-type") {
        None | Some("") => Ok(Naming { is_url: false }),
        Some(kind) if kind.eq_ignore_ascii_case("url") => Ok(Naming { is_url: true }),
        Some(other) => {
            Err(Error::argument("encoding-type", other, "Invalid Encoding Method specified in Request"))
        }
    }
}

/// How many a page may have, as it was asked for: the service takes no more than a thousand.
fn page(ask: &Ask<'_>, name: &'static str) -> Result<u32> {
    Ok(ask.count(name)?.unwrap_or(1000).min(1000))
}

/// A parameter, unless it is empty.
fn some(ask: &Ask<'_>, name: &str) -> Option<String> {
    ask.param_text(name).filter(|text| !text.is_empty())
}

fn prefixes(xml: &mut Xml, names: Naming, prefixes: &[String]) {
    for prefix in prefixes {
        xml.element("CommonPrefixes", |xml| xml.text("Prefix", &names.show(prefix)));
    }
}

fn optional(xml: &mut Xml, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        xml.text(name, text);
    }
}

pub(crate) fn buckets(ask: &Ask<'_>) -> Result<Response<Body>> {
    let prefix = ask.param_text("prefix");
    let mut request = ListBuckets { prefix, region: some(ask, "bucket-region"), ..ListBuckets::default() };
    if let Some(text) = some(ask, "max-buckets") {
        let rule = "Argument max-buckets must be an integer between 1 and 10000";
        let count = text.parse().ok().filter(|count| (1..=10_000).contains(count));
        request.max_buckets = Some(count.ok_or_else(|| Error::argument("max-buckets", text, rule))?);
    }
    request.continuation_token = some(ask, "continuation-token");
    let found = ask.buckets().list(&request)?;
    Ok(document::answer("ListAllMyBucketsResult", |xml| {
        owner(xml, "Owner", ask.store.account());
        xml.element("Buckets", |xml| {
            for bucket in &found.buckets {
                xml.element("Bucket", |xml| {
                    xml.text("Name", &bucket.name);
                    xml.text("CreationDate", &iso(bucket.created));
                    // Only who pages is told.
                    if request.max_buckets.is_some()
                        || request.continuation_token.is_some()
                        || request.prefix.is_some()
                        || request.region.is_some()
                    {
                        xml.text("BucketRegion", &bucket.region);
                    }
                });
            }
        });
        optional(xml, "Prefix", request.prefix.as_deref());
        optional(xml, "ContinuationToken", found.continuation_token.as_deref());
    }))
}

fn entry(xml: &mut Xml, ask: &Ask<'_>, names: Naming, object: &ObjectEntry, shows_owner: bool) {
    xml.element("Contents", |xml| {
        xml.text("Key", &names.show(&object.key));
        xml.text("LastModified", &iso(object.last_modified));
        xml.text("ETag", &object.etag.to_string());
        checksum(xml, object.checksum);
        xml.text("Size", &object.size.to_string());
        if shows_owner {
            owner(xml, "Owner", ask.store.account());
        }
        xml.text("StorageClass", object.storage_class.name());
    });
}

fn checksum(xml: &mut Xml, checksum: Option<(ChecksumAlgorithm, ChecksumType)>) {
    if let Some((algorithm, kind)) = checksum {
        xml.text("ChecksumAlgorithm", algorithm.name());
        xml.text("ChecksumType", kind.name());
    }
}

pub(crate) fn objects_v1(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let names = naming(ask)?;
    let request = ListObjectsV1 {
        prefix: some(ask, "prefix"),
        delimiter: some(ask, "delimiter"),
        marker: some(ask, "marker"),
        max_keys: ask.count("max-keys")?,
    };
    let max = page(ask, "max-keys")?;
    // Who did not sign is not told whose the objects are.
    let shows_owner = ask.caller != Caller::Anonymous;
    let found = bucket.list_v1(&request)?;
    let mut answer = document::answer("ListBucketResult", |xml| {
        xml.text("Name", bucket.name());
        xml.text("Prefix", &names.show(request.prefix.as_deref().unwrap_or_default()));
        xml.text("Marker", &names.show(request.marker.as_deref().unwrap_or_default()));
        optional(xml, "NextMarker", found.next_marker.as_deref().map(|marker| names.show(marker)).as_deref());
        xml.text("MaxKeys", &max.to_string());
        optional(xml, "Delimiter", request.delimiter.as_deref().map(|text| names.show(text)).as_deref());
        optional(xml, "EncodingType", names.is_url.then_some("url"));
        xml.text("IsTruncated", flag(found.is_truncated));
        for object in &found.objects {
            entry(xml, ask, names, object, shows_owner);
        }
        prefixes(xml, names, &found.common_prefixes);
    });
    set(answer.headers_mut(), "x-amz-bucket-region", bucket.region()?);
    Ok(answer)
}

pub(crate) fn objects_v2(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let names = naming(ask)?;
    if ask.param("continuation-token") == Some("") {
        return Err(Error::argument_named(
            "continuation-token",
            "The continuation token provided is incorrect",
        ));
    }
    let mut request = ListObjects::new();
    request.prefix = some(ask, "prefix");
    request.delimiter = some(ask, "delimiter");
    request.start_after = some(ask, "start-after");
    request.continuation_token = some(ask, "continuation-token");
    request.max_keys = ask.count("max-keys")?;
    let max = page(ask, "max-keys")?;
    let shows_owner = ask.param("fetch-owner") == Some("true");
    let found = bucket.list(&request)?;
    let start_after = request.start_after.as_deref().filter(|_| request.continuation_token.is_none());
    let mut answer = document::answer("ListBucketResult", |xml| {
        xml.text("Name", bucket.name());
        xml.text("Prefix", &names.show(request.prefix.as_deref().unwrap_or_default()));
        optional(xml, "ContinuationToken", request.continuation_token.as_deref());
        optional(xml, "NextContinuationToken", found.next_continuation_token.as_deref());
        optional(xml, "StartAfter", start_after.map(|key| names.show(key)).as_deref());
        xml.text("KeyCount", &found.key_count().to_string());
        xml.text("MaxKeys", &max.to_string());
        optional(xml, "Delimiter", request.delimiter.as_deref().map(|text| names.show(text)).as_deref());
        optional(xml, "EncodingType", names.is_url.then_some("url"));
        xml.text("IsTruncated", flag(found.is_truncated));
        for object in &found.objects {
            entry(xml, ask, names, object, shows_owner);
        }
        prefixes(xml, names, &found.common_prefixes);
    });
    set(answer.headers_mut(), "x-amz-bucket-region", bucket.region()?);
    Ok(answer)
}

pub(crate) fn versions(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let names = naming(ask)?;
    let mut request = ListVersions {
        prefix: some(ask, "prefix"),
        delimiter: some(ask, "delimiter"),
        key_marker: some(ask, "key-marker"),
        version_id_marker: ask.param_text("version-id-marker"),
        max_keys: ask.count("max-keys")?,
    };
    let max = page(ask, "max-keys")?;
    if request.version_id_marker.as_deref() == Some("") {
        if ask.param("key-marker").is_some_and(|marker| !marker.is_empty()) {
            let rule = "A version-id marker cannot be empty.";
            return Err(Error::argument("version-id-marker", "", rule));
        }
        request.version_id_marker = None;
    }
    let found = bucket.list_versions(&request)?;
    Ok(document::answer("ListVersionsResult", |xml| {
        xml.text("Name", bucket.name());
        xml.text("Prefix", &names.show(request.prefix.as_deref().unwrap_or_default()));
        xml.text("KeyMarker", &names.show(request.key_marker.as_deref().unwrap_or_default()));
        xml.text("VersionIdMarker", request.version_id_marker.as_deref().unwrap_or_default());
        optional(
            xml,
            "NextKeyMarker",
            found.next_key_marker.as_deref().map(|key| names.show(key)).as_deref(),
        );
        optional(
            xml,
            "NextVersionIdMarker",
            found.next_version_id_marker.map(|id| id.to_string()).as_deref(),
        );
        xml.text("MaxKeys", &max.to_string());
        optional(xml, "Delimiter", request.delimiter.as_deref().map(|text| names.show(text)).as_deref());
        optional(xml, "EncodingType", names.is_url.then_some("url"));
        xml.text("IsTruncated", flag(found.is_truncated));
        for version in &found.versions {
            version_entry(xml, ask, names, version);
        }
        prefixes(xml, names, &found.common_prefixes);
    }))
}

fn version_entry(xml: &mut Xml, ask: &Ask<'_>, names: Naming, version: &VersionEntry) {
    let kind = if version.object.is_some() { "Version" } else { "DeleteMarker" };
    xml.element(kind, |xml| {
        xml.text("Key", &names.show(&version.key));
        xml.text("VersionId", &version.version_id.to_string());
        xml.text("IsLatest", flag(version.is_latest));
        xml.text("LastModified", &iso(version.last_modified));
        if let Some(object) = &version.object {
            xml.text("ETag", &object.etag.to_string());
            checksum(xml, object.checksum);
            xml.text("Size", &object.size.to_string());
        }
        owner(xml, "Owner", ask.store.account());
        if let Some(object) = &version.object {
            xml.text("StorageClass", object.storage_class.name());
        }
    });
}

pub(crate) fn uploads(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let names = naming(ask)?;
    let request = ListUploads {
        prefix: some(ask, "prefix"),
        delimiter: some(ask, "delimiter"),
        key_marker: some(ask, "key-marker"),
        upload_id_marker: some(ask, "upload-id-marker"),
        max_uploads: ask.count("max-uploads")?,
    };
    let max = page(ask, "max-uploads")?;
    let found = bucket.list_uploads(&request)?;
    // An id says nothing without a key.
    let id_marker = request.upload_id_marker.as_deref().filter(|_| request.key_marker.is_some());
    // The service names the last upload of every page, though no more may follow; of a page of prefixes, none.
    let last = found.uploads.last();
    let next_key = match (last, &found.next_key_marker) {
        (Some(_), Some(key)) => Some(&**key),
        (last, _) => last.map(|last| &*last.key),
    };
    let next_id = match (found.is_truncated, last) {
        (true, Some(_)) => found.next_upload_id_marker,
        (_, last) => last.map(|last| last.upload_id),
    };
    Ok(document::answer("ListMultipartUploadsResult", |xml| {
        xml.text("Bucket", bucket.name());
        xml.text("KeyMarker", &names.show(request.key_marker.as_deref().unwrap_or_default()));
        xml.text("UploadIdMarker", id_marker.unwrap_or_default());
        xml.text("NextKeyMarker", &names.show(next_key.unwrap_or_default()));
        xml.text("NextUploadIdMarker", &next_id.map(|id| id.to_string()).unwrap_or_default());
        optional(xml, "Prefix", request.prefix.as_deref().map(|text| names.show(text)).as_deref());
        optional(xml, "Delimiter", request.delimiter.as_deref().map(|text| names.show(text)).as_deref());
        optional(xml, "EncodingType", names.is_url.then_some("url"));
        xml.text("MaxUploads", &max.to_string());
        xml.text("IsTruncated", flag(found.is_truncated));
        for upload in &found.uploads {
            xml.element("Upload", |xml| {
                xml.text("Key", &names.show(&upload.key));
                xml.text("UploadId", &upload.upload_id.to_string());
                owner(xml, "Initiator", ask.store.account());
                owner(xml, "Owner", ask.store.account());
                xml.text("StorageClass", upload.storage_class.name());
                xml.text("Initiated", &iso(upload.initiated));
                checksum(xml, upload.chose_checksum.then_some(upload.checksum));
            });
        }
        prefixes(xml, names, &found.common_prefixes);
    }))
}

pub(crate) fn parts(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let mut request = ListParts::new(ask.key(), ask.param("uploadId").unwrap_or_default());
    request.part_number_marker = ask.count("part-number-marker")?;
    request.max_parts = ask.count("max-parts")?;
    let max = page(ask, "max-parts")?;
    let found = bucket.list_parts(&request)?;
    Ok(document::answer("ListPartsResult", |xml| {
        xml.text("Bucket", bucket.name());
        xml.text("Key", ask.key());
        xml.text("UploadId", &request.upload_id);
        owner(xml, "Initiator", ask.store.account());
        owner(xml, "Owner", ask.store.account());
        xml.text("StorageClass", found.storage_class.name());
        checksum(xml, found.chose_checksum.then_some(found.checksum));
        xml.text("PartNumberMarker", &request.part_number_marker.unwrap_or(0).to_string());
        let next = if found.parts.is_empty() { 0 } else { found.next_part_number_marker };
        xml.text("NextPartNumberMarker", &next.to_string());
        xml.text("MaxParts", &max.to_string());
        xml.text("IsTruncated", flag(found.is_truncated));
        for part in &found.parts {
            xml.element("Part", |xml| {
                xml.text("PartNumber", &part.part_number.to_string());
                xml.text("LastModified", &iso(part.last_modified));
                xml.text("ETag", &part.etag.to_string());
                xml.text("Size", &part.size.to_string());
                if found.chose_checksum {
                    crate::s3::object::write_value(xml, &part.checksum.base64(), part.checksum.algorithm());
                }
            });
        }
    }))
}
