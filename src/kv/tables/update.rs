//! `UpdateTable`.

use crate::Batch;
use crate::kv::error::{Error, Result};
use crate::kv::feed_locks::Wakes;
use crate::kv::record::{Definition, Provisioned, StreamDefinition};
use crate::kv::schema::{
    AttributeDefinition, BillingMode, Index, KeyElement, OnDemandThroughput, SseSpecification,
    StreamSpecification, StreamViewType, TableClass, TableStatus, Throughput, WarmThroughput,
};
use crate::kv::state::{Shape, Table, plain_name};
use crate::kv::tables::capacity::{check_on_demand, keep_warm, raise_warm};
use crate::kv::tables::create::define_index;
use crate::kv::tables::delete::in_use;
use crate::kv::tables::together::{check_alone, check_apart, check_sse_change, check_warm_indexes};
use crate::kv::tables::validate::{
    GLOBAL_INDEXES_MAX, check_global, check_index_billing, check_name, check_projected_total, check_stream,
    check_throughput,
};
use crate::kv::{IndexDescription, TableDescription, Tables, changes};
use crate::store::pending::Pending;
use std::collections::BTreeSet;
use std::iter;

const INVALID: &str = "One or more parameter values were invalid: ";

/// What is to change about a table; what is not said stays as it is.
///
/// ```
/// use fourfold::kv::{CreateTable, GlobalIndexUpdate, Index, ScalarType, UpdateTable};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let tables = store.tables();
/// # tables.create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// let by_mail = Index::new("by_mail").hash("mail");
/// tables.update_table(UpdateTable::new("users").attribute("mail", ScalarType::S).create_index(by_mail))?;
/// assert_eq!(tables.describe_table("users")?.global_indexes.len(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateTable {
    /// The table.
    pub table: String,
    /// Types of attributes that a new index uses.
    pub attributes: Vec<AttributeDefinition>,
    /// How it is to be paid for.
    pub billing_mode: Option<BillingMode>,
    /// Provisioned capacity.
    pub throughput: Option<Throughput>,
    /// Limits of a table paid by request.
    pub on_demand: Option<OnDemandThroughput>,
    /// Kept warm.
    pub warm: Option<WarmThroughput>,
    /// Global indexes to make, change, drop: one at most to make or drop.
    pub global_index_updates: Vec<GlobalIndexUpdate>,
    /// Whether changes are to be recorded.
    pub stream: Option<StreamSpecification>,
    /// Encryption.
    pub sse: Option<SseSpecification>,
    /// Storage class.
    pub table_class: Option<TableClass>,
    /// Is it refused to delete the table?
    pub deletion_protection: Option<bool>,
}

/// What is to happen to a global index.
///
/// ```
/// let drop = fourfold::kv::GlobalIndexUpdate::Delete("by_mail".into());
/// assert_ne!(drop, fourfold::kv::GlobalIndexUpdate::Delete("by_age".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GlobalIndexUpdate {
    /// It is made, and holds what the table holds.
    Create(Index),
    /// Its capacity changes; key schema and projection of the index given here are not looked at.
    Update(Index),
    /// It is dropped.
    Delete(String),
}

impl UpdateTable {
    /// No change yet.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), ..Self::default() }
    }

    /// The type of an attribute that a new index uses.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, scalar_type: crate::kv::ScalarType) -> Self {
        self.attributes.push(AttributeDefinition::new(name, scalar_type));
        self
    }

    /// Makes a global index.
    #[must_use]
    pub fn create_index(mut self, index: Index) -> Self {
        self.global_index_updates.push(GlobalIndexUpdate::Create(index));
        self
    }

    /// Drops a global index.
    #[must_use]
    pub fn delete_index(mut self, name: impl Into<String>) -> Self {
        self.global_index_updates.push(GlobalIndexUpdate::Delete(name.into()));
        self
    }

    /// Starts to record changes, or stops.
    #[must_use]
    pub fn stream(mut self, stream: StreamSpecification) -> Self {
        self.stream = Some(stream);
        self
    }

    fn is_empty(&self) -> bool {
        let Self { table, attributes, .. } = self;
        *self == Self { table: table.clone(), attributes: attributes.clone(), ..Self::default() }
    }
}

impl Tables {
    /// Changes a table. A new index is complete when this returns; the answer says `UPDATING`, as the service's does.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, `ResourceInUseException` while another change is under way,
    /// `LimitExceededException` for more than one index to make or drop, `ValidationException`.
    #[expect(clippy::needless_pass_by_value, reason = "all writes take their request alike")]
    pub fn update_table(&self, request: UpdateTable) -> Result<TableDescription> {
        self.store.call("UpdateTable", &request.table, || Ok(self.stage_update_table(&request)?.wait()?))
    }

