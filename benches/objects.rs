//! Buckets: puts and gets of all sizes, ranges, parts in parallel, listing, and the memory that a long body takes.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench: no store's clock or files, and it prints what it read"
)]

mod support;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use fourfold::objects::{
    Bucket, CompleteUpload, CreateUpload, GetObject, ListObjects, PutObject, UploadPart,
};
use fourfold::{Durability, Store};
use std::convert::Infallible;
use std::hint::black_box;
use std::time::Instant;
use support::{ThreadTime, cpu, fold_hash, is_smoke, scatter, sized, value, wall};

const MIB: usize = 1 << 20;

struct Place {
    _dir: tempfile::TempDir,
    bucket: Bucket,
}

fn on_disk(durability: Durability) -> Place {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::builder().durability(durability).open(dir.path().join("store")).unwrap();
    Place { bucket: store.buckets().create("bucket").unwrap(), _dir: dir }
}

fn name(len: usize) -> String {
    if len >= MIB { format!("{} MiB", len / MIB) } else { format!("{} KiB", len >> 10) }
}

fn request(key: String, md5: bool) -> PutObject {
    let mut request = PutObject::new(key);
    request.opaque_etag = !md5;
    request
}

/// 64 keys are written over and over, so that space is given back meanwhile.
fn put(bucket: &Bucket, number: u64, data: &Bytes, md5: bool) {
    let pieces = data.chunks(MIB).map(|piece| Ok::<_, Infallible>(data.slice_ref(piece)));
    bucket.put_from(request(format!("key {}", number % 64), md5), pieces).unwrap();
}

/// CPU time of the writer.
fn puts(c: &mut Criterion<ThreadTime>) {
    let place = on_disk(Durability::Buffered);
    let mut group = c.benchmark_group("put, buffered, cpu");
    for len in if is_smoke() { vec![4 << 10, MIB] } else { vec![4 << 10, MIB, 64 * MIB] } {
        let data = Bytes::from(value(len));
        group.throughput(Throughput::Bytes(len as u64));
        if len > MIB {
            group.sample_size(10);
        }
        for md5 in [true, false] {
            let mut number = 0;
            let label = format!("{}, {}", name(len), if md5 { "MD5" } else { "no MD5" });
            group.bench_function(label, |b| {
                b.iter(|| {
                    number += 1;
                    put(&place.bucket, number, &data, md5);
                });
            });
        }
    }
    group.finish();
}

/// The time until it is on the device.
fn durable_puts(c: &mut Criterion) {
    let place = on_disk(Durability::Synced);
    let mut group = c.benchmark_group("put, synced, wall");
    for len in [4 << 10, MIB] {
        let data = Bytes::from(value(len));
        group.throughput(Throughput::Bytes(len as u64));
        let mut number = 0;
        group.bench_function(name(len), |b| {
            b.iter(|| {
                number += 1;
                put(&place.bucket, number, &data, true);
            });
        });
    }
    group.finish();
}

fn gets(c: &mut Criterion<ThreadTime>) {
    let place = on_disk(Durability::Buffered);
    let mut group = c.benchmark_group("get, cpu");
    for len in if is_smoke() { vec![4 << 10, MIB] } else { vec![4 << 10, MIB, 64 * MIB] } {
        let data = Bytes::from(value(len));
        let count = if len == 4 << 10 { sized(20_000) } else { 4 };
        for number in 0..count {
            place.bucket.put_object(request(format!("{len}/{number}"), false), data.clone()).unwrap();
        }
        let mut copy = Vec::with_capacity(len);
        let mut number = 0;
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("{}, copied", name(len)), |b| {
            b.iter(|| {
                number += 1;
                let key = format!("{len}/{}", scatter(number) % count);
                copy.clear();
                place.bucket.get(&key).unwrap().body.copy_to(&mut copy).unwrap();
                black_box(&copy);
            });
        });
    }
    let len = if is_smoke() { 8 * MIB } else { 1024 * MIB };
    let piece = Bytes::from(value(MIB));
    let pieces = (0..len / MIB).map(|_| Ok::<_, Infallible>(piece.clone()));
    place.bucket.put_from(request("long".into(), false), pieces).unwrap();
    let mut number = 0;
    group.throughput(Throughput::Bytes(64 << 10));
    group.bench_function(format!("64 KiB of {}", name(len)), |b| {
        b.iter(|| {
            number += 1;
            let first = scatter(number) % (len as u64 - (64 << 10));
            let range = format!("bytes={first}-{}", first + (64 << 10) - 1);
            let read = place.bucket.get_object(GetObject::new("long").range(range)).unwrap();
            black_box(read.body.bytes().unwrap());
        });
    });
    group.finish();
}

