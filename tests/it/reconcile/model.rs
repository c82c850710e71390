//! Whatever happens, and whatever fails meanwhile: once calls work again, what is at Azure DevOps is exactly what the
//! bindings want. On the way no hook that delivers is taken away before another one does, and nobody else's is touched.

use super::{
    Pair,
    azure::{Fate, PROJECT, World, forbidden, unavailable},
};
use hookwell::{
    azure::client::{Failure, Subscription, SubscriptionDraft, SubscriptionStatus},
    domain::{Spec, SubscriptionKey, UpdateReason},
};
use proptest::prelude::*;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use uuid::Uuid;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Act {
    BindRepository(u8),
    BindPipelines(Option<u8>),
    BindWorkItems,
    Unbind(usize),
    Rotate,
    AnotherIdentity,
    Run,
    Minutes(u8),
    /// Calls meet these, then go well.
    Fate(Vec<Fate>),
    FateOfChanges(Vec<Fate>),
    /// To one of the hooks that are there.
    Delete(usize),
    Status(usize, SubscriptionStatus),
    Duplicate(usize),
    MoveAway(usize),
    Filter(usize),
    Version(usize),
    /// A person makes a hook theirs.
    TakeOver(usize),
    Foreign,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Well),
        2 => Just(Fate::Unheard),
        2 => Just(Fate::Fails(unavailable())),
        1 => Just(Fate::Fails(forbidden())),
        1 => Just(Fate::Fails(Failure::NotFound { detail: None })),
        1 => Just(Fate::Fails(Failure::Unauthorized { detail: None })),
        1 => Just(Fate::Fails(Failure::Throttled { wait: Duration::from_secs(30) })),
        1 => Just(Fate::Fails(Failure::Refused { kind: None, detail: None })),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let status = prop_oneof![
        Just(SubscriptionStatus::OnProbation),
        Just(SubscriptionStatus::DisabledBySystem),
        Just(SubscriptionStatus::DisabledByUser),
        Just(SubscriptionStatus::DisabledByInactiveIdentity),
    ];
    prop_oneof![
        4 => (0..4_u8).prop_map(Act::BindRepository),
        2 => proptest::option::of(1..4_u8).prop_map(Act::BindPipelines),
        1 => Just(Act::BindWorkItems),
        3 => any::<usize>().prop_map(Act::Unbind),
        1 => Just(Act::Rotate),
        1 => Just(Act::AnotherIdentity),
        6 => Just(Act::Run),
        2 => (1..20_u8).prop_map(Act::Minutes),
        2 => proptest::collection::vec(fate(), 1..30).prop_map(Act::Fate),
        4 => proptest::collection::vec(fate(), 1..20).prop_map(Act::FateOfChanges),
        2 => any::<usize>().prop_map(Act::Delete),
        2 => (any::<usize>(), status).prop_map(|(hook, status)| Act::Status(hook, status)),
        1 => any::<usize>().prop_map(Act::Duplicate),
        1 => any::<usize>().prop_map(Act::MoveAway),
        1 => any::<usize>().prop_map(Act::Filter),
        1 => any::<usize>().prop_map(Act::Version),
        1 => any::<usize>().prop_map(Act::TakeOver),
        1 => Just(Act::Foreign),
    ]
}

/// What the model remembers besides what is there.
struct Model {
    pair: Pair,
    /// Binding and what it wants.
    bindings: Vec<(String, Vec<Spec>)>,
    /// Not to be touched, as they were last.
    foreign: BTreeMap<String, Subscription>,
    projects: u32,
}

fn spec(publisher: &str, event_type: &str, version: &str, filters: &[(&str, String)]) -> Spec {
    let reason = filters.iter().find(|(name, _)| *name == "notificationType");
    Spec {
        publisher: publisher.to_owned(),
        event_type: event_type.to_owned(),
        resource_version: version.to_owned(),
        project: PROJECT,
        filters: filters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        reason: reason.and_then(|(_, word)| UpdateReason::from_word(word)),
    }
}

fn repository_specs(n: u8) -> Vec<Spec> {
    let by = ("repository", Uuid::from_u128(0xb0 + u128::from(n)).to_string());
    let plain = [
        ("git.push", "1.0"),
        ("git.pullrequest.created", "1.0"),
        ("git.pullrequest.merged", "1.0"),
        ("ms.vss-code.git-pullrequest-comment-event", "2.0"),
        ("git.repo.renamed", "1.0-preview.1"),
        ("git.repo.deleted", "1.0-preview.1"),
        ("git.repo.statuschanged", "1.0-preview.1"),
    ];
    let reasons =
        ["PushNotification", "ReviewersUpdateNotification", "StatusUpdateNotification", "ReviewerVoteNotification"];
    let plain = plain.map(|(event_type, version)| spec("tfs", event_type, version, std::slice::from_ref(&by)));
    let updated = reasons.map(|reason| {
        spec("tfs", "git.pullrequest.updated", "1.0", &[by.clone(), ("notificationType", reason.to_owned())])
    });
    plain.into_iter().chain(updated).collect()
}

