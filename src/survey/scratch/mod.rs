//! The things that a survey makes in a scratch project, and their removal.
//!
//! Each thing is noted before its answer is looked at further, and everything noted is removed at the end: also after an
//! error, and when somebody said stop. Hooks go to an address under `.invalid`, which RFC 6761 reserves so that nobody ever
//! answers there: what the project's hooks carry reaches nobody, no listener is needed, and the history has it all the same.
//! Hooks and branches are known by their address and name, so that a later survey removes what an earlier one had to leave.
//!
//! Not promised: that nothing is left. A pull request can only be abandoned and a work item goes to the recycle bin, for Azure
//! DevOps deletes the one not at all and the other not for everybody; what is left is named to who asked for it.

mod changes;
mod hooks;

use super::{
    ask::Ask,
    asker::{Asker, Ended},
    entry::Entry,
    history::{Own, going_to},
    place::{Place, Repository},
    seen::{Answer, document, id, items, status, text},
};
use http::Method;
use serde_json::{Value, json};

/// Where the hooks go.
const HTTPS: &str = "https://hookwell-survey.invalid/";
/// The same without TLS, to see whether credentials are sent there.
const HTTP: &str = "http://hookwell-survey.invalid/";
/// An address that RFC 1918 leaves to everybody; its hook has nothing to tell.
const PRIVATE: &str = "https://10.0.0.1/hookwell-survey";
/// A branch that nobody pushes to, so that a hook has nothing to tell.
const NEVER: &str = "hookwell-survey-never";
/// The beginning of the branches' names.
const BRANCH: &str = "hookwell-survey/";
/// The object of a ref that is no more.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// Something that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    Hook(String),
    Branch { name: String, object: String },
    PullRequest(String),
    WorkItem(String),
}

/// The things that are there after everything was removed, by name.
#[derive(Debug, Default)]
pub(super) struct Remains {
    /// Those that could not be removed.
    pub(super) behind: Vec<String>,
    /// Those that are as gone as Azure DevOps lets them be.
    pub(super) stays: Vec<String>,
}

/// The things that were made so far, and where.
pub(super) struct Scratch {
    project: String,
    repository: Option<Repository>,
    made: Vec<Thing>,
    /// Subscriptions are not shown to us: that one is not found says nothing.
    is_hidden: bool,
    /// Things that may have been made, for the answer was lost.
    lost: Vec<&'static str>,
    pub(super) own: Own,
}

impl Scratch {
    pub(super) fn new(place: &Place) -> Self {
        let (project, repository) = (place.project.clone(), place.repository.clone());
        Self { project, repository, made: Vec::new(), is_hidden: false, lost: Vec::new(), own: Own::default() }
    }

    /// Makes hooks and something for them to tell, and waits for the telling.
    pub(super) async fn work(&mut self, asker: &mut Asker<'_>, entry: &Entry) -> Result<(), Ended> {
        self.sweep(asker).await?;
        if hooks::ask(self, asker, entry).await? {
            changes::make(self, asker).await?;
        }
        Ok(())
    }

    /// Removes everything; names what could not be removed, and what stays as Azure DevOps has it.
    pub(super) async fn remove(&mut self, asker: &mut Asker<'_>) -> Remains {
        asker.remove();
        let mut left = Remains::default();
        // The newest first: a branch after the pull request that comes from it.
        while let Some(thing) = self.made.pop() {
            let is_gone = match self.removal(&thing) {
                None => true,
                Some(ask) => asker.see(&ask).await.is_ok_and(|answer| self.is_gone(&thing, &answer)),
            };
            let (named, stays) = named(&thing);
            if !is_gone {
                left.behind.push(named);
            } else if let Some(stays) = stays {
                left.stays.push(format!("{named}: {stays}"));
            }
        }
        // Also where the answer was lost, these are known by their address and their name.
        let is_known = |what: &&str| matches!(*what, "a hook" | "a branch");
        if self.lost.iter().any(is_known) && self.sweep(asker).await.is_ok() {
            self.lost.retain(|what| !is_known(what));
        }
        left.behind.extend(self.lost.drain(..).map(|what| format!("perhaps {what}: the answer to making it was lost")));
        left
    }

