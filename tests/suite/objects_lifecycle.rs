//! What rules of a bucket do as its clock goes on, and what is told of it.

use fourfold::clock::ManualClock;
use fourfold::objects::{
    Bucket, Buckets, CreateUpload, Day, DeleteObject, Dials, EventType, Expiration, GetObject,
    LifecycleConfiguration, LifecycleRule, ListObjects, ListUploads, ListVersions, NoncurrentExpiration,
    NoncurrentTransition, NotificationConfiguration, NotificationRule, PutObject, StorageClass, Tags,
    Transition, TransitionClass, Versioning,
};
use fourfold::{Fault, Store};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

struct World {
    clock: ManualClock,
    store: Store,
    buckets: Buckets,
    bucket: Bucket,
}

fn world() -> World {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    let buckets = store.buckets();
    let bucket = buckets.create("bucket").unwrap();
    World { clock, store, buckets, bucket }
}

impl World {
    fn set(&self, rules: impl IntoIterator<Item = LifecycleRule>) {
        self.bucket.set_lifecycle(LifecycleConfiguration::new(rules)).unwrap();
    }

    fn after(&self, days: u32) {
        self.clock.advance(DAY * days);
        self.store.maintain().unwrap();
    }

    /// Key, whether it is a delete marker, and whether it is the newest, of every version.
    fn versions(&self) -> Vec<(String, bool, bool)> {
        let page = self.bucket.list_versions(&ListVersions::default()).unwrap();
        page.versions
            .into_iter()
            .map(|version| (version.key, version.object.is_none(), version.is_latest))
            .collect()
    }

    fn keys(&self) -> Vec<String> {
        self.bucket
            .list(&ListObjects::default())
            .unwrap()
            .objects
            .into_iter()
            .map(|object| object.key)
            .collect()
    }
}

fn rule(change: impl FnOnce(&mut LifecycleRule)) -> LifecycleRule {
    let mut rule = LifecycleRule::default();
    change(&mut rule);
    rule
}

fn expiring(prefix: &str, days: i32) -> LifecycleRule {
    let mut rule = LifecycleRule::for_prefix(prefix);
    rule.expiration.days = Some(days);
    rule
}

#[test]
fn objects_expire_at_the_midnight_behind_their_days() {
    let world = world();
    world.set([expiring("logs/", 3)]);
    world.clock.advance(Duration::from_hours(10)); // ten in the morning of the first day
    world.bucket.put("logs/a", "1").unwrap();
    world.bucket.put("other", "1").unwrap();
    let expiration = world.bucket.expiration("logs/a", None).unwrap().unwrap();
    assert_eq!(expiration.http_date(), "Sun, 05 Jan 2025 00:00:00 GMT");
    assert_eq!(world.bucket.expiration("other", None).unwrap(), None);
    world.after(3);
    assert_eq!(world.keys(), ["logs/a", "other"]);
    world.clock.advance(Duration::from_hours(14) - Duration::from_millis(1));
    world.store.maintain().unwrap();
    assert_eq!(world.keys(), ["logs/a", "other"], "a moment before midnight");
    world.clock.advance(Duration::from_millis(1));
    world.store.maintain().unwrap();
    assert_eq!(world.keys(), ["other"]);
    assert_eq!(world.versions().len(), 1, "nothing is left of it");
}

#[test]
fn by_tag_and_by_size() {
    use fourfold::objects::{LifecycleFilter, LifecycleTag};
    let world = world();
    let filtered = |filter| {
        rule(|rule| {
            rule.filter = Some(filter);
            rule.expiration.days = Some(1);
        })
    };
    world.set([
        filtered(LifecycleFilter { tag: Some(LifecycleTag::new("keep", "no")), ..Default::default() }),
        filtered(LifecycleFilter { larger_than: Some(1000), ..Default::default() }),
    ]);
    world.bucket.put("small", "1").unwrap();
    world.bucket.put("big", vec![0; 1001]).unwrap();
    let tagged = PutObject::new("tagged").tags(Tags::from([("keep", "no")]));
    world.bucket.put_object(tagged, "1").unwrap();
    world.bucket.put_object(PutObject::new("kept").tags(Tags::from([("keep", "yes")])), "1").unwrap();
    world.after(3);
    assert_eq!(world.keys(), ["kept", "small"]);
}