fn pipeline_specs(pipeline: Option<u8>) -> Vec<Spec> {
    let by = |name, value: &dyn Fn(u8) -> String| pipeline.map(|n| (name, value(n))).into_iter().collect::<Vec<_>>();
    let runs = [
        "ms.vss-pipelines.run-state-changed-event",
        "ms.vss-pipelines.stage-state-changed-event",
        "ms.vss-pipelinechecks-events.approval-pending",
        "ms.vss-pipelinechecks-events.approval-completed",
    ];
    let releases = [
        "release-created-event",
        "release-abandoned-event",
        "deployment-started-event",
        "deployment-completed-event",
        "deployment-approval-pending-event",
        "deployment-approval-completed-event",
    ];
    let mut all = vec![spec("tfs", "build.complete", "2.0", &by("definitionName", &|n| format!("pipeline-{n}")))];
    all.extend(
        runs.map(|event_type| spec("pipelines", event_type, "5.1-preview.1", &by("pipelineId", &|n| n.to_string()))),
    );
    // Pipeline 1 is the number of a release too.
    if pipeline.is_none_or(|n| n == 1) {
        let filters = by("releaseDefinitionId", &|n| n.to_string());
        all.extend(releases.map(|name| spec("rm", &format!("ms.vss-release.{name}"), "3.0-preview.1", &filters)));
    }
    all
}

fn work_item_specs() -> Vec<Spec> {
    ["created", "updated", "commented", "deleted", "restored"]
        .map(|what| spec("tfs", &format!("workitem.{what}"), "5.1-preview.3", &[]))
        .into()
}

/// The key that a hook's user name says, where it is one of ours.
fn key_of(hook: &Subscription) -> Option<SubscriptionKey> {
    let name = hook.consumer_inputs.get("basicAuthUsername")?;
    name.strip_prefix("hookwell.")?.rsplit_once('.')?.0.parse().ok()
}

impl Model {
    async fn start() -> Self {
        Self { pair: Pair::start().await, bindings: vec![], foreign: BTreeMap::new(), projects: 0 }
    }

    async fn bind(&mut self, body: serde_json::Value, specs: Vec<Spec>) {
        // A project has one build and one issue provider, and selects nothing twice.
        self.projects += 1;
        let project = format!("project-{}", self.projects);
        self.pair.gateway.project(&project).await;
        self.bindings.push((self.pair.bind(&project, body).await, specs));
    }

    /// What all bindings together want, by key; what is not filtered serves those who filter.
    fn wanted(&self) -> BTreeMap<SubscriptionKey, Spec> {
        let all: Vec<&Spec> = self.bindings.iter().flat_map(|(_, specs)| specs).collect();
        let unfiltered: BTreeSet<&str> =
            all.iter().filter(|spec| spec.filters.is_empty()).map(|spec| spec.event_type.as_str()).collect();
        let kept =
            all.into_iter().filter(|spec| spec.filters.is_empty() || !unfiltered.contains(spec.event_type.as_str()));
        kept.map(|spec| (spec.key(self.pair.connection), spec.clone())).collect()
    }

    /// The bindings that a subscription serves, as it was written down.
    fn serves(&self, key: &SubscriptionKey) -> BTreeSet<String> {
        let directory = self.pair.gateway.app.directory();
        let record = directory.subscriptions_of(self.pair.connection).find(|kept| kept.record.key == *key);
        record.map(|kept| kept.record.bindings.iter().map(ToString::to_string).collect()).unwrap_or_default()
    }

    /// Those that want it.
    fn wanting(&self, spec: &Spec) -> BTreeSet<String> {
        let wants = |other: &Spec| {
            let narrower = spec.filters.is_empty() && other.event_type == spec.event_type;
            narrower || other == spec
        };
        let wanting = self.bindings.iter().filter(|(_, specs)| specs.iter().any(wants));
        wanting.map(|(id, _)| id.clone()).collect()
    }

    /// One of the hooks that are ours, if there is any.
    fn pick(&self, n: usize) -> Option<Subscription> {
        let ours: Vec<Subscription> =
            self.pair.hooks().into_iter().filter(|hook| !self.foreign.contains_key(&hook.id)).collect();
        (!ours.is_empty()).then(|| ours[n % ours.len()].clone())
    }

