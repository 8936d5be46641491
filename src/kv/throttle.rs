//! Throughput limits, for those who ask for them: what is left, and who is refused.
//!
//! As the service does it: a request is let in while anything is left, and charged for what it turned out to cost, so what
//! is left can fall below zero. Unused capacity of up to 300 seconds can be used later.

use crate::clock::Timestamp;
use crate::kv::Tables;
use crate::kv::capacity::{Bill, Kind};
use crate::kv::error::{Error, Result, ThrottlingReason};
use crate::kv::keys::Key;
use crate::kv::record::Provisioned;
use crate::kv::schema::{BillingMode, OnDemandThroughput};
use crate::kv::state::{Index, Shape, Table};
use crate::kv::tables::describe::table_arn;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::Ordering;

/// Seconds of unused capacity that are kept.
const BURST_SECS: f64 = 300.0;
/// Read units per second of one partition key.
const PARTITION_READ: f64 = 3000.0;
/// Write units per second of one partition key.
const PARTITION_WRITE: f64 = 1000.0;
/// Partition keys of a table whose use is remembered.
const PARTITIONS_MAX: usize = 10_000;

/// What is left of a number of units per second.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    fn full(rate: f64, burst: f64, now: Timestamp) -> Self {
        Self { left: rate * burst, at: now }
    }

    fn refill(&mut self, rate: f64, burst: f64, now: Timestamp) {
        self.left = (self.left + rate * (now - self.at).as_secs_f64()).min(rate * burst);
        self.at = now;
    }
}

/// What is left to a table or an index.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    read: Mutex<Option<Bucket>>,
    write: Mutex<Option<Bucket>>,
    partitions: Mutex<HashMap<(u64, bool), Bucket>>,
}

impl Meters {
    fn of(&self, kind: Kind) -> &Mutex<Option<Bucket>> {
        match kind {
            Kind::Read => &self.read,
            Kind::Write => &self.write,
        }
    }

    fn has_left(&self, kind: Kind, rate: f64, now: Timestamp) -> bool {
        let mut bucket = self.of(kind).lock();
        let bucket = bucket.get_or_insert_with(|| Bucket::full(rate, BURST_SECS, now));
        bucket.refill(rate, BURST_SECS, now);
        bucket.left > 0.0
    }

    fn take(&self, kind: Kind, units: f64) {
        if let Some(bucket) = &mut *self.of(kind).lock() {
            bucket.left -= units;
        }
    }

    fn partition_has_left(&self, kind: Kind, hash: u64, now: Timestamp) -> bool {
        let rate = partition_rate(kind);
        let mut partitions = self.partitions.lock();
        if partitions.len() >= PARTITIONS_MAX {
            partitions.retain(|_, bucket| now - bucket.at < std::time::Duration::from_secs(1));
        }
        let full = || Bucket::full(rate, 1.0, now);
        let bucket = partitions.entry((hash, kind == Kind::Write)).or_insert_with(full);
        bucket.refill(rate, 1.0, now);
        bucket.left > 0.0
    }

    fn take_of_partition(&self, kind: Kind, hash: u64, units: f64) {
        if let Some(bucket) = self.partitions.lock().get_mut(&(hash, kind == Kind::Write)) {
            bucket.left -= units;
        }
    }
}

const fn partition_rate(kind: Kind) -> f64 {
    match kind {
        Kind::Read => PARTITION_READ,
        Kind::Write => PARTITION_WRITE,
    }
}

/// The units per second of a table or an index, if they are limited.
fn rate(
    billing: BillingMode,
    provisioned: &Provisioned,
    on_demand: Option<OnDemandThroughput>,
    kind: Kind,
) -> Option<f64> {
    let (units, limits) = (provisioned.units, on_demand.unwrap_or_default());
    let rate = match (billing, kind) {
        (BillingMode::Provisioned, Kind::Read) => Some(units.read),
        (BillingMode::Provisioned, Kind::Write) => Some(units.write),
        (BillingMode::PayPerRequest, Kind::Read) => limits.max_read,
        (BillingMode::PayPerRequest, Kind::Write) => limits.max_write,
    };
    let rate = rate.filter(|rate| *rate > 0)?;
    Some(f64::from(u32::try_from(rate).unwrap_or(u32::MAX)))
}

/// A limit that is used up.
struct Exceeded {
    is_index: bool,
    kind: Kind,
    /// Is it the share of one partition key?
    is_partition: bool,
    resource: String,
}

