//! Transactions against a model that is small enough to be obviously right: maps and lists, of which a copy is changed and
//! takes the place of the old one if nothing was refused.
//!
//! Random transactions over all four engines, some refused, some given up, with a clock moved by hand, single operations
//! between them, and forks, which know nothing but what was written.

use fourfold::kv::{
    CreateTable, DeleteItem, GetItem, Item, PutItem, Query, ScalarType, Scan, UpdateItem, item,
};
use fourfold::objects::{Bucket, DeleteObject, GetObject, PutObject};
use fourfold::queue::{Message, NewQueue, Queue, QueueAttributes, SendMessage};
use fourfold::stream::{CreateStream, PutRecord, Start, Stream};
use fourfold::transaction::{Error, Transaction};
use fourfold::{ManualClock, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap()
    }
}

/// What there is, as plain values.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    items: BTreeMap<(String, u64), u64>,
    /// Bodies by queue. They are all different.
    messages: [BTreeSet<String>; 2],
    records: [Vec<String>; 2],
    objects: BTreeMap<String, Vec<u8>>,
    /// Deduplication ids of the second queue.
    known: BTreeSet<String>,
}

struct World {
    store: Store,
    clock: ManualClock,
    queues: [Queue; 2],
    streams: [Stream; 2],
    bucket: Bucket,
    model: Model,
    /// Received and perhaps still there, by queue.
    received: [Vec<Message>; 2],
    count: u64,
    dice: Dice,
}

