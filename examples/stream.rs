//! A stream that is split while it is read: records of one key stay in order, from parent to child.
//!
//! `cargo run --example stream`

#![expect(clippy::print_stdout, reason = "an example shows something")]

use fourfold::Store;
use fourfold::stream::{CreateStream, Result, Start};

pub(crate) fn main() -> Result<()> {
    let store = Store::in_memory();
    let clicks = store.streams().create("clicks", CreateStream::default().shard_count(1))?;
    for n in 0..5 {
        clicks.put("ann", format!("click {n}"))?;
    }
    clicks.split_shard("shardId-000000000000", 1 << 127)?;
    for n in 5..10 {
        clicks.put("ann", format!("click {n}"))?;
    }
    // The parent to its end, then its children.
    let mut left = vec!["shardId-000000000000".to_owned()];
    while let Some(shard) = left.pop() {
        let mut cursor = clicks.cursor(&shard, Start::TrimHorizon)?;
        while let Some(record) = cursor.try_next()? {
            println!("{shard} {}: {}", record.sequence_number(), String::from_utf8_lossy(record.data()));
        }
        if cursor.is_at_end() {
            left.extend(cursor.child_shards()?.iter().map(|child| child.shard_id.to_string()));
        }
    }
    Ok(())
}
