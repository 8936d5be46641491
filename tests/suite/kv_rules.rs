//! Rules of tables beside the main road: where pages begin, keys of indexes, sizes of updates, and who is woken when.

use fourfold::kv::{
    BillingMode, CreateTable, Error, Index, OnDemandThroughput, Projection, PutItem, Query, ScalarType, Scan,
    SseSpecification, StreamSpecification, StreamViewType, Tables, Tag, Throughput, TransactWriteItems,
    UpdateItem, UpdateTable, WarmThroughput, item,
};
use fourfold::{ManualClock, Store};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

fn made(request: CreateTable) -> (ManualClock, Store, Tables) {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    let tables = store.tables();
    tables.create_table(request).unwrap();
    (clock, store, tables)
}

fn check<T: std::fmt::Debug>(result: Result<T, Error>, text: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.code(), error.to_string()), ("ValidationException", text.to_owned()));
}

#[test]
fn a_page_begins_only_within_what_is_asked_for() {
    let by_n = Index::new("by_n").hash("p").range("n").project(Projection::keys_only());
    let table = CreateTable::new("things").hash("p", ScalarType::S).range("c", ScalarType::S);
    let (_, _, tables) = made(table.attribute("n", ScalarType::N).local_index(by_n));
    for c in ["1", "2", "3"] {
        tables.table("things").put(item! { "p" => "a", "c" => c, "n" => 1 }).unwrap();
    }
    let all = Query::new("things").key_condition("p = :p").value(":p", "a");
    let rest = tables.query(&all.clone().start(item! { "p" => "a", "c" => "1" })).unwrap();
    assert_eq!(rest.count, 2);
    // What a page begins behind need not be there.
    assert_eq!(tables.query(&all.clone().start(item! { "p" => "a", "c" => "2x" })).unwrap().count, 1);
    let invalid = "The provided starting key is invalid";
    let mismatch = "The provided key element does not match the schema";
    let outside = "The provided starting key is outside query boundaries based on provided conditions";
    check(tables.query(&all.clone().start(item! { "p" => "a" })), invalid);
    check(tables.query(&all.clone().start(item! { "p" => "a", "c" => "1", "x" => 1 })), invalid);
    check(tables.query(&all.clone().start(item! { "p" => 1, "c" => "1" })), mismatch);
    check(tables.query(&all.clone().start(item! { "p" => "b", "c" => "1" })), outside);
    let some = Query::new("things").key_condition("p = :p AND c < :c").value(":p", "a").value(":c", "3");
    assert_eq!(tables.query(&some.clone().start(item! { "p" => "a", "c" => "1" })).unwrap().count, 1);
    let no_match = "The provided starting key does not match the range key predicate";
    check(tables.query(&some.start(item! { "p" => "a", "c" => "4" })), no_match);
    let one = Query::new("things").key_condition("p = :p AND c = :c").value(":p", "a").value(":c", "1");
    let one_row = "The query can return at most one row and cannot be restarted";
    check(tables.query(&one.start(item! { "p" => "a", "c" => "1" })), one_row);

    let of_index = all.index("by_n");
    let key = item! { "p" => "a", "c" => "1", "n" => 1 };
    assert_eq!(tables.query(&of_index.clone().start(key)).unwrap().count, 2);
    check(tables.query(&of_index.start(item! { "p" => "a", "c" => "1" })), invalid);

    let scan = Scan::new("things");
    assert_eq!(tables.scan(&scan.clone().start(item! { "p" => "a", "c" => "2" })).unwrap().count, 1);
    let scanned = tables.scan(&scan.start(item! { "p" => "a" }));
    check(scanned, &format!("{invalid}: {mismatch}"));
}

