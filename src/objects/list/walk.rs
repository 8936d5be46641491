//! A walk over entries of keys that passes whole stretches by.

use crate::error::Result;
use crate::objects::keys;
use crate::objects::list::Fold;
use crate::store::space::Space;
use crate::store::{Range, Snapshot};
use bytes::Bytes;
use std::ops::Bound;

/// Entries that are walked over before a seek passes the rest: about what a seek costs.
const STEPS_BEFORE_SEEK: usize = 8;

/// The walk.
pub(super) struct Walk<'a> {
    snapshot: &'a Snapshot,
    space: &'a Space,
    range: Range,
    end: Bound<Vec<u8>>,
    /// What starts so is passed by.
    passed: Vec<u8>,
    steps: usize,
}

impl<'a> Walk<'a> {
    /// From `start` on, or behind everything that starts with it, over what starts with `all`.
    pub(super) fn new(snapshot: &'a Snapshot, space: &'a Space, start: Vec<u8>, all: Vec<u8>) -> Self {
        let end = keys::successor(all).map_or(Bound::Unbounded, Bound::Excluded);
        let range = snapshot.range_in(space, (Bound::Included(start), end.clone()));
        Self { snapshot, space, range, end, passed: Vec::new(), steps: 0 }
    }

    /// To the next entry that is not passed by.
    pub(super) fn advance(&mut self) -> Result<bool> {
        while self.range.advance()? {
            if self.passed.is_empty() || !self.range.key().starts_with(&self.passed) {
                self.passed.clear();
                return Ok(true);
            }
            self.steps += 1;
            if self.steps > STEPS_BEFORE_SEEK {
                let passed = std::mem::take(&mut self.passed);
                let Some(start) = keys::successor(passed) else { return Ok(false) };
                self.range = self.snapshot.range_in(self.space, (Bound::Included(start), self.end.clone()));
            }
        }
        Ok(false)
    }

    pub(super) fn key(&self) -> &[u8] {
        self.range.key()
    }

    /// The value here, without a copy where that can be.
    pub(super) fn with_value<T>(&self, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        match self.range.value_ref() {
            Some(value) => read(value),
            None => read(&self.range.value()?),
        }
    }

    pub(super) fn value(&self) -> Result<Bytes> {
        self.range.value()
    }

    /// From here on, entries that start so are passed by.
    pub(super) fn pass(&mut self, what: impl FnOnce(&mut Vec<u8>)) {
        self.passed.clear();
        self.steps = 0;
        what(&mut self.passed);
    }

    /// Passes by all that is of the key here: all but the `tail` bytes at the end are the same.
    pub(super) fn pass_key(&mut self, tail: usize) {
        let (passed, key) = (&mut self.passed, self.range.key());
        passed.clear();
        self.steps = 0;
        passed.extend_from_slice(key.get(..key.len().saturating_sub(tail)).unwrap_or_default());
    }
}

/// Where the items greater than `after` begin, behind `head`; `behind` says where a key ends.
pub(super) fn start(
    fold: Fold<'_>,
    after: Option<&str>,
    head: &[u8],
    behind: fn(&str) -> Vec<u8>,
) -> Vec<u8> {
    let escaped = |text: &str| {
        let mut to = head.to_vec();
        keys::escape(text.as_bytes(), &mut to);
        to
    };
    let first = escaped(fold.prefix);
    let Some(after) = after else { return first };
    let start = match fold.common(after) {
        Some(common) => keys::successor(escaped(common)).unwrap_or_else(|| behind(after)),
        None => behind(after),
    };
    start.max(first)
}
