//! Answers of the query protocol.

use super::rendering;
use crate::call::Call;
use crate::refusal::Refusal;
use crate::reply::{Reply, reply, set};
use crate::value::{Name, Value};
use crate::xml::Xml;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const NAMESPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";
const CONTENT_TYPE: &str = "text/xml";
/// The actions that never say anything.
pub(super) const WITHOUT_RESULT: [&str; 9] = [
    "AddPermission",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "DeleteQueue",
    "PurgeQueue",
    "RemovePermission",
    "SetQueueAttributes",
    "TagQueue",
    "UntagQueue",
];

/// The answer to an action that was carried out.
pub(super) fn answer(call: &Call<'_>, action: &str, value: &Value) -> Reply {
    let id = call.id.uuid();
    let mut xml = Xml::new();
    xml.element_with(&format!("{action}Response"), &[("xmlns", NAMESPACE)], |xml| {
        match value {
            Value::Map(members) if !members.is_empty() => {
                xml.element(&format!("{action}Result"), |xml| write_members(xml, action, members));
            }
            // Clients look for the element, though nothing is in it.
            _ if !WITHOUT_RESULT.contains(&action) => xml.empty(&format!("{action}Result")),
            _ => {}
        }
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", &id));
    });
    finish(200, &id, xml)
}

/// The answer to a form that was refused.
pub(crate) fn refused(call: &Call<'_>, refusal: &Refusal) -> Reply {
    if rendering::is_wanted(call) {
        return rendering::refused(call, refusal);
    }
    let id = call.id.uuid();
    let mut xml = Xml::new();
    xml.element_with("ErrorResponse", &[("xmlns", NAMESPACE)], |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", refusal.fault());
            xml.text("Code", refusal.query_code());
            xml.text("Message", message_of(refusal));
            xml.empty("Detail");
        });
        xml.text("RequestId", &id);
    });
    finish(refusal.status, &id, xml)
}

/// Only in this protocol the service says for whom the queue does not exist.
pub(super) fn message_of(refusal: &Refusal) -> &str {
    match &*refusal.name {
        "QueueDoesNotExist" => "The specified queue does not exist for this wsdl version.",
        _ => &refusal.message,
    }
}

fn finish(status: u16, id: &str, xml: Xml) -> Reply {
    let mut reply = reply(status, CONTENT_TYPE, xml.finish());
    set(&mut reply, "x-amzn-requestid", id);
    reply
}

fn write_members(xml: &mut Xml, action: &str, members: &[(Name, Value)]) {
    for (name, value) in members {
        match value {
            Value::List(items) => {
                for item in items {
                    write(xml, action, &item_name(action, name), item);
                }
            }
            Value::Map(entries) => {
                let (element, key) = map_names(name);
                for (name, value) in entries {
                    xml.element(element, |xml| {
                        xml.text(key, name);
                        write(xml, action, "Value", value);
                    });
                }
            }
            value => write(xml, action, name, value),
        }
    }
}

fn write(xml: &mut Xml, action: &str, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Text(text) => xml.text(name, text),
        Value::Bool(flag) => xml.text(name, if *flag { "true" } else { "false" }),
        Value::Int(number) => xml.text(name, &number.to_string()),
        Value::Float(number) => xml.text(name, &number.to_string()),
        Value::Blob(bytes) => xml.text(name, &STANDARD.encode(bytes)),
        Value::Time(time) => xml.text(name, &time.to_string()),
        Value::Map(members) => xml.element(name, |xml| write_members(xml, action, members)),
        Value::List(items) => items.iter().for_each(|item| write(xml, action, name, item)),
    }
}

/// What an item of a list is called.
fn item_name(action: &str, list: &str) -> String {
    match list {
        "QueueUrls" | "queueUrls" => "QueueUrl".to_owned(),
        "Messages" => "Message".to_owned(),
        "Failed" => "BatchResultErrorEntry".to_owned(),
        // `Successful` of a batch, `Results` of a listing.
        _ => format!("{action}ResultEntry"),
    }
}

/// What an entry of a map, and its key, are called.
fn map_names(map: &str) -> (&'static str, &'static str) {
    match map {
        "Tags" => ("Tag", "Key"),
        "MessageAttributes" => ("MessageAttribute", "Name"),
        _ => ("Attribute", "Name"),
    }
}
