//! Buckets and objects: what the service is known for, code by code.

use fourfold::Store;
use fourfold::clock::ManualClock;
use fourfold::objects::{
    Bucket, Buckets, ChecksumAlgorithm, ChecksumHasher, ContentMd5, CopyObject, CopySource, CreateBucket,
    CreateUpload, DeleteObject, Error, GetObject, ListBuckets, ListObjects, ListObjectsV1, ListVersions,
    Metadata, PutObject, Setting, StorageClass, Tags, VersionId, Versioning,
};
use std::fmt::Debug;
use std::io;
use std::time::Duration;

pub(crate) fn buckets() -> Buckets {
    Store::builder().clock(ManualClock::default()).seed(1).open_in_memory().buckets()
}

pub(crate) fn bucket() -> Bucket {
    buckets().create("bucket").unwrap()
}

pub(crate) fn versioned() -> Bucket {
    let bucket = bucket();
    bucket.set_versioning(Versioning::Enabled).unwrap();
    bucket
}

/// Code and message of a refusal.
pub(crate) fn refusal<T: Debug>(result: Result<T, Error>) -> (&'static str, String) {
    let error = result.unwrap_err();
    (error.code(), error.to_string())
}

pub(crate) fn code<T: Debug>(result: Result<T, Error>) -> &'static str {
    refusal(result).0
}

pub(crate) fn read(bucket: &Bucket, key: &str) -> Vec<u8> {
    bucket.get(key).unwrap().body.bytes().unwrap().to_vec()
}

#[test]
fn a_bucket_comes_and_goes() {
    let buckets = buckets();
    assert_eq!(
        refusal(buckets.create("A_b")),
        ("InvalidBucketName", "The specified bucket is not valid.".into())
    );
    let first = buckets.create("one").unwrap();
    first.put("key", "data").unwrap();
    let again = buckets.create("one").unwrap();
    assert_eq!(read(&again, "key"), b"data", "in us-east-1 it is there already");
    assert_eq!(
        refusal(buckets.delete("one")),
        ("BucketNotEmpty", "The bucket you tried to delete is not empty".into())
    );
    first.delete("key").unwrap();
    first.create_upload(CreateUpload::new("never completed")).unwrap();
    buckets.delete("one").unwrap();
    assert_eq!(code(buckets.delete("one")), "NoSuchBucket");
    let second = buckets.create("one").unwrap();
    assert_eq!(code(first.put("key", "")), "NoSuchBucket", "a handle is of its bucket");
    second.put("key", "").unwrap();
    assert_eq!(code(first.get("key")), "NoSuchBucket");
    assert_eq!(code(first.list(&ListObjects::new())), "NoSuchBucket");
}

#[test]
fn a_versioned_bucket_is_empty_without_versions() {
    let buckets = buckets();
    let bucket = buckets.create("one").unwrap();
    bucket.set_versioning(Versioning::Enabled).unwrap();
    let marker = bucket.delete("nothing").unwrap().version_id.unwrap();
    assert_eq!(
        refusal(buckets.delete("one")),
        (
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket.".into()
        )
    );
    bucket.delete_object(&DeleteObject::new("nothing").version(marker)).unwrap();
    buckets.delete("one").unwrap();
}

