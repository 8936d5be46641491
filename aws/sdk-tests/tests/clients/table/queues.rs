//! Queues.

use super::{Answer, Known, Refused, answer, check, is, list, no, pass, told};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, DeleteMessageBatchResultEntry, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use fourfold::Store;
use fourfold::queue::{
    AttributeValue, BatchEntry, Error, MessageAttribute, NewQueue, Queue, QueueAttributes, Receive,
    SendMessage,
};

type Pairs = &'static [(&'static str, &'static str)];

/// A request.
#[derive(Debug)]
enum Do {
    Create(&'static str, Pairs),
    Find(&'static str),
    List(&'static str),
    Delete(&'static str),
    Set(&'static str, Pairs),
    Attribute(&'static str, &'static str),
    Tag(&'static str, &'static str, &'static str),
    Untag(&'static str, &'static str),
    Tags(&'static str),
    Send(&'static str, Text),
    SendAll(&'static str, Pairs),
    Receive(&'static str, Take),
    /// Messages go by their bodies, once they were received.
    Forget(&'static str, &'static str),
    ForgetAll(&'static str, Pairs),
    Hide(&'static str, &'static str, i32),
    Purge(&'static str),
    Sources(&'static str),
}

#[derive(Debug, Default)]
struct Text {
    body: &'static str,
    delay: Option<i32>,
    group: Option<&'static str>,
    deduplication: Option<&'static str>,
    /// Name, type, value.
    attribute: Option<(&'static str, &'static str, &'static str)>,
}

#[derive(Debug, Default)]
struct Take {
    max: Option<i32>,
    wait: Option<i32>,
    visibility: Option<i32>,
}

const fn text(body: &'static str) -> Text {
    Text { body, delay: None, group: None, deduplication: None, attribute: None }
}

const fn grouped(body: &'static str, group: &'static str, deduplication: Option<&'static str>) -> Text {
    Text { group: Some(group), deduplication, ..text(body) }
}

const fn up_to(max: i32) -> Take {
    Take { max: Some(max), wait: None, visibility: None }
}

const DEAD: &str =
    r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":"1"}"#;
const NOWHERE: &str =
    r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:nowhere","maxReceiveCount":"1"}"#;
const NON_EXISTENT: &str = "AWS.SimpleQueueService.NonExistentQueue";

#[tokio::test]
async fn queues_answer_alike() {
    use Do::*;
    let rows = vec![
        is(Create("jobs", &[]), "jobs"),
        is(Create("jobs", &[]), "jobs"),
        no(Create("jobs", &[("DelaySeconds", "7")]), "QueueAlreadyExists"),
        no(Create("not a name", &[]), "InvalidParameterValue"),
        no(Create("x", &[("DelaySeconds", "901")]), "InvalidAttributeValue"),
        no(Create("x", &[("Nonsense", "1")]), "InvalidAttributeName"),
        no(Create("x.fifo", &[]), "InvalidParameterValue"),
        no(Create("x", &[("FifoQueue", "true")]), "InvalidParameterValue"),
        is(Create("dead", &[("MessageRetentionPeriod", "1209600")]), "dead"),
        no(Set("jobs", &[("RedrivePolicy", NOWHERE)]), "InvalidParameterValue"),
        is(Set("jobs", &[("VisibilityTimeout", "40")]), ""),
        no(Set("jobs", &[("VisibilityTimeout", "x")]), "InvalidAttributeValue"),
        no(Set("jobs", &[("FifoQueue", "true")]), "InvalidAttributeName"),
        no(Set("nope", &[("DelaySeconds", "1")]), NON_EXISTENT),
        is(Attribute("jobs", "VisibilityTimeout"), "40"),
        is(Attribute("jobs", "QueueArn"), "arn:aws:sqs:us-east-1:000000000000:jobs"),
        no(Attribute("jobs", "Nonsense"), "InvalidAttributeName"),
        no(Attribute("nope", "All"), NON_EXISTENT),
        is(Find("jobs"), "jobs"),
        no(Find("nope"), NON_EXISTENT),
        is(List(""), "dead jobs"),
        is(List("j"), "jobs"),
        is(List("z"), ""),
        is(Tag("jobs", "team", "a"), ""),
        is(Tag("jobs", "stage", ""), ""),
        is(Tags("jobs"), "stage= team=a"),
        is(Untag("jobs", "stage"), ""),
        is(Tags("jobs"), "team=a"),
        no(Tags("nope"), NON_EXISTENT),
        // Messages.
        is(Send("jobs", text("hello")), "5d41402abc4b2a76b9719d911017c592"),
        is(
            Send("jobs", Text { attribute: Some(("Foo", "String", "Bar")), ..text("with one") }),
            "ae7155c6026991b6d54b11589678bf9c",
        ),
        is(Send("jobs", Text { attribute: Some(("bytes", "Binary.own", "Bar")), ..text("bytes") }), ""),
        no(
            Send("jobs", Text { attribute: Some(("AWS.x", "String", "v")), ..text("a") }),
            "InvalidParameterValue",
        ),
        no(
            Send("jobs", Text { attribute: Some(("n", "Number", "x")), ..text("a") }),
            "InvalidParameterValue",
        ),
        no(
            Send("jobs", Text { attribute: Some(("n", "Nonsense", "x")), ..text("a") }),
            "InvalidParameterValue",
        ),
        no(Send("jobs", text("")), "MissingParameter"),
        no(Send("jobs", text("\u{1}")), "InvalidMessageContents"),
        no(Send("jobs", Text { delay: Some(901), ..text("a") }), "InvalidParameterValue"),
        no(Send("jobs", Text { delay: Some(-1), ..text("a") }), "InvalidParameterValue"),
        no(Send("nope", text("a")), NON_EXISTENT),
        is(Attribute("jobs", "ApproximateNumberOfMessages"), "3"),
        is(Receive("jobs", up_to(10)), "hello"),
        is(Receive("jobs", up_to(10)), ""),
        is(Attribute("jobs", "ApproximateNumberOfMessagesNotVisible"), "3"),
        no(Receive("jobs", up_to(0)), "InvalidParameterValue"),
        no(Receive("jobs", up_to(11)), "InvalidParameterValue"),
        no(Receive("jobs", Take { wait: Some(21), ..up_to(1) }), "InvalidParameterValue"),
        no(Receive("jobs", Take { visibility: Some(43_201), ..up_to(1) }), "InvalidParameterValue"),
        no(Receive("nope", up_to(1)), NON_EXISTENT),
        is(Hide("jobs", "hello", 0), ""),
        no(Hide("jobs", "with one", 43_201), "InvalidParameterValue"),
        no(Hide("jobs", "nonsense", 1), "ReceiptHandleIsInvalid"),
        is(Receive("jobs", up_to(1)), "hello"),
        is(Forget("jobs", "hello"), ""),
        is(Forget("jobs", "hello"), ""),
        no(Forget("jobs", "nonsense"), "ReceiptHandleIsInvalid"),
        no(Hide("jobs", "hello", 1), "InvalidParameterValue"),
        pass(40),
        is(Receive("jobs", Take { visibility: Some(5), ..up_to(10) }), "with one"),
        is(ForgetAll("jobs", &[("a", "with one"), ("b", "nonsense")]), "a; b ReceiptHandleIsInvalid"),
        no(ForgetAll("jobs", &[]), "AWS.SimpleQueueService.EmptyBatchRequest"),
        is(SendAll("jobs", &[("a", "one"), ("b", "\u{1}"), ("c", "two")]), "b InvalidMessageContents"),
        no(SendAll("jobs", &[]), "AWS.SimpleQueueService.EmptyBatchRequest"),
        no(SendAll("jobs", &[("a", "1"), ("a", "2")]), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
        no(SendAll("jobs", &[("a b", "1")]), "AWS.SimpleQueueService.InvalidBatchEntryId"),
        no(SendAll("jobs", &[("a", "x"); 11]), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
        is(Purge("jobs"), ""),
        no(Purge("jobs"), "AWS.SimpleQueueService.PurgeQueueInProgress"),
        pass(60),
        is(Purge("jobs"), ""),
        // Time.
        is(Send("jobs", Text { delay: Some(900), ..text("later") }), ""),
        is(Attribute("jobs", "ApproximateNumberOfMessagesDelayed"), "1"),
        is(Receive("jobs", up_to(1)), ""),
        pass(900),
        is(Receive("jobs", Take { visibility: Some(1), ..up_to(1) }), "later"),
        is(Set("jobs", &[("RedrivePolicy", DEAD)]), ""),
        is(Sources("dead"), "jobs"),
        pass(1),
        is(Receive("jobs", up_to(1)), ""),
        is(Receive("dead", up_to(1)), "later"),
        // In order, and once.
        is(Create("orders.fifo", &[("FifoQueue", "true")]), "orders.fifo"),
        no(Send("orders.fifo", text("a")), "MissingParameter"),
        no(Send("orders.fifo", grouped("a", "g", None)), "InvalidParameterValue"),
        no(
            Send("orders.fifo", Text { delay: Some(1), ..grouped("a", "g", Some("1")) }),
            "InvalidParameterValue",
        ),
        is(Send("orders.fifo", grouped("first", "g", Some("1"))), ""),
        is(Send("orders.fifo", grouped("second", "g", Some("1"))), ""),
        is(Send("orders.fifo", grouped("third", "g", Some("2"))), ""),
        is(Send("orders.fifo", grouped("other", "h", Some("3"))), ""),
        is(Receive("orders.fifo", up_to(1)), "first"),
        is(Receive("orders.fifo", up_to(10)), "other"),
        is(Forget("orders.fifo", "first"), ""),
        is(Receive("orders.fifo", up_to(10)), "third"),
        // The end.
        is(Delete("orders.fifo"), ""),
        no(Delete("orders.fifo"), NON_EXISTENT),
        no(Create("orders.fifo", &[("FifoQueue", "true")]), "AWS.SimpleQueueService.QueueDeletedRecently"),
        pass(60),
        is(Create("orders.fifo", &[("FifoQueue", "true")]), "orders.fifo"),
    ];
    check(&rows, native, |config| Client::new(config), by_sdk).await;
}

fn refused(error: &Error) -> Refused {
    Refused::new(error.query_code(), error)
}

fn native(store: &Store, known: &mut Known, request: &Do) -> Answer {
    by_library(store, known, request).map_err(|error| refused(&error))
}

fn by_library(store: &Store, known: &mut Known, request: &Do) -> Result<String, Error> {
    let queues = store.queues();
    let nothing = |()| String::new();
    match *request {
        Do::Create(name, attributes) => {
            let new = NewQueue::new(name).attributes(attributes.iter().copied().collect());
            Ok(queues.create(new)?.name().to_owned())
        }
        Do::Find(name) => Ok(queues.get(name)?.name().to_owned()),
        Do::List(prefix) => Ok(list(queues.list(prefix, None, None)?.queues.iter().map(Queue::name))),
        Do::Delete(name) => queues.delete(name).map(nothing),
        Do::Set(name, attributes) => {
            let attributes: QueueAttributes = attributes.iter().copied().collect();
            queues.get(name)?.set_attributes(&attributes).map(nothing)
        }
        Do::Attribute(name, attribute) => Ok(list(queues.get(name)?.attributes(&[attribute])?.into_values())),
        Do::Tag(name, key, value) => queues.get(name)?.tag([(key, value)]).map(nothing),
        Do::Untag(name, key) => queues.get(name)?.untag(&[key]).map(nothing),
        Do::Tags(name) => {
            Ok(list(queues.get(name)?.tags()?.iter().map(|(key, value)| format!("{key}={value}"))))
        }
        Do::Send(name, ref text) => {
            let sent = queues.get(name)?.send(text.message())?;
            let body = Some(sent.md5_of_body());
            Ok(told([Some(sent.id()), body, sent.md5_of_attributes(), sent.sequence_number()]))
        }
        Do::SendAll(name, messages) => {
            let entries = messages.iter().map(|(id, body)| BatchEntry::new(*id, SendMessage::new(*body)));
            let result = queues.get(name)?.send_batch(entries.collect())?;
            let sent = list(result.successful.iter().map(|(id, sent)| format!("{id} {}", sent.id())));
            let failed = result
                .failed
                .iter()
                .map(|failed| format!("{} {} {}", failed.id, failed.error.code(), failed.error));
            Ok(format!("{sent}; {}", list(failed)))
        }
        Do::Receive(name, ref take) => {
            let received = queues.get(name)?.receive(take.request())?;
            let told = received.iter().map(|message| {
                known.keep(message.body(), message.receipt_handle());
                let (count, sent) =
                    (message.receive_count().to_string(), message.sent().as_millis().to_string());
                let md5 = message.md5_of_attributes_named(&["All"]);
                let body = message.body().to_owned();
                told([
                    Some(body),
                    Some(message.id()),
                    Some(count),
                    Some(sent),
                    md5,
                    message.sequence_number(),
                ])
            });
            Ok(list(told))
        }
        Do::Forget(name, body) => queues.get(name)?.delete_message(known.get(body)).map(nothing),
        Do::ForgetAll(name, bodies) => {
            let entries = bodies.iter().map(|(id, body)| BatchEntry::new(*id, known.get(body).to_owned()));
            let result = queues.get(name)?.delete_batch(entries.collect())?;
            let gone = list(result.successful.iter().map(|(id, ())| id));
            let failed = result
                .failed
                .iter()
                .map(|failed| format!("{} {} {}", failed.id, failed.error.code(), failed.error));
            Ok(format!("{gone}; {}", list(failed)))
        }
        Do::Hide(name, body, seconds) => {
            queues.get(name)?.change_visibility(known.get(body), seconds).map(nothing)
        }
        Do::Purge(name) => queues.get(name)?.purge().map(nothing),
        Do::Sources(name) => {
            let sources = queues.get(name)?.dead_letter_sources(None, None)?;
            Ok(list(sources.queues.iter().map(Queue::name)))
        }
    }
}

impl Text {
    fn message(&self) -> SendMessage {
        let mut message = SendMessage::new(self.body);
        if let Some(seconds) = self.delay {
            message = message.delay(seconds);
        }
        if let Some(group) = self.group {
            message = message.group(group);
        }
        if let Some(id) = self.deduplication {
            message = message.deduplication_id(id);
        }
        if let Some((name, data_type, value)) = self.attribute {
            let value = if data_type.starts_with("Binary") {
                AttributeValue::Binary(value.into())
            } else {
                AttributeValue::Text(value.to_owned())
            };
            message = message.attribute(name, MessageAttribute::new(data_type, value));
        }
        message
    }
}

impl Take {
    fn request(&self) -> Receive {
        let mut receive = Receive::new();
        if let Some(max) = self.max {
            receive = receive.max_messages(max);
        }
        if let Some(wait) = self.wait {
            receive = receive.wait(wait);
        }
        if let Some(visibility) = self.visibility {
            receive = receive.visibility_timeout(visibility);
        }
        receive
    }
}

/// A queue's name, from its URL.
fn name(url: &str) -> String {
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

async fn by_sdk(sqs: &Client, known: &mut Known, request: &Do) -> Answer {
    let nothing = String::new();
    Ok(match *request {
        Do::Create(queue, attributes) => {
            let create = sqs.create_queue().queue_name(queue);
            let create = attributes.iter().fold(create, |create, (name, value)| {
                create.attributes(QueueAttributeName::from(*name), *value)
            });
            name(answer!(create)?.queue_url().unwrap())
        }
        Do::Find(queue) => name(answer!(sqs.get_queue_url().queue_name(queue))?.queue_url().unwrap()),
        Do::List(prefix) => {
            let found = answer!(sqs.list_queues().queue_name_prefix(prefix))?;
            list(found.queue_urls().iter().map(|url| name(url)))
        }
        Do::Delete(queue) => answer!(sqs.delete_queue().queue_url(queue)).map(|_| nothing)?,
        Do::Set(queue, attributes) => {
            let set = sqs.set_queue_attributes().queue_url(queue);
            let set = attributes
                .iter()
                .fold(set, |set, (name, value)| set.attributes(QueueAttributeName::from(*name), *value));
            answer!(set).map(|_| nothing)?
        }
        Do::Attribute(queue, attribute) => {
            let get = sqs.get_queue_attributes().queue_url(queue);
            let got = answer!(get.attribute_names(QueueAttributeName::from(attribute)))?;
            list(got.attributes().into_iter().flatten().map(|(_, value)| value))
        }
        Do::Tag(queue, key, value) => {
            answer!(sqs.tag_queue().queue_url(queue).tags(key, value)).map(|_| nothing)?
        }
        Do::Untag(queue, key) => {
            answer!(sqs.untag_queue().queue_url(queue).tag_keys(key)).map(|_| nothing)?
        }
        Do::Tags(queue) => {
            let found = answer!(sqs.list_queue_tags().queue_url(queue))?;
            let mut tags: Vec<_> = found.tags().into_iter().flatten().collect();
            tags.sort_unstable();
            list(tags.into_iter().map(|(key, value)| format!("{key}={value}")))
        }
        Do::Send(queue, ref text) => {
            let send = sqs.send_message().queue_url(queue).message_body(text.body);
            let send = send.set_delay_seconds(text.delay).set_message_group_id(text.group.map(str::to_owned));
            let send = send.set_message_deduplication_id(text.deduplication.map(str::to_owned));
            let done = answer!(match text.attribute {
                Some((name, data_type, value)) => send.message_attributes(name, attribute(data_type, value)),
                None => send,
            })?;
            told([
                done.message_id,
                done.md5_of_message_body,
                done.md5_of_message_attributes,
                done.sequence_number,
            ])
        }
        Do::SendAll(queue, messages) => {
            let entries = messages.iter().map(|(id, body)| {
                SendMessageBatchRequestEntry::builder().id(*id).message_body(*body).build().unwrap()
            });
            let batch = sqs.send_message_batch().queue_url(queue).set_entries(Some(entries.collect()));
            let result = answer!(batch)?;
            let sent = result.successful().iter().map(|sent| format!("{} {}", sent.id(), sent.message_id()));
            let failed = result
                .failed()
                .iter()
                .map(|failed| format!("{} {} {}", failed.id(), failed.code(), failed.message().unwrap()));
            format!("{}; {}", list(sent), list(failed))
        }
        Do::Receive(queue, ref take) => {
            let receive = sqs.receive_message().queue_url(queue).message_attribute_names("All");
            let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
            let receive = receive.set_max_number_of_messages(take.max).set_wait_time_seconds(take.wait);
            let received = answer!(receive.set_visibility_timeout(take.visibility))?;
            let told = received.messages().iter().map(|message| {
                let body = message.body().unwrap();
                known.keep(body, message.receipt_handle().unwrap());
                let system = |name| message.attributes().and_then(|all| all.get(&name)).cloned();
                told([
                    Some(body.to_owned()),
                    message.message_id.clone(),
                    system(MessageSystemAttributeName::ApproximateReceiveCount),
                    system(MessageSystemAttributeName::SentTimestamp),
                    message.md5_of_message_attributes.clone(),
                    system(MessageSystemAttributeName::SequenceNumber),
                ])
            });
            list(told)
        }
        Do::Forget(queue, body) => {
            let handle = known.get(body);
            answer!(sqs.delete_message().queue_url(queue).receipt_handle(handle)).map(|_| nothing)?
        }
        Do::ForgetAll(queue, bodies) => {
            let entries = bodies.iter().map(|(id, body)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(*id);
                entry.receipt_handle(known.get(body)).build().unwrap()
            });
            let delete = sqs.delete_message_batch().queue_url(queue).set_entries(Some(entries.collect()));
            let result = answer!(delete)?;
            let gone = list(result.successful().iter().map(DeleteMessageBatchResultEntry::id));
            let failed = result
                .failed()
                .iter()
                .map(|failed| format!("{} {} {}", failed.id(), failed.code(), failed.message().unwrap()));
            format!("{gone}; {}", list(failed))
        }
        Do::Hide(queue, body, seconds) => {
            let hide = sqs.change_message_visibility().queue_url(queue).visibility_timeout(seconds);
            answer!(hide.receipt_handle(known.get(body))).map(|_| nothing)?
        }
        Do::Purge(queue) => answer!(sqs.purge_queue().queue_url(queue)).map(|_| nothing)?,
        Do::Sources(queue) => {
            let found = answer!(sqs.list_dead_letter_source_queues().queue_url(queue))?;
            list(found.queue_urls().iter().map(|url| name(url)))
        }
    })
}

fn attribute(data_type: &str, value: &str) -> MessageAttributeValue {
    let attribute = MessageAttributeValue::builder().data_type(data_type);
    let attribute = if data_type.starts_with("Binary") {
        attribute.binary_value(Blob::new(value))
    } else {
        attribute.string_value(value)
    };
    attribute.build().unwrap()
}
