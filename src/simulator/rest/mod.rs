//! The REST surface: one table of rows, and what every request meets before its row.

mod admin;
mod answer;
mod audit;
mod builds;
mod call;
mod core;
mod entra;
mod environments;
mod failing;
mod gate;
mod git;
mod levers;
pub(super) mod locations;
mod offers;
mod paging;
mod pipelines;
mod pull_requests;
mod refusal;
mod releases;
mod reporting;
mod route;
mod serving;
mod target;
mod version;
pub(in crate::simulator) mod wiql;
mod work_items;
mod writes;

pub use self::{admin::ADMIN_ROUTES, serving::tower_service};
pub(crate) use self::{
    answer::{Answer, Body},
    call::Call,
    paging::Listing,
    refusal::{Outcome, Refusal},
    route::{BUILD, CODE, HOOKS, Handler, InProject, Location, RELEASE, Route, WORK},
};

use self::{gate::Stranger, target::Target};
use super::{
    Simulator,
    faults::{Failing, RateLimit},
    forget::Forgotten,
    hooks,
    ledger::Recorded,
    people::Caller,
};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use std::time::Duration;

/// One request as it came.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) raw_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Of the row that a request met.
#[derive(Default)]
struct Met {
    account: Option<String>,
    tstu: f64,
    /// The api-version as the content type says it.
    version: Option<String>,
    /// About the limit.
    headers: Vec<(&'static str, String)>,
}

const PROXY_PAGE: &str = "<!DOCTYPE html><html><head><title>Forbidden ・ Access</title></head>\
    <body>You do not have permission to view this page. Please contact your administrator.</body></html>";
/// Throughput units of a million bytes of reply.
const TSTU_PER_MEGABYTE: f64 = 1.0;
/// Beyond this share of a limit its headers are sent.
const NEAR: f64 = 0.8;

/// The listing that big organizations are slow at.
const SUBSCRIPTION_LISTING: &str = "hooks/subscriptions";

/// Every row; the first that fits answers.
fn table() -> impl Iterator<Item = &'static Route> {
    [
        core::ROUTES,
        audit::ROUTES,
        git::ROUTES,
        pull_requests::ROUTES,
        builds::ROUTES,
        environments::ROUTES,
        pipelines::ROUTES,
        releases::ROUTES,
        work_items::ROUTES,
        wiql::ROUTES,
        reporting::ROUTES,
        hooks::ROUTES,
    ]
    .into_iter()
    .chain(writes::ROUTES)
    .flatten()
}

/// Answers any request.
async fn answer(simulator: &Simulator, request: Request) -> Answer {
    if let Some(rest) = request.path.strip_prefix("/_simulator") {
        return admin::answer(simulator, rest, &request).unwrap_or_else(Answer::from);
    }
    let instance = &simulator.instance;
    let mut met = Met::default();
    let mut answer = behind_proxy(simulator, &request, &mut met).await;
    let bytes = serving::prepare(&mut answer, met.version.as_deref());
    #[expect(clippy::cast_precision_loss, reason = "a reply is far below 2^52 bytes")]
    let size = bytes as f64;
    met.tstu += size / 1e6 * TSTU_PER_MEGABYTE;
    for (name, value) in &met.headers {
        answer = answer.with(name, value);
    }
    let status = if matches!(answer.body, Body::Cut) { 0 } else { answer.status.as_u16() };
    let target = match request.raw_query.as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    };
    instance.say(&format!("{} {target} → {status}", request.method));
    instance.ledger().record(Recorded {
        at: instance.now(),
        method: request.method.to_string(),
        target,
        account: met.account,
        status,
        tstu: met.tstu,
    });
    answer
}

/// What the network and a proxy in front do, and then the rest.
async fn behind_proxy(simulator: &Simulator, request: &Request, met: &mut Met) -> Answer {
    let instance = &simulator.instance;
    let missing = |(name, value): &&(String, String)| {
        request.headers.get(name.as_str()).is_none_or(|sent| sent.as_bytes() != value.as_bytes())
    };
    let path: Vec<&str> = request.path.split('/').filter(|part| !part.is_empty()).collect();
    let entra = match path[..] {
        [tenant, "oauth2", "v2.0", "token"] => Some(tenant),
        _ => None,
    };
    let of_machine = path[..] == ["metadata", "identity", "oauth2", "token"];
    // Microsoft Entra and the machine are somewhere else, where nobody's proxy is in front of them.
    if entra.is_none() && !of_machine && instance.options.required_headers.iter().any(|header| missing(&header)) {
        return Answer::html(StatusCode::FORBIDDEN, PROXY_PAGE);
    }
    let (delay, failing) = {
        let dice = instance.dice();
        let mut faults = instance.faults();
        let target = format!("{}?{}", request.path, request.raw_query);
        let struck = |rule: &mut super::faults::Rule| rule.strikes(request.method.as_str(), &target, dice);
        let failing = faults.rules.iter_mut().find_map(|rule| struck(rule).then_some(rule.answer));
        (faults.delay_milliseconds, failing)
    };
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let struck = match failing {
        Some(Failing::Throttled(throttle)) => {
            let (headers, answer) = failing::throttled(instance, throttle, None).await;
            met.headers.extend(headers);
            answer
        }
        Some(failing) => failing::answer(failing).await,
        None => None,
    };
    if let Some(answer) = struck {
        return answer;
    }
    if let Some(tenant) = entra {
        return entra::token(instance, tenant, &request.body);
    }
    if of_machine {
        return entra::machine(instance, request);
    }
    let answer = routed(simulator, request, met).await;
    if failing == Some(Failing::CutAfter) { Answer::cut() } else { answer }
}