    /// From now on a hook is somebody else's.
    fn give_away(&mut self, hook: Subscription) {
        self.pair.azure.world().hooks.insert(hook.id.clone(), hook.clone());
        self.foreign.insert(hook.id.clone(), hook);
    }

    /// No hook that delivers to a binding may go before another one delivers the same. (A binding that could never yet be
    /// resolved has no hook: whether it wants those that another one left behind, nobody knows.)
    fn watch(&self) {
        let (wanted, url) = (self.wanted(), self.pair.url.clone());
        let directory = self.pair.gateway.app.directory();
        let records = directory.subscriptions_of(self.pair.connection).map(|kept| &kept.record);
        // What must be there when one of this key goes: the same, or what is now wanted in its place.
        let successors = records.map(|record| {
            let serves = |spec: &Spec| !self.serves(&record.key).is_disjoint(&self.wanting(spec));
            let instead = |spec: &Spec| {
                let overlaps = spec.filters.is_empty() || record.spec.filters.is_empty() || *spec == record.spec;
                spec.event_type == record.spec.event_type && overlaps && serves(spec)
            };
            let keys = wanted.iter().filter(|(_, spec)| instead(spec)).map(|(key, _)| key.clone());
            (record.key.clone(), keys.collect::<Vec<_>>())
        });
        let successors: BTreeMap<SubscriptionKey, Vec<SubscriptionKey>> = successors.collect();
        let delivers = move |hook: &Subscription| {
            let whole = hook.consumer_inputs["url"].starts_with(&url) && !hook.publisher_inputs.contains_key("branch");
            whole && hook.status == SubscriptionStatus::Enabled
        };
        let witness = move |world: &World, gone: &Subscription| {
            let all = key_of(gone).filter(|_| delivers(gone)).and_then(|key| successors.get(&key));
            for key in all.into_iter().flatten() {
                // One that a person switched off is there by their will.
                let there = |hook: &Subscription| delivers(hook) || hook.status == SubscriptionStatus::DisabledByUser;
                let other = world.hooks.values().any(|hook| there(hook) && key_of(hook).as_ref() == Some(key));
                assert!(other, "{gone:?} was deleted and nothing took its place");
            }
        };
        self.pair.azure.world().witness = Some(Box::new(witness));
    }

    async fn run(&mut self) {
        self.watch();
        let before = self.pair.azure.world().calls.clone();
        self.pair.run().await;
        let world = self.pair.azure.world();
        for listing in ["list main", "list release"] {
            let count = |calls: &BTreeMap<&str, u32>| calls.get(listing).copied().unwrap_or_default();
            assert!(count(&world.calls) <= count(&before) + 1, "a run lists a host once at most");
        }
        for (id, hook) in &self.foreign {
            assert_eq!(world.hooks.get(id), Some(hook), "somebody else's hook was touched");
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::BindRepository(n) => {
                let body = json!({ "role": "code_deployment", "repository": format!("repo-{n}") });
                self.bind(body, repository_specs(n)).await;
            }
            Act::BindPipelines(pipeline) => {
                let pipelines: Vec<String> = pipeline.iter().map(ToString::to_string).collect();
                self.bind(json!({ "role": "build_provider", "pipelines": pipelines }), pipeline_specs(pipeline)).await;
            }
            Act::BindWorkItems => self.bind(json!({ "role": "issue_provider" }), work_item_specs()).await,
            Act::Unbind(n) if !self.bindings.is_empty() => {
                let (id, _) = self.bindings.remove(n % self.bindings.len());
                self.pair.unbind(&id).await;
            }
            Act::Unbind(_) => {}
            Act::Rotate => self.pair.rotate().await,
            Act::AnotherIdentity => {
                let mut world = self.pair.azure.world();
                world.identity = Uuid::from_u128(3 - world.identity.as_u128());
            }
            Act::Run => self.run().await,
            Act::Minutes(minutes) => self.pair.advance(Duration::from_mins(minutes.into())),
            Act::Fate(fate) => self.pair.azure.world().fate = fate,
            Act::FateOfChanges(fate) => self.pair.azure.world().fate_of_changes = fate,
            Act::Foreign => {
                let hook = self.pair.azure.world().add(&foreign_draft());
                self.give_away(hook);
            }
            Act::Delete(n) => {
                if let Some(hook) = self.pick(n) {
                    self.pair.azure.world().hooks.remove(&hook.id);
                }
            }
            other => self.damage(other),
        }
    }

