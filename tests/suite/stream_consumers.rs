//! Registered consumers and what is pushed to them.

use crate::stream::{SHARD_0, clocked, refused, refused_with, stream};
use fourfold::stream::{Event, Result, Start, Subscription, Tags};
use fourfold::{Clock, ManualClock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What a poll gives without waiting.
fn poll(subscription: &mut Subscription) -> Poll<Option<Result<Event>>> {
    subscription.poll_event(&mut Context::from_waker(Waker::noop()))
}

fn event(subscription: &mut Subscription) -> Event {
    match poll(subscription) {
        Poll::Ready(Some(Ok(event))) => event,
        other => panic!("an event was due, not {other:?}"),
    }
}

fn data(event: &Event) -> Vec<String> {
    event.records.iter().map(|record| String::from_utf8_lossy(record.data()).into_owned()).collect()
}

#[test]
fn consumers_are_registered_once_and_found_by_name_and_arn() {
    let (clock, store) = clocked();
    let streams = store.streams();
    let stream = stream(&store, 1);
    let first = stream.register_consumer("app", &Tags::new()).unwrap();
    assert_eq!(
        first.arn,
        format!(
            "arn:aws:kinesis:us-east-1:000000000000:stream/stream/consumer/app:{}",
            clock.now().as_secs()
        )
    );
    refused_with(stream.register_consumer("app", &Tags::new()), "ResourceInUseException", "already exists");
    refused_with(stream.register_consumer("a b", &Tags::new()), "ValidationException", "'consumerName'");
    assert_eq!(stream.consumer("app").unwrap(), first);
    clock.advance(Duration::from_secs(1));
    stream.deregister_consumer("app").unwrap();
    refused_with(stream.deregister_consumer("app"), "ResourceNotFoundException", "app");
    let second = stream.register_consumer("app", &Tags::new()).unwrap();
    assert_ne!(second.arn, first.arn);
    refused_with(streams.consumer(&first.arn), "ResourceNotFoundException", &first.arn);
    assert_eq!(streams.consumer(&second.arn).unwrap(), second);
    refused_with(streams.consumer("arn:aws:kinesis:x"), "InvalidArgumentException", "arn:aws:kinesis:x");
    streams.deregister_consumer(&second.arn).unwrap();
    assert_eq!(stream.summary().unwrap().consumer_count, 0);
}

#[test]
fn a_stream_has_up_to_twenty_consumers_and_goes_with_them_if_told_to() {
    let (_clock, store) = clocked();
    let stream = stream(&store, 1);
    for number in 0..20 {
        stream.register_consumer(&format!("c{number:02}"), &Tags::new()).unwrap();
    }
    refused_with(stream.register_consumer("more", &Tags::new()), "LimitExceededException", "20");
    let mut names = Vec::new();
    let mut token = None;
    loop {
        let page = stream.list_consumers(Some(7), token.as_deref()).unwrap();
        names.extend(page.consumers.into_iter().map(|consumer| consumer.name));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names.len(), 20);
    assert!(names.is_sorted());
    refused_with(
        store.streams().delete("stream", false),
        "ResourceInUseException",
        "because there are consumers associated with this data stream",
    );
    store.streams().delete("stream", true).unwrap();
    assert!(store.verify().unwrap().is_empty());
}

#[test]
fn records_are_pushed_as_they_come() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    let consumer = stream.register_consumer("app", &Tags::new()).unwrap();
    stream.put("key", "a").unwrap();
    stream.put("key", "b").unwrap();
    let mut subscription = store.streams().subscribe(&consumer.arn, SHARD_0, Start::TrimHorizon).unwrap();
    let first = event(&mut subscription);
    assert_eq!((data(&first), first.millis_behind_latest), (vec!["a".into(), "b".into()], 0));
    assert!(poll(&mut subscription).is_pending());
    stream.put("key", "c").unwrap();
    assert_eq!(data(&event(&mut subscription)), ["c"]);
    clock.advance(Duration::from_secs(5));
    let quiet = event(&mut subscription);
    assert!(quiet.records.is_empty());
    assert!(
        quiet.continuation_sequence_number > first.continuation_sequence_number,
        "it advances all the same"
    );
    assert!(poll(&mut subscription).is_pending());
    stream.put("key", "d").unwrap();
    let number = quiet.continuation_sequence_number.unwrap();
    let mut again =
        store.streams().subscribe(&consumer.arn, SHARD_0, Start::AfterSequenceNumber(number)).unwrap();
    assert_eq!(data(&event(&mut again)), ["d"], "nothing is lost and nothing comes twice");
}

