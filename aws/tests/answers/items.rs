//! Requests about items that are wrong, in the words of the operation that finds it.

use super::common::{post, router};
use super::{Case, DYNAMO, VALIDATION, check};
use serde_json::{Value, json};

const COUNTED: &str = "1 validation error detected: ";
const INVALID: &str = "One or more parameter values were invalid: ";

fn of(operation: &'static str, request: Value, message: &'static str) -> Case {
    (operation, request, VALIDATION, message)
}

/// The same value in a request to write, one to read, and one of the older operations.
fn value_in_three(value: &Value, words: [&str; 3]) -> [Case; 3] {
    let leak = |text: &str| -> &'static str { text.to_owned().leak() };
    let item = json!({"a": {"S": "x"}, "b": value});
    let put = json!({"TableName": "abc", "Item": item});
    let get = json!({"TableName": "abc", "Key": {"a": value}});
    let write = json!({"RequestItems": {"abc": [{"PutRequest": {"Item": item}}]}});
    [
        of("PutItem", put, leak(&format!("{COUNTED}{}", words[0]))),
        of("GetItem", get, leak(words[1])),
        of("BatchWriteItem", write, leak(words[2])),
    ]
}

#[test]
fn values_are_refused_in_the_words_of_two_generations() {
    let no_number = "The parameter cannot be converted to a numeric value";
    let too_large =
        "Number overflow. Attempting to store a number with magnitude larger than supported range";
    let too_small =
        "Number underflow. Attempting to store a number with magnitude smaller than supported range";
    let alike = |value: Value, words: &str| value_in_three(&value, [words; 3]);
    let newer_and_older =
        |value: Value, newer: &str, older: &str| value_in_three(&value, [newer, newer, older]);
    let cases = [
        newer_and_older(json!({"N": ""}), &format!("{no_number}: "), no_number),
        alike(json!({"N": "b"}), &format!("{no_number}: b")),
        alike(json!({"N": "1e126"}), too_large),
        alike(json!({"N": "1e-131"}), too_small),
        alike(
            json!({"N": "123456789012345678901234567890123456789"}),
            "Attempting to store more than 38 significant digits in a Number",
        ),
        newer_and_older(
            json!({"SS": ["a", "b", "b"]}),
            &format!(r#"{INVALID}Input collection ["a", "b", "b"] contains duplicates."#),
            &format!("{INVALID}Input collection [a, b, b] contains duplicates."),
        ),
        newer_and_older(
            json!({"BS": ["AA==", "/w==", "AA=="]}),
            &format!(r#"{INVALID}Input collection ["AA==","/w==","AA=="]of type BS contains duplicates."#),
            &format!("{INVALID}Input collection [AA==, /w==, AA==]of type BS contains duplicates."),
        ),
        newer_and_older(
            json!({"NS": ["1", "1.0"]}),
            &format!("{INVALID}Input collection contains duplicates."),
            "Input collection contains duplicates",
        ),
        alike(
            json!({"NULL": false}),
            &format!("{INVALID}Null attribute value types must have the value of true"),
        ),
        alike(json!({"SS": []}), &format!("{INVALID}An string set  may not be empty")),
    ];
    check(DYNAMO, cases.into_iter().flatten().collect());
}

#[test]
fn members_of_the_model_are_refused_by_the_newer_checks_first() {
    let item = json!({"a": {"S": "x"}});
    check(
        DYNAMO,
        vec![
            of(
                "PutItem",
                json!({"TableName": "", "Item": item}),
                "1 validation error detected: Value at 'TableName' failed to satisfy constraint: Member must have \
                 length greater than or equal to 1",
            ),
            of(
                "PutItem",
                json!({"TableName": ""}),
                "2 validation errors detected: Value '' at 'tableName' failed to satisfy constraint: Member must have \
                 length greater than or equal to 1; Value null at 'item' failed to satisfy constraint: Member must not \
                 be null",
            ),
            of(
                "PutItem",
                json!({"TableName": "abc", "Item": item, "ReturnValues": "ALL"}),
                "1 validation error detected: Failed to satisfy constraint: Member must satisfy enum value set: \
                 [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]",
            ),
            of(
                "DeleteItem",
                json!({"TableName": "abc", "Key": item, "ConditionalOperator": "NOT"}),
                "1 validation error detected: Failed to satisfy constraint: Member must satisfy enum value set: \
                 [ALL, OR]",
            ),
            of(
                "PutItem",
                json!({"TableName": "abc", "Item": item, "ReturnValues": "UPDATED_NEW"}),
                "1 validation error detected: ReturnValues can only be ALL_OLD or NONE",
            ),
            of(
                "Query",
                json!({"TableName": "abc", "Limit": 0}),
                "1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value \
                 greater than or equal to 1",
            ),
            of(
                "Scan",
                json!({"TableName": "abc", "Limit": 0}),
                "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have \
                 value greater than or equal to 1",
            ),
            of(
                "BatchGetItem",
                json!({"RequestItems": {}}),
                "1 validation error detected: Value at 'RequestItems' failed to satisfy constraint: Member must have \
                 length greater than or equal to 1",
            ),
            of(
                "BatchGetItem",
                json!({"RequestItems": {"abc": {"Keys": []}}}),
                "1 validation error detected: Value at 'RequestItems.abc.member.Keys' failed to satisfy constraint: \
                 Member must have length greater than or equal to 1",
            ),
            of(
                "BatchGetItem",
                json!({"RequestItems": {"b!": {"Keys": [item]}}}),
                "1 validation error detected: Value '{\"b!\":{\"Keys\":[{\"a\":{\"S\":\"x\"}}]}}' at 'requestItems' \
                 failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or \
                 equal to 255, Member must have length greater than or equal to 3, Member must satisfy regular \
                 expression pattern: [a-zA-Z0-9_.-]+]",
            ),
            of(
                "BatchWriteItem",
                json!({"RequestItems": {"ab": [{"PutRequest": {"Item": item}}]}}),
                "1 validation error detected: Value '{ab=[WriteRequest(putRequest=PutRequest(item={a=AttributeValue(s=x\
                 )}))]}' at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: [Member \
                 must have length less than or equal to 255, Member must have length greater than or equal to 3, \
                 Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]",
            ),
            of(
                "BatchWriteItem",
                json!({"RequestItems": {"ab": [{"PutRequest": {"Item": item}}]}, "ReturnConsumedCapacity": "x"}),
                "1 validation error detected: Value 'x' at 'returnConsumedCapacity' failed to satisfy constraint: \
                 Member must satisfy enum value set: [INDEXES, TOTAL, NONE]",
            ),
            of(
                "CreateTable",
                json!({"TableName": "ab", "AttributeDefinitions": [], "KeySchema":
                    [{"AttributeName": "a", "KeyType": "HASH"}]}),
                "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: Member must have \
                 length greater than or equal to 3",
            ),
        ],
    );
}

#[test]
fn conditions_on_keys_and_starting_keys() {
    let keys = |condition: &str, values: Value| json!({"TableName": "abc", "KeyConditionExpression": condition, "ExpressionAttributeValues": values});
    let from = |key: Value| {
        let mut request = keys("a = :a", json!({":a": {"S": "x"}}));
        request["ExclusiveStartKey"] = key;
        request
    };
    let x = json!({":a": {"S": "x"}});
    check(
        DYNAMO,
        vec![
            of(
                "Query",
                json!({"TableName": "abc"}),
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
            ),
            of("Query", keys("b = :a", x.clone()), "Query condition missed key schema element: a"),
            of("Query", keys("a > :a", x.clone()), "Query key condition not supported"),
            of(
                "Query",
                keys("a = :a", json!({":a": {"N": "1"}})),
                "One or more parameter values were invalid: Condition parameter type does not match schema type",
            ),
            of(
                "Query",
                keys("a = :a OR a = :a", x.clone()),
                "Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: OR",
            ),
            of(
                "Query",
                keys("a = :a AND a = :a", x.clone()),
                "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
            ),
            of(
                "Query",
                keys("a.b = :a", x),
                "Invalid KeyConditionExpression: KeyConditionExpressions cannot have conditions on nested attributes",
            ),
            of("Query", from(json!({"b": {"S": "x"}})), "The provided starting key is invalid"),
            of(
                "Query",
                from(json!({"a": {"S": "x"}})),
                "The query can return at most one row and cannot be restarted",
            ),
            of(
                "Scan",
                json!({"TableName": "abc", "ExclusiveStartKey": {"b": {"S": "x"}}}),
                "The provided starting key is invalid: The provided key element does not match the schema",
            ),
            of(
                "Scan",
                json!({"TableName": "abc", "Segment": 1}),
                "The TotalSegments parameter is required but was not present in the request when Segment parameter is \
                 present",
            ),
            of(
                "Scan",
                json!({"TableName": "abc", "TotalSegments": 1, "Segment": 1}),
                "The Segment parameter is zero-based and must be less than parameter TotalSegments",
            ),
            of(
                "Scan",
                json!({"TableName": "abc", "Select": "ALL_PROJECTED_ATTRIBUTES"}),
                "1 validation error detected: ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
            ),
            of(
                "Scan",
                json!({"TableName": "abc", "Select": "COUNT", "ProjectionExpression": "a"}),
                "1 validation error detected: Cannot specify the ProjectionExpression when choosing to get only the Count",
            ),
            of(
                "Scan",
                json!({"TableName": "abc", "Select": "SPECIFIC_ATTRIBUTES"}),
                "1 validation error detected: Must specify the AttributesToGet or ProjectionExpression when choosing to \
                 get SPECIFIC_ATTRIBUTES",
            ),
        ],
    );
}

#[test]
fn updates_batches_and_transactions() {
    let key = json!({"a": {"S": "x"}});
    let update = |expression: &str, values: Value| json!({"TableName": "abc", "Key": key, "UpdateExpression": expression, "ExpressionAttributeValues": values});
    let get = |more: Value| {
        let mut keys = json!({"Keys": [key, key]});
        keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"RequestItems": {"nope": keys}})
    };
    let put = |table: &str, item: &Value| json!({"Put": {"TableName": table, "Item": item}});
    check(
        DYNAMO,
        vec![
            of(
                "UpdateItem",
                update("SET a = :b", json!({":b": {"S": "x"}})),
                "One or more parameter values were invalid: Cannot update attribute a. \
                 This attribute is part of the key",
            ),
            of(
                "UpdateItem",
                update("SET b = :b", json!({":c": {"S": "x"}})),
                "1 validation error detected: Invalid UpdateExpression: An expression attribute value used in \
                 expression is not defined; attribute value: :b",
            ),
            of("BatchGetItem", get(json!({})), "Provided list of item keys contains duplicates"),
            of(
                "BatchWriteItem",
                json!({"RequestItems": {"abc": [{"PutRequest": {"Item": {"b": {"S": "x"}}}}]}}),
                "The provided key element does not match the schema",
            ),
            of(
                "TransactWriteItems",
                json!({"TransactItems": [put("abc", &key), put("abc", &key)]}),
                "Transaction request cannot include multiple operations on one item",
            ),
            of(
                "TransactWriteItems",
                json!({"TransactItems": [{}]}),
                "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request",
            ),
        ],
    );
}

