//! What the wire costs: requests per second and latencies over loopback, against an empty handler on the same HTTP stack.
//!
//! ```sh
//! cargo build --release -p fourfold-aws && cargo run --release -p fourfold-aws --example load
//! ```
//!
//! It starts the program beside it (`fourfold serve --memory`) and itself as the empty handler, and prints a table. Seconds for each
//! row may be given. `aws/measure` runs it, and what calls of the SDK in process cost.
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
    request: Vec<u8>,
}

/// Times that the program is started.
const STARTS: usize = 11;

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
    let empty = Running::new(&own, &["--empty"])?;
    for row in nothings() {
        runtime.block_on(measure(&empty.address, &row, seconds))?;
    }
    drop(empty);
    let server = Running::new(&program, &["serve", "--memory", "--listen", "127.0.0.1:0"])?;
    runtime.block_on(prepare(&server.address))?;
    for row in rows() {
        runtime.block_on(measure(&server.address, &row, seconds))?;
    }
    Ok(())
}

/// What there is to compare with.
fn nothings() -> Vec<Row> {
    vec![
        Row { name: "empty handler", request: request("x", "{}") },
        Row { name: "empty handler, 4 KiB in", request: put("a", 4 << 10) },
        Row { name: "empty handler, 8 MiB in", request: put("a", 8 << 20) },
        Row { name: "empty handler, 8 MiB out", request: get("8m") },
    ]
}

fn rows() -> Vec<Row> {
    let row = |name, target, body: &str| Row { name, request: request(target, body) };
    let records: Vec<String> =
        (0..10).map(|key| format!(r#"{{"Data":"{}","PartitionKey":"{key}"}}"#, "QUJD".repeat(33))).collect();
    let text = "x".repeat(100);
    vec![
        row(
            "SQS SendMessage 100 B",
            "AmazonSQS.SendMessage",
            &format!(r#"{{"QueueUrl":"jobs","MessageBody":"{text}"}}"#),
        ),
        row("SQS ReceiveMessage", "AmazonSQS.ReceiveMessage", r#"{"QueueUrl":"jobs","VisibilityTimeout":0}"#),
        row(
            "DynamoDB PutItem 100 B",
            "DynamoDB_20120810.PutItem",
            &format!(r#"{{"TableName":"users","Item":{{"id":{{"S":"ann"}},"text":{{"S":"{text}"}}}}}}"#),
        ),
        row(
            "DynamoDB GetItem 100 B",
            "DynamoDB_20120810.GetItem",
            r#"{"TableName":"users","Key":{"id":{"S":"ann"}}}"#,
        ),
        row(
            "Kinesis PutRecords 10 x 100 B",
            "Kinesis_20131202.PutRecords",
            &format!(r#"{{"StreamName":"clicks","Records":[{}]}}"#, records.join(",")),
        ),
        Row { name: "S3 PutObject 4 KiB", request: put("4k", 4 << 10) },
        Row { name: "S3 GetObject 4 KiB", request: get("4k") },
        Row { name: "S3 PutObject 8 MiB", request: put("8m", 8 << 20) },
        Row { name: "S3 GetObject 8 MiB", request: get("8m") },
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
        client.ask(&request(target, body)).await?;
    }
    client.ask(&head("PUT", "", 0)).await
}

/// Start-up to the first answer, memory after it, and the size of the program.
fn start_up(program: &Path) -> Result<()> {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let begun = Instant::now();
        let server = Running::new(program, &["serve", "--memory", "--listen", "127.0.0.1:0"])?;
        let mut socket = std::net::TcpStream::connect(&server.address)?;
        socket.write_all(b"GET /_fourfold/health HTTP/1.1\r\nhost: h\r\n\r\n")?;
        io::Read::read(&mut socket, &mut [0; 1024])?;
        starts.push((begun.elapsed(), memory(server.process.id())?));
    }
    starts.sort_unstable();
    let (took, memory) = starts[STARTS / 2];
    let (slowest, _) = starts[STARTS - 1];
    let size = std::fs::metadata(program)?.len() >> 10;
    let mut out = io::stdout();
    writeln!(
        out,
        "| start to first answer (longest of {STARTS}) | memory then | program |\n| --- | --- | --- |"
    )?;
    writeln!(out, "| {took:.1?} ({slowest:.1?}) | {memory} KiB | {size} KiB |\n")?;
    Ok(())
}

/// KiB that a process has in memory.
fn memory(id: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
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

/// Answers everything with two bytes, or with 8 MiB if these are asked for.
async fn empty() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let long = Bytes::from(vec![7; 8 << 20]);
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let long = long.clone();
        tokio::spawn(async move {
            let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
                let long = long.clone();
                async move {
                    let is_long = request.method() == "GET";
                    let mut body = request.into_body();
                    while let Some(Ok(_)) = http_body_util::BodyExt::frame(&mut body).await {}
                    let answer = if is_long { long } else { Bytes::from_static(b"{}") };
                    Ok::<_, Infallible>(http::Response::new(Full::new(answer)))
                }
            });
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

fn request(target: &str, body: &str) -> Vec<u8> {
    let len = body.len();
    let minor = u8::from(target.starts_with("Kinesis"));
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: {target}\r\ncontent-type: application/x-amz-json-1.{minor}\r\ncontent-length: {len}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The head of a request of S3. A signature that nobody checks says whom it is for.
fn head(method: &str, key: &str, len: usize) -> Vec<u8> {
    format!("{method} /films/{key} HTTP/1.1\r\nhost: localhost\r\nauthorization: AWS a:b\r\ncontent-length: {len}\r\n\r\n")
        .into_bytes()
}

fn put(key: &str, len: usize) -> Vec<u8> {
    [head("PUT", key, len), vec![7; len]].concat()
}

fn get(key: &str) -> Vec<u8> {
    head("GET", key, 0)
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
        Ok(Self { socket, buffer: Vec::with_capacity(256 << 10) })
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
            let len = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            let mut left = (head_len + 4 + len.parse::<usize>()?).saturating_sub(self.buffer.len());
            // What came is not kept.
            while left > 0 {
                self.buffer.clear();
                match self.socket.read_buf(&mut self.buffer).await? {
                    0 => return Err("the server closed the connection".into()),
                    len => left = left.saturating_sub(len),
                }
            }
            return Ok(());
        }
    }
}

/// Asks over and over, on so many connections at a time.
async fn measure(address: &str, row: &Row, seconds: f64) -> Result<()> {
    let request = Arc::new(row.request.clone());
    for connections in [1, 16, 256] {
        let mut clients = Vec::new();
        for _ in 0..connections {
            clients.push(Client::new(address).await?);
        }
        let begun = Instant::now();
        let end = begun + Duration::from_secs_f64(seconds);
        let clients: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let request = Arc::clone(&request);
                tokio::spawn(async move {
                    let mut took = Vec::new();
                    // Once at least, so that slow rows have a number too.
                    while took.is_empty() || Instant::now() < end {
                        let asked = Instant::now();
                        client.ask(&request).await?;
                        took.push(asked.elapsed());
                    }
                    Result::Ok(took)
                })
            })
            .collect();
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
