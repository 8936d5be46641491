//! What the catalog keeps of a table's deliveries (`docs/format.md`, "Deliveries of tables"), and what the engine holds of
//! them.

use super::{Delivery, TimePrecision};
use crate::Batch;
use crate::kv::changes::record::ChangeKind;
use crate::kv::error::Result;
use crate::kv::record;
use crate::kv::state::HIDDEN;
use crate::kv::stored::{stored, stored_enum};
use crate::store::Store;
use crate::store::catalog::ResourceKind;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;

stored!(Delivery { target, kinds, view, precision, is_enabled });
stored_enum!(ChangeKind { Insert = 1, Modify = 2, Remove = 3 });
stored_enum!(TimePrecision { Millisecond = 0, Microsecond = 1 });

/// The deliveries of a table.
#[derive(Debug)]
pub(crate) struct Deliveries {
    pub(crate) all: Vec<Delivery>,
    /// Held from the choosing of numbers to the append (Y3).
    pub(crate) order: Mutex<()>,
}

/// The name of a table's deliveries in the catalog: behind all tables.
fn resource(table: &str) -> String {
    format!("{HIDDEN}deliveries/{table}")
}

/// Those of all tables, by name; tables without are not in it.
#[derive(Default)]
pub(crate) struct AllDeliveries(RwLock<HashMap<String, Arc<Deliveries>>>);

impl AllDeliveries {
    /// Reads the catalog.
    pub(crate) fn load(&self, store: &Store) -> Result<()> {
        let prefix = resource("");
        for found in store.list_resources(ResourceKind::Table, &prefix) {
            let (name, found) = found?;
            let Some(table) = name.strip_prefix(&prefix) else { break };
            let all: Vec<Delivery> = record::decode(&found.record, "deliveries of a table")
                .map_err(|flaw| flaw.in_file(name.as_ref()))?;
            self.set(table, all);
        }
        Ok(())
    }

    pub(crate) fn find(&self, table: &str) -> Option<Arc<Deliveries>> {
        self.0.read().get(table).cloned()
    }

    /// What was logged. The table is locked.
    pub(crate) fn set(&self, table: &str, all: Vec<Delivery>) {
        let mut tables = self.0.write();
        if all.is_empty() {
            tables.remove(table);
            return;
        }
        tables.insert(table.to_owned(), Arc::new(Deliveries { all, order: Mutex::default() }));
    }

    /// Adds to a batch what they are to be.
    pub(crate) fn stage(&self, batch: &mut Batch, table: &str, all: &Vec<Delivery>) -> Result<()> {
        let name = resource(table);
        if !all.is_empty() {
            batch.put_resource(ResourceKind::Table, &name, &[], &record::encode(all))?;
        } else if self.find(table).is_some() {
            batch.delete_resource(ResourceKind::Table, &name)?;
        }
        Ok(())
    }
}

/// Any bytes are refused, or what was written.
#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
pub(crate) fn fuzz(bytes: &[u8]) {
    if let Ok(all) = record::decode::<Vec<Delivery>>(bytes, "deliveries of a table") {
        assert_eq!(record::encode(&all), bytes);
    }
}

#[cfg(all(test, not(fourfold_loom)))]
mod tests {
    use super::*;
    use crate::kv::schema::StreamViewType;

    #[test]
    fn round_trip_truncations_and_flipped_bits() {
        let mut other = Delivery::new("arn:aws:kinesis:us-east-1:000000000000:stream/s")
            .kinds([ChangeKind::Remove])
            .view(StreamViewType::KeysOnly)
            .precision(TimePrecision::Microsecond);
        other.is_enabled = false;
        let all = vec![Delivery::new("arn:aws:sqs:us-east-1:000000000000:q"), other];
        let bytes = record::encode(&all);
        assert_eq!(record::decode::<Vec<Delivery>>(&bytes, "deliveries"), Ok(all));
        for len in 0..bytes.len() {
            assert!(record::decode::<Vec<Delivery>>(&bytes[..len], "deliveries").is_err(), "{len} bytes");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fuzz(&flipped);
        }
    }
}
