//! The program: what it prints, and the status that it ends with.

use fourfold::Store;
use fourfold::stream::CreateStream;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn fourfold(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fourfold")).args(arguments).output().unwrap()
}

/// Status and standard output.
fn run(arguments: &[&str]) -> (i32, String) {
    let output = fourfold(arguments);
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// A directory with a store of one of everything.
fn store() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.queues().create("jobs").unwrap().send("hello").unwrap();
    store.streams().create("clicks", CreateStream::default()).unwrap();
    store.buckets().create("photos").unwrap();
    let keyspace = store.keyspace("own").unwrap();
    keyspace.put("key", vec![7_u8; 100_000]).unwrap();
    directory
}

fn path(directory: &Path) -> &str {
    directory.to_str().unwrap()
}

#[test]
fn help_version_completions_and_mistakes() {
    let (status, help) = run(&["--help"]);
    assert_eq!(status, 0);
    for command in ["serve", "inspect", "verify", "checkpoint", "repair", "completions", "Exit status"] {
        assert!(help.contains(command), "{command}: {help}");
    }
    assert_eq!(run(&["--version"]), (0, format!("fourfold {}\n", env!("CARGO_PKG_VERSION"))));
    let (status, script) = run(&["completions", "bash"]);
    assert!(status == 0 && script.contains("checkpoint"));
    for wrong in [
        &[][..],
        &["nope"],
        &["serve"],
        &["serve", "--memory", "--data", "x"],
        &["serve", "--memory", "--account", "7"],
        &["serve", "--memory", "--key", "x"],
        &["serve", "--memory", "--lifecycle-day", "0"],
        &["verify", "x", "--json", "--quiet"],
    ] {
        assert_eq!(run(wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn what_is_not_there_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("nope");
    for command in ["inspect", "verify", "repair"] {
        let output = fourfold(&[command, path(&nowhere)]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(String::from_utf8(output.stderr).unwrap().starts_with("fourfold: "));
    }
    assert!(!nowhere.join("MANIFEST").exists());
}

#[test]
fn a_store_is_inspected() {
    let directory = store();
    let (status, text) = run(&["inspect", path(directory.path())]);
    assert_eq!(status, 0);
    for line in ["queues: 1", "streams: 1", "tables: 0", "buckets: 1", "  own"] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.lines().any(|found| found.starts_with("  photos: bytes 0, ")), "{text}");
    let (_, text) = run(&["inspect", path(directory.path()), "--json"]);
    let found = json(&text);
    assert_eq!(found["queues"][0]["name"], "jobs");
    assert_eq!(found["queues"][0]["visible"], 1);
    assert_eq!(found["streams"][0]["status"], "ACTIVE");
    assert_eq!(found["keyspaces"][0]["name"], "own");
}

#[test]
fn a_store_that_is_open_elsewhere_is_left_alone() {
    let directory = store();
    let _open = Store::open(directory.path()).unwrap();
    for command in ["inspect", "verify", "repair"] {
        assert_eq!(run(&[command, path(directory.path())]).0, 1, "{command}");
    }
}

#[test]
fn a_copy_is_a_store() {
    let directory = store();
    let copy = directory.path().join("copy");
    let (status, text) = run(&["checkpoint", path(directory.path()), path(&copy), "--json"]);
    assert_eq!(status, 0);
    assert!(json(&text)["position"].as_u64() > Some(0));
    assert_eq!(run(&["verify", path(&copy)]), (0, "sound\n".to_owned()));
    assert_eq!(run(&["checkpoint", path(directory.path()), path(&copy)]).0, 1, "it is not empty");
}

#[test]
fn damage_is_found_and_repaired() {
    let directory = store();
    let at = path(directory.path());
    assert_eq!(run(&["repair", at]), (0, "there was nothing to repair\n".to_owned()));
    // The long value: nothing but sevens.
    let blob = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
        path.is_file() && std::fs::read(path).unwrap().windows(1000).any(|bytes| bytes == [7; 1000])
    });
    let blob = blob.unwrap();
    let mut bytes = std::fs::read(&blob).unwrap();
    let place = bytes.windows(1000).position(|bytes| bytes == [7; 1000]).unwrap() + 500;
    bytes[place] = 8;
    std::fs::write(&blob, bytes).unwrap();

    let (status, text) = run(&["verify", at, "--json"]);
    assert_eq!(status, 3, "{text}");
    let found = json(&text);
    assert_eq!(found["sound"], false);
    assert!(found["problems"][0]["file"].is_string() && found["problems"][0]["offset"].is_u64());
    assert_eq!(run(&["verify", at, "--quiet"]), (3, String::new()));
    let (status, text) = run(&["repair", at, "--json"]);
    assert_eq!((status, &json(&text)["was_sound"]), (0, &serde_json::Value::Bool(false)));
    assert_eq!(run(&["verify", at]), (0, "sound\n".to_owned()));
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.keyspace("own").unwrap().get("key").unwrap(), None, "given up");
    assert_eq!(store.queues().get("jobs").unwrap().receive(1).unwrap()[0].body(), "hello");
}

