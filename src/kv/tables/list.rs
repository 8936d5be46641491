//! `ListTables`.

use crate::kv::Tables;
use crate::kv::error::Result;
use crate::kv::tables::validate::{check_name, constraint};

/// Names in a page of [`Tables::list_tables`], at most, and by default.
pub const LIST_TABLES_MAX: usize = 100;

/// A page of table names.
///
/// ```
/// # let store = fourfold::Store::in_memory();
/// let page = store.tables().list_tables(None, None)?;
/// assert!(page.names.is_empty() && page.last_evaluated.is_none());
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableNames {
    /// In order.
    pub names: Vec<String>,
    /// Where the next page begins, if there is one.
    pub last_evaluated: Option<String>,
}

impl Tables {
    /// The names of tables in order, after `start`, at most `limit` (1 to 100, by default 100).
    ///
    /// # Errors
    /// `ValidationException` for a limit out of range.
    pub fn list_tables(&self, start: Option<&str>, limit: Option<usize>) -> Result<TableNames> {
        self.store.call("ListTables", "", || self.do_list_tables(start, limit))
    }

    fn do_list_tables(&self, start: Option<&str>, limit: Option<usize>) -> Result<TableNames> {
        let limit = limit.unwrap_or(LIST_TABLES_MAX);
        if limit < 1 {
            return constraint("0", "limit", "Member must have value greater than or equal to 1");
        }
        if limit > LIST_TABLES_MAX {
            let limit = limit.to_string();
            return constraint(&limit, "limit", "Member must have value less than or equal to 100");
        }
        if let Some(start) = start {
            check_name(start, "exclusiveStartTableName")?;
        }
        self.state.load(&self.store)?;
        let mut names = self.state.names();
        names.retain(|name| start.is_none_or(|start| &**name > start));
        names.sort_unstable();
        let last_evaluated = (names.len() > limit).then(|| names[limit - 1].clone());
        names.truncate(limit);
        Ok(TableNames { names, last_evaluated })
    }
}
