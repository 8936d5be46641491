//! The shapes of requests to SQS. Its model has types and says what must be there; what else a member may be the service
//! itself decides, in words of its own. What is missing in one entry of a batch but its id is refused for the entry alone.

use super::{List, Map, Member, Need, Shape, Struct, TEXT, list, map, may, must, structure};
use crate::fields::Dialect;
use crate::refusal::Result;
use crate::value::{Name, Value};

/// The shape of the input of an operation.
pub(super) fn input(operation: &str) -> Option<&'static Shape> {
    Some(match operation {
        "AddPermission" => &ADD_PERMISSION,
        "CancelMessageMoveTask" => &CANCEL_MOVE,
        "ChangeMessageVisibility" => &CHANGE_VISIBILITY,
        "ChangeMessageVisibilityBatch" => &CHANGE_VISIBILITIES,
        "CreateQueue" => &CREATE_QUEUE,
        "DeleteMessage" => &DELETE_MESSAGE,
        "DeleteMessageBatch" => &DELETE_MESSAGES,
        "DeleteQueue" | "ListQueueTags" | "PurgeQueue" => &OF_QUEUE,
        "GetQueueAttributes" => &GET_ATTRIBUTES,
        "GetQueueUrl" => &GET_URL,
        "ListDeadLetterSourceQueues" => &LIST_SOURCES,
        "ListMessageMoveTasks" => &LIST_MOVES,
        "ListQueues" => &LIST_QUEUES,
        "ReceiveMessage" => &RECEIVE,
        "RemovePermission" => &REMOVE_PERMISSION,
        "SendMessage" => &SEND,
        "SendMessageBatch" => &SEND_BATCH,
        "SetQueueAttributes" => &SET_ATTRIBUTES,
        "StartMessageMoveTask" => &START_MOVE,
        "TagQueue" => &TAG,
        "UntagQueue" => &UNTAG,
        _ => return None,
    })
}

/// Is everything there that must be? The first member that is not refuses the request.
pub(super) fn required(dialect: Dialect, shape: &Shape, request: &Value) -> Result<()> {
    let (Shape::Struct(wanted), Value::Map(members)) = (shape, request) else { return Ok(()) };
    first_missing(wanted, members).map_or(Ok(()), |name| Err(dialect.missing(name)))?;
    let Some(entry) = wanted.members.iter().find_map(entry_of) else { return Ok(()) };
    let given = match find(members, "Entries") {
        Some(Value::List(given)) => given.as_slice(),
        None if dialect == Dialect::SqsQuery => {
            return Err(dialect.missing(&format!("{}.1.Id", entry.class)));
        }
        None => return Err(dialect.missing("Entries")),
        Some(_) => &[],
    };
    for (index, given) in given.iter().enumerate() {
        if let Value::Map(members) = given
            && let Some(name) = first_missing(entry, members)
        {
            return Err(dialect.missing(&format!("{}.{}.{name}", entry.class, index + 1)));
        }
    }
    Ok(())
}

/// What the entries of a batch are, if the member is they.
fn entry_of(member: &Member) -> Option<&'static Struct> {
    match member.shape {
        Shape::List(List { item: Shape::Struct(entry), .. }) if member.name == "Entries" => Some(entry),
        _ => None,
    }
}

fn first_missing(wanted: &Struct, members: &[(Name, Value)]) -> Option<&'static str> {
    let needed = wanted.members.iter().filter(|member| matches!(member.need, Need::Always));
    needed.map(|member| member.name).find(|name| find(members, name).is_none())
}

fn find<'a>(members: &'a [(Name, Value)], name: &str) -> Option<&'a Value> {
    let found = members.iter().rev().find(|(member, _)| member == name);
    found.map(|(_, value)| value).filter(|value| **value != Value::Null)
}

static NUMBER: Shape = Shape::Int("Integer", i64::MIN, i64::MAX);
static TEXTS: Shape = list(&TEXT, 0, usize::MAX);
static TEXT_MAP: Shape = map(&TEXT);
static BYTES: Shape = Shape::Blob(usize::MAX);
static MANY_BYTES: Shape = list(&BYTES, 0, usize::MAX);
static ATTRIBUTE: Shape = structure(
    "MessageAttributeValue",
    &[
        may("StringValue", &TEXT),
        may("BinaryValue", &BYTES),
        may("StringListValues", &TEXTS),
        may("BinaryListValues", &MANY_BYTES),
        may("DataType", &TEXT),
    ],
);
static ATTRIBUTES: Shape =
    Shape::Map(Map { min: 0, max: usize::MAX, value: &ATTRIBUTE, key: None, value_len: None });

static OF_QUEUE: Shape = structure("QueueRequest", &[must("QueueUrl", &TEXT)]);
static ADD_PERMISSION: Shape = structure(
    "AddPermissionRequest",
    &[
        must("QueueUrl", &TEXT),
        must("Label", &TEXT),
        // Without them it is the operation that refuses, under other names.
        may("AWSAccountIds", &TEXTS),
        may("Actions", &TEXTS),
    ],
);
static REMOVE_PERMISSION: Shape =
    structure("RemovePermissionRequest", &[must("QueueUrl", &TEXT), must("Label", &TEXT)]);
