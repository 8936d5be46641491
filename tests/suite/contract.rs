//! Openers, limits and refusals: each wrong input gets an error of the right kind, and changes nothing.

use fourfold::limits::{KEY_LEN_MAX, KEYSPACE_NAME_LEN_MAX};
use fourfold::{Durability, Error, Store};

fn put(store: &Store, keyspace: &str, key: &str, value: &[u8]) -> fourfold::Result<fourfold::Commit> {
    let keyspace = store.keyspace(keyspace)?;
    let mut batch = store.batch();
    batch.put(&keyspace, key, value)?;
    store.write(batch)
}

fn small() -> fourfold::Builder {
    Store::builder().segment_size(16 << 10).background_threads(0)
}

#[test]
fn a_second_opener_is_told_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = small().open(dir.path()).unwrap();
    let Err(Error::Locked { path }) = small().open(dir.path()) else { panic!("opened twice") };
    assert_eq!(path, dir.path());
    drop(store);
    small().open(dir.path()).unwrap();
}

#[test]
fn handles_keep_the_store_open() {
    let dir = tempfile::tempdir().unwrap();
    let keyspace = small().open(dir.path()).unwrap().keyspace("ks").unwrap();
    assert!(matches!(small().open(dir.path()), Err(Error::Locked { .. })));
    drop(keyspace);
    small().open(dir.path()).unwrap();
}

#[test]
fn a_directory_with_something_else_in_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test plays another program")]
    std::fs::write(dir.path().join("thesis.tex"), "precious").unwrap();
    let Err(Error::NotAStore { path, reason }) = Store::open(dir.path()) else { panic!("opened") };
    assert_eq!(path, dir.path());
    assert!(reason.contains("thesis.tex"), "{reason}");
    let left: Vec<_> = dir.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.contains(&"thesis.tex".into()));
    assert!(left.iter().all(|name| name == "thesis.tex"), "{left:?}");
}

#[test]
fn a_store_in_a_missing_directory_is_created() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/c");
    put(&small().open(&path).unwrap(), "ks", "key", b"value").unwrap();
    let store = small().open(&path).unwrap();
    assert_eq!(store.keyspaces().unwrap(), ["ks"]);
    assert_eq!(store.keyspace("ks").unwrap().get("key").unwrap().unwrap(), "value");
}

#[test]
fn the_segment_size_is_checked() {
    for size in [0, 1, 8 << 10, (16 << 10) + 1, 2 << 30] {
        let Err(Error::Invalid { field: "segment size", reason }) =
            Store::builder().segment_size(size).open("/nowhere")
        else {
            panic!("{size} was accepted")
        };
        assert!(reason.contains(&size.to_string()), "{reason}");
    }
    let dir = tempfile::tempdir().unwrap();
    drop(small().open(dir.path()).unwrap());
    let other = Store::builder().segment_size(32 << 10).open(dir.path());
    assert!(matches!(other, Err(Error::Invalid { field: "segment size", .. })), "{other:?}");
    Store::open(dir.path()).unwrap();
}

#[test]
fn keys_names_and_batches_have_limits() {
    let store = small().open_in_memory();
    let ks = store.keyspace("ks").unwrap();
    let mut batch = store.batch();
    let key = vec![7; KEY_LEN_MAX + 1];
    let too_long =
        |result| matches!(result, Err(Error::TooLarge { what: "key", len, max }) if len == max + 1);
    assert!(too_long(batch.put(&ks, &key, "")));
    assert!(too_long(batch.delete(&ks, &key)));
    assert!(too_long(batch.floor(&ks, &key)));
    assert!(batch.is_empty());
    assert_eq!(ks.get(&key).unwrap(), None);

    assert!(matches!(store.keyspace(""), Err(Error::Invalid { field: "keyspace name", .. })));
    let name = "n".repeat(KEYSPACE_NAME_LEN_MAX + 1);
    assert!(matches!(
        store.keyspace(&name),
        Err(Error::TooLarge { what: "keyspace name", len: 1025, max: 1024 })
    ));
    store.keyspace(&name[1..]).unwrap();

    for _ in 0..20 {
        batch.put(&ks, "key", vec![0; 1000]).unwrap();
    }
    let Err(Error::TooLarge { what: "batch", len, max }) = store.write(batch) else {
        panic!("over a segment")
    };
    assert!(len > max && max < 16 << 10, "{len} > {max}");
    assert_eq!(ks.get("key").unwrap(), None);
    put(&store, "ks", "key", b"goes on").unwrap();
}

