//! What was asked and how long it took, and what the store consists of, in the text form of Prometheus.

use crate::gauges::Gauges;
use fourfold::Stats;
use http::StatusCode;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Operations that are counted by name. Names are the callers', so there is an end to them; others are one.
const OPERATIONS_MAX: usize = 256;
const OTHER: &str = "other";
/// No operation of a service has a longer name.
const NAME_LEN_MAX: usize = 64;
/// Upper ends of the classes of durations, in microseconds; a long poll may take 20 s.
const ENDS: [u64; 12] = [50, 100, 250, 500, 1000, 2500, 5000, 10_000, 50_000, 250_000, 1_000_000, 20_000_000];

/// Service and operation.
type Name = (&'static str, String);

/// Counts since the router was made.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    operations: Mutex<BTreeMap<Name, Operation>>,
    pub(crate) gauges: Gauges,
}

/// Counts of one operation.
#[derive(Debug, Default)]
struct Operation {
    by_status: BTreeMap<u16, u64>,
    /// By [`ENDS`], each class without those below.
    by_duration: [u64; ENDS.len()],
    /// In all, longer ones included.
    count: u64,
    total: Duration,
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Timer<'a> {
    metrics: &'a Metrics,
    begun: Instant,
}

impl Metrics {
    #[expect(clippy::disallowed_methods, reason = "how long work took is a matter of the machine's time")]
    pub(crate) fn start(&self) -> Timer<'_> {
        Timer { metrics: self, begun: Instant::now() }
    }

    fn count(&self, name: Name, status: StatusCode, took: Duration) {
        // A count that was half done is still a count.
        let mut operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        let is_name = name.1.len() <= NAME_LEN_MAX && name.1.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_counted = is_name && (operations.contains_key(&name) || operations.len() < OPERATIONS_MAX);
        let name = if is_counted { name } else { (name.0, OTHER.to_owned()) };
        let operation = operations.entry(name).or_default();
        *operation.by_status.entry(status.as_u16()).or_default() += 1;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(class) = operation.by_duration.get_mut(ENDS.partition_point(|end| *end < micros)) {
            *class += 1;
        }
        operation.count += 1;
        operation.total += took;
    }

    /// All of it.
    pub(crate) fn text(&self, stats: &Stats) -> String {
        let operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        head(&mut text, "fourfold_requests_total", "counter", "Requests that were answered.");
        for (name, operation) in &*operations {
            for (status, count) in &operation.by_status {
                let labels = labels(name);
                let _ = writeln!(text, "fourfold_requests_total{{{labels},status=\"{status}\"}} {count}");
            }
        }
        head(&mut text, "fourfold_request_seconds", "histogram", "Time to the head of the answer.");
        for (name, operation) in &*operations {
            operation.durations(&labels(name), &mut text);
        }
        drop(operations);
        store(stats, &mut text);
        text
    }
}

impl Timer<'_> {
    /// The request is answered.
    pub(crate) fn stop(self, name: Name, status: StatusCode) {
        self.metrics.count(name, status, self.begun.elapsed());
    }
}

impl Operation {
    fn durations(&self, labels: &str, text: &mut String) {
        let mut below = 0;
        for (end, count) in ENDS.iter().zip(self.by_duration) {
            below += count;
            let end = Duration::from_micros(*end).as_secs_f64();
            let _ = writeln!(text, "fourfold_request_seconds_bucket{{{labels},le=\"{end}\"}} {below}");
        }
        let (count, total) = (self.count, self.total.as_secs_f64());
        let _ = writeln!(text, "fourfold_request_seconds_bucket{{{labels},le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "fourfold_request_seconds_sum{{{labels}}} {total}");
        let _ = writeln!(text, "fourfold_request_seconds_count{{{labels}}} {count}");
    }
}

pub(crate) fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// What a caller named has letters and digits only, and an end.
fn labels((service, operation): &Name) -> String {
    let operation: String = operation.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    format!("service=\"{service}\",operation=\"{operation}\"")
}

fn store(stats: &Stats, text: &mut String) {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let gauges = [
        ("memtable_bytes", "Bytes of memory in memtables.", stats.memtable_bytes),
        ("log_bytes", "Bytes of log segments.", stats.log_bytes),
        ("run_bytes", "Bytes of sorted runs.", stats.run_bytes),
        ("blob_bytes", "Bytes of blob segments.", stats.blob_bytes),
        ("runs", "Sorted runs.", count(stats.runs)),
        ("keyspaces", "Live keyspaces.", count(stats.keyspaces)),
        ("snapshots", "Open snapshots and ranges.", count(stats.snapshots)),
    ];
    for (name, help, value) in gauges {
        let name = format!("fourfold_store_{name}");
        head(text, &name, "gauge", help);
        let _ = writeln!(text, "{name} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_operation_status_and_duration() {
        let metrics = Metrics::default();
        let name = || ("sqs", "SendMessage".to_owned());
        for micros in [50, 51, 30_000_000] {
            metrics.count(name(), StatusCode::OK, Duration::from_micros(micros));
        }
        metrics.count(name(), StatusCode::BAD_REQUEST, Duration::ZERO);
        let text = metrics.text(&fourfold::Store::in_memory().stats());
        for line in [
            "fourfold_requests_total{service=\"sqs\",operation=\"SendMessage\",status=\"200\"} 3",
            "fourfold_requests_total{service=\"sqs\",operation=\"SendMessage\",status=\"400\"} 1",
            "fourfold_request_seconds_bucket{service=\"sqs\",operation=\"SendMessage\",le=\"0.00005\"} 2",
            "fourfold_request_seconds_bucket{service=\"sqs\",operation=\"SendMessage\",le=\"20\"} 3",
            "fourfold_request_seconds_bucket{service=\"sqs\",operation=\"SendMessage\",le=\"+Inf\"} 4",
            "fourfold_store_keyspaces 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn names_of_callers_have_an_end() {
        let metrics = Metrics::default();
        for number in 0..2 * OPERATIONS_MAX {
            metrics.count(("sqs", format!("Name{number}")), StatusCode::OK, Duration::ZERO);
        }
        // What no operation is called is not kept at all.
        metrics.count(("sqs", "a".repeat(1 << 20)), StatusCode::OK, Duration::ZERO);
        metrics.count(("sqs", "\"\n".to_owned()), StatusCode::OK, Duration::ZERO);
        assert_eq!(metrics.operations.lock().unwrap().len(), OPERATIONS_MAX + 1);
        let text = metrics.text(&fourfold::Store::in_memory().stats());
        assert!(text.contains(&format!("operation=\"other\",status=\"200\"}} {}", OPERATIONS_MAX + 2)));
    }
}
