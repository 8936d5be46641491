//! What the service does to its users, on request.

use crate::stream::limits::SHARDS_PER_ACCOUNT;
use std::num::NonZeroU32;
use std::time::Duration;

/// Settings for testing what code does when the service is slow, busy or failing. By default streams are none of that:
/// changes are done when the call returns, nothing is throttled, nothing fails. They are not stored.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{ManualClock, Store, stream::{Dials, Status}};
/// use std::time::Duration;
///
/// let clock = ManualClock::default();
/// let store = Store::builder().clock(clock.clone()).open_in_memory();
/// let streams = store.streams();
/// let mut dials = Dials::default();
/// dials.create_delay = Duration::from_secs(10);
/// streams.set_dials(dials);
///
/// let stream = streams.create("clicks", Default::default())?;
/// assert_eq!(stream.summary()?.status, Status::Creating);
/// clock.advance(Duration::from_secs(10));
/// assert_eq!(stream.summary()?.status, Status::Active);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dials {
    /// How long a stream is `CREATING`. Default: not at all.
    pub create_delay: Duration,
    /// How long a stream is `DELETING`. Default: not at all.
    pub delete_delay: Duration,
    /// How long a stream is `UPDATING` after a split, a merge, a scaling or a changed setting; the new shards come at the
    /// end of it. Default: not at all.
    pub update_delay: Duration,
    /// How long a consumer is `CREATING`. Default: not at all.
    pub consumer_delay: Duration,
    /// Shards take 1,000 records and 1 MiB a second, and give 2 MiB in 5 reads, as the service's do; more is
    /// [`ThroughputExceeded`](super::Error::ThroughputExceeded). Default: no limits.
    pub throttle: bool,
    /// One in so many records fails with [`InternalFailure`](super::Error::InternalFailure), by the store's seeded chance.
    /// Default: none.
    pub fail_one_in: Option<NonZeroU32>,
    /// Count which partition keys records are put under, for [`Stream::hot_keys`](super::Stream::hot_keys). Default: no.
    pub count_hot_keys: bool,
    /// How many open shards there may be in all streams together. Default: 20,000, the service's quota in us-east-1.
    pub shard_limit: u64,
}

impl Default for Dials {
    fn default() -> Self {
        Self {
            create_delay: Duration::ZERO,
            delete_delay: Duration::ZERO,
            update_delay: Duration::ZERO,
            consumer_delay: Duration::ZERO,
            throttle: false,
            fail_one_in: None,
            count_hot_keys: false,
            shard_limit: SHARDS_PER_ACCOUNT,
        }
    }
}
