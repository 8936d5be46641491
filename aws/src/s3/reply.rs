//! Headers of objects: out of requests, and into answers.

use crate::form;
use crate::s3::ask::Ask;
use crate::s3::document::http_date;
use crate::s3::error::{Error, Result};
use crate::s3::sse::Encryption;
use crate::s3::words;
use fourfold::objects::{
    Checksum, ChecksumAlgorithm, ChecksumError, ChecksumType, ContentMd5, ContentRange, DEFAULT_CONTENT_TYPE,
    Metadata, ObjectInfo, StorageClass, Tags, VersionId,
};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

const USER: &str = "x-amz-meta-";
/// Says which checksum an SDK sends.
const ANNOUNCED: &str = "x-amz-sdk-checksum-algorithm";

/// Sets a header; a text that cannot be one is left out.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: impl AsRef<[u8]>) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_ref()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Sets a header if there is something to say.
pub(crate) fn set_some(headers: &mut HeaderMap, name: &'static str, value: Option<impl ToString>) {
    if let Some(value) = value {
        set(headers, name, value.to_string());
    }
}

/// Metadata of an object to be written. `aws-chunked` is how it came and not how it is.
pub(crate) fn metadata(ask: &Ask<'_>) -> Metadata {
    let mut metadata = Metadata::default();
    metadata.content_type = ask.header_text("content-type");
    metadata.cache_control = ask.header_text("cache-control");
    metadata.content_disposition = ask.header_text("content-disposition");
    metadata.content_encoding = ask.header_text("content-encoding").and_then(|codings| {
        let codings: Vec<&str> =
            codings.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked").collect();
        Some(codings.join(",")).filter(|codings| !codings.is_empty())
    });
    metadata.content_language = ask.header_text("content-language");
    metadata.expires = ask.header_text("expires");
    metadata.website_redirect = ask.header_text("x-amz-website-redirect-location");
    for (name, value) in &ask.head.headers {
        if let Some(name) = name.as_str().strip_prefix(USER) {
            // Bytes of headers are Latin-1 to the service, whatever was meant.
            let value: String = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
            metadata.insert(name, value.trim());
        }
    }
    for (name, value) in ask.query.headers() {
        if let Some(name) = name.to_ascii_lowercase().strip_prefix(USER) {
            metadata.insert(name, value);
        }
    }
    metadata
}

/// Is the redirect, if there is one, a place?
pub(crate) fn check_redirect(metadata: &Metadata) -> Result<()> {
    match metadata.website_redirect.as_deref() {
        Some(place)
            if !place.starts_with('/') && !place.starts_with("http://") && !place.starts_with("https://") =>
        {
            let message =
                "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.";
            Err(Error::new("InvalidRedirectLocation", 400, message))
        }
        _ => Ok(()),
    }
}

/// Tags as a header has them.
pub(crate) fn tags(text: Option<&str>) -> Result<Tags> {
    let text = text.unwrap_or_default();
    let tags: Tags = form::pairs(text).collect();
    let mut keys: Vec<&str> = tags.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    // What the characters may be is the bucket's affair.
    let is_pair = |pair: &str| pair.matches('=').count() < 2 && !pair.starts_with('=');
    let is_form = form::is_encoded(text) && text.split('&').all(is_pair);
    if !is_form || keys.windows(2).any(|pair| pair[0] == pair[1]) {
        let rule = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without \
                    tag name duplicates.";
        return Err(Error::argument("x-amz-tagging", text, rule));
    }
    Ok(tags)
}

pub(crate) fn storage_class(ask: &Ask<'_>) -> Result<Option<StorageClass>> {
    Ok(ask.header("x-amz-storage-class").map(str::parse).transpose()?)
}

pub(crate) fn content_md5(ask: &Ask<'_>) -> Result<Option<ContentMd5>> {
    Ok(ask.header("content-md5").map(ContentMd5::parse).transpose()?)
}

/// The checksum that the caller sent in a header.
pub(crate) fn checksum(ask: &Ask<'_>) -> Result<Option<Checksum>> {
    let names = ask.head.headers.keys().map(HeaderName::as_str);
    let names = names.chain(ask.query.headers().map(|(name, _)| name));
    names.into_iter().try_for_each(check_checksum_name)?;
    let mut found = ChecksumAlgorithm::ALL
        .into_iter()
        .filter_map(|algorithm| Some((algorithm, ask.header(algorithm.header())?)));
    let (first, trailing) = (found.next(), trailing(ask));
    if found.next().is_some() || first.is_some() && trailing.is_some() {
        return Err(ChecksumError::SeveralChecksums.into());
    }
    let sent = first.map(|(algorithm, _)| algorithm).or(trailing);
    match (announced(ask)?, sent) {
        (Some(announced), Some(sent)) if announced != sent => return Err(bad_announcement()),
        // A URL may have been made for more than its user sends.
        (Some(_), None) if ask.head.headers.contains_key(ANNOUNCED) => {
            return Err(Error::request(format!(
                "{ANNOUNCED} specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
            )));
        }
        _ => {}
    }
    Ok(first.map(|(algorithm, text)| Checksum::parse(algorithm, text)).transpose()?)
}

/// The algorithm of the checksum that is to come behind the data.
pub(crate) fn trailing(ask: &Ask<'_>) -> Option<ChecksumAlgorithm> {
    let trailer = ask.header("x-amz-trailer")?;
    ChecksumAlgorithm::ALL
        .into_iter()
        .find(|known| trailer.split(',').any(|name| name.trim().eq_ignore_ascii_case(known.header())))
}

