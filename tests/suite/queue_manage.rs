//! Queues themselves: creating, deleting, listing, attributes, tags, policies, move tasks.

use crate::queue::{World, refusal, take, world};
use fourfold::queue::{NewQueue, Queue, QueueAttributes, SendMessage, TaskStatus};

#[test]
fn who_may_send_dead_letters_where() {
    let world = world();
    let failed = world.queues.create("failed").unwrap();
    let policy = |arn: &str| QueueAttributes::new().dead_letters_to(arn, 5);
    let queue = world.standard();
    let refused = |arn: &str| refusal(queue.set_attributes(&policy(arn)));
    let (code, message) = refused("arn:aws:sqs:us-east-1:000000000000:none");
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.ends_with("Reason: Dead letter target does not exist."));
    let fifo = world.with("failed.fifo", QueueAttributes::new());
    assert!(refused(fifo.arn()).1.ends_with("must be same type of queue as the source.."));
    let allow =
        |policy: &str| failed.set_attributes(&QueueAttributes::new().set("RedriveAllowPolicy", policy));
    allow(r#"{"redrivePermission":"denyAll"}"#).unwrap();
    assert_eq!(refused(failed.arn()).0, "InvalidParameterValue");
    allow(&format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{}"]}}"#, queue.arn())).unwrap();
    queue.set_attributes(&policy(failed.arn())).unwrap();
    let attributes = queue.attributes(&["RedrivePolicy"]).unwrap();
    let arn = failed.arn();
    assert_eq!(
        attributes["RedrivePolicy"],
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":5}}"#)
    );
    queue.set_attributes(&QueueAttributes::new().set("RedrivePolicy", "")).unwrap();
    assert!(queue.attributes(&["RedrivePolicy"]).unwrap().is_empty());
}

/// A dead-letter queue with `count` messages that came from `queue`.
fn dead_letters(world: &World, count: usize) -> (Queue, Queue) {
    let failed = world.queues.create("failed").unwrap();
    let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 1).visibility_timeout(0);
    let queue = world.with("queue", attributes);
    for number in 0..count {
        queue.send(number.to_string()).unwrap();
        take(&queue, 1);
        take(&queue, 1);
    }
    assert_eq!(failed.stats().unwrap().visible, count as u64);
    (queue, failed)
}

#[test]
fn dead_letters_move_back() {
    let world = world();
    let (queue, failed) = dead_letters(&world, 5);
    assert_eq!(
        refusal(world.queues.start_move(queue.arn(), None, None)),
        ("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.".to_owned())
    );
    let nowhere = "arn:aws:sqs:us-east-1:000000000000:none";
    let missing = refusal(world.queues.start_move(nowhere, None, None));
    assert_eq!(
        missing,
        (
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.".to_owned()
        )
    );
    let handle = world.queues.start_move(failed.arn(), None, Some(1)).unwrap();
    let (code, message) = refusal(world.queues.start_move(failed.arn(), None, None));
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.starts_with("There is already a task running."), "{message}");
    world.pass(2);
    let tasks = world.queues.list_moves(failed.arn(), None).unwrap();
    assert_eq!((tasks[0].moved, tasks[0].to_move, tasks[0].status), (2, 5, TaskStatus::Running));
    assert_eq!(tasks[0].handle.as_deref(), Some(handle.as_str()));
    assert_eq!(world.queues.cancel_move(&handle).unwrap(), 2);
    assert_eq!(refusal(world.queues.cancel_move(&handle)).0, "ResourceNotFoundException");
    let status = || world.queues.list_moves(failed.arn(), None).unwrap()[0].status;
    assert_eq!((status(), status()), (TaskStatus::Cancelling, TaskStatus::Cancelled));
    let moved = queue.receive(1).unwrap().remove(0);
    assert_eq!((moved.body(), moved.receive_count(), moved.dead_letter_source()), ("0", 1, None));
    // The rest goes elsewhere, also after the store knows only what was written.
    let elsewhere = world.queues.create("elsewhere").unwrap();
    world.queues.start_move(failed.arn(), Some(elsewhere.arn()), None).unwrap();
    let fork = world.store.fork().unwrap();
    fork.maintain().unwrap();
    assert_eq!(fork.queues().get("elsewhere").unwrap().stats().unwrap().visible, 3);
    let tasks = fork.queues().list_moves(failed.arn(), Some(10)).unwrap();
    let found: Vec<_> = tasks.iter().map(|task| (task.status, task.handle.is_some())).collect();
    assert_eq!(found, [(TaskStatus::Completed, false), (TaskStatus::Cancelled, false)]);
}