    /// [`update_table`](Self::update_table) that holds no thread while it waits for the disk. Filling a new index is done
    /// by the thread that polls.
    pub async fn update_table_async(&self, request: UpdateTable) -> Result<TableDescription> {
        self.store
            .call_async("UpdateTable", &request.table, async {
                Ok(self.stage_update_table(&request)?.done().await?)
            })
            .await
    }

    fn stage_update_table(&self, request: &UpdateTable) -> Result<Pending<TableDescription>> {
        let (store, state) = (&self.store, &*self.state);
        let name = plain_name(&request.table);
        check_name(name, "tableName")?;
        check_request(request)?;
        state.load(store)?;
        let mut wakes = Wakes::default();
        let _control = state.control.lock();
        let table = state.find(store, name)?.ok_or_else(|| Error::no_table(name))?;
        if table.is_creating(store) {
            return Err(in_use("created", &table.name));
        }
        if table.is_updating(store) {
            return Err(in_use("updated", &table.name));
        }
        let before = self.description(&table)?;
        let mut shape = table.shape.write();
        let mut pending = self.change_shape(&table, &mut shape, request, &mut wakes)?;
        let builds = shape.has_building();
        drop(shape);
        if builds {
            let updated = state.build(store, &table)?;
            pending = updated;
        }
        let mut description = self.description(&table)?;
        // What was asked for is told only once it is so; to protect a table takes no time.
        if request.deletion_protection.is_none() {
            self.begin_transition(&table.transit.updating_until);
            description.table_status = Some(TableStatus::Updating);
        }
        if before.throughput.read > 0 && description.throughput.read > 0 {
            description.throughput.read = before.throughput.read;
            description.throughput.write = before.throughput.write;
        }
        if request.warm.is_some() {
            description.warm = before.warm;
        }
        self.begin_index_transitions(&table, &before, &mut description, request);
        Ok(pending.map(|()| description))
    }

    /// Decides what the table is to be, and makes it so.
    fn change_shape(
        &self,
        table: &Table,
        shape: &mut Shape,
        request: &UpdateTable,
        wakes: &mut Wakes,
    ) -> Result<Pending<()>> {
        let (store, state) = (&self.store, &*self.state);
        let mut definition = (*shape.definition).clone();
        let mut batch = store.batch();
        check_apart(&definition, request)?;
        self.change_settings(&mut definition, request)?;
        self.change_indexes(&table.name, &mut definition, &mut batch, request)?;
        keep_warm(&shape.definition, &mut definition);
        let mut new_feed = None;
        match request.stream.map(|stream| check_stream(stream, false)).transpose()? {
            None => {}
            Some(Some(view)) => {
                let feed = self.begin_stream(table, &mut definition, &mut batch, view)?;
                new_feed = Some(feed);
            }
            Some(None) => match &shape.feed {
                Some(feed) => {
                    feed.stage_end(store, &mut batch)?;
                    definition.stream = None;
                }
                None => {
                    return Err(Error::validation(format!(
                        "Table has no stream to disable: TableName: {}",
                        table.name
                    )));
                }
            },
        }
        batch.put_resource(
            crate::store::catalog::ResourceKind::Table,
            &table.name,
            &definition.spaces(),
            &crate::kv::record::encode(&definition),
        )?;
        let pending = store.commit(batch)?;
        if let Some(feed) = new_feed {
            state.feeds.insert(store, feed)?;
        } else if definition.stream.is_none()
            && let Some(feed) = &shape.feed
        {
            feed.apply_end(store, wakes);
        }
        let known = shape.indexes.clone();
        *shape = Shape::open(store, state, &table.name, definition, &known)?;
        for index in
            shape.indexes.iter().filter(|index| known.iter().all(|old| old.space.id() != index.space.id()))
        {
            index.counts.start();
        }
        Ok(pending)
    }

    fn begin_stream(
        &self,
        table: &Table,
        definition: &mut Definition,
        batch: &mut Batch,
        view: StreamViewType,
    ) -> Result<changes::feed::NewFeed> {
        if definition.stream.is_some() {
            let name = &table.name;
            return Err(Error::validation(format!("Table already has an enabled stream: TableName: {name}")));
        }
        let feed = changes::feed::create(&self.store, batch, &table.name, &definition.keys, view)?;
        definition.stream = Some(StreamDefinition { label: feed.label.clone(), view });
        definition.stream_label = Some(feed.label.clone());
        Ok(feed)
    }

