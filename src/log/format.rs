//! The bytes of a segment: its header and its frames, as pure functions on slices. Log and blob log share them.
//!
//! F1. A frame verifies only where it was written: its checksum starts from a seed that is a bijection of the segment's
//!     index (low half) and of the offset, so a stale frame of a recycled file and a frame moved within its segment
//!     *never* verify; a frame of another store or of a far segment verifies with the chance of a CRC-32 collision.
//! F2. Every bit of a frame matters: header and payload by the checksum, alignment bytes because they must be zero.
//!     A padding frame is its header only; what it covers is never read.
//! F3. A decoder never panics, never reads outside the slice it is given and allocates nothing.
//!
//! Not here: what a payload means, and where a log ends (`recovery`).

use crate::{
    codec::checksums_agree,
    error::{Corruption, Result},
    limits::{SEGMENT_SHIFT_MAX, SEGMENT_SHIFT_MIN},
    position::Position,
};
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// First bytes of every segment file.
const MAGIC: [u8; 8] = *b"4fold\x0dsg";
/// The version this build writes and the newest it reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

const MAGIC_AT: usize = 0;
const VERSION_AT: usize = MAGIC_AT + size_of::<[u8; 8]>();
const KIND_AT: usize = VERSION_AT + size_of::<u32>();
const STORE_ID_AT: usize = KIND_AT + size_of::<u32>();
const SHIFT_AT: usize = STORE_ID_AT + size_of::<u128>();
const EPOCH_AT: usize = SHIFT_AT + size_of::<u32>();
const BASE_AT: usize = EPOCH_AT + size_of::<u32>();
const PREDECESSOR_END_AT: usize = BASE_AT + size_of::<u64>();
const HEADER_CRC_AT: usize = PREDECESSOR_END_AT + size_of::<u64>();
/// Bytes of a segment header that mean something; the rest of its page is zero.
pub(crate) const HEADER_FIELDS_LEN: usize = HEADER_CRC_AT + size_of::<u32>();
/// Bytes before the first frame. Models have no header: every byte of a segment is a loom object.
pub(crate) const HEADER_LEN: u32 = if cfg!(fourfold_loom) { 0 } else { 4096 };

const LEN_AT: usize = 0;
const CRC_AT: usize = LEN_AT + size_of::<u32>();
const FRAME_EPOCH_AT: usize = CRC_AT + size_of::<u32>();
const LAG_AT: usize = FRAME_EPOCH_AT + size_of::<u32>();
/// Bytes of a frame before its payload.
pub(crate) const FRAME_HEADER_LEN: u32 = 16;
/// Frames start at multiples of this.
pub(crate) const FRAME_ALIGNMENT: u32 = 8;
/// A frame that proves nothing about what is durable.
pub(crate) const LAG_UNKNOWN: u32 = u32::MAX;

const LEN_BITS: u32 = 30;
const LEN_MASK: u32 = (1 << LEN_BITS) - 1;

const _: () = assert!(LAG_AT + size_of::<u32>() == FRAME_HEADER_LEN as usize);
const _: () = assert!(FRAME_HEADER_LEN.is_multiple_of(FRAME_ALIGNMENT));
const _: () = assert!(HEADER_LEN.is_multiple_of(FRAME_ALIGNMENT));
const _: () = assert!(cfg!(fourfold_loom) || HEADER_FIELDS_LEN <= HEADER_LEN as usize);
const _: () = assert!(HEADER_LEN < 1 << SEGMENT_SHIFT_MIN);
const _: () = assert!(SEGMENT_SHIFT_MAX <= LEN_BITS, "a padding frame may cover nearly a segment");

/// How the log is cut into segments. Fixed for the life of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    shift: u32,
}

impl Geometry {
    pub(crate) fn new(shift: u32) -> Self {
        assert!(
            cfg!(fourfold_loom) || (SEGMENT_SHIFT_MIN..=SEGMENT_SHIFT_MAX).contains(&shift),
            "the store checks the segment size it is given"
        );
        Self { shift }
    }

    /// Bytes of a segment.
    pub(crate) const fn size(self) -> u32 {
        1 << self.shift
    }

    /// Where segment `index` starts; also the end of the one before it.
    pub(crate) const fn base(self, index: u64) -> Position {
        Position::new(index << self.shift)
    }

    /// The segment that holds the byte at `position`.
    pub(crate) const fn index(self, position: Position) -> u64 {
        position.get() >> self.shift
    }

