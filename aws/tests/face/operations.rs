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
