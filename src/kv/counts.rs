//! How many items a table or an index has, and their bytes: exact, without reading a table when it is opened.
//!
//! Q1. What is known is a base, counted at one moment, and the sum of what changed since the opening. Until somebody
//!     asks, there is no base; a new table's is zero.

use crate::kv::error::Result;
use crate::kv::item;
use crate::kv::state::Table;
use crate::store::space::Space;
use crate::store::{Snapshot, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Items and bytes.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    items: AtomicI64,
    bytes: AtomicI64,
    is_based: AtomicBool,
}

impl Counts {
    /// There is nothing, and so nothing to count.
    pub(crate) fn start(&self) {
        self.is_based.store(true, Ordering::Release);
    }

    /// Relaxed, as all accesses of the numbers: they are read for description alone.
    pub(crate) fn add(&self, items: i64, bytes: i64) {
        if items != 0 {
            self.items.fetch_add(items, Ordering::Relaxed);
        }
        if bytes != 0 {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Items and bytes, once there is a base.
    pub(crate) fn get(&self) -> (u64, u64) {
        let number = |of: &AtomicI64| u64::try_from(of.load(Ordering::Relaxed)).unwrap_or(0);
        (number(&self.items), number(&self.bytes))
    }

    pub(crate) fn is_based(&self) -> bool {
        // Acquire: pairs with the Release in `start` and `base`; the base is in the numbers.
        self.is_based.load(Ordering::Acquire)
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self {
            items: AtomicI64::new(self.items.load(Ordering::Relaxed)),
            bytes: AtomicI64::new(self.bytes.load(Ordering::Relaxed)),
            is_based: AtomicBool::new(self.is_based()),
        }
    }

    /// There were so many when changes summed up to `changed` (Q1).
    fn base(&self, counted: (i64, i64), changed: (i64, i64)) {
        self.add(counted.0 - changed.0, counted.1 - changed.1);
        self.is_based.store(true, Ordering::Release);
    }

    fn changed(&self) -> (i64, i64) {
        (self.items.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

impl Table {
    /// Counts what has not been counted since the store was opened.
    pub(crate) fn count(&self, store: &Store) -> Result<()> {
        if self.counts.is_based() && self.shape.read().indexes.iter().all(|index| index.counts.is_based()) {
            return Ok(());
        }
        // One counts at a time, and nobody writes while the moment is taken.
        let _one = self.counting.lock();
        let (snapshot, changed, indexes) = {
            let shape = self.shape.write();
            let indexes: Vec<_> =
                shape.indexes.iter().map(|index| (Arc::clone(index), index.counts.changed())).collect();
            (store.snapshot(), (shape.items.clone(), self.counts.changed()), indexes)
        };
        let (items, changed) = changed;
        if !self.counts.is_based() {
            self.counts.base(count(&snapshot, &items)?, changed);
        }
        for (index, changed) in indexes.iter().filter(|(index, _)| !index.counts.is_based()) {
            index.counts.base(count(&snapshot, &index.space)?, *changed);
        }
        Ok(())
    }
}

fn count(snapshot: &Snapshot, space: &Space) -> Result<(i64, i64)> {
    let (mut items, mut bytes) = (0, 0);
    let mut range = snapshot.range_in::<&[u8]>(space, ..);
    while range.advance()? {
        items += 1;
        let size = match range.value_ref() {
            Some(value) => item::size(value),
            None => item::size(&range.value()?),
        };
        bytes += i64::try_from(size).unwrap_or(0);
    }
    Ok((items, bytes))
}
