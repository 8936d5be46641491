//! Which keyspaces live, and below which floor their keys are gone.
//!
//! K1. Ids are never used twice, so an id that is not here is dead for ever and compaction forgets its keys.
//! K2. Floors and drops carry the position of the frame that said them, and a reader at a snapshot sees those at or
//!     below it: they are as atomic as the rest of their batch.
//! K3. Everything here is derived: the manifest's list as of its `log_start`, then the frames above it, re-applied.
//!     Applying twice changes nothing.

use crate::position::Position;
use crate::tree::batch::{KEYSPACE_ID_LEN, OpKind, full_key};
use crate::tree::manifest::Keyspace;
use bytes::Bytes;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The first id given to a keyspace that is not built in.
pub(crate) const FIRST_KEYSPACE: u32 = 16;
/// Built in: name → id of every other keyspace.
pub(crate) const CATALOG: u32 = 1;
/// Built in: (blob segment, position) → the full key that refers to the blob there.
pub(crate) const BLOB_OWNERS: u32 = 2;

/// One live keyspace.
#[derive(Debug)]
pub(crate) struct KeyspaceState {
    id: u32,
    created: Position,
    /// Set once there is a floor or a drop; until then a read pays one relaxed load.
    fenced: AtomicBool,
    fences: RwLock<Fences>,
}

/// What cuts off keys of a keyspace.
#[derive(Debug, Default)]
struct Fences {
    /// Floors as (position, full key), by position; each is above all before it.
    floors: Vec<(Position, Bytes)>,
    /// The highest that is no longer listed: for a point read that chose its position so long ago that nothing is listed
    /// for it any more. It may see this one, which came before the read ended.
    forgotten: Option<Bytes>,
    dropped: Option<Position>,
}

/// What a reader may see of a keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    /// Everything.
    None,
    /// Only keys at or above this full key.
    Floor(Bytes),
    /// Nothing: it is dropped.
    Dropped,
}

