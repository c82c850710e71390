//! What the hooks lost comes back.
//!
//! Service hooks are lossy: after 183 seconds of retries a notification is gone, and a restricted subscription says nothing.

mod compose;
mod desk;
mod place;
mod sweep;
mod tally;
mod wait;

pub use self::{
    desk::{Desk, Request},
    place::{Place, What, places},
    sweep::{Depth, GRACE, Mending, Order, Stopped, Swept, sweep},
    tally::{Counts, Fate, Missing, Tally, hour},
    wait::translated,
};
