//! The query protocol: a form that names its members by paths, and answers in XML.
//!
//! A form becomes the tree that JSON would be: what is a list or a map there is told by the members' names, of which the
//! protocol has others (`Attribute.1.Name`, `SendMessageBatchRequestEntry.1.Id`).

use super::{perform, rendering, xml};
use crate::call::Call;
use crate::fields::{Dialect, Fields};
use crate::form;
use crate::model;
use crate::refusal::{Refusal, Result};
use crate::reply::{Reply, no_such_operation};
use crate::value::{Name, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Levels of a path; the deepest of the protocol has six.
const DEPTH_MAX: usize = 8;
/// Lists of texts, as a form and as the model spell them.
const LISTS: [(&str, &str); 6] = [
    ("AttributeName", "AttributeNames"),
    ("MessageAttributeName", "MessageAttributeNames"),
    ("MessageSystemAttributeName", "MessageSystemAttributeNames"),
    ("TagKey", "TagKeys"),
    ("AWSAccountId", "AWSAccountIds"),
    ("ActionName", "Actions"),
];
/// Maps, as a form and as the model spell them, and what a key is called.
const MAPS: [(&str, &str, &str); 4] = [
    ("Attribute", "Attributes", "Name"),
    ("MessageAttribute", "MessageAttributes", "Name"),
    ("MessageSystemAttribute", "MessageSystemAttributes", "Name"),
    ("Tag", "Tags", "Key"),
];
/// The entries of batches, as a form spells them.
const ENTRIES: [&str; 3] = [
    "SendMessageBatchRequestEntry",
    "DeleteMessageBatchRequestEntry",
    "ChangeMessageVisibilityBatchRequestEntry",
];
/// The operations that are asked of the endpoint and not of a queue.
const OF_ENDPOINT: [&str; 6] = [
    "CreateQueue",
    "ListQueues",
    "GetQueueUrl",
    "StartMessageMoveTask",
    "CancelMessageMoveTask",
    "ListMessageMoveTasks",
];
/// The operations that are asked of a queue.
const OF_QUEUE: [&str; 17] = [
    "AddPermission",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "DeleteMessage",
    "DeleteMessageBatch",
    "DeleteQueue",
    "GetQueueAttributes",
    "ListDeadLetterSourceQueues",
    "ListQueueTags",
    "PurgeQueue",
    "ReceiveMessage",
    "RemovePermission",
    "SendMessage",
    "SendMessageBatch",
    "SetQueueAttributes",
    "TagQueue",
    "UntagQueue",
];

/// Is it the name of an operation of SQS?
pub(crate) fn is_action(name: &str) -> bool {
    OF_ENDPOINT.contains(&name) || OF_QUEUE.contains(&name)
}

/// Answers a form, which is a body or the query of a URL.
pub(crate) async fn query(call: &Call<'_>, text: &str) -> Reply {
    let mut tree = Node::default();
    for (path, value) in form::pairs(text) {
        tree.insert(&path, value);
    }
    let Some(action) = tree.children.remove("Action").and_then(|node| node.text) else {
        return no_such_operation(call);
    };
    tree.children.remove("Version");
    match answer(call, &action, tree).await {
        Ok(value) if rendering::is_wanted(call) => rendering::answer(call, &action, value),
        Ok(value) => xml::answer(call, &action, &value),
        Err(refusal) => xml::refused(call, &refusal),
    }
}

async fn answer(call: &Call<'_>, action: &str, mut tree: Node) -> Result<Value> {
    let invalid = |reason: &str| {
        let message = format!("The action {action} is not valid for this {reason}.");
        Refusal { message, ..Refusal::unknown_operation() }
    };
    if !is_action(action) {
        return Err(invalid("endpoint"));
    }
    // The path of a queue's URL stands for the member, which wins.
    let path = call.head.uri.path();
    if path.trim_matches('/').contains('/') {
        if matches!(action, "CreateQueue" | "ListQueues") {
            return Err(invalid("endpoint"));
        }
        let url = tree.children.entry("QueueUrl".to_owned()).or_default();
        url.text.get_or_insert_with(|| path.to_owned());
    }
    let mut request = tree.into_structure();
    model::check(Dialect::SqsQuery, action, &mut request)?;
    perform(call, action, Fields::of(request, Dialect::SqsQuery)?).await
}

/// What stands below a name.
#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Node {
    /// Paths that are too deep for any member are of no member.
    fn insert(&mut self, path: &str, text: String) {
        if path.split('.').count() > DEPTH_MAX {
            return;
        }
        let mut node = self;
        for name in path.split('.') {
            node = node.children.entry(name.to_owned()).or_default();
        }
        node.text.get_or_insert(text);
    }

    fn into_value(self) -> Value {
        match self.text {
            Some(text) if self.children.is_empty() => Value::Text(text),
            _ => self.into_structure(),
        }
    }

    fn into_structure(self) -> Value {
        Value::Map(self.children.into_iter().map(|(name, node)| member(&name, node)).collect())
    }

    /// The items of a list in the order of their numbers. `Attribute.Name` is as good as `Attribute.1.Name`.
    fn into_items(self) -> Vec<Node> {
        if self.text.is_some() || self.children.keys().any(|name| name.parse::<u32>().is_err()) {
            return vec![self];
        }
        let items = self.children.into_iter();
        let mut items: Vec<(u32, Node)> =
            items.map(|(number, node)| (number.parse().unwrap_or(u32::MAX), node)).collect();
        items.sort_by_key(|(number, _)| *number);
        items.into_iter().map(|(_, node)| node).collect()
    }
}

