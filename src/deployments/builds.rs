//! Runs that succeeded, and their parts, beside the rules of a binding: pure.

use super::{
    ran::{Awaited, Known, Wish},
    rules::{Candidate, Here, Origin},
    seen::{Finished, Part, Which},
};
use crate::domain::{BranchRule, BuildRule, Cause, Part as Wanted, Person, Reach};

/// Whether a part of a run is the one of a rule.
enum Fits {
    Yes,
    /// If this is so.
    If(Awaited),
}

impl Here<'_> {
    pub(super) fn builds(&self) -> Vec<Candidate> {
        let finished = self.seen.finished();
        let author = self.seen.azure().requested_for.clone().map(Person::from);
        let succeeded = self.seen.content().outcome.as_deref() == Some("success");
        if !succeeded || self.ignores(author.as_ref(), &[], None) {
            return Vec::new();
        }
        let of_reach =
            |reach: &Reach| reach.builds.iter().find_map(|rule| self.of_rule(reach, rule, &finished, author.as_ref()));
        self.deploys.reaches.iter().filter_map(of_reach).collect()
    }

    fn of_rule(
        &self,
        reach: &Reach,
        rule: &BuildRule,
        finished: &Finished<'_>,
        author: Option<&Person>,
    ) -> Option<Candidate> {
        finished.pipeline.iter().flatten().find(|name| rule.pipeline.names(name))?;
        let awaited = match fits(&rule.part, &finished.part)? {
            Fits::Yes => None,
            Fits::If(awaited) => Some(awaited),
        };
        let ran = self.seen.ran(self.repository)?;
        let of_environment = if rule.match_branch { reach.branch.clone() } else { BranchRule::Any };
        let wish = Wish {
            branches: vec![self.followed.clone(), of_environment],
            tags: rule.tags.clone(),
            pull_requests: rule.pull_requests,
            revision: rule.revision,
        };
        let (source, is_known) = match wish.known(&ran, self.repository) {
            Known::No => return None,
            Known::Yes(source) => (Some(source), true),
            Known::Perhaps(source) => (source, false),
        };
        let part = match &finished.part {
            Which::Run => None,
            Which::Stage(part) | Which::Job(part) => part.names.into_iter().find(|name| !name.is_empty()),
        };
        let cause = Cause {
            build: ran.number,
            build_number: finished.number.map(str::to_owned),
            pipeline: finished.pipeline[1].or(finished.pipeline[0]).map(str::to_owned),
            part: part.map(str::to_owned),
            ..self.cause("build", author.cloned())
        };
        let mut deployment = self.deployment(reach, None, None, cause)?;
        if let Some(source) = source {
            source.fill(&mut deployment);
        }
        let is_known = is_known && awaited.is_none();
        let origin = if is_known { Origin::Commit } else { Origin::Run { ran: Box::new(ran), wish, awaited } };
        Some(Candidate { deployment, origin, base: None })
    }
}

/// Whether a rule means this part of a run; nothing where it does not. Hooks tell of a job the name for people alone, and of
/// no job to which environment it deployed.
fn fits(wanted: &Wanted, part: &Which<'_>) -> Option<Fits> {
    match (wanted, part) {
        (Wanted::Run, Which::Run) => Some(Fits::Yes),
        (Wanted::Stage(wanted), Which::Stage(part)) => {
            part.names.iter().any(|name| is_named(wanted, name)).then_some(Fits::Yes)
        }
        (Wanted::Job(wanted), Which::Job(part)) => job(wanted, part),
        (Wanted::AzureEnvironment(wanted), Which::Stage(part)) => Some(Fits::If(Awaited::Environment {
            stage: part.names.map(str::to_owned),
            attempt: part.attempt,
            wanted: wanted.clone(),
        })),
        _ => None,
    }
}

fn job(wanted: &str, part: &Part<'_>) -> Option<Fits> {
    if part.names.iter().any(|name| is_named(wanted, name)) {
        return Some(Fits::Yes);
    }
    match (part.identifier, part.id) {
        (Some(identifier), _) => is_identified(wanted, identifier).then_some(Fits::Yes),
        (None, Some(id)) => Some(Fits::If(Awaited::Job { id: id.to_owned(), wanted: wanted.to_owned() })),
        (None, None) => None,
    }
}

/// Whether a job of this identifier is called so in the pipeline's text: by all of it, without the instance, by stage and job
/// or by the job alone.
///
/// Source: recorded timelines, whose identifiers are `stage.job.instance`, and `job.instance` where the pipeline names no
/// stage (`job_2.__default`); the instance is `__default` but for those of a matrix or a deployment.
pub(super) fn is_identified(wanted: &str, identifier: &str) -> bool {
    let parts: Vec<&str> = identifier.split('.').collect();
    let named = match parts.as_slice() {
        [] | [_] => Vec::new(),
        [before @ .., _] => vec![before.join("."), before.last().map(|own| (*own).to_owned()).unwrap_or_default()],
    };
    is_named(wanted, identifier) || named.iter().any(|name| is_named(wanted, name))
}

pub(super) fn is_named(wanted: &str, name: &str) -> bool {
    let (wanted, name) = (wanted.to_lowercase(), name.to_lowercase());
    match wanted.strip_suffix('*') {
        Some(beginning) => !name.is_empty() && name.starts_with(beginning),
        None => name == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_identified_by_each_of_its_names_in_the_text() {
        for wanted in ["Ship.deploy_prod.__default", "ship.deploy_prod", "deploy_prod", "deploy*"] {
            assert!(is_identified(wanted, "Ship.deploy_prod.__default"), "{wanted}");
        }
        for wanted in ["ship", "__default", "deploy", "prod*"] {
            assert!(!is_identified(wanted, "Ship.deploy_prod.__default"), "{wanted}");
        }
        assert!(is_identified("job_2", "job_2.__default") && is_identified("alone", "alone"));
    }
}