#[test]
fn a_date_stays_in_force() {
    let world = world();
    let date = world.clock.now_plus_days(2);
    world.set([rule(|rule| rule.expiration.date = Some(date))]);
    world.bucket.put("a", "1").unwrap();
    world.after(1);
    assert_eq!(world.keys(), ["a"]);
    world.after(1);
    assert!(world.keys().is_empty());
    world.bucket.put("b", "1").unwrap();
    world.after(1);
    assert!(world.keys().is_empty(), "what is written later expires at the next midnight");
}

#[test]
fn with_versions_a_marker_comes_then_versions_go_then_the_marker() {
    let world = world();
    world.bucket.set_versioning(Versioning::Enabled).unwrap();
    world.set([rule(|rule| {
        rule.expiration.days = Some(10);
        rule.noncurrent_expiration.days = Some(5);
    })]);
    world.bucket.put("a", "1").unwrap();
    world.after(11);
    assert_eq!(world.versions(), [("a".into(), true, true), ("a".into(), false, false)]);
    assert_eq!(world.bucket.get("a").unwrap_err().code(), "NoSuchKey");
    world.after(5);
    assert_eq!(world.versions().len(), 2, "five days are not over before midnight");
    world.after(1);
    assert_eq!(world.versions(), [("a".into(), true, true)], "the marker stays until it is ten days old");
    world.after(6);
    assert!(world.versions().is_empty());
}

#[test]
fn lone_markers_go_if_asked() {
    let world = world();
    world.bucket.set_versioning(Versioning::Enabled).unwrap();
    world.bucket.put("with", "1").unwrap();
    world.bucket.delete("with").unwrap();
    world.bucket.delete("lone").unwrap();
    world.set([rule(|rule| {
        rule.expiration = Expiration { expired_object_delete_marker: Some(true), ..Expiration::default() };
    })]);
    world.after(1);
    assert_eq!(world.versions(), [("with".into(), true, true), ("with".into(), false, false)]);
}

#[test]
fn so_many_older_versions_stay() {
    let world = world();
    world.bucket.set_versioning(Versioning::Enabled).unwrap();
    world.set([rule(|rule| {
        rule.noncurrent_expiration = NoncurrentExpiration { days: Some(1), newer_versions: Some(2) };
    })]);
    for text in 0..8_u8 {
        world.bucket.put("a", vec![text]).unwrap();
        world.bucket.put("b/".to_owned().as_str(), vec![text]).unwrap();
    }
    world.after(2);
    let of = |key: &str| world.versions().iter().filter(|(found, ..)| found == key).count();
    assert_eq!((of("a"), of("b/")), (3, 3), "the current one and two more");
    assert_eq!(world.bucket.get("a").unwrap().body.bytes().unwrap(), vec![7]);
}

/// More versions than fit into a batch or a piece of the walk.
#[test]
fn many_versions_and_many_keys() {
    let world = world();
    world.bucket.set_versioning(Versioning::Enabled).unwrap();
    for index in 0..1000_u32 {
        world.bucket.put("many", index.to_string()).unwrap();
    }
    for index in 0..5000_u32 {
        world.bucket.put(&format!("k{index:04}"), "").unwrap();
    }
    world.set([rule(|rule| rule.noncurrent_expiration.days = Some(1)), expiring("k1", 1)]);
    world.after(2);
    let of_many = |bucket: &Bucket| {
        let request = ListVersions { prefix: Some("many".into()), ..ListVersions::default() };
        bucket.list_versions(&request).unwrap().versions.len()
    };
    assert_eq!(of_many(&world.bucket), 1);
    let mut count = 0;
    let mut request = ListObjects::new().prefix("k");
    loop {
        let page = world.bucket.list(&request).unwrap();
        count += page.objects.len();
        assert!(page.objects.iter().all(|object| !object.key.starts_with("k1")));
        request.continuation_token = page.next_continuation_token;
        if request.continuation_token.is_none() {
            break;
        }
    }
    assert_eq!(count, 4000);
}

