//! Who asks: signatures in headers and in the query of a URL.
//!
//! The form of a signature, and the time that a URL is good for, are checked always; the signature itself when keys are
//! known. An unsigned request is let on as from nobody, and may do what is public.

use crate::form;
use crate::s3::access::Caller;
use crate::s3::ask::{Query, Target};
use crate::s3::chunked::mismatch_of;
use crate::s3::document::{iso_of_refusal, parse_http_date};
use crate::s3::error::{Error, Result};
use crate::s3::intake::Seal;
use crate::s3::old;
use crate::signature::{
    ALGORITHM, EXPIRES_MAX, Keys, SKEW_MAX, Scope, canonical_header, canonical_query, from_hex, hex, mac,
    parse_date, signing_key, unsigned,
};
use fourfold::Timestamp;
use hmac::Mac;
use http::request::Parts;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Who asks, and what chunks of the body are signed with.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) caller: Caller,
    pub(crate) seal: Option<Seal>,
}

/// What is known when a request comes.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) keys: &'a Keys,
    /// Whose keys those are that are not of the store's own account.
    pub(crate) accounts: &'a BTreeMap<String, String>,
    /// The store's own.
    pub(crate) account: &'a str,
    pub(crate) now: Timestamp,
}

/// A signature of version 4.
struct Signature<'a> {
    scope: &'a Scope,
    date: String,
    signed_headers: String,
    mac: String,
    payload: String,
}

