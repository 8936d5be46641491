//! Objects.

use super::{Answer, Known, Refused, answer, check, is, list, no, pass, told};
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types as sdk;
use fourfold::Store;
use fourfold::objects::{
    CompleteUpload, CopyObject, CopySource, CreateUpload, DeleteObject, Error, GetObject, ListBuckets,
    ListObjects, ListParts, ListVersions, PutObject, Tags, UploadPart, Versioning,
};

/// A request to the bucket `photos`, if it does not name another. Versions go by what was put, uploads by their key.
#[derive(Debug)]
enum Do {
    Create(&'static str),
    DeleteBucket(&'static str),
    Buckets,
    Put(&'static str, &'static str, Unless),
    PutInto(&'static str, &'static str),
    Get(&'static str, If),
    GetFrom(&'static str, &'static str),
    Head(&'static str),
    Delete(&'static str, Option<&'static str>),
    DeleteAll(&'static [&'static str]),
    Copy(&'static str, &'static str),
    List(Page),
    ListOf(&'static str),
    Version(&'static str),
    Versions,
    Tag(&'static str, &'static [(&'static str, &'static str)]),
    Tags(&'static str),
    TagBucket(&'static [(&'static str, &'static str)]),
    BucketTags,
    Upload(&'static str),
    /// So many bytes of one kind.
    Part(&'static str, u32, u8, usize),
    Parts(&'static str),
    Complete(&'static str, &'static [u32]),
    Abort(&'static str),
}

#[derive(Clone, Copy, Debug)]
enum Unless {
    Nothing,
    There,
    /// Unless it is something else than this.
    Changed(&'static str),
}

#[derive(Clone, Copy, Debug, Default)]
struct If {
    range: Option<&'static str>,
    matches: Option<&'static str>,
    none_matches: Option<&'static str>,
    version: Option<&'static str>,
    part: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Page {
    prefix: Option<&'static str>,
    delimiter: Option<&'static str>,
    after: Option<&'static str>,
    max: Option<u32>,
}

const ANY: If = If { range: None, matches: None, none_matches: None, version: None, part: None };
const ALL: Page = Page { prefix: None, delimiter: None, after: None, max: None };
const MIB: usize = 1 << 20;
const HELLO: &str = "\"5d41402abc4b2a76b9719d911017c592\"";

const fn range(range: &'static str) -> If {
    If { range: Some(range), ..ANY }
}

const fn version(version: &'static str) -> If {
    If { version: Some(version), ..ANY }
}

#[tokio::test]
async fn objects_answer_alike() {
    use Do::*;
    use Unless::{Changed, Nothing, There};
    let rows = vec![
        is(Create("photos"), ""),
        is(Create("empty"), ""),
        no(Create("NOT A NAME"), "InvalidBucketName"),
        no(Create("x"), "InvalidBucketName"),
        is(Buckets, "empty photos"),
        // One object.
        is(Put("a", "hello", Nothing), HELLO),
        is(Get("a", ANY), "hello"),
        is(Head("a"), "5 \"5d41402abc4b2a76b9719d911017c592\""),
        is(Get("a", range("bytes=1-2")), "el bytes 1-2/5"),
        is(Get("a", range("bytes=-2")), "lo bytes 3-4/5"),
        is(Get("a", range("bytes=3-")), "lo bytes 3-4/5"),
        is(Get("a", range("nonsense")), "hello -"),
        no(Get("a", range("bytes=5-")), "InvalidRange"),
        is(Get("a", If { matches: Some(HELLO), ..ANY }), "hello"),
        no(Get("a", If { matches: Some("\"x\""), ..ANY }), "PreconditionFailed"),
        is(Get("a", If { none_matches: Some("\"x\""), ..ANY }), "hello"),
        is(Get("a", If { part: Some(1), ..ANY }), "hello"),
        no(Get("a", If { part: Some(2), ..ANY }), "InvalidPartNumber"),
        no(Get("a", If { part: Some(1), ..range("bytes=0-1") }), "InvalidRequest"),
        no(Get("b", ANY), "NoSuchKey"),
        no(Get("a", version("nonsense")), "InvalidArgument"),
        no(GetFrom("nope", "a"), "NoSuchBucket"),
        no(PutInto("nope", "a"), "NoSuchBucket"),
        no(Head("b"), "NotFound"),
        no(Put("a", "other", There), "PreconditionFailed"),
        is(Put("b", "there?", There), "\""),
        is(Put("a", "hello", Changed(HELLO)), HELLO),
        no(Put("a", "hello", Changed("\"x\"")), "PreconditionFailed"),
        no(Put("c", "hello", Changed(HELLO)), "NoSuchKey"),
        is(Put("a/b c+d%/\u{e4}", "odd", Nothing), "\""),
        is(Get("a/b c+d%/\u{e4}", ANY), "odd"),
        is(Delete("b", None), "-"),
        is(Delete("b", None), "-"),
        is(Copy("a", "copy"), HELLO),
        no(Copy("a", "a"), "InvalidRequest"),
        no(Copy("nope", "copy"), "NoSuchKey"),
        no(DeleteBucket("photos"), "BucketNotEmpty"),
        no(DeleteBucket("nope"), "NoSuchBucket"),
        is(DeleteBucket("empty"), ""),
        // Many.
        is(Put("films/1", "1", Nothing), "\""),
        is(Put("films/2", "2", Nothing), "\""),
        is(Put("films/old/3", "3", Nothing), "\""),
        is(List(ALL), "films/old/3"),
        is(List(Page { prefix: Some("films/"), delimiter: Some("/"), ..ALL }), "films/old/"),
        is(List(Page { after: Some("copy"), ..ALL }), "films/1"),
        is(List(Page { max: Some(2), ..ALL }), "true"),
        is(List(Page { max: Some(0), ..ALL }), "false"),
        no(ListOf("nope"), "NoSuchBucket"),
        is(DeleteAll(&["films/1", "not there", "films/2"]), "films/1 films/2 not there"),
        no(DeleteAll(&[]), "MalformedXML"),
        // Tags.
        is(Tag("a", &[("team", "x"), ("stage", "")]), ""),
        is(Tags("a"), "team=x stage="),
        is(Tag("a", &[]), ""),
        is(Tags("a"), ""),
        no(Tag("a", &[("k", "1"), ("k", "2")]), "InvalidTag"),
        no(Tag("a", &[("aws:x", "1")]), "InvalidTag"),
        no(Tag("a", &[("", "1")]), "InvalidTag"),
        no(Tag("nope", &[("k", "1")]), "NoSuchKey"),
        no(BucketTags, "NoSuchTagSet"),
        is(TagBucket(&[("team", "x")]), ""),
        is(BucketTags, "team=x"),
        // Parts.
        is(Upload("film"), ""),
        is(Part("film", 1, 1, 5 * MIB), "\""),
        is(Part("film", 2, 2, 3), "\""),
        is(Part("film", 3, 3, 3), "\""),
        no(Part("film", 0, 0, 1), "InvalidArgument"),
        no(Part("film", 10_001, 0, 1), "InvalidArgument"),
        no(Part("nope", 1, 0, 1), "NoSuchUpload"),
        is(Parts("film"), "2 3 \""),
        no(Parts("nope"), "NoSuchUpload"),
        no(Complete("film", &[1, 4]), "InvalidPart"),
        no(Complete("film", &[2, 1]), "InvalidPartOrder"),
        no(Complete("film", &[1, 2, 3]), "EntityTooSmall"),
        is(Complete("film", &[1, 2]), "-2\""),
        no(Complete("nope", &[1]), "NoSuchUpload"),
        is(Head("film"), "5242883"),
        is(Get("film", If { part: Some(2), ..ANY }), "\u{2}\u{2}\u{2} bytes 5242880-5242882/5242883"),
        is(Upload("film"), ""),
        is(Abort("film"), ""),
        no(Abort("film"), "NoSuchUpload"),
        // Versions.
        is(Version("Enabled"), ""),
        pass(1),
        is(Put("a", "first", Nothing), "\""),
        pass(1),
        is(Put("a", "second", Nothing), "\""),
        is(Get("a", ANY), "second"),
        is(Get("a", version("first")), "first"),
        is(Get("a", version("null")), "hello"),
        is(Delete("a", None), "true"),
        no(Get("a", ANY), "NoSuchKey"),
        no(Head("a"), "NotFound"),
        is(Versions, "null"),
        is(Delete("a", Some("null")), "null"),
        no(Get("a", version("null")), "NoSuchVersion"),
        is(Delete("a", Some("first")), ""),
        is(Versions, "true"),
        is(Version("Suspended"), ""),
        is(Put("a", "third", Nothing), "\" -"),
    ];
    check(&rows, native, |config| Client::new(config), by_sdk).await;
}

fn native(store: &Store, known: &mut Known, request: &Do) -> Answer {
    by_library(store, known, request).map_err(|error| match request {
        // An answer to HEAD has no body: what is left of a refusal is its status.
        Do::Head(_) if error.status() == 404 => Refused::new("NotFound", ""),
        _ => Refused::new(error.code(), &error),
    })
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().copied().collect()
}

fn by_library(store: &Store, known: &mut Known, request: &Do) -> Result<String, Error> {
    let buckets = store.buckets();
    let nothing = String::new();
    let photos = || buckets.bucket("photos");
    Ok(match *request {
        Do::Create(name) => buckets.create(name).map(|_| nothing)?,
        Do::DeleteBucket(name) => buckets.delete(name).map(|()| nothing)?,
        Do::Buckets => list(buckets.list(&ListBuckets::default())?.buckets.iter().map(|bucket| &bucket.name)),
        Do::Put(key, body, unless) => {
            let put = PutObject::new(key);
            let put = match unless {
                Unless::Nothing => put,
                Unless::There => put.if_none_match(),
                Unless::Changed(etag) => put.if_match(etag),
            };
            let done = photos()?.put_object(put, body)?;
            // Of the version that has none the service does not say so.
            let version = done.version_id.map(|id| id.to_string()).filter(|id| id != "null");
            known.keep(body, version.clone().unwrap_or_default());
            told([Some(done.etag.to_string()), version])
        }
        Do::PutInto(bucket, key) => buckets.bucket(bucket)?.put(key, "").map(|_| nothing)?,
        Do::Get(key, when) => {
            let mut get = GetObject::new(key);
            get.version_id = when.version.map(|version| known.get(version).to_owned());
            get.range = when.range.map(str::to_owned);
            get.part_number = when.part;
            get.conditions.if_match = when.matches.map(str::to_owned);
            get.conditions.if_none_match = when.none_matches.map(str::to_owned);
            let got = photos()?.get_object(get)?;
            let body = String::from_utf8(got.body.bytes()?.into()).unwrap();
            told([
                Some(body),
                got.content_range.map(|range| range.to_string()),
                Some(got.info.etag.to_string()),
            ])
        }
        Do::GetFrom(bucket, key) => buckets.bucket(bucket)?.get(key).map(|_| nothing)?,
        Do::Head(key) => {
            let found = photos()?.head(key)?;
            format!("{} {}", found.content_length, found.info.etag)
        }
        Do::Delete(key, version) => {
            let mut delete = DeleteObject::new(key);
            delete.version_id = version.map(|version| known.get(version).to_owned());
            let gone = photos()?.delete_object(&delete)?;
            told([gone.delete_marker.then(|| "true".to_owned()), gone.version_id.map(|id| id.to_string())])
        }
        Do::DeleteAll(keys) => {
            let requests: Vec<_> = keys.iter().map(|key| DeleteObject::new(*key)).collect();
            for gone in photos()?.delete_many(&requests)? {
                gone?;
            }
            let mut keys = keys.to_vec();
            keys.sort_unstable();
            list(keys)
        }
        Do::Copy(from, to) => {
            let done = photos()?.copy(CopyObject::new(to, CopySource::new("photos", from)))?;
            done.etag.to_string()
        }
        Do::List(page) => {
            let mut request = ListObjects::new();
            request.prefix = page.prefix.map(str::to_owned);
            request.delimiter = page.delimiter.map(str::to_owned);
            request.start_after = page.after.map(str::to_owned);
            request.max_keys = page.max;
            let found = photos()?.list(&request)?;
            let keys = list(found.objects.iter().map(|object| format!("{} {}", object.key, object.size)));
            format!("{keys}; {}; {}", list(found.common_prefixes), found.is_truncated)
        }
        Do::ListOf(bucket) => buckets.bucket(bucket)?.list(&ListObjects::new()).map(|_| nothing)?,
        Do::Version(status) => {
            let status = if status == "Enabled" { Versioning::Enabled } else { Versioning::Suspended };
            photos()?.set_versioning(status).map(|()| nothing)?
        }
        Do::Versions => {
            let found = photos()?.list_versions(&ListVersions::default())?;
            list(found.versions.iter().map(|version| {
                let (id, is_marker) = (version.version_id, version.object.is_none());
                format!("{} {id} {} {is_marker}", version.key, version.is_latest)
            }))
        }
        Do::Tag(key, pairs) => photos()?.set_tagging(key, None, tags(pairs)).map(|_| nothing)?,
        Do::Tags(key) => {
            let found = photos()?.tagging(key, None)?;
            list(found.tags.iter().map(|(key, value)| format!("{key}={value}")))
        }
        Do::TagBucket(pairs) => photos()?.set_bucket_tags(tags(pairs)).map(|()| nothing)?,
        Do::BucketTags => list(photos()?.bucket_tags()?.iter().map(|(key, value)| format!("{key}={value}"))),
        Do::Upload(key) => {
            let upload = photos()?.create_upload(CreateUpload::new(key))?;
            known.keep(key, upload.upload_id.to_string());
            nothing
        }
        Do::Part(key, number, fill, len) => {
            let upload = UploadPart::new(key, known.get(key), number);
            let etag = photos()?.upload_part(upload, vec![fill; len])?.etag.to_string();
            known.keep(number.to_string(), &*etag);
            etag
        }
        Do::Parts(key) => {
            let found = photos()?.list_parts(&ListParts::new(key, known.get(key)))?;
            list(found.parts.iter().map(|part| format!("{} {} {}", part.part_number, part.size, part.etag)))
        }
        Do::Complete(key, parts) => {
            let complete = CompleteUpload::new(key, known.get(key));
            let complete = parts
                .iter()
                .fold(complete, |complete, number| complete.part(*number, known.get(&number.to_string())));
            photos()?.complete_upload(&complete)?.etag.to_string()
        }
        Do::Abort(key) => photos()?.abort_upload(key, known.get(key)).map(|()| nothing)?,
    })
}

fn tagging(pairs: &[(&str, &str)]) -> sdk::Tagging {
    let set = pairs.iter().map(|(key, value)| sdk::Tag::builder().key(*key).value(*value).build().unwrap());
    sdk::Tagging::builder().set_tag_set(Some(set.collect())).build().unwrap()
}

fn pairs(tags: &[sdk::Tag]) -> String {
    list(tags.iter().map(|tag| format!("{}={}", tag.key(), tag.value())))
}

async fn by_sdk(s3: &Client, known: &mut Known, request: &Do) -> Answer {
    let nothing = String::new();
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let int = |number: u32| i32::try_from(number).unwrap();
    Ok(match *request {
        Do::Create(name) => answer!(s3.create_bucket().bucket(name)).map(|_| nothing)?,
        Do::DeleteBucket(name) => answer!(s3.delete_bucket().bucket(name)).map(|_| nothing)?,
        Do::Buckets => {
            let found = answer!(s3.list_buckets())?;
            assert!(found.request_id().is_some());
            list(found.buckets().iter().map(|bucket| bucket.name().unwrap()))
        }
        Do::Put(key, body, unless) => {
            let put =
                s3.put_object().bucket("photos").key(key).body(ByteStream::from_static(body.as_bytes()));
            let done = answer!(match unless {
                Unless::Nothing => put,
                Unless::There => put.if_none_match("*"),
                Unless::Changed(etag) => put.if_match(etag),
            })?;
            known.keep(body, done.version_id().unwrap_or_default());
            told([done.e_tag, done.version_id])
        }
        Do::PutInto(bucket, key) => {
            let put = s3.put_object().bucket(bucket).key(key).body(ByteStream::from_static(b""));
            answer!(put).map(|_| nothing)?
        }
        Do::Get(key, when) => {
            let get = s3.get_object().bucket("photos").key(key).set_range(owned(when.range));
            let get = get.set_if_match(owned(when.matches)).set_if_none_match(owned(when.none_matches));
            let get = get.set_version_id(when.version.map(|version| known.get(version).to_owned()));
            let got = answer!(get.set_part_number(when.part.map(int)))?;
            let body = String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap();
            told([Some(body), got.content_range, got.e_tag])
        }
        Do::GetFrom(bucket, key) => answer!(s3.get_object().bucket(bucket).key(key)).map(|_| nothing)?,
        Do::Head(key) => {
            let found = answer!(s3.head_object().bucket("photos").key(key))?;
            format!("{} {}", found.content_length().unwrap(), found.e_tag().unwrap())
        }
        Do::Delete(key, version) => {
            let delete = s3.delete_object().bucket("photos").key(key);
            let version = version.map(|version| known.get(version).to_owned());
            let gone = answer!(delete.set_version_id(version))?;
            told([gone.delete_marker().filter(|marker| *marker).map(|_| "true".to_owned()), gone.version_id])
        }
        Do::DeleteAll(keys) => {
            let objects = keys.iter().map(|key| sdk::ObjectIdentifier::builder().key(*key).build().unwrap());
            let delete = sdk::Delete::builder().set_objects(Some(objects.collect())).build().unwrap();
            let gone = answer!(s3.delete_objects().bucket("photos").delete(delete))?;
            assert!(gone.errors().is_empty());
            let mut keys: Vec<_> = gone.deleted().iter().map(|gone| gone.key().unwrap()).collect();
            keys.sort_unstable();
            list(keys)
        }
        Do::Copy(from, to) => {
            let copy = s3.copy_object().bucket("photos").key(to).copy_source(format!("photos/{from}"));
            answer!(copy)?.copy_object_result.unwrap().e_tag.unwrap()
        }
        Do::List(page) => {
            let list_them = s3.list_objects_v2().bucket("photos").set_prefix(owned(page.prefix));
            let list_them = list_them.set_delimiter(owned(page.delimiter)).set_start_after(owned(page.after));
            let found = answer!(list_them.set_max_keys(page.max.map(int)))?;
            let keys = found.contents().iter();
            let keys =
                list(keys.map(|object| format!("{} {}", object.key().unwrap(), object.size().unwrap())));
            let prefixes = list(found.common_prefixes().iter().map(|common| common.prefix().unwrap()));
            format!("{keys}; {prefixes}; {}", found.is_truncated().unwrap())
        }
        Do::ListOf(bucket) => answer!(s3.list_objects_v2().bucket(bucket)).map(|_| nothing)?,
        Do::Version(status) => {
            let versioning = sdk::VersioningConfiguration::builder();
            let versioning = versioning.status(sdk::BucketVersioningStatus::from(status)).build();
            let put = s3.put_bucket_versioning().bucket("photos").versioning_configuration(versioning);
            answer!(put).map(|_| nothing)?
        }
        Do::Versions => {
            let found = answer!(s3.list_object_versions().bucket("photos"))?;
            let versions = found.versions().iter().map(|version| {
                (version.key().unwrap(), version.version_id().unwrap(), version.is_latest().unwrap(), false)
            });
            let markers = found.delete_markers().iter().map(|marker| {
                (marker.key().unwrap(), marker.version_id().unwrap(), marker.is_latest().unwrap(), true)
            });
            // The SDK has them apart; markers are the newest of their keys here.
            let mut all: Vec<_> = markers.chain(versions).collect();
            all.sort_by_key(|(key, ..)| key.to_string());
            list(all.iter().map(|(key, id, latest, marker)| format!("{key} {id} {latest} {marker}")))
        }
        Do::Tag(key, pairs) => {
            let put = s3.put_object_tagging().bucket("photos").key(key).tagging(tagging(pairs));
            answer!(put).map(|_| nothing)?
        }
        Do::Tags(key) => pairs(answer!(s3.get_object_tagging().bucket("photos").key(key))?.tag_set()),
        Do::TagBucket(pairs) => {
            let put = s3.put_bucket_tagging().bucket("photos").tagging(tagging(pairs));
            answer!(put).map(|_| nothing)?
        }
        Do::BucketTags => pairs(answer!(s3.get_bucket_tagging().bucket("photos"))?.tag_set()),
        Do::Upload(key) => {
            let upload = answer!(s3.create_multipart_upload().bucket("photos").key(key))?;
            known.keep(key, upload.upload_id().unwrap());
            nothing
        }
        Do::Part(key, number, fill, len) => {
            let part = s3.upload_part().bucket("photos").key(key).upload_id(known.get(key));
            let part = part.part_number(int(number)).body(ByteStream::from(vec![fill; len]));
            let etag = answer!(part)?.e_tag.unwrap();
            known.keep(number.to_string(), &*etag);
            etag
        }
        Do::Parts(key) => {
            let found = answer!(s3.list_parts().bucket("photos").key(key).upload_id(known.get(key)))?;
            list(found.parts().iter().map(|part| {
                let (number, size) = (part.part_number().unwrap(), part.size().unwrap());
                format!("{number} {size} {}", part.e_tag().unwrap())
            }))
        }
        Do::Complete(key, parts) => {
            let parts = parts.iter().map(|number| {
                let etag = known.get(&number.to_string()).to_owned();
                sdk::CompletedPart::builder().part_number(int(*number)).e_tag(etag).build()
            });
            let upload = sdk::CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
            let complete = s3.complete_multipart_upload().bucket("photos").key(key);
            let complete = complete.upload_id(known.get(key)).multipart_upload(upload);
            answer!(complete)?.e_tag.unwrap()
        }
        Do::Abort(key) => {
            let abort = s3.abort_multipart_upload().bucket("photos").key(key);
            answer!(abort.upload_id(known.get(key))).map(|_| nothing)?
        }
    })
}
