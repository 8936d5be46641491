//! `TransactGetItems`.

use crate::kv::Tables;
use crate::kv::capacity::{Bill, ConsumedCapacity, Kind, ReturnConsumedCapacity, read_units};
use crate::kv::error::{Error, Result};
use crate::kv::expr::{Names, Projection};
use crate::kv::item;
use crate::kv::request::{Expr, prepare_projection};
use crate::kv::transact::prepare::{check_count, of_key};
use crate::kv::value::Item;
use crate::kv::verbs::get::project;
use crate::kv::write::shape_of;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of the items of an answer, at most.
const BYTES_MAX: usize = 4 << 20;

/// One item of a transaction that reads.
///
/// ```
/// use fourfold::kv::{TransactGet, item};
/// assert_eq!(TransactGet::new("users", item! { "id" => "ann" }).table, "users");
/// ```
#[derive(Clone, Debug, Default)]
pub struct TransactGet {
    /// The table.
    pub table: String,
    /// The key attributes and nothing else.
    pub key: Item,
    /// Which attributes to return; by default all.
    pub projection: Option<Expr<Projection>>,
    /// What `#names` stand for.
    pub names: Option<Names>,
}

impl TransactGet {
    /// The whole item with this key.
    pub fn new(table: impl Into<String>, key: Item) -> Self {
        Self { table: table.into(), key, ..Self::default() }
    }
}

/// Up to 100 items of one moment.
///
/// ```
/// use fourfold::kv::{CreateTable, ScalarType, TransactGet, TransactGetItems, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let tables = store.tables();
/// # tables.create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// let gets = ["ann", "bob"].map(|id| TransactGet::new("users", item! { "id" => id }));
/// let found = tables.transact_get_items(&TransactGetItems::new(gets))?;
/// assert_eq!(found.items, [None, None]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct TransactGetItems {
    /// The items, no two the same.
    pub gets: Vec<TransactGet>,
    /// Is the consumed capacity told?
    pub return_consumed_capacity: Option<ReturnConsumedCapacity>,
}

impl TransactGetItems {
    /// A read of these items.
    pub fn new(gets: impl IntoIterator<Item = TransactGet>) -> Self {
        Self { gets: gets.into_iter().collect(), return_consumed_capacity: None }
    }
}

/// An answer of [`Tables::transact_get_items`].
///
/// ```
/// assert!(fourfold::kv::TransactGetOutput::default().items.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TransactGetOutput {
    /// The items in the order of the request; none for one that is not there.
    pub items: Vec<Option<Item>>,
    /// What it cost, by table, if that was asked for.
    pub consumed_capacity: Vec<ConsumedCapacity>,
}

impl Tables {
    /// Reads items as they are at one moment.
    ///
    /// # Errors
    /// `ValidationException` for none or more than 100 items, for the same twice, for more than 4 MB;
    /// `TransactionCanceledException` for a key that does not fit its table; `ResourceNotFoundException`.
    pub fn transact_get_items(&self, request: &TransactGetItems) -> Result<TransactGetOutput> {
        self.store.call("TransactGetItems", "", || self.do_transact_get_items(request))
    }

    fn do_transact_get_items(&self, request: &TransactGetItems) -> Result<TransactGetOutput> {
        let store = &self.store;
        check_count(request.gets.len())?;
        let mut projections = Vec::with_capacity(request.gets.len());
        for get in &request.gets {
            projections.push(prepare_projection(get.projection.as_ref(), get.names.as_ref(), None)?);
        }
        let mut found = Vec::with_capacity(request.gets.len());
        for (get, projection) in request.gets.iter().zip(projections) {
            found.push((self.state.table(store, &get.table)?, projection));
        }
        let mut keys = Vec::with_capacity(found.len());
        let mut seen = BTreeSet::new();
        for (number, (get, (table, _))) in request.gets.iter().zip(&found).enumerate() {
            let shape = shape_of(store, table)?;
            let key = shape.layout.key(&get.key).map_err(|error| of_key(error, number, found.len()))?;
            if !seen.insert((shape.items.id(), key.clone())) {
                return Err(Error::validation(
                    "Transaction request cannot include multiple operations on one item",
                ));
            }
            keys.push((shape.items.clone(), key));
        }
        let snapshot = store.snapshot();
        let mut output = TransactGetOutput::default();
        let (mut bytes, mut bills) = (0, BTreeMap::<&str, Bill>::new());
        for ((space, key), (get, (_, projection))) in keys.iter().zip(request.gets.iter().zip(&found)) {
            let record = snapshot.get_in(space, &key.bytes)?;
            let size = record.as_ref().map_or(0, |record| item::size(record));
            bytes += size;
            bills.entry(&get.table).or_default().table += 2.0 * read_units(size, true);
            output.items.push(match record {
                Some(record) => Some(project(item::decode(&record)?, projection.as_ref())),
                None => None,
            });
        }
        if bytes > BYTES_MAX {
            return Err(Error::validation(
                "Transaction request size exceeded: the aggregate size of the items in the transaction exceeded 4 MB",
            ));
        }
        for (table, bill) in bills {
            output.consumed_capacity.extend(bill.report(
                table,
                request.return_consumed_capacity,
                Some(Kind::Read),
            ));
        }
        Ok(output)
    }
}
