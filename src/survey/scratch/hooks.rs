//! Hooks that are made and looked at: whether they are there at once, what is refused, and who may delete.

use super::{HTTP, HTTPS, Hook, NEVER, PRIVATE, Scratch, Thing};
use crate::survey::{
    ask::Ask,
    asker::{Asker, Ended},
    entry::Entry,
    question::Finding,
    seen::{Answer, document, id, items, status, text},
};
use std::time::Duration;

/// How long a new subscription is waited for.
const LATE_MAX: Duration = Duration::from_mins(1);
/// Between two looks for it, at first and at most.
const LOOK: Duration = Duration::from_millis(500);
const LOOK_MAX: Duration = Duration::from_secs(8);

/// Whether hooks can be made at all.
pub(super) async fn ask(scratch: &mut Scratch, asker: &mut Asker<'_>, entry: &Entry) -> Result<bool, Ended> {
    let made = make(scratch, asker, HTTPS).await?;
    let Some(own) = id(&document(&made)["id"]) else {
        let why = format!("no hook can be made: status {}", status(&made));
        for key in ["known", "listed", "unviewed", "version", "plain_http", "private_target", "deleting"] {
            asker.found(Finding::unsettled(key, why.clone()));
        }
        return Ok(false);
    };
    let began = asker.monotonic();
    asker.found(version(&made));
    let at_once = asker.see(&one(&own)).await?;
    let listed = is_listed(asker, &own).await?;
    asker.found(unviewed(entry.may_view, status(&at_once)));
    scratch.is_hidden =
        entry.may_view == Some(false) || entry.may_view.is_none() && matches!(status(&at_once), 401 | 403);
    if scratch.is_hidden {
        for key in ["known", "listed"] {
            asker.found(Finding::unsettled(key, "View Subscriptions is not held"));
        }
    } else {
        let there = (status(&at_once) == 200, listed);
        let (known, listed) = wait(asker, &own, began, there).await?;
        asker.found(late("known", "hooks.known_late_seconds", known));
        asker.found(late("listed", "hooks.listed_late_seconds", listed));
    }
    let deleted = asker.see(&Scratch::delete_hook(&own)).await?;
    let is_gone = matches!(status(&deleted), 200 | 204);
    if is_gone {
        scratch.made.retain(|thing| *thing != Thing::Hook(own.clone()));
    }
    asker.found(deleting(scratch.is_hidden, status(&deleted)));
    // A survey that cannot see or delete one makes no more of them.
    if !is_gone || scratch.is_hidden {
        return Ok(false);
    }
    let plain = make(scratch, asker, HTTP).await?;
    asker.found(taken("plain_http", "hooks.basic_needs_https", &plain));
    let private = make(scratch, asker, PRIVATE).await?;
    asker.found(taken("private_target", "hooks.private_targets_refused", &private));
    Ok(true)
}

async fn make(scratch: &mut Scratch, asker: &mut Asker<'_>, url: &'static str) -> Result<Answer, Ended> {
    let repository = scratch.repository.clone();
    let hook = match &repository {
        Some(repository) => Hook {
            event_type: "git.push",
            url,
            inputs: vec![("repository", repository.id.as_str()), ("branch", NEVER)],
        },
        None => Hook { event_type: "workitem.deleted", url, inputs: vec![("workItemType", NEVER)] },
    };
    scratch.make_hook(asker, &hook).await
}

fn one(own: &str) -> Ask {
    Ask::get("the subscription", "hooks/subscriptions/{subscription}", &[own])
}

async fn is_listed(asker: &mut Asker<'_>, own: &str) -> Result<bool, Ended> {
    let listing = Ask::get("subscriptions", "hooks/subscriptions", &[]).with("consumerId", "webHooks").big();
    let listed = asker.see(&listing).await?;
    Ok(items(&listed).iter().any(|one| text(one, "id").eq_ignore_ascii_case(own)))
}

/// How late it was there; `None` where it was at once, and an error of the time where it was not in time.
type Late = Option<Result<Duration, Duration>>;

