//! From files to a tree: a new one, or what an earlier incarnation left.
//!
//! P1. Opening reads the manifest, the log above its `log_start` and the footers of runs; nothing else, so its time does
//!     not grow with what is stored.
//! P2. It changes nothing until it knows that all of that can be read; then it removes what no manifest names.

use crate::blob::{BlobLog, BlobRef};
use crate::clock::Timestamp;
use crate::error::{Corruption, Error, Result};
use crate::log::format::Geometry;
use crate::log::{Hooks, Log, Start};
use crate::position::Position;
use crate::random::Random;
use crate::storage::Storage;
use crate::store::RecoveryReport;
use crate::store::export::{Beginning, occupied};
use crate::sync::flaw;
use crate::tree::Tree;
use crate::tree::batch::{OpKind, decode};
use crate::tree::compaction::Limits;
use crate::tree::entry::Kind;
use crate::tree::keyspaces::{FIRST_KEYSPACE, Keyspaces};
use crate::tree::manifest::{self, Manifest};
use crate::tree::run::{Run, RunId};
use crate::tree::snapshots::Snapshots;
use crate::tree::table::{SegmentTable, TreeSegment};
use crate::tree::view::{Level, View};
use crossbeam::sync::ShardedLock;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock, Weak};

/// From this segment size on (2 MiB), huge pages save more page faults than they waste memory.
const HUGE_PAGES_SHIFT_MIN: u32 = 21;

/// Runs that are open at the same time until their footers are read.
const ASKED_AT_ONCE: usize = 64;

/// How a tree is opened.
#[derive(Clone, Debug)]
pub(crate) struct TreeOptions {
    /// Log segments are `1 << shift` bytes, if the store is new.
    pub(crate) shift: u32,
    /// Was the size asked for? Then a store with another one is refused.
    pub(crate) is_shift_given: bool,
    /// Sealed segments that may wait for their fold.
    pub(crate) waiting_max: usize,
    /// Level 0 is left as the folds make it.
    pub(crate) pile_up: bool,
    /// Published bytes that may wait to be written.
    pub(crate) flush_bytes: u64,
    /// The store must be new, and its numbers begin here.
    pub(crate) beginning: Option<Beginning>,
}

