//! What must come before an event, so that the events of one entity are in order. Pure, and read from the event as it is
//! kept: it costs nothing where nobody asks, and says the same of an event of last year.
//!
//! Only what the payload itself proves: revision 7 of a work item follows revision 6, also where it deletes or restores it;
//! a link follows the revision that it leaves as it is, and a comment the one before that it was saved with; an update of a ref begins where the
//! ref was (and one that does not make it is not its first), what is finished was started. Votes and comments of a pull
//! request follow its creation; among themselves they have no order that Azure tells. The predecessors of a revision, a run
//! or a pull request are named by their ids, which are made of nothing but what the event says; a ref's is whatever event
//! left it where this one begins.

use super::{
    identity::fact,
    work_item::key::{Ids, Key},
};
use crate::event::Event;
use jiff::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;
use uuid::Uuid;

/// What an event is about, as far as what is before it can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entity {
    /// A work item.
    WorkItem {
        /// Its number.
        number: i64,
        /// The revision whose predecessor must come first: the one that the event tells, or that will follow it.
        rev: i64,
    },
    /// A ref.
    Ref {
        /// The repository's GUID, as the payload writes it.
        repository: String,
        /// Full name.
        name: String,
        /// Where the event's update begins.
        from: String,
        /// The push.
        push: i64,
    },
    /// A pull request.
    PullRequest {
        /// The repository's GUID, as the payload writes it.
        repository: String,
        /// Its number.
        number: i64,
    },
    /// The pushes to a pull request, which Azure counts as its iterations.
    Iterations {
        /// The repository's GUID, as the payload writes it.
        repository: String,
        /// The request's number.
        number: i64,
    },
    /// A run, or one of its stages or jobs.
    Run {
        /// Its number; the build's too.
        number: i64,
    },
    /// A classic release.
    Release {
        /// Its number.
        number: i64,
    },
    /// A classic deployment.
    Deployment {
        /// The number of its release.
        release: i64,
        /// The number of its environment.
        environment: i64,
        /// From 1.
        attempt: i64,
    },
}

impl Entity {
    /// The subject of its events; of a run, the run's.
    pub fn subject(&self) -> String {
        match self {
            Self::WorkItem { number, .. } => format!("wit/workItems/{number}"),
            Self::Ref { repository, name, .. } => format!("git/repositories/{repository}/{name}"),
            Self::PullRequest { repository, number } => format!("git/repositories/{repository}/pullRequests/{number}"),
            Self::Iterations { repository, number } => {
                format!("git/repositories/{repository}/pullRequests/{number}/iterations")
            }
            Self::Run { number } => format!("build/builds/{number}"),
            Self::Release { number } => format!("release/releases/{number}"),
            Self::Deployment { release, environment, .. } => {
                format!("release/releases/{release}/environments/{environment}")
            }
        }
    }
}

/// What must be in the log before an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing: it is the first, or all that is known is what it leaves behind.
    Nothing,
    /// One of the events with these ids.
    OneOf(Vec<Uuid>),
    /// Whatever left the ref where this begins.
    Head,
}

/// Where an update leaves a ref. Names are hashed: these are kept by the ten thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The ref.
    pub reference: Uuid,
    /// Where it was.
    pub from: Uuid,
    /// Where it is now.
    pub to: Uuid,
    /// The push, which is counted in the repository; 0 where it is not known.
    pub push: i64,
    /// When.
    pub time: Option<Timestamp>,
    /// Whether it makes the ref: nothing need be known of it before.
    pub makes: bool,
}

impl Move {
    /// Whether this is an earlier push to the same ref than another.
    pub fn is_before(&self, other: Self) -> bool {
        self.reference == other.reference && self.push > 0 && self.push < other.push
    }

    /// Names the need to know the ref where this begins.
    pub fn needs(&self) -> Uuid {
        head(self.reference, self.from)
    }

