//! What things look like: the JSON of REST replies and of hooks' resources, each written once.

use super::{
    occurrence::{Occurrence, Rendering},
    options::Place,
    world::World,
};

/// The resource of what happened, as it is now.
pub(super) fn render(
    _world: &World,
    _place: &Place,
    _occurrence: &Occurrence,
    _resource_version: &str,
) -> Option<Rendering> {
    None
}
