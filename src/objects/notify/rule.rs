//! What a notification configuration says: who is told what of which keys.

use crate::objects::notify::error::share_an_event;
use crate::objects::notify::{EventType, NotificationError};
use std::collections::BTreeSet;

const RULES_MAX: usize = 100;
const ID_LEN_MAX: usize = 255;
const FILTER_LEN_MAX: usize = 1024;

/// Who is told what happens in a bucket, set and replaced as a whole. The empty one tells nobody.
///
/// ```
/// use fourfold::objects::{EventType, NotificationConfiguration, NotificationRule};
/// let mut pictures =
///     NotificationRule::new("arn:aws:sqs:us-east-1:000000000000:pictures", [EventType::ObjectCreated]);
/// pictures.filter.suffix = Some(".jpg".into());
/// let configuration = NotificationConfiguration::new([pictures]);
/// assert_eq!(configuration.validate(), Ok(()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotificationConfiguration {
    /// At most 100. No two of them tell of the same event and key.
    pub rules: Vec<NotificationRule>,
    /// `EventBridgeConfiguration` is there. There is no event bus here, so this is refused.
    pub event_bridge: bool,
}

/// One target and what it is told.
///
/// Targets are named by ARNs: a queue (`arn:aws:sqs:..`) or a stream (`arn:aws:kinesis:..`, which the service itself
/// does not have) of the same store, or a function (`arn:aws:lambda:..:function:<name>`) that the program registers.
///
/// ```
/// use fourfold::objects::{EventType, NotificationRule};
/// let rule = NotificationRule::new("arn:aws:sqs:us-east-1:000000000000:q", [EventType::ObjectRemoved]);
/// assert_eq!((rule.id, rule.filter.prefix), (None, None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotificationRule {
    /// Unique in its bucket, at most 255 characters; given by the service if there is none.
    pub id: Option<String>,
    /// The target.
    pub arn: String,
    /// What it is told; one or more.
    pub events: Vec<EventType>,
    /// Of which keys.
    pub filter: KeyFilter,
}

impl NotificationRule {
    /// Tells `arn` of these events, of all keys.
    pub fn new(arn: impl Into<String>, events: impl IntoIterator<Item = EventType>) -> Self {
        Self { id: None, arn: arn.into(), events: events.into_iter().collect(), filter: KeyFilter::default() }
    }

    pub(crate) fn tells_of(&self, event: EventType, key: &str) -> bool {
        self.filter.passes(key) && self.events.iter().any(|listed| listed.covers(event))
    }
}

/// Which keys a rule is about: those that start and end so.
///
/// ```
/// use fourfold::objects::KeyFilter;
/// let filter = KeyFilter::from_rules([("Prefix", "in/"), ("suffix", ".jpg")]).unwrap();
/// assert_eq!((filter.prefix.as_deref(), filter.suffix.as_deref()), (Some("in/"), Some(".jpg")));
/// let refused = KeyFilter::from_rules([("infix", "x")]).unwrap_err();
/// assert_eq!(refused.to_string(), "filter rule name must be either prefix or suffix");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// At most 1,024 bytes.
    pub prefix: Option<String>,
    /// At most 1,024 bytes.
    pub suffix: Option<String>,
}

impl KeyFilter {
    /// From the list of names and values that it is on the wire.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is neither `prefix` nor `suffix`, in whatever case, and for one given twice.
    pub fn from_rules<'a>(
        rules: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, NotificationError> {
        let mut filter = Self::default();
        for (name, value) in rules {
            let (name, field) = if name.eq_ignore_ascii_case("prefix") {
                ("prefix", &mut filter.prefix)
            } else if name.eq_ignore_ascii_case("suffix") {
                ("suffix", &mut filter.suffix)
            } else {
                return Err(NotificationError::BadFilterName { given: name.to_owned() });
            };
            if field.replace(value.to_owned()).is_some() {
                return Err(NotificationError::RepeatedFilter { name });
            }
        }
        Ok(filter)
    }

