//! Objects: put, get, head, delete, copy, and what is known of them.

use crate::body::Body;
use crate::s3::access::{ACL, Need, check_acl};
use crate::s3::acl::{Acl, Permission};
use crate::s3::ask::Ask;
use crate::s3::document::{self, iso};
use crate::s3::error::{Error, Result};
use crate::s3::intake::Intake;
use crate::s3::reply::{self, say_checksum, say_object, say_version, set, set_some};
use crate::s3::sse::{self, Encryption};
use crate::s3::tree::Node;
use fourfold::objects::{
    self, Bucket, ChecksumAlgorithm, Conditions, CopyObject, CopySource, DeleteObject, GetAttributes,
    GetObject, Metadata, PutObject, PutOutput, Tags, VersionId,
};
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes of a document that names up to a thousand keys.
const DELETE_LEN_MAX: usize = 8 << 20;

/// What object lock would do, which no bucket has. What could not be is said first.
pub(crate) fn refuse_lock(ask: &Ask<'_>) -> Result<()> {
    const MODE: &str = "x-amz-object-lock-mode";
    const UNTIL: &str = "x-amz-object-lock-retain-until-date";
    const HOLD: &str = "x-amz-object-lock-legal-hold";
    let (mode, until, hold) = (ask.header(MODE), ask.header(UNTIL), ask.header(HOLD));
    if let Some(bad) = mode.filter(|mode| !["GOVERNANCE", "COMPLIANCE"].contains(mode)) {
        return Err(Error::argument(MODE, bad, "Unknown wormMode directive."));
    }
    if let Some(text) = until {
        let refused = |rule: &str| Error::argument(UNTIL, text, rule);
        let end = document::parse_iso(text)
            .ok_or_else(|| refused("The retain until date must be provided in ISO 8601 format"))?;
        if end <= ask.store.now() {
            return Err(refused("The retain until date must be in the future!"));
        }
    }
    if mode.is_some() != until.is_some() {
        let rule = format!("{UNTIL} and {MODE} must both be supplied");
        return Err(Error::argument_named(if mode.is_some() { UNTIL } else { MODE }, rule));
    }
    if let Some(bad) = hold.filter(|hold| !["ON", "OFF"].contains(hold)) {
        return Err(Error::argument(HOLD, bad, "Legal Hold must be either of 'ON' or 'OFF'"));
    }
    let other = ask.head.headers.keys().any(|name| name.as_str().starts_with("x-amz-object-lock-"));
    if other || mode.or(until).or(hold).is_some() {
        Err(Error::request("Bucket is missing ObjectLockConfiguration"))
    } else {
        Ok(())
    }
}

/// What is kept of an object besides what the service shows: its access control list, how it is encrypted.
pub(crate) fn attributes(
    ask: &Ask<'_>,
    bucket: &Bucket,
    encryption: &Encryption,
) -> Result<Vec<(String, String)>> {
    let mut attributes = Vec::new();
    encryption.store(&mut attributes);
    let account = ask.store.account();
    if let Some(acl) = Acl::of_headers(ask)? {
        check_acl(bucket, &acl, account)?;
        if acl != Acl::private(account) {
            attributes.push((ACL.to_owned(), acl.document(account)));
        }
    }
    Ok(attributes)
}

pub(crate) async fn put(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    refuse_lock(ask)?;
    let len = ask.content_length()?;
    if len.is_none() && body.needs_len() {
        return Err(Error::no_length());
    }
    let encryption = Encryption::of_write(ask, &bucket)?;
    let mut request = PutObject::new(ask.key());
    request.metadata = reply::metadata(ask);
    reply::check_redirect(&request.metadata)?;
    request.metadata.attributes = attributes(ask, &bucket, &encryption)?;
    request.tags = reply::tags(ask.header("x-amz-tagging"))?;
    request.storage_class = reply::storage_class(ask)?.unwrap_or_default();
    request.content_md5 = reply::content_md5(ask)?;
    request.checksum = reply::checksum(ask)?;
    request.checksum_algorithm = body.trailing().or(reply::announced(ask)?);
    request.content_length = len;
    request.if_match = ask.header_text("if-match");
    request.if_none_match = ask.header_text("if-none-match");
    request.opaque_etag = encryption.is_opaque();
    if let Some(len) = len.filter(|len| *len > objects::limits::PUT_LEN_MAX) {
        return Err(objects::Error::EntityTooLarge { len, max: objects::limits::PUT_LEN_MAX }.into());
    }
    let output = write(&bucket, request, body).await?;
    let mut answer = document::empty(200);
    say_put(&mut answer, ask, &bucket, &output, &encryption);
    Ok(answer)
}