    /// The segment that holds the byte before `end`.
    pub(crate) const fn index_before(self, end: Position) -> u64 {
        end.get().saturating_sub(1) >> self.shift
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked to at most 30 bits")]
    pub(crate) const fn offset(self, position: Position) -> u32 {
        (position.get() & (self.size() as u64 - 1)) as u32
    }

    /// Longest payload of one frame.
    pub(crate) const fn payload_max(self) -> u32 {
        self.size() - HEADER_LEN - FRAME_HEADER_LEN
    }
}

/// Which log a segment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum LogKind {
    Main = 1,
    Blob = 2,
}

/// What the first page of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: LogKind,
    pub(crate) store_id: u128,
    pub(crate) geometry: Geometry,
    pub(crate) epoch: u32,
    pub(crate) base: Position,
    /// Where the log before this segment ends; `base` if the segment before is full.
    pub(crate) predecessor_end: Position,
}

impl Header {
    /// The header's page.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut page = vec![0; HEADER_FIELDS_LEN.max(HEADER_LEN as usize)];
        page[MAGIC_AT..VERSION_AT].copy_from_slice(&MAGIC);
        page[VERSION_AT..KIND_AT].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        page[KIND_AT..STORE_ID_AT].copy_from_slice(&(self.kind as u32).to_le_bytes());
        page[STORE_ID_AT..SHIFT_AT].copy_from_slice(&self.store_id.to_le_bytes());
        page[SHIFT_AT..EPOCH_AT].copy_from_slice(&self.geometry.shift.to_le_bytes());
        page[EPOCH_AT..BASE_AT].copy_from_slice(&self.epoch.to_le_bytes());
        page[BASE_AT..PREDECESSOR_END_AT].copy_from_slice(&self.base.get().to_le_bytes());
        page[PREDECESSOR_END_AT..HEADER_CRC_AT].copy_from_slice(&self.predecessor_end.get().to_le_bytes());
        let crc = crc32fast::hash(&page[..HEADER_CRC_AT]);
        page[HEADER_CRC_AT..HEADER_FIELDS_LEN].copy_from_slice(&crc.to_le_bytes());
        page
    }

    /// Reads the header of segment `index` of the log `kind` of this store; anything else is named for what it is.
    pub(crate) fn decode(
        bytes: &[u8],
        file: &Path,
        kind: LogKind,
        store_id: u128,
        geometry: Geometry,
        index: u64,
    ) -> Result<Self> {
        let flaw = |at: usize, what, expected: String, found: String| {
            Err(Corruption::new(file, at as u64, what, expected, found).into())
        };
        let Some(fields) = bytes.first_chunk::<HEADER_FIELDS_LEN>() else {
            return flaw(
                0,
                "segment header length",
                format!("{HEADER_FIELDS_LEN} bytes"),
                bytes.len().to_string(),
            );
        };
        if fields[MAGIC_AT..VERSION_AT] != MAGIC {
            return flaw(MAGIC_AT, "segment magic", hex(&MAGIC), hex(&fields[MAGIC_AT..VERSION_AT]));
        }
        let version = u32_at(fields, VERSION_AT);
        if version > FORMAT_VERSION {
            let path = file.to_path_buf();
            return Err(crate::Error::Version { path, found: version, supported: FORMAT_VERSION });
        }
        let expected = crc32fast::hash(&fields[..HEADER_CRC_AT]);
        let found = u32_at(fields, HEADER_CRC_AT);
        if !checksums_agree(expected, found) {
            return flaw(
                HEADER_CRC_AT,
                "segment header checksum",
                format!("{expected:08x}"),
                format!("{found:08x}"),
            );
        }
        let header = Self {
            kind,
            store_id,
            geometry,
            epoch: u32_at(fields, EPOCH_AT),
            base: geometry.base(index),
            predecessor_end: Position::new(u64_at(fields, PREDECESSOR_END_AT)),
        };
        if version != FORMAT_VERSION {
            return flaw(
                VERSION_AT,
                "segment format version",
                FORMAT_VERSION.to_string(),
                version.to_string(),
            );
        }
        let found = u32_at(fields, KIND_AT);
        if found != kind as u32 {
            return flaw(KIND_AT, "segment kind", (kind as u32).to_string(), found.to_string());
        }
        let found = u128::from_le_bytes(
            *fields[STORE_ID_AT..].first_chunk().expect("the fields are as long as their offsets say"),
        );
        if found != store_id {
            return flaw(
                STORE_ID_AT,
                "store id of segment",
                format!("{store_id:032x}"),
                format!("{found:032x}"),
            );
        }
        let found = u32_at(fields, SHIFT_AT);
        if found != geometry.shift {
            return flaw(SHIFT_AT, "segment size", format!("2^{}", geometry.shift), format!("2^{found}"));
        }
        let found = u64_at(fields, BASE_AT);
        if found != header.base.get() {
            return flaw(BASE_AT, "segment base", header.base.to_string(), found.to_string());
        }
        if header.predecessor_end > header.base {
            return flaw(
                PREDECESSOR_END_AT,
                "end of the predecessor",
                format!("at most {}", header.base),
                header.predecessor_end.to_string(),
            );
        }
        Ok(header)
    }

    /// Is this the header of some segment, whichever?
    pub(crate) fn is_one(fields: &[u8; HEADER_FIELDS_LEN]) -> bool {
        fields[MAGIC_AT..VERSION_AT] == MAGIC
            && crc32fast::hash(&fields[..HEADER_CRC_AT]) == u32_at(fields, HEADER_CRC_AT)
    }

    pub(crate) fn index(&self) -> u64 {
        self.geometry.index(self.base)
    }

    pub(crate) fn binding(&self) -> Binding {
        Binding::new(self.store_id, self.index(), self.epoch)
    }
}

