//! `#names` and `:values`: what a request says they stand for, and which of them its expressions use.

use super::findings::ExpressionKind;
use crate::kv::{
    error::{Error, Result},
    value::{AttributeValue, Item},
};
use std::collections::{BTreeMap, BTreeSet};

/// What `#names` in expressions stand for: `#name` to the name of an attribute.
pub type Names = BTreeMap<String, String>;

/// Bytes of all names and values of a request that are put in for placeholders, at most.
pub const PLACEHOLDERS_SIZE_MAX: usize = 2 << 20;

/// The placeholders of one request. Parse all its expressions with it, then [`finish`](Self::finish).
#[derive(Debug)]
pub(crate) struct Placeholders<'a> {
    names: Option<&'a Names>,
    values: Option<&'a Item>,
    used_names: BTreeSet<&'a str>,
    used_values: BTreeSet<&'a str>,
    /// Are conditions and filters that are too long refused with their length?
    pub(super) tells_sizes: bool,
}

impl<'a> Placeholders<'a> {
    /// `ExpressionAttributeNames` and `ExpressionAttributeValues` of a request, `None` if it has none.
    ///
    /// # Errors
    /// `ValidationException` if they are given and empty, a placeholder is not of the form `#name` or `:value`, a value
    /// is nested too deep, or all are too long.
    pub(crate) fn new(names: Option<&'a Names>, values: Option<&'a Item>) -> Result<Self> {
        if let Some(names) = names {
            check_form("ExpressionAttributeNames", '#', names.keys())?;
        }
        if let Some(values) = values {
            check_form("ExpressionAttributeValues", ':', values.keys())?;
            values.values().try_for_each(AttributeValue::validate)?;
        }
        let names_size: usize = names.into_iter().flatten().map(|(a, b)| a.len() + b.len()).sum();
        if names_size + values.map_or(0, Item::size) > PLACEHOLDERS_SIZE_MAX {
            return Err(Error::request(format!(
                "The total size of expression attribute names and values exceeds the maximum of \
                 {PLACEHOLDERS_SIZE_MAX} bytes"
            )));
        }
        Ok(Self {
            names,
            values,
            used_names: BTreeSet::new(),
            used_values: BTreeSet::new(),
            tells_sizes: false,
        })
    }

    /// Conditions and filters that are too long are refused with their length: scans and transactions do.
    pub(crate) const fn tell_sizes(&mut self) {
        self.tells_sizes = true;
    }

    /// As [`new`](Self::new), where none are empty maps.
    pub(super) fn of(names: &'a Names, values: &'a Item) -> Result<Self> {
        Self::new(Some(names).filter(|names| !names.is_empty()), Some(values).filter(|map| !map.is_empty()))
    }

    /// What a `#name` stands for.
    pub(super) fn name(&mut self, placeholder: &str) -> Option<&'a str> {
        let (placeholder, name) = self.names?.get_key_value(placeholder)?;
        self.used_names.insert(placeholder);
        Some(name)
    }

    /// What a `:value` stands for.
    pub(super) fn value(&mut self, placeholder: &str) -> Option<&'a AttributeValue> {
        let (placeholder, value) = self.values?.get_key_value(placeholder)?;
        self.used_values.insert(placeholder);
        Some(value)
    }

    /// Refuses placeholders that no expression used.
    ///
    /// # Errors
    /// `ValidationException` if there are any.
    pub(crate) fn finish(self) -> Result<()> {
        let names = self.names.into_iter().flat_map(BTreeMap::keys);
        let values = self.values.into_iter().flat_map(|values| values.keys());
        unused("ExpressionAttributeNames", names, &self.used_names)?;
        unused("ExpressionAttributeValues", values, &self.used_values)
    }

    /// Refuses any placeholder, in a request that has no expression. `kinds` are those it could have with values.
    ///
    /// # Errors
    /// `ValidationException` if there are any.
    pub(crate) fn refuse_all(&self, kinds: &[ExpressionKind]) -> Result<()> {
        if self.names.is_some() {
            return Err(Error::request(
                "ExpressionAttributeNames can only be specified when using expressions",
            ));
        }
        if self.values.is_none() {
            return Ok(());
        }
        let names: Vec<_> = kinds.iter().map(ToString::to_string).collect();
        // The service words it in two ways.
        let are_null = match &*names {
            [_, _] if !kinds.contains(&ExpressionKind::Update) => format!("{} are null", names.join(" and ")),
            names => format!("{} is null", names.join(" is null and ")),
        };
        Err(Error::request(format!(
            "ExpressionAttributeValues can only be specified when using expressions: {are_null}"
        )))
    }
}