#[test]
fn an_index_has_only_keys_of_its_types() {
    let by_n = Index::new("by_n").hash("n");
    let table = CreateTable::new("things").hash("p", ScalarType::S).attribute("n", ScalarType::S);
    let (_, _, tables) = made(table.global_index(by_n));
    let things = tables.table("things");
    things.put(item! { "p" => "a", "m" => 1 }).unwrap();
    let found = || tables.scan(&Scan::new("things").index("by_n")).unwrap().count;
    let wrong = "Type mismatch for Index Key n Expected: S Actual: N IndexName: by_n";
    let put = things.put(item! { "p" => "a", "n" => 1 }).unwrap_err().to_string();
    assert!(put.ends_with(wrong), "{put}");
    let empty = things.put(item! { "p" => "a", "n" => "" }).unwrap_err().to_string();
    assert!(empty.contains("empty string"), "{empty}");
    let update = |text: &str| UpdateItem::new("things", item! { "p" => "a" }).update(text);
    // What an update sets outright is refused before the item is read, what it computes behind.
    let outright = tables.update_item(update("SET n = :n").value(":n", 1)).unwrap_err().to_string();
    assert!(outright.ends_with(wrong), "{outright}");
    check(
        tables.update_item(update("SET n = m")),
        "The update expression attempted to update the secondary index key to unsupported type",
    );
    assert_eq!(found(), 0);
    tables.update_item(update("SET n = :n").value(":n", "x")).unwrap();
    assert_eq!(found(), 1);
    tables.update_item(update("REMOVE n")).unwrap();
    assert_eq!(found(), 0);
    let within = tables.update_item(update("SET n.x = :n").value(":n", "x")).unwrap_err().to_string();
    assert!(within.contains("Key attributes must be scalars"), "{within}");
}

#[test]
fn an_update_is_no_larger_than_an_item_may_be() {
    let (_, _, tables) = made(CreateTable::new("things").hash("p", ScalarType::S));
    let update = |text: &str| UpdateItem::new("things", item! { "p" => "a" }).update(text);
    // The name, its value and 22 bytes for the one change.
    let fits = (400 << 10) - 23;
    let set = |size: usize| tables.update_item(update("SET x = :x").value(":x", "y".repeat(size)));
    set(fits).unwrap();
    let error = set(fits + 1).unwrap_err().to_string();
    assert!(error.ends_with("Item size to update has exceeded the maximum allowed size"), "{error}");
    // A put, and an update in a transaction, have nothing of that; the key is `p` and `a`.
    let put = |size: usize| PutItem::new("things", item! { "p" => "a", "x" => "y".repeat(size) });
    tables.put_item(put((400 << 10) - 3)).unwrap();
    tables.put_item(put((400 << 10) - 2)).unwrap_err();
    let action = update("SET x = :x").value(":x", "z".repeat((400 << 10) - 3));
    tables.transact_write_items(&TransactWriteItems::new().action(action)).unwrap();
}

/// A waker that puts an item, which would wait forever for a lock that is held.
struct Putter(Tables, AtomicUsize);

impl Wake for Putter {
    fn wake(self: Arc<Self>) {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        self.0.table("others").put(item! { "p" => format!("{number}") }).unwrap();
        self.0.table("things").put(item! { "p" => format!("woken {number}") }).unwrap();
    }
}

#[test]
fn wakers_are_called_with_no_lock_held() {
    let table = |name: &str| CreateTable::new(name).hash("p", ScalarType::S).stream(StreamViewType::KeysOnly);
    let (clock, store, tables) = made(table("things"));
    tables.create_table(table("others")).unwrap();
    tables.update_time_to_live("things", "until", true).unwrap();
    let putter = Arc::new(Putter(tables.clone(), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&putter));
    let key = || item! { "p" => "a" };
    let until = (store.now() + Duration::from_secs(5)).as_secs();
    let things = tables.table("things");
    let writes: [&dyn Fn(); 5] = [
        &|| things.put(item! { "p" => "a", "until" => until }).unwrap(),
        &|| drop(tables.update_item(things.update(key()).update("SET n = :n").value(":n", 1)).unwrap()),
        &|| {
            let put = |p: &str| PutItem::new("things", item! { "p" => p });
            let both = TransactWriteItems::new().action(put("b")).action(put("c"));
            drop(tables.transact_write_items(&both).unwrap());
        },
        &|| {
            clock.advance(Duration::from_secs(10));
            store.maintain().unwrap();
        },
        &|| drop(things.delete(item! { "p" => "b" }).unwrap()),
    ];
    for (number, write) in writes.into_iter().enumerate() {
        let mut changes = tables.subscribe("things").unwrap();
        let mut next = pin!(changes.next_async());
        let context = &mut Context::from_waker(&waker);
        assert!(next.as_mut().poll(context).is_pending());
        write();
        assert_eq!(putter.1.load(Ordering::Relaxed), number + 1, "woken once");
        assert!(matches!(next.as_mut().poll(context), Poll::Ready(Ok(Some(_)))));
    }
}

