//! One file per engine: how it is opened, and its calls behind [`crate::engine::Kv`] or [`crate::engine::Log`].

pub mod fjall;
pub mod lmdb;
pub mod okaywal;
#[cfg(feature = "ours")]
pub mod ours;
pub mod plain;
pub mod redb;
#[cfg(feature = "rocksdb")]
pub mod rocksdb;
