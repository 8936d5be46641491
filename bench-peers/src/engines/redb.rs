//! redb: a copy-on-write B-tree. It has no level between "in memory until the next durable commit" and "synced".

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use crate::engine::{CACHE, Class, Kv, Options, Queue, Result};
use crate::naive::{Change, NaiveQueue, Table, Tables};

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("kv");
const MESSAGES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("messages");
const LEASES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("leases");

struct Redb {
    db: Database,
    durability: Durability,
}

pub fn open(dir: &Path, options: Options) -> Result<Box<dyn Kv>> {
    let redb = create(dir, options.class)?;
    Kv::write(&redb, &[])?;
    Ok(Box::new(redb))
}

pub fn open_queue(dir: &Path, class: Class) -> Result<Box<dyn Queue>> {
    let redb = create(dir, class)?;
    let txn = redb.db.begin_write()?;
    txn.open_table(MESSAGES)?;
    txn.open_table(LEASES)?;
    txn.commit()?;
    Ok(Box::new(NaiveQueue::new(redb, false)))
}

fn create(dir: &Path, class: Class) -> Result<Redb> {
    let db = Database::builder().set_cache_size(CACHE).create(dir.join("redb"))?;
    let durability = match class {
        Class::Process => Durability::None,
        Class::Power => Durability::Immediate,
    };
    Ok(Redb { db, durability })
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

impl Tables for Redb {
    fn write(&self, changes: &[Change], durable: bool) -> Result<()> {
        let mut txn = self.db.begin_write()?;
        txn.set_durability(if durable { self.durability } else { Durability::None })?;
        let (mut messages, mut leases) = (txn.open_table(MESSAGES)?, txn.open_table(LEASES)?);
        for change in changes {
            match *change {
                Change::Put(Table::Messages, key, value) => drop(messages.insert(key, value)?),
                Change::Put(Table::Leases, key, value) => drop(leases.insert(key, value)?),
                Change::Delete(Table::Messages, key) => drop(messages.remove(key)?),
                Change::Delete(Table::Leases, key) => drop(leases.remove(key)?),
            }
        }
        drop((messages, leases));
        Ok(txn.commit()?)
    }

    fn scan(&self, table: Table, from: &[u8], max: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let definition = match table {
            Table::Messages => MESSAGES,
            Table::Leases => LEASES,
        };
        for item in self.db.begin_read()?.open_table(definition)?.range(from..)?.take(max) {
            let (key, value) = item?;
            see(key.value(), value.value());
        }
        Ok(())
    }
}
