//! A walk over a table or an index in either direction, with what a delayed index seems to hold.

use crate::kv::error::Result;
use crate::kv::keys::place;
use crate::kv::search::bounds::Bounds;
use crate::kv::state::Index;
use crate::store::space::Space;
use crate::store::{Range, Snapshot, Store};
use bytes::Bytes;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A walk as of one moment.
pub(crate) struct Walk {
    range: Range,
    is_forward: bool,
    /// What is seen in place of what is there.
    stale: BTreeMap<Vec<u8>, Option<Bytes>>,
    /// An entry that was read and comes behind a stale one.
    ahead: Option<(Bytes, Bytes)>,
}

impl Walk {
    pub(crate) fn new(
        store: &Store,
        snapshot: &Snapshot,
        space: &Space,
        index: Option<&Index>,
        bounds: &Bounds,
        is_forward: bool,
    ) -> Self {
        let stale = match index.filter(|index| !index.layout.is_local) {
            Some(index) => index.stale.before(&bounds.lower, bounds.upper.as_deref(), store.now()),
            None => BTreeMap::new(),
        };
        Self { range: snapshot.range_in::<&[u8]>(space, bounds.range()), is_forward, stale, ahead: None }
    }

    /// A walk over a table that sees `own` in place of what is there.
    pub(crate) fn over(
        snapshot: &Snapshot,
        space: &Space,
        bounds: &Bounds,
        is_forward: bool,
        own: BTreeMap<Vec<u8>, Option<Bytes>>,
    ) -> Self {
        let range = snapshot.range_in::<&[u8]>(space, bounds.range());
        Self { range, is_forward, stale: own, ahead: None }
    }

    /// The next entry: its value, and its key if that was read with it.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Bytes)>> {
        if self.stale.is_empty() && self.ahead.is_none() {
            return self.next_plain();
        }
        loop {
            if self.ahead.is_none() {
                self.ahead = self.step()?;
            }
            let stale = if self.is_forward { self.stale.first_entry() } else { self.stale.last_entry() };
            let Some(stale) = stale else {
                return Ok(self.ahead.take().map(|(key, value)| (place(&key), value)));
            };
            if let Some((key, _)) = &self.ahead {
                match key[..].cmp(&stale.key()[..]) {
                    Ordering::Equal => self.ahead = None,
                    order if self.is_forward == order.is_lt() => {
                        return Ok(self.ahead.take().map(|(key, value)| (place(&key), value)));
                    }
                    _ => {}
                }
            }
            if let (key, Some(value)) = stale.remove_entry() {
                return Ok(Some((place(&key), value)));
            }
        }
    }

    fn next_plain(&mut self) -> Result<Option<(u32, Bytes)>> {
        if self.is_forward {
            if !self.range.advance()? {
                return Ok(None);
            }
            return Ok(Some((place(self.range.key()), self.range.value()?)));
        }
        Ok(self.step()?.map(|(key, value)| (place(&key), value)))
    }

    fn step(&mut self) -> Result<Option<(Bytes, Bytes)>> {
        let step = if self.is_forward { self.range.next() } else { self.range.next_back() };
        Ok(step.transpose()?)
    }
}
