//! What a request is refused with, and the document that says so.

use crate::body::Body;
use crate::s3::document;
use crate::xml::Xml;
use fourfold::objects;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use std::borrow::Cow;

/// A refusal: code, message, what else stands in the document, and headers.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    pub(crate) code: Cow<'static, str>,
    pub(crate) status: u16,
    pub(crate) message: String,
    pub(crate) details: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    #[cold]
    pub(crate) fn new(code: &'static str, status: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code: Cow::Borrowed(code), status, message, details: Vec::new(), headers: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((HeaderName::from_static(name), value.into()));
        self
    }

    pub(crate) fn denied() -> Self {
        Self::new("AccessDenied", 403, "Access Denied")
    }

    pub(crate) fn argument(name: &'static str, value: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("InvalidArgument", 400, message).with("ArgumentName", name).with("ArgumentValue", value)
    }

    /// An argument whose value the service does not repeat.
    pub(crate) fn argument_named(name: &'static str, message: impl Into<String>) -> Self {
        Self::new("InvalidArgument", 400, message).with("ArgumentName", name)
    }

    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::new("InvalidRequest", 400, message)
    }

    pub(crate) fn malformed_xml() -> Self {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        Self::new("MalformedXML", 400, message)
    }

    /// What the service has and this does not.
    pub(crate) fn not_implemented(message: impl Into<String>) -> Self {
        Self::new("NotImplemented", 501, message)
    }

    pub(crate) fn header_not_implemented(header: &str) -> Self {
        let message = "A header you provided implies functionality that is not implemented";
        Self::not_implemented(message).with("Header", header)
    }

    pub(crate) fn method_not_allowed(method: &str, kind: &str, allowed: &str) -> Self {
        let message = "The specified method is not allowed against this resource.";
        let error = Self::new("MethodNotAllowed", 405, message).with("Method", method);
        error.with("ResourceType", kind).header("allow", allowed)
    }

    pub(crate) fn incomplete_body() -> Self {
        let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
        Self::new("IncompleteBody", 400, message)
    }

    pub(crate) fn malformed_trailer() -> Self {
        let message = "The request contained trailing data that was not well-formed or did not conform to our published \
                       schema.";
        Self::new("MalformedTrailerError", 400, message)
    }

    pub(crate) fn no_length() -> Self {
        Self::new("MissingContentLength", 411, "You must provide the Content-Length HTTP header.")
    }

    /// The answer. Those to `HEAD` have no document.
    pub(crate) fn answer(&self, ids: (&str, &str), is_head: bool) -> Response<Body> {
        self.answer_with((!is_head).then(|| self.document(ids)))
    }

    /// The answer of S3 Control, whose document is wrapped once more.
    pub(crate) fn wrapped_answer(&self, (request, host): (&str, &str)) -> Response<Body> {
        let mut xml = document::new();
        xml.element("ErrorResponse", |xml| {
            xml.element("Error", |xml| self.write(xml));
            xml.text("RequestId", request);
            xml.text("HostId", host);
        });
        self.answer_with(Some(xml.finish()))
    }

    fn answer_with(&self, document: Option<String>) -> Response<Body> {
        let mut answer = Response::new(Body::default());
        *answer.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer.headers_mut().insert(name.clone(), value);
            }
        }
        if self.status == 304 {
            return answer;
        }
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(document::CONTENT_TYPE));
        if let Some(document) = document {
            *answer.body_mut() = Body::from(document);
        }
        answer
    }

    fn document(&self, (request, host): (&str, &str)) -> String {
        let mut xml = document::new();
        xml.element("Error", |xml| {
            self.write(xml);
            xml.text("RequestId", request);
            xml.text("HostId", host);
        });
        xml.finish()
    }

    fn write(&self, xml: &mut Xml) {
        xml.text("Code", &self.code);
        xml.text("Message", &self.message);
        for (name, value) in &self.details {
            xml.text(name, value);
        }
    }
}

impl From<objects::Error> for Error {
    fn from(error: objects::Error) -> Self {
        let mut found = Self::new("InternalError", error.status(), error.to_string());
        found.code = Cow::Borrowed(error.code());
        found.details = error.details();
        if let Some(marker) = error.delete_marker() {
            found =
                found.header("x-amz-delete-marker", "true").header("x-amz-version-id", marker.to_string());
        }
        match &error {
            objects::Error::NotModified { etag, modified } => {
                let found = found.header("etag", etag.to_string());
                found.header("last-modified", document::http_date(*modified))
            }
            objects::Error::MethodNotAllowed { modified, .. } => {
                found.header("allow", "DELETE").header("last-modified", document::http_date(*modified))
            }
            objects::Error::InvalidRange { size, .. } => {
                found.header("content-range", format!("bytes */{size}"))
            }
            objects::Error::IncompleteBody { .. } => Self::incomplete_body(),
            objects::Error::Storage(_) => {
                Self { message: "We encountered an internal error. Please try again.".to_owned(), ..found }
            }
            _ => found,
        }
    }
}

macro_rules! from {
    ($($error:ty),*) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                objects::Error::from(error).into()
            }
        })*
    };
}

from!(objects::ChecksumError, objects::LifecycleError, objects::NotificationError);
