//! A request on its way through S3: whom it is about, what it says, who asks.

use crate::call::Call;
use crate::form::{self, latin};
use crate::s3::access::Caller;
use crate::s3::document::parse_http_date;
use crate::s3::error::{Error, Result};
use crate::s3::intake::Seal;
use fourfold::objects::{Bucket, Buckets};
use fourfold::{Store, Timestamp};
use http::HeaderMap;
use http::request::Parts;
use std::borrow::Cow;
use std::net::IpAddr;

/// Bucket and key that a request is about; empty if it is about none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// The bucket is in the host's name.
    pub(crate) is_virtual: bool,
}

impl Target {
    /// From the path, and from the host if that begins with a bucket.
    pub(crate) fn of(call: &Call<'_>, domains: &[String]) -> Result<Self> {
        let path = call.head.uri.path();
        let path = path.strip_prefix('/').unwrap_or(path);
        let of_host = bucket_of_host(call.host(), domains);
        let is_virtual = of_host.is_some();
        let (bucket, key) = if let Some(bucket) = of_host {
            (Cow::Owned(bucket), path)
        } else {
            let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
            (Cow::Borrowed(bucket), key)
        };
        let unreadable =
            || Error::new("InvalidURI", 400, "Couldn't parse the specified URI.").with("URI", path);
        let bucket = decoded(&bucket).ok_or_else(unreadable)?;
        let key = decoded(key).ok_or_else(unreadable)?;
        Ok(Self { bucket, key, is_virtual })
    }
}

/// `bucket.s3.amazonaws.com`, `bucket.s3.localhost`, and below domains of our own.
pub(crate) fn bucket_of_host(host: &str, domains: &[String]) -> Option<String> {
    let host = host.rsplit_once(':').map_or(host, |(host, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { host.trim_matches(['[', ']']) }
    });
    if host.parse::<IpAddr>().is_ok() || host == "s3" || host.starts_with("s3.") || host.starts_with("s3-") {
        return None;
    }
    // The last label `s3` or `s3-region` that has something before it.
    let at = host.match_indices(".s3").map(|(at, _)| at).find(|at| {
        let behind = host.get(at + 3..).unwrap_or_default();
        *at > 0 && (behind.is_empty() || behind.starts_with(['.', '-']))
    });
    let bucket = at.and_then(|at| host.get(..at));
    let bucket =
        bucket.or_else(|| domains.iter().find_map(|domain| host.strip_suffix(&**domain)?.strip_suffix('.')));
    bucket.filter(|bucket| !bucket.is_empty()).map(str::to_owned)
}

fn decoded(text: &str) -> Option<String> {
    form::decode_url(text)
}

