//! Faults by seed and by script: they happen as they were planned, a run replays, and code that retries ends right.

use fourfold::faults::{Chaos, Failure, FaultEvent, Happened, Service};
use fourfold::kv::{self, CreateTable, Index, Query, ScalarType, item};
use fourfold::queue::{self, Receive};
use fourfold::stream::{self, CreateStream};
use fourfold::{Clock, ManualClock, Store, objects};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn manual() -> (ManualClock, Store) {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).seed(1).open_in_memory();
    (clock, store)
}

fn users(store: &Store) -> kv::Table {
    store.tables().create_table(CreateTable::new("users").hash("id", ScalarType::S)).unwrap();
    store.tables().table("users")
}

/// What a person would write down of a service: code, status, whose fault.
fn shape(error: &dyn std::error::Error, code: &str) -> String {
    format!("{code}: {error}")
}

#[test]
fn each_service_fails_in_its_own_words() {
    let (_, store) = manual();
    let queue = store.queues().create("jobs").unwrap();
    let stream = store.streams().create("clicks", CreateStream::default()).unwrap();
    let (users, bucket) = (users(&store), store.buckets().create("photos").unwrap());
    let said = |failure| {
        store.faults().clear();
        for operation in ["SendMessage", "PutRecord", "PutItem", "PutObject"] {
            store.faults().on(operation).fail(failure);
        }
        let queue = queue.send("x").unwrap_err();
        let stream = stream.put("k", "x").unwrap_err();
        let table = users.put(item! { "id" => "ann" }).unwrap_err();
        let bucket = bucket.put("a", "x").unwrap_err();
        [queue.code(), stream.code(), table.code(), bucket.code()]
    };
    assert_eq!(
        said(Failure::Throttle),
        [
            "RequestThrottled",
            "ProvisionedThroughputExceededException",
            "ProvisionedThroughputExceededException",
            "SlowDown"
        ]
    );
    assert_eq!(
        said(Failure::Limit),
        ["RequestThrottled", "LimitExceededException", "RequestLimitExceeded", "SlowDown"]
    );
    assert_eq!(
        said(Failure::Internal),
        ["InternalError", "InternalFailureException", "InternalServerError", "InternalError"]
    );
    assert_eq!(said(Failure::Unavailable), ["ServiceUnavailable"; 4]);
    assert_eq!(
        said(Failure::Keys),
        ["KmsThrottled", "KMSThrottlingException", "ThrottlingException", "KMS.ThrottlingException"]
    );
    let own = Failure::Code { code: "RequestTimeout", status: 400, message: "too slow" };
    assert_eq!(said(own), ["RequestTimeout"; 4]);
    let error = bucket.put("a", "x").unwrap_err();
    assert_eq!((shape(&error, error.code()), error.status()), ("RequestTimeout: too slow".to_owned(), 400));
    store.faults().clear();
    assert_eq!(queue.stats().unwrap().messages(), 0, "what failed did nothing");
    assert!(users.get(item! { "id" => "ann" }).unwrap().is_none());
    assert!(matches!(bucket.get("a"), Err(objects::Error::NoSuchKey { .. })));
}

#[test]
fn callers_know_a_busy_service_by_its_own_error() {
    let (_, store) = manual();
    store.faults().on("*").fail(Failure::Throttle);
    assert!(matches!(store.queues().create("jobs"), Err(queue::Error::RequestThrottled)));
    let stream = store.streams().create("clicks", CreateStream::default());
    assert!(matches!(stream, Err(stream::Error::ThroughputExceeded { .. })));
    let tables = store.tables().list_tables(None, None);
    assert!(matches!(tables, Err(kv::Error::ProvisionedThroughputExceeded { .. })));
}

