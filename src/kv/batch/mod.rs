//! Many items in one request, each for itself.

pub(crate) mod get;
pub(crate) mod write;
