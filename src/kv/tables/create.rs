//! `CreateTable`.

use crate::kv::error::{Error, Result};
use crate::kv::record::{self, Definition, IndexDefinition, Provisioned, StreamDefinition};
use crate::kv::schema::{
    AttributeDefinition, BillingMode, Index, KeyElement, OnDemandThroughput, ProjectionType, ScalarType,
    SseSpecification, StreamSpecification, StreamViewType, TableClass, Tag, Throughput, WarmThroughput,
};
use crate::kv::state::Table;
use crate::kv::tables::tags::check_tags;
use crate::kv::tables::validate::{check_create, check_stream};
use crate::kv::{TableDescription, TableStatus, Tables, changes};
use crate::store::catalog::ResourceKind;
use crate::store::pending::Pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A table to be made.
///
/// ```
/// use fourfold::kv::{CreateTable, Index, ScalarType};
/// # fn main() -> fourfold::kv::Result<()> {
/// let store = fourfold::Store::in_memory();
/// let users = store.tables().create_table(
///     CreateTable::new("users")
///         .hash("id", ScalarType::S)
///         .attribute("mail", ScalarType::S)
///         .global_index(Index::new("by_mail").hash("mail")),
/// )?;
/// assert_eq!(users.global_indexes[0].name, "by_mail");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateTable {
    /// 3 to 255 of `a-z`, `A-Z`, `0-9`, `_`, `-`, `.`.
    pub name: String,
    /// The type of each attribute that a key of table or index uses, and of no other.
    pub attributes: Vec<AttributeDefinition>,
    /// A partition key, and a sort key or not.
    pub key_schema: Vec<KeyElement>,
    /// At most 5, each with the table's partition key.
    pub local_indexes: Option<Vec<Index>>,
    /// At most 20.
    pub global_indexes: Option<Vec<Index>>,
    /// The service's default is [`Provisioned`](BillingMode::Provisioned).
    pub billing_mode: Option<BillingMode>,
    /// For a provisioned table alone, and there needed.
    pub throughput: Option<Throughput>,
    /// Kept, without effect unless a dial says so.
    pub on_demand: Option<OnDemandThroughput>,
    /// Kept, without effect.
    pub warm: Option<WarmThroughput>,
    /// Whether changes are recorded.
    pub stream: Option<StreamSpecification>,
    /// Kept, without effect.
    pub sse: Option<SseSpecification>,
    /// At most 50.
    pub tags: Vec<Tag>,
    /// Kept, without effect.
    pub table_class: Option<TableClass>,
    /// Is it refused to delete the table?
    pub deletion_protection: bool,
}

impl CreateTable {
    /// A table paid by request, without keys yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), billing_mode: Some(BillingMode::PayPerRequest), ..Self::default() }
    }

    /// Its partition key.
    #[must_use]
    pub fn hash(mut self, attribute: impl Into<String>, scalar_type: ScalarType) -> Self {
        let name = attribute.into();
        self.key_schema.push(KeyElement::hash(name.clone()));
        self.attribute(name, scalar_type)
    }

    /// Its sort key.
    #[must_use]
    pub fn range(mut self, attribute: impl Into<String>, scalar_type: ScalarType) -> Self {
        let name = attribute.into();
        self.key_schema.push(KeyElement::range(name.clone()));
        self.attribute(name, scalar_type)
    }

    /// The type of an attribute that an index uses.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, scalar_type: ScalarType) -> Self {
        self.attributes.push(AttributeDefinition::new(name, scalar_type));
        self
    }

    /// Adds a local index.
    #[must_use]
    pub fn local_index(mut self, index: Index) -> Self {
        self.local_indexes.get_or_insert_default().push(index);
        self
    }

    /// Adds a global index.
    #[must_use]
    pub fn global_index(mut self, index: Index) -> Self {
        self.global_indexes.get_or_insert_default().push(index);
        self
    }

    /// Is provisioned with so many units.
    #[must_use]
    pub fn provisioned(mut self, read: i64, write: i64) -> Self {
        self.billing_mode = Some(BillingMode::Provisioned);
        self.throughput = Some(Throughput { read, write });
        self
    }

    /// Records changes.
    #[must_use]
    pub fn stream(mut self, view_type: StreamViewType) -> Self {
        self.stream = Some(StreamSpecification::enabled(view_type));
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.push(Tag::new(key, value));
        self
    }
}

