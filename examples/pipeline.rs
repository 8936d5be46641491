//! All four engines at work on real files: a pipeline that can be killed at any moment.
//!
//! `cargo run --release --example pipeline [directory [store]]`
//!
//! Every file of a directory (by default the sources of this crate) goes into a versioned bucket, large ones in parts. The
//! bucket tells a queue of each; workers receive that, analyse the file, write an item about it and acknowledge, in one
//! transaction. The table's changes go into a stream, and a consumer keeps totals from the stream. In the end the totals are
//! compared with a walk of the directory that knows nothing of all this.
//!
//! ```text
//! files ─▶ bucket ─▶ queue ─▶ workers ─▶ table ─▶ stream ─▶ totals
//! ```
//!
//! Kill it whenever you like (ctrl-c, `kill -9`, the power button) and run it again: it goes on where it was and ends with the
//! same totals. Nothing is done twice, as each step is one commit with the note that it is done. Change files in between, and
//! the totals follow.

#![allow(clippy::print_stdout, reason = "an example shows something")]
#![allow(clippy::disallowed_methods, reason = "the input is not part of the store")]

use fourfold::Store;
use fourfold::clock::{Clock, Parker, SystemClock, Timestamp};
use fourfold::kv::{
    self, CreateTable, DescribeStream, GetItem, Index, Item, PutItem, Query, ScalarType, Scan, ShardPosition,
    StreamViewType, UpdateItem, item,
};
use fourfold::objects::{
    self, Bucket, CompleteUpload, CreateUpload, EventType, GetObject, ListObjects, ListUploads,
    NotificationConfiguration, NotificationRule, PutObject, UploadPart, Versioning,
};
use fourfold::queue::{Message, NewQueue, Queue, QueueAttributes, Receive};
use fourfold::stream::{CreateStream, PutRecord, SequenceNumber, Start, Stream};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Longer files are uploaded in parts of this length.
const PART_LEN: usize = 8 << 20;
const UPLOADERS: usize = 4;
const WORKERS: usize = 8;
const SHARDS: u32 = 2;
/// How long a worker may take before somebody else gets its file, in seconds.
const PATIENCE: u32 = 3;

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let dir =
        args.next().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).canonicalize()?;
    let name = dir.to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let path = args.next().unwrap_or_else(|| std::env::temp_dir().join(format!("fourfold-pipeline{name}")));
    println!("{} goes through the store in {}", dir.display(), path.display());
    let began = SystemClock.now();
    let done = run(&dir, &path)?;
    let seconds = (SystemClock.now() - began).as_secs_f64().max(0.001);
    print!("{}", table(&done.totals));
    let megabytes = as_f64(done.bytes_uploaded) / 1e6;
    println!(
        "{} files uploaded and {} analysed in {seconds:.2} s: {:.0} files/s, {:.1} MB/s",
        done.uploaded,
        done.analysed,
        as_f64(done.analysed) / seconds,
        megabytes / seconds,
    );
    if let Some((name, size)) = done.largest {
        println!("the largest is {name}, {size} bytes");
    }
    if done.totals == walked(&dir, &path)? {
        println!("a walk of the directory comes to the same");
        Ok(())
    } else {
        Err("a walk of the directory comes to something else: was it changed meanwhile?".into())
    }
}

/// What is known of a file, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) files: u64,
    pub(crate) lines: u64,
    pub(crate) words: u64,
    pub(crate) bytes: u64,
}

/// By kind of file.
pub(crate) type Totals = BTreeMap<String, Facts>;

/// What a run has done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) totals: Totals,
    uploaded: u64,
    analysed: u64,
    bytes_uploaded: u64,
    largest: Option<(String, u64)>,
}

/// What the threads share.
struct Pipeline {
    store: Store,
    files: Bucket,
    arrivals: Queue,
    changes: Stream,
    uploaded: AtomicU64,
    bytes_uploaded: AtomicU64,
    analysed: AtomicU64,
    forwarded: AtomicU64,
    counted: AtomicU64,
    all: AtomicUsize,
    is_uploaded: AtomicBool,
    is_analysed: AtomicBool,
    is_forwarded: AtomicBool,
    is_counted: AtomicBool,
    has_failed: AtomicBool,
}

