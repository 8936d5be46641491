//! How safe a write is when it returns.

/// How safe a write is when it returns. Whatever is lost is a suffix of all writes: never a middle, never part of a batch.
///
/// An in-memory store promises nothing beyond the process, at any level.
///
/// ```
/// # fn main() -> fourfold::Result<()> {
/// # let dir = tempfile::tempdir().expect("a temporary directory");
/// use fourfold::{Durability, Store};
/// let store = Store::builder().durability(Durability::Buffered).open(dir.path())?;
/// let clicks = store.keyspace("clicks")?;
/// for click in 0..100u32 {
///     let mut batch = store.batch();
///     batch.put(&clicks, click.to_string(), "")?;
///     store.write(batch)?; // costs no system call
/// }
/// store.sync()?; // from here on nothing can take them away
/// assert_eq!(store.stats().durable, store.stats().frontier);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Visible to readers, and handed to the operating system within a bound of time and bytes.
    ///
    /// *Not* promised: surviving the process. A killed process loses at most what is newer than the written position; a
    /// power cut loses at most what is newer than the durable position.
    Buffered,
    /// Handed to the operating system.
    ///
    /// *Not* promised: surviving the machine. A killed process loses nothing; a power cut or a crash of the system loses
    /// at most what is newer than the durable position.
    Written,
    /// Synced to the device.
    ///
    /// *Not* promised: surviving a device that confirms what it has not stored, or that loses or changes what it stored.
    #[default]
    Synced,
}