fn parts(c: &mut Criterion) {
    let place = on_disk(Durability::Buffered);
    let bucket = &place.bucket;
    let part = Bytes::from(value(5 * MIB));
    let mut group = c.benchmark_group("upload, wall");
    group.throughput(Throughput::Bytes(4 * part.len() as u64)).sample_size(10);
    group.bench_function("4 parts of 5 MiB at once", |b| {
        b.iter(|| {
            let id = bucket.create_upload(CreateUpload::new("parts")).unwrap().upload_id;
            let etags: Vec<_> = std::thread::scope(|scope| {
                let upload = |number| {
                    let part = part.clone();
                    scope.spawn(move || {
                        bucket.upload_part(UploadPart::new("parts", id, number), part).unwrap().etag
                    })
                };
                let threads: Vec<_> = (1..=4).map(upload).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let request = CompleteUpload::new("parts", id);
            let request =
                (1..).zip(etags).fold(request, |request, (number, etag)| request.part(number, etag));
            bucket.complete_upload(&request).unwrap();
        });
    });
    group.finish();
}

fn lists(c: &mut Criterion<ThreadTime>) {
    let store = Store::builder().durability(Durability::Buffered).segment_size(32 << 20).open_in_memory();
    let bucket = store.buckets().create("bucket").unwrap();
    let count = sized(100_000);
    for number in 0..count {
        let key = format!("{:03}/{:08}", number % 100, scatter(number) % 100_000_000);
        bucket.put_object(request(key, false), "").unwrap();
    }
    store.compact().unwrap();
    let mut group = c.benchmark_group("list, cpu");
    let mut hash = 0;
    let mut at = 0;
    group.bench_function("1000 of 100,000 by prefix", |b| {
        b.iter(|| {
            at += 1;
            let prefix = format!("{:03}/", scatter(at) % 100);
            let page = bucket.list(&ListObjects::new().prefix(prefix)).unwrap();
            hash = fold_hash(hash, page.objects.last().map_or("", |last| &last.key).as_bytes());
        });
    });
    group.bench_function("100 common prefixes of 100,000", |b| {
        b.iter(|| {
            let page = bucket.list(&ListObjects::new().delimiter("/")).unwrap();
            assert_eq!(page.common_prefixes.len(), 100);
        });
    });
    group.sample_size(10).bench_function("all of 100,000", |b| {
        b.iter(|| {
            let mut request = ListObjects::new();
            loop {
                let page = bucket.list(&request).unwrap();
                if !page.is_truncated {
                    break;
                }
                request.continuation_token = page.next_continuation_token;
            }
        });
    });
    group.finish();
    println!("listed: {hash:016x}");
}

/// Memory of the process, in KiB; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Set to a number of MiB, so many stream through, and nothing else is measured.
const LONG: &str = "FOURFOLD_LONG_MIB";
/// MiB of one body: the service takes no more than 5 GiB at once.
const BODY: usize = 4096;
/// KiB of memory that bodies of any length may take.
const MEMORY_MAX: u64 = 64 << 10;

/// What bodies that are longer than memory take of it, in and out: written, read and deleted, one after the other.
fn memory(count: usize) {
    let place = on_disk(Durability::Buffered);
    let piece = Bytes::from(value(MIB));
    let (before, start, mut most) = (resident(), Instant::now(), 0);
    let mut left = count;
    while left > 0 {
        let body = left.min(BODY);
        left -= body;
        let mut writer = place.bucket.writer(request("long".into(), false)).unwrap();
        for _ in 0..body {
            writer.write(piece.clone()).unwrap();
            most = most.max(resident());
        }
        writer.finish().unwrap();
        for bytes in place.bucket.get("long").unwrap().body {
            black_box(bytes.unwrap());
            most = most.max(resident());
        }
        place.bucket.delete("long").unwrap();
    }
    let more = most.saturating_sub(before);
    println!(
        "{count} MiB in and out in {:?}: at most {more} KiB of memory more than before",
        start.elapsed()
    );
    assert!(more < MEMORY_MAX, "{more} KiB of memory for bodies of {count} MiB");
}

fn main() {
    if let Some(count) = std::env::var(LONG).ok().and_then(|count| count.parse().ok()) {
        return memory(count);
    }
    memory(if is_smoke() { 16 } else { 2048 });
    let mut c = cpu();
    puts(&mut c);
    gets(&mut c);
    lists(&mut c);
    c.final_summary();
    let mut c = wall();
    durable_puts(&mut c);
    parts(&mut c);
    c.final_summary();
}
