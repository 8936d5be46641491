//! A run: an immutable file of entries, sorted by key ascending and version descending, written once.
//!
//! ```text
//! [block]* [filter] [index] [footer]
//! ```
//!
//! R1. Every byte of the file is covered by a checksum, and every checksum is seeded with where its bytes belong (run
//!     id and file offset), so that a block or section in another place never verifies.
//! R2. Nothing is read before its checksum verified; the verdict is remembered, so that later reads are free.
//! R3. What verified is still decoded with checked reads: bytes with a right checksum and a wrong meaning are an
//!     [`Error::Corrupt`](crate::Error::Corrupt), never a panic.
//! R4. Opening reads the footer alone.
//!
//! Reads go through one map of the whole file and values leave as slices of it; [`Versions`] and verification read
//! by `pread`, so that a bad device is an error code. Not here: which runs exist (the manifest) and when files and
//! directory entries become durable relative to it.

mod block;
mod builder;
mod cursor;
mod filter;
mod footer;
mod format;
mod guide;
mod index;
mod key;
mod reader;
#[cfg(test)]
mod tests;
mod verify;
mod versions;
mod writer;

pub(crate) use cursor::Cursor;
pub(crate) use format::shared_prefix;
pub(crate) use reader::{Meta, Run};
pub(crate) use versions::Versions;
pub(crate) use writer::{RunOptions, RunWriter};

use std::fmt;

/// The name of a run within its store. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunId(u64);

impl RunId {
    pub(crate) const fn new(id: u64) -> Self {
        Self(id)
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    pub(crate) fn file_name(self) -> String {
        format!("{:016x}.run", self.0)
    }

    /// The run that `name` belongs to; `None` for names that [`file_name`](Self::file_name) never gives.
    pub(crate) fn from_file_name(name: &str) -> Option<Self> {
        let id = Self(u64::from_str_radix(name.strip_suffix(".run")?, 16).ok()?);
        (id.file_name() == name).then_some(id)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Hands `bytes` to every decoder of the format as if its checksum had verified: the first byte chooses which.
#[cfg(any(fuzzing, test))]
pub(crate) fn fuzz_block(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    match which % 3 {
        0 => block::exercise(bytes),
        1 => index::exercise(bytes),
        _ => footer::exercise(bytes),
    }
}
