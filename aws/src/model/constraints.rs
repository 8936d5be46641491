//! Does every value keep the constraints of the model? All that do not are told at once, up to ten.

use super::{List, Map, Need, Pattern, Shape, Struct, Text, newer};
use crate::fields::{Dialect, lower_first};
use crate::refusal::Result;
use crate::value::Value;

/// More are not told.
const FINDINGS_MAX: usize = 10;
/// Bytes of what is there that are told, about: a request of many small members would have a far longer answer.
const TOLD_LEN_MAX: usize = 64 << 10;
/// What the services print for a structure behind its class: where it is in memory.
const ADDRESS: &str = "@2";

/// Checks a request whose values are of their types. `is_older`: in the words of the model alone.
pub(crate) fn check(
    dialect: Dialect,
    operation: &str,
    shape: &Shape,
    request: &Value,
    is_older: bool,
) -> Result<()> {
    let Shape::Struct(wanted) = shape else { return Ok(()) };
    if let (true, Value::Map(members)) = (wanted.is_of_table, request) {
        let table = members.iter().rev().find(|(name, _)| name == "TableName").map(|(_, value)| value);
        of_table(operation, table).map_err(|message| dialect.invalid(message))?;
    }
    let mut findings = Findings { dialect, path: String::new(), all: Vec::new() };
    findings.value(shape, request);
    let mut all = findings.all;
    if all.is_empty() {
        return Ok(());
    }
    if dialect == Dialect::Dynamo
        && !is_older
        && let Some(message) = newer::reword(operation, request, &mut all)
    {
        return Err(dialect.invalid(&message));
    }
    let count = all.len();
    let plural = if count == 1 { "" } else { "s" };
    let all = all.iter().map(Finding::told).collect::<Vec<_>>().join("; ");
    Err(dialect.invalid(&format!("{count} validation error{plural} detected: {all}")))
}

/// The name of the table that is to be made or changed, which is looked at first.
fn of_table(operation: &str, name: Option<&Value>) -> Result<(), &'static str> {
    match name {
        // Its length is then found together with everything else.
        Some(Value::Text(_)) if matches!(operation, "CreateTable" | "DescribeTable") => Ok(()),
        Some(Value::Text(name)) if name.starts_with("arn:") || (3..=255).contains(&name.chars().count()) => {
            Ok(())
        }
        Some(Value::Text(_)) => {
            Err("TableName must be at least 3 characters long and at most 255 characters long")
        }
        _ => Err("The parameter 'TableName' is required but was not present in the request"),
    }
}

/// A constraint that is not kept.
pub(super) struct Finding {
    pub(super) path: String,
    /// What is there, in quotes; nothing if it is not told.
    pub(super) value: String,
    pub(super) rule: String,
}

impl Finding {
    fn told(&self) -> String {
        let Self { path, value, rule } = self;
        if value.is_empty() {
            return self.told_newer(path);
        }
        format!("Value {value} at '{path}' failed to satisfy constraint: {rule}")
    }

    /// Without what is there.
    pub(super) fn told_newer(&self, path: &str) -> String {
        format!("Value at '{path}' failed to satisfy constraint: {}", self.rule)
    }

    /// Is it about a word that is none of those that may be?
    pub(super) fn is_of_words(&self) -> bool {
        self.rule.starts_with("Member must satisfy enum value set")
    }

    /// Is it about the names in a map?
    pub(super) fn is_of_keys(&self) -> bool {
        self.rule.starts_with("Map keys")
    }
}

struct Findings {
    dialect: Dialect,
    /// Where the value is that is looked at.
    path: String,
    all: Vec<Finding>,
}

impl Findings {
    fn value(&mut self, shape: &Shape, value: &Value) {
        if self.all.len() >= FINDINGS_MAX {
            return;
        }
        match (shape, value) {
            (Shape::Text(rules), Value::Text(text)) => self.text(rules, text),
            (Shape::Int(class, min, max), Value::Int(number)) => self.number(class, *number, *min, *max),
            (Shape::Int(class, min, max), Value::Float(number)) => {
                self.number(class, whole(*number), *min, *max);
            }
            (Shape::Blob(max), Value::Blob(bytes)) => self.blob(bytes.len(), *max),
            (Shape::Blob(max), Value::Text(text)) => self.blob(decoded_len(text), *max),
            (Shape::List(rules), Value::List(items)) => self.list(shape, rules, value, items),
            (Shape::Map(rules), Value::Map(entries)) => self.map(shape, rules, value, entries),
            (Shape::Struct(wanted), Value::Map(members)) => self.structure(wanted, members),
            _ => {}
        }
    }