    fn ends(&self) -> (&str, &str) {
        (self.prefix.as_deref().unwrap_or_default(), self.suffix.as_deref().unwrap_or_default())
    }

    fn is_open(&self) -> bool {
        self.ends() == ("", "")
    }

    fn passes(&self, key: &str) -> bool {
        let (prefix, suffix) = self.ends();
        key.starts_with(prefix) && key.ends_with(suffix)
    }

    /// Is there a key that passes both?
    fn overlaps(&self, other: &Self) -> bool {
        let ((prefix, suffix), (other_prefix, other_suffix)) = (self.ends(), other.ends());
        (prefix.starts_with(other_prefix) || other_prefix.starts_with(prefix))
            && (suffix.ends_with(other_suffix) || other_suffix.ends_with(suffix))
    }
}

impl NotificationConfiguration {
    /// These rules.
    pub fn new(rules: impl IntoIterator<Item = NotificationRule>) -> Self {
        Self { rules: rules.into_iter().collect(), event_bridge: false }
    }

    /// Would the service accept it, as far as can be said without looking at the targets?
    ///
    /// # Errors
    /// The first reason why not.
    pub fn validate(&self) -> Result<(), NotificationError> {
        if self.event_bridge {
            return Err(NotificationError::NoEventBus);
        }
        if self.rules.len() > RULES_MAX {
            return Err(NotificationError::TooMany { limit: RULES_MAX });
        }
        let mut ids = BTreeSet::new();
        for rule in &self.rules {
            rule.validate()?;
            if let Some(id) = rule.id.as_ref().filter(|id| !ids.insert(id.as_str())) {
                return Err(NotificationError::DuplicateId { id: id.clone() });
            }
        }
        for (index, one) in self.rules.iter().enumerate() {
            for other in self.rules.iter().skip(index + 1) {
                check_overlap(one, other)?;
            }
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

impl NotificationRule {
    fn validate(&self) -> Result<(), NotificationError> {
        let listed: BTreeSet<EventType> = self.events.iter().copied().collect();
        if listed.is_empty() || listed.len() != self.events.len() {
            return Err(NotificationError::Malformed);
        }
        let len = self.id.as_ref().map_or(0, |id| id.chars().count());
        if len > ID_LEN_MAX {
            return Err(NotificationError::IdTooLong { len });
        }
        for value in [&self.filter.prefix, &self.filter.suffix].into_iter().flatten() {
            if value.len() > FILTER_LEN_MAX {
                return Err(NotificationError::LongFilter { len: value.len() });
            }
        }
        match TargetArn::parse(&self.arn) {
            Some(_) => Ok(()),
            None => Err(NotificationError::BadArn { given: self.arn.clone() }),
        }
    }
}

fn check_overlap(one: &NotificationRule, other: &NotificationRule) -> Result<(), NotificationError> {
    if !share_an_event(&one.events, &other.events) || !one.filter.overlaps(&other.filter) {
        return Ok(());
    }
    if one.filter.is_open() && other.filter.is_open() {
        return Err(NotificationError::Overlap);
    }
    Err(NotificationError::AmbiguousFilters)
}

/// The parts of an ARN that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TargetArn<'a> {
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) resource: &'a str,
}

impl<'a> TargetArn<'a> {
    /// `arn:<partition>:<service>:<region>:<account>:<resource>` of a service that events can go to.
    pub(crate) fn parse(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        if next()? != "arn" || !next()?.starts_with("aws") {
            return None;
        }
        let (service, region, account, resource) = (next()?, next()?, next()?, next()?);
        let known = ["sqs", "kinesis", "lambda", "sns"].contains(&service);
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        (known && is_account).then_some(Self { service, region, resource })
    }

    /// The name of a function.
    pub(crate) fn function(self) -> Option<&'a str> {
        if self.service == "lambda" { self.resource.strip_prefix("function:") } else { None }
    }
}
