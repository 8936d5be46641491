//! Real processes: killed at any moment, on a real disk.
//!
//! The child is this very binary with `FOURFOLD_CHILD_DIR` set. It prints the number of each batch once it is acknowledged;
//! the parent reads on until the pipe is closed by the kernel, so it knows all that was promised.

use fourfold::{Durability, Error, Store};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const KEYS: u64 = 40;

pub(crate) fn open(dir: &Path) -> fourfold::Result<Store> {
    Store::builder().segment_size(crate::life::SEGMENT).blob_threshold(crate::life::BLOB_THRESHOLD).open(dir)
}

/// Batch `number` says its number under three keys: one that all batches share, one of its own, one in a ring.
fn batch(store: &Store, number: u64, grows: bool) -> fourfold::Result<fourfold::Batch> {
    let (numbers, ring) = (store.keyspace("numbers")?, store.keyspace("ring")?);
    let mut batch = store.batch();
    batch.put(&numbers, "newest", number.to_le_bytes())?;
    // Every so often a value of its own in the blob log.
    let len = if number.is_multiple_of(16) { crate::life::BLOB_THRESHOLD + 600 } else { 200 };
    batch.put(&ring, (number % KEYS).to_le_bytes(), crate::model::value(number, len))?;
    batch.put(&numbers, number.to_be_bytes(), "")?;
    if grows {
        batch.put(&store.keyspace("kept")?, number.to_be_bytes(), crate::model::value(number, 1000))?;
    }
    if let Some(old) = number.checked_sub(KEYS) {
        batch.delete(&numbers, old.to_be_bytes())?;
    }
    Ok(batch)
}

/// The number of the newest batch, once everything else agrees with it.
pub(crate) fn newest(store: &Store) -> Result<u64, String> {
    let read = || -> fourfold::Result<Result<u64, String>> {
        let (numbers, ring) = (store.keyspace("numbers")?, store.keyspace("ring")?);
        let Some(newest) = numbers.get("newest")? else { return Ok(Ok(0)) };
        let newest = u64::from_le_bytes(newest[..].try_into().unwrap());
        let first = newest.saturating_sub(KEYS - 1).max(1);
        let mut expected = (first..=newest).map(u64::to_be_bytes);
        for entry in
            numbers.range::<&[u8]>(..).filter(|entry| entry.as_ref().is_ok_and(|(key, _)| key.len() == 8))
        {
            let (key, _) = entry?;
            if expected.next().is_none_or(|number| number[..] != key[..]) {
                return Ok(Err(format!("the newest batch is {newest}, but there is number {key:?}")));
            }
        }
        if expected.next().is_some() {
            return Ok(Err(format!("the newest batch is {newest}, but not all numbers before are there")));
        }
        for number in first..=newest {
            let found = ring.get((number % KEYS).to_le_bytes())?;
            let len = found.as_ref().map_or(0, bytes::Bytes::len);
            if found.as_deref() != Some(&crate::model::value(number, len)[..]) || len < 200 {
                return Ok(Err(format!("the newest batch is {newest}, but the value of {number} is wrong")));
            }
        }
        let problems = store.verify()?;
        Ok(if problems.is_empty() { Ok(newest) } else { Err(format!("verify finds {problems:#?}")) })
    };
    read().map_err(|error| error.to_string())?
}

/// How much is written.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// Batch after batch, none of which stays for long.
    Killed,
    /// Batches that stay, until there is no room.
    Full,
    /// So many batches.
    Count(u64),
}

/// Writes as many batches as asked for, or until an error.
pub(crate) fn write_on(
    store: &Store,
    durability: Durability,
    until: Until,
    mut acknowledged: impl FnMut(u64),
) -> fourfold::Result<()> {
    let first = newest(store).map_err(|reason| Error::NotFound { kind: "batch", name: reason })? + 1;
    let count = if let Until::Count(count) = until { count } else { u64::MAX };
    for number in first..first.saturating_add(count) {
        store.write_with(batch(store, number, matches!(until, Until::Full))?, durability)?;
        acknowledged(number);
    }
    Ok(())
}

#[test]
#[ignore = "the child that the other tests run by its name: cargo test --all-features --test crash process"]
fn child() {
    let Some(dir) = std::env::var_os("FOURFOLD_CHILD_DIR") else { return };
    let durability = match std::env::var("FOURFOLD_CHILD_DURABILITY").as_deref() {
        Ok("synced") => Durability::Synced,
        _ => Durability::Written,
    };
    let mut out = std::io::stdout().lock();
    let stopped = open(Path::new(&dir)).and_then(|store| {
        write_on(&store, durability, Until::Killed, |number| {
            writeln!(out, "acknowledged {number}").expect("the parent listens");
            out.flush().expect("the parent listens");
        })
    });
    writeln!(out, "stopped {stopped:?}").expect("the parent listens");
}

/// A child that writes to the store in `dir`.
pub(crate) fn spawn(dir: &Path, durability: Durability) -> std::process::Child {
    let durability = if durability == Durability::Synced { "synced" } else { "written" };
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env("FOURFOLD_CHILD_DIR", dir)
        .env("FOURFOLD_CHILD_DURABILITY", durability)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The number in a line of a child.
pub(crate) fn acknowledged(line: &str) -> Option<u64> {
    // The harness's own output may stand before it on the line.
    line.split("acknowledged ").nth(1)?.trim().parse().ok()
}

#[test]
fn what_a_killed_process_was_told_is_there() {
    let cycles = crate::report::setting("FOURFOLD_KILL_CYCLES").unwrap_or(100);
    let dir = tempfile::tempdir().unwrap();
    let mut random = crate::random::Random::new(crate::report::setting("FOURFOLD_CRASH_SEED").unwrap_or(1));
    let mut promised = 0;
    for cycle in 0..cycles {
        let mut child = spawn(dir.path(), Durability::Written);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let patience = random.below(120);
        let mut heard = 0;
        // Some are killed before they opened the store.
        if !random.one_in(10) {
            for line in lines.by_ref() {
                if let Some(number) = acknowledged(&line.unwrap()) {
                    promised = number;
                    heard += 1;
                }
                if heard > patience {
                    break;
                }
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines {
            promised = acknowledged(&line.unwrap()).unwrap_or(promised);
        }
        // The lock went with the process.
        let store = open(dir.path()).unwrap_or_else(|error| panic!("cycle {cycle}: {error}"));
        let newest = newest(&store).unwrap_or_else(|error| panic!("cycle {cycle}: {error}"));
        assert!(newest >= promised, "cycle {cycle}: {promised} was acknowledged, {newest} is the newest");
        assert!(
            newest <= promised + 1,
            "cycle {cycle}: {newest} is there, but only {promised} was acknowledged"
        );
    }
    println!("{cycles} killed processes, {promised} batches, none missing");
    assert!(cycles < 10 || promised > 0);
}