#[test]
fn locations() {
    let here = buckets();
    assert_eq!(here.create("one").unwrap().location().unwrap(), None);
    // The endpoint of us-east-1 takes all others, and keeps them apart from its own.
    let elsewhere = here.create_bucket(&CreateBucket::new("two").location("eu-central-1")).unwrap();
    assert_eq!(elsewhere.location().unwrap().as_deref(), Some("eu-central-1"));
    assert_eq!(here.create("one").unwrap().region().unwrap(), "us-east-1");
    assert_eq!(code(here.create("two")), "BucketAlreadyOwnedByYou");
    let listed = ListBuckets { region: Some("eu-central-1".into()), ..ListBuckets::default() };
    let listed = here.list(&listed).unwrap().buckets;
    assert_eq!(
        listed.iter().map(|bucket| (&*bucket.name, &*bucket.region)).collect::<Vec<_>>(),
        [("two", "eu-central-1")]
    );
    for bad in ["us-east-1", "nowhere"] {
        let refused = here.create_bucket(&CreateBucket::new("three").location(bad));
        assert_eq!(code(refused), "InvalidLocationConstraint", "{bad}");
    }
    // Another's takes only its own.
    let west = || CreateBucket::new("three").endpoint("us-west-2");
    for other in ["us-east-1", "eu-west-1", "us-gov-east-2"] {
        let message = format!(
            "The {other} location constraint is incompatible for the region specific endpoint this request was sent to."
        );
        let refused = here.create_bucket(&west().location(other));
        assert_eq!(refusal(refused), ("IllegalLocationConstraintException", message));
    }
    assert_eq!(code(here.create_bucket(&west())), "IllegalLocationConstraintException");
    let bucket = here.create_bucket(&west().location("us-west-2")).unwrap();
    assert_eq!(bucket.region().unwrap(), "us-west-2");
    assert_eq!(code(here.create_bucket(&west().location("us-west-2"))), "BucketAlreadyOwnedByYou");
    // A page is of those that are asked for.
    here.create_bucket(&CreateBucket::new("west-2").endpoint("us-west-2").location("us-west-2")).unwrap();
    let mut request =
        ListBuckets { region: Some("us-west-2".into()), max_buckets: Some(1), ..ListBuckets::default() };
    let page = here.list(&request).unwrap();
    assert_eq!(page.buckets[0].name, "three");
    request.continuation_token = page.continuation_token;
    let page = here.list(&request).unwrap();
    assert_eq!((&*page.buckets[0].name, page.continuation_token), ("west-2", None));
    // A store may be where the service is not.
    let local = Store::builder().region("local").open_in_memory().buckets();
    assert_eq!(local.create("one").unwrap().location().unwrap().as_deref(), Some("local"));
    assert_eq!(
        code(local.create_bucket(&CreateBucket::new("two").location("eu-west-1"))),
        "IllegalLocationConstraintException"
    );
    // What is no region's name is nobody's endpoint.
    assert_eq!(
        here.create_bucket(&CreateBucket::new("four").endpoint("auto")).unwrap().region().unwrap(),
        "us-east-1"
    );
    let there = Store::builder().region("eu-west-1").open_in_memory().buckets();
    assert_eq!(
        there.create_bucket(&CreateBucket::new("one")).unwrap_err().to_string(),
        "The unspecified location constraint is incompatible for the region specific endpoint this request was sent \
         to."
    );
    there.create_bucket(&CreateBucket::new("one").location("EU")).unwrap();
    let again = there.create_bucket(&CreateBucket::new("one").location("eu-west-1"));
    assert_eq!(code(again), "BucketAlreadyOwnedByYou");
}

#[test]
fn buckets_are_listed_in_pages() {
    let buckets = buckets();
    for name in ["bbb", "aaa", "b.c", "ccc"] {
        buckets.create(name).unwrap();
    }
    // What long objects lie in has a name of its own, which is not shown.
    buckets.bucket("aaa").unwrap().put("long", vec![0; 100_000]).unwrap();
    let mut request = ListBuckets { max_buckets: Some(3), ..ListBuckets::default() };
    let page = buckets.list(&request).unwrap();
    let names: Vec<_> = page.buckets.iter().map(|bucket| &*bucket.name).collect();
    assert_eq!(names, ["aaa", "b.c", "bbb"]);
    request.continuation_token = page.continuation_token;
    let page = buckets.list(&request).unwrap();
    assert_eq!((&*page.buckets[0].name, page.continuation_token), ("ccc", None));
    request.continuation_token = Some(String::new());
    assert_eq!(code(buckets.list(&request)), "InvalidArgument");
    request = ListBuckets { max_buckets: Some(0), ..ListBuckets::default() };
    assert_eq!(code(buckets.list(&request)), "InvalidArgument");
    request = ListBuckets { prefix: Some("b".into()), ..ListBuckets::default() };
    assert_eq!(buckets.list(&request).unwrap().buckets.len(), 2);
}

#[test]
fn settings_stay_when_a_store_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let version = {
        let bucket = Store::open(&path).unwrap().buckets().create("one").unwrap();
        bucket.set_versioning(Versioning::Enabled).unwrap();
        bucket.set_bucket_tags(Tags::from([("team", "blue")])).unwrap();
        bucket.set(Setting::Policy, "{}").unwrap();
        bucket.put("long", vec![3; 3_000_000]).unwrap();
        bucket.put("key", "data").unwrap().version_id
    };
    let buckets = Store::open(&path).unwrap().buckets();
    let bucket = buckets.bucket("one").unwrap();
    assert_eq!(bucket.versioning().unwrap(), Versioning::Enabled);
    assert_eq!(bucket.bucket_tags().unwrap().get("team"), Some("blue"));
    assert_eq!(bucket.setting(Setting::Policy).unwrap(), "{}");
    assert_eq!(bucket.head("key").unwrap().info.version_id, version);
    assert_eq!(read(&bucket, "long"), vec![3; 3_000_000]);
    bucket.put("other", vec![4; 2_000_000]).unwrap();
    assert_eq!(read(&bucket, "long"), vec![3; 3_000_000], "a new extent has a new number");
    assert_eq!(buckets.audit().unwrap().extents, 2);
}

