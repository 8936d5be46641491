//! Requests that are wrong in their form: exact types and texts, one table for each service.

use super::common::{post_as, router};
use super::{Case, DYNAMO, KINESIS, SERIALIZATION, VALIDATION, check};
use serde_json::{Value, json};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
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
                "1 validation error detected: Value at 'RequestItems' failed to satisfy constraint: Member must have \
                 length greater than or equal to 1",
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
                "2 validation errors detected: Value 'a;' at 'tableName' failed to satisfy constraint: Member must \
                 satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value 'a;' at 'tableName' failed to satisfy \
                 constraint: Member must have length greater than or equal to 3",
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
#[expect(clippy::too_many_lines, reason = "a table of cases")]
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
                "1 validation error detected: ExpressionAttributeValues can only be specified when using expressions",
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
                "1 validation error detected: One or more parameter values were invalid: An string set  may not be empty",
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
                json!({"ResourceArn": "arn:aws:dynamodb:eu-west-9:000000000000:table/abc"}),
                "Invalid TableArn: Invalid ResourceArn provided as input \
                 arn:aws:dynamodb:eu-west-9:000000000000:table/abc",
            ),
            of(
                "DescribeTable",
                json!({"TableName": "arn:aws:dynamodb:eu-west-9:000000000000:table/abc"}),
                "1 validation error detected: Invalid AWS region in \
                 'arn:aws:dynamodb:eu-west-9:000000000000:table/abc'",
            ),
            of(
                "UpdateTable",
                json!({"TableName": "abc", "GlobalSecondaryIndexUpdates": [], "DeletionProtectionEnabled": true}),
                "One or more parameter values were invalid: List of GlobalSecondaryIndexUpdates is empty",
            ),
            of(
                "UpdateTable",
                json!({"TableName": "abc", "GlobalSecondaryIndexUpdates": [{
                    "Update": {"IndexName": "ghost", "WarmThroughput": {}},
                }]}),
                "One or more parameter values were invalid: WarmThroughput must have at least one of \
                 ReadUnitsPerSecond or WriteUnitsPerSecond specified for index: ghost",
            ),
            of(
                "UpdateTimeToLive",
                json!({"TableName": "abc", "TimeToLiveSpecification": {"AttributeName": "", "Enabled": true}}),
                "1 validation error detected: Value '' at 'timeToLiveSpecification.attributeName' failed to satisfy \
                 constraint: Member must have length greater than or equal to 1",
            ),
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
                "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be \
                 specified when BillingMode is PROVISIONED",
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
                "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String",
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
            serialization(
                "ListShards",
                json!({"StreamCreationTimestamp": "1"}),
                "class java.lang.String can not be converted to milliseconds since epoch",
            ),
            (
                "IncreaseStreamRetentionPeriod",
                json!({"StreamName": "abc", "RetentionPeriodHours": 100_000_000_000_i64}),
                "InvalidArgumentException",
                "Maximum allowed retention period is 8760 hours. Requested retention period (2147483647 hours) is too \
                 long.",
            ),
            validation(
                "ListStreams",
                json!({"Limit": 100_000_000_000_i64}),
                "1 validation error detected: Value '2147483647' at 'limit' failed to satisfy constraint: Member must \
                 have value less than or equal to 10000",
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
