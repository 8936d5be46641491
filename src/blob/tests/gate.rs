//! A disk on which a test can look around in the middle of a sync.

use crate::{
    error::Result,
    sim::SimDisk,
    storage::{
        Entry, File, Storage,
        sim::{SimDir, SimFile, SimLock},
    },
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
};

/// The next sync of a file says that it has begun, then waits to be let through.
#[derive(Debug)]
pub(super) struct Gate {
    begun: Sender<()>,
    go: Receiver<()>,
}

#[derive(Clone, Debug)]
pub(super) struct Gated {
    dir: SimDir,
    gate: Arc<Mutex<Option<Gate>>>,
}

#[derive(Debug)]
pub(super) struct GatedFile {
    file: SimFile,
    gate: Arc<Mutex<Option<Gate>>>,
}

impl Gated {
    pub(super) fn new(disk: &SimDisk) -> Self {
        Self { dir: disk.dir("d"), gate: Arc::default() }
    }

    /// Stops the next sync: the receiver hears when it has begun, the sender lets it go on.
    pub(super) fn stop_next_sync(&self) -> (Receiver<()>, Sender<()>) {
        let ((begun, hears), (lets, go)) = (channel(), channel());
        *self.gate.lock() = Some(Gate { begun, go });
        (hears, lets)
    }

    fn gated(&self, file: SimFile) -> GatedFile {
        GatedFile { file, gate: Arc::clone(&self.gate) }
    }
}

impl Storage for Gated {
    type File = GatedFile;
    type Lock = SimLock;

    fn is_persistent(&self) -> bool {
        self.dir.is_persistent()
    }

    fn path(&self) -> PathBuf {
        self.dir.path()
    }

    fn create_dir(&self) -> Result<()> {
        self.dir.create_dir()
    }

    fn lock(&self) -> Result<SimLock> {
        self.dir.lock()
    }

    fn list(&self) -> Result<Vec<Entry>> {
        self.dir.list()
    }

    fn len(&self, name: &str) -> Result<u64> {
        Storage::len(&self.dir, name)
    }

    fn create(&self, name: &str) -> Result<GatedFile> {
        self.dir.create(name).map(|file| self.gated(file))
    }

    fn open(&self, name: &str) -> Result<GatedFile> {
        self.dir.open(name).map(|file| self.gated(file))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.dir.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.dir.remove(name)
    }

    fn sync_dir(&self) -> Result<()> {
        self.dir.sync_dir()
    }

    fn sync_parent(&self) -> Result<()> {
        self.dir.sync_parent()
    }

    fn link_into(&self, name: &str, target: &Self) -> Result<()> {
        self.dir.link_into(name, &target.dir)
    }

    fn sibling(&self, path: PathBuf) -> Self {
        Self { dir: self.dir.sibling(path), gate: Arc::clone(&self.gate) }
    }
}

impl File for GatedFile {
    fn path(&self) -> PathBuf {
        self.file.path()
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn allocate(&self, len: u64) -> Result<()> {
        self.file.allocate(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_at(bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_at(buffer, offset)
    }

    fn slice(&self, offset: u64, len: usize) -> Result<Bytes> {
        self.file.slice(offset, len)
    }

    fn truncate(&self, len: u64) -> Result<()> {
        self.file.truncate(len)
    }

    fn sync(&self) -> Result<()> {
        let gate = self.gate.lock().take();
        let result = self.file.sync();
        if let Some(Gate { begun, go }) = gate {
            begun.send(()).expect("the test listens");
            go.recv().expect("the test lets it go on");
        }
        result
    }
}
