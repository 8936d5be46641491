//! Fourfold's bucket: each object has its CRC, and unless said otherwise its MD5.

use std::path::Path;

use bytes::Bytes;
use fourfold::objects::{Bucket, ListObjects, PutObject};
use fourfold::{Durability, Store};

use super::ours::durability;
use crate::engine::{Class, Objects, Result};

struct Ours {
    store: Store,
    bucket: Bucket,
    has_md5: bool,
}

pub fn open(dir: &Path, class: Class) -> Result<Box<dyn Objects>> {
    build(dir, durability(class), true)
}

pub fn open_buffered(dir: &Path, _class: Class) -> Result<Box<dyn Objects>> {
    build(dir, Durability::Buffered, true)
}

pub fn open_no_md5(dir: &Path, class: Class) -> Result<Box<dyn Objects>> {
    build(dir, durability(class), false)
}

fn build(dir: &Path, durability: Durability, has_md5: bool) -> Result<Box<dyn Objects>> {
    let store = Store::builder().durability(durability).open(dir)?;
    let buckets = store.buckets();
    // The rows that list come one after the other.
    let bucket = buckets.bucket("objects").or_else(|_| buckets.create("objects"))?;
    Ok(Box::new(Ours { store, bucket, has_md5 }))
}

impl Objects for Ours {
    fn put(&self, key: &str, data: &Bytes) -> Result<()> {
        let mut request = PutObject::new(key);
        request.opaque_etag = !self.has_md5;
        self.bucket.put_object(request, data.clone())?;
        Ok(())
    }

    fn get(&self, key: &str, to: &mut Vec<u8>) -> Result<usize> {
        self.bucket.get(key)?.body.copy_to(to)?;
        Ok(to.len())
    }

    fn fill(&self, keys: &[String], data: &Bytes) -> Result<()> {
        keys.iter().try_for_each(|key| self.put(key, data))?;
        Ok(self.store.compact()?)
    }

    fn page(&self, prefix: &str) -> Result<usize> {
        Ok(self.bucket.list(&ListObjects::new().prefix(prefix))?.objects.len())
    }

    fn prefixes(&self) -> Result<usize> {
        Ok(self.bucket.list(&ListObjects::new().delimiter("/"))?.common_prefixes.len())
    }

    fn all(&self) -> Result<usize> {
        let (mut request, mut count) = (ListObjects::new(), 0);
        loop {
            let page = self.bucket.list(&request)?;
            count += page.objects.len();
            if !page.is_truncated {
                return Ok(count);
            }
            request.continuation_token = page.next_continuation_token;
        }
    }
}
