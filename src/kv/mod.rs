//! Tables: items of attributes with the semantics of Amazon `DynamoDB`.
//!
//! [`Store::tables`] gives [`Tables`], the operations of the service by their names, with requests and answers as plain
//! structs; [`Tables::table`] gives a [`Table`], which has short forms of the common ones.
//!
//! ```
//! use fourfold::kv::{CreateTable, Query, ScalarType, UpdateItem, item};
//! # fn main() -> fourfold::kv::Result<()> {
//! let store = fourfold::Store::in_memory();
//! let tables = store.tables();
//! tables.create_table(CreateTable::new("plays").hash("artist", ScalarType::S).range("at", ScalarType::N))?;
//!
//! let plays = tables.table("plays");
//! plays.put(item! { "artist" => "Miles", "at" => 1959, "title" => "So What" })?;
//! plays.put(item! { "artist" => "Miles", "at" => 1970, "title" => "Pharaoh's Dance" })?;
//!
//! let update = UpdateItem::new("plays", item! { "artist" => "Miles", "at" => 1959 })
//!     .update("ADD stars :n")
//!     .condition("attribute_exists(title)")
//!     .value(":n", 1);
//! tables.update_item(update)?;
//!
//! let early = Query::new("plays").key_condition("artist = :a AND #t < :t").name("#t", "at");
//! let page = tables.query(&early.value(":a", "Miles").value(":t", 1960))?;
//! assert_eq!(page.items[0]["title"], "So What".into());
//! # Ok(()) }
//! ```
//!
//! # What holds
//!
//! K1. An item, its entries in every index, its expiry, its change record and what queues and streams are told of it
//!     ([`Delivery`]) are changed by one batch. So each is the projection of the table at every moment, also after a crash,
//!     and there is exactly one record for each change, none for a write that changes nothing.
//! K2. A write decides under the lock of its item, from what the item is then: conditions never race. Locks of several
//!     items, and of several streams, are taken in one order.
//! K3. What a request may be refused for is found before anything is written.
//! K4. A table's shape (keys, indexes, stream) does not change while an item is being written: writers share a lock that
//!     whoever changes the shape holds alone.
//!
//! # Where it differs from the service
//!
//! Reads see the newest state, eventually consistent ones too, and indexes change with their table; [`Dials`] has delays
//! for those who test that. Nothing is throttled unless asked for. Tables can be used as soon as they are made. Global
//! tables, backups, `PartiQL`, imports and exports, resource policies and contributor insights are not there.

pub(crate) mod backfill;
pub(crate) mod batch;
pub(crate) mod capacity;
pub(crate) mod changes;
pub(crate) mod codec;
pub(crate) mod counts;
pub(crate) mod deliveries;
pub(crate) mod dials;
mod error;
pub mod expr;
pub(crate) mod feed_locks;
#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
pub(crate) mod fuzz;
pub(crate) mod handle;
pub(crate) mod hot;
pub(crate) mod item;
pub(crate) mod keys;
pub(crate) mod layout;
mod macros;
pub(crate) mod names;
mod number;
pub(crate) mod participant;
pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod schema;
pub(crate) mod search;
pub mod serde;
pub(crate) mod stale;
pub(crate) mod state;
mod stats;
pub(crate) mod stored;
pub(crate) mod sweep;
pub(crate) mod tables;
pub(crate) mod throttle;
mod trail;
pub(crate) mod transact;
pub(crate) mod ttl;
mod value;
pub(crate) mod verbs;
pub(crate) mod verify;
pub(crate) mod write;