impl<S: Storage> Tree<S> {
    /// Opens the tree in `storage`, or makes a new one.
    pub(crate) fn open(
        storage: &S,
        options: &TreeOptions,
        random: &Random,
        now: Timestamp,
    ) -> Result<(Arc<Self>, RecoveryReport)> {
        let manifest = match Manifest::read(storage)? {
            Some(_) if options.beginning.is_some() => return Err(occupied(&storage.path())),
            Some(manifest) => manifest,
            None => create(storage, options, random, now)?,
        };
        let shift = manifest.segment_shift;
        if options.is_shift_given && options.shift != shift {
            let (asked, has) = (1u64 << options.shift, 1u64 << shift);
            return Err(Error::invalid("segment size", format_args!("the store has {has}, not {asked}")));
        }
        let keyspaces = Arc::new(Keyspaces::new(&manifest.keyspaces));
        let listed: Vec<u64> = manifest.blobs.iter().map(|segment| segment.index).collect();
        let blobs = BlobLog::open(
            storage.clone(),
            Geometry::new(manifest.blob_shift),
            manifest.store_id,
            manifest.next_blob,
            &listed,
        )?;
        let blobs = Arc::new(blobs);
        let levels = open_runs(storage, &manifest)?;
        let hooks = TreeHooks::new(&keyspaces, &blobs);
        let start = log_start(&manifest);
        let log_options = log_options(storage, shift, options.flush_bytes);
        let log_hooks = Arc::clone(&hooks) as Arc<dyn Hooks<SegmentTable>>;
        let (log, recovered) = Log::recover(storage.clone(), log_options, start, log_hooks)?;
        for segment in &recovered.segments {
            segment.table().apply_controls(&keyspaces);
        }
        let memtables = recovered.segments.iter().rev().cloned().collect();
        let view = View::new(memtables, levels, log.first_base());
        blobs.sync()?;
        let strays = strays(storage, &manifest, recovered.report.end)?;
        let is_as_closed =
            recovered.report.clean && recovered.is_tidy && strays.is_empty() && !blobs.has_dead();
        // One that never named a run may be the first: without it, what is made next would stand in no store.
        let may_be_first = manifest.next_run == 1;
        if storage.is_persistent() && (may_be_first || !is_as_closed) && !flaw!("trust_names") {
            // A killed process may have left names that are not durable, the manifest's first of all. Nothing is built
            // on them, and nothing removed because of them, before they are. Where nothing is to be removed that waits
            // for the next segment or manifest, each of which syncs the directory before anything relies on it.
            storage.sync_dir()?;
        }
        if may_be_first {
            storage.sync_parent()?;
        }
        strays.iter().try_for_each(|name| storage.remove(name))?;
        blobs.tidy()?;
        let mut limits = Limits::for_segments(1 << shift);
        if options.pile_up {
            (limits.l0_merge, limits.l0_slow, limits.l0_stop) = (usize::MAX, usize::MAX, usize::MAX);
        }
        let tree = Self::assemble(
            storage.clone(),
            log,
            blobs,
            keyspaces,
            manifest,
            view,
            options.waiting_max,
            limits,
            &hooks,
        );
        Ok((tree, recovered.report.into()))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a tree; called by the two ways to get one")]
    pub(super) fn assemble(
        storage: S,
        log: Log<S, SegmentTable>,
        blobs: Arc<BlobLog<S>>,
        keyspaces: Arc<Keyspaces>,
        manifest: Manifest,
        view: View<S>,
        waiting_max: usize,
        limits: Limits,
        hooks: &TreeHooks<S>,
    ) -> Arc<Self> {
        let tree = Arc::new(Self {
            storage,
            log,
            blobs,
            next_keyspace: AtomicU32::new(manifest.next_keyspace.max(keyspaces.next_id())),
            keyspaces,
            snapshots: Snapshots::default(),
            limits,
            waiting_max,
            gate: ShardedLock::new(()),
            clearing: Mutex::default(),
            cleared: Mutex::default(),
            pinning: RwLock::default(),
            pins: Mutex::default(),
            compacting: Mutex::default(),
            folding: Mutex::default(),
            structure: Mutex::new(manifest),
            view: RwLock::new(Arc::new(view)),
            helper: OnceLock::new(),
        });
        hooks.tree.set(Arc::downgrade(&tree)).expect("linked once, here");
        tree
    }
}

/// What the manifest knows about the log.
pub(super) fn log_start(manifest: &Manifest) -> Start {
    Start {
        store_id: manifest.store_id,
        log_start: manifest.log_start,
        proven: manifest.durable,
        epoch: manifest.epoch,
    }
}

/// How a tree keeps its log.
pub(super) fn log_options<S: Storage>(storage: &S, shift: u32, flush_bytes: u64) -> crate::log::Options {
    let huge_pages = storage.is_persistent() && shift >= HUGE_PAGES_SHIFT_MIN;
    crate::log::Options {
        segment_shift: shift,
        buffered_max: flush_bytes,
        spares_max: 1,
        // An idle arena of huge pages holds a segment's memory. Without one, loading takes perhaps a fifth more CPU
        // (`docs/performance.md`), of which there is more to spare.
        arenas_max: usize::from(!huge_pages),
        huge_pages,
        read_only: false,
    }
}

/// A directory without a manifest must be empty: what is in it belongs to somebody else, or is what is left of a store.
pub(crate) fn refuse_strangers<S: Storage>(storage: &S) -> Result<()> {
    let names: Vec<_> = storage.list()?.into_iter().map(|entry| entry.name).collect();
    if names.iter().any(|name| name == manifest::NAME) {
        return Ok(());
    }
    match names.into_iter().filter(|name| name != manifest::NEXT_NAME).min() {
        None => Ok(()),
        Some(name) => {
            let reason = format!("there is no {} but there is {name}", manifest::NAME);
            Err(Error::NotAStore { path: storage.path(), reason })
        }
    }
}

/// A new store: an empty manifest in an empty directory.
fn create<S: Storage>(
    storage: &S,
    options: &TreeOptions,
    random: &Random,
    now: Timestamp,
) -> Result<Manifest> {
    refuse_strangers(storage)?;
    let first = Beginning { epoch: 0, position: Position::ZERO, now, next_keyspace: FIRST_KEYSPACE };
    let first = options.beginning.unwrap_or(first);
    let log_start = Position::new(first.position.get().next_multiple_of(1 << options.shift));
    let manifest = Manifest {
        store_id: random.next_u128(),
        created: now.max(first.now),
        segment_shift: options.shift,
        blob_shift: options.shift,
        epoch: first.epoch,
        log_start,
        durable: log_start,
        next_run: 1,
        next_keyspace: first.next_keyspace,
        next_blob: 1,
        levels: vec![Vec::new()],
        keyspaces: Vec::new(),
        blobs: Vec::new(),
    };
    if storage.is_persistent() {
        manifest.write(storage)?;
    }
    Ok(manifest)
}

/// The runs that the manifest names, each the very file that it describes.
fn open_runs<S: Storage>(storage: &S, manifest: &Manifest) -> Result<Vec<Level<S::File>>> {
    let mut metas = manifest.levels.iter().flatten();
    let mut files = VecDeque::new();
    let mut levels = Vec::with_capacity(manifest.levels.len().max(1));
    for (depth, level) in manifest.levels.iter().enumerate() {
        let mut runs = Vec::with_capacity(level.len());
        for meta in level {
            if files.is_empty() {
                // Asked for before one is read: what is not in memory comes at the same time then.
                for meta in metas.by_ref().take(ASKED_AT_ONCE) {
                    let file = storage.open(&meta.id.file_name());
                    let file = file.map_err(|error| unless_missing(storage, meta.id, error))?;
                    Run::foresee(&file, meta.file_len);
                    files.push_back(file);
                }
            }
            let Some(file) = files.pop_front() else { break };
            let run = Run::from_file(file, meta.id)?;
            if run.meta() != meta {
                let path = storage.path().join(meta.id.file_name());
                let (expected, found) =
                    (format!("{:08x}", meta.checksum), format!("{:08x}", run.meta().checksum));
                return Err(Corruption::new(path, 0, "run named by the manifest", expected, found).into());
            }
            runs.push(Arc::new(run));
        }
        if depth == 0 {
            runs.reverse(); // the manifest lists the newest last
        }
        levels.push(runs);
    }
    levels.resize_with(levels.len().max(1), Vec::new);
    Ok(levels)
}

/// A run that the manifest names and that is not there is not just any file that cannot be opened.
fn unless_missing<S: Storage>(storage: &S, id: RunId, error: Error) -> Error {
    match error {
        Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            let path = storage.path().join(id.file_name());
            Corruption::new(path, 0, "run named by the manifest", "a file", "none").into()
        }
        error => error,
    }
}

