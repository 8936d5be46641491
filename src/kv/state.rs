//! What the engine holds in memory: the tables that were opened, and the locks under which they change.
//!
//! Everything here follows from the catalog and the keyspaces, but for what the module says is lost with the process.

use crate::clock::Timestamp;
use crate::kv::changes::feed::{Feed, Feeds};
use crate::kv::counts::Counts;
use crate::kv::deliveries::record::{AllDeliveries, Deliveries};
use crate::kv::dials::Dials;
use crate::kv::error::{Error, Result};
use crate::kv::hot::Hot;
use crate::kv::layout::{IndexLayout, TableLayout};
use crate::kv::record::{self, Definition, StreamDefinition};
use crate::kv::stale::Stale;
use crate::kv::tables::validate::check_name;
use crate::kv::throttle::Meters;
use crate::kv::transact::running::Running;
use crate::kv::transact::tokens::Tokens;
use crate::store::Store;
use crate::store::catalog::{ResourceKind, dangling};
use crate::store::engine::Engine;
use crate::store::space::Space;
use crossbeam::utils::CachePadded;
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Locks of items: an item's is chosen by its table and partition key.
const STRIPES: usize = 256;

/// Names of resources that are no tables sort behind every name that a table can have.
pub(crate) const HIDDEN: &str = "~";

/// The engine.
pub(crate) struct State {
    /// By name. All that the catalog has, once it was read.
    tables: RwLock<HashMap<String, Arc<Table>>>,
    is_loaded: AtomicBool,
    /// Held while a table is created, changed or dropped.
    pub(crate) control: Mutex<()>,
    stripes: Vec<CachePadded<Mutex<()>>>,
    pub(crate) feeds: Feeds,
    pub(crate) deliveries: AllDeliveries,
    pub(crate) tokens: Tokens,
    pub(crate) running: Running,
    pub(crate) dials: RwLock<Dials>,
    /// Is there a dial that wants to know what requests cost?
    pub(crate) is_metered: AtomicBool,
    /// When what is too old is looked for again, in milliseconds.
    pub(crate) forget_at: AtomicU64,
    /// Tables that seem to be there a while after they were dropped. Lost with the process.
    pub(crate) ghosts: Mutex<BTreeMap<String, (Timestamp, crate::kv::TableDescription)>>,
}

/// A table that is there.
pub(crate) struct Table {
    pub(crate) name: String,
    /// Read by whoever reads or writes items, written by whoever changes what the table is.
    pub(crate) shape: RwLock<Shape>,
    pub(crate) counts: Counts,
    /// Held by who counts.
    pub(crate) counting: Mutex<()>,
    pub(crate) transit: Transit,
    pub(crate) meters: Meters,
    pub(crate) hot: Hot,
    /// No item expires before, in milliseconds; 0 if that is not known.
    pub(crate) expiry: AtomicU64,
    /// How far an index that was left half built is.
    pub(crate) building: Mutex<Vec<u8>>,
}

/// What a table is right now.
pub(crate) struct Shape {
    pub(crate) definition: Arc<Definition>,
    pub(crate) layout: TableLayout,
    pub(crate) items: Space,
    pub(crate) indexes: Vec<Arc<Index>>,
    /// The running stream.
    pub(crate) feed: Option<Arc<Feed>>,
    /// Who is told of changes, if anybody is.
    pub(crate) deliveries: Option<Arc<Deliveries>>,
    pub(crate) ttl: Option<Space>,
    pub(crate) is_dropped: bool,
}

/// An index that is there.
pub(crate) struct Index {
    pub(crate) layout: IndexLayout,
    pub(crate) space: Space,
    pub(crate) counts: Counts,
    pub(crate) stale: Stale,
    pub(crate) meters: Meters,
    pub(crate) is_building: bool,
}

