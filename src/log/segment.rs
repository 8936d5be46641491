//! One segment in memory: its bytes and what they fold into.
//!
//! G1. Bytes below `ready` are below the frontier: published by their writers and immutable. [`Segment::value`] gives
//!     out nothing else, which makes it safe.
//! G2. `used` is where the last frame's bytes end, known once the frontier has passed the segment; what follows is
//!     padding that nobody needs to write.
//!
//! Not here: files (`mod`), who writes when (`tail`).
#![expect(unsafe_code, reason = "hands out slices of an arena")]

use super::{
    arena::{Arena, Words},
    format::{Binding, FRAME_HEADER_LEN, FrameKind, Geometry, HEADER_LEN, step},
};
use crate::{
    error::{Corruption, Error, Result},
    position::Position,
    sync::{AtomicU32, Ordering},
};
use bytes::Bytes;
use std::{fmt, path::Path, sync::Arc};

/// What a segment folds into while it is written.
pub(crate) trait Table: Send + Sync + Sized + 'static {
    /// The fold of nothing, for a segment that starts at `base`.
    fn new(base: Position) -> Self;

    /// Folds one frame in. Blind and total: the payload was checked before it was appended. Called by many threads at
    /// once, in no order, before the frame is visible: nothing with a version of `at` may be read until the frontier
    /// has passed `at`. `offset` is where the payload stands in its segment ([`Segment::value`]).
    fn apply(&self, payload: &[u8], offset: u32, at: Position);

    /// Folds a whole recovered segment; may sort and load in bulk. A payload that cannot be read is corruption:
    /// see [`RecoveredSegment::corrupt`].
    fn rebuild(segment: &RecoveredSegment<'_>) -> Result<Self>;
}

/// A frame with data that recovery found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecoveredFrame {
    /// Position of the frame: its version.
    pub(crate) at: Position,
    /// Where the payload starts in the segment.
    pub(crate) offset: u32,
    /// Bytes of the payload.
    pub(crate) len: u32,
}

/// What [`Table::rebuild`] folds: frames that verified, in order.
#[derive(Debug)]
pub(crate) struct RecoveredSegment<'a> {
    pub(crate) frames: &'a [RecoveredFrame],
    pub(crate) bytes: &'a [u8],
    pub(crate) file: &'a Path,
}

impl<'a> RecoveredSegment<'a> {
    pub(crate) fn payload(&self, frame: &RecoveredFrame) -> &'a [u8] {
        &self.bytes[frame.offset as usize..][..frame.len as usize]
    }

    /// The payload of `frame` verified but does not mean what it must.
    #[cold]
    pub(crate) fn corrupt(
        &self,
        frame: &RecoveredFrame,
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Error {
        Corruption::new(self.file, frame.offset.into(), what, expected, found).into()
    }
}

/// A segment and its fold.
pub(crate) struct Segment<T, W: Words = Arena> {
    geometry: Geometry,
    index: u64,
    binding: Binding,
    ready: AtomicU32,
    used: AtomicU32,
    words: W,
    table: T,
}

impl<T, W: Words> fmt::Debug for Segment<T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("index", &self.index)
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}

impl<T, W: Words> Segment<T, W> {
    /// A segment that is about to be written.
    pub(crate) fn open(geometry: Geometry, index: u64, binding: Binding, words: W, table: T) -> Self {
        assert_eq!(words.size(), geometry.size());
        let ready = AtomicU32::new(HEADER_LEN);
        Self { geometry, index, binding, ready, used: AtomicU32::new(geometry.size()), words, table }
    }

    /// A segment that nobody writes any more; frames end at `used`.
    pub(crate) fn sealed(
        geometry: Geometry,
        index: u64,
        binding: Binding,
        words: W,
        table: T,
        used: u32,
    ) -> Self {
        let segment = Self::open(geometry, index, binding, words, table);
        segment.used.store(used, Ordering::Release);
        segment.ready.store(used, Ordering::Release);
        segment
    }

    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    /// The position of the segment's first byte.
    pub(crate) fn base(&self) -> Position {
        self.geometry.base(self.index)
    }

