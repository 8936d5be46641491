//! Tests of numbers: forms, limits, arithmetic, order of keys.

use super::*;
use proptest::prelude::*;

fn number(text: &str) -> Number {
    text.parse().unwrap()
}

fn refusal(text: &str) -> String {
    text.parse::<Number>().unwrap_err().to_string()
}

fn key(number: Number) -> Vec<u8> {
    let mut out = Vec::new();
    number.write_key(&mut out);
    out
}

#[test]
fn printed_in_one_form() {
    let check = |text: &str, printed: &str| assert_eq!(number(text).to_string(), printed, "{text}");
    check("0", "0");
    check("-0", "0");
    check("0e125", "0");
    check("-0.00e-130", "0");
    check("000.000", "0");
    check("1e3", "1000");
    check("007", "7");
    check("+1.10", "1.1");
    check("-1.10", "-1.1");
    check(".5", "0.5");
    check("5.", "5");
    check("1E-5", "0.00001");
    check("-12.50e+1", "-125");
    check("100", "100");
    check("12345678901234567890123456789012345678", "12345678901234567890123456789012345678");
    check("0.00000000000000000000000000000000000000001", "0.00000000000000000000000000000000000000001");
    check("9.9999999999999999999999999999999999999e125", &format!("{}{}", "9".repeat(38), "0".repeat(88)));
    check("1e-130", &format!("0.{}1", "0".repeat(129)));
    check(&format!("{}1{}", "0".repeat(100), "0".repeat(100)), &format!("1{}", "0".repeat(100)));
}

#[test]
fn refusals() {
    let invalid = |text: &str| {
        let expected = format!("The parameter cannot be converted to a numeric value: {text}");
        assert_eq!(refusal(text), expected);
    };
    for text in [
        "a",
        " 1",
        "1 ",
        "1.2.3",
        ".",
        "-",
        "+-1",
        "1e",
        "e1",
        "1e1.5",
        "0x10",
        "NaN",
        "Infinity",
        "1_000",
        "1e9223372036854775808",
    ] {
        invalid(text);
    }
    assert_eq!(refusal(""), "The parameter cannot be converted to a numeric value");
    let large = "Number overflow. Attempting to store a number with magnitude larger than supported range";
    let small = "Number underflow. Attempting to store a number with magnitude smaller than supported range";
    let long = "Attempting to store more than 38 significant digits in a Number";
    assert_eq!(refusal("1e126"), large);
    assert_eq!(refusal("-10e125"), large);
    assert_eq!(refusal("1e9223372036854775807"), large);
    assert_eq!(refusal("1e-9223372036854775808"), small);
    assert_eq!(refusal("0e126"), large);
    assert_eq!(refusal("0.00e-131"), small);
    assert_eq!(refusal("1e-131"), small);
    assert_eq!(refusal("0.1e-130"), small);
    assert_eq!(refusal("123456789012345678901234567890123456789"), long);
    assert_eq!(refusal("1.00000000000000000000000000000000000001"), long);
}

#[test]
fn sums_are_exact_or_refused() {
    let add = |a: &str, b: &str| number(a).checked_add(number(b)).map(|sum| sum.to_string());
    let check = |a: &str, b: &str, sum: &str| {
        assert_eq!(add(a, b).unwrap(), sum);
        assert_eq!(add(b, a).unwrap(), sum);
    };
    check("1", "2", "3");
    check("0.1", "0.2", "0.3");
    check("5", "-5", "0");
    check("1e37", "1", "10000000000000000000000000000000000001");
    check("1e38", "-1", &"9".repeat(38));
    check("99999999999999999999999999999999999999", "1", &format!("1{}", "0".repeat(38)));
    check("1e125", "0", &format!("1{}", "0".repeat(125)));
    for (a, b) in [("1e38", "1"), ("1e50", "1"), ("9e125", "1e125"), ("3e38", "-1"), ("1e125", "1e-130")] {
        let refused = add(a, b).unwrap_err().to_string();
        assert_eq!(
            refused,
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
            "{a} + {b}"
        );
    }
    assert!(add("1.1e-130", "-1e-130").unwrap_err().to_string().starts_with("Number underflow"));
    assert_eq!(number("3").checked_sub(number("4.5")).unwrap(), number("-1.5"));
}

#[test]
fn conversions() {
    assert_eq!(Number::from(-7_i64).to_string(), "-7");
    assert_eq!(Number::from(u64::MAX).to_i128(), Some(i128::from(u64::MAX)));
    assert_eq!(Number::from(i64::MIN).to_i128(), Some(i128::from(i64::MIN)));
    assert_eq!(number("1e125").to_i128(), None);
    assert_eq!(Number::try_from(0.1).unwrap(), number("0.1"));
    assert_eq!(Number::try_from(-2.5e100).unwrap().to_f64().to_string(), (-2.5e100_f64).to_string());
    for bad in [f64::NAN, f64::INFINITY, 1e300, 1e-300] {
        assert!(Number::try_from(bad).is_err(), "{bad}");
    }
}

