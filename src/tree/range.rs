//! An ordered walk over part of one keyspace, from both ends.

use crate::error::Result;
use crate::position::Position;
use crate::storage::Storage;
use crate::tree::batch::{KEYSPACE_ID_LEN, full_key};
use crate::tree::entry::Entry;
use crate::tree::keyspaces::{Fence, KeyspaceState, end_of};
use crate::tree::merge::Merge;
use crate::tree::run::shared_prefix;
use crate::tree::view::{View, ViewSource};
use bytes::Bytes;
use std::ops::Bound;
use std::sync::Arc;

/// Full keys from `lower` on and before `upper`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) lower: Vec<u8>,
    pub(crate) upper: Vec<u8>,
}

impl Span {
    /// The keys of keyspace `id` within `bounds`.
    pub(crate) fn new(id: u32, bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> Self {
        let behind = |key: &[u8]| {
            let mut full = full_key(id, key);
            full.push(0);
            full
        };
        let lower = match bounds.0 {
            Bound::Included(key) => full_key(id, key),
            Bound::Excluded(key) => behind(key),
            Bound::Unbounded => full_key(id, &[]),
        };
        let upper = match bounds.1 {
            Bound::Included(key) => behind(key),
            Bound::Excluded(key) => full_key(id, key),
            Bound::Unbounded => end_of(id),
        };
        Self { lower, upper }
    }

    /// The keys of keyspace `id` that start with `prefix`.
    pub(crate) fn prefix(id: u32, prefix: &[u8]) -> Self {
        let lower = full_key(id, prefix);
        let mut upper = lower.clone();
        // The next string that does not start so: the last byte that can grow grows, what follows it goes. The
        // keyspace id in front can always grow.
        while let Some(last) = upper.pop() {
            if last < u8::MAX {
                upper.push(last + 1);
                break;
            }
        }
        Self { lower, upper }
    }

    fn is_empty(&self) -> bool {
        self.lower >= self.upper
    }
}

/// The walk. Each end is opened by its first use; the two stop where they meet.
#[derive(Debug)]
pub(crate) struct TreeRange<S: Storage> {
    view: Arc<View<S>>,
    at: Position,
    span: Span,
    /// The ends have met.
    done: bool,
    front: Option<Merge<ViewSource<S>>>,
    back: Option<Merge<ViewSource<S>>>,
    /// Where the bounds are in the order of the merges.
    lower: u128,
    upper: u128,
}

impl<S: Storage> TreeRange<S> {
    /// A walk over `span`, which lies in `keyspace`, as of `at`.
    pub(crate) fn new(view: Arc<View<S>>, keyspace: &KeyspaceState, mut span: Span, at: Position) -> Self {
        match keyspace.fence(at) {
            Fence::Floor(floor) if span.lower[..] < floor[..] => span.lower = floor.to_vec(),
            Fence::None | Fence::Floor(_) => {}
            Fence::Dropped => span.upper.clone_from(&span.lower),
        }
        let done = span.is_empty();
        Self { view, at, span, done, front: None, back: None, lower: 0, upper: 0 }
    }

    /// Opens an end: keys in the span start with what its bounds share.
    fn open(&mut self) -> Merge<ViewSource<S>> {
        let Span { lower, upper } = &self.span;
        let merge = self.view.merge(self.at, &lower[..shared_prefix(lower, upper)]);
        (self.lower, self.upper) = (merge.order_of(lower), merge.order_of(upper));
        merge
    }

    /// Steps the front end on. `None`: the ends have met.
    pub(crate) fn next(&mut self) -> Result<Option<Entry<'_>>> {
        Ok(if self.advance()? { self.front_entry() } else { None })
    }

    /// [`next`](Self::next) for those who look at [`front_entry`](Self::front_entry) themselves.
    pub(crate) fn advance(&mut self) -> Result<bool> {
        if self.done {
            return Ok(false);
        }
        if let Some(front) = &mut self.front {
            front.advance()?;
        } else {
            let opened = self.open();
            self.front.insert(opened).seek_ge(&self.span.lower)?;
        }
        let goes_on = match (&self.front, &self.back) {
            (Some(front), None) => front.is_before(&self.span.upper, self.upper),
            (Some(front), Some(back)) => {
                back.current().is_some_and(|last| front.current().is_some_and(|first| first.key < last.key))
            }
            (None, _) => false,
        };
        if !goes_on {
            self.finish();
        }
        Ok(goes_on)
    }

    /// Steps the back end. `None`: the ends have met.
    pub(crate) fn next_back(&mut self) -> Result<Option<Entry<'_>>> {
        if self.done {
            return Ok(None);
        }
        if let Some(back) = &mut self.back {
            back.advance()?;
        } else {
            let opened = self.open();
            self.back.insert(opened).seek_lt(&self.span.upper)?;
        }
        let goes_on = match (&self.back, &self.front) {
            (Some(back), None) => back.current().is_some() && !back.is_before(&self.span.lower, self.lower),
            (Some(back), Some(front)) => {
                front.current().is_some_and(|first| back.current().is_some_and(|last| first.key < last.key))
            }
            (None, _) => false,
        };
        if !goes_on {
            self.finish();
        }
        Ok(self.back_entry())
    }

    /// What the last [`next`](Self::next) returned.
    pub(crate) fn front_entry(&self) -> Option<Entry<'_>> {
        self.front.as_ref().and_then(Merge::current)
    }

    /// What the last [`next_back`](Self::next_back) returned.
    pub(crate) fn back_entry(&self) -> Option<Entry<'_>> {
        self.back.as_ref().and_then(Merge::current)
    }

    /// The front entry's value as a slice that owns what it points into.
    pub(crate) fn front_value(&self) -> Bytes {
        self.front.as_ref().map_or_else(Bytes::new, Merge::value_bytes)
    }

    /// The back entry's value, likewise.
    pub(crate) fn back_value(&self) -> Bytes {
        self.back.as_ref().map_or_else(Bytes::new, Merge::value_bytes)
    }

    fn finish(&mut self) {
        self.done = true;
        self.front = None;
        self.back = None;
    }
}

/// The key within its keyspace of a full key.
pub(crate) fn user_key(full: &[u8]) -> &[u8] {
    full.get(KEYSPACE_ID_LEN..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_string_that_does_not_start_so() {
        let span = |prefix: &[u8]| Span::prefix(7, prefix).upper;
        assert_eq!(span(b"ab"), full_key(7, b"ac"));
        assert_eq!(span(&[b'a', 0xff, 0xff]), full_key(7, b"b"));
        assert_eq!(span(&[0xff]), full_key(8, b""));
        assert_eq!(span(b""), full_key(8, b""));
    }

    #[test]
    fn bounds_become_half_open() {
        let span = Span::new(7, (Bound::Excluded(b"a"), Bound::Included(b"b")));
        assert_eq!(span, Span { lower: full_key(7, b"a\0"), upper: full_key(7, b"b\0") });
        let all = Span::new(7, (Bound::Unbounded, Bound::Unbounded));
        assert_eq!(all, Span { lower: full_key(7, b""), upper: full_key(8, b"") });
    }
}