/// Writes an object as it comes.
pub(crate) async fn write(bucket: &Bucket, request: PutObject, body: &mut Intake<'_>) -> Result<PutOutput> {
    let mut writer = bucket.writer(request)?;
    while let Some(data) = body.next().await? {
        writer.write(data)?;
    }
    if let Some(checksum) = body.checksum()? {
        writer.expect_checksum(checksum);
    }
    Ok(writer.finish_async().await?)
}

/// What is said of an object that was written.
pub(crate) fn say_put(
    answer: &mut Response<Body>,
    ask: &Ask<'_>,
    bucket: &Bucket,
    output: &PutOutput,
    encryption: &Encryption,
) {
    let headers = answer.headers_mut();
    set(headers, "etag", output.etag.to_string());
    say_new_version(headers, output.version_id);
    say_checksum(headers, &output.checksum);
    encryption.say(headers);
    set_some(headers, "x-amz-expiration", bucket.expiration(ask.key(), None).ok().flatten());
}

/// Says which version was written. The service does not of a `null` one.
pub(crate) fn say_new_version(headers: &mut http::HeaderMap, version: Option<VersionId>) {
    say_version(headers, version.filter(|id| !id.is_null()));
}

/// What is read, as headers and query say.
fn reading(ask: &Ask<'_>) -> Result<GetObject> {
    let mut request = GetObject::new(ask.key());
    request.version_id = ask.version()?.map(str::to_owned);
    request.range = ask.header_text("range");
    if let Some(text) = ask.param("partNumber") {
        let rule = "Part number must be an integer between 1 and 10000, inclusive";
        let number = text.parse().map_err(|_| Error::argument("partNumber", text, rule))?;
        request.part_number = Some(number);
    }
    request.conditions = Conditions {
        if_match: ask.header_text("if-match"),
        if_none_match: ask.header_text("if-none-match"),
        if_modified_since: ask.time("if-modified-since"),
        if_unmodified_since: ask.time("if-unmodified-since"),
    };
    Ok(request)
}

