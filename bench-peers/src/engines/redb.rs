//! redb: a copy-on-write B-tree. It has no level between "in memory until the next durable commit" and "synced".

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use crate::engine::{CACHE, Class, Kv, Options, Result};

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("kv");

struct Redb {
    db: Database,
    durability: Durability,
}

pub fn open(dir: &Path, options: Options) -> Result<Box<dyn Kv>> {
    let db = Database::builder().set_cache_size(CACHE).create(dir.join("redb"))?;
    let durability = match options.class {
        Class::Process => Durability::None,
        Class::Power => Durability::Immediate,
    };
    let redb = Redb { db, durability };
    redb.write(&[])?;
    Ok(Box::new(redb))
}

impl Kv for Redb {
    fn write(&self, items: &[(&[u8], &[u8])]) -> Result<()> {
        let mut txn = self.db.begin_write()?;
        txn.set_durability(self.durability)?;
        let mut table = txn.open_table(TABLE)?;
        for &(key, value) in items {
            table.insert(key, value)?;
        }
        drop(table);
        Ok(txn.commit()?)
    }

    fn get(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let value = self.db.begin_read()?.open_table(TABLE)?.get(key)?;
        Ok(value.map(|value| see(value.value())).is_some())
    }

    fn range(&self, from: &[u8], to: &[u8], see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for item in self.db.begin_read()?.open_table(TABLE)?.range(from..to)? {
            let (key, value) = item?;
            see(key.value(), value.value());
        }
        Ok(())
    }
}
