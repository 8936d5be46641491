//! The nodes of the tree: how one is searched, changed and split.
//!
//! N1. A node holds the keys of `[low, high)`. `low` never changes and `high` only comes down, when the node splits;
//!     the part split off is a new node right of it. Nodes are never merged, emptied or moved.
//! N2. All keys of a node and both its fences begin with the same `skip` bytes. A word of a node is the 8 bytes of
//!     the key behind these, big endian, padded with zeros, so different words are in the order of their keys and
//!     only equal ones need a look at the records. The narrower a node's range, the more of the common prefix is
//!     skipped, so long prefixes cost nothing below the top of the tree.
//! N3. A leaf's records are its content. An inner node's records are separators: child `i` is left of record `i`,
//!     child `i + 1` holds what is equal or greater.
//! N4. The lock word is odd while a writer is at work and grows with each. A reader notes an even word, reads, and
//!     must find the word unchanged before it believes what it read; until then counts, positions and words may
//!     belong to different moments, though every reference is good (M5).
#![expect(
    unsafe_code,
    reason = "children lie behind the head of an inner node; obligations in the parent module"
)]

use std::cmp::Ordering as Order;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::arena::Arena;
use super::link::{Link, Ref};
use super::record::Record;

/// Records in a full node. Measured: 24 to 64 are alike, fewer cost more on long shared prefixes.
pub(super) const CAPACITY: usize = if cfg!(miri) { 4 } else { 32 };

/// A leaf, or the head of an [`Inner`].
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Node {
    lock: AtomicU64,
    count: AtomicU32,
    skip: AtomicU32,
    /// The index behind the record inserted last, which is where the next one belongs if keys come in order.
    run: AtomicU32,
    /// Levels below; 0 is a leaf.
    level: u32,
    /// The lower fence; null is before every key.
    low: Link<Record>,
    /// The upper fence; null is after every key.
    high: Link<Record>,
    /// The leaf right of this one. Unused in inner nodes.
    next: Link<Node>,
    words: [AtomicU64; CAPACITY],
    records: [Link<Record>; CAPACITY],
}

#[derive(Debug)]
#[repr(C)]
struct Inner {
    node: Node,
    children: [Link<Node>; CAPACITY + 1],
}

/// An even lock word, as a reader found it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp(u64);

/// Where a key is, or belongs, in a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'t> {
    /// Records less than the key.
    pub(super) index: usize,
    /// The record of the key itself.
    pub(super) found: Option<Ref<'t, Record>>,
}

/// The 8 bytes of `key` from `skip` on.
fn word(key: &[u8], skip: usize) -> u64 {
    let rest = key.get(skip..).unwrap_or(&[]);
    if let Some(first) = rest.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut padded = [0; 8];
    padded[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(padded)
}

/// How many bytes all keys between two fences have in common.
#[expect(clippy::cast_possible_truncation, reason = "a key is at most 64 KiB long")]
fn common_prefix(low: Option<Ref<'_, Record>>, high: Option<Ref<'_, Record>>) -> u32 {
    let (Some(low), Some(high)) = (low, high) else { return 0 };
    low.key().iter().zip(high.key()).take_while(|(low, high)| low == high).count() as u32
}

impl Node {
    fn new(
        level: u32,
        low: Option<Ref<'_, Record>>,
        high: Option<Ref<'_, Record>>,
        next: Option<Ref<'_, Node>>,
    ) -> Self {
        Self {
            lock: AtomicU64::new(0),
            count: AtomicU32::new(0),
            skip: AtomicU32::new(common_prefix(low, high)),
            run: AtomicU32::new(u32::MAX),
            level,
            low: Link::to(low),
            high: Link::to(high),
            next: Link::to(next),
            words: [const { AtomicU64::new(0) }; CAPACITY],
            records: [const { Link::null() }; CAPACITY],
        }
    }

    /// Begins reading; waits for a writer at work.
    pub(super) fn begin(&self) -> Stamp {
        let mut turn = 0;
        loop {
            // Acquire: pairs with the Release of `Guard::drop`; we see all of the change that this word ended.
            let lock = self.lock.load(Ordering::Acquire);
            if lock.is_multiple_of(2) {
                return Stamp(lock);
            }
            crate::sync::relax(&mut turn);
        }
    }

    /// Whether everything read since `begin` is of one moment (N4).
    pub(super) fn unchanged(&self, stamp: Stamp) -> bool {
        // Pairs with the Release fence of `lock`: if we read a word that a writer has stored, we see its lock here.
        fence(Ordering::Acquire);
        // Relaxed: the fence orders it.
        self.lock.load(Ordering::Relaxed) == stamp.0
    }

    pub(super) fn count(&self) -> usize {
        // Relaxed: believed only when `unchanged` (N4), like all plain words of a node.
        (self.count.load(Ordering::Relaxed) as usize).min(CAPACITY)
    }

    fn set_count(&self, count: usize) {
        let count = u32::try_from(count).expect("at most the capacity");
        // Relaxed: under the lock, whose release publishes it; as for all plain words of a node.
        self.count.store(count, Ordering::Relaxed);
    }

    pub(super) fn is_full(&self) -> bool {
        self.count() == CAPACITY
    }

    pub(super) fn low(&self) -> Option<Ref<'_, Record>> {
        self.low.load()
    }

    pub(super) fn next(&self) -> Option<Ref<'_, Node>> {
        self.next.load()
    }

    pub(super) fn records(&self) -> &[Link<Record>] {
        &self.records[..self.count()]
    }

    /// Whether `key` is between the fences.
    pub(super) fn covers(&self, key: &[u8]) -> bool {
        self.low.load().is_none_or(|low| low.key() <= key)
            && self.high.load().is_none_or(|high| key < high.key())
    }

    fn skip(&self) -> usize {
        self.skip.load(Ordering::Relaxed) as usize
    }

    fn put(&self, index: usize, record: Ref<'_, Record>) {
        self.words[index].store(word(record.key(), self.skip()), Ordering::Relaxed);
        self.records[index].store(Some(record));
    }

    /// Sets the count and the upper fence after records have moved away, and makes use of the narrower range (N2).
    fn truncate(&self, count: usize, high: Ref<'_, Record>) {
        self.set_count(count);
        self.high.store(Some(high));
        let skip = common_prefix(self.low.load(), Some(high));
        if self.skip.swap(skip, Ordering::Relaxed) == skip {
            return;
        }
        for (word_of, record) in self.words.iter().zip(self.records()) {
            let record = record.load().expect("counted, under the lock");
            word_of.store(word(record.key(), skip as usize), Ordering::Relaxed);
        }
    }
}