static CANCEL_MOVE: Shape = structure("CancelMessageMoveTaskRequest", &[must("TaskHandle", &TEXT)]);
static LIST_MOVES: Shape =
    structure("ListMessageMoveTasksRequest", &[must("SourceArn", &TEXT), may("MaxResults", &NUMBER)]);
static START_MOVE: Shape = structure(
    "StartMessageMoveTaskRequest",
    &[must("SourceArn", &TEXT), may("DestinationArn", &TEXT), may("MaxNumberOfMessagesPerSecond", &NUMBER)],
);
static CREATE_QUEUE: Shape = structure(
    "CreateQueueRequest",
    &[may("QueueName", &TEXT), may("Attributes", &TEXT_MAP), may("tags", &TEXT_MAP), may("Tags", &TEXT_MAP)],
);
static GET_URL: Shape =
    structure("GetQueueUrlRequest", &[may("QueueName", &TEXT), may("QueueOwnerAWSAccountId", &TEXT)]);
static LIST_QUEUES: Shape = structure(
    "ListQueuesRequest",
    &[may("QueueNamePrefix", &TEXT), may("NextToken", &TEXT), may("MaxResults", &NUMBER)],
);
static LIST_SOURCES: Shape = structure(
    "ListDeadLetterSourceQueuesRequest",
    &[must("QueueUrl", &TEXT), may("NextToken", &TEXT), may("MaxResults", &NUMBER)],
);
static GET_ATTRIBUTES: Shape =
    structure("GetQueueAttributesRequest", &[must("QueueUrl", &TEXT), may("AttributeNames", &TEXTS)]);
static SET_ATTRIBUTES: Shape =
    structure("SetQueueAttributesRequest", &[must("QueueUrl", &TEXT), may("Attributes", &TEXT_MAP)]);
static TAG: Shape = structure("TagQueueRequest", &[must("QueueUrl", &TEXT), must("Tags", &TEXT_MAP)]);
static UNTAG: Shape = structure("UntagQueueRequest", &[must("QueueUrl", &TEXT), must("TagKeys", &TEXTS)]);
static SEND: Shape = structure(
    "SendMessageRequest",
    &[
        must("QueueUrl", &TEXT),
        must("MessageBody", &TEXT),
        may("DelaySeconds", &NUMBER),
        may("MessageAttributes", &ATTRIBUTES),
        may("MessageSystemAttributes", &ATTRIBUTES),
        may("MessageDeduplicationId", &TEXT),
        may("MessageGroupId", &TEXT),
    ],
);
static SEND_ENTRY: Shape = structure(
    "SendMessageBatchRequestEntry",
    &[
        must("Id", &TEXT),
        may("MessageBody", &TEXT),
        may("DelaySeconds", &NUMBER),
        may("MessageAttributes", &ATTRIBUTES),
        may("MessageSystemAttributes", &ATTRIBUTES),
        may("MessageDeduplicationId", &TEXT),
        may("MessageGroupId", &TEXT),
    ],
);
static SEND_ENTRIES: Shape = list(&SEND_ENTRY, 0, usize::MAX);
static SEND_BATCH: Shape =
    structure("SendMessageBatchRequest", &[must("QueueUrl", &TEXT), may("Entries", &SEND_ENTRIES)]);
static RECEIVE: Shape = structure(
    "ReceiveMessageRequest",
    &[
        must("QueueUrl", &TEXT),
        may("AttributeNames", &TEXTS),
        may("MessageSystemAttributeNames", &TEXTS),
        may("MessageAttributeNames", &TEXTS),
        may("MaxNumberOfMessages", &NUMBER),
        may("VisibilityTimeout", &NUMBER),
        may("WaitTimeSeconds", &NUMBER),
        may("ReceiveRequestAttemptId", &TEXT),
    ],
);
static DELETE_MESSAGE: Shape =
    structure("DeleteMessageRequest", &[must("QueueUrl", &TEXT), must("ReceiptHandle", &TEXT)]);
static DELETE_ENTRY: Shape =
    structure("DeleteMessageBatchRequestEntry", &[must("Id", &TEXT), may("ReceiptHandle", &TEXT)]);
static DELETE_ENTRIES: Shape = list(&DELETE_ENTRY, 0, usize::MAX);
static DELETE_MESSAGES: Shape =
    structure("DeleteMessageBatchRequest", &[must("QueueUrl", &TEXT), may("Entries", &DELETE_ENTRIES)]);
static CHANGE_VISIBILITY: Shape = structure(
    "ChangeMessageVisibilityRequest",
    &[must("QueueUrl", &TEXT), must("ReceiptHandle", &TEXT), must("VisibilityTimeout", &NUMBER)],
);
static CHANGE_ENTRY: Shape = structure(
    "ChangeMessageVisibilityBatchRequestEntry",
    &[must("Id", &TEXT), may("ReceiptHandle", &TEXT), may("VisibilityTimeout", &NUMBER)],
);
static CHANGE_ENTRIES: Shape = list(&CHANGE_ENTRY, 0, usize::MAX);
static CHANGE_VISIBILITIES: Shape = structure(
    "ChangeMessageVisibilityBatchRequest",
    &[must("QueueUrl", &TEXT), may("Entries", &CHANGE_ENTRIES)],
);
