//! The shapes of requests about items, to tables and to their streams. Where the service is known to report
//! in another way than its model says (names of tables, lengths of batches), it is the service that is followed.

use super::dynamodb_tables as tables;
use super::{ANY, List, Map, NAME, Shape, TEXT, Text, list, map, may, must, structure, text, words};

/// The shape of the input of an operation.
pub(super) fn input(operation: &str) -> Option<&'static Shape> {
    Some(match operation {
        "PutItem" => &PUT_ITEM,
        "GetItem" => &GET_ITEM,
        "UpdateItem" => &UPDATE_ITEM,
        "DeleteItem" => &DELETE_ITEM,
        "Query" => &QUERY,
        "Scan" => &SCAN,
        "BatchGetItem" => &BATCH_GET_ITEM,
        "BatchWriteItem" => &BATCH_WRITE_ITEM,
        "TransactGetItems" => &TRANSACT_GET_ITEMS,
        "TransactWriteItems" => &TRANSACT_WRITE_ITEMS,
        "ListStreams" => &LIST_STREAMS,
        "DescribeStream" => &DESCRIBE_STREAM,
        "GetShardIterator" => &GET_SHARD_ITERATOR,
        "GetRecords" => &GET_RECORDS,
        other => return tables::input(other),
    })
}

pub(super) const TABLE_NAME_RULES: Text =
    Text { min: 3, max: Some(255), pattern: Some(NAME), is_or_arn: true, ..ANY };
static TABLE_KEY_RULES: Text = TABLE_NAME_RULES;
pub(super) static TABLE_NAME: Shape = Shape::Text(TABLE_NAME_RULES);
pub(super) static INDEX_NAME: Shape = text(3, 255, Some(NAME));
pub(super) static CONDITIONAL_OPERATOR: Shape = words(&["OR", "AND"]);
static CAPACITY: Shape = words(&["INDEXES", "TOTAL", "NONE"]);
static METRICS: Shape = words(&["SIZE", "NONE"]);
static RETURN_VALUES: Shape = words(&["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"]);
static ON_FAILURE: Shape = words(&["ALL_OLD", "NONE"]);
static SELECT: Shape = words(&["SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"]);
static COMPARISON: Shape = words(&[
    "IN",
    "NULL",
    "BETWEEN",
    "LT",
    "NOT_CONTAINS",
    "EQ",
    "GT",
    "NOT_NULL",
    "NE",
    "LE",
    "BEGINS_WITH",
    "GE",
    "CONTAINS",
]);
static ACTION: Shape = words(&["ADD", "DELETE", "PUT"]);
static LIMIT: Shape = Shape::Int("Integer", 1, i64::MAX);

static BYTES: Shape = Shape::Blob(usize::MAX);
static TEXTS: Shape = list(&TEXT, 0, usize::MAX);
static BLOBS: Shape = list(&BYTES, 0, usize::MAX);
static VALUES: Shape = list(&VALUE, 0, usize::MAX);
static ITEM: Shape = map(&VALUE);
/// The value of an attribute, one member of which names its type.
static VALUE: Shape = structure(
    "AttributeValue",
    &[
        may("S", &TEXT),
        may("N", &TEXT),
        may("B", &BYTES),
        may("SS", &TEXTS),
        may("NS", &TEXTS),
        may("BS", &BLOBS),
        may("M", &ITEM),
        may("L", &VALUES),
        may("NULL", &Shape::Flag),
        may("BOOL", &Shape::Flag),
    ],
);
static NAMES: Shape = map(&TEXT);
static ATTRIBUTES_TO_GET: Shape = list(&TEXT, 1, 255);
static CONDITION: Shape =
    structure("Condition", &[may("AttributeValueList", &VALUES), must("ComparisonOperator", &COMPARISON)]);
