//! How one gets in: routes, rights, refusals, publishers, and the two hosts of hooks.

use super::{
    ask::Ask,
    asker::{Asker, Ended},
    place::Place,
    question::Finding,
    seen::{Answer, document, is_good, items, status, text},
};
use crate::azure::client::{Deployment, Host, Spoken};
use http::Method;

/// The security namespace `ServiceHooks`, and its bit for View Subscriptions.
const VIEW: [&str; 2] = ["cb594ebe-87dd-4fc9-ac2c-6a10a4c92046", "1"];
/// Publishers that Microsoft documents; each deployment and host lacks some.
const PUBLISHERS: [&str; 4] = ["tfs", "pipelines", "rm", "advsec"];

/// The findings on the way in.
pub(super) struct Entry {
    /// Whether we hold View Subscriptions; unknown where nobody says.
    pub(super) may_view: Option<bool>,
    /// The subscriptions of the main host that are shown.
    pub(super) subscriptions: Vec<serde_json::Value>,
    /// The same of the release host.
    pub(super) releases: Vec<serde_json::Value>,
}

pub(super) async fn ask(asker: &mut Asker<'_>, deployment: Deployment, places: &[Place]) -> Result<Entry, Ended> {
    let mut options = Ask::get("routes", "", &[]);
    (options.look.method, options.look.spoken) = (Method::OPTIONS, Spoken::None);
    let seen = asker.see(&options).await?;
    asker.found(routes(&seen));

    let right = Ask::get("a right", "permissions/{namespace}/{bit}", &VIEW).with("tokens", "PublisherSecurity");
    let right = asker.see(&right).await?;
    asker.found(permissions(&right));
    let may_view = items(&right).first().and_then(serde_json::Value::as_bool);

    let mut stranger = Ask::get("projects, as nobody", "projects", &[]).with("$top", 1);
    stranger.look.as_nobody = true;
    let seen = asker.see(&stranger).await?;
    asker.found(nobody(&seen));

    let mut answers = Vec::new();
    for publisher in PUBLISHERS {
        let ask = Ask::get("event types", "hooks/publishers/{publisher}/eventtypes", &[publisher]);
        answers.push((publisher, asker.see(&ask).await?));
    }
    asker.found(publishers(deployment, &answers));

    let probed = scopes_asked(asker, places).await?;
    asker.found(scopes(&probed));

    let listing = || Ask::get("subscriptions", "hooks/subscriptions", &[]).with("consumerId", "webHooks").big();
    let listed = asker.see(&listing()).await?;
    asker.found(subscriptions(&listed));
    let of_releases = asker.see(&listing().on(Host::Release)).await?;
    let releases = probed.iter().find(|(name, _)| *name == "releases").map(|(_, answer)| status(answer));
    asker.found(release_hooks(deployment, releases, status(&of_releases)));
    let is_apart = deployment == Deployment::Services;
    Ok(Entry {
        may_view,
        subscriptions: items(&listed).to_vec(),
        releases: if is_apart { items(&of_releases).to_vec() } else { Vec::new() },
    })
}

fn routes(seen: &Answer) -> Finding {
    let key = "routes";
    let Some(answer) = seen else { return Finding::unsettled(key, "there was no answer") };
    let named = items(seen).iter().any(|route| {
        text(route, "area").eq_ignore_ascii_case("hooks")
            && text(route, "resourceName").eq_ignore_ascii_case("subscriptions")
    });
    let (status, count) = (answer.status.as_u16(), items(seen).len());
    let is = if named { "are" } else { "are not" };
    Finding::told(key, named, format!("status {status} and {count} routes; the hooks' subscriptions {is} among them"))
}

fn permissions(seen: &Answer) -> Finding {
    let key = "permissions";
    match (status(seen), items(seen).first().map(serde_json::Value::is_boolean)) {
        (0, _) => Finding::unsettled(key, "there was no answer"),
        (200, Some(true)) => Finding::as_assumed(key, "it says whether the right is held"),
        (200, _) => Finding::otherwise(key, "status 200, and no list of truths"),
        (other, _) => Finding::otherwise(key, format!("status {other}")).with_if(
            matches!(other, 203 | 401 | 403),
            "permissions_need_full_access",
            true,
        ),
    }
}

fn nobody(seen: &Answer) -> Finding {
    let key = "nobody";
    match status(seen) {
        0 => Finding::unsettled(key, "there was no answer"),
        200 => Finding::unsettled(key, "status 200: there are public projects"),
        401 => Finding::as_assumed(key, "status 401"),
        // All that redirect are one.
        other @ 300..=399 => Finding::otherwise(key, format!("status {other}"))
            .with("suppress_is_ignored", true)
            .with("refusal", "redirect"),
        203 => Finding::otherwise(key, "status 203").with("suppress_is_ignored", true).with("refusal", "sign_in_page"),
        other => Finding::otherwise(key, format!("status {other}")),
    }
}

