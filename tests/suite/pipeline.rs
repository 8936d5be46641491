//! The pipeline of `examples/pipeline.rs`, killed again and again: what it ends with is what a walk of the directory comes to.

#[allow(dead_code, reason = "an example has a `main` of its own")]
#[path = "../../examples/pipeline.rs"]
mod example;

use fourfold::Store;
use fourfold::clock::{Clock, Parker, SystemClock};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Where the child finds its files; its store is beside them.
const DIR: &str = "FOURFOLD_PIPELINE_DIR";

/// Files of several kinds, one of them so long that it is uploaded in parts.
#[expect(clippy::disallowed_methods, reason = "the input is not part of the store")]
fn write_files(dir: &Path, round: usize) {
    std::fs::create_dir_all(dir.join("deep/er +&%")).unwrap();
    for n in 0..60 {
        let ending = ["txt", "rs", "MD"][n % 3];
        let text = format!("file {n}\nof round {round}\n").repeat(1 + n * 7);
        std::fs::write(dir.join(format!("deep/file {n}.{ending}")), &text).unwrap();
        std::fs::write(dir.join(format!("deep/er +&%/{n}+ä.{ending}")), text).unwrap();
    }
    std::fs::write(dir.join("empty"), "").unwrap();
    std::fs::write(dir.join("long.bin"), vec![b' ' + u8::try_from(round).unwrap(); 17 << 20]).unwrap();
}

fn pause(duration: Duration) {
    Parker::new().wait_until(&SystemClock, SystemClock.now() + duration);
}

/// What the child process is: it does nothing unless it is one.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    example::run(&dir.join("files"), &dir.join("store")).unwrap();
}

/// Starts the pipeline and kills it after that long, if it has not ended by then. Has it?
fn run_for(dir: &Path, patience: Duration) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "pipeline::child", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let until = SystemClock.now() + patience;
    while SystemClock.now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "it fails: {status}");
            return true;
        }
        pause(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

fn ends_right(dir: &Path) {
    let mut kills = 0;
    let mut patience = Duration::from_millis(40);
    while !run_for(dir, patience) {
        kills += 1;
        patience = patience * 5 / 4 + Duration::from_millis(7);
        assert!(kills < 60, "it never ends");
    }
    assert!(kills > 2, "it was killed on its way");
    let (files, store) = (dir.join("files"), dir.join("store"));
    let expected = example::walked(&files, &store).unwrap();
    let store = Store::open(&store).unwrap();
    assert_eq!(example::totals(&store).unwrap(), expected, "after {kills} kills");
    assert!(store.verify().unwrap().is_empty() && store.tables().verify().unwrap().is_empty());
}

#[test]
fn killed_at_any_moment_it_ends_with_the_same_totals() {
    let dir = tempfile::tempdir().unwrap();
    write_files(&dir.path().join("files"), 1);
    ends_right(dir.path());
    // Changed, added and removed files are followed.
    write_files(&dir.path().join("files"), 2);
    #[expect(clippy::disallowed_methods, reason = "the input is not part of the store")]
    std::fs::remove_file(dir.path().join("files/deep/file 7.rs")).unwrap();
    ends_right(dir.path());
}
