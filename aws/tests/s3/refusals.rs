//! What the service refuses, and in which words: requests that no resource takes, checksums, policies of forms.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Code, message and the argument that it is about.
fn said(answer: &Response<Bytes>) -> (&str, String, &str, &str) {
    let document = text(answer);
    let message = element(document, "Message").replace("&quot;", "\"").replace("&apos;", "'");
    (
        element(document, "Code"),
        message.replace("&#39;", "'"),
        element(document, "ArgumentName"),
        element(document, "ArgumentValue"),
    )
}

fn invalid(message: &str) -> (&str, String, &str, &str) {
    ("InvalidRequest", message.to_owned(), "", "")
}

#[test]
fn sub_resources_that_keys_do_not_have() {
    let face = Face::new();
    let uploads = face.send("GET", "/photos/k?uploads", &[], "");
    assert_eq!(said(&uploads), invalid("Key is not expected for the GET method ?uploads subresource"));
    let versions = face.send("GET", "/photos/k?versions", &[], "");
    assert_eq!(said(&versions), invalid("There is no such thing as the ?versions sub-resource for a key"));
    assert_eq!(refusal(&face.send("PUT", "/photos/k?uploadId=a", &[], "x")), ("MethodNotAllowed", 405));
    for (method, path) in
        [("DELETE", "/photos"), ("GET", "/photos"), ("GET", "/photos/k"), ("DELETE", "/photos/k")]
    {
        let copies = face.send(method, path, &[("x-amz-copy-source", "a/b")], "");
        let rule = "You can only specify a copy source header for copy requests.".to_owned();
        assert_eq!(said(&copies), ("InvalidArgument", rule, "x-amz-copy-source", "a/b"), "{method} {path}");
    }
    assert_eq!(face.send("HEAD", "/photos", &[], "").status(), 200, "it is still there");
}

#[test]
fn headers_that_are_too_long_together() {
    let face = Face::new();
    face.send("PUT", "/photos/k", &[], "x");
    let long = "v".repeat(4050);
    assert_eq!(face.send("GET", "/photos/k", &[("x-a", &long), ("x-b", &long[..3700])], "").status(), 200);
    let refused = face.send("GET", "/photos/k", &[("x-a", &long), ("x-b", &long)], "");
    assert_eq!(refusal(&refused), ("RequestHeaderSectionTooLarge", 400));
    assert_eq!(element(text(&refused), "MaxSizeAllowed"), "8192");
    let metadata = face.send("PUT", "/photos/k", &[("x-amz-meta-a", &long)], "x");
    assert_eq!(refusal(&metadata), ("MetadataTooLarge", 400));
}

#[test]
fn conditions_of_directory_buckets() {
    let face = Face::new();
    face.send("PUT", "/photos/k", &[], "hello");
    for (method, name, value) in [
        ("PUT", "x-amz-write-offset-bytes", "5"),
        ("DELETE", "x-amz-if-match-size", "6"),
        ("DELETE", "x-amz-if-match-last-modified-time", "Wed, 01 Jan 2020 00:00:00 GMT"),
    ] {
        let refused = face.send(method, "/photos/k", &[(name, value)], "x");
        assert_eq!((refusal(&refused), element(text(&refused), "Header")), (("NotImplemented", 501), name));
    }
    for condition in ["<Size>6</Size>", "<LastModifiedTime>Wed, 01 Jan 2020 00:00:00 GMT</LastModifiedTime>"]
    {
        let document = format!("<Delete><Object><Key>k</Key>{condition}</Object></Delete>");
        assert_eq!(refusal(&face.delete_many(&document)), ("NotImplemented", 501));
    }
    assert_eq!(face.get("/photos/k"), "hello");
}

#[test]
fn numbers_of_entries() {
    let face = Face::new();
    for (path, name, rule) in [
        ("/photos?max-keys=-1", "maxKeys", "Argument maxKeys must be an integer between 0 and 2147483647"),
        (
            "/photos?list-type=2&max-keys=-1",
            "maxKeys",
            "Argument maxKeys must be an integer between 0 and 2147483647",
        ),
        ("/photos?versions&max-keys=-1", "maxKeys", "max-keys cannot be negative"),
        (
            "/photos?uploads&max-uploads=-1",
            "max-uploads",
            "Argument max-uploads must be an integer between 0 and 2147483647",
        ),
    ] {
        let refused = face.send("GET", path, &[], "");
        assert_eq!(said(&refused), ("InvalidArgument", rule.to_owned(), name, "-1"), "{path}");
    }
    for count in ["x", "2147483648"] {
        let refused = face.send("GET", &format!("/photos?max-keys={count}"), &[], "");
        let rule = "Provided max-keys not an integer or within integer range".to_owned();
        assert_eq!(said(&refused), ("InvalidArgument", rule, "max-keys", count));
    }
}

