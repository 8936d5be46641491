//! `object_store`'s local file system. Without a runtime around it, it does all work where it is asked.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::files;
use crate::engine::{Class, Objects, Result};

struct Local {
    store: LocalFileSystem,
    root: PathBuf,
}

pub fn open(dir: &Path, class: Class) -> Result<Box<dyn Objects>> {
    let store = LocalFileSystem::new_with_prefix(dir)?.with_fsync(class == Class::Power);
    Ok(Box::new(Local { store, root: dir.into() }))
}

fn now<T>(future: impl Future<Output = object_store::Result<T>>) -> Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Ok(result?),
        Poll::Pending => Err("it waits for a runtime".into()),
    }
}

impl Local {
    fn listed(&self, prefix: Option<&Key>) -> Result<Vec<ObjectMeta>> {
        let mut list = self.store.list(prefix);
        let mut found = Vec::new();
        loop {
            match list.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(object)) => found.push(object?),
                Poll::Ready(None) => break,
                Poll::Pending => return Err("it waits for a runtime".into()),
            }
        }
        found.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(found)
    }
}

impl Objects for Local {
    fn put(&self, key: &str, data: &Bytes) -> Result<()> {
        now(self.store.put(&Key::from(key), data.clone().into()))?;
        Ok(())
    }

    fn get(&self, key: &str, _to: &mut Vec<u8>) -> Result<usize> {
        let key = Key::from(key);
        Ok(now(async { self.store.get(&key).await?.bytes().await })?.len())
    }

    fn fill(&self, keys: &[String], data: &Bytes) -> Result<()> {
        files::fill(&self.root, keys, data)
    }

    fn page(&self, prefix: &str) -> Result<usize> {
        let mut page = self.listed(Some(&Key::from(prefix)))?;
        page.truncate(1000);
        Ok(page.len())
    }

    fn prefixes(&self) -> Result<usize> {
        Ok(now(self.store.list_with_delimiter(None))?.common_prefixes.len())
    }

    fn all(&self) -> Result<usize> {
        Ok(self.listed(None)?.len())
    }
}
