//! Browsers: which pages may call (all), and what they may read of the answers.

use crate::call::Call;
use crate::reply::{Reply, reply, set};
use http::Method;

/// How long a browser may remember what it asked for, in seconds.
const MAX_AGE: &str = "172800";
const EXPOSED: &str =
    "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date";

/// The answer to a browser that asks before it calls.
pub(crate) fn preflight(call: &Call<'_>) -> Option<Reply> {
    let is_asked = call.head.method == Method::OPTIONS && call.head.uri.path() == "/";
    if !is_asked || call.header("origin").is_none() {
        return None;
    }
    let mut reply = reply(200, "", "");
    set(&mut reply, "access-control-allow-origin", "*");
    for (asked, told) in [
        ("access-control-request-headers", "access-control-allow-headers"),
        ("access-control-request-method", "access-control-allow-methods"),
    ] {
        if let Some(asked) = call.header(asked) {
            set(&mut reply, told, asked);
        }
    }
    set(&mut reply, "access-control-max-age", MAX_AGE);
    let id = if call.is_signed_for("kinesis") { call.id.uuid() } else { call.id.long() };
    set(&mut reply, "x-amzn-requestid", &id);
    Some(reply)
}

/// Lets a page read an answer.
pub(crate) fn allow(call: &Call<'_>, reply: &mut Reply) {
    if call.header("origin").is_some() {
        set(reply, "access-control-allow-origin", "*");
        set(reply, "access-control-expose-headers", EXPOSED);
    }
}
