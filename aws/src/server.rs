//! A router on a port: HTTP/1.1 and HTTP/2 (by prior knowledge), with bounds on everything that a caller could hold.

use crate::reply::reply;
use crate::router::Router;
use bytes::Bytes;
use http::header::{CONNECTION, SERVER};
use http::{HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::Semaphore;

/// Bytes of a body; the largest request of any service has fewer.
pub const BODY_LEN_MAX: usize = 16 << 20;
/// Bytes of a request's head.
const HEAD_LEN_MAX: usize = 64 << 10;
/// Connections at a time. More wait to be accepted.
const CONNECTIONS_MAX: usize = 20_000;
/// Requests at a time on a connection of HTTP/2.
const STREAMS_MAX: u32 = 250;
/// How long a head may take to come, and a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a body may take to come.
const BODY_TIMEOUT: Duration = Duration::from_mins(1);
/// How long requests have to end when the server is stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

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
}

impl Server {
    /// Listens at an address; port 0 takes any that is free.
    pub async fn bind(address: impl ToSocketAddrs, router: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, router })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready; then takes nothing more, and gives requests that are under way five seconds to end.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_LEN_MAX);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
        let graceful = GracefulShutdown::new();
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        tokio::pin!(stop);
        loop {
            let socket = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&self.listener, &room) => accepted,
            };
            let Some((socket, permit)) = socket else { continue };
            let router = self.router.clone();
            let service = service_fn(move |request| serve(router.clone(), request));
            let connection = builder.serve_connection(TokioIo::new(socket), service).into_owned();
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // Who breaks the connection knows.
                let _ = connection.await;
                drop(permit);
            });
        }
        drop(self.listener);
        let _ = tokio::time::timeout(STOP_TIMEOUT, graceful.shutdown()).await;
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

async fn serve(router: Router, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let version = request.version();
    let (head, body) = request.into_parts();
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_LEN_MAX).collect()).await;
    let (mut answer, is_whole) = match body {
        Ok(Ok(body)) => (router.call(Request::from_parts(head, body.to_bytes())).await, true),
        Ok(Err(error)) if error.is::<LengthLimitError>() => (reply(413, "", Bytes::new()), false),
        Ok(Err(_)) => (reply(400, "", Bytes::new()), false),
        Err(_) => (reply(408, "", Bytes::new()), false),
    };
    answer.headers_mut().insert(SERVER, HeaderValue::from_static("fourfold"));
    if !is_whole && version < Version::HTTP_2 {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(answer.map(Full::new))
}