impl Gate<'_> {
    pub(crate) fn admit(
        &self,
        head: &Parts,
        scope: Option<&Scope>,
        target: &Target,
        query: &Query,
    ) -> Result<Admission> {
        let is_presigned = query.has("X-Amz-Algorithm") || query.has("X-Amz-Signature");
        let is_presigned_old = query.has("Signature") && query.has("AWSAccessKeyId");
        let header = head.headers.get("authorization").map(|text| text.to_str().unwrap_or_default());
        match header {
            Some(_) if is_presigned || is_presigned_old => Err(Error::argument(
                "Authorization",
                header.unwrap_or_default(),
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                 parameter or the Authorization header should be specified",
            )),
            Some(text) if text.starts_with(ALGORITHM) && text.contains(' ') => self.signed(head, text, scope),
            Some(text) => self.signed_old(head, target, query, text),
            None if is_presigned => self.presigned(head, scope, query),
            None if is_presigned_old => self.presigned_old(head, target, query),
            None => Ok(Admission { caller: Caller::Anonymous, seal: None }),
        }
    }

    fn caller(&self, key_id: &str) -> Caller {
        match self.accounts.get(key_id) {
            Some(account) if account != self.account => Caller::Other(account.clone()),
            _ => Caller::Owner,
        }
    }

    fn signed(&self, head: &Parts, text: &str, scope: Option<&Scope>) -> Result<Admission> {
        let parts: Vec<&str> =
            text.get(ALGORITHM.len()..).unwrap_or_default().split(',').map(str::trim).collect();
        if parts.len() != 3 {
            return Err(malformed(
                "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
            ));
        }
        if let Some(bad) = parts.iter().find(|part| !part.contains('=')) {
            return Err(malformed(&format!("the authorization component \"{bad}\" is malformed.")));
        }
        let part = |name: &str| {
            let mut pairs = parts.iter().filter_map(|part| part.split_once('='));
            let found = pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
            found.ok_or_else(|| malformed(&format!("missing {name}.")))
        };
        let credential = part("Credential")?;
        let (signed_headers, mac) = (part("SignedHeaders")?, part("Signature")?);
        let bad_scope = || malformed(&flaw_of_credential(&credential).unwrap_or_default());
        let scope = scope.ok_or_else(bad_scope)?;
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let date = header("x-amz-date").or(header("date")).unwrap_or_default().to_owned();
        let signed = parse_date(&date).or_else(|| parse_http_date(&date));
        let signed = signed.ok_or_else(no_date)?;
        if self.keys.is_empty() {
            return Ok(Admission { caller: self.caller(&scope.key_id), seal: None });
        }
        self.check_skew(&date, signed)?;
        if let Some(flaw) = flaw_of_credential(&credential).or_else(|| flaw_of_day(&credential, signed)) {
            return Err(malformed(&flaw));
        }
        let payload = header("x-amz-content-sha256").ok_or_else(|| {
            Error::request("Missing required header for this request: x-amz-content-sha256")
        })?;
        let date = if parse_date(&date).is_some() { date } else { basic(signed) };
        let signature = Signature { scope, date, signed_headers, mac, payload: payload.to_owned() };
        let seal = self.verify(head, &signature)?;
        Ok(Admission { caller: self.caller(&scope.key_id), seal: Some(seal) })
    }

    fn check_skew(&self, date: &str, signed: Timestamp) -> Result<()> {
        if signed <= self.now + SKEW_MAX && self.now <= signed + SKEW_MAX {
            return Ok(());
        }
        let message = "The difference between the request time and the current time is too large.";
        Err(Error::new("RequestTimeTooSkewed", 403, message)
            .with("RequestTime", date)
            .with("ServerTime", iso_of_refusal(self.now))
            .with("MaxAllowedSkewMilliseconds", SKEW_MAX.as_millis().to_string()))
    }

    fn verify(&self, head: &Parts, signature: &Signature<'_>) -> Result<Seal> {
        let unsigned = unsigned(head, &signature.signed_headers);
        if !unsigned.is_empty() {
            let message = "There were headers present in the request which were not signed";
            return Err(
                Error::new("AccessDenied", 403, message).with("HeadersNotSigned", unsigned.join(", "))
            );
        }
        let id = &signature.scope.key_id;
        let Some(secret) = self.keys.get(id) else { return Err(unknown_key(id)) };
        let canonical = signature.canonical(head);
        let hash = hex(&Sha256::digest(&canonical));
        let scope = signature.scope.text();
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{hash}", signature.date);
        let key = signing_key(secret, signature.scope);
        let is_right = mac(&key, text.as_bytes())
            .and_then(|mac| mac.verify_slice(&from_hex(&signature.mac)?).ok())
            .is_some();
        if !is_right {
            return Err(mismatch_of(id, &text, &signature.mac, Some(&canonical)));
        }
        Ok(Seal { key, date: signature.date.clone(), scope, signature: signature.mac.clone() })
    }

    fn presigned(&self, head: &Parts, scope: Option<&Scope>, query: &Query) -> Result<Admission> {
        let part = |name: &str| query.get(name).filter(|value| !value.is_empty());
        let parts =
            ["X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Expires", "X-Amz-Credential"];
        let [Some(date), Some(signed_headers), Some(mac), Some(expires), Some(_)] = parts.map(part) else {
            return Err(bad_query(
                400,
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            ));
        };
        let scope = scope.ok_or_else(|| {
            let flaw = flaw_of_credential(query.get("X-Amz-Credential").unwrap_or_default());
            let flaw = flaw.unwrap_or_default();
            bad_query(400, &format!("Error parsing the X-Amz-Credential parameter; {flaw}"))
        })?;
        if query.get("X-Amz-Algorithm") != Some(ALGORITHM) {
            return Err(bad_query(
                400,
                "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"",
            ));
        }
        let signed = parse_date(date).ok_or_else(|| {
            bad_query(400, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        })?;
        let seconds: i64 = expires.parse().map_err(|_| bad_query(400, "X-Amz-Expires should be a number"))?;
        let seconds =
            u64::try_from(seconds).map_err(|_| bad_query(403, "X-Amz-Expires must be non-negative"))?;
        if seconds > EXPIRES_MAX {
            return Err(bad_query(
                403,
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less \
                 than 604800 seconds",
            ));
        }
        let end = signed + Duration::from_secs(seconds);
        if seconds == 0 || self.now > end {
            let mut error = expired(end, self.now);
            error.details.insert(0, ("X-Amz-Expires", expires.to_owned()));
            return Err(error);
        }
        if signed > self.now + SKEW_MAX {
            return Err(Error::new("AccessDenied", 403, "Request is not valid yet"));
        }
        let caller = self.caller(&scope.key_id);
        if self.keys.is_empty() {
            return Ok(Admission { caller, seal: None });
        }
        let credential = query.get("X-Amz-Credential").unwrap_or_default();
        if let Some(flaw) = flaw_of_credential(credential) {
            return Err(bad_query(400, &format!("Error parsing the X-Amz-Credential parameter; {flaw}")));
        }
        if let Some(flaw) = flaw_of_day(credential, signed) {
            return Err(bad_query(400, &flaw));
        }
        let header = head.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
        let payload = header.or(query.get("X-Amz-Content-Sha256")).unwrap_or("UNSIGNED-PAYLOAD").to_owned();
        let (date, signed_headers, mac) = (date.to_owned(), signed_headers.to_owned(), mac.to_owned());
        let seal = self.verify(head, &Signature { scope, date, signed_headers, mac, payload })?;
        Ok(Admission { caller, seal: Some(seal) })
    }

    /// Version 2 in a header: `AWS key:signature`.
    fn signed_old(&self, head: &Parts, target: &Target, query: &Query, text: &str) -> Result<Admission> {
        if text.trim().is_empty() {
            return Err(Error::denied());
        }
        if !text.trim().contains(' ') {
            let rule = "Authorization header is invalid -- one and only one ' ' (space) required.";
            return Err(Error::argument("Authorization", text, rule));
        }
        let Some(rest) = text.strip_prefix("AWS ") else {
            return Err(Error::argument("Authorization", text, "Unsupported Authorization Type"));
        };
        let Some((key_id, mac)) = rest.split_once(':').filter(|(id, mac)| !id.is_empty() && !mac.is_empty())
        else {
            let message = "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature";
            return Err(Error::argument("Authorization", text, message));
        };
        if self.keys.is_empty() {
            return Ok(Admission { caller: self.caller(key_id), seal: None });
        }
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let date = header("x-amz-date").or(header("date")).unwrap_or_default();
        let signed = parse_http_date(date).or_else(|| parse_date(date)).ok_or_else(no_date)?;
        self.check_skew(date, signed)?;
        let caller = self.admit_old(key_id, &old::text(head, target, query, None), mac)?;
        Ok(Admission { caller, seal: None })
    }

    /// Version 2 in the query.
    fn presigned_old(&self, head: &Parts, target: &Target, query: &Query) -> Result<Admission> {
        let get = |name: &str| query.get(name).unwrap_or_default();
        let Ok(end) = get("Expires").parse::<i64>() else {
            let message =
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters";
            return Err(Error::new("AccessDenied", 403, message));
        };
        let end = Timestamp::from_secs(u64::try_from(end).unwrap_or(0));
        if self.now > end {
            return Err(expired(end, self.now));
        }
        let text = old::text(head, target, query, Some(get("Expires")));
        let caller = self.admit_old(get("AWSAccessKeyId"), &text, get("Signature"))?;
        Ok(Admission { caller, seal: None })
    }

    /// Who signed a text by version 2.
    fn admit_old(&self, key_id: &str, text: &str, mac: &str) -> Result<Caller> {
        if self.keys.is_empty() {
            return Ok(self.caller(key_id));
        }
        let Some(secret) = self.keys.get(key_id) else { return Err(unknown_key(key_id)) };
        if old::is_right(secret, text, mac) {
            return Ok(self.caller(key_id));
        }
        Err(mismatch_of(key_id, text, mac, None))
    }

    /// Checks the policy of a form, which is what is signed there.
    pub(crate) fn admit_form(
        &self,
        policy: &str,
        credential: Option<&str>,
        signature: Option<&str>,
    ) -> Result<Caller> {
        let Some(scope) = credential.and_then(Scope::parse) else {
            let given = credential.unwrap_or_default();
            return Err(Error::argument("X-Amz-Credential", given, MALFORMED_CREDENTIAL));
        };
        let caller = self.caller(&scope.key_id);
        if self.keys.is_empty() {
            return Ok(caller);
        }
        let Some(secret) = self.keys.get(&scope.key_id) else { return Err(unknown_key(&scope.key_id)) };
        let is_right = mac(&signing_key(secret, &scope), policy.as_bytes())
            .and_then(|mac| mac.verify_slice(&from_hex(signature?)?).ok())
            .is_some();
        let provided = signature.unwrap_or_default();
        if is_right { Ok(caller) } else { Err(mismatch_of(&scope.key_id, policy, provided, None)) }
    }

    /// The same by version 2.
    pub(crate) fn admit_form_old(&self, policy: &str, key_id: &str, signature: &str) -> Result<Caller> {
        self.admit_old(key_id, policy, signature)
    }
}

