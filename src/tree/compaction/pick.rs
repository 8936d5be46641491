//! The decision what to compact next.
//!
//! From cheap to dear, the first that applies: forget dead runs; let a run of level 0 fall that lies over nothing;
//! relieve the level that is most over its limit; push down runs that are mostly deletes; join crumbs. Everything is
//! decided from the state alone, so the same state gives the same plan.
//!
//! It comes to an end: a plan makes runs fewer, or brings bytes deeper, or rewrites a run at the bottom whose deletes are
//! then gone.

use super::{Input, LEVELS, Limits, Merge, Plan, Pressure, State};
use crate::{
    position::Position,
    tree::run::{Meta, RunId},
};
use bytes::Bytes;
use std::{cmp::Reverse, ops::RangeInclusive};

/// What to do next about the state of the tree; `None` if nothing is worth its while, or all that is has to wait for
/// merges that are running.
pub(crate) fn pick(state: &State<'_>, limits: &Limits) -> Option<Plan> {
    let picker = Picker { state, limits };
    picker
        .forget_dead()
        .or_else(|| picker.fall())
        .or_else(|| picker.relieve())
        .or_else(|| picker.push_deletes())
        .or_else(|| picker.join_crumbs())
}

/// A wish for everything in one level, without garbage, as of some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Full {
    /// Runs below this id have not been rewritten since: the next run's id when it was wished for.
    pub(crate) runs: RunId,
    /// Versions below this one are to be in the deepest level: the end of the log when it was wished for.
    pub(crate) versions: Position,
}

/// What to do next for `wish`. It has come true when this is `None` while no merge is running; what is written meanwhile
/// does not count.
pub(crate) fn full(state: &State<'_>, limits: &Limits, wish: Full) -> Option<Plan> {
    let picker = Picker { state, limits };
    picker.forget_dead().or_else(|| picker.sink(wish)).or_else(|| picker.clean(wish))
}

/// What level 0, oldest run first, asks of writers.
pub(crate) fn l0_pressure(level0: &[&Meta], limits: &Limits) -> Pressure {
    let load = load(level0);
    if load >= limits.l0_stop {
        Pressure::Stop
    } else if load >= limits.l0_slow {
        Pressure::Slow { step: load - limits.l0_slow + 1, steps: limits.l0_stop - limits.l0_slow }
    } else {
        Pressure::None
    }
}

/// Runs side by side do not make a lookup dearer, but they must not grow without bound either: so many weigh as much as
/// one that lies over all keys.
const SIDE_BY_SIDE: usize = 4;

/// The weight of runs of level 0: over how many of them the worst key lies, which is what a lookup pays.
fn load(runs: &[&Meta]) -> usize {
    depth(runs).max(runs.len() / SIDE_BY_SIDE)
}

fn depth(runs: &[&Meta]) -> usize {
    let over = |key: &Bytes| runs.iter().filter(|run| run.min_key <= *key && *key <= run.max_key).count();
    runs.iter().map(|run| over(&run.min_key)).max().unwrap_or(0)
}

/// Deletes or shadowed versions.
fn has_garbage(run: &Meta) -> bool {
    run.deletes > 0 || run.keys < run.entries
}

/// A stretch of keys, both ends included.
#[derive(Clone, Copy)]
struct Span<'a> {
    min: &'a [u8],
    max: &'a [u8],
}

impl<'a> Span<'a> {
    fn of(run: &'a Meta) -> Self {
        Self { min: &run.min_key, max: &run.max_key }
    }

    /// The smallest that holds all `runs`.
    fn over(runs: impl IntoIterator<Item = &'a Meta>) -> Option<Self> {
        runs.into_iter().map(Self::of).reduce(|a, b| Self { min: a.min.min(b.min), max: a.max.max(b.max) })
    }

    fn meets(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }
}

fn bytes(runs: &[&Meta]) -> u64 {
    runs.iter().map(|run| run.file_len).sum()
}

fn ids(runs: &[&Meta]) -> Vec<RunId> {
    runs.iter().map(|run| run.id).collect()
}

/// The fullness of a level that must give something away.
const FULL: u64 = 1000;

/// How much longer than a new run the inputs of one step of a full compaction from its upper level may be: neighbours are
/// cheaper together, since they share what they lie over, but a step should end within seconds.
const FULL_STEP: u64 = 8;

