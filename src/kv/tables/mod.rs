//! Verbs about tables themselves: create, describe, update, delete, list, tag.

pub(crate) mod capacity;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod tags;
pub(crate) mod together;
pub(crate) mod update;
pub(crate) mod validate;
