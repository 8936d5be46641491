//! The members of a request, taken one by one, each as what its shape says it is.

use crate::refusal::{Origin, Refusal, Result};
use crate::value::{self, Name, Read, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fourfold::Timestamp;

/// How a service words what is wrong with the form of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqs,
    /// SQS by the older protocol, where numbers and flags are texts.
    SqsQuery,
    Kinesis,
    Dynamo,
}

/// A structure of a request. Taking a member removes it; null is as good as absent.
#[derive(Debug)]
pub(crate) struct Fields {
    members: Vec<(Name, Value)>,
    dialect: Dialect,
}

impl Fields {
    /// The structure that a value is.
    pub(crate) fn of(value: Value, dialect: Dialect) -> Result<Self> {
        match value {
            Value::Map(members) => Ok(Self { members, dialect }),
            other => Err(dialect.wrong_type(&other, "Structure")),
        }
    }

    /// The tree that a body is. Only SQS takes no body for one without members.
    pub(crate) fn tree(body: &[u8], dialect: Dialect) -> Result<Value> {
        if body.is_empty() && dialect == Dialect::Sqs {
            return Ok(Value::empty());
        }
        Self::read(body).map(|read| read.value)
    }

    /// The tree that a body is, and how deep it is.
    pub(crate) fn read(body: &[u8]) -> Result<Read> {
        let is_map = |read: &Read| matches!(read.value, Value::Map(_));
        value::read(body).filter(is_map).ok_or_else(|| Refusal::serialization(""))
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// A member, if it is there.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        let (_, value) = self.members.iter_mut().rev().find(|(member, _)| member == name)?;
        let value = std::mem::replace(value, Value::Null);
        (value != Value::Null).then_some(value)
    }

    fn take<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Dialect, Value, &str) -> Result<T>,
    ) -> Result<Option<T>> {
        let dialect = self.dialect;
        self.value(name).map(|value| read(dialect, value, name)).transpose()
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        self.take(name, |dialect, value, _| dialect.text(value))
    }

    pub(crate) fn int(&mut self, name: &str) -> Result<Option<i64>> {
        self.take(name, Dialect::int)
    }

    /// An `Integer` of the model; one beyond it stands at its end, where it is out of every range.
    pub(crate) fn int32(&mut self, name: &str) -> Result<Option<i32>> {
        let number = self.int(name)?;
        Ok(number.map(|number| i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        self.take(name, Dialect::flag)
    }

    pub(crate) fn blob(&mut self, name: &str) -> Result<Option<Bytes>> {
        self.take(name, |dialect, value, _| dialect.blob(value))
    }

    pub(crate) fn time(&mut self, name: &str) -> Result<Option<Timestamp>> {
        self.take(name, |dialect, value, _| dialect.time(&value))
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>> {
        self.take(name, |dialect, value, _| match value {
            Value::List(items) => Ok(items),
            other => Err(dialect.wrong_type(&other, "List")),
        })
    }

    /// A list of texts; nulls in it are dropped.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let dialect = self.dialect;
        let Some(items) = self.list(name)? else { return Ok(None) };
        let there = items.into_iter().filter(|item| *item != Value::Null);
        there.map(|item| dialect.text(item)).collect::<Result<_>>().map(Some)
    }

    /// A list of structures.
    pub(crate) fn structures(&mut self, name: &str) -> Result<Option<Vec<Self>>> {
        let dialect = self.dialect;
        let Some(items) = self.list(name)? else { return Ok(None) };
        let there = items.into_iter().filter(|item| *item != Value::Null);
        there.map(|item| Self::of(item, dialect)).collect::<Result<_>>().map(Some)
    }

    /// A map by names of the caller's, or a structure.
    pub(crate) fn map(&mut self, name: &str) -> Result<Option<Vec<(Name, Value)>>> {
        self.take(name, |dialect, value, _| match value {
            Value::Map(members) => Ok(members),
            other => Err(dialect.wrong_type(&other, "Map")),
        })
    }

    /// A map as it stands, which is not taken.
    pub(crate) fn peek_map(&self, name: &str) -> Option<&[(Name, Value)]> {
        let (_, value) = self.members.iter().rev().find(|(member, _)| member == name)?;
        if let Value::Map(members) = value { Some(members) } else { None }
    }

    /// A map of texts; nulls in it are dropped.
    pub(crate) fn text_map(&mut self, name: &str) -> Result<Option<Vec<(String, String)>>> {
        let dialect = self.dialect;
        let Some(members) = self.map(name)? else { return Ok(None) };
        let there = members.into_iter().filter(|(_, value)| *value != Value::Null);
        there
            .map(|(name, value)| Ok((name.into_owned(), dialect.text(value)?)))
            .collect::<Result<_>>()
            .map(Some)
    }

    pub(crate) fn structure(&mut self, name: &str) -> Result<Option<Self>> {
        self.take(name, |dialect, value, _| Self::of(value, dialect))
    }

    /// A member that must be there.
    pub(crate) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.dialect.missing(name))
    }

    pub(crate) fn required_text(&mut self, name: &str) -> Result<String> {
        let text = self.text(name)?;
        self.required(name, text)
    }
}

