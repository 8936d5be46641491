//! Requests made by chance from the shapes themselves, right and wrong ones: there always is an answer, and it is never a
//! fault of the server.

use super::*;
use crate::Router;
use crate::value::Name;
use bytes::Bytes;
use http::{Request, Response};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const TABLES: [&str; 26] = [
    "PutItem",
    "GetItem",
    "UpdateItem",
    "DeleteItem",
    "Query",
    "Scan",
    "BatchGetItem",
    "BatchWriteItem",
    "TransactGetItems",
    "TransactWriteItems",
    "CreateTable",
    "UpdateTable",
    "DeleteTable",
    "DescribeTable",
    "ListTables",
    "UpdateTimeToLive",
    "DescribeTimeToLive",
    "EnableKinesisStreamingDestination",
    "DisableKinesisStreamingDestination",
    "UpdateKinesisStreamingDestination",
    "DescribeKinesisStreamingDestination",
    "TagResource",
    "UntagResource",
    "ListTagsOfResource",
    "DescribeLimits",
    "DescribeEndpoints",
];
const STREAMS: [&str; 26] = [
    "CreateStream",
    "DeleteStream",
    "DescribeStream",
    "DescribeStreamSummary",
    "DescribeLimits",
    "ListStreams",
    "IncreaseStreamRetentionPeriod",
    "DecreaseStreamRetentionPeriod",
    "UpdateStreamMode",
    "UpdateMaxRecordSize",
    "AddTagsToStream",
    "RemoveTagsFromStream",
    "ListTagsForStream",
    "TagResource",
    "ListTagsForResource",
    "PutRecord",
    "PutRecords",
    "GetShardIterator",
    "GetRecords",
    "ListShards",
    "SplitShard",
    "MergeShards",
    "UpdateShardCount",
    "RegisterStreamConsumer",
    "DescribeStreamConsumer",
    "ListStreamConsumers",
];
/// Texts that mean something somewhere, and some that mean nothing.
const TEXTS: [&str; 30] = [
    "abc",
    "abc",
    "abc",
    "def",
    "a",
    "b",
    ":a",
    "#a",
    "",
    "0",
    "12.5e3",
    "1e999",
    "AAEC",
    "a = :a",
    "a = :a AND b > :b",
    "SET b = :b",
    "ADD c :a",
    "REMOVE d[1]",
    "SET b = if_not_exists(b, :a) + :b",
    "#a, b.c[0]",
    "attribute_exists(a)",
    "size(b) < :a",
    "begins_with(b, :b)",
    "by_b",
    "shardId-000000000000",
    "shardId-000000000001",
    "170141183460469231731687303715884105728",
    "arn:aws:dynamodb:us-east-1:000000000000:table/abc",
    "arn:aws:kinesis:us-east-1:000000000000:stream/abc",
    "\u{0}\u{fffd} ((((",
];

/// A little chance.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % sides
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn value(&mut self, shape: &Shape, depth: usize) -> Value {
        if self.below(60) == 0 {
            return Value::Int(self.pick(&[0, 1, 2]).into());
        }
        match shape {
            Shape::Text(rules) if !rules.words.is_empty() && self.below(20) > 0 => {
                self.pick(rules.words).into()
            }
            Shape::Text(_) | Shape::Blob(_) => self.pick(&TEXTS).into(),
            Shape::Int(..) => Value::Int(self.pick(&[-1, 0, 1, 2, 5, 25, 1024, i64::MAX])),
            Shape::Flag => Value::Bool(self.below(2) == 0),
            Shape::Time => Value::Float(1_735_689_600.5),
            Shape::List(rules) => {
                Value::List((0..self.below(3)).map(|_| self.value(rules.item, depth + 1)).collect())
            }
            Shape::Map(rules) => {
                let names = ["a", "b", ":a", ":b", "#a", "abc"];
                let count = self.below(4);
                Value::Map(
                    (0..count)
                        .map(|_| (self.pick(&names).into(), self.value(rules.value, depth + 1)))
                        .collect(),
                )
            }
            Shape::Struct(wanted) if wanted.class == "AttributeValue" => {
                let member = &wanted.members[if depth > 6 { 0 } else { self.below(wanted.members.len()) }];
                Value::Map(vec![(member.name.into(), self.value(member.shape, depth + 1))])
            }
            Shape::Struct(wanted) => {
                let mut members: Vec<(Name, Value)> = Vec::new();
                for member in wanted.members {
                    let odds = if matches!(member.need, Need::Never) { 3 } else { 40 };
                    if self.below(odds) > 0 || (odds == 3 && self.below(4) == 0) {
                        members.push((member.name.into(), self.value(member.shape, depth + 1)));
                    }
                }
                Value::Map(members)
            }
        }
    }
}

