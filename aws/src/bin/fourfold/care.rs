//! `fourfold verify`, `checkpoint` and `repair`: looking after a store.

use crate::{DAMAGED, Done, open, say};
use clap::Args;
use fourfold::Corruption;
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// What every one of them takes.
#[derive(Args)]
pub(crate) struct Common {
    /// Directory of the store. No other process may have it open.
    directory: PathBuf,
    /// Answers in JSON, on one line.
    #[arg(long)]
    json: bool,
    /// Says nothing: the exit status is the answer.
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
}

impl Common {
    fn tell(&self, value: &Value, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
        match (self.quiet, self.json) {
            (true, _) => Ok(()),
            (false, true) => say(value),
            (false, false) => lines.into_iter().try_for_each(say),
        }
    }
}

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    common: Common,
}

impl Verify {
    pub(crate) fn run(self) -> Done {
        let common = self.common;
        // A store that is too damaged to be opened is a finding as well.
        let problems = match open(&common.directory) {
            Ok(store) => store.verify()?,
            Err(error) => match error.downcast::<fourfold::Error>().map(|error| *error) {
                Ok(fourfold::Error::Corrupt(problem)) => vec![*problem],
                Ok(error) => return Err(error.into()),
                Err(error) => return Err(error),
            },
        };
        let found: Vec<Value> = problems.iter().map(described).collect();
        let verdict =
            if problems.is_empty() { "sound".to_owned() } else { format!("{} damaged", problems.len()) };
        let lines = problems.iter().map(ToString::to_string).chain([verdict]);
        common.tell(&json!({ "sound": problems.is_empty(), "problems": found }), lines)?;
        Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
    }
}

#[derive(Args)]
pub(crate) struct Checkpoint {
    #[command(flatten)]
    common: Common,
    /// Directory of the copy: missing or empty.
    to: PathBuf,
}

impl Checkpoint {
    pub(crate) fn run(self) -> Done {
        let position = open(&self.common.directory)?.checkpoint(&self.to)?;
        let line = format!("{} as of {position}", self.to.display());
        self.common.tell(&json!({ "directory": self.to, "position": position.get() }), [line])?;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Args)]
pub(crate) struct Repair {
    #[command(flatten)]
    common: Common,
}

impl Repair {
    pub(crate) fn run(self) -> Done {
        let report = fourfold::repair(&self.common.directory)?;
        let found: Vec<Value> = report.problems.iter().map(described).collect();
        let is_sound = report.log_end.is_none() && report.problems.is_empty() && report.kept.is_empty();
        let value = json!({
            "was_sound": is_sound,
            "log_end": report.log_end.map(fourfold::Position::get),
            "problems": found,
            "kept": report.kept,
        });
        let end =
            report.log_end.map(|end| format!("the log was cut: what was written at {end} or later is gone"));
        let kept = report.kept.iter().map(|file| format!("kept aside: {}", file.display()));
        let verdict = if is_sound { "there was nothing to repair" } else { "the store can be opened" };
        let problems = report.problems.iter().map(ToString::to_string);
        self.common.tell(&value, end.into_iter().chain(problems).chain(kept).chain([verdict.to_owned()]))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn described(problem: &Corruption) -> Value {
    json!({
        "file": problem.file,
        "offset": problem.offset,
        "what": problem.what,
        "expected": problem.expected,
        "found": problem.found,
    })
}
