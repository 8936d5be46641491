//! Conditions and updates said in Rust: nothing to misspell, nothing to quote.

use super::{
    condition::{
        Condition,
        tree::{Comparator, Node, Operand},
    },
    path::Path,
    update::{
        Update,
        tree::{Action, Change, Term},
    },
};
use crate::kv::value::{AttributeValue, Type};
use std::sync::Arc;

/// An attribute, to say a condition or an update in Rust.
///
/// ```
/// use fourfold::kv::{expr::attr, item};
///
/// let condition = attr("status").eq("open").and(attr("tags").contains("rust").or(attr("votes").size().greater(3)));
/// assert!(condition.evaluate(&item! { "status" => "open", "tags" => ["rust"] }));
///
/// let update = attr("votes").add(1).and(attr("seen").set(true)).and(attr("draft").remove());
/// let mut item = item! { "draft" => true };
/// update.apply(&mut item, true)?;
/// assert_eq!(item, item! { "votes" => 1, "seen" => true });
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
pub fn attr(name: impl Into<String>) -> Attr {
    Attr { path: Path::new(name) }
}

/// An attribute, or a place within one; see [`attr`].
///
/// ```
/// use fourfold::kv::{expr::attr, item};
/// let first = attr("owner").field("mails").index(0);
/// let item = item! { "owner" => item! { "mails" => ["a@example.org"] } };
/// assert!(first.clone().begins_with("a@").evaluate(&item));
/// assert!(!first.eq(attr("owner")).evaluate(&item));
/// ```
#[derive(Clone, Debug)]
pub struct Attr {
    path: Path,
}

/// What something is compared with: a value, an [`Attr`], or the [`Size`] of one.
///
/// ```
/// use fourfold::kv::{expr::{With, attr}, item};
/// let limit: With = attr("limit").into();
/// assert!(attr("used").at_most(limit).evaluate(&item! { "used" => 1, "limit" => 2 }));
/// ```
#[derive(Clone, Debug)]
pub struct With(Operand);

impl<T: Into<AttributeValue>> From<T> for With {
    fn from(value: T) -> Self {
        Self(Operand::Literal(value.into()))
    }
}

impl From<Attr> for With {
    fn from(attr: Attr) -> Self {
        Self(Operand::Path(attr.path))
    }
}

impl From<Size> for With {
    fn from(size: Size) -> Self {
        Self(size.0)
    }
}

/// The size of an attribute: bytes of text and binary, elements of sets, lists and maps.
///
/// ```
/// use fourfold::kv::{expr::attr, item};
/// assert!(attr("tags").size().between(1, 3).evaluate(&item! { "tags" => ["a", "b"] }));
/// ```
#[derive(Clone, Debug)]
pub struct Size(Operand);

macro_rules! comparisons {
    ($of:ty, $operand:expr) => {
        impl $of {
            fn compare(self, comparator: Comparator, with: impl Into<With>) -> Condition {
                Condition::of(Node::Compare(comparator, $operand(self), with.into().0))
            }

            /// It is there and equal to this, in type and content.
            pub fn eq(self, with: impl Into<With>) -> Condition {
                self.compare(Comparator::Equal, with)
            }

            /// It is not there, or not equal to this.
            pub fn ne(self, with: impl Into<With>) -> Condition {
                self.compare(Comparator::NotEqual, with)
            }

            /// It is less than this. Only strings, numbers and binary have an order, each among themselves.
            pub fn less(self, with: impl Into<With>) -> Condition {
                self.compare(Comparator::Less, with)
            }

            /// It is less than or equal to this.
            pub fn at_most(self, with: impl Into<With>) -> Condition {
                self.compare(Comparator::LessOrEqual, with)
            }

            /// It is greater than this.
            pub fn greater(self, with: impl Into<With>) -> Condition {
                self.compare(Comparator::Greater, with)
            }

            /// It is greater than or equal to this.
            pub fn at_least(self, with: impl Into<With>) -> Condition {
                self.compare(Comparator::GreaterOrEqual, with)
            }

            /// It is between these, both included.
            pub fn between(self, low: impl Into<With>, high: impl Into<With>) -> Condition {
                Condition::of(Node::Between($operand(self), low.into().0, high.into().0))
            }

            /// It is equal to one of these.
            pub fn is_in<T: Into<With>>(self, list: impl IntoIterator<Item = T>) -> Condition {
                let list = list.into_iter().map(|with| with.into().0).collect();
                Condition::of(Node::In($operand(self), list))
            }
        }
    };
}

comparisons!(Attr, |attr: Attr| Operand::Path(attr.path));
comparisons!(Size, |size: Size| size.0);

/// Places within, and conditions on what is there.
impl Attr {
    /// A field of the map that is here.
    #[must_use]
    pub fn field(self, name: impl Into<String>) -> Self {
        Self { path: self.path.field(name) }
    }

    /// An element of the list that is here, counted from 0.
    #[must_use]
    pub fn index(self, index: usize) -> Self {
        Self { path: self.path.index(index) }
    }