/// Puts a directory through the store in `path`, from wherever an earlier run got to.
pub(crate) fn run(dir: &Path, path: &Path) -> Result<Done> {
    let store = Store::open(path)?;
    let pipeline = Pipeline::open(store)?;
    let files = files_in(dir, path)?;
    pipeline.all.store(files.len(), Ordering::Relaxed);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| -> Result<()> {
        let p = &pipeline;
        scope.spawn(|| p.show_progress());
        let (files, next) = (&files, &next);
        let uploaders: Vec<_> =
            (0..UPLOADERS).map(|_| scope.spawn(move || p.guard(|| p.upload(dir, files, next)))).collect();
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(move || p.guard(|| p.work()))).collect();
        let forwarder = scope.spawn(move || p.guard(|| p.forward()));
        let shards = p.shards()?;
        let counters: Vec<_> =
            shards.into_iter().map(|shard| scope.spawn(move || p.guard(|| p.count(&shard)))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<()>>| {
            thread.join().unwrap_or_else(|_| Err("a thread panicked".into()))
        };
        let mut ends: Vec<Result<()>> = uploaders.into_iter().map(join).collect();
        ends.push(p.guard(|| p.remove_what_is_gone(files)));
        p.is_uploaded.store(true, Ordering::Release);
        ends.extend(workers.into_iter().map(join));
        p.is_analysed.store(true, Ordering::Release);
        ends.push(join(forwarder));
        p.is_forwarded.store(true, Ordering::Release);
        ends.extend(counters.into_iter().map(join));
        p.is_counted.store(true, Ordering::Release);
        ends.into_iter().collect()
    })?;
    pipeline.done()
}