/// What ties a frame to its place and time (F1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    seed: u32,
    epoch: u32,
}

/// Short pieces are put together first: bytes of 128 and more are summed many at once, each piece by itself is not.
const GATHERED_MAX: usize = 256;

impl Binding {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a hash, and the low half of an index whose high half is in it"
    )]
    pub(crate) fn new(store_id: u128, index: u64, epoch: u32) -> Self {
        let mut input = [0; 24];
        input[..16].copy_from_slice(&store_id.to_le_bytes());
        input[16..].copy_from_slice(&(index >> 32).to_le_bytes());
        // Odd factors make each of the two steps a bijection of 32 bits (F1).
        let seed = (xxh3_64(&input) as u32).wrapping_add((index as u32).wrapping_mul(0x9E37_79B1));
        Self { seed, epoch }
    }

    const fn seed_at(self, offset: u32) -> u32 {
        self.seed ^ offset.wrapping_mul(0x85EB_CA6B)
    }

    fn crc<'a>(self, offset: u32, word: u32, lag: u32, parts: impl Iterator<Item = &'a [u8]>) -> u32 {
        let mut gathered = [0; GATHERED_MAX];
        gathered[..4].copy_from_slice(&word.to_le_bytes());
        gathered[4..8].copy_from_slice(&self.epoch.to_le_bytes());
        gathered[8..12].copy_from_slice(&lag.to_le_bytes());
        let mut len = 12;
        let mut hasher = crc32fast::Hasher::new_with_initial(self.seed_at(offset));
        for part in parts {
            if let Some(room) = gathered.get_mut(len..len + part.len()) {
                room.copy_from_slice(part);
                len += part.len();
            } else {
                hasher.update(&gathered[..len]);
                len = 0;
                hasher.update(part);
            }
        }
        hasher.update(&gathered[..len]);
        hasher.finalize()
    }
}

/// What a frame is for; the two high bits of its length word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum FrameKind {
    Data = 0,
    /// Covers the rest of its segment.
    Pad = 1,
    /// The seal of a clean close.
    Mark = 2,
}

impl FrameKind {
    const fn from_word(word: u32) -> Option<Self> {
        match word >> LEN_BITS {
            0 => Some(Self::Data),
            1 => Some(Self::Pad),
            2 => Some(Self::Mark),
            _ => None,
        }
    }
}

/// Bytes that a frame with `payload` bytes takes in its segment.
pub(crate) const fn frame_len(payload: u32) -> u32 {
    (FRAME_HEADER_LEN + payload).next_multiple_of(FRAME_ALIGNMENT)
}

/// The published frame of a length word: its kind and the bytes it takes. The word must be one of ours.
pub(crate) fn step(word: u32) -> (FrameKind, u32) {
    let kind = FrameKind::from_word(word).expect("published words are written by `seal`");
    (kind, (word & LEN_MASK).next_multiple_of(FRAME_ALIGNMENT))
}

/// Payload bytes of the frame with this length word.
pub(crate) const fn payload_len(word: u32) -> u32 {
    (word & LEN_MASK).saturating_sub(FRAME_HEADER_LEN)
}

