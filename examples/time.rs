//! A test that takes two weeks, in a moment: what waits for time, with a clock that moves when it is told.
//!
//! `cargo run --example time`

#![expect(clippy::print_stdout, reason = "an example shows something")]

use fourfold::kv::{CreateTable, ScalarType, item};
use fourfold::queue::{NewQueue, QueueAttributes, Receive, SendMessage};
use fourfold::{ManualClock, Store};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    println!("{}", store.now());

    // Who waits for a message is served when its delay ends.
    let attributes = QueueAttributes::new().visibility_timeout(60);
    let mails = store.queues().create(NewQueue::new("mails").attributes(attributes))?;
    mails.send(SendMessage::new("in ten minutes").delay(600))?;
    let mut receive = pin!(mails.receive_async(Receive::new().wait(20)));
    let mut context = Context::from_waker(Waker::noop());
    clock.advance(Duration::from_secs(590));
    assert!(receive.as_mut().poll(&mut context).is_pending());
    clock.advance(Duration::from_secs(10));
    let Poll::Ready(received) = receive.as_mut().poll(&mut context) else { panic!("its time has come") };
    println!("{}: {}", store.now(), received?[0].body());

    // Who does not delete it within a minute leaves it to others.
    clock.advance(Duration::from_mins(1));
    let again = mails.receive(1)?.remove(0);
    println!("{}: again, for the {}nd time", store.now(), again.receive_count());
    mails.delete_message(again.receipt_handle())?;

    // An item that expires in a week is gone by then, whether anybody looks or not.
    let tables = store.tables();
    tables.create_table(CreateTable::new("sessions").hash("id", ScalarType::S))?;
    tables.update_time_to_live("sessions", "expires", true)?;
    let expires = (store.now() + 7 * DAY).as_secs();
    tables.table("sessions").put(item! { "id" => "ann", "expires" => expires })?;
    println!("something is due at {}", store.next_deadline().ok_or("the item will expire")?);
    clock.advance(14 * DAY);
    assert_eq!(tables.describe_table("sessions")?.item_count, 0);
    println!("{}: no session is left", store.now());
    Ok(())
}
