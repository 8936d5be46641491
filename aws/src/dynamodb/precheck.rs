//! What the service finds in a request before it looks at any value: parameters of two generations side by side,
//! placeholders without an expression, placeholders that are none.

use super::wording::Wording;
use crate::fields::{Dialect, Fields};
use crate::refusal::{Refusal, Result};
use crate::value::{Name, Value};
use fourfold::kv::Item;

/// In front of what is wrong with an expression or its values, where one item is written.
pub(super) const COUNTED: &str = "1 validation error detected: ";

/// The expressions of an operation, and what there was before them.
struct Parts {
    /// In the order in which they are named.
    expressions: &'static [&'static str],
    older: &'static [&'static str],
    /// Does it write one item?
    is_write: bool,
}

fn parts(operation: &str) -> Option<Parts> {
    let (expressions, older, is_write): (&[&str], &[&str], bool) = match operation {
        "PutItem" | "DeleteItem" => (&["ConditionExpression"], &["Expected", "ConditionalOperator"], true),
        "UpdateItem" => (
            &["UpdateExpression", "ConditionExpression"],
            &["AttributeUpdates", "Expected", "ConditionalOperator"],
            true,
        ),
        "GetItem" => (&["ProjectionExpression"], &["AttributesToGet"], false),
        "Query" => (
            &["ProjectionExpression", "FilterExpression", "KeyConditionExpression"],
            &["AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions"],
            false,
        ),
        "Scan" => (
            &["ProjectionExpression", "FilterExpression"],
            &["AttributesToGet", "ScanFilter", "ConditionalOperator"],
            false,
        ),
        _ => return None,
    };
    Some(Parts { expressions, older, is_write })
}

/// Refuses what no value could make right.
pub(super) fn check(operation: &str, request: &Value) -> Result<()> {
    let (Some(parts), Value::Map(members)) = (parts(operation), request) else { return Ok(()) };
    parts.check(members).map_err(|message| {
        Dialect::Dynamo.invalid(&if parts.is_write { format!("{COUNTED}{message}") } else { message })
    })
}

impl Parts {
    fn check(&self, members: &[(Name, Value)]) -> Result<(), String> {
        let has = |wanted: &str| members.iter().any(|(name, value)| name == wanted && *value != Value::Null);
        let given = |names: &[&'static str]| -> Vec<&'static str> {
            names.iter().copied().filter(|name| has(name)).collect()
        };
        let newer = given(self.expressions);
        let mut older = given(self.older);
        // Older conditions on keys may stand beside newer filters.
        if !has("KeyConditionExpression") {
            older.retain(|name| *name != "KeyConditions");
        }
        if !newer.is_empty() && !older.is_empty() {
            let (older, newer) = (older.join(", "), newer.join(", "));
            return Err(format!(
                "Can not use both expression and non-expression parameters in the same request: Non-expression \
                 parameters: {{{older}}} Expression parameters: {{{newer}}}"
            ));
        }
        if newer.is_empty() && has("ExpressionAttributeNames") {
            return Err("ExpressionAttributeNames can only be specified when using expressions".to_owned());
        }
        let takes_values = |name: &&&str| **name != "ProjectionExpression";
        let with_values: Vec<&str> = self.expressions.iter().filter(takes_values).copied().collect();
        if has("ExpressionAttributeValues")
            && !with_values.is_empty()
            && !with_values.iter().any(|name| has(name))
        {
            // Only searches say which.
            let are_null = match &*with_values {
                _ if self.is_write => String::new(),
                [first, second] => format!(": {first} and {second} are null"),
                names => format!(": {} is null", names.join(" is null and ")),
            };
            return Err(format!(
                "ExpressionAttributeValues can only be specified when using expressions{are_null}"
            ));
        }
        Ok(())
    }
}

/// The values of placeholders, and what is wrong with one of them. Their form comes before that of any value.
pub(super) fn expression_values(input: &mut Fields, wording: Wording) -> Result<Option<Item>> {
    let is_write = wording == Wording::Counted;
    let counted = |message: String| {
        Dialect::Dynamo.invalid(&if is_write { format!("{COUNTED}{message}") } else { message })
    };
    if let Some(message) = input
        .peek_map("ExpressionAttributeNames")
        .and_then(|names| bad_form("ExpressionAttributeNames", '#', names.iter().map(|(name, _)| &**name)))
    {
        return Err(counted(message));
    }
    let Some(members) = input.map("ExpressionAttributeValues")? else { return Ok(None) };
    let keys = members.iter().map(|(name, _)| &**name);
    if let Some(message) = bad_form("ExpressionAttributeValues", ':', keys) {
        return Err(counted(message));
    }
    let values = members.into_iter().filter(|(_, value)| *value != Value::Null).map(|(name, value)| {
        let refused = |refusal: Refusal| {
            if refusal.name != "ValidationException" {
                return refusal;
            }
            // That a null is not true is said without the place.
            let is_null = refusal.message.ends_with("must have the value of true") && is_write;
            if is_null || !wording.tells_place(&refusal) {
                return wording.counted(refusal);
            }
            let message = refusal.message;
            counted(format!("ExpressionAttributeValues contains invalid value: {message} for key {name}"))
        };
        let value = super::attribute::attribute(value, wording).map_err(refused)?;
        Ok((name.into_owned(), value))
    });
    values.collect::<Result<Item>>().map(Some)
}

/// What the older checks say of the same.
pub(super) fn uncounted(refusal: Refusal) -> Refusal {
    match refusal.message.strip_prefix(COUNTED) {
        Some(message) => Refusal { message: message.to_owned(), ..refusal },
        None => refusal,
    }
}

/// Why placeholders are none.
fn bad_form<'a>(
    field: &str,
    sign: char,
    mut placeholders: impl ExactSizeIterator<Item = &'a str>,
) -> Option<String> {
    if placeholders.len() == 0 {
        return Some(format!("{field} must not be empty"));
    }
    let is_bad = |placeholder: &&str| {
        let name = placeholder.strip_prefix(sign).unwrap_or_default();
        name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let bad = placeholders.find(is_bad)?;
    Some(format!("{field} contains invalid key: Syntax error; key: \"{bad}\""))
}

/// What is wrong with a key that a page is to begin behind. Of numbers and of members that are there twice it is said
/// without that.
pub(super) fn of_starting_key(refusal: Refusal) -> Refusal {
    let is_plain = refusal.name != "ValidationException"
        || refusal.message.contains("Input collection")
        || refusal.message.contains("number set")
        || refusal.message.contains("numeric value")
        || refusal.message.contains("Number")
        || refusal.message.contains("magnitude");
    if is_plain {
        return refusal;
    }
    let message = format!("The provided starting key is invalid: {}", refusal.message);
    Refusal { message, ..refusal }
}