/// Is it the name of a checksum that there is, if it is like one?
pub(crate) fn check_checksum_name(name: &str) -> Result<()> {
    const PREFIX: &str = "x-amz-checksum-";
    let others = ["algorithm", "mode", "type"];
    let is_like = name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    let Some(kind) = name.get(PREFIX.len()..).filter(|_| is_like) else { return Ok(()) };
    if others.iter().any(|other| kind.eq_ignore_ascii_case(other))
        || kind.parse::<ChecksumAlgorithm>().is_ok()
    {
        return Ok(());
    }
    Err(Error::request("The algorithm type you specified in x-amz-checksum- header is invalid."))
}

/// The algorithm of the checksum that an SDK says it sends.
pub(crate) fn announced(ask: &Ask<'_>) -> Result<Option<ChecksumAlgorithm>> {
    let text = ask.header(ANNOUNCED);
    text.map(|text| text.parse().map_err(|_| bad_announcement())).transpose()
}

fn bad_announcement() -> Error {
    Error::request(format!("Value for {ANNOUNCED} header is invalid."))
}

/// The checksum that the caller asks for.
pub(crate) fn algorithm(ask: &Ask<'_>, name: &str) -> Result<Option<ChecksumAlgorithm>> {
    Ok(ask.header(name).map(str::parse).transpose()?)
}

/// Says a checksum.
pub(crate) fn say_checksum(headers: &mut HeaderMap, checksum: &Checksum) {
    set(headers, checksum.algorithm().header(), checksum.to_string());
    set(headers, "x-amz-checksum-type", checksum.kind().name());
}

/// Says which version it is.
pub(crate) fn say_version(headers: &mut HeaderMap, version: Option<VersionId>) {
    set_some(headers, "x-amz-version-id", version);
}

/// What GET and HEAD say of an object.
pub(crate) fn say_object(
    headers: &mut HeaderMap,
    ask: &Ask<'_>,
    info: &ObjectInfo,
    range: Option<&ContentRange>,
) {
    set(headers, "accept-ranges", "bytes");
    set(headers, "last-modified", http_date(info.last_modified));
    set(headers, "etag", info.etag.to_string());
    say_version(headers, info.version_id);
    let metadata = &info.metadata;
    let content_type = metadata.content_type.as_deref().unwrap_or(DEFAULT_CONTENT_TYPE);
    set(headers, "content-type", content_type);
    set_some(headers, "cache-control", metadata.cache_control.as_ref());
    set_some(headers, "content-disposition", metadata.content_disposition.as_ref());
    set_some(headers, "content-encoding", metadata.content_encoding.as_ref());
    set_some(headers, "content-language", metadata.content_language.as_ref());
    set_some(headers, "expires", metadata.expires.as_ref());
    set_some(headers, "x-amz-website-redirect-location", metadata.website_redirect.as_ref());
    let mut missing = 0;
    for (name, value) in &metadata.user {
        let name = HeaderName::from_bytes(format!("{USER}{name}").as_bytes());
        match (name, HeaderValue::from_str(&words::encoded(value))) {
            (Ok(name), Ok(value)) => {
                headers.append(name, value);
            }
            _ => missing += 1,
        }
    }
    set_some(headers, "x-amz-missing-meta", (missing > 0).then_some(missing));
    if info.storage_class != StorageClass::Standard {
        set(headers, "x-amz-storage-class", info.storage_class.name());
    }
    set_some(headers, "x-amz-tagging-count", (info.tag_count > 0).then_some(info.tag_count));
    if ask.param("partNumber").is_some() {
        set_some(headers, "x-amz-mp-parts-count", info.parts_count);
    }
    let mode = ask.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"));
    let is_whole = range.is_none_or(|range| range.start == 0 && range.end == range.size);
    match (&info.checksum, &info.part_checksum) {
        // Of a part alone its own, as far as the object's was made of those.
        (Some(of_parts), Some(own)) if mode && of_parts.kind() == ChecksumType::Composite => {
            set(headers, own.algorithm().header(), own.base64());
            set(headers, "x-amz-checksum-type", of_parts.kind().name());
        }
        (Some(checksum), _) if mode && is_whole => say_checksum(headers, checksum),
        _ => {}
    }
    set_some(headers, "content-range", range);
    Encryption::of_stored(metadata).say(headers);
}

/// What a reader wants to be told instead, which only somebody who signed may ask for.
pub(crate) fn overrides(headers: &mut HeaderMap, ask: &Ask<'_>) -> Result<()> {
    const NAMES: [(&str, &str); 6] = [
        ("response-content-type", "content-type"),
        ("response-content-language", "content-language"),
        ("response-expires", "expires"),
        ("response-cache-control", "cache-control"),
        ("response-content-disposition", "content-disposition"),
        ("response-content-encoding", "content-encoding"),
    ];
    if let Some((name, value)) = ask.query.unknown_response(&NAMES.map(|(name, _)| name)) {
        let rule = format!(
            "{name} is not in the set of overridable response headers. Please refer to the S3 API documentation for a \
             complete list of overridable response headers."
        );
        let error = Error::new("InvalidArgument", 400, rule).with("ArgumentName", name);
        return Err(error.with("ArgumentValue", value));
    }
    for (param, header) in NAMES {
        if let Some(value) = ask.param(param) {
            if ask.caller == crate::s3::access::Caller::Anonymous {
                return Err(Error::request(
                    "Request specific response headers cannot be used for anonymous GET requests.",
                ));
            }
            set(headers, header, value);
        }
    }
    Ok(())
}

/// The type of the checksum of an upload.
pub(crate) fn checksum_type(ask: &Ask<'_>) -> Result<Option<ChecksumType>> {
    Ok(ask.header("x-amz-checksum-type").map(|text| text.to_ascii_uppercase().parse()).transpose()?)
}
