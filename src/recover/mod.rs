//! What the hooks lost comes back.
//!
//! Service hooks are lossy: after 183 seconds of retries a notification is gone, and a restricted subscription says nothing.

mod place;
mod sweep;
mod tally;

pub use self::{
    place::{Place, What, places},
    sweep::{Depth, GRACE, Mending, Order, Stopped, Swept, sweep},
    tally::{Counts, Fate, Missing, Tally, hour},
};
