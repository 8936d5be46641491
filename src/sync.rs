//! The concurrency primitives the log protocol is written against: `parking_lot` and `std` in the library, `loom`
//! in the models.
//!
//! Loom must see every atomic, lock, cell and spin of a protocol to enumerate its interleavings, so `log` names these
//! and never `std::sync::atomic` itself. Nothing else in the crate needs them.
//!
//! [`mutant!`] is true in a build that is wrong on purpose in the way that it names, to see that a test notices. Which
//! way is chosen by `--cfg mutant="..."`; or where one build does for all (models, and `--cfg fourfold_mutants`) by the
//! variable `FOURFOLD_MUTANT` at run time. [`flaw!`] is the same for what no model sees: the crash tests notice it.

#[cfg(not(fourfold_loom))]
mod imp {
    pub(crate) use parking_lot::Mutex;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
    pub(crate) use std::thread::{Thread, current, park};

    /// `std`'s cell with loom's interface: an access is a closure, so that a model can check how long it lasts.
    #[derive(Debug, Default)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
            read(self.0.get())
        }

        pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
            write(self.0.get())
        }
    }

    /// One turn of a wait for another thread's short critical section: spin first, then give the core away.
    pub(crate) fn relax(turn: &mut u32) {
        if *turn < 64 {
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
        *turn = turn.saturating_add(1);
    }
}

#[cfg(fourfold_loom)]
mod imp {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
    pub(crate) use loom::thread::{Thread, current, park};

    /// `parking_lot`'s interface over loom's mutex, which has std's.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("loom's mutex is never poisoned: a panic ends the model")
        }

        pub(crate) fn try_lock(&self) -> Option<loom::sync::MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }

    pub(crate) fn relax(_turn: &mut u32) {
        loom::thread::yield_now();
    }
}

/// Is this the mutant that was chosen?
#[cfg(any(fourfold_loom, fourfold_mutants))]
pub(crate) fn is_mutant(name: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("FOURFOLD_MUTANT").ok()).as_deref() == Some(name)
}

#[cfg(not(any(fourfold_loom, fourfold_mutants)))]
macro_rules! mutant {
    ($name:literal) => {
        cfg!(mutant = $name)
    };
}

#[cfg(any(fourfold_loom, fourfold_mutants))]
macro_rules! mutant {
    ($name:literal) => {
        $crate::sync::is_mutant($name)
    };
}

macro_rules! flaw {
    ($name:literal) => {
        $crate::sync::mutant!($name)
    };
}

pub(crate) use flaw;
pub(crate) use imp::*;
pub(crate) use mutant;
