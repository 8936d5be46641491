//! One item changes, and with it its index entries, its expiry, its change record and what tells of it, in one batch.
//!
//! A verb decides what an item is to become; [`stage`] turns that into operations of a batch and an [`Effect`];
//! [`commit`] logs the batch and applies the effects to what is in memory. Several items, of several tables, are several
//! effects of one batch.

use crate::Batch;
use crate::kv::changes::record::{Change, ChangeKind};
use crate::kv::deliveries::tell::{Telling, Told};
use crate::kv::error::Result;
use crate::kv::expr::Path;
use crate::kv::feed_locks::{FeedLocks, Wakes};
use crate::kv::item;
use crate::kv::keys::Key;
use crate::kv::schema::StreamViewType;
use crate::kv::state::{Shape, State, Table};
use crate::kv::ttl;
use crate::kv::value::Item;
use crate::store::Store;
use crate::store::pending::Pending;
use bytes::Bytes;
use parking_lot::RwLockReadGuard;
use std::cell::OnceCell;

/// An item as it is before a change; decoded when somebody looks into it.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) record: Bytes,
    item: OnceCell<Item>,
}

impl Before {
    pub(crate) fn new(record: Bytes) -> Self {
        Self { record, item: OnceCell::new() }
    }

    pub(crate) fn size(&self) -> usize {
        item::size(&self.record)
    }

    pub(crate) fn item(&self) -> Result<&Item> {
        if let Some(item) = self.item.get() {
            return Ok(item);
        }
        let item = item::decode(&self.record)?;
        Ok(self.item.get_or_init(|| item))
    }

    pub(crate) fn into_item(self) -> Result<Item> {
        match self.item.into_inner() {
            Some(item) => Ok(item),
            None => item::decode(&self.record),
        }
    }
}

/// An item as it is to be.
#[derive(Debug)]
pub(crate) struct After {
    pub(crate) record: Vec<u8>,
    pub(crate) item: Item,
}

impl After {
    /// The record of a valid item.
    pub(crate) fn new(item: Item, size: usize) -> Self {
        Self { record: item::encode(&item, size), item }
    }

    pub(crate) fn size(&self) -> usize {
        item::size(&self.record)
    }
}

/// What a change does to one index.
#[derive(Debug)]
pub(crate) struct EntryEffect {
    /// The index's place in the table's shape.
    pub(crate) index: usize,
    /// The entry that goes, and its size.
    pub(crate) old: Option<(Vec<u8>, usize)>,
    /// The entry that comes, and its size; at the old one's key, that is replaced.
    pub(crate) new: Option<(Vec<u8>, usize)>,
}

/// What a change does besides the operations of its batch.
pub(crate) struct Effect<'a> {
    pub(crate) table: &'a Table,
    pub(crate) shape: &'a Shape,
    /// Sizes of the item before and after.
    pub(crate) sizes: (Option<usize>, Option<usize>),
    pub(crate) entries: Vec<EntryEffect>,
    pub(crate) change: Option<Change>,
    /// What queues and streams are told.
    pub(crate) told: Option<Told>,
    /// The second in which the item expires.
    pub(crate) expires: Option<u64>,
}

impl<'a> Effect<'a> {
    /// Nothing is changed.
    pub(crate) fn none(table: &'a Table, shape: &'a Shape, size: Option<usize>) -> Self {
        let sizes = (size, size);
        Self { table, shape, sizes, entries: Vec::new(), change: None, told: None, expires: None }
    }
}

/// A table that is being used, as it is now.
pub(crate) fn shape_of<'a>(store: &Store, table: &'a Table) -> Result<RwLockReadGuard<'a, Shape>> {
    let shape = table.shape.read();
    if shape.is_dropped || table.is_creating(store) {
        return Err(crate::kv::Error::no_resource());
    }
    Ok(shape)
}

