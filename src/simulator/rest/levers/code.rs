//! Pushes, pull requests, alerts.

use super::{Wish, done, no_lever, number, repository};
use crate::simulator::{
    RefChange, Simulator,
    rest::{Answer, Outcome},
};
use serde_json::json;

pub(super) fn pull(simulator: &Simulator, lever: &str, rest: &[&str], wish: &Wish) -> Outcome {
    match (lever, rest) {
        ("push", []) => push(simulator, wish),
        ("pull-request", []) => pull_request(simulator, wish),
        ("pull-request", [n, "complete"]) => {
            let strategy = wish.strategy.unwrap_or_default();
            done(number(n)?, simulator.merge_pull_request(number(n)?, strategy, wish.delete_source))
        }
        ("pull-request", [n, "abandon"]) => done(number(n)?, simulator.abandon_pull_request(number(n)?)),
        ("pull-request", [n, "comment"]) => {
            let text = wish.text.as_deref().unwrap_or("Looks good.");
            done(number(n)?, simulator.comment_pull_request(number(n)?, text))
        }
        ("alert", []) => {
            let (title, severity) = (wish.title.as_deref(), wish.severity.as_deref());
            let title = title.unwrap_or("A password in the code");
            let made = simulator.raise_alert(repository(simulator, wish)?, title, severity.unwrap_or("high"))?;
            Ok(Answer::json(json!({"number": made})))
        }
        ("alert", [n]) => done(number(n)?, simulator.change_alert(number(n)?, wish.state.as_deref())),
        _ => Err(no_lever(lever)),
    }
}

fn push(simulator: &Simulator, wish: &Wish) -> Outcome {
    let repository = repository(simulator, wish)?;
    let change = RefChange::Commit {
        branch: wish.branch.clone().unwrap_or_else(|| "main".to_owned()),
        comment: wish.message.clone().unwrap_or_else(|| "Roast a little longer".to_owned()),
        paths: wish.paths.clone().unwrap_or_else(|| vec!["/src/roast.rs".to_owned()]),
    };
    let push = simulator.push(repository, "", &[change])?;
    Ok(Answer::json(json!({"number": push})))
}

/// The source branch is made if it is not there.
fn pull_request(simulator: &Simulator, wish: &Wish) -> Outcome {
    let repository = repository(simulator, wish)?;
    let (count, target) = (simulator.totals().0, wish.target.as_deref().unwrap_or("main"));
    let source = wish.source.clone().unwrap_or_else(|| format!("feature/idea-{count}"));
    let title = wish.title.as_deref().unwrap_or("An idea");
    let is_there = {
        let world = simulator.instance.world();
        world.repository_of(repository).is_some_and(|own| own.tip(&format!("refs/heads/{source}")).is_some())
    };
    if !is_there {
        simulator.push_commit(repository, &source, title, &["/src/idea.rs"])?;
    }
    let number = simulator.create_pull_request(repository, &source, target, title)?;
    Ok(Answer::json(json!({"number": number, "source": source})))
}
