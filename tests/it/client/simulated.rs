//! Against the simulated Azure DevOps: Services and every Server, with the credentials and on the bad days it knows.

use super::{Hasty, client, first, secret};
use crate::azure::Azure;
use hookwell::{
    azure::{
        CollectionUrl,
        client::{
            Access, ApiVersion, AzureDevOps, Credential, Deployment, Failure, Host, PageRequest, Permission, Proof,
            SubscriptionDraft, SubscriptionStatus,
        },
    },
    simulator::{Failing, Options, Refusal, Rule, ScopeRefusal, ServerVersion, Throttle, When, tokens},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use uuid::Uuid;

const PROJECT: &str = "Fiber Café";

fn access(azure: &Azure, token: &str) -> Access {
    Access {
        url: CollectionUrl::parse(&azure.url()).unwrap(),
        credential: Some(Credential::Pat(secret(token))),
        headers: Vec::new(),
        ca_bundle: None,
        proxy: None,
    }
}

async fn services() -> Azure {
    Azure::start(Options::services("fabrikam"), Hasty::new()).await
}

/// Reads everything that is there to be read.
async fn tour(client: &Arc<dyn AzureDevOps>) -> Result<(), Failure> {
    let (mut from, mut projects) = (None, Vec::new());
    loop {
        let page = client.projects(PageRequest { items_max: 2, from }).await?;
        projects.extend(page.items);
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(projects.len(), 3, "{projects:?}");
    let project = client.project(PROJECT).await?;
    assert!(projects.contains(&project));
    assert_eq!(client.project(&project.id.to_string()).await?, project);

    let repositories = client.repositories(Some(PROJECT)).await?;
    let named = |name: &str| repositories.iter().find(|found| found.name == name).unwrap();
    assert_eq!(named("röstplan").default_branch.as_deref(), Some("main"));
    assert!(named("empty").default_branch.is_none() && named("attic").is_disabled);
    assert!(client.repositories(None).await?.len() > repositories.len());

    let branches = client.branches(PROJECT, "web shop", Some("feature"), first(1)).await?;
    assert!(branches.items.len() == 1 && branches.next.is_some(), "{branches:?}");
    assert!(branches.items[0].name.starts_with("feature/"));
    let attic = client.branches(PROJECT, "attic", None, first(10)).await;
    assert!(matches!(attic, Err(Failure::NotFound { .. })), "{attic:?}");

    let pipelines = client.pipelines(PROJECT, first(1)).await?;
    assert!(pipelines.items.len() == 1 && pipelines.next.is_some());
    client.release_definitions(PROJECT, first(10)).await?;
    let types = client.work_item_types(PROJECT).await?;
    assert!(!types.is_empty() && types.iter().all(|found| !found.states.is_empty()), "{types:?}");
    assert!(client.may(Permission::EditSubscriptions, Some(project.id)).await?);
    Ok(())
}

fn draft(publisher: &str, event_type: &str, resource_version: &str, project: Uuid) -> SubscriptionDraft {
    let inputs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    SubscriptionDraft {
        publisher: publisher.into(),
        event_type: event_type.into(),
        resource_version: resource_version.into(),
        publisher_inputs: inputs(&[("projectId", &project.to_string())]),
        consumer_inputs: inputs(&[("url", "https://gateway.example/hooks/1"), ("basicAuthUsername", "a-hook")]),
        password: secret("hook-password"),
    }
}

#[tokio::test]
async fn subscriptions_are_made_listed_and_deleted_on_the_host_of_their_publisher() {
    for options in [Options::services("fabrikam"), Options::server("Coll", ServerVersion::V2022)] {
        let azure = Azure::start(options, Hasty::new()).await;
        let client = client(&access(&azure, tokens::FULL));
        let project = client.project(PROJECT).await.unwrap().id;
        let versions = client.event_types("tfs").await.unwrap();
        assert!(versions.iter().any(|found| found.id == "git.push" && !found.resource_versions.is_empty()));
        let (user, before) =
            (client.connection_data().await.unwrap().user.id, client.subscriptions(Host::Main).await.unwrap().len());
        for (host, publisher, event_type, version) in [
            (Host::Main, "tfs", "git.push", "1.0"),
            (Host::Release, "rm", "ms.vss-release.release-created-event", "3.0-preview.1"),
        ] {
            let made = client.create_subscription(&draft(publisher, event_type, version, project)).await.unwrap();
            assert_eq!((made.status, made.created_by), (SubscriptionStatus::Enabled, Some(user)));
            assert_eq!(made.consumer_inputs["basicAuthPassword"], "********");
            let listed = client.subscriptions(host).await.unwrap();
            assert!(listed.contains(&made), "{made:?} in {listed:?}");
            client.delete_subscription(host, &made.id).await.unwrap();
            client.delete_subscription(host, &made.id).await.unwrap();
            assert!(!client.subscriptions(host).await.unwrap().contains(&made));
        }
        assert_eq!(client.subscriptions(Host::Main).await.unwrap().len(), before);
        let wrong = client.create_subscription(&draft("tfs", "git.shove", "1.0", project)).await.unwrap_err();
        assert!(matches!(wrong, Failure::Refused { .. } | Failure::NotFound { .. }), "{wrong:?}");
        let may_not = super::client(&access(&azure, tokens::WITHOUT_EDIT));
        let denied = may_not.create_subscription(&draft("tfs", "git.push", "1.0", project)).await.unwrap_err();
        let Failure::Forbidden { permission, detail } = denied else { panic!("{denied:?}") };
        assert!(permission.is_some_and(|named| named.starts_with("Edit Subscription")), "{detail:?}");
    }
}

#[tokio::test]
async fn services_are_read() {
    let azure = services().await;
    let client = client(&access(&azure, tokens::FULL));
    let data = client.connection_data().await.unwrap();
    assert_eq!((data.deployment, data.user.account.as_deref()), (Deployment::Services, Some("ana@fabrikam.example")));
    assert_eq!(client.api_version().await.unwrap(), ApiVersion { major: 7, minor: 1 });
    tour(&client).await.unwrap();
    assert!(azure.simulator.calls().iter().all(|call| call.status != 400), "{:?}", azure.simulator.calls());
}

#[tokio::test]
async fn every_server_is_read_behind_its_proxy_and_in_its_version() {
    for (version, major, minor) in [
        (ServerVersion::V2019, 5, 0),
        (ServerVersion::V2020, 6, 0),
        (ServerVersion::V2022, 7, 0),
        (ServerVersion::V2022_1, 7, 1),
        (ServerVersion::Newer, 7, 1),
    ] {
        let options = Options {
            virtual_directory: Some("tfs".into()),
            required_headers: vec![("CF-Access-Client-Id".into(), "planted".into())],
            ..Options::server("My Coll", version)
        };
        let azure = Azure::start(options, Hasty::new()).await;
        let without = client(&access(&azure, tokens::FULL)).connection_data().await.unwrap_err();
        assert!(without.to_string().contains("web page titled “Forbidden"), "{without}");
        let headers = vec![("CF-Access-Client-Id".to_owned(), secret("planted"))];
        let client = client(&Access { headers, ..access(&azure, tokens::FULL) });
        assert_eq!(client.connection_data().await.unwrap().deployment, Deployment::Server);
        assert_eq!(client.api_version().await.unwrap(), ApiVersion { major, minor });
        tour(&client).await.unwrap();
    }
}

#[tokio::test]
async fn a_service_principal_is_let_in_and_a_wrong_secret_is_not() {
    let azure = services().await;
    let origin = azure.url().rsplit_once('/').unwrap().0.to_owned();
    let principal = |client_secret: &str| Access {
        credential: Some(Credential::ServicePrincipal {
            tenant: tokens::TENANT.into(),
            client_id: tokens::CLIENT_ID.into(),
            proof: Proof::Secret(secret(client_secret)),
            authority: Some(origin.parse().unwrap()),
        }),
        ..access(&azure, "")
    };
    assert_eq!(
        client(&principal(tokens::CLIENT_SECRET)).connection_data().await.unwrap().user.display_name.as_deref(),
        Some("Gateway")
    );
    let failure = client(&principal("planted-secret")).connection_data().await.unwrap_err();
    assert!(failure.to_string().contains("AADSTS7000215") && !failure.to_string().contains("planted"), "{failure}");
}

#[tokio::test]
async fn a_dead_token_is_told_from_a_missing_scope_in_every_form() {
    let azure = services().await;
    for (refusal, suppress_is_ignored) in [
        (Refusal::SignInPage, true),
        (Refusal::Redirect, true),
        (Refusal::Unauthorized, false),
        (Refusal::SignInPage, false),
    ] {
        azure.simulator.fail(|faults| {
            (faults.refusal, faults.suppress_is_ignored) = (refusal, suppress_is_ignored);
        });
        for token in ["unknown-token", tokens::EXPIRED] {
            let failure = client(&access(&azure, token)).projects(first(1)).await.unwrap_err();
            assert!(matches!(failure, Failure::Unauthorized { .. }), "{refusal:?}: {failure:?}");
            assert_eq!(failure.to_string().contains("has expired"), token == tokens::EXPIRED, "{failure}");
        }
    }
    for scope_refusal in [ScopeRefusal::Unauthorized, ScopeRefusal::Forbidden, ScopeRefusal::SignInPage] {
        azure.simulator.fail(|faults| faults.scope_refusal = scope_refusal);
        let client = client(&access(&azure, tokens::CODE_ONLY));
        client.repositories(None).await.unwrap();
        for failure in [client.pipelines(PROJECT, first(1)).await.err(), client.work_item_types(PROJECT).await.err()] {
            assert!(matches!(failure, Some(Failure::Forbidden { .. })), "{scope_refusal:?}: {failure:?}");
        }
    }
    let project = client(&access(&azure, tokens::FULL)).project(PROJECT).await.unwrap().id;
    let without_edit = client(&access(&azure, tokens::WITHOUT_EDIT));
    assert!(!without_edit.may(Permission::EditSubscriptions, Some(project)).await.unwrap());
}

#[tokio::test]
async fn each_bad_day_is_told_as_what_it_is() {
    for (failing, expected) in [
        (Failing::Unavailable, "cannot answer now: TF24668"),
        (Failing::BadGateway, "502 Bad Gateway"),
        (Failing::Internal, "cannot answer now"),
        (Failing::Forbidden, "VS403403"),
        (Failing::NotFound, "Page not found"),
        (Failing::Html, "web page"),
        (Failing::Broken, "no JSON"),
        (Failing::OtherShape, "value is not a list"),
        (Failing::Throttled(Throttle::Block { retry_after_seconds: Some(40) }), "asks to wait"),
        (Failing::Throttled(Throttle::Cut), "was cut"),
        (Failing::CutAfter, "was cut"),
    ] {
        let azure = services().await;
        azure.simulator.fail(|faults| faults.rules = vec![Rule::new("GET", "/_apis/projects", When::Always, failing)]);
        let failure = client(&access(&azure, tokens::FULL)).projects(first(1)).await.unwrap_err();
        assert!(failure.to_string().contains(expected), "{failing:?}: {failure}");
    }
    let azure = services().await;
    let delay = Failing::Throttled(Throttle::Delay { seconds: 30, milliseconds: 1 });
    azure.simulator.fail(|faults| faults.rules = vec![Rule::new("GET", "/_apis/projects", When::Always, delay)]);
    let client = client(&access(&azure, tokens::FULL));
    client.projects(first(1)).await.unwrap();
    let failure = client.projects(first(1)).await.unwrap_err();
    assert_eq!(failure, Failure::Throttled { wait: Duration::from_secs(30) });
}

#[tokio::test]
async fn where_releases_are_is_asked_again_after_a_bad_moment() {
    let azure = services().await;
    let not_found = Rule::new("GET", "/_apis/resourceAreas", When::Next(1), Failing::NotFound);
    azure.simulator.fail(|faults| faults.rules = vec![not_found]);
    let client = client(&access(&azure, tokens::FULL));
    let failure = client.release_definitions(PROJECT, first(10)).await.unwrap_err();
    assert!(matches!(failure, Failure::NotFound { .. }), "{failure:?}");
    assert_eq!(client.release_definitions(PROJECT, first(10)).await.unwrap().items.len(), 1);
}
