//! What is searched: a table, or an index of it.

use crate::kv::error::{Error, Result};
use crate::kv::expr::{Condition, Projection};
use crate::kv::layout::KeyAttribute;
use crate::kv::names::named;
use crate::kv::request::SearchParts;
use crate::kv::state::{Index, Shape, Table};
use crate::kv::tables::validate::check_name;
use crate::kv::value::Item;
use crate::store::Store;
use crate::store::space::Space;
use std::sync::Arc;

named! {
    /// What a query or scan returns of the items it finds.
    ///
    /// ```
    /// # use fourfold::kv::Select;
    /// assert_eq!(Select::Count.name(), "COUNT");
    /// ```
    pub enum Select {
        /// The items, whole.
        AllAttributes = "ALL_ATTRIBUTES",
        /// The items as the index holds them.
        AllProjectedAttributes = "ALL_PROJECTED_ATTRIBUTES",
        /// What the projection names.
        SpecificAttributes = "SPECIFIC_ATTRIBUTES",
        /// How many there are.
        Count = "COUNT",
    }
}

/// A table or an index that is searched.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) index: Option<&'a Arc<Index>>,
}

impl<'a> Target<'a> {
    pub(crate) fn new(
        store: &Store,
        table: &Table,
        shape: &'a Shape,
        index: Option<&str>,
        is_consistent: bool,
    ) -> Result<Self> {
        let Some(name) = index else { return Ok(Self { shape, index: None }) };
        check_name(name, "indexName")?;
        let index = shape.index(name).ok_or_else(|| {
            Error::validation(format!("The table does not have the specified index: {name}"))
        })?;
        if is_consistent && !index.layout.is_local {
            return Err(Error::validation("Consistent reads are not supported on global secondary indexes"));
        }
        if index.is_building || table.is_index_passing(store, name) {
            return Err(Error::validation(format!(
                "Cannot read from backfilling global secondary index: {name}"
            )));
        }
        Ok(Self { shape, index: Some(index) })
    }

    pub(crate) fn space(&self) -> &'a Space {
        self.index.map_or(&self.shape.items, |index| &index.space)
    }

    /// Partition keys.
    pub(crate) fn hash(&self) -> &'a [KeyAttribute] {
        match self.index {
            Some(index) => &index.layout.hash,
            None => std::slice::from_ref(&self.shape.layout.partition),
        }
    }

    /// Sort keys.
    pub(crate) fn range(&self) -> &'a [KeyAttribute] {
        match self.index {
            Some(index) => &index.layout.range,
            None => self.shape.layout.sort.as_slice(),
        }
    }

    /// All attributes that say where an entry is.
    pub(crate) fn place_attributes(&self) -> impl Iterator<Item = &'a KeyAttribute> {
        let of_index = self.index.into_iter().flat_map(|index| index.layout.attributes());
        self.shape.layout.attributes().chain(of_index)
    }

    /// Where a page that ends with `item` ends.
    pub(crate) fn place_item(&self, item: &Item) -> Item {
        crate::kv::layout::pick(item, self.place_attributes())
    }

    /// Does a search that returns this need items from the table?
    pub(crate) fn needs_table(
        &self,
        select: Option<Select>,
        projection: Option<&Projection>,
    ) -> Result<bool> {
        let Some(index) = self.index else { return Ok(false) };
        if select == Some(Select::AllAttributes) && index.layout.projected.is_some() {
            if !index.layout.is_local {
                return Err(Error::validation(format!(
                    "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global \
                     secondary index {} because its projection type is not ALL",
                    index.layout.name
                )));
            }
            return Ok(true);
        }
        let missing: Vec<&str> = projection
            .into_iter()
            .flat_map(Projection::attributes)
            .filter(|name| !index.layout.holds(name))
            .collect();
        if missing.is_empty() {
            return Ok(false);
        }
        if index.layout.is_local {
            return Ok(true);
        }
        Err(Error::validation(format!(
            "One or more parameter values were invalid: Global secondary index {} does not project [{}]",
            index.layout.name,
            missing.join(", ")
        )))
    }

    /// A filter of a query says nothing of keys. `what`: what the request calls the filter.
    pub(crate) fn check_filter(&self, filter: &Condition, what: &str) -> Result<()> {
        let is_key = |name: &&str| self.hash().iter().chain(self.range()).any(|key| key.name == **name);
        match filter.attributes().find(is_key) {
            None => Ok(()),
            Some(name) => Err(Error::validation(format!(
                "{what} can only contain non-primary key attributes: Primary key attribute: {name}"
            ))),
        }
    }
}

/// Does what is to be selected fit what is projected?
pub(crate) fn check_select(what: &SearchParts) -> Result<()> {
    let has_projection = what.projection.is_some() || what.attributes_to_get.is_some();
    let given = if what.projection.is_some() { "ProjectionExpression" } else { "AttributesToGet" };
    let message = match (what.select, has_projection) {
        (Some(Select::SpecificAttributes), false) => {
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
                .to_owned()
        }
        (Some(Select::Count), true) => {
            format!("Cannot specify the {given} when choosing to get only the Count")
        }
        (Some(other @ (Select::AllAttributes | Select::AllProjectedAttributes)), true) => {
            format!("Cannot specify the {given} when choosing to get {other}")
        }
        (Some(Select::AllProjectedAttributes), false) if what.index.is_none() => {
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName".to_owned()
        }
        _ => return Ok(()),
    };
    // Counted, though searches count nothing else.
    Err(Error::request(message).in_request())
}
