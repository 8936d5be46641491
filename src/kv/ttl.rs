//! Items that expire: `UpdateTimeToLive`, `DescribeTimeToLive`, and the sweep.
//!
//! The seconds in which items expire are a keyspace in their own order, changed in the batch of the item (K1). The sweep
//! takes what is due from its front and deletes the items as users do, but that the change record says that it was the
//! service. Until then they can be read.

use crate::Batch;
use crate::clock::Timestamp;
use crate::kv::Tables;
use crate::kv::error::{Error, Result};
use crate::kv::feed_locks::Wakes;
use crate::kv::keys::Key;
use crate::kv::names::named;
use crate::kv::number::Number;
use crate::kv::record::TtlDefinition;
use crate::kv::state::{Shape, State, Table, plain_name};
use crate::kv::tables::validate::{check_name, constraint};
use crate::kv::value::{AttributeValue, Item};
use crate::kv::write::{After, Before, commit, stage as stage_item};
use crate::store::Store;
use crate::store::pending::Pending;
use crate::store::space::Space;
use std::ops::Bound;
use std::sync::atomic::Ordering;

/// Items that one step of the sweep deletes, at most.
const STEP: usize = 256;
/// Values longer ago than this are taken for something else than a time.
const AGE_MAX_SECS: u64 = 5 * 365 * 24 * 60 * 60;
const SECOND_LEN: usize = 8;

named! {
    /// Do items of a table expire?
    ///
    /// ```
    /// # use fourfold::kv::TimeToLiveStatus;
    /// assert_eq!(TimeToLiveStatus::Disabled.name(), "DISABLED");
    /// ```
    pub enum TimeToLiveStatus {
        /// They do.
        Enabled = "ENABLED",
        /// They do not.
        Disabled = "DISABLED",
    }
}

/// Whether and by what items of a table expire.
///
/// ```
/// use fourfold::kv::{CreateTable, ScalarType, TimeToLiveStatus};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// # let tables = store.tables();
/// # tables.create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
/// tables.update_time_to_live("users", "until", true)?;
/// let ttl = tables.describe_time_to_live("users")?;
/// assert_eq!((ttl.status, ttl.attribute.as_deref()), (TimeToLiveStatus::Enabled, Some("until")));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeToLive {
    /// Do they?
    pub status: TimeToLiveStatus,
    /// By which attribute: a number of seconds since 1970.
    pub attribute: Option<String>,
}

impl Tables {
    /// Lets items of a table expire by `attribute`, or no longer.
    ///
    /// # Errors
    /// `ValidationException` if that is so already, or another attribute is in use; `ResourceNotFoundException`.
    pub fn update_time_to_live(&self, table: &str, attribute: &str, enabled: bool) -> Result<()> {
        self.store.call("UpdateTimeToLive", table, || {
            Ok(self.stage_time_to_live(table, attribute, enabled)?.wait()?)
        })
    }

    /// [`update_time_to_live`](Self::update_time_to_live) that holds no thread while it waits.
    pub async fn update_time_to_live_async(&self, table: &str, attribute: &str, enabled: bool) -> Result<()> {
        self.store
            .call_async("UpdateTimeToLive", table, async {
                Ok(self.stage_time_to_live(table, attribute, enabled)?.done().await?)
            })
            .await
    }

    /// Whether items of a table expire.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such table.
    pub fn describe_time_to_live(&self, table: &str) -> Result<TimeToLive> {
        self.store.call("DescribeTimeToLive", table, || self.do_describe_time_to_live(table))
    }

    fn do_describe_time_to_live(&self, table: &str) -> Result<TimeToLive> {
        let table = plain_name(table);
        check_name(table, "tableName")?;
        let found = self.state.find(&self.store, table)?.ok_or_else(|| Error::no_table(table))?;
        if found.is_creating(&self.store) {
            return Err(Error::validation(
                "Cannot describe time to live while table is in CREATING state: Current table state is CREATING",
            ));
        }
        let shape = found.shape.read();
        Ok(match &shape.definition.ttl {
            Some(ttl) => {
                TimeToLive { status: TimeToLiveStatus::Enabled, attribute: Some(ttl.attribute.clone()) }
            }
            None => TimeToLive { status: TimeToLiveStatus::Disabled, attribute: None },
        })
    }