/// The query, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(head: &Parts) -> Self {
        Self(form::pairs(head.uri.query().unwrap_or_default()).collect())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// A header that stands in the query.
    fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The headers that stand in the query.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_header = |name: &str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
        self.0.iter().filter(move |(name, _)| is_header(name)).map(|(name, value)| (&**name, &**value))
    }

    /// A parameter that asks for a header of the answer which nobody may ask for.
    pub(crate) fn unknown_response(&self, known: &[&str]) -> Option<(&str, &str)> {
        let is_unknown = |name: &str| name.starts_with("response-") && !known.contains(&name);
        self.0.iter().find(|(name, _)| is_unknown(name)).map(|(name, value)| (&**name, &**value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// A request.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) store: &'a Store,
    pub(crate) head: &'a Parts,
    pub(crate) target: Target,
    pub(crate) query: Query,
    pub(crate) caller: Caller,
    /// The region that the signature is for.
    pub(crate) scope_region: Option<&'a str>,
    /// What signed chunks go on from.
    pub(crate) seal: Option<Seal>,
    /// The fields of a form, which says by them what other requests say by headers.
    pub(crate) form: Option<Vec<(String, String)>>,
}

impl Ask<'_> {
    pub(crate) fn buckets(&self) -> Buckets {
        self.store.buckets()
    }

    /// The region whose endpoint is asked: the one of the signature, if there is one.
    pub(crate) fn region(&self) -> &str {
        self.scope_region.unwrap_or_else(|| self.store.region())
    }

    /// The bucket that it is about, which must be of the account that the caller expects.
    pub(crate) fn bucket(&self) -> Result<Bucket> {
        let bucket = self.buckets().bucket(&self.target.bucket)?;
        match self.header("x-amz-expected-bucket-owner") {
            Some(owner) if owner != self.store.account() => Err(Error::denied()),
            _ => Ok(bucket),
        }
    }

    pub(crate) fn key(&self) -> &str {
        &self.target.key
    }

    /// A header. Who presigns a URL may write those of the service into its query.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        match self.head.headers.get(name) {
            Some(value) => std::str::from_utf8(value.as_bytes()).ok(),
            None => self.query.header(name),
        }
    }

    /// What is asked for by a header, or by the field of a form that stands for it.
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        let Some(form) = &self.form else { return self.header(name) };
        let field = |name: &str| {
            form.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
        };
        // As the form is read: of two names for one thing the short one is heeded, and tags have no other.
        match name {
            "x-amz-acl" => field("acl").or_else(|| field(name)),
            "x-amz-tagging" => field("tagging"),
            _ => field(name),
        }
    }

    pub(crate) fn header_text(&self, name: &str) -> Option<String> {
        text_of(&self.head.headers, name).or_else(|| self.query.header(name).map(str::to_owned))
    }

    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name)
    }

    pub(crate) fn param_text(&self, name: &str) -> Option<String> {
        self.param(name).map(str::to_owned)
    }

    /// Which version is meant. An empty id is none that can be.
    pub(crate) fn version(&self) -> Result<Option<&str>> {
        match self.param("versionId") {
            Some("") => Err(Error::argument("versionId", "", "Version id cannot be the empty string")),
            other => Ok(other),
        }
    }

    /// A number of entries; a larger one than can be counted is as good as the largest.
    pub(crate) fn count(&self, name: &'static str) -> Result<Option<u32>> {
        let Some(text) = self.param(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        match text.parse::<i32>() {
            Ok(number) if number < 0 => {
                // The service calls this one by another name here.
                let name = if name == "max-keys" { "maxKeys" } else { name };
                let rule = match name {
                    "maxKeys" if self.param("versions").is_some() => "max-keys cannot be negative".to_owned(),
                    name => format!("Argument {name} must be an integer between 0 and 2147483647"),
                };
                Err(Error::argument(name, text, rule))
            }
            Ok(number) => Ok(u32::try_from(number).ok()),
            Err(_) => Err(Error::argument(
                name,
                text,
                format!("Provided {name} not an integer or within integer range"),
            )),
        }
    }

    /// A time in a header. What is none is as if it were not there.
    pub(crate) fn time(&self, name: &str) -> Option<Timestamp> {
        self.header(name).and_then(parse_http_date)
    }

    /// Bytes of the body, as the caller says.
    pub(crate) fn content_length(&self) -> Result<Option<u64>> {
        let decoded = self.header("x-amz-decoded-content-length");
        if decoded.is_some_and(|text| text.parse::<u64>().is_err()) {
            return Err(Error::no_length());
        }
        let Some(text) = decoded.or_else(|| self.header("content-length")) else { return Ok(None) };
        let bad = || Error::new("InvalidArgument", 400, "Content-Length must be a number.");
        text.trim().parse().map(Some).map_err(|_| bad())
    }
}

/// All values of a header, joined by commas.
pub(crate) fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter().map(|value| latin(value.as_bytes()));
    let first = values.next()?;
    Some(values.fold(first, |joined, next| joined + "," + &next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_a_bucket() {
        let domains = vec!["s3.test".to_owned(), "example.org".to_owned()];
        let of = |host: &str| bucket_of_host(host, &domains);
        assert_eq!(of("photos.s3.amazonaws.com").as_deref(), Some("photos"));
        assert_eq!(of("a.b.s3.eu-west-1.amazonaws.com:4566").as_deref(), Some("a.b"));
        assert_eq!(of("photos.s3-eu-west-1.amazonaws.com").as_deref(), Some("photos"));
        assert_eq!(of("photos.s3.localhost:4566").as_deref(), Some("photos"));
        assert_eq!(of("photos.example.org").as_deref(), Some("photos"));
        for host in [
            "localhost:4566",
            "127.0.0.1:4566",
            "[::1]:80",
            "s3.amazonaws.com",
            "example.org",
            "s3.localhost",
            "a.s3x.org",
        ] {
            assert_eq!(of(host), None, "{host}");
        }
    }
}
