//! Which of the gateway's workers are at work: one that panicked or ended is known, and said by `/readyz`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The workers that are not at work, by name.
#[derive(Debug, Default)]
pub struct Workers {
    gone: Mutex<BTreeMap<&'static str, String>>,
}

impl Workers {
    /// A worker is gone, and why.
    pub fn is_gone(&self, name: &'static str, reason: String) {
        self.lock().insert(name, reason);
    }

    /// The worker is at work (again).
    pub fn is_back(&self, name: &'static str) {
        self.lock().remove(name);
    }

    /// Says which one is gone, if one is.
    pub fn trouble(&self) -> Option<String> {
        let gone = self.lock();
        let (name, reason) = gone.first_key_value()?;
        Some(format!("the worker \"{name}\" {reason}; it is started again by itself"))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
