//! Answers in detail: which elements and headers there are, and which are not.

use super::*;

/// The names of the elements right within the root of a document, in order.
fn names(text: &str) -> Vec<String> {
    let (mut depth, mut names) = (0, Vec::new());
    for piece in text.split('<').skip(1).filter(|piece| !piece.starts_with('?')) {
        let name = piece.split(['>', ' ']).next().unwrap();
        if name.starts_with('/') {
            depth -= 1;
            continue;
        }
        if depth == 1 {
            names.push(name.to_owned());
        }
        depth += 1;
    }
    names
}

/// What a refusal has besides its code and message.
fn details(answer: &Response<Bytes>) -> Vec<(String, String)> {
    let common = ["Code", "Message", "RequestId", "HostId"];
    let names = names(text(answer)).into_iter().filter(|name| !common.contains(&&**name));
    names.map(|name| (name.clone(), element(text(answer), &name).to_owned())).collect()
}

fn check(answer: &Response<Bytes>, code: &str, message: &str, expected: &[(&str, &str)]) {
    let found = details(answer);
    let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!((element(text(answer), "Code"), element(text(answer), "Message")), (code, message));
    assert_eq!(found, expected, "{code}");
}

fn begin(face: &Face, key: &str, headers: &[(&str, &str)]) -> String {
    let begun = face.send("POST", &format!("/photos/{key}?uploads"), headers, "");
    element(text(&begun), "UploadId").to_owned()
}

/// Completes an upload of one part, whose element has this besides.
fn complete(face: &Face, key: &str, id: &str, besides: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    let etag = "\"5d41402abc4b2a76b9719d911017c592\"";
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>{besides}</Part>");
    let document = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
    face.send("POST", &format!("/photos/{key}?uploadId={id}"), headers, &document)
}

