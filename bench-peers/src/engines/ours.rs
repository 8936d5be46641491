//! Fourfold itself, as an ordered map by its raw store.

use std::path::Path;

use fourfold::{Durability, Keyspace, Store};

use fourfold::bare::BareLog;

use crate::engine::{Class, Kv, Log, Options, Result};

struct Ours {
    store: Store,
    kv: Keyspace,
}

pub fn durability(class: Class) -> Durability {
    match class {
        Class::Process => Durability::Written,
        Class::Power => Durability::Synced,
    }
}

pub fn open(dir: &Path, options: Options) -> Result<Box<dyn Kv>> {
    build(dir, options, durability(options.class))
}

pub fn open_buffered(dir: &Path, options: Options) -> Result<Box<dyn Kv>> {
    build(dir, options, Durability::Buffered)
}

fn build(dir: &Path, options: Options, durability: Durability) -> Result<Box<dyn Kv>> {
    let mut builder = Store::builder().durability(durability);
    if options.pile_up {
        // What lies between two seals is one run.
        builder = builder.pile_up().segment_size(256 << 20);
    }
    let store = builder.open(dir)?;
    let kv = store.keyspace("kv")?;
    Ok(Box::new(Ours { store, kv }))
}

/// The log alone, without the table that it is folded into: what the goals of the `log` rows were set for.
struct OurLog(BareLog);

pub fn open_log(dir: &Path, class: Class) -> Result<Box<dyn Log>> {
    Ok(Box::new(OurLog(BareLog::create(dir, durability(class))?)))
}

pub fn open_log_buffered(dir: &Path, _class: Class) -> Result<Box<dyn Log>> {
    Ok(Box::new(OurLog(BareLog::create(dir, Durability::Buffered)?)))
}

impl Log for OurLog {
    fn append(&self, records: &[&[u8]]) -> Result<()> {
        self.0.append(records)?;
        Ok(())
    }
}

impl Kv for Ours {
    fn write(&self, items: &[(&[u8], &[u8])]) -> Result<()> {
        if let [(key, value)] = items {
            self.kv.put(key, value)?;
            return Ok(());
        }
        let mut batch = self.store.batch();
        for (key, value) in items {
            batch.put(&self.kv, key, value)?;
        }
        self.store.write(batch)?;
        Ok(())
    }

    fn get(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        Ok(self.kv.get(key)?.map(|value| see(&value)).is_some())
    }

    fn range(&self, from: &[u8], to: &[u8], see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let mut range = self.kv.range(from..to);
        while range.advance()? {
            match range.value_ref() {
                Some(value) => see(range.key(), value),
                None => see(range.key(), &range.value()?),
            }
        }
        Ok(())
    }

    fn seal(&self) -> Result<()> {
        Ok(self.store.fold()?)
    }

    fn compact(&self) -> Result<()> {
        Ok(self.store.compact()?)
    }
}