    /// Settings that are kept.
    fn change_settings(&self, definition: &mut Definition, request: &UpdateTable) -> Result<()> {
        let now = self.store.now();
        let billing = request.billing_mode.unwrap_or(definition.billing);
        match (billing, request.throughput) {
            (BillingMode::PayPerRequest, Some(_)) => {
                return Err(Error::validation(format!(
                    "{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is \
                     PAY_PER_REQUEST"
                )));
            }
            (BillingMode::Provisioned, None) if definition.billing == BillingMode::PayPerRequest => {
                return Err(Error::validation(format!(
                    "{INVALID}ProvisionedThroughput must be specified when BillingMode is PROVISIONED"
                )));
            }
            (BillingMode::Provisioned, Some(units)) => {
                if definition.billing == BillingMode::PayPerRequest {
                    check_all_provisioned(definition, request)?;
                }
                change_throughput(&mut definition.throughput, units, now, None)?;
            }
            (_, None) => {}
        }
        if billing != definition.billing {
            definition.billing = billing;
            if billing == BillingMode::PayPerRequest {
                definition.by_request_since = Some(now);
                definition.throughput = Provisioned::default();
                definition.indexes.iter_mut().for_each(|index| index.throughput = Provisioned::default());
            }
        }
        if let Some(limits) = request.on_demand {
            check_on_demand(Some(limits), billing, None, true)?;
            definition.on_demand = limited(limits);
        }
        if let Some(warm) = request.warm {
            let units = definition.throughput.units;
            definition.warm = Some(raise_warm(warm, definition.warm, billing, units, None)?);
        }
        if let Some(sse) = &request.sse {
            check_sse_change(sse, definition.sse.as_ref())?;
            definition.sse = Some(sse.clone());
        }
        if let Some(class) = request.table_class {
            (definition.class, definition.class_changed) = (Some(class), Some(now));
        }
        definition.is_protected = request.deletion_protection.unwrap_or(definition.is_protected);
        Ok(())
    }

    fn change_indexes(
        &self,
        table: &str,
        definition: &mut Definition,
        batch: &mut Batch,
        request: &UpdateTable,
    ) -> Result<()> {
        add_attributes(definition, request)?;
        for update in &request.global_index_updates {
            match update {
                GlobalIndexUpdate::Create(index) => {
                    create_index(definition, batch, index, &request.attributes)?;
                }
                GlobalIndexUpdate::Delete(name) => {
                    check_index(table, definition, name, "delete")?;
                    let found = definition.indexes.iter().position(|index| index.name == *name);
                    let index = definition.indexes.remove(found.ok_or_else(|| no_index(table, name))?);
                    batch.drop_space(index.space)?;
                }
                GlobalIndexUpdate::Update(changed) => {
                    let now = self.store.now();
                    let (billing, name) = (definition.billing, changed.name.as_str());
                    check_index(table, definition, name, "update")?;
                    let found = definition.indexes.iter_mut().find(|index| index.name == name);
                    let index = found.ok_or_else(|| no_index(table, name))?;
                    let on_demand =
                        changed.on_demand.filter(|limits| *limits != OnDemandThroughput::default());
                    if changed.throughput.is_some() || (on_demand, changed.warm) == (None, None) {
                        check_index_capacity(billing, request.billing_mode, name)?;
                    }
                    if let Some(units) = changed.throughput {
                        change_throughput(&mut index.throughput, units, now, Some(name))?;
                    }
                    check_on_demand(changed.on_demand, billing, Some(name), true)?;
                    index.on_demand = changed.on_demand.map_or(index.on_demand, limited);
                    if let Some(warm) = changed.warm {
                        let units = index.throughput.units;
                        index.warm = Some(raise_warm(warm, index.warm, billing, units, Some(name))?);
                    }
                }
            }
        }
        remove_unused_attributes(definition);
        Ok(())
    }

    /// With the dial on, indexes that come or go are seen to do so for a while.
    fn begin_index_transitions(
        &self,
        table: &Table,
        before: &TableDescription,
        after: &mut TableDescription,
        request: &UpdateTable,
    ) {
        let lasts = self.state.dials.read().transitions;
        let until = self.store.now() + lasts;
        let mut passing: Vec<IndexDescription> = Vec::new();
        for update in &request.global_index_updates {
            let found = match update {
                GlobalIndexUpdate::Create(made) => {
                    let made = after.global_indexes.iter_mut().find(|index| index.name == made.name);
                    made.map(|index| {
                        (index.status, index.backfilling) = (Some(TableStatus::Creating), true);
                        index.clone()
                    })
                }
                GlobalIndexUpdate::Delete(name) => {
                    let gone = before.global_indexes.iter().find(|index| index.name == *name);
                    gone.map(|index| {
                        let mut index = index.clone();
                        index.status = Some(TableStatus::Deleting);
                        after.global_indexes.push(index.clone());
                        index
                    })
                }
                GlobalIndexUpdate::Update(_) => None,
            };
            passing.extend(found);
        }
        if !lasts.is_zero() {
            table.transit.indexes.lock().extend(passing.into_iter().map(|index| (until, index)));
        }
    }
}

