//! What a transaction over several engines does with items.
//!
//! While it is being made up, nothing is locked: items are read as they were when it began, with its own writes over them,
//! and what each write makes of its item is decided from that. When it is committed, all items that it touched are locked
//! and what it read is looked at once more (`store::overlay`); then each item that it wrote changes once, from what it is to
//! what the last write made of it, with its index entries, its expiry and one change record, by the code of single writes.

use crate::Batch;
use crate::kv::Tables;
use crate::kv::capacity::Bill;
use crate::kv::error::{Error, Result};
use crate::kv::keys::Key;
use crate::kv::layout::made_by_update;
use crate::kv::request::{ReturnValues, Within};
use crate::kv::search::page::{Page, Search};
use crate::kv::search::query::Query;
use crate::kv::search::walk::Walk;
use crate::kv::state::{Shape, State, Table};
use crate::kv::throttle;
use crate::kv::transact::write::ConditionCheck;
use crate::kv::value::Item;
use crate::kv::verbs::decide::{Action, Becomes, Write};
use crate::kv::verbs::get::{GetItem, GetItemOutput};
use crate::kv::verbs::put::WriteOutput;
use crate::kv::verbs::update::returned;
use crate::kv::write::{After, Before, Effect, shape_of, stage};
use crate::store::Store;
use crate::store::overlay::Overlay;
use bytes::Bytes;
use parking_lot::{MutexGuard, RwLockReadGuard};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// A table: its name and the keyspace of its items, in the order in which tables are locked.
type TableId = (String, u32);

/// A write whose request was read, and its table.
pub(crate) type Prepared = (Arc<Table>, Write);

impl Tables {
    /// Reads the request.
    pub(crate) fn prepare_check(&self, request: &ConditionCheck) -> Result<Prepared> {
        let condition = request.when.prepare(Within::Alone).map_err(Error::in_request)?;
        let shows_failed = request.when.return_on_failure;
        let table = self.state.table(&self.store, &request.table)?;
        Ok((table, Write::of(Action::Check, condition, shows_failed, ReturnValues::None)))
    }
}

/// The items of one transaction.
#[derive(Default)]
pub(crate) struct Items {
    /// Each with the number of the first operation on it.
    tables: BTreeMap<TableId, (Arc<Table>, usize)>,
    /// The partitions that were read or written.
    partitions: BTreeSet<(u32, u64)>,
    writes: BTreeMap<(TableId, Key), Written>,
}

/// What becomes of an item.
struct Written {
    /// The number of the last operation that wrote it.
    operation: usize,
    after: Option<After>,
}

/// An error and the operation that it is about.
type Refusal = (usize, Error);

/// The tables of a transaction, as they are while it is committed.
pub(crate) struct Shapes<'a>(BTreeMap<&'a TableId, (&'a Table, RwLockReadGuard<'a, Shape>)>);

impl Items {
    /// The table of a keyspace of items, if it is one of these.
    pub(crate) fn table_of(&self, items: u32) -> Option<&str> {
        self.tables.keys().find(|(_, id)| *id == items).map(|(name, _)| name.as_str())
    }

    /// Is there anything to log?
    pub(crate) fn has_writes(&self) -> bool {
        !self.writes.is_empty()
    }

    fn touch(&mut self, operation: usize, table: &Arc<Table>, items: u32, hash: u64) -> TableId {
        let id = (table.name.clone(), items);
        self.tables.entry(id.clone()).or_insert_with(|| (Arc::clone(table), operation));
        self.partitions.insert((items, hash));
        id
    }

    /// One item.
    pub(crate) fn get(
        &mut self,
        tables: &Tables,
        overlay: &Overlay,
        operation: usize,
        request: &GetItem,
    ) -> Result<GetItemOutput> {
        tables.get_by(request, |table, shape, key| {
            self.touch(operation, table, shape.items.id(), key.hash);
            Ok(overlay.get(&shape.items, &key.bytes)?)
        })
    }

    /// Items of one partition of a table.
    pub(crate) fn query(
        &mut self,
        tables: &Tables,
        overlay: &Overlay,
        operation: usize,
        request: &Query,
    ) -> Result<Page> {
        if request.what.index.is_some() {
            return Err(Error::validation(
                "One or more parameter values were invalid: an index cannot be queried within a transaction",
            ));
        }
        tables.query_by(request, |table, search| {
            let items = search.target.shape.items.id();
            self.touch(operation, table, items, Key::containing(&search.bounds.lower).hash);
            page(overlay, search)
        })
    }