    fn stage_time_to_live(&self, table: &str, attribute: &str, enabled: bool) -> Result<Pending<()>> {
        let (store, state) = (&self.store, &*self.state);
        let table = plain_name(table);
        check_name(table, "tableName")?;
        for (is_bad, rule) in [
            (attribute.is_empty(), "greater than or equal to 1"),
            (attribute.len() > 255, "less than or equal to 255"),
        ] {
            if is_bad {
                let rule = format!("Member must have length {rule}");
                return constraint(attribute, "timeToLiveSpecification.attributeName", &rule);
            }
        }
        state.load(store)?;
        let _control = state.control.lock();
        let found = state.find(store, table)?.ok_or_else(|| Error::no_table(table))?;
        if found.is_creating(store) {
            return Err(Error::ResourceInUse {
                message: format!(
                    "Attempt to change a resource which is still in use: Table {table} is being created"
                )
                .into(),
            });
        }
        let mut shape = found.shape.write();
        let mut definition = (*shape.definition).clone();
        let mut batch = store.batch();
        match (enabled, &definition.ttl) {
            (true, None) => {
                let space = batch.create_space()?;
                let attribute = attribute.to_owned();
                definition.ttl = Some(TtlDefinition { attribute, space, is_building: true });
            }
            (_, Some(known)) if known.attribute != attribute => {
                return Err(Error::validation(format!(
                    "TimeToLive is active on a different AttributeName: current AttributeName is {}",
                    known.attribute
                )));
            }
            (true, Some(_)) => return Err(Error::validation("TimeToLive is already enabled")),
            (false, None) => return Err(Error::validation("TimeToLive is already disabled")),
            (false, Some(known)) => {
                batch.drop_space(known.space)?;
                definition.ttl = None;
            }
        }
        definition.ttl_changed = Some(store.now());
        let pending = state.commit_definition(store, &found, &mut shape, definition, batch)?;
        drop(shape);
        if !enabled {
            return Ok(pending);
        }
        let pending = state.build(store, &found)?;
        found.expiry.store(0, Ordering::Relaxed);
        store.wake_sweeper();
        Ok(pending)
    }
}

/// The second in which an item expires, if its attribute says one.
pub(crate) fn second(item: &Item, attribute: &str) -> Option<u64> {
    match item.get(attribute) {
        Some(AttributeValue::N(number)) => whole_seconds(*number),
        _ => None,
    }
}

/// The whole seconds of a number that is not less than zero.
fn whole_seconds(number: Number) -> Option<u64> {
    match number.to_i128() {
        Some(whole) => u64::try_from(whole).ok(),
        None if number.is_negative() => None,
        None => number.to_string().split('.').next()?.parse().ok(),
    }
}

/// The key of an item's expiry.
pub(crate) fn entry(second: u64, key: &[u8]) -> Vec<u8> {
    [&second.to_be_bytes(), key].concat()
}

/// The item's expiry follows; the second in which it expires now.
pub(crate) fn stage(
    shape: &Shape,
    batch: &mut Batch,
    key: &Key,
    before: Option<&Before>,
    after: Option<&After>,
) -> Result<Option<u64>> {
    let (Some(space), Some(ttl)) = (&shape.ttl, &shape.definition.ttl) else { return Ok(None) };
    let old = match before {
        Some(before) => second(before.item()?, &ttl.attribute),
        None => None,
    };
    let new = after.and_then(|after| second(&after.item, &ttl.attribute));
    if old == new {
        return Ok(None);
    }
    if let Some(old) = old {
        batch.delete_in(space.id(), &entry(old, &key.bytes))?;
    }
    if let Some(new) = new {
        batch.put_in(space.id(), &entry(new, &key.bytes), &[])?;
    }
    Ok(new)
}

