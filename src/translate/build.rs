//! `build.complete`.

use super::{
    binding::{About, Family, branch},
    frame::{Fact, Frame, first_uri, moment, person, to_second},
};
use crate::{
    azure::{lenient::Text, resource::build::Build},
    event::{
        Event,
        cdevents::{Content, Link, LinkKind, Outcome, Run},
        members::Members,
    },
};
use std::borrow::Cow;

/// A finished build is two facts: the run finished, with an outcome, and so did the build, which has no word for one.
/// The first is the same as the run-state event's.
pub(super) fn completed(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(build) = frame.resource::<Build<'_>>() else { return frame.unread() };
    frame.within(build.project.id.as_str());
    let source = Source::of(&build);
    let about = About {
        repository: [build.repository.id.as_str(), build.repository.name.as_str()],
        branch: branch(source.reference),
        pipeline: [build.definition.id.as_str(), build.definition.name.as_str()],
        ..About::within(&frame, Family::Run, &build.project)
    };
    let Some(id) = build.id.positive() else {
        return frame.received(&about, Some("the resource names no build"));
    };
    let subject = format!("build/builds/{id}");
    let finished = moment(build.finish_time.as_str());
    let discriminator = finished.map_or_else(|| frame.occasion(), |time| format!("finished:{}", to_second(time)));
    let result = result(&build);
    let run = Run {
        pipeline_name: build.definition.name.as_str().map(Cow::Borrowed),
        uri: first_uri([build.links.web.href.as_str(), build.url.as_str()]),
        outcome: Some(outcome(result, &frame)),
        ..Run::default()
    };
    let repository = Source::repository(&build);
    let change = source.pull_request(&build).zip(repository);
    let chain = change.map(|(n, repository)| frame.chain(&format!("git/repositories/{repository}/pullRequests/{n}")));
    let links = links(&frame, &build, &source);
    let event = |content, links| {
        let mut fact = Fact::new(content, &subject, &discriminator);
        fact.time = finished;
        fact.chain = chain;
        fact.links = links;
        fact.extras = extras(&build, &source, result);
        frame.event(&about, fact)
    };
    vec![event(Content::PipelineRunFinished(run), links.clone()), event(Content::BuildFinished {}, links)]
}

/// 2.0 says `status: completed` and a result; 1.0 says the result as status.
fn result<'a>(build: &'a Build<'_>) -> &'a Text<'a> {
    let legacy = build.result.as_str().is_none() && !build.status.is("completed");
    if legacy { &build.status } else { &build.result }
}

/// Of builds, runs, stages and jobs alike: Azure has one list of words for all of them.
pub(super) fn outcome(result: &Text<'_>, frame: &Frame<'_>) -> Outcome {
    match result {
        word if word.is("succeeded") => Outcome::Success,
        word if word.is("partiallySucceeded") || word.is("succeededWithIssues") => {
            frame.context.settings.partially_succeeded_is
        }
        word if word.is("failed") => Outcome::Failure,
        // A refused check stops a stage before it does anything.
        word if ["canceled", "cancelled", "stopped", "rejected", "abandoned"].iter().any(|stop| word.is(stop)) => {
            Outcome::Cancel
        }
        _ => Outcome::Error,
    }
}

/// What was built.
struct Source<'a> {
    reference: Option<&'a str>,
    commit: Option<&'a str>,
}

impl<'a> Source<'a> {
    fn of(build: &'a Build<'_>) -> Self {
        // `LG:refs/heads/main:<commit>`: from the right, since a ref can hold colons and other kinds have no commit.
        let legacy = build.source_get_version.as_str().and_then(|text| text.strip_prefix("LG:"));
        let (reference, commit) = legacy.and_then(|text| text.rsplit_once(':')).unzip();
        Self {
            reference: build.source_branch.as_str().or(reference),
            commit: build.source_version.as_str().or(commit).filter(|commit| !commit.is_empty()),
        }
    }

    /// One of Azure's own repositories.
    fn repository(build: &'a Build<'_>) -> Option<&'a str> {
        let own = build.repository.kind.as_str().is_none() || build.repository.kind.is("TfsGit");
        build.repository.id.as_str().filter(|_| own)
    }

    fn pull_request(&self, build: &Build<'_>) -> Option<i64> {
        let merge = self.reference.and_then(|name| name.strip_prefix("refs/pull/")?.strip_suffix("/merge"));
        let number = merge.or_else(|| build.trigger_info.member("pr.number").and_then(Text::as_str));
        number.and_then(|number| number.parse().ok()).filter(|number| *number > 0)
    }
}

fn links(frame: &Frame<'_>, build: &Build<'_>, source: &Source<'_>) -> Vec<Link> {
    let repository = Source::repository(build);
    let mut links = Vec::new();
    // A repository elsewhere has names of its own, which are not ours to make up.
    if repository.is_some() || build.repository.kind.as_str().is_none() {
        links.extend(source.commit.map(|commit| frame.link_here(LinkKind::Commit, repository, "commit", commit)));
    }
    if let (Some(repository), Some(number)) = (repository, source.pull_request(build)) {
        links.push(frame.link_here(LinkKind::Change, Some(repository), "pr", &number.to_string()));
    }
    if let Some(trigger) = build.triggered_by_build.id.positive() {
        let trigger = trigger.to_string();
        links.push(match build.triggered_by_build.project.id.as_str() {
            Some(project) => frame.link(LinkKind::Trigger, &[project], "execution", &trigger),
            None => frame.link_here(LinkKind::Trigger, None, "execution", &trigger),
        });
    }
    links
}

fn extras<'a>(build: &'a Build<'_>, source: &Source<'a>, result: &'a Text<'_>) -> Members<'a> {
    let definition =
        Members::new().text("id", build.definition.id.as_str()).text("name", build.definition.name.as_str());
    let repository = Members::new()
        .text("id", build.repository.id.as_str())
        .text("name", build.repository.name.as_str())
        .text("type", build.repository.kind.as_str())
        .text("url", first_uri([build.repository.url.as_str()]));
    Members::new()
        .int("buildId", build.id.0)
        .text("buildNumber", build.build_number.as_str())
        .text("result", result.as_str())
        .text("reason", build.reason.as_str())
        .text("sourceBranch", source.reference)
        .text("sourceVersion", source.commit)
        .object("definition", definition)
        .object("repository", repository)
        .object("requestedFor", person(&build.requested_for))
        .time("queueTime", moment(build.queue_time.as_str()))
        .time("startTime", moment(build.start_time.as_str()))
        .time("finishTime", moment(build.finish_time.as_str()))
        .texts("tags", build.tags.iter().filter_map(Text::as_str))
}
