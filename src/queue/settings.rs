//! What a queue's attributes say, checked.

use crate::queue::attributes::QueueAttributes;
use crate::queue::error::{Error, Result};
use crate::queue::limits::{
    DELAY_SECONDS_MAX, MESSAGE_LEN_MAX, STATEMENTS_MAX, VISIBILITY_SECONDS_MAX, WAIT_SECONDS_MAX,
};
use crate::queue::redrive::{AllowPolicy, RedrivePolicy};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Within which a deduplication id is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Queue,
    MessageGroup,
}

/// All settable attributes of a queue. Durations are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are the service's, and independent of each other")]
pub(super) struct Settings {
    pub(super) is_fifo: bool,
    pub(super) delay: u32,
    pub(super) message_len_max: u32,
    pub(super) retention: u32,
    pub(super) visibility: u32,
    pub(super) wait: u32,
    pub(super) is_content_based: bool,
    pub(super) scope: Scope,
    /// The rate is limited for each group, not for the queue.
    pub(super) is_limited_by_group: bool,
    policy: Option<String>,
    pub(super) redrive: Option<RedrivePolicy>,
    pub(super) allow: Option<AllowPolicy>,
    kms_key: Option<String>,
    kms_reuse: Option<u32>,
    is_sse_managed: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            is_fifo: false,
            delay: 0,
            message_len_max: 1 << 20,
            retention: 345_600,
            visibility: 30,
            wait: 0,
            is_content_based: false,
            scope: Scope::Queue,
            is_limited_by_group: false,
            policy: None,
            redrive: None,
            allow: None,
            kms_key: None,
            kms_reuse: None,
            is_sse_managed: true,
        }
    }
}

impl Settings {
    /// Those of a new queue.
    pub(super) fn new(attributes: &QueueAttributes, is_fifo: bool) -> Result<Self> {
        Self { is_fifo, ..Self::default() }.changed(attributes)
    }

    /// With other values for some attributes; the whole of it is checked, or nothing is changed.
    pub(super) fn changed(&self, attributes: &QueueAttributes) -> Result<Self> {
        let mut settings = self.clone();
        for (name, value) in attributes.iter() {
            settings.set(name, value)?;
        }
        if attributes.get("SqsManagedSseEnabled").is_some_and(|value| value.eq_ignore_ascii_case("true"))
            && attributes.get("KmsMasterKeyId").is_some_and(|key| !key.is_empty())
        {
            return Err(Error::InvalidAttributeName {
                message: "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS \
                          SSE or SQS SSE."
                    .to_owned(),
            });
        }
        if settings.is_limited_by_group && settings.scope == Scope::Queue {
            return Err(Error::InvalidAttributeValue {
                message:
                    "The perMessageGroupId value is allowed only when the value for DeduplicationScope is \
                          messageGroup"
                        .to_owned(),
            });
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "DelaySeconds" => self.delay = number(name, value, 0..=DELAY_SECONDS_MAX.cast_unsigned())?,
            "MaximumMessageSize" => {
                let max = u32::try_from(MESSAGE_LEN_MAX).unwrap_or(u32::MAX);
                self.message_len_max = number(name, value, 1024..=max)?;
            }
            "MessageRetentionPeriod" => self.retention = number(name, value, 60..=1_209_600)?,
            "ReceiveMessageWaitTimeSeconds" => {
                self.wait = number(name, value, 0..=WAIT_SECONDS_MAX.cast_unsigned())?;
            }
            "VisibilityTimeout" => {
                self.visibility = number(name, value, 0..=VISIBILITY_SECONDS_MAX.cast_unsigned())?;
            }
            "Policy" => self.policy = policy(name, value)?,
            "RedrivePolicy" => self.redrive = RedrivePolicy::parse(value)?,
            "RedriveAllowPolicy" => self.allow = AllowPolicy::parse(value)?,
            "KmsMasterKeyId" => {
                self.kms_key = (!value.is_empty()).then(|| value.to_owned());
                self.is_sse_managed &= self.kms_key.is_none();
            }
            "KmsDataKeyReusePeriodSeconds" => self.kms_reuse = Some(number(name, value, 60..=86_400)?),
            "SqsManagedSseEnabled" => {
                self.is_sse_managed = boolean(name, value)?;
                if self.is_sse_managed {
                    self.kms_key = None;
                }
            }
            _ => self.set_fifo(name, value)?,
        }
        Ok(())
    }

