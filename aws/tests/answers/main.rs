//! What each service answers, to the letter: what is wrong in the form of a request, and what is right.
#![expect(clippy::unwrap_used, reason = "a test fails where it is wrong")]

#[path = "../common/mod.rs"]
mod common;
mod deep;
mod items;
mod operations;
mod queues;
mod streams;
mod validation;

use common::{post, post_as, router};
use serde_json::{Value, json};

const DYNAMO: &str = "DynamoDB_20120810";
const KINESIS: &str = "Kinesis_20131202";

/// A refusal: the operation, the request, the end of the type, the message.
type Case = (&'static str, Value, &'static str, &'static str);

const SERIALIZATION: &str = "com.amazon.coral.service#SerializationException";
const VALIDATION: &str = "com.amazon.coral.validate#ValidationException";

fn check(service: &str, cases: Vec<Case>) {
    let (router, _) = router();
    let table = json!({"TableName": "abc", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}]});
    assert_eq!(post(&router, "DynamoDB_20120810.CreateTable", &table.to_string()).0, 200);
    let stream = json!({"StreamName": "abc", "ShardCount": 1});
    assert_eq!(
        post_as(&router, "application/x-amz-json-1.1", "Kinesis_20131202.CreateStream", &stream).0,
        200
    );
    let mut others = Vec::new();
    for (operation, request, kind, message) in cases {
        let target = format!("{service}.{operation}");
        let content_type =
            if service == KINESIS { "application/x-amz-json-1.1" } else { "application/x-amz-json-1.0" };
        let (status, body) = post_as(&router, content_type, &target, &request);
        let answer: Value = serde_json::from_str(&body).unwrap();
        let told = answer.get("message").or_else(|| answer.get("Message")).and_then(Value::as_str);
        let found = (status, answer["__type"].as_str(), told.unwrap_or_default());
        if found != (400, Some(kind), message) {
            others.push(format!("{operation} {request}\n  wanted {message}\n  found {found:?}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}
