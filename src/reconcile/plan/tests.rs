use super::*;
use crate::{
    azure::CollectionUrl,
    domain::{Action, ConnectionId, Delivery, HookGeneration, HookMode, SubscriptionState},
    reconcile::hook::{consumer_inputs, publisher_inputs, url, user_name},
};

const IDENTITY: Uuid = Uuid::from_u128(100);
const PROJECT: Uuid = Uuid::from_u128(2);

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// A world to plan in: one connection, one wanted push, and what the test puts there.
struct World {
    connection: Connection,
    gateway: Url,
    wanted: BTreeMap<SubscriptionKey, Wanted>,
    records: BTreeMap<SubscriptionKey, Subscription>,
    listed: BTreeMap<Host, Vec<Found>>,
    uncertain: BTreeSet<SubscriptionKey>,
    unknown_uncertain: bool,
    subscriptions_max: usize,
}

fn spec(event_type: &str, publisher: &str, repository: Option<u128>) -> Spec {
    let filters = repository.map(|id| ("repository".to_owned(), Uuid::from_u128(id).to_string()));
    Spec {
        publisher: publisher.to_owned(),
        event_type: event_type.to_owned(),
        resource_version: "1.0".to_owned(),
        project: PROJECT,
        filters: filters.into_iter().collect(),
        reason: None,
    }
}

impl World {
    fn new() -> Self {
        let connection = Connection {
            id: ConnectionId(Uuid::from_u128(1)),
            name: "Fabrikam".into(),
            description: None,
            url: CollectionUrl::parse("https://dev.azure.com/fabrikam").unwrap(),
            token: None,
            service_principal: None,
            managed_identity: None,
            headers: vec![],
            ca_bundle: None,
            proxy: None,
            hooks: HookMode::Managed,
            accept_untrusted_certs: None,
            delivery: Delivery::Hooks,
            collection_id: None,
            hook: HookGeneration { current: 3, previous_until: None },
            signature: None,
            created_at: now(),
            updated_at: now(),
        };
        let mut world = Self {
            connection,
            gateway: "https://hooks.example.com".parse().unwrap(),
            wanted: BTreeMap::new(),
            records: BTreeMap::new(),
            listed: BTreeMap::from([(Host::Main, vec![]), (Host::Release, vec![])]),
            uncertain: BTreeSet::new(),
            unknown_uncertain: false,
            subscriptions_max: 1_000,
        };
        world.want(spec("git.push", "tfs", Some(3)));
        world
    }

    fn want(&mut self, spec: Spec) -> SubscriptionKey {
        let key = spec.key(self.connection.id);
        self.wanted.insert(key.clone(), Wanted { spec, bindings: BTreeSet::new() });
        key
    }

    fn key(&self) -> SubscriptionKey {
        spec("git.push", "tfs", Some(3)).key(self.connection.id)
    }

    /// As it should be, for this spec.
    fn healthy(&self, id: &str, spec: &Spec) -> Found {
        let key = spec.key(self.connection.id);
        let url = url(self.gateway.as_str(), self.connection.id, spec.reason);
        Found {
            id: id.to_owned(),
            publisher: spec.publisher.clone(),
            event_type: spec.event_type.clone(),
            resource_version: Some(spec.resource_version.clone()),
            status: SubscriptionStatus::Enabled,
            publisher_inputs: publisher_inputs(spec),
            consumer_inputs: consumer_inputs(url, user_name(&key, self.connection.hook.current), None),
            created_by: Some(IDENTITY),
            created_date: Some("2026-11-01T00:00:00Z".into()),
            modified_by: None,
            modified_date: None,
            unknown_status: None,
            last_success: None,
            probation_retries: None,
        }
    }

    fn push(&self, id: &str) -> Found {
        self.healthy(id, &spec("git.push", "tfs", Some(3)))
    }

    fn there(&mut self, found: Found) {
        self.listed.get_mut(&Host::of(&found.publisher)).unwrap().push(found);
    }

