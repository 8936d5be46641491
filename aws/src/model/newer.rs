//! Findings as the service words them where it checks before its model does: of items, of searches and of batches.

use super::constraints::Finding;
use crate::value::Value;

const COUNTED: &str = "1 validation error detected: ";
const ENUM: &str = "Failed to satisfy constraint: Member must satisfy enum value set: ";
/// The words that the service lists for what a write may return, as it spells them.
const RETURN_VALUES: &str = "[ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]";

/// Changes what was found in a request to an operation on tables. There is a message if one finding is told alone and
/// in words of its own.
pub(super) fn reword(operation: &str, request: &Value, findings: &mut Vec<Finding>) -> Option<String> {
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" | "GetItem" | "Query" | "Scan" => {
            shorten_empty_name(findings);
            of_items(operation, findings)
        }
        "BatchGetItem" => {
            of_gets(request, findings);
            None
        }
        "BatchWriteItem" => {
            for finding in findings.iter_mut().filter(|finding| finding.path == "requestItems") {
                if finding.rule.starts_with("Member must have length") {
                    "RequestItems".clone_into(&mut finding.path);
                    finding.value.clear();
                }
            }
            if findings.iter().any(Finding::is_of_words) {
                findings.retain(|finding| !finding.is_of_keys());
            }
            None
        }
        _ => None,
    }
}

/// Of no name at all only the length is told.
fn shorten_empty_name(findings: &mut Vec<Finding>) {
    let mut is_told = false;
    findings.retain_mut(|finding| {
        if finding.path != "tableName" || finding.value != "''" {
            return true;
        }
        "Member must have length greater than or equal to 1".clone_into(&mut finding.rule);
        !std::mem::replace(&mut is_told, true)
    });
}

fn of_items(operation: &str, findings: &[Finding]) -> Option<String> {
    let of = |path: &str| findings.iter().find(|finding| finding.path == path);
    let is_write = matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem");
    if is_write && of("item").or(of("key")).is_none() {
        if let Some(name) = of("tableName").filter(|finding| finding.value == "''") {
            return Some(format!("{COUNTED}{}", name.told_newer("TableName")));
        }
        let is_plain = of("returnConsumedCapacity").or(of("returnItemCollectionMetrics")).is_none();
        if of("returnValues").is_some() && (operation == "UpdateItem" || is_plain) {
            return Some(format!("{COUNTED}{ENUM}{RETURN_VALUES}"));
        }
        if of("conditionalOperator").is_some() && is_plain {
            return Some(format!("{COUNTED}{ENUM}[ALL, OR]"));
        }
    }
    if operation != "Query" {
        return None;
    }
    if of("conditionalOperator").is_some() && of("tableName").is_none() {
        return Some(format!("{ENUM}[ALL, OR]"));
    }
    match findings {
        [limit] if limit.path == "limit" => Some(format!("{COUNTED}{}", limit.told_newer("Limit"))),
        _ => None,
    }
}

/// Reads of many items: lengths are told with the names of the request and without what is there, and the request as
/// it was written.
fn of_gets(request: &Value, findings: &mut [Finding]) {
    findings.sort_by_key(|finding| finding.path == "returnConsumedCapacity");
    for finding in findings {
        let Some(rest) = finding.path.strip_prefix("requestItems") else { continue };
        if finding.is_of_keys() {
            if let Some(items) = member(request, "RequestItems") {
                finding.value = format!("'{}'", String::from_utf8_lossy(&items.to_json()));
            }
        } else if finding.rule.contains("have length") && (rest.is_empty() || rest.ends_with(".member.keys"))
        {
            let rest = rest.strip_suffix("keys").map(|rest| format!("{rest}Keys"));
            finding.path = format!("RequestItems{}", rest.unwrap_or_default());
            finding.value.clear();
        }
    }
}

fn member<'a>(request: &'a Value, wanted: &str) -> Option<&'a Value> {
    let Value::Map(members) = request else { return None };
    members.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value)
}
