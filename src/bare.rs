//! The log without a tree above it, so that its cost can be measured by itself. Not part of the interface.

use crate::clock::Parker;
use crate::error::Result;
use crate::limits::SEGMENT_SHIFT_MAX;
use crate::log::{Durability, Hooks, Log, Options, RecoveredSegment, Segment, Start, Table};
use crate::position::Position;
use crate::storage::{Media, Storage};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::thread::JoinHandle;

/// Segments of the measured log: as in a store.
const SEGMENT_SHIFT: u32 = 25;
/// So many bytes behind the frontier are kept; what is older is retired and its files are used again.
const KEPT: u64 = 2 << SEGMENT_SHIFT;
const _: () = assert!(SEGMENT_SHIFT <= SEGMENT_SHIFT_MAX);

/// Frames mean nothing.
#[derive(Debug)]
struct Nothing;

impl Table for Nothing {
    fn new(_base: Position) -> Self {
        Self
    }

    fn apply(&self, _payload: &[u8], _offset: u32, _at: Position) {}

    fn rebuild(_segment: &RecoveredSegment<'_>) -> Result<Self> {
        Ok(Self)
    }
}

/// Wakes the background thread for each segment.
struct Call(Waker);

impl Hooks<Nothing> for Call {
    fn opening(&self, _segment: &Arc<Segment<Nothing>>) -> Result<()> {
        self.0.wake_by_ref();
        Ok(())
    }
}

/// A log on disk that only keeps what is newest, with the background thread that prepares its segments.
pub struct BareLog {
    log: Arc<Log<Media, Nothing>>,
    durability: Durability,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl BareLog {
    /// A log in the new directory `dir`.
    ///
    /// # Errors
    /// As for [`Store::open`](crate::Store::open).
    pub fn create(dir: impl AsRef<Path>, durability: Durability) -> Result<Self> {
        let media = Media::disk(dir.as_ref());
        media.create_dir()?;
        let options = Options {
            segment_shift: SEGMENT_SHIFT,
            buffered_max: 4 << 20,
            spares_max: 1,
            arenas_max: 1,
            huge_pages: true,
            read_only: false,
        };
        let start = Start { store_id: 1, log_start: Position::ZERO, epoch: 0, proven: Position::ZERO };
        let parker = Parker::new();
        let waker = parker.waker();
        let (log, _) = Log::recover(media, options, start, Arc::new(Call(waker.clone())))?;
        let (log, stop) = (Arc::new(log), Arc::new(AtomicBool::new(false)));
        let wake = waker.clone();
        log.set_background(Box::new(move || wake.wake_by_ref()));
        let thread = {
            let (log, stop) = (Arc::clone(&log), Arc::clone(&stop));
            std::thread::spawn(move || tend(&log, &stop, parker))
        };
        Ok(Self { log, durability, stop, waker, thread: Some(thread) })
    }

    /// Appends `parts` as one frame and waits until it is as durable as the log was made for.
    ///
    /// # Errors
    /// As for [`Store::write`](crate::Store::write).
    pub fn append(&self, parts: &[&[u8]]) -> Result<Position> {
        let appended = self.log.append_parts(parts)?;
        self.log.wait(appended.end, self.durability)?;
        Ok(appended.at)
    }
}

fn tend(log: &Log<Media, Nothing>, stop: &AtomicBool, mut parker: Parker) {
    while !stop.load(Ordering::Acquire) {
        let old = Position::new(log.frontier().get().saturating_sub(KEPT));
        // A failure poisons, or is met again by the append that needs what failed.
        let retired = log.retire(old);
        let busy = log.serve() || log.prepare_ahead().unwrap_or(false);
        if !busy || retired.is_err() {
            parker.wait();
        }
    }
}

impl Drop for BareLog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake_by_ref();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for BareLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BareLog").field("frontier", &self.log.frontier()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_log_rolls_and_gives_its_old_segments_back() {
        let dir = tempfile::tempdir().unwrap();
        let log = BareLog::create(dir.path().join("log"), Durability::Written).unwrap();
        let part = vec![7; 1 << 20];
        let mut last = Position::ZERO;
        for _ in 0..200 {
            let at = log.append(&[&part, &part]).unwrap();
            assert!(at > last, "positions grow");
            last = at;
        }
        while log.log.allocated() > KEPT + (3 << SEGMENT_SHIFT) {
            std::thread::yield_now();
        }
    }
}
