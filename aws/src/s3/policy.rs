//! Bucket policies: read, checked, and asked about a request.

use crate::s3::access::Caller;
use crate::s3::ask::Ask;
use crate::s3::error::{Error, Result};
use fourfold::objects::{Bucket, Setting};
use serde_json::Value;

/// Longest policy, in bytes.
const LEN_MAX: usize = 20 << 10;

/// A policy.
#[derive(Debug)]
pub(crate) struct Policy(Value);

/// What a policy says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Denied,
    Silent,
}

impl Policy {
    /// The one of a bucket.
    pub(crate) fn of(bucket: &Bucket) -> Result<Option<Self>> {
        match bucket.setting(Setting::Policy) {
            Ok(text) => Ok(serde_json::from_str(&text).ok().map(Self)),
            Err(error) if error.code() == "NoSuchBucketPolicy" => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what is to become the policy of a bucket.
    pub(crate) fn parse(text: &[u8], bucket: &str) -> Result<Self> {
        let malformed = |message: &str| Err(Error::new("MalformedPolicy", 400, message));
        if text.len() > LEN_MAX {
            let message = format!("Policy exceeds the maximum allowed document size of {LEN_MAX} bytes");
            return Err(Error::new("PolicyTooLarge", 400, message));
        }
        let Ok(policy) = serde_json::from_slice::<Value>(text) else {
            return malformed("Policies must be valid JSON and the first byte must be '{'");
        };
        if !policy.is_object() {
            return malformed("Policies must be valid JSON and the first byte must be '{'");
        }
        if !matches!(policy.get("Version").and_then(Value::as_str), None | Some("2012-10-17" | "2008-10-17"))
        {
            return malformed("The policy must contain a valid version string");
        }
        let policy = Self(policy);
        if policy.statements().next().is_none() {
            return malformed("Missing required field Statement");
        }
        for statement in policy.statements() {
            if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
                return malformed("Invalid effect");
            }
            if statement.get("Principal").or(statement.get("NotPrincipal")).is_none() {
                return malformed("Missing required field Principal");
            }
            let actions = statement.get("Action").or(statement.get("NotAction"));
            if actions.is_none_or(|actions| texts(actions).next().is_none()) {
                return malformed("Missing required field Action");
            }
            if !actions.into_iter().flat_map(texts).all(|action| action == "*" || action.starts_with("s3:")) {
                return malformed("Policy has invalid action");
            }
            let own = format!("arn:aws:s3:::{bucket}");
            let resources = statement.get("Resource").or(statement.get("NotResource"));
            let Some(resources) = resources else { return malformed("Missing required field Resource") };
            let is_own = |resource: &str| {
                resource
                    .strip_prefix(&*own)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*']))
            };
            if !texts(resources).all(is_own) {
                return malformed("Policy has invalid resource");
            }
        }
        Ok(policy)
    }

    fn statements(&self) -> impl Iterator<Item = &Value> {
        let statements = self.0.get("Statement");
        let many = statements.and_then(Value::as_array).map(Vec::as_slice);
        many.unwrap_or_else(|| statements.filter(|one| one.is_object()).map_or(&[], std::slice::from_ref))
            .iter()
    }

    /// Does it allow everybody something, whatever the conditions?
    pub(crate) fn is_public(&self) -> bool {
        self.statements().any(|statement| {
            statement.get("Effect").and_then(Value::as_str) == Some("Allow")
                && statement.get("Principal").is_some_and(|who| is_meant(who, &Caller::Anonymous))
                && statement.get("Condition").is_none()
        })
    }

    /// What it says of this action. A refusal beats everything.
    pub(crate) fn judge(&self, ask: &Ask<'_>, bucket: &Bucket, key: &str, action: &str) -> Verdict {
        let resource = if key.is_empty() {
            format!("arn:aws:s3:::{}", bucket.name())
        } else {
            format!("arn:aws:s3:::{}/{key}", bucket.name())
        };
        let mut verdict = Verdict::Silent;
        for statement in self.statements() {
            let field = |name: &str| statement.get(name);
            let names = |list: &Value, text: &str| texts(list).any(|pattern| matches(pattern, text));
            let applies = field("Principal").is_none_or(|who| is_meant(who, &ask.caller))
                && field("NotPrincipal").is_none_or(|who| !is_meant(who, &ask.caller))
                && field("Action").is_none_or(|list| {
                    texts(list).any(|one| matches(&one.to_ascii_lowercase(), &action.to_ascii_lowercase()))
                })
                && field("NotAction").is_none_or(|list| !names(list, action))
                && field("Resource").is_none_or(|list| names(list, &resource))
                && field("NotResource").is_none_or(|list| !names(list, &resource))
                && field("Condition").is_none_or(|conditions| holds(conditions, ask, bucket, key));
            if !applies {
                continue;
            }
            match field("Effect").and_then(Value::as_str) {
                Some("Deny") => return Verdict::Denied,
                _ => verdict = Verdict::Allowed,
            }
        }
        verdict
    }
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let many = value.as_array().map(Vec::as_slice);
    many.unwrap_or_else(|| std::slice::from_ref(value)).iter().filter_map(Value::as_str)
}

fn is_meant(principal: &Value, caller: &Caller) -> bool {
    let account = match caller {
        Caller::Other(account) => Some(account),
        Caller::Owner | Caller::Anonymous => None,
    };
    let is_one = |text: &str| {
        text == "*"
            || account.is_some_and(|account| text == account || text.split(':').any(|part| part == account))
    };
    match principal {
        Value::String(text) => is_one(text),
        Value::Object(kinds) => {
            kinds.get("AWS").is_some_and(|list| texts(list).any(is_one))
                || kinds.get("CanonicalUser").is_some_and(|list| {
                    texts(list)
                        .any(|id| account.is_some_and(|account| id == crate::s3::acl::canonical_id(account)))
                })
        }
        _ => false,
    }
}

/// A text against a pattern with `*` and `?`.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from, mut retry) = (0, 0, None);
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((star, start)) = retry else { return false };
                retry = Some((star, start + 1));
                at = star + 1;
                from = start + 1;
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// Do all conditions hold? One that is not known never does.
fn holds(conditions: &Value, ask: &Ask<'_>, bucket: &Bucket, key: &str) -> bool {
    let operators = conditions.as_object().into_iter().flatten();
    operators.into_iter().all(|(operator, keys)| {
        keys.as_object().into_iter().flatten().all(|(name, wanted)| {
            let found = value_of(name, ask, bucket, key);
            let operator = operator.strip_prefix("ForAnyValue:").unwrap_or(operator);
            let (operator, found) = match operator.strip_suffix("IfExists") {
                Some(_) if found.is_none() => return true,
                Some(operator) => (operator, found),
                None => (operator, found),
            };
            let any = |test: &dyn Fn(&str, &str) -> bool| {
                found.as_deref().is_some_and(|found| texts(wanted).any(|wanted| test(wanted, found)))
            };
            match operator {
                "StringEquals" | "ArnEquals" => any(&|wanted, found| wanted == found),
                "StringNotEquals" | "ArnNotEquals" => !any(&|wanted, found| wanted == found),
                "StringEqualsIgnoreCase" => any(&|wanted, found| wanted.eq_ignore_ascii_case(found)),
                "StringLike" | "ArnLike" => any(&matches),
                "StringNotLike" | "ArnNotLike" => !any(&matches),
                "Bool" => any(&|wanted, found| wanted.eq_ignore_ascii_case(found)),
                "Null" => {
                    let absent = found.is_none().to_string();
                    texts(wanted).any(|wanted| wanted == absent) || wanted.as_bool() == Some(found.is_none())
                }
                "NumericLessThanEquals" => any(&|wanted, found| number(found) <= number(wanted)),
                "NumericEquals" => any(&|wanted, found| number(found) == number(wanted)),
                _ => false,
            }
        })
    })
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or(i64::MAX)
}

/// What a request says of a condition's key.
fn value_of(name: &str, ask: &Ask<'_>, bucket: &Bucket, key: &str) -> Option<String> {
    if let Some(tag) = name.strip_prefix("s3:ExistingObjectTag/") {
        let tagging = bucket.tagging(key, ask.param("versionId")).ok()?;
        return tagging.tags.get(tag).map(str::to_owned);
    }
    if let Some(tag) = name.strip_prefix("s3:RequestObjectTag/") {
        let tags = crate::form::value(ask.header("x-amz-tagging")?, tag);
        return tags;
    }
    match name {
        "s3:prefix" => ask.param_text("prefix"),
        "s3:delimiter" => ask.param_text("delimiter"),
        "s3:max-keys" => ask.param_text("max-keys"),
        "s3:VersionId" => ask.param_text("versionId"),
        "aws:SecureTransport" => Some((ask.head.uri.scheme_str() == Some("https")).to_string()),
        "aws:Referer" | "aws:referer" => ask.header_text("referer"),
        "aws:UserAgent" => ask.header_text("user-agent"),
        _ => match name.strip_prefix("s3:") {
            Some(header) if header.starts_with("x-amz-") => ask.header_text(header),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text) in
            [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("*.jpg", "a.jpg.jpg"), ("s3:*", "s3:GetObject")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "b"), ("a*c", "ab"), ("", "a"), ("a?", "a"), ("?", "")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        let statement = |with: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{{with}}}]}}"#);
        let good = statement(
            r#""Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*""#,
        );
        assert!(Policy::parse(good.as_bytes(), "photos").is_ok_and(|policy| policy.is_public()));
        for bad in [
            "",
            "[]",
            "{}",
            &good.replace("photos", "letters"),
            &good.replace("Allow", "Perhaps"),
            &good.replace("Action", "Deed"),
            &good.replace("s3:Get", "sqs:Get"),
        ] {
            assert_eq!(Policy::parse(bad.as_bytes(), "photos").unwrap_err().code, "MalformedPolicy", "{bad}");
        }
    }
}