impl Signature<'_> {
    /// The text that is signed, without its frame. S3 encodes the path once, and not once more.
    fn canonical(&self, head: &Parts) -> String {
        let mut text = format!("{}\n", head.method);
        match form::decode_url(head.uri.path()) {
            Some(path) => form::encode(&path, |byte| byte == b'/', &mut text),
            None => text.push_str(head.uri.path()),
        }
        text.push('\n');
        text.push_str(&canonical_query(head.uri.query().unwrap_or_default()));
        text.push('\n');
        for name in self.signed_headers.split(';') {
            let _ = writeln!(text, "{name}:{}", canonical_header(head, name));
        }
        let _ = write!(text, "\n{}\n{}", self.signed_headers, self.payload);
        text
    }
}

/// What a credential is not as it should be, if it is not.
pub(crate) fn flaw_of_credential(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.rsplitn(5, '/').collect();
    let [terminal, service, _, day, id] = parts[..] else {
        return Some(MALFORMED_CREDENTIAL.to_owned());
    };
    if id.is_empty() {
        Some(MALFORMED_CREDENTIAL.to_owned())
    } else if terminal != "aws4_request" {
        Some(format!("incorrect terminal \"{terminal}\". This endpoint uses \"aws4_request\"."))
    } else if service != "s3" {
        Some(format!("incorrect service \"{service}\". This endpoint belongs to \"s3\"."))
    } else if day.len() != 8 || !day.bytes().all(|byte| byte.is_ascii_digit()) {
        Some(format!(
            "incorrect date format \"{day}\". This date in the credential must be in the format \"yyyyMMdd\"."
        ))
    } else {
        None
    }
}