pub use batch::get::{BATCH_BYTES_MAX, BATCH_GET_MAX, BatchGetItem, BatchGetOutput, KeysAndAttributes};
pub use batch::write::{BATCH_WRITE_MAX, BatchWriteItem, BatchWriteOutput, WriteRequest};
pub use capacity::{Capacity, ConsumedCapacity, READ_UNIT_BYTES, ReturnConsumedCapacity, WRITE_UNIT_BYTES};
pub use changes::describe::{
    DescribeStream, ListStreams, STREAM_PAGE_MAX, ShardDescription, StreamDescription, StreamPage,
    StreamStatus, StreamSummary,
};
pub use changes::feed::CHANGE_RETENTION;
pub use changes::iterator::ShardPosition;
pub use changes::read::{CHANGES_MAX, ChangePage, ChangeRecord};
pub use changes::record::ChangeKind;
pub use changes::subscribe::Subscription;
pub use deliveries::{DELIVERIES_MAX, Delivery, Destination, DestinationStatus, TimePrecision};
pub use dials::Dials;
pub use error::{CancellationReason, Error, Result, ThrottlingReason};
pub use handle::Table;
pub use hot::HotPartition;
pub use layout::{PARTITION_KEY_LEN_MAX, SORT_KEY_LEN_MAX};
pub use number::{DIGITS_MAX, Number};
pub use request::{ConditionParts, Expr, ReturnValues, SearchParts};
pub use schema::{
    AttributeDefinition, BillingMode, Index, KeyElement, KeyType, OnDemandThroughput, Projection,
    ProjectionType, ScalarType, SseSpecification, StreamSpecification, StreamViewType, TableClass,
    TableStatus, Tag, Throughput, WarmThroughput,
};
pub use search::page::{PAGE_BYTES_MAX, Page};
pub use search::query::Query;
pub use search::scan::{SEGMENTS_MAX, Scan};
pub use search::target::Select;
pub use stats::{CapacityUsed, ChangeStats, IndexStats, TableStats};
pub use tables::create::CreateTable;
pub use tables::describe::{IndexDescription, TableDescription, ThroughputDescription};
pub use tables::limits::Limits;
pub use tables::list::{LIST_TABLES_MAX, TableNames};
pub use tables::tags::{TAG_KEY_LEN_MAX, TAG_VALUE_LEN_MAX, TAGS_MAX};
pub use tables::update::{GlobalIndexUpdate, UpdateTable};
pub use tables::validate::{
    GLOBAL_INDEXES_MAX, INDEX_KEYS_MAX, KEY_NAME_LEN_MAX, LOCAL_INDEXES_MAX, NON_KEY_ATTRIBUTES_MAX,
    NON_KEY_ATTRIBUTES_TOTAL_MAX,
};
pub use trail::{IndexEntry, PresentItem, Trail};
pub use transact::get::{TransactGet, TransactGetItems, TransactGetOutput};
pub use transact::prepare::{TRANSACTION_ACTIONS_MAX, TRANSACTION_BYTES_MAX};
pub use transact::tokens::TOKEN_AGE;
pub use transact::write::{ConditionCheck, TransactWrite, TransactWriteItems, TransactWriteOutput};
pub use ttl::{TimeToLive, TimeToLiveStatus};
pub use value::{AttributeValue, ITEM_SIZE_MAX, Item, NAME_LEN_MAX, NESTING_MAX, Set, SetMember, Type};
pub use verbs::delete::DeleteItem;
pub use verbs::get::{GetItem, GetItemOutput};
pub use verbs::metrics::ItemCollectionMetrics;
pub use verbs::put::{PutItem, WriteOutput};
pub use verbs::update::UpdateItem;

pub use crate::item;

use crate::store::Store;
use crate::store::catalog::ResourceKind;
use state::State;
use std::fmt;
use std::sync::Arc;

/// The tables of a store: the operations of the service by their names.
///
/// Cheap to clone; may be used from any thread.
///
/// ```
/// # let store = fourfold::Store::in_memory();
/// assert!(store.tables().list_tables(None, None)?.names.is_empty());
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone)]
pub struct Tables {
    pub(crate) store: Store,
    pub(crate) state: Arc<State>,
}

impl Store {
    /// The tables of this store.
    pub fn tables(&self) -> Tables {
        Tables { store: self.clone(), state: state_of(self) }
    }
}

/// The engine of a store.
pub(crate) fn state_of(store: &Store) -> Arc<State> {
    store.engine(ResourceKind::Table, State::new)
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Binary as the service writes it in its texts.
fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}