#[test]
fn a_move_task_fails_with_its_destination() {
    let world = world();
    let (_, failed) = dead_letters(&world, 3);
    let elsewhere = world.queues.create("elsewhere").unwrap();
    world.queues.start_move(failed.arn(), Some(elsewhere.arn()), Some(1)).unwrap();
    world.queues.delete("elsewhere").unwrap();
    world.pass(5);
    let task = world.queues.list_moves(failed.arn(), None).unwrap().remove(0);
    assert_eq!(task.status, TaskStatus::Failed);
    assert_eq!(task.failure.as_deref(), Some("AWS.SimpleQueueService.NonExistentQueue"));
    assert_eq!(failed.stats().unwrap().visible, 3);
}

#[test]
fn a_move_task_is_between_queues_of_one_kind() {
    let world = world();
    let (_, failed) = dead_letters(&world, 1);
    let fifo = world.with("fifo.fifo", QueueAttributes::new());
    assert_eq!(
        refusal(world.queues.start_move(failed.arn(), Some(fifo.arn()), None)),
        (
            "InvalidParameterValue",
            "The source queue and destination queue must be of the same queue type.".to_owned()
        )
    );
}

#[test]
fn what_time_brings_about_is_known_from_the_opening_on() {
    let world = world();
    let (queue, failed) = dead_letters(&world, 3);
    world.queues.start_move(failed.arn(), None, Some(1)).unwrap();
    let fork = world.store.fork().unwrap();
    let start = fork.now();
    assert_eq!(fork.next_deadline(), Some(start + std::time::Duration::from_secs(1)), "the next step");
    while fork.queues().list_moves(failed.arn(), None).unwrap()[0].status == TaskStatus::Running {
        world.pass(1);
        fork.maintain().unwrap();
        assert!(fork.now() < start + std::time::Duration::from_secs(10));
    }
    assert_eq!(fork.queues().get(queue.name()).unwrap().stats().unwrap().visible, 3);
}

#[test]
fn what_expires_is_swept_though_nobody_asks_for_its_queue() {
    let world = world();
    let attributes = QueueAttributes::new().retention(60);
    let plain = world.with("plain", attributes.clone());
    plain.send("x").unwrap();
    let grouped = world.with("grouped.fifo", attributes.content_based_deduplication());
    for group in 0..200 {
        grouped.send(SendMessage::new(format!("{group}")).group(group.to_string())).unwrap();
    }
    let known = world.store.next_deadline();
    let fork = world.store.fork().unwrap();
    // Of a queue of many groups it is not said before it was looked at.
    assert!(fork.next_deadline() <= known);
    fork.maintain().unwrap();
    assert_eq!(fork.next_deadline(), known);
    world.store.queues().delete("grouped.fifo").unwrap();
    let fork = world.store.fork().unwrap();
    world.pass(61);
    let due = fork.next_deadline().unwrap();
    assert!(due > fork.now());
    world.pass(60);
    fork.maintain().unwrap();
    assert_eq!(fork.next_deadline(), None, "nothing is left to sweep");
}

/// A dead-letter queue with two messages of two queues and groups, sent in the same millisecond.
fn dead_letters_of_two(world: &World) -> (Queue, [Queue; 2]) {
    let failed = world.queues.create("failed").unwrap();
    let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 1).visibility_timeout(0);
    let sources = ["one", "two"].map(|name| world.with(name, attributes.clone()));
    for queue in &sources {
        queue.send(SendMessage::new(queue.name()).group(queue.name())).unwrap();
    }
    for queue in &sources {
        take(queue, 1);
        assert!(take(queue, 1).0.is_empty());
    }
    (failed, sources)
}

#[test]
fn dead_letters_of_two_queues_are_two() {
    let world = world();
    let (failed, _) = dead_letters_of_two(&world);
    let sorted = |mut bodies: Vec<String>| {
        bodies.sort();
        bodies
    };
    assert_eq!(sorted(take(&failed, 10).0), ["one", "two"]);
    assert_eq!(failed.stats().unwrap().in_flight, 2);
    world.pass(30);
    let (mut bodies, mut handles) = take(&failed, 1);
    let (second, its_handle) = take(&failed, 1);
    bodies.extend(second);
    handles.extend(its_handle);
    assert_eq!(sorted(bodies), ["one", "two"]);
    for handle in handles {
        failed.delete_message(&handle).unwrap();
    }
    for store in [&world.store.fork().unwrap(), &world.store] {
        assert!(store.verify().unwrap().is_empty());
        assert_eq!(store.queues().get("failed").unwrap().stats().unwrap().messages(), 0);
    }
}

