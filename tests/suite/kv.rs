//! Tables, items and their reads, as users see them.
#![expect(clippy::float_cmp, reason = "units of capacity are halves, which are exact")]

use fourfold::kv::{
    BillingMode, ConditionParts, CreateTable, DeleteItem, Error, GetItem, GlobalIndexUpdate, Index, Item,
    Projection, PutItem, Query, ReturnConsumedCapacity, ReturnValues, ScalarType, Scan, Select,
    StreamSpecification, StreamViewType, TableStatus, Tables, Tag, UpdateItem, UpdateTable, item,
};
use fourfold::{ManualClock, Store};
use std::time::Duration;

fn tables() -> Tables {
    Store::in_memory().tables()
}

/// A table with keys `p` and `c`, both strings.
fn with_table(request: impl FnOnce(CreateTable) -> CreateTable) -> Tables {
    let tables = tables();
    let table = CreateTable::new("things").hash("p", ScalarType::S).range("c", ScalarType::S);
    tables.create_table(request(table)).unwrap();
    tables
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    let error = result.unwrap_err();
    (error.code().to_owned(), error.to_string())
}

fn check_refused<T: std::fmt::Debug>(result: Result<T, Error>, code: &str, text: &str) {
    let (found_code, found) = refusal(result);
    assert_eq!(found_code, code, "{found}");
    assert!(found.contains(text), "{found:?} has no {text:?}");
}

