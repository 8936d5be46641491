//! The policy of an HTML form: until when it is good, and what the fields of the form must be.

use crate::s3::ask::Ask;
use crate::s3::document::parse_iso;
use crate::s3::error::{Error, Result};
use crate::s3::form::Fields;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fourfold::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Fields of a form that need no condition.
const FREE: [&str; 7] =
    ["policy", "signature", "x-amz-signature", "awsaccesskeyid", "file", "submit", "x-amz-security-token"];

/// A policy that was read.
#[derive(Debug)]
pub(crate) struct Policy {
    /// Until when it is good.
    pub(crate) end: Timestamp,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
struct Condition {
    /// As it was written, or as the service writes it if it was an object.
    text: String,
    test: Test,
}

#[derive(Debug)]
enum Test {
    /// A field, by its name in lower case, is just this.
    Is(String, String),
    StartsWith(String, String),
    /// Bytes of the file.
    Length(u64, u64),
    /// It names no field.
    Never,
}

fn invalid(what: &str) -> Error {
    Error::new("InvalidPolicyDocument", 400, format!("Invalid Policy: {what}"))
}

fn no_json() -> Error {
    invalid("Invalid JSON.")
}

impl Policy {
    /// Reads a policy, which came in base64.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let text = STANDARD.decode(text.split_whitespace().collect::<String>());
        let text = text.map_err(|_| invalid("invalid Base64 encoding."))?;
        if text.is_empty() {
            return Err(invalid("Expecting '{' but found End-of-Input"));
        }
        let mut members: BTreeMap<String, &RawValue> =
            serde_json::from_slice(&text).map_err(|_| no_json())?;
        let expiration = members.remove("expiration");
        let conditions = members.remove("conditions");
        if let Some(name) = members.keys().next() {
            return Err(invalid(&format!("Unexpected: \"{name}\"")));
        }
        let expiration = expiration.ok_or_else(|| invalid("Policy missing expiration."))?;
        let expiration: String = serde_json::from_str(expiration.get()).map_err(|_| no_json())?;
        let end = parse_iso(&expiration)
            .ok_or_else(|| invalid(&format!("Invalid 'expiration' value: '{expiration}'")))?;
        let conditions = conditions.ok_or_else(|| invalid("Policy missing conditions."))?;
        let conditions: Vec<&RawValue> = serde_json::from_str(conditions.get())
            .map_err(|_| invalid("Invalid 'conditions' value: must be a List."))?;
        let conditions =
            conditions.into_iter().map(|raw| Condition::read(raw.get())).collect::<Result<_>>()?;
        Ok(Self { end, conditions })
    }

    /// Does every condition hold, and does one stand for every field? How long the file may be.
    pub(crate) fn check(&self, ask: &Ask<'_>, fields: &Fields) -> Result<Option<(u64, u64)>> {
        let value_of = |name: &str| match name {
            "bucket" => fields.get(name).or(Some(&*ask.target.bucket)),
            _ => fields.get(name),
        };
        let (mut named, mut lens) = (Vec::new(), None);
        for condition in &self.conditions {
            let holds = match &condition.test {
                Test::Length(min, max) => {
                    lens = Some((*min, *max));
                    continue;
                }
                Test::Never => false,
                Test::Is(name, wanted) => {
                    named.push(name);
                    value_of(name).unwrap_or_default() == wanted
                }
                Test::StartsWith(name, wanted) => {
                    named.push(name);
                    let found = value_of(name).unwrap_or_default();
                    match &**name {
                        "content-type" => found.split(',').all(|one| one.trim().starts_with(wanted)),
                        _ => found.starts_with(wanted),
                    }
                }
            };
            if !holds {
                return Err(denied(&format!("Policy Condition failed: {}", condition.text)));
            }
        }
        let is_named = |name: &str| named.iter().any(|known| **known == name);
        let mut given = fields.pairs.iter().map(|(name, _)| name.to_ascii_lowercase());
        let extra = given
            .find(|name| !FREE.contains(&&**name) && !name.starts_with("x-ignore-") && !is_named(name))
            // The bucket is a field of every form, even if it only stands in the URL.
            .or_else(|| (!is_named("bucket")).then(|| "bucket".to_owned()));
        match extra {
            Some(name) => Err(denied(&format!("Extra input fields: {name}"))),
            None => Ok(lens),
        }
    }
}

fn denied(what: &str) -> Error {
    Error::new("AccessDenied", 403, format!("Invalid according to Policy: {what}"))
}

impl Condition {
    fn read(text: &str) -> Result<Self> {
        match serde_json::from_str(text).map_err(|_| no_json())? {
            Value::Object(pairs) => {
                let mut pairs = pairs.into_iter();
                let (Some((name, wanted)), None) = (pairs.next(), pairs.next()) else {
                    return Err(invalid(
                        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
                    ));
                };
                let Value::String(wanted) = wanted else {
                    return Err(invalid("Invalid Simple-Condition: value must be a string."));
                };
                let text =
                    format!("[\"eq\", {}, {}]", Value::from(format!("${name}")), Value::from(&*wanted));
                Ok(Self { text, test: Test::Is(name.to_ascii_lowercase(), wanted) })
            }
            Value::Array(list) => Ok(Self { text: text.to_owned(), test: Self::test(&list)? }),
            _ => Err(invalid("Invalid condition test: must be a List or Object.")),
        }
    }

    fn test(list: &[Value]) -> Result<Test> {
        let Some(operator) = list.first() else {
            return Err(invalid("Invalid Condition: missing operation identifier."));
        };
        let operator = operator.as_str().ok_or_else(no_json)?.to_ascii_lowercase();
        let [_, second, third] = list else {
            return Err(invalid(&format!("Invalid {operator}: wrong number of arguments.")));
        };
        if operator == "content-length-range" {
            let number = |value: &Value| match value.as_str() {
                Some(text) => text.parse().ok(),
                None => value.as_u64(),
            };
            let (min, max) = number(second).zip(number(third)).ok_or_else(no_json)?;
            return Ok(Test::Length(min, max));
        }
        if !["eq", "starts-with"].contains(&&*operator) {
            return Err(invalid(&format!("Invalid Condition: unknown operation '{operator}'.")));
        }
        let (name, wanted) = second.as_str().zip(third.as_str()).ok_or_else(no_json)?;
        let Some(name) = name.strip_prefix('$').map(str::to_ascii_lowercase) else { return Ok(Test::Never) };
        let wanted = wanted.to_owned();
        Ok(if operator == "eq" { Test::Is(name, wanted) } else { Test::StartsWith(name, wanted) })
    }
}
