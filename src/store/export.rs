//! A whole store as one file, and back.

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::log::Durability;
use crate::position::Position;
use crate::store::snapshot_file::{Block, BlockReader, BlockWriter, Origin};
use crate::store::{Batch, Builder, Range, Snapshot, Store};
use crate::tree::batch::{KEYSPACE_ID_LEN, OpKind};
use crate::tree::keyspaces::{CATALOG, FIRST_KEYSPACE, Fence, KeyspaceState};
use crate::tree::range::Span;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

/// Bytes of a batch of an import, if a segment has room for it.
const BATCH_LEN: usize = 1 << 20;

/// What went into a snapshot file.
///
/// ```
/// # fn main() -> fourfold::Result<()> {
/// let store = fourfold::Store::in_memory();
/// store.keyspace("words")?.put("hello", "world")?;
/// let mut file = Vec::new();
/// let exported = store.export(&mut file)?;
/// assert_eq!(exported.entries, 2); // one of them names the keyspace
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The snapshot is as of this position.
    pub position: Position,
    /// Keyspaces.
    pub keyspaces: u64,
    /// Keys.
    pub entries: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

impl Store {
    /// Writes everything in the store, as of now, into one file: a portable snapshot with checksums, which
    /// [`import`](Self::import) and [`Builder::import`] make a store of. Writes go on meanwhile. The writer is flushed, and
    /// not synced.
    ///
    /// # Errors
    /// [`Io`](Error::Io) of the writer; what reading the store can fail with.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// use fourfold::Store;
    /// let store = Store::in_memory();
    /// store.queues().create("jobs")?.send("resize image 17")?;
    /// let mut file = Vec::new();
    /// store.export(&mut file)?;
    ///
    /// let copy = Store::import(&file[..])?; // in memory
    /// assert_eq!(copy.queues().get("jobs")?.receive(1)?[0].body(), "resize image 17");
    /// let copy = Store::builder().import(dir.path().join("copy"), &file[..])?; // on disk
    /// assert_eq!(copy.queues().get("jobs")?.receive(1)?[0].body(), "resize image 17");
    /// # Ok(()) }
    /// ```
    pub fn export(&self, to: impl Write) -> Result<Exported> {
        self.snapshot().export(to)
    }

    /// A new store in memory from a snapshot file.
    ///
    /// # Errors
    /// [`Corrupt`](Error::Corrupt) for a file that is damaged or cut short, with the offset; [`Version`](Error::Version);
    /// [`Io`](Error::Io) of the reader.
    pub fn import(from: impl Read) -> Result<Self> {
        Self::builder().import_in_memory(from)
    }
}

impl Snapshot {
    /// Writes what the snapshot shows into one file: see [`Store::export`].
    ///
    /// # Errors
    /// The same.
    pub fn export(&self, to: impl Write) -> Result<Exported> {
        let tree = &self.inner.tree;
        let mut writer = BlockWriter::new(to)?;
        writer.origin(&Origin {
            epoch: tree.log().epoch(),
            position: tree.log().frontier().get(),
            now: crate::Clock::now(&self.inner.clock).as_millis(),
            next_keyspace: tree.next_keyspace_id(),
            account: self.inner.account.clone(),
            region: self.inner.region.clone(),
        })?;
        let mut exported = Exported { position: self.position(), keyspaces: 0, entries: 0, bytes: 0 };
        // The catalog names what is in the others: it comes last (F2).
        let ids = tree.known_keyspaces().into_iter().filter(|id| *id >= FIRST_KEYSPACE);
        for id in ids.chain([CATALOG]) {
            if let Some(state) = tree.keyspace(id).filter(|state| state.created() <= self.at) {
                self.export_keyspace(&state, &mut writer, &mut exported)?;
            }
        }
        let Exported { keyspaces, entries, bytes, .. } = exported;
        writer.end(keyspaces, entries, bytes)?;
        Ok(exported)
    }

    fn export_keyspace<W: Write>(
        &self,
        state: &Arc<KeyspaceState>,
        writer: &mut BlockWriter<W>,
        exported: &mut Exported,
    ) -> Result<()> {
        match state.fence(self.at) {
            Fence::Dropped => return Ok(()),
            Fence::None => writer.keyspace(state.id(), &[])?,
            Fence::Floor(floor) => {
                writer.keyspace(state.id(), floor.get(KEYSPACE_ID_LEN..).unwrap_or_default())?;
            }
        }
        exported.keyspaces += 1;
        let mut range = Range::over(&self.inner, state, Span::prefix(state.id(), &[]), Some(self.at));
        while range.advance()? {
            match range.value_ref() {
                Some(value) => exported.add(writer, range.key(), value)?,
                None => exported.add(writer, range.key(), &range.value()?)?,
            }
        }
        Ok(())
    }
}

