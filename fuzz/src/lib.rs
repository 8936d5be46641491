//! What the targets share: a memory limit for decoders, and the small world of the store targets.

pub mod limit;
pub mod model;
