//! A limit on what a decoder allocates: in proportion to its input, whatever lengths the input claims.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The system's allocator, which refuses to give more than the limit and so ends the process.
pub struct Limited;

static LEFT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// A finding needs memory to be told.
fn lift_when_panicking() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        LEFT.store(usize::MAX, Ordering::Relaxed);
        tell(panic);
    }));
}

/// Decodes while it holds no more than `8 * len` bytes and a constant at any time.
pub fn limited(bytes: &[u8], constant: usize, decode: fn(&[u8])) {
    static ONCE: Once = Once::new();
    ONCE.call_once(lift_when_panicking);
    LEFT.store(8 * bytes.len() + constant, Ordering::Relaxed);
    decode(bytes);
    LEFT.store(usize::MAX, Ordering::Relaxed);
}

// SAFETY: the system's allocator does the work; a null result is an allocation that failed.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let left = LEFT.load(Ordering::Relaxed);
        if left != usize::MAX {
            if layout.size() > left {
                return std::ptr::null_mut();
            }
            LEFT.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let left = LEFT.load(Ordering::Relaxed);
        if left != usize::MAX {
            LEFT.fetch_add(layout.size(), Ordering::Relaxed);
        }
        // SAFETY: passed on.
        unsafe { System.dealloc(at, layout) }
    }
}