#[test]
fn while_suspended_the_null_version_is_replaced_once() {
    let world = world();
    world.bucket.put("a", vec![1; 200_000]).unwrap(); // the null version, with bytes of its own
    world.bucket.set_versioning(Versioning::Enabled).unwrap();
    world.bucket.put("a", vec![2; 200_000]).unwrap();
    world.bucket.set_versioning(Versioning::Suspended).unwrap();
    world.set([rule(|rule| {
        rule.expiration.days = Some(1);
        rule.noncurrent_expiration.days = Some(1);
    })]);
    world.after(2);
    assert_eq!(world.bucket.get("a").unwrap_err().code(), "NoSuchKey");
    world.after(4);
    assert!(world.versions().is_empty());
    world.store.maintain().unwrap();
    assert!(world.store.verify().unwrap().is_empty());
}

#[test]
fn uploads_that_nobody_completes_are_aborted() {
    let world = world();
    world.set([rule(|rule| rule.abort_incomplete_upload_days = Some(2))]);
    let old = world.bucket.create_upload(CreateUpload::new("old")).unwrap();
    let abortion = world.bucket.abortion("old", world.store.now()).unwrap().unwrap();
    assert_eq!(abortion.http_date(), "Sat, 04 Jan 2025 00:00:00 GMT");
    world.clock.advance(DAY + Duration::from_secs(1));
    world.bucket.create_upload(CreateUpload::new("new")).unwrap();
    world.after(2);
    let uploads = world.bucket.list_uploads(&ListUploads::default()).unwrap().uploads;
    assert_eq!(uploads.iter().map(|upload| &*upload.key).collect::<Vec<_>>(), ["new"]);
    let error = world.bucket.abort_upload("old", &old.upload_id.to_string()).unwrap_err();
    assert_eq!(error.code(), "NoSuchUpload");
}

#[test]
fn classes_change_and_bytes_do_not() {
    let world = world();
    world.bucket.set_versioning(Versioning::Enabled).unwrap();
    world.set([rule(|rule| {
        let to = |days, class| Transition { days: Some(days), date: None, class };
        rule.transitions = vec![to(30, TransitionClass::StandardIa), to(60, TransitionClass::Glacier)];
        rule.noncurrent_transitions = vec![NoncurrentTransition {
            days: Some(1),
            newer_versions: None,
            class: TransitionClass::DeepArchive,
        }];
    })]);
    let bytes = vec![7; 300_000];
    let old = world.bucket.put("a", bytes.clone()).unwrap().version_id.unwrap();
    world.bucket.put("a", bytes.clone()).unwrap();
    world.bucket.put("small", "x").unwrap();
    let class = |request: GetObject| world.bucket.head_object(&request).unwrap().info.storage_class;
    world.after(2);
    assert_eq!(class(GetObject::new("a").version(old)), StorageClass::DeepArchive);
    assert_eq!(class(GetObject::new("a")), StorageClass::Standard);
    world.after(29);
    assert_eq!(class(GetObject::new("a")), StorageClass::StandardIa);
    world.after(30);
    assert_eq!(class(GetObject::new("a")), StorageClass::Glacier);
    assert_eq!(class(GetObject::new("small")), StorageClass::Standard);
    assert_eq!(world.bucket.get("a").unwrap().body.bytes().unwrap(), bytes);
}