#[test]
fn settings_that_are_not_there() {
    let bucket = bucket();
    let missing = |setting| refusal(bucket.setting(setting));
    assert_eq!(
        missing(Setting::Cors),
        ("NoSuchCORSConfiguration", "The CORS configuration does not exist".into())
    );
    assert_eq!(missing(Setting::Policy), ("NoSuchBucketPolicy", "The bucket policy does not exist".into()));
    assert_eq!(missing(Setting::Encryption).0, "ServerSideEncryptionConfigurationNotFoundError");
    assert_eq!(missing(Setting::PublicAccessBlock).0, "NoSuchPublicAccessBlockConfiguration");
    assert_eq!(missing(Setting::Ownership).0, "OwnershipControlsNotFoundError");
    assert_eq!(refusal(bucket.bucket_tags()), ("NoSuchTagSet", "The TagSet does not exist".into()));
    bucket.unset(Setting::Cors).unwrap();
    bucket.set_bucket_tags(Tags::from([("a", "b")])).unwrap();
    bucket.set_bucket_tags(Tags::default()).unwrap();
    assert_eq!(code(bucket.bucket_tags()), "NoSuchTagSet");
}

#[test]
fn keys_are_bytes() {
    let bucket = bucket();
    let long = "\u{e9}".repeat(512);
    for key in ["/", "//", "../a", "a%2Fb", "a+b", "a b", "\u{1f600}", "a\0b", &long] {
        bucket.put(key, key.to_owned()).unwrap();
        assert_eq!(read(&bucket, key), key.as_bytes());
    }
    let error = bucket.put(&format!("{long}a"), "").unwrap_err();
    assert_eq!((error.code(), &*error.to_string()), ("KeyTooLongError", "Your key is too long"));
    assert_eq!(error.details(), [("Size", "1025".to_owned()), ("MaxSizeAllowed", "1024".to_owned())]);
    assert_eq!(code(bucket.put("", "")), "InvalidArgument");
    assert_eq!(code(bucket.get(&format!("{long}a"))), "NoSuchKey");
}

#[test]
fn what_is_said_of_an_object_comes_back() {
    let bucket = bucket();
    let mut request =
        PutObject::new("key").content_type("text/plain").storage_class(StorageClass::StandardIa);
    request.metadata.cache_control = Some("no-cache".into());
    request.metadata.insert("Name", "value");
    request = request.tags(Tags::from([("a", "1"), ("b", "2")]));
    let metadata = request.metadata.clone();
    let put = bucket.put_object(request, "hello").unwrap();
    assert_eq!(put.checksum.algorithm(), ChecksumAlgorithm::Crc64Nvme);
    let info = bucket.head("key").unwrap().info;
    assert_eq!((info.metadata, info.tag_count, info.size), (metadata, 2, 5));
    assert_eq!((info.storage_class, info.etag), (StorageClass::StandardIa, put.etag));
    bucket.put("key", "bye").unwrap();
    let info = bucket.head("key").unwrap().info;
    assert_eq!((info.metadata, info.tag_count), (Metadata::default(), 0), "a put replaces all");
}

