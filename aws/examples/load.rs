//! What the wire costs: requests per second and latencies over loopback, against an empty handler on the same HTTP stack.
//!
//! ```sh
//! cargo build --release -p fourfold-aws && cargo run --release -p fourfold-aws --example load
//! ```
//!
//! It starts the program beside it (`fourfold serve --memory`) and itself as the empty handler, and prints a table. Seconds for each
//! row may be given.
#![expect(clippy::disallowed_methods, reason = "it measures with the machine's clock")]

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What is asked, again and again.
struct Row {
    name: &'static str,
    target: &'static str,
    content_type: &'static str,
    body: String,
}

fn main() -> Result<()> {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if argument == "--empty" {
        return runtime.block_on(empty());
    }
    let seconds = argument.parse().unwrap_or(2.0);
    let own = std::env::current_exe()?;
    let program = own.ancestors().nth(2).ok_or("no folder of programs")?.join("fourfold");
    start_up(&program)?;
    let mut out = io::stdout();
    writeln!(out, "| | connections | requests/s | p50 | p99 |\n| --- | --- | --- | --- | --- |")?;
    let nothing = Row { name: "empty handler", target: "x", content_type: "x", body: "{}".to_owned() };
    let empty = Running::new(&own, &["--empty"])?;
    runtime.block_on(measure(&empty.address, &nothing, seconds))?;
    drop(empty);
    let server = Running::new(&program, &["serve", "--memory", "--listen", "127.0.0.1:0"])?;
    runtime.block_on(prepare(&server.address))?;
    for row in rows() {
        runtime.block_on(measure(&server.address, &row, seconds))?;
    }
    Ok(())
}

fn rows() -> Vec<Row> {
    let json = "application/x-amz-json-1.0";
    let row = |name, target, body: String| Row { name, target, content_type: json, body };
    let records: Vec<String> =
        (0..10).map(|key| format!(r#"{{"Data":"{}","PartitionKey":"{key}"}}"#, "QUJD".repeat(33))).collect();
    let text = "x".repeat(100);
    vec![
        row(
            "SQS SendMessage 100 B",
            "AmazonSQS.SendMessage",
            format!(r#"{{"QueueUrl":"jobs","MessageBody":"{text}"}}"#),
        ),
        row("SQS ReceiveMessage", "AmazonSQS.ReceiveMessage", r#"{"QueueUrl":"jobs"}"#.to_owned()),
        row(
            "DynamoDB PutItem 100 B",
            "DynamoDB_20120810.PutItem",
            format!(r#"{{"TableName":"users","Item":{{"id":{{"S":"ann"}},"text":{{"S":"{text}"}}}}}}"#),
        ),
        row(
            "DynamoDB GetItem 100 B",
            "DynamoDB_20120810.GetItem",
            r#"{"TableName":"users","Key":{"id":{"S":"ann"}}}"#.to_owned(),
        ),
        row(
            "Kinesis PutRecords 10 x 100 B",
            "Kinesis_20131202.PutRecords",
            format!(r#"{{"StreamName":"clicks","Records":[{}]}}"#, records.join(",")),
        ),
    ]
}

async fn prepare(address: &str) -> Result<()> {
    let table = r#"{"TableName":"users","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}"#;
    let mut client = Client::new(address).await?;
    for (target, body) in [
        ("AmazonSQS.CreateQueue", r#"{"QueueName":"jobs"}"#),
        ("DynamoDB_20120810.CreateTable", table),
        ("Kinesis_20131202.CreateStream", r#"{"StreamName":"clicks","ShardCount":4}"#),
    ] {
        client.ask(&request(target, "application/x-amz-json-1.0", body)).await?;
    }
    Ok(())
}

/// Start-up to the first answer, memory after it, and the size of the program.
fn start_up(program: &Path) -> Result<()> {
    let begun = Instant::now();
    let server = Running::new(program, &["serve", "--memory", "--listen", "127.0.0.1:0"])?;
    let mut socket = std::net::TcpStream::connect(&server.address)?;
    socket.write_all(b"GET /_fourfold/health HTTP/1.1\r\nhost: h\r\n\r\n")?;
    io::Read::read(&mut socket, &mut [0; 1024])?;
    let took = begun.elapsed();
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id()))?;
    let memory = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    let size = std::fs::metadata(program)?.len();
    writeln!(io::stdout(), "first answer after {took:.1?}; {memory}; program of {} KiB\n", size >> 10)?;
    Ok(())
}

/// A server in a process of its own, until it is dropped.
struct Running {
    process: Child,
    address: String,
}

impl Running {
    fn new(program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut process = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let address = line.trim().rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Self { process, address })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers everything with two bytes.
async fn empty() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                let _ = http_body_util::BodyExt::collect(request.into_body()).await;
                Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(b"{}"))))
            });
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

fn request(target: &str, content_type: &str, body: &str) -> Vec<u8> {
    let len = body.len();
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: {target}\r\ncontent-type: {content_type}\r\ncontent-length: {len}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A connection that is kept.
struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    async fn new(address: &str) -> Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(64 << 10) })
    }

    async fn ask(&mut self, request: &[u8]) -> Result<()> {
        self.socket.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            let Some(head_len) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&self.buffer[..head_len])?;
            if !head.starts_with("HTTP/1.1 200") {
                return Err(String::from_utf8_lossy(&self.buffer).into());
            }
            let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if self.buffer.len() >= head_len + 4 + len.unwrap_or("0").parse::<usize>()? {
                return Ok(());
            }
        }
    }
}

/// Asks over and over, on so many connections at a time.
async fn measure(address: &str, row: &Row, seconds: f64) -> Result<()> {
    let request = Arc::new(request(row.target, row.content_type, &row.body));
    for connections in [1, 16, 256] {
        let begun = Instant::now();
        let end = begun + Duration::from_secs_f64(seconds);
        let mut clients = Vec::new();
        for _ in 0..connections {
            let (mut client, request) = (Client::new(address).await?, Arc::clone(&request));
            clients.push(tokio::spawn(async move {
                let mut took = Vec::new();
                while Instant::now() < end {
                    let asked = Instant::now();
                    client.ask(&request).await?;
                    took.push(asked.elapsed());
                }
                Result::Ok(took)
            }));
        }
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.await??);
        }
        let count = u32::try_from(all.len())?;
        let rate = f64::from(count) / begun.elapsed().as_secs_f64();
        all.sort_unstable();
        let (p50, p99) = (all[all.len() / 2], all[all.len() * 99 / 100]);
        writeln!(io::stdout(), "| {} | {connections} | {rate:.0} | {p50:.0?} | {p99:.0?} |", row.name)?;
    }
    Ok(())
}
