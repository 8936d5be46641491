//! Permissions, kept as the statements of a queue's policy.

use super::Operation;
use super::query::is_action;
use crate::refusal::{Refusal, Result};
use crate::value::Value;
use fourfold::queue::Error;
use fourfold::queue::limits::STATEMENTS_MAX;
use serde_json::{Value as Json, json};

/// Actions of one statement (quota).
const ACTIONS_MAX: usize = 7;

impl Operation<'_> {
    pub(super) async fn add_permission(&mut self) -> Result<Value> {
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
        actions.iter().try_for_each(|action| check_action(action))?;
        if actions.len() > ACTIONS_MAX {
            let message = format!("{} Actions were found, maximum allowed is {ACTIONS_MAX}.", actions.len());
            return Err(Refusal::new("OverLimit", message).with_status(403));
        }
        let is_account =
            |account: &&String| account.len() == 12 && account.bytes().all(|c| c.is_ascii_digit());
        if let Some(account) = accounts.iter().find(|account| !is_account(account)) {
            return Err(invalid(&format!("[{account}]"), "PrincipalId", "Unable to verify principal."));
        }
        let principals = accounts.iter().map(|account| format!("arn:aws:iam::{account}:root"));
        let statement = json!({
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": one_or_many(principals)},
            "Action": one_or_many(actions.iter().map(|action| format!("SQS:{action}"))),
            "Resource": queue.arn(),
        });
        let edit = |policy: Option<&str>| {
            let mut policy = parsed(policy).unwrap_or_else(|| {
                let id = format!("{}/SQSDefaultPolicy", queue.arn());
                json!({"Version": "2008-10-17", "Id": id, "Statement": []})
            });
            let mut statements = statements(&mut policy);
            match statements.iter().find(|there| there["Sid"] == label.as_str()) {
                Some(same) if *same == statement => {}
                Some(_) => return Err(refused(&label, "Already exists.")),
                None => statements.push(statement),
            }
            if statements.len() > STATEMENTS_MAX {
                return Err(Error::PolicyTooLong { statements: statements.len() });
            }
            policy["Statement"] = statements.into();
            Ok(policy.to_string())
        };
        queue.edit_policy_async(edit).await?;
        Ok(Value::empty())
    }

    pub(super) async fn remove_permission(&mut self) -> Result<Value> {
        let queue = self.queue()?;
        let label = self.input.required_text("Label")?;
        let edit = |policy: Option<&str>| {
            let Some(mut policy) = parsed(policy) else { return Err(refused(&label, "can't find label.")) };
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
        };
        queue.edit_policy_async(edit).await?;
        Ok(Value::empty())
    }
}

/// May others be let do this to a queue?
fn check_action(action: &str) -> Result<()> {
    const ALLOWED: [&str; 9] = [
        "*",
        "SendMessage",
        "ReceiveMessage",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
    ];
    let reason = if ALLOWED.contains(&action) {
        return Ok(());
    } else if is_action(action) && !action.ends_with("Batch") {
        "Only the queue owner is allowed to invoke this action."
    } else {
        "Please refer to the appropriate WSDL for a list of valid actions. "
    };
    Err(invalid(&format!("SQS:{action}"), "ActionName", reason))
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
