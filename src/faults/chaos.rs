//! Faults by chance: how many of each, and the fate of a call that follows from a seed.
//!
//! H1. What happens to a call follows from the seed, its service, operation and resource, and its number among the calls
//!     of that operation on that resource: not from what other threads do meanwhile.

use crate::faults::failure::{Failure, Service};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How often what happens, when it happens by chance. By default nothing does.
///
/// ```
/// use fourfold::{Store, faults::Chaos};
/// let store = Store::in_memory();
/// let jobs = store.queues().create("jobs")?;
/// store.faults().random(7, Chaos::rough());
/// let failed = (0..1000).filter(|_| jobs.send("again").is_err()).count();
/// assert!((50..250).contains(&failed));
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chaos {
    /// Of a thousand calls, how many are [throttled](Failure::Throttle).
    pub throttle_per_mille: u16,
    /// Of a thousand calls, how many fail, with [`Internal`](Failure::Internal) or [`Unavailable`](Failure::Unavailable).
    pub fail_per_mille: u16,
    /// Of a thousand calls, how many are done and answered with [`Internal`](Failure::Internal).
    pub lose_per_mille: u16,
    /// Of a thousand calls, how many take long.
    pub slow_per_mille: u16,
    /// How long a slow call takes at most.
    pub slow: Duration,
    /// Of a thousand messages received from a standard queue, how many stay visible and are delivered again.
    pub duplicate_per_mille: u16,
    /// Of a thousand messages received from a standard queue, how many come before an older one.
    pub reorder_per_mille: u16,
    /// Of a thousand changes of an item, how many are late in the global indexes.
    pub stale_per_mille: u16,
    /// How late they are at most.
    pub stale: Duration,
}

impl Chaos {
    /// A bad day: about one call in eight fails, one in thirty of those after it was done; messages come twice and out of
    /// order; indexes lag by up to a second. No call is slow, which takes a clock that moves.
    pub fn rough() -> Self {
        Self {
            throttle_per_mille: 50,
            fail_per_mille: 50,
            lose_per_mille: 30,
            duplicate_per_mille: 100,
            reorder_per_mille: 100,
            stale_per_mille: 200,
            stale: Duration::from_secs(1),
            ..Self::default()
        }
    }
}

/// The dice for one event.
pub(super) struct Dice {
    hash: u64,
}

impl Dice {
    /// The dice of the `number`th call of an operation on a resource (H1).
    pub(super) fn new(seed: u64, service: Service, operation: &str, resource: &str, number: u64) -> Self {
        let mut name = Vec::with_capacity(operation.len() + resource.len() + 16);
        for part in [service.name(), operation, resource] {
            name.extend_from_slice(part.as_bytes());
            name.push(0);
        }
        name.extend_from_slice(&number.to_le_bytes());
        Self { hash: xxh3_64_with_seed(&name, seed) }
    }

    /// The `which`th number below `below` of this event.
    fn roll(&self, which: u64, below: u64) -> u64 {
        xxh3_64_with_seed(&which.to_le_bytes(), self.hash) % below.max(1)
    }

    /// Does it happen?
    pub(super) fn hits(&self, which: u64, per_mille: u16) -> bool {
        per_mille > 0 && self.roll(which, 1000) < u64::from(per_mille)
    }

    /// How long it takes, in whole milliseconds: at least one if there is any.
    pub(super) fn duration(&self, which: u64, max: Duration) -> Duration {
        let max = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(if max == 0 { 0 } else { 1 + self.roll(which, max) })
    }

    /// One failure or the other.
    pub(super) fn failure(&self, which: u64) -> Failure {
        if self.roll(which, 2) == 0 { Failure::Internal } else { Failure::Unavailable }
    }
}
