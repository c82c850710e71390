//! Whatever people, networks and time do to hooks at the simulated Azure DevOps: the reconciler ends at exactly what is
//! wanted, touches nothing of others, spends little, and no delivery is lost or doubled on the way.

use super::{
    acts::{Act, Call, Harm, PIPELINES, PROJECTS, REPOSITORIES, act, rule},
    witness::Witness,
};
use crate::real::{Real, SHOP, listing};
use hookwell::{
    azure::client::{Subscription, SubscriptionStatus},
    reconcile::Report,
    simulator::{Draft, Failing, Odds},
};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use uuid::Uuid;

/// Azure's own limit, and the window that it is counted in.
const TSTU_MAX: f64 = 200.0;
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// What is remembered besides what is there.
struct Model {
    real: Real,
    witness: Witness,
    /// A binding, and how to make something happen that it selects.
    bindings: Vec<(String, Act)>,
    /// Not to be touched, as they were made.
    foreign: BTreeMap<String, Subscription>,
    /// Switched off by a person, as they were then.
    off: BTreeMap<String, Subscription>,
    calm: bool,
    made: usize,
}

/// The key that a hook's user name says.
fn key_of(hook: &Subscription) -> &str {
    let name = &hook.consumer_inputs["basicAuthUsername"];
    name.strip_prefix("hookwell.").and_then(|rest| rest.rsplit_once('.')).unwrap().0
}

impl Model {
    async fn start() -> Self {
        let (real, witness) = (Real::start().await, Witness::default());
        // Deliveries come twice now and then, all the time: that is what Azure promises.
        real.simulator().fail(|faults| faults.hooks.duplicate = Odds::probability(0.2));
        let (bindings, foreign, off) = Default::default();
        Self { real, witness, bindings, foreign, off, calm: true, made: 0 }
    }

