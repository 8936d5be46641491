//! Real threads: what one thread was told is what every other sees.

use fourfold::{Durability, Store};
use std::sync::atomic::{AtomicU64, Ordering};

/// Each writer counts up in its own keyspace, all keys of a batch alike; readers check that batches are whole, counters
/// never go back, and their snapshots stand still. Tiny segments, so that rotation, folds and merges happen all the time.
fn counters(store: &Store, writers: u64, rounds: u64) {
    let told: Vec<AtomicU64> = (0..writers).map(|_| AtomicU64::new(0)).collect();
    let keyspaces: Vec<_> = (0..writers).map(|w| store.keyspace(&format!("w{w}")).unwrap()).collect();
    let number = |value: Option<bytes::Bytes>| {
        value.map_or(0, |value| u64::from_le_bytes(value[..8].try_into().unwrap()))
    };
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let (keyspace, told) =
                (&keyspaces[usize::try_from(writer).unwrap()], &told[usize::try_from(writer).unwrap()]);
            scope.spawn(move || {
                for round in 1..=rounds {
                    let mut batch = store.batch();
                    for key in 0..4u8 {
                        let mut value = round.to_le_bytes().to_vec();
                        value.resize(8 + usize::try_from(round % 300).unwrap(), key);
                        batch.put(keyspace, [key], value).unwrap();
                    }
                    batch.put(keyspace, round.to_string(), "passing").unwrap();
                    if round > 10 {
                        batch.delete(keyspace, (round - 10).to_string()).unwrap();
                    }
                    store.write(batch).unwrap();
                    told.store(round, Ordering::Release);
                }
            });
        }
        for reader in 0..2usize {
            let (keyspaces, told) = (&keyspaces, &told);
            scope.spawn(move || {
                let mut seen = vec![0; keyspaces.len()];
                loop {
                    let done = told.iter().all(|told| told.load(Ordering::Acquire) == rounds);
                    for (writer, keyspace) in keyspaces.iter().enumerate() {
                        let told = told[writer].load(Ordering::Acquire);
                        let snapshot = store.snapshot();
                        let first = number(snapshot.get(keyspace, [0]).unwrap());
                        assert!(first >= told, "reader {reader} saw {first} after {told} was acknowledged");
                        assert!(first >= seen[writer], "went back from {} to {first}", seen[writer]);
                        seen[writer] = first;
                        let all: Vec<u64> = snapshot
                            .range(keyspace, [0]..[4])
                            .map(|entry| number(entry.map(|(_, value)| Some(value)).unwrap()))
                            .collect();
                        assert_eq!(all, vec![first; if first == 0 { 0 } else { 4 }], "a batch in part");
                        let passing = snapshot.range(keyspace, "0".."9999999").count() as u64;
                        assert_eq!(passing, first.min(10));
                        assert!(number(keyspace.get([3]).unwrap()) >= first);
                    }
                    if done {
                        break;
                    }
                }
            });
        }
    });
    for keyspace in &keyspaces {
        assert_eq!(number(keyspace.get([0]).unwrap()), rounds);
    }
    assert_eq!(store.verify().unwrap(), []);
}

#[test]
fn writers_and_readers_in_memory() {
    counters(&Store::builder().segment_size(16 << 10).open_in_memory(), 3, 2000);
    counters(&Store::builder().segment_size(16 << 10).background_threads(2).open_in_memory(), 3, 2000);
}

#[test]
fn writers_and_readers_on_disk() {
    for durability in [Durability::Buffered, Durability::Synced] {
        let dir = tempfile::tempdir().unwrap();
        let open =
            || Store::builder().segment_size(16 << 10).durability(durability).open(dir.path()).unwrap();
        counters(&open(), 3, 400);
        let store = open();
        for writer in 0..3 {
            assert!(store.keyspace(&format!("w{writer}")).unwrap().get([0]).unwrap().is_some());
        }
    }
}

struct Signal(std::sync::mpsc::Sender<()>);

impl std::task::Wake for Signal {
    fn wake(self: std::sync::Arc<Self>) {
        let _ = self.0.send(());
    }
}

#[test]
fn async_writes_wait_without_a_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let ks = store.keyspace("ks").unwrap();
    let writes = (0..50u8).map(|i| {
        let mut batch = store.batch();
        batch.put(&ks, [i], [i]).unwrap();
        Box::pin(store.write_async(batch))
    });
    let mut writes: Vec<_> = writes.collect();
    let (sender, receiver) = std::sync::mpsc::channel();
    let waker = std::task::Waker::from(std::sync::Arc::new(Signal(sender)));
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        writes.retain_mut(|write| match write.as_mut().poll(&mut context) {
            std::task::Poll::Ready(commit) => {
                commit.unwrap();
                false
            }
            std::task::Poll::Pending => true,
        });
        if writes.is_empty() {
            break;
        }
        receiver.recv().expect("a pending write keeps its waker");
    }
    assert_eq!(ks.range::<&[u8]>(..).count(), 50);
    assert!(store.stats().durable >= store.stats().frontier);
}

/// Blobs move out of segments that are given up, while the store is copied and checked. A fork once took the locks of folding
/// before that of the clearing, which appends and so may have to fold: both waited for ever. A checkpoint did not hold
/// the clearing off, and could miss a segment that its log still named.
#[test]
fn copies_are_whole_while_blobs_move() {
    let dir = tempfile::tempdir().unwrap();
    let builder = || {
        let builder = Store::builder().segment_size(16 << 10).blob_threshold(500).background_threads(0);
        builder.durability(Durability::Buffered)
    };
    for on_disk in [false, true] {
        let store =
            if on_disk { builder().open(dir.path().join("0")).unwrap() } else { builder().open_in_memory() };
        let ks = store.keyspace("ks").unwrap();
        let done = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..1500u32 {
                    let mut batch = store.batch();
                    // Some keys are written often, so that segments become sparse.
                    let key = if round % 3 == 0 { round % 61 } else { round % 7 };
                    let value = vec![u8::try_from(key).unwrap(); 600 + round as usize % 900];
                    batch.put(&ks, key.to_be_bytes(), value).unwrap();
                    store.write(batch).unwrap();
                }
                done.store(1, Ordering::Release);
            });
            scope.spawn(|| {
                while done.load(Ordering::Acquire) == 0 {
                    store.compact().unwrap();
                }
            });
            let mut copies = 0;
            while done.load(Ordering::Acquire) == 0 || copies == 0 {
                copies += 1;
                let copy = if on_disk {
                    let path = dir.path().join(copies.to_string());
                    store.checkpoint(&path).unwrap();
                    builder().open(path).unwrap()
                } else {
                    store.fork().unwrap()
                };
                for entry in copy.keyspace("ks").unwrap().range::<&[u8]>(..) {
                    let (key, value) = entry.unwrap();
                    assert!(value.iter().all(|byte| *byte == key[3]));
                }
                assert_eq!(copy.verify().unwrap(), []);
                assert_eq!(store.verify().unwrap(), []);
            }
        });
    }
}