/// Entries of items that expire, when those of the second `due` do.
fn expiring(due: u64) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let oldest = due.saturating_sub(AGE_MAX_SECS);
    (Bound::Included(oldest.to_be_bytes().to_vec()), Bound::Unbounded)
}

/// An item expires in this second: the sweep comes no later.
pub(crate) fn expect(store: &Store, table: &Table, second: u64) {
    if second >= store.now().as_secs().saturating_sub(AGE_MAX_SECS) {
        found(store, table, second);
    }
}

/// The same of a second that an entry says, which is looked at in any case.
fn found(store: &Store, table: &Table, second: u64) {
    let at = Timestamp::from_secs(second).as_millis().max(1);
    // Relaxed: the sweep reads it again after it was woken.
    let known = table.expiry.fetch_min(at, Ordering::Relaxed);
    if at < known {
        store.wake_sweeper();
    }
}

impl State {
    /// Items of this second and earlier ones have expired.
    fn second_due(&self, store: &Store) -> u64 {
        let delay = self.dials.read().expiry_delay;
        store.now().as_millis().saturating_sub(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)) / 1000
    }

    /// When the next item of a table expires.
    pub(crate) fn next_expiry(&self, store: &Store, shape: &Shape) -> Result<Option<Timestamp>> {
        let Some(space) = &shape.ttl else { return Ok(None) };
        let mut range = space.range(store, expiring(self.second_due(store)));
        let second = if range.advance()? { range.key().first_chunk() } else { None };
        let delay = self.dials.read().expiry_delay;
        Ok(second.map(|second| Timestamp::from_secs(u64::from_be_bytes(*second)) + delay))
    }

    /// Finds the second in which the first item of a table expires, if that is not known.
    pub(crate) fn find_expiry(&self, store: &Store, table: &Table) -> Result<()> {
        let shape = table.shape.read();
        let (Some(space), false) = (&shape.ttl, shape.is_dropped) else { return Ok(()) };
        if table.expiry.load(Ordering::Relaxed) != 0 {
            return Ok(());
        }
        // Before looking: a writer that lowers it meanwhile is not passed over.
        table.expiry.store(u64::MAX, Ordering::Relaxed);
        let mut range = space.range(store, expiring(self.second_due(store)));
        let found = match range.advance() {
            Ok(found) => found,
            Err(error) => {
                table.expiry.store(0, Ordering::Relaxed);
                return Err(error.into());
            }
        };
        if let Some(second) = range.key().first_chunk().filter(|_| found) {
            self::found(store, table, u64::from_be_bytes(*second));
        }
        Ok(())
    }

    /// Deletes some of the items of a table that have expired. Are there more?
    pub(crate) fn expire(&self, store: &Store, table: &Table) -> Result<bool> {
        let due = self.second_due(store);
        // Relaxed: a writer that lowers it meanwhile wakes the sweep again.
        if table.expiry.load(Ordering::Relaxed) / 1000 > due {
            return Ok(false);
        }
        let mut wakes = Wakes::default();
        let shape = table.shape.read();
        let (Some(space), false) = (&shape.ttl, shape.is_dropped) else { return Ok(false) };
        let known = table.expiry.swap(u64::MAX, Ordering::Relaxed);
        let more = self.expire_step(store, (table, &shape), space, due, &mut wakes);
        if more.is_err() {
            // What is left is still due.
            table.expiry.fetch_min(known, Ordering::Relaxed);
        }
        more
    }

    fn expire_step(
        &self,
        store: &Store,
        (table, shape): (&Table, &Shape),
        space: &Space,
        due: u64,
        wakes: &mut Wakes,
    ) -> Result<bool> {
        let mut range = space.range(store, expiring(due));
        let mut taken = 0;
        while range.advance()? {
            let found = range.key();
            let (Some(second), Some(key)) = (found.first_chunk(), found.get(SECOND_LEN..)) else { continue };
            let second = u64::from_be_bytes(*second);
            if second > due {
                self::found(store, table, second);
                break;
            }
            if taken == STEP {
                self::found(store, table, second);
                return Ok(true);
            }
            self.expire_item(store, (table, shape), second, key, wakes)?;
            taken += 1;
        }
        Ok(false)
    }

    /// Deletes one item, if it still expires in this second.
    fn expire_item(
        &self,
        store: &Store,
        (table, shape): (&Table, &Shape),
        second: u64,
        key: &[u8],
        wakes: &mut Wakes,
    ) -> Result<()> {
        let Some(ttl) = &shape.definition.ttl else { return Ok(()) };
        // What was found at a key says which partition it is in.
        let Some(record) = shape.items.get(store, key)? else { return Ok(()) };
        let key = shape.layout.key_of_item(&crate::kv::item::decode(&record)?)?;
        let _lock = self.lock(self.stripe(shape.items.id(), key.hash));
        let Some(before) = shape.before(store, &key)? else { return Ok(()) };
        if self::second(before.item()?, &ttl.attribute) != Some(second) {
            return Ok(());
        }
        let mut batch = store.batch();
        let effect = stage_item(table, shape, &mut batch, &key, Some(&before), None, true)?;
        commit(store, self, batch, &[effect], wakes)?.forget();
        Ok(())
    }
}

