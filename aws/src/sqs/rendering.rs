//! Answers of the query protocol in JSON, for callers that accept nothing but that.
//!
//! They are the answers in XML, element by element: a map is a list of names and values. Lists of queues and messages begin
//! with a small letter here, and what a message or its sending does not have is null.

use crate::call::Call;
use crate::refusal::Refusal;
use crate::reply::{Reply, reply, set};
use crate::value::{Name, Value};
use std::borrow::Cow;

const CONTENT_TYPE: &str = "application/json";
/// What the answer to a sending always has.
const SENT: [&str; 5] = [
    "MD5OfMessageAttributes",
    "MD5OfMessageBody",
    "MD5OfMessageSystemAttributes",
    "MessageId",
    "SequenceNumber",
];
/// What a message always has.
const MESSAGE: [&str; 7] = [
    "Attributes",
    "Body",
    "MD5OfBody",
    "MD5OfMessageAttributes",
    "MessageAttributes",
    "MessageId",
    "ReceiptHandle",
];

/// Does the caller want answers in JSON?
pub(super) fn is_wanted(call: &Call<'_>) -> bool {
    let is_json = |kind: &str| kind.split(';').next().is_some_and(|kind| kind.trim() == CONTENT_TYPE);
    call.header("accept").is_some_and(|kinds| kinds.split(',').any(is_json))
}

/// The answer to an action that was carried out.
pub(super) fn answer(call: &Call<'_>, action: &str, value: Value) -> Reply {
    let id = call.id.uuid();
    let mut members: Vec<(Name, Value)> = Vec::new();
    let has_result = matches!(&value, Value::Map(members) if !members.is_empty());
    if has_result || !super::xml::WITHOUT_RESULT.contains(&action) {
        members.push((Cow::Owned(format!("{action}Result")), result(action, value)));
    }
    members.push(("ResponseMetadata".into(), Value::map([("RequestId", Some(id.as_str().into()))])));
    let body = Value::Map(vec![(Cow::Owned(format!("{action}Response")), Value::Map(members))]);
    finish(200, &id, &body)
}

/// The answer to a form that was refused.
pub(super) fn refused(call: &Call<'_>, refusal: &Refusal) -> Reply {
    let id = call.id.uuid();
    let error = Value::map([
        ("Code", Some(refusal.query_code().into())),
        ("Detail", Some(Value::Null)),
        ("Message", Some(super::xml::message_of(refusal).into())),
        ("Type", Some(refusal.fault().into())),
    ]);
    let body = Value::map([("Error", Some(error)), ("RequestId", Some(id.as_str().into()))]);
    finish(refusal.status, &id, &body)
}

fn finish(status: u16, id: &str, body: &Value) -> Reply {
    let mut reply = reply(status, CONTENT_TYPE, body.to_json());
    set(&mut reply, "x-amzn-requestid", id);
    reply
}

fn result(action: &str, value: Value) -> Value {
    let Value::Map(members) = value else { return value };
    let mut members: Vec<(Name, Value)> =
        members.into_iter().map(|(name, value)| member(name, value)).collect();
    match action {
        "SendMessage" => fill(&mut members, &SENT),
        "ReceiveMessage" => fill(&mut members, &["messages"]),
        "ListQueues" => fill(&mut members, &["nextToken", "queueUrls"]),
        _ => {}
    }
    Value::Map(members)
}

fn member(name: Name, value: Value) -> (Name, Value) {
    match (&*name, value) {
        ("QueueUrls", urls) => ("queueUrls".into(), urls),
        ("NextToken", token) => ("nextToken".into(), token),
        ("Messages", Value::List(messages)) => {
            let messages = messages.into_iter().map(message);
            ("messages".into(), Value::List(messages.collect()))
        }
        ("Attributes", Value::Map(entries)) => (name, pairs("Name", entries)),
        ("Tags", Value::Map(entries)) => (name, pairs("Key", entries)),
        (_, value) => (name, value),
    }
}

fn message(message: Value) -> Value {
    let Value::Map(members) = message else { return message };
    let members = members.into_iter().map(|(name, value)| match value {
        Value::Map(entries) => (name, pairs("Name", entries)),
        value => (name, value),
    });
    let mut members: Vec<(Name, Value)> = members.collect();
    fill(&mut members, &MESSAGE);
    Value::Map(members)
}

/// A map as a list of names and values.
fn pairs(key: &'static str, entries: Vec<(Name, Value)>) -> Value {
    let pair = |(name, value): (Name, Value)| {
        Value::map([(key, Some(Value::Text(name.into_owned()))), ("Value", Some(value))])
    };
    Value::List(entries.into_iter().map(pair).collect())
}

/// Nulls for the names that are not there.
fn fill(members: &mut Vec<(Name, Value)>, names: &[&'static str]) {
    for name in names {
        if !members.iter().any(|(there, _)| there == name) {
            members.push((Cow::Borrowed(name), Value::Null));
        }
    }
}
