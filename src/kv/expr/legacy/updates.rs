//! The older updates.

use super::invalid;
use crate::kv::{
    error::Result,
    expr::{
        path::Path,
        update::{
            Update,
            tree::{Action, Change, Term},
        },
    },
    value::{AttributeValue, Type},
};
use std::{collections::BTreeMap, sync::Arc};

/// What is done with an attribute.
///
/// ```
/// use fourfold::kv::expr::legacy::UpdateAction;
/// assert_eq!(UpdateAction::default(), UpdateAction::Put);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateAction {
    /// The value replaces whatever is there.
    #[default]
    Put,
    /// A number is added, members of a set are, or elements of a list.
    Add,
    /// Without a value the attribute is removed; with a set, its members are.
    Delete,
}

/// What `AttributeUpdates` says of an attribute.
///
/// ```
/// use fourfold::kv::{expr::legacy::{AttributeUpdate, UpdateAction, attribute_updates}, item};
///
/// let visit = AttributeUpdate { action: UpdateAction::Add, value: Some(1.into()) };
/// let update = attribute_updates(&[("visits".to_owned(), visit)].into())?;
/// let mut item = item! { "visits" => 4 };
/// update.apply(&mut item, true)?;
/// assert_eq!(item["visits"], 5.into());
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttributeUpdate {
    /// What is done.
    pub action: UpdateAction,
    /// With what. `DELETE` needs none.
    pub value: Option<AttributeValue>,
}

/// The update that `AttributeUpdates` is.
///
/// # Errors
/// `ValidationException` with the service's text.
pub fn attribute_updates(attributes: &BTreeMap<String, AttributeUpdate>) -> Result<Update> {
    let actions = attributes
        .iter()
        .map(|(name, update)| Ok(Action { path: Path::new(name.clone()), change: change(update)? }));
    let actions = Arc::new(actions.collect::<Result<Vec<_>>>()?);
    Ok(Update { actions, is_legacy: true, ..Update::default() })
}

fn change(update: &AttributeUpdate) -> Result<Change> {
    let Some(value) = &update.value else {
        return match update.action {
            UpdateAction::Delete => Ok(Change::Remove),
            _ => Err(invalid("Only DELETE action is allowed when no attribute value is specified")),
        };
    };
    value.validate()?;
    let (kind, term) = (value.kind(), Term::Literal(value.clone()));
    match (update.action, kind) {
        (UpdateAction::Put, _) => Ok(Change::Set(term)),
        (UpdateAction::Add, Type::N | Type::Ss | Type::Ns | Type::Bs | Type::L) => Ok(Change::Add(term)),
        (UpdateAction::Add, _) => {
            Err(invalid(format_args!("ADD action is not supported for the type {kind}")))
        }
        (UpdateAction::Delete, Type::Ss | Type::Ns | Type::Bs) => Ok(Change::Delete(term)),
        (UpdateAction::Delete, _) => {
            Err(invalid(format_args!("DELETE action with value is not supported for the type {kind}")))
        }
    }
}
