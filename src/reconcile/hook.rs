//! The hook that a wanted subscription is made with, and how ours are told from other people's.

use super::desired::Wanted;
use crate::{
    azure::{
        CollectionUrl,
        client::{Host, Subscription as Found, SubscriptionDraft, SubscriptionStatus},
    },
    domain::{Connection, ConnectionId, Spec, Subscription, SubscriptionKey, UpdateReason, Why, short_hex},
    intake::{MANUAL_SUBSCRIPTION_KEY, USER_NAME_PREFIX},
    secrets::DerivingKey,
};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Inputs of publishers that narrow what is delivered. Servers add others of their own (`tfsSubscriptionId`, `hostId`),
/// which are no drift. Source: the publishers' input descriptors.
const FILTERS: [&str; 31] = [
    "projectId",
    "repository",
    "branch",
    "pushedBy",
    "pullrequestCreatedBy",
    "pullrequestReviewersContains",
    "notificationType",
    "mergeResult",
    "definitionName",
    "buildStatus",
    "areaPath",
    "workItemType",
    "tag",
    "changedFields",
    "commentPattern",
    "pipelineId",
    "runStateId",
    "runResultId",
    "stageNameId",
    "stageName",
    "stageStateId",
    "stageResultId",
    "jobNameId",
    "jobStateId",
    "jobResultId",
    "environmentName",
    "releaseDefinitionId",
    "releaseEnvironmentId",
    "releaseEnvironmentStatus",
    "releaseApprovalType",
    "releaseApprovalStatus",
];
/// Consumer inputs that say how much is delivered; empty means all.
const AMOUNTS: [&str; 3] = ["resourceDetailsToSend", "messagesToSend", "detailedMessagesToSend"];
const ALL: &str = "all";
/// Whether a certificate is taken that Azure DevOps does not trust. Source: azure-devops-docs, "Service hook consumers",
/// Web Hooks.
const UNTRUSTED: &str = "acceptUntrustedCerts";
/// What says in a hook's URL which change of a pull request it tells of.
pub(super) const REASON_PARAMETER: &str = "reason";

/// Where a hook delivers. `gateway` is where the gateway is reached.
pub fn url(gateway: &str, connection: ConnectionId, reason: Option<UpdateReason>) -> String {
    let query = reason.map(|reason| format!("?{REASON_PARAMETER}={}", reason.word())).unwrap_or_default();
    format!("{}/hooks/azure-devops/{connection}{query}", gateway.trim_end_matches('/'))
}

/// Where the API has the subscriptions of a host. In the cloud, releases have a host of their own.
pub fn api_url(url: &CollectionUrl, host: Host) -> String {
    let base = match host {
        Host::Main => url.as_str().to_owned(),
        Host::Release => url.as_str().replacen("https://dev.azure.com/", "https://vsrm.dev.azure.com/", 1),
    };
    format!("{base}/_apis/hooks/subscriptions")
}

/// The Basic user name of a hook of ours; its generation shows a drift that masked passwords hide.
pub fn user_name(key: &SubscriptionKey, generation: u32) -> String {
    format!("{USER_NAME_PREFIX}.{key}.{generation}")
}

/// The publisher's inputs.
pub fn publisher_inputs(spec: &Spec) -> BTreeMap<String, String> {
    let mut inputs = spec.filters.clone();
    inputs.insert("projectId".to_owned(), spec.project.to_string());
    inputs
}

/// The consumer's inputs, without the password.
pub fn consumer_inputs(url: String, user_name: String, accept_untrusted: Option<bool>) -> BTreeMap<String, String> {
    let amounts = AMOUNTS.map(|name| (name.to_owned(), ALL.to_owned()));
    let own = [("url".to_owned(), url), ("basicAuthUsername".to_owned(), user_name)];
    let accept = accept_untrusted.map(|accept| (UNTRUSTED.to_owned(), accept.to_string()));
    own.into_iter().chain(amounts).chain(accept).collect()
}

