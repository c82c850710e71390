//! Work items.

use super::{Wish, done, needed, no_lever, number, project};
use crate::simulator::{
    Edit, Simulator,
    rest::{Answer, Outcome, Refusal},
};
use serde_json::json;

pub(super) fn pull(simulator: &Simulator, rest: &[&str], wish: &Wish) -> Outcome {
    match rest {
        [] => {
            let project = project(simulator, wish)?;
            let (kind, title) = (wish.kind.as_deref().unwrap_or("Bug"), wish.title.as_deref());
            let made = simulator.create_work_item(project, kind, title.unwrap_or("The espresso is cold"))?;
            Ok(Answer::json(json!({"number": made})))
        }
        [n] => work_item(simulator, number(n)?, wish),
        [n, "link"] => {
            let (kind, url) = (wish.kind.as_deref().unwrap_or("ArtifactLink"), needed(wish.url.as_ref(), "which url")?);
            done(number(n)?, simulator.link_work_item(number(n)?, kind, url))
        }
        [n, "unlink"] => {
            done(number(n)?, simulator.unlink_work_item(number(n)?, needed(wish.url.as_ref(), "which url")?))
        }
        [n, "delete"] => done(number(n)?, simulator.delete_work_item(number(n)?)),
        [n, "restore"] => done(number(n)?, simulator.restore_work_item(number(n)?)),
        _ => Err(no_lever("work-item")),
    }
}

fn work_item(simulator: &Simulator, number: u32, wish: &Wish) -> Outcome {
    let fields = [("System.State", &wish.state), ("System.Title", &wish.title)];
    let edits: Vec<(String, Edit)> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Edit::Set(value.clone()?.into()))))
        .collect();
    if edits.is_empty() && wish.comment.is_none() {
        return Err(Refusal::bad_request("SimulatorBody", "say what changes: state, title or comment"));
    }
    if !edits.is_empty() {
        simulator.update_work_item(number, "", &edits)?;
    }
    if let Some(text) = &wish.comment {
        simulator.comment_work_item(number, text)?;
    }
    Ok(Answer::json(json!({"number": number})))
}
