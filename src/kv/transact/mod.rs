//! Several items at once, all or none.

pub(crate) mod running;
pub(crate) mod tokens;
