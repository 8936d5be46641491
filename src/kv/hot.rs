//! Which partitions of a table are used most.
//!
//! A bounded number of partitions is counted; a new one takes the place of the least used and its count, so what is
//! reported is never too little, and a partition with a large share is never missed (Metwally, Agrawal, El Abbadi 2005,
//! "Efficient computation of frequent and top-k elements in data streams").

use crate::kv::Tables;
use crate::kv::capacity::Kind;
use crate::kv::error::{Error, Result};
use crate::kv::keys::{Key, PLACE_LEN};
use crate::kv::layout::KeyAttribute;
use crate::kv::number::Number;
use crate::kv::schema::ScalarType;
use crate::kv::state::plain_name;
use crate::kv::tables::validate::check_name;
use crate::kv::value::{AttributeValue, Item};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;

/// Partitions of a table that are counted.
const COUNTED_MAX: usize = 256;
/// Bytes of the length of a part.
const LEN_LEN: usize = 2;

/// How much a partition of a table was used since the dial was turned on.
///
/// ```
/// use fourfold::kv::{CreateTable, ScalarType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// let tables = store.tables();
/// # tables.create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// let mut dials = tables.dials();
/// dials.count_partitions = true;
/// tables.set_dials(dials);
/// for _ in 0..10 {
///     tables.table("users").get(item! { "id" => "ann" })?;
/// }
/// tables.table("users").get(item! { "id" => "bob" })?;
/// let hot = tables.hot_partitions("users")?;
/// assert_eq!((&hot[0].key, hot[0].read_units), (&item! { "id" => "ann" }, 5.0));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HotPartition {
    /// The partition key.
    pub key: Item,
    /// Read units, at most.
    pub read_units: f64,
    /// Write units, at most.
    pub write_units: f64,
}

/// Counts of the partitions of one table.
#[derive(Debug, Default)]
pub(crate) struct Hot(Mutex<HashMap<Vec<u8>, [f64; 2]>>);

impl Hot {
    /// The partition of this key was used.
    pub(crate) fn add(&self, key: &Key, kind: Kind, units: f64) {
        let part = part(&key.bytes);
        let mut counts = self.0.lock();
        let mut start = [0.0; 2];
        if counts.len() >= COUNTED_MAX && !counts.contains_key(part) {
            let least = counts.iter().min_by(|(_, a), (_, b)| sum(a).total_cmp(&sum(b)));
            if let Some(least) = least.map(|(part, _)| part.clone()) {
                start = counts.remove(&least).unwrap_or(start);
            }
        }
        let count = counts.entry(part.to_vec()).or_insert(start);
        count[usize::from(kind == Kind::Write)] += units;
    }

    /// Read and write units of all partitions, if anything was counted. The sum is exact: a count that gives way is taken
    /// over.
    pub(crate) fn used(&self) -> Option<[f64; 2]> {
        let counts = self.0.lock();
        let add = |sum: [f64; 2], units: &[f64; 2]| [sum[0] + units[0], sum[1] + units[1]];
        (!counts.is_empty()).then(|| counts.values().fold([0.0; 2], add))
    }
}

fn sum(units: &[f64; 2]) -> f64 {
    units[0] + units[1]
}

/// The value of the partition key within a key.
fn part(key: &[u8]) -> &[u8] {
    let rest = key.get(PLACE_LEN..).unwrap_or_default();
    let len = rest.first_chunk().map_or(0, |len| usize::from(u16::from_be_bytes(*len)));
    rest.get(LEN_LEN..LEN_LEN + len).unwrap_or_default()
}

/// The value that these bytes of a key are.
fn value(part: &[u8], attribute: &KeyAttribute) -> Option<AttributeValue> {
    Some(match attribute.scalar_type {
        ScalarType::S => AttributeValue::S(str::from_utf8(part).ok()?.to_owned()),
        ScalarType::B => AttributeValue::B(Bytes::copy_from_slice(part)),
        ScalarType::N => AttributeValue::N(Number::read_key(part)?.0),
    })
}

impl Tables {
    /// The partitions of a table that were used most, the hottest first: those that gets, writes and queries of the table
    /// named while [`Dials::count_partitions`](crate::kv::Dials::count_partitions) was on.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such table.
    pub fn hot_partitions(&self, table: &str) -> Result<Vec<HotPartition>> {
        let table = plain_name(table);
        check_name(table, "tableName")?;
        let found = self.state.find(&self.store, table)?.ok_or_else(|| Error::no_table(table))?;
        let attribute = found.shape.read().layout.partition.clone();
        let counts = found.hot.0.lock();
        let mut hot: Vec<HotPartition> = counts
            .iter()
            .filter_map(|(part, units)| {
                let key = [(attribute.name.clone(), value(part, &attribute)?)].into();
                Some(HotPartition { key, read_units: units[0], write_units: units[1] })
            })
            .collect();
        drop(counts);
        let total = |of: &HotPartition| of.read_units + of.write_units;
        hot.sort_by(|a, b| total(b).total_cmp(&total(a)));
        Ok(hot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::keys::Scalar;

    #[test]
    fn a_large_share_is_never_missed() {
        let hot = Hot::default();
        for number in 0..10_000_u64 {
            let cold = Number::from(number);
            hot.add(&Key::of(Scalar::Number(cold), None), Kind::Read, 1.0);
            if number % 10 == 0 {
                hot.add(&Key::of(Scalar::Number(Number::ZERO), None), Kind::Write, 5.0);
            }
        }
        let counts = hot.0.lock();
        assert!(counts.len() <= COUNTED_MAX);
        let zero = Key::of(Scalar::Number(Number::ZERO), None);
        assert!(counts[part(&zero.bytes)][1] >= 5000.0);
    }
}
