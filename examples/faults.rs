//! A test of a consumer on a bad day: the services throttle, fail, lose their answers, deliver twice and out of order.
//!
//! `cargo run --example faults [seed]`
//!
//! The consumer sends a mail for each order and writes down that it did. It is right if every order gets one mail, whatever
//! happens: so it tries again what fails, and does nothing twice that it has written down.

#![expect(clippy::print_stdout, reason = "an example shows something")]

use fourfold::faults::Chaos;
use fourfold::kv::{self, CreateTable, ScalarType, Table, item};
use fourfold::queue::{self, Queue, Receive};
use fourfold::{ManualClock, Store};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    day(std::env::args().nth(1).map_or(Ok(42), |seed| seed.parse())?)
}

pub(crate) fn day(seed: u64) -> Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).seed(seed).open_in_memory();
    let orders = store.queues().create("orders")?;
    store.tables().create_table(CreateTable::new("sent").hash("order", ScalarType::S))?;
    let sent = store.tables().table("sent");

    store.faults().random(seed, Chaos::rough());
    for order in 0..100 {
        insist(|| orders.send(format!("order {order}")))?;
    }
    let mut mails = BTreeMap::new();
    loop {
        send_mails(&orders, &sent, &mut mails)?;
        if orders.stats()?.messages() == 0 {
            break;
        }
        clock.advance(Duration::from_secs(30)); // what got lost on its way to the consumer comes again
    }
    let faults = store.faults().log();
    for fault in faults.iter().take(10) {
        println!(
            "{} {} of {:?}, call {}: {:?}",
            fault.at, fault.operation, fault.resource, fault.number, fault.what
        );
    }
    println!(
        "… {} faults from seed {seed}; {} orders, {} mails",
        faults.len(),
        mails.len(),
        mails.values().sum::<u32>()
    );
    assert!(mails.len() == 100 && mails.values().all(|count| *count == 1), "each order gets one mail");
    Ok(())
}

/// What is to be tested.
fn send_mails(
    orders: &Queue,
    sent: &Table,
    mails: &mut BTreeMap<String, u32>,
) -> Result<(), Box<dyn std::error::Error>> {
    let request = Receive::new().max_messages(10).visibility_timeout(30);
    for message in insist(|| orders.receive(request.clone()))? {
        let order = message.body();
        if insist(|| sent.get(item! { "order" => order }))?.is_none() {
            *mails.entry(order.to_owned()).or_default() += 1; // the mail is sent
            insist(|| sent.put(item! { "order" => order }))?;
        }
        insist(|| orders.delete_message(message.receipt_handle()))?;
    }
    Ok(())
}

/// An error after which the same call may succeed.
trait MayPass: fmt::Display {
    fn may_pass(&self) -> bool;
}

impl MayPass for queue::Error {
    fn may_pass(&self) -> bool {
        self.status() >= 500 || matches!(self, Self::RequestThrottled)
    }
}

impl MayPass for kv::Error {
    fn may_pass(&self) -> bool {
        self.fault() == fourfold::Fault::Service || matches!(self, Self::ProvisionedThroughputExceeded { .. })
    }
}

/// Tries again, up to twenty times, what may succeed then.
fn insist<T, E: MayPass>(mut call: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let mut tries = 0;
    loop {
        match call() {
            Err(error) if error.may_pass() && tries < 20 => tries += 1,
            done => return done,
        }
    }
}
