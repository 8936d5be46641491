//! `fourfold serve`: a store on a port.

use crate::{Done, say};
use clap::{Args, ValueEnum};
use fourfold::objects::{Day, Dials};
use fourfold::{Durability, Store};
use fourfold_aws::{BODIES_LEN_MAX, BODY_LEN_MAX, Limits, MovableClock, Router, Server};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct Serve {
    /// Address and port to listen at; port 0 takes any that is free.
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDRESS")]
    listen: String,
    /// Directory of the store, which is made if it is not there.
    #[arg(long, value_name = "DIR", conflicts_with = "memory", required_unless_present = "memory")]
    data: Option<PathBuf>,
    /// A new store in memory, gone when the server stops.
    #[arg(long)]
    memory: bool,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    behaviour: Behaviour,
    #[command(flatten)]
    bounds: Bounds,
    /// Does not say where it listens.
    #[arg(long, short)]
    quiet: bool,
}

/// Whose resources they are, and who is let in.
#[derive(Args)]
struct Who {
    /// Account in ARNs and URLs: twelve digits.
    #[arg(long, default_value = "000000000000", value_name = "ID", value_parser = account)]
    account: String,
    /// Region in ARNs.
    #[arg(long, default_value = "us-east-1", value_name = "NAME")]
    region: String,
    /// Lets only those in who sign with this key; may be given more than once. Without any, everybody is let in.
    #[arg(long = "key", value_name = "ID:SECRET", value_parser = key)]
    keys: Vec<Key>,
    /// A file of keys, one a line: id, secret, and the account of its holder if that is another. `#` begins a comment.
    #[arg(long = "keys", value_name = "FILE")]
    key_file: Option<PathBuf>,
}

#[derive(Args)]
struct Behaviour {
    /// What an answer promises: `synced` on the device, `written` with the operating system, `buffered` neither yet.
    #[arg(long, value_enum, default_value = "synced", value_name = "LEVEL", conflicts_with = "memory")]
    durability: Level,
    /// Hosts below this domain name a bucket of S3 in their first labels, as those below `localhost` do; may be given more
    /// than once.
    #[arg(long = "s3-domain", value_name = "DOMAIN")]
    s3_domains: Vec<String>,
    /// Lets clients move the time on: POST `/_fourfold/clock` `{"advance_ms": 60000}`.
    #[arg(long)]
    movable_clock: bool,
    /// Seconds of a day of lifecycle rules; 86400 as the service has it.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    lifecycle_day: Option<u64>,
}

#[derive(Args)]
struct Bounds {
    /// Connections at a time; more wait.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().connections)]
    max_connections: usize,
    /// Bytes of a request's body, but for objects.
    #[arg(long, value_name = "BYTES", default_value_t = BODY_LEN_MAX)]
    max_body: usize,
    /// Bytes of all such bodies at a time; a request that needs more is to come again (503).
    #[arg(long, value_name = "BYTES", default_value_t = BODIES_LEN_MAX)]
    max_bodies: usize,
    /// Seconds that the head of a request may take to come, and a connection may be idle.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().head_wait.as_secs())]
    head_timeout: u64,
    /// Seconds that a body may take to come, and one more for each 64 KiB of it.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().body_wait.as_secs())]
    body_timeout: u64,
    /// Seconds that an answer may wait until some of it is taken.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().answer_wait.as_secs())]
    answer_timeout: u64,
    /// Seconds that requests under way have to end when the server is stopped.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().stop_wait.as_secs())]
    stop_timeout: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Level {
    Synced,
    Written,
    Buffered,
}

/// A key, and the account of its holder if that is not the store's.
#[derive(Clone, Debug)]
struct Key {
    id: String,
    secret: String,
    account: Option<String>,
}

fn key(text: &str) -> Result<Key, String> {
    let (id, secret) = text.split_once(':').ok_or("expected ID:SECRET")?;
    Ok(Key { id: id.to_owned(), secret: secret.to_owned(), account: None })
}

fn account(text: &str) -> Result<String, String> {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { Ok(text.to_owned()) } else { Err("expected twelve digits".to_owned()) }
}

#[expect(clippy::disallowed_methods, reason = "the file is the user's, not a store's")]
fn keys_of(file: &Path) -> Result<Vec<Key>, Box<dyn Error>> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let lines =
        text.lines().enumerate().map(|(index, line)| (index + 1, line.split('#').next().unwrap_or("")));
    let mut keys = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (id, secret, owner) = match words[..] {
            [id, secret] => (id, secret, None),
            [id, secret, owner] => (id, secret, Some(account(owner))),
            _ => return Err(format!("{}:{number}: expected ID SECRET [ACCOUNT]", file.display()).into()),
        };
        let owner = owner.transpose().map_err(|error| format!("{}:{number}: {error}", file.display()))?;
        keys.push(Key { id: id.to_owned(), secret: secret.to_owned(), account: owner });
    }
    if keys.is_empty() {
        return Err(format!("{}: no key in it, so everybody would be let in", file.display()).into());
    }
    Ok(keys)
}

