//! Batches and transactions of tables, change streams, expiry, throttling, as users see them.
#![expect(clippy::float_cmp, reason = "units of capacity are halves, which are exact")]

use fourfold::kv::{
    BatchGetItem, BatchWriteItem, CancellationReason, ChangeKind, ConditionCheck, CreateTable, DeleteItem,
    DescribeStream, Error, Index, Item, KeysAndAttributes, ListStreams, PutItem, Query,
    ReturnConsumedCapacity, ScalarType, ShardPosition, StreamSpecification, StreamStatus, StreamViewType,
    Tables, TransactGet, TransactGetItems, TransactWriteItems, UpdateItem, UpdateTable, WriteRequest, item,
};
use fourfold::{ManualClock, Store};
use std::time::Duration;

/// A store whose time is ours, with a table `things` with the key `p`.
fn with_clock(request: impl FnOnce(CreateTable) -> CreateTable) -> (ManualClock, Store, Tables) {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    let tables = store.tables();
    tables.create_table(request(CreateTable::new("things").hash("p", ScalarType::S))).unwrap();
    (clock, store, tables)
}

fn check_refused<T: std::fmt::Debug>(result: Result<T, Error>, code: &str, text: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(text), "{error} has no {text:?}");
}

fn reasons<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<CancellationReason> {
    match result {
        Err(Error::TransactionCanceled { reasons }) => reasons,
        other => panic!("{other:?}"),
    }
}

fn codes<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<&'static str> {
    reasons(result).iter().map(CancellationReason::code).collect()
}

#[test]
fn batches_write_and_read() {
    let (_, _, tables) = with_clock(|table| table);
    let mut batch = BatchWriteItem::default();
    let puts =
        (0..20).map(|n| WriteRequest::Put(item! { "p" => format!("{n}"), "n" => n })).collect::<Vec<_>>();
    batch.requests.insert("things".into(), puts.clone());
    batch.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
    let output = tables.batch_write_item(&batch).unwrap();
    assert_eq!(output.consumed_capacity[0].total.units, 20.0);
    let keys = |range: std::ops::Range<i32>| range.map(|n| item! { "p" => format!("{n}") });
    let mut get = BatchGetItem::default();
    get.requests.insert("things".into(), KeysAndAttributes::new(keys(10..30)));
    assert_eq!(tables.batch_get_item(&get).unwrap().responses["things"].len(), 10);

    let check = |requests: Vec<WriteRequest>, text: &str| {
        let requests = [("things".to_owned(), requests)].into();
        let batch = BatchWriteItem { requests, ..BatchWriteItem::default() };
        check_refused(tables.batch_write_item(&batch), "ValidationException", text);
    };
    let twice = vec![puts[0].clone(), WriteRequest::Delete(item! { "p" => "0" })];
    check(twice, "Provided list of item keys contains duplicates");
    check([&puts[..], &puts[..6]].concat(), "Too many items requested for the BatchWriteItem call");
    check(vec![], "length greater than or equal to 1");
    check(
        vec![WriteRequest::Delete(item! { "p" => "5" }), WriteRequest::Put(item! { "q" => 1 })],
        "The provided key element does not match the schema",
    );
    assert!(
        tables.table("things").get(item! { "p" => "5" }).unwrap().is_some(),
        "one wrong entry refuses all"
    );

    let mut dials = tables.dials();
    dials.batch_entries_max = 3;
    tables.set_dials(dials);
    let output = tables.batch_get_item(&get).unwrap();
    assert_eq!((output.responses["things"].len(), output.unprocessed["things"].keys.len()), (3, 17));
    assert_eq!(tables.batch_write_item(&batch).unwrap().unprocessed["things"].len(), 17);
}

#[test]
fn large_batches_are_split_and_large_answers_cut() {
    let (_, _, tables) = with_clock(|table| table);
    for part in 0..2 {
        let puts = (0..25).map(|n| item! { "p" => format!("{part}/{n}"), "x" => "y".repeat(390_000) });
        let requests = [("things".to_owned(), puts.map(WriteRequest::Put).collect())].into();
        let batch = BatchWriteItem { requests, ..BatchWriteItem::default() };
        tables.batch_write_item(&batch).unwrap();
    }
    let keys = (0..50).map(|n| item! { "p" => format!("{}/{}", n / 25, n % 25) });
    let requests = [("things".to_owned(), KeysAndAttributes::new(keys))].into();
    let output = tables.batch_get_item(&BatchGetItem { requests, ..BatchGetItem::default() }).unwrap();
    let (read, left) = (output.responses["things"].len(), output.unprocessed["things"].keys.len());
    assert_eq!((read, left), (44, 6));
}