fn limited(limits: OnDemandThroughput) -> Option<OnDemandThroughput> {
    let some = |limit: Option<i64>| limit.filter(|limit| *limit != -1);
    let limits = OnDemandThroughput { max_read: some(limits.max_read), max_write: some(limits.max_write) };
    (limits != OnDemandThroughput::default()).then_some(limits)
}

fn no_index(table: &str, name: &str) -> Error {
    Error::ResourceNotFound {
        message: format!("Requested resource not found: Index {name} for table {table}").into(),
    }
}

/// Is this a global index of the table?
fn check_index(table: &str, definition: &Definition, name: &str, how: &str) -> Result<()> {
    match definition.index(name) {
        None => Err(no_index(table, name)),
        Some(index) if index.is_local => Err(Error::validation(format!(
            "Cannot {how} an index that is not a GlobalSecondaryIndex: {name}"
        ))),
        Some(_) => Ok(()),
    }
}

/// Can an index be provisioned?
fn check_index_capacity(billing: BillingMode, asked: Option<BillingMode>, name: &str) -> Result<()> {
    match (billing, asked) {
        (BillingMode::Provisioned, _) => Ok(()),
        (BillingMode::PayPerRequest, Some(_)) => Err(Error::validation(format!(
            "{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: {name} when \
             BillingMode is PAY_PER_REQUEST"
        ))),
        (BillingMode::PayPerRequest, None) => Err(Error::validation(format!(
            "{INVALID}The only Updates for index: {name} when TableThroughputMode is PAY_PER_REQUEST can be to \
             OnDemandThroughput, WarmThroughput"
        ))),
    }
}

fn check_request(request: &UpdateTable) -> Result<()> {
    if request.is_empty() {
        return Err(Error::validation(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, \
             SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, \
             MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is \
             required",
        ));
    }
    check_warm_indexes(request)?;
    check_alone(request)?;
    let updates = &request.global_index_updates;
    let mut names = BTreeSet::new();
    for update in updates {
        let name = match update {
            GlobalIndexUpdate::Create(index) | GlobalIndexUpdate::Update(index) => &index.name,
            GlobalIndexUpdate::Delete(name) => name,
        };
        check_name(name, "globalSecondaryIndexUpdates.1.member.indexName")?;
        if !names.insert(name) {
            return Err(Error::validation(format!(
                "{INVALID}Only one global secondary index update per index is allowed simultaneously. Index: {name}"
            )));
        }
    }
    if updates.iter().filter(|update| !matches!(update, GlobalIndexUpdate::Update(_))).count() > 1 {
        return Err(Error::LimitExceeded {
            message: "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
                .into(),
        });
    }
    Ok(())
}

fn change_throughput(
    provisioned: &mut Provisioned,
    units: Throughput,
    now: crate::Timestamp,
    index: Option<&str>,
) -> Result<()> {
    check_throughput(units, index)?;
    let old = provisioned.units;
    if units == old {
        let what = index.map_or_else(|| "the table".to_owned(), |index| format!("index {index}"));
        let the = if index.is_some() { "the " } else { "" };
        return Err(Error::validation(format!(
            "The provisioned throughput for {the}{what} will not change. The requested value equals the current value. \
             Current ReadCapacityUnits provisioned for {what}: {}. Requested ReadCapacityUnits: {}. Current \
             WriteCapacityUnits provisioned for {what}: {}. Requested WriteCapacityUnits: {}. Refer to the Amazon \
             DynamoDB Developer Guide for current limits and how to request higher limits.",
            old.read, units.read, old.write, units.write
        )));
    }
    if units.read > old.read || units.write > old.write {
        provisioned.increased = Some(now);
    }
    if units.read < old.read || units.write < old.write {
        let day = |at: crate::Timestamp| at.as_secs() / (24 * 60 * 60);
        let is_same_day = provisioned.decreased.is_some_and(|at| day(at) == day(now));
        provisioned.decreases = if is_same_day { provisioned.decreases + 1 } else { 1 };
        provisioned.decreased = Some(now);
    }
    provisioned.units = units;
    Ok(())
}

