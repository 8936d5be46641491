//! An outbox: an order and the message about it are one commit, so no message is lost, and none tells of an order that is
//! not there.
//!
//! `cargo run --example outbox [directory]`
//!
//! Elsewhere this takes a second table, a process that reads it and sends, and consumers that bear to hear of one order
//! twice. Here there are two ways, both of one commit. A *delivery* of the table sends a message for each change, in the
//! form of a change record, whoever makes it. Or a *transaction* puts the order and sends a message of its own making. The
//! consumer ships each order once: acknowledging the message and writing the shipment are one commit too. Kill it whenever
//! you like and run it again in the same directory: in the end every order was shipped once.

#![expect(clippy::print_stdout, reason = "an example shows something")]

use fourfold::Store;
use fourfold::kv::{
    AttributeValue, ChangeKind, CreateTable, Delivery, PutItem, ScalarType, Scan, StreamViewType, UpdateItem,
    item,
};
use fourfold::queue::{NewQueue, QueueAttributes, Receive};
use std::error::Error;

const ORDERS: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let directory = std::env::args_os().nth(1).map_or_else(|| temporary.path().join("store"), Into::into);
    let store = Store::open(&directory)?;
    println!("in {}", directory.display());
    make(&store)?;
    place(&store, ORDERS)?;
    while ship(&store, 1)? {}
    let (orders, shipments, most) = count(&store)?;
    println!("{orders} orders, {shipments} parcels and presents shipped, none more than {most} time");
    Ok(())
}

/// Makes what is missing.
pub(crate) fn make(store: &Store) -> Result<(), Box<dyn Error>> {
    let tables = store.tables();
    for name in ["orders", "shipments"] {
        if tables.describe_table(name).is_err() {
            tables.create_table(CreateTable::new(name).hash("id", ScalarType::N))?;
        }
    }
    let attributes = QueueAttributes::new().visibility_timeout(5);
    let queue = store.queues().create(NewQueue::new("placed").attributes(attributes))?;
    // From now on each new order sends a message, in its own commit.
    let placed = Delivery::new(queue.arn()).kinds([ChangeKind::Insert]).view(StreamViewType::NewImage);
    tables.table("orders").set_deliveries([placed])?;
    Ok(())
}

/// Places orders that are not there yet.
pub(crate) fn place(store: &Store, orders: u64) -> Result<(), Box<dyn Error>> {
    let queue = store.queues().get("placed")?;
    for id in 0..orders {
        let order = item! { "id" => id, "lamps" => id % 7 };
        let new = PutItem::new("orders", order).condition("attribute_not_exists(id)");
        let placed = store.transaction().run(|tx| {
            tx.put_item(new.clone())?;
            // What the delivery does not say goes the other way: a message of its own.
            if id % 10 == 0 {
                tx.send(&queue, format!("order {id} gets a present"))?;
            }
            Ok(())
        });
        match placed {
            Ok(_) => {}
            Err(error) if error.code() == "ConditionalCheckFailedException" => {} // placed by an earlier run
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Works off some messages. `false`: there are none left.
pub(crate) fn ship(store: &Store, wait: i32) -> Result<bool, Box<dyn Error>> {
    let queue = store.queues().get("placed")?;
    for message in queue.receive(Receive::new().max_messages(10).wait(wait))? {
        let (id, what) = read(message.body())?;
        let shipped = store.transaction().retries(100).run(|tx| {
            tx.acknowledge(&queue, message.receipt_handle())?;
            let shipment = UpdateItem::new("shipments", item! { "id" => id });
            tx.update_item(shipment.update("ADD #what :one").name("#what", what).value(":one", 1))
        });
        match shipped {
            Ok(_) => {}
            Err(error) if error.code() == "InvalidParameterValue" => {} // somebody else was faster
            Err(error) => return Err(error.into()),
        }
    }
    Ok(queue.stats()?.messages() > 0)
}

/// The order that a message is about, and what it asks for.
fn read(body: &str) -> Result<(u64, &'static str), Box<dyn Error>> {
    if let Some(rest) = body.strip_prefix("order ") {
        let id = rest.split(' ').next().unwrap_or_default();
        return Ok((id.parse()?, "presents"));
    }
    let event: serde_json::Value = serde_json::from_str(body)?;
    let id = event["dynamodb"]["Keys"]["id"]["N"].as_str().ok_or("a change without its key")?;
    Ok((id.parse()?, "parcels"))
}

/// How many orders there are, how many parcels and presents were shipped, and how often the most frequent of them was.
pub(crate) fn count(store: &Store) -> Result<(usize, u64, u64), Box<dyn Error>> {
    let tables = store.tables();
    let orders = tables.scan(&Scan::new("orders"))?.items.len();
    let (mut sum, mut most) = (0, 0);
    for shipment in tables.scan(&Scan::new("shipments"))?.items {
        for what in ["parcels", "presents"] {
            let times = shipment.get(what).and_then(AttributeValue::as_number);
            let times: u64 = times.map_or(Ok(0), |times| times.to_string().parse())?;
            sum += times;
            most = most.max(times);
        }
    }
    Ok((orders, sum, most))
}