#[test]
fn dead_letters_of_two_queues_move_back_each_to_its_own() {
    let world = world();
    let (failed, sources) = dead_letters_of_two(&world);
    world.queues.start_move(failed.arn(), None, None).unwrap();
    // Each look is a step.
    let task = || world.queues.list_moves(failed.arn(), None).unwrap().remove(0);
    let steps = (0..10).take_while(|_| task().status == TaskStatus::Running).count();
    assert!(steps < 10, "{:?}", task());
    assert_eq!((task().status, task().moved), (TaskStatus::Completed, 2));
    for queue in &sources {
        assert_eq!(take(queue, 10).0, [queue.name()]);
    }
}

#[test]
fn a_move_task_passes_over_what_came_after_it_began() {
    let world = world();
    let (_, failed) = dead_letters(&world, 0);
    let elsewhere = world.queues.create("elsewhere").unwrap();
    for body in ["first", "second"] {
        failed.send(SendMessage::new(body).group("group")).unwrap();
    }
    world.queues.start_move(failed.arn(), Some(elsewhere.arn()), Some(1)).unwrap();
    world.pass(1);
    assert_eq!(world.queues.list_moves(failed.arn(), None).unwrap()[0].moved, 1);
    failed.send("later").unwrap();
    world.pass(10);
    world.store.maintain().unwrap();
    let task = world.queues.list_moves(failed.arn(), None).unwrap().remove(0);
    assert_eq!((task.status, task.moved), (TaskStatus::Completed, 2));
    assert_eq!(take(&failed, 10).0, ["later"]);
    assert_eq!(elsewhere.stats().unwrap().visible, 2);
}

#[test]
fn creating_again_agrees_or_is_refused() {
    let world = world();
    let with_delay = |seconds| NewQueue::new("queue").attributes(QueueAttributes::new().delay(seconds));
    world.queues.create(with_delay(5).tag("a", "b")).unwrap();
    world.queues.create("queue").unwrap();
    world.queues.create(with_delay(5)).unwrap();
    assert_eq!(
        refusal(world.queues.create(with_delay(6))),
        (
            "QueueNameExists",
            "A queue already exists with the same name and a different value for attribute DelaySeconds"
                .to_owned()
        )
    );
    assert_eq!(refusal(world.queues.create(NewQueue::new("queue").fifo())).0, "InvalidParameterValue");
    assert_eq!(refusal(world.queues.create("queue.fifo")).0, "InvalidParameterValue");
    let not_fifo = NewQueue::new("q").attributes(QueueAttributes::new().set("FifoQueue", "false"));
    assert_eq!(
        refusal(world.queues.create(not_fifo)),
        ("InvalidAttributeName", "Unknown Attribute FifoQueue.".to_owned())
    );
}

#[test]
fn a_deleted_name_rests_for_a_minute() {
    let world = world();
    let queue = world.standard();
    queue.send("x").unwrap();
    world.queues.delete("queue").unwrap();
    assert_eq!(refusal(queue.send("y")).0, "QueueDoesNotExist");
    assert_eq!(refusal(world.queues.get("queue")).0, "QueueDoesNotExist");
    assert_eq!(refusal(world.queues.delete("queue")).0, "QueueDoesNotExist");
    world.pass(59);
    let fork = world.store.fork().unwrap();
    for queues in [&world.queues, &fork.queues()] {
        assert_eq!(refusal(queues.create("queue")).0, "QueueDeletedRecently");
    }
    world.pass(1);
    world.store.maintain().unwrap();
    assert!(world.standard().receive(1).unwrap().is_empty());
    assert_eq!(world.store.verify().unwrap(), []);
}

