//! One ordered view over many sorted sources.
//!
//! G1. Sources are given newest first: where two hold the same key, the one with the smaller index wins. (Segments,
//!     level 0 and the levels below are ordered so: a key's newer version is never in an older place.)
//! G2. A source yields each of its keys at most once, with the version that the snapshot sees, deletes included.
//! G3. An error of a source ends the merge for good; it is reported again by every later call.

use crate::error::{Error, Result};
use crate::tree::entry::{Entry, Kind};
use bytes::Bytes;
use std::cmp::Ordering;

/// A sorted source of visible entries with a place in it.
pub(crate) trait Source {
    /// Asks for the memory that the seek for `key` will look at, which is the very next call.
    fn aim(&mut self, key: &[u8], forward: bool);
    /// To the first entry at or behind `key`.
    fn seek_ge(&mut self, key: &[u8]) -> Result<()>;
    /// To the last entry before `key`.
    fn seek_lt(&mut self, key: &[u8]) -> Result<()>;
    /// One entry on; only while there is a current one.
    fn next(&mut self) -> Result<()>;
    /// One entry back; only while there is a current one.
    fn prev(&mut self) -> Result<()>;
    /// The entry here, if the source has not run out.
    fn current(&self) -> Option<Entry<'_>>;
    /// The current entry's value as a slice that owns what it points into.
    fn value_bytes(&self) -> Bytes;
}

/// Which way a merge walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// What a source's current entry is ordered by, so that most comparisons touch one array.
#[derive(Clone, Copy, Debug)]
struct Head {
    prefix: u128,
    is_delete: bool,
}

const NO_HEAD: Head = Head { prefix: 0, is_delete: false };

/// The merge. Unpositioned until the first seek.
#[derive(Debug)]
pub(crate) struct Merge<C> {
    sources: Vec<C>,
    heads: Vec<Head>,
    /// What all keys share that the merge is opened for; others may come, but are compared in full.
    common: Vec<u8>,
    direction: Direction,
    /// The sources that have not run out, in the order of what they stand on. The first is the *winner*.
    order: Vec<usize>,
    failed: Option<Error>,
    /// Reused for the key of the entry that is left behind.
    passed: Vec<u8>,
}

impl<C: Source> Merge<C> {
    /// A merge of `sources`, newest first (G1), that is fastest where keys start with `common`.
    pub(crate) fn new(sources: Vec<C>, common: &[u8]) -> Self {
        Self {
            heads: vec![NO_HEAD; sources.len()],
            order: Vec::with_capacity(sources.len()),
            sources,
            common: common.to_vec(),
            direction: Direction::Forward,
            failed: None,
            passed: Vec::new(),
        }
    }

    /// To the first entry at or behind `key` that is not a delete.
    pub(crate) fn seek_ge(&mut self, key: &[u8]) -> Result<()> {
        self.seek(key, Direction::Forward)?;
        self.skip_deletes()
    }

    /// To the last entry before `key` that is not a delete.
    pub(crate) fn seek_lt(&mut self, key: &[u8]) -> Result<()> {
        self.seek(key, Direction::Backward)?;
        self.skip_deletes()
    }

    /// One entry on in the direction of the last seek.
    pub(crate) fn advance(&mut self) -> Result<()> {
        self.step()?;
        self.skip_deletes()
    }

