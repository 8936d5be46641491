//! Change streams: what happened to the items of a table, in order, for 24 hours.

pub(crate) mod describe;
pub(crate) mod feed;
pub(crate) mod iterator;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod subscribe;