    async fn bind(&mut self, azure_project: &str, body: serde_json::Value, probe: Act) {
        // A project has one build and one issue provider, and selects nothing twice.
        self.made += 1;
        let binding = self.real.bind(&format!("project-{}", self.made), azure_project, body).await;
        self.bindings.push((binding, probe));
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::BindRepository(n) => {
                let (project, repository) = REPOSITORIES[n];
                let body = json!({ "role": "code_deployment", "repository": repository });
                self.bind(project, body, Act::Push(n)).await;
            }
            Act::BindPipelines(n) => {
                let (project, pipeline) = PIPELINES[n];
                let pipelines: Vec<&str> = pipeline.into_iter().collect();
                self.bind(project, json!({ "role": "build_provider", "pipelines": pipelines }), Act::Build(n)).await;
            }
            Act::BindWorkItems(n) => {
                self.bind(PROJECTS[n], json!({ "role": "issue_provider" }), Act::WorkItem(n)).await;
            }
            Act::Unbind(n) if !self.bindings.is_empty() => {
                let (binding, _) = self.bindings.remove(n % self.bindings.len());
                self.real.unbind(&binding).await;
            }
            Act::Unbind(_) => {}
            Act::Rotate => self.real.rotate().await,
            Act::AnotherPerson => {
                self.made += 1;
                self.real.change_token(self.made).await;
            }
            Act::Run => drop(self.run().await),
            Act::Minutes(minutes) => self.real.pass(Duration::from_mins(minutes.into())).await,
            Act::Weather(weather) => self.weather(&weather),
            Act::Harm(n, harm) => self.harm(n, harm),
            Act::Foreign { by_hand } => self.somebody_makes_one(by_hand),
            Act::Push(_) | Act::WorkItem(_) | Act::Build(_) => self.happen(&act).await,
        }
        self.witness.look(&self.real).await;
    }

    /// Something happens and is delivered; answers what is to become of it.
    async fn happen(&mut self, act: &Act) {
        let simulator = self.real.simulator();
        let project = |name: &str| simulator.project(name).unwrap();
        // Later than all before it, so that no two facts are of one moment.
        self.real.pass(Duration::from_secs(1)).await;
        match *act {
            Act::Push(n) => {
                let (name, repository) = REPOSITORIES[n];
                let repository = simulator.repository(project(name), repository).unwrap();
                self.made += 1;
                let number = simulator.push_commit(repository, "main", &format!("{}", self.made), &["/a"]).unwrap();
                self.witness.pushed(&self.real, project(name), repository, number);
            }
            Act::WorkItem(n) => {
                let project = project(PROJECTS[n]);
                let number = simulator.create_work_item(project, "Bug", "It is slow").unwrap();
                self.witness.work_item_created(&self.real, project, number);
            }
            Act::Build(n) => {
                let (name, pipeline) = PIPELINES[n];
                let pipeline = pipeline.unwrap_or(if name == SHOP { "nightly" } else { "builder CI" });
                let definition = simulator.definition(project(name), pipeline).unwrap();
                let build = simulator.queue_build(definition, "main").unwrap();
                simulator.start_build(build).unwrap();
                simulator.finish_build(build, "succeeded").unwrap();
                self.witness.build_finished(&self.real, project(name), pipeline, build);
            }
            _ => unreachable!("nothing else is something that happens there"),
        }
        self.real.pass(Duration::ZERO).await;
    }

    fn weather(&mut self, weather: &[(Call, Failing)]) {
        self.calm = weather.is_empty();
        self.real.simulator().fail(|faults| faults.rules = weather.iter().map(rule).collect());
    }

    fn harm(&mut self, n: usize, harm: Harm) {
        let ours: Vec<Subscription> =
            self.real.ours().into_iter().filter(|hook| !self.off.contains_key(&hook.id)).collect();
        if ours.is_empty() {
            return;
        }
        let hook = &ours[n % ours.len()];
        let (hooks, id): (_, Uuid) = (self.real.simulator().hooks(), hook.id.parse().unwrap());
        let set = |name: &'static str, change: &dyn Fn(&str) -> String| {
            hooks.edit(id, |draft: &mut Draft| {
                let value = draft.consumer_inputs.get_mut(name).unwrap();
                *value = change(value);
            });
        };
        match harm {
            Harm::Delete => drop(hooks.delete(id)),
            Harm::DisableBySystem => hooks.disable_by_system(id),
            Harm::PutOnProbation => hooks.put_on_probation(id),
            Harm::Duplicate => drop(hooks.duplicate(id)),
            Harm::Redirect => {
                set("url", &|url| format!("{url}{}by=hand", if url.contains('?') { '&' } else { '?' }));
            }
            Harm::MoveAway => {
                set("url", &|url| format!("http://127.0.0.1:1{}", url::Url::parse(url).unwrap().path()));
            }
            Harm::UserName => set("basicAuthUsername", &|name| format!("{}.99", name.rsplit_once('.').unwrap().0)),
            Harm::Narrow => drop(hooks.edit(id, |draft| {
                draft.publisher_inputs.insert("branch".to_owned(), "nobody/pushes/here".to_owned());
            })),
            Harm::Version => drop(hooks.edit(id, |draft| draft.resource_version = Some("latest".to_owned()))),
            Harm::DisableByUser => {
                hooks.disable_by_user(id);
                let hook = hooks.subscriptions().into_iter().find(|there| there.id == hook.id).unwrap();
                self.off.insert(hook.id.clone(), hook);
            }
        }
    }

    fn somebody_makes_one(&mut self, by_hand: bool) {
        let mut consumer_inputs = BTreeMap::new();
        if by_hand {
            consumer_inputs.insert("url".to_owned(), self.real.url.clone());
            consumer_inputs.insert("basicAuthUsername".to_owned(), "hookwell.manual.1".to_owned());
        } else {
            consumer_inputs.insert("url".to_owned(), "https://ci.example/hook".to_owned());
        }
        let draft = Draft {
            publisher: "tfs".to_owned(),
            event_type: "git.push".to_owned(),
            resource_version: Some("1.0".to_owned()),
            consumer: "webHooks".to_owned(),
            action: "httpRequest".to_owned(),
            publisher_inputs: [("branch".to_owned(), "nobody/pushes/here".to_owned())].into(),
            consumer_inputs,
        };
        let hooks = self.real.simulator().hooks();
        let id = hooks.create_foreign(draft, "juergen@fabrikam.example").to_string();
        let hook = hooks.subscriptions().into_iter().find(|there| there.id == id).unwrap();
        self.foreign.insert(id, hook);
    }

    /// A run, no sooner than the worker would make one, and what holds of every run.
    async fn run(&mut self) -> Report {
        self.real.pass(Duration::from_secs(30)).await;
        self.witness.look(&self.real).await;
        let before = self.real.simulator().calls().len();
        let report = self.real.run().await;
        let mut listings: BTreeMap<String, u32> = BTreeMap::new();
        // Those that came through: what fails on the way is tried again.
        for host in self.real.calls_since(before).iter().filter(|call| call.account.is_some()).filter_map(listing) {
            *listings.entry(host.to_owned()).or_default() += 1;
        }
        assert!(!self.calm || listings.values().all(|count| *count == 1), "{listings:?}");
        self.nothing_of_others_was_touched().await;
        report
    }

    async fn nothing_of_others_was_touched(&mut self) {
        let all = self.real.simulator().hooks().subscriptions();
        let there: BTreeMap<String, Subscription> = all.into_iter().map(|hook| (hook.id.clone(), hook)).collect();
        for (id, hook) in &self.foreign {
            assert_eq!(there.get(id), Some(hook), "somebody else's hook was touched");
        }
        // What a person switched off stays as long as somebody wants it.
        let rows = self.real.listed().await;
        let bound: BTreeSet<&str> = self.bindings.iter().map(|(id, _)| id.as_str()).collect();
        let serves = |row: &serde_json::Value| {
            row["bindings"].as_array().unwrap().iter().any(|id| bound.contains(id.as_str().unwrap()))
        };
        // A subscription is wanted no more where an unfiltered one serves its events, though its row stays while its deletion is not
        // known to have happened.
        let is_of = |row: &serde_json::Value, other: &serde_json::Value| {
            ["event_type", "azure_project"].iter().all(|name| row[*name] == other[*name])
        };
        let bare = |row: &serde_json::Value| row["filters"].as_object().unwrap().is_empty();
        let is_covered = |row: &serde_json::Value| {
            !bare(row) && rows.iter().any(|other| bare(other) && serves(other) && is_of(row, other))
        };
        let is_wanted = |row: &&serde_json::Value| serves(row) && !is_covered(row);
        let wanted: BTreeSet<&str> = rows.iter().filter(is_wanted).map(|row| row["key"].as_str().unwrap()).collect();
        self.off.retain(|id, hook| there.contains_key(id) || wanted.contains(key_of(hook)));
        for (id, hook) in &self.off {
            assert_eq!(there.get(id), Some(hook), "what a person switched off was touched");
        }
    }

    /// Calls work again, time passes, and the reconciler comes round until nothing is left to do.
    async fn settle(&mut self) {
        self.weather(&[]);
        let mut report = Report::default();
        for _ in 0..6 {
            self.real.pass(Duration::from_mins(15)).await;
            report = self.run().await;
            if report.troubles.is_empty() && report.steps.iter().all(|step| step.what == "leave") {
                return;
            }
        }
        panic!("it never settles: {report:?}");
    }

    /// Exactly one of each that is listed as wanted, as it should be.
    async fn exactly_what_is_wanted_is_there(&self) {
        let rows = self.real.listed().await;
        let mut there: BTreeMap<String, Vec<Subscription>> = BTreeMap::new();
        for hook in self.real.ours() {
            there.entry(key_of(&hook).to_owned()).or_default().push(hook);
        }
        let listed: BTreeSet<String> = rows.iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect();
        assert_eq!(there.keys().cloned().collect::<BTreeSet<_>>(), listed);
        let served: BTreeSet<&str> = rows
            .iter()
            .flat_map(|row| row["bindings"].as_array().unwrap())
            .map(|binding| binding.as_str().unwrap())
            .collect();
        assert_eq!(served, self.bindings.iter().map(|(id, _)| id.as_str()).collect());
        let connections = &self.real.gateway.app.directory().connections;
        let generation = connections[&self.real.connection].record.hook.current;
        for row in rows {
            let key = row["key"].as_str().unwrap();
            let (off, on): (Vec<_>, Vec<_>) =
                there[key].iter().partition(|hook| hook.status == SubscriptionStatus::DisabledByUser);
            assert!(off.iter().all(|hook| self.off.contains_key(&hook.id)));
            if on.is_empty() {
                assert_eq!((&row["state"], off.is_empty()), (&json!("disabled_by_user"), false), "{row}");
                continue;
            }
            assert_eq!((on.len(), &row["state"]), (1, &json!("active")), "{row} {on:?}");
            let hook = on[0];
            assert_eq!((hook.status, &row["azure_id"]), (SubscriptionStatus::Enabled, &json!(hook.id)));
            let query = row["reason"].as_str().map(|reason| format!("?reason={reason}")).unwrap_or_default();
            assert_eq!(hook.consumer_inputs["url"], format!("{}{query}", self.real.url));
            assert_eq!(hook.consumer_inputs["basicAuthUsername"], format!("hookwell.{key}.{generation}"));
            let kind = (&row["event_type"], &row["resource_version"]);
            assert_eq!(kind, (&json!(hook.event_type), &json!(hook.resource_version)));
            let mut inputs = hook.publisher_inputs.clone();
            inputs.retain(|name, _| !["tfsSubscriptionId", "hostId"].contains(&name.as_str()));
            assert_eq!(json!(inputs.remove("projectId")), row["azure_project"]);
            assert_eq!(json!(inputs), row["filters"]);
        }
    }

    /// All that was spent, in any five minutes.
    fn little_was_spent(&self) {
        let calls = self.real.simulator().calls();
        let (mut begin, mut spent) = (0, 0.0);
        for call in &calls {
            spent += call.tstu;
            while call.at.duration_since(calls[begin].at) >= WINDOW {
                spent -= calls[begin].tstu;
                begin += 1;
            }
            assert!(spent < TSTU_MAX, "{spent}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_there_it_settles_and_no_delivery_is_lost_or_doubled(
        acts in proptest::collection::vec(act(), 10..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::start().await;
            for act in acts {
                model.act(act).await;
            }
            model.settle().await;
            model.exactly_what_is_wanted_is_there().await;
            let probes: Vec<Act> = model.bindings.iter().map(|(_, probe)| probe.clone()).collect();
            for probe in probes {
                model.act(probe).await;
            }
            model.witness.everything_became_one_event(&model.real).await;
            model.little_was_spent();
        });
    }
}
