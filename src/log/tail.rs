//! The tail of the log: claim bytes, fill them, publish them, open the next segment, and know how far all is published.
//!
//! T1. A byte belongs to the one thread whose `fetch_add` on the slot's tail covered it. A claim *pins* its slot: the
//!     frontier cannot pass bytes that are not published, and a slot gets a new segment only after the frontier has
//!     passed the old one. So a claim reads the segment from the slot without a lock, and a thread that came with an old
//!     index merely claims in a newer segment.
//! T2. A segment is full once its tail is past its end. The one claim that crosses the end publishes a padding frame over
//!     the rest; claims behind it cover nothing and are dropped, so a failed rotation leaves no hole.
//! T3. The frontier is moved only under `scan`, only over published frames, and never past an unpublished byte.
//! T4. A writer leaves only when the frontier has passed its frame, scanning itself if nobody does. If it published,
//!     looked once and left, two of them could leave the frontier stuck for ever.
//! T5. Between claim and publish nothing may fail. A panic there (in the fold) poisons: waiting writers fail instead of
//!     spinning.
//! T6. Locks are taken in the order `rotation`, `scan`; appending takes `scan` by `try_lock` only.
//!
//! Not here: files and durability (`commit`, `mod`).
#![expect(unsafe_code, reason = "segments are reached without a lock while a claim pins them")]

use super::{
    arena::Words,
    format::{self, FRAME_ALIGNMENT, FRAME_HEADER_LEN, FrameKind, Geometry, HEADER_LEN, frame_len},
    poison::Poison,
    segment::{Segment, Table},
};
use crate::{
    error::{Error, Result},
    position::Position,
    sync::{AtomicU64, Mutex, Ordering, UnsafeCell, mutant, relax},
};
use crossbeam::utils::CachePadded;
use std::sync::Arc;

/// Where a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    /// The frame's position: the version of what it says.
    pub(crate) at: Position,
    /// What to wait for: the frame is durable when `durable >= end`.
    pub(crate) end: Position,
}

#[derive(Debug)]
struct Slot<T, W: Words> {
    /// Offset of the next claim; past the segment's size once it is full (T2).
    tail: AtomicU64,
    segment: UnsafeCell<Option<Arc<Segment<T, W>>>>,
}

pub(crate) struct Tail<T, W: Words> {
    geometry: Geometry,
    slots: [CachePadded<Slot<T, W>>; 2],
    /// Index of the segment to open next. The one before it, if this log opened one, is active.
    next: CachePadded<AtomicU64>,
    frontier: CachePadded<AtomicU64>,
    scan: Mutex<()>,
    rotation: Mutex<()>,
    poison: Arc<Poison>,
}

// SAFETY: slots are written only by a rotation that holds `rotation` and `scan` when no claim pins them (T1), and read by
// claims that pin them or under `scan`.
unsafe impl<T: Send + Sync, W: Words> Sync for Tail<T, W> {}

/// Bytes of a segment that belong to this thread until it publishes them.
struct Claim<'a, T, W: Words> {
    segment: &'a Segment<T, W>,
    offset: u32,
    poison: &'a Poison,
}

impl<T, W: Words> Claim<'_, T, W> {
    fn at(&self) -> Position {
        Position::new(self.segment.base().get() + u64::from(self.offset))
    }

    /// Copies the frame's bytes; all but the length word.
    fn fill(&self, header: &[u8; FRAME_HEADER_LEN as usize], parts: &[&[u8]]) {
        // SAFETY: A3, the range is claimed (T1); A2, the length word is left out.
        unsafe { self.segment.words().fill(self.offset + 4, &header[4..]) }
        let mut offset = self.offset + FRAME_HEADER_LEN;
        for part in parts {
            // SAFETY: as above.
            unsafe { self.segment.words().fill(offset, part) }
            offset += u32::try_from(part.len()).expect("a frame fits its segment");
        }
    }

    /// The payload as it stands in the segment.
    fn payload(&self, len: u32) -> &[u8] {
        // SAFETY: A3, this thread claimed and filled the range.
        unsafe { self.segment.words().slice(self.offset + FRAME_HEADER_LEN, len) }
    }

    fn publish(self, word: u32) {
        self.segment.words().publish_len(self.offset, word);
        std::mem::forget(self);
    }
}

impl<T, W: Words> Drop for Claim<'_, T, W> {
    fn drop(&mut self) {
        self.poison
            .set(Error::invalid("batch", "folding it into the table panicked, so the log has a hole (T5)"));
    }
}

impl<T: Table, W: Words> Tail<T, W> {
    /// A log whose next segment is `next`; the ones before are not written any more.
    pub(crate) fn new(geometry: Geometry, next: u64, poison: Arc<Poison>) -> Self {
        let full = u64::from(geometry.size());
        let slot = || CachePadded::new(Slot { tail: AtomicU64::new(full), segment: UnsafeCell::new(None) });
        Self {
            geometry,
            slots: [slot(), slot()],
            next: CachePadded::new(AtomicU64::new(next)),
            frontier: CachePadded::new(AtomicU64::new(geometry.base(next).get())),
            scan: Mutex::new(()),
            rotation: Mutex::new(()),
            poison,
        }
    }