impl Tables {
    /// Makes a table. The answer says `CREATING`, as the service's does; the table can be used at once, unless
    /// [`Dials::transitions`](crate::kv::Dials::transitions) says otherwise.
    ///
    /// # Errors
    /// `ResourceInUseException` if there is a table of this name, `ValidationException` for a definition that the
    /// service refuses, `LimitExceededException` for more than 20 global indexes.
    pub fn create_table(&self, request: CreateTable) -> Result<TableDescription> {
        let resource = self.store.call_name(&request.name);
        self.store.call("CreateTable", &resource, || Ok(self.stage_create(request)?.wait()?))
    }

    /// [`create_table`](Self::create_table) that holds no thread while it waits.
    pub async fn create_table_async(&self, request: CreateTable) -> Result<TableDescription> {
        let resource = self.store.call_name(&request.name);
        self.store
            .call_async("CreateTable", &resource, async { Ok(self.stage_create(request)?.done().await?) })
            .await
    }

    fn stage_create(&self, request: CreateTable) -> Result<Pending<TableDescription>> {
        check_create(&request)?;
        check_tags(&request.tags)?;
        let view = request.stream.map(|stream| check_stream(stream, true)).transpose()?.flatten();
        let (store, state) = (&self.store, &*self.state);
        state.load(store)?;
        let control = state.control.lock();
        if state.find(store, &request.name)?.is_some() || state.is_ghost(store, &request.name) {
            return Err(Error::table_exists(&request.name));
        }
        let mut batch = store.batch();
        let name = request.name.clone();
        let mut definition = self.define(request, &mut batch)?;
        let feed = match view {
            Some(view) => {
                let feed = changes::feed::create(store, &mut batch, &name, &definition.keys, view)?;
                definition.stream = Some(StreamDefinition { label: feed.label.clone(), view });
                definition.stream_label = Some(feed.label.clone());
                Some(feed)
            }
            None => None,
        };
        batch.put_resource(ResourceKind::Table, &name, &definition.spaces(), &record::encode(&definition))?;
        let pending = store.commit(batch)?;
        if let Some(feed) = feed {
            state.feeds.insert(store, feed)?;
        }
        let table = Arc::new(Table::open(store, state, &name, definition)?);
        table.counts.start();
        table.shape.read().indexes.iter().for_each(|index| index.counts.start());
        self.begin_transition(&table.transit.creating_until);
        let mut description = self.description(&table)?;
        description.table_status = Some(TableStatus::Creating);
        for index in &mut description.global_indexes {
            index.status = Some(TableStatus::Creating);
        }
        state.insert(table);
        drop(control);
        Ok(pending.map(|()| description))
    }

    /// What the catalog is to say of the table, and its keyspaces.
    fn define(&self, request: CreateTable, batch: &mut crate::Batch) -> Result<Definition> {
        let now = self.store.now();
        let billing = request.billing_mode.unwrap_or(BillingMode::Provisioned);
        let locals = request.local_indexes.into_iter().flatten().map(|index| (true, index));
        let globals = request.global_indexes.into_iter().flatten().map(|index| (false, index));
        let mut indexes = Vec::new();
        for (is_local, index) in locals.chain(globals) {
            indexes.push(define_index(index, is_local, batch.create_space()?));
        }
        Ok(Definition {
            uuid: u128::from_be_bytes(self.store.random().uuid()),
            created: now,
            items: batch.create_space()?,
            attributes: request.attributes,
            keys: request.key_schema,
            indexes,
            billing,
            by_request_since: (billing == BillingMode::PayPerRequest).then_some(now),
            throughput: provisioned(request.throughput),
            on_demand: request.on_demand,
            warm: request.warm,
            class: request.table_class,
            class_changed: None,
            sse: request.sse,
            is_protected: request.deletion_protection,
            tags: request.tags,
            stream: None,
            stream_label: None,
            ttl: None,
            ttl_changed: None,
        })
    }

    /// A state that lasts as long as the dial says.
    pub(crate) fn begin_transition(&self, until: &std::sync::atomic::AtomicU64) {
        let lasts = self.state.dials.read().transitions;
        if !lasts.is_zero() {
            until.store((self.store.now() + lasts).as_millis(), Ordering::Relaxed);
        }
    }
}

fn provisioned(units: Option<Throughput>) -> Provisioned {
    Provisioned { units: units.unwrap_or_default(), ..Provisioned::default() }
}

/// What the catalog is to say of an index in the keyspace `space`.
pub(crate) fn define_index(index: Index, is_local: bool, space: u32) -> IndexDefinition {
    IndexDefinition {
        name: index.name,
        is_local,
        space,
        keys: index.key_schema,
        projection: index.projection.projection_type.unwrap_or(ProjectionType::All),
        non_key_attributes: index.projection.non_key_attributes.unwrap_or_default(),
        throughput: provisioned(index.throughput),
        on_demand: index.on_demand,
        warm: index.warm,
        is_building: false,
    }
}
