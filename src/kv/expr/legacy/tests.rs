//! Tests of the older parameters.

use super::*;
use crate::kv::{Item, item};

fn condition(operator: ComparisonOperator, values: impl Into<Vec<AttributeValue>>) -> LegacyCondition {
    LegacyCondition { operator, values: values.into() }
}

fn holds(operator: ComparisonOperator, values: impl Into<Vec<AttributeValue>>, item: &Item) -> bool {
    let attributes = [("a".to_owned(), condition(operator, values))].into();
    filter(&attributes, None).unwrap().unwrap().evaluate(item)
}

fn refusal(operator: ComparisonOperator, values: impl Into<Vec<AttributeValue>>) -> String {
    filter(&[("a".to_owned(), condition(operator, values))].into(), None).map(drop).unwrap_err().to_string()
}

#[test]
fn operators() {
    use ComparisonOperator as Op;
    let five = item! { "a" => 5 };
    let none = item! {};
    let list = item! { "a" => ["x", "y"] };
    for (operator, values, item, expected) in [
        (Op::Equal, vec![5.into()], &five, true),
        (Op::Equal, vec!["5".into()], &five, false),
        (Op::Equal, vec![5.into()], &none, false),
        (Op::NotEqual, vec![4.into()], &five, true),
        (Op::NotEqual, vec![4.into()], &none, true),
        (Op::Less, vec![6.into()], &five, true),
        (Op::Less, vec![6.into()], &none, false),
        (Op::AtMost, vec![5.into()], &five, true),
        (Op::Greater, vec![5.into()], &five, false),
        (Op::AtLeast, vec![5.into()], &five, true),
        (Op::Between, vec![1.into(), 5.into()], &five, true),
        (Op::In, vec![1.into(), 5.into()], &five, true),
        (Op::In, vec![1.into()], &five, false),
        (Op::Null, vec![], &none, true),
        (Op::Null, vec![], &five, false),
        (Op::NotNull, vec![], &five, true),
        (Op::Contains, vec!["x".into()], &list, true),
        (Op::NotContains, vec!["x".into()], &list, false),
        (Op::NotContains, vec!["z".into()], &list, true),
        (Op::NotContains, vec!["z".into()], &none, false),
        (Op::BeginsWith, vec!["a".into()], &item! { "a" => "abc" }, true),
        (Op::BeginsWith, vec!["a".into()], &five, false),
    ] {
        assert_eq!(holds(operator, values.clone(), item), expected, "{operator} {values:?} {item:?}");
    }
}

#[test]
fn operands_fit_their_operators() {
    use ComparisonOperator as Op;
    let prefix = "One or more parameter values were invalid: ";
    for (operator, values) in [
        (Op::Equal, vec![]),
        (Op::Null, vec![1.into()]),
        (Op::In, vec![]),
        (Op::Between, vec![1.into()]),
        (Op::Contains, vec![1.into(), 2.into()]),
    ] {
        let expected = format!("{prefix}Invalid number of argument(s) for the {operator} ComparisonOperator");
        assert_eq!(refusal(operator, values), expected);
    }
    for (operator, value, kind) in [
        (Op::Less, AttributeValue::Bool(true), "BOOL"),
        (Op::BeginsWith, 1.into(), "N"),
        (Op::Contains, ["a"].into(), "L"),
        (Op::In, item! {}.into(), "M"),
    ] {
        let expected =
            format!("{prefix}ComparisonOperator {operator} is not valid for {kind} AttributeValue type");
        assert_eq!(refusal(operator, [value]), expected);
    }
    assert_eq!(
        refusal(Op::Between, [1.into(), "a".into()]),
        format!("{prefix}AttributeValues inside AttributeValueList must be of same type")
    );
    assert_eq!(
        refusal(Op::Between, [2.into(), 1.into()]),
        "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
    );
}

#[test]
fn expectations() {
    let check = |expected_of: Expected| expected(&[("a".to_owned(), expected_of)].into(), None);
    let holds = |expected_of: Expected, item: &Item| check(expected_of).unwrap().unwrap().evaluate(item);
    let value = |value: AttributeValue| Expected { value: Some(value), ..Expected::default() };
    assert!(holds(value(1.into()), &item! { "a" => 1 }));
    assert!(holds(Expected { exists: Some(true), ..value(1.into()) }, &item! { "a" => 1 }));
    assert!(!holds(Expected { exists: Some(false), ..Expected::default() }, &item! { "a" => 1 }));
    let less = Expected { operator: Some(ComparisonOperator::Less), ..value(2.into()) };
    assert!(holds(less, &item! { "a" => 1 }));
    let refused = |expected_of: Expected, text: &str| {
        let expected = format!("One or more parameter values were invalid: {text} for Attribute: a");
        assert_eq!(check(expected_of).map(drop).unwrap_err().to_string(), expected);
    };
    let equal = || Expected { operator: Some(ComparisonOperator::Equal), ..Expected::default() };
    refused(Expected::default(), "Value must be provided when Exists is null");
    refused(
        Expected { exists: Some(true), ..Expected::default() },
        "Value must be provided when Exists is true",
    );
    refused(Expected { exists: Some(false), ..value(1.into()) }, "Value cannot be used when Exists is false");
    refused(
        Expected { exists: Some(true), ..equal() },
        "Exists and ComparisonOperator cannot be used together",
    );
    refused(
        Expected { value: Some(1.into()), values: Some(vec![1.into()]), ..equal() },
        "Value and AttributeValueList cannot be used together",
    );
    refused(
        Expected { values: Some(vec![1.into()]), ..Expected::default() },
        "AttributeValueList can only be used with a ComparisonOperator",
    );
    refused(equal(), "Value or AttributeValueList must be used with ComparisonOperator: EQ");
    assert!(holds(Expected { operator: Some(ComparisonOperator::Null), ..Expected::default() }, &item! {}));
    assert!(expected(&[].into(), None).unwrap().is_none());
}

