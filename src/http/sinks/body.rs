//! What making, changing, testing and replaying a sink take: the document's schemas and the reader beside each other.

use super::{
    super::{
        cursor,
        fields::{DESCRIPTION, GUID, NAME, SLUG, STATE, Text, WORK_ITEM_TYPE, closed, list},
        members::{Given, Members},
        problem::{FieldError, Kind, Problem},
    },
    settings::{self, KINDS},
};
use crate::{
    app::{
        App,
        sinks::{NewSink, Replay, SinkChange, Start, TargetChange},
    },
    domain::{ConnectionId, SinkFilter, StateChange, Target, TypePattern},
    store::{Log, Position},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// In the document; [`new_schema`] says what it is.
#[derive(ToSchema)]
pub struct NewSinkBody;

/// In the document; [`change_schema`] says what it is.
#[derive(ToSchema)]
pub struct SinkChangeBody;

/// In the document; [`test_schema`] says what it is.
#[derive(ToSchema)]
pub struct SinkTestBody;

/// In the document; [`replay_schema`] says what it is.
#[derive(ToSchema)]
pub struct SinkReplayBody;

/// Most elements of each of a filter's lists.
const FILTER_MAX: usize = 100;
const IN_FLIGHT: (u64, u64) = (1, 100);
const IN_FLIGHT_DEFAULT: u32 = 8;
const PER_SECOND: (u64, u64) = (1, 10_000);

const TYPE: Text = Text::new(
    (1, 200),
    r"^[A-Za-z0-9._-]{1,199}\*?$",
    |text| {
        let name = text.strip_suffix('*').unwrap_or(text);
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    },
    "an event type, with or without its version, or the beginning of one followed by *",
);
/// How something ended, in the words of the vocabulary.
const OUTCOME: Text = Text::new(
    (5, 7),
    "^(success|failure|cancel|error)$",
    |text| matches!(text, "success" | "failure" | "cancel" | "error"),
    "success, failure, cancel or error",
);
const BRANCHES: Text = Text::new(
    (1, 250),
    r"^[^\x00-\x20\x7f-\x9f~^:?*\[\\]*\*?$",
    |text| {
        let name = text.strip_suffix('*').unwrap_or(text);
        !name.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c))
    },
    r"a branch, or the beginning of one followed by *, without spaces, control characters or any of ~ ^ : ? * [ \",
);
/// A place in the log of events, in one of three forms.
const PLACE: Text = Text::new(
    (1, 64),
    "^(now|beginning|2[0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)$",
    |_| true,
    "now, beginning, a cursor of /v1/events, or a time like 2026-11-25T10:00:00Z",
);

fn filter_schema() -> Value {
    let mut schema = closed(
        &[],
        &json!({
            "types": list(&TYPE.schema("With or without version, or the beginning of one followed by *."), FILTER_MAX, "One of these types."),
            "projects": list(&SLUG.schema("A project's slug."), FILTER_MAX, "Of one of these projects."),
            "connections": list(&GUID.schema("A connection's id."), FILTER_MAX, "From one of these connections."),
            "environments": list(&NAME.schema("An environment's name."), FILTER_MAX, "About one of these environments."),
            "work_item_types": list(&WORK_ITEM_TYPE.schema("Such as Bug."), FILTER_MAX, "About a work item of one of these types."),
            "state_changes": state_changes_schema(),
            "branches": list(&BRANCHES.schema("A branch by its short name, or the beginning of one followed by *."), FILTER_MAX, "About one of these branches: pushed to, built, or where a pull request goes."),
            "outcomes": list(&OUTCOME.schema("As CDEvents has it."), FILTER_MAX, "About a run, stage, job or deployment that ended so."),
            "drafts": { "type": ["boolean", "null"], "description": "true: only drafts of pull requests; false: everything but these; null or left out: both." },
        }),
    );
    schema["description"] = "Which events it wants: everything that is given must hold; an empty list means all. An event that names no environment, work item, branch or outcome is about none.".into();
    schema
}

