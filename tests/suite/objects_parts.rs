//! Uploads in parts, and the space that objects take.

use crate::objects::{bucket, buckets, code, read, refusal};
use fourfold::objects::{
    Bucket, ChecksumAlgorithm, ChecksumHasher, ChecksumType, CompleteUpload, CopyObject, CopySource,
    CreateUpload, Dials, GetAttributes, GetObject, ListObjects, ListUploads, UploadPart, UploadPartCopy,
    limits,
};
use fourfold::{Durability, Fault, ManualClock, Store};
use std::time::Duration;

/// An upload with parts of these lengths, numbered from 1.
fn upload(bucket: &Bucket, request: CreateUpload, lens: &[usize]) -> CompleteUpload {
    let key = request.key.clone();
    let has_checksum = request.checksum_algorithm.is_some();
    let id = bucket.create_upload(request).unwrap().upload_id;
    let mut complete = CompleteUpload::new(&*key, id);
    for (number, len) in (1..).zip(lens) {
        let data: Vec<u8> = (0..*len).map(|at| u8::try_from(at % 253).unwrap()).collect();
        let part = bucket.upload_part(UploadPart::new(&*key, id, number), data).unwrap();
        complete = complete.part(number, part.etag);
        complete.parts.last_mut().unwrap().checksum = has_checksum.then_some(part.checksum);
    }
    complete
}

#[test]
fn uploads_in_parts() {
    let buckets = buckets();
    let bucket = buckets.create("bucket").unwrap();
    let request = upload(&bucket, CreateUpload::new("key"), &[5 << 20, 5 << 20, 77]);
    assert_eq!(code(bucket.get("key")), "NoSuchKey", "nothing before it is complete");
    let done = bucket.complete_upload(&request).unwrap();
    assert_eq!((done.size, done.etag.parts()), ((10 << 20) + 77, Some(3)));
    let data = read(&bucket, "key");
    assert_eq!(done.checksum, Some(ChecksumHasher::digest(ChecksumAlgorithm::Crc64Nvme, &data)));
    assert_eq!(bucket.complete_upload(&request).unwrap(), done, "the same call again");
    assert_eq!(code(bucket.abort_upload("key", &request.upload_id)), "NoSuchUpload");
    let part = bucket.get_object(GetObject::new("key").part(3)).unwrap();
    assert_eq!((part.info.parts_count, part.body.len()), (Some(3), 77));
    assert_eq!(part.content_range.unwrap().to_string(), "bytes 10485760-10485836/10485837");
    assert_eq!(code(bucket.get_object(GetObject::new("key").part(4))), "InvalidPartNumber");
    let copy = bucket.copy(CopyObject::new("copy", CopySource::new("bucket", "key"))).unwrap();
    assert_eq!(copy.etag.digest()[..], *ChecksumHasher::digest(ChecksumAlgorithm::Md5, &data).bytes());
    let audit = buckets.audit().unwrap();
    assert_eq!((audit.extents, audit.stored_bytes), (3, (10 << 20) + 77), "shared with the copy");
}

