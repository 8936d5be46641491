//! What updates mean.

use super::*;
use crate::kv::item;

fn set(members: &[&str]) -> AttributeValue {
    AttributeValue::string_set(members.iter().copied()).unwrap()
}

fn values() -> Item {
    item! {
        ":one" => 1, ":two" => 2, ":s" => "s", ":l" => ["p", "q"], ":el" => Vec::<bool>::new(), ":ab" => set(&["a", "b"]),
        ":c" => set(&["c"]), ":ns" => AttributeValue::number_set([1]).unwrap(), ":m" => item! { "x" => 1 },
        ":big" => AttributeValue::number("1e50").unwrap(),
    }
}

fn subject() -> Item {
    item! {
        "num" => 5, "str" => "t", "lst" => [0, 1, 2, 3], "doc" => item! { "k" => 1, "lst" => [10, 11] },
        "bag" => set(&["a", "b", "c"]),
    }
}

/// What the subject becomes, or why not.
fn update(text: &str, exists: bool) -> Result<Item, String> {
    let (names, values) = used(text, &names(&[("#n", "num")]), &values());
    let update = Update::parse(text, &names, &values).unwrap_or_else(|error| panic!("{text}: {error}"));
    let before = if exists {
        subject()
    } else {
        item! {}
    };
    let mut item = before.clone();
    let result = update.apply(&mut item, exists).map(drop).map_err(|error| error.to_string());
    let mut again = before.clone();
    let prepared = PreparedUpdate::new(text, &names).unwrap().bind(&values).unwrap();
    assert_eq!(prepared.apply(&mut again, exists).is_ok(), result.is_ok(), "{text}, prepared");
    assert_eq!(again, item, "{text}, prepared");
    if result.is_err() {
        assert_eq!(item, before, "a failed update changes nothing: {text}");
    }
    result.map(|()| item)
}

/// The subject with these attributes.
fn with(changes: Item) -> Item {
    let mut item = subject();
    item.extend(changes);
    item
}

#[test]
fn set_and_arithmetic() {
    for (text, changes) in [
        ("SET fresh = :s", item! { "fresh" => "s" }),
        ("SET num = num + :one", item! { "num" => 6 }),
        ("SET num = :one - #n", item! { "num" => -4 }),
        ("set num = (num - :two)", item! { "num" => 3 }),
        ("SET num = (num - :two) + (:one)", item! { "num" => 4 }),
        ("SET a = num, num = str, str = lst[1]", item! { "a" => 5, "num" => "t", "str" => 1 }),
        ("SET a = if_not_exists(num, :one), b = if_not_exists(c, :one)", item! { "a" => 5, "b" => 1 }),
        ("SET a = if_not_exists(c, if_not_exists(d, num)) + :one", item! { "a" => 6 }),
        ("SET a = if_not_exists(c, :one) + if_not_exists(d, :two)", item! { "a" => 3 }),
        (
            "SET lst = list_append(lst, :l)",
            item! { "lst" => AttributeValue::L(vec![
                0.into(), 1.into(), 2.into(), 3.into(), "p".into(), "q".into(),
            ]) },
        ),
        ("SET a = list_append(if_not_exists(c, :el), :l)", item! { "a" => ["p", "q"] }),
        (
            "SET doc.k = :two, doc.z = :s",
            item! { "doc" => item! { "k" => 2, "lst" => [10, 11], "z" => "s" } },
        ),
        ("SET doc.lst[1] = :one", item! { "doc" => item! { "k" => 1, "lst" => [10, 1] } }),
        ("SET lst[7] = :two, lst[5] = :one, lst[0] = num", item! { "lst" => [5, 1, 2, 3, 1, 2] }),
        ("ADD num :one, fresh :two", item! { "num" => 6, "fresh" => 2 }),
        ("ADD bag :ab, more :c", item! { "bag" => set(&["a", "b", "c"]), "more" => set(&["c"]) }),
        ("ADD doc.k :one, doc.n :two", item! { "doc" => item! { "k" => 2, "n" => 2, "lst" => [10, 11] } }),
        ("DELETE bag :ab", item! { "bag" => set(&["c"]) }),
        ("DELETE gone :ab", item! {}),
    ] {
        assert_eq!(update(text, true), Ok(with(changes)), "{text}");
    }
}

