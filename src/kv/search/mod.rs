//! Reading many items: `Query` and `Scan`.

pub(crate) mod bounds;
pub(crate) mod page;
pub(crate) mod query;
pub(crate) mod scan;
pub(crate) mod start;
pub(crate) mod target;
pub(crate) mod walk;
