//! What is accepted, what is told to whom, and in which words.

use super::deliveries::check_targets_of;
use super::rule::TargetArn;
use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::store::deliver::{Deliver, Delivery, Target};
use crate::store::{Batch, Store};
use bytes::Bytes;
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

fn scene(bucket: &str) -> Scene<'_> {
    Scene {
        region: "us-east-1",
        account: "000000000000",
        bucket,
        now: Timestamp::from_millis(1_735_689_600_123),
        sequence: 0xab,
        request: 0x0123_4567_89ab_cdef << 64,
    }
}

fn event(kind: EventType, key: &str) -> Event<'_> {
    Event {
        kind,
        key,
        size: Some(5),
        etag: Some("etag".to_owned()),
        version_id: Some("v".to_owned()),
        class: Some("GLACIER"),
    }
}

fn parsed(message: &Bytes) -> Value {
    serde_json::from_slice(message).unwrap()
}

#[test]
fn a_record_in_full() {
    let message =
        message::record(&scene("b"), &event(EventType::ObjectCreatedPut, "a b/c+d\u{e9}=1"), "rule");
    let text = std::str::from_utf8(&message).unwrap();
    assert_eq!(
        text,
        "{\"Records\":[{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"awsRegion\":\"us-east-1\",\
         \"eventTime\":\"2025-01-01T00:00:00.123Z\",\"eventName\":\"ObjectCreated:Put\",\
         \"userIdentity\":{\"principalId\":\"AWS:000000000000\"},\
         \"requestParameters\":{\"sourceIPAddress\":\"127.0.0.1\"},\
         \"responseElements\":{\"x-amz-request-id\":\"0123456789ABCDEF\",\
         \"x-amz-id-2\":\"ASNFZ4mrze8AAAAAAAAAAAEjRWeJq83vAAAAAAAAAAABI0VniavN7wAAAAAAAAAA\"},\
         \"s3\":{\"s3SchemaVersion\":\"1.0\",\"configurationId\":\"rule\",\
         \"bucket\":{\"name\":\"b\",\"ownerIdentity\":{\"principalId\":\"000000000000\"},\"arn\":\"arn:aws:s3:::b\"},\
         \"object\":{\"key\":\"a+b/c%2Bd%C3%A9%3D1\",\"size\":5,\"eTag\":\"etag\",\"versionId\":\"v\",\
         \"sequencer\":\"0000000000000000AB\"}}}]}"
    );
}

/// Which fields each kind has.
#[test]
fn kinds_tell_different_things() {
    let object = |kind, version_id: Option<&str>| {
        let version_id = version_id.map(str::to_owned);
        let event = Event { version_id, etag: None, ..event(kind, "k") };
        let message = parsed(&message::record(&scene("b"), &event, "r"));
        let record = message["Records"][0].clone();
        (
            record["eventVersion"].clone(),
            record["userIdentity"]["principalId"].clone(),
            record["s3"]["object"].clone(),
        )
    };
    let empty = "d41d8cd98f00b204e9800998ecf8427e";
    let sequencer = "0000000000000000AB";
    let caller = "AWS:000000000000";
    assert_eq!(
        object(EventType::ObjectRemovedDelete, None),
        (json!("2.1"), json!(caller), json!({"key": "k", "sequencer": sequencer}))
    );
    assert_eq!(
        object(EventType::ObjectRemovedDeleteMarkerCreated, Some("m")).2,
        json!({"key": "k", "eTag": empty, "versionId": "m", "sequencer": sequencer})
    );
    assert_eq!(
        object(EventType::ObjectTaggingPut, Some("v")),
        (json!("2.3"), json!(caller), json!({"key": "k", "eTag": empty, "versionId": "v"}))
    );
    assert_eq!(
        object(EventType::LifecycleExpirationDelete, Some("v")),
        (
            json!("2.3"),
            json!("s3.amazonaws.com"),
            json!({"key": "k", "versionId": "v", "sequencer": sequencer})
        )
    );
    let moved = parsed(&message::record(&scene("b"), &event(EventType::LifecycleTransition, "k"), "r"));
    let data = &moved["Records"][0]["lifecycleEventData"];
    assert_eq!(*data, json!({"transitionEventData": {"destinationStorageClass": "GLACIER"}}));
    let put = parsed(&message::record(&scene("b"), &event(EventType::ObjectCreatedPut, "k"), "r"));
    assert!(put["Records"][0].get("lifecycleEventData").is_none());
}

