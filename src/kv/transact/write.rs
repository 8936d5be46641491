//! `TransactWriteItems`.

use crate::kv::Tables;
use crate::kv::batch::write::add_metrics;
use crate::kv::capacity::{Bill, ConsumedCapacity, Kind, ReturnConsumedCapacity};
use crate::kv::error::{CancellationReason, Error, Result};
use crate::kv::feed_locks::Wakes;
use crate::kv::keys::Key;
use crate::kv::request::{ConditionParts, condition_methods};
use crate::kv::state::Table;
use crate::kv::tables::validate::constraint;
use crate::kv::throttle;
use crate::kv::transact::prepare::Prepared;
use crate::kv::value::Item;
use crate::kv::verbs::delete::DeleteItem;
use crate::kv::verbs::metrics::{ItemCollectionMetrics, item_collection_metrics as metrics_of};
use crate::kv::verbs::put::PutItem;
use crate::kv::verbs::update::UpdateItem;
use crate::kv::write::{Effect, commit, shape_of};
use crate::store::pending::Pending;
use std::collections::BTreeMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// One action of a transaction. What its request says of values and capacity to return is not looked at.
///
/// ```
/// use fourfold::kv::{PutItem, TransactWrite, item};
/// let put = TransactWrite::from(PutItem::new("users", item! { "id" => "ann" }));
/// assert!(matches!(put, TransactWrite::Put(_)));
/// ```
#[derive(Clone, Debug)]
pub enum TransactWrite {
    /// Puts an item.
    Put(PutItem),
    /// Updates an item.
    Update(UpdateItem),
    /// Deletes an item.
    Delete(DeleteItem),
    /// Changes nothing, but must hold.
    Check(ConditionCheck),
}

/// A condition on an item that a transaction does not change.
///
/// ```
/// use fourfold::kv::{ConditionCheck, item};
/// let check = ConditionCheck::new("users", item! { "id" => "ann" }).condition("attribute_exists(id)");
/// assert!(check.when.condition.is_some());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ConditionCheck {
    /// The table.
    pub table: String,
    /// The key attributes and nothing else.
    pub key: Item,
    /// What must hold; it must be given.
    pub when: ConditionParts,
}

impl ConditionCheck {
    /// A check of the item with this key, without a condition yet.
    pub fn new(table: impl Into<String>, key: Item) -> Self {
        Self { table: table.into(), key, ..Self::default() }
    }

    condition_methods!();
}

macro_rules! from {
    ($($Request:ident => $Action:ident),+) => {
        $(impl From<$Request> for TransactWrite {
            fn from(request: $Request) -> Self {
                Self::$Action(request)
            }
        })+
    };
}

from!(PutItem => Put, UpdateItem => Update, DeleteItem => Delete, ConditionCheck => Check);

impl TransactWrite {
    pub(crate) fn table(&self) -> &str {
        match self {
            Self::Put(request) => &request.table,
            Self::Update(request) => &request.table,
            Self::Delete(request) => &request.table,
            Self::Check(request) => &request.table,
        }
    }

    pub(crate) fn when(&self) -> &ConditionParts {
        match self {
            Self::Put(request) => &request.when,
            Self::Update(request) => &request.when,
            Self::Delete(request) => &request.when,
            Self::Check(request) => &request.when,
        }
    }

    /// Bytes of what it carries.
    pub(crate) fn size(&self) -> usize {
        let item = match self {
            Self::Put(request) => &request.item,
            Self::Update(request) => &request.key,
            Self::Delete(request) => &request.key,
            Self::Check(request) => &request.key,
        };
        item.size() + self.when().values.as_ref().map_or(0, Item::size)
    }
}

