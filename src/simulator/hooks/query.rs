//! What `subscriptionsquery` filters by.

use super::{Draft, Inputs};
use serde::Deserialize;

/// A query as sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Query {
    publisher_id: Option<String>,
    event_type: Option<String>,
    consumer_id: Option<String>,
    consumer_action_id: Option<String>,
    #[serde(default)]
    publisher_input_filters: Option<Vec<InputFilter>>,
    #[serde(default)]
    consumer_input_filters: Option<Vec<InputFilter>>,
}

/// Its conditions hold together.
#[derive(Deserialize)]
struct InputFilter {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    input_id: String,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    input_value: Option<String>,
    #[serde(default)]
    case_sensitive: bool,
}

impl Condition {
    fn holds(&self, inputs: &Inputs) -> bool {
        let own = inputs.get(&self.input_id).map_or("", String::as_str);
        let asked = self.input_value.as_deref().unwrap_or_default();
        let same = if self.case_sensitive { own == asked } else { own.to_lowercase() == asked.to_lowercase() };
        same != self.operator.as_ref().is_some_and(|operator| operator.eq_ignore_ascii_case("notEquals"))
    }
}

/// One of the filters is enough, and none at all.
fn passes(filters: Option<&Vec<InputFilter>>, inputs: &Inputs) -> bool {
    let filters = filters.map(Vec::as_slice).unwrap_or_default();
    filters.is_empty() || filters.iter().any(|filter| filter.conditions.iter().all(|condition| condition.holds(inputs)))
}

impl Query {
    pub(super) fn has(&self, draft: &Draft) -> bool {
        let fits =
            |asked: &Option<String>, value: &str| asked.as_ref().is_none_or(|asked| asked.eq_ignore_ascii_case(value));
        fits(&self.publisher_id, &draft.publisher)
            && fits(&self.event_type, &draft.event_type)
            && fits(&self.consumer_id, &draft.consumer)
            && fits(&self.consumer_action_id, &draft.action)
            && passes(self.publisher_input_filters.as_ref(), &draft.publisher_inputs)
            && passes(self.consumer_input_filters.as_ref(), &draft.consumer_inputs)
    }
}
