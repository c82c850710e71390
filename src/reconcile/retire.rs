//! Before a subscription is deleted: what it failed to deliver is taken over, because Azure deletes its history with it.

use super::{hands::Hands, hook};
use crate::{
    azure::client::{Failure, Host, Subscription as Found, Unreachable},
    domain::UpdateReason,
    intake::USER_NAME_PREFIX,
    recover::{self, Ours, Stopped},
};
use std::time::Duration;
use url::Url;

/// For all of one subscription's history; then it is left to the next run, with the deletion.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Takes over what it did not deliver.
///
/// # Errors
/// What may be otherwise at the next run: the subscription is to stay until then. A history that cannot be read at all does
/// not keep it: Azure's records have to do.
pub(super) async fn retire(hands: &Hands<'_>, old: &Found) -> Result<(), Failure> {
    let (app, id) = (hands.app, old.id.as_str());
    let draining = recover::drain(app, hands.kept, hands.azure, (old.id.clone(), ours(old)));
    let drained = tokio::select! {
        drained = draining => drained,
        () = app.clock.sleep(DRAIN_TIMEOUT) => {
            let detail = format!("its history was not read within {} s", DRAIN_TIMEOUT.as_secs());
            Err(Stopped::Azure(Failure::Unreachable { at: Unreachable::Silent, detail }))
        }
    };
    match drained {
        Ok(looked) => {
            let (recovered, event_type) = (looked.recovered, &old.event_type);
            tracing::debug!(id, event_type, recovered, "a subscription retires");
            Ok(())
        }
        Err(Stopped::Azure(failure)) if failure.is_of_the_thing() => {
            tracing::warn!(id, %failure, "the history of a subscription that is deleted cannot be read");
            Ok(())
        }
        Err(Stopped::Azure(failure)) => Err(failure),
        Err(stopped) => Err(Failure::Unavailable { detail: Some(stopped.to_string()) }),
    }
}

/// What its own inputs say of it: it need not be the one in our records.
fn ours(old: &Found) -> Ours {
    let input = |name: &str| old.consumer_inputs.get(name).map(String::as_str).unwrap_or_default();
    let name = input("basicAuthUsername").strip_prefix(USER_NAME_PREFIX).and_then(|rest| rest.strip_prefix('.'));
    let key = name.and_then(|rest| rest.rsplit_once('.')).map(|(key, _)| key.to_owned()).unwrap_or_default();
    let url = Url::parse(input("url")).ok();
    let reason = url.as_ref().and_then(|url| url.query_pairs().find(|(name, _)| name == hook::REASON_PARAMETER));
    let reason = reason.and_then(|(_, word)| UpdateReason::from_word(&word));
    Ours { key, reason, host: Host::of(&old.publisher), delivers: false }
}
