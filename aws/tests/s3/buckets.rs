//! Buckets, what is set of them, and lists.

use super::*;

#[test]
fn buckets_and_their_lists() {
    let face = Face::new();
    let created = face.send("PUT", "/letters", &[], "");
    assert_eq!(header(&created, "location"), "/letters");
    let list = face.get("/");
    let buckets = "<Bucket><Name>letters</Name><CreationDate>2025-01-01T00:00:00.000Z</CreationDate></Bucket><Bucket><Name>photos";
    assert!(list.contains(buckets), "{list}");
    assert!(list.starts_with(&format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListAllMyBucketsResult {XMLNS}>"
    )));
    assert_eq!(
        face.get("/photos?location").split_once('\n').unwrap().1,
        format!("<LocationConstraint {XMLNS}></LocationConstraint>")
    );
    assert_eq!(header(&face.send("HEAD", "/photos", &[], ""), "x-amz-bucket-region"), "us-east-1");
    face.send("PUT", "/letters/k", &[], "");
    assert_eq!(refusal(&face.send("DELETE", "/letters", &[], "")), ("BucketNotEmpty", 409));
    face.send("DELETE", "/letters/k", &[], "");
    assert_eq!(face.send("DELETE", "/letters", &[], "").status(), 204);
    assert_eq!(refusal(&face.send("PUT", "/No_Bucket", &[], "")), ("InvalidBucketName", 400));
    let elsewhere = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    assert_eq!(face.send("PUT", "/other", &[], elsewhere).status(), 200);
    assert_eq!(header(&face.send("HEAD", "/other", &[], ""), "x-amz-bucket-region"), "eu-west-1");
    assert!(face.get("/other?location").ends_with(">eu-west-1</LocationConstraint>"));
    let there = face.get("/?bucket-region=eu-west-1");
    assert!(there.contains("<Name>other</Name>") && !there.contains("<Name>photos</Name>"), "{there}");
    assert!(there.contains("<BucketRegion>eu-west-1</BucketRegion>"), "{there}");
    assert_eq!(refusal(&face.send("GET", "/?bucket-region=x", &[], "")), ("InvalidArgument", 400));
    assert_eq!(refusal(&face.send("PUT", "/another", &[], "<x/>")), ("MalformedXML", 400));
    assert_eq!(refusal(&face.send("POST", "/", &[], "")), ("MethodNotAllowed", 405));
}

#[test]
fn lists_of_objects() {
    let face = Face::new();
    for key in ["a/1", "a/2", "b%20c", "d%26"] {
        face.send("PUT", &format!("/photos/{key}"), &[], "");
    }
    let list = face.get("/photos?list-type=2&delimiter=/&max-keys=2&encoding-type=url");
    for (name, value) in [
        ("KeyCount", "2"),
        ("MaxKeys", "2"),
        ("IsTruncated", "true"),
        ("Key", "b%20c"),
        ("EncodingType", "url"),
    ] {
        assert_eq!(element(&list, name), value, "{list}");
    }
    assert!(list.contains("<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>"));
    assert!(!list.contains("<Owner>"));
    let token = element(&list, "NextContinuationToken");
    let rest = face.get(&format!("/photos?list-type=2&delimiter=/&continuation-token={token}"));
    assert_eq!((element(&rest, "Key"), element(&rest, "ContinuationToken")), ("d&amp;", token));
    let list = face.get("/photos?delimiter=/&max-keys=1");
    assert_eq!((element(&list, "NextMarker"), element(&list, "Marker")), ("a/", ""));
    assert!(list.contains("<Marker></Marker>"));
    assert_eq!(element(&face.get("/photos?marker=b%20c"), "Key"), "d&amp;");
    for bad in ["max-keys=x", "max-keys=-1", "encoding-type=x", "list-type=2&continuation-token="] {
        assert_eq!(
            refusal(&face.send("GET", &format!("/photos?{bad}"), &[], "")),
            ("InvalidArgument", 400),
            "{bad}"
        );
    }
}

