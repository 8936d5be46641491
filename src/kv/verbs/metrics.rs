//! Sizes of item collections: the items of one partition and their entries in local indexes.

use crate::kv::error::Result;
use crate::kv::item;
use crate::kv::keys::{Key, PLACE_LEN};
use crate::kv::state::Shape;
use crate::kv::value::Item;
use crate::kv::write::{After, Before};
use crate::store::Store;
use crate::store::space::Space;

/// How large the partition of an item is.
///
/// ```
/// # fn show(metrics: &fourfold::kv::ItemCollectionMetrics) {
/// println!("between {} and {} GB", metrics.size_estimate_range_gb.0, metrics.size_estimate_range_gb.1);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ItemCollectionMetrics {
    /// The partition key.
    pub item_collection_key: Item,
    /// Between so many GB and so many.
    pub size_estimate_range_gb: (f64, f64),
}

/// The size of a partition, read from it; none for a table without local indexes.
pub(crate) fn item_collection_metrics(
    store: &Store,
    shape: &Shape,
    key: &Key,
    before: Option<&Before>,
    after: Option<&After>,
) -> Result<Option<ItemCollectionMetrics>> {
    let locals = || shape.indexes.iter().filter(|index| index.layout.is_local);
    if locals().next().is_none() {
        return Ok(None);
    }
    let item = match (before, after) {
        (_, Some(after)) => &after.item,
        (Some(before), None) => before.item()?,
        (None, None) => return Ok(None),
    };
    let len = key.rest().first_chunk().map_or(0, |len| usize::from(u16::from_be_bytes(*len)));
    let prefix = key.bytes.get(..PLACE_LEN + 2 + len).unwrap_or_default();
    let mut bytes = size(store, &shape.items, prefix)?;
    for index in locals() {
        bytes += size(store, &index.space, prefix)?;
    }
    let whole = f64::from(u32::try_from(bytes >> 30).unwrap_or(u32::MAX));
    let name = &shape.layout.partition.name;
    let item_collection_key = item.get(name).map(|value| (name.clone(), value.clone())).into_iter().collect();
    Ok(Some(ItemCollectionMetrics { item_collection_key, size_estimate_range_gb: (whole, whole + 1.0) }))
}

fn size(store: &Store, space: &Space, prefix: &[u8]) -> Result<u64> {
    let mut bytes = 0;
    let mut range = space.prefix(store, prefix);
    while range.advance()? {
        bytes += match range.value_ref() {
            Some(value) => item::size(value),
            None => item::size(&range.value()?),
        } as u64;
    }
    Ok(bytes)
}
