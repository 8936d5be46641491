//! What stands in front of a bucket keeps beside objects, and checksums that come behind the data of a part.

use crate::objects::{bucket, code, read, versioned};
use fourfold::objects::{
    Checksum, ChecksumAlgorithm, ChecksumHasher, CompleteUpload, CopyObject, CopySource, CreateUpload,
    GetObject, Metadata, PutObject, UploadPart,
};

fn with_attributes(attributes: &[(&str, &str)]) -> PutObject {
    let mut request = PutObject::new("a");
    let pairs = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    request.metadata.attributes = pairs.collect();
    request
}

fn attribute(metadata: &Metadata, name: &str) -> Option<String> {
    metadata.attribute(name).map(str::to_owned)
}

#[test]
fn attributes_are_kept_and_not_copied() {
    let bucket = bucket();
    bucket.put_object(with_attributes(&[("acl", "mine"), ("sse", "x")]), "hello").unwrap();
    let known = bucket.head("a").unwrap().info.metadata;
    assert_eq!((attribute(&known, "acl").as_deref(), attribute(&known, "none")), (Some("mine"), None));
    assert!(known.user.is_empty());
    let mut copy = CopyObject::new("b", CopySource::new("bucket", "a"));
    copy.attributes = vec![("acl".to_owned(), "other".to_owned())];
    bucket.copy(copy).unwrap();
    let copied = bucket.head("b").unwrap().info.metadata;
    assert_eq!(copied.attributes, [("acl".to_owned(), "other".to_owned())]);
    let mut itself = CopyObject::new("a", CopySource::new("bucket", "a"));
    assert_eq!(code(bucket.copy(itself.clone())), "InvalidRequest");
    itself.changes_encryption = true;
    bucket.copy(itself).unwrap();
    assert!(bucket.head("a").unwrap().info.metadata.attributes.is_empty());
}

#[test]
fn attributes_change_and_the_version_stays() {
    let bucket = versioned();
    let first = bucket.put_object(with_attributes(&[("acl", "1")]), "hello").unwrap().version_id.unwrap();
    bucket.put("a", "newer").unwrap();
    let id = first.to_string();
    assert_eq!(bucket.set_attribute("a", Some(&id), "acl", Some("2")).unwrap(), Some(first));
    let of_first = || bucket.head_object(&GetObject::new("a").version(first)).unwrap().info;
    assert_eq!(attribute(&of_first().metadata, "acl").as_deref(), Some("2"));
    assert_eq!(bucket.head("a").unwrap().info.metadata.attributes, []);
    bucket.set_attribute("a", Some(&id), "acl", None).unwrap();
    assert_eq!(of_first().metadata.attributes, []);
    assert_eq!(read(&bucket, "a"), b"newer");
    assert_eq!(code(bucket.set_attribute("none", None, "acl", None)), "NoSuchKey");
    let long = "x".repeat(65 << 10);
    assert_eq!(code(bucket.set_attribute("a", None, "acl", Some(&long))), "InvalidRequest");
    assert_eq!(code(bucket.put_object(with_attributes(&[("acl", &long)]), "x")), "InvalidRequest");
}

#[test]
fn a_part_may_have_another_checksum_behind_its_data() {
    let bucket = bucket();
    let mut create = CreateUpload::new("a");
    create.metadata.attributes = vec![("sse".to_owned(), "x".to_owned())];
    let id = bucket.create_upload(create).unwrap().upload_id;
    assert_eq!(bucket.upload_metadata("a", &id.to_string()).unwrap().attribute("sse"), Some("x"));
    assert_eq!(code(bucket.upload_metadata("b", &id.to_string())), "NoSuchUpload");
    let upload = |checksum: Checksum| {
        let mut request = UploadPart::new("a", id, 1);
        request.checksum_algorithm = Some(checksum.algorithm());
        let mut writer = bucket.part_writer(request)?;
        writer.write("hello")?;
        writer.expect_checksum(checksum);
        writer.finish()
    };
    let right = ChecksumHasher::digest(ChecksumAlgorithm::Sha1, b"hello");
    let wrong = ChecksumHasher::digest(ChecksumAlgorithm::Sha1, b"other");
    assert_eq!(code(upload(wrong)), "BadDigest");
    let part = upload(right).unwrap();
    bucket.complete_upload(&CompleteUpload::new("a", id).part(1, part.etag)).unwrap();
    assert_eq!(read(&bucket, "a"), b"hello");
}
