//! What an engine has to do to be measured, and the list of those that are.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[cfg(feature = "ours")]
use crate::engines::ours;
#[cfg(feature = "rocksdb")]
use crate::engines::rocksdb;
use crate::engines::{fjall, lmdb, okaywal, plain, redb};

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What a write that has returned survives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The end of the process, at least: the kernel has the bytes. (Where `Engine::survives` says less, it is less.)
    Process,
    /// The loss of power: the device has been told to flush them.
    Power,
}

#[derive(Clone, Copy)]
pub struct Options {
    pub class: Class,
    /// Sorted runs pile up instead of being merged, to measure reads through several of them.
    pub pile_up: bool,
}

/// Block cache of every engine that has one: all data of a workload fit.
pub const CACHE: usize = 2 << 30;

/// An engine cannot do this, and is left out of the row.
#[derive(Debug)]
pub struct Unsupported;

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unsupported")
    }
}

impl Error for Unsupported {}

/// An ordered map. Each call is a transaction of its own: reads see everything written before.
pub trait Kv: Send + Sync {
    /// All of `items` or none.
    fn write(&self, items: &[(&[u8], &[u8])]) -> Result<()>;

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.write(&[(key, value)])
    }

    /// Shows the value where the engine has it, copied only if its API copies.
    fn get(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool>;

    fn range(&self, from: &[u8], to: &[u8], see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()>;

    /// Makes what is in memory a sorted run of its own.
    fn seal(&self) -> Result<()> {
        Err(Unsupported.into())
    }

    /// Brings the data into the best shape for reads, if the engine knows one.
    fn compact(&self) -> Result<()> {
        Ok(())
    }
}

pub trait Log: Send + Sync {
    /// All of `records` or none.
    fn append(&self, records: &[&[u8]]) -> Result<()>;
}

/// A log made of a map: records under consecutive numbers.
struct KvLog {
    kv: Box<dyn Kv>,
    next: AtomicU64,
}

impl Log for KvLog {
    fn append(&self, records: &[&[u8]]) -> Result<()> {
        let first = self.next.fetch_add(records.len() as u64, Relaxed);
        if let [record] = records {
            return self.kv.put(&first.to_be_bytes(), record);
        }
        let keys: Vec<[u8; 8]> = (first..).map(u64::to_be_bytes).take(records.len()).collect();
        let items: Vec<_> = keys.iter().map(<[u8; 8]>::as_slice).zip(records.iter().copied()).collect();
        self.kv.write(&items)
    }
}

type OpenKv = fn(&Path, Options) -> Result<Box<dyn Kv>>;
type OpenLog = fn(&Path, Class) -> Result<Box<dyn Log>>;

pub struct Engine {
    pub name: &'static str,
    /// The last write at [`Class::Process`] survives this.
    pub survives: &'static str,
    kv: Option<OpenKv>,
    log: Option<OpenLog>,
    /// The same engine with weaker promises; measured in the rows that write and wait for no device.
    pub variant: bool,
    /// Worth a row beside the logs: a log is what its writes begin with.
    pub is_log: bool,
}

impl Engine {
    pub fn kv(&self, dir: &Path, options: Options) -> Result<Box<dyn Kv>> {
        if self.variant && options.class == Class::Power {
            return Err(Unsupported.into());
        }
        self.kv.ok_or(Unsupported)?(dir, options)
    }

    pub fn log(&self, dir: &Path, class: Class) -> Result<Box<dyn Log>> {
        if self.variant && class == Class::Power {
            return Err(Unsupported.into());
        }
        match (self.log, self.kv) {
            (Some(open), _) => open(dir, class),
            (None, Some(open)) => {
                let kv = open(dir, Options { class, pile_up: false })?;
                Ok(Box::new(KvLog { kv, next: AtomicU64::new(0) }))
            }
            (None, None) => Err(Unsupported.into()),
        }
    }

    const fn map(name: &'static str, survives: &'static str, open: OpenKv) -> Self {
        Self { name, survives, kv: Some(open), log: None, variant: false, is_log: true }
    }

    const fn journal(name: &'static str, survives: &'static str, open: OpenLog) -> Self {
        Self { name, survives, kv: None, log: Some(open), variant: false, is_log: true }
    }

    const fn weaker(self) -> Self {
        Self { variant: true, ..self }
    }

    const fn only_map(self) -> Self {
        Self { is_log: false, ..self }
    }

    pub fn is_map(&self) -> bool {
        self.kv.is_some()
    }
}

const PROCESS: &str = "the end of the process";
const FLUSHED: &str = "what left the engine's own buffer";

pub const ENGINES: &[Engine] = &[
    #[cfg(feature = "ours")]
    Engine::map("ours", PROCESS, ours::open),
    #[cfg(feature = "ours")]
    Engine::map("ours-buffered", FLUSHED, ours::open_buffered).weaker(),
    #[cfg(feature = "ours")]
    Engine::journal("our-log", PROCESS, ours::open_log),
    #[cfg(feature = "ours")]
    Engine::journal("our-log-buffered", FLUSHED, ours::open_log_buffered).weaker(),
    Engine::map("fjall", PROCESS, fjall::open),
    Engine::map("fjall-buffered", FLUSHED, fjall::open_buffered).weaker(),
    #[cfg(feature = "rocksdb")]
    Engine::map("rocksdb", PROCESS, rocksdb::open),
    #[cfg(feature = "rocksdb")]
    Engine::map("rocksdb-buffered", FLUSHED, rocksdb::open_buffered).weaker(),
    Engine::map("lmdb", "the end of the process; a power loss may corrupt the file", lmdb::open).only_map(),
    Engine::map("redb", "nothing: back to the last durable commit", redb::open).only_map(),
    Engine::journal("okaywal", "always the loss of power", okaywal::open),
    Engine::journal("pwrite", PROCESS, plain::open),
    Engine::journal("pwrite-64k", FLUSHED, plain::open_batched).weaker(),
];
