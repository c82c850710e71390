//! Repositories, refs, commits and pushes.

use super::{Facts, Impossible, World};
use crate::simulator::occurrence::Subject;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use uuid::Uuid;

/// The id of no object: of a ref before it was made, and after it was deleted.
pub(crate) const NO_OBJECT: &str = "0000000000000000000000000000000000000000";

/// A Git repository.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) id: Uuid,
    pub(crate) project: Uuid,
    pub(crate) name: String,
    /// Full name of a ref; an empty repository has none.
    pub(crate) default_branch: Option<String>,
    pub(crate) is_disabled: bool,
    /// What it was forked from.
    pub(crate) fork_of: Option<Uuid>,
    /// By full name.
    pub(crate) refs: BTreeMap<String, GitRef>,
    /// By id.
    pub(crate) commits: BTreeMap<String, Commit>,
    /// Oldest first; numbers count from 1 without a gap.
    pub(crate) pushes: Vec<Push>,
    /// Every path that any commit ever had: another change of it is an edit.
    pub(crate) paths: BTreeSet<String>,
}

/// Where a ref points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitRef {
    pub(crate) object: String,
    pub(crate) creator: Uuid,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) id: String,
    pub(crate) parents: Vec<String>,
    pub(crate) author: Uuid,
    /// When it was written: earlier than `at` once it was rebased.
    pub(crate) authored: Timestamp,
    pub(crate) at: Timestamp,
    /// Of two of one moment the later one has the higher number, so that none comes before its parents.
    pub(crate) made: u64,
    pub(crate) comment: String,
    /// Paths with `add`, `edit` or `delete`.
    pub(crate) changes: Vec<(String, &'static str)>,
}

/// A push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Push {
    pub(crate) id: u32,
    pub(crate) by: Uuid,
    pub(crate) at: Timestamp,
    pub(crate) updates: Vec<RefUpdate>,
    /// Newest first.
    pub(crate) commits: Vec<String>,
}

/// One ref of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefUpdate {
    pub(crate) name: String,
    pub(crate) old: String,
    pub(crate) new: String,
}

/// What a push does to one ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefChange {
    /// A new commit on a branch, which is made from the default branch if it is not there.
    Commit {
        /// Short name.
        branch: String,
        /// The message.
        comment: String,
        /// Changed paths, such as `/src/main.rs`; a path that is new is added, another one edited.
        paths: Vec<String>,
    },
    /// A new branch where the default branch is, without a new commit.
    Create {
        /// Short name.
        branch: String,
    },
    /// A lightweight tag where the default branch is.
    Tag {
        /// Short name.
        tag: String,
    },
    /// A branch is set back to where it was before it was last moved: a forced push of commits that are there already.
    Back {
        /// Short name.
        branch: String,
    },
    /// The ref points to a commit that is there already; it is made if it is not there.
    Point {
        /// Full name.
        name: String,
        /// The commit.
        to: String,
    },
    /// The ref is deleted.
    Delete {
        /// Full name, `refs/heads/…` or `refs/tags/…`.
        name: String,
    },
}

impl Repository {
    /// The commits behind an object, newest first.
    pub(crate) fn history(&self, object: &str) -> Vec<&Commit> {
        let (mut seen, mut found, mut waiting) = (BTreeSet::new(), Vec::new(), vec![object.to_owned()]);
        while let Some(id) = waiting.pop() {
            let Some(commit) = self.commits.get(&id).filter(|_| seen.insert(id)) else { continue };
            waiting.extend(commit.parents.iter().cloned());
            found.push(commit);
        }
        found.sort_by_key(|commit| std::cmp::Reverse((commit.at, commit.made)));
        found
    }

