//! The server on its port: bounds that callers meet, and that it lives on.

use bytes::Bytes;
use fourfold::Store;
use fourfold::stream::{CreateStream, Tags};
use fourfold_aws::{Limits, Router, Server};
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// After which something is taken for never: long, for machines are busy.
const PATIENCE: Duration = Duration::from_mins(2);
/// A limit that is soon reached.
const SHORTLY: Duration = Duration::from_millis(100);

/// A server on a port of its own, until it is dropped.
pub(crate) struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn new(router: Router, limits: Limits) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::bind("127.0.0.1:0", router).await.unwrap().limits(limits);
                ready.send(server.address()).unwrap();
                server.run(async { stopped.await.unwrap_or_default() }).await;
            });
        });
        Self { address: is_ready.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// What comes back until the server closes the connection.
    fn exchange(&self, bytes: &[u8]) -> String {
        let mut socket = self.connect();
        // A server that has refused already may have closed.
        let _ = socket.write_all(bytes);
        read_all(&mut socket)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A client that speaks HTTP/2 by prior knowledge, and has room for 64 KiB of each answer until that is asked for.
pub(crate) async fn client(server: &Running) -> SendRequest<Full<Bytes>> {
    let socket = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let builder = builder.initial_stream_window_size(64 << 10);
    let (client, connection) = builder.handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Waits until something is so, which it will be after all. What the other end of a socket has come to wakes nobody here, so
/// it is looked at again and again; no time has to pass for it.
pub(crate) async fn until(is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "it never came about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn now_or_later(is_so: impl AsyncFn() -> bool) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(until(is_so));
}

fn read_all(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn post(target: &str, len: usize, body: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\nx-amz-target: {target}\r\ncontent-length: {len}\r\n\r\n{body}"
    )
}

/// A good request after whatever came before.
fn lives_on(server: &Running) {
    // Where limits are short, a test that has to wait for a processor is too slow for them itself.
    now_or_later(async || {
        let answer = server.exchange(post("AmazonSQS.ListQueues", 2, "{}").as_bytes());
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("{}")
    });
}

#[test]
fn slow_senders_are_cut_off() {
    let mut limits = Limits::default();
    limits.body_wait = SHORTLY;
    let server = Running::new(Router::new(Store::in_memory()), limits.clone());
    let answer = server.exchange(post("AmazonSQS.ListQueues", 10, "{").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    lives_on(&server);
    limits.head_wait = SHORTLY;
    let server = Running::new(Router::new(Store::in_memory()), limits);
    let answer = server.exchange(b"POST / HTTP/1.1\r\nhost: h\r\n");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    lives_on(&server);
}

#[test]
fn who_says_nothing_holds_no_connection() {
    let mut limits = Limits::default();
    (limits.connections, limits.head_wait) = (1, Duration::from_millis(500));
    let server = Running::new(Router::new(Store::in_memory()), limits);
    let preface: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    for said in [b"", &b"PRI * HT"[..], preface] {
        let mut socket = server.connect();
        socket.write_all(said).unwrap();
        // A socket may be reset; what the server says of HTTP/2 comes first. A timeout would mean that it waits for ever.
        let end = socket.read_to_end(&mut Vec::new());
        assert!(!matches!(end, Err(error) if error.kind() == ErrorKind::WouldBlock), "{said:?}");
        lives_on(&server);
    }
}

#[test]
fn what_is_too_long_or_broken_is_refused() {
    let router = Router::new(Store::in_memory()).body_len_max(1000);
    let server = Running::new(router, Limits::default());
    let long = "x".repeat(1001);
    let cases = [
        (post("AmazonSQS.ListQueues", 1001, &long), "HTTP/1.1 413 "),
        (format!("GET / HTTP/1.1\r\nhost: h\r\nx: {}\r\n\r\n", "y".repeat(100_000)), "HTTP/1.1 431 "),
        ("NONSENSE\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        (post("AmazonSQS.ListQueues", 2, "{]"), "HTTP/1.1 400 "),
    ];
    for (request, status) in cases {
        let answer = server.exchange(request.as_bytes());
        assert!(answer.starts_with(status), "{status}: {answer}");
        lives_on(&server);
    }
}

#[test]
fn a_caller_who_leaves_takes_no_message_along() {
    let store = Store::in_memory();
    let queue = store.queues().create("jobs").unwrap();
    let server = Running::new(Router::new(store), Limits::default());
    let mut socket = server.connect();
    let receive = r#"{"QueueUrl":"jobs","WaitTimeSeconds":20}"#;
    socket.write_all(post("AmazonSQS.ReceiveMessage", receive.len(), receive).as_bytes()).unwrap();
    let waiting = |count| now_or_later(async || queue.stats().unwrap().waiting == count);
    waiting(1);
    drop(socket);
    waiting(0);
    queue.send("still there").unwrap();
    assert_eq!(queue.receive(1).unwrap().len(), 1);
}

/// Clients for Java know no other way to events.
#[test]
fn events_come_over_http2_by_prior_knowledge() {
    let store = Store::in_memory();
    let streams = store.streams();
    let stream = streams.create("clicks", CreateStream::default().shard_count(1)).unwrap();
    let consumer = stream.register_consumer("app", &Tags::new()).unwrap();
    let put = stream.put("k", "before").unwrap();
    let server = Running::new(Router::new(store), Limits::default());
    let body = format!(
        r#"{{"ConsumerARN":"{}","ShardId":"{}","StartingPosition":{{"Type":"TRIM_HORIZON"}}}}"#,
        consumer.arn, put.shard_id
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = client(&server).await;
        let request =
            Request::post("http://localhost/").header("x-amz-target", "Kinesis_20131202.SubscribeToShard");
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answer = client.send_request(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
        let mut events = answer.into_body();
        let mut received = Vec::new();
        let mut until = async |text: &str| {
            while !received.windows(text.len()).any(|bytes| bytes == text.as_bytes()) {
                let frame = events.frame().await.expect("it goes on").unwrap();
                received.extend_from_slice(&frame.into_data().unwrap());
            }
        };
        until("initial-response").await;
        until("YmVmb3Jl").await; // "before", in base64
        stream.put("k", "later").unwrap();
        until("bGF0ZXI=").await;
    });
}

#[test]
fn connections_beyond_the_limit_wait_for_their_turn() {
    let mut limits = Limits::default();
    limits.connections = 1;
    let server = Running::new(Router::new(Store::in_memory()), limits);
    let first = server.connect();
    let mut second = server.connect();
    second.write_all(post("AmazonSQS.ListQueues", 2, "{}").as_bytes()).unwrap();
    second.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(second.read(&mut [0]).is_err(), "nobody reads it yet");
    drop(first);
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(read_all(&mut second).starts_with("HTTP/1.1 200 OK"));
}

/// A store with an object longer than what sockets and windows hold, and a server of it that waits that long for readers.
fn film(answer_wait: Duration) -> (Store, Running) {
    let store = Store::in_memory();
    store.buckets().create("films").unwrap().put("a", vec![7; FILM_LEN]).unwrap();
    let mut limits = Limits::default();
    (limits.connections, limits.answer_wait) = (1, answer_wait);
    let server = Running::new(Router::new(store.clone()), limits);
    (store, server)
}

const FILM_LEN: usize = 32 << 20;
const GET: &str = "GET /films/a HTTP/1.1\r\nhost: h\r\nauthorization: AWS a:b\r\n\r\n";

#[test]
fn who_stops_reading_is_cut_off() {
    let (store, server) = film(SHORTLY);
    let mut socket = server.connect();
    socket.write_all(GET.as_bytes()).unwrap();
    let mut head = [0; 15];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    // There is room for one connection only: whoever waits for it gets it.
    lives_on(&server);
    assert_eq!(store.stats().snapshots, 0, "what was read is not held");
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    assert!(rest.len() < FILM_LEN, "{} bytes", rest.len());
}

#[test]
fn a_stream_that_is_not_read_is_reset_and_the_others_go_on() {
    let (store, server) = film(SHORTLY);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = client(&server).await;
        let get = Request::get("http://h/films/a").header("authorization", "AWS a:b");
        let answer = client.send_request(get.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        until(async || store.stats().snapshots == 0).await;
        let mut body = answer.into_body();
        let mut len = 0;
        let end = loop {
            match body.frame().await {
                Some(Ok(frame)) => len += frame.into_data().unwrap().len(),
                end => break end,
            }
        };
        assert!(matches!(end, Some(Err(_))) && len < FILM_LEN, "{len} bytes, then {end:?}");
        let list = Request::post("http://h/").header("x-amz-target", "AmazonSQS.ListQueues");
        let list = list.body(Full::from("{}")).unwrap();
        assert_eq!(client.send_request(list).await.unwrap().status(), 200);
    });
}

#[test]
fn who_reads_gets_everything() {
    let (_, server) = film(PATIENCE);
    let mut socket = server.connect();
    socket.write_all(GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut all = Vec::new();
    socket.read_to_end(&mut all).unwrap();
    assert!(all.len() > FILM_LEN && all.ends_with(&[7; 100]));
    drop(socket);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = client(&server).await;
        let get = Request::get("http://h/films/a").header("authorization", "AWS a:b");
        let answer = client.send_request(get.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(answer.headers()["content-length"], FILM_LEN.to_string());
        let all = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(all.len() == FILM_LEN && all.iter().all(|byte| *byte == 7));
    });
}

#[test]
fn a_server_that_stops_answers_what_is_under_way() {
    let store = Store::in_memory();
    let queue = store.queues().create("jobs").unwrap();
    let mut limits = Limits::default();
    limits.stop_wait = PATIENCE;
    let mut server = Running::new(Router::new(store), limits);
    let mut socket = server.connect();
    let receive = r#"{"QueueUrl":"jobs","WaitTimeSeconds":20}"#;
    socket.write_all(post("AmazonSQS.ReceiveMessage", receive.len(), receive).as_bytes()).unwrap();
    now_or_later(async || queue.stats().unwrap().waiting == 1);
    drop(server.stop.take());
    now_or_later(async || TcpStream::connect(server.address).is_err());
    queue.send("in time").unwrap();
    let answer = read_all(&mut socket);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("in time"), "{answer}");
}

#[test]
fn a_server_that_stops_waits_for_nobody_for_ever() {
    let store = Store::in_memory();
    let queue = store.queues().create("jobs").unwrap();
    let mut limits = Limits::default();
    limits.stop_wait = Duration::from_millis(50);
    let server = Running::new(Router::new(store), limits);
    let mut socket = server.connect();
    let receive = r#"{"QueueUrl":"jobs","WaitTimeSeconds":20}"#;
    socket.write_all(post("AmazonSQS.ReceiveMessage", receive.len(), receive).as_bytes()).unwrap();
    now_or_later(async || queue.stats().unwrap().waiting == 1);
    drop(server);
    assert_eq!(read_all(&mut socket), "");
    queue.send("still there").unwrap();
    assert_eq!(queue.receive(1).unwrap().len(), 1);
}
