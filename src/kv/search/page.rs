//! A page of a search: what is read, what is kept, where it ends, what it costs.

use crate::kv::capacity::{Bill, ConsumedCapacity, read_units};
use crate::kv::error::Result;
use crate::kv::expr::{Condition, Projection};
use crate::kv::item;
use crate::kv::schema::BillingMode;
use crate::kv::search::bounds::Bounds;
use crate::kv::search::target::Target;
use crate::kv::search::walk::Walk;
use crate::kv::value::Item;
use crate::kv::verbs::get::project;
use crate::store::{Snapshot, Store};
use bytes::Bytes;

/// Bytes that a page reads, at most, but for the item that passes it.
pub const PAGE_BYTES_MAX: usize = 1 << 20;
/// Into how many partitions a table that is paid by request is taken to be divided.
const PARTITIONS: usize = 4;

/// An answer of [`Tables::query`](crate::kv::Tables::query) and [`Tables::scan`](crate::kv::Tables::scan).
///
/// ```
/// use fourfold::kv::{CreateTable, Scan, ScalarType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let tables = store.tables();
/// # tables.create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// for id in ["ann", "bob", "eve"] {
///     tables.table("users").put(item! { "id" => id })?;
/// }
/// let mut scan = Scan::new("users").limit(2);
/// let mut found = 0;
/// loop {
///     let page = tables.scan(&scan)?;
///     found += page.count;
///     match page.last_evaluated_key {
///         Some(key) => scan = scan.start(key),
///         None => break,
///     }
/// }
/// assert_eq!(found, 3);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// What was found, unless only the count was asked for.
    pub items: Vec<Item>,
    /// How many were found.
    pub count: usize,
    /// How many were read, before the filter.
    pub scanned_count: usize,
    /// Where to go on; none if everything was read.
    pub last_evaluated_key: Option<Item>,
    /// What it cost, if that was asked for.
    pub consumed_capacity: Option<ConsumedCapacity>,
}

/// A search that was read and checked.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a choice of the request, independent of the others"
)]
pub(crate) struct Search<'a> {
    pub(crate) target: Target<'a>,
    pub(crate) bounds: Bounds,
    pub(crate) is_forward: bool,
    pub(crate) limit: Option<usize>,
    pub(crate) filter: Option<Condition>,
    pub(crate) projection: Option<Projection>,
    pub(crate) counts_only: bool,
    /// Are items read from the table although an index is searched?
    pub(crate) reads_table: bool,
    pub(crate) is_consistent: bool,
    /// Does the table charge for every partition that is searched?
    pub(crate) by_partition: bool,
}

impl Search<'_> {
    /// Reads a page.
    pub(crate) fn run(&self, store: &Store) -> Result<(Page, Bill)> {
        let snapshot = store.snapshot();
        let index = self.target.index.map(|index| &**index);
        let walk = Walk::new(store, &snapshot, self.target.space(), index, &self.bounds, self.is_forward);
        self.page_of(&snapshot, walk)
    }

    /// Reads a page of a walk.
    pub(crate) fn page_of(&self, snapshot: &Snapshot, mut walk: Walk) -> Result<(Page, Bill)> {
        let (mut page, mut bill) = (Page::default(), Bill::default());
        let (mut bytes, mut by_partition) = (0, [0; PARTITIONS]);
        while let Some((place, record)) = walk.next()? {
            page.scanned_count += 1;
            let size = item::size(&record);
            bytes += size;
            by_partition[partition(place)] += size;
            let whole = if self.reads_table {
                let key = self.target.shape.layout.key_of_item(&item::decode(&record)?)?;
                let whole = snapshot.get_in(&self.target.shape.items, &key.bytes)?;
                let whole = whole.unwrap_or_else(|| record.clone());
                bill.table += read_units(item::size(&whole), self.is_consistent);
                bytes += item::size(&whole);
                whole
            } else {
                record.clone()
            };
            self.keep(&whole, &mut page)?;
            if self.limit == Some(page.scanned_count) || bytes >= PAGE_BYTES_MAX {
                page.last_evaluated_key = Some(self.target.place_item(&item::decode(&record)?));
                self.charge(&mut bill, by_partition, Some(place));
                return Ok((page, bill));
            }
        }
        self.charge(&mut bill, by_partition, None);
        Ok((page, bill))
    }

    /// Takes an item into the page, if it passes the filter.
    fn keep(&self, record: &Bytes, page: &mut Page) -> Result<()> {
        if let Some(filter) = &self.filter
            && !item::holds(filter, record)?
        {
            return Ok(());
        }
        page.count += 1;
        if !self.counts_only {
            page.items.push(project(item::decode(record)?, self.projection.as_ref()));
        }
        Ok(())
    }

    /// Adds up what was read; `end` is the place of the last item, none if everything was read.
    fn charge(&self, bill: &mut Bill, bytes: [usize; PARTITIONS], end: Option<u32>) {
        let units = if self.by_partition {
            let first = crate::kv::keys::place(&self.bounds.lower);
            let upper = self
                .bounds
                .upper
                .as_deref()
                .map_or(u32::MAX, |upper| crate::kv::keys::place(upper).saturating_sub(1));
            let read = partition(first)..=partition(end.unwrap_or(upper)).max(partition(first));
            read.map(|number| read_units(bytes[number], self.is_consistent)).sum()
        } else {
            read_units(bytes.iter().sum(), self.is_consistent)
        };
        match self.target.index {
            Some(index) => bill.add_index(index.layout.is_local, &index.layout.name, units),
            None => bill.table += units,
        }
    }
}

fn partition(place: u32) -> usize {
    (place >> 30) as usize
}

/// Does a scan of a table pay for each of its partitions?
pub(crate) fn pays_by_partition(billing: BillingMode) -> bool {
    billing == BillingMode::PayPerRequest
}
