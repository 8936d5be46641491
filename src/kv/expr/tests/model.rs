//! Expressions against a model: one that is printed, read and evaluated must say what the model says, however it came
//! about, and no text at all makes the parser panic.

use super::*;
use crate::kv::{
    Type,
    codec::{
        encode_item,
        tests::{any_item, any_value},
    },
    item,
    value::Set,
};
use proptest::prelude::*;
use std::cmp::Ordering;

/// A condition as it would be defined by hand: no more than what it means.
#[derive(Clone, Debug)]
enum Model {
    Compare(&'static str, Term, Term),
    Between(Term, Term, Term),
    In(Term, Vec<Term>),
    Exists(Steps),
    HasType(Steps, Type),
    BeginsWith(Steps, AttributeValue),
    Contains(Steps, AttributeValue),
    And(Box<Model>, Box<Model>),
    Or(Box<Model>, Box<Model>),
    Not(Box<Model>),
}

#[derive(Clone, Debug)]
enum Term {
    Path(Steps),
    Value(AttributeValue),
    Size(Steps),
}

/// An attribute, then fields (not a number) and indexes (a number).
type Steps = Vec<String>;

fn lookup<'a>(item: &'a Item, steps: &[String]) -> Option<&'a AttributeValue> {
    let (first, rest) = steps.split_first()?;
    rest.iter().try_fold(item.get(first)?, |value, step| match value {
        AttributeValue::M(map) => map.get(step),
        AttributeValue::L(list) => list.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

fn term(term: &Term, item: &Item) -> Option<AttributeValue> {
    match term {
        Term::Path(steps) => lookup(item, steps).cloned(),
        Term::Value(value) => Some(value.clone()),
        Term::Size(steps) => {
            let size = match lookup(item, steps)? {
                AttributeValue::S(text) => text.len(),
                AttributeValue::B(bytes) => bytes.len(),
                AttributeValue::Ss(set) => set.len(),
                AttributeValue::Ns(set) => set.len(),
                AttributeValue::Bs(set) => set.len(),
                AttributeValue::L(list) => list.len(),
                AttributeValue::M(map) => map.len(),
                _ => return None,
            };
            Some(u64::try_from(size).unwrap().into())
        }
    }
}

fn order(a: &AttributeValue, b: &AttributeValue) -> Option<Ordering> {
    match (a, b) {
        (AttributeValue::S(a), AttributeValue::S(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (AttributeValue::N(a), AttributeValue::N(b)) => Some(a.to_i128().cmp(&b.to_i128())),
        (AttributeValue::B(a), AttributeValue::B(b)) => Some(a.as_ref().cmp(b.as_ref())),
        _ => None,
    }
}

impl Model {
    fn holds(&self, item: &Item) -> bool {
        let compare = |operator: &str, a: Option<AttributeValue>, b: Option<AttributeValue>| {
            let (Some(a), Some(b)) = (a, b) else { return operator == "<>" };
            let order = order(&a, &b);
            match operator {
                "=" => a == b,
                "<>" => a != b,
                "<" => order == Some(Ordering::Less),
                "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
                ">" => order == Some(Ordering::Greater),
                _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            }
        };
        match self {
            Self::Compare(operator, a, b) => compare(operator, term(a, item), term(b, item)),
            Self::Between(value, low, high) => {
                compare(">=", term(value, item), term(low, item))
                    && compare("<=", term(value, item), term(high, item))
            }
            Self::In(value, list) => list.iter().any(|one| compare("=", term(value, item), term(one, item))),
            Self::Exists(steps) => lookup(item, steps).is_some(),
            Self::HasType(steps, kind) => lookup(item, steps).is_some_and(|value| value.kind() == *kind),
            Self::BeginsWith(steps, prefix) => match (lookup(item, steps), prefix) {
                (Some(AttributeValue::S(text)), AttributeValue::S(prefix)) => text.starts_with(&**prefix),
                (Some(AttributeValue::B(bytes)), AttributeValue::B(prefix)) => bytes.starts_with(prefix),
                _ => false,
            },
            Self::Contains(steps, part) => match (lookup(item, steps), part) {
                (Some(AttributeValue::S(text)), AttributeValue::S(part)) => text.contains(&**part),
                (Some(AttributeValue::B(bytes)), AttributeValue::B(part)) => {
                    (0..=bytes.len()).any(|at| bytes[at..].starts_with(part))
                }
                (Some(AttributeValue::Ss(set)), AttributeValue::S(part)) => set.iter().any(|one| one == part),
                (Some(AttributeValue::Ns(set)), AttributeValue::N(part)) => set.iter().any(|one| one == part),
                (Some(AttributeValue::Bs(set)), AttributeValue::B(part)) => set.iter().any(|one| one == part),
                (Some(AttributeValue::L(list)), part) => list.iter().any(|one| one == part),
                _ => false,
            },
            Self::And(a, b) => a.holds(item) && b.holds(item),
            Self::Or(a, b) => a.holds(item) || b.holds(item),
            Self::Not(a) => !a.holds(item),
        }
    }
}

/// Prints models; every value and every name gets a placeholder of its own.
#[derive(Default)]
struct Printer {
    names: Names,
    values: Item,
}

impl Printer {
    fn value(&mut self, value: &AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value.clone());
        placeholder
    }

    fn path(&mut self, steps: &[String]) -> String {
        let mut text = String::new();
        for (index, step) in steps.iter().enumerate() {
            if step.parse::<usize>().is_ok() {
                text.extend(["[", step, "]"]);
                continue;
            }
            let placeholder = format!("#{step}");
            self.names.insert(placeholder.clone(), step.clone());
            text += if index > 0 { "." } else { "" };
            text += &placeholder;
        }
        text
    }

    fn term(&mut self, term: &Term) -> String {
        match term {
            Term::Path(steps) => self.path(steps),
            Term::Value(value) => self.value(value),
            Term::Size(steps) => format!("size({})", self.path(steps)),
        }
    }

    /// Parentheses where the operator around binds more tightly: 1 for OR, 2 for AND, 3 for NOT.
    fn print(&mut self, model: &Model, around: u8) -> String {
        let (binding, text) = match model {
            Model::Compare(operator, a, b) => (4, format!("{} {operator} {}", self.term(a), self.term(b))),
            Model::Between(a, b, c) => {
                (4, format!("{} BETWEEN {} AND {}", self.term(a), self.term(b), self.term(c)))
            }
            Model::In(a, list) => {
                let a = self.term(a);
                let list: Vec<_> = list.iter().map(|one| self.term(one)).collect();
                (4, format!("{a} IN ({})", list.join(", ")))
            }
            Model::Exists(steps) => (4, format!("attribute_exists({})", self.path(steps))),
            Model::HasType(steps, kind) => {
                (4, format!("attribute_type({}, {})", self.path(steps), self.value(&kind.as_str().into())))
            }
            Model::BeginsWith(steps, value) => {
                (4, format!("begins_with({}, {})", self.path(steps), self.value(value)))
            }
            Model::Contains(steps, value) => {
                (4, format!("contains({}, {})", self.path(steps), self.value(value)))
            }
            Model::And(a, b) => (2, format!("{} AND {}", self.print(a, 2), self.print(b, 2))),
            Model::Or(a, b) => (1, format!("{} OR {}", self.print(a, 1), self.print(b, 1))),
            Model::Not(a) => (3, format!("NOT {}", self.print(a, 3))),
        };
        if binding < around { format!("({text})") } else { text }
    }
}

fn steps() -> impl Strategy<Value = Steps> {
    let step = prop_oneof!["[a-c]", "[a-c]{2}", "[0-2]"];
    ("[a-e]{1,2}", proptest::collection::vec(step, 0..3)).prop_map(|(first, mut rest)| {
        rest.insert(0, first);
        rest
    })
}

fn text() -> impl Strategy<Value = AttributeValue> {
    "[a-c]{0,4}".prop_map(AttributeValue::S)
}

fn number() -> impl Strategy<Value = AttributeValue> {
    (-3..4_i64).prop_map(AttributeValue::from)
}

fn binary() -> impl Strategy<Value = AttributeValue> {
    proptest::collection::vec(0..4_u8, 0..4).prop_map(|bytes| AttributeValue::B(bytes.into()))
}

fn ordered_value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![text(), number(), binary()]
}

fn any_term(value: impl Strategy<Value = AttributeValue> + 'static) -> impl Strategy<Value = Term> {
    prop_oneof![
        4 => steps().prop_map(Term::Path),
        3 => value.prop_map(Term::Value),
        1 => steps().prop_map(Term::Size),
    ]
}

fn any_model() -> impl Strategy<Value = Model> {
    let comparator = prop_oneof![Just("<"), Just("<="), Just(">"), Just(">=")];
    let equality = prop_oneof![Just("="), Just("<>")];
    let prefix = prop_oneof![text(), binary()];
    let bounds = prop_oneof![(text(), text()), (number(), number()), (binary(), binary())]
        .prop_map(|(a, b)| if order(&a, &b) == Some(Ordering::Greater) { (b, a) } else { (a, b) });
    let leaf = prop_oneof![
        (equality, any_term(any_value()), any_term(any_value()))
            .prop_map(|(c, a, b)| Model::Compare(c, a, b)),
        (comparator, any_term(ordered_value()), any_term(ordered_value()))
            .prop_map(|(c, a, b)| Model::Compare(c, a, b)),
        (any_term(ordered_value()), bounds).prop_map(|(value, (low, high))| Model::Between(
            value,
            Term::Value(low),
            Term::Value(high)
        )),
        (any_term(any_value()), proptest::collection::vec(any_term(any_value()), 1..4))
            .prop_map(|(value, list)| Model::In(value, list)),
        steps().prop_map(Model::Exists),
        (steps(), proptest::sample::select(Type::ALL.to_vec()))
            .prop_map(|(steps, kind)| Model::HasType(steps, kind)),
        (steps(), prefix).prop_map(|(steps, prefix)| Model::BeginsWith(steps, prefix)),
        (steps(), any_value()).prop_map(|(steps, part)| Model::Contains(steps, part)),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        let two = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            two().prop_map(|(a, b)| Model::And(a, b)),
            two().prop_map(|(a, b)| Model::Or(a, b)),
            inner.clone().prop_map(|a| Model::Not(Box::new(a))),
        ]
    })
}

