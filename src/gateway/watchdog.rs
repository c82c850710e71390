//! Starting workers, and starting them again: a panic in one of them ends neither the process nor, for long, its work.

use crate::app::App;
use std::{future::Future, sync::Arc, time::Duration};

/// First and longest wait before a worker is started again.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Runs a worker until the gateway stops. While it is gone, `/readyz` says so.
pub async fn watched<W: Future<Output = ()> + Send + 'static>(
    app: Arc<App>,
    name: &'static str,
    worker: impl Fn(Arc<App>) -> W,
) {
    let (mut pause, longest) = AGAIN_AFTER;
    let mut stopping = app.stopping();
    loop {
        let started = app.clock.now();
        app.workers.is_back(name);
        let ended = tokio::spawn(worker(Arc::clone(&app))).await;
        if *stopping.borrow() {
            return;
        }
        let reason = match ended {
            Ok(()) => "ended without being told to",
            Err(_) => "panicked, which is a bug: please report what the log says",
        };
        tracing::error!(worker = name, "the worker {reason}");
        app.workers.is_gone(name, reason.to_owned());
        if app.clock.now().duration_since(started).unsigned_abs() > longest {
            pause = AGAIN_AFTER.0;
        }
        tokio::select! {
            () = app.clock.sleep(pause) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        pause = longest.min(pause * 2);
    }
}