fn state_changes_schema() -> Value {
    let change = closed(
        &[],
        &json!({
            "from": STATE.nullable("The state before; any when left out."),
            "to": STATE.nullable("The state after; any when left out."),
        }),
    );
    json!({
        "type": "array", "items": change, "maxItems": FILTER_MAX,
        "description": "About a work item whose state was changed in one of these ways; {} is any change of its state.",
    })
}

fn bounded(bounds: (u64, u64), nullable: bool, description: &str) -> Value {
    let kind = if nullable { json!(["integer", "null"]) } else { json!("integer") };
    json!({ "type": kind, "minimum": bounds.0, "maximum": bounds.1, "description": description })
}

fn shared() -> Value {
    json!({
        "name": NAME.schema("What people call it."),
        "description": DESCRIPTION.nullable("What it is for."),
        "filter": filter_schema(),
        "in_flight_max": bounded(IN_FLIGHT, false, "Deliveries under way at once, at most; 8 when left out."),
        "per_second_max": bounded(PER_SECOND, true, "Deliveries begun per second, at most; as many as it takes when left out."),
        "allow_private": { "type": "boolean", "description": "Whether addresses in private networks, and the gateway's own machine, may be reached." },
        "allow_http": { "type": "boolean", "description": "Whether it may be reached without TLS." },
    })
}

/// What making one takes: one form per kind.
pub fn new_schema() -> Value {
    let form = |kind: &&str| {
        let mut properties = shared();
        properties["kind"] = json!({ "type": "string", "enum": [kind] });
        properties["settings"] = settings::schema(kind, false);
        properties["start"] = PLACE.schema(
            "Where it begins: now (when left out), beginning, a cursor of /v1/events, or the time of the first event.",
        );
        properties["paused"] = json!({ "type": "boolean", "description": "Whether it begins paused." });
        let mut schema = closed(&["name", "kind", "settings"], &properties);
        schema["title"] = (*kind).into();
        schema
    };
    json!({ "description": "A sink, by kind.", "oneOf": KINDS.iter().map(form).collect::<Vec<_>>() })
}

/// What changing one takes.
pub fn change_schema() -> Value {
    let mut properties = shared();
    let forms: Vec<Value> = KINDS.iter().map(|kind| settings::schema(kind, true)).collect();
    properties["settings"] =
        json!({ "description": "Settings of the sink's kind; those that are left out stay.", "anyOf": forms });
    let mut schema = closed(&[], &properties);
    schema["description"] = "The kind stays. What is left out stays as it is; a filter is changed as a whole.".into();
    schema
}

/// What trying one out takes.
pub fn test_schema() -> Value {
    closed(
        &[],
        &json!({ "types": list(&TYPE.schema("With or without version, or the beginning of one followed by *."), FILTER_MAX, "Of which types; empty or left out means all that its filter wants.") }),
    )
}

/// What replaying takes: one of three forms.
pub fn replay_schema() -> Value {
    json!({
        "description": "What is sent once more: one event, a stretch of the log, or what was given up.",
        "oneOf": [
            closed(&["event"], &json!({ "event": GUID.schema("The event's id.") })),
            closed(&["from", "to"], &json!({
                "from": PLACE.schema("After this cursor, or from this time on, or from the beginning."),
                "to": PLACE.schema("Up to this cursor, or before this time, or up to now."),
            })),
            closed(&["dead"], &json!({ "dead": { "type": "boolean", "enum": [true], "description": "Everything that was given up and is kept." } })),
        ],
    })
}

/// A place as a client says it.
#[derive(Clone, Copy)]
enum Place {
    Now,
    Beginning,
    Cursor(Position),
    Time(Timestamp),
}

fn place(app: &App, text: &str) -> Result<Place, String> {
    match text {
        "now" => Ok(Place::Now),
        "beginning" => Ok(Place::Beginning),
        _ => {
            if let Ok(time) = text.parse() {
                return Ok(Place::Time(time));
            }
            let position = cursor::resume(app, Log::Events, Some(text));
            position.map(Place::Cursor).map_err(|_| format!("must be {PLACE_WORDS}"))
        }
    }
}

