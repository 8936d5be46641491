//! Who is told what happens in a bucket.

use fourfold::Store;
use fourfold::objects::{
    Bucket, Buckets, CompleteUpload, CopyObject, CopySource, CreateUpload, DeleteObject, EventType,
    KeyFilter, NotificationConfiguration, NotificationRule, Tags, UploadPart, Versioning,
};
use fourfold::stream::{CreateStream, Start};
use serde_json::Value;
use std::sync::{Arc, Mutex};

struct World {
    store: Store,
    buckets: Buckets,
    bucket: Bucket,
    told: Arc<Mutex<Vec<Value>>>,
}

/// A bucket with a function that keeps what it is told of these events.
fn world(events: &[EventType], filter: KeyFilter) -> World {
    let store = Store::in_memory();
    let buckets = store.buckets();
    let bucket = buckets.create("bucket").unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&told);
    buckets
        .set_function("f", move |event| keep.lock().unwrap().push(serde_json::from_slice(&event).unwrap()));
    let mut rule = NotificationRule::new(buckets.function_arn("f"), events.iter().copied());
    rule.id = Some("rule".into());
    rule.filter = filter;
    bucket.set_notifications(NotificationConfiguration::new([rule])).unwrap();
    World { store, buckets, bucket, told }
}

impl World {
    /// Name and object of each event since the last call.
    fn told(&self) -> Vec<(String, Value)> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        let event = |message: &Value| {
            let record = &message["Records"][0];
            assert_eq!(record["s3"]["configurationId"], "rule");
            (record["eventName"].as_str().unwrap().to_owned(), record["s3"]["object"].clone())
        };
        told.iter().map(event).collect()
    }

    fn names(&self) -> Vec<String> {
        self.told().into_iter().map(|(name, _)| name).collect()
    }
}

const ALL: [EventType; 3] = [EventType::ObjectCreated, EventType::ObjectRemoved, EventType::ObjectTagging];

#[test]
fn every_verb_tells() {
    let world = world(&ALL, KeyFilter::default());
    let bucket = &world.bucket;
    let put = bucket.put("a b", "hello").unwrap();
    let told = world.told();
    assert_eq!(told.len(), 1);
    let (name, object) = &told[0];
    assert_eq!(name, "ObjectCreated:Put");
    assert_eq!(object["key"], "a+b");
    assert_eq!(object["size"], 5);
    assert_eq!(object["eTag"].as_str().unwrap(), put.etag.unquoted());
    assert!(object.get("versionId").is_none(), "a bucket that was never versioned has none");

    bucket.copy(CopyObject::new("c", CopySource::new("bucket", "a b"))).unwrap();
    let id = bucket.create_upload(CreateUpload::new("u")).unwrap().upload_id;
    let part = bucket.upload_part(UploadPart::new("u", id, 1), "part").unwrap();
    bucket.complete_upload(&CompleteUpload::new("u", id).part(1, part.etag)).unwrap();
    bucket.set_tagging("c", None, Tags::from([("a", "1")])).unwrap();
    bucket.delete_tagging("c", None).unwrap();
    bucket.delete("c").unwrap();
    bucket.delete("c").unwrap();
    bucket.delete_many(&[DeleteObject::new("u"), DeleteObject::new("none")]).unwrap();
    assert_eq!(
        world.names(),
        [
            "ObjectCreated:Copy",
            "ObjectCreated:CompleteMultipartUpload",
            "ObjectTagging:Put",
            "ObjectTagging:Delete",
            "ObjectRemoved:Delete",
            "ObjectRemoved:Delete",
        ],
        "what is not there cannot be removed"
    );
}