#[test]
fn digests_are_checked() {
    let bucket = bucket();
    let with = |change: &dyn Fn(&mut PutObject)| {
        let mut request = PutObject::new("key");
        change(&mut request);
        bucket.put_object(request, "hello")
    };
    let md5 = |text: &str| ContentMd5::parse(text).unwrap();
    assert!(with(&|request| request.content_md5 = Some(md5("XUFAKrxLKna5cZ2REBfFkg=="))).is_ok());
    bucket.delete("key").unwrap();
    let wrong = with(&|request| request.content_md5 = Some(md5("AAAAAAAAAAAAAAAAAAAAAA==")));
    assert_eq!(
        refusal(wrong),
        ("BadDigest", "The Content-MD5 you specified did not match what we received.".into())
    );
    for algorithm in ChecksumAlgorithm::ALL {
        let right = ChecksumHasher::digest(algorithm, b"hello");
        assert_eq!(with(&|request| request.checksum = Some(right)).unwrap().checksum, right);
        assert_eq!(bucket.head("key").unwrap().info.checksum, Some(right));
        bucket.delete("key").unwrap();
        let wrong = ChecksumHasher::digest(algorithm, b"jello");
        let refused = with(&|request| request.checksum = Some(wrong));
        let text = format!("The {algorithm} you specified did not match the calculated checksum.");
        assert_eq!(refusal(refused), ("BadDigest", text));
    }
    let chosen = with(&|request| request.checksum_algorithm = Some(ChecksumAlgorithm::Sha1)).unwrap();
    assert_eq!(chosen.checksum, ChecksumHasher::digest(ChecksumAlgorithm::Sha1, b"hello"));
    assert_eq!(code(with(&|request| request.content_length = Some(6))), "IncompleteBody");
    assert_eq!(code(with(&|request| request.content_length = Some(4))), "IncompleteBody");
    let error = with(&|request| request.content_length = Some((5 << 30) + 1)).unwrap_err();
    assert_eq!(
        (error.code(), &*error.to_string()),
        ("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    );
    let other = with(&|request| request.opaque_etag = true).unwrap();
    assert_ne!(other.etag, chosen.etag);
}

#[test]
fn bodies_of_every_length() {
    let bucket = bucket();
    let chunk = 1 << 20;
    for len in [0, 1, (32 << 10) - 1, 32 << 10, (32 << 10) + 1, chunk - 1, chunk, chunk + 1, 3 * chunk + 5] {
        let data: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let put = bucket.put("key", data.clone()).unwrap();
        assert_eq!(put.checksum, ChecksumHasher::digest(ChecksumAlgorithm::Crc64Nvme, &data));
        assert!(read(&bucket, "key") == data, "{len}");
        let mut writer = bucket.writer(PutObject::new("key")).unwrap();
        for piece in data.chunks(100_001) {
            writer.write(piece.to_vec()).unwrap();
        }
        assert_eq!(writer.finish().unwrap().etag, put.etag);
        let body = bucket.get("key").unwrap().body;
        assert_eq!(body.len(), len as u64);
        assert!(body.map(|bytes| bytes.unwrap().to_vec()).collect::<Vec<_>>().concat() == data, "{len}");
        if len > 10 {
            let range = bucket.get_object(GetObject::new("key").range("bytes=-7")).unwrap();
            assert!(range.body.bytes().unwrap() == data[len - 7..]);
        }
    }
}

#[test]
fn a_body_that_breaks_off_leaves_nothing() {
    let bucket = bucket();
    bucket.put("key", "before").unwrap();
    let pieces = (0..5).map(|at| {
        if at < 4 { Ok(vec![0; 1 << 20].into()) } else { Err(io::Error::other("the line went dead")) }
    });
    assert_eq!(
        refusal(bucket.put_from(PutObject::new("key"), pieces)),
        ("IncompleteBody", "The request body terminated unexpectedly".into())
    );
    assert_eq!(read(&bucket, "key"), b"before");
}

#[test]
fn a_reader_keeps_what_it_began_to_read() {
    let store = Store::in_memory();
    let bucket = store.buckets().create("bucket").unwrap();
    bucket.put("key", vec![1; 5 << 20]).unwrap();
    let mut body = bucket.get("key").unwrap().body;
    assert!(body.next().unwrap().unwrap().iter().all(|byte| *byte == 1));
    bucket.put("key", vec![2; 5 << 20]).unwrap();
    bucket.delete("key").unwrap();
    store.maintain().unwrap();
    store.compact().unwrap();
    assert_eq!(body.bytes().unwrap(), vec![1; 4 << 20]);
}

#[test]
fn versioning_has_three_states() {
    let bucket = bucket();
    assert_eq!(bucket.put("key", "unversioned").unwrap().version_id, None);
    assert_eq!(
        refusal(bucket.set_versioning(Versioning::Off)),
        ("IllegalVersioningConfigurationException", "The Versioning element must be specified".into())
    );
    bucket.set_versioning(Versioning::Enabled).unwrap();
    assert_eq!(bucket.head("key").unwrap().info.version_id, Some(VersionId::NULL));
    let one = bucket.put("key", "one").unwrap().version_id.unwrap();
    let two = bucket.put("key", "two").unwrap().version_id.unwrap();
    bucket.set_versioning(Versioning::Suspended).unwrap();
    assert_eq!(bucket.put("key", "null").unwrap().version_id, Some(VersionId::NULL));
    let versions = bucket.list_versions(&ListVersions::default()).unwrap().versions;
    let ids: Vec<_> = versions.iter().map(|version| version.version_id).collect();
    assert_eq!(ids, [VersionId::NULL, two, one], "the null version is replaced, the others stay");
    let deleted = bucket.delete("key").unwrap();
    assert_eq!((deleted.delete_marker, deleted.version_id), (true, Some(VersionId::NULL)));
    let versions = bucket.list_versions(&ListVersions::default()).unwrap().versions;
    assert_eq!(versions.len(), 3);
    assert!(versions[0].object.is_none() && versions[0].is_latest && versions[0].version_id.is_null());
    bucket.delete_object(&DeleteObject::new("key").version("null")).unwrap();
    assert_eq!(read(&bucket, "key"), b"two");
}

#[test]
fn delete_markers() {
    let bucket = versioned();
    let first = bucket.put("key", "data").unwrap().version_id.unwrap();
    let marker = bucket.delete("key").unwrap().version_id.unwrap();
    let error = bucket.get("key").unwrap_err();
    assert_eq!((error.code(), error.status(), error.delete_marker()), ("NoSuchKey", 404, Some(marker)));
    let error = bucket.head_object(&GetObject::new("key").version(marker)).unwrap_err();
    assert_eq!((error.code(), error.status()), ("MethodNotAllowed", 405));
    assert_eq!(error.to_string(), "The specified method is not allowed against this resource.");
    assert_eq!(error.details(), [("Method", "HEAD".to_owned()), ("ResourceType", "DeleteMarker".to_owned())]);
    let old = bucket.get_object(GetObject::new("key").version(first)).unwrap();
    assert_eq!(old.body.bytes().unwrap(), "data");
    let again = bucket.delete("key").unwrap().version_id.unwrap();
    assert_ne!(again, marker, "a marker in front of a marker");
    for marker in [again, marker] {
        let done = bucket.delete_object(&DeleteObject::new("key").version(marker)).unwrap();
        assert_eq!((done.delete_marker, done.version_id), (true, Some(marker)));
    }
    assert_eq!(read(&bucket, "key"), b"data");
}

#[test]
fn version_ids_that_are_none() {
    let bucket = bucket();
    bucket.put("key", "data").unwrap();
    let of = |id: &str| bucket.get_object(GetObject::new("key").version(id));
    assert!(of("null").is_ok(), "also where there was never a version");
    assert_eq!(refusal(of("")), ("InvalidArgument", "Version id cannot be the empty string".into()));
    assert_eq!(refusal(of("x")), ("InvalidArgument", "Invalid version id specified".into()));
    let error = of(&"x".repeat(32)).unwrap_err();
    assert_eq!(
        (error.code(), &*error.to_string()),
        ("NoSuchVersion", "The specified version does not exist.")
    );
    assert_eq!(error.details(), [("Key", "key".to_owned()), ("VersionId", "x".repeat(32))]);
    let gone = bucket.delete_object(&DeleteObject::new("key").version("x".repeat(32))).unwrap();
    assert_eq!((gone.delete_marker, gone.version_id.unwrap().to_string()), (false, "x".repeat(32)));
}

#[test]
fn many_are_deleted_at_once() {
    let bucket = versioned();
    bucket.put("a", "data").unwrap();
    let requests =
        [DeleteObject::new("a"), DeleteObject::new("missing"), DeleteObject::new("b").version("bad")];
    let done = bucket.delete_many(&requests).unwrap();
    assert!(done[0].as_ref().is_ok_and(|done| done.delete_marker && done.version_id.is_some()));
    assert!(done[1].is_ok());
    assert_eq!(done[2].as_ref().unwrap_err().code(), "InvalidArgument");
    assert_eq!(code(bucket.delete_many(&[])), "MalformedXML");
    let many = vec![DeleteObject::new("a"); 1001];
    assert_eq!(code(bucket.delete_many(&many)), "MalformedXML");
    let wrong = bucket.delete_many(&[DeleteObject::new("c").if_match("x")]).unwrap();
    assert_eq!(wrong[0].as_ref().unwrap_err().code(), "NoSuchKey");
}

#[test]
fn writes_on_condition() {
    let bucket = versioned();
    let put = |request: PutObject| bucket.put_object(request, "data");
    let etag = put(PutObject::new("key").if_none_match()).unwrap().etag;
    let error = put(PutObject::new("key").if_none_match()).unwrap_err();
    assert_eq!((error.code(), error.status()), ("PreconditionFailed", 412));
    assert_eq!(error.to_string(), "At least one of the pre-conditions you specified did not hold");
    assert_eq!(error.details(), [("Condition", "If-None-Match".to_owned())]);
    assert!(put(PutObject::new("key").if_match(etag)).is_ok());
    assert_eq!(code(put(PutObject::new("key").if_match("\"other\""))), "PreconditionFailed");
    assert_eq!(code(put(PutObject::new("missing").if_match(etag))), "NoSuchKey");
    let error = put(PutObject::new("key").if_match("*")).unwrap_err();
    assert_eq!((error.code(), error.status()), ("NotImplemented", 501));
    assert_eq!(error.details()[0], ("Header", "If-Match".to_owned()));
    let both = put(PutObject::new("key").if_match(etag).if_none_match()).unwrap_err();
    assert_eq!(both.details()[0], ("Header", "If-Match,If-None-Match".to_owned()));
    assert_eq!(code(bucket.delete_object(&DeleteObject::new("key").if_match("x"))), "PreconditionFailed");
    bucket.delete_object(&DeleteObject::new("key").if_match("*")).unwrap();
    assert!(put(PutObject::new("key").if_none_match()).is_ok(), "a delete marker is no object");
}

#[test]
fn reads_on_condition() {
    let clock = ManualClock::default();
    let bucket = Store::builder().clock(clock.clone()).open_in_memory().buckets().create("bucket").unwrap();
    clock.advance(Duration::from_secs(100));
    let etag = bucket.put("key", "data").unwrap().etag;
    let modified = bucket.head("key").unwrap().info.last_modified;
    let mut request = GetObject::new("key");
    request.conditions.if_none_match = Some(etag.unquoted());
    request.conditions.if_modified_since = Some(modified - Duration::from_secs(50));
    assert_eq!(bucket.get_object(request).unwrap_err().status(), 304, "the tag decides");
    let mut request = GetObject::new("key");
    request.conditions.if_unmodified_since = Some(modified - Duration::from_secs(1));
    let error = bucket.get_object(request).unwrap_err();
    assert_eq!(error.details(), [("Condition", "If-Unmodified-Since".to_owned())]);
}

#[test]
fn ranges_and_parts_of_reads() {
    let bucket = bucket();
    bucket.put("key", "0123456789").unwrap();
    let get = |request: GetObject| bucket.get_object(request);
    let range = get(GetObject::new("key").range("bytes=2-4")).unwrap();
    assert_eq!(range.content_range.unwrap().to_string(), "bytes 2-4/10");
    assert_eq!(range.body.bytes().unwrap(), "234");
    assert!(get(GetObject::new("key").range("bytes=4-2")).unwrap().content_range.is_none());
    let error = get(GetObject::new("key").range("bytes=10-")).unwrap_err();
    assert_eq!((error.code(), error.status()), ("InvalidRange", 416));
    assert_eq!(error.to_string(), "The requested range is not satisfiable");
    let whole = get(GetObject::new("key").part(1)).unwrap();
    assert_eq!(whole.content_range.unwrap().to_string(), "bytes 0-9/10");
    let error = get(GetObject::new("key").part(2)).unwrap_err();
    assert_eq!((error.code(), error.status()), ("InvalidPartNumber", 416));
    assert_eq!(
        error.details(),
        [("ActualPartCount", "1".to_owned()), ("PartNumberRequested", "2".to_owned())]
    );
    assert_eq!(
        refusal(get(GetObject::new("key").part(1).range("bytes=0-1"))),
        ("InvalidRequest", "Cannot specify both Range header and partNumber query parameter".into())
    );
    assert_eq!(code(get(GetObject::new("key").part(0))), "InvalidArgument");
}

#[test]
fn listing_has_its_traps() {
    let bucket = bucket();
    for key in ["a/1", "a/2", "b", "c/1", "c/2"] {
        bucket.put(key, "").unwrap();
    }
    let v1 = |marker: &str, max| {
        let (delimiter, marker) = (Some("/".to_owned()), Some(marker.to_owned()));
        let request = ListObjectsV1 { delimiter, marker, max_keys: Some(max), ..ListObjectsV1::default() };
        bucket.list_v1(&request).unwrap()
    };
    let page = v1("a/1", 1);
    assert_eq!(page.objects[0].key, "b", "a marker within a common prefix passes all of it");
    let page = v1("b", 1);
    assert_eq!((&page.common_prefixes[..], page.is_truncated), (&["c/".to_owned()][..], false));
    assert_eq!(v1("", 1).next_marker.as_deref(), Some("a/"));
    assert!(!v1("", 0).is_truncated);
    let plain = ListObjectsV1 { max_keys: Some(1), ..ListObjectsV1::default() };
    let page = bucket.list_v1(&plain).unwrap();
    assert_eq!((page.is_truncated, page.next_marker), (true, None), "a marker only with a delimiter");
    let mut request = ListObjects::new();
    request.continuation_token = Some(String::new());
    assert_eq!(
        refusal(bucket.list(&request)),
        ("InvalidArgument", "The continuation token provided is incorrect".into())
    );
    let markers = ListVersions { version_id_marker: Some("null".into()), ..ListVersions::default() };
    assert_eq!(
        refusal(bucket.list_versions(&markers)),
        ("InvalidArgument", "A version-id marker cannot be specified without a key marker.".into())
    );
}

#[test]
fn copies() {
    let bucket = bucket();
    let mut request = PutObject::new("a").content_type("text/plain").tags(Tags::from([("k", "v")]));
    request.metadata.website_redirect = Some("/elsewhere".into());
    request.storage_class = StorageClass::Glacier;
    let etag = bucket.put_object(request, vec![9; 2 << 20]).unwrap().etag;
    let source = || CopySource::new("bucket", "a");
    let copied = bucket.copy(CopyObject::new("b", source())).unwrap();
    assert_eq!(copied.etag, etag);
    let info = bucket.head("b").unwrap().info;
    assert_eq!((info.metadata.content_type.as_deref(), info.tag_count), (Some("text/plain"), 1));
    assert_eq!((info.metadata.website_redirect, info.storage_class), (None, StorageClass::Standard));
    let error = bucket.copy(CopyObject::new("a", source())).unwrap_err();
    assert_eq!(error.code(), "InvalidRequest");
    assert!(
        error
            .to_string()
            .starts_with("This copy request is illegal because it is trying to copy an object to")
    );
    bucket.copy(CopyObject::new("a", source()).storage_class(StorageClass::Standard)).unwrap();
    bucket.delete("a").unwrap();
    assert_eq!(read(&bucket, "b"), vec![9; 2 << 20]);
    assert_eq!(code(bucket.copy(CopyObject::new("c", source()))), "NoSuchKey");
    assert_eq!(code(bucket.copy(CopyObject::new("c", CopySource::new("other", "a")))), "NoSuchBucket");
    let mut conditional = CopySource::new("bucket", "b");
    conditional.conditions.if_none_match = Some(etag.to_string());
    let error = bucket.copy(CopyObject::new("c", conditional)).unwrap_err();
    assert_eq!(error.details(), [("Condition", "x-amz-copy-source-If-None-Match".to_owned())]);
}

#[test]
fn copies_of_versions() {
    let bucket = versioned();
    let first = bucket.put("a", "first").unwrap().version_id.unwrap();
    let marker = bucket.delete("a").unwrap().version_id.unwrap();
    let source = CopySource::new("bucket", "a");
    assert_eq!(code(bucket.copy(CopyObject::new("b", source.clone()))), "NoSuchKey");
    assert_eq!(
        refusal(bucket.copy(CopyObject::new("b", source.clone().version(marker)))),
        (
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by version id."
                .into()
        )
    );
    let restored = bucket.copy(CopyObject::new("a", source.version(first))).unwrap();
    assert_eq!(restored.source_version_id, Some(first));
    assert_eq!(read(&bucket, "a"), b"first");
}

#[test]
fn tags_of_objects() {
    let bucket = versioned();
    let version = bucket.put("key", "data").unwrap().version_id.unwrap();
    let before = bucket.head("key").unwrap().info;
    bucket.set_tagging("key", None, Tags::from([("a", "b")])).unwrap();
    let after = bucket.head("key").unwrap().info;
    assert_eq!((after.version_id, after.last_modified), (before.version_id, before.last_modified));
    let tagging = bucket.tagging("key", Some(&version.to_string())).unwrap();
    assert_eq!((tagging.tags.get("a"), tagging.version_id), (Some("b"), Some(version)));
    bucket.delete_tagging("key", None).unwrap();
    assert!(bucket.tagging("key", None).unwrap().tags.is_empty());
    let many: Tags = (0..11).map(|key| (key.to_string(), "")).collect();
    assert_eq!(
        refusal(bucket.set_tagging("key", None, many)),
        ("BadRequest", "Object tags cannot be greater than 10".into())
    );
    assert_eq!(code(bucket.tagging("missing", None)), "NoSuchKey");
}

/// A flipped bit is found however the bytes are asked for, and named; nothing of it is given out.
#[cfg(feature = "sim")]
mod rotten {
    use super::*;
    use fourfold::sim::SimDisk;

    /// Where a body starts in the first blob segment, which has a page of header.
    const FIRST: u64 = 4096 + 16;

    fn bodies(len: usize) -> (SimDisk, Bucket, Vec<u8>) {
        let disk = SimDisk::new();
        let store = Store::builder().segment_size(1 << 20).background_threads(0);
        let bucket = store.open_simulated(&disk, "store").unwrap().buckets().create("bucket").unwrap();
        let data: Vec<u8> = (0..=u32::MAX).flat_map(u32::to_le_bytes).take(len).collect();
        bucket.put("a", data.clone()).unwrap();
        (disk, bucket, data)
    }

    fn slices(bucket: &Bucket) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        for bytes in bucket.get("a")?.body {
            all.extend_from_slice(&bytes?);
        }
        Ok(all)
    }

    fn range(bucket: &Bucket, header: &str) -> Result<Vec<u8>, Error> {
        Ok(bucket.get_object(GetObject::new("a").range(header))?.body.bytes()?.to_vec())
    }

    #[test]
    fn bits_are_found_and_named() {
        // One chunk, some chunks, some and a short one in the tree.
        for len in [200_000, 3 << 18, (3 << 18) + 100] {
            for at in [0, 16_384, 150_000, 199_999] {
                let (disk, bucket, data) = bodies(len);
                let mut copy = b"before".to_vec();
                assert_eq!(bucket.get("a").unwrap().body.copy_to(&mut copy).unwrap(), len as u64);
                assert_eq!(copy[6..], data);
                assert_eq!(slices(&bucket).unwrap(), data);
                assert_eq!(range(&bucket, "bytes=5-199998").unwrap(), data[5..199_999]);
                disk.flip_bit("store/0000000000000001.blob", 8 * (FIRST + at) + 3).unwrap();
                let mut copy = b"before".to_vec();
                let results = [
                    bucket.get("a").unwrap().body.copy_to(&mut copy).map(|_| Vec::new()),
                    bucket.get("a").unwrap().body.bytes().map(|bytes| bytes.to_vec()),
                    slices(&bucket),
                    range(&bucket, "bytes=0-199999"),
                ];
                assert_eq!(copy, b"before");
                for result in results {
                    let text = result.unwrap_err().to_string();
                    assert!(text.contains("0000000000000001.blob"), "{len} bytes, bit at {at}: {text}");
                }
            }
        }
    }

    /// Whoever reads slices has the sum of all before when the last one comes.
    #[test]
    fn bits_of_the_last_chunk_are_found_whatever_the_checksum() {
        for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc64Nvme, ChecksumAlgorithm::Sha256] {
            for at in [600_000, 750_000] {
                let (disk, bucket, data) = bodies(0);
                let mut request = PutObject::new("a");
                request.checksum_algorithm = Some(algorithm);
                let data = [data, vec![7; 3 << 18]].concat();
                bucket.put_object(request, data.clone()).unwrap();
                assert_eq!(slices(&bucket).unwrap(), data);
                disk.flip_bit("store/0000000000000001.blob", 8 * (FIRST + at) + 3).unwrap();
                let text = slices(&bucket).unwrap_err().to_string();
                assert!(text.contains("0000000000000001.blob"), "{algorithm:?}, bit at {at}: {text}");
                assert!(bucket.get("a").unwrap().body.bytes().is_err());
            }
        }
    }

    /// What was read before is checked together with the rest.
    #[test]
    fn half_a_body_is_read_in_slices_and_the_rest_at_once() {
        let (disk, bucket, data) = bodies((3 << 18) + 100);
        for flipped in [false, true] {
            let mut body = bucket.get("a").unwrap().body;
            let first = body.next().unwrap().unwrap();
            assert!(first.len() < data.len() && data.starts_with(&first));
            if flipped {
                disk.flip_bit("store/0000000000000001.blob", 8 * (FIRST + 300_000)).unwrap();
            }
            let mut rest = Vec::new();
            let copied = body.copy_to(&mut rest);
            assert_eq!(copied.is_ok(), !flipped);
            assert_eq!(rest, if flipped { &[] } else { &data[first.len()..] });
        }
    }
}
