//! What the service does by itself, and what it demands.

use super::*;
use std::time::Duration;

#[test]
fn a_new_bucket_says_what_one_of_the_service_says() {
    let face = Face::new();
    for (name, shown) in [
        (
            "encryption",
            "<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled>",
        ),
        ("ownershipControls", "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"),
        (
            "publicAccessBlock",
            "<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
             <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>",
        ),
        ("abac", "<Status>Disabled</Status>"),
        ("requestPayment", "<Payer>BucketOwner</Payer>"),
    ] {
        let found = face.get(&format!("/photos?{name}"));
        assert!(found.contains(shown), "{found}");
    }
    // Nobody said so, so nobody is held to it.
    face.send("PUT", "/photos/k", &[("x-amz-acl", "public-read")], "x");
    assert_eq!(face.unsigned("GET", "/photos/k", &[], "").status(), 200);
    let enforced = "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>";
    face.send("PUT", "/photos?ownershipControls", &[], enforced);
    let refused = face.send("PUT", "/photos/k", &[("x-amz-acl", "public-read")], "x");
    assert_eq!(refusal(&refused), ("AccessControlListNotSupported", 400));
}

#[test]
fn a_lock_of_objects_is_refused_as_the_service_would() {
    let face = Face::new();
    let put = |content: &str| {
        let document = format!("<ObjectLockConfiguration>{content}</ObjectLockConfiguration>");
        let answer = face.send("PUT", "/photos?object-lock", &[], &document);
        let (code, status) = refusal(&answer);
        (code.to_owned(), status)
    };
    let enabled = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>";
    let rule = |retention: &str| {
        put(&format!("{enabled}<Rule><DefaultRetention>{retention}</DefaultRetention></Rule>"))
    };
    let malformed = ("MalformedXML".to_owned(), 400);
    assert_eq!([put(""), put(&format!("{enabled}<Rule/>")), rule("<Mode>GOVERNANCE</Mode>")], {
        [malformed.clone(), malformed.clone(), malformed.clone()]
    });
    assert_eq!(rule("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>"), malformed);
    let days = |days: &str| rule(&format!("<Mode>COMPLIANCE</Mode><Days>{days}</Days>"));
    assert_eq!(days("0"), ("InvalidRetentionPeriod".to_owned(), 400));
    assert_eq!(days("1"), ("InvalidBucketState".to_owned(), 409));
    let versioned = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    face.send("PUT", "/photos?versioning", &[], versioned);
    assert_eq!(put(enabled), ("NotImplemented".to_owned(), 501));
    let missing = face.send("GET", "/photos?object-lock", &[], "");
    assert_eq!(refusal(&missing), ("ObjectLockConfigurationNotFoundError", 404));
}

#[test]
fn many_are_deleted_with_a_checksum_only() {
    let face = Face::new();
    face.send("PUT", "/photos/k", &[], "x");
    let document = "<Delete><Quiet>true</Quiet><Object><Key>k</Key></Object></Delete>";
    let bare = face.send("POST", "/photos?delete", &[], document);
    let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
    assert_eq!((refusal(&bare), element(text(&bare), "Message")), (("InvalidRequest", 400), message));
    let wrong = face.send("POST", "/photos?delete", &[("x-amz-checksum-crc32", "AAAAAA==")], document);
    assert_eq!(refusal(&wrong), ("BadDigest", 400));
    assert_eq!(face.get("/photos/k"), "x");
    let done = face.delete_many(document);
    assert_eq!(text(&done).split_once('\n').unwrap().1, format!("<DeleteResult {XMLNS}></DeleteResult>"));
    assert_eq!(face.send("GET", "/photos/k", &[], "").status(), 404);
}

#[test]
fn what_did_not_change_says_since_when() {
    let face = Face::new();
    let etag = header(&face.send("PUT", "/photos/k", &[], "x"), "etag").to_owned();
    face.clock.advance(Duration::from_secs(60));
    for method in ["GET", "HEAD"] {
        let unchanged = face.send(method, "/photos/k", &[("if-none-match", &etag)], "");
        assert_eq!((unchanged.status().as_u16(), unchanged.body().len()), (304, 0));
        assert_eq!(header(&unchanged, "etag"), etag);
        assert_eq!(header(&unchanged, "last-modified"), "Wed, 01 Jan 2025 00:00:00 GMT");
    }
}