fn publishers(deployment: Deployment, answers: &[(&'static str, Answer)]) -> Finding {
    let key = "publishers";
    let said: Vec<String> = answers
        .iter()
        .map(|(publisher, answer)| match items(answer).len() {
            0 if is_good(answer) => format!("{publisher} 200 and none"),
            0 => format!("{publisher} {}", status(answer)),
            count => format!("{publisher} {count} event types"),
        })
        .collect();
    let said = said.join(", ");
    let without = |wanted: u16| answers.iter().any(|(_, answer)| items(answer).is_empty() && status(answer) == wanted);
    if without(500) {
        Finding::otherwise(key, said).with("hooks.unknown_publisher", "internal")
    } else if without(400) {
        Finding::otherwise(key, said).with("hooks.unknown_publisher", "bad_request")
    } else if without(200) {
        Finding::as_assumed(key, said)
    } else if deployment == Deployment::Server
        // Advanced Security is on no Server, so that it is not known there is no news.
        && answers.iter().any(|(publisher, answer)| *publisher != "advsec" && status(answer) == 404)
    {
        Finding::otherwise(key, said).with("hooks.unknown_publisher", "not_found")
    } else if without(404) {
        Finding::as_assumed(key, format!("{said}: those of other hosts are not known"))
    } else {
        Finding::unsettled(key, said)
    }
}

/// One cheap call for each scope.
async fn scopes_asked(asker: &mut Asker<'_>, places: &[Place]) -> Result<Vec<(&'static str, Answer)>, Ended> {
    let mut asks =
        vec![Ask::get("projects", "projects", &[]).with("$top", 1), Ask::get("repositories", "git/repositories", &[])];
    if let Some(Place { project, .. }) = places.first() {
        asks.push(Ask::get("pipelines", "build/definitions", &[]).within(project).with("$top", 1));
        asks.push(Ask::get("work item types", "wit/workitemtypes", &[]).within(project));
        let releases = Ask::get("releases", "release/definitions", &[]).within(project).with("$top", 1);
        asks.push(releases.on(Host::Release));
    }
    let mut answers = Vec::new();
    for ask in asks {
        answers.push((ask.look.name, asker.see(&ask).await?));
    }
    Ok(answers)
}

fn scopes(answers: &[(&'static str, Answer)]) -> Finding {
    let key = "scopes";
    let refused: Vec<(&str, u16)> = answers
        .iter()
        .map(|(name, answer)| (*name, status(answer)))
        .filter(|(_, status)| matches!(status, 203 | 401 | 403))
        .collect();
    let said: Vec<String> = refused.iter().map(|(name, status)| format!("{name} {status}")).collect();
    match refused.first() {
        None => Finding::unsettled(key, "nothing was refused: give a token without one of the scopes"),
        Some((_, 403)) => Finding::otherwise(key, said.join(", ")).with("scope_refusal", "forbidden"),
        Some((_, 203)) => Finding::otherwise(key, said.join(", ")).with("scope_refusal", "sign_in_page"),
        Some(_) => Finding::as_assumed(key, said.join(", ")),
    }
}

fn subscriptions(listed: &Answer) -> Finding {
    let key = "subscriptions";
    if !is_good(listed) {
        return Finding::unsettled(key, format!("status {}", status(listed)));
    }
    let all = items(listed);
    let count = document(listed)["count"].as_u64().unwrap_or_default();
    let unsaid = all.iter().filter(|own| !own["resourceVersion"].is_string()).count();
    let said = format!("{} in the list, {count} by its count, {unsaid} without a version", all.len());
    if all.is_empty() {
        return Finding::unsettled(key, "the list is empty");
    }
    Finding::told(key, usize::try_from(count) == Ok(all.len()), said)
}

fn release_hooks(deployment: Deployment, releases: Option<u16>, hooks: u16) -> Finding {
    let key = "release_hooks";
    let (Deployment::Services, Some(releases)) = (deployment, releases) else {
        return Finding::unsettled(key, "a Server has one host for all, or there is no project to ask in");
    };
    let said = format!("release pipelines {releases}, hooks of the release host {hooks}");
    if releases == 0 || hooks == 0 {
        return Finding::unsettled(key, said);
    }
    Finding::told(key, (releases == 200) == (hooks == 200), said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::client::{Media, Seen};
    use http::StatusCode;
    use serde_json::{Value, json};

    fn seen(status: u16, body: Value) -> Seen {
        let (headers, continuation) = (Vec::new(), None);
        let status = StatusCode::from_u16(status).unwrap();
        Seen { status, headers, continuation, media: Media::Json, body: Some(body) }
    }

    fn list(status: u16, count: usize) -> Seen {
        seen(status, json!({ "count": count, "value": vec![json!({}); count] }))
    }

    #[test]
    fn a_publisher_without_event_types_is_judged_by_where_it_could_be() {
        let all = |pipelines: Seen, release: Seen| {
            [("tfs", list(200, 9)), ("pipelines", pipelines), ("rm", release), ("advsec", list(404, 0))]
                .map(|(publisher, seen)| (publisher, Some(seen)))
        };
        let switch = |deployment, answers: &[(&'static str, Answer)]| {
            publishers(deployment, answers).switches.first().map(|(_, value)| value.clone())
        };
        let (server, services) = (Deployment::Server, Deployment::Services);
        assert_eq!(switch(services, &all(list(200, 3), list(404, 0))), None);
        assert_eq!(switch(services, &all(list(200, 3), list(400, 0))), Some("bad_request".into()));
        assert_eq!(switch(server, &all(list(200, 0), list(200, 6))), None);
        assert_eq!(switch(server, &all(list(404, 0), list(200, 6))), Some("not_found".into()));
        assert_eq!(switch(server, &all(list(500, 0), list(200, 6))), Some("internal".into()));
        assert_eq!(publishers(services, &[("tfs", None)]).verdict, super::super::question::Verdict::Unsettled);
    }

    #[test]
    fn what_is_no_list_of_truths_is_no_right() {
        let truth = |body| permissions(&Some(seen(200, body))).verdict.word();
        assert_eq!(truth(json!({ "value": [true] })), "as_assumed");
        assert_eq!(truth(json!({ "value": ["yes"] })), "otherwise");
        assert_eq!(permissions(&None).verdict.word(), "unsettled");
        assert_eq!(permissions(&Some(seen(404, json!({})))).switches, []);
        assert_eq!(permissions(&Some(seen(401, json!({})))).switches.len(), 1);
    }
}