/// Whether a hook takes a certificate that is not trusted.
fn accepts_untrusted(found: &Found) -> bool {
    found.consumer_inputs.get(UNTRUSTED).is_some_and(|accepts| accepts.eq_ignore_ascii_case("true"))
}

/// The subscription to make; `before` is the one whose place it takes. A box that a person ticked there stays ticked, unless
/// the connection says otherwise.
pub(super) fn draft(
    hook_key: &DerivingKey,
    gateway: &Url,
    connection: &Connection,
    key: &SubscriptionKey,
    spec: &Spec,
    before: Option<&Found>,
) -> SubscriptionDraft {
    let generation = connection.hook.current;
    let url = url(gateway.as_str(), connection.id, spec.reason);
    let ticked = before.is_some_and(accepts_untrusted).then_some(true);
    let accept = connection.accept_untrusted_certs.or(ticked);
    SubscriptionDraft {
        publisher: spec.publisher.clone(),
        event_type: spec.event_type.clone(),
        resource_version: spec.resource_version.clone(),
        publisher_inputs: publisher_inputs(spec),
        consumer_inputs: consumer_inputs(url, user_name(key, generation), accept),
        password: Zeroizing::new(hook_key.hook_password(connection.id, key.as_str(), generation)),
    }
}

/// A digest of what is asked for, but for user name and password: 16 lower-case hexadecimal digits.
pub(super) fn asked(gateway: &Url, connection: &Connection, spec: &Spec) -> String {
    let url = url(gateway.as_str(), connection.id, spec.reason);
    let inputs = publisher_inputs(spec);
    let inputs = inputs.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    let mut digest = Sha256::new();
    let accept = connection.accept_untrusted_certs.map(|accept| if accept { "trusting" } else { "distrusting" });
    for part in [url.as_str(), &spec.resource_version].into_iter().chain(inputs).chain(accept) {
        digest.update(part.as_bytes());
        digest.update([0x1f]);
    }
    short_hex(digest)
}

/// The filters that a subscription at Azure has, but for its project.
pub(super) fn filters(found: &Found) -> BTreeMap<&str, &str> {
    let narrows = |(name, value): &(&str, &str)| FILTERS.contains(name) && *name != "projectId" && !value.is_empty();
    found.publisher_inputs.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(narrows).collect()
}

/// Whose a subscription is that Azure lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// Ours, under this key.
    Ours(SubscriptionKey),
    /// A person's or another tool's: never touched.
    Foreign,
}

/// Tells whose it is: ours by its id in our records, or by URL and user name together. A hook with the user name for
/// hooks made by hand is a person's, whatever the records say.
pub(super) fn whose(found: &Found, connection: ConnectionId, recorded: &BTreeMap<String, SubscriptionKey>) -> Whose {
    let name = found.consumer_inputs.get("basicAuthUsername").map(String::as_str).unwrap_or_default();
    let key = name.strip_prefix(USER_NAME_PREFIX).and_then(|rest| rest.strip_prefix('.')?.rsplit_once('.'));
    if key.is_some_and(|(key, _)| key == MANUAL_SUBSCRIPTION_KEY) {
        return Whose::Foreign;
    }
    if let Some(key) = recorded.get(&found.id.to_ascii_lowercase()) {
        return Whose::Ours(key.clone());
    }
    let generation = key.is_some_and(|(_, generation)| generation.parse::<u32>().is_ok());
    let path = found.consumer_inputs.get("url").and_then(|url| Url::parse(url).ok());
    let path = path.is_some_and(|url| url.path().ends_with(&format!("/hooks/azure-devops/{connection}")));
    match key.and_then(|(key, _)| key.parse().ok()) {
        Some(key) if generation && path => Whose::Ours(key),
        _ => Whose::Foreign,
    }
}