    /// What somebody does to one of our hooks behind our back.
    fn damage(&mut self, act: Act) {
        let (Act::Status(n, _)
        | Act::Duplicate(n)
        | Act::MoveAway(n)
        | Act::Filter(n)
        | Act::Version(n)
        | Act::TakeOver(n)) = act
        else {
            return;
        };
        let Some(mut hook) = self.pick(n) else { return };
        match act {
            Act::Status(_, status) => hook.status = status,
            Act::Duplicate(_) => hook.id = Uuid::new_v4().to_string(),
            Act::MoveAway(_) => {
                let url = hook.consumer_inputs.get_mut("url").unwrap();
                *url = url.replace("hooks.example.com", "old.example.com");
            }
            Act::Filter(_) => drop(hook.publisher_inputs.insert("branch".to_owned(), "main".to_owned())),
            Act::Version(_) => hook.resource_version = Some("0.9".to_owned()),
            _ => {
                hook.consumer_inputs.insert("basicAuthUsername".to_owned(), "hookwell.manual.1".to_owned());
                return self.give_away(hook);
            }
        }
        self.pair.azure.world().hooks.insert(hook.id.clone(), hook);
    }

    /// Calls work again, time passes, and the reconciler comes round a few times.
    async fn settle(&mut self) {
        {
            let mut world = self.pair.azure.world();
            world.fate.clear();
            world.fate_of_changes.clear();
        }
        for _ in 0..3 {
            self.pair.advance(Duration::from_mins(15));
            self.run().await;
        }
        let report = self.pair.run().await;
        let left: Vec<_> = report.steps.iter().filter(|step| step.what != "leave").collect();
        assert!(left.is_empty(), "it never settles: {left:?}");
        assert!(report.troubles.is_empty(), "{:?}", report.troubles);
    }

    fn check(&self) {
        let (wanted, generation) = (self.wanted(), self.generation());
        let world = self.pair.azure.world();
        let mut there: BTreeMap<SubscriptionKey, Vec<&Subscription>> = BTreeMap::new();
        for hook in world.hooks.values().filter(|hook| !self.foreign.contains_key(&hook.id)) {
            there.entry(key_of(hook).expect("ours says its key")).or_default().push(hook);
        }
        assert_eq!(there.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "exactly what is wanted");
        for (key, hooks) in there {
            assert_eq!(self.serves(&key), self.wanting(&wanted[&key]), "it is written down whom it serves");
            let (off, on): (Vec<_>, Vec<_>) =
                hooks.into_iter().partition(|hook| hook.status == SubscriptionStatus::DisabledByUser);
            assert!(on.len() == 1 || (on.is_empty() && !off.is_empty()), "one of each: {on:?} {off:?}");
            for hook in on {
                let spec = &wanted[&key];
                let query = spec.reason.map(|reason| format!("?reason={}", reason.word())).unwrap_or_default();
                assert_eq!(hook.consumer_inputs["url"], format!("{}{query}", self.pair.url));
                assert_eq!(hook.consumer_inputs["basicAuthUsername"], format!("hookwell.{key}.{generation}"));
                assert_eq!(hook.resource_version.as_deref(), Some(spec.resource_version.as_str()));
                assert_eq!((hook.status, hook.created_by), (SubscriptionStatus::Enabled, Some(world.identity)));
                let mut inputs = hook.publisher_inputs.clone();
                inputs.retain(|name, _| !["projectId", "tfsSubscriptionId"].contains(&name.as_str()));
                assert_eq!(inputs, spec.filters);
                let password =
                    self.pair.gateway.app.hook_key.hook_password(self.pair.connection, key.as_str(), generation);
                // A copy that somebody made of a hook has the password of its original.
                assert!(world.passwords.get(&hook.id).is_none_or(|there| *there == password));
            }
        }
    }

    fn generation(&self) -> u32 {
        self.pair.gateway.app.directory().connections[&self.pair.connection].record.hook.current
    }
}

fn foreign_draft() -> SubscriptionDraft {
    let mut draft = SubscriptionDraft {
        publisher: "tfs".to_owned(),
        event_type: "git.push".to_owned(),
        resource_version: "1.0".to_owned(),
        publisher_inputs: BTreeMap::new(),
        consumer_inputs: BTreeMap::new(),
        password: String::new().into(),
    };
    draft.publisher_inputs.insert("projectId".to_owned(), PROJECT.to_string());
    draft.consumer_inputs.insert("url".to_owned(), "https://ci.example/hook".to_owned());
    draft
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_it_settles_at_exactly_what_is_wanted(acts in proptest::collection::vec(act(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::start().await;
            for act in acts {
                model.act(act).await;
            }
            model.settle().await;
            model.check();
        });
    }
}
