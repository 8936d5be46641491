//! `GetRecords`.

use crate::clock::Timestamp;
use crate::kv::Tables;
use crate::kv::changes::describe::sequence_number;
use crate::kv::changes::feed::{Feed, key};
use crate::kv::changes::iterator::Place;
use crate::kv::changes::record::ChangeKind;
use crate::kv::error::{Error, Result};
use crate::kv::schema::StreamViewType;
use crate::kv::tables::validate::constraint;
use crate::kv::value::Item;
use crate::store::Store;
use xxhash_rust::xxh3::xxh3_128;

/// Records in an answer, at most, and by default.
pub const CHANGES_MAX: usize = 1000;
/// Bytes of records in an answer: the one that passes it is the last.
const BYTES_MAX: usize = 1 << 20;
/// Records of other shards that are passed over before an answer is given.
const PASSED_MAX: usize = 100_000;

/// A change of an item.
///
/// ```
/// use fourfold::kv::{CreateTable, ScalarType, StreamViewType, item};
/// # fn main() -> fourfold::kv::Result<()> {
/// let store = fourfold::Store::in_memory();
/// let tables = store.tables();
/// let users = CreateTable::new("users").hash("id", ScalarType::S).stream(StreamViewType::NewImage);
/// tables.create_table(users)?;
/// let mut changes = tables.subscribe("users")?;
/// tables.table("users").put(item! { "id" => "ann", "age" => 30 })?;
/// let change = changes.try_next()?.expect("something changed");
/// assert_eq!(change.keys, item! { "id" => "ann" });
/// assert_eq!(change.new_image, Some(item! { "id" => "ann", "age" => 30 }));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChangeRecord {
    /// Another one for each record.
    pub event_id: String,
    /// What happened.
    pub kind: ChangeKind,
    /// Was it the service that did it, because the item had expired?
    pub by_service: bool,
    /// When, to the millisecond; the service says the second.
    pub created: Timestamp,
    /// The key of the item.
    pub keys: Item,
    /// The item as it was, if the view shows it and there was one.
    pub old_image: Option<Item>,
    /// The item as it is, if the view shows it and there is one.
    pub new_image: Option<Item>,
    /// Its place in the shard.
    pub sequence_number: String,
    /// Bytes of keys and images, as the service counts them.
    pub size_bytes: u64,
    /// What the record shows.
    pub view_type: StreamViewType,
}

/// An answer of [`Tables::get_records`].
///
/// ```
/// # use fourfold::kv::{CreateTable, DescribeStream, ScalarType, ShardPosition, StreamViewType, item};
/// # let store = fourfold::Store::in_memory();
/// # let tables = store.tables();
/// # let table = CreateTable::new("users").hash("id", ScalarType::S).stream(StreamViewType::KeysOnly);
/// # let arn = tables.create_table(table)?.latest_stream_arn.expect("the stream was asked for");
/// tables.table("users").put(item! { "id" => "ann" })?;
/// let shard = tables.describe_stream(&DescribeStream::new(&arn))?.shards.remove(0).id;
/// let iterator = tables.get_shard_iterator(&arn, &shard, &ShardPosition::TrimHorizon)?;
/// let page = tables.get_records(&iterator, None)?;
/// assert_eq!(page.records.len(), 1);
/// assert!(page.next_iterator.is_some(), "the shard is open");
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ChangePage {
    /// In order.
    pub records: Vec<ChangeRecord>,
    /// Where to read on; none at the end of a closed shard.
    pub next_iterator: Option<String>,
}

impl Tables {
    /// Records of a shard from an iterator on: at most `limit` (1 to 1,000, by default 1,000) and 1 MB.
    ///
    /// # Errors
    /// `ExpiredIteratorException` for one older than 15 minutes, `TrimmedDataAccessException` if its records are gone,
    /// `ResourceNotFoundException` if its stream is, `ValidationException` for what is no iterator.
    pub fn get_records(&self, iterator: &str, limit: Option<usize>) -> Result<ChangePage> {
        self.store.call("GetRecords", "", || self.do_get_records(iterator, limit))
    }

    fn do_get_records(&self, iterator: &str, limit: Option<usize>) -> Result<ChangePage> {
        let limit = limit.unwrap_or(CHANGES_MAX);
        if limit < 1 {
            return constraint("0", "limit", "Member must have value greater than or equal to 1");
        }
        if limit > CHANGES_MAX {
            let limit = limit.to_string();
            return constraint(&limit, "limit", "Member must have value less than or equal to 1000");
        }
        let (arn, place) = Place::parse(iterator).ok_or(Error::validation("Invalid ShardIterator"))?;
        let feed = self.feed(arn)?;
        let now = self.store.now();
        if place.has_expired(now) {
            return Err(Error::ExpiredIterator);
        }
        if place.number < feed.horizon(&self.store)? {
            return Err(Error::TrimmedDataAccess);
        }
        let shard = feed.tail.lock().shard(place.shard).cloned();
        let shard = shard.ok_or(Error::TrimmedDataAccess)?;
        let (records, next) =
            feed.read(&self.store, place.number, limit, |of| of == place.shard, shard.to)?;
        let is_over = shard.to.is_some_and(|to| next >= to);
        let next_iterator = (!is_over).then(|| Place::new(place.shard, next, now).text(arn));
        Ok(ChangePage { records, next_iterator })
    }
}

impl Feed {
    /// Records of the shards that are `wanted` from a number on and before `end`, and where to read on.
    pub(crate) fn read(
        &self,
        store: &Store,
        from: u64,
        limit: usize,
        wanted: impl Fn(u32) -> bool,
        end: Option<u64>,
    ) -> Result<(Vec<ChangeRecord>, u64)> {
        let (mut records, mut next, mut bytes, mut passed) = (Vec::new(), from, 0, 0);
        let mut range = self.space.range(store, key(from)..key(end.unwrap_or(u64::MAX)));
        while range.advance()? {
            let Some(number) = range.key().first_chunk().map(|key| u64::from_be_bytes(*key)) else {
                continue;
            };
            let value = range.value()?;
            if wanted(self.head(&value)?.shard) {
                let record = self.change_record(store, number, &value)?;
                bytes += usize::try_from(record.size_bytes).unwrap_or(usize::MAX);
                records.push(record);
            } else {
                passed += 1;
            }
            next = number + 1;
            if records.len() == limit || bytes >= BYTES_MAX || passed >= PASSED_MAX {
                return Ok((records, next));
            }
        }
        // Nothing of a closed shard is left to come.
        Ok((records, end.map_or(next, |end| end.max(next))))
    }

    fn change_record(&self, store: &Store, number: u64, value: &[u8]) -> Result<ChangeRecord> {
        let recorded = self.decode(value)?;
        let name = format!("{}/{}/{number}/{}", self.table, self.label, store.region());
        Ok(ChangeRecord {
            event_id: format!("{:032x}", xxh3_128(name.as_bytes())),
            kind: recorded.kind,
            by_service: recorded.by_service,
            created: recorded.at,
            keys: recorded.keys,
            old_image: recorded.old,
            new_image: recorded.new,
            sequence_number: sequence_number(number),
            size_bytes: recorded.size as u64,
            view_type: self.view,
        })
    }
}
