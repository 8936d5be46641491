//! Fourfold beside other engines: the same data, on one machine, in turns.
//!
//! ```text
//! cargo run --release -- [workload..] [--engines a,b] [--rounds 3] [--quick] [--json FILE] [--dir DIR]
//! ```
//!
//! Every measurement is a process of its own, so that memory, open time and background threads belong to one engine.
//! Rounds go through the engines in turns, every other one backwards, and a ratio is formed of two measurements of
//! the same round: what slows the machine down for a while slows both.
//!
//! `fg k/s` is thousands of operations per second of CPU time of the calling threads, `tot k/s` of the whole process
//! until its background work has settled. Numbers never decide the exit code.

mod data;
mod engine;
mod engines;
mod measure;
mod naive;
mod report;
mod workload;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;
use std::{env, fs};

use engine::{ENGINES, Engine, Result, Unsupported};
use report::{METRICS, Sample};
use workload::{Child, Kind, Metrics, WORKLOADS, Workload};

const USAGE: &str = "usage: [workload..] [--engines a,b] [--rounds N] [--quick] [--json FILE] [--dir DIR]";

struct Args {
    workloads: Vec<String>,
    engines: Option<String>,
    rounds: usize,
    quick: bool,
    json: Option<PathBuf>,
    dir: PathBuf,
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some("child") => child(&args[1..], false),
        Some("write-and-die") => child(&args[1..], true),
        _ => parse(args).and_then(|args| parent(&args)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: Vec<String>) -> Result<Args> {
    // Next to the executable: on the disk of the build, not on a file system in memory.
    let dir = env::current_exe()?.with_file_name("peers-data");
    let mut parsed = Args { workloads: Vec::new(), engines: None, rounds: 0, quick: false, json: None, dir };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(USAGE);
        match arg.as_str() {
            "--engines" => parsed.engines = Some(value()?),
            "--rounds" => parsed.rounds = value()?.parse()?,
            "--json" => parsed.json = Some(value()?.into()),
            "--dir" => parsed.dir = value()?.into(),
            "--quick" => parsed.quick = true,
            flag if flag.starts_with('-') => return Err(USAGE.into()),
            _ => parsed.workloads.push(arg),
        }
    }
    if parsed.rounds == 0 {
        parsed.rounds = if parsed.quick { 1 } else { 3 };
    }
    Ok(parsed)
}

impl Args {
    /// `get` means all rows of its name, `get-100` one.
    fn wants(&self, workload: &Workload) -> bool {
        self.workloads.is_empty()
            || self.workloads.iter().any(|w| {
                workload
                    .name
                    .strip_prefix(w.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            })
    }

    fn engines(&self) -> Vec<&'static Engine> {
        let listed = |name| self.engines.as_ref().is_none_or(|list| list.split(',').any(|e| e == name));
        ENGINES.iter().filter(|engine| listed(engine.name)).collect()
    }

    /// The chosen workloads, and the loads they stand on.
    fn plan(&self) -> Vec<&'static Workload> {
        let needed = |load: &Workload| {
            load.kind == Kind::Load
                && WORKLOADS.iter().any(|w| w.kind.reads_load() && w.value == load.value && self.wants(w))
        };
        WORKLOADS.iter().filter(|w| self.wants(w) || needed(w)).collect()
    }
}

fn parent(args: &Args) -> Result<()> {
    let (plan, engines) = (args.plan(), args.engines());
    if plan.is_empty() || engines.is_empty() {
        let names: Vec<&str> = WORKLOADS.iter().map(|w| w.name).collect();
        let engines: Vec<&str> = ENGINES.iter().map(|e| e.name).collect();
        return Err(format!("{USAGE}\nworkloads: {}\nengines: {}", names.join(" "), engines.join(" ")).into());
    }
    fs::create_dir_all(&args.dir)?;
    let machine = measure::machine(&args.dir)?;
    println!("{machine}");
    println!("The last write of a row \"process end\" survives, with");
    for engine in &engines {
        println!("  {:<17}{}", engine.name, engine.survives);
    }

    let mut samples = Vec::new();
    for round in 0..args.rounds {
        let mut order = engines.clone();
        if round % 2 == 1 {
            order.reverse();
        }
        for &workload in &plan {
            for &engine in &order {
                if !applies(engine, workload) {
                    continue;
                }
                eprint!("\rround {} {:<20}{:<20}", round + 1, workload.name, engine.name);
                match measure_one(args, engine, workload) {
                    Ok(Some(metrics)) => {
                        let (workload, engine) = (workload.name, engine.name);
                        samples.push(Sample { round, workload, engine, metrics });
                    }
                    Ok(None) => {}
                    Err(error) => eprintln!("\n{} {}: {error}", engine.name, workload.name),
                }
            }
        }
        fs::remove_dir_all(&args.dir)?;
        fs::create_dir_all(&args.dir)?;
    }
    eprintln!();
    fs::remove_dir_all(&args.dir)?;
    report::print(&samples);
    if let Some(path) = &args.json {
        report::write_json(path, &machine, &samples)?;
    }
    Ok(())
}

fn applies(engine: &Engine, workload: &Workload) -> bool {
    engine.is(workload.kind.family()) && (workload.kind.writes() || !engine.only_writes)
}

/// Runs a child; `None` if the engine cannot do this.
fn measure_one(args: &Args, engine: &Engine, workload: &Workload) -> Result<Option<Metrics>> {
    let lists = workload.kind.lists();
    let loaded = workload.kind == Kind::Load || workload.kind.reads_load() || lists;
    let name = if loaded { format!("{}-{}", engine.name, workload.value) } else { "fresh".into() };
    let dir = args.dir.join(name);
    if lists {
        fs::create_dir_all(&dir)?;
    } else if !workload.kind.reads_load() {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir)?;
    }
    let (items, slice) = if args.quick { (100_000, 200) } else { (1_000_000, 2000) };
    // The writes of the engine before are not this one's burden.
    // SAFETY: takes nothing and always succeeds.
    unsafe { libc::sync() };
    let output = Command::new(env::current_exe()?)
        .args(["child", engine.name, workload.name])
        .arg(&dir)
        .args([items.to_string(), slice.to_string()])
        .output()?;
    if !loaded {
        fs::remove_dir_all(&dir)?;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    let result =
        text.lines().find_map(|line| line.strip_prefix("result ")).ok_or("a child without a result")?;
    if result == "unsupported" {
        return Ok(None);
    }
    let mut metrics = Metrics::new();
    for pair in result.split(';') {
        let (name, value) = pair.split_once('=').ok_or("a malformed result")?;
        let name = METRICS.iter().find(|m| **m == name).ok_or("an unknown metric")?;
        metrics.insert(name, value.parse()?);
    }
    Ok(Some(metrics))
}

fn child(args: &[String], die: bool) -> Result<()> {
    let [engine, workload, dir, items, slice] = args else { return Err(USAGE.into()) };
    let child = Child {
        engine: ENGINES.iter().find(|e| e.name == engine).ok_or("no such engine")?,
        workload: WORKLOADS.iter().find(|w| w.name == workload).ok_or("no such workload")?,
        dir: Path::new(dir).into(),
        items: items.parse()?,
        slice: Duration::from_millis(slice.parse()?),
    };
    if die {
        return child.write_and_die();
    }
    match child.run() {
        Ok(metrics) => {
            let pairs: Vec<String> = metrics.iter().map(|(name, value)| format!("{name}={value}")).collect();
            println!("result {}", pairs.join(";"));
            Ok(())
        }
        Err(error) if error.is::<Unsupported>() => {
            println!("result unsupported");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
