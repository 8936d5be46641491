//! The bytes of an object, as they are read.
//!
//! Each chunk is checked against its checksum when it is read, so a flipped bit is an error and not data. An object that is
//! read whole is checked as a whole too, if it has the CRC of all its bytes: before its last bytes are given out.

use crate::error::Corruption;
use crate::objects::checksum::{Checksum, ChecksumHasher, ChecksumType};
use crate::objects::error::Result;
use crate::objects::extents;
use crate::objects::record::Piece;
use crate::store::Snapshot;
use crate::store::space::Space;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

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
    /// Of all bytes, as they are read.
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
        let Some(first) = self.next().transpose()? else { return Ok(Bytes::new()) };
        if self.left == 0 {
            return Ok(first);
        }
        let mut all = BytesMut::with_capacity(first.len() + usize::try_from(self.left).unwrap_or(0));
        all.extend_from_slice(&first);
        for bytes in self {
            all.extend_from_slice(&bytes?);
        }
        Ok(all.freeze())
    }
}

impl Chunks {
    fn read(&mut self) -> crate::Result<Bytes> {
        let Some(piece) = self.pieces.front() else { return Ok(Bytes::new()) };
        let bytes = extents::read(&self.snapshot, &self.data, piece, self.at)?;
        self.at += bytes.len() as u64;
        if self.at == piece.len {
            self.at = 0;
            self.pieces.pop_front();
        }
        if let Some((hasher, expected)) = &mut self.check {
            hasher.update(&bytes);
            if self.pieces.is_empty() {
                let found = hasher.clone().finish();
                if found != *expected {
                    return Err(Corruption::new("object", 0, "checksum", *expected, found).into());
                }
            }
        }
        Ok(bytes)
    }
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
