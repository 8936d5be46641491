//! The seam over a simulated disk: one directory of it, its files and its lock.

use super::{
    SimDisk,
    world::{Call, NodeId, World},
};
use crate::{
    error::{Error, Result},
    storage::{Entry, File, Storage, ends_early},
};
use bytes::Bytes;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A directory on a simulated disk.
#[derive(Clone, Debug)]
pub(crate) struct SimDir {
    disk: SimDisk,
    path: Arc<Path>,
}

impl SimDir {
    pub(super) fn new(disk: SimDisk, path: &Path) -> Self {
        Self { disk, path: path.into() }
    }

    fn open_node(&self, world: &mut World, node: NodeId, path: PathBuf) -> SimFile {
        world.node_mut(node).handles += 1;
        SimFile { disk: self.disk.clone(), node, path: path.into() }
    }

    fn call(&self, op: &'static str, name: &str) -> Call {
        Call { op, path: self.path.join(name).into(), offset: 0, len: 0 }
    }
}

impl Storage for SimDir {
    type File = SimFile;
    type Lock = SimLock;

    fn is_persistent(&self) -> bool {
        true
    }

    fn path(&self) -> PathBuf {
        self.path.to_path_buf()
    }

    fn create_dir(&self) -> Result<()> {
        let mut world = self.disk.world();
        world.alive().map_err(|error| Error::io("create directory", &*self.path, 0, error))?;
        world.dirs.entry(Arc::clone(&self.path)).or_default();
        Ok(())
    }

    fn lock(&self) -> Result<SimLock> {
        let mut world = self.disk.world();
        let found = world.alive().and_then(|()| world.dir(&self.path).map(drop));
        found.map_err(|error| Error::io("lock", &*self.path, 0, error))?;
        if !world.locked.insert(Arc::clone(&self.path)) {
            return Err(Error::Locked { path: self.path() });
        }
        Ok(SimLock { disk: self.disk.clone(), path: Arc::clone(&self.path) })
    }

    fn list(&self) -> Result<Vec<Entry>> {
        let world = self.disk.world();
        let dir = world.alive().and_then(|()| world.dir(&self.path));
        let dir = dir.map_err(|error| Error::io("list", &*self.path, 0, error))?;
        let entries = dir.current.keys().map(|name| Entry { name: name.to_string(), is_file: true });
        Ok(entries.collect())
    }

    fn len(&self, name: &str) -> Result<u64> {
        let world = self.disk.world();
        let node = world.alive().and_then(|()| world.lookup(&self.path, name));
        let node = node.map_err(|error| Error::io("inspect", self.path.join(name), 0, error))?;
        Ok(world.node(node).current.len())
    }

    fn create(&self, name: &str) -> Result<SimFile> {
        self.disk.change(self.call("create", name), |world, fault| {
            fault.map_or(Ok(()), |fault| Err(fault.error()))?;
            let node = world.create(&self.path, name)?;
            Ok(self.open_node(world, node, self.path.join(name)))
        })
    }

    fn open(&self, name: &str) -> Result<SimFile> {
        let mut world = self.disk.world();
        let path = self.path.join(name);
        match world.alive().and_then(|()| world.lookup(&self.path, name)) {
            Ok(node) => Ok(self.open_node(&mut world, node, path)),
            Err(error) => Err(Error::io("open", path, 0, error)),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.disk.change(self.call("rename", from), |world, fault| {
            fault.map_or(Ok(()), |fault| Err(fault.error()))?;
            world.rename(&self.path, from, to)
        })
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.disk.change(self.call("remove", name), |world, fault| {
            fault.map_or(Ok(()), |fault| Err(fault.error()))?;
            world.remove(&self.path, name)
        })
    }

    fn sync_dir(&self) -> Result<()> {
        let call = Call { op: "sync directory", path: Arc::clone(&self.path), offset: 0, len: 0 };
        self.disk.change(call, |world, fault| world.sync_dir(&self.path, fault))
    }

    /// A simulated directory is durable as soon as it exists (W2).
    fn sync_parent(&self) -> Result<()> {
        Ok(())
    }

    fn link_into(&self, name: &str, target: &Self) -> Result<()> {
        if !self.disk.is(&target.disk) {
            let reason =
                format!("{} and {} are on two simulated disks", self.path.display(), target.path.display());
            return Err(Error::Unsupported { op: "link", reason });
        }
        self.disk.change(target.call("link", name), |world, fault| {
            fault.map_or(Ok(()), |fault| Err(fault.error()))?;
            world.link(&self.path, name, &target.path)
        })
    }

    fn sibling(&self, path: PathBuf) -> Self {
        Self::new(self.disk.clone(), &path)
    }
}

/// Dropping it lets the next opener in.
#[derive(Debug)]
pub(crate) struct SimLock {
    disk: SimDisk,
    path: Arc<Path>,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.world().locked.remove(&self.path);
    }
}

/// An open file on a simulated disk.
#[derive(Debug)]
pub(crate) struct SimFile {
    disk: SimDisk,
    node: NodeId,
    path: Arc<Path>,
}

impl SimFile {
    fn call(&self, op: &'static str, offset: u64, len: u64) -> Call {
        Call { op, path: Arc::clone(&self.path), offset, len }
    }

    fn failed(&self, op: &'static str, error: io::Error) -> Error {
        Error::io(op, &*self.path, 0, error)
    }

    /// Lets `read` have the disk if the file has `len` bytes at `offset`.
    fn reading<T>(
        &self,
        offset: u64,
        len: usize,
        read: impl FnOnce(&mut World) -> io::Result<T>,
    ) -> Result<T> {
        let mut world = self.disk.world();
        world.alive().map_err(|error| self.failed("read", error))?;
        let (end, found) = (offset.saturating_add(len as u64), world.node(self.node).current.len());
        if found < end {
            return Err(ends_early(&self.path, end, found));
        }
        read(&mut world).map_err(|error| self.failed("read", error))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.world().close(self.node);
    }
}

impl File for SimFile {
    fn path(&self) -> PathBuf {
        self.path.to_path_buf()
    }

    fn len(&self) -> Result<u64> {
        let world = self.disk.world();
        world.alive().map_err(|error| self.failed("inspect", error))?;
        Ok(world.node(self.node).current.len())
    }

    fn allocate(&self, len: u64) -> Result<()> {
        self.disk.change(self.call("allocate", 0, len), |world, fault| world.allocate(self.node, len, fault))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let call = self.call("write", offset, bytes.len() as u64);
        self.disk.change(call, |world, fault| world.write(self.node, bytes, offset, fault))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.reading(offset, buffer.len(), |world| world.read(self.node, buffer, offset))
    }

    fn slice(&self, offset: u64, len: usize) -> Result<Bytes> {
        self.reading(offset, len, |world| {
            let mut buffer = vec![0; len];
            world.read(self.node, &mut buffer, offset)?;
            Ok(buffer.into())
        })
    }

    fn truncate(&self, len: u64) -> Result<()> {
        let call = self.call("truncate", 0, len);
        self.disk.change(call, |world, fault| world.truncate(self.node, len, fault))
    }

    fn sync(&self) -> Result<()> {
        self.disk.change(self.call("sync", 0, 0), |world, fault| world.sync(self.node, fault))
    }
}
