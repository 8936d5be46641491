//! What an engine that keeps large things does for one whose things are small: it adds their coming and going to a batch of
//! theirs, so that the small and the large are there together or not at all.
//!
//! P1. Engines do not name each other. Who keeps things is [found](crate::targets::keeper).
//! P2. The keeper locks what it changes, adds its part to a new batch, and calls back with both; who called adds its own
//!     part and appends the batch before it returns, or drops it. So the keeper's locks come before those of the caller.

use crate::error::Result;
use crate::store::{Batch, Store};
use bytes::Bytes;

/// An engine that keeps large things.
pub(crate) trait Keep: Sync {
    /// Why nothing can be kept in this place, for the person who names it; none if it can.
    fn refusal(&self, store: &Store, place: &str) -> Result<Option<String>>;

    /// Adds the coming of some things and the going of others to a batch, and hands it on, with where the things that come
    /// are. What is gone already is passed over. The inner error says why nothing can come there; then nobody was called.
    fn within(
        &self,
        store: &Store,
        coming: &[Coming],
        going: &[Kept],
        append: &mut dyn FnMut(Batch, &[Kept]) -> Result<()>,
    ) -> Result<Result<(), String>>;

    /// A thing that is kept; none if somebody has taken it away.
    fn read(&self, store: &Store, kept: &Kept) -> Result<Option<Bytes>>;
}

/// A thing that is to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Coming {
    pub(crate) place: String,
    pub(crate) key: String,
    pub(crate) body: Bytes,
}

/// Where a thing is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) place: String,
    pub(crate) key: String,
    pub(crate) version: String,
}