struct Picker<'a> {
    state: &'a State<'a>,
    limits: &'a Limits,
}

impl<'a> Picker<'a> {
    /// Runs whose every key is dead.
    fn forget_dead(&self) -> Option<Plan> {
        let is_dead = |run: &&&Meta| {
            let after = self.state.dead.partition_point(|dead| dead.start <= run.min_key);
            after.checked_sub(1).is_some_and(|index| run.max_key < self.state.dead[index].end)
        };
        let all = self.state.levels.iter().flatten();
        let runs: Vec<_> = all.filter(is_dead).filter(|run| !self.is_busy(run)).map(|run| run.id).collect();
        (!runs.is_empty()).then_some(Plan::Drop { runs })
    }

    /// A run of level 0 that lies over nothing older falls as it is. Newer ones may lie over it: they stay above (K1).
    fn fall(&self) -> Option<Plan> {
        let level0 = self.level(0);
        let lies_free = |index: &usize| {
            let span = Span::of(level0[*index]);
            !level0[..*index].iter().any(|older| span.meets(Span::of(older)))
        };
        (0..level0.len()).filter(lies_free).find_map(|index| self.move_down(0, level0[index]))
    }

    /// The level that is most over its limit gives something to the next.
    fn relieve(&self) -> Option<Plan> {
        let mut levels: Vec<_> =
            (0..LEVELS - 1).map(|level| (Reverse(self.fullness(level)), level)).collect();
        levels.sort_unstable();
        let over = levels.into_iter().take_while(|(Reverse(fullness), _)| *fullness >= FULL);
        over.map(|(_, level)| level).find_map(|level| match level {
            0 => self.merge_level0(),
            _ => self.shed(level),
        })
    }

    /// In parts of [`FULL`]. What a running merge takes away does not count.
    fn fullness(&self, level: usize) -> u64 {
        let idle: Vec<_> = self.level(level).iter().copied().filter(|run| !self.is_busy(run)).collect();
        if level == 0 {
            return load(&idle) as u64 * FULL / self.limits.l0_merge as u64;
        }
        // Less a byte, since a level at its target is not over it.
        let bytes = bytes(&idle).saturating_sub(1);
        let parts = u128::from(bytes) * u128::from(FULL) / u128::from(self.limits.target(level).max(1));
        u64::try_from(parts).unwrap_or(u64::MAX)
    }

    /// The heap of level 0 that lies highest, of several the largest. A heap, runs connected by overlaps, is taken as a
    /// whole: so no older run stays behind above a newer one (K1), and what it lies over is rewritten once for all.
    fn merge_level0(&self) -> Option<Plan> {
        let mut heaps = self.heaps();
        heaps.sort_by_key(|heap| Reverse((depth(heap), heap.len())));
        heaps.iter().find_map(|heap| self.merge_down(0, heap))
    }

