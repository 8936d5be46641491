//! Many transactions at the same time, and single operations between them: nothing is lost, nothing waits for ever, and what
//! must hold together holds at every moment.

use fourfold::kv::{
    CreateTable, GetItem, Item, PutItem, Query, ScalarType, TransactWriteItems, UpdateItem, item,
};
use fourfold::objects::{
    DeleteObject, EventType, GetObject, NotificationConfiguration, NotificationRule, PutObject, Versioning,
};
use fourfold::queue::{NewQueue, Queue, QueueAttributes, Receive};
use fourfold::stream::{CreateStream, PutRecord, Start, Stream};
use fourfold::transaction::{Error, Transaction};
use fourfold::{ManualClock, Store};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn index(&mut self, n: u64) -> usize {
        usize::try_from(self.below(n)).unwrap()
    }
}

const ACCOUNTS: u64 = 6;
const MONEY: i64 = 1000;

fn account(number: u64) -> Item {
    item! { "bank" => "b", "id" => number }
}

fn balance(tx: &mut Transaction, number: u64) -> Result<i64, Error> {
    let found = tx.get_item(&GetItem::new("accounts", account(number)))?.item.unwrap();
    std::thread::yield_now(); // here is where others are to come in between
    Ok(found["money"].as_number().unwrap().to_i128().unwrap().try_into().unwrap())
}

fn set(number: u64, money: i64) -> PutItem {
    PutItem::new("accounts", item! { "bank" => "b", "id" => number, "money" => money })
}

