//! Objects: what is written is read, with all that is said of it.

use super::*;
use std::time::Duration;

#[test]
fn an_object_and_its_headers() {
    let face = Face::new();
    let headers = [
        ("content-type", "text/plain"),
        ("cache-control", "no-cache"),
        ("content-encoding", "aws-chunked,gzip"),
        ("x-amz-meta-Camera", "Pinhole"),
        ("x-amz-tagging", "a=1&b=2"),
        ("x-amz-storage-class", "STANDARD_IA"),
    ];
    let put = face.send("PUT", "/photos/a%20b", &headers, "hello");
    assert_eq!((put.status().as_u16(), header(&put, "etag")), (200, "\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(header(&put, "x-amz-server-side-encryption"), "AES256");
    assert_eq!(header(&put, "x-amz-request-id").len(), 16);
    assert_eq!(header(&put, "x-amz-id-2").len(), 76);
    for method in ["GET", "HEAD"] {
        let got = face.send(method, "/photos/a%20b", &[("x-amz-checksum-mode", "ENABLED")], "");
        assert_eq!((got.status().as_u16(), got.body().len()), (200, if method == "GET" { 5 } else { 0 }));
        let expected = [
            ("content-type", "text/plain"),
            ("cache-control", "no-cache"),
            ("content-encoding", "gzip"),
            ("x-amz-meta-camera", "Pinhole"),
            ("x-amz-tagging-count", "2"),
            ("x-amz-storage-class", "STANDARD_IA"),
            ("last-modified", "Wed, 01 Jan 2025 00:00:00 GMT"),
            ("accept-ranges", "bytes"),
            ("x-amz-checksum-crc64nvme", "M3eFcAZSQlc="),
            ("x-amz-checksum-type", "FULL_OBJECT"),
        ];
        for (name, value) in expected {
            assert_eq!(header(&got, name), value, "{name}");
        }
    }
    assert_eq!(header(&face.send("HEAD", "/photos/a%20b", &[], ""), "content-length"), "5");
}

#[test]
fn refusals_are_documents() {
    let face = Face::new();
    let got = face.send("GET", "/photos/none", &[], "");
    let ids = (header(&got, "x-amz-request-id"), header(&got, "x-amz-id-2"));
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not \
         exist.</Message><Key>none</Key><RequestId>{}</RequestId><HostId>{}</HostId></Error>",
        ids.0, ids.1
    );
    assert_eq!((got.status().as_u16(), text(&got)), (404, &*expected));
    assert_eq!(header(&got, "content-type"), "application/xml");
    let head = face.send("HEAD", "/photos/none", &[], "");
    assert_eq!((head.status().as_u16(), head.body().len()), (404, 0));
    let missing = face.send("GET", "/nowhere/k", &[], "");
    assert_eq!(
        (refusal(&missing), element(text(&missing), "BucketName")),
        (("NoSuchBucket", 404), "nowhere")
    );
    let method = face.send("PATCH", "/photos/k", &[], "");
    assert_eq!(
        (refusal(&method), header(&method, "allow")),
        (("MethodNotAllowed", 405), "GET, HEAD, PUT, DELETE")
    );
}

#[test]
fn ranges_and_conditions() {
    let face = Face::new();
    let etag = header(&face.send("PUT", "/photos/k", &[], "0123456789"), "etag").to_owned();
    let get = |name: &str, value: &str| face.send("GET", "/photos/k", &[(name, value)], "");
    for (range, body, shown) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
    ] {
        let got = get("range", range);
        assert_eq!((got.status().as_u16(), text(&got), header(&got, "content-range")), (206, body, shown));
    }
    for ignored in ["bytes=4-2", "bytes=0-1,3-4", "items=1"] {
        assert_eq!(
            (get("range", ignored).status().as_u16(), text(&get("range", ignored))),
            (200, "0123456789")
        );
    }
    let out = get("range", "bytes=10-");
    assert_eq!((refusal(&out), element(text(&out), "ActualObjectSize")), (("InvalidRange", 416), "10"));
    let unchanged = get("if-none-match", &etag);
    assert_eq!(
        (unchanged.status().as_u16(), unchanged.body().len(), header(&unchanged, "etag")),
        (304, 0, &*etag)
    );
    assert_eq!(get("if-modified-since", "Wed, 01 Jan 2025 00:00:00 GMT").status(), 304);
    assert_eq!(get("if-modified-since", "Tue, 31 Dec 2024 23:59:59 GMT").status(), 200);
    assert_eq!(get("if-unmodified-since", "Tue, 31 Dec 2024 23:59:59 GMT").status(), 412);
    let failed = get("if-match", "\"x\"");
    assert_eq!(
        (refusal(&failed), element(text(&failed), "Condition")),
        (("PreconditionFailed", 412), "If-Match")
    );
    let part = face.send("GET", "/photos/k?partNumber=2", &[], "");
    assert_eq!(refusal(&part), ("InvalidPartNumber", 416));
}