#[test]
fn tags_are_few_and_plain() {
    let (_, _, tables) = made(CreateTable::new("things").hash("p", ScalarType::S));
    let arn = tables.describe_table("things").unwrap().table_arn;
    let many = |from: usize, to: usize| (from..to).map(|n| Tag::new(format!("k{n}"), "")).collect::<Vec<_>>();
    tables.tag_resource(&arn, many(0, 50)).unwrap();
    tables.tag_resource(&arn, vec![Tag::new("k7", "\u{e4} b+-=._:/9")]).unwrap();
    assert_eq!(tables.list_tags_of_resource(&arn).unwrap().len(), 50);
    let one_more = tables.tag_resource(&arn, many(50, 51)).unwrap_err();
    assert!(one_more.to_string().contains("Number of Tags exceed"), "{one_more}");
    tables.untag_resource(&arn, &["k7".to_owned(), "none".to_owned()]).unwrap();
    assert_eq!(tables.list_tags_of_resource(&arn).unwrap().len(), 49);
    let refused = |tag: Tag| tables.tag_resource(&arn, vec![tag]).unwrap_err().to_string();
    for tag in [Tag::new("", "x"), Tag::new("k".repeat(129), ""), Tag::new("k!", "x")] {
        assert!(refused(tag.clone()).starts_with("The Tag Key provided is invalid"), "{tag:?}");
    }
    assert!(refused(Tag::new("k", "v".repeat(257))).starts_with("The Tag Value provided is invalid"));
    tables.tag_resource(&arn, vec![Tag::new("k".repeat(128), "\u{e4}".repeat(256))]).unwrap();
    check(
        tables.tag_resource(&arn, vec![Tag::new("twice", "a"), Tag::new("twice", "b")]),
        "Duplicate Tag Keys provided as input: Duplicate Tag Key found twice",
    );
    let of_index = tables.list_tags_of_resource(&format!("{arn}/index/by_x")).unwrap_err();
    assert_eq!(of_index.code(), "ValidationException");
}

#[test]
fn what_was_asked_once_is_known_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::default();
    let open = || Store::builder().clock(clock.clone()).open(dir.path()).unwrap();
    let add = |n: i32| {
        let update = UpdateItem::new("things", item! { "p" => "a" }).update("ADD n :n").value(":n", n);
        TransactWriteItems::new().action(update).token("token")
    };
    let n = |tables: &Tables| tables.table("things").get(item! { "p" => "a" }).unwrap().unwrap()["n"].clone();
    {
        let store = open();
        let tables = store.tables();
        let table = CreateTable::new("things").hash("p", ScalarType::S);
        tables.create_table(table.stream(StreamViewType::NewImage)).unwrap();
        tables.update_time_to_live("things", "until", true).unwrap();
        tables.transact_write_items(&add(1)).unwrap();
        let until = (store.now() + Duration::from_secs(5)).as_secs();
        tables.table("things").put(item! { "p" => "b", "until" => until }).unwrap();
    }
    let store = open();
    let tables = store.tables();
    tables.transact_write_items(&add(1)).unwrap();
    assert_eq!(n(&tables), 1.into());
    let other = tables.transact_write_items(&add(2)).unwrap_err();
    assert_eq!(other.code(), "IdempotentParameterMismatchException");
    // What was to expire does, though nothing touched it since.
    let mut changes = tables.subscribe("things").unwrap();
    clock.advance(Duration::from_secs(6));
    store.maintain().unwrap();
    let removed = changes.try_next().unwrap().unwrap();
    assert!(removed.by_service && removed.keys == item! { "p" => "b" });
    clock.advance(Duration::from_mins(10));
    store.maintain().unwrap();
    tables.transact_write_items(&add(2)).unwrap();
    assert_eq!(n(&tables), 3.into());
}

