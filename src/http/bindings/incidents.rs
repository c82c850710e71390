//! Which work items are incidents: schema, reader and view beside each other.

use super::super::{
    fields::{AREA_PATH, NAME, SLUG, Text, WORK_ITEM_TYPE, closed, list},
    members::Members,
};
use crate::domain::IncidentRule;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Most rules, and most entries of each list.
const RULES_MAX: usize = 50;
const LISTED_MAX: usize = 50;

/// As it is given.
pub(super) fn schema() -> Value {
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

/// Reads them; nothing when they are left out or wrong.
pub(super) fn read(members: &mut Members) -> Option<Vec<IncidentRule>> {
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