    fn set_fifo(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "DeduplicationScope" | "FifoThroughputLimit" if !self.is_fifo => {
                let message = format!("You can specify the {name} only when FifoQueue is set to true.");
                return Err(Error::InvalidAttributeName { message });
            }
            "FifoQueue" | "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit"
                if self.is_fifo => {}
            _ => return Err(Error::unknown_attribute(name)),
        }
        match (name, value) {
            ("FifoQueue", _) if boolean(name, value)? => {}
            ("FifoQueue", _) => {
                let message = format!(
                    "Invalid value for the parameter {name}. Reason: Modifying queue type is not supported."
                );
                return Err(Error::InvalidAttributeValue { message });
            }
            ("ContentBasedDeduplication", _) => self.is_content_based = boolean(name, value)?,
            ("DeduplicationScope", "queue") => self.scope = Scope::Queue,
            ("DeduplicationScope", "messageGroup") => self.scope = Scope::MessageGroup,
            ("FifoThroughputLimit", "perQueue") => self.is_limited_by_group = false,
            ("FifoThroughputLimit", "perMessageGroupId") => self.is_limited_by_group = true,
            _ => return Err(Error::attribute_value(name)),
        }
        Ok(())
    }

    /// Every attribute that has a value, as the service gives it back.
    pub(super) fn render(&self) -> BTreeMap<&'static str, String> {
        let mut all = BTreeMap::from([
            ("DelaySeconds", self.delay.to_string()),
            ("MaximumMessageSize", self.message_len_max.to_string()),
            ("MessageRetentionPeriod", self.retention.to_string()),
            ("ReceiveMessageWaitTimeSeconds", self.wait.to_string()),
            ("VisibilityTimeout", self.visibility.to_string()),
            ("SqsManagedSseEnabled", self.is_sse_managed.to_string()),
        ]);
        if let Some(key) = &self.kms_key {
            all.insert("KmsMasterKeyId", key.clone());
            all.insert("KmsDataKeyReusePeriodSeconds", self.kms_reuse.unwrap_or(300).to_string());
        }
        let texts = [
            ("Policy", self.policy.clone()),
            ("RedrivePolicy", self.redrive.as_ref().map(RedrivePolicy::to_json)),
            ("RedriveAllowPolicy", self.allow.as_ref().map(AllowPolicy::to_json)),
        ];
        all.extend(texts.into_iter().filter_map(|(name, text)| Some((name, text?))));
        if self.is_fifo {
            let scope = if self.scope == Scope::Queue { "queue" } else { "messageGroup" };
            let limit = if self.is_limited_by_group { "perMessageGroupId" } else { "perQueue" };
            all.insert("FifoQueue", "true".to_owned());
            all.insert("ContentBasedDeduplication", self.is_content_based.to_string());
            all.insert("DeduplicationScope", scope.to_owned());
            all.insert("FifoThroughputLimit", limit.to_owned());
        }
        all
    }

    /// What a record keeps: what is given back, and what it takes to get there again.
    pub(super) fn to_pairs(&self) -> BTreeMap<&'static str, String> {
        let mut all = self.render();
        if let (None, Some(reuse)) = (&self.kms_key, self.kms_reuse) {
            all.insert("KmsDataKeyReusePeriodSeconds", reuse.to_string());
        }
        all
    }

    /// The first of `given` attributes that differs from what these settings would be with it.
    pub(super) fn differing(&self, wanted: &Self, given: &QueueAttributes) -> Option<String> {
        let (mine, wanted) = (self.to_pairs(), wanted.to_pairs());
        given.iter().map(|(name, _)| name).find(|name| mine.get(name) != wanted.get(name)).map(str::to_owned)
    }
}

fn number(name: &str, value: &str, range: RangeInclusive<u32>) -> Result<u32> {
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| Error::attribute_value(name))
}

fn boolean(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::attribute_value(name)),
    }
}

/// An access policy is kept as it is, if it has the form of one.
fn policy(name: &str, value: &str) -> Result<Option<String>> {
    if value.is_empty() {
        return Ok(None);
    }
    let refuse = || Error::attribute_value(name);
    let Ok(Value::Object(policy)) = serde_json::from_str(value) else { return Err(refuse()) };
    let is_known = |key: &String| matches!(key.as_str(), "Version" | "Id" | "Statement");
    let version = policy.get("Version").is_none_or(|version| {
        version.as_str().is_some_and(|version| matches!(version, "2008-10-17" | "2012-10-17"))
    });
    let count = match policy.get("Statement") {
        Some(Value::Array(all)) if !all.is_empty() && all.iter().all(is_statement) => all.len(),
        Some(one) if is_statement(one) => 1,
        _ => return Err(refuse()),
    };
    if !version || !policy.keys().all(is_known) {
        return Err(refuse());
    }
    if count > STATEMENTS_MAX {
        return Err(Error::InvalidAttributeValue {
            message: format!(
                "{count} statements were found in the submitted policy, max allowed is {STATEMENTS_MAX}"
            ),
        });
    }
    Ok(Some(value.to_owned()))
}

