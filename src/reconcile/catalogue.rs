//! What the publishers of one server offer: the only trustworthy list, since older servers lack event types.

use crate::azure::client::{AzureDevOps, EventType, Failure};
use std::collections::BTreeMap;

/// The publishers that we want something from. Releases are optional: their host and scope are not everybody's.
pub(super) const PUBLISHERS: [&str; 3] = ["tfs", "pipelines", "rm"];

/// Event types with the versions of their resources.
pub(super) type Offered = BTreeMap<String, Vec<String>>;

/// What the publishers offer, each for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Catalogue {
    /// By publisher. One that could not be asked is missing: what it would deliver is neither made nor removed.
    pub publishers: BTreeMap<String, Offered>,
    /// Why a publisher is missing.
    pub silent: BTreeMap<String, String>,
}

impl Catalogue {
    /// Asks for it. A publisher that gives no catalogue does not keep the others from theirs: how a server answers for one
    /// that it does not have is not recorded anywhere, so each of 400, 404 and 500 may be it.
    ///
    /// # Errors
    /// The failure that keeps us from asking at all: nobody answers, or none of the publishers of the main host does.
    pub(super) async fn read(azure: &dyn AzureDevOps) -> Result<Self, Failure> {
        let (mut catalogue, mut first) = (Self::default(), None);
        for publisher in PUBLISHERS {
            let failure = match azure.event_types(publisher).await {
                // An empty catalogue of the main publisher would mean that Azure DevOps has no events at all.
                Ok(types) if types.is_empty() && publisher == "tfs" => {
                    let detail = "the publisher tfs offers no event types".to_owned();
                    Failure::Unexpected { detail, activity_id: None }
                }
                Ok(types) => {
                    catalogue.publishers.insert(publisher.to_owned(), offered(types));
                    continue;
                }
                Err(Failure::NotFound { .. } | Failure::Refused { .. }) if publisher == "pipelines" => {
                    catalogue.publishers.insert(publisher.to_owned(), Offered::new());
                    continue;
                }
                Err(failure) => failure,
            };
            let is_its_own = failure.is_of_the_thing() || matches!(failure, Failure::Unavailable { .. });
            // The host of releases wants a scope of its own, and may be beyond a firewall.
            let is_apart = publisher == "rm" && !matches!(failure, Failure::Throttled { .. });
            if !is_its_own && !is_apart {
                return Err(failure);
            }
            catalogue.silent.insert(publisher.to_owned(), failure.to_string());
            first.get_or_insert(failure);
        }
        let answers = |name: &str| catalogue.publishers.get(name).is_some_and(|offered| !offered.is_empty());
        match first {
            Some(failure) if !answers("tfs") && !answers("pipelines") => Err(failure),
            _ => Ok(catalogue),
        }
    }

    /// Whether every publisher offers something. Otherwise it is asked for again in every run: a publisher that seems to be
    /// missing may only have been so for a moment.
    pub(super) fn is_whole(&self) -> bool {
        PUBLISHERS.iter().all(|name| self.publishers.get(*name).is_some_and(|offered| !offered.is_empty()))
    }

    /// The version to ask for: the first of `preferred` that is offered.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn version(&self, publisher: &str, event_type: &str, preferred: &[&str]) -> Result<String, String> {
        let Some(offered) = self.publishers.get(publisher) else {
            let why = self.silent.get(publisher).map_or("it could not be asked", String::as_str);
            return Err(format!("the publisher {publisher} does not say what it offers: {why}"));
        };
        let Some(versions) = offered.get(event_type) else {
            return Err(format!("this server does not offer {event_type}"));
        };
        let found = preferred.iter().find(|wanted| versions.is_empty() || versions.iter().any(|has| has == *wanted));
        found.map(|version| (*version).to_owned()).ok_or_else(|| {
            let (wanted, has) = (preferred.join(" or "), versions.join(", "));
            format!("this server offers {event_type} in version {has}, not in {wanted}")
        })
    }
}

fn offered(types: Vec<EventType>) -> Offered {
    types.into_iter().map(|event_type| (event_type.id, event_type.resource_versions)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_preferred_version_that_is_offered_is_taken() {
        let versions = |all: &[&str]| all.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        let tfs = Offered::from([
            ("workitem.created".to_owned(), versions(&["1.0", "5.1-preview.3"])),
            ("workitem.deleted".to_owned(), versions(&["1.0"])),
            ("workitem.restored".to_owned(), versions(&["9.9"])),
            ("git.push".to_owned(), versions(&[])),
        ]);
        let silent = BTreeMap::from([("rm".to_owned(), "no scope".to_owned())]);
        let catalogue = Catalogue { publishers: BTreeMap::from([("tfs".to_owned(), tfs)]), silent };
        let version = |kind| catalogue.version("tfs", kind, &["5.1-preview.3", "1.0"]);
        assert_eq!(version("workitem.created").unwrap(), "5.1-preview.3");
        assert_eq!(version("workitem.deleted").unwrap(), "1.0");
        assert_eq!(version("git.push").unwrap(), "5.1-preview.3", "without a list the server is believed to know it");
        assert!(version("workitem.restored").unwrap_err().contains("in version 9.9, not in 5.1-preview.3 or 1.0"));
        assert!(version("workitem.commented").unwrap_err().contains("does not offer"));
        assert!(catalogue.version("rm", "x", &["1.0"]).unwrap_err().contains("no scope"));
    }
}
