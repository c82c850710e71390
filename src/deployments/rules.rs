//! Which deployments an event makes, by the rules of the bindings: pure. Everything that Azure DevOps has to be asked for
//! is left open here; the id is not, so that the same fact is the same deployment whenever and however often it is told.

use super::{
    paths,
    ran::{Awaited, Ran, Wish},
    seen::{Repository, Seen},
};
use crate::{
    domain::{
        AzureRef, Binding, BranchRule, Cause, Deployment, Deploys, Ignored, Person, Reach, Selection, Slug, Tracking,
    },
    event::Event,
    translate::fact_id,
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use uuid::Uuid;

/// Part of every deployment's id: that of its event's type without version, whatever it turns out to be beside others.
const KIND: &str = "dev.cdevents.service.deployed";
const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

/// Where the commit comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is known.
    Commit,
    /// The sources of this run, or those of the run that started it.
    Run {
        /// As far as the event says.
        ran: Box<Ran>,
        /// The source that the rule wants.
        wish: Wish,
        /// If this is so.
        awaited: Option<Awaited>,
    },
    /// What the tag marks: its object can be an annotation.
    Tag,
}

/// A deployment that is to be, but for what nobody has asked Azure for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Without a `revision` where `origin` is to be asked.
    pub(super) deployment: Deployment,
    pub(super) origin: Origin,
    /// What the ref pointed to before the push: what it changed is what lies between.
    pub(super) base: Option<String>,
}

/// What an event makes of a binding: the same binding may be given by names and by ids, and counts once.
pub(super) fn candidates(event: &Event, bindings: &[Arc<Binding>]) -> Vec<Candidate> {
    // By ids it says more than by names, and comes later: what ids exclude no name brings back.
    let mut relevant: Vec<(&Binding, &Deploys)> = Vec::new();
    for (binding, deploys) in bindings.iter().filter_map(|own| Some((&**own, own.deploys.as_ref()?))) {
        relevant.retain(|(other, _)| other.id != binding.id);
        relevant.push((binding, deploys));
    }
    if relevant.is_empty() {
        return Vec::new();
    }
    let Some(seen) = Seen::read(event) else { return Vec::new() };
    relevant.into_iter().flat_map(|(binding, deploys)| of_binding(event, &seen, binding, deploys)).collect()
}

fn of_binding(event: &Event, seen: &Seen, binding: &Binding, deploys: &Deploys) -> Vec<Candidate> {
    let Selection::CodeDeployment { azure_project, repository, branch } = &binding.selection else { return Vec::new() };
    let kind = event.header.kind.as_str();
    let is = |prefixes: &[&str]| prefixes.iter().any(|prefix| kind.starts_with(prefix));
    let here = Here { event, seen, binding, deploys, azure_project, repository, followed: branch };
    match deploys.tracking {
        Tracking::Build if is(&["dev.cdevents.pipelinerun.finished.", "dev.cdevents.taskrun.finished."]) => {
            here.builds()
        }
        Tracking::PullRequest if is(&["dev.cdevents.change.merged."]) => here.pull_requests(),
        Tracking::Push if is(&["dev.cdevents.branch.created.", "dev.cdeventsx.azuredevops-branch.updated."]) => {
            here.pushes()
        }
        // A tag that is moved marks another commit as released.
        Tracking::Tag if is(&["dev.cdeventsx.azuredevops-tag.created.", "dev.cdeventsx.azuredevops-tag.updated."]) => {
            here.tags()
        }
        _ => Vec::new(),
    }
}

/// An event beside one binding.
pub(super) struct Here<'a> {
    event: &'a Event,
    pub(super) seen: &'a Seen,
    binding: &'a Binding,
    pub(super) deploys: &'a Deploys,
    azure_project: &'a AzureRef,
    pub(super) repository: &'a AzureRef,
    pub(super) followed: &'a BranchRule,
}

