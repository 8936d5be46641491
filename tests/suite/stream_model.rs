//! A stream against a model of it: shards as plain lists, time as a number.
//!
//! The model is given the same requests. What the two answer must agree at every step, over reopenings of the store too.

use fourfold::stream::{
    CreateStream, Cursor, GetRecords, ListShards, PutRecord, ShardFilter, Start, Stream, hash_key,
};
use fourfold::{Clock, Durability, ManualClock, Store, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const HOUR: u64 = 3_600_000;

/// A shard of the model.
#[derive(Clone, Debug)]
struct Shard {
    start: u128,
    end: u128,
    parents: Vec<usize>,
    closed: Option<u64>,
    /// When each record came, its key, and its data.
    records: Vec<(u64, String, u64)>,
}

#[derive(Debug)]
struct Model {
    now: u64,
    retention: u64,
    /// What expired once stays away.
    hidden: u64,
    shards: BTreeMap<usize, Shard>,
    next_shard: usize,
}

impl Model {
    fn horizon(&self) -> u64 {
        self.hidden.max(self.now.saturating_sub(self.retention))
    }

    fn open(&self) -> Vec<usize> {
        let open = self.shards.iter().filter(|(_, shard)| shard.closed.is_none());
        let mut open: Vec<_> = open.map(|(index, shard)| (shard.start, *index)).collect();
        open.sort_unstable();
        open.into_iter().map(|(_, index)| index).collect()
    }

    fn shard_of(&self, hash: u128) -> usize {
        let holds = |index: &usize| (self.shards[index].start..=self.shards[index].end).contains(&hash);
        self.open().into_iter().find(holds).unwrap()
    }

    fn listed(&self) -> Vec<usize> {
        let is_kept = |shard: &Shard| shard.closed.is_none_or(|at| at >= self.horizon());
        self.shards.iter().filter(|(_, shard)| is_kept(shard)).map(|(index, _)| *index).collect()
    }

    fn make(&mut self, start: u128, end: u128, parents: Vec<usize>) {
        for parent in &parents {
            self.shards.get_mut(parent).unwrap().closed = Some(self.now);
        }
        let shard = Shard { start, end, parents, closed: None, records: Vec::new() };
        self.shards.insert(self.next_shard, shard);
        self.next_shard += 1;
    }

    /// The data that a reader finds from the horizon on.
    fn visible(&self, index: usize) -> Vec<u64> {
        let records = self.shards[&index].records.iter();
        records.filter(|(at, ..)| *at >= self.horizon()).map(|(.., data)| *data).collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put { key: u8 },
    PutMany { keys: Vec<u8> },
    PutAt { hash: u128 },
    Split { shard: usize, at: u128 },
    Merge { shard: usize },
    Wait { millis: u64 },
    Retain { hours: u32 },
    Read { shard: usize, limit: u32 },
    Seek { shard: usize, back: u64 },
    Maintain,
    Reopen,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any::<u8>().prop_map(|key| Step::Put { key }),
        4 => prop::collection::vec(any::<u8>(), 1..20).prop_map(|keys| Step::PutMany { keys }),
        2 => any::<u128>().prop_map(|hash| Step::PutAt { hash }),
        2 => (any::<usize>(), any::<u128>()).prop_map(|(shard, at)| Step::Split { shard, at }),
        2 => any::<usize>().prop_map(|shard| Step::Merge { shard }),
        4 => prop_oneof![0..50_u64, 0..HOUR, HOUR..30 * HOUR].prop_map(|millis| Step::Wait { millis }),
        1 => (24..60_u32).prop_map(|hours| Step::Retain { hours }),
        4 => (any::<usize>(), 1..30_u32).prop_map(|(shard, limit)| Step::Read { shard, limit }),
        2 => (any::<usize>(), 0..50 * HOUR).prop_map(|(shard, back)| Step::Seek { shard, back }),
        1 => Just(Step::Maintain),
        1 => Just(Step::Reopen),
    ]
}

struct Pair {
    dir: tempfile::TempDir,
    clock: ManualClock,
    store: Option<Store>,
    stream: Stream,
    model: Model,
    next_data: u64,
    /// A reader of each shard that goes on reading, and how far it must have come.
    cursors: BTreeMap<usize, (Cursor, usize)>,
}

fn id(index: usize) -> String {
    format!("shardId-{index:012}")
}

fn pick(listed: &[usize], choice: usize) -> usize {
    listed[choice % listed.len()]
}

fn number(data: &[u8]) -> u64 {
    std::str::from_utf8(data).unwrap().parse().unwrap()
}

impl Pair {
    fn open(dir: &tempfile::TempDir, clock: &ManualClock) -> Store {
        let builder = Store::builder().clock(clock.clone()).durability(Durability::Buffered);
        builder.background_threads(0).segment_size(1 << 16).open(dir.path().join("store")).unwrap()
    }

    fn new() -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::default());
        let store = Self::open(&dir, &clock);
        let stream = store.streams().create("stream", CreateStream::default().shard_count(2)).unwrap();
        let now = clock.now().as_millis();
        let mut model =
            Model { now, retention: 24 * HOUR, hidden: now, shards: BTreeMap::new(), next_shard: 0 };
        model.make(0, (1 << 127) - 1, vec![]);
        model.make(1 << 127, u128::MAX, vec![]);
        Self { dir, clock, store: Some(store), stream, model, next_data: 0, cursors: BTreeMap::new() }
    }

    fn data(&mut self) -> String {
        self.next_data += 1;
        self.next_data.to_string()
    }

    fn record(&mut self, hash: u128, key: &str, data: &str, shard_id: &str) {
        let index = self.model.shard_of(hash);
        assert_eq!(id(index), shard_id, "the shard of the hash key");
        let record = (self.model.now, key.to_owned(), number(data.as_bytes()));
        self.model.shards.get_mut(&index).unwrap().records.push(record);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Put { key } => {
                let (key, data) = (format!("key {}", key % 16), self.data());
                let put = self.stream.put(&key, &data).unwrap();
                self.record(hash_key(&key), &key, &data, &put.shard_id);
            }
            Step::PutMany { keys } => {
                let keys: Vec<_> = keys.iter().map(|key| format!("key {}", key % 16)).collect();
                let data: Vec<_> = keys.iter().map(|_| self.data()).collect();
                let records: Vec<_> =
                    keys.iter().zip(&data).map(|(key, data)| PutRecord::new(key, data)).collect();
                let answer = self.stream.put_many(&records).unwrap();
                for ((key, data), put) in keys.iter().zip(&data).zip(answer.records) {
                    self.record(hash_key(key), key, data, &put.unwrap().shard_id);
                }
            }
            Step::PutAt { hash } => {
                let (text, data) = (hash.to_string(), self.data());
                let put =
                    self.stream.put_record(&PutRecord::new("any", &data).explicit_hash_key(&text)).unwrap();
                self.record(*hash, "any", &data, &put.shard_id);
            }
            Step::Split { shard, at } => self.split(*shard, *at),
            Step::Merge { shard } => self.merge(*shard),
            Step::Wait { millis } => {
                self.clock.advance(Duration::from_millis(*millis));
                self.model.now += millis;
            }
            Step::Retain { hours } => self.retain(*hours),
            Step::Read { shard, limit } => self.read(*shard, *limit),
            Step::Seek { shard, back } => self.seek(*shard, *back),
            Step::Maintain => self.store.as_ref().unwrap().maintain().unwrap(),
            Step::Reopen => self.reopen(),
        }
    }

    fn split(&mut self, choice: usize, at: u128) {
        let open = self.model.open();
        if open.len() > 12 {
            return;
        }
        let index = pick(&open, choice);
        let shard = self.model.shards[&index].clone();
        let result = self.stream.split_shard(&id(index), at);
        if at > shard.start + 1 && at < shard.end {
            result.unwrap();
            self.model.make(shard.start, at - 1, vec![index]);
            self.model.make(at, shard.end, vec![index]);
        } else {
            assert_eq!(result.unwrap_err().code(), "InvalidArgumentException");
        }
    }

    fn merge(&mut self, choice: usize) {
        let open = self.model.open();
        let first = choice % open.len();
        let Some(next) = open.get(first + 1) else { return };
        let (first, next) = (open[first], *next);
        self.stream.merge_shards(&id(first), &id(next)).unwrap();
        let (start, end) = (self.model.shards[&first].start, self.model.shards[&next].end);
        self.model.make(start, end, vec![first, next]);
    }

    fn retain(&mut self, hours: u32) {
        let (present, requested) = (self.model.retention, u64::from(hours) * HOUR);
        self.model.hidden = self.model.horizon().max(self.model.now - requested.min(present));
        self.model.retention = requested;
        if requested >= present {
            self.stream.increase_retention(hours).unwrap();
        } else {
            self.stream.decrease_retention(hours).unwrap();
        }
    }

    /// From the horizon on, a page at a time; and a cursor that goes on where it was.
    fn read(&mut self, choice: usize, limit: u32) {
        let listed = self.model.listed();
        let index = pick(&listed, choice);
        let streams = self.store.as_ref().unwrap().streams();
        let mut iterator = Some(self.stream.shard_iterator(&id(index), Start::TrimHorizon).unwrap());
        let mut found = Vec::new();
        while let Some(text) = iterator {
            let page = streams.get_records(&GetRecords::new(&text).limit(limit)).unwrap();
            assert!(page.records.len() <= limit as usize);
            found.extend(page.records.iter().map(|record| number(record.data())));
            assert_eq!(
                page.next_shard_iterator.is_none(),
                page.millis_behind_latest == 0 && self.is_closed(index)
            );
            if page.millis_behind_latest == 0 {
                let children: Vec<_> =
                    page.child_shards.iter().map(|child| child.shard_id.to_string()).collect();
                assert_eq!(children, if self.is_closed(index) { self.children(index) } else { vec![] });
                break;
            }
            iterator = page.next_shard_iterator;
        }
        assert_eq!(found, self.model.visible(index), "of shard {index}");
        self.read_on(index, limit);
    }

    fn is_closed(&self, index: usize) -> bool {
        self.model.shards[&index].closed.is_some()
    }

    fn children(&self, index: usize) -> Vec<String> {
        let children = self.model.shards.iter().filter(|(_, shard)| shard.parents.contains(&index));
        children.map(|(child, _)| id(*child)).collect()
    }

    fn read_on(&mut self, index: usize, limit: u32) {
        let (horizon, shard) = (self.model.horizon(), &self.model.shards[&index]);
        let (cursor, read) = self
            .cursors
            .entry(index)
            .or_insert_with(|| (self.stream.cursor(&id(index), Start::TrimHorizon).unwrap(), 0));
        for _ in 0..limit {
            let expired = shard.records.iter().filter(|(at, ..)| *at < horizon).count();
            *read = (*read).max(expired);
            let expected = shard.records.get(*read).map(|(.., data)| *data);
            let found = cursor.try_next().unwrap().map(|record| number(record.data()));
            assert_eq!(found, expected, "of shard {index}");
            if expected.is_none() {
                return;
            }
            *read += 1;
        }
    }

    fn seek(&mut self, choice: usize, back: u64) {
        let listed = self.model.listed();
        let index = pick(&listed, choice);
        let time = self.model.now - back;
        let start = Start::AtTimestamp(Timestamp::from_millis(time));
        let found = self.stream.cursor(&id(index), start).unwrap().try_next().unwrap();
        let from = time.max(self.model.horizon());
        let records = &self.model.shards[&index].records;
        let expected = records.iter().find(|(at, ..)| *at >= from).map(|(.., data)| *data);
        assert_eq!(found.as_ref().map(|record| number(record.data())), expected);
        if let Some(record) = found {
            let after = Start::AfterSequenceNumber(record.sequence_number());
            let next = self.stream.cursor(&id(index), after).unwrap().try_next().unwrap();
            let behind = records.iter().filter(|(at, ..)| *at >= from).nth(1).map(|(.., data)| *data);
            assert_eq!(next.map(|record| number(record.data())), behind);
        }
    }

    fn reopen(&mut self) {
        self.cursors.clear();
        // The last handle of a store closes it.
        let other = Store::in_memory().streams().create("other", CreateStream::default()).unwrap();
        self.stream = other;
        self.store = None;
        let store = Self::open(&self.dir, &self.clock);
        self.stream = store.streams().stream("stream").unwrap();
        self.store = Some(store);
    }

    /// What is there is what the model has.
    fn check(&self) {
        let found = self.stream.list_shards(&ListShards::default()).unwrap().shards;
        let ids: Vec<_> = found.iter().map(|shard| shard.shard_id.to_string()).collect();
        assert_eq!(ids, self.model.listed().into_iter().map(id).collect::<Vec<_>>());
        let open =
            self.stream.list_shards(&ListShards::default().filter(ShardFilter::AtLatest)).unwrap().shards;
        let mut ranges: Vec<_> = open.into_iter().map(|shard| shard.hash_key_range.into_inner()).collect();
        ranges.sort_unstable();
        let expected: Vec<_> = self
            .model
            .open()
            .iter()
            .map(|index| (self.model.shards[index].start, self.model.shards[index].end))
            .collect();
        assert_eq!(ranges, expected);
        assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "the hash keys, each once");
    }

    /// Parents before children: what each key was put, in order, as far as it has not expired.
    fn check_lineage(&self) {
        let mut by_key: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut last = BTreeMap::new();
        for index in self.model.listed() {
            let mut cursor = self.stream.cursor(&id(index), Start::TrimHorizon).unwrap();
            while let Some(record) = cursor.try_next().unwrap() {
                let key = record.partition_key().to_owned();
                if key != "any" {
                    let sequence = record.sequence_number();
                    assert!(
                        last.insert(key.clone(), sequence) < Some(sequence),
                        "numbers rise over shards too"
                    );
                    by_key.entry(key).or_default().push(number(record.data()));
                }
            }
            assert_eq!(cursor.is_at_end(), self.is_closed(index));
        }
        let mut expected: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (at, key, data) in self.model.shards.values().flat_map(|shard| &shard.records) {
            if *at >= self.model.horizon() && key != "any" {
                expected.entry(key.clone()).or_default().push(*data);
            }
        }
        for data in expected.values_mut() {
            data.sort_unstable();
        }
        assert_eq!(by_key, expected);
    }
}

