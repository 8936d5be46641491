//! From memtable to run: how a sealed segment leaves memory and the log.
//!
//! F1. Segments are folded oldest first, one at a time, so places stay in the order of their versions (V3).
//! F2. The log is synced through the segment's end before its run exists: the tree holds nothing that the log did not
//!     say first.
//! F3. The run is written and synced, then the manifest that names it and moves `log_start` past the segment, then the
//!     view changes, then the log may let the segment go. A crash between any two leaves either the old state and a
//!     stray file, or the new state and a dead segment; opening removes both.
//! F4. A segment becomes one run, but is cut between keyspaces where the pieces are not small: a keyspace that only
//!     grows at its end then moves down the levels as it is, whatever another one in the same segment needs.
//! F5. A fold that fails has changed nothing; it is tried again by whoever needs it next.

use crate::error::Result;
use crate::log::Durability;
use crate::storage::Storage;
use crate::sync::flaw;
use crate::tree::entry::{Entry, Kind};
use crate::tree::outputs::{Cut, Outputs};
use crate::tree::retain::Retain;
use crate::tree::run::Run;
use crate::tree::table::TreeSegment;
use crate::tree::view::{View, covers};
use crate::tree::{Garbage, Tree};
use std::sync::Arc;

/// A segment becomes at most so many runs: as many side by side weigh as much in level 0 as one over all keys.
const PIECES_MAX: u64 = 4;
/// Between two looks at more urgent work, a fold handles this many entries.
const ENTRIES_PER_LOOK: usize = 4096;

impl<S: Storage> Tree<S> {
    /// Sealed memtables that wait to be folded.
    pub(crate) fn waiting(&self) -> usize {
        self.view().memtables.iter().filter(|segment| segment.is_sealed()).count()
    }

    /// Folds the oldest sealed segment into a run. `false`: there was none.
    pub(crate) fn fold_oldest(&self) -> Result<bool> {
        let _one_at_a_time = self.folding.lock();
        self.log.check()?;
        let view = self.view();
        let Some(segment) = view.memtables.last() else { return Ok(false) };
        if !segment.is_sealed() {
            return Ok(false);
        }
        if !flaw!("fold_before_durable") {
            self.log.wait(segment.end(), Durability::Synced)?; // F2
        }
        let mut garbage = Garbage::default();
        let runs = self.write_folded(&view, segment, &mut garbage)?;
        let log_start = self.log.start_behind(segment);
        let entries: Vec<_> = runs.iter().map(|run| run.meta().clone()).collect();
        let written: Vec<_> = entries.iter().map(|run| run.id).collect();
        if flaw!("retire_before_manifest") {
            self.log.retire(log_start)?;
        }
        let installed = self.install(
            |manifest| {
                manifest.log_start = manifest.log_start.max(log_start);
                manifest.levels[0].extend(entries);
                garbage.add_to(manifest);
            },
            |view| {
                view.memtables.retain(|other| other.end() > log_start);
                for run in runs {
                    view.levels[0].insert(0, Arc::new(run));
                }
            },
        );
        installed.inspect_err(|_| self.discard_runs(written))?;
        self.log.retire(log_start)?;
        Ok(true)
    }

    /// The runs of `segment`, by key; none if nothing of it needs to be remembered.
    fn write_folded(
        &self,
        view: &View<S>,
        segment: &TreeSegment,
        garbage: &mut Garbage,
    ) -> Result<Vec<Run<S::File>>> {
        let keep = self.keep();
        let dead = self.dead_ranges(&keep);
        let below = |key: &[u8]| {
            let hash = Run::<S::File>::hash(key);
            for run in view.runs().filter(|run| covers(run, key)) {
                if run.may_contain(hash)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let mut retain = Retain::new(&keep, &dead, below, |entry| garbage.note(&entry));
        let piece = self.limits.cut / PIECES_MAX;
        let mut outputs = Outputs::new(self, Cut::BetweenKeyspaces { from: piece });
        let folded = (|| {
            for (count, (key, version, slot)) in segment.table().memtable().versions().enumerate() {
                if count % ENTRIES_PER_LOOK == 0 {
                    // A writer that needs the next segment would make it itself, and hears why it cannot be made.
                    let _ = self.log.prepare_ahead();
                }
                let value =
                    if slot.kind == Kind::Delete { &[] } else { segment.value(slot.offset, slot.len) };
                retain
                    .push(Entry { key, version, kind: slot.kind, value }, &mut |entry| outputs.add(entry))?;
            }
            retain.finish(&mut |entry| outputs.add(entry))
        })();
        drop(retain);
        match folded {
            Ok(()) => outputs.finish(),
            Err(error) => {
                outputs.abandon();
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Store;

    fn fill(store: &Store, keyspaces: &[&str], entries: u32) {
        let keyspaces: Vec<_> = keyspaces.iter().map(|name| store.keyspace(name).unwrap()).collect();
        for number in 0..entries {
            let mut batch = store.batch();
            for keyspace in &keyspaces {
                batch.put(keyspace, number.to_be_bytes(), [7; 100]).unwrap();
            }
            store.write(batch).unwrap();
        }
        store.fold().unwrap();
    }

    #[test]
    fn large_keyspaces_of_a_segment_become_runs_of_their_own() {
        let store = Store::builder().segment_size(1 << 20).open_in_memory();
        fill(&store, &["a", "b"], 3000);
        assert_eq!(store.stats().runs, 2);
        for name in ["a", "b"] {
            assert_eq!(store.keyspace(name).unwrap().prefix("").count(), 3000);
        }
    }

    #[test]
    fn small_ones_share_one() {
        let store = Store::builder().segment_size(1 << 20).open_in_memory();
        let names: Vec<_> = (0..30).map(|number| number.to_string()).collect();
        fill(&store, &names.iter().map(String::as_str).collect::<Vec<_>>(), 10);
        assert_eq!(store.stats().runs, 1);
    }
}
