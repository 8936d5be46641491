//! Queues.

use crate::{is_waiting, store};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use fourfold::ManualClock;
use std::pin::pin;
use std::time::Duration;

/// A client, a queue's URL, and the time.
async fn queue() -> (Client, String, ManualClock) {
    let (store, clock) = store();
    let sqs = Client::new(&fourfold_aws::sdk::config(&store));
    let queue = sqs.create_queue().queue_name("jobs").send().await.unwrap();
    (sqs, queue.queue_url.unwrap(), clock)
}

#[tokio::test]
async fn messages_are_sent_received_and_deleted() {
    let (sqs, url, _) = queue().await;
    assert_eq!(url, "https://127.0.0.1/000000000000/jobs");
    sqs.send_message().queue_url(&url).message_body("hello").send().await.unwrap();
    let received = sqs.receive_message().queue_url(&url).send().await.unwrap();
    let message = &received.messages()[0];
    assert_eq!(message.body(), Some("hello"));
    let handle = message.receipt_handle().unwrap();
    sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
    let names = QueueAttributeName::All;
    let left = sqs.get_queue_attributes().queue_url(&url).attribute_names(names).send().await.unwrap();
    let left = left.attributes().unwrap();
    assert_eq!(left[&QueueAttributeName::ApproximateNumberOfMessagesNotVisible], "0");
}

#[tokio::test]
async fn a_batch_says_of_each_message_what_became_of_it() {
    let (sqs, url, _) = queue().await;
    let entry = |id: &str, delay: i32| {
        let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(id).delay_seconds(delay);
        entry.build().unwrap()
    };
    let sent = sqs.send_message_batch().queue_url(&url).entries(entry("good", 0)).entries(entry("bad", 901));
    let sent = sent.send().await.unwrap();
    assert_eq!(sent.successful()[0].id(), "good");
    assert_eq!((sent.failed()[0].id(), sent.failed()[0].sender_fault()), ("bad", true));
}

#[tokio::test]
async fn refusals_are_the_ones_of_the_model() {
    let (sqs, url, _) = queue().await;
    let error = sqs.get_queue_url().queue_name("nope").send().await.unwrap_err().into_service_error();
    assert!(error.is_queue_does_not_exist(), "{error:?}");
    let other = sqs.create_queue().queue_name("jobs").attributes(QueueAttributeName::DelaySeconds, "7");
    let error = other.send().await.unwrap_err().into_service_error();
    assert!(error.is_queue_name_exists(), "{error:?}");
    let error = sqs.delete_message().queue_url(&url).receipt_handle("x").send().await.unwrap_err();
    assert!(error.into_service_error().is_receipt_handle_is_invalid());
}

#[tokio::test]
async fn a_long_poll_ends_when_the_clock_says_so() {
    let (sqs, url, clock) = queue().await;
    let mut poll = pin!(sqs.receive_message().queue_url(&url).wait_time_seconds(20).send());
    assert!(is_waiting(poll.as_mut()).await);
    clock.advance(Duration::from_millis(19_999));
    assert!(is_waiting(poll.as_mut()).await);
    clock.advance(Duration::from_millis(1));
    assert!(poll.await.unwrap().messages().is_empty());
}

#[tokio::test]
async fn a_long_poll_ends_when_a_message_comes() {
    let (sqs, url, _) = queue().await;
    let mut poll = pin!(sqs.receive_message().queue_url(&url).wait_time_seconds(20).send());
    assert!(is_waiting(poll.as_mut()).await);
    sqs.send_message().queue_url(&url).message_body("late").send().await.unwrap();
    assert_eq!(poll.await.unwrap().messages()[0].body(), Some("late"));
}

#[tokio::test]
async fn a_visibility_timeout_ends_by_the_clock() {
    let (sqs, url, clock) = queue().await;
    sqs.send_message().queue_url(&url).message_body("twice").send().await.unwrap();
    let receive = sqs.receive_message().queue_url(&url).visibility_timeout(30);
    assert_eq!(receive.clone().send().await.unwrap().messages().len(), 1);
    clock.advance(Duration::from_secs(29));
    assert_eq!(receive.clone().send().await.unwrap().messages().len(), 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(receive.send().await.unwrap().messages().len(), 1);
}
