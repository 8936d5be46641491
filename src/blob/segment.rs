//! One segment of the blob log: its file, its header, and the chunks in it.
//!
//! G1. Chunks are sealed like frames, with a *tag* in place of the epoch and no evidence of what is durable. All of a
//!     chunk's header follows from its place and its value, so a chunk is verified by sealing it again.
//! G2. The tag is a hash of store and index: bytes of a value that look like a chunk are next to never taken for a
//!     candidate when damage makes somebody search for the next chunk, so the search is linear whatever values hold.
//! G3. A file is opened, and its header checked, when it is first touched.
//! G4. The page in which a chunk ends, and the next begins, is written whole once before either is: otherwise both would
//!     make the system read it from the device first (`pages`). The claim does it, so it comes before all chunks in it.

use super::{
    BlobRef, BlobSegment, Chunks,
    pages::{PAGE_LEN, PageWriter},
};
use crate::{
    error::{Corruption, Error, Result},
    limits::SEGMENT_SHIFT_MAX,
    log::format::{
        Binding, FRAME_ALIGNMENT, FRAME_HEADER_LEN, FrameKind, Geometry, HEADER_FIELDS_LEN, HEADER_LEN,
        Header, LAG_UNKNOWN, LogKind, frame_len, payload_len, seal, word_of,
    },
    position::Position,
    storage::{File, Storage},
};
use bytes::Bytes;
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};
use xxhash_rust::xxh3::xxh3_64;

pub(super) type FrameHeader = [u8; FRAME_HEADER_LEN as usize];

/// Tells the indexes of blob segments from those of log segments wherever both are hashed (B3).
const BLOB_BIT: u64 = 1 << 63;
/// No index is higher, so that every segment has a base.
const INDEX_MAX: u64 = u64::MAX >> (SEGMENT_SHIFT_MAX + 1);
const _: () = assert!(INDEX_MAX & BLOB_BIT == 0);

/// Up to this size a chunk is copied together and written by one call; beyond, copying costs more than calls.
const GATHERED_LEN_MAX: usize = 64 << 10;
const _: () = assert!(HEADER_LEN.is_multiple_of(PAGE_LEN));
/// What a chunk's header says after length and checksum: tag and lag, the same for all of a segment.
const MARK_AT: usize = 2 * size_of::<u32>();

/// The name of the file of segment `index`.
pub(crate) fn file_name(index: u64) -> String {
    format!("{index:016x}.blob")
}

/// The segment whose file has this name.
pub(super) fn index_of_name(name: &str) -> Option<u64> {
    let index = u64::from_str_radix(name.strip_suffix(".blob")?, 16).ok()?;
    (index <= INDEX_MAX && file_name(index) == name).then_some(index)
}

/// One segment.
#[derive(Debug)]
pub(super) struct Segment<S: Storage> {
    storage: S,
    index: u64,
    /// What its file must say.
    header: Header,
    binding: Binding,
    mark: [u8; FRAME_HEADER_LEN as usize - MARK_AT],
    file: OnceLock<S::File>,
    /// Where the last chunk ends; only a bound unless `exact`. No reader goes beyond.
    used: AtomicU32,
    /// The length of the file, up to the size of a segment; 0 if it is missing.
    allocated: AtomicU32,
    exact: AtomicBool,
}

impl<S: Storage> Segment<S> {
    /// Segment `index`, whose file was found with `len` bytes.
    pub(super) fn found(storage: S, geometry: Geometry, store_id: u128, index: u64, len: u64) -> Self {
        let size = geometry.size();
        let allocated = u32::try_from(len).map_or(size, |len| len.min(size));
        // A file that is shorter than a segment was cut off behind its last chunk.
        Self::new(storage, geometry, store_id, index, allocated, allocated < size)
    }