#[test]
fn completions_that_are_refused() {
    let bucket = bucket();
    let good = upload(&bucket, CreateUpload::new("key"), &[100, 5 << 20, 100]);
    let with = |change: &dyn Fn(&mut CompleteUpload)| {
        let mut request = good.clone();
        change(&mut request);
        bucket.complete_upload(&request).unwrap_err()
    };
    let error = with(&|_| ());
    assert_eq!(
        (error.code(), &*error.to_string()),
        ("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
    );
    assert_eq!(
        error.details()[1..],
        [
            ("MinSizeAllowed", "5242880".to_owned()),
            ("PartNumber", "1".to_owned()),
            ("ProposedSize", "100".to_owned())
        ]
    );
    let error = with(&|request| request.parts.swap(0, 1));
    assert_eq!(
        (error.code(), &*error.to_string()),
        (
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        )
    );
    assert_eq!(with(&|request| request.parts.push(request.parts[2].clone())).code(), "InvalidPartOrder");
    let error = with(&|request| request.parts.clear());
    assert_eq!((error.code(), &*error.to_string()), ("InvalidRequest", "You must specify at least one part"));
    let error = with(&|request| request.parts[0].etag = "\"bad\"".into());
    assert_eq!(error.code(), "InvalidPart");
    assert_eq!(error.details()[..2], [("ETag", "bad".to_owned()), ("PartNumber", "1".to_owned())]);
    assert_eq!(with(&|request| request.parts[2].part_number = 9).code(), "InvalidPart");
    let other = ChecksumHasher::digest(ChecksumAlgorithm::Crc64Nvme, b"other");
    assert_eq!(with(&|request| request.parts[1].checksum = Some(other)).code(), "InvalidPart");
    let tail = |request: &mut CompleteUpload| drop(request.parts.remove(0));
    let error = with(&|request| {
        tail(request);
        request.object_size = Some(1);
    });
    assert_eq!(
        error.to_string(),
        "The provided 'x-amz-mp-object-size' header value 1 does not match what was computed: 5242980"
    );
    let error = with(&|request| {
        tail(request);
        request.checksum = Some(other);
    });
    assert_eq!(error.code(), "BadDigest");
    let error = with(&|request| {
        tail(request);
        request.checksum_type = Some(ChecksumType::Composite);
    });
    assert_eq!(error.code(), "InvalidRequest");
    assert_eq!(with(&|request| request.upload_id = "x".into()).code(), "NoSuchUpload");
    let mut request = good.clone();
    tail(&mut request);
    bucket.complete_upload(&request).unwrap();
    assert_eq!(bucket.head("key").unwrap().info.size, (5 << 20) + 100, "the upload went on");
}

#[test]
fn parts_with_checksums() {
    let bucket = bucket();
    let mut create = CreateUpload::new("key");
    create.checksum_algorithm = Some(ChecksumAlgorithm::Sha256);
    let mut request = upload(&bucket, create, &[5 << 20, 9]);
    let mut part = UploadPart::new("key", &request.upload_id, 3);
    part.checksum = Some(ChecksumHasher::digest(ChecksumAlgorithm::Crc32, b"x"));
    assert_eq!(
        refusal(bucket.upload_part(part, "x")),
        (
            "InvalidRequest",
            "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32"
                .into()
        )
    );
    let mut without = request.clone();
    without.parts[1].checksum = None;
    assert_eq!(code(bucket.complete_upload(&without)), "InvalidRequest");
    request.checksum_type = Some(ChecksumType::Composite);
    let done = bucket.complete_upload(&request).unwrap();
    assert!(done.checksum.unwrap().to_string().ends_with("-2"));
    let mut attributes = GetAttributes::new("key");
    attributes.max_parts = Some(1);
    let parts = bucket.attributes(&attributes).unwrap().parts.unwrap();
    let page = parts.page.unwrap();
    assert_eq!((parts.total, page.parts.len(), page.is_truncated), (2, 1, true));
    assert_eq!(page.parts[0].checksum, request.parts[0].checksum);
    let plain = upload(&bucket, CreateUpload::new("plain"), &[3]);
    bucket.complete_upload(&plain).unwrap();
    let parts = bucket.attributes(&GetAttributes::new("plain")).unwrap().parts.unwrap();
    assert_eq!((parts.total, parts.page), (1, None), "parts are listed for composite checksums only");
}

#[test]
fn parts_that_are_refused() {
    let bucket = bucket();
    let id = bucket.create_upload(CreateUpload::new("key")).unwrap().upload_id;
    for number in [0, 10_001] {
        assert_eq!(
            refusal(bucket.upload_part(UploadPart::new("key", id, number), "")),
            ("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive".into())
        );
    }
    assert_eq!(code(bucket.upload_part(UploadPart::new("other", id, 1), "")), "NoSuchUpload");
    bucket.put("short", "0123456789").unwrap();
    let copy = |range: &str| {
        let mut request = UploadPartCopy::new("key", id, 1, CopySource::new("bucket", "short"));
        request.range = Some(range.to_owned());
        bucket.upload_part_copy(&request)
    };
    assert_eq!(
        refusal(copy("bytes=0-10")),
        ("InvalidArgument", "Range specified is not valid for source object of size: 10".into())
    );
    assert_eq!(code(copy("bytes=3-")), "InvalidArgument");
    let part = copy("bytes=3-5").unwrap().part;
    bucket.complete_upload(&CompleteUpload::new("key", id).part(1, part.etag)).unwrap();
    assert_eq!(read(&bucket, "key"), b"345");
}

/// Ten times the live size is written over and deleted, and the disk has at most twice the live size in the end.
#[test]
fn space_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Store::builder()
        .durability(Durability::Buffered)
        .segment_size(4 << 20)
        .background_threads(0)
        .open(&path)
        .unwrap();
    let bucket = store.buckets().create("bucket").unwrap();
    let mut number = 7_u64;
    let mut draw = |below: u64| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) % below
    };
    for round in 0..400 {
        let key = format!("key {}", draw(40));
        match draw(10) {
            0 => drop(bucket.delete(&key).unwrap()),
            1 => {
                let request = upload(&bucket, CreateUpload::new(&*key), &[900_000]);
                match draw(2) {
                    0 => bucket.abort_upload(&key, &request.upload_id).unwrap(),
                    _ => drop(bucket.complete_upload(&request).unwrap()),
                }
            }
            _ => {
                let len = usize::try_from(draw(1_800_000)).unwrap();
                bucket.put(&key, vec![u8::try_from(round % 256).unwrap(); len]).unwrap();
            }
        }
        if round % 50 == 0 {
            store.maintain().unwrap();
        }
    }
    store.maintain().unwrap();
    store.compact().unwrap();
    store.maintain().unwrap();
    let live: u64 = bucket.list(&ListObjects::new()).unwrap().objects.iter().map(|object| object.size).sum();
    assert_eq!(store.buckets().audit().unwrap().freed, 0);
    drop((bucket, store));
    #[expect(clippy::disallowed_methods, reason = "looks at the store from outside")]
    let files = std::fs::read_dir(&path).unwrap();
    let used: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(live > 20_000_000 && used <= 2 * live, "{used} bytes on the disk for {live} that live");
}