#[derive(Clone, Debug)]
enum Act {
    Put(String, u64, u64, bool),
    Add(String, u64, u64),
    Delete(String, u64),
    Get(String, u64),
    Query(String, Option<usize>, bool),
    Send(usize, String),
    Acknowledge(usize, usize),
    Record(usize, String),
    PutObject(String, Vec<u8>, bool),
    DeleteObject(String),
    GetObject(String),
    Abort,
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).segment_size(1 << 20).open_in_memory();
        let table = CreateTable::new("table").hash("p", ScalarType::S).range("s", ScalarType::N);
        store.tables().create_table(table).unwrap();
        let attributes = QueueAttributes::new().visibility_timeout(30);
        let fifo = NewQueue::new("b.fifo").fifo().attributes(attributes.clone());
        let queues = store.queues();
        queues.create(NewQueue::new("a").attributes(attributes)).unwrap();
        queues.create(fifo).unwrap();
        for name in ["a", "b"] {
            store.streams().create(name, CreateStream::default().shard_count(1)).unwrap();
        }
        store.buckets().create("bucket").unwrap();
        Self::of(store, clock, Model::default(), 0, Dice(seed * 2 + 1))
    }

    fn of(store: Store, clock: ManualClock, model: Model, count: u64, dice: Dice) -> Self {
        let queues = ["a", "b.fifo"].map(|name| store.queues().get(name).unwrap());
        let streams = ["a", "b"].map(|name| store.streams().stream(name).unwrap());
        let bucket = store.buckets().bucket("bucket").unwrap();
        let received = [Vec::new(), Vec::new()];
        Self { store, clock, queues, streams, bucket, model, received, count, dice }
    }

    /// Goes on with a fork.
    fn reopen(self) -> Self {
        let fork = self.store.fork().unwrap();
        Self::of(fork, self.clock, self.model, self.count, self.dice)
    }

    fn act(&mut self) -> Act {
        self.count += 1;
        let number = self.count;
        let dice = &mut self.dice;
        let (p, s) = (["x", "y"][dice.index(2)].to_owned(), dice.below(4));
        let key = ["k", "k/1", "l"][dice.index(3)].to_owned();
        let which = dice.index(2);
        match dice.below(100) {
            0..=14 => Act::Put(p, s, number, dice.below(3) == 0),
            15..=29 => Act::Add(p, s, dice.below(9)),
            30..=36 => Act::Delete(p, s),
            37..=41 => Act::Get(p, s),
            42..=48 => Act::Query(p, (dice.below(2) == 0).then(|| 1 + dice.index(3)), dice.below(2) == 0),
            49..=60 => Act::Send(
                which,
                format!("m{}", if which == 1 && dice.below(6) == 0 { number / 2 } else { number }),
            ),
            61..=70 => match self.received[which].len() {
                0 => Act::Get(p, s),
                len => Act::Acknowledge(which, dice.index(len)),
            },
            71..=80 => Act::Record(which, format!("r{number}")),
            81..=88 => {
                let len = [10, 5_000, 100_000, 1_500_000][dice.index(4)];
                let byte = u8::try_from(number % 251).unwrap();
                Act::PutObject(key, vec![byte; len], dice.below(4) == 0)
            }
            89..=92 => Act::DeleteObject(key),
            93..=97 => Act::GetObject(key),
            _ => Act::Abort,
        }
    }

    /// Does the act in a transaction; what it reads is what the model says.
    fn ask(&self, tx: &mut Transaction, act: &Act, model: &Model) -> Result<(), Error> {
        let key = |p: &String, s: u64| item! { "p" => p.clone(), "s" => s };
        let value = |item: &Item| item["v"].as_number().unwrap().to_i128().unwrap();
        match act {
            Act::Put(p, s, v, is_new) => {
                let put = PutItem::new("table", item! { "p" => p.clone(), "s" => *s, "v" => *v });
                tx.put_item(if *is_new { put.condition("attribute_not_exists(p)") } else { put })?;
            }
            Act::Add(p, s, n) => {
                tx.update_item(UpdateItem::new("table", key(p, *s)).update("ADD v :n").value(":n", *n))?;
            }
            Act::Delete(p, s) => drop(tx.delete_item(DeleteItem::new("table", key(p, *s)))?),
            Act::Get(p, s) => {
                let found = tx.get_item(&GetItem::new("table", key(p, *s)))?.item;
                let expected = model.items.get(&(p.clone(), *s)).map(|v| i128::from(*v));
                assert_eq!(found.as_ref().map(value), expected, "{act:?}");
            }
            Act::Query(p, limit, is_backward) => {
                let mut query = Query::new("table").key_condition("p = :p").value(":p", p.clone());
                query.what.limit = *limit;
                query.is_backward = *is_backward;
                let found: Vec<_> = tx.query(&query)?.items.iter().map(value).collect();
                let all = model.items.iter().filter(|((partition, _), _)| partition == p);
                let mut expected: Vec<_> = all.map(|(_, v)| i128::from(*v)).collect();
                if *is_backward {
                    expected.reverse();
                }
                expected.truncate(limit.unwrap_or(usize::MAX));
                assert_eq!(found, expected, "{act:?}");
            }
            Act::Send(which, body) => drop(tx.send(&self.queues[*which], message(*which, body))?),
            Act::Acknowledge(which, at) => {
                tx.acknowledge(&self.queues[*which], self.received[*which][*at].receipt_handle())?;
            }
            Act::Record(which, data) => {
                tx.put_record(&self.streams[*which], &PutRecord::new("k", data))?;
            }
            Act::PutObject(key, data, is_new) => {
                let put = PutObject::new(key);
                let put = if *is_new { put.if_none_match() } else { put };
                tx.put_object(&self.bucket, put, data.clone())?;
            }
            Act::DeleteObject(key) => drop(tx.delete_object(&self.bucket, &DeleteObject::new(key))?),
            Act::GetObject(key) => {
                let found = tx.get_object(&self.bucket, &GetObject::new(key));
                let found = found.ok().map(|found| found.body.bytes().unwrap().to_vec());
                assert!(found.as_ref() == model.objects.get(key), "{key}");
            }
            Act::Abort => return Err(Error::abort("chance")),
        }
        Ok(())
    }

    /// What the act makes of the model; false if it is refused.
    fn expect(&self, act: &Act, model: &mut Model) -> bool {
        match act {
            Act::Put(p, s, v, is_new) => {
                let place = (p.clone(), *s);
                if *is_new && model.items.contains_key(&place) {
                    return false;
                }
                model.items.insert(place, *v);
            }
            Act::Add(p, s, n) => *model.items.entry((p.clone(), *s)).or_default() += n,
            Act::Delete(p, s) => drop(model.items.remove(&(p.clone(), *s))),
            Act::Send(0, body) => drop(model.messages[0].insert(body.clone())),
            Act::Send(which, body) => {
                if model.known.insert(body.clone()) {
                    model.messages[*which].insert(body.clone());
                }
            }
            Act::Acknowledge(which, at) => {
                // Twice in one transaction is fine; the model has no way to say so, and looks at what was there before it.
                let body = self.received[*which][*at].body();
                model.messages[*which].remove(body);
                return self.model.messages[*which].contains(body);
            }
            Act::Record(which, data) => model.records[*which].push(data.clone()),
            Act::PutObject(key, data, is_new) => {
                if *is_new && model.objects.contains_key(key) {
                    return false;
                }
                model.objects.insert(key.clone(), data.clone());
            }
            Act::DeleteObject(key) => drop(model.objects.remove(key)),
            Act::Abort => return false,
            Act::Get(..) | Act::Query(..) | Act::GetObject(_) => {}
        }
        true
    }

    fn transact(&mut self) {
        let count = 1 + self.dice.index(8);
        let acts: Vec<Act> = (0..count).map(|_| self.act()).collect();
        let mut model = self.model.clone();
        let (mut is_refused, mut stopped) = (false, false);
        let done = self.store.transaction().run(|tx| {
            for act in &acts {
                let is_done = self.expect(act, &mut model);
                is_refused |= !is_done;
                if let Err(error) = self.ask(tx, act, &model) {
                    stopped = true;
                    assert!(!is_done, "{act:?}: {error}");
                    return Err(error);
                }
            }
            Ok(())
        });
        assert_eq!(done.is_err(), is_refused, "{acts:?}: {done:?}");
        assert!(is_refused || !stopped);
        if !is_refused {
            self.model = model;
        }
    }

    fn receive(&mut self) {
        let which = self.dice.index(2);
        let messages = self.queues[which].receive(3).unwrap();
        assert!(messages.iter().all(|message| self.model.messages[which].contains(message.body())));
        self.received[which] = messages;
    }

    /// Time passes: what was received comes back.
    fn wait(&mut self) {
        self.clock.advance(Duration::from_secs(31));
        self.received = [Vec::new(), Vec::new()];
        if self.dice.below(4) == 0 {
            self.clock.advance(Duration::from_mins(5));
            self.model.known.clear();
        }
        self.store.maintain().unwrap();
    }

    fn compare(&self) {
        let mut found = Model { known: self.model.known.clone(), ..Model::default() };
        for item in self.store.tables().scan(&Scan::new("table")).unwrap().items {
            let number =
                |name: &str| u64::try_from(item[name].as_number().unwrap().to_i128().unwrap()).unwrap();
            found.items.insert((item["p"].as_str().unwrap().to_owned(), number("s")), number("v"));
        }
        for which in 0..2 {
            let seen = self.queues[which].peek(10_000).unwrap();
            found.messages[which] = seen.iter().map(|seen| seen.message.body().to_owned()).collect();
            assert_eq!(self.queues[which].stats().unwrap().messages(), seen.len() as u64);
            let mut cursor = self.streams[which].cursor("shardId-000000000000", Start::TrimHorizon).unwrap();
            while let Some(record) = cursor.try_next().unwrap() {
                found.records[which].push(String::from_utf8(record.data().to_vec()).unwrap());
            }
        }
        for key in ["k", "k/1", "l"] {
            if let Ok(object) = self.bucket.get(key) {
                found.objects.insert(key.to_owned(), object.body.bytes().unwrap().to_vec());
            }
        }
        assert!(found == self.model, "found\n{:?}\nexpected\n{:?}", found.messages, self.model.messages);
    }
}

fn message(which: usize, body: &str) -> SendMessage {
    let message = SendMessage::new(body);
    if which == 0 { message } else { message.group("g").deduplication_id(body) }
}

#[test]
fn transactions_do_what_the_model_does() {
    for seed in 1..=24 {
        let mut world = World::new(seed);
        for step in 0..400 {
            match world.dice.below(12) {
                0..=7 => world.transact(),
                8 | 9 => world.receive(),
                10 => world.wait(),
                _ => {
                    let body = format!("m{}", world.count + 1_000_000);
                    world.count += 1;
                    let which = world.dice.index(2);
                    world.queues[which].send(message(which, &body)).unwrap();
                    world.model.messages[which].insert(body.clone());
                    if which == 1 {
                        world.model.known.insert(body);
                    }
                }
            }
            if step % 25 == 24 {
                world.compare();
            }
            if step % 100 == 99 {
                world = world.reopen();
                world.compare();
            }
        }
        assert!(world.store.verify().unwrap().is_empty());
        world.store.maintain().unwrap();
        world.store.buckets().audit().unwrap();
    }
}
