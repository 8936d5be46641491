//! What key conditions mean.

use super::*;
use crate::kv::{Type, item};

fn parse(text: &str) -> Result<KeyCondition, String> {
    let all = item! { ":a" => "x", ":one" => 1, ":two" => 2, ":empty" => "" };
    let (names, values) = used(text, &names(&[("#a", "a")]), &all);
    KeyCondition::parse(text, &names, &values).map_err(|error| error.to_string())
}

#[test]
fn expressions() {
    for (text, expected) in [
        ("a = :a", key("a").eq("x")),
        (":a = #a", key("a").eq("x")),
        ("(a = :a)", key("a").eq("x")),
        ("a = :a AND b < :one", key("a").eq("x").and(key("b").less(1))),
        ("b >= :one AND a = :a", key("b").at_least(1).and(key("a").eq("x"))),
        (":one < b AND a = :a", key("b").greater(1).and(key("a").eq("x"))),
        (":one >= b AND a = :a", key("b").at_most(1).and(key("a").eq("x"))),
        ("(a = :a) AND (b BETWEEN :one AND :two)", key("a").eq("x").and(key("b").between(1, 2))),
        ("(a = :a AND begins_with(b, :a))", key("a").eq("x").and(key("b").begins_with("x"))),
        ("a = :a AND b = :a AND c = :a", key("a").eq("x").and(key("b").eq("x")).and(key("c").eq("x"))),
    ] {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }
    let prepared = PreparedKeyCondition::new("a = :v", &names(&[])).unwrap();
    assert_eq!(prepared.bind(&item! { ":v" => 1 }).unwrap(), key("a").eq(1));
}

#[test]
fn refusals() {
    for (text, reason) in [
        ("a = :a OR b = :a", "Invalid operator used in KeyConditionExpression: OR"),
        ("NOT a = :a", "Invalid operator used in KeyConditionExpression: NOT"),
        ("a <> :a", "Invalid operator used in KeyConditionExpression: <>"),
        ("a IN (:a)", "Invalid operator used in KeyConditionExpression: IN"),
        ("attribute_exists(a)", "Invalid operator used in KeyConditionExpression: attribute_exists"),
        ("a = :a AND contains(b, :a)", "Invalid operator used in KeyConditionExpression: contains"),
        ("a = :a AND size(b) > :one", "KeyConditionExpressions cannot contain nested operations"),
        (
            "a = b",
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
        ),
        (":a = :one", "Invalid condition in KeyConditionExpression: No key attribute specified"),
        ("a.b = :a", "KeyConditionExpressions cannot have conditions on nested attributes"),
        (
            "a = :a AND begins_with(:a, b)",
            "Invalid condition in KeyConditionExpression: begins_with operator must have the key attribute as its \
             first operand",
        ),
        (
            "a = :a AND :one BETWEEN b AND :two",
            "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first \
             operand",
        ),
        ("a = :a AND a > :a", "KeyConditionExpressions must only contain one condition per key"),
    ] {
        assert_eq!(parse(text), Err(format!("Invalid KeyConditionExpression: {reason}")), "{text}");
    }
}

#[test]
fn resolution() {
    let attribute = |name| KeyAttribute { name, kind: if name < "n" { Type::S } else { Type::N } };
    let resolve = |text: &str, hash: &[&'static str], range: &[&'static str]| {
        let hash: Vec<_> = hash.iter().copied().map(attribute).collect();
        let range: Vec<_> = range.iter().copied().map(attribute).collect();
        let condition = parse(text).unwrap();
        let found = condition.resolve(&hash, &range).map_err(|error| error.to_string())?;
        Ok::<_, String>((found.hash.len(), found.range.len(), found.last.cloned()))
    };
    let unsupported = || Err("Query key condition not supported".to_owned());
    let missed = |name: &str| Err(format!("Query condition missed key schema element: {name}"));
    let less = || Some(KeyTest::Less(1.into()));
    assert_eq!(resolve("a = :a", &["a"], &[]), Ok((1, 0, None)));
    assert_eq!(resolve("a = :a", &["a"], &["n"]), Ok((1, 0, None)));
    assert_eq!(resolve("n < :one AND a = :a", &["a"], &["n"]), Ok((1, 0, less())));
    assert_eq!(resolve("a = :a AND n = :one", &["a"], &["n"]), Ok((1, 1, None)));
    assert_eq!(resolve("b = :a", &["a"], &[]), missed("a"));
    assert_eq!(resolve("a > :a", &["a"], &[]), unsupported());
    assert_eq!(resolve("a = :a AND b = :a", &["a"], &[]), unsupported());
    assert_eq!(resolve("a = :a AND b = :a", &["a"], &["n"]), missed("n"));
    let mismatch =
        "One or more parameter values were invalid: Condition parameter type does not match schema type";
    assert_eq!(resolve("a = :one", &["a"], &[]), Err(mismatch.to_owned()));
    assert_eq!(resolve("a = :a AND n = :a", &["a"], &["n"]), Err(mismatch.to_owned()));
    assert_eq!(resolve("a = :a AND begins_with(n, :a)", &["a"], &["n"]), Err(mismatch.to_owned()));
    assert_eq!(resolve(":one > a", &["a"], &[]), Err(mismatch.to_owned()));
    assert_eq!(
        resolve("a = :a AND n > :one AND b = :a", &["a"], &["n"]),
        Err("The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)"
            .to_owned())
    );
    assert_eq!(
        resolve("a = :empty", &["a"], &[]),
        Err("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
             empty string value. Key: a"
            .to_owned())
    );
    let inverted = key("a").eq("x").and(key("n").between(2, 1));
    assert_eq!(
        inverted.resolve(&[attribute("a")], &[attribute("n")]).unwrap_err().to_string(),
        "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to \
         lower bound; lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}"
    );
    let twice = key("a").eq("x").and(key("a").eq("y"));
    assert!(twice.resolve(&[attribute("a")], &[]).is_err());
    // Four and four.
    let four = "a = :a AND b = :a AND c = :a AND d = :a";
    assert_eq!(resolve(four, &["a", "b", "c", "d"], &["n", "o"]), Ok((4, 0, None)));
    assert_eq!(
        resolve(&format!("{four} AND n = :one AND o < :one"), &["a", "b", "c", "d"], &["n", "o"]),
        Ok((4, 1, less()))
    );
    let gap = || {
        Err("RANGE key attributes n must have equality conditions specified in the query because a condition is \
             present on key attribute o"
            .to_owned())
    };
    for skips in ["o < :one", "n < :one AND o = :one"] {
        assert_eq!(resolve(&format!("{four} AND {skips}"), &["a", "b", "c", "d"], &["n", "o"]), gap());
    }
    assert_eq!(resolve("a = :a", &["a", "b"], &[]), missed("b"));
}
