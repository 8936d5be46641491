//! Messages: sending, receiving, deleting and hiding them.

use super::Operation;
use crate::fields::Fields;
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use fourfold::queue::{
    AttributeValue, BatchEntry, BatchFailure, BatchResult, Message, MessageAttribute, Receive, SendMessage,
    Sent,
};
use std::borrow::Cow;
use std::collections::BTreeMap;

impl Operation<'_> {
    pub(super) async fn send_message(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let trace = self.call.header("x-amzn-trace-id");
        let message = message_of(&mut self.input, trace)?;
        let sent = queue.send_async(message).await?;
        Ok(Value::Map(sent_members(&sent)))
    }

    pub(super) async fn send_message_batch(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let trace = self.call.header("x-amzn-trace-id");
        let entries = self.entries(|entry| message_of(entry, trace))?;
        Ok(batch(queue.send_batch_async(entries).await?, |sent| sent_members(&sent)))
    }

    pub(super) async fn receive_message(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let input = &mut self.input;
        let mut receive = Receive::new();
        if let Some(max) = input.int32("MaxNumberOfMessages")? {
            receive = receive.max_messages(max);
        }
        if let Some(seconds) = input.int32("VisibilityTimeout")? {
            receive = receive.visibility_timeout(seconds);
        }
        if let Some(seconds) = input.int32("WaitTimeSeconds")? {
            receive = receive.wait(seconds);
        }
        if let Some(id) = input.text("ReceiveRequestAttemptId")? {
            receive = receive.attempt_id(id);
        }
        let names = input.texts("MessageAttributeNames")?.unwrap_or_default();
        // Two names for one list: the older one, and the one that says what it is.
        let mut system_names = input.texts("AttributeNames")?.unwrap_or_default();
        system_names.extend(input.texts("MessageSystemAttributeNames")?.unwrap_or_default());
        let messages = queue.receive_async(receive).await?;
        let messages = messages.iter().map(|message| received(message, &names, &system_names)).collect();
        Ok(Value::map([("Messages", Value::unless_empty(messages))]))
    }

    pub(super) async fn delete_message(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let handle = self.input.required_text("ReceiptHandle")?;
        queue.delete_message_async(&handle).await?;
        Ok(Value::empty())
    }

    pub(super) async fn delete_message_batch(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let entries = self.entries(handle_of)?;
        Ok(batch(queue.delete_batch_async(entries).await?, |()| Vec::new()))
    }

    pub(super) async fn change_message_visibility(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let handle = self.input.required_text("ReceiptHandle")?;
        let seconds = self.input.int32("VisibilityTimeout")?;
        let seconds = self.input.required("VisibilityTimeout", seconds)?;
        queue.change_visibility_async(&handle, seconds).await?;
        Ok(Value::empty())
    }

    pub(super) async fn change_message_visibility_batch(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let entries =
            self.named_entries(|entry| Ok((handle_of(entry)?, entry.int32("VisibilityTimeout")?)))?;
        let mut missing = BTreeMap::new();
        let entries = entries.into_iter().zip(1..).map(|((id, (handle, seconds)), number)| {
            if seconds.is_none() {
                let name = format!("ChangeMessageVisibilityBatchRequestEntry.{number}.VisibilityTimeout");
                missing.insert(id.clone(), self.input.dialect().missing(&name));
            }
            // No time that may be, so that nothing happens; the rules of the batch as a whole hold for it too.
            BatchEntry::new(id, (handle, seconds.unwrap_or(i32::MIN)))
        });
        let entries = entries.collect();
        let result = queue.change_visibility_batch_async(entries).await?;
        let failed = result.failed.iter().map(|refused| match missing.get(&refused.id) {
            Some(refusal) => refused_entry(&refused.id, refusal),
            None => failure(refused),
        });
        let failed = Value::unless_empty(failed.collect());
        let Value::Map(mut members) = batch(result, |()| Vec::new()) else { return Ok(Value::empty()) };
        members.retain(|(name, _)| name != "Failed");
        members.extend(failed.map(|failed| ("Failed".into(), failed)));
        Ok(Value::Map(members))
    }

    /// The entries of a batch request.
    fn entries<T>(&mut self, read: impl FnMut(&mut Fields) -> Result<T>) -> Result<Vec<BatchEntry<T>>> {
        let entries = self.named_entries(read)?;
        Ok(entries.into_iter().map(|(id, value)| BatchEntry::new(id, value)).collect())
    }

    fn named_entries<T>(
        &mut self,
        mut read: impl FnMut(&mut Fields) -> Result<T>,
    ) -> Result<Vec<(String, T)>> {
        let entries = self.input.structures("Entries")?.unwrap_or_default();
        let read = |mut entry: Fields| Ok((entry.required_text("Id")?, read(&mut entry)?));
        entries.into_iter().map(read).collect()
    }
}

/// The handle of an entry; without one it is the entry that is refused.
fn handle_of(entry: &mut Fields) -> Result<String> {
    Ok(entry.text("ReceiptHandle")?.unwrap_or_default())
}

