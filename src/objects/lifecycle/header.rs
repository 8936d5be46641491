//! What answers say of the future: `x-amz-expiration`, `x-amz-abort-date` and `x-amz-abort-rule-id`.

use crate::clock::Timestamp;
use crate::objects::lifecycle::due::{Due, Object, Subject, What};
use crate::objects::lifecycle::{Day, HttpDate, LifecycleConfiguration};
use std::fmt::Write;

/// When something will be removed, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Removal {
    pub(crate) at: Timestamp,
    pub(crate) rule_id: String,
}

impl Removal {
    fn of(due: Due<'_>) -> Self {
        Self { at: due.at, rule_id: due.rule.id.clone().unwrap_or_default() }
    }

    /// As the value of `x-amz-expiration`.
    pub(crate) fn header(&self) -> String {
        format!("expiry-date=\"{}\", rule-id=\"{}\"", HttpDate(self.at), percent_encoded(&self.rule_id))
    }
}

impl LifecycleConfiguration {
    /// When a current version will expire.
    pub(crate) fn expiration_of(
        &self,
        key: &str,
        object: Object<'_>,
        created: Timestamp,
        day: Day,
    ) -> Option<Removal> {
        self.removal(&Subject { key, what: What::Current(object, created) }, day).map(Removal::of)
    }

    /// When an upload will be aborted.
    pub(crate) fn abortion_of(&self, key: &str, begun: Timestamp, day: Day) -> Option<Removal> {
        self.removal(&Subject { key, what: What::Upload(begun) }, day).map(Removal::of)
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
