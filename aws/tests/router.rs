//! Requests against the router, without a socket: exact bodies, codes and headers.
#![expect(clippy::unwrap_used, reason = "a test fails where it is wrong")]

use bytes::Bytes;
use fourfold::{ManualClock, Store};
use fourfold_aws::Router;
use http::{Request, Response};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A router, and its time.
fn router() -> (Router, ManualClock) {
    let clock = ManualClock::default();
    (Router::new(Store::builder().clock(clock.clone()).seed(7).open_in_memory()), clock)
}

fn request(target: &str, body: &str) -> Request<Bytes> {
    let minor = u8::from(target.starts_with("Kinesis"));
    Request::post("/")
        .header("host", "fourfold.local:4566")
        .header("x-amz-target", target)
        .header("content-type", format!("application/x-amz-json-1.{minor}"))
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap()
}

/// The answer of a request that waits for nothing.
fn now(answer: impl Future<Output = Response<Bytes>>) -> Response<Bytes> {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

fn text(answer: &Response<Bytes>) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

fn post(router: &Router, target: &str, body: &str) -> (u16, String) {
    let answer = now(router.call(request(target, body)));
    (answer.status().as_u16(), text(&answer).to_owned())
}

fn send(router: &Router, request: http::request::Builder, body: &'static str) -> Response<Bytes> {
    now(router.call(request.body(Bytes::from_static(body.as_bytes())).unwrap()))
}

#[test]
fn a_queue_by_json() {
    let (router, _) = router();
    let (status, body) = post(&router, "AmazonSQS.CreateQueue", r#"{"QueueName":"jobs"}"#);
    assert_eq!((status, &*body), (200, r#"{"QueueUrl":"http://fourfold.local:4566/000000000000/jobs"}"#));
    let (_, sent) =
        post(&router, "AmazonSQS.SendMessage", r#"{"QueueUrl":"jobs","MessageBody":"hello world"}"#);
    assert!(
        sent.starts_with(r#"{"MD5OfMessageBody":"5eb63bbbe01eeed093cb22bb8f5acdc3","MessageId":""#),
        "{sent}"
    );
    let url = "http://elsewhere/000000000000/jobs";
    let receive = format!(r#"{{"QueueUrl":"{url}","AttributeNames":["ApproximateReceiveCount"]}}"#);
    let (_, received) = post(&router, "AmazonSQS.ReceiveMessage", &receive);
    assert!(
        received.contains(r#""Body":"hello world","Attributes":{"ApproximateReceiveCount":"1"}"#),
        "{received}"
    );
    assert_eq!(post(&router, "AmazonSQS.ReceiveMessage", &receive), (200, "{}".to_owned()));
}

#[test]
fn refusals_of_sqs_have_both_codes() {
    let (router, _) = router();
    let cases = [
        (
            "AmazonSQS.GetQueueUrl",
            r#"{"QueueName":"nope"}"#,
            r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#,
            "AWS.SimpleQueueService.NonExistentQueue;Sender",
        ),
        (
            "AmazonSQS.SendMessage",
            r#"{"MessageBody":"x"}"#,
            r#"{"__type":"com.amazonaws.sqs#MissingRequiredParameterException","message":"The request must contain the parameter QueueUrl."}"#,
            "MissingParameter;Sender",
        ),
        (
            "AmazonSQS.Nope",
            "{}",
            r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#,
            "InvalidAction;Sender",
        ),
        (
            "AmazonSQS.CreateQueue",
            r#"{"QueueName":[7]}"#,
            r#"{"__type":"com.amazon.coral.service#SerializationException","Message":"Start of list found where not expected"}"#,
            "SerializationException;Sender",
        ),
    ];
    for (target, body, answer, code) in cases {
        let reply = now(router.call(request(target, body)));
        assert_eq!((reply.status().as_u16(), text(&reply)), (400, answer));
        assert_eq!(reply.headers()["x-amzn-query-error"], code);
        assert_eq!(reply.headers()["content-type"], "application/x-amz-json-1.0");
        assert_eq!(reply.headers()["x-amzn-requestid"].len(), 36);
    }
}

#[test]
fn a_receive_waits_by_the_clock_of_the_store() {
    let (router, clock) = router();
    post(&router, "AmazonSQS.CreateQueue", r#"{"QueueName":"jobs"}"#);
    let wait = request("AmazonSQS.ReceiveMessage", r#"{"QueueUrl":"jobs","WaitTimeSeconds":20}"#);
    let context = &mut Context::from_waker(Waker::noop());
    let mut waiting = pin!(router.call(wait));
    assert!(waiting.as_mut().poll(context).is_pending());
    clock.advance(Duration::from_millis(19_999));
    assert!(waiting.as_mut().poll(context).is_pending());
    clock.advance(Duration::from_millis(1));
    assert!(matches!(waiting.as_mut().poll(context), Poll::Ready(answer) if text(&answer) == "{}"));
}

#[test]
fn a_table_and_its_refusals() {
    let (router, _) = router();
    let table = r#"{"TableName":"users","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],
        "KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}"#;
    assert_eq!(post(&router, "DynamoDB_20120810.CreateTable", table).0, 200);
    let put = r#"{"TableName":"users","Item":{"id":{"S":"ann"},"n":{"N":"1.50"}}}"#;
    assert_eq!(post(&router, "DynamoDB_20120810.PutItem", put), (200, "{}".to_owned()));
    let get = r#"{"TableName":"users","Key":{"id":{"S":"ann"}}}"#;
    let item = r#"{"Item":{"id":{"S":"ann"},"n":{"N":"1.5"}}}"#;
    assert_eq!(post(&router, "DynamoDB_20120810.GetItem", get), (200, item.to_owned()));
    let reply = now(router.call(request("DynamoDB_20120810.GetItem", get)));
    assert_eq!(reply.headers()["x-amz-crc32"], crc32fast::hash(item.as_bytes()).to_string());
    let refused = |body: &str| post(&router, "DynamoDB_20120810.GetItem", body).1;
    assert_eq!(
        refused(r#"{"TableName":"users"}"#),
        r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"1 validation error detected: Value null at 'key' failed to satisfy constraint: Member must not be null"}"#
    );
    assert_eq!(
        refused(r#"{"TableName":"users","Key":{"id":{"S":5}}}"#),
        r#"{"__type":"com.amazon.coral.service#SerializationException","Message":"NUMBER_VALUE cannot be converted to String"}"#
    );
}

#[test]
fn a_stream_by_json() {
    let (router, _) = router();
    let create = r#"{"StreamName":"clicks","ShardCount":1}"#;
    assert_eq!(post(&router, "Kinesis_20131202.CreateStream", create), (200, String::new()));
    let put = r#"{"StreamName":"clicks","Data":"aGVsbG8=","PartitionKey":"k"}"#;
    let (_, answer) = post(&router, "Kinesis_20131202.PutRecord", put);
    assert!(answer.starts_with(r#"{"ShardId":"shardId-000000000000","SequenceNumber":"4"#), "{answer}");
    assert_eq!(
        post(&router, "Kinesis_20131202.DescribeStream", r#"{"StreamName":true}"#),
        (400, r#"{"__type":"SerializationException","Message":"class java.lang.Boolean can not be converted to an String"}"#.to_owned())
    );
    assert_eq!(
        post(&router, "Kinesis_20131202.StartStreamEncryption", "{}"),
        (400, r#"{"__type":"UnknownOperationException"}"#.to_owned())
    );
}

#[test]
fn what_is_for_nobody_is_answered_so() {
    let (router, _) = router();
    let hello = send(&router, Request::get("/").header("host", "h"), "");
    assert_eq!((hello.status().as_u16(), text(&hello)), (200, "healthy: h "));
    for request in [
        Request::get("/000000000000/jobs"),
        Request::post("/").header("x-amz-target", "Logs_20140328.PutLogEvents"),
        Request::put("/"),
    ] {
        let answer = send(&router, request, "");
        assert_eq!((answer.status().as_u16(), text(&answer)), (404, "<UnknownOperationException/>\n"));
    }
    let object = send(&router, Request::get("/bucket/key").header("host", "h"), "");
    assert!(object.status() == 403 || object.status() == 404, "a path is an object's");
    assert!(text(&object).contains("<Error><Code>"), "{}", text(&object));
}

#[test]
fn who_the_caller_is() {
    let (router, _) = router();
    let form = Request::post("/").header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    let answer = send(&router, form, "Action=GetCallerIdentity&Version=2011-06-15");
    assert!(text(&answer).contains("<Arn>arn:aws:iam::000000000000:root</Arn>"));
}

#[test]
fn the_clock_is_moved_only_where_that_was_asked_for() {
    let (router, _) = router();
    let time = send(&router, Request::get("/_fourfold/clock"), "");
    assert_eq!(text(&time), r#"{"now_ms":1735689600000,"now":"2025-01-01T00:00:00.000Z"}"#);
    let refused = send(&router, Request::post("/_fourfold/clock"), r#"{"advance_ms":1}"#);
    assert_eq!(refused.status(), 409);
    let clock = fourfold_aws::MovableClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    let (movable, before) = (Router::new(store.clone()).clock(clock), store.now());
    let moved = send(&movable, Request::post("/_fourfold/clock"), r#"{"advance_ms":3600000}"#);
    assert!(moved.status() == 200 && store.now() - before >= Duration::from_hours(1));
    let wrong = send(&movable, Request::post("/_fourfold/clock"), r#"{"advance_ms":-1}"#);
    assert_eq!(wrong.status(), 400);
}

/// Whatever bytes come, for whatever operation, there is an answer that is no fault of the server.
#[test]
fn broken_requests_are_the_fault_of_the_caller() {
    let (router, _) = router();
    let bodies =
        ["", "{", "[]", "null", "7", "\"x\"", "{\"QueueUrl\":{}}", "{\"TableName\":[[[[]]]]}", "\u{1}"];
    let operations = [
        "AmazonSQS.SendMessage",
        "AmazonSQS.ReceiveMessage",
        "Kinesis_20131202.PutRecords",
        "DynamoDB_20120810.Query",
        "DynamoDB_20120810.BatchWriteItem",
        "DynamoDBStreams_20120810.GetRecords",
        "AmazonSQS.",
        "AmazonSQS",
    ];
    for operation in operations {
        for body in bodies {
            let status = post(&router, operation, body).0;
            assert!((400..500).contains(&status), "{operation} {body}: {status}");
        }
    }
}
