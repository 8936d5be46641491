//! Snapshot files: what comes back is what was there, of any kind of store, and damage is found.

use fourfold::kv::{CreateTable, ScalarType, item};
use fourfold::objects::Versioning;
use fourfold::queue::Receive;
use fourfold::stream::{CreateStream, Start};
use fourfold::{Error, ManualClock, Store};
use std::time::Duration;

/// A store with something of everything in it, in all states.
fn fill(store: &Store, clock: &ManualClock) {
    let jobs = store.queues().create("jobs").unwrap();
    for n in 0..20 {
        jobs.send(format!("job {n}")).unwrap();
    }
    let taken = jobs.receive(Receive::new().max_messages(5).visibility_timeout(600)).unwrap();
    jobs.delete_message(taken[0].receipt_handle()).unwrap();
    let clicks = store.streams().create("clicks", CreateStream::default().shard_count(2)).unwrap();
    for n in 0..50 {
        clicks.put(&n.to_string(), format!("click {n}")).unwrap();
    }
    let tables = store.tables();
    tables.create_table(CreateTable::new("users").hash("id", ScalarType::N)).unwrap();
    for n in 0..100_u32 {
        tables.table("users").put(item! { "id" => n, "name" => "x".repeat(n as usize) }).unwrap();
    }
    tables.table("users").delete(item! { "id" => 7 }).unwrap();
    let photos = store.buckets().create("photos").unwrap();
    photos.set_versioning(Versioning::Enabled).unwrap();
    for version in 0..3 {
        photos.put("long", vec![version; 300_000]).unwrap();
        photos.put("short", vec![version; 3]).unwrap();
    }
    photos.delete("short").unwrap();
    store.queues().create("gone").unwrap();
    store.queues().delete("gone").unwrap();
    clock.advance(Duration::from_secs(3));
    let words = store.keyspace("words").unwrap();
    let mut batch = store.batch();
    for n in 0..1000 {
        batch.put(&words, format!("{n:04}"), vec![7; n]).unwrap();
    }
    batch.floor(&words, "0100").unwrap();
    store.write(batch).unwrap();
}

/// Everything that users can see of it, and that it works on.
fn check(store: &Store, clock: &ManualClock) {
    let jobs = store.queues().get("jobs").unwrap();
    let stats = jobs.stats().unwrap();
    assert_eq!((stats.visible, stats.in_flight), (15, 4));
    assert_eq!(jobs.receive(1).unwrap()[0].body(), "job 5");
    clock.advance(Duration::from_mins(10));
    assert_eq!(jobs.receive(Receive::new().max_messages(10)).unwrap().len(), 10);
    let clicks = store.streams().stream("clicks").unwrap();
    let mut before = Vec::new();
    for shard in ["shardId-000000000000", "shardId-000000000001"] {
        let mut cursor = clicks.cursor(shard, Start::TrimHorizon).unwrap();
        while let Some(record) = cursor.try_next().unwrap() {
            before.push(record.sequence_number());
        }
    }
    assert_eq!(before.len(), 50);
    let put = clicks.put("0", "more").unwrap();
    assert!(before.iter().all(|number| *number < put.sequence_number), "numbers go on");
    let users = store.tables().table("users");
    assert_eq!(users.get(item! { "id" => 99 }).unwrap().unwrap()["name"], "x".repeat(99).into());
    assert!(users.get(item! { "id" => 7 }).unwrap().is_none());
    assert_eq!(store.tables().describe_table("users").unwrap().item_count, 99);
    assert!(store.tables().verify().unwrap().is_empty());
    let photos = store.buckets().bucket("photos").unwrap();
    assert_eq!(photos.get("long").unwrap().body.bytes().unwrap(), vec![2; 300_000]);
    assert!(photos.get("short").is_err());
    assert_eq!(
        photos.list_versions(&fourfold::objects::ListVersions::default()).unwrap().versions.len(),
        7,
        "and a delete marker"
    );
    let words = store.keyspace("words").unwrap();
    assert_eq!(words.range::<&[u8]>(..).count(), 900);
    words.put("0050", "below the floor").unwrap();
    assert_eq!(words.get("0050").unwrap(), None);
    assert!(store.queues().get("gone").is_err());
    assert!(store.queues().create("gone").is_ok(), "its name is free again by now");
    assert!(store.verify().unwrap().is_empty());
}