/// The 16 bytes before the payload. `len` is that of header and payload, or of what a padding frame covers.
pub(crate) fn seal(
    binding: Binding,
    offset: u32,
    kind: FrameKind,
    len: u32,
    lag: u32,
    parts: &[&[u8]],
) -> [u8; FRAME_HEADER_LEN as usize] {
    assert!((FRAME_HEADER_LEN..=LEN_MASK).contains(&len), "a frame fits its segment");
    let word = (kind as u32) << LEN_BITS | len;
    let crc = binding.crc(offset, word, lag, parts.iter().copied());
    let mut header = [0; FRAME_HEADER_LEN as usize];
    header[LEN_AT..CRC_AT].copy_from_slice(&word.to_le_bytes());
    header[CRC_AT..FRAME_EPOCH_AT].copy_from_slice(&crc.to_le_bytes());
    header[FRAME_EPOCH_AT..LAG_AT].copy_from_slice(&binding.epoch.to_le_bytes());
    header[LAG_AT..].copy_from_slice(&lag.to_le_bytes());
    header
}

/// The length word of a sealed header.
pub(crate) fn word_of(header: &[u8; FRAME_HEADER_LEN as usize]) -> u32 {
    u32_at(header, LEN_AT)
}

/// The lag of a frame at `at` when everything below `durable` is durable.
pub(crate) fn lag(at: Position, durable: Position) -> u32 {
    at.get().checked_sub(durable.get()).and_then(|lag| u32::try_from(lag).ok()).unwrap_or(LAG_UNKNOWN)
}

/// A frame that verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: FrameKind,
    pub(crate) lag: u32,
    pub(crate) payload_len: u32,
    /// Offset of the next frame.
    pub(crate) end: u32,
}

impl Frame {
    /// What the frame at `at` proves to be durable, if anything.
    pub(crate) fn proves(&self, at: Position) -> Option<Position> {
        if self.lag == LAG_UNKNOWN { None } else { at.get().checked_sub(self.lag.into()).map(Position::new) }
    }
}

/// Why bytes are not the frame that belongs there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The length word is zero: nothing was written.
    Blank,
    /// Kind or length cannot be.
    Length {
        word: u32,
    },
    Epoch {
        expected: u32,
        found: u32,
    },
    Checksum {
        expected: u32,
        found: u32,
    },
    /// Alignment bytes that are not zero.
    Alignment,
}

impl Flaw {
    /// What was checked, what it should be, what it is.
    pub(crate) fn explain(self) -> (&'static str, String, String) {
        match self {
            Self::Blank => ("frame length", "a frame".into(), "nothing".into()),
            Self::Length { word } => ("frame length", "a length that fits".into(), format!("{word:08x}")),
            Self::Epoch { expected, found } => ("frame epoch", expected.to_string(), found.to_string()),
            Self::Checksum { expected, found } => {
                ("frame checksum", format!("{expected:08x}"), format!("{found:08x}"))
            }
            Self::Alignment => ("frame alignment bytes", "zero".into(), "something else".into()),
        }
    }
}

/// Verifies the frame at `offset` of `segment`, the first bytes of a segment of `size`.
pub(crate) fn check(segment: &[u8], offset: u32, size: u32, binding: Binding) -> Result<Frame, Flaw> {
    let (frame, word) = peek(segment, offset, size, binding)?;
    let header = &segment[offset as usize..];
    let body_len = if frame.kind == FrameKind::Pad { 0 } else { frame.payload_len as usize };
    let (payload, rest) = header[FRAME_HEADER_LEN as usize..].split_at(body_len);
    let expected = binding.crc(offset, word, frame.lag, std::iter::once(payload));
    let found = u32_at(header, CRC_AT);
    if !checksums_agree(expected, found) {
        return Err(Flaw::Checksum { expected, found });
    }
    let aligned = (frame.end - offset) as usize - FRAME_HEADER_LEN as usize - frame.payload_len as usize;
    if frame.kind != FrameKind::Pad && rest[..aligned].iter().any(|&byte| byte != 0) {
        return Err(Flaw::Alignment);
    }
    Ok(frame)
}