/// With its table, every global index becomes provisioned.
fn check_all_provisioned(definition: &Definition, request: &UpdateTable) -> Result<()> {
    let is_given = |name: &str| {
        request.global_index_updates.iter().any(|update| match update {
            GlobalIndexUpdate::Update(index) => index.name == name && index.throughput.is_some(),
            GlobalIndexUpdate::Delete(gone) => gone == name,
            GlobalIndexUpdate::Create(_) => false,
        })
    };
    let missing = definition.indexes.iter().filter(|index| !index.is_local && !is_given(&index.name));
    let missing: Vec<&str> = missing.map(|index| &*index.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(",");
    Err(Error::validation(format!("{INVALID}ProvisionedThroughput must be specified for index: {missing}")))
}

/// The types of the attributes of new indexes join the others, which may not change. Nothing else is said by them.
fn add_attributes(definition: &mut Definition, request: &UpdateTable) -> Result<()> {
    let creates = |update: &GlobalIndexUpdate| matches!(update, GlobalIndexUpdate::Create(_));
    if !request.global_index_updates.iter().any(creates) {
        return Ok(());
    }
    for attribute in &request.attributes {
        match definition.scalar_type(&attribute.name) {
            None => definition.attributes.push(attribute.clone()),
            Some(known) if known == attribute.scalar_type => {}
            Some(_) => return Err(redefined(definition, request, attribute)),
        }
    }
    Ok(())
}

/// The refusal of another type of an attribute that is part of a key: with the keys that there are and the new ones.
#[cold]
fn redefined(definition: &Definition, request: &UpdateTable, attribute: &AttributeDefinition) -> Error {
    let has = |keys: &&Vec<KeyElement>| keys.iter().any(|key| key.name == attribute.name);
    let there = iter::once(&definition.keys).chain(definition.indexes.iter().map(|index| &index.keys));
    let new = request.global_index_updates.iter().filter_map(|update| match update {
        GlobalIndexUpdate::Create(index) => Some(&index.key_schema),
        _ => None,
    });
    let told = |keys: Option<&Vec<KeyElement>>, is_new: bool| {
        let keys = keys.into_iter().flatten().map(|key| {
            let given = request.attributes.iter().find(|given| is_new && given.name == key.name);
            let kind = given.map(|given| given.scalar_type).or_else(|| definition.scalar_type(&key.name));
            let kind = kind.map(|kind| kind.to_string()).unwrap_or_default();
            format!("SchemaElement: key{{{}:{kind}:{}}}", key.name, key.key_type.name())
        });
        format!("Schema:[{}]", keys.collect::<Vec<_>>().join(", "))
    };
    let (there, new) = (told(there.into_iter().find(has), false), told(new.into_iter().find(has), true));
    Error::validation(format!(
        "{INVALID}Attributes cannot be redefined. Please check that your attribute has the same type as previously \
         defined. Existing schema: {there} New schema: {new}"
    ))
}

fn create_index(
    definition: &mut Definition,
    batch: &mut Batch,
    index: &Index,
    given: &[AttributeDefinition],
) -> Result<()> {
    // The request says the types of all its keys, also of those that are known.
    if given.is_empty() {
        let name = &index.name;
        return Err(Error::validation(format!(
            "{INVALID}AttributeDefinitions is not specified for index: {name}"
        )));
    }
    check_global(index, given)?;
    check_index_billing(index, definition.billing)?;
    if definition.index(&index.name).is_some() {
        return Err(Error::validation("Attempting to create an index which already exists"));
    }
    let globals = definition.indexes.iter().filter(|index| !index.is_local).count();
    if globals >= GLOBAL_INDEXES_MAX {
        return Err(Error::LimitExceeded {
            message: format!(
                "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of \
                 {GLOBAL_INDEXES_MAX}"
            )
            .into(),
        });
    }
    let mut made = define_index(index.clone(), false, batch.create_space()?);
    made.is_building = true;
    definition.indexes.push(made);
    check_projected_total(definition.indexes.iter().map(|index| index.non_key_attributes.len()).sum())
}

/// Attributes that no key uses are not known any more, or never become so.
fn remove_unused_attributes(definition: &mut Definition) {
    let keys = definition.keys.iter().chain(definition.indexes.iter().flat_map(|index| &index.keys));
    let used: BTreeSet<String> = keys.map(|element| element.name.clone()).collect();
    definition.attributes.retain(|attribute| used.contains(&attribute.name));
}
