//! `SubscribeToShard`: the frames of its answer, byte by byte.

use crate::{now, post, request, router};
use bytes::Bytes;
use fourfold::ManualClock;
use fourfold_aws::{Body, Router};
use http_body::Body as _;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A router with a stream of one shard and a consumer, whose ARN it is, and the time.
fn stream() -> (Router, String, ManualClock) {
    let (router, clock) = router();
    post(&router, "Kinesis_20131202.CreateStream", r#"{"StreamName":"clicks","ShardCount":1}"#);
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
    let register = format!(r#"{{"StreamARN":"{arn}","ConsumerName":"app"}}"#);
    let (_, consumer) = post(&router, "Kinesis_20131202.RegisterStreamConsumer", &register);
    let arn = consumer.split('"').find(|part| part.contains("/consumer/")).unwrap().to_owned();
    (router, arn, clock)
}

fn put(router: &Router) {
    let record = r#"{"StreamName":"clicks","Data":"aGVsbG8=","PartitionKey":"k"}"#;
    assert_eq!(post(router, "Kinesis_20131202.PutRecord", record).0, 200);
}

fn subscription(arn: &str, kind: &str) -> String {
    format!(
        r#"{{"ConsumerARN":"{arn}","ShardId":"shardId-000000000000","StartingPosition":{{"Type":"{kind}"}}}}"#
    )
}

fn subscribe(router: &Router, arn: &str) -> Body {
    let body = subscription(arn, "TRIM_HORIZON");
    let answer = now(router.serve(request("Kinesis_20131202.SubscribeToShard", body).map(Body::from)));
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/vnd.amazon.eventstream");
    answer.into_body()
}

/// The next frame, if one is there.
fn next(body: &mut Body) -> Poll<Option<Bytes>> {
    let context = &mut Context::from_waker(Waker::noop());
    Pin::new(body).poll_frame(context).map(|frame| Some(frame?.unwrap().into_data().unwrap()))
}

fn be32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

/// Headers and payload of a frame, once lengths and checksums are right.
fn message(frame: &[u8]) -> (BTreeMap<String, String>, String) {
    let (total, headers_len) = (be32(frame) as usize, be32(&frame[4..]) as usize);
    assert_eq!(total, frame.len());
    assert_eq!(be32(&frame[8..]), crc32fast::hash(&frame[..8]));
    assert_eq!(be32(&frame[total - 4..]), crc32fast::hash(&frame[..total - 4]));
    let mut headers = BTreeMap::new();
    let mut rest = &frame[12..12 + headers_len];
    while let [name_len, behind @ ..] = rest {
        let (name, behind) = behind.split_at(usize::from(*name_len));
        assert_eq!(behind[0], 7, "a text");
        let len = usize::from(u16::from_be_bytes([behind[1], behind[2]]));
        let (value, behind) = behind[3..].split_at(len);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        headers.insert(text(name), text(value));
        rest = behind;
    }
    (headers, String::from_utf8(frame[12 + headers_len..total - 4].to_vec()).unwrap())
}

fn next_message(body: &mut Body) -> (BTreeMap<String, String>, String) {
    match next(body) {
        Poll::Ready(Some(frame)) => message(&frame),
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_are_frames_and_end_after_five_minutes() {
    let (router, arn, clock) = stream();
    put(&router);
    let mut body = subscribe(&router, &arn);
    let (headers, payload) = next_message(&mut body);
    assert_eq!((&*headers[":message-type"], &*headers[":event-type"]), ("event", "initial-response"));
    assert_eq!(payload, "{}");
    let (headers, payload) = next_message(&mut body);
    assert_eq!((&*headers[":message-type"], &*headers[":event-type"]), ("event", "SubscribeToShardEvent"));
    assert_eq!(headers[":content-type"], "application/json");
    assert!(
        payload.contains(r#""Data":"aGVsbG8=""#) && payload.contains(r#""MillisBehindLatest":0"#),
        "{payload}"
    );
    assert_eq!(next(&mut body), Poll::Pending);
    clock.advance(Duration::from_mins(5));
    assert_eq!(next(&mut body), Poll::Ready(None));
}

#[test]
fn the_end_of_a_shard_names_its_children_and_ends_it() {
    let (router, arn, _) = stream();
    let mut body = subscribe(&router, &arn);
    next_message(&mut body);
    let split = r#"{"StreamName":"clicks","ShardToSplit":"shardId-000000000000","NewStartingHashKey":"170141183460469231731687303715884105728"}"#;
    assert_eq!(post(&router, "Kinesis_20131202.SplitShard", split).0, 200);
    let (_, payload) = next_message(&mut body);
    assert!(payload.contains("\"ChildShards\":[") && payload.contains("shardId-000000000002"), "{payload}");
    assert_eq!(next(&mut body), Poll::Ready(None));
}

#[test]
fn who_is_replaced_is_told_by_an_exception() {
    let (router, arn, clock) = stream();
    let mut first = subscribe(&router, &arn);
    next_message(&mut first);
    assert_eq!(next(&mut first), Poll::Pending);
    clock.advance(Duration::from_secs(5));
    let mut second = subscribe(&router, &arn);
    next_message(&mut second);
    let (headers, payload) = next_message(&mut first);
    assert_eq!(headers[":message-type"], "exception");
    assert_eq!(headers[":exception-type"], "ResourceInUseException");
    assert!(payload.starts_with(r#"{"message":""#), "{payload}");
    assert_eq!(next(&mut first), Poll::Ready(None));
}

#[test]
fn what_is_refused_is_refused_before_there_are_events() {
    let (router, arn, _) = stream();
    let operation = "Kinesis_20131202.SubscribeToShard";
    let refused = |body: &str| {
        let (status, answer) = post(&router, operation, body);
        assert_eq!(status, 400, "{answer}");
        answer
    };
    assert!(refused("{}").contains("ValidationException"));
    assert!(refused(&subscription(&arn, "NOPE")).contains("startingPosition.type"));
    assert!(refused(&subscription(&arn, "AT_SEQUENCE_NUMBER")).contains("InvalidArgumentException"));
    assert!(refused(&subscription(&arn, "AT_TIMESTAMP")).contains("InvalidArgumentException"));
    assert!(refused(&subscription(&format!("{arn}1"), "LATEST")).contains("ResourceNotFoundException"));
    let elsewhere = subscription(&arn, "LATEST").replace("000000000000\",\"Start", "000000000007\",\"Start");
    assert!(refused(&elsewhere).contains("ResourceNotFoundException"));
    let dry = subscription(&arn, "LATEST").replace("{\"Con", "{\"DryRun\":true,\"Con");
    assert!(refused(&dry).contains("DryRunOperationException"));
    let first = subscribe(&router, &arn);
    assert!(refused(&subscription(&arn, "LATEST")).contains("ResourceInUseException"));
    drop(first);
}