impl Here<'_> {
    fn pull_requests(&self) -> Vec<Candidate> {
        let azure = self.seen.azure();
        let author = azure.created_by.clone().map(Person::from);
        let branch = azure.target_ref_name.as_deref().and_then(|name| name.strip_prefix(HEADS));
        let (Some(branch), Some(revision)) = (branch, azure.merge_commit.as_deref()) else { return Vec::new() };
        if !self.is_of(&azure.repository) || self.ignores(author.as_ref(), &azure.labels, azure.title.as_deref()) {
            return Vec::new();
        }
        if azure.is_draft && self.deploys.ignored.drafts {
            return Vec::new();
        }
        let cause = || Cause { pull_request: azure.pull_request_id, ..self.cause("pull_request", author.clone()) };
        self.on_branch(branch, revision, azure.target_commit.as_deref(), cause)
    }

    fn pushes(&self) -> Vec<Candidate> {
        let (azure, moved) = (self.seen.azure(), self.seen.moved());
        let author = azure.pushed_by.clone().map(Person::from);
        let branch = moved.name.as_deref().and_then(|name| name.strip_prefix(HEADS));
        let (Some(branch), Some(revision)) = (branch, moved.new_object_id.as_deref()) else { return Vec::new() };
        if !self.is_of(&azure.repository) || self.ignores(author.as_ref(), &[], None) {
            return Vec::new();
        }
        let base = moved.old_object_id.as_deref().filter(|id| id.bytes().any(|byte| byte != b'0'));
        self.on_branch(branch, revision, base, || self.cause("push", author.clone()))
    }

    fn tags(&self) -> Vec<Candidate> {
        let (azure, moved) = (self.seen.azure(), self.seen.moved());
        let author = azure.pushed_by.clone().map(Person::from);
        let tag = moved.name.as_deref().and_then(|name| name.strip_prefix(TAGS));
        let (Some(tag), true) = (tag, self.is_of(&azure.repository)) else { return Vec::new() };
        if self.ignores(author.as_ref(), &[], None) {
            return Vec::new();
        }
        let wants = |reach: &&Reach| reach.tags.as_deref().is_none_or(|pattern| paths::matches(pattern, tag));
        let of_reach = |reach: &Reach| {
            let cause = Cause { tag: Some(tag.to_owned()), ..self.cause("tag", author.clone()) };
            let deployment = self.deployment(reach, moved.new_object_id.as_deref(), None, cause)?;
            Some(Candidate { deployment, origin: Origin::Tag, base: None })
        };
        self.deploys.reaches.iter().filter(wants).filter_map(of_reach).collect()
    }

    fn on_branch(&self, branch: &str, revision: &str, base: Option<&str>, cause: impl Fn() -> Cause) -> Vec<Candidate> {
        let reached = |reach: &&Reach| self.followed.allows(branch) && reach.branch.allows(branch);
        let of_reach = |reach: &Reach| {
            let deployment = self.deployment(reach, Some(revision), Some(branch), cause())?;
            let base = base.map(str::to_owned);
            Some(Candidate { deployment, origin: Origin::Commit, base })
        };
        self.deploys.reaches.iter().filter(reached).filter_map(of_reach).collect()
    }

    pub(super) fn cause(&self, kind: &str, by: Option<Person>) -> Cause {
        Cause { event: Some(self.event.id), kind: kind.to_owned(), by, ..Cause::default() }
    }

    /// Nothing without a moment: there is no place for it among others.
    pub(super) fn deployment(
        &self,
        reach: &Reach,
        revision: Option<&str>,
        branch: Option<&str>,
        cause: Cause,
    ) -> Option<Deployment> {
        let delay = SignedDuration::from_mins(self.deploys.delay_minutes.into());
        let at = self.seen.time?.checked_add(delay).unwrap_or(Timestamp::MAX);
        let place = format!("{}:{}", reach.environment, self.seen.fact().unwrap_or(self.event.id));
        Some(Deployment {
            id: fact_id(KIND, &self.seen.source, &subject(self.binding), &place),
            project: self.binding.project.clone(),
            binding: self.binding.id,
            name: self.name(),
            connection: self.binding.connection,
            environment: reach.environment.clone(),
            revision: revision.unwrap_or_default().to_ascii_lowercase(),
            branch: branch.map(str::to_owned),
            at,
            cause,
            source: self.seen.source.clone(),
            azure_project: self.azure_project.0.clone(),
            repository: self.repository.0.clone(),
            links: Vec::new(),
            tags: Vec::new(),
        })
    }

    /// What people call it: the binding's name, else the repository's.
    fn name(&self) -> String {
        let named = self.binding.name.clone().or_else(|| self.seen.azure().repository.name.clone());
        named.unwrap_or_else(|| self.repository.0.clone())
    }

    /// By its id, which no two share; or by its name, which is one project's of one connection.
    fn is_of(&self, repository: &Repository) -> bool {
        let is = |reference: &AzureRef, name: &Option<String>| name.as_ref().is_some_and(|name| reference.names(name));
        let project = &repository.project;
        is(self.repository, &repository.id)
            || (is(self.repository, &repository.name)
                && self.event.header.connection == self.binding.connection
                && (is(self.azure_project, &project.id) || is(self.azure_project, &project.name)))
    }

    pub(super) fn ignores(&self, author: Option<&Person>, labels: &[String], title: Option<&str>) -> bool {
        let Ignored { authors, labels: ignored, titles, .. } = &self.deploys.ignored;
        let is = |name: &str, known: &str| name.to_lowercase() == known.to_lowercase();
        let names = |person: &&Person| {
            let known = [person.name.as_deref(), person.account.as_deref()];
            known.into_iter().flatten().any(|known| authors.iter().any(|name| is(name, known)))
        };
        author.as_ref().is_some_and(names)
            || labels.iter().any(|label| ignored.iter().any(|name| is(name, label)))
            || title.is_some_and(|title| titles.iter().any(|pattern| paths::matches(pattern, title)))
    }
}

