//! What SQS answers where its model says little: what is missing, what has the wrong type, and in which order it looks.

use super::common::{now, post, router, text};
use bytes::Bytes;
use fourfold_aws::Router;
use http::Request;
use serde_json::{Value, json};

/// An operation by JSON: the status and the answer.
fn ask(router: &Router, operation: &str, request: &Value) -> (u16, Value) {
    let (status, body) = post(router, &format!("AmazonSQS.{operation}"), &request.to_string());
    (status, serde_json::from_str(&body).unwrap())
}

fn queue() -> Router {
    let (router, _) = router();
    assert_eq!(ask(&router, "CreateQueue", &json!({"QueueName": "jobs"})).0, 200);
    router
}

/// A form, and the texts of `Accept`: the status and the answer.
fn form(router: &Router, path: &str, form: &str, accept: &str) -> (u16, String) {
    let request = Request::get(format!("{path}?{form}")).header("host", "h").header("accept", accept);
    let answer = now(router.call(request.body(Bytes::new()).unwrap()));
    (answer.status().as_u16(), text(&answer).to_owned())
}

#[test]
fn types_come_first_then_what_is_missing_then_the_queue() {
    let router = queue();
    let serialization = "com.amazon.coral.service#SerializationException";
    let missing = "com.amazonaws.sqs#MissingRequiredParameterException";
    let nowhere = "com.amazonaws.sqs#QueueDoesNotExist";
    let parameter = |name: &str| format!("The request must contain the parameter {name}.");
    let cases = [
        ("SendMessage", json!({}), missing, parameter("QueueUrl")),
        ("SendMessage", json!({"QueueUrl": "none"}), missing, parameter("MessageBody")),
        (
            "SendMessage",
            json!({"QueueUrl": "none", "DelaySeconds": "1"}),
            serialization,
            "STRING_VALUE can not be converted to an Integer".to_owned(),
        ),
        (
            "SendMessage",
            json!({"QueueUrl": "none", "MessageBody": {}}),
            serialization,
            "Start of structure or map found where not expected".to_owned(),
        ),
        (
            "SendMessage",
            json!({"QueueUrl": "none", "DelaySeconds": []}),
            serialization,
            "Start of list found where not expected".to_owned(),
        ),
        (
            "CreateQueue",
            json!({"QueueName": "a", "Attributes": {"DelaySeconds": []}}),
            serialization,
            "Unrecognized collection type class java.lang.String".to_owned(),
        ),
        (
            "SetQueueAttributes",
            json!({"QueueUrl": "jobs", "Attributes": {}}),
            missing,
            parameter("Attribute.Name"),
        ),
        ("DeleteMessageBatch", json!({"QueueUrl": "jobs"}), missing, parameter("Entries")),
        (
            "SendMessage",
            json!({"QueueUrl": "none", "MessageBody": "x"}),
            nowhere,
            "The specified queue does not exist.".to_owned(),
        ),
        (
            "DeleteMessageBatch",
            json!({"QueueUrl": "jobs", "Entries": [{"ReceiptHandle": "x"}]}),
            missing,
            parameter("DeleteMessageBatchRequestEntry.1.Id"),
        ),
        (
            "ChangeMessageVisibility",
            json!({"QueueUrl": "jobs", "ReceiptHandle": "x"}),
            missing,
            parameter("VisibilityTimeout"),
        ),
        (
            "SendMessageBatch",
            json!({"QueueUrl": "jobs", "Entries": []}),
            "com.amazonaws.sqs#EmptyBatchRequest",
            "There should be at least one SendMessageBatchRequestEntry in the request.".to_owned(),
        ),
    ];
    for (operation, request, kind, message) in cases {
        let (status, answer) = ask(&router, operation, &request);
        let told = answer.get("message").or_else(|| answer.get("Message")).and_then(Value::as_str);
        assert_eq!(
            (status, answer["__type"].as_str(), told),
            (400, Some(kind), Some(&*message)),
            "{request}"
        );
    }
}

