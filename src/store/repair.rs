//! Repairing a store that does not open.

use crate::clock::{Clock, SystemClock};
use crate::error::{Corruption, Result};
use crate::position::Position;
use crate::random::Random;
use crate::storage::{Media, Storage};
use crate::tree::{Tree, TreeOptions, repair::repair as repair_files};
use std::path::{Path, PathBuf};

/// What [`repair`] found and gave up.
///
/// ```
/// # fn main() -> fourfold::Result<()> {
/// # let dir = tempfile::tempdir().expect("a temporary directory");
/// # drop(fourfold::Store::open(dir.path())?);
/// let report = fourfold::repair(dir.path())?;
/// assert!(report.problems.is_empty() && report.kept.is_empty(), "there was nothing to repair");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Where the log was cut, if it was: every batch at or behind this position is gone.
    pub log_end: Option<Position>,
    /// Files in the directory that hold what was given up, under names that the store does not look at.
    pub kept: Vec<PathBuf>,
    /// What was wrong with runs and blobs.
    pub problems: Vec<Corruption>,
}

/// Makes the store in `dir` openable again after corruption, by giving up what is corrupt:
///
/// - the log is cut at the first damaged batch, also where it had been durable; what is cut is copied to a file first;
/// - damaged blocks of a run are left out of a copy of it; the original is kept under another name;
/// - keys whose value is a damaged blob are deleted.
///
/// What a lost delete or overwrite had hidden may be visible again; nothing else can appear. Copy the directory first if
/// you can, and prefer a backup if you have one. A store without damage is left as it is. A repair that was interrupted
/// can be run again.
///
/// ```
/// use fourfold::{Error, Store};
/// fn open_at_any_price(dir: &str) -> fourfold::Result<Store> {
///     match Store::open(dir) {
///         Err(Error::Corrupt(what)) => {
///             eprintln!("{what}; giving up what is damaged");
///             eprintln!("kept aside: {:?}", fourfold::repair(dir)?.kept);
///             Store::open(dir)
///         }
///         opened => opened,
///     }
/// }
/// # let dir = tempfile::tempdir().expect("a temporary directory");
/// # open_at_any_price(dir.path().to_str().expect("a name in UTF-8")).expect("a new store");
/// ```
///
/// # Errors
/// [`Locked`](crate::Error::Locked); [`NotAStore`](crate::Error::NotAStore) if there is no manifest, and
/// [`Corrupt`](crate::Error::Corrupt) if it is damaged: without it nobody knows what the other files mean;
/// [`Io`](crate::Error::Io).
pub fn repair(dir: impl AsRef<Path>) -> Result<RepairReport> {
    repair_media(&Media::disk(dir.as_ref()))
}

/// [`repair`] on any media.
pub(crate) fn repair_media(media: &Media) -> Result<RepairReport> {
    let _lock = media.lock()?;
    let repaired = repair_files(media)?;
    let options = TreeOptions {
        shift: 0,
        is_shift_given: false,
        waiting_max: 2,
        pile_up: false,
        flush_bytes: u64::MAX,
        beginning: None,
    };
    let (tree, _) = Tree::open(media, &options, &Random::from_entropy(), SystemClock.now())?;
    let mut problems = repaired.problems;
    problems.extend(tree.forget_broken_blobs()?);
    tree.close()?;
    let kept = repaired.kept.into_iter().map(|name| media.path().join(name)).collect();
    Ok(RepairReport { log_end: repaired.log_end, kept, problems })
}
