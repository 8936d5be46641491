//! Is every index the projection of its table (K1)?

use crate::error::Corruption;
use crate::kv::Tables;
use crate::kv::error::Result;
use crate::kv::state::{Shape, Table};
use crate::kv::write::Before;
use crate::kv::{item, ttl};
use crate::store::Snapshot;
use crate::store::space::Space;

impl Tables {
    /// Reads all tables and their indexes as of one moment, and says where they disagree: entries that are missing, wrong or
    /// left over. An empty answer is a clean bill. [`Store::verify`](crate::Store::verify) looks at what is below.
    ///
    /// # Errors
    /// Only if the check itself cannot go on; what it finds is the result.
    pub fn verify(&self) -> Result<Vec<Corruption>> {
        self.state.load(&self.store)?;
        let mut problems = Vec::new();
        for table in self.state.tables() {
            // What the table is does not change between this and the snapshot (K4).
            let shape = table.shape.read();
            if !shape.is_dropped {
                let snapshot = self.store.snapshot();
                verify(&table, &shape, &snapshot, &mut problems)?;
            }
        }
        Ok(problems)
    }
}

/// Goes through a table, looks up every entry that there should be, and counts what there is.
fn verify(table: &Table, shape: &Shape, snapshot: &Snapshot, problems: &mut Vec<Corruption>) -> Result<()> {
    let mut problem = |what: &'static str, expected: String, found: String| {
        problems.push(Corruption::new(&*table.name, 0, what, expected, found));
    };
    let indexes = || shape.indexes.iter().filter(|index| !index.is_building);
    let mut expected = vec![0_u64; indexes().count()];
    let mut expiring = 0;
    let mut range = snapshot.range_in::<&[u8]>(&shape.items, ..);
    while range.advance()? {
        let before = Before::new(range.value()?);
        let key = shape.layout.key_of_item(before.item()?)?;
        if key.bytes != range.key() {
            problem("key of an item", format!("{:?}", key.bytes), format!("{:?}", range.key()));
        }
        if before.item()?.size() != item::size(&before.record) {
            let stored = item::size(&before.record).to_string();
            problem("size of an item", before.item()?.size().to_string(), stored);
        }
        for (index, expected) in indexes().zip(&mut expected) {
            let Some(entry) = index.layout.entry(before.item()?, &key).ok().flatten() else { continue };
            *expected += 1;
            let record = index.layout.record(before.item()?, &before.record);
            let found = snapshot.get_in(&index.space, &entry)?;
            if found.as_deref() != Some(&*record) {
                let found = found.map_or_else(|| "none".to_owned(), |found| format!("{found:?}"));
                problem("entry of an index", format!("{}: {record:?}", index.layout.name), found);
            }
        }
        if let (Some(space), Some(defined)) = (&shape.ttl, &shape.definition.ttl)
            && let Some(second) = ttl::second(before.item()?, &defined.attribute)
        {
            expiring += 1;
            if snapshot.get_in(space, &ttl::entry(second, &key.bytes))?.is_none() && !defined.is_building {
                problem("expiry of an item", format!("second {second}"), "none".to_owned());
            }
        }
    }
    let spaces =
        indexes().map(|index| &index.space).zip(expected).chain(shape.ttl.iter().map(|ttl| (ttl, expiring)));
    for (space, expected) in spaces {
        let found = count(snapshot, space)?;
        if found != expected {
            problem("number of entries", expected.to_string(), found.to_string());
        }
    }
    Ok(())
}

fn count(snapshot: &Snapshot, space: &Space) -> Result<u64> {
    let mut count = 0;
    let mut range = snapshot.range_in::<&[u8]>(space, ..);
    while range.advance()? {
        count += 1;
    }
    Ok(count)
}
