//! Updates: what a write changes within an item.

mod apply;
mod check;
mod cost;
mod parse;
pub(super) mod tree;

use super::{
    findings::{ExpressionKind, Findings},
    parser::Slots,
    path::Path,
    placeholders::{Names, Placeholders},
    projection::Projection,
};
use crate::kv::{
    error::Result,
    value::{AttributeValue, Item, Type},
};
use std::sync::Arc;
use tree::{Action, Change};

/// A change of an item: an expression such as `SET visits = visits + :one REMOVE draft` with its values, or the same
/// from [`attr`](super::attr).
///
/// All operands are those of the item as it was before; indexes of lists too.
///
/// ```
/// use fourfold::kv::{expr::Update, item};
///
/// let values = item! { ":one" => 1, ":tag" => ["new"] };
/// let update = Update::parse(
///     "SET visits = if_not_exists(visits, :one) + :one, tags = list_append(tags, :tag) REMOVE draft",
///     &Default::default(),
///     &values,
/// )?;
/// let mut item = item! { "id" => 7, "tags" => ["old"], "draft" => true };
/// let before = item.clone();
/// let touched = update.apply(&mut item, true)?;
/// assert_eq!(touched.of_new(&item), item! { "visits" => 2, "tags" => ["old", "new"] });
/// assert_eq!(touched.of_old(&before), item! { "tags" => ["old"], "draft" => true });
/// assert_eq!(item, item! { "id" => 7, "visits" => 2, "tags" => ["old", "new"] });
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Update {
    pub(super) actions: Arc<Vec<Action>>,
    pub(super) values: Arc<[AttributeValue]>,
    /// It came from the older parameter, whose refusals read otherwise.
    pub(super) is_legacy: bool,
}

impl Update {
    /// Reads an update expression. All names and values must be used.
    ///
    /// # Errors
    /// `ValidationException` with the service's text.
    pub fn parse(text: &str, names: &Names, values: &Item) -> Result<Self> {
        let mut placeholders = Placeholders::of(names, values)?;
        let update = Self::parse_with(text, &mut placeholders)?;
        placeholders.finish()?;
        Ok(update)
    }

    /// Reads an update of a request that may have more expressions.
    pub(crate) fn parse_with(text: &str, placeholders: &mut Placeholders<'_>) -> Result<Self> {
        let (parsed, findings) = parse::parse(text, placeholders)?;
        parsed.bind_after(placeholders, findings)
    }

    /// Changes the item, or leaves it as it is and says why. `exists` is false for an item that does not exist yet and
    /// has its keys only: to remove something from it is no error then.
    ///
    /// Neither keys nor the limits of items are looked at here.
    ///
    /// # Errors
    /// `ValidationException` if an operand is not there or of the wrong type, or a path leads nowhere.
    pub fn apply(&self, item: &mut Item, exists: bool) -> Result<Touched<'_>> {
        apply::apply(self, item, exists)?;
        Ok(Touched { actions: &self.actions })
    }

    /// Does it create an item that does not exist? One that only takes away does not; one that does nothing does.
    pub fn creates(&self) -> bool {
        self.actions.is_empty()
            || self.actions.iter().any(|action| matches!(action.change, Change::Set(_) | Change::Add(_)))
    }

    /// All paths that it changes or reads, in the order of the expression.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let mut found = Vec::new();
        for action in self.actions.iter() {
            found.push(&action.path);
            if let Change::Set(term) = &action.change {
                term.each_path(&mut |path| found.push(path));
            }
        }
        found
    }

    /// The whole attributes to which it gives a value of a type that does not depend on the item.
    pub(crate) fn known_kinds(&self) -> impl Iterator<Item = (&str, Type)> {
        let whole = self.actions.iter().filter(|action| !action.path.is_nested());
        whole.filter_map(|action| match &action.change {
            Change::Set(term) | Change::Add(term) => Some((action.path.root(), term.kind(&self.values)?)),
            Change::Remove | Change::Delete(_) => None,
        })
    }

    /// Did it come from the older parameter?
    pub(crate) const fn is_legacy(&self) -> bool {
        self.is_legacy
    }

    /// The paths that it changes, in the order in which they were given.
    pub fn targets(&self) -> impl Iterator<Item = &Path> {
        self.actions.iter().map(|action| &action.path)
    }
}

/// What an update changed, for `UPDATED_OLD` and `UPDATED_NEW`.
///
/// ```
/// use fourfold::kv::{expr::attr, item};
/// let mut item = item! { "list" => [1, 2, 3], "other" => 4 };
/// let update = attr("list").index(1).set(5);
/// let touched = update.apply(&mut item, true)?;
/// assert_eq!(touched.of_new(&item), item! { "list" => [5] });
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Touched<'a> {
    actions: &'a [Action],
}

impl Touched<'_> {
    /// The parts of the item as it was that the update named.
    pub fn of_old(&self, old: &Item) -> Item {
        Projection::of(self.actions.iter().map(|action| action.path.clone())).apply(old)
    }

    /// The parts of the item as it is now that the update named, without those that it removed. What was put behind the
    /// end of a list is not where it was put, and so not there.
    pub fn of_new(&self, new: &Item) -> Item {
        let kept = self.actions.iter().filter(|action| !matches!(action.change, Change::Remove));
        Projection::of(kept.map(|action| action.path.clone())).apply(new)
    }
}

/// An update that was read once, to be given values many times.
///
/// ```
/// use fourfold::kv::{expr::PreparedUpdate, item};
///
/// let visit = PreparedUpdate::new("ADD visits :n", &Default::default())?;
/// let mut item = item! { "id" => 7 };
/// visit.bind(&item! { ":n" => 2 })?.apply(&mut item, true)?;
/// visit.bind(&item! { ":n" => 3 })?.apply(&mut item, true)?;
/// assert_eq!(item["visits"], 5.into());
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PreparedUpdate {
    actions: Arc<Vec<Action>>,
    slots: Slots,
}

impl PreparedUpdate {
    /// Reads an update expression. All names must be used.
    ///
    /// # Errors
    /// `ValidationException` with the service's text.
    pub fn new(text: &str, names: &Names) -> Result<Self> {
        let no_values = Item::new();
        let mut placeholders = Placeholders::of(names, &no_values)?;
        let (parsed, findings) = parse::parse(text, &mut placeholders)?;
        findings.report(ExpressionKind::Update)?;
        placeholders.finish()?;
        Ok(parsed)
    }

    /// The update with these values, all of which must be used.
    ///
    /// # Errors
    /// `ValidationException` with the service's text.
    pub fn bind(&self, values: &Item) -> Result<Update> {
        let mut placeholders = Slots::placeholders(values)?;
        let update = self.bind_after(&mut placeholders, Findings::default())?;
        placeholders.finish()?;
        Ok(update)
    }

    fn bind_after(&self, placeholders: &mut Placeholders<'_>, mut findings: Findings) -> Result<Update> {
        let values = self.slots.fill(placeholders, &mut findings);
        check::check(&self.actions, &values, &mut findings);
        findings.report(ExpressionKind::Update)?;
        Ok(Update { actions: Arc::clone(&self.actions), values: values.into(), is_legacy: false })
    }
}
