//! What reads of a delayed global index see in place of what is there.
//!
//! An index changes in the same batch as its table (K1). With the dial on, the value that an entry had is kept in memory
//! until the change is due, and readers are shown that instead. After a reopening nothing is stale.

use crate::clock::Timestamp;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// When each change of an entry is due, and what was there before it.
type Changes = VecDeque<(Timestamp, Option<Bytes>)>;

/// After so many changes those that are due are dropped, should nobody read.
const FORGET_EVERY: u64 = 1024;

/// Changes of one index that are not to be seen yet.
#[derive(Debug, Default)]
pub(crate) struct Stale {
    /// By entry: when a change is due, and what was there before.
    changes: Mutex<BTreeMap<Vec<u8>, Changes>>,
    is_used: AtomicBool,
    /// Changes noted so far.
    notes: AtomicU64,
}

/// Drops what is due by now.
fn forget(changes: &mut BTreeMap<Vec<u8>, Changes>, now: Timestamp) {
    changes.retain(|_, changes| {
        while changes.front().is_some_and(|(due, _)| *due <= now) {
            changes.pop_front();
        }
        !changes.is_empty()
    });
}

impl Stale {
    /// The entry at `key` is about to change; until `due` readers see what was there `before`.
    pub(crate) fn note(&self, key: &[u8], due: Timestamp, now: Timestamp, before: Option<Bytes>) {
        let mut changes = self.changes.lock();
        changes.entry(key.to_vec()).or_default().push_back((due, before));
        // Relaxed: it is changed under the lock only.
        if self.notes.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            forget(&mut changes, now);
        }
        drop(changes);
        // Release: pairs with the Acquire in `before`.
        self.is_used.store(true, Ordering::Release);
    }

    /// The entries within `lower..upper` that are not what they seem, with what they seem to be.
    pub(crate) fn before(
        &self,
        lower: &[u8],
        upper: Option<&[u8]>,
        now: Timestamp,
    ) -> BTreeMap<Vec<u8>, Option<Bytes>> {
        if !self.is_used.load(Ordering::Acquire) {
            return BTreeMap::new();
        }
        let mut changes = self.changes.lock();
        forget(&mut changes, now);
        if changes.is_empty() {
            self.is_used.store(false, Ordering::Release);
        }
        let within =
            changes.range(lower.to_vec()..).take_while(|(key, _)| upper.is_none_or(|end| &key[..] < end));
        within.filter_map(|(key, changes)| Some((key.clone(), changes.front()?.1.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_value_that_is_not_due_is_seen() {
        let at = Timestamp::from_secs;
        let stale = Stale::default();
        stale.note(b"k", at(10), at(0), None);
        stale.note(b"k", at(20), at(0), Some(Bytes::from_static(b"first")));
        let seen = |now| stale.before(b"a", Some(b"z"), at(now)).remove(&b"k"[..]);
        assert_eq!(seen(9), Some(None));
        assert_eq!(seen(10), Some(Some(Bytes::from_static(b"first"))));
        assert_eq!(stale.before(b"l", None, at(10)).len(), 0);
        assert_eq!(seen(20), None);
    }

    #[test]
    fn what_is_due_is_dropped_though_nobody_reads() {
        let stale = Stale::default();
        for number in 0..10 * FORGET_EVERY {
            let now = Timestamp::from_secs(number);
            stale.note(&number.to_be_bytes(), now + std::time::Duration::from_secs(1), now, None);
        }
        assert!(stale.changes.lock().len() <= 2);
    }
}
