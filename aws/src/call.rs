//! A request on its way through the router: its head, and who it is from.

use crate::signature::Scope;
use fourfold::Store;
use http::request::Parts;

/// What a service knows of a request besides the request's own members.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) store: &'a Store,
    pub(crate) head: &'a Parts,
    /// The answer's id, of which each service has a form of its own.
    pub(crate) id: RequestId,
    /// By whom and for what it was signed, if it was.
    pub(crate) scope: Option<Scope>,
    /// The account of whoever signed it.
    pub(crate) account: &'a str,
}

impl Call<'_> {
    /// A header, if it is there and a text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// What the body is, without what is said besides.
    pub(crate) fn content_type(&self) -> &str {
        self.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default().trim()
    }

    /// Does its signature name this service?
    pub(crate) fn is_signed_for(&self, service: &str) -> bool {
        self.scope.as_ref().is_some_and(|scope| scope.service == service)
    }

    /// Host and port by which the caller knows the endpoint.
    pub(crate) fn host(&self) -> &str {
        let authority = self.head.uri.authority().map(http::uri::Authority::as_str);
        self.header("host").or(authority).unwrap_or("localhost")
    }

    /// Where the caller found the endpoint: scheme, host and port.
    pub(crate) fn endpoint(&self) -> String {
        format!("{}://{}", self.head.uri.scheme_str().unwrap_or("http"), self.host())
    }
}

/// An extension of requests that came over a connection without TLS, whatever scheme they say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain;

/// The number of an answer, unlike any other of this process, and hardly like one of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(u128);

impl RequestId {
    /// Each number of a run gives another id.
    pub(crate) fn new(run: u64, number: u64) -> Self {
        let (high, low) = (mix(run ^ mix(number)), mix(number.wrapping_add(mix(run))));
        Self(u128::from(high) << 64 | u128::from(low))
    }

    /// 36 characters, as most services have it.
    pub(crate) fn uuid(self) -> String {
        let hex = format!("{:032x}", self.0);
        // Version 4, like the ones of the services.
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    /// 16 of `0-9 A-F`, as S3 has it.
    pub(crate) fn short(self) -> String {
        format!("{:016X}", self.0 >> 64)
    }

    /// 76 characters of base64: the second id of an answer of S3.
    pub(crate) fn host(self) -> String {
        use base64::Engine as _;
        let bytes = [self.0, self.0.rotate_left(37) ^ 0x5bd1, self.0.rotate_right(29), !self.0];
        let bytes = bytes.map(u128::to_le_bytes).concat();
        base64::engine::general_purpose::STANDARD.encode(bytes.get(..56).unwrap_or_default())
    }

    /// 52 of `0-9 A-Z`, as `DynamoDB` has it.
    pub(crate) fn long(self) -> String {
        const DIGITS: [u8; 36] = *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let (mut state, mut text) = (self.0, String::with_capacity(52));
        for place in 0..52_u128 {
            text.push(char::from(DIGITS[usize::try_from(state % 36).unwrap_or_default()]));
            state = if place == 23 { self.0.rotate_left(61) | 1 << 127 } else { state / 36 };
        }
        text
    }
}

/// Spreads a counter over 64 bits (the finish of `SplitMix64`).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_have_the_forms_of_the_services_and_differ() {
        let ids: Vec<RequestId> = (0..1000).map(|number| RequestId::new(7, number)).collect();
        let uuids: BTreeSet<String> = ids.iter().map(|id| id.uuid()).collect();
        let longs: BTreeSet<String> = ids.iter().map(|id| id.long()).collect();
        assert_eq!((uuids.len(), longs.len()), (1000, 1000));
        assert!(uuids.iter().all(|id| id.len() == 36 && id.as_bytes()[14] == b'4'));
        assert!(longs.iter().all(|id| id.len() == 52 && id.bytes().all(|c| c.is_ascii_alphanumeric())));
    }
}