/// A server and where it is, ended by a signal.
struct Serving {
    process: Child,
    address: String,
}

impl Serving {
    fn new(arguments: &[&str]) -> Self {
        Self::of(&mut Command::new(env!("CARGO_BIN_EXE_fourfold")), arguments)
    }

    /// What runs the program may do something before.
    fn of(command: &mut Command, arguments: &[&str]) -> Self {
        let command = command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { process, address }
    }

    fn post(&self, target: &str, body: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let len = body.len();
        write!(
            socket,
            "POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\nx-amz-target: {target}\r\ncontent-length: {len}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A request of S3, or to the server itself.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let len = body.len();
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\nauthorization: AWS a:b\r\ncontent-length: {len}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The status with which it ends.
    fn stop(mut self, signal: &str) -> Option<i32> {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        self.process.wait().unwrap().code()
    }
}

#[test]
fn a_server_stops_when_told_and_finds_everything_again() {
    let directory = tempfile::tempdir().unwrap();
    let data = ["--data", path(directory.path()), "--durability", "buffered", "--account", "111122223333"];
    let server = Serving::new(&data);
    let made = server.post("AmazonSQS.CreateQueue", r#"{"QueueName":"jobs"}"#);
    assert!(made.ends_with(r#"{"QueueUrl":"http://h/111122223333/jobs"}"#), "{made}");
    assert_eq!(server.stop("-INT"), Some(0));
    let server = Serving::new(&data);
    let found = server.post("AmazonSQS.GetQueueUrl", r#"{"QueueName":"jobs"}"#);
    assert!(found.starts_with("HTTP/1.1 200 OK"), "{found}");
    assert_eq!(server.stop("-TERM"), Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn it_has_as_many_connections_as_the_system_allows() {
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_fourfold");
    command.args(["-c", r#"ulimit -Sn 64; exec "$0" "$@""#, program]);
    let server = Serving::of(&mut command, &["--memory"]);
    let sockets: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.process.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
    assert!(server.post("AmazonSQS.ListQueues", "{}").starts_with("HTTP/1.1 200 "), "100 before it");
    drop(sockets);
    assert_eq!(server.stop("-TERM"), Some(0));
}

#[test]
fn region_and_the_length_of_a_day_are_set() {
    let options = ["--memory", "--movable-clock", "--region", "eu-central-1", "--lifecycle-day", "60"];
    let server = Serving::new(&options);
    let created = server.post("Kinesis_20131202.CreateStream", r#"{"StreamName":"clicks","ShardCount":1}"#);
    assert!(created.starts_with("HTTP/1.1 200 "), "{created}");
    let summary = server.post("Kinesis_20131202.DescribeStreamSummary", r#"{"StreamName":"clicks"}"#);
    assert!(summary.contains("arn:aws:kinesis:eu-central-1:000000000000:stream/clicks"), "{summary}");
    let rules = "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix/></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
    let here = "<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    for (method, path, body) in
        [("PUT", "/films", here), ("PUT", "/films?lifecycle", rules), ("PUT", "/films/a", "short")]
    {
        let answer = server.ask(method, path, body);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    let moved = server.ask("POST", "/_fourfold/clock", r#"{"advance_ms":180000}"#);
    assert!(moved.starts_with("HTTP/1.1 200 "), "{moved}");
    let gone = server.ask("GET", "/films/a", "");
    assert!(gone.starts_with("HTTP/1.1 404 "), "what fell due is done before the answer: {gone}");
    assert_eq!(server.stop("-TERM"), Some(0));
}

#[test]
fn keys_come_from_a_file_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys");
    std::fs::write(&file, "# who may\nOWN secret\nOTHER secret 111122223333 # and who is somebody else\n")
        .unwrap();
    let server = Serving::new(&["--memory", "--keys", path(&file)]);
    let refused = server.post("AmazonSQS.ListQueues", "{}");
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    assert_eq!(server.stop("-TERM"), Some(0));
    for wrong in ["", "ID", "ID SECRET 7", "A B 111122223333 D"] {
        std::fs::write(&file, wrong).unwrap();
        assert_eq!(run(&["serve", "--memory", "--keys", path(&file)]).0, 1, "{wrong}");
    }
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let server = Serving::new(&["--memory"]);
    let output = fourfold(&["serve", "--memory", "--listen", &server.address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains(&server.address));
    assert_eq!(server.stop("-TERM"), Some(0));
}
