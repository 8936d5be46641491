//! Places where one thing meets another that goes on at the same time, or that has just failed.

use fourfold::{Durability, Error, Keyspace, Store};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};

const SEGMENT: u64 = 16 << 10;

fn small() -> fourfold::Builder {
    Store::builder().segment_size(SEGMENT).blob_threshold(1000).background_threads(0)
}

fn put(
    store: &Store,
    keyspace: &Keyspace,
    key: impl AsRef<[u8]>,
    value: impl AsRef<[u8]>,
) -> fourfold::Result<()> {
    let mut batch = store.batch();
    batch.put(keyspace, key, value)?;
    store.write(batch).map(|_| ())
}

/// Runs `work` over and over until the other threads are done.
fn meanwhile(done: &AtomicBool, mut work: impl FnMut()) {
    while !done.load(Ordering::Acquire) {
        work();
    }
}

#[test]
fn a_checkpoint_of_a_store_in_memory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy");
    let store = small().open_in_memory();
    assert!(matches!(store.checkpoint(&copy), Err(Error::Unsupported { op: "checkpoint", .. })));
    assert!(!copy.exists());
}

/// Each batch raises the floor past the key of the batch before and puts the next: there is always exactly one key. The
/// reader must not see the floor of a batch whose key is in a segment that its view does not have.
#[test]
fn a_floor_and_a_put_of_one_batch_are_seen_together() {
    let store = small().open_in_memory();
    let ks = store.keyspace("ks").unwrap();
    let key = |round: u32| round.to_be_bytes();
    put(&store, &ks, key(0), [0; 100]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                meanwhile(&done, || {
                    assert_eq!(ks.range::<&[u8]>(..).count(), 1);
                    let snapshot = store.snapshot();
                    assert_eq!(snapshot.range::<&[u8]>(&ks, ..).count(), 1);
                });
            });
        }
        for round in 1..30_000 {
            let mut batch = store.batch();
            batch.floor(&ks, key(round)).unwrap();
            batch.put(&ks, key(round), [1; 900]).unwrap();
            store.write(batch).unwrap();
        }
        done.store(true, Ordering::Release);
    });
}

#[test]
fn blobs_of_batches_that_were_never_written_give_their_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = small().open(dir.path()).unwrap();
    let ks = store.keyspace("ks").unwrap();
    for _ in 0..20 {
        store.batch().put(&ks, "key", vec![1; 10_000]).unwrap();
    }
    put(&store, &ks, "key", vec![2; 10_000]).unwrap();
    store.compact().unwrap();
    assert!(store.stats().blob_bytes <= 2 * SEGMENT, "{}", store.stats().blob_bytes);
    assert_eq!(ks.get("key").unwrap().unwrap(), vec![2; 10_000]);
    assert_eq!(store.verify().unwrap(), []);
}

#[test]
fn blobs_overwritten_within_a_batch_give_their_space_back() {
    let store = small().open_in_memory();
    let ks = store.keyspace("ks").unwrap();
    for round in 0..20 {
        let mut batch = store.batch();
        batch.put(&ks, "key", vec![1; 5000]).unwrap();
        batch.put(&ks, "key", vec![2; 5000]).unwrap();
        if round % 2 == 0 {
            batch.delete(&ks, "key").unwrap();
        }
        store.write(batch).unwrap();
    }
    store.compact().unwrap();
    assert!(store.stats().blob_bytes <= 3 * SEGMENT, "{}", store.stats().blob_bytes);
    assert_eq!(ks.get("key").unwrap().unwrap(), vec![2; 5000]);
    assert_eq!(store.verify().unwrap(), []);
}

