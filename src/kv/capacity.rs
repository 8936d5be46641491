//! Capacity that requests consume, in the arithmetic of the service.
//!
//! A read unit is 4 KB, a write unit 1 KB, each item rounded up; eventually consistent reads cost half, transactions twice
//! as much. A query or scan adds up what it read before it rounds.

use crate::kv::names::named;
use crate::kv::write::{Effect, EntryEffect};
use std::collections::BTreeMap;

/// Bytes that one read unit pays for.
pub const READ_UNIT_BYTES: usize = 4096;
/// Bytes that one write unit pays for.
pub const WRITE_UNIT_BYTES: usize = 1024;

named! {
    /// What an answer says of consumed capacity.
    ///
    /// ```
    /// # use fourfold::kv::ReturnConsumedCapacity;
    /// assert_eq!(ReturnConsumedCapacity::from_name("TOTAL"), Some(ReturnConsumedCapacity::Total));
    /// ```
    pub enum ReturnConsumedCapacity {
        /// All of it, and apart for table and indexes.
        Indexes = "INDEXES",
        /// All of it.
        Total = "TOTAL",
        /// Nothing.
        None = "NONE",
    }
}

/// Units that a table, or an index, was charged.
///
/// ```
/// let capacity = fourfold::kv::Capacity::default();
/// assert_eq!(capacity.units, 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Capacity {
    /// All units.
    pub units: f64,
    /// The read units among them, where the service says so: in transactions.
    pub read: Option<f64>,
    /// The write units among them, where the service says so.
    pub write: Option<f64>,
}

/// What a request consumed of one table.
///
/// ```
/// use fourfold::kv::{CreateTable, GetItem, ReturnConsumedCapacity, ScalarType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let tables = store.tables();
/// # tables.create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// let mut get = GetItem::new("users", item! { "id" => "ann" });
/// get.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
/// let consumed = tables.get_item(&get)?.consumed_capacity.expect("it was asked for");
/// assert_eq!(consumed.total.units, 0.5);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ConsumedCapacity {
    /// The table.
    pub table_name: String,
    /// Of table and indexes together.
    pub total: Capacity,
    /// Of the table alone, if indexes were asked for.
    pub table: Option<Capacity>,
    /// Of local indexes.
    pub local_indexes: BTreeMap<String, Capacity>,
    /// Of global indexes.
    pub global_indexes: BTreeMap<String, Capacity>,
}

fn units(bytes: usize, unit: usize) -> f64 {
    // Items are smaller than 2^32 bytes, and so is what a page reads.
    f64::from(u32::try_from(bytes.div_ceil(unit).max(1)).unwrap_or(u32::MAX))
}

/// Reading so many bytes in one go.
pub(crate) fn read_units(bytes: usize, is_consistent: bool) -> f64 {
    let whole = units(bytes, READ_UNIT_BYTES);
    if is_consistent { whole } else { whole / 2.0 }
}

/// Writing an item of this size.
pub(crate) fn write_units(bytes: usize) -> f64 {
    units(bytes, WRITE_UNIT_BYTES)
}

/// What a request consumes of one table while it is at work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bill {
    pub(crate) table: f64,
    pub(crate) local: BTreeMap<String, f64>,
    pub(crate) global: BTreeMap<String, f64>,
}

impl Bill {
    pub(crate) fn of_table(units: f64) -> Self {
        Self { table: units, ..Self::default() }
    }

    /// What a write costs: the larger of the item before and after, and each entry that changed.
    pub(crate) fn of_write(effect: &Effect<'_>) -> Self {
        let size = effect.sizes.0.unwrap_or(0).max(effect.sizes.1.unwrap_or(0));
        let mut bill = Self::of_table(write_units(size));
        for entry in &effect.entries {
            let layout = &effect.shape.indexes[entry.index].layout;
            bill.add_index(layout.is_local, &layout.name, entry_units(entry));
        }
        bill
    }

    pub(crate) fn add_index(&mut self, is_local: bool, name: &str, units: f64) {
        let indexes = if is_local { &mut self.local } else { &mut self.global };
        *indexes.entry(name.to_owned()).or_default() += units;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.table += other.table;
        for (from, to) in [(&other.local, &mut self.local), (&other.global, &mut self.global)] {
            for (name, units) in from {
                *to.entry(name.clone()).or_default() += units;
            }
        }
    }

    pub(crate) fn total(&self) -> f64 {
        self.table + self.local.values().sum::<f64>() + self.global.values().sum::<f64>()
    }

    /// What the answer says.
    pub(crate) fn report(
        &self,
        table: &str,
        asked: Option<ReturnConsumedCapacity>,
        in_transaction: Option<Kind>,
    ) -> Option<ConsumedCapacity> {
        let with_indexes = match asked {
            None | Some(ReturnConsumedCapacity::None) => return None,
            Some(ReturnConsumedCapacity::Total) => false,
            Some(ReturnConsumedCapacity::Indexes) => true,
        };
        let capacity = |units: f64| Capacity {
            units,
            read: (in_transaction == Some(Kind::Read)).then_some(units),
            write: (in_transaction == Some(Kind::Write)).then_some(units),
        };
        let indexes = |of: &BTreeMap<String, f64>| {
            of.iter().filter(|_| with_indexes).map(|(name, units)| (name.clone(), capacity(*units))).collect()
        };
        Some(ConsumedCapacity {
            table_name: table.to_owned(),
            total: capacity(self.total()),
            table: with_indexes.then(|| capacity(self.table)),
            local_indexes: indexes(&self.local),
            global_indexes: indexes(&self.global),
        })
    }
}

/// Reading or writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
}

fn entry_units(entry: &EntryEffect) -> f64 {
    match (&entry.old, &entry.new) {
        (Some((old, old_size)), Some((new, new_size))) if old == new => write_units(*old_size.max(new_size)),
        (old, new) => old.iter().chain(new).map(|(_, size)| write_units(*size)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_documentation() {
        for (bytes, consistent, expected) in [
            (0, true, 1.0),
            (0, false, 0.5),
            (1, true, 1.0),
            (4096, true, 1.0),
            (4097, true, 2.0),
            (3 << 10, true, 1.0),
            (8 << 10, true, 2.0),
            (8 << 10, false, 1.0),
            (9 << 10, true, 3.0),
            (9 << 10, false, 1.5),
        ] {
            let found = read_units(bytes, consistent);
            assert!((found - expected).abs() < f64::EPSILON, "{bytes} bytes: {found}");
        }
        for (bytes, expected) in
            [(0, 1.0), (512, 1.0), (1024, 1.0), (1025, 2.0), (1536, 2.0), (400 << 10, 400.0)]
        {
            let found = write_units(bytes);
            assert!((found - expected).abs() < f64::EPSILON, "{bytes} bytes: {found}");
        }
    }
}
