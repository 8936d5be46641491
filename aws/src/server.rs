//! A router on a port: HTTP/1.1 and HTTP/2 (by prior knowledge), with bounds on everything that a caller could hold.

use crate::body::Body;
use crate::call::Plain;
use crate::drained::{Drained, Streams, seen};
use crate::limits::Limits;
use crate::paced::Paced;
use crate::router::Router;
use http::header::SERVER;
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::Semaphore;

/// The least that hyper buffers.
const HEAD_LEN_MIN: usize = 8 << 10;
/// Bytes of an answer that a stream of HTTP/2 keeps for a slow reader.
const SEND_LEN_MAX: usize = 128 << 10;

/// A [`Router`] on a TCP port.
///
/// ```
/// use fourfold_aws::{Router, Server};
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// runtime.block_on(async {
///     let router = Router::new(fourfold::Store::in_memory());
///     let server = Server::bind("127.0.0.1:0", router).await?;
///     println!("http://{}", server.address());
///     server.run(async {}).await; // stops at once
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    limits: Limits,
}

impl Server {
    /// Listens at an address; port 0 takes any that is free.
    pub async fn bind(address: impl ToSocketAddrs, router: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, router, limits: Limits::default() })
    }

    /// With other bounds than the usual ones.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready; then takes nothing more, and gives requests that are under way [some time](Limits::stop_wait) to
    /// end.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let limits = self.limits;
        // Of no time at all nothing would ever be taken, and what no calendar has cannot be waited for.
        let answer_wait = limits.answer_wait.clamp(Duration::from_millis(1), Duration::from_hours(24 * 365));
        let mut builder = Builder::new(Streams { wait: answer_wait });
        let http1 = &mut builder.http1();
        http1.timer(TokioTimer::new()).header_read_timeout(limits.head_wait);
        http1.max_buf_size(limits.head_len.max(HEAD_LEN_MIN));
        let http2 = &mut builder.http2();
        http2.timer(TokioTimer::new()).max_concurrent_streams(limits.streams).max_send_buf_size(SEND_LEN_MAX);
        http2.max_header_list_size(u32::try_from(limits.head_len).unwrap_or(u32::MAX));
        // Who is gone without a word does not answer.
        http2.keep_alive_interval(limits.head_wait).keep_alive_timeout(limits.head_wait);
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(limits.connections));
        tokio::pin!(stop);
        loop {
            let socket = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&self.listener, &room) => accepted,
            };
            let Some((socket, permit)) = socket else { continue };
            let router = self.router.clone();
            let started = Arc::new(AtomicBool::new(false));
            let has_started = Arc::clone(&started);
            let service = service_fn(move |request| {
                started.store(true, Ordering::Relaxed);
                serve(router.clone(), request, limits.body_wait)
            });
            let socket = TokioIo::new(Drained::new(socket, answer_wait));
            let connection = builder.serve_connection(socket, service).into_owned();
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                tokio::select! {
                    // Who breaks the connection knows.
                    _ = connection => {}
                    () = silence(&has_started, limits.head_wait) => {}
                }
                drop(permit);
            });
        }
        drop(self.listener);
        let _ = tokio::time::timeout(limits.stop_wait, graceful.shutdown()).await;
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    if let Ok((socket, _)) = listener.accept().await {
        // Answers are written in one piece: waiting for more gains nothing.
        let _ = socket.set_nodelay(true);
        return Some((socket, permit));
    }
    // No descriptors are left, say: trying at once would spin.
    tokio::time::sleep(Duration::from_millis(50)).await;
    None
}

/// Ends when no request has come in time. The timeouts of HTTP itself begin only when the caller has shown its version, and
/// one that stops behind the preface of HTTP/2 need not send more.
async fn silence(has_started: &AtomicBool, wait: Duration) {
    tokio::time::sleep(wait).await;
    if has_started.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

async fn serve(
    router: Router,
    request: Request<Incoming>,
    body_wait: Duration,
) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(|body| {
        if body.is_end_stream() { Body::default() } else { Body::new(Paced::new(body, body_wait)) }
    });
    request.extensions_mut().insert(Plain);
    let mut answer = router.serve(request).await.map(seen);
    answer.headers_mut().insert(SERVER, HeaderValue::from_static("fourfold"));
    Ok(answer)
}
