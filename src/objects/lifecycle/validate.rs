//! Which configurations the service accepts.

use crate::clock::Timestamp;
use crate::objects::lifecycle::{
    LifecycleAnd, LifecycleConfiguration, LifecycleError, LifecycleFilter, LifecycleRule, LifecycleTag,
};
use std::collections::BTreeSet;

const RULES_MAX: usize = 1000;
const ID_LEN_MAX: usize = 255;
const NEWER_VERSIONS_MAX: i32 = 100;
/// Days before an object may go to a class of infrequent access, and that it then stays there.
const INFREQUENT_DAYS_MIN: i32 = 30;
const TAG_KEY_LEN_MAX: usize = 128;
const TAG_VALUE_LEN_MAX: usize = 256;
/// Dates are midnights of real days, however long a day is for a test.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

type Result = std::result::Result<(), LifecycleError>;

impl LifecycleConfiguration {
    /// Would the service accept it?
    ///
    /// # Errors
    /// The first reason why not: `MalformedXML`, `InvalidArgument`, `InvalidRequest` or `InvalidTag`.
    pub fn validate(&self) -> Result {
        if self.rules.is_empty() || self.rules.len() > RULES_MAX {
            return Err(LifecycleError::Malformed);
        }
        let mut ids = BTreeSet::new();
        for rule in &self.rules {
            check_id(rule)?;
            if let Some(id) = rule.id.as_ref().filter(|id| !ids.insert(id.as_str())) {
                return Err(LifecycleError::DuplicateId { id: id.clone() });
            }
            check_form(rule)?;
        }
        let first_form = self.rules.iter().filter(|rule| rule.filter.is_none()).count();
        if first_form != 0 && first_form != self.rules.len() {
            return Err(LifecycleError::MixedForms);
        }
        for rule in &self.rules {
            check_filter(rule)?;
            check_actions(rule)?;
        }
        if first_form != 0 {
            check_overlaps(&self.rules)?;
        }
        Ok(())
    }

    /// Every rule has an ID: those without get one from `make`.
    pub(crate) fn name_rules(&mut self, mut make: impl FnMut() -> String) {
        for rule in &mut self.rules {
            if rule.id.as_ref().is_none_or(String::is_empty) {
                rule.id = Some(make());
            }
        }
    }
}

fn check_id(rule: &LifecycleRule) -> Result {
    match rule.id.as_ref().map_or(0, |id| id.chars().count()) {
        len if len > ID_LEN_MAX => Err(LifecycleError::IdTooLong { len }),
        _ => Ok(()),
    }
}

fn check_form(rule: &LifecycleRule) -> Result {
    match (&rule.prefix, &rule.filter) {
        (None, None) => Err(LifecycleError::Malformed),
        (Some(_), Some(_)) => Err(LifecycleError::PrefixBesideFilter),
        _ => Ok(()),
    }
}

fn check_filter(rule: &LifecycleRule) -> Result {
    let Some(filter) = &rule.filter else { return Ok(()) };
    let conditions = [
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.larger_than.is_some(),
        filter.smaller_than.is_some(),
        filter.and.is_some(),
    ];
    if conditions.into_iter().filter(|given| *given).count() > 1 {
        return Err(LifecycleError::Malformed);
    }
    if filter.and.as_ref().is_some_and(|and| conditions_of(and) < 2) {
        return Err(LifecycleError::Malformed);
    }
    let conditions = rule.conditions();
    let mut keys = BTreeSet::new();
    for tag in conditions.tags {
        check_tag(tag)?;
        if !keys.insert(&tag.key) {
            return Err(LifecycleError::DuplicateTags);
        }
    }
    match (conditions.larger_than, conditions.smaller_than) {
        (Some(larger_than), Some(smaller_than)) if larger_than >= smaller_than => {
            Err(LifecycleError::NoSizeBetween { larger_than, smaller_than })
        }
        _ => Ok(()),
    }
}

fn conditions_of(and: &LifecycleAnd) -> usize {
    let others = [and.prefix.is_some(), and.larger_than.is_some(), and.smaller_than.is_some()];
    and.tags.len() + others.into_iter().filter(|given| *given).count()
}