#[test]
fn a_transaction_is_all_or_nothing_and_says_why() {
    let (_, _, tables) = with_clock(|table| table);
    let things = tables.table("things");
    things.put(item! { "p" => "a", "n" => 1 }).unwrap();
    let put = |p: &str| PutItem::new("things", item! { "p" => p, "n" => 9 });
    let key = |p: &str| item! { "p" => p };
    let failing = TransactWriteItems::new()
        .action(put("b"))
        .action(put("a").condition("n = :n").value(":n", 2).return_on_failure())
        .action(ConditionCheck::new("things", key("c")).condition("attribute_exists(p)"))
        .action(DeleteItem::new("things", key("d")));
    let found = reasons(tables.transact_write_items(&failing));
    let names: Vec<_> = found.iter().map(CancellationReason::code).collect();
    assert_eq!(names, ["None", "ConditionalCheckFailed", "ConditionalCheckFailed", "None"]);
    assert!(
        matches!(&found[1], CancellationReason::ConditionalCheckFailed { item: Some(item) } if item["n"] == 1.into())
    );
    assert_eq!(things.get(key("b")).unwrap(), None);

    let wrong =
        TransactWriteItems::new().action(put("b")).action(DeleteItem::new("things", item! { "p" => 1 }));
    assert_eq!(codes(tables.transact_write_items(&wrong)), ["None", "ValidationError"]);
    let twice = TransactWriteItems::new().action(put("b")).action(DeleteItem::new("things", key("b")));
    check_refused(
        tables.transact_write_items(&twice),
        "ValidationException",
        "multiple operations on one item",
    );
    let syntax = TransactWriteItems::new().action(put("b").condition("n = "));
    check_refused(tables.transact_write_items(&syntax), "ValidationException", "Invalid ConditionExpression");
    let none = TransactWriteItems::new();
    check_refused(tables.transact_write_items(&none), "ValidationException", "transactItems");
    let many = (0..101).fold(none, |all, n| all.action(put(&format!("{n}"))));
    check_refused(tables.transact_write_items(&many), "ValidationException", "less than or equal to 100");

    let mut good = TransactWriteItems::new()
        .action(put("b"))
        .action(UpdateItem::new("things", key("a")).update("ADD n :n").value(":n", 5))
        .action(ConditionCheck::new("things", key("z")).condition("attribute_not_exists(p)"));
    good.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
    let output = tables.transact_write_items(&good).unwrap();
    assert_eq!(output.consumed_capacity[0].total.units, 6.0);
    let gets = ["a", "b", "z"].map(|p| TransactGet::new("things", key(p)));
    let found = tables.transact_get_items(&TransactGetItems::new(gets)).unwrap().items;
    let numbers: Vec<_> = found.iter().map(|item| item.as_ref().map(|item| item["n"].clone())).collect();
    assert_eq!(numbers, [Some(6.into()), Some(9.into()), None]);
}

#[test]
fn a_transaction_as_large_as_can_be_fits() {
    let (_, store, tables) = with_clock(|table| {
        let table = table.attribute("y", ScalarType::S).stream(StreamViewType::NewAndOldImages);
        (0..4).fold(table, |table, n| table.global_index(Index::new(format!("by_y{n}")).hash("y")))
    });
    for round in 0..2 {
        let actions = (0..100).map(|n| {
            PutItem::new(
                "things",
                item! { "p" => format!("{n}"), "y" => "k", "round" => round, "x" => "x".repeat(41_000) },
            )
        });
        tables
            .transact_write_items(&actions.fold(TransactWriteItems::new(), TransactWriteItems::action))
            .unwrap();
    }
    let too_large = (0..100).fold(TransactWriteItems::new(), |all, n| {
        all.action(PutItem::new("things", item! { "p" => format!("{n}"), "x" => "x".repeat(43_000) }))
    });
    check_refused(tables.transact_write_items(&too_large), "ValidationException", "4");
    assert_eq!(tables.verify().unwrap(), []);
    assert_eq!(store.verify().unwrap(), []);
    assert_eq!(read_all(&tables, &stream_arn(&tables))[0].1.len(), 200);
}