    /// The heaps of level 0, the one with the oldest run first, each oldest run first.
    fn heaps(&self) -> Vec<Vec<&'a Meta>> {
        let level0 = self.level(0);
        let mut by_key: Vec<_> = (0..level0.len()).collect();
        by_key.sort_by_key(|age| &level0[*age].min_key);
        let mut heaps: Vec<Vec<usize>> = Vec::new();
        let mut reach: &[u8] = &[];
        for age in by_key {
            let run = level0[age];
            match heaps.last_mut() {
                Some(heap) if run.min_key[..] <= *reach => heap.push(age),
                _ => heaps.push(vec![age]),
            }
            reach = reach.max(&run.max_key);
        }
        for heap in &mut heaps {
            heap.sort_unstable();
        }
        heaps.sort_unstable();
        heaps.iter().map(|heap| heap.iter().map(|age| level0[*age]).collect()).collect()
    }

    /// The run of `level` that is cheapest to push down: what is mostly deletes first, since they shrink what they meet;
    /// then what lies over the fewest bytes for its own length; then the oldest, which makes it go round.
    fn shed(&self, level: usize) -> Option<Plan> {
        let cost = |run: &&Meta| {
            let over = u128::from(bytes(self.under(level + 1, Span::of(run))));
            (!self.is_mostly_deletes(run), over * 8 / u128::from(run.file_len.max(1)), run.id)
        };
        let mut runs: Vec<_> = self.level(level).iter().map(|run| (cost(run), *run)).collect();
        runs.sort_unstable_by_key(|(cost, _)| *cost);
        runs.iter().find_map(|(_, run)| self.move_down(level, run).or_else(|| self.merge_down(level, &[run])))
    }

    /// Runs of mostly deletes that nobody needs go on down until they have met all that they delete, and then vanish.
    fn push_deletes(&self) -> Option<Plan> {
        (1..LEVELS).find_map(|level| {
            let runs = self.level(level).iter().copied();
            let worth = |run: &&Meta| self.is_mostly_deletes(run) && run.max_version <= self.state.horizon;
            runs.filter(worth).find_map(|run| {
                if self.is_bottom(level, Span::of(run)) {
                    self.rewrite(level, &[run])
                } else {
                    self.move_down(level, run).or_else(|| self.merge_down(level, &[run]))
                }
            })
        })
    }

    fn is_mostly_deletes(&self, run: &Meta) -> bool {
        run.deletes > 0 && run.deletes.saturating_mul(self.limits.deletes_one_in) >= run.entries
    }

    /// Small neighbours become one run: a queue leaves little of each segment, and without this a file for each. None of
    /// them may be long against the others, so that a byte is not rewritten for each crumb that comes.
    fn join_crumbs(&self) -> Option<Plan> {
        (1..LEVELS).find_map(|level| {
            let runs = self.level(level);
            (0..runs.len()).find_map(|start| {
                let crumbs = prefix(&runs[start..], self.limits.cut, |run| !self.is_busy(run));
                let longest = crumbs.iter().map(|run| run.file_len).max()?;
                let are_alike = longest.saturating_mul(4) <= bytes(crumbs);
                let are_many = crumbs.len() >= self.limits.crumbs.max(2);
                (are_many && are_alike).then(|| self.rewrite(level, crumbs)).flatten()
            })
        })
    }

    /// For a full compaction: something that is not at the bottom yet goes down.
    fn sink(&self, wish: Full) -> Option<Plan> {
        let deepest = self.state.levels.iter().rposition(|level| !level.is_empty())?.max(1);
        let is_due = |run: &&Meta| run.min_version < wish.versions;
        let heaps = self.heaps();
        let from_level0 =
            heaps.iter().filter(|heap| heap.iter().any(is_due)).find_map(|heap| match heap[..] {
                [run] => self.move_to(0, run, deepest).or_else(|| self.merge_down(0, &[run])),
                _ => self.merge_down(0, heap),
            });
        from_level0.or_else(|| {
            (1..deepest).find_map(|level| {
                let runs = self.level(level);
                (0..runs.len()).filter(|index| is_due(&runs[*index])).find_map(|index| {
                    let group = prefix(&runs[index..], self.full_step(), |run| is_due(&run));
                    self.move_to(level, runs[index], deepest)
                        .or_else(|| self.merge_down(level, group))
                        .or_else(|| self.merge_down(level, &[runs[index]]))
                })
            })
        })
    }

    /// For a full compaction: what holds garbage, at the bottom, is written anew without.
    fn clean(&self, wish: Full) -> Option<Plan> {
        let deepest = self.state.levels.iter().rposition(|level| !level.is_empty())?.max(1);
        let runs = self.level(deepest);
        // What the wish itself has written may have come here with deletes that hid something on their way. Where all
        // versions are below the horizon one more rewriting removes all of it, so this ends.
        let is_ours = |run: &Meta| run.min_version < wish.versions && run.max_version <= self.state.horizon;
        let is_due = |run: &Meta| {
            let is_old = run.id < wish.runs;
            let is_dirty = has_garbage(run) && (is_old || is_ours(run)) || is_old && self.has_dead(run);
            is_dirty && !self.is_busy(run)
        };
        (0..runs.len())
            .filter(|index| is_due(runs[*index]))
            .find_map(|index| self.rewrite(deepest, prefix(&runs[index..], self.full_step(), is_due)))
    }

    fn full_step(&self) -> u64 {
        self.limits.cut.saturating_mul(FULL_STEP)
    }

    fn has_dead(&self, run: &Meta) -> bool {
        let after = self.state.dead.partition_point(|dead| dead.end <= run.min_key);
        self.state.dead.get(after).is_some_and(|dead| dead.start <= run.max_key)
    }

    /// Moves a run that lies over nothing to the first level that has room for it, as far as nothing is in its way.
    fn move_down(&self, from: usize, run: &Meta) -> Option<Plan> {
        let has_room = |level: usize| {
            let bytes = bytes(self.level(level)).saturating_add(run.file_len);
            bytes <= self.limits.target(level)
        };
        let room = (from + 1..LEVELS).find(|level| has_room(*level)).unwrap_or(LEVELS - 1);
        self.move_to(from, run, room)
    }

    /// Moves a run down to `lowest`, or as far as nothing is in its way.
    fn move_to(&self, from: usize, run: &Meta, lowest: usize) -> Option<Plan> {
        let span = Span::of(run);
        let to = (from + 1..=lowest).take_while(|level| self.under(*level, span).is_empty()).last()?;
        self.is_free(from..=to, span).then_some(Plan::Move { run: run.id, from, to })
    }

    /// Merges `runs` into what they lie over in the next level.
    fn merge_down(&self, level: usize, runs: &[&'a Meta]) -> Option<Plan> {
        let output = level + 1;
        let under = self.under(output, Span::over(runs.iter().copied())?);
        let upper = Input { level, runs: ids(runs) };
        let lower = Input { level: output, runs: ids(under) };
        let span = Span::over(runs.iter().chain(under).copied())?;
        let inputs = [upper, lower].into_iter().filter(|input| !input.runs.is_empty()).collect();
        self.merge(inputs, level..=output, span)
    }

    /// Merges neighbours of one level without moving them.
    fn rewrite(&self, level: usize, runs: &[&'a Meta]) -> Option<Plan> {
        let span = Span::over(runs.iter().copied())?;
        self.merge(vec![Input { level, runs: ids(runs) }], level..=level, span)
    }

    fn merge(&self, inputs: Vec<Input>, levels: RangeInclusive<usize>, span: Span<'a>) -> Option<Plan> {
        let output = *levels.end();
        self.is_free(levels, span).then(|| {
            Plan::Merge(Merge {
                inputs,
                output,
                bottom: self.is_bottom(output, span),
                cut: self.limits.cut,
                min_key: span.min.to_vec().into(),
                max_key: span.max.to_vec().into(),
            })
        })
    }

    /// Does nothing below `level` hold a key of `span`? Runs above do not matter: they are newer (K1).
    fn is_bottom(&self, level: usize, span: Span<'_>) -> bool {
        (level + 1..LEVELS).all(|below| self.under(below, span).is_empty())
    }

    /// Does no running merge meet these keys in one of these levels (K3)? If none does, none has these runs either.
    fn is_free(&self, levels: RangeInclusive<usize>, span: Span<'_>) -> bool {
        !self.state.running.iter().any(|merge| {
            let top = merge.inputs.first().map_or(merge.output, |input| input.level);
            let shares_level = *levels.start() <= merge.output && top <= *levels.end();
            shares_level && span.meets(Span { min: &merge.min_key, max: &merge.max_key })
        })
    }

    fn is_busy(&self, run: &Meta) -> bool {
        let inputs = self.state.running.iter().flat_map(|merge| &merge.inputs);
        inputs.flat_map(|input| &input.runs).any(|id| *id == run.id)
    }

    fn level(&self, level: usize) -> &'a [&'a Meta] {
        self.state.levels.get(level).map_or(&[], Vec::as_slice)
    }

    /// The runs of `level`, 1 or deeper, that meet `span`: neighbours (K2).
    fn under(&self, level: usize, span: Span<'_>) -> &'a [&'a Meta] {
        assert!(level > 0, "the runs of level 0 are not sorted by key");
        let runs = self.level(level);
        let start = runs.partition_point(|run| run.max_key[..] < *span.min);
        let len = runs[start..].partition_point(|run| run.min_key[..] <= *span.max);
        &runs[start..start + len]
    }
}

/// The longest prefix of `runs` that fulfil `fits` and have up to `len_max` bytes together; at least one run, if it fits.
fn prefix<'a, 'b>(runs: &'b [&'a Meta], len_max: u64, fits: impl Fn(&Meta) -> bool) -> &'b [&'a Meta] {
    let mut len = 0_u64;
    let taken = runs.iter().take_while(|run| {
        let is_first = len == 0;
        len = len.saturating_add(run.file_len);
        fits(run) && (is_first || len <= len_max)
    });
    &runs[..taken.count()]
}
