//! The trail of an item: what it is, where it is found, what became of it in the last 24 hours, and when it will go.
//!
//! It is read from what is stored anyway: nothing is written for it. What is older than the records of changes is not known.

use crate::clock::Timestamp;
use crate::kv::changes::feed::Feed;
use crate::kv::changes::read::{CHANGES_MAX, ChangeRecord};
use crate::kv::error::Result;
use crate::kv::handle::Table as Handle;
use crate::kv::keys::Key;
use crate::kv::layout::pick;
use crate::kv::state::Shape;
use crate::kv::value::{AttributeValue, Item};
use crate::kv::{Tables, item, ttl};
use crate::position::Position;
use crate::store::{Snapshot, Store};
use std::fmt;

/// What is known of an item, or of a key without one. As text it is a line for each fact.
///
/// ```
/// use fourfold::{ManualClock, Store};
/// use fourfold::kv::{CreateTable, Index, ScalarType, StreamViewType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// let store = Store::builder().clock(ManualClock::default()).open_in_memory();
/// let table = CreateTable::new("users").hash("id", ScalarType::S).attribute("team", ScalarType::S);
/// let table = table.global_index(Index::new("by-team").hash("team")).stream(StreamViewType::KeysOnly);
/// store.tables().create_table(table)?;
/// store.tables().update_time_to_live("users", "until", true)?;
/// let users = store.tables().table("users");
/// users.put(item! { "id" => "ann" })?;
/// users.put(item! { "id" => "ann", "team" => "red", "until" => 1_735_693_200 })?;
/// let trail = users.trail(item! { "id" => "ann" })?;
/// assert_eq!(trail.changes.len(), 2);
/// let text = trail.to_string();
/// let lines: Vec<&str> = text.lines().collect();
/// assert_eq!(lines[0], "item id \"ann\" of users");
/// assert!(lines[1].starts_with("  there, 22 bytes, written at "), "{}", lines[1]);
/// assert_eq!(
///     &lines[2..],
///     [
///         "  expires 2025-01-01T01:00:00.000Z",
///         "  in by-team as team \"red\"",
///         "  2025-01-01T00:00:00.000Z INSERT",
///         "  2025-01-01T00:00:00.000Z MODIFY",
///     ]
/// );
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Trail {
    /// The table.
    pub table: String,
    /// The key.
    pub key: Item,
    /// The item; none if there is none.
    pub present: Option<PresentItem>,
    /// Its changes in the last 24 hours, the oldest first, by users and by the service, if the table's changes are recorded:
    /// those that the table's streams have, also one that was turned off. A removal
    /// [by the service](ChangeRecord::by_service) is of an item that expired.
    pub changes: Vec<ChangeRecord>,
}

/// An item that is there.
///
/// ```
/// use fourfold::kv::{CreateTable, Index, ScalarType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// let table = CreateTable::new("users").hash("id", ScalarType::S).attribute("team", ScalarType::S);
/// let table = table.global_index(Index::new("by-team").hash("team"));
/// store.tables().create_table(table)?;
/// let users = store.tables().table("users");
/// users.put(item! { "id" => "ann", "team" => "red" })?;
/// let present = users.trail(item! { "id" => "ann" })?.present.expect("it is there");
/// assert_eq!((present.bytes, present.indexes.len(), present.expires), (12, 1, None));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PresentItem {
    /// The item.
    pub item: Item,
    /// Its bytes, as the service counts them.
    pub bytes: u64,
    /// Where in the order of all writes of the store the one stands that made it what it is.
    pub written: Position,
    /// When it expires, if its table has an attribute for that and it has it: from then on the sweep deletes it.
    pub expires: Option<Timestamp>,
    /// The indexes that have it.
    pub indexes: Vec<IndexEntry>,
}

/// An item in an index.
///
/// ```
/// use fourfold::kv::{CreateTable, Index, ScalarType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// # let store = fourfold::Store::in_memory();
/// let table = CreateTable::new("users").hash("id", ScalarType::S).attribute("team", ScalarType::S);
/// let table = table.global_index(Index::new("by-team").hash("team"));
/// store.tables().create_table(table)?;
/// let users = store.tables().table("users");
/// users.put(item! { "id" => "ann", "team" => "red" })?;
/// let entry = users.trail(item! { "id" => "ann" })?.present.expect("it is there").indexes.remove(0);
/// assert_eq!((&*entry.index, entry.key), ("by-team", item! { "team" => "red" }));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IndexEntry {
    /// The index.
    pub index: String,
    /// The item's key there.
    pub key: Item,
}

