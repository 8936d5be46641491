//! References into the arena, and the words that hold them.
//!
//! Everything a memtable consists of is reached over a [`Link`]: an atomic pointer that is null or refers to
//! something complete (M2) that outlives whoever can see the link (M1, M3). That makes following one a safe
//! operation; the unsafe part is here, once.
#![expect(
    unsafe_code,
    reason = "the one place where arena pointers are followed; obligations in the parent module"
)]

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::tree::prefetch;

/// A shared reference to something in the arena of a memtable borrowed for `'t`.
///
/// Not a `&'t T`, because a pointer made from that could not reach what lies behind the `T`: the key of a record, the
/// children of an inner node.
pub(super) struct Ref<'t, T> {
    at: NonNull<T>,
    table: PhantomData<&'t T>,
}

// SAFETY: M4, a `Ref` gives no more than a `&T` does.
unsafe impl<T: Sync> Send for Ref<'_, T> {}
// SAFETY: M4, as above.
unsafe impl<T: Sync> Sync for Ref<'_, T> {}

impl<T> Clone for Ref<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ref<'_, T> {}

impl<T> PartialEq for Ref<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<T> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)
    }
}

impl<'t, T> Ref<'t, T> {
    /// # Safety
    /// `at` points into the arena of the memtable borrowed for `'t` (M1), to an initialised `T` (M2), and is derived
    /// from the pointer that the arena gave for the whole object (M3).
    pub(super) unsafe fn new(at: NonNull<T>) -> Self {
        Self { at, table: PhantomData }
    }

    /// Asks for its cache lines ahead of their use.
    pub(super) fn prefetch(self) {
        for line in (0..size_of::<T>()).step_by(prefetch::LINE_LEN) {
            prefetch::line(self.at.as_ptr().cast::<u8>().wrapping_add(line));
        }
    }

    pub(super) fn pointer(self) -> NonNull<T> {
        self.at
    }

    pub(super) fn get(self) -> &'t T {
        // SAFETY: M1 (alive for 't), M2 (initialised), M4 (only atomics change).
        unsafe { self.at.as_ref() }
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.get()
    }
}

/// An atomic, nullable [`Ref`].
pub(super) struct Link<T>(AtomicPtr<T>);

fn raw<T>(to: Option<Ref<'_, T>>) -> *mut T {
    to.map_or(ptr::null_mut(), |to| to.at.as_ptr())
}

impl<T> Link<T> {
    pub(super) const fn null() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    pub(super) fn to(to: Option<Ref<'_, T>>) -> Self {
        Self(AtomicPtr::new(raw(to)))
    }

    pub(super) fn load(&self) -> Option<Ref<'_, T>> {
        // Acquire: pairs with the Release of `store` and `replace` (M2).
        let at = NonNull::new(self.0.load(Ordering::Acquire))?;
        // SAFETY: M1, M2, M3: a link is only given references into the arena of the table it belongs to, and whoever
        // borrows the link borrows the table.
        Some(unsafe { Ref::new(at) })
    }

    pub(super) fn store(&self, to: Option<Ref<'_, T>>) {
        // Release: pairs with the Acquire of `load` (M2).
        self.0.store(raw(to), Ordering::Release);
    }

    /// Stores `to` if the link still holds `expected`.
    pub(super) fn replace(&self, expected: Option<Ref<'_, T>>, to: Ref<'_, T>) -> bool {
        // Release: pairs with the Acquire of `load` (M2). Relaxed on failure: the caller loads again.
        self.0.compare_exchange(raw(expected), raw(Some(to)), Ordering::Release, Ordering::Relaxed).is_ok()
    }
}

impl<T> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
