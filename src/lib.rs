//! Four services in one embedded library, over one append-only log: a [queue] with the semantics of Amazon SQS, a
//! sharded [stream] with those of Kinesis, a [table](kv) with those of `DynamoDB`, and versioned [objects] with those of S3.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("data");
//! use fourfold::{Store, kv::{CreateTable, ScalarType, item}, stream::Start};
//!
//! let store = Store::open(&path)?; // or Store::in_memory(): the same type, without files
//!
//! let jobs = store.queues().create("jobs")?;
//! jobs.send("resize image 17")?; // on the device when this returns
//! let job = jobs.receive(1)?.remove(0);
//! jobs.delete_message(job.receipt_handle())?;
//!
//! let clicks = store.streams().create("clicks", Default::default())?;
//! let put = clicks.put("user-7", "/home")?;
//! assert!(clicks.cursor(&put.shard_id, Start::TrimHorizon)?.try_next()?.is_some());
//!
//! let tables = store.tables();
//! tables.create_table(CreateTable::new("users").hash("name", ScalarType::S))?;
//! tables.table("users").put(item! { "name" => "ann", "mails" => 1 })?;
//!
//! let photos = store.buckets().create("photos")?;
//! photos.put("2026/lake.jpg", vec![0xff; 100_000])?;
//! # Ok(()) }
//! ```
//!
//! A [transaction] changes items, messages, records and objects in one commit, or not at all: a consumer that acknowledges a
//! message and writes what came of it does its work exactly once.
//!
//! Below them lies a store of ordered byte strings that can be used by itself: an atomic batch of changes is one frame of
//! a log; a log segment folds into a sorted run, runs fold into bigger runs.
//!
//! ```
//! # fn main() -> fourfold::Result<()> {
//! let store = fourfold::Store::in_memory();
//! let (users, mails) = (store.keyspace("users")?, store.keyspace("mails")?);
//!
//! let mut batch = store.batch(); // all of it or nothing, across keyspaces
//! batch.put(&users, "ann", "1 new mail")?;
//! batch.put(&mails, "ann/0001", "hello")?;
//! store.write(batch)?;
//!
//! let before = store.snapshot(); // the present, however it changes
//! mails.delete("ann/0001")?;
//! assert_eq!(before.prefix(&mails, "ann/").count(), 1);
//! assert_eq!(mails.prefix("ann/").count(), 0);
//! # Ok(()) }
//! ```
//!
//! # What is promised
//!
//! | a write with … | returns when its batch is | and a crash loses at worst |
//! | --- | --- | --- |
//! | [`Synced`](Durability::Synced), the default on disk | on the device | nothing |
//! | [`Written`](Durability::Written) | with the operating system | on power loss: the newest batches, up to the last sync |
//! | [`Buffered`](Durability::Buffered) | visible; written within a bound of time and bytes | also on a killed process: the newest batches |
//!
//! Never a batch in the middle, never half a batch. What was durable and is damaged is [`Error::Corrupt`], with file,
//! offset, what was expected and what was found; nothing is changed then, and [`repair`] is a call of its own. A full
//! disk fails the write that needs space ([`Error::StorageFull`]) and changes nothing. Any other failed write or sync
//! ends writing ([`Error::Poisoned`]): reads go on, and opening the store anew finds out what the disk holds. Nothing
//! is retried.
//!
//! # Where to look
//!
//! - [`queue`], [`stream`], [`kv`], [`objects`]: the four services. Each module begins with what holds, what is the
//!   service's, and what is not there.
//! - [`transaction`]: all four in one commit.
//! - [`Store`] opens, commits, copies and checks; [`Builder`] has the settings, [`Keyspace`] reads, [`Batch`]
//!   changes, [`Range`] walks from both ends, [`Snapshot`] stands still.
//! - [`Durability`] and [`Position`]: how safe a write is, and where in the order of all writes it stands.
//! - [`Error`], [`Corruption`]: what can go wrong, each with what to do. [`RecoveryReport`], [`RepairReport`],
//!   [`Stats`]: what happened, and what there is.
//! - [`faults`]: what tests want the services to do to their users.
//! - [`clock`]: the only source of time, replaceable; [`limits`]: every bound.
//! - `sim` (with the feature of that name): a simulated disk that enumerates what a power cut could leave, to
//!   crash-test code that is built on a store. `examples/crash.rs` is such a test.
//!
//! # Features
//!
//! - `tracing`: a span for each operation, with its service, name, resource and error, at level debug.
//! - `metrics`: `fourfold_calls_total`, `fourfold_errors_total` (by code) and `fourfold_call_seconds` of each operation, by
//!   the facade of that name.
//! - `sim`: the simulated disk. Off by default: it is a tool for tests.
//! - `object_store`: `ObjectStore` of the crate of that name for a bucket, so that what is written for that trait runs on
//!   a store. Off by default: it brings that crate with it.
//!
//! # Limits
//!
//! - Keys up to [16 KiB](limits::KEY_LEN_MAX). A batch fits into one log segment (64 MiB by default, at most 1 GiB);
//!   a value over [`Builder::blob_threshold`] counts with a few bytes there, but fits into a blob segment, which is
//!   as large.
//! - One process opens a store at a time; within it any number of threads.
//! - 64-bit Unix. A file system whose `fsync` does what it says.
//! - No compression, no encryption.
//!
//! # Not there yet
//!
//! The interface may still change; the bytes on disk will stay readable.

// In the order in which they are best read.
mod error;
#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
mod position;

pub mod clock;
mod random;
mod sync;

mod storage;

mod codec;
mod log;

mod blob;
mod tree;

mod store;

mod call;
pub mod faults;

pub mod kv;
pub mod queue;
pub mod stream;

#[cfg(any(test, feature = "bare-log"))]
#[doc(hidden)]
pub mod bare;
pub mod objects;

mod inventory;
mod targets;

pub mod transaction;

#[cfg(any(test, feature = "sim"))]
pub mod sim;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use error::{Corruption, Error, Fault, Result};
pub use inventory::Inventory;
pub use log::Durability;
pub use position::Position;
pub use store::{
    Batch, Builder, Commit, Cut, Exported, Keyspace, Range, RecoveryReport, RepairReport, Snapshot, Stats,
    Store, repair,
};
