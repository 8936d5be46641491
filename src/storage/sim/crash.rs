//! What a power cut leaves: which of the things that were not synced survived it.
//!
//! C1. *Synced survives*: what a successful sync covered is in every image.
//! C2. *Unsynced may do anything by the page*: each page survives at any of its versions since the last sync, or not at all,
//!     whatever other pages do. One page may be torn between two versions. The length is an item of its own: a file can
//!     have its new length and zeros, or its data and the old length, which hides it.
//! C3. *Names survive one operation at a time*, each with the earlier ones on the same names, whatever the files do.
//!
//! Items are numbered in the order in which [`World::items`] walks the disk; a [`Survival`] is one version per item,
//! where 0 is what was durable.

use super::{
    content::{Content, PAGE_LEN, Page},
    world::{Dir, NameOp, Names, Node, NodeId, World},
};
use std::{fmt::Write as _, path::Path, sync::Arc};

/// One choice of what survives a power cut. Made by [`SimDisk::crash_states`](super::SimDisk::crash_states) for the disk as
/// it is then; it means nothing for the disk after another call.
///
/// ```
/// use fourfold::sim::{SimDisk, Survival};
///
/// # fn main() -> fourfold::Result<()> {
/// let disk = SimDisk::new();
/// let store = fourfold::Store::builder().segment_size(16 << 10).open_simulated(&disk, "store")?;
/// store.keyspace("created")?; // synced
/// drop(store);
/// let left = disk.crash(&Survival::nothing());
/// let store = fourfold::Store::builder().open_simulated(&left, "store")?;
/// assert_eq!(store.keyspaces()?, ["created"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survival {
    /// By item; an item beyond the end has the version `others`.
    pub(super) versions: Arc<[u32]>,
    pub(super) others: u32,
    pub(super) torn: Option<Torn>,
}

/// A page that the power cut hit while it was being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Torn {
    pub(super) item: usize,
    /// The version of the part that was not written any more.
    pub(super) older: u32,
    pub(super) cut: usize,
    /// Is the new part the one behind the cut?
    pub(super) tail: bool,
}

impl Survival {
    /// Only what was synced: the device had written nothing else yet.
    pub fn nothing() -> Self {
        Self { versions: [].into(), others: 0, torn: None }
    }

    /// All that was ever written: the device had just finished.
    pub fn everything() -> Self {
        Self { versions: [].into(), others: u32::MAX, torn: None }
    }

    pub(super) fn version(&self, item: usize) -> u32 {
        self.versions.get(item).copied().unwrap_or(self.others)
    }
}

/// Something that may or may not survive.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) what: What,
    /// The calls that made its versions, from version 1 on.
    pub(super) calls: Vec<u64>,
}

#[derive(Debug)]
pub(super) enum What {
    /// Operation `op` of directory number `dir`.
    Name { dir: usize, op: usize },
    /// All lengths from version 0 on.
    Len { node: NodeId, lens: Vec<u64> },
    /// All versions of the page from version 0 on.
    Page { node: NodeId, index: usize, pages: Vec<Page> },
}

impl Item {
    pub(super) fn newest(&self) -> u32 {
        u32::try_from(self.calls.len()).unwrap_or(u32::MAX)
    }
}

