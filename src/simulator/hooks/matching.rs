//! Whether a subscription wants to hear of what happened.

use super::draft::Draft;
use crate::simulator::occurrence::Occurrence;
use uuid::Uuid;

/// Inputs that say whose the subscription is, and nothing about events.
const NO_FILTERS: [&str; 4] = ["projectId", "hostId", "tfsSubscriptionId", "subscriberId"];

/// Publisher, event type and project fit, and so does every filter that is not empty.
pub(super) fn wants(draft: &Draft, occurrence: &Occurrence) -> bool {
    let fits = draft.publisher == occurrence.publisher && draft.event_type == occurrence.event_type;
    let here =
        draft.publisher_input("projectId").is_none_or(|id| id.parse() == Ok::<Uuid, uuid::Error>(occurrence.project));
    fits && here && draft.publisher_inputs.iter().all(|(id, value)| passes(id, value, occurrence))
}

fn passes(id: &str, value: &str, occurrence: &Occurrence) -> bool {
    if value.is_empty() || NO_FILTERS.contains(&id) {
        return true;
    }
    let facts = occurrence.facts.get(id).map(Vec::as_slice).unwrap_or_default();
    match id {
        // It asks for changed links, or does not care.
        "linksChanged" if value.eq_ignore_ascii_case("false") => true,
        "areaPath" => facts.iter().any(|fact| is_under(fact, value)),
        "commentPattern" => facts.iter().any(|fact| fact.to_lowercase().contains(&value.to_lowercase())),
        _ => facts.iter().any(|fact| fact.to_lowercase() == value.to_lowercase()),
    }
}

/// Whether an area is another one or lies below it.
fn is_under(area: &str, other: &str) -> bool {
    let (area, other) = (area.to_lowercase(), other.trim_matches('\\').to_lowercase());
    area.strip_prefix(&other).is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::occurrence::Subject;
    use serde_json::Value;
    use std::collections::BTreeMap;

    const PROJECT: Uuid = Uuid::from_u128(7);

    fn occurrence() -> Occurrence {
        Occurrence {
            id: Uuid::from_u128(1),
            event_type: "workitem.updated",
            publisher: "tfs",
            project: PROJECT,
            title: String::new(),
            facts: BTreeMap::from([
                ("areaPath", vec!["Fiber Café\\Checkout".to_owned()]),
                ("changedFields", vec!["System.State".to_owned(), "System.Rev".to_owned()]),
                ("commentPattern", vec!["It is Really slow".to_owned()]),
                ("linksChanged", vec!["true".to_owned()]),
            ]),
            of: crate::simulator::forget::Of::default(),
            subject: Subject::Frozen { resource: Value::Null },
        }
    }

    fn hears(inputs: &[(&str, &str)]) -> bool {
        let draft = Draft {
            publisher: "tfs".to_owned(),
            event_type: "workitem.updated".to_owned(),
            resource_version: None,
            consumer: "webHooks".to_owned(),
            action: "httpRequest".to_owned(),
            publisher_inputs: inputs.iter().map(|(id, value)| ((*id).to_owned(), (*value).to_owned())).collect(),
            consumer_inputs: BTreeMap::new(),
        };
        wants(&draft, &occurrence())
    }

    #[test]
    fn empty_filters_and_those_of_the_server_let_everything_through() {
        assert!(hears(&[]));
        assert!(hears(&[("areaPath", ""), ("hostId", "x"), ("tfsSubscriptionId", "y"), ("linksChanged", "false")]));
    }

    #[test]
    fn a_subscription_hears_of_its_own_project_and_one_without_of_all() {
        assert!(hears(&[("projectId", &PROJECT.to_string().to_uppercase())]));
        assert!(!hears(&[("projectId", &Uuid::from_u128(8).to_string())]));
        assert!(!hears(&[("projectId", "Fiber Café")]));
    }

    #[test]
    fn every_filter_has_to_fit_without_regard_to_case() {
        assert!(hears(&[("changedFields", "system.state"), ("linksChanged", "True")]));
        assert!(!hears(&[("changedFields", "system.state"), ("workItemType", "Bug")]));
        assert!(hears(&[("commentPattern", "really")]));
    }

    #[test]
    fn an_area_holds_what_lies_below_it_and_no_namesake() {
        assert!(hears(&[("areaPath", "fiber café")]) && hears(&[("areaPath", "Fiber Café\\Checkout")]));
        assert!(!hears(&[("areaPath", "Fiber Café\\Check")]));
    }
}
