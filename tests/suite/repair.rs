//! Damage that opening refuses, and what a repair saves of the rest.
#![expect(clippy::disallowed_methods, reason = "the tests damage files behind the store's back")]

use fourfold::{Durability, Error, Store, repair};
use std::fs;
use std::path::{Path, PathBuf};

fn open(dir: &Path) -> fourfold::Result<Store> {
    Store::builder().segment_size(16 << 10).blob_threshold(1000).background_threads(0).open(dir)
}

/// Keys 0..`count` of keyspace "ks", 100 bytes each, and one blob; folded into runs or not.
fn fill(dir: &Path, count: u32, compact: bool) {
    drop(filled(dir, count, compact));
}

fn filled(dir: &Path, count: u32, compact: bool) -> Store {
    let store = open(dir).unwrap();
    let ks = store.keyspace("ks").unwrap();
    for i in 0..count {
        let mut batch = store.batch();
        batch.put(&ks, i.to_string(), [u8::try_from(i % 251).unwrap(); 100]).unwrap();
        store.write_with(batch, Durability::Written).unwrap();
    }
    let mut batch = store.batch();
    batch.put(&ks, "blob", vec![7; 5000]).unwrap();
    store.write(batch).unwrap();
    if compact {
        store.compact().unwrap();
    }
    store
}

/// What a crash of the process leaves: the files as they are while the store is open.
fn crash(store: &Path, copy: &Path) {
    for entry in fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
}

fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == ending));
    files.sort();
    files
}

fn damage(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// How many of the keys 0..`count` are there, all with the right value.
fn present(store: &Store, count: u32) -> u32 {
    let ks = store.keyspace("ks").unwrap();
    let mut present = 0;
    for i in 0..count {
        if let Some(value) = ks.get(i.to_string()).unwrap() {
            assert_eq!(value[..], [u8::try_from(i % 251).unwrap(); 100]);
            present += 1;
        }
    }
    present
}

#[test]
fn a_sound_store_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 300, true);
    let report = repair(dir.path()).unwrap();
    assert!(report.problems.is_empty() && report.kept.is_empty() && report.log_end.is_none(), "{report:?}");
    assert_eq!(present(&open(dir.path()).unwrap(), 300), 300);
}

#[test]
fn an_open_store_is_not_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let _store = open(dir.path()).unwrap();
    assert!(matches!(repair(dir.path()), Err(Error::Locked { .. })));
}

#[test]
fn a_damaged_block_is_left_out_and_the_file_kept() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 600, true);
    let run =
        files(dir.path(), "run").into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    damage(&run, 5000);
    let report = repair(dir.path()).unwrap();
    assert!(!report.problems.is_empty());
    assert_eq!(report.kept, [run.with_extension("run.bad")]);
    let store = open(dir.path()).unwrap();
    let present = present(&store, 600);
    assert!((500..600).contains(&present), "{present}");
    assert_eq!(store.verify().unwrap(), []);
}

#[test]
fn a_missing_run_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 600, true);
    let run =
        files(dir.path(), "run").into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    fs::remove_file(run).unwrap();
    assert!(open(dir.path()).is_err());
    let report = repair(dir.path()).unwrap();
    assert_eq!(report.problems.len(), 1);
    let store = open(dir.path()).unwrap();
    assert!(present(&store, 600) < 600);
}

