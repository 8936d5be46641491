//! Where a page begins: the last key of the page before.
//!
//! A starting key has the key of its item, and for an index those of the index too, and nothing else. The service looks
//! at it in steps, between which it looks at the conditions of a query, and words each in its own way.

use crate::kv::error::{Error, Result};
use crate::kv::expr::KeyRange;
use crate::kv::keys::Scalar;
use crate::kv::layout::{KEY_MISMATCH, KeyAttribute};
use crate::kv::search::bounds::Bounds;
use crate::kv::search::target::Target;
use crate::kv::value::Item;
use std::collections::BTreeSet;

const INVALID: &str = "The provided starting key is invalid";
const OUTSIDE: &str = "The provided starting key is outside query boundaries based on provided conditions";
const NO_MATCH: &str = "The provided starting key does not match the range key predicate";
const ONE_ROW: &str = "The query can return at most one row and cannot be restarted";

/// A starting key, and what is searched.
#[derive(Clone, Copy)]
pub(crate) struct Start<'a> {
    target: Target<'a>,
    key: &'a Item,
}

#[cold]
fn mismatch() -> Error {
    Error::validation(format!("{INVALID}: {KEY_MISMATCH}"))
}

impl<'a> Start<'a> {
    pub(crate) const fn new(target: Target<'a>, key: &'a Item) -> Self {
        Self { target, key }
    }

    /// Refuses a key with other than so many attributes, or without a hash attribute.
    pub(crate) fn check_hash(&self) -> Result<()> {
        let names: BTreeSet<&str> = self.target.place_attributes().map(|key| &*key.name).collect();
        if self.key.len() != names.len() {
            return Err(Error::validation(INVALID));
        }
        self.check_attributes(self.target.hash())
    }

    /// Refuses a key that lacks anything else.
    pub(crate) fn check_rest(&self) -> Result<()> {
        self.check_attributes(self.target.range())?;
        let fits = |attribute: &KeyAttribute| {
            let value = self.key.get(&attribute.name);
            value.is_some_and(|value| Scalar::of(value, attribute.scalar_type).is_some())
        };
        if self.target.shape.layout.attributes().all(fits) { Ok(()) } else { Err(mismatch()) }
    }

    fn check_attributes(&self, attributes: &[KeyAttribute]) -> Result<()> {
        for attribute in attributes {
            let value = self.key.get(&attribute.name).ok_or(Error::validation(INVALID))?;
            if Scalar::of(value, attribute.scalar_type).is_none() {
                return Err(Error::validation(KEY_MISMATCH));
            }
        }
        Ok(())
    }

    /// The key to begin a query behind, within its conditions. `partition`: all that its hash attributes select.
    pub(crate) fn of_query(&self, found: &KeyRange<'_>, partition: &Bounds) -> Result<Vec<u8>> {
        let key = self.bytes()?;
        let is_within = partition.holds(&key);
        if found.range.is_empty() && found.last.is_none() {
            if self.target.index.is_none() && self.target.range().is_empty() {
                // Where a partition is one item, nothing lies behind it.
                return Err(Error::validation(ONE_ROW));
            }
            return if is_within { Ok(key) } else { Err(Error::validation(OUTSIDE)) };
        }
        let of_start = |attribute: &KeyAttribute| self.key.get(&attribute.name);
        let range = self.target.range();
        let is_equal =
            found.range.iter().zip(range).all(|(value, attribute)| of_start(attribute) == Some(*value));
        let last = found.last.zip(range.get(found.range.len()));
        let is_tested =
            last.is_none_or(|(test, attribute)| of_start(attribute).is_some_and(|value| test.holds(value)));
        if !(is_equal && is_tested) {
            return Err(Error::validation(NO_MATCH));
        }
        let is_one_item = self.target.index.is_none() && found.last.is_none();
        if is_one_item || !is_within { Err(Error::validation(ONE_ROW)) } else { Ok(key) }
    }

    /// The key to begin a scan behind, if it is within `bounds`.
    pub(crate) fn of_scan(&self, bounds: &Bounds, outside: &str) -> Result<Vec<u8>> {
        let checked = self.check_hash().and_then(|()| self.check_rest());
        // All keys of the index come before those of the table.
        if self.target.index.is_some() { checked } else { checked.map_err(|_| mismatch()) }?;
        let key = self.bytes()?;
        if bounds.holds(&key) { Ok(key) } else { Err(Error::validation(outside.to_owned())) }
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        let layout = &self.target.shape.layout;
        let base = layout.key(&layout.key_item(self.key))?;
        match self.target.index {
            None => Ok(base.bytes),
            Some(index) => index.layout.entry(self.key, &base)?.ok_or_else(mismatch),
        }
    }
}
