//! Random histories against a model small enough to be obviously right: a map of (keyspace, key) to value.

use fourfold::{Durability, Keyspace, Snapshot, Store};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

const KEYSPACES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    entries: BTreeMap<(usize, Vec<u8>), Shown>,
    floors: [Vec<u8>; 3],
}

impl Model {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(ks, key, value) => {
                if *key >= self.floors[*ks] {
                    self.entries.insert((*ks, key.clone()), Shown::new(&value.bytes()));
                }
            }
            Change::Delete(ks, key) => {
                self.entries.remove(&(*ks, key.clone()));
            }
            Change::Floor(ks, floor) => {
                let floor = floor.clone().max(self.floors[*ks].clone());
                self.entries.retain(|(other, key), _| other != ks || *key >= floor);
                self.floors[*ks] = floor;
            }
        }
    }

    fn drop_keyspace(&mut self, ks: usize) {
        self.entries.retain(|(other, _), _| *other != ks);
        self.floors[ks] = Vec::new();
    }

    fn range(&self, ks: usize, from: &[u8], to: &[u8]) -> Vec<(Vec<u8>, Shown)> {
        let inside = |key: &Vec<u8>| key.as_slice() >= from && key.as_slice() < to;
        let entries = self.entries.iter().filter(|((other, key), _)| *other == ks && inside(key));
        entries.map(|((_, key), value)| (key.clone(), *value)).collect()
    }
}

/// A value as failures print it: its first byte, its length, its checksum.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shown(u8, usize, u32);

impl Shown {
    fn new(value: &[u8]) -> Self {
        Self(value.first().copied().unwrap_or_default(), value.len(), crc32fast::hash(value))
    }
}

/// A value told by its length and its first byte, so that a failing case prints short.
#[derive(Clone, Debug)]
struct Value(u8, usize);

impl Value {
    fn bytes(&self) -> Vec<u8> {
        (0..self.1).map(|i| self.0.wrapping_add(u8::try_from(i % 251).unwrap())).collect()
    }
}

#[derive(Clone, Debug)]
enum Change {
    Put(usize, Vec<u8>, Value),
    Delete(usize, Vec<u8>),
    Floor(usize, Vec<u8>),
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Change>),
    Get(usize, Vec<u8>),
    Range(usize, Vec<u8>, Vec<u8>, Vec<bool>),
    OpenSnapshot,
    CheckSnapshot(usize),
    CloseSnapshot(usize),
    DropKeyspace(usize),
    Maintain,
    Compact,
    Sync,
    Reopen,
    Fork,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => vec(0u8..4, 0..4),
        2 => vec(0u8..3, 15..19),
        1 => vec(any::<u8>(), 0..40),
        1 => (0u8..3).prop_map(|b| vec![b; 300]),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    (any::<u8>(), prop_oneof![6 => 0usize..60, 3 => 60usize..900, 1 => 900usize..9000])
        .prop_map(|(b, len)| Value(b, len))
}