fn cs(items: &[Item]) -> Vec<String> {
    items.iter().map(|item| item["c"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_table_is_made_described_listed_and_dropped() {
    let tables = with_table(|table| table.tag("stage", "test").provisioned(5, 2));
    let made = tables.describe_table("things").unwrap();
    assert_eq!(made.table_status, Some(TableStatus::Active));
    assert_eq!((made.throughput.read, made.throughput.write), (5, 2));
    assert_eq!((made.item_count, made.table_size_bytes), (0, 0));
    assert_eq!(made.table_arn, "arn:aws:dynamodb:us-east-1:000000000000:table/things");
    assert_eq!(made.table_id.len(), 36);
    assert_eq!(made.billing_mode, None);
    assert_eq!(tables.list_tags_of_resource(&made.table_arn).unwrap(), [Tag::new("stage", "test")]);
    check_refused(
        tables.create_table(CreateTable::new("things").hash("x", ScalarType::N)),
        "ResourceInUseException",
        "Table already exists: things",
    );
    for name in ["alpha", "beta"] {
        tables.create_table(CreateTable::new(name).hash("id", ScalarType::S)).unwrap();
    }
    let first = tables.list_tables(None, Some(2)).unwrap();
    assert_eq!(
        (first.names, first.last_evaluated.as_deref()),
        (vec!["alpha".into(), "beta".into()], Some("beta"))
    );
    assert_eq!(tables.list_tables(Some("beta"), None).unwrap().names, ["things"]);
    let key = || item! { "p" => "a", "c" => "b" };
    assert_eq!(tables.get_item(&GetItem::new(&made.table_arn, key())).unwrap().item, None);
    assert_eq!(tables.describe_table(&made.table_arn).unwrap().table_id, made.table_id);
    check_refused(tables.get_item(&GetItem::new("a b", key())), "ValidationException", "[a-zA-Z0-9_.-]+");
    let gone = tables.delete_table("things").unwrap();
    assert_eq!((gone.table_status, gone.creation_date_time), (Some(TableStatus::Deleting), None));
    check_refused(tables.describe_table("things"), "ResourceNotFoundException", "Table: things not found");
    check_refused(
        tables.get_item(&GetItem::new("things", key())),
        "ResourceNotFoundException",
        "Requested resource not found",
    );
    with_table(|table| table);
}

#[test]
fn definitions_that_cannot_be_are_refused() {
    let tables = tables();
    let base = || CreateTable::new("things").hash("p", ScalarType::S).range("c", ScalarType::S);
    let check = |request: CreateTable, text: &str| {
        check_refused(tables.create_table(request), "ValidationException", text);
    };
    check(CreateTable::new("ab").hash("p", ScalarType::S), "length greater than or equal to 3");
    check(CreateTable::new("a b c").hash("p", ScalarType::S), "[a-zA-Z0-9_.-]+");
    check(CreateTable::new("things"), "keySchema");
    check(base().attribute("x", ScalarType::S), "Number of attributes in KeySchema does not exactly match");
    check(base().global_index(Index::new("idx").hash("x")), "Some index key attributes are not defined");
    check(
        base()
            .attribute("x", ScalarType::S)
            .attribute("y", ScalarType::S)
            .global_index(Index::new("idx").hash("x")),
        "Some AttributeDefinitions are not used",
    );
    check(base().local_index(Index::new("idx").hash("p")), "does not have a range key for index: idx");
    check(
        base().attribute("x", ScalarType::S).local_index(Index::new("idx").hash("x").range("c")),
        "does not have the same leading hash key",
    );
    check(CreateTable { throughput: None, billing_mode: None, ..base() }, "must both be specified");
    check(
        CreateTable { billing_mode: Some(BillingMode::PayPerRequest), ..base().provisioned(1, 1) }
            .deletion(true),
        "Neither ReadCapacityUnits nor WriteCapacityUnits",
    );
    check(base().provisioned(0, 1), "readCapacityUnits");
    let twice = || Index::new("idx").hash("c");
    check(base().global_index(twice()).global_index(twice()), "Duplicate index name: idx");
    check(
        base().global_index(Index::new("idx").hash("c").project(Projection::default())),
        "Unknown ProjectionType: null",
    );
    let mut wide = Index::new("idx");
    let mut table = base();
    for number in 0..5 {
        table = table.attribute(format!("h{number}"), ScalarType::S);
        wide = wide.hash(format!("h{number}"));
    }
    check(table.global_index(wide), "exceeds the maximum allowed number of HASH key attributes");
    let range_first = Index::new("idx").range("c").hash("p");
    check(base().global_index(range_first), "first KeySchemaElement is not a HASH");
}

trait Protect {
    fn deletion(self, protected: bool) -> Self;
}

impl Protect for CreateTable {
    fn deletion(mut self, protected: bool) -> Self {
        self.deletion_protection = protected;
        self
    }
}

#[test]
fn a_protected_table_is_not_dropped() {
    let tables = with_table(|table| table.deletion(true));
    check_refused(tables.delete_table("things"), "ValidationException", "deletion protection");
    let release = UpdateTable { deletion_protection: Some(false), ..UpdateTable::new("things") };
    tables.update_table(release).unwrap();
    tables.delete_table("things").unwrap();
}

#[test]
fn puts_return_what_was_there_and_check_conditions() {
    let tables = with_table(|table| table);
    let put = |x: i32| PutItem::new("things", item! { "p" => "a", "c" => "1", "x" => x });
    let first = tables.put_item(put(1).return_values(ReturnValues::AllOld)).unwrap();
    assert_eq!(first.attributes, None);
    let second = tables.put_item(put(2).return_values(ReturnValues::AllOld)).unwrap();
    assert_eq!(second.attributes, Some(item! { "p" => "a", "c" => "1", "x" => 1 }));
    let failed = tables.put_item(put(3).condition("x = :one").value(":one", 1).return_on_failure());
    match failed {
        Err(Error::ConditionalCheckFailed { item: Some(item) }) => assert_eq!(item["x"], 2.into()),
        other => panic!("{other:?}"),
    }
    check_refused(
        tables.put_item(put(3).condition("attribute_not_exists(p)")),
        "ConditionalCheckFailedException",
        "The conditional request failed",
    );
    check_refused(
        tables.put_item(put(3).return_values(ReturnValues::AllNew)),
        "ValidationException",
        "1 validation error detected: ReturnValues can only be ALL_OLD or NONE",
    );
    let gone = tables.delete_item(
        DeleteItem::new("things", item! { "p" => "a", "c" => "1" }).return_values(ReturnValues::AllOld),
    );
    assert_eq!(gone.unwrap().attributes.unwrap()["x"], 2.into());
    assert_eq!(tables.describe_table("things").unwrap().item_count, 0);
}

#[test]
fn keys_must_fit() {
    let tables =
        with_table(|table| table.attribute("n", ScalarType::N).global_index(Index::new("by_n").hash("n")));
    let put = |item: Item| tables.put_item(PutItem::new("things", item));
    let check = |item: Item, text: &str| check_refused(put(item), "ValidationException", text);
    check(item! { "p" => "a" }, "One or more parameter values were invalid: Missing the key c in the item");
    check(
        item! { "p" => 1, "c" => "b" },
        "One or more parameter values were invalid: Type mismatch for key p expected: S actual: N",
    );
    check(item! { "p" => "", "c" => "b" }, "cannot contain an empty string value. Key: p");
    check(item! { "p" => "x".repeat(2049), "c" => "b" }, "Size of hashkey has exceeded");
    check(item! { "p" => "x", "c" => "x".repeat(1025) }, "Aggregated size of all range keys");
    check(
        item! { "p" => "x", "c" => "y", "n" => "text" },
        "Type mismatch for Index Key n Expected: N Actual: S IndexName: by_n",
    );
    check(item! { "p" => "x", "c" => "y", "z" => "z".repeat(410_000) }, "Item size has exceeded");
    let get = |key: Item| tables.get_item(&GetItem::new("things", key));
    for key in
        [item! { "p" => "a" }, item! { "p" => "a", "c" => 1 }, item! { "p" => "a", "c" => "b", "x" => "y" }]
    {
        check_refused(get(key), "ValidationException", "The provided key element does not match the schema");
    }
    put(item! { "p" => "x".repeat(2048), "c" => "y".repeat(1024) }).unwrap();
}

#[test]
fn updates_return_what_they_are_asked_for() {
    let tables = with_table(|table| table);
    let key = || item! { "p" => "a", "c" => "1" };
    let update = |text: &str| UpdateItem::new("things", key()).update(text);
    let made =
        tables.update_item(update("SET x = :v, y = :v").value(":v", 1).return_values(ReturnValues::AllNew));
    assert_eq!(made.unwrap().attributes, Some(item! { "p" => "a", "c" => "1", "x" => 1, "y" => 1 }));
    let check = |returns: ReturnValues, expected: Option<Item>| {
        let step = update("SET x = x + :v REMOVE z").value(":v", 1).return_values(returns);
        assert_eq!(tables.update_item(step).unwrap().attributes, expected, "{returns}");
    };
    check(ReturnValues::UpdatedOld, Some(item! { "x" => 1 }));
    check(ReturnValues::UpdatedNew, Some(item! { "x" => 3 }));
    check(ReturnValues::AllOld, Some(item! { "p" => "a", "c" => "1", "x" => 3, "y" => 1 }));
    check(ReturnValues::None, None);
    check_refused(
        tables.update_item(update("SET p = :v").value(":v", "b")),
        "ValidationException",
        "Cannot update attribute p. This attribute is part of the key",
    );
    check_refused(
        tables.update_item(update("SET x = :v").value(":v", 1).condition("x < :v")),
        "ConditionalCheckFailedException",
        "",
    );
    let other = UpdateItem::new("things", item! { "p" => "b", "c" => "1" });
    tables.update_item(other.clone().update("REMOVE x")).unwrap();
    assert_eq!(tables.scan(&Scan::new("things")).unwrap().count, 1, "taking away makes nothing");
    tables.update_item(other).unwrap();
    assert_eq!(tables.scan(&Scan::new("things")).unwrap().count, 2, "an empty update makes the item");
}

#[test]
fn numbers_are_keys_by_value() {
    let tables = tables();
    tables
        .create_table(CreateTable::new("things").hash("p", ScalarType::N).range("c", ScalarType::N))
        .unwrap();
    let number = |text: &str| fourfold::kv::AttributeValue::number(text).unwrap();
    let things = tables.table("things");
    things.put(item! { "p" => number("1e3"), "c" => number("-1.50"), "x" => 1 }).unwrap();
    things.put(item! { "p" => number("1000"), "c" => number("-1.5"), "x" => 2 }).unwrap();
    let order = ["-1e100", "-7", "-1.5", "-1e-100", "0", "1e-100", "3", "20", "1e100"];
    for text in order {
        things.put(item! { "p" => 1000, "c" => number(text) }).unwrap();
    }
    let query = Query::new("things").key_condition("p = :p").value(":p", 1000);
    let found = tables.query(&query).unwrap().items;
    let expected: Vec<_> = order.iter().map(|text| number(text)).collect();
    assert_eq!(found.iter().map(|item| item["c"].clone()).collect::<Vec<_>>(), expected);
}

#[test]
fn queries_walk_a_partition_both_ways_and_in_pages() {
    let tables = with_table(|table| table);
    let things = tables.table("things");
    for c in ["a", "ab", "b", "ba", "c", "d"] {
        things.put(item! { "p" => "one", "c" => c, "even" => c.len() % 2 == 0 }).unwrap();
        things.put(item! { "p" => "two", "c" => c }).unwrap();
    }
    let check = |range: &str, expected: &[&str]| {
        let text = if range.is_empty() { "p = :p".to_owned() } else { format!("p = :p AND {range}") };
        let mut query = Query::new("things").key_condition(text).value(":p", "one");
        for (name, value) in [(":b", "b"), (":c", "c")] {
            if range.contains(name) {
                query = query.value(name, value);
            }
        }
        assert_eq!(cs(&tables.query(&query).unwrap().items), expected, "{range}");
        let mut backward = cs(&tables.query(&query.clone().backward()).unwrap().items);
        backward.reverse();
        assert_eq!(backward, expected, "{range} backward");
        for is_backward in [false, true] {
            let mut query = Query { is_backward, ..query.clone() }.limit(2);
            let mut found = Vec::new();
            loop {
                let page = tables.query(&query).unwrap();
                found.extend(cs(&page.items));
                let Some(key) = page.last_evaluated_key else { break };
                query = query.start(key);
            }
            if is_backward {
                found.reverse();
            }
            assert_eq!(found, expected, "{range} in pages");
        }
    };
    check("", &["a", "ab", "b", "ba", "c", "d"]);
    check("c = :b", &["b"]);
    check("c < :b", &["a", "ab"]);
    check("c <= :b", &["a", "ab", "b"]);
    check("c > :b", &["ba", "c", "d"]);
    check("c >= :b", &["b", "ba", "c", "d"]);
    check("c BETWEEN :b AND :c", &["b", "ba", "c"]);
    check("begins_with(c, :b)", &["b", "ba"]);
    let query = Query::new("things").key_condition("p = :p").value(":p", "one");
    let filtered = tables.query(&query.clone().filter("even = :t").value(":t", true)).unwrap();
    assert_eq!(
        (filtered.count, filtered.scanned_count, cs(&filtered.items)),
        (2, 6, vec!["ab".into(), "ba".into()])
    );
    let counted = tables.query(&query.clone().select(Select::Count)).unwrap();
    assert_eq!((counted.count, counted.items.len()), (6, 0));
    let check = |query: Query, text: &str| check_refused(tables.query(&query), "ValidationException", text);
    check(query.clone().limit(0), "limit");
    check(query.clone().filter("c = :c").value(":c", "x"), "Primary key attribute: c");
    check(query.clone().index("missing"), "The table does not have the specified index: missing");
    check(query.clone().start(item! { "p" => "two", "c" => "a" }), "outside query boundaries");
    check(query.clone().start(item! { "p" => "one" }), "starting key is invalid");
    check(Query::new("things").key_condition("c = :c").value(":c", "x"), "missed key schema element: p");
    check(Query::new("things"), "Either the KeyConditions or KeyConditionExpression");
}

#[test]
fn pages_end_at_a_megabyte_before_the_filter() {
    let tables = with_table(|table| table);
    let things = tables.table("things");
    for number in 0..30 {
        things.put(item! { "p" => "a", "c" => format!("{number:02}"), "x" => "y".repeat(100_000) }).unwrap();
    }
    for is_backward in [false, true] {
        let query = Query::new("things").key_condition("p = :p").value(":p", "a");
        let query = Query { is_backward, ..query }.filter("c2 = :n").value(":n", 1);
        let page = tables.query(&query).unwrap();
        assert_eq!((page.count, page.scanned_count), (0, 11));
        assert!(page.last_evaluated_key.is_some());
    }
}

#[test]
fn scan_segments_are_disjoint_and_complete() {
    let tables = with_table(|table| table);
    let things = tables.table("things");
    for number in 0..200 {
        things.put(item! { "p" => format!("p{}", number / 4), "c" => format!("{number}") }).unwrap();
    }
    for total in [1, 2, 3, 16, 1_000_000] {
        let mut found = Vec::new();
        for segment in 0..total.min(16) {
            let mut scan = Scan::new("things").segment(segment, total).limit(7);
            loop {
                let page = tables.scan(&scan).unwrap();
                found.extend(cs(&page.items));
                let Some(key) = page.last_evaluated_key else { break };
                scan = scan.start(key);
            }
        }
        let count = found.len();
        found.sort();
        found.dedup();
        assert_eq!(found.len(), count, "no item twice");
        if total <= 16 {
            assert_eq!(count, 200);
        }
    }
    let check = |scan: Scan, text: &str| check_refused(tables.scan(&scan), "ValidationException", text);
    check(Scan::new("things").segment(2, 2), "is zero-based and must be less than parameter TotalSegments");
    check(Scan::new("things").segment(0, 1_000_001), "1000000");
    check(Scan { segment: Some(0), ..Scan::new("things") }, "TotalSegments parameter is required");
}

#[test]
fn indexes_follow_their_table() {
    let tables = with_table(|table| {
        table
            .attribute("x", ScalarType::N)
            .attribute("y", ScalarType::S)
            .local_index(Index::new("local").hash("p").range("x").project(Projection::keys_only()))
            .global_index(Index::new("global").hash("y").range("x"))
            .global_index(Index::new("some").hash("y").project(Projection::include(["z"])))
    });
    let things = tables.table("things");
    things.put(item! { "p" => "a", "c" => "1", "x" => 3, "y" => "k", "z" => 1, "w" => 1 }).unwrap();
    things.put(item! { "p" => "a", "c" => "2", "x" => 1, "y" => "k", "z" => 2, "w" => 2 }).unwrap();
    things.put(item! { "p" => "a", "c" => "3", "y" => "k" }).unwrap();
    things.put(item! { "p" => "b", "c" => "4", "x" => 2 }).unwrap();
    let global = Query::new("things").index("global").key_condition("y = :y").value(":y", "k");
    assert_eq!(cs(&tables.query(&global).unwrap().items), ["2", "1"]);
    let some = Query::new("things").index("some").key_condition("y = :y").value(":y", "k");
    let items = tables.query(&some).unwrap().items;
    assert_eq!(items[0], item! { "p" => "a", "c" => "1", "y" => "k", "z" => 1 });
    assert_eq!(items.len(), 3);
    let local = Query::new("things")
        .index("local")
        .key_condition("p = :p AND x > :x")
        .value(":p", "a")
        .value(":x", 0);
    assert_eq!(tables.query(&local).unwrap().items[0], item! { "p" => "a", "c" => "2", "x" => 1 });
    let whole = tables.query(&local.clone().select(Select::AllAttributes)).unwrap();
    assert_eq!(whole.items[0]["w"], 2.into());
    let fetched = tables.query(&local.clone().projection("w")).unwrap();
    assert_eq!(fetched.items, [item! { "w" => 2 }, item! { "w" => 1 }]);
    check_refused(
        tables.query(&some.clone().select(Select::AllAttributes)),
        "ValidationException",
        "its projection type is not ALL",
    );
    check_refused(
        tables.query(&some.clone().projection("w")),
        "ValidationException",
        "Global secondary index some does not project [w]",
    );
    let mut consistent = global.clone();
    consistent.what.consistent_read = true;
    check_refused(tables.query(&consistent), "ValidationException", "Consistent reads are not supported");

    let update = |text: &str| UpdateItem::new("things", item! { "p" => "a", "c" => "1" }).update(text);
    tables.update_item(update("SET x = :x").value(":x", 0)).unwrap();
    assert_eq!(cs(&tables.query(&global).unwrap().items), ["1", "2"]);
    tables.update_item(update("REMOVE x")).unwrap();
    assert_eq!(cs(&tables.query(&global).unwrap().items), ["2"]);
    things.delete(item! { "p" => "a", "c" => "2" }).unwrap();
    assert_eq!(tables.query(&global).unwrap().count, 0);
    let scan = tables.scan(&Scan::new("things").index("some")).unwrap();
    assert_eq!(scan.count, 2);
    let described = tables.describe_table("things").unwrap();
    let counts: Vec<_> = described.global_indexes.iter().map(|index| index.item_count).collect();
    assert_eq!(counts, [0, 2]);
    assert_eq!(described.local_indexes[0].item_count, 1);
}

#[test]
fn an_index_page_goes_on_where_it_ended() {
    let tables = with_table(|table| {
        table
            .attribute("y", ScalarType::S)
            .global_index(Index::new("by_y").hash("y").project(Projection::keys_only()))
    });
    for number in 0..50 {
        let item = item! { "p" => format!("{}", number % 7), "c" => format!("{number:02}"), "y" => "same" };
        tables.table("things").put(item).unwrap();
    }
    for is_backward in [false, true] {
        let query = Query::new("things").index("by_y").key_condition("y = :y").value(":y", "same").limit(7);
        let mut query = Query { is_backward, ..query };
        let mut found = Vec::new();
        loop {
            let page = tables.query(&query).unwrap();
            found.extend(cs(&page.items));
            let Some(key) = page.last_evaluated_key else { break };
            assert_eq!(key.len(), 3, "keys of table and index");
            query = query.start(key);
        }
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 50);
    }
}

#[test]
fn several_key_attributes_make_a_global_index() {
    let tables = with_table(|table| {
        let table = ["h1", "h2", "r1", "r2"].iter().fold(table, |table, name| {
            let kind = if *name == "r2" { ScalarType::N } else { ScalarType::S };
            table.attribute(*name, kind)
        });
        table.global_index(Index::new("wide").hash("h1").hash("h2").range("r1").range("r2"))
    });
    let things = tables.table("things");
    for (c, h2, r1, r2) in
        [("1", "x", "a", 2), ("2", "x", "a", 1), ("3", "x", "b", 0), ("4", "y", "a", 1), ("5", "x", "a\0", 0)]
    {
        things.put(item! { "p" => "p", "c" => c, "h1" => "h", "h2" => h2, "r1" => r1, "r2" => r2 }).unwrap();
    }
    things.put(item! { "p" => "p", "c" => "6", "h1" => "h", "h2" => "x", "r1" => "a" }).unwrap();
    let query = |text: &str| {
        let mut query = Query::new("things").index("wide").key_condition(text);
        for (name, value) in [(":h", "h"), (":x", "x"), (":a", "a")] {
            if text.contains(name) {
                query = query.value(name, value);
            }
        }
        if text.contains(":n") { query.value(":n", 1) } else { query }
    };
    let found = |text: &str| cs(&tables.query(&query(text)).unwrap().items);
    assert_eq!(found("h1 = :h AND h2 = :x"), ["2", "1", "5", "3"]);
    assert_eq!(found("h1 = :h AND h2 = :x AND r1 = :a"), ["2", "1"]);
    assert_eq!(found("h1 = :h AND h2 = :x AND r1 = :a AND r2 > :n"), ["1"]);
    assert_eq!(found("h1 = :h AND h2 = :x AND begins_with(r1, :a)"), ["2", "1", "5"]);
    check_refused(tables.query(&query("h1 = :h")), "ValidationException", "missed key schema element: h2");
    check_refused(
        tables.query(&query("h1 = :h AND h2 = :x AND r2 = :n")),
        "ValidationException",
        "RANGE key attributes r1 must have equality conditions specified in the query because a condition is present \
         on key attribute r2",
    );
}

#[test]
fn an_index_made_later_holds_what_was_there() {
    let tables = with_table(|table| table);
    let things = tables.table("things");
    for number in 0..1000 {
        things
            .put(item! { "p" => format!("{number}"), "c" => "c", "y" => format!("{}", number % 3) })
            .unwrap();
    }
    things.put(item! { "p" => "wrong", "c" => "c", "y" => 7 }).unwrap();
    let update =
        UpdateTable::new("things").attribute("y", ScalarType::S).create_index(Index::new("by_y").hash("y"));
    let answer = tables.update_table(update.clone()).unwrap();
    assert_eq!(answer.table_status, Some(TableStatus::Updating));
    let described = tables.describe_table("things").unwrap();
    assert_eq!(described.global_indexes[0].item_count, 1000, "what does not fit is left out");
    let query = Query::new("things").index("by_y").key_condition("y = :y").value(":y", "1");
    assert_eq!(tables.query(&query).unwrap().count, 333);
    check_refused(tables.update_table(update), "ValidationException", "which already exists");
    let retyped = UpdateTable::new("things")
        .attribute("y", ScalarType::N)
        .create_index(Index::new("other").hash("c").range("y"));
    check_refused(
        tables.update_table(retyped),
        "ValidationException",
        "Attributes cannot be redefined. Please check that your attribute has the same type as previously defined. \
         Existing schema: Schema:[SchemaElement: key{y:S:HASH}] New schema: Schema:[SchemaElement: key{c:S:HASH}, \
         SchemaElement: key{y:N:RANGE}]",
    );
    let untyped = UpdateTable::new("things").create_index(Index::new("other").hash("y"));
    let none = "AttributeDefinitions is not specified for index: other";
    check_refused(tables.update_table(untyped), "ValidationException", none);
    let two = UpdateTable::new("things").delete_index("by_y").create_index(Index::new("other").hash("c"));
    check_refused(tables.update_table(two), "LimitExceededException", "Only 1 online index");
    // A definition that no key uses is no error here, and is not kept.
    let more = UpdateTable::new("things").attribute("z", ScalarType::N).delete_index("by_y");
    tables.update_table(more).unwrap();
    let described = tables.describe_table("things").unwrap();
    assert_eq!((described.global_indexes.len(), described.attributes.len()), (0, 2));
    check_refused(tables.query(&query), "ValidationException", "does not have the specified index");
    let missing = UpdateTable {
        global_index_updates: vec![GlobalIndexUpdate::Delete("by_y".into())],
        ..UpdateTable::new("things")
    };
    check_refused(tables.update_table(missing), "ResourceNotFoundException", "by_y");
}

#[test]
fn what_is_consumed_is_counted_as_the_service_does() {
    let tables = with_table(|table| {
        table
            .attribute("y", ScalarType::S)
            .global_index(Index::new("by_y").hash("y").project(Projection::keys_only()))
    });
    let put = |size: usize, y: &str| PutItem {
        return_consumed_capacity: Some(ReturnConsumedCapacity::Indexes),
        ..PutItem::new("things", item! { "p" => "a", "c" => "1", "y" => y, "x" => "x".repeat(size) })
    };
    let check = |request: PutItem, table: f64, index: Option<f64>| {
        let consumed = tables.put_item(request).unwrap().consumed_capacity.unwrap();
        let found = consumed.global_indexes.get("by_y").map(|capacity| capacity.units);
        assert_eq!((consumed.table.unwrap().units, found), (table, index));
        assert_eq!(consumed.total.units, table + index.unwrap_or(0.0));
    };
    check(put(10, "k"), 1.0, Some(1.0));
    check(put(3000, "k"), 3.0, None);
    check(put(10, "k"), 3.0, None);
    check(put(5000, "l"), 5.0, Some(2.0));
    let get = |consistent_read| GetItem {
        consistent_read,
        return_consumed_capacity: Some(ReturnConsumedCapacity::Total),
        ..GetItem::new("things", item! { "p" => "a", "c" => "1" })
    };
    let units = |get: &GetItem| tables.get_item(get).unwrap().consumed_capacity.unwrap().total.units;
    assert_eq!((units(&get(true)), units(&get(false))), (2.0, 1.0));
    let mut scan = Scan::new("things");
    scan.what.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
    scan.what.consistent_read = true;
    // Four partitions of a table that is paid by request, one of them with two units' worth.
    assert_eq!(tables.scan(&scan).unwrap().consumed_capacity.unwrap().total.units, 5.0);
}

#[test]
fn older_parameters_do_the_same() {
    use fourfold::kv::expr::legacy::{ComparisonOperator, Expected, LegacyCondition};
    let tables = with_table(|table| table);
    let is_new = [("p".to_owned(), Expected { exists: Some(false), ..Expected::default() })].into();
    let when = ConditionParts { expected: Some(is_new), ..ConditionParts::default() };
    let put = PutItem { when, ..PutItem::new("things", item! { "p" => "a", "c" => "1" }) };
    tables.put_item(put.clone()).unwrap();
    check_refused(tables.put_item(put.clone()), "ConditionalCheckFailedException", "");
    check_refused(
        tables.put_item(put.condition("attribute_not_exists(p)")),
        "ValidationException",
        "Can not use both expression and non-expression parameters",
    );
    let equal = LegacyCondition { operator: ComparisonOperator::Equal, values: vec!["a".into()] };
    let query = Query { key_conditions: Some([("p".to_owned(), equal)].into()), ..Query::new("things") };
    assert_eq!(tables.query(&query).unwrap().count, 1);
}

#[test]
fn transitions_take_as_long_as_the_dial_says() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    let tables = store.tables();
    let mut dials = tables.dials();
    dials.transitions = Duration::from_secs(10);
    tables.set_dials(dials);
    let status = |tables: &Tables| tables.describe_table("things").unwrap().table_status.unwrap();
    tables.create_table(CreateTable::new("things").hash("p", ScalarType::S)).unwrap();
    assert_eq!(status(&tables), TableStatus::Creating);
    check_refused(tables.table("things").put(item! { "p" => "a" }), "ResourceNotFoundException", "");
    check_refused(tables.delete_table("things"), "ResourceInUseException", "being created: things");
    clock.advance(Duration::from_secs(10));
    assert_eq!(status(&tables), TableStatus::Active);
    tables.table("things").put(item! { "p" => "a" }).unwrap();
    let stream = UpdateTable::new("things").stream(StreamSpecification::enabled(StreamViewType::KeysOnly));
    tables.update_table(stream.clone()).unwrap();
    assert_eq!(status(&tables), TableStatus::Updating);
    check_refused(tables.update_table(stream), "ResourceInUseException", "being updated: things");
    clock.advance(Duration::from_secs(10));
    tables.delete_table("things").unwrap();
    assert_eq!(status(&tables), TableStatus::Deleting);
    let again = CreateTable::new("things").hash("p", ScalarType::S);
    check_refused(tables.create_table(again.clone()), "ResourceInUseException", "");
    clock.advance(Duration::from_secs(10));
    check_refused(tables.describe_table("things"), "ResourceNotFoundException", "");
    tables.create_table(again).unwrap();
}

#[test]
fn delayed_indexes_show_the_past() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    let tables = store.tables();
    let table = CreateTable::new("things").hash("p", ScalarType::S).attribute("y", ScalarType::S);
    tables.create_table(table.global_index(Index::new("by_y").hash("y"))).unwrap();
    let mut dials = tables.dials();
    dials.global_index_delay = Duration::from_secs(1);
    tables.set_dials(dials);
    let things = tables.table("things");
    let seen = |is_backward: bool| -> Vec<i32> {
        let query = Query::new("things").index("by_y").key_condition("y = :y").value(":y", "k");
        let items = tables.query(&Query { is_backward, ..query }).unwrap().items;
        items.iter().map(|item| item["x"].as_number().unwrap().to_string().parse().unwrap()).collect()
    };
    things.put(item! { "p" => "a", "y" => "k", "x" => 1 }).unwrap();
    assert!(seen(false).is_empty());
    clock.advance(Duration::from_secs(1));
    assert_eq!(seen(false), [1]);
    things.put(item! { "p" => "a", "y" => "k", "x" => 2 }).unwrap();
    things.put(item! { "p" => "b", "y" => "k", "x" => 3 }).unwrap();
    assert_eq!((seen(false), seen(true)), (vec![1], vec![1]));
    clock.advance(Duration::from_millis(999));
    things.delete(item! { "p" => "a" }).unwrap();
    assert_eq!(seen(true), [1]);
    clock.advance(Duration::from_millis(1));
    let mut both = seen(true);
    both.sort_unstable();
    assert_eq!(both, [2, 3]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(seen(false), [3]);
}

#[test]
fn tables_are_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    {
        let tables = Store::open(dir.path()).unwrap().tables();
        let table = CreateTable::new("things").hash("p", ScalarType::S).attribute("y", ScalarType::S);
        tables.create_table(table.global_index(Index::new("by_y").hash("y")).tag("k", "v")).unwrap();
        for p in ["a", "b"] {
            tables.table("things").put(item! { "p" => p, "y" => "k", "big" => "x".repeat(100_000) }).unwrap();
        }
    }
    let store = Store::open(dir.path()).unwrap();
    let tables = store.tables();
    let described = tables.describe_table("things").unwrap();
    assert_eq!((described.item_count, described.global_indexes[0].item_count), (2, 2));
    assert_eq!(tables.list_tags_of_resource("things").unwrap(), [Tag::new("k", "v")]);
    let query = Query::new("things").index("by_y").key_condition("y = :y").value(":y", "k");
    assert_eq!(tables.query(&query).unwrap().count, 2);
    tables.table("things").delete(item! { "p" => "a" }).unwrap();
    assert_eq!(tables.describe_table("things").unwrap().item_count, 1);
    assert_eq!(store.verify().unwrap(), []);
}