fn run(steps: &[Step]) {
    let mut pair = Pair::new();
    for step in steps {
        pair.step(step);
        pair.check();
    }
    pair.check_lineage();
    assert!(pair.store.as_ref().unwrap().verify().unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_is_what_its_model_is(steps in prop::collection::vec(steps(), 1..120)) {
        run(&steps);
    }
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn step(&mut self) -> Step {
        let shard = usize::try_from(self.below(1 << 20)).unwrap();
        match self.below(200) {
            0 => Step::Reopen,
            1 | 2 => Step::Maintain,
            3 => Step::Retain { hours: u32::try_from(24 + self.below(36)).unwrap() },
            4..8 => Step::Split { shard, at: u128::from(self.below(u64::MAX)) << 64 },
            8..12 => Step::Merge { shard },
            12..30 => Step::Read { shard, limit: u32::try_from(1 + self.below(40)).unwrap() },
            30..40 => Step::Seek { shard, back: self.below(50 * HOUR) },
            40..60 => Step::Wait { millis: self.below(2 * HOUR) },
            60..70 => Step::PutAt { hash: u128::from(self.below(u64::MAX)) << 64 },
            70..80 => Step::PutMany { keys: (0..10).map(|_| self.below(256).to_le_bytes()[0]).collect() },
            _ => Step::Put { key: self.below(256).to_le_bytes()[0] },
        }
    }
}

/// A long life: folds, merges and sweeps happen under way.
#[test]
fn a_stream_is_what_its_model_is_for_long() {
    let count = if cfg!(debug_assertions) { 20_000 } else { 200_000 };
    for seed in 1..=2 {
        let mut random = Random(seed);
        let mut pair = Pair::new();
        for number in 0..count / 2 {
            let step = random.step();
            pair.step(&step);
            if number % 100 == 0 {
                pair.check();
                // The model keeps what has expired; that takes time, and says nothing new.
                let horizon = pair.model.horizon();
                let listed = pair.model.listed();
                pair.model.shards.retain(|index, _| listed.contains(index));
                pair.cursors.retain(|index, _| listed.contains(index));
                for (index, shard) in &mut pair.model.shards {
                    let expired = shard.records.iter().filter(|(at, ..)| *at < horizon).count();
                    shard.records.drain(..expired);
                    if let Some((_, read)) = pair.cursors.get_mut(index) {
                        *read = read.saturating_sub(expired);
                    }
                }
            }
        }
        pair.check();
        pair.check_lineage();
    }
}
