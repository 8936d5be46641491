//! Stores that earlier builds wrote, in `tests/golden/`: this build must open each and find what was put in.
//!
//! A directory is made once for each version of the format and never changed. `v1` was made when closing a store
//! sealed its log and left it to the next opener, so it has frames of a crashed and of a closed incarnation. What the
//! present build leaves when it is killed is put into `tests/golden/new`, to become the directory of the next
//! version, by
//!
//! ```sh
//! cargo test --test suite golden::make -- --ignored
//! ```
#![expect(clippy::disallowed_methods, reason = "copies directories of stores that are not open")]

use fourfold::clock::{ManualClock, Timestamp};
use fourfold::{Builder, Store};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// By name of keyspace, then key.
pub(crate) type Content = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

const SEGMENT: u64 = 16 << 10;
const BLOB_THRESHOLD: usize = 600;

enum Step {
    Put(&'static str, String, usize),
    Delete(&'static str, String),
    Floor(&'static str, String),
    /// What was said since the last of these is one batch.
    Write,
    Create(&'static str),
    Drop(&'static str),
    /// Everything so far into one level.
    Compact,
    /// The process is killed in the middle of a write, and the store is opened again.
    Crash,
}

/// Fills every kind of file: two levels of runs, segments of two incarnations, blobs that are live and blobs that are not.
fn script() -> Vec<Step> {
    use Step::{Compact, Crash, Create, Delete, Drop, Floor, Put, Write};
    let mut steps: Vec<Step> = ["letters", "numbers", "passing", "queue"].map(Create).into();
    let numbers = |steps: &mut Vec<Step>, from: usize, to: usize, len: usize| {
        for number in from..to {
            steps.push(Put("numbers", format!("{number:05}"), len + number % 7));
            steps.push(Put("queue", format!("{:08}", number * 10), number % 40));
            steps.push(Write);
        }
    };
    numbers(&mut steps, 0, 150, 20);
    for letter in 'a'..='z' {
        // One value in five is a blob; one key is empty, one is long.
        let len = if u32::from(letter) % 5 == 0 { 1500 + letter as usize } else { letter as usize % 50 };
        steps.push(Put("letters", letter.to_string().repeat((letter as usize - 97) * 9), len));
        steps.push(Put("passing", letter.to_string(), 30));
    }
    steps.extend([Write, Drop("passing"), Compact]);
    numbers(&mut steps, 100, 330, 40);
    for number in 120..140 {
        steps.push(Delete("numbers", format!("{number:05}")));
    }
    steps.extend([Write, Floor("queue", "00001000".into()), Write]);
    steps.extend([Put("letters", "d".repeat(27), 700), Put("letters", "new".into(), 9000), Write]);
    numbers(&mut steps, 310, 340, 10);
    steps.extend([
        Crash,
        Create("after"),
        Put("after", String::new(), 1),
        Floor("queue", "00001500".into()),
        Write,
    ]);
    numbers(&mut steps, 335, 345, 5);
    steps.extend([Put("after", "blob".into(), 2000), Write]);
    steps
}

fn value(key: &str, len: usize) -> Vec<u8> {
    let seed = key.bytes().fold(len, |sum, byte| sum * 31 % 251 + usize::from(byte));
    (0..len).map(|i| u8::try_from((seed + i * 7) % 251).unwrap()).collect()
}

/// What the script leaves.
pub(crate) fn expected() -> Content {
    let mut content = Content::new();
    let mut floors = BTreeMap::<&str, Vec<u8>>::new();
    for step in script() {
        match step {
            Step::Put(keyspace, key, len) => {
                let value = value(&key, len);
                content.get_mut(keyspace).unwrap().insert(key.into(), value);
            }
            Step::Delete(keyspace, key) => drop(content.get_mut(keyspace).unwrap().remove(key.as_bytes())),
            Step::Floor(keyspace, key) => drop(floors.insert(keyspace, key.into())),
            Step::Create(keyspace) => drop(content.insert(keyspace.into(), BTreeMap::new())),
            Step::Drop(keyspace) => drop(content.remove(keyspace)),
            Step::Write | Step::Compact | Step::Crash => {}
        }
    }
    for (keyspace, floor) in floors {
        content.get_mut(keyspace).unwrap().retain(|key, _| *key >= floor);
    }
    content
}

pub(crate) fn content(store: &Store) -> Content {
    let names = store.keyspaces().unwrap();
    let entries = |name: &str| {
        let range = store.keyspace(name).unwrap().range::<&[u8]>(..);
        range.map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()).collect()
    };
    names.into_iter().map(|name| (name.clone(), entries(&name))).collect()
}

pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn builder() -> Builder {
    Store::builder()
        .segment_size(SEGMENT)
        .blob_threshold(BLOB_THRESHOLD)
        .background_threads(0)
        .clock(ManualClock::new(Timestamp::from_millis(1_000_000)))
        .seed(1)
}

#[test]
fn a_store_of_version_1_opens_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    copy(&directory(), dir.path());
    let store = builder().open(dir.path()).unwrap();
    assert!(content(&store) == expected(), "not what was put in");
    assert_eq!(store.verify().unwrap(), []);
    assert!(store.recovery().clean);
    let stats = store.stats();
    assert!(stats.levels.iter().filter(|runs| **runs > 0).count() >= 2, "{stats:?}");
    assert!(stats.memtables >= 2 && stats.blob_bytes > 0, "{stats:?}");

    // It can be written to, and what comes of that is read by the next opener.
    let after = store.keyspace("after").unwrap();
    for number in 0..200u8 {
        let mut batch = store.batch();
        batch.put(&after, [b'x', number], value("x", 300)).unwrap();
        store.write(batch).unwrap();
    }
    store.compact().unwrap();
    let content_before = content(&store);
    assert_eq!(content_before["after"].len(), expected()["after"].len() + 200);
    assert_eq!(store.verify().unwrap(), []);
    drop((after, store));
    let store = builder().open(dir.path()).unwrap();
    assert!(content(&store) == content_before);
    assert_eq!(store.verify().unwrap(), []);
}

#[test]
#[ignore = "for a new version of the format: cargo test --all-features --test suite golden::make -- --ignored"]
/// Makes a directory for the tests of later builds to read.
fn make() {
    let dir = directory().with_file_name("new");
    assert!(!dir.exists(), "made before; remove it by hand");
    let work = tempfile::tempdir().unwrap();
    let mut incarnation = 1;
    let mut store = builder().open(work.path().join("1")).unwrap();
    let mut batch = store.batch();
    for step in script() {
        let keyspace = |name: &str| store.keyspace(name).unwrap();
        match step {
            Step::Put(name, key, len) => batch.put(&keyspace(name), &key, value(&key, len)).unwrap(),
            Step::Delete(name, key) => batch.delete(&keyspace(name), key).unwrap(),
            Step::Floor(name, key) => batch.floor(&keyspace(name), key).unwrap(),
            Step::Write => drop(store.write(std::mem::replace(&mut batch, store.batch())).unwrap()),
            Step::Create(name) => drop(store.keyspace(name).unwrap()),
            Step::Drop(name) => store.drop_keyspace(name).unwrap(),
            Step::Compact => store.compact().unwrap(),
            Step::Crash => {
                // A copy of what is on the disk is what a kill leaves: every write so far was synced.
                let image = work.path().join((incarnation + 1).to_string());
                copy(&work.path().join(incarnation.to_string()), &image);
                tear(&image);
                incarnation += 1;
                store = builder().open(&image).unwrap();
                assert!(store.recovery().cut.is_some(), "{:?}", store.recovery());
                batch = store.batch();
            }
        }
    }
    copy(&work.path().join(incarnation.to_string()), &dir);
}

/// Leaves the beginning of one more frame behind the last one of the log.
fn tear(dir: &Path) {
    let logs = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let last =
        logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    let mut at = 4096;
    loop {
        let word = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) & 0x3fff_ffff;
        if word == 0 {
            break;
        }
        at += usize::try_from(word).unwrap().next_multiple_of(8);
    }
    bytes.copy_within(4096..4120, at);
    fs::write(last, bytes).unwrap();
}