    /// Names the need that is met once this is told.
    pub fn meets(&self) -> Uuid {
        head(self.reference, self.to)
    }
}

fn head(reference: Uuid, at: Uuid) -> Uuid {
    fact("head", &reference.to_string(), &at.to_string(), "")
}

/// An event in the order of its entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The event.
    pub id: Uuid,
    /// What it is about.
    pub entity: Entity,
    /// The Azure project's GUID.
    pub project: Option<Uuid>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// When the entity began, as the payload says: the date of what must come first where that is the beginning.
    pub begun: Option<Timestamp>,
    /// What must come first.
    pub before: Before,
    /// Of a ref: how it moved.
    pub moved: Option<Move>,
    /// Names the need itself, so that it can be waived.
    pub need: Uuid,
    /// The event that is its entity's beginning, where that is not what must come first: with it in the log, what is missing
    /// in between is surely ours.
    pub root: Option<Uuid>,
}

const CHANGE_CREATED: &str = "dev.cdevents.change.created.0.0.0";
const RUN_QUEUED: &str = "dev.cdevents.pipelinerun.queued.0.0.0";
const RUN_STARTED: &str = "dev.cdevents.pipelinerun.started.0.0.0";
const TASK_STARTED: &str = "dev.cdevents.taskrun.started.0.0.0";

/// The field that a move to another project changes.
const MOVED: &str = "System.TeamProject";

/// The kinds that have a place in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ticket,
    /// A work item that was deleted or restored.
    Turned,
    Ref,
    Change,
    RunFinished,
    TaskStarted,
    TaskFinished,
}

impl Kind {
    fn of(event_type: &str) -> Option<Self> {
        let own = event_type.strip_prefix("dev.cdevents.");
        let custom = || event_type.strip_prefix("dev.cdeventsx.azuredevops-");
        let mut words = own.or_else(custom)?.split('.');
        match (own.is_some(), words.next()?, words.next()?) {
            (true, "ticket", "updated" | "closed") => Some(Self::Ticket),
            (false, "workitem", "deleted" | "restored") => Some(Self::Turned),
            (true, "branch", _) | (false, "branch" | "tag" | "ref", _) => Some(Self::Ref),
            (true, "change", "updated" | "reviewed" | "merged" | "abandoned") | (false, "change", "commented") => {
                Some(Self::Change)
            }
            (true, "pipelinerun", "finished") => Some(Self::RunFinished),
            (true, "taskrun", "started") => Some(Self::TaskStarted),
            (true, "taskrun", "finished") => Some(Self::TaskFinished),
            _ => None,
        }
    }
}

/// Whether an event of this type moves a ref.
pub fn moves_a_ref(event_type: &str) -> bool {
    Kind::of(event_type) == Some(Kind::Ref)
}

/// The ids under which another mapping or another body would have told the same fact: whether a revision closed a work item
/// is a matter of the settings, and which revision deleted it one of the body.
pub fn otherwise_told(event: &Event) -> Vec<Uuid> {
    let kind = event.header.kind.as_str();
    let family = Kind::of(kind);
    if !matches!(family, Some(Kind::Ticket | Kind::Turned)) {
        return Vec::new();
    }
    let Ok(kept) = serde_json::from_slice::<Kept<'_>>(&event.json) else { return Vec::new() };
    let Some(rev) = kept.data.custom_data.azuredevops.rev else { return Vec::new() };
    let ids = match (family, kept.item().key(event.id, kind, rev, None)) {
        (Some(Kind::Turned), _) => kept.item().turned_beside(kind, rev),
        (_, Some(Key::Revision(_))) => kept.item().updated(rev),
        _ => return Vec::new(),
    };
    ids.into_iter().filter(|id| *id != event.id).collect()
}

