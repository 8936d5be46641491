//! What each service answers to requests that are wrong in their form: exact types and texts, one table for each service.
#![expect(clippy::unwrap_used, reason = "a test fails where it is wrong")]

mod common;

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
    for (operation, request, kind, message) in cases {
        let target = format!("{service}.{operation}");
        let content_type =
            if service == KINESIS { "application/x-amz-json-1.1" } else { "application/x-amz-json-1.0" };
        let (status, body) = post_as(&router, content_type, &target, &request);
        let answer: Value = serde_json::from_str(&body).unwrap();
        let told = answer.get("message").or_else(|| answer.get("Message")).and_then(Value::as_str);
        assert_eq!(
            (status, answer["__type"].as_str().unwrap(), told.unwrap_or_default()),
            (400, kind, message),
            "{operation} {request}"
        );
    }
}

#[test]
fn values_of_wrong_types_are_refused_before_anything_else() {
    let cast = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class \
                java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class \
                are in module java.base of loader 'bootstrap')";
    let of = |operation: &'static str, request: Value, message: &'static str| -> Case {
        (operation, request, SERIALIZATION, message)
    };
    check(
        DYNAMO,
        vec![
            of("GetItem", json!({"TableName": true}), "TRUE_VALUE cannot be converted to String"),
            of("GetItem", json!({"TableName": 23}), "NUMBER_VALUE cannot be converted to String"),
            of("GetItem", json!({"TableName": 34.56}), "DECIMAL_VALUE cannot be converted to String"),
            of("GetItem", json!({"TableName": []}), "Unrecognized collection type class java.lang.String"),
            of("GetItem", json!({"TableName": {}}), "Start of structure or map found where not expected"),
            of("GetItem", json!({"ConsistentRead": "23"}), "Unexpected token received from parser"),
            of("GetItem", json!({"ConsistentRead": 23}), "NUMBER_VALUE cannot be converted to Boolean"),
            of(
                "GetItem",
                json!({"ConsistentRead": []}),
                "Unrecognized collection type class java.lang.Boolean",
            ),
            of("GetItem", json!({"AttributesToGet": "23"}), "Unexpected field type"),
            of(
                "GetItem",
                json!({"AttributesToGet": {}}),
                "Start of structure or map found where not expected",
            ),
            of("GetItem", json!({"Key": 23}), "Unexpected field type"),
            of(
                "GetItem",
                json!({"Key": []}),
                "Unrecognized collection type java.util.Map<java.lang.String, \
                 com.amazonaws.dynamodb.v20120810.AttributeValue>",
            ),
            of("GetItem", json!({"Key": {"a": 23}}), "Unexpected value type in payload"),
            of(
                "GetItem",
                json!({"Key": {"a": []}}),
                "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
            ),
            of("GetItem", json!({"Key": {"a": {"S": 1}}}), "NUMBER_VALUE cannot be converted to String"),
            of(
                "GetItem",
                json!({"Key": {"a": {"B": 1}}}),
                "only base-64-encoded strings are convertible to bytes",
            ),
            of(
                "GetItem",
                json!({"Key": {"a": {"B": "23456"}}}),
                "Base64 encoded length is expected a multiple of 4 bytes but found: 5",
            ),
            of(
                "GetItem",
                json!({"Key": {"a": {"B": "=+/="}}}),
                "Invalid last non-pad Base64 character dectected",
            ),
            of(
                "GetItem",
                json!({"Key": {"a": {"B": "+/+="}}}),
                "Invalid last non-pad Base64 character dectected",
            ),
            of(
                "GetItem",
                json!({"Key": {"a": {"L": [{"BS": [{}]}]}}}),
                "Start of structure or map found where not expected",
            ),
            of(
                "GetItem",
                json!({"Key": {"a": {"M": {"b": []}}}}),
                "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
            ),
            of(
                "GetItem",
                json!({"ExpressionAttributeNames": []}),
                "Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>",
            ),
            of(
                "BatchWriteItem",
                json!({"RequestItems": []}),
                "Unrecognized collection type java.util.Map<java.lang.String, \
                 java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>>",
            ),
            of("BatchWriteItem", json!({"RequestItems": {"a": "x"}}), cast),
            of("BatchWriteItem", json!({"RequestItems": {"a": [7]}}), "Unexpected value type in payload"),
            of(
                "BatchWriteItem",
                json!({"RequestItems": {"a": [{"PutRequest": []}]}}),
                "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.PutRequest",
            ),
            of("BatchGetItem", json!({"RequestItems": {"a": {"Keys": [7]}}}), cast),
            of(
                "CreateTable",
                json!({"ProvisionedThroughput": {"ReadCapacityUnits": "1"}}),
                "STRING_VALUE cannot be converted to Long",
            ),
            of(
                "CreateTable",
                json!({"ProvisionedThroughput": []}),
                "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.ProvisionedThroughput",
            ),
            of("Query", json!({"Limit": "1"}), "STRING_VALUE cannot be converted to Integer"),
            of("TagResource", json!({"Tags": [7]}), "Unexpected value type in payload"),
        ],
    );
}

