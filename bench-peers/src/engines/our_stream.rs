//! Fourfold's stream, with one shard.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use fourfold::stream::{CreateStream, Cursor, PutRecord, Record, Start, Stream as Records};
use fourfold::{Durability, Store};

use super::ours::durability;
use crate::engine::{Class, Reader, Result, Stream};

/// Partition keys that the records are put under, in turns.
const KEYS: usize = 1000;

struct Ours {
    records: Records,
    keys: Vec<String>,
    next: AtomicUsize,
}

pub fn open(dir: &Path, class: Class) -> Result<Box<dyn Stream>> {
    build(dir, durability(class))
}

pub fn open_buffered(dir: &Path, _class: Class) -> Result<Box<dyn Stream>> {
    build(dir, Durability::Buffered)
}

fn build(dir: &Path, durability: Durability) -> Result<Box<dyn Stream>> {
    let store = Store::builder().durability(durability).open(dir)?;
    let records = store.streams().create("records", CreateStream::default().shard_count(1))?;
    let keys = (0..KEYS).map(|i| format!("user-{i:04}")).collect();
    Ok(Box::new(Ours { records, keys, next: AtomicUsize::new(0) }))
}

impl Stream for Ours {
    fn put(&self, records: &[&[u8]]) -> Result<()> {
        let first = self.next.fetch_add(records.len(), Relaxed);
        if let [data] = records {
            self.records.put(&self.keys[first % KEYS], data)?;
            return Ok(());
        }
        let keyed = records.iter().zip(first..);
        let keyed: Vec<_> = keyed.map(|(data, i)| PutRecord::new(&self.keys[i % KEYS], data)).collect();
        let put = self.records.put_many(&keyed)?;
        if put.failed_record_count() == 0 { Ok(()) } else { Err("a record was refused".into()) }
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        let cursor = self.records.cursor("shardId-000000000000", Start::TrimHorizon)?;
        Ok(Box::new(OurReader { cursor, records: Vec::new() }))
    }
}

struct OurReader {
    cursor: Cursor,
    records: Vec<Record>,
}

impl Reader for OurReader {
    fn read(&mut self, max: usize, see: &mut dyn FnMut(&[u8])) -> Result<usize> {
        if max == 1 {
            return Ok(self.cursor.try_next()?.map_or(0, |record| {
                see(record.data());
                1
            }));
        }
        self.records.clear();
        let count = self.cursor.try_batch(max, &mut self.records)?;
        self.records.iter().for_each(|record| see(record.data()));
        Ok(count)
    }
}