#[test]
fn a_script_hits_the_calls_that_it_says() {
    let (_, store) = manual();
    let (jobs, mails) = (store.queues().create("jobs").unwrap(), store.queues().create("mails").unwrap());
    let faults = store.faults();
    let sends = |queue: &queue::Queue, count: usize| -> String {
        (0..count).map(|_| if queue.send("x").is_ok() { '.' } else { 'x' }).collect()
    };
    faults.on("SendMessage").nth(3).fail(Failure::Internal);
    assert_eq!(sends(&jobs, 5), "..x..");
    faults.clear();
    faults.on("SendMessage").every(3).times(2).fail(Failure::Internal);
    assert_eq!(sends(&jobs, 10), "..x..x....");
    faults.clear();
    faults.on("*").of("mails").nth(2).times(3).fail(Failure::Internal);
    assert_eq!((sends(&jobs, 4), sends(&mails, 6)), ("....".to_owned(), ".xxx..".to_owned()));
    faults.clear();
    // The same name in two services.
    faults.on("ListStreams").service(Service::Stream).fail(Failure::Internal);
    assert!(store.streams().list(&stream::ListStreams::default()).is_err());
    assert!(store.tables().list_streams(&kv::ListStreams::default()).is_ok());
}

#[test]
fn a_lost_reply_is_of_a_call_that_was_done() {
    let (_, store) = manual();
    let (users, jobs) = (users(&store), store.queues().create("jobs").unwrap());
    store.faults().on("PutItem").nth(1).lose_reply();
    let Err(kv::Error::Injected(error)) = users.put(item! { "id" => "ann" }) else { panic!("it is lost") };
    assert!(error.is_lost_reply && error.code == "InternalServerError");
    assert!(users.get(item! { "id" => "ann" }).unwrap().is_some());
    // A refusal of its own is heard.
    store.faults().on("PutItem").lose_reply();
    let refused = users.put(item! { "name" => "bob" }).unwrap_err();
    assert_eq!(refused.code(), "ValidationException");
    // Who receives and does not hear of it leaves the message in flight.
    jobs.send("once").unwrap();
    store.faults().on("ReceiveMessage").nth(1).lose_reply();
    assert!(jobs.receive(1).is_err());
    assert_eq!(jobs.stats().unwrap().in_flight, 1);
}

#[test]
fn a_slow_call_waits_for_the_clock() {
    let (clock, store) = manual();
    let jobs = store.queues().create("jobs").unwrap();
    store.faults().on("SendMessage").delay(Duration::from_secs(5));
    let mut context = Context::from_waker(Waker::noop());
    let mut send = pin!(jobs.send_async("hello"));
    assert!(send.as_mut().poll(&mut context).is_pending());
    clock.advance(Duration::from_secs(4));
    assert!(send.as_mut().poll(&mut context).is_pending());
    assert_eq!(jobs.stats().unwrap().messages(), 0);
    clock.advance(Duration::from_secs(1));
    assert!(matches!(send.as_mut().poll(&mut context), Poll::Ready(Ok(_))));

    // A blocking call holds its thread.
    let start = clock.now();
    let sender = {
        let jobs = jobs.clone();
        std::thread::spawn(move || jobs.send("world").unwrap())
    };
    while clock.next_deadline() != Some(start + Duration::from_secs(5)) {
        std::thread::yield_now();
    }
    clock.advance(Duration::from_secs(5));
    sender.join().unwrap();
    assert_eq!(jobs.stats().unwrap().messages(), 2);

    // So does a receive, as a future or not.
    store.faults().clear();
    store.faults().on("ReceiveMessage").delay(Duration::from_secs(1));
    let mut receive = pin!(jobs.receive_async(10));
    assert!(receive.as_mut().poll(&mut context).is_pending());
    clock.advance(Duration::from_secs(1));
    let Poll::Ready(received) = receive.as_mut().poll(&mut context) else { panic!("its time has come") };
    assert_eq!(received.unwrap().len(), 2);
}

/// Does it until it is done.
fn insist<T, E: std::fmt::Debug>(mut call: impl FnMut() -> Result<T, E>) -> T {
    for _ in 0..1000 {
        if let Ok(done) = call() {
            return done;
        }
    }
    panic!("nothing fails a thousand times")
}