#[test]
fn sizes_are_the_services() {
    for (text, size) in [
        ("0", 1),
        ("1", 2),
        ("12", 2),
        ("123", 3),
        ("100", 2),
        ("1000", 2),
        ("120", 3),
        ("1.5", 3),
        ("0.01", 2),
        ("0.001", 2),
        ("-1", 3),
        ("12345678901234567890123456789012345678", 20),
        ("1234567890123456789012345678901234567.8", 21),
    ] {
        assert_eq!(number(text).size(), size, "{text}");
    }
}

#[test]
fn keys_hold_to_their_ends() {
    for text in ["0", "1e-130", "-1e-130", "9.9e125", "-9.9e125", "1234567890123456789012345678901234567.8"] {
        let bytes = key(number(text));
        assert_eq!(Number::read_key(&bytes), Some((number(text), bytes.len())));
        for len in 0..bytes.len() {
            assert_eq!(Number::read_key(&bytes[..len]), None, "{text} to {len}");
        }
    }
    assert_eq!(key(number("1e-130"))[0], 128);
    assert_eq!(key(number("9e125"))[0], 255);
    assert_eq!(key(number("-9e125"))[0], 0);
    let not_written = [
        &[128, 2, 1, 0][..],
        &[193, 1, 2, 0],
        &[193, 102, 0],
        &[193, 0],
        &[62, 102],
        &[62, 101, 102],
        &[],
        &[193],
    ];
    for bytes in not_written {
        assert_eq!(Number::read_key(bytes), None, "{bytes:?}");
    }
    // 39 digits in 20 pairs.
    let mut long = vec![211, 2];
    long.extend([2; 19]);
    long.push(0);
    assert_eq!(Number::read_key(&long), None);
}

/// Numbers of all sizes, and of few digits, so that equal and neighbouring ones meet.
fn any_number() -> impl Strategy<Value = Number> {
    let few = (any::<bool>(), 0..30_u128, -3..3_i16);
    let many = (any::<bool>(), 0..COEFFICIENT_END, -130..88_i16);
    prop_oneof![few, many].prop_filter_map("out of range", |(negative, coefficient, exponent)| {
        Number::exact(negative, coefficient, exponent.into()).ok()
    })
}

/// The order of two numbers by their printed forms alone: aligned at the point, compared as text.
fn model_order(a: &str, b: &str) -> Ordering {
    let aligned = |text: &str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        format!("{whole:0>130}.{fraction:0<200}")
    };
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (None, None) => aligned(a).cmp(&aligned(b)),
        (Some(a), Some(b)) => aligned(b).cmp(&aligned(a)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_is_printed_is_parsed(a in any_number()) {
        prop_assert_eq!(a.to_string().parse::<Number>().unwrap(), a);
        prop_assert_eq!(Number::read_key(&key(a)), Some((a, key(a).len())));
        let end = usize::from(!a.is_negative());
        prop_assert_eq!(key(a).len(), a.size() + end);
    }

    #[test]
    fn keys_are_in_order(a in any_number(), b in any_number()) {
        let order = model_order(&a.to_string(), &b.to_string());
        prop_assert_eq!(a.cmp(&b), order);
        prop_assert_eq!(key(a).cmp(&key(b)), order);
        prop_assert!(a == b || !key(a).starts_with(&key(b)));
    }

    #[test]
    fn sums_agree_with_integers(a in -i64::MAX..i64::MAX, b in -i64::MAX..i64::MAX, places in 0..50_i16) {
        let scaled = |integer: i64| Number::exact(integer < 0, integer.unsigned_abs().into(), (-places).into()).unwrap();
        let sum = scaled(a).checked_add(scaled(b)).unwrap();
        let expected = i128::from(a) + i128::from(b);
        prop_assert_eq!(sum, Number::exact(expected < 0, expected.unsigned_abs(), (-places).into()).unwrap());
        prop_assert_eq!(scaled(a).checked_sub(scaled(b)).unwrap(), scaled(a).checked_add(-scaled(b)).unwrap());
    }

    #[test]
    fn sums_undo(a in any_number(), b in any_number()) {
        if let Ok(sum) = a.checked_add(b) {
            prop_assert_eq!(sum.checked_sub(b).unwrap(), a);
            prop_assert_eq!(sum.cmp(&a), b.cmp(&Number::ZERO));
        }
    }

    #[test]
    fn any_bytes_are_a_key_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
        if let Some((number, len)) = Number::read_key(&bytes) {
            prop_assert_eq!(&key(number)[..], &bytes[..len]);
        }
    }

    #[test]
    fn any_text_is_a_number_or_not(text in "[-+]?[0-9.]{0,45}(e[-+]?[0-9]{1,4})?") {
        if let Ok(number) = text.parse::<Number>() {
            prop_assert_eq!(number.to_string().parse::<Number>().unwrap(), number);
        }
    }
}