/// What was written for a manifest that never came.
///
/// Such a run holds frames that were durable in the log first, and the log still has them. One that holds newer ones
/// was named by a newer manifest than this.
fn strays<S: Storage>(storage: &S, manifest: &Manifest, log_end: Position) -> Result<Vec<String>> {
    let named: BTreeSet<RunId> = manifest.levels.iter().flatten().map(|meta| meta.id).collect();
    let mut strays = Vec::new();
    for entry in storage.list()?.into_iter().filter(|entry| entry.is_file) {
        match RunId::from_file_name(&entry.name) {
            Some(id) if named.contains(&id) => {}
            Some(id) => {
                let run = Run::open(storage, id);
                if let Some(newest) =
                    run.ok().map(|run| run.meta().max_version).filter(|newest| *newest >= log_end)
                {
                    let path = storage.path().join(manifest::NAME);
                    let (expected, found) =
                        (format!("one with {id}"), format!("{newest} in it, {log_end} in the log"));
                    return Err(Corruption::new(path, 0, "manifest", expected, found).into());
                }
                strays.push(entry.name);
            }
            None if entry.name == manifest::NEXT_NAME => strays.push(entry.name),
            None => {}
        }
    }
    Ok(strays)
}

/// What the log asks of the tree.
pub(super) struct TreeHooks<S: Storage> {
    /// Known once the log is open.
    tree: OnceLock<Weak<Tree<S>>>,
    keyspaces: Arc<Keyspaces>,
    blobs: Arc<BlobLog<S>>,
}

impl<S: Storage> TreeHooks<S> {
    pub(super) fn new(keyspaces: &Arc<Keyspaces>, blobs: &Arc<BlobLog<S>>) -> Arc<Self> {
        Arc::new(Self { tree: OnceLock::new(), keyspaces: Arc::clone(keyspaces), blobs: Arc::clone(blobs) })
    }
}

impl<S: Storage> Hooks<SegmentTable> for TreeHooks<S> {
    fn opening(&self, segment: &Arc<TreeSegment>) -> Result<()> {
        segment.table().attach(&self.keyspaces);
        let tree = self.tree.get().and_then(Weak::upgrade).expect("a tree outlives its writers");
        tree.opening(segment)
    }

    fn before_sync(&self) -> Result<()> {
        if flaw!("frames_before_blobs") {
            return Ok(());
        }
        self.blobs.sync()
    }

    fn validate(&self, payload: &[u8], _at: Position) -> Result<bool> {
        for op in decode(payload).map_while(Result::ok) {
            if op.kind == OpKind::Entry(Kind::Blob) {
                let blob = BlobRef::decode_entry(op.value)?;
                if !self.blobs.is_whole(blob)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