    /// The entry here: never a delete.
    #[inline]
    pub(crate) fn current(&self) -> Option<Entry<'_>> {
        self.order.first().and_then(|winner| self.sources[*winner].current())
    }

    /// Is there an entry here, and its key before `bound`? `order` is [`order_of`](Self::order_of) the bound.
    #[inline]
    pub(crate) fn is_before(&self, bound: &[u8], order: u128) -> bool {
        let Some(winner) = self.order.first() else { return false };
        let prefix = self.heads[*winner].prefix;
        prefix < order || prefix == order && self.current().is_some_and(|entry| entry.key < bound)
    }

    /// A number in key order: keys of different numbers are ordered as these are. Fifteen bytes behind what is common;
    /// keys that do not start so lie before or behind all that do.
    #[inline]
    pub(crate) fn order_of(&self, key: &[u8]) -> u128 {
        match key.split_at_checked(self.common.len()) {
            Some((start, rest)) if *start == self.common[..] => WITHIN | key_prefix(rest) >> u8::BITS,
            _ if *key < self.common[..] => 0,
            _ => BEHIND,
        }
    }

    /// The current value, owning what it points into.
    pub(crate) fn value_bytes(&self) -> Bytes {
        self.order.first().map_or_else(Bytes::new, |winner| self.sources[*winner].value_bytes())
    }

    fn seek(&mut self, key: &[u8], direction: Direction) -> Result<()> {
        self.check()?;
        self.direction = direction;
        self.order.clear();
        if self.sources.len() > 1 {
            // The sources' cache misses are waited for together.
            let forward = direction == Direction::Forward;
            self.sources.iter_mut().for_each(|source| source.aim(key, forward));
        }
        for index in 0..self.sources.len() {
            let sought = match direction {
                Direction::Forward => self.sources[index].seek_ge(key),
                Direction::Backward => self.sources[index].seek_lt(key),
            };
            self.note(sought)?;
            if self.read_head(index) {
                let place = self.order.partition_point(|before| self.comes_before(*before, index));
                self.order.insert(place, index);
            }
        }
        Ok(())
    }

    fn skip_deletes(&mut self) -> Result<()> {
        while self.order.first().is_some_and(|winner| self.heads[*winner].is_delete) {
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        self.check()?;
        let Some(&winner) = self.order.first() else { return Ok(()) };
        if self.order.get(1).is_some_and(|next| self.heads[*next].prefix == self.heads[winner].prefix) {
            self.pass(winner)?;
        }
        self.move_on(0)
    }

    /// Steps older sources that stand on the winner's key past it (G1): they follow it in the order.
    fn pass(&mut self, winner: usize) -> Result<()> {
        let mut passed = std::mem::take(&mut self.passed);
        passed.clear();
        passed.extend_from_slice(self.sources[winner].current().map_or(&[], |entry| entry.key));
        while let Some(&next) = self.order.get(1)
            && self.heads[next].prefix == self.heads[winner].prefix
            && self.sources[next].current().is_some_and(|entry| entry.key == passed)
        {
            self.move_on(1)?;
        }
        self.passed = passed;
        Ok(())
    }

    /// Steps the source at `place` of the order on, and puts it where it then belongs.
    fn move_on(&mut self, mut place: usize) -> Result<()> {
        let index = self.order[place];
        let moved = match self.direction {
            Direction::Forward => self.sources[index].next(),
            Direction::Backward => self.sources[index].prev(),
        };
        self.note(moved)?;
        if !self.read_head(index) {
            self.order.remove(place);
            return Ok(());
        }
        while let Some(&next) = self.order.get(place + 1)
            && self.comes_before(next, index)
        {
            self.order[place] = next;
            place += 1;
        }
        self.order[place] = index;
        Ok(())
    }

    /// Notes what a source stands on; `false` if it has run out.
    #[inline]
    fn read_head(&mut self, index: usize) -> bool {
        let Some(entry) = self.sources[index].current() else { return false };
        self.heads[index] = Head { prefix: self.order_of(entry.key), is_delete: entry.kind == Kind::Delete };
        true
    }

    /// Does source `a` come before source `b`? Of those that share a key, the newest is first (G1).
    #[inline]
    fn comes_before(&self, a: usize, b: usize) -> bool {
        let prefixes = self.heads[a].prefix.cmp(&self.heads[b].prefix);
        let keys = if prefixes == Ordering::Equal { self.compare_keys(a, b) } else { prefixes };
        match self.direction {
            Direction::Forward => keys.then(a.cmp(&b)).is_lt(),
            Direction::Backward => keys.reverse().then(a.cmp(&b)).is_lt(),
        }
    }

    #[inline(never)]
    fn compare_keys(&self, a: usize, b: usize) -> Ordering {
        let key = |index: usize| self.sources[index].current().map(|entry| entry.key);
        key(a).cmp(&key(b))
    }

    fn check(&self) -> Result<()> {
        match &self.failed {
            None => Ok(()),
            Some(failed) => Err(failed.clone()),
        }
    }

    fn note(&mut self, result: Result<()>) -> Result<()> {
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.order.clear();
        }
        result
    }
}