#[test]
fn settings_are_shown_as_they_were_set() {
    let face = Face::new();
    let cases = [
        (
            "cors",
            "NoSuchCORSConfiguration",
            "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
            "<AllowedMethod>GET",
        ),
        (
            "tagging",
            "NoSuchTagSet",
            "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
            "<Key>a</Key><Value>1</Value>",
        ),
        (
            "encryption",
            "",
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
            "<SSEAlgorithm>AES256",
        ),
        (
            "ownershipControls",
            "OwnershipControlsNotFoundError",
            "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
            "<ObjectOwnership>ObjectWriter",
        ),
        (
            "publicAccessBlock",
            "NoSuchPublicAccessBlockConfiguration",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>TRUE</BlockPublicAcls></PublicAccessBlockConfiguration>",
            "<BlockPublicAcls>true",
        ),
    ];
    for (name, missing, document, shown) in cases {
        let path = format!("/photos?{name}");
        let before = face.send("GET", &path, &[], "");
        let has_default = ["encryption", "ownershipControls", "publicAccessBlock"].contains(&name);
        assert_eq!(refusal(&before), if has_default { ("", 200) } else { (missing, 404) }, "{name}");
        assert!(face.send("PUT", &path, &[], document).status().is_success(), "{name}");
        assert!(face.get(&path).contains(shown), "{}", face.get(&path));
        assert_eq!(refusal(&face.send("PUT", &path, &[], "<x></x>")), ("MalformedXML", 400), "{name}");
        assert_eq!(face.send("DELETE", &path, &[], "").status(), 204);
        // Encryption is then as it was; others have no default once they were deleted.
        let after = face.send("GET", &path, &[], "");
        if missing.is_empty() {
            assert_eq!(text(&after), text(&before));
        } else {
            assert_eq!(refusal(&after), (missing, 404));
        }
    }
    assert_eq!(
        face.get("/photos?versioning").split_once('\n').unwrap().1,
        format!("<VersioningConfiguration {XMLNS}></VersioningConfiguration>")
    );
}

#[test]
fn what_was_never_set_and_what_is_not_here() {
    let face = Face::new();
    for (name, code) in [
        ("website", "NoSuchWebsiteConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("policy", "NoSuchBucketPolicy"),
    ] {
        assert_eq!(refusal(&face.send("GET", &format!("/photos?{name}"), &[], "")), (code, 404));
    }
    for name in ["website", "replication", "logging", "accelerate", "inventory"] {
        assert_eq!(
            refusal(&face.send("PUT", &format!("/photos?{name}"), &[], "<x/>")),
            ("NotImplemented", 501),
            "{name}"
        );
    }
    assert_eq!(refusal(&face.send("POST", "/photos/k?restore", &[], "<x/>")), ("NoSuchKey", 404));
    face.send("PUT", "/photos/k", &[], "x");
    assert_eq!(refusal(&face.send("POST", "/photos/k?restore", &[], "<x/>")), ("InvalidObjectState", 403));
    assert_eq!(
        refusal(&face.send("POST", "/photos/k?select&select-type=2", &[], "<x/>")),
        ("MethodNotAllowed", 405)
    );
    assert_eq!(refusal(&face.send("GET", "/photos/k?torrent", &[], "")), ("NotImplemented", 501));
    let locked = face.send("PUT", "/photos/k", &[("x-amz-object-lock-legal-hold", "ON")], "x");
    assert_eq!(refusal(&locked), ("InvalidRequest", 400));
    assert_eq!(face.get("/photos/k"), "x");
}

#[test]
fn a_bucket_in_the_host() {
    let face = Face::empty(|router| router.domain("files.test"));
    face.send("PUT", "/photos", &[], "");
    for host in
        ["photos.s3.amazonaws.com", "photos.s3.localhost:4566", "photos.localhost", "photos.files.test"]
    {
        assert_eq!(face.send("PUT", "/a/k", &[("host", host)], host).status(), 200);
        assert_eq!(face.get("/photos/a/k"), host);
    }
}

#[test]
fn other_services_stay_where_they_are() {
    let face = Face::empty(|router| router);
    let hello = face.unsigned("GET", "/", &[], "");
    assert!(text(&hello).starts_with("healthy: 127.0.0.1:4566"));
    let queue = face.unsigned("GET", "/000000000000/jobs", &[], "");
    assert_eq!(text(&queue), "<UnknownOperationException/>\n");
    let query = face.unsigned("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", &[], "");
    assert!(text(&query).contains("GetCallerIdentityResult"));
}
