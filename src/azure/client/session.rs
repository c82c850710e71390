//! What the calls of one client share: credential, budget, the version that is spoken, and how a call is tried.

use super::{
    ApiVersion, Credential, Failure, Host, Priority, Spent, Unreachable,
    budget::{Budget, Budgets, Owner},
    classify::{activity_id, classify, latest_version, retry_after, without_mark},
    entra::Bearer,
    place::{self, Path},
    wire::{Answer, Body, NoAnswer, Request, Wire, basic},
};
use crate::clock::Clock;
use http::{HeaderMap, HeaderValue, Method};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The newest version that we know. A newer server speaks it too.
const VERSION_MAX: ApiVersion = ApiVersion { major: 7, minor: 1 };
/// How long one try may take.
const TRY_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a call that may be repeated is tried.
const TRIES_MAX: u32 = 3;
/// The wait before the second try; the next is twice as long. Each is spread by up to half of it.
const RETRY_WAIT: Duration = Duration::from_millis(500);
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// What is asked.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: Path<'a>,
    pub(super) body: Option<&'a Value>,
    /// Whether doing it twice does no harm.
    pub(super) repeatable: bool,
    pub(super) timeout: Duration,
    pub(super) answer_bytes_max: usize,
}

impl<'a> Call<'a> {
    pub(super) fn get(path: Path<'a>) -> Self {
        Self {
            method: Method::GET,
            path,
            body: None,
            repeatable: true,
            timeout: TRY_TIMEOUT,
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }

    pub(super) fn delete(path: Path<'a>) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// A POST that makes something each time.
    pub(super) fn create(path: Path<'a>, body: &'a Value) -> Self {
        Self { method: Method::POST, body: Some(body), repeatable: false, ..Self::get(path) }
    }
}

/// Shared by a client at all its priorities.
pub(super) struct Session {
    base: Url,
    credential: Option<Credential>,
    wire: Wire,
    bearer: Bearer,
    budget: Mutex<Arc<Budget>>,
    budgets: Arc<Budgets>,
    clock: Arc<dyn Clock>,
    learnt: Mutex<Learnt>,
}

/// What the server told us of itself.
#[derive(Debug, Clone, Default)]
struct Learnt {
    version: Option<ApiVersion>,
    release_base: Option<Url>,
}

#[derive(Deserialize)]
struct Locations {
    #[serde(default)]
    value: Vec<Location>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Location {
    area: String,
    resource_name: String,
    released_version: String,
    max_version: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceArea {
    location_url: Option<String>,
}

impl Session {
    pub(super) fn new(
        base: Url,
        credential: Option<Credential>,
        wire: Wire,
        budget: Arc<Budget>,
        budgets: Arc<Budgets>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (bearer, learnt) = (Bearer::default(), Mutex::default());
        Self { base, credential, wire, bearer, budget: Mutex::new(budget), budgets, clock, learnt }
    }

    fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn learnt(&self) -> Learnt {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, change: impl FnOnce(&mut Learnt)) {
        change(&mut self.learnt.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn spent(&self) -> Spent {
        self.budget().spent(self.clock.now())
    }

    /// Azure says who we are: from now on the budget is that identity's, whatever other tokens it has.
    pub(super) fn is(&self, instance: Uuid, user: Uuid) {
        let own = self.budget();
        let shared = self.budgets.of(Owner::Identity(instance, user), Some(&own));
        *self.budget.lock().unwrap_or_else(PoisonError::into_inner) = shared;
    }

    /// A call's answer, read as `T`.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: &Call<'_>, priority: Priority) -> Result<T, Failure> {
        self.ask_with_headers(call, priority).await.map(|(value, _)| value)
    }

    /// The same with the answer's headers, where paging hides.
    pub(super) async fn ask_with_headers<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        priority: Priority,
    ) -> Result<(T, HeaderMap), Failure> {
        let answer = self.run(call, priority).await?;
        match serde_json::from_slice(without_mark(&answer.body)) {
            Ok(value) => Ok((value, answer.headers)),
            Err(error) => {
                let what = if error.is_data() { "JSON in another shape" } else { "broken JSON" };
                let detail = format!("{what} of /{}: {error}", call.path.segments.join("/"));
                Err(self
                    .wire
                    .without_secrets(Failure::Unexpected { detail, activity_id: activity_id(&answer.headers) }))
            }
        }
    }

    /// A call whose answer's body does not matter.
    pub(super) async fn run(&self, call: &Call<'_>, priority: Priority) -> Result<Answer, Failure> {
        let version = self.version(priority).await?;
        let base = self.base_of(call.path.host, priority).await?;
        let outcome = self.tries(call, &base, Some(version), priority).await;
        let Some(latest) = outcome.as_ref().err().and_then(latest_version).and_then(place::version) else {
            return outcome;
        };
        // The server is another than when we asked: an upgrade that was taken back.
        self.learn(|learnt| learnt.version = Some(latest.min(VERSION_MAX)));
        self.tries(call, &base, Some(latest.min(VERSION_MAX)), priority).await
    }

    /// The version that both sides know. Source: the OPTIONS of `_apis`, which names for each resource its newest one.
    pub(super) async fn version(&self, priority: Priority) -> Result<ApiVersion, Failure> {
        if let Some(version) = self.learnt().version {
            return Ok(version);
        }
        let call = Call { method: Method::OPTIONS, ..Call::get(Path::new(&["_apis"])) };
        let version = match self.tries(&call, &self.base, None, priority).await {
            Ok(answer) => negotiated(&answer.body),
            // A proxy in between that lets no OPTIONS through: the first call will tell.
            Err(Failure::Refused { .. } | Failure::NotFound { .. } | Failure::Forbidden { .. }) => None,
            Err(failure) => return Err(failure),
        };
        let version = version.unwrap_or(VERSION_MAX).min(VERSION_MAX);
        self.learn(|learnt| learnt.version = Some(version));
        Ok(version)
    }

    async fn base_of(&self, host: Host, priority: Priority) -> Result<Url, Failure> {
        if host == Host::Main {
            return Ok(self.base.clone());
        }
        if let Some(base) = self.learnt().release_base {
            return Ok(base);
        }
        let version = self.version(priority).await?;
        let path = Path::new(&["_apis", "resourceAreas", place::RELEASE_AREA]).preview();
        let answer = match self.tries(&Call::get(path), &self.base, Some(version), priority).await {
            Ok(answer) => serde_json::from_slice::<ResourceArea>(without_mark(&answer.body)).unwrap_or_default(),
            // A Server serves everything in one place and may not know the question.
            Err(Failure::NotFound { .. }) => ResourceArea::default(),
            Err(failure) => return Err(failure),
        };
        let base = match answer.location_url {
            Some(location) => place::trusted(&self.base, &location).ok_or_else(|| Failure::Unexpected {
                detail: "the release host that the server names is none that our credential may go to".to_owned(),
                activity_id: None,
            })?,
            None => place::release_of_cloud(&self.base).unwrap_or_else(|| self.base.clone()),
        };
        self.learn(|learnt| learnt.release_base = Some(base.clone()));
        Ok(base)
    }

    /// One call, tried again where that does no harm and may help.
    async fn tries(
        &self,
        call: &Call<'_>,
        base: &Url,
        version: Option<ApiVersion>,
        priority: Priority,
    ) -> Result<Answer, Failure> {
        let (url, mut renewed) = (call.path.url(base, version), false);
        let mut tried = 0;
        loop {
            tried += 1;
            let budget = self.budget();
            let permit = budget.enter(priority, &*self.clock).await?;
            let outcome = self.once(call, url.clone(), &budget).await;
            drop(permit);
            let NoAnswer { failure, may_have_arrived } = match outcome {
                Ok(answer) => return Ok(answer),
                Err(no_answer) => no_answer,
            };
            let again = match &failure {
                Failure::Unauthorized { .. } if !renewed && self.has_bearer() => {
                    self.bearer.forget().await;
                    renewed = true;
                    true
                }
                Failure::Unauthorized { .. } => {
                    budget.credential_holds(false, self.clock.now());
                    false
                }
                // The budget makes it wait, or says that it would be too long.
                Failure::Throttled { .. } => tried < TRIES_MAX,
                Failure::Unavailable { .. } | Failure::Unreachable { at: Unreachable::Silent, .. } => {
                    tried < TRIES_MAX && (call.repeatable || !may_have_arrived)
                }
                _ => false,
            };
            if !again {
                return Err(self.wire.without_secrets(failure));
            }
            if !matches!(failure, Failure::Throttled { .. } | Failure::Unauthorized { .. }) {
                self.clock.sleep(pause(tried)).await;
            }
        }
    }

    fn has_bearer(&self) -> bool {
        matches!(self.credential, Some(Credential::ServicePrincipal { .. }))
    }

    async fn once(&self, call: &Call<'_>, url: Url, budget: &Budget) -> Result<Answer, NoAnswer> {
        let never_sent = |failure| NoAnswer { failure, may_have_arrived: false };
        let request = Request {
            method: call.method.clone(),
            url,
            authorization: self.authorization().await.map_err(never_sent)?,
            body: call.body.map(Body::Json),
            timeout: call.timeout,
            body_bytes_max: call.answer_bytes_max,
        };
        let answer = self.wire.send(request).await?;
        let now = self.clock.now();
        budget.observe(&answer.headers, now);
        match classify(answer.status, &answer.headers, &answer.body) {
            None => {
                budget.credential_holds(true, now);
                Ok(answer)
            }
            Some(failure) => {
                if let Failure::Throttled { wait } = failure {
                    budget.pause(wait, now);
                }
                // A maintenance window says how long it takes; asking before that helps nobody.
                if let (Failure::Unavailable { .. }, Some(wait)) = (&failure, retry_after(&answer.headers)) {
                    budget.pause(wait, now);
                }
                // 429 and 503 say that nothing was done; of another 5xx nobody knows.
                let may_have_arrived = !matches!(answer.status, 429 | 503);
                Err(NoAnswer { failure, may_have_arrived })
            }
        }
    }

    async fn authorization(&self) -> Result<Option<HeaderValue>, Failure> {
        match &self.credential {
            None => Ok(None),
            Some(Credential::Pat(token)) => {
                let text = Zeroizing::new(format!("Basic {}", *basic(token)));
                let mut header = HeaderValue::from_str(&text).expect("base64 is always a header value");
                header.set_sensitive(true);
                Ok(Some(header))
            }
            Some(principal) => self.bearer.header(principal, &self.wire, &*self.clock).await.map(Some),
        }
    }
}

fn negotiated(body: &[u8]) -> Option<ApiVersion> {
    let locations: Locations = serde_json::from_slice(without_mark(body)).ok()?;
    let is_hooks = |location: &&Location| {
        location.area.eq_ignore_ascii_case("hooks") && location.resource_name.eq_ignore_ascii_case("subscriptions")
    };
    let hooks = locations.value.iter().find(is_hooks)?;
    // Released "0.0" means that there are only previews.
    place::version(&hooks.released_version)
        .filter(|version| version.major > 0)
        .or_else(|| place::version(&hooks.max_version))
}

/// Doubling, and spread so that what failed together does not come back together.
fn pause(tried: u32) -> Duration {
    let wait = RETRY_WAIT * 2_u32.saturating_pow(tried - 1);
    let dice = getrandom::u32().unwrap_or(0);
    wait + wait.mul_f64(f64::from(dice) / f64::from(u32::MAX) / 2.0)
}
