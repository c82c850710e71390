//! Waiting until what was appended has become events.

use crate::{
    app::App,
    store::{Log, Position},
    translate::step::consumer,
};
use std::time::Duration;

/// How often it is looked where translation is, while it appends nothing.
const LOOK: Duration = Duration::from_millis(200);

/// Returns when everything that is in the journal now was translated, or the gateway stops.
///
/// # Errors
/// The store's, in words.
pub async fn translated(app: &App) -> Result<(), String> {
    let (mut events, mut stopping) = (app.store.tail(Log::Events), app.stopping());
    let until: Position = *app.store.tail(Log::Notifications).borrow();
    while !*stopping.borrow() {
        events.borrow_and_update();
        if app.store.cursor(&consumer()).await.map_err(|error| error.to_string())? >= until {
            break;
        }
        tokio::select! {
            changed = events.changed() => if changed.is_err() { break },
            () = app.clock.sleep(LOOK) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
    Ok(())
}
