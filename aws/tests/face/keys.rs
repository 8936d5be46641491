//! Who is let in.

use crate::{now, request, text};
use bytes::Bytes;
use fourfold::{ManualClock, Store};
use fourfold_aws::Router;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

const DAY: &str = "20250101";
const DATE: &str = "20250101T000000Z";

fn router() -> Router {
    let store = Store::builder().clock(ManualClock::default()).open_in_memory();
    Router::new(store).key("OWN", "secret").key_of("111122223333", "OTHER", "secret")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Signs as the documentation of the service says it is done.
fn signed(key: &str, service: &str, headers: &[(&'static str, &str)], body: &str) -> Request<Bytes> {
    let mut all = vec![("host", "fourfold.local"), ("x-amz-date", DATE)];
    all.extend(headers);
    all.sort_unstable();
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines = all.iter().fold(String::new(), |lines, (name, value)| lines + name + ":" + value + "\n");
    let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", hex(&Sha256::digest(body)));
    let scope = format!("{DAY}/us-east-1/{service}/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{DATE}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let signing = [DAY, "us-east-1", service, "aws4_request"];
    let signing = signing.iter().fold(b"AWS4secret".to_vec(), |key, part| mac(&key, part));
    let signature = hex(&mac(&signing, &to_sign));
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}");
    let request = all.iter().fold(Request::post("/"), |request, (name, value)| request.header(*name, *value));
    request.header("authorization", authorization).body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

#[test]
fn resources_are_of_the_store_s_account_and_denied_to_others() {
    let target = [("x-amz-target", "AmazonSQS.ListQueues")];
    let own = now(router().call(signed("OWN", "sqs", &target, "{}")));
    assert_eq!((own.status().as_u16(), text(&own)), (200, "{}"));
    let other = now(router().call(signed("OTHER", "sqs", &target, "{}")));
    assert_eq!(other.status(), 403);
    assert!(
        text(&other).contains("AccessDenied") && text(&other).contains("111122223333"),
        "{}",
        text(&other)
    );
    let nobody = now(router().call(request("AmazonSQS.ListQueues", "{}")));
    assert!(nobody.status() == 403 && text(&nobody).contains("MissingAuthenticationToken"));
}

#[test]
fn everybody_is_told_whose_key_it_is() {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for (key, account) in [("OWN", "000000000000"), ("OTHER", "111122223333")] {
        let answer =
            now(router().call(signed(key, "sts", &form, "Action=GetCallerIdentity&Version=2011-06-15")));
        let arn = format!("<Arn>arn:aws:iam::{account}:root</Arn>");
        assert!(answer.status() == 200 && text(&answer).contains(&arn), "{}", text(&answer));
    }
}
