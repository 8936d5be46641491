//! Health, metrics, reset.

use crate::{get, post, router};
use fourfold::Store;
use fourfold_aws::Router;

#[test]
fn health_is_there_and_nothing_else_is_made_up() {
    let (router, _) = router();
    assert_eq!(get(&router, "GET", "/_fourfold/health"), (200, r#"{"status":"ok"}"#.to_owned()));
    assert_eq!(get(&router, "DELETE", "/_fourfold/health").0, 405);
    assert_eq!(get(&router, "GET", "/_fourfold/nope").0, 404);
}

#[test]
fn metrics_count_what_was_asked() {
    let (router, _) = router();
    post(&router, "AmazonSQS.CreateQueue", r#"{"QueueName":"jobs"}"#);
    post(&router, "AmazonSQS.GetQueueUrl", r#"{"QueueName":"nope"}"#);
    post(&router, "DynamoDB_20120810.ListTables", "{}");
    let (status, text) = get(&router, "GET", "/_fourfold/metrics");
    assert_eq!(status, 200);
    for line in [
        r#"fourfold_requests_total{service="sqs",operation="CreateQueue",status="200"} 1"#,
        r#"fourfold_requests_total{service="sqs",operation="GetQueueUrl",status="400"} 1"#,
        r#"fourfold_requests_total{service="dynamodb",operation="ListTables",status="200"} 1"#,
        r#"fourfold_request_seconds_count{service="dynamodb",operation="ListTables"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("health"), "paths of the endpoint itself are not counted");
}

#[test]
fn a_reset_drops_everything_where_that_was_allowed() {
    let (router, _) = router();
    assert_eq!(get(&router, "POST", "/_fourfold/reset").0, 409);
    let router = Router::new(Store::in_memory()).reset(Store::in_memory);
    post(&router, "AmazonSQS.CreateQueue", r#"{"QueueName":"jobs"}"#);
    post(&router, "Kinesis_20131202.CreateStream", r#"{"StreamName":"clicks","ShardCount":1}"#);
    assert_eq!(get(&router, "GET", "/_fourfold/reset").0, 405);
    assert_eq!(get(&router, "POST", "/_fourfold/reset"), (200, r#"{"status":"reset"}"#.to_owned()));
    assert_eq!(post(&router, "AmazonSQS.ListQueues", "{}"), (200, "{}".to_owned()));
    assert!(post(&router, "Kinesis_20131202.ListStreams", "{}").1.contains(r#""StreamNames":[]"#));
    let again = post(&router, "AmazonSQS.CreateQueue", r#"{"QueueName":"jobs"}"#);
    assert_eq!(again.0, 200, "not deleted just now: never there");
}