/// Up to 100 actions, all or none.
///
/// ```
/// use fourfold::kv::{CreateTable, ScalarType, TransactWriteItems, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let tables = store.tables();
/// # tables.create_table(CreateTable::new("accounts").hash("id", ScalarType::S))?;
/// let accounts = tables.table("accounts");
/// accounts.put(item! { "id" => "ann", "balance" => 100 })?;
/// accounts.put(item! { "id" => "bob", "balance" => 0 })?;
/// let pay = TransactWriteItems::new()
///     .action(
///         accounts
///             .update(item! { "id" => "ann" })
///             .update("SET balance = balance - :sum")
///             .condition("balance >= :sum")
///             .value(":sum", 30),
///     )
///     .action(accounts.update(item! { "id" => "bob" }).update("ADD balance :sum").value(":sum", 30))
///     .token("payment-17");
/// tables.transact_write_items(&pay)?;
/// tables.transact_write_items(&pay)?; // the same token: not done again
/// assert_eq!(accounts.get(item! { "id" => "bob" })?.expect("he is there")["balance"], 30.into());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct TransactWriteItems {
    /// The actions, no two on one item.
    pub actions: Vec<TransactWrite>,
    /// 1 to 36 characters: sent again within ten minutes, the transaction is not done again.
    pub client_request_token: Option<String>,
    /// Is the consumed capacity told?
    pub return_consumed_capacity: Option<ReturnConsumedCapacity>,
    /// Are the sizes of the items' partitions told, of tables with local indexes?
    pub return_item_collection_metrics: bool,
}

impl TransactWriteItems {
    /// Without actions yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an action.
    #[must_use]
    pub fn action(mut self, action: impl Into<TransactWrite>) -> Self {
        self.actions.push(action.into());
        self
    }

    /// Makes it safe to send again.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.client_request_token = Some(token.into());
        self
    }
}

/// An answer of [`Tables::transact_write_items`].
///
/// ```
/// assert!(fourfold::kv::TransactWriteOutput::default().consumed_capacity.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TransactWriteOutput {
    /// What it cost, by table, if that was asked for.
    pub consumed_capacity: Vec<ConsumedCapacity>,
    /// The sizes of the partitions that were written to, by table, if that was asked for.
    pub item_collection_metrics: BTreeMap<String, Vec<ItemCollectionMetrics>>,
}

impl Tables {
    /// Does all actions or none.
    ///
    /// # Errors
    /// `TransactionCanceledException` with a reason for each action: a condition that did not hold, an item that another
    /// transaction is changing, something that does not fit its table. `IdempotentParameterMismatchException` if the
    /// token was used for another transaction, `TransactionInProgressException` if this one is still under way.
    /// `ValidationException`, `ResourceNotFoundException`.
    pub fn transact_write_items(&self, request: &TransactWriteItems) -> Result<TransactWriteOutput> {
        self.store.call("TransactWriteItems", "", || Ok(self.stage_transaction(request)?.wait()?))
    }

    /// [`transact_write_items`](Self::transact_write_items) that holds no thread while it waits for the disk.
    pub async fn transact_write_items_async(
        &self,
        request: &TransactWriteItems,
    ) -> Result<TransactWriteOutput> {
        self.store
            .call_async("TransactWriteItems", "", async {
                Ok(self.stage_transaction(request)?.done().await?)
            })
            .await
    }

