//! Every bound of a stream, with what it is for. All are the service's.

use std::time::Duration;

/// Bytes of a name, from 1.
pub(crate) const NAME_LEN_MAX: usize = 128;
/// Characters of a partition key, from 1.
pub(crate) const PARTITION_KEY_CHARS_MAX: usize = 256;
/// Records of one call that puts many.
pub(crate) const RECORDS_PER_PUT_MAX: usize = 500;
/// Bytes of all records of such a call, keys included.
pub(crate) const BYTES_PER_PUT_MAX: usize = 10 << 20;
/// What a stream's records may be set to be at most, data and key, in KiB; the first is the default.
pub(crate) const RECORD_KIB: std::ops::RangeInclusive<u32> = 1024..=10240;
/// Records of an answer of `GetRecords`, and bytes of them.
pub(crate) const RECORDS_PER_READ_MAX: u32 = 10_000;
pub(crate) const BYTES_PER_READ_MAX: usize = 10 << 20;
/// After an answer of [`BYTES_PER_READ_MAX`] a throttled shard answers nothing for so long.
pub(crate) const FULL_READ_PAUSE: Duration = Duration::from_secs(5);
/// What a throttled shard takes and gives per second.
pub(crate) const WRITE_RECORDS_PER_SECOND: u64 = 1000;
pub(crate) const WRITE_BYTES_PER_SECOND: u64 = 1 << 20;
pub(crate) const READS_PER_SECOND: u64 = 5;
pub(crate) const READ_BYTES_PER_SECOND: u64 = 2 << 20;
/// How long an iterator is honoured, and the token of a list.
pub(crate) const ITERATOR_LIFE: Duration = Duration::from_mins(5);
/// Characters of an iterator.
pub(crate) const ITERATOR_LEN_MAX: usize = 512;
/// Characters of a token of a list.
pub(crate) const NEXT_TOKEN_LEN_MAX: usize = 1 << 20;
/// Hours for which records are kept; the first is the default.
pub(crate) const RETENTION_HOURS: std::ops::RangeInclusive<u32> = 24..=8760;
/// Shards of an answer of `ListShards`, by default and at most.
pub(crate) const SHARDS_PER_LIST: u32 = 1000;
pub(crate) const PAGE_MAX: u32 = 10_000;
/// Names, shards of a description, and consumers of an answer, by default.
pub(crate) const PAGE: u32 = 100;
/// Open shards of an account, unless set by the dials.
pub(crate) const SHARDS_PER_ACCOUNT: u64 = 20_000;
/// Shards that a stream can be scaled to.
pub(crate) const SCALE_TARGET_MAX: u32 = 10_000;
/// How often a stream may be scaled within [`ROLLING_DAY`], and how often its mode may change.
pub(crate) const SCALINGS_PER_DAY: usize = 10;
pub(crate) const MODE_CHANGES_PER_DAY: usize = 2;
pub(crate) const ROLLING_DAY: Duration = Duration::from_hours(24);
/// Shards of a stream that is made on demand.
pub(crate) const ON_DEMAND_SHARDS: u32 = 4;
/// Streams on demand that an account may have.
pub(crate) const ON_DEMAND_STREAMS: u64 = 50;
/// Streams, and consumers of a stream, that may be in the making at once.
pub(crate) const CREATING_MAX: usize = 5;
/// Consumers of a stream.
pub(crate) const CONSUMERS_MAX: usize = 20;
/// Tags of a stream or consumer.
pub(crate) const TAGS_MAX: usize = 50;
pub(crate) const TAG_KEY_CHARS_MAX: usize = 128;
pub(crate) const TAG_VALUE_CHARS_MAX: usize = 256;
/// Tag keys that one call may remove.
pub(crate) const UNTAG_MAX: usize = 50;
/// How long a subscription lasts.
pub(crate) const SUBSCRIPTION_LIFE: Duration = Duration::from_mins(5);
/// How long a subscription cannot be taken over by another of the same consumer.
pub(crate) const SUBSCRIPTION_GUARD: Duration = Duration::from_secs(5);
/// Shards ever made by one stream: what their ids can say.
pub(crate) const SHARD_INDEX_MAX: u32 = i32::MAX as u32;
