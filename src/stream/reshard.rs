//! Splitting, merging and scaling: which shards are made from which.
//!
//! R1. At any time, the hash keys of the open shards are all hash keys, each once.
//! R2. An index is given once. A shard that is closed stays closed, with its records, until they have expired.
//! R3. The records of a hash key are in the order of its shards' lineage: a shard takes none after it was closed, and its
//!     children none before.

use crate::clock::Timestamp;
use crate::store::Store;
use crate::store::pending::Pending;
use crate::stream::change::put_record;
use crate::stream::error::Result;
use crate::stream::keys;
use crate::stream::meta::{ChangeKind, ShardRecord, StreamRecord};
use crate::stream::state::{self, Inner, StreamState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What becomes of a stream's shards.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Shards that are closed: present ones, or new ones that live for no time.
    closed: Vec<u32>,
    made: Vec<Planned>,
}

/// A shard to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Planned {
    index: u32,
    start: u128,
    end: u128,
    second: u64,
    parents: Vec<u32>,
}

/// The open shards while a plan is made.
#[derive(Debug)]
struct Draft {
    /// By their first hash key.
    open: BTreeMap<u128, Planned>,
    next: u32,
    second: u64,
    plan: Plan,
}

/// What a change makes of the shards. It does nothing about shards that are not open, or not neighbours.
pub(crate) fn plan(inner: &Inner, kind: ChangeKind, at: Timestamp) -> Plan {
    let mut draft = Draft::new(inner, at);
    match kind {
        ChangeKind::Split { shard, at } => {
            if let Some(start) = draft.start_of(shard) {
                draft.split(start, at);
            }
        }
        ChangeKind::Merge { shard, adjacent } => {
            if let (Some(start), Some(next)) = (draft.start_of(shard), draft.start_of(adjacent)) {
                draft.merge(start, next);
            }
        }
        ChangeKind::Scale { target } => draft.scale(target),
        ChangeKind::Create | ChangeKind::Delete | ChangeKind::Set => {}
    }
    draft.plan
}

impl Draft {
    fn new(inner: &Inner, at: Timestamp) -> Self {
        let planned = inner.open.iter().map(|shard| {
            let planned = Planned {
                index: shard.index,
                start: shard.start(),
                end: shard.end(),
                second: shard.second(),
                parents: Vec::new(),
            };
            (planned.start, planned)
        });
        Self {
            open: planned.collect(),
            next: inner.record.next_shard,
            second: at.as_secs(),
            plan: Plan::default(),
        }
    }

    fn start_of(&self, index: u32) -> Option<u128> {
        self.open.values().find(|shard| shard.index == index).map(|shard| shard.start)
    }

    /// A new shard takes over from `parents`. By its numbers it is made in a later second than they were, so that its
    /// numbers are above theirs.
    fn make(&mut self, start: u128, end: u128, parents: &[&Planned]) {
        let index = self.next;
        self.next += 1;
        let after = parents.iter().map(|parent| parent.second + 1).max().unwrap_or(0);
        let second = self.second.max(after);
        let parents = parents.iter().map(|parent| parent.index).collect();
        let planned = Planned { index, start, end, second, parents };
        self.plan.made.push(planned.clone());
        self.open.insert(start, planned);
    }

    fn close(&mut self, start: u128) -> Option<Planned> {
        let closed = self.open.remove(&start)?;
        self.plan.closed.push(closed.index);
        Some(closed)
    }

    /// Splits the shard that starts at `start` into what is below `at` and the rest.
    fn split(&mut self, start: u128, at: u128) {
        let Some(parent) = self.close(start) else { return };
        self.make(start, at - 1, &[&parent]);
        self.make(at, parent.end, &[&parent]);
    }

    /// Merges the shard that starts at `start` with the next, which starts at `next`.
    fn merge(&mut self, start: u128, next: u128) {
        let (Some(parent), Some(adjacent)) = (self.close(start), self.close(next)) else { return };
        self.make(start, adjacent.end, &[&parent, &adjacent]);
    }

    /// Makes `target` shards of them, about equally wide. As the service does it: each shard is split first if there are
    /// to be more, then neighbours are merged until there are as few as wanted.
    fn scale(&mut self, target: u32) {
        let wanted = boundaries(target);
        if self.open.len() < target as usize {
            for shard in self.open.values().cloned().collect::<Vec<_>>() {
                if let Some(at) = split_point(&shard, &wanted) {
                    self.split(shard.start, at);
                }
            }
        }
        let starts: Vec<u128> = self.open.keys().skip(1).copied().collect();
        let kept = nearest(&starts, &wanted);
        let mut first = 0;
        for start in starts {
            if kept.contains(&start) {
                first = start;
            } else {
                self.merge(first, start);
            }
        }
    }
}

/// Where the shards but the first start if `count` of them are equally wide.
fn boundaries(count: u32) -> Vec<u128> {
    crate::stream::hash::divide(count).skip(1).map(|range| *range.start()).collect()
}

/// Where to split a shard: at the wanted boundary within it that is nearest to its middle, at the middle if there is
/// none. `None` for a shard that is too narrow.
fn split_point(shard: &Planned, wanted: &[u128]) -> Option<u128> {
    let width = shard.end - shard.start;
    if width < 3 {
        return None;
    }
    let middle = shard.start + width / 2 + 1;
    let within = wanted.iter().copied().filter(|at| *at > shard.start + 1 && *at < shard.end);
    Some(within.min_by_key(|at| at.abs_diff(middle)).unwrap_or(middle))
}

