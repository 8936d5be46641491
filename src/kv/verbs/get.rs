//! `GetItem`.

use crate::kv::Tables;
use crate::kv::capacity::{Bill, ConsumedCapacity, ReturnConsumedCapacity, read_units};
use crate::kv::error::Result;
use crate::kv::expr::{Names, Projection};
use crate::kv::item;
use crate::kv::keys::Key;
use crate::kv::request::{Expr, prepare_projection};
use crate::kv::state::{Shape, Table};
use crate::kv::throttle;
use crate::kv::value::Item;
use crate::kv::write::shape_of;
use bytes::Bytes;
use std::sync::Arc;

/// A read of one item.
///
/// ```
/// use fourfold::kv::{GetItem, item};
/// let get = GetItem::new("users", item! { "id" => "ann" }).projection("#n").name("#n", "name");
/// assert_eq!(get.key, item! { "id" => "ann" });
/// ```
#[derive(Clone, Debug, Default)]
pub struct GetItem {
    /// The table.
    pub table: String,
    /// The key attributes and nothing else.
    pub key: Item,
    /// Is the newest state needed? It is what is read anyway; the answer costs twice as much.
    pub consistent_read: bool,
    /// Which attributes to return; by default all.
    pub projection: Option<Expr<Projection>>,
    /// What `#names` stand for.
    pub names: Option<Names>,
    /// The older form of a projection: names of attributes.
    pub attributes_to_get: Option<Vec<String>>,
    /// Is the consumed capacity told?
    pub return_consumed_capacity: Option<ReturnConsumedCapacity>,
}

impl GetItem {
    /// A read of the whole item with this key.
    pub fn new(table: impl Into<String>, key: Item) -> Self {
        Self { table: table.into(), key, ..Self::default() }
    }

    /// Which attributes to return.
    #[must_use]
    pub fn projection(mut self, projection: impl Into<Expr<Projection>>) -> Self {
        self.projection = Some(projection.into());
        self
    }

    /// What a `#name` stands for.
    #[must_use]
    pub fn name(mut self, placeholder: impl Into<String>, name: impl Into<String>) -> Self {
        self.names.get_or_insert_default().insert(placeholder.into(), name.into());
        self
    }
}

/// An answer of [`Tables::get_item`].
///
/// ```
/// let output = fourfold::kv::GetItemOutput::default();
/// assert_eq!(output.item, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct GetItemOutput {
    /// The item, if there is one.
    pub item: Option<Item>,
    /// What it cost, if that was asked for.
    pub consumed_capacity: Option<ConsumedCapacity>,
}

impl Tables {
    /// The item with this key.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such table, `ValidationException` for a key that does not fit it or a
    /// projection that does not parse.
    pub fn get_item(&self, request: &GetItem) -> Result<GetItemOutput> {
        self.store.call("GetItem", &request.table, || {
            self.get_by(request, |_, shape, key| Ok(shape.items.get(&self.store, &key.bytes)?))
        })
    }

    /// [`get_item`](Self::get_item) that is given the item's record.
    pub(crate) fn get_by(
        &self,
        request: &GetItem,
        read: impl FnOnce(&Arc<Table>, &Shape, &Key) -> Result<Option<Bytes>>,
    ) -> Result<GetItemOutput> {
        let store = &self.store;
        let projection = prepare_projection(
            request.projection.as_ref(),
            request.names.as_ref(),
            request.attributes_to_get.as_deref(),
        )?;
        let table = self.state.table(store, &request.table)?;
        let shape = shape_of(store, &table)?;
        let key = shape.layout.key(&request.key)?;
        shape.check_scalars(projection.iter().flat_map(Projection::paths))?;
        throttle::admit_read(self, &table, &shape, None, Some(&key))?;
        let record = read(&table, &shape, &key)?;
        let size = record.as_ref().map_or(0, |record| item::size(record));
        let bill = Bill::of_table(read_units(size, request.consistent_read));
        throttle::charge_read(self, &table, &shape, &bill, Some(&key));
        let item = match record {
            Some(record) => Some(project(item::decode(&record)?, projection.as_ref())),
            None => None,
        };
        let consumed_capacity = bill.report(&request.table, request.return_consumed_capacity, None);
        Ok(GetItemOutput { item, consumed_capacity })
    }
}

/// What is returned of an item.
pub(crate) fn project(item: Item, projection: Option<&Projection>) -> Item {
    match projection {
        Some(projection) => projection.apply(&item),
        None => item,
    }
}
