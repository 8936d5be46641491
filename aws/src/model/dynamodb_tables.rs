//! The shapes of requests about tables.

use super::dynamodb::{INDEX_NAME, TABLE_NAME};
use super::{ANY, Member, NAME, Shape, Struct, TEXT, Text, list, may, must, structure, text, words};

/// The shape of the input of an operation.
pub(super) fn input(operation: &str) -> Option<&'static Shape> {
    Some(match operation {
        "CreateTable" => &CREATE_TABLE,
        "UpdateTable" => &UPDATE_TABLE,
        "DeleteTable" | "DescribeTable" | "DescribeTimeToLive" | "DescribeKinesisStreamingDestination" => {
            &OF_TABLE
        }
        "EnableKinesisStreamingDestination" | "DisableKinesisStreamingDestination" => &DESTINATION,
        "UpdateKinesisStreamingDestination" => &UPDATE_DESTINATION,
        "UpdateTimeToLive" => &UPDATE_TIME_TO_LIVE,
        "ListTables" => &LIST_TABLES,
        "TagResource" => &TAG_RESOURCE,
        "UntagResource" => &UNTAG_RESOURCE,
        "ListTagsOfResource" => &LIST_TAGS,
        "DescribeLimits" | "DescribeEndpoints" => &NOTHING,
        _ => return None,
    })
}

/// A request about one table, which is looked at first.
const fn of_table(class: &'static str, members: &'static [Member]) -> Shape {
    Shape::Struct(Struct { class, members, is_of_table: true })
}

static UNITS: Shape = Shape::Int("Long", 1, i64::MAX);
static LONG: Shape = Shape::Int("Long", i64::MIN, i64::MAX);
static THROUGHPUT: Shape = structure(
    "ProvisionedThroughput",
    &[must("WriteCapacityUnits", &UNITS), must("ReadCapacityUnits", &UNITS)],
);
static ON_DEMAND: Shape =
    structure("OnDemandThroughput", &[may("MaxReadRequestUnits", &LONG), may("MaxWriteRequestUnits", &LONG)]);
static WARM: Shape =
    structure("WarmThroughput", &[may("ReadUnitsPerSecond", &LONG), may("WriteUnitsPerSecond", &LONG)]);
static KEY_NAME: Shape = text(1, 255, None);
static NOT_EMPTY: Shape = text(1, usize::MAX, None);
static KEY_ELEMENT: Shape = structure(
    "KeySchemaElement",
    &[must("AttributeName", &KEY_NAME), must("KeyType", &words(&["HASH", "RANGE"]))],
);
static KEY_SCHEMA: Shape = list(&KEY_ELEMENT, 1, 2);
/// Of a global index, which may have four and four.
static WIDE_KEY_SCHEMA: Shape = list(&KEY_ELEMENT, 1, 8);
static ATTRIBUTE: Shape = structure(
    "AttributeDefinition",
    &[must("AttributeName", &KEY_NAME), must("AttributeType", &words(&["B", "N", "S"]))],
);
static ATTRIBUTES: Shape = list(&ATTRIBUTE, 0, usize::MAX);
static NON_KEY_ATTRIBUTES: Shape = list(&KEY_NAME, 1, usize::MAX);
static PROJECTION: Shape = structure(
    "Projection",
    &[
        may("ProjectionType", &words(&["ALL", "INCLUDE", "KEYS_ONLY"])),
        may("NonKeyAttributes", &NON_KEY_ATTRIBUTES),
    ],
);
static LOCAL_INDEX: Shape = structure(
    "LocalSecondaryIndex",
    &[must("Projection", &PROJECTION), must("IndexName", &INDEX_NAME), must("KeySchema", &KEY_SCHEMA)],
);
static LOCAL_INDEXES: Shape = list(&LOCAL_INDEX, 0, usize::MAX);
static GLOBAL_INDEX: Shape = structure(
    "GlobalSecondaryIndex",
    &[
        must("Projection", &PROJECTION),
        must("IndexName", &INDEX_NAME),
        may("ProvisionedThroughput", &THROUGHPUT),
        must("KeySchema", &WIDE_KEY_SCHEMA),
        may("OnDemandThroughput", &ON_DEMAND),
        may("WarmThroughput", &WARM),
    ],
);
static GLOBAL_INDEXES: Shape = list(&GLOBAL_INDEX, 0, usize::MAX);
static BILLING_MODE: Shape = words(&["PROVISIONED", "PAY_PER_REQUEST"]);
static STREAM: Shape = structure(
    "StreamSpecification",
    &[
        must("StreamEnabled", &Shape::Flag),
        may("StreamViewType", &words(&["OLD_IMAGE", "KEYS_ONLY", "NEW_AND_OLD_IMAGES", "NEW_IMAGE"])),
    ],
);
static SSE: Shape = structure(
    "SSESpecification",
    &[
        may("Enabled", &Shape::Flag),
        may("SSEType", &words(&["AES256", "KMS"])),
        may("KMSMasterKeyId", &NOT_EMPTY),
    ],
);
static TABLE_CLASS: Shape = words(&["STANDARD", "STANDARD_INFREQUENT_ACCESS"]);
static TAG: Shape = structure("Tag", &[may("Key", &TEXT), may("Value", &TEXT)]);
static TAGS: Shape = list(&TAG, 0, usize::MAX);