impl KeyspaceState {
    fn new(id: u32, created: Position) -> Self {
        Self { id, created, fenced: AtomicBool::new(false), fences: RwLock::default() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// The position of the frame that made it.
    pub(crate) fn created(&self) -> Position {
        self.created
    }

    /// What cuts the keyspace off for a reader at `at`.
    #[inline]
    pub(crate) fn fence(&self, at: Position) -> Fence {
        // Acquire: pairs with the Release in `push_floor` and `set_dropped`. A frame is visible only after it was
        // applied, so a reader that may see the floor's frame also sees the flag.
        if !self.fenced.load(Ordering::Acquire) {
            return Fence::None;
        }
        let fences = self.fences.read();
        if fences.dropped.is_some_and(|position| position <= at) {
            return Fence::Dropped;
        }
        let seen = fences.floors.iter().rev().find(|(position, _)| *position <= at).map(|(_, floor)| floor);
        seen.or(fences.forgotten.as_ref()).map_or(Fence::None, |floor| Fence::Floor(floor.clone()))
    }

    /// Is it dropped for every reader from now on?
    pub(crate) fn is_dropped(&self) -> bool {
        self.fence(Position::MAX) == Fence::Dropped
    }

    fn push_floor(&self, at: Position, floor: &[u8]) {
        if floor.len() <= KEYSPACE_ID_LEN {
            return; // nothing is below the empty key
        }
        let mut fences = self.fences.write();
        let index = fences.floors.partition_point(|(position, _)| *position < at);
        if let Some((position, known)) = fences.floors.get_mut(index)
            && *position == at
        {
            // A second floor within one batch: the higher one holds.
            if known[..] < *floor {
                *known = Bytes::copy_from_slice(floor);
            }
        } else if index == 0 || fences.floors[index - 1].1[..] < *floor {
            fences.floors.insert(index, (at, Bytes::copy_from_slice(floor)));
        }
        // Concurrent batches may arrive out of order: a floor only ever raises what stands behind it.
        let above =
            fences.floors.get(index).filter(|(position, _)| *position == at).map(|(_, floor)| floor.clone());
        if let Some(floor) = above {
            // Each is above all before it, so those that say nothing any more stand side by side.
            let behind = index + 1;
            let spared = fences.floors[behind..].partition_point(|(_, later)| *later <= floor);
            fences.floors.drain(behind..behind + spared);
        }
        self.fenced.store(true, Ordering::Release);
    }

    fn set_dropped(&self, at: Position) {
        let mut fences = self.fences.write();
        fences.dropped = Some(fences.dropped.map_or(at, |known| known.min(at)));
        self.fenced.store(true, Ordering::Release);
    }
}

/// Every live keyspace of a store.
#[derive(Debug)]
pub(crate) struct Keyspaces {
    live: RwLock<BTreeMap<u32, Arc<KeyspaceState>>>,
}

impl Keyspaces {
    /// The keyspaces of a manifest, and the built-in ones.
    pub(crate) fn new(listed: &[Keyspace]) -> Self {
        let mut live = BTreeMap::new();
        for id in [CATALOG, BLOB_OWNERS] {
            live.insert(id, Arc::new(KeyspaceState::new(id, Position::ZERO)));
        }
        for keyspace in listed {
            let state = KeyspaceState::new(keyspace.id, keyspace.created);
            if let Some((at, floor)) = &keyspace.floor {
                state.push_floor(*at, &full_key(keyspace.id, floor));
            }
            live.insert(keyspace.id, Arc::new(state));
        }
        Self { live: RwLock::new(live) }
    }

    /// Carries out one control operation of a frame at `at`.
    pub(crate) fn apply(&self, kind: OpKind, id: u32, key: &[u8], at: Position) {
        match kind {
            OpKind::Entry(_) => {}
            OpKind::Create => {
                self.live.write().entry(id).or_insert_with(|| Arc::new(KeyspaceState::new(id, at)));
            }
            OpKind::Floor => {
                if let Some(state) = self.get(id) {
                    state.push_floor(at, key);
                }
            }
            OpKind::Drop => {
                if let Some(state) = self.get(id) {
                    state.set_dropped(at);
                }
            }
        }
    }

    pub(crate) fn get(&self, id: u32) -> Option<Arc<KeyspaceState>> {
        self.live.read().get(&id).cloned()
    }

    /// The ids that are live for a reader from now on.
    pub(crate) fn live(&self) -> Vec<u32> {
        let live = self.live.read();
        live.values().filter(|state| !state.is_dropped()).map(|state| state.id).collect()
    }

    /// All ids that some reader may still see.
    pub(crate) fn known(&self) -> Vec<u32> {
        self.live.read().keys().copied().collect()
    }

    /// Above every id that was ever seen here.
    pub(crate) fn next_id(&self) -> u32 {
        self.live.read().last_key_value().map_or(0, |(id, _)| id + 1)
    }

    /// A copy that goes its own way.
    pub(crate) fn fork(&self) -> Self {
        let copy = |state: &Arc<KeyspaceState>| {
            let fences = state.fences.read();
            Arc::new(KeyspaceState {
                id: state.id,
                created: state.created,
                fenced: AtomicBool::new(state.fenced.load(Ordering::Acquire)),
                fences: RwLock::new(Fences {
                    floors: fences.floors.clone(),
                    forgotten: fences.forgotten.clone(),
                    dropped: fences.dropped,
                }),
            })
        };
        let live = self.live.read().iter().map(|(id, state)| (*id, copy(state))).collect();
        Self { live: RwLock::new(live) }
    }

    /// The list for a manifest whose log starts at `log_start`: what the frames below it said.
    pub(crate) fn listed(&self, log_start: Position) -> Vec<Keyspace> {
        let live = self.live.read();
        let listed = live.values().filter_map(|state| {
            let fences = state.fences.read();
            let is_live = state.id >= FIRST_KEYSPACE
                && state.created < log_start
                && fences.dropped.is_none_or(|at| at >= log_start);
            is_live.then(|| Keyspace {
                id: state.id,
                created: state.created,
                floor: fences
                    .floors
                    .iter()
                    .rev()
                    .find(|(at, _)| *at < log_start)
                    .map(|(at, floor)| (*at, floor.slice(KEYSPACE_ID_LEN..))),
            })
        });
        listed.collect()
    }

    /// The ranges of full keys that nobody at or after `oldest` can see, in order and disjoint: ids that are not live
    /// and keys below floors. Ids from `next_id` on are not judged: they may be created any moment.
    pub(crate) fn dead_ranges(&self, oldest: Position, next_id: u32) -> Vec<Range<Bytes>> {
        let start_of = |id: u32| Bytes::from(full_key(id, &[]));
        let mut dead: Vec<Range<Bytes>> = Vec::new();
        let mut push = |range: Range<Bytes>| match dead.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.end == range.start => last.end = range.end,
            _ => dead.push(range),
        };
        let mut next = 0;
        for (&id, state) in self.live.read().iter() {
            push(start_of(next)..start_of(id));
            match state.fence(oldest) {
                Fence::None => {}
                Fence::Floor(floor) => push(start_of(id)..floor),
                Fence::Dropped => push(start_of(id)..start_of(id + 1)),
            }
            next = id + 1;
        }
        if next < next_id {
            push(start_of(next)..start_of(next_id));
        }
        dead
    }

    /// Forgets what only readers before `oldest` and logs before `log_start` could ask for.
    pub(crate) fn prune(&self, oldest: Position, log_start: Position) {
        let horizon = oldest.min(log_start);
        self.live.write().retain(|_, state| {
            let mut fences = state.fences.write();
            let current = fences.floors.partition_point(|(at, _)| *at < horizon);
            if current > 1 {
                let highest = fences.floors.drain(..current - 1).next_back();
                fences.forgotten = highest.map(|(_, floor)| floor);
            }
            fences.dropped.is_none_or(|at| at >= horizon)
        });
    }
}

/// The first full key behind keyspace `id`.
pub(crate) fn end_of(id: u32) -> Vec<u8> {
    debug_assert!(id < u32::MAX);
    full_key(id + 1, &[])
}

const _: () = assert!(KEYSPACE_ID_LEN == size_of::<u32>());

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u64) -> Position {
        Position::new(position)
    }

    fn floor_at(state: &KeyspaceState, position: u64) -> Option<Vec<u8>> {
        match state.fence(at(position)) {
            Fence::Floor(floor) => Some(floor[KEYSPACE_ID_LEN..].to_vec()),
            _ => None,
        }
    }

    #[test]
    fn floors_are_seen_from_their_position_on_and_only_rise() {
        let keyspaces = Keyspaces::new(&[]);
        keyspaces.apply(OpKind::Create, 20, &[], at(10));
        let state = keyspaces.get(20).unwrap();
        let raise =
            |position, key: &[u8]| keyspaces.apply(OpKind::Floor, 20, &full_key(20, key), at(position));
        raise(40, b"d");
        raise(30, b"b"); // arrives late, is older and lower: still what a reader at 30 sees
        raise(50, b"c"); // lower than what stands: changes nothing
        raise(60, b"f");
        raise(60, b"g");
        assert_eq!(floor_at(&state, 20), None);
        assert_eq!(floor_at(&state, 30), Some(b"b".to_vec()));
        assert_eq!(floor_at(&state, 40), Some(b"d".to_vec()));
        assert_eq!(floor_at(&state, 59), Some(b"d".to_vec()));
        assert_eq!(floor_at(&state, 60), Some(b"g".to_vec()));
        raise(45, b"z"); // older but higher than all later ones: they say nothing any more
        assert_eq!(floor_at(&state, 44), Some(b"d".to_vec()));
        assert_eq!(floor_at(&state, 70), Some(b"z".to_vec()));
    }

    /// A point read chooses its position without telling anybody, and may come back to it late.
    #[test]
    fn below_a_floor_that_is_forgotten_nobody_sees_more() {
        let keyspaces = Keyspaces::new(&[]);
        keyspaces.apply(OpKind::Create, 20, &[], at(10));
        let state = keyspaces.get(20).unwrap();
        for (position, key) in [(20, b"b"), (30, b"d"), (50, b"f")] {
            keyspaces.apply(OpKind::Floor, 20, &full_key(20, key), at(position));
        }
        assert_eq!(floor_at(&state, 15), None);
        keyspaces.prune(at(60), at(60));
        assert_eq!(floor_at(&state, 40), Some(b"d".to_vec()));
        assert_eq!(floor_at(&state, 60), Some(b"f".to_vec()));
    }

    #[test]
    fn dead_ranges_are_gaps_floors_and_drops() {
        let keyspaces = Keyspaces::new(&[]);
        for id in [20, 22, 23] {
            keyspaces.apply(OpKind::Create, id, &[], at(10));
        }
        keyspaces.apply(OpKind::Floor, 22, &full_key(22, b"m"), at(20));
        keyspaces.apply(OpKind::Drop, 23, &[], at(30));
        let range = |from: Vec<u8>, to: Vec<u8>| Bytes::from(from)..Bytes::from(to);
        let key = |id: u32, key: &[u8]| full_key(id, key);
        assert_eq!(
            keyspaces.dead_ranges(at(100), 25),
            [
                range(key(0, b""), key(1, b"")),
                range(key(3, b""), key(20, b"")),
                range(key(21, b""), key(22, b"m")),
                range(key(23, b""), key(25, b"")),
            ]
        );
        let before_the_drop = keyspaces.dead_ranges(at(25), 24);
        assert_eq!(before_the_drop.last(), Some(&range(key(21, b""), key(22, b"m"))));
        assert_eq!(keyspaces.dead_ranges(at(15), 23).last(), Some(&range(key(21, b""), key(22, b""))));
    }

    #[test]
    fn the_list_is_what_the_log_below_its_start_said() {
        let keyspaces = Keyspaces::new(&[]);
        keyspaces.apply(OpKind::Create, 20, &[], at(10));
        keyspaces.apply(OpKind::Create, 21, &[], at(50));
        keyspaces.apply(OpKind::Floor, 20, &full_key(20, b"a"), at(15));
        keyspaces.apply(OpKind::Floor, 20, &full_key(20, b"b"), at(60));
        keyspaces.apply(OpKind::Drop, 20, &[], at(70));
        let listed = |start| {
            keyspaces.listed(at(start)).into_iter().filter(|k| k.id >= FIRST_KEYSPACE).collect::<Vec<_>>()
        };
        let floor = |position, key: &[u8]| Some((at(position), Bytes::copy_from_slice(key)));
        assert_eq!(listed(40), [Keyspace { id: 20, created: at(10), floor: floor(15, b"a") }]);
        assert_eq!(listed(65)[0].floor, floor(60, b"b"));
        assert_eq!(listed(80), [Keyspace { id: 21, created: at(50), floor: None }]);
        keyspaces.prune(at(80), at(80));
        assert!(keyspaces.get(20).is_none());
    }
}