/// As many of `starts` as are wanted, each the nearest to a wanted one that leaves enough for the others. Both are in order.
fn nearest(starts: &[u128], wanted: &[u128]) -> Vec<u128> {
    let mut kept = Vec::with_capacity(wanted.len());
    let mut from = 0;
    for (number, boundary) in wanted.iter().enumerate() {
        let spared = wanted.len() - number - 1;
        let candidates = starts.get(from..starts.len().saturating_sub(spared)).unwrap_or_default();
        let Some(best) = (0..candidates.len()).min_by_key(|at| candidates[*at].abs_diff(*boundary)) else {
            break;
        };
        kept.push(candidates[best]);
        from += best + 1;
    }
    kept
}

/// Writes a plan and puts it into effect. `record` is what the stream is from then on.
pub(crate) fn carry_out(
    store: &Store,
    stream: &StreamState,
    inner: &mut Inner,
    mut record: StreamRecord,
    plan: &Plan,
    at: Timestamp,
) -> Result<Pending<()>> {
    let mut batch = store.batch();
    for index in &plan.closed {
        if let Some(shard) = inner.shards.get(index) {
            let floor = shard.tail(store)?.floor;
            batch.put_in(inner.meta, &keys::shard(*index), &shard.record(Some(at), floor).encode())?;
        }
    }
    let mut spaces = inner.spaces();
    let mut made = Vec::with_capacity(plan.made.len());
    for planned in &plan.made {
        let space = batch.create_space()?;
        spaces.push(space);
        let shard = ShardRecord {
            space,
            second: planned.second,
            opened: at,
            closed: plan.closed.contains(&planned.index).then_some(at),
            start: planned.start,
            end: planned.end,
            parents: planned.parents.clone(),
            floor: 0,
        };
        batch.put_in(inner.meta, &keys::shard(planned.index), &shard.encode())?;
        record.next_shard = planned.index + 1;
        made.push((planned.index, shard));
    }
    put_record(&mut batch, &stream.name, &spaces, &record)?;
    let pending = store.commit(batch)?;
    inner.record = record;
    for (index, shard) in made {
        let shard = state::shard(store, &stream.name, index, shard)?;
        inner.shards.insert(index, Arc::new(shard));
    }
    let closed = plan.closed.iter().filter_map(|index| inner.shards.get(index));
    inner.woken.extend(closed.flat_map(|shard| shard.close(at)));
    inner.find_open();
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(count: u32) -> Draft {
        let open = crate::stream::hash::divide(count).zip(0..).map(|(range, index)| {
            let (start, end) = range.into_inner();
            (start, Planned { index, start, end, second: 9, parents: vec![] })
        });
        Draft { open: open.collect(), next: count, second: 9, plan: Plan::default() }
    }

    fn check_partition(draft: &Draft) {
        let mut next = Some(0);
        for shard in draft.open.values() {
            assert_eq!(Some(shard.start), next, "no gap and no overlap");
            assert!(shard.start <= shard.end);
            next = shard.end.checked_add(1);
        }
        assert_eq!(next, None, "to the last hash key");
    }

    /// Numbers of shards that the service was seen to end with, closed ones included.
    #[test]
    fn scaling_makes_as_many_shards_as_the_service() {
        for (from, to, total) in
            [(4, 5, 15), (10, 13, 37), (10, 3, 17), (2, 4, 6), (5, 3, 7), (1, 2, 3), (3, 3, 3)]
        {
            let mut draft = draft(from);
            draft.scale(to);
            assert_eq!(draft.open.len(), to as usize);
            assert_eq!(draft.next, total, "{from} to {to}");
            check_partition(&draft);
        }
    }

    #[test]
    fn doubling_halves_and_halving_joins() {
        let widths = |draft: &Draft| -> Vec<u128> {
            draft.open.values().map(|shard| shard.end - shard.start).collect()
        };
        let mut up = draft(4);
        up.scale(8);
        assert!(widths(&up).iter().all(|width| *width == (1 << 125) - 1));
        up.scale(4);
        assert!(widths(&up).iter().all(|width| *width == (1 << 126) - 1));
        let mut five = draft(4);
        five.scale(5);
        let fifth = u128::MAX / 5;
        assert!(widths(&five).iter().all(|width| width.abs_diff(fifth) < 10), "{:?}", widths(&five));
    }

    #[test]
    fn scaling_keeps_all_hash_keys_whatever_was_there() {
        for from in 1..12 {
            let mut draft = draft(from);
            for to in [from * 2, from, from.div_ceil(2), from, from + 1, 1, 2, 3, 6, 12, 24] {
                draft.scale(to);
                assert_eq!(draft.open.len(), to as usize, "from {from}");
                check_partition(&draft);
            }
        }
    }

    #[test]
    fn children_are_made_in_a_later_second_than_their_parents() {
        let mut draft = draft(4);
        draft.scale(5);
        let seconds: BTreeMap<u32, u64> =
            draft.plan.made.iter().map(|shard| (shard.index, shard.second)).collect();
        for shard in &draft.plan.made {
            for parent in &shard.parents {
                assert!(shard.second > seconds.get(parent).copied().unwrap_or(9));
            }
        }
    }
}