static CONDITIONS: Shape = map(&CONDITION);
static EXPECTED: Shape = structure(
    "ExpectedAttributeValue",
    &[
        may("Value", &VALUE),
        may("Exists", &Shape::Flag),
        may("ComparisonOperator", &COMPARISON),
        may("AttributeValueList", &VALUES),
    ],
);
static ALL_EXPECTED: Shape = map(&EXPECTED);
static ATTRIBUTE_UPDATE: Shape =
    structure("AttributeValueUpdate", &[may("Value", &VALUE), may("Action", &ACTION)]);
static ATTRIBUTE_UPDATES: Shape = map(&ATTRIBUTE_UPDATE);

static PUT_ITEM: Shape = structure(
    "PutItemInput",
    &[
        may("ReturnConsumedCapacity", &CAPACITY),
        must("TableName", &TABLE_NAME),
        must("Item", &ITEM),
        may("ReturnValues", &RETURN_VALUES),
        may("ReturnItemCollectionMetrics", &METRICS),
        may("ConditionalOperator", &CONDITIONAL_OPERATOR),
        may("Expected", &ALL_EXPECTED),
        may("ConditionExpression", &TEXT),
        may("ExpressionAttributeNames", &NAMES),
        may("ExpressionAttributeValues", &ITEM),
        may("ReturnValuesOnConditionCheckFailure", &ON_FAILURE),
    ],
);
static GET_ITEM: Shape = structure(
    "GetItemInput",
    &[
        may("ReturnConsumedCapacity", &CAPACITY),
        may("AttributesToGet", &ATTRIBUTES_TO_GET),
        must("TableName", &TABLE_NAME),
        must("Key", &ITEM),
        may("ConsistentRead", &Shape::Flag),
        may("ProjectionExpression", &TEXT),
        may("ExpressionAttributeNames", &NAMES),
    ],
);
static UPDATE_ITEM: Shape = structure(
    "UpdateItemInput",
    &[
        may("ReturnConsumedCapacity", &CAPACITY),
        must("TableName", &TABLE_NAME),
        may("ReturnValues", &RETURN_VALUES),
        may("ReturnItemCollectionMetrics", &METRICS),
        may("ConditionalOperator", &CONDITIONAL_OPERATOR),
        must("Key", &ITEM),
        may("Expected", &ALL_EXPECTED),
        may("AttributeUpdates", &ATTRIBUTE_UPDATES),
        may("ConditionExpression", &TEXT),
        may("UpdateExpression", &TEXT),
        may("ExpressionAttributeNames", &NAMES),
        may("ExpressionAttributeValues", &ITEM),
        may("ReturnValuesOnConditionCheckFailure", &ON_FAILURE),
    ],
);
static DELETE_ITEM: Shape = structure(
    "DeleteItemInput",
    &[
        may("ReturnConsumedCapacity", &CAPACITY),
        must("TableName", &TABLE_NAME),
        must("Key", &ITEM),
        may("ReturnValues", &RETURN_VALUES),
        may("ReturnItemCollectionMetrics", &METRICS),
        may("ConditionalOperator", &CONDITIONAL_OPERATOR),
        may("Expected", &ALL_EXPECTED),
        may("ConditionExpression", &TEXT),
        may("ExpressionAttributeNames", &NAMES),
        may("ExpressionAttributeValues", &ITEM),
        may("ReturnValuesOnConditionCheckFailure", &ON_FAILURE),
    ],
);
static QUERY: Shape = structure(
    "QueryInput",
    &[
        may("Limit", &LIMIT),
        may("ExclusiveStartKey", &ITEM),
        may("ReturnConsumedCapacity", &CAPACITY),
        may("AttributesToGet", &ATTRIBUTES_TO_GET),
        may("QueryFilter", &CONDITIONS),
        may("Select", &SELECT),
        may("ConditionalOperator", &CONDITIONAL_OPERATOR),
        may("KeyConditions", &CONDITIONS),
        must("TableName", &TABLE_NAME),
        may("ConsistentRead", &Shape::Flag),
        may("IndexName", &INDEX_NAME),
        may("ScanIndexForward", &Shape::Flag),
        may("KeyConditionExpression", &TEXT),
        may("FilterExpression", &TEXT),
        may("ProjectionExpression", &TEXT),
        may("ExpressionAttributeValues", &ITEM),
        may("ExpressionAttributeNames", &NAMES),
    ],
);
static SCAN: Shape = structure(
    "ScanInput",
    &[
        may("Limit", &LIMIT),
        may("ExclusiveStartKey", &ITEM),
        may("ReturnConsumedCapacity", &CAPACITY),
        may("AttributesToGet", &ATTRIBUTES_TO_GET),
        may("ScanFilter", &CONDITIONS),
        may("Select", &SELECT),
        may("ConditionalOperator", &CONDITIONAL_OPERATOR),
        must("TableName", &TABLE_NAME),
        may("ConsistentRead", &Shape::Flag),
        may("IndexName", &INDEX_NAME),
        may("TotalSegments", &Shape::Int("Integer", 1, 1_000_000)),
        may("Segment", &Shape::Int("Integer", 0, 999_999)),
        may("FilterExpression", &TEXT),
        may("ProjectionExpression", &TEXT),
        may("ExpressionAttributeValues", &ITEM),
        may("ExpressionAttributeNames", &NAMES),
    ],
);

