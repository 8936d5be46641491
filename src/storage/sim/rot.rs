//! Damage by hand: what a device, a controller or a person does to files behind the back of the store.
//!
//! Everything here changes what is seen and what is durable alike, is not counted as a call and never fails by a fault.
//! A file that does not exist is [`Error::NotFound`].

use super::{
    SimDisk,
    content::{Content, LEN_MAX, PAGE_LEN, SECTOR_LEN},
    world::{Node, NodeId, World},
};
use crate::error::{Error, Result};
use parking_lot::MutexGuard;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

impl SimDisk {
    /// All files with their lengths, in order.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let world = self.world();
        let dirs = world.dirs.iter();
        dirs.flat_map(|(path, dir)| dir.current.iter().map(move |(name, node)| (path.join(&**name), node)))
            .map(|(path, node)| (path, world.node(*node).current.len()))
            .collect()
    }

    /// The bytes of a file.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>> {
        let (world, node) = self.find(path.as_ref())?;
        Ok(world.node(node).current.to_vec())
    }

    /// Makes `bytes` the content of a file, which is made if it is missing, with its directory.
    pub fn write(&self, path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        let (path, content) = (path.as_ref(), Content::from(bytes));
        let (dir, name) = parts(path)?;
        let mut world = self.world();
        if let Ok(node) = world.lookup(dir, &name) {
            settle(&mut world, node, content);
            return Ok(());
        }
        let id = world.next_node;
        world.next_node += 1;
        world.nodes.insert(id, Node::settled(content, 1));
        let dir = world.dirs.entry(dir.into()).or_default();
        Arc::make_mut(&mut dir.current).insert(Arc::clone(&name), id);
        Arc::make_mut(&mut dir.durable).insert(name, id);
        Ok(())
    }

    /// Removes a file.
    pub fn remove(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let (dir, name) = parts(path)?;
        let (mut world, node) = self.find(path)?;
        let dir = world.dirs.get_mut(dir).expect("just found");
        Arc::make_mut(&mut dir.current).remove(&name);
        Arc::make_mut(&mut dir.durable).remove(&name);
        world.node_mut(node).names -= 1;
        world.sweep();
        Ok(())
    }

    /// Gives the file `to` the content of the file `from`, as a misdirected copy does.
    pub fn copy(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
        let bytes = self.read(from)?;
        self.write(to, &bytes)
    }

    /// Flips one bit: bit `bit % 8` of byte `bit / 8`.
    pub fn flip_bit(&self, path: impl AsRef<Path>, bit: u64) -> Result<()> {
        self.edit(path.as_ref(), bit / 8, |bytes, byte| bytes[byte] ^= 1 << (bit % 8))
    }

    /// Makes the 512 bytes of sector number `sector` zero.
    pub fn zero_sector(&self, path: impl AsRef<Path>, sector: u64) -> Result<()> {
        self.edit(path.as_ref(), sector.saturating_mul(SECTOR_LEN as u64), |bytes, start| {
            let end = bytes.len().min(start + SECTOR_LEN);
            bytes[start..end].fill(0);
        })
    }

    /// Makes reads of sector number `sector` fail until it is written again.
    pub fn break_sector(&self, path: impl AsRef<Path>, sector: u64) -> Result<()> {
        let (mut world, node) = self.find(path.as_ref())?;
        world.node_mut(node).broken.insert(sector);
        Ok(())
    }

    /// Exchanges two pages of 4096 bytes, both whole and within the file.
    pub fn swap_pages(&self, path: impl AsRef<Path>, first: u64, second: u64) -> Result<()> {
        let [low, high] =
            [first.min(second), first.max(second)].map(|page| page.saturating_mul(PAGE_LEN as u64));
        self.edit(path.as_ref(), high.saturating_add(PAGE_LEN as u64 - 1), |bytes, last| {
            let (head, tail) = bytes.split_at_mut(last + 1 - PAGE_LEN);
            if low < high {
                let low = usize::try_from(low).expect("before the last byte");
                head[low..low + PAGE_LEN].swap_with_slice(&mut tail[..PAGE_LEN]);
            }
        })
    }

    /// Makes the file `len` bytes long: cut off, or grown by zeros.
    pub fn truncate(&self, path: impl AsRef<Path>, len: u64) -> Result<()> {
        if len > LEN_MAX {
            return Err(Error::TooLarge { what: "simulated file", len, max: LEN_MAX });
        }
        let (mut world, node) = self.find(path.as_ref())?;
        let mut content = world.node(node).current.clone();
        content.set_len(len);
        settle(&mut world, node, content);
        Ok(())
    }

    fn find(&self, path: &Path) -> Result<(MutexGuard<'_, World>, NodeId)> {
        let (dir, name) = parts(path)?;
        let world = self.world();
        let node = world.lookup(dir, &name).map_err(|_| missing(path))?;
        Ok((world, node))
    }

    /// Changes the bytes of a file that has a byte at `offset`.
    fn edit(&self, path: &Path, offset: u64, change: impl FnOnce(&mut [u8], usize)) -> Result<()> {
        let (mut world, node) = self.find(path)?;
        let mut bytes = world.node(node).current.to_vec();
        let Some(offset) = usize::try_from(offset).ok().filter(|offset| *offset < bytes.len()) else {
            let reason = format!("byte {offset} of {} is behind its end at {}", path.display(), bytes.len());
            return Err(Error::invalid("offset", reason));
        };
        change(&mut bytes, offset);
        settle(&mut world, node, Content::from(&bytes[..]));
        Ok(())
    }
}

/// Makes `content` what is seen and what is durable.
fn settle(world: &mut World, node: NodeId, content: Content) {
    let old = world.node_mut(node);
    *old = Node { handles: old.handles, ..Node::settled(content, old.names) };
}

fn parts(path: &Path) -> Result<(&Path, Arc<str>)> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| missing(path))?;
    Ok((path.parent().unwrap_or(Path::new("")), name.into()))
}

fn missing(path: &Path) -> Error {
    Error::NotFound { kind: "simulated file", name: path.display().to_string() }
}