    /// Decides about a write of one item.
    pub(crate) fn write(
        &mut self,
        tables: &Tables,
        overlay: &mut Overlay,
        operation: usize,
        (table, write): Prepared,
        given: &Item,
    ) -> Result<WriteOutput> {
        let shape = shape_of(&tables.store, &table)?;
        let key = write.key(&shape, given)?;
        write.check_keys(&shape)?;
        throttle::admit_write(tables, &table, &shape, Some(&key))?;
        let items = shape.items.id();
        let id = self.touch(operation, &table, items, key.hash);
        let (returns, is_blind, is_expression) = (write.returns, write.is_blind(), write.is_expression());
        let record = if is_blind { None } else { overlay.get(&shape.items, &key.bytes)? };
        let before = record.map(Before::new);
        let Some(Becomes { after, parts }) = write.outcome(before.as_ref(), given)? else {
            return Ok(WriteOutput::default());
        };
        if let Some(after) = &after {
            let fits = shape.check_entries(&after.item, &key);
            fits.map_err(|error| if is_expression { made_by_update(error) } else { error })?;
        }
        let record = after.as_ref().map(|after| Bytes::copy_from_slice(&after.record));
        // What can fail comes first: a refused write leaves nothing behind.
        let attributes = returned(returns, before, after.as_ref().map(|after| after.item.clone()), parts)?;
        overlay.set(items, &key.bytes, record);
        self.writes.insert((id, key), Written { operation, after });
        Ok(WriteOutput { attributes, ..WriteOutput::default() })
    }

    /// The first lock: tables stay what they are.
    pub(crate) fn shapes(&self, store: &Store) -> Result<Shapes<'_>, Refusal> {
        let mut shapes = BTreeMap::new();
        for (id, (table, operation)) in &self.tables {
            let shape = shape_of(store, table).map_err(|error| (*operation, error))?;
            shapes.insert(id, (&**table, shape));
        }
        Ok(Shapes(shapes))
    }

    /// The second: items stay what they are.
    pub(crate) fn lock<'a>(&self, state: &'a State) -> Vec<MutexGuard<'a, ()>> {
        let stripe = |(items, hash): &(u32, u64)| state.stripe(*items, *hash);
        state.lock_all(self.partitions.iter().map(stripe).collect())
    }

    /// What the writes come to, with everything locked.
    pub(crate) fn stage<'a>(
        &'a self,
        store: &Store,
        shapes: &'a Shapes<'_>,
        batch: &mut Batch,
    ) -> Result<Vec<Effect<'a>>, Refusal> {
        let mut effects = Vec::with_capacity(self.writes.len());
        for ((id, key), Written { operation, after }) in &self.writes {
            let Some((table, shape)) = shapes.0.get(id) else { continue };
            let refused = |error: Error| (*operation, error);
            let before = shape.before(store, key).map_err(refused)?;
            let effect = stage(table, shape, batch, key, before.as_ref(), after.as_ref(), false);
            effects.push(effect.map_err(refused)?);
        }
        Ok(effects)
    }

    /// Takes what the writes cost.
    pub(crate) fn charge(&self, tables: &Tables, effects: &[Effect<'_>]) {
        for (((_, key), _), effect) in self.writes.iter().zip(effects) {
            throttle::charge_write(tables, effect.table, effect.shape, &Bill::of_write(effect), Some(key));
        }
    }
}

/// A page of a table; what it was made of is remembered as read.
fn page(overlay: &Overlay, search: &Search<'_>) -> Result<(Page, Bill)> {
    let (shape, bounds) = (search.target.shape, &search.bounds);
    let own = overlay.own_between(&shape.items, &bounds.lower, bounds.upper.as_deref())?;
    let walk = Walk::over(overlay.snapshot(), &shape.items, bounds, search.is_forward, own);
    let (page, bill) = search.page_of(overlay.snapshot(), walk)?;
    // What lies behind the page was not read.
    let end = page.last_evaluated_key.as_ref().map(|end| shape.layout.key(end)).transpose()?;
    let mut lower = bounds.lower.clone();
    let mut upper = bounds.upper.clone().map_or(Bound::Unbounded, Bound::Excluded);
    match end {
        Some(end) if search.is_forward => upper = Bound::Included(end.bytes),
        Some(end) => lower = end.bytes,
        None => {}
    }
    overlay.note_walk(&shape.items, lower, upper);
    Ok((page, bill))
}
