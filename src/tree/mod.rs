//! State: one log-structured merge tree for the whole store, a fold over the frames of the log.
//!
//! ```text
//! frame ──apply──▶ memtable (one per segment) ──fold──▶ run, level 0 ──merge or move──▶ levels 1..
//! ```
//!
//! T1. The tree holds nothing that the log did not say first; what it shows is the state as of one position.
//! T2. Places are ordered: memtables newest first, level 0 newest first, then the levels. Within that order a key's
//!     versions only get older ([`view`], V3).
//! T3. A file is named by the durable manifest before anything relies on it, and removed only after the manifest that
//!     forgets it is durable.
//! T4. Lock order: `clearing`, `gate`, the log's rotation, `compacting`, `folding`, `structure`, the view. A thread may
//!     leave some out. Nobody appends to the log while holding one behind the rotation, which an append may take.
//!
//! Not here: what keys mean (the engines), how frames reach the disk (`log`).

pub(crate) mod batch;
mod blobs;
mod checkpoint;
pub(crate) mod compaction;
pub(crate) mod entry;
mod fold;
pub(crate) mod keyspaces;
pub(crate) mod manifest;
pub(crate) mod memtable;
mod merge;
mod open;
mod outputs;
mod prefetch;
pub(crate) mod range;
pub(crate) mod repair;
mod retain;
pub(crate) mod run;
pub(crate) mod snapshots;
mod stats;
mod table;
#[cfg(test)]
mod tests;
mod verify;
pub(crate) mod view;

pub(crate) use blobs::Pending;
pub(crate) use open::{TreeOptions, refuse_strangers};

use crate::blob::{BlobLog, BlobRef};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::log::{Appended, Durability, Log};
use crate::position::Position;
use crate::storage::Storage;
use crate::sync::flaw;
use batch::Ops;
use bytes::Bytes;
use compaction::pick::l0_pressure;
use compaction::{Limits, Pressure};
use crossbeam::sync::ShardedLock;
use entry::Kind;
use keyspaces::{CATALOG, Fence, KeyspaceState, Keyspaces};
use manifest::{BlobSegment, Manifest};
use parking_lot::{Mutex, RwLock};
use range::{Span, TreeRange};
use run::{Run, RunId, RunOptions, RunWriter};
use snapshots::{Keep, Snapshots};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use table::{SegmentTable, TreeSegment};
use view::{Found, View};

/// The tree of one store.
#[derive(Debug)]
pub(crate) struct Tree<S: Storage> {
    storage: S,
    log: Log<S, SegmentTable>,
    blobs: Arc<BlobLog<S>>,
    keyspaces: Arc<Keyspaces>,
    next_keyspace: AtomicU32,
    snapshots: Snapshots,
    limits: Limits,
    /// Sealed segments that may wait for their fold; a writer that would open one more folds first.
    waiting_max: usize,
    /// Every write holds it shared; clearing blob segments takes it alone for a moment.
    gate: ShardedLock<()>,
    /// One clearing of blob segments at a time.
    clearing: Mutex<()>,
    /// Blob segments without a live blob, and since when; [`Position::MAX`] for one with a blob that cannot be read.
    cleared: Mutex<BTreeMap<u64, Position>>,
    /// Held shared while a chunk is written and pinned.
    pinning: RwLock<()>,
    /// Chunks that are about to be named, by blob segment.
    pins: Mutex<BTreeMap<u64, usize>>,
    /// One plan of compaction at a time.
    compacting: Mutex<()>,
    /// One fold at a time, oldest first.
    folding: Mutex<()>,
    /// The manifest as last written, but for ids that were given since.
    structure: Mutex<Manifest>,
    /// What readers take. Replaced whole, under `structure`.
    view: RwLock<Arc<View<S>>>,
    helper: OnceLock<Helper>,
}

/// Wakes the background threads.
struct Helper(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Helper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Helper")
    }
}

/// Blob bytes that a fold or a merge made unreachable, by blob segment.
#[derive(Debug, Default)]
pub(crate) struct Garbage(BTreeMap<u64, u64>);

impl<S: Storage> Tree<S> {
    /// Logs and applies one batch. It is visible when this returns; wait for its durability with
    /// [`wait`](Self::wait).
    pub(crate) fn write(&self, ops: &Ops) -> Result<Appended> {
        self.write_parts(&[ops.payload()])
    }

    /// [`write`](Self::write) of the batch that these slices are together.
    pub(crate) fn write_parts(&self, payload: &[&[u8]]) -> Result<Appended> {
        let _passing = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        loop {
            match self.log.append_parts(payload) {
                // A segment that is folded gives its file to the next one.
                Err(full @ Error::StorageFull { .. }) if !self.fold_oldest().unwrap_or(false) => {
                    return Err(full);
                }
                Err(Error::StorageFull { .. }) => {}
                appended => return appended,
            }
        }
    }