#[test]
fn the_test_event() {
    let message = parsed(&message::test_event(&scene("b")));
    assert_eq!(message["Service"], "Amazon S3");
    assert_eq!(message["Event"], "s3:TestEvent");
    assert_eq!(message["Time"], "2025-01-01T00:00:00.123Z");
    assert_eq!(message["Bucket"], "b");
    assert_eq!(message.as_object().unwrap().len(), 6);
}

#[test]
fn names_of_events() {
    for event in EventType::ALL {
        assert_eq!(event.name().parse(), Ok(*event));
        assert!(event.covers(*event));
    }
    assert_eq!(EventType::ALL.len(), 31);
    let covered = |kind: EventType| EventType::ALL.iter().filter(|event| kind.covers(**event)).count();
    assert_eq!(covered(EventType::ObjectCreated), 5);
    assert_eq!(covered(EventType::LifecycleExpiration), 3);
    assert_eq!(covered(EventType::ObjectTaggingPut), 1);
    let refused = "s3:ObjectCreated".parse::<EventType>().unwrap_err();
    assert_eq!(refused.to_string(), "The event 's3:ObjectCreated' is not supported for notifications");
}

fn rule(events: &[EventType], prefix: Option<&str>, suffix: Option<&str>) -> NotificationRule {
    let mut rule = NotificationRule::new(QUEUE, events.iter().copied());
    rule.filter = KeyFilter { prefix: prefix.map(str::to_owned), suffix: suffix.map(str::to_owned) };
    rule
}

#[test]
fn overlapping_rules_are_refused() {
    let put = [EventType::ObjectCreatedPut];
    let created = [EventType::ObjectCreated];
    let removed = [EventType::ObjectRemoved];
    let check = |one: NotificationRule, other: NotificationRule| {
        NotificationConfiguration::new([one, other]).validate().map_err(|error| error.to_string())
    };
    let plain = "Configurations overlap. Configurations on the same bucket cannot share a common event type.";
    let ambiguous = "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the \
                     prefixes are overlapping for the same event type.";
    assert_eq!(check(rule(&put, None, None), rule(&created, None, None)), Err(plain.to_owned()));
    assert_eq!(check(rule(&put, None, None), rule(&removed, None, None)), Ok(()));
    assert_eq!(check(rule(&put, Some("a"), None), rule(&put, Some("b"), None)), Ok(()));
    assert_eq!(check(rule(&put, Some("a"), None), rule(&put, Some("ab"), None)), Err(ambiguous.to_owned()));
    assert_eq!(check(rule(&put, Some("a"), None), rule(&put, None, None)), Err(ambiguous.to_owned()));
    assert_eq!(check(rule(&put, None, Some(".jpg")), rule(&put, None, Some(".png"))), Ok(()));
    assert_eq!(check(rule(&put, None, Some(".jpg")), rule(&put, None, Some("g"))), Err(ambiguous.to_owned()));
    assert_eq!(check(rule(&put, Some("a"), Some(".jpg")), rule(&put, Some("b"), Some(".jpg"))), Ok(()));
    assert_eq!(check(rule(&put, Some("a"), Some(".jpg")), rule(&put, Some("a"), Some(".png"))), Ok(()));
}