    fn remember(&mut self, id: &str) -> &mut Subscription {
        let (key, spec) = (self.key(), spec("git.push", "tfs", Some(3)));
        let azure = AtAzure {
            id: id.to_owned(),
            made_as: Some(IDENTITY),
            asked: None,
            tolerated: BTreeSet::new(),
            created_at: None,
            last_success: None,
        };
        let record = Subscription {
            connection: self.connection.id,
            key: key.clone(),
            spec,
            project_name: String::new(),
            names: BTreeMap::new(),
            bindings: BTreeSet::new(),
            azure: Some(azure),
            unheard: 0,
            state: SubscriptionState::Active,
            detail: None,
            last_action: None,
            last_error: None,
            last_arrival: None,
            updated_at: now(),
        };
        self.records.entry(key).or_insert(record)
    }

    fn plan(&self) -> Plan {
        plan(&Situation {
            connection: &self.connection,
            gateway: &self.gateway,
            identity: Some(IDENTITY),
            now: now(),
            wanted: &self.wanted,
            uncertain: &self.uncertain,
            unknown: &BTreeSet::new(),
            is_dim: false,
            unknown_uncertain: self.unknown_uncertain,
            records: &self.records,
            listed: &self.listed,
            subscriptions_max: self.subscriptions_max,
        })
    }

