//! No disk at all: files that live in their handles and nowhere else.
//!
//! N1. No name is kept: [`Storage::list`] is always empty, nothing can be opened, renaming and removing do nothing. A file
//!     is gone with its last handle; slices of it stay.
//! N2. A slice of bytes that were written in one piece shares them; only a slice over several pieces is a copy.
//!
//! Not here: crashes. The simulated disk has those.

use super::{Entry, File, Storage, ends_early};
use crate::error::{Error, Result};
use bytes::{Bytes, BytesMut};
use parking_lot::RwLock;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A directory that keeps nothing.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    path: Arc<Path>,
}

impl Memory {
    /// The path is for messages only.
    pub(crate) fn new() -> Self {
        Self { path: Path::new("memory").into() }
    }
}

impl Storage for Memory {
    type File = MemoryFile;
    type Lock = ();

    fn is_persistent(&self) -> bool {
        false
    }

    fn path(&self) -> PathBuf {
        self.path.to_path_buf()
    }

    fn create_dir(&self) -> Result<()> {
        Ok(())
    }

    fn lock(&self) -> Result<()> {
        Ok(())
    }

    fn list(&self) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    fn len(&self, name: &str) -> Result<u64> {
        Err(Error::io("inspect", self.path.join(name), 0, io::ErrorKind::NotFound.into()))
    }

    fn create(&self, name: &str) -> Result<MemoryFile> {
        Ok(MemoryFile { path: self.path.join(name), content: RwLock::default() })
    }

    fn open(&self, name: &str) -> Result<MemoryFile> {
        Err(Error::io("open", self.path.join(name), 0, io::ErrorKind::NotFound.into()))
    }

    fn rename(&self, _from: &str, _to: &str) -> Result<()> {
        Ok(())
    }

    fn remove(&self, _name: &str) -> Result<()> {
        Ok(())
    }

    fn sync_dir(&self) -> Result<()> {
        Ok(())
    }

    fn sync_parent(&self) -> Result<()> {
        Ok(())
    }

    fn link_into(&self, name: &str, _target: &Self) -> Result<()> {
        Err(Error::Unsupported { op: "link", reason: format!("{name} is in memory and has no name") })
    }

    fn sibling(&self, path: PathBuf) -> Self {
        Self { path: path.into() }
    }
}

/// A file in memory.
#[derive(Debug)]
pub(crate) struct MemoryFile {
    path: PathBuf,
    content: RwLock<Content>,
}

/// What was written, by offset. Pieces never overlap; what is between them is zero.
#[derive(Debug, Default)]
struct Content {
    len: u64,
    pieces: BTreeMap<u64, Bytes>,
}

impl Content {
    /// Puts `bytes` at `offset`, over whatever was there. Slices of what it covers keep what they had.
    fn write(&mut self, bytes: Bytes, offset: u64, end: u64) {
        while let Some((&start, piece)) = self.pieces.range(..end).next_back()
            && start + piece.len() as u64 > offset
        {
            let piece = self.pieces.remove(&start).expect("just found");
            if start + piece.len() as u64 > end {
                self.pieces.insert(end, piece.slice(distance(start, end)..));
            }
            if start < offset {
                self.pieces.insert(start, piece.slice(..distance(start, offset)));
            }
        }
        self.len = self.len.max(end);
        self.pieces.insert(offset, bytes);
    }

    /// Forgets what is at `len` and behind.
    fn truncate(&mut self, len: u64) {
        if len >= self.len {
            return;
        }
        self.len = len;
        self.pieces.split_off(&len);
        if let Some(mut last) = self.pieces.last_entry() {
            let kept = distance(*last.key(), len).min(last.get().len());
            last.get_mut().truncate(kept);
        }
    }

    /// The bytes of one piece, if one has them all.
    fn shared(&self, offset: u64, end: u64) -> Option<Bytes> {
        let (&start, piece) = self.pieces.range(..=offset).next_back()?;
        (end <= start + piece.len() as u64)
            .then(|| piece.slice(distance(start, offset)..distance(start, end)))
    }

    /// Fills `buffer`, which must end within the file.
    fn read(&self, buffer: &mut [u8], offset: u64) {
        buffer.fill(0);
        let end = offset + buffer.len() as u64;
        for (&start, piece) in self.pieces.range(..end).rev() {
            let piece_end = start + piece.len() as u64;
            if piece_end <= offset {
                break;
            }
            let (from, to) = (start.max(offset), piece_end.min(end));
            buffer[distance(offset, from)..distance(offset, to)]
                .copy_from_slice(&piece[distance(start, from)..distance(start, to)]);
        }
    }
}