/// States that pass by themselves. Lost with the process: then they are over.
#[derive(Default)]
pub(crate) struct Transit {
    /// Until when the table is being created, in milliseconds.
    pub(crate) creating_until: AtomicU64,
    /// Until when it is being updated.
    pub(crate) updating_until: AtomicU64,
    /// Indexes that are being created or dropped, until when.
    pub(crate) indexes: Mutex<Vec<(Timestamp, crate::kv::IndexDescription)>>,
}

/// The name in the ARN of a table; a name stays as it is.
pub(crate) fn plain_name(name: &str) -> &str {
    match name.strip_prefix("arn:").and_then(|arn| arn.split_once(":table/")) {
        Some((_, name)) => name,
        None => name,
    }
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            tables: RwLock::default(),
            is_loaded: AtomicBool::new(false),
            control: Mutex::default(),
            stripes: (0..STRIPES).map(|_| CachePadded::default()).collect(),
            feeds: Feeds::default(),
            deliveries: AllDeliveries::default(),
            tokens: Tokens::default(),
            running: Running::default(),
            dials: RwLock::default(),
            is_metered: AtomicBool::new(false),
            forget_at: AtomicU64::new(0),
            ghosts: Mutex::default(),
        }
    }

    /// Reads the catalog, once.
    pub(crate) fn load(&self, store: &Store) -> Result<()> {
        // Acquire: pairs with the Release below; the tables are there.
        if self.is_loaded.load(Ordering::Acquire) {
            return Ok(());
        }
        let _once = self.control.lock();
        if self.is_loaded.load(Ordering::Acquire) {
            return Ok(());
        }
        self.feeds.load(store)?;
        self.deliveries.load(store)?;
        self.tokens.load(store)?;
        let mut tables = self.tables.write();
        for resource in store.list_resources(ResourceKind::Table, "") {
            let (name, resource) = resource?;
            if name.starts_with(HIDDEN) {
                break;
            }
            let definition: Definition = record::decode(&resource.record, "definition of a table")
                .map_err(|flaw| flaw.in_file(format!("catalog record of {name}").as_ref()))?;
            tables.insert(name.clone(), Arc::new(Table::open(store, self, &name, definition)?));
        }
        drop(tables);
        if !self.has_old() {
            self.forget_later(store);
        }
        self.is_loaded.store(true, Ordering::Release);
        Ok(())
    }

    /// Was the catalog read?
    pub(crate) fn is_loaded(&self) -> bool {
        self.is_loaded.load(Ordering::Acquire)
    }

    /// The table `name`, if there is one.
    pub(crate) fn find(&self, store: &Store, name: &str) -> Result<Option<Arc<Table>>> {
        self.load(store)?;
        Ok(self.tables.read().get(name).cloned())
    }

    /// The table that a request for items names, by its name or its ARN.
    pub(crate) fn table(&self, store: &Store, name: &str) -> Result<Arc<Table>> {
        if let Some(table) = self.find(store, name)? {
            return Ok(table);
        }
        let name = plain_name(name);
        check_name(name, "tableName")?;
        self.find(store, name)?.ok_or_else(Error::no_resource)
    }

    /// All tables, in no order.
    pub(crate) fn tables(&self) -> Vec<Arc<Table>> {
        self.tables.read().values().cloned().collect()
    }

    /// The names of all tables, in no order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.tables.read().keys().cloned().collect()
    }

    pub(crate) fn insert(&self, table: Arc<Table>) {
        self.tables.write().insert(table.name.clone(), table);
    }

    pub(crate) fn remove(&self, name: &str) {
        self.tables.write().remove(name);
    }

    /// The number of the lock of an item.
    pub(crate) fn stripe(&self, items: u32, hash: u64) -> usize {
        let mixed = hash ^ u64::from(items).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed % self.stripes.len() as u64).unwrap_or(0)
    }

    pub(crate) fn lock(&self, stripe: usize) -> MutexGuard<'_, ()> {
        self.stripes[stripe].lock()
    }

    /// Several locks, in the one order in which all take them.
    pub(crate) fn lock_all(&self, mut stripes: Vec<usize>) -> Vec<MutexGuard<'_, ()>> {
        stripes.sort_unstable();
        stripes.dedup();
        stripes.into_iter().map(|stripe| self.lock(stripe)).collect()
    }
}