fn message_of(input: &mut Fields, trace: Option<&str>) -> Result<SendMessage> {
    // Without a body it is the message that is refused, which in a batch leaves the others.
    let mut message = SendMessage::new(input.text("MessageBody")?.unwrap_or_default());
    if let Some(seconds) = input.int32("DelaySeconds")? {
        message = message.delay(seconds);
    }
    if let Some(group) = input.text("MessageGroupId")? {
        message = message.group(group);
    }
    if let Some(id) = input.text("MessageDeduplicationId")? {
        message = message.deduplication_id(id);
    }
    for (name, attribute) in attributes(input, "MessageAttributes")? {
        message = message.attribute(name, attribute);
    }
    if let Some(trace) = trace {
        message = message.system_attribute("AWSTraceHeader", MessageAttribute::string(trace));
    }
    for (name, attribute) in attributes(input, "MessageSystemAttributes")? {
        message = message.system_attribute(name, attribute);
    }
    Ok(message)
}

fn attributes(input: &mut Fields, member: &str) -> Result<Vec<(String, MessageAttribute)>> {
    let dialect = input.dialect();
    let attributes = input.map(member)?.unwrap_or_default();
    let there = attributes.into_iter().filter(|(_, value)| *value != Value::Null);
    there
        .map(|(name, value)| {
            let attribute = attribute(&name, &mut Fields::of(value, dialect)?)?;
            Ok((name.into_owned(), attribute))
        })
        .collect()
}

/// An attribute, whose type says which of two members has its value.
fn attribute(name: &str, input: &mut Fields) -> Result<MessageAttribute> {
    let data_type = input.text("DataType")?.unwrap_or_default();
    for list in ["StringListValues", "BinaryListValues"] {
        if input.list(list)?.is_some_and(|values| !values.is_empty()) {
            let message = "Message attribute list values in SendMessage operation are not supported.";
            return Err(Refusal::new("UnsupportedOperation", message)
                .with_query_code("AWS.SimpleQueueService.UnsupportedOperation"));
        }
    }
    let (text, binary) = (input.text("StringValue")?, input.blob("BinaryValue")?);
    let is_binary = data_type.split('.').next() == Some("Binary");
    let value = match (is_binary, text, binary) {
        (_, Some(_), Some(_)) => {
            let message = format!("Message attribute '{name}' has both a string and a binary value.");
            return Err(Refusal::new("InvalidParameterValueException", message)
                .with_query_code("InvalidParameterValue"));
        }
        (true, _, bytes) => AttributeValue::Binary(bytes.unwrap_or_default()),
        (false, text, _) => AttributeValue::Text(text.unwrap_or_default()),
    };
    Ok(MessageAttribute::new(data_type, value))
}

type Members = Vec<(Cow<'static, str>, Value)>;

fn sent_members(sent: &Sent) -> Members {
    let all = [
        ("MD5OfMessageBody", Some(sent.md5_of_body())),
        ("MD5OfMessageAttributes", sent.md5_of_attributes()),
        ("MD5OfMessageSystemAttributes", sent.md5_of_system_attributes()),
        ("MessageId", Some(sent.id())),
        ("SequenceNumber", sent.sequence_number()),
    ];
    let there = all.into_iter().filter_map(|(name, text)| Some((Cow::Borrowed(name), Value::Text(text?))));
    there.collect()
}

fn received(message: &Message, names: &[String], system_names: &[String]) -> Value {
    let system = message.system_attributes_named(system_names);
    let asked_for = message.attributes_named(names);
    let attributes: Members = asked_for
        .map(|(name, attribute)| (Cow::Owned(name.to_owned()), attribute_value(attribute)))
        .collect();
    Value::map([
        ("MessageId", Some(message.id().into())),
        ("ReceiptHandle", Some(message.receipt_handle().into())),
        ("MD5OfBody", Some(message.md5_of_body().into())),
        ("Body", Some(message.body().into())),
        ("Attributes", (!system.is_empty()).then(|| Value::texts(system))),
        ("MD5OfMessageAttributes", message.md5_of_attributes_named(names).map(Value::from)),
        ("MessageAttributes", (!attributes.is_empty()).then_some(Value::Map(attributes))),
    ])
}

fn attribute_value(attribute: &MessageAttribute) -> Value {
    let data_type = Some(attribute.data_type().into());
    match attribute.value() {
        AttributeValue::Text(text) => {
            Value::map([("StringValue", Some(text.as_str().into())), ("DataType", data_type)])
        }
        AttributeValue::Binary(bytes) => {
            Value::map([("BinaryValue", Some(Value::Blob(bytes.clone()))), ("DataType", data_type)])
        }
    }
}

/// The answer to a batch; a list without entries is left out.
fn batch<T>(result: BatchResult<T>, mut members: impl FnMut(T) -> Members) -> Value {
    let successful = result.successful.into_iter().map(|(id, answer)| {
        let mut all: Members = vec![("Id".into(), Value::Text(id))];
        all.extend(members(answer));
        Value::Map(all)
    });
    let successful = Value::unless_empty(successful.collect());
    let failed = Value::unless_empty(result.failed.iter().map(failure).collect());
    Value::map([("Successful", successful), ("Failed", failed)])
}

fn refused_entry(id: &str, refusal: &Refusal) -> Value {
    Value::map([
        ("Id", Some(id.into())),
        ("SenderFault", Some(true.into())),
        ("Code", Some(refusal.query_code().into())),
        ("Message", Some(refusal.message.as_str().into())),
    ])
}

fn failure(failure: &BatchFailure) -> Value {
    Value::map([
        ("Id", Some(failure.id.as_str().into())),
        ("SenderFault", Some(failure.is_sender_fault().into())),
        ("Code", Some(failure.error.code().into())),
        ("Message", Some(failure.error.to_string().into())),
    ])
}
