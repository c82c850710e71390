//! What the hooks lost comes back.
//!
//! Service hooks are lossy: after 183 seconds of retries a notification is gone, and a restricted subscription says nothing.

pub mod breaks;
mod compose;
mod desk;
mod history;
mod in_order;
mod place;
pub mod quiet;
mod run;
mod sweep;
mod tally;
mod wait;
mod watermarks;
pub mod worker;

pub(crate) use self::history::{Ours, drain};
pub use self::{
    desk::{Desk, Request},
    history::{Looked, look},
    place::{Place, What, places},
    run::{Report, recover},
    sweep::{Depth, GRACE, Mending, Order, Stopped, Swept, sweep},
    tally::{Counts, Fate, Missing, Tally, hour},
    wait::translated,
    watermarks::{compared, watermark},
};
