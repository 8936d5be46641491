//! Attribute values into Rust values.

use super::{Error, MAP, NUMBER, SET, VALUE, key::KeyDeserializer};
use crate::kv::{
    number::Number,
    value::{AttributeValue, Item},
};
use ::serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor,
        value::{SeqDeserializer, StringDeserializer},
    },
};
use std::fmt;

/// A number is its digits in our deserializer; in others a string, an integer or a float.
impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NUMBER, NumberVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, integer: i64) -> Result<Number, E> {
        Ok(integer.into())
    }

    fn visit_u64<E: de::Error>(self, integer: u64) -> Result<Number, E> {
        Ok(integer.into())
    }

    fn visit_f64<E: de::Error>(self, float: f64) -> Result<Number, E> {
        Number::try_from(float).map_err(E::custom)
    }
}

/// Reads one value.
pub(super) struct ValueDeserializer(pub(super) AttributeValue);

impl IntoDeserializer<'_, Error> for ValueDeserializer {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The members of a set as values.
fn members(value: AttributeValue) -> Result<Vec<AttributeValue>, AttributeValue> {
    match value {
        AttributeValue::L(list) => Ok(list),
        AttributeValue::Ss(set) => Ok(set.into_iter().map(AttributeValue::S).collect()),
        AttributeValue::Ns(set) => Ok(set.into_iter().map(AttributeValue::N).collect()),
        AttributeValue::Bs(set) => Ok(set.into_iter().map(AttributeValue::B).collect()),
        other => Err(other),
    }
}

fn visit_list<'de, V: Visitor<'de>>(list: Vec<AttributeValue>, visitor: V) -> Result<V::Value, Error> {
    let mut elements = SeqDeserializer::new(list.into_iter().map(ValueDeserializer));
    let value = visitor.visit_seq(&mut elements)?;
    elements.end()?;
    Ok(value)
}

fn visit_map<'de, V: Visitor<'de>>(map: Item, visitor: V) -> Result<V::Value, Error> {
    visitor.visit_map(Fields { fields: map.into_iter(), value: None })
}

/// A value for [`AttributeValue`] itself: what `serde` has no form for comes as a map of one field that says what it is.
fn visit_exactly<'de, V: Visitor<'de>>(value: AttributeValue, visitor: V) -> Result<V::Value, Error> {
    let name = match &value {
        AttributeValue::N(_) => NUMBER,
        AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_) => SET,
        // A map that could be taken for one of these.
        AttributeValue::M(map) if [NUMBER, SET, MAP].iter().any(|name| map.contains_key(*name)) => MAP,
        _ => return ValueDeserializer(value).deserialize_any(visitor),
    };
    let fields = std::iter::once((name.to_owned(), value));
    visitor.visit_map(Fields { fields, value: None })
}

/// A number as the nearest thing that a visitor of anything understands.
fn visit_number<'de, V: Visitor<'de>>(number: Number, visitor: V) -> Result<V::Value, Error> {
    let Some(integer) = number.to_i128() else { return visitor.visit_f64(number.to_f64()) };
    match (i64::try_from(integer), u64::try_from(integer)) {
        (Ok(integer), _) => visitor.visit_i64(integer),
        (_, Ok(integer)) => visitor.visit_u64(integer),
        _ => visitor.visit_i128(integer),
    }
}

macro_rules! large_integers {
    ($($method:ident => $visit:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.as_number().and_then(|number| number.to_i128()?.try_into().ok()) {
                Some(integer) => visitor.$visit(integer),
                None => self.deserialize_any(visitor),
            }
        }
    )* };
}

macro_rules! floats {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.as_number() {
                Some(number) => visitor.visit_f64(number.to_f64()),
                None => self.deserialize_any(visitor),
            }
        }
    )* };
}

impl<'de> Deserializer<'de> for ValueDeserializer {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            AttributeValue::S(text) => visitor.visit_string(text),
            AttributeValue::N(number) => visit_number(number, visitor),
            AttributeValue::B(bytes) => visitor.visit_byte_buf(bytes.into()),
            AttributeValue::Bool(truth) => visitor.visit_bool(truth),
            AttributeValue::Null => visitor.visit_unit(),
            AttributeValue::M(map) => visit_map(map, visitor),
            set_or_list => match members(set_or_list) {
                Ok(list) => visit_list(list, visitor),
                Err(other) => Err(Error(format!("a value of type {} is no list", other.kind()))),
            },
        }
    }

    large_integers! {
        deserialize_i128 => visit_i128
        deserialize_u128 => visit_u128
    }

    floats! { deserialize_f32 deserialize_f64 }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            AttributeValue::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (name, self.0) {
            (NUMBER, AttributeValue::N(number)) => {
                let digits: StringDeserializer<Error> = number.to_string().into_deserializer();
                visitor.visit_newtype_struct(digits)
            }
            (VALUE, value) => visit_exactly(value, visitor),
            (_, value) => visitor.visit_newtype_struct(Self(value)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let access = match self.0 {
            AttributeValue::S(variant) => Variant { variant, content: None },
            AttributeValue::M(map) if map.len() == 1 => match map.into_iter().next() {
                Some((variant, content)) => Variant { variant, content: Some(content) },
                None => return Err(Error("an empty map is no variant of an enum".to_owned())),
            },
            other => return Err(Error(format!("a value of type {} is no variant of an enum", other.kind()))),
        };
        visitor.visit_enum(access)
    }

    ::serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct
        map struct identifier ignored_any
    }
}

/// The fields of a map.
struct Fields<I> {
    fields: I,
    value: Option<AttributeValue>,
}

impl<'de, I: Iterator<Item = (String, AttributeValue)>> MapAccess<'de> for Fields<I> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.fields.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(KeyDeserializer(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = self.value.take().ok_or_else(|| Error("a map has no value without a key".to_owned()))?;
        seed.deserialize(ValueDeserializer(value))
    }
}

/// A variant of an enum, perhaps with content.
struct Variant {
    variant: String,
    content: Option<AttributeValue>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Error;
    type Variant = Content;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content), Error> {
        let variant = seed.deserialize(KeyDeserializer(self.variant))?;
        Ok((variant, Content(self.content)))
    }
}

/// The content of a variant.
struct Content(Option<AttributeValue>);

impl Content {
    fn some(self) -> Result<AttributeValue, Error> {
        self.0.ok_or_else(|| Error("the variant of an enum lacks its content".to_owned()))
    }
}

impl<'de> VariantAccess<'de> for Content {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.0 {
            None | Some(AttributeValue::Null) => Ok(()),
            Some(_) => Err(Error("the variant of an enum has content that it should not have".to_owned())),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(ValueDeserializer(self.some()?))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        ValueDeserializer(self.some()?).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        ValueDeserializer(self.some()?).deserialize_any(visitor)
    }
}
