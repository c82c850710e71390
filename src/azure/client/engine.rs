//! The engine: a line to one server, its version, its hosts, and the priority at which it asks.

use super::{
    Access, ConnectionData, Deployment, Failure, Host, Machine, Page, PageRequest, PageToken, Priority,
    accounts::Accounts,
    call::{Call, Reply},
    line::Line,
    page::Start,
    shapes::connection_data,
    speech::Speech,
    target, wire,
};
use crate::clock::Clock;
use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};
use tokio::sync::OnceCell;
use url::Url;

/// The resource area of releases, which names their host.
const RELEASE_AREA: &str = "efc2f575-36ef-48e9-b672-0c6fb4a48ac5";
/// Most items of a page.
const ITEMS_MAX: u32 = 1_000;
/// Pages without an item that are gone through for one with some.
const EMPTY_PAGES_MAX: usize = 20;

/// Speaks with one server as one identity.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) shared: Arc<Shared>,
    pub(super) priority: Priority,
}

/// What the same client has in common at all priorities.
pub(super) struct Shared {
    pub(super) line: Line,
    pub(super) speech: Speech,
    deployment: OnceLock<Deployment>,
    releases: OnceCell<Url>,
}

/// A page this long is not taken for the last one because it is shorter than what was asked for: no server is known that
/// gives fewer at a time, but some stop below what they are asked for, and say nothing.
pub(super) const SURELY_GIVEN: usize = 100;

/// How a list is paged where the server gives no token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Paging {
    Token,
    TokenOrSkip,
    /// By `$skip`, each page beginning so many items before the end of the last one, because items may leave the list
    /// between two pages.
    Overlapping(u32),
}

/// What was read of one of Azure's pages.
pub(super) struct Part<T> {
    pub(super) items: Vec<T>,
    /// How many Azure listed, also those that were not wanted.
    pub(super) listed: usize,
    /// Whether nothing that is wanted can follow.
    pub(super) is_last: bool,
}

impl<T> From<wire::Listed<T>> for Part<T> {
    fn from(wire::Listed { items, listed }: wire::Listed<T>) -> Self {
        Self { items, listed, is_last: false }
    }
}

/// The release host is not known.
enum Unnamed {
    /// It may be here; not to be remembered.
    Guess(Url),
    Failure(Failure),
}

impl From<Failure> for Unnamed {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Client {
    pub(super) fn new(
        access: &Access,
        clock: &Arc<dyn Clock>,
        accounts: &Arc<Accounts>,
        machine: &Machine,
    ) -> Result<Self, Failure> {
        let line = Line::new(access, clock, accounts, machine)?;
        let (speech, deployment, releases) = (Speech::default(), OnceLock::new(), OnceCell::new());
        let shared = Arc::new(Shared { line, speech, deployment, releases });
        Ok(Self { shared, priority: Priority::Interactive })
    }

    pub(super) fn base(&self) -> &Url {
        &self.shared.line.base
    }

    pub(super) async fn ask(&self, call: &Call) -> Result<Reply, Failure> {
        self.shared.speech.ask(&self.shared.line, call, self.priority).await
    }

    /// Who and what answers; from then on the budget is that user's.
    pub(super) async fn connected(&self) -> Result<ConnectionData, Failure> {
        let line = &self.shared.line;
        let reply = self.ask(&line.connection_data_call()?).await?;
        let data = connection_data(&reply, &line.base)?;
        if data.is_anonymous && line.has_credential() {
            // A public organization takes a dead token for none.
            let detail = Some("it was answered as nobody's".to_owned());
            let failure = Failure::Unauthorized { detail };
            line.account.refusal.note(&failure);
            return Err(failure);
        }
        let _ = self.shared.deployment.set(data.deployment);
        if !data.is_anonymous {
            line.accounts.join(&line.account, data.instance_id, data.user.id);
        }
        Ok(data)
    }

    /// Where a host's paths begin.
    pub(super) async fn root(&self, host: Host) -> Result<Url, Failure> {
        match host {
            Host::Main => Ok(self.base().clone()),
            Host::Release => match self.shared.releases.get_or_try_init(|| self.find_releases()).await {
                Ok(url) => Ok(url.clone()),
                Err(Unnamed::Guess(url)) => Ok(url),
                Err(Unnamed::Failure(failure)) => Err(failure),
            },
        }
    }

