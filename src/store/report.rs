//! What opening a store found.

use crate::log;
use crate::position::Position;
use std::path::PathBuf;

/// What recovery found and did when a [`Store`](crate::Store) was opened.
///
/// ```
/// let store = fourfold::Store::in_memory();
/// assert!(store.recovery().clean);
/// assert_eq!(store.recovery().cut, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Batches that were applied again from the log.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Where the log ends: everything below was recovered.
    pub end: Position,
    /// Below this the log is known to have been durable; a damaged frame there would have been an error.
    pub durable: Position,
    /// What was given up at the end of the log, if anything: writes that were under way.
    pub cut: Option<Cut>,
    /// Was the store closed, or is all of its log known to be durable?
    pub clean: bool,
    /// The last batches cannot be told from ones that were never synced: if the device lost some of those, nobody would
    /// know. So after every crash; never after a clean close.
    pub ambiguous_tail: bool,
}

/// The torn end of a log.
///
/// ```
/// fn warn(report: &fourfold::RecoveryReport) {
///     if let Some(cut) = &report.cut {
///         eprintln!("gave up {} bytes from {} of {}", cut.bytes, cut.at, cut.file.display());
///     }
/// }
/// # warn(fourfold::Store::in_memory().recovery());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The segment it is in.
    pub file: PathBuf,
    /// Where the log now ends.
    pub at: Position,
    /// Complete batches behind it that were given up: none of them was ever acknowledged as durable.
    pub frames: u64,
    /// Bytes that were given up.
    pub bytes: u64,
}

impl From<log::Report> for RecoveryReport {
    fn from(report: log::Report) -> Self {
        let cut =
            report.cut.map(|cut| Cut { file: cut.file, at: cut.at, frames: cut.frames, bytes: cut.bytes });
        Self {
            frames: report.frames,
            bytes: report.bytes,
            end: report.end,
            durable: report.proven,
            cut,
            clean: report.clean,
            ambiguous_tail: report.ambiguous_tail,
        }
    }
}
