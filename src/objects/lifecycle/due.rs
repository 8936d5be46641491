//! What becomes of a version, an upload or a marker, and when: a pure function of rules and facts.

use crate::clock::Timestamp;
use crate::objects::lifecycle::rule::Conditions;
use crate::objects::lifecycle::{
    Day, LifecycleConfiguration, LifecycleRule, LifecycleStatus, TransitionClass, TransitionMinimum,
};

/// Objects below this do not change their storage class by themselves.
const TRANSITION_SIZE_MIN: u64 = 128 << 10;

/// What rules look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) key: &'a str,
    pub(crate) what: What<'a>,
}

/// One thing that a key has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What<'a> {
    /// The newest version, an object.
    Current(Object<'a>, Timestamp),
    /// The newest version, a delete marker of that time. `alone`: there is nothing behind it.
    Marker { created: Timestamp, alone: bool },
    /// An older version (none: a delete marker), since when it is one, and how many are older but newer than it.
    Noncurrent { object: Option<Object<'a>>, since: Timestamp, newer: u32 },
    /// A multipart upload begun at that time.
    Upload(Timestamp),
}

/// What rules ask of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'a> {
    pub(crate) size: u64,
    /// Keys and values.
    pub(crate) tags: &'a [(String, String)],
    /// None while it is warmer than all of them.
    pub(crate) class: Option<TransitionClass>,
}

/// What a rule does with its subject.
///
/// ```
/// use fourfold::objects::{LifecycleAction, LifecycleConfiguration, LifecycleRule};
/// # fn main() -> fourfold::objects::Result<()> {
/// let bucket = fourfold::Store::in_memory().buckets().create("films")?;
/// let mut rule = LifecycleRule::default();
/// rule.abort_incomplete_upload_days = Some(7);
/// bucket.set_lifecycle(LifecycleConfiguration::new([rule]))?;
/// bucket.create_upload(fourfold::objects::CreateUpload::new("a"))?;
/// let next = bucket.trail("a")?.uploads.remove(0).next.expect("a rule says so");
/// assert_eq!(next.action, LifecycleAction::Abort);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// As a delete without a version does: it is gone, or a delete marker comes in front of it.
    Expire,
    /// This version is gone for good.
    Delete,
    /// The delete marker is gone, and with it the key.
    RemoveMarker,
    /// The upload and its parts are gone.
    Abort,
    /// The version has another storage class.
    Transition(TransitionClass),
}

/// An action that will be due, and the rule that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due<'a> {
    pub(crate) at: Timestamp,
    pub(crate) action: Action,
    pub(crate) rule: &'a LifecycleRule,
}

