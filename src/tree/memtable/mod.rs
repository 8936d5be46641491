//! The newest entries, in memory, in key order: what a log segment says, folded while it is written.
//!
//! A memtable only grows until it is dropped as a whole; a delete is a version like any other. So there is nothing
//! to reclaim, and everything can lie in a bump [`arena`] and be referred to by plain pointers ([`link`]): a tree of
//! [`node`]s over [`record`]s, one per key, each with the versions of its key. A [`cursor`] reads it as of a position.
//!
//! Readers take no lock: they descend optimistically and start over if a node changed under them. A writer descends
//! in the same way, splits full inner nodes on its way (so a split never has to climb) and locks the one leaf it
//! changes, or the two nodes of a split. A further version of a known key locks nothing.
//!
//! T1. A parent that is unchanged after a child's stamp was taken proves that, at that moment, the child covered the
//!     key: to split the child, the parent must be locked. From then on the child's own stamp is enough.
//! T2. Locks are taken from the parent to the child and never waited for, so they cannot form a circle.
//! T3. Whoever inserted before (happens-before) a read is seen by it: words of a node that the insertion stored can
//!     only be followed by later ones.
//!
//! Obligations of the unsafe code, cited where they are met:
//! M1. *Alive.* Memory from an arena is given once and stays until the memtable is dropped, and every reference into
//!     it carries a borrow of the memtable.
//! M2. *Complete.* A thing is initialised before a link to it is stored with Release; links are loaded with Acquire.
//! M3. *Whole.* A link to something with more behind its head (the key of a record, the children of an inner node)
//!     holds the pointer that the arena gave for all of it. A link only ever gets references into its own table.
//! M4. *Shared.* What others can see changes only by atomics; keys, versions and levels never do.
//! M5. *Torn.* What was read of a node that has changed meanwhile is used for nothing but bounds-checked indices and
//!     following links, each of which is good by itself.
//!
//! Not here: values (a [`Slot`] says where in the segment one lies), what is visible to whom (the caller's
//! position), when a memtable is full.
mod arena;
mod cursor;
mod link;
mod node;
mod record;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;

use self::arena::Arena;
pub(crate) use self::cursor::Cursor;
use self::cursor::Page;
use self::link::{Link, Ref};
use self::node::{Guard, Node, Place, Stamp};
use self::record::Record;
use crate::position::Position;
use crate::tree::entry::Kind;

/// Threads that write at the same time without sharing an allocator.
const LANES: usize = 8;

/// What one version says, and where in the table's segment its value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    /// Within the segment, so below the largest segment's size.
    pub(crate) offset: u32,
    pub(crate) len: u32,
}

/// An ordered, versioned map that many threads may fill and read at once.
#[derive(Debug)]
pub(crate) struct Memtable {
    /// Null until the first insertion.
    root: Link<Node>,
    /// Different from that of every other memtable of the process.
    identity: u64,
    lanes: [CachePadded<Lane>; LANES],
}

/// What the threads of one lane share, apart from the others.
#[derive(Debug)]
struct Lane {
    arena: Arena,
    /// The leaf at whose end a key was inserted last: the next one in order goes there too.
    tail: Link<Node>,
}

