//! `DescribeLimits`.

use crate::kv::Tables;

/// Capacity that an account and a table may have. Nothing here limits anything.
///
/// ```
/// # let store = fourfold::Store::in_memory();
/// assert_eq!(store.tables().describe_limits().table_max_read, 40_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Read capacity units of all tables.
    pub account_max_read: u64,
    /// Write capacity units of all tables.
    pub account_max_write: u64,
    /// Read capacity units of one table.
    pub table_max_read: u64,
    /// Write capacity units of one table.
    pub table_max_write: u64,
}

impl Tables {
    /// The quotas of an account as the service sets them at first.
    pub fn describe_limits(&self) -> Limits {
        Limits {
            account_max_read: 80_000,
            account_max_write: 80_000,
            table_max_read: 40_000,
            table_max_write: 40_000,
        }
    }
}
