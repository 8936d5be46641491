//! One endpoint for all services: finds out whom a request is for, and has it answered.
//!
//! Whom it is for says its target header first, then the name of the action, then what it was signed for: some clients
//! sign for something else.

use crate::call::{Call, RequestId};
use crate::clock::MovableClock;
use crate::dynamodb::Service;
use crate::refusal::Refusal;
use crate::reply::{Reply, no_such_operation, reply, set};
use crate::signature::{Keys, Scope, verify};
use crate::{control, cors, dynamodb, form, kinesis, sqs, sts};
use bytes::Bytes;
use fourfold::Store;
use http::request::Parts;
use http::{Method, Request, Response};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Answers the requests of AWS clients from a store. Cheap to clone.
///
/// It needs no socket and no runtime: a request goes in, an answer comes out, and whoever polls the future may be any
/// executor. [`Server`](crate::Server) puts it on a port.
///
/// By default every caller is let in, whatever keys it signs with, or none. With [keys](Self::key) signatures are
/// checked.
///
/// ```
/// # futures_executor(async {
/// use bytes::Bytes;
/// use fourfold_aws::Router;
///
/// let router = Router::new(fourfold::Store::in_memory());
/// let request = http::Request::post("/")
///     .header("x-amz-target", "AmazonSQS.CreateQueue")
///     .header("host", "localhost:4566")
///     .body(Bytes::from(r#"{"QueueName":"jobs"}"#))
///     .unwrap();
/// let answer = router.call(request).await;
/// assert_eq!(answer.status(), 200);
/// assert_eq!(&answer.body()[..], br#"{"QueueUrl":"http://localhost:4566/000000000000/jobs"}"#);
/// # });
/// # fn futures_executor(future: impl Future<Output = ()>) {
/// #     tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Router {
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
struct Shared {
    store: Store,
    keys: Keys,
    clock: Option<MovableClock>,
    /// Unlike those of other runs, so that ids of answers differ.
    run: u64,
    count: Arc<AtomicU64>,
}