/// The power failed in a fold: its run is there, the manifest that names it is not. And then the log lost what is in it.
#[test]
fn a_run_that_is_newer_than_what_is_left_of_the_log_is_put_aside() {
    let (whole, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = filled(whole.path(), 60, false);
    store.keyspace("witness").unwrap();
    crash(whole.path(), dir.path());
    store.fold().unwrap();
    let folded = files(whole.path(), "run").pop().unwrap();
    let stray = dir.path().join(folded.file_name().unwrap());
    fs::copy(&folded, &stray).unwrap();
    drop(store);
    damage(&files(dir.path(), "log")[0], 9000);
    assert!(matches!(open(dir.path()), Err(Error::Corrupt(_))));
    let report = repair(dir.path()).unwrap();
    assert!(report.log_end.is_some() && report.kept.contains(&stray.with_extension("run.bad")), "{report:?}");
    let store = open(dir.path()).unwrap();
    assert!((20..60).contains(&present(&store, 60)));
    assert_eq!(store.verify().unwrap(), []);
}

#[test]
fn the_log_is_cut_at_the_damage_and_the_rest_kept() {
    let (whole, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = filled(whole.path(), 60, false);
    // Names everything before it as durable: without it, damage to the last sync looks like a sync that never was.
    store.keyspace("witness").unwrap();
    crash(whole.path(), dir.path());
    drop(store);
    let log = files(dir.path(), "log").remove(0);
    damage(&log, 9000);
    let Err(Error::Corrupt(problem)) = open(dir.path()) else { panic!("opened") };
    assert_eq!(problem.file, log);
    let report = repair(dir.path()).unwrap();
    assert!(report.log_end.is_some());
    assert!(!report.kept.is_empty() && report.kept.iter().all(|path| path.exists()), "{report:?}");
    let store = open(dir.path()).unwrap();
    let found = present(&store, 60);
    assert!((20..60).contains(&found), "{found}");
    // A prefix, not a selection.
    assert!(store.keyspace("ks").unwrap().get((found - 1).to_string()).unwrap().is_some());
    assert_eq!(store.verify().unwrap(), []);
    let again = repair(dir.path());
    assert!(matches!(again, Err(Error::Locked { .. })));
    drop(store);
    assert_eq!(repair(dir.path()).unwrap().log_end, None);
}

#[test]
fn a_damaged_blob_takes_its_key_with_it() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 10, true);
    damage(&files(dir.path(), "blob")[0], 6000);
    let store = open(dir.path()).unwrap();
    assert!(matches!(store.keyspace("ks").unwrap().get("blob"), Err(Error::Corrupt(_))));
    assert_eq!(store.verify().unwrap().len(), 1);
    drop(store);
    assert_eq!(repair(dir.path()).unwrap().problems.len(), 1);
    let store = open(dir.path()).unwrap();
    assert_eq!(store.keyspace("ks").unwrap().get("blob").unwrap(), None);
    assert_eq!(present(&store, 10), 10);
    assert_eq!(store.verify().unwrap(), []);
}

/// Found by fuzzing: what was known to be dead in a blob segment was more than what the file still held, and the
/// manifest that said so could not be read.
#[test]
fn a_blob_file_that_lost_its_end_does_not_stop_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), 10, true);
    let store = open(dir.path()).unwrap();
    let ks = store.keyspace("ks").unwrap();
    let mut batch = store.batch();
    batch.put(&ks, "another", vec![8; 2000]).unwrap();
    batch.delete(&ks, "blob").unwrap();
    store.write(batch).unwrap();
    drop((ks, store));
    let file = fs::File::options().write(true).open(&files(dir.path(), "blob")[0]).unwrap();
    file.set_len(4096 + 300).unwrap();
    let store = open(dir.path()).unwrap();
    let ks = store.keyspace("ks").unwrap();
    let mut batch = store.batch();
    batch.put(&ks, "new", "value").unwrap();
    store.write(batch).unwrap();
    store.compact().unwrap();
    drop((ks, store));
    let store = open(dir.path()).unwrap();
    assert_eq!(store.keyspace("ks").unwrap().get("new").unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(present(&store, 10), 10);
}

#[test]
fn what_is_no_store_is_not_repaired() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(repair(dir.path()), Err(Error::NotAStore { .. })));
    fill(dir.path(), 10, false);
    damage(&dir.path().join("MANIFEST"), 50);
    assert!(matches!(repair(dir.path()), Err(Error::Corrupt(_))));
}
