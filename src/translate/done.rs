//! Whether a state of a work item means "done". What is set here wins over what the process of the project says, and
//! that wins over the names that Microsoft's own processes use.

use super::{Context, Settings};
use crate::domain::Process;
use std::sync::Arc;
use uuid::Uuid;

/// In which way something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// The work is finished.
    Completed,
    /// It will not be done.
    Removed,
    /// In a way of its own: a state that is chosen here and that nobody else knows.
    Chosen,
}

/// `Resolved` is not among them: in Azure's processes it is a category of its own, before `Closed`.
const USUAL: [&str; 4] = ["Closed", "Done", "Completed", "Removed"];

/// Nothing if it is not done. The project is given by its ids and name, the item by its type and state.
pub(super) fn done(
    context: &Context<'_>,
    project: &[Option<&str>],
    kind: Option<&str>,
    state: Option<&str>,
) -> Option<Done> {
    let state = state?;
    let by_name = || match USUAL.iter().position(|own| own.eq_ignore_ascii_case(state)) {
        Some(3) => Done::Removed,
        Some(_) => Done::Completed,
        None => Done::Chosen,
    };
    let is = |name: &&str| name.to_lowercase() == state.to_lowercase();
    if let Some(chosen) = &context.settings.completed_states {
        return chosen.iter().any(|own| is(&own.as_str())).then(by_name);
    }
    match processes(context, project).find_map(|process| process.category(kind?, state)) {
        Some("Completed") => Some(Done::Completed),
        Some("Removed") => Some(Done::Removed),
        Some(_) => None,
        None => USUAL.iter().any(is).then(by_name),
    }
}

fn processes<'a>(context: &Context<'a>, project: &'a [Option<&'a str>]) -> impl Iterator<Item = &'a Process> {
    // A name may have been another project's before.
    let id = project.iter().flatten().find(|name| Uuid::parse_str(name).is_ok());
    let is_its = move |process: &&Arc<Process>| match id {
        Some(id) => process.project[0].names(id),
        None => process.project.iter().any(|own| project.iter().flatten().any(|name| own.names(name))),
    };
    context.processes.iter().filter(is_its).map(|process| &**process)
}

/// A state that means "done" for an item of this type, to tell what an update that closed it became.
pub(crate) fn done_state<'a>(
    settings: &'a Settings,
    processes: &'a [Arc<Process>],
    project: &str,
    kind: &str,
) -> &'a str {
    if let Some(chosen) = &settings.completed_states {
        return chosen.first().map_or(USUAL[0], String::as_str);
    }
    let its = processes.iter().filter(|process| process.project.iter().any(|own| own.names(project)));
    let types = its.flat_map(|process| &process.types).filter(|own| own.name.to_lowercase() == kind.to_lowercase());
    let is_done = |category: &Option<String>| matches!(category.as_deref(), Some("Completed" | "Removed"));
    let mut states = types.flat_map(|own| &own.states).filter(|(_, category)| is_done(category));
    states.next().map_or(USUAL[0], |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        azure::CollectionUrl,
        domain::{AzureRef, ConnectionId, ItemType, NotificationId},
    };

    fn process(project: &str, kind: &str, states: &[(&str, Option<&str>)]) -> Process {
        let states = states.iter().map(|(name, category)| ((*name).to_owned(), category.map(str::to_owned)));
        let types = vec![ItemType { name: kind.to_owned(), states: states.collect() }];
        Process { project: [project, "Fiber"].map(|name| AzureRef(name.to_owned())), types }
    }

    fn ask(chosen: Option<&[&str]>, kind: &str, state: &str) -> Option<Done> {
        let completed_states = chosen.map(|all| all.iter().map(ToString::to_string).collect());
        let settings = Settings { completed_states };
        let states = [("Draft", Some("Proposed")), ("Closed", Some("Resolved")), ("Größe", Some("Completed"))];
        let ours = process(
            "0f3d2c1b-7a6e-4d5c-8b4a-392817060504",
            "Note",
            &[&states[..], &[("Dropped", Some("Removed")), ("Odd", None)]].concat(),
        );
        let processes = [process("p-2", "Note", &[("Draft", Some("Completed"))]), ours].map(Arc::new);
        let context = Context {
            connection: ConnectionId(Uuid::nil()),
            source: &CollectionUrl::parse("https://dev.azure.com/fabrikam").unwrap(),
            notification: NotificationId(Uuid::nil()),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            reason: None,
            recovered: None,
            bindings: &[],
            processes: &processes,
            settings: &settings,
        };
        done(&context, &[Some("0F3D2C1B-7a6e-4d5c-8b4a-392817060504"), None, None], Some(kind), Some(state))
    }

    #[test]
    fn the_process_of_the_project_says_which_states_of_a_type_are_done() {
        for (kind, state, wanted) in [
            ("note", "GRÖSSE", None),
            ("note", "gröSSe", None),
            ("note", "größe", Some(Done::Completed)),
            ("Note", "Dropped", Some(Done::Removed)),
            ("Note", "Closed", None),
            ("Note", "Draft", None),
            ("Note", "Done", Some(Done::Completed)),
            ("Note", "Odd", None),
            ("Bug", "Closed", Some(Done::Completed)),
            ("Bug", "Removed", Some(Done::Removed)),
            ("Bug", "Resolved", None),
        ] {
            assert_eq!(ask(None, kind, state), wanted, "{kind} {state}");
        }
    }

    #[test]
    fn states_that_are_chosen_are_the_only_ones() {
        for (state, wanted) in [
            ("ready", Some(Done::Chosen)),
            ("Größe", None),
            ("Removed", Some(Done::Removed)),
            ("done", Some(Done::Completed)),
            ("Closed", None),
        ] {
            assert_eq!(ask(Some(&["Ready", "Done", "removed"]), "Note", state), wanted, "{state}");
        }
    }

    #[test]
    fn a_done_state_of_a_type_is_its_process_own() {
        let (chosen, free) = (Settings { completed_states: Some(vec!["Ready".to_owned()]) }, Settings::default());
        let all = [process("p-1", "Note", &[("Closed", Some("Resolved")), ("Out", Some("Completed"))])].map(Arc::new);
        assert_eq!(done_state(&free, &all, "P-1", "note"), "Out");
        assert_eq!(done_state(&free, &all, "p-2", "note"), "Closed");
        assert_eq!(done_state(&chosen, &all, "p-1", "note"), "Ready");
    }
}