/// Of a deletion or restoration: the id under which the revision before would have told it, and that of the event that, if it is
/// there, was in between. `None` of all else.
pub fn turned_before(event: &Event) -> Option<(Uuid, Uuid)> {
    let kind = event.header.kind.as_str();
    let kept = serde_json::from_slice::<Kept<'_>>(&event.json).ok().filter(|_| Kind::of(kind) == Some(Kind::Turned))?;
    let rev = kept.data.custom_data.azuredevops.rev?;
    Some((kept.item().turned_beside(kind, rev)[0], kept.item().undone(kind, rev)))
}

/// Whether it tells that a work item was deleted or restored.
pub fn is_turned(event: &Event) -> bool {
    Kind::of(&event.header.kind) == Some(Kind::Turned)
}

/// Whether it tells what a revision of a work item changed, and not only that it was commented or linked.
pub fn changes_fields(event: &Event) -> bool {
    let kept = serde_json::from_slice::<Kept<'_>>(&event.json);
    kept.is_ok_and(|kept| !kept.data.custom_data.azuredevops.changed_fields.is_empty())
}

/// Its place; `None` of what has no order, and of what lacks what its place would be told by.
pub fn place(event: &Event) -> Option<Place> {
    let kind = Kind::of(&event.header.kind)?;
    let kept: Kept<'_> = serde_json::from_slice(&event.json).ok()?;
    let extras = &kept.data.custom_data.azuredevops;
    let told = |kinds: &[&str], subject: &str, discriminator: &str| {
        let ids = kinds.iter().map(|kind| fact(kind, &kept.source, subject, discriminator));
        Before::OneOf(ids.collect())
    };
    let mut segments = kept.subject.split('/');
    let (entity, before, moved) = match kind {
        Kind::Ticket | Kind::Turned => {
            let (entity, before) = kept.revised(event, kind, segments.nth(2)?.parse().ok()?)?;
            (entity, before, None)
        }
        Kind::Ref => {
            let (entity, moved) = kept.reference()?;
            (entity, Before::Head, Some(moved))
        }
        Kind::Change => {
            let (repository, number) = (segments.nth(2)?.to_owned(), segments.nth(1)?.parse().ok()?);
            (Entity::PullRequest { repository, number }, told(&[CHANGE_CREATED], &kept.subject, ""), None)
        }
        Kind::RunFinished => {
            if let Some(number) = kept.subject.strip_prefix("release/releases/") {
                let before = told(&[RUN_QUEUED], &kept.subject, "queued");
                return kept.at(event, (Entity::Release { number: number.parse().ok()? }, before, None), kind);
            }
            // What was cancelled while it waited never began.
            let number = kept.subject.strip_prefix("build/builds/")?.parse().ok()?;
            // The state of a run has no word for when it began.
            let is_state = extras.event_type.as_ref().is_some_and(|own| own.0.starts_with("ms.vss-pipelines."));
            let began = extras.start_time.is_some() || (is_state && extras.queue_time.is_some());
            let before = if began { told(&[RUN_STARTED], &kept.subject, "started") } else { Before::Nothing };
            (Entity::Run { number }, before, None)
        }
        Kind::TaskStarted => kept.begin(&told)?,
        Kind::TaskFinished => kept.task(&told)?,
    };
    kept.at(event, (entity, before, moved), kind)
}

/// What is read of an event as it is kept.
#[derive(Deserialize)]
struct Kept<'a> {
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    subject: Subject<'a>,
    #[serde(borrow, rename = "customData")]
    custom_data: CustomData<'a>,
}

#[derive(Deserialize)]
struct Subject<'a> {
    #[serde(borrow)]
    content: Objects<'a>,
}

