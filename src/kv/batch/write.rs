//! `BatchWriteItem`.

use crate::kv::Tables;
use crate::kv::batch::get::check_count;
use crate::kv::capacity::{Bill, ConsumedCapacity, ReturnConsumedCapacity};
use crate::kv::error::{Error, Result};
use crate::kv::feed_locks::Wakes;
use crate::kv::keys::Key;
use crate::kv::request::ReturnValues;
use crate::kv::state::Table;
use crate::kv::throttle;
use crate::kv::value::Item;
use crate::kv::verbs::decide::{Action, Write};
use crate::kv::verbs::metrics::{ItemCollectionMetrics, item_collection_metrics};
use crate::kv::write::{commit, shape_of};
use crate::store::pending::Pending;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Writes of a batch, at most.
pub const BATCH_WRITE_MAX: usize = 25;
/// Bytes of items that are logged at once: the entries of all indexes come on top.
const CHUNK_BYTES: usize = 256 << 10;

/// A write without a condition.
///
/// ```
/// use fourfold::kv::{WriteRequest, item};
/// let put = WriteRequest::Put(item! { "id" => "ann" });
/// assert_ne!(put, WriteRequest::Delete(item! { "id" => "ann" }));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum WriteRequest {
    /// Puts this item.
    Put(Item),
    /// Deletes the item with this key.
    Delete(Item),
}

/// Up to 25 writes in any tables.
///
/// ```
/// use fourfold::kv::{BatchWriteItem, CreateTable, ScalarType, WriteRequest, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let tables = store.tables();
/// # tables.create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// let mut batch = BatchWriteItem::default();
/// let puts = ["ann", "bob"].map(|id| WriteRequest::Put(item! { "id" => id }));
/// batch.requests.insert("users".into(), puts.into());
/// assert!(tables.batch_write_item(&batch)?.unprocessed.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchWriteItem {
    /// The writes, by table; none of two of one item.
    pub requests: BTreeMap<String, Vec<WriteRequest>>,
    /// Is the consumed capacity told?
    pub return_consumed_capacity: Option<ReturnConsumedCapacity>,
    /// Are the sizes of the items' partitions told, of tables with local indexes?
    pub return_item_collection_metrics: bool,
}

/// An answer of [`Tables::batch_write_item`].
///
/// ```
/// assert!(fourfold::kv::BatchWriteOutput::default().unprocessed.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BatchWriteOutput {
    /// What was not done, to be asked for again.
    pub unprocessed: BTreeMap<String, Vec<WriteRequest>>,
    /// What it cost, by table, if that was asked for.
    pub consumed_capacity: Vec<ConsumedCapacity>,
    /// The sizes of the partitions that were written to, by table, if that was asked for.
    pub item_collection_metrics: BTreeMap<String, Vec<ItemCollectionMetrics>>,
}

/// A write that fits its table.
struct Entry<'a> {
    request: &'a WriteRequest,
    key: Key,
    write: Write,
}

/// Adds what partitions have become to what is known of others: of each once, the last.
pub(crate) fn add_metrics(
    all: &mut BTreeMap<String, Vec<ItemCollectionMetrics>>,
    table: &str,
    metrics: Vec<ItemCollectionMetrics>,
) {
    if metrics.is_empty() {
        return;
    }
    let of_table = all.entry(table.to_owned()).or_default();
    for metrics in metrics {
        of_table.retain(|known| known.item_collection_key != metrics.item_collection_key);
        of_table.push(metrics);
    }
}

/// The write that a request asks for.
fn write_of(request: &WriteRequest) -> Result<(&WriteRequest, Write)> {
    let write = match request {
        WriteRequest::Put(item) => Write::put(item.clone(), None, false, ReturnValues::None)?,
        WriteRequest::Delete(_) => Write::delete(None, false, ReturnValues::None),
    };
    Ok((request, write))
}

impl Tables {
    /// Does writes, each for itself: others may see some of them before the rest.
    ///
    /// # Errors
    /// `ValidationException` for more than 25 writes, for two of one item, or if any entry is wrong;
    /// `ResourceNotFoundException` if any table is not there.
    pub fn batch_write_item(&self, request: &BatchWriteItem) -> Result<BatchWriteOutput> {
        self.store.call("BatchWriteItem", "", || Ok(self.stage_batch(request)?.wait()?))
    }

    /// [`batch_write_item`](Self::batch_write_item) that holds no thread while it waits.
    pub async fn batch_write_item_async(&self, request: &BatchWriteItem) -> Result<BatchWriteOutput> {
        self.store
            .call_async("BatchWriteItem", "", async { Ok(self.stage_batch(request)?.done().await?) })
            .await
    }

