//! Pages of lists that are read whole: what is asked of them, and places in them.

use super::super::{
    extract::{Call, Query},
    fields::{AZURE_REF, SEARCH, Text},
    problem::{Kind, Problem},
    reply::{json, linked},
};
use crate::{
    app::discovery::{Item, List},
    azure::{RepositoryUrl, client::GitRepository},
    domain::AzureRef,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use warp::reply::Response;

/// Most items of one page.
const LIMIT_MAX: u64 = 200;
/// Items of a page unless more are asked for.
const LIMIT_DEFAULT: u64 = 50;
/// Longest cursor.
const CURSOR_CHARS_MAX: usize = 4_096;

/// What every list takes, for the document; [`Wanted`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParameters {
    /// A part of the name, in any case; of a repository also its address, in any form.
    #[param(min_length = 1, max_length = 2048, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub search: Option<String>,
    /// Most items of the page; 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u64>,
    /// A cursor that `next` gave.
    #[param(min_length = 1, max_length = 4096, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
    /// `true` asks Azure DevOps anew. Branches are read anew in any case.
    pub refresh: Option<bool>,
}

/// The project that a list is of, for the document; [`named`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProjectParameter {
    /// The project, by id or name.
    #[param(min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub azure_project: String,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    /// By name.
    #[schema(max_items = 200)]
    pub data: Vec<T>,
    /// Send it as `after` for the next page; null at the end.
    #[schema(max_length = 4096)]
    pub next: Option<String>,
    /// Whether the list is longer than the 10,000 that are looked at; search then.
    pub is_cut: bool,
}

/// What every list takes.
pub(super) struct Wanted {
    pub(super) search: Option<String>,
    pub(super) limit: usize,
    pub(super) after: Option<String>,
    pub(super) refresh: bool,
}

impl Wanted {
    pub(super) fn read(query: &mut Query) -> Self {
        let search = text(query, "search", &SEARCH);
        let limit = usize::try_from(query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT)).unwrap_or(usize::MAX);
        let after = query.text("after").map(str::to_owned);
        let refresh = query.parsed("refresh", "true or false").unwrap_or(false);
        Self { search, limit, after, refresh }
    }

    /// What the cursor says, if it belongs to this list.
    pub(super) fn after(&self, list: char) -> Result<Option<String>, Problem> {
        let Some(after) = &self.after else { return Ok(None) };
        let read = |text: &str| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
            Some(String::from_utf8(bytes).ok()?.strip_prefix(list)?.to_owned())
        };
        let known = (after.len() <= CURSOR_CHARS_MAX).then(|| read(after)).flatten();
        known.map(Some).ok_or_else(no_cursor)
    }
}

pub(super) fn no_cursor() -> Problem {
    Problem::because(Kind::InvalidCursor, "give a cursor as next gave it for this list, or none")
}

pub(super) fn cursor(list: char, place: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{list}{place}"))
}

pub(super) fn text(query: &mut Query, name: &str, bounds: &Text) -> Option<String> {
    let text = query.text(name)?.to_owned();
    match bounds.check(&text) {
        Ok(()) => Some(text),
        Err(detail) => {
            query.wrong(name, detail);
            None
        }
    }
}

/// A name or id that must be there.
pub(super) fn named(query: &mut Query, name: &str) -> String {
    if query.text(name).is_none() {
        query.wrong(name, "is required");
    }
    text(query, name, &AZURE_REF).unwrap_or_default()
}

/// A page of a whole list: a place in it is the key of the item before, so it holds when the list is read anew.
pub(super) fn page<T: Serialize>(
    call: &Call,
    list: &List,
    wanted: &Wanted,
    letter: char,
    view: fn(&Item) -> Option<T>,
) -> Result<Response, Problem> {
    let after = wanted.after(letter)?.unwrap_or_default();
    let search = wanted.search.as_ref().map(|search| search.to_lowercase());
    let address = wanted.search.as_deref().and_then(RepositoryUrl::parse);
    let found = |item: &Item| match (&address, item) {
        (Some(address), Item::Repository(own)) => is_at(own, address),
        _ => search.as_ref().is_none_or(|search| item.name().to_lowercase().contains(search)),
    };
    let rest = list.items.iter().filter(|(key, item)| *key > after && found(item));
    let items: Vec<&(String, Item)> = rest.take(wanted.limit + 1).collect();
    let on_page = &items[..items.len().min(wanted.limit)];
    let next = on_page.last().filter(|_| items.len() > wanted.limit).map(|(key, _)| cursor(letter, key));
    let data = on_page.iter().filter_map(|(_, item)| view(item)).collect();
    Ok(reply(call, &Listing { data, next, is_cut: list.is_cut }))
}

/// Whether a repository is the one at an address.
fn is_at(own: &GitRepository, address: &RepositoryUrl) -> bool {
    let is = |name: &str, id: Uuid, given: &str| {
        let given = AzureRef(given.to_owned());
        given.names(name) || given.names(&id.to_string())
    };
    let page = own.web_url.as_deref().and_then(RepositoryUrl::parse);
    let address = match &page {
        Some(page) => address.clone().as_beside(page, |part| is(&own.project_name, own.project_id, part)),
        None => address.clone(),
    };
    page.is_none_or(|page| address.is_beside(&page))
        && is(&own.name, own.id, &address.repository)
        && is(&own.project_name, own.project_id, &address.project)
}

pub(super) fn reply<T: Serialize>(call: &Call, listing: &Listing<T>) -> Response {
    match &listing.next {
        Some(next) => linked(call, next, json(listing)),
        None => json(listing),
    }
}
