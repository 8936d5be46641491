//! What surrounds each operation of the four services: faults that a test asked for, spans, metrics.
//!
//! C1. With nothing switched on a call costs one relaxed load.
//! C2. Whether a call fails, and how, is decided before the operation looks at anything; a failure on the way in has done
//!     nothing, a lost reply has done everything.
//! C3. No lock is held while a call waits, is begun or is ended.
//!
//! An operation is written as `self.store.call("SendMessage", name, || …)`, or as `call_async` with a future. What is a
//! future of its own, as a receive, holds a [`Call`].

#[cfg(feature = "metrics")]
mod metered;
#[cfg(feature = "metrics")]
use metered as meter;
#[cfg(not(feature = "metrics"))]
mod unmetered;
#[cfg(not(feature = "metrics"))]
use unmetered as meter;

#[cfg(feature = "tracing")]
mod traced;
#[cfg(feature = "tracing")]
use traced as trace;
#[cfg(not(feature = "tracing"))]
mod untraced;
#[cfg(not(feature = "tracing"))]
use untraced as trace;

use crate::clock::{Alarm, Clock, Parker, Timestamp};
use crate::faults::plan::{Fate, Outcome, Plan};
use crate::faults::{Failure, Injected, Service};
use crate::store::Store;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// The error of a service, to those who count errors and who make them.
pub(crate) trait Refusal: Sized {
    /// Whose error it is.
    const SERVICE: Service;

    /// The service's code.
    fn code(&self) -> &'static str;

    /// The error that a failed call is answered with, by the service's name for it.
    fn injected(injected: Injected) -> Self;

    /// The error of a busy service, where callers know it as one of its own.
    fn throttled(store: &Store, resource: &str) -> Self {
        let _ = (store, resource);
        Self::injected(Injected::of(Self::SERVICE, Failure::Throttle))
    }
}

/// A call that is under way.
#[derive(Debug)]
pub(crate) struct Call {
    service: Service,
    operation: &'static str,
    resource: String,
    fate: Option<Fate>,
    /// Until when the call is held up, and the alarm for it.
    held: Option<(Timestamp, Alarm)>,
    began: Timestamp,
    span: trace::Span,
}

impl Store {
    /// Runs an operation on `resource`.
    #[inline]
    pub(crate) fn call<T, E: Refusal>(
        &self,
        operation: &'static str,
        resource: &str,
        verb: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        if self.is_watched() { self.run_watched(operation, resource, verb) } else { verb() }
    }

    /// [`call`](Self::call) of an operation that is only noted down: a reply that is lost is a refusal, so that nothing is
    /// done that the caller was told has failed.
    #[inline]
    pub(crate) fn call_staged<T, E: Refusal>(
        &self,
        operation: &'static str,
        resource: &str,
        verb: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        if !self.is_watched() {
            return verb();
        }
        let mut call = self.begin_call::<E>(operation, resource);
        if let Some(fate) = &mut call.fate
            && let Outcome::LoseReply(failure) = fate.outcome
        {
            fate.outcome = Outcome::Refuse(failure);
        }
        call.run(self, verb)
    }

    /// [`call`](Self::call) of an operation that holds no thread.
    #[inline]
    pub(crate) async fn call_async<T, E: Refusal>(
        &self,
        operation: &'static str,
        resource: &str,
        verb: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if !self.is_watched() {
            return verb.await;
        }
        let mut call = self.begin_call::<E>(operation, resource);
        if let Err(error) = poll_fn(|context| call.poll_enter(self, context.waker())).await {
            return call.end(self, Err(error));
        }
        let outcome = trace::in_span(&call.span, verb).await;
        call.end(self, outcome)
    }

    /// A call that is entered and ended by hand; none if nobody wants to know of it.
    #[inline]
    pub(crate) fn watch_call<E: Refusal>(
        &self,
        operation: &'static str,
        resource: &str,
    ) -> Option<Box<Call>> {
        self.is_watched().then(|| Box::new(self.begin_call::<E>(operation, resource)))
    }

    /// The name for a call that consumes its request; nothing if nobody wants to know.
    #[inline]
    pub(crate) fn call_name(&self, resource: &str) -> String {
        if self.is_watched() { resource.to_owned() } else { String::new() }
    }

    #[inline]
    fn is_watched(&self) -> bool {
        meter::IS_ON || trace::IS_ON || self.plan().is_armed()
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.inner.plan
    }

    #[cold]
    fn run_watched<T, E: Refusal>(
        &self,
        operation: &'static str,
        resource: &str,
        verb: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.begin_call::<E>(operation, resource).run(self, verb)
    }

    fn begin_call<E: Refusal>(&self, operation: &'static str, resource: &str) -> Call {
        let began = self.now();
        Call {
            service: E::SERVICE,
            operation,
            resource: resource.to_owned(),
            fate: self.plan().decide(E::SERVICE, operation, resource, began),
            held: None,
            began,
            span: trace::Span::new(E::SERVICE, operation, resource),
        }
    }
}

impl Call {
    fn run<T, E: Refusal>(mut self, store: &Store, verb: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let outcome = match self.enter(store) {
            Ok(()) => self.span.inside(verb),
            Err(error) => Err(error),
        };
        self.end(store, outcome)
    }

    /// Holds the thread up for as long as the call is to take, then lets it in or not.
    fn enter<E: Refusal>(&mut self, store: &Store) -> Result<(), E> {
        let mut parker = Parker::new();
        let waker = parker.waker();
        loop {
            match self.poll_enter(store, &waker) {
                Poll::Ready(entered) => return entered,
                Poll::Pending => parker.wait(),
            }
        }
    }

    /// Lets the call in, or not, once it was held up for as long as it is to take. After that it is ready at once.
    pub(crate) fn poll_enter<E: Refusal>(&mut self, store: &Store, waker: &Waker) -> Poll<Result<(), E>> {
        let Some(fate) = &mut self.fate else { return Poll::Ready(Ok(())) };
        if !fate.delay.is_zero() {
            let until = self.held.take().map_or_else(|| store.now() + fate.delay, |(until, _)| until);
            if store.now() < until {
                self.held = Some((until, store.clock().wake_at(until, waker.clone())));
                return Poll::Pending;
            }
            fate.delay = std::time::Duration::ZERO;
        }
        Poll::Ready(match fate.outcome {
            Outcome::Refuse(failure) => {
                self.fate = None;
                Err(error_of(failure, store, &self.resource))
            }
            Outcome::Pass | Outcome::LoseReply(_) => Ok(()),
        })
    }

    /// Does a part of the operation.
    pub(crate) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.inside(work)
    }

    /// What the caller gets to hear of the operation's outcome.
    pub(crate) fn end<T, E: Refusal>(&mut self, store: &Store, outcome: Result<T, E>) -> Result<T, E> {
        let lost = match self.fate.take() {
            Some(Fate { outcome: Outcome::LoseReply(failure), .. }) => Some(failure),
            _ => None,
        };
        let outcome = match (outcome, lost) {
            (Ok(_), Some(failure)) => Err(E::injected(Injected::lost(E::SERVICE, failure))),
            (outcome, _) => outcome,
        };
        let code = outcome.as_ref().err().map(E::code);
        let took = store.now() - self.began;
        meter::ended(self.service, self.operation, code, took);
        self.span.ended(code);
        outcome
    }
}

fn error_of<E: Refusal>(failure: Failure, store: &Store, resource: &str) -> E {
    match failure {
        Failure::Throttle => E::throttled(store, resource),
        other => E::injected(Injected::of(E::SERVICE, other)),
    }
}