    /// The commits behind an object that are not behind the other one, newest first.
    pub(crate) fn ahead(&self, object: &str, of: &str) -> Vec<&Commit> {
        let behind = |object: &str, known: &HashSet<&str>| {
            let mut seen: HashSet<&str> = HashSet::new();
            let mut waiting: Vec<&Commit> = self.commits.get(object).into_iter().collect();
            while let Some(commit) = waiting.pop() {
                if !known.contains(commit.id.as_str()) && seen.insert(&commit.id) {
                    waiting.extend(commit.parents.iter().filter_map(|parent| self.commits.get(parent)));
                }
            }
            seen
        };
        let new = behind(object, &behind(of, &HashSet::new()));
        let mut found: Vec<&Commit> = new.into_iter().filter_map(|id| self.commits.get(id)).collect();
        found.sort_by_key(|commit| std::cmp::Reverse((commit.at, commit.made)));
        found
    }

    /// The push of this number.
    pub(crate) fn push(&self, number: u32) -> Option<&Push> {
        self.pushes.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// The object that a ref points to.
    pub(crate) fn tip(&self, name: &str) -> Option<&str> {
        self.refs.get(name).map(|found| found.object.as_str())
    }
}

impl World {
    /// The repository of this GUID, or of this name in the project.
    pub(crate) fn repository(&self, name: &str, project: Option<Uuid>) -> Option<&Repository> {
        let id = name.parse::<Uuid>().ok();
        let mut visible = self.repositories.iter().filter(|own| project.is_none_or(|project| own.project == project));
        visible.find(|own| Some(own.id) == id || (project.is_some() && own.name.eq_ignore_ascii_case(name)))
    }

    pub(super) fn repository_mut(&mut self, id: Uuid) -> Result<&mut Repository, Impossible> {
        let found = self.repositories.iter_mut().find(|own| own.id == id);
        found.ok_or_else(|| Impossible::Absent(format!("repository {id}")))
    }

    /// The repository of this GUID, which is there because something refers to it.
    pub(crate) fn repository_of(&self, id: Uuid) -> Option<&Repository> {
        self.repositories.iter().find(|own| own.id == id)
    }

    pub(crate) fn create_repository(&mut self, project: Uuid, name: &str) -> Uuid {
        let id = self.new_id(&format!("repository {name}"));
        self.repositories.push(Repository {
            id,
            project,
            name: name.to_owned(),
            default_branch: None,
            is_disabled: false,
            fork_of: None,
            refs: BTreeMap::new(),
            commits: BTreeMap::new(),
            pushes: Vec::new(),
            paths: BTreeSet::new(),
        });
        self.repository_changed("git.repo.created", id, format!("repository {name} created"), json!({}));
        id
    }

    /// A copy with a name of its own, which goes its own way from there on.
    pub(crate) fn fork_repository(&mut self, of: Uuid, by: Uuid, name: &str) -> Result<Uuid, Impossible> {
        let origin = self.repository_mut(of)?.clone();
        let id = self.new_id(&format!("repository {name}"));
        let fork = Repository { id, name: name.to_owned(), fork_of: Some(of), pushes: Vec::new(), ..origin };
        let (project, origin) = (fork.project, self.repository_mut(of)?.name.clone());
        self.repositories.push(fork);
        self.repository_changed("git.repo.created", id, format!("repository {name} created"), json!({}));
        let who = self.people.find(by).map(|person| person.name.clone());
        let change = json!({"initiatedBy": {"id": by, "displayName": who}, "utcTimestamp": self.now.to_string()});
        let facts = Facts::from([("repository", vec![of.to_string()])]);
        let title = format!("repository {origin} forked as {name}");
        self.occur(("tfs", "git.repo.forked"), project, title, facts, Subject::Fork { fork: id, of, change });
        Ok(id)
    }

    /// Brings what is behind an object of a fork into the repository that it was forked from.
    pub(super) fn fetch(&mut self, into: Uuid, from: Uuid, object: &str) -> Result<(), Impossible> {
        let fetched: Vec<Commit> = self.repository_mut(from)?.history(object).into_iter().cloned().collect();
        let own = self.repository_mut(into)?;
        for commit in fetched {
            own.paths.extend(commit.changes.iter().map(|(path, _)| path.clone()));
            own.commits.entry(commit.id.clone()).or_insert(commit);
        }
        Ok(())
    }

