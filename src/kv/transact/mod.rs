//! Several items at once, all or none: `TransactWriteItems`, `TransactGetItems`.
//!
//! A transaction is one batch: all of it is in one frame of the log, so that readers and recovery see it whole. It decides
//! with all its items locked, in the one order of locks (K2), so transactions and single writes are serializable; reads of
//! a transaction are of one snapshot.

pub(crate) mod get;
pub(crate) mod prepare;
pub(crate) mod running;
pub(crate) mod tokens;
pub(crate) mod write;
