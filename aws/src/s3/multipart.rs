//! Uploads in parts.

use crate::body::Body;
use crate::s3::ask::Ask;
use crate::s3::document::{self, iso};
use crate::s3::error::{Error, Result};
use crate::s3::intake::Intake;
use crate::s3::object::{
    attributes, check_source, copy_source, refuse_lock, say_new_version, say_source, write_value,
};
use crate::s3::reply::{self, set, set_some};
use crate::s3::sse::Encryption;
use crate::s3::tree::Node;
use fourfold::objects::{
    self, Bucket, Checksum, ChecksumAlgorithm, ChecksumType, CompleteUpload, CompletedPart, CreateUpload,
    ListParts, UploadPart, UploadPartCopy,
};
use http::Response;

/// Bytes of a document that names up to ten thousand parts.
const COMPLETE_LEN_MAX: usize = 4 << 20;

pub(crate) async fn create(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    refuse_lock(ask)?;
    let encryption = Encryption::of_write(ask, &bucket)?;
    let mut request = CreateUpload::new(ask.key());
    request.metadata = reply::metadata(ask);
    reply::check_redirect(&request.metadata)?;
    request.metadata.attributes = attributes(ask, &bucket, &encryption)?;
    request.tags = reply::tags(ask.header("x-amz-tagging"))?;
    request.storage_class = reply::storage_class(ask)?.unwrap_or_default();
    request.checksum_algorithm = reply::algorithm(ask, "x-amz-checksum-algorithm")?;
    request.checksum_type = reply::checksum_type(ask)?;
    request.without_default_checksum = encryption.is_customers();
    let chosen = request.checksum_algorithm.is_some();
    let output = bucket.create_upload_async(request).await?;
    let mut answer = document::answer("InitiateMultipartUploadResult", |xml| {
        xml.text("Bucket", bucket.name());
        xml.text("Key", ask.key());
        xml.text("UploadId", &output.upload_id.to_string());
    });
    let headers = answer.headers_mut();
    if chosen {
        set(headers, "x-amz-checksum-algorithm", output.checksum.0.name());
        set(headers, "x-amz-checksum-type", output.checksum.1.name());
    }
    encryption.say(headers);
    if let Ok(Some(abortion)) = bucket.abortion(ask.key(), ask.store.now()) {
        set(headers, "x-amz-abort-date", abortion.http_date());
        set(headers, "x-amz-abort-rule-id", &abortion.rule_id);
    }
    Ok(answer)
}

fn upload_id<'a>(ask: &'a Ask<'_>) -> &'a str {
    ask.param("uploadId").unwrap_or_default()
}

fn part_number(ask: &Ask<'_>) -> Result<u32> {
    let text = ask.param("partNumber").unwrap_or_default();
    let rule = "Part number must be an integer between 1 and 10000, inclusive";
    let number = text.parse().ok().filter(|number| (1..=objects::limits::PART_NUMBER_MAX).contains(number));
    number.ok_or_else(|| Error::argument("partNumber", text, rule))
}

pub(crate) async fn put_part(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let number = part_number(ask)?;
    let len = ask.content_length()?;
    if len.is_none() && body.needs_len() {
        return Err(Error::no_length());
    }
    if let Some(len) = len.filter(|len| *len > objects::limits::PUT_LEN_MAX) {
        return Err(objects::Error::EntityTooLarge { len, max: objects::limits::PUT_LEN_MAX }.into());
    }
    let metadata = bucket.upload_metadata(ask.key(), upload_id(ask))?;
    let encryption = Encryption::of_stored(&metadata);
    encryption.check_part(ask)?;
    let mut request = UploadPart::new(ask.key(), upload_id(ask), number);
    request.content_md5 = reply::content_md5(ask)?;
    let given = reply::checksum(ask)?;
    request.checksum = given;
    request.checksum_algorithm = body.trailing().or(reply::announced(ask)?);
    if given.is_none() && request.checksum_algorithm.is_none() {
        check_needs_none(ask, &bucket)?;
    }
    request.content_length = len;
    request.opaque_etag = encryption.is_opaque();
    let mut writer = bucket.part_writer(request)?;
    while let Some(data) = body.next().await? {
        writer.write(data)?;
    }
    if let Some(checksum) = body.checksum()? {
        writer.expect_checksum(checksum);
    }
    let output = writer.finish_async().await?;
    let mut answer = document::empty(200);
    let headers = answer.headers_mut();
    set(headers, "etag", output.etag.to_string());
    // Whoever chose no checksum for the upload may send any, and is told that one.
    let checksum = given.or(body.checksum()?).unwrap_or(output.checksum);
    set(headers, checksum.algorithm().header(), checksum.to_string());
    encryption.say(headers);
    Ok(answer)
}

/// Whoever chose checksums that are made of those of the parts sends one with each.
fn check_needs_none(ask: &Ask<'_>, bucket: &Bucket) -> Result<()> {
    let mut request = ListParts::new(ask.key(), upload_id(ask));
    request.max_parts = Some(0);
    let upload = bucket.list_parts(&request)?;
    match upload.checksum {
        (algorithm, ChecksumType::Composite) if upload.chose_checksum => Err(Error::request(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: null",
            algorithm.lower_name()
        ))),
        _ => Ok(()),
    }
}

