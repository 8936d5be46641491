//! A store on a simulated disk, and the map that says what must be in it.

use arbitrary::Arbitrary;
use fourfold::{Batch, Builder, Error, Keyspace, Range, Store};
use std::{collections::BTreeMap, ops::Bound};

pub const DIR: &str = "store";
pub const KEYSPACES: [&str; 3] = ["a", "b", "c"];

pub fn builder() -> Builder {
    Store::builder().segment_size(16 << 10).blob_threshold(1000).background_threads(0).seed(1)
}

/// Few keys, so that they meet: short ones, ones with a long common start, and long ones.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Key(u8);

impl Key {
    pub fn bytes(self) -> Vec<u8> {
        let letter = b'a' + self.0 % 16;
        match self.0 / 16 % 4 {
            0 => vec![letter],
            1 => [&[b'k'; 20][..], &[letter]].concat(),
            2 => [&[letter], &[b'z'; 300][..]].concat(),
            _ => vec![self.0 / 64, letter],
        }
    }
}

/// A value by its length class and its first byte; some are long enough for the blob log.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Value(u8, u8);

impl Value {
    pub fn bytes(self) -> Vec<u8> {
        let len = match self.0 % 8 {
            0 => 0,
            1..=4 => usize::from(self.0) / 4,
            5 | 6 => usize::from(self.0) * 3,
            _ => 1000 + usize::from(self.0) * 20,
        };
        (0..len).map(|at| self.1.wrapping_add((at % 251) as u8)).collect()
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Change {
    Put(u8, Key, Value),
    Delete(u8, Key),
    Floor(u8, Key),
}

/// Entries of a keyspace and its floor.
pub type Content = (BTreeMap<Vec<u8>, Vec<u8>>, Vec<u8>);

/// What is in the store: by the name of the keyspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model(pub BTreeMap<&'static str, Content>);

pub fn name(keyspace: u8) -> &'static str {
    KEYSPACES[usize::from(keyspace) % KEYSPACES.len()]
}

impl Model {
    pub fn create(&mut self, name: &'static str) {
        self.0.entry(name).or_default();
    }

    /// Every keyspace that a change names is there.
    pub fn apply(&mut self, change: Change) {
        let (Change::Put(keyspace, ..) | Change::Delete(keyspace, _) | Change::Floor(keyspace, _)) = change;
        let (entries, floor) = self.0.entry(name(keyspace)).or_default();
        match change {
            Change::Put(_, key, value) if key.bytes() >= *floor => {
                entries.insert(key.bytes(), value.bytes());
            }
            Change::Put(..) => {}
            Change::Delete(_, key) => {
                entries.remove(&key.bytes());
            }
            Change::Floor(_, key) => {
                *floor = key.bytes().max(std::mem::take(floor));
                entries.retain(|key, _| key >= floor);
            }
        }
    }

    /// Do they show the same? Floors are not seen.
    pub fn shows(&self, seen: &BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>) -> bool {
        self.0.len() == seen.len()
            && self.0.iter().all(|(name, (entries, _))| seen.get(*name).is_some_and(|seen| seen == entries))
    }
}

pub fn push(batch: &mut Batch, keyspace: &Keyspace, change: Change) -> fourfold::Result<()> {
    match change {
        Change::Put(_, key, value) => batch.put(keyspace, key.bytes(), value.bytes()),
        Change::Delete(_, key) => batch.delete(keyspace, key.bytes()),
        Change::Floor(_, key) => batch.floor(keyspace, key.bytes()),
    }
}

/// All entries; forwards, backwards and one by one they are the same, in a `sound` store.
fn collect(keyspace: &Keyspace, sound: bool) -> fourfold::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let entries = keyspace
        .range::<&[u8]>(..)
        .map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())))
        .collect::<Result<Vec<_>, Error>>()?;
    let backwards = keyspace
        .range::<&[u8]>(..)
        .rev()
        .map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())))
        .collect::<Result<Vec<_>, Error>>()?;
    assert!(!sound || entries.iter().eq(backwards.iter().rev()), "both directions show the same");
    assert!(!sound || entries.windows(2).all(|pair| pair[0].0 < pair[1].0), "keys ascend");
    for (key, value) in &entries {
        let found = keyspace.get(key)?;
        assert!(!sound || found.as_deref() == Some(&value[..]), "a get finds what a range shows");
    }
    Ok(entries.into_iter().collect())
}

/// Everything that the store shows.
pub fn read(store: &Store, sound: bool) -> fourfold::Result<BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>> {
    let names = store.keyspaces()?;
    names.into_iter().map(|name| Ok((name.clone(), collect(&store.keyspace(&name)?, sound)?))).collect()
}

/// Walks from both ends as the bits of `turns` say until they meet.
pub fn check_range(mut range: Range, expected: Vec<(&Vec<u8>, &Vec<u8>)>, turns: u8) {
    let mut expected = expected.into_iter();
    for turn in (0..8).cycle() {
        let (found, expected) = if turns >> turn & 1 == 0 {
            (range.next(), expected.next())
        } else {
            (range.next_back(), expected.next_back())
        };
        let found = found.map(|entry| entry.expect("nothing fails here"));
        assert_eq!(
            found.as_ref().map(|(key, value)| (&key[..], &value[..])),
            expected.map(|(key, value)| (&key[..], &value[..]))
        );
        if found.is_none() {
            return;
        }
    }
}

pub fn bounds<'k>(from: &'k [u8], to: &'k [u8]) -> (Bound<&'k [u8]>, Bound<&'k [u8]>) {
    (Bound::Included(from), Bound::Excluded(to))
}
