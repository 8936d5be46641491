//! The two policies of dead-letter queues: where messages go that nobody can handle, and who may send them there.

use crate::queue::error::{Error, Result};
use serde_json::{Map, Value, json};

/// How often a message is received before it is given up, where the policy does not say.
const MAX_RECEIVE_COUNT: u32 = 10;
/// Sources that a `byQueue` policy may name.
const SOURCES_MAX: usize = 10;

/// `RedrivePolicy`: after so many receives, to this queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RedrivePolicy {
    pub(super) target_arn: String,
    pub(super) max_receive_count: u32,
}

impl RedrivePolicy {
    /// None for the empty text, which removes the policy.
    pub(super) fn parse(text: &str) -> Result<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        let Ok(Value::Object(policy)) = serde_json::from_str(text) else {
            let message = "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.";
            return Err(Error::InvalidAttributeValue { message: message.to_owned() });
        };
        let refuse = |reason: String| Err(Error::parameter(text, "RedrivePolicy", reason));
        let missing =
            |name: &str| refuse(format!("Redrive policy does not contain mandatory attribute: {name}."));
        let Some(count) = policy.get("maxReceiveCount") else { return missing("maxReceiveCount") };
        let target_arn = match policy.get("deadLetterTargetArn") {
            Some(Value::String(arn)) if !arn.is_empty() => arn.clone(),
            _ => return missing("deadLetterTargetArn"),
        };
        if policy.len() > 2 {
            let reason = "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].";
            return refuse(reason.to_owned());
        }
        let number = match count {
            Value::Null => Some(u64::from(MAX_RECEIVE_COUNT)),
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        let number = number.and_then(|number| u32::try_from(number).ok());
        let Some(max_receive_count @ 1..=1000) = number else {
            let given = count.as_str().map_or_else(|| count.to_string(), str::to_owned);
            return refuse(format!(
                "Invalid value for maxReceiveCount: {given}, valid values are from 1 to 1000 both inclusive."
            ));
        };
        match service_of(&target_arn) {
            Some("sqs") => Ok(Some(Self { target_arn, max_receive_count })),
            Some(_) => refuse("Only SQS queues are valid resources for deadLetterTargetArn.".to_owned()),
            None => refuse("Invalid value for deadLetterTargetArn.".to_owned()),
        }
    }

    pub(super) fn to_json(&self) -> String {
        json!({"deadLetterTargetArn": self.target_arn, "maxReceiveCount": self.max_receive_count}).to_string()
    }
}

/// The service of `arn:<partition>:<service>:<region>:<account>:<name>`.
pub(super) fn service_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts[..] {
        ["arn", _, service, _, _, _] if !parts.contains(&"") => Some(service),
        _ => None,
    }
}

/// `RedriveAllowPolicy`: whose dead letters a queue takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AllowPolicy {
    All,
    None,
    ByQueue(Vec<String>),
}

impl AllowPolicy {
    /// None for the empty text, which removes the policy: then everybody may.
    pub(super) fn parse(text: &str) -> Result<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        let refuse = |reason: &str| {
            let reason = format!("Amazon SQS can't create the redrive allow policy. {reason}");
            Err(Error::parameter(text, "RedriveAllowPolicy", reason))
        };
        let malformed = || {
            Error::InvalidAttributeValue {
            // The apostrophe is the service's.
            message: "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive \
                      allow policy, as it\u{2019}s in an unsupported format."
                .to_owned(),
        }
        };
        let Ok(Value::Object(policy)) = serde_json::from_str::<Value>(text) else { return Err(malformed()) };
        if !policy.keys().all(|key| matches!(key.as_str(), "redrivePermission" | "sourceQueueArns")) {
            return Err(malformed());
        }
        let permission = policy.get("redrivePermission").and_then(Value::as_str);
        match (permission, sources(&policy)) {
            (_, Sources::Malformed) => Err(malformed()),
            (Some("allowAll"), Sources::Absent) => Ok(Some(Self::All)),
            (Some("denyAll"), Sources::Absent) => Ok(Some(Self::None)),
            (Some("allowAll" | "denyAll"), Sources::Listed(_)) => {
                refuse("To specify one or more source queue ARNs, you must set redrivePermission to byQueue.")
            }
            (Some("byQueue"), Sources::Listed(arns)) if arns.len() > SOURCES_MAX => {
                refuse("The maximum number of source queue ARNs you can specify is 10.")
            }
            (Some("byQueue"), Sources::Listed(arns)) if !arns.is_empty() => Ok(Some(Self::ByQueue(arns))),
            (Some("byQueue"), _) => refuse(
                "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns \
                 values.",
            ),
            _ => Err(malformed()),
        }
    }

    pub(super) fn allows(&self, source_arn: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::ByQueue(arns) => arns.iter().any(|arn| arn == source_arn),
        }
    }

    pub(super) fn to_json(&self) -> String {
        match self {
            Self::All => json!({"redrivePermission": "allowAll"}),
            Self::None => json!({"redrivePermission": "denyAll"}),
            Self::ByQueue(arns) => json!({"redrivePermission": "byQueue", "sourceQueueArns": arns}),
        }
        .to_string()
    }
}

