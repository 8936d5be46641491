//! Conditions: what must hold for a write, and what a query or a scan keeps.

pub(super) mod check;
pub(super) mod evaluate;
mod parse;
pub(super) mod tree;

use super::{
    findings::{ExpressionKind, Findings},
    parser::Slots,
    path::Path,
    placeholders::{Names, Placeholders},
};
use crate::{
    codec::Malformed,
    kv::{
        codec::{EncodedItem, damaged},
        error::Result,
        value::{AttributeValue, Item},
    },
};
use std::sync::Arc;
use tree::Node;

/// A condition on an item: an expression such as `attribute_exists(id) AND visits < :max` with its values, or the same
/// from [`attr`](super::attr).
///
/// ```
/// use fourfold::kv::{expr::Condition, item};
///
/// let names = [("#s".to_owned(), "status".to_owned())].into();
/// let values = item! { ":open" => "open", ":few" => 3 };
/// let condition = Condition::parse("#s = :open AND size(tags) < :few", &names, &values)?;
/// assert!(condition.evaluate(&item! { "status" => "open", "tags" => ["a", "b"] }));
/// assert!(!condition.evaluate(&item! { "status" => "open" }));
///
/// let error = Condition::parse("status = :open", &Default::default(), &values).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: status"
/// );
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Condition {
    pub(super) tree: Arc<Node>,
    pub(super) values: Arc<[AttributeValue]>,
}

impl Condition {
    /// Reads a condition expression. All names and values must be used.
    ///
    /// # Errors
    /// `ValidationException` with the service's text.
    pub fn parse(text: &str, names: &Names, values: &Item) -> Result<Self> {
        let mut placeholders = Placeholders::of(names, values)?;
        let condition = Self::parse_with(ExpressionKind::Condition, text, &mut placeholders)?;
        placeholders.finish()?;
        Ok(condition)
    }

    /// Reads a condition or a filter of a request that may have more expressions.
    pub(crate) fn parse_with(
        kind: ExpressionKind,
        text: &str,
        placeholders: &mut Placeholders<'_>,
    ) -> Result<Self> {
        let (parsed, findings) = parse::parse(kind, text, placeholders)?;
        parsed.bind_after(placeholders, findings)
    }

    /// A condition without placeholders.
    pub(super) fn of(node: Node) -> Self {
        Self { tree: Arc::new(node), values: Arc::default() }
    }

    /// Does it hold for this item? An item that does not exist is one without attributes.
    pub fn evaluate(&self, item: &Item) -> bool {
        evaluate::holds(&self.tree, item, &self.values)
    }

    /// As [`evaluate`](Self::evaluate), of an item's [bytes](Item::to_bytes): only the attributes that the condition
    /// asks for are decoded.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::kv::Error::Storage) if the bytes are damaged, as far as they were read.
    pub fn evaluate_bytes(&self, bytes: &[u8]) -> Result<bool> {
        self.evaluate_encoded(bytes).map_err(damaged)
    }

    /// The same, for whoever can say where the bytes are from.
    pub(crate) fn evaluate_encoded(&self, bytes: &[u8]) -> Result<bool, Malformed> {
        let item = EncodedItem::new(bytes);
        let holds = evaluate::holds(&self.tree, &item, &self.values);
        item.damage().map_or(Ok(holds), Err)
    }

    /// All paths, in the order of the expression.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let mut found = Vec::new();
        self.tree.each_path(&mut |path| found.push(path));
        found
    }

    /// The names of the attributes that it asks for, each as often as it is asked for.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        let mut found = Vec::new();
        self.tree.each_path(&mut |path| found.push(path.root()));
        found.into_iter()
    }
}

/// A condition, filter or key condition that was read once, to be given values many times.
///
/// ```
/// use fourfold::kv::{expr::PreparedCondition, item};
///
/// let affordable = PreparedCondition::new("price <= :max", &Default::default())?;
/// let cheap = affordable.bind(&item! { ":max" => 10 })?;
/// let dear = affordable.bind(&item! { ":max" => 1000 })?;
/// let item = item! { "price" => 99 };
/// assert!(!cheap.evaluate(&item) && dear.evaluate(&item));
/// assert!(affordable.bind(&item! { ":min" => 10 }).is_err());
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PreparedCondition {
    kind: ExpressionKind,
    tree: Arc<Node>,
    slots: Slots,
}

impl PreparedCondition {
    /// Reads a condition expression. All names must be used.
    ///
    /// # Errors
    /// `ValidationException` with the service's text.
    pub fn new(text: &str, names: &Names) -> Result<Self> {
        Self::of_kind(ExpressionKind::Condition, text, names)
    }

    /// Reads a filter expression. All names must be used.
    ///
    /// # Errors
    /// `ValidationException` with the service's text.
    pub fn filter(text: &str, names: &Names) -> Result<Self> {
        Self::of_kind(ExpressionKind::Filter, text, names)
    }

    pub(super) fn of_kind(kind: ExpressionKind, text: &str, names: &Names) -> Result<Self> {
        let no_values = Item::new();
        let mut placeholders = Placeholders::of(names, &no_values)?;
        let (parsed, findings) = parse::parse(kind, text, &mut placeholders)?;
        findings.report(kind)?;
        placeholders.finish()?;
        Ok(parsed)
    }

    /// The condition with these values, all of which must be used.
    ///
    /// # Errors
    /// `ValidationException` with the service's text.
    pub fn bind(&self, values: &Item) -> Result<Condition> {
        let mut placeholders = Slots::placeholders(values)?;
        let condition = self.bind_after(&mut placeholders, Findings::default())?;
        placeholders.finish()?;
        Ok(condition)
    }

    fn bind_after(&self, placeholders: &mut Placeholders<'_>, mut findings: Findings) -> Result<Condition> {
        let values = self.slots.fill(placeholders, &mut findings);
        check::check(&self.tree, &values, &mut findings);
        findings.report(self.kind)?;
        Ok(Condition { tree: Arc::clone(&self.tree), values: values.into() })
    }
}