#[test]
fn an_upload_without_a_checksum_speaks_of_none() {
    let face = Face::new();
    let id = begin(&face, "k", &[]);
    let list = face.get("/photos?uploads");
    assert_eq!(
        names(&list),
        [
            "Bucket",
            "KeyMarker",
            "UploadIdMarker",
            "NextKeyMarker",
            "NextUploadIdMarker",
            "MaxUploads",
            "IsTruncated",
            "Upload"
        ]
    );
    assert_eq!((element(&list, "NextKeyMarker"), element(&list, "NextUploadIdMarker")), ("k", &*id));
    assert!(!list.contains("Checksum"), "{list}");
    let crc32 = [("x-amz-checksum-crc32", "NhCmhg==")];
    let part = face.send("PUT", &format!("/photos/k?uploadId={id}&partNumber=1"), &crc32, "hello");
    assert_eq!(header(&part, "x-amz-checksum-crc32"), "NhCmhg==", "whatever was sent is said");
    assert_eq!(header(&part, "x-amz-checksum-crc64nvme"), "");
    let parts = face.get(&format!("/photos/k?uploadId={id}"));
    assert!(!parts.contains("Checksum"), "{parts}");
    assert_eq!(element(&parts, "NextPartNumberMarker"), "1");
    let beyond = face.get(&format!("/photos/k?uploadId={id}&part-number-marker=10"));
    assert_eq!((element(&beyond, "PartNumberMarker"), element(&beyond, "NextPartNumberMarker")), ("10", "0"));
    let with = complete(&face, "k", &id, "<ChecksumCRC32>NhCmhg==</ChecksumCRC32>", &[]);
    let expected = [("ETag", "5d41402abc4b2a76b9719d911017c592"), ("PartNumber", "1"), ("UploadId", &*id)];
    assert_eq!(details(&with), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let typed = complete(&face, "k", &id, "", &[("x-amz-checksum-type", "FULL_OBJECT")]);
    let message = "The upload was created using the null checksum mode. The complete request must use the same checksum mode.";
    check(&typed, "InvalidRequest", message, &[]);
    let done = complete(&face, "k", &id, "", &[]);
    assert_eq!(
        names(text(&done)),
        ["Location", "Bucket", "Key", "ETag", "ChecksumCRC64NVME", "ChecksumType"]
    );
}

#[test]
fn a_composite_checksum_and_those_of_parts() {
    let face = Face::new();
    let id = begin(&face, "k", &[("x-amz-checksum-algorithm", "CRC32")]);
    let path = format!("/photos/k?uploadId={id}&partNumber=1");
    let message =
        "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: null";
    check(&face.send("PUT", &path, &[], "hello"), "InvalidRequest", message, &[]);
    face.send("PUT", &path, &[("x-amz-checksum-crc32", "NhCmhg==")], "hello");
    let both = "<ChecksumCRC32>NhCmhg==</ChecksumCRC32><ChecksumCRC32C>mnG7TA==</ChecksumCRC32C>";
    check(
        &complete(&face, "k", &id, both, &[]),
        "InvalidArgument",
        "Invalid Base64 or multiple checksums present in request",
        &[("ArgumentName", "Checksum"), ("ArgumentValue", "mnG7TA==")],
    );
    let done = complete(&face, "k", &id, "<ChecksumCRC32>NhCmhg==</ChecksumCRC32>", &[]);
    let composite = element(text(&done), "ChecksumCRC32");
    let value = composite.strip_suffix("-1").expect("a number of parts");
    let wanted = [("x-amz-object-attributes", "Checksum,ObjectParts")];
    let attributes = face.send("GET", "/photos/k?attributes", &wanted, "");
    assert_eq!(element(text(&attributes), "ChecksumCRC32"), value, "{}", text(&attributes));
    let mode = [("x-amz-checksum-mode", "ENABLED")];
    let part = face.send("GET", "/photos/k?partNumber=1", &mode, "");
    assert_eq!(part.status(), 206);
    for (name, value) in [
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-checksum-type", "COMPOSITE"),
        ("x-amz-mp-parts-count", "1"),
        ("content-range", "bytes 0-4/5"),
    ] {
        assert_eq!(header(&part, name), value, "{name}");
    }
    assert_eq!(header(&face.send("GET", "/photos/k", &mode, ""), "x-amz-checksum-crc32"), composite);
    let copy = face.send("PUT", "/photos/c", &[("x-amz-copy-source", "/photos/k")], "");
    assert_eq!(names(text(&copy)), ["LastModified", "ETag", "ChecksumCRC32"]);
    assert_eq!(element(text(&copy), "ChecksumCRC32"), "NhCmhg==");
}

#[test]
fn pages_of_uploads() {
    let face = Face::new();
    let ids = ["a/1", "b", "c"].map(|key| begin(&face, key, &[]));
    let page = face.get("/photos?uploads&max-uploads=1&delimiter=/");
    assert_eq!(
        (
            element(&page, "NextKeyMarker"),
            element(&page, "NextUploadIdMarker"),
            element(&page, "IsTruncated")
        ),
        ("", "", "true"),
        "a page of prefixes names no upload"
    );
    let page = face.get(&format!("/photos?uploads&upload-id-marker={}", ids[1]));
    assert_eq!(element(&page, "UploadIdMarker"), "", "it means nothing without a key");
    assert!(page.contains("<Key>a/1</Key>"), "{page}");
    let page = face.get(&format!("/photos?uploads&key-marker=b&upload-id-marker={}", ids[1]));
    assert_eq!((element(&page, "UploadIdMarker"), element(&page, "Key")), (&*ids[1], "c"));
    for wrong in [&*ids[2], "x"] {
        let refused =
            face.send("GET", &format!("/photos?uploads&key-marker=b&upload-id-marker={wrong}"), &[], "");
        let expected = [("ArgumentName", "upload-id-marker"), ("ArgumentValue", wrong)];
        check(&refused, "InvalidArgument", "Invalid uploadId marker", &expected);
    }
}

#[test]
fn conditions_of_an_object_that_changed_meanwhile() {
    let face = Face::new();
    let message =
        "The conditional request cannot succeed due to a conflicting operation against this resource.";
    let part = |id: &str| {
        face.send("PUT", &format!("/photos/k?uploadId={id}&partNumber=1"), &[], "hello");
    };
    let etag = header(&face.send("PUT", "/photos/k", &[], "1"), "etag").to_owned();
    let id = begin(&face, "k", &[]);
    part(&id);
    face.clock.advance(std::time::Duration::from_secs(1));
    face.send("PUT", "/photos/k", &[], "1");
    let refused = complete(&face, "k", &id, "", &[("if-match", "\"x\"")]);
    assert_eq!(refusal(&refused), ("PreconditionFailed", 412));
    let refused = complete(&face, "k", &id, "", &[("if-match", &etag)]);
    check(&refused, "ConditionalRequestConflict", message, &[("Condition", "If-Match"), ("Key", "k")]);
    assert_eq!(refused.status(), 409);
    let again = begin(&face, "k", &[]);
    part(&again);
    assert_eq!(complete(&face, "k", &again, "", &[("if-match", &etag)]).status(), 200);

    let id = begin(&face, "k", &[]);
    part(&id);
    let none = [("if-none-match", "*")];
    assert_eq!(refusal(&complete(&face, "k", &id, "", &none)), ("PreconditionFailed", 412));
    face.send("DELETE", "/photos/k", &[], "");
    let refused = complete(&face, "k", &id, "", &none);
    check(&refused, "ConditionalRequestConflict", message, &[("Condition", "If-None-Match"), ("Key", "k")]);
    let again = begin(&face, "k", &[]);
    part(&again);
    assert_eq!(complete(&face, "k", &again, "", &none).status(), 200);
}

#[test]
fn versions_that_are_null_are_not_named_by_who_writes_them() {
    let face = Face::new();
    let status = |status: &str| {
        let document =
            format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        face.send("PUT", "/photos?versioning", &[], &document);
    };
    let version = |answer: &Response<Bytes>| header(answer, "x-amz-version-id").to_owned();
    status("Suspended");
    assert_eq!(version(&face.send("PUT", "/photos/k", &[], "1")), "");
    assert_eq!(version(&face.send("GET", "/photos/k", &[], "")), "null");
    let copy = face.send("PUT", "/photos/c", &[("x-amz-copy-source", "/photos/k")], "");
    assert_eq!((&*version(&copy), header(&copy, "x-amz-copy-source-version-id")), ("null", ""));
    let deleted = face.send("DELETE", "/photos/k", &[], "");
    assert_eq!((&*version(&deleted), header(&deleted, "x-amz-delete-marker")), ("null", "true"));
    status("Enabled");
    let id = version(&face.send("PUT", "/photos/k", &[], "1"));
    assert_eq!(id.len(), 32);
    let copy = face.send("PUT", "/photos/c", &[("x-amz-copy-source", "/photos/k")], "");
    assert_eq!(header(&copy, "x-amz-copy-source-version-id"), id);
    face.send("DELETE", "/photos/k", &[], "");
    let acl = face.send("PUT", "/photos/k?acl", &[("x-amz-acl", "private")], "");
    check(
        &acl,
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
        &[("Method", "PUT"), ("ResourceType", "DeleteMarker")],
    );
    let many = "<Delete><Object><Key>k</Key><VersionId>no-such-id</VersionId></Object></Delete>";
    let many = face.delete_many(many);
    assert_eq!(element(text(&many), "Code"), "NoSuchVersion", "{}", text(&many));
    let one = face.send("DELETE", "/photos/k?versionId=no-such-id", &[], "");
    let expected = [("ArgumentName", "versionId"), ("ArgumentValue", "no-such-id")];
    check(&one, "InvalidArgument", "Invalid version id specified", &expected);
}

#[test]
fn arguments_by_their_names() {
    let face = Face::new();
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        face.send(method, path, headers, body)
    };
    let invalid = |answer: Response<Bytes>, message: &str, expected: &[(&str, &str)]| {
        check(&answer, "InvalidArgument", message, expected);
    };
    let token = send("GET", "/photos?list-type=2&continuation-token=", &[], "");
    let expected = [("ArgumentName", "continuation-token")];
    invalid(token, "The continuation token provided is incorrect", &expected);
    for (header, argument, message) in [
        ("id=\"wrong-id\"", "id", "Invalid id"),
        ("uri=\"http://no/group\"", "uri", "Invalid group uri"),
        ("fakekey=\"1234\"", "x-amz-grant-write", "Argument format not recognized"),
    ] {
        let value = header.split('"').nth(1).unwrap();
        let value = if argument.starts_with("x-") { header } else { value };
        let value = value.replace('"', "&quot;");
        let answer = send("PUT", "/photos?acl", &[("x-amz-grant-write", header)], "");
        invalid(answer, message, &[("ArgumentName", argument), ("ArgumentValue", &value)]);
    }
    let ownership = send("PUT", "/letters", &[("x-amz-object-ownership", "Mine")], "");
    let expected = [("ArgumentName", "x-amz-object-ownership")];
    invalid(ownership, "Invalid x-amz-object-ownership header: Mine", &expected);
    let source = send("PUT", "/photos/k", &[("x-amz-copy-source", "nokey")], "");
    let expected = [("ArgumentName", "x-amz-copy-source"), ("ArgumentValue", "x-amz-copy-source")];
    invalid(source, "Invalid copy source object key", &expected);
    let tags = send("PUT", "/photos/k", &[("x-amz-tagging", "key1=val1,key2=val2")], "");
    let rule = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag \
                name duplicates.";
    let expected = [("ArgumentName", "x-amz-tagging"), ("ArgumentValue", "key1=val1,key2=val2")];
    invalid(tags, rule, &expected);
    let queue = "<NotificationConfiguration><QueueConfiguration><Queue>no-arn</Queue><Event>s3:ObjectCreated:*</Event>\
                 </QueueConfiguration></NotificationConfiguration>";
    for name in ["Queue", "Topic", "CloudFunction"] {
        let document = queue.replace("Queue>", &format!("{name}>")).replace("QueueC", &format!("{name}C"));
        let answer = send("PUT", "/photos?notification", &[], &document);
        let expected = [("ArgumentName", name), ("ArgumentValue", "no-arn")];
        invalid(answer, "The ARN could not be parsed", &expected);
    }
}

