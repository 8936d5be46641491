//! A key and its versions.
//!
//! R1. A key has one record in the table, for ever. Its bytes follow the record's head and never change.
//! R2. The first version that came lies in the record itself, the others in a list, newest first. Both together are
//!     all versions; most keys have one, so most records are one piece of memory and nothing more.
//! R3. What a version says is one atomic word, so that a frame which writes a key twice can correct itself in place.
#![expect(unsafe_code, reason = "the key lies behind the record's head; obligations in the parent module")]

use std::alloc::Layout;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Slot;
use super::arena::Arena;
use super::link::{Link, Ref};
use crate::position::Position;
use crate::tree::entry::Kind;

#[derive(Debug)]
#[repr(C)]
pub(super) struct Record {
    first: Version,
    key_len: u16,
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct Version {
    /// In a list: the next older one. In a record: the newest of the list.
    next: Link<Version>,
    position: Position,
    word: AtomicU64,
}

/// Where the key begins: right behind the last field, not behind the padding.
const KEY_OFFSET: usize = std::mem::offset_of!(Record, key_len) + size_of::<u16>();

const OFFSET_BITS: u32 = 30;
const _: () = assert!(OFFSET_BITS >= crate::limits::SEGMENT_SHIFT_MAX);

impl Slot {
    /// `kind (2 bits) | offset (30) | len (32)`
    fn pack(self) -> u64 {
        assert!(self.offset >> OFFSET_BITS == 0, "offset {} is outside of every segment", self.offset);
        u64::from(self.kind as u8) << (32 + OFFSET_BITS) | u64::from(self.offset) << 32 | u64::from(self.len)
    }

    #[expect(clippy::cast_possible_truncation, reason = "takes the word apart")]
    fn unpack(word: u64) -> Self {
        let kind = Kind::from_byte((word >> (32 + OFFSET_BITS)) as u8).expect("packed from a kind");
        let offset = (word >> 32) as u32 & ((1 << OFFSET_BITS) - 1);
        Self { kind, offset, len: word as u32 }
    }
}

impl Version {
    fn new(version: Position, slot: Slot) -> Self {
        Self { next: Link::null(), position: version, word: AtomicU64::new(slot.pack()) }
    }

    fn slot(&self) -> Slot {
        // Relaxed: one word; the link that led here has published its first value (M2), and who may see a later one
        // got the frame's position by an Acquire.
        Slot::unpack(self.word.load(Ordering::Relaxed))
    }

    fn correct(&self, slot: Slot) {
        // Relaxed: as in `slot`.
        self.word.store(slot.pack(), Ordering::Relaxed);
    }
}

impl<'t> Ref<'t, Record> {
    pub(super) fn record(arena: &'t Arena, key: &[u8], version: Position, slot: Slot) -> Self {
        let key_len = u16::try_from(key.len()).expect("a key is at most 64 KiB long");
        let size = (KEY_OFFSET + key.len()).max(size_of::<Record>());
        let layout = Layout::from_size_align(size, align_of::<Record>()).expect("a key is short");
        let place = arena.allocate(layout);
        let record = place.cast::<Record>();
        // SAFETY: M1, fresh memory, large enough and aligned by its layout.
        unsafe { record.write(Record { first: Version::new(version, slot), key_len }) };
        // SAFETY: M1, `KEY_OFFSET` is within the layout.
        let bytes = unsafe { place.add(KEY_OFFSET) };
        // SAFETY: M1, the layout has `key.len()` bytes from there on; nobody else knows this memory.
        unsafe { bytes.as_ptr().copy_from_nonoverlapping(key.as_ptr(), key.len()) };
        // SAFETY: M1, M2 (just written), M3 (`record` has the provenance of the whole allocation).
        unsafe { Ref::new(record) }
    }

    pub(super) fn key(self) -> &'t [u8] {
        let len = usize::from(self.key_len);
        // SAFETY: M3, the key lies behind the head in the same allocation.
        let bytes = unsafe { self.pointer().cast::<u8>().add(KEY_OFFSET) };
        // SAFETY: M1, M2, M4: alive for 't, written before the record was published, never changed (R1).
        unsafe { std::slice::from_raw_parts(bytes.as_ptr(), len) }
    }

    /// Adds a version, or corrects the one that is there.
    pub(super) fn add(self, arena: &'t Arena, version: Position, slot: Slot) {
        let first = &self.get().first;
        if first.position == version {
            first.correct(slot);
            return;
        }
        let mut fresh = None;
        let mut link = &first.next;
        loop {
            let next = link.load();
            match next {
                Some(next) if next.position > version => {
                    link = &next.get().next;
                    continue;
                }
                Some(next) if next.position == version => {
                    next.correct(slot);
                    return;
                }
                _ => {}
            }
            let fresh = *fresh.get_or_insert_with(|| Ref::version(arena, version, slot));
            fresh.next.store(next);
            // Versions are only ever added, so a link that still holds `next` is still the right place.
            if link.replace(next, fresh) {
                return;
            }
        }
    }

    /// The newest version at or before `at`.
    pub(super) fn visible(self, at: Position) -> Option<(Position, Slot)> {
        self.versions().find(|&(version, _)| version <= at)
    }

    /// All versions, newest first.
    pub(super) fn versions(self) -> Versions<'t> {
        let first = &self.get().first;
        Versions { first: Some(first), listed: first.next.load().map(Ref::get) }
    }
}

impl<'t> Ref<'t, Version> {
    fn version(arena: &'t Arena, version: Position, slot: Slot) -> Self {
        let place = arena.place(Version::new(version, slot));
        // SAFETY: M1, M2, M3: just placed, whole.
        unsafe { Ref::new(place) }
    }
}

/// The versions of one record, newest first: its list, with the one in the record merged in.
#[derive(Debug)]
pub(super) struct Versions<'t> {
    first: Option<&'t Version>,
    listed: Option<&'t Version>,
}

impl Iterator for Versions<'_> {
    type Item = (Position, Slot);

    fn next(&mut self) -> Option<(Position, Slot)> {
        let version = match (self.first, self.listed) {
            (Some(first), Some(listed)) if first.position > listed.position => self.first.take()?,
            (_, Some(listed)) => {
                self.listed = listed.next.load().map(Ref::get);
                listed
            }
            (_, None) => self.first.take()?,
        };
        Some((version.position, version.slot()))
    }
}