impl Shape {
    /// Refuses paths into keys of the table or of an index, which hold nothing but themselves.
    pub(crate) fn check_scalars<'a>(&self, paths: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        let nested: Vec<&str> = paths.into_iter().filter(|path| path.is_nested()).map(Path::root).collect();
        if nested.is_empty() {
            return Ok(());
        }
        let of_table = self.layout.attributes().map(|key| ("Key", key));
        let of_indexes = self.indexes.iter().flat_map(|index| index.layout.attributes());
        let mut keys = of_table.chain(of_indexes.map(|key| ("IndexKey", key)));
        match keys.find(|(_, key)| nested.contains(&&*key.name)) {
            Some((what, key)) => Err(crate::kv::Error::validation(format!(
                "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: {what}: {}",
                key.name
            ))),
            None => Ok(()),
        }
    }

    /// The item at `key`.
    pub(crate) fn before(&self, store: &Store, key: &Key) -> Result<Option<Before>> {
        let Some(record) = self.items.get(store, &key.bytes)? else { return Ok(None) };
        Ok(Some(Before::new(record)))
    }

    /// Can every index hold this item, or leave it out?
    pub(crate) fn check_entries(&self, item: &Item, key: &Key) -> Result<()> {
        self.indexes.iter().try_for_each(|index| index.layout.entry(item, key).map(drop))
    }
}

/// The item at `key` becomes `after`, or goes. `by_service`: it is not a user who changes it.
pub(crate) fn stage<'a>(
    table: &'a Table,
    shape: &'a Shape,
    batch: &mut Batch,
    key: &Key,
    before: Option<&Before>,
    after: Option<&After>,
    by_service: bool,
) -> Result<Effect<'a>> {
    let sizes = (before.map(Before::size), after.map(After::size));
    if before.map(|before| &before.record[..]) == after.map(|after| &after.record[..]) {
        return Ok(Effect::none(table, shape, sizes.0));
    }
    match after {
        Some(after) => batch.put_spilling_in(shape.items.id(), &key.bytes, &after.record)?,
        None => batch.delete_in(shape.items.id(), &key.bytes)?,
    }
    let mut entries = Vec::new();
    for number in 0..shape.indexes.len() {
        entries.extend(stage_entry(shape, batch, number, key, before, after)?);
    }
    let expires = ttl::stage(shape, batch, key, before, after)?;
    let change = match &shape.feed {
        Some(feed) => change(shape, feed.view, key, before, after, by_service)?,
        None => None,
    };
    let told = Told::of(shape, key, before, after, by_service)?;
    Ok(Effect { table, shape, sizes, entries, change, told, expires })
}

/// What is recorded of the change.
fn change(
    shape: &Shape,
    view: StreamViewType,
    key: &Key,
    before: Option<&Before>,
    after: Option<&After>,
    by_service: bool,
) -> Result<Option<Change>> {
    let (kind, item) = match (before, after) {
        (None, None) => return Ok(None),
        (None, Some(after)) => (ChangeKind::Insert, &after.item),
        (Some(_), Some(after)) => (ChangeKind::Modify, &after.item),
        (Some(before), None) => (ChangeKind::Remove, before.item()?),
    };
    let keys = shape.layout.key_item(item);
    let images = (before.map(|before| &before.record[..]), after.map(|after| &after.record[..]));
    Ok(Some(Change::new(kind, view, by_service, key.hash, &keys, images.0, images.1)))
}