#[test]
fn tags_that_cannot_be() {
    let face = Face::new();
    face.send("PUT", "/photos/k", &[], "");
    let document = |key: &str, value: &str| {
        format!("<Tagging><TagSet><Tag><Key>{key}</Key><Value>{value}</Value></Tag></TagSet></Tagging>")
    };
    let put = |path: &str, key: &str, value: &str| face.send("PUT", path, &[], &document(key, value));
    let (key, value) =
        ("The TagKey you have provided is invalid", "The TagValue you have provided is invalid");
    for path in ["/photos?tagging", "/photos/k?tagging"] {
        check(&put(path, "a,b", "c"), "InvalidTag", key, &[("TagKey", "a,b")]);
        check(&put(path, "a", "b,c"), "InvalidTag", value, &[("TagKey", "a"), ("TagValue", "b,c")]);
    }
    let of_system = [("TagKey", "aws:a")];
    let message = "System tags cannot be added/updated by requester";
    check(&put("/photos?tagging", "aws:a", ""), "InvalidTag", message, &of_system);
    let message = "Your TagKey cannot be prefixed with aws:";
    check(&put("/photos/k?tagging", "aws:a", ""), "InvalidTag", message, &of_system);
    let none = face.send("GET", "/photos/none?tagging", &[], "");
    check(&none, "NoSuchKey", "The specified key does not exist.", &[("Key", "photos/none")]);
    let none = put("/photos/none?tagging", "a", "b");
    check(&none, "NoSuchKey", "The specified key does not exist.", &[("Key", "none")]);
}

