//! One endpoint for all services: finds out whom a request is for, and has it answered.
//!
//! Whom it is for says its target header first, then the name of the action, then what it was signed for: some clients
//! sign for something else. Bodies of objects come and go in pieces; all others are read whole before they are looked at.

use crate::body::{Body, Broken, Room, TooSlow};
use crate::call::{Call, RequestId};
use crate::clock::MovableClock;
use crate::control::{self, Control};
use crate::dynamodb::Service;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::reply::{Reply, no_such_operation, reply, with_sum};
use crate::s3::{self, Face};
use crate::signature::{Scope, verify};
use crate::{cors, dynamodb, form, kinesis, sqs, sts};
use bytes::Bytes;
use fourfold::Store;
use http::header::{CONNECTION, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, Version};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a body that is read whole; the largest request of any service but S3 has fewer.
pub const BODY_LEN_MAX: usize = 16 << 20;
/// Bytes that such bodies have together, as long as they are not answered.
pub const BODIES_LEN_MAX: usize = 512 << 20;

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
    control: Control,
    /// Keys and their accounts are the same for all services.
    face: Face,
    body_len_max: usize,
    bodies: Room,
    /// Unlike those of other runs, so that ids of answers differ.
    run: u64,
    count: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
}

/// Whom a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Route<'a> {
    Sqs(&'a str),
    SqsQuery(String),
    Kinesis(&'a str),
    Dynamo(Service, &'a str),
    Sts,
    /// A look whether somebody is there.
    Hello,
    Nobody,
}

impl Router {
    /// A router for this store that lets everybody in.
    pub fn new(store: Store) -> Self {
        let run = store.now().as_millis();
        let shared = Shared {
            control: Control::new(store),
            face: Face::default(),
            body_len_max: BODY_LEN_MAX,
            bodies: Room::new(BODIES_LEN_MAX),
            run,
            count: Arc::default(),
            metrics: Arc::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Adds a key of the store's account, and from the first one on lets only those in whose signature (version 4, in
    /// headers or a presigned URL) was made with one of them, not longer than 15 minutes ago by the store's clock.
    #[must_use]
    pub fn key(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.change().face.keys.insert(id.into(), secret.into());
        self
    }

    /// Adds a [key](Self::key) of another account. All resources are of the store's account, so queues, streams and tables
    /// are denied to its holder, as resources of others are whose policies do not name one.
    #[must_use]
    pub fn key_of(
        mut self,
        account: impl Into<String>,
        id: impl Into<String>,
        secret: impl Into<String>,
    ) -> Self {
        let id = id.into();
        self.change().face.accounts.insert(id.clone(), account.into());
        self.key(id, secret)
    }

    /// Hosts below this domain name a bucket of S3 in their first labels: `bucket.domain`. Known are `localhost`, and names
    /// in which `.s3` follows the bucket.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.change().face.domains.push(domain.into());
        self
    }

    /// Lets callers move the time on over HTTP: this is the clock that the store was opened with.
    #[must_use]
    pub fn clock(mut self, clock: MovableClock) -> Self {
        self.change().control.clock = Some(clock);
        self
    }

    /// Lets callers drop everything over HTTP (`POST /_fourfold/reset`): the router goes on with the store that `fresh`
    /// makes. Whoever has a handle of the old store keeps that.
    ///
    /// ```
    /// use fourfold::Store;
    /// let router = fourfold_aws::Router::new(Store::in_memory()).reset(Store::in_memory);
    /// # drop(router);
    /// ```
    #[must_use]
    pub fn reset(mut self, fresh: impl Fn() -> Store + Send + Sync + 'static) -> Self {
        self.change().control.fresh = Some(Arc::new(fresh));
        self
    }

    /// Bytes of a request's body at most, but for objects, which are as long as S3 allows. Default: [`BODY_LEN_MAX`].
    #[must_use]
    pub fn body_len_max(mut self, bytes: usize) -> Self {
        self.change().body_len_max = bytes;
        self
    }

    /// Bytes at most that such bodies have together, from when they come in until they are answered. A request that would
    /// need more is refused with 503, which clients take for "try again". Default: [`BODIES_LEN_MAX`].
    #[must_use]
    pub fn bodies_len_max(mut self, bytes: usize) -> Self {
        self.change().bodies = Room::new(bytes);
        self
    }

    fn change(&mut self) -> &mut Shared {
        Arc::make_mut(&mut self.shared)
    }

    /// Answers a request. A receive that waits is awaited; dropping the future gives it up, and leaves the messages to
    /// others. An answer that is a stream is awaited to its end: [`serve`](Self::serve) does not.
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (head, body) = self.serve(request.map(Body::from)).await.into_parts();
        // What was answered in pieces and broke off has no end that could be given.
        Response::from_parts(head, body.all(usize::MAX).await.unwrap_or_default())
    }

    /// Answers a request whose body may be a stream, by an answer whose body may be one: an object, or the events of a
    /// subscription.
    pub async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let shared = &*self.shared;
        if let Some(path) = head.uri.path().strip_prefix(control::PATH) {
            return match body.all(shared.body_len_max.min(control::BODY_LEN_MAX)).await {
                Ok(body) => shared.control.answer(&shared.metrics, &head.method, path, &body),
                Err(broken) => unread(&head, &broken),
            };
        }
        let timer = shared.metrics.start();
        let (name, reply) = shared.answer(&head, body).await;
        timer.stop(name, reply.status());
        reply
    }
}

impl Shared {
    /// The answer, and what was asked for: service and operation.
    async fn answer(&self, head: &Parts, body: Body) -> ((&'static str, String), Reply) {
        // Relaxed: the numbers need only differ.
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let scope = Scope::of(head);
        let store = self.control.store();
        let account = scope.as_ref().and_then(|scope| self.face.accounts.get(&scope.key_id));
        let account = account.map_or_else(|| store.account(), String::as_str);
        let call = Call { store: &store, head, id: RequestId::new(self.run, number), scope, account };
        if s3::is_for(&call, &self.face) {
            // It needs much more room than the others, which wait by the thousand.
            let reply = Box::pin(s3::answer(&call, &self.face, body)).await;
            return (("s3", head.method.to_string()), reply);
        }
        if let Some(reply) = cors::preflight(&call) {
            return (("none", String::new()), reply);
        }
        let mut seat = self.bodies.seat();
        let body = match body.all_within(self.body_len_max, &mut seat).await {
            Ok(body) => body,
            Err(broken) => return (("none", String::new()), unread(head, &broken)),
        };
        let route = Route::of(&call, &body);
        let mut reply = match self.admit(&call, &route, &body) {
            Ok(()) => route.answer(&call, &body).await,
            Err(refusal) => route.refuse(&call, &refusal),
        };
        cors::allow(&call, &mut reply);
        (route.name(), reply)
    }

    /// Is the caller let in, and to what is here?
    fn admit(&self, call: &Call<'_>, route: &Route<'_>, body: &[u8]) -> Result<(), Refusal> {
        if self.face.keys.is_empty() || *route == Route::Hello {
            return Ok(());
        }
        verify(&self.face.keys, call.head, body, call.scope.as_ref(), call.store.now())?;
        if call.account == call.store.account() || *route == Route::Sts {
            return Ok(());
        }
        let message = format!(
            "User: arn:aws:iam::{}:root is not authorized to access the resources of account {}",
            call.account,
            call.store.account()
        );
        let refusal = Refusal::framework("AccessDeniedException", message);
        Err(refusal.with_query_code("AccessDenied").with_status(403))
    }
}

/// What is said of a body that did not come.
fn unread(head: &Parts, broken: &Broken) -> Reply {
    let status = match broken {
        Broken::TooLong => 413,
        Broken::NoRoom => 503,
        Broken::Cut(error) if error.is::<TooSlow>() => 408,
        Broken::Cut(_) => 400,
    };
    let mut reply = reply(status, "", "");
    if matches!(broken, Broken::NoRoom) {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    // What is left of it would be taken for the next request.
    if head.version < Version::HTTP_2 {
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

impl<'a> Route<'a> {
    fn of(call: &'a Call<'_>, body: &[u8]) -> Self {
        let head = call.head;
        let target = call.header("x-amz-target").and_then(|target| target.split_once('.'));
        if let Some(("Kinesis_20131202", name)) = target {
            return Self::Kinesis(name);
        }
        if let (&Method::POST, Some((prefix, name))) = (&head.method, target) {
            return match prefix {
                "AmazonSQS" => Self::Sqs(name),
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
            _ if call.is_signed_for("kinesis") => Self::Kinesis(""),
            "application/x-amz-json-1.0" | "application/json" => Self::Dynamo(Service::Tables, ""),
            "application/x-amz-json-1.1" | "application/x-amz-cbor-1.1" => Self::Kinesis(""),
            _ => Self::Nobody,
        }
    }

    fn without_action(call: &'a Call<'_>) -> Self {
        let is_root = call.head.uri.path() == "/";
        match call.head.method {
            Method::GET if call.scope.is_none() && is_root => Self::Hello,
            Method::POST if is_root => Self::by_content_type(call),
            _ if call.is_signed_for("kinesis") => Self::Kinesis(""),
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
            Self::Hello => with_sum(call, 200, &format!("healthy: {} ", call.host())),
            Self::Nobody => no_such_operation(call),
        }
    }

    /// Service and operation.
    fn name(&self) -> (&'static str, String) {
        match self {
            Self::Sqs(name) => ("sqs", (*name).to_owned()),
            Self::SqsQuery(form) => ("sqs", form::value(form, "Action").unwrap_or_default()),
            Self::Kinesis(name) => ("kinesis", (*name).to_owned()),
            Self::Dynamo(Service::Tables, name) => ("dynamodb", (*name).to_owned()),
            Self::Dynamo(Service::Streams, name) => ("dynamodbstreams", (*name).to_owned()),
            Self::Sts => ("sts", "GetCallerIdentity".to_owned()),
            Self::Hello | Self::Nobody => ("none", String::new()),
        }
    }

    /// Refuses in the form of whom it is for.
    fn refuse(&self, call: &Call<'_>, refusal: &Refusal) -> Reply {
        match self {
            Self::SqsQuery(_) | Self::Sts => sqs::refused_in_xml(call, refusal),
            Self::Kinesis(_) => kinesis::refused(call, refusal),
            Self::Dynamo(..) => dynamodb::refused(call, refusal),
            Self::Sqs(_) | Self::Hello | Self::Nobody => sqs::refused_in_json(call, refusal),
        }
    }
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