    /// Keeps all writes out.
    fn alone(&self) -> impl Drop + '_ {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until the log is as durable as asked up to `end`.
    pub(crate) fn wait(&self, end: Position, durability: Durability) -> Result<()> {
        self.log.wait(end, durability)
    }

    pub(crate) fn log(&self) -> &Log<S, SegmentTable> {
        &self.log
    }

    /// When the store was made.
    pub(crate) fn created(&self) -> Timestamp {
        self.structure.lock().created
    }

    pub(crate) fn blobs(&self) -> &BlobLog<S> {
        &self.blobs
    }

    /// The keyspace that names all others.
    pub(crate) fn catalog(&self) -> Arc<KeyspaceState> {
        self.keyspaces.get(CATALOG).expect("built-in keyspaces are always there")
    }

    pub(crate) fn live_keyspaces(&self) -> Vec<u32> {
        self.keyspaces.live()
    }

    /// All keyspaces that some reader may still see, in the order of their ids.
    pub(crate) fn known_keyspaces(&self) -> Vec<u32> {
        self.keyspaces.known()
    }

    /// Above every id that was given out.
    pub(crate) fn next_keyspace_id(&self) -> u32 {
        self.next_keyspace.load(Ordering::Relaxed)
    }

    pub(crate) fn keyspace(&self, id: u32) -> Option<Arc<KeyspaceState>> {
        self.keyspaces.get(id)
    }

    /// An id that no keyspace had before and none will have again.
    pub(crate) fn new_keyspace_id(&self) -> u32 {
        // Relaxed: only has to be different each time. The manifest takes it over when it is next written; until then
        // the log holds the frame that creates the keyspace.
        self.next_keyspace.fetch_add(1, Ordering::Relaxed)
    }

    /// Where a reader of the present stands: a version is visible if it is at or below. (The frontier itself is where the
    /// next frame may stand.)
    pub(crate) fn newest(&self) -> Position {
        Position::new(self.log.frontier().get().saturating_sub(1))
    }

    /// The current view.
    pub(crate) fn view(&self) -> Arc<View<S>> {
        Arc::clone(&self.view.read())
    }

    /// What a reader of the present takes: a view, and the newest position that it shows all of (V2).
    fn present(&self) -> (Arc<View<S>>, Position) {
        let view = self.view();
        let at = view.bound(self.newest());
        (view, at)
    }

    /// What a reader at `at` takes, or of the present.
    fn reader(&self, at: Option<Position>) -> (Arc<View<S>>, Position) {
        match at {
            Some(at) => (self.view(), at),
            None => self.present(),
        }
    }

    /// The entry of `key` (a full key of `keyspace`) for a reader at `at`, or the newest. Never a delete.
    pub(crate) fn find(
        &self,
        keyspace: &KeyspaceState,
        key: &[u8],
        at: Option<Position>,
    ) -> Result<Option<Found>> {
        let (view, at) = self.reader(at);
        match keyspace.fence(at) {
            Fence::None => {}
            Fence::Floor(floor) if *key >= floor[..] => {}
            Fence::Floor(_) | Fence::Dropped => return Ok(None),
        }
        Ok(view.get(key, at)?.filter(|found| found.kind != Kind::Delete))
    }

    /// The value of `key`, wherever it lies.
    pub(crate) fn get(
        &self,
        keyspace: &KeyspaceState,
        key: &[u8],
        at: Option<Position>,
    ) -> Result<Option<Bytes>> {
        self.get_by(keyspace, key, at, BlobLog::read)
    }

    /// [`get`](Self::get) for who has a checksum of the value, and compares it: a blob is as it is.
    pub(crate) fn get_unchecked(
        &self,
        keyspace: &KeyspaceState,
        key: &[u8],
        at: Option<Position>,
    ) -> Result<Option<Bytes>> {
        self.get_by(keyspace, key, at, BlobLog::read_unchecked)
    }

    fn get_by(
        &self,
        keyspace: &KeyspaceState,
        key: &[u8],
        at: Option<Position>,
        read: impl Fn(&BlobLog<S>, BlobRef) -> Result<Bytes>,
    ) -> Result<Option<Bytes>> {
        let mut last = None;
        loop {
            let Some(found) = self.find(keyspace, key, at)? else { return Ok(None) };
            if found.kind != Kind::Blob {
                return Ok(Some(found.value));
            }
            let blob = BlobRef::decode_entry(&found.value);
            match blob.and_then(|blob| read(&self.blobs, blob)) {
                // The blob may have moved between the two looks (O4); then its entry has changed.
                Err(Error::Corrupt(_)) if last.as_ref() != Some(&found.value) => {
                    last = Some(found.value);
                }
                resolved => return resolved.map(Some),
            }
        }
    }

