//! The client and the simulated Azure DevOps take each other for real, in every edition.

use super::{access, dial};
use crate::azure::Azure;
use hookwell::{
    azure::client::{Access, AzureDevOps, Credential, Deployment, Failure, PageRequest, Permission},
    clock::SystemClock,
    simulator::{Options, Refusal, ScopeRefusal, ServerVersion, tokens},
};
use std::sync::Arc;

fn with_token(azure: &Azure, token: &str) -> Access {
    Access { credential: Some(Credential::Pat(token.to_owned().into())), ..access(&azure.url()) }
}

fn client(azure: &Azure, token: &str) -> Arc<dyn AzureDevOps> {
    dial(&with_token(azure, token), Arc::new(SystemClock::default()))
}

async fn start(options: Options) -> Azure {
    Azure::start(options, Arc::new(SystemClock::default())).await
}

/// Every page of two.
macro_rules! every {
    ($page:ident => $call:expr) => {{
        let (mut from, mut all) = (None, Vec::new());
        loop {
            let $page = PageRequest { items_max: 2, from };
            let page = $call.await.unwrap();
            all.extend(page.items);
            from = page.next;
            if from.is_none() {
                break all;
            }
        }
    }};
}

#[tokio::test]
async fn everything_that_is_discovered_is_found_in_every_edition() {
    let editions = [
        (Options::services("fabrikam"), Deployment::Services, "7.1"),
        (Options::server("Coll", ServerVersion::V2022_1), Deployment::Server, "7.1"),
        (Options::server("Coll", ServerVersion::V2022), Deployment::Server, "7.0"),
        (Options::server("Coll", ServerVersion::V2020), Deployment::Server, "6.0"),
        (
            Options { virtual_directory: Some("tfs".to_owned()), ..Options::server("Coll", ServerVersion::V2019) },
            Deployment::Server,
            "5.0",
        ),
    ];
    for (options, deployment, version) in editions {
        let azure = start(options).await;
        let client = client(&azure, tokens::FULL);
        let data = client.connection_data().await.unwrap();
        assert_eq!((data.deployment, data.is_anonymous), (deployment, false));
        assert_eq!(client.api_version().await.unwrap().to_string(), version);

        let projects = every!(page => client.projects(page));
        let cafe = projects.iter().find(|project| project.name == "Fiber Café").unwrap();
        assert_eq!(client.project("fiber café").await.unwrap().id, cafe.id, "names have no case");
        let repositories = client.repositories(Some(&cafe.name)).await.unwrap();
        let shop = repositories.iter().find(|repository| repository.name == "web shop").unwrap();
        assert!(client.repositories(None).await.unwrap().len() > repositories.len());
        let id = cafe.id.to_string();
        let branches = every!(page => client.branches(&id, &shop.name, None, page));
        assert!(branches.iter().any(|branch| branch.name == "main"), "{branches:?}");
        let found = every!(page => client.branches(&id, &shop.name, Some("ai"), page));
        assert!(!found.is_empty() && found.iter().all(|branch| branch.name.contains("ai")), "{found:?}");
        let pipelines = every!(page => client.pipelines(&id, page));
        assert!(!pipelines.is_empty());
        assert!(!every!(page => client.release_definitions(&id, page)).is_empty());
        let types = client.work_item_types(&cafe.name).await.unwrap();
        let bug = types.iter().find(|kind| kind.name == "Bug").unwrap();
        assert!(bug.states.iter().any(|(_, category)| category.as_deref() == Some("Completed")), "{bug:?}");
        assert!(client.may(Permission::EditSubscriptions, Some(cafe.id)).await.unwrap());
    }
}

#[tokio::test]
async fn a_dead_token_is_unauthorized_however_the_server_says_it() {
    let azure = start(Options::services("fabrikam")).await;
    for refusal in [Refusal::SignInPage, Refusal::Redirect, Refusal::Unauthorized] {
        for suppress_is_ignored in [true, false] {
            azure.simulator.fail(|faults| {
                (faults.refusal, faults.suppress_is_ignored) = (refusal, suppress_is_ignored);
            });
            for token in [tokens::EXPIRED, "never-a-token"] {
                let failure = client(&azure, token).connection_data().await.unwrap_err();
                assert!(matches!(failure, Failure::Unauthorized { .. }), "{refusal:?} {failure:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_missing_scope_and_a_missing_permission_are_told() {
    let azure = start(Options::services("fabrikam")).await;
    for scope_refusal in [ScopeRefusal::Unauthorized, ScopeRefusal::Forbidden] {
        azure.simulator.fail(|faults| faults.scope_refusal = scope_refusal);
        let code = client(&azure, tokens::CODE_ONLY);
        assert!(code.connection_data().await.is_ok() && code.repositories(None).await.is_ok());
        let failure = code.pipelines("Fiber Café", PageRequest { items_max: 1, from: None }).await.unwrap_err();
        assert!(matches!(failure, Failure::Unauthorized { .. } | Failure::Forbidden { .. }), "{failure:?}");
    }
    let seer = client(&azure, tokens::WITHOUT_EDIT);
    assert!(!seer.may(Permission::EditSubscriptions, None).await.unwrap());
    assert!(seer.may(Permission::ViewSubscriptions, None).await.unwrap());
}

#[tokio::test]
async fn a_service_principal_gets_in() {
    let azure = start(Options::services("fabrikam")).await;
    let principal = Credential::ServicePrincipal {
        tenant: tokens::TENANT.to_owned(),
        client_id: tokens::CLIENT_ID.to_owned(),
        client_secret: tokens::CLIENT_SECRET.to_owned().into(),
        authority: azure.url().trim_end_matches("/fabrikam").parse().unwrap(),
    };
    let with = |credential| Access { credential: Some(credential), ..access(&azure.url()) };
    let client = dial(&with(principal.clone()), Arc::new(SystemClock::default()));
    assert!(client.connection_data().await.is_ok());
    let Credential::ServicePrincipal { tenant, client_id, authority, .. } = principal else { unreachable!() };
    let wrong = Credential::ServicePrincipal { tenant, client_id, authority, client_secret: "wrong".to_owned().into() };
    let failure = dial(&with(wrong), Arc::new(SystemClock::default())).connection_data().await.unwrap_err();
    let Failure::Unauthorized { detail: Some(detail) } = failure else { panic!("{failure:?}") };
    assert!(detail.contains("AADSTS"), "{detail}");
}

#[tokio::test]
async fn a_header_that_a_proxy_in_front_wants_is_sent_and_its_lack_is_told() {
    let required_headers = vec![("cf-access-client-id".to_owned(), "abc".to_owned())];
    let azure = start(Options { required_headers, ..Options::services("fabrikam") }).await;
    let without = with_token(&azure, tokens::FULL);
    let failure = dial(&without, Arc::new(SystemClock::default())).connection_data().await.unwrap_err();
    let Failure::Forbidden { detail: Some(detail), .. } = failure else { panic!("{failure:?}") };
    assert!(detail.contains("in front of it"), "{detail}");
    let with = Access { headers: vec![("CF-Access-Client-Id".to_owned(), "abc".to_owned().into())], ..without };
    assert!(dial(&with, Arc::new(SystemClock::default())).connection_data().await.is_ok());
}
