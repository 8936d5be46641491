//! `BatchGetItem`.

use crate::kv::Tables;
use crate::kv::capacity::{Bill, ConsumedCapacity, ReturnConsumedCapacity, read_units};
use crate::kv::error::{Error, Result};
use crate::kv::expr::legacy::refuse_mixture;
use crate::kv::expr::{Names, Projection};
use crate::kv::item;
use crate::kv::request::{Expr, prepare_projection};
use crate::kv::tables::validate::constraint;
use crate::kv::throttle;
use crate::kv::value::Item;
use crate::kv::verbs::get::project;
use crate::kv::write::shape_of;
use std::collections::{BTreeMap, BTreeSet, HashSet};

const DUPLICATES: &str = "Provided list of item keys contains duplicates";

/// Keys of a batch, at most.
pub const BATCH_GET_MAX: usize = 100;
/// Bytes of the items of an answer, at most.
pub const BATCH_BYTES_MAX: usize = 16 << 20;

/// Keys of one table to read.
///
/// ```
/// use fourfold::kv::{KeysAndAttributes, item};
/// let keys = KeysAndAttributes::new([item! { "id" => "ann" }, item! { "id" => "bob" }]);
/// assert_eq!(keys.keys.len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeysAndAttributes {
    /// The keys, no two the same.
    pub keys: Vec<Item>,
    /// Is the newest state needed? The answer costs twice as much.
    pub consistent_read: bool,
    /// Which attributes to return.
    pub projection: Option<Expr<Projection>>,
    /// What `#names` stand for.
    pub names: Option<Names>,
    /// The older form of a projection: names of attributes.
    pub attributes_to_get: Option<Vec<String>>,
    /// May a key be there twice after all? The service compares keys as they were written: `1000` and `1e3` are one key,
    /// and yet not the same to it.
    pub may_repeat: bool,
}

impl KeysAndAttributes {
    /// Whole items.
    pub fn new(keys: impl IntoIterator<Item = Item>) -> Self {
        Self { keys: keys.into_iter().collect(), ..Self::default() }
    }
}

/// A read of up to 100 items of any tables.
///
/// ```
/// use fourfold::kv::{BatchGetItem, CreateTable, KeysAndAttributes, ScalarType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let tables = store.tables();
/// # tables.create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// tables.table("users").put(item! { "id" => "ann" })?;
/// let keys = [item! { "id" => "ann" }, item! { "id" => "bob" }];
/// let mut batch = BatchGetItem::default();
/// batch.requests.insert("users".into(), KeysAndAttributes::new(keys));
/// assert_eq!(tables.batch_get_item(&batch)?.responses["users"].len(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct BatchGetItem {
    /// The keys, by table.
    pub requests: BTreeMap<String, KeysAndAttributes>,
    /// Is the consumed capacity told?
    pub return_consumed_capacity: Option<ReturnConsumedCapacity>,
}

/// An answer of [`Tables::batch_get_item`].
///
/// ```
/// assert!(fourfold::kv::BatchGetOutput::default().unprocessed.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BatchGetOutput {
    /// The items that are there, by table, in no order to rely on.
    pub responses: BTreeMap<String, Vec<Item>>,
    /// What was not read, to be asked for again.
    pub unprocessed: BTreeMap<String, KeysAndAttributes>,
    /// What it cost, by table, if that was asked for.
    pub consumed_capacity: Vec<ConsumedCapacity>,
}

impl Tables {
    /// Reads items, each for itself: they need not be of one moment. What is more than 16 MB is given back unprocessed.
    ///
    /// # Errors
    /// `ValidationException` for more than 100 keys, for the same key twice, or if any entry is wrong;
    /// `ResourceNotFoundException` if any table is not there.
    pub fn batch_get_item(&self, request: &BatchGetItem) -> Result<BatchGetOutput> {
        self.store.call("BatchGetItem", "", || self.do_batch_get_item(request))
    }

