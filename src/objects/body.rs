//! The bytes of an object, as they are read.
//!
//! No byte is given out before it was checked, so a flipped bit is an error and not data.
//!
//! Y1. A chunk that is given out by itself is compared with its own checksum.
//! Y2. An object that is read whole is compared with the CRC of all its bytes, if it has one, before its last bytes are
//!     given out. Where all that is left is given out at once, this one is enough: every byte is in it, and the bytes
//!     are read only once. What does not agree is then looked for chunk by chunk, so that the error names it.

use crate::error::Corruption;
use crate::objects::checksum::{Checksum, ChecksumHasher, ChecksumType};
use crate::objects::error::Result;
use crate::objects::extents;
use crate::objects::record::Piece;
use crate::store::Snapshot;
use crate::store::space::Space;
use bytes::Bytes;
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What is hashed, and copied while the processor has it in its cache. In shorter pieces its reading ahead begins anew too
/// often.
const COPIED_AT_ONCE: usize = 256 << 10;

/// The bytes of an object or a range of it, in slices of up to 1 MiB: an iterator, and a `Stream`. They are those of the
/// moment the object was asked for, whatever happens to it meanwhile.
///
/// ```
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// bucket.put("a", vec![7; 3 << 20])?;
/// let body = bucket.get("a")?.body;
/// bucket.delete("a")?;
/// let mut len = 0;
/// for bytes in body {
///     len += bytes?.len();
/// }
/// assert_eq!(len, 3 << 20);
/// # Ok(()) }
/// ```
pub struct Body {
    /// Of a body within a record.
    inline: Bytes,
    chunks: Option<Chunks>,
    left: u64,
}

/// What is left of a body in chunks.
struct Chunks {
    snapshot: Snapshot,
    data: Space,
    pieces: VecDeque<Piece>,
    /// Bytes read of the first piece.
    at: u64,
    /// Of all bytes, as they are read: those before were taken by the hasher.
    check: Option<(ChecksumHasher, Checksum)>,
}

impl Body {
    pub(crate) fn inline(bytes: Bytes) -> Self {
        Self { left: bytes.len() as u64, inline: bytes, chunks: None }
    }

    /// Pieces as of `snapshot`; `checksum` is that of all their bytes, if it is known.
    pub(crate) fn pieces(
        snapshot: Snapshot,
        data: Space,
        pieces: Vec<Piece>,
        checksum: Option<Checksum>,
    ) -> Self {
        let left = pieces.iter().map(|piece| piece.len).sum();
        let checked = |sum: &Checksum| sum.kind() == ChecksumType::FullObject && sum.algorithm().is_crc();
        let check =
            checksum.filter(checked).map(|checksum| (ChecksumHasher::new(checksum.algorithm()), checksum));
        let chunks = Chunks { snapshot, data, pieces: pieces.into(), at: 0, check };
        Self { inline: Bytes::new(), chunks: (left > 0).then_some(chunks), left }
    }

    /// Bytes that are left.
    pub fn len(&self) -> u64 {
        self.left
    }

    /// Is nothing left?
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// All that is left, in memory.
    ///
    /// # Errors
    /// [`Storage`](crate::objects::Error::Storage) for bytes that cannot be read or are not what was written.
    pub fn bytes(mut self) -> Result<Bytes> {
        if self.chunks.as_ref().is_none_or(Chunks::is_last) {
            return self.next().unwrap_or_else(|| Ok(Bytes::new()));
        }
        let mut all = Vec::new();
        self.copy_to(&mut all)?;
        Ok(all.into())
    }

    /// Copies all that is left behind what `to` has, and says how much that was. Costs less than copying slices of it:
    /// bytes are checked and copied in one go.
    ///
    /// ```
    /// # fn main() -> fourfold::objects::Result<()> {
    /// let bucket = fourfold::Store::in_memory().buckets().create("notes")?;
    /// bucket.put("a", "hello")?;
    /// let mut page = b"> ".to_vec();
    /// assert_eq!(bucket.get("a")?.body.copy_to(&mut page)?, 5);
    /// assert_eq!(page, b"> hello");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`bytes`](Self::bytes); `to` is then as it was.
    pub fn copy_to(mut self, to: &mut Vec<u8>) -> Result<u64> {
        let (before, len) = (to.len(), self.left);
        to.reserve(usize::try_from(len).unwrap_or(0));
        match &mut self.chunks {
            None => to.extend_from_slice(&self.inline),
            Some(chunks) => chunks.copy_to(to).inspect_err(|_| to.truncate(before))?,
        }
        Ok(len)
    }
}