#[test]
fn checksums_that_an_sdk_announces() {
    const CRC32: (&str, &str) = ("x-amz-checksum-crc32", "NhCmhg==");
    let face = Face::new();
    let put = |headers: &[(&str, &str)]| face.send("PUT", "/photos/k", headers, "hello");
    let announce = |algorithm| ("x-amz-sdk-checksum-algorithm", algorithm);
    assert_eq!(put(&[CRC32, announce("crc32")]).status(), 200);
    let bad = invalid("Value for x-amz-sdk-checksum-algorithm header is invalid.");
    assert_eq!(said(&put(&[CRC32, announce("CRC32C")])), bad);
    assert_eq!(said(&put(&[CRC32, announce("ROT13")])), bad);
    let alone = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers \
                 were found.";
    assert_eq!(said(&put(&[announce("CRC32")])), invalid(alone));
    let unknown = "The algorithm type you specified in x-amz-checksum- header is invalid.";
    assert_eq!(said(&put(&[("x-amz-checksum-rot13", "NhCmhg==")])), invalid(unknown));
    let several = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
    assert_eq!(said(&put(&[CRC32, ("x-amz-trailer", "x-amz-checksum-sha1")])), invalid(several));
    // In a URL it may stand for whoever uses the URL.
    let path = "/photos/k?x-amz-sdk-checksum-algorithm=CRC32";
    assert_eq!(face.send("PUT", path, &[], "hello").status(), 200);
    let begun = face.send(
        "POST",
        "/photos/k?uploads",
        &[("x-amz-checksum-algorithm", "crc32"), ("x-amz-checksum-type", "full_object")],
        "",
    );
    assert_eq!(header(&begun, "x-amz-checksum-type"), "FULL_OBJECT");
    let begun = face.send("POST", "/photos/k?uploads", &[("x-amz-checksum-algorithm", "rot13")], "");
    let known = "[CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]";
    let unsupported = format!(
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: {known}"
    );
    assert_eq!(said(&begun), invalid(&unsupported));
}

