//! A database that was written for object storage, in a bucket: SlateDB keeps its log, its tables and its manifest as objects, and
//! relies on conditional puts to keep two writers apart.
//!
//! `cargo run --release -- [file [directory]]` counts the words of a file, closes, opens again, and asks. Without a directory
//! the bucket is in memory.
#![expect(clippy::print_stdout, reason = "an example that is read by running it")]

use fourfold::Store;
use fourfold::objects::ListObjects;
use fourfold::objects::object_store::BucketStore;
use slatedb::Db;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::{env, fs};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn count(text: &str) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}

/// All counts that the database has.
async fn read(db: &Db) -> Result<BTreeMap<String, u32>> {
    let (mut found, mut scan) = (BTreeMap::new(), db.scan(..).await?);
    while let Some(pair) = scan.next().await? {
        let count = u32::from_le_bytes(pair.value.as_ref().try_into()?);
        found.insert(String::from_utf8(pair.key.to_vec())?, count);
    }
    Ok(found)
}

async fn run(store: &Store, text: &str) -> Result<()> {
    let bucket = store.buckets().create("slate")?; // or the one of this name, as the service does in us-east-1
    let objects = Arc::new(BucketStore::new(bucket.clone()));

    let expected = count(text);
    let db = Db::open("words", objects.clone()).await?;
    for (word, count) in &expected {
        db.put(word, count.to_le_bytes()).await?;
    }
    db.close().await?;

    let db = Db::open("words", objects).await?;
    let found = read(&db).await?;
    let first = expected.iter().max_by_key(|(_, count)| **count).ok_or("the file has no words")?;
    println!("{} words, most often {:?}: {} times", found.len(), first.0, first.1);
    let missing = expected.iter().filter(|(word, count)| found.get(*word) != Some(count)).count();
    db.close().await?;

    let page = bucket.list(&ListObjects::new())?;
    println!("{} objects in the bucket:", page.objects.len());
    for object in &page.objects {
        println!("{:>8}  {}", object.size, object.key);
    }
    if missing > 0 {
        return Err(format!("{missing} words are not there, or with another count").into());
    }
    Ok(())
}

fn main() -> Result<()> {
    let mut args = env::args_os().skip(1).map(PathBuf::from);
    let file = args.next().unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md").into());
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let store = args.next().map_or_else(|| Ok(Store::in_memory()), Store::open)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().worker_threads(2).build()?;
    runtime.block_on(run(&store, &text))
}
