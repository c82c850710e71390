//! What the hooks lost comes back, by the front door's journal and under its keys: what is found and what arrives late after
//! all are one entry, and one event.
//!
//! Service hooks are lossy: after 183 seconds of retries a notification is gone, and a restricted subscription says nothing.
//! So [`look`] asks the history of our subscriptions for what they could not deliver, and [`fn@sweep`] holds Azure's own records
//! of a window against the journal. [`worker`] does both: at start, after an outage, after a subscription was healed, when
//! it is asked, every quarter of an hour, and closely once an hour.
//!
//! What it costs: a handful of listings for each thing that is bound, whatever the organization's size; a call for each push
//! and each build that was missed; and in the hourly close look a call for each build that ended (once) and each open pull
//! request. Not promised: what is neither in the history nor has the same identity in Azure's records as in a hook's words
//! (`compose` has the list); and that a job's event that was lost all alone is found sooner than within the hour.
//!
//! Asking Azure for everything again and again instead of taking hooks was not taken as the rule: it is minutes late where
//! hooks take seconds, and some things no record tells. Where there is no other way, a connection says `delivery: poll`.

pub mod breaks;
mod closed;
mod compose;
mod desk;
mod history;
mod in_order;
mod place;
mod pushes;
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