    fn stage_transaction(&self, request: &TransactWriteItems) -> Result<Pending<TransactWriteOutput>> {
        let (store, state) = (&self.store, &*self.state);
        let mut wakes = Wakes::default();
        check_token(request.client_request_token.as_deref())?;
        let prepared = self.prepare_actions(&request.actions)?;
        let keys = self.keys_of(&prepared)?;
        let claimed = match &request.client_request_token {
            Some(token) => {
                let digest = xxh3_128(format!("{:?}", request.actions).as_bytes());
                match state.tokens.claim(store, token, digest)? {
                    Some(claimed) => Some(claimed),
                    // Done before; an empty batch is waited for until all before it is durable.
                    None => return Ok(store.commit(store.batch())?.map(|()| TransactWriteOutput::default())),
                }
            }
            None => None,
        };
        let _named = state.running.name(keys.clone()).map_err(|taken| {
            let reason =
                |is_taken| if is_taken { CancellationReason::Conflict } else { CancellationReason::None };
            Error::TransactionCanceled { reasons: taken.into_iter().map(reason).collect() }
        })?;
        let tables: BTreeMap<String, Arc<Table>> =
            prepared.iter().map(|action| (action.table.name.clone(), Arc::clone(&action.table))).collect();
        let mut shapes = BTreeMap::new();
        for (name, table) in &tables {
            shapes.insert(&**name, shape_of(store, table)?);
        }
        for (action, (_, key)) in prepared.iter().zip(&keys) {
            throttle::admit_write(self, &action.table, &shapes[&*action.table.name], Some(key))?;
        }
        let locks = state.lock_all(keys.iter().map(|(items, key)| state.stripe(*items, key.hash)).collect());
        let mut batch = store.batch();
        let (mut effects, mut reasons) = (Vec::with_capacity(prepared.len()), Vec::new());
        let mut written = Vec::new();
        for (action, (_, key)) in prepared.into_iter().zip(&keys) {
            let Prepared { table, write, given } = action;
            let (name, table) = tables.get_key_value(&table.name).ok_or_else(Error::no_resource)?;
            match write.decide(store, table, &shapes[&**name], &mut batch, key, &given) {
                Ok(decided) => {
                    effects.push(decided.effect);
                    written.push((decided.before, decided.after));
                    reasons.push(CancellationReason::None);
                }
                Err(error) => reasons.push(reason(error)?),
            }
        }
        if effects.len() < reasons.len() {
            return Err(Error::TransactionCanceled { reasons });
        }
        if let Some(claimed) = &claimed {
            claimed.stage(&mut batch)?;
        }
        let pending = commit(store, state, batch, &effects, &mut wakes)?;
        if let Some(claimed) = claimed {
            claimed.apply();
        }
        drop(locks);
        let consumed_capacity = self.bill(&effects, &keys, request.return_consumed_capacity);
        let mut item_collection_metrics = BTreeMap::new();
        if request.return_item_collection_metrics {
            for ((effect, (_, key)), (before, after)) in effects.iter().zip(&keys).zip(&written) {
                let (before, after) = (before.as_ref(), after.as_ref());
                let metrics = metrics_of(store, effect.shape, key, before, after)?;
                add_metrics(&mut item_collection_metrics, &effect.table.name, metrics.into_iter().collect());
            }
        }
        Ok(pending.map(|()| TransactWriteOutput { consumed_capacity, item_collection_metrics }))
    }

    /// Twice what the writes cost by themselves.
    fn bill(
        &self,
        effects: &[Effect<'_>],
        keys: &[(u32, Key)],
        asked: Option<ReturnConsumedCapacity>,
    ) -> Vec<ConsumedCapacity> {
        let mut bills = BTreeMap::<&str, Bill>::new();
        for (effect, (_, key)) in effects.iter().zip(keys) {
            let once = Bill::of_write(effect);
            let bill = bills.entry(&effect.table.name).or_default();
            bill.add(&once);
            bill.add(&once);
            throttle::charge_write(self, effect.table, effect.shape, &once, Some(key));
            throttle::charge_write(self, effect.table, effect.shape, &once, Some(key));
        }
        bills.into_iter().filter_map(|(table, bill)| bill.report(table, asked, Some(Kind::Write))).collect()
    }
}

fn check_token(token: Option<&str>) -> Result<()> {
    let Some(token) = token else { return Ok(()) };
    let field = "clientRequestToken";
    match token.chars().count() {
        0 => constraint(token, field, "Member must have length greater than or equal to 1"),
        1..=36 => Ok(()),
        _ => constraint(token, field, "Member must have length less than or equal to 36"),
    }
}

/// Why an action cannot be done, if that is of its own making.
fn reason(error: Error) -> Result<CancellationReason> {
    match error {
        Error::ConditionalCheckFailed { item } => Ok(CancellationReason::ConditionalCheckFailed { item }),
        Error::Validation { message, .. } => Ok(CancellationReason::Validation { message }),
        Error::ItemCollectionSizeLimitExceeded => Ok(CancellationReason::ItemCollectionSizeLimitExceeded),
        other => Err(other),
    }
}
