//! One request, after it was admitted.

use super::{Refusal, refusal::Outcome};
use crate::{
    azure::client::ApiVersion,
    simulator::{forget::Forgotten, options::Place, people::Caller, site::Site},
};
use bytes::Bytes;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, str::FromStr};
use uuid::Uuid;

/// What a handler is given.
#[derive(Debug)]
pub(crate) struct Call {
    /// Which host was asked; a Server has only [`Site::Main`], and serves all of them there.
    pub(crate) host: Site,
    /// The addresses in the form of the request: replies use them.
    pub(crate) place: Place,
    /// The project of the path.
    pub(crate) project: Option<Uuid>,
    /// The path's parameters by the names of the row.
    pub(crate) parameters: BTreeMap<&'static str, String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// What was asked for, or the resource's oldest.
    pub(crate) version: ApiVersion,
    pub(crate) caller: Caller,
    /// What nobody knows of any more.
    pub(crate) forgotten: Forgotten,
}

impl Call {
    /// A parameter of the query, without regard to case, as Azure reads them; an empty one is none.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter of the query as a number or the like; another text is a 400.
    pub(crate) fn query_as<T: FromStr>(&self, name: &str) -> Outcome<Option<T>> {
        let read = |text: &str| {
            text.parse().map_err(|_| {
                Refusal::bad_request(
                    "InvalidArgumentException",
                    &format!("The value '{text}' is not valid for the parameter {name}."),
                )
            })
        };
        self.query(name).map(read).transpose()
    }

    /// A parameter of the query as a time; without a zone it is UTC, and a day is its beginning.
    pub(crate) fn time(&self, name: &str) -> Outcome<Option<Timestamp>> {
        let Some(text) = self.query(name) else { return Ok(None) };
        let read = read_time(text).ok_or_else(|| {
            let message = format!("The value '{text}' is not a date for the parameter {name}.");
            Refusal::bad_request("InvalidArgumentException", &message)
        })?;
        Ok(Some(read))
    }

    /// Whether a switch of the query is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.query(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A parameter of the path; a row names it, so it is there.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A parameter of the path as a number; another text names nothing.
    pub(crate) fn parameter_as<T: FromStr>(&self, name: &str) -> Outcome<T> {
        let text = self.parameter(name);
        text.parse().map_err(|_| Refusal::not_found("ArgumentException", &format!("{text} is not a valid {name}.")))
    }

    /// The body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Outcome<T> {
        let without_mark = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        serde_json::from_slice(without_mark)
            .map_err(|error| Refusal::bad_request("VssPropertyValidationException", &format!("The body: {error}")))
    }
}

/// A time as queries write it.
pub(super) fn read_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}
