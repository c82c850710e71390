//! Links between work items. They are not in the items: changing one makes no revision and leaves the date of the last
//! change as it is, at both ends, and each end has an update of its own.
//!
//! Source: REST "Updates - List", whose sample has updates of links between the revisions; the recorded
//! `test_boards_releations_create_remove` of Microsoft's azure-devops-cli-extension, in which an item stays at revision 1
//! through four changes of links.

use super::{Facts, Field, Impossible, World, work_item::LINKS};
use jiff::Timestamp;
use uuid::Uuid;

/// An update that changed links alone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LinkUpdate {
    pub(crate) update: u32,
    /// The revision that it leaves as it is.
    pub(crate) rev: u32,
    pub(crate) at: Timestamp,
    pub(crate) by: Uuid,
    pub(crate) added: Vec<(String, String)>,
    pub(crate) removed: Vec<(String, String)>,
}

/// A link that came or went, as the list of all links has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChangedLink {
    pub(crate) kind: String,
    /// Where it was changed, and where it leads.
    pub(crate) ends: [u32; 2],
    pub(crate) is_active: bool,
    pub(crate) at: Timestamp,
    pub(crate) by: Uuid,
}

/// Whether a link of this kind leads to another work item.
fn is_between_items(kind: &str) -> bool {
    kind.starts_with("System.LinkTypes.")
}

/// The other end's name for the link.
fn reverse(kind: &str) -> String {
    match (kind.strip_suffix("-Forward"), kind.strip_suffix("-Reverse")) {
        (Some(bare), _) => format!("{bare}-Reverse"),
        (_, Some(bare)) => format!("{bare}-Forward"),
        _ => kind.to_owned(),
    }
}

impl World {
    /// Links it with something, by kind of link and URL: the fields stay as they are. What links two items makes no
    /// revision, and both ends have it.
    pub(crate) fn link_work_item(&mut self, number: u32, by: Uuid, kind: &str, url: &str) -> Result<(), Impossible> {
        let link = (kind.to_owned(), url.to_owned());
        if is_between_items(kind) {
            return self.link_items(number, by, link, true);
        }
        self.relate(number, by, |links| links.push(link))
    }

    /// Takes away the links to a URL.
    pub(crate) fn unlink_work_item(&mut self, number: u32, by: Uuid, url: &str) -> Result<(), Impossible> {
        let item = self.work_item_mut(number)?;
        let own = item.relations(item.last()).into_iter().filter(|(kind, own)| own == url && is_between_items(kind));
        let between: Vec<_> = own.collect();
        for link in &between {
            self.link_items(number, by, link.clone(), false)?;
        }
        if between.is_empty() { self.relate(number, by, |links| links.retain(|(_, own)| own != url)) } else { Ok(()) }
    }

    /// The field that counts links of this kind, which changes with them.
    ///
    /// Source: azure-devops-docs, "Link queries and link count" (`System.ExternalLinkCount`); updates of REST "Updates - List".
    fn relate(
        &mut self,
        number: u32,
        by: Uuid,
        change: impl FnOnce(&mut Vec<(String, String)>),
    ) -> Result<(), Impossible> {
        let item = self.work_item_mut(number)?;
        let (mut fields, mut relations) = (item.last().fields.clone(), item.relations(item.last()));
        change(&mut relations);
        fields.remove("System.History");
        fields.insert(LINKS.to_owned(), Field::Plain(relations.len().into()));
        self.revise(number, by, fields, relations);
        self.revised_event(number, "linked", true);
        Ok(())
    }

    /// Makes or takes away a link between two items: it is told at both ends.
    fn link_items(
        &mut self,
        number: u32,
        by: Uuid,
        (kind, url): (String, String),
        is_new: bool,
    ) -> Result<(), Impossible> {
        let (place, other) = url.rsplit_once('/').unwrap_or_default();
        let other = other.parse().map_err(|_| Impossible::Absent(format!("a work item at {url}")))?;
        self.work_item_mut(other)?;
        self.work_item_mut(number)?;
        let back = (reverse(&kind), format!("{place}/{number}"));
        let at = self.now;
        self.links.push(ChangedLink { kind: kind.clone(), ends: [number, other], is_active: is_new, at, by });
        for (end, link) in [(number, (kind, url)), (other, back)] {
            let item = self.work_item_mut(end)?;
            let (update, rev) = (item.next_update(), item.last().rev);
            let (added, removed) = if is_new { (vec![link], Vec::new()) } else { (Vec::new(), vec![link]) };
            item.links.push(LinkUpdate { update, rev, at, by, added, removed });
            let facts = Facts::from([("linksChanged", vec!["true".to_owned()])]);
            self.work_item_event("workitem.updated", end, "linked", facts);
        }
        Ok(())
    }
}
