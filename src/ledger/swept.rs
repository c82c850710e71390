//! From what a sweep found to what the ledger keeps.

use super::note;
use crate::{
    app::App,
    domain::{Account, BindingId, Stream, hour_of},
    recover::{Counts, Swept, Tally},
    store::Error,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Writes down what a sweep of `stream` for these bindings found: see [`note`] for which windows make whole hours.
///
/// # Errors
/// The store's: call it again with the same.
pub async fn note_sweep(app: &App, stream: Stream, bindings: &BTreeSet<BindingId>, swept: &Swept) -> Result<(), Error> {
    for binding in bindings {
        note(app, (*binding, stream), swept.window, &accounts(*binding, &swept.tally)).await?;
    }
    Ok(())
}

/// Of one binding. What is missing at a place is named for every binding there that misses something in that hour: the
/// sweep counts by binding, but it names by place.
fn accounts(binding: BindingId, tally: &Tally) -> BTreeMap<Timestamp, Account> {
    let of_binding = tally.hours.iter().filter(|((of, _), _)| *of == binding);
    let mut accounts: BTreeMap<Timestamp, Account> =
        of_binding.map(|((_, hour), counts)| (*hour, Account::from(*counts))).collect();
    for missing in &tally.missing {
        let account = accounts.get_mut(&hour_of(missing.at));
        if let Some(account) = account.filter(|account| account.unexplained > 0) {
            account.name(&missing.entity);
        }
    }
    accounts
}

impl From<Counts> for Account {
    fn from(counts: Counts) -> Self {
        let Counts { expected, received, history, rest, unexplained } = counts;
        Self { expected, received, history, rest, unexplained, entities: Vec::new() }
    }
}
