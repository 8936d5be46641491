//! Messages: as they are sent, as they are kept in memory, and as a receiver gets them.

use crate::Timestamp;
use crate::queue::digest::{hex, md5_hex, md5_of_attributes};
use crate::queue::large::LargeBody;
use crate::queue::stored::Shared;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Bodies up to this length are put together.
const JOINED_LEN_MAX: usize = 1024;

/// A text that many share without copying it.
///
/// ```
/// use fourfold::queue::Text;
/// let text = Text::from("hello");
/// assert_eq!((text.as_str(), text.clone() == text), ("hello", true));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text(Bytes);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its bytes, UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }

    pub(super) fn is_short(&self) -> bool {
        self.0.len() <= JOINED_LEN_MAX
    }

    /// Puts the short ones of a request into one piece of memory, which each of them keeps: at most ten times their limit.
    pub(super) fn join(texts: &mut [&mut Self]) {
        let short = || texts.iter().filter(|text| text.is_short());
        if short().count() < 2 {
            return;
        }
        let len = short().map(|text| text.0.len()).sum();
        let mut joined = Vec::with_capacity(len);
        short().for_each(|text| joined.extend_from_slice(&text.0));
        let mut joined = Bytes::from(joined);
        for text in texts.iter_mut().filter(|text| text.is_short()) {
            text.0 = joined.split_to(text.0.len());
        }
    }

    /// None if the bytes are not UTF-8.
    pub(super) fn from_utf8(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).is_ok().then_some(Self(bytes))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The value of a [`MessageAttribute`].
///
/// ```
/// use fourfold::queue::{AttributeValue, MessageAttribute};
/// assert_eq!(MessageAttribute::number(7).value(), &AttributeValue::Text("7".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// Of `String` and `Number` attributes.
    Text(String),
    /// Of `Binary` attributes.
    Binary(Bytes),
}

/// Metadata that travels with a message: a type, `String`, `Number` or `Binary`, perhaps with a label of one's own
/// behind a dot, and a value.
///
/// ```
/// use fourfold::queue::MessageAttribute;
/// let amount = MessageAttribute::number("12.50").labelled("EUR");
/// assert_eq!(amount.data_type(), "Number.EUR");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageAttribute {
    data_type: String,
    value: AttributeValue,
}

impl MessageAttribute {
    /// A type and a value as they are; they are checked when the message is sent.
    pub fn new(data_type: impl Into<String>, value: AttributeValue) -> Self {
        Self { data_type: data_type.into(), value }
    }

    /// Of type `String`.
    pub fn string(value: impl Into<String>) -> Self {
        Self::new("String", AttributeValue::Text(value.into()))
    }

    /// Of type `Number`: up to 38 digits, between 10^-128 and 10^126.
    pub fn number(value: impl fmt::Display) -> Self {
        Self::new("Number", AttributeValue::Text(value.to_string()))
    }

    /// Of type `Binary`.
    pub fn binary(value: impl Into<Bytes>) -> Self {
        Self::new("Binary", AttributeValue::Binary(value.into()))
    }

    /// With a label of one's own behind the type.
    #[must_use]
    pub fn labelled(mut self, label: &str) -> Self {
        self.data_type.push('.');
        self.data_type.push_str(label);
        self
    }

    /// The type, label included.
    pub fn data_type(&self) -> &str {
        &self.data_type
    }

    /// The value.
    pub fn value(&self) -> &AttributeValue {
        &self.value
    }

    pub(super) fn into_value(self) -> AttributeValue {
        self.value
    }

    pub(super) fn value_len(&self) -> usize {
        match &self.value {
            AttributeValue::Text(text) => text.len(),
            AttributeValue::Binary(bytes) => bytes.len(),
        }
    }
}

/// Attributes of a message by name.
pub(super) type Attributes = BTreeMap<String, MessageAttribute>;

/// A message to be sent.
///
/// ```
/// use fourfold::{Store, queue::{MessageAttribute, NewQueue, SendMessage}};
/// let queues = Store::in_memory().queues();
/// let orders = queues.create(NewQueue::new("orders.fifo").fifo())?;
/// let order = SendMessage::new("2 apples")
///     .group("customer-7")
///     .deduplication_id("order-1")
///     .attribute("source", MessageAttribute::string("web"));
/// let sent = orders.send(order.clone())?;
/// assert_eq!(orders.send(order)?.sequence_number(), sent.sequence_number(), "a duplicate changes nothing");
/// assert_eq!(orders.receive(10)?.len(), 1);
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a message does nothing until it is sent"]
pub struct SendMessage {
    pub(super) body: Text,
    pub(super) delay: Option<i32>,
    pub(super) group: Option<String>,
    pub(super) deduplication_id: Option<String>,
    pub(super) attributes: Attributes,
    pub(super) system_attributes: Attributes,
    /// Where the body is, if that is large and was put there.
    pub(super) large: Option<Box<LargeBody>>,
    /// The SHA-256 of the body, if that is elsewhere.
    pub(super) content: Option<String>,
}

