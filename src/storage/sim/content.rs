//! The bytes of a simulated file, in pages that copies of the world share.
//!
//! P1. A page is never changed once it is in a content: a write makes a new one. So a content is copied by copying
//!     pointers, and all images of a disk share what they have in common.
//! P2. A page that is missing is zero, and so is everything of a page behind the length of the file.

use std::sync::Arc;

/// What a kernel writes back as a whole.
pub(super) const PAGE_LEN: usize = 4096;
/// What a device writes as a whole.
pub(super) const SECTOR_LEN: usize = 512;
/// The longest file; beyond, the page table of a sparse file would be what fills the memory.
pub(super) const LEN_MAX: u64 = 1 << 36;

pub(super) type Page = Arc<[u8; PAGE_LEN]>;

/// A file's bytes at one time.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    len: u64,
    pages: Arc<Vec<Option<Page>>>,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// All pages behind this one are zero.
    pub(super) fn pages(&self) -> usize {
        self.pages.len()
    }

    pub(super) fn page(&self, index: usize) -> Option<&Page> {
        self.pages.get(index)?.as_ref()
    }

    pub(super) fn page_or_zero(&self, index: usize) -> Page {
        self.page(index).map_or_else(|| Arc::new([0; PAGE_LEN]), Arc::clone)
    }

    pub(super) fn set_page(&mut self, index: usize, page: Page) {
        let pages = Arc::make_mut(&mut self.pages);
        if pages.len() <= index {
            pages.resize(index + 1, None);
        }
        pages[index] = Some(page);
    }

    /// Also cuts off what pages hold behind `len`, so that it is zero if the file grows again (P2).
    pub(super) fn set_len(&mut self, len: u64) {
        self.len = len;
        let (whole, rest) = split(len);
        if self.pages.len() > whole {
            let last = self.page(whole).filter(|_| rest > 0).map(|page| {
                let mut page = **page;
                page[rest..].fill(0);
                Arc::new(page)
            });
            let pages = Arc::make_mut(&mut self.pages);
            pages.truncate(whole);
            pages.extend(last.map(Some));
        }
    }

    pub(super) fn grow(&mut self, len: u64) {
        self.len = self.len.max(len);
    }

    /// Fills `buffer`, which must end within the file.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) {
        let mut filled = 0;
        for (index, within, len) in pieces(offset, buffer.len()) {
            let piece = &mut buffer[filled..filled + len];
            match self.page(index) {
                Some(page) => piece.copy_from_slice(&page[within..within + len]),
                None => piece.fill(0),
            }
            filled += len;
        }
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.len).expect("shorter than LEN_MAX")];
        self.read(&mut bytes, 0);
        bytes
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        for (index, chunk) in bytes.chunks(PAGE_LEN).enumerate() {
            let mut page = [0; PAGE_LEN];
            page[..chunk.len()].copy_from_slice(chunk);
            content.set_page(index, Arc::new(page));
        }
        content.len = bytes.len() as u64;
        content
    }
}

/// The page that `offset` is in, and where in it.
pub(super) fn split(offset: u64) -> (usize, usize) {
    let offset = usize::try_from(offset).expect("shorter than LEN_MAX");
    (offset / PAGE_LEN, offset % PAGE_LEN)
}

/// `len` bytes from `offset`, page by page: index, offset within the page, length.
pub(super) fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let (mut index, mut within) = split(offset);
    let mut left = len;
    std::iter::from_fn(move || {
        let piece = (index, within, left.min(PAGE_LEN - within));
        (index, within, left) = (index + 1, 0, left - piece.2);
        (piece.2 > 0).then_some(piece)
    })
}