static NOTHING: Shape = structure("DescribeLimitsInput", &[]);
static CREATE_TABLE: Shape = of_table(
    "CreateTableInput",
    &[
        must("AttributeDefinitions", &ATTRIBUTES),
        must("TableName", &TABLE_NAME),
        may("BillingMode", &BILLING_MODE),
        may("ProvisionedThroughput", &THROUGHPUT),
        must("KeySchema", &KEY_SCHEMA),
        may("GlobalSecondaryIndexes", &GLOBAL_INDEXES),
        may("LocalSecondaryIndexes", &LOCAL_INDEXES),
        may("StreamSpecification", &STREAM),
        may("SSESpecification", &SSE),
        may("Tags", &TAGS),
        may("TableClass", &TABLE_CLASS),
        may("DeletionProtectionEnabled", &Shape::Flag),
        may("OnDemandThroughput", &ON_DEMAND),
        may("WarmThroughput", &WARM),
    ],
);
static UPDATE_INDEX: Shape = structure(
    "UpdateGlobalSecondaryIndexAction",
    &[
        must("IndexName", &INDEX_NAME),
        may("ProvisionedThroughput", &THROUGHPUT),
        may("OnDemandThroughput", &ON_DEMAND),
        may("WarmThroughput", &WARM),
    ],
);
static CREATE_INDEX: Shape = structure(
    "CreateGlobalSecondaryIndexAction",
    &[
        must("Projection", &PROJECTION),
        must("IndexName", &INDEX_NAME),
        may("ProvisionedThroughput", &THROUGHPUT),
        must("KeySchema", &WIDE_KEY_SCHEMA),
        may("OnDemandThroughput", &ON_DEMAND),
        may("WarmThroughput", &WARM),
    ],
);
static DELETE_INDEX: Shape = structure("DeleteGlobalSecondaryIndexAction", &[must("IndexName", &INDEX_NAME)]);
static INDEX_UPDATE: Shape = structure(
    "GlobalSecondaryIndexUpdate",
    &[may("Update", &UPDATE_INDEX), may("Create", &CREATE_INDEX), may("Delete", &DELETE_INDEX)],
);
static INDEX_UPDATES: Shape = list(&INDEX_UPDATE, 0, usize::MAX);
static UPDATE_TABLE: Shape = of_table(
    "UpdateTableInput",
    &[
        may("AttributeDefinitions", &ATTRIBUTES),
        must("TableName", &TABLE_NAME),
        may("BillingMode", &BILLING_MODE),
        may("ProvisionedThroughput", &THROUGHPUT),
        may("GlobalSecondaryIndexUpdates", &INDEX_UPDATES),
        may("StreamSpecification", &STREAM),
        may("SSESpecification", &SSE),
        may("TableClass", &TABLE_CLASS),
        may("DeletionProtectionEnabled", &Shape::Flag),
        may("OnDemandThroughput", &ON_DEMAND),
        may("WarmThroughput", &WARM),
    ],
);
static OF_TABLE: Shape = of_table("DescribeTableInput", &[must("TableName", &TABLE_NAME)]);
static STREAM_ARN: Shape = text(37, 1024, None);
static PRECISION: Shape = words(&["MICROSECOND", "MILLISECOND"]);
static ENABLE_STREAMING: Shape = structure(
    "EnableKinesisStreamingConfiguration",
    &[may("ApproximateCreationDateTimePrecision", &PRECISION)],
);
static DESTINATION: Shape = of_table(
    "KinesisStreamingDestinationInput",
    &[
        must("TableName", &TABLE_NAME),
        must("StreamArn", &STREAM_ARN),
        may("EnableKinesisStreamingConfiguration", &ENABLE_STREAMING),
    ],
);
static UPDATE_STREAMING: Shape = structure(
    "UpdateKinesisStreamingConfiguration",
    &[may("ApproximateCreationDateTimePrecision", &PRECISION)],
);
static UPDATE_DESTINATION: Shape = of_table(
    "UpdateKinesisStreamingDestinationInput",
    &[
        must("TableName", &TABLE_NAME),
        must("StreamArn", &STREAM_ARN),
        may("UpdateKinesisStreamingConfiguration", &UPDATE_STREAMING),
    ],
);
static TIME_TO_LIVE: Shape = structure(
    "TimeToLiveSpecification",
    &[must("AttributeName", &text(0, 255, None)), must("Enabled", &Shape::Flag)],
);
static UPDATE_TIME_TO_LIVE: Shape = of_table(
    "UpdateTimeToLiveInput",
    &[must("TableName", &TABLE_NAME), must("TimeToLiveSpecification", &TIME_TO_LIVE)],
);
static START_TABLE: Shape = Shape::Text(Text { min: 3, max: Some(255), pattern: Some(NAME), ..ANY });
static LIST_TABLES: Shape = structure(
    "ListTablesInput",
    &[may("ExclusiveStartTableName", &START_TABLE), may("Limit", &Shape::Int("Integer", 1, 100))],
);
static TAG_RESOURCE: Shape = structure("TagResourceInput", &[may("ResourceArn", &TEXT), may("Tags", &TAGS)]);
static TAG_KEYS: Shape = list(&TEXT, 0, usize::MAX);
static UNTAG_RESOURCE: Shape =
    structure("UntagResourceInput", &[may("ResourceArn", &TEXT), may("TagKeys", &TAG_KEYS)]);
static LIST_TAGS: Shape =
    structure("ListTagsOfResourceInput", &[may("ResourceArn", &TEXT), may("NextToken", &TEXT)]);
