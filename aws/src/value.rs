//! The tree that every protocol decodes requests into and encodes answers from.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fourfold::Timestamp;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// Lists and maps of a JSON text within each other, at most: few enough for any stack.
const LEVELS_MAX: u32 = 256;

/// A member's name: borrowed in answers, owned in requests.
pub(crate) type Name = Cow<'static, str>;

/// A value of a request or an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Base64 in JSON and XML.
    Blob(Bytes),
    /// Seconds in JSON.
    Time(Timestamp),
    List(Vec<Value>),
    /// In the order of the text; of members of one name the last counts.
    Map(Vec<(Name, Value)>),
}

impl Value {
    pub(crate) fn empty() -> Self {
        Self::Map(Vec::new())
    }

    /// A map of those members that are there.
    pub(crate) fn map<const N: usize>(members: [(&'static str, Option<Value>); N]) -> Self {
        let there = members.into_iter().filter_map(|(name, value)| Some((Cow::Borrowed(name), value?)));
        Self::Map(there.collect())
    }

    /// A map of texts, by names that the caller chose.
    pub(crate) fn texts<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let pairs = pairs.into_iter();
        Self::Map(pairs.map(|(name, text)| (Cow::Owned(name.into()), Self::Text(text.into()))).collect())
    }

    /// A list, unless it is empty.
    pub(crate) fn unless_empty(items: Vec<Value>) -> Option<Self> {
        (!items.is_empty()).then_some(Self::List(items))
    }

    /// The JSON text.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // A tree of texts and numbers has a JSON text: there is no failing key or value in it.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(items)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let deepest = Cell::new(0);
        deserializer.deserialize_any(Tree { level: 1, deepest: &deepest })
    }
}

/// What a JSON text is.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) value: Value,
    /// Lists and maps within each other.
    pub(crate) levels: u32,
}

/// Reads a JSON text; none if it is no JSON, or one of more than [`LEVELS_MAX`] levels.
pub(crate) fn read(text: &[u8]) -> Option<Read> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    // The tree counts by itself.
    deserializer.disable_recursion_limit();
    let deepest = Cell::new(0);
    let value = (&mut deserializer).deserialize_any(Tree { level: 1, deepest: &deepest }).ok()?;
    deserializer.end().ok()?;
    Some(Read { value, levels: deepest.get() })
}

#[derive(Clone, Copy)]
struct Tree<'a> {
    /// Of the list or map that this may be.
    level: u32,
    deepest: &'a Cell<u32>,
}

impl Tree<'_> {
    /// What is within this, which is a list or a map.
    fn below<E: Error>(self) -> Result<Self, E> {
        if self.level > LEVELS_MAX {
            return Err(E::custom("too many levels"));
        }
        self.deepest.set(self.deepest.get().max(self.level));
        Ok(Self { level: self.level + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "no field of any service takes integers beyond 63 bits")]
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or(Value::Float(number as f64), Value::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut map = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            map.push((Cow::Owned(name), members.next_value_seed(below)?));
        }
        Ok(Value::Map(map))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Blob(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            Self::Time(time) => serializer.serialize_f64(seconds(*time)),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// Seconds with three decimals, as JSON has times.
#[expect(clippy::cast_precision_loss, reason = "milliseconds fit into 53 bits until the year 287396")]
fn seconds(time: Timestamp) -> f64 {
    time.as_millis() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_goes_in_and_out() {
        let text = br#"{"a":[1,-2.5,"x",true,null],"b":{"c":18446744073709551615}}"#;
        let value: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(
            value.to_json(),
            br#"{"a":[1,-2.5,"x",true,null],"b":{"c":1.8446744073709552e+19}}"#,
            "an integer that no field takes is a float"
        );
    }

    #[test]
    fn blobs_and_times_have_the_forms_of_the_protocol() {
        let value = Value::map([
            ("Data", Some(Value::Blob(Bytes::from_static(b"hello")))),
            ("At", Some(Value::Time(Timestamp::from_millis(1_735_689_600_123)))),
            ("Not", None),
        ]);
        assert_eq!(value.to_json(), br#"{"Data":"aGVsbG8=","At":1735689600.123}"#);
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| read(("[".repeat(levels) + &"]".repeat(levels)).as_bytes());
        assert_eq!(nested(256).unwrap().levels, 256);
        assert_eq!(read(br#"{"a":[1,{"b":{}}],"c":[]}"#).unwrap().levels, 4);
        assert!(nested(257).is_none() && nested(1_000_000).is_none());
        assert!(read("[".repeat(100_000).as_bytes()).is_none());
        assert!(read(b"{} {}").is_none() && read(b"").is_none());
    }
}