/// The entry of one index follows.
fn stage_entry(
    shape: &Shape,
    batch: &mut Batch,
    number: usize,
    key: &Key,
    before: Option<&Before>,
    after: Option<&After>,
) -> Result<Option<EntryEffect>> {
    let index = &shape.indexes[number];
    // An item that does not fit an index was there before the index, and is not in it.
    let before = before.map(|before| Ok::<_, crate::kv::Error>((before.item()?, before))).transpose()?;
    let old = before.and_then(|(item, _)| index.layout.entry(item, key).ok().flatten());
    let new = match after {
        Some(after) => index.layout.entry(&after.item, key)?,
        None => None,
    };
    if old.is_none() && new.is_none() {
        return Ok(None);
    }
    let space = index.space.id();
    let old_value = match (before, &old) {
        (Some((item, before)), Some(_)) => Some(index.layout.record(item, &before.record)),
        _ => None,
    };
    let new_value = match (after, &new) {
        (Some(after), Some(_)) => Some(index.layout.record(&after.item, &after.record)),
        _ => None,
    };
    if old == new && old_value == new_value {
        return Ok(None);
    }
    if let Some(old) = old.as_ref().filter(|old| Some(*old) != new.as_ref()) {
        batch.delete_in(space, old)?;
    }
    if let (Some(new), Some(value)) = (&new, &new_value) {
        batch.put_spilling_in(space, new, value)?;
    }
    let sized = |entry: Option<Vec<u8>>, value: Option<std::borrow::Cow<'_, [u8]>>| {
        entry.zip(value).map(|(entry, value)| (entry, item::size(&value)))
    };
    Ok(Some(EntryEffect { index: number, old: sized(old, old_value), new: sized(new, new_value) }))
}

/// Logs what was staged and applies it. The locks of all items that change are held.
pub(crate) fn commit(
    store: &Store,
    state: &State,
    mut batch: Batch,
    effects: &[Effect<'_>],
    wakes: &mut Wakes,
) -> Result<Pending<()>> {
    let mut feeds = FeedLocks::of(effects);
    feeds.stage(store, state, &mut batch, effects)?;
    let telling = Telling::of(store, effects);
    note_stale(store, state, effects)?;
    let pending = telling.commit(store, batch, wakes)?;
    apply_all(store, feeds, effects, wakes);
    Ok(pending)
}

/// Applies effects whose batch is logged.
pub(crate) fn apply_all(store: &Store, feeds: FeedLocks<'_>, effects: &[Effect<'_>], wakes: &mut Wakes) {
    feeds.apply(wakes);
    for effect in effects {
        apply(store, effect);
    }
}

fn apply(store: &Store, effect: &Effect<'_>) {
    let signed = |size: Option<usize>| size.map_or((0, 0), |size| (1, i64::try_from(size).unwrap_or(0)));
    let add = |counts: &crate::kv::counts::Counts, old: Option<usize>, new: Option<usize>| {
        let ((old_items, old_bytes), (new_items, new_bytes)) = (signed(old), signed(new));
        counts.add(new_items - old_items, new_bytes - old_bytes);
    };
    add(&effect.table.counts, effect.sizes.0, effect.sizes.1);
    for entry in &effect.entries {
        let size = |entry: &Option<(Vec<u8>, usize)>| entry.as_ref().map(|(_, size)| *size);
        add(&effect.shape.indexes[entry.index].counts, size(&entry.old), size(&entry.new));
    }
    if let Some(second) = effect.expires {
        ttl::expect(store, effect.table, second);
    }
}

/// With the dial on, readers of global indexes go on seeing what is there now.
pub(crate) fn note_stale(store: &Store, state: &State, effects: &[Effect<'_>]) -> Result<()> {
    if effects.iter().all(|effect| effect.entries.is_empty()) {
        return Ok(());
    }
    let always = state.dials.read().global_index_delay;
    if always.is_zero() && !store.plan().is_armed() {
        return Ok(());
    }
    let now = store.now();
    for effect in effects {
        let delay = always + store.plan().staleness(&effect.table.name, now);
        if delay.is_zero() {
            continue;
        }
        let due = now + delay;
        for entry in &effect.entries {
            let index = &effect.shape.indexes[entry.index];
            if index.layout.is_local {
                continue;
            }
            let keys: std::collections::BTreeSet<_> =
                entry.old.iter().chain(&entry.new).map(|(key, _)| key).collect();
            for key in keys {
                index.stale.note(key, due, now, index.space.get(store, key)?);
            }
        }
    }
    Ok(())
}
