//! A router and its time, and requests to it without a socket.

use bytes::Bytes;
use fourfold::{ManualClock, Store};
use fourfold_aws::Router;
use http::{Request, Response};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A router, and its time.
pub(crate) fn router() -> (Router, ManualClock) {
    let clock = ManualClock::default();
    (Router::new(Store::builder().clock(clock.clone()).seed(7).open_in_memory()), clock)
}

/// The answer of a request that waits for nothing.
pub(crate) fn now(answer: impl Future<Output = Response<Bytes>>) -> Response<Bytes> {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

pub(crate) fn text(answer: &Response<Bytes>) -> &str {
    std::str::from_utf8(answer.body()).expect("UTF-8")
}

pub(crate) fn post(router: &Router, target: &str, body: &str) -> (u16, String) {
    let minor = u8::from(target.starts_with("Kinesis"));
    let request = Request::post("/")
        .header("host", "fourfold.local:4566")
        .header("x-amz-target", target)
        .header("content-type", format!("application/x-amz-json-1.{minor}"))
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .expect("a request");
    let answer = now(router.call(request));
    (answer.status().as_u16(), text(&answer).to_owned())
}

pub(crate) fn post_as(
    router: &Router,
    content_type: &str,
    target: &str,
    body: &serde_json::Value,
) -> (u16, String) {
    let request = Request::post("/")
        .header("host", "fourfold.local:4566")
        .header("x-amz-target", target)
        .header("content-type", content_type)
        .body(Bytes::from(body.to_string()))
        .expect("a request");
    let answer = now(router.call(request));
    (answer.status().as_u16(), text(&answer).to_owned())
}
