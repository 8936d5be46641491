//! Requests that are no requests: each is answered, and none by a fault of ours.

use super::*;

/// A small generator: the same requests in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

#[test]
fn whatever_comes_is_answered() {
    let methods = ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"];
    let paths =
        ["/", "/photos", "/photos/k", "/photos/k%00", "/photos/%ff", "/x", "//", "/photos//", "/photos/%zz"];
    let queries = [
        "",
        "acl",
        "versions",
        "uploads",
        "uploadId=x",
        "uploadId=x&partNumber=1",
        "partNumber=0",
        "versionId=",
        "versionId=null",
        "tagging",
        "cors",
        "policy",
        "lifecycle",
        "notification",
        "list-type=2",
        "max-keys=99999999999",
        "delete",
        "versioning",
        "encryption",
        "attributes",
        "key-marker=%ff",
        "continuation-token=%00",
        "X-Amz-Signature=1",
        "Signature=1&AWSAccessKeyId=2",
        "delimiter=%F0%9F",
        "&&=&",
        "location",
        "policyStatus",
        "part-number-marker=-1",
        "ownershipControls",
    ];
    let headers = [
        ("range", "bytes=--1"),
        ("content-md5", ""),
        ("x-amz-copy-source", "%ff"),
        ("x-amz-copy-source", "/photos/k?versionId="),
        ("x-amz-decoded-content-length", "18446744073709551616"),
        ("content-encoding", "aws-chunked"),
        ("if-match", ","),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-trailer", "x-amz-checksum-md5"),
        ("origin", "*"),
        ("x-amz-tagging", "a=1&a=2"),
        ("x-amz-grant-read", "id="),
        ("content-type", "multipart/form-data; boundary=B"),
        ("x-amz-object-attributes", ","),
        ("x-amz-storage-class", "x"),
        ("expect", "x"),
        ("authorization", OWNER),
        ("x-amz-checksum-crc32", "AAAA"),
        ("x-amz-server-side-encryption-customer-key", "x"),
        ("content-length", "-1"),
    ];
    let bodies = [
        "",
        "x",
        "<",
        "<Delete>",
        "<Delete/>",
        "<Tagging><TagSet/></Tagging>",
        "{}",
        "0\r\n\r\n",
        "--B\r\n",
        "<LifecycleConfiguration/>",
        "<CompleteMultipartUpload><Part><PartNumber>99999999999</PartNumber></Part></CompleteMultipartUpload>",
        "5\r\nhello",
        "<AccessControlPolicy><Owner/></AccessControlPolicy>",
        "<CORSConfiguration><CORSRule/></CORSConfiguration>",
        "\u{0}\u{1}",
    ];
    let face = Face::new();
    let mut dice = Dice(7);
    let mut refused = 0;
    for _ in 0..20_000 {
        let method = dice.pick(&methods);
        let path = format!("{}?{}&{}", dice.pick(&paths), dice.pick(&queries), dice.pick(&queries));
        let some: Vec<(&str, &str)> = (0..dice.roll(4)).map(|_| headers[dice.roll(headers.len())]).collect();
        let body = dice.pick(&bodies);
        let answer = if dice.roll(4) == 0 {
            face.unsigned(method, &path, &some, body)
        } else {
            face.send(method, &path, &some, body)
        };
        let status = answer.status().as_u16();
        assert!(status < 500 || status == 501, "{method} {path} {some:?} {body:?}: {}", text(&answer));
        refused += u32::from(status >= 400);
        if status >= 400 && method != "HEAD" && status != 404 {
            assert!(!refusal(&answer).0.is_empty(), "{method} {path} {some:?}: {answer:?}");
        }
    }
    assert!(refused > 1000);
    face.send("DELETE", "/photos?policy", &[], "");
    assert_eq!(face.send("PUT", "/photos2", &[], "").status(), 200);
}

#[test]
fn long_documents_are_refused() {
    let face = Face::new();
    let long = format!("<Tagging>{}</Tagging>", " ".repeat(2 << 20));
    assert_eq!(refusal(&face.send("PUT", "/photos?tagging", &[], &long)), ("MaxMessageLengthExceeded", 400));
    let deep = "<a>".repeat(100_000);
    assert_eq!(refusal(&face.send("PUT", "/photos?tagging", &[], &deep)), ("MalformedXML", 400));
    let keys = "<Object><Key>k</Key></Object>".repeat(1001);
    assert_eq!(refusal(&face.delete_many(&format!("<Delete>{keys}</Delete>"))), ("MalformedXML", 400));
    let key = "k".repeat(1025);
    assert_eq!(refusal(&face.send("PUT", &format!("/photos/{key}"), &[], "")), ("KeyTooLongError", 400));
}
