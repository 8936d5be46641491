//! Values of attributes: `{"S": "text"}`, one member that names the type.

use super::wording::{Member, Wording};
use crate::fields::{Dialect, Fields};
use crate::refusal::{Refusal, Result};
use crate::value::{Name, Value};
use fourfold::kv::{AttributeValue, Item, Set};
use std::borrow::Cow;

const DIALECT: Dialect = Dialect::Dynamo;

const NONE: &str = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
pub(super) const MORE_THAN_ONE: &str = "Supplied AttributeValue has more than one datatypes set, must contain exactly \
    one of the supported datatypes";

/// The item that a map of values is.
pub(super) fn item(members: Vec<(Name, Value)>, wording: Wording) -> Result<Item> {
    let there = members.into_iter().filter(|(_, value)| *value != Value::Null);
    let pairs = there.map(|(name, value)| {
        let value = attribute(value, wording).map_err(|refusal| wording.counted(refusal))?;
        Ok((name.into_owned(), value))
    });
    pairs.collect()
}

/// The value of an attribute. What is wrong with it is not counted yet.
pub(super) fn attribute(value: Value, wording: Wording) -> Result<AttributeValue> {
    let Value::Map(members) = value else { return Err(DIALECT.wrong_type(&value, "Structure")) };
    let known = members.into_iter().filter(|(name, value)| is_type(name) && *value != Value::Null);
    let mut found = None;
    let mut is_one = true;
    // What is wrong with a value is said before that there is more than one.
    for (kind, value) in known {
        is_one = found.replace(typed(&kind, value, wording)?).is_none();
    }
    match found {
        Some(value) if is_one => Ok(value),
        Some(_) => Err(DIALECT.invalid(MORE_THAN_ONE)),
        None => Err(DIALECT.invalid(NONE)),
    }
}

fn is_type(name: &str) -> bool {
    ["S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"].contains(&name)
}

fn typed(kind: &str, value: Value, wording: Wording) -> Result<AttributeValue> {
    let below = |value: Value| attribute(value, wording);
    Ok(match kind {
        "S" => AttributeValue::S(DIALECT.text(value)?),
        "N" => AttributeValue::N(wording.number(&DIALECT.text(value)?)?),
        "B" => AttributeValue::B(DIALECT.blob(value)?),
        "SS" => AttributeValue::Ss(set(value, wording, |value| DIALECT.text(value))?),
        "NS" => AttributeValue::Ns(set(value, wording, |value| wording.number(&DIALECT.text(value)?))?),
        "BS" => AttributeValue::Bs(set(value, wording, |value| DIALECT.blob(value))?),
        "L" => AttributeValue::L(list(value)?.into_iter().map(below).collect::<Result<_>>()?),
        "M" => match value {
            Value::Map(members) => AttributeValue::M(map(members, wording)?),
            other => return Err(DIALECT.wrong_type(&other, "Map")),
        },
        "BOOL" => match value {
            Value::Bool(flag) => AttributeValue::Bool(flag),
            other => return Err(DIALECT.wrong_type(&other, "Boolean")),
        },
        _ => match value {
            Value::Bool(true) => AttributeValue::Null,
            Value::Bool(false) => {
                return Err(DIALECT.invalid(
                    "One or more parameter values were invalid: Null attribute value types must have the value of true",
                ));
            }
            other => return Err(DIALECT.wrong_type(&other, "Boolean")),
        },
    })
}

/// A map within an attribute.
fn map(members: Vec<(Name, Value)>, wording: Wording) -> Result<Item> {
    let there = members.into_iter().filter(|(_, value)| *value != Value::Null);
    there.map(|(name, value)| Ok((name.into_owned(), attribute(value, wording)?))).collect()
}

fn list(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::List(items) => Ok(items),
        other => Err(DIALECT.wrong_type(&other, "List")),
    }
}

fn set<T: Member>(value: Value, wording: Wording, read: impl Fn(Value) -> Result<T>) -> Result<Set<T>> {
    let members: Vec<T> = list(value)?.into_iter().map(read).collect::<Result<_>>()?;
    wording.check_distinct(&members)?;
    Set::new(members).map_err(Refusal::from)
}

/// Values of a list, each an attribute's.
pub(super) fn attributes(
    input: &mut Fields,
    name: &str,
    wording: Wording,
) -> Result<Option<Vec<AttributeValue>>> {
    let Some(items) = input.list(name)? else { return Ok(None) };
    let read = |value| attribute(value, wording).map_err(|refusal| wording.counted(refusal));
    items.into_iter().map(read).collect::<Result<_>>().map(Some)
}

pub(super) fn item_value(item: &Item) -> Value {
    let members = item.iter().map(|(name, value)| (Cow::Owned(name.clone()), attribute_value(value)));
    Value::Map(members.collect())
}

fn attribute_value(value: &AttributeValue) -> Value {
    let (kind, value) = match value {
        AttributeValue::S(text) => ("S", text.as_str().into()),
        AttributeValue::N(number) => ("N", number.to_string().into()),
        AttributeValue::B(bytes) => ("B", Value::Blob(bytes.clone())),
        AttributeValue::Ss(set) => ("SS", Value::List(set.iter().map(|text| text.as_str().into()).collect())),
        AttributeValue::Ns(set) => {
            ("NS", Value::List(set.iter().map(|number| number.to_string().into()).collect()))
        }
        AttributeValue::Bs(set) => {
            ("BS", Value::List(set.iter().map(|bytes| Value::Blob(bytes.clone())).collect()))
        }
        AttributeValue::M(item) => ("M", item_value(item)),
        AttributeValue::L(items) => ("L", Value::List(items.iter().map(attribute_value).collect())),
        AttributeValue::Bool(flag) => ("BOOL", (*flag).into()),
        AttributeValue::Null => ("NULL", true.into()),
    };
    Value::map([(kind, Some(value))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<AttributeValue> {
        attribute(serde_json::from_str(json).unwrap(), Wording::Newer)
    }

    #[test]
    fn values_of_every_type_go_in_and_out() {
        for json in [
            r#"{"S":""}"#,
            r#"{"N":"-12.5"}"#,
            r#"{"B":"AP8="}"#,
            r#"{"SS":["a","b"]}"#,
            r#"{"NS":["1","2"]}"#,
            r#"{"BS":["AA==","/w=="]}"#,
            r#"{"M":{"a":{"L":[{"BOOL":false},{"NULL":true}]}}}"#,
        ] {
            let value = read(json).unwrap();
            assert_eq!(String::from_utf8(attribute_value(&value).to_json()).unwrap(), json);
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let cases = [
            ("{}", "Supplied AttributeValue is empty"),
            (r#"{"X":"a"}"#, "Supplied AttributeValue is empty"),
            (r#"{"S":"a","N":"1"}"#, "Supplied AttributeValue has more than one datatypes set"),
            (r#"{"NULL":false}"#, "One or more parameter values were invalid: Null attribute value types"),
            (r#"{"S":1}"#, "NUMBER_VALUE cannot be converted to String"),
            (r#"{"L":{}}"#, "Start of structure or map found where not expected"),
            ("7", "Unexpected field type"),
        ];
        for (json, message) in cases {
            let refusal = read(json).unwrap_err();
            assert!(refusal.message.starts_with(message), "{json}: {refusal}");
        }
    }
}