#[test]
fn a_subscription_lasts_five_minutes() {
    let (clock, store) = clocked();
    let stream = stream(&store, 1);
    let consumer = stream.register_consumer("app", &Tags::new()).unwrap();
    let mut subscription = store.streams().subscribe(&consumer.arn, SHARD_0, Start::Latest).unwrap();
    let mut quiet = 0;
    loop {
        match poll(&mut subscription) {
            Poll::Ready(Some(event)) => {
                assert!(event.unwrap().records.is_empty());
                quiet += 1;
            }
            Poll::Ready(None) => break,
            Poll::Pending => {
                clock.advance_to_next().unwrap();
            }
        }
    }
    assert_eq!(quiet, 59, "one each five seconds");
    assert!(matches!(poll(&mut subscription), Poll::Ready(None)));
    assert_eq!(clock.now() - ManualClock::default().now(), Duration::from_mins(5));
}

#[test]
fn a_second_subscription_waits_and_then_takes_over() {
    let (clock, store) = clocked();
    let streams = store.streams();
    let stream = stream(&store, 2);
    let consumer = stream.register_consumer("app", &Tags::new()).unwrap();
    let other = stream.register_consumer("other", &Tags::new()).unwrap();
    let mut first = streams.subscribe(&consumer.arn, SHARD_0, Start::Latest).unwrap();
    let busy =
        "Another active subscription exists for this consumer: 000000000000:stream:shardId-000000000000:app";
    refused(
        streams.subscribe(&consumer.arn, SHARD_0, Start::Latest).map(drop),
        "ResourceInUseException",
        busy,
    );
    drop(streams.subscribe(&consumer.arn, "shardId-000000000001", Start::Latest).unwrap());
    drop(streams.subscribe(&other.arn, SHARD_0, Start::Latest).unwrap());
    assert!(poll(&mut first).is_pending());
    clock.advance(Duration::from_secs(5));
    let mut second = streams.subscribe(&consumer.arn, SHARD_0, Start::Latest).unwrap();
    match poll(&mut first) {
        Poll::Ready(Some(result)) => refused(result, "ResourceInUseException", busy),
        other => panic!("it was taken over, not {other:?}"),
    }
    assert!(matches!(poll(&mut first), Poll::Ready(None)));
    assert!(poll(&mut second).is_pending());
    streams.deregister_consumer(&consumer.arn).unwrap();
    match poll(&mut second) {
        Poll::Ready(Some(result)) => refused_with(result, "ResourceNotFoundException", "app"),
        other => panic!("its consumer is gone, not {other:?}"),
    }
}

#[test]
fn the_last_event_of_a_closed_shard_says_what_follows() {
    let (_clock, store) = clocked();
    let stream = stream(&store, 1);
    let consumer = stream.register_consumer("app", &Tags::new()).unwrap();
    stream.put("key", "last").unwrap();
    let mut subscription = store.streams().subscribe(&consumer.arn, SHARD_0, Start::TrimHorizon).unwrap();
    stream.split_shard(SHARD_0, 1 << 127).unwrap();
    let last = event(&mut subscription);
    assert_eq!(data(&last), ["last"]);
    assert_eq!((last.continuation_sequence_number, last.child_shards.len()), (None, 2));
    assert!(matches!(poll(&mut subscription), Poll::Ready(None)));
}

#[test]
fn a_subscription_blocks_and_is_a_stream_of_the_futures_crates() {
    fn is_stream(_: &impl futures_core::Stream<Item = Result<Event>>) {}
    let (_clock, store) = clocked();
    let stream = stream(&store, 1);
    let consumer = stream.register_consumer("app", &Tags::new()).unwrap();
    let mut subscription = store.streams().subscribe(&consumer.arn, SHARD_0, Start::Latest).unwrap();
    is_stream(&subscription);
    let thread = std::thread::spawn(move || subscription.next());
    stream.put("key", "pushed").unwrap();
    let event = thread.join().unwrap().unwrap().unwrap();
    assert_eq!(data(&event), ["pushed"]);
}
