//! Random histories of a table against a model small enough to be obviously right: a map of its items, searched by going
//! through all of them.

use fourfold::kv::{
    AttributeValue, ChangeKind, CreateTable, DeleteItem, DescribeStream, Error, Index, Item, Projection,
    PutItem, Query, ReturnValues, ScalarType, Scan, ShardPosition, StreamViewType, Tables, TransactGet,
    TransactGetItems, TransactWrite, TransactWriteItems, UpdateItem, UpdateTable, WriteRequest, item,
};
use fourfold::{ManualClock, Store};
use std::collections::BTreeMap;
use std::time::Duration;

const STEPS: usize = 25_000;

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

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

type Key = (String, i64);
/// Is a sort key wanted?
type Test = Box<dyn Fn(i64) -> bool>;

/// The items, and how often one changed.
#[derive(Clone, Default)]
struct Model {
    items: BTreeMap<Key, Item>,
    changes: usize,
}

impl Model {
    fn set(&mut self, key: &Key, item: Option<Item>) {
        if self.items.get(key) == item.as_ref() {
            return;
        }
        self.changes += 1;
        match item {
            Some(item) => self.items.insert(key.clone(), item),
            None => self.items.remove(key),
        };
    }

    /// The number of an item, if there are both.
    fn n(&self, key: &Key) -> Option<i64> {
        self.items.get(key).and_then(|item| item.get("n")).map(int)
    }
}

fn int(value: &AttributeValue) -> i64 {
    value.as_number().unwrap().to_string().parse().unwrap()
}

fn key_item(key: &Key) -> Item {
    item! { "p" => key.0.clone(), "c" => key.1 }
}

fn key_of(item: &Item) -> Key {
    (item["p"].as_str().unwrap().to_owned(), int(&item["c"]))
}

struct Run {
    random: Random,
    clock: ManualClock,
    store: Store,
    tables: Tables,
    model: Model,
    has_later: bool,
}

impl Run {
    fn new(seed: u64) -> Self {
        let clock = ManualClock::default();
        // Tiny segments: rotation, folds and merges all the time.
        let store = Store::builder().segment_size(64 << 10).clock(clock.clone()).seed(seed).open_in_memory();
        let tables = store.tables();
        let table = CreateTable::new("things")
            .hash("p", ScalarType::S)
            .range("c", ScalarType::N)
            .attribute("x", ScalarType::N)
            .attribute("y", ScalarType::S)
            .local_index(Index::new("local").hash("p").range("x").project(Projection::include(["n"])))
            .global_index(Index::new("wide").hash("y").range("x"))
            .global_index(Index::new("keys").hash("x").project(Projection::keys_only()))
            .stream(StreamViewType::NewAndOldImages);
        tables.create_table(table).unwrap();
        tables.update_time_to_live("things", "until", true).unwrap();
        let random = Random(seed);
        Self { random, clock, store, tables, model: Model::default(), has_later: false }
    }

    fn key(&mut self) -> Key {
        (format!("p{}", self.random.below(5)), i64::try_from(self.random.below(12)).unwrap() - 6)
    }

