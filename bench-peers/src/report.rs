//! Results of all rounds: medians, ratios formed within a round, and the file for other programs.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use crate::engine::{Class, ENGINES, Engine};
use crate::workload::{Metrics, WORKLOADS, Workload};

/// What one child measured.
pub struct Sample {
    pub round: usize,
    pub workload: &'static str,
    pub engine: &'static str,
    pub metrics: Metrics,
}

pub const METRICS: &[&str] = &[
    "k/s", "fg k/s", "tot k/s", "p50 us", "p99 us", "B/op", "settle s", "disk MB", "anon MB", "space",
    "open ms", "again ms", "lost %",
];

/// A ratio that moves more than this from round to round deserves a warning.
const NOISY: f64 = 0.25;

pub fn print(samples: &[Sample]) {
    for workload in WORKLOADS {
        let rows: Vec<&Sample> = samples.iter().filter(|s| s.workload == workload.name).collect();
        if rows.is_empty() {
            continue;
        }
        let class = if workload.class == Class::Power { "power loss" } else { "process end" };
        let columns: Vec<&str> =
            METRICS.iter().copied().filter(|m| rows.iter().any(|s| s.metrics.contains_key(m))).collect();
        println!(
            "\n{} ({} B values, {} thread(s), {class})",
            workload.name, workload.value, workload.threads
        );
        println!("  {:<17}{}", "", columns.iter().fold(String::new(), |line, c| line + &format!("{c:>10}")));
        for engine in ENGINES {
            let mine: Vec<&Sample> = rows.iter().copied().filter(|s| s.engine == engine.name).collect();
            if mine.is_empty() {
                continue;
            }
            let cells = columns.iter().fold(String::new(), |line, column| {
                let values: Vec<f64> = mine.iter().filter_map(|s| s.metrics.get(column).copied()).collect();
                line + &format!("{:>10}", median(values).map_or_else(|| "-".into(), number))
            });
            println!("  {:<17}{cells}", engine.name);
        }
        print_ratios(workload, &rows);
    }
}

fn print_ratios(workload: &Workload, rows: &[&Sample]) {
    let (ours, peers): (Vec<&Engine>, Vec<&Engine>) = ENGINES.iter().partition(|e| e.name.starts_with("our"));
    for ours in ours {
        for metric in workload.compare {
            let mut line = String::new();
            for peer in &peers {
                let ratios: Vec<f64> = rows
                    .iter()
                    .filter(|s| s.engine == ours.name)
                    .filter_map(|a| {
                        let b = rows.iter().find(|b| b.round == a.round && b.engine == peer.name)?;
                        Some(a.metrics.get(metric)? / b.metrics.get(metric)?)
                    })
                    .collect();
                let low = ratios.iter().copied().fold(f64::MAX, f64::min);
                let high = ratios.iter().copied().fold(0.0, f64::max);
                if let Some(mid) = median(ratios) {
                    let noisy = if high - low > NOISY * mid { " noisy" } else { "" };
                    let _ = write!(line, "  {} {mid:.2} ({low:.2}-{high:.2}{noisy})", peer.name);
                }
            }
            if !line.is_empty() {
                println!("  {metric}: {} /{line}", ours.name);
            }
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let mid = values.len() / 2;
    Some(if values.len() % 2 == 1 {
        values[mid]
    } else {
        (values.get(mid.checked_sub(1)?)? + values[mid]) / 2.0
    })
}

fn number(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 1.0 => format!("{v:.2}"),
        v => format!("{v:.4}"),
    }
}

pub fn write_json(path: &Path, machine: &str, samples: &[Sample]) -> io::Result<()> {
    let mut lines = Vec::new();
    for sample in samples {
        let metrics: Vec<String> =
            sample.metrics.iter().map(|(name, value)| format!("{name:?}: {value}")).collect();
        lines.push(format!(
            "    {{\"round\": {}, \"workload\": {:?}, \"engine\": {:?}, \"metrics\": {{{}}}}}",
            sample.round,
            sample.workload,
            sample.engine,
            metrics.join(", ")
        ));
    }
    fs::write(
        path,
        format!("{{\n  \"machine\": {machine:?},\n  \"samples\": [\n{}\n  ]\n}}\n", lines.join(",\n")),
    )
}