enum Sources {
    Absent,
    Listed(Vec<String>),
    Malformed,
}

fn sources(policy: &Map<String, Value>) -> Sources {
    match policy.get("sourceQueueArns") {
        None => Sources::Absent,
        Some(Value::Array(arns)) => {
            let arns: Option<Vec<_>> = arns.iter().map(|arn| arn.as_str().map(str::to_owned)).collect();
            arns.map_or(Sources::Malformed, Sources::Listed)
        }
        Some(_) => Sources::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redrive_policies() {
        let parse = |text: &str| RedrivePolicy::parse(text).map_err(|error| error.to_string());
        let policy = parse(r#"{"maxReceiveCount": "3", "deadLetterTargetArn": "arn:aws:sqs:r:1:x"}"#)
            .unwrap()
            .unwrap();
        assert_eq!(policy.to_json(), r#"{"deadLetterTargetArn":"arn:aws:sqs:r:1:x","maxReceiveCount":3}"#);
        assert_eq!(parse(""), Ok(None));
        let refused = |text: &str, reason: &str| {
            let message = format!("Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}");
            assert_eq!(parse(text), Err(message));
        };
        assert_eq!(
            parse("[]").unwrap_err(),
            "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map."
        );
        refused("{}", "Redrive policy does not contain mandatory attribute: maxReceiveCount.");
        refused(
            r#"{"deadLetterTargetArn":"arn:aws:sns:r:1:x","maxReceiveCount":3}"#,
            "Only SQS queues are valid resources for deadLetterTargetArn.",
        );
        refused(
            r#"{"deadLetterTargetArn":"arn:aws:sqs:r:1:x","maxReceiveCount":3,"color":"red"}"#,
            "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].",
        );
        refused(
            r#"{"maxReceiveCount":3}"#,
            "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
        );
        refused(
            r#"{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}"#,
            "Invalid value for deadLetterTargetArn.",
        );
        refused(
            r#"{"deadLetterTargetArn":"arn:aws:sqs:r:1:x"}"#,
            "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
        );
        for bad in ["0", "1001", "-1", "1.5", "\"x\""] {
            let text = format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:r:1:x","maxReceiveCount":{bad}}}"#);
            assert!(parse(&text).unwrap_err().contains("from 1 to 1000 both inclusive"), "{bad}");
        }
    }

    #[test]
    fn allow_policies() {
        let parse = |text: &str| AllowPolicy::parse(text).ok().flatten();
        assert_eq!(parse(r#"{"redrivePermission":"allowAll"}"#), Some(AllowPolicy::All));
        let by_queue = r#"{"redrivePermission":"byQueue","sourceQueueArns":["a"]}"#;
        let policy = parse(by_queue).unwrap();
        assert_eq!(policy.to_json(), by_queue);
        assert!(policy.allows("a") && !policy.allows("b") && !AllowPolicy::None.allows("a"));
        let eleven = (0..11).map(|i| format!("\"{i}\"")).collect::<Vec<_>>().join(",");
        for bad in [
            "{}",
            "no",
            r#"{"redrivePermission":"byQueue"}"#,
            r#"{"redrivePermission":"byQueue","sourceQueueArns":[1]}"#,
            r#"{"redrivePermission":"denyAll","sourceQueueArns":["a"]}"#,
            &format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":[{eleven}]}}"#),
        ] {
            assert!(AllowPolicy::parse(bad).is_err(), "{bad}");
        }
    }
}