impl Handle {
    /// What is known of the item with this key, at one moment.
    ///
    /// What is there costs a few reads; its changes take a walk through those of the whole table, up to 24 hours of them, some
    /// microseconds each.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such table, `ValidationException` for a key that does not fit it.
    pub fn trail(&self, key: Item) -> Result<Trail> {
        let Tables { store, state } = self.tables();
        let table = state.table(store, self.name())?;
        let shape = table.shape.read();
        let place = shape.layout.key(&key)?;
        let present = shape.present(&store.snapshot(), &place, state.dials.read().expiry_delay)?;
        drop(shape);
        let mut feeds: Vec<_> =
            state.feeds.all().into_iter().filter(|feed| feed.table == table.name).collect();
        feeds.sort_by_key(|feed| feed.created);
        let mut changes = Vec::new();
        for feed in feeds {
            feed.changes_of(store, &key, &mut changes)?;
        }
        Ok(Trail { table: table.name.clone(), key, present, changes })
    }
}

impl Shape {
    fn present(
        &self,
        snapshot: &Snapshot,
        key: &Key,
        delay: std::time::Duration,
    ) -> Result<Option<PresentItem>> {
        let mut range = snapshot.range_in(&self.items, &key.bytes[..]..=&key.bytes[..]);
        if !range.advance()? {
            return Ok(None);
        }
        let (record, written) = (range.value()?, range.position());
        let item = item::decode(&record)?;
        let ttl = self.definition.ttl.as_ref();
        let expires = ttl.and_then(|ttl| ttl::second(&item, &ttl.attribute)).map(Timestamp::from_secs);
        let mut indexes = Vec::new();
        for index in &self.indexes {
            let Some(entry) = index.layout.entry(&item, key).ok().flatten() else { continue };
            // One that is being built may not have it yet.
            if snapshot.get_in(&index.space, &entry)?.is_some() {
                let key = pick(&item, index.layout.attributes());
                indexes.push(IndexEntry { index: index.layout.name.clone(), key });
            }
        }
        let bytes = item::size(&record) as u64;
        Ok(Some(PresentItem { bytes, written, expires: expires.map(|at| at + delay), indexes, item }))
    }
}

impl Feed {
    /// Adds the changes of an item that can still be read.
    fn changes_of(&self, store: &Store, key: &Item, to: &mut Vec<ChangeRecord>) -> Result<()> {
        let mut from = self.horizon(store)?;
        let end = self.tail.lock().next;
        while from < end {
            let (records, next) = self.read(store, from, CHANGES_MAX, |_| true, Some(end))?;
            to.extend(records.into_iter().filter(|record| record.keys == *key));
            from = next;
        }
        Ok(())
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {} of {}", Shown(&self.key), self.table)?;
        match &self.present {
            Some(item) => write!(f, "\n{item}")?,
            None => f.write_str("\n  not there")?,
        }
        for change in &self.changes {
            write!(f, "\n  {} {}", change.created, change.kind)?;
            if change.by_service {
                f.write_str(" by the service: it had expired")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for PresentItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  there, {} bytes, written at {}", self.bytes, self.written.get())?;
        if let Some(expires) = self.expires {
            write!(f, "\n  expires {expires}")?;
        }
        for IndexEntry { index, key } in &self.indexes {
            write!(f, "\n  in {index} as {}", Shown(key))?;
        }
        Ok(())
    }
}

/// A key for people.
struct Shown<'a>(&'a Item);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, (name, value)) in self.0.iter().enumerate() {
            let space = if count > 0 { ", " } else { "" };
            write!(f, "{space}{name} ")?;
            match value {
                AttributeValue::S(text) => write!(f, "{text:?}")?,
                AttributeValue::N(number) => write!(f, "{number}")?,
                AttributeValue::B(bytes) => write!(f, "{}", crate::kv::base64(bytes))?,
                other => write!(f, "{other:?}")?,
            }
        }
        Ok(())
    }
}