#[test]
fn conditions_on_writes() {
    let face = Face::new();
    let put = |name: &str, value: &str| face.send("PUT", "/photos/k", &[(name, value)], "x");
    assert_eq!(refusal(&put("if-match", "\"x\"")), ("NoSuchKey", 404));
    assert_eq!(put("if-none-match", "*").status(), 200);
    assert_eq!(refusal(&put("if-none-match", "*")), ("PreconditionFailed", 412));
    let other = put("if-none-match", "\"x\"");
    assert_eq!(
        (refusal(&other), element(text(&other), "Header")),
        (("NotImplemented", 501), "If-None-Match")
    );
}

#[test]
fn versions_and_delete_markers() {
    let face = Face::new();
    let enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(face.send("PUT", "/photos?versioning", &[], enable).status(), 200);
    let first = header(&face.send("PUT", "/photos/k", &[], "1"), "x-amz-version-id").to_owned();
    face.send("PUT", "/photos/k", &[], "2");
    let deleted = face.send("DELETE", "/photos/k", &[], "");
    assert_eq!((deleted.status().as_u16(), header(&deleted, "x-amz-delete-marker")), (204, "true"));
    let marker = header(&deleted, "x-amz-version-id").to_owned();
    let gone = face.send("GET", "/photos/k", &[], "");
    assert_eq!((refusal(&gone), header(&gone, "x-amz-version-id")), (("NoSuchKey", 404), &*marker));
    let by_id = face.send("GET", &format!("/photos/k?versionId={marker}"), &[], "");
    assert_eq!((refusal(&by_id), header(&by_id, "allow")), (("MethodNotAllowed", 405), "DELETE"));
    assert!(header(&by_id, "last-modified").ends_with(" GMT"), "when the marker was made");
    for what in ["acl", "attributes"] {
        let wanted = [("x-amz-object-attributes", "ETag")];
        let refused = face.send("GET", &format!("/photos/k?{what}&versionId={marker}"), &wanted, "");
        assert_eq!(
            (refusal(&refused), element(text(&refused), "Method")),
            (("MethodNotAllowed", 405), "GET")
        );
    }
    assert_eq!(face.get(&format!("/photos/k?versionId={first}")), "1");
    let bad = face.send("GET", "/photos/k?versionId=x", &[], "");
    assert_eq!((refusal(&bad), element(text(&bad), "ArgumentName")), (("InvalidArgument", 400), "versionId"));
    let list = face.get("/photos?versions");
    assert_eq!((list.matches("<Version>").count(), list.matches("<DeleteMarker>").count()), (2, 1));
    let delete = format!("<Delete><Object><Key>k</Key><VersionId>{marker}</VersionId></Object></Delete>");
    let deleted = face.delete_many(&delete);
    assert_eq!(element(text(&deleted), "DeleteMarkerVersionId"), marker);
    assert_eq!(face.get("/photos/k"), "2");
}

#[test]
fn copies() {
    let face = Face::new();
    face.send("PUT", "/photos/a%2Bb", &[("x-amz-meta-a", "1")], "x");
    let copy = |headers: &[(&str, &str)]| face.send("PUT", "/photos/c", headers, "");
    let source = ("x-amz-copy-source", "photos/a%2Bb");
    let done = copy(&[source]);
    let etag = "&quot;9dd4e461268c8034f5c8564e155c67a6&quot;";
    let checksum = "<ChecksumCRC64NVME>";
    assert!(text(&done).contains(&format!("<CopyObjectResult {XMLNS}><LastModified>2025-01-01T00:00:00.000Z</LastModified><ETag>{etag}</ETag>{checksum}")));
    let head = |name: &str| header(&face.send("HEAD", "/photos/c", &[], ""), name).to_owned();
    assert_eq!(head("x-amz-meta-a"), "1");
    copy(&[source, ("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-b", "2")]);
    assert_eq!((&*head("x-amz-meta-a"), &*head("x-amz-meta-b")), ("", "2"));
    assert_eq!(refusal(&copy(&[("x-amz-copy-source", "photos/c")])), ("InvalidRequest", 400));
    assert_eq!(refusal(&copy(&[("x-amz-copy-source", "photos")])), ("InvalidArgument", 400));
    assert_eq!(refusal(&copy(&[("x-amz-copy-source", "photos/none")])), ("NoSuchKey", 404));
    let failed = copy(&[source, ("x-amz-copy-source-if-none-match", "*")]);
    assert_eq!(refusal(&failed), ("PreconditionFailed", 412));
}