#[test]
fn an_empty_batch_is_nothing() {
    let store = small().open_in_memory();
    let before = store.snapshot().position();
    store.write(store.batch()).unwrap();
    assert_eq!(store.snapshot().position(), before);
}

#[test]
fn what_belongs_to_another_store_is_refused() {
    let (store, other) = (small().open_in_memory(), small().open_in_memory());
    let ks = other.keyspace("ks").unwrap();
    let mut batch = store.batch();
    assert!(matches!(batch.put(&ks, "k", "v"), Err(Error::Invalid { field: "keyspace", .. })));
    assert!(matches!(store.write(other.batch()), Err(Error::Invalid { field: "batch", .. })));
    let snapshot = store.snapshot();
    let refused = |error| matches!(error, Err(Error::Invalid { field: "keyspace", .. }));
    assert!(refused(snapshot.get(&ks, "k").map(|_| ())));
    assert!(refused(snapshot.range::<&[u8]>(&ks, ..).advance().map(|_| ())));
    assert!(refused(snapshot.prefix(&ks, "k").next_back().unwrap().map(|_| ())));
}

#[test]
fn a_dropped_keyspace_takes_no_writes_and_its_name_starts_empty() {
    let store = small().open_in_memory();
    put(&store, "ks", "key", b"old").unwrap();
    let old = store.keyspace("ks").unwrap();
    store.drop_keyspace("ks").unwrap();
    let missing = |error| matches!(error, Err(Error::NotFound { kind: "keyspace", name }) if name == "ks");
    assert!(missing(store.drop_keyspace("ks")));
    assert!(missing(store.batch().put(&old, "key", "new")));
    assert_eq!(old.get("key").unwrap(), None);
    assert_eq!(store.keyspaces().unwrap(), [""; 0]);
    assert_eq!(store.keyspace("ks").unwrap().get("key").unwrap(), None);
}

#[test]
fn fork_is_for_stores_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let store = small().open(dir.path()).unwrap();
    assert!(matches!(store.fork(), Err(Error::Unsupported { op: "fork", .. })));
}

#[test]
fn errors_read_like_sentences() {
    let dir = tempfile::tempdir().unwrap();
    let _store = small().open(dir.path()).unwrap();
    let locked = small().open(dir.path()).unwrap_err().to_string();
    assert_eq!(locked, format!("the store in {} is open elsewhere", dir.path().display()));
    let size = Store::builder().segment_size(5).open("x").unwrap_err().to_string();
    assert_eq!(size, "invalid segment size: 5 is not a power of two from 16384 to 1073741824");
}

#[test]
fn values_of_every_size_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        Store::builder()
            .segment_size(1 << 20)
            .blob_threshold(100 << 10)
            .background_threads(0)
            .open(dir.path())
            .unwrap()
    };
    let sizes = [0, 1, 100, 4095, 4096, 4097, 65_536, 100 << 10, (100 << 10) + 1, 500_000, 1_000_000];
    let value = |size: usize| vec![u8::try_from(size % 251).unwrap(); size];
    let check = |store: &Store| {
        for size in sizes {
            let found = store.keyspace("ks").unwrap().get(size.to_string()).unwrap();
            assert!(found.as_deref() == Some(&value(size)[..]), "value of {size} bytes");
        }
    };
    let store = open();
    for size in sizes {
        put(&store, "ks", &size.to_string(), &value(size)).unwrap();
    }
    check(&store);
    drop(store);
    check(&open());
    open().compact().unwrap();
    check(&open());
    assert_eq!(open().verify().unwrap(), []);
}

#[test]
fn a_thousand_stores_in_memory_live_in_one_process() {
    let stores: Vec<Store> = (0..1000).map(|_| Store::in_memory()).collect();
    for (index, store) in stores.iter().enumerate() {
        put(store, "ks", "key", index.to_string().as_bytes()).unwrap();
    }
    for (index, store) in stores.iter().enumerate() {
        assert_eq!(store.keyspace("ks").unwrap().get("key").unwrap().unwrap(), index.to_string());
    }
}

#[test]
fn every_durability_is_accepted_per_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = small().durability(Durability::Buffered).open(dir.path()).unwrap();
    let ks = store.keyspace("ks").unwrap();
    for durability in [Durability::Buffered, Durability::Written, Durability::Synced] {
        let mut batch = store.batch();
        batch.put(&ks, format!("{durability:?}"), "").unwrap();
        let commit = store.write_with(batch, durability).unwrap();
        let stats = store.stats();
        assert!(stats.frontier > commit.position());
        assert!(durability != Durability::Written || stats.written > commit.position());
        assert!(durability != Durability::Synced || stats.durable > commit.position());
    }
}
