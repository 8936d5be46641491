//! RocksDB: an LSM tree with group commit, by the C API of the system's library (`rocksdb/c.h`).
//!
//! Obligations of the `unsafe` blocks:
//! 1. Handles come from the create or open call of their kind and are given back at most once, in `drop` or at the
//!    end of the call that made them; those of the options live as long as the process.
//! 2. Pointers with a length are taken from slices that live through the call, which copies what it keeps.
//! 3. Memory the library returns is read only while its owner (pinned slice, iterator) is alive and unmoved.

use std::ffi::{CStr, CString, c_char, c_int, c_uchar, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::slice::from_raw_parts;

use crate::engine::{CACHE, Class, Kv, Options, Result};

/// Every handle of the library; they differ by the function that made them.
type Handle = *mut c_void;

#[link(name = "rocksdb")]
unsafe extern "C" {
    safe fn rocksdb_options_create() -> Handle;
    fn rocksdb_options_set_create_if_missing(options: Handle, on: c_uchar);
    fn rocksdb_options_set_compression(options: Handle, kind: c_int);
    fn rocksdb_options_set_max_background_jobs(options: Handle, jobs: c_int);
    fn rocksdb_options_set_disable_auto_compactions(options: Handle, on: c_int);
    fn rocksdb_options_set_manual_wal_flush(options: Handle, on: c_uchar);
    fn rocksdb_options_set_block_based_table_factory(options: Handle, table: Handle);
    safe fn rocksdb_block_based_options_create() -> Handle;
    fn rocksdb_block_based_options_set_block_cache(table: Handle, cache: Handle);
    fn rocksdb_block_based_options_set_filter_policy(table: Handle, policy: Handle);
    safe fn rocksdb_cache_create_lru(capacity: usize) -> Handle;
    safe fn rocksdb_filterpolicy_create_bloom(bits_per_key: f64) -> Handle;
    safe fn rocksdb_readoptions_create() -> Handle;
    safe fn rocksdb_writeoptions_create() -> Handle;
    fn rocksdb_writeoptions_set_sync(options: Handle, on: c_uchar);
    safe fn rocksdb_flushoptions_create() -> Handle;

    fn rocksdb_open(options: Handle, path: *const c_char, error: *mut *mut c_char) -> Handle;
    fn rocksdb_close(db: Handle);
    fn rocksdb_put(
        db: Handle,
        o: Handle,
        k: *const u8,
        kl: usize,
        v: *const u8,
        vl: usize,
        error: *mut *mut c_char,
    );
    fn rocksdb_write(db: Handle, o: Handle, batch: Handle, error: *mut *mut c_char);
    safe fn rocksdb_writebatch_create() -> Handle;
    fn rocksdb_writebatch_put(batch: Handle, k: *const u8, kl: usize, v: *const u8, vl: usize);
    fn rocksdb_writebatch_destroy(batch: Handle);
    fn rocksdb_get_pinned(db: Handle, o: Handle, k: *const u8, kl: usize, error: *mut *mut c_char) -> Handle;
    fn rocksdb_pinnableslice_value(pinned: Handle, len: *mut usize) -> *const u8;
    fn rocksdb_pinnableslice_destroy(pinned: Handle);
    fn rocksdb_create_iterator(db: Handle, o: Handle) -> Handle;
    fn rocksdb_iter_seek(iter: Handle, k: *const u8, kl: usize);
    fn rocksdb_iter_valid(iter: Handle) -> c_uchar;
    fn rocksdb_iter_next(iter: Handle);
    fn rocksdb_iter_key(iter: Handle, len: *mut usize) -> *const u8;
    fn rocksdb_iter_value(iter: Handle, len: *mut usize) -> *const u8;
    fn rocksdb_iter_get_error(iter: Handle, error: *mut *mut c_char);
    fn rocksdb_iter_destroy(iter: Handle);
    fn rocksdb_flush(db: Handle, o: Handle, error: *mut *mut c_char);
    fn rocksdb_compact_range(db: Handle, from: *const u8, fl: usize, to: *const u8, tl: usize);
    fn rocksdb_free(memory: *mut c_void);
}

struct Rocks {
    db: Handle,
    read: Handle,
    write: Handle,
    flush: Handle,
}

// SAFETY: the library's database and its options may be used from any thread.
unsafe impl Send for Rocks {}
// SAFETY: as above, and by several at once.
unsafe impl Sync for Rocks {}

pub fn open(dir: &Path, options: Options) -> Result<Box<dyn Kv>> {
    build(dir, options, false)
}

pub fn open_buffered(dir: &Path, options: Options) -> Result<Box<dyn Kv>> {
    build(dir, options, true)
}

fn build(dir: &Path, options: Options, manual_flush: bool) -> Result<Box<dyn Kv>> {
    let path = CString::new(dir.as_os_str().as_bytes())?;
    let open = rocksdb_options_create();
    let table = rocksdb_block_based_options_create();
    let write = rocksdb_writeoptions_create();
    // SAFETY: obligation 1; the factory takes over cache and filter policy.
    unsafe {
        rocksdb_options_set_create_if_missing(open, 1);
        rocksdb_options_set_compression(open, 0);
        rocksdb_options_set_max_background_jobs(open, 2);
        rocksdb_options_set_disable_auto_compactions(open, options.pile_up.into());
        rocksdb_options_set_manual_wal_flush(open, manual_flush.into());
        rocksdb_block_based_options_set_block_cache(table, rocksdb_cache_create_lru(CACHE));
        rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom(10.0));
        rocksdb_options_set_block_based_table_factory(open, table);
        rocksdb_writeoptions_set_sync(write, (options.class == Class::Power).into());
    }
    // SAFETY: obligations 1 and 2.
    let db = checked(|error| unsafe { rocksdb_open(open, path.as_ptr(), error) })?;
    Ok(Box::new(Rocks {
        db,
        write,
        read: rocksdb_readoptions_create(),
        flush: rocksdb_flushoptions_create(),
    }))
}