    pub(crate) fn rename_repository(&mut self, id: Uuid, name: &str) -> Result<(), Impossible> {
        let old = std::mem::replace(&mut self.repository_mut(id)?.name, name.to_owned());
        let change = json!({"oldName": old, "newName": name});
        self.repository_changed("git.repo.renamed", id, format!("repository {old} renamed to {name}"), change);
        Ok(())
    }

    pub(crate) fn disable_repository(&mut self, id: Uuid, disabled: bool) -> Result<(), Impossible> {
        self.repository_mut(id)?.is_disabled = disabled;
        let title = format!("repository {id} {}", if disabled { "disabled" } else { "enabled" });
        self.repository_changed("git.repo.statuschanged", id, title, json!({"disabled": disabled}));
        Ok(())
    }

    pub(crate) fn delete_repository(&mut self, id: Uuid) -> Result<(), Impossible> {
        let found = self.repositories.iter().position(|own| own.id == id);
        let at = found.ok_or_else(|| Impossible::Absent(format!("repository {id}")))?;
        let gone = self.repositories.remove(at);
        let resource = json!({
            "project": {"id": gone.project, "name": self.project_of(gone.project).name, "state": "wellFormed"},
            "repositoryId": gone.id,
            "repositoryName": gone.name,
            "isHardDelete": false,
            "utcTimestamp": self.now.to_string(),
        });
        let facts = Facts::from([("repository", vec![id.to_string()])]);
        let title = format!("repository {} deleted", gone.name);
        self.occur(("tfs", "git.repo.deleted"), gone.project, title, facts, Subject::Frozen { resource });
        Ok(())
    }

    fn repository_changed(&mut self, event: &'static str, id: Uuid, title: String, mut change: Value) {
        let Some(project) = self.repository_of(id).map(|own| own.project) else { return };
        change["initiatedBy"] = json!({"id": self.people.first().id, "displayName": self.people.first().name});
        change["utcTimestamp"] = self.now.to_string().into();
        let facts = Facts::from([("repository", vec![id.to_string()])]);
        self.occur(("tfs", event), project, title, facts, Subject::Repository { repository: id, change });
    }

    /// One push of several changes; its number.
    pub(crate) fn push(&mut self, id: Uuid, by: Uuid, changes: &[RefChange]) -> Result<u32, Impossible> {
        if self.repository_mut(id)?.is_disabled {
            return Err(Impossible::State(format!("the repository {id} is disabled")));
        }
        let (mut updates, mut commits): (Vec<RefUpdate>, Vec<String>) = (Vec::new(), Vec::new());
        for change in changes {
            let update = self.apply(id, by, change, &mut commits)?;
            // Two commits on one branch are one update of its ref.
            match updates.iter_mut().find(|earlier| earlier.name == update.name) {
                Some(earlier) => earlier.new = update.new,
                None => updates.push(update),
            }
        }
        commits.reverse();
        Ok(self.pushed(id, by, updates, commits))
    }

    /// Puts down a push whose refs and commits are made.
    pub(super) fn pushed(&mut self, id: Uuid, by: Uuid, updates: Vec<RefUpdate>, commits: Vec<String>) -> u32 {
        let now = self.now;
        let Ok(repository) = self.repository_mut(id) else { return 0 };
        let push = repository.pushes.last().map_or(1, |last| last.id + 1);
        let (project, name) = (repository.project, repository.name.clone());
        let branch = |update: &RefUpdate| update.name.strip_prefix("refs/heads/").map(str::to_owned);
        let branches: Vec<String> = updates.iter().filter_map(branch).collect();
        let refs: Vec<&str> = updates.iter().map(|update| update.name.as_str()).collect();
        let title = format!("push {push} to {name}: {}", refs.join(", "));
        let facts = Facts::from([
            ("repository", vec![id.to_string()]),
            ("branch", branches.clone()),
            ("pushedBy", vec![by.to_string()]),
        ]);
        let is_told = self.pull_refs_fire_push || !updates.iter().all(|update| update.name.starts_with("refs/pull/"));
        let repository = self.repositories.iter_mut().find(|own| own.id == id).expect("it was found above");
        repository.pushes.push(Push { id: push, by, at: now, updates, commits });
        if !is_told {
            return push;
        }
        self.occur(("tfs", "git.push"), project, title, facts, Subject::Push { repository: id, push });
        for branch in branches {
            self.branch_moved(id, &branch);
        }
        push
    }