#[test]
fn removal() {
    let removed = |text: &str, name: &str| {
        let mut item = subject();
        item.remove(name);
        assert_eq!(update(text, true), Ok(item), "{text}");
    };
    removed("REMOVE num", "num");
    removed("REMOVE num, gone", "num");
    let two = set(&["a", "b", "c"]);
    let (names, values) = (names(&[]), item! { ":v" => two });
    let mut item = subject();
    Update::parse("DELETE bag :v", &names, &values).unwrap().apply(&mut item, true).unwrap();
    assert!(!item.contains_key("bag"), "an empty set is removed");
    for (text, list) in [
        ("REMOVE lst[1]", vec![0, 2, 3]),
        ("REMOVE lst[0], lst[2], lst[9]", vec![1, 3]),
        ("REMOVE lst[3], lst[2], lst[1], lst[0]", vec![]),
        ("REMOVE lst[1] SET lst[3] = num", vec![0, 2, 5]),
        ("REMOVE lst[1] SET lst[9] = num", vec![0, 2, 3, 5]),
        ("REMOVE lst[4] SET lst[5] = num", vec![0, 1, 2, 3, 5]),
        ("REMOVE lst[10] ADD num :one SET lst[2] = num", vec![0, 1, 5, 3]),
    ] {
        assert_eq!(update(text, true).unwrap()["lst"], list.into(), "{text}");
    }
    assert_eq!(update("REMOVE doc.lst[0], doc.k", true).unwrap()["doc"], item! { "lst" => [11] }.into());
}

#[test]
fn errors_on_items() {
    let gone = "The provided expression refers to an attribute that does not exist in the item";
    let wrong = "An operand in the update expression has an incorrect data type";
    let path = "The document path provided in the update expression is invalid for update";
    let overflow = "Number overflow. Attempting to store a number with magnitude larger than supported range";
    for (text, error) in [
        ("SET a = gone", gone),
        ("SET a = :one, b = gone + :one", gone),
        ("SET a = lst[9]", gone),
        ("SET a = list_append(gone, :l)", gone),
        ("SET num = str + :one", wrong),
        ("SET num = list_append(num, :l)", wrong),
        ("SET a = if_not_exists(str, :one) + :one", wrong),
        ("ADD str :one", wrong),
        ("ADD num :ab", wrong),
        ("ADD bag :ns", wrong),
        ("ADD lst :one", wrong),
        ("DELETE num :ab", wrong),
        ("DELETE bag :ns", wrong),
        ("SET num = num + :big", overflow),
        ("ADD num :big", overflow),
        ("SET gone.a = :one", path),
        ("SET num.a = :one", path),
        ("SET doc[0] = :one", path),
        ("SET lst.a = :one", path),
        ("SET lst[9].a = :one", path),
        ("REMOVE gone.a", path),
        ("REMOVE num.a", path),
        ("REMOVE doc[0]", path),
        ("ADD gone.a :one", path),
        ("DELETE gone.a :ab", path),
    ] {
        assert_eq!(update(text, true), Err(error.to_owned()), "{text}");
    }
    assert!(update("REMOVE doc.gone, lst[9], doc.lst[7]", true).is_ok());
}

