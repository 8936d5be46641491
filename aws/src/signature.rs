//! Signatures of requests, version 4 (SigV4): who signed for what, and whether the secret key was at hand.
//!
//! A request is reduced to a canonical text; the signature is an HMAC of it with a key derived from the secret key, day,
//! region and service. It stands in the `Authorization` header, or in the query of a presigned URL.

use crate::fields::Dialect;
use crate::form::{self, latin};
use crate::refusal::{Refusal, Result};
use fourfold::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Headers of the service that a signature covers in another way, and what no service reads.
const BOUND: [&str; 3] = ["x-amz-content-sha256", "x-amz-date", "x-amz-user-agent"];
/// How far a caller's clock may be off.
pub(crate) const SKEW_MAX: Duration = Duration::from_mins(15);
/// How long a presigned URL may be good for.
pub(crate) const EXPIRES_MAX: u64 = 604_800;

/// What a signature says it is for: `<key id>/<day>/<region>/<service>/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) key_id: String,
    day: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Scope {
    /// The scope of a request that claims to be signed.
    pub(crate) fn of(head: &Parts) -> Option<Self> {
        if let Some(text) = head.headers.get("authorization").and_then(|text| text.to_str().ok()) {
            let (_, credential) = text.split_once("Credential=")?;
            return Self::parse(credential.split([',', ' ']).next()?);
        }
        let credential = form::value(head.uri.query()?, "X-Amz-Credential")?;
        Self::parse(&credential)
    }

    /// From behind, since a key's id may have slashes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(5, '/');
        let end = parts.next()?;
        let (service, region, day) = (parts.next()?, parts.next()?, parts.next()?);
        let key_id = parts.next()?;
        let is_scope = end == "aws4_request" && !key_id.is_empty();
        is_scope.then(|| Self {
            key_id: key_id.to_owned(),
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    pub(crate) fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }
}

/// A request's signature, with what it takes to compute it again.
struct Signature {
    /// `YYYYMMDDTHHMMSSZ`.
    date: String,
    signed_headers: String,
    /// In hexadecimal digits.
    mac: String,
    /// Seconds, of a presigned URL.
    expires: Option<u64>,
}

/// Secret keys by their ids.
pub(crate) type Keys = BTreeMap<String, String>;

/// Checks the signature of a request against the keys that are known.
pub(crate) fn verify(
    keys: &Keys,
    head: &Parts,
    body: &[u8],
    scope: Option<&Scope>,
    now: Timestamp,
) -> Result<()> {
    let is_signed = head.headers.contains_key("authorization")
        || head.uri.query().is_some_and(|query| query.contains("X-Amz-Signature="));
    if !is_signed {
        return Err(missing_token("Missing Authentication Token"));
    }
    let signature = Signature::of(head)?;
    let scope = scope.ok_or_else(|| incomplete("Credential must have five parts, separated by slashes."))?;
    signature.check_time(now)?;
    let Some(secret) = keys.get(&scope.key_id) else {
        let message = "The security token included in the request is invalid.";
        let refusal = Refusal::framework("UnrecognizedClientException", message);
        return Err(refusal.with_query_code("InvalidClientTokenId").with_status(403));
    };
    if let Some(name) = unsigned(head, &signature.signed_headers).first() {
        return Err(invalid(&format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")));
    }
    let canonical = canonical_request(head, body, &signature);
    let to_sign =
        format!("{ALGORITHM}\n{}\n{}\n{}", signature.date, scope.text(), hex(&Sha256::digest(canonical)));
    let is_right = mac(&signing_key(secret, scope), to_sign.as_bytes())
        .and_then(|mac| mac.verify_slice(&from_hex(&signature.mac)?).ok())
        .is_some();
    if is_right { Ok(()) } else { Err(mismatch()) }
}

/// Refuses a request that claims to be signed, in a form that no signature has. One that claims nothing may pass: whether
/// it does depends on the [keys](verify).
pub(crate) fn check_form(head: &Parts, dialect: Dialect) -> Result<()> {
    let query = head.uri.query().unwrap_or_default();
    let is_in_query = form::pairs(query).any(|(name, _)| name == "X-Amz-Algorithm");
    let header = head.headers.get("authorization").map(|text| text.to_str().unwrap_or_default());
    match (header, is_in_query) {
        (None, false) => Ok(()),
        (Some(_), true) => Err(invalid(
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
        )),
        (Some(text), false) if dialect == Dialect::Dynamo && !text.trim().starts_with("AWS4-") => {
            Err(missing_token("Request is missing Authentication Token"))
        }
        (Some(text), false) => check_header(head, text),
        (None, true) => check_query(query),
    }
}

fn check_header(head: &Parts, text: &str) -> Result<()> {
    let parts: Vec<(&str, &str)> =
        text.split([',', ' ']).skip(1).filter_map(|part| part.trim().split_once('=')).collect();
    let has = |wanted: &str| parts.iter().any(|(name, value)| *name == wanted && !value.is_empty());
    let mut message = String::new();
    for name in ["Credential", "Signature", "SignedHeaders"] {
        if !has(name) {
            let _ = write!(message, "Authorization header requires '{name}' parameter. ");
        }
    }
    if !head.headers.contains_key("x-amz-date") && !head.headers.contains_key("date") {
        message.push_str(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
        );
    }
    if message.is_empty() { Ok(()) } else { Err(incomplete(&format!("{message}Authorization={text}"))) }
}

fn check_query(query: &str) -> Result<()> {
    let mut message = String::new();
    for name in
        ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"]
    {
        if form::value(query, name).is_none_or(|value| value.is_empty()) {
            let _ = write!(message, "AWS query-string parameters must include '{name}'. ");
        }
    }
    if message.is_empty() {
        return Ok(());
    }
    Err(incomplete(&format!("{message}Re-examine the query-string parameters.")))
}

impl Signature {
    fn of(head: &Parts) -> Result<Self> {
        let Some(text) = head.headers.get("authorization") else { return Self::of_query(head) };
        let text = text.to_str().unwrap_or_default();
        let Some(rest) = text.strip_prefix(ALGORITHM) else {
            return Err(incomplete(&format!("Unsupported AWS 'algorithm': '{text}'.")));
        };
        let parts: BTreeMap<&str, &str> =
            rest.split(',').filter_map(|part| part.trim().split_once('=')).collect();
        let part = |name: &str| {
            let missing = || incomplete(&format!("Authorization header requires '{name}' parameter."));
            parts.get(name).map(|text| (*text).to_owned()).ok_or_else(missing)
        };
        let (signed_headers, mac) = (part("SignedHeaders")?, part("Signature")?);
        let date = head.headers.get("x-amz-date").and_then(|date| date.to_str().ok());
        let missing = || {
            incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        };
        let date = date.map(str::to_owned).ok_or_else(missing)?;
        Ok(Self { date, signed_headers, mac, expires: None })
    }

    fn of_query(head: &Parts) -> Result<Self> {
        let query = head.uri.query().unwrap_or_default();
        let part = |name: &str| {
            let missing = || incomplete(&format!("AWS query-string parameters must include '{name}'."));
            form::value(query, name).ok_or_else(missing)
        };
        let expires =
            part("X-Amz-Expires")?.parse().ok().filter(|seconds| (1..=EXPIRES_MAX).contains(seconds));
        let bad = || incomplete("X-Amz-Expires must be a number of seconds from 1 to 604800.");
        Ok(Self {
            date: part("X-Amz-Date")?,
            signed_headers: part("X-Amz-SignedHeaders")?,
            mac: part("X-Amz-Signature")?,
            expires: Some(expires.ok_or_else(bad)?),
        })
    }

    /// Was it signed about now, or not longer ago than it is good for?
    fn check_time(&self, now: Timestamp) -> Result<()> {
        let bad = || incomplete(&format!("Date must be in ISO-8601 'basic format'. Got '{}'.", self.date));
        let signed = parse_date(&self.date).ok_or_else(bad)?;
        let end = signed + self.expires.map_or(SKEW_MAX, Duration::from_secs);
        let (problem, limit) = match () {
            () if now > end => ("expired", end),
            () if signed > now + SKEW_MAX => ("not yet current", now + SKEW_MAX),
            () => return Ok(()),
        };
        let relation = if problem == "expired" { "earlier" } else { "later" };
        Err(invalid(&format!("Signature {problem}: {} is now {relation} than {limit}", self.date)))
    }
}

/// The text that is signed, without its frame.
fn canonical_request(head: &Parts, body: &[u8], signature: &Signature) -> String {
    let mut text = format!("{}\n", head.method);
    // All services but S3 encode the path once more.
    form::encode(head.uri.path(), |byte| byte == b'/', &mut text);
    text.push('\n');
    text.push_str(&canonical_query(head.uri.query().unwrap_or_default()));
    text.push('\n');
    for name in signature.signed_headers.split(';') {
        let _ = writeln!(text, "{name}:{}", canonical_header(head, name));
    }
    let _ = write!(text, "\n{}\n{}", signature.signed_headers, hex(&Sha256::digest(body)));
    text
}

/// Headers that must be signed, and are not: all of the service's and the host. What is [`BOUND`] need not be among them.
pub(crate) fn unsigned<'a>(head: &'a Parts, signed_headers: &str) -> Vec<&'a str> {
    let is_signed = |name: &str| signed_headers.split(';').any(|one| one.eq_ignore_ascii_case(name));
    let sent = head.headers.keys().map(http::HeaderName::as_str);
    let services = sent.filter(|name| name.starts_with("x-amz-") && !BOUND.contains(name));
    std::iter::once("host").chain(services).filter(|name| !is_signed(name)).collect()
}

pub(crate) fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = form::pairs_of_url(query)
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    form::encode(text, |_| false, &mut encoded);
    encoded
}

