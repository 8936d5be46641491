//! What the bytes of one segment say: frames up to the first flaw, and evidence behind it.
//!
//! The search behind a flaw tries every aligned offset, but checksums at most [`SEARCH_FACTOR`] times the segment:
//! enough for any real content, and a bound for content made to be slow.

use super::{
    arena::{Arena, Pool},
    chain::Member,
    format::{self, FRAME_ALIGNMENT, FRAME_HEADER_LEN, Flaw, Frame, FrameKind, HEADER_LEN},
    segment::RecoveredFrame,
};
use crate::{error::Result, position::Position, storage::File};
use std::sync::Arc;

const SEARCH_FACTOR: u64 = 8;

/// Why the frames of a segment stop where they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At the end of the segment, or where its successor says.
    Whole,
    /// Nothing of this incarnation starts here: blank, or left over from a former use of the file.
    Blank,
    /// Something of this incarnation starts here and does not verify.
    Torn,
    /// A frame that verifies, but what it refers to is not whole.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Scan {
    /// All of the file.
    pub(crate) arena: Arena,
    /// Data frames, in order.
    pub(crate) frames: Vec<RecoveredFrame>,
    /// Offset of the end of the last frame's bytes.
    pub(crate) used: u32,
    /// Offset at which the frames stop.
    pub(crate) end: u32,
    pub(crate) stop: Stop,
    pub(crate) flaw: Flaw,
    /// Offset of the last frame, if that is the seal of a clean close.
    pub(crate) seal: Option<u32>,
    /// Did any frame verify, of any kind?
    pub(crate) any: bool,
    /// Everything below is durable, as far as frames here know.
    pub(crate) proven: Position,
    /// Frames that verify behind the stop, and their bytes.
    pub(crate) behind: u64,
    pub(crate) behind_bytes: u64,
}

/// Reads the file of `member` and verifies it.
pub(crate) fn scan<F: File>(member: &Member<F>, pool: &Arc<Pool>) -> Result<Scan> {
    let mut arena = pool.take_soiled()?;
    member.file.read_at(arena.bytes_mut(), 0)?;
    Ok(Scan::of(arena, member))
}

impl Scan {
    fn of<F>(arena: Arena, member: &Member<F>) -> Self {
        let mut scan = Self {
            arena,
            frames: Vec::new(),
            used: HEADER_LEN,
            end: HEADER_LEN,
            stop: Stop::Whole,
            flaw: Flaw::Blank,
            seal: None,
            any: false,
            proven: Position::ZERO,
            behind: 0,
            behind_bytes: 0,
        };
        scan.forward(member);
        if scan.stop != Stop::Whole {
            scan.search(member);
        }
        scan
    }

    fn forward<F>(&mut self, member: &Member<F>) {
        let size = member.header.geometry.size();
        let binding = member.header.binding();
        loop {
            if self.end >= member.limit || size - self.end < FRAME_HEADER_LEN {
                break;
            }
            let checked = format::check(self.arena.bytes(), self.end, size, binding);
            let frame = match checked {
                Ok(frame) if frame.end <= member.limit => frame,
                Ok(_) => {
                    self.flaw = Flaw::Length { word: 0 };
                    self.stop = Stop::Torn;
                    return;
                }
                Err(flaw) => {
                    self.flaw = flaw;
                    self.stop = match flaw {
                        Flaw::Blank | Flaw::Length { .. } | Flaw::Epoch { .. } => Stop::Blank,
                        Flaw::Checksum { .. } | Flaw::Alignment => Stop::Torn,
                    };
                    return;
                }
            };
            self.take(member, frame);
        }
        // Less than a header left is implied padding.
        if self.end < member.limit {
            self.end = member.limit;
        }
    }

    fn take<F>(&mut self, member: &Member<F>, frame: Frame) {
        let at = position(member, self.end);
        self.proven = self.proven.max(frame.proves(at).unwrap_or_default());
        self.any = true;
        self.seal = (frame.kind == FrameKind::Mark).then_some(self.end);
        self.used = if frame.kind == FrameKind::Pad { self.end + FRAME_HEADER_LEN } else { frame.end };
        if frame.kind == FrameKind::Data {
            let offset = self.end + FRAME_HEADER_LEN;
            self.frames.push(RecoveredFrame { at, offset, len: frame.payload_len });
        }
        self.end = frame.end;
    }

    /// Looks for frames behind the stop: each says what was durable when it was built.
    fn search<F>(&mut self, member: &Member<F>) {
        let size = member.header.geometry.size();
        let binding = member.header.binding();
        let mut budget = u64::from(size) * SEARCH_FACTOR;
        let mut offset = self.end + FRAME_ALIGNMENT;
        while offset < member.limit {
            let mut next = offset + FRAME_ALIGNMENT;
            if let Ok((frame, _)) = format::peek(self.arena.bytes(), offset, size, binding) {
                let cost = if frame.kind == FrameKind::Pad { 0 } else { frame.payload_len };
                let Some(rest) = budget.checked_sub(u64::from(cost) + 1) else { return };
                budget = rest;
                if format::check(self.arena.bytes(), offset, size, binding).is_ok()
                    && frame.end <= member.limit
                {
                    let at = position(member, offset);
                    self.proven = self.proven.max(frame.proves(at).unwrap_or_default());
                    self.behind += 1;
                    self.behind_bytes += u64::from(frame.end - offset);
                    next = frame.end;
                }
            }
            offset = next;
        }
    }

    /// Gives up the frame `frame` and all behind it, because what it refers to is not whole.
    pub(crate) fn refuse(&mut self, frame: usize) {
        let given_up = self.frames.split_off(frame);
        let first = given_up.first().expect("a frame of this segment is refused");
        self.behind += given_up.len() as u64;
        self.behind_bytes += u64::from(self.end - (first.offset - FRAME_HEADER_LEN));
        self.end = first.offset - FRAME_HEADER_LEN;
        self.used = self.end;
        self.stop = Stop::Refused;
        self.seal = None;
    }
}

pub(crate) fn position<F>(member: &Member<F>, offset: u32) -> Position {
    Position::new(member.header.base.get() + u64::from(offset))
}
