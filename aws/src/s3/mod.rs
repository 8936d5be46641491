//! S3: REST with documents of XML, over [`fourfold::objects`].
//!
//! 1. A request is let in ([`auth`]), told what it is ([`operation`]), allowed ([`access`]), and answered.
//! 2. Bodies stream: no more of an object is in memory than a piece ([`intake`]).
//! 3. A refusal has the service's code, status and fields ([`error`]); one for `HEAD` has no body.
//! 4. What the service has and this does not is refused, never taken in silence.

mod access;
mod acl;
mod ask;
mod auth;
mod bucket;
mod chunked;
mod control;
mod cors;
pub(crate) mod document;
mod error;
mod form;
mod intake;
mod lifecycle;
mod list;
mod multipart;
mod notification;
mod object;
mod old;
mod operation;
mod policy;
mod post_policy;
mod reply;
mod sse;
mod tree;
mod words;

use crate::body::Body;
use crate::call::Call;
use crate::s3::access::Caller;
use crate::s3::ask::{Ask, Query, Target};
use crate::s3::auth::Gate;
use crate::s3::error::{Error, Result};
use crate::s3::intake::Intake;
use crate::s3::operation::Operation;
use crate::signature::Keys;
use fourfold::objects;
use http::{Method, Response};
use std::collections::BTreeMap;

use ask::bucket_of_host;

/// Bytes of a document in a request; the longest configuration has fewer.
pub(crate) const DOCUMENT_LEN_MAX: usize = 1 << 20;

/// Bytes of all headers of a request.
const HEAD_LEN_MAX: usize = 8 << 10;

/// What only buckets of directories know, and none here is one. Without them more would be done than was asked for.
const ONLY_OF_DIRECTORIES: [&str; 4] = [
    "x-amz-write-offset-bytes",
    "x-amz-if-match-size",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-initiated-time",
];

/// What a router is told about S3.
#[derive(Clone, Debug)]
pub(crate) struct Face {
    pub(crate) keys: Keys,
    /// Whose keys those are that are not of the store's own account.
    pub(crate) accounts: BTreeMap<String, String>,
    /// Below which the first labels of a host are a bucket.
    pub(crate) domains: Vec<String>,
}

impl Default for Face {
    fn default() -> Self {
        Self { keys: Keys::new(), accounts: BTreeMap::new(), domains: vec!["localhost".to_owned()] }
    }
}

/// Is a request for S3? What no other service's protocol has, and has a path.
pub(crate) fn is_for(call: &Call<'_>, face: &Face) -> bool {
    let head = call.head;
    if head.headers.contains_key("x-amz-target") {
        return false;
    }
    if let Some(scope) = &call.scope {
        return scope.service == "s3";
    }
    let query = head.uri.query().unwrap_or_default();
    let path = head.uri.path();
    let content_type = call.header("content-type").unwrap_or_default();
    let is_form = content_type.starts_with("application/x-www-form-urlencoded");
    if is_form && path == "/" && !call.host().contains(".s3") || crate::form::value(query, "Action").is_some()
    {
        return false;
    }
    // A queue's URL begins with an account.
    let first = path.split('/').nth(1).unwrap_or_default();
    let is_account = first.len() == 12 && first.bytes().all(|byte| byte.is_ascii_digit());
    if is_form && is_account {
        return false;
    }
    let is_signed = head.headers.contains_key("authorization")
        || ["X-Amz-Algorithm", "AWSAccessKeyId"].iter().any(|name| query.contains(name));
    if is_signed || bucket_of_host(call.host(), &face.domains).is_some() {
        return true;
    }
    path != "/" && path.starts_with('/') && !is_account
}

/// Answers a request.
pub(crate) async fn answer(call: &Call<'_>, face: &Face, mut body: Body) -> Response<Body> {
    let head = call.head;
    let ids = (call.id.short(), call.id.host());
    if control::is_for(head) {
        let mut answer = match control::answer(call, face, &mut body).await {
            Ok(answer) => answer,
            Err(error) => {
                intake::drain(&mut body).await;
                error.wrapped_answer((&ids.0, &ids.1))
            }
        };
        let headers = answer.headers_mut();
        reply::set(headers, "x-amz-request-id", &ids.0);
        reply::set(headers, "x-amz-id-2", &ids.1);
        return answer;
    }
    let found = Target::of(call, &face.domains);
    let name = found.as_ref().map(|target| target.bucket.clone()).unwrap_or_default();
    let mut answer = match answer_to(call, face, found, &mut body).await {
        Ok(answer) => answer,
        Err(mut error) => {
            if error.status == 301 || error.code == "NoSuchBucket" && error.details.is_empty() {
                error = error.with("BucketName", &name);
            }
            // What is looked at on the way to an answer was not asked for by this method.
            if error.code == "MethodNotAllowed"
                && let Some((_, method)) = error.details.iter_mut().find(|(name, _)| *name == "Method")
            {
                head.method.as_str().clone_into(method);
            }
            // Who waits for leave to send has sent nothing.
            if !head.headers.contains_key("expect") {
                intake::drain(&mut body).await;
            }
            error.answer((&ids.0, &ids.1), head.method == Method::HEAD)
        }
    };
    let headers = answer.headers_mut();
    reply::set(headers, "x-amz-request-id", &ids.0);
    reply::set(headers, "x-amz-id-2", &ids.1);
    if head.method != Method::OPTIONS
        && head.headers.contains_key("origin")
        && let Ok(bucket) = call.store.buckets().bucket(&name)
    {
        cors::say(head, &bucket, headers);
    }
    answer
}