async fn wait(
    asker: &mut Asker<'_>,
    own: &str,
    began: Duration,
    (mut known, mut listed): (bool, bool),
) -> Result<(Late, Late), Ended> {
    let (mut known_late, mut listed_late, mut pause) = (None, None, LOOK);
    loop {
        let took = asker.monotonic().saturating_sub(began);
        if known && listed || took > LATE_MAX {
            let lost = |there: bool| if there { None } else { Some(Err(took)) };
            return Ok((known_late.map(Ok).or(lost(known)), listed_late.map(Ok).or(lost(listed))));
        }
        asker.pause(pause).await?;
        pause = (pause * 2).min(LOOK_MAX);
        if !known && status(&asker.see(&one(own)).await?) == 200 {
            known = true;
            known_late = Some(asker.monotonic().saturating_sub(began));
        }
        if !listed && is_listed(asker, own).await? {
            listed = true;
            listed_late = Some(asker.monotonic().saturating_sub(began));
        }
    }
}

fn late(key: &'static str, switch: &'static str, late: Late) -> Finding {
    match late {
        None => Finding::as_assumed(key, "it was there at once"),
        Some(Ok(late)) => {
            let seconds = late.as_secs() + 1;
            Finding::otherwise(key, format!("it was there within {seconds} seconds")).with(switch, seconds)
        }
        Some(Err(late)) => Finding::otherwise(key, format!("it was not there after {} seconds", late.as_secs()))
            .with(switch, late.as_secs()),
    }
}

fn unviewed(may_view: Option<bool>, status: u16) -> Finding {
    let key = "unviewed";
    if may_view == Some(true) || may_view.is_none() && status == 200 {
        return Finding::unsettled(key, "View Subscriptions is held");
    }
    let said = format!("status {status}");
    match status {
        0 => Finding::unsettled(key, "there was no answer"),
        200 => Finding::otherwise(key, said).with("hooks.unviewed", "own"),
        404 => Finding::otherwise(key, said).with("hooks.unviewed", "absent"),
        401 | 403 => Finding::as_assumed(key, said),
        _ => Finding::otherwise(key, said),
    }
}

fn version(made: &Answer) -> Finding {
    let there = text(document(made), "resourceVersion");
    let said = match there {
        "1.0" => "it is the one that was asked for",
        "" => "there is none",
        _ => "it is another one",
    };
    Finding::told("version", there == "1.0", said)
}

fn taken(key: &'static str, switch: &'static str, made: &Answer) -> Finding {
    match status(made) {
        0 => Finding::unsettled(key, "there was no answer"),
        200..=299 => Finding::as_assumed(key, "it is taken"),
        other @ 400..=499 => Finding::otherwise(key, format!("it is refused with status {other}")).with(switch, true),
        other => Finding::unsettled(key, format!("status {other}")),
    }
}

fn deleting(is_hidden: bool, status: u16) -> Finding {
    let key = "deleting";
    let said = format!("status {status}");
    match status {
        0 => Finding::unsettled(key, "there was no answer"),
        200..=299 => Finding::as_assumed(key, said),
        _ if is_hidden => Finding::unsettled(key, format!("{said}, and View Subscriptions is not held")),
        401 | 403 => Finding::otherwise(key, said).with("hooks.delete_needs_its_own_right", true),
        _ => Finding::otherwise(key, said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_late_by_whole_seconds() {
        assert_eq!(late("known", "s", None).switches, []);
        assert_eq!(late("known", "s", Some(Ok(Duration::from_millis(1_200)))).switches, [("s", 2.into())]);
        assert_eq!(late("known", "s", Some(Err(Duration::from_secs(61)))).switches, [("s", 61.into())]);
    }

    #[test]
    fn only_who_lacks_the_right_learns_what_the_others_are_told() {
        assert_eq!(unviewed(Some(true), 404).verdict.word(), "unsettled");
        assert_eq!(unviewed(Some(false), 404).switches, [("hooks.unviewed", "absent".into())]);
        assert_eq!(unviewed(Some(false), 200).switches, [("hooks.unviewed", "own".into())]);
        assert_eq!(unviewed(None, 403).verdict.word(), "as_assumed");
    }
}
