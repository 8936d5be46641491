//! What an update counts for towards the size that an item may have, whatever the item is.
//!
//! The service adds up what the expression says, not what becomes of the item: a value of the request at every use, a
//! path as it is written, and something for every action, operator and function.

use super::Update;
use super::tree::{Change, Term};
use crate::kv::expr::path::{Path, Step};
use crate::kv::value::AttributeValue;

/// Of every update.
const UPDATE: usize = 3;
/// Of each action that writes, and of each that takes away.
const WRITE: usize = 19;
const TAKE: usize = 1;
/// Of each further element of the path to what is changed.
const TARGET_STEP: usize = 4;
/// Of a path that is read, and of each of its elements.
const READ: usize = 1;
const READ_STEP: usize = 14;
const PLUS: usize = 34;
const MINUS: usize = 37;
const LIST_APPEND: usize = 37;
const IF_NOT_EXISTS: usize = 39;

impl Update {
    /// Does it count for more than `most` bytes? The older parameter counts for none. A value is walked through at every
    /// use, so no further ones are when it is enough.
    pub(crate) fn costs_more_than(&self, most: usize) -> bool {
        let mut sum = if self.is_legacy { return false } else { UPDATE };
        self.actions.iter().any(|action| {
            let target = target(&action.path);
            sum += match &action.change {
                Change::Set(value) | Change::Add(value) => WRITE + target + operand(value, &self.values),
                Change::Remove | Change::Delete(_) => TAKE + target,
            };
            sum > most
        })
    }
}

/// What is changed.
fn target(path: &Path) -> usize {
    let steps = path.steps().iter().map(|step| TARGET_STEP + step_len(step));
    path.root().len() + steps.sum::<usize>()
}

/// A path that is read; what it leads to costs nothing.
fn read(path: &Path) -> usize {
    let steps = path.steps().iter().map(|step| READ_STEP + step_len(step));
    READ + READ_STEP + path.root().len() + steps.sum::<usize>()
}

fn operand(term: &Term, values: &[AttributeValue]) -> usize {
    let both = |a: &Term, b: &Term| operand(a, values) + operand(b, values);
    match term {
        Term::Path(path) => read(path),
        Term::Slot(_) | Term::Literal(_) => term.constant(values).map_or(0, AttributeValue::size),
        Term::IfNotExists(path, default) => IF_NOT_EXISTS + read(path) + operand(default, values),
        Term::ListAppend(a, b) => LIST_APPEND + both(a, b),
        Term::Plus(a, b) => PLUS + both(a, b),
        Term::Minus(a, b) => MINUS + both(a, b),
    }
}

/// Bytes of a name, digits of an index.
fn step_len(step: &Step) -> usize {
    match step {
        Step::Field(name) => name.len(),
        Step::Index(index) => index.checked_ilog10().map_or(1, |digits| digits as usize + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::expr::Names;
    use crate::kv::item;

    /// Exactly so much.
    fn costs(update: &Update, bytes: usize) -> bool {
        update.costs_more_than(bytes - 1) && !update.costs_more_than(bytes)
    }

    #[test]
    fn what_is_written_counts_and_what_is_read_or_removed_hardly() {
        let values = item! { ":s" => "y".repeat(10), ":n" => 1, ":l" => ["yyyyyyyyyy"], ":m" => item! { "a" => "yy" } };
        for (text, cost) in [
            ("SET b = :s", 3 + 19 + 1 + 10),
            ("SET b = :s, c = :s", 3 + 2 * (19 + 1 + 10)),
            ("SET b = :m", 3 + 19 + 1 + (3 + 1 + 1 + 2)),
            ("SET d.leaf = :s", 3 + 19 + (1 + 4 + 4) + 10),
            ("SET d[10] = :s", 3 + 19 + (1 + 4 + 2) + 10),
            ("SET d[0] = :s", 3 + 19 + (1 + 4 + 1) + 10),
            ("SET c = big", 3 + 19 + 1 + (1 + 14 + 3)),
            ("SET c = m.a[10]", 3 + 19 + 1 + (1 + 14 + 1 + 14 + 1 + 14 + 2)),
            ("SET l = list_append(l, :l)", 3 + 19 + 1 + 37 + 16 + (3 + 1 + 10)),
            ("SET n = n + :n", 3 + 19 + 1 + 34 + 16 + 2),
            ("SET n = n - :n", 3 + 19 + 1 + 37 + 16 + 2),
            ("SET c = if_not_exists(c, :s)", 3 + 19 + 1 + 39 + 16 + 10),
            ("ADD sumup :n", 3 + 19 + 5 + 2),
            ("REMOVE sumup, m.x, l[10]", 3 + (1 + 5) + (1 + 1 + 4 + 1) + (1 + 1 + 4 + 2)),
        ] {
            let used = values.iter().filter(|(name, _)| text.contains(name.as_str()));
            let used = used.map(|(name, value)| (name.clone(), value.clone())).collect();
            let update = Update::parse(text, &Names::new(), &used).unwrap();
            assert!(costs(&update, cost), "{text}");
        }
        let members = item! { ":d" => crate::kv::AttributeValue::Ss(crate::kv::Set::new(vec!["q".to_owned()]).unwrap()) };
        let update = Update::parse("DELETE marks :d", &Names::new(), &members).unwrap();
        assert!(costs(&update, 3 + 1 + 5));
        let update = Update::parse("ADD marks :d", &Names::new(), &members).unwrap();
        assert!(costs(&update, 3 + 19 + 5 + 1));
    }
}
