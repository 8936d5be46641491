//! Rust values into attribute values.

use super::{Error, NUMBER, SET, key::KeySerializer};
use crate::kv::{
    number::Number,
    value::{AttributeValue, Item, NESTING_MAX, Set},
};
use ::serde::{
    Serialize, Serializer,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};
use bytes::Bytes;

/// A number is its digits to our serializer, and a string to others.
impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NUMBER, &self.to_string())
    }
}

/// Makes one value.
#[derive(Clone, Copy)]
pub(super) struct ValueSerializer {
    /// How many levels it may have: what is endless must not overflow the stack. An item is a level of its own.
    levels: usize,
}

impl ValueSerializer {
    pub(super) const fn new() -> Self {
        Self { levels: NESTING_MAX + 1 }
    }

    fn below(self) -> Result<Self, Error> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels }),
            None => Err(Error(format!("values may have {NESTING_MAX} levels, not more"))),
        }
    }

    fn list(self) -> Result<List, Error> {
        Ok(List { below: self.below()?, elements: Vec::new(), variant: None })
    }

    fn map(self) -> Result<Map, Error> {
        Ok(Map { below: self.below()?, fields: Item::new(), key: None, variant: None })
    }
}

macro_rules! numbers {
    ($($method:ident($of:ty))*) => { $(
        fn $method(self, value: $of) -> Result<AttributeValue, Error> {
            Ok(AttributeValue::number(&value.to_string())?)
        }
    )* };
}

impl Serializer for ValueSerializer {
    type Ok = AttributeValue;
    type Error = Error;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Map;
    type SerializeStruct = Map;
    type SerializeStructVariant = Map;

    numbers! {
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_f32(f32) serialize_f64(f64)
    }

    fn serialize_bool(self, truth: bool) -> Result<AttributeValue, Error> {
        Ok(AttributeValue::Bool(truth))
    }

    fn serialize_char(self, char: char) -> Result<AttributeValue, Error> {
        Ok(AttributeValue::S(char.to_string()))
    }

    fn serialize_str(self, text: &str) -> Result<AttributeValue, Error> {
        Ok(AttributeValue::S(text.to_owned()))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<AttributeValue, Error> {
        Ok(AttributeValue::B(Bytes::copy_from_slice(bytes)))
    }

    fn serialize_none(self) -> Result<AttributeValue, Error> {
        Ok(AttributeValue::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<AttributeValue, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<AttributeValue, Error> {
        Ok(AttributeValue::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<AttributeValue, Error> {
        Ok(AttributeValue::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<AttributeValue, Error> {
        Ok(AttributeValue::S(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<AttributeValue, Error> {
        match (name, value.serialize(self)?) {
            (NUMBER, AttributeValue::S(digits)) => Ok(AttributeValue::number(&digits)?),
            (SET, AttributeValue::L(members)) => set(members),
            (SET, other) => {
                Err(Error(format!("a set is made of a list, not of a value of type {}", other.kind())))
            }
            (_, value) => Ok(value),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<AttributeValue, Error> {
        Ok(named(variant, value.serialize(self.below()?)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List, Error> {
        self.list()
    }

    fn serialize_tuple(self, _: usize) -> Result<List, Error> {
        self.list()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List, Error> {
        self.list()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List, Error> {
        Ok(List { variant: Some(variant), ..self.below()?.list()? })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map, Error> {
        self.map()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Map, Error> {
        self.map()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Map, Error> {
        Ok(Map { variant: Some(variant), ..self.below()?.map()? })
    }
}

/// The set of these members, which are all of one type.
pub(super) fn set(members: Vec<AttributeValue>) -> Result<AttributeValue, Error> {
    let (mut texts, mut numbers, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    let count = members.len();
    for member in members {
        match member {
            AttributeValue::S(text) => texts.push(text),
            AttributeValue::N(number) => numbers.push(number),
            AttributeValue::B(binary) => bytes.push(binary),
            other => return Err(Error(format!("a set cannot have members of type {}", other.kind()))),
        }
    }
    if numbers.len() == count && count > 0 {
        Ok(AttributeValue::Ns(Set::new(numbers)?))
    } else if bytes.len() == count && count > 0 {
        Ok(AttributeValue::Bs(Set::new(bytes)?))
    } else if texts.len() == count {
        Ok(AttributeValue::Ss(Set::new(texts)?))
    } else {
        Err(Error("a set cannot have members of several types".to_owned()))
    }
}

/// A variant with its content.
fn named(variant: &str, content: AttributeValue) -> AttributeValue {
    AttributeValue::M([(variant, content)].into())
}

/// A list that is being made, perhaps as the content of a variant.
pub(super) struct List {
    below: ValueSerializer,
    elements: Vec<AttributeValue>,
    variant: Option<&'static str>,
}

impl List {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.elements.push(value.serialize(self.below)?);
        Ok(())
    }

    fn done(self) -> AttributeValue {
        let list = AttributeValue::L(self.elements);
        match self.variant {
            Some(variant) => named(variant, list),
            None => list,
        }
    }
}

macro_rules! list {
    ($($of:ident::$push:ident)*) => { $(
        impl $of for List {
            type Ok = AttributeValue;
            type Error = Error;

            fn $push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.push(value)
            }

            fn end(self) -> Result<AttributeValue, Error> {
                Ok(self.done())
            }
        }
    )* };
}
list! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

/// A map that is being made, perhaps as the content of a variant.
pub(super) struct Map {
    below: ValueSerializer,
    fields: Item,
    key: Option<String>,
    variant: Option<&'static str>,
}

impl Map {
    fn put<T: Serialize + ?Sized>(&mut self, name: String, value: &T) -> Result<(), Error> {
        self.fields.insert(name, value.serialize(self.below)?);
        Ok(())
    }

    fn done(self) -> AttributeValue {
        let map = AttributeValue::M(self.fields);
        match self.variant {
            Some(variant) => named(variant, map),
            None => map,
        }
    }
}

impl SerializeMap for Map {
    type Ok = AttributeValue;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = Some(key.serialize(KeySerializer)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = self.key.take().ok_or_else(|| Error("a map has a value without a key".to_owned()))?;
        self.put(key, value)
    }

    fn end(self) -> Result<AttributeValue, Error> {
        Ok(self.done())
    }
}

macro_rules! map {
    ($($of:ident)*) => { $(
        impl $of for Map {
            type Ok = AttributeValue;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.put(name.to_owned(), value)
            }

            fn end(self) -> Result<AttributeValue, Error> {
                Ok(self.done())
            }
        }
    )* };
}
map! { SerializeStruct SerializeStructVariant }
