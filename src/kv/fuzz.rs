//! What fuzz targets call: bytes of items, numbers, expressions. Each function panics if a rule is broken.

use super::{
    Item, Number, codec,
    expr::{Condition, ExpressionKind, KeyCondition, Placeholders, Projection, Update},
    item,
};

/// An item, whole and by attributes.
pub(crate) fn item(bytes: &[u8]) {
    let Ok(item) = codec::decode_item(bytes) else {
        let _ = codec::get_attribute(bytes, "a");
        return;
    };
    assert_eq!(codec::encode_item(&item), bytes, "what is accepted is what was written");
    assert!(item.values().all(|value| value.validate().is_ok()));
    for (name, value) in &item {
        let found = codec::get_attribute(bytes, name).expect("a sound item");
        assert_eq!(found.as_ref(), Some(value), "an attribute is found alone");
    }
}

/// A number, as text and as key.
pub(crate) fn number(bytes: &[u8]) {
    let key = |number: Number| {
        let mut key = Vec::new();
        number.write_key(&mut key);
        key
    };
    if let Some((number, len)) = Number::read_key(bytes) {
        assert_eq!(key(number), bytes[..len], "a number has one key");
    }
    let Ok(number) = std::str::from_utf8(bytes).unwrap_or_default().parse::<Number>() else { return };
    assert_eq!(number.to_string().parse::<Number>().ok(), Some(number), "what is printed is parsed");
    assert_eq!(Number::read_key(&key(number)).map(|(number, _)| number), Some(number));
    let twice = number.checked_add(number).and_then(|sum| sum.checked_sub(number));
    assert!(twice.is_err() || twice.ok() == Some(number));
}

/// An expression of every kind, evaluated where it is one.
pub(crate) fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let names = ["a", "b", "c"].map(|name| (format!("#{name}"), name.to_owned())).into();
    let values = item! { ":n" => 1, ":s" => "a", ":l" => [1, 2], ":t" => "SS", ":m" => item! { "b" => 2 } };
    let item = item! { "a" => [1, 2, 3], "b" => item! { "c" => "x" }, "c" => 4 };
    let placeholders = || Placeholders::new(Some(&names), Some(&values)).expect("sound placeholders");
    for kind in [ExpressionKind::Condition, ExpressionKind::Filter] {
        if let Ok(condition) = Condition::parse_with(kind, text, &mut placeholders()) {
            let holds = condition.evaluate(&item);
            let encoded = condition.evaluate_encoded(&codec::encode_item(&item));
            assert_eq!(encoded, Ok(holds), "an item and its bytes are the same");
            assert_eq!(condition.not().evaluate(&item), !holds);
        }
    }
    let _ = KeyCondition::parse_with(text, &mut placeholders());
    if let Ok(projection) = Projection::parse_with(text, &mut placeholders()) {
        let once = projection.apply(&item);
        assert!(once.size() <= item.size(), "a projection adds nothing");
    }
    if let Ok(update) = Update::parse_with(text, &mut placeholders()) {
        for exists in [true, false] {
            let before = if exists { item.clone() } else { Item::new() };
            let mut after = before.clone();
            match update.apply(&mut after, exists) {
                Ok(touched) => drop((touched.of_old(&before), touched.of_new(&after))),
                Err(_) => assert_eq!(after, before, "a failed update changes nothing"),
            }
        }
    }
}