/// A hook as we made it, for one that is not shown to us; `None` where none was made.
pub(super) fn as_made(record: &Subscription, connection: &Connection, gateway: &Url) -> Option<Found> {
    let (azure, spec) = (record.azure.as_ref()?, &record.spec);
    let url = url(gateway.as_str(), connection.id, spec.reason);
    Some(Found {
        id: azure.id.clone(),
        publisher: spec.publisher.clone(),
        event_type: spec.event_type.clone(),
        resource_version: Some(spec.resource_version.clone()),
        status: SubscriptionStatus::Unknown,
        publisher_inputs: publisher_inputs(spec),
        consumer_inputs: consumer_inputs(
            url,
            user_name(&record.key, connection.hook.current),
            connection.accept_untrusted_certs,
        ),
        created_by: azure.made_as,
        created_date: None,
        modified_by: None,
        modified_date: None,
        unknown_status: None,
        last_success: azure.last_success.clone(),
        probation_retries: None,
    })
}

/// Everything in which a hook of ours is not as it should be, but for its status and owner.
pub(super) fn differences(
    found: &Found,
    wanted: &Wanted,
    gateway: &Url,
    connection: &Connection,
    key: &SubscriptionKey,
) -> BTreeSet<Why> {
    let mut all = BTreeSet::new();
    let spec = &wanted.spec;
    let consumer = |name: &str| found.consumer_inputs.get(name).map(String::as_str).unwrap_or_default();
    if consumer("url") != url(gateway.as_str(), connection.id, spec.reason) {
        all.insert(Why::Url);
    }
    let generation = consumer("basicAuthUsername").strip_prefix(&format!("{USER_NAME_PREFIX}.{key}."));
    match generation.map(str::parse::<u32>) {
        Some(Ok(generation)) if generation == connection.hook.current => {}
        Some(Ok(_)) => drop(all.insert(Why::Generation)),
        _ => drop(all.insert(Why::Inputs)),
    }
    let publisher = |name: &str| found.publisher_inputs.get(name).map(String::as_str).unwrap_or_default();
    let inputs = publisher_inputs(spec);
    // An id is the same in either case, and nothing that we filter by differs in its case alone.
    let filtered = FILTERS.iter().any(|name| {
        let ours = inputs.get(*name).map(String::as_str).unwrap_or_default();
        !publisher(name).eq_ignore_ascii_case(ours)
    });
    let less = AMOUNTS.iter().any(|name| !matches!(consumer(name).to_ascii_lowercase().as_str(), "" | ALL));
    let trusts = connection.accept_untrusted_certs.is_some_and(|accept| accept != accepts_untrusted(found));
    if filtered || less || trusts || found.event_type != spec.event_type || found.publisher != spec.publisher {
        all.insert(Why::Inputs);
    }
    // A server that does not say which version it took is believed.
    if found.resource_version.as_ref().is_some_and(|version| *version != spec.resource_version) {
        all.insert(Why::Version);
    }
    all
}

/// What a status asks for.
pub(super) fn ailment(status: SubscriptionStatus) -> Option<Why> {
    match status {
        SubscriptionStatus::OnProbation => Some(Why::OnProbation),
        SubscriptionStatus::DisabledBySystem => Some(Why::DisabledBySystem),
        SubscriptionStatus::DisabledByInactiveIdentity => Some(Why::DisabledByInactiveIdentity),
        SubscriptionStatus::Enabled | SubscriptionStatus::DisabledByUser | SubscriptionStatus::Unknown => None,
    }
}

/// Whether it belongs to somebody else than who we are now. `made_as` is who we were when we made it, which counts more
/// than what the server calls its creator.
pub(super) fn is_anothers(found: &Found, made_as: Option<Uuid>, identity: Option<Uuid>) -> bool {
    match (made_as.or(found.created_by), identity) {
        (Some(owner), Some(identity)) => owner != identity,
        _ => false,
    }
}