#[test]
fn metadata_beyond_ascii_comes_back_as_encoded_words() {
    let face = Face::new();
    let put = |value: &[u8]| {
        let value = http::HeaderValue::from_bytes(value).unwrap();
        let head = [("authorization", OWNER), ("x-amz-date", "20250101T000000Z")];
        let request = Face::request("PUT", "/photos/k", &head).header("x-amz-meta-a", value);
        assert_eq!(now(face.router.call(request.body(Bytes::new()).unwrap())).status(), 200);
        header(&face.send("HEAD", "/photos/k", &[], ""), "x-amz-meta-a").to_owned()
    };
    assert_eq!(put(b"Hello World\xe9"), "=?UTF-8?Q?Hello_World=C3=A9?=");
    assert_eq!(put("\u{c4}M\u{c4}Z\u{d5}\u{d1} S3".as_bytes()), "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=");
    assert_eq!(put(b"=?UTF-8?Q?=C3=84?="), "=?UTF-8?Q?=C3=84?=");
}

#[test]
fn names_that_no_bucket_has_and_keys_that_no_object_has() {
    let face = Face::new();
    for (method, path) in [("GET", "/ab"), ("PUT", "/a!b/k"), ("DELETE", "/x")] {
        assert_eq!(refusal(&face.send(method, path, &[], "")), ("InvalidBucketName", 400), "{path}");
    }
    assert_eq!(face.send("HEAD", "/ab", &[], "").status(), 400);
    assert_eq!(refusal(&face.send("GET", "/Old_Name", &[], "")), ("NoSuchBucket", 404));
    let long = format!("/photos/{}", "k".repeat(1025));
    for method in ["GET", "DELETE"] {
        assert_eq!(refusal(&face.send(method, &long, &[], "")), ("KeyTooLongError", 400));
    }
    let kind = face.send("GET", "/photos?list-type=3", &[], "");
    assert_eq!(
        (refusal(&kind), element(text(&kind), "ArgumentName")),
        (("InvalidArgument", 400), "list-type")
    );
    // A form that is none of several parts is for the bucket all the same.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(refusal(&face.unsigned("POST", "/photos", &form, "a=1")), ("PreconditionFailed", 412));
    let owner = [("x-amz-copy-source", "/photos/k"), ("x-amz-source-expected-bucket-owner", "111111111111")];
    face.send("PUT", "/photos/k", &[], "x");
    assert_eq!(refusal(&face.send("PUT", "/photos/copy", &owner, "")), ("AccessDenied", 403));
}

#[test]
fn policies_that_the_service_does_not_take() {
    let face = Face::new();
    let put = |statement: &str| {
        let policy = format!(r#"{{"Statement":[{{{statement}}}]}}"#);
        let answer = face.send("PUT", "/photos?policy", &[], &policy);
        element(text(&answer), "Message").to_owned()
    };
    let (who, arn) = (r#""Principal":"*""#, "arn:aws:s3:::photos");
    let statement = |action: &str, end: &str| {
        put(&format!(r#""Effect":"Deny",{who},"Action":"{action}","Resource":"{arn}{end}""#))
    };
    let message = "Action does not apply to any resource(s) in statement";
    for (action, end) in
        [("s3:GetObject", ""), ("s3:ListBucket", "/*"), ("s3:PutBucketObjectLockConfiguration", "/k")]
    {
        assert_eq!(statement(action, end), message, "{action}");
    }
    for (action, end) in [
        ("s3:GetObject", "/*"),
        ("s3:GetObject", "*"),
        ("s3:ListBucket", ""),
        ("s3:*", ""),
        ("s3:List*", "/k"),
    ] {
        assert_eq!(statement(action, end), "", "{action} {end}");
    }
    assert_eq!(put(who), "Missing required field Effect");
    assert_eq!(put(&format!(r#""Effect":"Perhaps",{who}"#)), "Invalid effect: Perhaps");
}

#[test]
fn tags_in_a_form_are_judged_by_policies() {
    let face = Face::new();
    let policy = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":["s3:PutObject","s3:PutObjectTagging"],
        "Resource":"arn:aws:s3:::photos/*","Condition":{"StringEquals":{"s3:RequestObjectTag/team":"blue"}}}}"#;
    assert_eq!(face.send("PUT", "/photos?policy", &[], policy).status(), 204);
    let post = |team: &str| {
        let tags =
            format!("<Tagging><TagSet><Tag><Key>team</Key><Value>{team}</Value></Tag></TagSet></Tagging>");
        let field = |name: &str, value: &str| {
            format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = field("key", "a/b") + &field("tagging", &tags) + &field("file", "x") + "--B--\r\n";
        face.unsigned("POST", "/photos", &[("content-type", "multipart/form-data; boundary=B")], &body)
    };
    assert_eq!(refusal(&post("red")), ("AccessDenied", 403));
    let done = post("blue");
    assert_eq!(
        (done.status().as_u16(), header(&done, "location")),
        (204, "http://127.0.0.1:4566/photos/a%2Fb")
    );
}