    fn structure(&mut self, wanted: &Struct, members: &[(crate::value::Name, Value)]) {
        // A value of an attribute has no constraints, only the values below it could: there are none either.
        if wanted.class == "AttributeValue" {
            return;
        }
        for member in wanted.members {
            let find = |wanted: &str| {
                let found = members.iter().rev().find(|(name, _)| name == wanted);
                found.map(|(_, value)| value).filter(|value| **value != Value::Null)
            };
            let is_needed = match member.need {
                Need::Never => false,
                Need::Always => true,
                Need::Without(other) => find(other).is_none(),
            };
            match find(member.name) {
                None if is_needed => {
                    self.at(&lower_first(member.name), |findings| findings.add("null", "not be null"));
                }
                None => {}
                Some(value) => {
                    self.at(&lower_first(member.name), |findings| findings.value(member.shape, value));
                }
            }
        }
    }

    /// Looks at what is below the present value.
    fn at(&mut self, name: &str, look: impl FnOnce(&mut Self)) {
        let len = self.path.len();
        if len > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        look(self);
        self.path.truncate(len);
    }

    fn text(&mut self, rules: &Text, text: &str) {
        if rules.is_or_arn && text.starts_with("arn:") {
            return;
        }
        let value = || format!("'{text}'");
        if let Some(Pattern { text: pattern, matches }) = rules.pattern
            && !matches(text)
        {
            self.add(&value(), &format!("satisfy regular expression pattern: {pattern}"));
        }
        self.len(text.chars().count(), rules.min, rules.max, value);
        if !rules.words.is_empty() && !rules.words.contains(&text) {
            self.add(&value(), &format!("satisfy enum value set: [{}]", rules.words.join(", ")));
        }
    }

    fn number(&mut self, class: &str, number: i64, min: i64, max: i64) {
        // One that is too large for its type stands at the end of it.
        let is_cut = self.dialect == Dialect::Kinesis && class == "Integer";
        let number = if is_cut { number.min(i32::MAX.into()) } else { number };
        let value = format!("'{number}'");
        if number < min {
            self.add(&value, &format!("have value greater than or equal to {min}"));
        }
        if number > max {
            self.add(&value, &format!("have value less than or equal to {max}"));
        }
    }

    fn blob(&mut self, len: usize, max: usize) {
        self.len(len, 0, Some(max), || format!("'{}'", heap_buffer(len)));
    }

    fn list(&mut self, shape: &Shape, rules: &List, value: &Value, items: &[Value]) {
        let dialect = self.dialect;
        let told = || format!("'{}'", told(dialect, shape, value));
        self.len(items.len(), rules.min, Some(rules.max), told);
        if let Some((min, max)) = rules.item_len
            && !items.iter().all(|item| (min..=max).contains(&text_len(item)))
        {
            self.add(&told(), &format!("satisfy constraint: [{}]", bounds(min, max)));
        }
        for (index, item) in items.iter().enumerate() {
            self.at(&(index + 1).to_string(), |findings| {
                findings.at("member", |findings| findings.value(rules.item, item));
            });
        }
    }

    fn map(&mut self, shape: &Shape, rules: &Map, value: &Value, entries: &[(crate::value::Name, Value)]) {
        let dialect = self.dialect;
        let told = || format!("'{}'", told(dialect, shape, value));
        self.len(entries.len(), rules.min, Some(rules.max), told);
        if let Some(key) = rules.key
            && !entries.iter().all(|(name, _)| is_kept(key, name))
        {
            let pattern = key
                .pattern
                .map(|pattern| format!(", Member must satisfy regular expression pattern: {}", pattern.text));
            let bounds = bounds(key.min, key.max.unwrap_or(usize::MAX));
            let pattern = pattern.unwrap_or_default();
            self.say(&told(), &format!("Map keys must satisfy constraint: [{bounds}{pattern}]"));
        }
        if let Some((min, max)) = rules.value_len
            && !entries.iter().all(|(_, value)| (min..=max).contains(&text_len(value)))
        {
            self.say(&told(), &format!("Map value must satisfy constraint: [{}]", bounds(min, max)));
        }
        for (name, value) in entries {
            self.at(name, |findings| findings.at("member", |findings| findings.value(rules.value, value)));
        }
    }

