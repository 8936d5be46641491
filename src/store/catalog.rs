//! Which resources exist, under which names: a keyspace of its own.
//!
//! A resource is anything with a name and keyspaces: a bare keyspace, a queue, a stream, a table, a bucket. Its record is
//! written in the batch that creates its keyspaces and removed in the batch that drops them, so the two never disagree.

use crate::codec::{Malformed, Reader, Writer};
use crate::error::{Corruption, Error, Result};
use crate::tree::batch::{self, OpKind, Ops};
use crate::tree::entry::Kind;
use crate::tree::keyspaces::CATALOG;
use crate::tree::range::{Span, user_key};
use bytes::Bytes;

/// What kind of thing a catalog entry names. On disk (`docs/format.md`, "Catalog").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ResourceKind {
    /// A bare keyspace.
    Keyspace = 1,
    Queue = 2,
    Stream = 3,
    Table = 4,
    Bucket = 5,
}

impl ResourceKind {
    pub(crate) const ALL: [Self; 5] = [Self::Keyspace, Self::Queue, Self::Stream, Self::Table, Self::Bucket];
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// Its place among [`ALL`](Self::ALL).
    pub(crate) const fn slot(self) -> usize {
        self as usize - 1
    }
}

/// What the catalog knows of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// Its keyspaces.
    pub(crate) ids: Vec<u32>,
    /// What its engine keeps with the name; empty for a bare keyspace.
    pub(crate) record: Bytes,
}

/// The key of a resource in the catalog: kind, then name.
fn key(kind: ResourceKind, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + name.len());
    key.push(kind as u8);
    key.extend_from_slice(name.as_bytes());
    key
}

/// The same as a full key.
pub(crate) fn full_key(kind: ResourceKind, name: &str) -> Vec<u8> {
    batch::full_key(CATALOG, &key(kind, name))
}

/// All resources of a kind, from the name `from` on.
pub(crate) fn span(kind: ResourceKind, from: &str) -> Span {
    Span { lower: full_key(kind, from), ..Span::prefix(CATALOG, &[kind as u8]) }
}

/// The name in a full key of the catalog.
pub(crate) fn name_of(full: &[u8]) -> String {
    name_of_user_key(user_key(full))
}

/// The name in a key of the catalog.
pub(crate) fn name_of_user_key(key: &[u8]) -> String {
    String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned()
}

/// Adds a resource to a batch.
pub(crate) fn put(ops: &mut Ops, kind: ResourceKind, name: &str, ids: &[u32], record: &[u8]) -> Result<()> {
    let mut value = Writer::new();
    value.count(ids.len());
    for id in ids {
        value.u32(*id);
    }
    value.raw(record);
    ops.push(OpKind::Entry(Kind::Put), CATALOG, &key(kind, name), value.as_slice())
}

/// Removes a resource in a batch.
pub(crate) fn delete(ops: &mut Ops, kind: ResourceKind, name: &str) -> Result<()> {
    ops.push(OpKind::Entry(Kind::Delete), CATALOG, &key(kind, name), &[])
}

/// A record of the catalog.
pub(crate) fn decode(value: &Bytes, name: &str) -> Result<Resource> {
    let decoded = (|| {
        let mut reader = Reader::new(value);
        let count = reader.count(size_of::<u32>(), "keyspaces of a resource")?;
        let ids = (0..count).map(|_| reader.u32("keyspace id")).collect::<Result<Vec<_>, Malformed>>()?;
        Ok((ids, value.len() - reader.rest().len()))
    })();
    let (ids, at) =
        decoded.map_err(|flaw: Malformed| flaw.in_file(format!("catalog record of {name}").as_ref()))?;
    Ok(Resource { ids, record: value.slice(at..) })
}

/// The keyspace of a bare one: it has one, and nothing else.
pub(crate) fn bare(resource: &Resource, name: &str) -> Result<u32> {
    match (&resource.ids[..], &resource.record[..]) {
        ([id], []) => Ok(*id),
        (ids, _) => Err(dangling(name, ids.first().copied().unwrap_or_default())),
    }
}

/// A record names a keyspace that is not there.
#[cold]
pub(crate) fn dangling_record(name: &str, id: u32) -> Corruption {
    let file = format!("catalog record of {name}");
    Corruption::new(file, 0, "catalog record", "a live keyspace", format_args!("keyspace {id}"))
}

/// The same as an error.
#[cold]
pub(crate) fn dangling(name: &str, id: u32) -> Error {
    dangling_record(name, id).into()
}
