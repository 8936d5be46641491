//! Permissions, kept as the statements of a queue's policy.

use super::Operation;
use super::query::is_action;
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use fourfold::queue::Error;
use serde_json::{Value as Json, json};

impl Operation<'_> {
    pub(super) fn add_permission(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let label = self.input.required_text("Label")?;
        let accounts = self.input.texts("AWSAccountIds")?.unwrap_or_default();
        let actions = self.input.texts("Actions")?.unwrap_or_default();
        for (list, name) in [(&accounts, "PrincipalId"), (&actions, "Actions")] {
            if list.is_empty() {
                return Err(self.input.dialect().missing(name));
            }
        }
        check_label(&label)?;
        let unknown = actions.iter().find(|action| *action != "*" && !is_action(action));
        if let Some(action) = unknown {
            return Err(invalid(
                &format!("SQS:{action}"),
                "ActionName",
                "Please refer to the appropriate WSDL for a list of valid actions. ",
            ));
        }
        let principals = accounts.iter().map(|account| format!("arn:aws:iam::{account}:root"));
        let statement = json!({
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": one_or_many(principals)},
            "Action": one_or_many(actions.iter().map(|action| format!("SQS:{action}"))),
            "Resource": queue.arn(),
        });
        queue.edit_policy(|policy| {
            let mut policy = parsed(policy).unwrap_or_else(|| {
                let id = format!("{}/SQSDefaultPolicy", queue.arn());
                json!({"Version": "2008-10-17", "Id": id, "Statement": []})
            });
            let mut statements = statements(&mut policy);
            if statements.iter().any(|statement| statement["Sid"] == label.as_str()) {
                return Err(refused(&label, "Already exists."));
            }
            statements.push(statement);
            policy["Statement"] = statements.into();
            Ok(policy.to_string())
        })?;
        Ok(Value::empty())
    }

    pub(super) fn remove_permission(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let label = self.input.required_text("Label")?;
        queue.edit_policy(|policy| {
            let mut policy = parsed(policy).unwrap_or_default();
            let mut statements = statements(&mut policy);
            let before = statements.len();
            statements.retain(|statement| statement["Sid"] != label.as_str());
            if statements.len() == before {
                return Err(refused(&label, "can't find label on existing policy."));
            }
            // Nothing is left to say with the last statement.
            if statements.is_empty() {
                return Ok(String::new());
            }
            policy["Statement"] = statements.into();
            Ok(policy.to_string())
        })?;
        Ok(Value::empty())
    }
}

/// 1 to 80 of `A-Z a-z 0-9 _ -`.
fn check_label(label: &str) -> Result<()> {
    let is_label = (1..=80).contains(&label.len())
        && label.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
    let reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.";
    if is_label { Ok(()) } else { Err(invalid(label, "Label", reason)) }
}

fn parsed(policy: Option<&str>) -> Option<Json> {
    policy.and_then(|policy| serde_json::from_str(policy).ok()).filter(Json::is_object)
}

/// Takes the statements out of a policy, in which one alone may stand without a list.
fn statements(policy: &mut Json) -> Vec<Json> {
    match policy["Statement"].take() {
        Json::Array(all) => all,
        Json::Null => Vec::new(),
        one => vec![one],
    }
}

/// One text stands for itself, more in a list.
fn one_or_many(texts: impl Iterator<Item = String>) -> Json {
    let mut texts: Vec<String> = texts.collect();
    match texts.pop() {
        Some(only) if texts.is_empty() => Json::String(only),
        last => texts.into_iter().chain(last).collect(),
    }
}

fn refused(label: &str, reason: &str) -> Error {
    Error::InvalidParameterValue { message: text(label, "Label", reason) }
}

fn invalid(value: &str, parameter: &str, reason: &str) -> Refusal {
    Refusal::from(Error::InvalidParameterValue { message: text(value, parameter, reason) })
}

fn text(value: &str, parameter: &str, reason: &str) -> String {
    format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}")
}