fn call(router: &Router, target: &str, body: &Value) -> Response<Bytes> {
    let kind = if target.starts_with("Kinesis") {
        "application/x-amz-json-1.1"
    } else {
        "application/x-amz-json-1.0"
    };
    let request = Request::post("/").header("x-amz-target", target).header("content-type", kind);
    let answer = router.call(request.body(Bytes::from(body.to_json())).unwrap());
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("{target} waits: {body:?}"),
    }
}

#[test]
fn every_request_has_an_answer() {
    let mut dice = Dice(7);
    let mut answered = 0;
    for _ in 0..40 {
        let store =
            fourfold::Store::builder().clock(fourfold::ManualClock::default()).seed(7).open_in_memory();
        let router = Router::new(store);
        for _ in 0..500 {
            let (dialect, service, name) = if dice.below(3) > 0 {
                (Dialect::Dynamo, "DynamoDB_20120810", dice.pick(&TABLES))
            } else {
                (Dialect::Kinesis, "Kinesis_20131202", dice.pick(&STREAMS))
            };
            let shape = input(dialect, name).unwrap();
            let mut request = dice.value(shape, 0);
            // Tables and streams that are wrong in nothing, or few requests would come far.
            if let (true, Value::Map(members)) = (dice.below(4) > 0, &mut request) {
                let names = ["TableName", "StreamName"];
                members
                    .iter_mut()
                    .filter(|(name, _)| names.contains(&&**name))
                    .for_each(|(_, value)| *value = "abc".into());
            }
            if name == "CreateTable" && dice.below(2) == 0 {
                request = serde_json::from_str(
                    r#"{"TableName":"abc","BillingMode":"PAY_PER_REQUEST",
                    "AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"},{"AttributeName":"b","AttributeType":"N"}],
                    "KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"},
                    "GlobalSecondaryIndexes":[{"IndexName":"by_b","KeySchema":[{"AttributeName":"b","KeyType":"HASH"}],
                    "Projection":{"ProjectionType":"ALL"}}]}"#,
                )
                .unwrap();
            }
            let answer = call(&router, &format!("{service}.{name}"), &request);
            let status = answer.status().as_u16();
            assert!(
                status == 200 || status == 400,
                "{name} {status}: {}",
                String::from_utf8_lossy(&request.to_json())
            );
            if status == 400 {
                let told: Value = serde_json::from_slice(answer.body()).unwrap();
                let Value::Map(members) = told else { panic!("{name}: no structure") };
                assert!(members.iter().any(|(name, _)| name == "__type"), "{name}");
            } else {
                answered += 1;
            }
        }
    }
    assert!(answered > 1000, "{answered} of 20000 were right");
}

/// One byte of a request may stand for many of what is told about it.
#[test]
fn what_is_told_has_an_end() {
    let records = Value::List(vec![Value::Map(Vec::new()); 100_000]);
    let mut request = Value::map([("StreamName", Some("clicks".into())), ("Records", Some(records))]);
    let refusal = check(Dialect::Kinesis, "PutRecords", &mut request).unwrap_err();
    assert!(refusal.message.contains("PutRecordsRequestEntry@2, ...]' at 'records' failed"));
    assert!(refusal.message.len() < 100_000, "{}", refusal.message.len());
}