fn is_statement(value: &Value) -> bool {
    const KEYS: [&str; 9] = [
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    value.as_object().is_some_and(|statement| statement.keys().all(|key| KEYS.contains(&key.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(is_fifo: bool, name: &str, value: &str) -> std::result::Result<Settings, (&'static str, String)> {
        let settings = Settings::new(&QueueAttributes::new().set(name, value), is_fifo);
        settings.map_err(|error| (error.code(), error.to_string()))
    }

    #[test]
    fn values_are_within_their_ranges() {
        let ranges = [
            ("DelaySeconds", 0, 900),
            ("MaximumMessageSize", 1024, 1_048_576),
            ("MessageRetentionPeriod", 60, 1_209_600),
            ("ReceiveMessageWaitTimeSeconds", 0, 20),
            ("VisibilityTimeout", 0, 43_200),
            ("KmsDataKeyReusePeriodSeconds", 60, 86_400),
        ];
        for (name, low, high) in ranges {
            for good in [low, high] {
                assert!(set(false, name, &good.to_string()).is_ok(), "{name} {good}");
            }
            for bad in [low - 1, high + 1] {
                let message = format!("Invalid value for the parameter {name}.");
                assert_eq!(
                    set(false, name, &bad.to_string()).unwrap_err(),
                    ("InvalidAttributeValue", message)
                );
            }
            assert!(set(false, name, "").is_err() && set(false, name, " 100").is_err());
        }
    }

    #[test]
    fn fifo_attributes_are_for_fifo_queues() {
        let unknown = |name: &str| ("InvalidAttributeName", format!("Unknown Attribute {name}."));
        for name in ["FifoQueue", "ContentBasedDeduplication", "Color"] {
            assert_eq!(set(false, name, "true").unwrap_err(), unknown(name));
        }
        assert_eq!(
            set(false, "DeduplicationScope", "queue").unwrap_err(),
            (
                "InvalidAttributeName",
                "You can specify the DeduplicationScope only when FifoQueue is set to true.".to_owned()
            )
        );
        assert!(set(true, "FifoQueue", "True").is_ok());
        assert!(set(true, "FifoQueue", "false").unwrap_err().1.contains("Modifying queue type"));
        assert!(set(true, "FifoThroughputLimit", "perMessageGroupId").is_err());
        let both = QueueAttributes::new()
            .set("FifoThroughputLimit", "perMessageGroupId")
            .set("DeduplicationScope", "messageGroup");
        assert!(Settings::new(&both, true).is_ok());
    }

    #[test]
    fn one_kind_of_encryption_at_a_time() {
        let sse = |settings: &Settings| settings.render()["SqsManagedSseEnabled"].clone();
        let kms = set(false, "KmsMasterKeyId", "alias/aws/sqs").unwrap();
        assert_eq!(
            (sse(&kms).as_str(), kms.render()["KmsDataKeyReusePeriodSeconds"].as_str()),
            ("false", "300")
        );
        let reset = kms.changed(&QueueAttributes::new().set("KmsMasterKeyId", "")).unwrap();
        assert_eq!((sse(&reset).as_str(), reset.render().get("KmsMasterKeyId")), ("false", None));
        let both = QueueAttributes::new().set("KmsMasterKeyId", "k").set("SqsManagedSseEnabled", "true");
        assert!(kms.changed(&both).is_err());
    }

    #[test]
    fn an_empty_policy_removes_it() {
        let text = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow"}}"#;
        let with = set(false, "Policy", text).unwrap();
        assert_eq!(with.render()["Policy"], text, "kept as it is");
        let without = with.changed(&QueueAttributes::new().set("Policy", "")).unwrap();
        assert_eq!(without.render().get("Policy"), None);
        for bad in [
            "no",
            "[]",
            "null",
            r#"{"Version": "2013-10-17", "Statement": {}}"#,
            r#"{"Version": "2012-10-17", "Statement": []}"#,
            r#"{"Statement": {"Color": "red"}}"#,
            r#"{"Statement": {}, "Color": "red"}"#,
        ] {
            assert_eq!(set(false, "Policy", bad).unwrap_err().1, "Invalid value for the parameter Policy.");
        }
        let many = format!(r#"{{"Statement": [{}]}}"#, vec!["{}"; 22].join(","));
        assert!(set(false, "Policy", &many).unwrap_err().1.starts_with("22 statements were found"));
    }
}