/// Everything about a frame but its checksum; cheap, so that a search can try every offset. All that `check` reads is
/// inside `segment` when this says yes.
pub(crate) fn peek(segment: &[u8], offset: u32, size: u32, binding: Binding) -> Result<(Frame, u32), Flaw> {
    let header =
        segment.get(offset as usize..).and_then(<[u8]>::first_chunk::<{ FRAME_HEADER_LEN as usize }>);
    let Some(header) = header else { return Err(Flaw::Length { word: 0 }) };
    let word = u32_at(header, LEN_AT);
    if word == 0 {
        return Err(Flaw::Blank);
    }
    let len = word & LEN_MASK;
    let end = u64::from(offset) + u64::from(len).next_multiple_of(FRAME_ALIGNMENT.into());
    let fits = match FrameKind::from_word(word) {
        Some(FrameKind::Data) => len >= FRAME_HEADER_LEN && end <= (segment.len() as u64).min(size.into()),
        Some(FrameKind::Mark) => len == FRAME_HEADER_LEN,
        Some(FrameKind::Pad) => len >= FRAME_HEADER_LEN && end == u64::from(size),
        None => false,
    };
    let (Some(kind), true, Ok(end)) = (FrameKind::from_word(word), fits, u32::try_from(end)) else {
        return Err(Flaw::Length { word });
    };
    let found = u32_at(header, FRAME_EPOCH_AT);
    if found != binding.epoch {
        return Err(Flaw::Epoch { expected: binding.epoch, found });
    }
    Ok((Frame { kind, lag: u32_at(header, LAG_AT), payload_len: payload_len(word), end }, word))
}

/// The name of the file of segment `index`.
pub(crate) fn file_name(index: u64) -> String {
    format!("{index:016x}.log")
}

