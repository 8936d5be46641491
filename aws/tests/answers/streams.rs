//! What Kinesis answers, to the letter: to what has no form, about shards and streams that are not there, about numbers.

use super::common::{now, post_as, router};
use super::{Case, KINESIS, check};
use bytes::Bytes;
use fourfold_aws::Router;
use http::{Method, Request};
use serde_json::{Value, json};

const JSON: &str = "application/x-amz-json-1.1";
const CBOR: &str = "application/x-amz-cbor-1.1";
const LIST: &str = "Kinesis_20131202.ListStreams";
const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=1/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0";

/// Status, content type and body of what is said to a request that is signed for Kinesis.
fn raw(
    router: &Router,
    method: &Method,
    content_type: &str,
    target: &str,
    body: &str,
) -> (u16, String, Bytes) {
    let mut request = Request::builder().method(method.clone()).uri("/").header("host", "fourfold.local");
    for (name, value) in [("authorization", SIGNED), ("content-type", content_type), ("x-amz-target", target)]
    {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    let request = request.header("x-amz-date", "20260101T000000Z");
    let answer = now(router.call(request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()));
    let header =
        |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert_eq!((header("x-amzn-requestid").len(), header("x-amz-id-2").len()), (36, 96), "{method} {body}");
    (answer.status().as_u16(), header("content-type").to_owned(), answer.body().clone())
}

#[test]
fn what_is_in_no_form_is_refused_before_it_is_read() {
    let denied = "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be \
                  authorized</Message>\n</AccessDeniedException>\n";
    let unknown = r#"{"__type":"UnknownOperationException"}"#;
    let serialization = r#"{"__type":"SerializationException"}"#;
    let old = |name: &str| {
        format!(r#"{{"Output":{{"__type":"com.amazon.coral.service#{name}"}},"Version":"1.0"}}"#)
    };
    let unknown_cbor = "f__typex\u{19}UnknownOperationException";
    let serialization_cbor = "f__typevSerializationException";
    let cases: &[(Method, &str, &str, &str, u16, &str, &str)] = &[
        (Method::GET, "", "", "", 403, "", denied),
        (Method::GET, JSON, LIST, "", 403, "", denied),
        (Method::PUT, "", LIST, "", 403, "", denied),
        (Method::DELETE, "", "", "", 403, "", denied),
        (Method::OPTIONS, "", "", "", 403, "", denied),
        (Method::POST, "", "", "", 400, CBOR, unknown_cbor),
        (Method::POST, "", "Kinesis_20131202", "", 400, CBOR, unknown_cbor),
        (Method::POST, "", "Whatever.Whatever", "", 400, CBOR, unknown_cbor),
        (Method::POST, "", "Kinesis_20131202.ListStream", "", 400, CBOR, unknown_cbor),
        (Method::POST, "", LIST, "", 400, CBOR, serialization_cbor),
        (Method::POST, "application/json", LIST, "", 400, CBOR, serialization_cbor),
        (Method::POST, "application/x-amz-json-1.0", LIST, "", 400, CBOR, serialization_cbor),
        (Method::POST, CBOR, LIST, "{}", 400, CBOR, serialization_cbor),
        (Method::POST, CBOR, LIST, "1", 400, CBOR, serialization_cbor),
        (Method::POST, JSON, "", "", 400, JSON, unknown),
        (Method::POST, JSON, "", "{}", 400, JSON, unknown),
        (Method::POST, JSON, LIST, "", 400, JSON, serialization),
        (Method::POST, JSON, "", "hello", 400, JSON, serialization),
        (Method::POST, "", "", "{}", 403, "", denied),
        // The service knows no operation then; a request by hand may leave it out here.
        (Method::POST, "", LIST, "hello", 400, JSON, serialization),
        (Method::POST, "text/plain", "Kinesis_20131202.", "{}", 403, "", denied),
        (Method::POST, "text/plain", LIST, "{}", 404, "", "<UnknownOperationException/>\n"),
        (
            Method::POST,
            "application/json",
            LIST,
            "{}",
            404,
            "application/json",
            &old("UnknownOperationException"),
        ),
        (
            Method::POST,
            "application/json; x",
            LIST,
            "hello",
            400,
            "application/json",
            &old("SerializationException"),
        ),
    ];
    let (router, _) = router();
    for (method, content_type, target, body, status, kind, text) in cases {
        let told = raw(&router, method, content_type, target, body);
        let inner = if *kind == CBOR { told.2.slice(1..told.2.len() - 1) } else { told.2.clone() };
        let found = (told.0, &*told.1, &*inner);
        assert_eq!(found, (*status, *kind, text.as_bytes()), "{method} {content_type} {target} {body}");
    }
    let spaced = raw(&router, &Method::POST, "   application/x-amz-json-1.1   ;whatever", LIST, "{}");
    assert_eq!((spaced.0, &*spaced.1), (200, JSON));
}

#[test]
fn shards_are_looked_at_before_their_streams() {
    let missing = |operation: &'static str, request: Value, message: &'static str| -> Case {
        (operation, request, "ResourceNotFoundException", message)
    };
    let iterator = |stream: &str, shard: &str| json!({"StreamName": stream, "ShardId": shard, "ShardIteratorType": "LATEST"});
    let split = |stream: &str, shard: &str| json!({"StreamName": stream, "ShardToSplit": shard, "NewStartingHashKey": "0"});
    let merge = |stream: &str, shard: &str, next: &str| json!({"StreamName": stream, "ShardToMerge": shard, "AdjacentShardToMerge": next});
    check(
        KINESIS,
        vec![
            missing(
                "GetShardIterator",
                iterator("no", "a-00002147483647"),
                "Shard shardId-002147483647 in stream no under account 000000000000 does not exist",
            ),
            missing(
                "GetShardIterator",
                iterator("no", "2147483648"),
                "Could not find shard 2147483648 in stream no under account 000000000000.",
            ),
            missing(
                "GetShardIterator",
                json!({"StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/no", "ShardId": "x",
                    "ShardIteratorType": "LATEST"}),
                "Could not find shard x in stream no under account 000000000000.",
            ),
            missing("SplitShard", split("no", "0"), "Stream no under account 000000000000 not found."),
            missing(
                "SplitShard",
                split("no", "2.14E4"),
                "Could not find shard 2.14E4 in stream no under account 000000000000.",
            ),
            missing(
                "SplitShard",
                split("abc", "shardId-5"),
                "Could not find shard shardId-000000000005 in stream abc under account 000000000000.",
            ),
            missing("MergeShards", merge("no", "0", "1"), "Stream no under account 000000000000 not found."),
            missing(
                "MergeShards",
                merge("no", "0", "ABKLFD8"),
                "Could not find shard ABKLFD8 in stream no under account 000000000000.",
            ),
        ],
    );
}

#[test]
fn numbers_are_of_shards_that_they_name() {
    let (router, _) = router();
    let call = |operation: &str, request: &Value| {
        let (status, body) = post_as(&router, JSON, &format!("{KINESIS}.{operation}"), request);
        (status, serde_json::from_str::<Value>(&body).unwrap_or_default())
    };
    assert_eq!(call("CreateStream", &json!({"StreamName": "s", "ShardCount": 2})).0, 200);
    let at = |shard: &str, number: &str| {
        call(
            "GetShardIterator",
            &json!({"StreamName": "s", "ShardId": shard,
            "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": number}),
        )
    };
    let told = |answer: (u16, Value)| answer.1["message"].as_str().unwrap_or_default().to_owned();
    // Of the first form, and of this shard; nobody knows what to do with it.
    assert_eq!(at("0", "0"), (500, json!({"__type": "InternalFailure"})));
    assert_eq!(
        told(at("0", "5")),
        "Invalid StartingSequenceNumber. It encodes shardId-000000000005, while it was used in a call to a shard with \
         shardId-000000000000"
    );
    let beyond = "49039857307708443467467104868809893875799651944235008002";
    assert_eq!(
        told(at("0", beyond)),
        "Invalid StartingSequenceNumber. It encodes shardId--02147483648, while it was used in a call to a shard with \
         shardId-000000000000"
    );
    // Made later than any shard can have been.
    let late = "73559785961551514828601391991642864028743539089244946418";
    assert_eq!(
        told(at("0", late)),
        format!(
            "StartingSequenceNumber {late} used in GetShardIterator on shard shardId-000000000000 in stream s under \
             account 000000000000 is invalid."
        )
    );
    let put = |number: &str| {
        call(
            "PutRecord",
            &json!({"StreamName": "s", "PartitionKey": "a", "Data": "",
            "SequenceNumberForOrdering": number}),
        )
    };
    assert_eq!(put(beyond).0, 200);
    assert!(
        told(put(late)).ends_with("used in PutRecord on stream s under account 000000000000 is invalid.")
    );
}

#[test]
fn a_token_stands_for_all_else_that_finds_shards() {
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/abc";
    let with = |name: &'static str, value: Value, other: &'static str| -> Case {
        let mut request = json!({"NextToken": "x"});
        request[name] = value;
        ("ListShards", request, "InvalidArgumentException", other)
    };
    let told = ["StreamName", "StreamARN", "StreamCreationTimestamp", "ExclusiveStartShardId", "ShardFilter"];
    let values = [json!("abc"), json!(arn), json!(5), json!("shardId-0"), json!({"Type": "AT_LATEST"})];
    let messages = [
        "NextToken and StreamName cannot be provided together.",
        "NextToken and StreamARN cannot be provided together.",
        "NextToken and StreamCreationTimestamp cannot be provided together.",
        "NextToken and ExclusiveStartShardId cannot be provided together.",
        "NextToken and ShardFilter cannot be provided together.",
    ];
    let cases = told.into_iter().zip(values).zip(messages);
    let none = "Either NextToken or StreamName should be provided.";
    let none = ("ListShards", json!({}), "InvalidArgumentException", none);
    let cases = cases.map(|((name, value), message)| with(name, value, message)).chain([none]);
    check(KINESIS, cases.collect());
}

#[test]
fn a_record_that_is_wrong_is_told_by_its_place() {
    let large = "A".repeat((1 << 20) / 3 * 4 + 8);
    let records = json!([{"PartitionKey": "a", "Data": ""}, {"PartitionKey": "a", "Data": large}]);
    check(
        KINESIS,
        vec![(
            "PutRecords",
            json!({"StreamName": "abc", "Records": records}),
            "ValidationException",
            "1 validation error detected: Value at 'records.2.member.data' failed to satisfy constraint: Member must have \
             length less than or equal to 1048576",
        )],
    );
}
