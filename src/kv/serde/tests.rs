//! Tests of Rust values as items.

use super::*;
use crate::kv::{Number, Set, item};
use ::serde::Deserialize;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(u32),
    Box(u32, u32),
    Named { name: String, sides: Vec<i8> },
    Boxed(Box<Shape>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    text: String,
    missing: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapper(u64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    signed: (i8, i16, i32, i64, i128),
    unsigned: (u8, u16, u32, u64, u128),
    floats: (f32, f64),
    truth: bool,
    char: char,
    unit: (),
    nothing: Nothing,
    wrapper: Wrapper,
    some: Option<Vec<Option<bool>>>,
    inner: Inner,
    shapes: Vec<Shape>,
    by_number: BTreeMap<i32, String>,
    by_truth: BTreeMap<bool, char>,
    number: Number,
    #[serde(with = "set")]
    tags: BTreeSet<String>,
    #[serde(with = "set")]
    primes: Vec<u16>,
    #[serde(with = "set")]
    numbers: Vec<Number>,
    #[serde(with = "binary")]
    bytes: Vec<u8>,
    #[serde(flatten)]
    rest: HashMap<String, String>,
}

fn everything() -> Everything {
    Everything {
        signed: (-1, -2, -3, i64::MIN, -(10_i128.pow(37))),
        unsigned: (1, 2, 3, u64::MAX, 10_u128.pow(37)),
        floats: (0.1, -1e100),
        truth: true,
        char: '\u{e9}',
        unit: (),
        nothing: Nothing,
        wrapper: Wrapper(5),
        some: Some(vec![Some(true), None]),
        inner: Inner { text: String::new(), missing: None },
        shapes: vec![
            Shape::Point,
            Shape::Circle(1),
            Shape::Box(1, 2),
            Shape::Named { name: "x".to_owned(), sides: vec![-1] },
            Shape::Boxed(Box::new(Shape::Circle(3))),
        ],
        by_number: [(-1, "a".to_owned()), (2, "b".to_owned())].into(),
        by_truth: [(true, 't')].into(),
        number: "12345678901234567890123456789012345678".parse().unwrap(),
        tags: ["a".to_owned(), "b".to_owned()].into(),
        primes: vec![2, 3, 5],
        numbers: vec!["1e-130".parse().unwrap()],
        bytes: vec![0, 255],
        rest: [("more".to_owned(), "yes".to_owned())].into(),
    }
}

#[test]
fn all_types_go_both_ways() {
    let item = to_item(&everything()).unwrap();
    assert_eq!(item["inner"], item! { "text" => "", "missing" => () }.into());
    assert_eq!(item["by_number"], item! { "-1" => "a", "2" => "b" }.into());
    assert_eq!(item["primes"], AttributeValue::number_set([2, 3, 5]).unwrap());
    assert_eq!(item["tags"], AttributeValue::string_set(["a", "b"]).unwrap());
    assert_eq!(item["bytes"], Bytes::from_static(&[0, 255]).into());
    assert_eq!(item["number"].as_number(), Some(everything().number));
    assert_eq!(item["more"], "yes".into());
    let shapes = item["shapes"].as_list().unwrap();
    assert_eq!(shapes[0], "Point".into());
    assert_eq!(shapes[1], item! { "Circle" => 1 }.into());
    assert_eq!(shapes[2], item! { "Box" => [1, 2] }.into());
    assert_eq!(shapes[3], item! { "Named" => item! { "name" => "x", "sides" => [-1] } }.into());
    assert_eq!(from_item::<Everything>(item).unwrap(), everything());
}

#[derive(Serialize)]
struct Sets<T: Serialize>(#[serde(with = "set")] Vec<T>);

#[test]
fn what_no_attribute_can_be() {
    let refused =
        |result: Result<AttributeValue, Error>, text: &str| assert_eq!(result.unwrap_err().to_string(), text);
    refused(to_value(&f64::NAN), "The parameter cannot be converted to a numeric value: NaN");
    assert!(to_value(&f64::MAX).unwrap_err().to_string().starts_with("Number overflow"));
    assert!(to_value(&u128::MAX).unwrap_err().to_string().contains("38 significant digits"));
    refused(to_value(&BTreeMap::from([([1_u8], 1)])), "the key of a map must be a string, not a tuple");

    refused(
        to_value(&Sets::<String>(vec![])),
        "One or more parameter values were invalid: An string set  may not be empty",
    );
    refused(to_value(&Sets(vec![1, 1])), "Input collection contains duplicates");
    refused(to_value(&Sets(vec![true])), "a set cannot have members of type BOOL");
}

#[test]
fn wrong_types_are_refused() {
    assert!(from_value::<u8>(300.into()).is_err());
    assert!(from_value::<u8>((-1).into()).is_err());
    assert!(from_value::<u8>(AttributeValue::number("1.5").unwrap()).is_err());
    assert!(from_value::<String>(1.into()).is_err());
    assert!(from_value::<Inner>(item! { "missing" => 1 }.into()).is_err());
    assert!(from_value::<(u8, u8)>([1, 2, 3].into()).is_err());
    assert!(from_value::<Shape>(item! { "Point" => 1 }.into()).is_err());
    assert!(from_value::<Shape>("Circle".into()).is_err());
    assert!(from_value::<Shape>("Square".into()).is_err());
    assert_eq!(from_value::<f64>(AttributeValue::number("0.1").unwrap()), Ok(0.1));
    assert_eq!(from_value::<Inner>(item! { "text" => "a", "other" => 1 }.into()).unwrap().missing, None);
    let set = AttributeValue::from(Set::new(["a".to_owned()]).unwrap());
    assert_eq!(from_value::<Vec<String>>(set), Ok(vec!["a".to_owned()]));
}

#[test]
fn endless_values_are_refused() {
    #[derive(Serialize)]
    struct Nested(Option<Box<Nested>>, Vec<Nested>);
    let nested = |levels: usize| {
        let leaf = Nested(None, vec![]);
        (0..levels).fold(leaf, |inner, _| Nested(None, vec![inner]))
    };
    assert!(to_value(&nested(5)).is_ok());
    assert!(to_value(&nested(100)).is_err());
}

/// Values and items as fields are what they were: numbers with all digits, sets as sets, maps with any names.
#[test]
fn attribute_values_are_fields() {
    #[derive(Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
    struct Record {
        any: AttributeValue,
        all: Item,
        perhaps: Option<AttributeValue>,
    }
    let digits = "12345678901234567890.12345678901234567";
    let values = [
        AttributeValue::number(digits).unwrap(),
        AttributeValue::string_set(["a", "b"]).unwrap(),
        AttributeValue::number_set([1, 2]).unwrap(),
        AttributeValue::binary_set([vec![1_u8], vec![2]]).unwrap(),
        AttributeValue::B(vec![0, 255].into()),
        AttributeValue::Null,
        AttributeValue::Bool(true),
        AttributeValue::L(vec![AttributeValue::number(digits).unwrap(), "x".into()]),
        AttributeValue::M(item! { "$fourfold::kv::Number" => "x", "!" => 1, "$fourfold::kv::Item" => ["y"] }),
    ];
    for value in values {
        let all = item! { "a" => value.clone(), "$fourfold::kv::Set" => 7 };
        let perhaps = (value != AttributeValue::Null).then(|| value.clone());
        let record = Record { any: value, all, perhaps };
        let item = to_item(&record).unwrap();
        assert_eq!((&item["any"], item["all"].as_map()), (&record.any, Some(&record.all)));
        assert_eq!(from_item::<Record>(item).unwrap(), record);
    }
    let json: AttributeValue = serde_json::from_str(r#"{"a":[1,"x",null,true]}"#).unwrap();
    let list = vec![1.into(), "x".into(), AttributeValue::Null, true.into()];
    assert_eq!(json, AttributeValue::M(item! { "a" => AttributeValue::L(list) }));
    assert!(serde_json::from_str::<Item>("[1]").is_err());
}