pub(crate) fn get(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let output = bucket.get_object(reading(ask)?)?;
    Encryption::of_stored(&output.info.metadata).check_read(ask, sse::OWN)?;
    let mut answer = Response::new(Body::new(Bytes(output.body)));
    let headers = answer.headers_mut();
    say_object(headers, ask, &output.info, output.content_range.as_ref());
    set_some(
        headers,
        "x-amz-expiration",
        bucket.expiration(ask.key(), ask.param("versionId")).ok().flatten(),
    );
    reply::overrides(headers, ask)?;
    if output.content_range.is_some() {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(answer)
}

pub(crate) fn head(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let output = bucket.head_object(&reading(ask)?)?;
    Encryption::of_stored(&output.info.metadata).check_read(ask, sse::OWN)?;
    let mut answer = document::empty(200);
    let headers = answer.headers_mut();
    say_object(headers, ask, &output.info, output.content_range.as_ref());
    set(headers, "content-length", output.content_length.to_string());
    set_some(
        headers,
        "x-amz-expiration",
        bucket.expiration(ask.key(), ask.param("versionId")).ok().flatten(),
    );
    reply::overrides(headers, ask)?;
    if output.content_range.is_some() {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(answer)
}

pub(crate) async fn delete(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let mut request = DeleteObject::new(ask.key());
    request.version_id = ask.version()?.map(str::to_owned);
    request.if_match = ask.header_text("if-match");
    let output = bucket.delete_object_async(&request).await?;
    let mut answer = document::empty(204);
    let headers = answer.headers_mut();
    if output.delete_marker {
        set(headers, "x-amz-delete-marker", "true");
    }
    say_version(headers, output.version_id);
    Ok(answer)
}

/// Up to a thousand at once.
pub(crate) async fn delete_many(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    if reply::content_md5(ask)?.is_none() && reply::checksum(ask)?.is_none() && body.trailing().is_none() {
        let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
        return Err(Error::request(message));
    }
    let text = body.collect(DELETE_LEN_MAX).await?;
    check_document(ask, body, &text)?;
    let root = Node::parse(&text, "Delete")?;
    let quiet = root.flag("Quiet")?.unwrap_or(false);
    let mut requests = Vec::new();
    for node in root.all("Object") {
        let mut request = DeleteObject::new(node.required("Key")?);
        // Conditions that only buckets of directories know.
        if let Some(name) = ["Size", "LastModifiedTime"].into_iter().find(|name| node.child(name).is_some()) {
            return Err(Error::header_not_implemented(name));
        }
        request.version_id = node.text_of("VersionId").filter(|id| !id.is_empty()).map(str::to_owned);
        request.if_match = node.text_of("ETag").filter(|tag| !tag.is_empty()).map(str::to_owned);
        requests.push(request);
    }
    let allowed = |request: &DeleteObject| {
        let action = if request.version_id.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
        ask.allow_on(&bucket, &request.key, None, action, Need::Bucket(Permission::Write)).is_ok()
    };
    let (may, may_not): (Vec<_>, Vec<_>) = requests.into_iter().partition(allowed);
    let outputs = if may.is_empty() && !may_not.is_empty() {
        Vec::new()
    } else {
        bucket.delete_many_async(&may).await?
    };
    Ok(document::answer("DeleteResult", |xml| {
        for (request, output) in may.iter().zip(outputs) {
            match output {
                Ok(output) if !quiet => xml.element("Deleted", |xml| {
                    xml.text("Key", &request.key);
                    if let Some(id) = &request.version_id {
                        xml.text("VersionId", id);
                    }
                    if output.delete_marker {
                        xml.text("DeleteMarker", "true");
                        if let Some(id) = output.version_id {
                            xml.text("DeleteMarkerVersionId", &id.to_string());
                        }
                    }
                }),
                Ok(_) => {}
                // An id that cannot be is to this operation one that is not there.
                Err(objects::Error::InvalidArgument { name: "versionId", .. }) => {
                    failed(xml, request, "NoSuchVersion", "The specified version does not exist.");
                }
                Err(error) => failed(xml, request, error.code(), &error.to_string()),
            }
        }
        for request in &may_not {
            failed(xml, request, "AccessDenied", "Access Denied");
        }
    }))
}

fn failed(xml: &mut crate::xml::Xml, request: &DeleteObject, code: &str, message: &str) {
    xml.element("Error", |xml| {
        xml.text("Key", &request.key);
        if let Some(id) = &request.version_id {
            xml.text("VersionId", id);
        }
        xml.text("Code", code);
        xml.text("Message", message);
    });
}

/// Is the document what its MD5 or checksum says?
pub(crate) fn check_document(ask: &Ask<'_>, body: &Intake<'_>, text: &[u8]) -> Result<()> {
    use fourfold::objects::{ChecksumAlgorithm, ChecksumHasher};
    if let Some(md5) = reply::content_md5(ask)? {
        md5.verify(ChecksumHasher::digest(ChecksumAlgorithm::Md5, text).bytes())?;
    }
    for expected in [reply::checksum(ask)?, body.checksum()?].into_iter().flatten() {
        expected.verify(&ChecksumHasher::digest(expected.algorithm(), text))?;
    }
    Ok(())
}

/// `/bucket/key?versionId=id`, encoded once; the slash before it may be left out.
pub(crate) fn copy_source(ask: &Ask<'_>) -> Result<CopySource> {
    const NAME: &str = "x-amz-copy-source";
    let text = ask.header_text(NAME).unwrap_or_default();
    let bad = |what: &str| Error::argument(NAME, NAME, format!("Invalid copy source {what}"));
    let bad_key = || bad("object key");
    let (path, version) = match text.split_once("?versionId=") {
        Some((path, version)) => (path, Some(version)),
        None => (&*text, None),
    };
    let path = crate::form::decode_url(path).filter(|_| crate::form::is_encoded(path));
    let path = path.ok_or_else(|| bad("encoding"))?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (bucket, key) = path.split_once('/').filter(|(_, key)| !key.is_empty()).ok_or_else(bad_key)?;
    if !crate::s3::may_be_bucket(bucket) || bucket.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err(bad("bucket name"));
    }
    let mut source = CopySource::new(bucket, key);
    source.version_id = version.map(str::to_owned);
    source.conditions = Conditions {
        if_match: ask.header_text("x-amz-copy-source-if-match"),
        if_none_match: ask.header_text("x-amz-copy-source-if-none-match"),
        if_modified_since: ask.time("x-amz-copy-source-if-modified-since"),
        if_unmodified_since: ask.time("x-amz-copy-source-if-unmodified-since"),
    };
    Ok(source)
}

/// May the caller read the source, and has he shown its key? How it is encrypted.
pub(crate) fn check_source(ask: &Ask<'_>, source: &CopySource) -> Result<(Encryption, Metadata)> {
    let from = ask.buckets().bucket(&source.bucket)?;
    if ask.header("x-amz-source-expected-bucket-owner").is_some_and(|owner| owner != ask.store.account()) {
        return Err(Error::denied());
    }
    let action = if source.version_id.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
    let version = source.version_id.as_deref();
    ask.allow_on(&from, &source.key, version, action, Need::Object(Permission::Read))?;
    let mut request = GetObject::new(&*source.key);
    request.version_id.clone_from(&source.version_id);
    let metadata = match from.head_object(&request) {
        Ok(head) => head.info.metadata,
        // The copy says what is the matter with the source, in other words.
        Err(error) if error.code() == "MethodNotAllowed" => Metadata::default(),
        Err(error) => {
            let mut error = Error::from(error);
            error.headers.clear();
            return Err(error);
        }
    };
    let encryption = Encryption::of_stored(&metadata);
    encryption.check_read(ask, sse::OF_SOURCE)?;
    Ok((encryption, metadata))
}

fn directive(ask: &Ask<'_>, name: &'static str) -> Result<bool> {
    match ask.header(name) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => {
            let what = if name.contains("tagging") { "tagging" } else { "metadata" };
            Err(Error::argument(name, other, format!("Unknown {what} directive.")))
        }
    }
}

