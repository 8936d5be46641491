//! Taking in a body: a short one is kept, a longer one hashed and written in chunks as they come.

use crate::objects::checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher, ContentMd5};
use crate::objects::error::{Error, Result};
use crate::objects::keys;
use crate::objects::md5::Md5;
use crate::objects::record::{Content, Piece};
use crate::objects::state::State;
use crate::store::{Batch, Store};
use bytes::Bytes;
use std::sync::Arc;
use std::{io, mem};

/// Chunks of this length are worth a thread for their MD5.
const ASIDE_LEN_MIN: usize = 256 << 10;

/// What is said of a body before it is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// What to compute.
    pub(crate) algorithm: ChecksumAlgorithm,
    /// Is its entity tag chance instead of its MD5?
    pub(crate) opaque: bool,
    pub(crate) content_md5: Option<ContentMd5>,
    /// Of any algorithm.
    pub(crate) checksum: Option<Checksum>,
    pub(crate) len: Option<u64>,
    pub(crate) len_max: u64,
}

/// A body that is coming in. Dropped, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Sink {
    store: Store,
    state: Arc<State>,
    expected: Expected,
    batch: Batch,
    md5: Option<Md5>,
    hasher: ChecksumHasher,
    /// Of the algorithm that the caller's checksum has, if it is another.
    also: Option<ChecksumHasher>,
    len: u64,
    /// Bytes that are not in a chunk yet.
    buffer: Vec<u8>,
    /// May a short body stay in the buffer?
    is_inline: bool,
    /// The extent and its keyspace, once it has a chunk.
    extent: Option<(u64, u32)>,
    chunks: u64,
}

/// A body that came in whole and as it was said to be.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) batch: Batch,
    pub(crate) len: u64,
    /// The MD5, or chance.
    pub(crate) digest: [u8; 16],
    pub(crate) checksum: Checksum,
    pub(crate) content: Content,
}

impl Sink {
    pub(crate) fn new(
        store: &Store,
        state: &Arc<State>,
        expected: Expected,
        is_inline: bool,
    ) -> Result<Self> {
        check_len(expected.len.unwrap_or(0), expected.len_max)?;
        let mut sink = Self {
            store: store.clone(),
            state: Arc::clone(state),
            batch: store.batch(),
            md5: None,
            hasher: ChecksumHasher::new(expected.algorithm),
            also: None,
            len: 0,
            buffer: Vec::new(),
            is_inline,
            extent: None,
            chunks: 0,
            expected,
        };
        if !sink.expected.opaque || sink.expected.content_md5.is_some() {
            sink.md5 = Some(Md5::new());
        }
        if let Some(checksum) = sink.expected.checksum {
            sink.expect(checksum);
        }
        Ok(sink)
    }

    /// The checksum that the data must have; before the first byte, unless its algorithm is the one that is computed.
    pub(crate) fn expect(&mut self, checksum: Checksum) {
        self.announce(checksum.algorithm());
        self.expected.checksum = Some(checksum);
    }

    /// The algorithm of the checksum that will be expected.
    pub(crate) fn announce(&mut self, algorithm: ChecksumAlgorithm) {
        if algorithm != self.hasher.algorithm() && self.len == 0 {
            self.also = Some(ChecksumHasher::new(algorithm));
        }
    }

    /// Takes the next bytes.
    pub(crate) fn write(&mut self, bytes: &Bytes) -> Result<()> {
        let len = self.len + bytes.len() as u64;
        check_len(len, self.expected.len_max)?;
        if self.expected.len.is_some_and(|expected| len > expected) {
            return Err(incomplete("the body is longer than was said"));
        }
        self.len = len;
        let stays = self.extent.is_none()
            && self.is_inline
            && self.buffer.len() + bytes.len() <= self.state.extents.inline_len_max();
        if stays {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.write_chunks(bytes)
    }

    fn write_chunks(&mut self, bytes: &Bytes) -> Result<()> {
        let chunk_len = self.state.extents.chunk_len();
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            if self.buffer.is_empty() && rest.len() >= chunk_len {
                self.put(&rest.split_to(chunk_len))?;
                continue;
            }
            if self.buffer.capacity() < chunk_len && self.len > chunk_len as u64 {
                self.buffer.reserve_exact(chunk_len - self.buffer.len());
            }
            let filling = rest.split_to(rest.len().min(chunk_len - self.buffer.len()));
            self.buffer.extend_from_slice(&filling);
            if self.buffer.len() == chunk_len {
                let chunk = Bytes::from(mem::take(&mut self.buffer));
                self.put(&chunk)?;
                // The buffer comes back unless its MD5 is still to be computed.
                self.buffer = chunk.try_into_mut().map(Vec::from).unwrap_or_default();
                self.buffer.clear();
            }
        }
        Ok(())
    }