#[test]
fn constraints_of_the_model_are_reported_at_once() {
    let of = |operation: &'static str, request: Value, message: &'static str| -> Case {
        (operation, request, VALIDATION, message)
    };
    check(
        DYNAMO,
        vec![
            of(
                "GetItem",
                json!({}),
                "2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not \
                 be null; Value null at 'key' failed to satisfy constraint: Member must not be null",
            ),
            of(
                "GetItem",
                json!({"TableName": "a;", "Key": {}}),
                "2 validation errors detected: Value 'a;' at 'tableName' failed to satisfy constraint: Member must \
                 satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value 'a;' at 'tableName' failed to satisfy \
                 constraint: Member must have length greater than or equal to 3",
            ),
            of(
                "GetItem",
                json!({"TableName": "abc;", "ReturnConsumedCapacity": "hi", "AttributesToGet": []}),
                "4 validation errors detected: Value 'hi' at 'returnConsumedCapacity' failed to satisfy constraint: \
                 Member must satisfy enum value set: [INDEXES, TOTAL, NONE]; Value '[]' at 'attributesToGet' failed to \
                 satisfy constraint: Member must have length greater than or equal to 1; Value 'abc;' at 'tableName' \
                 failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value \
                 null at 'key' failed to satisfy constraint: Member must not be null",
            ),
            of(
                "Query",
                json!({"TableName": "abc", "Limit": -1, "QueryFilter": {"a": {}, "b": {"ComparisonOperator": ""}}}),
                "3 validation errors detected: Value '-1' at 'limit' failed to satisfy constraint: Member must have \
                 value greater than or equal to 1; Value null at 'queryFilter.a.member.comparisonOperator' failed to \
                 satisfy constraint: Member must not be null; Value '' at 'queryFilter.b.member.comparisonOperator' \
                 failed to satisfy constraint: Member must satisfy enum value set: [IN, NULL, BETWEEN, LT, \
                 NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]",
            ),
            of(
                "BatchWriteItem",
                json!({"RequestItems": {}}),
                "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must \
                 have length greater than or equal to 1",
            ),
            of(
                "BatchWriteItem",
                json!({"RequestItems": {"a": []}}),
                "2 validation errors detected: Value '{a=[]}' at 'requestItems' failed to satisfy constraint: Map keys \
                 must satisfy constraint: [Member must have length less than or equal to 255, Member must have length \
                 greater than or equal to 3, Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]; Value \
                 '{a=[]}' at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [Member \
                 must have length less than or equal to 25, Member must have length greater than or equal to 1]",
            ),
            of(
                "BatchWriteItem",
                json!({"RequestItems": {"abc": [{"PutRequest": {}, "DeleteRequest": {}}]}}),
                "2 validation errors detected: Value null at 'requestItems.abc.member.1.member.deleteRequest.key' \
                 failed to satisfy constraint: Member must not be null; Value null at \
                 'requestItems.abc.member.1.member.putRequest.item' failed to satisfy constraint: Member must not be \
                 null",
            ),
            of(
                "CreateTable",
                json!({}),
                "The parameter 'TableName' is required but was not present in the request",
            ),
            of(
                "DescribeTable",
                json!({"TableName": "a;"}),
                "TableName must be at least 3 characters long and at most 255 characters long",
            ),
            of(
                "CreateTable",
                json!({"TableName": "abc;", "AttributeDefinitions": [{}],
                    "KeySchema": [{"KeyType": "Woop", "AttributeName": "a"}],
                    "ProvisionedThroughput": {"ReadCapacityUnits": -1, "WriteCapacityUnits": 1}}),
                "5 validation errors detected: Value null at 'attributeDefinitions.1.member.attributeName' failed to \
                 satisfy constraint: Member must not be null; Value null at \
                 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member must not be null; \
                 Value 'abc;' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression \
                 pattern: [a-zA-Z0-9_.-]+; Value '-1' at 'provisionedThroughput.readCapacityUnits' failed to satisfy \
                 constraint: Member must have value greater than or equal to 1; Value 'Woop' at \
                 'keySchema.1.member.keyType' failed to satisfy constraint: Member must satisfy enum value set: [HASH, \
                 RANGE]",
            ),
            of(
                "ListTables",
                json!({"Limit": 101}),
                "1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: Member must have \
                 value less than or equal to 100",
            ),
        ],
    );
}

