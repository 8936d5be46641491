//! What needs a look inside: moments that other threads would have to hit.

use super::batch::{OpKind, full_key};
use super::keyspaces::FIRST_KEYSPACE;
use super::*;
use crate::clock::Timestamp;
use crate::random::Random;
use crate::storage::memory::Memory;

fn options() -> TreeOptions {
    TreeOptions {
        shift: 14,
        is_shift_given: true,
        waiting_max: 2,
        pile_up: false,
        flush_bytes: 0,
        beginning: None,
    }
}

fn open() -> Arc<Tree<Memory>> {
    Tree::open(&Memory::new(), &options(), &Random::from_seed(1), Timestamp::from_millis(0)).unwrap().0
}

fn write(tree: &Tree<Memory>, ops: &[(OpKind, &[u8])]) -> Position {
    let mut batch = Ops::default();
    for (kind, key) in ops {
        batch.push(*kind, FIRST_KEYSPACE, key, &[]).unwrap();
    }
    tree.write(&batch).unwrap().at
}

const PUT: OpKind = OpKind::Entry(Kind::Put);

/// A reader that was held up between taking its view and its position, while a segment was opened and written to.
#[test]
fn a_reader_sees_no_later_than_its_view_goes() {
    let tree = open();
    let empty = tree.view();
    write(&tree, &[(OpKind::Create, b""), (PUT, b"a")]);
    tree.log().rotate().unwrap();
    let view = tree.view();
    let later = write(&tree, &[(OpKind::Floor, b"m"), (PUT, b"z")]);
    let at = view.bound(tree.newest());
    assert!(at < later && later <= tree.newest());
    let keyspace = tree.keyspace(FIRST_KEYSPACE).unwrap();
    let keys = |view, at| {
        let mut range = TreeRange::new(view, &keyspace, Span::prefix(FIRST_KEYSPACE, b""), at);
        std::iter::from_fn(|| range.next().unwrap().map(|entry| entry.key.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(keys(view, at), [full_key(FIRST_KEYSPACE, b"a")]);
    let (view, at) = tree.present();
    assert_eq!((at, keys(view, at)), (tree.newest(), vec![full_key(FIRST_KEYSPACE, b"z")]));
    let at = empty.bound(tree.newest());
    assert_eq!(keys(empty, at), [] as [Vec<u8>; 0]);
}

/// Between the manifest that forgets it and the removal of its file, another thread may write a manifest.
#[test]
fn a_blob_segment_that_is_being_removed_is_not_listed_again() {
    let tree = open();
    write(&tree, &[(OpKind::Create, b"")]);
    for _ in 0..3 {
        tree.write_blob(&[7; 10_000]).unwrap();
    }
    tree.install(|_| {}, |_| {}).unwrap();
    let listed = |tree: &Tree<Memory>| -> Vec<u64> {
        tree.structure.lock().blobs.iter().map(|segment| segment.index).collect()
    };
    assert_eq!(listed(&tree), [1, 2, 3]);
    tree.install(|manifest| manifest.blobs.retain(|segment| segment.index != 1), |_| {}).unwrap();
    tree.install(|_| {}, |_| {}).unwrap(); // by another thread, before the file is removed
    assert_eq!(listed(&tree), [2, 3]);
    tree.write_blob(&[7; 10_000]).unwrap();
    tree.install(|_| {}, |_| {}).unwrap();
    assert_eq!(listed(&tree), [2, 3, 4]);
}

/// A run of deletes lies under a newer run of the same keys: nobody needs the deletes, and no rewriting of that run may
/// wait for the newer one to go.
#[test]
fn deletes_under_newer_keys_do_not_keep_compaction_busy() {
    let tree = open();
    let keys: Vec<String> = (0..100).map(|i| format!("{i:04}")).collect();
    let all = |kind| {
        for chunk in keys.chunks(20) {
            write(&tree, &chunk.iter().map(|key| (kind, key.as_bytes())).collect::<Vec<_>>());
        }
    };
    write(&tree, &[(OpKind::Create, b"")]);
    all(PUT);
    let snapshot = tree.snapshots.open(|| tree.newest());
    all(OpKind::Entry(Kind::Delete));
    tree.fold().unwrap();
    all(PUT);
    tree.fold().unwrap();
    tree.snapshots.close(snapshot);
    let steps = (0..100).take_while(|_| tree.compact_step().unwrap()).count();
    assert!(steps < 100, "it goes on and on");
    tree.compact_fully().unwrap();
    let structure = tree.structure.lock();
    let runs: Vec<_> = structure.levels.iter().flatten().map(|run| (run.entries, run.deletes)).collect();
    assert_eq!(runs.iter().map(|(_, deletes)| deletes).sum::<u64>(), 0, "{runs:?}");
}

/// Who opens a copy cuts its blob segments off, and they are the same files.
#[test]
#[cfg_attr(miri, ignore = "waits for a directory to be copied")]
fn a_checkpoint_waits_for_chunks_that_are_being_written() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let disk = crate::storage::disk::Disk::new(dir.path());
    let options = options();
    let tree = Tree::open(&disk, &options, &Random::from_seed(1), Timestamp::from_millis(0)).unwrap().0;
    for _ in 0..3 {
        tree.write_blob(&[7; 10_000]).unwrap();
    }
    let is_written = std::sync::atomic::AtomicBool::new(false);
    let writing = tree.pinning.read();
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| {
            tree.checkpoint(copy.path()).unwrap();
            is_written.load(Ordering::SeqCst)
        });
        // Many times as long as a checkpoint takes that does not wait.
        while !copying.is_finished() && copy.path().read_dir().unwrap().count() == 0 {
            std::thread::yield_now();
        }
        (0..10_000).for_each(|_| std::thread::yield_now());
        is_written.store(true, Ordering::SeqCst);
        drop(writing);
        assert!(copying.join().unwrap());
    });
    tree.close().unwrap();
}

