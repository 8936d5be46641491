//! Verbs about single items.

pub(crate) mod decide;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod metrics;
pub(crate) mod put;
pub(crate) mod update;
