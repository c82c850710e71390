//! The reference model of the Store seam.

/// To be written by the store's author.
#[derive(Debug, Default)]
pub struct MemoryStore {}
