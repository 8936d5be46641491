//! The server on its port: bounds that callers meet, and that it lives on.

use bytes::Bytes;
use fourfold::Store;
use fourfold::stream::{CreateStream, Tags};
use fourfold_aws::{Limits, Router, Server};
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A server on a port of its own, until it is dropped.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn new(router: Router, limits: Limits) -> Self {
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
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
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
    let answer = server.exchange(post("AmazonSQS.ListQueues", 2, "{}").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("{}"), "{answer}");
}

#[test]
fn slow_senders_are_cut_off() {
    let mut limits = Limits::default();
    (limits.head_wait, limits.body_wait) = (Duration::from_millis(100), Duration::from_millis(100));
    let server = Running::new(Router::new(Store::in_memory()), limits);
    let begun = Instant::now();
    let answer = server.exchange(post("AmazonSQS.ListQueues", 10, "{").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let answer = server.exchange(b"POST / HTTP/1.1\r\nhost: h\r\n");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(15));
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
        let begun = Instant::now();
        // An error is a socket that was reset; what the server says of HTTP/2 comes first.
        let _ = socket.read_to_end(&mut Vec::new());
        assert!(begun.elapsed() < Duration::from_secs(15), "{said:?}");
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
    let until = |count: usize| {
        let begun = Instant::now();
        while queue.stats().unwrap().waiting != count {
            assert!(begun.elapsed() < Duration::from_secs(10), "{count} waiting");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    until(1);
    drop(socket);
    until(0);
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
        let socket = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
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
    second.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(read_all(&mut second).starts_with("HTTP/1.1 200 OK"));
}
