//! Two tellings of one fact as one: what either knows. Pure, and over events as they are kept, because the tellings come at
//! different times: a run's state and its build, a hook and the record that is found later.
//!
//! Each telling has a rank, and of each member the word of the highest telling counts that has it; of equals, the greater text.
//! A fact's header keeps which members are a poorer telling's word, so however many there are and in whatever order they come,
//! the result is the same. What a telling says of itself (which delivery it was, of which event type) is the highest one's.

mod ends;

pub use self::ends::{is_one_end, near};

use super::identity::fact;
use crate::{
    azure::time,
    domain::Slug,
    event::{Event, Header},
};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Kinds of which the rule is that one fact is told by event types that know different things of it.
const KINDS: [&str; 5] = [
    "dev.cdevents.pipelinerun.",
    "dev.cdevents.taskrun.",
    "dev.cdevents.build.",
    "dev.cdeventsx.azuredevops-stage.",
    "dev.cdeventsx.azuredevops-job.",
];

/// Members that a telling says of itself.
const OF_ITSELF: [&str; 5] = ["eventType", "eventId", "resourceVersion", "subscriptionId", "mapping"];
/// The mark of a telling that knows no time: it goes once a time is known.
const UNKNOWN: &str = "timeUnknown";

/// Kinds of which two hooks know different things besides: what was forked, how much of the resource a subscription asks for. Of
/// all others two hooks of one event type and resource version differ by when they were rendered alone, and the first one
/// counts; of acts, [`super::request`] says which.
const BESIDE: [&str; 2] = ["dev.cdevents.ticket.updated.", "dev.cdevents.repository.created."];
const BEGINNING: &str = "/data/customData/azuredevops/startTime";
const LINKS: &str = "/data/context/links";

/// Whether an event of this type may know only a part of what is told of its fact.
pub fn is_told_in_parts(kind: &str) -> bool {
    KINDS.iter().any(|known| kind.starts_with(known))
}

/// The id of the event that only a richer telling of the same end of a run makes: with it in the log, that telling was there.
/// Nothing for what is no such end, and for the richer telling itself.
pub fn richer(event: &Event) -> Option<Uuid> {
    if !event.header.kind.starts_with("dev.cdevents.pipelinerun.finished.") {
        return None;
    }
    let value: Value = serde_json::from_slice(&event.json).ok()?;
    let azure = &value["data"]["customData"]["azuredevops"];
    if !azure["eventType"].as_str()?.starts_with("ms.vss-pipelines.") {
        return None;
    }
    let finished: Timestamp = azure["finishTime"].as_str()?.parse().ok()?;
    let (source, subject) = (value["source"].as_str()?, value["subject"].as_str()?);
    let ended = format!("finished:{}", time::second(finished));
    Some(fact("dev.cdevents.build.finished.0.0.0", source, subject, &ended))
}

/// Puts `kept` and `told` together as an event of the fact `id`; `None` where `told` adds nothing to `kept`.
///
/// The header is that of `told`, by which what is new was learnt, and it belongs to the projects of both.
pub fn union(id: Uuid, kept: &Event, told: &Event) -> Option<Event> {
    let (before, now) = (Telling::read(kept)?, Telling::read(told)?);
    let kind = &told.header.kind;
    let differ =
        is_told_in_parts(kind) || BESIDE.iter().any(|own| kind.starts_with(own)) || before.form() != now.form();
    if !differ && !before.is_composed() && !now.is_composed() {
        return shared(id, kept, told);
    }
    let whole = before.and(&now);
    let mut header = told.header.clone();
    join(&mut header.projects, &kept.header.projects);
    let knows_more = before.is_unknown != whole.is_unknown || news(&whole.said) != news(&before.said);
    if !knows_more && header.projects == sorted(&kept.header.projects) {
        return None;
    }
    header.filled.clone_from(&whole.filled);
    let json = serde_json::to_vec(&dressed(whole, id, &header)).ok()?;
    Some(Event { id, header, json: json.into() })
}

