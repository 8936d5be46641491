//! S3 against the router, without a socket: exact documents, codes and headers.
#![expect(clippy::unwrap_used, reason = "a test fails where it is wrong")]

mod access;
mod answers;
mod bodies;
mod buckets;
mod malformed;
mod objects;
mod refusals;
mod service;

use bytes::Bytes;
use fourfold::objects::{ChecksumAlgorithm, ChecksumHasher};
use fourfold::{ManualClock, Store};
use fourfold_aws::{Body, Router};
use http::{Request, Response};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Signed by somebody, which nobody checks.
const OWNER: &str =
    "AWS4-HMAC-SHA256 Credential=a/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
const XMLNS: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

struct Face {
    router: Router,
    clock: ManualClock,
}

/// What a future gives that waits for nothing.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

impl Face {
    /// With a bucket `photos`.
    fn new() -> Self {
        let face = Self::empty(|router| router);
        assert_eq!(face.send("PUT", "/photos", &[], "").status(), 200);
        face
    }

    fn empty(with: impl FnOnce(Router) -> Router) -> Self {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).seed(7).open_in_memory();
        Self { router: with(Router::new(store)), clock }
    }

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> http::request::Builder {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        if headers.iter().any(|(name, _)| *name == "host") {
            request
        } else {
            request.header("host", "127.0.0.1:4566")
        }
    }

    /// Sends a request of the owner.
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
        let mut headers = headers.to_vec();
        headers.extend([("authorization", OWNER), ("x-amz-date", "20250101T000000Z")]);
        self.unsigned(method, path, &headers, body)
    }

    /// Sends a request as it is.
    fn unsigned(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
        let request = Self::request(method, path, headers).body(Bytes::copy_from_slice(body.as_bytes()));
        now(self.router.call(request.unwrap()))
    }

    /// Sends a body that comes in pieces.
    fn stream(&self, path: &str, headers: &[(&str, &str)], pieces: Vec<Bytes>) -> Response<Body> {
        let frames = pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(http_body::Frame::data(piece)));
        let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
        let mut headers = headers.to_vec();
        headers.extend([("authorization", OWNER), ("x-amz-date", "20250101T000000Z")]);
        now(self.router.serve(Self::request("PUT", path, &headers).body(Body::new(body)).unwrap()))
    }

    /// Deletes many objects of `photos` by a document.
    fn delete_many(&self, document: &str) -> Response<Bytes> {
        let md5 = ChecksumHasher::digest(ChecksumAlgorithm::Md5, document.as_bytes()).base64();
        self.send("POST", "/photos?delete", &[("content-md5", &md5)], document)
    }

    fn get(&self, path: &str) -> String {
        text(&self.send("GET", path, &[], "")).to_owned()
    }
}

fn text(answer: &Response<Bytes>) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

fn header<'a, B>(answer: &'a Response<B>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The code of a refusal, and its status.
fn refusal(answer: &Response<Bytes>) -> (&str, u16) {
    (element(text(answer), "Code"), answer.status().as_u16())
}

/// The text of an element.
fn element<'a>(text: &'a str, name: &str) -> &'a str {
    let start = format!("<{name}>");
    let Some(at) = text.find(&start) else { return "" };
    let rest = &text[at + start.len()..];
    &rest[..rest.find("</").unwrap()]
}
