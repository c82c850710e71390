//! What is there from the beginning: a small company's organization, with what makes clients stumble.

use super::{Edit, Impossible, MergeStrategy, People, RefChange, World};
use crate::simulator::people::{ANA, JUERGEN, MEI, Person, SAM, Scope, Token, TokenState, hook_rights, tokens};
use jiff::SignedDuration;
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Between two things of the past.
const STEP: SignedDuration = SignedDuration::from_mins(37);

impl World {
    pub(super) fn populate(&mut self) {
        self.hire();
        self.now -= STEP * 60;
        let (shop, tools) = (
            self.create_project("Fiber Café", Some("The shop, its checkout and its coffee.")),
            self.create_project("Tools", Some("What the others are made with.")),
        );
        self.create_project("Museum", None);
        self.past(shop, tools).expect("the past happened");
    }

    /// Time goes on.
    fn later(&mut self) {
        self.now += STEP;
    }

    fn hire(&mut self) {
        let person = |name, account| Person::new(self.collection, name, account);
        let owner = |name, account| Person {
            hook_rights: BTreeMap::from([(None, hook_rights::ALL)]),
            ..Person::new(self.collection, name, account)
        };
        let service = Person { ..owner("Gateway", tokens::CLIENT_ID) };
        self.people = People::new(vec![
            owner("Ana Souza", ANA),
            owner("Jürgen Weiß", JUERGEN),
            person("Mei Chen", MEI),
            person("Sam Okafor", SAM),
            service,
        ]);
        let all = [Scope::Code, Scope::Build, Scope::Work, Scope::Project, Scope::Profile];
        let rows: [(&str, &str, Option<Vec<Scope>>, TokenState); 7] = [
            (tokens::FULL, ANA, None, TokenState::Live),
            (tokens::CODE_ONLY, ANA, Some(vec![Scope::Code]), TokenState::Live),
            (tokens::BUILD_ONLY, ANA, Some(vec![Scope::Build]), TokenState::Live),
            (tokens::WORK_ONLY, ANA, Some(vec![Scope::Work]), TokenState::Live),
            (tokens::WITHOUT_RELEASE, JUERGEN, Some(all.to_vec()), TokenState::Live),
            (tokens::WITHOUT_EDIT, MEI, None, TokenState::Live),
            (tokens::EXPIRED, SAM, None, TokenState::Expired),
        ];
        for (text, account, scopes, state) in rows {
            self.tokens.insert(text.to_owned(), Token { person: account.into(), scopes, state, expires: None });
        }
    }

    fn past(&mut self, shop: Uuid, tools: Uuid) -> Result<(), Impossible> {
        let (ana, juergen) = (self.person_or_first(ANA), self.person_or_first(JUERGEN));
        let web = self.create_repository(shop, "web shop");
        let roastery = self.create_repository(shop, "röstplan");
        self.create_repository(shop, "empty");
        let attic = self.create_repository(shop, "attic");
        let builder = self.create_repository(tools, "builder");
        for (repository, paths) in [
            (web, &["/README.md", "/src/checkout.rs"][..]),
            (roastery, &["/plan.md"][..]),
            (attic, &["/old.txt"][..]),
            (builder, &["/build.sh", "/azure-pipelines.yml"][..]),
        ] {
            self.later();
            self.push(repository, ana, &[commit("main", "Begin", paths)])?;
        }
        self.later();
        self.push(web, juergen, &[commit("main", "Cache the price list", &["/src/checkout.rs", "/src/prices.rs"])])?;
        self.later();
        self.push(web, juergen, &[RefChange::Tag { tag: "v1.3.0".to_owned() }])?;
        self.disable_repository(attic, true)?;
        for n in 1..=3 {
            self.later();
            let branch = format!("feature/{n}");
            self.push(web, ana, &[commit(&branch, &format!("Try idea {n}"), &[&format!("/src/idea{n}.rs")])])?;
        }
        self.later();
        self.work(shop, juergen)?;
        let pull_request = self.create_pull_request(web, ana, (None, "feature/1"), "main", "Faster checkout")?;
        self.set_reviewers(pull_request, &[juergen])?;
        self.vote(pull_request, juergen, 10)?;
        self.later();
        self.complete(pull_request, juergen, MergeStrategy::default(), true)?;
        let open = self.create_pull_request(web, juergen, (None, "feature/2"), "main", "Second idea")?;
        self.comment_pull_request(open, ana, "Why not the third one?")?;
        self.pipelines(shop, web, builder, ana)
    }

    fn pipelines(&mut self, shop: Uuid, web: Uuid, builder: Uuid, ana: Uuid) -> Result<(), Impossible> {
        let ci = self.create_definition(web, "web shop CI", "\\", &["Build", "Deploy to production"])?;
        self.create_definition(web, "nightly", "\\Nightly", &["__default"])?;
        let other = self.create_definition(builder, "builder CI", "\\", &["__default"])?;
        let mut last = 0;
        for (definition, result) in
            [(ci, "succeeded"), (ci, "failed"), (other, "succeeded"), (ci, "partiallySucceeded"), (ci, "succeeded")]
        {
            self.later();
            last = self.queue_build(definition, "main", "individualCI", ana)?;
            self.start_build(last)?;
            let stages: Vec<String> = self.builds[&last].stages.iter().map(|stage| stage.name.clone()).collect();
            for stage in stages.iter().take(if result == "failed" { 1 } else { stages.len() }) {
                self.now += SignedDuration::from_mins(2);
                self.move_stage(last, stage, "running", None)?;
                self.now += SignedDuration::from_mins(2);
                let of_stage = if result == "failed" { "failed" } else { "succeeded" };
                self.move_stage(last, stage, "completed", Some(of_stage))?;
            }
            self.finish_build(last, result)?;
        }
        // Queued, and never started: its timeline is 204.
        self.queue_build(ci, "main", "manual", ana)?;
        let definition = self.create_release_definition(shop, "Web shop CD", ci, &["Staging", "Production"]);
        let release = self.create_release(definition, last, ana)?;
        for environment in ["Staging", "Production"] {
            self.later();
            self.start_deployment(release, environment, ana, None)?;
            self.now += SignedDuration::from_mins(3);
            self.finish_deployment(release, environment, "succeeded")?;
        }
        Ok(())
    }

    fn work(&mut self, shop: Uuid, juergen: Uuid) -> Result<(), Impossible> {
        for (kind, title, state) in [
            ("User Story", "Pay with one click", "Active"),
            ("Bug", "The checkout is slow", "Closed"),
            ("Task", "Measure the checkout", "New"),
        ] {
            self.later();
            let number = self.create_work_item(shop, kind, title, juergen)?;
            let edits = [
                ("System.Tags".to_owned(), Edit::Set(json!("checkout; speed"))),
                ("System.AssignedTo".to_owned(), Edit::Person(ANA.to_owned())),
            ];
            self.update_work_item(number, juergen, &edits)?;
            if state != "New" {
                let move_it = [("System.State".to_owned(), Edit::Set(json!(state)))];
                self.update_work_item(number, juergen, &move_it)?;
            }
        }
        Ok(())
    }
}

fn commit(branch: &str, comment: &str, paths: &[&str]) -> RefChange {
    RefChange::Commit {
        branch: branch.to_owned(),
        comment: comment.to_owned(),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    }
}