impl<'t> Ref<'t, Node> {
    pub(super) fn first_leaf(arena: &'t Arena) -> Self {
        Self::leaf(arena, None, None, None)
    }

    fn leaf(
        arena: &'t Arena,
        low: Option<Ref<'t, Record>>,
        high: Option<Ref<'t, Record>>,
        next: Option<Ref<'t, Node>>,
    ) -> Self {
        let place = arena.place(Node::new(0, low, high, next));
        // SAFETY: M1, M2, M3: just placed, whole; level 0, so nobody looks behind the head.
        unsafe { Ref::new(place) }
    }

    fn inner(
        arena: &'t Arena,
        level: u32,
        low: Option<Ref<'t, Record>>,
        high: Option<Ref<'t, Record>>,
        first: Ref<'t, Node>,
    ) -> Self {
        assert!(level > 0);
        let children = [const { Link::null() }; CAPACITY + 1];
        let place = arena.place(Inner { node: Node::new(level, low, high, None), children });
        // SAFETY: M1, M2, M3: just placed, whole, and the pointer is the arena's.
        let node: Self = unsafe { Ref::new(place.cast()) };
        node.children().expect("level above 0")[0].store(Some(first));
        node
    }

    /// A root above two halves of the old one.
    pub(super) fn root_above(
        arena: &'t Arena,
        left: Ref<'t, Node>,
        middle: Ref<'t, Record>,
        right: Ref<'t, Node>,
    ) -> Self {
        let root = Self::inner(arena, left.level + 1, None, None, left);
        root.put(0, middle);
        root.set_count(1);
        root.children().expect("level above 0")[1].store(Some(right));
        root
    }