#[derive(Deserialize)]
struct CustomData<'a> {
    #[serde(borrow)]
    azuredevops: Extras<'a>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Objects<'a> {
    #[serde(borrow, default)]
    old_object_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    new_object_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extras<'a> {
    #[serde(default)]
    rev: Option<i64>,
    #[serde(default)]
    update_number: Option<i64>,
    #[serde(borrow, default)]
    changed_fields: Vec<Text<'a>>,
    #[serde(default)]
    push_id: Option<i64>,
    #[serde(borrow, default)]
    old_object_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    new_object_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    start_time: Option<Text<'a>>,
    #[serde(borrow, default)]
    queue_time: Option<Text<'a>>,
    #[serde(borrow, default)]
    event_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    created_date: Option<Text<'a>>,
    #[serde(borrow, default)]
    creation_date: Option<Text<'a>>,
    #[serde(borrow, default)]
    run: Part<'a>,
    #[serde(borrow, default)]
    stage: Part<'a>,
    #[serde(borrow, default)]
    job: Part<'a>,
    #[serde(borrow, default)]
    deployment: Part<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Part<'a> {
    attempt: Option<i64>,
    #[serde(borrow)]
    created_date: Option<Text<'a>>,
    #[serde(borrow)]
    start_time: Option<Text<'a>>,
    #[serde(borrow)]
    started_on: Option<Text<'a>>,
}

