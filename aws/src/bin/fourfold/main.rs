//! `fourfold`: the endpoint as a program, and what is done to a store from outside.
//!
//! It ends with 0 if all went well, 1 if what was asked for could not be done, 2 if the arguments make no sense, 3 if a store
//! is damaged.

mod care;
mod inspect;
mod serve;

use clap::{CommandFactory, Parser, Subcommand};
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// A store is damaged.
const DAMAGED: u8 = 3;

/// Queues, streams, tables and objects with the interfaces of AWS, on this machine.
#[derive(Parser)]
#[command(
    name = "fourfold",
    version,
    arg_required_else_help = true,
    after_help = "Exit status: 0 all went well, 1 it could not be done, 2 wrong arguments, 3 the store is damaged."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a store to AWS clients until it is told to stop (SIGINT, SIGTERM).
    Serve(Box<serve::Serve>),
    /// Says what a store holds: resources, files, and what opening it found.
    Inspect(inspect::Inspect),
    /// Reads everything in a store and says what is damaged.
    Verify(care::Verify),
    /// Copies a store into another directory, by hard links where that is possible.
    Checkpoint(care::Checkpoint),
    /// Makes a damaged store openable again, by giving up what is damaged.
    Repair(care::Repair),
    /// Prints what completes commands and options in a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// How a command ended.
type Done = Result<ExitCode, Box<dyn Error>>;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Verify(verify) => verify.run(),
        Command::Checkpoint(checkpoint) => checkpoint.run(),
        Command::Repair(repair) => repair.run(),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "fourfold", &mut io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| {
        let is_damage = matches!(error.downcast_ref(), Some(fourfold::Error::Corrupt(_)));
        let _ = writeln!(io::stderr(), "fourfold: {error}");
        if is_damage { ExitCode::from(DAMAGED) } else { ExitCode::FAILURE }
    })
}

/// A line of what was asked for. Who reads no further, as `head` does, needs no more of it.
fn say(line: impl std::fmt::Display) -> io::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Opens a store that must be there: none is made.
fn open(directory: &PathBuf) -> Result<fourfold::Store, Box<dyn Error>> {
    if !directory.join("MANIFEST").exists() {
        return Err(format!("no store in {}", directory.display()).into());
    }
    Ok(fourfold::Store::open(directory)?)
}
