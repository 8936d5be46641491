//! okaywal: a write-ahead log with group commit that writes into recycled files. Every commit syncs.

use std::path::Path;

use okaywal::{Configuration, LogVoid, WriteAheadLog};

use crate::engine::{Class, Log, Reader, Result, Stream, Unsupported};

struct Wal(WriteAheadLog);

pub fn open(dir: &Path, class: Class) -> Result<Box<dyn Log>> {
    Ok(Box::new(create(dir, class)?))
}

pub fn open_stream(dir: &Path, class: Class) -> Result<Box<dyn Stream>> {
    Ok(Box::new(create(dir, class)?))
}

fn create(dir: &Path, class: Class) -> Result<Wal> {
    if class != Class::Power {
        return Err(Unsupported.into());
    }
    let config = Configuration::default_for(dir);
    Ok(Wal(config.open(LogVoid)?))
}

impl Log for Wal {
    fn append(&self, records: &[&[u8]]) -> Result<()> {
        let mut entry = self.0.begin_entry()?;
        for record in records {
            entry.write_chunk(record)?;
        }
        entry.commit()?;
        Ok(())
    }
}

/// Written only: what was checkpointed is gone.
impl Stream for Wal {
    fn put(&self, records: &[&[u8]]) -> Result<()> {
        self.append(records)
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Err(Unsupported.into())
    }
}
