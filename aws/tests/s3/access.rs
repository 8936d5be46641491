//! Who may do what: lists, policies, presigned URLs, forms, pages of other origins.

use super::*;
use std::time::Duration;

#[test]
fn nobody_reads_what_is_not_public() {
    let face = Face::new();
    face.send("PUT", "/photos/k", &[], "x");
    let get = |path: &str| face.unsigned("GET", path, &[], "").status().as_u16();
    assert_eq!(
        [get("/photos"), get("/photos/k"), get("/photos/none"), get("/nowhere")],
        [403, 403, 403, 404]
    );
    face.send("PUT", "/photos/k?acl", &[("x-amz-acl", "public-read")], "");
    assert_eq!([get("/photos"), get("/photos/k")], [403, 200]);
    face.send("PUT", "/photos?acl", &[("x-amz-acl", "public-read")], "");
    assert_eq!([get("/photos"), get("/photos/none"), get("/photos?acl")], [200, 404, 403]);
    assert_eq!(face.unsigned("PUT", "/photos/new", &[], "x").status(), 403);
    let acl = face.get("/photos?acl");
    assert!(acl.contains(
        "<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission>"
    ));
    assert_eq!(face.send("PUT", "/photos?acl", &[], &acl).status(), 200);
    assert_eq!(face.get("/photos?acl"), acl);
    let bad = face.send("PUT", "/photos?acl", &[("x-amz-acl", "everything")], "");
    assert_eq!((refusal(&bad), element(text(&bad), "ArgumentName")), (("InvalidArgument", 400), "x-amz-acl"));
    assert_eq!(refusal(&face.send("PUT", "/photos?acl", &[], "<x/>")), ("MalformedACLError", 400));
}

#[test]
fn policies_allow_and_deny() {
    let face = Face::new();
    face.send("PUT", "/photos/open/k", &[], "x");
    face.send("PUT", "/photos/k", &[], "x");
    let policy = |effect: &str| {
        format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"{effect}\",\"Principal\":\"*\",\"Action\":\"s3:Get*\",\
             \"Resource\":\"arn:aws:s3:::photos/open/*\",\"Condition\":{{\"StringEquals\":{{\"aws:Referer\":\"me\"}}}}}}]}}"
        )
    };
    assert_eq!(face.send("PUT", "/photos?policy", &[], &policy("Allow")).status(), 204);
    assert_eq!(face.get("/photos?policy"), policy("Allow"));
    let get =
        |path: &str, referer: &str| face.unsigned("GET", path, &[("referer", referer)], "").status().as_u16();
    assert_eq!(
        [get("/photos/open/k", "me"), get("/photos/open/k", "you"), get("/photos/k", "me")],
        [200, 403, 403]
    );
    face.send("PUT", "/photos?policy", &[], &policy("Deny"));
    let own =
        |referer: &str| face.send("GET", "/photos/open/k", &[("referer", referer)], "").status().as_u16();
    assert_eq!([own("me"), own("you")], [403, 200]);
    assert_eq!(face.send("DELETE", "/photos?policy", &[], "").status(), 204);
    assert_eq!(own("me"), 200);
}