#[test]
fn other_refusals() {
    let put = [EventType::ObjectCreatedPut];
    let refused = |rule: NotificationRule| {
        let error = NotificationConfiguration::new([rule]).validate().unwrap_err();
        (error.code(), error.to_string())
    };
    let malformed = NotificationError::Malformed.to_string();
    assert_eq!(refused(rule(&[], None, None)), ("MalformedXML", malformed.clone()));
    assert_eq!(refused(rule(&[put[0], put[0]], None, None)), ("MalformedXML", malformed));
    let long = "x".repeat(1025);
    assert_eq!(
        refused(rule(&put, Some(&long), None)),
        (
            "InvalidArgument",
            "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation".to_owned()
        )
    );
    for arn in [
        "",
        "q",
        "arn:aws:sqs:us-east-1:0:q",
        "arn:aws:s3:us-east-1:000000000000:b",
        "arn:aws:sqs:us-east-1:000000000000:",
    ] {
        let mut rule = rule(&put, None, None);
        rule.arn = arn.to_owned();
        assert_eq!(refused(rule), ("InvalidArgument", "The ARN is not well formed".to_owned()), "{arn}");
    }
    let twice = || NotificationRule { id: Some("same".into()), ..rule(&put, None, None) };
    let removed = NotificationRule { events: vec![EventType::ObjectRemoved], ..twice() };
    let error = NotificationConfiguration::new([twice(), removed]).validate().unwrap_err();
    assert_eq!(error.details(), [("ArgumentName", "Id".to_owned()), ("ArgumentValue", "same".to_owned())]);
    let long_id = NotificationRule { id: Some("i".repeat(256)), ..rule(&put, None, None) };
    assert_eq!(refused(long_id).1, "ID length should not exceed allowed limit of 255");
    let mut bus = NotificationConfiguration::default();
    assert_eq!(bus.validate(), Ok(()), "the empty one tells nobody");
    bus.event_bridge = true;
    assert_eq!(bus.validate().unwrap_err().code(), "NotImplemented");
    let many = (0..101).map(|index| rule(&put, Some(&format!("{index:03}")), None));
    assert!(NotificationConfiguration::new(many.clone().take(100)).validate().is_ok());
    assert!(NotificationConfiguration::new(many).validate().is_err());
    let twice = KeyFilter::from_rules([("prefix", "a"), ("Prefix", "b")]).unwrap_err();
    assert_eq!(twice.to_string(), "Cannot specify more than one prefix rule in a filter.");
}

#[test]
fn arns() {
    let arn = TargetArn::parse("arn:aws:lambda:eu-west-1:123456789012:function:f").unwrap();
    assert_eq!((arn.service, arn.region, arn.function()), ("lambda", "eu-west-1", Some("f")));
    let stream = TargetArn::parse("arn:aws-cn:kinesis:eu-west-1:123456789012:stream/s").unwrap();
    assert_eq!((stream.resource, stream.function()), ("stream/s", None));
}

/// A target that keeps what it is told, in the store and in memory.
#[derive(Default)]
struct Told {
    space: u32,
    messages: Mutex<Vec<(String, Value)>>,
}

impl Deliver for Told {
    fn refusal(&self, _: &Store, arn: &str, _: bool) -> crate::Result<Option<String>> {
        Ok(arn.ends_with(":gone").then(|| "The destination queue does not exist".to_owned()))
    }

    fn find(&self, _: &Store, _: &str) -> crate::Result<Option<Box<dyn Target + '_>>> {
        Ok(Some(Box::new(self)))
    }
}

impl Target for &Told {
    fn deliver(
        &self,
        _: &Store,
        delivery: &Delivery<'_>,
        mut batch: Batch,
        append: &mut dyn FnMut(Batch) -> crate::Result<()>,
    ) -> crate::Result<Vec<std::task::Waker>> {
        let Delivery { arn, arrivals, .. } = delivery;
        for arrival in *arrivals {
            batch.put_in(self.space, &arrival.body, arn.as_bytes())?;
        }
        append(batch)?;
        let told = arrivals.iter().map(|arrival| ((*arn).to_owned(), parsed(&arrival.body)));
        self.messages.lock().extend(told);
        Ok(Vec::new())
    }
}

fn store_with_space() -> (Store, Told) {
    let store = Store::builder().clock(ManualClock::default()).open_in_memory();
    let mut batch = store.batch();
    let space = batch.create_space().unwrap();
    store.write(batch).unwrap();
    (store, Told { space, ..Told::default() })
}

