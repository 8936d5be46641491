//! A versioned bucket: what was overwritten or deleted is still there.
//!
//! `cargo run --example objects`

#![expect(clippy::print_stdout, reason = "an example shows something")]

use fourfold::Store;
use fourfold::objects::{GetObject, ListObjects, ListVersions, Result, Versioning};

pub(crate) fn main() -> Result<()> {
    let store = Store::in_memory();
    let notes = store.buckets().create("notes")?;
    notes.set_versioning(Versioning::Enabled)?;
    for (key, text) in [("2026/may.txt", "plant"), ("2026/june.txt", "water"), ("2026/may.txt", "plant more")]
    {
        let put = notes.put(key, text)?;
        println!("{key} {}", put.etag);
    }
    notes.delete("2026/june.txt")?;
    let page = notes.list(&ListObjects::new().prefix("2026/"))?;
    println!("now: {:?}", page.objects.iter().map(|object| &object.key).collect::<Vec<_>>());
    let versions = notes.list_versions(&ListVersions::default())?;
    for version in versions.versions.iter().filter(|version| version.object.is_some()) {
        let get = GetObject::new(&version.key).version(version.version_id.to_string());
        let body = notes.get_object(get)?.body.bytes()?;
        println!("{} at {}: {}", version.key, version.last_modified, String::from_utf8_lossy(&body));
    }
    Ok(())
}