impl LifecycleConfiguration {
    /// What is to be done with `subject` now. What removes it goes before what changes its class, and of several classes
    /// the coldest is taken.
    pub(crate) fn due(&self, subject: &Subject<'_>, now: Timestamp, day: Day) -> Option<Due<'_>> {
        if let Some(removal) = self.removal(subject, day).filter(|removal| removal.at <= now) {
            return Some(removal);
        }
        let moves = self.applied().filter_map(|rule| rule.transition(self, subject, now, day));
        moves.max_by_key(|due| match due.action {
            Action::Transition(class) => Some(class),
            _ => None,
        })
    }

    /// When, and by which rule, `subject` is removed; the earliest if several rules would.
    pub(crate) fn removal(&self, subject: &Subject<'_>, day: Day) -> Option<Due<'_>> {
        let removals = self.applied().filter_map(|rule| {
            let (at, action) = rule.removal(subject, day)?;
            Some(Due { at, action, rule })
        });
        removals.min_by_key(|due| due.at)
    }

    /// What becomes of `subject` first, if nothing else does before.
    pub(crate) fn next(&self, subject: &Subject<'_>, day: Day) -> Option<Due<'_>> {
        let moves = self.applied().flat_map(|rule| rule.transitions(self, subject, day));
        // What removes goes before what changes the class at the same moment.
        self.removal(subject, day).into_iter().chain(moves).min_by_key(|due| due.at)
    }

    fn applied(&self) -> impl Iterator<Item = &LifecycleRule> {
        self.rules.iter().filter(|rule| rule.status == LifecycleStatus::Enabled)
    }
}

impl Conditions<'_> {
    /// None: what has no size and no tags matches a condition on neither.
    fn hold(&self, key: &str, object: Option<&Object<'_>>) -> bool {
        if !key.starts_with(self.prefix) {
            return false;
        }
        let Some(object) = object else {
            return self.tags.is_empty() && self.larger_than.is_none() && self.smaller_than.is_none();
        };
        self.larger_than.is_none_or(|limit| object.size > limit)
            && self.smaller_than.is_none_or(|limit| object.size < limit)
            && self.tags.iter().all(|tag| tag.is_among(object.tags))
    }
}

impl LifecycleRule {
    fn removal(&self, subject: &Subject<'_>, day: Day) -> Option<(Timestamp, Action)> {
        let (object, removal) = match &subject.what {
            What::Current(object, created) => (Some(object), (self.expires(*created, day)?, Action::Expire)),
            What::Marker { alone: false, .. } => return None,
            What::Marker { created, .. } => {
                (None, (self.marker_expires(*created, day)?, Action::RemoveMarker))
            }
            What::Noncurrent { object, since, newer } => {
                let expiration = &self.noncurrent_expiration;
                if !enough(*newer, expiration.newer_versions) {
                    return None;
                }
                (object.as_ref(), (day.midnight_after(*since, expiration.days?), Action::Delete))
            }
            What::Upload(begun) => {
                (None, (day.midnight_after(*begun, self.abort_incomplete_upload_days?), Action::Abort))
            }
        };
        self.conditions().hold(subject.key, object).then_some(removal)
    }

    fn expires(&self, created: Timestamp, day: Day) -> Option<Timestamp> {
        let after_days = self.expiration.days.map(|days| day.midnight_after(created, days));
        after_days.or(self.expiration.date)
    }

    /// A marker with nothing behind it goes at the next midnight if the rule asks for it, and else as an object would.
    fn marker_expires(&self, created: Timestamp, day: Day) -> Option<Timestamp> {
        match self.expiration.expired_object_delete_marker {
            Some(true) => Some(day.midnight_after(created, 0)),
            Some(false) => None,
            None => self.expires(created, day),
        }
    }

    /// The coldest class that `subject` should have by now, if that is colder than the one it has.
    fn transition<'a>(
        &'a self,
        configuration: &LifecycleConfiguration,
        subject: &Subject<'_>,
        now: Timestamp,
        day: Day,
    ) -> Option<Due<'a>> {
        let due = self.transitions(configuration, subject, day).into_iter().filter(|due| due.at <= now);
        due.max_by_key(|due| match due.action {
            Action::Transition(class) => Some(class),
            _ => None,
        })
    }

    /// The classes colder than its own that `subject` is to have, and when.
    fn transitions<'a>(
        &'a self,
        configuration: &LifecycleConfiguration,
        subject: &Subject<'_>,
        day: Day,
    ) -> Vec<Due<'a>> {
        let (object, moves) = match &subject.what {
            What::Current(object, created) => {
                let moves = self.transitions.iter().filter_map(|to| {
                    let after_days = to.days.map(|days| day.midnight_after(*created, days));
                    Some((after_days.or(to.date)?, to.class))
                });
                (object, moves.collect::<Vec<_>>())
            }
            What::Noncurrent { object: Some(object), since, newer } => {
                let moves = self.noncurrent_transitions.iter().filter(|to| enough(*newer, to.newer_versions));
                (
                    object,
                    moves.filter_map(|to| Some((day.midnight_after(*since, to.days?), to.class))).collect(),
                )
            }
            What::Noncurrent { object: None, .. } | What::Marker { .. } | What::Upload(_) => {
                return Vec::new();
            }
        };
        let conditions = self.conditions();
        if !conditions.hold(subject.key, Some(object)) {
            return Vec::new();
        }
        let fits = |class: TransitionClass| {
            object.size >= TRANSITION_SIZE_MIN
                || conditions.larger_than.or(conditions.smaller_than).is_some()
                || configuration.transition_minimum.allows_any_size(class)
        };
        let colder = moves.into_iter().filter(|(_, class)| Some(*class) > object.class && fits(*class));
        colder.map(|(at, class)| Due { at, action: Action::Transition(class), rule: self }).collect()
    }
}

impl TransitionMinimum {
    fn allows_any_size(self, class: TransitionClass) -> bool {
        self == Self::VariesByStorageClass
            && matches!(class, TransitionClass::Glacier | TransitionClass::DeepArchive)
    }
}

/// Are so many newer versions kept that this one need not be?
fn enough(newer: u32, kept: Option<i32>) -> bool {
    kept.is_none_or(|kept| i64::from(newer) >= i64::from(kept))
}