fn change() -> impl Strategy<Value = Change> {
    let ks = 0..KEYSPACES.len();
    prop_oneof![
        10 => (ks.clone(), key(), value()).prop_map(|(ks, key, value)| Change::Put(ks, key, value)),
        5 => (ks.clone(), key()).prop_map(|(ks, key)| Change::Delete(ks, key)),
        1 => (ks, vec(0u8..2, 0..3)).prop_map(|(ks, key)| Change::Floor(ks, key)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let ks = 0..KEYSPACES.len();
    prop_oneof![
        20 => vec(change(), 1..8).prop_map(Step::Write),
        6 => (ks.clone(), key()).prop_map(|(ks, key)| Step::Get(ks, key)),
        6 => (ks.clone(), key(), key(), vec(any::<bool>(), 1..20))
            .prop_map(|(ks, from, to, turns)| Step::Range(ks, from, to, turns)),
        2 => Just(Step::OpenSnapshot),
        3 => (0usize..4).prop_map(Step::CheckSnapshot),
        1 => (0usize..4).prop_map(Step::CloseSnapshot),
        1 => ks.prop_map(Step::DropKeyspace),
        3 => Just(Step::Maintain),
        1 => Just(Step::Compact),
        1 => Just(Step::Sync),
        2 => Just(Step::Reopen),
        1 => Just(Step::Fork),
    ]
}

/// The store under test, with everything that must agree with it.
struct World<'a> {
    store: Store,
    dir: Option<&'a Path>,
    keyspaces: Vec<Keyspace>,
    model: Model,
    snapshots: Vec<(Snapshot, Vec<Keyspace>, Model)>,
}

fn open(dir: Option<&Path>) -> Store {
    let builder = Store::builder()
        .segment_size(16 << 10)
        .blob_threshold(2000)
        .durability(Durability::Buffered)
        .background_threads(0)
        .seed(1);
    match dir {
        Some(dir) => builder.open(dir).unwrap(),
        None => builder.open_in_memory(),
    }
}

fn keyspaces(store: &Store) -> Vec<Keyspace> {
    KEYSPACES.iter().map(|name| store.keyspace(name).unwrap()).collect()
}

impl<'a> World<'a> {
    fn new(dir: Option<&'a Path>) -> Self {
        let store = open(dir);
        let keyspaces = keyspaces(&store);
        Self { store, dir, keyspaces, model: Model::default(), snapshots: Vec::new() }
    }

    fn step(mut self, step: &Step) -> Self {
        match step {
            Step::Write(changes) => {
                let mut batch = self.store.batch();
                for change in changes {
                    self.model.apply(change);
                    match change {
                        Change::Put(ks, key, value) => batch.put(&self.keyspaces[*ks], key, value.bytes()),
                        Change::Delete(ks, key) => batch.delete(&self.keyspaces[*ks], key),
                        Change::Floor(ks, floor) => batch.floor(&self.keyspaces[*ks], floor),
                    }
                    .unwrap();
                }
                // A batch that floors a keyspace and then writes below the floor says both; the model agrees only if
                // it is told in the same order, which it was.
                self.store.write(batch).unwrap();
            }
            Step::Get(ks, key) => {
                let found = self.keyspaces[*ks].get(key).unwrap();
                assert_eq!(
                    found.map(|value| Shown::new(&value)),
                    self.model.entries.get(&(*ks, key.clone())).copied()
                );
            }
            Step::Range(ks, from, to, turns) => {
                let range = self.keyspaces[*ks]
                    .range::<&[u8]>((Bound::Included(&from[..]), Bound::Excluded(&to[..])));
                check_both_ends(range, self.model.range(*ks, from, to), turns);
            }
            Step::OpenSnapshot => {
                if self.snapshots.len() < 4 {
                    self.snapshots.push((self.store.snapshot(), self.keyspaces.clone(), self.model.clone()));
                }
            }
            Step::CheckSnapshot(index) => {
                if let Some((snapshot, keyspaces, model)) = self.snapshots.get(*index) {
                    for (ks, keyspace) in keyspaces.iter().enumerate() {
                        let found = collect(snapshot.range::<&[u8]>(keyspace, ..));
                        assert_eq!(found, model.range(ks, &[], &[0xff; 64]), "snapshot of {}", KEYSPACES[ks]);
                        for ((_, key), value) in model.entries.iter().filter(|((other, _), _)| *other == ks) {
                            let found = snapshot.get(keyspace, key).unwrap();
                            assert_eq!(found.map(|value| Shown::new(&value)), Some(*value));
                        }
                    }
                }
            }
            Step::CloseSnapshot(index) => {
                if *index < self.snapshots.len() {
                    self.snapshots.remove(*index);
                }
            }
            Step::DropKeyspace(ks) => {
                self.store.drop_keyspace(KEYSPACES[*ks]).unwrap();
                assert_eq!(collect(self.keyspaces[*ks].range::<&[u8]>(..)), []);
                self.keyspaces[*ks] = self.store.keyspace(KEYSPACES[*ks]).unwrap();
                self.model.drop_keyspace(*ks);
            }
            Step::Maintain => self.store.maintain().unwrap(),
            Step::Compact => self.store.compact().unwrap(),
            Step::Sync => self.store.sync().unwrap(),
            Step::Reopen => {
                let Some(dir) = self.dir else { return self };
                let (dir, model) = (Some(dir), self.model.clone());
                drop(self);
                let store = open(dir);
                let keyspaces = keyspaces(&store);
                return Self { store, dir, keyspaces, model, snapshots: Vec::new() };
            }
            Step::Fork => {
                if self.dir.is_none() {
                    let store = self.store.fork().unwrap();
                    // The original goes on for a while and must not be heard of in the fork.
                    let mut batch = self.store.batch();
                    batch.put(&self.keyspaces[0], "only in the original", "").unwrap();
                    self.store.write(batch).unwrap();
                    self.keyspaces = keyspaces(&store);
                    self.snapshots.clear();
                    self.store = store;
                }
            }
        }
        self
    }

    fn check_all(&self) {
        for (ks, keyspace) in self.keyspaces.iter().enumerate() {
            assert_eq!(collect(keyspace.range::<&[u8]>(..)), self.model.range(ks, &[], &[0xff; 64]));
        }
        assert_eq!(self.store.verify().unwrap(), []);
    }
}

fn collect(range: fourfold::Range) -> Vec<(Vec<u8>, Shown)> {
    range.map(|entry| entry.map(|(key, value)| (key.to_vec(), Shown::new(&value))).unwrap()).collect()
}

/// Walks from both ends as `turns` says, over and over, until they meet.
fn check_both_ends(mut range: fourfold::Range, expected: Vec<(Vec<u8>, Shown)>, turns: &[bool]) {
    let mut expected = expected.into_iter();
    for turn in turns.iter().cycle() {
        let (found, expected) =
            if *turn { (range.next(), expected.next()) } else { (range.next_back(), expected.next_back()) };
        let found = found.map(|entry| entry.map(|(key, value)| (key.to_vec(), Shown::new(&value))).unwrap());
        assert_eq!(found, expected);
        if found.is_none() {
            break;
        }
    }
    assert!(range.next().is_none());
    assert!(range.next_back().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_store_in_memory_is_its_model(steps in vec(step(), 1..120)) {
        let world = steps.iter().fold(World::new(None), World::step);
        world.check_all();
    }

    #[test]
    fn a_store_on_disk_is_its_model(steps in vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let world = steps.iter().fold(World::new(Some(dir.path())), World::step);
        world.check_all();
    }
}