/// The batch that renames moved blobs must fit into a segment whatever the lengths of the keys.
#[test]
fn blobs_with_short_and_long_keys_are_moved() {
    let store = small().open_in_memory();
    let ks = store.keyspace("ks").unwrap();
    let long = [b'z'; 6050];
    for round in 0..40u8 {
        put(&store, &ks, format!("passing {round}"), vec![round; 1100]).unwrap();
        if round % 8 == 3 {
            for short in 0..8u8 {
                put(&store, &ks, format!("{round} {short}"), vec![round; 1001]).unwrap();
            }
            put(&store, &ks, [&long[..], &[round]].concat(), vec![round; 1001]).unwrap();
        }
    }
    for round in 0..40u8 {
        let mut batch = store.batch();
        batch.delete(&ks, format!("passing {round}")).unwrap();
        store.write(batch).unwrap();
    }
    store.compact().unwrap();
    store.compact().unwrap();
    for round in (0..40u8).filter(|round| round % 8 == 3) {
        assert_eq!(ks.get([&long[..], &[round]].concat()).unwrap().unwrap(), vec![round; 1001]);
        for short in 0..8u8 {
            assert_eq!(ks.get(format!("{round} {short}")).unwrap().unwrap(), vec![round; 1001]);
        }
    }
    assert_eq!(store.verify().unwrap(), []);
}

/// Otherwise each fork would fold the same segments by itself, and have them twice in memory.
#[test]
fn what_forks_share_is_folded_once() {
    let store = Store::in_memory();
    let ks = store.keyspace("ks").unwrap();
    for key in 0..200u8 {
        put(&store, &ks, [key], vec![key; 1000]).unwrap();
    }
    let forks = [store.fork().unwrap(), store.fork().unwrap()];
    assert_eq!(store.stats().runs, 1);
    for fork in &forks {
        put(fork, &fork.keyspace("ks").unwrap(), "own", "value").unwrap();
        fork.maintain().unwrap();
        let stats = fork.stats();
        assert_eq!((stats.runs, stats.memtables, stats.run_entries), (1, 1, store.stats().run_entries));
    }
}

/// Forks while blobs are moved, segments folded and keyspaces created: each fork is a whole store.
#[test]
fn forks_are_whole_while_everything_goes_on() {
    let store = small().background_threads(1).open_in_memory();
    let ks = store.keyspace("ks").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..600u32 {
                let mut batch = store.batch();
                for key in 0..4u8 {
                    batch.put(&ks, [key], vec![u8::try_from(round % 251).unwrap(); 1500]).unwrap();
                }
                store.write(batch).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            let mut round = 0;
            meanwhile(&done, || {
                round += 1;
                let made = store.keyspace(&format!("made {round}")).unwrap();
                put(&store, &made, "key", "value").unwrap();
                if round % 3 == 0 {
                    store.drop_keyspace(&format!("made {}", round - 1)).unwrap();
                }
            });
        });
        meanwhile(&done, || {
            let fork = store.fork().unwrap();
            let names = fork.keyspaces().unwrap();
            for name in names.iter().filter(|name| name.starts_with("made")).rev().take(3) {
                fork.keyspace(name).unwrap().get("key").unwrap();
            }
            let values: Vec<_> =
                fork.keyspace("ks").unwrap().range::<&[u8]>(..).map(|entry| entry.unwrap().1).collect();
            assert!(values.is_empty() || values.len() == 4);
            assert!(values.windows(2).all(|pair| pair[0] == pair[1]), "a batch in part");
            assert_eq!(fork.verify().unwrap(), []);
        });
    });
}

#[test]
fn checkpoints_are_whole_while_blobs_are_moved() {
    let dir = tempfile::tempdir().unwrap();
    let store = small()
        .durability(Durability::Buffered)
        .background_threads(1)
        .open(dir.path().join("store"))
        .unwrap();
    let ks = store.keyspace("ks").unwrap();
    for key in 0..20u8 {
        put(&store, &ks, [b'k', key], vec![key; 3000]).unwrap();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..400u32 {
                let round = u8::try_from(round % 251).unwrap();
                put(&store, &ks, [round % 16], vec![round; 2500]).unwrap();
                if round % 8 == 0 {
                    store.compact().unwrap();
                }
            }
            done.store(true, Ordering::Release);
        });
        let mut number = 0;
        meanwhile(&done, || {
            number += 1;
            let copy = dir.path().join(number.to_string());
            store.checkpoint(&copy).unwrap();
            let copy = small().open(&copy).unwrap();
            let ks = copy.keyspace("ks").unwrap();
            for key in 0..20u8 {
                assert_eq!(ks.get([b'k', key]).unwrap().unwrap(), vec![key; 3000]);
            }
            assert_eq!(copy.verify().unwrap(), []);
            assert_eq!(store.verify().unwrap(), []);
        });
    });
}

