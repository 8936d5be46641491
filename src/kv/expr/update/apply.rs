//! Changing an item.
//!
//! U1. All is decided on the item as it was: first every action becomes an [`Effect`] or an error, then all effects are
//!     done, which cannot fail. An error leaves the item as it was.
//! U2. Effects are done in an order in which none moves what another one names: what is put where something is; what is
//!     put behind the end of lists, by index; what is taken away, from the last place to the first.
//! U3. All that is put stays, so what alone is larger than an item may be is refused before there is more of it: the
//!     memory that an update takes is bounded by a few times that size.

use super::{
    Update,
    tree::{Action, Change, Term},
};
use crate::kv::{
    error::{Error, Result},
    expr::path::{Path, Step},
    value::{AttributeValue, ITEM_SIZE_MAX, Item},
};
use std::borrow::Cow;

/// What an action comes to.
enum Effect<'a> {
    Put(&'a Path, AttributeValue),
    /// Behind the end of a list.
    Append(&'a Path, usize, AttributeValue),
    Drop(&'a Path),
}

/// Does all actions, or none.
pub(super) fn apply(update: &Update, item: &mut Item, exists: bool) -> Result<()> {
    let state = State { item, values: &update.values, exists, is_legacy: update.is_legacy };
    let mut effects = Vec::with_capacity(update.actions.len());
    let mut added = 0;
    for action in update.actions.iter() {
        let effect = state.decide(action)?;
        if let Some(Effect::Put(_, value) | Effect::Append(_, _, value)) = &effect {
            added += value.size();
            check_size(added)?;
        }
        effects.extend(effect);
    }
    let (mut appends, mut drops) = (Vec::new(), Vec::new());
    for effect in effects {
        match effect {
            Effect::Put(path, value) => put(item, path, value),
            Effect::Append(path, index, value) => appends.push((index, path, value)),
            Effect::Drop(path) => drops.push(path),
        }
    }
    appends.sort_by_key(|(index, ..)| *index);
    for (_, path, value) in appends {
        if let Some((_, parent)) = path.steps().split_last()
            && let Some(AttributeValue::L(list)) = find(item, path.root(), parent)
        {
            list.push(value);
        }
    }
    drops.sort_unstable();
    drops.into_iter().rev().for_each(|path| take(item, path));
    Ok(())
}

/// The item as it was, and what the expression says.
struct State<'a> {
    item: &'a Item,
    values: &'a [AttributeValue],
    exists: bool,
    is_legacy: bool,
}

impl State<'_> {
    fn decide<'a>(&self, action: &'a Action) -> Result<Option<Effect<'a>>> {
        let path = &action.path;
        let current = path.get(self.item);
        match &action.change {
            Change::Set(term) => self.put(path, self.term(term)?.into_owned()).map(Some),
            Change::Remove => self.drop(path, current),
            Change::Add(term) => {
                let value = self.term(term)?;
                let sum = match current {
                    Some(current) => self.add(current, &value)?,
                    None => value.into_owned(),
                };
                self.put(path, sum).map(Some)
            }
            Change::Delete(term) => match current {
                None => self.drop(path, None),
                Some(current) => match self.without(current, &*self.term(term)?)? {
                    Some(rest) => self.put(path, rest).map(Some),
                    None => self.drop(path, Some(current)),
                },
            },
        }
    }

    /// To put a value at a path, whose parent must be there and be able to hold it.
    fn put<'a>(&self, path: &'a Path, value: AttributeValue) -> Result<Effect<'a>> {
        match (path.steps().last(), parent(self.item, path)) {
            (None, _) | (Some(Step::Field(_)), Some(AttributeValue::M(_))) => Ok(Effect::Put(path, value)),
            (Some(Step::Index(index)), Some(AttributeValue::L(list))) => {
                let is_there = *index < list.len();
                Ok(if is_there { Effect::Put(path, value) } else { Effect::Append(path, *index, value) })
            }
            _ => Err(invalid_path()),
        }
    }

    /// To remove what is at a path. Nothing being there is no error, the path leading nowhere is.
    fn drop<'a>(&self, path: &'a Path, current: Option<&AttributeValue>) -> Result<Option<Effect<'a>>> {
        if current.is_some() {
            return Ok(Some(Effect::Drop(path)));
        }
        let leads_there = match (path.steps().last(), parent(self.item, path)) {
            (None, _) => true,
            (Some(Step::Field(_)), Some(parent)) => matches!(parent, AttributeValue::M(_)),
            (Some(Step::Index(_)), Some(parent)) => matches!(parent, AttributeValue::L(_)),
            (Some(_), None) => false,
        };
        if leads_there || !self.exists { Ok(None) } else { Err(invalid_path()) }
    }

    /// What a term stands for.
    fn term<'a>(&'a self, term: &'a Term) -> Result<Cow<'a, AttributeValue>> {
        match term {
            Term::Path(path) => path.get(self.item).map(Cow::Borrowed).ok_or_else(|| {
                Error::validation(
                    "The provided expression refers to an attribute that does not exist in the item",
                )
            }),
            Term::Slot(_) | Term::Literal(_) => {
                Ok(term.constant(self.values).map_or(Cow::Owned(AttributeValue::Null), Cow::Borrowed))
            }
            Term::IfNotExists(path, default) => match path.get(self.item) {
                Some(value) => Ok(Cow::Borrowed(value)),
                None => self.term(default),
            },
            Term::ListAppend(first, second) => match (&*self.term(first)?, &*self.term(second)?) {
                (AttributeValue::L(first), AttributeValue::L(second)) => {
                    append(first, second).map(Cow::Owned)
                }
                _ => Err(wrong_operand()),
            },
            Term::Plus(first, second) | Term::Minus(first, second) => {
                let (first, second) = (self.term(first)?, self.term(second)?);
                let (Some(first), Some(second)) = (first.as_number(), second.as_number()) else {
                    return Err(wrong_operand());
                };
                let is_sum = matches!(term, Term::Plus(..));
                let result = if is_sum { first.checked_add(second) } else { first.checked_sub(second) };
                result.map(AttributeValue::N).map(Cow::Owned)
            }
        }
    }

    /// What is there with a number or members added; with elements, where the older parameter says so.
    fn add(&self, current: &AttributeValue, value: &AttributeValue) -> Result<AttributeValue> {
        Ok(match (current, value) {
            (AttributeValue::N(a), AttributeValue::N(b)) => AttributeValue::N(a.checked_add(*b)?),
            (AttributeValue::Ss(a), AttributeValue::Ss(b)) => AttributeValue::Ss(a.union(b)),
            (AttributeValue::Ns(a), AttributeValue::Ns(b)) => AttributeValue::Ns(a.union(b)),
            (AttributeValue::Bs(a), AttributeValue::Bs(b)) => AttributeValue::Bs(a.union(b)),
            (AttributeValue::L(a), AttributeValue::L(b)) if self.is_legacy => append(a, b)?,
            _ => return Err(self.mismatch()),
        })
    }

    /// What is there without these members, if anything is left.
    fn without(&self, current: &AttributeValue, value: &AttributeValue) -> Result<Option<AttributeValue>> {
        Ok(match (current, value) {
            (AttributeValue::Ss(a), AttributeValue::Ss(b)) => a.difference(b).map(AttributeValue::Ss),
            (AttributeValue::Ns(a), AttributeValue::Ns(b)) => a.difference(b).map(AttributeValue::Ns),
            (AttributeValue::Bs(a), AttributeValue::Bs(b)) => a.difference(b).map(AttributeValue::Bs),
            _ => return Err(self.mismatch()),
        })
    }

    #[cold]
    fn mismatch(&self) -> Error {
        if self.is_legacy {
            Error::validation("Type mismatch for attribute to update")
        } else {
            wrong_operand()
        }
    }
}

