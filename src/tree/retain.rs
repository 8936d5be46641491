//! What a fold or a merge keeps of the versions that pass through it.
//!
//! R1. Every version that a registered snapshot, or a reader from now on, sees is kept, unless its key is dead.
//! R2. A delete with nothing older left beneath it, here or in any older place, says nothing and is dropped: so a put
//!     and a delete that meet in one segment leave no trace.
//! R3. A key in a dead range (a dropped keyspace, below a floor) is dropped with all its versions.

use crate::error::Result;
use crate::position::Position;
use crate::sync::flaw;
use crate::tree::entry::{Entry, Kind};
use crate::tree::snapshots::Keep;
use bytes::Bytes;
use std::ops::Range;

/// The filter. Entries go in by key ascending, version descending; what is kept comes out in the same order.
pub(crate) struct Retain<'a, B, G> {
    keep: &'a Keep,
    /// In order and disjoint.
    dead: &'a [Range<Bytes>],
    /// May an older place than the inputs hold this key?
    below: B,
    /// Told of every entry that is dropped.
    dropped: G,
    key: Vec<u8>,
    /// The next newer version of `key`, kept or not.
    newer: Option<Position>,
    /// Kept deletes of `key` that wait for something older to delete.
    deletes: Vec<Position>,
    key_is_dead: bool,
    started: bool,
}

impl<'a, B: FnMut(&[u8]) -> Result<bool>, G: FnMut(Entry<'_>)> Retain<'a, B, G> {
    pub(crate) fn new(keep: &'a Keep, dead: &'a [Range<Bytes>], below: B, dropped: G) -> Self {
        Self {
            keep,
            dead,
            below,
            dropped,
            key: Vec::new(),
            newer: None,
            deletes: Vec::new(),
            key_is_dead: false,
            started: false,
        }
    }

    /// Takes the next entry and hands on what is now known to be kept.
    pub(crate) fn push(
        &mut self,
        entry: Entry<'_>,
        out: &mut impl FnMut(Entry<'_>) -> Result<()>,
    ) -> Result<()> {
        if !self.started || entry.key != self.key {
            self.finish(out)?;
            self.started = true;
            self.key.clear();
            self.key.extend_from_slice(entry.key);
            self.newer = None;
            while self.dead.first().is_some_and(|range| range.end[..] <= *entry.key) {
                self.dead = &self.dead[1..];
            }
            self.key_is_dead = self.dead.first().is_some_and(|range| range.start[..] <= *entry.key);
        }
        let needed = !self.key_is_dead && self.keep.needs(entry.version, self.newer);
        self.newer = Some(entry.version);
        if !needed {
            (self.dropped)(entry);
        } else if entry.kind == Kind::Delete {
            self.deletes.push(entry.version);
        } else {
            self.release(out)?;
            out(entry)?;
        }
        Ok(())
    }

    /// Ends the current key; call it once more after the last entry.
    pub(crate) fn finish(&mut self, out: &mut impl FnMut(Entry<'_>) -> Result<()>) -> Result<()> {
        if !self.deletes.is_empty() && (self.below)(&self.key)? && !flaw!("forget_deletes") {
            self.release(out)?;
        }
        self.deletes.clear();
        Ok(())
    }

    fn release(&mut self, out: &mut impl FnMut(Entry<'_>) -> Result<()>) -> Result<()> {
        for version in self.deletes.drain(..) {
            out(Entry { key: &self.key, version, kind: Kind::Delete, value: &[] })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::snapshots::Snapshots;

    fn p(position: u64) -> Position {
        Position::new(position)
    }

    /// Runs `entries` (key, version, is a put) through the filter.
    fn kept(
        entries: &[(&str, u64, bool)],
        snapshots: &[u64],
        dead: &[(&str, &str)],
        below: bool,
    ) -> (Vec<(String, u64, bool)>, usize) {
        let open = Snapshots::default();
        for at in snapshots {
            open.open(|| p(*at));
        }
        let keep = open.keep(|| p(1000));
        let range = |(from, to): &(&str, &str)| {
            Bytes::copy_from_slice(from.as_bytes())..Bytes::copy_from_slice(to.as_bytes())
        };
        let dead: Vec<_> = dead.iter().map(range).collect();
        let mut dropped = 0;
        let mut out = Vec::new();
        let mut sink = |entry: Entry<'_>| {
            out.push((
                String::from_utf8(entry.key.to_vec()).unwrap(),
                entry.version.get(),
                entry.kind == Kind::Put,
            ));
            Ok(())
        };
        let mut retain = Retain::new(&keep, &dead, |_: &[u8]| Ok(below), |_: Entry<'_>| dropped += 1);
        for (key, version, is_put) in entries {
            let kind = if *is_put { Kind::Put } else { Kind::Delete };
            retain
                .push(Entry { key: key.as_bytes(), version: p(*version), kind, value: b"" }, &mut sink)
                .unwrap();
        }
        retain.finish(&mut sink).unwrap();
        drop(retain);
        (out, dropped)
    }

    fn check(
        entries: &[(&str, u64, bool)],
        snapshots: &[u64],
        dead: &[(&str, &str)],
        below: bool,
        expected: &[(&str, u64, bool)],
    ) {
        let (found, dropped) = kept(entries, snapshots, dead, below);
        let found: Vec<_> = found.iter().map(|(key, version, put)| (key.as_str(), *version, *put)).collect();
        assert_eq!(found, expected);
        let deletes_in = entries.iter().filter(|(_, _, put)| !put).count();
        assert!(
            dropped + found.len() <= entries.len() && dropped + found.len() + deletes_in >= entries.len()
        );
    }

    #[test]
    fn only_the_newest_survives_without_snapshots() {
        check(
            &[("a", 9, true), ("a", 5, true), ("b", 2, true)],
            &[],
            &[],
            true,
            &[("a", 9, true), ("b", 2, true)],
        );
    }

    #[test]
    fn snapshots_keep_what_they_see() {
        let all = [("a", 9, true), ("a", 5, true), ("a", 3, true)];
        check(&all, &[4], &[], true, &[("a", 9, true), ("a", 3, true)]);
        check(&all, &[3, 5], &[], true, &all);
    }

    #[test]
    fn a_put_and_its_delete_annihilate_unless_something_older_lies_below() {
        let pair = [("a", 9, false), ("a", 5, true)];
        check(&pair, &[], &[], false, &[]);
        check(&pair, &[], &[], true, &[("a", 9, false)]);
        check(&pair, &[7], &[], false, &pair);
        check(&[("a", 9, false), ("b", 5, true)], &[], &[], false, &[("b", 5, true)]);
    }

    #[test]
    fn dead_ranges_swallow_their_keys() {
        let all = [("a", 9, true), ("b", 5, true), ("c", 3, false), ("d", 3, true)];
        check(&all, &[1], &[("b", "c"), ("c", "d")], true, &[("a", 9, true), ("d", 3, true)]);
    }
}