#[test]
fn opening_a_keyspace_while_it_is_dropped_is_no_corruption() {
    let store = small().open_in_memory();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3000 {
                store.keyspace("ks").unwrap();
                store.drop_keyspace("ks").unwrap();
                store.compact().unwrap();
            }
            done.store(true, Ordering::Release);
        });
        meanwhile(&done, || {
            store.keyspace("ks").unwrap();
        });
    });
}

/// A task that is thrown away by whoever wakes it, as executors do that are shut down, may own the last handle: then the
/// store is closed by its own committer thread.
#[test]
fn a_store_may_be_closed_by_its_own_thread() {
    struct Discard {
        task: parking::Slot,
        done: mpsc::Sender<()>,
    }
    impl Wake for Discard {
        fn wake(self: std::sync::Arc<Self>) {
            drop(self.task.lock().unwrap().take());
            let _ = self.done.send(());
        }
    }
    mod parking {
        pub(super) type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
        pub(super) type Slot = std::sync::Mutex<Option<Task>>;
    }

    let dir = tempfile::tempdir().unwrap();
    let mut closed_by_itself = false;
    for round in 0..200 {
        let store = small().background_threads(1).open(dir.path()).unwrap();
        let ks = store.keyspace("ks").unwrap();
        let mut batch = store.batch();
        batch.put(&ks, "key", round.to_string()).unwrap();
        drop(ks);
        let mut task: parking::Task = Box::pin(async move {
            store.write_async(batch).await.unwrap();
        });
        let (done, finished) = mpsc::channel();
        let discard = std::sync::Arc::new(Discard { task: None.into(), done });
        let waker = Waker::from(std::sync::Arc::clone(&discard));
        // Held during the poll, so that the waker finds the task.
        let mut slot = discard.task.lock().unwrap();
        if task.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending {
            *slot = Some(task);
            drop(slot);
            drop((waker, discard));
            finished.recv().expect("closing ends");
            closed_by_itself = true;
        }
    }
    assert!(closed_by_itself);
    let mut reopened = small().open(dir.path());
    while matches!(reopened, Err(Error::Locked { .. })) {
        reopened = small().open(dir.path()); // the thread is on its way out
    }
    assert_eq!(reopened.unwrap().keyspace("ks").unwrap().get("key").unwrap().unwrap(), "199");
}

#[test]
fn a_buffered_write_is_flushed_in_time_whatever_the_store_was_opened_for() {
    let dir = tempfile::tempdir().unwrap();
    let clock = fourfold::clock::ManualClock::default();
    let store = small()
        .background_threads(1)
        .flush_interval(std::time::Duration::from_secs(1))
        .clock(clock.clone())
        .open(dir.path())
        .unwrap();
    let ks = store.keyspace("ks").unwrap();
    let mut batch = store.batch();
    batch.put(&ks, "key", "value").unwrap();
    let commit = store.write_with(batch, Durability::Buffered).unwrap();
    while store.stats().written <= commit.position() {
        clock.advance(std::time::Duration::from_secs(1));
        std::thread::yield_now();
    }
}

#[cfg(feature = "sim")]
mod on_a_simulated_disk {
    use super::*;
    use fourfold::sim::{CrashLimits, Fault, Faults, SimDisk, Survival};

    fn content(store: &Store) -> Vec<(bytes::Bytes, bytes::Bytes)> {
        store.keyspace("ks").unwrap().range::<&[u8]>(..).collect::<Result<_, _>>().unwrap()
    }