/// What a descent looks for.
#[derive(Clone, Copy, Debug)]
enum Aim<'k> {
    /// The leaf that covers the key.
    At(&'k [u8]),
    /// The leaf that covers what is just before the key.
    Before(&'k [u8]),
}

/// A node on the way down, its stamp, and its parent with the parent's stamp and the node's index there.
#[derive(Clone, Copy, Debug)]
struct Step<'t> {
    node: Ref<'t, Node>,
    stamp: Stamp,
    parent: Option<(Ref<'t, Node>, Stamp, usize)>,
}

/// Something changed meanwhile, or a node was split: start over.
#[derive(Debug)]
struct Again;

impl Memtable {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let lane = || Lane { arena: Arena::new(), tail: Link::null() };
        Self {
            root: Link::null(),
            // Relaxed: only has to be different each time.
            identity: NEXT.fetch_add(1, Ordering::Relaxed),
            lanes: std::array::from_fn(|_| CachePadded::new(lane())),
        }
    }

    /// A table of entries that come by key ascending and, within a key, by version descending.
    pub(crate) fn from_sorted<K: AsRef<[u8]>>(
        entries: impl IntoIterator<Item = (K, Position, Slot)>,
    ) -> Self {
        let table = Self::new();
        // The versions of a key are turned around: the newest is inserted at the head of its list, at once.
        let mut versions = Vec::new();
        let mut entries = entries.into_iter().peekable();
        while let Some((key, version, slot)) = entries.next() {
            versions.push((version, slot));
            if entries.peek().is_some_and(|(next, ..)| next.as_ref() == key.as_ref()) {
                continue;
            }
            for (version, slot) in versions.drain(..).rev() {
                table.insert(key.as_ref(), version, slot);
            }
        }
        table
    }

    /// Adds a version of `key`. A version that is already there is corrected: the last one of a frame wins.
    pub(crate) fn insert(&self, key: &[u8], version: Position, slot: Slot) {
        let lane = self.lane();
        // Kept from one try to the next.
        let mut fresh = None;
        let mut fresh = || *fresh.get_or_insert_with(|| Ref::record(&lane.arena, key, version, slot));
        let known = loop {
            if let Ok(known) = self.try_insert(lane, key, &mut fresh) {
                break known;
            }
        };
        if let Some(record) = known {
            record.add(&lane.arena, version, slot);
        }
    }

    /// The newest version of `key` at or before `at`.
    pub(crate) fn get(&self, key: &[u8], at: Position) -> Option<(Position, Slot)> {
        loop {
            let Step { node, stamp, .. } = self.descend(Aim::At(key))?;
            match node.find(key) {
                Some(Place { found: Some(record), .. }) => return record.visible(at),
                Some(_) if node.unchanged(stamp) => return None,
                _ => {}
            }
        }
    }

    /// All versions, by key ascending, newest first within a key.
    pub(crate) fn versions(&self) -> impl Iterator<Item = (&[u8], Position, Slot)> {
        let first = self.page(Aim::At(&[]), |_| Some(0)).map(|(page, _)| page);
        std::iter::successors(first, Page::next)
            .flat_map(Page::into_records)
            .flat_map(|record| record.versions().map(move |(version, slot)| (record.key(), version, slot)))
    }

    /// Bytes taken from the system.
    pub(crate) fn allocated(&self) -> usize {
        self.lanes.iter().map(|lane| lane.arena.allocated()).sum()
    }

    /// The lane of the calling thread: threads are dealt to the lanes in turn.
    fn lane(&self) -> &Lane {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! { static LANE: Cell<usize> = const { Cell::new(usize::MAX) } }
        let mut lane = LANE.get();
        if lane == usize::MAX {
            // Relaxed: any number will do.
            lane = NEXT.fetch_add(1, Ordering::Relaxed) % LANES;
            LANE.set(lane);
        }
        &self.lanes[lane]
    }

    /// The root, to descend from; none in an empty table.
    fn top(&self) -> Result<Option<Step<'_>>, Again> {
        let Some(node) = self.root.load() else { return Ok(None) };
        let stamp = node.begin();
        // A split of the root stores the new one before it unlocks the old one.
        if self.root.load() == Some(node) { Ok(Some(Step { node, stamp, parent: None })) } else { Err(Again) }
    }

    fn try_descend(&self, aim: Aim<'_>) -> Result<Option<Step<'_>>, Again> {
        let Some(mut step) = self.top()? else { return Ok(None) };
        while let Some(child) = step.down(aim)? {
            step = child;
        }
        Ok(Some(step))
    }

    /// The leaf that `aim` means; none in an empty table.
    fn descend(&self, aim: Aim<'_>) -> Option<Step<'_>> {
        loop {
            if let Ok(leaf) = self.try_descend(aim) {
                return leaf;
            }
        }
    }

    /// Reads the leaf that `aim` means, and `place` in it, as of one moment.
    fn page<'t>(
        &'t self,
        aim: Aim<'_>,
        place: impl Fn(Ref<'t, Node>) -> Option<usize>,
    ) -> Option<(Page<'t>, usize)> {
        loop {
            let Step { node, stamp, .. } = self.descend(aim)?;
            if let Some(read) = Page::read(node, stamp, &place) {
                return Some(read);
            }
        }
    }

    /// Puts the record that `fresh` makes into its leaf, unless the key has one: then that is the result.
    fn try_insert<'t>(
        &'t self,
        lane: &'t Lane,
        key: &[u8],
        fresh: &mut impl FnMut() -> Ref<'t, Record>,
    ) -> Result<Option<Ref<'t, Record>>, Again> {
        if let Some(step) = lane.tail_for(key) {
            return self.insert_into(lane, step, key, fresh);
        }
        let Some(mut step) = self.top()? else {
            self.root.replace(None, Ref::first_leaf(&lane.arena));
            return Err(Again);
        };
        while let Some(child) = step.down(Aim::At(key))? {
            if step.node.is_full() {
                let index = child.parent.map_or(0, |(.., index)| index);
                self.split(lane, step, |node| node.split_inner(&lane.arena, index))?;
                return Err(Again);
            }
            step = child;
        }
        self.insert_into(lane, step, key, fresh)
    }

    fn insert_into<'t>(
        &'t self,
        lane: &'t Lane,
        Step { node, stamp, parent }: Step<'t>,
        key: &[u8],
        fresh: &mut impl FnMut() -> Ref<'t, Record>,
    ) -> Result<Option<Ref<'t, Record>>, Again> {
        let Place { index, found } = node.find(key).ok_or(Again)?;
        if found.is_some() {
            return Ok(found);
        }
        let at_end = index == node.count();
        let record = fresh();
        let mut tail = node;
        if node.is_full() {
            let split = |leaf: &Guard<'t>| leaf.split_leaf(&lane.arena, index, record);
            tail = self.split(lane, Step { node, stamp, parent }, split)?;
        } else {
            node.lock(stamp).ok_or(Again)?.insert(index, record);
        }
        if at_end {
            lane.tail.store(Some(tail));
        }
        Ok(None)
    }

    /// Splits a node below a parent that has room, or the root. Gives the new right half.
    fn split<'t>(
        &'t self,
        lane: &'t Lane,
        Step { node, stamp, parent }: Step<'t>,
        split: impl FnOnce(&Guard<'t>) -> (Ref<'t, Record>, Ref<'t, Node>),
    ) -> Result<Ref<'t, Node>, Again> {
        let parent = match parent {
            Some((parent, stamp, index)) => Some((parent.lock(stamp).ok_or(Again)?, index)),
            None => None,
        };
        // Unlocked before the parent (T1): it is declared after it.
        let locked = node.lock(stamp).ok_or(Again)?;
        let (separator, right) = split(&locked);
        match &parent {
            Some((parent, index)) => parent.insert_child(*index, separator, right),
            // Still the root: a split would have changed its stamp.
            None => self.root.store(Some(Ref::root_above(&lane.arena, node, separator, right))),
        }
        Ok(right)
    }
}

impl Lane {
    /// The lane's tail, if `key` belongs there and it has room.
    fn tail_for(&self, key: &[u8]) -> Option<Step<'_>> {
        let node = self.tail.load()?;
        let stamp = node.begin();
        if !node.is_full() && node.covers(key) && node.unchanged(stamp) {
            return Some(Step { node, stamp, parent: None });
        }
        // Not again and again for keys in no order.
        self.tail.store(None);
        None
    }
}

impl Step<'_> {
    /// One level down; none below a leaf.
    fn down(&self, aim: Aim<'_>) -> Result<Option<Self>, Again> {
        let Some(children) = self.node.children() else { return Ok(None) };
        let index = match aim {
            Aim::At(key) => {
                let place = self.node.find(key).ok_or(Again)?;
                place.index + usize::from(place.found.is_some())
            }
            Aim::Before(key) => self.node.find(key).ok_or(Again)?.index,
        };
        let node = children[index].load().ok_or(Again)?;
        node.prefetch();
        let stamp = node.begin();
        // T1
        let parent = Some((self.node, self.stamp, index));
        if self.node.unchanged(self.stamp) { Ok(Some(Self { node, stamp, parent })) } else { Err(Again) }
    }
}