fn builder(clock: &ManualClock) -> fourfold::Builder {
    Store::builder().clock(clock.clone()).seed(5).segment_size(4 << 20)
}

#[test]
fn a_store_comes_back_from_a_file() {
    let clock = ManualClock::default();
    let store = builder(&clock).region("eu-west-1").open_in_memory();
    fill(&store, &clock);
    let mut file = Vec::new();
    let exported = store.export(&mut file).unwrap();
    assert!(
        exported.bytes > 1_000_000 && (exported.bytes..2 * exported.bytes).contains(&(file.len() as u64))
    );

    let copy = builder(&clock).import_in_memory(&file[..]).unwrap();
    assert_eq!(copy.region(), "eu-west-1");
    let (frontier, origin) = (copy.stats().frontier, store.stats().frontier);
    assert!(frontier > origin, "positions go on");
    let mut again = Vec::new();
    copy.export(&mut again).unwrap();
    assert_eq!(again.len(), file.len(), "a copy of the copy is the same");
    check(&copy, &clock);
    assert_eq!(store.queues().get("jobs").unwrap().stats().unwrap().messages(), 19, "it is a copy");
}

#[test]
fn a_file_becomes_a_store_on_disk_and_the_other_way_round() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::default();
    let mut file = Vec::new();
    {
        let store = builder(&clock).open(dir.path().join("store")).unwrap();
        fill(&store, &clock);
        store.fold().unwrap();
        // What happens after the snapshot is not in it.
        let snapshot = store.snapshot();
        store.queues().get("jobs").unwrap().purge().unwrap();
        store.streams().delete("clicks", false).unwrap();
        store.queues().create("later").unwrap();
        snapshot.export(&mut file).unwrap();
    }
    let path = dir.path().join("copy");
    {
        let copy = builder(&clock).import(&path, &file[..]).unwrap();
        assert!(copy.queues().get("later").is_err());
    }
    let copy = builder(&clock).open(&path).unwrap();
    check(&copy, &clock);
    drop(copy);
    let error = builder(&clock).import(&path, &file[..]).unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    let clock = ManualClock::default();
    check(&builder(&clock).import_in_memory(&file[..]).unwrap(), &clock);
}

#[test]
fn a_damaged_file_is_refused() {
    let clock = ManualClock::default();
    let store = builder(&clock).open_in_memory();
    fill(&store, &clock);
    let mut file = Vec::new();
    store.export(&mut file).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        let error = Store::import(bytes).err().unwrap_or_else(|| panic!("{what} is not found"));
        assert!(matches!(error, Error::Corrupt(_) | Error::Version { .. }), "{what}: {error}");
        error.to_string()
    };
    assert!(refused(b"", "nothing").contains("magic"));
    assert!(refused(&file[..file.len() - 1], "a missing byte").contains("end of the file"));
    for part in 1..20 {
        let at = file.len() * part / 20;
        refused(&file[..at], "a part");
        let mut damaged = file.clone();
        damaged[at] ^= 0x10;
        let text = refused(&damaged, "a flipped bit");
        assert!(text.contains("snapshot"), "{text}");
    }
    let mut newer = file.clone();
    newer[8] = 2;
    assert!(matches!(Store::import(&newer[..]), Err(Error::Version { found: 2, .. })));
    // What follows the end is not looked at: a snapshot may be a part of a stream.
    file.extend_from_slice(b"more");
    assert!(Store::import(&file[..]).is_ok());
}
