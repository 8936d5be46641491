//! What conditions and projections mean.

use super::*;
use crate::kv::{Set, codec::encode_item, item};
use bytes::Bytes;

fn values() -> Item {
    item! {
        ":five" => 5, ":six" => 6, ":text" => "text", ":te" => "te", ":ex" => "ex", ":true" => true, ":null" => (),
        ":list" => ["x", "y"], ":map" => item! { "k" => 1 }, ":bin" => Bytes::from_static(b"ab"),
        ":set" => Set::new(["a".to_owned(), "b".to_owned()]).unwrap(),
        ":a" => "a", ":empty" => "", ":ss" => "SS", ":n" => "N", ":nn" => "NULL", ":two" => 2,
    }
}

fn subject() -> Item {
    item! {
        "num" => 5, "str" => "text", "truth" => true, "nil" => (), "lst" => ["x", "y", "z"],
        "doc" => item! { "k" => 1, "in.ner" => [item! { "v" => 5 }] },
        "bin" => Bytes::from_static(b"abc"),
        "bag" => Set::new(["b".to_owned(), "a".to_owned()]).unwrap(),
        "nums" => AttributeValue::number_set([1, 5]).unwrap(),
        "bins" => Set::new([Bytes::from_static(b"ab")]).unwrap(),
        "deep" => item! { "sets" => [Set::new(["q".to_owned(), "p".to_owned()]).unwrap()] },
    }
}

fn check(text: &str, expected: bool) {
    let names = names(&[("#i", "in.ner"), ("#num", "num")]);
    let (names, values) = used(text, &names, &values());
    let condition = Condition::parse(text, &names, &values).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(condition.evaluate(&subject()), expected, "{text}");
    assert_eq!(condition.evaluate_encoded(&encode_item(&subject())), Ok(expected), "{text}, of bytes");
    let prepared = PreparedCondition::new(text, &names).unwrap().bind(&values).unwrap();
    assert_eq!(prepared.evaluate(&subject()), expected, "{text}, prepared");
    assert_eq!(condition.not().evaluate(&subject()), !expected, "NOT {text}");
}

#[test]
fn comparisons() {
    for (text, expected) in [
        ("num = :five", true),
        ("#num = :five", true),
        (":five = num", true),
        ("num <> :five", false),
        ("num < :six", true),
        ("num <= :five", true),
        ("num > :five", false),
        ("num >= :five", true),
        ("num = :text", false),
        ("num <> :text", true),
        ("num < :text", false),
        ("str < num", false),
        ("str <> num", true),
        ("gone = :five", false),
        ("gone <> :five", true),
        ("gone < :five", false),
        ("gone = lost", false),
        ("gone <> lost", true),
        ("doc.k < num", true),
        ("doc.#i[0].v = num", true),
        ("doc.#i[1].v = num", false),
        ("lst[2] > lst[0]", true),
        ("truth = :true", true),
        ("nil = :null", true),
        ("bag = :set", true),
        ("bin > :bin", true),
        ("num BETWEEN :five AND :six", true),
        ("num BETWEEN :six AND :six", false),
        (":five BETWEEN doc.k AND num", true),
        ("gone BETWEEN :five AND :six", false),
        ("num IN (:text, :five)", true),
        ("num IN (:text)", false),
        ("gone IN (lost, :five)", false),
        ("doc.k IN (num, doc.k)", true),
    ] {
        check(text, expected);
    }
}

#[test]
fn functions() {
    for (text, expected) in [
        ("attribute_exists(num)", true),
        ("attribute_exists(doc.k)", true),
        ("attribute_exists(doc.q)", false),
        ("attribute_exists(num.q)", false),
        ("attribute_not_exists(gone)", true),
        ("attribute_not_exists(nil)", false),
        ("attribute_type(bag, :ss)", true),
        ("attribute_type(num, :n)", true),
        ("attribute_type(nil, :nn)", true),
        ("attribute_type(gone, :n)", false),
        ("begins_with(str, :te)", true),
        ("begins_with(str, :ex)", false),
        ("begins_with(:text, str)", true),
        ("begins_with(bin, :bin)", true),
        ("begins_with(num, :te)", false),
        ("begins_with(gone, :empty)", false),
        ("contains(str, :ex)", true),
        ("contains(str, :empty)", true),
        ("contains(:text, :ex)", true),
        ("contains(bag, :a)", true),
        ("contains(bag, :five)", false),
        ("contains(nums, :five)", true),
        ("contains(bins, :bin)", true),
        ("contains(bin, :bin)", true),
        ("contains(lst, :a)", false),
        ("contains(lst, lst[1])", true),
        ("contains(num, :five)", false),
        ("size(str) = :five", false),
        ("size(lst) < :five", true),
        ("size(bag) = :two", true),
        ("size(doc) = :two", true),
        ("size(:text) < num", true),
        ("size(num) = :five", false),
        ("size(num) <> :five", true),
        ("size(gone) < :five", false),
        ("num BETWEEN size(bag) AND size(:text)", false),
        ("size(bin) IN (:two, :five)", false),
    ] {
        check(text, expected);
    }
}