impl SendMessage {
    /// A message with this body: at least one character, none that XML 1.0 does not have.
    pub fn new(body: impl Into<Text>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// Seconds until it can be received, 0 to 900, instead of the queue's `DelaySeconds`. Standard queues only.
    pub fn delay(mut self, seconds: i32) -> Self {
        self.delay = Some(seconds);
        self
    }

    /// The message group: mandatory in a FIFO queue, where messages of a group come in order and one receive at a time;
    /// in a standard queue it names the tenant, and a noisy one does not delay the others.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Under which a FIFO queue knows duplicates for five minutes. Default, with `ContentBasedDeduplication`: the body's
    /// SHA-256.
    pub fn deduplication_id(mut self, id: impl Into<String>) -> Self {
        self.deduplication_id = Some(id.into());
        self
    }

    pub(crate) fn body_len(&self) -> usize {
        self.body.as_bytes().len()
    }

    /// Adds an attribute; at most ten.
    pub fn attribute(mut self, name: impl Into<String>, attribute: MessageAttribute) -> Self {
        self.attributes.insert(name.into(), attribute);
        self
    }

    /// Adds a system attribute: there is one, `AWSTraceHeader`, a `String`. It does not count into the message's size.
    pub fn system_attribute(mut self, name: impl Into<String>, attribute: MessageAttribute) -> Self {
        self.system_attributes.insert(name.into(), attribute);
        self
    }
}

impl<T: Into<Text>> From<T> for SendMessage {
    fn from(body: T) -> Self {
        Self::new(body)
    }
}

/// What a queue answers to a message sent.
///
/// ```
/// let jobs = fourfold::Store::in_memory().queues().create("jobs")?;
/// let sent = jobs.send("hello world")?;
/// assert_eq!(sent.md5_of_body(), "5eb63bbbe01eeed093cb22bb8f5acdc3");
/// assert_eq!(sent.id().len(), 36);
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sent {
    pub(super) id: [u8; 16],
    pub(super) sequence_number: Option<u64>,
    pub(super) message: Shared,
}

impl Sent {
    /// The message's id; of a duplicate, that of the message sent first.
    pub fn id(&self) -> String {
        uuid(self.id)
    }

    /// The message's place in a FIFO queue, 20 digits; of a duplicate, that of the message sent first.
    pub fn sequence_number(&self) -> Option<String> {
        self.sequence_number.map(sequence_number)
    }

    /// MD5 of the body, in hexadecimal digits.
    pub fn md5_of_body(&self) -> String {
        match &self.message.large {
            Some(large) => hex(&large.md5),
            None => md5_hex(self.message.body.as_bytes()),
        }
    }

    /// MD5 of the attributes, if there are any.
    pub fn md5_of_attributes(&self) -> Option<String> {
        md5_of_attributes(named(&self.message.attributes))
    }

    /// MD5 of the system attributes, if there are any.
    pub fn md5_of_system_attributes(&self) -> Option<String> {
        let trace = self.message.trace.as_ref().map(MessageAttribute::string);
        md5_of_attributes(trace.as_ref().map(|trace| ("AWSTraceHeader", trace)))
    }
}

/// A delivery of a message: the message, and the receipt handle by which this delivery is known.
///
/// ```
/// let jobs = fourfold::Store::in_memory().queues().create("jobs")?;
/// jobs.send("hello")?;
/// let message = jobs.receive(1)?.remove(0);
/// assert_eq!((message.body(), message.receive_count()), ("hello", 1));
/// jobs.delete_message(message.receipt_handle())?;
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Message {
    pub(super) stored: Shared,
    pub(super) id: [u8; 16],
    pub(super) is_fifo: bool,
    pub(super) sent: Timestamp,
    pub(super) receive_count: u32,
    pub(super) first_received: Option<Timestamp>,
    pub(super) receipt: String,
    pub(super) sender: Arc<str>,
    /// `arn:aws:sqs:<region>:<account>:` of the store.
    pub(super) arns: Arc<str>,
}

impl Message {
    /// The id that it got when it was sent; it keeps it in a dead-letter queue.
    pub fn id(&self) -> String {
        uuid(self.id)
    }

    /// What was sent.
    pub fn body(&self) -> &str {
        self.stored.body.as_str()
    }

    /// The body as a text to keep, without a copy.
    pub fn text(&self) -> &Text {
        &self.stored.body
    }

    /// MD5 of the body, in hexadecimal digits.
    pub fn md5_of_body(&self) -> String {
        md5_hex(self.stored.body.as_bytes())
    }

    /// What this delivery is known by: it deletes the message or changes how long it stays invisible. Empty for a message
    /// that was only [looked at](crate::queue::Queue::peek).
    pub fn receipt_handle(&self) -> &str {
        &self.receipt
    }

    /// How often it was received, in dead-letter queues together with its queue of origin.
    pub fn receive_count(&self) -> u32 {
        self.receive_count
    }