    fn item(&mut self, key: &Key) -> Item {
        let mut item = key_item(key);
        if !self.random.one_in(3) {
            item.insert("x".into(), i64::try_from(self.random.below(6)).unwrap().into());
        }
        if !self.random.one_in(3) {
            item.insert("y".into(), format!("y{}", self.random.below(3)).into());
        }
        if self.random.one_in(10) {
            item.insert("until".into(), (self.store.now().as_secs() + self.random.below(100)).into());
        }
        if self.random.one_in(50) {
            item.insert("big".into(), "b".repeat(5000).into());
        }
        item.insert("n".into(), i64::try_from(self.random.below(4)).unwrap().into());
        item
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..30 => self.put(),
            30..45 => self.delete(),
            45..65 => self.update(),
            65..72 => self.transact(),
            72..76 => self.batch(),
            76..86 => self.query_table(),
            86..92 => self.query_indexes(),
            92..95 => self.scan(),
            95..97 => self.expire(),
            97 => self.get_together(),
            98 if self.random.one_in(10) => self.change_indexes(),
            99 if self.random.one_in(20) => self.reopen(),
            _ => {}
        }
    }

    fn put(&mut self) {
        let key = self.key();
        let item = self.item(&key);
        let n = i64::try_from(self.random.below(4)).unwrap();
        let put = PutItem::new("things", item.clone()).return_values(ReturnValues::AllOld);
        let put = if self.random.one_in(3) {
            put.condition("attribute_not_exists(p) OR n = :n").value(":n", n)
        } else {
            put
        };
        let holds = put.when.condition.is_none()
            || !self.model.items.contains_key(&key)
            || self.model.n(&key) == Some(n);
        match self.tables.put_item(put) {
            Ok(output) => {
                assert!(holds);
                assert_eq!(output.attributes.as_ref(), self.model.items.get(&key));
                self.model.set(&key, Some(item));
            }
            Err(Error::ConditionalCheckFailed { .. }) => assert!(!holds),
            Err(error) => panic!("{error}"),
        }
    }

    fn delete(&mut self) {
        let key = self.key();
        let delete = DeleteItem::new("things", key_item(&key)).return_values(ReturnValues::AllOld);
        let output = self.tables.delete_item(delete).unwrap();
        assert_eq!(output.attributes.as_ref(), self.model.items.get(&key));
        self.model.set(&key, None);
    }

    fn update(&mut self) {
        let key = self.key();
        let old = self.model.items.get(&key).cloned();
        let update = UpdateItem::new("things", key_item(&key)).return_values(ReturnValues::AllNew);
        let mut new = old.clone().unwrap_or_else(|| key_item(&key));
        let update = match self.random.below(4) {
            0 => {
                new.insert("n".into(), (self.model.n(&key).unwrap_or(0) + 1).into());
                update.update("ADD n :one").value(":one", 1)
            }
            1 => {
                let x = i64::try_from(self.random.below(6)).unwrap();
                new.insert("x".into(), x.into());
                new.remove("y");
                update.update("SET x = :x REMOVE y").value(":x", x)
            }
            2 => {
                new.insert("y".into(), "y1".into());
                update.update("SET y = :y").value(":y", "y1")
            }
            _ => {
                new.remove("x");
                update.update("REMOVE x")
            }
        };
        let made = if old.is_none() && new == key_item(&key) { None } else { Some(new) };
        let output = self.tables.update_item(update).unwrap();
        assert_eq!(output.attributes, made);
        self.model.set(&key, made);
    }

    fn transact(&mut self) {
        let mut after = self.model.clone();
        let mut transaction = TransactWriteItems::new();
        let mut keys = Vec::new();
        let mut holds = true;
        for _ in 0..=self.random.below(4) {
            let key = self.key();
            if keys.contains(&key) {
                continue;
            }
            let n = i64::try_from(self.random.below(3)).unwrap();
            let action: TransactWrite = match self.random.below(3) {
                0 => {
                    let item = self.item(&key);
                    after.set(&key, Some(item.clone()));
                    PutItem::new("things", item).into()
                }
                1 => {
                    holds &= self.model.n(&key).is_some_and(|found| found >= n);
                    let mut item = self.model.items.get(&key).cloned().unwrap_or_default();
                    item.insert("n".into(), (self.model.n(&key).unwrap_or(0) + 1).into());
                    after.set(&key, Some(item));
                    let update = UpdateItem::new("things", key_item(&key)).update("SET n = n + :one");
                    update.condition("n >= :n").value(":n", n).value(":one", 1).into()
                }
                _ => {
                    after.set(&key, None);
                    DeleteItem::new("things", key_item(&key)).into()
                }
            };
            keys.push(key);
            transaction = transaction.action(action);
        }
        match self.tables.transact_write_items(&transaction) {
            Ok(_) => {
                assert!(holds);
                self.model = after;
            }
            Err(Error::TransactionCanceled { reasons }) => {
                assert!(!holds);
                assert_eq!(reasons.len(), keys.len());
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn batch(&mut self) {
        let mut requests = BTreeMap::<Key, WriteRequest>::new();
        for _ in 0..=self.random.below(10) {
            let key = self.key();
            let request = if self.random.one_in(3) {
                WriteRequest::Delete(key_item(&key))
            } else {
                WriteRequest::Put(self.item(&key))
            };
            requests.insert(key, request);
        }
        for (key, request) in &requests {
            let item = match request {
                WriteRequest::Put(item) => Some(item.clone()),
                WriteRequest::Delete(_) => None,
            };
            self.model.set(key, item);
        }
        let mut batch = fourfold::kv::BatchWriteItem::default();
        batch.requests.insert("things".into(), requests.into_values().collect());
        assert!(self.tables.batch_write_item(&batch).unwrap().unprocessed.is_empty());
    }

    /// All pages of a query, of so many items each.
    fn pages(&mut self, mut query: Query) -> Vec<Item> {
        let limit = usize::try_from(self.random.below(7)).unwrap();
        query.what.limit = (limit > 0).then_some(limit);
        let mut found = Vec::new();
        loop {
            let page = self.tables.query(&query).unwrap();
            found.extend(page.items);
            let Some(key) = page.last_evaluated_key else { return found };
            query = query.start(key);
        }
    }

    fn query_table(&mut self) {
        let (key, other) = (self.key(), self.key());
        let (low, high) = (key.1.min(other.1), key.1.max(other.1));
        let query = Query::new("things").value(":p", key.0.clone());
        let (query, test): (Query, Test) = match self.random.below(4) {
            0 => (query.key_condition("p = :p"), Box::new(|_| true)),
            1 => {
                let query = query.key_condition("p = :p AND c BETWEEN :l AND :h");
                (query.value(":l", low).value(":h", high), Box::new(move |c| (low..=high).contains(&c)))
            }
            2 => (query.key_condition("c < :l AND p = :p").value(":l", low), Box::new(move |c| c < low)),
            _ => (query.key_condition("p = :p AND c >= :l").value(":l", low), Box::new(move |c| c >= low)),
        };
        let is_backward = self.random.one_in(2);
        let found = self.pages(Query { is_backward, ..query });
        let mut expected: Vec<Item> = self
            .model
            .items
            .iter()
            .filter(|((p, c), _)| *p == key.0 && test(*c))
            .map(|(_, item)| item.clone())
            .collect();
        if is_backward {
            expected.reverse();
        }
        assert_eq!(found, expected);
    }

    /// Compares what an index answers with what the items say: the same items, in the order of the index's keys.
    fn check_index(found: &[Item], expected: &[&Item], order: Option<&str>, projected: Option<&[&str]>) {
        let project = |item: &Item| -> Item {
            let held =
                item.iter().filter(|(name, _)| projected.is_none_or(|names| names.contains(&&***name)));
            held.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        if let Some(order) = order {
            let keys: Vec<i64> = found.iter().map(|item| int(&item[order])).collect();
            assert!(keys.is_sorted(), "{keys:?}");
        }
        let by_key = |items: Vec<Item>| -> BTreeMap<Key, Item> {
            items.into_iter().map(|item| (key_of(&item), item)).collect()
        };
        assert_eq!(found.len(), expected.len());
        let expected = by_key(expected.iter().map(|item| project(item)).collect());
        assert_eq!(by_key(found.to_vec()), expected);
    }

    fn query_indexes(&mut self) {
        let y = format!("y{}", self.random.below(3));
        let x = i64::try_from(self.random.below(6)).unwrap();
        let at_least = Query::new("things").index("wide").key_condition("y = :y AND x >= :x");
        let found = self.pages(at_least.value(":y", y.clone()).value(":x", x));
        let items = self.model.items.values();
        let has_y = |item: &&Item| item.get("y") == Some(&y.clone().into());
        let expected: Vec<_> =
            items.filter(has_y).filter(|item| item.get("x").is_some_and(|v| int(v) >= x)).collect();
        Self::check_index(&found, &expected, Some("x"), None);

        let found = self.pages(Query::new("things").index("keys").key_condition("x = :x").value(":x", x));
        let items = self.model.items.values();
        let expected: Vec<_> = items.filter(|item| item.get("x") == Some(&x.into())).collect();
        Self::check_index(&found, &expected, None, Some(&["p", "c", "x"]));

        let p = self.key().0;
        let local = Query::new("things").index("local").key_condition("p = :p").value(":p", p.clone());
        let found = self.pages(local);
        let items = self.model.items.values();
        let expected: Vec<_> =
            items.filter(|item| item["p"] == p.clone().into() && item.contains_key("x")).collect();
        Self::check_index(&found, &expected, Some("x"), Some(&["p", "c", "x", "n"]));

        if self.has_later {
            let found = self
                .pages(Query::new("things").index("later").key_condition("y = :y").value(":y", y.clone()));
            let expected: Vec<_> = self.model.items.values().filter(has_y).collect();
            Self::check_index(&found, &expected, None, None);
        }
    }

    fn scan(&mut self) {
        let total = u32::try_from(self.random.below(5)).unwrap() + 1;
        let mut found = BTreeMap::new();
        for segment in 0..total {
            let mut scan = Scan::new("things").segment(segment, total).limit(9);
            loop {
                let page = self.tables.scan(&scan).unwrap();
                for item in page.items {
                    assert_eq!(found.insert(key_of(&item), item), None);
                }
                let Some(key) = page.last_evaluated_key else { break };
                scan = scan.start(key);
            }
        }
        assert_eq!(found, self.model.items);
        let described = self.tables.describe_table("things").unwrap();
        assert_eq!(described.item_count, self.model.items.len() as u64);
        let bytes: usize = self.model.items.values().map(Item::size).sum();
        assert_eq!(described.table_size_bytes, bytes as u64);
    }

    fn get_together(&mut self) {
        let keys: Vec<Key> =
            (0..3).map(|_| self.key()).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        let gets = keys.iter().map(|key| TransactGet::new("things", key_item(key)));
        let found = self.tables.transact_get_items(&TransactGetItems::new(gets)).unwrap().items;
        let expected: Vec<_> = keys.iter().map(|key| self.model.items.get(key).cloned()).collect();
        assert_eq!(found, expected);
    }

    fn expire(&mut self) {
        self.clock.advance(Duration::from_secs(self.random.below(30)));
        self.store.maintain().unwrap();
        let now = i64::try_from(self.store.now().as_secs()).unwrap();
        let is_over = |item: &Item| item.get("until").is_some_and(|until| int(until) <= now);
        let over: Vec<Key> =
            self.model.items.iter().filter(|(_, item)| is_over(item)).map(|(key, _)| key.clone()).collect();
        for key in over {
            self.model.set(&key, None);
        }
    }

    fn change_indexes(&mut self) {
        let update = UpdateTable::new("things");
        let update = if self.has_later {
            update.delete_index("later")
        } else {
            update.attribute("y", ScalarType::S).create_index(Index::new("later").hash("y"))
        };
        self.tables.update_table(update).unwrap();
        self.has_later = !self.has_later;
    }

    /// A copy of the store knows nothing but what is stored.
    fn reopen(&mut self) {
        self.store = self.store.fork().unwrap();
        self.tables = self.store.tables();
        assert_eq!(self.tables.verify().unwrap(), []);
    }

    /// The stream tells the whole history.
    fn check_stream(&self) {
        let arn = self.tables.describe_table("things").unwrap().latest_stream_arn.unwrap();
        let (mut told, mut count) = (BTreeMap::<Key, Item>::new(), 0);
        for shard in self.tables.describe_stream(&DescribeStream::new(&arn)).unwrap().shards {
            let start = self.tables.get_shard_iterator(&arn, &shard.id, &ShardPosition::TrimHorizon).unwrap();
            let mut next = Some(start);
            while let Some(iterator) = next {
                let page = self.tables.get_records(&iterator, None).unwrap();
                if page.records.is_empty() && page.next_iterator.is_some() {
                    break;
                }
                for record in page.records {
                    count += 1;
                    let key = key_of(&record.keys);
                    assert_eq!(record.old_image, told.remove(&key));
                    let kind = match (&record.old_image, &record.new_image) {
                        (None, _) => ChangeKind::Insert,
                        (Some(_), Some(_)) => ChangeKind::Modify,
                        (Some(_), None) => ChangeKind::Remove,
                    };
                    assert_eq!(record.kind, kind);
                    record.new_image.map(|new| told.insert(key, new));
                }
                next = page.next_iterator;
            }
        }
        assert_eq!(told, self.model.items);
        assert_eq!(count, self.model.changes, "one record for each change, none for what changed nothing");
    }
}

fn run(seed: u64) {
    let mut run = Run::new(seed);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..STEPS {
            run.step();
        }
        assert_eq!(run.tables.verify().unwrap(), []);
        run.check_stream();
    }));
    assert!(result.is_ok(), "seed {seed}");
}

#[test]
fn random_histories_end_as_the_model_says() {
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            scope.spawn(move || run(seed));
        }
    });
}
