//! Operations beside the main ones, and what all answers have in common.

use super::DYNAMO;
use super::common::{self, post, post_as, router};
use serde_json::{Value, json};

#[test]
fn permissions_are_statements_of_the_policy() {
    let (router, _) = router();
    post(&router, "AmazonSQS.CreateQueue", r#"{"QueueName":"jobs"}"#);
    let call = |operation: &str, request: Value| {
        let (status, body) = post(&router, &format!("AmazonSQS.{operation}"), &request.to_string());
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let policy = || {
        let (_, answer) =
            call("GetQueueAttributes", json!({"QueueUrl": "jobs", "AttributeNames": ["Policy"]}));
        answer["Attributes"]["Policy"].as_str().map(|text| serde_json::from_str::<Value>(text).unwrap())
    };
    let one = json!({"QueueUrl": "jobs", "Label": "one", "AWSAccountIds": ["111122223333"], "Actions": ["SendMessage"]});
    assert_eq!(call("AddPermission", one.clone()), (200, json!({})));
    let arn = "arn:aws:sqs:us-east-1:000000000000:jobs";
    assert_eq!(
        policy().unwrap(),
        json!({"Version": "2008-10-17", "Id": format!("{arn}/SQSDefaultPolicy"), "Statement": [{
            "Sid": "one", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "SQS:SendMessage", "Resource": arn}]})
    );
    assert_eq!(call("AddPermission", one), (200, json!({})), "the same again changes nothing");
    let other =
        json!({"QueueUrl": "jobs", "Label": "one", "AWSAccountIds": ["111122223333"], "Actions": ["*"]});
    assert_eq!(
        call("AddPermission", other).1["message"],
        "Value one for parameter Label is invalid. Reason: Already exists."
    );
    let two =
        json!({"QueueUrl": "jobs", "Label": "two", "AWSAccountIds": ["1", "2"], "Actions": ["*", "Nope"]});
    assert_eq!(
        call("AddPermission", two).1["message"],
        "Value SQS:Nope for parameter ActionName is invalid. Reason: Please refer to the appropriate WSDL for a list of \
         valid actions. "
    );
    let anybody =
        json!({"QueueUrl": "jobs", "Label": "two", "AWSAccountIds": ["111122223333", "*"], "Actions": ["*"]});
    assert_eq!(
        call("AddPermission", anybody).1["message"],
        "Value [*] for parameter PrincipalId is invalid. Reason: Unable to verify principal."
    );
    let none = json!({"QueueUrl": "jobs", "Label": "two", "AWSAccountIds": [], "Actions": ["*"]});
    assert_eq!(
        call("AddPermission", none).1["message"],
        "The request must contain the parameter PrincipalId."
    );
    assert_eq!(call("RemovePermission", json!({"QueueUrl": "jobs", "Label": "two"})).0, 400);
    assert_eq!(call("RemovePermission", json!({"QueueUrl": "jobs", "Label": "one"})), (200, json!({})));
    assert_eq!(policy(), None);
}

#[test]
fn a_dry_run_changes_nothing() {
    let (router, _) = router();
    let call = |operation: &str, request: Value| {
        let target = format!("Kinesis_20131202.{operation}");
        post_as(&router, "application/x-amz-json-1.1", &target, &request)
    };
    assert_eq!(call("CreateStream", json!({"StreamName": "s", "ShardCount": 1})).0, 200);
    let put = json!({"StreamName": "s", "PartitionKey": "k", "Data": "", "DryRun": true});
    assert!(call("PutRecord", put).1.contains(r#""__type":"DryRunOperationException""#));
    let missing = json!({"StreamName": "t", "PartitionKey": "k", "Data": "", "DryRun": true});
    assert!(call("PutRecord", missing).1.contains("ResourceNotFoundException"));
    let iterator =
        json!({"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"});
    let iterator: Value = serde_json::from_str(&call("GetShardIterator", iterator).1).unwrap();
    let records = call("GetRecords", iterator).1;
    assert!(records.starts_with(r#"{"Records":[],"#), "{records}");
}

#[test]
fn members_that_the_model_of_kinesis_reserves() {
    let (router, _) = router();
    let call = |operation: &str, request: Value| {
        let target = format!("Kinesis_20131202.{operation}");
        post_as(&router, "application/x-amz-json-1.1", &target, &request)
    };
    assert_eq!(call("CreateStream", json!({"StreamName": "s"})).0, 200);
    let id = "abcdefghij0123456789-abc";
    let (status, summary) = call("DescribeStreamSummary", json!({"StreamName": "s", "StreamId": id}));
    assert_eq!(status, 200, "it is taken, and says nothing");
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let summary = &summary["StreamDescriptionSummary"];
    assert_eq!(summary["StreamModeDetails"]["StreamMode"], "ON_DEMAND");
    assert_eq!(summary["OpenShardCount"], 4);
    let (status, refused) = call("DescribeStreamSummary", json!({"StreamName": "s", "StreamId": "x"}));
    assert_eq!(status, 400);
    assert!(refused.contains("[a-z0-9]{20}-[a-z0-9]{3}"), "{refused}");
    let warm = json!({"StreamName": "t", "WarmThroughputMiBps": 10});
    assert!(call("CreateStream", warm).1.contains("InvalidArgumentException"));
    let token = json!({"NextToken": "x", "ExclusiveStartShardId": "shardId-000000000000"});
    assert!(call("ListShards", token).1.contains("cannot be provided together"));
}

/// A table with a local index tells how large its partitions are, to batches and transactions too.
#[test]
fn sizes_of_partitions_are_told() {
    let (router, _) = router();
    let call = |operation: &str, request: Value| -> Value {
        let target = format!("{DYNAMO}.{operation}");
        serde_json::from_str(&post(&router, &target, &request.to_string()).1).unwrap()
    };
    let attributes: Vec<Value> =
        ["a", "b", "c"].iter().map(|name| json!({"AttributeName": name, "AttributeType": "S"})).collect();
    let keys = |second: &str| json!([{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": second, "KeyType": "RANGE"}]);
    call(
        "CreateTable",
        json!({"TableName": "abc", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes, "KeySchema": keys("b"), "LocalSecondaryIndexes": [
            {"IndexName": "by_c", "KeySchema": keys("c"), "Projection": {"ProjectionType": "ALL"}}]}),
    );
    let item = |b: &str| json!({"a": {"S": "x"}, "b": {"S": b}, "c": {"S": "z"}});
    let told = json!({"abc": [{"ItemCollectionKey": {"a": {"S": "x"}}, "SizeEstimateRangeGB": [0.0, 1.0]}]});
    let batch = json!({"ReturnItemCollectionMetrics": "SIZE", "RequestItems": {"abc": [
        {"PutRequest": {"Item": item("1")}}, {"PutRequest": {"Item": item("2")}}]}});
    assert_eq!(call("BatchWriteItem", batch)["ItemCollectionMetrics"], told);
    let transaction = json!({"ReturnItemCollectionMetrics": "SIZE", "TransactItems": [
        {"Put": {"TableName": "abc", "Item": item("3")}}]});
    assert_eq!(call("TransactWriteItems", transaction)["ItemCollectionMetrics"], told);
}

/// What is said to those who sign in a form that is none, and to browsers.
#[test]
fn signatures_and_origins() {
    let (router, _) = router();
    let call = |uri: &str, headers: &[(&str, &str)]| {
        let request = headers
            .iter()
            .fold(http::Request::post(uri), |request, (name, value)| request.header(*name, *value));
        let answer = common::now(router.call(request.body(bytes::Bytes::from_static(b"{}")).unwrap()));
        (answer.status().as_u16(), common::text(&answer).to_owned())
    };
    let target = ("x-amz-target", "DynamoDB_20120810.ListTables");
    let kind = ("content-type", "application/x-amz-json-1.0");
    assert_eq!(call("/", &[target, kind]).0, 200);
    let refused = |uri: &str, header: Option<(&str, &str)>| {
        let headers: Vec<_> = [target, kind].into_iter().chain(header).collect();
        let (status, body) = call(uri, &headers);
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, 400);
        answer["__type"].as_str().unwrap().trim_start_matches("com.amazon.coral.service#").to_owned()
            + ": "
            + answer["message"].as_str().unwrap()
    };
    assert_eq!(
        refused("/", Some(("authorization", "AWS4"))),
        "MissingAuthenticationTokenException: Request is missing Authentication Token"
    );
    assert_eq!(
        refused("/", Some(("authorization", "AWS4-"))),
        "IncompleteSignatureException: Authorization header requires 'Credential' parameter. Authorization header \
         requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header \
         requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-"
    );
    assert_eq!(
        refused("/?X-Amz-Algorithm", Some(("authorization", "X"))),
        "InvalidSignatureException: Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
         header."
    );
    assert_eq!(
        refused("/?X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Signature=c&X-Amz-Date=d", None),
        "IncompleteSignatureException: AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the \
         query-string parameters."
    );
    let unknown = r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;
    assert_eq!(call("/", &[("content-type", "application/json;charset=x")]), (400, unknown.to_owned()));
    assert_eq!(call("/", &[target, ("content-type", "text/plain")]).0, 404);
    let preflight =
        http::Request::options("/").header("origin", "o").header("access-control-request-method", "d");
    let answer = common::now(router.call(preflight.body(bytes::Bytes::new()).unwrap()));
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((answer.status().as_u16(), answer.body().len()), (200, 0));
    assert_eq!(header("access-control-allow-origin"), "*");
    assert_eq!(header("access-control-allow-methods"), "d");
    assert_eq!(header("access-control-max-age"), "172800");
}

/// Old clients look for the element of a result, also when there is nothing in it.
#[test]
fn answers_in_xml_have_their_elements() {
    let (router, _) = router();
    let call = |form: &'static str| {
        let request = http::Request::post("/").header("content-type", "application/x-www-form-urlencoded");
        let answer =
            common::now(router.call(request.body(bytes::Bytes::from_static(form.as_bytes())).unwrap()));
        common::text(&answer).to_owned()
    };
    assert!(call("Action=ListQueues&Version=2012-11-05").contains("<ListQueuesResult/><ResponseMetadata>"));
    assert!(call("Action=CreateQueue&QueueName=jobs").contains("<CreateQueueResult><QueueUrl>"));
    assert!(call("Action=ReceiveMessage&QueueUrl=jobs").contains("<ReceiveMessageResult/>"));
    assert!(!call("Action=PurgeQueue&QueueUrl=jobs").contains("Result"));
    assert!(
        call("Action=AddPermission&QueueUrl=jobs&Label=l&AWSAccountId.1=111111111111&ActionName.1=*")
            .contains("<AddPermissionResponse")
    );
}
