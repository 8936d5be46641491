//! Projections: which attributes, and which parts of them, a read returns.

use super::{
    findings::{ExpressionKind, Findings},
    lexer::Kind,
    parser::Parser,
    path::{Path, Step, check_apart},
    placeholders::{Names, Placeholders},
};
use crate::kv::{
    error::{Error, Result},
    value::{AttributeValue, Item},
};
use std::collections::{BTreeMap, BTreeSet};

/// Document paths that are returned: an expression such as `id, tags[0], owner.name`.
///
/// What is not there is left out. Of a list the elements that are named remain, in their order.
///
/// ```
/// use fourfold::kv::{expr::Projection, item};
///
/// let names = [("#n".to_owned(), "name".to_owned())].into();
/// let projection = Projection::parse("id, tags[2], tags[0], #n", &names)?;
/// let item = item! { "id" => 1, "tags" => ["a", "b", "c"], "more" => true };
/// assert_eq!(projection.apply(&item), item! { "id" => 1, "tags" => ["a", "c"] });
///
/// let error = Projection::parse("a, a.b", &Default::default()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite \
///      one of these paths; path one: [a], path two: [a, b]"
/// );
/// # Ok::<(), fourfold::kv::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Projection {
    paths: Vec<Path>,
    tree: BTreeMap<String, Part>,
}

/// How much of a value is returned: all of it if nothing of it is named.
#[derive(Clone, Debug, Default)]
struct Part {
    fields: BTreeMap<String, Part>,
    elements: BTreeMap<usize, Part>,
}

impl Projection {
    /// Reads a projection expression. All names must be used.
    ///
    /// # Errors
    /// `ValidationException` with the service's text.
    pub fn parse(text: &str, names: &Names) -> Result<Self> {
        let no_values = Item::new();
        let mut placeholders = Placeholders::of(names, &no_values)?;
        let projection = Self::parse_with(text, &mut placeholders)?;
        placeholders.finish()?;
        Ok(projection)
    }

    /// Reads a projection of a request that may have more expressions.
    pub(crate) fn parse_with(text: &str, placeholders: &mut Placeholders<'_>) -> Result<Self> {
        let mut parser = Parser::new(ExpressionKind::Projection, text, placeholders)?;
        let mut paths = Vec::new();
        loop {
            let at = parser.peek().at;
            paths.push((parser.path()?, at));
            if !parser.take(Kind::Comma) {
                break;
            }
        }
        parser.expect(Kind::End)?;
        let mut findings = parser.findings;
        check_apart(paths.iter().map(|(path, at)| (path, *at)), &mut findings);
        findings.report(ExpressionKind::Projection)?;
        Ok(Self::of(paths.into_iter().map(|(path, _)| path)))
    }

    /// These paths.
    ///
    /// ```
    /// use fourfold::kv::{expr::{Path, Projection}, item};
    /// let projection = Projection::new(["id".into(), Path::new("owner").field("name")])?;
    /// let item = item! { "id" => 1, "owner" => item! { "name" => "Ann", "age" => 7 } };
    /// assert_eq!(projection.apply(&item), item! { "id" => 1, "owner" => item! { "name" => "Ann" } });
    /// # Ok::<(), fourfold::kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// `ValidationException` if one path leads into another.
    pub fn new(paths: impl IntoIterator<Item = Path>) -> Result<Self> {
        let paths: Vec<Path> = paths.into_iter().collect();
        let mut findings = Findings::default();
        check_apart(paths.iter().map(|path| (path, 0)), &mut findings);
        findings.report(ExpressionKind::Projection)?;
        Ok(Self::of(paths))
    }

    /// Whole attributes, by the names in the older parameter `AttributesToGet`.
    ///
    /// # Errors
    /// `ValidationException` if a name is there twice.
    pub fn attributes_to_get<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
            return Err(Error::request(format!(
                "One or more parameter values were invalid: Duplicate value in attribute name: {twice}"
            )));
        }
        Ok(Self::of(names.into_iter().map(Path::new)))
    }

    /// Of paths that are apart.
    pub(super) fn of(paths: impl IntoIterator<Item = Path>) -> Self {
        let paths: Vec<Path> = paths.into_iter().collect();
        let mut tree = BTreeMap::<String, Part>::new();
        for path in &paths {
            let part = tree.entry(path.root().to_owned()).or_default();
            path.steps().iter().fold(part, |part, step| match step {
                Step::Field(name) => part.fields.entry(name.clone()).or_default(),
                Step::Index(index) => part.elements.entry(*index).or_default(),
            });
        }
        Self { paths, tree }
    }

    /// What an item has of it.
    pub fn apply(&self, item: &Item) -> Item {
        let attributes = self.tree.iter();
        attributes.filter_map(|(name, part)| Some((name.clone(), part.of(item.get(name)?)?))).collect()
    }

    /// The paths, in the order in which they were given.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter()
    }

    /// The names of the attributes that it begins with, each once.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.tree.keys().map(String::as_str)
    }
}

impl Part {
    /// What a value has of it, if anything.
    fn of(&self, value: &AttributeValue) -> Option<AttributeValue> {
        if self.fields.is_empty() && self.elements.is_empty() {
            return Some(value.clone());
        }
        match value {
            AttributeValue::M(map) => {
                let fields = self.fields.iter();
                let found: Item = fields
                    .filter_map(|(name, part)| Some((name.clone(), part.of(map.get(name)?)?)))
                    .collect();
                (!found.is_empty()).then_some(AttributeValue::M(found))
            }
            AttributeValue::L(list) => {
                let elements = self.elements.iter();
                let found: Vec<_> = elements.filter_map(|(index, part)| part.of(list.get(*index)?)).collect();
                (!found.is_empty()).then_some(AttributeValue::L(found))
            }
            _ => None,
        }
    }
}
