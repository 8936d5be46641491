//! One table of cases for each service, answered three ways: by the library, by the SDK in process, by the SDK over TCP. Values,
//! codes and messages are the same. What the services' models forbid is refused before the library is asked, and in the words
//! of the service's front, which the library does not have: of such refusals the codes are the same.
#![expect(clippy::too_many_lines, reason = "tables, and an arm for each request in them")]

mod objects;
mod queues;
mod streams;
mod tables;

use crate::wire::Wire;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use fourfold::Store;
use fourfold_aws::{Router, sdk};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

/// What comes of a request: what there is to tell of the answer, or a refusal.
type Answer = Result<String, Refused>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Refused {
    code: String,
    message: String,
}

impl Refused {
    fn new(code: &str, message: &(impl ToString + ?Sized)) -> Self {
        Self { code: code.to_owned(), message: message.to_string() }
    }
}

/// What a refusal of the SDK says.
macro_rules! answer {
    ($sent:expr) => {
        $sent.send().await.map_err(|error| {
            let error = error.into_service_error();
            let meta = error.meta();
            crate::table::Refused::new(meta.code().unwrap_or_default(), meta.message().unwrap_or_default())
        })
    };
}
use answer;

/// A row of a table.
#[derive(Debug)]
enum Row<R> {
    /// What is asked, and what comes of it: what the answer has in it, or the code of the refusal.
    Ask(R, Result<&'static str, &'static str>),
    /// The same, refused over the wire before the library is asked, with this code.
    Front(R, &'static str),
    /// Time passes.
    Pass(Duration),
}

fn is<R>(request: R, has: &'static str) -> Row<R> {
    Row::Ask(request, Ok(has))
}

fn no<R>(request: R, code: &'static str) -> Row<R> {
    Row::Ask(request, Err(code))
}

fn front<R>(request: R, code: &'static str) -> Row<R> {
    Row::Front(request, code)
}

fn pass<R>(seconds: u64) -> Row<R> {
    Row::Pass(Duration::from_secs(seconds))
}

/// What later requests need of earlier answers: receipt handles, iterators, ids.
#[derive(Debug, Default)]
struct Known(BTreeMap<String, String>);

impl Known {
    fn keep(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// What is known by that name; what is not is taken as it is.
    fn get<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name).map_or(name, |value| value)
    }
}

/// Answers a table each way, on stores that begin alike.
async fn check<R: Debug, C>(
    rows: &[Row<R>],
    native: impl Fn(&Store, &mut Known, &R) -> Answer,
    client: impl Fn(&SdkConfig) -> C,
    by_sdk: impl AsyncFn(&C, &mut Known, &R) -> Answer,
) {
    let mut wrong = Vec::new();
    let ((store, clock), mut known) = (crate::store(), Known::default());
    let mut expected = Vec::new();
    for row in rows {
        let (request, has) = match row {
            Row::Pass(duration) => {
                clock.advance(*duration);
                continue;
            }
            Row::Ask(request, has) => (request, *has),
            Row::Front(request, code) => (request, Err(*code)),
        };
        let answer = native(&store, &mut known, request);
        let is_right = match (&answer, has) {
            (Ok(answer), Ok(has)) => answer.contains(has),
            (Err(refused), Err(code)) => refused.code == code,
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{request:?}: {answer:?}, not {has:?}"));
        }
        expected.push(answer);
    }
    assert!(expected.len() >= 60, "{} cases", expected.len());
    for over_tcp in [false, true] {
        let ((store, clock), mut known) = (crate::store(), Known::default());
        // A refusal that is tried again would wait for a clock that stands still.
        let mut config = sdk::config(&store).to_builder().retry_config(RetryConfig::disabled()).build();
        if over_tcp {
            let wire = Wire::new(Router::new(store)).await;
            config = config.to_builder().endpoint_url(wire.endpoint()).http_client(wire).build();
        }
        let client = client(&config);
        let mut expected = expected.iter();
        for row in rows {
            let (request, is_front) = match row {
                Row::Pass(duration) => {
                    clock.advance(*duration);
                    continue;
                }
                Row::Ask(request, _) => (request, false),
                Row::Front(request, _) => (request, true),
            };
            let (answer, expected) = (by_sdk(&client, &mut known, request).await, expected.next());
            let is_same = match (&answer, expected) {
                (Err(refused), Some(Err(expected))) if is_front => refused.code == expected.code,
                (answer, expected) => Some(answer) == expected,
            };
            if !is_same {
                let way = if over_tcp { "over TCP" } else { "in process" };
                wrong.push(format!("{request:?} {way}: {answer:?}, by the library {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The parts of an answer; one that is not there is a dash.
fn told<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.map(|part| part.unwrap_or_else(|| "-".to_owned())).join(" ")
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(" ")
}
