//! Requests that are deeper than items may be, and wrong in another way too: which of both is said, and how.

use super::{Case, DYNAMO, VALIDATION, check};
use serde_json::{Value, json};

const NESTED: &str = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond \
    supported limit";
const NESTED_COUNTED: &str = "1 validation error detected: Nesting Levels have exceeded supported limits: Attributes in \
    the item have nested levels beyond supported limit";

fn of(operation: &'static str, request: Value, message: &'static str) -> Case {
    (operation, request, VALIDATION, message)
}

/// A text in so many maps.
fn deep(levels: usize) -> Value {
    (0..levels).fold(json!({"S": "x"}), |inner, _| json!({"M": {"m": inner}}))
}

/// A write of one item in a table that is not there, with these members besides.
fn write(more: &Value) -> Value {
    let mut request = json!({"TableName": "nope", "Key": {"a": {"S": "x"}}, "Item": {"a": {"S": "x"}}});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

#[test]
fn the_older_checks_have_what_the_newer_ones_do_not_read() {
    let operators = "1 validation error detected: Value 'XOR' at 'conditionalOperator' failed to satisfy constraint: Member \
        must satisfy enum value set: [OR, AND]";
    let newer_operators = "1 validation error detected: Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]";
    let returns = "1 validation error detected: Value 'ALL' at 'returnValues' failed to satisfy constraint: Member must \
        satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]";
    let newer_returns = "1 validation error detected: Failed to satisfy constraint: Member must satisfy enum value set: \
        [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]";
    let expected = |levels: usize| {
        write(
            &json!({"Expected": {"b": {"Value": deep(levels)}, "c": {"Exists": false}}, "ConditionalOperator": "XOR"}),
        )
    };
    let condition = |levels: usize, values: &str| {
        write(
            &json!({"ConditionExpression": "b = :b", "ExpressionAttributeValues": {":b": deep(levels)}, "ReturnValues": values}),
        )
    };
    let item = |levels: usize| {
        let mut request = write(&json!({}));
        request["Item"]["b"] = deep(levels);
        request
    };
    check(
        DYNAMO,
        vec![
            of("PutItem", expected(40), newer_operators),
            of("PutItem", expected(100), operators),
            of("UpdateItem", expected(100), operators),
            of("DeleteItem", condition(62, "ALL"), newer_returns),
            of("DeleteItem", condition(63, "ALL"), returns),
            of(
                "DeleteItem",
                condition(62, "UPDATED_NEW"),
                "1 validation error detected: ReturnValues can only be ALL_OLD or NONE",
            ),
            of("DeleteItem", condition(100, "UPDATED_NEW"), "ReturnValues can only be ALL_OLD or NONE"),
            of("PutItem", item(40), NESTED_COUNTED),
            of("PutItem", item(100), NESTED),
        ],
    );
}

#[test]
fn the_first_action_of_a_transaction_that_is_wrong_is_told() {
    let put = |member: &str, value: &Value| {
        let mut put = json!({"Put": {"TableName": "nope", "Item": {"a": {"S": "x"}}}});
        put["Put"]["Item"][member] = value.clone();
        put
    };
    let delete = |levels: usize| json!({"Delete": {"TableName": "nope", "Key": {"a": deep(levels)}}});
    let unnamed = put("", &json!({"S": "y"}));
    let mut syntax = put("b", &json!({"S": "y"}));
    syntax["Put"]["ConditionExpression"] = json!("b = = c");
    let of = |actions: &[&Value], message: &'static str| {
        of("TransactWriteItems", json!({"TransactItems": actions}), message)
    };
    check(
        DYNAMO,
        vec![
            of(&[&put("b", &deep(40)), &unnamed], NESTED),
            of(&[&unnamed, &put("b", &deep(100))], "Empty attribute name"),
            of(&[&delete(100), &syntax], NESTED),
            of(
                &[&syntax, &delete(100)],
                "Invalid ConditionExpression: Syntax error; token: \"=\", near: \"= = c\"",
            ),
        ],
    );
}

#[test]
fn members_are_told_in_the_order_of_the_model() {
    let token = "x".repeat(37);
    let put = json!([{"Put": {"TableName": "abc", "Item": {"a": {"S": "x"}}}}]);
    check(
        DYNAMO,
        vec![
            of(
                "TransactWriteItems",
                json!({"TransactItems": put, "ClientRequestToken": token, "ReturnConsumedCapacity": "x"}),
                "2 validation errors detected: Value 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' at 'clientRequestToken' \
                 failed to satisfy constraint: Member must have length less than or equal to 36; Value 'x' at \
                 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: [INDEXES, \
                 TOTAL, NONE]",
            ),
            of(
                "UpdateItem",
                json!({"TableName": "", "ReturnValues": "ALL", "UpdateExpression": "REMOVE b"}),
                "3 validation errors detected: Value '' at 'tableName' failed to satisfy constraint: Member must have \
                 length greater than or equal to 1; Value 'ALL' at 'returnValues' failed to satisfy constraint: Member \
                 must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]; Value null at 'key' \
                 failed to satisfy constraint: Member must not be null",
            ),
            of(
                "UpdateItem",
                json!({"TableName": "abc", "ConditionalOperator": "XOR"}),
                "2 validation errors detected: Value 'XOR' at 'conditionalOperator' failed to satisfy constraint: Member \
                 must satisfy enum value set: [OR, AND]; Value null at 'key' failed to satisfy constraint: Member must \
                 not be null",
            ),
        ],
    );
}