#[test]
fn events_reach_their_targets_with_the_change() {
    let (store, told) = store_with_space();
    let functions = Functions::default();
    let called = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&called);
    functions.set("f", move |body| keep.lock().push(parsed(&body)));
    let mut configuration = NotificationConfiguration::new([
        rule(&[EventType::ObjectCreated], Some("in/"), Some(".jpg")),
        NotificationRule::new("arn:aws:kinesis:us-east-1:000000000000:stream/s", [EventType::ObjectRemoved]),
        NotificationRule::new(
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            [EventType::ObjectTaggingPut],
        ),
    ]);
    let mut number = 0;
    configuration.name_rules(|| {
        number += 1;
        format!("rule{number}")
    });
    assert_eq!(configuration.validate(), Ok(()));
    let events = [
        event(EventType::ObjectCreatedPut, "in/a.jpg"),
        event(EventType::ObjectCreatedPut, "in/a.png"),
        event(EventType::ObjectRemovedDelete, "x"),
        event(EventType::ObjectTaggingPut, "in/a.jpg"),
        event(EventType::ObjectCreatedCopy, "in/b.jpg"),
        event(EventType::ObjectAclPut, "in/b.jpg"),
    ];
    let deliveries = Deliveries::of(&configuration, &scene("b"), &events);
    let mut batch = store.batch();
    batch.put_in(told.space, b"change", b"").unwrap();
    let find = |service: &str| ["sqs", "kinesis"].contains(&service).then_some(&told as &dyn Deliver);
    let (pending, calls) = deliveries.commit_to(&store, &functions, batch, &find).unwrap();
    pending.wait().unwrap();
    assert!(called.lock().is_empty(), "functions are told when no lock is held (N2)");
    calls.run();
    let seen: Vec<_> = told
        .messages
        .lock()
        .iter()
        .map(|(arn, message)| {
            let s3 = &message["Records"][0]["s3"];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let object = &s3["object"];
            (
                arn.rsplit(':').next().unwrap().to_owned(),
                text(&s3["configurationId"]),
                text(&object["key"]),
                text(&object["sequencer"]),
            )
        })
        .collect();
    let line = |target: &str, rule: &str, key: &str, sequencer: u64| {
        (target.to_owned(), rule.to_owned(), key.to_owned(), format!("{sequencer:018X}"))
    };
    assert_eq!(
        seen,
        [
            line("q", "rule1", "in/a.jpg", 0xab),
            line("q", "rule1", "in/b.jpg", 0xaf),
            line("stream/s", "rule2", "x", 0xad),
        ],
        "the last to be locked is the first to apply"
    );
    assert_eq!(called.lock()[0]["Records"][0]["eventName"], "ObjectTagging:Put");
    assert_eq!(store.space(told.space).unwrap().prefix(&store, b"").count(), 4, "all in one keyspace");
}

#[test]
fn targets_that_are_gone_do_not_hold_up_the_change() {
    let (store, told) = store_with_space();
    let functions = Functions::default();
    let configuration = NotificationConfiguration::new([
        rule(&[EventType::ObjectCreated], None, None),
        NotificationRule::new("arn:aws:lambda:us-east-1:000000000000:function:f", [EventType::ObjectRemoved]),
    ]);
    let events = [event(EventType::ObjectCreatedPut, "a"), event(EventType::ObjectRemovedDelete, "a")];
    let deliveries = Deliveries::of(&configuration, &scene("b"), &events);
    let mut batch = store.batch();
    batch.put_in(told.space, b"change", b"").unwrap();
    let (pending, calls) = deliveries.commit(&store, &functions, batch).unwrap();
    pending.wait().unwrap();
    calls.run();
    assert!(store.space(told.space).unwrap().get(&store, b"change").unwrap().is_some());
}