#[test]
fn uploads_in_parts() {
    let face = Face::new();
    let begun = face.send(
        "POST",
        "/photos/k?uploads",
        &[("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", "FULL_OBJECT")],
        "",
    );
    let id = element(text(&begun), "UploadId").to_owned();
    assert_eq!(header(&begun, "x-amz-checksum-type"), "FULL_OBJECT");
    let part = |number: u32, body: &str| {
        let path = format!("/photos/k?partNumber={number}&uploadId={id}");
        header(&face.send("PUT", &path, &[], body), "etag").to_owned()
    };
    let long = "x".repeat(5 << 20);
    let (first, second) = (part(1, &long), part(2, "y"));
    let complete = |parts: &str| {
        let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        face.send("POST", &format!("/photos/k?uploadId={id}"), &[], &document)
    };
    let one = |number: u32, etag: &str| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    };
    assert_eq!(refusal(&complete(&(one(2, &second) + &one(1, &first)))), ("InvalidPartOrder", 400));
    assert_eq!(refusal(&complete(&one(1, &second))), ("InvalidPart", 400));
    assert_eq!(refusal(&complete("<Part/>")), ("MalformedXML", 400));
    let parts = face.get(&format!("/photos/k?uploadId={id}"));
    assert_eq!(parts.matches("<Part>").count(), 2);
    let done = complete(&(one(1, &first) + &one(2, &second)));
    assert!(element(text(&done), "ETag").ends_with("-2&quot;"), "{done:?}");
    assert_eq!(element(text(&done), "Location"), "http://127.0.0.1:4566/photos/k");
    let head = face.send("HEAD", "/photos/k?partNumber=1", &[], "");
    assert_eq!((header(&head, "x-amz-mp-parts-count"), header(&head, "content-length")), ("2", "5242880"));
    assert_eq!(
        refusal(&face.send("DELETE", &format!("/photos/k?uploadId={id}"), &[], "")),
        ("NoSuchUpload", 404)
    );
}

#[test]
fn keys_of_callers_are_shown_again() {
    let face = Face::new();
    let name = |end: &str| format!("x-amz-server-side-encryption-customer-{end}");
    let (algorithm, key, md5) = (name("algorithm"), name("key"), name("key-md5"));
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let sum = "cLyPS3KoaSFGi/joRB3OUQ==";
    let own = [(&*algorithm, "AES256"), (&*key, zeros), (&*md5, sum)];
    let put = face.send("PUT", "/photos/k", &own, "secret");
    assert_eq!((put.status().as_u16(), header(&put, &md5)), (200, sum));
    assert_eq!(refusal(&face.send("GET", "/photos/k", &[], "")), ("InvalidRequest", 400));
    assert_eq!(text(&face.send("GET", "/photos/k", &own, "")), "secret");
    let without = |index: usize| {
        let headers: Vec<_> =
            own.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, one)| *one).collect();
        face.send("PUT", "/photos/k", &headers, "x")
    };
    for index in 0..3 {
        assert_eq!(refusal(&without(index)), ("InvalidArgument", 400), "{index}");
    }
    let other = [(&*algorithm, "AES128"), (&*key, zeros), (&*md5, sum)];
    assert_eq!(
        refusal(&face.send("PUT", "/photos/k", &other, "x")),
        ("InvalidEncryptionAlgorithmError", 400)
    );
    let source = ("x-amz-copy-source", "photos/k");
    assert_eq!(refusal(&face.send("PUT", "/photos/copy", &[source], "")), ("InvalidRequest", 400));
}

#[test]
fn what_expires_says_so() {
    let face = Face::new();
    let rules = "<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix>old/</Prefix></Filter><Status>Enabled</Status>\
                 <Expiration><Days>2</Days></Expiration></Rule></LifecycleConfiguration>";
    assert_eq!(face.send("PUT", "/photos?lifecycle", &[], rules).status(), 200);
    let put = face.send("PUT", "/photos/old/a", &[], "x");
    let expected = "expiry-date=\"Sat, 04 Jan 2025 00:00:00 GMT\", rule-id=\"r\"";
    assert_eq!(header(&put, "x-amz-expiration"), expected);
    let shown = face.get("/photos?lifecycle");
    assert!(shown.contains("<Expiration><Days>2</Days></Expiration>"), "{shown}");
    face.clock.advance(Duration::from_hours(72));
    assert_eq!(face.send("DELETE", "/photos?lifecycle", &[], "").status(), 204);
    let gone = face.send("GET", "/photos?lifecycle", &[], "");
    assert_eq!(refusal(&gone), ("NoSuchLifecycleConfiguration", 404));
}