    fn len(&mut self, len: usize, min: usize, max: Option<usize>, value: impl Fn() -> String) {
        if len < min {
            self.add(&value(), &format!("have length greater than or equal to {min}"));
        }
        if let Some(max) = max
            && len > max
        {
            self.add(&value(), &format!("have length less than or equal to {max}"));
        }
    }

    fn add(&mut self, value: &str, rule: &str) {
        self.say(value, &format!("Member must {rule}"));
    }

    fn say(&mut self, value: &str, rule: &str) {
        if self.all.len() < FINDINGS_MAX {
            let (path, value, rule) = (self.path.clone(), value.to_owned(), rule.to_owned());
            self.all.push(Finding { path, value, rule });
        }
    }
}

fn bounds(min: usize, max: usize) -> String {
    format!(
        "Member must have length less than or equal to {max}, Member must have length greater than or equal to {min}"
    )
}

fn is_kept(rules: &Text, name: &str) -> bool {
    if rules.is_or_arn && name.starts_with("arn:") {
        return true;
    }
    let len = name.chars().count();
    len >= rules.min
        && rules.max.is_none_or(|max| len <= max)
        && rules.pattern.is_none_or(|pattern| (pattern.matches)(name))
}

fn text_len(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.chars().count(),
        Value::List(items) => items.len(),
        _ => 0,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the service cuts fractions off, and so does a cast")]
fn whole(number: f64) -> i64 {
    number.floor() as i64
}

/// How many bytes a text in base 64 stands for.
fn decoded_len(text: &str) -> usize {
    let pads = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    (text.len() / 4 * 3).saturating_sub(pads)
}

/// Bytes as the services print them.
fn heap_buffer(len: usize) -> String {
    format!("java.nio.HeapByteBuffer[pos=0 lim={len} cap={len}]")
}

/// The name of a member in Java: types of attributes are small letters only.
fn lower(name: &str) -> String {
    if name.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return name.to_ascii_lowercase();
    }
    lower_first(name)
}

/// A list or a map as the service prints it.
fn told(dialect: Dialect, shape: &Shape, value: &Value) -> String {
    let mut text = String::new();
    tell(dialect, shape, value, &mut text);
    text
}

fn tell(dialect: Dialect, shape: &Shape, value: &Value, text: &mut String) {
    match (shape, value) {
        (Shape::List(rules), Value::List(items)) => {
            tell_all("[", items, "]", text, |item, text| tell(dialect, rules.item, item, text));
        }
        (Shape::Map(rules), Value::Map(entries)) => {
            tell_all("{", entries, "}", text, |(name, value), text| {
                text.push_str(name);
                text.push('=');
                tell(dialect, rules.value, value, text);
            });
        }
        (Shape::Struct(wanted), Value::Map(members)) if dialect == Dialect::Dynamo => {
            let find = |wanted: &str| members.iter().rev().find(|(name, _)| name == wanted);
            let members = wanted.members.iter().filter_map(|member| Some((member, &find(member.name)?.1)));
            text.push_str(wanted.class);
            tell_all("(", members, ")", text, |(member, value), text| {
                text.push_str(&lower(member.name));
                text.push('=');
                tell(dialect, member.shape, value, text);
            });
        }
        (Shape::Struct(wanted), _) => {
            text.push_str("com.amazonaws.kinesis.v20131202.");
            text.push_str(wanted.class);
            text.push_str(ADDRESS);
        }
        (Shape::Blob(_), Value::Text(encoded)) => text.push_str(&heap_buffer(decoded_len(encoded))),
        (_, Value::Text(found)) => text.push_str(found),
        (_, Value::Int(number)) => text.push_str(&number.to_string()),
        (_, Value::Float(number)) => text.push_str(&number.to_string()),
        (_, Value::Bool(flag)) => text.push_str(if *flag { "true" } else { "false" }),
        _ => text.push_str("null"),
    }
}

/// What is in a list, a map or a structure, as far as there is room for it.
fn tell_all<T>(
    open: &str,
    items: impl IntoIterator<Item = T>,
    close: &str,
    text: &mut String,
    mut tell: impl FnMut(T, &mut String),
) {
    text.push_str(open);
    for (item, number) in items.into_iter().zip(0..) {
        if number > 0 {
            text.push_str(", ");
        }
        if text.len() > TOLD_LEN_MAX {
            text.push_str("...");
            break;
        }
        tell(item, text);
    }
    text.push_str(close);
}
