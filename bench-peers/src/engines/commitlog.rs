//! commitlog: a log of segments with an index, written by `write`. Its `flush` reaches no device.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use commitlog::message::{HEADER_SIZE, MessageBuf, MessageSet};
use commitlog::{CommitLog, LogOptions, ReadLimit};

use crate::engine::{Class, Reader, Result, Stream, Unsupported};

struct Log {
    log: Mutex<CommitLog>,
    /// Bytes of a record; all are of one length, and a read has to say how many bytes it wants.
    len: AtomicUsize,
}

pub fn open(dir: &Path, class: Class) -> Result<Box<dyn Stream>> {
    if class == Class::Power {
        return Err(Unsupported.into());
    }
    let log = Mutex::new(CommitLog::new(LogOptions::new(dir))?);
    Ok(Box::new(Log { log, len: AtomicUsize::new(0) }))
}

impl Stream for Log {
    fn put(&self, records: &[&[u8]]) -> Result<()> {
        let mut log = self.log.lock().expect("no step panicked");
        if let [record] = records {
            log.append_msg(record)?;
            return Ok(());
        }
        let mut messages = MessageBuf::default();
        for record in records {
            messages.push(record).map_err(|error| format!("{error:?}"))?;
            self.len.store(record.len(), Relaxed);
        }
        log.append(&mut messages)?;
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(LogReader { log: self, next: 0 }))
    }

    fn copies(&self) -> bool {
        true
    }
}

struct LogReader<'a> {
    log: &'a Log,
    next: u64,
}

impl Reader for LogReader<'_> {
    fn read(&mut self, max: usize, see: &mut dyn FnMut(&[u8])) -> Result<usize> {
        let limit = ReadLimit::max_bytes(max * (HEADER_SIZE + self.log.len.load(Relaxed)));
        let found = self.log.log.lock().expect("no step panicked").read(self.next, limit)?;
        found.iter().for_each(|message| see(message.payload()));
        self.next += found.len() as u64;
        Ok(found.len())
    }
}
