//! Setting who is told of a table's changes.

use super::{DELIVERIES_MAX, Delivery};
use crate::kv::Tables;
use crate::kv::error::{Error, Result};
use crate::kv::handle::Table as TableHandle;
use crate::kv::state::{Shape, Table, plain_name};
use crate::kv::tables::validate::check_name;
use crate::store::pending::Pending;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Tables {
    /// Who is told of a table's changes; nobody unless it was set.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn deliveries(&self, table: &str) -> Result<Vec<Delivery>> {
        let shape = &self.known(table)?.shape;
        Ok(shape.read().deliveries.as_ref().map(|deliveries| deliveries.all.clone()).unwrap_or_default())
    }

    /// Sets who is told of a table's changes, in place of everybody before. From the moment this is committed every
    /// change tells, in its own commit; what changed before is not told.
    ///
    /// A target that is deleted later is told nothing, and holds up no write.
    ///
    /// # Errors
    /// `ResourceNotFoundException` without such a table. `ValidationException` for a target that is not there, twice the
    /// same one, no kind of change, and more than [`DELIVERIES_MAX`]; and for a queue that does not take messages of 32 KiB,
    /// into which a change without its images always fits.
    pub fn set_deliveries(&self, table: &str, deliveries: Vec<Delivery>) -> Result<()> {
        Ok(self.stage_deliveries(table, deliveries)?.wait()?)
    }

    /// [`set_deliveries`](Self::set_deliveries) that holds no thread while it waits.
    ///
    /// # Errors
    /// The same.
    pub async fn set_deliveries_async(&self, table: &str, deliveries: Vec<Delivery>) -> Result<()> {
        Ok(self.stage_deliveries(table, deliveries)?.done().await?)
    }

    fn stage_deliveries(&self, table: &str, deliveries: Vec<Delivery>) -> Result<Pending<()>> {
        self.check_deliveries(&deliveries)?;
        let pending = self.change_deliveries(table, |all| {
            *all = deliveries;
            Ok(())
        });
        Ok(pending?.1)
    }

    fn check_deliveries(&self, deliveries: &[Delivery]) -> Result<()> {
        let invalid = |what: String| {
            Err(Error::validation(format!("One or more parameter values were invalid: {what}")))
        };
        if deliveries.len() > DELIVERIES_MAX {
            let len = deliveries.len();
            return invalid(format!("{len} deliveries, {DELIVERIES_MAX} are allowed"));
        }
        let mut targets = BTreeSet::new();
        for delivery in deliveries {
            let target = &delivery.target;
            if !targets.insert(target) {
                return invalid(format!("Two deliveries to one target: {target}"));
            }
            if delivery.kinds.is_empty() {
                return invalid(format!("A delivery of no kind of change: {target}"));
            }
            let refusal = match crate::targets::find_by_arn(target) {
                Some(found) => found.refusal(&self.store, target, true)?,
                None => Some("Neither a queue nor a stream".to_owned()),
            };
            if let Some(refusal) = refusal {
                return invalid(format!("{refusal}: {target}"));
            }
        }
        Ok(())
    }

    /// The table that is there.
    pub(super) fn known(&self, table: &str) -> Result<Arc<Table>> {
        let table = plain_name(table);
        check_name(table, "tableName")?;
        self.state.find(&self.store, table)?.ok_or_else(|| Error::no_table(table))
    }

    /// Changes who is told, with no write under way.
    pub(super) fn change_deliveries(
        &self,
        table: &str,
        change: impl FnOnce(&mut Vec<Delivery>) -> Result<()>,
    ) -> Result<(Arc<Table>, Pending<()>)> {
        let (store, state) = (&self.store, &*self.state);
        state.load(store)?;
        let _control = state.control.lock();
        let found = self.known(table)?;
        let mut shape = found.shape.write();
        let Shape { deliveries, .. } = &mut *shape;
        let mut all = deliveries.as_ref().map(|deliveries| deliveries.all.clone()).unwrap_or_default();
        change(&mut all)?;
        let mut batch = store.batch();
        state.deliveries.stage(&mut batch, &found.name, &all)?;
        let pending = store.commit(batch)?;
        state.deliveries.set(&found.name, all);
        *deliveries = state.deliveries.find(&found.name);
        drop(shape);
        Ok((found, pending))
    }
}

impl TableHandle {
    /// Who is told of its changes.
    ///
    /// # Errors
    /// As for [`Tables::deliveries`].
    pub fn deliveries(&self) -> Result<Vec<Delivery>> {
        self.tables().deliveries(self.name())
    }

    /// Sets who is told of its changes: see [`Delivery`].
    ///
    /// # Errors
    /// As for [`Tables::set_deliveries`].
    pub fn set_deliveries(&self, deliveries: impl IntoIterator<Item = Delivery>) -> Result<()> {
        self.tables().set_deliveries(self.name(), deliveries.into_iter().collect())
    }
}