/// What is deployed: a service of a project, named so that renaming either changes no id.
pub(super) fn subject(binding: &Binding) -> String {
    format!("{}/{}", binding.project, binding.id)
}

/// The id of what was registered by hand: the same call again is the same deployment.
pub(super) fn by_hand(source: &str, binding: &Binding, environment: &Slug, revision: &str, at: Timestamp) -> Uuid {
    fact_id(KIND, source, &subject(binding), &format!("{environment}:manual:{revision}:{at}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{BindingId, ConnectionId, Issues, NotificationId},
        event::Header,
    };

    #[test]
    fn a_draft_is_ignored_only_where_drafts_are() {
        let word = |text: &str| AzureRef(text.to_owned());
        let reach = Reach {
            environment: "production".parse().unwrap(),
            branch: BranchRule::Any,
            builds: Vec::new(),
            tags: None,
        };
        let deployed = |ignores: bool, is_draft: bool| {
            let (connection, project) = (ConnectionId(Uuid::from_u128(1)), "web".parse::<Slug>().unwrap());
            let deploys = Deploys {
                tracking: Tracking::PullRequest,
                reaches: vec![reach.clone()],
                include_paths: Vec::new(),
                exclude_paths: Vec::new(),
                ignored: Ignored { drafts: ignores, ..Ignored::default() },
                delay_minutes: 0,
            };
            let (azure_project, repository, branch) = (word("p"), word("r"), BranchRule::Any);
            let binding = Binding {
                id: BindingId(Uuid::from_u128(2)),
                project,
                connection,
                name: None,
                selection: Selection::CodeDeployment { azure_project, repository, branch },
                code_deployment: None,
                partial: crate::domain::Partial::default(),
                direct_pushes: false,
                deploys: Some(deploys),
                issues: Issues::default(),
                created_at: Timestamp::UNIX_EPOCH,
                updated_at: Timestamp::UNIX_EPOCH,
            };
            let json = serde_json::json!({ "source": "https://dev.azure.com/o/p", "time": "2026-11-22T10:00:00Z",
                "data": { "customData": { "azuredevops": { "repository": { "id": "r" }, "isDraft": is_draft,
                    "targetRefName": "refs/heads/main", "mergeCommit": "abc" } } } });
            let header = Header {
                kind: "dev.cdevents.change.merged.0.3.0".to_owned(),
                connection,
                projects: Vec::new(),
                notification: NotificationId(Uuid::nil()),
                recovered: None,
                filled: std::collections::BTreeMap::new(),
            };
            let event = Event { id: Uuid::from_u128(3), header, json: json.to_string().into() };
            candidates(&event, &[Arc::new(binding)]).len()
        };
        assert_eq!([(false, true), (true, false), (true, true)].map(|(own, draft)| deployed(own, draft)), [1, 1, 0]);
    }
}
