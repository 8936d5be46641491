//! A consumer that counts every payment exactly once, however often it is killed.
//!
//! `cargo run --release --example exactly_once [directory]`
//!
//! The first run puts a thousand payments into a queue. Each run receives them and adds them to the totals of their payers.
//! Kill it whenever you like (ctrl-c, `kill -9`, the power button) and run it again in the same directory: it goes on where
//! it was, and the totals come out right. Messages come at least once; but acknowledging a payment, adding it up, writing it
//! to the ledger and filing its receipt are one commit, so its work is done once or not at all.

#![expect(clippy::print_stdout, reason = "an example shows something")]

use fourfold::kv::{CreateTable, GetItem, PutItem, ScalarType, Scan, UpdateItem, item};
use fourfold::objects::PutObject;
use fourfold::queue::{Message, NewQueue, QueueAttributes, Receive, SendMessage};
use fourfold::stream::{CreateStream, PutRecord};
use fourfold::{Store, transaction};
use std::error::Error;

const PAYMENTS: u64 = 1000;
const PAYERS: [&str; 4] = ["ann", "bob", "eve", "joe"];

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let directory = std::env::args_os().nth(1).map_or_else(|| temporary.path().join("store"), Into::into);
    let store = Store::open(&directory)?;
    println!("in {}", directory.display());
    begin(&store, PAYMENTS)?;
    while step(&store, 1)? {}
    let totals = totals(&store)?;
    println!("{totals:?}");
    let (counted, sum) = totals.iter().fold((0, 0), |(count, sum), (_, c, s)| (count + c, sum + s));
    println!("{counted} payments of {PAYMENTS}, {sum} in all; expected {}", expected(PAYMENTS));
    Ok(())
}

/// The sum of all payments.
pub(crate) fn expected(payments: u64) -> u64 {
    (0..payments).map(|number| number % 97).sum()
}

/// Makes what is missing, and sends the payments: once, as the item that says so comes in the same commit.
pub(crate) fn begin(store: &Store, payments: u64) -> Result<(), Box<dyn Error>> {
    let tables = store.tables();
    for (name, key) in [("totals", "payer"), ("begun", "what")] {
        if tables.describe_table(name).is_err() {
            tables.create_table(CreateTable::new(name).hash(key, ScalarType::S))?;
        }
    }
    let attributes = QueueAttributes::new().visibility_timeout(5);
    let queue = store.queues().create(NewQueue::new("payments").attributes(attributes))?;
    if store.streams().stream("ledger").is_err() {
        store.streams().create("ledger", CreateStream::default().shard_count(1))?;
    }
    if store.buckets().bucket("receipts").is_err() {
        store.buckets().create("receipts")?;
    }
    store.transaction().run(|tx| {
        let begun = item! { "what" => "payments" };
        if tx.get_item(&GetItem::new("begun", begun.clone()))?.item.is_some() {
            return Ok(());
        }
        tx.put_item(PutItem::new("begun", begun))?;
        for number in 0..payments {
            tx.send(&queue, payment(number))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn payment(number: u64) -> SendMessage {
    let payer = PAYERS[usize::try_from(number).unwrap_or_default() % PAYERS.len()];
    SendMessage::new(format!("{number} {payer} {}", number % 97))
}

/// Works off some payments. `false`: all is done.
pub(crate) fn step(store: &Store, wait: i32) -> Result<bool, Box<dyn Error>> {
    let queue = store.queues().get("payments")?;
    let messages = queue.receive(Receive::new().max_messages(10).wait(wait))?;
    for message in &messages {
        match work(store, message) {
            Ok(()) => {}
            // Its visibility timeout had ended, and another consumer was faster: so it is counted.
            Err(error) if error.code() == "InvalidParameterValue" => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(!messages.is_empty() || queue.stats()?.messages() > 0)
}

/// One payment, and that it is done: in one commit.
fn work(store: &Store, message: &Message) -> transaction::Result<()> {
    let broken = || transaction::Error::abort(format!("not a payment: {}", message.body()));
    let mut words = message.body().split(' ');
    let (number, payer) = words.next().zip(words.next()).ok_or_else(broken)?;
    let sum: u64 = words.next().and_then(|sum| sum.parse().ok()).ok_or_else(broken)?;
    let queue = store.queues().get("payments").map_err(transaction::Error::abort)?;
    let ledger = store.streams().stream("ledger").map_err(transaction::Error::abort)?;
    let receipts = store.buckets().bucket("receipts").map_err(transaction::Error::abort)?;
    store.transaction().retries(100).run(|tx| {
        tx.acknowledge(&queue, message.receipt_handle())?;
        let total = UpdateItem::new("totals", item! { "payer" => payer })
            .update("ADD payments :one, paid :sum")
            .value(":one", 1)
            .value(":sum", sum);
        tx.update_item(total)?;
        tx.put_record(&ledger, &PutRecord::new(payer, message.body()))?;
        let receipt = PutObject::new(format!("{payer}/{number}")).if_none_match();
        tx.put_object(&receipts, receipt, format!("{payer} paid {sum}"))
    })?;
    Ok(())
}

/// A payer, payments, and what was paid.
type Total = (String, u64, u64);

/// What every payer has paid by now.
pub(crate) fn totals(store: &Store) -> Result<Vec<Total>, Box<dyn Error>> {
    let page = store.tables().scan(&Scan::new("totals"))?;
    let total = |item: &fourfold::kv::Item| {
        let number = |name: &str| item.get(name)?.as_number()?.to_i128()?.try_into().ok();
        Some((item.get("payer")?.as_str()?.to_owned(), number("payments")?, number("paid")?))
    };
    page.items.iter().map(|item| total(item).ok_or_else(|| "a total without numbers".into())).collect()
}