#[test]
fn precedence() {
    // Each is true of one reading only.
    for (text, expected) in [
        ("num = :five OR num = :six AND num = :six", true),
        ("(num = :five OR num = :six) AND num = :six", false),
        ("num = :six AND num = :six OR num = :five", true),
        ("num = :six AND (num = :six OR num = :five)", false),
        ("NOT num = :six OR num = :five", true),
        ("NOT (num = :six OR num = :five)", false),
        ("NOT num = :five AND num = :six", false),
        ("NOT (num = :five AND num = :six)", true),
        ("NOT NOT num = :five", true),
        ("num = :six or not num = :six and num between :five and :six", true),
        ("num BETWEEN :five AND :six AND str = :te", false),
        ("(num) in (:five) AND (str) = (:text)", true),
        ("((num = :five) AND (str = :text)) OR num = :six", true),
    ] {
        check(text, expected);
    }
}

#[test]
fn text_is_counted_and_ordered_by_bytes() {
    let holds = |text: &str, values: &Item, item: &Item| {
        Condition::parse(text, &names(&[]), values).unwrap().evaluate(item)
    };
    let umlaut = item! { "a" => "\u{fc}" };
    assert!(holds("size(a) = :v", &item! { ":v" => 2 }, &umlaut));
    assert!(holds("a > :v", &item! { ":v" => "z" }, &umlaut));
    // A surrogate pair in UTF-16 would come before U+FFFD.
    assert!(holds("a > :v", &item! { ":v" => "\u{fffd}" }, &item! { "a" => "\u{1f600}" }));
}

#[test]
fn the_builder_says_the_same() {
    let built = attr("num")
        .eq(5)
        .and(attr("doc").field("in.ner").index(0).exists())
        .and(attr("bag").contains("a").or(attr("num").is_a(crate::kv::Type::S)))
        .and(attr("lst").size().at_most(attr("num")))
        .and(attr("num").is_in([1, 5]).not().not())
        .and(attr("str").between("a", "z"))
        .and(attr("gone").ne(1));
    let (names, values) =
        (names(&[("#i", "in.ner")]), item! { ":n" => 5, ":a" => "a", ":z" => "z", ":s" => "S", ":one" => 1 });
    let parsed = Condition::parse(
        "num = :n AND attribute_exists(doc.#i[0]) AND (contains(bag, :a) OR attribute_type(num, :s)) \
         AND size(lst) <= num AND NOT NOT num IN (:one, :n) AND str BETWEEN :a AND :z AND gone <> :one",
        &names,
        &values,
    )
    .unwrap();
    assert!(built.evaluate(&subject()) && parsed.evaluate(&subject()));
    let joined = parsed.clone().and(built.clone());
    assert!(joined.evaluate(&subject()));
    let mut filled = (*parsed.tree).clone();
    filled.fill(&parsed.values);
    assert_eq!(filled, *built.tree);
    assert_eq!(
        parsed.attributes().collect::<Vec<_>>(),
        ["num", "doc", "bag", "num", "lst", "num", "num", "str", "gone"]
    );
}

#[test]
fn damage_is_noticed_where_it_is_read() {
    let mut bytes = encode_item(&item! { "a" => 1, "b" => 2 });
    let last = bytes.len() - 3;
    bytes[last] = 0;
    let condition = |name: &str| attr(name).eq(1);
    assert_eq!(condition("a").evaluate_encoded(&bytes), Ok(true));
    assert!(condition("b").evaluate_encoded(&bytes).is_err());
}

#[test]
fn projections() {
    let check = |text: &str, expected: Item| {
        let names = names(&[("#i", "in.ner")]);
        let (names, _) = used(text, &names, &item! {});
        assert_eq!(Projection::parse(text, &names).unwrap().apply(&subject()), expected, "{text}");
    };
    check("num, gone", item! { "num" => 5 });
    check("gone", item! {});
    check("lst[2], lst[0], lst[7]", item! { "lst" => ["x", "z"] });
    check("lst[9]", item! {});
    check("doc.k", item! { "doc" => item! { "k" => 1 } });
    check("doc.q", item! {});
    check("doc.q, doc.k", item! { "doc" => item! { "k" => 1 } });
    check("doc.#i[0].v, num", item! { "num" => 5, "doc" => item! { "in.ner" => [item! { "v" => 5 }] } });
    check("num.x, str[0], bag[0]", item! {});
    let to_get = Projection::attributes_to_get(["num", "in.ner", "gone"]).unwrap();
    assert_eq!(to_get.apply(&subject()), item! { "num" => 5 });
    assert_eq!(to_get.attributes().collect::<Vec<_>>(), ["gone", "in.ner", "num"]);
    assert_eq!(
        Projection::attributes_to_get(["a", "b", "a"]).unwrap_err().to_string(),
        "One or more parameter values were invalid: Duplicate value in attribute name: a"
    );
}
