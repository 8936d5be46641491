//! The AWS SDK for Rust on a store in the same process: no socket, no TLS, and the time is the store's.
//!
//! A test that used AWS needs one changed line, the one that makes the configuration:
//!
//! ```
//! use fourfold::{ManualClock, Store};
//!
//! let clock = ManualClock::default();
//! let store = Store::builder().clock(clock.clone()).open_in_memory();
//! let config = fourfold_aws::sdk::config(&store); // instead of aws_config::load_from_env().await
//! // let sqs = aws_sdk_sqs::Client::new(&config);
//! assert_eq!(config.region().map(AsRef::as_ref), Some(store.region()));
//! ```
//!
//! Take the crates of the clients with `default-features = false`: what the SDK would send with is not needed. Signatures,
//! retries and timeouts go by the store's clock, so with a [`ManualClock`](fourfold::ManualClock) a backoff or a long poll
//! ends when the test advances it, and not before. With a clock of the test's no thread has to run for that: any executor
//! will do.

use crate::body::Body;
use crate::router::Router;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;
use fourfold::Store;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderValue, Request};
use http_body::Body as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where clients believe to be. An address, since clients of S3 put buckets into the path for one; `https`, since they
/// would sign streams piece by piece otherwise. Nothing is sent there, and nothing is encrypted.
const ENDPOINT: &str = "https://127.0.0.1";
/// Key and secret: any will do.
const KEY: &str = "fourfold";

/// A configuration by which clients of all services talk to `store`: HTTP client, time, sleep, region and credentials.
///
/// It lets everybody in. A [`Transport`] to a router with keys is put in its place by
/// `config.to_builder().http_client(transport)`.
pub fn config(store: &Store) -> SdkConfig {
    let time = Time { store: store.clone() };
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(store.region().to_owned()))
        .endpoint_url(ENDPOINT)
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(KEY, KEY, None, None, KEY)))
        .http_client(Transport::new(Router::new(store.clone())))
        .time_source(time.clone())
        .sleep_impl(time)
        // It asks the clock whether bytes come: one that a test moves on says that they do not.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

/// An HTTP client that hands requests to a router. Bodies are passed on as they are, without being copied or collected.
///
/// ```
/// use fourfold_aws::{Router, sdk};
/// let store = fourfold::Store::in_memory();
/// let router = Router::new(store.clone()).key("AKIDEXAMPLE", "secret");
/// let config = sdk::config(&store).to_builder().http_client(sdk::Transport::new(router)).build();
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
pub struct Transport {
    router: Router,
}

impl Transport {
    /// To this router.
    pub fn new(router: Router) -> Self {
        Self { router }
    }
}

impl HttpClient for Transport {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let router = self.router.clone();
        HttpConnectorFuture::new(async move {
            let mut answer = router.serve(received(request)?).await;
            // As a server says how long a body is.
            if let Some(len) = answer.body().size_hint().exact().filter(|len| *len > 0) {
                answer.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| len.into());
            }
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The request as a server has it.
fn received(request: HttpRequest) -> Result<Request<Body>, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (mut head, body) = request.into_parts();
    // It is signed, and adding it is left to the HTTP client.
    if let Some(authority) = head.uri.authority()
        && !head.headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
    Ok(Request::from_parts(head, Body::new(body)))
}

/// A store's clock, as the SDK asks for the time and sleeps.
#[derive(Clone, Debug)]
struct Time {
    store: Store,
}

impl TimeSource for Time {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.store.now().as_millis())
    }
}

impl AsyncSleep for Time {
    fn sleep(&self, duration: Duration) -> Sleep {
        let (store, deadline) = (self.store.clone(), self.store.now() + duration);
        Sleep::new(async move { store.sleep_until(deadline).await })
    }
}
