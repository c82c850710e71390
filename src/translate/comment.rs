//! Comments of pull requests: written, edited, deleted.

use super::{
    binding::{About, branch},
    frame::{Fact, Frame, custom, moment, person},
    place::Place,
    pull_request::extras,
};
use crate::{
    azure::{
        guid::guid,
        resource::pull_request::{Comment, CommentEvent, PullRequest},
    },
    event::{Event, members::Members},
};

/// `ms.vss-code.git-pullrequest-comment-event`. At resource version 1.0 the resource is the comment, and everything
/// around it is only in its own addresses; at 2.0 the pull request is beside it.
pub(super) fn commented(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(event) = frame.resource::<CommentEvent<'_>>() else { return frame.unread() };
    let bare = frame.resource::<Comment<'_>>().unwrap_or_default();
    let is_bare = event.comment.id.0.is_none() && event.comment.links.itself.href.as_str().is_none();
    let (comment, pull) = (if is_bare { &bare } else { &event.comment.0 }, &event.pull_request);
    frame.within(pull.repository.project.id.as_str());
    let links = &comment.links;
    let addresses = [&links.itself, &links.threads, &links.pull_requests, &links.repository];
    let hrefs = || addresses.into_iter().filter_map(|link| link.href.as_str());
    frame.within(hrefs().find_map(project));
    let named = |name: &'static str| hrefs().find_map(move |href| after(href, name));
    let numbered = |name: &'static str| named(name).and_then(|number| number.parse().ok()).filter(|number| *number > 0);
    let (of_repository, of_number) = (named("repositories"), numbered("pullRequests"));
    let about = About { branch: branch(pull.target_ref_name.as_str()), ..About::repository(&frame, &pull.repository) };
    let place = pull.repository.id.as_str().zip(pull.pull_request_id.positive());
    let place = place.or_else(|| of_repository.zip(of_number));
    let Some((repository, number)) = place else {
        return frame.received(&about, Some("the comment names no pull request"));
    };
    let about = About { repository: [Some(repository), about.repository[1]], ..about };
    let thread = numbered("threads");
    vec![told(&frame, &about, (repository, number), comment, pull, thread)]
}

fn told(
    frame: &Frame<'_>,
    about: &About<'_>,
    (repository, number): (&str, i64),
    comment: &Comment<'_>,
    pull: &PullRequest<'_>,
    thread: Option<i64>,
) -> Event {
    let subject = format!("git/repositories/{repository}/pullRequests/{number}");
    let written = moment(comment.last_updated_date.as_str()).or_else(|| moment(comment.published_date.as_str()));
    let deleted = if comment.is_deleted.0 == Some(true) { ":deleted" } else { "" };
    let discriminator = match (comment.id.0, written) {
        // Comments are counted per thread; an edit is the same comment at another time.
        (Some(id), Some(written)) => format!("{}:{id}:{written}{deleted}", thread.unwrap_or_default()),
        _ => frame.occasion(),
    };
    let place = Place::here(frame, repository, &pull.repository.project);
    let page = place.thread(number, thread);
    let content = Members::new()
        .text("uri", Some(page.as_str()))
        .int("threadId", thread)
        .int("commentId", comment.id.0)
        .int("parentCommentId", comment.parent_comment_id.positive())
        .object("author", person(&comment.author))
        .text("content", comment.content.as_str())
        .text("commentType", comment.comment_type.as_str())
        .flag("isDeleted", comment.is_deleted.0)
        .time("publishedDate", moment(comment.published_date.as_str()))
        .time("lastUpdatedDate", moment(comment.last_updated_date.as_str()));
    let content = custom("dev.cdeventsx.azuredevops-change.commented.0.1.0", content);
    let mut fact = Fact::new(content, &subject, &discriminator);
    fact.time = written;
    fact.chain = Some(frame.chain(&subject));
    fact.actor = comment.author.handle();
    fact.extras = match pull.pull_request_id.positive() {
        Some(_) => extras(frame, pull, &place.pull_request(number)),
        None => Members::new().int("pullRequestId", Some(number)).text("url", Some(place.pull_request(number))),
    };
    frame.event(about, fact)
}

/// The part after this word of an address like `…/repositories/{guid}/pullRequests/{n}/threads/{t}/comments/{c}`, as the links
/// of a comment have it; not each of them has every part.
fn after<'a>(href: &'a str, name: &str) -> Option<&'a str> {
    let mut segments = href.split(['/', '?']);
    segments.find(|segment| segment.eq_ignore_ascii_case(name))?;
    segments.next().filter(|segment| !segment.is_empty())
}

/// The project's GUID, which some of the addresses have before `_apis`.
fn project(href: &str) -> Option<&str> {
    let (before, _) = href.split_once("/_apis/")?;
    before.rsplit('/').next().filter(|segment| guid(Some(segment)).is_some())
}
