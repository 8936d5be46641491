//! A table: conditions that decide between two who write at once, an index, a search, and everything or nothing.
//!
//! `cargo run --example items`

#![expect(clippy::print_stdout, reason = "an example shows something")]

use fourfold::Store;
use fourfold::kv::{
    CreateTable, Error, Index, PutItem, Query, Result, ScalarType, TransactWriteItems, UpdateItem, item,
};

pub(crate) fn main() -> Result<()> {
    let tables = Store::in_memory().tables();
    let seats = CreateTable::new("seats").hash("show", ScalarType::S).range("seat", ScalarType::N);
    let by_guest = Index::new("by-guest").hash("guest");
    tables.create_table(seats.attribute("guest", ScalarType::S).global_index(by_guest))?;
    let seats = tables.table("seats");
    for seat in 1..=20 {
        seats.put(item! { "show" => "Tosca", "seat" => seat, "price" => 40 + seat % 4 * 10 })?;
    }

    // Two want the same seat: the condition lets one of them have it.
    for guest in ["ann", "bob"] {
        let take = seats.update(item! { "show" => "Tosca", "seat" => 7 }).update("SET guest = :guest");
        match tables.update_item(take.condition("attribute_not_exists(guest)").value(":guest", guest)) {
            Ok(_) => println!("{guest} has seat 7"),
            Err(error @ Error::ConditionalCheckFailed { .. }) => println!("{guest} has not: {error}"),
            Err(error) => return Err(error),
        }
    }

    // Two seats beside each other, or none.
    let take = |seat: i32, guest: &str| {
        UpdateItem::new("seats", item! { "show" => "Tosca", "seat" => seat })
            .update("SET guest = :guest")
            .condition("attribute_not_exists(guest)")
            .value(":guest", guest)
    };
    for first in [6, 8] {
        let both = TransactWriteItems::new().action(take(first, "eve")).action(take(first + 1, "eve"));
        match tables.transact_write_items(&both) {
            Ok(_) => println!("eve has seats {first} and {}", first + 1),
            Err(error) => println!("eve has not: {}", error.code()),
        }
    }

    // The index is never behind: it changes in the commit of the item.
    let of_eve = Query::new("seats").index("by-guest").key_condition("guest = :guest").value(":guest", "eve");
    assert_eq!(tables.query(&of_eve)?.count, 2);
    let cheap =
        Query::new("seats").key_condition("#show = :show").name("#show", "show").value(":show", "Tosca");
    let cheap = cheap.filter("price = :price AND attribute_not_exists(guest)").value(":price", 40);
    for seat in tables.query(&cheap)?.items {
        println!(
            "free for 40: seat {}",
            seat["seat"].as_number().map(|seat| seat.to_string()).unwrap_or_default()
        );
    }

    // What cannot be is refused, with the service's code and text.
    let refused = tables.put_item(PutItem::new("seats", item! { "show" => "Tosca", "seat" => "seven" }));
    if let Err(error) = refused {
        println!("{}: {error}", error.code());
    }
    Ok(())
}
