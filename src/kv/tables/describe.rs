//! `DescribeTable`: what a table is, as the service says it.

use crate::clock::Timestamp;
use crate::kv::Tables;
use crate::kv::error::{Error, Result};
use crate::kv::record::{Definition, IndexDefinition, Provisioned};
use crate::kv::schema::{
    AttributeDefinition, BillingMode, KeyElement, OnDemandThroughput, Projection, ProjectionType,
    SseSpecification, StreamSpecification, TableClass, TableStatus, WarmThroughput,
};
use crate::kv::state::{Index, Shape, State, Table, plain_name};
use crate::kv::tables::validate::check_name;
use crate::store::Store;

/// A table as `DescribeTable` tells it. What is `None` or empty is left out of the service's answer.
///
/// ```
/// use fourfold::kv::{CreateTable, ScalarType, TableStatus};
/// # fn main() -> fourfold::kv::Result<()> {
/// let store = fourfold::Store::in_memory();
/// store.tables().create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// let users = store.tables().describe_table("users")?;
/// assert_eq!(users.table_status, Some(TableStatus::Active));
/// assert_eq!(users.table_arn, "arn:aws:dynamodb:us-east-1:000000000000:table/users");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TableDescription {
    /// Its name.
    pub table_name: String,
    /// Where it stands.
    pub table_status: Option<TableStatus>,
    /// When it was made.
    pub creation_date_time: Option<Timestamp>,
    /// Its keys.
    pub key_schema: Vec<KeyElement>,
    /// The types of all key attributes.
    pub attributes: Vec<AttributeDefinition>,
    /// Bytes of its items, as the service counts them.
    pub table_size_bytes: u64,
    /// Its items.
    pub item_count: u64,
    /// `arn:aws:dynamodb:<region>:<account>:table/<name>`.
    pub table_arn: String,
    /// A UUID, another for each table that ever was.
    pub table_id: String,
    /// Provisioned capacity; zeros if it is paid by request.
    pub throughput: ThroughputDescription,
    /// How it is paid for; none if it always was provisioned.
    pub billing_mode: Option<BillingMode>,
    /// When it last became paid by request.
    pub last_update_to_pay_per_request: Option<Timestamp>,
    /// Limits of a table paid by request.
    pub on_demand: Option<OnDemandThroughput>,
    /// Kept warm.
    pub warm: Option<WarmThroughput>,
    /// Local indexes.
    pub local_indexes: Vec<IndexDescription>,
    /// Global indexes.
    pub global_indexes: Vec<IndexDescription>,
    /// Whether changes are recorded, and how.
    pub stream: Option<StreamSpecification>,
    /// The label of its newest stream.
    pub latest_stream_label: Option<String>,
    /// The ARN of its newest stream.
    pub latest_stream_arn: Option<String>,
    /// Encryption, if a key was asked for.
    pub sse: Option<SseSpecification>,
    /// Its class, if one was given, and when it was changed.
    pub table_class: Option<(TableClass, Option<Timestamp>)>,
    /// Is it refused to delete it?
    pub deletion_protection: bool,
}

/// Provisioned capacity and its history.
///
/// ```
/// # use fourfold::kv::{CreateTable, ScalarType};
/// # let store = fourfold::Store::in_memory();
/// let table = CreateTable::new("users").hash("id", ScalarType::S).provisioned(5, 2);
/// let description = store.tables().create_table(table)?;
/// assert_eq!((description.throughput.read, description.throughput.write), (5, 2));
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThroughputDescription {
    /// Read capacity units.
    pub read: i64,
    /// Write capacity units.
    pub write: i64,
    /// When a unit was last added.
    pub last_increase: Option<Timestamp>,
    /// When a unit was last taken away.
    pub last_decrease: Option<Timestamp>,
    /// How often that was done on that day.
    pub decreases_today: u64,
}

/// An index as `DescribeTable` tells it.
///
/// ```
/// # use fourfold::kv::{CreateTable, Index, ScalarType};
/// # let store = fourfold::Store::in_memory();
/// # let table = CreateTable::new("users").hash("id", ScalarType::S);
/// # let table = table.attribute("mail", ScalarType::S).global_index(Index::new("by_mail").hash("mail"));
/// # store.tables().create_table(table)?;
/// let by_mail = &store.tables().describe_table("users")?.global_indexes[0];
/// assert!(by_mail.arn.ends_with("table/users/index/by_mail"));
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IndexDescription {
    /// Its name.
    pub name: String,
    /// Its keys.
    pub key_schema: Vec<KeyElement>,
    /// What it holds.
    pub projection: Projection,
    /// Where a global index stands; none for a local one.
    pub status: Option<TableStatus>,
    /// Are items from before it still being entered?
    pub backfilling: bool,
    /// Provisioned capacity of a global index.
    pub throughput: Option<ThroughputDescription>,
    /// Limits of a global index paid by request.
    pub on_demand: Option<OnDemandThroughput>,
    /// Kept warm.
    pub warm: Option<WarmThroughput>,
    /// Bytes of its entries, as the service counts them.
    pub size_bytes: u64,
    /// Its entries.
    pub item_count: u64,
    /// `<ARN of the table>/index/<name>`.
    pub arn: String,
}

impl Tables {
    /// What a table is.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is none.
    pub fn describe_table(&self, name: &str) -> Result<TableDescription> {
        self.store.call("DescribeTable", name, || self.do_describe_table(name))
    }