    /// The children; none for a leaf.
    pub(super) fn children(self) -> Option<&'t [Link<Node>; CAPACITY + 1]> {
        if self.level == 0 {
            return None;
        }
        let inner = self.pointer().cast::<Inner>().as_ptr();
        // SAFETY: M3, a node above level 0 is the head of an `Inner` and the pointer that of all of it; M1, M2, M4.
        Some(unsafe { &(*inner).children })
    }

    /// Looks `key` up between the node's fences. `None` if a writer was seen at work.
    ///
    /// A record found is the right one whether or not the node is unchanged: a key has only one (R1).
    pub(super) fn find(self, key: &[u8]) -> Option<Place<'t>> {
        let node = self.get();
        let wanted = word(key, node.skip());
        let (mut index, mut above) = (0, 0);
        // Counting all words beats a binary search: no load waits for the one before, so the cache lines of a cold
        // leaf come at once.
        for word in &node.words[..node.count()] {
            let word = word.load(Ordering::Relaxed);
            index += usize::from(word < wanted);
            above += usize::from(word <= wanted);
        }
        while index < above {
            let middle = index.midpoint(above);
            let record = node.records[middle].load()?;
            match record.key().cmp(key) {
                Order::Less => index = middle + 1,
                Order::Equal => return Some(Place { index: middle, found: Some(record) }),
                Order::Greater => above = middle,
            }
        }
        Some(Place { index, found: None })
    }

    /// Locks the node, if nothing has changed since `stamp`.
    pub(super) fn lock(self, stamp: Stamp) -> Option<Guard<'t>> {
        // Acquire: pairs with the Release of `Guard::drop`. Relaxed on failure: the caller starts over.
        let lock = &self.lock;
        lock.compare_exchange(stamp.0, stamp.0 + 1, Ordering::Acquire, Ordering::Relaxed).ok()?;
        // Pairs with the Acquire fence of `unchanged`: no change of ours is seen without the lock.
        fence(Ordering::Release);
        Some(Guard { node: self, stamp })
    }
}

/// The right to change a node.
#[derive(Debug)]
pub(super) struct Guard<'t> {
    node: Ref<'t, Node>,
    stamp: Stamp,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // Release: pairs with the Acquire of `begin` and `lock`.
        self.node.lock.store(self.stamp.0 + 2, Ordering::Release);
    }
}

impl<'t> Guard<'t> {
    /// Puts a record into a leaf that is not full.
    pub(super) fn insert(&self, index: usize, record: Ref<'t, Record>) {
        let node = self.node.get();
        let count = node.count();
        for at in (index..count).rev() {
            let word = node.words[at].load(Ordering::Relaxed);
            node.words[at + 1].store(word, Ordering::Relaxed);
            node.records[at + 1].store(node.records[at].load());
        }
        node.put(index, record);
        node.set_count(count + 1);
        node.run.store(u32::try_from(index + 1).expect("at most the capacity"), Ordering::Relaxed);
    }

    /// Puts what was split off from child `index` right of it, into an inner node that is not full.
    pub(super) fn insert_child(&self, index: usize, separator: Ref<'t, Record>, right: Ref<'t, Node>) {
        let children = self.node.children().expect("only inner nodes have children");
        for at in (index + 1..=self.node.count()).rev() {
            children[at + 1].store(children[at].load());
        }
        children[index + 1].store(Some(right));
        self.insert(index, separator);
    }

    /// Splits a full leaf and puts `record` at `index`. Gives the new right half and the separator.
    ///
    /// Records before one that comes at the end, or right behind the last one that came, do not move: keys that come in
    /// order leave full leaves behind, also when others are to the right of them.
    pub(super) fn split_leaf(
        &self,
        arena: &'t Arena,
        index: usize,
        record: Ref<'t, Record>,
    ) -> (Ref<'t, Record>, Ref<'t, Node>) {
        let left = self.node.get();
        let count = left.count();
        let in_order = index == count || index == left.run.load(Ordering::Relaxed) as usize;
        let cut = if in_order { index } else { count / 2 };
        let separator = if cut == count { record } else { self.record(cut) };
        let right = Ref::leaf(arena, Some(separator), left.high.load(), left.next.load());
        for at in cut..count {
            right.put(at - cut, self.record(at));
        }
        right.set_count(count - cut);
        left.truncate(cut, separator);
        if index > cut || cut == count {
            // Nobody else can see the new leaf yet.
            Guard { node: right, stamp: Stamp(0) }.insert(index - cut, record);
        } else {
            self.insert(index, record);
        }
        left.next.store(Some(right));
        (separator, right)
    }

    /// Splits a full inner node that is about to get a child behind child `index`.
    pub(super) fn split_inner(&self, arena: &'t Arena, index: usize) -> (Ref<'t, Record>, Ref<'t, Node>) {
        let left = self.node.get();
        let from = self.node.children().expect("only inner nodes have children");
        let count = left.count();
        let cut = if index == count { count - 1 } else { count / 2 };
        let separator = self.record(cut);
        let first = from[cut + 1].load().expect("one child more than separators");
        let right = Ref::inner(arena, left.level, Some(separator), left.high.load(), first);
        let to = right.children().expect("same level");
        for at in cut + 1..count {
            right.put(at - cut - 1, self.record(at));
            to[at - cut].store(from[at + 1].load());
        }
        right.set_count(count - cut - 1);
        left.truncate(cut, separator);
        (separator, right)
    }

    fn record(&self, index: usize) -> Ref<'t, Record> {
        self.node.get().records[index].load().expect("counted, under the lock")
    }
}