pub(crate) async fn copy(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    refuse_lock(ask)?;
    let source = copy_source(ask)?;
    let (replaces, replaces_tags) =
        (directive(ask, "x-amz-metadata-directive")?, directive(ask, "x-amz-tagging-directive")?);
    let (before, _) = check_source(ask, &source)?;
    let encryption = Encryption::of_write(ask, &bucket)?;
    let mut request = CopyObject::new(ask.key(), source);
    request.attributes = attributes(ask, &bucket, &encryption)?;
    request.changes_encryption = ask.header("x-amz-server-side-encryption").is_some() || before != encryption;
    if replaces {
        let mut metadata = reply::metadata(ask);
        reply::check_redirect(&metadata)?;
        metadata.attributes.clone_from(&request.attributes);
        request.metadata = Some(metadata);
    } else {
        request.website_redirect = ask.header_text("x-amz-website-redirect-location");
    }
    if replaces_tags {
        request.tags = Some(reply::tags(ask.header("x-amz-tagging"))?);
    }
    request.storage_class = reply::storage_class(ask)?;
    request.checksum_algorithm = reply::algorithm(ask, "x-amz-checksum-algorithm")?;
    request.if_match = ask.header_text("if-match");
    request.if_none_match = ask.header_text("if-none-match");
    let output = bucket.copy_async(request).await?;
    let mut answer = document::answer("CopyObjectResult", |xml| {
        xml.text("LastModified", &iso(output.last_modified));
        xml.text("ETag", &output.etag.to_string());
        if let Some(checksum) = &output.checksum {
            write_value(xml, &checksum.to_string(), checksum.algorithm());
        }
    });
    let headers = answer.headers_mut();
    say_version(headers, output.version_id);
    say_source(headers, output.source_version_id);
    encryption.say(headers);
    set_some(headers, "x-amz-expiration", bucket.expiration(ask.key(), None).ok().flatten());
    Ok(answer)
}