/// Runs a call that reports by an error string.
fn checked<T>(call: impl FnOnce(*mut *mut c_char) -> T) -> Result<T> {
    let mut error = null_mut();
    let result = call(&raw mut error);
    if error.is_null() {
        return Ok(result);
    }
    // SAFETY: a non-null error is a C string that is ours to free.
    let message = unsafe {
        let message = CStr::from_ptr(error).to_string_lossy().into_owned();
        rocksdb_free(error.cast());
        message
    };
    Err(message.into())
}

impl Kv for Rocks {
    fn write(&self, items: &[(&[u8], &[u8])]) -> Result<()> {
        let batch = rocksdb_writebatch_create();
        for (key, value) in items {
            // SAFETY: obligations 1 and 2.
            unsafe { rocksdb_writebatch_put(batch, key.as_ptr(), key.len(), value.as_ptr(), value.len()) };
        }
        // SAFETY: obligation 1.
        let written = checked(|error| unsafe { rocksdb_write(self.db, self.write, batch, error) });
        // SAFETY: obligation 1.
        unsafe { rocksdb_writebatch_destroy(batch) };
        written
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        // SAFETY: obligations 1 and 2.
        checked(|error| unsafe {
            rocksdb_put(self.db, self.write, key.as_ptr(), key.len(), value.as_ptr(), value.len(), error);
        })
    }

    fn get(&self, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<bool> {
        // SAFETY: obligations 1 and 2.
        let pinned = checked(|error| unsafe {
            rocksdb_get_pinned(self.db, self.read, key.as_ptr(), key.len(), error)
        })?;
        if pinned.is_null() {
            return Ok(false);
        }
        let mut len = 0;
        // SAFETY: obligations 1 and 3.
        unsafe {
            let value = rocksdb_pinnableslice_value(pinned, &raw mut len);
            see(from_raw_parts(value, len));
            rocksdb_pinnableslice_destroy(pinned);
        }
        Ok(true)
    }

    fn range(&self, from: &[u8], to: &[u8], see: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        // SAFETY: obligations 1, 2 and 3; the slices are used before the iterator moves.
        unsafe {
            let iter = rocksdb_create_iterator(self.db, self.read);
            rocksdb_iter_seek(iter, from.as_ptr(), from.len());
            while rocksdb_iter_valid(iter) != 0 {
                let (mut key_len, mut value_len) = (0, 0);
                let key = from_raw_parts(rocksdb_iter_key(iter, &raw mut key_len), key_len);
                if key >= to {
                    break;
                }
                let value = rocksdb_iter_value(iter, &raw mut value_len);
                see(key, from_raw_parts(value, value_len));
                rocksdb_iter_next(iter);
            }
            let ended = checked(|error| rocksdb_iter_get_error(iter, error));
            rocksdb_iter_destroy(iter);
            ended
        }
    }

    fn seal(&self) -> Result<()> {
        // SAFETY: obligation 1.
        checked(|error| unsafe { rocksdb_flush(self.db, self.flush, error) })
    }

    fn compact(&self) -> Result<()> {
        // SAFETY: obligation 1; null bounds mean everything.
        unsafe { rocksdb_compact_range(self.db, null(), 0, null(), 0) };
        Ok(())
    }
}

impl Drop for Rocks {
    fn drop(&mut self) {
        // SAFETY: obligation 1.
        unsafe { rocksdb_close(self.db) };
    }
}