fn check_form<'a>(
    field: &str,
    sign: char,
    placeholders: impl ExactSizeIterator<Item = &'a String>,
) -> Result<()> {
    if placeholders.len() == 0 {
        return Err(Error::request(format!("{field} must not be empty")));
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    for placeholder in placeholders {
        let name = placeholder.strip_prefix(sign).unwrap_or_default();
        if name.is_empty() || !name.bytes().all(is_part) {
            return Err(Error::request(format!(
                "{field} contains invalid key: Syntax error; key: \"{placeholder}\""
            )));
        }
    }
    Ok(())
}

fn unused<'a>(field: &str, all: impl Iterator<Item = &'a String>, used: &BTreeSet<&str>) -> Result<()> {
    let unused: Vec<&str> = all.map(String::as_str).filter(|one| !used.contains(one)).collect();
    if unused.is_empty() {
        return Ok(());
    }
    let unused = unused.join(", ");
    Err(Error::request(format!("Value provided in {field} unused in expressions: keys: {{{unused}}}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::item;

    fn names(pairs: &[(&str, &str)]) -> Names {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn form() {
        let names_refusal = |pairs: &[(&str, &str)]| {
            Placeholders::new(Some(&names(pairs)), None).map(drop).unwrap_err().to_string()
        };
        assert_eq!(names_refusal(&[]), "ExpressionAttributeNames must not be empty");
        for key in ["a", "#", "", ":a", "#a-b", "##a"] {
            let expected =
                format!("ExpressionAttributeNames contains invalid key: Syntax error; key: \"{key}\"");
            assert_eq!(names_refusal(&[(key, "x")]), expected);
        }
        let values_refusal =
            |values: Item| Placeholders::new(None, Some(&values)).map(drop).unwrap_err().to_string();
        assert_eq!(values_refusal(item! {}), "ExpressionAttributeValues must not be empty");
        assert_eq!(
            values_refusal(item! { "v" => 1 }),
            "ExpressionAttributeValues contains invalid key: Syntax error; key: \"v\""
        );
        assert!(values_refusal(item! { ":v" => "x".repeat(PLACEHOLDERS_SIZE_MAX) }).contains("total size"));
        assert!(Placeholders::new(None, None).is_ok());
        assert!(Placeholders::new(Some(&names(&[("#1_a", "x")])), None).is_ok());
    }

    #[test]
    fn all_must_be_used() {
        let (names, values) = (names(&[("#a", "x"), ("#b", "y")]), item! { ":c" => 1, ":d" => 2 });
        let mut placeholders = Placeholders::of(&names, &values).unwrap();
        assert_eq!(placeholders.name("#a"), Some("x"));
        assert_eq!(placeholders.name("#c"), None);
        assert_eq!(placeholders.value(":c"), Some(&1.into()));
        assert_eq!(
            placeholders.finish().unwrap_err().to_string(),
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"
        );
        assert_eq!(
            Placeholders::new(None, Some(&values)).unwrap().finish().unwrap_err().to_string(),
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:c, :d}"
        );
    }

    #[test]
    fn none_without_expressions() {
        let (names, values) = (names(&[("#a", "x")]), item! { ":c" => 1 });
        let refusal = |names, values, kinds: &[_]| {
            Placeholders::new(names, values).unwrap().refuse_all(kinds).unwrap_err().to_string()
        };
        assert_eq!(
            refusal(Some(&names), None, &[]),
            "ExpressionAttributeNames can only be specified when using expressions"
        );
        assert_eq!(
            refusal(None, Some(&values), &[ExpressionKind::Condition]),
            "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"
        );
        assert_eq!(
            refusal(None, Some(&values), &[ExpressionKind::Update, ExpressionKind::Condition]),
            "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression is null and \
             ConditionExpression is null"
        );
        assert!(Placeholders::new(None, None).unwrap().refuse_all(&[]).is_ok());
    }
}
