//! A request that was refused, before any protocol gives it a form.

use crate::value::Value;
use std::borrow::Cow;
use std::fmt;

/// Where the name of a refusal is from, which some protocols say in its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The service's model.
    Service,
    /// The layer that the services are built on: what every one of them may answer.
    Framework,
    /// The checks of a request against the model, before the service sees it.
    Validation,
}

/// What a refused request is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    /// The name of the error's shape.
    pub(crate) name: Cow<'static, str>,
    pub(crate) origin: Origin,
    /// The name in the older query protocol, if it has another.
    pub(crate) query_code: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) status: u16,
    /// Members besides the message.
    pub(crate) members: Vec<(&'static str, Value)>,
}

pub(crate) type Result<T, E = Refusal> = std::result::Result<T, E>;

impl Refusal {
    /// A refusal of a service, with status 400.
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let (name, message) = (name.into(), message.into());
        Self { name, origin: Origin::Service, query_code: None, message, status: 400, members: Vec::new() }
    }

    /// A refusal that has nothing to do with the service.
    pub(crate) fn framework(name: &'static str, message: impl Into<String>) -> Self {
        Self { origin: Origin::Framework, ..Self::new(name, message) }
    }

    /// What the request cannot be read as.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::framework("SerializationException", message)
    }

    /// An operation that the service does not have, or that is not here.
    pub(crate) fn unknown_operation() -> Self {
        Self { query_code: Some("InvalidAction"), ..Self::framework("UnknownOperationException", "") }
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn with_query_code(self, code: &'static str) -> Self {
        Self { query_code: Some(code), ..self }
    }

    /// The code in the older query protocol.
    pub(crate) fn query_code(&self) -> &str {
        self.query_code.unwrap_or(&self.name)
    }

    /// Is it the caller's fault, in the older query protocol's words?
    pub(crate) fn fault(&self) -> &'static str {
        if self.status < 500 { "Sender" } else { "Receiver" }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}