    fn hash(&mut self, bytes: &Bytes) {
        self.md5.iter_mut().for_each(|md5| md5.update(bytes));
        for hasher in [&mut self.hasher].into_iter().chain(&mut self.also) {
            hasher.update(bytes);
        }
    }

    /// Hashes and writes a chunk. A whole one goes to the blob log, however short chunks are in this store.
    fn put(&mut self, chunk: &Bytes) -> Result<()> {
        if self.chunks == 0 && chunk.len() >= ASIDE_LEN_MIN {
            self.md5.iter_mut().for_each(Md5::step_aside);
        }
        self.hash(chunk);
        let (extent, data) = match self.extent {
            Some(known) => known,
            None => *self.extent.insert(self.state.extents.begin(&self.store)?),
        };
        let key = keys::chunk(extent, self.chunks);
        if chunk.len() == self.state.extents.chunk_len() {
            self.batch.put_blob_in(data, &key, chunk)?;
        } else {
            self.batch.put_in(data, &key, chunk)?;
        }
        self.chunks += 1;
        Ok(())
    }

    /// The body is all there: is it what was said?
    pub(crate) fn finish(mut self) -> Result<Body> {
        if self.expected.len.is_some_and(|expected| self.len < expected) {
            return Err(incomplete("the body is shorter than was said"));
        }
        let content = self.content()?;
        let md5 = self.md5.take().map(Md5::finish);
        if let (Some(expected), Some(md5)) = (&self.expected.content_md5, &md5) {
            expected.verify(md5)?;
        }
        let checksum = self.hasher.clone().finish();
        if let Some(expected) = &self.expected.checksum {
            expected.verify(&self.also.take().map_or(checksum, ChecksumHasher::finish))?;
        }
        let digest = match md5 {
            Some(md5) if !self.expected.opaque => md5,
            _ => self.store.random().next_u128().to_le_bytes(),
        };
        Ok(Body { batch: self.batch, len: self.len, digest, checksum, content })
    }

    fn content(&mut self) -> Result<Content> {
        let buffer = Bytes::from(mem::take(&mut self.buffer));
        if self.extent.is_none() && self.is_inline && buffer.len() <= self.state.extents.inline_len_max() {
            self.hash(&buffer);
            return Ok(Content::Inline(buffer));
        }
        if !buffer.is_empty() {
            self.put(&buffer)?;
        }
        let chunk_len = u32::try_from(self.state.extents.chunk_len()).unwrap_or(u32::MAX);
        let piece = |(extent, _)| Piece { extent, extent_len: self.len, chunk_len, from: 0, len: self.len };
        Ok(Content::Pieces(self.extent.map(piece).into_iter().collect()))
    }
}

/// The 16 bytes of an MD5.
pub(crate) fn digest(md5: &Checksum) -> [u8; 16] {
    let mut digest = [0; 16];
    digest.iter_mut().zip(md5.bytes()).for_each(|(to, from)| *to = *from);
    digest
}

fn check_len(len: u64, max: u64) -> Result<()> {
    if len > max {
        return Err(Error::EntityTooLarge { len, max });
    }
    Ok(())
}

fn incomplete(why: &'static str) -> Error {
    Error::IncompleteBody { source: Arc::new(io::Error::new(io::ErrorKind::UnexpectedEof, why)) }
}