#[test]
fn what_rules_do_is_told() {
    let world = world();
    let told = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&told);
    world.buckets.set_function("f", move |event| keep.lock().unwrap().push(event));
    let arn = world.buckets.function_arn("f");
    let events = [EventType::LifecycleExpiration, EventType::LifecycleTransition];
    world
        .bucket
        .set_notifications(NotificationConfiguration::new([NotificationRule::new(arn, events)]))
        .unwrap();
    world.set([expiring("old/", 1)]);
    world.bucket.put("old/a", "1").unwrap();
    world.bucket.delete_object(&DeleteObject::new("none")).unwrap();
    world.after(2);
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1);
    let text = std::str::from_utf8(&told[0]).unwrap();
    assert!(
        text.contains("\"eventVersion\":\"2.3\"")
            && text.contains("\"eventName\":\"LifecycleExpiration:Delete\"")
    );
    assert!(text.contains("\"key\":\"old/a\""));
}

#[test]
fn rules_are_kept_replaced_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let id = {
        let store = Store::open(dir.path().join("store")).unwrap();
        let bucket = store.buckets().create("bucket").unwrap();
        let missing = bucket.lifecycle().unwrap_err();
        assert_eq!((missing.code(), missing.status()), ("NoSuchLifecycleConfiguration", 404));
        assert_eq!(missing.to_string(), "The lifecycle configuration does not exist");
        assert_eq!(missing.details(), [("BucketName", "bucket".to_owned())]);
        assert_eq!(missing.fault(), Fault::Caller);
        bucket.set_lifecycle(LifecycleConfiguration::new([expiring("a", 1)])).unwrap();
        let refused = bucket.set_lifecycle(LifecycleConfiguration::new([expiring("a", 0)])).unwrap_err();
        assert_eq!((refused.code(), refused.status()), ("InvalidArgument", 400));
        bucket.lifecycle().unwrap().rules[0].id.clone().unwrap()
    };
    assert_eq!(id.len(), 48, "an ID as the service makes them");
    let store = Store::open(dir.path().join("store")).unwrap();
    let bucket = store.buckets().bucket("bucket").unwrap();
    assert_eq!(bucket.lifecycle().unwrap().rules[0].id.as_deref(), Some(&*id));
    bucket.delete_lifecycle().unwrap();
    assert!(bucket.lifecycle().is_err());
    bucket.delete_lifecycle().unwrap();
}

#[test]
fn a_short_day_for_tests() {
    let world = world();
    let mut dials = Dials::default();
    dials.day = Day::of(Duration::from_secs(1));
    world.buckets.set_dials(dials);
    world.set([expiring("", 1)]);
    world.bucket.put("a", "1").unwrap();
    world.clock.advance(Duration::from_secs(2));
    world.store.maintain().unwrap();
    assert!(world.keys().is_empty());
}

/// A run is due whenever the clock passes a midnight, also when nobody wrote, and after the store was opened again.
#[test]
fn after_a_restart_rules_are_applied_again() {
    let clock = ManualClock::default();
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        Store::builder().clock(clock.clone()).background_threads(0).open(dir.path().join("store")).unwrap()
    };
    {
        let store = open();
        let bucket = store.buckets().create("bucket").unwrap();
        bucket.set_lifecycle(LifecycleConfiguration::new([expiring("", 1)])).unwrap();
        bucket.put("a", "1").unwrap();
        store.maintain().unwrap();
    }
    clock.advance(DAY * 3);
    let store = open();
    let bucket = store.buckets().bucket("bucket").unwrap();
    assert!(bucket.get("a").is_ok());
    store.maintain().unwrap();
    assert_eq!(bucket.get("a").unwrap_err().code(), "NoSuchKey");
}

trait Days {
    fn now_plus_days(&self, days: u32) -> fourfold::Timestamp;
}

impl Days for ManualClock {
    fn now_plus_days(&self, days: u32) -> fourfold::Timestamp {
        use fourfold::Clock;
        self.now() + DAY * days
    }
}
