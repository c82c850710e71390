//! What an issue provider makes of its work items: schema, reader and view beside each other.

use super::super::{
    fields::{AREA_PATH, FIELD, NAME, SLUG, STATE, Text, WORK_ITEM_TYPE, closed, list},
    members::Members,
};
use crate::domain::{IncidentRule, Issues};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Most rules, and most entries of each list.
const RULES_MAX: usize = 50;
const LISTED_MAX: usize = 50;

/// As each member is given.
pub(super) fn schema(member: &str) -> Value {
    match member {
        "incidents" => incidents_schema(),
        "strict_mentions" => json!({
            "type": "boolean", "default": false,
            "description": "Whether `#123` and `AB#123` count only in title and branch of a pull request, and not in its description or in messages of commits. Links count always.",
        }),
        "lead_time_states" => list(
            &STATE.schema("Such as Active."),
            LISTED_MAX,
            "The states that lead time is counted from: `lead_time.work_started` of a deployment is when the first of its work items first entered one of them.",
        ),
        "carried_fields" => list(
            &FIELD.schema("The reference name of a field, such as Microsoft.VSTS.Common.Severity."),
            LISTED_MAX,
            "Fields that events of its work items carry, in `customData.azuredevops.fields`: as they are after the event.",
        ),
        _ => unreachable!("only members of this file are asked for"),
    }
}

fn incidents_schema() -> Value {
    let of = |text: &Text, what: &str, description: &str| list(&text.schema(what), LISTED_MAX, description);
    let rule = closed(
        &["environment"],
        &json!({
            "environment": SLUG.schema("The environment of the project in which something is wrong then."),
            "work_item_types": of(&WORK_ITEM_TYPE, "Such as Bug.", "The types; empty or left out means all."),
            "tags": of(&NAME, "A tag.", "One of these tags; empty or left out means any or none."),
            "area_paths": of(&AREA_PATH, "With all below it.", "The area paths; empty or left out means all."),
        }),
    );
    json!({
        "type": "array", "items": rule, "maxItems": RULES_MAX,
        "description": "Which work items are incidents: incident.reported when one becomes one, incident.resolved when it is closed. Everything that a rule names must hold, and it must name something.",
    })
}

/// Reads them over what is there.
pub(super) fn read(members: &mut Members, there: Issues) -> Issues {
    let strict = members.read("strict_mentions", |value| value.as_bool().ok_or_else(|| "must be true or false".into()));
    let states = members.texts("lead_time_states", &STATE, LISTED_MAX);
    let fields = members.texts("carried_fields", &FIELD, LISTED_MAX);
    Issues {
        incidents: incidents(members).unwrap_or(there.incidents),
        strict_mentions: members.not_null("strict_mentions", strict).unwrap_or(there.strict_mentions),
        lead_time_states: members.not_null("lead_time_states", states).unwrap_or(there.lead_time_states),
        carried_fields: members.not_null("carried_fields", fields).unwrap_or(there.carried_fields),
    }
}

/// Nothing when they are left out or wrong.
fn incidents(members: &mut Members) -> Option<Vec<IncidentRule>> {
    let given = members.objects("incidents", RULES_MAX, |rule| {
        let environment = rule.text("environment", &SLUG);
        let environment = rule.required("environment", environment).and_then(|slug| slug.parse().ok());
        let mut texts = |name, bounds: &Text| {
            let given = rule.texts(name, bounds, LISTED_MAX);
            rule.not_null(name, given).unwrap_or_default()
        };
        let work_item_types = texts("work_item_types", &WORK_ITEM_TYPE);
        let (tags, area_paths) = (texts("tags", &NAME), texts("area_paths", &AREA_PATH));
        if work_item_types.is_empty() && tags.is_empty() && area_paths.is_empty() {
            rule.wrong("work_item_types", "must name something, or tags or area_paths must");
        }
        Some(IncidentRule { environment: environment?, work_item_types, tags, area_paths })
    });
    Some(members.not_null("incidents", given)?.into_iter().flatten().collect())
}

/// Which work items are incidents of an environment.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentRuleView {
    /// The environment in which something is wrong then.
    #[schema(max_length = 63, example = "production")]
    pub environment: String,
    /// The types; empty means all.
    #[schema(max_items = 50)]
    pub work_item_types: Vec<String>,
    /// One of these tags; empty means any or none.
    #[schema(max_items = 50)]
    pub tags: Vec<String>,
    /// The area paths, each with all below it; empty means all.
    #[schema(max_items = 50)]
    pub area_paths: Vec<String>,
}

impl From<&IncidentRule> for IncidentRuleView {
    fn from(rule: &IncidentRule) -> Self {
        Self {
            environment: rule.environment.to_string(),
            work_item_types: rule.work_item_types.clone(),
            tags: rule.tags.clone(),
            area_paths: rule.area_paths.clone(),
        }
    }
}
