//! Which resources exist, under which names: a keyspace of its own.
//!
//! A resource is anything with a name and keyspaces: today a raw keyspace; with the engines a queue, a stream, a table,
//! a bucket. Its record is written in the batch that creates its keyspaces and removed in the batch that drops them, so
//! the two never disagree.

use crate::codec::{Malformed, Reader, Writer};
use crate::error::{Corruption, Error, Result};
use crate::tree::batch::{self, OpKind, Ops};
use crate::tree::entry::Kind;
use crate::tree::keyspaces::CATALOG;
use crate::tree::range::{Span, user_key};

/// What kind of thing a catalog entry names. On disk (`docs/format.md`, "Catalog").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ResourceKind {
    /// A bare keyspace.
    Keyspace = 1,
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

/// All resources of a kind.
pub(crate) fn span(kind: ResourceKind) -> Span {
    Span::prefix(CATALOG, &[kind as u8])
}

/// The name in a full key of the catalog.
pub(crate) fn name_of(full: &[u8]) -> String {
    String::from_utf8_lossy(user_key(full).get(1..).unwrap_or_default()).into_owned()
}

/// Adds a resource to a batch.
pub(crate) fn put(ops: &mut Ops, kind: ResourceKind, name: &str, ids: &[u32]) -> Result<()> {
    let mut record = Writer::new();
    record.count(ids.len());
    for id in ids {
        record.u32(*id);
    }
    ops.push(OpKind::Entry(Kind::Put), CATALOG, &key(kind, name), record.as_slice())
}

/// Removes a resource in a batch.
pub(crate) fn delete(ops: &mut Ops, kind: ResourceKind, name: &str) -> Result<()> {
    ops.push(OpKind::Entry(Kind::Delete), CATALOG, &key(kind, name), &[])
}

/// The keyspaces in a record; never none.
pub(crate) fn decode(record: &[u8], name: &str) -> Result<Vec<u32>> {
    let ids = (|| {
        let mut reader = Reader::new(record);
        let count = reader.count(size_of::<u32>(), "keyspaces of a resource")?;
        let ids = (0..count).map(|_| reader.u32("keyspace id")).collect::<Result<Vec<_>, Malformed>>()?;
        reader.finish("catalog record")?;
        Ok(ids)
    })();
    let ids: Vec<u32> =
        ids.map_err(|flaw: Malformed| flaw.in_file(format!("catalog record of {name}").as_ref()))?;
    if ids.is_empty() { Err(dangling(name, 0)) } else { Ok(ids) }
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