#[test]
fn a_token_makes_a_transaction_happen_once() {
    let (clock, store, tables) = with_clock(|table| table);
    let add = |n: i32| {
        TransactWriteItems::new()
            .action(UpdateItem::new("things", item! { "p" => "a" }).update("ADD n :n").value(":n", n))
            .token("token")
    };
    let n = |tables: &Tables| tables.table("things").get(item! { "p" => "a" }).unwrap().unwrap()["n"].clone();
    tables.transact_write_items(&add(1)).unwrap();
    tables.transact_write_items(&add(1)).unwrap();
    assert_eq!(n(&tables), 1.into());
    check_refused(
        tables.transact_write_items(&add(2)),
        "IdempotentParameterMismatchException",
        "same client token",
    );
    let copy = store.fork().unwrap().tables();
    copy.transact_write_items(&add(1)).unwrap();
    assert_eq!(n(&copy), 1.into(), "tokens are stored");
    clock.advance(Duration::from_mins(10));
    store.maintain().unwrap();
    tables.transact_write_items(&add(2)).unwrap();
    assert_eq!(n(&tables), 3.into());
    check_refused(
        tables.transact_write_items(&add(1).token("x".repeat(37))),
        "ValidationException",
        "clientRequestToken",
    );
}

fn stream_arn(tables: &Tables) -> String {
    tables.describe_table("things").unwrap().latest_stream_arn.unwrap()
}

/// All that the shards of a stream have, each from its beginning.
fn read_all(tables: &Tables, arn: &str) -> Vec<(String, Vec<fourfold::kv::ChangeRecord>)> {
    let shards = tables.describe_stream(&DescribeStream::new(arn)).unwrap().shards;
    let mut all = Vec::new();
    for shard in shards {
        let mut next = Some(tables.get_shard_iterator(arn, &shard.id, &ShardPosition::TrimHorizon).unwrap());
        let mut records = Vec::new();
        while let Some(iterator) = next {
            let page = tables.get_records(&iterator, Some(3)).unwrap();
            if page.records.is_empty() && page.next_iterator.is_some() {
                break;
            }
            records.extend(page.records);
            next = page.next_iterator;
        }
        all.push((shard.id, records));
    }
    all
}

#[test]
fn changes_are_recorded_once_and_in_order() {
    let (_, _, tables) = with_clock(|table| table.stream(StreamViewType::NewAndOldImages));
    let things = tables.table("things");
    let key = || item! { "p" => "a" };
    things.put(item! { "p" => "a", "m" => item! { "x" => 1, "y" => 2 } }).unwrap();
    things.put(item! { "p" => "a", "m" => item! { "y" => 2, "x" => 1 } }).unwrap(); // no change
    tables.update_item(things.update(key()).update("SET n = :n").value(":n", 1)).unwrap();
    tables.update_item(things.update(key()).update("SET n = :n").value(":n", 1)).unwrap(); // no change
    let failed = things.update(key()).update("SET n = :n").value(":n", 2).condition("n > :n");
    tables.update_item(failed).unwrap_err();
    things.delete(key()).unwrap();
    things.delete(key()).unwrap(); // nothing to delete
    let arn = stream_arn(&tables);
    let (shard, records) = read_all(&tables, &arn).remove(0);
    let kinds: Vec<_> = records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [ChangeKind::Insert, ChangeKind::Modify, ChangeKind::Remove]);
    assert_eq!(records[1].old_image.as_ref().unwrap().len(), 2);
    assert_eq!(records[1].new_image.as_ref().unwrap()["n"], 1.into());
    assert_eq!((records[2].new_image.as_ref(), &records[2].keys), (None, &key()));
    assert!(records.iter().all(|record| !record.by_service && record.sequence_number.len() >= 21));
    assert!((28..=65).contains(&shard.len()));

    let at = |position: ShardPosition| {
        let iterator = tables.get_shard_iterator(&arn, &shard, &position).unwrap();
        tables.get_records(&iterator, None).unwrap().records.len()
    };
    let second = records[1].sequence_number.clone();
    assert_eq!(at(ShardPosition::AtSequenceNumber(second.clone())), 2);
    assert_eq!(at(ShardPosition::AfterSequenceNumber(second)), 1);
    assert_eq!((at(ShardPosition::Latest), at(ShardPosition::TrimHorizon)), (0, 3));
    let wrong = ShardPosition::AtSequenceNumber("17".into());
    check_refused(tables.get_shard_iterator(&arn, &shard, &wrong), "ValidationException", "SequenceNumber");
    check_refused(tables.get_records("nonsense", None), "ValidationException", "Invalid ShardIterator");
    let iterator = tables.get_shard_iterator(&arn, &shard, &ShardPosition::Latest).unwrap();
    check_refused(tables.get_records(&iterator, Some(1001)), "ValidationException", "limit");
}

