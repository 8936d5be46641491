//! Signatures of version 2, by HMAC-SHA1: some clients still presign URLs and forms with them by default.

use crate::form;
use crate::s3::ask::{Query, Target, text_of};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use sha1::Sha1;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Parameters of a query that are signed, in their order.
const SIGNED: [&str; 36] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "delete",
    "encryption",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// Is this the signature of a text?
pub(crate) fn is_right(secret: &str, text: &str, signature: &str) -> bool {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(text.as_bytes());
    STANDARD.decode(signature.trim()).is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
}

/// The text of a request that is signed. A presigned URL has the time of its end instead of a date.
pub(crate) fn text(head: &Parts, target: &Target, query: &Query, end: Option<&str>) -> String {
    let header = |name: &str| text_of(&head.headers, name).unwrap_or_default();
    let date = match end {
        Some(end) => end.to_owned(),
        None if head.headers.contains_key("x-amz-date") => String::new(),
        None => header("date"),
    };
    let either = |name: &str| query.get(name).map_or_else(|| header(name), str::to_owned);
    let (md5, content_type) = (either("content-md5"), either("content-type"));
    let mut text = format!("{}\n{md5}\n{content_type}\n{date}\n", head.method);
    let names = head.headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    let mut headers: BTreeMap<String, String> = names.map(|name| (name.to_owned(), header(name))).collect();
    headers.extend(query.headers().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())));
    for (name, value) in headers {
        let _ = writeln!(text, "{name}:{}", value.trim());
    }
    if target.is_virtual {
        text.push('/');
        text.push_str(&target.bucket);
    }
    text.push_str(head.uri.path());
    // Clients sign a bucket's path with a slash behind it, whether they send one or not.
    if target.key.is_empty() && !text.ends_with('/') {
        text.push('/');
    }
    let mut separator = '?';
    for name in SIGNED {
        if let Some(value) = query.get(name) {
            text.push(separator);
            text.push_str(name);
            if !value.is_empty() || form::has_value(head.uri.query().unwrap_or_default(), name) {
                let _ = write!(text, "={value}");
            }
            separator = '&';
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples of the service's documentation of version 2.
    #[test]
    fn signatures_are_those_of_the_documentation() {
        let check = |request: http::request::Builder, bucket: &str, end: Option<&str>, signature: &str| {
            let (head, ()) = request.body(()).unwrap().into_parts();
            let key = head.uri.path().trim_start_matches('/').to_owned();
            let target = Target { bucket: bucket.to_owned(), key, is_virtual: true };
            let text = text(&head, &target, &Query::of(&head), end);
            assert!(is_right("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &text, signature), "{text}");
        };
        let request =
            http::Request::get("/photos/puppy.jpg").header("date", "Tue, 27 Mar 2007 19:36:42 +0000");
        check(request, "awsexamplebucket1", None, "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=");
        let request = http::Request::get("/?acl").header("date", "Tue, 27 Mar 2007 19:44:46 +0000");
        check(request, "johnsmith", None, "c2WLPFtWHVgbEmeEG93a4cG37dM=");
    }
}