    /// When it was sent. A FIFO dead-letter queue counts anew.
    pub fn sent(&self) -> Timestamp {
        self.sent
    }

    /// When it was received first, if it was.
    pub fn first_received(&self) -> Option<Timestamp> {
        self.first_received
    }

    /// Its message group.
    pub fn group(&self) -> Option<&str> {
        self.stored.group.as_deref()
    }

    /// Its deduplication id, in FIFO queues.
    pub fn deduplication_id(&self) -> Option<&str> {
        self.stored.deduplication_id.as_deref()
    }

    /// Its place in a FIFO queue: 20 digits, growing.
    pub fn sequence_number(&self) -> Option<String> {
        self.is_fifo.then(|| sequence_number(self.stored.seq))
    }

    /// Its attributes, in the order of their names.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &MessageAttribute)> {
        named(&self.stored.attributes)
    }

    /// The attributes that a request of these `MessageAttributeNames` gets: `All`, `.*` and `*` ask for all of them,
    /// `prefix.*` for those that begin so, other names for themselves.
    pub fn attributes_named<'a>(
        &'a self,
        names: &'a [impl AsRef<str>],
    ) -> impl Iterator<Item = (&'a str, &'a MessageAttribute)> {
        self.attributes().filter(|(name, _)| names.iter().any(|asked| asks_for(asked.as_ref(), name)))
    }

    /// MD5 of [`attributes_named`](Self::attributes_named), if there are any.
    pub fn md5_of_attributes_named(&self, names: &[impl AsRef<str>]) -> Option<String> {
        md5_of_attributes(self.attributes_named(names))
    }

    /// All system attributes by the service's names, as texts.
    pub fn system_attributes(&self) -> BTreeMap<&'static str, String> {
        let mut all = BTreeMap::new();
        all.insert("SenderId", self.sender.to_string());
        all.insert("SentTimestamp", self.sent.as_millis().to_string());
        all.insert("ApproximateReceiveCount", self.receive_count.to_string());
        let first = self.first_received.map(|at| at.as_millis().to_string());
        let mut add = |name, value: Option<String>| value.map(|value| all.insert(name, value));
        add("ApproximateFirstReceiveTimestamp", first);
        add("MessageGroupId", self.group().map(str::to_owned));
        add("MessageDeduplicationId", self.stored.deduplication_id.clone());
        add("SequenceNumber", self.sequence_number());
        add("AWSTraceHeader", self.stored.trace.clone());
        add("DeadLetterQueueSourceArn", self.dead_letter_source());
        all
    }

    /// The system attributes that a request of these `MessageSystemAttributeNames` (or `AttributeNames`) gets: `All`, or
    /// those it names.
    pub fn system_attributes_named(&self, names: &[impl AsRef<str>]) -> BTreeMap<&'static str, String> {
        let mut all = self.system_attributes();
        if !names.iter().any(|name| name.as_ref() == "All") {
            all.retain(|name, _| names.iter().any(|asked| asked.as_ref() == *name));
        }
        all
    }

    /// The ARN of the queue that gave it up, for a dead letter.
    pub fn dead_letter_source(&self) -> Option<String> {
        self.stored.origin.as_ref().map(|origin| format!("{}{}", self.arns, origin.queue))
    }
}

fn named(attributes: &Attributes) -> impl Iterator<Item = (&str, &MessageAttribute)> {
    attributes.iter().map(|(name, attribute)| (name.as_str(), attribute))
}

/// Does a name in a request ask for the attribute `name`?
fn asks_for(asked: &str, name: &str) -> bool {
    match asked {
        "All" | ".*" | "*" => true,
        _ => asked == name || asked.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix)),
    }
}

/// The text form of a message id.
pub(super) fn uuid(id: [u8; 16]) -> String {
    let bits = u128::from_be_bytes(id);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        bits >> 80 & 0xffff,
        bits >> 64 & 0xffff,
        bits >> 48 & 0xffff,
        bits & 0xffff_ffff_ffff
    )
}

/// A sequence number has 20 digits, which numbers of this millennium reach by an offset.
pub(super) fn sequence_number(seq: u64) -> String {
    const OFFSET: u128 = 10_000_000_000_000_000_000;
    (OFFSET + u128::from(seq)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_request_ask_for_attributes() {
        for all in ["All", ".*", "*"] {
            assert!(asks_for(all, "x"));
        }
        assert!(asks_for("a.b", "a.b") && !asks_for("a.b", "a.bc"));
        assert!(asks_for("a.*", "a.bc") && asks_for("a.*", "abc") && !asks_for("a.*", "b.a"));
        assert!(!asks_for("\u{0}", "x") && !asks_for("", "x"));
    }

    #[test]
    fn ids_and_numbers_have_the_services_form() {
        assert_eq!(uuid([0xab; 16]), "abababab-abab-abab-abab-abababababab");
        assert_eq!(sequence_number(0).len(), 20);
        assert_eq!(sequence_number(1 << 62).len(), 20);
        assert!(sequence_number(99) < sequence_number(100));
    }
}