#[test]
fn controls_of_keyspaces_that_no_batch_touches_are_corruption() {
    for (kind, id) in [(OpKind::Drop, 1), (OpKind::Create, 3), (OpKind::Create, u32::MAX)] {
        let disk = crate::sim::SimDisk::new();
        let storage = disk.dir("d");
        storage.create_dir().unwrap();
        let open = || Tree::open(&storage, &options(), &Random::from_seed(1), Timestamp::from_millis(0));
        let tree = open().unwrap().0;
        let mut batch = Ops::default();
        batch.push(kind, id, &[], &[]).unwrap();
        let at = tree.write(&batch).unwrap().at;
        tree.wait(at, Durability::Synced).unwrap();
        drop(tree);
        let error = open().unwrap_err();
        assert!(matches!(&error, Error::Corrupt(_)), "{error}");
        assert!(error.to_string().contains("the id of a keyspace"), "{error}");
    }
}

/// The map of such a file would end the process.
#[test]
fn a_blob_that_the_device_cannot_read_is_an_error_and_given_up_on_demand() {
    let disk = crate::sim::SimDisk::new();
    let storage = disk.dir("d");
    storage.create_dir().unwrap();
    let tree = Tree::open(&storage, &options(), &Random::from_seed(1), Timestamp::from_millis(0)).unwrap().0;
    let mut ops = Ops::default();
    ops.push(OpKind::Create, FIRST_KEYSPACE, &[], &[]).unwrap();
    let mut pending = super::blobs::Pending::new();
    for key in [b"a", b"b"] {
        pending.put(&tree, &mut ops, FIRST_KEYSPACE, key, &[7; 5000]).unwrap();
    }
    let at = tree.write(&ops).unwrap().at;
    pending.named();
    tree.wait(at, Durability::Synced).unwrap();
    disk.break_sector("d/0000000000000001.blob", 10).unwrap();
    let error = tree.verify(&mut |problem| panic!("{problem}")).unwrap_err();
    assert!(error.is_unreadable(), "{error}");
    let given_up = tree.forget_broken_blobs().unwrap();
    assert_eq!(given_up.len(), 1, "{given_up:?}");
    tree.verify(&mut |problem| panic!("{problem}")).unwrap();
}
