//! An item as it lies in a keyspace: its size as the service counts it (u32, little endian), then its bytes.

use crate::kv::codec;
use crate::kv::error::Result;
use crate::kv::expr::Condition;
use crate::kv::value::Item;
use std::path::Path;

const SIZE_LEN: usize = 4;

/// The record of an item of `size` bytes, as the service counts them.
pub(crate) fn encode(item: &Item, size: usize) -> Vec<u8> {
    let mut record = Vec::with_capacity(SIZE_LEN + 16 + size + 4 * item.len());
    record.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
    codec::write_item(item, &mut record);
    record
}

/// The size that a record says.
pub(crate) fn size(record: &[u8]) -> usize {
    record.first_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize)
}

/// The bytes of the item within a record.
pub(crate) fn body(record: &[u8]) -> &[u8] {
    record.get(SIZE_LEN..).unwrap_or_default()
}

/// Does a condition hold for the item of a record?
pub(crate) fn holds(condition: &Condition, record: &[u8]) -> Result<bool> {
    Ok(condition.evaluate_encoded(body(record)).map_err(|flaw| flaw.in_file(Path::new("an item")))?)
}

/// The item of a record.
pub(crate) fn decode(record: &[u8]) -> Result<Item> {
    let item = codec::decode_item(body(record)).map_err(|flaw| flaw.in_file(Path::new("an item")))?;
    Ok(item)
}
