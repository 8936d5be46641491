//! Entering items into an index, or among those that expire, that were there before it.
//!
//! Writers keep the index from the moment it is defined. The backfill goes through the table and enters each item as it
//! is then, under its lock; so it does not matter who is first. What was left off by a crash is begun anew.

use crate::kv::error::Result;
use crate::kv::item;
use crate::kv::keys::Key;
use crate::kv::record::Definition;
use crate::kv::state::{Shape, State, Table};
use crate::kv::ttl;
use crate::store::Store;
use crate::store::pending::Pending;
use std::ops::Bound;
use std::sync::Arc;

/// Items that are entered in one batch, at most.
const STEP: usize = 256;
/// Bytes of these items, at most, but for the one that passes it.
const STEP_BYTES: usize = 1 << 20;

impl Shape {
    /// Is an index, or the order of expiry, not complete yet?
    pub(crate) fn has_building(&self) -> bool {
        self.definition.ttl.as_ref().is_some_and(|ttl| ttl.is_building)
            || self.indexes.iter().any(|index| index.is_building)
    }
}

impl State {
    /// Enters some items of a table, if that is still to be done. Is there more?
    pub(crate) fn build_step(&self, store: &Store, table: &Table) -> Result<bool> {
        if !table.shape.read().has_building() {
            return Ok(false);
        }
        let _control = self.control.lock();
        let mut cursor = table.building.lock();
        if !table.shape.read().has_building() {
            // Somebody else was done with it first.
            cursor.clear();
            return Ok(false);
        }
        if let Some(next) = self.enter(store, table, &cursor)? {
            *cursor = next;
            return Ok(true);
        }
        cursor.clear();
        self.finish_building(store, table)?.forget();
        Ok(false)
    }

    /// Enters all items of a table.
    pub(crate) fn build(&self, store: &Store, table: &Table) -> Result<Pending<()>> {
        // Should this fail, the steps begin anew: what they have done was of other indexes.
        table.building.lock().clear();
        let mut cursor = Vec::new();
        while let Some(next) = self.enter(store, table, &cursor)? {
            cursor = next;
        }
        self.finish_building(store, table)
    }

    /// Enters some items from a key on; where to go on, if there are more.
    fn enter(&self, store: &Store, table: &Table, from: &[u8]) -> Result<Option<Vec<u8>>> {
        let shape = table.shape.read();
        if shape.is_dropped {
            return Ok(None);
        }
        let mut range = shape.items.range::<&[u8]>(store, (Bound::Included(from), Bound::Unbounded));
        let (mut keys, mut bytes, mut next) = (Vec::new(), 0, None);
        while range.advance()? {
            if keys.len() == STEP || bytes >= STEP_BYTES {
                next = Some(range.key().to_vec());
                break;
            }
            let record = range.value()?;
            bytes += record.len();
            keys.push(shape.layout.key_of_item(&item::decode(&record)?)?);
        }
        drop(range);
        let stripes = keys.iter().map(|key| self.stripe(shape.items.id(), key.hash)).collect();
        let _locks = self.lock_all(stripes);
        let mut batch = store.batch();
        let mut counted = Vec::new();
        for key in &keys {
            enter_item(store, &shape, &mut batch, key, &mut counted)?;
        }
        store.commit(batch)?.forget();
        for (index, bytes) in counted {
            shape.indexes[index].counts.add(1, bytes);
        }
        Ok(next)
    }

    fn finish_building(&self, store: &Store, table: &Table) -> Result<Pending<()>> {
        let mut shape = table.shape.write();
        let mut definition = (*shape.definition).clone();
        definition.indexes.iter_mut().for_each(|index| index.is_building = false);
        if let Some(ttl) = &mut definition.ttl {
            ttl.is_building = false;
        }
        self.commit_definition(store, table, &mut shape, definition, store.batch())
    }

    /// Replaces what a table is, in the catalog and in memory. The control lock is held.
    pub(crate) fn commit_definition(
        &self,
        store: &Store,
        table: &Table,
        shape: &mut Shape,
        definition: Definition,
        mut batch: crate::Batch,
    ) -> Result<Pending<()>> {
        if shape.is_dropped {
            return Ok(store.commit(store.batch())?);
        }
        batch.put_resource(
            crate::store::catalog::ResourceKind::Table,
            &table.name,
            &definition.spaces(),
            &crate::kv::record::encode(&definition),
        )?;
        let pending = store.commit(batch)?;
        let known: Vec<_> = shape.indexes.iter().map(Arc::clone).collect();
        *shape = Shape::open(store, self, &table.name, definition, &known)?;
        Ok(pending)
    }
}

/// One item as it is now.
fn enter_item(
    store: &Store,
    shape: &Shape,
    batch: &mut crate::Batch,
    key: &Key,
    counted: &mut Vec<(usize, i64)>,
) -> Result<()> {
    let Some(before) = shape.before(store, key)? else { return Ok(()) };
    for (number, index) in shape.indexes.iter().enumerate().filter(|(_, index)| index.is_building) {
        // What does not fit the index is left out of it.
        let Some(entry) = index.layout.entry(before.item()?, key).ok().flatten() else { continue };
        let record = index.layout.record(before.item()?, &before.record);
        if index.space.get(store, &entry)?.is_none() {
            counted.push((number, i64::try_from(item::size(&record)).unwrap_or(0)));
        }
        batch.put_in(index.space.id(), &entry, &record)?;
    }
    if let (Some(space), Some(defined)) = (&shape.ttl, &shape.definition.ttl)
        && let Some(second) = ttl::second(before.item()?, &defined.attribute)
    {
        batch.put_in(space.id(), &ttl::entry(second, &key.bytes), &[])?;
    }
    Ok(())
}