impl Exported {
    fn add<W: Write>(&mut self, writer: &mut BlockWriter<W>, key: &[u8], value: &[u8]) -> Result<()> {
        self.entries += 1;
        self.bytes += (key.len() + value.len()) as u64;
        writer.entry(key, value)
    }
}

impl Builder {
    /// Makes a new store in `dir` of a snapshot file ([`Store::export`]), with these settings; account and region are
    /// those of the snapshot. The store is durable when this returns.
    ///
    /// # Errors
    /// As for [`Store::import`]; [`Invalid`](Error::Invalid) if there is a store in `dir` already,
    /// [`NotAStore`](Error::NotAStore) if there is anything else. After an import that failed `dir` holds a store without
    /// a single queue, stream, table, bucket or named keyspace: remove it.
    pub fn import(self, dir: impl AsRef<Path>, from: impl Read) -> Result<Store> {
        let (mut reader, settings) = self.of_origin(from)?;
        let store = settings.open(dir)?;
        fill(&store, &mut reader)?;
        store.sync()?;
        Ok(store)
    }

    /// Makes a new store in memory of a snapshot file, with these settings.
    ///
    /// # Errors
    /// As for [`Store::import`].
    pub fn import_in_memory(self, from: impl Read) -> Result<Store> {
        let (mut reader, settings) = self.of_origin(from)?;
        let store = settings.open_media(crate::storage::Media::memory())?;
        fill(&store, &mut reader)?;
        Ok(store)
    }

    /// [`import`](Self::import) into a directory of a simulated disk.
    ///
    /// # Errors
    /// The same, and whatever faults were planned.
    #[cfg(any(test, feature = "sim"))]
    pub fn import_simulated(
        self,
        disk: &crate::sim::SimDisk,
        dir: impl AsRef<Path>,
        from: impl Read,
    ) -> Result<Store> {
        let (mut reader, settings) = self.of_origin(from)?;
        let store = settings.open_simulated(disk, dir)?;
        fill(&store, &mut reader)?;
        store.sync()?;
        Ok(store)
    }

    /// Reads where a snapshot came from: the new store goes on from there (F3).
    fn of_origin<R: Read>(self, from: R) -> Result<(BlockReader<R>, Self)> {
        let mut reader = BlockReader::new(from)?;
        let Block::Origin(origin) = reader.next()? else {
            return Err(reader.refuse("first block of a snapshot", "its origin", "another"));
        };
        let settings = self.beginning(Beginning {
            epoch: origin.epoch,
            position: Position::new(origin.position),
            now: Timestamp::from_millis(origin.now),
            next_keyspace: origin.next_keyspace.max(FIRST_KEYSPACE),
        });
        let settings = settings.account(&origin.account).region(&origin.region);
        settings.check_names().map_err(|error| reader.refuse("origin of a snapshot", "a name", error))?;
        Ok((reader, settings))
    }
}

/// Where the numbers of a new store begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning {
    /// The incarnation before its first.
    pub(crate) epoch: u32,
    /// Its log begins at or behind this.
    pub(crate) position: Position,
    /// It is made at this time.
    pub(crate) now: Timestamp,
    /// Its first keyspace.
    pub(crate) next_keyspace: u32,
}

