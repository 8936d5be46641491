//! Many threads on one stream: nothing is lost, nothing comes twice, everything in order.

use crate::stream::stream;
use fourfold::Store;
use fourfold::stream::{CreateStream, Cursor, PutRecord, Record, Start, Stream};
use std::collections::BTreeMap;
use std::sync::mpsc;

const PRODUCERS: usize = 4;
const RECORDS: usize = 2000;

/// Producer and number of a record.
fn parse(record: &Record) -> (usize, usize) {
    let text = std::str::from_utf8(record.data()).unwrap();
    let (producer, number) = text.split_once(' ').unwrap();
    (producer.parse().unwrap(), number.parse().unwrap())
}

/// Reads a shard to its end, then the ones that follow, each after all its parents. `seen` is told of each record.
fn follow(stream: &Stream, roots: Vec<String>, seen: &mpsc::Sender<(usize, usize)>) {
    let mut todo = roots;
    let mut done = std::collections::BTreeSet::new();
    while let Some(shard) = todo.pop() {
        let mut cursor: Cursor = stream.cursor(&shard, Start::TrimHorizon).unwrap();
        while let Some(record) = cursor.next().unwrap() {
            seen.send(parse(&record)).unwrap();
            if parse(&record).1 == usize::MAX {
                break;
            }
        }
        done.insert(shard);
        if cursor.is_at_end() {
            for child in cursor.child_shards().unwrap() {
                let is_ready = child.parent_shards.iter().all(|parent| done.contains(&**parent));
                if is_ready && !done.contains(&*child.shard_id) {
                    todo.push(child.shard_id.to_string());
                }
            }
        }
    }
}

#[test]
fn producers_and_a_reader_at_once() {
    let store = Store::in_memory();
    let stream = stream(&store, 1);
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        let reader = stream.clone();
        scope.spawn(move || {
            let mut cursor = reader.cursor("0", Start::TrimHorizon).unwrap();
            for _ in 0..PRODUCERS * RECORDS {
                let record = cursor.next().unwrap().unwrap();
                send.send((parse(&record), record.sequence_number())).unwrap();
            }
        });
        for producer in 0..PRODUCERS {
            let stream = stream.clone();
            scope.spawn(move || {
                for number in 0..RECORDS / 2 {
                    stream.put("key", format!("{producer} {number}")).unwrap();
                }
                for first in (RECORDS / 2..RECORDS).step_by(10) {
                    let data: Vec<_> =
                        (first..first + 10).map(|number| format!("{producer} {number}")).collect();
                    let records: Vec<_> = data.iter().map(|data| PutRecord::new("key", data)).collect();
                    assert_eq!(stream.put_many(&records).unwrap().failed_record_count(), 0);
                }
            });
        }
    });
    let mut next = [0; PRODUCERS];
    let mut last = None;
    for ((producer, number), sequence) in receive {
        assert_eq!(number, next[producer], "in the order of acknowledgement, each once");
        next[producer] += 1;
        assert!(last < Some(sequence));
        last = Some(sequence);
    }
    assert_eq!(next, [RECORDS; PRODUCERS]);
}

#[test]
fn producers_while_shards_are_split_and_merged() {
    let store = Store::in_memory();
    let stream = store.streams().create("stream", CreateStream::default().shard_count(2)).unwrap();
    std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let stream = stream.clone();
            scope.spawn(move || {
                for number in 0..RECORDS {
                    stream.put(&format!("key {producer}"), format!("{producer} {number}")).unwrap();
                }
            });
        }
        let stream = stream.clone();
        scope.spawn(move || {
            for target in [3, 5, 4, 2, 3, 2, 1, 2, 4] {
                stream.update_shard_count(target).unwrap();
                std::thread::yield_now();
            }
        });
    });
    // A last record to each open shard tells its reader to stop.
    let description = stream.describe(None, Some(10_000)).unwrap();
    for shard in description.shards.iter().filter(|shard| shard.ending_sequence_number.is_none()) {
        let hash = shard.hash_key_range.start().to_string();
        let end = format!("0 {}", usize::MAX);
        stream.put_record(&PutRecord::new("end", &end).explicit_hash_key(&hash)).unwrap();
    }
    let (send, receive) = mpsc::channel();
    let roots = description.shards.iter().filter(|shard| shard.parent_shard_id.is_none());
    follow(&stream, roots.map(|shard| shard.shard_id.to_string()).collect(), &send);
    drop(send);
    let mut next = BTreeMap::new();
    for (producer, number) in receive.iter().filter(|(_, number)| *number != usize::MAX) {
        let expected = next.entry(producer).or_insert(0);
        assert_eq!(number, *expected, "of producer {producer}, parents before children");
        *expected += 1;
    }
    assert!(next.len() == PRODUCERS && next.values().all(|count| *count == RECORDS), "{next:?}");
}

#[test]
fn who_sees_a_part_of_a_transaction_sees_all_of_it() {
    const COUNT: usize = 400;
    let store = Store::in_memory();
    let stream = stream(&store, 2);
    let high = (1_u128 << 127).to_string();
    std::thread::scope(|scope| {
        for (first, second) in [
            ("shardId-000000000000", "shardId-000000000001"),
            ("shardId-000000000001", "shardId-000000000000"),
        ] {
            let stream = stream.clone();
            scope.spawn(move || {
                let mut cursor = stream.cursor(first, Start::TrimHorizon).unwrap();
                let mut other = stream.cursor(second, Start::TrimHorizon).unwrap();
                for number in 0..COUNT {
                    let record = cursor.next().unwrap().unwrap();
                    let same = other.try_next().unwrap().expect("the other half is there");
                    assert_eq!((parse(&record).1, parse(&same).1), (number, number));
                }
            });
        }
        scope.spawn(|| {
            for number in 0..COUNT {
                let data = format!("0 {number}");
                let done = store.transaction().run(|tx| {
                    for hash in ["0", &high] {
                        tx.put_record(&stream, &PutRecord::new("key", &data).explicit_hash_key(hash))?;
                    }
                    Ok(())
                });
                done.unwrap();
            }
        });
    });
}