#[test]
fn nothing_larger_than_an_item_is_made() {
    let error = "Item size to update has exceeded the maximum allowed size";
    let refusal = |text: &str, item: &Item, values: &Item| {
        let update = Update::parse(text, &names(&[]), values).unwrap();
        let mut after = item.clone();
        let refused = update.apply(&mut after, true).map(drop).unwrap_err().to_string();
        assert_eq!(&after, item);
        refused
    };
    let half = item! { ":v" => "x".repeat(crate::kv::ITEM_SIZE_MAX / 2 + 1) };
    assert_eq!(refusal("SET a = :v, b = :v", &item! {}, &half), error);
    let list = item! { "a" => vec![AttributeValue::Null; 100_000] };
    // Each is twice as long as the one within.
    let doubled = (0..5).fold("a".to_owned(), |inner, _| {
        format!("list_append(if_not_exists(z,{inner}),if_not_exists(z,{inner}))")
    });
    assert_eq!(refusal(&format!("SET a = {doubled}"), &list, &item! {}), error);
}

#[test]
fn items_that_do_not_exist() {
    for (text, creates, item) in [
        ("SET a = :one", true, item! { "a" => 1 }),
        ("ADD a :one", true, item! { "a" => 1 }),
        ("REMOVE a.b, c[1], d", false, item! {}),
        ("DELETE a.b :ab, c :ab", false, item! {}),
        ("REMOVE a SET b = :one", true, item! { "b" => 1 }),
    ] {
        assert_eq!(update(text, false), Ok(item), "{text}");
        let (names, values) = used(text, &names(&[]), &values());
        assert_eq!(Update::parse(text, &names, &values).unwrap().creates(), creates, "{text}");
    }
    assert!(Update::default().creates(), "an update that says nothing creates an item");
    assert!(update("SET a.b = :one", false).is_err());
}

#[test]
fn what_was_touched() {
    let touched = |text: &str| {
        let (names, values) = used(text, &names(&[]), &values());
        let update = Update::parse(text, &names, &values).unwrap();
        let mut item = subject();
        let touched = update.apply(&mut item, true).unwrap();
        (touched.of_old(&subject()), touched.of_new(&item))
    };
    assert_eq!(
        touched("SET num = :one REMOVE str"),
        (item! { "num" => 5, "str" => "t" }, item! { "num" => 1 })
    );
    assert_eq!(touched("SET fresh = :one"), (item! {}, item! { "fresh" => 1 }));
    assert_eq!(
        touched("SET doc.k = :two, lst[2] = :one"),
        (
            item! { "doc" => item! { "k" => 1 }, "lst" => [2] },
            item! { "doc" => item! { "k" => 2 }, "lst" => [1] }
        )
    );
    assert_eq!(touched("SET lst[9] = :one"), (item! {}, item! {}));
    assert_eq!(touched("REMOVE lst[0]"), (item! { "lst" => [0] }, item! {}));
    assert_eq!(
        touched("DELETE bag :ab"),
        (item! { "bag" => set(&["a", "b", "c"]) }, item! { "bag" => set(&["c"]) })
    );
}

#[test]
fn the_builder_says_the_same() {
    let built = attr("num")
        .set(attr("num").or(0).plus(1))
        .and(attr("lst").set(Source::from(attr("lst")).append(["p", "q"])))
        .and(attr("doc").field("k").remove())
        .and(attr("count").add(2))
        .and(attr("bag").delete(set(&["a", "b"])));
    let (names, values) = (
        names(&[]),
        item! {
            ":z" => 0, ":o" => 1, ":l" => ["p", "q"], ":t" => 2, ":ab" => set(&["a", "b"]),
        },
    );
    let text = "SET num = if_not_exists(num, :z) + :o, lst = list_append(lst, :l) REMOVE doc.k ADD count_ :t \
                DELETE set_ :ab";
    let text = text.replace("count_", "#c").replace("set_", "#s");
    let names = {
        let mut names = names;
        names.extend([("#c".to_owned(), "count".to_owned()), ("#s".to_owned(), "bag".to_owned())]);
        names
    };
    let parsed = Update::parse(&text, &names, &values).unwrap();
    let (mut one, mut two) = (subject(), subject());
    built.apply(&mut one, true).unwrap();
    parsed.apply(&mut two, true).unwrap();
    assert_eq!(one, two);
    assert_eq!(one["count"], 2.into());
    let targets = |update: &Update| update.targets().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(targets(&built), targets(&parsed));
}