#[test]
fn keys_of_a_batch_are_compared_as_they_are_written() {
    let (router, _) = router();
    let call = |operation: &str, request: Value| -> Value {
        let target = format!("{DYNAMO}.{operation}");
        serde_json::from_str(&post(&router, &target, &request.to_string()).1).unwrap()
    };
    let key = json!([{"AttributeName": "n", "KeyType": "HASH"}]);
    call(
        "CreateTable",
        json!({"TableName": "abc", "BillingMode": "PAY_PER_REQUEST", "KeySchema": key,
            "AttributeDefinitions": [{"AttributeName": "n", "AttributeType": "N"}]}),
    );
    let warm = json!({"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"});
    assert_eq!(call("DescribeTable", json!({"TableName": "abc"}))["Table"]["WarmThroughput"], warm);
    call("PutItem", json!({"TableName": "abc", "Item": {"n": {"N": "1000"}}}));
    let get = |keys: [&str; 2]| {
        let keys: Vec<Value> = keys.iter().map(|n| json!({"n": {"N": n}})).collect();
        call("BatchGetItem", json!({"RequestItems": {"abc": {"Keys": keys}}}))
    };
    assert_eq!(get(["1000", "1000"])["message"], "Provided list of item keys contains duplicates");
    let item = json!({"n": {"N": "1000"}});
    assert_eq!(get(["1000", "1e3"])["Responses"]["abc"], json!([item, item]));
}
