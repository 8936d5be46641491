//! Clients of the AWS SDK for Rust on a store in the same process, in virtual time.
#![expect(clippy::unwrap_used, reason = "a test fails where it is wrong")]

mod dynamodb;
mod kinesis;
mod s3;
mod sqs;
mod table;
mod transport;
mod wire;

use fourfold::{ManualClock, Store};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// A store, and its time.
fn store() -> (Store, ManualClock) {
    let clock = ManualClock::default();
    (Store::builder().clock(clock.clone()).seed(7).open_in_memory(), clock)
}

/// Has a look at a future: does it wait?
async fn is_waiting<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}
