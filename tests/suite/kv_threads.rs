//! Real threads on the same items: conditions decide, nothing is lost, transactions are whole.

use fourfold::Store;
use fourfold::kv::{
    ChangeRecord, CreateTable, Error, Index, Item, Query, ScalarType, Scan, StreamViewType, Tables,
    TransactGet, TransactGetItems, TransactWriteItems, UpdateTable, item,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn number(item: &Item, name: &str) -> i64 {
    item[name].as_number().unwrap().to_string().parse().unwrap()
}

fn with_table(request: impl FnOnce(CreateTable) -> CreateTable) -> Tables {
    let tables = Store::builder().segment_size(256 << 10).open_in_memory().tables();
    tables.create_table(request(CreateTable::new("things").hash("p", ScalarType::S))).unwrap();
    tables
}

#[test]
fn counters_are_exact_and_locks_are_held_by_one() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 400;
    let tables = with_table(|table| table.stream(StreamViewType::NewImage));
    let mut changes = tables.subscribe("things").unwrap();
    let inside = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (tables, inside) = (&tables, &inside);
            scope.spawn(move || {
                let things = tables.table("things");
                let lock = || item! { "p" => "lock" };
                for _ in 0..ROUNDS {
                    let add = things.update(item! { "p" => "counter" }).update("ADD n :one").value(":one", 1);
                    tables.update_item(add).unwrap();
                    let take = things.update(lock()).update("SET held = :me").value(":me", thread);
                    if tables.update_item(take.condition("attribute_not_exists(held)")).is_ok() {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold the lock");
                        inside.fetch_sub(1, Ordering::SeqCst);
                        tables.update_item(things.update(lock()).update("REMOVE held")).unwrap();
                    }
                }
            });
        }
    });
    let counter = tables.table("things").get(item! { "p" => "counter" }).unwrap().unwrap();
    assert_eq!(number(&counter, "n"), i64::try_from(THREADS * ROUNDS).unwrap());
    // The stream tells each step of the counter, in order.
    let mut told = Vec::new();
    while let Some(ChangeRecord { new_image, .. }) = changes.try_next().unwrap() {
        told.extend(new_image.filter(|image| image.contains_key("n")).map(|image| number(&image, "n")));
    }
    assert_eq!(told, (1..=number(&counter, "n")).collect::<Vec<_>>());
}

/// Money moves between accounts; whoever looks at all of them at once sees the same sum.
#[test]
fn transactions_are_serializable() {
    const ACCOUNTS: i64 = 6;
    const MONEY: i64 = 100;
    let tables = with_table(|table| {
        table.attribute("all", ScalarType::S).global_index(Index::new("by_all").hash("all"))
    });
    let name = |number: i64| format!("account {number}");
    for account in 0..ACCOUNTS {
        tables.table("things").put(item! { "p" => name(account), "all" => "a", "money" => MONEY }).unwrap();
    }
    let (done, conflicts, moved) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4_u64)
            .map(|thread| {
                let (tables, conflicts, moved, name) = (&tables, &conflicts, &moved, &name);
                scope.spawn(move || {
                    let mut seed = thread + 1;
                    for _ in 0..500 {
                        seed = seed
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        let from = i64::try_from(seed >> 33).unwrap() % ACCOUNTS;
                        let to = (from + 1 + i64::try_from(seed >> 40).unwrap() % (ACCOUNTS - 1)) % ACCOUNTS;
                        let sum = i64::try_from(seed >> 50).unwrap() % 30 + 1;
                        let things = tables.table("things");
                        let pay =
                            things.update(item! { "p" => name(from) }).update("SET money = money - :sum");
                        let take =
                            things.update(item! { "p" => name(to) }).update("SET money = money + :sum");
                        let transfer = TransactWriteItems::new()
                            .action(pay.condition("money >= :sum").value(":sum", sum))
                            .action(take.value(":sum", sum));
                        match tables.transact_write_items(&transfer) {
                            Ok(_) => {
                                moved.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(Error::TransactionCanceled { reasons }) => {
                                if reasons.iter().any(|reason| reason.code() == "TransactionConflict") {
                                    conflicts.fetch_add(1, Ordering::Relaxed);
                                }
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            })
            .collect();
        for reader in 0..2 {
            let (tables, done, name) = (&tables, &done, &name);
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    let items: Vec<Item> = if reader == 0 {
                        let gets =
                            (0..ACCOUNTS).map(|n| TransactGet::new("things", item! { "p" => name(n) }));
                        let found = tables.transact_get_items(&TransactGetItems::new(gets)).unwrap();
                        found.items.into_iter().flatten().collect()
                    } else {
                        let all = Query::new("things").index("by_all").key_condition("#a = :a");
                        tables.query(&all.name("#a", "all").value(":a", "a")).unwrap().items
                    };
                    assert_eq!(items.len(), usize::try_from(ACCOUNTS).unwrap());
                    assert!(items.iter().all(|item| number(item, "money") >= 0));
                    assert_eq!(items.iter().map(|item| number(item, "money")).sum::<i64>(), ACCOUNTS * MONEY);
                }
            });
        }
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Release);
    });
    assert!(moved.load(Ordering::Relaxed) > 0);
    assert_eq!(tables.verify().unwrap(), []);
}

/// An index is made while items come, change and go.
#[test]
fn an_index_is_complete_although_items_changed_while_it_was_made() {
    let tables = with_table(|table| table);
    let things = tables.table("things");
    for number in 0..2000 {
        things.put(item! { "p" => format!("{number}"), "y" => number % 7 }).unwrap();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (tables, done) = (&tables, &done);
            scope.spawn(move || {
                let things = tables.table("things");
                let mut number = thread;
                while !done.load(Ordering::Acquire) {
                    number = (number + 7) % 2500;
                    let key = item! { "p" => format!("{number}") };
                    match number % 3 {
                        0 => things.delete(key).map(drop).unwrap(),
                        1 => things.put(item! { "p" => format!("{number}"), "y" => number % 5 }).unwrap(),
                        _ => tables
                            .update_item(things.update(key).update("ADD y :one").value(":one", 1))
                            .map(drop)
                            .unwrap(),
                    }
                }
            });
        }
        for _ in 0..5 {
            let index = Index::new("by_y").hash("y");
            let update = UpdateTable::new("things").attribute("y", ScalarType::N).create_index(index);
            tables.update_table(update).unwrap();
            assert_eq!(tables.verify().unwrap(), []);
            tables.update_table(UpdateTable::new("things").delete_index("by_y")).unwrap();
        }
        done.store(true, Ordering::Release);
    });
    let mut counted = BTreeMap::new();
    for item in tables.scan(&Scan::new("things")).unwrap().items {
        *counted.entry(number(&item, "y")).or_insert(0_u64) += 1;
    }
    let index = Index::new("by_y").hash("y");
    tables
        .update_table(UpdateTable::new("things").attribute("y", ScalarType::N).create_index(index))
        .unwrap();
    for (y, count) in counted {
        let query = Query::new("things").index("by_y").key_condition("y = :y").value(":y", y);
        assert_eq!(tables.query(&query).unwrap().count as u64, count);
    }
}