/// The segment whose file has this name.
pub(crate) fn index_of_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let index = u64::from_str_radix(digits, 16).ok()?;
    (file_name(index) == name).then_some(index)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("callers pass all fields"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("callers pass all fields"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
#[cfg(not(fourfold_loom))]
mod tests {
    use super::*;
    use crate::Error;

    const SIZE: u32 = 1 << SEGMENT_SHIFT_MIN;

    fn header() -> Header {
        let geometry = Geometry::new(SEGMENT_SHIFT_MIN);
        let base = geometry.base(7);
        let predecessor_end = Position::new(base.get() - 100);
        Header { kind: LogKind::Main, store_id: 42, geometry, epoch: 3, base, predecessor_end }
    }

    fn decode(bytes: &[u8]) -> Result<Header> {
        let header = header();
        Header::decode(bytes, Path::new("7.log"), header.kind, header.store_id, header.geometry, 7)
    }

    /// A frame with `payload` at `offset` of an otherwise blank segment.
    fn segment(binding: Binding, offset: u32, kind: FrameKind, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; SIZE as usize];
        let len = match kind {
            FrameKind::Pad => SIZE - offset,
            _ => FRAME_HEADER_LEN + u32::try_from(payload.len()).expect("a small payload"),
        };
        let header = seal(binding, offset, kind, len, 9, &[payload]);
        let at = offset as usize;
        bytes[at..at + 16].copy_from_slice(&header);
        bytes[at + 16..at + 16 + payload.len()].copy_from_slice(payload);
        bytes
    }

    #[test]
    fn header_round_trip() {
        let page = header().encode();
        assert_eq!(page.len(), HEADER_LEN as usize);
        assert_eq!(decode(&page).unwrap(), header());
    }

    #[test]
    fn header_rejects_every_flipped_bit_and_truncation() {
        let page = header().encode();
        for bit in 0..HEADER_FIELDS_LEN * 8 {
            let mut page = page.clone();
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&page), Err(Error::Corrupt(_) | Error::Version { .. })), "bit {bit}");
        }
        for len in 0..HEADER_FIELDS_LEN {
            assert!(matches!(decode(&page[..len]), Err(Error::Corrupt(_))), "{len} bytes");
        }
    }

    #[test]
    fn header_of_elsewhere_is_named() {
        let mut other = header();
        other.store_id = 43;
        let Err(Error::Corrupt(flaw)) = decode(&other.encode()) else { panic!() };
        assert_eq!(flaw.what, "store id of segment");
        let mut other = header();
        other.base = other.geometry.base(8);
        let Err(Error::Corrupt(flaw)) = decode(&other.encode()) else { panic!() };
        assert_eq!(flaw.what, "segment base");
        let mut other = header();
        other.kind = LogKind::Blob;
        let Err(Error::Corrupt(flaw)) = decode(&other.encode()) else { panic!() };
        assert_eq!(flaw.what, "segment kind");
        let mut other = header();
        other.predecessor_end = Position::new(other.base.get() + 1);
        let Err(Error::Corrupt(flaw)) = decode(&other.encode()) else { panic!() };
        assert_eq!(flaw.what, "end of the predecessor");
    }

    #[test]
    fn frame_round_trip() {
        let binding = header().binding();
        for len in [0, 1, 7, 8, 9, 100, 1000] {
            let payload: Vec<u8> = (0..=250).cycle().take(len as usize).collect();
            let bytes = segment(binding, 4096, FrameKind::Data, &payload);
            let frame = check(&bytes, 4096, SIZE, binding).unwrap();
            assert_eq!(frame.payload_len, len);
            assert_eq!(frame.end, 4096 + frame_len(len));
            assert_eq!(frame.proves(Position::new(5000)), Some(Position::new(4991)));
        }
        let bytes = segment(binding, 4104, FrameKind::Pad, b"");
        assert_eq!(check(&bytes, 4104, SIZE, binding).unwrap().end, SIZE);
        let bytes = segment(binding, 4104, FrameKind::Mark, b"");
        assert_eq!(check(&bytes, 4104, SIZE, binding).unwrap().kind, FrameKind::Mark);
    }

    #[test]
    fn frame_rejects_every_flipped_bit_and_truncation() {
        let binding = header().binding();
        for (kind, payload) in [
            (FrameKind::Data, &b"a payload!"[..]),
            (FrameKind::Data, b""),
            (FrameKind::Pad, b""),
            (FrameKind::Mark, b""),
        ] {
            let bytes = segment(binding, 4096, kind, payload);
            let covered = frame_len(u32::try_from(payload.len()).unwrap()) as usize;
            for bit in 0..covered * 8 {
                let mut bytes = bytes.clone();
                bytes[4096 + bit / 8] ^= 1 << (bit % 8);
                assert!(check(&bytes, 4096, SIZE, binding).is_err(), "{kind:?}, bit {bit}");
            }
            for len in 0..4096 + covered {
                assert!(check(&bytes[..len], 4096, SIZE, binding).is_err(), "{kind:?}, {len} bytes");
            }
        }
    }

    #[test]
    fn frame_verifies_only_in_its_place() {
        let binding = header().binding();
        let bytes = segment(binding, 4096, FrameKind::Data, b"payload");
        // Shifted within the segment.
        for offset in (4104..SIZE - 64).step_by(8) {
            let mut moved = vec![0; SIZE as usize];
            moved[offset as usize..][..24].copy_from_slice(&bytes[4096..4120]);
            assert!(check(&moved, offset, SIZE, binding).is_err());
        }
        // The same bytes in a recycled file, an older incarnation, another store.
        for index in (0..2000).filter(|&index| index != 7) {
            assert!(check(&bytes, 4096, SIZE, Binding::new(42, index, 3)).is_err());
        }
        assert!(matches!(check(&bytes, 4096, SIZE, Binding::new(42, 7, 4)), Err(Flaw::Epoch { .. })));
        assert!(check(&bytes, 4096, SIZE, Binding::new(43, 7, 3)).is_err());
        assert!(check(&bytes, 4096, SIZE, Binding::new(42, 7 + (1 << 32), 3)).is_err());
    }

    #[test]
    fn blank_bytes_are_no_frame() {
        assert_eq!(check(&vec![0; SIZE as usize], 4096, SIZE, header().binding()), Err(Flaw::Blank));
        assert!(check(&vec![0xff; SIZE as usize], 4096, SIZE, header().binding()).is_err());
        assert!(check(&[], u32::MAX, SIZE, header().binding()).is_err());
    }

    #[test]
    fn names_round_trip() {
        assert_eq!(file_name(26), "000000000000001a.log");
        assert_eq!(index_of_name("000000000000001a.log"), Some(26));
        for name in ["1a.log", "000000000000001A.log", "+00000000000001a.log", "spare-1.tmp", ".log"] {
            assert_eq!(index_of_name(name), None, "{name}");
        }
    }

    #[test]
    fn lag_gives_up_when_it_does_not_fit() {
        assert_eq!(lag(Position::new(50), Position::new(20)), 30);
        assert_eq!(lag(Position::new(20), Position::new(50)), LAG_UNKNOWN);
        assert_eq!(lag(Position::new(1 << 40), Position::ZERO), LAG_UNKNOWN);
    }
}
