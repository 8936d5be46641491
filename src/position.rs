//! Where a byte of the log stands: the one coordinate that everything above the log counts in.

use std::fmt;

/// A global byte offset in the log. It only grows and is never used twice, across rotations, crashes and reopenings,
/// so the position of a frame is also the *version* of what the frame says.
///
/// ```
/// use fourfold::Position;
/// assert!(Position::new(4096) < Position::new(4160));
/// assert_eq!(Position::new(4096).to_string(), "4096");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// Before the first byte.
    pub const ZERO: Self = Self(0);
    /// After every byte there will ever be; reads at this position see the newest of everything.
    pub const MAX: Self = Self(u64::MAX);

    /// The position `offset` bytes after the start of the log.
    pub const fn new(offset: u64) -> Self {
        Self(offset)
    }

    /// Bytes since the start of the log.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
