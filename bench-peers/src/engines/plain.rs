//! The log everybody writes first: length, checksum and record, appended to a file.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::engine::{Class, Log, Result};

/// One write per call of `append`, and one fdatasync where the class asks for it; threads share nothing but the
/// file's end.
struct PerCall {
    file: File,
    end: AtomicU64,
    class: Class,
}

/// One write per 64 KiB.
struct Batched(Mutex<Batch>);

struct Batch {
    file: File,
    end: u64,
    buffer: Vec<u8>,
}

const BATCH: usize = 64 << 10;

pub fn open(dir: &Path, class: Class) -> Result<Box<dyn Log>> {
    let file = File::create(dir.join("log"))?;
    Ok(Box::new(PerCall { file, end: AtomicU64::new(0), class }))
}

pub fn open_batched(dir: &Path, _: Class) -> Result<Box<dyn Log>> {
    let file = File::create(dir.join("log"))?;
    Ok(Box::new(Batched(Mutex::new(Batch { file, end: 0, buffer: Vec::with_capacity(2 * BATCH) }))))
}

fn frame(record: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(record.len()).expect("a record below 4 GiB");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(record).to_le_bytes());
    out.extend_from_slice(record);
}

impl Log for PerCall {
    fn append(&self, records: &[&[u8]]) -> Result<()> {
        thread_local!(static FRAMES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        FRAMES.with_borrow_mut(|frames| {
            frames.clear();
            records.iter().for_each(|record| frame(record, frames));
            let at = self.end.fetch_add(frames.len() as u64, Relaxed);
            self.file.write_all_at(frames, at)
        })?;
        if self.class == Class::Power {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

impl Log for Batched {
    fn append(&self, records: &[&[u8]]) -> Result<()> {
        let mut batch = self.0.lock().expect("no writer panicked");
        let Batch { file, end, buffer } = &mut *batch;
        records.iter().for_each(|record| frame(record, buffer));
        if buffer.len() >= BATCH {
            file.write_all_at(buffer, *end)?;
            *end += buffer.len() as u64;
            buffer.clear();
        }
        Ok(())
    }
}
