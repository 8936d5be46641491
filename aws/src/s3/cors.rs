//! Which pages of other origins may read answers: rules of a bucket, and what is said to browsers.

use crate::body::Body;
use crate::s3::ask::text_of;
use crate::s3::document::{self, NAMESPACE};
use crate::s3::error::{Error, Result};
use crate::s3::reply::set;
use crate::s3::tree::Node;
use crate::xml::Xml;
use fourfold::objects::{Bucket, Setting};
use http::request::Parts;
use http::{HeaderMap, Response};

const RULES_MAX: usize = 100;
const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

/// Rules, of which the first that matches counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cors(Vec<Rule>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Rule {
    id: Option<String>,
    headers: Vec<String>,
    methods: Vec<String>,
    origins: Vec<String>,
    exposed: Vec<String>,
    /// Seconds; the service takes fewer than none too.
    max_age: Option<i32>,
}

/// What a browser says of itself.
struct Browser<'a> {
    origin: &'a str,
    method: &'a str,
    headers: Vec<String>,
}

impl Cors {
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        let root = Node::parse(text, "CORSConfiguration")?;
        let rules = root.all("CORSRule").map(Rule::parse).collect::<Result<Vec<_>>>()?;
        if rules.is_empty() || rules.len() > RULES_MAX {
            return Err(Error::malformed_xml());
        }
        Ok(Self(rules))
    }

    fn of(bucket: &Bucket) -> Option<Self> {
        Self::parse(bucket.setting(Setting::Cors).ok()?.as_bytes()).ok()
    }

    pub(crate) fn document(&self) -> String {
        let mut xml = document::new();
        xml.element_with("CORSConfiguration", &[("xmlns", NAMESPACE)], |xml| {
            for rule in &self.0 {
                xml.element("CORSRule", |xml| rule.write(xml));
            }
        });
        xml.finish()
    }

    fn find(&self, of: &Browser<'_>) -> Option<(&Rule, &str)> {
        self.0.iter().find_map(|rule| Some((rule, rule.matches(of)?)))
    }
}

impl Rule {
    fn parse(node: &Node) -> Result<Self> {
        let texts = |name: &str| node.all(name).map(|node| node.text.trim().to_owned()).collect::<Vec<_>>();
        let rule = Self {
            id: node.text_of("ID").map(str::to_owned),
            headers: texts("AllowedHeader"),
            methods: texts("AllowedMethod"),
            origins: texts("AllowedOrigin"),
            exposed: texts("ExposeHeader"),
            max_age: node.number("MaxAgeSeconds")?,
        };
        if rule.methods.is_empty() || rule.origins.is_empty() {
            return Err(Error::malformed_xml());
        }
        if let Some(bad) = rule.methods.iter().find(|method| !METHODS.contains(&&***method)) {
            return Err(Error::request(format!(
                "Found unsupported HTTP method in CORS config. Unsupported method is {bad}"
            )));
        }
        if let Some(bad) = rule.origins.iter().find(|origin| origin.matches('*').count() > 1) {
            return Err(Error::request(format!(
                "AllowedOrigin \"{bad}\" can not have more than one wildcard."
            )));
        }
        for (name, headers) in [("AllowedHeader", &rule.headers), ("ExposeHeader", &rule.exposed)] {
            if let Some(bad) = headers.iter().find(|header| !is_name(header)) {
                return Err(Error::request(format!("{name} \"{bad}\" contains invalid character.")));
            }
        }
        if let Some(bad) = rule.headers.iter().find(|header| header.matches('*').count() > 1) {
            return Err(Error::request(format!(
                "AllowedHeader \"{bad}\" can not have more than one wildcard."
            )));
        }
        if let Some(bad) = rule.exposed.iter().find(|header| header.contains('*')) {
            return Err(Error::request(format!(
                "ExposeHeader \"{bad}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
            )));
        }
        Ok(rule)
    }

    fn write(&self, xml: &mut Xml) {
        if let Some(id) = &self.id {
            xml.text("ID", id);
        }
        let lists = [
            ("AllowedHeader", &self.headers),
            ("AllowedMethod", &self.methods),
            ("AllowedOrigin", &self.origins),
            ("ExposeHeader", &self.exposed),
        ];
        for (name, list) in lists {
            for text in list {
                xml.text(name, text);
            }
        }
        if let Some(seconds) = self.max_age {
            xml.text("MaxAgeSeconds", &seconds.to_string());
        }
    }

    /// The pattern by which it matches.
    fn matches(&self, of: &Browser<'_>) -> Option<&str> {
        let pattern = self.origins.iter().find(|pattern| fits(pattern, of.origin, false))?;
        let has_method = self.methods.iter().any(|method| method == of.method);
        let has_headers =
            of.headers.iter().all(|header| self.headers.iter().any(|pattern| fits(pattern, header, true)));
        (has_method && has_headers).then_some(pattern)
    }

