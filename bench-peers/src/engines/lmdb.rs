//! LMDB by `heed`: a copy-on-write B-tree in a map. Without `NO_SYNC` every commit is two writes and two syncs.

use std::ops::Bound::{Excluded, Included};
use std::path::Path;

use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions};

use crate::engine::{Class, Kv, Options, Result};

struct Lmdb {
    env: Env,
    db: Database<Bytes, Bytes>,
}

pub fn open(dir: &Path, options: Options) -> Result<Box<dyn Kv>> {
    let mut open = EnvOpenOptions::new();
    open.map_size(64 << 30);
    if options.class == Class::Process {
        // SAFETY: the flag gives up nothing but durability.
        unsafe { open.flags(EnvFlags::NO_SYNC) };
    }
    // SAFETY: the directory is this process's own; nobody else maps or changes the file.
    let env = unsafe { open.open(dir)? };
    let mut txn = env.write_txn()?;
    let db = env.create_database(&mut txn, None)?;
    txn.commit()?;
    Ok(Box::new(Lmdb { env, db }))
}

impl Kv for Lmdb {
    fn write(&self, items: &[(&[u8], &[u8])]) -> Result<()> {
        let mut txn = self.env.write_txn()?;
        for (key, value) in items {
            self.db.put(&mut txn, key, value)?;
        }
        Ok(txn.commit()?)
    }

    fn get(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let txn = self.env.read_txn()?;
        Ok(self.db.get(&txn, key)?.map(see).is_some())
    }

    fn range(&self, from: &[u8], to: &[u8], see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let txn = self.env.read_txn()?;
        for item in self.db.range(&txn, &(Included(from), Excluded(to)))? {
            let (key, value) = item?;
            see(key, value);
        }
        Ok(())
    }
}