/// The kept telling of the fact `id`, for the projects of both: another connection of the same organization can have others. `None`
/// where all projects of `told` have it.
pub fn shared(id: Uuid, kept: &Event, told: &Event) -> Option<Event> {
    let mut header = kept.header.clone();
    join(&mut header.projects, &told.header.projects);
    if header.projects == sorted(&kept.header.projects) {
        return None;
    }
    let json = serde_json::to_vec(&dressed(Telling::read(kept)?, id, &header)).ok()?;
    Some(Event { id, header, json: json.into() })
}

/// An event for these projects besides its own.
#[must_use]
pub fn also_for(event: Event, projects: &[Slug]) -> Event {
    let mut header = event.header.clone();
    join(&mut header.projects, projects);
    let parsed = serde_json::from_slice::<Value>(&event.json).ok().filter(|_| header.projects != event.header.projects);
    let Some(mut said) = parsed else { return event };
    name_projects(&mut said, &header);
    let json = said.to_string().into_bytes().into();
    Event { header, json, ..event }
}

/// Puts `told`, told once more, together with what is kept of the fact `id`; `None` where they are the same. Where it is the base of
/// what is kept, today's word counts, with what others knew besides.
pub fn again(id: Uuid, kept: &Event, told: Event) -> Option<Event> {
    let (mut now, before) = (Telling::read(&told)?, Telling::read(kept)?);
    // The mapping is the last of them, and another is no other telling.
    if now.itself[..OF_ITSELF.len() - 1] != before.itself[..OF_ITSELF.len() - 1] {
        return union(id, kept, &told);
    }
    let mut json = serde_json::from_slice::<Value>(&told.json).ok()?;
    fill(&mut now.said, &before.said);
    if let (Some(own), Some(links)) = (json.pointer_mut("/data"), now.said.pointer("/data")) {
        fill(own, links);
    }
    if let (Some(own), Some(theirs)) = (list(&mut json), before.said.pointer(LINKS).and_then(Value::as_array)) {
        let more: Vec<Value> = theirs.iter().filter(|link| !own.contains(link)).cloned().collect();
        own.extend(more);
    }
    forget_revisions(&mut json);
    let header = Header { filled: kept.header.filled.clone(), ..told.header };
    Some(Event { json: serde_json::to_vec(&json).ok()?.into(), header, ..told })
}

/// A telling, or several together.
struct Telling {
    /// Members that it says of its fact.
    said: Value,
    /// Values that it says of itself, in the order of [`OF_ITSELF`].
    itself: Vec<Value>,
    rank: u8,
    /// The rank of members that are not of the highest telling, by JSON pointer.
    filled: BTreeMap<String, u8>,
    is_unknown: bool,
}

impl Telling {
    fn read(event: &Event) -> Option<Self> {
        let mut said = serde_json::from_slice::<Value>(&event.json).ok().filter(Value::is_object)?;
        forget_revisions(&mut said);
        let outer = said.as_object_mut()?;
        outer.remove("id");
        said.pointer_mut("/data/context")?.as_object_mut()?.remove("id");
        own(&mut said)?.retain(|name, _| name == "connection");
        let azure = said.pointer_mut("/data/customData/azuredevops")?.as_object_mut()?;
        let itself: Vec<Value> = OF_ITSELF.map(|name| azure.remove(name).unwrap_or_default()).to_vec();
        let is_unknown = azure.remove(UNKNOWN).is_some();
        let filled = event.header.filled.clone();
        let knows_beginning = azure.contains_key("startTime") && !filled.contains_key(BEGINNING);
        let rank = rank(&itself, is_unknown, knows_beginning);
        Some(Self { said, itself, rank, filled, is_unknown })
    }

    /// Whether no delivery of Azure's told it: a record did.
    fn is_composed(&self) -> bool {
        self.itself[1].is_null()
    }

    /// Event type and resource version: in another form other things are said.
    fn form(&self) -> [&Value; 2] {
        [&self.itself[0], &self.itself[2]]
    }

    fn rank_at(&self, at: &str) -> u8 {
        self.filled.get(at).copied().unwrap_or(self.rank)
    }