#[test]
fn an_entry_is_refused_alone() {
    let router = queue();
    let failed = |operation: &str, entries: Value| {
        let (status, answer) = ask(&router, operation, &json!({"QueueUrl": "jobs", "Entries": entries}));
        assert_eq!(status, 200, "{answer}");
        let failed = answer["Failed"].as_array().unwrap().iter().map(|failure| {
            assert_eq!(failure["SenderFault"], true);
            let text = |member: &str| failure[member].as_str().unwrap().to_owned();
            (text("Id"), text("Code"), text("Message"))
        });
        failed.collect::<Vec<_>>()
    };
    let case = |id: &str, code: &str, message: &str| (id.to_owned(), code.to_owned(), message.to_owned());
    let missing = |id: &str, name: &str| {
        case(id, "MissingParameter", &format!("The request must contain the parameter {name}."))
    };
    assert_eq!(
        failed(
            "SendMessageBatch",
            json!([{"Id": "a", "MessageBody": "x"}, {"Id": "b"}, {"Id": "c", "MessageBody": "x", "MessageDeduplicationId": "d"}])
        ),
        [
            missing("b", "SendMessageBatchRequestEntry.2.MessageBody"),
            case(
                "c",
                "InvalidParameterValue",
                "The request include parameter that is not valid for this queue type"
            ),
        ]
    );
    assert_eq!(
        failed("DeleteMessageBatch", json!([{"Id": "a"}, {"Id": "b", "ReceiptHandle": " "}])),
        [missing("a", "ReceiptHandle"), missing("b", "ReceiptHandle")]
    );
    assert_eq!(
        failed(
            "ChangeMessageVisibilityBatch",
            json!([{"Id": "a", "ReceiptHandle": "x"}, {"Id": "b", "ReceiptHandle": "x", "VisibilityTimeout": -1}])
        ),
        [
            missing("a", "ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout"),
            case(
                "b",
                "InvalidParameterValue",
                "Value -1 for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer \
                 between 0 and 43200."
            ),
        ]
    );
    let twice = json!([{"Id": "a", "ReceiptHandle": "x"}, {"Id": "a", "ReceiptHandle": "x"}]);
    let request = json!({"QueueUrl": "jobs", "Entries": twice});
    let (status, refused) = ask(&router, "ChangeMessageVisibilityBatch", &request);
    assert_eq!(status, 400, "{refused}");
    assert!(refused["__type"].as_str().unwrap().ends_with("BatchEntryIdsNotDistinct"), "{refused}");
}

#[test]
fn numbers_and_flags_are_texts_too() {
    let router = queue();
    let attributes = json!({"QueueUrl": "jobs", "Attributes": {"DelaySeconds": 0, "VisibilityTimeout": 45}});
    assert_eq!(ask(&router, "SetQueueAttributes", &attributes).0, 200);
    let message = json!({"QueueUrl": "jobs", "MessageBody": 0,
        "MessageAttributes": {"a": {"DataType": "String", "StringValue": true}}});
    assert_eq!(
        ask(&router, "SendMessage", &message).1["MD5OfMessageBody"],
        "cfcd208495d565ef66e7dff9f98764da"
    );
    let receive = json!({"QueueUrl": "jobs", "MessageAttributeNames": ["All"]});
    let (_, received) = ask(&router, "ReceiveMessage", &receive);
    assert_eq!(received["Messages"][0]["Body"], "0");
    assert_eq!(received["Messages"][0]["MessageAttributes"]["a"]["StringValue"], "true");
}