    /// Writes that recovery gave up, and that nobody sees any more, must not come back when the store is opened again:
    /// not even if it was only read and closed in between.
    #[test]
    fn what_recovery_gave_up_stays_given_up() {
        let disk = SimDisk::new();
        let store = small().open_simulated(&disk, "store").unwrap();
        let ks = store.keyspace("ks").unwrap();
        for i in 0..25u8 {
            let mut batch = store.batch();
            batch.put(&ks, [i], [i; 900]).unwrap();
            store.write_with(batch, Durability::Written).unwrap();
        }
        let mut cuts = 0;
        for survival in disk.crash_states(CrashLimits { random: 200, torn: 0, ..CrashLimits::default() }) {
            let disk = disk.crash(&survival);
            let store = small().open_simulated(&disk, "store").unwrap();
            cuts += u32::from(store.recovery().cut.is_some());
            let before = content(&store);
            drop(store);
            for life in 0..3 {
                let store = small().open_simulated(&disk, "store").unwrap();
                assert_eq!(content(&store).len(), before.len(), "life {life}");
                assert_eq!(store.verify().unwrap(), []);
                drop(store);
            }
        }
        assert!(cuts > 10);
    }

    /// A blob that cannot be read is told once and does not keep the others from being cleared.
    #[test]
    fn a_rotten_blob_stays_where_it_is() {
        let disk = SimDisk::new();
        let store = small().open_simulated(&disk, "store").unwrap();
        let ks = store.keyspace("ks").unwrap();
        let put_all = |round: u8| {
            for key in 0..8u8 {
                put(&store, &ks, [key], vec![round; 5000]).unwrap();
                put(&store, &ks, [key, key], vec![round; 1500]).unwrap();
            }
        };
        put_all(1);
        disk.flip_bit("store/0000000000000001.blob", 8 * 9_500).unwrap();
        for key in 0..8u8 {
            put(&store, &ks, [key], vec![2; 5000]).unwrap();
        }
        assert!(matches!(store.compact(), Err(Error::Corrupt(_))));
        for _ in 0..3 {
            store.compact().unwrap();
        }
        let whole = (0..8u8).filter(|key| ks.get([*key, *key]).is_ok()).count();
        assert_eq!(whole, 7);
        assert!(store.stats().blob_bytes <= 8 * SEGMENT, "{}", store.stats().blob_bytes);
        assert_eq!(store.verify().unwrap().len(), 1);
    }

    /// Counted as garbage, then lost in a crash with the chunk itself.
    #[test]
    fn garbage_that_a_crash_takes_is_no_harm() {
        let disk = SimDisk::new();
        let store = small().open_simulated(&disk, "store").unwrap();
        let ks = store.keyspace("ks").unwrap();
        put(&store, &ks, "blob", vec![1; 2000]).unwrap();
        put(&store, &ks, "key", "old").unwrap();
        let snapshot = store.snapshot();
        put(&store, &ks, "key", "new").unwrap();
        store.compact().unwrap();
        drop(snapshot);
        store.batch().put(&ks, "never written", vec![2; 9000]).unwrap();
        store.compact().unwrap();
        let disk = disk.crash(&Survival::nothing());
        let store = small().open_simulated(&disk, "store").unwrap();
        store.compact().unwrap();
        assert_eq!(store.keyspace("ks").unwrap().get("blob").unwrap().unwrap(), vec![1; 2000]);
        assert_eq!(store.verify().unwrap(), []);
    }