fn check_tag(tag: &LifecycleTag) -> Result {
    let (key, value) = (tag.key.chars().count(), tag.value.chars().count());
    if key == 0 || key > TAG_KEY_LEN_MAX || value > TAG_VALUE_LEN_MAX {
        return Err(LifecycleError::InvalidTag { key: tag.key.clone() });
    }
    Ok(())
}

fn check_actions(rule: &LifecycleRule) -> Result {
    if actions(rule).next().is_none() {
        return Err(LifecycleError::NoAction);
    }
    check_expiration(rule)?;
    check_noncurrent_expiration(rule)?;
    check_transitions(rule)?;
    check_noncurrent_transitions(rule)?;
    if let Some(days) = rule.abort_incomplete_upload_days {
        let action = "AbortIncompleteMultipartUpload";
        positive("DaysAfterInitiation", action, Some(days))?;
        check_whole_objects(rule, action)?;
    }
    Ok(())
}

/// The names of what a rule does.
fn actions(rule: &LifecycleRule) -> impl Iterator<Item = &'static str> + use<> {
    let does = [
        ("Expiration", !rule.expiration.is_none()),
        ("NoncurrentVersionExpiration", !rule.noncurrent_expiration.is_none()),
        ("Transition", !rule.transitions.is_empty()),
        ("NoncurrentVersionTransition", !rule.noncurrent_transitions.is_empty()),
        ("AbortIncompleteMultipartUpload", rule.abort_incomplete_upload_days.is_some()),
    ];
    does.into_iter().filter(|(_, does)| *does).map(|(action, _)| action)
}

/// An action on what has neither tags nor a size.
fn check_whole_objects(rule: &LifecycleRule, action: &'static str) -> Result {
    let conditions = rule.conditions();
    if !conditions.tags.is_empty() {
        return Err(LifecycleError::TagsNotAllowed { action });
    }
    if conditions.larger_than.or(conditions.smaller_than).is_some() {
        return Err(LifecycleError::SizeNotAllowed { action });
    }
    Ok(())
}

fn check_expiration(rule: &LifecycleRule) -> Result {
    let expiration = &rule.expiration;
    let given = [
        expiration.days.is_some(),
        expiration.date.is_some(),
        expiration.expired_object_delete_marker.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(LifecycleError::Malformed);
    }
    positive("Days", "Expiration", expiration.days)?;
    midnight(expiration.date)?;
    if expiration.expired_object_delete_marker.is_some() {
        check_whole_objects(rule, "ExpiredObjectDeleteMarker")?;
    }
    Ok(())
}

fn check_noncurrent_expiration(rule: &LifecycleRule) -> Result {
    let action = "NoncurrentVersionExpiration";
    let expiration = &rule.noncurrent_expiration;
    if expiration.newer_versions.is_some() && expiration.days.is_none() {
        return Err(LifecycleError::Malformed);
    }
    positive("NoncurrentDays", action, expiration.days)?;
    newer_versions(rule, action, expiration.newer_versions)
}

fn check_noncurrent_transitions(rule: &LifecycleRule) -> Result {
    let action = "NoncurrentVersionTransition";
    let mut classes = BTreeSet::new();
    for transition in &rule.noncurrent_transitions {
        let Some(days) = transition.days else { return Err(LifecycleError::Malformed) };
        if !classes.insert(transition.class) {
            return Err(LifecycleError::DuplicateTransition { filter: described(rule) });
        }
        if days < 0 {
            return Err(LifecycleError::Negative { field: "NoncurrentDays", action, given: days });
        }
        if transition.class.is_infrequent_access() && days < INFREQUENT_DAYS_MIN {
            let class = transition.class;
            return Err(LifecycleError::TooEarly { field: "NoncurrentDays", action, class });
        }
        newer_versions(rule, action, transition.newer_versions)?;
    }
    Ok(())
}