    fn say(&self, headers: &mut HeaderMap, pattern: &str, of: &Browser<'_>) {
        let is_any = pattern == "*";
        set(headers, "access-control-allow-origin", if is_any { "*" } else { of.origin });
        if !is_any {
            set(headers, "access-control-allow-credentials", "true");
        }
        set(headers, "access-control-allow-methods", self.methods.join(", "));
        if !of.headers.is_empty() {
            set(headers, "access-control-allow-headers", of.headers.join(", "));
        }
        if !self.exposed.is_empty() {
            set(headers, "access-control-expose-headers", self.exposed.join(", "));
        }
        if let Some(seconds) = self.max_age {
            set(headers, "access-control-max-age", seconds.to_string());
        }
        set(headers, "vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
    }
}

/// Has it only characters that names of headers have? Patterns may have stars.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A pattern with at most one `*`.
fn fits(pattern: &str, text: &str, ignores_case: bool) -> bool {
    let (pattern, text) = if ignores_case {
        (pattern.to_ascii_lowercase(), text.to_ascii_lowercase())
    } else {
        (pattern.to_owned(), text.to_owned())
    };
    match pattern.split_once('*') {
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
        None => pattern == text,
    }
}

fn header<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

fn requested(head: &Parts) -> Vec<String> {
    let list = header(head, "access-control-request-headers").unwrap_or_default();
    list.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect()
}

/// What a browser asks before it asks.
pub(crate) fn preflight(head: &Parts, key: &str, bucket: Option<&Bucket>) -> Result<Response<Body>> {
    let Some(origin) = header(head, "origin") else {
        return Err(Error::new("BadRequest", 400, "Insufficient information. Origin request header needed."));
    };
    let asked = header(head, "access-control-request-method");
    if let Some(method) = asked.filter(|method| !METHODS.contains(method)) {
        let message = format!("Invalid Access-Control-Request-Method: {method}");
        return Err(Error::new("BadRequest", 400, message));
    }
    let names = text_of(&head.headers, "access-control-request-headers").unwrap_or_default();
    if let Some(bad) = names.split(',').find(|name| !is_name(name.trim_matches(' '))) {
        let message = format!("Access-Control-Request-Headers \"{bad}\" contains invalid character.");
        return Err(Error::new("BadRequest", 400, message));
    }
    let refused = |message: &str, kind: &str| {
        let error = Error::new("AccessForbidden", 403, message).with("Method", asked.unwrap_or("OPTIONS"));
        error.with("ResourceType", kind)
    };
    let Some(bucket) = bucket else { return Err(refused("CORSResponse: Bucket not found", "BUCKET")) };
    let Some(cors) = Cors::of(bucket) else {
        return Err(refused("CORSResponse: CORS is not enabled for this bucket.", "BUCKET"));
    };
    let Some(method) = asked else {
        let message = "Invalid Access-Control-Request-Method: null";
        return Err(Error::new("BadRequest", 400, message));
    };
    let of = Browser { origin, method, headers: requested(head) };
    let Some((rule, pattern)) = cors.find(&of) else {
        return Err(refused(
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
             method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
             resource's CORS spec.",
            if key.is_empty() { "BUCKET" } else { "OBJECT" },
        ));
    };
    let mut answer = document::empty(200);
    rule.say(answer.headers_mut(), pattern, &of);
    Ok(answer)
}

/// Says to a browser whether the page may see the answer.
pub(crate) fn say(head: &Parts, bucket: &Bucket, headers: &mut HeaderMap) {
    let Some(origin) = header(head, "origin") else { return };
    let method = header(head, "access-control-request-method").unwrap_or(head.method.as_str());
    let of = Browser { origin, method, headers: requested(head) };
    if let Some(cors) = Cors::of(bucket)
        && let Some((rule, pattern)) = cors.find(&of)
    {
        rule.say(headers, pattern, &of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text) in
            [("*", "x"), ("http://*.a", "http://b.a"), ("a", "a"), ("*suffix", "x.suffix"), ("p*", "p")]
        {
            assert!(fits(pattern, text, false), "{pattern} {text}");
        }
        for (pattern, text) in [("http://*.a", "http://a"), ("a", "A"), ("", "a"), ("ab*ba", "aba")] {
            assert!(!fits(pattern, text, false), "{pattern} {text}");
        }
    }

    #[test]
    fn rules_are_shown_as_they_were_given() {
        let text = "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>\
                    <MaxAgeSeconds>5</MaxAgeSeconds></CORSRule></CORSConfiguration>";
        let cors = Cors::parse(text.as_bytes()).unwrap();
        assert_eq!(Cors::parse(cors.document().as_bytes()).unwrap(), cors);
        let negative = text.replace('5', "-5");
        assert!(Cors::parse(negative.as_bytes()).unwrap().document().contains(">-5<"), "as the service does");
        let header = |name: &str| text.replace("<MaxAge", &format!("<{name}>a b</{name}><MaxAge"));
        for bad in [
            text.replace("GET", "PATCH"),
            text.replace('*', "**"),
            text.replace('5', "x"),
            header("AllowedHeader"),
            header("ExposeHeader"),
        ] {
            assert!(Cors::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
