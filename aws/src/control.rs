//! Paths of the endpoint itself, which no service has: is it there, how is it, what time is it, move the time on, drop
//! everything.

use crate::clock::MovableClock;
use crate::fields::{Dialect, Fields};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::reply::{Reply, reply};
use crate::value::Value;
use fourfold::Store;
use http::Method;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Below which they are.
pub(crate) const PATH: &str = "/_fourfold/";
/// Bytes of what such requests say, at most.
pub(crate) const BODY_LEN_MAX: usize = 4 << 10;
const CONTENT_TYPE: &str = "application/json";
/// What Prometheus asks for.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The store behind a router, and what may be done to it from outside.
#[derive(Clone)]
pub(crate) struct Control {
    /// Another one after a reset.
    store: Arc<RwLock<Store>>,
    pub(crate) clock: Option<MovableClock>,
    pub(crate) fresh: Option<Arc<dyn Fn() -> Store + Send + Sync>>,
}

impl Control {
    pub(crate) fn new(store: Store) -> Self {
        Self { store: Arc::new(RwLock::new(store)), clock: None, fresh: None }
    }

    /// The store as of now.
    pub(crate) fn store(&self) -> Store {
        // No code runs under the lock that could leave it half done.
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers a request for what stands behind [`PATH`].
    pub(crate) fn answer(&self, metrics: &Metrics, method: &Method, path: &str, body: &[u8]) -> Reply {
        match (method.as_str(), path) {
            ("GET" | "HEAD", "health") => json(200, &Value::map([("status", Some("ok".into()))])),
            ("GET" | "HEAD", "metrics") => {
                let store = self.store();
                let text = metrics.text(&store.stats()) + &metrics.gauges.text(&store);
                reply(200, METRICS_TYPE, text)
            }
            ("GET" | "HEAD", "clock") => self.time(),
            ("POST", "clock") => self.advance(body),
            ("POST", "reset") => {
                let reply = self.reset();
                metrics.gauges.forget();
                reply
            }
            (_, "health" | "metrics" | "clock" | "reset") => error(405, "Method not allowed."),
            _ => error(404, "There are /_fourfold/health, metrics, clock and reset."),
        }
    }

    fn advance(&self, body: &[u8]) -> Reply {
        let Some(clock) = &self.clock else {
            return error(409, "The clock cannot be moved: the server was started without --movable-clock.");
        };
        match duration(body) {
            Ok(duration) => {
                clock.advance(duration);
                match self.store().maintain() {
                    Ok(()) => self.time(),
                    Err(fault) => {
                        error(500, &format!("The time has moved, what fell due is not done: {fault}"))
                    }
                }
            }
            Err(refusal) => error(400, &refusal.message),
        }
    }

    fn reset(&self) -> Reply {
        let Some(fresh) = &self.fresh else {
            return error(409, "Only a store in memory can be reset: remove the directory of another one.");
        };
        let store = fresh();
        let old = std::mem::replace(&mut *self.store.write().unwrap_or_else(PoisonError::into_inner), store);
        drop(old);
        json(200, &Value::map([("status", Some("reset".into()))]))
    }

    fn time(&self) -> Reply {
        let now = self.store().now();
        json(
            200,
            &Value::map([("now_ms", Some(now.as_millis().into())), ("now", Some(now.to_string().into()))]),
        )
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("clock", &self.clock)
            .field("can_reset", &self.fresh.is_some())
            .finish_non_exhaustive()
    }
}

/// `{"advance_ms": 1000}`.
fn duration(body: &[u8]) -> Result<Duration, Refusal> {
    let bad = || Refusal::serialization("Expected {\"advance_ms\": <milliseconds>}.");
    let value: Value = serde_json::from_slice(body).map_err(|_| bad())?;
    let millis = Fields::of(value, Dialect::Sqs)?.int("advance_ms")?.ok_or_else(bad)?;
    u64::try_from(millis).map(Duration::from_millis).map_err(|_| bad())
}

fn error(status: u16, message: &str) -> Reply {
    json(status, &Value::map([("error", Some(message.into()))]))
}

fn json(status: u16, value: &Value) -> Reply {
    reply(status, CONTENT_TYPE, value.to_json())
}
