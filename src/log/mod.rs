//! Order and durability: one endless sequence of frames in segments, written by many threads, synced in groups, and found
//! again after a crash up to exactly where it was promised.
//!
//! L1. What recovery finds is a prefix of what was appended, and holds everything that was acknowledged as durable.
//! L2. A position is used once; so it is the version of what its frame says.
//! L3. Reads see the *frontier*: everything below is published, complete and immutable.
//! L4. The first failed write or sync of frames *poisons*: reads go on, writes fail with the first cause, nothing is
//!     retried. What fails before anything is claimed (no room for a segment) is an error and changes nothing.
//! L5. Locks are taken in the order rotation, preparation, live list; none is held across a sync, except that opening a
//!     segment whose file was not prepared ahead syncs that file's header.
//!
//! Not here: what a payload means ([`Table`]), what is still needed ([`Log::retire`] is told).

mod arena;
mod chain;
mod commit;
mod copy;
#[cfg(test)]
#[cfg(not(fourfold_loom))]
mod crash;
mod durability;
pub(crate) mod format;
#[cfg(test)]
#[cfg(fourfold_loom)]
mod models;
mod poison;
mod prepare;
mod recovery;
mod repair;
mod scan;
mod segment;
mod tail;
#[cfg(test)]
#[cfg(not(fourfold_loom))]
mod tests;
mod verify;
mod write;

pub(crate) use self::{
    recovery::Report,
    repair::repair,
    segment::{RecoveredSegment, Segment, Table},
};
pub use durability::Durability;
pub(crate) use tail::Appended;

use crate::{
    error::{Corruption, Error, Result},
    position::Position,
    storage::{File, Storage},
    sync::{AtomicBool, Mutex, Ordering, flaw},
};
use arena::{Arena, Pool};
use commit::{Commit, Goal, Persist, Progress};
use format::{FRAME_HEADER_LEN, FrameKind, Geometry, HEADER_LEN, LAG_UNKNOWN};
use poison::Poison;
use prepare::{Prepared, Preparer};
use std::{collections::VecDeque, future::Future, sync::Arc};
use tail::Tail;
use write::Writing;

/// How the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Size of a segment, as a power of two. Fixed for the life of a store.
    pub(crate) segment_shift: u32,
    /// Bytes that may be published and not yet written at [`Durability::Buffered`].
    pub(crate) buffered_max: u64,
    /// Files of retired segments kept for recycling at most.
    pub(crate) spares_max: usize,
    /// Idle arenas kept at most.
    pub(crate) arenas_max: usize,
    /// Ask for huge pages behind arenas.
    pub(crate) huge_pages: bool,
    /// Change nothing: appends are refused.
    pub(crate) read_only: bool,
}

/// What the manifest knows about the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the field has the manifest's name")]
pub(crate) struct Start {
    pub(crate) store_id: u128,
    /// First position that is still needed.
    pub(crate) log_start: Position,
    /// Newest epoch it knows of.
    pub(crate) epoch: u32,
    /// Everything below was durable.
    pub(crate) proven: Position,
}

/// What the log asks of the layers above it.
pub(crate) trait Hooks<T>: Send + Sync + 'static {
    /// A segment is about to be opened. May wait until there is room for one more, and may fail: then the append that
    /// needs it fails, and a later one asks again. Appends wait meanwhile; it may call anything here but `append`.
    fn opening(&self, _segment: &Arc<Segment<T>>) -> Result<()> {
        Ok(())
    }

    /// Makes what frames refer to durable. Called before frames are synced.
    fn before_sync(&self) -> Result<()> {
        Ok(())
    }

    /// Is all that this frame refers to whole? Asked at recovery about frames that were perhaps never durable.
    fn validate(&self, _payload: &[u8], _at: Position) -> Result<bool> {
        Ok(true)
    }
}

/// For a log that refers to nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoHooks;

impl<T> Hooks<T> for NoHooks {}

/// What recovery gives back.
#[derive(Debug)]
pub(crate) struct Recovered<T> {
    /// Segments that hold frames, oldest first.
    pub(crate) segments: Vec<Arc<Segment<T>>>,
    pub(crate) report: Report,
    /// No file is left that the next segment makes obsolete.
    pub(crate) is_tidy: bool,
}

/// A segment that is still needed, and its file.
#[derive(Debug)]
struct Live<F, T> {
    segment: Arc<Segment<T>>,
    file: Option<Arc<F>>,
}

impl<F, T> Clone for Live<F, T> {
    fn clone(&self) -> Self {
        Self { segment: Arc::clone(&self.segment), file: self.file.clone() }
    }
}