/// What is wrong with the day of a credential, if it is not the one of the request.
fn flaw_of_day(credential: &str, signed: Timestamp) -> Option<String> {
    let day = credential.rsplit('/').nth(3).unwrap_or_default();
    let signed: String = basic(signed).chars().take(8).collect();
    (day != signed).then(|| {
        format!("Invalid credential date \"{day}\". This date is not the same as X-Amz-Date: \"{signed}\".")
    })
}

const MALFORMED_CREDENTIAL: &str =
    "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";

#[cold]
fn no_date() -> Error {
    Error::new("AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header")
}

/// `YYYYMMDDTHHMMSSZ`.
fn basic(time: Timestamp) -> String {
    let text: String = time.to_string().chars().filter(|char| !"-:".contains(*char)).collect();
    text.split_once('.').map_or(text.clone(), |(text, _)| format!("{text}Z"))
}

#[cold]
fn malformed(what: &str) -> Error {
    let message = format!("The authorization header is malformed; {what}");
    Error::new("AuthorizationHeaderMalformed", 400, message)
}

#[cold]
fn bad_query(status: u16, message: &str) -> Error {
    Error::new("AuthorizationQueryParametersError", status, message)
}

#[cold]
fn unknown_key(id: &str) -> Error {
    let message = "The AWS Access Key Id you provided does not exist in our records.";
    Error::new("InvalidAccessKeyId", 403, message).with("AWSAccessKeyId", id)
}

