//! The state of a simulated disk, and what each call does to it.
//!
//! W1. Every file keeps two contents: what programs see and what is durable. Between them stand the *dirty items*: each
//!     page with all its versions since the last sync, and the length with all of its own.
//! W2. Every directory keeps two sets of names in the same way; between them stand the *pending* name operations, in
//!     order. A directory itself is durable once it exists.
//! W3. A file exists as long as a name, a handle, a durable name or a pending operation refers to it: a removed file
//!     comes back if the removal does not survive.
//! W4. Nothing here depends on addresses, hashes or time: the same calls give the same state.

use super::{
    content::{Content, LEN_MAX, Page, SECTOR_LEN, pieces, split},
    faults::{Fault, Faults, Random},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::Arc,
};

pub(super) type NodeId = u64;
pub(super) type Names = Arc<BTreeMap<Arc<str>, NodeId>>;

/// Everything on one disk.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) dirs: BTreeMap<Arc<Path>, Dir>,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) next_node: NodeId,
    pub(super) calls: Vec<Call>,
    pub(super) reads: u64,
    pub(super) faults: Faults,
    pub(super) dead: bool,
    pub(super) quota: Option<u64>,
    pub(super) locked: BTreeSet<Arc<Path>>,
    /// What the disk was after each call, if somebody wants to know.
    pub(super) images: Option<Vec<World>>,
}

/// A call that changes the disk.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) op: &'static str,
    pub(super) path: Arc<Path>,
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// A directory (W2).
#[derive(Clone, Debug, Default)]
pub(super) struct Dir {
    pub(super) current: Names,
    pub(super) durable: Names,
    /// With the number of the call.
    pub(super) pending: Vec<(u64, NameOp)>,
}

/// One change of the names of a directory; it survives as a whole or not at all.
#[derive(Clone, Debug)]
pub(super) enum NameOp {
    Bind { name: Arc<str>, node: NodeId },
    Move { from: Arc<str>, to: Arc<str>, node: NodeId },
    Unbind { name: Arc<str>, node: NodeId },
}

impl NameOp {
    pub(super) fn apply(&self, names: &mut Names) {
        let names = Arc::make_mut(names);
        let mut unbind = |name, node| {
            if names.get(name) == Some(node) {
                names.remove(name);
            }
        };
        match self {
            Self::Bind { name, node } => {
                names.insert(Arc::clone(name), *node);
            }
            Self::Move { from, to, node } => {
                unbind(from, node);
                names.insert(Arc::clone(to), *node);
            }
            Self::Unbind { name, node } => unbind(name, node),
        }
    }

    /// An operation cannot survive without the earlier ones on the same names.
    pub(super) fn shares_name(&self, other: &Self) -> bool {
        let mine = self.names();
        other.names().into_iter().flatten().any(|name| mine.contains(&Some(name)))
    }

    fn names(&self) -> [Option<&str>; 2] {
        match self {
            Self::Bind { name, .. } | Self::Unbind { name, .. } => [Some(name), None],
            Self::Move { from, to, .. } => [Some(from), Some(to)],
        }
    }

    pub(super) fn node(&self) -> NodeId {
        match self {
            Self::Bind { node, .. } | Self::Move { node, .. } | Self::Unbind { node, .. } => *node,
        }
    }
}

/// A file (W1).
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) current: Content,
    pub(super) durable: Content,
    /// With the number of the call, as below.
    pub(super) dirty_len: Vec<(u64, u64)>,
    pub(super) dirty_pages: BTreeMap<usize, Vec<(u64, Page)>>,
    /// Sectors whose reading fails.
    pub(super) broken: BTreeSet<u64>,
    /// How many names it has for programs, and how many handles.
    pub(super) names: u32,
    pub(super) handles: u32,
}

impl Node {
    /// A file whose content is durable.
    pub(super) fn settled(content: Content, names: u32) -> Self {
        Self { current: content.clone(), durable: content, names, ..Self::default() }
    }

    fn write(&mut self, call: u64, bytes: &[u8], offset: u64) {
        let mut rest = bytes;
        for (index, within, len) in pieces(offset, bytes.len()) {
            let mut page = self.current.page_or_zero(index);
            let (piece, behind) = rest.split_at(len);
            Arc::make_mut(&mut page)[within..within + len].copy_from_slice(piece);
            self.current.set_page(index, Arc::clone(&page));
            self.dirty_pages.entry(index).or_default().push((call, page));
            rest = behind;
        }
        let end = offset + bytes.len() as u64;
        self.grow(call, end);
        let sectors = offset / SECTOR_LEN as u64..end.div_ceil(SECTOR_LEN as u64);
        self.broken.retain(|sector| !sectors.contains(sector));
    }