/// The log.
pub(crate) struct Log<S: Storage, T: Table> {
    geometry: Geometry,
    options: Options,
    persistent: bool,
    epoch: u32,
    /// Where the log ended when it was opened, and where this incarnation's first segment starts: nothing is between.
    recovered_end: Position,
    first_base: Position,
    /// Was that end known to be the one?
    recovered_clean: bool,
    poison: Arc<Poison>,
    tail: Tail<T, Arena>,
    preparer: Preparer<S, T>,
    commit: Commit,
    live: Mutex<VecDeque<Live<S::File, T>>>,
    /// Only the leader of a commit looks.
    writing: Mutex<Writing<S::File>>,
    hooks: Arc<dyn Hooks<T>>,
    /// A buffered writer asked the background to write.
    asked: AtomicBool,
}

impl<S: Storage, T: Table> Log<S, T> {
    /// Opens the log in `storage`: recovers what is there. See `recovery` for what that may write.
    pub(crate) fn recover(
        storage: S,
        options: Options,
        start: Start,
        hooks: Arc<dyn Hooks<T>>,
    ) -> Result<(Self, Recovered<T>)> {
        let geometry = Geometry::new(options.segment_shift);
        let pool = Pool::new(geometry.size(), options.arenas_max, options.huge_pages);
        let persistent = storage.is_persistent();
        let examined = recovery::examine::<S, T>(&storage, geometry, &start, &pool, &*hooks)?;
        let recovery::Examined { members, obsolete, spares, next, epoch, report } = examined;
        let is_tidy = obsolete.is_empty();
        let kept = recovery::restore::<S, T>(members, &report, &start, &options)?;
        let poison = Arc::new(Poison::new());
        let first_base = geometry.base(next);
        let epoch = if flaw!("no_epoch") { epoch.max(1) } else { epoch + 1 };
        let segments: Vec<_> = kept.iter().map(|(segment, _)| Arc::clone(segment)).collect();
        let live = kept.into_iter().map(|(segment, file)| Live { segment, file: Some(file) }).collect();
        let preparer = Preparer::new(
            storage,
            start.store_id,
            geometry,
            epoch,
            options.spares_max,
            pool,
            Arc::clone(&poison),
            next,
            report.end,
            obsolete,
        );
        if !options.read_only {
            preparer.adopt(spares)?;
        }
        let log = Self {
            geometry,
            options,
            persistent,
            epoch,
            recovered_end: report.end,
            recovered_clean: report.clean,
            first_base,
            tail: Tail::new(geometry, next, Arc::clone(&poison)),
            commit: Commit::new(first_base, Arc::clone(&poison)),
            poison,
            preparer,
            live: Mutex::new(live),
            writing: Mutex::new(Writing::default()),
            hooks,
            asked: AtomicBool::new(false),
        };
        Ok((log, Recovered { segments, report, is_tidy }))
    }

    /// Appends a frame whose payload is `payload`. It is visible when this returns, and durable when waited for.
    pub(crate) fn append(&self, payload: &[u8]) -> Result<Appended> {
        self.append_parts(&[payload])
    }

    /// [`Log::append`] of several slices as one payload.
    pub(crate) fn append_parts(&self, parts: &[&[u8]]) -> Result<Appended> {
        if self.options.read_only {
            return Err(Error::Unsupported {
                op: "append",
                reason: "the store is open for reading only".into(),
            });
        }
        self.tail.append(FrameKind::Data, parts, |at| self.lag(at), |index| self.open_segment(index))
    }

    /// Longest payload of a frame.
    pub(crate) fn payload_max(&self) -> u32 {
        self.geometry.payload_max()
    }

    /// Waits until the frame that ends at `end` is as safe as `durability` says.
    pub(crate) fn wait(&self, end: Position, durability: Durability) -> Result<()> {
        match self.goal(end, durability) {
            Some(goal) => self.commit.wait(goal, self),
            None => Ok(()),
        }
    }