/// How far `to` is behind `from`, both within one piece or one buffer.
fn distance(from: u64, to: u64) -> usize {
    usize::try_from(to - from).expect("a piece or a buffer is in memory")
}

impl MemoryFile {
    /// The end of `len` bytes from `offset`, if the file has them.
    fn end(&self, content: &Content, offset: u64, len: usize) -> Result<u64> {
        let end = offset.saturating_add(len as u64);
        if end > content.len { Err(ends_early(&self.path, end, content.len)) } else { Ok(end) }
    }
}

impl File for MemoryFile {
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    fn len(&self) -> Result<u64> {
        Ok(self.content.read().len)
    }

    /// Sets the length. Nothing is reserved: memory that runs out is not an error one could handle.
    fn allocate(&self, len: u64) -> Result<()> {
        let mut content = self.content.write();
        content.len = content.len.max(len);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let Some(end) = offset.checked_add(bytes.len() as u64) else {
            let needed = bytes.len() as u64;
            return Err(Error::io("write", &self.path, needed, io::ErrorKind::FileTooLarge.into()));
        };
        if !bytes.is_empty() {
            let piece = Bytes::copy_from_slice(bytes);
            self.content.write().write(piece, offset, end);
        }
        Ok(())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let content = self.content.read();
        self.end(&content, offset, buffer.len())?;
        content.read(buffer, offset);
        Ok(())
    }

    fn slice(&self, offset: u64, len: usize) -> Result<Bytes> {
        let content = self.content.read();
        let end = self.end(&content, offset, len)?;
        if let Some(shared) = content.shared(offset, end) {
            return Ok(shared);
        }
        let mut buffer = BytesMut::zeroed(len);
        content.read(&mut buffer, offset);
        Ok(buffer.freeze())
    }

    fn truncate(&self, len: u64) -> Result<()> {
        self.content.write().truncate(len);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_slice_of_one_piece_is_shared() {
        let file = Memory::new().create("run").unwrap();
        file.write_at(&[1; 100], 0).unwrap();
        file.write_at(&[2; 100], 100).unwrap();
        let whole = file.slice(100, 100).unwrap();
        assert_eq!(file.slice(150, 20).unwrap().as_ptr(), whole[50..].as_ptr());
        let across = file.slice(90, 20).unwrap();
        assert_eq!((&across[..10], &across[10..]), (&[1; 10][..], &[2; 10][..]));
    }

    #[test]
    fn a_slice_outlives_a_rewrite_and_the_file() {
        let file = Memory::new().create("run").unwrap();
        file.write_at(b"before", 0).unwrap();
        let before = file.slice(0, 6).unwrap();
        file.write_at(b"after!", 0).unwrap();
        assert_eq!(file.slice(0, 6).unwrap(), b"after!"[..]);
        drop(file);
        assert_eq!(before, b"before"[..]);
    }

    #[test]
    fn no_name_is_kept() {
        let memory = Memory::new();
        memory.lock().and_then(|()| memory.lock()).unwrap();
        let file = memory.create("file").unwrap();
        memory.rename("file", "other").unwrap();
        memory.remove("other").unwrap();
        assert_eq!(memory.list().unwrap(), []);
        assert!(matches!(memory.open("other"), Err(Error::Io { op: "open", .. })));
        file.write_at(b"still here", 0).unwrap();
    }

    proptest! {
        /// Any order of overlapping writes reads back like a plain buffer.
        #[test]
        fn overlapping_writes_are_a_buffer(
            writes in proptest::collection::vec((0_usize..200, 0_usize..60), 1..20),
            reads in proptest::collection::vec((0_usize..200, 0_usize..100), 1..20),
        ) {
            let file = Memory::new().create("file").unwrap();
            let mut model = Vec::new();
            for (number, &(offset, len)) in (1_u8..).zip(&writes) {
                file.write_at(&vec![number; len], offset as u64).unwrap();
                if len > 0 {
                    model.resize(model.len().max(offset + len), 0);
                    model[offset..offset + len].fill(number);
                }
            }
            prop_assert_eq!(file.len().unwrap(), model.len() as u64);
            for (offset, len) in reads {
                let mut buffer = vec![0xee; len];
                let (read, slice) = (file.read_at(&mut buffer, offset as u64), file.slice(offset as u64, len));
                if let Some(expected) = model.get(offset..offset + len) {
                    read.unwrap();
                    prop_assert_eq!(&buffer, expected);
                    prop_assert_eq!(&slice.unwrap()[..], expected);
                } else {
                    prop_assert!(matches!(read, Err(Error::Corrupt(_))));
                    prop_assert!(matches!(slice, Err(Error::Corrupt(_))));
                }
            }
        }
    }
}
