//! What the tree stores under a key, as memtables, runs and batches spell it.
//!
//! A *full key* is `keyspace id (u32, big endian) ++ bytes`, always one contiguous slice; its order is the order of
//! everything in the tree. The version of an entry is the position of the frame that wrote it.

use crate::position::Position;

/// What an entry says about its key. The discriminants are on disk (`docs/format.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The value follows.
    Put = 1,
    /// The key is gone.
    Delete = 2,
    /// The value is in the blob log; a blob reference follows.
    Blob = 3,
}

impl Kind {
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Put),
            2 => Some(Self::Delete),
            3 => Some(Self::Blob),
            _ => None,
        }
    }
}

/// One version of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) version: Position,
    pub(crate) kind: Kind,
    /// Empty for [`Kind::Delete`].
    pub(crate) value: &'a [u8],
}
