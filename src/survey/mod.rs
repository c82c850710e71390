//! A survey of the real thing: what an organization does where nobody who builds this has one to ask.
//!
//! Each question ([`QUESTIONS`]) is one that only a real organization settles, and that the simulator has a switch or a guess
//! for. The survey asks it of the connection, reads the answers, and says for each what the service did and what was assumed.
//! A survey reads; only in a scratch project that somebody names it makes hooks, a branch, a pull request and work items, and removes
//! them ([`mod@scratch`]). The report has no name, id, address or text of the organization ([`mod@report`]): shapes, statuses,
//! counts and the simulator's switches.
//!
//! Edges ask ([`asker`]) and collect, the judgements are pure: each takes what was seen and gives a [`Finding`]. Not promised:
//! that every question is settled; for most something must have happened that shows it.

mod ask;
mod asker;
mod code;
mod entry;
mod history;
mod history_judge;
pub mod job;
mod place;
mod question;
mod records;
mod report;
mod scratch;
mod seen;
mod shape;

pub use self::question::{Finding, QUESTIONS, Question, Verdict};

use self::{
    asker::{Asker, Ended},
    history::Own,
    job::State,
    report::Where,
    scratch::{Remains, Scratch},
};
use crate::{
    app::{App, connections},
    azure::client::{ConnectionData, Priority},
    domain::ConnectionId,
};
use serde_json::Value;
use tokio::sync::watch;

/// The outcome of one.
struct Outcome {
    state: State,
    reason: Option<String>,
    lines: Vec<Finding>,
    remains: Remains,
    report: Option<Value>,
}

impl Outcome {
    fn failed(reason: String) -> Self {
        Self {
            state: State::Failed,
            reason: Some(reason),
            lines: Vec::new(),
            remains: Remains::default(),
            report: None,
        }
    }
}

/// Surveys a connection; in the project `scratch`, where one is named, it also makes things and removes them.
async fn survey(app: &App, id: ConnectionId, scratch: Option<&str>, stop: watch::Receiver<bool>) -> Outcome {
    let client = match connections::find(&app.directory(), id) {
        Ok(kept) => app.azure(&kept, Priority::Interactive),
        Err(refusal) => return Outcome::failed(refusal.to_string()),
    };
    // A credential that is refused is not shown again and again: some directories lock the account.
    let client = match client {
        Ok(client) => client,
        Err(failure) => return Outcome::failed(failure.to_string()),
    };
    let data = match client.connection_data().await {
        Ok(data) => data,
        Err(failure) => return Outcome::failed(failure.to_string()),
    };
    let api_version = client.api_version().await.ok();
    let place = Where { deployment: data.deployment, api_version, is_scratch: scratch.is_some() };
    let mut asker = Asker::new(app, client, stop);
    let (mut made, mut remains) = (None, Remains::default());
    let ended = ask(&mut asker, &data, scratch, &mut made).await;
    if let Some(made) = &mut made {
        remains = made.remove(&mut asker).await;
    }
    let (state, reason, otherwise) = match ended {
        Ok(()) if scratch.is_some() && made.is_none() => {
            let reason = "there is no project of that name, or it is not shown: nothing was made";
            (State::Failed, Some(reason), "it takes a scratch project")
        }
        Ok(()) => (State::Done, None, "nothing that is there says it, or it takes a scratch project"),
        Err(Ended::Stopped) => (State::Stopped, Some("somebody stopped it"), "it was stopped before"),
        Err(Ended::Spent) => {
            let reason = "it used up its requests or its time, or Azure DevOps asked to wait";
            (State::Failed, Some(reason), "there was no time left")
        }
        Err(Ended::Lost) => (State::Failed, Some("Azure DevOps is not reached any more"), "it was not reached"),
    };
    let lines = report::lines(asker.findings(), otherwise);
    let sightings = std::mem::take(&mut asker.sightings);
    let report = report::report(&place, &lines, sightings, remains.behind.len());
    Outcome { state, reason: reason.map(str::to_owned), lines, remains, report: Some(report) }
}

/// Asks everything. Things that are made are in `made` from then on, however this ends.
async fn ask(
    asker: &mut Asker<'_>,
    data: &ConnectionData,
    scratch: Option<&str>,
    made: &mut Option<Scratch>,
) -> Result<(), Ended> {
    let places = place::find(asker, scratch).await?;
    let entry = entry::ask(asker, data.deployment, &places).await?;
    code::ask(asker, &places).await?;
    records::ask(asker, &places).await?;
    if scratch.is_some()
        && let Some(first) = places.first().filter(|place| place.is_scratch)
    {
        let made = made.insert(Scratch::new(first));
        made.work(asker, &entry).await?;
        return history::ask(asker, &entry, &made.own).await;
    }
    history::ask(asker, &entry, &Own::default()).await
}