#[test]
fn preflights_that_are_refused() {
    let face = Face::new();
    let ask = |path: &str, headers: &[(&str, &str)]| face.unsigned("OPTIONS", path, headers, "");
    let bare = ask("/photos/k", &[]);
    check(&bare, "BadRequest", "Insufficient information. Origin request header needed.", &[]);
    let origin = ("origin", "https://a");
    let expected = [("Method", "OPTIONS"), ("ResourceType", "BUCKET")];
    check(&ask("/nowhere", &[origin]), "AccessForbidden", "CORSResponse: Bucket not found", &expected);
    let message = "CORSResponse: CORS is not enabled for this bucket.";
    check(&ask("/photos", &[origin]), "AccessForbidden", message, &expected);
    let put = [origin, ("access-control-request-method", "PUT")];
    let expected = [("Method", "PUT"), ("ResourceType", "BUCKET")];
    check(&ask("/photos/k", &put), "AccessForbidden", message, &expected);
    let rules = "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>";
    face.send("PUT", "/photos?cors", &[], rules);
    let refused = ask("/photos/k", &put);
    assert_eq!(element(text(&refused), "ResourceType"), "OBJECT", "{}", text(&refused));
}

#[test]
fn places_of_buckets() {
    let face = Face::new();
    let create = |location: &str| {
        let document = format!("<CreateBucketConfiguration>{location}</CreateBucketConfiguration>");
        face.send("PUT", "/other", &[], &document)
    };
    assert_eq!(header(&create(""), "location"), "/other");
    for location in ["us-east-1", "the moon"] {
        let refused = create(&format!("<LocationConstraint>{location}</LocationConstraint>"));
        let message = "The specified location-constraint is not valid";
        check(&refused, "InvalidLocationConstraint", message, &[("LocationConstraint", location)]);
    }
    assert_eq!(header(&create("<LocationConstraint/>"), "location"), "/other");
    // The region of the signature is the endpoint that is asked.
    let west =
        "AWS4-HMAC-SHA256 Credential=a/20250101/us-west-2/s3/aws4_request, SignedHeaders=host, Signature=0";
    let from_west = |constraint: &str| {
        let document = format!("<CreateBucketConfiguration>{constraint}</CreateBucketConfiguration>");
        face.unsigned(
            "PUT",
            "/west",
            &[("authorization", west), ("x-amz-date", "20250101T000000Z")],
            &document,
        )
    };
    for (constraint, name) in
        [("", "unspecified"), ("<LocationConstraint>us-east-1</LocationConstraint>", "us-east-1")]
    {
        let message = format!(
            "The {name} location constraint is incompatible for the region specific endpoint this request was sent to."
        );
        check(&from_west(constraint), "IllegalLocationConstraintException", &message, &[]);
    }
    assert_eq!(from_west("<LocationConstraint>us-west-2</LocationConstraint>").status(), 200);
    assert_eq!(header(&face.send("HEAD", "/west", &[], ""), "x-amz-bucket-region"), "us-west-2");
    let plain = face.send("DELETE", "/photos?website", &[], "");
    assert_eq!(plain.status(), 204, "nothing was set, so nothing is there now");
    let post = face.send("POST", "/photos", &[("content-type", "text/plain")], "");
    check(
        &post,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        &[("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")],
    );
}