/// Posts a form that is signed by somebody.
fn post(face: &Face, policy: &str, besides: &[(&str, &str)]) -> Response<Bytes> {
    let policy = STANDARD.encode(policy);
    let mut fields = vec![
        ("key", "k"),
        ("policy", &*policy),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", "a/20250101/us-east-1/s3/aws4_request"),
        ("x-amz-date", "20250101T000000Z"),
        ("x-amz-signature", "0"),
    ];
    for (name, value) in besides {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    let field = |(name, value): &(&str, &str)| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = fields.iter().map(field).collect::<String>() + &field(&("file", "hello")) + "--B--\r\n";
    face.unsigned("POST", "/photos", &[("content-type", "multipart/form-data; boundary=B")], &body)
}

/// Conditions for the fields that every form has, and others.
fn policy(others: &str) -> String {
    let always = r#"{"bucket":"photos"},["starts-with","$key",""],["starts-with","$x-amz-algorithm",""],
        ["starts-with","$x-amz-credential",""],["starts-with","$x-amz-date",""]"#;
    format!(r#"{{"expiration":"2099-01-01T00:00:00Z","conditions":[{always}{others}]}}"#)
}

#[test]
fn policies_of_forms_that_are_none() {
    let face = Face::new();
    assert_eq!(post(&face, &policy(""), &[]).status(), 204);
    let list = |condition: &str| policy(&format!(",{condition}"));
    for (policy, what) in [
        (String::new(), "Expecting '{' but found End-of-Input"),
        ("[]".to_owned(), "Invalid JSON."),
        (r#"{"conditions":[]}"#.to_owned(), "Policy missing expiration."),
        (r#"{"expiration":true,"conditions":[]}"#.to_owned(), "Invalid JSON."),
        (r#"{"expiration":"now","conditions":[]}"#.to_owned(), "Invalid 'expiration' value: 'now'"),
        (r#"{"expiration":"2099-01-01T00:00:00Z"}"#.to_owned(), "Policy missing conditions."),
        (
            r#"{"expiration":"2099-01-01T00:00:00Z","conditions":1}"#.to_owned(),
            "Invalid 'conditions' value: must be a List.",
        ),
        (
            r#"{"extra":1,"expiration":"2099-01-01T00:00:00Z","conditions":[]}"#.to_owned(),
            r#"Unexpected: "extra""#,
        ),
        (list("true"), "Invalid condition test: must be a List or Object."),
        (list("[]"), "Invalid Condition: missing operation identifier."),
        (list(r#"["is","$acl","a"]"#), "Invalid Condition: unknown operation 'is'."),
        (list(r#"["eq","$acl","a","b"]"#), "Invalid eq: wrong number of arguments."),
        (list(r#"["eq",false,"a"]"#), "Invalid JSON."),
        (list(r#"["eq","$acl",true]"#), "Invalid JSON."),
        (list(r#"["content-length-range",1,false]"#), "Invalid JSON."),
        (list(r#"["content-length-range","a","2"]"#), "Invalid JSON."),
        (list(r#"{"acl":true}"#), "Invalid Simple-Condition: value must be a string."),
    ] {
        let refused = post(&face, &policy, &[]);
        let message = format!("Invalid Policy: {what}");
        assert_eq!(said(&refused), ("InvalidPolicyDocument", message, "", ""), "{policy}");
    }
}

#[test]
fn conditions_of_forms_are_said_as_they_were_written() {
    let face = Face::new();
    for (condition, shown) in [
        (r#"["eq","$acl","private"]"#, r#"["eq","$acl","private"]"#),
        (r#"[ "eq", "$acl", "private"]"#, r#"[ "eq", "$acl", "private"]"#),
        (r#"["eq","acl","a"]"#, r#"["eq","acl","a"]"#),
        (r#"{"acl":"private"}"#, r#"["eq", "$acl", "private"]"#),
    ] {
        let refused = post(&face, &policy(&format!(",{condition}")), &[("acl", "public-read")]);
        let message = format!("Invalid according to Policy: Policy Condition failed: {shown}");
        assert_eq!(said(&refused), ("AccessDenied", message, "", ""), "{condition}");
    }
    let refused = post(&face, &policy(""), &[("acl", "private")]);
    let message = "Invalid according to Policy: Extra input fields: acl".to_owned();
    assert_eq!(said(&refused), ("AccessDenied", message, "", ""));
    let spanish = [("Content-Language", "es")];
    assert_eq!(post(&face, &policy(r#",{"content-language":"es"}"#), &spanish).status(), 204);
    assert_eq!(header(&face.send("GET", "/photos/k", &[], ""), "content-language"), "es");
}

#[test]
fn fields_of_forms_that_cannot_be() {
    let face = Face::new();
    let field = |name: &str, value: &str| {
        let refused = post(&face, &policy(&format!(r#",["starts-with","${name}",""]"#)), &[(name, value)]);
        let (code, message, argument, found) = said(&refused);
        let about = if argument.is_empty() { String::new() } else { format!(" ({argument} {found})") };
        format!("{code}: {message}{about}")
    };
    for (credential, flaw) in [
        (
            "a/20250101/us-east-1/sqs/aws4_request",
            r#"incorrect service "sqs". This endpoint belongs to "s3"."#,
        ),
        ("a/20250101/us-east-1/s3/end", r#"incorrect terminal "end". This endpoint uses "aws4_request"."#),
        (
            "a/today/us-east-1/s3/aws4_request",
            r#"incorrect date format "today". This date in the credential must be in the format "yyyyMMdd"."#,
        ),
    ] {
        let refused = field("x-amz-credential", credential);
        assert_eq!(refused, format!("InvalidArgument: {flaw} (X-Amz-Credential {credential})"));
    }
    let date = "InvalidArgument: X-Amz-Date must be formated via ISO8601 Long format (X-Amz-Date today)";
    assert_eq!(field("x-amz-date", "today"), date);
    let unknown = "InvalidRequest: The algorithm type you specified in x-amz-checksum- header is invalid.";
    assert_eq!(field("x-amz-checksum-rot13", "a"), unknown);
    let wrong = "InvalidRequest: Value for x-amz-checksum-crc32 header is invalid.";
    assert_eq!(field("x-amz-checksum-crc32", "a"), wrong);
    let both = [("x-amz-checksum-crc32", "NhCmhg=="), ("x-amz-checksum-crc32c", "mnG7TA==")];
    let conditions = r#",{"x-amz-checksum-crc32":"NhCmhg=="},{"x-amz-checksum-crc32c":"mnG7TA=="}"#;
    let several = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
    assert_eq!(said(&post(&face, &policy(conditions), &both)), invalid(several));
}