impl Table {
    /// A table as its definition says.
    pub(crate) fn open(store: &Store, state: &State, name: &str, definition: Definition) -> Result<Self> {
        store.raise_clock(definition.created);
        let shape = Shape::open(store, state, name, definition, &[])?;
        Ok(Self {
            name: name.to_owned(),
            counts: Counts::default(),
            counting: Mutex::default(),
            transit: Transit::default(),
            meters: Meters::default(),
            hot: Hot::default(),
            expiry: AtomicU64::new(0),
            building: Mutex::default(),
            shape: RwLock::new(shape),
        })
    }

    /// Is it still being created?
    pub(crate) fn is_creating(&self, store: &Store) -> bool {
        // Relaxed: it stands alone.
        let until = self.transit.creating_until.load(Ordering::Relaxed);
        until > 0 && store.now().as_millis() < until
    }

    /// Is this index on its way in or out?
    pub(crate) fn is_index_passing(&self, store: &Store, name: &str) -> bool {
        let now = store.now();
        self.transit.indexes.lock().iter().any(|(until, index)| now < *until && index.name == name)
    }

    /// Is it being updated?
    pub(crate) fn is_updating(&self, store: &Store) -> bool {
        let until = self.transit.updating_until.load(Ordering::Relaxed);
        until > 0 && store.now().as_millis() < until
    }
}

impl Shape {
    /// What a definition says; indexes that are in `known` too stay what they are in memory.
    pub(crate) fn open(
        store: &Store,
        state: &State,
        name: &str,
        definition: Definition,
        known: &[Arc<Index>],
    ) -> Result<Self> {
        let space = |id: u32| store.space(id).ok_or_else(|| dangling(name, id));
        let layout = TableLayout::new(&definition);
        let items = space(definition.items)?;
        let mut indexes = Vec::with_capacity(definition.indexes.len());
        for index in &definition.indexes {
            let same = known.iter().find(|known| known.space.id() == index.space);
            indexes.push(match same {
                Some(known) if known.is_building == index.is_building => Arc::clone(known),
                Some(known) => Arc::new(Index {
                    layout: known.layout.clone(),
                    space: known.space.clone(),
                    counts: known.counts.duplicate(),
                    stale: Stale::default(),
                    meters: Meters::default(),
                    is_building: index.is_building,
                }),
                None => Arc::new(Index {
                    layout: IndexLayout::new(&definition, index),
                    space: space(index.space)?,
                    counts: Counts::default(),
                    stale: Stale::default(),
                    meters: Meters::default(),
                    is_building: index.is_building,
                }),
            });
        }
        let ttl = definition.ttl.as_ref().map(|ttl| space(ttl.space)).transpose()?;
        let feed = match &definition.stream {
            Some(StreamDefinition { label, .. }) => state.feeds.find(name, label),
            None => None,
        };
        let deliveries = state.deliveries.find(name);
        let definition = Arc::new(definition);
        Ok(Self { definition, layout, items, indexes, feed, deliveries, ttl, is_dropped: false })
    }

    pub(crate) fn index(&self, name: &str) -> Option<&Arc<Index>> {
        self.indexes.iter().find(|index| index.layout.name == name)
    }
}

impl Engine for State {
    fn maintain(&self, store: &Store) -> crate::Result<bool> {
        match self.sweep(store) {
            Ok(more) => Ok(more),
            Err(Error::Storage(error)) => Err(error),
            // Nothing that a sweep does is refused.
            Err(_) => Ok(false),
        }
    }

    fn find_deadline(&self, store: &Store) -> crate::Result<()> {
        match self.find_expiries(store) {
            Err(Error::Storage(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.deadline()
    }
}
