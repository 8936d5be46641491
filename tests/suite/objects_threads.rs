//! Buckets under real threads: conditions decided once, uploads in parallel, copies against deletes.

use fourfold::objects::{
    CompleteUpload, CopyObject, CopySource, CreateUpload, Dials, Error, ListObjects, PutObject, UploadPart,
    Versioning,
};
use fourfold::{Durability, Store};
use std::sync::atomic::{AtomicU64, Ordering};

fn store() -> Store {
    Store::builder().segment_size(64 << 10).durability(Durability::Buffered).open_in_memory()
}

#[test]
fn one_of_many_creates() {
    let bucket = store().buckets().create("bucket").unwrap();
    for round in 0..200 {
        let key = format!("key {round}");
        let created = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..3_u8 {
                let (bucket, key, created) = (&bucket, &key, &created);
                scope.spawn(move || {
                    let request = PutObject::new(key.as_str()).if_none_match();
                    match bucket.put_object(request, vec![thread; 50_000]) {
                        Ok(_) => drop(created.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => assert_eq!(error.code(), "PreconditionFailed"),
                    }
                });
            }
        });
        assert_eq!(created.into_inner(), 1);
        let body = bucket.get(&key).unwrap().body.bytes().unwrap();
        assert!(body.iter().all(|byte| *byte == body[0]), "the bytes of one writer");
    }
}

/// A counter in an object, changed by whoever read it last: no change is lost.
#[test]
fn writers_that_match_lose_nothing() {
    let bucket = store().buckets().create("bucket").unwrap();
    bucket.put("counter", "0").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut left = 200;
                while left > 0 {
                    let read = bucket.get("counter").unwrap();
                    let etag = read.info.etag;
                    let text = String::from_utf8(read.body.bytes().unwrap().to_vec()).unwrap();
                    let next = (text.parse::<u64>().unwrap() + 1).to_string();
                    match bucket.put_object(PutObject::new("counter").if_match(etag), next) {
                        Ok(_) => left -= 1,
                        Err(error) => assert_eq!(error.code(), "PreconditionFailed"),
                    }
                }
            });
        }
    });
    assert_eq!(bucket.get("counter").unwrap().body.bytes().unwrap(), "600");
}

#[test]
fn parts_in_parallel() {
    let buckets = store().buckets();
    let mut dials = Dials::default();
    dials.part_len_min = 1;
    buckets.set_dials(dials);
    let bucket = buckets.create("bucket").unwrap();
    for round in 0..20 {
        let id = bucket.create_upload(CreateUpload::new("key")).unwrap().upload_id;
        let parts: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..=4_u8)
                .map(|number| {
                    let bucket = &bucket;
                    scope.spawn(move || {
                        // The same part twice: the second stays.
                        for len in [10_000, 70_000 + round] {
                            let part = UploadPart::new("key", id, number.into());
                            let part = bucket.upload_part(part, vec![number; len]).unwrap();
                            if len > 10_000 {
                                return (number, part.etag);
                            }
                        }
                        unreachable!("the second is returned")
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let request = CompleteUpload::new("key", id);
        let request =
            parts.into_iter().fold(request, |request, (number, etag)| request.part(number.into(), etag));
        bucket.complete_upload(&request).unwrap();
        let body = bucket.get("key").unwrap().body.bytes().unwrap();
        let expected: Vec<u8> = (1..=4).flat_map(|number| vec![number; 70_000 + round]).collect();
        assert!(body == expected);
    }
    assert_eq!(buckets.audit().unwrap().extents, 4);
}

/// Copies share what others overwrite and delete: each read is of one writer, and in the end everything adds up.
#[test]
fn copies_deletes_and_readers() {
    let store = store();
    let buckets = store.buckets();
    let (one, two) = (buckets.create("one").unwrap(), buckets.create("two").unwrap());
    two.set_versioning(Versioning::Enabled).unwrap();
    let is_missing = |error: &Error| matches!(error.code(), "NoSuchKey" | "ConditionalRequestConflict");
    std::thread::scope(|scope| {
        for thread in 0..2_u8 {
            let (one, two) = (&one, &two);
            scope.spawn(move || {
                for round in 0..300_u32 {
                    let key = format!("key {}", round % 5);
                    one.put(&key, vec![thread; 40_000 + round as usize]).unwrap();
                    let (from, to, name) = if round % 2 == 0 { (one, two, "one") } else { (two, one, "two") };
                    match to.copy(CopyObject::new(&*key, CopySource::new(from.name(), &*key))) {
                        Ok(_) => {}
                        Err(error) => assert!(is_missing(&error), "from {name}: {error}"),
                    }
                    if round % 7 == 0 {
                        one.delete(&key).unwrap();
                    }
                }
            });
        }
        scope.spawn(|| {
            for round in 0..600 {
                let bucket = if round % 2 == 0 { &one } else { &two };
                match bucket.get(&format!("key {}", round % 5)) {
                    Ok(read) => {
                        let body = read.body.bytes().unwrap();
                        assert!(body.iter().all(|byte| *byte == body[0]) && body.len() >= 40_000);
                    }
                    Err(error) => assert!(is_missing(&error), "{error}"),
                }
                let page = bucket.list(&ListObjects::new()).unwrap();
                assert!(page.objects.len() <= 5 && page.objects.is_sorted_by(|a, b| a.key < b.key));
            }
        });
        scope.spawn(|| {
            for _ in 0..50 {
                store.maintain().unwrap();
                buckets.audit().unwrap();
            }
        });
    });
    store.maintain().unwrap();
    assert_eq!(buckets.audit().unwrap().freed, 0);
}