static KEYS: Shape = list(&ITEM, 1, 100);
static KEYS_AND_ATTRIBUTES: Shape = structure(
    "KeysAndAttributes",
    &[
        must("Keys", &KEYS),
        may("AttributesToGet", &ATTRIBUTES_TO_GET),
        may("ConsistentRead", &Shape::Flag),
        may("ProjectionExpression", &TEXT),
        may("ExpressionAttributeNames", &NAMES),
    ],
);
static GETS: Shape = Shape::Map(Map {
    min: 1,
    max: 100,
    value: &KEYS_AND_ATTRIBUTES,
    key: Some(&TABLE_KEY_RULES),
    value_len: None,
});
static BATCH_GET_ITEM: Shape =
    structure("BatchGetItemInput", &[may("ReturnConsumedCapacity", &CAPACITY), must("RequestItems", &GETS)]);
static PUT_REQUEST: Shape = structure("PutRequest", &[must("Item", &ITEM)]);
static DELETE_REQUEST: Shape = structure("DeleteRequest", &[must("Key", &ITEM)]);
static WRITE_REQUEST: Shape =
    structure("WriteRequest", &[may("DeleteRequest", &DELETE_REQUEST), may("PutRequest", &PUT_REQUEST)]);
static WRITE_REQUESTS: Shape =
    Shape::List(List { min: 0, max: usize::MAX, item: &WRITE_REQUEST, item_len: None });
static WRITES: Shape = Shape::Map(Map {
    min: 1,
    max: 25,
    value: &WRITE_REQUESTS,
    key: Some(&TABLE_KEY_RULES),
    value_len: Some((1, 25)),
});
static BATCH_WRITE_ITEM: Shape = structure(
    "BatchWriteItemInput",
    &[
        may("ReturnConsumedCapacity", &CAPACITY),
        may("ReturnItemCollectionMetrics", &METRICS),
        must("RequestItems", &WRITES),
    ],
);

