//! Queues as their users see them: each rule of the service that is easily missed, by its code and words.

use fourfold::queue::{
    BatchEntry, Dials, Error, MessageAttribute, MessageState, NewQueue, Queue, QueueAttributes, Queues,
    Receive, SendMessage,
};
use fourfold::{ManualClock, Store};
use std::time::Duration;

pub(crate) struct World {
    pub(crate) store: Store,
    clock: ManualClock,
    pub(crate) queues: Queues,
}

pub(crate) fn world() -> World {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).seed(1).open_in_memory();
    World { queues: store.queues(), store, clock }
}

impl World {
    pub(crate) fn standard(&self) -> Queue {
        self.queues.create("queue").unwrap()
    }

    fn fifo(&self) -> Queue {
        self.with("queue.fifo", QueueAttributes::new().content_based_deduplication())
    }

    pub(crate) fn with(&self, name: &str, attributes: QueueAttributes) -> Queue {
        let queue = NewQueue::new(name).attributes(attributes);
        self.queues.create(if name.contains('.') { queue.fifo() } else { queue }).unwrap()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn send(queue: &Queue, group: &str, bodies: &[&str]) {
    for body in bodies {
        queue.send(SendMessage::new(*body).group(group)).unwrap();
    }
}

/// Bodies of up to `max` messages received, and their handles.
pub(crate) fn take(queue: &Queue, max: i32) -> (Vec<String>, Vec<String>) {
    let messages = queue.receive(max).unwrap();
    let both =
        messages.iter().map(|message| (message.body().to_owned(), message.receipt_handle().to_owned()));
    both.unzip()
}

fn bodies(queue: &Queue, max: i32) -> Vec<String> {
    take(queue, max).0
}

/// The code and the message of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> (&'static str, String) {
    let error = result.unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn a_group_comes_in_order_and_groups_as_they_become_available() {
    let world = world();
    let queue = world.fifo();
    send(&queue, "a", &["a1", "a2"]);
    send(&queue, "b", &["b1"]);
    send(&queue, "a", &["a3"]);
    let (got, handles) = take(&queue, 3);
    assert_eq!(got, ["a1", "a2", "a3"], "as many of a group as fit, before the next");
    send(&queue, "a", &["a4"]);
    assert_eq!(bodies(&queue, 10), ["b1"], "the whole group is locked, also what is sent later");
    queue.delete_message(&handles[0]).unwrap();
    queue.delete_message(&handles[1]).unwrap();
    assert_eq!(bodies(&queue, 10), [""; 0], "one is still in flight");
    queue.delete_message(&handles[2]).unwrap();
    assert_eq!(bodies(&queue, 10), ["a4"]);
}

#[test]
fn a_change_of_visibility_holds_back_what_is_behind() {
    let world = world();
    let queue = world.fifo();
    send(&queue, "a", &["1", "2", "3"]);
    let (_, handles) = take(&queue, 3);
    queue.change_visibility(&handles[1], 100).unwrap();
    world.pass(31);
    assert_eq!(bodies(&queue, 10), ["1"], "earlier ones come back at their own time");
    world.pass(31);
    assert_eq!(bodies(&queue, 10), ["1"]);
    world.pass(70);
    let (got, handles) = take(&queue, 10);
    assert_eq!(got, ["1", "2", "3"]);
    for handle in &handles {
        queue.change_visibility(handle, 0).unwrap();
    }
    assert_eq!(bodies(&queue, 1), ["1"], "zero means now, and the order is kept");
}

#[test]
fn no_visibility_timeout_locks_nothing() {
    let world = world();
    let queue = world.fifo();
    send(&queue, "a", &["a1"]);
    for count in 1..=3 {
        let got = queue.receive(Receive::new().visibility_timeout(0)).unwrap();
        assert_eq!((got[0].body(), got[0].receive_count()), ("a1", count));
    }
}

#[test]
fn who_was_received_without_a_timeout_is_behind_those_who_wait() {
    let world = world();
    let queue = world.fifo();
    send(&queue, "a", &["a1"]);
    send(&queue, "b", &["b1", "b2"]);
    send(&queue, "c", &["c1"]);
    send(&queue, "a", &["a2"]);
    let look = |max: i32| {
        let got = queue.receive(Receive::new().max_messages(max).visibility_timeout(0)).unwrap();
        got.iter().map(|message| message.body().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(look(3), ["a1", "a2", "b1"]);
    assert_eq!(look(10), ["c1", "a1", "a2", "b1", "b2"]);
    assert_eq!(look(2), ["c1", "a1"], "all of them were served, in this order");
}

#[test]
fn an_expired_group_moves_behind_those_that_wait() {
    let world = world();
    let queue = world.fifo();
    send(&queue, "a", &["a1", "a2"]);
    let (_, handles) = take(&queue, 2);
    send(&queue, "b", &["b1"]);
    queue.delete_message(&handles[0]).unwrap();
    world.pass(30);
    assert_eq!(bodies(&queue, 1), ["b1"]);
    assert_eq!(bodies(&queue, 1), ["a2"], "from the first that is left");
    let (code, message) = refusal(queue.delete_message(&handles[1]));
    assert_eq!(code, "InvalidParameterValue");
    let handle = &handles[1];
    assert_eq!(
        message,
        format!(
            "Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
        )
    );
}

#[test]
fn who_takes_one_message_after_the_other_gets_them_as_they_were_sent() {
    let world = world();
    let queue = world.fifo();
    let sent = [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3"), ("b", "b2"), ("c", "c1"), ("a", "a4")];
    for (group, body) in sent {
        send(&queue, group, &[body]);
    }
    // The copy knows at first where groups begin and end, and nothing of what is in between.
    for queue in [queue, world.store.fork().unwrap().queues().get("queue.fifo").unwrap()] {
        for (_, body) in sent {
            let (bodies, handles) = take(&queue, 1);
            assert_eq!(bodies, [body], "a group stands where its next message was sent");
            queue.delete_message(&handles[0]).unwrap();
        }
    }
}

#[test]
fn handles_of_a_standard_queue_do_not_age() {
    let world = world();
    let queue = world.standard();
    queue.send("x").unwrap();
    let (_, first) = take(&queue, 1);
    world.pass(30);
    queue.change_visibility(&first[0], 5).unwrap();
    assert_eq!(queue.stats().unwrap().visible, 1, "what has ended is not brought back");
    let (_, second) = take(&queue, 1);
    assert_ne!(first, second, "each delivery has its own");
    queue.change_visibility(&first[0], 1).unwrap();
    world.pass(1);
    let (got, _) = take(&queue, 1);
    assert_eq!(got, ["x"], "the old one acts on the message");
    queue.delete_message(&first[0]).unwrap();
    queue.delete_message(&second[0]).unwrap();
    let (code, message) = refusal(queue.change_visibility(&second[0], 5));
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.ends_with("Message does not exist or is not available for visibility timeout change."));
    assert_eq!(
        refusal(queue.delete_message("garbage")),
        (
            "ReceiptHandleIsInvalid",
            "The input receipt handle \"garbage\" is not a valid receipt handle.".to_owned()
        )
    );
    let other = world.queues.create("other").unwrap();
    assert_eq!(refusal(other.delete_message(&second[0])).0, "ReceiptHandleIsInvalid");
}

#[test]
fn twelve_hours_and_no_more() {
    let world = world();
    let queue = world.standard();
    queue.send("x").unwrap();
    let (_, handles) = take(&queue, 1);
    queue.change_visibility(&handles[0], 43_200).unwrap();
    world.pass(1);
    assert_eq!(
        refusal(queue.change_visibility(&handles[0], 43_200)),
        (
            "InvalidParameterValue",
            "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is \
             beyond the limit [43200 seconds]"
                .to_owned()
        )
    );
    queue.change_visibility(&handles[0], 43_199).unwrap();
    assert_eq!(refusal(queue.change_visibility(&handles[0], -1)).0, "InvalidParameterValue");
    assert_eq!(queue.stats().unwrap().in_flight, 1);
}

#[test]
fn a_deduplication_id_outlives_its_message() {
    let world = world();
    let queue = world.fifo();
    let message = || SendMessage::new("x").group("a");
    let first = queue.send(message()).unwrap();
    let (_, handles) = take(&queue, 1);
    queue.delete_message(&handles[0]).unwrap();
    world.pass(299);
    // An explicit id that is the hash of the body, from another group: the same id.
    let hash = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let again = queue.send(SendMessage::new("y").group("b").deduplication_id(hash)).unwrap();
    assert_eq!((again.id(), again.sequence_number()), (first.id(), first.sequence_number()));
    assert_eq!(bodies(&queue, 1), [""; 0]);
    world.pass(1);
    let later = queue.send(message()).unwrap();
    assert_ne!(later.id(), first.id());
    assert!(later.sequence_number() > first.sequence_number());
    assert_eq!(first.sequence_number().map(|number| number.len()), Some(20));
}

#[test]
fn scopes_of_deduplication() {
    let world = world();
    let by_group = QueueAttributes::new().set("DeduplicationScope", "messageGroup");
    let queue = world.with("queue.fifo", by_group.set("FifoThroughputLimit", "perMessageGroupId"));
    let message = |group: &str| SendMessage::new("x").group(group).deduplication_id("id");
    let (a, b) = (queue.send(message("a")).unwrap(), queue.send(message("b")).unwrap());
    assert_ne!(a.id(), b.id());
    assert_eq!(queue.send(message("a")).unwrap().id(), a.id());
    let by_queue =
        QueueAttributes::new().set("DeduplicationScope", "queue").set("FifoThroughputLimit", "perQueue");
    queue.set_attributes(&by_queue).unwrap();
    assert_eq!(queue.send(message("c")).unwrap().id(), b.id(), "known, whatever the scope was");
}

#[test]
fn a_purge_leaves_nothing_and_is_not_repeated() {
    let world = world();
    let queue = world.fifo();
    send(&queue, "a", &["1", "2"]);
    take(&queue, 1);
    queue.purge().unwrap();
    assert_eq!(queue.stats().unwrap().messages(), 0);
    send(&queue, "a", &["1"]);
    assert_eq!(bodies(&queue, 10), ["1"], "neither lock nor deduplication id are left");
    world.pass(59);
    assert_eq!(
        refusal(queue.purge()),
        (
            "PurgeQueueInProgress",
            "Only one PurgeQueue operation on queue.fifo is allowed every 60 seconds.".to_owned()
        )
    );
    world.pass(1);
    queue.purge().unwrap();
}

#[test]
fn a_receive_request_can_be_repeated() {
    let world = world();
    let queue = world.fifo();
    send(&queue, "a", &["1", "2"]);
    let receive = || {
        let messages = queue.receive(Receive::new().max_messages(10).attempt_id("try")).unwrap();
        messages.iter().map(|message| message.receipt_handle().to_owned()).collect::<Vec<_>>()
    };
    let first = receive();
    world.pass(20);
    assert_eq!(receive(), first);
    world.pass(20);
    assert_eq!(queue.stats().unwrap().in_flight, 2, "the timeout began anew");
    queue.delete_message(&first[0]).unwrap();
    assert_eq!(receive(), [""; 0], "one is gone, so this is another attempt; the group is locked");
    world.pass(30);
    assert_eq!(receive().len(), 1);
    assert_eq!(refusal(world.standard().receive(Receive::new().attempt_id("x"))).0, "InvalidParameterValue");
}

#[test]
fn what_a_fifo_queue_does_not_take() {
    let world = world();
    let queue = world.with("queue.fifo", QueueAttributes::new());
    let message = || SendMessage::new("x").group("a").deduplication_id("1");
    assert_eq!(
        refusal(queue.send(message().delay(1))),
        (
            "InvalidParameterValue",
            "Value 1 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for \
             this queue type."
                .to_owned()
        )
    );
    queue.send(message().delay(0)).unwrap();
    assert_eq!(
        refusal(queue.send("x")),
        ("MissingParameter", "The request must contain the parameter MessageGroupId.".to_owned())
    );
    assert_eq!(
        refusal(queue.send(SendMessage::new("x").group("a"))),
        (
            "InvalidParameterValue",
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
             explicitly"
                .to_owned()
        )
    );
    let entries = vec![BatchEntry::new("1", message()), BatchEntry::new("2", "x".into())];
    assert_eq!(
        refusal(queue.send_batch(entries)),
        ("InvalidParameterValue", "The request must contain the parameter MessageGroupId.".to_owned())
    );
    let long = "x".repeat(129);
    for bad in ["", "a b", "\u{e9}", &long] {
        assert_eq!(
            refusal(queue.send(SendMessage::new("x").group(bad).deduplication_id("1"))).0,
            "InvalidParameterValue"
        );
        assert_eq!(
            refusal(queue.send(SendMessage::new("x").group("a").deduplication_id(bad))).0,
            "InvalidParameterValue"
        );
    }
    let standard = world.standard();
    assert_eq!(
        refusal(standard.send(SendMessage::new("x").deduplication_id("1"))).0,
        "InvalidParameterValue"
    );
}

#[test]
fn a_noisy_group_does_not_delay_the_others() {
    let world = world();
    let queue = world.standard();
    send(&queue, "noisy", &["n"; 1000]);
    assert_eq!(queue.receive(10).unwrap().len(), 10, "groups of a standard queue lock nothing");
    for quiet in ["q1", "q2", "q3"] {
        send(&queue, quiet, &[quiet]);
    }
    let mut got = bodies(&queue, 4);
    got.sort();
    assert_eq!(got, ["n", "q1", "q2", "q3"]);
    // The same where everything is deleted at once and nothing stays in flight.
    let (_, handles) = take(&queue, 10);
    for handle in &handles {
        queue.delete_message(handle).unwrap();
    }
    send(&queue, "late", &["late"]);
    assert!(bodies(&queue, 2).contains(&"late".to_owned()));
}

#[test]
fn sizes_of_messages() {
    let world = world();
    let queue = world.standard();
    queue.send("x".repeat(1 << 20)).unwrap();
    assert_eq!(queue.receive(1).unwrap()[0].body().len(), 1 << 20);
    assert_eq!(
        refusal(queue.send("x".repeat((1 << 20) + 1))),
        (
            "InvalidParameterValue",
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes."
                .to_owned()
        )
    );
    let half = || "x".repeat(1 << 19);
    let with_attribute = SendMessage::new(half()).attribute("name", MessageAttribute::binary(vec![0; 4]));
    let entries = vec![BatchEntry::new("1", half().into()), BatchEntry::new("2", with_attribute)];
    assert_eq!(
        refusal(queue.send_batch(entries)),
        (
            "BatchRequestTooLong",
            "Batch requests cannot be longer than 1048576 bytes. You have sent 1048590 bytes.".to_owned()
        )
    );
    queue.set_attributes(&QueueAttributes::new().set("MaximumMessageSize", "1024")).unwrap();
    let trace = MessageAttribute::string("Root=1-".to_owned() + &"x".repeat(2000));
    let traced = SendMessage::new("x".repeat(1024)).system_attribute("AWSTraceHeader", trace);
    let entries = vec![
        BatchEntry::new("long", "x".repeat(1025).into()),
        BatchEntry::new("traced", traced),
        BatchEntry::new("bad", "\u{1}".into()),
    ];
    let result = queue.send_batch(entries).unwrap();
    assert_eq!(result.successful.len(), 1, "system attributes do not count");
    let failed: Vec<_> = result.failed.iter().map(|failure| (&*failure.id, failure.error.code())).collect();
    assert_eq!(failed, [("long", "InvalidParameterValue"), ("bad", "InvalidMessageContents")]);
    assert!(result.failed[0].error.to_string().contains("Message must be shorter than 1024 bytes."));
}

#[test]
fn requests_of_many_entries() {
    let world = world();
    let queue = world.standard();
    let entries = |ids: &[&str]| ids.iter().map(|id| BatchEntry::new(*id, "x".into())).collect::<Vec<_>>();
    let many: Vec<String> = (0..20).map(|id| id.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = |ids: &[&str]| refusal(queue.send_batch(entries(ids)));
    assert_eq!(
        refused(&many),
        (
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10. You have sent 20.".to_owned()
        )
    );
    assert_eq!(
        refused(&[]),
        (
            "EmptyBatchRequest",
            "There should be at least one SendMessageBatchRequestEntry in the request.".to_owned()
        )
    );
    assert_eq!(refused(&["a", "b", "a"]), ("BatchEntryIdsNotDistinct", "Id a repeated.".to_owned()));
    assert_eq!(refused(&["a", "b c"]).0, "InvalidBatchEntryId");
    assert_eq!(refused(&[""]).0, "InvalidBatchEntryId");
    assert_eq!(queue.stats().unwrap().messages(), 0);
    assert_eq!(refusal(queue.delete_batch(vec![])).0, "EmptyBatchRequest");
    assert_eq!(refusal(queue.change_visibility_batch(vec![])).0, "EmptyBatchRequest");
}

#[test]
fn attributes_of_messages_come_when_asked_for() {
    let world = world();
    let queue = world.standard();
    let message = SendMessage::new("x")
        .attribute("a.one", MessageAttribute::string("1"))
        .attribute("a.two", MessageAttribute::number(2))
        .attribute("b", MessageAttribute::binary(vec![3]))
        .system_attribute("AWSTraceHeader", MessageAttribute::string("Root=1"));
    let sent = queue.send(message).unwrap();
    let message = queue.receive(1).unwrap().remove(0);
    let names = |asked: &[&str]| -> Vec<String> {
        message.attributes_named(asked).map(|(name, _)| name.to_owned()).collect()
    };
    assert_eq!(names(&["All"]), ["a.one", "a.two", "b"]);
    assert_eq!(names(&["a.*"]), ["a.one", "a.two"]);
    assert_eq!(names(&["b", "no such", "\u{0}"]), ["b"]);
    assert_eq!(names(&[]), [""; 0]);
    assert_eq!(message.md5_of_attributes_named(&["All"]), sent.md5_of_attributes());
    assert_ne!(message.md5_of_attributes_named(&["b"]), sent.md5_of_attributes());
    let system: Vec<_> = message.system_attributes_named(&["All"]).into_keys().collect();
    let expected = [
        "AWSTraceHeader",
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "SenderId",
        "SentTimestamp",
    ];
    assert_eq!(system, expected);
    assert_eq!(message.system_attributes_named(&["SentTimestamp"])["SentTimestamp"], "1735689600000");
    let known = SendMessage::new("x").attribute("Foo", MessageAttribute::string("Bar"));
    let sent = queue.send(known).unwrap();
    assert_eq!(sent.md5_of_attributes().as_deref(), Some("ae7155c6026991b6d54b11589678bf9c"));
}

#[test]
fn too_often_received_is_a_dead_letter() {
    let world = world();
    let failed = world.queues.create("failed").unwrap();
    let queue = world.with("queue", QueueAttributes::new().dead_letters_to(failed.arn(), 1));
    let sent = queue.send(SendMessage::new("x").attribute("n", MessageAttribute::number(1))).unwrap();
    queue.send("y").unwrap();
    assert_eq!(bodies(&queue, 1), ["x"]);
    world.pass(30);
    assert_eq!(bodies(&queue, 10), ["y"], "it goes when it would be received once too often");
    let dead = failed.receive(1).unwrap().remove(0);
    assert_eq!((dead.id(), dead.body(), dead.receive_count()), (sent.id(), "x", 2));
    assert_eq!(dead.attributes().count(), 1);
    assert_eq!(dead.system_attributes()["DeadLetterQueueSourceArn"], queue.arn());
    assert_eq!(dead.sent().as_millis(), 1_735_689_600_000, "sent when it was sent");
    assert_eq!(failed.find(&sent.id()).unwrap().unwrap().message.body(), "x");
    let sources = failed.dead_letter_sources(None, None).unwrap();
    assert_eq!(sources.queues[0].name(), "queue");
}

#[test]
fn a_dead_letters_age_counts_from_when_it_was_sent() {
    let world = world();
    let failed = world.with("failed", QueueAttributes::new().retention(100));
    let queue = world.with("queue", QueueAttributes::new().dead_letters_to(failed.arn(), 1));
    queue.send("x").unwrap();
    take(&queue, 1);
    world.pass(90);
    take(&queue, 1);
    assert_eq!(failed.stats().unwrap().oldest, Some(Duration::from_secs(90)));
    world.pass(10);
    assert_eq!(failed.stats().unwrap().messages(), 0);
    // A FIFO queue begins anew.
    let failed = world.with("failed.fifo", QueueAttributes::new().retention(100));
    let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 1).content_based_deduplication();
    let queue = world.with("queue.fifo", attributes);
    send(&queue, "a", &["x", "y"]);
    take(&queue, 1);
    world.pass(90);
    assert_eq!(bodies(&queue, 10), ["y"]);
    world.pass(99);
    assert_eq!(failed.stats().unwrap().messages(), 1);
}

#[test]
fn what_expired_unseen_is_counted_until_it_is_swept() {
    let world = world();
    let queue = world.with("queue", QueueAttributes::new().retention(100));
    send(&queue, "a", &["x"]);
    world.pass(90);
    send(&queue, "a", &["y"]);
    world.pass(20);
    let (bodies, handles) = take(&queue, 10);
    assert_eq!(bodies, ["y"]);
    queue.delete_message(&handles[0]).unwrap();
    assert_eq!(queue.stats().unwrap().messages(), 0);
    send(&queue, "a", &["z"]);
    assert_eq!(take(&queue, 10).0, ["z"]);
}

#[test]
fn delays_are_of_the_message_or_of_the_queue() {
    let world = world();
    let queue = world.with("queue", QueueAttributes::new().delay(10));
    queue.send("queue's").unwrap();
    queue.send(SendMessage::new("own").delay(20)).unwrap();
    queue.send(SendMessage::new("none").delay(0)).unwrap();
    queue.set_attributes(&QueueAttributes::new().delay(0)).unwrap();
    assert_eq!(bodies(&queue, 10), ["none"]);
    assert_eq!(queue.stats().unwrap().delayed, 2, "what was sent is delayed as it was sent");
    world.pass(10);
    assert_eq!(bodies(&queue, 10), ["queue's"]);
    world.pass(10);
    assert_eq!(bodies(&queue, 10), ["own"]);
    // In a FIFO queue the present delay is for all.
    let fifo = world.fifo();
    send(&fifo, "a", &["1", "2"]);
    fifo.set_attributes(&QueueAttributes::new().delay(10)).unwrap();
    assert_eq!(bodies(&fifo, 10), [""; 0]);
    assert_eq!(fifo.stats().unwrap().delayed, 2);
    fifo.set_attributes(&QueueAttributes::new().delay(0)).unwrap();
    assert_eq!(bodies(&fifo, 10), ["1", "2"]);
}

#[test]
fn numbers_out_of_range() {
    let world = world();
    let queue = world.standard();
    let refused = |request: Receive| refusal(queue.receive(request));
    assert_eq!(
        refused(Receive::new().wait(21)),
        (
            "InvalidParameterValue",
            "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
                .to_owned()
        )
    );
    for bad in [0, 11, -1] {
        assert_eq!(
            refused(bad.into()).1,
            format!(
                "Value {bad} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if \
                 provided."
            )
        );
    }
    assert_eq!(refused(Receive::new().visibility_timeout(43_201)).0, "InvalidParameterValue");
    assert_eq!(refusal(queue.send(SendMessage::new("x").delay(901))).0, "InvalidParameterValue");
    assert_eq!(
        refusal(queue.send("")),
        ("MissingParameter", "The request must contain the parameter MessageBody.".to_owned())
    );
}

#[test]
fn too_many_in_flight() {
    let world = world();
    let queue = world.standard();
    let fifo = world.fifo();
    let groups = 12_000;
    for number in 0..groups {
        let entries = (0..10).map(|index| BatchEntry::new(index.to_string(), "x".into()));
        queue.send_batch(entries.collect()).unwrap();
        let message = |index: i32| {
            SendMessage::new("x").group(number.to_string()).deduplication_id(format!("{number}-{index}"))
        };
        let entries = (0..10).map(|index| BatchEntry::new(index.to_string(), message(index)));
        fifo.send_batch(entries.collect()).unwrap();
    }
    queue.send("one more").unwrap();
    send(&fifo, "more", &["one more"]);
    for _ in 0..groups {
        assert_eq!(queue.receive(10).unwrap().len(), 10);
        assert_eq!(fifo.receive(10).unwrap().len(), 10);
    }
    assert_eq!(refusal(queue.receive(1)).0, "OverLimit");
    assert_eq!(fifo.receive(1).unwrap().len(), 0);
    world.pass(30);
    assert_eq!(queue.receive(1).unwrap().len(), 1);
    assert_eq!(fifo.receive(1).unwrap().len(), 1);
}

#[test]
fn dials_make_it_awkward() {
    let world = world();
    let mut dials = Dials::default();
    (dials.throttle, dials.reorder_per_mille) = (true, 500);
    world.queues.set_dials(dials);
    let fifo = world.fifo();
    let sends = (0..400).map(|number| fifo.send(SendMessage::new(number.to_string()).group("a")));
    let refused = sends.filter(|result| matches!(result, Err(Error::RequestThrottled))).count();
    assert_eq!(refused, 100);
    world.pass(1);
    send(&fifo, "a", &["again"]);
    let queue = world.standard();
    let sent: Vec<String> = (0..50).map(|number| format!("{number:02}")).collect();
    for body in &sent {
        queue.send(body.as_str()).unwrap();
    }
    let mut got: Vec<String> = (0..50).flat_map(|_| bodies(&queue, 1)).collect();
    assert_ne!(got, sent);
    got.sort();
    assert_eq!(got, sent, "out of order, and none lost");
}

#[test]
fn what_is_out_of_order_is_given_up_like_anything_else() {
    let world = world();
    let mut dials = Dials::default();
    dials.reorder_per_mille = 1000;
    world.queues.set_dials(dials);
    let failed = world.queues.create("failed").unwrap();
    let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 2).visibility_timeout(0);
    let queue = world.with("queue", attributes);
    for number in 0..20 {
        queue.send(number.to_string()).unwrap();
    }
    let mut counts = std::collections::BTreeMap::new();
    for round in 0.. {
        let got = queue.receive(3).unwrap();
        if got.is_empty() {
            break;
        }
        for message in got {
            *counts.entry(message.id()).or_insert(0) += 1;
        }
        assert!(round < 100, "it comes to an end");
    }
    assert_eq!(counts.len(), 20);
    assert!(counts.values().all(|count| *count == 2), "each as often as it may: {counts:?}");
    assert_eq!((queue.stats().unwrap().messages(), failed.stats().unwrap().visible), (0, 20));
}

#[test]
fn what_was_released_is_not_in_flight() {
    let world = world();
    let queue = world.standard();
    queue.send("x").unwrap();
    let (_, handles) = take(&queue, 1);
    queue.change_visibility(&handles[0], 0).unwrap();
    assert_eq!(refusal(queue.change_visibility(&handles[0], 5)).0, "MessageNotInflight");
    let fork = world.store.fork().unwrap();
    let copy = fork.queues().get("queue").unwrap();
    assert_eq!(refusal(copy.change_visibility(&handles[0], 5)).0, "MessageNotInflight");
}

#[test]
fn looking_changes_nothing() {
    let world = world();
    let queue = world.fifo();
    send(&queue, "a", &["1", "2"]);
    let (_, handles) = take(&queue, 1);
    let states: Vec<MessageState> = queue.peek(10).unwrap().into_iter().map(|seen| seen.state).collect();
    let until = world.store.now() + Duration::from_secs(30);
    assert_eq!(states, [MessageState::InFlight { until }, MessageState::Blocked]);
    assert_eq!(queue.peek(1).unwrap()[0].message.receipt_handle(), "");
    queue.delete_message(&handles[0]).unwrap();
    let left = queue.peek(10).unwrap();
    assert_eq!((left.len(), &left[0].state), (1, &MessageState::Visible));
    assert_eq!(left[0].message.receive_count(), 0);
    assert!(queue.find("00000000-0000-4000-8000-000000000000").unwrap().is_none());
}