/// The order of keys that start with what is common is that of what follows.
const WITHIN: u128 = 1 << (u128::BITS - u8::BITS);
/// The order of keys behind all of those.
const BEHIND: u128 = 2 << (u128::BITS - u8::BITS);

/// The first 16 bytes of a key as a number in key order, short keys padded with zeros.
#[inline]
#[expect(clippy::big_endian_bytes, reason = "big endian is the order of keys")]
pub(crate) fn key_prefix(key: &[u8]) -> u128 {
    if let Some(first) = key.first_chunk::<16>() {
        return u128::from_be_bytes(*first);
    }
    let mut padded = [0; 16];
    padded[..key.len()].copy_from_slice(key);
    u128::from_be_bytes(padded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Position;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A source over a sorted vector of (key, value); no value is a delete.
    struct Sorted {
        entries: Vec<(Vec<u8>, Option<u8>)>,
        at: Option<usize>,
    }

    impl Source for Sorted {
        fn aim(&mut self, _: &[u8], _: bool) {}
        fn seek_ge(&mut self, key: &[u8]) -> Result<()> {
            self.at = Some(self.entries.partition_point(|(k, _)| k.as_slice() < key));
            Ok(())
        }
        fn seek_lt(&mut self, key: &[u8]) -> Result<()> {
            self.at = self.entries.partition_point(|(k, _)| k.as_slice() < key).checked_sub(1);
            Ok(())
        }
        fn next(&mut self) -> Result<()> {
            self.at = self.at.map(|at| at + 1);
            Ok(())
        }
        fn prev(&mut self) -> Result<()> {
            self.at = self.at.and_then(|at| at.checked_sub(1));
            Ok(())
        }
        fn current(&self) -> Option<Entry<'_>> {
            let (key, value) = self.entries.get(self.at?)?;
            let kind = if value.is_some() { Kind::Put } else { Kind::Delete };
            Some(Entry {
                key,
                version: Position::ZERO,
                kind,
                value: value.as_ref().map_or(&[], std::slice::from_ref),
            })
        }
        fn value_bytes(&self) -> Bytes {
            Bytes::copy_from_slice(self.current().map_or(&[], |entry| entry.value))
        }
    }

    fn keys() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(0u8..3, 0..4),
            prop::collection::vec(0u8..2, 14..19) // ties in the prefix
        ]
    }

    proptest! {
        #[test]
        fn is_the_newest_of_each_key_in_both_directions(
            layers in prop::collection::vec(prop::collection::btree_map(keys(), any::<Option<u8>>(), 0..12), 0..5),
            from in keys(),
            common in prop::collection::vec(0u8..2, 0..3),
        ) {
            let mut model = BTreeMap::new();
            for layer in layers.iter().rev() {
                model.extend(layer.clone());
            }
            model.retain(|_, value| value.is_some());
            let sources = layers.iter().map(|layer| Sorted { entries: layer.clone().into_iter().collect(), at: None }).collect();
            let mut merge = Merge::new(sources, &common);
            let mut walk = |backward: bool| {
                let mut found = Vec::new();
                if backward { merge.seek_lt(&from).unwrap() } else { merge.seek_ge(&from).unwrap() }
                while let Some(entry) = merge.current() {
                    prop_assert_eq!(&merge.value_bytes()[..], entry.value);
                    found.push((entry.key.to_vec(), entry.value.first().copied()));
                    merge.advance().unwrap();
                }
                Ok(found)
            };
            let forward: Vec<_> = model.range(from.clone()..).map(|(k, v)| (k.clone(), *v)).collect();
            let backward: Vec<_> = model.range(..from.clone()).rev().map(|(k, v)| (k.clone(), *v)).collect();
            prop_assert_eq!(walk(false)?, forward);
            prop_assert_eq!(walk(true)?, backward);
        }
    }
}