    /// Each step as "what id why".
    fn lines(&self) -> Vec<String> {
        let line = |step: &Step| {
            let (what, id) = match &step.what {
                What::Create => ("create", "-"),
                What::Adopt(found) => ("adopt", found.id.as_str()),
                What::Replace(found) => ("replace", found.id.as_str()),
                What::RemoveDuplicate(found) => ("remove duplicate", found.id.as_str()),
                What::RemoveUndesired(found) => ("remove undesired", found.id.as_str()),
                What::Leave(found) => ("leave", found.id.as_str()),
            };
            format!("{what} {id} {}", step.why.word())
        };
        self.plan().steps.iter().map(line).collect()
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn what_is_missing_is_made_and_what_is_there_is_adopted_then_left() {
    let mut world = World::new();
    assert_eq!(world.lines(), ["create - missing"]);
    world.there(world.push("a"));
    assert_eq!(world.lines(), ["adopt a found"]);
    world.remember("a");
    assert_eq!(world.lines(), NOTHING);
}

#[test]
fn every_drift_is_mended_by_making_it_anew() {
    type Change = fn(&mut Found);
    let cases: [(&str, Change); 16] = [
        ("url", |f| drop(f.consumer_inputs.insert("url".into(), "https://elsewhere.example/".into()))),
        ("url", |f| f.consumer_inputs.get_mut("url").unwrap().push_str("?reason=PushNotification")),
        ("inputs", |f| drop(f.publisher_inputs.insert("branch".into(), "main".into()))),
        ("inputs", |f| drop(f.publisher_inputs.insert("repository".into(), String::new()))),
        ("inputs", |f| drop(f.consumer_inputs.insert("resourceDetailsToSend".into(), "minimal".into()))),
        ("inputs", |f| drop(f.consumer_inputs.insert("basicAuthUsername".into(), "someone".into()))),
        ("version", |f| f.resource_version = Some("3.0-preview.1".into())),
        ("generation", |f| {
            let name = f.consumer_inputs.get_mut("basicAuthUsername").unwrap();
            *name = name.replace(".3", ".2");
        }),
        ("owner", |f| f.created_by = Some(Uuid::from_u128(7))),
        ("on_probation", |f| f.status = SubscriptionStatus::OnProbation),
        ("disabled_by_system", |f| f.status = SubscriptionStatus::DisabledBySystem),
        ("disabled_by_inactive_identity", |f| f.status = SubscriptionStatus::DisabledByInactiveIdentity),
        // What is no drift: what the server adds, writes otherwise or does not say.
        ("", |f| drop(f.publisher_inputs.insert("tfsSubscriptionId".into(), "x".into()))),
        ("", |f| drop(f.consumer_inputs.insert("resourceDetailsToSend".into(), String::new()))),
        ("", |f| f.resource_version = None),
        ("", |f| f.created_by = None),
    ];
    for (why, change) in cases {
        let mut world = World::new();
        let mut found = world.push("a");
        change(&mut found);
        world.remember("a").azure.as_mut().unwrap().made_as = None;
        world.there(found.clone());
        let expected: Vec<String> = if why.is_empty() { vec![] } else { vec![format!("replace a {why}")] };
        assert_eq!(world.lines(), expected, "{found:?}");
    }
}

#[test]
fn who_made_it_counts_more_than_what_the_server_calls_its_creator() {
    let mut world = World::new();
    world.there(Found { created_by: Some(Uuid::from_u128(7)), ..world.push("a") });
    world.remember("a");
    assert_eq!(world.lines(), NOTHING, "a server that names another creator would have it made anew for ever");
    world.remember("a").azure.as_mut().unwrap().made_as = Some(Uuid::from_u128(8));
    assert_eq!(world.lines(), ["replace a owner"]);
}

#[test]
fn what_the_server_made_of_it_is_tolerated_as_long_as_the_same_is_asked() {
    let mut world = World::new();
    world.there(Found { resource_version: Some("1.0-preview.1".into()), ..world.push("a") });
    let asked = asked(&world.gateway, &world.connection, &spec("git.push", "tfs", Some(3)));
    let azure = world.remember("a").azure.as_mut().unwrap();
    (azure.asked, azure.tolerated) = (Some(asked), BTreeSet::from([Why::Version]));
    assert_eq!(world.lines(), NOTHING);
    world.wanted.values_mut().for_each(|wanted| wanted.spec.resource_version = "2.0".into());
    assert_eq!(world.lines(), ["replace a version"]);
}

#[test]
fn what_did_not_help_is_not_done_again_at_once() {
    let mut world = World::new();
    world.there(Found { status: SubscriptionStatus::OnProbation, ..world.push("a") });
    let replaced = |ago: Duration, why| Some(Action { at: now() - ago, what: Deed::Replaced, why });
    world.remember("a").last_action = replaced(AGAIN_AFTER / 2, Why::OnProbation);
    assert_eq!(world.lines(), ["leave a on_probation"]);
    world.remember("a").last_action = replaced(AGAIN_AFTER, Why::OnProbation);
    assert_eq!(world.lines(), ["replace a on_probation"]);
    world.remember("a").last_action = replaced(Duration::ZERO, Why::Url);
    assert_eq!(world.lines(), ["replace a on_probation"]);
}

#[test]
fn what_a_person_switched_off_is_left_whatever_else_it_is() {
    let mut world = World::new();
    let mut found = Found { status: SubscriptionStatus::DisabledByUser, ..world.push("a") };
    found.consumer_inputs.insert("url".into(), "https://elsewhere.example/".into());
    world.remember("a");
    world.there(found);
    assert_eq!(world.lines(), ["leave a disabled_by_user"]);
}

#[test]
fn of_several_the_best_stays_and_what_a_person_switched_off_is_not_touched() {
    let mut world = World::new();
    world.there(Found { status: SubscriptionStatus::OnProbation, ..world.push("a") });
    world.there(Found { status: SubscriptionStatus::DisabledByUser, ..world.push("b") });
    world.there(Found { resource_version: Some("9".into()), ..world.push("c") });
    world.there(world.push("d"));
    world.there(world.push("e"));
    world.remember("e");
    assert_eq!(
        world.lines(),
        [
            "remove duplicate d duplicate",
            "remove duplicate c duplicate",
            "remove duplicate a duplicate",
            "leave b disabled_by_user"
        ]
    );
    world.remember("e");
    let all = world.listed.get_mut(&Host::Main).unwrap();
    all.retain(|found| *found.id < *"d");
    assert_eq!(world.lines(), ["replace c version", "remove duplicate a duplicate", "leave b disabled_by_user"]);
}

#[test]
fn hooks_of_others_are_not_touched() {
    let mut world = World::new();
    world.wanted.clear();
    let edited = |id: &str, name: &str, value: &str| {
        let mut found = world.push(id);
        found.consumer_inputs.insert(name.into(), value.into());
        found
    };
    let elsewhere = format!("https://hooks.example.com/hooks/azure-devops/{}", Uuid::from_u128(9));
    let foreign = [
        edited("a", "basicAuthUsername", "hookwell.manual.1"),
        edited("b", "basicAuthUsername", "somebody"),
        edited("c", "basicAuthUsername", "hookwell.0123456789abcdeX.1"),
        edited("d", "basicAuthUsername", "hookwell.0123456789abcdef.x"),
        edited("e", "url", "https://other.example/"),
        edited("f", "url", &elsewhere),
        edited("g", "url", "not a url"),
    ];
    for found in foreign {
        world.there(found);
    }
    assert_eq!(world.lines(), NOTHING);
    // Ours, wherever the gateway was reached when it was made.
    let old = format!("http://old.example/base/hooks/azure-devops/{}?reason=x", world.connection.id);
    world.there({
        let mut found = world.push("h");
        found.consumer_inputs.insert("url".into(), old);
        found
    });
    assert_eq!(world.lines(), ["remove undesired h undesired"]);
    // A hook that a person took over is theirs even if we remember it.
    world.listed.get_mut(&Host::Main).unwrap().retain(|found| found.id == "a");
    world.remember("a");
    assert_eq!(world.lines(), NOTHING);
    // One that we remember is ours although somebody changed all of it.
    world.there(Found { consumer_inputs: BTreeMap::new(), ..world.push("i") });
    world.remember("a").azure.as_mut().unwrap().id = "I".into();
    assert_eq!(world.lines(), ["remove undesired i undesired"]);
}

#[test]
fn a_host_that_could_not_be_listed_has_no_steps() {
    let mut world = World::new();
    let release = spec("ms.vss-release.release-created-event", "rm", None);
    world.want(release.clone());
    world.listed.remove(&Host::Main);
    assert_eq!(world.lines(), ["create - missing"]);
    assert_eq!(world.plan().steps[0].key, release.key(world.connection.id));
    world.listed.clear();
    assert_eq!(world.lines(), NOTHING);
}

#[test]
fn one_that_a_server_lists_for_every_publisher_is_one() {
    let mut world = World::new();
    world.remember("a");
    for host in [Host::Main, Host::Release] {
        let found = world.push("a");
        world.listed.get_mut(&host).unwrap().push(found);
    }
    assert_eq!(world.lines(), NOTHING);
}

#[test]
fn what_may_be_wanted_is_not_removed() {
    let mut world = World::new();
    let key = world.key();
    world.wanted.clear();
    world.there(world.push("a"));
    world.remember("a");
    world.uncertain.insert(key);
    assert_eq!(world.lines(), NOTHING);
    world.uncertain.clear();
    world.unknown_uncertain = true;
    assert_eq!(world.lines(), ["remove undesired a undesired"]);
    world.records.clear();
    assert_eq!(world.lines(), NOTHING, "without a record nobody knows whom it serves");
}

#[test]
fn a_run_makes_only_so_many_and_leaves_the_rest_to_the_next() {
    let mut world = World::new();
    for repository in 0..u128::try_from(CREATIONS_PER_RUN_MAX).unwrap() + 9 {
        world.want(spec("git.push", "tfs", Some(1_000 + repository)));
    }
    let plan = world.plan();
    assert_eq!((plan.steps.len(), plan.deferred.len()), (CREATIONS_PER_RUN_MAX, 10));
    world.subscriptions_max = 5;
    let plan = world.plan();
    assert_eq!((plan.steps.len(), plan.too_many), (5, CREATIONS_PER_RUN_MAX + 5));
}

#[test]
fn the_wider_and_the_narrower_stand_in_for_each_other() {
    let world = World::new();
    let (all, one, other) =
        (spec("git.push", "tfs", None), spec("git.push", "tfs", Some(3)), spec("git.push", "tfs", Some(4)));
    let found = |spec: &Spec| world.healthy("a", spec);
    assert!(stands_in_for(&found(&one), &all) && stands_in_for(&found(&all), &one));
    assert!(!stands_in_for(&found(&one), &other));
    assert!(!stands_in_for(&found(&all), &spec("git.pull", "tfs", None)));
    assert!(!stands_in_for(&found(&all), &Spec { project: Uuid::from_u128(9), ..all.clone() }));
}
