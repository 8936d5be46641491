//! Bucket policies: read, checked, and asked about a request.

use crate::call::Plain;
use crate::s3::access::Caller;
use crate::s3::ask::Ask;
use crate::s3::error::{Error, Result};
use crate::s3::object::tags_of;
use fourfold::objects::{Bucket, Setting};
use serde_json::{Map, Value};

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
        if text.first() != Some(&b'{') {
            return malformed("Policies must be valid JSON and the first byte must be '{'");
        }
        let Ok(policy) = serde_json::from_slice::<Value>(text) else {
            return malformed("This policy contains invalid Json");
        };
        if !matches!(policy.get("Version").and_then(Value::as_str), None | Some("2012-10-17" | "2008-10-17"))
        {
            return malformed("The policy must contain a valid version string");
        }
        let policy = Self(policy);
        if policy.0.get("Statement").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            return malformed("Could not parse the policy: Statement is empty!");
        }
        if policy.statements().next().is_none() {
            return malformed("Missing required field Statement");
        }
        for statement in policy.statements() {
            match statement.get("Effect").map(|effect| effect.as_str().unwrap_or_default()) {
                Some("Allow" | "Deny") => {}
                Some(other) => return malformed(&format!("Invalid effect: {other}")),
                None => return malformed("Missing required field Effect"),
            }
            let Some(principal) = statement.get("Principal").or(statement.get("NotPrincipal")) else {
                return malformed("Missing required field Principal");
            };
            check_principal(principal)?;
            let actions = statement.get("Action").or(statement.get("NotAction"));
            let Some(actions) = actions else { return malformed("Missing required field Action") };
            let is_action = |action: &str| {
                let name = action.strip_prefix("s3:").unwrap_or_default();
                let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"*?".contains(&byte);
                action == "*" || !name.is_empty() && name.bytes().all(is_name)
            };
            if texts(actions).next().is_none() || !texts(actions).all(is_action) {
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
            if texts(resources).next().is_none() || !texts(resources).all(is_own) {
                return malformed("Policy has invalid resource");
            }
            if let (Some(actions), Some(resources)) = (statement.get("Action"), statement.get("Resource"))
                && !can_be_done(actions, resources)
            {
                return malformed("Action does not apply to any resource(s) in statement");
            }
            statement.get("Condition").map_or(Ok(()), check_conditions)?;
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
                && (statement.get("Principal").is_some_and(|named| is_meant(named, Who::Nobody))
                    || statement.get("NotPrincipal").is_some())
                && statement.get("Condition").is_none_or(|all| all.as_object().is_some_and(Map::is_empty))
        })
    }

    /// What it says of this action. A refusal beats everything.
    pub(crate) fn judge(
        &self,
        ask: &Ask<'_>,
        bucket: &Bucket,
        key: &str,
        version: Option<&str>,
        action: &str,
    ) -> Verdict {
        let resource = if key.is_empty() {
            format!("arn:aws:s3:::{}", bucket.name())
        } else {
            format!("arn:aws:s3:::{}/{key}", bucket.name())
        };
        let who = match &ask.caller {
            Caller::Owner => Who::Root(ask.store.account()),
            Caller::Other(account) => Who::Somebody(account),
            Caller::Anonymous => Who::Nobody,
        };
        let does = |list: &Value| {
            texts(list).any(|one| matches(&one.to_ascii_lowercase(), &action.to_ascii_lowercase()))
        };
        let mut verdict = Verdict::Silent;
        for statement in self.statements() {
            let field = |name: &str| statement.get(name);
            let names = |list: &Value, text: &str| texts(list).any(|pattern| matches(pattern, text));
            let applies = field("Principal").is_none_or(|named| is_meant(named, who))
                && field("NotPrincipal").is_none_or(|named| !is_meant(named, who))
                && field("Action").is_none_or(does)
                && field("NotAction").is_none_or(|list| !does(list))
                && field("Resource").is_none_or(|list| names(list, &resource))
                && field("NotResource").is_none_or(|list| !names(list, &resource))
                && field("Condition").is_none_or(|conditions| holds(conditions, ask, bucket, (key, version)));
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

/// Is it somebody? Accounts by number or ARN, services and others by what they are.
fn check_principal(principal: &Value) -> Result<()> {
    let invalid = |who: &str| {
        Err(Error::new("MalformedPolicy", 400, "Invalid principal in policy").with("Detail", who))
    };
    let is_account = |who: &str| {
        who == "*"
            || who.starts_with("arn:")
            || who.len() == 12 && who.bytes().all(|byte| byte.is_ascii_digit())
    };
    match principal {
        Value::String(who) if who == "*" => Ok(()),
        Value::String(who) => invalid(&format!("\"{who}\"")),
        Value::Object(kinds) => {
            let bad = kinds.get("AWS").and_then(|list| match texts(list).next() {
                None => Some(""),
                Some(_) => texts(list).find(|who| !is_account(who)),
            });
            bad.map_or(Ok(()), |who| invalid(&format!("\"AWS\" : \"{who}\"")))
        }
        _ => Err(Error::new("MalformedPolicy", 400, "Invalid policy syntax.")),
    }
}

/// Is there, for each action that is named in full, a resource of the kind that it is done to?
fn can_be_done(actions: &Value, resources: &Value) -> bool {
    let kinds = |resource: &str| {
        let is_object = resource.contains('/');
        (!is_object, is_object || resource.ends_with('*'))
    };
    let (buckets, objects) = texts(resources)
        .map(kinds)
        .fold((false, false), |(buckets, objects), (bucket, object)| (buckets || bucket, objects || object));
    texts(actions).filter(|action| !action.contains(['*', '?'])).all(|action| {
        let name = action.to_ascii_lowercase();
        let name = name.trim_start_matches("s3:");
        let is_of_lock = name.ends_with("bucketobjectlockconfiguration");
        let is_of_objects = name.contains("object") && !is_of_lock
            || ["abortmultipartupload", "listmultipartuploadparts", "bypassgovernanceretention"]
                .contains(&name);
        let is_of_buckets = name.contains("bucket") || name.ends_with("configuration");
        if is_of_objects { objects } else { buckets || !is_of_buckets }
    })
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let many = value.as_array().map(Vec::as_slice);
    many.unwrap_or_else(|| std::slice::from_ref(value)).iter().filter_map(Value::as_str)
}

/// Who asks, as policies name him.
#[derive(Clone, Copy, Debug)]
enum Who<'a> {
    /// The account that the store is, itself: statements about its users and roles are not about it.
    Root(&'a str),
    /// Another account. Its keys are of no user in particular, so what is said of one of them is said of it.
    Somebody(&'a str),
    Nobody,
}

/// Is he meant by a principal?
fn is_meant(principal: &Value, who: Who<'_>) -> bool {
    let is_one = |text: &str| {
        let of_account = |account: &str| text == account || text == format!("arn:aws:iam::{account}:root");
        text == "*"
            || match who {
                Who::Root(account) => of_account(account),
                Who::Somebody(account) => of_account(account) || text.split(':').any(|part| part == account),
                Who::Nobody => false,
            }
    };
    let is_id = |id: &str| match who {
        Who::Root(account) | Who::Somebody(account) => id == crate::s3::acl::canonical_id(account),
        Who::Nobody => false,
    };
    match principal {
        Value::String(text) => is_one(text),
        Value::Object(kinds) => {
            kinds.get("AWS").is_some_and(|list| texts(list).any(is_one))
                || kinds.get("CanonicalUser").is_some_and(|list| texts(list).any(is_id))
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

/// How a condition compares.
#[derive(Clone, Copy, Debug)]
enum Operator {
    Equals,
    NotEquals,
    EqualsIgnoreCase,
    Like,
    NotLike,
    Null,
    NumericEquals,
    NumericLessThanEquals,
}

impl Operator {
    /// By its name, and whether it holds for what is not there.
    fn parse(name: &str) -> Option<(Self, bool)> {
        let name = name.strip_prefix("ForAnyValue:").unwrap_or(name);
        let bare = name.strip_suffix("IfExists");
        let operator = match bare.unwrap_or(name) {
            "StringEquals" | "ArnEquals" => Self::Equals,
            "StringNotEquals" | "ArnNotEquals" => Self::NotEquals,
            "StringEqualsIgnoreCase" | "Bool" => Self::EqualsIgnoreCase,
            "StringLike" | "ArnLike" => Self::Like,
            "StringNotLike" | "ArnNotLike" => Self::NotLike,
            "Null" if bare.is_none() => Self::Null,
            "NumericEquals" => Self::NumericEquals,
            "NumericLessThanEquals" => Self::NumericLessThanEquals,
            _ => return None,
        };
        Some((operator, bare.is_some()))
    }

    fn holds(self, wanted: &Value, found: Option<&str>) -> bool {
        let any = |test: &dyn Fn(&str, &str) -> bool| {
            found.is_some_and(|found| scalars(wanted).any(|wanted| test(&wanted, found)))
        };
        match self {
            Self::Equals => any(&|wanted, found| wanted == found),
            Self::NotEquals => !any(&|wanted, found| wanted == found),
            Self::EqualsIgnoreCase => any(&|wanted, found| wanted.eq_ignore_ascii_case(found)),
            Self::Like => any(&matches),
            Self::NotLike => !any(&matches),
            Self::Null => scalars(wanted).any(|wanted| wanted == found.is_none().to_string()),
            Self::NumericEquals => any(&|wanted, found| number(found) == number(wanted)),
            Self::NumericLessThanEquals => any(&|wanted, found| number(found) <= number(wanted)),
        }
    }
}

/// What a condition is about.
#[derive(Clone, Copy, Debug)]
enum Subject<'a> {
    ExistingTag(&'a str),
    RequestTag(&'a str),
    Param(&'static str),
    Header(&'a str),
    SecureTransport,
}

impl<'a> Subject<'a> {
    /// By its name, of which the case does not matter; that of a tag's key does.
    fn parse(name: &'a str) -> Option<Self> {
        let behind = |start: &str| {
            let (head, rest) = name.split_at_checked(start.len())?;
            head.eq_ignore_ascii_case(start).then_some(rest)
        };
        if let Some(tag) = behind("s3:ExistingObjectTag/") {
            return Some(Self::ExistingTag(tag));
        }
        if let Some(tag) = behind("s3:RequestObjectTag/") {
            return Some(Self::RequestTag(tag));
        }
        Some(match &*name.to_ascii_lowercase() {
            "s3:prefix" => Self::Param("prefix"),
            "s3:delimiter" => Self::Param("delimiter"),
            "s3:max-keys" => Self::Param("max-keys"),
            "s3:versionid" => Self::Param("versionId"),
            "aws:securetransport" => Self::SecureTransport,
            "aws:referer" => Self::Header("referer"),
            "aws:useragent" => Self::Header("user-agent"),
            _ => {
                let is_header =
                    |header: &&str| header.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
                Self::Header(behind("s3:").filter(is_header)?)
            }
        })
    }

    /// What a request says of it.
    fn value(self, ask: &Ask<'_>, bucket: &Bucket, (key, version): (&str, Option<&str>)) -> Option<String> {
        match self {
            Self::ExistingTag(tag) => {
                let tagging = bucket.tagging(key, version).ok()?;
                tagging.tags.get(tag).map(str::to_owned)
            }
            // They come in the body, which is not read yet.
            Self::RequestTag(_) if ask.param("tagging").is_some() => None,
            // In a form they are a document.
            Self::RequestTag(tag) => match (ask.asked("x-amz-tagging")?, &ask.form) {
                (text, None) => crate::form::value(text, tag),
                (text, Some(_)) => tags_of(text.as_bytes()).ok()?.get(tag).map(str::to_owned),
            },
            Self::Param(name) => ask.param_text(name),
            // The one that is heeded, if there are several.
            Self::Header(name) => ask.asked(name).map(str::to_owned),
            Self::SecureTransport => {
                let says = ask.head.uri.scheme_str() == Some("https");
                Some((says && ask.head.extensions.get::<Plain>().is_none()).to_string())
            }
        }
    }
}

/// Refuses conditions that could not be decided: they would never hold, and what they deny would be allowed.
fn check_conditions(conditions: &Value) -> Result<()> {
    let malformed = || Error::new("MalformedPolicy", 400, "Policy has an invalid condition");
    for (operator, keys) in conditions.as_object().ok_or_else(malformed)? {
        if Operator::parse(operator).is_none() {
            let message = format!("The condition operator '{operator}' is not implemented");
            return Err(Error::not_implemented(message));
        }
        for (name, wanted) in keys.as_object().ok_or_else(malformed)? {
            if Subject::parse(name).is_none() {
                return Err(Error::not_implemented(format!("The condition key '{name}' is not implemented")));
            }
            let values = wanted.as_array().map_or_else(|| std::slice::from_ref(wanted), Vec::as_slice);
            if !values.iter().all(|value| scalar(value).is_some()) {
                return Err(malformed());
            }
        }
    }
    Ok(())
}

/// Do all conditions hold?
fn holds(conditions: &Value, ask: &Ask<'_>, bucket: &Bucket, object: (&str, Option<&str>)) -> bool {
    conditions.as_object().into_iter().flatten().all(|(operator, keys)| {
        let Some((operator, if_exists)) = Operator::parse(operator) else { return false };
        keys.as_object().into_iter().flatten().all(|(name, wanted)| {
            let found = Subject::parse(name).and_then(|subject| subject.value(ask, bucket, object));
            if_exists && found.is_none() || operator.holds(wanted, found.as_deref())
        })
    })
}

/// The values of a condition, one or a list.
fn scalars(value: &Value) -> impl Iterator<Item = String> {
    let many = value.as_array().map(Vec::as_slice);
    many.unwrap_or_else(|| std::slice::from_ref(value)).iter().filter_map(scalar)
}

/// A text; numbers and truths may stand without quotes.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or(i64::MAX)
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

    #[test]
    fn an_account_is_not_its_users() {
        let named = |text: &str| serde_json::json!({ "AWS": [text] });
        let own = Who::Root("111122223333");
        for text in ["*", "111122223333", "arn:aws:iam::111122223333:root"] {
            assert!(is_meant(&named(text), own), "{text}");
        }
        for text in ["arn:aws:iam::111122223333:user/a", "arn:aws:iam::444455556666:root", "1111222233334"] {
            assert!(!is_meant(&named(text), own), "{text}");
        }
        assert!(is_meant(&named("arn:aws:iam::444455556666:user/a"), Who::Somebody("444455556666")));
        assert!(!is_meant(&named("arn:aws:iam::444455556666:root"), Who::Nobody));
    }

    #[test]
    fn conditions_that_cannot_be_decided_are_refused() {
        let parse = |condition: &str| {
            let text = format!(
                r#"{{"Statement":{{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::photos/*",
                "Condition":{condition}}}}}"#
            );
            Policy::parse(text.as_bytes(), "photos").map_err(|error| error.code.into_owned())
        };
        for good in [
            r#"{"Bool":{"aws:SecureTransport":false}}"#,
            r#"{"StringNotEqualsIfExists":{"s3:x-amz-acl":["private","public-read"]}}"#,
            r#"{"Bool":{"AWS:securetransport":"true"},"StringEquals":{"S3:X-Amz-Acl":"private"}}"#,
            r#"{"ForAnyValue:StringLike":{"s3:ExistingObjectTag/a b":"*"},"Null":{"s3:prefix":"true"}}"#,
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for unknown in [
            r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#,
            r#"{"DateLessThan":{"aws:CurrentTime":"2025-01-01T00:00:00Z"}}"#,
            r#"{"ForAllValues:StringEquals":{"s3:prefix":"a"}}"#,
            r#"{"NullIfExists":{"s3:prefix":"true"}}"#,
            r#"{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#,
        ] {
            assert_eq!(parse(unknown).unwrap_err(), "NotImplemented", "{unknown}");
        }
        for malformed in ["[]", r#"{"Bool":[]}"#, r#"{"StringEquals":{"s3:prefix":{}}}"#] {
            assert_eq!(parse(malformed).unwrap_err(), "MalformedPolicy", "{malformed}");
        }
    }
}
