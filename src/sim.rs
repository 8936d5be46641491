//! A simulated disk, for crash tests of the store and of what is built on it.
//!
//! Start at [`SimDisk`].

pub use crate::storage::sim::{CrashLimits, CrashStates, Fault, Faults, SimDisk, Survival};
