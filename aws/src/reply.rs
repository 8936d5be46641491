//! Answers as they leave.

use crate::body::Body;
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

/// What every service says to a request that is for none of its protocols.
pub(crate) fn no_such_operation() -> Reply {
    reply(404, "", "<UnknownOperationException/>\n")
}