    fn stage_batch(&self, request: &BatchWriteItem) -> Result<Pending<BatchWriteOutput>> {
        check_count(request.requests.values().map(Vec::len), BATCH_WRITE_MAX, "BatchWriteItem")?;
        // All items are looked at before any table is.
        let mut tables = Vec::new();
        for (name, requests) in &request.requests {
            tables.push((name, requests.iter().map(write_of).collect::<Result<Vec<_>>>()?));
        }
        let mut prepared = Vec::new();
        for (name, writes) in tables {
            let table = self.state.table(&self.store, name)?;
            let entries = self.prepare_entries(&table, writes)?;
            prepared.push((table, entries));
        }
        let mut output = BatchWriteOutput::default();
        let mut wakes = Wakes::default();
        let mut left = self.batch_entries();
        let mut pending = None;
        for (table, entries) in prepared {
            let mut bill = Bill::default();
            let mut entries = entries.into_iter().peekable();
            while entries.peek().is_some() {
                let (mut chunk, mut bytes) = (Vec::new(), 0);
                while bytes < CHUNK_BYTES
                    && let Some(entry) = entries.next()
                {
                    let shape = shape_of(&self.store, &table)?;
                    if left == 0 || throttle::admit_write(self, &table, &shape, Some(&entry.key)).is_err() {
                        let rest = output.unprocessed.entry(table.name.clone()).or_default();
                        rest.push(entry.request.clone());
                        continue;
                    }
                    left -= 1;
                    bytes += match &entry.write.action {
                        Action::Put(_, size) => *size * (1 + shape.indexes.len()),
                        _ => 0,
                    };
                    chunk.push(entry);
                }
                // The log is in order: what is waited for last is behind all others.
                let measures = request.return_item_collection_metrics;
                let (written, metrics) = self.write_chunk(&table, chunk, &mut bill, measures, &mut wakes)?;
                pending = Some(written);
                add_metrics(&mut output.item_collection_metrics, &table.name, metrics);
            }
            output.consumed_capacity.extend(bill.report(&table.name, request.return_consumed_capacity, None));
        }
        let pending = match pending {
            Some(pending) => pending,
            None => Pending::ready(&self.store, ()),
        };
        Ok(pending.map(|()| output))
    }

    fn prepare_entries<'a>(
        &self,
        table: &Arc<Table>,
        writes: Vec<(&'a WriteRequest, Write)>,
    ) -> Result<Vec<Entry<'a>>> {
        let shape = shape_of(&self.store, table)?;
        let mut seen = BTreeSet::new();
        let mut entries = Vec::with_capacity(writes.len());
        for (request, write) in writes {
            let (WriteRequest::Put(given) | WriteRequest::Delete(given)) = request;
            let key = match &write.action {
                Action::Put(item, _) => {
                    let key = shape.layout.key_of_batch_item(item)?;
                    shape.check_entries(item, &key)?;
                    key
                }
                _ => write.key(&shape, given)?,
            };
            if !seen.insert(key.clone()) {
                return Err(Error::validation("Provided list of item keys contains duplicates"));
            }
            entries.push(Entry { request, key, write });
        }
        Ok(entries)
    }

    fn write_chunk(
        &self,
        table: &Table,
        chunk: Vec<Entry<'_>>,
        bill: &mut Bill,
        measures: bool,
        wakes: &mut Wakes,
    ) -> Result<(Pending<()>, Vec<ItemCollectionMetrics>)> {
        let (store, state) = (&self.store, &*self.state);
        let shape = shape_of(store, table)?;
        let stripes = chunk.iter().map(|entry| state.stripe(shape.items.id(), entry.key.hash)).collect();
        let locks = state.lock_all(stripes);
        let mut batch = store.batch();
        let mut effects = Vec::with_capacity(chunk.len());
        let mut written = Vec::new();
        let nothing = Item::new();
        for entry in chunk {
            let decided = entry.write.decide(store, table, &shape, &mut batch, &entry.key, &nothing)?;
            let units = Bill::of_write(&decided.effect);
            throttle::charge_write(self, table, &shape, &units, Some(&entry.key));
            bill.add(&units);
            effects.push(decided.effect);
            if measures {
                written.push((entry.key, decided.before, decided.after));
            }
        }
        let pending = commit(store, state, batch, &effects, wakes)?;
        drop(locks);
        let metrics = written.iter().map(|(key, before, after)| {
            item_collection_metrics(store, &shape, key, before.as_ref(), after.as_ref())
        });
        let metrics = metrics.collect::<Result<Vec<_>>>()?;
        Ok((pending, metrics.into_iter().flatten().collect()))
    }
}