    /// Starts segment `index`: allocated, named and durable, or not there at all (B1).
    pub(super) fn create(storage: S, geometry: Geometry, store_id: u128, index: u64) -> Result<Self> {
        if index > INDEX_MAX {
            return Err(Error::TooLarge { what: "blob segment index", len: index, max: INDEX_MAX });
        }
        let segment = Self::new(storage, geometry, store_id, index, geometry.size(), true);
        let (storage, name) = (&segment.storage, file_name(index));
        let file = storage.create(&name)?;
        let made = file
            .reserve(geometry.size().into())
            .and_then(|()| file.write_at(&segment.header.encode(), 0))
            .and_then(|()| file.sync())
            .and_then(|()| storage.sync_dir());
        if let Err(error) = made {
            // What stays is a file without chunks, which the next opener finds unnamed.
            let _ = storage.remove(&name);
            return Err(error);
        }
        segment.used.store(HEADER_LEN, Ordering::Relaxed);
        Ok(Self { file: file.into(), ..segment })
    }

    fn new(storage: S, geometry: Geometry, store_id: u128, index: u64, allocated: u32, exact: bool) -> Self {
        let epoch = tag(store_id, index);
        let binding = Binding::new(store_id, index | BLOB_BIT, epoch);
        let empty = seal(binding, 0, FrameKind::Data, FRAME_HEADER_LEN, LAG_UNKNOWN, &[]);
        // The order of blob segments means nothing, so no predecessor can be missing.
        let base = geometry.base(index);
        let header =
            Header { kind: LogKind::Blob, store_id, geometry, epoch, base, predecessor_end: Position::ZERO };
        Self {
            storage,
            index,
            header,
            binding,
            mark: *empty[MARK_AT..].first_chunk().expect("the rest of a header"),
            file: OnceLock::new(),
            used: AtomicU32::new(allocated),
            allocated: AtomicU32::new(allocated),
            exact: AtomicBool::new(exact),
        }
    }

    pub(super) fn index(&self) -> u64 {
        self.index
    }

    pub(super) fn describe(&self, active: Option<u64>) -> BlobSegment {
        BlobSegment {
            index: self.index,
            used: self.used(),
            allocated: self.allocated.load(Ordering::Relaxed),
            active: active == Some(self.index),
        }
    }

    /// Relaxed here and below: whoever has a reference has it from the thread that claimed the chunk, by a way that made
    /// its writes visible; for anybody else an older value is as good.
    fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    fn path(&self) -> PathBuf {
        self.storage.path().join(file_name(self.index))
    }

    /// Room for a value of `len` bytes, which fits an empty segment. One caller at a time.
    pub(super) fn claim(&self, len: u32) -> Result<Option<BlobRef>> {
        let offset = self.used();
        let end = offset + frame_len(len);
        if end > self.header.geometry.size() {
            return Ok(None);
        }
        if self.storage.is_persistent() {
            self.begin_last_page(offset, end)?;
        }
        self.used.store(end, Ordering::Relaxed);
        Ok(Some(BlobRef { segment: self.index, offset, len }))
    }

    /// Writes zeros over the page in which `offset..end` ends, if nothing before `offset` is in it (G4).
    fn begin_last_page(&self, offset: u32, end: u32) -> Result<()> {
        let last = end - end % PAGE_LEN;
        if last < end && last >= offset {
            self.file()?.write_at(&[0; PAGE_LEN as usize], last.into())?;
        }
        Ok(())
    }

    /// Writes the value `parts` to the place that was claimed for it.
    pub(super) fn write(&self, at: BlobRef, parts: &[&[u8]]) -> Result<()> {
        let (file, header) = (self.file()?, self.seal(at, parts));
        let (start, len) = (u64::from(at.offset), FRAME_HEADER_LEN as usize + at.len as usize);
        let persistent = self.storage.is_persistent();
        if persistent && len > GATHERED_LEN_MAX {
            let mut writer = PageWriter::new(file, start);
            writer.write(&header)?;
            for part in parts {
                writer.write(part)?;
            }
            return writer.finish();
        }
        // In memory, what was written in one piece is read without a copy.
        if let (false, [value]) = (persistent, parts) {
            file.write_at(&header, start)?;
            return file.write_at(value, start + u64::from(FRAME_HEADER_LEN));
        }
        let mut gathered = Vec::with_capacity(len);
        gathered.extend_from_slice(&header);
        for part in parts {
            gathered.extend_from_slice(part);
        }
        file.write_at(&gathered, start)
    }