/// Whom a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Route<'a> {
    Sqs(&'a str),
    SqsQuery(String),
    Kinesis(&'a str),
    Dynamo(Service, &'a str),
    Sts,
    S3,
    /// A look whether somebody is there.
    Hello,
    Nobody,
}

impl Router {
    /// A router for this store that lets everybody in.
    pub fn new(store: Store) -> Self {
        let run = store.now().as_millis();
        let shared = Shared { store, keys: Keys::new(), clock: None, run, count: Arc::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Adds a key, and from the first one on lets only those in whose signature (version 4, in headers or a presigned
    /// URL) was made with one of them, not longer than 15 minutes ago by the store's clock.
    #[must_use]
    pub fn key(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.shared).keys.insert(id.into(), secret.into());
        self
    }

    /// Lets callers move the time on over HTTP: this is the clock that the store was opened with.
    #[must_use]
    pub fn clock(mut self, clock: MovableClock) -> Self {
        Arc::make_mut(&mut self.shared).clock = Some(clock);
        self
    }

    /// Answers a request. A receive that waits is awaited; dropping the future gives it up, and leaves the messages to
    /// others.
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        let shared = &*self.shared;
        if let Some(path) = head.uri.path().strip_prefix(control::PATH) {
            return control::answer(&shared.store, shared.clock.as_ref(), &head.method, path, &body);
        }
        // Relaxed: the numbers need only differ.
        let number = shared.count.fetch_add(1, Ordering::Relaxed);
        let scope = Scope::of(&head);
        let id = RequestId::new(shared.run, number);
        let call = Call { store: &shared.store, head: &head, id, scope };
        if let Some(reply) = cors::preflight(&call) {
            return reply;
        }
        let route = Route::of(&call, &body);
        if !shared.keys.is_empty() && route != Route::Hello {
            let signed = verify(&shared.keys, &head, &body, call.scope.as_ref(), shared.store.now());
            if let Err(refusal) = signed {
                return route.refuse(&call, &refusal);
            }
        }
        let mut reply = route.answer(&call, &body).await;
        if route != Route::S3 {
            cors::allow(&call, &mut reply);
        }
        reply
    }
}

impl<'a> Route<'a> {
    fn of(call: &'a Call<'_>, body: &[u8]) -> Self {
        let head = call.head;
        if head.method == Method::POST
            && let Some((prefix, name)) =
                call.header("x-amz-target").and_then(|target| target.split_once('.'))
        {
            return match prefix {
                "AmazonSQS" => Self::Sqs(name),
                "Kinesis_20131202" => Self::Kinesis(name),
                "DynamoDB_20120810" => Self::Dynamo(Service::Tables, name),
                "DynamoDBStreams_20120810" => Self::Dynamo(Service::Streams, name),
                _ => Self::by_content_type(call),
            };
        }
        if let Some(form) = form_of(head, body) {
            return match form::value(&form, "Action").as_deref() {
                Some(action) if sqs::is_action(action) => Self::SqsQuery(form),
                Some("GetCallerIdentity") => Self::Sts,
                Some(_) => Self::SqsQuery(form),
                None => Self::without_action(call),
            };
        }
        Self::without_action(call)
    }

    /// Whom a request is for that names no operation: whose form it has.
    fn by_content_type(call: &'a Call<'_>) -> Self {
        match call.content_type() {
            "application/x-amz-json-1.0" | "application/json" => Self::Dynamo(Service::Tables, ""),
            "application/x-amz-json-1.1" => Self::Kinesis(""),
            _ => Self::Nobody,
        }
    }

    fn without_action(call: &'a Call<'_>) -> Self {
        let is_root = call.head.uri.path() == "/";
        match call.scope.as_ref().map(|scope| &*scope.service) {
            Some("s3") => Self::S3,
            None if is_root && call.head.method == Method::GET => Self::Hello,
            _ if is_root && call.head.method == Method::POST => Self::by_content_type(call),
            _ => Self::Nobody,
        }
    }

    async fn answer(&self, call: &Call<'_>, body: &[u8]) -> Reply {
        match self {
            Self::Sqs(name) => sqs::json(call, name, body).await,
            Self::SqsQuery(form) => sqs::query(call, form).await,
            Self::Kinesis(name) => kinesis::answer(call, name, body).await,
            Self::Dynamo(service, name) => dynamodb::answer(call, *service, name, body).await,
            Self::Sts => sts::caller_identity(call),
            Self::S3 => no_objects(call),
            Self::Hello => with_sum(call, reply(200, "", format!("healthy: {} ", call.host()))),
            Self::Nobody => with_sum(call, no_such_operation()),
        }
    }

    /// Refuses in the form of whom it is for.
    fn refuse(&self, call: &Call<'_>, refusal: &Refusal) -> Reply {
        match self {
            Self::SqsQuery(_) | Self::Sts | Self::S3 => sqs::refused_in_xml(call, refusal),
            Self::Kinesis(_) => kinesis::refused(call, refusal),
            Self::Dynamo(..) => dynamodb::refused(call, refusal),
            Self::Sqs(_) | Self::Hello | Self::Nobody => sqs::refused_in_json(call, refusal),
        }
    }
}

/// An answer of no service, with the headers of the one that checks it is there.
pub(crate) fn with_sum(call: &Call<'_>, mut reply: Reply) -> Reply {
    let sum = crc32fast::hash(reply.body());
    set(&mut reply, "x-amzn-requestid", &call.id.long());
    set(&mut reply, "x-amz-crc32", &sum.to_string());
    reply
}

/// The form in a body, or in a URL.
fn form_of(head: &Parts, body: &[u8]) -> Option<String> {
    let content_type =
        head.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if head.method == Method::POST && content_type.starts_with("application/x-www-form-urlencoded") {
        return Some(String::from_utf8_lossy(body).into_owned());
    }
    head.uri.query().map(str::to_owned)
}

/// Buckets have no HTTP here: what S3 says of what it does not have.
fn no_objects(call: &Call<'_>) -> Reply {
    let mut xml = crate::xml::Xml::new();
    xml.element("Error", |xml| {
        xml.text("Code", "NotImplemented");
        xml.text("Message", "A header you provided implies functionality that is not implemented");
        xml.text("RequestId", &call.id.uuid());
    });
    reply(501, "application/xml", xml.finish())
}
