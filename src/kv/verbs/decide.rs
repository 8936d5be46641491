//! What a write of one item comes to, given what the item is.

use crate::Batch;
use crate::kv::error::{Error, Result};
use crate::kv::expr::{Condition, Update};
use crate::kv::item;
use crate::kv::keys::Key;
use crate::kv::layout::made_by_update;
use crate::kv::request::ReturnValues;
use crate::kv::state::{Shape, Table};
use crate::kv::value::{ITEM_SIZE_MAX, Item};
use crate::kv::write::{After, Before, Effect, stage};
use crate::store::Store;

/// What is to be done to an item.
#[derive(Debug)]
pub(crate) enum Action {
    /// It becomes this, whose size was taken.
    Put(Item, usize),
    Delete,
    Update(Update),
    /// Nothing, as long as the condition holds.
    Check,
}

/// A write that was read and checked as far as that goes without the item.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) action: Action,
    pub(crate) condition: Option<Condition>,
    /// Is the item returned if the condition does not hold?
    pub(crate) shows_failed: bool,
    /// What is returned of the item.
    pub(crate) returns: ReturnValues,
    /// Does an update count towards the size of an item by what it says too? In transactions only the item counts.
    pub(crate) counts_changes: bool,
}

/// What a write came to.
pub(crate) struct Decided<'a> {
    pub(crate) effect: Effect<'a>,
    pub(crate) before: Option<Before>,
    pub(crate) after: Option<After>,
    /// The parts of the item that an update changed, if they are returned.
    pub(crate) parts: Option<Item>,
}

/// What an item becomes.
pub(crate) struct Becomes {
    /// None if it goes.
    pub(crate) after: Option<After>,
    /// The parts of it that an update changed, if they are returned.
    pub(crate) parts: Option<Item>,
}

impl Write {
    /// An item is to be put.
    pub(crate) fn put(
        item: Item,
        condition: Option<Condition>,
        shows_failed: bool,
        returns: ReturnValues,
    ) -> Result<Self> {
        item.validate_values()?;
        let size = item.size();
        if size > ITEM_SIZE_MAX {
            return Err(Error::validation("Item size has exceeded the maximum allowed size"));
        }
        Ok(Self::of(Action::Put(item, size), condition, shows_failed, returns))
    }

    /// An item is to go.
    pub(crate) fn delete(condition: Option<Condition>, shows_failed: bool, returns: ReturnValues) -> Self {
        Self::of(Action::Delete, condition, shows_failed, returns)
    }

    pub(crate) const fn of(
        action: Action,
        condition: Option<Condition>,
        shows_failed: bool,
        returns: ReturnValues,
    ) -> Self {
        Self { action, condition, shows_failed, returns, counts_changes: false }
    }

    /// The key of the item, which a put has in the item, and others have in `given`.
    pub(crate) fn key(&self, shape: &Shape, given: &Item) -> Result<Key> {
        match &self.action {
            Action::Put(item, _) => {
                let key = shape.layout.key_of_item(item)?;
                shape.check_entries(item, &key)?;
                Ok(key)
            }
            _ => shape.layout.key(given),
        }
    }

    /// Decides and stages, with the item's lock held.
    pub(crate) fn decide<'a>(
        self,
        store: &Store,
        table: &'a Table,
        shape: &'a Shape,
        batch: &mut Batch,
        key: &Key,
        given: &Item,
    ) -> Result<Decided<'a>> {
        let before = shape.before(store, key)?;
        let is_expression = self.is_expression();
        let Some(Becomes { after, parts }) = self.outcome(before.as_ref(), given)? else {
            let effect = Effect::none(table, shape, before.as_ref().map(Before::size));
            return Ok(Decided { effect, before, after: None, parts: None });
        };
        let effect = stage(table, shape, batch, key, before.as_ref(), after.as_ref(), false);
        let effect = effect.map_err(|error| if is_expression { made_by_update(error) } else { error })?;
        Ok(Decided { effect, before, after, parts })
    }

    /// What the item becomes, given what it is; none for a check.
    pub(crate) fn outcome(self, before: Option<&Before>, given: &Item) -> Result<Option<Becomes>> {
        if let (Action::Update(update), true) = (&self.action, self.counts_changes)
            && update.costs_more_than(ITEM_SIZE_MAX)
        {
            return Err(too_large());
        }
        self.check(before)?;
        let mut parts = None;
        let after = match self.action {
            Action::Put(item, size) => Some(After::new(item, size)),
            Action::Delete => None,
            Action::Check => return Ok(None),
            Action::Update(update) => {
                let mut item = match before {
                    Some(before) => before.item()?.clone(),
                    None => given.clone(),
                };
                let touched = update.apply(&mut item, before.is_some())?;
                parts = match (self.returns, before) {
                    (ReturnValues::UpdatedOld, Some(before)) => Some(touched.of_old(before.item()?)),
                    (ReturnValues::UpdatedNew, _) => Some(touched.of_new(&item)),
                    _ => None,
                };
                let is_made = before.is_some() || update.creates();
                is_made.then(|| updated_item(item)).transpose()?
            }
        };
        Ok(Some(Becomes { after, parts }))
    }

    /// Is it the same whatever the item is?
    pub(crate) fn is_blind(&self) -> bool {
        let is_whole = matches!(self.action, Action::Put(..) | Action::Delete);
        is_whole && self.condition.is_none() && self.returns == ReturnValues::None
    }

    /// Is it an update by an expression?
    pub(crate) const fn is_expression(&self) -> bool {
        matches!(&self.action, Action::Update(update) if !update.is_legacy())
    }

    /// Refuses what its expressions do with keys of the table or of an index: keys of items do not change, keys of
    /// indexes have one type, and nothing is within either.
    pub(crate) fn check_keys(&self, shape: &Shape) -> Result<()> {
        let mut paths = Vec::new();
        if let Action::Update(update) = &self.action {
            let is_key = |name: &str| shape.layout.attributes().any(|key| key.name == name);
            if let Some(path) = update.targets().find(|path| is_key(path.root())) {
                return Err(Error::validation(format!(
                    "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of \
                     the key",
                    path.root()
                )));
            }
            for (name, kind) in update.known_kinds() {
                shape.indexes.iter().try_for_each(|index| index.layout.check_kind(name, kind))?;
            }
            paths.extend(update.paths());
        }
        paths.extend(self.condition.iter().flat_map(Condition::paths));
        shape.check_scalars(paths)
    }

    fn check(&self, before: Option<&Before>) -> Result<()> {
        let Some(condition) = &self.condition else { return Ok(()) };
        let holds = match before {
            Some(before) => item::holds(condition, &before.record)?,
            None => condition.evaluate(&Item::new()),
        };
        if holds {
            return Ok(());
        }
        let item = match before.filter(|_| self.shows_failed) {
            Some(before) => Some(Box::new(before.item()?.clone())),
            None => None,
        };
        Err(Error::ConditionalCheckFailed { item })
    }
}

/// An updated item, if it may be one.
fn updated_item(item: Item) -> Result<After> {
    item.validate_values()?;
    let size = item.size();
    if size > ITEM_SIZE_MAX {
        return Err(too_large());
    }
    Ok(After::new(item, size))
}

#[cold]
fn too_large() -> Error {
    Error::validation("Item size to update has exceeded the maximum allowed size")
}