/// Puts everything that the reader has into a new store.
fn fill<R: Read>(store: &Store, reader: &mut BlockReader<R>) -> Result<()> {
    let (mut keyspaces, mut entries, mut bytes) = (0, 0, 0);
    let mut filling =
        Filling { store, batch: store.batch(), limit: BATCH_LEN.min(store.batch_bytes_max() / 2) };
    // What names a resource is written when all the rest was found whole (F2).
    let mut catalog = Vec::new();
    let mut present = None;
    loop {
        match reader.next()? {
            Block::Keyspace { id, floor } => {
                let is_new = id == CATALOG || (id >= FIRST_KEYSPACE && store.space(id).is_none());
                if present == Some(CATALOG) || !is_new || id >= filling.next_keyspace() {
                    return Err(reader.refuse("keyspace of a snapshot", "a new id, the catalog last", id));
                }
                filling.begin(id, &floor)?;
                (present, keyspaces) = (Some(id), keyspaces + 1);
            }
            Block::Entries(of) => {
                let Some(id) = present else {
                    return Err(reader.refuse("entries of a snapshot", "a keyspace before them", "none"));
                };
                for (key, value) in of {
                    entries += 1;
                    bytes += (key.len() + value.len()) as u64;
                    if id == CATALOG {
                        catalog.push((key, value));
                    } else {
                        filling.put(id, &key, &value)?;
                    }
                }
            }
            Block::End { keyspaces: all, entries: of, bytes: len } => {
                if (all, of, len) != (keyspaces, entries, bytes) {
                    let found = format!("{keyspaces} keyspaces, {entries} entries, {bytes} bytes");
                    let expected = format!("{all} keyspaces, {of} entries, {len} bytes");
                    return Err(reader.refuse("end of a snapshot", expected, found));
                }
                filling.flush()?;
                for (key, value) in catalog {
                    filling.put(CATALOG, &key, &value)?;
                }
                filling.flush()?;
                crate::targets::begin(store);
                return Ok(());
            }
            Block::Origin(_) => return Err(reader.refuse("block of a snapshot", "any other", "its origin")),
        }
    }
}

/// A store that is being filled.
struct Filling<'a> {
    store: &'a Store,
    batch: Batch,
    /// Bytes from which on a batch is written.
    limit: usize,
}

impl Filling<'_> {
    fn next_keyspace(&self) -> u32 {
        self.store.inner.tree.next_keyspace_id()
    }

    fn begin(&mut self, id: u32, floor: &[u8]) -> Result<()> {
        // On its own, so that a keyspace that comes twice is found.
        self.flush()?;
        if id != CATALOG {
            self.batch.ops.push(OpKind::Create, id, &[], &[])?;
        }
        if !floor.is_empty() {
            self.batch.floor_in(id, floor)?;
        }
        self.flush()
    }

    fn put(&mut self, id: u32, key: &[u8], value: &[u8]) -> Result<()> {
        // Short enough to stay in the tree, it still may not fit beside the others.
        let inline = value.len().min(self.store.inner.blob_threshold);
        if self.batch.byte_len() + key.len() + inline > self.limit {
            self.flush()?;
        }
        if key.len() + inline > self.limit {
            // It was short enough for the segments of its origin; these are smaller.
            return self.batch.put_blob_in(id, key, value);
        }
        self.batch.put_in(id, key, value)
    }

    fn flush(&mut self) -> Result<()> {
        let batch = std::mem::replace(&mut self.batch, self.store.batch());
        if !batch.is_empty() {
            self.store.write_with(batch, Durability::Buffered)?;
        }
        Ok(())
    }
}

/// A directory that holds a store takes no import.
#[cold]
pub(crate) fn occupied(path: &Path) -> Error {
    Error::invalid("import directory", format_args!("{} already holds a store", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimDisk;

    fn exported() -> Vec<u8> {
        let store = Store::in_memory();
        store.keyspace("words").unwrap().put("hello", "world").unwrap();
        let mut file = Vec::new();
        store.export(&mut file).unwrap();
        file
    }

    #[test]
    fn a_file_that_is_cut_leaves_a_store_without_names() {
        let file = exported();
        for len in file.len() - 60..file.len() {
            let disk = SimDisk::new();
            Builder::default().import_simulated(&disk, "store", &file[..len]).unwrap_err();
            let left = Builder::default().open_simulated(&disk, "store").unwrap();
            assert_eq!(left.keyspaces().unwrap(), Vec::<String>::new(), "cut at {len}");
        }
    }

    #[test]
    fn settings_that_cannot_be_are_an_error() {
        let error = Store::builder().segment_size(5).import_in_memory(&exported()[..]).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }

    #[test]
    fn long_values_go_into_small_segments() {
        let store = Store::builder().blob_threshold(1 << 20).open_in_memory();
        let value = vec![7; 10 << 10];
        store.keyspace("words").unwrap().put("long", &value).unwrap();
        let mut file = Vec::new();
        store.export(&mut file).unwrap();
        let settings = Store::builder().segment_size(16 << 10).blob_threshold(1 << 20);
        let copy = settings.import_in_memory(&file[..]).unwrap();
        assert_eq!(copy.keyspace("words").unwrap().get("long").unwrap().unwrap(), value);
    }
}