/// Says which version was copied. The service does not of a `null` one.
pub(crate) fn say_source(headers: &mut http::HeaderMap, version: Option<VersionId>) {
    set_some(headers, "x-amz-copy-source-version-id", version.filter(|id| !id.is_null()));
}

/// A value in an element that is called after its algorithm, such as `ChecksumCRC32`.
pub(crate) fn write_value(xml: &mut crate::xml::Xml, value: &str, algorithm: ChecksumAlgorithm) {
    xml.text(&format!("Checksum{}", algorithm.name()), value);
}

pub(crate) fn attributes_of(ask: &Ask<'_>) -> Result<Response<Body>> {
    const NAME: &str = "x-amz-object-attributes";
    let bucket = ask.bucket()?;
    let wanted = ask.header_text(NAME).unwrap_or_default();
    let wanted: Vec<&str> = wanted.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if wanted.is_empty() {
        return Err(Error::request(
            "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
        ));
    }
    if let Some(bad) = wanted
        .iter()
        .find(|name| !["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"].contains(name))
    {
        return Err(Error::argument(NAME, *bad, "Invalid attribute name specified."));
    }
    let number = |name: &'static str| {
        let bad =
            |text: &str| Error::argument(name, text, "Argument must be an integer between 0 and 2147483647");
        ask.header(name).map(|text| text.parse::<u32>().map_err(|_| bad(text))).transpose()
    };
    let mut read = GetObject::new(ask.key());
    read.version_id = ask.version()?.map(str::to_owned);
    let head = bucket.head_object(&read)?;
    Encryption::of_stored(&head.info.metadata).check_read(ask, sse::OWN)?;
    let mut request = GetAttributes::new(ask.key());
    request.version_id = read.version_id;
    request.part_number_marker = number("x-amz-part-number-marker")?;
    request.max_parts = number("x-amz-max-parts")?;
    let found = bucket.attributes(&request)?;
    let mut answer = document::answer("GetObjectAttributesResponse", |xml| {
        if wanted.contains(&"ETag") {
            xml.text("ETag", &found.etag.unquoted());
        }
        if let (true, Some(checksum)) = (wanted.contains(&"Checksum"), &found.checksum) {
            // Here a composite one is without the number of its parts.
            xml.element("Checksum", |xml| {
                write_value(xml, &checksum.base64(), checksum.algorithm());
                xml.text("ChecksumType", checksum.kind().name());
            });
        }
        if let (true, Some(parts)) = (wanted.contains(&"ObjectParts"), &found.parts) {
            xml.element("ObjectParts", |xml| write_parts(xml, parts));
        }
        if wanted.contains(&"StorageClass") {
            xml.text("StorageClass", found.storage_class.name());
        }
        if wanted.contains(&"ObjectSize") {
            xml.text("ObjectSize", &found.size.to_string());
        }
    });
    let headers = answer.headers_mut();
    set(headers, "last-modified", document::http_date(found.last_modified));
    say_version(headers, found.version_id);
    Ok(answer)
}

fn write_parts(xml: &mut crate::xml::Xml, parts: &objects::ObjectParts) {
    xml.text("PartsCount", &parts.total.to_string());
    let Some(page) = &parts.page else { return };
    xml.text("PartNumberMarker", &page.part_number_marker.to_string());
    xml.text("NextPartNumberMarker", &page.next_part_number_marker.to_string());
    xml.text("MaxParts", &page.max_parts.to_string());
    xml.text("IsTruncated", if page.is_truncated { "true" } else { "false" });
    for part in &page.parts {
        xml.element("Part", |xml| {
            xml.text("PartNumber", &part.part_number.to_string());
            xml.text("Size", &part.size.to_string());
            if let Some(checksum) = &part.checksum {
                write_value(xml, &checksum.base64(), checksum.algorithm());
            }
        });
    }
}

