//! `build.complete`.

use super::{
    binding::{About, Family},
    frame::{Fact, Frame, to_second},
    run::Said,
};
use crate::{
    azure::resource::build::Build,
    domain::Partial,
    event::{
        Event,
        cdevents::{Content, Outcome, Run},
    },
};
use jiff::Timestamp;
use std::borrow::Cow;

/// A finished build is two facts: the run finished, with an outcome, and so did the build, which has no word for one.
/// The first is the same as the run-state event's.
pub(super) fn completed(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(build) = frame.resource::<Build<'_>>() else { return frame.unread() };
    frame.within(build.project.id.as_str());
    let said = Said::of_build(&build);
    let about = About {
        repository: [said.repository.id, said.repository.name],
        branch: said.branch(),
        pipeline: said.definition,
        ..About::within(&frame, Family::Run, &build.project)
    };
    if said.number == 0 {
        return frame.received(&about, Some("the resource names no build"));
    }
    let partial = about.partial(frame.context.bindings);
    let run = Run {
        pipeline_name: said.definition[1].map(Cow::Borrowed),
        uri: Some(Cow::Owned(said.page(&frame))),
        outcome: Some(outcome(said.result, partial)),
        errors: errors(said.result, partial),
        ..Run::default()
    };
    let (subject, discriminator) = (said.subject(), ended(&frame, said.finished));
    let event = |content| {
        let mut fact = Fact::new(content, &subject, &discriminator);
        fact.time = said.finished;
        fact.actor = said.actor();
        fact.chain = said.chain(&frame);
        fact.links = said.links(&frame);
        fact.extras = said.members(&frame);
        frame.event(&about, fact)
    };
    vec![event(Content::PipelineRunFinished(run)), event(Content::BuildFinished {})]
}

/// Tells the end of a run from others of it: it can be run again. To the second, which both forms have.
pub(super) fn ended(frame: &Frame<'_>, finished: Option<Timestamp>) -> String {
    finished.map_or_else(|| frame.occasion(), |time| format!("finished:{}", to_second(time)))
}

/// Azure's words for what succeeded and has something to complain about: of runs, and of their parts.
const PARTLY: [&str; 2] = ["partiallySucceeded", "succeededWithIssues"];

/// The `errors` of an outcome, where Azure is to say it: the vocabulary has four words for an outcome, and none for "in part".
pub(super) fn errors(result: Option<&str>, partial: Partial) -> Option<Cow<'_, str>> {
    let is_partly = |word: &&str| PARTLY.iter().any(|own| own.eq_ignore_ascii_case(word));
    result.filter(|_| partial == Partial::AsAzureSays).filter(is_partly).map(Cow::Borrowed)
}

/// Of builds, runs, stages and jobs alike: Azure has one list of words for all of them.
pub(super) fn outcome(result: Option<&str>, partial: Partial) -> Outcome {
    let is = |words: &[&str]| result.is_some_and(|own| words.iter().any(|word| own.eq_ignore_ascii_case(word)));
    match () {
        () if is(&["succeeded"]) => Outcome::Success,
        () if is(&PARTLY) => match partial {
            Partial::Success | Partial::AsAzureSays => Outcome::Success,
            Partial::Failure => Outcome::Failure,
        },
        () if is(&["failed"]) => Outcome::Failure,
        // A refused check stops a stage before it does anything.
        () if is(&["canceled", "cancelled", "stopped", "rejected", "abandoned"]) => Outcome::Cancel,
        () => Outcome::Error,
    }
}