impl Who {
    fn keys(&self) -> Result<Vec<Key>, Box<dyn Error>> {
        let mut keys = self.keys.clone();
        if let Some(file) = &self.key_file {
            keys.extend(keys_of(file)?);
        }
        Ok(keys)
    }
}

impl Bounds {
    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        limits.connections = self.max_connections.max(1);
        limits.head_wait = Duration::from_secs(self.head_timeout);
        limits.body_wait = Duration::from_secs(self.body_timeout);
        limits.answer_wait = Duration::from_secs(self.answer_timeout);
        limits.stop_wait = Duration::from_secs(self.stop_timeout);
        limits
    }
}

/// How a store is opened, as often as that is asked for.
#[derive(Clone)]
struct Opening {
    data: Option<PathBuf>,
    account: String,
    region: String,
    durability: Durability,
    clock: Option<MovableClock>,
    lifecycle_day: Option<Duration>,
}

impl Opening {
    fn builder(&self) -> fourfold::Builder {
        let builder = Store::builder().account(&*self.account).region(&*self.region);
        match &self.clock {
            Some(clock) => builder.clock(clock.clone()),
            None => builder,
        }
    }

    fn in_memory(&self) -> Store {
        // What is due by the clock is done behind the callers' backs, as on disk.
        self.turned(self.builder().background_threads(1).open_in_memory())
    }

    fn open(&self) -> fourfold::Result<Store> {
        match &self.data {
            Some(directory) => Ok(self.turned(self.builder().durability(self.durability).open(directory)?)),
            None => Ok(self.in_memory()),
        }
    }

    fn turned(&self, store: Store) -> Store {
        if let Some(day) = self.lifecycle_day {
            let mut dials = Dials::default();
            dials.day = Day::of(day);
            store.buckets().set_dials(dials);
        }
        store
    }
}

impl Serve {
    pub(crate) fn run(self: Box<Self>) -> Done {
        raise_file_limit();
        let opening = self.opening();
        let router = self.router(&opening)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let server = Server::bind(&*self.listen, router)
                .await
                .map_err(|error| format!("cannot listen at {}: {error}", self.listen))?
                .limits(self.bounds.limits());
            let stop = stop()?;
            if !self.quiet {
                say(format_args!("listening on http://{}", server.address()))?;
            }
            server.run(stop).await;
            Ok(ExitCode::SUCCESS)
        })
    }

    fn opening(&self) -> Opening {
        Opening {
            data: self.data.clone(),
            account: self.who.account.clone(),
            region: self.who.region.clone(),
            durability: match self.behaviour.durability {
                Level::Synced => Durability::Synced,
                Level::Written => Durability::Written,
                Level::Buffered => Durability::Buffered,
            },
            clock: self.behaviour.movable_clock.then(MovableClock::default),
            lifecycle_day: self.behaviour.lifecycle_day.map(Duration::from_secs),
        }
    }

    fn router(&self, opening: &Opening) -> Result<Router, Box<dyn Error>> {
        let keys = self.who.keys()?;
        let mut router = Router::new(opening.open()?)
            .body_len_max(self.bounds.max_body)
            .bodies_len_max(self.bounds.max_bodies);
        for key in keys {
            router = match key.account {
                Some(account) if account != opening.account => router.key_of(account, key.id, key.secret),
                _ => router.key(key.id, key.secret),
            };
        }
        for domain in &self.behaviour.s3_domains {
            router = router.domain(domain);
        }
        if let Some(clock) = &opening.clock {
            router = router.clock(clock.clone());
        }
        if opening.data.is_none() {
            let opening = opening.clone();
            router = router.reset(move || opening.in_memory());
        }
        Ok(router)
    }
}

/// As many connections as the system allows: what a process may have open is less at first, for programs that cannot deal
/// with more. If it cannot be raised, the server has fewer.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Ready when somebody asks the process to end.
fn stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