    fn grow(&mut self, call: u64, len: u64) {
        if len > self.current.len() {
            self.current.grow(len);
            self.dirty_len.push((call, len));
        }
    }

    /// The length and the pages behind it are items of their own, so a page can be lost whether or not the cut is.
    fn truncate(&mut self, call: u64, len: u64) {
        if len >= self.current.len() {
            return;
        }
        let (first, _) = split(len);
        let cut: Vec<_> =
            (first..self.current.pages()).filter(|&page| self.current.page(page).is_some()).collect();
        self.current.set_len(len);
        for index in cut {
            let page = self.current.page_or_zero(index);
            self.dirty_pages.entry(index).or_default().push((call, page));
        }
        self.dirty_len.push((call, len));
    }

    fn sync(&mut self) {
        let len = self.dirty_len.pop().map_or(self.durable.len(), |(_, len)| len);
        self.dirty_len.clear();
        for (index, mut versions) in std::mem::take(&mut self.dirty_pages) {
            let (_, newest) = versions.pop().expect("a dirty page has a version");
            self.durable.set_page(index, newest);
        }
        // Where a file was cut off, and once a sync lost a length, pages can be durable that the length does not reach.
        if len < self.durable.len().max(self.current.len()) {
            self.durable.set_len(len);
        }
        self.durable.grow(len);
    }

    /// A sync that failed: clean, but only by chance durable.
    fn lose(&mut self, random: &mut Random) {
        self.dirty_pages.retain(|_, _| random.coin());
        if random.coin() {
            self.dirty_len.clear();
        }
        self.sync();
    }
}

impl World {
    /// Counts a call and says how it goes.
    pub(super) fn admit(&mut self, call: Call) -> io::Result<Option<Fault>> {
        let number = self.calls.len() as u64;
        self.dead |= self.faults.stops(number);
        self.alive()?;
        self.calls.push(call);
        Ok(self.faults.fault(number))
    }