/// Values of a header without needless blanks, joined by commas, in UTF-8 as clients sign them. HTTP/2 has the host in its URL.
pub(crate) fn canonical_header(head: &Parts, name: &str) -> String {
    let values = head.headers.get_all(name).iter().map(|value| latin(value.as_bytes()));
    let values: Vec<String> =
        values.map(|value| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")).collect();
    match head.uri.authority() {
        Some(authority) if values.is_empty() && name == "host" => authority.to_string(),
        _ => values.join(","),
    }
}

pub(crate) fn signing_key(secret: &str, scope: &Scope) -> Vec<u8> {
    let first = format!("AWS4{secret}").into_bytes();
    let steps = [&*scope.day, &*scope.region, &*scope.service, "aws4_request"];
    steps.into_iter().fold(first, |key, step| {
        let mac = mac(&key, step.as_bytes());
        mac.map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
    })
}

/// A key may have any length, so there always is one.
pub(crate) fn mac(key: &[u8], text: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text);
    Some(mac)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

/// `YYYYMMDDTHHMMSSZ`, after 1970.
pub(crate) fn parse_date(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    moment((year, month, day), (hour, minute, second))
}

/// The moment of a date and a time of the day, after 1970.
pub(crate) fn moment(
    (year, month, day): (u64, u64, u64),
    (hour, minute, second): (u64, u64, u64),
) -> Option<Timestamp> {
    let is_time = hour < 24 && minute < 60 && second < 61;
    if !is_time || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the day that leap years have more is their last.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(Timestamp::from_secs(days * 86_400 + hour * 3600 + minute * 60 + second))
}

#[cold]
fn missing_token(message: &str) -> Refusal {
    let refusal = Refusal::framework("MissingAuthenticationTokenException", message);
    refusal.with_query_code("MissingAuthenticationToken").with_status(403)
}

#[cold]
fn incomplete(message: &str) -> Refusal {
    let refusal = Refusal::framework("IncompleteSignatureException", message);
    refusal.with_query_code("IncompleteSignature").with_status(403)
}

#[cold]
fn invalid(message: &str) -> Refusal {
    let refusal = Refusal::framework("InvalidSignatureException", message);
    refusal.with_query_code("SignatureDoesNotMatch").with_status(403)
}

#[cold]
fn mismatch() -> Refusal {
    invalid(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.",
    )
}

#[cfg(test)]
mod tests;