    fn and(&self, other: &Self) -> Self {
        let rank = self.rank.max(other.rank);
        let mut both = Both { of: [self, other], rank, filled: BTreeMap::new() };
        let mut said = both.member("", Some(&self.said), Some(&other.said)).unwrap_or_default();
        let filled = both.filled;
        // Links of both, each once; the list that has all of them stays as it is.
        let key = |own: &Self| (own.rank, Value::from(own.itself.clone()).to_string());
        let is_richer = key(self) >= key(other);
        let lists = [self, other].map(|own| own.said.pointer(LINKS).and_then(Value::as_array));
        let lists = match lists {
            [Some(one), Some(other)] if is_richer => [Some(one.clone()), Some(apart(other, one))],
            [Some(one), Some(other)] => [Some(apart(one, other)), Some(other.clone())],
            _ => [None, None],
        };
        if let (Some(own), [Some(one), Some(other)]) = (list(&mut said), &lists) {
            let has_all = |one: &[Value], other: &[Value]| other.iter().all(|link| one.contains(link));
            *own = match (has_all(one, other), has_all(other, one)) {
                (true, _) => one.clone(),
                (false, true) => other.clone(),
                (false, false) => one.iter().chain(other.iter().filter(|link| !one.contains(link))).cloned().collect(),
            };
        }
        let itself = if is_richer { &self.itself } else { &other.itself }.clone();
        Self { said, itself, rank, filled, is_unknown: self.is_unknown && other.is_unknown }
    }
}

/// The links of a poorer telling without those that a richer one has in another project: of a repository that is another
/// project's, only some event types say so.
fn apart(poorer: &[Value], richer: &[Value]) -> Vec<Value> {
    let name = |link: &Value| {
        let domain = link["target"]["domainId"].as_str()?.to_owned();
        let (rest, id) = domain.rsplit_once(':')?;
        let (rest, thing) = rest.rsplit_once(':')?;
        let (project, repository) = rest.rsplit_once(':')?.1.split_once('/')?;
        let same = (link["linkKind"].clone(), repository.to_owned(), thing.to_owned(), id.to_owned());
        Some((same, project.to_owned()))
    };
    let known: Vec<_> = richer.iter().filter_map(name).collect();
    let is_elsewhere = |link: &&Value| {
        let own = name(link);
        own.is_some_and(|(same, project)| known.iter().any(|(other, there)| *other == same && *there != project))
    };
    poorer.iter().filter(|link| !is_elsewhere(link)).cloned().collect()
}

/// Event types of which the record knows more than the hook: when a run began, who deploys.
const KNOWN_BETTER: [&str; 3] =
    ["ms.vss-pipelines.", "ms.vss-release.deployment-started-", "ms.vss-release.deployment-completed-"];

/// Resource versions that are told apart.
const VERSIONS: u8 = 16;

/// How much the word of a telling counts. Of a run the build has words that its state has not, and the record of it knows when
/// it began; anything else is rendered for its hook as it is then, and its record is as it is long after.
fn rank(itself: &[Value], is_unknown: bool, knows_beginning: bool) -> u8 {
    let kind = itself[0].as_str().unwrap_or_default();
    let knows_better = KNOWN_BETTER.iter().any(|own| kind.starts_with(own));
    let known = match (is_unknown, kind == "build.complete", itself[1].is_null() || (knows_better && knows_beginning)) {
        (true, ..) => 0,
        (_, true, _) => 4,
        (_, _, is_composed) if is_composed == knows_better => 3,
        _ => 2,
    };
    // A newer version of one resource says more; versions are small numbers.
    let version = itself[2].as_str().and_then(|version| version.split('.').next()?.parse::<u8>().ok()).unwrap_or(0);
    known * VERSIONS + version.min(VERSIONS - 1)
}

/// Two tellings, member by member.
struct Both<'a> {
    of: [&'a Telling; 2],
    rank: u8,
    filled: BTreeMap<String, u8>,
}