    fn apply(
        &mut self,
        id: Uuid,
        by: Uuid,
        change: &RefChange,
        commits: &mut Vec<String>,
    ) -> Result<RefUpdate, Impossible> {
        let absent = |name: &str| Impossible::Absent(format!("ref {name}"));
        let head = |own: &Repository| own.default_branch.as_deref().and_then(|name| own.tip(name)).map(str::to_owned);
        match change {
            RefChange::Commit { branch, comment, paths } => {
                let name = format!("refs/heads/{branch}");
                let own = self.repository_mut(id)?;
                let old = own.tip(&name).map(str::to_owned);
                let parent = old.clone().or_else(|| head(own));
                let new = self.commit(id, by, comment, paths, parent.into_iter().collect())?;
                commits.push(new.clone());
                let own = self.repository_mut(id)?;
                own.refs.insert(name.clone(), GitRef { object: new.clone(), creator: by });
                own.default_branch.get_or_insert_with(|| name.clone());
                Ok(RefUpdate { name, old: old.unwrap_or_else(|| NO_OBJECT.to_owned()), new })
            }
            RefChange::Create { branch: short } | RefChange::Tag { tag: short } => {
                let kind = if matches!(change, RefChange::Tag { .. }) { "tags" } else { "heads" };
                let own = self.repository_mut(id)?;
                let new = head(own).ok_or_else(|| absent("of the default branch"))?;
                let name = format!("refs/{kind}/{short}");
                let old = own.refs.insert(name.clone(), GitRef { object: new.clone(), creator: by });
                Ok(RefUpdate { name, old: old.map_or_else(|| NO_OBJECT.to_owned(), |old| old.object), new })
            }
            RefChange::Back { branch } => {
                let (name, own) = (format!("refs/heads/{branch}"), self.repository_mut(id)?);
                let moved = |update: &&RefUpdate| update.name == name && update.old != NO_OBJECT;
                let updates = own.pushes.iter().rev().flat_map(|push| &push.updates);
                let last = updates.filter(moved).find(|update| own.tip(&name) == Some(&update.new)).cloned();
                let RefUpdate { old, new, .. } = last.ok_or_else(|| absent(&name))?;
                own.refs.insert(name.clone(), GitRef { object: old.clone(), creator: by });
                Ok(RefUpdate { name, old: new, new: old })
            }
            RefChange::Point { name, to } => {
                let own = self.repository_mut(id)?;
                if !own.commits.contains_key(to) {
                    return Err(Impossible::Absent(format!("commit {to}")));
                }
                let old = own.refs.insert(name.clone(), GitRef { object: to.clone(), creator: by });
                let old = old.map_or_else(|| NO_OBJECT.to_owned(), |old| old.object);
                Ok(RefUpdate { name: name.clone(), old, new: to.clone() })
            }
            RefChange::Delete { name } => {
                let old = self.repository_mut(id)?.refs.remove(name).ok_or_else(|| absent(name))?;
                Ok(RefUpdate { name: name.clone(), old: old.object, new: NO_OBJECT.to_owned() })
            }
        }
    }

    /// A commit on no branch yet.
    pub(super) fn commit(
        &mut self,
        id: Uuid,
        by: Uuid,
        comment: &str,
        paths: &[String],
        parents: Vec<String>,
    ) -> Result<String, Impossible> {
        let (name, now) = (self.new_object(), self.now);
        let made = self.made;
        let own = self.repository_mut(id)?;
        let changes = paths
            .iter()
            .map(|path| (path.clone(), if own.paths.insert(path.clone()) { "add" } else { "edit" }))
            .collect();
        let commit = Commit {
            id: name.clone(),
            parents,
            author: by,
            authored: now,
            at: now,
            made,
            comment: comment.to_owned(),
            changes,
        };
        own.commits.insert(name.clone(), commit);
        Ok(name)
    }
}