#[test]
fn attributes_of_queues() {
    let world = world();
    let queue = world.standard();
    let all = queue.attributes(&["All"]).unwrap();
    let expected = [
        ("ApproximateNumberOfMessages", "0"),
        ("ApproximateNumberOfMessagesDelayed", "0"),
        ("ApproximateNumberOfMessagesNotVisible", "0"),
        ("CreatedTimestamp", "1735689600"),
        ("DelaySeconds", "0"),
        ("LastModifiedTimestamp", "1735689600"),
        ("MaximumMessageSize", "1048576"),
        ("MessageRetentionPeriod", "345600"),
        ("QueueArn", "arn:aws:sqs:us-east-1:000000000000:queue"),
        ("ReceiveMessageWaitTimeSeconds", "0"),
        ("SqsManagedSseEnabled", "true"),
        ("VisibilityTimeout", "30"),
    ];
    assert_eq!(all.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>(), expected);
    assert!(queue.attributes(&[""; 0]).unwrap().is_empty());
    assert_eq!(
        refusal(queue.attributes(&["Color"])),
        ("InvalidAttributeName", "Unknown Attribute Color.".to_owned())
    );
    world.pass(5);
    let two = QueueAttributes::new().visibility_timeout(7).set("DelaySeconds", "901");
    assert_eq!(
        refusal(queue.set_attributes(&two)),
        ("InvalidAttributeValue", "Invalid value for the parameter DelaySeconds.".to_owned())
    );
    assert_eq!(queue.attributes(&["VisibilityTimeout"]).unwrap()["VisibilityTimeout"], "30", "all or none");
    queue.set_attributes(&QueueAttributes::new().visibility_timeout(7)).unwrap();
    let stamps = queue.attributes(&["CreatedTimestamp", "LastModifiedTimestamp"]).unwrap();
    assert_eq!(stamps.into_values().collect::<Vec<_>>(), ["1735689600", "1735689605"]);
    let fork = world.store.fork().unwrap().queues().get("queue").unwrap();
    assert_eq!(fork.attributes(&["VisibilityTimeout"]).unwrap()["VisibilityTimeout"], "7");
}

#[test]
fn changes_come_without_a_thread_too() {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    fn now<T>(change: impl Future<Output = T>) -> T {
        match pin!(change).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => panic!("a store in memory waits for no disk"),
        }
    }
    let world = world();
    let (queue, failed) = dead_letters(&world, 2);
    now(queue.tag_async([("team", "shop"), ("tier", "1")])).unwrap();
    now(queue.untag_async(&["tier"])).unwrap();
    assert_eq!(queue.tags().unwrap().into_keys().collect::<Vec<_>>(), ["team"]);
    now(queue.edit_policy_async(|policy| {
        assert_eq!(policy, None);
        Ok(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow"}}"#.to_owned())
    }))
    .unwrap();
    assert!(queue.attributes(&["Policy"]).unwrap().contains_key("Policy"));
    let handle = now(world.queues.start_move_async(failed.arn(), None, Some(1))).unwrap();
    assert_eq!(now(world.queues.cancel_move_async(&handle)).unwrap(), 0);
}

#[test]
fn tags_of_queues() {
    let world = world();
    let queue = world.standard();
    queue.tag([("a", "1"), ("b", "")]).unwrap();
    queue.tag([("a", "2")]).unwrap();
    queue.untag(&["b", "no such"]).unwrap();
    assert_eq!(queue.tags().unwrap().into_iter().collect::<Vec<_>>(), [("a".to_owned(), "2".to_owned())]);
    let many: Vec<(String, &str)> = (0..50).map(|key| (key.to_string(), "")).collect();
    assert_eq!(refusal(queue.tag(many)).0, "InvalidParameterValue");
    assert_eq!(refusal(queue.tag::<String, String>([])).0, "MissingParameter");
    let long = |n: usize| "\u{e4}".repeat(n);
    let odd =
        [(String::new(), "x".to_owned()), (long(129), String::new()), ("AWS:x".to_owned(), String::new())];
    for (key, value) in odd.into_iter().chain([("k".to_owned(), long(257))]) {
        assert_eq!(refusal(queue.tag([(&*key, &*value)])).0, "InvalidParameterValue", "{key}: {value}");
        assert_eq!(
            refusal(world.queues.create(NewQueue::new("other").tag(key, value))).0,
            "InvalidParameterValue"
        );
    }
    queue.tag([(long(128), long(256))]).unwrap();
}

#[test]
fn listings_come_by_pages() {
    let world = world();
    for name in ["b2", "a", "b1", "B", "b3"] {
        world.queues.create(name).unwrap();
    }
    let names = |prefix: &str, max, token: Option<&str>| {
        let page = world.queues.list(prefix, max, token).unwrap();
        (page.queues.iter().map(|queue| queue.name().to_owned()).collect::<Vec<_>>(), page.next_token)
    };
    assert_eq!(names("b", None, None), (vec!["b1".into(), "b2".into(), "b3".into()], None));
    let (first, token) = names("b", Some(2), None);
    assert_eq!(first, ["b1", "b2"]);
    assert_eq!(names("b", Some(2), token.as_deref()), (vec!["b3".into()], None));
    assert_eq!(refusal(world.queues.list("", Some(1001), None)).0, "InvalidParameterValue");
    assert_eq!(refusal(world.queues.list("", Some(1), Some("nonsense!"))).0, "InvalidParameterValue");
}