/// Money goes from account to account, each time with a record in the ledger and a message; others do the same with
/// `TransactWriteItems`, and look at the sum.
#[test]
fn money_stays_and_every_transfer_is_told_once() {
    let store = Store::in_memory();
    let tables = store.tables();
    let table = CreateTable::new("accounts").hash("bank", ScalarType::S).range("id", ScalarType::N);
    tables.create_table(table).unwrap();
    let ledger = store.streams().create("ledger", CreateStream::default().shard_count(1)).unwrap();
    let told = store.queues().create("told").unwrap();
    for number in 0..ACCOUNTS {
        tables.put_item(set(number, MONEY)).unwrap();
    }
    let transfer = |dice: &mut Dice| {
        let (from, to, sum) = (dice.below(ACCOUNTS), dice.below(ACCOUNTS), dice.below(50).cast_signed());
        if from == to {
            return 0;
        }
        let done = store.transaction().retries(u32::MAX).run(|tx| {
            let (rich, poor) = (balance(tx, from)?, balance(tx, to)?);
            if rich < sum {
                return Ok(0);
            }
            tx.put_item(set(from, rich - sum))?;
            tx.put_item(set(to, poor + sum))?;
            let text = format!("{from} {to} {sum}");
            tx.put_record(&ledger, &PutRecord::new("k", &text))?;
            tx.send(&told, text)?;
            Ok(1)
        });
        done.unwrap().value
    };
    let others = |dice: &mut Dice| {
        let (from, to, sum) = (dice.below(ACCOUNTS), dice.below(ACCOUNTS), dice.below(5));
        if from != to {
            let add =
                |number, text| UpdateItem::new("accounts", account(number)).update(text).value(":n", sum);
            let pay = TransactWriteItems::new()
                .action(add(from, "SET money = money - :n"))
                .action(add(to, "SET money = money + :n"));
            match tables.transact_write_items(&pay) {
                Ok(_) | Err(fourfold::kv::Error::TransactionCanceled { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        let query = Query::new("accounts").key_condition("bank = :b").value(":b", "b");
        let sum = store.transaction().run(|tx| {
            let one_by_one: i64 = (0..ACCOUNTS).map(|number| balance(tx, number)).sum::<Result<_, _>>()?;
            assert_eq!(one_by_one, MONEY * ACCOUNTS.cast_signed());
            Ok(tx.query(&query)?.count)
        });
        assert_eq!(sum.unwrap().value as u64, ACCOUNTS);
    };
    let transfers = AtomicU64::new(0);
    std::thread::scope(|threads| {
        for seed in 0..4 {
            let (transfer, transfers) = (&transfer, &transfers);
            threads.spawn(move || {
                let mut dice = Dice(seed);
                for _ in 0..150 {
                    transfers.fetch_add(transfer(&mut dice), Ordering::Relaxed);
                }
            });
        }
        let others = &others;
        threads.spawn(move || {
            let mut dice = Dice(99);
            (0..200).for_each(|_| others(&mut dice));
        });
    });
    let transfers = transfers.into_inner();
    assert!(transfers > 100);
    let sum =
        store.transaction().run(|tx| (0..ACCOUNTS).map(|number| balance(tx, number)).sum::<Result<i64, _>>());
    assert_eq!(sum.unwrap().value, MONEY * ACCOUNTS.cast_signed());
    assert_eq!(told.stats().unwrap().messages(), transfers);
    let mut cursor = ledger.cursor("shardId-000000000000", Start::TrimHorizon).unwrap();
    let mut records = 0;
    while let Some(record) = cursor.try_next().unwrap() {
        records += 1;
        assert_eq!(std::str::from_utf8(record.data()).unwrap().split(' ').count(), 3);
    }
    assert_eq!(records, transfers);
    assert!(store.verify().unwrap().is_empty());
}

/// Two that each look at both of two items and change the other one: one after the other would never take the sum below 0.
#[test]
fn what_was_read_counts_as_much_as_what_was_written() {
    let store = Store::in_memory();
    let tables = store.tables();
    tables.create_table(CreateTable::new("table").hash("id", ScalarType::N)).unwrap();
    for round in 0..300 {
        let put =
            |id: u64, left: i32| tables.put_item(PutItem::new("table", item! { "id" => id, "left" => left }));
        put(0, 1).unwrap();
        put(1, 0).unwrap();
        let take = |which: u64| {
            store.transaction().retries(10).run(|tx| {
                let mut sum = 0;
                for id in 0..2_u64 {
                    let found = tx.get_item(&GetItem::new("table", item! { "id" => id }))?.item.unwrap();
                    std::thread::yield_now();
                    sum += found["left"].as_number().unwrap().to_i128().unwrap();
                }
                if sum > 0 {
                    let update =
                        UpdateItem::new("table", item! { "id" => which }).update("SET #l = #l - :one");
                    tx.update_item(update.name("#l", "left").value(":one", 1))?;
                }
                Ok(())
            })
        };
        let barrier = Barrier::new(2);
        std::thread::scope(|threads| {
            for which in 0..2 {
                let (take, barrier) = (&take, &barrier);
                threads.spawn(move || {
                    barrier.wait();
                    take(which).unwrap();
                });
            }
        });
        let sum: i128 = (0..2_u64)
            .map(|id| tables.get_item(&GetItem::new("table", item! { "id" => id })).unwrap().item.unwrap())
            .map(|found| found["left"].as_number().unwrap().to_i128().unwrap())
            .sum();
        assert_eq!(sum, 0, "round {round}");
    }
}

struct Crowd {
    store: Store,
    clock: ManualClock,
    queues: Vec<Queue>,
    streams: Vec<Stream>,
    buckets: Vec<fourfold::objects::Bucket>,
}

impl Crowd {
    /// Names go one way, numbers the other, so that an order by one is none by the other.
    fn new() -> Self {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).open_in_memory();
        for table in ["table-b", "table-a"] {
            let table = CreateTable::new(table).hash("id", ScalarType::N).attribute("g", ScalarType::N);
            let index = fourfold::kv::Index::new("by-g").hash("g");
            let stream = fourfold::kv::StreamViewType::NewAndOldImages;
            store.tables().create_table(table.global_index(index).stream(stream)).unwrap();
        }
        let mut queues = vec![store.queues().create("zz-dead").unwrap()];
        for name in ["c", "b", "a"] {
            let attributes = QueueAttributes::new().visibility_timeout(1).dead_letters_to(queues[0].arn(), 2);
            queues.push(store.queues().create(NewQueue::new(name).attributes(attributes)).unwrap());
        }
        let streams: Vec<_> = ["b", "a"]
            .iter()
            .map(|name| store.streams().create(name, CreateStream::default().shard_count(2)).unwrap())
            .collect();
        let buckets: Vec<_> =
            ["bucket-b", "bucket-a"].iter().map(|name| store.buckets().create(name).unwrap()).collect();
        for (bucket, (queue, stream)) in buckets.iter().zip(queues[1..].iter().zip(&streams)) {
            let rules = [
                NotificationRule::new(queue.arn(), [EventType::ObjectCreated]),
                NotificationRule::new(stream.arn(), [EventType::ObjectRemoved]),
            ];
            bucket.set_notifications(NotificationConfiguration::new(rules)).unwrap();
        }
        Self { store, clock, queues, streams, buckets }
    }

    fn item(dice: &mut Dice) -> (&'static str, Item) {
        let table = if dice.below(2) == 0 { "table-a" } else { "table-b" };
        (table, item! { "id" => dice.below(5), "g" => dice.below(3), "n" => dice.below(1000) })
    }

    fn transact(&self, dice: &mut Dice) {
        let seed = dice.below(u64::MAX >> 33);
        let handles: Vec<_> =
            self.queues.iter().map(|queue| (queue, queue.receive(Receive::new()))).collect();
        let done = self.store.transaction().retries(20).run(|tx| {
            let mut dice = Dice(seed);
            for _ in 0..=dice.below(6) {
                let (queue, stream) = (dice.index(4), dice.index(2));
                let bucket = &self.buckets[dice.index(2)];
                let key = format!("key-{}", dice.below(3));
                let (table, new) = Self::item(&mut dice);
                match dice.below(8) {
                    0 => drop(tx.put_item(PutItem::new(table, new))?),
                    1 => {
                        let id = item! { "id" => dice.below(5) };
                        let update = UpdateItem::new(table, id).update("ADD n :n").value(":n", 1);
                        tx.update_item(update)?;
                    }
                    2 => drop(tx.get_item(&GetItem::new(table, item! { "id" => dice.below(5) }))?),
                    3 => drop(tx.send(&self.queues[queue], "message")?),
                    4 => {
                        if let (queue, Ok(messages)) = &handles[queue]
                            && let Some(message) = messages.first()
                        {
                            tx.delete_message(queue, message.receipt_handle())?;
                        }
                    }
                    5 => drop(tx.put_record(&self.streams[stream], &PutRecord::new(&key, "record"))?),
                    6 => drop(tx.put_object(bucket, PutObject::new(&*key), vec![1; 10])?),
                    _ => drop(tx.delete_object(bucket, &DeleteObject::new(&*key))?),
                }
            }
            Ok(())
        });
        match done {
            Ok(_) | Err(Error::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn single(&self, dice: &mut Dice) {
        let tables = self.store.tables();
        let key = format!("key-{}", dice.below(3));
        let bucket = &self.buckets[dice.index(2)];
        let queue = &self.queues[dice.index(4)];
        let (table, new) = Self::item(dice);
        match dice.below(12) {
            0 => drop(tables.put_item(PutItem::new(table, new)).unwrap()),
            1 => {
                let put = |table| PutItem::new(table, item! { "id" => 1, "g" => 1 });
                drop(tables.transact_write_items(
                    &TransactWriteItems::new().action(put("table-b")).action(put("table-a")),
                ));
            }
            2 => drop(queue.send("single").unwrap()),
            3..=5 => drop(queue.receive(10).unwrap()), // moves what was received too often
            6 => drop(self.streams[dice.index(2)].put(&key, "single").unwrap()),
            7 => drop(bucket.put(&key, vec![2; 200_000]).unwrap()),
            8 => drop(bucket.delete(&key).unwrap()),
            9 => drop(bucket.get_object(GetObject::new(&*key))),
            10 => {
                let is_on = dice.below(2) == 0;
                bucket
                    .set_versioning(if is_on { Versioning::Enabled } else { Versioning::Suspended })
                    .unwrap();
            }
            _ => {
                self.clock.advance(Duration::from_secs(1));
                self.store.maintain().unwrap();
            }
        }
    }
}

/// It ends: that is what is tested, and that everything is in order then.
#[test]
fn many_at_once_do_not_wait_for_each_other_for_ever() {
    let crowd = Crowd::new();
    std::thread::scope(|threads| {
        for seed in 0..6 {
            let crowd = &crowd;
            threads.spawn(move || {
                let mut dice = Dice(seed);
                for _ in 0..250 {
                    if seed < 3 { crowd.transact(&mut dice) } else { crowd.single(&mut dice) }
                }
            });
        }
    });
    assert!(crowd.store.verify().unwrap().is_empty());
    assert!(crowd.store.tables().verify().unwrap().is_empty());
    crowd.store.maintain().unwrap();
    crowd.store.buckets().audit().unwrap();
    for queue in &crowd.queues {
        // What is in memory says what is on disk.
        let fork = crowd.store.fork().unwrap();
        let again = fork.queues().get(queue.name()).unwrap();
        assert_eq!(again.stats().unwrap().messages(), queue.stats().unwrap().messages());
    }
}