    /// [`Log::wait`] as a future, for any runtime. Unless a background committer is registered, the poll that finds nobody
    /// committing commits, and blocks its thread for that long.
    pub(crate) fn wait_async(
        &self,
        end: Position,
        durability: Durability,
    ) -> impl Future<Output = Result<()>> + Send + '_ {
        let wait = self.goal(end, durability).map(|goal| self.commit.wait_async(goal, self));
        async move {
            match wait {
                Some(wait) => wait.await,
                None => Ok(()),
            }
        }
    }

    /// Would [`Log::wait`] for the same do more than return?
    pub(crate) fn must_wait(&self, end: Position, durability: Durability) -> bool {
        self.goal(end, durability).is_some()
    }

    fn goal(&self, end: Position, durability: Durability) -> Option<Goal> {
        if !self.persistent {
            return None;
        }
        match durability {
            Durability::Synced if flaw!("ack_when_written") => Some(Goal::Written(end)),
            Durability::Synced => Some(Goal::Durable(end)),
            Durability::Written => Some(Goal::Written(end)),
            Durability::Buffered => {
                let pending = self.tail.frontier().get().saturating_sub(self.commit.written().get());
                // Half the bound ahead of time, so that a background thread writes while the writers go on. Relaxed
                // first: asking twice or a little later does no harm.
                if pending > self.options.buffered_max / 2 {
                    self.ask();
                }
                (pending > self.options.buffered_max).then_some(Goal::Written(end))
            }
        }
    }

    /// Has the background write what is pending, and fault in what is to be filled next.
    fn ask(&self) {
        if self.commit.has_background()
            && !self.asked.load(Ordering::Relaxed)
            && !self.asked.swap(true, Ordering::AcqRel)
        {
            self.commit.call_background();
        }
    }

    /// Makes everything that is visible now durable.
    pub(crate) fn sync(&self) -> Result<()> {
        self.wait(self.tail.frontier(), Durability::Synced)
    }

    /// Hands everything that is visible now to the operating system.
    pub(crate) fn flush(&self) -> Result<()> {
        self.wait(self.tail.frontier(), Durability::Written)
    }

    /// From now on a task that waits calls `wake` instead of committing itself, and relies on a thread that answers with
    /// [`Log::serve`].
    pub(crate) fn set_background(&self, wake: Box<dyn Fn() + Send + Sync>) {
        self.commit.set_background(wake);
    }

    /// Commits if somebody waits for it and nobody is at it, and writes what buffered writers would soon have to write
    /// themselves; says whether there was anything to do.
    pub(crate) fn serve(&self) -> bool {
        // Before the flush: a writer behind it asks again.
        let asked = self.asked.swap(false, Ordering::AcqRel);
        if asked {
            // A failure has poisoned the log.
            let _ = self.flush();
            self.touch_ahead();
        }
        self.commit.serve(self) || asked
    }

    /// Faults in what the writers are about to fill: half a millisecond for each huge page that is not theirs to pay.
    fn touch_ahead(&self) {
        let frontier = self.tail.frontier();
        let active = self.live.lock().back().map(|live| Arc::clone(&live.segment));
        if let Some(segment) = active.filter(|segment| segment.base() <= frontier && frontier < segment.end())
        {
            segment.words().touch(self.geometry.offset(frontier), self.options.buffered_max);
        }
    }

    /// Everything below is visible.
    pub(crate) fn frontier(&self) -> Position {
        self.seen(self.tail.frontier())
    }

    /// Everything below survives a killed process.
    pub(crate) fn written(&self) -> Position {
        if self.persistent { self.seen(self.commit.written()) } else { self.frontier() }
    }

    /// Everything below survives a power cut.
    pub(crate) fn durable(&self) -> Position {
        if self.persistent { self.seen(self.commit.durable()) } else { self.frontier() }
    }

    /// Before the first append the log ends where it was found to end: the segment to come has no file yet, so nobody may
    /// write down that anything is proven up to there.
    fn seen(&self, position: Position) -> Position {
        if position <= self.first_base { self.recovered_end } else { position }
    }

    /// Seals the active segment, so that it can be folded. The next append opens the next one.
    pub(crate) fn rotate(&self) -> Result<()> {
        self.tail.seal(|at| self.lag(at))
    }

    /// Makes the next segment ready, in the background; says whether there was anything to do.
    pub(crate) fn prepare_ahead(&self) -> Result<bool> {
        self.preparer.ahead()
    }

    /// Where this incarnation's first segment starts or would start.
    pub(crate) fn first_base(&self) -> Position {
        self.first_base
    }

    /// Forgets the segments that end at or below `upto` and gives their files away. The manifest that needs nothing below
    /// `upto` must be durable.
    pub(crate) fn retire(&self, upto: Position) -> Result<()> {
        if self.persistent && self.commit.durable() < upto.min(self.tail.frontier()) {
            // A commit under way may still write to these files.
            self.sync()?;
        }
        let mut retired = Vec::new();
        {
            let mut live = self.live.lock();
            // The active segment ends above the frontier and stays.
            let upto = upto.min(self.tail.frontier());
            while live.front().is_some_and(|live| live.segment.end() <= upto) {
                retired.extend(live.pop_front());
            }
        }
        for live in &retired {
            if live.file.is_some() {
                self.preparer.discard(&format::file_name(live.segment.index()))?;
            }
        }
        Ok(())
    }

    /// Where the log is needed from once `segment` and all before it are not. Behind the last recovered segment may be
    /// files that recovery gave up (R4): a start that left them in the log would make them its beginning.
    pub(crate) fn start_behind(&self, segment: &Segment<T>) -> Position {
        let end = segment.end();
        let between = |live: &Live<S::File, T>| (end..self.first_base).contains(&live.segment.base());
        let is_last_recovered = end < self.first_base && !self.live.lock().iter().any(between);
        if is_last_recovered && !flaw!("start_at_void") { self.first_base } else { end }
    }

    /// Stops writing for good, with this cause.
    pub(crate) fn poison(&self, error: Error) {
        self.commit.poison(error);
    }

    /// Fails once the log is poisoned.
    pub(crate) fn check(&self) -> Result<()> {
        self.poison.check()
    }

    /// Makes everything durable and seals the log, so that the next open knows that nothing is missing. No append may be
    /// under way or follow. `false`: there was no place for a seal, so somebody else has to write down what is durable.
    pub(crate) fn close(&self) -> Result<bool> {
        self.poison.check()?;
        if !self.persistent || self.options.read_only {
            return Ok(true);
        }
        self.sync()?;
        // A file that cannot be put back is looked through by the next open, and costs it time.
        drop(self.preparer.put_back());
        // The seal is not worth a segment of its own.
        if !self.tail.has_room(FRAME_HEADER_LEN) {
            return Ok(self.recovered_clean && self.tail.frontier() <= self.first_base);
        }
        let lag = |at| self.lag(at);
        let mark = self.tail.append(FrameKind::Mark, &[], lag, |index| self.open_segment(index))?;
        self.wait(mark.end, Durability::Synced)?;
        Ok(true)
    }

    /// Reads every written frame of every live segment from its file and says what is wrong.
    pub(crate) fn verify(&self) -> Result<Vec<Corruption>> {
        let written = self.commit.written();
        let live: Vec<_> = self.live.lock().iter().cloned().collect();
        let mut problems = Vec::new();
        for Live { segment, file } in &live {
            if let Some(file) = file {
                verify::segment(segment, &**file, within(segment, written), &mut problems)?;
            }
        }
        Ok(problems)
    }

    /// Bytes of the segments that are not retired.
    pub(crate) fn allocated(&self) -> u64 {
        self.live.lock().len() as u64 * u64::from(self.geometry.size())
    }

    /// The incarnation that writes.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    fn lag(&self, at: Position) -> u32 {
        if self.persistent { format::lag(at, self.commit.durable()) } else { LAG_UNKNOWN }
    }

    fn open_segment(&self, index: u64) -> Result<Arc<Segment<T>>> {
        self.preparer.take(index, |Prepared { segment, file }| {
            self.hooks.opening(segment)?;
            self.live.lock().push_back(Live { segment: Arc::clone(segment), file: file.clone() });
            Ok(Arc::clone(segment))
        })
    }
}

