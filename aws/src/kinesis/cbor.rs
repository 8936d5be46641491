//! CBOR, as the clients of Kinesis for Java speak it: binary data as it is, and times as a tag with milliseconds.

use crate::value::Value;
use fourfold::Timestamp;
use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};
use std::borrow::Cow;

/// Levels of a tree; requests have four.
const DEPTH_MAX: usize = 32;
/// The tag of times.
const TIME: Tag = Tag::new(1);

/// The tree that the bytes are, all of them; none for what is no tree.
pub(super) fn decode(bytes: &[u8]) -> Option<Value> {
    let mut decoder = Decoder::new(bytes);
    let value = decode_value(&mut decoder, 0)?;
    (decoder.position() == bytes.len()).then_some(value)
}

fn decode_value(decoder: &mut Decoder<'_>, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    match decoder.datatype().ok()? {
        Type::Null | Type::Undefined => decoder.skip().ok().map(|()| Value::Null),
        Type::Bool => decoder.bool().ok().map(Value::Bool),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
            decoder.i64().ok().map(Value::Int)
        }
        Type::F16 | Type::F32 | Type::F64 => decoder.f64().ok().map(Value::Float),
        Type::String | Type::StringIndef => decode_text(decoder).map(Value::Text),
        Type::Bytes | Type::BytesIndef => {
            let mut all = Vec::new();
            for part in decoder.bytes_iter().ok()? {
                all.extend_from_slice(part.ok()?);
            }
            Some(Value::Blob(all.into()))
        }
        Type::Array | Type::ArrayIndef => decode_list(decoder, depth),
        Type::Map | Type::MapIndef => decode_map(decoder, depth),
        Type::Tag if decoder.tag().ok()? == TIME => {
            // The service refuses times that are not whole milliseconds.
            decoder.u64().ok().map(|millis| Value::Time(Timestamp::from_millis(millis)))
        }
        _ => None,
    }
}

fn decode_text(decoder: &mut Decoder<'_>) -> Option<String> {
    let mut all = String::new();
    for part in decoder.str_iter().ok()? {
        all.push_str(part.ok()?);
    }
    Some(all)
}

/// Is there another item, in a list of so many or one that says where it ends?
fn has_more(decoder: &mut Decoder<'_>, left: &mut Option<u64>) -> Option<bool> {
    match left {
        Some(0) => Some(false),
        Some(left) => {
            *left -= 1;
            Some(true)
        }
        None if decoder.datatype().ok()? == Type::Break => {
            decoder.skip().ok()?;
            Some(false)
        }
        None => Some(true),
    }
}

fn decode_list(decoder: &mut Decoder<'_>, depth: usize) -> Option<Value> {
    let (mut left, mut items) = (decoder.array().ok()?, Vec::new());
    while has_more(decoder, &mut left)? {
        items.push(decode_value(decoder, depth + 1)?);
    }
    Some(Value::List(items))
}

fn decode_map(decoder: &mut Decoder<'_>, depth: usize) -> Option<Value> {
    let (mut left, mut members) = (decoder.map().ok()?, Vec::new());
    while has_more(decoder, &mut left)? {
        let name = decode_text(decoder)?;
        members.push((Cow::Owned(name), decode_value(decoder, depth + 1)?));
    }
    Some(Value::Map(members))
}

/// The bytes of a tree.
pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // A vector takes everything.
    let _ = encode_value(&mut encoder, value);
    encoder.into_writer()
}

fn encode_value(
    encoder: &mut Encoder<Vec<u8>>,
    value: &Value,
) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
    match value {
        Value::Null => encoder.null()?,
        Value::Bool(flag) => encoder.bool(*flag)?,
        Value::Int(number) => encoder.i64(*number)?,
        Value::Float(number) => encoder.f64(*number)?,
        Value::Text(text) => encoder.str(text)?,
        Value::Blob(bytes) => encoder.bytes(bytes)?,
        Value::Time(time) => encoder.tag(TIME)?.u64(time.as_millis())?,
        Value::List(items) => {
            encoder.begin_array()?;
            for item in items {
                encode_value(encoder, item)?;
            }
            encoder.end()?
        }
        Value::Map(members) => {
            encoder.begin_map()?;
            for (name, value) in members {
                encoder.str(name)?;
                encode_value(encoder, value)?;
            }
            encoder.end()?
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn tree() -> Value {
        Value::map([
            ("Data", Some(Value::Blob(Bytes::from_static(&[0, 255])))),
            ("At", Some(Value::Time(Timestamp::from_millis(1_735_689_600_123)))),
            ("List", Some(Value::List(vec![Value::Int(-5), Value::Bool(true), Value::Null, "x".into()]))),
            ("Half", Some(Value::Float(0.5))),
        ])
    }

    #[test]
    fn a_tree_goes_out_and_in() {
        assert_eq!(decode(&encode(&tree())), Some(tree()));
    }

    #[test]
    fn what_ends_early_or_goes_on_is_no_tree() {
        let bytes = encode(&tree());
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len]), None, "{len}");
        }
        assert_eq!(decode(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn lists_of_a_known_length_are_read_and_huge_claims_are_not_believed() {
        assert_eq!(decode(&[0x82, 1, 2]), Some(Value::List(vec![Value::Int(1), Value::Int(2)])));
        assert_eq!(decode(&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255, 1]), None);
        assert_eq!(decode(&[0x9f].repeat(100_000)), None);
        assert_eq!(decode(&[0xc1, 0xfb, 0, 0, 0, 0, 0, 0, 0, 0]), None, "a time that is a float");
    }
}
