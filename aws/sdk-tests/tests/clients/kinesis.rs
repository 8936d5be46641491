//! Streams, and subscriptions to their shards.

use crate::{is_waiting, store};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::SdkError;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{
    ShardIteratorType, StartingPosition, SubscribeToShardEvent, SubscribeToShardEventStream,
};
use fourfold::ManualClock;
use std::pin::pin;
use std::time::Duration;

const SHARD: &str = "shardId-000000000000";

/// A client, a consumer's ARN, and the time.
async fn stream() -> (Client, String, ManualClock) {
    let (store, clock) = store();
    let kinesis = Client::new(&fourfold_aws::sdk::config(&store));
    kinesis.create_stream().stream_name("clicks").shard_count(1).send().await.unwrap();
    let summary = kinesis.describe_stream_summary().stream_name("clicks").send().await.unwrap();
    let arn = summary.stream_description_summary.unwrap().stream_arn;
    let consumer =
        kinesis.register_stream_consumer().stream_arn(arn).consumer_name("app").send().await.unwrap();
    (kinesis, consumer.consumer.unwrap().consumer_arn, clock)
}

async fn put(kinesis: &Client, data: &str) {
    let put = kinesis.put_record().stream_name("clicks").partition_key("k");
    put.data(Blob::new(data)).send().await.unwrap();
}

fn from_the_start() -> StartingPosition {
    StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon).build().unwrap()
}

fn texts(event: SubscribeToShardEventStream) -> Vec<String> {
    let SubscribeToShardEventStream::SubscribeToShardEvent(SubscribeToShardEvent { records, .. }) = event
    else {
        panic!("{event:?}");
    };
    records.into_iter().map(|record| String::from_utf8(record.data.into_inner()).unwrap()).collect()
}

#[tokio::test]
async fn records_are_put_and_read() {
    let (kinesis, _, _) = stream().await;
    put(&kinesis, "home").await;
    let iterator = kinesis.get_shard_iterator().stream_name("clicks").shard_id(SHARD);
    let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
    let got = kinesis.get_records().set_shard_iterator(iterator.shard_iterator).send().await.unwrap();
    assert_eq!(got.records()[0].data().as_ref(), b"home");
    let error = kinesis.describe_stream().stream_name("nope").send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
}

#[tokio::test]
async fn a_subscription_is_pushed_what_comes_for_five_minutes() {
    let (kinesis, arn, clock) = stream().await;
    put(&kinesis, "before").await;
    let subscribe = kinesis.subscribe_to_shard().consumer_arn(&arn).shard_id(SHARD);
    let mut events = subscribe.starting_position(from_the_start()).send().await.unwrap().event_stream;
    assert_eq!(texts(events.recv().await.unwrap().unwrap()), ["before"]);
    {
        let mut next = pin!(events.recv());
        assert!(is_waiting(next.as_mut()).await);
        put(&kinesis, "later").await;
        assert_eq!(texts(next.await.unwrap().unwrap()), ["later"]);
    }
    for _ in 0..59 {
        clock.advance(Duration::from_secs(5));
        assert!(texts(events.recv().await.unwrap().unwrap()).is_empty(), "nothing came");
    }
    clock.advance(Duration::from_secs(5));
    assert!(events.recv().await.unwrap().is_none(), "five minutes are over");
}

#[tokio::test]
async fn another_subscription_takes_over_after_five_seconds() {
    let (kinesis, arn, clock) = stream().await;
    let subscribe = || {
        let subscribe = kinesis.subscribe_to_shard().consumer_arn(&arn).shard_id(SHARD);
        subscribe.starting_position(from_the_start()).send()
    };
    let mut first = subscribe().await.unwrap().event_stream;
    clock.advance(Duration::from_millis(4999));
    let refused = subscribe().await.unwrap_err().into_service_error();
    assert!(refused.is_resource_in_use_exception(), "{refused:?}");
    clock.advance(Duration::from_millis(1));
    let mut second = subscribe().await.unwrap().event_stream;
    let ended = first.recv().await.unwrap_err();
    assert!(
        matches!(&ended, SdkError::ServiceError(error) if error.err().is_resource_in_use_exception()),
        "{ended:?}"
    );
    put(&kinesis, "mine").await;
    assert_eq!(texts(second.recv().await.unwrap().unwrap()), ["mine"]);
}
