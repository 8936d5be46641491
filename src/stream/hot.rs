//! Which partition keys a shard is written to most.
//!
//! A few counters for any number of keys (Metwally, Agrawal, El Abbadi: "Efficient computation of frequent and top-k
//! elements in data streams", 2005): a key without a counter takes over the smallest one, with its count as the error.
//! So a key that is in more than one of so many records always has a counter, and a count is too large by its error at
//! most.

/// Counters of a shard.
const COUNTERS: usize = 64;

/// A partition key and how often it was put lately. See [`Stream::hot_keys`](super::Stream::hot_keys).
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::Dials};
/// let store = Store::in_memory();
/// let streams = store.streams();
/// let mut dials = Dials::default();
/// dials.count_hot_keys = true;
/// streams.set_dials(dials);
/// let stream = streams.create("clicks", Default::default())?;
/// for page in ["home", "news", "home"] {
///     stream.put(page, "visit")?;
/// }
/// let hot = stream.hot_keys(1)?;
/// assert_eq!((&*hot[0].partition_key, hot[0].records), ("home", 2));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HotKey {
    /// The key.
    pub partition_key: String,
    /// The shard that its records went to.
    pub shard_id: super::ShardId,
    /// Records put under it, at most [`error`](Self::error) too many.
    pub records: u64,
    /// Bytes of these records, as far as they were counted.
    pub bytes: u64,
    /// By how many records the count may be too large.
    pub error: u64,
}

#[derive(Debug, Default)]
pub(crate) struct HotKeys {
    counters: Vec<Counter>,
}

#[derive(Clone, Debug)]
pub(crate) struct Counter {
    pub(crate) hash: u128,
    pub(crate) key: Box<str>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) error: u64,
}

impl HotKeys {
    /// A record of `size` bytes was put under `key`.
    pub(crate) fn count(&mut self, key: &str, hash: u128, size: usize) {
        let size = size as u64;
        let known = self.counters.iter_mut().find(|counter| counter.hash == hash && *counter.key == *key);
        if let Some(counter) = known {
            counter.records += 1;
            counter.bytes += size;
            return;
        }
        let mut counter = Counter { hash, key: key.into(), records: 1, bytes: size, error: 0 };
        if self.counters.len() < COUNTERS {
            self.counters.push(counter);
        } else if let Some(least) = self.counters.iter_mut().min_by_key(|counter| counter.records) {
            counter.records += least.records;
            counter.error = least.records;
            *least = counter;
        }
    }

    pub(crate) fn counters(&self) -> &[Counter] {
        &self.counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_keys_are_found_among_many() {
        let mut hot = HotKeys::default();
        let mut truth = [0_u64; 3];
        for number in 0..30_000_u32 {
            let key = match number % 10 {
                0 | 5 => "a".to_owned(),
                1 => "b".to_owned(),
                2 if number % 20 == 2 => "c".to_owned(),
                _ => format!("key {number}"),
            };
            if let Some(place) = ["a", "b", "c"].iter().position(|hot| *hot == key) {
                truth[place] += 1;
            }
            hot.count(&key, super::super::hash_key(&key), 100);
        }
        assert!(hot.counters().len() <= COUNTERS);
        for (key, truth) in ["a", "b", "c"].iter().zip(truth) {
            let counter = hot.counters().iter().find(|counter| &*counter.key == *key).unwrap();
            assert!(
                (truth..=truth + counter.error).contains(&counter.records),
                "{key}: {counter:?}, {truth}"
            );
        }
    }
}