#[test]
fn refusals_are_those_of_the_service() {
    let router = queue();
    let refused = |operation: &str, request: Value| {
        let (status, answer) = ask(&router, operation, &request);
        assert_eq!(status, 400, "{answer}");
        answer["message"].as_str().unwrap().to_owned()
    };
    let policy = r#"{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}"#;
    assert_eq!(
        refused("SetQueueAttributes", json!({"QueueUrl": "jobs", "Attributes": {"RedrivePolicy": policy}})),
        format!(
            "Value {policy} for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn."
        )
    );
    let none = r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:none", "maxReceiveCount":"4"}"#;
    assert_eq!(
        refused("SetQueueAttributes", json!({"QueueUrl": "jobs", "Attributes": {"RedrivePolicy": none}})),
        format!(
            "Value {none} for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist."
        )
    );
    assert_eq!(
        refused("RemovePermission", json!({"QueueUrl": "jobs", "Label": "l"})),
        "Value l for parameter Label is invalid. Reason: can't find label."
    );
    for (operation, request) in [("CreateQueue", json!({})), ("GetQueueUrl", json!({"QueueName": ""}))] {
        assert_eq!(
            refused(operation, request),
            "Value for parameter QueueName is invalid. Reason: Must specify a queue name."
        );
    }
    assert_eq!(refused("CreateQueue", json!({"QueueName": ""})), "Queue name cannot be empty");
    assert_eq!(
        refused("ListQueues", json!({"MaxResults": 1001})),
        "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."
    );
    assert_eq!(
        refused("StartMessageMoveTask", json!({"SourceArn": "jobs"})),
        "You must use this format to specify the SourceArn: \
         arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
    );
    assert_eq!(
        refused(
            "SetQueueAttributes",
            json!({"QueueUrl": "jobs", "Attributes": {"RedriveAllowPolicy": "{}"}})
        ),
        "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, \
         as it\u{2019}s in an unsupported format."
    );
    let permit = |actions: Value| json!({"QueueUrl": "jobs", "Label": "l", "AWSAccountIds": ["111122223333"], "Actions": actions});
    assert_eq!(
        refused("AddPermission", permit(json!(["CreateQueue"]))),
        "Value SQS:CreateQueue for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke \
         this action."
    );
    let many = permit(json!(vec!["SendMessage"; 8]));
    assert_eq!(ask(&router, "AddPermission", &many).0, 403);
    let both = json!({"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"});
    let (_, answer) = ask(&router, "SetQueueAttributes", &json!({"QueueUrl": "jobs", "Attributes": both}));
    assert_eq!(answer["__type"], "com.amazonaws.sqs#InvalidAttributeName");
}

#[test]
fn who_accepts_json_gets_the_forms_answers_in_it() {
    let router = queue();
    let queue = "/000000000000/jobs";
    let json = |form_text: &str| {
        let (status, body) = form(&router, queue, form_text, "application/json");
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let (status, sent) = json("Action=SendMessage&MessageBody=hello+world");
    let result = &sent["SendMessageResponse"]["SendMessageResult"];
    assert_eq!(
        (status, result["MD5OfMessageBody"].as_str()),
        (200, Some("5eb63bbbe01eeed093cb22bb8f5acdc3"))
    );
    assert_eq!(result.get("SequenceNumber"), Some(&Value::Null));
    assert!(sent["SendMessageResponse"]["ResponseMetadata"]["RequestId"].is_string());
    let (_, attributes) = json("Action=GetQueueAttributes&AttributeName.1=VisibilityTimeout");
    assert_eq!(
        attributes["GetQueueAttributesResponse"]["GetQueueAttributesResult"],
        json!({"Attributes": [{"Name": "VisibilityTimeout", "Value": "30"}]})
    );
    let received =
        |answer: Value| answer["ReceiveMessageResponse"]["ReceiveMessageResult"]["messages"].clone();
    let messages = received(json("Action=ReceiveMessage&AttributeName.1=ApproximateReceiveCount").1);
    assert_eq!(messages[0]["Body"], "hello world");
    assert_eq!(messages[0]["Attributes"], json!([{"Name": "ApproximateReceiveCount", "Value": "1"}]));
    assert_eq!(messages[0].get("MessageAttributes"), Some(&Value::Null));
    assert_eq!(received(json("Action=ReceiveMessage").1), Value::Null);
    let (status, purged) = json("Action=PurgeQueue");
    assert_eq!((status, purged["PurgeQueueResponse"].as_object().unwrap().len()), (200, 1));
    let (status, refused) = json("Action=ListQueues");
    assert_eq!(
        (status, &refused["Error"]),
        (
            400,
            &json!({"Code": "InvalidAction", "Detail": null, "Type": "Sender",
                "Message": "The action ListQueues is not valid for this endpoint."})
        )
    );
    let (_, xml) = form(&router, queue, "Action=ListQueues", "*/*");
    assert!(xml.contains("<Code>InvalidAction</Code>"), "{xml}");
    let batch = |entries: &str| form(&router, queue, &format!("Action=DeleteMessageBatch{entries}"), "*/*").1;
    assert!(batch("").contains("parameter DeleteMessageBatchRequestEntry.1.Id."));
    assert!(batch("&DeleteMessageBatchRequestEntry=").contains("There should be at least one"));
    let (status, xml) = form(&router, queue, "Action=SendMessage", "*/*");
    assert_eq!(status, 400);
    assert!(xml.contains("<Message>The request must contain the parameter MessageBody.</Message>"), "{xml}");
}
