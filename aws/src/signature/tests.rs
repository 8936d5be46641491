//! Signatures against the examples that AWS publishes, and against what is wrong with them.

use super::*;

const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn keys() -> Keys {
    Keys::from([("AKIDEXAMPLE".to_owned(), KEY.to_owned())])
}

fn head(request: http::request::Builder) -> Parts {
    request.body(()).unwrap().into_parts().0
}

/// `get-vanilla-query-order-key-case` of the suite of examples.
fn example(signature: &str) -> Parts {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={signature}"
    );
    head(
        http::Request::get("/?Param2=value2&Param1=value1")
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header("authorization", authorization),
    )
}

const RIGHT: &str = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";

fn check(head: &Parts, body: &[u8], now: &str) -> Result<()> {
    verify(&keys(), head, body, Scope::of(head).as_ref(), parse_date(now).unwrap())
}

#[test]
fn the_published_example_is_right() {
    check(&example(RIGHT), b"", "20150830T123600Z").unwrap();
}

#[test]
fn another_signature_body_or_key_is_wrong() {
    let name = |result: Result<()>| result.unwrap_err().name;
    let flipped = RIGHT.replacen('b', "c", 1);
    assert_eq!(name(check(&example(&flipped), b"", "20150830T123600Z")), "InvalidSignatureException");
    assert_eq!(name(check(&example("zz"), b"", "20150830T123600Z")), "InvalidSignatureException");
    assert_eq!(name(check(&example(RIGHT), b"x", "20150830T123600Z")), "InvalidSignatureException");
    let head = example(RIGHT);
    let unknown =
        verify(&Keys::new(), &head, b"", Scope::of(&head).as_ref(), Timestamp::from_secs(1_440_938_160));
    assert_eq!(name(unknown), "UnrecognizedClientException");
}

#[test]
fn headers_of_a_service_must_be_signed() {
    let mut extended = example(RIGHT);
    extended.headers.insert("x-amz-user-agent", "me".parse().unwrap());
    check(&extended, b"", "20150830T123600Z").unwrap();
    extended.headers.insert("x-amz-target", "Service.Verb".parse().unwrap());
    let refusal = check(&extended, b"", "20150830T123600Z").unwrap_err();
    assert_eq!(refusal.name, "InvalidSignatureException");
    assert!(refusal.message.contains("'x-amz-target'"), "{}", refusal.message);
}

#[test]
fn values_are_signed_whatever_their_bytes() {
    let value = |bytes: &[u8]| http::HeaderValue::from_bytes(bytes).unwrap();
    let mut head = head(http::Request::get("/").header("x-amz-meta-a", " a  b "));
    head.headers.append("x-amz-meta-a", value("K\u{f6}ln".as_bytes()));
    head.headers.append("x-amz-meta-a", value(b"K\xf6ln"));
    assert_eq!(canonical_header(&head, "x-amz-meta-a"), "a b,K\u{f6}ln,K\u{f6}ln");
}

#[test]
fn a_signature_is_good_for_a_quarter_of_an_hour() {
    for (now, is_good) in [
        ("20150830T125100Z", true),
        ("20150830T125101Z", false),
        ("20150830T122100Z", true),
        ("20150830T122059Z", false),
    ] {
        assert_eq!(check(&example(RIGHT), b"", now).is_ok(), is_good, "{now}");
    }
}

#[test]
fn what_is_missing_is_said() {
    let none = head(http::Request::get("/"));
    assert_eq!(check(&none, b"", "20150830T123600Z").unwrap_err().query_code(), "MissingAuthenticationToken");
    for authorization in ["AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request", "Basic x", "AWS4-HMAC-SHA256"] {
        let head = head(http::Request::get("/").header("authorization", authorization));
        assert_eq!(check(&head, b"", "20150830T123600Z").unwrap_err().query_code(), "IncompleteSignature");
    }
}

#[test]
fn scopes_are_found_in_headers_and_urls() {
    let url = "/?X-Amz-Credential=AKID%2F20150830%2Feu-west-1%2Fsqs%2Faws4_request";
    let head = head(http::Request::get(url));
    let scope = Scope::of(&head).unwrap();
    assert_eq!((&*scope.key_id, &*scope.region, &*scope.service), ("AKID", "eu-west-1", "sqs"));
    assert_eq!(Scope::parse("a/b/c"), None);
    assert_eq!(Scope::parse("a/b/20150830/r/s/aws4_request").unwrap().key_id, "a/b");
}

#[test]
fn dates_are_read() {
    let seconds = |text| parse_date(text).map(Timestamp::as_secs);
    assert_eq!(seconds("19700101T000000Z"), Some(0));
    assert_eq!(seconds("20000229T000000Z"), Some(951_782_400));
    assert_eq!(seconds("20150830T123600Z"), Some(1_440_938_160));
    for bad in
        ["", "20150830", "20151330T123600Z", "20150830T243600Z", "2015083\u{20ac}12360Z", "+0150830T123600Z"]
    {
        assert_eq!(seconds(bad), None, "{bad}");
    }
}