static GET: Shape = structure(
    "Get",
    &[
        must("Key", &ITEM),
        must("TableName", &TABLE_NAME),
        may("ProjectionExpression", &TEXT),
        may("ExpressionAttributeNames", &NAMES),
    ],
);
static TRANSACT_GET: Shape = structure("TransactGetItem", &[must("Get", &GET)]);
static TRANSACT_GETS: Shape = list(&TRANSACT_GET, 1, 100);
static TRANSACT_GET_ITEMS: Shape = structure(
    "TransactGetItemsInput",
    &[may("ReturnConsumedCapacity", &CAPACITY), must("TransactItems", &TRANSACT_GETS)],
);
static CHECK: Shape = structure(
    "ConditionCheck",
    &[
        must("Key", &ITEM),
        must("TableName", &TABLE_NAME),
        must("ConditionExpression", &TEXT),
        may("ExpressionAttributeNames", &NAMES),
        may("ExpressionAttributeValues", &ITEM),
        may("ReturnValuesOnConditionCheckFailure", &ON_FAILURE),
    ],
);
static PUT: Shape = structure(
    "Put",
    &[
        must("Item", &ITEM),
        must("TableName", &TABLE_NAME),
        may("ConditionExpression", &TEXT),
        may("ExpressionAttributeNames", &NAMES),
        may("ExpressionAttributeValues", &ITEM),
        may("ReturnValuesOnConditionCheckFailure", &ON_FAILURE),
    ],
);
static DELETE: Shape = structure(
    "Delete",
    &[
        must("Key", &ITEM),
        must("TableName", &TABLE_NAME),
        may("ConditionExpression", &TEXT),
        may("ExpressionAttributeNames", &NAMES),
        may("ExpressionAttributeValues", &ITEM),
        may("ReturnValuesOnConditionCheckFailure", &ON_FAILURE),
    ],
);
static UPDATE: Shape = structure(
    "Update",
    &[
        must("Key", &ITEM),
        must("UpdateExpression", &TEXT),
        must("TableName", &TABLE_NAME),
        may("ConditionExpression", &TEXT),
        may("ExpressionAttributeNames", &NAMES),
        may("ExpressionAttributeValues", &ITEM),
        may("ReturnValuesOnConditionCheckFailure", &ON_FAILURE),
    ],
);
static TRANSACT_WRITE: Shape = structure(
    "TransactWriteItem",
    &[may("ConditionCheck", &CHECK), may("Put", &PUT), may("Delete", &DELETE), may("Update", &UPDATE)],
);
static TRANSACT_WRITES: Shape = list(&TRANSACT_WRITE, 1, 100);
static TOKEN: Shape = text(1, 36, None);
static TRANSACT_WRITE_ITEMS: Shape = structure(
    "TransactWriteItemsInput",
    &[
        may("ClientRequestToken", &TOKEN),
        may("ReturnConsumedCapacity", &CAPACITY),
        may("ReturnItemCollectionMetrics", &METRICS),
        must("TransactItems", &TRANSACT_WRITES),
    ],
);

static STREAM_ARN: Shape = text(37, 1024, None);
static SHARD_ID: Shape = text(28, 65, None);
static LIST_STREAMS: Shape = structure(
    "ListStreamsInput",
    &[may("ExclusiveStartStreamArn", &STREAM_ARN), may("Limit", &LIMIT), may("TableName", &TABLE_NAME)],
);
static SHARD_FILTER: Shape =
    structure("ShardFilter", &[may("Type", &words(&["CHILD_SHARDS"])), may("ShardId", &SHARD_ID)]);
static DESCRIBE_STREAM: Shape = structure(
    "DescribeStreamInput",
    &[
        may("ExclusiveStartShardId", &SHARD_ID),
        may("Limit", &LIMIT),
        must("StreamArn", &STREAM_ARN),
        may("ShardFilter", &SHARD_FILTER),
    ],
);
static ITERATOR_TYPE: Shape =
    words(&["AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"]);
static GET_SHARD_ITERATOR: Shape = structure(
    "GetShardIteratorInput",
    &[
        must("ShardId", &SHARD_ID),
        must("ShardIteratorType", &ITERATOR_TYPE),
        must("StreamArn", &STREAM_ARN),
        may("SequenceNumber", &text(21, 40, None)),
        may("Timestamp", &Shape::Time),
    ],
);
static GET_RECORDS: Shape =
    structure("GetRecordsInput", &[may("Limit", &LIMIT), must("ShardIterator", &text(1, 2048, None))]);