    /// The release host as the server names it, if our credential may go there; else where it is known to be, or, for
    /// this once, our own: a server that could not say it in a bad moment may say it in the next.
    async fn find_releases(&self) -> Result<Url, Unnamed> {
        let base = self.base();
        if !target::is_services(base) {
            let deployment = match self.shared.deployment.get() {
                Some(deployment) => *deployment,
                None => self.connected().await?.deployment,
            };
            if deployment == Deployment::Server {
                return Ok(base.clone());
            }
        }
        match self.located(RELEASE_AREA).await?.filter(|url| target::may_learn(base, url)) {
            Some(url) => Ok(url),
            None if target::is_services(base) => Ok(target::releases(base)),
            None => Err(Unnamed::Guess(target::releases(base))),
        }
    }

    /// Where the server says that an area is, where it says so.
    pub(super) async fn located(&self, area: &str) -> Result<Option<Url>, Failure> {
        let call = Call::get("the place of an area", self.base(), &["_apis", "resourceAreas", area])?;
        match self.ask(&Call { preview: true, ..call }).await {
            Ok(reply) => Ok(wire::member::<String>(&reply, "locationUrl").and_then(|text| Url::parse(&text).ok())),
            Err(Failure::NotFound { .. } | Failure::Refused { .. } | Failure::Forbidden { .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// A page of a list.
    pub(super) async fn page<T: Send>(
        &self,
        call: Call,
        request: PageRequest,
        paging: Paging,
        read: impl Fn(&Reply) -> Result<wire::Listed<T>, Failure> + Send + Sync,
    ) -> Result<Page<T>, Failure> {
        self.parts(call, request, paging, |reply| read(reply).map(Part::from)).await
    }

    /// A page of what is wanted of a list. Azure filters after it has cut its pages, and so may the reader, so an empty
    /// one is not the end.
    pub(super) async fn parts<T: Send>(
        &self,
        call: Call,
        request: PageRequest,
        paging: Paging,
        read: impl Fn(&Reply) -> Result<Part<T>, Failure> + Send + Sync,
    ) -> Result<Page<T>, Failure> {
        let top = request.items_max.clamp(1, ITEMS_MAX);
        let call = call.with("$top", &top.to_string());
        let mut from = request.from;
        let mut seen: BTreeSet<String> = from.iter().map(ToString::to_string).collect();
        for _ in 0..EMPTY_PAGES_MAX {
            let (call, skipped) = match from.as_ref().map(PageToken::start) {
                None => (call.clone(), 0),
                Some(Some(Start::Continuation(token))) => (call.clone().with("continuationToken", token), 0),
                Some(Some(Start::Skip(items))) => (call.clone().with("$skip", &items.to_string()), items),
                Some(None | Some(Start::Since(..))) => {
                    let detail = Some("the page token is not one that was given out".to_owned());
                    return Err(Failure::Refused { kind: None, detail });
                }
            };
            let by_token = matches!(from.as_ref().and_then(PageToken::start), Some(Start::Continuation(_)));
            let reply = self.ask(&call).await?;
            let Part { items, listed, is_last } = read(&reply)?;
            let next = match &reply.continuation {
                _ if is_last => None,
                Some(token) => Some(
                    PageToken::continuation(token)
                        .ok_or_else(|| reply.unexpected(call.name, "its continuation token is too long"))?,
                ),
                None if by_token => None,
                None => skip(paging, top, skipped, listed),
            };
            if let Some(next) = &next
                && !seen.insert(next.to_string())
            {
                return Err(reply.unexpected(call.name, "its continuation token repeats, so the list would never end"));
            }
            if !items.is_empty() || next.is_none() {
                return Ok(Page { items, next });
            }
            from = next;
        }
        Ok(Page { items: Vec::new(), next: from })
    }
}

/// Where the next page of a list without tokens begins.
fn skip(paging: Paging, top: u32, skipped: u32, listed: usize) -> Option<PageToken> {
    let most = usize::try_from(top).unwrap_or(usize::MAX);
    if listed < most.min(SURELY_GIVEN) {
        return None;
    }
    let listed = u32::try_from(listed).ok()?;
    match paging {
        Paging::Token => None,
        Paging::TokenOrSkip => Some(PageToken::skip(skipped.saturating_add(listed))),
        Paging::Overlapping(again) => Some(PageToken::skip(skipped.saturating_add(listed - again.min(listed / 2)))),
    }
}
