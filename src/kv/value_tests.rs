//! Tests of values: sizes, sets, limits.

use super::*;
use crate::kv::item;

fn strings(members: &[&str]) -> Result<Set<String>> {
    Set::new(members.iter().map(|member| (*member).to_owned()))
}

fn refusal<T>(result: Result<T>) -> String {
    result.map(drop).unwrap_err().to_string()
}

#[test]
fn sizes_are_the_services() {
    let check = |value: AttributeValue, size: usize| assert_eq!(value.size(), size, "{value:?}");
    check("".into(), 0);
    check("\u{fc}x".into(), 3);
    check(100.into(), 2);
    check(Bytes::from_static(&[0; 5]).into(), 5);
    check(true.into(), 1);
    check(AttributeValue::Null, 1);
    check(strings(&["ab", "c"]).unwrap().into(), 3);
    check(AttributeValue::number_set([1, 22]).unwrap(), 4);
    check(AttributeValue::binary_set([Bytes::from_static(b"xyz")]).unwrap(), 3);
    check(Vec::<bool>::new().into(), 3);
    check(["a", "b"].into(), 3 + 2 * 2);
    check(item! {}.into(), 3);
    check(item! { "ab" => "c" }.into(), 3 + 2 + 1 + 1);
    check(item! { "a" => [item! { "b" => 1 }] }.into(), 3 + 1 + 1 + (3 + 1 + (3 + 1 + 1 + 2)));
    assert_eq!(item! { "id" => "x", "n" => -1 }.size(), 2 + 1 + 1 + 3);
}

#[test]
fn sets_have_members_once() {
    let prefix = "One or more parameter values were invalid: ";
    assert_eq!(refusal(strings(&[])), format!("{prefix}An string set  may not be empty"));
    assert_eq!(refusal(Set::<Number>::new([])), format!("{prefix}An number set  may not be empty"));
    assert_eq!(refusal(Set::<Bytes>::new([])), format!("{prefix}Binary sets should not be empty"));
    assert_eq!(
        refusal(strings(&["b", "a", "b"])),
        format!("{prefix}Input collection [b, a, b] contains duplicates.")
    );
    assert_eq!(
        refusal(Set::new(["1", "1.0"].map(|text| text.parse::<Number>().unwrap()))),
        "Input collection contains duplicates"
    );
    assert_eq!(
        refusal(Set::new([Bytes::from_static(b"a"), Bytes::from_static(b"a")])),
        format!("{prefix}Input collection [YQ==, YQ==]of type BS contains duplicates.")
    );
    assert!(strings(&[""]).is_ok(), "an empty string may be a member");
    assert!(matches!(strings(&[]), Err(Error::Validation { in_request: true, .. })));
}

#[test]
fn order_does_not_matter() {
    assert_eq!(strings(&["a", "b"]).unwrap(), strings(&["b", "a"]).unwrap());
    let nested = |members: &[&str]| item! { "a" => [item! { "b" => strings(members).unwrap() }] };
    assert_eq!(nested(&["x", "y"]), nested(&["y", "x"]));
    assert_ne!(AttributeValue::from([1, 2]), AttributeValue::from([2, 1]));
    assert_ne!(AttributeValue::from("1"), AttributeValue::from(1));
}

#[test]
fn unions_and_differences() {
    let (ab, bc) = (strings(&["a", "b"]).unwrap(), strings(&["c", "b"]).unwrap());
    assert_eq!(ab.union(&bc), strings(&["a", "b", "c"]).unwrap());
    assert_eq!(ab.difference(&bc), Some(strings(&["a"]).unwrap()));
    assert_eq!(ab.difference(&ab), None);
    assert_eq!(Set::from_sorted(vec!["b".to_owned(), "a".to_owned()]), None);
    assert_eq!(Set::<String>::from_sorted(vec![]), None);
}

#[test]
fn limits_of_items() {
    let sized = |len: usize| item! { "a" => "x".repeat(len - 1) };
    assert!(sized(ITEM_SIZE_MAX).validate().is_ok());
    assert_eq!(
        refusal(sized(ITEM_SIZE_MAX + 1).validate()),
        "Item size has exceeded the maximum allowed size"
    );
    assert!(item! { "n".repeat(NAME_LEN_MAX) => 1 }.validate().is_ok());
    assert!(item! { "n".repeat(NAME_LEN_MAX + 1) => 1 }.validate().is_err());
    assert!(item! { "" => 1 }.validate().is_err());
    assert!(item! { "a" => item! { "" => "" }, "b" => Bytes::new() }.validate().is_ok());
    let nested = |levels: usize| (1..levels).fold(AttributeValue::from(1), |value, _| vec![value].into());
    assert!(nested(NESTING_MAX).validate().is_ok());
    assert_eq!(
        refusal(nested(NESTING_MAX + 1).validate()),
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported \
         limit"
    );
}

#[test]
fn types_have_names() {
    for kind in Type::ALL {
        assert_eq!(Type::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(Type::parse("s"), None);
    assert_eq!(AttributeValue::from(Some(1)).kind(), Type::N);
    assert_eq!(AttributeValue::from(None::<bool>).kind(), Type::Null);
}
