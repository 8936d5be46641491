//! Document paths: an attribute, and steps into the maps and lists that it holds.

use super::findings::{Findings, Rank};
use crate::kv::value::{AttributeValue, Item};
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// Levels of a path, at most.
pub const PATH_LEN_MAX: usize = 32;

/// A place within an item: an attribute's name, then fields of maps and indexes of lists.
///
/// ```
/// use fourfold::kv::{expr::Path, item};
///
/// let item = item! { "tags" => ["a", "b"], "owner" => item! { "first.name" => "Ann" } };
/// assert_eq!(Path::new("tags").index(1).get(&item), Some(&"b".into()));
/// assert_eq!(Path::new("owner").field("first.name").get(&item), Some(&"Ann".into()));
/// assert_eq!(Path::new("owner").index(0).get(&item), None);
/// assert_eq!(Path::new("tags").index(1).to_string(), "tags[1]");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    root: String,
    steps: Vec<Step>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Field(String),
    Index(usize),
}

impl Path {
    /// An attribute of the item itself. The name is taken as it is, dots and all.
    pub fn new(attribute: impl Into<String>) -> Self {
        Self { root: attribute.into(), steps: Vec::new() }
    }

    /// A field of the map that is here.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>) -> Self {
        self.steps.push(Step::Field(name.into()));
        self
    }

    /// An element of the list that is here, counted from 0.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.steps.push(Step::Index(index));
        self
    }

    /// The name of the attribute that it begins with.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Does it lead into an attribute?
    pub fn is_nested(&self) -> bool {
        !self.steps.is_empty()
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// What an item has there.
    pub fn get<'a>(&self, item: &'a Item) -> Option<&'a AttributeValue> {
        self.walk(item.get(&self.root)?)
    }

    /// What is there within the attribute.
    pub(crate) fn walk<'a>(&self, attribute: &'a AttributeValue) -> Option<&'a AttributeValue> {
        self.steps.iter().try_fold(attribute, |value, step| step.of(value))
    }

    /// The same, of an attribute that may have been decoded for the purpose.
    pub(super) fn walk_cow<'a>(&self, attribute: Cow<'a, AttributeValue>) -> Option<Cow<'a, AttributeValue>> {
        match attribute {
            Cow::Borrowed(value) => self.walk(value).map(Cow::Borrowed),
            Cow::Owned(value) if self.steps.is_empty() => Some(Cow::Owned(value)),
            Cow::Owned(value) => self.walk(&value).cloned().map(Cow::Owned),
        }
    }

    /// As the service's texts show it: `[a, b, [1]]`.
    pub(super) fn listed(&self) -> impl fmt::Display {
        let steps = self.steps.iter().map(|step| match step {
            Step::Field(name) => format!(", {name}"),
            Step::Index(index) => format!(", [{index}]"),
        });
        format!("[{}{}]", self.root, steps.collect::<String>())
    }

    /// How this and a later path get in each other's way.
    fn clash(&self, other: &Self) -> Option<Rank> {
        for (a, b) in self.steps.iter().zip(&other.steps) {
            if std::mem::discriminant(a) != std::mem::discriminant(b) {
                return Some(Rank::Conflict);
            }
            if a != b {
                return None;
            }
        }
        Some(Rank::Overlap)
    }
}

impl Step {
    /// What a value has there.
    pub(crate) fn of<'a>(&self, value: &'a AttributeValue) -> Option<&'a AttributeValue> {
        match (self, value) {
            (Self::Field(name), AttributeValue::M(map)) => map.get(name),
            (Self::Index(index), AttributeValue::L(list)) => list.get(*index),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn of_mut<'a>(&self, value: &'a mut AttributeValue) -> Option<&'a mut AttributeValue> {
        match (self, value) {
            (Self::Field(name), AttributeValue::M(map)) => map.get_mut(name),
            (Self::Index(index), AttributeValue::L(list)) => list.get_mut(*index),
            _ => None,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Field(name) => write!(f, ".{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}

impl From<&str> for Path {
    fn from(attribute: &str) -> Self {
        Self::new(attribute)
    }
}

impl From<String> for Path {
    fn from(attribute: String) -> Self {
        Self::new(attribute)
    }
}

/// Notes the first two of these paths, given with where they stand, that cannot both be changed or returned.
pub(super) fn check_apart<'a>(paths: impl Iterator<Item = (&'a Path, usize)>, findings: &mut Findings) {
    let mut by_root = BTreeMap::<&str, Vec<&Path>>::new();
    // Of those that conflict the first two are told, but only if none overlap.
    let mut has_conflict = false;
    for (path, at) in paths {
        let earlier = by_root.entry(&path.root).or_default();
        for first in earlier.iter() {
            let Some(rank) = first.clash(path) else { continue };
            if rank == Rank::Conflict && std::mem::replace(&mut has_conflict, true) {
                continue;
            }
            let how = if rank == Rank::Overlap { "overlap" } else { "conflict" };
            findings.note(
                rank,
                0,
                at,
                format_args!(
                    "Two document paths {how} with each other; must remove or rewrite one of these paths; \
                     path one: {}, path two: {}",
                    first.listed(),
                    path.listed()
                ),
            );
            if rank == Rank::Overlap {
                return;
            }
        }
        earlier.push(path);
    }
}
