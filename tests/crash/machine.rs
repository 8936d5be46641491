//! Real file systems that lose power, run full and fail: do the kernel and the simulated disk agree?
//!
//! These tests mount loop devices, so they need root; `.ci/powercut` runs them. A power cut is the shutdown ioctl of ext4
//! without a flush of its journal: nothing reaches the device from then on.
#![expect(unsafe_code, reason = "an ioctl has no safe form")]
#![expect(clippy::disallowed_methods, reason = "the test plays the operator of the machine")]

use crate::process::{Until, acknowledged, newest, open, spawn, write_on};
use fourfold::{Durability, Error};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `EXT4_IOC_SHUTDOWN`, and its flag for "do not even write the journal".
const SHUTDOWN: rustix::ioctl::Opcode = 0x8004_587d;
const SHUTDOWN_WITHOUT_JOURNAL: u32 = 2;

/// A mounted file system; unmounted when it is dropped.
struct Mounted {
    at: PathBuf,
}

impl Mounted {
    fn new(options: &[&str], what: &Path, at: PathBuf) -> Self {
        run(Command::new("mount").args(options).arg(what).arg(&at));
        Self { at }
    }

    fn ext4(image: &Path, at: PathBuf) -> Self {
        Self::new(&["-o", "loop"], image, at)
    }

    fn tmpfs(size: &str, at: PathBuf) -> Self {
        Self::new(&["-t", "tmpfs", "-o", &format!("size={size}")], Path::new("tmpfs"), at)
    }

    fn store(&self) -> PathBuf {
        self.at.join("store")
    }

    /// From now on nothing reaches the device.
    fn cut_power(&self) {
        let dir = File::open(&self.at).expect("the file system is mounted");
        // SAFETY: the opcode takes a pointer to a u32 and writes nothing through it.
        let command = unsafe { rustix::ioctl::Setter::<SHUTDOWN, u32>::new(SHUTDOWN_WITHOUT_JOURNAL) };
        // SAFETY: it changes no memory of this process.
        unsafe { rustix::ioctl::ioctl(&dir, command) }.expect("ext4 can be shut down");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run(Command::new("umount").arg(&self.at));
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// An ext4 file system of so many MiB in a sparse file.
fn make_ext4(image: &Path, mebibytes: u64) {
    File::create(image).unwrap().set_len(mebibytes << 20).unwrap();
    run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(image));
}

fn make_dir(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir(&path).unwrap();
    path
}

#[test]
#[ignore = "needs root: .ci/powercut"]
fn what_was_synced_survives_power_cuts() {
    let cuts = crate::report::setting("FOURFOLD_POWER_CUTS").unwrap_or(30);
    let dir = tempfile::tempdir().unwrap();
    let (image, at) = (dir.path().join("disk"), make_dir(dir.path(), "mnt"));
    make_ext4(&image, 32);
    let mut random = crate::random::Random::new(crate::report::setting("FOURFOLD_CRASH_SEED").unwrap_or(1));
    let mut promised = 0;
    for cut in 0..cuts {
        let disk = Mounted::ext4(&image, at.clone());
        let mut child = spawn(&disk.store(), Durability::Synced);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let patience = random.below(60);
        for line in lines.by_ref().take(patience) {
            promised = acknowledged(&line.unwrap()).unwrap_or(promised);
        }
        disk.cut_power();
        // The child finds that it cannot write any more, and says so.
        let mut stopped = None;
        for line in lines {
            let line = line.unwrap();
            promised = acknowledged(&line).unwrap_or(promised);
            stopped = line.contains("stopped").then_some(line).or(stopped);
        }
        child.wait().unwrap();
        drop(disk);
        let disk = Mounted::ext4(&image, at.clone());
        let store =
            open(&disk.store()).unwrap_or_else(|error| panic!("cut {cut}: {error}; before: {stopped:?}"));
        let newest = newest(&store).unwrap_or_else(|error| panic!("cut {cut}: {error}"));
        assert!(
            newest >= promised,
            "cut {cut}: {promised} was acknowledged, {newest} is the newest; {stopped:?}"
        );
        assert!(newest <= promised + 1, "cut {cut}: {newest} is there, but only {promised} was acknowledged");
        promised = newest;
    }
    println!("{cuts} power cuts, {promised} batches, none missing");
    assert!(promised > 0);
}

#[test]
#[ignore = "needs root: .ci/powercut"]
fn a_full_disk_refuses_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    for kind in ["tmpfs", "ext4"] {
        let at = make_dir(dir.path(), kind);
        let disk = if kind == "tmpfs" {
            Mounted::tmpfs("1m", at)
        } else {
            let image = dir.path().join("small");
            make_ext4(&image, 2);
            Mounted::ext4(&image, at)
        };
        let ballast = disk.at.join("ballast");
        File::create(&ballast).unwrap().set_len(0).unwrap();
        std::fs::write(&ballast, vec![7; 400 << 10]).unwrap();
        let store = open(&disk.store()).unwrap();
        let mut promised = 0;
        let full = write_on(&store, Durability::Synced, Until::Full, |number| promised = number);
        assert!(matches!(full, Err(Error::StorageFull { .. })), "{kind}: {full:?}");
        assert!(promised > 0);
        assert_eq!(newest(&store), Ok(promised), "{kind}: refused means untouched");
        std::fs::remove_file(&ballast).unwrap();
        let before = promised;
        write_on(&store, Durability::Synced, Until::Count(20), |number| promised = number).unwrap();
        assert_eq!(promised, before + 20, "{kind}: with room again");
        assert_eq!(newest(&store), Ok(promised));
    }
}

#[test]
#[ignore = "needs root: .ci/powercut"]
fn a_failed_sync_stops_writes_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (below, at) = (make_dir(dir.path(), "below"), make_dir(dir.path(), "mnt"));
    // The disk believes it has 32 MiB, and has 3.
    let small = Mounted::tmpfs("3m", below);
    let image = small.at.join("disk");
    make_ext4(&image, 32);
    let mut promised = 0;
    {
        let disk = Mounted::ext4(&image, at.clone());
        let store = open(&disk.store()).unwrap();
        let failed =
            write_on(&store, Durability::Synced, Until::Full, |number| promised = number).unwrap_err();
        println!("after {promised} batches: {failed}");
        let again = write_on(&store, Durability::Synced, Until::Full, |number| {
            panic!("{number} was acknowledged after {failed}")
        });
        // A failure of a file that nothing relies on yet does not poison; it goes on failing all the same.
        assert!(matches!(again, Err(Error::Poisoned { .. } | Error::Io { .. })), "{failed}, then {again:?}");
        let shown = newest(&store).unwrap_or_else(|error| panic!("reads go on: {error}"));
        assert!((promised..=promised + 1).contains(&shown), "{promised} was acknowledged, {shown} is shown");
    }
    run(Command::new("mount").args(["-o", "remount,size=64m"]).arg(&small.at));
    let disk = Mounted::ext4(&image, at);
    let store = open(&disk.store()).unwrap();
    let found = newest(&store).unwrap_or_else(|error| panic!("{error}"));
    assert!((promised..=promised + 1).contains(&found), "{promised} was acknowledged, {found} is the newest");
}
