//! Counting what a tree consists of.

use crate::storage::Storage;
use crate::store::Stats;
use crate::tree::Tree;

impl<S: Storage> Tree<S> {
    pub(crate) fn stats(&self) -> Stats {
        let view = self.view();
        let memtables = view.memtables.iter().map(|segment| segment.table().memtable().allocated() as u64);
        Stats {
            frontier: self.log.frontier(),
            written: self.log.written(),
            durable: self.log.durable(),
            folded: self.structure.lock().log_start,
            epoch: self.log.epoch(),
            memtables: view.memtables.len(),
            memtable_bytes: memtables.sum(),
            runs: view.runs().count(),
            levels: view.levels.iter().map(Vec::len).collect(),
            run_bytes: view.runs().map(|run| run.meta().file_len).sum(),
            run_entries: view.runs().map(|run| run.meta().entries).sum(),
            log_bytes: self.log.allocated(),
            blob_bytes: self
                .blobs
                .segments()
                .segments
                .iter()
                .map(|segment| u64::from(segment.allocated))
                .sum(),
            keyspaces: self.keyspaces.live().len(),
            snapshots: self.snapshots.count(),
        }
    }
}