    /// The first position after the segment. Once the frontier is here the table is complete.
    pub(crate) fn end(&self) -> Position {
        self.geometry.base(self.index + 1)
    }

    /// Is it complete: will no frame come to it any more, and are all that came visible?
    pub(crate) fn is_sealed(&self) -> bool {
        self.ready() >= self.used()
    }

    /// What the frames fold into.
    pub(crate) fn table(&self) -> &T {
        &self.table
    }

    pub(super) fn geometry(&self) -> Geometry {
        self.geometry
    }

    pub(super) fn binding(&self) -> Binding {
        self.binding
    }

    pub(super) fn words_size(&self) -> u32 {
        self.geometry.size()
    }

    pub(super) fn words(&self) -> &W {
        &self.words
    }

    /// Offset up to which bytes are published and immutable (G1).
    pub(crate) fn ready(&self) -> u32 {
        // Acquire: pairs with the Release in `advance`.
        self.ready.load(Ordering::Acquire)
    }

    /// Offset at which meaningful bytes end (G2); the size of the segment while it is written.
    pub(crate) fn used(&self) -> u32 {
        self.used.load(Ordering::Acquire)
    }

    /// The frontier has passed `ready`.
    pub(super) fn advance(&self, ready: u32) {
        // Release: pairs with the Acquire in `ready`; the scanner has seen every frame below with Acquire.
        self.ready.store(ready, Ordering::Release);
    }

    /// The frontier has found the padding frame at `offset`.
    pub(super) fn padded(&self, offset: u32) {
        self.used.store(offset + FRAME_HEADER_LEN, Ordering::Release);
    }

    /// `len` bytes at `offset`. Panics if the frontier has not passed them: their version is not visible yet.
    pub(crate) fn value(&self, offset: u32, len: u32) -> &[u8] {
        let end = offset.checked_add(len).expect("a range in the segment");
        assert!(end <= self.ready(), "values are read below the frontier (G1)");
        // SAFETY: A3, the range is below the frontier (G1).
        unsafe { self.words.slice(offset, len) }
    }

    /// The data frame at or behind `offset` below the frontier: offset of the frame, of its payload, and payload length.
    pub(super) fn frame_from(&self, mut offset: u32) -> Option<(u32, RecoveredFrame)> {
        loop {
            if offset + FRAME_HEADER_LEN > self.ready().min(self.used()) {
                return None;
            }
            let word = self.words.load_len(offset);
            let (kind, len) = step(word);
            if kind == FrameKind::Data {
                let at = Position::new(self.base().get() + u64::from(offset));
                let len = super::format::payload_len(word);
                return Some((offset, RecoveredFrame { at, offset: offset + FRAME_HEADER_LEN, len }));
            }
            offset = offset.checked_add(len)?;
        }
    }
}

impl<T: Send + Sync + 'static, W: Words> Segment<T, W> {
    /// [`Segment::value`] that keeps the segment's memory alive; no copy.
    pub(crate) fn bytes(self: &Arc<Self>, offset: u32, len: u32) -> Bytes {
        struct Slice<T, W: Words> {
            segment: Arc<Segment<T, W>>,
            offset: u32,
            len: u32,
        }
        impl<T, W: Words> AsRef<[u8]> for Slice<T, W> {
            fn as_ref(&self) -> &[u8] {
                self.segment.value(self.offset, self.len)
            }
        }
        Bytes::from_owner(Slice { segment: Arc::clone(self), offset, len })
    }
}

impl<T, W: Words> Drop for Segment<T, W> {
    fn drop(&mut self) {
        // Until the frontier has passed the padding, `used` is the whole segment.
        self.words.leave(self.used());
    }
}
