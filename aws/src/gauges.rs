//! What the resources of a store hold, in the text form of Prometheus.
//!
//! Queues, streams and tables count as they go. What a bucket holds takes a walk, so it is told again only after ten times
//! as long as the last walk took.

use crate::metrics::head;
use fourfold::objects::{BucketStats, ListBuckets};
use fourfold::stream::ListStreams;
use fourfold::{Inventory, Store};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Resources of a kind that are told of, the first by name. Names are the callers', so there is an end to them.
const RESOURCES_MAX: u16 = 1000;
/// Of the machine's time, walks through buckets take at most this part.
const REST: u32 = 10;

type Found<T> = std::result::Result<T, Box<dyn Error>>;

/// Lines of each gauge, by its name.
#[derive(Debug, Default)]
struct Lines(BTreeMap<&'static str, String>);

/// Name and meaning of every gauge.
const GAUGES: [(&str, &str); 20] = [
    ("bucket_bytes", "Bytes of all versions of objects in a bucket."),
    ("bucket_delete_markers", "Delete markers in a bucket."),
    ("bucket_objects", "Keys of a bucket that a listing shows."),
    ("bucket_part_bytes", "Bytes of parts of uploads that are neither completed nor aborted."),
    ("bucket_uploads", "Uploads that are neither completed nor aborted."),
    ("bucket_versions", "Versions of objects in a bucket."),
    ("consumer_lag_seconds", "Age of the oldest record that a subscription was not given yet."),
    ("queue_messages", "Messages of a queue by state."),
    ("queue_oldest_seconds", "Age of the oldest message of a queue."),
    ("queue_waiting", "Receives that wait for messages."),
    ("resources", "Resources by kind."),
    ("stream_bytes", "Bytes of keys and data of a stream's records."),
    ("stream_oldest_seconds", "Age of the oldest record of a stream."),
    ("stream_records", "Records of a stream that can be read."),
    ("stream_shards", "Shards of a stream by state."),
    ("table_bytes", "Bytes of a table or, by its name, of an index."),
    ("table_changes", "Change records of a table that can be read."),
    ("table_items", "Items of a table or, by its name, of an index."),
    ("table_oldest_change_seconds", "Age of the oldest change record of a table."),
    ("unread", "Kinds of resources that could not be read."),
];

/// What is kept from one time to the next.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    buckets: Mutex<Option<Walked>>,
}

/// A walk through all buckets.
#[derive(Debug)]
struct Walked {
    ended: Instant,
    took: Duration,
    found: Vec<(String, BucketStats)>,
}

impl Gauges {
    /// All of it. What cannot be read is left out, and counted.
    pub(crate) fn text(&self, store: &Store) -> String {
        let mut lines = Lines::default();
        let all = [
            resources(store, &mut lines),
            queues(store, &mut lines),
            streams(store, &mut lines),
            tables(store, &mut lines),
            self.buckets(store, &mut lines),
        ];
        let unread = all.iter().filter(|found| found.is_err()).count();
        lines.add("unread", &[], unread);
        let mut text = String::new();
        for (name, help) in GAUGES {
            if let Some(lines) = lines.0.get(name) {
                head(&mut text, &format!("fourfold_{name}"), "gauge", help);
                text.push_str(lines);
            }
        }
        text
    }

