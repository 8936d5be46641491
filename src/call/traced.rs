//! With the feature `tracing`: a span for each operation, with the error's code once it is known.

use crate::faults::Service;
use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument, debug_span};

pub(super) const IS_ON: bool = true;

#[derive(Debug)]
pub(super) struct Span(tracing::Span);

impl Span {
    pub(super) fn new(service: Service, operation: &'static str, resource: &str) -> Self {
        let service = service.name();
        Self(debug_span!(target: "fourfold", "call", service, operation, resource, error = Empty))
    }

    pub(super) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }

    pub(super) fn ended(&self, code: Option<&'static str>) {
        if let Some(code) = code {
            self.0.record("error", code);
        }
    }
}

pub(super) fn in_span<F: Future>(span: &Span, work: F) -> Instrumented<F> {
    work.instrument(span.0.clone())
}
