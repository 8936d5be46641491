//! The contract of the seam (S1 to S4), checked the same way on every implementation.

use super::{File, LOCK_NAME, Storage, disk::Disk, media::Media, memory::Memory, sim::SimDisk};
use crate::error::{Corruption, Error};
use std::io;

#[test]
fn the_real_disk_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    check(&Disk::new(dir.path().join("store")));
    check(&Media::Disk(Disk::new(dir.path().join("media"))));
}

#[test]
fn memory_keeps_the_contract() {
    check(&Memory::new());
    check(&Media::Memory(Memory::new()));
}

#[test]
fn the_simulated_disk_keeps_the_contract() {
    let disk = SimDisk::new();
    check(&disk.dir("store"));
    check(&Media::Sim(disk.dir("media")));
}

#[test]
fn files_are_not_linked_between_kinds_of_storage() {
    let media = [
        Media::Memory(Memory::new()),
        Media::Sim(SimDisk::new().dir("a")),
        Media::Sim(SimDisk::new().dir("a")),
    ];
    for (from, to) in [(0, 1), (1, 0), (1, 2)] {
        let result = media[from].link_into("file", &media[to]);
        assert!(matches!(result, Err(Error::Unsupported { op: "link", .. })), "{result:?}");
    }
}

fn check<S: Storage>(storage: &S) {
    storage.create_dir().unwrap();
    storage.create_dir().unwrap();
    check_content(storage);
    check_short_files(storage);
    check_truncation(storage);
    if storage.is_persistent() {
        check_lock(storage);
        check_names(storage);
        check_links(storage);
    }
}

fn check_content<S: Storage>(storage: &S) {
    let file = storage.create("content").unwrap();
    assert_eq!(file.path(), storage.path().join("content"));
    assert_eq!(file.len().unwrap(), 0);
    file.allocate(10_000).unwrap();
    assert_eq!(file.len().unwrap(), 10_000);
    assert_eq!(file.slice(0, 10_000).unwrap(), [0; 10_000][..]);

    file.write_at(&[1; 5000], 100).unwrap();
    file.write_at(&[], 100).unwrap();
    let handed_out = file.slice(100, 5000).unwrap();
    file.write_at(&[2; 4900], 5100).unwrap();
    file.write_at(&[3; 3000], 10_000).unwrap();
    file.sync().unwrap();
    let mut expected = vec![0; 100];
    expected.extend([1; 5000]);
    expected.extend([2; 4900]);
    expected.extend([3; 3000]);
    let mut read = vec![0; 13_000];
    file.read_at(&mut read, 0).unwrap();
    assert_eq!(read, expected);
    assert_eq!(file.slice(0, 13_000).unwrap(), expected);
    assert_eq!(file.slice(13_000, 0).unwrap(), [][..]);
    assert_eq!(handed_out, [1; 5000][..]);

    storage.remove("content").unwrap();
    assert_eq!(file.slice(10_000, 3000).unwrap(), [3; 3000][..]);
    drop(file);
    assert_eq!(handed_out, [1; 5000][..]);
}

fn check_short_files<S: Storage>(storage: &S) {
    let file = storage.create("short").unwrap();
    for len in [0, 10] {
        file.write_at(&vec![7; len], 0).unwrap();
        for (offset, wanted) in [(0, 11), (5, 6), (10, 1), (1 << 40, 1), (u64::MAX, 1)] {
            let end = offset.saturating_add(wanted as u64);
            let expected =
                Corruption::new(file.path(), len as u64, "file length", format!("at least {end}"), len);
            let error = file.read_at(&mut vec![0; wanted], offset).unwrap_err();
            assert!(
                matches!(&error, Error::Corrupt(found) if **found == expected),
                "{error}, not {expected}"
            );
            let error = file.slice(offset, wanted).unwrap_err();
            assert!(
                matches!(&error, Error::Corrupt(found) if **found == expected),
                "{error}, not {expected}"
            );
        }
        // A length out of damaged bytes must not be allocated first.
        assert!(matches!(file.slice(0, isize::MAX as usize), Err(Error::Corrupt(_))));
    }
    storage.remove("short").unwrap();
}