    /// Its size, to be compared.
    pub fn size(self) -> Size {
        Size(Operand::Size(Box::new(Operand::Path(self.path))))
    }

    /// It is there.
    pub fn exists(self) -> Condition {
        Condition::of(Node::Exists(self.path))
    }

    /// It is not there.
    pub fn not_exists(self) -> Condition {
        Condition::of(Node::NotExists(self.path))
    }

    /// It is there and of this type.
    pub fn is_a(self, kind: Type) -> Condition {
        let name = AttributeValue::from(kind.as_str());
        Condition::of(Node::HasType(Operand::Path(self.path), Operand::Literal(name)))
    }

    /// It is text or binary that begins with this.
    pub fn begins_with(self, prefix: impl Into<With>) -> Condition {
        Condition::of(Node::BeginsWith(Operand::Path(self.path), prefix.into().0))
    }

    /// It is text or binary that this is a part of, or a set or a list that this is a member of.
    pub fn contains(self, part: impl Into<With>) -> Condition {
        Condition::of(Node::Contains(Operand::Path(self.path), part.into().0))
    }
}

/// Conditions of conditions.
impl Condition {
    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.join(other, Node::and)
    }

    /// At least one holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.join(other, Node::or)
    }

    /// It does not hold.
    #[must_use]
    #[expect(
        clippy::should_implement_trait,
        reason = "reads with its siblings; `!` would be the only operator"
    )]
    pub fn not(self) -> Self {
        Self { tree: Arc::new(Node::Not(Box::new(self.into_node()))), values: Arc::default() }
    }

    fn join(self, other: Self, join: fn(Node, Node) -> Node) -> Self {
        Self::of(join(self.into_node(), other.into_node()))
    }

    /// The tree, with the values in their places.
    fn into_node(self) -> Node {
        let mut node = Arc::unwrap_or_clone(self.tree);
        if !self.values.is_empty() {
            node.fill(&self.values);
        }
        node
    }
}

/// What is put at a place by an update: a value, what another place has, or what is made of them.
///
/// ```
/// use fourfold::kv::{expr::{Source, attr}, item};
/// let total = Source::from(attr("price")).plus(attr("tax")).minus(1);
/// let mut item = item! { "price" => 10, "tax" => 2 };
/// attr("total").set(total).apply(&mut item, true)?;
/// assert_eq!(item["total"], 11.into());
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Source(Term);

impl<T: Into<AttributeValue>> From<T> for Source {
    fn from(value: T) -> Self {
        Self(Term::Literal(value.into()))
    }
}

impl From<Attr> for Source {
    fn from(attr: Attr) -> Self {
        Self(Term::Path(attr.path))
    }
}

impl Source {
    /// The sum of two numbers.
    #[must_use]
    pub fn plus(self, other: impl Into<Self>) -> Self {
        Self(Term::Plus(Box::new(self.0), Box::new(other.into().0)))
    }

    /// The difference of two numbers.
    #[must_use]
    pub fn minus(self, other: impl Into<Self>) -> Self {
        Self(Term::Minus(Box::new(self.0), Box::new(other.into().0)))
    }

    /// A list with another one behind it.
    #[must_use]
    pub fn append(self, other: impl Into<Self>) -> Self {
        Self(Term::ListAppend(Box::new(self.0), Box::new(other.into().0)))
    }
}

/// Updates of what is there.
impl Attr {
    /// What is here, or else this.
    pub fn or(self, default: impl Into<Source>) -> Source {
        Source(Term::IfNotExists(self.path, Box::new(default.into().0)))
    }

    /// This is put here, whatever was.
    pub fn set(self, source: impl Into<Source>) -> Update {
        self.update(Change::Set(source.into().0))
    }

    /// What is here is removed.
    pub fn remove(self) -> Update {
        self.update(Change::Remove)
    }

    /// A number is added to the number that is here, or to 0; the members of a set to the set that is here, if there is
    /// one.
    #[expect(clippy::should_implement_trait, reason = "an action of the service, not a sum")]
    pub fn add(self, value: impl Into<AttributeValue>) -> Update {
        self.update(Change::Add(Term::Literal(value.into())))
    }

    /// The members of a set are taken from the set that is here. An empty one is removed.
    pub fn delete(self, members: impl Into<AttributeValue>) -> Update {
        self.update(Change::Delete(Term::Literal(members.into())))
    }

    fn update(self, change: Change) -> Update {
        let actions = Arc::new(vec![Action { path: self.path, change }]);
        Update { actions, ..Update::default() }
    }
}

/// Updates of updates.
impl Update {
    /// Both changes at once. No path of one may lead into a path of the other: of two that do, it is not said which one
    /// is done first.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (mut first, other) = (self.into_actions(), other.into_actions());
        first.extend(other);
        Self { actions: Arc::new(first), ..Self::default() }
    }

    /// The actions, with the values in their places.
    fn into_actions(self) -> Vec<Action> {
        let mut actions = Arc::unwrap_or_clone(self.actions);
        if !self.values.is_empty() {
            for action in &mut actions {
                action.fill(&self.values);
            }
        }
        actions
    }
}