    /// The value behind an entry: itself, or the blob that it names.
    pub(crate) fn resolve(&self, kind: Kind, value: Bytes) -> Result<Bytes> {
        if kind != Kind::Blob {
            return Ok(value);
        }
        self.blobs.read(BlobRef::decode_entry(&value)?)
    }

    /// A walk over `span` of `keyspace` for a reader at `at`, or as of now.
    pub(crate) fn range(&self, keyspace: &KeyspaceState, span: Span, at: Option<Position>) -> TreeRange<S> {
        let (view, at) = self.reader(at);
        TreeRange::new(view, keyspace, span, at)
    }

    /// Registers a reader of the present state, or of the state at a position that is registered already; end it with
    /// [`close_snapshot`](Self::close_snapshot).
    pub(crate) fn open_snapshot(&self, at: Option<Position>) -> Position {
        self.snapshots.open(|| at.unwrap_or_else(|| self.newest()))
    }

    pub(crate) fn close_snapshot(&self, at: Position) {
        self.snapshots.close(at);
    }

    /// Called by the log before `segment` takes its first frame: makes room in memory and lets readers see it.
    ///
    /// This is the back-pressure of the store: however fast the writers are, at most `waiting_max` sealed memtables
    /// wait, and level 0 stays short enough to read from. Without background threads all compaction is done here.
    fn opening(&self, segment: &Arc<TreeSegment>) -> Result<()> {
        self.call_helper();
        while self.waiting() >= self.waiting_max && self.fold_oldest()? {}
        if self.helper.get().is_none() {
            while self.compact_step()? {}
        }
        while self.level_0_is_full() && self.help_compact()? {}
        let mut view = self.view.write();
        let mut next = View::clone(&view);
        next.memtables.insert(0, Arc::clone(segment));
        next.end = segment.end();
        *view = Arc::new(next);
        Ok(())
    }

    /// Do so many runs of level 0 lie over one key that reads suffer?
    fn level_0_is_full(&self) -> bool {
        let structure = self.structure.lock();
        let level_0: Vec<_> = structure.levels[0].iter().collect();
        l0_pressure(&level_0, &self.limits) == Pressure::Stop
    }

    /// Changes what the tree consists of: first the durable manifest, then what readers see. If it fails, nothing
    /// changed but perhaps files that nothing names.
    fn install(&self, change: impl FnOnce(&mut Manifest), show: impl FnOnce(&mut View<S>)) -> Result<()> {
        let mut structure = self.structure.lock();
        self.log.check()?;
        let mut manifest = structure.clone();
        self.list_blobs(&mut manifest);
        change(&mut manifest);
        self.refresh(&mut manifest);
        if self.storage.is_persistent()
            && let Err(error) = manifest.write(&self.storage)
        {
            // A full disk left the old manifest in place. After anything else the disk may hold the old or the new
            // one: nothing may be removed or written on either assumption.
            if !matches!(error, Error::StorageFull { .. }) {
                self.log.poison(error.clone());
            }
            return Err(error);
        }
        *structure = manifest;
        let mut current = self.view.write();
        let mut next = View::clone(&current);
        show(&mut next);
        next.set_fences();
        *current = Arc::new(next);
        Ok(())
    }

    /// Brings what the manifest repeats from elsewhere up to date.
    fn refresh(&self, manifest: &mut Manifest) {
        manifest.epoch = manifest.epoch.max(self.log.epoch());
        manifest.durable = manifest.durable.max(self.log.durable()).max(manifest.log_start);
        manifest.next_keyspace = self.next_keyspace.load(Ordering::Relaxed);
        manifest.keyspaces = self.keyspaces.listed(manifest.log_start);
        for blob in &mut manifest.blobs {
            // A file that was cut short behind our back holds less than what is known to be dead in it.
            blob.garbage = blob.garbage.min(blob.len);
        }
        self.keyspaces.prune(self.keep().oldest(), manifest.log_start);
    }

