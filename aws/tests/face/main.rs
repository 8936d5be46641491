//! The face from outside: bodies in memory, the program, the server on its port, what operations there are, subscriptions, many who wait.
#![expect(clippy::unwrap_used, reason = "a test fails where it is wrong")]
#![expect(clippy::disallowed_methods, reason = "these are files of the test and the machine's time")]

mod bodies;
mod cli;
mod control;
mod keys;
mod operations;
mod server;
mod sleepers;
mod subscription;

use bytes::Bytes;
use fourfold::{ManualClock, Store};
use fourfold_aws::Router;
use http::{Request, Response};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A router, and its time.
fn router() -> (Router, ManualClock) {
    let clock = ManualClock::default();
    (Router::new(Store::builder().clock(clock.clone()).seed(7).open_in_memory()), clock)
}

fn request(target: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    let request = Request::post("/").header("host", "fourfold.local").header("x-amz-target", target);
    request.body(body.into()).unwrap()
}

/// The outcome of a future that waits for nothing.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}

fn text(answer: &Response<Bytes>) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

fn post(router: &Router, target: &str, body: &str) -> (u16, String) {
    let answer = now(router.call(request(target, body.to_owned())));
    (answer.status().as_u16(), text(&answer).to_owned())
}

fn get(router: &Router, method: &str, path: &str) -> (u16, String) {
    let request = Request::builder().method(method).uri(path).header("host", "fourfold.local");
    let answer = now(router.call(request.body(Bytes::new()).unwrap()));
    (answer.status().as_u16(), text(&answer).to_owned())
}