#[test]
fn conditions_are_joined() {
    let both = [
        ("a".to_owned(), condition(ComparisonOperator::Equal, [1.into()])),
        ("b".to_owned(), condition(ComparisonOperator::Equal, [2.into()])),
    ];
    let holds =
        |operator, item: &Item| filter(&both.clone().into(), operator).unwrap().unwrap().evaluate(item);
    let (first, all) = (item! { "a" => 1 }, item! { "a" => 1, "b" => 2 });
    assert!(holds(None, &all) && !holds(None, &first));
    assert!(holds(Some(ConditionalOperator::Or), &first) && !holds(Some(ConditionalOperator::And), &first));
    let refused = |count: usize| {
        let attributes = both.iter().take(count).cloned().collect();
        filter(&attributes, Some(ConditionalOperator::Or)).map(drop).unwrap_err().to_string()
    };
    assert_eq!(refused(0), "ConditionalOperator cannot be used without Filter or Expected");
    assert_eq!(
        refused(1),
        "ConditionalOperator can only be used when Filter or Expected has two or more elements"
    );
}

#[test]
fn keys() {
    use super::super::{KeyAttribute, key};
    let conditions = |all: &[(&str, LegacyCondition)]| {
        let all = all.iter().map(|(name, condition)| ((*name).to_owned(), condition.clone())).collect();
        key_conditions(&all).map_err(|error| error.to_string())
    };
    let equal = condition(ComparisonOperator::Equal, ["x".into()]);
    assert_eq!(conditions(&[("a", equal.clone())]), Ok(key("a").eq("x")));
    let between = condition(ComparisonOperator::Between, [1.into(), 2.into()]);
    assert_eq!(conditions(&[("a", equal), ("b", between)]), Ok(key("a").eq("x").and(key("b").between(1, 2))));
    assert_eq!(conditions(&[]), Err("Conditions can be of length 1 or 2 only".to_owned()));
    let odd = conditions(&[("a", condition(ComparisonOperator::NotEqual, [1.into()]))]).unwrap();
    let attribute = |name| KeyAttribute { name, kind: Type::N };
    let refusal = |name| odd.resolve(&[attribute(name)], &[]).unwrap_err().to_string();
    assert_eq!(refusal("a"), "Attempted conditional constraint is not an indexable operation");
    assert_eq!(refusal("b"), "Query condition missed key schema element: b");
}

#[test]
fn updates() {
    use UpdateAction::{Add, Delete, Put};
    let apply = |action, value: Option<AttributeValue>, item: &Item| {
        let update = attribute_updates(&[("a".to_owned(), AttributeUpdate { action, value })].into());
        let mut item = item.clone();
        let result = update.and_then(|update| update.apply(&mut item, true).map(drop));
        result.map(|()| item).map_err(|error| error.to_string())
    };
    let prefix = "One or more parameter values were invalid: ";
    let two = item! { "a" => 2 };
    assert_eq!(apply(Put, Some("x".into()), &two), Ok(item! { "a" => "x" }));
    assert_eq!(apply(Add, Some(3.into()), &two), Ok(item! { "a" => 5 }));
    assert_eq!(apply(Add, Some(3.into()), &item! {}), Ok(item! { "a" => 3 }));
    assert_eq!(apply(Add, Some([1].into()), &item! { "a" => [0] }), Ok(item! { "a" => [0, 1] }));
    assert_eq!(apply(Add, Some([1].into()), &two), Err("Type mismatch for attribute to update".to_owned()));
    assert_eq!(apply(Delete, None, &two), Ok(item! {}));
    let set = |members: &[&str]| AttributeValue::string_set(members.iter().copied()).unwrap();
    assert_eq!(
        apply(Delete, Some(set(&["x"])), &item! { "a" => set(&["x", "y"]) }),
        Ok(item! { "a" => set(&["y"]) })
    );
    assert_eq!(
        apply(Put, None, &two),
        Err(format!("{prefix}Only DELETE action is allowed when no attribute value is specified"))
    );
    assert_eq!(
        apply(Add, Some("x".into()), &two),
        Err(format!("{prefix}ADD action is not supported for the type S"))
    );
    assert_eq!(
        apply(Delete, Some(1.into()), &two),
        Err(format!("{prefix}DELETE action with value is not supported for the type N"))
    );
}

#[test]
fn no_mixture() {
    let refused = refuse_mixture(
        &[("Expected", true), ("AttributeUpdates", false)],
        &[("UpdateExpression", true), ("ConditionExpression", true)],
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: \
         {Expected} Expression parameters: {UpdateExpression, ConditionExpression}"
    );
    assert!(refuse_mixture(&[("Expected", true)], &[("ConditionExpression", false)]).is_ok());
}