#[test]
fn targets_are_validated_and_told_that_they_are() {
    let (store, told) = store_with_space();
    let functions = Functions::default();
    let find = |service: &str| (service == "sqs").then_some(&told as &dyn Deliver);
    let check = |arn: &str| {
        let configuration =
            NotificationConfiguration::new([NotificationRule::new(arn, [EventType::ObjectCreated])]);
        check_targets_of(&store, &functions, &configuration, &find).unwrap()
    };
    assert_eq!(check(QUEUE), Ok(()));
    let gone = "arn:aws:sqs:us-east-1:000000000000:gone";
    let refused = check(gone).unwrap_err();
    assert_eq!(refused.to_string(), "Unable to validate the following destination configurations");
    assert_eq!(
        refused.details(),
        [
            ("ArgumentName1", gone.to_owned()),
            ("ArgumentValue1", "The destination queue does not exist".to_owned())
        ]
    );
    assert_eq!(
        check("arn:aws:sqs:eu-west-1:000000000000:q").unwrap_err().to_string(),
        "The notification destination service region is not valid for the bucket location constraint"
    );
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    assert!(check(function).is_err() && check("arn:aws:sns:us-east-1:000000000000:t").is_err());
    functions.set("f", drop);
    assert_eq!(check(function), Ok(()));
    functions.remove("f");
    assert!(check(function).is_err());

    let rules = [
        NotificationRule::new(QUEUE, [EventType::ObjectCreated]),
        NotificationRule::new(QUEUE, [EventType::ObjectRemoved]),
        NotificationRule::new(function, [EventType::ObjectTagging]),
    ];
    let tests = Deliveries::of_tests(&NotificationConfiguration::new(rules), &scene("b"));
    let (_, calls) = tests.commit_to(&store, &functions, store.batch(), &find).unwrap();
    calls.run();
    let told: Vec<_> =
        told.messages.lock().iter().map(|(arn, test)| (arn.clone(), test["Event"].clone())).collect();
    assert_eq!(told, [(QUEUE.to_owned(), json!("s3:TestEvent"))], "once, and no function");
}

fn any_configuration() -> impl Strategy<Value = NotificationConfiguration> {
    let text = || proptest::option::of("[a-c]{0,3}");
    let events = proptest::collection::vec(proptest::sample::select(EventType::ALL.to_vec()), 0..3);
    let rule =
        (text(), "[a-c:]{0,4}", events, text(), text()).prop_map(|(id, arn, events, prefix, suffix)| {
            NotificationRule { id, arn, events, filter: KeyFilter { prefix, suffix } }
        });
    proptest::collection::vec(rule, 0..4).prop_map(NotificationConfiguration::new)
}

proptest! {
    #[test]
    fn what_is_stored_comes_back(configuration in any_configuration()) {
        let stored = configuration.encode();
        prop_assert_eq!(NotificationConfiguration::decode(&stored), Ok(configuration.clone()));
        for len in 0..stored.len() {
            prop_assert!(NotificationConfiguration::decode(&stored[..len]).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(found) = NotificationConfiguration::decode(&bytes) {
            prop_assert_eq!(found.encode(), bytes);
        }
    }

    /// Rules that are accepted never tell twice of one event; rules that are refused as ambiguous would.
    #[test]
    fn accepted_rules_do_not_tell_twice(
        one in ("[ab]{0,2}", "[ab]{0,2}"), other in ("[ab]{0,2}", "[ab]{0,2}"),
    ) {
        let put = [EventType::ObjectCreatedPut];
        let rules = [&one, &other].map(|(prefix, suffix)| rule(&put, Some(prefix), Some(suffix)));
        // Keys up to four letters: long enough for any prefix with any suffix.
        let keys = (0..5_u32).flat_map(|len| (0..1_u32 << len).map(move |bits| {
            (0..len).map(|at| if bits >> at & 1 == 1 { 'b' } else { 'a' }).collect::<String>()
        }));
        let twice = keys.into_iter().any(|key| rules.iter().all(|rule| rule.tells_of(put[0], &key)));
        prop_assert_eq!(NotificationConfiguration::new(rules).validate().is_err(), twice);
    }

    #[test]
    fn messages_are_json_whatever_the_key(key in any::<String>(), bucket in any::<String>(), id in any::<String>()) {
        let message = parsed(&message::record(&scene(&bucket), &event(EventType::ObjectCreatedPut, &key), &id));
        let s3 = &message["Records"][0]["s3"];
        prop_assert_eq!(s3["bucket"]["name"].as_str(), Some(&*bucket));
        prop_assert_eq!(s3["configurationId"].as_str(), Some(&*id));
        prop_assert!(s3["object"]["key"].as_str().unwrap().is_ascii());
    }
}
