//! What an engine has to do to be measured, and the list of those that are.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;

#[cfg(feature = "rocksdb")]
use crate::engines::rocksdb;
#[cfg(feature = "sqlite")]
use crate::engines::sqlite;
use crate::engines::{commitlog, files, fjall, lmdb, object_store, okaywal, plain, redb};
#[cfg(feature = "ours")]
use crate::engines::{our_objects, our_queue, our_stream, ours};

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

/// A queue: who receives a message has it for a while, and it comes back unless it is deleted.
pub trait Queue: Send + Sync {
    /// Sends all of `bodies` in one call.
    fn send(&self, bodies: &[&str]) -> Result<()>;

    /// Receives up to `max` messages, shows them, and deletes them by another call. Says how many there were.
    ///
    /// At [`Class::Power`] the deletion is synced; that the messages were received need not be.
    fn take(&self, max: usize, see: &mut dyn FnMut(&[u8])) -> Result<usize>;
}

/// Records that stay, in the order in which they were put.
pub trait Stream: Send + Sync {
    /// Puts all of `records` in one call.
    fn put(&self, records: &[&[u8]]) -> Result<()>;

    /// From the first record on.
    fn reader(&self) -> Result<Box<dyn Reader + '_>>;

    /// A reader gets copies. Else it sees the records where the engine has them.
    fn copies(&self) -> bool {
        false
    }
}

pub trait Reader: Send {
    /// Shows up to `max` records and says how many; none at the end.
    fn read(&mut self, max: usize, see: &mut dyn FnMut(&[u8])) -> Result<usize>;
}

/// Objects under keys that look like paths.
pub trait Objects: Send + Sync {
    /// Whole or not at all, whoever reads meanwhile.
    fn put(&self, key: &str, data: &Bytes) -> Result<()>;

    /// Copies the object into `to`; an engine whose API makes a copy by itself leaves it at that. Says how long it is.
    fn get(&self, key: &str, to: &mut Vec<u8>) -> Result<usize>;

    /// Writes objects to list, in whatever way is fast.
    fn fill(&self, keys: &[String], data: &Bytes) -> Result<()> {
        keys.iter().try_for_each(|key| self.put(key, data))
    }

    /// The first 1000 keys with this prefix, sorted; says how many.
    fn page(&self, prefix: &str) -> Result<usize>;

    /// What stands before the first `/`, once each; says how many.
    fn prefixes(&self) -> Result<usize>;

    /// All keys, sorted; says how many.
    fn all(&self) -> Result<usize>;
}

/// A log or a stream made of a map: records under consecutive numbers.
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

impl Stream for KvLog {
    fn put(&self, records: &[&[u8]]) -> Result<()> {
        self.append(records)
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>> {
        Ok(Box::new(KvReader { kv: self.kv.as_ref(), next: 0 }))
    }
}

struct KvReader<'a> {
    kv: &'a dyn Kv,
    next: u64,
}

impl Reader for KvReader<'_> {
    fn read(&mut self, max: usize, see: &mut dyn FnMut(&[u8])) -> Result<usize> {
        let (from, mut seen) = (self.next, 0);
        self.kv.range(&from.to_be_bytes(), &(from + max as u64).to_be_bytes(), &mut |_, value| {
            seen += 1;
            see(value);
        })?;
        self.next += seen as u64;
        Ok(seen)
    }
}

type OpenKv = fn(&Path, Options) -> Result<Box<dyn Kv>>;
type OpenLog = fn(&Path, Class) -> Result<Box<dyn Log>>;
type OpenQueue = fn(&Path, Class) -> Result<Box<dyn Queue>>;
type OpenStream = fn(&Path, Class) -> Result<Box<dyn Stream>>;
type OpenObjects = fn(&Path, Class) -> Result<Box<dyn Objects>>;

pub struct Engine {
    pub name: &'static str,
    /// The last write at [`Class::Process`] survives this.
    pub survives: &'static str,
    kv: Option<OpenKv>,
    log: Option<OpenLog>,
    queue: Option<OpenQueue>,
    stream: Option<OpenStream>,
    objects: Option<OpenObjects>,
    /// The same engine with weaker promises; measured in the rows that write and wait for no device.
    weaker: bool,
    /// Measured in the rows that write.
    pub only_writes: bool,
    /// A map that is worth a row beside the logs: a log is what its writes begin with.
    is_log: bool,
}

impl Engine {
    pub fn kv(&self, dir: &Path, options: Options) -> Result<Box<dyn Kv>> {
        self.promises(options.class)?;
        self.kv.ok_or(Unsupported)?(dir, options)
    }

    pub fn log(&self, dir: &Path, class: Class) -> Result<Box<dyn Log>> {
        self.promises(class)?;
        match self.log {
            Some(open) => open(dir, class),
            None => Ok(Box::new(self.kv_log(dir, class)?)),
        }
    }

    pub fn queue(&self, dir: &Path, class: Class) -> Result<Box<dyn Queue>> {
        self.promises(class)?;
        self.queue.ok_or(Unsupported)?(dir, class)
    }