impl Pipeline {
    /// Finds the bucket, queue, tables and stream, or makes what is missing.
    fn open(store: Store) -> Result<Self> {
        let patience = QueueAttributes::new().visibility_timeout(PATIENCE);
        let arrivals = store.queues().create(NewQueue::new("arrivals").attributes(patience))?;
        let files = bucket(&store)?;
        files.set_versioning(Versioning::Enabled)?;
        let events = [EventType::ObjectCreated, EventType::ObjectRemoved];
        let rule = NotificationRule::new(arrivals.arn(), events);
        if files.notifications()?.rules.is_empty() {
            files.set_notifications(NotificationConfiguration::new([rule]))?;
        }
        let table = CreateTable::new("files")
            .hash("path", ScalarType::S)
            .attribute("kind", ScalarType::S)
            .attribute("size", ScalarType::N)
            .attribute("shelf", ScalarType::S)
            .global_index(Index::new("by-kind").hash("kind").range("size"))
            .global_index(Index::new("by-size").hash("shelf").range("size"))
            .stream(StreamViewType::NewAndOldImages);
        for table in [
            table,
            CreateTable::new("totals").hash("kind", ScalarType::S),
            CreateTable::new("positions").hash("who", ScalarType::S),
        ] {
            match store.tables().create_table(table) {
                Err(kv::Error::ResourceInUse { .. }) | Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let changes = match store.streams().stream("changes") {
            Ok(stream) => stream,
            Err(_) => store.streams().create("changes", CreateStream::default().shard_count(SHARDS))?,
        };
        Ok(Self {
            store,
            files,
            arrivals,
            changes,
            uploaded: AtomicU64::new(0),
            bytes_uploaded: AtomicU64::new(0),
            analysed: AtomicU64::new(0),
            forwarded: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            all: AtomicUsize::new(0),
            is_uploaded: AtomicBool::new(false),
            is_analysed: AtomicBool::new(false),
            is_forwarded: AtomicBool::new(false),
            is_counted: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        })
    }

    /// Runs a part; if it fails the others stop.
    fn guard(&self, part: impl FnOnce() -> Result<()>) -> Result<()> {
        let end = part();
        if end.is_err() {
            self.has_failed.store(true, Ordering::Release);
        }
        end
    }

    /// Is there nothing more to come from those before, whose sign this is?
    fn is_over(&self, sign: &AtomicBool) -> bool {
        sign.load(Ordering::Acquire) || self.has_failed.load(Ordering::Acquire)
    }

    // The bucket.

    /// Uploads files that are not there as they are, until there are no more.
    fn upload(&self, dir: &Path, files: &[String], next: &AtomicUsize) -> Result<()> {
        while let Some(name) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if self.has_failed.load(Ordering::Acquire) {
                break;
            }
            let Ok(data) = std::fs::read(dir.join(name)) else { continue };
            let hash = hex(&Sha256::digest(&data));
            let known = self.files.head(name).ok();
            if known.is_some_and(|known| known.info.metadata.get("sha256") == Some(&hash)) {
                continue;
            }
            self.bytes_uploaded.fetch_add(data.len() as u64, Ordering::Relaxed);
            if data.len() > PART_LEN {
                self.upload_in_parts(name, &hash, &data)?;
            } else {
                let mut put = PutObject::new(name);
                put.metadata.insert("sha256", &hash);
                self.files.put_object(put, data)?;
            }
            self.uploaded.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn upload_in_parts(&self, name: &str, hash: &str, data: &[u8]) -> Result<()> {
        let mut create = CreateUpload::new(name);
        create.metadata.insert("sha256", hash);
        let id = self.files.create_upload(create)?.upload_id;
        let mut complete = CompleteUpload::new(name, id);
        for (number, part) in (1..).zip(data.chunks(PART_LEN)) {
            let part = self.files.upload_part(UploadPart::new(name, id, number), part.to_vec())?;
            complete = complete.part(number, part.etag);
        }
        self.files.complete_upload(&complete)?;
        Ok(())
    }

    /// Deletes objects whose files are gone, and uploads that an earlier run did not finish.
    fn remove_what_is_gone(&self, files: &[String]) -> Result<()> {
        for upload in self.files.list_uploads(&ListUploads::default())?.uploads {
            self.files.abort_upload(&upload.key, &upload.upload_id.to_string())?;
        }
        let mut request = ListObjects::new();
        loop {
            let page = self.files.list(&request)?;
            for object in page.objects {
                if files.binary_search(&object.key).is_err() {
                    self.files.delete(&object.key)?;
                }
            }
            let Some(token) = page.next_continuation_token else { return Ok(()) };
            request.continuation_token = Some(token);
        }
    }

    // The workers.

    /// Works off arrivals until all is uploaded and none is left.
    fn work(&self) -> Result<()> {
        loop {
            let messages = self.arrivals.receive(Receive::new().max_messages(10).wait(1))?;
            for message in &messages {
                self.analyse(message)?;
            }
            if self.has_failed.load(Ordering::Acquire) {
                return Ok(());
            }
            let is_last = messages.is_empty() && self.is_over(&self.is_uploaded);
            if is_last && self.arrivals.stats()?.messages() == 0 {
                return Ok(());
            }
        }
    }

    /// What there is to know of a file, and that it is known: one commit.
    fn analyse(&self, message: &Message) -> Result<()> {
        let Some(arrival) = Arrival::parse(message.body())? else {
            self.arrivals.delete_message(message.receipt_handle())?;
            return Ok(());
        };
        let item = self.item_about(&arrival)?;
        let done = self.store.transaction().retries(100).run(|tx| {
            tx.acknowledge(&self.arrivals, message.receipt_handle())?;
            let key = item! { "path" => arrival.key.as_str() };
            let known = tx.get_item(&GetItem::new("files", key))?.item;
            // Messages may overtake each other: what is newer stays.
            let is_news = known.is_none_or(|known| text(&known, "sequence") < arrival.sequence);
            if is_news {
                tx.put_item(PutItem::new("files", item.clone()))?;
            }
            Ok(())
        });
        match done {
            Ok(_) => {
                self.analysed.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            // It took too long, and somebody else was faster.
            Err(error) if error.code() == "InvalidParameterValue" => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn item_about(&self, arrival: &Arrival) -> Result<Item> {
        let (path, sequence) = (arrival.key.as_str(), arrival.sequence.as_str());
        if arrival.is_removal {
            return Ok(item! { "path" => path, "sequence" => sequence });
        }
        let mut get = GetObject::new(path);
        if let Some(version) = &arrival.version {
            get = get.version(version);
        }
        let data = self.files.get_object(get)?.body.bytes()?;
        let facts = facts_of(&data);
        Ok(item! {
            "path" => path,
            "sequence" => sequence,
            "kind" => kind_of(path),
            "shelf" => "all",
            "size" => facts.bytes,
            "lines" => facts.lines,
            "words" => facts.words,
            "sha256" => hex(&Sha256::digest(&data)),
        })
    }

    // The table's changes.

    /// Puts each change of the table into the stream, and where it has got to, in one commit.
    fn forward(&self) -> Result<()> {
        let tables = self.store.tables();
        let arn = tables.describe_table("files")?.latest_stream_arn.ok_or("the table has a stream")?;
        let shards = tables.describe_stream(&DescribeStream::new(&arn))?.shards;
        for shard in shards {
            let position = match self.position("forwarder")? {
                Some(sequence) => ShardPosition::AfterSequenceNumber(sequence),
                None => ShardPosition::TrimHorizon,
            };
            let mut iterator = tables.get_shard_iterator(&arn, &shard.id, &position).ok();
            while let Some(present) = iterator.take() {
                // Looked at before the read: what was written before is then found.
                let is_last = self.is_over(&self.is_analysed);
                let page = tables.get_records(&present, Some(200))?;
                if let Some(last) = page.records.last() {
                    self.forward_page(&page.records, &last.sequence_number)?;
                } else if is_last {
                    break;
                } else {
                    pause(5);
                }
                iterator = page.next_iterator;
            }
        }
        Ok(())
    }

    fn forward_page(&self, records: &[kv::ChangeRecord], last: &str) -> Result<()> {
        let described: Vec<(String, String)> = records.iter().map(describe_change).collect();
        self.store.transaction().retries(100).run(|tx| {
            for (path, change) in &described {
                tx.put_record(&self.changes, &PutRecord::new(path, change))?;
            }
            tx.put_item(PutItem::new("positions", item! { "who" => "forwarder", "sequence" => last }))
        })?;
        self.forwarded.fetch_add(records.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Where a reader has got to.
    fn position(&self, who: &str) -> Result<Option<String>> {
        let item = self.store.tables().table("positions").get(item! { "who" => who })?;
        Ok(item.map(|item| text(&item, "sequence")))
    }

    // The totals.

    fn shards(&self) -> Result<Vec<String>> {
        let description = self.changes.describe(None, None)?;
        Ok(description.shards.iter().map(|shard| shard.shard_id.to_string()).collect())
    }

    /// Adds each change of a shard to the totals, and where it has got to, in one commit.
    fn count(&self, shard: &str) -> Result<()> {
        let start = match self.position(shard)? {
            Some(sequence) => Start::AfterSequenceNumber(sequence.parse::<SequenceNumber>()?),
            None => Start::TrimHorizon,
        };
        let mut cursor = self.changes.cursor(shard, start)?;
        let mut records = Vec::new();
        loop {
            let is_last = self.is_over(&self.is_forwarded);
            records.clear();
            cursor.try_batch(500, &mut records)?;
            let Some(last) = records.last() else {
                if is_last {
                    return Ok(());
                }
                pause(5);
                continue;
            };
            let mut deltas = BTreeMap::<String, [i64; 4]>::new();
            for record in &records {
                add_change(&mut deltas, record.data())?;
            }
            let position = item! { "who" => shard, "sequence" => last.sequence_number().to_string() };
            self.store.transaction().retries(10_000).run(|tx| {
                for (kind, [files, lines, words, bytes]) in &deltas {
                    let total = UpdateItem::new("totals", item! { "kind" => kind.as_str() })
                        .update("ADD #f :f, #l :l, #w :w, #b :b")
                        .name("#f", "files")
                        .name("#l", "lines")
                        .name("#w", "words")
                        .name("#b", "bytes")
                        .value(":f", *files)
                        .value(":l", *lines)
                        .value(":w", *words)
                        .value(":b", *bytes);
                    tx.update_item(total)?;
                }
                tx.put_item(PutItem::new("positions", position.clone()))
            })?;
            self.counted.fetch_add(records.len() as u64, Ordering::Relaxed);
        }
    }

    // What is shown.

    fn show_progress(&self) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        while !self.is_over(&self.is_counted) {
            let all = self.all.load(Ordering::Relaxed) as u64;
            let mut line = String::from("\r");
            for (what, part) in [
                ("uploaded", &self.uploaded),
                ("analysed", &self.analysed),
                ("forwarded", &self.forwarded),
                ("counted", &self.counted),
            ] {
                let _ = write!(line, "{what} {} {:6}   ", bar(count(part), all), count(part));
            }
            let _ = std::io::stderr().write_all(line.as_bytes());
            pause(100);
        }
        let _ = std::io::stderr().write_all(b"\n");
    }

    fn done(&self) -> Result<Done> {
        let tables = self.store.tables();
        let largest = Query::new("files").index("by-size").key_condition("shelf = :all").value(":all", "all");
        let largest = tables.query(&largest.backward().limit(1))?.items;
        let largest = largest.first().map(|item| (text(item, "path"), number(item, "size")));
        Ok(Done {
            totals: totals(&self.store)?,
            uploaded: self.uploaded.load(Ordering::Relaxed),
            analysed: self.analysed.load(Ordering::Relaxed),
            bytes_uploaded: self.bytes_uploaded.load(Ordering::Relaxed),
            largest,
        })
    }
}

/// The totals that a store has.
pub(crate) fn totals(store: &Store) -> Result<Totals> {
    let page = store.tables().scan(&Scan::new("totals"))?;
    let facts = page.items.iter().map(|item| {
        let [files, lines, words, bytes] =
            ["files", "lines", "words", "bytes"].map(|name| number(item, name));
        (text(item, "kind"), Facts { files, lines, words, bytes })
    });
    Ok(facts.filter(|(_, facts)| facts.files > 0).collect())
}

/// The totals of a directory, by a walk and nothing else.
pub(crate) fn walked(dir: &Path, without: &Path) -> Result<Totals> {
    let mut totals = Totals::new();
    for name in files_in(dir, without)? {
        let Ok(data) = std::fs::read(dir.join(&name)) else { continue };
        let facts = facts_of(&data);
        let total = totals.entry(kind_of(&name)).or_default();
        total.files += 1;
        total.lines += facts.lines;
        total.words += facts.words;
        total.bytes += facts.bytes;
    }
    Ok(totals)
}

/// The files below a directory by their relative paths, in order; not those of the store.
fn files_in(dir: &Path, without: &Path) -> Result<Vec<String>> {
    let without = without.canonicalize().ok();
    let mut names = Vec::new();
    let mut left = vec![dir.to_path_buf()];
    while let Some(folder) = left.pop() {
        if folder.canonicalize().ok() == without && without.is_some() {
            continue;
        }
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let (kind, path) = (entry.file_type()?, entry.path());
            if kind.is_dir() {
                left.push(path);
            } else if kind.is_file()
                && let Some(name) = path.strip_prefix(dir).ok().and_then(Path::to_str)
                && name.len() <= 1024
            {
                names.push(name.to_owned());
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn kind_of(name: &str) -> String {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    ending.unwrap_or("(none)").to_lowercase()
}

fn facts_of(data: &[u8]) -> Facts {
    let mut facts = Facts { files: 1, bytes: data.len() as u64, ..Facts::default() };
    let mut is_in_word = false;
    for byte in data {
        facts.lines += u64::from(*byte == b'\n');
        let is_word = !byte.is_ascii_whitespace();
        facts.words += u64::from(is_word && !is_in_word);
        is_in_word = is_word;
    }
    facts
}

/// What a bucket tells of an object.
struct Arrival {
    key: String,
    version: Option<String>,
    /// Grows with every change of a key.
    sequence: String,
    is_removal: bool,
}

impl Arrival {
    /// Nothing of the event with which a bucket tries out its targets.
    fn parse(body: &str) -> Result<Option<Self>> {
        let event: serde_json::Value = serde_json::from_str(body)?;
        if event["Event"] == "s3:TestEvent" {
            return Ok(None);
        }
        let record = &event["Records"][0];
        let object = &record["s3"]["object"];
        let field = |name: &str| object[name].as_str();
        Ok(Some(Self {
            key: decoded(field("key").ok_or("an event names an object")?),
            version: field("versionId").map(str::to_owned),
            sequence: format!("{:0>32}", field("sequencer").unwrap_or_default()),
            is_removal: record["eventName"].as_str().is_some_and(|name| name.starts_with("ObjectRemoved")),
        }))
    }
}

/// A key as events have it: percent-encoded, with `+` for spaces.
fn decoded(key: &str) -> String {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let code = behind.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match (first, code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A change of the table for the stream: what is to be taken from the totals, and what added.
fn describe_change(change: &kv::ChangeRecord) -> (String, String) {
    let facts = |image: &Option<Item>| match image {
        Some(item) if item.get("kind").is_some() => serde_json::json!({
            "kind": text(item, "kind"),
            "lines": number(item, "lines"),
            "words": number(item, "words"),
            "bytes": number(item, "size"),
        }),
        _ => serde_json::Value::Null,
    };
    let body = serde_json::json!({ "old": facts(&change.old_image), "new": facts(&change.new_image) });
    (text(&change.keys, "path"), body.to_string())
}

fn add_change(deltas: &mut BTreeMap<String, [i64; 4]>, change: &[u8]) -> Result<()> {
    let change: serde_json::Value = serde_json::from_slice(change)?;
    for (image, sign) in [("old", -1), ("new", 1)] {
        let Some(kind) = change[image]["kind"].as_str() else { continue };
        let field = |name: &str| change[image][name].as_i64().unwrap_or_default();
        let delta = deltas.entry(kind.to_owned()).or_default();
        for (sum, value) in delta.iter_mut().zip([1, field("lines"), field("words"), field("bytes")]) {
            *sum += sign * value;
        }
    }
    Ok(())
}

/// The bucket, made if it is missing.
fn bucket(store: &Store) -> Result<Bucket, objects::Error> {
    store.buckets().bucket("files").or_else(|_| store.buckets().create("files"))
}

fn text(item: &Item, name: &str) -> String {
    item.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

fn number(item: &Item, name: &str) -> u64 {
    let number = item.get(name).and_then(|value| value.as_number()?.to_i128());
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

fn pause(milliseconds: u64) {
    let until: Timestamp = SystemClock.now() + Duration::from_millis(milliseconds);
    Parker::new().wait_until(&SystemClock, until);
}

fn bar(part: u64, all: u64) -> String {
    let filled = usize::try_from(12 * part.min(all) / all.max(1)).unwrap_or_default();
    format!("[{:12}]", "#".repeat(filled))
}

fn table(totals: &Totals) -> String {
    let mut lines = format!("{:12} {:>9} {:>11} {:>11} {:>14}\n", "kind", "files", "lines", "words", "bytes");
    let mut sum = Facts::default();
    let mut row = |name: &str, facts: &Facts| {
        let Facts { files, lines: rows, words, bytes } = facts;
        let _ = writeln!(lines, "{name:12} {files:>9} {rows:>11} {words:>11} {bytes:>14}");
    };
    for (kind, facts) in totals {
        row(kind, facts);
        sum.files += facts.files;
        sum.lines += facts.lines;
        sum.words += facts.words;
        sum.bytes += facts.bytes;
    }
    row("(all)", &sum);
    lines
}
