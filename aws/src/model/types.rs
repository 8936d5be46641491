//! Is every value of a request of its type? The first that is not refuses the request.

use super::{Shape, Struct};
use crate::fields::{Dialect, not_base64};
use crate::refusal::{Refusal, Result};
use crate::value::Value;

/// What cannot be read as a list or map that itself stands in a list or map.
const NOT_NESTED: &str = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class \
    java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module \
    java.base of loader 'bootstrap')";

/// Where a value stands, on which the wording of a refusal depends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Member,
    /// In a list or a map.
    Inner,
}

/// Checks a request, and makes flags of the texts that are as good as flags, for SQS also texts of other scalars.
pub(crate) fn check(dialect: Dialect, shape: &Shape, request: &mut Value) -> Result<()> {
    Check { dialect }.value(shape, request, Place::Member)
}

struct Check {
    dialect: Dialect,
}

impl Check {
    fn value(&self, shape: &Shape, value: &mut Value, place: Place) -> Result<()> {
        match (shape, &mut *value) {
            (_, Value::Null)
            | (Shape::Text(_), Value::Text(_))
            | (Shape::Flag, Value::Bool(_))
            | (Shape::Int(..), Value::Int(_) | Value::Float(_))
            | (Shape::Blob(_), Value::Blob(_))
            | (Shape::Time, Value::Int(_) | Value::Float(_) | Value::Time(_)) => Ok(()),
            (Shape::Blob(_), Value::Text(text)) => match not_base64(self.dialect, text) {
                Some(refusal) => Err(refusal),
                None => Ok(()),
            },
            (Shape::Flag, Value::Text(text)) => {
                *value = Value::Bool(self.flag(text)?);
                Ok(())
            }
            (Shape::Text(_), scalar) if self.dialect == Dialect::Sqs && text_of(scalar).is_some() => {
                *value = Value::Text(text_of(scalar).unwrap_or_default());
                Ok(())
            }
            (Shape::List(list), Value::List(items)) => {
                items.iter_mut().try_for_each(|item| self.value(list.item, item, Place::Inner))
            }
            (Shape::Map(map), Value::Map(entries)) => {
                entries.iter_mut().try_for_each(|(_, value)| self.value(map.value, value, Place::Inner))
            }
            (Shape::Struct(wanted), Value::Map(members)) => {
                for (name, value) in members {
                    if let Some(member) = wanted.members.iter().find(|member| member.name == *name) {
                        self.value(member.shape, value, Place::Member)?;
                    }
                }
                Ok(())
            }
            (shape, found) => Err(Refusal::serialization(self.wrong(shape, found, place))),
        }
    }

    /// A text that is as good as a flag.
    fn flag(&self, text: &str) -> Result<bool> {
        let upper = text.to_uppercase();
        match &*upper {
            "TRUE" | "1" | "YES" => Ok(true),
            "FALSE" | "0" | "NO" => Ok(false),
            _ if self.dialect == Dialect::Kinesis => {
                Err(Refusal::serialization(format!("'{upper}' can not be converted to an Boolean")))
            }
            _ => Err(Refusal::serialization("Unexpected token received from parser")),
        }
    }

    fn wrong(&self, shape: &Shape, found: &Value, place: Place) -> String {
        match self.dialect {
            Dialect::Kinesis => wrong_for_kinesis(shape, found),
            Dialect::Dynamo => wrong(shape, found, place),
            Dialect::Sqs | Dialect::SqsQuery if matches!(found, Value::List(_)) && place == Place::Member => {
                "Start of list found where not expected".to_owned()
            }
            Dialect::Sqs | Dialect::SqsQuery => {
                let wanted = if matches!(shape, Shape::Struct(_)) { "Structure" } else { simple(shape) };
                self.dialect.wrong_type(found, wanted).message
            }
        }
    }
}

fn wrong(shape: &Shape, found: &Value, place: Place) -> String {
    match (shape, found) {
        (_, Value::List(_)) => format!("Unrecognized collection type {}", class(shape)),
        (_, Value::Map(_)) => "Start of structure or map found where not expected".to_owned(),
        (Shape::List(_) | Shape::Map(_), _) if place == Place::Inner => NOT_NESTED.to_owned(),
        (Shape::Struct(_), _) if place == Place::Inner => "Unexpected value type in payload".to_owned(),
        (Shape::List(_) | Shape::Map(_) | Shape::Struct(_), _) => "Unexpected field type".to_owned(),
        (Shape::Blob(_), _) => "only base-64-encoded strings are convertible to bytes".to_owned(),
        (shape, found) => format!("{} cannot be converted to {}", token(found), simple(shape)),
    }
}

fn wrong_for_kinesis(shape: &Shape, found: &Value) -> String {
    match (shape, found) {
        (_, Value::List(_)) => "Start of list found where not expected".to_owned(),
        (_, Value::Map(_)) => "Start of structure or map found where not expected.".to_owned(),
        (Shape::List(_), _) => "Expected list or null".to_owned(),
        (Shape::Map(_), _) => "Expected map or null".to_owned(),
        (Shape::Struct(_), _) => "Expected null".to_owned(),
        (Shape::Time, found) => {
            format!("class {} can not be converted to milliseconds since epoch", java(found))
        }
        (shape, found) => {
            let article = if matches!(shape, Shape::Blob(_)) { "a" } else { "an" };
            format!("class {} can not be converted to {article} {}", java(found), simple(shape))
        }
    }
}

/// A shape in Java, as the service names it to those who sent a list.
fn class(shape: &Shape) -> String {
    match shape {
        Shape::Map(map) => format!("java.util.Map<java.lang.String, {}>", parameter(map.value)),
        Shape::Blob(_) => "class java.nio.ByteBuffer".to_owned(),
        Shape::Time => "class java.util.Date".to_owned(),
        Shape::Struct(wanted) => format!("class {}", full(wanted)),
        shape => format!("class java.lang.{}", simple(shape)),
    }
}

/// The parameter of a generic type.
fn parameter(shape: &Shape) -> String {
    match shape {
        Shape::Struct(wanted) => full(wanted),
        Shape::List(list) => format!("java.util.List<{}>", parameter(list.item)),
        shape => format!("java.lang.{}", simple(shape)),
    }
}

fn full(wanted: &Struct) -> String {
    format!("com.amazonaws.dynamodb.v20120810.{}", wanted.class)
}

fn simple(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text(_) => "String",
        Shape::Int(class, ..) => class,
        Shape::Flag => "Boolean",
        Shape::Blob(_) => "Blob",
        Shape::Time => "Date",
        Shape::List(_) => "List",
        Shape::Map(_) => "Map",
        Shape::Struct(wanted) => wanted.class,
    }
}

/// The text that SQS takes a number or a flag for.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// What a parser calls a scalar.
fn token(value: &Value) -> &'static str {
    match value {
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Int(_) => "NUMBER_VALUE",
        Value::Float(_) => "DECIMAL_VALUE",
        _ => "STRING_VALUE",
    }
}

/// What Java makes of a scalar.
fn java(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "java.lang.Boolean",
        Value::Int(_) | Value::Float(_) => "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
        Value::Blob(_) => "java.nio.HeapByteBuffer",
        Value::Time(_) => "java.util.Date",
        _ => "java.lang.String",
    }
}
