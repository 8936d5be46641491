//! Copies of a log: into another directory, or as an independent log in memory.

use super::{
    Hooks, Live, Log, Options, Poison, Preparer, Tail, Writing,
    arena::Pool,
    commit::Commit,
    format::{self, HEADER_LEN},
    segment::{RecoveredSegment, Segment, Table},
    within,
};
use crate::{
    error::Result,
    position::Position,
    storage::{File, Storage},
    sync::{AtomicBool, Mutex},
};
use std::{path::Path, sync::Arc};

/// A log and its segments that hold frames, oldest first.
type Forked<S, T> = (Log<S, T>, Vec<Arc<Segment<T>>>);

impl<S: Storage, T: Table> Log<S, T> {
    /// Writes every live segment that holds frames in `from..upto` to `target`, synced, without what is at or behind
    /// `upto`: a frontier. The caller keeps segments from being retired meanwhile.
    pub(crate) fn export(&self, target: &S, from: Position, upto: Position) -> Result<()> {
        let live: Vec<_> = self.live.lock().iter().cloned().collect();
        for Live { segment, file } in live {
            let Some(file) = file.filter(|_| segment.end() > from && segment.base() < upto) else { continue };
            let mut header = vec![0; HEADER_LEN as usize];
            file.read_at(&mut header, 0)?;
            let end = within(&segment, upto).max(HEADER_LEN);
            let copy = target.create(&format::file_name(segment.index()))?;
            copy.allocate(self.geometry.size().into())?;
            copy.write_at(&header, 0)?;
            copy.write_at(segment.value(HEADER_LEN, end - HEADER_LEN), HEADER_LEN.into())?;
            copy.sync()?;
        }
        Ok(())
    }

    /// An independent log with the same frames, for a log in memory. Sealed segments are shared; the active one is
    /// copied up to the frontier.
    pub(crate) fn fork(&self, storage: S, hooks: Arc<dyn Hooks<T>>) -> Result<Forked<S, T>> {
        assert!(!self.persistent, "the store forks in memory only");
        let upto = self.tail.frontier();
        let options = Options { read_only: false, ..self.options };
        let pool = Pool::new(self.geometry.size(), options.arenas_max, options.huge_pages);
        let live: Vec<_> = self.live.lock().iter().map(|live| Arc::clone(&live.segment)).collect();
        let mut segments = Vec::with_capacity(live.len());
        for segment in live.into_iter().filter(|segment| segment.base() < upto) {
            segments.push(if segment.is_sealed() { segment } else { Arc::new(copy(&segment, upto, &pool)?) });
        }
        let next = segments.last().map_or(self.tail.next(), |last| last.index() + 1);
        let poison = Arc::new(Poison::new());
        let base = self.geometry.base(next);
        let preparer = Preparer::new(
            storage,
            0,
            self.geometry,
            self.epoch,
            options.spares_max,
            pool,
            Arc::clone(&poison),
            next,
            base,
            Vec::new(),
        );
        let live = segments.iter().map(|segment| Live { segment: Arc::clone(segment), file: None }).collect();
        let log = Self {
            geometry: self.geometry,
            options,
            persistent: false,
            epoch: self.epoch,
            recovered_end: base,
            recovered_clean: true,
            first_base: base,
            tail: Tail::new(self.geometry, next, Arc::clone(&poison)),
            commit: Commit::new(base, Arc::clone(&poison)),
            poison,
            preparer,
            live: Mutex::new(live),
            writing: Mutex::new(Writing::default()),
            hooks,
            asked: AtomicBool::new(false),
        };
        Ok((log, segments))
    }
}

/// A sealed copy of the frames of `segment` below `upto`.
fn copy<T: Table>(segment: &Arc<Segment<T>>, upto: Position, pool: &Arc<Pool>) -> Result<Segment<T>> {
    let used = within(segment, upto).max(HEADER_LEN);
    let mut arena = pool.take()?;
    arena.bytes_mut()[HEADER_LEN as usize..used as usize]
        .copy_from_slice(segment.value(HEADER_LEN, used - HEADER_LEN));
    let mut frames = Vec::new();
    let mut offset = HEADER_LEN;
    while let Some((at, frame)) = segment.frame_from(offset).filter(|(at, _)| *at < used) {
        frames.push(frame);
        offset = at + format::frame_len(frame.len);
    }
    let bytes = arena.bytes();
    let table = T::rebuild(&RecoveredSegment { frames: &frames, bytes, file: Path::new("memory") })?;
    Ok(Segment::sealed(segment.geometry(), segment.index(), segment.binding(), arena, table, used))
}
