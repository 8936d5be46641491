//! Copies of a whole tree: a checkpoint in another directory, a fork in memory.

use crate::error::{Error, Result};
use crate::log::Durability;
use crate::position::Position;
use crate::storage::Storage;
use crate::tree::Tree;
use crate::tree::open::TreeHooks;
use crate::tree::view::View;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes of an active segment that a fork copies.
const COPIED_MAX: u64 = 32 << 10;
/// Merges that a fork does before it is made, at most.
const SETTLING_MAX: u32 = 64;

impl<S: Storage> Tree<S> {
    /// Puts a copy of the tree as of now into the directory `dir`, which must be missing or empty. Writes go on; folds,
    /// merges and moves of blobs, and with them the removal of files, wait.
    ///
    /// Immutable files are linked. Log segments are copied, since they are written again when recycled; there are few.
    pub(crate) fn checkpoint(&self, dir: &Path) -> Result<Position> {
        if !self.storage.is_persistent() {
            let reason = "the store is in memory; a fork copies it".into();
            return Err(Error::Unsupported { op: "checkpoint", reason });
        }
        let target = self.storage.sibling(dir.to_path_buf());
        target.create_dir()?;
        let _lock = target.lock()?;
        if let Some(entry) = target.list()?.first() {
            let reason = format!("{} already holds {}", dir.display(), entry.name);
            return Err(Error::invalid("checkpoint directory", reason));
        }
        while self.fold_oldest()? {}
        // First (T4). A segment that is cleared now would be missing from the copy, whose log still names its blobs.
        let _no_clearing = self.clearing.lock();
        let _no_merge = self.compacting.lock();
        let _no_fold = self.folding.lock();
        let view = self.view();
        let at = self.log.frontier();
        self.log.wait(at, Durability::Synced)?;
        let mut manifest = self.structure.lock().clone();
        // Before they are copied: one that is started meanwhile is newer than this manifest.
        self.list_blobs(&mut manifest);
        for run in view.runs() {
            self.storage.link_into(&run.meta().id.file_name(), &target)?;
        }
        let blobs = self.blobs.segments().segments;
        // Chunks that were claimed in what is sealed by now are whole when this lock was had.
        drop(self.pinning.write());
        self.blobs.copy_into(&target, blobs)?;
        self.log.export(&target, manifest.log_start, at)?;
        manifest.epoch = manifest.epoch.max(self.log.epoch());
        manifest.durable = at;
        manifest.write(&target)?;
        target.sync_parent()?;
        Ok(at)
    }

    /// What an active segment holds every fork would copy, so from some length on it is sealed. What is sealed is folded
    /// here, once: every fork would do so by itself, into runs of its own, as soon as it is written to.
    fn settle_for_forks(&self) -> Result<()> {
        let shift = self.structure.lock().segment_shift;
        let used = self.log.frontier().get() & ((1 << shift) - 1);
        if used > COPIED_MAX {
            self.log.rotate()?;
        }
        // No more than that: others may be writing.
        for _ in 0..self.waiting() {
            self.fold_oldest()?;
        }
        for _ in 0..SETTLING_MAX {
            if !self.compact_step()? {
                break;
            }
        }
        Ok(())
    }

    /// An independent tree in memory with the same content. Writes wait while it is made.
    pub(crate) fn fork(&self, storage: &S) -> Result<Arc<Self>> {
        self.settle_for_forks()?;
        let _no_clearing = self.clearing.lock();
        // No batch is half in the copy.
        let _alone = self.alone();
        let _no_fold = self.folding.lock();
        let (mut manifest, view) = {
            let structure = self.structure.lock();
            (structure.clone(), self.view())
        };
        manifest.next_keyspace = self.next_keyspace.load(Ordering::Relaxed);
        let keyspaces = Arc::new(self.keyspaces.fork());
        let blobs = Arc::new(self.blobs.fork(storage.clone()));
        let hooks = TreeHooks::new(&keyspaces, &blobs);
        let (log, segments) = self.log.fork(storage.clone(), Arc::clone(&hooks) as Arc<_>)?;
        let memtables = segments.into_iter().rev().collect();
        let view = View::new(memtables, view.levels.clone(), log.first_base());
        Ok(Self::assemble(
            storage.clone(),
            log,
            blobs,
            keyspaces,
            manifest,
            view,
            self.waiting_max,
            self.limits,
            &hooks,
        ))
    }
}