    /// Adds the blob segments that were started since; who removes one says so.
    fn list_blobs(&self, manifest: &mut Manifest) {
        let blobs = self.blobs.segments();
        for segment in blobs.segments {
            let (index, len) = (segment.index, segment.used.into());
            match manifest.blobs.iter_mut().find(|known| known.index == index) {
                Some(known) => {
                    known.len = len;
                    // A crash may have taken chunks, and garbage among them.
                    known.garbage = known.garbage.min(len);
                }
                None if index >= manifest.next_blob => {
                    manifest.blobs.push(BlobSegment { index, len, garbage: 0 });
                }
                None => {} // it is being removed
            }
        }
        manifest.blobs.sort_by_key(|segment| segment.index);
        manifest.next_blob = blobs.next_index;
    }

    /// The readers that maintenance must satisfy from now on.
    fn keep(&self) -> Keep {
        self.snapshots.keep(|| self.newest())
    }

    /// What no reader sees any more, and none will after a crash: a drop or a floor that is not durable yet may be undone.
    fn dead_ranges(&self, keep: &Keep) -> Vec<Range<Bytes>> {
        let durable = Position::new(self.log.durable().get().saturating_sub(1));
        let seen = if flaw!("forget_before_durable") { keep.oldest() } else { keep.oldest().min(durable) };
        self.keyspaces.dead_ranges(seen, self.next_keyspace.load(Ordering::Relaxed))
    }

    fn run_writer(&self) -> Result<RunWriter<S>> {
        let id = {
            let mut structure = self.structure.lock();
            let id = structure.next_run;
            structure.next_run += 1;
            RunId::new(id)
        };
        RunWriter::create(&self.storage, id, RunOptions::default())
    }

    /// Completes a run, or removes what is there of it.
    fn finish_run(&self, writer: RunWriter<S>) -> Result<Run<S::File>> {
        let id = writer.id();
        writer.finish().inspect_err(|_| drop(self.remove_run(id)))
    }

    /// Removes runs that were written for a manifest that did not come. Once the log is poisoned nobody knows whether it
    /// did; what stays then, or cannot be removed, goes at the next open.
    fn discard_runs(&self, ids: impl IntoIterator<Item = RunId>) {
        if self.log.check().is_ok() {
            ids.into_iter().for_each(|id| drop(self.remove_run(id)));
        }
    }

    /// Removes the file of a run that no manifest names.
    fn remove_run(&self, id: RunId) -> Result<()> {
        if self.storage.is_persistent() { self.storage.remove(&id.file_name()) } else { Ok(()) }
    }

    /// Does one piece of the work that waits. `false`: there is none, or other threads are at it.
    ///
    /// What finds the disk full does not keep the rest from giving space back.
    pub(crate) fn maintain_step(&self) -> Result<bool> {
        self.log.check()?;
        let steps: [&dyn Fn() -> Result<bool>; 4] =
            [&|| self.log.prepare_ahead(), &|| self.fold_oldest(), &|| self.compact_step(), &|| {
                self.clear_blobs_step()
            }];
        let mut full = None;
        for step in steps {
            match step() {
                Ok(false) => {}
                Err(error @ Error::StorageFull { .. }) => full = full.or(Some(error)),
                done => return done,
            }
        }
        full.map_or(Ok(false), Err)
    }

    /// Folds everything that was written before the call.
    pub(crate) fn fold(&self) -> Result<()> {
        self.log.rotate()?;
        self.fold_all()
    }

    /// Folds everything and rewrites it into one level.
    pub(crate) fn compact(&self) -> Result<()> {
        self.fold()?;
        self.compact_fully()?;
        self.count_garbage()?;
        while self.clear_blobs_step()? {}
        Ok(())
    }

    /// By whom to call for help from now on.
    pub(crate) fn set_helper(&self, call: impl Fn() + Send + Sync + 'static) {
        // A second one would only wake the same threads.
        let _ = self.helper.set(Helper(Box::new(call)));
    }

    fn call_helper(&self) {
        if let Some(Helper(call)) = self.helper.get() {
            call();
        }
    }

    /// Makes everything durable and folds it, so that the next open has nothing to replay, and seals the log.
    pub(crate) fn close(&self) -> Result<()> {
        let tidied = self.blobs.close();
        let mut folded = Ok(());
        if self.storage.is_persistent() {
            // Without room for the runs the log keeps what it has, and the next open replays it.
            folded = self.log.rotate().and_then(|()| self.fold_all());
            if matches!(folded, Err(Error::StorageFull { .. })) {
                folded = Ok(());
            }
        }
        // Whatever else failed: what is in memory only must not be lost for it.
        let sealed = self.log.close().and_then(|sealed| {
            if sealed { Ok(()) } else { self.install(|_| {}, |_| {}) } // the manifest says what is durable
        });
        sealed.and(tidied).and(folded)
    }

    fn fold_all(&self) -> Result<()> {
        while self.fold_oldest()? {}
        Ok(())
    }
}