#[test]
fn what_a_request_says_is_checked_in_the_order_of_the_service() {
    let empty = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
    let of = |operation: &'static str, request: Value, message: &'static str| -> Case {
        (operation, request, VALIDATION, message)
    };
    check(
        DYNAMO,
        vec![
            of(
                "GetItem",
                json!({"TableName": "abc", "Key": {"a": {}}, "AttributesToGet": ["a"], "ExpressionAttributeNames": {},
                    "ProjectionExpression": ""}),
                "Can not use both expression and non-expression parameters in the same request: Non-expression \
                 parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}",
            ),
            of(
                "GetItem",
                json!({"TableName": "abc", "Key": {"a": {}}, "ExpressionAttributeNames": {}}),
                "ExpressionAttributeNames can only be specified when using expressions",
            ),
            of("GetItem", json!({"TableName": "nope", "Key": {"a": {}}}), empty),
            of("GetItem", json!({"TableName": "nope", "Key": {"a": {"L": [{"a": {}}]}}}), empty),
            of(
                "GetItem",
                json!({"TableName": "abc", "Key": {"a": {"S": "a", "N": "b"}}}),
                "The parameter cannot be converted to a numeric value: b",
            ),
            of(
                "GetItem",
                json!({"TableName": "abc", "Key": {"a": {"S": "a", "N": "1"}}}),
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported \
                 datatypes",
            ),
            of(
                "GetItem",
                json!({"TableName": "abc", "Key": {"a": {"NULL": "no"}}}),
                "One or more parameter values were invalid: Null attribute value types must have the value of true",
            ),
            of(
                "GetItem",
                json!({"TableName": "abc", "Key": {}, "ExpressionAttributeNames": {}, "ProjectionExpression": ""}),
                "ExpressionAttributeNames must not be empty",
            ),
            of(
                "GetItem",
                json!({"TableName": "abc", "Key": {}, "ProjectionExpression": "abort,"}),
                "Invalid ProjectionExpression: Syntax error; token: \"<EOF>\", near: \",\"",
            ),
            of(
                "GetItem",
                json!({"TableName": "abc", "Key": {"b": {"S": "a"}}}),
                "The provided key element does not match the schema",
            ),
            of(
                "UpdateItem",
                json!({"TableName": "abc", "Key": {"a": {}}, "Expected": {"a": {}}, "AttributeUpdates": {},
                    "UpdateExpression": "", "ConditionExpression": ""}),
                "1 validation error detected: Can not use both expression and non-expression parameters in the same \
                 request: Non-expression parameters: {AttributeUpdates, Expected} Expression parameters: \
                 {UpdateExpression, ConditionExpression}",
            ),
            of(
                "UpdateItem",
                json!({"TableName": "abc", "Key": {"a": {}}, "ExpressionAttributeValues": {}}),
                "1 validation error detected: ExpressionAttributeValues can only be specified when using expressions: \
                 UpdateExpression is null and ConditionExpression is null",
            ),
            of(
                "UpdateItem",
                json!({"TableName": "abc", "Key": {}, "UpdateExpression": "", "ExpressionAttributeValues":
                    {":b": {"a": ""}, "b": {"S": "a"}}}),
                "1 validation error detected: ExpressionAttributeValues contains invalid key: Syntax error; key: \"b\"",
            ),
            of(
                "UpdateItem",
                json!({"TableName": "abc", "Key": {}, "UpdateExpression": "",
                    "ExpressionAttributeValues": {":b": {"SS": []}}}),
                "1 validation error detected: ExpressionAttributeValues contains invalid value: One or more parameter \
                 values were invalid: An string set  may not be empty for key :b",
            ),
            of(
                "UpdateItem",
                json!({"TableName": "abc", "Key": {"a": {"S": "x"}}, "UpdateExpression": "SET b = :b",
                    "ExpressionAttributeValues": {":b": {"NULL": false}}}),
                "1 validation error detected: One or more parameter values were invalid: Null attribute value types \
                 must have the value of true",
            ),
            of(
                "UpdateItem",
                json!({"TableName": "abc", "Key": {}, "Expected": {"a": {}}}),
                "1 validation error detected: One or more parameter values were invalid: Value must be provided when \
                 Exists is null for Attribute: a",
            ),
            of(
                "UpdateItem",
                json!({"TableName": "abc", "Key": {}, "AttributeUpdates": {"a": {"Action": "ADD", "Value":
                    {"B": "Yg=="}}}}),
                "1 validation error detected: One or more parameter values were invalid: ADD action is not supported \
                 for the type B",
            ),
            of(
                "Query",
                json!({"TableName": "abc", "ExclusiveStartKey": {"a": {}}, "AttributesToGet": ["a", "a"],
                    "QueryFilter": {"a": {"ComparisonOperator": "EQ", "AttributeValueList": [{}]}},
                    "ExpressionAttributeValues": {}}),
                "ExpressionAttributeValues can only be specified when using expressions: FilterExpression and \
                 KeyConditionExpression are null",
            ),
            of(
                "Query",
                json!({"TableName": "abc", "QueryFilter": {}, "ExclusiveStartKey": {"a": {}},
                    "AttributesToGet": ["a", "a"]}),
                "One or more parameter values were invalid: Duplicate value in attribute name: a",
            ),
            of(
                "Query",
                json!({"TableName": "abc", "ExclusiveStartKey": {"a": {}}, "KeyConditionExpression": ""}),
                "The provided starting key is invalid: Supplied AttributeValue is empty, must contain exactly one of \
                 the supported datatypes",
            ),
            of(
                "Query",
                json!({"TableName": "abc", "KeyConditionExpression": "a = "}),
                "Invalid KeyConditionExpression: Syntax error; token: \"<EOF>\", near: \"=\"",
            ),
            of(
                "BatchWriteItem",
                json!({"RequestItems": {"nope": [{}]}}),
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported \
                 datatypes",
            ),
            of("TagResource", json!({}), "Invalid TableArn"),
            of(
                "ListTagsOfResource",
                json!({"ResourceArn": "abc"}),
                "One or more parameter values were invalid: ARNs must start with 'arn:': abc",
            ),
            of(
                "UpdateTable",
                json!({"TableName": "abc"}),
                "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, \
                 GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, \
                 ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, \
                 WarmThroughput or TableClass is required",
            ),
            of(
                "UpdateTable",
                json!({"TableName": "abc", "GlobalSecondaryIndexUpdates": [{}]}),
                "One or more parameter values were invalid: One of GlobalSecondaryIndexUpdate.Update, \
                 GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null",
            ),
        ],
    );
}

