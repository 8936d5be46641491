//! One file per engine and what it is measured as: how it is opened, and its calls behind a trait of [`crate::engine`].

pub mod commitlog;
pub mod files;
pub mod fjall;
pub mod lmdb;
pub mod object_store;
pub mod okaywal;
#[cfg(feature = "ours")]
pub mod our_objects;
#[cfg(feature = "ours")]
pub mod our_queue;
#[cfg(feature = "ours")]
pub mod our_stream;
#[cfg(feature = "ours")]
pub mod ours;
pub mod plain;
pub mod redb;
#[cfg(feature = "rocksdb")]
pub mod rocksdb;
#[cfg(feature = "sqlite")]
pub mod sqlite;
