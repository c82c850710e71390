//! A work item as the events tell of it: how it is, and through which states it came.

use super::{
    builds::newest,
    follow::catch_up,
    thing::Thing,
    told::Told,
    walk::{at, read},
};
use crate::{
    app::{
        App,
        discovery::{self, Call, Item},
    },
    domain::{Binding, Selection},
    store::Error,
};
use uuid::Uuid;

/// Most events of a work item that are looked at, the newest.
pub const WORK_ITEM_EVENTS_MAX: usize = 500;

/// A change of state; the first is the state that it was first heard of in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The event that told of it.
    pub event: Uuid,
    /// The state after.
    pub state: String,
    /// Its category, as the process has it now.
    pub category: Option<String>,
    /// The state before, where it is known.
    pub previous: Option<String>,
    /// Who did it: the account, else the name.
    pub by: Option<String>,
    /// When, as the event says.
    pub time: String,
}

/// A work item.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct WorkItem {
    /// Its type, `Bug` and the like.
    pub item_type: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Who has it: the account, else the name.
    pub owner: Option<String>,
    /// Where it is.
    pub uri: Option<String>,
    /// In order of its revisions; the last one is how it is.
    pub transitions: Vec<Transition>,
    /// Whether there are older events, or newer ones, that were not looked at.
    pub cut: bool,
}

/// What an event says of it.
#[derive(Default)]
struct Said {
    rev: i64,
    is_of_project: bool,
    item_type: Option<String>,
    title: Option<String>,
    owner: Option<String>,
    uri: Option<String>,
    state: Option<String>,
    previous: Option<String>,
    by: Option<String>,
    time: String,
}

impl Said {
    fn by(told: &Told<'_>, project: &crate::domain::Slug) -> Self {
        let (azure, content) = (&told.data.custom_data.azuredevops, &told.data.subject.content);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            rev: azure.rev.0.unwrap_or_default(),
            is_of_project: told.is_of(project),
            item_type: owned(azure.work_item_type.as_str()),
            title: owned(content.summary.as_str()),
            owner: owned(azure.assigned_to.handle()),
            uri: owned(content.uri.as_str()),
            state: owned(azure.state.as_str()),
            previous: owned(azure.previous_state.as_str()),
            by: owned(azure.changed_by.handle()),
            time: told.time.to_string(),
        }
    }
}

/// The work item of this number, if the issue provider selected any event of it. Its type is the one that it has now: an
/// item that was moved to another type has one history.
pub async fn work_item(app: &App, provider: &Binding, number: i64) -> Result<Option<WorkItem>, Error> {
    let is_behind = !catch_up(app).await?;
    let directory = app.directory();
    let Some(connection) = directory.connections.get(&provider.connection) else { return Ok(None) };
    let thing = Thing::work_item(connection.record.url.as_str(), number);
    let (telling, cut) = newest(app, thing.key(), WORK_ITEM_EVENTS_MAX);
    let mut all = Vec::new();
    for position in telling {
        let Some(record) = at(app, position).await? else { continue };
        let said = read(&record, |told| {
            let is_own = Thing::of_subject(&told.source, &told.subject).as_ref() == Some(&thing);
            is_own.then(|| Said::by(told, &provider.project))
        });
        all.extend(said.map(|said| (said.rev, position, record.key, said)));
    }
    if !all.iter().any(|(.., said)| said.is_of_project) {
        return Ok(None);
    }
    all.sort_by_key(|(rev, position, ..)| (*rev, *position));
    let mut item = WorkItem { cut: cut || is_behind, ..WorkItem::default() };
    for (_, _, event, said) in all {
        item.take(event, said);
    }
    item.categorize(app, provider).await;
    Ok(Some(item))
}

impl WorkItem {
    /// What an event says, after all that were before it.
    fn take(&mut self, event: Uuid, said: Said) {
        self.item_type = said.item_type.or(self.item_type.take());
        self.title = said.title.or(self.title.take());
        self.uri = said.uri.or(self.uri.take());
        // A missing owner is nobody, not the one before.
        self.owner = said.owner;
        let now = self.transitions.last().map(|last| last.state.clone());
        if let Some(state) = said.state.filter(|state| now.as_ref() != Some(state)) {
            let previous = said.previous.or(now);
            self.transitions.push(Transition { event, state, category: None, previous, by: said.by, time: said.time });
        }
    }

    /// The categories of its states, from its type in the process of the project; none while Azure DevOps does not say.
    async fn categorize(&mut self, app: &App, provider: &Binding) {
        let Selection::IssueProvider { azure_project, .. } = &provider.selection else { return };
        let call = Call::WorkItemTypes(azure_project.0.clone());
        let Ok(types) = discovery::list(app, provider.connection, call, false).await else { return };
        let own = self.item_type.as_deref().unwrap_or_default();
        let states = types.items.iter().find_map(|(_, item)| match item {
            Item::WorkItemType(kind) if kind.name.eq_ignore_ascii_case(own) => Some(&kind.states),
            _ => None,
        });
        for transition in &mut self.transitions {
            let own = states.into_iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case(&transition.state));
            transition.category = own.and_then(|(_, category)| category.clone());
        }
    }
}