impl Kept<'_> {
    /// The place of the event that it was read of.
    fn at(&self, event: &Event, (entity, before, moved): (Entity, Before, Option<Move>), kind: Kind) -> Option<Place> {
        let need = match (&before, &moved) {
            (Before::OneOf(ids), _) => ids.first().copied()?,
            (Before::Head, Some(moved)) => moved.needs(),
            _ => event.id,
        };
        Some(Place {
            id: event.id,
            entity,
            project: self.source.rsplit('/').next().and_then(|project| project.parse().ok()),
            time: self.time.parse().ok(),
            begun: self.begun(kind),
            before,
            moved,
            need,
            root: self.root(kind),
        })
    }

    /// The work item that it is about.
    fn item(&self) -> Ids<'_> {
        Ids { source: &self.source, subject: &self.subject }
    }

    /// A revision of a work item, or what happened between two of them.
    fn revised(&self, event: &Event, kind: Kind, number: i64) -> Option<(Entity, Before)> {
        let (extras, item) = (&self.data.custom_data.azuredevops, self.item());
        let rev = extras.rev?;
        if extras.changed_fields.iter().any(|field| field.0 == MOVED) {
            // The revisions before it are another project's.
            return Some((Entity::WorkItem { number, rev: rev.max(2) }, Before::Nothing));
        }
        let one_of = |ids: Vec<Uuid>| if ids.is_empty() { Before::Nothing } else { Before::OneOf(ids) };
        let earlier = || if rev > 1 { item.revision(rev - 1) } else { Vec::new() };
        let (following, before) = match (kind, item.key(event.id, &event.header.kind, rev, extras.update_number)) {
            // Whether the revision in its body is its own or the last one before it, either will do; and what is saved together
            // comes in any order.
            (Kind::Turned, _) | (_, Some(Key::Comment(_))) => {
                (rev, earlier().into_iter().chain(self.same(rev)).collect())
            }
            (_, Some(Key::Revision(_))) => (rev, earlier()),
            (_, Some(Key::Link(_))) => (rev.saturating_add(1), item.revision(rev)),
            _ => return None,
        };
        // There is no revision before the first.
        Some((Entity::WorkItem { number, rev: following.max(2) }, one_of(before)))
    }

    /// A revision as what a hook tells of the same one.
    fn same(&self, rev: i64) -> Vec<Uuid> {
        if rev == 1 { vec![self.item().created()] } else { self.item().updated(rev).to_vec() }
    }

    fn root(&self, kind: Kind) -> Option<Uuid> {
        let is_later = matches!(kind, Kind::Ticket | Kind::Turned)
            && self.data.custom_data.azuredevops.rev.is_some_and(|rev| rev > 2);
        let is_moved = self.data.custom_data.azuredevops.changed_fields.iter().any(|field| field.0 == MOVED);
        (is_later && !is_moved).then(|| self.item().created())
    }

    /// A stage, a job or a deployment that begins: its run or release began before it.
    fn begin(&self, told: &dyn Fn(&[&str], &str, &str) -> Before) -> Option<(Entity, Before, Option<Move>)> {
        let mut segments = self.subject.split('/');
        let (area, _, number) = (segments.next()?, segments.next()?, segments.next()?.parse().ok()?);
        let (entity, kind, mark) = match area {
            "release" => (Entity::Release { number }, RUN_QUEUED, "queued"),
            _ => (Entity::Run { number }, RUN_STARTED, "started"),
        };
        let before = told(&[kind], &entity.subject(), mark);
        Some((entity, before, None))
    }

    fn begun(&self, kind: Kind) -> Option<Timestamp> {
        let extras = &self.data.custom_data.azuredevops;
        let parts = [&extras.stage, &extras.job, &extras.deployment];
        let date = match kind {
            Kind::Ref => None,
            Kind::Ticket | Kind::Turned => extras.created_date.as_ref(),
            Kind::Change => extras.creation_date.as_ref(),
            Kind::RunFinished => extras.start_time.as_ref().or(extras.queue_time.as_ref()),
            Kind::TaskStarted => extras.run.created_date.as_ref(),
            Kind::TaskFinished => {
                parts.into_iter().find_map(|part| part.start_time.as_ref().or(part.started_on.as_ref()))
            }
        };
        date?.0.parse().ok()
    }

    /// `git/repositories/{guid}/refs/…`, moved.
    fn reference(&self) -> Option<(Entity, Move)> {
        let extras = &self.data.custom_data.azuredevops;
        let (repository, name) = self.subject.strip_prefix("git/repositories/")?.split_once('/')?;
        // What the server merges for itself to try it, nobody pushed, and nobody misses.
        if name.starts_with("refs/pull/") {
            return None;
        }
        // Where the vocabulary has a word for it, they are beside its content, and in it where it has none.
        let content = &self.data.subject.content;
        let from = content.old_object_id.as_ref().or(extras.old_object_id.as_ref())?.0.to_string();
        let to = &content.new_object_id.as_ref().or(extras.new_object_id.as_ref())?.0;
        let push = extras.push_id.unwrap_or_default();
        let moved = Move {
            reference: fact("ref", &self.source, &self.subject, ""),
            from: fact("object", "", "", &from),
            to: fact("object", "", "", to),
            push,
            time: self.time.parse().ok(),
            makes: from.bytes().all(|digit| digit == b'0'),
        };
        Some((Entity::Ref { repository: repository.to_owned(), name: name.to_owned(), from, push }, moved))
    }

    /// A stage, a job or a deployment that is over.
    fn task(&self, told: &dyn Fn(&[&str], &str, &str) -> Before) -> Option<(Entity, Before, Option<Move>)> {
        let extras = &self.data.custom_data.azuredevops;
        let mut segments = self.subject.split('/');
        if let Some(place) = self.subject.strip_prefix("release/releases/") {
            let (release, environment) = place.split_once("/environments/")?;
            let attempt = extras.deployment.attempt?;
            let (release, environment) = (release.parse().ok()?, environment.parse().ok()?);
            // One that was cancelled while it waited for its approval never began.
            let before = match extras.deployment.started_on {
                Some(_) => told(&[TASK_STARTED], &self.subject, &format!("attempt:{attempt}")),
                None => Before::Nothing,
            };
            return Some((Entity::Deployment { release, environment, attempt }, before, None));
        }
        let (number, path) = (segments.nth(2)?.parse().ok()?, segments.next()?);
        let part = if path == "stages" { &extras.stage } else { &extras.job };
        let before = match (part.attempt, &part.start_time) {
            (Some(attempt), Some(_)) => told(&[TASK_STARTED], &self.subject, &format!("attempt:{attempt}:started")),
            _ => Before::Nothing,
        };
        Some((Entity::Run { number }, before, None))
    }
}
