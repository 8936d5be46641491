//! Reading a memtable in key order, as of a position.
//!
//! C1. A cursor holds a copy of one leaf's references, taken at one moment. A leaf's lower fence never changes and its
//!     range ends where its right neighbour's begins, so going on with the right neighbour *of that moment*, or with
//!     whatever is just before the lower fence, meets every key exactly once, however the leaf is split meanwhile.
//! C2. What a copy lacks was inserted after the cursor was positioned, and so is nothing it has to see.
#![expect(unsafe_code, reason = "a cursor owns the table it points into; obligations in the parent module")]

use std::ops::Deref;

use super::link::Ref;
use super::node::{CAPACITY, Node, Stamp};
use super::record::Record;
use super::{Aim, Memtable, Slot};
use crate::position::Position;

/// A copy of a leaf's references.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'t> {
    records: [Option<Ref<'t, Record>>; CAPACITY],
    len: usize,
    low: Option<Ref<'t, Record>>,
    next: Option<Ref<'t, Node>>,
}

impl<'t> Page<'t> {
    const EMPTY: Self = Self { records: [None; CAPACITY], len: 0, low: None, next: None };

    /// Copies a leaf and finds `place` in it, if it has not changed since `stamp`.
    pub(super) fn read(
        leaf: Ref<'t, Node>,
        stamp: Stamp,
        place: impl Fn(Ref<'t, Node>) -> Option<usize>,
    ) -> Option<(Self, usize)> {
        let node = leaf.get();
        let mut page = Self { low: node.low(), next: node.next(), ..Self::EMPTY };
        for (to, from) in page.records.iter_mut().zip(node.records()) {
            *to = from.load();
            page.len += 1;
        }
        let index = place(leaf)?;
        node.unchanged(stamp).then_some((page, index))
    }

    /// The leaf to the right.
    pub(super) fn next(&self) -> Option<Self> {
        let leaf = self.next?;
        loop {
            if let Some((page, _)) = Self::read(leaf, leaf.begin(), |_| Some(0)) {
                page.prefetch();
                return Some(page);
            }
        }
    }

    /// Asks for all records at once, for a reader that goes through them: they lie in no order. It halves the time of
    /// a scan, and would be a waste for one that only seeks.
    fn prefetch(&self) {
        self.into_records().for_each(Ref::prefetch);
    }

    /// # Safety
    /// The result is used only while the table it was read from is borrowed (M1).
    unsafe fn detach(self) -> Page<'static> {
        // SAFETY: only the lifetime changes; keeping to it is the caller's promise.
        unsafe { std::mem::transmute::<Page<'t>, Page<'static>>(self) }
    }

    fn record(&self, index: usize) -> Option<Ref<'t, Record>> {
        self.records.get(index).copied().flatten()
    }

    pub(super) fn into_records(self) -> impl Iterator<Item = Ref<'t, Record>> {
        self.records.into_iter().map_while(|record| record)
    }
}

/// A position in a memtable, with its owner `H`.
///
/// It yields each key that has a version at or before `at` once, with the newest of these, be it a delete. Keys and
/// versions inserted before the cursor was positioned are all seen, later ones may be. A new cursor, and one that ran
/// out backwards, stands before the first key; one that ran out forwards stands behind the last.
#[derive(Debug)]
pub(crate) struct Cursor<H> {
    handle: H,
    /// Of the table that `page` and `current` point into.
    identity: u64,
    at: Position,
    /// Empty before the first move, and in an empty table.
    page: Page<'static>,
    /// In `page`: of the current record, or else of the one that the next step forward would look at first.
    index: usize,
    current: Option<(Ref<'static, Record>, Position, Slot)>,
    placed: bool,
}

impl<H: Deref<Target = Memtable>> Cursor<H> {
    pub(crate) fn new(handle: H, at: Position) -> Self {
        let identity = handle.identity;
        Self { handle, identity, at, page: Page::EMPTY, index: 0, current: None, placed: false }
    }

    /// What the cursor owns its table by; it leads to where the values are.
    pub(crate) fn handle(&self) -> &H {
        &self.handle
    }

    /// Key, version and slot that the cursor is at; none before the first and behind the last.
    pub(crate) fn current(&self) -> Option<(&[u8], Position, Slot)> {
        self.table();
        let (record, version, slot) = self.current?;
        Some((record.key(), version, slot))
    }

    pub(crate) fn seek_first(&mut self) {
        self.seek_ge(&[]);
    }

    /// To the first key that is not less than `key`.
    pub(crate) fn seek_ge(&mut self, key: &[u8]) {
        let index = self.place(Aim::At(key), |leaf| Some(leaf.find(key)?.index));
        self.forward(index);
    }

    /// To the last key less than `key`.
    pub(crate) fn seek_lt(&mut self, key: &[u8]) {
        let index = self.place(Aim::Before(key), |leaf| Some(leaf.find(key)?.index));
        self.backward(index);
    }

    pub(crate) fn next(&mut self) {
        if self.placed {
            self.forward(self.index + usize::from(self.current.is_some()));
        } else {
            self.seek_first();
        }
    }

    pub(crate) fn prev(&mut self) {
        self.backward(self.index);
    }

    /// The table, after making sure that the handle still leads to it. A handle that changes its mind, safe as that
    /// is, must not make us follow references into a table that may be gone (M1).
    fn table(&self) -> &Memtable {
        let table = &*self.handle;
        assert_eq!(table.identity, self.identity, "the handle leads to another table");
        table
    }

    /// Takes the page that `aim` means and gives the place in it.
    fn place(&mut self, aim: Aim<'_>, place: impl Fn(Ref<'_, Node>) -> Option<usize>) -> usize {
        let (page, index) = self.table().page(aim, place).unwrap_or((Page::EMPTY, 0));
        // SAFETY: M1, `page` is used only in this type, after `table`, while `handle` is neither lent nor changed.
        self.page = unsafe { page.detach() };
        self.placed = true;
        index
    }

    /// To the first visible record from `index` on.
    fn forward(&mut self, mut index: usize) {
        self.table();
        loop {
            while let Some(record) = self.page.record(index) {
                if self.stop_at(index, record) {
                    return;
                }
                index += 1;
            }
            let Some(page) = self.page.next() else { break };
            self.page = page;
            index = 0;
        }
        self.index = self.page.len;
        self.current = None;
    }

    /// To the last visible record before `index`.
    fn backward(&mut self, mut index: usize) {
        self.table();
        loop {
            while let Some(record) = index.checked_sub(1).and_then(|before| self.page.record(before)) {
                index -= 1;
                if self.stop_at(index, record) {
                    return;
                }
            }
            let Some(low) = self.page.low else { break };
            index = self.place(Aim::Before(low.key()), |leaf| Some(leaf.count()));
            self.page.prefetch();
        }
        self.index = 0;
        self.current = None;
    }

    /// Makes `record` the current one, if it has a visible version.
    fn stop_at(&mut self, index: usize, record: Ref<'static, Record>) -> bool {
        let Some((version, slot)) = record.visible(self.at) else { return false };
        self.index = index;
        self.current = Some((record, version, slot));
        true
    }
}