fn check_truncation<S: Storage>(storage: &S) {
    let file = storage.create("cut").unwrap();
    file.write_at(&[1; 5000], 0).unwrap();
    file.write_at(&[2; 5000], 5000).unwrap();
    let kept = file.slice(0, 4000).unwrap();
    for (len, left) in [(10_001, 10_000), (10_000, 10_000), (7000, 7000), (4000, 4000), (5000, 4000)] {
        file.truncate(len).unwrap();
        assert_eq!(file.len().unwrap(), left);
        assert_eq!(kept, [1; 4000][..]);
        assert_eq!(file.slice(0, 4000).unwrap(), kept);
        let behind = usize::try_from(left).unwrap() + 1;
        assert!(matches!(file.slice(0, behind), Err(Error::Corrupt(_))));
        assert!(matches!(file.read_at(&mut vec![0; behind], 0), Err(Error::Corrupt(_))));
    }
    file.sync().unwrap();
    // What is written behind the cut finds zeros before it, not what was cut off.
    file.write_at(&[3; 10], 6000).unwrap();
    let mut expected = vec![1; 4000];
    expected.resize(6000, 0);
    expected.extend([3; 10]);
    assert_eq!(file.slice(0, 6010).unwrap(), expected);
    storage.remove("cut").unwrap();
}

fn check_lock<S: Storage>(storage: &S) {
    let lock = storage.lock().unwrap();
    let error = storage.lock().unwrap_err();
    assert!(matches!(&error, Error::Locked { path } if *path == storage.path()), "{error}");
    drop(lock);
    drop(storage.lock().unwrap());
    assert!(storage.list().unwrap().iter().all(|entry| entry.name != LOCK_NAME));
}

fn check_names<S: Storage>(storage: &S) {
    let first = storage.create("first").unwrap();
    first.write_at(b"one", 0).unwrap();
    assert_refused(&storage.create("first"), io::ErrorKind::AlreadyExists);
    storage.create("second").unwrap().write_at(b"two!", 0).unwrap();
    assert_eq!(listed(storage), [("first".into(), 3), ("second".into(), 4)]);

    let replaced = storage.open("second").unwrap();
    storage.rename("first", "second").unwrap();
    assert_eq!(listed(storage), [("second".into(), 3)]);
    assert_eq!(storage.open("second").unwrap().slice(0, 3).unwrap(), b"one"[..]);
    first.write_at(b"more", 0).unwrap();
    assert_eq!(storage.open("second").unwrap().slice(0, 4).unwrap(), b"more"[..]);
    assert_eq!(replaced.slice(0, 4).unwrap(), b"two!"[..]);

    storage.sync_dir().unwrap();
    storage.remove("second").unwrap();
    assert_eq!(listed(storage), []);
    assert_refused(&storage.open("second"), io::ErrorKind::NotFound);
    assert_refused(&storage.remove("second"), io::ErrorKind::NotFound);
    assert_refused(&storage.rename("second", "third"), io::ErrorKind::NotFound);
}

fn check_links<S: Storage>(storage: &S) {
    let target = storage.sibling(storage.path().with_extension("fork"));
    target.create_dir().unwrap();
    storage.create("shared").unwrap().write_at(b"shared", 0).unwrap();
    storage.link_into("shared", &target).unwrap();
    target.sync_dir().unwrap();
    assert_refused(&storage.link_into("shared", &target), io::ErrorKind::AlreadyExists);
    assert_refused(&storage.link_into("missing", &target), io::ErrorKind::NotFound);
    storage.remove("shared").unwrap();
    assert_eq!(target.open("shared").unwrap().slice(0, 6).unwrap(), b"shared"[..]);
}

fn listed<S: Storage>(storage: &S) -> Vec<(String, u64)> {
    let names = storage.list().unwrap().into_iter().map(|entry| entry.name);
    let mut entries: Vec<_> = names.map(|name| (name.clone(), storage.len(&name).unwrap())).collect();
    entries.sort();
    entries
}

fn assert_refused<T: std::fmt::Debug>(result: &crate::Result<T>, kind: io::ErrorKind) {
    assert!(
        matches!(result, Err(Error::Io { source, .. }) if source.kind() == kind),
        "{result:?} is not {kind}"
    );
}