/// A completion on a condition that holds, of an object that changed since the upload was begun, is refused: who asks saw
/// another object then.
#[test]
fn conditions_of_an_object_that_changed_meanwhile() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    let bucket = store.buckets().create("bucket").unwrap();
    let etag = bucket.put("key", "1").unwrap().etag;
    let begin = || upload(&bucket, CreateUpload::new("key"), &[5]);
    let on_match = |mut request: CompleteUpload| {
        request.if_match = Some(etag.to_string());
        bucket.complete_upload(&request).map_err(|error| (error.code(), error.details()))
    };
    let on_none = |mut request: CompleteUpload| {
        request.if_none_match = Some("*".to_owned());
        bucket.complete_upload(&request).map_err(|error| (error.code(), error.details()))
    };
    let conflict = |condition: &str| {
        let details = vec![("Condition", condition.to_owned()), ("Key", "key".to_owned())];
        Err(("ConditionalRequestConflict", details))
    };
    let begun = begin();
    clock.advance(Duration::from_millis(1));
    bucket.put("key", "1").unwrap();
    assert_eq!(on_match(begun.clone()).map(drop), conflict("If-Match"), "the same bytes, but others");
    bucket.delete("key").unwrap();
    assert_eq!(on_match(begun).map(drop).unwrap_err().0, "NoSuchKey");
    bucket.put("key", "1").unwrap();
    let begun = begin();
    assert_eq!(on_none(begun.clone()).map(drop).unwrap_err().0, "PreconditionFailed");
    bucket.delete("key").unwrap();
    assert_eq!(on_none(begun).map(drop), conflict("If-None-Match"));
    on_none(begin()).unwrap();
}

#[test]
fn an_upload_may_keep_no_checksum() {
    let bucket = Store::in_memory().buckets().create("bucket").unwrap();
    let mut request = CreateUpload::new("key");
    request.without_default_checksum = true;
    let request = upload(&bucket, request, &[5]);
    assert_eq!(bucket.complete_upload(&request).unwrap().checksum, None);
    assert_eq!(bucket.head("key").unwrap().info.checksum, None);
}

#[test]
fn markers_of_uploads_are_of_their_key() {
    let bucket = Store::in_memory().buckets().create("bucket").unwrap();
    let ids = ["a", "b"].map(|key| bucket.create_upload(CreateUpload::new(key)).unwrap().upload_id);
    let list = |key: &str, id: &str| {
        let (key_marker, upload_id_marker) = (Some(key.to_owned()), Some(id.to_owned()));
        bucket.list_uploads(&ListUploads { key_marker, upload_id_marker, ..ListUploads::default() })
    };
    assert_eq!(list("a", &ids[0].to_string()).unwrap().uploads.len(), 1);
    bucket.abort_upload("a", &ids[0].to_string()).unwrap();
    assert_eq!(
        list("a", &ids[0].to_string()).unwrap().uploads.len(),
        1,
        "an upload that is gone is still a place"
    );
    for wrong in [&*ids[1].to_string(), "x"] {
        assert_eq!(code(list("a", wrong)), "InvalidArgument", "{wrong}");
    }
}

/// A bucket has the service's rates of one partition, if a test asks for them.
#[test]
fn a_bucket_may_be_slow() {
    let clock = ManualClock::default();
    let buckets = Store::builder().clock(clock.clone()).open_in_memory().buckets();
    let (bucket, other) = (buckets.create("bucket").unwrap(), buckets.create("other").unwrap());
    let mut dials = Dials::default();
    dials.throttle = true;
    buckets.set_dials(dials);
    for _ in 0..limits::WRITES_PER_SECOND {
        bucket.put("key", "").unwrap();
    }
    let refused = bucket.put("key", "").unwrap_err();
    assert_eq!((refused.code(), refused.status(), refused.fault()), ("SlowDown", 503, Fault::Service));
    assert_eq!(refused.to_string(), "Please reduce your request rate.");
    bucket.get("key").expect("reads have a rate of their own");
    other.put("key", "").expect("so has each bucket");
    clock.advance(Duration::from_secs(1));
    bucket.put("key", "").unwrap();
    buckets.set_dials(Dials::default());
    for _ in 0..2 * limits::WRITES_PER_SECOND {
        bucket.delete("key").unwrap();
    }
}
