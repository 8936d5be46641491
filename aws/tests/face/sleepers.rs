//! Many who wait: a long poll is a future with a waker, not a thread.

use crate::server::{Running, client, until};
use crate::{post, request, router, text};
use bytes::Bytes;
use fourfold::{ManualClock, Store};
use fourfold_aws::{Limits, Router};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SLEEPERS: usize = 10_000;
const RECEIVE: &str = r#"{"QueueUrl":"jobs","WaitTimeSeconds":20}"#;

/// Threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

#[test]
fn thousands_of_long_polls_cost_no_threads() {
    let (router, clock) = router();
    post(&router, "AmazonSQS.CreateQueue", r#"{"QueueName":"jobs"}"#);
    let context = &mut Context::from_waker(Waker::noop());
    let before = threads();
    let mut polls: Vec<Pin<Box<_>>> =
        (0..SLEEPERS).map(|_| Box::pin(router.call(request("AmazonSQS.ReceiveMessage", RECEIVE)))).collect();
    assert!(polls.iter_mut().all(|poll| poll.as_mut().poll(context).is_pending()));
    // Other tests of this process may begin meanwhile; thousands of them there are not.
    assert!(threads() < before + 64, "{} threads, {before} before", threads());

    // What comes is for one of them, and those who gave up take nothing along.
    polls.drain(..1000);
    post(&router, "AmazonSQS.SendMessage", r#"{"QueueUrl":"jobs","MessageBody":"one"}"#);
    let mut got = 0;
    polls.retain_mut(|poll| match poll.as_mut().poll(context) {
        Poll::Ready(answer) => {
            got += usize::from(text(&answer).contains("\"one\""));
            false
        }
        Poll::Pending => true,
    });
    assert_eq!((got, polls.len()), (1, SLEEPERS - 1001));
    clock.advance(Duration::from_secs(20));
    for mut poll in polls {
        let answer = poll.as_mut().poll(context);
        assert!(matches!(answer, Poll::Ready(answer) if text(&answer) == "{}"));
    }
}

/// Over TCP. They share connections, since what a process may have open is fewer than that on some machines.
#[test]
fn thousands_of_long_polls_of_a_server_cost_no_threads() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    let queue = store.queues().create("jobs").unwrap();
    let limits = Limits::default();
    let streams = usize::try_from(limits.streams).unwrap();
    let before = threads();
    let server = Running::new(Router::new(store), limits);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut polls = Vec::new();
        let mut clients = Vec::new();
        for _ in 0..SLEEPERS / streams {
            let mut client = client(&server).await;
            for _ in 0..streams {
                let receive = Request::post("http://h/").header("x-amz-target", "AmazonSQS.ReceiveMessage");
                let receive = receive.body(Full::new(Bytes::from_static(RECEIVE.as_bytes())));
                let answer = client.send_request(receive.unwrap());
                polls.push(tokio::spawn(async {
                    answer.await.unwrap().into_body().collect().await.unwrap().to_bytes()
                }));
            }
            clients.push(client);
        }
        until(async || queue.stats().unwrap().waiting == SLEEPERS).await;
        assert!(threads() < before + 64, "{} threads, {before} before", threads());
        clock.advance(Duration::from_secs(20));
        for poll in polls {
            assert_eq!(poll.await.unwrap(), "{}");
        }
        assert_eq!(queue.stats().unwrap().waiting, 0);
    });
}
