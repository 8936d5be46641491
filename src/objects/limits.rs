//! Every bound of buckets and objects. All of them are the service's but the last four.

/// Longest key, in bytes of UTF-8.
pub const KEY_LEN_MAX: usize = 1024;
/// Most entries of one page of a listing; who asks for more gets this many.
pub const PAGE_MAX: u32 = 1000;
/// Most keys of one [`delete_many`](crate::objects::Bucket::delete_many).
pub const DELETE_KEYS_MAX: usize = 1000;
/// Longest body of one put, one part and one copy: 5 GiB.
pub const PUT_LEN_MAX: u64 = 5 << 30;
/// Longest object: 50 TB (tebibytes, as the service counts).
pub const OBJECT_LEN_MAX: u64 = 50 << 40;
/// Shortest part of a completed upload, but for the last one: 5 MiB.
pub const PART_LEN_MIN: u64 = 5 << 20;
/// Highest part number; the lowest is 1.
pub const PART_NUMBER_MAX: u32 = 10_000;
/// Names and values of user metadata together, in bytes.
pub const USER_METADATA_LEN_MAX: usize = 2048;
/// Tags of an object.
pub const OBJECT_TAGS_MAX: usize = 10;
/// Tags of a bucket.
pub const BUCKET_TAGS_MAX: usize = 50;
/// Longest key of a tag, in UTF-16 units.
pub const TAG_KEY_LEN_MAX: usize = 128;
/// Longest value of a tag, in UTF-16 units.
pub const TAG_VALUE_LEN_MAX: usize = 256;
/// Most buckets of an account, and of one page of a listing of buckets.
pub const BUCKETS_MAX: u32 = 10_000;
/// Longest text of a stored setting, in bytes: that of the service's longest, a CORS configuration of 64 KB.
pub const SETTING_LEN_MAX: usize = 64 << 10;

/// Reads of a bucket in a second that the service gives at least; only with [`Dials::throttle`](crate::objects::Dials).
pub const READS_PER_SECOND: u32 = 5_500;
/// The same of writes and deletions.
pub const WRITES_PER_SECOND: u32 = 3_500;

/// Names and values of [attributes](crate::objects::Metadata::attributes) together, in bytes.
pub const ATTRIBUTES_LEN_MAX: usize = 64 << 10;

/// Bodies up to this length lie in the record of their object.
pub(crate) const INLINE_LEN_MAX: usize = 32 << 10;
/// Longer ones lie in chunks of this length, if a segment of the store has room for them.
pub(crate) const CHUNK_LEN_MAX: usize = 1 << 20;
/// Extents up to this many chunks are given back with the change that drops them, longer ones bit by bit behind it.
pub(crate) const CHUNKS_FREED_AT_ONCE: u64 = 64;
