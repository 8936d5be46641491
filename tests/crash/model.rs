//! What a store should hold: plain maps, and a digest by which a store and a map are compared.

use fourfold::Store;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// The state after some number of batches.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) keyspaces: BTreeMap<&'static str, Keyspace>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Keyspace {
    floor: Vec<u8>,
    entries: BTreeMap<Vec<u8>, Arc<[u8]>>,
}

/// One change of a batch.
#[derive(Clone)]
pub(crate) enum Op {
    /// A value of so many bytes, different each time.
    Put(&'static str, Vec<u8>, usize),
    Delete(&'static str, Vec<u8>),
    Floor(&'static str, Vec<u8>),
}

impl Op {
    pub(crate) fn keyspace(&self) -> &'static str {
        match self {
            Self::Put(name, ..) | Self::Delete(name, _) | Self::Floor(name, _) => name,
        }
    }
}

/// On one line, as a failing workload is best read.
impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(name, key, len) => write!(f, "put {name}/{} ({len} bytes)", key.escape_ascii()),
            Self::Delete(name, key) => write!(f, "delete {name}/{}", key.escape_ascii()),
            Self::Floor(name, key) => write!(f, "floor {name}/{}", key.escape_ascii()),
        }
    }
}

/// `len` bytes that no other number gives, unless they are very few.
pub(crate) fn value(number: u64, len: usize) -> Arc<[u8]> {
    let mut random = crate::random::Random::new(number);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

impl State {
    /// Applies `op`; `number` tells values apart.
    pub(crate) fn apply(&mut self, op: &Op, number: u64) {
        let keyspace = self.keyspaces.get_mut(op.keyspace()).expect("batches name keyspaces that exist");
        match op {
            Op::Put(_, key, len) => {
                if *key >= keyspace.floor {
                    keyspace.entries.insert(key.clone(), value(number, *len));
                }
            }
            Op::Delete(_, key) => {
                keyspace.entries.remove(key);
            }
            Op::Floor(_, floor) => {
                if *floor > keyspace.floor {
                    keyspace.floor.clone_from(floor);
                }
                let floor = &keyspace.floor;
                keyspace.entries.retain(|key, _| key >= floor);
            }
        }
    }

    /// Do both have the same floors? They may look alike and differ in these.
    pub(crate) fn has_floors_of(&self, other: &Self) -> bool {
        let floors = |state: &Self| -> Vec<_> {
            state.keyspaces.iter().map(|(name, keyspace)| (*name, keyspace.floor.clone())).collect()
        };
        floors(self) == floors(other)
    }

    /// Takes the value of the key "probe" over from `other`.
    pub(crate) fn take_probe(&mut self, other: &Self) {
        let keyspace = self.keyspaces.entry("p").or_default();
        if let Some(value) = other.keyspaces["p"].entries.get(&b"probe"[..]) {
            keyspace.entries.insert(b"probe".to_vec(), Arc::clone(value));
        }
    }

    pub(crate) fn digest(&self) -> u64 {
        let mut digest = Digest::default();
        for (name, keyspace) in &self.keyspaces {
            digest.keyspace(name);
            for (key, value) in &keyspace.entries {
                digest.entry(key, value);
            }
        }
        digest.finish()
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, keyspace) in &self.keyspaces {
            lines.push(format!("keyspace {name}"));
            lines.extend(keyspace.lines(name));
        }
        lines
    }
}

#[derive(Default)]
struct Digest(Xxh3);

impl Digest {
    fn keyspace(&mut self, name: &str) {
        self.0.update(&u64::MAX.to_le_bytes());
        self.0.update(&(name.len() as u64).to_le_bytes());
        self.0.update(name.as_bytes());
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) {
        self.0.update(&(key.len() as u64).to_le_bytes());
        self.0.update(&(value.len() as u64).to_le_bytes());
        self.0.update(key);
        self.0.update(value);
    }

    fn finish(self) -> u64 {
        self.0.digest()
    }
}

/// Reads everything that `store` holds.
pub(crate) fn digest(store: &Store) -> fourfold::Result<u64> {
    let mut digest = Digest::default();
    for name in store.keyspaces()? {
        digest.keyspace(&name);
        let mut range = store.keyspace(&name)?.range::<&[u8]>(..);
        while range.advance()? {
            let value = range.value()?;
            digest.entry(range.key(), &value);
        }
    }
    Ok(digest.finish())
}

/// How `store` differs from `expected`, for a person.
pub(crate) fn difference(store: &Store, expected: &State) -> fourfold::Result<String> {
    let mut found = Vec::new();
    for name in store.keyspaces()? {
        found.push(format!("keyspace {name}"));
        for entry in store.keyspace(&name)?.range::<&[u8]>(..) {
            let (key, value) = entry?;
            found.push(line(&name, &key, &value));
        }
    }
    let expected = expected.lines();
    let mut text = String::new();
    for line in expected.iter().filter(|line| !found.contains(line)) {
        let _ = writeln!(text, "  missing: {line}");
    }
    for line in found.iter().filter(|line| !expected.contains(line)) {
        let _ = writeln!(text, "  surplus: {line}");
    }
    Ok(text)
}

pub(crate) fn line(keyspace: &str, key: &[u8], value: &[u8]) -> String {
    let hash = xxhash_rust::xxh3::xxh3_64(value);
    format!("{keyspace}/{}: {} bytes, {hash:016x}", key.escape_ascii(), value.len())
}

impl Keyspace {
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        self.entries.iter().map(|(key, value)| line(name, key, value)).collect()
    }

    /// Are these all of its entries?
    pub(crate) fn is(&self, found: &[(bytes::Bytes, bytes::Bytes)]) -> bool {
        let expected = self.entries.iter().map(|(key, value)| (&key[..], &value[..]));
        expected.eq(found.iter().map(|(key, value)| (&key[..], &value[..])))
    }
}
