//! Bodies that are read whole: how much of them there is at a time.

use crate::{now, text};
use bytes::Bytes;
use fourfold::Store;
use fourfold_aws::{Body, Router};
use futures_util::{StreamExt as _, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Waker};

/// A request whose body comes in these pieces; one that does not end waits for more.
fn list(pieces: Vec<Bytes>, ends: bool) -> Request<Body> {
    let pieces = stream::iter(pieces).map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
    let body = if ends {
        Body::new(StreamBody::new(pieces))
    } else {
        Body::new(StreamBody::new(pieces.chain(stream::pending())))
    };
    let request = Request::post("/").header("host", "h").header("x-amz-target", "AmazonSQS.ListQueues");
    request.body(body).unwrap()
}

fn padded(len: usize) -> Vec<Bytes> {
    vec![Bytes::from("{}"), Bytes::from(vec![b' '; len - 2])]
}

fn whole(answer: Response<Body>) -> Response<Bytes> {
    let (head, body) = answer.into_parts();
    Response::from_parts(head, now(body.collect()).unwrap().to_bytes())
}

#[test]
fn there_is_an_end_to_the_memory_that_bodies_take() {
    let router = Router::new(Store::in_memory()).bodies_len_max(100_000);
    let ask = |len| whole(now(router.serve(list(padded(len), true))));
    for len in [100_000, 60_000, 100_000] {
        let answer = ask(len);
        assert_eq!((answer.status().as_u16(), text(&answer)), (200, "{}"), "nothing is kept of those before");
    }
    let refused = ask(100_001);
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    {
        let mut slow = pin!(router.serve(list(padded(60_000), false)));
        assert!(slow.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(ask(60_000).status(), 503, "the other one has that");
        assert_eq!(ask(40_000).status(), 200);
        assert_eq!(ask(4096).status(), 200);
        assert_eq!(ask(41_000).status(), 503);
        // What is in memory anyway needs no room.
        let request = Request::post("/").header("x-amz-target", "AmazonSQS.ListQueues");
        let request = request.body(Bytes::from(padded(60_000).concat())).unwrap();
        assert_eq!(now(router.call(request)).status(), 200);
    }
    assert_eq!(ask(100_000).status(), 200, "who left gave it back");
}
