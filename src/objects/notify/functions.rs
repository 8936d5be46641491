//! The functions of a program that events can go to.

use crate::objects::notify::deliveries::Function;
use bytes::Bytes;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// By name. They live as long as the store is open.
#[derive(Default)]
pub(crate) struct Functions(RwLock<HashMap<String, Function>>);

impl Functions {
    /// The function of this name is `function` from here on.
    pub(crate) fn set(&self, name: &str, function: impl Fn(Bytes) + Send + Sync + 'static) {
        self.0.write().insert(name.to_owned(), Arc::new(function));
    }

    /// There is no such function any more.
    pub(crate) fn remove(&self, name: &str) {
        self.0.write().remove(name);
    }

    pub(crate) fn get(&self, name: &str) -> Option<Function> {
        self.0.read().get(name).cloned()
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.read().keys()).finish()
    }
}
