//! Checks everything the tree stands on, against its checksums and against each other.
//!
//! Findings are reported and the check goes on; only what makes going on impossible is an error.

use crate::blob::BlobRef;
use crate::error::{Corruption, Error, Result};
use crate::storage::Storage;
use crate::tree::Tree;
use crate::tree::batch::keyspace_of;
use crate::tree::blobs::owner_key;
use crate::tree::entry::Kind;
use crate::tree::keyspaces::{BLOB_OWNERS, Fence};
use crate::tree::manifest::{self, Manifest};
use crate::tree::view::View;

impl<S: Storage> Tree<S> {
    /// Reads everything by system calls and tells `report` what is wrong. Folds, merges and clearing wait meanwhile.
    pub(crate) fn verify(&self, report: &mut impl FnMut(Corruption)) -> Result<()> {
        let _no_clearing = self.clearing.lock();
        let _no_merge = self.compacting.lock();
        let _no_fold = self.folding.lock();
        self.log.verify()?.into_iter().for_each(&mut *report);
        let view = self.view();
        Self::verify_runs(&view, report)?;
        self.verify_manifest(report)?;
        self.verify_references(report)
    }

    fn verify_runs(view: &View<S>, report: &mut impl FnMut(Corruption)) -> Result<()> {
        for run in view.runs() {
            run.verify(report)?;
        }
        for level in view.levels.iter().skip(1) {
            for pair in level.windows(2) {
                let (left, right) = (pair[0].meta(), pair[1].meta());
                if left.max_key >= right.min_key {
                    let file = right.id.file_name();
                    report(Corruption::new(
                        file,
                        0,
                        "order of runs",
                        "disjoint runs",
                        "keys of its neighbour",
                    ));
                }
            }
        }
        Ok(())
    }

    /// The manifest on disk is the one in memory, and describes the runs that are there.
    fn verify_manifest(&self, report: &mut impl FnMut(Corruption)) -> Result<()> {
        // After a failure that stopped the store either of two manifests may be there, and both are right.
        if !self.storage.is_persistent() || self.log.check().is_err() {
            return Ok(());
        }
        let structure = self.structure.lock();
        match Manifest::read(&self.storage) {
            Ok(Some(found)) if found.levels == structure.levels && found.log_start == structure.log_start => {
            }
            Ok(found) => {
                let found = if found.is_some() { "another state" } else { "none" };
                report(Corruption::new(manifest::NAME, 0, "manifest", "the state in memory", found));
            }
            Err(error) => report_or_fail(error, report)?,
        }
        let view = self.view();
        let named: Vec<_> = view
            .levels
            .iter()
            .map(|level| level.iter().map(|run| run.meta().clone()).collect::<Vec<_>>())
            .collect();
        for (depth, level) in structure.levels.iter().enumerate() {
            for entry in level {
                if !named.get(depth).is_some_and(|runs| runs.contains(entry)) {
                    let file = entry.id.file_name();
                    report(Corruption::new(file, 0, "run", "as the manifest describes it", "something else"));
                }
            }
        }
        Ok(())
    }

    /// Every blob that a visible entry names is whole, and known by whose it is.
    fn verify_references(&self, report: &mut impl FnMut(Corruption)) -> Result<()> {
        let owners = self.keyspaces.get(BLOB_OWNERS).expect("built-in keyspaces are always there");
        let walked = self.each_blob(&mut |key, blob| {
            let checked = blob.and_then(|blob| {
                self.blobs.load(blob)?;
                let owner = self.find(&owners, &owner_key(blob), None)?;
                Ok((blob, owner.is_some_and(|owner| owner.value[..] == *key)))
            });
            match checked {
                Ok((_, true)) => Ok(()),
                Ok((blob, false)) => {
                    let (file, offset) = (crate::blob::file_name(blob.segment), blob.offset.into());
                    let expected = "the key that refers to it";
                    report(Corruption::new(file, offset, "owner of a blob", expected, "another or none"));
                    Ok(())
                }
                Err(error) => report_or_fail(error, report),
            }
        });
        walked.or_else(|error| report_or_fail(error, report))
    }

    /// Hands every visible key whose value is a blob to `see`, with the reference.
    pub(super) fn each_blob(&self, see: &mut impl FnMut(&[u8], Result<BlobRef>) -> Result<()>) -> Result<()> {
        let (view, at) = self.present();
        let mut merge = view.merge(at, &[]);
        let mut keyspace = None;
        merge.seek_ge(&[])?;
        while let Some(entry) = merge.current() {
            let id = keyspace_of(entry.key);
            if entry.kind == Kind::Blob {
                let fence = match &keyspace {
                    Some((known, fence)) if *known == id => fence,
                    _ => {
                        &keyspace
                            .insert((id, self.keyspaces.get(id).map_or(Fence::Dropped, |ks| ks.fence(at))))
                            .1
                    }
                };
                let is_live = match fence {
                    Fence::None => true,
                    Fence::Floor(floor) => *entry.key >= floor[..],
                    Fence::Dropped => false,
                };
                if is_live {
                    see(entry.key, BlobRef::decode_entry(entry.value))?;
                }
            }
            merge.advance()?;
        }
        Ok(())
    }
}

/// Corruption is a finding; anything else ends the check.
fn report_or_fail(error: Error, report: &mut impl FnMut(Corruption)) -> Result<()> {
    match error {
        Error::Corrupt(corruption) => {
            report(*corruption);
            Ok(())
        }
        error => Err(error),
    }
}
