//! `fourfold inspect`: what a store holds.

use crate::{Done, open, say};
use clap::Args;
use fourfold::kv::{IndexStats, TableStats};
use fourfold::objects::ListBuckets;
use fourfold::stream::ListStreams;
use fourfold::{RecoveryReport, Stats, Store};
use serde_json::{Map, Value, json};
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Args)]
pub(crate) struct Inspect {
    /// Directory of the store. No other process may have it open.
    directory: PathBuf,
    /// Answers in JSON, on one line.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn run(self) -> Done {
        let store = open(&self.directory)?;
        let all = json!({
            "store": described(&store.stats()),
            "opened": recovered(store.recovery()),
            "queues": queues(&store)?,
            "streams": streams(&store)?,
            "tables": tables(&store)?,
            "buckets": buckets(&store)?,
            "keyspaces": store.keyspaces()?.into_iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        });
        if self.json {
            say(all)?;
        } else {
            say(text(&all))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn described(stats: &Stats) -> Value {
    json!({
        "epoch": stats.epoch,
        "frontier": stats.frontier.get(),
        "folded": stats.folded.get(),
        "log_bytes": stats.log_bytes,
        "run_bytes": stats.run_bytes,
        "blob_bytes": stats.blob_bytes,
        "runs": stats.runs,
        "entries": stats.run_entries,
    })
}

fn recovered(report: &RecoveryReport) -> Value {
    json!({
        "clean": report.clean,
        "batches": report.frames,
        "bytes": report.bytes,
        "given_up_bytes": report.cut.as_ref().map_or(0, |cut| cut.bytes),
    })
}

fn queues(store: &Store) -> Result<Vec<Value>> {
    let (queues, mut found, mut token) = (store.queues(), Vec::new(), None::<String>);
    loop {
        let page = queues.list("", Some(1000), token.as_deref())?;
        for queue in &page.queues {
            let stats = queue.stats()?;
            found.push(json!({
                "name": queue.name(),
                "visible": stats.visible,
                "in_flight": stats.in_flight,
                "delayed": stats.delayed,
                "groups": stats.groups,
                "oldest_seconds": seconds(stats.oldest),
            }));
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn streams(store: &Store) -> Result<Vec<Value>> {
    let (streams, mut found, mut token) = (store.streams(), Vec::new(), None::<String>);
    loop {
        let mut request = ListStreams::default();
        request.next_token = token.as_deref();
        let page = streams.list(&request)?;
        for stream in &page.streams {
            let stats = streams.stream(&stream.name)?.stats()?;
            found.push(json!({
                "name": stream.name,
                "status": stream.status.to_string(),
                "open_shards": stats.open_shards,
                "closed_shards": stats.closed_shards,
                "records": stats.records,
                "bytes": stats.bytes,
                "oldest_seconds": seconds(stats.oldest),
                "consumers": stats.consumers.len(),
            }));
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn tables(store: &Store) -> Result<Vec<Value>> {
    let (tables, mut found, mut after) = (store.tables(), Vec::new(), None::<String>);
    loop {
        let page = tables.list_tables(after.as_deref(), None)?;
        for name in &page.names {
            found.push(table(name, &tables.table(name).stats()?));
        }
        after = page.last_evaluated;
        if after.is_none() {
            return Ok(found);
        }
    }
}

fn table(name: &str, stats: &TableStats) -> Value {
    let index = |index: &IndexStats| json!({ "items": index.items, "bytes": index.bytes });
    let indexes: Map<String, Value> =
        stats.indexes.iter().map(|found| (found.name.clone(), index(found))).collect();
    let changes = stats.changes.as_ref();
    json!({
        "name": name,
        "items": stats.items,
        "bytes": stats.bytes,
        "indexes": indexes,
        "changes": changes.map(|changes| changes.records),
        "oldest_change_seconds": changes.and_then(|changes| seconds(changes.oldest)),
        "next_expiry": stats.expires.map(|at| at.to_string()),
    })
}

/// None where there is nothing that could have an age.
fn seconds(age: Option<Duration>) -> Option<f64> {
    age.map(|age| age.as_secs_f64())
}

fn buckets(store: &Store) -> Result<Vec<Value>> {
    let (buckets, mut found, mut request) = (store.buckets(), Vec::new(), ListBuckets::default());
    loop {
        let page = buckets.list(&request)?;
        for bucket in &page.buckets {
            let stats = buckets.bucket(&bucket.name)?.stats()?;
            found.push(json!({
                "name": bucket.name,
                "objects": stats.objects,
                "versions": stats.versions,
                "delete_markers": stats.delete_markers,
                "bytes": stats.bytes,
                "uploads": stats.uploads,
                "part_bytes": stats.part_bytes,
            }));
        }
        request.continuation_token = page.continuation_token;
        if request.continuation_token.is_none() {
            return Ok(found);
        }
    }
}

/// For people: a line for each thing, those of a list below its name.
fn text(all: &Value) -> String {
    let mut text = String::new();
    for (name, value) in all.as_object().into_iter().flatten() {
        match value {
            Value::Array(items) => {
                let _ = writeln!(text, "{name}: {}", items.len());
                for item in items {
                    let _ = writeln!(text, "  {}", members(item));
                }
            }
            value => {
                let _ = writeln!(text, "{name}: {}", members(value));
            }
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// Its name first, if it has one.
fn members(value: &Value) -> String {
    let members = value.as_object().into_iter().flatten();
    let members: Vec<String> = members
        .filter(|(name, value)| *name != "name" && !value.is_null())
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            value => format!("{name} {value}"),
        })
        .collect();
    let members = members.join(", ");
    match value["name"].as_str() {
        Some(name) if members.is_empty() => name.to_owned(),
        Some(name) => format!("{name}: {members}"),
        None => members,
    }
}