#[test]
fn definitions_of_tables_that_cannot_be() {
    let of =
        |request: Value, message: &'static str| -> Case { ("CreateTable", request, VALIDATION, message) };
    let table = |attributes: &[&str], keys: &[(&str, &str)], more: Value| {
        let attributes: Vec<Value> =
            attributes.iter().map(|name| json!({"AttributeName": name, "AttributeType": "S"})).collect();
        let keys: Vec<Value> =
            keys.iter().map(|(name, kind)| json!({"AttributeName": name, "KeyType": kind})).collect();
        let mut table = json!({"TableName": "new", "AttributeDefinitions": attributes, "KeySchema": keys,
            "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}});
        for (name, value) in more.as_object().unwrap() {
            table[name] = value.clone();
        }
        table
    };
    check(
        DYNAMO,
        vec![
            of(
                table(&["a"], &[("a", "HASH")], json!({"ProvisionedThroughput": null})),
                "One or more parameter values were invalid: Missing required parameter in input: \
                 \"ProvisionedThroughput\"",
            ),
            of(
                table(
                    &["a"],
                    &[("a", "HASH")],
                    json!({"ProvisionedThroughput":
                    {"ReadCapacityUnits": 1_000_000_000_001_i64, "WriteCapacityUnits": 1_000_000_000_001_i64}}),
                ),
                "Given value 1000000000001 for ReadCapacityUnits is out of bounds",
            ),
            of(
                table(&["b"], &[("a", "HASH"), ("b", "RANGE")], json!({})),
                "Invalid KeySchema: Some index key attribute have no definition",
            ),
            of(
                table(&["a"], &[("a", "HASH"), ("a", "HASH")], json!({})),
                "Invalid KeySchema: Some index key attribute have no definition",
            ),
            of(
                table(&["b"], &[("a", "HASH")], json!({})),
                "One or more parameter values were invalid: Some index key attributes are not defined in \
                 AttributeDefinitions. Keys: [a], AttributeDefinitions: [b]",
            ),
            of(
                table(&["a", "b"], &[("a", "HASH"), ("a", "HASH")], json!({})),
                "Both the Hash Key and the Range Key element in the KeySchema have the same name",
            ),
            of(
                table(&["a", "b"], &[("a", "RANGE"), ("b", "RANGE")], json!({})),
                "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
            ),
            of(
                table(&["a", "b"], &[("a", "HASH"), ("b", "HASH")], json!({})),
                "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
            ),
            of(
                table(&["a", "b"], &[("a", "HASH")], json!({})),
                "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match \
                 number of attributes defined in AttributeDefinitions",
            ),
            of(
                table(&["a", "b"], &[("a", "HASH")], json!({"LocalSecondaryIndexes": []})),
                "One or more parameter values were invalid: List of LocalSecondaryIndexes is empty",
            ),
            of(
                table(&["a"], &[("a", "HASH")], json!({"StreamSpecification": {"StreamEnabled": true}})),
                "One or more parameter values were invalid: Table is being created with a stream enabled, \
                 UpdateViewType is required",
            ),
            of(
                table(&["a"], &[("a", "HASH")], json!({"Tags": [{"Key": "aws:x", "Value": ""}]})),
                "Tag Key cannot be prefixed with aws:, Key: aws:x",
            ),
        ],
    );
}

#[test]
fn kinesis_reports_what_breaks_its_model() {
    let serialization = |operation: &'static str, request: Value, message: &'static str| -> Case {
        (operation, request, "SerializationException", message)
    };
    let validation = |operation: &'static str, request: Value, message: &'static str| -> Case {
        (operation, request, "ValidationException", message)
    };
    check(
        KINESIS,
        vec![
            serialization("PutRecords", json!({"Records": true}), "Expected list or null"),
            serialization("PutRecords", json!({"Records": [1]}), "Expected null"),
            serialization("PutRecords", json!({"Records": [[]]}), "Start of list found where not expected"),
            serialization("AddTagsToStream", json!({"Tags": 1}), "Expected map or null"),
            serialization(
                "PutRecord",
                json!({"StreamName": 23}),
                "class java.math.BigDecimal can not be converted to an String",
            ),
            serialization(
                "PutRecord",
                json!({"Data": true}),
                "class java.lang.Boolean can not be converted to a Blob",
            ),
            serialization(
                "PutRecord",
                json!({"Data": "=+/="}),
                "'=+/=' can not be converted to a Blob: Invalid Base64 character: '='",
            ),
            serialization(
                "PutRecord",
                json!({"Data": "+/+="}),
                "'+/+=' can not be converted to a Blob: Invalid last non-pad Base64 character dectected",
            ),
            serialization(
                "ListStreams",
                json!({"Limit": "1"}),
                "class java.lang.String can not be converted to an Integer",
            ),
            validation(
                "PutRecords",
                json!({}),
                "2 validation errors detected: Value null at 'records' failed to satisfy constraint: Member must not \
                 be null; Value null at 'streamName' failed to satisfy constraint: Member must not be null",
            ),
            validation(
                "PutRecords",
                json!({"StreamName": "", "Records": [{"PartitionKey": "", "Data": "", "ExplicitHashKey": ""}]}),
                r"4 validation errors detected: Value '' at 'records.1.member.partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'records.1.member.explicitHashKey' failed to satisfy constraint: Member must satisfy regular expression pattern: 0|([1-9]\d{0,38}); Value '' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value '' at 'streamName' failed to satisfy constraint: Member must have length greater than or equal to 1",
            ),
            validation(
                "GetShardIterator",
                json!({"StreamName": "abc", "ShardId": "", "ShardIteratorType": "HELLO",
                    "StartingSequenceNumber": "01"}),
                r"4 validation errors detected: Value '' at 'shardId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value '' at 'shardId' failed to satisfy constraint: Member must have length greater than or equal to 1; Value 'HELLO' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]; Value '01' at 'startingSequenceNumber' failed to satisfy constraint: Member must satisfy regular expression pattern: 0|([1-9]\d{0,128})",
            ),
            validation(
                "AddTagsToStream",
                json!({"StreamName": "abc", "Tags": {"": "b"}}),
                "1 validation error detected: Value '{=b}' at 'tags' failed to satisfy constraint: Map keys must \
                 satisfy constraint: [Member must have length less than or equal to 128, Member must have length \
                 greater than or equal to 1]",
            ),
            validation(
                "RemoveTagsFromStream",
                json!({"StreamName": "abc", "TagKeys": ["", "a"]}),
                "1 validation error detected: Value '[, a]' at 'tagKeys' failed to satisfy constraint: Member must \
                 satisfy constraint: [Member must have length less than or equal to 128, Member must have length \
                 greater than or equal to 1]",
            ),
            validation(
                "GetRecords",
                json!({"ShardIterator": "", "Limit": 100_000}),
                "2 validation errors detected: Value '100000' at 'limit' failed to satisfy constraint: Member must have \
                 value less than or equal to 10000; Value '' at 'shardIterator' failed to satisfy constraint: Member \
                 must have length greater than or equal to 1",
            ),
        ],
    );
}

#[test]
fn ten_findings_are_enough() {
    let records: Vec<Value> = (0..501).map(|_| json!({"PartitionKey": "", "Data": ""})).collect();
    let (router, _) = router();
    let request = json!({"StreamName": "abc", "Records": records});
    let (_, body) = post_as(&router, "application/x-amz-json-1.1", "Kinesis_20131202.PutRecords", &request);
    assert!(body.contains(
        "10 validation errors detected: Value '[com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@"
    ));
    assert!(body.contains("records.9.member") && !body.contains("records.10.member"));
}

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
    assert_eq!(
        call("AddPermission", one).1["message"],
        "Value one for parameter Label is invalid. Reason: Already exists."
    );
    let two =
        json!({"QueueUrl": "jobs", "Label": "two", "AWSAccountIds": ["1", "2"], "Actions": ["*", "Nope"]});
    assert_eq!(
        call("AddPermission", two).1["message"],
        "Value SQS:Nope for parameter ActionName is invalid. Reason: Please refer to the appropriate WSDL for a list of \
         valid actions. "
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
        call("Action=AddPermission&QueueUrl=jobs&Label=l&AWSAccountId.1=1&ActionName.1=*")
            .contains("<AddPermissionResponse")
    );
}
