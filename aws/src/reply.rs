//! Answers as they leave.

use crate::body::Body;
use crate::call::Call;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};

/// An answer; but for objects and subscriptions its body is in one piece.
pub(crate) type Reply = Response<Body>;

/// An answer; a content type of "" is left out.
pub(crate) fn reply(status: u16, content_type: &'static str, body: impl Into<Body>) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !content_type.is_empty() {
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    reply
}

/// Adds a header; a text that cannot be one is left out.
pub(crate) fn set(reply: &mut Reply, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

/// An answer of no service, with the headers of the one that checks it is there.
pub(crate) fn with_sum(call: &Call<'_>, status: u16, text: &str) -> Reply {
    let mut reply = reply(status, "", text.to_owned());
    set(&mut reply, "x-amzn-requestid", &call.id.long());
    set(&mut reply, "x-amz-crc32", &crc32fast::hash(text.as_bytes()).to_string());
    reply
}

/// What every service says to a request that is for none of its protocols.
pub(crate) fn no_such_operation(call: &Call<'_>) -> Reply {
    with_sum(call, 404, "<UnknownOperationException/>\n")
}