/// To its row, if there is one and the caller may.
async fn routed(simulator: &Simulator, request: &Request, met: &mut Met) -> Answer {
    let instance = &simulator.instance;
    let Some(target) = Target::read(instance, &request.path) else { return offers::none(&request.path, None) };
    let is_public = target.resource.first().is_some_and(|first| first.eq_ignore_ascii_case("resourceAreas"));
    let caller = match gate::caller(instance, &request.headers) {
        Ok(caller) => caller,
        Err(Stranger::Nobody) if is_public => gate::anonymous(instance),
        Err(stranger) => return gate::refuse(instance, stranger, &request.method, &request.headers),
    };
    met.account = Some(caller.person.account.clone());
    if let Some(answer) = limited(simulator, &caller, met).await {
        return answer;
    }
    if request.method == Method::OPTIONS && target.resource.len() < 2 {
        let area = target.resource.first().map(String::as_str);
        return Answer::list(offers::locations(instance.options.edition, &target, area));
    }
    let fits =
        |route: &&Route| route.is_on(&target, instance.options.edition) && route.parameters(&target.resource).is_some();
    let Some(route) = table().filter(fits).find(|route| request.method.as_str() == route.method) else {
        if table().any(|route| fits(&route)) {
            let message = format!("The requested resource does not support http method '{}'.", request.method);
            let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "VssRequestException", &message);
            return Answer::from(refusal).with(offers::SAYS, &format!("no {} here", request.method));
        }
        return offers::none(&request.path, Some(&target));
    };
    met.tstu = route.tstu;
    call(simulator, request, &target, route, caller, met).await.unwrap_or_else(Answer::from)
}

async fn call(
    simulator: &Simulator,
    request: &Request,
    target: &Target,
    route: &Route,
    caller: Caller,
    met: &mut Met,
) -> Outcome {
    let instance = &simulator.instance;
    let query: Vec<(String, String)> = url::form_urlencoded::parse(request.raw_query.as_bytes()).into_owned().collect();
    let asked = version::asked(&query, &request.headers);
    let version = version::agreed(asked.as_deref(), route.location, instance.options.edition)?;
    met.version = Some(asked.unwrap_or_else(|| version.to_string()));
    if !caller.has(route.scopes) {
        return Ok(gate::refuse_scope(instance, &caller));
    }
    let project = match &target.project {
        None => None,
        Some(name) => Some(instance.world().project(name).map(|own| own.id).ok_or_else(|| Refusal::project(name))?),
    };
    if route.path == SUBSCRIPTION_LISTING && request.method == Method::GET {
        let delay = instance.faults().subscription_listing_delay_milliseconds;
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let forgotten = Forgotten::new(&instance.faults().forget);
    let call = Call {
        host: target.host,
        place: target::place(instance, &request.headers),
        project,
        parameters: route.parameters(&target.resource).unwrap_or_default(),
        query,
        body: request.body.clone(),
        version,
        caller,
        forgotten,
    };
    (route.handler)(simulator, &call)
}

/// What an identity over its limit meets.
async fn limited(simulator: &Simulator, caller: &Caller, met: &mut Met) -> Option<Answer> {
    let instance = &simulator.instance;
    let limit: RateLimit = instance.faults().rate_limit?;
    let used = instance.ledger().used(&caller.person.account, instance.now());
    if used < limit.tstu {
        if used > limit.tstu * NEAR {
            met.headers.extend(failing::about(instance, limit, used));
        }
        return None;
    }
    let (headers, answer) = failing::throttled(instance, limit.then, Some((limit, used))).await;
    met.headers.extend(headers);
    answer
}

/// The header that no reply of Azure's goes without.
const ACTIVITY_ID: &str = "activityid";

/// Headers that every reply has.
fn stamp(simulator: &Simulator, headers: &mut HeaderMap) {
    let (count, _) = simulator.instance.ledger().totals();
    let id = uuid::Uuid::new_v5(&simulator.instance.options.collection_id(), &count.to_be_bytes()).to_string();
    for name in [ACTIVITY_ID, "x-vss-e2eid", "x-tfs-session"] {
        if let Ok(value) = header::HeaderValue::from_str(&id) {
            headers.insert(header::HeaderName::from_static(name), value);
        }
    }
}