impl Both<'_> {
    /// Lists are whole.
    fn member(&mut self, at: &str, one: Option<&Value>, other: Option<&Value>) -> Option<Value> {
        let members = |value: Option<&Value>| value.map(|value| value.as_object().cloned());
        if let (Some(None), _) | (_, Some(None)) = (members(one), members(other)) {
            return self.leaf(at, one, other);
        }
        let (one, other) = (members(one).flatten().unwrap_or_default(), members(other).flatten().unwrap_or_default());
        let mut all = Map::new();
        for name in one.keys().chain(other.keys().filter(|name| !one.contains_key(*name))) {
            let at = format!("{at}/{name}");
            all.extend(self.member(&at, one.get(name), other.get(name)).map(|value| (name.clone(), value)));
        }
        Some(all.into())
    }

    fn leaf(&mut self, at: &str, one: Option<&Value>, other: Option<&Value>) -> Option<Value> {
        let word = |of: &Telling, value: Option<&Value>| Some((of.rank_at(at), value?.to_string(), value?.clone()));
        let [first, second] = self.of;
        let words = [word(first, one), word(second, other)].into_iter().flatten();
        let (rank, _, value) = words.max_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)))?;
        if rank < self.rank {
            self.filled.insert(at.to_owned(), rank);
        }
        Some(value)
    }
}

/// As an event says it.
fn dressed(Telling { mut said, itself, is_unknown, .. }: Telling, id: Uuid, header: &Header) -> Value {
    if let Some(azure) = azure(&mut said) {
        azure.extend(is_unknown.then(|| (UNKNOWN.to_owned(), true.into())));
        let own = OF_ITSELF.into_iter().map(str::to_owned).zip(itself);
        azure.extend(own.filter(|(_, value)| !value.is_null()));
    }
    name_projects(&mut said, header);
    if let Some(own) = own(&mut said) {
        own.extend(header.recovered.map(|way| ("recovered".to_owned(), way.word().into())));
    }
    for outer in ["", "/data/context"] {
        if let Some(place) = said.pointer_mut(outer).and_then(Value::as_object_mut) {
            place.insert("id".to_owned(), id.to_string().into());
        }
    }
    said
}

fn name_projects(said: &mut Value, header: &Header) {
    let projects = header.projects.iter().map(|slug| Value::from(slug.as_str())).collect();
    if let Some(own) = own(said) {
        own.insert("projects".to_owned(), Value::Array(projects));
    }
}

fn join(projects: &mut Vec<Slug>, more: &[Slug]) {
    projects.extend_from_slice(more);
    projects.sort_unstable();
    projects.dedup();
}

/// Members for which an event would be told anew. Only records know a job's name in the timeline; that comes
/// along where there is more to tell.
fn news(said: &Value) -> Value {
    let mut said = said.clone();
    if let Some(job) = said.pointer_mut("/data/customData/azuredevops/job").and_then(Value::as_object_mut) {
        job.remove("identifier");
    }
    if let Some(links) = list(&mut said) {
        links.sort_by_cached_key(Value::to_string);
    }
    said
}

fn sorted<T: Ord + Clone>(all: &[T]) -> Vec<T> {
    let mut all = all.to_vec();
    all.sort_unstable();
    all
}

fn forget_revisions(event: &mut Value) {
    if let Some(outer) = event.as_object_mut() {
        outer.remove("replaces");
    }
    if let Some(own) = own(event) {
        own.retain(|name, _| name != "replaces" && name != "fact");
    }
}

fn own(event: &mut Value) -> Option<&mut Map<String, Value>> {
    event.pointer_mut("/data/customData/hookwell")?.as_object_mut()
}

fn azure(event: &mut Value) -> Option<&mut Map<String, Value>> {
    event.pointer_mut("/data/customData/azuredevops")?.as_object_mut()
}

fn list(event: &mut Value) -> Option<&mut Vec<Value>> {
    event.pointer_mut(LINKS)?.as_array_mut()
}

/// Members that it lacks.
fn fill(own: &mut Value, other: &Value) {
    let (Value::Object(own), Value::Object(theirs)) = (own, other) else { return };
    for (name, value) in theirs {
        match own.get_mut(name) {
            Some(mine) => fill(mine, value),
            None => drop(own.insert(name.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests;