/// An outbox: orders are put with a mail to be sent; who sends the mails takes them from a queue and writes down which
/// were sent. Everything is done until it succeeds. Gives what happened, and the mails sent for each order.
fn outbox(seed: u64) -> (Vec<FaultEvent>, BTreeMap<String, u32>) {
    let (clock, store) = manual();
    let tables = store.tables();
    tables.create_table(CreateTable::new("sent").hash("id", ScalarType::S)).unwrap();
    let (sent, mails) = (tables.table("sent"), store.queues().create("mails").unwrap());
    store.faults().random(seed, Chaos::rough());
    for order in 0..50 {
        insist(|| mails.send(format!("order {order}")));
    }
    let mut counts = BTreeMap::new();
    loop {
        let received = insist(|| mails.receive(Receive::new().max_messages(10).visibility_timeout(30)));
        for message in &received {
            let id = message.body().to_owned();
            // Who has sent it already has written it down: a message that comes twice sends no second mail.
            let is_new = insist(|| sent.get(item! { "id" => id.as_str() })).is_none();
            if is_new {
                insist(|| sent.put(item! { "id" => id.as_str() }));
                *counts.entry(id).or_insert(0) += 1;
            }
            insist(|| mails.delete_message(message.receipt_handle()));
        }
        if received.is_empty() && mails.stats().unwrap().messages() == 0 {
            break;
        }
        clock.advance(Duration::from_secs(31));
    }
    (store.faults().log(), counts)
}

#[test]
fn an_outbox_under_faults_ends_right_and_replays() {
    let mut kinds = [0; 5];
    for seed in 0..20 {
        let (log, counts) = outbox(seed);
        assert_eq!(counts.len(), 50, "seed {seed}: every mail is sent");
        assert!(counts.values().all(|count| *count == 1), "seed {seed}: once");
        for event in &log {
            kinds[match event.what {
                Happened::Refused(_) => 0,
                Happened::LostReply(_) => 1,
                Happened::Duplicated => 2,
                Happened::Reordered => 3,
                _ => 4,
            }] += 1;
        }
        assert_eq!(outbox(seed), (log, counts), "seed {seed}: bit for bit");
    }
    assert!(kinds[..4].iter().all(|count| *count > 20), "all of it happens: {kinds:?}");
    assert_ne!(outbox(1).0, outbox(2).0);
}

#[test]
fn the_fate_of_a_call_does_not_depend_on_other_calls() {
    let fates = |others: bool| -> Vec<bool> {
        let (_, store) = manual();
        let jobs = store.queues().create("jobs").unwrap();
        let mails = store.queues().create("mails").unwrap();
        store.faults().random(9, Chaos::rough());
        let send = |n: u32| {
            if others && n.is_multiple_of(3) {
                let _ = (mails.send("x"), mails.receive(1));
            }
            jobs.send("x").is_ok()
        };
        (0..300).map(send).collect()
    };
    let alone = fates(false);
    assert_eq!(alone, fates(true));
    assert!(alone.contains(&true) && alone.contains(&false));
}

#[test]
fn indexes_lag_by_chance() {
    let (clock, store) = manual();
    let tables = store.tables();
    let by_age = Index::new("by-age").hash("age");
    let table = CreateTable::new("users").hash("id", ScalarType::S).attribute("age", ScalarType::N);
    tables.create_table(table.global_index(by_age)).unwrap();
    let mut chaos = Chaos::default();
    chaos.stale_per_mille = 500;
    chaos.stale = Duration::from_secs(1);
    store.faults().random(3, chaos);
    for n in 0..100 {
        tables.table("users").put(item! { "id" => n.to_string(), "age" => 30 }).unwrap();
    }
    let seen = || {
        let query = Query::new("users").index("by-age").key_condition("age = :a").value(":a", 30);
        tables.query(&query).unwrap().items.len()
    };
    assert!((20..80).contains(&seen()), "some are not there yet");
    clock.advance(Duration::from_secs(1));
    assert_eq!(seen(), 100);
    let log = store.faults().log();
    assert!(log.iter().all(|event| matches!(event.what, Happened::Stale(late) if !late.is_zero())));
}

#[test]
fn a_fork_has_no_faults() {
    let (_, store) = manual();
    store.faults().on("*").fail(Failure::Internal);
    let fork = store.fork().unwrap();
    assert!(fork.queues().create("jobs").is_ok() && store.queues().create("jobs").is_err());
}

#[test]
fn what_is_planned_can_be_read() {
    let (_, store) = manual();
    let faults = store.faults();
    faults.random(77, Chaos::rough());
    faults.on("PutItem").nth(2).lose_reply();
    assert_eq!(faults.seed(), Some(77));
    let text = format!("{faults:?}");
    assert!(text.contains("77") && text.contains("PutItem") && text.contains("LoseReply"), "{text}");
}