    pub(super) fn sync(&self) -> Result<()> {
        self.file()?.sync()
    }

    /// Nothing is written here any more but what is on its way, and all that was is synced.
    pub(super) fn rest(&self) {
        if let Some(file) = self.file.get() {
            file.rest();
        }
    }

    /// The value at `at`, from the map, as it is.
    pub(super) fn read_unchecked(&self, at: BlobRef) -> Result<Bytes> {
        let file = self.file()?;
        self.check_bounds(at)?;
        let value = file.slice(u64::from(at.offset) + u64::from(FRAME_HEADER_LEN), at.len as usize);
        value.map_err(|error| self.unless_missing(error))
    }

    /// A segment that is not there is not just any file that cannot be opened.
    fn unless_missing(&self, error: Error) -> Error {
        match error {
            Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Corruption::new(self.path(), 0, "blob segment", "a file", "none").into()
            }
            error => error,
        }
    }

    /// The value at `at`, from the map.
    pub(super) fn read(&self, at: BlobRef) -> Result<Bytes> {
        let value = self.read_unchecked(at)?;
        let header = self.file()?.slice(at.offset.into(), FRAME_HEADER_LEN as usize);
        let header = header.map_err(|error| self.unless_missing(error))?;
        let header = header.first_chunk().expect("a slice is as long as it was asked for");
        self.check(at, header, &value)?;
        Ok(value)
    }

    /// The value at `at` as the device has it: one that cannot be read is an error, where the map would end the process.
    pub(super) fn load(&self, at: BlobRef) -> Result<Bytes> {
        let file = self.file()?;
        self.check_bounds(at)?;
        let mut chunk = vec![0; FRAME_HEADER_LEN as usize + at.len as usize];
        file.read_at(&mut chunk, at.offset.into()).map_err(|error| self.unless_missing(error))?;
        let (header, value) = chunk.split_first_chunk().expect("it starts with a header");
        self.check(at, header, value)?;
        Ok(Bytes::from(chunk).split_off(FRAME_HEADER_LEN as usize))
    }

    /// Writes the chunk at `at` once more, unchanged: the system may take its pages for clean without the device having
    /// them, after a sync that failed.
    pub(super) fn write_again(&self, at: BlobRef) -> Result<()> {
        let (file, start) = (self.file()?, u64::from(at.offset));
        let mut chunk = vec![0; FRAME_HEADER_LEN as usize + at.len as usize];
        file.read_at(&mut chunk, start)?;
        file.write_at(&chunk, start)
    }

    /// The whole chunk that starts at `offset` and ends before `end`, if there is one.
    pub(super) fn chunk_at(&self, offset: u32, end: u32) -> Result<Option<BlobRef>> {
        let (file, start) = (self.file()?, u64::from(offset));
        if end.saturating_sub(offset) < FRAME_HEADER_LEN {
            return Ok(None);
        }
        let mut header = FrameHeader::default();
        file.read_at(&mut header, start)?;
        let Some(len) = self.candidate(&header, offset, end) else { return Ok(None) };
        let mut rest = vec![0; (frame_len(len) - FRAME_HEADER_LEN) as usize];
        file.read_at(&mut rest, start + u64::from(FRAME_HEADER_LEN))?;
        let (value, alignment) = rest.split_at(len as usize);
        let at = BlobRef { segment: self.index, offset, len };
        let whole = self.seal(at, &[value]) == header && alignment.iter().all(|&byte| byte == 0);
        Ok(whole.then_some(at))
    }

    /// The length of the value, if this can be the header of a chunk at `offset` that ends before `end` (G2).
    pub(super) fn candidate(&self, header: &FrameHeader, offset: u32, end: u32) -> Option<u32> {
        let word = word_of(header);
        let len = payload_len(word);
        let fits =
            word == FRAME_HEADER_LEN + len && u64::from(offset) + u64::from(frame_len(len)) <= end.into();
        (fits && header[MARK_AT..] == self.mark).then_some(len)
    }

    /// Where the chunks end. Of a segment that was not closed this is found out now: behind the last chunk, and behind
    /// the last byte that is not zero, so that damage is never taken for free space.
    pub(super) fn end(self: &Arc<Self>) -> Result<u32> {
        if !self.exact.load(Ordering::Acquire) {
            let chunks = Chunks::within(Arc::clone(self), self.allocated.load(Ordering::Relaxed));
            let end = chunks.find_end()?;
            self.used.store(end, Ordering::Relaxed);
            // Release: pairs with the Acquire above, so that who sees it sees the new `used`.
            self.exact.store(true, Ordering::Release);
        }
        Ok(self.used())
    }

    /// Cuts off what is behind the last chunk. Nobody claims here any more.
    pub(super) fn settle(self: &Arc<Self>) -> Result<()> {
        let end = match self.end() {
            // Damage is told to whoever needs what is damaged; nothing is changed.
            Err(Error::Corrupt(_)) => return Ok(()),
            end => end?,
        };
        if end < self.allocated.load(Ordering::Relaxed) {
            self.file()?.truncate(end.into())?;
            self.allocated.store(end, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The file (G3).
    pub(super) fn file(&self) -> Result<&S::File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = self.storage.open(&file_name(self.index)).map_err(|error| self.unless_missing(error))?;
        let mut fields = [0; HEADER_FIELDS_LEN];
        file.read_at(&mut fields, 0)?;
        let Header { store_id, geometry, epoch, .. } = self.header;
        let found = Header::decode(&fields, &self.path(), LogKind::Blob, store_id, geometry, self.index)?;
        if found.epoch != epoch {
            return Err(Corruption::new(self.path(), 0, "blob segment tag", epoch, found.epoch).into());
        }
        // Nobody writes here any more but to cut it off.
        file.rest();
        // Who comes second has opened it for nothing.
        Ok(self.file.get_or_init(|| file))
    }

    fn seal(&self, at: BlobRef, parts: &[&[u8]]) -> FrameHeader {
        seal(self.binding, at.offset, FrameKind::Data, FRAME_HEADER_LEN + at.len, LAG_UNKNOWN, parts)
    }

    fn check_bounds(&self, at: BlobRef) -> Result<()> {
        let used = self.used();
        let end = u64::from(at.offset) + u64::from(FRAME_HEADER_LEN) + u64::from(at.len);
        if at.offset < HEADER_LEN || !at.offset.is_multiple_of(FRAME_ALIGNMENT) || end > used.into() {
            let expected = format_args!("within {HEADER_LEN}..{used}");
            let found = format_args!("{}..{end}", at.offset);
            return Err(
                Corruption::new(self.path(), at.offset.into(), "place of a blob", expected, found).into()
            );
        }
        Ok(())
    }

    fn check(&self, at: BlobRef, header: &FrameHeader, value: &[u8]) -> Result<()> {
        let expected = self.seal(at, &[value]);
        if *header == expected {
            return Ok(());
        }
        let [expected, found] =
            [expected, *header].map(|header| format!("{:032x}", u128::from_be_bytes(header)));
        Err(Corruption::new(self.path(), at.offset.into(), "blob header", expected, found).into())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "half of a hash")]
fn tag(store_id: u128, index: u64) -> u32 {
    let mut input = [0; size_of::<u128>() + size_of::<u64>()];
    input[..size_of::<u128>()].copy_from_slice(&store_id.to_le_bytes());
    input[size_of::<u128>()..].copy_from_slice(&(index | BLOB_BIT).to_le_bytes());
    xxh3_64(&input) as u32
}