    /// Everything below is published, and what it says is visible.
    pub(crate) fn frontier(&self) -> Position {
        // Acquire: pairs with the Release in `advance`; bytes below the frontier may be read.
        Position::new(self.frontier.load(Ordering::Acquire))
    }

    /// Index of the segment to open next.
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Appends one frame with the payload `parts`, folds it, and returns when the frontier has passed it. `open` gives
    /// the segment of an index when one is needed; if it fails nothing has happened.
    pub(crate) fn append(
        &self,
        kind: FrameKind,
        parts: &[&[u8]],
        lag: impl Fn(Position) -> u32,
        open: impl Fn(u64) -> Result<Arc<Segment<T, W>>>,
    ) -> Result<Appended> {
        let appended = self.place(kind, parts, lag, open)?;
        if mutant!("look_once_and_leave") {
            self.help();
        } else {
            self.settle(appended.end)?;
        }
        Ok(appended)
    }

    /// Claims, fills, folds and publishes a frame. The caller has to see it passed by the frontier (T4).
    pub(super) fn place(
        &self,
        kind: FrameKind,
        parts: &[&[u8]],
        lag: impl Fn(Position) -> u32,
        open: impl Fn(u64) -> Result<Arc<Segment<T, W>>>,
    ) -> Result<Appended> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let max = self.geometry.payload_max();
        let payload_len = u32::try_from(len).ok().filter(|&len| len <= max);
        let Some(payload_len) = payload_len else {
            return Err(Error::TooLarge { what: "batch", len: len as u64, max: max.into() });
        };
        let claim = self.claim(frame_len(payload_len), &lag, &open)?;
        let at = claim.at();
        let end = Position::new(at.get() + u64::from(frame_len(payload_len)));
        let len = FRAME_HEADER_LEN + payload_len;
        let header = format::seal(claim.segment.binding(), claim.offset, kind, len, lag(at), parts);
        if mutant!("publish_before_fill") {
            claim.segment.words().publish_len(claim.offset, format::word_of(&header));
        }
        claim.fill(&header, parts);
        if kind == FrameKind::Data {
            let offset = claim.offset + FRAME_HEADER_LEN;
            claim.segment.table().apply(claim.payload(payload_len), offset, at);
        }
        claim.publish(format::word_of(&header));
        Ok(Appended { at, end })
    }

    /// Claims `len` bytes of the active segment, opening segments as needed.
    fn claim(
        &self,
        len: u32,
        lag: &impl Fn(Position) -> u32,
        open: &impl Fn(u64) -> Result<Arc<Segment<T, W>>>,
    ) -> Result<Claim<'_, T, W>> {
        let size = u64::from(self.geometry.size());
        loop {
            self.poison.check()?;
            let next = self.next.load(Ordering::Acquire);
            // Looked at first, so that the tail does not run away while a full disk lets no segment be opened.
            if self.active(next).tail.load(Ordering::Relaxed) < size
                && let Some(claim) = self.take(next, len, lag)
            {
                return Ok(claim);
            }
            self.rotate(next, open)?;
        }
    }

    /// The slot of the segment before `next`.
    fn active(&self, next: u64) -> &Slot<T, W> {
        &self.slots[usize::from(next.is_multiple_of(2))]
    }

    /// One attempt; `None` if the segment is full, padded by this thread if it was the one to cross its end (T2).
    fn take(&self, next: u64, len: u32, lag: &impl Fn(Position) -> u32) -> Option<Claim<'_, T, W>> {
        let slot = self.active(next);
        let size = self.geometry.size();
        // Acquire: pairs with the Release store in `rotate`, so the segment in the slot is the one of this tail.
        let offset = slot.tail.fetch_add(len.into(), Ordering::AcqRel);
        let offset = u32::try_from(offset).ok().filter(|&offset| offset <= size)?;
        if size - offset < FRAME_HEADER_LEN {
            return None; // the rest is implied padding; there is nothing to pin the slot, so it may not be looked at
        }
        // SAFETY: the claim covers bytes of the segment in the slot, which pins it (T1).
        let segment = slot.segment.with(|segment| unsafe { &*segment });
        let segment = segment.as_deref().expect("an open tail has a segment");
        let claim = Claim { segment, offset, poison: &self.poison };
        if len <= size - offset {
            return Some(claim);
        }
        let rest = size - offset;
        let header = format::seal(segment.binding(), offset, FrameKind::Pad, rest, lag(claim.at()), &[]);
        claim.fill(&header, &[]);
        claim.publish(format::word_of(&header));
        None
    }

    /// Seals the active segment, if one is open and holds anything, by padding what is left of it. It can be folded
    /// once the frontier has passed it, which is when this returns. The next segment is opened by the next append.
    pub(crate) fn seal(&self, lag: impl Fn(Position) -> u32) -> Result<()> {
        self.poison.check()?;
        let next = self.next.load(Ordering::Acquire);
        let tail = self.active(next).tail.load(Ordering::Relaxed);
        if tail == u64::from(HEADER_LEN) {
            // Just opened by an append that has not claimed yet: it may stay so for long, and what is to be sealed is
            // the segment before.
            return self.settle(self.geometry.base(next - 1));
        }
        if tail < self.geometry.size().into() {
            // More than any segment has left, so this either crosses the end or finds it crossed.
            if self.take(next, self.geometry.size() + FRAME_ALIGNMENT, &lag).is_some() {
                unreachable!("a claim longer than a segment never fits");
            }
        }
        self.settle(self.geometry.base(next))
    }

    /// Is the active segment able to take `len` bytes more?
    pub(crate) fn has_room(&self, len: u32) -> bool {
        let tail = self.active(self.next()).tail.load(Ordering::Relaxed);
        tail + u64::from(len) <= self.geometry.size().into()
    }

    /// Opens segment `next`, unless somebody did.
    pub(super) fn rotate(&self, next: u64, open: &impl Fn(u64) -> Result<Arc<Segment<T, W>>>) -> Result<()> {
        let _rotation = self.rotation.lock();
        if self.next.load(Ordering::Acquire) != next {
            return Ok(());
        }
        // The slot still holds segment `next - 2`: claims in it must be published before it goes (T1).
        if !mutant!("rotate_without_waiting") {
            self.settle(self.geometry.base(next.saturating_sub(1)))?;
        }
        let segment = open(next)?;
        assert_eq!(segment.index(), next, "segments are opened in order");
        let slot = &self.slots[usize::from(!next.is_multiple_of(2))];
        let old = {
            let _scan = self.scan.lock();
            // SAFETY: no claim pins the slot, scans are locked out, and rotations too (T1, T6).
            let old = slot.segment.with_mut(|cell| unsafe { (*cell).replace(segment) });
            // Release: pairs with the `fetch_add` in `take`. A swap, though nobody reads what it replaces: loom orders
            // read-modify-writes among themselves but lets a plain store and a late `fetch_add` pass each other.
            slot.tail.swap(HEADER_LEN.into(), Ordering::AcqRel);
            // Release: pairs with the Acquire loads of `next`.
            self.next.store(next + 1, Ordering::Release);
            old
        };
        drop(old); // may be the last owner of a table: after the lock
        Ok(())
    }

    /// Returns when the frontier has passed `end` (T4).
    fn settle(&self, end: Position) -> Result<()> {
        let mut turn = 0;
        loop {
            if self.frontier() >= end {
                return Ok(());
            }
            self.poison.check()?;
            if !self.help() || self.frontier() < end {
                relax(&mut turn);
            }
        }
    }

    /// Moves the frontier as far as frames are published, unless somebody else is at it.
    pub(super) fn help(&self) -> bool {
        let Some(_scan) = self.scan.try_lock() else { return false };
        self.advance();
        true
    }

    /// The scan; the caller holds `scan` (T3).
    fn advance(&self) {
        let size = self.geometry.size();
        // Relaxed: only moved under `scan`.
        let start = Position::new(self.frontier.load(Ordering::Relaxed));
        let mut at = start;
        // Acquire: pairs with the Release in `rotate`; the slots hold the segments below `next`.
        while self.geometry.index(at) < self.next.load(Ordering::Acquire) {
            let index = self.geometry.index(at);
            let slot = self.active(index + 1);
            // SAFETY: slots are written under `scan`, which this thread holds.
            let segment = slot.segment.with(|segment| unsafe { &*segment });
            let segment = segment.as_deref().expect("segments below `next` were opened");
            assert_eq!(
                segment.index(),
                index,
                "a slot keeps its segment until the frontier has passed it (T1)"
            );
            let mut offset = self.geometry.offset(at).max(HEADER_LEN);
            while size - offset >= FRAME_HEADER_LEN {
                let word = segment.words().load_len(offset);
                if word == 0 {
                    break;
                }
                let (kind, len) = format::step(word);
                if kind == FrameKind::Pad {
                    segment.padded(offset);
                }
                offset += len;
            }
            let full = size - offset < FRAME_HEADER_LEN;
            segment.advance(if full { size } else { offset });
            at = if full { segment.end() } else { Position::new(segment.base().get() + u64::from(offset)) };
            if !full {
                break;
            }
        }
        if at > start {
            // Release: pairs with the Acquire in `frontier`; every frame below was seen published.
            self.frontier.store(at.get(), Ordering::Release);
        }
    }
}

impl<T, W: Words> std::fmt::Debug for Tail<T, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail")
            .field("next", &self.next)
            .field("frontier", &self.frontier)
            .finish_non_exhaustive()
    }
}
