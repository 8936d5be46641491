//! Compaction: keeping the runs of the tree few, disjoint and free of garbage.
//!
//! Level 0 holds runs as they were folded, so they may overlap; each deeper level is sorted and disjoint and holds ten
//! times as much as the one above. Deciding is apart from doing: [`pick`] is a pure function from the state of the
//! levels to a [`Plan`].
//!
//! K1. *Recency*: the deeper, the older. For every key, versions in level 0 decrease from the last run to the first,
//!     those of level 0 are above those of level 1, and so on down. Reads stop at the first place that knows a key.
//! K2. The runs of level 1 and of each deeper level are disjoint, and sorted by key.
//! K3. What runs at the same time does not meet: two merges whose keys overlap share no level.
//! K4. A merge is *bottom* only if nothing below its output holds a key in its span; only then may a delete go, since
//!     only then it hides nothing.
//!
//! Not here: reading and writing runs, and which versions a snapshot still sees.

mod execute;
pub(crate) mod pick;
#[cfg(test)]
mod tests;

use super::run::{Meta, RunId};
use crate::position::Position;
use bytes::Bytes;
use std::ops::Range;

/// Levels 0 to 6. The last takes whatever comes: at the usual sizes the one before it holds 25 TB.
pub(crate) const LEVELS: usize = 7;

/// What the tree may look like before something is done about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Runs over the same key, in level 0, at which they are merged down ...
    pub(crate) l0_merge: usize,
    /// ... at which writers are slowed down ...
    pub(crate) l0_slow: usize,
    /// ... and at which they wait. For all three, four runs side by side count like one that lies over all keys.
    pub(crate) l0_stop: usize,
    /// Bytes that level 1 may hold.
    pub(crate) level1: u64,
    /// How much more each level holds than the one above.
    pub(crate) ratio: u64,
    /// Runs that a merge writes are cut at this length.
    pub(crate) cut: u64,
    /// So many neighbours that fit into one run are made one.
    pub(crate) crumbs: usize,
    /// A run in which one of so many entries is a delete is worth a merge for that alone.
    pub(crate) deletes_one_in: u64,
}

impl Limits {
    /// For a log whose segments, and so the runs that come from it, are up to `segment_len` bytes long.
    pub(crate) fn for_segments(segment_len: u64) -> Self {
        const LEVEL1_MIN: u64 = 1 << 20;
        Self {
            l0_merge: 4,
            l0_slow: 8,
            l0_stop: 12,
            level1: LEVEL1_MIN.max(segment_len.saturating_mul(4)),
            ratio: 10,
            cut: segment_len,
            crumbs: 8,
            deletes_one_in: 3,
        }
    }

    /// Bytes that `level` (1 or deeper) may hold.
    fn target(&self, level: usize) -> u64 {
        assert!(level > 0, "level 0 is measured in runs over a key");
        if level + 1 >= LEVELS {
            return u64::MAX;
        }
        (1..level).fold(self.level1, |target, _| target.saturating_mul(self.ratio))
    }
}

/// All that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State<'a> {
    /// Level 0 newest last, the others by key; missing levels are empty. Inputs of `running` are still here.
    pub(crate) levels: &'a [Vec<&'a Meta>],
    /// Merges that were picked and whose result is not in `levels` yet.
    pub(crate) running: &'a [Merge],
    /// Keys that nobody can read any more, not even a snapshot, and nobody will write again: disjoint ranges in order,
    /// neighbours joined.
    pub(crate) dead: &'a [Range<Bytes>],
    /// No snapshot, present or future, reads below it: of the versions of a key up to here only the newest can be seen.
    pub(crate) horizon: Position,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Forget runs in which nothing is alive.
    Drop { runs: Vec<RunId> },
    /// Put a run into a deeper level as it is.
    Move { run: RunId, from: usize, to: usize },
    /// Write new runs in place of old ones.
    Merge(Merge),
}

/// Runs to be merged into one sequence, and where it goes. Each version is newer than those of the same key in later
/// inputs, except that the runs of level 0 are listed as the level has them, newest last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Merge {
    pub(crate) inputs: Vec<Input>,
    /// The level of the new runs: that of the last inputs, or the one below.
    pub(crate) output: usize,
    /// Nothing older lies below (K4).
    pub(crate) bottom: bool,
    /// New runs are cut at this length, never between versions of one key.
    pub(crate) cut: u64,
    /// First and last key of all inputs.
    pub(crate) min_key: Bytes,
    pub(crate) max_key: Bytes,
}

/// Inputs of a merge from one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) level: usize,
    pub(crate) runs: Vec<RunId>,
}

/// What level 0 asks of writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pressure {
    /// Go on.
    None,
    /// Pause a little, the longer the nearer `step` comes to `steps`.
    Slow { step: usize, steps: usize },
    /// Wait until a merge has finished.
    Stop,
}