const PLACE_WORDS: &str =
    "now, beginning, a cursor of /v1/events that is still kept, or a time like 2026-11-25T10:00:00Z";

fn read_place(app: &App, members: &mut Members, name: &'static str) -> Given<Place> {
    members.read(name, |value| match value.as_str() {
        Some(text) => PLACE.check(text).and_then(|()| place(app, text)),
        None => Err("must be a text".to_owned()),
    })
}

fn read_number(members: &mut Members, name: &'static str, bounds: (u64, u64)) -> Given<u32> {
    members.read(name, |value| {
        let (min, max) = bounds;
        let fits = value.as_u64().filter(|number| (min..=max).contains(number)).and_then(|n| u32::try_from(n).ok());
        fits.ok_or_else(|| format!("must be a whole number from {min} to {max}"))
    })
}

fn read_flag(members: &mut Members, name: &'static str) -> Option<bool> {
    let given = members.read(name, |value| value.as_bool().ok_or_else(|| "must be true or false".to_owned()));
    members.not_null(name, given)
}

fn read_filter(members: &mut Members) -> Option<SinkFilter> {
    let given = members.object("filter", |members| {
        let mut texts = |name: &'static str, bounds: &Text| {
            let given = members.texts(name, bounds, FILTER_MAX);
            members.not_null(name, given).unwrap_or_default()
        };
        let (types, projects) = (texts("types", &TYPE), texts("projects", &SLUG));
        let (connections, environments) = (texts("connections", &GUID), texts("environments", &NAME));
        let (work_item_types, branches) = (texts("work_item_types", &WORK_ITEM_TYPE), texts("branches", &BRANCHES));
        let outcomes = texts("outcomes", &OUTCOME);
        let given = members.objects("state_changes", FILTER_MAX, |way| StateChange {
            from: way.text("from", &STATE).flatten(),
            to: way.text("to", &STATE).flatten(),
        });
        let state_changes = members.not_null("state_changes", given).unwrap_or_default();
        let flag = |value: serde_json::Value| value.as_bool().ok_or_else(|| "must be true or false".to_owned());
        SinkFilter {
            types: types.iter().map(|text| TypePattern::new(text)).collect(),
            projects: projects.iter().filter_map(|slug| slug.parse().ok()).collect(),
            connections: connections.iter().filter_map(|id| id.parse().ok()).map(ConnectionId).collect(),
            environments,
            work_item_types,
            state_changes,
            branches: branches.iter().map(|name| name.strip_prefix("refs/heads/").unwrap_or(name).to_owned()).collect(),
            outcomes,
            drafts: members.read("drafts", flag).flatten(),
        }
    });
    members.not_null("filter", given)
}