/// Pieces of expressions in any order.
fn token_soup() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "a",
        "b",
        "#n",
        ":v",
        ":w",
        "(",
        ")",
        "[",
        "]",
        "0",
        "7",
        ".",
        ",",
        "=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "AND",
        "or",
        "NOT",
        "between",
        "IN",
        "SET",
        "remove",
        "ADD",
        "DELETE",
        "size",
        "attribute_exists",
        "attribute_type",
        "begins_with",
        "contains",
        "if_not_exists",
        "list_append",
        "status",
        "_",
        "#",
        "\u{e9}",
    ]);
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.join(" "))
}

fn parse_all(text: &str) {
    let names = names(&[("#n", "n")]);
    let values = item! { ":v" => 1, ":w" => Set::new(["x".to_owned()]).unwrap() };
    let (names, values) = used(text, &names, &values);
    let item = item! { "a" => [1, 2], "b" => item! { "n" => 3 }, "n" => "x" };
    if let Ok(condition) = Condition::parse(text, &names, &values) {
        let holds = condition.evaluate(&item);
        assert_eq!(condition.evaluate_encoded(&encode_item(&item)), Ok(holds));
        assert_eq!(
            PreparedCondition::new(text, &names).unwrap().bind(&values).unwrap().evaluate(&item),
            holds
        );
    }
    if let Ok(update) = Update::parse(text, &names, &values) {
        let mut after = item.clone();
        match update.apply(&mut after, true) {
            Ok(touched) => drop((touched.of_old(&item), touched.of_new(&after))),
            Err(_) => assert_eq!(after, item),
        }
    }
    let _ = KeyCondition::parse(text, &names, &values);
    if let Ok(projection) = Projection::parse(text, &names) {
        let once = projection.apply(&item);
        assert!(once.size() <= item.size());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn conditions_agree_with_the_model(model in any_model(), item in any_item()) {
        let mut printer = Printer::default();
        let text = printer.print(&model, 0);
        let expected = model.holds(&item);
        match Condition::parse(&text, &printer.names, &printer.values) {
            Ok(condition) => {
                prop_assert_eq!(condition.evaluate(&item), expected, "{}", text);
                prop_assert_eq!(condition.evaluate_encoded(&encode_item(&item)), Ok(expected), "{}", text);
                let prepared = PreparedCondition::new(&text, &printer.names).unwrap();
                prop_assert_eq!(prepared.bind(&printer.values).unwrap().evaluate(&item), expected, "{}", text);
                prop_assert_eq!(condition.clone().and(condition).not().evaluate(&item), !expected);
            }
            // The model says the same thing twice now and then.
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.contains("must be distinct"), "{}: {}", text, error);
            }
        }
    }

    #[test]
    fn any_tokens(text in token_soup()) {
        parse_all(&text);
    }

    #[test]
    fn any_text(text in any::<String>()) {
        parse_all(&text);
    }

    /// Attributes are set, added to and removed in any order; the model does one after the other, from the old item.
    #[test]
    fn updates_agree_with_the_model(
        item in any_item(),
        changes in proptest::collection::btree_map("[a-e]{1,2}", (0..4_u8, any_value()), 1..5),
    ) {
        let mut sections: [Vec<String>; 2] = Default::default();
        let (mut names, mut values) = (Names::new(), Item::new());
        let mut expected = item.clone();
        for (index, (name, (kind, value))) in changes.iter().enumerate() {
            let (n, v) = (format!("#n{index}"), format!(":v{index}"));
            names.insert(n.clone(), name.clone());
            match kind {
                0 => {
                    sections[1].push(n);
                    expected.remove(name);
                    continue;
                }
                1 => {
                    sections[0].push(format!("{n} = {v}"));
                    expected.insert(name.clone(), value.clone());
                }
                2 => {
                    sections[0].push(format!("{n} = if_not_exists({n}, {v})"));
                    expected.entry(name.clone()).or_insert_with(|| value.clone());
                }
                _ => {
                    // Another attribute's old value, or else this one.
                    let other = changes.keys().next().unwrap();
                    let o = format!("#o{index}");
                    names.insert(o.clone(), other.clone());
                    sections[0].push(format!("{n} = if_not_exists({o}, {v})"));
                    expected.insert(name.clone(), item.get(other).unwrap_or(value).clone());
                }
            }
            values.insert(v, value.clone());
        }
        let text = [("SET ", &sections[0]), ("REMOVE ", &sections[1])]
            .into_iter()
            .filter(|(_, actions)| !actions.is_empty())
            .map(|(section, actions)| format!("{section}{}", actions.join(", ")))
            .collect::<Vec<_>>()
            .join(" ");
        let update = Update::parse(&text, &names, &values).unwrap();
        let mut after = item.clone();
        let touched = update.apply(&mut after, true).unwrap();
        prop_assert_eq!(&after, &expected, "{}", text);
        let changed: Item = expected.into_iter().filter(|(name, _)| {
            changes.get(name).is_some_and(|(kind, _)| *kind != 0)
        }).collect();
        prop_assert_eq!(touched.of_new(&after), changed);
    }
}
