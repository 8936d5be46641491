//! Writing long values by whole pages.
//!
//! The system reads a page from the device before it changes a part of it, if the page is not in its cache; and the
//! pages of a new segment are not. One such read costs more than writing a value of many pages.
//!
//! P1. Only the first and the last write may cover a page in part; whoever claimed the place has put these pages into
//!     the cache (`Segment::claim`).
//! P2. Whole pages are written from where the caller has them; at most a page of each part is copied.

use crate::{error::Result, storage::File};

/// What the system reads before it changes a part of it.
pub(super) const PAGE_LEN: u32 = 4096;

/// Writes parts one behind the other.
#[derive(Debug)]
pub(super) struct PageWriter<'a, F> {
    file: &'a F,
    /// Of the first byte that is not written.
    offset: u64,
    /// The begun page from `offset` on.
    page: Vec<u8>,
}

impl<'a, F: File> PageWriter<'a, F> {
    pub(super) fn new(file: &'a F, offset: u64) -> Self {
        Self { file, offset, page: Vec::with_capacity(PAGE_LEN as usize) }
    }

    pub(super) fn write(&mut self, part: &[u8]) -> Result<()> {
        let (begun, rest) = part.split_at(self.page_rest().min(part.len()));
        self.page.extend_from_slice(begun);
        if self.page_rest() > 0 {
            return Ok(());
        }
        self.flush()?;
        let (pages, rest) = rest.split_at(rest.len() - rest.len() % PAGE_LEN as usize);
        if !pages.is_empty() {
            self.file.write_at(pages, self.offset)?;
            self.offset += pages.len() as u64;
        }
        self.page.extend_from_slice(rest);
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<()> {
        self.flush()
    }

    /// Bytes up to the end of the begun page; 0 if none is begun.
    fn page_rest(&self) -> usize {
        let at = self.offset + self.page.len() as u64;
        let rest = at.next_multiple_of(PAGE_LEN.into()) - at;
        usize::try_from(rest).expect("less than a page")
    }

    fn flush(&mut self) -> Result<()> {
        if !self.page.is_empty() {
            self.file.write_at(&self.page, self.offset)?;
            self.offset += self.page.len() as u64;
            self.page.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Storage as _, memory::Memory};

    #[test]
    fn parts_of_any_length_from_any_offset_are_one_value() {
        let bytes: Vec<u8> = (0..20_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for offset in [0, 1, 4080, 4095, 4096] {
            for lens in
                [&[0][..], &[20_000], &[16, 4080, 8192, 1], &[16, 0, 4079, 1, 4096, 4097, 7], &[5000, 5000]]
            {
                let file = Memory::new().create("file").unwrap();
                file.allocate(offset).unwrap();
                let mut writer = PageWriter::new(&file, offset);
                let mut at = 0;
                for len in lens {
                    writer.write(&bytes[at..at + len]).unwrap();
                    at += len;
                }
                writer.finish().unwrap();
                assert_eq!(file.slice(offset, at).unwrap(), bytes[..at], "{lens:?} from {offset}");
            }
        }
    }
}
