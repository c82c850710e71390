//! `OPTIONS _apis`, and a header on whatever has no route: the simulated one says which resources it offers.

use super::{Answer, Location, locations, locations::Resource, table, target::Target};
use crate::{
    azure::client::ApiVersion,
    simulator::{
        options::{Edition, segment},
        site::Site,
    },
};
use http::StatusCode;
use serde_json::{Value, json};

/// The header that tells people what is the simulator's and not Azure DevOps'.
pub(super) const SAYS: &str = "x-hookwell-simulator";

/// The reply to `OPTIONS _apis`, of one area or of all: on the main host everything that was recorded there, whether it has a
/// route here or not, in the versions that the edition knows; on another host what has one. An area that there is not is
/// empty; what the real one says then nobody has recorded.
pub(super) fn locations(edition: Edition, target: &Target, area: Option<&str>) -> Vec<Value> {
    let mut known: Vec<Location> = Vec::new();
    if target.host == Site::Main && target.is_collection {
        known.extend(locations::recorded().iter().map(|own| Location(own.id)).filter(|own| own.is_there(edition)));
    }
    for location in table().filter(|route| route.is_on_host(target, edition)).map(|route| *route.location) {
        if !known.contains(&location) {
            known.push(location);
        }
    }
    let is_wanted = |own: &&Location| area.is_none_or(|area| own.resource().area.eq_ignore_ascii_case(area));
    known.iter().filter(is_wanted).map(|own| entry(own, edition)).collect()
}

/// Versions are text there.
fn entry(location: &Location, edition: Edition) -> Value {
    let resource = location.resource();
    let text = |version: ApiVersion| format!("{}.{}", version.major, version.minor);
    json!({
        "id": resource.id, "area": resource.area, "resourceName": resource.name, "routeTemplate": resource.template,
        "resourceVersion": resource.version, "minVersion": text(location.min()),
        "maxVersion": text(location.max(edition)), "releasedVersion": text(location.released(edition)),
    })
}

/// There is nothing at a path. The header says whether Azure DevOps has something there.
pub(super) fn none(path: &str, target: Option<&Target>) -> Answer {
    let text = format!("The controller for path '{path}' was not found or does not implement IController.");
    let real = target.and_then(|target| locations::recorded().iter().find(|own| leads_to(own, &target.resource)));
    let says = match real {
        Some(own) => format!("no route; Azure DevOps has {}/{} there", own.area, own.name),
        None => "no route; none is known of Azure DevOps either".to_owned(),
    };
    Answer::text(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", text.clone())
        .with("x-tfs-serviceerror", &segment(&text))
        .with(SAYS, &says)
}

/// Whether a template can be filled in so that it gives this path. One that fits whatever is asked leads nowhere.
fn leads_to(resource: &Resource, path: &[String]) -> bool {
    let Some((_, template)) = resource.template.split_once("_apis/") else { return false };
    let (mut sent, mut names_something) = (path.iter(), false);
    for part in template.split('/') {
        if part.starts_with("{*") {
            return names_something;
        }
        let literal = match part {
            "{area}" => resource.area,
            "{resource}" => resource.name,
            part => part,
        };
        // A placeholder that is not filled in is left out.
        let Some(sent) = sent.next() else {
            if literal.starts_with('{') {
                continue;
            }
            return false;
        };
        if literal.starts_with('{') {
            continue;
        }
        let is_of_a_type = literal.starts_with("${") && sent.starts_with('$');
        if !is_of_a_type && !literal.eq_ignore_ascii_case(sent) {
            return false;
        }
        names_something = true;
    }
    names_something && sent.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_a_resource_that_azure_devops_tells_of() {
        for route in table() {
            let own = route.location.resource();
            assert_eq!(own.id, route.location.0);
            // A type stands behind a dollar sign where an item of it is made.
            let path: Vec<String> = route.path.replace("{type}", "$Bug").split('/').map(str::to_owned).collect();
            // Documented are both names of environments and runs; recorded is one.
            let both = ["pipelines/environments", "release/"].iter().any(|head| route.path.starts_with(head));
            assert!(both || leads_to(own, &path), "{} is not at {}", route.path, own.template);
        }
    }
}
