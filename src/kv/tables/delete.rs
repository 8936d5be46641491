//! `DeleteTable`.

use crate::kv::error::{Error, Result};
use crate::kv::feed_locks::Wakes;
use crate::kv::schema::TableStatus;
use crate::kv::state::plain_name;
use crate::kv::tables::validate::check_name;
use crate::kv::{TableDescription, Tables};
use crate::store::catalog::ResourceKind;
use crate::store::pending::Pending;

impl Tables {
    /// Drops a table, its indexes and its items, at the cost of one small batch. Its stream can be read for another 24
    /// hours. The answer says `DELETING`, as the service's does.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is none, `ResourceInUseException` while it is being made or changed,
    /// `ValidationException` if it is protected.
    pub fn delete_table(&self, name: &str) -> Result<TableDescription> {
        self.store.call("DeleteTable", name, || Ok(self.stage_delete_table(name)?.wait()?))
    }

    /// [`delete_table`](Self::delete_table) that holds no thread while it waits.
    pub async fn delete_table_async(&self, name: &str) -> Result<TableDescription> {
        self.store
            .call_async("DeleteTable", name, async { Ok(self.stage_delete_table(name)?.done().await?) })
            .await
    }

    fn stage_delete_table(&self, name: &str) -> Result<Pending<TableDescription>> {
        let (store, state) = (&self.store, &*self.state);
        let name = plain_name(name);
        check_name(name, "tableName")?;
        state.load(store)?;
        let mut wakes = Wakes::default();
        let _control = state.control.lock();
        let Some(table) = state.find(store, name)? else {
            let is_going = state.is_ghost(store, name);
            return Err(if is_going { in_use("deleted", name) } else { Error::no_table(name) });
        };
        if table.is_creating(store) {
            return Err(in_use("created", name));
        }
        let mut description = self.description(&table)?;
        if description.table_status == Some(TableStatus::Updating) {
            return Err(Error::ResourceInUse {
                message: format!(
                    "Attempt to change a resource which is still in use: Table: {name} is in the process of being \
                     updated."
                )
                .into(),
            });
        }
        let mut shape = table.shape.write();
        if shape.definition.is_protected {
            return Err(Error::validation(
                "Resource cannot be deleted as it is currently protected against deletion. Disable deletion \
                 protection first.",
            ));
        }
        let mut batch = store.batch();
        for space in shape.definition.spaces() {
            batch.drop_space(space)?;
        }
        batch.delete_resource(ResourceKind::Table, name)?;
        state.deliveries.stage(&mut batch, name, &Vec::new())?;
        if let Some(feed) = &shape.feed {
            feed.stage_end(store, &mut batch)?;
        }
        let pending = store.commit(batch)?;
        if let Some(feed) = shape.feed.take() {
            feed.apply_end(store, &mut wakes);
        }
        state.deliveries.set(name, Vec::new());
        shape.is_dropped = true;
        drop(shape);
        state.remove(name);
        clear(&mut description);
        let lasts = state.dials.read().transitions;
        if !lasts.is_zero() {
            state.ghosts.lock().insert(name.to_owned(), (store.now() + lasts, description.clone()));
        }
        Ok(pending.map(|()| description))
    }
}

/// What the description of a table that is being deleted leaves out.
fn clear(description: &mut TableDescription) {
    description.table_status = Some(TableStatus::Deleting);
    description.creation_date_time = None;
    description.key_schema.clear();
    description.attributes.clear();
    description.local_indexes.clear();
    description.global_indexes.clear();
}

/// Another change of the table is under way.
pub(crate) fn in_use(how: &str, name: &str) -> Error {
    Error::ResourceInUse {
        message: format!("Attempt to change a resource which is still in use: Table is being {how}: {name}")
            .into(),
    }
}
