//! Links of a work item, read from their addresses.

use super::super::frame::Frame;
use crate::{
    azure::resource::work_item::{Relation, WorkItemUpdate},
    event::{
        cdevents::{Link, LinkKind},
        members::Members,
    },
};
use uuid::Uuid;

/// The number in `…/workItems/{n}/…`.
pub(super) fn number_in(address: Option<&str>) -> Option<i64> {
    let mut segments = address?.split('/');
    segments.find(|segment| segment.eq_ignore_ascii_case("workItems"))?;
    segments.next()?.parse().ok().filter(|number| *number > 0)
}

/// The project's GUID in `…/{project}/_apis/…`.
pub(super) fn project_in(address: &str) -> Option<&str> {
    let (place, _) = address.split_once("/_apis/")?;
    place.rsplit('/').next().filter(|segment| Uuid::try_parse(segment).is_ok())
}

/// To what an update linked the item.
pub(super) fn links(frame: &Frame<'_>, update: &WorkItemUpdate<'_>) -> Vec<Link> {
    // Remote links and hyperlinks lead anywhere: into another organization, whose items have the same numbers.
    let leads_here = |relation: &&Relation<'_>| {
        let word = relation.rel.as_str().unwrap_or_default();
        word != "Hyperlink" && !word.starts_with("System.LinkTypes.Remote.")
    };
    let added = update.relations.added.iter().map(|relation| &**relation).filter(leads_here);
    added.filter_map(|relation| link(frame, relation.url.as_str()?)).collect()
}

/// `vstfs:///Git/Commit/{project}%2F{repository}%2F{sha}` and its like, or the address of another work item, whose number
/// is unique in the collection: it can be another project's.
fn link(frame: &Frame<'_>, address: &str) -> Option<Link> {
    let Some(artifact) = address.strip_prefix("vstfs:///") else {
        let number = number_in(Some(address))?;
        return Some(frame.link(LinkKind::Issue, &[], "issue", &number.to_string()));
    };
    let (kind, id) = artifact.rsplit_once('/')?;
    let id = percent_encoding::percent_decode_str(id).decode_utf8().ok()?;
    let mut parts = id.splitn(3, '/');
    let first = parts.next()?.to_ascii_lowercase();
    let (second, third) = (parts.next().map(str::to_ascii_lowercase), parts.next());
    match kind {
        "Git/Commit" => Some(frame.link(LinkKind::Commit, &[&first, &second?], "commit", &third?.to_ascii_lowercase())),
        "Git/PullRequestId" => Some(frame.link(LinkKind::Change, &[&first, &second?], "pr", third?)),
        "Build/Build" => Some(frame.link_here(LinkKind::Run, "execution", &first)),
        _ => None,
    }
}

/// Every link that came or went, as Azure names it.
pub(super) fn relations<'b>(update: &'b WorkItemUpdate<'_>) -> Members<'b> {
    let all = &update.relations;
    Members::new()
        .objects("relationsAdded", all.added.iter().map(|relation| members(relation)))
        .objects("relationsRemoved", all.removed.iter().map(|relation| members(relation)))
        .objects("relationsUpdated", all.updated.iter().map(|relation| members(relation)))
}

fn members<'b>(relation: &'b Relation<'_>) -> Members<'b> {
    Members::new().text("rel", relation.rel.as_str()).text("url", relation.url.as_str())
}
