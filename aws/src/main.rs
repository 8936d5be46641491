//! `fourfold`: the endpoint as a program.

use clap::{Args, Parser, Subcommand};
use fourfold::{Durability, Store};
use fourfold_aws::{MovableClock, Router, Server};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Queues, streams and tables with the interfaces of AWS, on this machine.
#[derive(Parser)]
#[command(name = "fourfold", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a store to AWS clients until it is told to stop (SIGINT, SIGTERM).
    Serve(Serve),
}

#[derive(Args)]
struct Serve {
    /// Address and port to listen at; port 0 takes any that is free.
    #[arg(long, default_value = "127.0.0.1:4566", value_name = "ADDRESS")]
    listen: String,
    /// Directory of the store, which is made if it is not there.
    #[arg(long, value_name = "DIR", conflicts_with = "memory", required_unless_present = "memory")]
    data: Option<PathBuf>,
    /// A new store in memory, gone when the server stops.
    #[arg(long)]
    memory: bool,
    /// Account in ARNs and URLs: twelve digits.
    #[arg(long, default_value = "000000000000", value_name = "ID")]
    account: String,
    /// Region in ARNs.
    #[arg(long, default_value = "us-east-1", value_name = "NAME")]
    region: String,
    /// Lets only those in who sign with this key; may be given more than once. Without any, everybody is let in.
    #[arg(long = "key", value_name = "ID:SECRET", value_parser = key)]
    keys: Vec<(String, String)>,
    /// Lets clients move the time on: POST `/_fourfold/clock` `{"advance_ms": 60000}`.
    #[arg(long)]
    movable_clock: bool,
    /// Answers before a write is on the device: faster, and a power cut may take the newest writes.
    #[arg(long)]
    relaxed: bool,
}

fn key(text: &str) -> Result<(String, String), String> {
    let (id, secret) = text.split_once(':').ok_or("expected ID:SECRET")?;
    Ok((id.to_owned(), secret.to_owned()))
}

fn main() -> ExitCode {
    let Cli { command: Command::Serve(serve) } = Cli::parse();
    match serve.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "fourfold: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Serve {
    fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let clock = self.movable_clock.then(MovableClock::default);
        let store = self.open(clock.as_ref())?;
        let mut router = Router::new(store);
        for (id, secret) in self.keys {
            router = router.key(id, secret);
        }
        if let Some(clock) = clock {
            router = router.clock(clock);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let server = Server::bind(&*self.listen, router).await?;
            writeln!(io::stdout(), "listening on http://{}", server.address())?;
            let stop = stop()?;
            server.run(stop).await;
            Ok(())
        })
    }

    fn open(&self, clock: Option<&MovableClock>) -> fourfold::Result<Store> {
        let mut builder = Store::builder().account(&*self.account).region(&*self.region);
        if let Some(clock) = clock {
            builder = builder.clock(clock.clone());
        }
        if self.relaxed {
            builder = builder.durability(Durability::Written);
        }
        match &self.data {
            Some(directory) => builder.open(directory),
            // What is due by the clock is done behind the callers' backs, as on disk.
            None => Ok(builder.background_threads(1).open_in_memory()),
        }
    }
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