#[test]
fn shards_follow_each_other_and_records_go_after_a_day() {
    let (clock, store, tables) = with_clock(|table| table);
    let mut dials = tables.dials();
    (dials.stream_shards, dials.stream_shard_age) = (3, Duration::from_hours(1));
    tables.set_dials(dials);
    let stream = StreamSpecification::enabled(StreamViewType::NewImage);
    tables.update_table(UpdateTable::new("things").stream(stream)).unwrap();
    check_refused(
        tables.update_table(UpdateTable::new("things").stream(stream)),
        "ValidationException",
        "Table already has an enabled stream",
    );
    let arn = stream_arn(&tables);
    let things = tables.table("things");
    for round in 0..4 {
        for p in 0..30 {
            things.put(item! { "p" => format!("{p}"), "round" => round }).unwrap();
        }
        clock.advance(Duration::from_hours(1));
    }
    let shards = read_all(&tables, &arn);
    assert_eq!(shards.len(), 12);
    assert_eq!(shards.iter().map(|(_, records)| records.len()).sum::<usize>(), 120);
    let described = tables.describe_stream(&DescribeStream::new(&arn)).unwrap();
    assert!(described.shards.is_sorted_by_key(|shard| shard.id.clone()));
    let children = DescribeStream { children_of: Some(shards[0].0.clone()), ..DescribeStream::new(&arn) };
    let children = tables.describe_stream(&children).unwrap().shards;
    assert_eq!(children.len(), 1);
    // The partitions of a shard are those of its child.
    let partitions = |id: &str| -> std::collections::BTreeSet<String> {
        let (_, records) = shards.iter().find(|(shard, _)| shard == id).unwrap();
        records.iter().map(|record| record.keys["p"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(partitions(&shards[0].0), partitions(&children[0].id));
    let page =
        tables.describe_stream(&DescribeStream { limit: Some(5), ..DescribeStream::new(&arn) }).unwrap();
    assert_eq!((page.shards.len(), page.last_evaluated_shard), (5, Some(page.shards[4].id.clone())));

    let old = tables.get_shard_iterator(&arn, &shards[0].0, &ShardPosition::TrimHorizon).unwrap();
    clock.advance(Duration::from_mins(15));
    check_refused(tables.get_records(&old, None), "ExpiredIteratorException", "");
    let first = shards[0].1[0].sequence_number.clone();
    clock.advance(Duration::from_hours(20));
    let at = ShardPosition::AtSequenceNumber(first);
    check_refused(tables.get_shard_iterator(&arn, &shards[0].0, &at), "TrimmedDataAccessException", "");
    store.maintain().unwrap();
    assert_eq!(read_all(&tables, &arn).iter().map(|(_, records)| records.len()).sum::<usize>(), 90);

    tables.update_table(UpdateTable::new("things").stream(StreamSpecification::disabled())).unwrap();
    check_refused(
        tables.update_table(UpdateTable::new("things").stream(StreamSpecification::disabled())),
        "ValidationException",
        "Table has no stream to disable",
    );
    let described = tables.describe_stream(&DescribeStream::new(&arn)).unwrap();
    assert_eq!(described.status, StreamStatus::Disabled);
    assert!(described.shards.iter().all(|shard| shard.last_sequence_number.is_some()));
    tables.update_table(UpdateTable::new("things").stream(stream)).unwrap();
    assert_ne!(stream_arn(&tables), arn);
    assert_eq!(tables.list_streams(&ListStreams::default()).unwrap().streams.len(), 2);
    tables.delete_table("things").unwrap();
    assert_eq!(
        tables.list_streams(&ListStreams::default()).unwrap().streams.len(),
        2,
        "they outlive their table"
    );
    clock.advance(Duration::from_hours(25));
    store.maintain().unwrap();
    assert_eq!(tables.list_streams(&ListStreams::default()).unwrap().streams, []);
    assert_eq!(store.verify().unwrap(), []);
}

#[test]
fn a_subscription_ends_with_its_stream() {
    let (_, store, tables) = with_clock(|table| table.stream(StreamViewType::KeysOnly));
    let mut changes = tables.subscribe("things").unwrap();
    assert_eq!(changes.next_until(store.now()).unwrap(), None);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut seen = Vec::new();
            while let Some(change) = changes.next().unwrap() {
                seen.push(change.keys["p"].as_str().unwrap().to_owned());
            }
            seen
        });
        for p in 0..100 {
            tables.table("things").put(item! { "p" => format!("{p}") }).unwrap();
        }
        tables.delete_table("things").unwrap();
        let expected: Vec<_> = (0..100).map(|p| p.to_string()).collect();
        assert_eq!(reader.join().unwrap(), expected);
    });
}

