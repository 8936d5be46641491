//! Attribute values and items as fields of Rust types, kept exactly: numbers with all their digits, sets as sets.
//!
//! In other formats a value is what it is closest to: a number is a string, a set a list, binary a list of numbers. What is
//! read from them has what they have: strings, numbers, lists, maps.

use super::{MAP, NUMBER, SET, VALUE, binary};
use crate::kv::{
    number::Number,
    value::{AttributeValue, Item, Set, SetMember},
};
use ::serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use bytes::Bytes;
use std::{collections::BTreeMap, fmt};

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::S(text) => serializer.serialize_str(text),
            Self::N(number) => number.serialize(serializer),
            Self::B(bytes) => serializer.serialize_bytes(bytes),
            Self::Ss(set) => serializer.serialize_newtype_struct(SET, &Members(set)),
            Self::Ns(set) => serializer.serialize_newtype_struct(SET, &Members(set)),
            Self::Bs(set) => {
                let members: Vec<Binary<'_>> = set.iter().map(Binary).collect();
                serializer.serialize_newtype_struct(SET, &members)
            }
            Self::M(map) => map.serialize(serializer),
            Self::L(list) => serializer.collect_seq(list),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Null => serializer.serialize_unit(),
        }
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

struct Members<'a, T>(&'a Set<T>);

impl<T: SetMember + Serialize> Serialize for Members<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

struct Binary<'a>(&'a Bytes);

impl Serialize for Binary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        binary::serialize(self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(VALUE, ValueVisitor)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match AttributeValue::deserialize(deserializer)? {
            AttributeValue::M(item) => Ok(item),
            other => Err(de::Error::custom(format!("a value of type {} is no map", other.kind()))),
        }
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = AttributeValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an attribute value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<AttributeValue, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Bool(truth))
    }

    fn visit_i64<E>(self, integer: i64) -> Result<AttributeValue, E> {
        Ok(AttributeValue::N(integer.into()))
    }

    fn visit_u64<E>(self, integer: u64) -> Result<AttributeValue, E> {
        Ok(AttributeValue::N(integer.into()))
    }

    fn visit_f64<E: de::Error>(self, float: f64) -> Result<AttributeValue, E> {
        Number::try_from(float).map(AttributeValue::N).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<AttributeValue, E> {
        Ok(AttributeValue::S(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<AttributeValue, E> {
        Ok(AttributeValue::S(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<AttributeValue, E> {
        Ok(AttributeValue::B(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<AttributeValue, E> {
        Ok(AttributeValue::B(bytes.into()))
    }

    fn visit_unit<E>(self) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Null)
    }

    fn visit_none<E>(self) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<AttributeValue, D::Error> {
        AttributeValue::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AttributeValue, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(AttributeValue::L(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<AttributeValue, A::Error> {
        let mut map = Item::new();
        while let Some(name) = fields.next_key::<String>()? {
            // What has no form of its own in serde comes under a name that says what it is.
            match &*name {
                NUMBER => return Ok(AttributeValue::N(fields.next_value()?)),
                SET => {
                    let members: Vec<AttributeValue> = fields.next_value()?;
                    return super::ser::set(members).map_err(de::Error::custom);
                }
                MAP => {
                    let map: BTreeMap<String, AttributeValue> = fields.next_value()?;
                    return Ok(AttributeValue::M(map.into()));
                }
                _ => map.insert(name, fields.next_value()?),
            };
        }
        Ok(AttributeValue::M(map))
    }
}