pub(crate) async fn copy_part(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let number = part_number(ask)?;
    let source = copy_source(ask)?;
    check_source(ask, &source)?;
    let encryption = Encryption::of_stored(&bucket.upload_metadata(ask.key(), upload_id(ask))?);
    encryption.check_part(ask)?;
    let mut request = UploadPartCopy::new(ask.key(), upload_id(ask), number, source);
    request.range = ask.header_text("x-amz-copy-source-range");
    let output = bucket.upload_part_copy_async(&request).await?;
    let mut answer = document::answer("CopyPartResult", |xml| {
        xml.text("LastModified", &iso(output.last_modified));
        xml.text("ETag", &output.part.etag.to_string());
        if output.chose_checksum {
            write_value(xml, &output.part.checksum.base64(), output.part.checksum.algorithm());
        }
    });
    let headers = answer.headers_mut();
    say_source(headers, output.source_version_id);
    encryption.say(headers);
    Ok(answer)
}

pub(crate) async fn complete(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let text = body.collect(COMPLETE_LEN_MAX).await?;
    let mut request = CompleteUpload::new(ask.key(), upload_id(ask));
    if !text.is_empty() {
        request.parts = parts_of(&text)?;
    }
    request.checksum = reply::checksum(ask)?;
    request.checksum_type = reply::checksum_type(ask)?;
    if let Some(size) = ask.header("x-amz-mp-object-size") {
        let rule = "The provided MpuObjectSize is not a number";
        if size.parse::<i64>().is_ok_and(|size| size < 0) {
            let rule = format!("Value for x-amz-mp-object-size header is less than zero: '{size}'");
            return Err(Error::request(rule));
        }
        request.object_size =
            Some(size.parse().map_err(|_| Error::argument("x-amz-mp-object-size", size, rule))?);
    }
    request.if_match = ask.header_text("if-match");
    request.if_none_match = ask.header_text("if-none-match");
    let encryption = match bucket.upload_metadata(ask.key(), upload_id(ask)) {
        Ok(metadata) => Encryption::of_stored(&metadata),
        // It may be completed, and then this is the same call again.
        Err(_) => Encryption::default(),
    };
    let output = bucket.complete_upload_async(&request).await?;
    let scheme = ask.head.uri.scheme_str().unwrap_or("http");
    let host = ask
        .header("host")
        .or(ask.head.uri.authority().map(http::uri::Authority::as_str))
        .unwrap_or("localhost");
    let mut answer = document::answer("CompleteMultipartUploadResult", |xml| {
        let mut location = format!("{scheme}://{host}/");
        if !ask.target.is_virtual {
            location.push_str(bucket.name());
            location.push('/');
        }
        // The service encodes slashes too, here and of forms.
        crate::form::encode(ask.key(), |_| false, &mut location);
        xml.text("Location", &location);
        xml.text("Bucket", bucket.name());
        xml.text("Key", ask.key());
        xml.text("ETag", &output.etag.to_string());
        if let Some(checksum) = &output.checksum {
            write_value(xml, &checksum.to_string(), checksum.algorithm());
            xml.text("ChecksumType", checksum.kind().name());
        }
    });
    let headers = answer.headers_mut();
    say_new_version(headers, output.version_id);
    // Of a key that only the caller has nothing is said here.
    if !encryption.is_customers() {
        encryption.say(headers);
    }
    set_some(headers, "x-amz-expiration", bucket.expiration(ask.key(), None).ok().flatten());
    Ok(answer)
}

fn parts_of(text: &[u8]) -> Result<Vec<CompletedPart>> {
    let root = Node::parse(text, "CompleteMultipartUpload")?;
    let mut parts = Vec::new();
    for node in root.all("Part") {
        let number = node.number::<i64>("PartNumber")?.ok_or_else(Error::malformed_xml)?;
        if number < 1 {
            return Err(Error::argument("PartNumber", number.to_string(), "PartNumber must be >= 1"));
        }
        let number = u32::try_from(number).map_err(|_| Error::malformed_xml())?;
        let etag = node.required("ETag")?.trim().to_owned();
        parts.push(CompletedPart { part_number: number, etag, checksum: checksum_of(node)? });
    }
    // Whoever sends no document at all is told something else.
    if parts.is_empty() { Err(Error::malformed_xml()) } else { Ok(parts) }
}

/// The checksum among the children of an element.
fn checksum_of(node: &Node) -> Result<Option<Checksum>> {
    let mut found = None;
    for child in &node.children {
        let Some(name) = child.name.strip_prefix("Checksum") else { continue };
        if let Ok(algorithm) = name.parse::<ChecksumAlgorithm>() {
            let text = child.text.trim();
            let rule = "Invalid Base64 or multiple checksums present in request";
            let checksum = Checksum::parse(algorithm, text).ok().filter(|_| found.is_none());
            found = Some(checksum.ok_or_else(|| Error::argument("Checksum", text, rule))?);
        }
    }
    Ok(found)
}

pub(crate) async fn abort(ask: &Ask<'_>) -> Result<Response<Body>> {
    ask.bucket()?.abort_upload_async(ask.key(), upload_id(ask)).await?;
    Ok(document::empty(204))
}
