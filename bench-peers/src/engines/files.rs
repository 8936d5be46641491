//! Plain files: written under another name and renamed; synced by `fsync` of the file and of its directory.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::engine::{Class, Objects, Result};

pub struct Files {
    root: PathBuf,
    class: Class,
}

pub fn open(dir: &Path, class: Class) -> Result<Box<dyn Objects>> {
    Ok(Box::new(Files { root: dir.into(), class }))
}

impl Objects for Files {
    fn put(&self, key: &str, data: &Bytes) -> Result<()> {
        let path = self.root.join(key);
        // One writer; more would need names of their own.
        let new = self.root.join("new");
        let mut file = File::create(&new)?;
        file.write_all(data)?;
        if self.class == Class::Power {
            file.sync_all()?;
        }
        fs::rename(&new, &path)?;
        if self.class == Class::Power {
            File::open(path.parent().unwrap_or(&self.root))?.sync_all()?;
        }
        Ok(())
    }

    fn get(&self, key: &str, to: &mut Vec<u8>) -> Result<usize> {
        Ok(File::open(self.root.join(key))?.read_to_end(to)?)
    }

    fn fill(&self, keys: &[String], data: &Bytes) -> Result<()> {
        fill(&self.root, keys, data)
    }

    fn page(&self, prefix: &str) -> Result<usize> {
        let mut keys = Vec::new();
        for entry in fs::read_dir(self.root.join(prefix))? {
            keys.push(entry?.file_name());
        }
        keys.sort_unstable();
        keys.truncate(1000);
        Ok(keys.len())
    }

    fn prefixes(&self) -> Result<usize> {
        self.page("")
    }

    fn all(&self) -> Result<usize> {
        let mut keys = Vec::new();
        for directory in fs::read_dir(&self.root)? {
            for entry in fs::read_dir(directory?.path())? {
                keys.push(entry?.path());
            }
        }
        keys.sort_unstable();
        Ok(keys.len())
    }
}

/// All keys have a directory.
pub fn fill(root: &Path, keys: &[String], data: &Bytes) -> Result<()> {
    for key in keys {
        let path = root.join(key);
        let Err(_) = fs::write(&path, data) else { continue };
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(&path, data)?;
    }
    Ok(())
}