#[test]
fn items_expire_by_the_clock() {
    let (clock, store, tables) = with_clock(|table| table.stream(StreamViewType::OldImage));
    let things = tables.table("things");
    let at = |secs: u64| (store.now() + Duration::from_secs(secs)).as_secs();
    things.put(item! { "p" => "before", "until" => at(10) }).unwrap();
    tables.update_time_to_live("things", "until", true).unwrap();
    check_refused(
        tables.update_time_to_live("things", "until", true),
        "ValidationException",
        "already enabled",
    );
    check_refused(
        tables.update_time_to_live("things", "other", false),
        "ValidationException",
        "different AttributeName",
    );
    things.put(item! { "p" => "soon", "until" => at(5) }).unwrap();
    things.put(item! { "p" => "text", "until" => at(5).to_string() }).unwrap();
    things.put(item! { "p" => "moved", "until" => at(5) }).unwrap();
    things.put(item! { "p" => "moved", "until" => at(50) }).unwrap();
    things.put(item! { "p" => "ancient", "until" => 5 }).unwrap();
    let there = |names: &[&str]| {
        store.maintain().unwrap();
        for p in ["before", "soon", "text", "moved", "ancient"] {
            let found = things.get(item! { "p" => p }).unwrap().is_some();
            assert_eq!(found, names.contains(&p), "{p}");
        }
    };
    clock.advance(Duration::from_secs(4));
    there(&["before", "soon", "text", "moved", "ancient"]);
    clock.advance(Duration::from_secs(1));
    there(&["before", "text", "moved", "ancient"]);
    clock.advance(Duration::from_secs(5));
    there(&["text", "moved", "ancient"]);
    clock.advance(Duration::from_mins(1));
    there(&["text", "ancient"]);
    let removed: Vec<Item> = read_all(&tables, &stream_arn(&tables))[0]
        .1
        .iter()
        .filter(|record| record.kind == ChangeKind::Remove)
        .map(|record| {
            assert!(record.by_service);
            record.keys.clone()
        })
        .collect();
    assert_eq!(removed, ["soon", "before", "moved"].map(|p| item! { "p" => p }));
    tables.update_time_to_live("things", "until", false).unwrap();
    things.put(item! { "p" => "soon", "until" => at(0) }).unwrap();
    there(&["soon", "text", "ancient"]);
}

#[test]
fn throughput_is_limited_when_asked_for() {
    let (clock, _, tables) = with_clock(|table| {
        let mut index = Index::new("by_y").hash("y");
        index.throughput = Some(fourfold::kv::Throughput { read: 1, write: 100 });
        table.attribute("y", ScalarType::S).global_index(index).provisioned(1, 1)
    });
    let mut dials = tables.dials();
    dials.throttle = true;
    tables.set_dials(dials);
    let put = || tables.table("things").put(item! { "p" => "a", "x" => "y".repeat(99_000) });
    for _ in 0..4 {
        put().unwrap();
    }
    match put() {
        Err(Error::ProvisionedThroughputExceeded { reasons }) => {
            assert_eq!(reasons[0].reason, "TableWriteProvisionedThroughputExceeded");
            assert!(reasons[0].resource.ends_with("table/things"));
        }
        other => panic!("{other:?}"),
    }
    clock.advance(Duration::from_secs(100));
    put().unwrap();
    put().unwrap_err();
    let query = Query::new("things").index("by_y").key_condition("y = :y").value(":y", "k");
    for _ in 0..600 {
        tables.query(&query).unwrap();
    }
    match tables.query(&query) {
        Err(Error::ProvisionedThroughputExceeded { reasons }) => {
            assert_eq!(reasons[0].reason, "IndexReadProvisionedThroughputExceeded");
        }
        other => panic!("{other:?}"),
    }
    let requests = [("things".to_owned(), vec![WriteRequest::Put(item! { "p" => "b" })])].into();
    let batch = BatchWriteItem { requests, ..BatchWriteItem::default() };
    assert_eq!(tables.batch_write_item(&batch).unwrap().unprocessed["things"].len(), 1);
}
