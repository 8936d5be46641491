//! Paths of the endpoint itself, which no service has: is it there, what time is it, move the time on.

use crate::clock::MovableClock;
use crate::fields::{Dialect, Fields};
use crate::refusal::Refusal;
use crate::reply::{Reply, reply};
use crate::value::Value;
use fourfold::Store;
use http::Method;
use std::time::Duration;

/// Below which they are.
pub(crate) const PATH: &str = "/_fourfold/";
const CONTENT_TYPE: &str = "application/json";

/// Answers a request for what stands behind [`PATH`].
pub(crate) fn answer(
    store: &Store,
    clock: Option<&MovableClock>,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Reply {
    match (method.as_str(), path) {
        ("GET" | "HEAD", "health") => json(200, &Value::map([("status", Some("ok".into()))])),
        ("GET" | "HEAD", "clock") => time(store),
        ("POST", "clock") => match clock {
            Some(clock) => match advance(clock, body) {
                Ok(()) => time(store),
                Err(refusal) => error(400, &refusal.message),
            },
            None => error(409, "The clock cannot be moved: the server was started without --movable-clock."),
        },
        (_, "health" | "clock") => error(405, "Method not allowed."),
        _ => error(404, "There is /_fourfold/health and /_fourfold/clock."),
    }
}

/// `{"advance_ms": 1000}`.
fn advance(clock: &MovableClock, body: &[u8]) -> Result<(), Refusal> {
    let bad = || Refusal::serialization("Expected {\"advance_ms\": <milliseconds>}.");
    let value: Value = serde_json::from_slice(body).map_err(|_| bad())?;
    let millis = Fields::of(value, Dialect::Sqs)?.int("advance_ms")?.ok_or_else(bad)?;
    clock.advance(Duration::from_millis(u64::try_from(millis).map_err(|_| bad())?));
    Ok(())
}

fn time(store: &Store) -> Reply {
    let now = store.now();
    json(200, &Value::map([("now_ms", Some(now.as_millis().into())), ("now", Some(now.to_string().into()))]))
}

fn error(status: u16, message: &str) -> Reply {
    json(status, &Value::map([("error", Some(message.into()))]))
}

fn json(status: u16, value: &Value) -> Reply {
    reply(status, CONTENT_TYPE, value.to_json())
}