#[cold]
fn expired(end: Timestamp, now: Timestamp) -> Error {
    Error::new("AccessDenied", 403, "Request has expired")
        .with("Expires", iso_of_refusal(end))
        .with("ServerTime", iso_of_refusal(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIAL: &str = "AKID/20250101/us-east-1/s3/aws4_request";
    const DATE: &str = "20250101T000000Z";

    /// Admits a request, after a signature of what it was before `later` came.
    fn admit(signed_headers: &str, is_presigned: bool, later: &[(&str, &str)]) -> Result<Admission> {
        let keys = Keys::from([("AKID".to_owned(), "SECRET".to_owned())]);
        let accounts = BTreeMap::new();
        let now = parse_date(DATE).unwrap();
        let gate = Gate { keys: &keys, accounts: &accounts, account: "000000000000", now };
        let scope = Scope::parse(CREDENTIAL).unwrap();
        let query = format!(
            "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={DATE}&X-Amz-Expires=60&X-Amz-SignedHeaders={}",
            CREDENTIAL.replace('/', "%2F"),
            signed_headers.replace(';', "%3B")
        );
        let path = if is_presigned { format!("/photos/k?{query}") } else { "/photos/k".to_owned() };
        let request = http::Request::put(&path)
            .header("host", "h")
            .header("x-amz-acl", "private")
            .header("x-amz-date", DATE)
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let payload = "UNSIGNED-PAYLOAD".to_owned();
        let (date, signed_headers) = (DATE.to_owned(), signed_headers.to_owned());
        let signature = Signature { scope: &scope, date, signed_headers, mac: String::new(), payload };
        let hash = hex(&Sha256::digest(signature.canonical(&head)));
        let text = format!("{ALGORITHM}\n{DATE}\n{}\n{hash}", scope.text());
        let mac = mac(&signing_key("SECRET", &scope), text.as_bytes()).unwrap();
        let mac = hex(&mac.finalize().into_bytes());
        if is_presigned {
            head.uri = format!("{path}&X-Amz-Signature={mac}").parse().unwrap();
        } else {
            let names = &signature.signed_headers;
            let text = format!("{ALGORITHM} Credential={CREDENTIAL}, SignedHeaders={names}, Signature={mac}");
            head.headers.insert("authorization", text.parse().unwrap());
        }
        for (name, value) in later {
            head.headers
                .insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let query = Query::of(&head);
        gate.admit(&head, Some(&scope), &Target::default(), &query)
    }

    #[test]
    fn headers_of_the_service_must_be_signed() {
        for is_presigned in [false, true] {
            let admit = |signed: &str, later| admit(signed, is_presigned, later);
            let unsigned = |admission: Result<Admission>| {
                let error = admission.unwrap_err();
                let found = error.details.iter().find(|(name, _)| *name == "HeadersNotSigned");
                (error.code.into_owned(), found.map(|(_, names)| names.clone()).unwrap_or_default())
            };
            assert_eq!(admit("host;x-amz-acl", &[]).unwrap().caller, Caller::Owner);
            assert!(admit("host;x-amz-acl", &[("x-amz-user-agent", "me"), ("range", "a")]).is_ok());
            let copied = admit("host;x-amz-acl", &[("x-amz-copy-source", "/letters/k")]);
            assert_eq!(unsigned(copied), ("AccessDenied".to_owned(), "x-amz-copy-source".to_owned()));
            let nothing = admit("x-amz-date", &[]);
            assert_eq!(unsigned(nothing), ("AccessDenied".to_owned(), "host, x-amz-acl".to_owned()));
        }
    }
}
