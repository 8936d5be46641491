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
    for bad in ["0", "-1", "36501"] {
        assert_eq!(days(bad), ("InvalidArgument".to_owned(), 400), "{bad}");
    }
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
    face.clock.advance(Duration::from_mins(1));
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
fn an_upload_without_parts_is_not_completed() {
    let face = Face::new();
    let begun = face.send("POST", "/photos/a/b?uploads", &[], "");
    let path = format!("/photos/a/b?uploadId={}", element(text(&begun), "UploadId"));
    let complete = |document: &str| face.send("POST", &path, &[], document);
    assert_eq!(refusal(&complete("<CompleteMultipartUpload/>")), ("MalformedXML", 400));
    let zero = "<CompleteMultipartUpload><Part><PartNumber>0</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>";
    let zero = complete(zero);
    assert_eq!(
        (refusal(&zero), element(text(&zero), "ArgumentName")),
        (("InvalidArgument", 400), "PartNumber")
    );
    let size = [("x-amz-mp-object-size", "-1")];
    assert_eq!(refusal(&face.send("POST", &path, &size, "")), ("InvalidRequest", 400));
    let none = complete("");
    let message = "You must specify at least one part";
    assert_eq!((refusal(&none), element(text(&none), "Message")), (("InvalidRequest", 400), message));
    let part = face.send("PUT", &format!("{path}&partNumber=1"), &[], "x");
    let etag = header(&part, "etag");
    let parts = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    let done = complete(&format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"));
    assert_eq!(element(text(&done), "Location"), "http://127.0.0.1:4566/photos/a%2Fb");
}

#[test]
fn arguments_that_the_service_does_not_take() {
    let face = Face::new();
    face.send("PUT", "/photos/k", &[], "x");
    let lock = |name: &'static str| format!("x-amz-object-lock-{name}");
    let (mode, until, hold) = (lock("mode"), lock("retain-until-date"), lock("legal-hold"));
    for (method, path, headers, argument, message) in [
        (
            "POST",
            "/photos/k?uploads",
            vec![("x-amz-copy-source", "/a/b")],
            "x-amz-copy-source",
            "You can only specify",
        ),
        ("PUT", "/photos/k?partNumber=1", vec![], "partNumber", "This operation does not accept partNumber"),
        (
            "GET",
            "/photos/k?response-age=1",
            vec![],
            "response-age",
            "response-age is not in the set of overridable",
        ),
        ("PUT", "/photos/k", vec![(&*mode, "x")], &*mode, "Unknown wormMode directive."),
        (
            "PUT",
            "/photos/k",
            vec![(&*mode, "GOVERNANCE")],
            &*until,
            "x-amz-object-lock-retain-until-date and x-amz-",
        ),
        (
            "PUT",
            "/photos/k",
            vec![(&*until, "soon")],
            &*until,
            "The retain until date must be provided in ISO 8601",
        ),
        (
            "PUT",
            "/photos/k",
            vec![(&*until, "2024-12-31T00:00:00Z")],
            &*until,
            "The retain until date must be in the",
        ),
        ("PUT", "/photos/k", vec![(&*hold, "on")], &*hold, "Legal Hold must be either of 'ON' or 'OFF'"),
    ] {
        let answer = face.send(method, path, &headers, "");
        assert_eq!(refusal(&answer), ("InvalidArgument", 400), "{message}");
        assert_eq!(element(text(&answer), "ArgumentName"), argument);
        assert!(element(text(&answer), "Message").starts_with(message), "{}", text(&answer));
    }
    for (source, message) in [
        ("photos/%ZZ", "Invalid copy source encoding"),
        ("100%/k", "Invalid copy source encoding"),
        ("192.168.1.1/k", "Invalid copy source bucket name"),
        ("a:b/k", "Invalid copy source bucket name"),
        ("photos/", "Invalid copy source object key"),
    ] {
        let answer = face.send("PUT", "/photos/copy", &[("x-amz-copy-source", source)], "");
        assert_eq!(element(text(&answer), "Message"), message, "{source}");
    }
    let tagged = |tags: &str| {
        let answer = face.send("PUT", "/photos/k", &[("x-amz-tagging", tags)], "x");
        element(text(&answer), "Code").to_owned()
    };
    for (tags, code) in [
        ("a=1&", ""),
        ("a++b=%2F", ""),
        ("=", "InvalidArgument"),
        ("a%", "InvalidArgument"),
        ("a=1=2", "InvalidArgument"),
        ("a=1&a=1", "InvalidArgument"),
        ("a?=1", "InvalidTag"),
        ("a=1!", "InvalidTag"),
    ] {
        assert_eq!(tagged(tags), code, "{tags}");
    }
    face.send("PUT", "/photos?acl", &[("x-amz-acl", "public-read-write")], "");
    let anonymous = face.unsigned("POST", "/photos/k?uploads", &[], "");
    let message = "Anonymous users cannot initiate multipart uploads.  Please authenticate.";
    assert_eq!((refusal(&anonymous), element(text(&anonymous), "Message")), (("AccessDenied", 403), message));
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
    for principal in [r#""me""#, r#"{"AWS":["*","me"]}"#] {
        let statement =
            format!(r#""Effect":"Deny","Principal":{principal},"Action":"s3:*","Resource":"{arn}""#);
        assert_eq!(put(&statement), "Invalid principal in policy", "{principal}");
    }
    assert_eq!(put(who), "Missing required field Effect");
    for (action, end) in [("", ""), ("s4:GetObject", ""), ("s3:", ""), ("s3:Put-Object", "/*")] {
        assert_eq!(statement(action, end), "Policy has invalid action", "{action}");
    }
    for (document, message) in [
        ("", "Policies must be valid JSON and the first byte must be '{'"),
        ("false", "Policies must be valid JSON and the first byte must be '{'"),
        ("{true}", "This policy contains invalid Json"),
        ("{}", "Missing required field Statement"),
        (r#"{"Statement":[]}"#, "Could not parse the policy: Statement is empty!"),
    ] {
        let answer = face.send("PUT", "/photos?policy", &[], document);
        assert_eq!(element(text(&answer), "Message"), message);
    }
    assert_eq!(put(&format!(r#""Effect":"Perhaps",{who}"#)), "Invalid effect: Perhaps");
}

#[test]
fn tags_in_a_form_are_judged_by_policies() {
    let face = Face::new();
    let policy = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":["s3:PutObject","s3:PutObjectTagging"],
        "Resource":"arn:aws:s3:::photos/*","Condition":{"StringEquals":{"s3:RequestObjectTag/team":"blue"}}}}"#;
    assert_eq!(face.send("PUT", "/photos?policy", &[], policy).status(), 204);
    let post = |team: &str, first: &[(&str, &str)]| {
        let document = |team: &str| {
            format!("<Tagging><TagSet><Tag><Key>team</Key><Value>{team}</Value></Tag></TagSet></Tagging>")
        };
        let field = |name: &str, value: &str| {
            format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let first: String = first
            .iter()
            .map(|(name, value)| field(name, &value.replace("BLUE", &document("blue"))))
            .collect();
        let body = first
            + &field("key", "a/b")
            + &field("tagging", &document(team))
            + &field("file", "x")
            + "--B--\r\n";
        face.unsigned("POST", "/photos", &[("content-type", "multipart/form-data; boundary=B")], &body)
    };
    assert_eq!(refusal(&post("red", &[])), ("AccessDenied", 403));
    // Only what is kept is judged.
    assert_eq!(refusal(&post("red", &[("x-amz-tagging", "BLUE")])), ("AccessDenied", 403));
    let locked = post("blue", &[("x-amz-object-lock-legal-hold", "ON")]);
    assert_eq!(refusal(&locked), ("InvalidRequest", 400));
    let done = post("blue", &[]);
    assert_eq!(
        (done.status().as_u16(), header(&done, "location")),
        (204, "http://127.0.0.1:4566/photos/a%2Fb")
    );
}

#[test]
fn tags_of_buckets_by_s3_control() {
    let face = Face::new();
    let path = |arn: &str| format!("/v20180820/tags/{}", arn.replace(':', "%3A").replace('/', "%2F"));
    let send = |method: &str, path: &str, body: &str| {
        // The account is the first label of the host, as clients have it.
        let headers = [("x-amz-account-id", "000000000000"), ("host", "000000000000.localhost:4566")];
        face.send(method, path, &headers, body)
    };
    let photos = path("arn:aws:s3:::photos");
    let none = send("GET", &photos, "");
    let expected = "<ListTagsForResourceResult xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\"><Tags></Tags>\
                    </ListTagsForResourceResult>";
    assert_eq!((none.status().as_u16(), text(&none).split_once('\n').unwrap().1), (200, expected));
    let tag = |key: &str, value: &str| {
        let document = format!(
            "<TagResourceRequest><Tags><Tag><Key>{key}</Key><Value>{value}</Value></Tag></Tags></TagResourceRequest>"
        );
        send("POST", &photos, &document)
    };
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
        assert_eq!(tag(key, value).status(), 204);
    }
    let set = face.get("/photos?tagging");
    assert!(set.contains("<Key>b</Key><Value>2</Value></Tag><Tag><Key>a</Key><Value>3</Value>"), "{set}");
    assert_eq!(refusal(&tag("aws:a", "")), ("InvalidTag", 400));
    assert_eq!(send("DELETE", &format!("{photos}?tagKeys=a&tagKeys=c"), "").status(), 204);
    let by_region = send("GET", &path("arn:aws:s3:us-east-1:000000000000:bucket/photos"), "");
    assert_eq!((element(text(&by_region), "Key"), text(&by_region).matches("<Tag>").count()), ("b", 1));
    let missing = send("GET", &path("arn:aws:s3:::nowhere"), "");
    assert_eq!(refusal(&missing), ("NoSuchResource", 404));
    assert!(text(&missing).contains("<ErrorResponse><Error><Code>"), "{}", text(&missing));
    assert_eq!(refusal(&send("GET", "/v20180820/accesspoint", "")), ("NotImplemented", 501));
    let other = [("x-amz-account-id", "111111111111")];
    assert_eq!(refusal(&face.send("GET", &photos, &other, "")), ("AccessDenied", 403));
    // Without an account it is a key like any other.
    let key = face.send("PUT", "/v20180820/k", &[("host", "photos.localhost")], "x");
    assert_eq!((key.status().as_u16(), &*face.get("/photos/v20180820/k")), (200, "x"));
}