/// Tags in a document.
pub(crate) fn tags_of(text: &[u8]) -> Result<Tags> {
    let root = Node::parse(text, "Tagging")?;
    let set = root.child("TagSet").ok_or_else(Error::malformed_xml)?;
    let mut tags = Vec::new();
    for node in set.all("Tag") {
        tags.push((node.required("Key")?.to_owned(), node.required("Value")?.to_owned()));
    }
    let mut keys: Vec<&String> = tags.iter().map(|(key, _)| key).collect();
    keys.sort();
    if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
        let message = "Cannot provide multiple Tags with the same key";
        return Err(Error::new("InvalidTag", 400, message).with("TagKey", pair[0].clone()));
    }
    Ok(Tags(tags))
}

/// The document of tags.
pub(crate) fn tagging(tags: &Tags) -> Response<Body> {
    document::answer("Tagging", |xml| {
        xml.element("TagSet", |xml| {
            for (key, value) in tags.iter() {
                xml.element("Tag", |xml| {
                    xml.text("Key", key);
                    xml.text("Value", value);
                });
            }
        });
    })
}

pub(crate) fn get_tags(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let found = bucket.tagging(ask.key(), ask.version()?).map_err(|error| {
        let mut error = Error::from(error);
        for (name, value) in &mut error.details {
            // The service names the bucket too, in this answer only.
            if *name == "Key" && error.code == "NoSuchKey" {
                *value = format!("{}/{value}", bucket.name());
            }
        }
        error
    })?;
    let mut answer = tagging(&found.tags);
    say_version(answer.headers_mut(), found.version_id);
    Ok(answer)
}

pub(crate) async fn set_tags(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let text = body.collect(crate::s3::DOCUMENT_LEN_MAX).await?;
    check_document(ask, body, &text)?;
    let done = bucket.set_tagging_async(ask.key(), ask.version()?, tags_of(&text)?).await?;
    let mut answer = document::empty(200);
    say_version(answer.headers_mut(), done.version_id);
    Ok(answer)
}

pub(crate) async fn delete_tags(ask: &Ask<'_>) -> Result<Response<Body>> {
    let done = ask.bucket()?.delete_tagging_async(ask.key(), ask.version()?).await?;
    let mut answer = document::empty(204);
    say_version(answer.headers_mut(), done.version_id);
    Ok(answer)
}

/// Nothing is ever archived, so there is nothing to restore, but only of what there is this is said.
pub(crate) fn restore(ask: &Ask<'_>) -> Result<Response<Body>> {
    let mut request = GetObject::new(ask.key());
    request.version_id = ask.version()?.map(str::to_owned);
    ask.bucket()?.head_object(&request)?;
    let message = "Restore is not allowed for the object's current storage class";
    Err(Error::new("InvalidObjectState", 403, message))
}

pub(crate) fn get_acl(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let account = ask.store.account();
    let acl = crate::s3::access::object_acl(&bucket, ask.key(), ask.version()?, account)?;
    Ok(document::of(acl.document(account)))
}

pub(crate) async fn set_acl(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let account = ask.store.account();
    let text = body.collect(crate::s3::DOCUMENT_LEN_MAX).await?;
    check_document(ask, body, &text)?;
    let acl = crate::s3::bucket::acl_of(ask, &text)?;
    check_acl(&bucket, &acl, account)?;
    let document = acl.document(account);
    let version = bucket.set_attribute_async(ask.key(), ask.version()?, ACL, Some(&document)).await?;
    let mut answer = document::empty(200);
    say_version(answer.headers_mut(), version);
    Ok(answer)
}

/// The bytes of an object on their way out.
struct Bytes(objects::Body);

impl http_body::Body for Bytes {
    type Data = bytes::Bytes;
    type Error = objects::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, objects::Error>>> {
        Poll::Ready(self.get_mut().0.next().map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len())
    }
}