/// Offset in `segment` of the end of meaningful bytes below `position`.
fn within<T>(segment: &Segment<T>, position: Position) -> u32 {
    let offset = position.get().saturating_sub(segment.base().get());
    u32::try_from(offset).unwrap_or(u32::MAX).min(segment.used())
}

impl<S: Storage, T: Table> Persist for Log<S, T> {
    fn persist(&self, sync: bool) -> Result<Progress> {
        let upto = self.tail.frontier();
        let from = self.commit.written();
        if sync {
            self.hooks.before_sync()?;
        }
        let mut writing = self.writing.lock();
        let (before, last) = {
            let live = self.live.lock();
            let last = live.back().cloned();
            let begun = last.as_ref().is_some_and(|last| last.segment.base() <= from);
            let touched = |live: &&Live<_, _>| live.segment.end() > from && live.segment.base() < upto;
            // Mostly it is the last segment alone that is touched, which takes no list.
            let before = if begun { Vec::new() } else { live.iter().filter(touched).cloned().collect() };
            (before, last.filter(|_| begun))
        };
        for Live { segment, file } in before.into_iter().chain(last) {
            let Some(file) = file else { continue };
            let first = within(&segment, from).max(HEADER_LEN);
            let end = within(&segment, upto);
            if first < end {
                writing.write(&segment, &file, first, end)?;
            }
        }
        // Writers that wait for each write are not asked for by how much is pending.
        let step = (self.options.buffered_max / 2).max(1);
        if from.get() / step != upto.get() / step {
            self.ask();
        }
        let mut durable = self.commit.durable();
        if sync {
            if !flaw!("ack_before_sync") {
                for file in &writing.unsynced {
                    file.sync()?;
                }
            }
            writing.unsynced.clear();
            durable = upto;
        }
        Ok(Progress { written: upto, durable })
    }
}

impl<S: Storage, T: Table> std::fmt::Debug for Log<S, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("tail", &self.tail).field("commit", &self.commit).finish_non_exhaustive()
    }
}
