//! fjall: an LSM tree. Its journal has no group commit: whoever persists holds the journal's lock.

use std::path::Path;
use std::sync::Arc;

use fjall::compaction::Leveled;
use fjall::config::CompressionPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::engine::{CACHE, Class, Kv, Options, Queue, Result, Unsupported};
use crate::naive::{Change, NaiveQueue, Table, Tables};

struct Fjall {
    db: Database,
    kv: Keyspace,
    persist: Option<PersistMode>,
}

pub fn open(dir: &Path, options: Options) -> Result<Box<dyn Kv>> {
    build(dir, options, false)
}

pub fn open_buffered(dir: &Path, options: Options) -> Result<Box<dyn Kv>> {
    build(dir, options, true)
}

fn build(dir: &Path, options: Options, manual: bool) -> Result<Box<dyn Kv>> {
    let db = Database::builder(dir).cache_size(CACHE as u64).manual_journal_persist(manual).open()?;
    let kv = db.keyspace("kv", || {
        let create =
            KeyspaceCreateOptions::default().data_block_compression_policy(CompressionPolicy::disabled());
        let create = create.manual_journal_persist(manual);
        if options.pile_up {
            create.compaction_strategy(Arc::new(Leveled::default().with_l0_threshold(32)))
        } else {
            create
        }
    })?;
    let persist = match options.class {
        Class::Power => Some(PersistMode::SyncData),
        // `insert` does this by itself, a batch does not.
        Class::Process => (!manual).then_some(PersistMode::Buffer),
    };
    Ok(Box::new(Fjall { db, kv, persist }))
}

impl Kv for Fjall {
    fn write(&self, items: &[(&[u8], &[u8])]) -> Result<()> {
        let mut batch = self.db.batch().durability(self.persist);
        for &(key, value) in items {
            batch.insert(&self.kv, key, value);
        }
        Ok(batch.commit()?)
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.kv.insert(key, value)?;
        if self.persist == Some(PersistMode::SyncData) {
            self.db.persist(PersistMode::SyncData)?;
        }
        Ok(())
    }

    fn get(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(self.kv.get(key)?.map(|value| see(&value)).is_some())
    }

    fn range(&self, from: &[u8], to: &[u8], see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for item in self.kv.range(from..to) {
            let (key, value) = item.into_inner()?;
            see(&key, &value);
        }
        Ok(())
    }

    fn seal(&self) -> Result<()> {
        Ok(self.kv.rotate_memtable_and_wait()?)
    }

    fn compact(&self) -> Result<()> {
        self.kv.rotate_memtable_and_wait()?;
        Ok(self.kv.major_compact()?)
    }
}

struct TwoTables {
    db: Database,
    messages: Keyspace,
    leases: Keyspace,
    class: Class,
}

pub fn open_queue(dir: &Path, class: Class) -> Result<Box<dyn Queue>> {
    Ok(Box::new(NaiveQueue::new(tables(dir, class)?, false)))
}

/// Waits for the device also when messages are received.
pub fn open_queue_leases(dir: &Path, class: Class) -> Result<Box<dyn Queue>> {
    if class != Class::Power {
        return Err(Unsupported.into());
    }
    Ok(Box::new(NaiveQueue::new(tables(dir, class)?, true)))
}

fn tables(dir: &Path, class: Class) -> Result<TwoTables> {
    let db = Database::builder(dir).cache_size(CACHE as u64).open()?;
    let options =
        || KeyspaceCreateOptions::default().data_block_compression_policy(CompressionPolicy::disabled());
    let (messages, leases) = (db.keyspace("messages", options)?, db.keyspace("leases", options)?);
    Ok(TwoTables { db, messages, leases, class })
}

impl TwoTables {
    fn table(&self, table: Table) -> &Keyspace {
        match table {
            Table::Messages => &self.messages,
            Table::Leases => &self.leases,
        }
    }
}

impl Tables for TwoTables {
    fn write(&self, changes: &[Change], durable: bool) -> Result<()> {
        let synced = durable && self.class == Class::Power;
        let mode = if synced { PersistMode::SyncData } else { PersistMode::Buffer };
        let mut batch = self.db.batch().durability(Some(mode));
        for change in changes {
            match *change {
                Change::Put(table, key, value) => batch.insert(self.table(table), key, value),
                Change::Delete(table, key) => batch.remove(self.table(table), key),
            }
        }
        Ok(batch.commit()?)
    }

    fn scan(&self, table: Table, from: &[u8], max: usize, see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for item in self.table(table).range(from..).take(max) {
            let (key, value) = item.into_inner()?;
            see(&key, &value);
        }
        Ok(())
    }
}