impl Chunks {
    /// Is all that is left in one chunk?
    fn is_last(&self) -> bool {
        let within = |piece: &Piece| {
            let chunk_len = u64::from(piece.chunk_len);
            let (first, last) = (piece.from + self.at, (piece.from + piece.len).saturating_sub(1));
            first / chunk_len == last / chunk_len
        };
        self.pieces.len() == 1 && self.pieces.front().is_some_and(within)
    }

    /// The next chunk.
    fn read(&mut self) -> crate::Result<Bytes> {
        if self.check.is_some() && self.is_last() {
            let mut last = Bytes::new();
            self.read_at_once(|bytes, hasher| {
                hasher.update(&bytes);
                last = bytes;
            })?;
            return Ok(last);
        }
        let Some(piece) = self.pieces.front() else { return Ok(Bytes::new()) };
        let bytes = extents::read(&self.snapshot, &self.data, piece, self.at)?;
        self.step(bytes.len());
        if let Some((hasher, expected)) = &mut self.check {
            hasher.update(&bytes);
            if self.pieces.is_empty() {
                compare(hasher, expected)?;
            }
        }
        Ok(bytes)
    }

    fn step(&mut self, len: usize) {
        self.at += len as u64;
        if self.pieces.front().is_some_and(|piece| self.at >= piece.len) {
            self.at = 0;
            self.pieces.pop_front();
        }
    }

    /// Copies all that is left; after an error, `to` may have bytes that are wrong.
    fn copy_to(&mut self, to: &mut Vec<u8>) -> crate::Result<()> {
        if self.check.is_some() {
            return self.read_at_once(|bytes, hasher| {
                for bytes in bytes.chunks(COPIED_AT_ONCE) {
                    hasher.update(bytes);
                    to.extend_from_slice(bytes);
                }
            });
        }
        while !self.pieces.is_empty() {
            to.extend_from_slice(&self.read()?);
        }
        Ok(())
    }

    /// Shows `see`, which hashes them, all chunks that are left. They were what was written if this is no error, and not
    /// before (Y2). Without a checksum nothing is shown.
    fn read_at_once(&mut self, mut see: impl FnMut(Bytes, &mut ChecksumHasher)) -> crate::Result<()> {
        let Some((mut hasher, expected)) = self.check.take() else { return Ok(()) };
        let begun = (self.pieces.clone(), self.at);
        while let Some(piece) = self.pieces.front() {
            let bytes = extents::read_unchecked(&self.snapshot, &self.data, piece, self.at)?;
            self.step(bytes.len());
            see(bytes, &mut hasher);
        }
        let Err(error) = compare(&hasher, &expected) else { return Ok(()) };
        (self.pieces, self.at) = begun;
        while !self.pieces.is_empty() {
            self.read()?;
        }
        Err(error)
    }
}

fn compare(hasher: &ChecksumHasher, expected: &Checksum) -> crate::Result<()> {
    let found = hasher.clone().finish();
    if found != *expected {
        return Err(Corruption::new("object", 0, "checksum", *expected, found).into());
    }
    Ok(())
}

impl Iterator for Body {
    type Item = Result<Bytes>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Result<Bytes>> {
        if self.left == 0 {
            return None;
        }
        let Some(chunks) = &mut self.chunks else {
            self.left = 0;
            return Some(Ok(std::mem::take(&mut self.inline)));
        };
        match chunks.read() {
            Ok(bytes) => {
                self.left -= bytes.len() as u64;
                if self.left == 0 {
                    // The moment that was read is not held longer than it is needed.
                    self.chunks = None;
                }
                Some(Ok(bytes))
            }
            Err(error) => {
                (self.left, self.chunks) = (0, None);
                Some(Err(error.into()))
            }
        }
    }
}

/// The same as a stream: always ready, for it reads files as the iterator does.
impl Stream for Body {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        Poll::Ready(self.get_mut().next())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("left", &self.left).finish_non_exhaustive()
    }
}