impl Exceeded {
    fn reason(&self, billing: BillingMode) -> &'static str {
        use BillingMode::{PayPerRequest, Provisioned};
        match (self.is_index, self.kind, self.is_partition, billing) {
            (false, Kind::Read, true, _) => "TableReadKeyRangeThroughputExceeded",
            (false, Kind::Write, true, _) => "TableWriteKeyRangeThroughputExceeded",
            (true, Kind::Read, true, _) => "IndexReadKeyRangeThroughputExceeded",
            (true, Kind::Write, true, _) => "IndexWriteKeyRangeThroughputExceeded",
            (false, Kind::Read, false, Provisioned) => "TableReadProvisionedThroughputExceeded",
            (false, Kind::Write, false, Provisioned) => "TableWriteProvisionedThroughputExceeded",
            (true, Kind::Read, false, Provisioned) => "IndexReadProvisionedThroughputExceeded",
            (true, Kind::Write, false, Provisioned) => "IndexWriteProvisionedThroughputExceeded",
            (false, Kind::Read, false, PayPerRequest) => "TableReadMaxOnDemandThroughputExceeded",
            (false, Kind::Write, false, PayPerRequest) => "TableWriteMaxOnDemandThroughputExceeded",
            (true, Kind::Read, false, PayPerRequest) => "IndexReadMaxOnDemandThroughputExceeded",
            (true, Kind::Write, false, PayPerRequest) => "IndexWriteMaxOnDemandThroughputExceeded",
        }
    }

    fn refuse(self, billing: BillingMode) -> Error {
        let reasons = vec![ThrottlingReason { reason: self.reason(billing), resource: self.resource }];
        match billing {
            BillingMode::Provisioned => Error::ProvisionedThroughputExceeded { reasons },
            BillingMode::PayPerRequest => Error::Throttling { reasons },
        }
    }
}

/// Lets a read in, or refuses it.
pub(crate) fn admit_read(
    tables: &Tables,
    table: &Table,
    shape: &Shape,
    index: Option<&Index>,
    key: Option<&Key>,
) -> Result<()> {
    if !tables.throttles() {
        return Ok(());
    }
    match index.filter(|index| !index.layout.is_local) {
        Some(index) => admit_index(tables, table, shape, index, Kind::Read),
        None => admit_table(tables, table, shape, key, Kind::Read),
    }
}

/// Lets a write in, or refuses it: also for an index that cannot follow.
pub(crate) fn admit_write(tables: &Tables, table: &Table, shape: &Shape, key: Option<&Key>) -> Result<()> {
    if !tables.throttles() {
        return Ok(());
    }
    admit_table(tables, table, shape, key, Kind::Write)?;
    let globals = shape.indexes.iter().filter(|index| !index.layout.is_local);
    for index in globals {
        admit_index(tables, table, shape, index, Kind::Write)?;
    }
    Ok(())
}

fn admit_table(tables: &Tables, table: &Table, shape: &Shape, key: Option<&Key>, kind: Kind) -> Result<()> {
    let (store, definition) = (&tables.store, &shape.definition);
    let (now, billing) = (store.now(), definition.billing);
    let exceeded = |is_partition| {
        let resource = table_arn(store, &table.name);
        Err(Exceeded { is_index: false, kind, is_partition, resource }.refuse(billing))
    };
    let dials = tables.state.dials.read();
    if dials.throttle
        && let Some(rate) = rate(billing, &definition.throughput, definition.on_demand, kind)
        && !table.meters.has_left(kind, rate, now)
    {
        return exceeded(false);
    }
    match key {
        Some(key) if dials.throttle_partitions && !table.meters.partition_has_left(kind, key.hash, now) => {
            exceeded(true)
        }
        _ => Ok(()),
    }
}

fn admit_index(tables: &Tables, table: &Table, shape: &Shape, index: &Index, kind: Kind) -> Result<()> {
    let billing = shape.definition.billing;
    let Some(definition) = shape.definition.index(&index.layout.name) else { return Ok(()) };
    if tables.dials().throttle
        && let Some(rate) = rate(billing, &definition.throughput, definition.on_demand, kind)
        && !index.meters.has_left(kind, rate, tables.store.now())
    {
        let resource = format!("{}/index/{}", table_arn(&tables.store, &table.name), index.layout.name);
        return Err(Exceeded { is_index: true, kind, is_partition: false, resource }.refuse(billing));
    }
    Ok(())
}

/// Takes what a read cost.
pub(crate) fn charge_read(tables: &Tables, table: &Table, shape: &Shape, bill: &Bill, key: Option<&Key>) {
    charge(tables, table, shape, bill, key, Kind::Read);
}

/// Takes what a write cost.
pub(crate) fn charge_write(tables: &Tables, table: &Table, shape: &Shape, bill: &Bill, key: Option<&Key>) {
    charge(tables, table, shape, bill, key, Kind::Write);
}

fn charge(tables: &Tables, table: &Table, shape: &Shape, bill: &Bill, key: Option<&Key>, kind: Kind) {
    if !tables.meters() {
        return;
    }
    // Local indexes live on what their table has.
    let of_table = bill.table + bill.local.values().sum::<f64>();
    table.meters.take(kind, of_table);
    if let Some(key) = key {
        table.meters.take_of_partition(kind, key.hash, of_table);
        if tables.state.dials.read().count_partitions {
            table.hot.add(key, kind, of_table);
        }
    }
    for (name, units) in &bill.global {
        if let Some(index) = shape.index(name) {
            index.meters.take(kind, *units);
        }
    }
}

impl Tables {
    /// Is any throughput limited?
    fn throttles(&self) -> bool {
        self.meters() && {
            let dials = self.state.dials.read();
            dials.throttle || dials.throttle_partitions
        }
    }

    /// Does anybody want to know what requests cost?
    fn meters(&self) -> bool {
        // Relaxed: a request that races with the turning of a dial may come before or after it.
        self.state.is_metered.load(Ordering::Relaxed)
    }
}