    pub(super) fn alive(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("the simulated process is dead")) } else { Ok(()) }
    }

    /// The number of the call being carried out.
    fn call(&self) -> u64 {
        self.calls.len() as u64 - 1
    }

    /// The source of what the call leaves to chance.
    fn random(&self) -> Random {
        let mut random = self.faults.random(self.call());
        Random::new(random.next())
    }

    pub(super) fn dir(&self, path: &Path) -> io::Result<&Dir> {
        self.dirs.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn lookup(&self, dir: &Path, name: &str) -> io::Result<NodeId> {
        self.dir(dir)?.current.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(&id).expect("a file with a handle or a name exists")
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(&id).expect("a file with a handle or a name exists")
    }

    /// Bytes that are taken: the lengths of all files that programs can still reach.
    pub(super) fn used(&self) -> u64 {
        self.nodes.values().filter(|node| node.names + node.handles > 0).map(|node| node.current.len()).sum()
    }

    /// How many of `more` bytes there is room for.
    fn room(&self, more: u64) -> u64 {
        self.quota.map_or(more, |quota| more.min(quota.saturating_sub(self.used())))
    }

    pub(super) fn create(&mut self, dir: &Path, name: &str) -> io::Result<NodeId> {
        if self.dir(dir)?.current.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if self.room(1) == 0 {
            return Err(Fault::Full.error());
        }
        let node = self.next_node;
        self.next_node += 1;
        self.nodes.insert(node, Node::default());
        self.change_names(dir, NameOp::Bind { name: name.into(), node });
        Ok(node)
    }

    pub(super) fn rename(&mut self, dir: &Path, from: &str, to: &str) -> io::Result<()> {
        let node = self.lookup(dir, from)?;
        if from != to {
            self.change_names(dir, NameOp::Move { from: from.into(), to: to.into(), node });
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, dir: &Path, name: &str) -> io::Result<()> {
        let node = self.lookup(dir, name)?;
        self.change_names(dir, NameOp::Unbind { name: name.into(), node });
        Ok(())
    }

    pub(super) fn link(&mut self, dir: &Path, name: &str, target: &Path) -> io::Result<()> {
        let node = self.lookup(dir, name)?;
        if self.dir(target)?.current.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change_names(target, NameOp::Bind { name: name.into(), node });
        Ok(())
    }

    fn change_names(&mut self, path: &Path, op: NameOp) {
        let call = self.call();
        let dir = self.dirs.get_mut(path).expect("checked by the callers");
        let displaced = match &op {
            NameOp::Move { to, .. } => dir.current.get(to).copied(),
            NameOp::Unbind { node, .. } => Some(*node),
            NameOp::Bind { .. } => None,
        };
        op.apply(&mut dir.current);
        if let NameOp::Bind { node, .. } = op {
            self.node_mut(node).names += 1;
        }
        if let Some(displaced) = displaced {
            self.node_mut(displaced).names -= 1;
        }
        self.dirs.get_mut(path).expect("as above").pending.push((call, op));
    }

    pub(super) fn sync_dir(&mut self, path: &Path, fault: Option<Fault>) -> io::Result<()> {
        self.dir(path)?;
        let mut random = self.random();
        let dir = self.dirs.get_mut(path).expect("just found");
        let pending = dir.pending.len();
        let done = if fault.is_none() { pending } else { random.below(pending + 1) };
        for (_, op) in dir.pending.drain(..done) {
            op.apply(&mut dir.durable);
        }
        self.sweep();
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }

    pub(super) fn write(
        &mut self,
        id: NodeId,
        bytes: &[u8],
        offset: u64,
        fault: Option<Fault>,
    ) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        if end > LEN_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let (call, mut random) = (self.call(), self.random());
        let growth = end.saturating_sub(self.node(id).current.len());
        // A full disk takes the part that it has room for, then refuses.
        let missing =
            usize::try_from(growth - self.room(growth)).map_or(bytes.len(), |over| over.min(bytes.len()));
        let (fits, failure) = match fault {
            None if missing == 0 => (bytes.len(), None),
            None => (bytes.len() - missing, Some(Fault::Full)),
            Some(Fault::Short) if !bytes.is_empty() => {
                (random.below(bytes.len()).min(bytes.len() - missing), fault)
            }
            Some(_) => (0, fault),
        };
        if fits > 0 {
            self.node_mut(id).write(call, &bytes[..fits], offset);
        }
        failure.map_or(Ok(()), |fault| Err(fault.error()))
    }

    pub(super) fn allocate(&mut self, id: NodeId, len: u64, fault: Option<Fault>) -> io::Result<()> {
        if len > LEN_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let (call, mut random) = (self.call(), self.random());
        let growth = len.saturating_sub(self.node(id).current.len());
        let missing = growth - self.room(growth);
        let (reached, failure) = match fault {
            None if missing == 0 => (len, None),
            None => (0, Some(Fault::Full)),
            Some(Fault::Short) if missing == 0 && len > 0 => (random.next() % len, fault),
            Some(_) => (0, fault),
        };
        self.node_mut(id).grow(call, reached);
        failure.map_or(Ok(()), |fault| Err(fault.error()))
    }

    pub(super) fn truncate(&mut self, id: NodeId, len: u64, fault: Option<Fault>) -> io::Result<()> {
        fault.map_or(Ok(()), |fault| Err(fault.error()))?;
        let call = self.call();
        self.node_mut(id).truncate(call, len);
        Ok(())
    }

    pub(super) fn sync(&mut self, id: NodeId, fault: Option<Fault>) -> io::Result<()> {
        let mut random = self.random();
        let node = self.node_mut(id);
        match fault {
            None => node.sync(),
            Some(_) => node.lose(&mut random),
        }
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }

    /// `len` bytes of a file that has them.
    pub(super) fn read(&mut self, id: NodeId, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let read = self.reads;
        self.reads += 1;
        let node = self.node(id);
        let end = offset + buffer.len() as u64;
        let sectors = offset / SECTOR_LEN as u64..end.div_ceil(SECTOR_LEN as u64);
        if node.broken.range(sectors).next().is_some() {
            return Err(Fault::Error.error());
        }
        node.current.read(buffer, offset);
        self.faults.flip(read, buffer);
        Ok(())
    }

    pub(super) fn close(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        node.handles -= 1;
        if node.names + node.handles == 0 {
            self.sweep();
        }
    }

    /// Forgets the files that nothing refers to (W3).
    pub(super) fn sweep(&mut self) {
        if self.nodes.values().all(|node| node.names + node.handles > 0) {
            return;
        }
        let mut kept = BTreeSet::new();
        for dir in self.dirs.values() {
            kept.extend(dir.durable.values());
            kept.extend(dir.pending.iter().map(|(_, op)| op.node()));
        }
        self.nodes.retain(|id, node| node.names + node.handles > 0 || kept.contains(id));
    }
}