    fn do_batch_get_item(&self, request: &BatchGetItem) -> Result<BatchGetOutput> {
        check_count(request.requests.values().map(|of| of.keys.len()), BATCH_GET_MAX, "BatchGetItem")?;
        // One wrong entry refuses all, so all are looked at first: the requests before the tables.
        let all = request.requests.values();
        refuse_mixture(
            &[("AttributesToGet", all.clone().any(|of| of.attributes_to_get.is_some()))],
            &[("ProjectionExpression", all.clone().any(|of| of.projection.is_some()))],
        )?;
        for of_table in all {
            of_table.prepare()?;
            of_table.check_distinct()?;
        }
        for (name, of_table) in &request.requests {
            let table = self.state.table(&self.store, name)?;
            let projection = of_table.prepare()?;
            let shape = shape_of(&self.store, &table)?;
            let mut seen = BTreeSet::new();
            for key in &of_table.keys {
                if !seen.insert(shape.layout.key(key)?) && !of_table.may_repeat {
                    return Err(Error::validation(DUPLICATES));
                }
            }
            shape.check_scalars(projection.iter().flat_map(Projection::paths))?;
        }
        let mut output = BatchGetOutput::default();
        let (mut bytes, mut left) = (0, self.batch_entries());
        for (name, of_table) in &request.requests {
            self.get_of_table(name, of_table, request, &mut output, &mut bytes, &mut left)?;
        }
        Ok(output)
    }

    fn get_of_table(
        &self,
        name: &str,
        of_table: &KeysAndAttributes,
        request: &BatchGetItem,
        output: &mut BatchGetOutput,
        bytes: &mut usize,
        left: &mut usize,
    ) -> Result<()> {
        let table = self.state.table(&self.store, name)?;
        let projection = of_table.prepare()?;
        let shape = shape_of(&self.store, &table)?;
        let items = output.responses.entry(name.to_owned()).or_default();
        let mut bill = Bill::default();
        for given in &of_table.keys {
            let key = shape.layout.key(given)?;
            let is_admitted = throttle::admit_read(self, &table, &shape, None, Some(&key)).is_ok();
            if *left == 0 || *bytes >= BATCH_BYTES_MAX || !is_admitted {
                let rest = output.unprocessed.entry(name.to_owned());
                let rest = rest.or_insert_with(|| KeysAndAttributes { keys: Vec::new(), ..of_table.clone() });
                rest.keys.push(given.clone());
                continue;
            }
            *left -= 1;
            let record = shape.items.get(&self.store, &key.bytes)?;
            let size = record.as_ref().map_or(0, |record| item::size(record));
            *bytes += size;
            let units = Bill::of_table(read_units(size, of_table.consistent_read));
            throttle::charge_read(self, &table, &shape, &units, Some(&key));
            bill.add(&units);
            if let Some(record) = record {
                items.push(project(item::decode(&record)?, projection.as_ref()));
            }
        }
        output.consumed_capacity.extend(bill.report(name, request.return_consumed_capacity, None));
        Ok(())
    }

    /// Entries of a batch that are done.
    pub(crate) fn batch_entries(&self) -> usize {
        match self.state.dials.read().batch_entries_max {
            0 => usize::MAX,
            max => max,
        }
    }
}

impl KeysAndAttributes {
    /// Refuses a key that is there twice, whatever the key of the table is.
    fn check_distinct(&self) -> Result<()> {
        let mut seen = HashSet::with_capacity(self.keys.len());
        if self.may_repeat || self.keys.iter().all(|key| seen.insert(key)) {
            return Ok(());
        }
        Err(Error::validation(DUPLICATES))
    }

    fn prepare(&self) -> Result<Option<Projection>> {
        prepare_projection(self.projection.as_ref(), self.names.as_ref(), self.attributes_to_get.as_deref())
    }
}

/// Are there entries, and not too many?
pub(crate) fn check_count(counts: impl Iterator<Item = usize>, max: usize, verb: &str) -> Result<()> {
    let (mut total, mut is_empty, mut has_empty) = (0, true, false);
    for count in counts {
        is_empty = false;
        has_empty |= count == 0;
        total += count;
    }
    if is_empty || has_empty {
        return constraint("{}", "requestItems", "Member must have length greater than or equal to 1");
    }
    if total > max {
        return Err(Error::validation(format!("Too many items requested for the {verb} call")));
    }
    Ok(())
}
