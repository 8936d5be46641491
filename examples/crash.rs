//! Crash-tests a program that is built on a store: cuts the power after every call to the disk, in every way that the
//! disk could be left, opens what is left and looks whether the program's own promise holds.
//!
//! The program moves money between two accounts. One version of it moves it in one batch, the other in two.
//!
//! `cargo run --release --features sim --example crash`

#![expect(clippy::print_stdout, reason = "an example shows something")]

use fourfold::clock::ManualClock;
use fourfold::sim::{CrashLimits, SimDisk};
use fourfold::{Keyspace, Store};
use std::error::Error;

const TRANSFERS: u32 = 5;
const MONEY: u32 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    println!("in one batch:  {}", crash_test(together)?);
    println!("in two:        {}", crash_test(apart)?);
    Ok(())
}

fn together(store: &Store, accounts: &Keyspace) -> fourfold::Result<()> {
    let mut batch = store.batch();
    set(&mut batch, accounts, "ann", balance(accounts, "ann")? - 1)?;
    set(&mut batch, accounts, "bob", balance(accounts, "bob")? + 1)?;
    store.write(batch).map(drop)
}

fn apart(store: &Store, accounts: &Keyspace) -> fourfold::Result<()> {
    for (name, change) in [("ann", -1), ("bob", 1)] {
        let mut batch = store.batch();
        set(&mut batch, accounts, name, balance(accounts, name)?.saturating_add_signed(change))?;
        store.write(batch)?;
    }
    Ok(())
}

fn set(batch: &mut fourfold::Batch, accounts: &Keyspace, name: &str, money: u32) -> fourfold::Result<()> {
    batch.put(accounts, name, money.to_le_bytes())
}

fn balance(accounts: &Keyspace, name: &str) -> fourfold::Result<u32> {
    let stored = accounts.get(name)?;
    Ok(stored.and_then(|bytes| bytes[..].try_into().ok()).map_or(0, u32::from_le_bytes))
}

/// The same in every run: no thread of its own, time that stands still, a seed.
fn open(disk: &SimDisk) -> fourfold::Result<(Store, Keyspace)> {
    let store = Store::builder().segment_size(16 << 10).clock(ManualClock::default()).seed(1);
    let store = store.open_simulated(disk, "bank")?;
    let accounts = store.keyspace("accounts")?;
    Ok((store, accounts))
}

/// Runs the program once, then looks at every state that a power cut could have left at any moment of the run.
fn crash_test(transfer: fn(&Store, &Keyspace) -> fourfold::Result<()>) -> Result<String, Box<dyn Error>> {
    let disk = SimDisk::new();
    disk.record();
    let (store, accounts) = open(&disk)?;
    let mut batch = store.batch();
    set(&mut batch, &accounts, "ann", MONEY)?;
    store.write(batch)?;
    // After so many calls, so many transfers were acknowledged.
    let mut acknowledged = vec![(disk.calls(), 0)];
    for number in 1..=TRANSFERS {
        transfer(&store, &accounts)?;
        acknowledged.push((disk.calls(), number));
    }

    let mut states = 0;
    for (calls, image) in (0..).zip(disk.images()) {
        let promised = acknowledged.iter().rfind(|(at, _)| *at <= calls).map(|(_, number)| *number);
        for survival in image.crash_states(CrashLimits::default()) {
            states += 1;
            let (_store, accounts) = open(&image.crash(&survival))?;
            let (ann, bob) = (balance(&accounts, "ann")?, balance(&accounts, "bob")?);
            let nothing_yet = promised.is_none() && ann + bob == 0;
            if nothing_yet || (ann + bob == MONEY && bob >= promised.unwrap_or(0)) {
                continue;
            }
            let left = image.explain(&survival);
            return Ok(format!(
                "ann has {ann} and bob {bob} if the power fails after {calls} calls and this is left:\n{left}"
            ));
        }
    }
    Ok(format!("{states} states, none breaks the promise"))
}
