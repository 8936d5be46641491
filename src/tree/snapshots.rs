//! Who still reads the past: positions that folding and compaction must keep visible.
//!
//! N1. A snapshot's position is registered under the same lock under which maintenance takes the list, and is at or
//!     above every version that maintenance then looks at. So a version that a fold drops was already overwritten for
//!     every snapshot that could come later.

use crate::position::Position;
use crate::sync::flaw;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// The registered snapshot positions of a store.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    live: Mutex<BTreeMap<Position, usize>>,
}

impl Snapshots {
    /// Registers a snapshot at the position that `frontier` reports under the lock (N1).
    pub(crate) fn open(&self, frontier: impl FnOnce() -> Position) -> Position {
        let mut live = self.live.lock();
        let at = frontier();
        *live.entry(at).or_default() += 1;
        at
    }

    /// Ends one registration.
    pub(crate) fn close(&self, at: Position) {
        let mut live = self.live.lock();
        if let Some(count) = live.get_mut(&at) {
            *count -= 1;
            if *count == 0 {
                live.remove(&at);
            }
        }
    }

    /// What maintenance must keep visible from now on.
    pub(crate) fn keep(&self, frontier: impl FnOnce() -> Position) -> Keep {
        let live = self.live.lock();
        Keep { snapshots: live.keys().copied().collect(), now: frontier() }
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.live.lock().values().sum()
    }
}

/// The readers that a fold or a merge must satisfy: the registered snapshots and everyone from now on.
#[derive(Clone, Debug)]
pub(crate) struct Keep {
    /// Ascending, each once.
    snapshots: Vec<Position>,
    now: Position,
}

impl Keep {
    /// The oldest reader.
    pub(crate) fn oldest(&self) -> Position {
        self.snapshots.first().copied().unwrap_or(self.now)
    }

    /// Must a version be kept whose next newer version of the same key is `newer`? The newest always must.
    pub(crate) fn needs(&self, version: Position, newer: Option<Position>) -> bool {
        let Some(newer) = newer else { return true };
        if flaw!("forget_snapshots") {
            return false;
        }
        // Some snapshot s with version <= s < newer.
        let first = self.snapshots.partition_point(|s| *s < version);
        self.snapshots.get(first).is_some_and(|s| *s < newer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_kept_while_a_snapshot_lies_between_it_and_the_next() {
        let snapshots = Snapshots::default();
        let p = Position::new;
        assert_eq!(snapshots.open(|| p(10)), p(10));
        snapshots.open(|| p(10));
        snapshots.open(|| p(20));
        let keep = snapshots.keep(|| p(99));
        assert_eq!(keep.oldest(), p(10));
        assert!(keep.needs(p(5), None));
        assert!(keep.needs(p(5), Some(p(11))));
        assert!(keep.needs(p(10), Some(p(11))));
        assert!(!keep.needs(p(5), Some(p(10))));
        assert!(!keep.needs(p(11), Some(p(20))));
        assert!(keep.needs(p(20), Some(p(21))));
        assert!(!keep.needs(p(21), Some(p(30))));
        snapshots.close(p(10));
        assert_eq!(snapshots.keep(|| p(99)).oldest(), p(10));
        snapshots.close(p(10));
        snapshots.close(p(20));
        assert_eq!(snapshots.keep(|| p(99)).oldest(), p(99));
        assert_eq!(snapshots.count(), 0);
    }
}