    /// Every call of writing, folding, compacting and moving blobs finds the disk full once: the store stays whole,
    /// goes on when there is room again, and leaves no file behind that nothing names.
    #[test]
    fn a_full_disk_at_any_call_is_no_harm() {
        for call in 0.. {
            let disk = SimDisk::new();
            let store = small().durability(Durability::Written).open_simulated(&disk, "store").unwrap();
            let ks = store.keyspace("ks").unwrap();
            let first = disk.calls() + call;
            disk.set_faults(Faults::new(call).fail_at(first, Fault::Full));
            let (mut failed, mut poisoned) = (0, false);
            let mut try_again = |result: fourfold::Result<()>| match result {
                Err(Error::StorageFull { .. }) => {
                    failed += 1;
                    true
                }
                // A manifest whose name may be durable or not: nobody knows which one a crash would leave.
                Err(Error::Poisoned { .. } | Error::Io { op: "sync directory", .. }) => {
                    poisoned = true;
                    false
                }
                result => {
                    result.unwrap();
                    false
                }
            };
            for i in 0..60u32 {
                let value = vec![u8::try_from(i).unwrap(); if i % 3 == 0 { 1500 } else { 700 }];
                if try_again(put(&store, &ks, (i % 20).to_string(), &value)) {
                    put(&store, &ks, (i % 20).to_string(), &value).unwrap();
                }
            }
            if try_again(store.compact()) {
                store.compact().unwrap();
            }
            if poisoned || store.sync().is_err() {
                continue;
            }
            let ks = store.keyspace("ks").unwrap();
            for i in 40..60u32 {
                let value = vec![u8::try_from(i).unwrap(); if i % 3 == 0 { 1500 } else { 700 }];
                assert_eq!(ks.get((i % 20).to_string()).unwrap().unwrap(), value, "{}", disk.describe(first));
            }
            assert_eq!(store.verify().unwrap(), [], "{}", disk.describe(first));
            let runs =
                disk.files().iter().filter(|(name, _)| name.extension().is_some_and(|e| e == "run")).count();
            let kept = usize::from(disk.describe(first).contains("remove"));
            assert!(runs <= store.stats().runs + kept, "{runs} runs after {}", disk.describe(first));
            if failed == 0 && disk.calls() < first {
                break;
            }
        }
    }

    /// What is overwritten takes no space for long, so a disk with room for a few segments is enough for ever.
    #[test]
    fn a_small_disk_is_enough_for_what_is_overwritten() {
        let disk = SimDisk::new();
        disk.set_quota(Some(4 * SEGMENT));
        let store = small().durability(Durability::Written).open_simulated(&disk, "store").unwrap();
        let ks = store.keyspace("ks").unwrap();
        for i in 0..2000u32 {
            put(&store, &ks, "key", [u8::try_from(i % 251).unwrap(); 500]).unwrap();
        }
    }
}

/// A process may have a thousand descriptors; a store has more files than that at thirty gigabytes.
#[test]
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "it looks at the process, behind the store's back")]
fn runs_and_ended_blob_segments_take_no_descriptors() {
    let dir = tempfile::tempdir().unwrap();
    let open = || small().open(dir.path()).unwrap();
    let path = dir.path().canonicalize().unwrap();
    let descriptors = || {
        let links =
            std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| fd.unwrap().path().read_link().ok());
        links.filter(|link| link.starts_with(&path)).count()
    };
    let read_all = |store: &Store| {
        let ks = store.keyspace("ks").unwrap();
        for i in 0..200_u32 {
            assert_eq!(ks.get(format!("blob {i}")).unwrap().unwrap().len(), 3000);
            assert_eq!(ks.get(format!("short {i}")).unwrap().unwrap().len(), 500);
        }
    };
    let store = open();
    let ks = store.keyspace("ks").unwrap();
    for i in 0..200 {
        ks.put(format!("blob {i}"), [1; 3000]).unwrap();
        ks.put(format!("short {i}"), [2; 500]).unwrap();
    }
    store.compact().unwrap();
    read_all(&store);
    let files = std::fs::read_dir(&path).unwrap().count();
    assert!(files > 50, "{files}");
    assert!(descriptors() < 10, "{} of {files}", descriptors());
    drop((ks, store));
    let store = open();
    read_all(&store);
    assert_eq!(store.verify().unwrap(), []);
    assert!(descriptors() < 10, "{} of {files}", descriptors());
}
