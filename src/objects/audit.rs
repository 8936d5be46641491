//! Checking that what lies in extents and what refers to it agree.

use crate::error::Corruption;
use crate::objects::error::Result;
use crate::objects::multipart::PartRecord;
use crate::objects::record::{Piece, Version};
use crate::objects::{Buckets, keys};
use crate::store::Snapshot;
use crate::store::catalog::ResourceKind;
use crate::store::space::Space;
use std::collections::BTreeMap;

/// What an [audit](Buckets::audit) counted.
///
/// ```
/// # fn main() -> fourfold::objects::Result<()> {
/// let buckets = fourfold::Store::in_memory().buckets();
/// buckets.create("films")?.put("a", vec![7; 3 << 20])?;
/// let found = buckets.audit()?;
/// assert_eq!((found.versions, found.extents, found.stored_bytes), (1, 1, 3 << 20));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Audit {
    /// Versions and delete markers.
    pub versions: u64,
    /// Parts of uploads.
    pub parts: u64,
    /// Extents that versions and parts refer to.
    pub extents: u64,
    /// Bytes of these extents; shared ones count once.
    pub stored_bytes: u64,
    /// Extents that nobody refers to any more and that are not deleted yet.
    pub freed: u64,
}

/// An extent, as its references describe it.
struct Owned {
    references: u64,
    len: u64,
    chunk_len: u32,
}

impl Buckets {
    /// Reads every record of every bucket and every chunk: each extent must be there whole, counted as often as it is referred
    /// to, and there must be no other. It takes memory for each extent, and all that is written meanwhile goes on.
    ///
    /// # Errors
    /// [`Storage`](crate::objects::Error::Storage) with what does not agree, or cannot be read.
    pub fn audit(&self) -> Result<Audit> {
        let mut audit = Audit::default();
        let mut owned = BTreeMap::new();
        let snapshot = self.store.snapshot();
        for resource in self.store.list_resources(ResourceKind::Bucket, crate::objects::buckets::FIRST_NAME) {
            let (name, _) = resource?;
            let Ok(bucket) = self.bucket(&name) else { continue };
            let mut versions = snapshot.prefix_in(&bucket.bucket.versions, &[]);
            while versions.advance()? {
                let Some((_, place)) = keys::split_version(versions.key()) else { continue };
                audit.versions += 1;
                note(&mut owned, Version::decode(place, &versions.value()?)?.pieces())?;
            }
            let mut uploads = snapshot.prefix_in(&bucket.bucket.uploads, &[]);
            while uploads.advance()? {
                if keys::part_number(uploads.key()).is_some() {
                    audit.parts += 1;
                    note(&mut owned, &PartRecord::decode(&uploads.value()?)?.pieces)?;
                }
            }
        }
        self.audit_extents(&snapshot, &owned, &mut audit)?;
        Ok(audit)
    }

    fn audit_extents(
        &self,
        snapshot: &Snapshot,
        owned: &BTreeMap<u64, Owned>,
        audit: &mut Audit,
    ) -> Result<()> {
        let Some([data, counts, freed]) = self.state.extents.keyspaces(&self.store)? else { return Ok(()) };
        let counted = numbers(snapshot, counts)?;
        let freed = numbers(snapshot, freed)?;
        audit.freed = freed.len() as u64;
        let mut lens = BTreeMap::<u64, u64>::new();
        let mut chunks = snapshot.prefix_in(data, &[]);
        while chunks.advance()? {
            let Some(extent) = keys::extent_of(chunks.key()) else { continue };
            *lens.entry(extent).or_default() += chunks.value()?.len() as u64;
        }
        for (extent, owned) in owned {
            let count = counted.get(extent).copied().unwrap_or(1);
            let found = lens.remove(extent).unwrap_or(0);
            if count != owned.references || found != owned.len || freed.contains_key(extent) {
                let expected = format!("{} references, {} bytes", owned.references, owned.len);
                return Err(disagrees(*extent, expected, format!("{count} references, {found} bytes")));
            }
            audit.extents += 1;
            audit.stored_bytes += owned.len;
        }
        let stray = lens.keys().find(|extent| !freed.contains_key(extent));
        let stray = stray.or(counted.keys().find(|extent| !owned.contains_key(extent)));
        match stray {
            Some(extent) => Err(disagrees(*extent, "an owner".to_owned(), "none".to_owned())),
            None => Ok(()),
        }
    }
}

fn note(owned: &mut BTreeMap<u64, Owned>, pieces: &[Piece]) -> Result<()> {
    for piece in pieces {
        let (len, chunk_len) = (piece.extent_len, piece.chunk_len);
        let known = owned.entry(piece.extent).or_insert(Owned { references: 0, len, chunk_len });
        known.references += 1;
        if (known.len, known.chunk_len) != (len, chunk_len) {
            let expected = format!("{} bytes in chunks of {}", known.len, known.chunk_len);
            return Err(disagrees(piece.extent, expected, format!("{len} bytes in chunks of {chunk_len}")));
        }
    }
    Ok(())
}

/// Numbers by extent.
fn numbers(snapshot: &Snapshot, space: &Space) -> Result<BTreeMap<u64, u64>> {
    let mut found = BTreeMap::new();
    let mut range = snapshot.prefix_in(space, &[]);
    while range.advance()? {
        if let (Some(extent), Some(number)) = (keys::extent_of(range.key()), keys::number(&range.value()?)) {
            found.insert(extent, number);
        }
    }
    Ok(found)
}

#[cold]
fn disagrees(extent: u64, expected: String, found: String) -> crate::objects::Error {
    crate::Error::from(Corruption::new(format!("extent {extent}"), 0, "extent", expected, found)).into()
}
