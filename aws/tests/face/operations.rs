//! `docs/aws.md` names every operation of the services and says what becomes of it: what it says is so.

use crate::{now, router, text};
use bytes::Bytes;
use http::Request;
use std::collections::BTreeMap;

const PAGE: &str = include_str!("../../../docs/aws.md");

/// What stands below a heading, by operation.
fn operations(heading: &str) -> BTreeMap<&'static str, &'static str> {
    let section = PAGE.split("\n## ").find_map(|section| section.strip_prefix(heading)?.strip_prefix('\n'));
    let rows = section.unwrap().lines().filter_map(|line| {
        let (name, verdict) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((name, verdict.strip_suffix(" |")?))
    });
    rows.collect()
}

/// Is the operation refused as one that is not there?
fn is_refused(target: &str, name: &str) -> bool {
    let (router, _) = router();
    let request = Request::post("/").header("host", "fourfold.local");
    let request = if target == "STS" {
        let form = format!("Action={name}&Version=2011-06-15");
        request.header("content-type", "application/x-www-form-urlencoded").body(Bytes::from(form))
    } else {
        request.header("x-amz-target", format!("{target}.{name}")).body(Bytes::from_static(b"{}"))
    };
    let answer = now(router.call(request.unwrap()));
    let text = text(&answer);
    ["UnknownOperationException", "UnsupportedOperation", "InvalidAction"]
        .iter()
        .any(|code| text.contains(code))
}

/// The answer of S3 to a request as the page writes it, for a bucket that is not there.
fn asked_of_s3(request: &str) -> String {
    const SCOPE: &str =
        "AWS4-HMAC-SHA256 Credential=a/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    let (router, _) = router();
    let (method, path) = request.split_once(' ').unwrap();
    let path = path.replace("{Bucket}", "bucket").replace(['{', '}'], "");
    let request = Request::builder().method(method).uri(path).header("host", "fourfold.local");
    let request = request.header("authorization", SCOPE).header("x-amz-date", "20250101T000000Z");
    let request = request.header("x-amz-content-sha256", "UNSIGNED-PAYLOAD").header("content-length", "0");
    text(&now(router.call(request.body(Bytes::new()).unwrap()))).to_owned()
}

#[test]
fn the_page_says_of_every_operation_of_s3_what_becomes_of_it() {
    let codes =
        ["NotImplemented", "MethodNotAllowed", "InvalidRequest", "InvalidObjectState", "PreconditionFailed"];
    let operations = operations("S3");
    assert!(operations.len() >= 100, "{}", operations.len());
    for (name, row) in operations {
        let (request, verdict) = row.strip_prefix('`').unwrap().split_once("` | ").unwrap();
        let answer = asked_of_s3(request);
        let code = codes.into_iter().find(|code| answer.contains(&format!("<Code>{code}</Code>")));
        let is_refused = match verdict.strip_prefix("refused") {
            None => false,
            Some("") => code == Some("NotImplemented"),
            Some(named) => named.trim_matches([':', ' ', '`']) == code.unwrap_or_default(),
        };
        assert_eq!(is_refused, code.is_some(), "{name}: {verdict}: {answer}");
    }
}

#[test]
fn the_page_says_of_every_operation_what_becomes_of_it() {
    let services = [
        ("SQS", "AmazonSQS", 23),
        ("Kinesis", "Kinesis_20131202", 57),
        ("DynamoDB", "DynamoDB_20120810", 62),
        ("DynamoDB Streams", "DynamoDBStreams_20120810", 4),
        ("STS", "STS", 11),
    ];
    for (heading, target, count) in services {
        let operations = operations(heading);
        assert!(operations.len() >= count, "{heading}: {}", operations.len());
        for (name, verdict) in operations {
            let is_known =
                verdict == "same" || verdict.starts_with("differs: ") || verdict.starts_with("refused");
            assert!(is_known, "{heading} {name}: {verdict}");
            assert_eq!(
                verdict.starts_with("refused"),
                is_refused(target, name),
                "{heading} {name}: {verdict}"
            );
        }
    }
}
