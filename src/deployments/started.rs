//! When the work on a deployment's work items began: the first time that one of them entered a state that the issue provider
//! counts lead time from.
//!
//! Asked of Azure DevOps and not of the events: items are older than the journal. What happened after the deployment is
//! left out, so that the answer is the same whenever it is asked for.

use super::found::{Found, noted};
use crate::{
    app::App,
    azure::{
        client::{Failure, Priority, UpdateRecord},
        resource::work_item::WorkItemUpdate,
    },
    domain::{Binding, Deployment, Selection},
};
use jiff::Timestamp;

/// Most work items of one deployment that are asked for: a call each.
pub(super) const ITEMS_MAX: usize = 100;
/// Most answers of one item that are read.
const PAGES_MAX: usize = 5;

/// Notes it, and answers whether anybody was asked. What Azure does not give is left out; only what can be asked for again
/// later is a failure.
pub(super) async fn work_started(
    app: &App,
    provider: &Binding,
    deployment: &Deployment,
    found: &mut Found,
) -> Result<bool, Failure> {
    let directory = app.directory();
    let states = &provider.issues.lead_time_states;
    let selection = directory.meaning(provider).unwrap_or(&provider.selection);
    let [connection, code] = [provider.connection, deployment.connection].map(|id| directory.connections.get(&id));
    let (false, Selection::IssueProvider { azure_project, .. }, Some(connection), Some(code)) =
        (states.is_empty() || found.work_items.is_empty(), selection, connection, code)
    else {
        return Ok(false);
    };
    if connection.record.url != code.record.url {
        // The same number is another item there.
        return Ok(false);
    }
    let azure = app.azure(connection, Priority::Repair)?;
    if found.work_items.len() > ITEMS_MAX {
        found.missing.push(format!("work_started: only the first {ITEMS_MAX} work items were looked at"));
    }
    let mut first: Option<Timestamp> = None;
    for id in found.work_items.iter().take(ITEMS_MAX).map(|item| item.id).collect::<Vec<_>>() {
        let mut after = 0;
        for _ in 0..PAGES_MAX {
            let updates = azure.updates(&azure_project.0, id, after).await;
            let updates = match updates {
                // It is another project's, and its states are not ours.
                Err(Failure::NotFound { .. }) => break,
                updates => noted(found, "work_started", updates)?.unwrap_or_default(),
            };
            let Some(UpdateRecord { rev, .. }) = updates.last() else { break };
            after = *rev;
            if let Some(at) = updates.iter().find_map(|update| entered(update, states)) {
                first = [first, Some(at)].into_iter().flatten().filter(|at| *at <= deployment.at).min();
                break;
            }
        }
    }
    found.work_started = first;
    Ok(true)
}

/// When the update brought the item into one of the states.
fn entered(update: &UpdateRecord, states: &[String]) -> Option<Timestamp> {
    let update: WorkItemUpdate<'_> = serde_json::from_str(update.json.get()).ok()?;
    let now = |name: &str| update.fields.member(name)?.new_value.text.as_str();
    let state = now("System.State")?;
    let is_one = states.iter().any(|own| own.to_lowercase() == state.to_lowercase());
    is_one.then(|| now("System.ChangedDate")?.parse().ok()).flatten()
}
