//! Requests of any kind to the router of the AWS face: each is answered, none by a fault of the server.
#![no_main]

use bytes::Bytes;
use fourfold_aws::Router;
use http::Request;
use std::cell::RefCell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Requests to one store before it is replaced, so that it stays small.
const REQUESTS: u32 = 500;
const METHODS: [&str; 6] = ["POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS"];
const CONTENT_TYPES: [&str; 5] = [
    "application/x-amz-json-1.0",
    "application/x-amz-json-1.1",
    "application/x-amz-cbor-1.1",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
];
const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=a/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

thread_local! {
    static ROUTER: RefCell<(Router, u32)> = RefCell::new((router(), 0));
}

/// A router with something to ask for.
fn router() -> Router {
    let store = fourfold::Store::builder().clock(fourfold::ManualClock::default()).seed(1).open_in_memory();
    store.queues().create("q").expect("a new store takes it");
    store.streams().create("s", Default::default()).expect("a new store takes it");
    store.buckets().create("bbb").expect("a new store takes it");
    Router::new(store)
}

// Method, content type, target, path, other headers (a line each), an empty line, and the body.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [method, kind, rest @ ..] = bytes else { return };
    let mut lines = rest.splitn(3, |byte| *byte == b'\n');
    let (Some(target), Some(path), Some(rest)) = (lines.next(), lines.next(), lines.next()) else { return };
    let mut request = Request::builder()
        .method(METHODS[usize::from(*method) % METHODS.len()])
        .uri(path)
        .header("host", "localhost")
        .header("x-amz-date", "20250101T000000Z")
        .header("content-type", CONTENT_TYPES[usize::from(*kind) % CONTENT_TYPES.len()]);
    if kind & 64 != 0 {
        request = request.header("authorization", SIGNED);
    }
    if !target.is_empty() {
        request = request.header("x-amz-target", target);
    }
    let mut body = rest;
    while let Some(end) = body.iter().position(|byte| *byte == b'\n') {
        let (header, behind) = (&body[..end], &body[end + 1..]);
        body = behind;
        let Some(colon) = header.iter().position(|byte| *byte == b':') else { break };
        request = request.header(&header[..colon], &header[colon + 1..]);
    }
    let Ok(request) = request.body(Bytes::copy_from_slice(body)) else { return };
    ROUTER.with_borrow_mut(|(router, count)| {
        *count += 1;
        if *count > REQUESTS {
            (*router, *count) = (self::router(), 0);
        }
        let answer = pin!(router.call(request)).poll(&mut Context::from_waker(Waker::noop()));
        // A long poll waits; what does not is answered, and 501 is what S3 says of what it does not have.
        if let Poll::Ready(answer) = answer {
            let status = answer.status().as_u16();
            assert!(status < 500 || status == 501, "{status}: {answer:?}");
        }
    });
});
