//! What tests of applications turn up to see what the service sometimes does.

use crate::kv::Tables;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Behaviour of the service that is off unless asked for: delays, throttling, batches that are not done in one go.
///
/// ```
/// use fourfold::kv::Dials;
/// use std::time::Duration;
///
/// let store = fourfold::Store::in_memory();
/// let mut dials = Dials::default();
/// dials.global_index_delay = Duration::from_millis(50);
/// store.tables().set_dials(dials);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dials {
    /// How long a table or an index is on its way: `CREATING`, `UPDATING`, `DELETING`. A table that is being created
    /// serves no items.
    pub transitions: Duration,
    /// How long reads of global indexes do not see a change.
    pub global_index_delay: Duration,
    /// Are provisioned throughput, and the limits of tables paid by request, enforced? Up to 300 seconds of unused
    /// capacity can be used later.
    pub throttle: bool,
    /// Is one partition key limited to 3,000 read and 1,000 write units per second?
    pub throttle_partitions: bool,
    /// Is it counted how much each partition is used, for [`Tables::hot_partitions`]?
    pub count_partitions: bool,
    /// Entries of a batch that are done; the others are given back as unprocessed. 0: all are done.
    pub batch_entries_max: usize,
    /// How long an item stays after it has expired.
    pub expiry_delay: Duration,
    /// Open shards of streams that are created from now on. 0: one.
    pub stream_shards: u32,
    /// After how long a shard is closed and another takes its place. Zero: 4 hours.
    pub stream_shard_age: Duration,
}

impl Tables {
    /// Sets the dials of this store's tables. They are not stored.
    pub fn set_dials(&self, dials: Dials) {
        let is_metered = dials.throttle || dials.throttle_partitions || dials.count_partitions;
        *self.state.dials.write() = dials;
        // Relaxed: see `Tables::meters`.
        self.state.is_metered.store(is_metered, Ordering::Relaxed);
        self.store.wake_sweeper();
    }

    /// How the dials stand.
    pub fn dials(&self) -> Dials {
        self.state.dials.read().clone()
    }
}
