//! Tests of the bytes of items.

use super::*;
use crate::kv::item;
use proptest::prelude::*;

fn sample() -> Item {
    item! {
        "a" => "text",
        "b" => 1234,
        "c" => Bytes::from_static(&[0, 255]),
        "d" => Set::new(["x".to_owned(), "y".to_owned()]).unwrap(),
        "e" => Set::new([1, -1, 100].map(Number::from)).unwrap(),
        "f" => Set::new([Bytes::from_static(b"z")]).unwrap(),
        "g" => item! { "h" => item! {}, "i" => ["j", ""] },
        "k" => true,
        "l" => false,
        "m" => (),
        "" => Vec::<bool>::new(),
        "long" => "x".repeat(300),
    }
}

#[test]
fn round_trip() {
    let bytes = encode_item(&sample());
    assert_eq!(decode_item(&bytes), Ok(sample()));
    assert_eq!(encode_item(&Item::new()), [ITEM_FORMAT, 0]);
    assert_eq!(
        encode_item(&item! { "n" => 7, "l" => ["a"] }),
        [1, 2, 1, b'l', TAG_L, 4, 0, 0, 0, 1, TAG_S, 1, b'a', 1, b'n', TAG_N, 193, 8, 0]
    );
}

#[test]
fn rejects_every_truncation() {
    let bytes = encode_item(&sample());
    for len in 0..bytes.len() {
        let error = decode_item(&bytes[..len]).unwrap_err();
        assert!(error.offset <= len as u64, "{error:?}");
    }
    let more = [&bytes[..], &[0]].concat();
    assert!(decode_item(&more).is_err());
}

#[test]
fn attributes_are_found_alone() {
    let (item, bytes) = (sample(), encode_item(&sample()));
    for (name, value) in &item {
        assert_eq!(get_attribute(&bytes, name), Ok(Some(value.clone())));
    }
    for missing in ["A", "aa", "n", "zzz"] {
        assert_eq!(get_attribute(&bytes, missing), Ok(None));
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| {
        let mut value = AttributeValue::Bool(true);
        for level in 1..levels {
            value =
                if level % 2 == 0 { item! { "a" => value }.into() } else { AttributeValue::L(vec![value]) };
        }
        item! { "a" => value }
    };
    assert!(nested(NESTING_MAX).validate().is_ok());
    assert_eq!(decode_item(&encode_item(&nested(NESTING_MAX))), Ok(nested(NESTING_MAX)));
    assert!(nested(NESTING_MAX + 1).validate().is_err());
    assert_eq!(decode_item(&encode_item(&nested(NESTING_MAX + 1))).unwrap_err().what, "nesting of an item");
}

#[test]
fn a_count_does_not_allocate() {
    let huge = [ITEM_FORMAT, 0xff, 0xff, 0xff, 0xff, 0x0f, 1];
    assert_eq!(decode_item(&huge).unwrap_err().what, "item length");
    assert_eq!(decode_item(&[ITEM_FORMAT, 0x80, 0]).unwrap_err().what, "item length");
}

/// Values to a few levels.
pub(crate) fn any_value() -> impl Strategy<Value = AttributeValue> {
    let number = (-1_000_000_i64..1_000_000).prop_map(Number::from);
    let bytes = proptest::collection::vec(any::<u8>(), 0..6).prop_map(Bytes::from);
    let scalar = prop_oneof![
        "[a-c]{0,4}".prop_map(AttributeValue::S),
        any::<String>().prop_map(AttributeValue::S),
        number.clone().prop_map(AttributeValue::N),
        bytes.clone().prop_map(AttributeValue::B),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null),
        proptest::collection::btree_set("[a-c]{0,2}", 1..4)
            .prop_map(|set| AttributeValue::Ss(Set::new(set).unwrap())),
        proptest::collection::btree_set(number, 1..4)
            .prop_map(|set| AttributeValue::Ns(Set::new(set).unwrap())),
        proptest::collection::btree_set(bytes, 1..4)
            .prop_map(|set| AttributeValue::Bs(Set::new(set).unwrap())),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(AttributeValue::L),
            proptest::collection::btree_map("[a-c]{1,2}", inner, 0..4)
                .prop_map(|map| AttributeValue::M(map.into())),
        ]
    })
}

/// Items of few names, so that they meet.
pub(crate) fn any_item() -> impl Strategy<Value = Item> {
    proptest::collection::btree_map("[a-e]{1,2}", any_value(), 0..6).prop_map(Item::from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_is_read(item in any_item(), name in "[a-e]{1,2}") {
        let bytes = encode_item(&item);
        let found = get_attribute(&bytes, &name).unwrap();
        prop_assert_eq!(found.as_ref(), item.get(&name));
        prop_assert_eq!(decode_item(&bytes).unwrap(), item);
    }

    #[test]
    fn damage_is_refused_or_another_item(item in any_item(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode_item(&item);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(other) = decode_item(&bytes) {
            prop_assert_eq!(encode_item(&other), bytes);
        }
    }

    #[test]
    fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Some(first) = bytes.first_mut() {
            *first = ITEM_FORMAT;
        }
        if let Ok(item) = decode_item(&bytes) {
            prop_assert_eq!(encode_item(&item), bytes.clone());
        }
        let _ = get_attribute(&bytes, "a");
    }
}