#[test]
fn who_may_write_may_not_grant() {
    let face = Face::new();
    let allow = |action: &str| {
        let policy = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":"*","Action":{action},"Resource":"arn:aws:s3:::photos/*"}},
             {{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/*",
             "Condition":{{"StringEquals":{{"s3:x-amz-acl":"public-read-write"}}}}}}]}}"#
        );
        assert_eq!(face.send("PUT", "/photos?policy", &[], &policy).status(), 204);
    };
    let put = |headers: &[(&str, &str)]| face.unsigned("PUT", "/photos/k", headers, "x").status().as_u16();
    let public = ("x-amz-acl", "public-read");
    let tagged = ("x-amz-tagging", "a=1");
    allow(r#""s3:PutObject""#);
    assert_eq!([put(&[]), put(&[public]), put(&[tagged])], [200, 403, 403]);
    allow(r#"["s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging"]"#);
    assert_eq!([put(&[public]), put(&[tagged]), put(&[public, tagged])], [200, 200, 200]);
    // The header that is heeded is the one that is judged.
    let open = ("x-amz-acl", "public-read-write");
    assert_eq!([put(&[open]), put(&[open, ("x-amz-acl", "private")])], [403, 403]);
}

#[test]
fn policies_know_the_account_of_the_bucket() {
    let face = Face::new();
    face.send("PUT", "/photos/k", &[], "x");
    let get = |statement: &str| {
        let policy =
            format!(r#"{{"Statement":{{"Effect":"Deny","Resource":"arn:aws:s3:::photos/*",{statement}}}}}"#);
        assert_eq!(face.send("PUT", "/photos?policy", &[], &policy).status(), 204);
        face.send("GET", "/photos/k", &[], "").status().as_u16()
    };
    let root = r#"{"AWS":"arn:aws:iam::000000000000:root"}"#;
    assert_eq!(get(&format!(r#""Principal":{root},"Action":"s3:GetObject""#)), 403);
    assert_eq!(get(&format!(r#""NotPrincipal":{root},"Action":"s3:GetObject""#)), 200);
    assert_eq!(get(r#""Principal":{"AWS":"111111111111"},"Action":"s3:GetObject""#), 200);
    assert_eq!(get(r#""Principal":"*","NotAction":"s3:getobject""#), 200);
    assert_eq!(get(r#""Principal":"*","NotAction":"s3:PutObject""#), 403);
    let plain = r#""Principal":"*","Action":"s3:*","Condition":{"Bool":{"aws:SecureTransport":false}}"#;
    assert_eq!(get(plain), 403);
}

#[test]
fn presigned_urls_end_by_the_clock_of_the_store() {
    let face = Face::new();
    face.send("PUT", "/photos/k", &[], "x");
    let query = |expires: &str| {
        format!(
            "/photos/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20250101%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20250101T000000Z&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
        )
    };
    let get = |expires: &str| face.unsigned("GET", &query(expires), &[], "");
    assert_eq!(get("60").status(), 200);
    for bad in ["0", "-1", "604801", "x"] {
        assert!(matches!(get(bad).status().as_u16(), 400 | 403), "{bad}");
    }
    assert_eq!(face.unsigned("GET", "/photos/k?X-Amz-Algorithm=AWS4-HMAC-SHA256", &[], "").status(), 400);
    let old = "/photos/k?AWSAccessKeyId=a&Signature=x&Expires=1735689660";
    assert_eq!(face.unsigned("GET", old, &[], "").status(), 200);
    face.clock.advance(Duration::from_secs(61));
    let ended = get("60");
    assert_eq!(
        (refusal(&ended), element(text(&ended), "Expires")),
        (("AccessDenied", 403), "2025-01-01T00:01:00Z")
    );
    assert_eq!(face.unsigned("GET", old, &[], "").status(), 403);
    let typed = query("600") + "&response-content-type=a/b";
    assert_eq!(header(&face.unsigned("GET", &typed, &[], ""), "content-type"), "a/b");
}

#[test]
fn heads_that_are_no_signatures() {
    let face = Face::new();
    for (value, expected) in [
        ("", ("AccessDenied", 403)),
        ("AWS HAHAHA", ("InvalidArgument", 400)),
        ("Basic x", ("InvalidArgument", 400)),
        ("AWS4-HMAC-SHA256 x", ("AuthorizationHeaderMalformed", 400)),
        ("AWS4-HMAC-SHA256 a=1,Signature=0,b", ("AuthorizationHeaderMalformed", 400)),
        ("AWS4-HMAC-SHA256", ("InvalidArgument", 400)),
        (OWNER, ("AccessDenied", 403)),
    ] {
        assert_eq!(
            refusal(&face.unsigned("GET", "/photos/k", &[("authorization", value)], "")),
            expected,
            "{value}"
        );
    }
    for (value, message) in [
        ("Credential=a", "requires three components: Credential, SignedHeaders, and Signature."),
        ("Credential=a, b, c=d", "the authorization component \"b\" is malformed."),
        ("Credential=a, b=c, Signature=d", "missing SignedHeaders."),
    ] {
        let value = format!("AWS4-HMAC-SHA256 {value}");
        let refused = face.unsigned("GET", "/photos/k", &[("authorization", &value)], "");
        let found = element(text(&refused), "Message").replace("&quot;", "\"");
        assert!(
            found.starts_with("The authorization header is malformed; ") && found.ends_with(message),
            "{found}"
        );
    }
    let twice = face.send("GET", "/photos/k?X-Amz-Algorithm=x", &[], "");
    assert_eq!(refusal(&twice), ("InvalidArgument", 400));
}

#[test]
fn keys_of_other_accounts() {
    let face = Face::empty(|router| router.key("AKID", "SECRET"));
    let refused = face.send("GET", "/photos", &[], "");
    assert_eq!(refusal(&refused), ("InvalidRequest", 400));
    let hashed = face.send("GET", "/photos", &[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")], "");
    assert_eq!(
        (refusal(&hashed), element(text(&hashed), "AWSAccessKeyId")),
        (("InvalidAccessKeyId", 403), "a")
    );
    face.clock.advance(Duration::from_secs(901));
    let late = face.send("GET", "/photos", &[], "");
    assert_eq!(
        (refusal(&late), element(text(&late), "MaxAllowedSkewMilliseconds")),
        (("RequestTimeTooSkewed", 403), "900000")
    );
}

fn form(fields: &[(&str, &str)], file: &str) -> String {
    let field = |(name, value): &(&str, &str)| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let fields: Vec<String> = fields.iter().map(field).collect();
    let head = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\nContent-Type: a/b\r\n\r\n";
    format!("{}{head}{file}\r\n--B--\r\n", fields.concat())
}

#[test]
fn forms_without_a_policy_are_from_nobody() {
    let face = Face::new();
    let post = |fields: &[(&str, &str)], file: &str| {
        let kind = ("content-type", "multipart/form-data; boundary=B");
        face.unsigned("POST", "/photos", &[kind], &form(fields, file))
    };
    assert_eq!(refusal(&post(&[("key", "k")], "x")), ("AccessDenied", 403));
    face.send("PUT", "/photos?acl", &[("x-amz-acl", "public-read-write")], "");
    let file = "line\r\n--not the end\r\n".repeat(1000);
    let done =
        post(&[("key", "up/${filename}"), ("success_action_status", "201"), ("x-amz-meta-a", "1")], &file);
    assert_eq!((done.status().as_u16(), element(text(&done), "Key")), (201, "up/f.txt"));
    let got = face.send("GET", "/photos/up/f.txt", &[], "");
    assert_eq!(
        (text(&got), header(&got, "content-type"), header(&got, "x-amz-meta-a")),
        (&*file, "binary/octet-stream", "1")
    );
    let moved = post(&[("key", "k"), ("success_action_redirect", "http://x.test/")], "x");
    assert_eq!(
        (moved.status().as_u16(), header(&moved, "location")),
        (303, "http://x.test/?bucket=photos&key=k&etag=%229dd4e461268c8034f5c8564e155c67a6%22")
    );
    assert_eq!(post(&[("key", "k"), ("success_action_status", "404")], "x").status(), 204);
    assert_eq!(refusal(&post(&[("name", "k")], "x")), ("InvalidArgument", 400));
    let twice = post(&[("key", "k"), ("x-amz-meta-a", "1"), ("X-Amz-Meta-A", "2")], "x");
    assert_eq!(
        (refusal(&twice), element(text(&twice), "ArgumentValue")),
        (("InvalidArgument", 400), "X-Amz-Meta-A")
    );
    let kind = ("content-type", "multipart/form-data; boundary=B");
    let cut = form(&[("key", "cut")], "x");
    let cut = face.unsigned("POST", "/photos", &[kind], &cut[..cut.len() - 8]);
    assert_eq!(refusal(&cut), ("MalformedPOSTRequest", 400));
    assert_eq!(refusal(&face.send("GET", "/photos/cut", &[], "")), ("NoSuchKey", 404));
}

#[test]
fn pages_of_other_origins() {
    let face = Face::new();
    let ask = |headers: &[(&str, &str)]| face.unsigned("OPTIONS", "/photos/k", headers, "");
    let (origin, method) = (("origin", "http://a.test"), ("access-control-request-method", "PUT"));
    assert_eq!(refusal(&ask(&[])), ("BadRequest", 400));
    assert_eq!(refusal(&ask(&[origin, method])), ("AccessForbidden", 403));
    let wrong = ask(&[origin, ("access-control-request-method", "put")]);
    assert_eq!(
        (refusal(&wrong), element(text(&wrong), "Message")),
        (("BadRequest", 400), "Invalid Access-Control-Request-Method: put")
    );
    let wrong = ask(&[origin, method, ("access-control-request-headers", "x-a, x b")]);
    assert_eq!(refusal(&wrong), ("BadRequest", 400));
    assert!(element(text(&wrong), "Message").contains("x b&quot; contains invalid character."));
    let rules = "<CORSConfiguration><CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>http://*.test</AllowedOrigin>\
                 <AllowedHeader>x-*</AllowedHeader><ExposeHeader>etag</ExposeHeader><MaxAgeSeconds>7</MaxAgeSeconds></CORSRule></CORSConfiguration>";
    face.send("PUT", "/photos?cors", &[], rules);
    let allowed = ask(&[origin, method, ("access-control-request-headers", "x-a, X-B")]);
    assert_eq!(allowed.status(), 200);
    for (name, value) in [
        ("access-control-allow-origin", "http://a.test"),
        ("access-control-allow-methods", "PUT"),
        ("access-control-allow-headers", "x-a, x-b"),
        ("access-control-expose-headers", "etag"),
        ("access-control-max-age", "7"),
        ("access-control-allow-credentials", "true"),
    ] {
        assert_eq!(header(&allowed, name), value);
    }
    assert!(header(&allowed, "vary").starts_with("Origin"));
    assert_eq!(
        refusal(&ask(&[origin, method, ("access-control-request-headers", "y")])),
        ("AccessForbidden", 403)
    );
    let refused = face.unsigned("PUT", "/photos/k", &[origin], "x");
    assert_eq!(
        (refused.status().as_u16(), header(&refused, "access-control-allow-origin")),
        (403, "http://a.test")
    );
    assert_eq!(header(&face.unsigned("GET", "/photos/k", &[origin], ""), "access-control-allow-origin"), "");
}