impl Dialect {
    pub(crate) fn text(self, value: Value) -> Result<String> {
        match value {
            Value::Text(text) => Ok(text),
            other => Err(self.wrong_type(&other, "String")),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the service cuts fractions off, and so does a cast")]
    fn int(self, value: Value, name: &str) -> Result<i64> {
        match value {
            Value::Int(number) => Ok(number),
            Value::Float(number) => Ok(number as i64),
            Value::Text(text) if self == Self::SqsQuery => {
                text.trim().parse().map_err(|_| not_a(&text, name, "Must be an integer."))
            }
            other => Err(self.wrong_type(&other, "Integer")),
        }
    }

    fn flag(self, value: Value, name: &str) -> Result<bool> {
        match value {
            Value::Bool(flag) => Ok(flag),
            Value::Text(text) if self == Self::SqsQuery => match &*text {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(not_a(&text, name, "Must be true or false.")),
            },
            other => Err(self.wrong_type(&other, "Boolean")),
        }
    }

    pub(crate) fn blob(self, value: Value) -> Result<Bytes> {
        match value {
            Value::Blob(bytes) => Ok(bytes),
            Value::Text(text) => STANDARD.decode(&text).map(Bytes::from).map_err(|_| self.not_base64(&text)),
            other => Err(self.wrong_type(&other, "Blob")),
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times before 1970 are 1970")]
    fn time(self, value: &Value) -> Result<Timestamp> {
        match value {
            Value::Time(time) => Ok(*time),
            Value::Int(seconds) => {
                Ok(Timestamp::from_millis((seconds.max(&0).cast_unsigned()).saturating_mul(1000)))
            }
            Value::Float(seconds) => Ok(Timestamp::from_millis((seconds * 1000.0).round() as u64)),
            other => Err(self.wrong_type(other, "Date")),
        }
    }

    /// A member that must be there is not.
    pub(crate) fn missing(self, name: &str) -> Refusal {
        match self {
            Self::Sqs | Self::SqsQuery => {
                let message = format!("The request must contain the parameter {name}.");
                Refusal::new("MissingRequiredParameterException", message).with_query_code("MissingParameter")
            }
            Self::Kinesis | Self::Dynamo => self.invalid(&format!(
                "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
                lower_first(name)
            )),
        }
    }

    /// A request that breaks the model.
    pub(crate) fn invalid(self, message: &str) -> Refusal {
        let refusal = Refusal::new("ValidationException", message);
        if self == Self::Dynamo { Refusal { origin: Origin::Validation, ..refusal } } else { refusal }
    }

    /// What is wrong with a text that should be bytes in base 64.
    fn not_base64(self, text: &str) -> Refusal {
        let reason = base64_fault(text).unwrap_or_else(|| NOT_CANONICAL.to_owned());
        Refusal::serialization(match self {
            Self::Kinesis => format!("'{text}' can not be converted to a Blob: {reason}"),
            Self::Dynamo if reason.ends_with('\'') => NOT_CANONICAL.to_owned(),
            _ => reason,
        })
    }

    /// A value that is not what its shape says.
    pub(crate) fn wrong_type(self, found: &Value, wanted: &str) -> Refusal {
        let class = match wanted {
            "Blob" => "java.nio.ByteBuffer".to_owned(),
            "Date" => "java.util.Date".to_owned(),
            wanted => format!("java.lang.{wanted}"),
        };
        let stop = if self == Self::Kinesis { "." } else { "" };
        let message = match (found, wanted) {
            (Value::List(_), "Map" | "Structure") => "Unrecognized collection type java.util.Map".to_owned(),
            (Value::List(_), _) => format!("Unrecognized collection type class {class}"),
            (Value::Map(_), _) => format!("Start of structure or map found where not expected{stop}"),
            (_, "List") if self == Self::Kinesis => "Expected list or null".to_owned(),
            (_, "Map") if self == Self::Kinesis => "Expected map or null".to_owned(),
            (_, "Structure") if self == Self::Kinesis => "Expected null".to_owned(),
            (_, "List" | "Map" | "Structure") => "Unexpected field type".to_owned(),
            (_, "Blob") if self != Self::Kinesis => {
                "only base64-encoded strings are convertible to bytes".to_owned()
            }
            (found, wanted) => self.not_converted(found, wanted),
        };
        Refusal::serialization(message)
    }

    fn not_converted(self, found: &Value, wanted: &str) -> String {
        let article = if wanted == "Blob" { "a" } else { "an" };
        match self {
            Self::Kinesis => {
                format!("class java.lang.{} can not be converted to {article} {wanted}", java_class(found))
            }
            Self::Dynamo => format!("{} cannot be converted to {wanted}", token(found)),
            Self::Sqs | Self::SqsQuery => {
                let article = if wanted.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
                format!("{} can not be converted to {article} {wanted}", token(found))
            }
        }
    }
}

/// The service's words, with its slip.
const NOT_CANONICAL: &str = "Invalid last non-pad Base64 character dectected";

/// Refuses a text that does not stand for bytes.
pub(crate) fn not_base64(dialect: Dialect, text: &str) -> Option<Refusal> {
    base64_fault(text).map(|_| dialect.not_base64(text))
}

/// Why a text is not base 64, without decoding it.
fn base64_fault(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let len = bytes.len();
    if !len.is_multiple_of(4) {
        return Some(format!("Base64 encoded length is expected a multiple of 4 bytes but found: {len}"));
    }
    let pads = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = &bytes[..len - pads];
    if let Some(wrong) = digits.iter().position(|byte| base64_digit(*byte).is_none()) {
        let wrong = text.get(wrong..).and_then(|rest| rest.chars().next()).unwrap_or_default();
        return Some(format!("Invalid Base64 character: '{wrong}'"));
    }
    // What the last digit has beyond the last byte has to be zero.
    let beyond = match pads {
        0 => 0,
        1 => 0b11,
        2 => 0b1111,
        _ => return Some("Invalid Base64 character: '='".to_owned()),
    };
    let last = digits.last().and_then(|byte| base64_digit(*byte)).unwrap_or_default();
    (last & beyond != 0).then(|| NOT_CANONICAL.to_owned())
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn java_class(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "Boolean",
        Value::Int(_) => "Long",
        Value::Float(_) => "Double",
        _ => "String",
    }
}

fn token(value: &Value) -> &'static str {
    match value {
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Int(_) => "NUMBER_VALUE",
        Value::Float(_) => "DECIMAL_VALUE",
        _ => "STRING_VALUE",
    }
}

fn not_a(text: &str, name: &str, reason: &str) -> Refusal {
    let message = format!("Value {text} for parameter {name} is invalid. Reason: {reason}");
    Refusal::new("InvalidParameterValueException", message).with_query_code("InvalidParameterValue")
}

/// Validation speaks of members as Java does.
pub(crate) fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    // `ARN` at the end stays; a name that begins with more than one capital too.
    chars.next().map(|first| first.to_ascii_lowercase().to_string() + chars.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str, dialect: Dialect) -> Fields {
        Fields::of(serde_json::from_str(json).unwrap(), dialect).unwrap()
    }

    #[test]
    fn members_are_taken_once_and_null_is_absent() {
        let mut fields = fields(r#"{"a":"x","n":null,"i":7,"f":7.9,"a":"y"}"#, Dialect::Sqs);
        assert_eq!(fields.text("a").unwrap().as_deref(), Some("y"));
        assert_eq!(fields.text("n").unwrap(), None);
        assert_eq!((fields.int("i").unwrap(), fields.int("f").unwrap()), (Some(7), Some(7)));
        assert_eq!(fields.text("missing").unwrap(), None);
    }

    #[test]
    fn what_has_the_wrong_type_is_refused_in_the_words_of_the_service() {
        let cases = [
            (Dialect::Kinesis, r#"{"a":true}"#, "class java.lang.Boolean can not be converted to an String"),
            (Dialect::Kinesis, r#"{"a":{}}"#, "Start of structure or map found where not expected."),
            (Dialect::Kinesis, r#"{"a":[]}"#, "Unrecognized collection type class java.lang.String"),
            (Dialect::Dynamo, r#"{"a":23}"#, "NUMBER_VALUE cannot be converted to String"),
            (Dialect::Dynamo, r#"{"a":1.5}"#, "DECIMAL_VALUE cannot be converted to String"),
            (Dialect::Sqs, r#"{"a":false}"#, "FALSE_VALUE can not be converted to a String"),
        ];
        for (dialect, json, message) in cases {
            let refusal = fields(json, dialect).text("a").unwrap_err();
            assert_eq!((&*refusal.name, &*refusal.message), ("SerializationException", message));
        }
        let refusal = fields(r#"{"a":"x"}"#, Dialect::Kinesis).list("a").unwrap_err();
        assert_eq!(refusal.message, "Expected list or null");
        let refusal = fields(r#"{"a":"abcde"}"#, Dialect::Dynamo).blob("a").unwrap_err();
        assert_eq!(refusal.message, "Base64 encoded length is expected a multiple of 4 bytes but found: 5");
    }

    #[test]
    fn numbers_are_texts_in_the_query_protocol() {
        let mut fields = fields(r#"{"a":"17","b":"x","c":"99999999999"}"#, Dialect::SqsQuery);
        assert_eq!(fields.int32("a").unwrap(), Some(17));
        assert_eq!(fields.int32("b").unwrap_err().query_code(), "InvalidParameterValue");
        assert_eq!(fields.int32("c").unwrap(), Some(i32::MAX));
    }
}