async fn answer_to(
    call: &Call<'_>,
    face: &Face,
    target: Result<Target>,
    body: &mut Body,
) -> Result<Response<Body>> {
    let head = call.head;
    check_head(head)?;
    let target = target?;
    if head.method == Method::OPTIONS {
        let bucket = call.store.buckets().bucket(&target.bucket).ok();
        return cors::preflight(head, &target.key, bucket.as_ref());
    }
    let query = Query::of(head);
    let (account, now) = (call.store.account(), call.store.now());
    if let Some(name) = ONLY_OF_DIRECTORIES.iter().find(|name| head.headers.contains_key(**name)) {
        return Err(Error::header_not_implemented(name));
    }
    let gate = Gate { keys: &face.keys, accounts: &face.accounts, account, now };
    let admitted = gate.admit(head, call.scope.as_ref(), &target, &query)?;
    check_payload(call)?;
    let operation = Operation::of(head, &target, &query)?;
    check_streaming(call, operation, &admitted.caller)?;
    if operation != Operation::CreateBucket && !target.bucket.is_empty() && !may_be_bucket(&target.bucket) {
        return Err(objects::Error::InvalidBucketName { name: target.bucket }.into());
    }
    let key_len = target.key.len();
    if key_len > objects::limits::KEY_LEN_MAX {
        return Err(objects::Error::KeyTooLong { len: key_len }.into());
    }
    let mut ask = Ask {
        store: call.store,
        head,
        target,
        query,
        caller: admitted.caller,
        scope_region: call.scope.as_ref().map(|scope| &*scope.region),
        seal: admitted.seal,
        form: None,
    };
    let mut body = Intake::new(&ask, body)?;
    if operation == Operation::PostForm {
        ask.caller = Caller::Anonymous;
        return form::post(&mut ask, &gate, &mut body).await;
    }
    if ask.caller == Caller::Anonymous
        && let Some(what) = operation.of_somebody()
    {
        let message = format!("Anonymous users cannot {what}.  Please authenticate.");
        return Err(Error::new("AccessDenied", 403, message));
    }
    let (action, need) = operation.asks(&ask);
    // A bucket that is not there yet belongs to nobody; who deletes many is asked for each.
    if operation == Operation::CreateBucket {
        if ask.caller != Caller::Owner {
            let name = &ask.target.bucket;
            return match ask.buckets().bucket(name) {
                Ok(_) => Err(objects::Error::BucketAlreadyExists { bucket: name.clone() }.into()),
                Err(_) => Err(Error::denied()),
            };
        }
    } else if operation != Operation::DeleteObjects {
        ask.allow(action, need)?;
        if matches!(operation, Operation::PutObject | Operation::CopyObject | Operation::CreateUpload) {
            ask.allow_what_comes_along()?;
        }
    }
    let answer = operation.answer(&ask, &mut body).await?;
    // A document that nobody looked at was still signed.
    while body.next().await?.is_some() {}
    Ok(answer)
}

/// Could a bucket be called so, be it one of old?
pub(crate) fn may_be_bucket(name: &str) -> bool {
    (3..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// May the body come in chunks? That of objects may, with signatures if its sender has one.
fn check_streaming(call: &Call<'_>, operation: Operation, caller: &Caller) -> Result<()> {
    let payload = call.header("x-amz-content-sha256").unwrap_or_default();
    if !payload.starts_with("STREAMING-") {
        return Ok(());
    }
    if *caller == Caller::Anonymous && payload.contains("-AWS4-") {
        return Err(Error::request(
            "Anonymous requests don't support this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD or \
             STREAMING-UNSIGNED-PAYLOAD-TRAILER.",
        ));
    }
    match operation {
        Operation::PutObject | Operation::UploadPart => Ok(()),
        _ => Err(Error::request("The value of x-amz-content-sha256 header is invalid.")),
    }
}

/// Are the headers as short as the service wants them?
fn check_head(head: &http::request::Parts) -> Result<()> {
    // Each with what stands between name and value, and at its end.
    let len: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if len <= HEAD_LEN_MAX {
        return Ok(());
    }
    let message = "Your request header section exceeds the maximum allowed size.";
    let error = Error::new("RequestHeaderSectionTooLarge", 400, message);
    Err(error.with("MaxSizeAllowed", HEAD_LEN_MAX.to_string()))
}

/// Is what the caller says of the body something that can be?
fn check_payload(call: &Call<'_>) -> Result<()> {
    const KNOWN: [&str; 4] = [
        "UNSIGNED-PAYLOAD",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    ];
    let Some(text) = call.header("x-amz-content-sha256") else { return Ok(()) };
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash || KNOWN.contains(&text) {
        return Ok(());
    }
    let rule = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, \
                STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid \
                sha256 value.";
    Err(Error::argument("x-amz-content-sha256", text, rule))
}