/// Reads a new sink.
pub(super) fn read_new(app: &App, body: &[u8]) -> Result<NewSink, Problem> {
    let mut members = Members::parse(body)?;
    let given = members.text("name", &NAME);
    let name = members.required("name", given);
    let kind = members.read("kind", |value| {
        let known = KINDS.iter().find(|kind| value.as_str() == Some(**kind)).copied();
        known.ok_or_else(|| format!("must be one of {}", KINDS.join(", ")))
    });
    let kind = members.required("kind", kind);
    let target = if let Some(kind) = kind {
        let given = members.object("settings", |members| settings::read(members, kind, None));
        members.required("settings", given).flatten()
    } else {
        // Without the kind nobody knows what belongs there.
        members.take("settings");
        None
    };
    let description = members.text("description", &DESCRIPTION).flatten();
    let filter = read_filter(&mut members).unwrap_or_default();
    let given = read_place(app, &mut members, "start");
    let start = members.not_null("start", given).unwrap_or(Place::Now);
    let paused = read_flag(&mut members, "paused").unwrap_or(false);
    let given = read_number(&mut members, "in_flight_max", IN_FLIGHT);
    let in_flight_max = members.not_null("in_flight_max", given).unwrap_or(IN_FLIGHT_DEFAULT);
    let per_second_max = read_number(&mut members, "per_second_max", PER_SECOND).flatten();
    let allow_private = read_flag(&mut members, "allow_private").unwrap_or(false);
    let allow_http = read_flag(&mut members, "allow_http").unwrap_or(false);
    members.finish()?;
    let (Some(name), Some(TargetChange { target, secrets })) = (name, target) else {
        unreachable!("what is required and absent is an error")
    };
    Ok(NewSink {
        name,
        description,
        target,
        secrets: secrets.into_iter().filter_map(|(name, secret)| Some((name, secret?))).collect(),
        filter,
        start: match start {
            Place::Now => Start::Now,
            Place::Beginning => Start::Beginning,
            Place::Cursor(position) => Start::After(position),
            Place::Time(time) => Start::Time(time),
        },
        paused,
        in_flight_max,
        per_second_max,
        allow_private,
        allow_http,
    })
}

/// Reads a change of a sink of this kind.
pub(super) fn read_change(body: &[u8], there: &Target) -> Result<SinkChange, Problem> {
    let mut members = Members::parse(body)?;
    let given = members.text("name", &NAME);
    let name = members.not_null("name", given);
    let description = members.text("description", &DESCRIPTION);
    let given = members.object("settings", |members| settings::read(members, there.word(), Some(there)));
    let target = members.not_null("settings", given).flatten();
    let filter = read_filter(&mut members);
    let given = read_number(&mut members, "in_flight_max", IN_FLIGHT);
    let in_flight_max = members.not_null("in_flight_max", given);
    let per_second_max = read_number(&mut members, "per_second_max", PER_SECOND);
    let allow_private = read_flag(&mut members, "allow_private");
    let allow_http = read_flag(&mut members, "allow_http");
    members.finish()?;
    Ok(SinkChange { name, description, target, filter, in_flight_max, per_second_max, allow_private, allow_http })
}

/// Reads which types a test is of.
pub(super) fn read_test(body: &[u8]) -> Result<Vec<TypePattern>, Problem> {
    let mut members = Members::parse(body)?;
    let given = members.texts("types", &TYPE, FILTER_MAX);
    let types = members.not_null("types", given).unwrap_or_default();
    members.finish()?;
    Ok(types.iter().map(|text| TypePattern::new(text)).collect())
}

/// Reads what is sent once more.
pub(super) async fn read_replay(app: &App, body: &[u8]) -> Result<Replay, Problem> {
    let mut members = Members::parse(body)?;
    let given = members.guid("event");
    let event = members.not_null("event", given);
    let given = read_place(app, &mut members, "from");
    let from = members.not_null("from", given);
    let given = read_place(app, &mut members, "to");
    let to = members.not_null("to", given);
    let given = members.read("dead", |value| match value.as_bool() {
        Some(true) => Ok(true),
        _ => Err("must be true".to_owned()),
    });
    let dead = members.not_null("dead", given);
    members.finish()?;
    match (event, from, to, dead) {
        (Some(event), None, None, None) => Ok(Replay::Event(event)),
        (None, Some(from), Some(to), None) => Ok(Replay::Range(resolved(app, from).await?, resolved(app, to).await?)),
        (None, None, None, Some(_)) => Ok(Replay::Dead),
        _ => {
            let detail = "give one of event; from and to; dead";
            Err(Problem::listing(Kind::InvalidBody, vec![FieldError::member("", detail)]))
        }
    }
}

async fn resolved(app: &App, place: Place) -> Result<Position, Problem> {
    Ok(match place {
        Place::Now => *app.store.tail(Log::Events).borrow(),
        Place::Beginning => app.store.trimmed(Log::Events),
        Place::Cursor(position) => position,
        Place::Time(time) => crate::app::events::before(app, time).await?,
    })
}
