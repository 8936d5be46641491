//! The transport itself: signatures, retries in virtual time.

use crate::{is_waiting, store};
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::config::retry::RetryConfig;
use fourfold::stream::Dials;
use fourfold_aws::{Router, sdk};
use std::pin::pin;
use std::time::Duration;

#[tokio::test]
async fn signatures_are_checked_by_a_router_with_keys() {
    let (store, clock) = store();
    let router = Router::new(store.clone()).key("AKIDEXAMPLE", "secret");
    let config = sdk::config(&store).to_builder().http_client(sdk::Transport::new(router)).build();
    let with = |id: &str, secret: &str| {
        let credentials = Credentials::new(id, secret, None, None, "test");
        let config = aws_sdk_sqs::config::Builder::from(&config).credentials_provider(credentials);
        aws_sdk_sqs::Client::from_conf(config.build())
    };
    // Hours later: the SDK signs by the store's time.
    clock.advance(Duration::from_hours(2));
    with("AKIDEXAMPLE", "secret").list_queues().send().await.unwrap();
    for (id, secret, code) in
        [("AKIDEXAMPLE", "other", "SignatureDoesNotMatch"), ("AKIDOTHER", "secret", "InvalidClientTokenId")]
    {
        let error = with(id, secret).list_queues().send().await.unwrap_err().into_service_error();
        assert_eq!(error.meta().code(), Some(code), "{error:?}");
    }
}

#[tokio::test]
async fn a_retry_waits_until_the_clock_is_moved() {
    let (store, clock) = store();
    let config = sdk::config(&store).to_builder().retry_config(RetryConfig::standard()).build();
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    kinesis.create_stream().stream_name("clicks").shard_count(1).send().await.unwrap();
    let mut dials = Dials::default();
    dials.throttle = true;
    store.streams().set_dials(dials);
    let put = || {
        let put = kinesis.put_record().stream_name("clicks").partition_key("k");
        put.data(aws_sdk_kinesis::primitives::Blob::new(vec![0; (1 << 20) - 1])).send()
    };
    put().await.unwrap();
    let mut throttled = pin!(put());
    assert!(is_waiting(throttled.as_mut()).await, "it was refused and is tried again later");
    assert!(is_waiting(throttled.as_mut()).await);
    clock.advance(Duration::from_secs(20));
    throttled.await.unwrap();
}