    /// There is another store.
    pub(crate) fn forget(&self) {
        *self.buckets.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    #[expect(clippy::disallowed_methods, reason = "how long work took is a matter of the machine's time")]
    fn buckets(&self, store: &Store, lines: &mut Lines) -> Found<()> {
        // A walk that failed has left nothing behind.
        let mut known = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |known: &Walked| known.ended.elapsed() < known.took * REST;
        if !known.as_ref().is_some_and(is_fresh) {
            let begun = Instant::now();
            let found = walk(store)?;
            *known = Some(Walked { ended: Instant::now(), took: begun.elapsed(), found });
        }
        for (name, stats) in known.iter().flat_map(|known| &known.found) {
            let bucket = &[("bucket", name.as_str())];
            lines.add("bucket_objects", bucket, stats.objects);
            lines.add("bucket_versions", bucket, stats.versions);
            lines.add("bucket_delete_markers", bucket, stats.delete_markers);
            lines.add("bucket_bytes", bucket, stats.bytes);
            lines.add("bucket_uploads", bucket, stats.uploads);
            lines.add("bucket_part_bytes", bucket, stats.part_bytes);
        }
        Ok(())
    }
}

impl Lines {
    fn add(&mut self, name: &'static str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let lines = self.0.entry(name).or_default();
        // Writing to a string does not fail.
        let _ = write!(lines, "fourfold_{name}");
        for (count, (label, value)) in labels.iter().enumerate() {
            let _ = write!(lines, "{}{label}=\"{value}\"", if count == 0 { '{' } else { ',' });
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(lines, "{end} {value}");
    }

    fn age(&mut self, name: &'static str, labels: &[(&str, &str)], age: Option<Duration>) {
        self.add(name, labels, age.unwrap_or_default().as_secs_f64());
    }
}

fn resources(store: &Store, lines: &mut Lines) -> Found<()> {
    let Inventory { keyspaces, queues, streams, tables, buckets, .. } = store.inventory()?;
    let kinds = [
        ("bucket", buckets),
        ("keyspace", keyspaces),
        ("queue", queues),
        ("stream", streams),
        ("table", tables),
    ];
    for (kind, count) in kinds {
        lines.add("resources", &[("kind", kind)], count);
    }
    Ok(())
}

fn queues(store: &Store, lines: &mut Lines) -> Found<()> {
    for queue in store.queues().list("", Some(RESOURCES_MAX.into()), None)?.queues {
        let (name, stats) = (queue.name(), queue.stats()?);
        for (state, count) in
            [("visible", stats.visible), ("in_flight", stats.in_flight), ("delayed", stats.delayed)]
        {
            lines.add("queue_messages", &[("queue", name), ("state", state)], count);
        }
        lines.age("queue_oldest_seconds", &[("queue", name)], stats.oldest);
        lines.add("queue_waiting", &[("queue", name)], stats.waiting);
    }
    Ok(())
}

fn streams(store: &Store, lines: &mut Lines) -> Found<()> {
    let mut request = ListStreams::default();
    request.limit = Some(RESOURCES_MAX.into());
    for stream in store.streams().list(&request)?.streams {
        let (name, stats) = (&*stream.name, store.streams().stream(&stream.name)?.stats()?);
        for (state, count) in [("open", stats.open_shards), ("closed", stats.closed_shards)] {
            lines.add("stream_shards", &[("stream", name), ("state", state)], count);
        }
        lines.add("stream_records", &[("stream", name)], stats.records);
        lines.add("stream_bytes", &[("stream", name)], stats.bytes);
        lines.age("stream_oldest_seconds", &[("stream", name)], stats.oldest);
        for consumer in &stats.consumers {
            for one in &consumer.subscriptions {
                let labels = [("stream", name), ("consumer", &*consumer.name), ("shard", &*one.shard_id)];
                lines.age("consumer_lag_seconds", &labels, Some(one.lag));
            }
        }
    }
    Ok(())
}

fn tables(store: &Store, lines: &mut Lines) -> Found<()> {
    let (tables, mut after, mut left) = (store.tables(), None::<String>, usize::from(RESOURCES_MAX));
    while left > 0 {
        let page = tables.list_tables(after.as_deref(), None)?;
        for name in page.names.iter().take(left) {
            table(&tables.table(name), name, lines)?;
        }
        left = left.saturating_sub(page.names.len());
        after = page.last_evaluated;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

fn table(table: &fourfold::kv::Table, name: &str, lines: &mut Lines) -> Found<()> {
    let stats = table.stats()?;
    let counted = std::iter::once(("", stats.items, stats.bytes));
    for (index, items, bytes) in
        counted.chain(stats.indexes.iter().map(|index| (&*index.name, index.items, index.bytes)))
    {
        lines.add("table_items", &[("table", name), ("index", index)], items);
        lines.add("table_bytes", &[("table", name), ("index", index)], bytes);
    }
    if let Some(changes) = stats.changes {
        lines.add("table_changes", &[("table", name)], changes.records);
        lines.age("table_oldest_change_seconds", &[("table", name)], changes.oldest);
    }
    Ok(())
}

fn walk(store: &Store) -> Found<Vec<(String, BucketStats)>> {
    let (buckets, mut found, mut request) = (store.buckets(), Vec::new(), ListBuckets::default());
    loop {
        let page = buckets.list(&request)?;
        for bucket in &page.buckets {
            if found.len() == usize::from(RESOURCES_MAX) {
                return Ok(found);
            }
            found.push((bucket.name.clone(), buckets.bucket(&bucket.name)?.stats()?));
        }
        request.continuation_token = page.continuation_token;
        if request.continuation_token.is_none() {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fourfold::ManualClock;
    use fourfold::kv::{CreateTable, ScalarType, item};
    use fourfold::stream::CreateStream;

    fn filled() -> Found<Store> {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).open_in_memory();
        let jobs = store.queues().create("jobs")?;
        jobs.send("one")?;
        jobs.send("two")?;
        jobs.receive(1)?;
        store.streams().create("clicks", CreateStream::default().shard_count(1))?.put("k", "value")?;
        store.tables().create_table(CreateTable::new("users").hash("id", ScalarType::S))?;
        store.tables().table("users").put(item! { "id" => "ann" })?;
        store.buckets().create("photos")?.put("a", "bytes")?;
        clock.advance(Duration::from_secs(5));
        Ok(store)
    }

    #[test]
    fn every_resource_has_its_gauges() {
        let gauges = Gauges::default();
        let text = gauges.text(&filled().unwrap());
        for line in [
            "fourfold_resources{kind=\"queue\"} 1",
            "fourfold_queue_messages{queue=\"jobs\",state=\"visible\"} 1",
            "fourfold_queue_messages{queue=\"jobs\",state=\"in_flight\"} 1",
            "fourfold_queue_oldest_seconds{queue=\"jobs\"} 5",
            "fourfold_stream_records{stream=\"clicks\"} 1",
            "fourfold_stream_bytes{stream=\"clicks\"} 6",
            "fourfold_stream_shards{stream=\"clicks\",state=\"open\"} 1",
            "fourfold_table_items{table=\"users\",index=\"\"} 1",
            "fourfold_bucket_objects{bucket=\"photos\"} 1",
            "fourfold_bucket_bytes{bucket=\"photos\"} 5",
            "fourfold_unread 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let names = text.lines().filter_map(|line| line.strip_prefix("fourfold_"));
        for name in names.filter_map(|line| line.split(['{', ' ']).next()) {
            assert!(GAUGES.iter().any(|(known, _)| *known == name), "{name} has a meaning");
        }
    }

    #[test]
    fn a_store_without_resources_says_so() {
        let text = Gauges::default().text(&Store::in_memory());
        assert!(text.contains("fourfold_resources{kind=\"bucket\"} 0"));
        assert!(!text.contains("fourfold_queue_messages"));
    }
}
