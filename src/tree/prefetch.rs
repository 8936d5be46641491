//! Asking for memory ahead of its use, so that several cache misses are waited for at once.
#![cfg_attr(not(miri), expect(unsafe_code, reason = "the processor's hint is an unsafe function"))]

/// Bytes of a cache line.
pub(crate) const LINE_LEN: usize = 64;

/// Asks for the cache line at `at`. A hint: nothing is read, whatever the address.
#[inline]
pub(crate) fn line<T>(at: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch accesses nothing and never faults; any address will do.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

/// Asks for the lines that the first `len` bytes of `bytes` lie in.
#[inline]
pub(crate) fn bytes(bytes: &[u8], len: usize) {
    for at in (0..bytes.len().min(len)).step_by(LINE_LEN) {
        line(bytes[at..].as_ptr());
    }
}
