//! Many who wait: a long poll is a future with a waker, not a thread.

use crate::{post, request, router, text};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SLEEPERS: usize = 5000;

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
    let mut polls: Vec<Pin<Box<_>>> = (0..SLEEPERS)
        .map(|_| {
            let receive = r#"{"QueueUrl":"jobs","WaitTimeSeconds":20}"#;
            Box::pin(router.call(request("AmazonSQS.ReceiveMessage", receive)))
        })
        .collect();
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