    pub fn stream(&self, dir: &Path, class: Class) -> Result<Box<dyn Stream>> {
        self.promises(class)?;
        match self.stream {
            Some(open) => open(dir, class),
            None => Ok(Box::new(self.kv_log(dir, class)?)),
        }
    }

    pub fn objects(&self, dir: &Path, class: Class) -> Result<Box<dyn Objects>> {
        self.promises(class)?;
        self.objects.ok_or(Unsupported)?(dir, class)
    }

    fn promises(&self, class: Class) -> Result<()> {
        if self.weaker && class == Class::Power { Err(Unsupported.into()) } else { Ok(()) }
    }

    fn kv_log(&self, dir: &Path, class: Class) -> Result<KvLog> {
        let kv = self.kv(dir, Options { class, pile_up: false })?;
        Ok(KvLog { kv, next: AtomicU64::new(0) })
    }

    pub fn is(&self, family: Family) -> bool {
        match family {
            Family::Map => self.kv.is_some(),
            Family::Log => self.log.is_some() || (self.kv.is_some() && self.is_log),
            Family::Queue => self.queue.is_some(),
            Family::Stream => self.stream.is_some() || self.kv.is_some(),
            Family::Objects => self.objects.is_some(),
        }
    }

    const fn new(name: &'static str, survives: &'static str) -> Self {
        Self {
            name,
            survives,
            kv: None,
            log: None,
            queue: None,
            stream: None,
            objects: None,
            weaker: false,
            only_writes: false,
            is_log: true,
        }
    }

    const fn map(self, open: OpenKv) -> Self {
        Self { kv: Some(open), ..self }
    }

    const fn journal(self, open: OpenLog) -> Self {
        Self { log: Some(open), ..self }
    }

    const fn queues(self, open: OpenQueue) -> Self {
        Self { queue: Some(open), ..self }
    }

    const fn streams(self, open: OpenStream) -> Self {
        Self { stream: Some(open), ..self }
    }

    const fn buckets(self, open: OpenObjects) -> Self {
        Self { objects: Some(open), ..self }
    }

    const fn weaker(self) -> Self {
        Self { weaker: true, only_writes: true, ..self }
    }

    #[cfg(feature = "ours")]
    const fn only_writes(self) -> Self {
        Self { only_writes: true, ..self }
    }

    const fn no_log(self) -> Self {
        Self { is_log: false, ..self }
    }
}

/// What a workload asks an engine to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Map,
    Log,
    Queue,
    Stream,
    Objects,
}

const PROCESS: &str = "the end of the process";
const FLUSHED: &str = "what left the engine's own buffer";
const POWER: &str = "always the loss of power";

pub const ENGINES: &[Engine] = &[
    #[cfg(feature = "ours")]
    Engine::new("ours", PROCESS)
        .map(ours::open)
        .queues(our_queue::open)
        .streams(our_stream::open)
        .buckets(our_objects::open),
    #[cfg(feature = "ours")]
    Engine::new("ours-buffered", FLUSHED)
        .map(ours::open_buffered)
        .queues(our_queue::open_buffered)
        .streams(our_stream::open_buffered)
        .buckets(our_objects::open_buffered)
        .weaker(),
    #[cfg(feature = "ours")]
    Engine::new("ours-no-md5", PROCESS).buckets(our_objects::open_no_md5).only_writes(),
    #[cfg(feature = "ours")]
    Engine::new("our-log", PROCESS).journal(ours::open_log),
    #[cfg(feature = "ours")]
    Engine::new("our-log-buffered", FLUSHED).journal(ours::open_log_buffered).weaker(),
    Engine::new("fjall", PROCESS).map(fjall::open).queues(fjall::open_queue),
    Engine::new("fjall-buffered", FLUSHED).map(fjall::open_buffered).weaker(),
    Engine::new("fjall-leases", POWER).queues(fjall::open_queue_leases),
    #[cfg(feature = "rocksdb")]
    Engine::new("rocksdb", PROCESS).map(rocksdb::open),
    #[cfg(feature = "rocksdb")]
    Engine::new("rocksdb-buffered", FLUSHED).map(rocksdb::open_buffered).weaker(),
    Engine::new("lmdb", "the end of the process; a power loss may corrupt the file").map(lmdb::open).no_log(),
    Engine::new("redb", "nothing: back to the last durable commit")
        .map(redb::open)
        .no_log()
        .queues(redb::open_queue),
    #[cfg(feature = "sqlite")]
    Engine::new("sqlite", PROCESS).queues(sqlite::open),
    Engine::new("okaywal", POWER).journal(okaywal::open).streams(okaywal::open_stream),
    Engine::new("pwrite", PROCESS).journal(plain::open),
    Engine::new("pwrite-64k", FLUSHED).journal(plain::open_batched).weaker(),
    Engine::new("commitlog", PROCESS).streams(commitlog::open),
    Engine::new("files", PROCESS).buckets(files::open),
    Engine::new("object_store", PROCESS).buckets(object_store::open),
];
