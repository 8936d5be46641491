//! Conditions on reads and writes.

use crate::clock::Timestamp;
use crate::objects::ETag;
use crate::objects::error::{Error, Result};
use crate::objects::record::{Object, Version};

/// Conditions on what is read. Entity tags are lists between commas, or `*`, with or without quotes; times count in
/// whole seconds.
///
/// ```
/// use fourfold::{Store, objects::GetObject};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = Store::in_memory().buckets().create("notes")?;
/// let etag = bucket.put("a", "hello")?.etag;
/// let mut request = GetObject::new("a");
/// request.conditions.if_none_match = Some(etag.to_string());
/// assert_eq!(bucket.get_object(request).unwrap_err().status(), 304);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-Match`: refused with `PreconditionFailed` unless the tag is one of these.
    pub if_match: Option<String>,
    /// `If-None-Match`: answered with `NotModified` if the tag is one of these.
    pub if_none_match: Option<String>,
    /// `If-Modified-Since`: answered with `NotModified` if the object is not newer; not looked at beside
    /// `if_none_match`, and of a copy not if it is a time to come.
    pub if_modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`: refused with `PreconditionFailed` if the object is newer; not looked at beside
    /// `if_match`.
    pub if_unmodified_since: Option<Timestamp>,
}

/// What a list of tags says of one.
fn names(list: &str, etag: &ETag) -> bool {
    list.split(',').any(|one| one.trim() == "*" || etag.matches(one))
}

impl Conditions {
    fn is_unchanged(&self, etag: &ETag, modified: Timestamp) -> bool {
        match (&self.if_none_match, self.if_modified_since) {
            (Some(list), _) => names(list, etag),
            (None, Some(since)) => modified.as_secs() <= since.as_secs(),
            (None, None) => false,
        }
    }

    /// The condition that fails, if one does.
    fn failing(&self, etag: &ETag, modified: Timestamp) -> Option<usize> {
        match (&self.if_match, self.if_unmodified_since) {
            (Some(list), _) => (!names(list, etag)).then_some(0),
            (None, Some(since)) => (modified.as_secs() > since.as_secs()).then_some(1),
            (None, None) => None,
        }
    }

    /// May the object be read?
    pub(crate) fn check(&self, etag: &ETag, modified: Timestamp) -> Result<()> {
        if let Some(index) = self.failing(etag, modified) {
            return Err(Error::PreconditionFailed { condition: ["If-Match", "If-Unmodified-Since"][index] });
        }
        if self.is_unchanged(etag, modified) {
            return Err(Error::NotModified { etag: *etag, modified });
        }
        Ok(())
    }

    /// May the object be copied? Here a time that is still to come is not looked at.
    pub(crate) fn check_source(&self, etag: &ETag, modified: Timestamp, now: Timestamp) -> Result<()> {
        const NAMES: [&str; 2] = ["x-amz-copy-source-If-Match", "x-amz-copy-source-If-Unmodified-Since"];
        if let Some(index) = self.failing(etag, modified) {
            return Err(Error::PreconditionFailed { condition: NAMES[index] });
        }
        let by_tag = self.if_none_match.is_some();
        let is_to_come = self.if_modified_since.is_some_and(|since| since > now);
        if (by_tag || !is_to_come) && self.is_unchanged(etag, modified) {
            let condition = if by_tag {
                "x-amz-copy-source-If-None-Match"
            } else {
                "x-amz-copy-source-If-Modified-Since"
            };
            return Err(Error::PreconditionFailed { condition });
        }
        Ok(())
    }
}

/// Conditions on what a write replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteConditions {
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: Option<String>,
}

impl WriteConditions {
    /// Are they some that the service takes?
    pub(crate) fn check_form(&self) -> Result<()> {
        let refused = |header, additional| Err(Error::NotImplemented { header, additional });
        match (self.if_match.as_deref(), self.if_none_match.as_deref()) {
            (Some(_), Some(_)) => refused(
                "If-Match,If-None-Match",
                "Multiple conditional request headers present in the request",
            ),
            (Some("*"), None) => {
                refused("If-Match", "We don't accept the provided value of If-Match header for this API")
            }
            (None, Some(other)) if other != "*" => refused(
                "If-None-Match",
                "We don't accept the provided value of If-None-Match header for this API",
            ),
            _ => Ok(()),
        }
    }

    /// May what is there be replaced?
    pub(crate) fn check(&self, key: &str, newest: Option<&Version>) -> Result<()> {
        let current = newest.and_then(|newest| newest.object.as_ref());
        if self.if_none_match.is_some() && current.is_some() {
            return Err(Error::PreconditionFailed { condition: "If-None-Match" });
        }
        match (&self.if_match, current) {
            (Some(_), None) => Err(Error::no_key(key)),
            (Some(tag), Some(Object { etag, .. })) if !etag.matches(tag) => {
                Err(Error::PreconditionFailed { condition: "If-Match" })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_do_not_wait_for_times_to_come() {
        let (etag, at) = (ETag::new([1; 16], 0), Timestamp::from_secs);
        let check = |since, now| {
            let conditions = Conditions { if_modified_since: Some(at(since)), ..Conditions::default() };
            conditions.check_source(&etag, at(5), at(now)).is_ok()
        };
        assert!(check(4, 9), "it is newer");
        assert!(!check(5, 9) && !check(9, 9));
        assert!(check(10, 9), "that time is still to come");
    }

    #[test]
    fn tags_beat_times() {
        let (etag, modified) = (ETag::new([1; 16], 0), Timestamp::from_millis(5_700));
        let (mine, other) = (Some(etag.to_string()), Some("\"x\"".to_owned()));
        let at = |secs| Some(Timestamp::from_secs(secs));
        let check = |conditions: Conditions, expected: Option<&str>| {
            let found = conditions.check(&etag, modified).err().map(|error| error.code());
            assert_eq!(found, expected, "{conditions:?}");
        };
        let none = Conditions::default();
        check(Conditions { if_match: mine.clone(), if_unmodified_since: at(1), ..none.clone() }, None);
        check(Conditions { if_match: other.clone(), ..none.clone() }, Some("PreconditionFailed"));
        check(Conditions { if_match: Some("*".to_owned()), ..none.clone() }, None);
        check(Conditions { if_unmodified_since: at(4), ..none.clone() }, Some("PreconditionFailed"));
        check(Conditions { if_unmodified_since: at(5), ..none.clone() }, None);
        let tag = Some(format!("\"a\", {etag}"));
        check(
            Conditions { if_none_match: tag, if_modified_since: at(1), ..none.clone() },
            Some("NotModified"),
        );
        check(Conditions { if_none_match: other, if_modified_since: at(9), ..none.clone() }, None);
        check(Conditions { if_modified_since: at(5), ..none.clone() }, Some("NotModified"));
        check(Conditions { if_modified_since: at(4), ..none }, None);
    }
}
