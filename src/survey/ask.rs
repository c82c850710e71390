//! One question of a survey: the request, and what may be told of it.

use crate::azure::client::{Host, Look, Spoken};
use http::Method;
use serde_json::Value;

/// A question to the service. The template has placeholders for names and ids, and is what the report shows.
pub(super) struct Ask {
    pub(super) look: Look,
    pub(super) template: &'static str,
    /// Whether it makes, changes or removes something, and so is waited for to its end.
    pub(super) changes: bool,
}

impl Ask {
    /// `GET _apis/{template}`; each part in braces is the next of `values`.
    pub(super) fn get(name: &'static str, template: &'static str, values: &[&str]) -> Self {
        let mut values = values.iter();
        let part = |part: &str| {
            let next = if part.starts_with('{') { values.next() } else { None };
            next.map_or(part, |value| value).to_owned()
        };
        let path = template.split('/').filter(|part| !part.is_empty()).map(part).collect();
        let look = Look {
            name,
            method: Method::GET,
            host: Host::Main,
            project: None,
            path,
            query: Vec::new(),
            body: None,
            media_type: "application/json",
            spoken: Spoken::Agreed,
            as_nobody: false,
            is_big: false,
        };
        Self { look, template, changes: false }
    }

    /// A question that is posted, and changes nothing.
    pub(super) fn posted(name: &'static str, template: &'static str, values: &[&str], body: Value) -> Self {
        let ask = Self::get(name, template, values);
        Self { look: Look { method: Method::POST, body: Some(body), ..ask.look }, ..ask }
    }

    /// A change.
    pub(super) fn change(
        name: &'static str,
        method: Method,
        template: &'static str,
        values: &[&str],
        body: Option<Value>,
    ) -> Self {
        let ask = Self::get(name, template, values);
        Self { look: Look { method, body, ..ask.look }, changes: true, ..ask }
    }

    pub(super) fn within(mut self, project: &str) -> Self {
        self.look.project = Some(project.to_owned());
        self
    }

    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.look.query.push((name, value.to_string()));
        self
    }

    pub(super) fn on(mut self, host: Host) -> Self {
        self.look.host = host;
        self
    }

    pub(super) fn big(mut self) -> Self {
        self.look.is_big = true;
        self
    }
}