fn check_transitions(rule: &LifecycleRule) -> Result {
    let action = "Transition";
    let mut classes = BTreeSet::new();
    for transition in &rule.transitions {
        if transition.days.is_some() == transition.date.is_some() {
            return Err(LifecycleError::Malformed);
        }
        midnight(transition.date)?;
        let class = transition.class;
        if !classes.insert(class) {
            return Err(LifecycleError::DuplicateTransition { filter: described(rule) });
        }
        match transition.days {
            Some(days) if days < 0 => {
                return Err(LifecycleError::Negative { field: "Days", action, given: days });
            }
            Some(days) if class.is_infrequent_access() && days < INFREQUENT_DAYS_MIN => {
                return Err(LifecycleError::TooEarly { field: "Days", action, class });
            }
            _ => {}
        }
    }
    check_order(rule)
}

/// Later is colder, and nothing moves once it has expired.
fn check_order(rule: &LifecycleRule) -> Result {
    let filter = || described(rule);
    let dated = |date: Option<Timestamp>| date.is_some();
    let moves = || rule.transitions.iter();
    let any_date = dated(rule.expiration.date) || moves().any(|transition| dated(transition.date));
    let any_days = rule.expiration.days.is_some() || moves().any(|transition| transition.days.is_some());
    if !rule.transitions.is_empty() && any_date && any_days {
        return Err(LifecycleError::MixedDaysAndDates { filter: filter() });
    }
    for later in moves() {
        let Some(days) = later.days else { continue };
        if rule.expiration.days.is_some_and(|expires| expires <= days) {
            return Err(LifecycleError::ExpiresFirst { filter: filter() });
        }
        let earlier = moves().find(|earlier| {
            earlier.class.is_infrequent_access()
                && earlier.class < later.class
                && earlier.days.is_some_and(|earlier| days < earlier.saturating_add(INFREQUENT_DAYS_MIN))
        });
        if let Some(earlier) = earlier {
            let (class, after) = (later.class, earlier.class);
            return Err(LifecycleError::TransitionsTooClose { filter: filter(), class, after });
        }
    }
    Ok(())
}

fn positive(field: &'static str, action: &'static str, given: Option<i32>) -> Result {
    match given {
        Some(given) if given < 1 => Err(LifecycleError::NotPositive { field, action, given }),
        _ => Ok(()),
    }
}

fn newer_versions(rule: &LifecycleRule, action: &'static str, given: Option<i32>) -> Result {
    let Some(versions) = given else { return Ok(()) };
    if rule.filter.is_none() {
        return Err(LifecycleError::Malformed);
    }
    if versions > NEWER_VERSIONS_MAX {
        return Err(LifecycleError::TooManyVersions { action, given: versions });
    }
    positive("NewerNoncurrentVersions", action, given)
}

fn midnight(date: Option<Timestamp>) -> Result {
    match date {
        Some(date) if !date.as_millis().is_multiple_of(DAY_MS) => Err(LifecycleError::NotMidnight { date }),
        _ => Ok(()),
    }
}

/// In the first form, no two rules may do the same to the same objects.
fn check_overlaps(rules: &[LifecycleRule]) -> Result {
    let prefix = |rule: &LifecycleRule| rule.prefix.clone().unwrap_or_default();
    for (index, one) in rules.iter().enumerate() {
        for other in rules.iter().skip(index + 1) {
            let (mut outer, mut inner) = (prefix(one), prefix(other));
            if outer.len() > inner.len() {
                std::mem::swap(&mut outer, &mut inner);
            }
            if !inner.starts_with(&outer) {
                continue;
            }
            if let Some(action) = actions(one).find(|action| actions(other).any(|other| other == *action)) {
                return Err(LifecycleError::OverlappingPrefixes { outer, inner, action });
            }
        }
    }
    Ok(())
}

/// A filter as the service writes it into messages.
fn described(rule: &LifecycleRule) -> String {
    let conditions = rule.conditions();
    let mut parts = Vec::new();
    let has_prefix = |filter: &LifecycleFilter| {
        filter.prefix.is_some() || filter.and.as_ref().is_some_and(|and| and.prefix.is_some())
    };
    if rule.filter.as_ref().is_none_or(has_prefix) || conditions.tags.is_empty() {
        parts.push(format!("prefix={}", conditions.prefix));
    }
    if !conditions.tags.is_empty() {
        let tags: Vec<String> =
            conditions.tags.iter().map(|tag| format!("key={}, value={}", tag.key, tag.value)).collect();
        parts.push(format!("tag=({})", tags.join("), (")));
    }
    format!("({})", parts.join(" and "))
}
