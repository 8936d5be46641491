//! What users hold: all tables, and one.

use crate::kv::Tables;
use crate::kv::error::Result;
use crate::kv::value::Item;
use crate::kv::verbs::delete::DeleteItem;
use crate::kv::verbs::get::GetItem;
use crate::kv::verbs::put::PutItem;
use crate::kv::verbs::update::UpdateItem;

/// One table by its name: short forms of what is done most.
///
/// It is no more than the name; whether there is such a table is found out by each call.
///
/// ```
/// use fourfold::kv::{CreateTable, ScalarType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # store.tables().create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// let users = store.tables().table("users");
/// users.put(item! { "id" => "ann", "age" => 30 })?;
/// assert_eq!(users.get(item! { "id" => "ann" })?.expect("she was put")["age"], 30.into());
/// assert_eq!(users.delete(item! { "id" => "ann" })?, Some(item! { "id" => "ann", "age" => 30 }));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    tables: Tables,
    name: String,
}

impl Tables {
    /// The table `name`.
    pub fn table(&self, name: impl Into<String>) -> Table {
        Table { tables: self.clone(), name: name.into() }
    }
}

impl Table {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The item with this key.
    ///
    /// # Errors
    /// As for [`Tables::get_item`].
    pub fn get(&self, key: Item) -> Result<Option<Item>> {
        Ok(self.tables.get_item(&GetItem::new(&self.name, key))?.item)
    }

    /// Puts an item, whatever is there.
    ///
    /// # Errors
    /// As for [`Tables::put_item`].
    pub fn put(&self, item: Item) -> Result<()> {
        self.tables.put_item(PutItem::new(&self.name, item)).map(drop)
    }

    /// Deletes the item with this key, and returns it.
    ///
    /// # Errors
    /// As for [`Tables::delete_item`].
    pub fn delete(&self, key: Item) -> Result<Option<Item>> {
        let delete = DeleteItem::new(&self.name, key).return_values(crate::kv::ReturnValues::AllOld);
        Ok(self.tables.delete_item(delete)?.attributes)
    }

    /// A request to update the item with this key, to be completed and given to [`Tables::update_item`].
    pub fn update(&self, key: Item) -> UpdateItem {
        UpdateItem::new(&self.name, key)
    }
}
