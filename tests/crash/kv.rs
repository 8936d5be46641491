//! Power cuts while a table is written: an item, its index entries, its expiry and its change record agree in every state
//! that is left, and what was acknowledged is there.

use crate::report::Counts;
use fourfold::Store;
use fourfold::clock::ManualClock;
use fourfold::kv::{
    CreateTable, DescribeStream, Index, Item, Projection, ScalarType, Scan, ShardPosition, StreamViewType,
    Tables, TransactWriteItems, UpdateTable, item,
};
use fourfold::sim::{CrashLimits, SimDisk};
use std::collections::BTreeMap;

type Items = BTreeMap<String, Item>;

fn open(disk: &SimDisk) -> (Store, Tables) {
    let store = Store::builder().segment_size(16 << 10).clock(ManualClock::default()).seed(1);
    let store = store.open_simulated(disk, "tables").unwrap();
    let tables = store.tables();
    (store, tables)
}

/// One step of the program that is cut.
type Step = fn(&Tables);

const STEPS: [Step; 12] = [
    |tables| {
        let table = CreateTable::new("things").hash("p", ScalarType::S).attribute("y", ScalarType::S);
        let index = Index::new("by_y").hash("y").project(Projection::include(["n"]));
        tables.create_table(table.global_index(index).stream(StreamViewType::NewImage)).unwrap();
    },
    |tables| tables.update_time_to_live("things", "until", true).unwrap(),
    |tables| tables.table("things").put(item! { "p" => "a", "y" => "k", "n" => 1 }).unwrap(),
    |tables| {
        tables.table("things").put(item! { "p" => "b", "y" => "k", "until" => 4_000_000_000_u64 }).unwrap();
    },
    |tables| {
        tables
            .table("things")
            .put(item! { "p" => "a", "y" => "l", "n" => 2, "big" => "b".repeat(3000) })
            .unwrap();
    },
    |tables| {
        let things = tables.table("things");
        let update = things.update(item! { "p" => "a" }).update("ADD n :one").value(":one", 1);
        let other = things.update(item! { "p" => "c" }).update("SET y = :y").value(":y", "k");
        tables
            .transact_write_items(&TransactWriteItems::new().action(update).action(other).token("one"))
            .unwrap();
    },
    |tables| {
        let update = UpdateTable::new("things").attribute("n", ScalarType::N);
        tables.update_table(update.create_index(Index::new("by_n").hash("n"))).unwrap();
    },
    |tables| tables.table("things").delete(item! { "p" => "b" }).map(drop).unwrap(),
    |tables| tables.table("things").put(item! { "p" => "d", "n" => 3, "big" => "d".repeat(3000) }).unwrap(),
    |tables| tables.update_table(UpdateTable::new("things").delete_index("by_y")).map(drop).unwrap(),
    |tables| tables.table("things").put(item! { "p" => "a", "n" => 3 }).unwrap(),
    |tables| tables.delete_table("things").map(drop).unwrap(),
];

/// The items of the table; none if there is no table.
fn items(tables: &Tables) -> Option<Items> {
    let page = tables.scan(&Scan::new("things")).ok()?;
    Some(page.items.into_iter().map(|item| (item["p"].as_str().unwrap().to_owned(), item)).collect())
}

/// The items as the stream tells them.
fn told(tables: &Tables) -> Items {
    let mut told = Items::new();
    let arn = tables.describe_table("things").unwrap().latest_stream_arn.unwrap();
    for shard in tables.describe_stream(&DescribeStream::new(&arn)).unwrap().shards {
        let start = tables.get_shard_iterator(&arn, &shard.id, &ShardPosition::TrimHorizon).unwrap();
        for record in tables.get_records(&start, None).unwrap().records {
            let name = record.keys["p"].as_str().unwrap().to_owned();
            match record.new_image {
                Some(image) => told.insert(name, image),
                None => told.remove(&name),
            };
        }
    }
    told
}

#[test]
fn a_table_and_all_that_follows_it_agree_after_every_power_cut() {
    let disk = SimDisk::new();
    disk.record();
    let (store, tables) = open(&disk);
    // After so many calls, so many steps were acknowledged; what there was after each.
    let mut acknowledged = vec![(disk.calls(), 0)];
    let mut history = vec![items(&tables)];
    for (number, step) in STEPS.iter().enumerate() {
        step(&tables);
        acknowledged.push((disk.calls(), number + 1));
        history.push(items(&tables));
    }
    drop((store, tables));

    let counts = Counts::default();
    let images = disk.images();
    counts.images(images.len());
    for (calls, image) in (0..).zip(images) {
        let promised = acknowledged.iter().rfind(|(at, _)| *at <= calls).map_or(0, |(_, number)| *number);
        for survival in image.crash_states(CrashLimits::default()) {
            counts.state();
            let context = || format!("after {calls} calls:\n{}", image.explain(&survival));
            let (store, tables) = open(&image.crash(&survival));
            let found = items(&tables);
            let is_known = history[promised..].iter().take(2).any(|known| *known == found);
            assert!(is_known, "{promised} steps were acknowledged, found {found:?}; {}", context());
            assert_eq!(tables.verify().unwrap(), [], "{}", context());
            assert_eq!(store.verify().unwrap(), [], "{}", context());
            if let Some(found) = found {
                assert_eq!(told(&tables), found, "{}", context());
                // An index that was left half built is completed.
                store.maintain().unwrap();
                let described = tables.describe_table("things").unwrap();
                assert!(described.global_indexes.iter().all(|index| !index.backfilling), "{}", context());
                assert_eq!(tables.verify().unwrap(), [], "{}", context());
            }
        }
    }
    counts.print("a table");
}