#[test]
fn changes_of_a_table_that_stand_alone_and_those_that_do_not_go_together() {
    let by_mail = || Index::new("by_mail").hash("mail");
    let (_, _, tables) = made(CreateTable::new("users").hash("id", ScalarType::S));
    let refused = |request: UpdateTable, text: &str| {
        let text = format!("One or more parameter values were invalid: {text}");
        check(tables.update_table(request).map(drop), &text);
    };
    let with_stream =
        || UpdateTable::new("users").stream(StreamSpecification::enabled(StreamViewType::KeysOnly));
    let sse = |enabled, sse_type: Option<&str>, kms_key: Option<&str>| SseSpecification {
        enabled: Some(enabled),
        sse_type: sse_type.map(str::to_owned),
        kms_key: kms_key.map(str::to_owned),
    };
    let mut request = with_stream();
    request.sse = Some(sse(true, None, None));
    refused(request, "Server-Side Encryption modification must be the only operation in the request");
    let mut request = with_stream();
    request.deletion_protection = Some(true);
    refused(request, "DeletionProtection modification must be the only operation in the request");
    let mut request = with_stream();
    request.on_demand = Some(OnDemandThroughput { max_read: Some(9), max_write: None });
    refused(request, "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request");
    let warm = |read, write| Some(WarmThroughput { read: Some(read), write: Some(write) });
    let mut request = with_stream();
    request.warm = warm(13_000, 5_000);
    refused(request.clone(), "WarmThroughput must be the only operation in the request");
    request.stream = None;
    let request = request.attribute("mail", ScalarType::S).create_index(by_mail());
    refused(request, "Create global secondary index cannot be specified when updating WarmThroughput");
    let request = with_stream().attribute("mail", ScalarType::S).create_index(by_mail());
    refused(request, "You cannot create or delete index while changing stream status");
    let mut request = with_stream();
    request.billing_mode = Some(BillingMode::Provisioned);
    request.throughput = Some(Throughput { read: 1, write: 1 });
    refused(request.clone(), "You cannot modify stream status while updating table IOPS");
    request.stream = None;
    let request = request.attribute("mail", ScalarType::S).create_index(by_mail());
    refused(request, "You cannot create or delete index while updating table IOPS");
    for (what, text) in [
        (sse(false, None, None), "Table is already encrypted by default"),
        (sse(false, Some("KMS"), None), "SSEType can not be specified if Enabled is false"),
        (sse(false, None, Some("key")), "KMSMasterKeyId can not be specified if Enabled is false"),
        (sse(true, None, Some("key")), "SSEType KMS is required if KMSMasterKeyId is specified"),
        (sse(true, Some("AES256"), None), "SSEType AES256 is not supported"),
    ] {
        refused(UpdateTable { sse: Some(what), ..UpdateTable::new("users") }, text);
    }
    let request = UpdateTable::new("users").create_index(by_mail());
    refused(request, "AttributeDefinitions is not specified for index: by_mail");
    let gone = tables.update_table(UpdateTable::new("users").delete_index("by_age")).unwrap_err();
    assert_eq!(gone.to_string(), "Requested resource not found: Index by_age for table users");
}

#[test]
fn what_is_kept_warm_never_cools_down() {
    let (_, _, tables) = made(CreateTable::new("users").hash("id", ScalarType::S));
    let update = |change: fn(&mut UpdateTable)| {
        let mut request = UpdateTable::new("users");
        change(&mut request);
        tables.update_table(request)
    };
    let warm = || tables.describe_table("users").unwrap().warm;
    let lower = "One or more parameter values were invalid: Requested WriteUnitsPerSecond for WarmThroughput for table \
                 is lower than current WarmThroughput, decreasing WarmThroughput is not supported";
    let told =
        update(|request| request.warm = Some(WarmThroughput { read: Some(12_500), write: None })).unwrap();
    // It is told once it is so.
    assert_eq!(told.warm, None);
    assert_eq!(warm(), Some(WarmThroughput { read: Some(12_500), write: Some(4_000) }));
    let cooler = update(|request| request.warm = Some(WarmThroughput { read: None, write: Some(3_999) }));
    check(cooler.map(drop), lower);
    update(|request| {
        request.billing_mode = Some(BillingMode::Provisioned);
        request.throughput = Some(Throughput { read: 2, write: 5_000 });
    })
    .unwrap();
    let told = update(|request| request.throughput = Some(Throughput { read: 1, write: 1 })).unwrap();
    assert_eq!((told.throughput.read, told.throughput.write), (2, 5_000));
    assert_eq!(warm(), Some(WarmThroughput { read: Some(12_500), write: Some(5_000) }));
    let limits = update(|request| {
        request.on_demand = Some(OnDemandThroughput { max_read: Some(1), max_write: None });
    });
    check(
        limits.map(drop),
        "One or more parameter values were invalid: MaxReadRequestUnits for OnDemandThroughput cannot be specified \
         when the table BillingMode is PROVISIONED",
    );
    let mut request = CreateTable::new("others").hash("id", ScalarType::S).provisioned(10, 10);
    request.warm = Some(WarmThroughput { read: Some(10), write: Some(5) });
    check(
        tables.create_table(request.clone()).map(drop),
        "One or more parameter values were invalid: Requested WriteUnitsPerSecond for WarmThroughput for table is \
         lower than WriteCapacityUnits of ProvisionedThroughput",
    );
    (request.billing_mode, request.throughput) = (Some(BillingMode::PayPerRequest), None);
    let error = tables.create_table(request).unwrap_err().to_string();
    assert!(
        error.contains("ReadUnitsPerSecond for WarmThroughput for table is lower than initial throughput")
    );
}
