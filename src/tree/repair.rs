//! Giving up what is corrupt, on demand only: the other half of never doing so silently.
//!
//! Q1. Nothing that is given up is lost: files are kept under other names, and what is cut from the log is copied before.
//! Q2. A repair may stop at any step and be run again.
//! Q3. What a lost delete or overwrite had hidden may be visible again; nothing else can appear.

use crate::error::{Corruption, Error, Result};
use crate::log;
use crate::position::Position;
use crate::storage::Storage;
use crate::tree::Tree;
use crate::tree::batch::{OpKind, Ops, keyspace_of};
use crate::tree::entry::Kind;
use crate::tree::manifest::Manifest;
use crate::tree::open::{log_options, log_start};
use crate::tree::range::user_key;
use crate::tree::run::{Meta, Run, RunId, RunOptions, RunWriter, Versions};
use crate::tree::table::SegmentTable;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a repair of the files did.
#[derive(Debug, Default)]
pub(crate) struct Repaired {
    /// Where the log was cut, if it was.
    pub(crate) log_end: Option<Position>,
    /// Files that hold what was given up.
    pub(crate) kept: Vec<String>,
    /// What was wrong.
    pub(crate) problems: Vec<Corruption>,
}

/// Makes the files of a store in `storage` openable again.
pub(crate) fn repair<S: Storage>(storage: &S) -> Result<Repaired> {
    let Some(mut manifest) = Manifest::read(storage)? else {
        return Err(Error::NotAStore { path: storage.path(), reason: "there is no manifest".into() });
    };
    let mut repaired = Repaired::default();
    let mut broken = Vec::new();
    for depth in 0..manifest.levels.len() {
        for meta in std::mem::take(&mut manifest.levels[depth]) {
            if check_run(storage, &meta, &mut repaired.problems)? {
                manifest.levels[depth].push(meta);
                continue;
            }
            let id = RunId::new(manifest.next_run);
            manifest.next_run += 1;
            // In the same place, so the order of versions holds.
            manifest.levels[depth].extend(salvage(storage, meta.id, id)?);
            broken.push(meta.id.file_name());
        }
    }
    let options = log_options(storage, manifest.segment_shift, u64::MAX);
    let end = match log::repair::<S, SegmentTable>(storage, &options, &log_start(&manifest))? {
        Ok(cut) => {
            manifest.durable = manifest.durable.min(cut.end).max(manifest.log_start);
            repaired.log_end = Some(cut.end);
            repaired.kept = cut.kept;
            cut.end
        }
        Err(report) => report.end,
    };
    if repaired.log_end.is_some() || !broken.is_empty() {
        manifest.write(storage)?;
    }
    broken.extend(newer_than(storage, &manifest, end)?);
    for name in broken {
        let kept = format!("{name}.bad");
        match storage.rename(&name, &kept) {
            Ok(()) => repaired.kept.push(kept),
            // Then the file was what was missing.
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    storage.sync_dir()?;
    Ok(repaired)
}

/// Runs of a fold that came to no manifest, if they hold frames that the log, which ends at `end`, has no longer.
fn newer_than<S: Storage>(storage: &S, manifest: &Manifest, end: Position) -> Result<Vec<String>> {
    let named: BTreeSet<RunId> = manifest.levels.iter().flatten().map(|meta| meta.id).collect();
    let files = storage.list()?.into_iter().filter(|entry| entry.is_file);
    let unnamed =
        files.filter_map(|entry| RunId::from_file_name(&entry.name)).filter(|id| !named.contains(id));
    let newer = unnamed.filter(|id| Run::open(storage, *id).is_ok_and(|run| run.meta().max_version >= end));
    Ok(newer.map(RunId::file_name).collect())
}

/// Is this run whole, and the one that the manifest names?
fn check_run<S: Storage>(storage: &S, meta: &Meta, problems: &mut Vec<Corruption>) -> Result<bool> {
    let before = problems.len();
    match Run::open(storage, meta.id) {
        Ok(run) if run.meta() == meta => run.verify(&mut |problem| problems.push(problem))?,
        Ok(run) => {
            let (expected, found) =
                (format!("{:08x}", meta.checksum), format!("{:08x}", run.meta().checksum));
            problems.push(Corruption::new(
                meta.id.file_name(),
                0,
                "run named by the manifest",
                expected,
                found,
            ));
        }
        Err(Error::Corrupt(problem)) => problems.push(*problem),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            problems.push(Corruption::new(meta.id.file_name(), 0, "run", "a file", "none"));
        }
        Err(error) => return Err(error),
    }
    Ok(problems.len() == before)
}

/// Writes what can be read of the run `broken` into a run `id`; `None` if that is nothing.
fn salvage<S: Storage>(storage: &S, broken: RunId, id: RunId) -> Result<Option<Meta>> {
    let run = match Run::open(storage, broken) {
        Ok(run) => Arc::new(run),
        Err(Error::Corrupt(_)) => return Ok(None),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match storage.remove(&id.file_name()) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        removed => removed?, // left by a repair that was interrupted
    }
    let mut writer = RunWriter::create(storage, id, RunOptions::default())?;
    let mut versions = Versions::new(run);
    // The last entry that was kept: a block with a right checksum may still not belong behind it.
    let mut last: Option<(Vec<u8>, Position)> = None;
    loop {
        match versions.next() {
            Ok(()) => {
                let Some(entry) = versions.current() else { break };
                let in_order = last.as_ref().is_none_or(|(key, version)| {
                    (&key[..], std::cmp::Reverse(*version)) < (entry.key, std::cmp::Reverse(entry.version))
                });
                if in_order {
                    writer.add(entry)?;
                    last = Some((entry.key.to_vec(), entry.version));
                }
            }
            Err(Error::Corrupt(_)) if versions.skip_block() => {}
            Err(Error::Corrupt(_)) => break,
            Err(error) => {
                let _ = writer.abandon();
                return Err(error);
            }
        }
    }
    if last.is_none() {
        writer.abandon()?;
        return Ok(None);
    }
    Ok(Some(writer.finish()?.meta().clone()))
}

impl<S: Storage> Tree<S> {
    /// Deletes every key whose value is a blob that cannot be read, and says what was wrong with each.
    pub(crate) fn forget_broken_blobs(&self) -> Result<Vec<Corruption>> {
        let mut problems = Vec::new();
        let mut ops = Ops::default();
        self.each_blob(&mut |key, blob| {
            let problem = match blob.and_then(|blob| self.blobs().load(blob)) {
                Ok(_) => return Ok(()),
                Err(Error::Corrupt(problem)) => *problem,
                Err(error) if !error.is_unreadable() => return Err(error),
                Err(Error::Io { path, source, .. }) => Corruption::new(path, 0, "blob", "to be read", source),
                Err(error) => return Err(error),
            };
            problems.push(problem);
            if ops.payload().len() + key.len() + 100 > self.log().payload_max() as usize {
                self.write(&ops)?;
                ops.clear();
            }
            ops.push(OpKind::Entry(Kind::Delete), keyspace_of(key), user_key(key), &[])
        })?;
        if ops.count() > 0 {
            self.write(&ops)?;
        }
        Ok(problems)
    }
}