/// A member as the model spells it.
fn member(name: &str, node: Node) -> (Name, Value) {
    if let Some((_, list)) = LISTS.iter().find(|(found, _)| *found == name) {
        let items = node.into_items().into_iter().map(Node::into_value);
        return (Cow::Borrowed(list), Value::List(items.collect()));
    }
    if let Some((_, map, key)) = MAPS.iter().find(|(found, ..)| *found == name) {
        let items = node.into_items().into_iter().filter_map(|item| pair(item, key));
        return (Cow::Borrowed(map), Value::Map(items.collect()));
    }
    // An empty list is a name without a path.
    if ENTRIES.contains(&name) && node.children.is_empty() {
        return (Cow::Borrowed("Entries"), Value::List(Vec::new()));
    }
    if ENTRIES.contains(&name) {
        let items = node.into_items().into_iter().map(Node::into_structure);
        return (Cow::Borrowed("Entries"), Value::List(items.collect()));
    }
    (Cow::Owned(name.to_owned()), node.into_value())
}

fn pair(mut item: Node, key: &str) -> Option<(Name, Value)> {
    let name = item.children.remove(key)?.text?;
    let value = item.children.remove("Value")?;
    Some((Cow::Owned(name), value.into_value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> String {
        let mut tree = Node::default();
        form::pairs(text).for_each(|(path, value)| tree.insert(&path, value));
        String::from_utf8(tree.into_structure().to_json()).unwrap()
    }

    #[test]
    fn a_form_is_a_tree() {
        let cases = [
            (
                "QueueName=a&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5&Tag.1.Key=k&Tag.1.Value=v",
                r#"{"Attributes":{"DelaySeconds":"5"},"QueueName":"a","Tags":{"k":"v"}}"#,
            ),
            ("Attribute.Name=DelaySeconds&Attribute.Value=5", r#"{"Attributes":{"DelaySeconds":"5"}}"#),
            ("AttributeName.2=b&AttributeName.10=c&AttributeName.1=a", r#"{"AttributeNames":["a","b","c"]}"#),
            ("AttributeName=All", r#"{"AttributeNames":["All"]}"#),
            (
                "SendMessageBatchRequestEntry.1.Id=x&SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n\
              &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String\
              &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=v",
                r#"{"Entries":[{"Id":"x","MessageAttributes":{"n":{"DataType":"String","StringValue":"v"}}}]}"#,
            ),
            ("DeleteMessageBatchRequestEntry=", r#"{"Entries":[]}"#),
            ("a.b.c.d.e.f.g.h.i=1", "{}"),
        ];
        for (form, json) in cases {
            assert_eq!(tree(form), json, "{form}");
        }
    }
}