/// One list behind another (U3).
fn append(first: &[AttributeValue], second: &[AttributeValue]) -> Result<AttributeValue> {
    check_size(first.iter().chain(second).map(AttributeValue::size).sum())?;
    Ok(AttributeValue::L([first, second].concat()))
}

/// Refuses what is too large to be put into an item (U3).
fn check_size(size: usize) -> Result<()> {
    if size <= ITEM_SIZE_MAX {
        return Ok(());
    }
    Err(Error::validation("Item size to update has exceeded the maximum allowed size"))
}

#[cold]
fn wrong_operand() -> Error {
    Error::validation("An operand in the update expression has an incorrect data type")
}

#[cold]
fn invalid_path() -> Error {
    Error::validation("The document path provided in the update expression is invalid for update")
}

/// What holds, or would hold, what is at a nested path.
fn parent<'a>(item: &'a Item, path: &Path) -> Option<&'a AttributeValue> {
    let (_, parent) = path.steps().split_last()?;
    parent.iter().try_fold(item.get(path.root())?, |value, step| step.of(value))
}

/// What is there, to be changed.
fn find<'a>(item: &'a mut Item, root: &str, steps: &[Step]) -> Option<&'a mut AttributeValue> {
    steps.iter().try_fold(item.get_mut(root)?, |value, step| step.of_mut(value))
}

fn put(item: &mut Item, path: &Path, value: AttributeValue) {
    let Some((step, parent)) = path.steps().split_last() else {
        item.insert(path.root().to_owned(), value);
        return;
    };
    match (step, find(item, path.root(), parent)) {
        (Step::Field(name), Some(AttributeValue::M(map))) => {
            map.insert(name.clone(), value);
        }
        (Step::Index(index), Some(AttributeValue::L(list))) => {
            if let Some(element) = list.get_mut(*index) {
                *element = value;
            }
        }
        _ => {}
    }
}

fn take(item: &mut Item, path: &Path) {
    let Some((step, parent)) = path.steps().split_last() else {
        item.remove(path.root());
        return;
    };
    match (step, find(item, path.root(), parent)) {
        (Step::Field(name), Some(AttributeValue::M(map))) => {
            map.remove(name);
        }
        (Step::Index(index), Some(AttributeValue::L(list))) if *index < list.len() => {
            list.remove(*index);
        }
        _ => {}
    }
}
