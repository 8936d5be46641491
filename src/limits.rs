//! Every bound of the storage layer in one place. Service limits live with their engines.

/// Longest key within a keyspace, in bytes.
pub const KEY_LEN_MAX: usize = 16 * 1024;
/// Longest name of a keyspace, in bytes.
pub const KEYSPACE_NAME_LEN_MAX: usize = 1024;
/// Smallest log segment, as a power of two: 16 KiB.
pub const SEGMENT_SHIFT_MIN: u32 = 14;
/// Largest log segment, as a power of two: 1 GiB.
pub const SEGMENT_SHIFT_MAX: u32 = 30;