#[cfg(all(test, not(fourfold_loom)))]
mod tests {
    use crate::Store;
    use crate::clock::{Clock, ManualClock};
    use crate::kv::{CreateTable, GetItem, Item, ScalarType, item};
    use std::time::Duration;

    fn fill(store: &Store, clock: &ManualClock) {
        let tables = store.tables();
        tables.create_table(CreateTable::new("users").hash("id", ScalarType::S)).expect("a new table");
        tables.update_time_to_live("users", "until", true).expect("a table of keys");
        let until = clock.now().as_millis() / 1000 + 60;
        let ann: Item = item! { "id" => "ann", "until" => until };
        tables.table("users").put(ann).expect("an item");
    }

    fn is_there(store: &Store) -> bool {
        let ann = GetItem::new("users", item! { "id" => "ann" });
        store.tables().get_item(&ann).expect("a table").item.is_some()
    }

    #[test]
    fn a_copy_does_what_is_due_by_itself() {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).open_in_memory();
        fill(&store, &clock);
        let fork = store.fork().unwrap();
        let mut file = Vec::new();
        store.export(&mut file).unwrap();
        let import = Store::builder().clock(clock.clone()).import_in_memory(&file[..]).unwrap();
        clock.advance(Duration::from_hours(2));
        for copy in [fork, import] {
            let state = crate::kv::state_of(&copy);
            let table = state.find(&copy, "users").unwrap().unwrap();
            let shape = table.shape.read();
            assert_eq!(shape.items.range::<&[u8]>(&copy, ..).count(), 0);
        }
    }

    #[test]
    fn a_sweep_that_failed_is_done_again() {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).open_in_memory();
        fill(&store, &clock);
        let state = crate::kv::state_of(&store);
        let table = state.find(&store, "users").unwrap().unwrap();
        let items = table.shape.read().items.id();
        let (key, good) = table.shape.read().items.range::<&[u8]>(&store, ..).next().unwrap().unwrap();
        let put = |value: &[u8]| {
            let mut batch = store.batch();
            batch.put_in(items, &key, value).unwrap();
            store.commit(batch).unwrap().wait().unwrap();
        };
        put(b"\xff");
        clock.advance(Duration::from_hours(2));
        assert!(store.maintain().is_err(), "the item cannot be read");
        put(&good);
        store.maintain().unwrap();
        assert!(!is_there(&store), "what was due is still due");
    }
}
