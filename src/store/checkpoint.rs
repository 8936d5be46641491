//! A copy of a store in another directory.

use crate::error::Result;
use crate::position::Position;
use crate::store::Store;
use std::path::Path;

impl Store {
    /// Copies the store as of now into `dir`, which must be missing or empty, and returns the position it is as of. The
    /// copy is a store of its own and can be opened at once. Writes go on meanwhile.
    ///
    /// Immutable files are shared by hard links where the directories are on one file system; at most the few log
    /// segments that are not folded yet are copied.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid) if `dir` holds anything; [`Unsupported`](crate::Error::Unsupported) for a store
    /// in memory; [`StorageFull`](crate::Error::StorageFull), [`Io`](crate::Error::Io). A copy that failed has no
    /// manifest and does not open; remove it.
    ///
    /// ```
    /// # fn main() -> fourfold::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary directory");
    /// use fourfold::Store;
    /// let store = Store::open(dir.path().join("store"))?;
    /// let ks = store.keyspace("ks")?;
    /// store.checkpoint(dir.path().join("copy"))?;
    /// let copy = Store::open(dir.path().join("copy"))?;
    /// assert_eq!(copy.keyspaces()?, ["ks"]);
    /// # Ok(()) }
    /// ```
    pub fn checkpoint(&self, dir: impl AsRef<Path>) -> Result<Position> {
        self.inner.tree.checkpoint(dir.as_ref())
    }
}