    fn do_describe_table(&self, name: &str) -> Result<TableDescription> {
        let (store, state) = (&self.store, &*self.state);
        let name = plain_name(name);
        check_name(name, "tableName")?;
        match state.find(store, name)? {
            Some(table) => self.description(&table),
            None => state.ghost(store, name).ok_or_else(|| Error::no_table(name)),
        }
    }

    pub(crate) fn description(&self, table: &Table) -> Result<TableDescription> {
        let store = &self.store;
        table.count(store)?;
        let shape = table.shape.read();
        let definition = &shape.definition;
        let indexes = |is_local: bool| {
            let pairs = definition.indexes.iter().zip(&shape.indexes);
            pairs
                .filter(move |(index, _)| index.is_local == is_local)
                .map(|(index, state)| describe_index(store, &table.name, definition, index, state))
                .collect::<Vec<_>>()
        };
        let (item_count, table_size_bytes) = table.counts.get();
        let mut description = TableDescription {
            table_name: table.name.clone(),
            table_status: Some(table.status(store, &shape)),
            creation_date_time: Some(definition.created),
            key_schema: definition.keys.clone(),
            attributes: definition.attributes.clone(),
            table_size_bytes,
            item_count,
            table_arn: table_arn(store, &table.name),
            table_id: hyphenated(definition.uuid),
            throughput: throughput(&definition.throughput),
            billing_mode: (definition.billing == BillingMode::PayPerRequest
                || definition.by_request_since.is_some())
            .then_some(definition.billing),
            last_update_to_pay_per_request: definition.by_request_since,
            on_demand: definition.on_demand,
            warm: definition.warm,
            local_indexes: indexes(true),
            global_indexes: indexes(false),
            stream: definition.stream.as_ref().map(|stream| StreamSpecification::enabled(stream.view)),
            latest_stream_label: definition.stream_label.clone(),
            latest_stream_arn: definition
                .stream_label
                .as_ref()
                .map(|label| format!("{}/stream/{label}", table_arn(store, &table.name))),
            sse: definition.sse.clone().filter(|sse| sse.enabled == Some(true)),
            table_class: definition.class.map(|class| (class, definition.class_changed)),
            deletion_protection: definition.is_protected,
        };
        table.describe_transit(store, &mut description);
        Ok(description)
    }
}

impl Table {
    fn status(&self, store: &Store, shape: &Shape) -> TableStatus {
        if self.is_creating(store) {
            TableStatus::Creating
        } else if self.is_updating(store) || shape.indexes.iter().any(|index| index.is_building) {
            TableStatus::Updating
        } else {
            TableStatus::Active
        }
    }

    /// Indexes that seem to be on their way in or out.
    fn describe_transit(&self, store: &Store, description: &mut TableDescription) {
        let now = store.now();
        let is_creating = self.is_creating(store);
        let mut passing = self.transit.indexes.lock();
        passing.retain(|(until, _)| now < *until);
        for index in &mut description.global_indexes {
            if is_creating {
                index.status = Some(TableStatus::Creating);
            }
        }
        for (_, index) in &*passing {
            match description.global_indexes.iter_mut().find(|known| known.name == index.name) {
                Some(known) => (known.status, known.backfilling) = (index.status, index.backfilling),
                None => description.global_indexes.push(index.clone()),
            }
        }
    }
}

impl State {
    /// A table that seems to be there after it was dropped.
    pub(crate) fn ghost(&self, store: &Store, name: &str) -> Option<TableDescription> {
        let mut ghosts = self.ghosts.lock();
        if ghosts.is_empty() {
            return None;
        }
        let now = store.now();
        ghosts.retain(|_, (until, _)| now < *until);
        ghosts.get(name).map(|(_, description)| description.clone())
    }

    pub(crate) fn is_ghost(&self, store: &Store, name: &str) -> bool {
        self.ghost(store, name).is_some()
    }
}

/// The ARN of a table.
pub(crate) fn table_arn(store: &Store, name: &str) -> String {
    store.arn("dynamodb", &format!("table/{name}"))
}

/// A UUID as text.
pub(crate) fn hyphenated(uuid: u128) -> String {
    let hex = format!("{uuid:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn throughput(provisioned: &Provisioned) -> ThroughputDescription {
    ThroughputDescription {
        read: provisioned.units.read,
        write: provisioned.units.write,
        last_increase: provisioned.increased,
        last_decrease: provisioned.decreased,
        decreases_today: provisioned.decreases,
    }
}

pub(crate) fn describe_index(
    store: &Store,
    table: &str,
    definition: &Definition,
    index: &IndexDefinition,
    state: &Index,
) -> IndexDescription {
    let (item_count, size_bytes) = state.counts.get();
    let names = index.non_key_attributes.clone();
    let status = if index.is_building { TableStatus::Creating } else { TableStatus::Active };
    let is_by_request = definition.billing == BillingMode::PayPerRequest;
    IndexDescription {
        name: index.name.clone(),
        key_schema: index.keys.clone(),
        projection: Projection {
            projection_type: Some(index.projection),
            non_key_attributes: (index.projection == ProjectionType::Include).then_some(names),
        },
        status: (!index.is_local).then_some(status),
        backfilling: index.is_building,
        throughput: (!index.is_local).then(|| {
            if is_by_request { ThroughputDescription::default() } else { throughput(&index.throughput) }
        }),
        on_demand: index.on_demand,
        warm: index.warm,
        size_bytes,
        item_count,
        arn: format!("{}/index/{}", table_arn(store, table), index.name),
    }
}