#[test]
fn versions_are_told_apart() {
    let world = world(&ALL, KeyFilter::default());
    let bucket = &world.bucket;
    bucket.set_versioning(Versioning::Enabled).unwrap();
    let version = bucket.put("a", "1").unwrap().version_id.unwrap();
    let marker = bucket.delete("a").unwrap().version_id.unwrap();
    bucket.delete_object(&DeleteObject::new("a").version(version)).unwrap();
    let told = world.told();
    let names: Vec<_> = told.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:Delete"]);
    let ids: Vec<_> =
        told.iter().map(|(_, object)| object["versionId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, [version.to_string(), marker.to_string(), version.to_string()]);
    let sequencers: Vec<_> = told.iter().map(|(_, object)| object["sequencer"].as_str().unwrap()).collect();
    assert!(
        sequencers.windows(2).all(|pair| pair[0] < pair[1] && pair[0].len() == pair[1].len()),
        "{sequencers:?}"
    );
}

#[test]
fn filters_choose_keys() {
    let filter = KeyFilter { prefix: Some("in/".into()), suffix: Some(".jpg".into()) };
    let world = world(&[EventType::ObjectCreatedPut], filter);
    for key in ["in/a.jpg", "in/a.png", "out/a.jpg"] {
        world.bucket.put(key, "").unwrap();
    }
    world.bucket.copy(CopyObject::new("in/b.jpg", CopySource::new("bucket", "in/a.jpg"))).unwrap();
    let told = world.told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1["key"], "in/a.jpg");
}

#[test]
fn a_refused_change_is_not_told() {
    let world = world(&ALL, KeyFilter::default());
    world.bucket.put("a", "1").unwrap();
    let again = fourfold::objects::PutObject::new("a").if_none_match();
    assert!(world.bucket.put_object(again, "2").is_err());
    drop(world.bucket.writer(fourfold::objects::PutObject::new("b")).unwrap());
    assert_eq!(world.names(), ["ObjectCreated:Put"]);
}

/// No lock is held when a function is called.
#[test]
fn a_function_may_use_the_bucket() {
    let store = Store::in_memory();
    let buckets = store.buckets();
    let bucket = buckets.create("bucket").unwrap();
    let inner = bucket.clone();
    buckets.set_function("copy", move |event| {
        let event: Value = serde_json::from_slice(&event).unwrap();
        let key = event["Records"][0]["s3"]["object"]["key"].as_str().unwrap();
        let source = CopySource::new("bucket", key);
        inner.copy(CopyObject::new(format!("copies/{key}"), source)).unwrap();
    });
    let rule = NotificationRule::new(buckets.function_arn("copy"), [EventType::ObjectCreatedPut]);
    bucket.set_notifications(NotificationConfiguration::new([rule])).unwrap();
    bucket.put("a", "text").unwrap();
    assert_eq!(bucket.get("copies/a").unwrap().body.bytes().unwrap(), "text");
    buckets.remove_function("copy");
    bucket.put("b", "text").unwrap();
    assert!(bucket.get("copies/b").is_err(), "who is gone is not told, and the change goes on");
}

#[test]
fn rules_are_kept_and_refused() {
    let world = world(&ALL, KeyFilter::default());
    let kept = world.bucket.notifications().unwrap();
    assert_eq!(kept.rules[0].events, ALL);
    let gone = NotificationRule::new(world.buckets.function_arn("gone"), [EventType::ObjectCreated]);
    let refused = world.bucket.set_notifications(NotificationConfiguration::new([gone.clone()])).unwrap_err();
    assert_eq!(refused.code(), "InvalidArgument");
    assert_eq!(refused.to_string(), "Unable to validate the following destination configurations");
    assert_eq!(world.bucket.notifications().unwrap(), kept, "the one before stays");
    world.bucket.set_notifications_unvalidated(NotificationConfiguration::new([gone])).unwrap();
    let id = world.bucket.notifications().unwrap().rules[0].id.clone().unwrap();
    assert_eq!(id.len(), 48, "an ID as the service makes them");
    world.bucket.set_notifications(NotificationConfiguration::default()).unwrap();
    assert_eq!(world.bucket.notifications().unwrap(), NotificationConfiguration::default());
    world.bucket.put("a", "1").unwrap();
    assert!(world.told().is_empty());
    let bus = {
        let mut bus = NotificationConfiguration::default();
        bus.event_bridge = true;
        bus
    };
    let refused = world.bucket.set_notifications(bus).unwrap_err();
    assert_eq!((refused.code(), refused.status()), ("NotImplemented", 501));
    world.store.maintain().unwrap();
}

/// A queue and a stream of the same store are told in the batch of the change.
#[test]
fn queues_and_streams_are_told_with_the_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    {
        let store = Store::open(&path).unwrap();
        let bucket = store.buckets().create("bucket").unwrap();
        store.queues().create("q").unwrap();
        store.streams().create("s", CreateStream::default().shard_count(1)).unwrap();
        let arn = |service: &str, name: &str| format!("arn:aws:{service}:us-east-1:000000000000:{name}");
        let to_queue = NotificationRule::new(arn("sqs", "q"), [EventType::ObjectCreated]);
        let to_stream = NotificationRule::new(arn("kinesis", "stream/s"), [EventType::ObjectRemoved]);
        bucket.set_notifications(NotificationConfiguration::new([to_queue, to_stream])).unwrap();
        bucket.put("a", "text").unwrap();
        bucket.delete("a").unwrap();
        let gone = NotificationRule::new(arn("sqs", "gone"), [EventType::ObjectCreated]);
        let refused = bucket.set_notifications(NotificationConfiguration::new([gone])).unwrap_err();
        assert_eq!(
            refused.details()[1],
            ("ArgumentValue1", "The destination queue does not exist".to_owned())
        );
    }
    // What was told is as durable as what it is about.
    let store = Store::open(&path).unwrap();
    let messages = store.queues().get("q").unwrap().receive(10).unwrap();
    let name = |message: &Value| message.get("Event").unwrap_or(&message["Records"][0]["eventName"]).clone();
    let told: Vec<_> =
        messages.iter().map(|message| name(&serde_json::from_str(message.body()).unwrap())).collect();
    assert_eq!(told, ["s3:TestEvent", "ObjectCreated:Put"]);
    let stream = store.streams().stream("s").unwrap();
    let mut cursor = stream.cursor("shardId-000000000000", Start::TrimHorizon).unwrap();
    let mut told = Vec::new();
    while let Some(record) = cursor.try_next().unwrap() {
        told.push(name(&serde_json::from_slice(record.data()).unwrap()));
    }
    // Under two partition keys: the test event has that of the bucket, the other that of the object.
    assert_eq!(told, ["s3:TestEvent", "ObjectRemoved:Delete"]);
    store.queues().delete("q").unwrap();
    let bucket = store.buckets().bucket("bucket").unwrap();
    bucket.put("b", "text").unwrap();
    assert!(bucket.get("b").is_ok(), "a queue that is gone does not hold up the change");
}
