//! What needs a look inside: moments that other threads would have to hit.

use super::batch::{OpKind, full_key};
use super::keyspaces::FIRST_KEYSPACE;
use super::*;
use crate::clock::Timestamp;
use crate::random::Random;
use crate::storage::memory::Memory;

fn open() -> Arc<Tree<Memory>> {
    let options = TreeOptions {
        shift: 14,
        is_shift_given: true,
        waiting_max: 2,
        pile_up: false,
        flush_bytes: 0,
        beginning: None,
    };
    Tree::open(&Memory::new(), &options, &Random::from_seed(1), Timestamp::from_millis(0)).unwrap().0
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