impl World {
    /// Everything that may or may not survive, in the order of [`World::crashed`].
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (dir, content) in self.dirs.values().enumerate() {
            let ops = content.pending.iter().enumerate();
            items
                .extend(ops.map(|(op, (call, _))| Item { what: What::Name { dir, op }, calls: vec![*call] }));
        }
        for (&node, content) in &self.nodes {
            if !content.dirty_len.is_empty() {
                let (calls, versions): (Vec<_>, Vec<_>) = content.dirty_len.iter().copied().unzip();
                let lens = [content.durable.len()].into_iter().chain(versions).collect();
                items.push(Item { what: What::Len { node, lens }, calls });
            }
            for (&index, versions) in &content.dirty_pages {
                let (calls, versions): (Vec<_>, Vec<_>) = versions.iter().cloned().unzip();
                let pages = [content.durable.page_or_zero(index)].into_iter().chain(versions).collect();
                items.push(Item { what: What::Page { node, index, pages }, calls });
            }
        }
        items
    }

    /// The disk after a power cut that left `survival`: nothing is dirty, open, locked or planned on it.
    pub(super) fn crashed(&self, survival: &Survival) -> Self {
        let mut item = 0;
        let mut linked = Vec::new();
        let mut dirs = Vec::with_capacity(self.dirs.len());
        for (path, dir) in &self.dirs {
            let mut names = Arc::clone(&dir.durable);
            for (_, op) in &dir.pending {
                if survival.version(item) > 0 {
                    op.apply(&mut names);
                }
                item += 1;
            }
            linked.extend(names.values().copied());
            let dir = Dir { current: Arc::clone(&names), durable: names, pending: Vec::new() };
            dirs.push((Arc::clone(path), dir));
        }
        linked.sort_unstable();
        let mut linked = &linked[..];
        let mut nodes = Vec::with_capacity(linked.len());
        for (&id, node) in &self.nodes {
            let links = linked.iter().take_while(|linked| **linked == id).count();
            linked = &linked[links..];
            if links > 0 {
                let content = node.survivor(survival, item);
                let mut image = Node::settled(content, u32::try_from(links).expect("names fit in memory"));
                image.broken.clone_from(&node.broken);
                nodes.push((id, image));
            }
            item += node.items();
        }
        Self {
            dirs: dirs.into_iter().collect(),
            nodes: nodes.into_iter().collect(),
            next_node: self.next_node,
            quota: self.quota,
            ..Self::default()
        }
    }

    /// The disk after the process was killed: programs see all that was written, and it is as dirty as before.
    pub(super) fn killed(&self) -> Self {
        let mut image = Self {
            dirs: self.dirs.clone(),
            nodes: self.nodes.clone(),
            next_node: self.next_node,
            quota: self.quota,
            ..Self::default()
        };
        for node in image.nodes.values_mut() {
            node.handles = 0;
        }
        image.sweep();
        image
    }

    /// What `survival` says, for a person.
    pub(super) fn explain(&self, survival: &Survival) -> String {
        let mut text = String::new();
        let items = self.items();
        for (number, item) in items.iter().enumerate() {
            let (version, newest) = (survival.version(number).min(item.newest()), item.newest());
            let state = if version == 0 { "lost".into() } else { format!("version {version} of {newest}") };
            let thing = match &item.what {
                What::Name { dir, op } => self.name_op(*dir, *op),
                What::Len { node, lens } => {
                    format!("length {} of {}", lens[version as usize], self.name_of(*node))
                }
                What::Page { node, index, .. } => format!("page {index} of {}", self.name_of(*node)),
            };
            let _ = write!(text, "{thing}: {state}");
            if let Some(torn) = survival.torn.filter(|torn| torn.item == number) {
                let side = if torn.tail { "before" } else { "from" };
                let _ = write!(text, ", version {} {side} byte {}", torn.older, torn.cut);
            }
            text.push('\n');
        }
        if items.is_empty() { "all was synced\n".into() } else { text }
    }

    fn name_op(&self, dir: usize, op: usize) -> String {
        let (path, dir) = self.dirs.iter().nth(dir).expect("items are of this disk");
        match &dir.pending[op].1 {
            NameOp::Bind { name, .. } => format!("creation of {}", path.join(&**name).display()),
            NameOp::Move { from, to, .. } => format!("renaming of {} to {to}", path.join(&**from).display()),
            NameOp::Unbind { name, .. } => format!("removal of {}", path.join(&**name).display()),
        }
    }

    /// Any name the file has or had.
    fn name_of(&self, node: NodeId) -> String {
        let find = |path: &Path, names: &Names| {
            names
                .iter()
                .find(|(_, id)| **id == node)
                .map(|(name, _)| path.join(&**name).display().to_string())
        };
        let current = self.dirs.iter().find_map(|(path, dir)| find(path, &dir.current));
        let durable = || self.dirs.iter().find_map(|(path, dir)| find(path, &dir.durable));
        current.or_else(durable).unwrap_or_else(|| format!("the nameless file {node}"))
    }
}

impl Node {
    fn items(&self) -> usize {
        usize::from(!self.dirty_len.is_empty()) + self.dirty_pages.len()
    }

    /// The content that survives, where `item` is the number of its first item.
    fn survivor(&self, survival: &Survival, mut item: usize) -> Content {
        let mut content = self.durable.clone();
        let mut len = content.len();
        if let Some(version) = newest_of(&self.dirty_len, survival.version(item)) {
            len = *version;
        }
        item += usize::from(!self.dirty_len.is_empty());
        for (&index, versions) in &self.dirty_pages {
            if let Some(page) = newest_of(versions, survival.version(item)) {
                let page = match survival.torn.filter(|torn| torn.item == item) {
                    Some(torn) => {
                        let durable = || content.page_or_zero(index);
                        tear(page, &newest_of(versions, torn.older).map_or_else(durable, Arc::clone), torn)
                    }
                    None => Arc::clone(page),
                };
                content.set_page(index, page);
            }
            item += 1;
        }
        if len < self.current.len().max(content.len()) {
            // Pages may have survived that this length does not reach.
            content.set_len(len);
        }
        content.grow(len);
        content
    }
}

/// The given version, or the newest there is; none for version 0.
fn newest_of<T>(versions: &[(u64, T)], version: u32) -> Option<&T> {
    let index = (version as usize).min(versions.len()).checked_sub(1)?;
    Some(&versions[index].1)
}

fn tear(newer: &Page, older: &Page, torn: Torn) -> Page {
    let (head, tail) = if torn.tail { (older, newer) } else { (newer, older) };
    let mut page = **head;
    let cut = torn.cut.min(PAGE_LEN);
    page[cut..].copy_from_slice(&tail[cut..]);
    Arc::new(page)
}