    /// Removes what an earlier survey left.
    async fn sweep(&mut self, asker: &mut Asker<'_>) -> Result<(), Ended> {
        let listing = Ask::get("subscriptions", "hooks/subscriptions", &[]).with("consumerId", "webHooks").big();
        let listed = asker.see(&listing).await?;
        for old in going_to(&listed, &self.project, &[HTTPS, HTTP, PRIVATE]) {
            asker.see(&Self::delete_hook(&old)).await?;
        }
        let Some(repository) = &self.repository else { return Ok(()) };
        let refs = Ask::get("branches", "git/repositories/{repository}/refs", &[&repository.id]).within(&self.project);
        let listed = asker.see(&refs.with("filter", format!("heads/{BRANCH}"))).await?;
        let old = items(&listed).iter().filter(|own| text(own, "name").starts_with(&format!("refs/heads/{BRANCH}")));
        for own in old {
            let thing = Thing::Branch { name: text(own, "name").to_owned(), object: text(own, "objectId").to_owned() };
            if let Some(ask) = self.removal(&thing) {
                asker.see(&ask).await?;
            }
        }
        Ok(())
    }

    /// Makes something; the answer is noted as what `read` makes of it.
    async fn make(
        &mut self,
        asker: &mut Asker<'_>,
        ask: Ask,
        what: &'static str,
        read: impl FnOnce(&Value) -> Option<Thing>,
    ) -> Result<Answer, Ended> {
        // Whatever ends the survey here was not sent, or was refused.
        let answer = asker.see(&ask).await?;
        match (read(document(&answer)), status(&answer)) {
            (Some(thing), _) => self.made.push(thing),
            // A server that failed may have made it all the same.
            (None, 0 | 200..=299 | 500..) => self.lost.push(what),
            (None, _) => {}
        }
        Ok(answer)
    }

    async fn make_hook(&mut self, asker: &mut Asker<'_>, hook: &Hook<'_>) -> Result<Answer, Ended> {
        let mut inputs = json!({ "projectId": self.project });
        for (name, value) in &hook.inputs {
            inputs[*name] = (*value).into();
        }
        let body = json!({
            "publisherId": "tfs", "eventType": hook.event_type, "resourceVersion": "1.0",
            "consumerId": "webHooks", "consumerActionId": "httpRequest", "publisherInputs": inputs,
            "consumerInputs": {
                "url": hook.url, "basicAuthUsername": "hookwell-survey", "basicAuthPassword": "hookwell-survey",
            },
        });
        let ask = Ask::change("a new subscription", Method::POST, "hooks/subscriptions", &[], Some(body));
        self.make(asker, ask, "a hook", |made| id(&made["id"]).map(Thing::Hook)).await
    }

    fn is_gone(&self, thing: &Thing, answer: &Answer) -> bool {
        let done = answer.as_ref().is_some_and(|seen| seen.status.is_success());
        match thing {
            // The answer is 200 also where the ref was not moved: it says so for each.
            Thing::Branch { .. } => done && items(answer).first().is_none_or(|one| one["success"] != false),
            Thing::Hook(_) => done || status(answer) == 404 && !self.is_hidden,
            Thing::PullRequest(_) | Thing::WorkItem(_) => done || status(answer) == 404,
        }
    }

    fn delete_hook(hook: &str) -> Ask {
        Ask::change("a subscription that goes", Method::DELETE, "hooks/subscriptions/{subscription}", &[hook], None)
    }

    fn removal(&self, thing: &Thing) -> Option<Ask> {
        let ask = match thing {
            Thing::Hook(hook) => Self::delete_hook(hook),
            Thing::Branch { name, object } => {
                let repository = self.repository.as_ref()?;
                let body = json!([{ "name": name, "oldObjectId": object, "newObjectId": NOTHING }]);
                let path = "git/repositories/{repository}/refs";
                Ask::change("a branch that goes", Method::POST, path, &[&repository.id], Some(body))
                    .within(&self.project)
            }
            Thing::PullRequest(number) => {
                let repository = self.repository.as_ref()?;
                let path = "git/repositories/{repository}/pullrequests/{number}";
                let body = Some(json!({ "status": "abandoned" }));
                let name = "a pull request that is abandoned";
                Ask::change(name, Method::PATCH, path, &[&repository.id, number], body).within(&self.project)
            }
            Thing::WorkItem(number) => {
                Ask::change("a work item that goes", Method::DELETE, "wit/workitems/{number}", &[number], None)
                    .within(&self.project)
            }
        };
        Some(ask)
    }
}

/// A hook that is to be made.
struct Hook<'a> {
    event_type: &'static str,
    url: &'static str,
    inputs: Vec<(&'static str, &'a str)>,
}

/// The name of a thing, and why it stays though all went well.
fn named(thing: &Thing) -> (String, Option<&'static str>) {
    match thing {
        Thing::Hook(id) => (format!("service hook subscription {id}"), None),
        Thing::Branch { name, .. } => (format!("branch {name}"), None),
        Thing::PullRequest(number) => {
            (format!("pull request {number}"), Some("it is abandoned, and Azure DevOps deletes none"))
        }
        Thing::WorkItem(number) => (format!("work item {number}"), Some("it is in the recycle bin")),
    }
}
